"""What an accountant looks at, on documents whose figures are worked out by hand (tests/support/books_days.py)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support import books_days
from support.paid import pay

from billing.ledger import Wish, decide_entry
from billing.operations.giving_back import write_off
from billing.operations.receiving import reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.store import books, deferred_revenue, reports, turnover
from billing.store.acting import acting

pytestmark = pytest.mark.db
days, connection = books_days.days, books_days.connection

YEAR = {"since": date(2026, 1, 1), "until": date(2026, 12, 31)}


def by_hand(connection, days, *wishes, dated=date(2026, 3, 5), note="Fee for a returned debit"):
    acting(connection, "maria")
    chart = {account.code: account for account in books.load_chart(connection, days.isp.issuer)}
    entry = decide_entry(
        wishes, chart, dated=dated, currency="EUR", note=note, closed=[], today=date(2026, 4, 10), evidence="advice 7"
    )
    return books.write_entry(connection, days.isp.issuer, entry, made_by="maria")


def text(*values):
    return tuple(None if value is None else str(value) for value in values)


def test_a_statement_runs_from_the_balance_before_to_the_ledger_s(connection, days):
    anna = days.isp.customers[0]
    by_hand(connection, days, Wish("1500", Decimal(5), anna), Wish("4900", Decimal(-5)))

    rows = list(
        reports.stream_statement(connection, days.isp.issuer, anna, since=date(2026, 2, 1), until=date(2026, 3, 31))
    )

    assert [text(row.dated, row.what, row.reference, row.debit, row.credit, row.balance) for row in rows] == [
        ("2026-02-01", "balance before", "", None, None, "36.48"),
        ("2026-02-01", "invoice", days.february[0].label, "41.36", None, "77.84"),
        ("2026-02-10", "credit note", days.note.label, None, "12.20", "65.64"),
        ("2026-03-05", "entry", "Fee for a returned debit", "5.00", None, "70.64"),
    ]
    assert rows[1].due_on == date(2026, 2, 16)
    (balance,) = connection.execute("SELECT balance FROM customer_balance WHERE customer_id = %s", (anna,)).fetchone()
    assert rows[-1].balance == balance


def test_a_statement_of_a_time_before_everything_is_a_balance_of_nothing(connection, days):
    anna = days.isp.customers[0]
    before = list(
        reports.stream_statement(connection, days.isp.issuer, anna, since=date(2025, 1, 1), until=date(2025, 12, 31))
    )
    assert before == []


def test_a_statement_s_last_line_is_the_ledger_s_sub_account_on_every_day(connection, days):
    anna = days.isp.customers[0]
    for day in (date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 9), date(2026, 2, 10), date(2026, 5, 1)):
        *_, last = reports.stream_statement(connection, days.isp.issuer, anna, since=date(2026, 1, 1), until=day)
        (ledger,) = connection.execute(
            "SELECT sum(p.amount) FROM posting p JOIN entry e ON e.id = p.entry_id WHERE p.customer_id = %s AND e.dated <= %s",
            (anna, day),
        ).fetchone()
        assert last.balance == ledger


def test_the_trial_balance_sums_to_nothing_and_shows_what_moved(connection, days):
    rows = list(
        reports.stream_trial_balance(connection, days.isp.issuer, since=date(2026, 2, 1), until=date(2026, 2, 28))
    )

    # January: 3 x 29.90 net, 6.58 VAT. February: 33.90 + 29.90 less 10.00; 7.46 + 6.58 less 2.20.
    assert [text(row.account, row.opening, row.debit, row.credit, row.balance) for row in rows] == [
        ("1500", "109.44", "77.84", "12.20", "175.08"),
        ("2600", "-19.74", "2.20", "14.04", "-31.58"),
        ("4100", "-89.70", "10.00", "59.80", "-139.50"),
        ("4200", "0.00", "0.00", "4.00", "-4.00"),
    ]
    assert sum(row.balance for row in rows) == 0
    on_the_first = list(reports.stream_trial_balance(connection, days.isp.issuer, until=date(2026, 1, 31)))
    assert [text(row.account, row.balance) for row in on_the_first] == [
        ("1500", "109.44"),
        ("2600", "-19.74"),
        ("4100", "-89.70"),
    ]


def test_the_journal_has_every_leg_with_document_text_and_evidence(connection, days):
    entry = by_hand(connection, days, Wish("6500", Decimal("2.50")), Wish("1000", Decimal("-2.50")), note="Bank fees")

    rows = list(reports.stream_journal(connection, days.isp.issuer, **YEAR))

    assert [text(row.document, row.account, row.debit, row.credit) for row in rows[:3]] == [
        (days.january[0].label, "1500", "36.48", None),
        (days.january[0].label, "4100", None, "29.90"),
        (days.january[0].label, "2600", None, "6.58"),
    ]
    assert sum(row.debit or 0 for row in rows) == sum(row.credit or 0 for row in rows) == Decimal("201.98")
    assert [
        text(row.text, row.evidence, row.account, row.debit, row.credit, row.made_by)
        for row in rows
        if row.entry == entry
    ] == [
        ("Bank fees", "advice 7", "6500", "2.50", None, "maria"),
        ("Bank fees", "advice 7", "1000", None, "2.50", "maria"),
    ]
    apart = list(reports.stream_journal(connection, days.isp.issuer, **YEAR, by_hand=True))
    assert {row.entry for row in apart} == {entry}


def test_an_account_card_runs_from_what_stood_there_before(connection, days):
    card = list(
        reports.stream_card(
            connection, days.isp.issuer, days.isp.accounts["4100"], since=date(2026, 2, 1), until=date(2026, 2, 28)
        )
    )
    assert [text(row.dated, row.document, row.debit, row.credit, row.balance) for row in card] == [
        ("2026-02-01", None, None, None, "-89.70"),
        ("2026-02-01", days.february[0].label, None, "29.90", "-119.60"),
        ("2026-02-01", days.february[1].label, None, "29.90", "-149.50"),
        ("2026-02-10", days.note.label, "10.00", None, "-139.50"),
    ]


def test_the_vat_register_has_a_row_a_document_and_rate_and_its_sums_are_the_ledger_s(connection, days):
    rows = list(turnover.stream_vat_register(connection, days.isp.issuer, **YEAR))

    assert [text(row.register, row.protocol, row.kind, row.rate, row.base, row.tax) for row in rows] == [
        ("FT", "1", "invoice", "22", "29.90", "6.58"),
        ("FT", "2", "invoice", "22", "29.90", "6.58"),
        ("FT", "3", "invoice", "22", "29.90", "6.58"),
        ("FT", "4", "invoice", "22", "33.90", "7.46"),
        ("FT", "5", "invoice", "22", "29.90", "6.58"),
        ("NC", "1", "credit note", "22", "-10.00", "-2.20"),
    ]
    assert (rows[0].customer, rows[0].tax_number) == ("Anna Rossi 1", "RSSNNA80A41L001B")
    assert rows == list(turnover.stream_vat_register(connection, days.isp.issuer, **YEAR))
    assert [
        row.protocol for row in turnover.stream_vat_register(connection, days.isp.issuer, **YEAR, register="NC")
    ] == [1]
    (february,) = turnover.stream_vat_sums(connection, days.isp.issuer, since=date(2026, 2, 1), until=date(2026, 2, 28))
    assert text(
        february.liability, february.rate, february.documents, february.base, february.tax, february.tax_due
    ) == (*("immediate", "22", "3", "53.80", "11.84", "11.84"),)
    ((booked,),) = connection.execute(
        "SELECT -sum(amount) FROM posting p JOIN entry e ON e.id = p.entry_id WHERE account_id = %s AND e.dated >= '2026-02-01'",
        (days.isp.accounts["2600"],),
    ).fetchall()
    assert february.tax == booked


def test_split_tax_stands_in_the_register_and_is_not_the_issuer_s_to_pay(connection, days):
    acting(connection, "maria")
    connection.execute("ALTER TABLE document_tax DISABLE TRIGGER USER")
    connection.execute("UPDATE document_tax SET liability = 'split' WHERE document_id = %s", (days.january[0].id,))

    sums = list(turnover.stream_vat_sums(connection, days.isp.issuer, since=date(2026, 1, 1), until=date(2026, 1, 31)))

    assert [text(row.liability, row.base, row.tax, row.tax_due) for row in sums] == [
        ("immediate", "59.80", "13.16", "13.16"),
        ("split", "29.90", "6.58", "0.00"),
    ]


def test_deferred_tax_is_owed_as_far_as_it_is_paid_and_what_came_back_is_not(connection, days):
    acting(connection, "maria")
    connection.execute("ALTER TABLE document_tax DISABLE TRIGGER USER")
    connection.execute("UPDATE document_tax SET liability = 'deferred'")
    connection.execute("ALTER TABLE document_tax ENABLE TRIGGER USER")
    anna, issuer = days.isp.customers[0], days.isp.issuer
    first = pay(connection, issuer, "10.00", anna, value_on=date(2026, 3, 10)).payment
    pay(connection, issuer, "14.28", anna, value_on=date(2026, 4, 2))
    back = Happening(date(2026, 5, 5), "insufficient funds", PaymentSource.FILE, "returned 1")
    assert not isinstance(reverse_payment(connection, first.id, back, today=back.dated, actor="maria"), NotDone)
    gone = date(2026, 5, 6)
    lost = write_off(connection, days.january[1].id, reason="gone", dated=gone, today=gone, actor="maria")
    assert not isinstance(lost, NotDone)

    def owed(since, until):
        (row,) = turnover.stream_vat_sums(connection, issuer, since=since, until=until)
        return text(row.documents, row.tax, row.tax_due, row.tax_not_due)

    assert owed(date(2026, 1, 1), date(2026, 1, 31)) == ("3", "19.74", "0.00", "19.74")
    # The credit note settles 12.20 of 36.48: 2.20 of the invoice's tax fall due, and 2.20 of its own against it.
    assert owed(date(2026, 2, 1), date(2026, 2, 28)) == ("3", "11.84", "0.00", "31.58")
    # 22.20 of 36.48 are settled: 4.00 of 6.58.
    assert owed(date(2026, 3, 1), date(2026, 3, 31)) == ("0", "0.00", "1.80", "29.78")
    assert owed(date(2026, 4, 1), date(2026, 4, 30)) == ("0", "0.00", "2.58", "27.20")
    # 26.48 are left settled: 4.78. What is written off is not paid.
    assert owed(date(2026, 5, 1), date(2026, 5, 31)) == ("0", "0.00", "-1.80", "29.00")
    assert owed(date(2026, 1, 1), date(2026, 5, 31)) == ("6", "31.58", "2.58", "29.00")


def test_revenue_of_days_to_come_is_put_off_and_comes_to_the_net_as_the_days_go_by(connection, days):
    issuer = days.isp.issuer
    connection.execute("ALTER TABLE document_line DISABLE TRIGGER USER")
    connection.execute(
        "UPDATE document_line SET during = '[2026-01-16,2026-02-16)' WHERE document_id = %s", (days.january[0].id,)
    )

    def put_off(day):
        rows = deferred_revenue.stream_deferred_revenue(connection, issuer, at=day)
        return [text(row.account, row.product, row.lines, row.net, row.deferred) for row in rows]

    # 16 of 31 days are gone at the end of January: 29.90 less 15.43.
    assert put_off(date(2026, 1, 31)) == [("4100", "Home 30", "1", "29.90", "14.47")]
    # 26 of 31: 4.82 are left; the credit note of that day takes 1.61 of 10.00 off, of the same days.
    assert put_off(date(2026, 2, 10)) == [("4100", "Home 30", "2", "19.90", "3.21")]
    assert put_off(date(2026, 2, 15)) == []


def test_turnover_by_month_category_and_product_is_the_ledger_s_to_the_cent(connection, days):
    by_hand(connection, days, Wish("1500", Decimal(5), days.isp.customers[0]), Wish("4900", Decimal(-5)))

    rows = list(turnover.stream_turnover(connection, days.isp.issuer, **YEAR))

    assert [text(row.month, row.category, row.product, row.account, row.net) for row in rows] == [
        ("2026-01-01", "access", "Home 30", "4100", "89.70"),
        ("2026-02-01", "access", "Home 30", "4100", "49.80"),
        ("2026-02-01", "voice", "Phone", "4200", "4.00"),
        ("2026-03-01", "", "", "4900", "5.00"),
    ]
    ledger = list(turnover.stream_ledger_turnover(connection, days.isp.issuer, **YEAR))
    assert [text(row.month, row.account, row.net) for row in ledger] == [
        ("2026-01-01", "4100", "89.70"),
        ("2026-02-01", "4100", "49.80"),
        ("2026-02-01", "4200", "4.00"),
        ("2026-03-01", "4900", "5.00"),
    ]


def test_what_is_open_comes_by_due_day_with_how_late_it_is(connection, days):
    rows = list(reports.stream_open(connection, days.isp.issuer, today=date(2026, 2, 20)))

    assert [text(row.document, row.due_on, row.payable, row.open, row.days_over) for row in rows] == [
        (days.january[0].label, "2026-01-16", "36.48", "24.28", "35"),
        (days.january[1].label, "2026-01-16", "36.48", "36.48", "35"),
        (days.january[2].label, "2026-01-16", "36.48", "36.48", "35"),
        (days.february[0].label, "2026-02-16", "41.36", "41.36", "4"),
        (days.february[1].label, "2026-02-16", "36.48", "36.48", "4"),
    ]
    overdue = reports.stream_open(connection, days.isp.issuer, today=date(2026, 2, 16), overdue=True)
    assert [row.document for row in overdue] == [one.label for one in days.january]
    anna = days.isp.customers[0]
    assert len(list(reports.stream_open(connection, days.isp.issuer, today=date(2026, 2, 20), customer_id=anna))) == 2
    assert len(list(reports.stream_open(connection, days.isp.issuer, today=date(2026, 2, 20), limit=1))) == 1


def test_an_invoice_in_parts_is_settled_by_its_first_parts(connection, days):
    connection.execute("ALTER TABLE document_due DISABLE TRIGGER USER; ALTER TABLE open_document DISABLE TRIGGER USER")
    first = days.january[0]
    connection.execute("UPDATE document_due SET amount = 10 WHERE document_id = %s", (first.id,))
    connection.execute(
        "INSERT INTO document_due VALUES (%s, 2, '2026-02-16', 20.48), (%s, 3, '2026-03-16', 6)", (first.id, first.id)
    )
    connection.execute(
        "UPDATE open_document SET due_on = '2026-02-16', in_parts = true WHERE document_id = %s", (first.id,)
    )

    def parts(**options):
        rows = reports.stream_open(connection, days.isp.issuer, today=date(2026, 2, 20), **options)
        return [text(row.due_on, row.payable, row.open) for row in rows if row.document == first.label]

    # 12.20 are settled: the first part of 10.00 and 2.20 of the second.
    assert parts() == [("2026-02-16", "36.48", "18.28"), ("2026-03-16", "36.48", "6.00")]
    assert parts(overdue=True) == [("2026-02-16", "36.48", "18.28")]
    own = list(
        reports.stream_ageing(connection, days.isp.issuer, today=date(2026, 2, 20), customer_id=days.isp.customers[0])
    )
    assert [text(row.not_due, row.up_to_30, row.together) for row in own] == [("6.00", "59.64", "65.64")]


def test_ageing_puts_each_part_where_it_belongs(connection, days):
    acting(connection, "maria")
    first, second, _ = days.isp.customers
    connection.execute("ALTER TABLE open_document DISABLE TRIGGER USER")
    # A credit note that could give no more: its rest stands against the debt.
    connection.execute(
        "INSERT INTO open_document VALUES (%s, %s, %s, 'EUR', '2026-02-10', -3.00)",
        (days.note.id, days.isp.issuer, second),
    )

    rows = list(reports.stream_ageing(connection, days.isp.issuer, today=date(2026, 2, 20)))

    assert [
        text(row.customer_name, row.not_due, row.up_to_30, row.up_to_60, row.credit, row.together) for row in rows
    ] == [
        ("Anna Rossi 1", "0.00", "41.36", "24.28", "0.00", "65.64"),
        ("Anna Rossi 2", "0.00", "36.48", "36.48", "-3.00", "69.96"),
        ("Anna Rossi 3", "0.00", "0.00", "36.48", "0.00", "36.48"),
    ]
    late = list(reports.stream_ageing(connection, days.isp.issuer, today=date(2026, 4, 17), customer_id=first))
    assert [text(row.not_due, row.up_to_30, row.up_to_60, row.up_to_90, row.over_90) for row in late] == [
        ("0.00", "0.00", "41.36", "0.00", "24.28")
    ]
    early = list(reports.stream_ageing(connection, days.isp.issuer, today=date(2026, 1, 16), customer_id=first))
    assert text(early[0].not_due) == ("65.64",)
