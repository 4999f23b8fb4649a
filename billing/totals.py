"""A document's amounts: lines, tax groups and totals that are exact sums of each other.

Each line is the rounded product of its printed factors; each group's base is the exact sum of its lines; tax is rounded
once a group; net, tax and gross are exact sums of the groups. So an EN 16931 or FatturaPA document made from them is exact
by construction.

Prices are all without tax or all with it in one document. With it, the customer pays exactly the advertised sum: the base
of each group is taken out of it and spread over its lines.

Units: unit prices and quantities are exact decimals of 8 places at most, rates are percent.
Source: billing model section 9; FatturaPA controls 00421 (tax), 00422 (base), 00423 (line); EN 16931 BR-CO-10 to BR-CO-17.

Next: billing/documents.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from billing.errors import BillingError
from billing.money import Money, round_half_away, settle, spread, total, zero

PRICE_PLACES: Final = 8


class Liability(StrEnum):
    """When and by whom the tax of a group is owed."""

    IMMEDIATE = "immediate"
    DEFERRED = "deferred"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """How one line is taxed, as it stood on the document's date. With a `nature` there is no tax and a law that says so."""

    code: str
    rate: Decimal
    nature: str | None = None
    legal_reference: str | None = None
    liability: Liability = Liability.IMMEDIATE
    bears_stamp: bool = False

    def __post_init__(self) -> None:
        if self.nature is not None and (self.rate or not self.legal_reference):
            raise BillingError(f"tax code {self.code}: with nature {self.nature} its rate is 0 and its law is named")


@dataclass(frozen=True, slots=True)
class LineDraft:
    """What is charged on one line, in the prices of the document: with tax or without it.

    `discounts` are percent of the unit price, each on what the one before left; `discount_each` an amount a unit after them.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    treatment: TaxTreatment
    discounts: tuple[Decimal, ...] = ()
    discount_each: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is printed, without tax: `(unit_price - discount) * quantity`, rounded, is its net."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    net: Money
    treatment: TaxTreatment


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """All that is taxed alike: its base is the sum of its lines' nets."""

    treatment: TaxTreatment
    base: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class Totals:
    """Lines, groups and sums. `payable` is what the customer pays: the gross less tax that it pays to the state."""

    lines: tuple[Line, ...]
    amounts: tuple[Money, ...]
    groups: tuple[TaxGroup, ...]
    net: Money
    tax: Money
    gross: Money
    payable: Money


def totals_for(
    drafts: Sequence[LineDraft],
    *,
    currency: str,
    includes_tax: bool,
    discount: Money | None = None,
) -> Totals:
    """Settle lines, group them and sum them up; a discount on the whole document is spread over the lines by value.

    `amounts` are the lines in the document's prices, which with tax included are gross.
    Raises: BillingError for no line, for a price or quantity of more than 8 places, a discount beyond the lines, or a
    quantity so large that a price of 8 places can't express its line to the cent.
    """
    if not drafts:
        raise BillingError("a document without lines")
    priced = [_priced(draft) for draft in drafts]
    if discount is not None:
        priced = _discounted(priced, discount)
    amounts = tuple(settle(_amount(draft), currency) for draft in priced)
    groups: list[TaxGroup] = []
    nets: dict[int, Money] = {}
    for key, members in _by_group(priced).items():
        group, spread = _group(key, [amounts[index] for index in members], includes_tax=includes_tax)
        groups.append(group)
        nets.update(zip(members, spread, strict=True))
    lines = tuple(_line(draft, nets[index], includes_tax=includes_tax) for index, draft in enumerate(priced))
    net = total((group.base for group in groups), currency)
    tax = total((group.tax for group in groups), currency)
    split = total((one.tax for one in groups if one.treatment.liability is Liability.SPLIT), currency)
    return Totals(lines, amounts, tuple(groups), net, tax, net + tax, net + tax - split)


def stamp_duty_for(lines: Sequence[Line], *, above: Money, duty: Money) -> Money:
    """What a document owes when its lines that bear stamp duty are above a sum; exactly that sum owes nothing.

    Source: IT: DPR 642/72, tariff art. 13: 2.00 above 77.47.
    """
    bearing = total((line.net for line in lines if line.treatment.bears_stamp), duty.currency)
    return duty if above < bearing else zero(duty.currency)


