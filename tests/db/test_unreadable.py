"""Parked records: listed with their reason, merged exactly once when the cause is gone, tried without a trace."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest
from support.accounting_world import NOON, add_network, detail, rows, settings_for, ship, spool
from support.command_line import run, write_settings

from control_plane import db
from control_plane.accounting.parked import retry_parked
from control_plane.checks import Verdict, check_parked
from radius_hooks.login_line import LoginLine, build_login_line

pytestmark = pytest.mark.db
SESSIONS = "SELECT username, octets_in, octets_out FROM session ORDER BY username"
CLOSED = "SELECT username, ended_by::text, octets_in, octets_out FROM closed_session ORDER BY username"
USED = "SELECT sum(octets_in)::bigint, sum(octets_out)::bigint FROM usage_day"
WAITING = "SELECT kind, problem, tried_at IS NOT NULL FROM unreadable_record ORDER BY id"


@pytest.fixture
def world(connection, database, tmp_path):
    add_network(connection)
    return settings_for(tmp_path / "edge", database)


@pytest.fixture
def corrente(database, tmp_path, world):
    settings = write_settings(tmp_path, database)
    with settings.open("a") as file:
        # The records are of a fixed day, the clock goes on.
        file.write("[retention]\n" + "".join(f"{name} = 36500\n" for name in RETAINED))
    return lambda *arguments: run(settings, "unreadable", *arguments)


RETAINED = ("address_history_days", "closed_session_days", "login_attempt_days", "usage_hour_days", "usage_day_days")


def register(connection, source):
    connection.execute(
        "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES (%s, %s, 'mikrotik', %s)",
        (f"nas-{source}", source, bytes(40)),
    )
    connection.commit()


def from_an_unknown_device():
    return (
        detail("Start", source="192.0.2.9", time=0),
        detail("Interim-Update", source="192.0.2.9", at=NOON + 600, time=600, octets=(10, 100)),
        detail("Stop", source="192.0.2.9", at=NOON + 900, time=900, octets=(20, 150)),
        detail("Start", source="192.0.2.9", user="bruno", session="s2", at=NOON, time=0),
    )


def test_records_of_a_device_that_is_registered_later_are_merged_once(world, corrente, database, connection):
    spool(world, *from_an_unknown_device())
    ship(world)
    assert rows(database, SESSIONS) == []
    assert corrente("retry").output.splitlines() == [
        "Merged 0; 4 stay.",
        "  4 unreadable: no NAS is registered at 192.0.2.9",
    ]
    assert rows(database, WAITING) == [("unreadable", "no NAS is registered at 192.0.2.9", True)] * 4

    register(connection, "192.0.2.9")
    for _ in range(2):
        done = corrente("retry")
        assert done.exit_code == 0, done.output
        assert rows(database, SESSIONS) == [("bruno", 0, 0)]
        assert rows(database, CLOSED) == [("anna", "stop", 20, 150)]
        assert rows(database, USED) == [(20, 150)]
    assert done.output == "Merged 0; 0 stay.\n"
    assert rows(database, WAITING) == []
    assert rows(database, "SELECT actor, action, subject FROM audit_log") == [
        ("maria", "unreadable.retry", "4 records")
    ]


def test_a_dry_run_says_the_same_and_changes_nothing(world, corrente, database, connection):
    spool(world, *from_an_unknown_device(), detail("Start", source="192.0.2.10", session="s3", time=0))
    ship(world)
    register(connection, "192.0.2.9")
    before = rows(database, "SELECT * FROM unreadable_record ORDER BY id")

    said = corrente("retry", "--dry-run").output

    assert said == "Would merge 4; 1 stay.\n  1 unreadable: no NAS is registered at 192.0.2.10\n"
    assert rows(database, "SELECT * FROM unreadable_record ORDER BY id") == before
    assert rows(database, "SELECT count(*) FROM session UNION ALL SELECT count(*) FROM closed_session") == [(0,), (0,)]
    assert rows(database, "SELECT count(*) FROM audit_log") == [(0,)]
    assert corrente("retry").output == said.replace("Would merge", "Merged")


def test_records_that_the_spool_brings_again_count_once(world, corrente, database, connection):
    spool(world, *from_an_unknown_device())
    ship(world)
    register(connection, "192.0.2.9")
    # A person put them back by hand, as one could before there was a command.
    spool(world, *from_an_unknown_device())
    ship(world)
    assert corrente("retry").output == "Merged 4; 0 stay.\n"

    assert rows(database, CLOSED) == [("anna", "stop", 20, 150)]
    assert rows(database, USED) == [(20, 150)]


def test_one_record_that_is_refused_keeps_no_other_from_being_merged(world, corrente, database, connection):
    spool(world, *(detail("Start", source="192.0.2.9", session=f"s{n}", time=0) for n in range(20)))
    spool(world, detail("Stop", session="torn")[:150])
    ship(world)
    register(connection, "192.0.2.9")
    connection.execute("ALTER TABLE session ADD CONSTRAINT poison CHECK (acct_session_id <> 's13')")
    connection.commit()

    first, *left = corrente("retry").output.splitlines()

    assert first == "Merged 19; 2 stay."
    assert [line.split(":")[0] for line in sorted(left)] == ["  1 refused", "  1 unreadable"]
    assert [(kind, tried) for kind, _, tried in rows(database, WAITING)] == [("refused", True), ("unreadable", True)]
    connection.execute("ALTER TABLE session DROP CONSTRAINT poison")
    connection.commit()
    assert corrente("retry", "--kind", "refused").output == "Merged 1; 0 stay.\n"
    assert rows(database, "SELECT count(*) FROM session") == [(20,)]


def test_what_a_bug_kept_aside_is_merged_by_a_release_without_it(world, corrente, database, connection, monkeypatch):
    def wrong(*_):
        raise KeyError("Class")

    with monkeypatch.context() as patch:
        patch.setattr("control_plane.accounting.sessions.named", wrong)
        spool(world, detail("Interim-Update", at=NOON + 60, time=60, octets=(7, 8)))
        ship(world)
    finding = check_parked(connection)
    assert (finding.verdict, finding.text) == (Verdict.FAIL, "1 our_fault")
    assert "corrente unreadable retry" in finding.advice

    assert corrente("retry", "--kind", "our_fault").output == "Merged 1; 0 stay.\n"
    assert rows(database, SESSIONS) == [("anna", 7, 8)]
    assert check_parked(connection).verdict is Verdict.OK


def test_a_boot_that_is_merged_late_ends_the_sessions_before_it(world, corrente, database, connection):
    # The device stood under another address when it said that it booted, and is registered under both now.
    spool(
        world,
        detail("Start", source="192.0.2.9", time=0),
        detail("Accounting-On", source="192.0.2.9", at=NOON + 60),
    )
    ship(world)
    register(connection, "192.0.2.9")
    assert corrente("retry").output == "Merged 2; 0 stay.\n"

    assert rows(database, CLOSED) == [("anna", "nas_reboot", 0, 0)]
    assert rows(database, SESSIONS) == []


def test_login_lines_are_tried_again_too(world, corrente, database, connection):
    connection.execute("ALTER TABLE login_attempt ADD CONSTRAINT poison CHECK (reason <> 'wrong_password')")
    connection.commit()
    line = build_login_line(
        LoginLine(
            microseconds=NOON * 1_000_000,
            outcome="reject",
            reason="wrong_password",
            source="127.0.0.1",
            packet_id=7,
            username=b"anna",
            mac="",
            line="",
            session_key=b"",
            policy_version=b"",
            nas_id=1,
            detail="",
        )
    )
    (world.login_spool_dir / "logins").write_bytes(line)
    ship(world)
    assert [kind for kind, _, _ in rows(database, WAITING)] == ["refused"]
    connection.execute("ALTER TABLE login_attempt DROP CONSTRAINT poison")
    connection.commit()

    assert corrente("retry").output == "Merged 1; 0 stay.\n"
    assert rows(database, "SELECT username, reason FROM login_attempt") == [("anna", "wrong_password")]


def test_two_who_try_at_once_merge_each_record_once(world, database, connection):
    spool(
        world,
        *(detail("Stop", source="192.0.2.9", session=f"s{n}", at=NOON + 60, time=60, octets=(1, 2)) for n in range(60)),
    )
    ship(world)
    register(connection, "192.0.2.9")
    with db.connect(database, name="test") as holder:
        # The first is held up in the middle of its transaction, with every record locked.
        holder.execute("SELECT FROM nas FOR UPDATE")
        merged = []
        both = [threading.Thread(target=lambda: merged.append(retry(world, database))) for _ in range(2)]
        both[0].start()
        wait_for(lambda: rows(database, WAITERS) == [(1,)])
        both[1].start()
        wait_for(lambda: len(merged) == 1)
        holder.rollback()
    for one in both:
        one.join(timeout=60)

    # The one that came second finds them held and leaves them to the first.
    assert merged == [0, 60]
    assert rows(database, "SELECT count(*) FROM closed_session") == [(60,)]
    assert rows(database, USED) == [(60, 120)]


WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def retry(world, conninfo):
    with db.connect(conninfo, name="test", autocommit=True) as own:
        now = datetime.now(UTC)
        return retry_parked(own, world, kind=None, dry_run=False, now=now, note=lambda _: None).merged


def wait_for(condition, *, deadline_s=60):
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_list_shows_what_stands_against_each(world, corrente):
    spool(world, *from_an_unknown_device())
    ship(world)
    lines = corrente("list", "--limit", "2").output.splitlines()
    assert len(lines) == 4
    assert all("no NAS is registered at 192.0.2.9" in line for line in lines[1:3])
    assert lines[3] == "In all: 4 unreadable."
    assert json.loads(corrente("list", "--kind", "our_fault", "--json").output) == []
    records = json.loads(corrente("list", "--json").output)
    assert [record["kind"] for record in records] == ["unreadable"] * 4
    assert records[0]["record"].startswith("Sat Nov 21 12:00:00 2026\n")
