"""What a person does to the machine from the command line: each act with its numbers, a dry run, a question and its audit."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from support.command_line import run, write_settings
from support.guarded_isp import RULES, go_online, new_run, restrict, want
from support.small_isp import make_isp, one

from control_plane.store.automation import Wanted, place_for_run, start_run
from control_plane.store.guard import may_send

pytestmark = pytest.mark.db


@pytest.fixture
def corrente(tmp_path, database):
    """The command on the test's database."""
    settings = write_settings(tmp_path, database)
    return lambda *arguments, typed=None: run(settings, *arguments, typed=typed)


@pytest.fixture
def isp(connection):
    """Ten subscribers online; by the rules of these tests three may be cut in an hour."""
    made = make_isp(connection, accounts=10)
    go_online(connection, made.accounts)
    connection.commit()
    return made


@pytest.fixture
def held(connection, isp):
    """Four changes of a run that wait for a person."""
    now = datetime.now(UTC)
    restrict(connection, isp.contracts[:4], run=new_run(connection), now=now)
    changes = want(connection, isp.accounts[:4])
    assert not any(verdict.goes for verdict in may_send(connection, changes, now, RULES).values())
    connection.execute("UPDATE enforcement SET next_at = now() + interval '1 hour'")
    connection.commit()
    return changes


def audited(connection):
    return connection.execute("SELECT actor, action, subject FROM audit_log ORDER BY id").fetchall()


def verdicts(connection, changes):
    asked = may_send(connection, changes, datetime.now(UTC), RULES)
    connection.rollback()
    return [asked[number].goes for number in changes]


def test_status_says_what_is_used_and_what_waits(corrente, connection, isp, held):
    page = corrente("guard", "status").output
    assert page.startswith("tripped\n  since ")
    assert "waits for a person: 4 of 10 subscribers online in an hour, more than 3" in page
    # The settings of the command are the usual ones.
    assert "10 subscribers online: automation may cut 20 in an hour (2 %, never less than 20)" in page
    assert "walled                   walled_garden  4            4" in page

    told = json.loads(corrente("guard", "status", "--json").output)
    assert (told["online"], told["allowed"], told["cut"], told["wanting"]) == (10, 20, 0, 4)
    assert told["reason"].startswith("waits for a person: 4 of 10")


def test_a_dry_run_of_a_release_and_a_no_change_nothing(corrente, connection, held):
    dry = corrente("guard", "release", "--reason", "checked", "--dry-run")
    no = corrente("guard", "release", "--reason", "checked", typed="n\n")

    assert (dry.exit_code, no.exit_code) == (0, 1)
    assert "waiting: 4 changes of 4 subscribers online" in dry.output
    assert "Cut or restrict them now? [y/N]" in no.output
    assert verdicts(connection, held) == [False] * 4
    assert audited(connection) == []


def test_what_a_person_lets_go_goes_at_once_in_that_person_s_name_and_uses_no_place_of_the_hour(
    corrente, connection, held
):
    done = corrente("guard", "release", "--reason", "month end, checked", "--yes")

    assert done.exit_code == 0, done.output
    assert "Release 1: 4 changes go, 0 restrictions count." in done.output
    assert one(connection, "SELECT released_by || ': ' || reason || ' ' || changes FROM guard_release") == (
        "maria: month end, checked 4"
    )
    assert one(connection, "SELECT bool_and(next_at <= now() AND held_since IS NULL) FROM enforcement")
    assert verdicts(connection, held) == [True] * 4
    assert corrente("guard", "status").output.startswith("not tripped\n")
    assert one(connection, "SELECT count(*) FROM guard_pass WHERE release_id IS NULL") == 0
    assert audited(connection) == [("maria", "guard.release", "release 1")]


def test_letting_one_subscriber_go_leaves_the_rest_waiting(corrente, connection, held):
    done = corrente("guard", "release", "--user", "user0002", "--reason", "called him", "--yes")

    assert done.exit_code == 0, done.output
    assert verdicts(connection, held) == [False, True, False, False]
    assert corrente("guard", "status").output.startswith("tripped\n")


def test_a_run_that_waited_restricts_after_the_release_and_its_cuts_are_a_person_s(corrente, connection, isp):
    now = datetime.now(UTC)
    number = start_run(connection, "dunning", by="worker-1", now=now)
    wanted = [Wanted(contract, "dunning", "walled", "unpaid") for contract in isp.contracts[:5]]
    assert place_for_run(connection, number, wanted, now=now, limits=RULES.limits).held
    connection.commit()
    shown = corrente("account", "show", "user0001").output
    assert "guard       walled by dunning run 1 waits for a person since " in shown
    assert "policy      full service" in shown
    assert "5 restrictions of run 1 (dunning) wait and do not count" in corrente("guard", "status").output

    done = corrente("guard", "release", "--reason", "checked", "--yes")

    assert "Release 1: 0 changes go, 5 restrictions count." in done.output
    assert one(connection, "SELECT count(*) FROM restriction WHERE held_since IS NULL AND release_id = 1") == 5
    changes = want(connection, isp.accounts[:5])
    assert verdicts(connection, changes) == [True] * 5


def test_a_release_of_nothing_is_refused(corrente, isp):
    done = corrente("guard", "release", "--reason", "checked", "--yes")
    assert (done.exit_code, "nothing waits" in done.output) == (1, True)


