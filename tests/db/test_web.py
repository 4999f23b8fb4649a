"""Health, readiness and metrics, against a real database, policy store and spool."""

import re
import time
from pathlib import Path

import pytest
from support.edge_process import wait_until
from support.small_isp import make_isp

from control_plane.settings import DatabaseSettings, Settings
from radius_hooks.policy_store import FORMAT, PolicyWriter, StoreMeta
from web import kept
from web.app import create_app

pytestmark = pytest.mark.db


def settings_for(database: str, base: Path) -> Settings:
    for folder in ("spool/accounting", "spool/logins"):
        (base / "var" / folder).mkdir(parents=True)
    return Settings(database=DatabaseSettings(conninfo=database), base_dir=str(base))


def publish(settings: Settings, *, checked_at: float) -> None:
    writer = PolicyWriter(settings.policy_dir)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        batch.put_meta(StoreMeta(FORMAT, checked_at, checked_at, "", ""))
    writer.close()


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch):
    """Nothing is kept for a second: these tests ask again at once."""
    monkeypatch.setattr(kept, "KEPT_S", 0.0)


def metric(text: str, name: str) -> float | None:
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
    return float(found.group(1)) if found else None


def test_health_answers_with_everything_else_away(tmp_path):
    client = create_app(
        Settings(database=DatabaseSettings(conninfo="host=/nowhere"), base_dir=str(tmp_path))
    ).test_client()
    assert client.get("/health").json == {"status": "ok"}
    assert client.get("/").headers["Location"] == "/sign-in?back=/"


def test_ready_with_a_database_and_a_fresh_store(database, tmp_path):
    settings = settings_for(database, tmp_path)
    publish(settings, checked_at=time.time())
    answer = create_app(settings).test_client().get("/ready")
    assert (answer.status_code, answer.json) == (200, {"ready": True, "problems": []})


def test_not_ready_without_the_database(tmp_path):
    settings = settings_for("host=/nowhere", tmp_path)
    publish(settings, checked_at=time.time())
    answer = create_app(settings).test_client().get("/ready")
    assert answer.status_code == 503
    (problem,) = answer.json["problems"]
    assert problem.startswith("the database does not answer")


def test_not_ready_with_a_store_that_nobody_keeps_up(database, tmp_path):
    settings = settings_for(database, tmp_path)
    publish(settings, checked_at=time.time() - 120)
    answer = create_app(settings).test_client().get("/ready")
    assert answer.status_code == 503
    assert re.fullmatch(r"the policy store was last compared with the database 12\d s ago", *answer.json["problems"])


def test_not_ready_without_a_store(database, tmp_path):
    answer = create_app(settings_for(database, tmp_path)).test_client().get("/ready")
    assert "there is no policy store" in answer.json["problems"][0]


def test_metrics_count_sessions_logins_and_the_spool(database, connection, tmp_path):
    connection.execute(
        "INSERT INTO nas (name, source, vendor, sealed_secret) VALUES ('n1', '127.0.0.9/32', 'generic', repeat('x', 40)::bytea)"
    )
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, started_at, updated_at, received_at, "
        "session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, stale) "
        "SELECT gen_random_uuid(), nas.id, 's' || n, 'u' || n, now(), now(), now(), 0, 0, 0, 0, 0, now(), n = 3 "
        "FROM nas, generate_series(1, 3) AS n"
    )
    connection.execute("SELECT make_month(now()::date)")
    connection.execute(
        "INSERT INTO login_attempt (at, attempt_key, outcome, reason, username) "
        "SELECT now() - make_interval(secs => age), decode(md5(age::text), 'hex'), 'reject', 'wrong_password', 'u' "
        "FROM (VALUES (0), (5), (90)) AS attempts (age)"
    )
    connection.commit()
    settings = settings_for(database, tmp_path)
    (settings.accounting_spool_dir / "detail").write_text("0123456789")
    publish(settings, checked_at=time.time() - 7)
    answer = create_app(settings).test_client().get("/metrics")
    assert answer.content_type.startswith("text/plain")
    assert metric(answer.text, "corrente_database_up") == 1
    assert metric(answer.text, 'corrente_sessions{state="online"}') == 2
    assert metric(answer.text, 'corrente_sessions{state="stale"}') == 1
    assert metric(answer.text, 'corrente_logins_last_minute{outcome="reject",reason="wrong_password"}') == 2
    assert metric(answer.text, 'corrente_spool_bytes{spool="accounting"}') == 10
    assert 7 <= metric(answer.text, "corrente_policy_store_age_seconds") < 600


