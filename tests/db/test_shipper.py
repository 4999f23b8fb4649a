"""Spool files into PostgreSQL: what each fault leaves in the tables."""

import importlib
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from support.accounting_world import NOON, add_network, detail, rows, settings_for, ship, spool
from support.spool_writer import SpoolWriter

from control_plane import db
from control_plane.accounting.session_batch import Changes
from control_plane.accounting.sessions import close_stale_sessions
from control_plane.accounting.shipper import Shipper, run_shipper
from control_plane.store import clocks, session_reads, session_writes
from control_plane.store import spool as spool_positions
from radius_hooks.login_line import LoginLine, build_login_line
from radius_hooks.packet import class_value

pytestmark = pytest.mark.db
KEY, OTHER = b"a" * 16, b"b" * 16
LIVE = "SELECT username, session_time_s, octets_in, octets_out, stale FROM session ORDER BY started_at, username"
CLOSED = (
    "SELECT ended_by::text, octets_in, octets_out, session_time_s FROM closed_session ORDER BY started_at, ended_at"
)
HELD = (
    f"SELECT extract(epoch FROM valid_from)::bigint - {NOON}, extract(epoch FROM valid_to)::bigint - {NOON} "
    "FROM address_history ORDER BY valid_from"
)
USED = "SELECT coalesce(sum(octets_in), 0)::bigint, coalesce(sum(octets_out), 0)::bigint FROM usage_{}"


@pytest.fixture
def accounts(connection):
    return add_network(connection, nases=("127.0.0.1", "127.0.0.2", "127.1.0.0/16", "2001:db8:9::1"))


@pytest.fixture
def world(accounts, database, tmp_path):
    return settings_for(tmp_path, database)


def test_a_session_is_live_then_closed_with_its_usage_and_its_address(world, database, accounts):
    spool(
        world,
        detail("Start", key=KEY, time=0, Framed_IP_Address="10.0.0.1"),
        detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)),
    )
    ship(world)
    live = rows(database, LIVE)
    spool(world, detail("Stop", key=KEY, at=NOON + 900, time=900, octets=(20, 150)))
    ship(world)

    assert live == [("anna", 600, 10, 100, False)]
    assert rows(database, LIVE) == []
    assert rows(database, CLOSED) == [("stop", 20, 150, 900)]
    assert rows(database, "SELECT account_id, octets_in, octets_out FROM usage_hour") == [(accounts["anna"], 20, 150)]
    assert rows(database, "SELECT account_id, day::text, octets_in, octets_out FROM usage_day") == [
        (accounts["anna"], "2026-11-21", 20, 150)
    ]
    noon = datetime.fromtimestamp(NOON, UTC)
    assert rows(database, "SELECT host(address), valid_from, valid_to, username FROM address_history") == [
        ("10.0.0.1", noon, noon + timedelta(seconds=900), "anna")
    ]
    assert rows(database, "SELECT count(*) FROM change_feed WHERE kind = 'session'") == [(2,)]


def test_what_a_session_carries_now_is_what_it_carried_between_its_last_two_records(world, database):
    now = "SELECT rate_in_bps, rate_out_bps FROM session"
    spool(world, detail("Start", key=KEY, time=0))
    ship(world)
    assert rows(database, now) == [(None, None)]
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(7_500, 75_000)))
    ship(world)
    assert rows(database, now) == [(100, 1000)]
    # The average since its start would be 55 and 550.
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 1200, time=1200, octets=(8_250, 82_500)))
    ship(world)
    assert rows(database, now) == [(10, 100)]
    # Another address: the row is written anew, and what it carries stays right.
    spool(
        world,
        detail(
            "Interim-Update", key=KEY, at=NOON + 1800, time=1800, octets=(9_000, 157_500), Framed_IP_Address="10.0.0.9"
        ),
    )
    ship(world)
    assert rows(database, now) == [(10, 1000)]


