"""What of a router's own configuration stands beside RADIUS: users and limits that no contract governs. Pure.

A local /ppp secret is looked at before RADIUS is asked. Packets of a connection that FastTrack took pass no simple queue, so no
plan's rate holds for them. What a /ppp profile limits holds for logins that RADIUS gives no rate or list.

UNCONFIRMED on a real router: how the API writes the clock's offset.
Source: RouterOS manual, pages PPP AAA, RADIUS, Connection tracking (FastTrack), Clock.
Next: ../transport/routeros.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nas_drivers.inspection import SetupFault, some

Row = Mapping[str, str]

_YES: Final = frozenset({"true", "yes"})
_NO: Final = frozenset({"false", "no"})
_OFFSET: Final = re.compile(r"([+-]?)(\d{1,2}):(\d{2})")
# Release 7.10 and later, and those before it.
_DATES: Final = ("%Y-%m-%d %H:%M:%S", "%b/%d/%Y %H:%M:%S")
_PORT_DIGITS: Final = 5
_EMPTY: Final = frozenset({"", "none", "default"})
# A secret of another service, such as a tunnel's, lets no subscriber in.
_SUBSCRIBERS: Final = frozenset({"", "any", "pppoe"})


@dataclass(frozen=True, slots=True)
class RouterOsSetup:
    """`local_secrets` and `limiting_profiles` are names; `clock` is the router's time in UTC. None: it does not say."""

    local_secrets: tuple[str, ...]
    fasttrack_rules: int
    limiting_profiles: tuple[str, ...]
    accepts_changes: bool | None
    change_port: int | None
    asks_radius: bool | None
    accounts: bool | None
    clock: datetime | None


def setup_faults(setup: RouterOsSetup, *, coa_port: int) -> tuple[SetupFault, ...]:
    """Each thing on the router that keeps what a contract says from holding; changes are sent to `coa_port`."""
    names = some(setup.local_secrets)
    limits = some(setup.limiting_profiles)
    moved = setup.change_port is not None and setup.change_port != coa_port
    rules = (
        (setup.asks_radius is False, True, "PPP logins are not asked of RADIUS", "/ppp aaa set use-radius=yes"),
        (setup.accounts is False, True, "PPP sessions are not accounted", "/ppp aaa set accounting=yes"),
        (
            bool(setup.local_secrets),
            True,
            f"{len(setup.local_secrets)} local secrets log in without RADIUS: {names}",
            "/ppp secret disable, or remove, those of subscribers",
        ),
        (
            setup.fasttrack_rules > 0,
            True,
            f"{setup.fasttrack_rules} FastTrack rules: what they take passes no queue, so no plan's rate holds",
            "/ip firewall filter disable [find action=fasttrack-connection]",
        ),
        (
            bool(setup.limiting_profiles),
            False,
            f"PPP profiles with a rate limit or an address list: {limits}; they hold for logins that RADIUS gives none",
            "/ppp profile unset NAME rate-limit, address-list",
        ),
        (setup.accepts_changes is False, True, "changes are not accepted", "/radius incoming set accept=yes"),
        (
            moved,
            True,
            f"it takes changes on port {setup.change_port}, not {coa_port}",
            f"/radius incoming set port={coa_port}",
        ),
    )
    return tuple(SetupFault(grave, text, advice) for holds, grave, text, advice in rules if holds)


def read_setup(
    *,
    secrets: Iterable[Row],
    rules: Iterable[Row],
    profiles: Iterable[Row],
    incoming: Iterable[Row],
    aaa: Iterable[Row],
    clock: Iterable[Row],
) -> RouterOsSetup:
    """The rows of /ppp/secret, the firewall's FastTrack rules, /ppp/profile, /radius/incoming, /ppp/aaa and /system/clock."""
    heard, asked, time = _only(incoming), _only(aaa), _only(clock)
    port = heard.get("port", "")
    return RouterOsSetup(
        local_secrets=tuple(
            row.get("name", "") for row in secrets if _is_on(row) and row.get("service", "") in _SUBSCRIBERS
        ),
        fasttrack_rules=sum(_is_on(row) for row in rules),
        limiting_profiles=tuple(
            row.get("name", "")
            for row in profiles
            if any(row.get(what, "") not in _EMPTY for what in ("rate-limit", "address-list"))
        ),
        accepts_changes=_flag(heard.get("accept")),
        change_port=int(port) if port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS else None,
        asks_radius=_flag(asked.get("use-radius")),
        accounts=_flag(asked.get("accounting")),
        clock=read_clock(time),
    )


def read_clock(row: Row) -> datetime | None:
    """The router's time in UTC; None when it is not said in a way that is known."""
    offset = _OFFSET.fullmatch(row.get("gmt-offset", ""))
    if offset is None:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3])) * (-1 if offset[1] == "-" else 1)
    for form in _DATES:
        try:
            return datetime.strptime(f"{row.get('date', '')} {row.get('time', '')}", form).replace(tzinfo=UTC) - ahead
        except (ValueError, OverflowError):  # the latter of the year 1, east of Greenwich
            continue
    return None


def _only(rows: Iterable[Row]) -> Row:
    return next(iter(rows), {})


def _is_on(row: Row) -> bool:
    return row.get("disabled", "false") not in _YES


def _flag(text: str | None) -> bool | None:
    return True if text in _YES else False if text in _NO else None
