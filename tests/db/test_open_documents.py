"""Open documents: what the database keeps as they are issued and settled."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support import books_days

pytestmark = pytest.mark.db
days, connection = books_days.days, books_days.connection


def open_of(connection, document):
    return connection.execute(
        "SELECT open, due_on FROM open_document WHERE document_id = %s", (document.id,)
    ).fetchone()


def test_an_issued_invoice_is_open_with_its_first_due_day(connection, days):
    assert open_of(connection, days.january[1]) == (Decimal("36.48"), date(2026, 1, 16))


def test_a_credit_note_takes_its_amount_off_the_invoice_and_is_itself_used_up(connection, days):
    # 36.48 less 10.00 and its tax of 2.20.
    assert open_of(connection, days.january[0]) == (Decimal("24.28"), date(2026, 1, 16))
    assert open_of(connection, days.note) is None


def test_a_draft_a_quote_and_nothing_to_pay_are_not_open(connection, days):
    (open_now,) = connection.execute("SELECT count(*) FROM open_document").fetchone()
    assert open_now == 5
    connection.execute("SELECT set_config('corrente.actor', 'maria', true)")
    connection.execute("ALTER TABLE document DISABLE TRIGGER document_issue")
    for kind, register, payable in (("quote", "PR", 10), ("invoice", "FT", 0)):
        connection.execute(
            "INSERT INTO document (kind, issuer_id, customer_id, register_id, document_date, currency, includes_tax, net, tax, gross, payable,"
            " issuer_data, customer_data, language, made_by) VALUES (%s, %s, %s, %s, '2026-03-01', 'EUR', false, %s, 0, %s, %s, '{}', '{}', 'it', 'maria')",
            (kind, days.isp.issuer, days.isp.customers[0], days.isp.registers[register], payable, payable, payable),
        )
    connection.execute(
        "UPDATE document SET state = 'issued', year = 2026, number = 90, label = 'x', issued_at = now() WHERE state = 'draft'"
    )

    assert connection.execute("SELECT count(*) FROM open_document").fetchone() == (5,)
