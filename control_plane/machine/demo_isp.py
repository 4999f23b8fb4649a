"""The demo ISP, as rows: made-up people with plans, contracts in every state, and access devices on loopback addresses.

Pure and always the same: what depends on the day takes `today`. Nobody in it exists, and its addresses are those set
aside for benchmarks and documentation (RFC 2544, RFC 5737, RFC 3849).

Next: demo_people.py
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Final

CUSTOMERS: Final = 2000
TRIAL_DAYS: Final = 30
_SEED: Final = 1839
_MBIT: Final = 1_000_000


def _words(text: str) -> list[str]:
    return text.split()


_GIVEN: Final = _words(
    "Ada Alba Aldo Amelia Ana Andrea Anna Arthur Beatriz Bruno Carla Carmen Chiara Clara Claudio Cosimo Daniel Diego Edith "
    "Elena Elisa Emilio Emma Enzo Ernesto Esteban Eva Fabio Fernando Flora Francesca Gaia George Gianni Giulia Grace Greta "
    "Harry Helen Ignacio Ines Irene Isabel Ivo Jack Jaime Julia Laura Leo Lidia Livia Lola Lorenzo Lucia Luis Marco Maria "
    "Marta Matteo Miguel Milo Nadia Nicola Nina Nora Olivia Oscar Pablo Paola Piero Pilar Rosa Ruth Sara Silvio Sofia Teresa "
    "Tom Ugo Vera Violet Walter Ximena Zoe"
)
# Put together from parts, so that no one's real name is meant.
_FAMILY_STARTS: Final = _words(
    "Bel Bor Cal Cam Car Cas Cer Col Cor Dal Don Fal Fer Fon Gal Gar Ghi Lam Lor Mal Man Mar Men Mon Mor Nar Ol Orl Pal Pel "
    "Per Pol Quin Ram Ren Ric Ros Sal San Ser Sol Tar Tor Val Ven Ver Vil Zan"
)
_FAMILY_ENDS: Final = _words(
    "accio aldi ana andez anti ardo aro atti bury don edo elli ena ero etti ez field gate iani ieri illo inez ini ley olfi "
    "oni orta osso ton ucci uela well worth"
)
_TRADES: Final = _words(
    "Bakery Cafe Carpentry Clinic Farm Garage Garden Hotel Kitchen Laundry Library Pharmacy Printing School Studio Wines"
)


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A tower or exchange. Units: degrees."""

    name: str
    latitude: str
    longitude: str


@dataclass(frozen=True, slots=True)
class DemoNas:
    """An access device; `coa_port` is where its simulation listens on its own loopback address."""

    name: str
    address: str
    vendor: str
    secret: str
    coa_port: int
    site: str