def test_a_renamed_file_stays_while_a_stopped_writer_holds_it(world, database):
    """FreeRADIUS locks the file for each record; stopped there, it writes and answers when the grace is long over."""
    stop = detail("Stop", key=KEY, at=NOON + 900, time=900, octets=(20, 150))
    begun = stop[: len(stop) // 2]
    spool(world, detail("Start", key=KEY), begun)
    writer = SpoolWriter(world.accounting_spool_dir / "detail")
    shipper = Shipper(world)
    try:
        until = time.monotonic() + 5 * world.edge.spool_grace_s
        while time.monotonic() < until:
            shipper.turn()
        held = list(world.accounting_spool_dir.iterdir())
        writer.write(stop.removeprefix(begun))
    finally:
        writer.kill()
        shipper.disconnect()
    ship(world)

    assert len(held) == 1
    assert rows(database, CLOSED) == [("stop", 20, 150, 900)]
    assert rows(database, "SELECT problem FROM unreadable_record") == []


def test_the_same_file_under_another_name_changes_nothing(world, database):
    records = [
        detail("Start", key=KEY, time=0, Framed_IP_Address="10.0.0.1"),
        detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)),
        detail("Start", session="s2", user="bruno", time=0, at=NOON),
        detail("Interim-Update", session="s2", user="bruno", at=NOON + 600, time=600, octets=(7, 8)),
        detail("Stop", key=KEY, at=NOON + 900, time=900, octets=(20, 150)),
    ]
    spool(world, *records)
    ship(world)
    tables = [LIVE, CLOSED, USED.format("hour"), USED.format("day"), "SELECT * FROM address_history"]
    once = [rows(database, table) for table in tables]
    (world.accounting_spool_dir / "detail.node-9.00000000000000000001").write_text("".join(records))
    ship(world)

    assert [rows(database, table) for table in tables] == once
    assert once[0] == [("bruno", 600, 7, 8, False)]


def test_an_id_that_comes_back_after_a_reboot_is_a_new_session_and_the_old_one_is_replaced(world, database):
    for session, key, again in (("s1", None, None), ("s2", KEY, OTHER)):
        spool(
            world,
            detail("Interim-Update", session=session, key=key, at=NOON + 600, time=600, octets=(10, 100)),
            detail("Start", session=session, key=again, at=NOON + 7200, time=0),
            detail("Interim-Update", session=session, key=again, at=NOON + 7800, time=600, octets=(3, 4)),
            detail("Stop", session=session, key=again, at=NOON + 7900, time=700, octets=(5, 6)),
        )
    ship(world)

    assert rows(database, CLOSED) == [("replaced", 10, 100, 600)] * 2 + [("stop", 5, 6, 700)] * 2
    assert rows(database, USED.format("day")) == [(30, 212)]


def test_a_late_stop_of_a_replaced_session_is_still_its_own(world, database):
    spool(
        world,
        detail("Interim-Update", at=NOON + 600, time=600, octets=(10, 100)),
        detail("Start", at=NOON + 7200, time=0),
        detail("Stop", at=NOON + 7300, time=700, octets=(11, 101), Acct_Delay_Time="6600"),
    )
    ship(world)

    assert rows(database, CLOSED) == [("stop", 11, 101, 700)]
    assert rows(database, LIVE) == [("anna", 0, 0, 0, False)]


def test_one_id_from_two_nases_and_for_two_users_is_four_sessions(world, database):
    for source in ("127.0.0.1", "127.0.0.2"):
        for user, octets in (("anna", (1, 10)), ("bruno", (2, 20))):
            spool(
                world,
                detail(
                    "Interim-Update", session="50%%", source=source, user=user, at=NOON + 60, time=60, octets=octets
                ),
            )
    ship(world)

    assert rows(database, LIVE) == [("anna", 60, 1, 10, False)] * 2 + [("bruno", 60, 2, 20, False)] * 2
    assert rows(database, "SELECT DISTINCT acct_session_id FROM session") == [("50%%",)]


def test_a_boot_closes_what_began_before_it_and_leaves_the_rest(world, database):
    spool(
        world,
        detail("Start", session="old", user="anna", at=NOON, time=0),
        detail("Interim-Update", session="old", user="anna", at=NOON + 60, time=60, octets=(1, 2)),
        detail("Start", session="elsewhere", user="anna", source="127.0.0.2", at=NOON, time=0),
        detail("Accounting-On", at=NOON + 130, Acct_Delay_Time="10"),
        detail("Start", session="new", user="bruno", at=NOON + 120, time=0),
    )
    ship(world)
    # A day later the same On comes again, with its true age.
    spool(world, detail("Accounting-On", at=NOON + 86520, Acct_Delay_Time="86400"))
    ship(world)

    assert rows(database, "SELECT acct_session_id FROM session ORDER BY 1") == [("elsewhere",), ("new",)]
    assert rows(database, CLOSED) == [("nas_reboot", 1, 2, 60)]
    assert rows(database, "SELECT extract(epoch FROM booted_at)::bigint FROM nas WHERE id = 1") == [(NOON + 120,)]


def test_a_boot_told_while_the_clock_was_ahead_ends_no_later_session(world, database):
    now, year_ahead = int(time.time()), int(time.time()) + 365 * 86400
    spool(world, detail("Accounting-On", at=year_ahead), detail("Start", key=KEY, at=now))
    ship(world)
    spool(world, detail("Interim-Update", key=KEY, at=now + 60, time=60, octets=(5, 50)))
    ship(world)
    live = rows(database, LIVE)
    spool(world, detail("Accounting-On", at=now + 90))
    ship(world)

    assert live == [("anna", 60, 5, 50, False)]
    assert rows(database, CLOSED) == [("nas_reboot", 5, 50, 60)]


