"""`corrente dunning policy`: what an issuer's debts are pursued by, tried over the real book before it is saved."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from billing.dunning.policy import Policy
from billing.dunning.policy_data import default_policy, default_text, read_policy
from billing.runs.dunning_forecast import COUNTED, Forecast, Progress, forecast, with_policy
from billing.store.dunning_policies import (
    IssuerPolicies,
    KnownVersion,
    count_limited,
    load_policies,
    load_versions,
    save_version,
)
from billing.store.issuers import Issuer
from control_plane.cli._books import DAY, issuer_meant, open_books, today_of
from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.dunning_policies import policy_faults
from control_plane.settings import Settings

policy = Group("policy", help="Policies: steps, days, hours, for whom. An issuer without one pursues nobody.")
_ISSUER = click.option("--issuer", help="Whose; not needed where there is one issuer.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_DAYS: Final = 60


@policy.command("list")
@_ISSUER
@_JSON
@click.pass_obj
def list_(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """All versions of an issuer's policies, and from which day on they hold."""
    with open_database(settings) as connection:
        found = load_versions(connection, issuer_meant(connection, issuer).id)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.name,
            one.version,
            one.since,
            "off" if one.data is None else len(one.data["step"]),
            one.reason,
            one.made_by,
        )
        for one in found
    )
    none = "No policy: nobody is pursued. `corrente dunning policy new` prints one to begin with."
    print_table(("NAME", "VERSION", "FROM", "STEPS", "WHY", "BY"), rows, empty=none)


@policy.command("new")
@_ISSUER
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file.")
@click.pass_obj
def new(settings: Settings, *, issuer: str | None, out: Path | None) -> None:
    """A policy to begin with, as the law of the issuer's country wants it: a TOML file to be changed and saved."""
    with open_database(settings) as connection:
        text = default_text(_policies(connection, issuer_meant(connection, issuer)).place)
    if out is None:
        click.echo(text, nl=False)
        return
    if out.exists():
        raise Refused(f"{out} is there already")
    out.write_text(text, encoding="utf-8")
    click.echo(f"Written to {out}: `corrente dunning policy check {out}` tries it over the book.")


@policy.command("show")
@click.argument("name", required=False)
@click.option("--version", type=int, help="An older one.")
@_ISSUER
@click.pass_obj
def show(settings: Settings, name: str | None, *, version: int | None, issuer: str | None) -> None:
    """A policy as JSON: the newest version, of the only one if there is one."""
    with open_database(settings) as connection:
        found = load_versions(connection, issuer_meant(connection, issuer).id)
    meant = _name_meant(found, name)
    mine = [one for one in found if one.name == meant and version in (None, one.version)]
    if not mine:
        raise Refused(f"policy {meant} has no version {version}: `corrente dunning policy list` shows them")
    print_json({**asdict(mine[-1])})


@policy.command("check")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@_ISSUER
@click.option("--days", type=click.IntRange(1, 400), default=_DAYS, show_default=True, help="How far to look ahead.")
@_JSON
@click.pass_obj
def check(settings: Settings, file: Path | None, *, issuer: str | None, days: int, as_json: bool) -> None:
    """Say what is wrong with a policy (FILE, TOML or JSON), and what it would do over the real book in the days to come.

    Without FILE: what those that hold will do. It is said as if nobody paid; nothing is written.
    """
    with open_database(settings) as connection:
        now, whose = datetime.now(UTC), issuer_meant(connection, issuer)
        policies = _policies(connection, whose)
        tried = policies
        if file is not None:
            data = _data_of(file)
            tried = with_policy(policies, _readable(connection, data, policies, today_of(whose.zone)))
        with _bar() as progress:
            found = forecast(connection, tried, now, days=days, progress=progress)
            before = forecast(connection, policies, now, days=days) if file is not None else None
    if as_json:
        print_json({"issuer": whose.name, "days": days, "by_day": _rows(found), "now_by_day": before and _rows(before)})
        return
    _show(found, before, days=days)


