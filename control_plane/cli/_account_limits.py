"""`corrente account restrict`, `lift` and `relief`: limits on a contract by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import click

from billing.store.contract_page import load_not_paid
from billing.store.dunning_policies import respite_end
from control_plane import audit
from control_plane.cli._console import Connection, Refused, known_account, open_database, os_user
from control_plane.cli._options import coming_instant, confirm
from control_plane.explaining.explain_now import step_words, steps_of
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.account import Account
from control_plane.store.limits import (
    ReliefRow,
    RestrictionRow,
    load_reliefs,
    load_restrictions,
    save_lift,
    save_new_relief,
    save_new_restriction,
)
from control_plane.store.plan import Profile, load_profiles
from radius_hooks.decision import step_at

_ORIGINS: Final = ("admin", "dunning", "customer_pause", "abuse", "legal", "technical")
_LEVELS: Final = ("throttle", "walled", "blocked")


@dataclass(frozen=True, slots=True)
class _Limits:
    """What limits an account, and how to say what it gets for it: asked before anything is written."""

    account: Account
    restrictions: list[RestrictionRow]
    reliefs: list[ReliefRow]
    profiles: dict[int, Profile]
    now: datetime
    zone: ZoneInfo

    def words(self) -> str:
        steps = steps_of(self.account, self.restrictions, self.reliefs, at=self.now, zone=self.zone)
        return step_words(step_at(steps, self.now.timestamp()), self.profiles)


def _load_limits(connection: Connection, username: str, settings: Settings, now: datetime) -> _Limits:
    account = known_account(connection, username)
    return _Limits(
        account=account,
        restrictions=load_restrictions(connection, account.contract_id, now=now),
        reliefs=load_reliefs(connection, account.contract_id, now=now),
        profiles={profile.id: profile for profile in load_profiles(connection)},
        now=now,
        zone=settings.zone,
    )


@click.command("restrict")
@click.argument("username")
@click.option("--level", type=click.Choice(_LEVELS), required=True, help="How far.")
@click.option("--reason", required=True, help="Why, for whoever reads it later.")
@click.option("--origin", type=click.Choice(_ORIGINS), default="admin", show_default=True, help="Who wants it.")
@click.option("--until", metavar="TIME", help="It ends by itself, such as 2026-01-31 18:40 or +2d.")
@click.option("--dry-run", is_flag=True, help="Show what it would mean, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restrict(
    settings: Settings,
    username: str,
    *,
    level: str,
    reason: str,
    origin: str,
    until: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Limit the service of USERNAME's contract."""
    now = datetime.now(UTC)
    end = None if until is None else coming_instant(until, settings.zone, now)
    with open_database(settings) as connection:
        limits = _load_limits(connection, username, settings, now)
        contract_id = limits.account.contract_id
        placed = RestrictionRow(0, origin, level, reason, os_user(), now, end)
        if _stopped(limits, replace(limits, restrictions=[*limits.restrictions, placed]), dry_run=dry_run, yes=yes):
            return
        number = save_new_restriction(connection, contract_id, placed)
        detail = {"restriction": number, "level": level, "origin": origin, "reason": reason, "until": end}
        audit.append(connection, actor=os_user(), action="account.restrict", subject=username, detail=detail)
    click.echo(f"Placed restriction {number} on contract {contract_id}.")


def _stopped(before: _Limits, after: _Limits, *, dry_run: bool, yes: bool) -> bool:
    """Show what the change means and whether it stops here: as a dry run, or because the answer is no."""
    click.echo(f"now    {before.words()}\nthen   {after.words()}")
    if dry_run:
        click.echo("Dry run: nothing was changed.")
        return True
    confirm("Go on?", yes=yes)
    return False


