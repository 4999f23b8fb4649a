"""Issuing: drafts become numbered documents with their entries, in sets, in the caller's transaction.

What a document is made of is copied first, and that it is to come (schema.sql: document_to_come); the registers' years are locked
last, so that others wait for a number only from here to the commit; then the documents themselves are copied, issued, which the
database judges (schema.sql: issue_documents()).

Next: billing/store/allocations.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import psycopg

from billing.documents import DocumentKind, Draft, Register
from billing.errors import BillingError
from billing.fitting import fitted
from billing.money import Money, currency_places, read_money
from billing.periods import Period
from billing.postings import Accounts, postings_for
from billing.sentence import Sentence
from billing.store.allocations import apply_credit, hold_creditors, settle_credit_notes
from billing.store.credited_groups import levelled
from billing.store.ledger import load_accounts, load_registers
from billing.store.outbox import Event
from billing.store.outbox import write as write_events

Connection = psycopg.Connection[Any]
NULL: Final = r"\N"

_DOCUMENT: Final = (
    "COPY document (id, kind, issuer_id, customer_id, register_id, document_date, currency, includes_tax, net, tax, gross,"
    " payable, stamp_duty, issuer_data, customer_data, language, run_id, from_id, corrects_id, reason, valid_until, made_by, is_advance,"
    " state, year, number, label, issued_at) FROM STDIN"
)
_LINE: Final = (
    "COPY document_line (document_id, number, contract_id, item_id, description, during, quantity, unit_price, discount, net,"
    " tax_code_id, rate, nature, liability, corrects_id, corrects_number, product_id, account_id, legal_reference) FROM STDIN"
)
_TAX: Final = "COPY document_tax (document_id, rate, nature, liability, legal_reference, base, tax) FROM STDIN"
_DUE: Final = "COPY document_due (document_id, number, due_on, amount) FROM STDIN"
_ENTRY: Final = "COPY entry (id, issuer_id, dated, source, source_id, kind, currency, made_by) FROM STDIN"
_POSTING: Final = "COPY posting (entry_id, number, account_id, customer_id, amount) FROM STDIN"
_CHARGES: Final = """
UPDATE charge AS c SET document_id = line.document_id, line_number = line.number
FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[]) AS line (charge_id, document_id, number)
WHERE c.id = line.charge_id AND c.document_id IS NULL AND NOT c.covered
"""
_LEFT: Final = """
SELECT l.document_id, l.number, l.net - coalesce(c.credited, 0), d.currency
FROM unnest(%s::bigint[], %s::smallint[]) AS k (document_id, number)
    JOIN document_line AS l ON l.document_id = k.document_id AND l.number = k.number JOIN document AS d ON d.id = l.document_id
    LEFT JOIN credited_line AS c ON c.document_id = l.document_id AND c.number = l.number
"""
_ESCAPED: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class ChargeTakenError(BillingError):
    """A charge that lines were to bill has a document already, or none is due for it."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Issued:
    """A document's number. `label` is as it is printed."""

    id: int
    register_id: int
    year: int
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class Written:
    """Documents whose parts stand in the database, not booked and numbered yet. `rows` are theirs but for their numbers."""

    drafts: Sequence[Draft] = ()
    ids: Sequence[int] = ()
    registers: Mapping[int, Register] = field(default_factory=dict)
    rows: Sequence[str] = ()
    entries: str = ""
    postings: str = ""


def issue(connection: Connection, drafts: Sequence[Draft], *, made_by: str) -> list[Issued]:
    """Number and book these documents, in their order; the answer has the same order.

    `acting()` must have been told in this transaction. What is refused leaves the transaction to be rolled back.
    Raises: BillingError for an account or a register that the issuer does not have; ChargeTakenError; psycopg's
        IntegrityError for what the database refuses.
    """
    return number_documents(connection, write_parts(connection, drafts, made_by=made_by))


def write_parts(connection: Connection, drafts: Sequence[Draft], *, made_by: str) -> Written:
    """The first part of issuing, which several transactions may do at once: all but entries, numbers and documents themselves.

    It touches nothing of a customer but the documents' own rows; balances are counted when entries are written.
    Raises: as `issue`.
    """
    if not drafts:
        return Written()
    drafts = levelled(connection, _fitted(connection, drafts))
    issuers = sorted({draft.issuer_id for draft in drafts})
    accounts = {issuer_id: load_accounts(connection, issuer_id) for issuer_id in issuers}
    registers = {one.id: one for issuer_id in issuers for one in load_registers(connection, issuer_id)}
    ids = take_ids(connection, "document_id_seq", len(drafts))
    connection.execute("INSERT INTO document_to_come (ids) VALUES (%s)", (array_text(ids),))
    _copy_parts(connection, drafts, ids)
    _bill_charges(connection, drafts, ids)
    writer = copy_text(made_by)
    rows = [_document_row(number, draft, writer) for number, draft in zip(ids, drafts, strict=True)]
    entry_ids = take_ids(connection, "entry_id_seq", len(drafts))
    entries, postings = _entry_rows(drafts, ids, entry_ids=entry_ids, accounts=accounts, made_by=made_by)
    return Written(drafts, ids, registers, rows, entries, postings)


