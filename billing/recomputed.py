"""What stands in the books worked out again from nothing: a document's totals from its lines, an item's charges from what
was agreed, a contract's history from its deeds. Each says what is off, in words; nothing is off when it says nothing.

The counters that the database keeps are not looked at here, so they can be held against this.

Source: billing model section 22: I3 to I5, I9, I11 to I14, I35.

Next: billing/store/checks/catalogue.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from billing.charges import Charge, Discount, Item, Terms, rate
from billing.contract_facts import Status
from billing.due_contract import DueCharge, DueContract, Fee, OnNegative, Position
from billing.errors import BillingError
from billing.money import Money, currency_places, settle
from billing.periods import Period
from billing.rating import rate_contract
from billing.totals import Liability, LineDraft, TaxTreatment, taxed_alike, totals_for

# Rate, nature, liability, law.
Group = tuple[Decimal, str | None, str, str | None]
Groups = dict[Group, tuple[Decimal, Decimal]]
# More than the furthest that a part's due day lies behind its end: a period of a year, a fixed day of a month.
_LATEST_DUE = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A printed line: what its net is worked out from, and how it is taxed."""

    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    rate: Decimal
    nature: str | None
    liability: str
    law: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A document as it stands: its lines, the nets and groups that stand with them, and its sums.

    `takes_rest`: its tax is what is left of a sum, which prices with tax are, an invoice that is given back, and an order.
    """

    currency: str
    takes_rest: bool
    lines: tuple[LineFacts, ...]
    nets: tuple[Decimal, ...]
    groups: tuple[tuple[Decimal, str | None, str, str | None, Decimal, Decimal], ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    payable: Decimal


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge of an item's time as it stands. With a `stop`, it records a time that is left out."""

    id: int
    part: Period
    units: int
    of: int
    full: Money
    discounted: Money
    net: Money
    stop: Period | None = None


def document_faults(facts: DocumentFacts) -> Iterator[str]:
    """What of a document's amounts is not what its lines come to."""
    if not facts.lines:
        yield "it has no lines"
        return
    try:
        nets, groups = _totals(facts.lines, facts.currency)
    except BillingError as error:
        yield str(error)
        return
    # What lies above rests on what lies below: the first level that is off is told alone.
    lines = [
        f"line {number} is {stands} and comes to {ought}"
        for number, (stands, ought) in enumerate(zip(facts.nets, nets, strict=True), 1)
        if stands != ought
    ]
    yield from lines or list(_group_faults(facts, groups)) or _sum_faults(facts)


def charge_faults(item: Item, charged: Sequence[Charged], terms: Terms, discounts: Sequence[Discount]) -> Iterator[str]:
    """What of an item's charges is not what its agreement comes to; they are in order of their days.

    A charge that was made before the item's end was set counts as it would without the end: what it gives back is another.
    """
    if not charged:
        return
    off = list(_time_faults(item, charged))
    if off:
        yield from off
        return
    price = settle(Fraction(item.period_price) * Fraction(item.quantity), terms.currency)
    ought = {one.part: one for one in _rated(item, charged, terms, discounts)}
    for each in charged:
        yield from _charge_faults(each, item, price, ought, terms=terms, discounts=discounts)


def instalment_faults(price: Decimal, quantity: Decimal, currency: str, parts: Sequence[Decimal]) -> Iterator[str]:
    """Whether the instalments of a fee are its price; none at all are no fault."""
    whole = settle(Fraction(price) * Fraction(quantity), currency).amount
    if parts and sum(parts) != whole:
        yield f"its instalments are {sum(parts)} together and its price is {whole}"


def fee_faults(fee: Fee, charged: Sequence[Charged], terms: Terms, discounts: Sequence[Discount]) -> Iterator[str]:
    """What of a fee's charges is not a part of it, on its day and for its amount less the discounts that name it."""
    ought = {one.during.start: one for one in _fee_charges(fee, terms, discounts)}
    for each in charged:
        found = ought.get(each.part.start)
        if found is None:
            yield f"charge {each.id} is for {each.part.start}, on which no part of the fee is due"
        elif (each.full, each.discounted) != (found.full, found.discounted):
            yield (
                f"charge {each.id} of {each.part.start} is {each.full.amount} less {each.discounted.amount},"
                f" its agreement comes to {found.full.amount} less {found.discounted.amount}"
            )


def _time_faults(item: Item, charged: Sequence[Charged]) -> Iterator[str]:
    """Days charged twice or not at all."""
    first = charged[0]
    if first.part.start != item.starts_on:
        yield f"charge {first.id} is its first and begins on {first.part.start}, the item on {item.starts_on}"
    for one, following in pairwise(charged):
        if following.part.start < one.part.end:
            yield f"{following.part.start} is charged twice, by charges {one.id} and {following.id}"
        elif following.part.start > one.part.end:
            yield f"{one.part.end} to {following.part.start} is not charged, between charges {one.id} and {following.id}"


def _rated(item: Item, charged: Sequence[Charged], terms: Terms, discounts: Sequence[Discount]) -> tuple[Charge, ...]:
    """The charges of an item from its beginning to where it is charged, as its agreement stands today."""
    whole = replace(item, billed_through=item.starts_on, ends_on=charged[-1].part.end)
    if discounts:
        return _rated_whole.__wrapped__(whole, terms, tuple(discounts))
    # Without a discount that could name it, an item is like any other of its price and dates.
    return _rated_whole(replace(whole, id=0, family=""), terms, ())


