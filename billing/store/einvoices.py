"""E-invoices in the database: accounts, what is queued and how far it is, what was said, numbers of series, messages, logins.

The caller owns the transaction. What is done with a row begins with a row lock or a compare-and-set on its state.

Units: *_s seconds.
Source: schema.sql's section on e-invoices; the e-invoice provider interface, "Stored".
Next: einvoice_desk.py
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

from billing.einvoice.outcome import Artifact, Handover, Outcome, State
from billing.einvoice.states import Change, Standing
from billing.plain_text import plain_text

Connection = psycopg.Connection[Any]

RAW_OCTETS: Final = 65536
_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class EinvoiceAccount:
    """Through whom an issuer's documents reach the authority."""

    id: int
    issuer_id: int
    name: str
    provider: str
    environment: str
    settings: Mapping[str, str]
    sealed_secret: bytes
    series: str
    from_on: date
    enabled: bool
    blocked_at: datetime | None
    blocked_reason: str
    failures: int
    next_try: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Einvoice:
    """One document on its way."""

    id: int
    document_id: int
    account_id: int
    kind: str
    series: str
    number: int | None
    external_key: str | None
    payload: bytes | None
    media_type: str | None
    standing: Standing
    attempts: int
    problem: str
    next_try: datetime | None
    authority_code: str | None
    expires: date | None
    qr_text: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issued document of an issuer that has an account, and how far what it corrects is."""

    document_id: int
    kind: str
    account_id: int
    provider: str
    series: str
    corrects: str | None
    corrects_state: State | None


_ACCOUNT: Final = (
    "SELECT a.id, a.issuer_id, a.name, a.provider, a.environment::text, a.settings, a.sealed_secret, a.series, a.from_on, a.enabled,"
    " a.blocked_at, a.blocked_reason, a.failures, a.next_try, i.zone FROM einvoice_account AS a JOIN issuer AS i ON i.id = a.issuer_id"
)
_ROW: Final = (
    "SELECT e.id, e.document_id, e.account_id, e.kind::text, e.series, e.number, e.external_key, e.payload, e.media_type,"
    " e.state::text, e.handover::text, e.digest, e.authority_key, e.tries, e.since, e.absent_at, e.contradiction,"
    " e.attempts, e.problem, e.next_try, e.authority_code, e.expires, e.qr_text FROM einvoice AS e"
)
# Of a series with consecutive numbers nothing goes before what is in front of it is settled.
_TO_SEND: Final = (
    _ROW
    + """
WHERE e.account_id = %(account)s AND e.state IN ('draft', 'prepared') AND e.next_try <= statement_timestamp() AND (NOT %(consecutive)s OR NOT EXISTS (
    SELECT FROM einvoice AS f WHERE f.account_id = e.account_id AND f.kind = e.kind AND f.series = e.series AND f.id <> e.id
        AND f.state IN ('prepared', 'sending', 'unknown', 'rejected_fixable', 'blocked') AND (e.number IS NULL OR f.number < e.number)))
ORDER BY e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
"""
)
_CANDIDATES: Final = """
SELECT d.id, d.kind::text, a.id, a.provider, a.series, c.label, e.state::text
FROM document AS d JOIN einvoice_account AS a ON a.issuer_id = d.issuer_id AND a.enabled
    LEFT JOIN document AS c ON c.id = d.corrects_id LEFT JOIN einvoice AS e ON e.document_id = d.corrects_id
WHERE d.id = ANY (%(ids)s) AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') AND (d.document_date >= a.from_on OR %(earlier)s)
    AND NOT EXISTS (SELECT FROM einvoice AS q WHERE q.document_id = d.id)