@policy.command("save")
@keyed
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--default", "usual", is_flag=True, help="The one that the country begins with, in the place of a file.")
@click.option("--from", "since", type=DAY, help="From which day on it holds; today.")
@click.option("--reason", required=True, help="Why, in a few words.")
@click.option("--days", type=click.IntRange(1, 400), default=_DAYS, show_default=True, help="How far to look ahead.")
@click.option("--dry-run", is_flag=True, help="Show what it would do; save nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_ISSUER
@click.pass_obj
def save(settings: Settings, /, *, file: Path | None, usual: bool, since: date | None, days: int, **typed: Any) -> None:
    """Save a policy, or its next version, after showing what it will do over the real book.

    From the next pass on debts are pursued by it. One that the law forbids, or that names what there is not, is refused.
    """
    if (file is None) != usual:
        raise click.UsageError("either a FILE or --default")
    with open_books(settings) as connection:
        whose = issuer_meant(connection, typed["issuer"])
        today, policies = today_of(whose.zone), _policies(connection, whose)
        data = default_policy(policies.place) if file is None else _data_of(file)
        read = _readable(connection, data, policies, since or today)
        with _bar() as progress:
            found = forecast(connection, with_policy(policies, read), datetime.now(UTC), days=days, progress=progress)
            before = forecast(connection, policies, datetime.now(UTC), days=days)
        _show(found, before, days=days)
        if typed["dry_run"]:
            click.echo("Dry run: nothing was saved.")
            return
        confirm(f"Pursue the debts of {whose.name} by {read.name!r} from {since or today} on?", yes=typed["yes"])
        plain = orjson.loads(orjson.dumps(data, default=str))
        number = save_version(
            connection, whose.id, plain, name=read.name, since=since or today, reason=typed["reason"], by=os_user()
        )
    click.echo(f"Policy {read.name!r}, version {number}: `corrente dunning policy off {read.name!r}` switches it off.")


@policy.command("off")
@keyed
@click.argument("name", required=False)
@click.option("--reason", required=True, help="Why, in a few words.")
@click.option("--dry-run", is_flag=True, help="Show whom it would open; switch nothing off.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_ISSUER
@click.pass_obj
def off(settings: Settings, name: str | None, *, reason: str, dry_run: bool, yes: bool, issuer: str | None) -> None:
    """Switch a policy off from today on: its steps stop, and what they limited is opened by the next pass."""
    with open_books(settings) as connection:
        whose = issuer_meant(connection, issuer)
        found = load_versions(connection, whose.id)
        meant = _name_meant(found, name)
        newest = max((one for one in found if one.name == meant), key=lambda one: one.version)
        if newest.data is None:
            raise Refused(
                f"policy {meant!r} is off since {newest.since}; `corrente dunning policy save` switches it on"
            )
        contracts, customers = count_limited(connection, whose.id)
        others = len({one.name for one in found}) > 1
        click.echo(
            f"Limited now for debts to {whose.name}: contracts {contracts}, customers {customers}. Without it they are opened again, paid or not"
            + (", but for those whom another policy limits." if others else ".")
        )
        if dry_run:
            click.echo("Dry run: nothing was switched off.")
            return
        confirm(f"Switch {meant!r} off?", yes=yes)
        today = today_of(whose.zone)
        number = save_version(connection, whose.id, None, name=meant, since=today, reason=reason, by=os_user())
    click.echo(f"Policy {meant!r} is off (version {number}); `corrente dunning policy save` switches it on.")


def _name_meant(found: list[KnownVersion], name: str | None) -> str:
    names = sorted({one.name for one in found})
    if name is None and len(names) == 1:
        return names[0]
    if not names:
        raise Refused("there is no policy yet: `corrente dunning policy new` prints one to begin with")
    if name is None:
        raise Refused(f"say which: {', '.join(names)}")
    if name not in names:
        raise unknown("policy", name, names, also="`corrente dunning policy list` shows them")
    return name


def _policies(connection: Connection, issuer: Issuer) -> IssuerPolicies:
    return load_policies(connection)[issuer.id]


def _data_of(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        found: dict[str, Any] = orjson.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, orjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: {error}") from error
    # What `show` prints holds the policy beside its version.
    inner = found.get("data")
    return inner if isinstance(inner, dict) else found


def _readable(connection: Connection, data: Mapping[str, Any], policies: IssuerPolicies, since: date) -> Policy:
    read = read_policy(data, policies.place, since=since)
    if isinstance(read, tuple):
        raise Refused("this policy can't be saved:\n" + "\n".join(f"  {one}" for one in read))
    missing = [f"  {one}" for one in policy_faults(connection, read, issuer_id=policies.issuer_id)]
    if missing:
        raise Refused("this policy can't be saved:\n" + "\n".join(missing))
    return read


@contextmanager
def _bar() -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("looking at"), MofNCompleteColumn(), TextColumn("customers"), BarColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("customers")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _rows(found: Forecast) -> list[dict[str, object]]:
    return [{"day": day, **{name: counted[name] for name in COUNTED}} for day, counted in sorted(found.days.items())]


def _show(found: Forecast, before: Forecast | None, *, days: int) -> None:
    rows = [
        (day, *(counted[name] or None for name in COUNTED))
        for day, counted in sorted(found.days.items())
        if any(counted.values())
    ]
    heads = ("DAY", "REMINDERS", "NOTICES", "FORMAL", "FEES", "THROTTLE", "WALLED", "BLOCKED", "ENDS", "LIFTED")
    print_table(heads, rows, empty=f"Nothing will be done in {days} days.")
    said = f"{found.customers} customers looked at over {days} days, as if nobody paid; {len(found.limited)} limited at the end"
    if before is not None:
        said += f", {len(before.limited)} by what holds now"
        new, spared = found.limited - before.limited, before.limited - found.limited
        if new or spared:
            said += f" ({len(new)} more, {len(spared)} spared)"
    click.echo(f"{said}.")
