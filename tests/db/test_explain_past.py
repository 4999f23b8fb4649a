"""corrente explain --at a moment that is over: the chain as it stood then, whatever was changed since."""

from __future__ import annotations

import json

import pytest
from support.command_line import run, write_settings
from support.small_isp import make_isp, one

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    made = make_isp(connection, accounts=1)
    connection.execute("SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) m")
    connection.commit()
    return made


@pytest.fixture
def told(tmp_path, database, isp):
    """What is said of the only subscriber at a moment, by what it is about."""
    settings = write_settings(tmp_path, database)

    def ask(at):
        done = run(settings, "explain", "user0001", "--at", at.isoformat(), "--json")
        assert done.exit_code == 0, done.output
        chain = json.loads(done.output)["chain"]
        return {
            what: [line["says"] for line in chain if line["what"] == what] for what in {line["what"] for line in chain}
        }

    return ask


@pytest.fixture
def moment(connection):
    """The time by the database's clock, after all that was done before."""

    def now():
        connection.commit()
        at = one(connection, "SELECT clock_timestamp()")
        connection.commit()
        return at

    return now


def do(connection, statement, *arguments):
    connection.execute(statement, arguments)
    connection.commit()


def test_the_contract_the_plan_and_the_profile_are_those_of_then(connection, isp, told, moment):
    first = moment()
    do(connection, "UPDATE profile SET rate_down_bps = 50000000 WHERE id = %s", isp.full)
    second = moment()
    do(connection, "UPDATE profile SET name = 'fast' WHERE id = %s", isp.full)
    do(connection, "UPDATE contract SET status = 'ended', ends_on = '2026-03-01'")
    do(connection, "UPDATE plan SET name = 'office'")
    third = moment()

    assert told(first)["contract"] == ["contract 1 of Anna is active, plan home"]
    assert told(first)["policy"][0].startswith("full service, profile full (down 100 Mbit/s, up 20 Mbit/s), revision ")
    assert told(second)["policy"][0].startswith("full service, profile full (down 50 Mbit/s, up 20 Mbit/s), revision ")
    assert told(third)["contract"] == ["contract 1 of Anna is ended, first day without service 2026-03-01, plan office"]
    assert told(third)["policy"] == ["no service: contract ended"]
    revisions = {told(at)["policy"][0].rpartition(" ")[2] for at in (first, second)}
    assert len(revisions) == 2


def test_a_restriction_that_is_lifted_since_is_told_with_its_run_and_how_it_ended(connection, isp, told, moment):
    before = moment()
    do(connection, "INSERT INTO automation_run (name, started_by) VALUES ('dunning', 'worker-1')")
    do(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, run_id)"
        " VALUES (1, 'dunning', 'walled', 'invoice 12', 'dunning run 1', 1)",
    )
    during = moment()
    do(connection, "UPDATE restriction SET lifted_at = clock_timestamp(), lifted_by = 'payment 9'")
    after = moment()

    assert "restriction" not in told(before)
    then = told(during)
    assert then["policy"][0].startswith("walled garden, profile pay (down 64 kbit/s, up 64 kbit/s), revision ")
    assert "restriction 1: walled (dunning) since " in then["contract"][1]
    [fate] = then["restriction"]
    assert fate.startswith("restriction 1: placed by dunning run 1; lifted later, ")
    assert fate.endswith(", by payment 9")
    assert told(after)["policy"][0].startswith("full service")


def test_a_restriction_that_was_made_milder_and_a_relief_that_was_cut_short_are_told_as_they_stood(
    connection, isp, told, moment
):
    do(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (1, 'admin', 'blocked', 'x', 'maria')",
    )
    blocked = moment()
    do(connection, "UPDATE restriction SET level = 'throttle', origin = 'dunning'")
    throttled = moment()
    do(
        connection,
        "INSERT INTO relief (contract_id, during, reason, granted_by)"
        " VALUES (1, tstzrange(clock_timestamp(), clock_timestamp() + interval '2 d'), 'promise', 'maria')",
    )
    relieved = moment()
    do(connection, "UPDATE relief SET during = tstzrange(lower(during), clock_timestamp())")
    broken = moment()

    assert told(blocked)["policy"] == ["blocked: admin: x"]
    assert told(throttled)["policy"][0].startswith("throttled, profile slow")
    assert told(relieved)["policy"][0].startswith("full service, profile full")
    assert "does not count during the relief" in told(relieved)["contract"][1]
    assert told(broken)["policy"][0].startswith("throttled, profile slow")


def test_the_plan_is_the_one_of_then_with_its_hours_and_what_was_dated(connection, isp, told, moment):
    do(
        connection,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('night owl', %s, %s, %s)",
        isp.throttle,
        isp.throttle,
        isp.walled,
    )
    do(
        connection,
        "INSERT INTO plan_window (plan_id, begins, ends, profile_id) SELECT id, '00:00', '23:59', %s FROM plan WHERE name = 'night owl'",
        isp.walled,
    )
    do(
        connection,
        "INSERT INTO plan_change (contract_id, plan_id, effective_on, placed_by)"
        " SELECT 1, id, '2036-03-01', 'maria' FROM plan WHERE name = 'night owl'",
    )
    dated = moment()
    do(connection, "UPDATE plan_change SET applied_at = clock_timestamp()")
    do(connection, "UPDATE contract SET plan_id = (SELECT id FROM plan WHERE name = 'night owl')")
    changed = moment()

    assert told(dated)["contract"] == [
        "contract 1 of Anna is active, plan home",
        "plan night owl from 2036-03-01, placed by maria",
    ]
    assert told(dated)["policy"][0].startswith("full service, profile full")
    then = told(changed)
    assert then["contract"][0] == "contract 1 of Anna is active, plan night owl"
    assert then["contract"][1] == "plan night owl gives another profile at the hours 00:00-23:59 of each day"
    assert "policy" in then


