"""What RouterOS lists, as sessions: rows of /ppp/active, /queue/simple and the firewall's address lists. Pure.

A queue's pair is upload/download in bits, as Mikrotik-Rate-Limit is. Queue and session have only the username in common
(`<pppoe-NAME>`), so of a user with several sessions the rates are not known.

UNCONFIRMED on a real router: that session-id is Acct-Session-Id in hex digits behind `0x`; the names of queues.
Source: RouterOS manual, pages PPP AAA, Queues, Firewall address lists.
Next: ../transport/routeros.py
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from nas_drivers.device_session import DeviceSession, ipv4_of, mac_of, up_of

Row = Mapping[str, str]

_UPTIME: Final = re.compile(
    r"(?:(\d{1,12})w)?(?:(\d{1,12})d)?(?:(\d{1,12})h)?(?:(\d{1,12})m)?(?:(\d{1,12})s)?(?:\d+ms)?"
)
_OLD_UPTIME: Final = re.compile(r"(?:(\d{1,12})w)?(?:(\d{1,12})d)?(\d{1,12}):(\d{1,12}):(\d{1,12})")
_UNIT_S: Final = (604_800, 86_400, 3_600, 60, 1)
_QUEUE: Final = re.compile(r"<pppoe-(.*)>", re.DOTALL)
_LIMIT: Final = re.compile(r"(\d{1,12})([kMG]?)/(\d{1,12})([kMG]?)")
# No line is faster; what is beyond is no rate, and no column holds it.
_MOST_BPS: Final = 10**15
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def read_sessions(
    active: Iterable[Row], queues: Iterable[Row] = (), lists: Iterable[Row] = ()
) -> tuple[DeviceSession, ...]:
    """The PPP sessions with their rates and address lists.

    Rows without a session id, such as one that is being set up, are left out.
    """
    rows = [row for row in active if row.get("session-id")]
    many = Counter(row.get("name", "") for row in rows)
    limits = {match[1]: row.get("max-limit", "") for row in queues if (match := _QUEUE.fullmatch(row.get("name", "")))}
    listed: dict[str, set[str]] = defaultdict(set)
    for row in lists:
        if row.get("disabled") != "true":
            listed[row.get("address", "").removesuffix("/32")].add(row.get("list", ""))
    return tuple(
        _session(
            row,
            limit=limits.get(row.get("name", ""), "") if many[row.get("name", "")] == 1 else "",
            lists=tuple(sorted(listed.get(row.get("address", ""), ()))),
        )
        for row in rows
    )


def read_session_id(text: str) -> str:
    """A session id as Acct-Session-Id has it."""
    return text.lower().removeprefix("0x")


def read_uptime_s(text: str) -> int | None:
    """`1w2d3h4m5s`, or RouterOS 6's `2d03:04:05`, in seconds; None when it is neither, or no time that a device can have been up for."""
    match = _UPTIME.fullmatch(text) or _OLD_UPTIME.fullmatch(text)
    if match is None or not text:
        return None
    return up_of(sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNIT_S, strict=True)))


def read_limit(text: str) -> tuple[int, int] | None:
    """(down, up) in bit/s of a max-limit; 0 is no limit; None when it is no pair."""
    match = _LIMIT.fullmatch(text)
    if match is None:
        return None
    up, up_unit, down, down_unit = match.groups()
    rates = int(down) * _UNITS[down_unit], int(up) * _UNITS[up_unit]
    return rates if max(rates) <= _MOST_BPS else None


def _session(row: Row, *, limit: str, lists: tuple[str, ...]) -> DeviceSession:
    address = row.get("address", "")
    down_up = read_limit(limit)
    return DeviceSession(
        acct_session_id=read_session_id(row["session-id"]),
        username=row.get("name", ""),
        framed_ipv4=ipv4_of(address),
        mac=mac_of(row.get("caller-id", "")),
        up_s=read_uptime_s(row.get("uptime", "")),
        rate_down_bps=None if down_up is None else down_up[0],
        rate_up_bps=None if down_up is None else down_up[1],
        address_lists=lists if address else None,
    )
