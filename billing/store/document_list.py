"""Pages of the list of documents: by day or by due day, after the last one of the page before; nothing is counted.

Each register is asked for its next few documents by an index, and the few of all registers are put in order, so that a page of a
million documents costs what one of a hundred does.

Next: billing/store/document_links.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.store.issued import ListedDocument, listed_document

Connection = psycopg.Connection[Any]
# So many rows a question of a file, which is written page after page.
_ROWS_A_READ: Final = 1000


@dataclass(frozen=True, slots=True)
class DocumentQuestion:
    """What of all invoices and credit notes is asked for, or of quotes or orders when that is the kind. `state` is open, overdue or
    settled; `answer` the state of a quote or an order; `number` as it is printed, or its count alone.

    `by_due`: by the first day on which something is still to be paid, so only what is open; `down`: the latest first.
    """

    kind: str | None = None
    issuer_id: int | None = None
    register_id: int | None = None
    customer_id: int | None = None
    run_id: int | None = None
    state: str | None = None
    answer: str | None = None
    number: str | None = None
    since: date | None = None
    until: date | None = None
    due_until: date | None = None
    by_due: bool = False
    down: bool = True


_COLUMNS: Final = """
SELECT d.id, d.label, d.kind::text, d.state::text, d.document_date, d.customer_id, d.customer_data ->> 'name', d.currency, d.gross, d.payable,
    coalesce(o.open, 0), due.days, due.amounts,
    EXISTS (SELECT FROM write_off AS w WHERE w.invoice_id = d.id AND NOT EXISTS (SELECT FROM write_off_undo AS u WHERE u.write_off_id = w.id))
FROM found JOIN document AS d ON d.id = found.id LEFT JOIN open_document AS o ON o.document_id = d.id
    LEFT JOIN LATERAL (SELECT array_agg(due_on ORDER BY number) AS days, array_agg(amount ORDER BY number) AS amounts FROM document_due WHERE document_id = d.id) AS due ON true
"""
_REGISTERS: Final = """
WITH wanted AS MATERIALIZED (SELECT r.id, r.issuer_id, r.kind FROM document_register AS r
    WHERE CASE WHEN %(kind)s::document_kind IS NULL THEN r.kind IN ('invoice', 'credit_note') ELSE r.kind = %(kind)s END
        AND (%(issuer)s::bigint IS NULL OR r.issuer_id = %(issuer)s) AND (%(register)s::bigint IS NULL OR r.id = %(register)s)),
"""
_OF_DOCUMENT: Final = """d.state <> 'draft' AND (%(answer)s::document_state IS NULL OR d.state = %(answer)s)
        AND (%(customer)s::bigint IS NULL OR d.customer_id = %(customer)s) AND (%(run)s::bigint IS NULL OR d.run_id = %(run)s)
        AND (%(since)s::date IS NULL OR d.document_date >= %(since)s) AND (%(until)s::date IS NULL OR d.document_date <= %(until)s)
        AND (NOT %(settled)s OR (d.kind = 'invoice' AND NOT EXISTS (SELECT FROM open_document AS s WHERE s.document_id = d.id)))"""
_BY_DAY: Final = f"""
found AS (SELECT next.id, next.key FROM wanted CROSS JOIN LATERAL (
    SELECT d.id, d.document_date AS key FROM document AS d WHERE d.register_id = wanted.id AND {_OF_DOCUMENT}
        AND (%(after)s::date IS NULL OR (d.document_date, d.id) %(beyond)s (%(after)s, %(after_id)s))
    ORDER BY d.document_date %(way)s, d.id %(way)s LIMIT %(limit)s) AS next
    ORDER BY next.key %(way)s, next.id %(way)s LIMIT %(limit)s)
"""  # noqa: S608 - our own words
# Of one customer, of a run, of a printed number: so few that they are read whole and put in order.
_OF_FEW: Final = f"""
found AS (SELECT d.id, d.document_date AS key FROM document AS d JOIN wanted ON wanted.id = d.register_id WHERE %(part)s AND {_OF_DOCUMENT}
        AND (%(after)s::date IS NULL OR (d.document_date, d.id) %(beyond)s (%(after)s, %(after_id)s))
    ORDER BY d.document_date %(way)s, d.id %(way)s LIMIT %(limit)s)
