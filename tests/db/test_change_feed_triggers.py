"""Every change that an edge must hear of leaves a row in the change feed, in the transaction of the change."""

from __future__ import annotations

import psycopg
import pytest
from support.legal_world import WORLD, insert

pytestmark = pytest.mark.db

# Table, kind in the feed, a column to touch, the key of the row that `insert` writes.
WATCHED = [
    ("nas", "nas", "coa_port", 2),
    ("profile", "profile", "filter", 2),
    ("plan", "plan", "profile_id", 2),
    ("contract", "contract", "plan_id", 2),
    ("restriction", "contract", "level", 1),
    ("relief", "contract", "reason", 1),
    ("plan_window", "plan", "profile_id", 1),
    ("plan_change", "contract", "plan_id", 1),
    ("data_topup", "contract", "until", 1),
    ("subscriber_account", "account", "max_sessions", 2),
    ("account_prefix", "account", "metric", 1),
]
OLD_NAMES = {"nas": "192.0.2.2/32", "subscriber_account": "bruno"}


@pytest.fixture
def world(connection):
    connection.execute(WORLD)
    connection.execute("DELETE FROM change_feed")
    connection.commit()
    return connection


def _feed(world):
    return world.execute("SELECT kind::text, key, old_name FROM change_feed ORDER BY xid, id").fetchall()


@pytest.mark.parametrize(("table", "kind", "column", "key"), WATCHED, ids=[row[0] for row in WATCHED])
def test_insert_update_and_delete_are_fed(world, table, kind, column, key):
    old = OLD_NAMES.get(table)

    world.execute(insert(table))
    assert _feed(world) == [(kind, key, None)]

    world.execute("DELETE FROM change_feed")
    world.execute(f"UPDATE {table} SET {column} = {column} WHERE id = 2")
    assert _feed(world) == [(kind, key, None)]

    world.execute("DELETE FROM change_feed")
    world.execute(f"DELETE FROM {table} WHERE id = 2")
    assert _feed(world) == [(kind, key, old)]


def test_a_renamed_account_is_fed_with_the_name_it_had(world):
    world.execute("UPDATE subscriber_account SET username = 'anna.2'")
    assert _feed(world) == [("account", 1, "anna"), ("account", 1, None)]


def test_of_many_accounts_only_the_renamed_ones_are_fed_with_the_names_they_had(world):
    world.execute(insert("subscriber_account"))
    world.execute("DELETE FROM change_feed")
    world.execute("UPDATE subscriber_account SET max_sessions = 5, username = replace(username, 'bruno', 'bruna')")
    assert sorted(_feed(world), key=str) == [("account", 1, None), ("account", 2, "bruno"), ("account", 2, None)]


def test_a_prefix_given_to_another_account_is_fed_for_both(world):
    world.execute(insert("subscriber_account"))
    world.execute("DELETE FROM change_feed")
    world.execute("UPDATE account_prefix SET account_id = 2")
    assert sorted(_feed(world)) == [("account", 1, None), ("account", 2, None)]


def test_a_moved_nas_is_fed_with_the_prefix_it_had(world):
    world.execute("UPDATE nas SET source = '198.51.100.0/24'")
    assert _feed(world) == [("nas", 1, "192.0.2.1/32"), ("nas", 1, None)]


def test_a_deleted_account_takes_its_prefixes_and_topups_along_and_all_are_fed(world):
    world.execute("DELETE FROM subscriber_account WHERE id = 1")
    assert sorted(_feed(world), key=str) == [("account", 1, "anna"), ("account", 1, None), ("contract", 1, None)]


def test_a_change_taken_back_leaves_no_trace_in_the_feed(world):
    with world.transaction(force_rollback=True):
        world.execute("UPDATE contract SET plan_id = 1")
    assert _feed(world) == []


def test_a_statement_that_changes_many_rows_feeds_each_key_once(world):
    world.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by)"
        " SELECT 1, 'dunning', 'walled', 'x', 'test' FROM generate_series(1, 100)"
    )
    assert _feed(world) == [("contract", 1, None)]


def test_a_change_wakes_who_listens(world, database):
    world.commit()
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN corrente_change")
        world.execute("UPDATE plan SET name = 'Start 2'")
        world.commit()
        heard = list(listener.notifies(timeout=60, stop_after=1))
    assert [note.channel for note in heard] == ["corrente_change"]


def test_every_feed_trigger_of_the_database_is_of_a_table_tested_here(world):
    triggers = world.execute("SELECT tgname FROM pg_trigger WHERE tgfoid = 'note_change'::regproc").fetchall()
    verbs = ("insert", "update", "delete")
    assert {name for (name,) in triggers} == {f"{table}_change_{verb}" for table, *_ in WATCHED for verb in verbs}
