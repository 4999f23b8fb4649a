"""What a country's law asks before a line is limited for a debt, as dated data.

Source: the file of the country (billing/countries/*.toml), which names the law.

Next: policy.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Channel(StrEnum):
    """How a notice goes out, by the words of consents and messages."""

    EMAIL = "email"
    SMS = "sms"
    MESSAGING = "messaging"
    LETTER = "letter"
    REGISTERED_LETTER = "registered_letter"
    CERTIFIED_MAIL = "certified_mail"


@dataclass(frozen=True, slots=True)
class Floor:
    """The least from a day on. No policy goes below it.

    A payment is late from `late_after_days` after its due day; a formal notice by one of `channels` lists what is unpaid,
    and `notice_days` pass from its delivery. `only_concerned`: no other service is touched. Customers of the kinds
    `may_shorten` may have agreed to fewer days.
    """

    since: date
    late_after_days: int
    notice_days: int
    channels: frozenset[Channel]
    only_concerned: bool
    may_shorten: frozenset[str]
    source: str


def floor_on(floors: Iterable[Floor], day: date) -> Floor | None:
    """What the law asks on a day; None: nothing beyond the policy."""
    in_force = [one for one in floors if one.since <= day]
    return max(in_force, key=lambda one: one.since, default=None)
