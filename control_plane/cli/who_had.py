"""`corrente who-had`: which subscriber had an address at a time. Every look-up is in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from control_plane.accounts.holders import LookedUp, Unknown, look_up
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.quantities import QuantityError, instant_text, read_host, read_instant
from control_plane.settings import Settings
from control_plane.store.address_history import Holder, explain_holders


@click.command()
@click.argument("address")
@click.option("--at", "time", required=True, help="When: 2026-01-31 18:40 in the billing zone, or with an offset.")
@click.option("--port", type=click.IntRange(0, 65535), help="Source port, where subscribers share an address.")
@click.option("--reason", default="", help="Why this is asked, such as a court's reference; kept in the audit log.")
@click.option("--explain", is_flag=True, help="Also print the database's plan and what it read.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def command(
    settings: Settings, *, address: str, time: str, port: int | None, reason: str, explain: bool, as_json: bool
) -> None:
    """Which subscriber had ADDRESS (IPv4, IPv6, or inside a prefix) at a time.

    Exit code 1 when nobody had it, when the history of that time is no longer kept, or when subscribers shared the
    address and no port was given.
    """
    now = datetime.now(UTC)
    try:
        host = read_host(address).network_address
        at = read_instant(time, zone=settings.zone, now=now)
    except QuantityError as error:
        raise Refused(str(error)) from error
    if at > now:
        raise Refused(f"{instant_text(at, settings.zone)} is still to come")
    with open_database(settings, role="corrente_lookup") as connection:
        found = look_up(
            connection,
            host,
            at=at,
            port=port,
            reason=reason,
            actor=os_user(),
            now=now,
            kept_days=settings.retention.address_history_days,
        )
        plan = explain_holders(connection, host, at=at, port=port) if explain else ""
    if plan:
        click.echo(plan)
    if not found.holders:
        nobody = f"nobody had {host}{'' if port is None else f' port {port}'} at {instant_text(at, settings.zone)}"
        raise Refused(_unknown(found, at, settings) or nobody)
    if found.shared:
        raise Refused(
            f"{len(found.holders)} subscribers shared {host} at {instant_text(at, settings.zone)}: give --port"
        )
    _print(list(found.holders), settings.zone, as_json=as_json)


def _unknown(found: LookedUp, at: datetime, settings: Settings) -> str:
    """Why nothing can be said of that time; empty when that nobody had the address is the truth."""
    when, days = instant_text(at, settings.zone), settings.retention.address_history_days
    match found.unknown:
        case Unknown.NOT_KEPT:
            return f"{when} is further back than the history of addresses is kept ({days} days)"
        case Unknown.BEFORE_US:
            began = "" if found.since is None else instant_text(found.since, settings.zone)
            return f"nothing is known of {when}: this database began at {began}"
        case Unknown.MONTH_GONE:
            return f"the history of addresses of {when} is no longer kept"
        case None:
            return ""


def _print(holders: list[Holder], zone: ZoneInfo, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "username": h.username,
                    "account_id": h.account_id,
                    "nas": h.nas,
                    "held": h.held,
                    "ports": [h.first_port, h.last_port],
                    "from": h.valid_from.isoformat(),
                    "to": None if h.valid_to is None else h.valid_to.isoformat(),
                    "heard_at": h.heard_at.isoformat(),
                    "session": str(h.session_key),
                }
                for h in holders
            ]
        )
        return
    print_table(
        ("username", "account", "held", "ports", "from", "to", "NAS", "session"),
        (
            (
                h.username,
                h.account_id,
                h.held,
                f"{h.first_port}-{h.last_port}" if h.shares_address else "all",
                instant_text(h.valid_from, zone),
                f"online, heard {instant_text(h.heard_at, zone)}"
                if h.valid_to is None
                else instant_text(h.valid_to, zone),
                h.nas,
                h.session_key,
            )
            for h in holders
        ),
        empty="",
    )
