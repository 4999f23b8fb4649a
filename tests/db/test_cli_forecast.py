"""corrente forecast: what would be sent now and in the days to come, a reason a line, and what would wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from support.command_line import run, write_settings
from support.guarded_isp import go_online, new_run, restrict, want
from support.small_isp import make_isp, one

pytestmark = pytest.mark.db


@pytest.fixture
def corrente(tmp_path, database):
    """The command; three cuts an hour are let go by themselves."""
    settings = write_settings(tmp_path, database)
    settings.write_text(settings.read_text() + "[guard]\nshare_percent = 2.0\nnever_less_than = 3\n")
    return lambda *arguments: run(settings, *arguments)


@pytest.fixture
def isp(connection):
    """Ten subscribers online, in full service."""
    made = make_isp(connection, accounts=10)
    go_online(connection, made.accounts)
    connection.execute(
        "INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision)"
        " SELECT id, 'full', 'full', %s, '\\x00000000' FROM subscriber_account",
        (made.full,),
    )
    connection.commit()
    return made


def end_contracts(connection, isp, numbers):
    """These contracts end tomorrow, as the loop would have worked out."""
    contracts = [isp.contracts[number] for number in numbers]
    connection.execute(
        "UPDATE contract SET ends_on = (now() AT TIME ZONE 'Europe/Rome')::date + 1 WHERE id = ANY (%s)", (contracts,)
    )
    connection.execute(
        "UPDATE desired_policy d SET valid_until = c.ends_on::timestamp AT TIME ZONE 'Europe/Rome'"
        " FROM subscriber_account a JOIN contract c ON c.id = a.contract_id WHERE d.account_id = a.id AND c.ends_on IS NOT NULL"
    )
    connection.commit()


def test_nothing_open_and_nothing_to_come(corrente, isp):
    done = corrente("forecast")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "now: 0 changes that give or only change, 0 that take away are open",
        "",
        "in 1 d: 0 steps of subscribers who are online now, 0 take away, 0 would wait",
    ]


def test_what_is_open_is_told_with_the_guard_s_word_and_nothing_is_changed(corrente, connection, isp):
    restrict(connection, isp.contracts[:4], run=new_run(connection), now=datetime.now(UTC))
    want(connection, isp.accounts[:4])
    want(connection, isp.accounts[9:], level="full", disruptive=False)
    connection.commit()

    page = corrente("forecast", "--days", "0").output.splitlines()

    words = "waits for a person: 4 of 10 subscribers online in an hour, more than 3 (the least that may always go)"
    assert page[0] == "now: 1 changes that give or only change, 4 that take away are open"
    assert page[1] == f"  4 {words}"
    assert [line.split()[-1] for line in page[3:4]] == ["go"]
    assert all(line.rstrip().endswith(words) for line in page[4:8])
    assert one(connection, "SELECT count(*) FROM enforcement WHERE held_since IS NOT NULL") == 0
    assert one(connection, "SELECT tripped_at IS NULL FROM guard_state")


def test_the_steps_of_tomorrow_are_told_with_their_reason_and_more_than_the_share_would_wait(corrente, connection, isp):
    end_contracts(connection, isp, range(3))
    told = json.loads(corrente("forecast", "--days", "2", "--json").output)
    assert [(one["username"], one["to"], one["why"], one["waits"]) for one in told["coming"]] == [
        (f"user000{number}", "no service: contract ended", "the contract ends", None) for number in (1, 2, 3)
    ]

    end_contracts(connection, isp, range(4))
    page = corrente("forecast", "--days", "2", "--lines", "1").output
    assert "in 2 d: 4 steps of subscribers who are online now, 4 take away, 4 would wait" in page
    assert "  4 waits for a person: 4 of 10 subscribers online in an hour, more than 3" in page
    assert (
        "full service, profile full (down 100 Mbit/s, up 20 Mbit/s)  no service: contract ended  the contract ends  wait"
        in page
    )
    assert "… and 3 more; --lines 4 shows them" in page
    assert json.loads(corrente("forecast", "--days", "0", "--json").output)["coming"] == []


def test_an_exempt_contract_and_who_is_offline_are_told_apart(corrente, connection, isp):
    end_contracts(connection, isp, range(2))
    connection.execute("DELETE FROM session WHERE account_id = %s", (isp.accounts[1],))
    connection.execute("DELETE FROM desired_policy WHERE account_id = %s", (isp.accounts[9],))
    connection.commit()
    corrente("guard", "exempt", "user0001", "--reason", "oxygen at home", "--until", "+90d")

    told = json.loads(corrente("forecast", "--days", "2", "--json").output)

    [only] = told["coming"]
    assert only["username"] == "user0001"
    assert only["waits"].startswith("contract exempt by maria: oxygen at home, until ")
    assert told["not_worked_out"] == 1