# Those who came in one week for one offer stand near each other.
@lru_cache(maxsize=500)
def _rated_whole(item: Item, terms: Terms, discounts: tuple[Discount, ...]) -> tuple[Charge, ...]:
    """All charges of an item that has an end."""
    assert item.ends_on is not None, "it ends where it is charged"
    try:
        return rate([item], terms, through=item.ends_on + _LATEST_DUE, discounts=discounts).charges
    except BillingError:
        return ()


def _fee_charges(fee: Fee, terms: Terms, discounts: Sequence[Discount]) -> tuple[DueCharge, ...]:
    """All charges of a fee, as a run would make them if none was made."""
    anew = replace(fee, parts=tuple(replace(part, charged=False) for part in fee.parts))
    alone = DueContract(
        id=0,
        customer_id=0,
        payer_id=0,
        status=Status.ACTIVE,
        billing_group=None,
        due_days=0,
        includes_tax=False,
        order_fees=False,
        on_negative=OnNegative.NEXT_DOCUMENT,
        goes_on=False,
        terms=terms,
        fees=(anew,),
        discounts=tuple(discounts),
        positions=(Position(fee.item_id, fee.starts_on, None),),
    )
    return rate_contract(alone, through=date.max).charges


def _charge_faults(
    one: Charged, item: Item, price: Money, ought: dict[Period, Charge], *, terms: Terms, discounts: Sequence[Discount]
) -> Iterator[str]:
    if one.stop is not None:
        if one.net or not (one.stop.start <= one.part.start and one.part.end <= one.stop.end):
            yield f"charge {one.id} of {one.net} for {_days(one.part)} names a stop of {_days(one.stop)}"
        return
    if not (0 <= one.net.minor <= one.full.minor <= price.minor):
        yield f"charge {one.id} is {one.net} of {one.full}, and a whole period is {price}"
        return
    if item.cycle.period_of(one.part.start).end < one.part.end:
        yield f"charge {one.id} for {_days(one.part)} reaches over a boundary"
        return
    found = ought.get(one.part)
    if found is None or not _same(one, found):
        # A time that was cut elsewhere then, such as at an end that was taken back: its pieces add up all the same.
        alone = replace(item, billed_through=one.part.start, ends_on=one.part.end)
        pieces = rate([alone], terms, through=one.part.end + _LATEST_DUE, discounts=discounts).charges
        found = next((piece for piece in pieces if piece.part == one.part), found)
    if found is None:
        yield f"charge {one.id} is for {_days(one.part)}, which its agreement does not charge by itself"
    elif not _same(one, found):
        yield (
            f"charge {one.id} for {_days(one.part)} is {one.full.amount} less {one.discounted.amount} for {one.units}/{one.of},"
            f" its agreement comes to {found.full.amount} less {found.discounted.amount} for {found.units}/{found.of}"
        )


def _same(one: Charged, found: Charge) -> bool:
    return (one.units, one.of, one.full, one.discounted, one.net) == (
        found.units,
        found.of,
        found.full,
        found.discounted,
        found.net,
    )


def _days(part: Period) -> str:
    return f"[{part.start}, {part.end})" if part.end != date.max else f"[{part.start}, …)"


def _group_faults(facts: DocumentFacts, groups: Groups) -> Iterator[str]:
    stand = {
        (rate.normalize(), nature, liability, law): (base, tax)
        for rate, nature, liability, law, base, tax in facts.groups
    }
    # What is left over is up to one unit from the rounded product.
    slack = Decimal(1).scaleb(-currency_places(facts.currency)) if facts.takes_rest else Decimal(0)
    for key, (base, tax) in groups.items():
        if key not in stand:
            yield f"tax group {_group_name(key)} is missing: {base} and {tax} of tax"
        elif stand[key][0] != base or abs(stand[key][1] - tax) > slack:
            yield f"tax group {_group_name(key)} is {stand[key][0]} and {stand[key][1]} of tax, its lines come to {base} and {tax}"
    for key in stand.keys() - groups.keys():
        yield f"tax group {_group_name(key)} has no lines"


def _group_name(key: Group) -> str:
    rate, nature, liability, law = key
    return " ".join((f"{rate:f}%", *([nature] if nature else []), *([f"({law})"] if law else []), liability))


def _sum_faults(facts: DocumentFacts) -> Iterator[str]:
    base = sum((group[4] for group in facts.groups), Decimal(0))
    tax = sum((group[5] for group in facts.groups), Decimal(0))
    split = sum((group[5] for group in facts.groups if group[2] == Liability.SPLIT), Decimal(0))
    for name, stands, ought in (
        ("net", facts.net, base),
        ("tax", facts.tax, tax),
        ("gross", facts.gross, base + tax),
        ("payable", facts.payable, base + tax - split),
    ):
        if stands != ought:
            yield f"its {name} is {stands} and its tax groups come to {ought}"


# An ISP's documents are the same few lines over and over.
@lru_cache(maxsize=20_000)
def _totals(lines: tuple[LineFacts, ...], currency: str) -> tuple[tuple[Decimal, ...], Groups]:
    """The nets of lines and the base and tax of each group, by billing/totals.py."""
    worked = totals_for(
        [
            LineDraft(
                "line",
                one.quantity,
                one.unit_price,
                TaxTreatment("", one.rate, one.nature, one.law, Liability(one.liability)),
                discount_each=one.discount,
            )
            for one in lines
        ],
        currency=currency,
        includes_tax=False,
    )
    groups = {
        (rate, nature, str(liability), law): (group.base.amount, group.tax.amount)
        for group in worked.groups
        for rate, nature, liability, law in [taxed_alike(group.treatment)]
    }
    return tuple(line.net.amount for line in worked.lines), groups
