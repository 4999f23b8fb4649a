"""`corrente account restrict`, `lift` and `relief`: limits on a contract by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click

from billing.store.dunning_policies import respite_end
from control_plane import audit
from control_plane.accounts.limits import (
    LEVELS,
    ORIGINS,
    Limits,
    chosen_restrictions,
    lift_restrictions,
    load_limits,
    place_restriction,
    refuse_not_paid,
)
from control_plane.accounts.not_done import NotDoneError
from control_plane.cli._console import Connection, Refused, known_account, open_database, os_user
from control_plane.cli._options import coming_instant, confirm
from control_plane.explaining.explain_now import step_words
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.limits import ReliefRow, RestrictionRow, save_new_relief


def _load(connection: Connection, username: str, settings: Settings, now: datetime) -> Limits:
    return load_limits(connection, known_account(connection, username), zone=settings.zone, now=now)


def _words(limits: Limits) -> str:
    return step_words(limits.step(), limits.profiles)


@click.command("restrict")
@click.argument("username")
@click.option("--level", type=click.Choice(LEVELS), required=True, help="How far.")
@click.option("--reason", required=True, help="Why, for whoever reads it later.")
@click.option("--origin", type=click.Choice(ORIGINS), default="admin", show_default=True, help="Who wants it.")
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
        limits = _load(connection, username, settings, now)
        contract_id = limits.account.contract_id
        placed = RestrictionRow(0, origin, level, reason, os_user(), now, end)
        if _stopped(limits, limits.with_one(placed), dry_run=dry_run, yes=yes):
            return
        number = place_restriction(connection, limits.account, placed)
    click.echo(f"Placed restriction {number} on contract {contract_id}.")


def _stopped(before: Limits, after: Limits, *, dry_run: bool, yes: bool) -> bool:
    """Show what the change means and whether it stops here: as a dry run, or because the answer is no."""
    click.echo(f"now    {_words(before)}\nthen   {_words(after)}")
    if dry_run:
        click.echo("Dry run: nothing was changed.")
        return True
    confirm("Go on?", yes=yes)
    return False


@click.command("lift")
@click.argument("username")
@click.option("--origin", type=click.Choice(ORIGINS), help="Those of this origin.")
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
        limits = _load(connection, username, settings, now)
        try:
            chosen = chosen_restrictions(limits, origin=origin, numbers=numbers)
            refuse_not_paid(connection, limits, chosen)
            if _stopped(limits, limits.without(chosen), dry_run=dry_run, yes=yes):
                return
            lift_restrictions(connection, limits, chosen, reason=reason, actor=os_user())
        except NotDoneError as error:
            raise Refused(str(error)) from error
    click.echo(f"Lifted {', '.join(f'restriction {number}' for number in chosen)}.")


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
        limits = _load(connection, username, settings, now)
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
