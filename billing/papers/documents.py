"""A document as it was issued, or a draft, becomes the paper that is printed: nothing here works out an amount.

Source: italy.md 1.5 for what stands on paper of stamp duty; billing model sections 9 and 10.

Next: billing/papers/statements.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from billing.money import Money, zero
from billing.papers.paper import (
    Bank,
    Barcode,
    DocumentPaper,
    Frame,
    PaperKind,
    Payment,
    Percent,
    Price,
    PrintedDue,
    PrintedLine,
    PrintedTax,
    Span,
)
from billing.papers.parties import recipient_of, sender_of
from billing.papers.transfer_code import transfer_code
from billing.periods import Period
from billing.shown import ShownDocument, ShownLine

_ONE_DAY = timedelta(days=1)


def document_paper(
    document: ShownDocument,
    *,
    language: str | None = None,
    payments: Sequence[Payment] = (),
    codes: Sequence[Barcode] = (),
) -> DocumentPaper:
    """What is printed of it, in its own language or another; `codes` stand beside the bank's own."""
    issuer = document.issuer
    sender = sender_of(issuer)
    kind = PaperKind(document.kind)
    frame = Frame(
        language or document.language,
        str(issuer.get("country", "")),
        document.document_date,
        sender,
        recipient_of(document.customer, str(issuer.get("country", "")), language or document.language),
        document.label,
    )
    bank = _bank(document)
    return DocumentPaper(
        kind=kind,
        frame=frame,
        title="advance" if document.is_advance else str(kind),
        lines=_lines(document),
        taxes=_taxes(document),
        net=document.net,
        tax=document.tax,
        gross=document.gross,
        payable=document.payable,
        to_state=(document.gross - document.payable) or None,
        stamp_duty=document.stamp_duty or None,
        dues=tuple(PrintedDue(due.due_on, due.amount) for due in document.dues),
        bank=bank,
        codes=(*_transfer(bank, document), *codes),
        corrects=document.corrects,
        reason=document.reason,
        valid_until=document.valid_until,
        payments=tuple(payments),
    )


def _taxes(document: ShownDocument) -> tuple[PrintedTax, ...]:
    return tuple(
        PrintedTax(
            Percent(group.rate),
            group.nature,
            group.legal_reference,
            None if group.liability == "immediate" else group.liability,
            group.base,
            group.tax,
        )
        for group in document.groups
    )


def _bank(document: ShownDocument) -> Bank | None:
    """An invoice that has something to pay says where."""
    iban = document.issuer.get("iban")
    if document.kind != "invoice" or not iban or not document.payable:
        return None
    return Bank(str(iban), str(document.issuer["name"]), document.label or "")


def _transfer(bank: Bank | None, document: ShownDocument) -> tuple[Barcode, ...]:
    """A code for what falls due first, since a transfer has one amount; a draft has no number to pay under."""
    if bank is None or document.label is None:
        return ()
    amount = document.dues[0].amount if document.dues else document.payable
    text = transfer_code(bank.iban, bank.holder, amount, bank.reference)
    return () if text is None else (Barcode("qr", text, "pay_by_app"),)


def _lines(document: ShownDocument) -> tuple[PrintedLine, ...]:
    carried = zero(document.currency)
    lines = []
    for line in document.lines:
        carried += line.net
        lines.append(_line(line, document.currency, carried))
    return tuple(lines)


def _line(line: ShownLine, currency: str, carried: Money) -> PrintedLine:
    return PrintedLine(
        number=line.number,
        description=line.description,
        during=span_of(line.during),
        quantity=line.quantity,
        unit_price=Price(line.unit_price, currency),
        discount=Price(line.discount, currency) if line.discount else None,
        rate=Percent(line.rate),
        nature=line.nature,
        net=line.net,
        carried=carried,
    )


def span_of(period: Period | None) -> Span | None:
    """With its last day, as people write it."""
    return None if period is None else Span(period.start, period.end - _ONE_DAY)
