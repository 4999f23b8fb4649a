"""What `corrente check` says of a database, a key and a policy store that are well, and of ones that are not."""

import re
import shutil
import socket
import tempfile
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from support.ports import free_ports

from control_plane.check_clocks import check_clocks
from control_plane.check_loop import check_loop
from control_plane.checks import (
    check_disk,
    check_freeradius,
    check_key,
    check_months,
    check_ports,
    check_profiles,
    check_reach,
    check_roles,
    check_sample,
    check_schema,
    check_server,
    check_store,
)
from control_plane.cli.main import corrente
from control_plane.findings import Verdict
from control_plane.machine.demo import load_demo
from control_plane.machine.live_figures import load_network_figures
from control_plane.machine.ports import can_bind, choose_ports, with_ports, write_ports
from control_plane.settings import Settings
from control_plane.store.spool import save_read_to
from control_plane.unanswered import check_unanswered
from nas_drivers.driver import DEFAULT_DRIVERS
from radius_hooks.policy_store import FORMAT, PolicyWriter, StoreMeta
from radius_hooks.sealing import Sealer

pytestmark = pytest.mark.db
SEALER = Sealer([bytes(range(32))])
ROME = ZoneInfo("Europe/Rome")


def publish(settings: Settings, *, checked_at: float) -> None:
    writer = PolicyWriter(settings.policy_dir)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        batch.put_meta(StoreMeta(FORMAT, checked_at, checked_at, "", "", accounts=1234))
    writer.close()


