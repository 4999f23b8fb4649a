"""Entries by hand, the chart of accounts and closing, on a small ISP with documents."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from threading import Thread
from time import monotonic, sleep

import psycopg
import pytest
from support import books_days
from support.books_days import make_days

from billing.chart import LedgerReason, NotTaken, Role
from billing.ledger import Wish, decide_correction, decide_entry
from billing.periods import Period
from billing.store import books
from billing.store.acting import acting

pytestmark = pytest.mark.db
days, connection = books_days.days, books_days.connection

TODAY = date(2026, 4, 10)


def written(connection, days, *wishes, dated=date(2026, 3, 31), note="Bank fees"):
    acting(connection, "maria")
    chart = {account.code: account for account in books.load_chart(connection, days.isp.issuer)}
    closed = books.load_closed(connection, days.isp.issuer)
    entry = decide_entry(wishes, chart, dated=dated, currency="EUR", note=note, closed=closed, today=TODAY)
    assert not isinstance(entry, NotTaken), entry
    return books.write_entry(connection, days.isp.issuer, entry, made_by="maria")


def postings(connection, entry):
    return connection.execute(
        "SELECT a.code, p.customer_id, p.amount FROM posting p JOIN ledger_account a ON a.id = p.account_id WHERE entry_id = %s ORDER BY number",
        (entry,),
    ).fetchall()


def test_an_entry_over_three_accounts_moves_a_customer_s_balance(connection, days):
    anna = days.isp.customers[0]
    (before,) = connection.execute("SELECT balance FROM customer_balance WHERE customer_id = %s", (anna,)).fetchone()

    entry = written(
        connection,
        days,
        Wish("6500", Decimal("2.50")),
        Wish("1500", Decimal("17.50"), anna),
        Wish("1000", Decimal(-20)),
    )

    assert postings(connection, entry) == [
        ("6500", None, Decimal("2.5")),
        ("1500", anna, Decimal("17.5")),
        ("1000", None, -20),
    ]
    (after,) = connection.execute("SELECT balance FROM customer_balance WHERE customer_id = %s", (anna,)).fetchone()
    assert after - before == Decimal("17.5")


def test_a_correction_takes_an_entry_back_once(connection, days):
    entry = written(connection, days, Wish("6500", Decimal("2.50")), Wish("1000", Decimal("-2.50")))
    booked = books.load_booked(connection, days.isp.issuer, entry)
    taken_back = decide_correction(booked, dated=date(2026, 4, 1), note="twice", closed=[], today=TODAY)

    number = books.write_entry(connection, days.isp.issuer, taken_back, made_by="maria")

    assert postings(connection, number) == [("6500", None, Decimal("-2.5")), ("1000", None, Decimal("2.5"))]
    assert books.load_booked(connection, days.isp.issuer, entry).corrected_by == number
    with pytest.raises(psycopg.errors.UniqueViolation):
        books.write_entry(connection, days.isp.issuer, taken_back, made_by="maria")


def test_a_document_s_entry_is_seen_as_one(connection, days):
    (entry,) = connection.execute("SELECT min(id) FROM entry").fetchone()
    booked = books.load_booked(connection, days.isp.issuer, entry)
    refused = decide_correction(booked, dated=TODAY, note="wrong", closed=[], today=TODAY)
    assert isinstance(refused, NotTaken)
    assert refused.reason is LedgerReason.DOCUMENT


def close(connection, days, through, *, despite=False):
    acting(connection, "maria")
    return books.close_through(
        connection, days.isp.issuer, through, today=TODAY, closed_by="maria", despite_unfinished=despite
    )


def test_closing_shows_what_is_unfinished_and_then_closes_from_the_first_entry(connection, days):
    refused = close(connection, days, date(2026, 1, 31))

    # Three plans and the one static address were never billed by a run: their time is due since 1 January.
    assert isinstance(refused, NotTaken)
    assert refused.message.startswith("up to 2026-01-31 there is still: 4 items due and not billed.")
    (unfinished,) = books.load_unfinished(connection, days.isp.issuer, date(2026, 1, 31))
    assert (unfinished.count, unfinished.remedy) == (4, "bill them")

    assert close(connection, days, date(2026, 1, 31), despite=True) == Period(date(2026, 1, 1), date(2026, 2, 1))
    assert close(connection, days, date(2026, 3, 31), despite=True) == Period(date(2026, 2, 1), date(2026, 4, 1))
    assert books.load_closed(connection, days.isp.issuer) == [
        Period(date(2026, 1, 1), date(2026, 2, 1)),
        Period(date(2026, 2, 1), date(2026, 4, 1)),
    ]


def test_drafts_runs_errors_and_waiting_charges_are_unfinished(connection, days):
    acting(connection, "maria")
    isp = days.isp
    connection.execute("UPDATE billing_position SET due_on = NULL")
    assert books.load_unfinished(connection, isp.issuer, TODAY) == []
    connection.execute(
        "INSERT INTO document (kind, issuer_id, customer_id, register_id, document_date, currency, includes_tax, net, tax, gross, payable,"
        " issuer_data, customer_data, language, made_by) VALUES ('invoice', %s, %s, %s, '2026-03-01', 'EUR', false, 0, 0, 0, 0, '{}', '{}', 'it', 'maria')",
        (isp.issuer, isp.customers[0], isp.registers["FT"]),
    )
    connection.execute(
        "INSERT INTO billing_run (issuer_id, run_date, started_by) VALUES (%s, '2026-03-01', 'maria')", (isp.issuer,)
    )
    connection.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, 'one_off', '[2026-03-01,2026-03-02)', 1, 1, 5, 5, 'EUR', '2026-03-01', 'maria')",
        (isp.items[0],),
    )

    found = {str(one.what): one.count for one in books.load_unfinished(connection, isp.issuer, TODAY)}

    assert found == {"drafts of documents": 1, "billing runs not done": 1, "charges on no document": 1}
    assert books.load_unfinished(connection, isp.issuer, date(2026, 2, 28)) == []


def test_an_entry_that_is_being_written_is_waited_for_when_its_days_are_closed(database):
    with psycopg.connect(database) as connection:
        days = make_days(connection)
        _closing_waits(database, connection, days)


def _closing_waits(database, connection, days):
    written(connection, days, Wish("6500", Decimal(1)), Wish("1000", Decimal(-1)), dated=date(2026, 1, 20))
    done = []

    def closes():
        with psycopg.connect(database) as other:
            done.append(close(other, days, date(2026, 1, 31), despite=True))

    thread = Thread(target=closes)
    thread.start()
    with psycopg.connect(database, autocommit=True) as looking:
        deadline = monotonic() + 240
        while looking.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            assert monotonic() < deadline, "nobody waits"
            sleep(0.01)
    assert done == []
    connection.commit()
    thread.join(120)

    assert done == [Period(date(2026, 1, 1), date(2026, 2, 1))]
    with pytest.raises(psycopg.errors.CheckViolation, match="nothing is posted on 2026-01-20"):
        connection.execute(
            "INSERT INTO entry (issuer_id, dated, source, source_id, kind, currency, made_by) VALUES (%s, '2026-01-20', 'x', 1, 'x', 'EUR', 'maria')",
            (days.isp.issuer,),
        )


def test_accounts_are_added_renamed_and_keep_their_role_once_posted(connection, days):
    acting(connection, "maria")
    issuer = days.isp.issuer
    rent = books.add_account(connection, issuer, "7000", "Rent", Role.OTHER, family=None, stands_for=False)
    assert not isinstance(rent, NotTaken)
    assert (
        books.add_account(connection, issuer, "7001", "Second bank", Role.BANK, family=None, stands_for=True).reason
        is LedgerReason.TAKEN
    )

    assert books.change_account(connection, rent, code="7100", name="Office rent", role=Role.FEES) is None
    chart = {account.code: account for account in books.load_chart(connection, issuer)}
    assert (chart["7100"].name, chart["7100"].role, chart["7100"].stands_for) == ("Office rent", Role.FEES, False)
    assert chart["4100"].posted
    assert not chart["1000"].posted
    assert (
        books.change_account(connection, chart["4100"], code=None, name=None, role=Role.OTHER).reason
        is LedgerReason.POSTED
    )


def test_a_family_and_a_product_get_their_revenue_account(connection, days):
    acting(connection, "maria")
    issuer = days.isp.issuer
    fibre = books.add_account(connection, issuer, "4150", "Fibre", Role.REVENUE, family=None, stands_for=False)

    assert books.set_family_account(connection, issuer, fibre, "access") is None
    assert books.set_product_account(connection, issuer, "Phone", fibre) is None

    chart = {account.code: account for account in books.load_chart(connection, issuer)}
    assert (chart["4150"].family, chart["4150"].stands_for) == ("access", True)
    assert not chart["4100"].stands_for
    assert books.load_own_accounts(connection, issuer) == [("Phone", "4150")]
    assert books.set_family_account(connection, issuer, chart["1000"], "access").reason is LedgerReason.FAMILY
    assert books.set_product_account(connection, issuer, "Phon", fibre).reason is LedgerReason.NOTHING
    assert books.set_product_account(connection, issuer, "Phone", None) is None
    assert books.load_own_accounts(connection, issuer) == []


def test_an_issuer_is_found_by_name_or_because_there_is_one(connection, days):
    assert books.load_book_keeper(connection).id == days.isp.issuer
    assert books.load_book_keeper(connection, "example NET").currency == "EUR"
    with pytest.raises(books.NoSuchIssuerError, match="no issuer 'Nobody'; there is Example Net"):
        books.load_book_keeper(connection, "Nobody")
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO issuer (name, country, street, postal_code, city) VALUES ('Other Net', 'IT', 'Via Po', '10100', 'Torino')"
    )
    with pytest.raises(books.NoSuchIssuerError, match="say whose books with --issuer: Example Net, Other Net"):
        books.load_book_keeper(connection)
