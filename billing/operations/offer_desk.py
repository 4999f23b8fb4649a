"""What quotes, orders and their invoices have in common: taxes and parties read once, the document held, its answer noted.

Next: billing/operations/orders.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg
from msgspec.structs import replace

from billing.documents import (
    CustomerParty,
    DocumentKind,
    Draft,
    DraftLine,
    Parties,
    Purpose,
    Register,
    Source,
    Stamp,
    dues_for,
)
from billing.errors import BillingError
from billing.money import total
from billing.operations.office import Office, load_office
from billing.sentence import Sentence
from billing.store.audit import note
from billing.store.parties import load_parties
from billing.store.quotes import Offer, OfferLine, load_offer, save_answer
from billing.totals import Liability, LineDraft, TaxGroup, Totals, taxed_alike

Connection = psycopg.Connection[Any]


class OfferError(BillingError):
    """A quote or an order is not in the state for what was asked."""


@dataclass(frozen=True, slots=True)
class OfferDesk:
    """What a day's documents of one customer are made from."""

    office: Office
    customer: CustomerParty
    today: date

    @property
    def parties(self) -> Parties:
        """Both sides."""
        return Parties(self.office.issuer, self.customer)

    def register(self, kind: DocumentKind) -> Register:
        """The series that numbers such a document of this customer."""
        return self.office.register(kind, self.customer, Purpose.MANUAL)

    def stamp(self, lines: Sequence[DraftLine], currency: str) -> Stamp | None:
        """The country's stamp duty on an invoice of these lines."""
        taxed = (one.priced.treatment for one in lines)
        return self.office.stamp(DocumentKind.INVOICE, self.customer, taxed, currency=currency, day=self.today)


def desk_for(connection: Connection, issuer_id: int, customer_id: int, today: date) -> OfferDesk:
    """Read it. Raises: OfferError when there is no such customer; BillingError for an issuer."""
    found = load_parties(connection, [customer_id])
    if customer_id not in found:
        raise OfferError(Sentence("there is no customer %(customer_id)s", customer_id=customer_id))
    return OfferDesk(load_office(connection, issuer_id), found[customer_id], today)


def open_offer(connection: Connection, number: int, kind: DocumentKind) -> Offer:
    """The document, held until the transaction ends, if it waits for what is to be done to it."""
    offer = load_offer(connection, number, lock=True)
    if offer is None or offer.kind is not kind:
        raise OfferError(
            Sentence("there is no %(kind)s %(number)s: `corrente %(kind)s list`", kind=_KINDS[kind], number=number)
        )
    if offer.state != "issued":
        word = _ANSWERED.get(state_word(offer.kind, offer.state), offer.state)
        raise OfferError(
            Sentence(
                "%(kind)s %(offer)s is %(word)s already: it stays so", kind=_KINDS[kind], offer=offer.label, word=word
            )
        )
    return offer


_KINDS: Final = {DocumentKind.QUOTE: Sentence("quote"), DocumentKind.ORDER: Sentence("order")}
# In a refusal, where the reader may have another language.
_ANSWERED: Final = {
    "accepted": Sentence("accepted"),
    "refused": Sentence("refused"),
    "expired": Sentence("expired"),
    "invoiced": Sentence("invoiced"),
    "cancelled": Sentence("cancelled"),
}


def state_word(kind: DocumentKind, state: str) -> str:
    """What a person calls the state of a quote or an order."""
    if kind is DocumentKind.ORDER:
        return {"issued": "open", "accepted": "invoiced", "refused": "cancelled"}.get(state, state)
    return {"issued": "open"}.get(state, state)


def answer_offer(
    connection: Connection, offer: Offer, state: str, action: str, *, actor: str, detail: dict[str, object]
) -> None:
    """Note what became of it, in the document and in the audit log."""
    if not save_answer(connection, offer.id, state):
        raise OfferError(
            Sentence("%(kind)s %(offer)s was answered in this moment: look at it again", offer=offer.label)
        )
    note(connection, actor=actor, action=action, subject=f"{offer.kind} {offer.label}", detail=detail)


def same_line(line: OfferLine) -> DraftLine:
    """A line of another document, as it was printed there."""
    priced = LineDraft(line.description, line.quantity, line.unit_price, line.treatment, discount_each=line.discount)
    return DraftLine(priced, line.account_id, Source(product_id=line.product_id))


def of_groups(draft: Draft, groups: Sequence[TaxGroup], includes_tax: bool, due_on: Sequence[date] = ()) -> Draft:
    """The document with the taxes that its share of an order has; what is no part of the order keeps its own."""
    taxes = {taxed_alike(group.treatment): group for group in groups}
    made = []
    for group in draft.totals.groups:
        own = taxes.get(taxed_alike(group.treatment))
        assert own is None or own.base == group.base or group.treatment.nature, f"{group} is not {own}"
        made.append(group if own is None else replace(group, tax=own.tax))
    totals = _summed(draft.totals, made, draft.currency)
    dues = dues_for(totals.payable, due_on) if draft.kind is DocumentKind.INVOICE else ()
    return replace(draft, totals=totals, dues=dues, includes_tax=includes_tax)


def _summed(totals: Totals, groups: Sequence[TaxGroup], currency: str) -> Totals:
    tax = total((group.tax for group in groups), currency)
    split = total((group.tax for group in groups if group.treatment.liability is Liability.SPLIT), currency)
    gross = totals.net + tax
    return replace(totals, groups=tuple(groups), tax=tax, gross=gross, payable=gross - split)
