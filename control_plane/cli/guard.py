"""`corrente guard`: how many automation may cut in an hour, what waits for a person, letting it go, exempt contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from control_plane.cli._console import (
    Refused,
    known_account,
    open_database,
    os_user,
    print_json,
    print_table,
)
from control_plane.cli._group import Group
from control_plane.cli._options import coming_instant, confirm
from control_plane.interventions import (
    GuardPage,
    Waiting,
    end_exemption,
    exempt,
    load_guard_page,
    load_waiting,
    release,
)
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store import interventions

command = Group("guard", help="What automation may take away in an hour, and what waits for a person.")


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def status_command(settings: Settings, *, as_json: bool) -> None:
    """How much of the hour's share is used, whether the guard has tripped, and what waits."""
    with open_database(settings) as connection:
        page = load_guard_page(connection, settings, datetime.now(UTC))
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


def _as_json(page: GuardPage) -> dict[str, Any]:
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
        seen = load_waiting(connection, usernames, now)
        # The answer may take minutes, and nobody shall wait for it.
        connection.commit()
        click.echo(_release_words(seen))
        if seen.is_nothing:
            raise Refused("nothing waits")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        cuts = seen.changes or seen.restrictions
        confirm("Cut or restrict them now?" if cuts else "Let the guard judge anew?", yes=yes)
        done = release(connection, seen, usernames, reason=reason, actor=os_user(), now=now)
    click.echo(f"Release {done.number}: {done.changes:,} changes go, {done.restrictions:,} restrictions count.")


def _release_words(seen: Waiting) -> str:
    waiting = [f"{len(seen.changes):,} changes of {seen.subscribers:,} subscribers online"]
    waiting += [f"{run.restrictions:,} restrictions of run {run.run_id} ({run.name})" for run in seen.runs]
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
        made = exempt(connection, account.contract_id, username, reason=reason, until=end, actor=os_user(), now=now)
        if not made:
            raise Refused(
                f"contract {account.contract_id} is exempt already: `corrente guard exemptions`, `corrente guard unexempt`"
            )
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
        if not end_exemption(connection, account.contract_id, username, actor=os_user(), now=now):
            raise not_exempt
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