@dataclass(frozen=True, slots=True)
class DemoProfile:
    """What a plan gives. Units: bit/s and octets."""

    name: str
    down_bps: int
    up_bps: int
    burst_down_bps: int | None = None
    burst_up_bps: int | None = None
    quota_octets: int | None = None
    address_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What is sold, by the names of its three profiles."""

    name: str
    profile: str
    throttle: str = "Throttled 2"
    walled: str = "Payment pages"


@dataclass(frozen=True, slots=True)
class DemoRestriction:
    """A limit on a contract."""

    origin: str
    level: str
    reason: str
    placed_by: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DemoRelief:
    """A promise to pay."""

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class DemoPrefix:
    """A static address, prefix or route of an account."""

    kind: str
    prefix: str


@dataclass(frozen=True, slots=True)
class DemoLine:
    """One customer with one contract and one account: `nas` is where its line ends."""

    customer: str
    plan: str
    status: str
    starts_on: date
    ends_on: date | None
    username: str
    password: str
    mac: str
    nas: str
    max_sessions: int
    is_mac_bound: bool
    expires_at: datetime | None
    prefixes: tuple[DemoPrefix, ...]
    restrictions: tuple[DemoRestriction, ...]
    relief: DemoRelief | None


SITES: Final = (
    DemoSite("Monte Alto", "42.350000", "13.400000"),
    DemoSite("Puerto Claro", "40.560000", "8.320000"),
    DemoSite("Kingsbridge", "43.790000", "7.670000"),
)
NASES: Final = (
    DemoNas("monte-alto-1", "127.20.0.11", "mikrotik", "demo-monte-alto-1", 3799, "Monte Alto"),
    DemoNas("monte-alto-2", "127.20.0.12", "mikrotik", "demo-monte-alto-2", 3799, "Monte Alto"),
    DemoNas("puerto-claro-1", "127.20.0.21", "mikrotik", "demo-puerto-claro-1", 3799, "Puerto Claro"),
    DemoNas("puerto-claro-bras", "127.20.0.22", "accel_ppp", "demo-puerto-claro-bras", 3799, "Puerto Claro"),
    DemoNas("kingsbridge-bras", "127.20.0.31", "accel_ppp", "demo-kingsbridge-bras", 3799, "Kingsbridge"),
    DemoNas("kingsbridge-olt", "127.20.0.32", "generic", "demo-kingsbridge-olt", 3799, "Kingsbridge"),
)
PROFILES: Final = (
    DemoProfile("Fibra 30", 30 * _MBIT, 10 * _MBIT, quota_octets=400 * 10**9),
    DemoProfile("Fibra 100", 100 * _MBIT, 20 * _MBIT, 120 * _MBIT, 30 * _MBIT),
    DemoProfile("Fibra 300", 300 * _MBIT, 100 * _MBIT),
    DemoProfile("Fibra 1000", 1000 * _MBIT, 300 * _MBIT),
    DemoProfile("Throttled 2", 2 * _MBIT, 1 * _MBIT),
    DemoProfile("Payment pages", 1 * _MBIT, 1 * _MBIT, address_lists=("walled-garden",)),
)
PLANS: Final = tuple(DemoPlan(name, name) for name in ("Fibra 30", "Fibra 100", "Fibra 300", "Fibra 1000"))
# Thousandths of the customers by commercial status.
_STATUSES: Final = {
    "active": 920,
    "trial": 15,
    "free": 10,
    "pending": 15,
    "proposal": 8,
    "draft": 4,
    "ended": 20,
    "cancelled": 8,
}
_STATIC_ADDRESSES: Final = IPv4Address("198.18.0.0")
_ROUTED: Final = tuple(IPv4Network("203.0.113.0/24").subnets(new_prefix=29))
_DELEGATED: Final = IPv6Network("2001:db8::/32")


def demo_lines(today: date, customers: int = CUSTOMERS) -> tuple[DemoLine, ...]:
    """All customers with their contracts and accounts, or so many of them."""
    chance = random.Random(_SEED)  # noqa: S311 - made-up people, always the same
    return tuple(_line(number, chance, today) for number in range(1, customers + 1))


def _line(number: int, chance: random.Random, today: date) -> DemoLine:
    given = chance.choice(_GIVEN)
    family = chance.choice(_FAMILY_STARTS) + chance.choice(_FAMILY_ENDS)
    is_business = chance.random() < 0.06
    status = chance.choices(list(_STATUSES), list(_STATUSES.values()))[0]
    starts_on, ends_on = _dates(status, chance, today)
    restrictions, relief = _measures(status, chance, today)
    return DemoLine(
        customer=f"{family} {chance.choice(_TRADES)}" if is_business else f"{given} {family}",
        plan=chance.choices([plan.name for plan in PLANS], [20, 45, 25, 10])[0],
        status=status,
        starts_on=starts_on,
        ends_on=ends_on,
        username=f"{given}.{family}{number}@corrente.example".lower(),
        password="".join(chance.choices("abcdefghjkmnpqrstuvwxyz23456789", k=10)),
        # The second hex digit 2 marks an address that no maker has assigned.
        mac=f"02{chance.getrandbits(24):06x}{number:04x}",
        nas=NASES[number % len(NASES)].name,
        max_sessions=2 if is_business else 1,
        is_mac_bound=chance.random() < 0.05,
        expires_at=datetime.combine(today, time(), UTC) + timedelta(days=90) if chance.random() < 0.01 else None,
        prefixes=_prefixes(number, chance, is_business=is_business),
        restrictions=restrictions,
        relief=relief,
    )


def _dates(status: str, chance: random.Random, today: date) -> tuple[date, date | None]:
    age = chance.randint(20, 2000)
    starts_on = today - timedelta(days=age)
    match status:
        case "draft" | "proposal" | "pending":
            return today + timedelta(days=chance.randint(1, 30)), None
        case "ended":
            # Through the whole year that is billed.
            return starts_on, today - timedelta(days=min(chance.randint(0, 15) * 20, age - 10))
        case "trial":
            chance.random()  # so that who follows is who it was in databases made before
            return today - timedelta(days=1 + age % (TRIAL_DAYS - 1)), None
        case _:
            return starts_on, today + timedelta(days=60) if chance.random() < 0.01 else None


def _prefixes(number: int, chance: random.Random, *, is_business: bool) -> tuple[DemoPrefix, ...]:
    found = []
    if is_business or chance.random() < 0.04:
        found.append(DemoPrefix("framed_ipv4", f"{_STATIC_ADDRESSES + number}/32"))
    if number % len(_ROUTED) == 0 and number // len(_ROUTED) <= len(_ROUTED):
        found.append(DemoPrefix("route", str(_ROUTED[number // len(_ROUTED) - 1])))
    if chance.random() < 0.10:
        first = int(_DELEGATED.network_address) + (number << 72)
        found.append(DemoPrefix("delegated_ipv6_prefix", str(IPv6Network((first, 56)))))
    return tuple(found)


def _measures(status: str, chance: random.Random, today: date) -> tuple[tuple[DemoRestriction, ...], DemoRelief | None]:
    """Who is limited, and why. Only contracts in service can be."""
    draw, days = chance.random(), chance.randint(1, 12)
    midnight = datetime.combine(today, time(), UTC)
    since = midnight - timedelta(days=days)
    if status not in {"active", "free"}:
        return (), None
    if draw < 0.030:
        unpaid = DemoRestriction("dunning", "walled", "invoice unpaid for 30 days", "dunning run", since)
        promise = DemoRelief(since, midnight + timedelta(days=days), "will pay at the end of the week")
        return (unpaid,), promise if draw < 0.008 else None
    if draw < 0.045:
        return (DemoRestriction("dunning", "throttle", "invoice unpaid for 15 days", "dunning run", since),), None
    if draw < 0.049:
        return (DemoRestriction("abuse", "blocked", "open mail relay, told by phone", "anna of support", since),), None
    if draw < 0.054:
        back = midnight + timedelta(days=30)
        pause = DemoRestriction("customer_pause", "blocked", "away for the season", "customer", since, back)
        return (pause,), None
    return (), None
