"""Reading the change feed between two snapshots: nothing skipped, nothing waited for, and said when it can't be told."""

from dataclasses import replace

import psycopg
import pytest
from support.small_isp import SEALED, make_isp, one

from control_plane import db
from control_plane.publishing.change_feed import (
    _NEW_ROWS,
    Behind,
    Read,
    _missed_by,
    check_tables,
    load_changes,
    load_position,
    open_feed,
)

pytestmark = pytest.mark.db


@pytest.fixture
def feed(database):
    with open_feed(database) as opened:
        yield opened


def here(feed):
    with feed.transaction():
        return load_position(feed)


def read(feed, last):
    found = load_changes(feed, last)
    assert isinstance(found, Read), found
    return found


def touch(connection, account):
    connection.execute("UPDATE subscriber_account SET max_sessions = max_sessions + 1 WHERE id = %s", (account,))


def test_a_transaction_held_open_across_later_commits_is_neither_waited_for_nor_skipped(database, connection, feed):
    isp = make_isp(connection, accounts=3)
    slow_account, early, late = isp.accounts
    start = here(feed)
    with db.connect(database, name="slow") as slow:
        touch(slow, slow_account)
        touch(connection, early)
        connection.commit()

        first = read(feed, start)
        assert list(first.changes.accounts) == [early]

        touch(connection, late)
        connection.commit()
        second = read(feed, first.position)
        assert list(second.changes.accounts) == [late]

        slow.commit()
    third = read(feed, second.position)
    assert list(third.changes.accounts) == [slow_account]
    assert len(read(feed, third.position).changes) == 0


def test_what_is_rolled_back_never_happened(database, connection, feed):
    isp = make_isp(connection, accounts=2)
    start = here(feed)
    with db.connect(database, name="undone") as undone:
        touch(undone, isp.accounts[0])
        undone.rollback()
    assert len(read(feed, start).changes) == 0


def test_a_change_inside_a_savepoint_is_seen_with_its_transaction(database, connection, feed):
    isp = make_isp(connection, accounts=2)
    start = here(feed)
    with db.connect(database, name="nested") as nested:
        with nested.transaction(), nested.transaction():
            touch(nested, isp.accounts[1])
        nested.commit()
    assert list(read(feed, start).changes.accounts) == [isp.accounts[1]]


def test_contract_restriction_relief_and_plan_stand_for_their_accounts(connection, feed):
    isp = make_isp(connection, accounts=4)
    start = here(feed)
    connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'admin', 'walled', 'x', 'y')",
        (isp.contracts[0],),
    )
    connection.commit()
    first = read(feed, start)
    assert list(first.changes.accounts) == [isp.accounts[0]]

    connection.execute("UPDATE plan SET walled_profile_id = throttle_profile_id")
    connection.commit()
    second = read(feed, first.position)
    assert sorted(second.changes.accounts) == isp.accounts
    assert not second.changes.devices

    connection.execute("UPDATE profile SET priority = 3 WHERE id = %s", (isp.full,))
    connection.commit()
    third = read(feed, second.position)
    assert (len(third.changes.accounts), third.changes.devices) == (0, True)


def test_only_names_that_are_no_longer_held_are_named(connection, feed):
    isp = make_isp(connection, accounts=3)
    start = here(feed)
    touch(connection, isp.accounts[0])
    connection.execute("UPDATE subscriber_account SET username = 'renamed' WHERE id = %s", (isp.accounts[1],))
    connection.execute("DELETE FROM subscriber_account WHERE id = %s", (isp.accounts[2],))
    connection.commit()

    changes = read(feed, start).changes
    assert sorted(changes.usernames) == ["user0002", "user0003"]
    assert set(changes.accounts) == set(isp.accounts)


def test_a_feed_cleared_below_the_reader_is_said(connection, feed):
    make_isp(connection)
    start = here(feed)
    connection.execute("UPDATE change_horizon SET xid = pg_snapshot_xmax(pg_current_snapshot())")
    connection.commit()
    assert isinstance(load_changes(feed, start), Read)
    connection.execute("UPDATE change_horizon SET xid = (pg_current_xact_id()::text::bigint + 1)::text::xid8")
    connection.commit()
    assert load_changes(feed, start) == Behind("the change feed has been cleared beyond where the store stands")
    assert isinstance(load_changes(feed, here(feed)), Read)


def test_tables_replaced_behind_a_snapshot_are_never_taken_for_empty_ones(connection, feed):
    make_isp(connection)
    with feed.transaction():
        load_position(feed)
        connection.execute(
            "CREATE TABLE other AS TABLE change_horizon; DROP TABLE change_horizon; ALTER TABLE other RENAME TO change_horizon"
        )
        connection.commit()
        with pytest.raises(psycopg.Error, match="being replaced"):
            check_tables(feed)


def test_numbers_of_another_server_neither_loop_nor_come_again(connection, feed):
    isp = make_isp(connection)
    connection.execute("UPDATE change_horizon SET xid = '5000000'")
    connection.execute("INSERT INTO change_feed (xid, kind, key) VALUES ('5000001', 'account', 1)")
    connection.commit()
    start = here(feed)
    touch(connection, isp.accounts[0])
    connection.commit()

    assert list(read(feed, start).changes.accounts) == [isp.accounts[0]]


def test_another_database_another_timeline_and_an_earlier_state_are_said(connection, feed):
    make_isp(connection)
    start = here(feed)
    system, timeline, database_number, trigger = start.system.split("/")

    for other in (
        f"1{system}/{timeline}/{database_number}/{trigger}",
        f"{system}/0000000F/{database_number}/{trigger}",
        f"{system}/{timeline}/1/{trigger}",
        f"{system}/{timeline}/{database_number}/1",
    ):
        found = load_changes(feed, replace(start, system=other))
        assert isinstance(found, Behind)
        assert found.reason == f"the store was made from database {other}, this is {start.system}"
    future = replace(start, snapshot="99999999:99999999:")
    assert load_changes(feed, future) == Behind(
        "the database stands at an earlier transaction than the store: it was restored"
    )


@pytest.mark.parametrize("text", ["", "12:", "12:13:14,", "x", "12:13:'; DROP TABLE nas; --"])
def test_a_position_of_something_else_is_never_sent_to_the_database(connection, feed, text):
    make_isp(connection)
    assert isinstance(load_changes(feed, replace(here(feed), snapshot=text)), Behind)


def test_a_long_transaction_does_not_make_each_read_longer(database, connection, feed):
    isp = make_isp(connection, accounts=2)
    with db.connect(database, name="slow") as slow:
        touch(slow, isp.accounts[0])
        connection.execute("INSERT INTO change_feed (kind, key) SELECT 'session', n FROM generate_series(1, 20000) n")
        connection.commit()
        connection.execute("ANALYZE change_feed")
        connection.commit()
        last = here(feed)
        plan = "\n".join(row[0] for row in feed.execute("EXPLAIN (ANALYZE) " + _NEW_ROWS, _missed_by(last)))
    assert "Seq Scan on change_feed" not in plan
    assert "Rows Removed by Filter: 20" not in plan


def test_the_role_of_the_edge_may_read_all_that_it_needs(cluster, database, connection):
    make_isp(connection)
    connection.execute("ALTER ROLE corrente_edge LOGIN")
    connection.commit()
    name = one(connection, "SELECT current_database()")
    with open_feed(cluster.conninfo(name, user="corrente_edge")) as feed:
        last = here(feed)
        connection.execute(f"UPDATE nas SET sealed_secret = {SEALED} || '\\x00'")
        connection.commit()
        assert read(feed, last).changes.devices
