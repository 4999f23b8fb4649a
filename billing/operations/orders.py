"""Orders and their invoices: advances, the final one that deducts them, or credit notes when the order is cancelled.

Together the invoices of an order are the order to the cent (billing/advances.py). The taxes are the order's: when the law
has changed a rate since, the order can't be invoiced as it was agreed, and that is said. Stamp duty comes on top of what was
ordered, on each invoice that owes it. Who comes second waits for who invoices, and is told what happened.

Units: days of the issuer's zone. The caller owns the transaction and has named the actor (billing/store/acting.py).
Raises: OfferError, which names the document and what to do; AdvanceError.
Source: billing model section 10; issue_documents() in schema.sql holds that no advance is deducted twice.

Next: billing/store/documents.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from msgspec.structs import replace

from billing.advances import advance_for, percent_of, rest_for
from billing.bank_days import on_bank_days
from billing.documents import DocumentKind, Draft, DraftLine, Source, draft_document
from billing.money import Money, total
from billing.operations.invoices import credit_document
from billing.operations.offer_desk import (
    OfferDesk,
    OfferError,
    answer_offer,
    desk_for,
    of_groups,
    open_offer,
    same_line,
)
from billing.sentence import Sentence
from billing.store.documents import Issued, issue
from billing.store.quotes import Offer, OfferLine, load_invoices
from billing.totals import LineDraft, TaxGroup, taxed_alike

Connection = psycopg.Connection[Any]

_DEFERRED: Final = ("deferred_revenue", None)
# How an advance and its deduction are printed.
_WORDS: Final = {
    "en": ("Advance on order {}", "Less advance invoice {} of {}"),
    "it": ("Acconto su ordine {}", "A dedurre fattura di acconto {} del {}"),
    "es": ("Anticipo del pedido {}", "A deducir factura de anticipo {} de {}"),
}


def draft_advance(
    connection: Connection,
    order_id: int,
    *,
    today: date,
    due_on: Sequence[date],
    amount: Money | None = None,
    percent: Decimal | None = None,
) -> Draft:
    """An invoice of an amount with its tax, or of so many percent of the order, on what is not invoiced yet."""
    order = open_offer(connection, order_id, DocumentKind.ORDER)
    if (amount is None) == (percent is None):
        raise OfferError(
            Sentence("an advance on order %(order)s: give either an amount or a percent", order=order.label)
        )
    asked = amount if amount is not None else percent_of(order.groups, percent or Decimal(0))
    desk = desk_for(connection, order.issuer_id, order.customer_id, today)
    _check_taxes(desk, order)
    made = [_left(advance) for advance in _advances(connection, order)]
    groups = advance_for(order.groups, [one for one in made if one], asked)
    words = _words(desk, 0).format(order.label)
    lines = [
        DraftLine(
            LineDraft(words, Decimal(1), group.base.amount, group.treatment), _advance_account(desk, order, group)
        )
        for group in groups
        if group.base or group.tax
    ]
    draft = _invoice(desk, order, lines, groups, due_on=due_on)
    return replace(draft, is_advance=True)


def draft_final(connection: Connection, order_id: int, *, today: date, due_on: Sequence[date]) -> Draft:
    """The invoice of an order: its lines, less its advances, line by line of each."""
    order = open_offer(connection, order_id, DocumentKind.ORDER)
    desk = desk_for(connection, order.issuer_id, order.customer_id, today)
    _check_taxes(desk, order)
    advances = [advance for advance in _advances(connection, order) if _left(advance)]
    rest = rest_for(order.groups, [_left(advance) for advance in advances])
    lines = [same_line(line) for line in order.lines]
    for advance in advances:
        words = _words(desk, 1).format(advance.label, advance.document_date)
        lines += [
            DraftLine(
                LineDraft(words, Decimal(1), -line.net.amount, line.treatment),
                line.account_id,
                Source(corrects=(advance.id, line.number)),
            )
            for line in _own_lines(advance)
        ]
    return _invoice(desk, order, lines, rest, due_on=due_on)


def invoice_advance(connection: Connection, draft: Draft, *, actor: str) -> Issued:
    """Issue an advance invoice."""
    return issue(connection, [draft], made_by=actor)[0]


def invoice_final(connection: Connection, draft: Draft, *, actor: str) -> Issued:
    """Issue the final invoice; the order is fulfilled by it."""
    assert draft.from_id is not None, "a final invoice is an order's"
    order = open_offer(connection, draft.from_id, DocumentKind.ORDER)
    issued = issue(connection, [draft], made_by=actor)[0]
    answer_offer(connection, order, "accepted", "order.fulfil", actor=actor, detail={"invoice": issued.label})
    return issued


def cancel_order(connection: Connection, order_id: int, *, today: date, actor: str, reason: str) -> list[Issued]:
    """The order is not carried out: each of its advances is given back whole by a credit note."""
    order = open_offer(connection, order_id, DocumentKind.ORDER)
    notes = [
        credit_document(connection, advance.id, None, document_date=today, reason=reason, actor=actor)[1]
        for advance in _advances(connection, order)
        if any(line.credited != line.net for line in advance.lines)
    ]
    detail: dict[str, object] = {"reason": reason, "credit_notes": [one.label for one in notes]}
    answer_offer(connection, order, "refused", "order.cancel", actor=actor, detail=detail)
    return notes


def _check_taxes(desk: OfferDesk, order: Offer) -> None:
    """The rates that were agreed are those of today."""
    for line in order.lines:
        rates = desk.office.tables.rates.get(line.tax_code_id, ())
        now = [
            one.percent for one in rates if one.since <= desk.today and (one.until is None or desk.today < one.until)
        ]
        if line.treatment.nature is None and line.treatment.rate not in now:
            raise OfferError(
                Sentence(
                    "order %(order)s was agreed at %(rate)s percent of %(code)s, which is %(now)s on %(today)s: cancel it and agree on another",
                    order=order.label,
                    rate=f"{line.treatment.rate:f}",
                    code=line.treatment.code,
                    now=now[0] if now else Sentence("no rate"),
                    today=desk.today,
                )
            )


def _advances(connection: Connection, order: Offer) -> list[Offer]:
    return [invoice for invoice in load_invoices(connection, order.id) if invoice.is_advance]


def _own_lines(advance: Offer) -> list[OfferLine]:
    """An advance's lines without a recharged stamp duty, which is no part of the order."""
    return [line for line in advance.lines if line.product_id is None]