ORDER BY array_position(%(ids)s, d.id)
"""


def load_accounts(connection: Connection, *, only_enabled: bool = False) -> list[EinvoiceAccount]:
    """Accounts by name."""
    where = " WHERE a.enabled" if only_enabled else ""
    return [_account(row) for row in connection.execute(f"{_ACCOUNT}{where} ORDER BY a.name").fetchall()]


def load_account(connection: Connection, account_id: int) -> EinvoiceAccount:
    """An account by its number."""
    row = connection.execute(f"{_ACCOUNT} WHERE a.id = %s", (account_id,)).fetchone()
    assert row is not None, f"account {account_id} is there"
    return _account(row)


def _account(row: Sequence[Any]) -> EinvoiceAccount:
    *before, secret, series, from_on, enabled, blocked_at, reason, failures, next_try, zone = row
    number, issuer, name, provider, environment, settings = before
    return EinvoiceAccount(
        *(number, issuer, name, provider, environment, settings, bytes(secret)),
        *(series, from_on, enabled, blocked_at, reason, failures, next_try, zone),
    )


def _einvoice(row: Sequence[Any]) -> Einvoice:
    state, handover, digest, key, tries, since, absent_at, contradiction = row[9:17]
    standing = Standing(State(state), Handover(handover), _octets(digest), key, tries, since, absent_at, contradiction)
    number, document, account, kind, series, counted, key, payload, media_type = row[:9]
    attempts, problem, next_try, code, expires, qr_text = row[17:]
    return Einvoice(
        *(number, document, account, kind, series, counted, key, _octets(payload), media_type),
        *(standing, attempts, problem, next_try, code, expires, qr_text),
    )


def _octets(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def load_candidates(connection: Connection, ids: Sequence[int], *, earlier_too: bool = False) -> list[Candidate]:
    """Of these documents those that an account is there for and that nobody has queued, in their order."""
    rows = connection.execute(_CANDIDATES, {"ids": list(ids), "earlier": earlier_too}).fetchall()
    return [
        Candidate(document, kind, account, provider, series, corrects, None if state is None else State(state))
        for document, kind, account, provider, series, corrects, state in rows
    ]


def queue(connection: Connection, rows: Iterable[tuple[Candidate, str]]) -> int:
    """Queue documents; one with a problem is held until a person sends it. Returns how many are queued to be sent."""
    sent = 0
    with connection.cursor() as cursor:
        for one, problem in rows:
            sent += not problem
            cursor.execute(
                "INSERT INTO einvoice (document_id, account_id, kind, series, problem, next_try) VALUES (%s, %s, %s, %s, %s,"
                " CASE %s WHEN '' THEN clock_timestamp() END) ON CONFLICT ON CONSTRAINT einvoice_document_once DO NOTHING",
                (one.document_id, one.account_id, one.kind, one.series, problem, problem),
            )
    return sent


def take_to_send(connection: Connection, account_id: int, *, consecutive: bool) -> Einvoice | None:
    """The next that may be prepared or sent, held for the transaction."""
    row = connection.execute(_TO_SEND, {"account": account_id, "consecutive": consecutive}).fetchone()
    return None if row is None else _einvoice(row)


def load_due(connection: Connection, account_id: int, *, limit: int) -> list[Einvoice]:
    """Those that are to be asked about, or whose sending nobody ended, the longest due first."""
    rows = connection.execute(
        f"{_ROW} WHERE e.account_id = %s AND e.next_try <= statement_timestamp()"
        " AND e.state IN ('sending', 'unknown', 'pending', 'cancel_requested') ORDER BY e.next_try, e.id LIMIT %s",
        (account_id, limit),
    ).fetchall()
    return [_einvoice(row) for row in rows]


def hold(connection: Connection, einvoice_id: int) -> Einvoice:
    """An e-invoice as it is now, held for the transaction."""
    row = connection.execute(f"{_ROW} WHERE e.id = %s FOR UPDATE OF e", (einvoice_id,)).fetchone()
    assert row is not None, f"e-invoice {einvoice_id} is there"
    return _einvoice(row)


def find_by_key(connection: Connection, account_id: int, external_key: str) -> int | None:
    """The e-invoice that the authority knows by this key."""
    row = connection.execute(
        "SELECT id FROM einvoice WHERE account_id = %s AND external_key = %s", (account_id, external_key)
    ).fetchone()
    return None if row is None else int(row[0])


def find_of_document(connection: Connection, document_id: int) -> int | None:
    """The e-invoice of a document."""
    row = connection.execute("SELECT id FROM einvoice WHERE document_id = %s", (document_id,)).fetchone()
    return None if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class Range:
    """What an authority allows of a series: numbers up to, and until which day."""

    next_number: int
    last_allowed: int | None
    valid_to: date | None


def next_number(connection: Connection, account_id: int, kind: str, series: str) -> Range:
    """The next number of a series, which is held until the transaction ends; `take_number` takes it."""
    connection.execute(
        "INSERT INTO einvoice_series (account_id, kind, series) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (account_id, kind, series),
    )
    row = connection.execute(
        "SELECT greatest(last_number + 1, coalesce(range_from, 1)), range_to, valid_to FROM einvoice_series"
        " WHERE account_id = %s AND kind = %s AND series = %s FOR UPDATE",
        (account_id, kind, series),
    ).fetchone()
    assert row is not None, "it was just written"
    return Range(*row)


def take_number(connection: Connection, account_id: int, kind: str, series: str, number: int) -> None:
    """Write down that a number is used, in the transaction that held the series."""
    connection.execute(
        "UPDATE einvoice_series SET last_number = %s WHERE account_id = %s AND kind = %s AND series = %s AND last_number < %s",
        (number, account_id, kind, series, number),
    )


def keep_prepared(
    connection: Connection, einvoice_id: int, *, number: int | None, external_key: str, payload: bytes, media_type: str
) -> None:
    """The octets that will be sent, kept before the first of them leaves; and beside every earlier ones."""
    connection.execute(
        "UPDATE einvoice SET state = 'prepared', number = %s, external_key = %s, payload = %s, media_type = %s, digest = sha256(%s),"
        " problem = '', tries = 0, since = clock_timestamp(), absent_at = NULL, next_try = clock_timestamp() WHERE id = %s",
        (number, external_key, payload, media_type, payload, einvoice_id),
    )
    keep_artifacts(connection, einvoice_id, [Artifact("sent", payload)])


def hold_back(connection: Connection, einvoice_id: int, *, problem: str) -> None:
    """It can't be sent as it is: it waits for a person."""
    connection.execute(
        "UPDATE einvoice SET problem = %s, next_try = NULL WHERE id = %s", (problem[:_TEXT], einvoice_id)
    )


