"""What a document is before it has a number: lines with where they come from, totals, due days, and frozen parties.

A draft is what everything that issues hands over: the run, an invoice by hand, a credit note. `billing/store/documents.py`
writes it and gives it its number.

Units: days are civil dates of the issuer's zone; amounts are settled.
Source: billing model sections 9 and 10; schema.sql's section on documents.

Next: billing/postings.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from billing.bank_days import on_bank_days
from billing.errors import BillingError
from billing.money import Money, instalments, zero
from billing.periods import Period
from billing.sentence import Sentence
from billing.tax import StampRule, TaxedCustomer
from billing.totals import LineDraft, Totals, discounted, stamp_duty_for, totals_for


class DocumentKind(StrEnum):
    """Offered, agreed, owed, given back."""

    QUOTE = "quote"
    ORDER = "order"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"

    @property
    def is_booked(self) -> bool:
        """Whether it stands in the ledger."""
        return self in (DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE)


class Purpose(StrEnum):
    """Whether a run or a person made a document; registers go by it."""

    RECURRING = "recurring"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Register:
    """A series of legal numbers; `purpose` or `position_id` None: of any."""

    id: int
    code: str
    kind: DocumentKind
    pattern: str
    purpose: Purpose | None = None
    position_id: int | None = None

    def label(self, number: int, year: int) -> str:
        """A number as it is printed."""
        written = self.pattern.replace("{number}", str(number)).replace("{year}", str(year))
        return written.replace("{code}", self.code)


@dataclass(frozen=True, slots=True)
class IssuerParty:
    """Who invoices. `data` is a JSON object as text: what of it is frozen on its documents; `bank_days` the calendar by which due days move on."""

    id: int
    country: str
    currency: str
    zone: str
    recharges_stamp: bool
    minimum_document: Money | None
    data: str
    bank_days: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerParty:
    """Who owes. `data` is a JSON object as text: what of it is frozen on its documents; `taxed` what taxes go by."""

    taxed: TaxedCustomer
    language: str
    data: str
    has_address: bool

    @property
    def id(self) -> int:
        """The customer's."""
        return self.taxed.id

    def check_address(self) -> None:
        """Raises: BillingError when there is nowhere to send a document to and no place to tax it by."""
        if not self.has_address:
            raise BillingError(
                Sentence(
                    "customer %(id)s has no address: a document can't be addressed or taxed without its seat or billing address",
                    id=self.id,
                )
            )


@dataclass(frozen=True, slots=True)
class Parties:
    """Both sides of a document, as they are today."""

    issuer: IssuerParty
    customer: CustomerParty


class Source(Struct, frozen=True):
    """Where a line comes from. `charge_id` is a charge that waited and is billed by it; `corrects` a document and its line."""

    product_id: int | None = None
    contract_id: int | None = None
    item_id: int | None = None
    charge_id: int | None = None
    during: Period | None = None
    corrects: tuple[int, int] | None = None


NOWHERE = Source()


class DraftLine(Struct, frozen=True):
    """What is charged, the revenue account that its net goes to, and where it comes from."""

    priced: LineDraft
    account_id: int
    source: Source = NOWHERE


class Due(Struct, frozen=True):
    """A part of a document and when it is to be paid."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Stamp:
    """A country's stamp duty: when it is owed, and the line that recharges it to the customer, if the issuer does so."""

    rule: StampRule
    recharge: DraftLine | None = None


class Draft(Struct, frozen=True):
    """A document without its number. `totals` has the lines' amounts in the same order."""

    kind: DocumentKind
    issuer_id: int
    customer_id: int
    register_id: int
    document_date: date
    currency: str
    includes_tax: bool
    lines: tuple[DraftLine, ...]
    totals: Totals
    dues: tuple[Due, ...]
    stamp_duty: Money
    issuer_data: str
    customer_data: str
    language: str
    run_id: int | None = None
    from_id: int | None = None
    corrects_id: int | None = None
    reason: str | None = None
    valid_until: date | None = None
    is_advance: bool = False


def _check_above_zero(totals: Totals) -> None:
    if totals.payable.minor < 0 or totals.gross < totals.payable:
        raise BillingError(
            Sentence("a document of %(gross)s: below zero it is a credit note of what it corrects", gross=totals.gross)
        )