def number_documents(connection: Connection, written: Written) -> list[Issued]:
    """The second part, for which all others that issue wait until this transaction ends.

    Raises: as `issue`.
    """
    drafts, ids = written.drafts, written.ids
    if not drafts:
        return []
    creditors = hold_creditors(
        connection,
        (one.customer_id for one in drafts if one.kind is DocumentKind.INVOICE),
        becoming=(one.customer_id for one in drafts if one.kind is DocumentKind.CREDIT_NOTE),
    )
    copy_rows(connection, _ENTRY, (written.entries,))
    copy_rows(connection, _POSTING, (written.postings,))
    issued = _number(connection, written)
    settle_credit_notes(
        connection,
        [(number, one.corrects_id) for number, one in zip(ids, drafts, strict=True) if one.corrects_id is not None],
    )
    apply_credit(connection, creditors)
    write_events(connection, (_event(one, draft) for one, draft in zip(issued, drafts, strict=True)))
    return issued


def copy_rows(connection: Connection, statement: str, rows: Iterable[str]) -> None:
    """Copy rows in PostgreSQL's text form, each ending with its newline; without rows, nothing is sent."""
    text = "".join(rows)
    if text:
        with connection.cursor().copy(statement) as copy:
            copy.write(text)


def array_text(values: Iterable[int | date | None]) -> str:
    """Whole numbers or days in PostgreSQL's array form: one text is told in a fifth of the time of a list of values."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def copy_text(value: str | None) -> str:
    """A text or NULL in PostgreSQL's COPY form."""
    return NULL if value is None else value.translate(_ESCAPED)


def copy_money(value: Money) -> str:
    """A settled amount in PostgreSQL's COPY form: exact, in whole units of the currency."""
    places = currency_places(value.currency)
    if not places:
        return str(value.minor)
    digits = str(abs(value.minor)).rjust(places + 1, "0")
    return f"{'-' if value.minor < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def copy_period(value: Period | None) -> str:
    """A time or NULL in PostgreSQL's COPY form."""
    return NULL if value is None else f"[{value.start},{value.end})"