def test_a_boot_in_a_group_of_devices_closes_nobody(world, database):
    spool(
        world,
        detail("Start", source="127.1.0.5", at=NOON, time=0),
        detail("Accounting-On", source="127.1.0.6", at=NOON + 100),
    )
    ship(world)

    assert rows(database, LIVE) == [("anna", 0, 0, 0, False)]


def test_a_boot_with_many_sessions_is_worked_off_in_batches(world, database, monkeypatch):
    monkeypatch.setattr("control_plane.accounting.sessions.CLOSED_AT_ONCE", 10)
    spool(world, *(detail("Start", session=f"s{number}", user="anna", at=NOON, time=0) for number in range(35)))
    spool(world, detail("Accounting-On", at=NOON + 100))
    ship(world)

    assert rows(database, "SELECT ended_by::text, count(*) FROM closed_session GROUP BY 1") == [("nas_reboot", 35)]
    assert rows(database, LIVE) == []


def test_a_session_that_a_boot_closed_wrongly_goes_on_when_it_speaks(world, database):
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 60, time=60, octets=(1, 2), Framed_IP_Address="10.0.0.1"),
        detail("Accounting-On", at=NOON + 100),
    )
    ship(world)
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 660, time=660, octets=(5, 9)))
    ship(world)
    ship(world)

    assert rows(database, LIVE) == [("anna", 660, 5, 9, False)]
    assert rows(database, CLOSED) == []
    assert rows(database, USED.format("day")) == [(5, 9)]


def test_a_late_word_from_before_a_boot_or_a_new_use_of_the_id_brings_octets_and_no_session(world, database):
    spool(
        world,
        detail("Interim-Update", session="s1", key=KEY, at=NOON + 60, time=60, octets=(1, 2)),
        detail("Interim-Update", session="s2", key=KEY, at=NOON + 60, time=60, octets=(1, 2)),
        detail("Start", session="s2", key=OTHER, at=NOON + 200, time=0),
    )
    ship(world)
    spool(world, detail("Accounting-On", source="127.0.0.1", at=NOON + 190))
    ship(world)
    spool(
        world,
        detail("Interim-Update", session="s1", key=KEY, at=NOON + 300, Acct_Delay_Time="180", time=120, octets=(3, 4)),
        detail("Interim-Update", session="s2", key=KEY, at=NOON + 300, Acct_Delay_Time="180", time=120, octets=(3, 4)),
    )
    ship(world)

    assert rows(database, LIVE) == [("anna", 0, 0, 0, False)]
    assert sorted(rows(database, CLOSED)) == [("nas_reboot", 3, 4, 120), ("replaced", 3, 4, 120)]
    assert rows(database, USED.format("day")) == [(6, 8)]


def test_a_device_at_an_ipv6_address_is_found(world, database):
    spool(world, detail("Start", source="2001:db8:9::1", time=0, Delegated_IPv6_Prefix="2001:db8:1::/56"))
    ship(world)

    assert rows(database, "SELECT nas_id, delegated_ipv6_prefix::text FROM session") == [(4, "2001:db8:1::/56")]


def test_swapped_octets_are_put_right(world, database, connection):
    connection.execute("UPDATE nas SET swap_octets = true WHERE id = 2")
    connection.commit()
    spool(world, detail("Interim-Update", source="127.0.0.2", time=60, octets=(1, 10)))
    ship(world)

    assert rows(database, LIVE) == [("anna", 60, 10, 1, False)]


def test_what_has_no_effect_is_kept_with_its_reason_and_stops_nothing(world, database):
    torn = detail("Stop", session="torn", octets=(1, 2))[:150]
    spool(
        world,
        detail("Start", source="192.0.2.9"),
        detail("Start", Acct_Session_Id=None),
        torn,
        detail("Start", session="good", time=0),
        torn,
    )
    ship(world)

    assert rows(database, "SELECT acct_session_id FROM session") == [("good",)]
    assert rows(database, "SELECT problem FROM unreadable_record ORDER BY octet") == [
        ("no NAS is registered at 192.0.2.9",),
        ("no Acct-Session-Id and no Class of ours: the record names no session",),
        ("torn record: its end is missing",),
        ("half-written last record",),
    ]
    kept = rows(database, "SELECT record FROM unreadable_record ORDER BY octet")
    assert kept[0][0].startswith("Sat Nov 21 12:00:00 2026\n\tPacket-Src-IP-Address = 192.0.2.9\n")
    assert kept[2][0] == kept[3][0] == torn


