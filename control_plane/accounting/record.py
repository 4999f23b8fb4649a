"""What one accounting record says, in types: pure reading of printed attributes, every value checked and clamped.

A device may leave out what it likes and send any number. What names neither session nor device is `Unusable`, with the
reason; a value outside its range counts as not sent.

Units: octets and seconds; instants in whole epoch seconds UTC.
Source: RFC 2866, RFC 2869 sections 5.1 and 5.2, RFC 3162, RFC 4818, RFC 6911, RFC 8045.
Next: session_state.py
"""

from __future__ import annotations

import calendar
import re
import time
from enum import Enum
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Final

import msgspec

from control_plane.accounting.spool import DetailRecord, read_octets, read_string
from radius_hooks.line import line_of
from radius_hooks.packet import CLASS_PREFIX, normal_circuit_id, normal_mac

# A device that resends for a week is believed; older event times are not (radius.md 5.2).
EVENT_MAX_AGE_S: Final = 7 * 86400
# No session outlives this; a greater session time is noise.
SESSION_MAX_S: Final = 10 * 366 * 86400
_WORD: Final = 1 << 32
# The year 2242: far, and inside what every part behind us can hold.
_INSTANT_MAX: Final = 1 << 33
_CLASS_PREFIX: Final = "0x" + CLASS_PREFIX.hex()
_CLASS_LENGTH: Final = len(_CLASS_PREFIX) + 2 * (16 + 8)
# Meant for the NAS or the client to choose, so never an address somebody had (RFC 2865 section 5.8).
_NO_ADDRESSES: Final = frozenset({"0.0.0.0", "255.255.255.254", "255.255.255.255"})  # noqa: S104 - a value, no socket
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_DATE: Final = re.compile(r"([A-Za-z]{3} +\d{1,2} \d{4} \d\d):([0-5]\d):([0-5]\d) (\S+)")
_NOKIA_BLOCK: Final = re.compile(r"^(\d+\.\d+\.\d+\.\d+) (\d{1,5})-(\d{1,5})(?: |$)")


class RecordKind(Enum):
    """What happened. The values are the names in FreeRADIUS's dictionary."""

    START = "Start"
    INTERIM = "Interim-Update"
    STOP = "Stop"
    ON = "Accounting-On"
    OFF = "Accounting-Off"


_KINDS: Final = {kind.value: kind for kind in RecordKind} | {"Alive": RecordKind.INTERIM}


class NatBlock(msgspec.Struct, frozen=True, gc=False):
    """The outside address and ports that a NAT gave one session; both ports belong to the block."""

    address: str
    first_port: int
    last_port: int


class AccountingRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record. None means that the device did not say, or nothing that can be believed.

    `wide` says that the device sends Gigawords; without, a counter of 32 bits may have wrapped. `clock_ahead_s` is how far the
    device's clock seems ahead of the node's: a record that was sent again without saying so makes it seem behind.
    """

    octet: int
    end: int
    kind: RecordKind
    source: str
    received_at: int
    event_at: int
    acct_session_id: str
    username: str
    username_plain: bool
    class_key: bytes | None
    policy_version: bytes | None
    session_time_s: int | None
    counter_in: int | None
    counter_out: int | None
    wide: bool
    framed_ipv4: str | None
    framed_ipv6_address: str | None
    framed_ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    nat: NatBlock | None
    mac: str
    line: str
    nas_port_id: str
    terminate_cause: str | None
    clock_ahead_s: int | None = None


class Unusable(msgspec.Struct, frozen=True, gc=False):
    """A record that can have no effect, and why."""

    problem: str


def read_accounting_record(record: DetailRecord) -> AccountingRecord | Unusable:
    """What a spooled record says."""
    get = record.attributes.get
    kind = _KINDS.get(get("Acct-Status-Type", ""))
    if kind is None:
        return Unusable(f"Acct-Status-Type {get('Acct-Status-Type', 'missing')} is not accounting of a session")
    source = get("Packet-Src-IP-Address") or get("Packet-Src-IPv6-Address")
    received_at = _number(get("Timestamp"), _INSTANT_MAX)
    if source is None or received_at is None:
        return Unusable("the record does not say from where or when it came: set log_packet_header in FreeRADIUS")
    acct_session_id, _ = read_string(get("Acct-Session-Id", ""))
    class_key, policy_version = _our_class(record)
    if not acct_session_id and class_key is None and kind not in (RecordKind.ON, RecordKind.OFF):
        return Unusable("no Acct-Session-Id and no Class of ours: the record names no session")
    username, plain = read_string(get("User-Name", ""))
    event_at, clock_ahead_s = _times(record.attributes, received_at)
    wide = "Acct-Input-Gigawords" in record.attributes or "Acct-Output-Gigawords" in record.attributes
    return AccountingRecord(
        octet=record.octet,
        end=record.end,
        kind=kind,
        source=source,
        received_at=received_at,
        event_at=event_at,
        acct_session_id=acct_session_id,
        username=username,
        username_plain=plain and bool(username),
        class_key=class_key,
        policy_version=policy_version,
        session_time_s=_number(get("Acct-Session-Time"), SESSION_MAX_S),
        counter_in=_counter(get("Acct-Input-Octets"), get("Acct-Input-Gigawords")),
        counter_out=_counter(get("Acct-Output-Octets"), get("Acct-Output-Gigawords")),
        wide=wide,
        framed_ipv4=_ipv4(get("Framed-IP-Address")),
        framed_ipv6_address=_ipv6(get("Framed-IPv6-Address")),
        framed_ipv6_prefix=_prefix(get("Framed-IPv6-Prefix")),
        delegated_ipv6_prefix=_prefix(get("Delegated-IPv6-Prefix")),
        nat=_nat_block(record.attributes),
        mac=normal_mac(get("Calling-Station-Id", "").strip('"')),
        line=_line(record.attributes),
        nas_port_id=_port_id(get("NAS-Port-Id", "")),
        terminate_cause=get("Acct-Terminate-Cause"),
        clock_ahead_s=clock_ahead_s,
    )


def _number(printed: str | None, limit: int) -> int | None:
    if printed is None or not printed.isdecimal():
        return None
    value = int(printed)
    return value if value <= limit else None


def _counter(octets: str | None, gigawords: str | None) -> int | None:
    """RFC 2869 sections 5.1 and 5.2: gigawords count the wraps of the 32-bit octets; absent is 0."""
    low = _number(octets, _WORD - 1)
    high = _number(gigawords, _WORD - 1) or 0
    if low is None:
        return high * _WORD if high else None
    return high * _WORD + low


def _times(attributes: dict[str, str], received_at: int) -> tuple[int, int | None]:
    """When it happened, and how far the device's clock is ahead by what it says itself; None: it says nothing.

    The time of receipt less the delay the device admits to needs no clock in the device. Without Acct-Delay-Time the device's
    own clock is believed between a week ago and five minutes ahead (but nothing happens after it was received); a clock
    further off is not believed at all.
    """
    delay_s = _number(attributes.get("Acct-Delay-Time"), EVENT_MAX_AGE_S)
    printed = attributes.get("Event-Timestamp")
    stamped = read_date(printed) if printed is not None else None
    ahead_s = None if stamped is None else stamped - received_at + (delay_s or 0)
    if delay_s is not None:
        return received_at - delay_s, ahead_s
    if stamped is None or not received_at - EVENT_MAX_AGE_S <= stamped <= received_at + 300:
        return received_at, ahead_s
    return min(stamped, received_at), ahead_s


def read_date(printed: str) -> int | None:
    """Epoch seconds of a printed date: `"Nov 21 2026 19:29:14 UTC"`, in FreeRADIUS's own zone, or a bare number."""
    text = printed.strip('"')
    if text.isdecimal():
        value = int(text)
        return value if value <= _INSTANT_MAX else None
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    hour_at = _hour_at(match[1], match[4])
    return None if hour_at is None else hour_at + int(match[2]) * 60 + int(match[3])


