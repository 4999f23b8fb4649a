"""`corrente drift`: live sessions that are not what their contracts say, and sessions of nobody."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from control_plane.cli._console import (
    Connection,
    Refused,
    known_account,
    leveled,
    open_database,
    os_user,
    print_json,
    print_table,
    unknown,
)
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.drift_deeds import believe_device, close_ghosts_of, cut_session
from control_plane.quantities import duration_text, instant_text, mac_text
from control_plane.settings import Settings
from control_plane.store.device_views import (
    Reading,
    UnknownSession,
    load_reading,
    load_readings,
    load_unknown,
)
from control_plane.store.drift import DriftReason
from control_plane.store.drift_list import DriftedSession, load_drift
from control_plane.store.nas import load_nas, load_nases

_REASONS: Final = {
    DriftReason.MUST_END: "must end",
    DriftReason.OTHER_POLICY: "other policy",
    DriftReason.IN_DOUBT: "in doubt",
    DriftReason.UNVERIFIED: "not verified",
    DriftReason.UNKNOWN: "unknown",
}


@click.group(cls=Group, invoke_without_command=True)
@click.option("--user", help="Only this username.")
@click.option("--nas", "nas_name", help="Only this NAS.")
@click.option("--reason", type=click.Choice([one.value for one in DriftReason]), help="Only for this reason.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(
    ctx: click.Context, *, user: str | None, nas_name: str | None, reason: str | None, limit: int, as_json: bool
) -> None:
    """Live sessions that do not run under what they should, and why; the longest in drift first.

    Below them sessions of nobody (only on the device, or of a username that no account has), and NASes whose own list
    differs so much from accounting that nothing was done.
    """
    settings: Settings = ctx.obj
    if ctx.invoked_subcommand is not None:
        return
    with open_database(settings) as connection:
        nas_id = None if nas_name is None else _nas_id(connection, nas_name)
        why = None if reason is None else DriftReason(reason)
        found = load_drift(connection, username=user, nas_id=nas_id, reason=why, limit=limit)
        if user is not None and not found:
            known_account(connection, user)
        nobodys = [
            one
            for one in load_unknown(connection)
            if reason is None and nas_id in {None, one.nas_id} and user in {None, one.username}
        ]
        readings = [one for one in load_readings(connection) if nas_id in {None, one.nas_id}]
    if as_json:
        print_json(
            {
                "sessions": [asdict(one) for one in found],
                "nobodys": [asdict(one) for one in nobodys],
                "devices": [asdict(one) for one in readings],
            }
        )
        return
    _print_drift(found, settings, limit=limit)
    _print_others(nobodys, readings, settings)


def _print_drift(found: list[DriftedSession], settings: Settings, *, limit: int) -> None:
    now = datetime.now(UTC)
    print_table(
        ("username", "NAS", "session", "runs under", "should run under", "for", "reason", "enforcement", "state", ""),
        (
            (
                one.username,
                one.nas,
                one.acct_session_id,
                _runs_under(one),
                leveled(one.level, one.should_run_under_profile or one.level_reason),
                duration_text(max(0, int((now - one.since).total_seconds()))),
                _REASONS[DriftReason(one.reason)],
                one.enforcement,
                one.enforcement_state,
                one.problem,
            )
            for one in found
        ),
        empty="no session in drift",
    )
    if len(found) == limit:
        click.echo(f"the first {limit}; more with --limit")


def _runs_under(one: DriftedSession) -> str:
    """Its profile by name; an edited profile has one name before and after."""
    name = one.runs_under_profile
    if name is None:
        return one.runs_under or "unknown"
    edited = name == one.should_run_under_profile and (one.runs_under or "")[:8] != (one.should_run_under or "")[:8]
    return f"{name}, before its change" if edited else name


def _print_others(nobodys: list[UnknownSession], readings: list[Reading], settings: Settings) -> None:
    if nobodys:
        click.echo("\nSessions of nobody; `corrente drift cut NAS SESSION` ends one:")
        print_table(
            ("NAS", "session", "username", "address", "MAC", "since", "seen", ""),
            (
                (
                    one.nas,
                    one.acct_session_id,
                    one.username,
                    one.address,
                    mac_text(one.mac),
                    instant_text(one.since, settings.zone),
                    instant_text(one.read_at, settings.zone),
                    one.problem,
                )
                for one in nobodys
            ),
            empty="",
        )
    for one in readings:
        if one.held:
            click.echo(f"\n{one.nas}: {one.held}. `corrente drift close-ghosts {one.nas}` closes them all the same.")
        elif one.policies_held:
            click.echo(
                f"\n{one.nas}: {one.policies_held}. `corrente drift believe {one.nas}` has them mended all the same."
            )
        elif one.problem:
            click.echo(f"\n{one.nas} could not be read: {one.problem}")


@command.command("cut")
@click.argument("nas_name", metavar="NAS")
@click.argument("acct_session_id", metavar="SESSION")
@click.option("--reason", required=True, help="Why; it stands in the audit log and in the enforcement.")
@click.pass_obj
def cut(settings: Settings, nas_name: str, acct_session_id: str, *, reason: str) -> None:
    """End a session of nobody, such as one that a forgotten local user of the device let in."""
    with open_database(settings) as connection, connection.transaction():
        nas_id = _nas_id(connection, nas_name)
        of_nas = [one for one in load_unknown(connection) if one.nas_id == nas_id]
        found = next((one for one in of_nas if one.acct_session_id == acct_session_id), None)
        if found is None:
            raise unknown(f"session of nobody on {nas_name}", acct_session_id, (one.acct_session_id for one in of_nas))
        number = cut_session(connection, settings, found, reason=reason, actor=os_user())
        if number is None:
            raise Refused(f"session {acct_session_id} on {nas_name} is being cut already")
    click.echo(f"Enforcement {number} ends session {acct_session_id} of {found.username!r} on {nas_name}.")


@command.command("close-ghosts")
@click.argument("nas_name", metavar="NAS")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def close_ghosts_command(settings: Settings, nas_name: str, *, yes: bool) -> None:
    """Close the sessions that accounting has and the device does not list, however many they are."""
    with open_database(settings, autocommit=True) as connection:
        nas_id = _nas_id(connection, nas_name)
        reading = load_reading(connection, nas_id)
        if reading is None or reading.read_at is None:
            raise Refused(f"{nas_name} has never been read")
        confirm(
            f"{nas_name} was read at {instant_text(reading.read_at, settings.zone)} and listed {reading.sessions} sessions. "
            "Close all others?",
            yes=yes,
        )
        closed = close_ghosts_of(connection, settings, reading, actor=os_user())
    click.echo(f"Closed {closed}.")


@command.command("believe")
@click.argument("nas_name", metavar="NAS")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def believe(settings: Settings, nas_name: str, *, yes: bool) -> None:
    """Take the device's word for what its sessions run under, however many: those in drift are then changed."""
    with open_database(settings, autocommit=True) as connection:
        nas_id = _nas_id(connection, nas_name)
        reading = load_reading(connection, nas_id)
        if reading is None or reading.read_at is None:
            raise Refused(f"{nas_name} has never been read")
        read = instant_text(reading.read_at, settings.zone)
        confirm(f"{nas_name} was read at {read}. {reading.policies_held or 'Nothing is held'}. Believe it?", yes=yes)
        believed = believe_device(connection, reading, actor=os_user())
    click.echo(f"{believed} sessions run under something else than was held.")


def _nas_id(connection: Connection, name: str) -> int:
    nas = load_nas(connection, name)
    if nas is None:
        raise unknown("NAS", name, (one.name for one in load_nases(connection)))
    return nas.id
