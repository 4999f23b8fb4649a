"""`corrente enforcement` as an operator types it."""

from __future__ import annotations

import json

import pytest
from support.command_line import run, write_settings
from support.legal_world import KEY, WORLD, insert

pytestmark = pytest.mark.db
AT = "'2026-01-10 12:00+00'"


@pytest.fixture
def settings(connection, database, tmp_path):
    """Change 1 waits; change 2 was given up, and its session goes on."""
    connection.execute(WORLD)
    connection.execute(insert("session"))
    connection.execute(
        insert(
            "enforcement",
            state="'gave_up'",
            problem="'invalid attribute value'",
            error_cause="407",
            sent_at=AT,
            answered_at=AT,
            closed_at=AT,
            next_at="NULL",
            alarmed_at=AT,
            attempt="1",
        )
    )
    for way, code in (("sent", 43), ("received", 45)):
        connection.execute(
            insert(
                "enforcement_packet",
                enforcement_id="2",
                direction=f"'{way}'",
                code=str(code),
                attributes="E'User-Name = anna\\nMessage-Authenticator = ***'",
            )
        )
    connection.execute("UPDATE enforcement SET next_at = now() + interval '1 hour' WHERE id = 1")
    connection.commit()
    return write_settings(tmp_path, database)


def test_changes_are_listed_newest_first_and_those_for_a_person_by_themselves(settings):
    lines = run(settings, "enforcement", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["number", "2", "1"]
    (alarm,) = json.loads(run(settings, "enforcement", "list", "--alarms", "--json").output)
    assert (alarm["id"], alarm["state"], alarm["error_cause"]) == (2, "gave_up", 407)
    assert "no change\n" in run(settings, "enforcement", "list", "--user", "nobody").output


def test_a_change_is_shown_with_its_cause_in_words_and_its_packets(settings):
    shown = run(settings, "enforcement", "show", "2").output
    assert "cause    407: invalid attribute value: the device knows no such policy" in shown
    assert "-> 192.0.2.1:3799 CoA-Request id 7" in shown
    assert "<- 192.0.2.1:3799 CoA-NAK id 7" in shown
    assert "Message-Authenticator = ***" in shown
    assert run(settings, "enforcement", "show", "99").exit_code == 1


def test_what_waits_is_due_at_once_and_audited(settings, connection):
    assert run(settings, "enforcement", "retry", "1").exit_code == 0
    assert connection.execute("SELECT next_at <= now() FROM enforcement WHERE id = 1").fetchone() == (True,)
    assert connection.execute(
        "SELECT actor, action, subject FROM audit_log WHERE action = 'enforcement.retry'"
    ).fetchall() == [("maria", "enforcement.retry", "1")]


def test_what_was_given_up_is_opened_anew_once(settings, connection):
    assert "Change 3 of anna is due now." in run(settings, "enforcement", "retry", "2").output
    assert connection.execute("SELECT state::text, session_key FROM enforcement WHERE id = 3").fetchone() == (
        "queued",
        connection.execute("SELECT session_key FROM enforcement WHERE id = 2").fetchone()[0],
    )
    again = run(settings, "enforcement", "retry", "2")
    assert again.exit_code == 1
    assert "has another change open" in again.output


def test_a_session_that_is_over_is_left_alone(settings, connection):
    connection.execute(f"DELETE FROM session WHERE session_key = {KEY.format(2)}")
    connection.commit()
    assert "its session is over" in run(settings, "enforcement", "retry", "2").output
