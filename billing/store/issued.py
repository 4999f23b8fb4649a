"""Issued documents read back: as they are shown, as they are listed, and as far as credit notes need them.

Next: billing/operations/invoices.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import psycopg

from billing.credits import Creditable, IssuedGroup, IssuedLine
from billing.documents import Due, Source
from billing.errors import BillingError
from billing.money import Money, read_money, share, zero
from billing.periods import Period
from billing.sentence import Sentence
from billing.settlement import Standing, standing_of
from billing.shown import ShownDocument, ShownGroup, ShownLine
from billing.totals import Liability, Line, TaxTreatment, taxed_alike

Connection = psycopg.Connection[Any]
Row = tuple[Any, ...]


class NoDocumentError(BillingError):
    """There is no such document, or not one of it."""


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document in a list. `standing` is an invoice's; of others it is None."""

    id: int
    label: str
    kind: str
    state: str
    document_date: date
    customer_id: int
    customer: str
    currency: str
    gross: Money
    payable: Money
    standing: Standing | None


_LIST: Final = """
SELECT d.id, d.label, d.kind::text, d.state::text, d.document_date, d.customer_id, d.customer_data ->> 'name', d.currency, d.gross, d.payable,
    coalesce(o.open, 0), due.days, due.amounts,
    EXISTS (SELECT FROM write_off AS w WHERE w.invoice_id = d.id AND NOT EXISTS (SELECT FROM write_off_undo AS u WHERE u.write_off_id = w.id))
FROM document AS d LEFT JOIN open_document AS o ON o.document_id = d.id
    LEFT JOIN LATERAL (SELECT array_agg(due_on ORDER BY number) AS days, array_agg(amount ORDER BY number) AS amounts FROM document_due WHERE document_id = d.id) AS due ON true
WHERE d.state <> 'draft' AND d.kind = ANY (%(kinds)s::document_kind[])
    AND (%(customer)s::bigint IS NULL OR d.customer_id = %(customer)s) AND (%(issuer)s::bigint IS NULL OR d.issuer_id = %(issuer)s)
    AND (%(since)s::date IS NULL OR d.document_date >= %(since)s) AND (%(until)s::date IS NULL OR d.document_date <= %(until)s)
    AND (%(run)s::bigint IS NULL OR d.run_id = %(run)s)
    AND (NOT %(open)s OR o.document_id IS NOT NULL) AND (%(overdue)s::date IS NULL OR (d.kind = 'invoice' AND o.due_on < %(overdue)s))
ORDER BY d.document_date DESC, d.id DESC LIMIT %(limit)s
"""
_LISTED: Final = ("id", "label", "kind", "state", "document_date", "customer_id", "customer", "currency")
_HEAD: Final = ("id", "label", "kind", "state", "document_date", "issued_at", "made_by", "currency", "includes_tax")
_FIND: Final = """
SELECT d.id, d.label, i.name FROM document AS d JOIN issuer AS i ON i.id = d.issuer_id WHERE d.label = %s AND d.state <> 'draft' ORDER BY d.id
"""
_NUMBERS: Final = """
SELECT id, label, issuer_id FROM document
WHERE state <> 'draft' AND (id = ANY (%(ids)s::bigint[]) OR run_id = %(run)s) ORDER BY id
"""
_DOCUMENT: Final = """
SELECT d.id, d.label, d.kind::text, d.state::text, d.document_date, d.issued_at, d.made_by, d.currency, d.includes_tax, d.net, d.tax, d.gross, d.payable, d.stamp_duty,
    d.language::text, d.issuer_id, d.customer_id, d.issuer_data, d.customer_data, d.run_id, d.reason, first.label, coalesce(o.open, 0),
    d.valid_until, d.is_advance,
    EXISTS (SELECT FROM write_off AS w WHERE w.invoice_id = d.id AND NOT EXISTS (SELECT FROM write_off_undo AS u WHERE u.write_off_id = w.id))
FROM document AS d LEFT JOIN document AS first ON first.id = d.corrects_id LEFT JOIN open_document AS o ON o.document_id = d.id WHERE d.id = %s AND d.state <> 'draft'
"""
_LINES: Final = """
SELECT l.number, l.description, lower(l.during), upper(l.during), l.quantity, l.unit_price, l.discount, l.net, t.name, l.rate, l.nature, coalesce(c.credited, 0), l.contract_id,
    p.name, first.label, l.liability::text, t.bears_stamp, l.account_id, l.product_id, l.item_id, l.legal_reference
FROM document_line AS l JOIN tax_code AS t ON t.id = l.tax_code_id LEFT JOIN product AS p ON p.id = l.product_id LEFT JOIN document AS first ON first.id = l.corrects_id
    LEFT JOIN credited_line AS c ON c.document_id = l.document_id AND c.number = l.number
WHERE l.document_id = %s ORDER BY l.number
"""
# What was given back of charges by the invoice itself, with the line that does so, and what waits for a document.
_BESIDE: Final = """
SELECT h.line_number, g.line_number, -g.net, -l.net FROM charge AS h JOIN charge AS g ON g.corrects_id = h.id
    LEFT JOIN document_line AS l ON l.document_id = g.document_id AND l.number = g.line_number
WHERE h.document_id = %s AND (g.document_id = h.document_id OR (g.document_id IS NULL AND NOT g.covered)) AND g.net <> 0
"""
_GROUPS: Final = "SELECT rate, nature, legal_reference, liability::text, base, tax FROM document_tax WHERE document_id = %s ORDER BY rate DESC, nature, liability, legal_reference"
_DUES: Final = "SELECT due_on, amount FROM document_due WHERE document_id = %s ORDER BY number"
_RELATED: Final = """
SELECT d.label, 'corrected by', d.payable FROM document AS d WHERE d.corrects_id = %(id)s AND d.state <> 'draft'
UNION ALL SELECT i.label, 'settles', a.amount FROM (SELECT invoice_id, sum(amount) AS amount FROM allocation WHERE credit_note_id = %(id)s GROUP BY 1 HAVING sum(amount) <> 0) AS a JOIN document AS i ON i.id = a.invoice_id
UNION ALL SELECT n.label, 'settled by', a.amount FROM (SELECT credit_note_id, sum(amount) AS amount FROM allocation WHERE invoice_id = %(id)s AND credit_note_id IS NOT NULL GROUP BY 1 HAVING sum(amount) <> 0) AS a JOIN document AS n ON n.id = a.credit_note_id
UNION ALL SELECT DISTINCT d.label, 'less on', 0::numeric FROM document_line AS l JOIN document AS d ON d.id = l.document_id
    WHERE l.corrects_id = %(id)s AND d.kind = 'invoice' AND d.state = 'issued'
ORDER BY 2, 1
"""
# Tax that was given back: by credit notes as they say it, by lines below zero of later invoices as their share.
_GIVEN: Final = """
SELECT t.rate, t.nature, t.liability::text, sum(t.tax), 0::numeric FROM document AS d JOIN document_tax AS t ON t.document_id = d.id
WHERE d.corrects_id = %(id)s AND d.state = 'issued' GROUP BY 1, 2, 3
UNION ALL SELECT l.rate, l.nature, l.liability::text, 0, -sum(l.net) FROM document_line AS l JOIN document AS d ON d.id = l.document_id
WHERE l.corrects_id = %(id)s AND d.kind = 'invoice' AND d.state = 'issued' GROUP BY 1, 2, 3
"""


