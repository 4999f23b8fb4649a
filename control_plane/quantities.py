"""Rates, octets, durations, instants and addresses as people write them, to values and back.

Everything that can be taken two ways is refused with what to write instead: a rate without a unit, a prefix with host
bits, a local time that the clocks skip.

Units: bit/s, octets, seconds, aware UTC instants. k, M, G and T are decimal, as rates and quotas are sold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from zoneinfo import ZoneInfo

Network = IPv4Network | IPv6Network

# The range of schema.sql and nas_drivers.policy.
SLOWEST_BPS: Final = 1_000
FASTEST_BPS: Final = 400_000_000_000
_DECIMAL: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DURATIONS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NUMBER: Final = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_RATE: Final = re.compile(_NUMBER + r" ?([kMG]?) ?(?:bit/s|bps)?")
_OCTETS: Final = re.compile(_NUMBER + r" ?([kMGT]|[KMGT]i)? ?B?")
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_DEVICE_POLICY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_EVERYBODY: Final = ip_address("255.255.255.255")
_MAC: Final = re.compile(
    r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|[0-9a-f]{10})|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I
)


class QuantityError(ValueError):
    """A text is no value of that kind; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Down is to the subscriber, up is from the subscriber. Units: bit/s."""

    down_bps: int
    up_bps: int


def read_rates(text: str) -> Rates:
    """`300M/30M`: down, then up. Raises: QuantityError."""
    parts = text.split("/")
    if text.count("bit/s") and len(parts) > 2:
        parts = re.split(r"/(?!s\b)", text)
    if len(parts) != 2:
        raise QuantityError(f"{text!r}: expected DOWN/UP such as 300M/30M, down (to the subscriber) first")
    return Rates(_read_rate(parts[0], "down"), _read_rate(parts[1], "up"))


def read_rate(text: str) -> int:
    """`300M`, one way. Units: bit/s. Raises: QuantityError."""
    return _read_rate(text, "rate")


def _read_rate(text: str, way: str) -> int:
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"{way} {text!r}: expected a number with k, M or G (bit/s), such as 30M or 1.5G")
    number, unit = match.groups()
    if not unit and not re.search(r"bit/s|bps", text):
        raise QuantityError(f"{way} {text!r}: say the unit: {number}M for Mbit/s, {number}k for kbit/s")
    bps = Decimal(number) * _DECIMAL[unit]
    if bps != int(bps):
        raise QuantityError(f"{way} {text!r}: {bps} bit/s is not a whole number")
    if not SLOWEST_BPS <= bps <= FASTEST_BPS:
        raise QuantityError(f"{way} {text!r}: expected 1k to 400G")
    return int(bps)


def rate_text(bps: int) -> str:
    """`30 Mbit/s`: the largest unit that leaves no more than three decimals."""
    for unit, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if bps >= factor and bps * 1000 % factor == 0:
            return f"{Decimal(bps) / factor:f} {unit}bit/s"
    return f"{bps} bit/s"


def rates_text(down_bps: int | None, up_bps: int | None) -> str:
    """`down 300 Mbit/s, up 30 Mbit/s`, or nothing when there is no limit."""
    if down_bps is None or up_bps is None:
        return ""
    return f"down {rate_text(down_bps)}, up {rate_text(up_bps)}"


def read_octets(text: str) -> int:
    """`500G` is 500 000 000 000 octets, `500Gi` 2^30 times 500. Raises: QuantityError."""
    match = _OCTETS.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"{text!r}: expected octets such as 500G, 1.5T or 500Gi")
    number, unit = match.groups()
    octets = Decimal(number) * (_DECIMAL | _BINARY)[unit or ""]
    if octets != int(octets) or not 0 < octets < 2**63:
        raise QuantityError(f"{text!r}: expected a whole number of octets above 0")
    return int(octets)


def typed_text(value: int) -> str:
    """A rate or an amount of octets as it is typed: `300M`, `1.5G`, exactly."""
    for unit in ("T", "G", "M", "k"):
        factor = _DECIMAL[unit]
        if value >= factor and value * 1000 % factor == 0 and (unit != "T" or value % factor == 0):
            return f"{(Decimal(value) / factor).normalize():f}{unit}"
    return str(value)


def typed_duration(seconds: int) -> str:
    """A span as it is typed: `30d`, `90s`, exactly."""
    return next(
        f"{seconds // length}{unit}"
        for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
        if seconds % length == 0
    )


def octets_text(octets: int) -> str:
    """`1.23 GB`, decimal, three figures."""
    return _three_figures(octets, "B")


def average_rate_text(octets: int, seconds: int) -> str:
    """`12.3 Mbit/s`: an average, three figures; nothing for no time."""
    return _three_figures(octets * 8 // seconds, "bit/s") if seconds > 0 else ""


def _three_figures(value: int, unit: str) -> str:
    for prefix, factor in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= factor:
            scaled = value / factor
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f} {prefix}{unit}"
    return f"{value} {unit}"


def read_duration_s(text: str) -> int:
    """`90s`, `10m`, `12h`, `30d`, `2w`. Raises: QuantityError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"{text!r}: expected a duration such as 90s, 10m, 12h or 30d")
    return int(match.group(1)) * _DURATIONS[match.group(2)]


