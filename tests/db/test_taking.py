"""Which of the due changes a worker takes in one turn, and how few rows that touches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.small_isp import SEALED, make_isp, one

from control_plane import db
from control_plane.store.enforcement import take_due

pytestmark = pytest.mark.db
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def nases(connection):
    """Three of them."""
    first = make_isp(connection).nas
    more = [
        one(
            connection,
            f"INSERT INTO nas (name, source, vendor, sealed_secret) VALUES (%s, %s, 'mikrotik', {SEALED}) RETURNING id",
            f"bras{number}",
            f"192.0.2.{number}/32",
        )
        for number in (2, 3)
    ]
    connection.commit()
    return [first, *more]


def want(connection, nas, count, *, disruptive=True, **columns):
    """So many changes of live sessions of one NAS; returns their numbers. Due a minute ago."""
    given = {"next_at": NOW - timedelta(minutes=1), **columns}
    rows = connection.execute(
        "WITH s AS (INSERT INTO session (session_key, nas_id, acct_session_id, username, started_at, updated_at, received_at, "
        "session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) SELECT gen_random_uuid(), %(nas)s, n::text, 'u', "
        "now(), now(), now(), 0, 0, 0, 0, 0, now() FROM generate_series(1, %(count)s) AS n RETURNING session_key, acct_session_id) "
        "INSERT INTO enforcement (session_key, nas_id, acct_session_id, username, level, reason, disruptive, method, wanted_at"
        f"{''.join(f', {name}' for name in given)}) SELECT session_key, %(nas)s, acct_session_id, 'u', 'walled', 'r', %(disruptive)s, 'coa', "
        f"now(){''.join(f', %({name})s' for name in given)} FROM s RETURNING id",
        {"nas": nas, "count": count, "disruptive": disruptive, **given},
    ).fetchall()
    connection.commit()
    return {row[0] for row in rows}


def take(connection, **limits):
    given = {"limit": 500, "per_nas": 64, "busy": {}, **limits}
    return [change.id for change in take_due(connection, now=NOW, **given)]


def test_what_restores_goes_first_and_the_longest_due_before_the_others(connection, nases):
    cuts = want(connection, nases[0], 2)
    (later,) = want(connection, nases[1], 1, disruptive=False)
    (sooner,) = want(connection, nases[0], 1, disruptive=False, next_at=NOW - timedelta(minutes=5))

    assert take(connection) == [sooner, later, *sorted(cuts)]


def test_who_pays_does_not_wait_for_hundreds_of_cuts_and_no_cut_starves(connection, nases):
    cuts = set().union(*(want(connection, nas, 64) for nas in nases))
    payers = want(connection, nases[2], 3, disruptive=False)

    taken = take(connection)

    assert set(taken[:3]) == payers
    assert len(taken) == 53
    assert set(taken[3:]) < cuts
    connection.execute("DELETE FROM enforcement WHERE NOT disruptive")
    assert len(take(connection)) == 96


def test_what_is_not_due_closed_acknowledged_or_in_a_worker_s_hands_is_left(connection, nases):
    minute = timedelta(minutes=1)
    want(connection, nases[0], 1, next_at=NOW + minute)
    want(connection, nases[0], 1, state="gave_up", problem="x", closed_at=NOW)
    want(connection, nases[0], 1, state="acked", sent_at=NOW, answered_at=NOW)
    want(connection, nases[0], 1, state="sent", sent_at=NOW, taken_by="another", taken_until=NOW + minute)
    left = want(connection, nases[0], 1, state="sent", sent_at=NOW, taken_by="a dead one", taken_until=NOW - minute)

    assert take(connection) == list(left)


def test_each_nas_gets_its_share_less_what_is_on_its_way_to_it(connection, nases):
    numbers = [want(connection, nas, 40) for nas in nases]

    taken = set(take(connection, limit=500, per_nas=30, busy={nases[0]: 25, nases[1]: 30}))

    assert [len(taken & of_nas) for of_nas in numbers] == [5, 0, 30]


def test_a_nas_that_is_full_of_cuts_has_a_window_of_room_for_what_restores_and_no_more(connection, nases):
    want(connection, nases[0], 40)
    payers = want(connection, nases[0], 40, disruptive=False)

    # 2 windows of 16 are on their way, then 2 and a half, then 3.
    taken = [take(connection, busy={nases[0]: busy}) for busy in (32, 40, 48)]

    assert [len(some) for some in taken] == [16, 8, 0]
    assert set().union(*taken) <= payers


def test_what_restores_may_be_taken_by_itself(connection, nases):
    want(connection, nases[0], 5)
    payers = want(connection, nases[1], 2, disruptive=False)

    assert set(take(connection, restoring_only=True)) == payers


def test_of_a_silent_nas_one_is_asked_at_a_time_and_what_restores_first(connection, nases):
    want(connection, nases[0], 5)
    restoring = want(connection, nases[0], 2, disruptive=False)
    connection.execute("INSERT INTO nas_silence (nas_id, next_at) VALUES (%s, %s)", (nases[0], NOW))

    (asked,) = take(connection)
    assert asked in restoring

    connection.execute(
        "UPDATE enforcement SET state = 'sent', sent_at = %s, taken_by = 'w', taken_until = %s WHERE id = %s",
        (NOW, NOW + timedelta(seconds=15), asked),
    )
    assert take(connection) == []
    connection.execute("UPDATE nas_silence SET next_at = %s", (NOW + timedelta(seconds=1),))
    connection.execute("UPDATE enforcement SET taken_by = NULL, taken_until = NULL")
    assert take(connection) == []


def test_a_switched_off_nas_is_not_spoken_to(connection, nases):
    want(connection, nases[1], 1)
    connection.execute("UPDATE nas SET enabled = false WHERE id = %s", (nases[1],))

    assert take(connection) == []


def test_of_many_that_are_due_a_turn_locks_little_more_than_it_takes(database, connection, nases):
    for nas in nases:
        want(connection, nas, 200)

    assert len(take(connection, limit=30, per_nas=64)) == 30

    with psycopg.connect(database) as other:
        free = one(
            other, "SELECT count(*) FROM (SELECT FROM enforcement WHERE closed_at IS NULL FOR UPDATE SKIP LOCKED) x"
        )
    # A third of 30 of each NAS.
    assert free == 600 - 30


def test_a_statement_is_never_compiled_that_costs_seconds_before_the_first_row(database):
    with db.connect(database, name="test") as connection:
        assert one(connection, "SHOW jit") == "off"


def test_a_change_knows_the_port_as_the_device_names_it_and_of_one_that_has_none_nothing(connection, nases):
    (first,), (second,) = want(connection, nases[0], 1), want(connection, nases[1], 1)
    connection.execute(
        "UPDATE session s SET nas_port_id = 'lag-1:10.300', line = 'olt-1' FROM enforcement e "
        "WHERE e.session_key = s.session_key AND e.id = %s",
        (first,),
    )
    connection.commit()

    taken = {change.id: change.nas_port_id for change in take_due(connection, now=NOW, limit=500, per_nas=64, busy={})}

    assert taken == {first: "lag-1:10.300", second: None}
