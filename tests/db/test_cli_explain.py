"""corrente explain: the hook's own answer, and why, in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.command_line import run, write_settings
from support.edge_process import running_edge

pytestmark = pytest.mark.db


@pytest.fixture
def corrente(tmp_path, database, connection):
    """The command, on a database with one plan, two NASes and anna, whose line has a MAC and a static address."""
    connection.execute("SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) m")
    connection.commit()
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, *arguments, typed=typed)

    command("profile", "add", "Home 300", "--rate", "300M/30M", "--session-timeout", "30d")
    command("profile", "add", "Slow", "--rate", "2M/1M")
    command("profile", "add", "Payment", "--rate", "1M/1M", "--address-list", "walled")
    command("plan", "add", "Home", "--profile", "Home 300", "--throttle", "Slow", "--walled", "Payment")
    command("nas", "add", "bras-1", "192.0.2.1", "--vendor", "mikrotik")
    command("nas", "add", "bras-2", "198.51.100.0/24", "--vendor", "generic", "--realm", "office")
    done = command(
        *("account", "add", "anna@isp.example", "--customer", "Anna Rossi", "--plan", "Home", "--ipv4", "198.18.0.7"),
        *("--route", "203.0.113.0/29", "--mac", "02:00:5e:10:00:01"),
    )
    assert done.exit_code == 0, done.output
    return command


def _explained(corrente, *arguments):
    done = corrente("explain", "anna@isp.example", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_an_accept_is_told_with_its_attributes_and_the_chain_that_led_to_it(corrente):
    done = corrente("explain", "anna@isp.example")

    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == (
        "anna@isp.example asks bras-1 at 192.0.2.1, mikrotik (it is the first by name; --nas names another), MAC 02:00:5e:10:00:01"
    )
    assert lines[3:6] == [
        "accept full",
        "  contract 1 of Anna Rossi is active, plan Home",
        "  full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)",
    ]
    assert lines[7:13] == [
        "reply",
        "  Mikrotik-Rate-Limit := 30M/300M",
        "  Framed-IP-Address := 198.18.0.7",
        "  Framed-Route += 203.0.113.0/29 0.0.0.0 1",
        "  Session-Timeout := 2592000   each login up to 10 % less",
        "  Acct-Interim-Interval := 600   each login up to 10 % more or less",
    ]
    assert lines[13].startswith("  Class with a new session key and policy version ")
    assert lines[15].startswith("not compared: no policy store at")


@pytest.mark.parametrize(
    ("arguments", "reason", "detail"),
    [
        (("--mac", "02:00:5e:10:00:02"), "wrong_mac", "the account is bound to MAC 02:00:5e:10:00:01"),
        (("--nas", "bras-2"), "wrong_realm", "NAS bras-2 serves the realms office"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_login_log(corrente, arguments, reason, detail):
    told = _explained(corrente, *arguments)
    assert (told["answer"], told["reason"], told["detail"], told["reply"]) == ("reject", reason, detail, [])
    assert f"reject {reason}: {detail}" in corrente("explain", "anna@isp.example", *arguments).output


def test_a_walled_contract_names_the_restriction_and_gets_the_walled_profile(corrente):
    corrente(
        "account",
        "restrict",
        "anna@isp.example",
        "--level",
        "walled",
        "--reason",
        "invoice 12",
        "--origin",
        "dunning",
        "--yes",
    )

    told = _explained(corrente)

    assert (told["answer"], told["reason"]) == ("accept", "walled_garden")
    assert ["Mikrotik-Address-List", "+=", "walled"] in told["reply"]
    assert ["Mikrotik-Rate-Limit", ":=", "1M/1M"] in told["reply"]
    assert told["because"][1].endswith("placed by maria: invoice 12")


def test_a_relief_counts_until_its_end_and_a_question_about_later_is_answered_for_later(corrente):
    corrente(
        "account", "restrict", "anna@isp.example", "--level", "blocked", "--reason", "r", "--origin", "dunning", "--yes"
    )
    corrente("account", "relief", "anna@isp.example", "--until", "+2d", "--reason", "promise")

    now, later = _explained(corrente), _explained(corrente, "--at", "+3d")

    assert now["reason"] == "full"
    ends = datetime.fromtimestamp(now["until"], UTC) - datetime.now(UTC)
    assert timedelta(hours=47) < ends <= timedelta(days=2, seconds=1)
    assert (later["answer"], later["reason"], later["detail"]) == ("reject", "blocked", "blocked: dunning: r")
    assert "full service" in corrente("explain", "anna@isp.example").output.split(", until ")[0]


def test_of_the_time_before_the_account_nothing_is_made_up(corrente):
    done = corrente("explain", "anna@isp.example", "--at", "2020-01-01")
    assert (done.exit_code, "nothing is known of the time before" in done.output) == (1, True)


def test_a_session_on_another_line_fills_the_limit_and_one_on_the_same_line_is_taken_over(corrente, connection):
    statement = (
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at,"
        " session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, mac) VALUES (gen_random_uuid(), 1,"
        " '81', 'anna@isp.example', 1, now(), now(), now(), 0, 0, 0, 0, 0, now(), %s)"
    )
    connection.execute(statement, ("02005e1000ff",))
    connection.commit()
    assert _explained(corrente)["detail"] == "1 online, 1 allowed"

    connection.execute("UPDATE session SET mac = '02005e100001'")
    connection.commit()
    page = corrente("explain", "anna@isp.example").output
    assert "accept full" in page
    assert "takes over 1 session" in page
    assert "(its session is there)" in page


def test_a_subscriber_online_is_asked_about_from_its_own_device(corrente, connection):
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at,"
        " received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, mac)"
        " VALUES (gen_random_uuid(), 1, '81', 'anna@isp.example', 1, now(), now(), now(), 0, 0, 0, 0, 0, now(), '02005e1000ff')"
    )
    connection.commit()
    assert corrente("account", "set", "anna@isp.example", "--any-mac").exit_code == 0
    page = corrente("explain", "anna@isp.example").output
    assert "MAC 02:00:5e:10:00:ff" in page.splitlines()[0]
    assert "accept full" in page
    assert "reject too_many_sessions" in corrente("explain", "anna@isp.example", "--mac", "02005e100001").output


def test_own_attributes_are_told_and_their_checks_see_what_is_asked(corrente, connection):
    own = [
        {
            "check": [["NAS-Port-Id", "==", "ether1"]],
            "reply": [["Reply-Message", ":=", "hello"]],
        }
    ]
    connection.execute("UPDATE subscriber_account SET own_attributes = %s", (json.dumps(own),))
    connection.commit()

    assert _explained(corrente)["reason"] == "check_item"
    told = _explained(corrente, "--attribute", "NAS-Port-Id=ether1")
    assert told["reason"] == "full"
    assert ["Reply-Message", "hello"] in [[name, value] for name, _, value in told["reply"]]


def test_what_can_not_be_rendered_is_named(corrente, connection):
    own = [{"reply": [["Nonsense-Attribute", ":=", "1"]]}]
    connection.execute("UPDATE subscriber_account SET own_attributes = %s", (json.dumps(own),))
    connection.commit()

    told = _explained(corrente)

    assert (told["answer"], told["reason"]) == ("no answer", "profile_missing")
    assert "Nonsense-Attribute" in told["problems"][0]


def test_a_disabled_nas_gets_no_answer_and_that_is_said(corrente):
    corrente("nas", "disable", "bras-1", "--yes")
    page = corrente("explain", "anna@isp.example", "--nas", "bras-1").output
    assert "no answer unknown_nas" in page
    assert "NAS bras-1 is disabled: `corrente nas enable bras-1`" in page


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("ana@isp.example",), "did you mean anna@isp.example?"),
        (("anna@isp.example", "--nas", "bras-3"), "there is no NAS 'bras-3'; did you mean bras-"),
        (("anna@isp.example", "--mac", "nonsense"), "expected a MAC address"),
        (("anna@isp.example", "--at", "later"), "expected a time such as"),
        (("anna@isp.example", "--attribute", "ether1"), "expected NAME=VALUE"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_what_to_write(corrente, arguments, complaint):
    done = corrente("explain", *arguments)
    assert done.exit_code != 0
    assert complaint in done.output


def test_the_password_is_never_told(corrente, connection):
    password = corrente("account", "reveal-secret", "anna@isp.example", "--reason", "test").output.strip()
    for arguments in ((), ("--json",)):
        assert password not in corrente("explain", "anna@isp.example", *arguments).output


def test_the_store_of_this_node_is_asked_too_and_a_difference_is_shown(corrente, tmp_path, database, connection):
    with running_edge(tmp_path, database) as edge:
        edge.wait_for("policy.rebuilt")
        assert _explained(corrente)["store_agrees"] is True
    # The edge is away now, so the store stays as it was.
    connection.execute("UPDATE profile SET rate_down_bps = 200000000 WHERE name = 'Home 300'")
    connection.commit()

    told = _explained(corrente)
    assert ["Mikrotik-Rate-Limit", ":=", "30M/200M"] in told["reply"]
    assert told["store_agrees"] is False
    page = corrente("explain", "anna@isp.example").output
    assert "DIFFERS: the policy store of this node" in page
    assert "Mikrotik-Rate-Limit := 30M/300M" in page.split("DIFFERS")[1]


def test_an_account_that_the_store_does_not_have_yet_is_a_difference(corrente, tmp_path, database):
    with running_edge(tmp_path, database) as edge:
        edge.wait_for("policy.rebuilt")
    corrente("account", "add", "bruno", "--customer", "Bruno", "--plan", "Home")

    done = corrente("explain", "bruno")

    assert "accept full" in done.output
    assert "answers: reject unknown_account: no subscriber account has this username" in done.output