def duration_text(seconds: int) -> str:
    """`2 d 3 h`: the two largest units."""
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def read_instant(text: str, *, zone: ZoneInfo, now: datetime) -> datetime:
    """`2026-01-31`, `2026-01-31 18:40` in the zone, an ISO time with its offset, `now`, or `+2d` or `-2h` from now; in UTC.

    Raises: QuantityError, also for a local time that does not exist or happens twice.
    """
    if text == "now":
        return now
    if text.startswith(("+", "-")):
        distance = timedelta(seconds=read_duration_s(text[1:]))
        return now + distance if text[0] == "+" else now - distance
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        early, late = read.replace(tzinfo=zone, fold=0), read.replace(tzinfo=zone, fold=1)
        first, second = early.astimezone(UTC), late.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise QuantityError(
            f"{text!r}: expected a time such as 2026-01-31 18:40, 2026-01-31T17:40Z, now, -2h or +2d"
        ) from error
    if first.astimezone(zone).replace(tzinfo=None) != read:
        raise QuantityError(f"{text!r}: the clocks of {zone.key} skip this time; give its offset, such as +01:00")
    if first != second:
        raise QuantityError(f"{text!r}: this time comes twice in {zone.key}; give its offset, such as +01:00")
    return first


def instant_text(instant: datetime, zone: ZoneInfo) -> str:
    """`2026-01-31 18:40:05 CET`, in the zone."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def off_text(ahead_s: float) -> str:
    """How far a clock is off: `3 min 12 s behind`, `0.4 s ahead`, `2 d 3 h behind`."""
    way = "ahead" if ahead_s > 0 else "behind"
    whole_s = round(abs(ahead_s))
    if whole_s < 60:
        return f"{abs(ahead_s):.1f} s {way}".replace(".0 s", " s")
    if whole_s < 3600:
        large, more = f"{whole_s // 60} min", f" {whole_s % 60} s"
    elif whole_s < 86_400:
        large, more = f"{whole_s // 3600} h", f" {whole_s % 3600 // 60} min"
    else:
        large, more = f"{whole_s // 86_400:,} d", f" {whole_s % 86_400 // 3600} h"
    return f"{large}{'' if more.startswith(' 0 ') else more} {way}"


def read_network(text: str) -> Network:
    """An address or a prefix in canonical form. Raises: QuantityError, also for a prefix with host bits."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError as error:
        raise QuantityError(f"{text!r}: expected an address or a prefix such as 192.0.2.7 or 192.0.2.0/24") from error
    raise QuantityError(f"{text!r} has bits beyond its prefix; did you mean {meant} or {text.partition('/')[0]}?")


def read_host(text: str) -> Network:
    """One address, with its full length. Raises: QuantityError."""
    try:
        return ip_network(ip_address(text))
    except ValueError as error:
        raise QuantityError(f"{text!r}: expected one address such as 192.0.2.7 or 2001:db8::7") from error


def read_device_address(text: str) -> Network:
    """The same for an address that a device can have. Raises: QuantityError for one of nobody or of many."""
    return _of_a_device(read_host(text))


def read_device_source(text: str) -> Network:
    """An address or a prefix that devices can send from. Raises: QuantityError."""
    return _of_a_device(read_network(text))


def _of_a_device(network: Network) -> Network:
    address = network.network_address
    if network.prefixlen == network.max_prefixlen and (address.is_unspecified or address == _EVERYBODY):
        raise QuantityError(f"{address} is no device's address: name the one that it sends from")
    if address.is_multicast:
        raise QuantityError(f"{network_text(network)} is multicast: no device sends from it, name its own address")
    return network


def read_new_name(text: str) -> str:
    """A name that later commands can be given; what else it must be the database says. Raises: QuantityError."""
    if text.startswith("-"):
        raise QuantityError(f"{text!r} begins with -, as options do: every later command would take it for one")
    return text


def network_text(network: Network) -> str:
    """`192.0.2.7` or `192.0.2.0/24`: a host without its length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def read_device_policy(text: str) -> str:
    """A name that every device's command line takes. Raises: QuantityError."""
    if _DEVICE_POLICY.fullmatch(text) is None:
        raise QuantityError(f"{text!r}: expected letters, digits and . _ - alone, 60 at most, a letter or digit first")
    return text


def read_mac(text: str) -> str:
    """A MAC address in any usual spelling as twelve lower-case hex digits. Raises: QuantityError."""
    if _MAC.fullmatch(text.strip()) is None:
        raise QuantityError(f"{text!r}: expected a MAC address such as 02:00:5e:10:00:01")
    return re.sub("[^0-9a-f]", "", text.lower())


def mac_text(mac: str) -> str:
    """`02:00:5e:10:00:01` of twelve digits."""
    return ":".join(mac[at : at + 2] for at in range(0, len(mac), 2))
