"""A reminder or formal notice as a step of dunning wrote it becomes the paper that is posted, or goes with a mail.

Everything on it is of the day on which it was written: what was paid since changes nothing of what was asked for.

Source: billing model section 14; italy.md 6 for what a notice names.

Next: billing/papers/template_data.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing.money import Money, total
from billing.papers.paper import Bank, Barcode, Frame, OverdueDocument, PaperKind, ReminderPaper
from billing.papers.parties import recipient_of, sender_of
from billing.papers.transfer_code import transfer_code


@dataclass(frozen=True, slots=True)
class ListedPart:
    """A part of an invoice that was overdue: its number and day, when it was due, the whole, and what was open of it."""

    number: str
    dated: date
    due_on: date
    payable: Money
    open: Money


@dataclass(frozen=True, slots=True)
class WrittenLetter:
    """A letter as its row has it. `nth` is how often was written in that case, with this one.

    `limited_on` is the first day on which the line may be limited, where that was known; else so many `notice_days` after the
    letter came. `channel` is how it goes, `contracts` are as they are named.
    """

    is_formal: bool
    dated: date
    language: str
    issuer: Mapping[str, Any]
    customer: Mapping[str, Any]
    currency: str
    channel: str
    nth: int
    parts: tuple[ListedPart, ...]
    pay_by: date
    limited_on: date | None = None
    notice_days: int | None = None
    law: str | None = None
    contracts: tuple[str, ...] = ()


def letter_paper(written: WrittenLetter, *, language: str | None = None) -> ReminderPaper:
    """What is printed of it, in the language that it was written in or another."""
    spoken, country = language or written.language, str(written.issuer.get("country", ""))
    customer = recipient_of(written.customer, country, spoken)
    frame = Frame(spoken, country, written.dated, sender_of(written.issuer), customer)
    owed = total((one.open for one in written.parts), written.currency)
    bank = _bank(written, customer.number or "")
    code = None if bank is None else transfer_code(bank.iban, bank.holder, owed, bank.reference)
    return ReminderPaper(
        PaperKind.FORMAL_NOTICE if written.is_formal else PaperKind.REMINDER,
        frame,
        written.nth,
        tuple(_overdue(one, written.dated) for one in written.parts),
        owed,
        written.pay_by,
        limited_on=written.limited_on,
        notice_days=written.notice_days,
        contracts=written.contracts,
        law=written.law,
        channel=written.channel,
        bank=bank,
        codes=() if code is None else (Barcode("qr", code, "pay_by_app"),),
    )


def _bank(written: WrittenLetter, customer_number: str) -> Bank | None:
    """What pays one invoice names it; what pays several names the customer."""
    iban = written.issuer.get("iban")
    if not iban:
        return None
    numbers = {one.number for one in written.parts}
    reference = next(iter(numbers)) if len(numbers) == 1 else customer_number
    return Bank(str(iban), str(written.issuer["name"]), reference)


def _overdue(part: ListedPart, dated: date) -> OverdueDocument:
    return OverdueDocument(
        part.number, part.dated, part.due_on, part.payable, part.open, max(0, (dated - part.due_on).days)
    )
