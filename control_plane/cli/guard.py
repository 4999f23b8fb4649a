"""`corrente guard`: how many automation may cut in an hour, what waits for a person, letting it go, exempt contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from control_plane import audit
from control_plane.cli._console import (
    Connection,
    Refused,
    known_account,
    open_database,
    os_user,
    print_json,
    print_table,
)
from control_plane.cli._group import Group
from control_plane.cli._options import coming_instant, confirm
from control_plane.control_loop.guard import GuardLimits, Hour
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store import interventions
from control_plane.store.automation import load_hour_now
from control_plane.store.guard import guard_rules

command = Group("guard", help="What automation may take away in an hour, and what waits for a person.")


@dataclass(frozen=True, slots=True)
class _Page:
    """All that `corrente guard status` tells."""

    hour: Hour
    limits: GuardLimits
    trip: tuple[datetime, str] | None
    held: list[interventions.HeldRow]
    runs: list[interventions.HeldRun]
    stop: interventions.StopRow | None
    maintenance: list[interventions.MaintenanceRow]
    exemptions: int


def _load_page(connection: Connection, settings: Settings, now: datetime) -> _Page:
    return _Page(
        hour=load_hour_now(connection, now),
        limits=guard_rules(settings).limits,
        trip=interventions.load_trip(connection),
        held=interventions.load_held(connection, now),
        runs=interventions.load_held_runs(connection),
        stop=interventions.load_stop(connection),
        maintenance=interventions.load_maintenance(connection, now),
        exemptions=len(interventions.load_exemptions(connection, now)),
    )


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def status_command(settings: Settings, *, as_json: bool) -> None:
    """How much of the hour's share is used, whether the guard has tripped, and what waits."""
    with open_database(settings) as connection:
        page = _load_page(connection, settings, datetime.now(UTC))
    if as_json:
        print_json(_as_json(page))
        return
    zone, hour = settings.zone, page.hour
    click.echo("tripped" if page.trip else "not tripped")
    if page.trip:
        click.echo(f"  since {instant_text(page.trip[0], zone)}: {page.trip[1]}")
        click.echo("  let it go with `corrente guard release`, or take it back with `corrente undo RUN`")
    click.echo(
        f"{hour.live:,} subscribers online: automation may cut {page.limits.allowed(hour.live):,} in an hour"
        f" ({page.limits.share_percent:g} %, never less than {page.limits.never_less_than:,})"
    )
    click.echo(f"{hour.cut:,} cut in the last hour, {hour.wanting:,} more wanted")
    for run in page.runs:
        click.echo(f"{run.restrictions:,} restrictions of run {run.run_id} ({run.name}) wait and do not count")
    if page.stop:
        click.echo(
            f"EVERYTHING IS STOPPED since {instant_text(page.stop.since, zone)} by {page.stop.placed_by}: {page.stop.reason}"
        )
    for nas in page.maintenance:
        click.echo(f"NAS {nas.nas} is in maintenance: {nas.waiting:,} changes wait; `corrente maintenance list`")
    if page.exemptions:
        click.echo(f"{page.exemptions:,} contracts are exempt: `corrente guard exemptions`")
    click.echo()
    print_table(
        ("WAITS OR IS ABOUT TO GO", "REASON", "SUBSCRIBERS", "CHANGES"),
        ((row.level, row.reason, f"{row.subscribers:,}", f"{row.changes:,}") for row in page.held),
        empty="Automation wants to take nothing away.",
    )


def _as_json(page: _Page) -> dict[str, Any]:
    return {
        "tripped_at": page.trip[0] if page.trip else None,
        "reason": page.trip[1] if page.trip else None,
        "online": page.hour.live,
        "allowed": page.limits.allowed(page.hour.live),
        "cut": page.hour.cut,
        "wanting": page.hour.wanting,
        "held": [asdict(row) for row in page.held],
        "held_runs": [asdict(run) for run in page.runs],
        "stop": asdict(page.stop) if page.stop else None,
        "maintenance": [asdict(nas) for nas in page.maintenance],
        "exemptions": page.exemptions,
    }