def _priced(draft: LineDraft) -> LineDraft:
    """The draft with its percents turned into one amount a unit, of 8 places as it is printed."""
    for name, value in (("price", draft.unit_price), ("quantity", draft.quantity), ("discount", draft.discount_each)):
        if -value.normalize().as_tuple().exponent > PRICE_PLACES:  # type: ignore[operator]  # finite, so a number
            raise BillingError(f"{draft.description}: {name} {value} has more than {PRICE_PLACES} decimals")
    if draft.quantity <= 0:
        raise BillingError(f"{draft.description}: quantity {draft.quantity}; above zero, the sign is the price's")
    left = Fraction(draft.unit_price)
    for percent in draft.discounts:
        if not 0 <= percent <= 100:
            raise BillingError(f"{draft.description}: a discount of {percent} percent; 0 to 100")
        left -= left * Fraction(percent) / 100
    each = _to_places(Fraction(draft.unit_price) - left, PRICE_PLACES) + draft.discount_each
    if abs(each) > abs(draft.unit_price) or each * draft.unit_price < 0:
        raise BillingError(f"{draft.description}: discounts of {each} on a price of {draft.unit_price}")
    return replace(draft, discounts=(), discount_each=each)


def _amount(draft: LineDraft) -> Fraction:
    return (Fraction(draft.unit_price) - Fraction(draft.discount_each)) * Fraction(draft.quantity)


def _discounted(drafts: list[LineDraft], discount: Money) -> list[LineDraft]:
    """Take a document's discount off its lines by their value."""
    amounts = [settle(_amount(draft), discount.currency) for draft in drafts]
    together = total(amounts, discount.currency)
    if discount.minor < 0 or together < discount or min(amount.minor for amount in amounts) < 0:
        raise BillingError(f"a discount of {discount} on lines of {together}: none below zero, none beyond the lines")
    if not discount:
        return drafts
    shares = spread(discount, [Fraction(amount.minor * discount.minor, together.minor) for amount in amounts])
    # From what is left of the line, so that the product of its printed factors is rounded to exactly that.
    return [
        replace(draft, discount_each=draft.unit_price - _each(amount - share, draft))
        for draft, amount, share in zip(drafts, amounts, shares, strict=True)
    ]


def _each(amount: Money, draft: LineDraft) -> Decimal:
    """An amount for a line as one for each unit of it, of 8 places; their product, rounded, is the amount again."""
    each = _to_places(Fraction(amount.amount) / Fraction(draft.quantity), PRICE_PLACES)
    if settle(Fraction(each) * Fraction(draft.quantity), amount.currency) != amount:
        raise BillingError(
            f"{draft.description}: {amount} over {draft.quantity} units can't be written with {PRICE_PLACES} decimals;"
            " sell it in larger units"
        )
    return each


def _by_group(drafts: Sequence[LineDraft]) -> dict[TaxTreatment, list[int]]:
    """Which lines are taxed alike: by rate, nature, liability and the law that is named, in order of the lines."""
    groups: dict[tuple[object, ...], tuple[TaxTreatment, list[int]]] = {}
    for index, draft in enumerate(drafts):
        one = draft.treatment
        key = (one.rate.normalize(), one.nature, one.liability)
        groups.setdefault(key, (one, []))[1].append(index)
    return dict(groups.values())


def _group(treatment: TaxTreatment, amounts: list[Money], *, includes_tax: bool) -> tuple[TaxGroup, tuple[Money, ...]]:
    """One group and its lines' nets, which add up to its base."""
    currency = amounts[0].currency
    together = total(amounts, currency)
    factor = 1 + Fraction(treatment.rate) / 100
    if not includes_tax:
        tax = Money(round_half_away(*(together.minor * (factor - 1)).as_integer_ratio()), currency)
        return TaxGroup(treatment, together, tax), tuple(amounts)
    base = Money(round_half_away(*(together.minor / factor).as_integer_ratio()), currency)
    return TaxGroup(treatment, base, together - base), spread(base, [amount.minor / factor for amount in amounts])


def _line(draft: LineDraft, net: Money, *, includes_tax: bool) -> Line:
    if not includes_tax:
        return Line(draft.description, draft.quantity, draft.unit_price, draft.discount_each, net, draft.treatment)
    return Line(draft.description, draft.quantity, _each(net, draft), Decimal(0), net, draft.treatment)


def _to_places(value: Fraction, places: int) -> Decimal:
    return Decimal(round_half_away(*(value * 10**places).as_integer_ratio())).scaleb(-places)