@lru_cache(maxsize=256)
def _hour_at(hour: str, zone: str) -> int | None:
    """When an hour such as `Nov 21 2026 19` began. Remembered: the records of an hour have the same, and this takes long."""
    try:
        parsed = time.strptime(f"{hour} {zone}", "%b %d %Y %H %Z")
        return calendar.timegm(parsed) if zone in ("UTC", "GMT") else int(time.mktime(parsed))
    except (ValueError, OverflowError):
        return None


def _our_class(record: DetailRecord) -> tuple[bytes | None, bytes | None]:
    """Session key and policy version out of the Class that our login answer carried."""
    printed = record.attributes.get("Class")
    if printed is None:
        return None, None
    for value in [printed, *(value for name, value in record.repeats if name == "Class")]:
        if len(value) == _CLASS_LENGTH and value.startswith(_CLASS_PREFIX):
            try:
                octets = bytes.fromhex(value[len(_CLASS_PREFIX) :])
            except ValueError:
                continue
            return octets[:16], octets[16:]
    return None, None


def _ipv4(printed: str | None) -> str | None:
    if printed is None or printed in _NO_ADDRESSES or not _IPV4.fullmatch(printed):
        return None
    return printed


def _ipv6(printed: str | None) -> str | None:
    if printed is None:
        return None
    try:
        address = IPv6Address(printed)
    except ValueError:
        return None
    return str(address) if address.packed != bytes(16) else None


def _prefix(printed: str | None) -> str | None:
    if printed is None:
        return None
    try:
        network = IPv6Network(printed, strict=False)
    except ValueError:
        return None
    return str(network) if network.prefixlen > 0 else None


def _nat_block(attributes: dict[str, str]) -> NatBlock | None:
    """The port block of RFC 8045 (IP-Port-Range) or of Nokia (`203.0.113.5 1024-2047 router base`)."""
    nokia = attributes.get("Alc-Nat-Port-Range")
    if nokia is not None:
        match = _NOKIA_BLOCK.match(read_string(nokia)[0])
        if match is None:
            return None
        address, first, last = match.groups()
    else:
        if "IP-Port-Range-Ext-IPv4-Addr" not in attributes:
            return None
        address = attributes["IP-Port-Range-Ext-IPv4-Addr"]
        first = attributes.get("IP-Port-Range-Range-Start", "")
        last = attributes.get("IP-Port-Range-Range-End", "")
    outside, low, high = _ipv4(address), _number(first, 65535), _number(last, 65535)
    if outside is None or low is None or high is None or low > high:
        return None
    return NatBlock(outside, low, high)


def _line(attributes: dict[str, str]) -> str:
    """Which access line of the NAS, in the same form as the hook compares it at a login."""
    get = attributes.get
    circuit_id = get("ADSL-Agent-Circuit-Id", "")
    port_id = get("NAS-Port-Id", "")
    if "\\" not in port_id:
        port_id = port_id.strip('"')
    else:
        port_id = read_octets(port_id).decode(errors="backslashreplace").replace("\0", "\\000")
    return line_of(normal_circuit_id(circuit_id) if circuit_id else "", port_id, get("NAS-Port", ""))


def _port_id(printed: str) -> str:
    """What a change may be addressed with: the device's own words, octet by octet, or nothing where that is no plain text."""
    text, plain = read_string(printed)
    return text if plain else ""
