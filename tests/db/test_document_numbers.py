"""Legal numbers without a hole, whoever issues at once and however often one of them gives up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import tuple_row
from support.books_isp import desk, make_books
from support.edge_process import wait_until
from support.legal_world import WORLD, insert

from billing.store.acting import acting
from billing.store.documents import issue

pytestmark = pytest.mark.db

WRITERS = 8
DOCUMENTS = 42
GIVES_UP = 7

DRAFT = """
WITH made AS (
    INSERT INTO document (kind, issuer_id, customer_id, register_id, document_date, currency, includes_tax, net, tax, gross,
        payable, issuer_data, customer_data, language, made_by)
    VALUES ('invoice', 1, 1, 1, '2026-03-01', 'EUR', false, 100, 22, 122, 122, '{}', '{}', 'it', 'maria') RETURNING id
), line AS (
    INSERT INTO document_line (document_id, number, description, quantity, unit_price, net, tax_code_id, rate, liability, account_id)
    SELECT id, 1, 'Casa 30', 1, 100, 100, 1, 22, 'immediate', 3 FROM made
), tax AS (
    INSERT INTO document_tax (document_id, rate, liability, base, tax) SELECT id, 22, 'immediate', 100, 22 FROM made
), due AS (
    INSERT INTO document_due (document_id, number, due_on, amount) SELECT id, 1, '2026-03-16', 122 FROM made
) SELECT id FROM made
"""
BOOK = """
WITH made AS (
    INSERT INTO entry (issuer_id, dated, source, source_id, kind, currency, made_by)
    VALUES (1, '2026-03-01', 'document', %s, 'invoice', 'EUR', 'maria') RETURNING id
) INSERT INTO posting (entry_id, number, account_id, customer_id, amount)
    SELECT id, leg.number, leg.account, leg.customer, leg.amount FROM made,
        (VALUES (1, 1, 1, 122), (2, 2, NULL, -22), (3, 3, NULL, -100)) AS leg (number, account, customer, amount)
"""


@pytest.fixture
def world(database):
    with psycopg.connect(database, autocommit=True, row_factory=tuple_row) as opened:
        opened.execute(WORLD)
        yield opened


def _issue(connection, *, give_up):
    """Issue one more invoice as the register's next, or take everything back at the last moment."""
    with connection.transaction(force_rollback=give_up):
        connection.execute("SELECT set_config('corrente.actor', 'maria', true)")
        (document,) = connection.execute(DRAFT).fetchone()
        connection.execute(BOOK, (document,))
        (last,) = connection.execute(
            "SELECT last_number FROM register_year WHERE register_id = 1 AND year = 2026 FOR UPDATE"
        ).fetchone()
        connection.execute(
            "UPDATE document SET state = 'issued', year = 2026, number = %(number)s, label = %(number)s::text,"
            " issued_at = now() WHERE id = %(id)s",
            {"number": last + 1, "id": document},
        )