def _left(advance: Offer) -> tuple[TaxGroup, ...]:
    """What of an advance is to be deducted: all of it, or nothing when it was credited.

    Raises: OfferError when a part of it was credited.
    """
    lines = _own_lines(advance)
    given_back = [line.credited == line.net for line in lines if line.net]
    if given_back and all(given_back):
        return ()
    if any(line.credited for line in lines):
        raise OfferError(
            Sentence(
                "a part of advance invoice %(advance)s was credited: credit the rest of it, too", advance=advance.label
            )
        )
    # Of its lines, since a recharged stamp duty may stand in the same group; that bears no tax.
    groups = []
    for group in advance.groups:
        own = [line.net for line in lines if taxed_alike(line.treatment) == taxed_alike(group.treatment)]
        if own:
            groups.append(replace(group, base=total(own, advance.currency)))
    return tuple(groups)


def _advance_account(desk: OfferDesk, order: Offer, group: TaxGroup) -> int:
    """Money for what is still to be delivered is owed to the customer: no revenue yet, where the books keep that apart."""
    deferred = desk.office.accounts.by_role.get(_DEFERRED)
    if deferred is not None:
        return deferred
    return next(line.account_id for line in order.lines if taxed_alike(line.treatment) == taxed_alike(group.treatment))


def _words(desk: OfferDesk, place: int) -> str:
    return _WORDS.get(desk.customer.language, _WORDS["en"])[place]


def _invoice(
    desk: OfferDesk,
    order: Offer,
    lines: Sequence[DraftLine],
    groups: Sequence[TaxGroup],
    *,
    due_on: Sequence[date],
) -> Draft:
    draft = draft_document(
        lines,
        desk.parties,
        register=desk.register(DocumentKind.INVOICE),
        document_date=desk.today,
        currency=order.currency,
        includes_tax=False,
        due_on=due_on,
        stamp=desk.stamp(lines, order.currency),
        from_id=order.id,
    )
    return of_groups(draft, groups, order.includes_tax, on_bank_days(due_on, desk.office.issuer.bank_days))