def test_a_record_that_the_database_refuses_is_parked_and_the_others_are_merged(world, database, connection):
    connection.execute("ALTER TABLE session ADD CONSTRAINT poison CHECK (username <> 'bruno')")
    connection.commit()
    spool(world, *(detail("Start", session=f"s{n}", user="bruno" if n == 13 else "anna", time=0) for n in range(40)))
    ship(world)

    assert rows(database, "SELECT count(*) FROM session") == [(39,)]
    ((kind, problem, record),) = rows(database, "SELECT kind, problem, record FROM unreadable_record")
    assert (kind, problem.split(":")[0]) == ("refused", "CheckViolation")
    assert '"s13"' in record


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("control_plane.accounting.reader.read_accounting_record", KeyError("Acct-Session-Id")),
        ("control_plane.accounting.sessions.named", TypeError("unhashable type: 'list'")),
    ],
    ids=["reading", "merging"],
)
def test_a_bug_of_ours_is_said_as_an_error_and_parked_as_one_and_the_other_records_are_merged(
    world, database, monkeypatch, place, error
):
    module, _, name = place.rpartition(".")
    right = getattr(importlib.import_module(module), name)

    def wrong(*given):
        if "s13" in repr(given[-1]):
            raise error
        return right(*given)

    monkeypatch.setattr(place, wrong)
    spool(world, *(detail("Start", session=f"s{n}", time=0) for n in range(40)))
    with capture_logs() as log:
        ship(world)

    assert rows(database, "SELECT count(*) FROM session") == [(39,)]
    ((kind, problem, record),) = rows(database, "SELECT kind, problem, record FROM unreadable_record")
    assert kind == "our_fault"
    # What it was, and where in our code.
    assert problem.startswith(type(error).__name__)
    assert "test_shipper.py" in problem
    assert '"s13"' in record
    assert [(line["event"], line["log_level"]) for line in log if line["log_level"] != "debug"] == [
        ("spool.our_fault", "error")
    ]


def test_names_with_control_octets_are_stored_escaped_and_are_nobodys(world, database):
    spool(
        world,
        detail("Interim-Update", user=r"anna\000", at=NOON + 60, time=60, octets=(1, 1), NAS_Port_Id=r'"e\001\"\\"'),
    )
    ship(world)

    assert rows(database, "SELECT username, account_id, line FROM session") == [(r"anna\000", None, 'e\x01"\\')]
    assert rows(database, USED.format("day")) == [(0, 0)]


def test_the_port_that_a_device_names_stays_with_its_session_beside_the_line(world, database):
    port = {"NAS_Port_Id": '"lag-1:10.300"', "ADSL_Agent_Circuit_Id": "0x6f6c742d31"}
    spool(world, detail("Start", key=KEY, time=0, **port))
    spool(world, detail("Start", session="s2", key=OTHER, time=0, **port))
    ship(world)
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 60, time=60, octets=(1, 1)))
    spool(world, detail("Stop", session="s2", key=OTHER, at=NOON + 60, time=60, octets=(1, 1)))
    ship(world)

    for table in ("session", "closed_session"):
        assert rows(database, f"SELECT nas_port_id, line FROM {table}") == [("lag-1:10.300", "olt-1")]


def test_what_is_older_than_its_retention_is_left_out(accounts, database, tmp_path):
    kept = {"usage_hour_days": 90, "usage_day_days": 365, "address_history_days": 90, "closed_session_days": 90}
    world = settings_for(tmp_path, database, retention=kept)
    now = int(time.time())
    address = {"Framed_IP_Address": "10.0.0.9"}
    spool(world, detail("Stop", session="s1", at=now, time=60, octets=(5, 5), **address))
    spool(world, detail("Stop", session="s2", at=now - 200 * 86400, time=60, octets=(7, 7), **address))
    spool(world, detail("Stop", session="s3", at=now - 500 * 86400, time=60, octets=(9, 9), **address))
    ship(world)

    assert rows(database, USED.format("hour")) == [(5, 5)]
    assert rows(database, USED.format("day")) == [(12, 12)]
    assert rows(database, "SELECT acct_session_id FROM closed_session") == [("s1",)]
    assert rows(database, "SELECT count(*) FROM address_history") == [(1,)]
    assert rows(database, "SELECT count(*) FROM unreadable_record") == [(0,)]


def test_a_month_that_has_no_partition_is_made(world, database):
    ahead = NOON + 800 * 86400
    spool(world, detail("Stop", at=ahead, time=60, octets=(5, 5), Framed_IP_Address="10.0.0.9"))
    ship(world)

    assert rows(database, "SELECT tableoid::regclass::text FROM closed_session") == [("closed_session_202901",)]


def test_a_partition_that_was_dropped_behind_the_shippers_back_is_made_again(world, database, connection):
    shipper = Shipper(world)
    try:
        spool(world, detail("Stop", session="s1", time=60, octets=(5, 5)))
        shipper.turn()
        connection.execute("DROP TABLE closed_session_202611")
        connection.commit()
        spool(world, detail("Stop", session="s2", time=60, octets=(5, 5)))
        shipper.turn()
    finally:
        shipper.disconnect()

    assert rows(database, "SELECT acct_session_id FROM closed_session") == [("s2",)]
    assert rows(database, "SELECT count(*) FROM unreadable_record") == [(0,)]