def find_document(connection: Connection, text: str, *, issuer: str | None = None) -> int:
    """The document of that printed number, of an issuer where it is named, or of that internal one as id:17.

    Raises: NoDocumentError when there is none, or several issuers have one.
    """
    if text.startswith("id:") and text[3:].isdigit():
        return int(text[3:])
    found = [row for row in connection.execute(_FIND, (text,)) if issuer in (None, row[2])]
    if len(found) == 1:
        return int(found[0][0])
    if not found:
        raise NoDocumentError(
            Sentence("there is no document %(text)s; `corrente invoice list` shows them", text=repr(text))
        )
    names = ", ".join(f"id:{number} of {issuer}" for number, _, issuer in found)
    raise NoDocumentError(
        Sentence(
            "there are %(found)s documents %(text)s: give its issuer, or one of %(names)s",
            found=len(found),
            text=repr(text),
            names=names,
        )
    )


def load_documents(
    connection: Connection,
    *,
    kinds: tuple[str, ...],
    today: date,
    limit: int,
    customer_id: int | None = None,
    issuer_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
    run_id: int | None = None,
    only_open: bool = False,
    only_overdue: bool = False,
) -> list[ListedDocument]:
    """The newest documents of these kinds; `only_open` with something left to pay or to give."""
    rows = connection.execute(
        _LIST,
        {
            "kinds": list(kinds),
            "customer": customer_id,
            "issuer": issuer_id,
            "since": since,
            "until": until,
            "run": run_id,
            "open": only_open or only_overdue,
            "overdue": today if only_overdue else None,
            "limit": limit,
        },
    )
    return [listed_document(row, today) for row in rows]


