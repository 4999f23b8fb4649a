"""Connections that look for few rows reach them by an index, whatever the statistics say."""

from __future__ import annotations

from datetime import date

import pytest
from support.billing_world import bill
from support.books_isp import make_books

from billing.store.runs import load_last_amounts
from control_plane import db

pytestmark = pytest.mark.db

WHOLE, ONE = "SELECT count(acct_session_id) FROM enforcement", "SELECT acct_session_id FROM enforcement WHERE id = 7"


def plan(connection, statement):
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}"))


def test_a_row_of_a_table_that_statistics_take_for_empty_is_reached_by_its_index(database):
    with db.connect(database, name="test", autocommit=True) as connection:
        connection.execute("ANALYZE enforcement")
        assert "Seq Scan" in plan(connection, ONE)

        db.expect_few_rows(connection)

        assert "Seq Scan" not in plan(connection, ONE)


def test_within_one_transaction_only_when_asked_so(database):
    with db.connect(database, name="test", autocommit=True) as connection:
        connection.execute("ANALYZE enforcement")
        with connection.transaction():
            db.expect_few_rows(connection, only_here=True)
            assert "Seq Scan" not in plan(connection, ONE)
        assert "Seq Scan" in plan(connection, ONE)


def test_a_block_that_reads_a_table_whole_may_do_so_and_nothing_after_it(database):
    with db.connect(database, name="test", autocommit=True) as connection:
        db.expect_few_rows(connection)
        with connection.transaction():
            with db.reading_whole(connection):
                assert "Seq Scan" in plan(connection, WHOLE)
            assert "Seq Scan" not in plan(connection, ONE)
        assert "Seq Scan" not in plan(connection, ONE)


def test_a_preview_reads_no_charges_of_others_while_nothing_is_known_of_a_first_run(connection, database):
    isp = make_books(connection, customers=40)
    bill(database, date(2026, 12, 1))
    charges = connection.execute("SELECT count(*) FROM charge").fetchone()[0]
    connection.commit()

    found = load_last_amounts(connection, isp.contracts, date(2026, 12, 2))

    # Twelve months of 29.90 and, for every third, of 5.00.
    assert [str(found[one]) for one in isp.contracts[:3]] == ["358.80 EUR", "358.80 EUR", "418.80 EUR"]
    read = connection.execute(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'charge'"
    ).fetchone()[0]
    assert charges == 12 * (40 + 13)
    assert read < 3 * charges


def test_triggers_that_a_run_fires_keep_no_plan_that_reads_a_table_whole(database):
    with db.connect(database, name="test") as connection:
        rows = connection.execute(
            "SELECT DISTINCT p.proname FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
            " AND t.tgrelid::regclass::text IN ('document', 'document_line', 'document_tax', 'document_due', 'entry', 'posting', 'charge', 'settlement')"
            # Of what they insert or of closed periods, which are few; the others compare a row with itself.
            " AND p.proname NOT IN ('refuse_change', 'refuse_issued_change', 'refuse_charge_change', 'note_money', 'note_answer', 'refuse_closed_days',"
            " 'take_document_parts', 'document_line_not_named', 'note_come')"
            " AND NOT coalesce('enable_seqscan=off' = ANY (p.proconfig), false)"
        )
        assert rows.fetchall() == []