def test_an_account_that_comes_later_gets_the_usage_from_then_on(world, database, connection):
    spool(world, detail("Interim-Update", user="carla", at=NOON + 60, time=60, octets=(1, 1)))
    ship(world)
    connection.execute(
        "INSERT INTO subscriber_account (contract_id, username, sealed_secret) SELECT id, 'carla', %s FROM contract",
        (bytes(48),),
    )
    connection.commit()
    spool(world, detail("Interim-Update", user="carla", at=NOON + 120, time=120, octets=(5, 9)))
    ship(world)

    assert rows(database, LIVE) == [("carla", 120, 5, 9, False)]
    assert rows(database, USED.format("day")) == [(4, 8)]


def test_a_deleted_account_does_not_keep_its_session_from_going_on(world, database, connection):
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 60, time=60, octets=(1, 1)),
        detail("Accounting-On", at=NOON + 90),
    )
    ship(world)
    connection.execute("DELETE FROM subscriber_account WHERE username = 'anna'")
    connection.commit()
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 120, time=120, octets=(5, 9)))
    ship(world)

    assert rows(database, "SELECT username, account_id, octets_in FROM session") == [("anna", None, 5)]


# -------------------------------------------------------------------------------------------------------------------
# Silence
# -------------------------------------------------------------------------------------------------------------------
def heard_to(conninfo, read_to, *, said_at):
    with db.connect(conninfo, name="test") as connection:
        connection.execute(
            "INSERT INTO spool_node (node, read_to, updated_at) VALUES ('node-1', to_timestamp(%s), to_timestamp(%s)) "
            "ON CONFLICT (node) DO UPDATE SET read_to = EXCLUDED.read_to, updated_at = EXCLUDED.updated_at",
            (read_to, said_at),
        )


def sweep(settings, conninfo, at, *, read_to=None):
    heard_to(conninfo, at if read_to is None else read_to, said_at=at)
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        return close_stale_sessions(connection, settings, datetime.fromtimestamp(at, UTC))


def test_a_silent_session_is_first_marked_and_then_closed_with_its_last_counters(world, database):
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100), Framed_IP_Address="10.0.0.1"),
    )
    ship(world)
    heard = NOON + 600

    # Three intervals of 600 s and a minute of grace; an interval earlier it is marked.
    assert sweep(world, database, heard + 2 * 600 + 60) == 0
    assert rows(database, LIVE) == [("anna", 600, 10, 100, False)]
    assert sweep(world, database, heard + 2 * 600 + 61) == 0
    assert rows(database, LIVE) == [("anna", 600, 10, 100, True)]
    assert sweep(world, database, heard + 3 * 600 + 61) == 1
    assert rows(database, CLOSED) == [("stale", 10, 100, 600)]
    assert rows(database, "SELECT extract(epoch FROM ended_at)::bigint, terminate_cause FROM closed_session") == [
        (heard, "Lost-Carrier")
    ]
    assert rows(database, "SELECT extract(epoch FROM valid_to)::bigint FROM address_history") == [(heard,)]


def test_a_word_takes_the_mark_away_and_reopens_what_was_closed(world, database):
    for end in (61, 600 + 61):
        spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)))
        ship(world)
        sweep(world, database, NOON + 600 + 1200 + end)
    assert rows(database, LIVE) == []
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 6000, time=6000, octets=(90, 900)))
    ship(world)

    assert rows(database, LIVE) == [("anna", 6000, 90, 900, False)]
    assert rows(database, CLOSED) == []
    assert rows(database, USED.format("day")) == [(90, 900)]


@pytest.mark.parametrize("stopped_at_once", [True, False])
def test_the_history_has_the_whole_time_of_a_session_that_seemed_to_end_where_it_began(
    world, database, stopped_at_once
):
    """Its holding of no length is in the history when the session speaks again, or its Stop is resent later."""
    address = {"Framed_IP_Address": "10.0.0.1"}
    if stopped_at_once:
        spool(world, detail("Start", key=KEY, **address), detail("Stop", key=KEY, **address))
    else:
        spool(world, detail("Start", key=KEY, **address))
    ship(world)
    if not stopped_at_once:
        assert sweep(world, database, NOON + 3 * 600 + 61) == 1
    held = rows(database, HELD)
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 7200, time=7200, octets=(10, 100), **address),
        detail("Stop", key=KEY, at=NOON + 9000, time=9000, octets=(20, 200), **address),
    )
    ship(world)

    assert held == [(0, 0)]
    assert rows(database, HELD)[0][0] == 0
    assert rows(database, HELD)[-1][1] == 9000
    assert all(one[1] == following[0] for one, following in pairwise(rows(database, HELD)))


