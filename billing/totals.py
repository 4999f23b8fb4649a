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
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from billing.errors import BillingError
from billing.money import Money, percent_of, round_half_away, settle_product, settle_ratio, spread, total, zero
from billing.sentence import Sentence

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
            raise BillingError(
                Sentence(
                    "tax code %(code)s: with nature %(nature)s its rate is 0 and its law is named",
                    code=self.code,
                    nature=self.nature,
                )
            )
        if self.nature is not None and self.liability is Liability.SPLIT:
            raise BillingError(
                Sentence(
                    "tax code %(code)s: with nature %(nature)s there is no tax that the customer could pay to the state (SDI 00420); its liability is not split",
                    code=self.code,
                    nature=self.nature,
                )
            )


class LineDraft(Struct, frozen=True):
    """What is charged on one line, in the prices of the document: with tax or without it.

    `discounts` are percent of the unit price, each on what the one before left; `discount_each` an amount a unit after them.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    treatment: TaxTreatment
    discounts: tuple[Decimal, ...] = ()
    discount_each: Decimal = Decimal(0)


class Line(Struct, frozen=True):
    """One line as it is printed, without tax: `(unit_price - discount) * quantity`, rounded, is its net."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    net: Money
    treatment: TaxTreatment


class TaxGroup(Struct, frozen=True):
    """All that is taxed alike: its base is the sum of its lines' nets."""

    treatment: TaxTreatment
    base: Money
    tax: Money


class Totals(Struct, frozen=True):
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
        raise BillingError(Sentence("a document without lines"))
    priced = [_priced(draft) for draft in drafts] if discount is None else discounted(drafts, discount)
    amounts = tuple(_amount(draft, currency) for draft in priced)
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


def discounted(drafts: Sequence[LineDraft], discount: Money) -> list[LineDraft]:
    """The lines with a discount on all of them together taken off by their value, as an amount a unit.

    Raises: BillingError for a discount below zero or beyond the lines.
    """
    drafts = [_priced(draft) for draft in drafts]
    amounts = [_amount(draft, discount.currency) for draft in drafts]
    together = total(amounts, discount.currency)
    if discount.minor < 0 or together < discount or min(amount.minor for amount in amounts) < 0:
        raise BillingError(
            Sentence(
                "a discount of %(discount)s on lines of %(together)s: none below zero, none beyond the lines",
                discount=discount,
                together=together,
            )
        )
    if not discount:
        return drafts
    shares = spread(discount, [Fraction(amount.minor * discount.minor, together.minor) for amount in amounts])
    # From what is left of the line, so that the product of its printed factors is rounded to exactly that.
    return [
        replace(draft, discount_each=draft.unit_price - _each(amount - share, draft))
        for draft, amount, share in zip(drafts, amounts, shares, strict=True)
    ]


def with_net(line: Line, net: Money) -> Line:
    """A printed line with another net: its price worked back from that.

    Raises: BillingError when a price of 8 places can't express it for so many units.
    """
    return replace(line, net=net, unit_price=_each(net, line), discount=Decimal(0))


def taxed_alike(treatment: TaxTreatment) -> tuple[Decimal, str | None, Liability, str | None]:
    """What is equal for lines of one tax group: two laws of one nature are two groups.

    Source: FatturaPA: a DatiRiepilogo has one RiferimentoNormativo, and a nature may have several of them.
    """
    law = treatment.legal_reference if treatment.nature is not None else None
    return treatment.rate.normalize(), treatment.nature, treatment.liability, law


def stamp_duty_for(lines: Sequence[Line], *, above: Money, duty: Money) -> Money:
    """What a document owes when its lines that bear stamp duty are above a sum; exactly that sum owes nothing.

    Source: IT: DPR 642/72, tariff art. 13: 2.00 above 77.47.
    """
    bearing = total((line.net for line in lines if line.treatment.bears_stamp), duty.currency)
    return duty if above < bearing else zero(duty.currency)