"""  # noqa: S608 - our own words
_OPEN: Final = f"""
found AS (SELECT next.id, next.key FROM (SELECT DISTINCT issuer_id FROM wanted) AS owner CROSS JOIN LATERAL (
    SELECT d.id, %(key)s AS key FROM open_document AS x JOIN document AS d ON d.id = x.document_id
    WHERE x.issuer_id = owner.issuer_id AND d.register_id IN (SELECT id FROM wanted) AND {_OF_DOCUMENT}
        AND (%(overdue)s::date IS NULL OR (d.kind = 'invoice' AND x.due_on < %(overdue)s)) AND (%(due_until)s::date IS NULL OR x.due_on <= %(due_until)s)
        AND (%(number)s::text IS NULL OR d.label = %(number)s)
        AND (%(after)s::date IS NULL OR (%(key)s, x.document_id) %(beyond)s (%(after)s, %(after_id)s))
    ORDER BY %(key)s %(way)s, x.document_id %(way)s LIMIT %(limit)s) AS next
    ORDER BY next.key %(way)s, next.id %(way)s LIMIT %(limit)s)
"""  # noqa: S608 - our own words
_PARTS: Final = {
    "customer": "d.customer_id = %(customer)s",
    "run": "d.run_id = %(run)s",
    "number": "(d.label = %(number)s OR d.id IN (SELECT n.id FROM wanted AS w JOIN register_year AS y ON y.register_id = w.id"
    " JOIN document AS n ON n.register_id = w.id AND n.year = y.year AND n.number = %(count)s))",
}
_LARGEST_COUNT: Final = 2_147_483_647


def load_page(
    connection: Connection,
    question: DocumentQuestion,
    *,
    today: date,
    limit: int,
    after: tuple[date, int] | None = None,
) -> list[ListedDocument]:
    """The next documents after that day and number of the database, in the order that is asked for."""
    values = {
        "kind": question.kind,
        "issuer": question.issuer_id,
        "register": question.register_id,
        "customer": question.customer_id,
        "run": question.run_id,
        "answer": question.answer,
        "since": question.since,
        "until": question.until,
        "due_until": question.due_until,
        "settled": question.state == "settled",
        "overdue": today if question.state == "overdue" else None,
        "number": question.number,
        "count": _count(question.number),
        "after": None if after is None else after[0],
        "after_id": None if after is None else after[1],
        "limit": limit,
    }
    rows = connection.execute(statement_for(question), values).fetchall()
    return [listed_document(row, today) for row in rows]


def sort_key(row: ListedDocument, *, by_due: bool) -> tuple[date, int]:
    """What tells where the next page begins."""
    if not by_due:
        return row.document_date, row.id
    # Of a credit note that has something left to give it is its date.
    due = row.standing.due_on if row.standing is not None else None
    return due or row.document_date, row.id


def stream_documents(connection: Connection, question: DocumentQuestion, *, today: date) -> Iterator[ListedDocument]:
    """All of them, read some at a time."""
    after = None
    while rows := load_page(connection, question, today=today, limit=_ROWS_A_READ, after=after):
        yield from rows
        after = sort_key(rows[-1], by_due=question.by_due)


def statement_for(question: DocumentQuestion) -> str:
    """The statement that answers it by the index that fits; a test asks PostgreSQL how it reads them."""
    if question.by_due or question.state in ("open", "overdue") or question.due_until is not None:
        body = _OPEN
    elif question.number is not None:
        body = _OF_FEW.replace("%(part)s", _PARTS["number"])
    elif question.customer_id is not None:
        body = _OF_FEW.replace("%(part)s", _PARTS["customer"])
    elif question.run_id is not None:
        body = _OF_FEW.replace("%(part)s", _PARTS["run"])
    else:
        body = _BY_DAY
    way, beyond = ("DESC", "<") if question.down else ("ASC", ">")
    key = "x.due_on" if question.by_due else "d.document_date"
    whole = f"{_REGISTERS}{body}{_COLUMNS}ORDER BY found.key %(way)s, found.id %(way)s"
    return whole.replace("%(way)s", way).replace("%(beyond)s", beyond).replace("%(key)s", key)


def _count(text: str | None) -> int | None:
    """A number that stands for the count of a document within its year."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return int(text) if int(text) <= _LARGEST_COUNT else None
