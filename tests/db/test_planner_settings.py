"""Connections that look for few rows reach them by an index, whatever the statistics say."""

from __future__ import annotations

import pytest

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
