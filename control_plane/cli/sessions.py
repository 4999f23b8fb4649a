"""`corrente sessions`: who is online, since when and with how much."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from control_plane.cli._console import Connection, known_account, open_database, print_json, print_table, unknown
from control_plane.quantities import average_rate_text, duration_text, mac_text, octets_text
from control_plane.settings import Settings
from control_plane.store.nas import load_nas, load_nases
from control_plane.store.session_list import ListedSession, load_sessions


@click.command()
@click.option("--user", help="Only this username.")
@click.option("--nas", "nas_name", help="Only this NAS.")
@click.option("--stale", is_flag=True, help="Only sessions that have been silent for too long and will be closed.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def command(
    settings: Settings, *, user: str | None, nas_name: str | None, stale: bool, limit: int, as_json: bool
) -> None:
    """Live sessions, newest first. Down is to the subscriber; the rates are averages since the start."""
    with open_database(settings) as connection:
        nas_id = None if nas_name is None else _nas_id(connection, nas_name)
        found = load_sessions(connection, username=user, nas_id=nas_id, stale=stale, limit=limit)
        if user is not None and not found:
            known_account(connection, user)
    if as_json:
        print_json([asdict(session) for session in found])
        return
    now = datetime.now(UTC)
    print_table(
        ("username", "NAS", "address", "online", "down", "up", "down rate", "up rate", "MAC", "line", "heard", ""),
        (_row(session, now) for session in found),
        empty="no live session",
    )
    if len(found) == limit:
        click.echo(f"the newest {limit}; more with --limit")


def _nas_id(connection: Connection, name: str) -> int:
    nas = load_nas(connection, name)
    if nas is None:
        raise unknown("NAS", name, (one.name for one in load_nases(connection)))
    return nas.id


def _row(session: ListedSession, now: datetime) -> tuple[object, ...]:
    silent_s = max(0, int((now - session.received_at).total_seconds()))
    return (
        session.username,
        session.nas,
        session.address,
        duration_text(session.session_time_s),
        octets_text(session.octets_out),
        octets_text(session.octets_in),
        average_rate_text(session.octets_out, session.session_time_s),
        average_rate_text(session.octets_in, session.session_time_s),
        mac_text(session.mac),
        session.line,
        f"{duration_text(silent_s)} ago",
        "stale" if session.stale else "",
    )