@command.command("release")
@click.option("--reason", required=True, help="Why it may go, for whoever reads it later.")
@click.option("--user", "usernames", multiple=True, help="Only this subscriber's; repeat for several.")
@click.option("--dry-run", is_flag=True, help="Show what would go, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def release_command(settings: Settings, *, reason: str, usernames: Sequence[str], dry_run: bool, yes: bool) -> None:
    """Let go what waits, under your name: those changes are yours from now on, and the guard judges anew.

    With --user only those subscribers' go, and the rest waits on. What comes to wait while you answer waits on too.
    """
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        for username in usernames:
            known_account(connection, username)
        only = list(usernames) or None
        ids, accounts = interventions.load_wanted(connection, now, only)
        runs = [] if only else interventions.load_held_runs(connection)
        trip = interventions.load_trip(connection)
        # The answer may take minutes, and nobody shall wait for it.
        connection.commit()
        restrictions = sum(run.restrictions for run in runs)
        click.echo(_release_words(len(ids), len({a or -i for i, a in zip(ids, accounts, strict=True)}), runs))
        if not ids and not restrictions and not trip:
            raise Refused("nothing waits")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Cut or restrict them now?" if ids or restrictions else "Let the guard judge anew?", yes=yes)
        still, _ = interventions.load_wanted(connection, now, only)
        going = sorted(set(ids) & set(still))
        number, let_go = interventions.save_release(
            connection, going, runs=[run.run_id for run in runs], reason=reason, by=os_user(), now=now
        )
        if only is None:
            interventions.close_guard(connection)
        detail = {"reason": reason, "changes": len(going), "restrictions": let_go, "users": list(usernames)}
        audit.append(connection, actor=os_user(), action="guard.release", subject=f"release {number}", detail=detail)
    click.echo(f"Release {number}: {len(going):,} changes go, {let_go:,} restrictions count.")


def _release_words(changes: int, subscribers: int, runs: list[interventions.HeldRun]) -> str:
    waiting = [f"{changes:,} changes of {subscribers:,} subscribers online"]
    waiting += [f"{run.restrictions:,} restrictions of run {run.run_id} ({run.name})" for run in runs]
    return "waiting: " + ", ".join(waiting)


@command.command("exempt")
@click.argument("username")
@click.option("--reason", required=True, help="Why, for whoever reads it later.")
@click.option("--until", metavar="TIME", required=True, help="When it ends, such as 2026-01-31 18:40 or +30d.")
@click.pass_obj
def exempt_command(settings: Settings, username: str, *, reason: str, until: str) -> None:
    """Never let automation cut USERNAME's contract until a time. A person still may."""
    now = datetime.now(UTC)
    end = coming_instant(until, settings.zone, now)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        made = interventions.save_exemption(
            connection, account.contract_id, reason=reason, by=os_user(), now=now, until=end
        )
        if not made:
            raise Refused(
                f"contract {account.contract_id} is exempt already: `corrente guard exemptions`, `corrente guard unexempt`"
            )
        detail = {"contract": account.contract_id, "reason": reason, "until": end}
        audit.append(connection, actor=os_user(), action="guard.exempt", subject=username, detail=detail)
    click.echo(f"Contract {account.contract_id} is exempt until {instant_text(end, settings.zone)}.")


@command.command("unexempt")
@click.argument("username")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def unexempt_command(settings: Settings, username: str, *, yes: bool) -> None:
    """Let automation treat USERNAME's contract as any other again."""
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        not_exempt = Refused(f"contract {account.contract_id} is not exempt")
        if account.contract_id not in {one.contract_id for one in interventions.load_exemptions(connection, now)}:
            raise not_exempt
        # The answer may take minutes, and nobody shall wait for it.
        connection.commit()
        confirm(f"May automation cut contract {account.contract_id} of {account.customer} again?", yes=yes)
        if not interventions.end_exemption(connection, account.contract_id, by=os_user(), now=now):
            raise not_exempt
        detail = {"contract": account.contract_id}
        audit.append(connection, actor=os_user(), action="guard.unexempt", subject=username, detail=detail)
    click.echo(f"Contract {account.contract_id} is exempt no more.")


@command.command("exemptions")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def exemptions_command(settings: Settings, *, as_json: bool) -> None:
    """The contracts that automation never cuts, until when, and why."""
    with open_database(settings) as connection:
        found = interventions.load_exemptions(connection, datetime.now(UTC))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        ("CONTRACT", "CUSTOMER", "ACCOUNTS", "UNTIL", "BY", "REASON"),
        (
            (
                one.contract_id,
                one.customer,
                ", ".join(one.usernames),
                instant_text(one.until, settings.zone),
                one.placed_by,
                one.reason,
            )
            for one in found
        ),
        empty="No contract is exempt.",
    )
