"""Real pppd behind Debian's pppoe-server, with its own RADIUS plugin, in a user-mode-linux guest, against all of Corrente.

pppd has no listener for changes: that one part of the device is a stand-in (`tests/support/pppoe_dae_stand_in.py`), which ends the
real pppd of a session and can't change one. A minute of this file's time is waiting for an interim record: neither the plugin
nor Corrente knows a shorter interval (RFC 2869 section 5.16). The other tests run in that minute.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.pppoe_isp import ADDRESS, PppoeIsp, pppoe_isp

pytestmark = [
    pytest.mark.radius,
    pytest.mark.db,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="Debian's user-mode-linux is for x86 alone"),
]
# The plugin means time, process and count; its printf knows neither `l` nor `h`, and what is left of it is the second.
SESSION_ID = re.compile(r"%lX[0-9A-Fa-f]{8}%hX")
DATAGRAMS, PAYLOAD = 400, 1000
# 1000 octets up and 200 down, each with 28 of IP and UDP.
UP, DOWN = 400 * 1028, 400 * 228
# What an end of PPP sends beside: IPCP at the beginning, and LCP at the end.
FRAMES = 200
COA, COA_NAK, DISCONNECT, DISCONNECT_ACK = 43, 45, 40, 41
UNSUPPORTED_SERVICE = 405
NOT_SIGNED = "without Message-Authenticator"


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PppoeIsp, str]]:
    """The ISP with a NAS as it is added, and what the check says once dora has dialled there."""
    with pppoe_isp(tmp_path_factory.mktemp("guest")) as running:
        running.dial("dora")
        said: list[str] = []
        # Just started, and slowly, the check has other warnings to give: this one is waited for.
        running.wait_until(
            lambda: said.append(running.check()) or NOT_SIGNED in said[-1], "the warning of what is not signed"
        )
        # Her call is given up before it could be answered after all.
        running.device.hang_up("dora")
        yield running, said[-1]


@pytest.fixture(scope="module")
def isp(unanswered: tuple[PppoeIsp, str]) -> PppoeIsp:
    """The ISP with the NAS as this device needs it; clara is online and has sent and got what `UP` and `DOWN` say."""
    running, _ = unanswered
    running.corrente("nas", "set", "bras", "--no-require-message-authenticator")
    running.dial("clara", again=True)
    running.online("clara")
    running.device.talk("clara", DATAGRAMS, PAYLOAD)
    return running


def two_with_one_id(isp: PppoeIsp) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sessions of anna and bruno that began in one second: dialled together until that is so."""
    for _ in range(20):
        isp.dial("anna", "bruno", again=True)
        isp.online("anna", "bruno")
        both = isp.session("anna"), isp.session("bruno")
        if both[0]["acct_session_id"] == both[1]["acct_session_id"]:
            return both
        isp.hang_up("anna", "bruno")
    raise AssertionError("never two in one second")


def logins(isp: PppoeIsp, username: str) -> list[tuple[str, str]]:
    return isp.home.query(f"SELECT outcome, reason FROM login_attempt WHERE username = '{username}' ORDER BY at")


def how_it_ended(isp: PppoeIsp, session: dict[str, Any], column: str = "terminate_cause") -> tuple[Any, ...]:
    key = session["session_key"]
    return isp.wait_for_row(
        f"SELECT ended_by::text, {column} FROM closed_session WHERE session_key = '{key}'", "the session's end"
    )


def test_a_device_that_signs_no_request_is_not_answered_and_the_check_says_what_to_do(unanswered):
    isp, said = unanswered

    assert NOT_SIGNED in said
    assert "corrente nas set NAME --no-require-message-authenticator" in said
    assert isp.device.address("dora") == ""


@pytest.mark.parametrize(("username", "way"), [("anna", "pap"), ("bruno", "chap"), ("elena", "mschap-v2")])
def test_real_pppd_logs_in_by_each_way_it_knows_and_a_wrong_password_is_refused(isp, username, way):
    isp.dial(username, way=way, password="not the one")
    isp.device.gone(username)
    assert "authentication failed" in isp.device.guest.run(f"cat /run/{username}.log")
    isp.wait_until(lambda: logins(isp, username), "a refusal")
    before = logins(isp, username)

    isp.dial(username, way=way)
    isp.online(username)
    session = isp.session(username)

    assert before == [("reject", "wrong_password")]
    assert isp.device.given(username)["Filter-Id"] == "full"
    assert session["address"] == ADDRESS[username]
    assert SESSION_ID.fullmatch(session["acct_session_id"])
    isp.hang_up(username)
    assert how_it_ended(isp, session) == ("stop", "User-Request")
    assert logins(isp, username) == [("reject", "wrong_password"), ("accept", "full")]