def load_numbers(
    connection: Connection, *, ids: Sequence[int] | None = None, run_id: int | None = None
) -> list[tuple[int, str, int]]:
    """Id, printed number and issuer of documents that were issued, by id: of these, or of a billing run."""
    return connection.execute(_NUMBERS, {"ids": None if ids is None else list(ids), "run": run_id}).fetchall()


def load_document(connection: Connection, document_id: int, *, today: date) -> ShownDocument:
    """All that stands on a document. Raises: NoDocumentError."""
    row = connection.execute(_DOCUMENT, (document_id,)).fetchone()
    if row is None:
        raise NoDocumentError(
            Sentence("there is no document id:%(document_id)s that was issued", document_id=document_id)
        )
    currency = row[7]
    net, tax, gross, payable, stamp = (read_money(amount, currency) for amount in row[9:14])
    dues = tuple(Due(day, read_money(amount, currency)) for day, amount in connection.execute(_DUES, (document_id,)))
    related = connection.execute(_RELATED, {"id": document_id}).fetchall()
    return ShownDocument(
        **dict(zip(_HEAD, row, strict=False)),
        net=net,
        tax=tax,
        gross=gross,
        payable=payable,
        stamp_duty=stamp,
        language=row[14],
        issuer_id=row[15],
        customer_id=row[16],
        issuer=row[17],
        customer=row[18],
        run_id=row[19],
        reason=row[20],
        corrects=row[21],
        lines=tuple(_shown_line(one, currency) for one in connection.execute(_LINES, (document_id,))),
        groups=tuple(
            ShownGroup(rate, nature, law, liability, read_money(base, currency), read_money(tax_of, currency))
            for rate, nature, law, liability, base, tax_of in connection.execute(_GROUPS, (document_id,))
        ),
        dues=dues,
        standing=_standing(row[2], payable, read_money(row[22], currency), dues, today, written_off=row[25]),
        related=tuple((label, how, read_money(amount, currency)) for label, how, amount in related),
        valid_until=row[23],
        is_advance=row[24],
    )