def test_what_waited_for_a_person_is_told_as_not_counting(connection, isp, told, moment):
    do(connection, "INSERT INTO automation_run (name, started_by) VALUES ('dunning', 'worker-1')")
    do(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, run_id, held_since)"
        " VALUES (1, 'dunning', 'walled', 'invoice 12', 'dunning run 1', 1, now())",
    )
    waiting = moment()
    do(connection, "UPDATE restriction SET held_since = NULL")
    let_go = moment()

    assert told(waiting)["policy"][0].startswith("full service")
    assert told(waiting)["restriction"] == [
        "restriction 1: placed by dunning run 1; waited for a person and did not count"
    ]
    assert told(let_go)["policy"][0].startswith("walled garden")


def test_the_session_its_change_every_packet_and_the_login_are_told(connection, isp, told, moment):
    revision = told(moment())["policy"][0].rpartition(" ")[2]
    key = "00000000-0000-4000-8000-000000000001"
    do(
        connection,
        "INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, account_id, nas_id)"
        " VALUES (clock_timestamp(), decode(repeat('01', 16), 'hex'), 'accept', 'full', 'user0001', 1, 1)",
    )
    do(
        connection,
        """
        INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at,
            received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, framed_ipv4)
        VALUES (%s, 1, '81000001', 'user0001', 1, decode(%s, 'hex'), now(), now(), now(), 0, 0, 5000000, 0, 0, now(), '100.64.0.1')
        """,
        key,
        revision + "00000000",
    )
    online = moment()
    do(
        connection,
        """
        INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, method,
            state, wanted_at, sent_at, answered_at, closed_at, next_at)
        VALUES (%s, 1, 1, '81000001', 'user0001', 'blocked', 'blocked: dunning: invoice 12', true, 'disconnect', 'verified',
            clock_timestamp(), clock_timestamp(), clock_timestamp(), clock_timestamp(), NULL)
        """,
        key,
    )
    for direction, code in (("sent", 40), ("received", 41)):
        do(
            connection,
            "INSERT INTO enforcement_packet (enforcement_id, at, direction, code, identifier, peer, attributes)"
            " VALUES (1, clock_timestamp(), %s, %s, 7, '192.0.2.1:3799', %s)",
            direction,
            code,
            "Acct-Session-Id = 81000001" if direction == "sent" else "",
        )
    do(
        connection,
        """
        WITH gone AS (DELETE FROM session RETURNING *)
        INSERT INTO closed_session (session_key, ended_at, ended_by, terminate_cause, nas_id, acct_session_id, username, account_id,
            policy_version, started_at, received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, framed_ipv4, mac, line)
        SELECT session_key, clock_timestamp(), 'stop', 'Admin-Reset', nas_id, acct_session_id, username, account_id, policy_version,
            started_at, clock_timestamp(), 9, 0, 5000000, 0, 0, framed_ipv4, '', '' FROM gone
        """,
    )
    offline = moment()

    [session] = told(online)["session"]
    assert session.startswith("81000001 on bras was live: from ")
    assert f"login gave version {revision}00000000 (profile full), address 100.64.0.1" in session
    assert "enforcement" not in told(online)
    [login] = told(online)["login"]
    assert login.endswith("at bras: accept full")

    then = told(offline)
    assert then["session"][0].startswith("81000001 on bras was over: from ")
    assert "ended by stop (Admin-Reset)" in then["session"][0]
    wanted, sent, received = then["enforcement"]
    assert "wanted blocked (blocked: dunning: invoice 12): the session to end, by disconnect; verified, sent " in wanted
    assert "Disconnect-Request id 7 to 192.0.2.1:3799: Acct-Session-Id = 81000001" in sent
    assert received.endswith("Disconnect-ACK id 7 from 192.0.2.1:3799")


def test_what_was_done_by_hand_is_told_and_the_time_before_the_account_is_refused(
    connection, isp, told, moment, tmp_path, database
):
    settings = write_settings(tmp_path, database)
    run(settings, "account", "restrict", "user0001", "--level", "walled", "--reason", "asked for it", "--yes")

    [act] = told(moment())["done by hand"]
    assert act.endswith("maria: account.restrict")
    page = run(settings, "explain", "user0001", "--at", moment().isoformat())
    assert page.output.splitlines()[2].startswith("contract      contract 1 of Anna is active, plan home")
    before = run(settings, "explain", "user0001", "--at", "-2d")
    assert (before.exit_code, "nothing is known of the time before" in before.output) == (1, True)


def test_a_time_of_which_the_history_is_no_longer_kept_is_refused_and_not_made_up(connection, isp, tmp_path, database):
    settings = write_settings(tmp_path, database)
    with settings.open("a") as file:
        file.write("[retention]\nhistory_days = 30\n")
    do(connection, "UPDATE subscriber_account SET created_at = now() - interval '90 days'")

    known = run(settings, "explain", "user0001", "--at", "-29d")
    assert known.exit_code == 0, known.output
    forgotten = run(settings, "explain", "user0001", "--at", "-31d")
    assert (forgotten.exit_code, "[retention] history_days" in forgotten.output) == (1, True)