def _fitted(connection: Connection, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Where prices include tax, lines that give back may be a cent off what they correct."""
    keys = {
        line.source.corrects
        for draft in drafts
        if draft.includes_tax
        for line in draft.lines
        if line.source.corrects is not None
    }
    if not keys:
        return drafts
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    left = {
        (document, number): read_money(net, currency)
        for document, number, net, currency in connection.execute(_LEFT, columns)
    }
    return [fitted(draft, left) if draft.includes_tax else draft for draft in drafts]


def _copy_parts(connection: Connection, drafts: Sequence[Draft], ids: Sequence[int]) -> None:
    code_ids = dict(connection.execute("SELECT name, id FROM tax_code").fetchall())
    numbered = list(zip(ids, drafts, strict=True))
    copy_rows(connection, _LINE, (row for number, draft in numbered for row in _line_rows(number, draft, code_ids)))
    copy_rows(connection, _TAX, (row for number, draft in numbered for row in _tax_rows(number, draft)))
    copy_rows(
        connection,
        _DUE,
        (
            f"{number}\t{place}\t{due.due_on}\t{copy_money(due.amount)}\n"
            for number, draft in numbered
            for place, due in enumerate(draft.dues, 1)
        ),
    )


def _document_row(number: int, draft: Draft, writer: str) -> str:
    """A document's row up to its state."""
    totals = draft.totals
    return (
        f"{number}\t{draft.kind}\t{draft.issuer_id}\t{draft.customer_id}\t{draft.register_id}\t{draft.document_date}\t"
        f"{draft.currency}\t{draft.includes_tax}\t{copy_money(totals.net)}\t{copy_money(totals.tax)}\t"
        f"{copy_money(totals.gross)}\t{copy_money(totals.payable)}\t{copy_money(draft.stamp_duty)}\t"
        f"{copy_text(draft.issuer_data)}\t{copy_text(draft.customer_data)}\t{draft.language}\t{_or_null(draft.run_id)}\t"
        f"{_or_null(draft.from_id)}\t{_or_null(draft.corrects_id)}\t{copy_text(draft.reason)}\t"
        f"{_or_null(draft.valid_until)}\t{writer}\t{draft.is_advance}"
    )


def _line_rows(number: int, draft: Draft, code_ids: dict[str, int]) -> Iterator[str]:
    for place, (line, printed) in enumerate(zip(draft.lines, draft.totals.lines, strict=True), 1):
        source, taxed = line.source, printed.treatment
        law = taxed.legal_reference if taxed.nature is not None else None
        corrects = f"{source.corrects[0]}\t{source.corrects[1]}" if source.corrects else f"{NULL}\t{NULL}"
        yield (
            f"{number}\t{place}\t{_or_null(source.contract_id)}\t{_or_null(source.item_id)}\t"
            f"{copy_text(printed.description)}\t{copy_period(source.during)}\t{printed.quantity:f}\t{printed.unit_price:f}\t"
            f"{printed.discount:f}\t{copy_money(printed.net)}\t{code_ids[taxed.code]}\t{taxed.rate:f}\t"
            f"{copy_text(taxed.nature)}\t{taxed.liability}\t{corrects}\t{_or_null(source.product_id)}\t{line.account_id}\t{copy_text(law)}\n"
        )


def _tax_rows(number: int, draft: Draft) -> Iterator[str]:
    for group in draft.totals.groups:
        taxed = group.treatment
        yield (
            f"{number}\t{taxed.rate:f}\t{copy_text(taxed.nature)}\t{taxed.liability}\t{copy_text(taxed.legal_reference)}\t"
            f"{copy_money(group.base)}\t{copy_money(group.tax)}\n"
        )


def _entry_rows(
    drafts: Sequence[Draft],
    ids: Sequence[int],
    *,
    entry_ids: Sequence[int],
    accounts: Mapping[int, Accounts],
    made_by: str,
) -> tuple[str, str]:
    """The entries of documents and their postings, to be copied. One of nothing has none, and leaves its id."""
    entries: list[str] = []
    postings: list[str] = []
    writer = copy_text(made_by)
    for entry, number, draft in zip(entry_ids, ids, drafts, strict=True):
        legs = postings_for(draft, accounts[draft.issuer_id]) if draft.kind.is_booked else ()
        if not legs:
            continue
        entries.append(
            f"{entry}\t{draft.issuer_id}\t{draft.document_date}\tdocument\t{number}\t{draft.kind}\t{draft.currency}\t{writer}\n"
        )
        postings += (
            f"{entry}\t{place}\t{leg.account_id}\t{_or_null(leg.customer_id)}\t{copy_money(leg.amount)}\n"
            for place, leg in enumerate(legs, 1)
        )
    return "".join(entries), "".join(postings)


def _bill_charges(connection: Connection, drafts: Sequence[Draft], ids: Sequence[int]) -> None:
    """Waiting charges come to stand on their lines."""
    billed = [
        (line.source.charge_id, number, place)
        for number, draft in zip(ids, drafts, strict=True)
        for place, line in enumerate(draft.lines, 1)
        if line.source.charge_id is not None
    ]
    if not billed:
        return
    changed = connection.execute(_CHARGES, [list(column) for column in zip(*billed, strict=True)]).rowcount
    if changed != len(billed):
        raise ChargeTakenError(
            Sentence(
                "of %(billed)s charges %(taken)s have a document already: read what is due again",
                billed=len(billed),
                taken=len(billed) - changed,
            )
        )


def _number(connection: Connection, written: Written) -> list[Issued]:
    """Take the registers' next numbers in order of the documents, and issue."""
    last = _lock_years(connection, {(draft.register_id, draft.document_date.year) for draft in written.drafts})
    issued = []
    for number, draft in zip(written.ids, written.drafts, strict=True):
        key = (draft.register_id, draft.document_date.year)
        last[key] += 1
        label = written.registers[draft.register_id].label(last[key], key[1])
        issued.append(Issued(number, draft.register_id, key[1], last[key], label))
    # PostgreSQL reads `now` as the time at which the transaction began.
    copy_rows(
        connection,
        _DOCUMENT,
        (
            f"{row}\tissued\t{one.year}\t{one.number}\t{copy_text(one.label)}\tnow\n"
            for row, one in zip(written.rows, issued, strict=True)
        ),
    )
    return issued


def _event(issued: Issued, draft: Draft) -> Event:
    totals = draft.totals
    told: dict[str, object] = {
        "document": issued.id,
        "label": issued.label,
        "kind": draft.kind,
        "customer": draft.customer_id,
        "currency": draft.currency,
        "net": totals.net.amount,
        "tax": totals.tax.amount,
        "gross": totals.gross.amount,
        "payable": totals.payable.amount,
        "due_on": draft.dues[-1].due_on if draft.dues else None,
    }
    if draft.kind is DocumentKind.CREDIT_NOTE:
        return Event("document.credited", {**told, "corrects": draft.corrects_id})
    return Event("document.issued", told)


def _lock_years(connection: Connection, keys: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The last numbers of these registers' years, held until the transaction ends."""
    last: dict[tuple[int, int], int] = {}
    for key in sorted(keys):
        connection.execute("INSERT INTO register_year (register_id, year) VALUES (%s, %s) ON CONFLICT DO NOTHING", key)
        row = connection.execute(
            "SELECT last_number FROM register_year WHERE register_id = %s AND year = %s FOR UPDATE", key
        ).fetchone()
        assert row is not None, f"register {key} was just written"
        last[key] = row[0]
    return last


def take_ids(connection: Connection, sequence: str, count: int) -> list[int]:
    """So many numbers of a sequence, for rows that name each other before they are copied."""
    rows = connection.execute("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", (sequence, count))
    return [number for (number,) in rows]


def _or_null(value: int | date | None) -> str:
    return NULL if value is None else str(value)
