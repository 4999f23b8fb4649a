import os

import pytest

from control_plane.machine.live_figures import Drift, LiveSessionRow, drift_of, spool_age_s, spool_octets
from radius_hooks.policy_store import (
    FORMAT,
    AccountRecord,
    Level,
    PolicyStep,
    PolicyWriter,
    ProfileRecord,
    SecretKind,
    StoreMeta,
)

PROFILE = ProfileRecord(7, "Fibra 100", b"prof", 0, 0, 600, ())
NOW = 1_800_000_000.0


def account(*steps: PolicyStep, revision: bytes = b"acc1", expires_at: int = 0) -> AccountRecord:
    return AccountRecord(1, 1, SecretKind.NO_SECRET, b"", steps, expires_at, 1, (), (), (), (), (), revision)


FULL = PolicyStep(0, Level.FULL, "", 7)


@pytest.fixture
def store(tmp_path):
    """A store that knows anna in full, ugo blocked from NOW on, and eva whose account has expired."""
    writer = PolicyWriter(tmp_path)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        batch.put_profile(7, "mikrotik", PROFILE)
        batch.put_account("anna", account(FULL))
        batch.put_account(
            "ugo", account(PolicyStep(int(NOW), Level.FULL, "", 7), PolicyStep(0, Level.BLOCKED, "abuse", 0))
        )
        batch.put_account("eva", account(FULL, expires_at=int(NOW)))
        batch.put_meta(StoreMeta(FORMAT, NOW, NOW, "", ""))
    writer.close()
    return tmp_path


def drift(store, *sessions: LiveSessionRow, now: float = NOW) -> Drift | None:
    return drift_of(sessions, store, now=now)


def test_a_session_that_has_what_its_contract_says_does_not_drift(store):
    assert drift(store, LiveSessionRow("anna", "mikrotik", b"profacc1")) == Drift(1, 0, 0)


def test_a_session_with_another_profile_or_account_revision_drifts(store):
    old_profile = LiveSessionRow("anna", "mikrotik", b"PROFacc1")
    old_account = LiveSessionRow("anna", "mikrotik", b"profacc0")
    assert drift(store, old_profile, old_account) == Drift(2, 2, 0)


def test_a_session_drifts_from_the_second_its_restriction_begins(store):
    session = LiveSessionRow("ugo", "mikrotik", b"profacc1")
    assert drift(store, session, now=NOW - 1) == Drift(1, 0, 0)
    assert drift(store, session, now=NOW) == Drift(1, 1, 0)


def test_a_session_of_an_expired_or_removed_account_drifts(store):
    sessions = (LiveSessionRow("eva", "mikrotik", b"profacc1"), LiveSessionRow("nobody", "mikrotik", b"profacc1"))
    assert drift(store, *sessions) == Drift(2, 2, 0)


def test_a_session_without_our_class_is_counted_as_unknown_not_as_drift(store):
    assert drift(store, LiveSessionRow("anna", "mikrotik", None)) == Drift(1, 0, 1)


def test_without_a_policy_store_drift_is_not_known(tmp_path):
    assert drift(tmp_path, LiveSessionRow("anna", "mikrotik", b"profacc1")) is None


def test_the_age_of_a_spool_is_that_of_its_oldest_record(tmp_path):
    (tmp_path / "detail").write_text('Sat Nov 21 18:00:00 2026\n\tUser-Name = "a"\n\tTimestamp = 1799999990\n\n')
    (tmp_path / "detail.n1.1799999999").write_text("x\n\tTimestamp = 1799999970\n\n")
    assert spool_age_s(tmp_path, now=NOW) == 30.0


def test_a_line_of_the_login_spool_tells_its_age_too(tmp_path):
    (tmp_path / "logins").write_text("1799999995000000\taccept\tfull\n")
    assert spool_age_s(tmp_path, now=NOW) == 5.0


def test_a_spool_file_without_a_time_is_as_old_as_its_last_write(tmp_path):
    (tmp_path / "detail").write_text("half a rec")
    os.utime(tmp_path / "detail", (NOW - 8, NOW - 8))
    assert spool_age_s(tmp_path, now=NOW) == 8.0


def test_an_empty_spool_has_no_age(tmp_path):
    (tmp_path / "detail").touch()
    assert spool_age_s(tmp_path, now=NOW) == 0.0
    assert spool_octets(tmp_path) == 0
