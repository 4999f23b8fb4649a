"""What is printed, as plain data: a document, a statement, a letter. Whoever has the figures fills these in.

A paper holds amounts, days and words as they are, not as they are written: billing/papers/spelling.py writes them in the
language and manner of the paper's reader, and a template (billing/papers/templates) lays them out. User text is data and
never markup.

Units: `Money` is settled; days are civil dates of the issuer's zone; percents are exact.

Next: billing/papers/documents.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from billing.money import Money


class PaperKind(StrEnum):
    """Each has a template of its name."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    QUOTE = "quote"
    ORDER = "order"
    STATEMENT = "statement"
    RECEIPT = "receipt"
    REMINDER = "reminder"
    FORMAL_NOTICE = "formal_notice"
    CONTRACT = "contract"
    PORTAL_INVITATION = "portal_invitation"
    CASH_SESSION = "cash_session"
    AGENT_SETTLEMENT = "agent_settlement"


@dataclass(frozen=True, slots=True)
class Price:
    """What one costs: more places than the currency has, where the price has them."""

    each: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Percent:
    """22 is 22 %."""

    percent: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """From the first day to the last, both with it."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class PrintedParty:
    """A side of a paper. `address` is its lines below the name, `numbers` its tax numbers, each under what it is called."""

    name: str
    address: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()
    email: str | None = None
    phone: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Bank:
    """Where to pay by transfer, and what the customer writes on it. `holder` is who has the account."""

    iban: str
    holder: str
    reference: str


@dataclass(frozen=True, slots=True)
class Barcode:
    """A code to be read by a machine: its text, and what it is for as a word of the wording (`pay_by_app`, `pay_online`).

    `symbology` is one of billing/papers/symbols.py; a code that no reader would take is left out when it is drawn.
    """

    symbology: str
    text: str
    word: str


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in: when, how, how much."""

    value_on: date
    method: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Frame:
    """What all papers have. `dated` is their day, which is their time for the file too: the same paper gives the same bytes."""

    language: str
    country: str
    dated: date
    sender: PrintedParty
    recipient: PrintedParty
    number: str | None = None


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of a document; `carried` is the sum of the lines up to it."""

    number: int
    description: str
    during: Span | None
    quantity: Decimal
    unit_price: Price
    discount: Price | None
    rate: Percent
    nature: str | None
    net: Money
    carried: Money


@dataclass(frozen=True, slots=True)
class PrintedTax:
    """All lines that are taxed alike; `liability` is a word of the wording unless the tax is owed at once."""

    rate: Percent
    nature: str | None
    law: str | None
    liability: str | None
    base: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class PrintedDue:
    """What is to be paid by when."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class DocumentPaper:
    """An invoice, credit note, quote or order. A draft has no number in its frame.

    `title` is a word of the wording; `to_state` the tax that the customer pays to the state itself.
    """

    kind: PaperKind
    frame: Frame
    title: str
    lines: tuple[PrintedLine, ...]
    taxes: tuple[PrintedTax, ...]
    net: Money
    tax: Money
    gross: Money
    payable: Money
    to_state: Money | None = None
    stamp_duty: Money | None = None
    dues: tuple[PrintedDue, ...] = ()
    bank: Bank | None = None
    codes: tuple[Barcode, ...] = ()
    corrects: str | None = None
    reason: str | None = None
    valid_until: date | None = None
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of a customer's account, with what the customer owes after it; `what` is a word of the wording, and `method`, a way
    of paying, is one or a name that the operator gave it.
    """

    dated: date
    what: str
    reference: str
    due_on: date | None
    debit: Money | None
    credit: Money | None
    balance: Money
    method: str | None = None


@dataclass(frozen=True, slots=True)
class StatementPart:
    """A customer's account in one currency."""

    currency: str
    lines: tuple[StatementLine, ...]
    balance: Money

    @property
    def standing(self) -> Money:
        """What is owed, or what the customer has, without a sign."""
        return self.balance if self.balance.minor >= 0 else -self.balance


@dataclass(frozen=True, slots=True)
class StatementPaper:
    """A customer's account over a time."""

    kind: PaperKind
    frame: Frame
    during: Span
    parts: tuple[StatementPart, ...]
    bank: Bank | None = None


@dataclass(frozen=True, slots=True)
class PaidDocument:
    """What of a payment went on which document."""

    number: str
    dated: date
    amount: Money


@dataclass(frozen=True, slots=True)
class ReceiptPaper:
    """That money was received. `size` is a4, 80mm or 58mm (the width of a roll); `rest` stays the customer's credit.

    `method` is a word of the wording or a name; `reversed_on` says that it counts no more.
    """

    kind: PaperKind
    frame: Frame
    size: str
    received_at: datetime
    method: str
    amount: Money
    documents: tuple[PaidDocument, ...]
    rest: Money | None = None
    still_open: Money | None = None
    collector: str | None = None
    reference: str | None = None
    codes: tuple[Barcode, ...] = ()
    reversed_on: date | None = None