def test_metrics_go_on_without_the_database(tmp_path):
    text = create_app(settings_for("host=/nowhere", tmp_path)).test_client().get("/metrics").text
    assert metric(text, "corrente_database_up") == 0
    assert metric(text, 'corrente_sessions{state="online"}') is None
    assert metric(text, 'corrente_spool_bytes{spool="logins"}') == 0


def test_metrics_tell_of_the_control_loop_the_leader_and_the_jobs_as_the_web_role_sees_them(
    cluster, database, connection, tmp_path
):
    isp = make_isp(connection, accounts=3)
    connection.execute("ALTER ROLE corrente_web LOGIN")
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at, "
        "received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) "
        "SELECT gen_random_uuid(), %s, 's' || id, username, id, decode('aaaaaaaa00000001', 'hex'), now(), now(), now(), 0, 0, 0, 0, 0, "
        "now() FROM subscriber_account",
        (isp.nas,),
    )
    connection.execute("INSERT INTO profile_revision VALUES (%s, decode('aaaaaaaa', 'hex'))", (isp.full,))
    # The first is as it should be, the second has another policy, the third must end.
    connection.execute(
        "INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision) SELECT id, "
        "(CASE id WHEN %(third)s THEN 'blocked' ELSE 'full' END)::policy_level, 'test', CASE id WHEN %(third)s THEN NULL ELSE %(full)s END, "
        "decode(CASE id WHEN %(first)s THEN '00000001' ELSE '00000002' END, 'hex') FROM subscriber_account",
        {"first": isp.accounts[0], "third": isp.accounts[2], "full": isp.full},
    )
    connection.execute(
        "INSERT INTO enforcement (session_key, nas_id, acct_session_id, username, level, reason, disruptive, method, wanted_at, "
        "held_since, held_reason) SELECT session_key, nas_id, acct_session_id, username, 'blocked', 'test', true, 'disconnect', "
        "now() - interval '90 seconds', held, CASE WHEN held IS NULL THEN '' ELSE 'guard' END FROM session "
        "CROSS JOIN LATERAL (SELECT CASE WHEN account_id = %s THEN now() END AS held) AS h WHERE account_id <> %s",
        (isp.accounts[1], isp.accounts[0]),
    )
    connection.execute("INSERT INTO nas_silence (nas_id, next_at) VALUES (%s, now())", (isp.nas,))
    connection.execute(
        "INSERT INTO spool_node (node, read_to, clock_ahead_s) VALUES ('radius-1', now(), -3600), ('of old', now(), NULL)"
    )
    connection.execute("UPDATE scheduler_lease SET holder = 'a:1:b', token = 7, until = now() + interval '4 seconds'")
    connection.execute(
        "INSERT INTO scheduled_job (name, next_at, took_s, failed_at, problem) VALUES ('late', now() - interval '60 s', 1.5, NULL, ''), "
        "('failing', now() + interval '60 s', 0.5, now(), 'no room')"
    )
    connection.commit()
    name = connection.execute("SELECT current_database()").fetchone()[0]
    settings = settings_for(cluster.conninfo(name, user="corrente_web"), tmp_path)

    text = create_app(settings).test_client().get("/metrics").text

    assert metric(text, "corrente_database_up") == 1
    assert metric(text, 'corrente_drift_sessions{change="wanted",nas="bras",reason="other_policy"}') == 1
    assert metric(text, 'corrente_drift_sessions{change="open",nas="bras",reason="must_end"}') == 1
    assert metric(text, 'corrente_enforcements{nas="bras",state="queued"}') == 2
    assert metric(text, "corrente_enforcements_held") == 1
    assert 90 <= metric(text, "corrente_enforcement_oldest_seconds") < 900
    assert metric(text, "corrente_nas_silent") == 1
    assert metric(text, 'corrente_node_clock_ahead_seconds{node="radius-1"}') == -3600
    assert metric(text, 'corrente_node_clock_ahead_seconds{node="of old"}') is None
    assert metric(text, "corrente_nas_in_maintenance") == metric(text, "corrente_network_stopped") == 0
    assert metric(text, "corrente_leader") == 1
    assert metric(text, "corrente_leader_token") == 7
    assert 1 <= metric(text, "corrente_lease_age_seconds") < 600
    assert metric(text, 'corrente_job_took_seconds{name="late"}') == 1.5
    assert 60 <= metric(text, 'corrente_job_late_seconds{name="late"}') < 900
    assert metric(text, 'corrente_job_failed{name="failing"}') == 1
    assert metric(text, 'corrente_job_failed{name="late"}') == 0


