"""Issued documents that are to be sent, and runs whose documents go by themselves.

Next: billing/store/messages.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

# Its issuer reports to a tax authority since before its day, and that has not taken it.
_WAITS: Final = """EXISTS (SELECT FROM einvoice_account AS a WHERE a.issuer_id = d.issuer_id AND a.enabled AND d.document_date >= a.from_on AND NOT EXISTS (
    SELECT FROM einvoice AS e WHERE e.document_id = d.id AND e.state IN ('accepted', 'accepted_noted', 'cancel_requested', 'cancel_refused')))"""
_COLUMNS: Final = f"""
SELECT d.id, d.customer_id, d.issuer_id, d.kind::text, d.label, d.document_date, d.currency, d.payable,
    (SELECT max(due_on) FROM document_due WHERE document_id = d.id),
    (SELECT min(l.contract_id) FROM document_line AS l JOIN contract AS c ON c.id = l.contract_id AND c.customer_id = d.customer_id WHERE l.document_id = d.id),
    {_WAITS}
FROM document AS d WHERE d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
"""  # noqa: S608 - our own condition
_CHOSEN: Final = f"{_COLUMNS} AND (d.id = ANY (%(ids)s) OR d.run_id = %(run)s) ORDER BY d.id"
_TO_SEND: Final = """d.run_id = %(run)s AND EXISTS (SELECT FROM contact AS k WHERE k.customer_id = d.customer_id AND k.email IS NOT NULL)
    AND NOT EXISTS (SELECT FROM message AS m WHERE m.origin = 'document ' || d.id AND m.customer_id = d.customer_id AND m.channel = 'email')"""
# What waits is counted and not read: a big run may wait for days, and is looked at each minute.
_OF_RUN: Final = f"{_COLUMNS} AND {_TO_SEND} AND NOT {_WAITS} AND d.id > %(after)s ORDER BY d.id LIMIT %(limit)s"
_WAITING: Final = f"SELECT count(*) FROM document AS d WHERE d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') AND {_TO_SEND} AND {_WAITS}"  # noqa: S608 - our own conditions
# Not of a day that is long over when it is billed: such a run makes up the past.
_RUNS: Final = """
SELECT r.id, i.name, i.mails_invoices AND r.run_date >= (r.ended_at AT TIME ZONE i.zone)::date - %(late)s::int AS wanted, r.ended_at < %(now)s::timestamptz - %(waits)s * interval '1 day' AS is_over
FROM billing_run AS r JOIN issuer AS i ON i.id = r.issuer_id WHERE r.state = 'done' AND (r.mailed_at IS NULL OR r.mailed_at < r.ended_at) ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class IssuedToSend:
    """An issued document; `waits` for its tax authority."""

    id: int
    customer_id: int
    issuer_id: int
    kind: str
    label: str
    dated: date
    payable: Money
    due_on: date | None
    contract_id: int | None
    waits: bool


@dataclass(frozen=True, slots=True)
class RunToMail:
    """A run that is done, whose documents were not all sent. `is_over`: nothing is waited for any more."""

    id: int
    issuer: str
    wanted: bool
    is_over: bool


def load_to_send(connection: Connection, document_ids: Sequence[int], run_id: int | None) -> list[IssuedToSend]:
    """These documents, or those of a run, sent before or not."""
    return _read(connection, _CHOSEN, {"ids": list(document_ids), "run": run_id})


def load_run_to_send(connection: Connection, run_id: int, *, after: int, limit: int) -> list[IssuedToSend]:
    """The documents of a run behind one that were not sent, wait for no authority and whose customer has an address, in order."""
    return _read(connection, _OF_RUN, {"run": run_id, "after": after, "limit": limit})


def count_waiting(connection: Connection, run_id: int) -> int:
    """So many documents of a run are to be sent once their tax authority has taken them."""
    row = connection.execute(_WAITING, {"run": run_id}).fetchone()
    assert row is not None
    return int(row[0])


def load_runs_to_mail(connection: Connection, now: datetime, *, late_days: int, wait_days: int) -> list[RunToMail]:
    """Runs that are done and not mailed. Wanted: the issuer mails, and the run was not later than so many days after its date."""
    rows = connection.execute(_RUNS, {"now": now, "late": late_days, "waits": wait_days})
    return [RunToMail(*row) for row in rows]


def note_mailed(connection: Connection, run_id: int) -> None:
    """A run's documents are sent, as far as they go by themselves."""
    connection.execute("UPDATE billing_run SET mailed_at = greatest(ended_at, now()) WHERE id = %s", (run_id,))


def _read(connection: Connection, statement: str, asked: dict[str, Any]) -> list[IssuedToSend]:
    return [
        IssuedToSend(
            number, customer, issuer, kind, label, dated, read_money(payable, currency), due_on, contract, waits
        )
        for number, customer, issuer, kind, label, dated, currency, payable, due_on, contract, waits in connection.execute(
            statement, asked
        )
    ]
