"""What paid what: payments, credit notes and write-offs laid on invoices, and taken back when a payment comes back.

Allocating moves no money: it only says what was paid. The first to be paid is the part that fell due first, then the lower
number; what the customer chose comes before that, and what is left after a choice goes the usual way. What finds nothing
open stays the customer's credit and is laid on the next invoice. A sum in dispute is paid by choice alone: who pays the rest
of it has paid what is asked of them.

Nothing is ever changed: taking back is a row below zero that names the row it takes back, so an invoice is open again with
the days on which it was due.

Units: amounts of one customer, issuer and currency; days of the issuer's zone.
Source: billing model section 12; invariants I15, I16 and I18.

Next: billing/settlement.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from billing.documents import Due
from billing.money import Money, total, zero
from billing.sentence import Sentence
from billing.settlement import left_of


class SourceKind(StrEnum):
    """What an invoice is paid by."""

    PAYMENT = "payment"
    CREDIT_NOTE = "credit_note"
    WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class Source:
    """Something that pays; `left` is what of it is not yet laid on an invoice, given back or reversed."""

    kind: SourceKind
    id: int
    dated: date
    left: Money


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An issued invoice: `number` is its year, number and label, `parts` what is still open of it and when that is due."""

    id: int
    number: tuple[int, int, str]
    parts: tuple[Due, ...]
    disputed: Money

    @property
    def open(self) -> Money:
        """All that is still to be paid of it."""
        return total((part.amount for part in self.parts), self.disputed.currency)

    @property
    def undisputed(self) -> tuple[Due, ...]:
        """The parts that are asked for: what is in dispute is taken off those that fell due first."""
        return left_of(self.parts, self.disputed)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the customer wants paid; without an amount, all of it as far as the money goes. `label` is its printed number, to name it by."""

    invoice_id: int
    amount: Money | None = None
    label: str = ""

    @property
    def name(self) -> Sentence:
        """As a person knows it."""
        return Sentence("invoice %(label)s", label=self.label or self.invoice_id)


@dataclass(frozen=True, slots=True)
class Allocation:
    """So much of an invoice is paid by that. An amount is above zero."""

    source: tuple[SourceKind, int]
    invoice_id: int
    amount: Money
    chosen: bool = False


class Wrong(StrEnum):
    """Why a choice is refused."""

    UNKNOWN = "unknown_invoice"
    TWICE = "chosen_twice"
    CURRENCY = "another_currency"
    NOTHING = "not_above_zero"
    BEYOND_OPEN = "beyond_open"
    BEYOND_SOURCE = "beyond_what_is_left"


@dataclass(frozen=True, slots=True)
class RefusedChoice:
    """Nothing is allocated; `why` names the invoice and what to do."""

    reason: Wrong
    why: Sentence

    @property
    def message(self) -> str:
        """In English."""
        return self.why.message


@dataclass(frozen=True, slots=True)
class AllocationRow:
    """An allocation as it is written; below zero it takes back the row `withdraws_id`."""

    id: int
    source: tuple[SourceKind, int]
    invoice_id: int
    amount: Money
    withdraws_id: int | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The row that takes an allocation back, whole."""

    withdraws_id: int
    source: tuple[SourceKind, int]
    invoice_id: int
    amount: Money


def allocate(
    source: Source, invoices: Sequence[OpenInvoice], choices: Sequence[Choice] = ()
) -> tuple[Allocation, ...] | RefusedChoice:
    """What a payment or credit pays: first what was chosen, in that order, then the usual order. The rest is credit."""
    chosen = _chosen(source, invoices, choices)
    if isinstance(chosen, RefusedChoice):
        return chosen
    left = replace(source, left=source.left - total((one.amount for one in chosen), source.left.currency))
    paid = {one.invoice_id: one.amount for one in chosen}
    # What is chosen pays what is asked for first: of the dispute no more is left than of the invoice.
    still_open = [replace(one, parts=left_of(one.parts, paid[one.id])) if one.id in paid else one for one in invoices]
    return (*chosen, *allocate_in_order([left], still_open))