def test_eight_writers_of_whom_each_gives_up_every_seventh_leave_no_hole(world, database):
    def write(_):
        with psycopg.connect(database, autocommit=True, row_factory=tuple_row) as connection:
            for count in range(1, DOCUMENTS + 1):
                _issue(connection, give_up=count % GIVES_UP == 0)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    issued = WRITERS * (DOCUMENTS - DOCUMENTS // GIVES_UP)
    numbers = world.execute("SELECT number FROM document WHERE state = 'issued' ORDER BY number").fetchall()
    assert [number for (number,) in numbers] == list(range(1, issued + 1))
    assert world.execute("SELECT last_number FROM register_year").fetchall() == [(issued,)]
    # The world's own entry, of a document that is still a draft, is 122.00 more.
    (balance,) = world.execute("SELECT balance FROM customer_balance").fetchone()
    assert balance == Decimal(122 * (issued + 1))
    assert balance == world.execute("SELECT sum(amount) FROM posting WHERE customer_id = 1").fetchone()[0]


def test_eight_writers_issue_in_sets_and_each_seventh_set_is_given_up(connection, database):
    isp = make_books(connection, customers=4)
    at = desk(connection, isp)
    # Sets of one to three, of two registers, so that writers meet on both counters.
    sets = [
        [
            at.invoice(at.line("29.90", customer=n % 4), customer=n % 4, register="FT" if n % 2 else "RC")
            for n in range(size)
        ]
        for size in (1, 2, 3)
    ]

    def write(_):
        with psycopg.connect(database, autocommit=True, row_factory=tuple_row) as own:
            for count in range(1, DOCUMENTS + 1):
                with own.transaction(force_rollback=count % GIVES_UP == 0):
                    acting(own, "maria")
                    issue(own, sets[count % 3], made_by="maria")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    kept = [count % 3 for count in range(1, DOCUMENTS + 1) if count % GIVES_UP]
    # Sets of one and of two have one document of RC, those of three two; those of two and three one of FT.
    expected = {"RC": WRITERS * sum((1, 1, 2)[n] for n in kept), "FT": WRITERS * sum((0, 1, 1)[n] for n in kept)}
    for code, count in expected.items():
        numbers = connection.execute(
            "SELECT number FROM document WHERE register_id = %s AND state = 'issued' ORDER BY number",
            (isp.registers[code],),
        ).fetchall()
        assert [number for (number,) in numbers] == list(range(1, count + 1))
    # 29.90 and 6.58 of tax.
    (balance,) = connection.execute("SELECT sum(balance) FROM customer_balance").fetchone()
    assert balance == Decimal("36.48") * sum(expected.values())
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (sum(expected.values()),)


def test_who_did_not_lock_the_register_is_refused_and_not_numbered_twice(world, database):
    with psycopg.connect(database, row_factory=tuple_row) as other:
        other.execute("SELECT set_config('corrente.actor', 'bruno', true)")
        (document,) = other.execute(DRAFT).fetchone()
        (last,) = other.execute("SELECT last_number FROM register_year").fetchone()
        _issue(world, give_up=False)
        other.execute(BOOK, (document,))

        with pytest.raises(psycopg.errors.UniqueViolation, match="document_number_once"):
            other.execute(
                "UPDATE document SET state = 'issued', year = 2026, number = %s, label = '1', issued_at = now() WHERE id = %s",
                (last + 1, document),
            )


def test_two_writers_charge_the_same_days_and_one_of_them_is_refused(world, database):
    mine = insert("charge")
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT set_config('corrente.actor', 'job billing', true)")
        other.execute(mine)
        second = pool.submit(world.execute, insert("charge", during="'[2026-03-30,2026-04-30)'"))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        wait_until(lambda: second.done() or other.execute(waiting).fetchone() == (1,), what="the second writer")
        other.commit()
        with pytest.raises(psycopg.errors.ExclusionViolation, match="item 1 would be charged for"):
            second.result(timeout=120)


def test_two_credits_at_once_give_back_no_more_than_the_charge(world, database):
    given = {
        "kind": "'credit'",
        "corrects_id": "1",
        "full_price": "-20",
        "net": "-20",
        "during": "'[2026-02-01,2026-02-20)'",
    }
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT set_config('corrente.actor', 'maria', true)")
        other.execute(insert("charge", **given))
        second = pool.submit(world.execute, insert("charge", **given))
        other.commit()
        with pytest.raises(
            psycopg.errors.CheckViolation, match=r"charge 1 is 29\.900 and 40\.000 of it would be given back"
        ):
            second.result(timeout=120)


def test_parts_that_were_not_judged_with_their_document_never_stand_in_it(world, database):
    # While one transaction has a line for document 7 in hand, another writes and issues a document of that id.
    with psycopg.connect(database) as other:
        other.execute("SELECT set_config('corrente.actor', 'maria', true)")
        other.execute(insert("document_to_come"))
        other.execute(insert("document_line", document_id="7", number="2"))
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="there is no document 7"):
            world.execute(insert("document_line", document_id="7", number="1"))
        with world.transaction():
            world.execute("SELECT setval('document_id_seq', 6)")
            _issue(world, give_up=False)
        with pytest.raises(
            psycopg.errors.ForeignKeyViolation, match="document 7 has not come, and parts of it are there"
        ):
            other.commit()

    assert world.execute("SELECT number FROM document_line WHERE document_id = 7").fetchall() == [(1,)]
