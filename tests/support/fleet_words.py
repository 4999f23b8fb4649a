"""What is sold, and what that is in each device's words: the table that a day on the fleet is judged by.

It was written from the offers below and the vendors' manuals, and asks nothing of Corrente: neither what is desired, nor what
was sent, nor what a driver would say. `held_of` reads what a simulated device has for a session, in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from nas_drivers.simulated.session import Session

MBIT, KBIT = 1_000_000, 1_000


@dataclass(frozen=True)
class Offer:
    """Terms under their name. `word` is what devices know it by that take a name; rates in bit/s."""

    down_bps: int
    up_bps: int
    word: str
    address_list: str = ""


OFFERS = MappingProxyType(
    {
        "Home": Offer(100 * MBIT, 20 * MBIT, "home"),
        "Business": Offer(300 * MBIT, 30 * MBIT, "business"),
        "Slow": Offer(2 * MBIT, 1 * MBIT, "slow"),
        "Walled": Offer(512 * KBIT, 256 * KBIT, "walled", "unpaid"),
    }
)
# What Business is from the afternoon on.
FASTER = Offer(600 * MBIT, 30 * MBIT, "business")


@dataclass(frozen=True)
class Held:
    """What one session has on its device. Units: bit/s. None and () where it has nothing of the kind."""

    down_bps: int | None = None
    up_bps: int | None = None
    address_lists: tuple[str, ...] = ()
    filter: str | None = None
    policy_up: str | None = None
    policy_down: str | None = None
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """How one vendor's device is told an offer. `{}` stands for the offer's word.

    `by_rate`: it shapes by the rates that it is told; else by those that stand ready on it under the names below.
    """

    by_rate: bool = False
    has_lists: bool = False
    filter: str = ""
    up: str = ""
    down: str = ""
    service: str = ""


LANGUAGE = MappingProxyType(
    {
        "mikrotik": Words(by_rate=True, has_lists=True),
        "accel_ppp": Words(by_rate=True),
        "generic": Words(filter="{}"),
        "vyos": Words(by_rate=True),
        "cisco_iosxe": Words(up="{}-in", down="{}-out"),
        "juniper_mx": Words(service="{}"),
        "cisco_iosxr": Words(up="{}-in", down="{}-out"),
        "huawei": Words(by_rate=True),
        # An SLA profile is one for both directions, and rates stand over what it has.
        "nokia_sros": Words(by_rate=True, up="{}", down="{}"),
        "ericsson": Words(by_rate=True),
    }
)
# A device of each. Left out are the two vendors on which every change is a new login: edgerouter and zte.
VENDORS = tuple(LANGUAGE)
# It can be told no rate, and has none ready: its profiles have a filter and nothing else.
BY_FILTER = frozenset({"generic"})
# Its QoS policies change by name at a new login alone: they are the default subscriber's, and its profiles have rates and no name.
BY_RATE = frozenset({"ericsson"})
# Here the worker has the API of the router, and reads from it what a session runs at.
READ_BY_API = frozenset({"mikrotik"})
# A device of these acknowledges a few changes and does nothing. Its next accounting record names the old Class, or the router
# itself the old rate, so it is found out.
FOUND_OUT = frozenset({"mikrotik", "accel_ppp", "generic", "vyos"})
# The same on a device that takes no new Class by CoA and is not read: its accounting looks as it would have looked. Corrente
# says of such a change that it was taken on trust (`unverifiable`), and nobody can say more.
TAKEN_ON_TRUST = frozenset({"cisco_iosxe", "juniper_mx", "cisco_iosxr", "huawei", "nokia_sros", "ericsson"})


def must_hold(vendor: str, offer: Offer) -> Held:
    """What a session on such a device has whose subscriber is to have this offer."""
    words = LANGUAGE[vendor]
    # What stands ready under a name is the device's own: nobody has changed it there.
    rates = offer if words.by_rate else next(one for one in OFFERS.values() if one.word == offer.word)
    shapes = vendor not in BY_FILTER
    return Held(
        rates.down_bps if shapes else None,
        rates.up_bps if shapes else None,
        (offer.address_list,) if words.has_lists and offer.address_list else (),
        words.filter.format(offer.word) or None,
        words.up.format(offer.word) or None,
        words.down.format(offer.word) or None,
        (words.service.format(offer.word),) if words.service else (),
    )


def held_of(session: Session) -> Held:
    """What a device has for a session."""
    rates = session.rates
    return Held(
        rates.down_bps,
        rates.up_bps,
        session.address_lists,
        session.filter,
        session.policy_up,
        session.policy_down,
        session.services,
    )
