"""From the books to a PDF: the one call for whoever hands out or sends a document, a statement, a receipt or a hand-over.

Next: billing/papers/press.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import psycopg

from billing.errors import BillingError
from billing.money import settle_product, zero
from billing.papers.documents import document_paper
from billing.papers.letters import letter_paper
from billing.papers.paper import (
    Barcode,
    CashMovement,
    CashSessionPaper,
    CollectedPayment,
    Denomination,
    DocumentPaper,
    Frame,
    InvitationPaper,
    PaidDocument,
    PaperKind,
    ReceiptPaper,
    ReminderPaper,
    SettledCommission,
    SettlementPaper,
    Span,
    StatementPaper,
)
from billing.papers.parties import recipient_of, sender_of
from billing.papers.press import Press
from billing.papers.receipts import ReceivedPayment, cash_session_paper, method_said, receipt_paper
from billing.papers.settlements import settlement_paper
from billing.papers.statements import statement_paper
from billing.reports import StatementRow
from billing.store import cash
from billing.store.commissions import AgentSettlement, load_agents, load_settled_rows
from billing.store.dunning_letters import load_letter
from billing.store.gateway_charges import load_links
from billing.store.issued import load_document
from billing.store.issuers import load_issuers
from billing.store.parties import load_issuer, load_parties
from billing.store.reports import load_moved, stream_statement

Connection = psycopg.Connection[Any]

# No document that an issuer's books have begun with is older.
_BEGINNING: Final = date(1990, 1, 1)


class PrintShop:
    """A press for each issuer, set up when its first paper is printed. Used by one thread at a time.

    `folder` is where an operator's own templates, words and logos are (billing/papers/press.py); it need not be there.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._presses: dict[int | None, Press] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def press(self, issuer_id: int | None) -> Press:
        """Raises: PaperError for a wording or a look that can't be read."""
        if issuer_id not in self._presses:
            self._presses[issuer_id] = self._open.enter_context(Press(self._folder, issuer_id))
        return self._presses[issuer_id]

    def bundle(self, papers: Sequence[bytes]) -> bytes:
        """PDFs one after the other in one file, for a printer. Raises: PaperError for what is no PDF."""
        return self.press(None).bundle(papers)

    def document(self, connection: Connection, document_id: int, *, language: str | None = None) -> bytes:
        """An issued document as PDF, in its own language or another.

        Raises: NoDocumentError; PaperError.
        """
        issuer_id, paper = load_document_paper(connection, document_id, language=language)
        return self.press(issuer_id).print(paper)


def load_document_paper(
    connection: Connection, document_id: int, *, language: str | None = None
) -> tuple[int, DocumentPaper]:
    """Who issued it, and what is printed. Raises: NoDocumentError."""
    # How an invoice stands is not printed, so the day does not count.
    found = load_document(connection, document_id, today=_BEGINNING)
    # Without a link that was withdrawn; one that was paid stays, so that the paper says the same in a year.
    links = [Barcode("qr", link, "pay_online") for link in load_links(connection, document_id)]
    return found.issuer_id, document_paper(found, language=language, codes=links)


def load_statement_paper(
    connection: Connection,
    *,
    issuer_id: int,
    customer_id: int,
    since: date | None,
    until: date,
    language: str | None = None,
) -> StatementPaper:
    """A customer's account with an issuer: all of it, or from a day on with the balance before.

    Raises: BillingError for a customer or an issuer that is not there.
    """
    issuer = load_issuer(connection, issuer_id)
    customer = load_parties(connection, [customer_id]).get(customer_id)
    if customer is None:
        raise BillingError(f"there is no customer {customer_id}")
    begins = since or _BEGINNING
    rows: list[StatementRow] = list(stream_statement(connection, issuer_id, customer_id, since=begins, until=until))
    if since is None:
        # Before everything there was nothing.
        rows = [row for row in rows if row.entry is not None]
        begins = rows[0].dated if rows else until
    return statement_paper(
        rows,
        moved=load_moved(connection, issuer_id, customer_id, since=begins, until=until),
        issuer=json.loads(issuer.data),
        customer=json.loads(customer.data),
        language=language or customer.language,
        during=Span(begins, until),
        dated=until,
    )


def load_invitation_paper(
    connection: Connection, customer_id: int, *, issuer_id: int, page: str, until: date, dated: date
) -> InvitationPaper:
    """The letter that tells a customer, in their language, which page lets them into the portal.

    Raises: BillingError for a customer or an issuer that is not there.
    """
    customer = load_parties(connection, [customer_id]).get(customer_id)
    if customer is None:
        raise BillingError(f"there is no customer {customer_id}")
    issuer, spoken = json.loads(load_issuer(connection, issuer_id).data), customer.language
    country = str(issuer.get("country", ""))
    frame = Frame(spoken, country, dated, sender_of(issuer), recipient_of(json.loads(customer.data), country, spoken))
    return InvitationPaper(PaperKind.PORTAL_INVITATION, frame, page, until, (Barcode("qr", page, "open_portal"),))


