"""What a file says of customers beside what is known of them: who is new, what differs, who stays as he is.

Next: billing/store/customer_import.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from billing.customer_csv import WantedCustomer

# What an address and a customer can't be without.
_ADDRESS_NEEDS: Final = ("street", "postal_code", "city", "country")


class Fate(StrEnum):
    """What becomes of a line."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """One that there is, with its columns."""

    id: int
    kind: str
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer that there is under a reference, in the terms of the file."""

    id: int
    columns: Mapping[str, str | None]
    position: str | None
    numbers: Mapping[str, str]
    addresses: tuple[KnownAddress, ...]
    contact: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """What one line does. `changes` are the columns of customer that differ, `addresses` (which there is or None, kind, columns)."""

    fate: Fate
    wanted: WantedCustomer
    customer_id: int | None = None
    reason: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    position: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[tuple[int | None, str, Mapping[str, str | Decimal]], ...] = ()
    contact: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """What differs, in a person's words."""
        parts = [name.replace("_", " ") for name in self.columns]
        parts += ["fiscal position"] if self.position is not None else []
        parts += [*self.numbers, *(f"{kind} address" for _, kind, _ in self.addresses)]
        parts += [f"contact {name}" for name in self.contact]
        return self.reason or ", ".join(parts)


def step_for(wanted: WantedCustomer, known: KnownCustomer | None) -> Step:
    """What a line does to what is known; what it does not say stays."""
    if known is None:
        reason = "name: is empty" if "name" not in wanted.columns else _lacking(wanted, ())
        return Step(
            Fate.REFUSED if reason else Fate.NEW,
            wanted,
            reason=reason,
            columns=wanted.columns,
            position=wanted.position,
            numbers=wanted.numbers,
            addresses=tuple((None, kind, columns) for kind, columns in wanted.addresses.items()),
            contact=wanted.contact,
        )
    reason = _lacking(wanted, tuple(one.kind for one in known.addresses))
    columns = {name: value for name, value in wanted.columns.items() if known.columns.get(name) != value}
    after = {**known.columns, **wanted.columns}
    if after["kind"] != "person" and after["given_name"]:
        reason = reason or f"kind: only a person has a given name, and this {after['kind']} would"
    numbers = {scheme: number for scheme, number in wanted.numbers.items() if known.numbers.get(scheme) != number}
    contact = {name: value for name, value in wanted.contact.items() if known.contact.get(name) != value}
    position = wanted.position if wanted.position != known.position else None
    addresses = tuple(
        moved for kind, place in wanted.addresses.items() if (moved := _moved(kind, place, known.addresses)) is not None
    )
    differs = bool(columns or numbers or contact or addresses or position is not None)
    fate = Fate.REFUSED if reason else Fate.CHANGED if differs else Fate.SAME
    return Step(fate, wanted, known.id, reason, columns, position, numbers, addresses, contact)


def _lacking(wanted: WantedCustomer, kinds: tuple[str, ...]) -> str:
    """What an address would be without, unless there is one that it changes."""
    for kind, columns in wanted.addresses.items():
        lacking = [name for name in _ADDRESS_NEEDS if name not in columns]
        if lacking and kind not in kinds:
            return f"{kind} address: {', '.join(lacking)} is empty"
    return ""


def _moved(
    kind: str, place: Mapping[str, str | Decimal], known: tuple[KnownAddress, ...]
) -> tuple[int | None, str, Mapping[str, str | Decimal]] | None:
    """What differs of an address: of the one there is, or with several, of none: then it is another one."""
    there = [one for one in known if one.kind == kind]
    if any(all(one.columns.get(name) == value for name, value in place.items()) for one in there):
        return None
    if len(there) == 1:
        return (
            there[0].id,
            kind,
            {name: value for name, value in place.items() if there[0].columns.get(name) != value},
        )
    return None, kind, place