@click.command("lift")
@click.argument("username")
@click.option("--origin", type=click.Choice(_ORIGINS), help="Those of this origin.")
@click.option("--id", "numbers", type=int, multiple=True, help="The one of this number; repeat for several.")
@click.option("--reason", required=True, help="Why service is given back by hand; it stands in the audit log.")
@click.option("--dry-run", is_flag=True, help="Show what it would mean, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def lift(
    settings: Settings,
    username: str,
    *,
    origin: str | None,
    numbers: Sequence[int],
    reason: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Lift restrictions of USERNAME's contract: those named, or the only one there is. Others stay."""
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        limits = _load_limits(connection, username, settings, now)
        chosen = _chosen(limits, origin=origin, numbers=numbers)
        _refuse_not_paid(connection, limits, chosen)
        rest = [row for row in limits.restrictions if row.id not in chosen]
        if _stopped(limits, replace(limits, restrictions=rest), dry_run=dry_run, yes=yes):
            return
        if save_lift(connection, chosen, lifted_by=os_user(), at=now) != len(chosen):
            raise Refused("another lifted one of them in this moment; look again with `corrente account show`")
        detail = {"restrictions": chosen, "reason": reason}
        audit.append(connection, actor=os_user(), action="account.lift", subject=username, detail=detail)
    click.echo(f"Lifted {', '.join(f'restriction {number}' for number in chosen)}.")


def _refuse_not_paid(connection: Connection, limits: _Limits, chosen: Sequence[int]) -> None:
    """Days that are not paid end with what they are not paid for: that is a deed of the contract."""
    not_paid = load_not_paid(connection, list(chosen))
    if not_paid:
        origin = next(row.origin for row in limits.restrictions if row.id == not_paid[0])
        contract_id = limits.account.contract_id
        raise Refused(
            f"the days of restriction {not_paid[0]} are not paid: lift it with `corrente contract lift {contract_id} --origin {origin}`"
        )


def _chosen(limits: _Limits, *, origin: str | None, numbers: Sequence[int]) -> list[int]:
    """The restrictions that are meant. Several without a word which are not lifted together by accident."""
    rows, contract_id = limits.restrictions, limits.account.contract_id
    listed = "; ".join(f"{row.id} {row.level} ({row.origin}): {row.reason}" for row in rows) or "none"
    missing = set(numbers) - {row.id for row in rows}
    if missing:
        raise Refused(f"restriction {min(missing)} is none of contract {contract_id}'s; there are: {listed}")
    chosen = [row.id for row in rows if (not numbers or row.id in numbers) and (origin is None or row.origin == origin)]
    if not chosen:
        raise Refused(f"no such restriction on contract {contract_id}; there are: {listed}")
    if len(chosen) > 1 and origin is None and not numbers:
        raise Refused(f"name which with --id or --origin: {listed}")
    return chosen


@click.command("relief")
@click.argument("username")
@click.option("--until", metavar="TIME", required=True, help="When it ends, such as 2026-01-31 18:40 or +2d.")
@click.option("--reason", required=True, help="Why: what was promised.")
@click.option("--dry-run", is_flag=True, help="Show what it would mean, change nothing.")
@click.pass_obj
def relief(settings: Settings, username: str, *, until: str, reason: str, dry_run: bool) -> None:
    """Let the restrictions of dunning on USERNAME's contract not count until a time: a promise to pay."""
    now = datetime.now(UTC)
    end = coming_instant(until, settings.zone, now)
    with open_database(settings) as connection:
        limits = _load_limits(connection, username, settings, now)
        contract_id = limits.account.contract_id
        wanted, end = end, respite_end(connection, contract_id, end)
        granted = ReliefRow(0, now, end, reason, os_user())
        # Giving service back asks no question.
        if _stopped(limits, replace(limits, reliefs=[*limits.reliefs, granted]), dry_run=dry_run, yes=True):
            return
        save_new_relief(connection, contract_id, granted)
        detail = {"until": end, "reason": reason}
        audit.append(connection, actor=os_user(), action="account.relief", subject=username, detail=detail)
    later = " (before that nothing may be cut by the policy's hours)" if end != wanted else ""
    click.echo(f"Relief for contract {contract_id} until {instant_text(end, settings.zone)}{later}.")
