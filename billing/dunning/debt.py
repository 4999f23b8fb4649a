"""What a customer owes today in one currency: overdue and open, less what is in dispute, less what lies free as credit.

A part is overdue from the day after its due day. What is in dispute comes off the parts of its document that fell due
first, credit off the oldest of all, and so does a payment when it is allocated: the day since which somebody owes moves on
with each part that is paid. A plan of instalments replaces the due days of its documents.

Amounts of different currencies never meet here; a customer with two currencies has two debts.

Units: days of the issuer's zone; `open` and `withheld` are above zero or zero.
Source: billing model sections 14 and 18; invariants I19 and I32.

Next: floor.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.documents import Due
from billing.money import Money, total, zero
from billing.settlement import left_of


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """An issued invoice: what is open of it and when that is due, the contracts that its lines name.

    `withheld` does not count: it is in dispute.
    """

    id: int
    label: str
    contracts: frozenset[int]
    parts: tuple[Due, ...]
    withheld: Money


@dataclass(frozen=True, slots=True)
class InstalmentPlan:
    """Agreed days on which documents are paid, in parts; it ends when it is broken, and their own days count again."""

    id: int
    documents: frozenset[int]
    parts: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class OwedPart:
    """A part of a document that is asked for."""

    due_on: date
    document_id: int
    amount: Money
    contracts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Debt:
    """`overdue` adds up to `amount`, oldest first; `upcoming` is still to fall due. Neither holds what credit covers.

    `withheld` of what is overdue is not counted, `covered` by credit.
    """

    amount: Money
    overdue: tuple[OwedPart, ...]
    upcoming: tuple[OwedPart, ...]
    withheld: Money
    covered: Money

    def since(self, threshold: Money) -> date | None:
        """The due day from which on more than the threshold was owed; None: it is not.

        Some cents that were left open long ago don't make a new invoice an old debt.
        """
        owed = zero(threshold.currency)
        for part in self.overdue:
            owed += part.amount
            if threshold < owed:
                return part.due_on
        return None

    @property
    def documents(self) -> frozenset[int]:
        """The documents that are overdue."""
        return frozenset(part.document_id for part in self.overdue)

    @property
    def contracts(self) -> frozenset[int]:
        """The contracts that the overdue documents name."""
        return frozenset().union(*(part.contracts for part in self.overdue))


def debt_of(
    documents: Iterable[OpenDocument],
    *,
    credit: Money,
    today: date,
    plans: Sequence[InstalmentPlan] = (),
) -> Debt:
    """What is owed of these documents, all in the currency of the credit."""
    for plan in plans:
        documents = redated(documents, plan)
    parts: list[OwedPart] = []
    withheld = zero(credit.currency)
    for one in documents:
        asked = left_of(one.parts, one.withheld)
        if one.withheld:
            withheld += _overdue(one.parts, today, credit.currency) - _overdue(asked, today, credit.currency)
        parts += (OwedPart(part.due_on, one.id, part.amount, one.contracts) for part in asked)
    parts.sort(key=lambda part: (part.due_on, part.document_id))
    left = _uncovered(parts, credit) if credit else parts
    overdue = tuple(part for part in left if part.due_on < today)
    amount = total((part.amount for part in overdue), credit.currency)
    covered = zero(credit.currency)
    if credit:
        covered = total((part.amount for part in parts if part.due_on < today), credit.currency) - amount
    return Debt(amount, overdue, tuple(part for part in left if part.due_on >= today), withheld, covered)


def debt_of_contract(debt: Debt, contract: int) -> Debt:
    """The part of a debt whose documents name a contract."""
    overdue = tuple(part for part in debt.overdue if contract in part.contracts)
    amount = total((part.amount for part in overdue), debt.amount.currency)
    return replace(debt, amount=amount, overdue=overdue)


def debt_on_documents(debt: Debt, documents: frozenset[int], *, due_before: date) -> Debt:
    """The part of a debt that is on these documents and was overdue on a day: what a notice of that day could list."""
    overdue = tuple(part for part in debt.overdue if part.document_id in documents and part.due_on < due_before)
    amount = total((part.amount for part in overdue), debt.amount.currency)
    return replace(debt, amount=amount, overdue=overdue)


def redated(documents: Iterable[OpenDocument], plan: InstalmentPlan) -> tuple[OpenDocument, ...]:
    """The documents with the plan's days in the place of their own, the oldest document first.

    What was paid since the plan was made counts on its first instalments. Where more is open than was agreed, as when a
    payment of before came back, the rest keeps its own days.
    """
    everything = tuple(documents)
    mine = sorted((one for one in everything if one.id in plan.documents), key=_first_due)
    if not mine:
        return everything
    currency = mine[0].withheld.currency
    open_ = total((part.amount for one in mine for part in one.parts), currency)
    agreed = total((part.amount for part in plan.parts), currency)
    instalments = left_of(plan.parts, agreed - open_) if open_ < agreed else left_of(plan.parts, zero(currency))
    moved: dict[int, OpenDocument] = {}
    for one in mine:
        amount = total((part.amount for part in one.parts), currency)
        planned, instalments = _first_of(instalments, amount)
        laid = total((part.amount for part in planned), currency)
        moved[one.id] = replace(one, parts=(*planned, *left_of(one.parts, laid)))
    return tuple(moved.get(one.id, one) for one in everything)


def instalments_left(documents: Iterable[OpenDocument], plan: InstalmentPlan) -> tuple[Due, ...] | None:
    """What of a plan is asked for and not paid; None when its documents are paid.

    What is open beyond what was agreed is none of it, nor what is in dispute: that is no debt until it is decided.
    """
    mine = [one for one in documents if one.id in plan.documents and one.parts]
    if not mine:
        return None
    currency = plan.parts[0].amount.currency
    asked = total((part.amount for one in mine for part in left_of(one.parts, one.withheld)), currency)
    agreed = total((part.amount for part in plan.parts), currency)
    return left_of(plan.parts, agreed - asked if asked < agreed else zero(currency))


def _first_due(document: OpenDocument) -> tuple[date, int]:
    return min((part.due_on for part in document.parts), default=date.max), document.id


def _first_of(parts: Sequence[Due], amount: Money) -> tuple[tuple[Due, ...], tuple[Due, ...]]:
    """The first parts up to an amount, and the others."""
    first: list[Due] = []
    for part in parts:
        taken = min(part.amount, amount, key=lambda one: one.minor)
        amount -= taken
        if taken:
            first.append(Due(part.due_on, taken))
    laid = total((part.amount for part in first), amount.currency)
    return tuple(first), left_of(parts, laid)


def _overdue(parts: Iterable[Due], today: date, currency: str) -> Money:
    return total((part.amount for part in parts if part.due_on < today), currency)


def _uncovered(parts: Iterable[OwedPart], credit: Money) -> list[OwedPart]:
    """What credit leaves of parts when it covers the first of them."""
    left: list[OwedPart] = []
    for part in parts:
        covered = min(part.amount, credit, key=lambda one: one.minor) if credit.minor > 0 else zero(credit.currency)
        credit -= covered
        if covered != part.amount:
            left.append(replace(part, amount=part.amount - covered))
    return left