def test_what_a_session_runs_under_stays_through_interims_and_goes_with_it_when_it_is_closed_and_reopened(
    world, database
):
    def said(table):
        return rows(database, f"SELECT encode(applied_version, 'escape'), applied_by::text FROM {table}")

    spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)))
    ship(world)
    with db.connect(database, name="test") as connection:
        connection.execute(
            "UPDATE session SET applied_version = 'WWWW2222', applied_by = 'verified', applied_at = now()"
        )
    # One that only goes on, and one whose row is written anew: it has another address.
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 1200, time=1200, octets=(20, 200)))
    ship(world)
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 1300, time=1300, octets=(30, 300), Framed_IP_Address="10.0.0.1"),
    )
    ship(world)
    assert said("session") == [("WWWW2222", "verified")]

    for silence in (61, 600 + 61):
        sweep(world, database, NOON + 1300 + 1200 + silence)
    assert (said("session"), said("closed_session")) == ([], [("WWWW2222", "verified")])
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 6000, time=6000, octets=(90, 900)))
    ship(world)
    assert (said("session"), said("closed_session")) == ([("WWWW2222", "verified")], [])

    spool(world, detail("Stop", key=KEY, at=NOON + 6100, time=6100, octets=(91, 901)))
    ship(world)
    assert (said("session"), said("closed_session")) == ([], [("WWWW2222", "verified")])


def test_another_class_than_the_one_before_is_a_later_word_than_what_was_verified(world, database):
    def record(at, version, **more):
        return detail("Interim-Update", at=NOON + at, time=at, octets=(at, at), Class=class_value(KEY, version), **more)

    def applied():
        return rows(
            database,
            "SELECT encode(applied_version, 'escape'), applied_by::text, extract(epoch FROM applied_at)::bigint FROM session",
        )

    def verified(version):
        with db.connect(database, name="test") as connection:
            connection.execute(
                "UPDATE session SET applied_version = %s, applied_by = 'verified', applied_at = to_timestamp(%s)",
                (version, NOON),
            )

    for at, version in ((600, b"FFFF1111"), (1200, b"WWWW2222")):
        spool(world, record(at, version))
        ship(world)
    # Nothing was verified yet: what Class says is all there is.
    assert applied() == [(None, None, None)]
    verified(b"WWWW2222")
    spool(world, record(1800, b"WWWW2222"))
    ship(world)
    assert applied() == [("WWWW2222", "verified", NOON)]

    # The device has fallen back. A record of before, that comes late, says nothing of now.
    spool(world, record(2400, b"FFFF1111"), record(2100, b"WWWW2222"))
    ship(world)
    assert applied() == [("FFFF1111", "device", NOON + 2400)]

    # So has one that was taken for over meanwhile.
    verified(b"FFFF1111")
    for silence in (61, 600 + 61):
        sweep(world, database, NOON + 2400 + 1200 + silence)
    assert applied() == []
    spool(world, record(6000, b"WWWW2222"))
    ship(world)
    assert applied() == [(None, None, None)]
    assert rows(database, "SELECT encode(policy_version, 'escape') FROM session") == [("WWWW2222",)]


def test_what_one_step_of_a_transaction_changed_is_not_read_again_as_it_was(accounts, database, tmp_path):
    """Steps of one record each: the second reads ahead a table in which the session is still closed."""
    world = settings_for(tmp_path, database, edge={"batch_records": 5})
    for end in (61, 600 + 61):
        spool(world, detail("Interim-Update", at=NOON + 600, time=600, octets=(10, 100)))
        ship(world)
        sweep(world, database, NOON + 600 + 1200 + end)
    assert [row[-1] for row in rows(database, "SELECT ended_by::text FROM closed_session")] == ["stale"]
    spool(
        world,
        *(detail("Interim-Update", at=NOON + 600 * n, time=600 * n, octets=(10 * n, 100 * n)) for n in range(4, 8)),
        detail("Stop", at=NOON + 4800, time=4800, octets=(80, 800)),
    )
    ship(world)

    assert rows(database, LIVE) == []
    assert rows(database, "SELECT ended_by::text, session_time_s, octets_in FROM closed_session") == [
        ("stop", 4800, 80)
    ]
    assert rows(database, USED.format("day")) == [(80, 800)]


def test_a_session_that_speaks_while_the_sweep_looks_is_not_marked(world, database):
    """The mark would stay for a whole interval, and a second login could take the session over."""
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)))
    ship(world)

    with db.connect(database, name="shipper") as shipper:
        session_writes.prepare(shipper)
        nas_id = shipper.execute("SELECT id FROM nas").fetchone()[0]
        session_reads.lock_nases(shipper, [nas_id])
        [state] = session_reads.load_live_by_id(shipper, [(nas_id, "s1")])
        sweeping = threading.Thread(target=sweep, args=(world, database, NOON + 600 + 1261))
        sweeping.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_for(lambda: rows(database, waits) or not sweeping.is_alive())
        spoke = replace(state, session_time_s=1860, updated_at=NOON + 1860, received_at=NOON + 1860)
        session_writes.save_sessions(
            shipper, Changes(states=[spoke], were_live={state.session_key: state}), closed_since=0
        )
        shipper.commit()
    sweeping.join(timeout=120)

    assert rows(database, LIVE) == [("anna", 1860, 10, 100, False)]


