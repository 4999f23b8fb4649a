"""Issued invoices and credit notes sent to their customers, each as PDF: one message a document, however often it is asked for.

A document whose tax authority has to say yes first waits for that: until then it is not what it says it is (latam.md 1, rule 6).

Units: days of the issuer's zone.
Next: billing/store/invoice_messages.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from billing.contacts import ContactRole
from billing.messages.message import Enclosure, NewMessage
from billing.store.gateway_charges import load_pages
from billing.store.gateway_due import load_awaited
from billing.store.invoice_messages import IssuedToSend, load_run_to_send, load_to_send
from billing.store.messages import queue

Connection = psycopg.Connection[Any]
# So many messages a transaction of the job.
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class SentInvoices:
    """The messages that were written; how many documents wait for their tax authority, and how many for their page to pay on."""

    messages: list[int]
    waiting: int
    awaited: int = 0


def send_invoices(
    connection: Connection, *, document_ids: Sequence[int] = (), run_id: int | None = None, made_by: str
) -> SentInvoices:
    """Queue a message for each of these documents, or of a run's, that was not sent before.

    They go to the administrative contact, of the contract if the document is of one.
    """
    found = load_to_send(connection, document_ids, run_id)
    waiting = sum(one.waits for one in found)
    return SentInvoices(queue(connection, _messages(connection, found), made_by=made_by), waiting)


def send_some_of_run(
    connection: Connection, run_id: int, *, after: int, made_by: str
) -> tuple[SentInvoices, int | None]:
    """Queue the next of a run's documents that wait for no tax authority and whose customers have an address; behind which to go on,
    None at the run's end.
    """
    found = load_run_to_send(connection, run_id, after=after, limit=_BATCH)
    # A page is made within minutes, and belongs into the mail.
    awaited = load_awaited(connection, [one.id for one in found])
    now = [one for one in found if one.id not in awaited]
    messages = queue(connection, _messages(connection, now), made_by=made_by)
    return SentInvoices(messages, 0, len(awaited)), found[-1].id if len(found) == _BATCH else None


def _messages(connection: Connection, found: Sequence[IssuedToSend]) -> list[NewMessage]:
    ready = [one for one in found if not one.waits]
    pages = load_pages(connection, [one.id for one in ready])
    return [message_of(one, pages.get(one.id)) for one in ready]


def message_of(document: IssuedToSend, pay_page: str | None) -> NewMessage:
    """What a customer is told of a document, once."""
    data: dict[str, object] = {
        "number": document.label,
        "dated": document.dated,
        "amount": document.payable,
        "due_on": document.due_on,
    }
    if document.kind == "invoice":
        data["pay_page"] = pay_page
    return NewMessage(
        document.customer_id,
        document.kind,
        f"document {document.id}",
        data,
        issuer_id=document.issuer_id,
        contract_id=document.contract_id,
        role=ContactRole.ADMINISTRATIVE,
        enclosures=(Enclosure("document", document.id),),
    )
