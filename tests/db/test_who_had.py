"""Who had an address: the command, its audit row, and how the database finds it."""

import json
import re
import threading
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from support.accounting_world import NOON, add_network, detail, rows, settings_for, ship, spool
from support.command_line import run, write_settings
from support.edge_process import wait_until

from control_plane import db
from control_plane.store.address_history import explain_holders, load_holders

pytestmark = pytest.mark.db


@pytest.fixture
def command(connection, database, tmp_path):
    """The command on a database in which some sessions have been."""
    add_network(connection, usernames=("anna", "bruno"))
    connection.execute("UPDATE schema_migration SET applied_at = '2020-01-01'")
    connection.commit()
    world = settings_for(tmp_path / "edge", database)
    block = '"203.0.113.5 {} x"'.format
    spool(
        world,
        detail("Start", session="s1", at=NOON, time=0, Framed_IP_Address="10.0.0.1", Alc_Nat_Port_Range=block("1024-2047")),
        detail("Interim-Update", session="s1", at=NOON + 60, time=60, Delegated_IPv6_Prefix="2001:db8:100::/40"),
        detail("Stop", session="s1", at=NOON + 600, time=600),
        # The block goes to somebody else within the minute.
        detail("Start", session="s2", user="bruno", at=NOON + 630, time=0, Framed_IP_Address="10.0.0.2", Alc_Nat_Port_Range=block("1024-2047")),
        detail("Start", session="s3", user="anna", at=NOON + 640, time=0, Framed_IP_Address="10.0.0.1", Alc_Nat_Port_Range=block("2048-3071")),
        # From October into November.
        detail("Stop", session="s4", user="bruno", at=NOON, time=30 * 86400, Framed_IP_Address="10.9.9.9"),
    )  # fmt: skip
    ship(world)
    settings = write_settings(tmp_path, database)
    with settings.open("a") as file:
        file.write("[retention]\naddress_history_days = 36500\n")

    def asked(address, at, *options):
        return run(settings, "who-had", address, "--at", datetime.fromtimestamp(at, UTC).isoformat(), *options)

    return asked


def holder(result):
    assert result.exit_code == 0, result.output
    return [(found["username"], found["held"]) for found in json.loads(result.output)]


def test_an_address_is_found_in_the_history_and_among_the_living(command):
    assert holder(command("10.0.0.1", NOON, "--json")) == [("anna", "10.0.0.1")]
    assert holder(command("10.0.0.1", NOON + 599, "--json")) == [("anna", "10.0.0.1")]
    assert holder(command("10.0.0.2", NOON + 700, "--json")) == [("bruno", "10.0.0.2")]


def test_an_address_inside_a_delegated_prefix_is_found(command):
    assert holder(command("2001:db8:1ff::7", NOON + 100, "--json")) == [("anna", "2001:db8:100::/40")]
    assert command("2001:db8:200::7", NOON + 100).exit_code == 1


def test_a_shared_address_needs_a_port_and_a_block_that_changed_hands_within_a_minute_is_told_apart(command):
    shared = command("203.0.113.5", NOON + 650)
    assert (shared.exit_code, "2 subscribers shared" in shared.output, "anna" in shared.output) == (1, True, False)
    assert holder(command("203.0.113.5", NOON + 590, "--port", "1500", "--json")) == [("anna", "203.0.113.5")]
    assert command("203.0.113.5", NOON + 610, "--port", "1500").exit_code == 1
    assert holder(command("203.0.113.5", NOON + 640, "--port", "2047", "--json")) == [("bruno", "203.0.113.5")]
    assert holder(command("203.0.113.5", NOON + 640, "--port", "2048", "--json")) == [("anna", "203.0.113.5")]


def test_the_end_of_a_holding_belongs_to_it_no_more(command):
    nobody = command("10.0.0.1", NOON + 600)

    assert nobody.exit_code == 1
    assert "nobody had 10.0.0.1 at 2026-11-21 13:10:00 CET" in nobody.output


def test_a_holding_across_months_is_found_in_each(command):
    for days in (29, 21, 20, 1):
        assert holder(command("10.9.9.9", NOON - days * 86400, "--json")) == [("bruno", "10.9.9.9")]


def test_a_month_that_is_not_kept_any_more_is_said_so(command):
    gone = command("10.0.0.1", NOON - 900 * 86400)
    assert gone.exit_code == 1
    assert "the history of addresses of 2024-06-04 14:00:00 CEST is no longer kept" in gone.output
    older = command("10.0.0.1", NOON - 36501 * 86400)
    assert "further back than the history of addresses is kept (36500 days)" in older.output