def test_nobody_is_silent_while_the_spool_itself_is_behind(world, database):
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)))
    ship(world)
    hours_later = NOON + 20_000

    assert sweep(world, database, hours_later, read_to=NOON + 700) == 0
    assert rows(database, LIVE) == [("anna", 600, 10, 100, False)]


def test_nobody_is_silent_while_no_node_says_how_far_it_has_read(world, database):
    spool(world, detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100)))
    ship(world)
    heard_to(database, NOON + 20_000, said_at=NOON + 600)
    with db.connect(database, name="test", autocommit=True) as connection:
        closed = close_stale_sessions(connection, world, datetime.fromtimestamp(NOON + 20_000, UTC))

    assert closed == 0


def test_a_device_with_a_longer_interval_of_its_own_is_given_that(world, database):
    spool(
        world,
        detail("Interim-Update", key=KEY, at=NOON + 1800, time=1800, octets=(1, 1)),
        detail("Interim-Update", key=KEY, at=NOON + 3600, time=3600, octets=(2, 2)),
    )
    ship(world)

    assert sweep(world, database, NOON + 3600 + 3 * 1800 + 60) == 0
    assert sweep(world, database, NOON + 3600 + 3 * 1800 + 61) == 1


def test_the_edge_and_the_worker_need_no_more_rights_than_their_roles_have(accounts, connection, database, tmp_path):
    connection.execute("ALTER ROLE corrente_edge LOGIN; ALTER ROLE corrente_worker LOGIN")
    connection.commit()
    edge, worker = (database.replace("user=corrente ", f"user=corrente_{role} ") for role in ("edge", "worker"))
    world = settings_for(tmp_path, edge)
    spool(
        world,
        detail("Start", key=KEY, time=0, Framed_IP_Address="10.0.0.1"),
        detail("Stop", key=KEY, at=NOON + 60, time=60, octets=(1, 1)),
        detail("Stop", key=KEY, at=NOON + 70, time=70, octets=(2, 2)),
        detail("Interim-Update", session="s2", at=NOON + 60, time=60, octets=(1, 1), Framed_IP_Address="10.0.0.2"),
        detail("Accounting-On", at=NOON + 90),
        detail("Interim-Update", session="s3", source="127.0.0.2", at=NOON + 800 * 86400, time=60, octets=(1, 1)),
        detail("Start", source="192.0.2.9"),
    )
    ship(world)
    heard_to(database, NOON + 900 * 86400, said_at=NOON + 900 * 86400)
    with db.connect(worker, name="test", autocommit=True) as own:
        closed = close_stale_sessions(own, world, datetime.fromtimestamp(NOON + 900 * 86400, UTC))

    assert closed == 1
    assert sorted(end for end, *_ in rows(database, CLOSED)) == ["nas_reboot", "stale", "stop"]
    assert rows(database, "SELECT count(*) FROM unreadable_record") == [(1,)]


# -------------------------------------------------------------------------------------------------------------------
# The loop and the login spool
# -------------------------------------------------------------------------------------------------------------------
def test_login_attempts_arrive_once_with_their_account(world, database, accounts):
    line = LoginLine(
        microseconds=NOON * 1_000_000 + 123456,
        outcome="reject",
        reason="wrong_password",
        source="127.0.0.1",
        packet_id=7,
        username=b"anna",
        mac="aabbcc001122",
        line="ether1",
        session_key=b"",
        policy_version=b"",
        nas_id=1,
        detail="the password does not match",
    )
    accepted = replace(
        line, outcome="accept", reason="full", session_key=KEY, policy_version=b"profacct", username=b"a\x00\xff"
    )
    text = b"".join(build_login_line(one) for one in (line, accepted))
    (world.login_spool_dir / "logins").write_bytes(text + b"nonsense\n" + text + b"1 accept fu")
    ship(world)

    found = rows(
        database,
        "SELECT at, outcome, reason, username, account_id, nas_id, host(source), mac, line, session_key, policy_version, detail "
        "FROM login_attempt ORDER BY outcome DESC",
    )
    at = datetime.fromtimestamp(NOON, UTC) + timedelta(microseconds=123456)
    assert found[0] == (
        at, "reject", "wrong_password", "anna", accounts["anna"], 1, "127.0.0.1", "aabbcc001122", "ether1", None, None,
        "the password does not match",
    )  # fmt: skip
    assert found[1][:5] == (at, "accept", "full", r"a\x00\\xff", None)
    assert (found[1][9].bytes, found[1][10]) == (KEY, b"profacct")
    assert len(found) == 2
    assert rows(database, "SELECT record FROM unreadable_record ORDER BY octet") == [("nonsense\n",), ("1 accept fu",)]