def _priced(draft: LineDraft) -> LineDraft:
    """The draft with its percents turned into one amount a unit, of 8 places as it is printed."""
    for name, value in (("price", draft.unit_price), ("quantity", draft.quantity), ("discount", draft.discount_each)):
        if not _fits(value):
            raise BillingError(
                Sentence(
                    "%(description)s: %(name)s %(value)s has more than %(price_places)s decimals",
                    description=draft.description,
                    name=name,
                    value=value,
                    price_places=PRICE_PLACES,
                )
            )
    if draft.quantity <= 0:
        raise BillingError(
            Sentence(
                "%(description)s: quantity %(quantity)s; above zero, the sign is the price's",
                description=draft.description,
                quantity=draft.quantity,
            )
        )
    each = draft.discount_each
    if draft.discounts:
        each += _of_percents(draft)
    if each and (abs(each) > abs(draft.unit_price) or (each < 0) != (draft.unit_price < 0)):
        raise BillingError(
            Sentence(
                "%(description)s: discounts of %(each)s on a price of %(unit_price)s",
                description=draft.description,
                each=each,
                unit_price=draft.unit_price,
            )
        )
    return replace(draft, discounts=(), discount_each=each) if draft.discounts else draft


def _of_percents(draft: LineDraft) -> Decimal:
    """What a draft's percents take off a unit."""
    left = Fraction(draft.unit_price)
    for percent in draft.discounts:
        if not 0 <= percent <= 100:
            raise BillingError(
                Sentence(
                    "%(description)s: a discount of %(percent)s percent; 0 to 100",
                    description=draft.description,
                    percent=percent,
                )
            )
        left -= left * Fraction(percent) / 100
    return _to_places(Fraction(draft.unit_price) - left, PRICE_PLACES)


def _fits(value: Decimal) -> bool:
    """Whether a number can be written with the places of prices; zeros behind them don't count."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -PRICE_PLACES:
        return True
    return -value.normalize().as_tuple().exponent <= PRICE_PLACES  # type: ignore[operator]  # finite, so a number


def _amount(draft: LineDraft, currency: str) -> Money:
    """`(unit_price - discount) * quantity`, rounded once."""
    price, of_price = draft.unit_price.as_integer_ratio()
    off, of_off = draft.discount_each.as_integer_ratio()
    units, of_units = draft.quantity.as_integer_ratio()
    return settle_ratio((price * of_off - off * of_price) * units, of_price * of_off * of_units, currency)


def _each(amount: Money, draft: LineDraft | Line) -> Decimal:
    """An amount for a line as one for each unit of it, of 8 places; their product, rounded, is the amount again."""
    if draft.quantity == 1:
        return amount.amount
    each = _to_places(Fraction(amount.amount) / Fraction(draft.quantity), PRICE_PLACES)
    if settle_product(each, draft.quantity, amount.currency) != amount:
        raise BillingError(
            Sentence(
                "%(description)s: %(amount)s over %(quantity)s units can't be written with %(price_places)s decimals; sell it in larger units",
                description=draft.description,
                amount=amount,
                quantity=draft.quantity,
                price_places=PRICE_PLACES,
            )
        )
    return each


def _by_group(drafts: Sequence[LineDraft]) -> dict[TaxTreatment, list[int]]:
    """Which lines are taxed alike, in order of the lines."""
    groups: dict[tuple[object, ...], tuple[TaxTreatment, list[int]]] = {}
    for index, draft in enumerate(drafts):
        groups.setdefault(taxed_alike(draft.treatment), (draft.treatment, []))[1].append(index)
    return dict(groups.values())


def _group(treatment: TaxTreatment, amounts: list[Money], *, includes_tax: bool) -> tuple[TaxGroup, tuple[Money, ...]]:
    """One group and its lines' nets, which add up to its base."""
    currency = amounts[0].currency
    together = total(amounts, currency)
    if not includes_tax:
        return TaxGroup(treatment, together, percent_of(together, treatment.rate)), tuple(amounts)
    factor = 1 + Fraction(treatment.rate) / 100
    base = Money(round_half_away(*(together.minor / factor).as_integer_ratio()), currency)
    nets = (base,) if len(amounts) == 1 else spread(base, [amount.minor / factor for amount in amounts])
    return TaxGroup(treatment, base, together - base), nets


def _line(draft: LineDraft, net: Money, *, includes_tax: bool) -> Line:
    if not includes_tax:
        return Line(draft.description, draft.quantity, draft.unit_price, draft.discount_each, net, draft.treatment)
    return Line(draft.description, draft.quantity, _each(net, draft), Decimal(0), net, draft.treatment)


def _to_places(value: Fraction, places: int) -> Decimal:
    return Decimal(round_half_away(*(value * 10**places).as_integer_ratio())).scaleb(-places)
