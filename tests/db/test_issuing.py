"""Issuing through billing/store/documents.py, on a real PostgreSQL."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.rows import dict_row
from support.books_isp import STARTS, desk, make_books
from support.small_isp import one

from billing.store.acting import acting
from billing.store.documents import issue

pytestmark = pytest.mark.db


def _rows(connection, statement, *arguments):
    return connection.cursor(row_factory=dict_row).execute(statement, arguments).fetchall()


def test_an_invoice_has_its_number_its_lines_its_due_day_and_its_entry(connection):
    isp = make_books(connection)
    at = desk(connection, isp)
    acting(connection, "maria")

    (issued,) = issue(connection, [at.invoice(at.line("29.90"), at.line("5.00", product="Phone"))], made_by="maria")

    assert (issued.year, issued.number, issued.label) == (2026, 1, "1/FT/2026")
    (document,) = _rows(connection, "SELECT *, customer_data ->> 'city' AS city FROM document")
    # 29.90 + 5.00 = 34.90; 22 percent of it 7.678, so 7.68.
    assert [document[column] for column in ("net", "tax", "gross", "payable")] == [
        Decimal("34.90"),
        Decimal("7.68"),
        Decimal("42.58"),
        Decimal("42.58"),
    ]
    assert (document["state"], document["made_by"], document["city"]) == ("issued", "maria", "Torino")
    lines = _rows(connection, "SELECT description, net, account_id FROM document_line ORDER BY number")
    assert [(line["description"], line["net"], line["account_id"]) for line in lines] == [
        ("Home 30", Decimal("29.90"), isp.accounts["4100"]),
        ("Phone", Decimal("5.00"), isp.accounts["4200"]),
    ]
    legs = _rows(connection, "SELECT account_id, amount, customer_id FROM posting ORDER BY number")
    assert [(leg["account_id"], leg["amount"], leg["customer_id"]) for leg in legs] == [
        (isp.accounts["1500"], Decimal("42.58"), isp.customers[0]),
        (isp.accounts["4100"], Decimal("-29.90"), None),
        (isp.accounts["4200"], Decimal("-5.00"), None),
        (isp.accounts["2600"], Decimal("-7.68"), None),
    ]
    connection.commit()


def test_documents_are_numbered_in_their_order_a_series_a_register(connection):
    isp = make_books(connection)
    at = desk(connection, isp)
    acting(connection, "maria")

    issued = issue(
        connection,
        [
            at.invoice(at.line("1"), customer=n % 3, register=register)
            for n, register in enumerate(("FT", "RC", "FT", "FT"))
        ],
        made_by="maria",
    )

    assert [one.label for one in issued] == ["1/FT/2026", "1/RC/2026", "2/FT/2026", "3/FT/2026"]


def test_what_nobody_says_to_write_is_not_written(connection):
    isp = make_books(connection)
    at = desk(connection, isp)

    with pytest.raises(psycopg.errors.CheckViolation, match="by nobody"):
        issue(connection, [at.invoice(at.line("1"))], made_by="maria")


def test_a_public_body_pays_its_tax_to_the_state_and_all_of_it_stands_as_owed(connection):
    isp = make_books(connection)
    connection.execute("UPDATE customer SET kind = 'public_body', given_name = NULL, family_name = NULL")
    at = desk(connection, isp)
    acting(connection, "maria")

    issue(connection, [at.invoice(at.line("100"))], made_by="maria")

    legs = connection.execute("SELECT account_id, amount FROM posting ORDER BY number").fetchall()
    assert legs == [
        (isp.accounts["1500"], Decimal(100)),
        (isp.accounts["4100"], Decimal(-100)),
        (isp.accounts["2600"], Decimal(-22)),
        (isp.accounts["2610"], Decimal(22)),
    ]
    assert connection.execute("SELECT amount, due_on - %s FROM document_due", (STARTS,)).fetchall() == [
        (Decimal(100), 15)
    ]


@pytest.mark.parametrize("at_once", [1, 5])
def test_credit_notes_of_runs_leave_no_cent_of_an_invoice_s_tax(connection, at_once):
    """24.51 with 5.39 of tax in twelve parts of 2.04, whose tax alone would be 0.45 each and 5.40 together, and one of 0.03."""
    isp = make_books(connection)
    at = desk(connection, isp)
    acting(connection, "maria")
    run = one(
        connection,
        "INSERT INTO billing_run (issuer_id, run_date, state, started_by, confirmed_by, confirmed_at) VALUES (%s, '2026-01-01', 'issuing', 'maria', 'maria', now()) RETURNING id",
        isp.issuer,
    )
    (invoice,) = issue(connection, [at.invoice(at.line("24.51"))], made_by="maria")
    notes = [
        replace(
            at.invoice(at.line(part, corrects=(invoice.id, 1)), register="NC"),
            corrects_id=invoice.id,
            run_id=run,
            dues=(),
        )
        for part in (*["2.04"] * 12, "0.03")
    ]
    for first in range(0, len(notes), at_once):
        issue(connection, notes[first : first + at_once], made_by="maria")

    sums = "SELECT count(*), sum(net), sum(tax), max(abs(tax - net * 0.22)) <= 0.015 FROM document WHERE kind = 'credit_note'"
    assert connection.execute(sums).fetchone() == (13, Decimal("24.51"), Decimal("5.39"), True)
    assert one(connection, "SELECT count(*) FROM open_document") == 0
