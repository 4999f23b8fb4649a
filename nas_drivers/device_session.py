"""One session as a device lists it when asked who is online: the second view beside its accounting.

Whoever reads a vendor's list fills these, with names and ids as that device writes them in its accounting.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """`acct_session_id` as in Acct-Session-Id, empty where the list has none, `mac` twelve hex digits in lower case or empty, `up_s` how long it is up.

    What it runs under, where the device says so: the rates (0: no limit) and the address lists that hold its address.
    None: the device does not say. `local_name` is what its own commands call the session: an interface, a number.
    Units: seconds, bit/s.
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


def ipv4_of(text: str | None) -> str | None:
    """The IPv4 address that a list shows; None for what is none, such as `N/A`, `Unknown` or an IPv6 address."""
    try:
        return None if text is None else str(IPv4Address(text))
    except AddressValueError:
        return None