def release(connection: Connection, einvoice_id: int) -> None:
    """A person lets it go: it is prepared or sent next."""
    connection.execute("UPDATE einvoice SET problem = '', next_try = clock_timestamp() WHERE id = %s", (einvoice_id,))


def save(
    connection: Connection, einvoice_id: int, change: Change, *, outcome: Outcome | None = None, sends: bool = False
) -> None:
    """Write how an e-invoice stands now, with what an answer brought."""
    to, said = change.standing, outcome
    problem = "" if said is None else "; ".join(f"{one.code} {one.text}".strip() for one in said.messages)
    connection.execute(
        "UPDATE einvoice SET state = %(state)s::einvoice_state, handover = %(handover)s::einvoice_handover,"
        " authority_key = %(key)s, tries = %(tries)s, since = coalesce(%(since)s, since), absent_at = %(absent)s,"
        " contradiction = %(contradiction)s, next_try = %(next)s, attempts = attempts + %(sent)s,"
        " authority_code = coalesce(%(code)s, authority_code), expires = coalesce(%(expires)s, expires), qr_text = coalesce(%(qr)s, qr_text),"
        " problem = CASE WHEN %(said)s THEN %(problem)s ELSE problem END WHERE id = %(id)s",
        {
            "state": to.state,
            "handover": to.handover,
            "key": to.authority_key,
            "tries": to.tries,
            "since": to.since,
            "absent": to.absent_at,
            "contradiction": to.contradiction[:_TEXT],
            "next": change.next_at,
            "sent": int(sends),
            "code": None if said is None else said.authority_code,
            "expires": None if said is None else said.expires,
            "qr": None if said is None else said.qr_text,
            "said": said is not None,
            "problem": problem[:_TEXT],
            "id": einvoice_id,
        },
    )
    if said is not None:
        keep_artifacts(connection, einvoice_id, said.artifacts)


def keep_artifacts(connection: Connection, einvoice_id: int, artifacts: Iterable[Artifact]) -> None:
    """Keep files, each once."""
    for one in artifacts:
        connection.execute(
            "INSERT INTO einvoice_artifact (einvoice_id, kind, digest, content) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (einvoice_id, one.kind, hashlib.sha256(one.content).digest(), one.content),
        )


def note(
    connection: Connection,
    einvoice_id: int,
    operation: str,
    *,
    direction: str = "noted",
    text: str = "",
    outcome: Outcome | None = None,
) -> None:
    """Write down what was said or done."""
    said = "" if outcome is None else "; ".join(one.text for one in outcome.messages) or outcome.answer.value
    codes = "" if outcome is None else " ".join(one.code for one in outcome.messages)
    connection.execute(
        "INSERT INTO einvoice_event (einvoice_id, direction, operation, http_status, code, text, raw)"
        " VALUES (%s, %s::einvoice_direction, %s, %s, %s, %s, %s)",
        (
            einvoice_id,
            direction,
            operation,
            None if outcome is None else outcome.http_status,
            codes[:_TEXT],
            plain_text(text or said)[:_TEXT],
            b"" if outcome is None else outcome.raw[:RAW_OCTETS],
        ),
    )
