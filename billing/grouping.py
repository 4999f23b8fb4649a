"""Which charges share a document, which wait for the next one, and which came to nothing.

Contracts of one payer, currency, billing group and due terms share a document; a contract without a group has its own. What
gives back as much as it charges or more becomes credit notes or waits, as its contract agreed; a contract that gets no
further document does not wait.

Units: amounts in the prices of the contracts, with or without tax; all charges of a document have the same.
Source: billing model sections 8, 10 and 11.

Next: billing/documents.py
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby

from msgspec import Struct

from billing.documents import DocumentKind
from billing.due_contract import DueCharge, OnNegative, RatedContract
from billing.errors import BillingError
from billing.money import Money, settle
from billing.sentence import Sentence
from billing.totals import PRICE_PLACES

_ONE = Decimal(1)
_PRICE_STEP = _ONE.scaleb(-PRICE_PLACES)


class Claim(Struct, frozen=True):
    """A charge with the contract that owes it. `taxed` tells apart what is not taxed alike."""

    contract_id: int
    charge: DueCharge
    taxed: Hashable


class Sheet(Struct, frozen=True):
    """What stands on one document; of a credit note, which document it corrects."""

    kind: DocumentKind
    customer_id: int
    currency: str
    includes_tax: bool
    due_days: int
    claims: tuple[Claim, ...]
    corrects_id: int | None = None

    @property
    def contract_ids(self) -> tuple[int, ...]:
        """Its contracts in order, each once."""
        return tuple(dict.fromkeys(one.contract_id for one in self.claims))

    @property
    def was_carried(self) -> bool:
        """Whether something on it has waited since a run of a day before."""
        return any(one.charge.carried for one in self.claims)


@dataclass(frozen=True, slots=True)
class Grouped:
    """Documents in order of customer and contract; charges that wait; charges that no document needs."""

    sheets: tuple[Sheet, ...]
    waiting: tuple[Claim, ...]
    covered: tuple[Claim, ...]


class Factors(Struct, frozen=True):
    """A charge as it is printed: quantity, price and discount of one unit."""

    quantity: Decimal
    unit_price: Decimal
    discount_each: Decimal


def group_charges(
    rated: Sequence[RatedContract],
    *,
    taxed_as: Callable[[int, DueCharge], Hashable],
    with_tax: Callable[[Sequence[Claim]], bool] = bool,
) -> Grouped:
    """The documents of all these contracts. `taxed_as` says of a contract's charge what is equal for those taxed alike, `with_tax` of
    charges some of which give back whether they are an invoice with their taxes too.
    """
    sheets: list[Sheet] = []
    waiting: list[Claim] = []
    covered: list[Claim] = []
    in_order = sorted((one for one in rated if one.charges), key=_group)
    for _, members in groupby(in_order, key=_group):
        contracts = list(members)
        claims = [
            Claim(one.contract.id, charge, taxed_as(one.contract.id, charge))
            for one in contracts
            for charge in one.charges
        ]
        made = _documents(contracts, claims, with_tax)
        sheets += made.sheets
        waiting += made.waiting
        covered += made.covered
    sheets.sort(key=lambda one: (one.customer_id, one.claims[0].contract_id, one.kind != DocumentKind.INVOICE))
    return Grouped(tuple(sheets), tuple(waiting), tuple(covered))


def factors_of(charge: DueCharge, quantity: Decimal) -> Factors:
    """Printed factors whose product, rounded, is the charge: its price is over the units of its item.

    Raises: BillingError when 8 decimals of a price can't express it for so many units.
    """
    full, off = charge.full.amount, charge.discounted.amount
    if quantity == _ONE:
        return Factors(_ONE, full, off)
    unit = (full / quantity).quantize(_PRICE_STEP, ROUND_HALF_UP)
    each = unit - ((full - off) / quantity).quantize(_PRICE_STEP, ROUND_HALF_UP)
    if settle((unit - each) * quantity, charge.net.currency) != charge.net:
        raise BillingError(
            Sentence(
                "%(net)s over %(quantity)s units of item %(item_id)s can't be written with %(price_places)s decimals; sell it in larger units",
                net=charge.net,
                quantity=quantity,
                item_id=charge.item_id,
                price_places=PRICE_PLACES,
            )
        )
    return Factors(quantity, unit, each)


def _group(rated: RatedContract) -> tuple[object, ...]:
    """What contracts on one document have in common; those of a group come with their first contract."""
    one = rated.contract
    common = (one.payer_id, one.terms.currency, one.includes_tax, one.due_days)
    return (*common, 0, one.billing_group) if one.billing_group is not None else (*common, one.id, "")


def _documents(
    contracts: Sequence[RatedContract], claims: Sequence[Claim], with_tax: Callable[[Sequence[Claim]], bool]
) -> Grouped:
    """What becomes of the charges of one group."""
    nothing = [one for one in claims if not one.charge.full]
    rest = [one for one in claims if one.charge.full]
    payer = contracts[0].contract.payer_id
    # What is given back of another customer's document can't stand on this one's.
    foreign = [one for one in rest if one.charge.corrects is not None and one.charge.corrects.customer_id != payer]
    own = [one for one in rest if one not in foreign] if foreign else rest
    notes = _credit_notes(contracts, foreign)
    if _is_owed(own, with_tax):
        return Grouped((_invoice(contracts, own), *notes), (), tuple(nothing))
    # What gives back of a line goes to a document, though something as dear is charged beside it: covered, what was charged
    # would have no line that a later credit could correct, and the line would look as if all of it were left.
    given = [one for one in own if one.charge.corrects is not None]
    if not given and _is_nothing(own):
        return Grouped(notes, (), (*nothing, *own))
    if not _gives_back_now(contracts):
        return Grouped(notes, tuple(own), tuple(nothing))
    left = [one for one in own if one not in given]
    notes = (*_credit_notes(contracts, given), *notes)
    if _is_owed(left, with_tax):
        return Grouped((_invoice(contracts, left), *notes), (), tuple(nothing))
    if _is_nothing(left):
        return Grouped(notes, (), (*nothing, *left))
    return Grouped(notes, tuple(left), tuple(nothing))


def _is_owed(claims: Sequence[Claim], with_tax: Callable[[Sequence[Claim]], bool]) -> bool:
    """Whether charges are an invoice: above zero, and with their taxes not below it, as a fee without tax beside less given back with it is."""
    amounts = [one.charge.net.minor for one in claims]
    return sum(amounts) > 0 and (min(amounts) >= 0 or with_tax(claims))


def _is_nothing(claims: Iterable[Claim]) -> bool:
    """Whether charges are nothing together, taxes and all."""
    by_tax: dict[Hashable, int] = {}
    for one in claims:
        by_tax[one.taxed] = by_tax.get(one.taxed, 0) + one.charge.net.minor
    return not any(by_tax.values())


def _gives_back_now(contracts: Sequence[RatedContract]) -> bool:
    agreed = any(one.contract.on_negative is OnNegative.CREDIT_NOTE for one in contracts)
    return agreed or not any(one.contract.goes_on for one in contracts)


def _invoice(contracts: Sequence[RatedContract], claims: Sequence[Claim]) -> Sheet:
    one = contracts[0].contract
    return Sheet(DocumentKind.INVOICE, one.payer_id, one.terms.currency, one.includes_tax, one.due_days, tuple(claims))


def _credit_notes(contracts: Sequence[RatedContract], claims: Sequence[Claim]) -> tuple[Sheet, ...]:
    """One for each document that charges give back of, to its customer."""
    first = contracts[0].contract
    by_document: dict[tuple[int, int], list[Claim]] = {}
    for one in claims:
        assert one.charge.corrects is not None, f"{one} corrects no line"
        key = (one.charge.corrects.customer_id, one.charge.corrects.document_id)
        by_document.setdefault(key, []).append(one)
    return tuple(
        Sheet(
            DocumentKind.CREDIT_NOTE,
            customer,
            first.terms.currency,
            first.includes_tax,
            first.due_days,
            tuple(members),
            corrects_id=document,
        )
        for (customer, document), members in sorted(by_document.items())
    )


def is_too_little(amount: Money, sheet: Sheet, *, minimum: Money | None) -> bool:
    """Whether an invoice waits for the next run because it comes to less than the issuer's minimum; once only."""
    if minimum is None or sheet.kind is not DocumentKind.INVOICE or amount.currency != minimum.currency:
        return False
    return amount < minimum and not sheet.was_carried
