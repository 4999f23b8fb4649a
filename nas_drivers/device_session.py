"""One session as a device lists it when asked who is online: the second view beside its accounting.

Whoever reads a vendor's list fills these, with names and ids as that device writes them in its accounting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Final

_MAC: Final = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}[.-]){2}[0-9a-f]{4}", re.IGNORECASE)
_SEPARATORS: Final = str.maketrans("", "", ":.-")
# Fifty years: no device is up for longer, and a number of any length fits the grammar of a list.
_LONGEST_UP_S: Final = 50 * 366 * 86_400
_BITS_PER_KBIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """`acct_session_id` as in Acct-Session-Id, empty where the list has none, `mac` twelve hex digits in lower case or empty, `up_s` how long it is up.

    What it runs under, where the device says so: the rates (0: no limit), the address lists that hold its address, and the
    names of policies, each with what it is of before a `=`, in words that its vendor file compares. None: the device does not say.
    `local_name` is what its own commands call the session: an interface, a number. Units: seconds, bit/s.
    """

    acct_session_id: str
    username: str
    framed_ipv4: str | None = None
    mac: str = ""
    up_s: int | None = None
    rate_down_bps: int | None = None
    rate_up_bps: int | None = None
    address_lists: tuple[str, ...] | None = None
    local_name: str = ""
    policies: tuple[str, ...] | None = None


def ipv4_of(text: str | None) -> str | None:
    """The IPv4 address that a list shows; None for what is none, such as `N/A`, `Unknown` or an IPv6 address."""
    try:
        return None if text is None else str(IPv4Address(text))
    except AddressValueError:
        return None


def mac_of(text: str) -> str:
    """The MAC that a list shows, as twelve hex digits; empty for what is none, such as an interface's name."""
    return text.translate(_SEPARATORS).lower() if _MAC.fullmatch(text) else ""


def up_of(seconds: int) -> int | None:
    """How long a list says that a session is up; None for a time that no device can have been."""
    return seconds if seconds <= _LONGEST_UP_S else None


def is_same_rate(shown_bps: int, given_bps: int) -> bool:
    """To the kilobit: many a device knows no smaller unit, and is told a broken one rounded up. 0 is no limit."""
    return bool(shown_bps) == bool(given_bps) and abs(shown_bps - given_bps) < _BITS_PER_KBIT


def holds_names(shown: DeviceSession, wanted: frozenset[str]) -> bool | None:
    """Whether a session has these named policies, `KIND=NAME` each; None when it does not show one of those kinds at all.

    Of each kind a session has one: another name of the same kind stands in its place.
    """
    if shown.policies is None or not wanted:
        return None
    kinds = {one.partition("=")[0] for one in wanted}
    if any(one.partition("=")[0] in kinds and one not in wanted for one in shown.policies):
        return False
    return True if wanted.issubset(shown.policies) else None


def holds_service(shown: DeviceSession, wanted: str | None, *, ended: str | None) -> bool | None:
    """Whether a session has the service `wanted` and no longer the one that was to end; None when that can't be told.

    Services add up, and those that are neither belong to somebody else.
    """
    if shown.policies is None or (wanted is None and ended is None):
        return None
    if ended is not None and ended != wanted and ended in shown.policies:
        return False
    return True if wanted is None or wanted in shown.policies else None