def load_receipt_paper(
    connection: Connection, payment_id: int, *, size: str = "80mm", language: str | None = None
) -> tuple[int, ReceiptPaper]:
    """Whose it is, and the receipt of a payment, as it was given; on `a4`, or a roll of `80mm` or `58mm`.

    Raises: BillingError for a payment without a receipt.
    """
    found = cash.load_receipt(connection, payment_id)
    if found is None:
        raise BillingError(f"payment {payment_id} has no receipt: `corrente cash receipt {payment_id}` gives it one")
    parties = None
    if found.customer_id is not None:
        parties = load_parties(connection, [found.customer_id])[found.customer_id]
    issuer = load_issuer(connection, found.issuer_id)
    received = ReceivedPayment(
        found.label,
        found.issued_on,
        found.made_at.astimezone(_zone_of(connection, found.issuer_id)),
        (found.method_code, found.method),
        found.amount,
        tuple(PaidDocument(*one) for one in cash.load_paid_documents(connection, payment_id)),
        still_open=cash.load_owed_then(connection, payment_id),
        collector=found.collector,
        reversed_on=found.reversed_on,
    )
    paper = receipt_paper(
        received,
        issuer=json.loads(issuer.data),
        customer=None if parties is None else json.loads(parties.data),
        language=language or (parties.language if parties is not None else "en"),
        size=size,
    )
    return found.issuer_id, paper


def load_letter_paper(
    connection: Connection, letter_id: int, *, language: str | None = None
) -> tuple[int, ReminderPaper]:
    """Who wrote it, and a reminder or formal notice as its step of dunning wrote it. Raises: BillingError where there is none."""
    _, issuer_id, written = load_letter(connection, letter_id)
    return issuer_id, letter_paper(written, language=language)


def load_cash_session_paper(
    connection: Connection, session_id: int, *, language: str, now: datetime
) -> tuple[int, CashSessionPaper]:
    """Whose it is, and the paper of a hand-over; of an open session what stands at `now`, with nothing counted.

    Raises: BillingError for a session that is not there.
    """
    session = cash.load_session(connection, session_id)
    if session is None:
        raise BillingError(f"there is no session {session_id}: `corrente cash list` shows them")
    zone, currency = _zone_of(connection, session.issuer_id), session.currency
    closed_at = (session.closed_at or now.astimezone(UTC)).astimezone(zone)
    expected = session.takings.expected if session.expected is None else session.expected
    paper = cash_session_paper(
        number=session.id,
        collector=session.collector,
        taken_by=session.taken_by,
        issuer=json.loads(load_issuer(connection, session.issuer_id).data),
        language=language,
        dated=session.closed_on or closed_at.date(),
        times=(session.opened_at.astimezone(zone), closed_at),
        sums=(session.takings.opening, expected, session.counted or zero(currency)),
        payments=[
            CollectedPayment(
                one.label,
                one.customer,
                one.made_at.astimezone(zone),
                method_said(one.method_code, one.method),
                one.amount,
            )
            for one in cash.load_receipts(connection, session_id)
        ],
        movements=[
            *(
                CashMovement("withdrawn", one.reason, -one.amount)
                for one in cash.load_withdrawals(connection, session_id)
            ),
            *(
                CashMovement("taken_back", f"{one.label}: {one.reason}", -one.amount)
                for one in cash.load_taken_back(connection, session_id)
            ),
        ],
        denominations=[
            Denomination(settle_product(value, 1, currency), pieces, settle_product(value, pieces, currency))
            for value, pieces in cash.load_count(connection, session_id, "closing")
        ],
    )
    return session.issuer_id, paper


def load_settlement_paper(
    connection: Connection, settlement: AgentSettlement, *, language: str
) -> tuple[int, SettlementPaper]:
    """Whose books it is in, and the paper of an agent's settlement: its commissions never change."""
    (agent,) = load_agents(connection, agent_id=settlement.agent_id)
    rows = load_settled_rows(connection, settlement)
    paper = settlement_paper(
        label=settlement.label,
        issued_on=settlement.issued_on,
        through=settlement.through,
        agent=agent.name,
        email=agent.email,
        issuer=json.loads(load_issuer(connection, settlement.issuer_id).data),
        language=language,
        amount=settlement.amount,
        commissions=[
            SettledCommission(
                row.earned_on,
                str(row.earned.contract_id),
                row.invoice,
                f"earned_{row.earned.cause}",
                row.earned.base,
                row.earned.amount,
            )
            for row in rows
        ],
        undone_on=settlement.undone_on,
    )
    return settlement.issuer_id, paper


def _zone_of(connection: Connection, issuer_id: int) -> ZoneInfo:
    return next(ZoneInfo(one.zone) for one in load_issuers(connection) if one.id == issuer_id)