def test_two_sessions_of_one_second_and_thus_one_id_are_kept_apart_and_found_as_received(isp):
    anna, bruno = two_with_one_id(isp)

    assert SESSION_ID.fullmatch(anna["acct_session_id"])
    assert anna["session_key"] != bruno["session_key"]
    assert (anna["address"], bruno["address"]) == (ADDRESS["anna"], ADDRESS["bruno"])
    now = datetime.now(UTC).isoformat()
    for session in (anna, bruno):
        (holder,) = json.loads(isp.corrente("who-had", session["address"], "--at", now, "--json"))
        assert (holder["username"], holder["session"]) == (session["username"], session["session_key"])
    isp.hang_up("anna", "bruno")


def test_a_contract_s_change_cuts_the_real_session_by_a_stand_in_dae_and_it_comes_back_as_the_contract_says(isp):
    anna, bruno = two_with_one_id(isp)

    isp.corrente("account", "restrict", "bruno", "--level", "walled", "--reason", "invoice 12", "--yes")
    walled = isp.session("bruno", other_than=bruno["session_key"])
    isp.online("bruno")
    assert isp.device.given("bruno")["Filter-Id"] == "walled"

    isp.corrente("account", "lift", "bruno", "--reason", "paid", "--yes")
    full = isp.session("bruno", other_than=walled["session_key"])
    isp.online("bruno")
    assert isp.device.given("bruno")["Filter-Id"] == "full"

    today = datetime.now(ZoneInfo("Europe/Rome")).date().isoformat()
    isp.corrente("account", "set", "bruno", "--status", "ended", "--ends-on", today, "--yes")
    isp.wait_until(lambda: logins(isp, "bruno")[-1] == ("reject", "not_in_service"), "bruno's refusal")
    assert isp.device.address("bruno") == ""
    assert isp.sessions("bruno") == []

    for session in (bruno, walled, full):
        assert how_it_ended(isp, session)[0] == "stop"
    # Whose session had the same id was never touched.
    assert isp.session("anna")["session_key"] == anna["session_key"]
    assert isp.device.address("anna") == ADDRESS["anna"]
    changes = "SELECT username, state::text, method::text FROM enforcement ORDER BY id"
    # The last proof, a Stop, may be on its way.
    isp.wait_until(lambda: isp.home.query(changes) == [("bruno", "verified", "disconnect")] * 3, "three proven cuts")
    # A repetition, where the device is slow, is the same packet.
    packets = isp.home.query(
        "SELECT code, error_cause FROM (SELECT DISTINCT ON (enforcement_id, direction, code, identifier) * FROM enforcement_packet "
        "ORDER BY enforcement_id, direction, code, identifier, at) AS once ORDER BY at, direction = 'received'"
    )
    cut = [(DISCONNECT, None), (DISCONNECT_ACK, None)]
    tried = [(COA, None), (COA_NAK, UNSUPPORTED_SERVICE)]
    assert packets == [*tried, *cut, *tried, *cut, *cut]
    isp.device.hang_up("bruno")
    isp.hang_up("anna")


def test_what_is_counted_in_the_interim_and_at_the_end_is_what_was_sent(isp):
    clara = isp.session("clara")
    isp.wait_until(lambda: isp.session("clara")["octets_in"] > 0, "the interim record", within_s=400)

    interim = isp.session("clara")
    isp.device.talk("clara", DATAGRAMS, PAYLOAD)
    up, down = isp.device.counted("clara")
    isp.hang_up("clara")

    assert 0 <= interim["octets_in"] - UP < FRAMES
    assert 0 <= interim["octets_out"] - DOWN < FRAMES
    assert interim["session_key"] == clara["session_key"]
    ended_by, (octets_in, octets_out) = how_it_ended(isp, clara, "ARRAY[octets_in, octets_out]")
    assert ended_by == "stop"
    assert 0 <= octets_in - 2 * UP < FRAMES
    assert 0 <= octets_out - 2 * DOWN < FRAMES
    # What the kernel counted at the other end of the line.
    assert abs(octets_in - up) < FRAMES
    assert abs(octets_out - down) < FRAMES
