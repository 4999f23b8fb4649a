"""Collectors: who they are, from whom they may collect, and what they may take it by.

Source: billing model section 16.

Next: billing/operations/collecting.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from billing.money import Money
from billing.payments import Method, MethodKind, NotDone

# A debit and a gateway are told by the bank and the gateway, not by who stands at the door.
COLLECTED_BY: Final = frozenset(
    {MethodKind.CASH, MethodKind.CARD, MethodKind.TRANSFER, MethodKind.SLIP, MethodKind.OTHER}
)
# The reference of a payment holds it with the collector's number.
LONGEST_KEY: Final = 150


class ScopeKind(StrEnum):
    """Whose documents a part of a scope stands for."""

    EVERYONE = "everyone"
    CUSTOMER = "customer"
    GROUP = "group"
    CITY = "city"
    PROVINCE = "province"
    POSTAL_CODE = "postal_code"


@dataclass(frozen=True, slots=True)
class Scope:
    """One part of what a collector may collect; `value` a customer's number, or a name; up to and with the day `through`."""

    kind: ScopeKind
    value: str | None = None
    through: date | None = None

    def __str__(self) -> str:
        named = self.kind.value if self.value is None else f"{self.kind.value}:{self.value}"
        return named if self.through is None else f"{named} until {self.through}"


@dataclass(frozen=True, slots=True)
class Collector:
    """Who takes payments in the field. `most_cash` may be carried, in the books' currency."""

    id: int
    issuer_id: int
    name: str
    login: str | None
    series_id: int
    series: str
    most_cash: Money | None
    active: bool


def read_scope(text: str, *, through: date | None = None) -> Scope | NotDone:
    """A part of a scope as it is typed: `everyone`, `customer:17`, `group:north`, `city:Torino`, `province:TO`, `postal_code:101`."""
    word, colon, value = text.partition(":")
    kind = next((one for one in ScopeKind if one.value == word.strip().lower()), None)
    if kind is None:
        return NotDone(
            "'%(text)s': expected one of %(kinds)s, such as city:Torino", text=text, kinds=", ".join(ScopeKind)
        )
    value = value.strip()
    if kind is ScopeKind.EVERYONE:
        return NotDone("'%(text)s': everyone has no name behind it", text=text) if colon else Scope(kind, None, through)
    if not value or (kind is ScopeKind.CUSTOMER and not value.isdigit()):
        return NotDone(
            "'%(text)s': say which, such as %(kind)s:%(value)s",
            text=text,
            kind=kind.value,
            value="17" if kind is ScopeKind.CUSTOMER else "NAME",
        )
    return Scope(kind, value, through)


def reference_of(collector_id: int, key: str) -> str:
    """What a collector's payment is called: the same key of the same collector is the same payment (I17)."""
    return f"collector {collector_id}: {key}"


def refuse_collecting(collector: Collector, method: Method, key: str) -> NotDone | None:
    """Why a collector takes nothing so, before anything is looked up."""
    if not collector.active:
        return NotDone("%(collector)s collects no more", collector=collector.name)
    if method.kind not in COLLECTED_BY:
        return NotDone(
            "%(method)s is not paid to a collector: choose cash, a card, a transfer or a slip", method=method.name
        )
    if method.issuer_id != collector.issuer_id:
        return NotDone(
            "%(collector)s collects for another issuer than %(method)s is of",
            collector=collector.name,
            method=method.name,
        )
    if not 1 <= len(key.strip()) <= LONGEST_KEY:
        return NotDone(
            "each payment has a key of its own, of 1 to %(most)s characters: the same again is the same payment",
            most=LONGEST_KEY,
        )
    return None