def test_the_shipper_goes_on_when_the_database_comes_back_and_said_so_once(world, database, connection, capsys):
    name = connection.info.dbname
    stop = threading.Event()
    shipper = threading.Thread(target=run_shipper, args=(world, stop))
    with db.connect(
        connection.info.dsn.replace(f"dbname={name}", "dbname=postgres"), name="test", autocommit=True
    ) as admin:
        connection.close()
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        spool(world, detail("Start", time=0))
        shipper.start()
        try:
            wait_for(lambda: "spool.waits" in (seen.append(capsys.readouterr().out) or "".join(seen)), seen := [])
            time.sleep(1.0)
            assert (world.accounting_spool_dir / "detail").exists()
            admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            wait_for(lambda: rows(database, "SELECT count(*) FROM session") == [(1,)])
        finally:
            admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            stop.set()
            shipper.join(120)
    said = "".join(seen) + capsys.readouterr().out
    assert said.count("spool.waits") == 1
    assert said.count("spool.goes_on") == 1


def wait_for(condition, *_, deadline_s=60):
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_two_nodes_of_one_name_are_told_to_take_two(world):
    first, second = Shipper(world), Shipper(world)
    try:
        with capture_logs() as log:
            first.turn()
        assert log == []
        with capture_logs() as log:
            second.turn()
        assert [(line["event"], line["node"]) for line in log] == [("spool.name_in_use", "node-1")]
    finally:
        first.disconnect()
        second.disconnect()


# -------------------------------------------------------------------------------------------------------------------
# Clocks
# -------------------------------------------------------------------------------------------------------------------
CLOCKS = "SELECT n.name, host(c.source), c.ahead_s FROM nas_clock c JOIN nas n ON n.id = c.nas_id ORDER BY n.name"


def test_the_clock_of_each_device_is_kept_beside_that_of_the_node_with_no_write_for_a_record(world, database, accounts):
    spool(
        world,
        *(
            detail("Interim-Update", key=KEY, at=NOON + 60 * n, time=60 * n, Event_Timestamp=str(NOON + 60 * n - 192))
            for n in range(20)
        ),
        detail("Start", session="s2", source="127.0.0.2", user="bruno"),
        detail("Start", session="s3", source="127.1.0.9", user="bruno", Event_Timestamp=str(NOON + 4000)),
        detail("Start", session="s4", source="2001:db8:9::1", user="bruno", Event_Timestamp=str(NOON)),
    )
    ship(world)

    # The second sends no Event-Timestamp. The node's clock is the database's here, but for the time that asking it takes.
    assert rows(database, CLOCKS) == [
        ("nas-1", "127.0.0.1", -192),
        ("nas-3", "127.1.0.9", 4000),
        ("nas-4", "2001:db8:9::1", 0),
    ]
    ((ahead_s,),) = rows(database, "SELECT clock_ahead_s FROM spool_node")
    assert abs(ahead_s) < 120


def test_what_the_nodes_own_clock_is_off_is_not_taken_for_the_devices(connection, world, database):
    spool_positions.save_read_to(connection, "node-1", NOON, now=time.time() - 3600)
    # Seen from a node that is an hour behind, a right clock is an hour ahead.
    clocks.save_nas_clocks(connection, "node-1", {1: ("127.0.0.1", 3600), 2: ("127.0.0.2", 3408)})
    assert connection.execute(CLOCKS).fetchall() == [("nas-1", "127.0.0.1", 0), ("nas-2", "127.0.0.2", -192)]


def test_a_clock_that_stands_as_it_did_is_written_again_only_when_its_row_gets_old(connection, world):
    written = "SELECT nas_id, ahead_s, xmin::text FROM nas_clock ORDER BY nas_id"
    clocks.save_nas_clocks(connection, "node-1", {1: ("127.0.0.1", 5), 2: ("127.0.0.2", 5), 3: ("127.1.0.9", 5)})
    connection.execute("UPDATE nas_clock SET at = now() - interval '11 minutes' WHERE nas_id = 3")
    connection.commit()
    before = connection.execute(written).fetchall()
    clocks.save_nas_clocks(
        connection, "node-1", {1: ("127.0.0.1", 6), 2: ("127.0.0.2", 7), 3: ("127.1.0.9", 5), 999: ("127.0.0.9", 5)}
    )
    after = connection.execute(written).fetchall()

    assert [row[:2] for row in after] == [(1, 5), (2, 7), (3, 5)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False]