@pytest.fixture
def open_folder():
    """A folder that FreeRADIUS's user can enter; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="corrente-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_database_made_from_schema_sql_is_well(connection):
    assert check_server(connection).verdict is Verdict.OK
    assert check_schema(connection).verdict is Verdict.OK


def test_a_database_without_our_tables_fails_with_what_to_run(connection):
    connection.execute("ALTER TABLE schema_migration RENAME TO other")
    finding = check_schema(connection)
    assert (finding.verdict, finding.advice) == (Verdict.FAIL, "run `corrente db create`")


def test_a_database_of_a_newer_release_is_named_as_such(connection):
    connection.execute("INSERT INTO schema_migration (name) VALUES ('9999_pre_from_the_future.sql')")
    finding = check_schema(connection)
    assert finding.verdict is Verdict.FAIL
    assert "9999_pre_from_the_future.sql" in finding.text


def test_roles_that_may_not_log_in_are_named(connection: psycopg.Connection):
    connection.execute("ALTER ROLE corrente_edge LOGIN")
    connection.execute("ALTER ROLE corrente_lookup NOLOGIN")
    finding = check_roles(connection)
    assert finding.verdict is Verdict.WARN
    assert "corrente_lookup" in finding.text
    assert "corrente_edge" not in finding.text


def test_a_missing_month_fails_and_a_made_one_does_not(connection):
    connection.execute("SELECT make_month(now()::date), make_month((now() + interval '1 month')::date)")
    assert check_months(connection).verdict is Verdict.OK
    connection.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')")
    this_month = connection.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')").fetchone()[0]
    connection.execute(f"DROP TABLE login_attempt_{this_month}")
    finding = check_months(connection)
    assert finding.verdict is Verdict.FAIL
    assert this_month[:4] in finding.text


def test_the_right_key_opens_the_sample_and_another_does_not(connection):
    load_demo(connection, SEALER, today=date(2026, 11, 21), customers=20)
    assert check_sample(connection, SEALER).verdict is Verdict.OK
    finding = check_sample(connection, Sealer([bytes(32)]))
    assert finding.verdict is Verdict.FAIL
    assert "key" in finding.text


def add_nas(connection: psycopg.Connection, vendor: str) -> None:
    connection.execute(
        "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES (%s, '127.0.0.9/32', %s, repeat('x', 40)::bytea)",
        (vendor, vendor),
    )


def test_a_profile_that_a_vendor_in_use_can_not_be_told_is_named(connection):
    connection.execute(
        "INSERT INTO profile (name, rate_down_bps, rate_up_bps, priority) VALUES ('Gaming', 30000000, 10000000, 2)"
    )
    add_nas(connection, "mikrotik")
    assert [finding.verdict for finding in check_profiles(connection, DEFAULT_DRIVERS)] == [Verdict.OK]
    connection.execute("UPDATE nas SET vendor = 'accel_ppp'")
    findings = list(check_profiles(connection, DEFAULT_DRIVERS))
    assert {finding.verdict for finding in findings} == {Verdict.WARN}
    assert "Gaming on accel_ppp" in findings[0].text


def test_a_nas_that_no_change_can_reach_or_prove_is_named(connection):
    add_nas(connection, "mikrotik")
    assert [finding.verdict for finding in check_reach(connection)] == [Verdict.OK]

    connection.execute("UPDATE nas SET verification = 'routeros_api'")
    assert "has no access to it" in next(check_reach(connection)).text
    sealed = SEALER.seal(b"secret", row="nas_api:1")
    connection.execute("UPDATE nas SET api_username = 'corrente', sealed_api_password = %s", (sealed,))
    assert [finding.verdict for finding in check_reach(connection)] == [Verdict.OK]

    connection.execute("UPDATE nas SET api_tls = false")
    assert "without TLS" in next(check_reach(connection)).text
    connection.execute("UPDATE nas SET api_tls = true, source = '10.0.0.0/16'")
    assert "many devices" in next(check_reach(connection)).text
    connection.execute("UPDATE nas SET coa_address = '10.0.0.1'")
    assert [finding.verdict for finding in check_reach(connection)] == [Verdict.OK]
    connection.execute("UPDATE nas SET coa_address = NULL, enabled = false")
    assert [finding.verdict for finding in check_reach(connection)] == [Verdict.OK]


def test_a_command_line_that_nobody_can_use_is_named(connection):
    add_nas(connection, "mikrotik")
    connection.execute("UPDATE nas SET verification = 'cli'")
    assert "command line and has no access to it" in next(check_reach(connection)).text

    sealed = SEALER.seal(b"secret", row="nas_ssh:1")
    connection.execute("UPDATE nas SET ssh_username = 'corrente', sealed_ssh_password = %s", (sealed,))
    assert "host key nobody has trusted" in next(check_reach(connection)).text

    connection.execute("UPDATE nas SET ssh_host_key = 'ssh-ed25519 ' || repeat('A', 68)")
    assert [finding.verdict for finding in check_reach(connection)] == [Verdict.OK]


def test_a_vendor_without_a_driver_fails(connection):
    add_nas(connection, "no_such_maker")
    assert [finding.verdict for finding in check_profiles(connection, DEFAULT_DRIVERS)] == [Verdict.FAIL]


def test_a_lost_key_is_to_be_put_back_where_there_is_a_database_and_made_where_there_is_none(tmp_path):
    settings = Settings(base_dir=str(tmp_path))
    assert "start `corrente up` once" in check_key(settings)[1].advice
    (settings.state_dir / "postgres").mkdir(parents=True)
    (settings.state_dir / "postgres" / "corrente_ready").touch()
    assert "put the key of your backup there" in check_key(settings)[1].advice
    assert "corrente up" not in check_key(settings)[1].advice


def test_what_is_stopped_held_or_in_maintenance_is_said_by_the_check_and_on_the_screen(connection):
    assert [finding.verdict for finding in check_loop(connection, ROME)] == [Verdict.OK]
    assert load_network_figures(connection).notices == ()
    add_nas(connection, "mikrotik")
    connection.execute("INSERT INTO network_stop (reason, placed_by) VALUES ('a wrong import', 'anna')")
    connection.execute(
        "INSERT INTO nas_maintenance (nas_id, reason, placed_by) SELECT id, 'new software', 'bob' FROM nas"
    )
    connection.execute("UPDATE guard_state SET tripped_at = now(), tripped_reason = '497 of 1,842 subscribers'")
    findings = list(check_loop(connection, ROME))
    assert [finding.verdict for finding in findings] == [Verdict.WARN] * 3
    for finding, text, advice in zip(
        findings,
        ("anna: a wrong import", "497 of 1,842 subscribers", "in maintenance with no end, 0 changes wait"),
        ("`corrente resume`", "`corrente guard release`", "corrente maintenance off"),
        strict=True,
    ):
        assert text in finding.text
        assert advice in finding.advice
    stopped, tripped, maintained = load_network_figures(connection).notices
    assert "anna: a wrong import" in stopped
    assert "497 of 1,842 subscribers" in tripped
    assert "in maintenance: " in maintained


def test_a_device_that_nobody_registered_is_named_until_it_is(connection, tmp_path):
    settings = Settings(base_dir=str(tmp_path))
    log = settings.state_dir / "log" / "authentication.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "Sun Nov 22 01:59:28 2026 : Error: Ignoring request to auth address 127.0.0.1 port 1812 bound to server "
        "corrente_authentication from unknown client 192.0.2.1 port 33640 proto udp\n"
    )
    now = datetime(2026, 11, 22, 2, 30)
    (finding,) = check_unanswered(connection, settings, now=now)
    assert finding.verdict is Verdict.WARN
    assert "192.0.2.1 (last at 01:59:28)" in finding.text
    assert "corrente nas add NAME 192.0.2.1" in finding.advice
    assert [one.verdict for one in check_unanswered(connection, settings, now=now + timedelta(hours=2))] == [Verdict.OK]
    connection.execute(
        "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES ('b', '192.0.2.0/24', 'generic', repeat('x', 40)::bytea)"
    )
    assert [one.verdict for one in check_unanswered(connection, settings, now=now)] == [Verdict.OK]


def test_a_subscriber_with_two_sessions_is_one_subscriber_online(connection):
    load_demo(connection, SEALER, today=date(2026, 11, 21), customers=20)
    for account, device in ((1, "s1"), (1, "s2"), (2, "s3"), (None, "s4")):
        connection.execute(
            "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at, "
            "session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) VALUES (gen_random_uuid(), "
            "(SELECT min(id) FROM nas), %s, 'someone', %s, now(), now(), now(), 0, 0, 0, 0, 0, now())",
            (device, account),
        )
    assert load_network_figures(connection).online == 3


def test_a_missing_key_fails_and_a_readable_one_is_warned_of(tmp_path):
    settings = Settings(base_dir=str(tmp_path))
    assert check_key(settings)[1].verdict is Verdict.FAIL
    settings.state_dir.mkdir()
    key = settings.state_dir / "secrets.key"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    key.chmod(0o644)
    assert check_key(settings)[1].verdict is Verdict.WARN
    key.chmod(0o640)
    assert check_key(settings)[1].verdict is Verdict.OK


def test_a_store_is_judged_by_when_it_was_last_compared(tmp_path):
    settings = Settings(base_dir=str(tmp_path))
    assert check_store(settings, now=time.time()).verdict is Verdict.FAIL
    publish(settings, checked_at=1_800_000_000.0)
    fresh = check_store(settings, now=1_800_000_002.0)
    assert fresh.verdict is Verdict.OK
    assert "1,234 accounts" in fresh.text
    assert "gen-000001" in fresh.text
    assert check_store(settings, now=1_800_000_060.0).verdict is Verdict.WARN
    assert check_store(settings, now=1_800_003_600.0).verdict is Verdict.FAIL


@pytest.mark.radius
def test_freeradius_takes_the_configuration_and_names_what_it_does_not_take(open_folder):
    good = Settings(base_dir=str(open_folder))
    good.state_dir.mkdir()
    (good.state_dir / "secrets.key").write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    assert [finding.verdict for finding in check_freeradius(good)] == [Verdict.OK, Verdict.OK]
    odd = Settings(base_dir=str(open_folder / 'a"b'))
    assert [finding.verdict for finding in check_freeradius(odd)] == [Verdict.OK, Verdict.FAIL]


def test_ports_that_a_killed_start_left_written_down_are_not_taken_for_those_of_a_running_one(tmp_path):
    first, *_, last = free_ports(5)
    own = {"authentication_port": first, "accounting_port": first + 1, "status_port": first + 2}
    radius = msgspec.structs.replace(Settings().radius, **own, accounting_status_port=first + 3)
    free = choose_ports(msgspec.structs.replace(Settings(), radius=radius), can_bind)
    settings = with_ports(Settings(base_dir=str(tmp_path)), free)
    run_dir = settings.state_dir / "run"
    run_dir.mkdir(parents=True)
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", last))
        write_ports(run_dir, replace(free, authentication=last))
        (running,) = check_ports(settings)
    (left,) = check_ports(settings)
    assert running.verdict is Verdict.WARN
    assert f"RADIUS on {last}" in running.text
    assert left.verdict is Verdict.OK
    assert f"RADIUS {free.authentication} and {free.accounting} are free" in left.text


def test_free_disk_is_measured_where_the_state_will_be(tmp_path):
    assert check_disk(Settings(base_dir=str(tmp_path / "not" / "there"))).text.endswith(str(tmp_path))


def test_the_command_ends_with_1_when_something_fails(database, tmp_path):
    file = tmp_path / "corrente.toml"
    file.write_text(f'[database]\nconninfo = "{database}"\n')
    done = CliRunner().invoke(corrente, ["--settings", str(file), "check"])
    assert done.exit_code == 1
    assert "OK    database: PostgreSQL 15" in done.output
    assert "FAIL  secrets key" in done.output


def test_a_database_that_is_away_is_one_line_with_what_to_do(tmp_path):
    file = tmp_path / "corrente.toml"
    file.write_text('[database]\nconninfo = "host=/nowhere"\n')
    done = CliRunner().invoke(corrente, ["--settings", str(file), "check"])
    assert done.exit_code == 1
    assert "FAIL  database:" in done.output
    assert "start `corrente up`" in done.output


def test_a_radius_node_whose_clock_is_an_hour_behind_the_databases_is_named(connection):
    save_read_to(connection, "radius-1", time.time(), now=time.time())
    save_read_to(connection, "radius-2", time.time(), now=time.time() - 3600)
    save_read_to(connection, "radius-3", time.time(), now=time.time() + 10)
    save_read_to(connection, "long-gone", time.time(), now=time.time() - 3600)
    connection.execute("UPDATE spool_node SET updated_at = now() - interval '61 seconds' WHERE node = 'long-gone'")

    behind, ahead, well = check_clocks(connection)

    assert behind.verdict is Verdict.FAIL
    assert behind.text.startswith("RADIUS node radius-2 is 1 h behind: changes are not proven")
    assert ahead.verdict is Verdict.WARN
    # Less by as long as the asking took.
    assert re.match(r"RADIUS node radius-3 is (10|\d(\.\d)?) s ahead", ahead.text)
    # This machine, whose clock is PostgreSQL's here, and radius-1.
    assert (well.verdict, well.text) == (Verdict.OK, "2 within 2 s of the database's")


def test_a_node_of_an_older_release_has_said_nothing_of_its_clock(connection):
    connection.execute("INSERT INTO spool_node (node, read_to) VALUES ('old', now())")
    (well,) = check_clocks(connection)
    assert (well.verdict, well.text) == (Verdict.OK, "1 within 2 s of the database's")