def test_of_the_time_before_the_database_nothing_is_said_to_be_known(command, connection):
    connection.execute("UPDATE schema_migration SET applied_at = '2026-11-04 10:00+00'")
    connection.commit()
    asked = command("10.200.0.1", NOON - 20 * 86400)
    assert asked.exit_code == 1
    assert "nothing is known of" in asked.output
    assert "this database began at 2026-11-04 11:00:00 CET" in asked.output
    # What was reported late, or imported, is found all the same.
    assert holder(command("10.9.9.9", NOON - 20 * 86400, "--json")) == [("bruno", "10.9.9.9")]


def test_what_can_not_be_asked_is_refused_in_a_line(command):
    assert "is still to come" in command("10.0.0.1", NOON + 10**8).output
    assert "expected one address" in command("10.0.0.0/8", NOON).output


def test_every_look_up_is_in_the_audit_log_also_one_that_found_nobody(command, database):
    command("10.0.0.1", NOON, "--reason", "case 12")
    command("10.0.0.77", NOON, "--port", "5")

    log = rows(database, "SELECT actor, action, subject, detail FROM audit_log ORDER BY id")
    assert [(actor, action, subject) for actor, action, subject, _ in log] == [
        ("maria", "history.lookup", "10.0.0.1"),
        ("maria", "history.lookup", "10.0.0.77"),
    ]
    assert (log[0][3]["reason"], log[0][3]["found"], log[1][3]["port"], log[1][3]["found"]) == (
        "case 12",
        ["anna"],
        5,
        [],
    )


def test_the_role_of_look_ups_can_look_up_and_nothing_else(command, database):
    with db.connect(database, name="test") as connection:
        connection.execute("SET ROLE corrente_lookup")
        assert explain_holders(connection, ip_address("10.0.0.1"), at=datetime.fromtimestamp(NOON, UTC), port=None)
        with pytest.raises(Exception, match="permission denied"):
            connection.execute("SELECT * FROM subscriber_account")


def test_a_session_that_ends_while_it_is_looked_up_is_found(command, database):
    """Its row leaves one table for the other: whoever reads both at two moments may see it in neither."""
    found = []

    def look_up():
        with db.connect(database, name="look-up") as connection:
            found.extend(
                load_holders(connection, ip_address("10.0.0.2"), at=datetime.fromtimestamp(NOON + 700, UTC), port=None)
            )

    asking = threading.Thread(target=look_up)
    with db.connect(database, name="ending") as ending:
        ending.execute("LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
        asking.start()
        waits = "SELECT 1 FROM pg_locks WHERE relation = 'session'::regclass AND NOT granted"
        assert wait_until(lambda: rows(database, waits))
        ending.execute(
            "INSERT INTO address_history (month, address, valid_from, valid_to, session_key, nas_id, username) "
            "SELECT '2026-11-01', framed_ipv4, started_at, started_at + interval '5 minutes', session_key, nas_id, username "
            "FROM session WHERE username = 'bruno'"
        )
        ending.execute("DELETE FROM session WHERE username = 'bruno'")
        ending.commit()
    asking.join(timeout=120)

    assert [one.username for one in found] == ["bruno"]


@pytest.mark.slow
def test_a_look_up_reads_one_partition_by_its_index_whatever_is_in_it(database, connection):
    """A year of 25,000 holdings a month: what it reads does not grow with the table."""
    connection.execute(
        "SELECT make_month((date '2026-01-01' + make_interval(months => m))::date) FROM generate_series(0, 11) m"
    )
    connection.execute(
        "INSERT INTO address_history (month, address, valid_from, valid_to, session_key, nas_id, username) "
        "SELECT month, '10.0.0.0'::inet + n % 20000, month::timestamptz + n * interval '90 seconds', "
        "month::timestamptz + n * interval '90 seconds' + interval '1 hour', md5(month::text || n)::uuid, 1, 'user' || n "
        "FROM (SELECT ('2026-' || m || '-01')::date AS month, n FROM generate_series(1, 12) m, generate_series(0, 24999) n) x"
    )
    connection.execute("ANALYZE address_history")
    at = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)

    for address in ("10.0.0.9", "2001:db8::9"):
        plan = explain_holders(connection, ip_address(address), at=at, port=None)
        assert set(re.findall(r"on address_history_(\d{6})", plan)) == {"202606"}, plan
        assert "Seq Scan on address_history" not in plan, plan
        pages = sum(map(int, re.findall(r"^\s+Buffers: shared hit=(\d+)", plan, re.MULTILINE)[:1]))
        assert 0 < pages < 500, plan