def test_metrics_tell_by_name_where_a_person_must_look_and_of_maintenance_that_is_in_force(
    cluster, database, connection, tmp_path
):
    isp = make_isp(connection)
    connection.execute("ALTER ROLE corrente_web LOGIN")
    connection.execute(
        "INSERT INTO enforcement (session_key, nas_id, acct_session_id, username, level, reason, disruptive, method, wanted_at, state, "
        "problem, closed_at, alarmed_at) SELECT gen_random_uuid(), %s, 's', 'u', 'none', 'r', true, 'coa', now(), 'gave_up', 'x', now(), "
        "now() - make_interval(hours => h) FROM unnest('{1,23,25}'::int[]) AS h",
        (isp.nas,),
    )
    # One that is over by itself and was never ended, and one of another NAS that is to begin.
    connection.execute(
        "INSERT INTO nas_maintenance (nas_id, reason, placed_by, since, until) VALUES (%s, 'r', 'maria', now() - interval '2 hours', "
        "now() - interval '1 hour')",
        (isp.nas,),
    )
    connection.commit()
    name = connection.execute("SELECT current_database()").fetchone()[0]
    client = create_app(settings_for(cluster.conninfo(name, user="corrente_web"), tmp_path)).test_client()

    text = client.get("/metrics").text
    assert metric(text, 'corrente_enforcements_alarmed{nas="bras"}') == 2
    assert metric(text, "corrente_nas_in_maintenance") == 0

    connection.execute("UPDATE nas_maintenance SET until = now() + interval '1 hour'")
    connection.commit()
    assert metric(client.get("/metrics").text, "corrente_nas_in_maintenance") == 1


def test_a_figure_that_takes_too_long_is_left_out_and_the_database_is_not_said_to_be_away(
    cluster, database, connection, tmp_path
):
    connection.execute("ALTER ROLE corrente_web LOGIN")
    name = connection.execute("SELECT current_database()").fetchone()[0]
    connection.commit()
    client = create_app(settings_for(cluster.conninfo(name, user="corrente_web"), tmp_path)).test_client()
    # Whoever counts sessions waits for this, longer than the page allows.
    with connection.transaction():
        connection.execute("LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
        text = client.get("/metrics").text

    assert metric(text, "corrente_database_up") == 1
    assert metric(text, 'corrente_sessions{state="online"}') is None
    assert metric(text, "corrente_network_stopped") == 0


def test_drift_that_takes_longer_to_measure_than_a_page_may_is_told_by_a_later_one(
    cluster, database, connection, tmp_path
):
    isp = make_isp(connection, accounts=1)
    connection.execute("ALTER ROLE corrente_web LOGIN")
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at, "
        "received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since) "
        "SELECT gen_random_uuid(), %s, 's', username, id, decode('aaaaaaaa00000001', 'hex'), now(), now(), now(), 0, 0, 0, 0, 0, now() "
        "FROM subscriber_account",
        (isp.nas,),
    )
    connection.execute(
        "INSERT INTO desired_policy (account_id, level, reason, account_revision) SELECT id, 'blocked', 'test', decode('00000001', 'hex') "
        "FROM subscriber_account"
    )
    name = connection.execute("SELECT current_database()").fetchone()[0]
    connection.commit()
    client = create_app(settings_for(cluster.conninfo(name, user="corrente_web"), tmp_path)).test_client()
    drift = 'corrente_drift_sessions{change="wanted",nas="bras",reason="must_end"}'

    # The pass waits here for longer than any other statement of the page may take.
    with connection.transaction():
        connection.execute("LOCK TABLE desired_policy IN ACCESS EXCLUSIVE MODE")
        pages = [client.get("/metrics").text for _ in range(3)]
        assert [metric(text, "corrente_database_up") for text in pages] == [1, 1, 1]
        assert [metric(text, drift) for text in pages] == [None, None, None]

    wait_until(lambda: metric(client.get("/metrics").text, drift) == 1, what="the drift of one session")
