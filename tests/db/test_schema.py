"""What the database refuses by itself, whatever the code does: every constraint and trigger, broken once in SQL."""

from __future__ import annotations

import re

import psycopg
import pytest
from support.legal_world import ROWS, WORLD, insert
from support.schema_cases import CASES, Case

pytestmark = pytest.mark.db

# Triggers that write the change feed, the history, late usage, a contract's events or what customers are searched by refuse
# nothing; test_change_feed_triggers.py, test_row_history.py, test_quota.py, test_contract_events.py,
# test_customer_search.py, test_open_documents.py and test_payments.py hold them; that what was written has come, the
# cases of what has not.
FEED_SUFFIXES = (
    "_change_insert",
    "_change_update",
    "_change_delete",
    "_history_update",
    "_history_delete",
    "_notes_late",
    "_told_insert",
    "_told_update",
    "_words_insert",
    "_words_update",
    "_words_delete",
    "_opens",
    "payment_leaves",
    "payment_reversal_leaves",
    "refund_leaves",
    "_settles",
    "document_turnover",
    "document_come",
)


@pytest.fixture(scope="module")
def world(module_database):
    """A connection to a database with one legal row in every table."""
    with psycopg.connect(module_database, autocommit=True) as opened:
        opened.execute(WORLD)
        yield opened


def _try(world, statement):
    """Run it and take it back: the world stays as it was."""
    with world.transaction(force_rollback=True):
        world.execute(statement)


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.constraint}" for number, case in enumerate(CASES)])
def test_the_database_refuses_what_is_wrong_and_takes_its_legal_neighbour(world, case: Case):
    with pytest.raises(psycopg.errors.IntegrityError) as refused:
        _try(world, case.breaks)
    # A key of a partitioned table is held by its partition, whose name carries the month.
    assert re.sub("_20[0-9]{4}", "", refused.value.diag.constraint_name) == case.constraint

    _try(world, case.passes)


def test_every_constraint_unique_index_and_trigger_has_its_case(world):
    guards = world.execute(
        """
        SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conparentid = 0
            AND conrelid IN (SELECT oid FROM pg_class WHERE NOT relispartition)
        UNION SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
        UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
        """
    ).fetchall()
    refusing = {name for (name,) in guards if not name.endswith(FEED_SUFFIXES)}

    assert refusing == {case.constraint for case in CASES}


def test_every_table_has_a_legal_row_here(world):
    tables = world.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert {name for (name,) in tables} == set(ROWS)


def test_every_column_that_must_be_there_refuses_null(world):
    required = world.execute(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attnum > 0 AND attnotnull AND attidentity = '' AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
        # Without its partition key a row finds no partition, which is refused before.
        " AND NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = c.oid AND attnum = partattrs[0])"
    ).fetchall()
    assert len(required) > 100
    for table, column in required:
        with pytest.raises(psycopg.errors.NotNullViolation) as refused:
            _try(world, insert(table, **{column: "NULL"}))
        assert refused.value.diag.column_name == column


def test_every_table_type_and_function_of_ours_says_what_it_is(world):
    silent = world.execute(
        """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT relispartition AND obj_description(oid, 'pg_class') IS NULL
        UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
            AND obj_description(oid, 'pg_type') IS NULL
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND obj_description(oid, 'pg_proc') IS NULL
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        """
    ).fetchall()
    assert silent == []


def test_two_months_of_one_session_s_addresses_are_found_in_their_own_partitions(world):
    plan = world.execute(
        "EXPLAIN SELECT * FROM address_history WHERE month = '2026-01-01' AND address = '100.64.0.1'"
    ).fetchall()
    assert "address_history_202601" in str(plan)
    assert "address_history_202602" not in str(plan)