def load_creditable(connection: Connection, document_id: int) -> Creditable:
    """An issued invoice with what was given back of it.

    Raises: NoDocumentError when it is no issued invoice.
    """
    row = connection.execute(
        "SELECT label, document_date, currency, includes_tax FROM document WHERE id = %s AND kind = 'invoice' AND state = 'issued'",
        (document_id,),
    ).fetchone()
    if row is None:
        raise NoDocumentError(
            Sentence(
                "document id:%(document_id)s is no issued invoice: only those are corrected by credit notes",
                document_id=document_id,
            )
        )
    label, document_date, currency, includes_tax = row
    lines = [(line, _treatment(line)) for line in connection.execute(_LINES, (document_id,)).fetchall()]
    treatments = {taxed_alike(treatment): treatment for _, treatment in lines}
    given = connection.execute(_GIVEN, {"id": document_id}).fetchall()
    groups = []
    for group in connection.execute(_GROUPS, (document_id,)).fetchall():
        key, law = (group[0].normalize(), group[1], group[3]), group[2] if group[1] is not None else None
        base, tax = (read_money(amount, currency) for amount in group[4:])
        own = treatments[(*key[:2], Liability(key[2]), law)]
        credited = zero(currency)
        for rate, nature, liability, by_notes, by_lines in given:
            # Of two laws of one nature neither has tax to give back.
            if (rate.normalize(), nature, liability) == key:
                credited += read_money(by_notes, currency)
                credited += (
                    share(tax, read_money(by_lines, currency).minor, base.minor) if base.minor > 0 else zero(currency)
                )
        groups.append(IssuedGroup(own, base, tax, credited))
    return Creditable(
        document_id,
        label,
        document_date,
        currency,
        includes_tax,
        _beside(connection, document_id, [_issued_line(line, treatment, currency) for line, treatment in lines]),
        tuple(groups),
    )


def load_parties_of(connection: Connection, document_id: int) -> tuple[int, int]:
    """The issuer and the customer of a document. Raises: NoDocumentError."""
    row = connection.execute("SELECT issuer_id, customer_id FROM document WHERE id = %s", (document_id,)).fetchone()
    if row is None:
        raise NoDocumentError(Sentence("there is no document id:%(document_id)s", document_id=document_id))
    return row[0], row[1]


def listed_document(row: Row, today: date) -> ListedDocument:
    """A document of a list, from its row; see `_LIST`."""
    currency = row[7]
    gross, payable, left = (read_money(amount, currency) for amount in row[8:11])
    days = zip(row[11] or (), row[12] or (), strict=True)
    dues = tuple(Due(day, read_money(amount, currency)) for day, amount in days)
    standing = _standing(row[2], payable, left, dues, today, written_off=row[13])
    return ListedDocument(**dict(zip(_LISTED, row, strict=False)), gross=gross, payable=payable, standing=standing)


def _standing(
    kind: str, payable: Money, left: Money, dues: tuple[Due, ...], today: date, *, written_off: bool
) -> Standing | None:
    if kind != "invoice":
        return None
    return standing_of(payable, payable - left, dues, today=today, written_off=written_off)


def _shown_line(row: Row, currency: str) -> ShownLine:
    number, description, start, end, quantity, price, discount, net, code, rate, nature, credited, contract, product = (
        row[:14]
    )
    during = Period(start, end) if start is not None and end is not None else None
    money = read_money(net, currency), read_money(credited, currency)
    return ShownLine(
        number,
        description,
        during,
        quantity,
        price,
        discount,
        money[0],
        code,
        rate,
        nature,
        money[1],
        contract,
        product,
        row[14],
    )


def _beside(connection: Connection, document_id: int, lines: list[IssuedLine]) -> tuple[IssuedLine, ...]:
    """The lines with what else was given back of them than by later documents."""
    found = {line.number: line for line in lines}
    for number, own, *amounts in connection.execute(_BESIDE, (document_id,)).fetchall():
        line = found[number]
        currency = line.credited.currency
        nothing = zero(currency)
        amount = read_money(amounts[0], currency)
        if own is None:
            found[number] = replace(line, waits=(line.waits or nothing) + amount)
        else:
            net, price = line.own or (nothing, nothing)
            found[number] = replace(line, own=(net + read_money(amounts[1], currency), price + amount))
            found[own] = replace(found[own], takes_back=True)
    return tuple(found.values())


def _issued_line(row: Row, treatment: TaxTreatment, currency: str) -> IssuedLine:
    shown = _shown_line(row, currency)
    printed = Line(shown.description, shown.quantity, shown.unit_price, shown.discount, shown.net, treatment)
    source = Source(row[18], shown.contract_id, row[19], None, shown.during)
    return IssuedLine(shown.number, printed, shown.credited, row[17], source)


def _treatment(row: Row) -> TaxTreatment:
    return TaxTreatment(row[8], row[9], row[10], row[20], Liability(row[15]), row[16])