def draft_document(
    lines: Sequence[DraftLine],
    parties: Parties,
    *,
    register: Register,
    document_date: date,
    currency: str,
    includes_tax: bool,
    due_on: Sequence[date] = (),
    stamp: Stamp | None = None,
    discount: Money | None = None,
    run_id: int | None = None,
    from_id: int | None = None,
    reason: str | None = None,
    valid_until: date | None = None,
) -> Draft:
    """A document of these lines with its totals, stamp duty and due days; its kind is the register's.

    What is payable falls due in equal parts on the days of `due_on`, the rest of the division with the first; where the issuer wants that,
    on the next bank day.
    Raises: BillingError for a customer without an address, no line, an amount below zero (that is a credit note), and what
        `totals_for` refuses.
    """
    parties.customer.check_address()
    lines, totals, duty = _added_up(lines, currency, includes_tax=includes_tax, stamp=stamp, discount=discount)
    _check_above_zero(totals)
    return Draft(
        kind=register.kind,
        issuer_id=parties.issuer.id,
        customer_id=parties.customer.id,
        register_id=register.id,
        document_date=document_date,
        currency=currency,
        includes_tax=includes_tax,
        lines=tuple(lines),
        totals=totals,
        dues=dues_for(totals.payable, on_bank_days(due_on, parties.issuer.bank_days))
        if register.kind is DocumentKind.INVOICE
        else (),
        stamp_duty=duty,
        issuer_data=parties.issuer.data,
        customer_data=parties.customer.data,
        language=parties.customer.language,
        run_id=run_id,
        from_id=from_id,
        reason=reason,
        valid_until=valid_until,
    )


def _added_up(
    lines: Sequence[DraftLine], currency: str, *, includes_tax: bool, stamp: Stamp | None, discount: Money | None
) -> tuple[Sequence[DraftLine], Totals, Money]:
    """The lines less a discount of the whole document, with a recharged stamp; their totals; the stamp duty."""
    if discount is not None:
        # Before the stamp, which is no price of the issuer's.
        priced = discounted([line.priced for line in lines], discount)
        lines = [replace(line, priced=one) for line, one in zip(lines, priced, strict=True)]
    totals = totals_for([line.priced for line in lines], currency=currency, includes_tax=includes_tax)
    duty = zero(currency)
    if stamp is not None:
        duty = stamp_duty_for(totals.lines, above=stamp.rule.above, duty=stamp.rule.duty)
        if duty and stamp.recharge is not None:
            lines = (*lines, stamp.recharge)
            totals = totals_for([line.priced for line in lines], currency=currency, includes_tax=includes_tax)
    return lines, totals, duty


def dues_for(payable: Money, days: Sequence[date]) -> tuple[Due, ...]:
    """Equal parts of an amount, one a day; of nothing, nothing is due.

    Raises: BillingError without a day, or for more days than the amount has smallest units.
    """
    if not payable:
        return ()
    if not days:
        raise BillingError(Sentence("%(payable)s are to be paid on no day: name when", payable=payable))
    if payable.minor < len(days):
        raise BillingError(
            Sentence(
                "%(payable)s in %(days)s parts: each is at least the smallest coin", payable=payable, days=len(days)
            )
        )
    return tuple(Due(day, part) for day, part in zip(sorted(days), instalments(payable, len(days)), strict=True))


def due_days(document_date: date, days: Sequence[int]) -> tuple[date, ...]:
    """The days so many days after a document's."""
    return tuple(document_date + timedelta(days=count) for count in days)


def register_for(
    registers: Sequence[Register], kind: DocumentKind, *, purpose: Purpose, position_id: int | None
) -> Register:
    """The most specific register that a document fits in: by the customer's fiscal position first, then by purpose.

    Raises: BillingError when there is none.
    """
    fitting = [
        one
        for one in registers
        if one.kind is kind and one.purpose in (None, purpose) and one.position_id in (None, position_id)
    ]
    if not fitting:
        raise BillingError(
            Sentence(
                "no register numbers a %(purpose)s %(kind)s: make one with `corrente issuer`",
                purpose=purpose,
                kind=kind.replace("_", " "),
            )
        )
    return max(fitting, key=lambda one: (one.position_id is not None, one.purpose is not None, -one.id))