def allocate_in_order(sources: Iterable[Source], invoices: Iterable[OpenInvoice]) -> tuple[Allocation, ...]:
    """The oldest credit on the part that fell due first, then the lower number. Asked again, it finds nothing to do.

    Parts of a document that are due after another's are paid after it, so nobody is overdue with one invoice while the
    money lies on what is not due yet. One allocation a source and invoice.
    """
    parts = sorted((part.due_on, one.number, one.id, part.amount) for one in invoices for part in one.undisputed)
    found: dict[tuple[SourceKind, int, int], Allocation] = {}
    place, open_of_part = 0, parts[0][3] if parts else None
    for source in sorted(sources, key=lambda one: (one.dated, one.kind, one.id)):
        left = source.left
        while left.minor > 0 and open_of_part is not None:
            amount = min(left, open_of_part, key=lambda one: one.minor)
            key = (source.kind, source.id, parts[place][2])
            before = found[key].amount if key in found else zero(left.currency)
            found[key] = Allocation((source.kind, source.id), parts[place][2], before + amount)
            left, open_of_part = left - amount, open_of_part - amount
            if not open_of_part:
                place += 1
                open_of_part = parts[place][3] if place < len(parts) else None
    return tuple(found.values())


def withdraw(rows: Iterable[AllocationRow], source: tuple[SourceKind, int]) -> tuple[Withdrawal, ...]:
    """What takes back all that a reversed payment had paid and was not taken back before."""
    mine = [one for one in rows if one.source == source]
    gone = {one.withdraws_id for one in mine if one.withdraws_id is not None}
    return tuple(
        Withdrawal(one.id, source, one.invoice_id, -one.amount)
        for one in mine
        if one.withdraws_id is None and one.id not in gone
    )


def _chosen(
    source: Source, invoices: Sequence[OpenInvoice], choices: Sequence[Choice]
) -> tuple[Allocation, ...] | RefusedChoice:
    by_id = {one.id: one for one in invoices}
    left, found = source.left, list[Allocation]()
    for choice in choices:
        refused = _refusal(choice, source, by_id, taken={one.invoice_id for one in found})
        if refused is not None:
            return refused
        open_ = by_id[choice.invoice_id].open
        amount = choice.amount if choice.amount is not None else min(open_, left, key=lambda one: one.minor)
        if left < amount:
            why = Sentence(
                "%(amount)s of %(invoice)s are chosen, and %(left)s are left: choose less",
                amount=amount,
                invoice=choice.name,
                left=left,
            )
            return RefusedChoice(Wrong.BEYOND_SOURCE, why)
        if amount:
            found.append(Allocation((source.kind, source.id), choice.invoice_id, amount, chosen=True))
            left -= amount
    return tuple(found)


def _refusal(choice: Choice, source: Source, invoices: dict[int, OpenInvoice], taken: set[int]) -> RefusedChoice | None:
    """What is wrong with a choice by itself, in the order in which it is told."""
    name = choice.name
    if choice.invoice_id not in invoices:
        return RefusedChoice(
            Wrong.UNKNOWN, Sentence("%(invoice)s is not open for this customer: choose one that is", invoice=name)
        )
    if choice.invoice_id in taken:
        return RefusedChoice(Wrong.TWICE, Sentence("%(invoice)s is chosen twice: name it once", invoice=name))
    open_ = invoices[choice.invoice_id].open
    if open_.currency != source.left.currency:
        return RefusedChoice(
            Wrong.CURRENCY,
            Sentence(
                "%(invoice)s is in %(currency)s, what pays in %(other)s",
                invoice=name,
                currency=open_.currency,
                other=source.left.currency,
            ),
        )
    if choice.amount is None:
        return None
    if choice.amount.currency != open_.currency:
        return RefusedChoice(
            Wrong.CURRENCY,
            Sentence(
                "%(invoice)s is in %(currency)s, not %(other)s",
                invoice=name,
                currency=open_.currency,
                other=choice.amount.currency,
            ),
        )
    if choice.amount.minor <= 0:
        return RefusedChoice(
            Wrong.NOTHING,
            Sentence("%(amount)s of %(invoice)s: choose more than nothing", amount=choice.amount, invoice=name),
        )
    if open_ < choice.amount:
        return RefusedChoice(
            Wrong.BEYOND_OPEN,
            Sentence(
                "%(amount)s of %(invoice)s, which has %(open)s open: choose less",
                amount=choice.amount,
                invoice=name,
                open=open_,
            ),
        )
    return None