def test_a_contract_is_exempt_until_its_end_or_until_it_is_taken_off(corrente, connection, isp):
    assert corrente("guard", "exempt", "user0001", "--reason", "oxygen at home", "--until", "+90d").exit_code == 0
    again = corrente("guard", "exempt", "user0001", "--reason", "x", "--until", "+1d")
    assert (again.exit_code, "is exempt already" in again.output) == (1, True)
    assert "guard       exempt from automation until " in corrente("account", "show", "user0001").output
    [shown] = json.loads(corrente("guard", "exemptions", "--json").output)
    assert (shown["usernames"], shown["reason"], shown["placed_by"]) == (["user0001"], "oxygen at home", "maria")

    # One that ended by itself makes room for the next.
    connection.execute("UPDATE guard_exemption SET since = now() - interval '2 d', until = now() - interval '1 d'")
    connection.commit()
    assert json.loads(corrente("guard", "exemptions", "--json").output) == []
    assert corrente("guard", "exempt", "user0001", "--reason", "again", "--until", "+1d").exit_code == 0

    assert corrente("guard", "unexempt", "user0001", "--yes").exit_code == 0
    assert "No contract is exempt." in corrente("guard", "exemptions").output
    assert corrente("guard", "unexempt", "user0001", "--yes").exit_code == 1
    assert [action for _, action, _ in audited(connection)] == ["guard.exempt", "guard.exempt", "guard.unexempt"]


def test_while_a_person_thinks_about_the_end_of_an_exemption_nobody_waits(
    corrente, connection, held, monkeypatch, tmp_path
):
    assert corrente("guard", "exempt", "user0001", "--reason", "hospital", "--until", "+2d").exit_code == 0
    seen = []

    def look(*_, **__):
        with connection.transaction():
            seen.append(len(connection.execute("SELECT FROM guard_exemption FOR UPDATE NOWAIT").fetchall()))
        return True

    # In the place of the person, at the moment of the question.
    monkeypatch.setattr("click.confirm", look)
    assert corrente("guard", "unexempt", "user0001").exit_code == 0
    assert seen == [1]
    assert "No contract is exempt." in corrente("guard", "exemptions").output


def test_maintenance_holds_one_nas_and_ends_with_what_waited_due_at_once(corrente, connection, held):
    dry = corrente("maintenance", "on", "bras", "--reason", "new software", "--dry-run")
    assert "bras: 10 live sessions; 4 changes that take away and 0 others would wait" in dry.output
    assert "No NAS is in maintenance." in corrente("maintenance", "list").output

    done = corrente("maintenance", "on", "bras", "--reason", "new software", "--until", "+2h", "--yes")
    assert done.exit_code == 0, done.output
    assert "in maintenance already" in corrente("maintenance", "on", "bras", "--reason", "x", "--yes").output
    [shown] = json.loads(corrente("maintenance", "list", "--json").output)
    assert (shown["nas"], shown["reason"], shown["waiting"]) == ("bras", "new software", 4)
    assert "NAS bras is in maintenance: 4 changes wait" in corrente("guard", "status").output

    assert "4 changes that take away and 0 others wait" in corrente("maintenance", "off", "bras", "--yes").output
    assert one(connection, "SELECT bool_and(next_at <= now()) FROM enforcement")
    assert one(connection, "SELECT ended_by FROM nas_maintenance") == "maria"
    refused = corrente("maintenance", "off", "bras", "--yes")
    assert (refused.exit_code, "is not in maintenance" in refused.output) == (1, True)
    assert "did you mean bras?" in corrente("maintenance", "on", "bros", "--reason", "x").output
    assert audited(connection) == [("maria", "nas.maintenance_on", "bras"), ("maria", "nas.maintenance_off", "bras")]


def test_stop_and_resume(corrente, connection, isp):
    restoring = want(connection, isp.accounts[:1], level="full", disruptive=False)
    connection.commit()
    assert corrente("stop", "--reason", "wrong import", typed="n\n").exit_code == 1
    assert corrente("resume", "--yes").output == "Error: nothing is stopped\n"

    done = corrente("stop", "--reason", "wrong import", "--yes")

    assert "0 changes that take away and 1 others to 1 NASes would wait" in done.output
    assert verdicts(connection, restoring) == [False]
    assert "by maria: wrong import" in corrente("stop", "--reason", "again", "--yes").output
    assert "EVERYTHING IS STOPPED since" in corrente("guard", "status").output

    assert corrente("resume", "--yes").exit_code == 0
    assert verdicts(connection, restoring) == [True]
    assert audited(connection) == [("maria", "network.stop", "network"), ("maria", "network.resume", "network")]


def test_a_run_is_undone_after_its_numbers_were_shown(corrente, connection, held):
    assert "dunning" in corrente("undo").output
    dry = corrente("undo", "1", "--dry-run")
    assert "placed 4 restrictions: 4 in force, 0 wait for a person, 0 are over" in dry.output
    assert "4 contracts would be free of it, 4 of their subscribers are online" in dry.output
    assert corrente("undo", "1", "--reason", "wrong dates", typed="n\n").exit_code == 1
    assert one(connection, "SELECT count(*) FROM restriction WHERE lifted_at IS NULL") == 4
    connection.rollback()

    done = corrente("undo", "1", "--reason", "wrong dates", "--yes")

    assert "Lifted 4 restrictions of run 1." in done.output
    assert one(connection, "SELECT count(*) FROM restriction WHERE lifted_by = 'maria'") == 4
    assert audited(connection) == [("maria", "automation_run.undo", "run 1")]
    nothing = corrente("undo", "1", "--reason", "again", "--yes")
    assert (nothing.exit_code, "there is nothing to lift" in nothing.output) == (1, True)
    assert "there is no run 9" in corrente("undo", "9", "--reason", "x", "--yes").output
