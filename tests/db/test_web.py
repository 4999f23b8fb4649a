"""Health, readiness and metrics, against a real database, policy store and spool."""

import re
import time
from pathlib import Path

import pytest

from control_plane.settings import DatabaseSettings, Settings
from radius_hooks.policy_store import FORMAT, PolicyWriter, StoreMeta
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


def metric(text: str, name: str) -> float | None:
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
    return float(found.group(1)) if found else None


def test_health_answers_with_everything_else_away(tmp_path):
    client = create_app(
        Settings(database=DatabaseSettings(conninfo="host=/nowhere"), base_dir=str(tmp_path))
    ).test_client()
    assert client.get("/health").json == {"status": "ok"}
    assert client.get("/").status_code == 404


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
        "FROM (VALUES (5), (30), (90)) AS attempts (age)"
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
    assert 7 <= metric(answer.text, "corrente_policy_store_age_seconds") < 60


def test_metrics_go_on_without_the_database(tmp_path):
    text = create_app(settings_for("host=/nowhere", tmp_path)).test_client().get("/metrics").text
    assert metric(text, "corrente_database_up") == 0
    assert metric(text, 'corrente_sessions{state="online"}') is None
    assert metric(text, 'corrente_spool_bytes{spool="logins"}') == 0