@dataclass(frozen=True, slots=True)
class OverdueDocument:
    """An open part of an invoice in a letter."""

    number: str
    dated: date
    due_on: date
    payable: Money
    open: Money
    days_over: int


@dataclass(frozen=True, slots=True)
class ReminderPaper:
    """That something should have been paid: a reminder, or by its kind the formal notice before service is limited.

    `step` is how often was written of it, with this, from 1; `limited_on` the first day on which service may be limited, or
    `notice_days` so many days after this came; `law` the provisions that it goes by, `channel` how it is sent: a word of the
    wording, or as it is printed (a registered letter's number).
    """

    kind: PaperKind
    frame: Frame
    step: int
    documents: tuple[OverdueDocument, ...]
    open: Money
    pay_by: date
    fees: Money | None = None
    limited_on: date | None = None
    notice_days: int | None = None
    contracts: tuple[str, ...] = ()
    law: str | None = None
    channel: str | None = None
    bank: Bank | None = None
    codes: tuple[Barcode, ...] = ()

    @property
    def together(self) -> Money:
        """What is open with the fees."""
        return self.open if self.fees is None else self.open + self.fees


@dataclass(frozen=True, slots=True)
class AgreedItem:
    """What a contract sells; `months` is what one price is for, None: paid once."""

    description: str
    quantity: Decimal
    unit_price: Price
    months: int | None


@dataclass(frozen=True, slots=True)
class AgreedDiscount:
    """What is taken off: a share or an amount a month, from a day on (`since`) or for a time (`during`)."""

    description: str
    share: Percent | None
    amount: Price | None
    since: date | None
    during: Span | None


@dataclass(frozen=True, slots=True)
class ContractPaper:
    """What was agreed, for both to sign. `early_exit` are months of service, counted from 1, and what leaving costs from then on."""

    kind: PaperKind
    frame: Frame
    items: tuple[AgreedItem, ...]
    includes_tax: bool
    starts_on: date | None
    minimum_months: int | None
    notice_days: int | None
    service_address: tuple[str, ...] = ()
    early_exit: tuple[tuple[int, Money], ...] = ()
    conditions: tuple[str, ...] = ()
    discounts: tuple[AgreedDiscount, ...] = ()


@dataclass(frozen=True, slots=True)
class Denomination:
    """Notes or coins of one value that were counted."""

    value: Money
    count: int
    amount: Money


@dataclass(frozen=True, slots=True)
class CollectedPayment:
    """A payment that a collector took."""

    receipt: str
    customer: str
    received_at: datetime
    method: str
    amount: Money


@dataclass(frozen=True, slots=True)
class CashMovement:
    """What changed the cash beside payments: `what` is a word of the wording, `amount` is below zero where it went out."""

    what: str
    text: str
    amount: Money


@dataclass(frozen=True, slots=True)
class CashSessionPaper:
    """The day's takings handed over: what was counted against what should be there. `difference` below zero is missing.

    Its recipient is who hands over, its sender's side who takes.
    """

    kind: PaperKind
    frame: Frame
    opened_at: datetime
    closed_at: datetime
    opening: Money
    payments: tuple[CollectedPayment, ...]
    denominations: tuple[Denomination, ...]
    expected: Money
    counted: Money
    difference: Money
    taken_by: str | None = None
    movements: tuple[CashMovement, ...] = ()


@dataclass(frozen=True, slots=True)
class SettledCommission:
    """What an agent earned of a contract, or what was taken back; `cause` is a word of the wording, `base` what it is reckoned from."""

    earned_on: date
    contract: str
    invoice: str | None
    cause: str
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class SettlementPaper:
    """What an agent is paid for, up to and with a day; below zero the agent owes it."""

    kind: PaperKind
    frame: Frame
    through: date
    commissions: tuple[SettledCommission, ...]
    amount: Money
    undone_on: date | None = None


@dataclass(frozen=True, slots=True)
class InvitationPaper:
    """How a customer comes into the portal: the address that lets in once, until a day."""

    kind: PaperKind
    frame: Frame
    page: str
    until: date
    codes: tuple[Barcode, ...] = ()


Paper = (
    DocumentPaper
    | StatementPaper
    | ReceiptPaper
    | ReminderPaper
    | ContractPaper
    | CashSessionPaper
    | SettlementPaper
    | InvitationPaper
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file inside the paper, such as the electronic invoice that it shows. `relation`: alternative, data, source, supplement."""

    name: str
    media_type: str
    text: str
    description: str
    relation: str = "alternative"
