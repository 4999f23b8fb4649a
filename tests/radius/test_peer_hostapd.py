"""hostapd, a real 802.1X switch with a real wpa_supplicant logged in through FreeRADIUS: our Disconnect ends its session.

Debian's hostapd 2.10 knows no way to change a session, keeps no answers for duplicates, and drops what is not signed and of
now.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.hostapd_peer import PORT, SECRET, SWITCH, USERNAME, Login, Switch, hostapd_switch
from support.peer_network import wait_for
from support.real_change import AGAIN, SHORT, Asker

from control_plane.control_loop.enforcement import FEWEST, State
from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy
from nas_drivers.transport.coa import Acked, ChangeTarget, Nacked, Unanswered

pytestmark = [pytest.mark.radius, pytest.mark.lab]
DISCONNECT = 40
GENERIC = driver_for("generic")
TARGET = ChangeTarget(1, SWITCH, PORT, SECRET.encode())


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with hostapd_switch(tmp_path_factory.mktemp("switch")) as started:
        yield started


@pytest.fixture
def asker(switch: Switch) -> Iterator[Asker]:
    yield Asker(switch.provider, TARGET)
    switch.provider.filter()
    switch.device.filter()


@pytest.fixture
def session(switch: Switch) -> Iterator[SessionIdentity]:
    """A session of the subscriber, as its accounting names it."""
    with switch.login() as login:
        yield identity_of(login)


def identity_of(login: Login, username: str = USERNAME) -> SessionIdentity:
    assert login.begun["User-Name"] == username
    return SessionIdentity(
        username,
        login.begun["Acct-Session-Id"],
        nas_address=IPv4Address(login.begun["NAS-IP-Address"]),
        nas_identifier=login.begun["NAS-Identifier"],
        mac=login.mac.replace(":", ""),
    )


def named(session: SessionIdentity) -> tuple[Attribute, ...]:
    return GENERIC.identity_attributes(session, detail=0)


def is_open(switch: Switch, session: SessionIdentity) -> bool:
    return switch.is_open(mac_of(session))


def mac_of(session: SessionIdentity) -> str:
    assert session.mac is not None
    return ":".join(session.mac[at : at + 2] for at in range(0, 12, 2))


def has_ended(switch: Switch, session: SessionIdentity) -> bool:
    return not is_open(switch, session) and len(switch.ended(session.acct_session_id)) == 1


def test_a_disconnect_of_a_real_802_1x_session_is_acknowledged_and_the_port_is_shut(switch, asker, session):
    assert is_open(switch, session)

    assert asker.ask(DISCONNECT, *named(session)) == Acked()

    wait_for(lambda: has_ended(switch, session), "the session's end")


def test_hostapd_refuses_with_the_causes_of_rfc_5176_and_the_session_stays(switch, asker, session):
    gone = replace(session, acct_session_id="0000000000000000")
    elsewhere = replace(session, nas_address=IPv4Address("192.0.2.9"))

    assert asker.ask(DISCONNECT, *named(gone)) == Nacked(503)
    assert asker.ask(DISCONNECT, *named(elsewhere)) == Nacked(403)
    assert asker.ask(DISCONNECT, *named(session), Attribute("Filter-Id", ":=", "slow")) == Nacked(401)
    assert is_open(switch, session)
    assert not switch.ended(session.acct_session_id)


def test_hostapd_meets_what_is_not_signed_or_not_of_now_with_silence_and_the_session_stays(switch, asker, session):
    for changed, clock in (
        ({"message_authenticator": False}, time.time),
        ({"event_timestamp": False}, time.time),
        ({}, lambda: time.time() - 400),
        ({"secret": b"not the secret"}, time.time),
    ):
        doubtful = replace(asker, target=replace(TARGET, **changed))

        assert doubtful.ask(DISCONNECT, *named(session), patience=SHORT, epoch_s=clock) == Unanswered(1), changed
        assert is_open(switch, session)

    assert asker.ask(DISCONNECT, *named(session)) == Acked()
    wait_for(lambda: has_ended(switch, session), "the session's end")


def test_a_change_that_hostapd_can_t_make_is_tried_under_fewer_names_and_then_ends_the_session(switch, asker, session):
    known = replace(session, framed_ipv4=IPv4Address("100.64.0.7"))
    ladder = (Method.COA, Method.DISCONNECT)

    lived = asker.deliver(GENERIC, known, SessionPolicy(filter="slow"), ladder)

    assert [(one.progress.state, one.progress.method) for one in lived] == [
        (State.NACKED, Method.COA),
        (State.NACKED, Method.DISCONNECT),
        (State.ACKED, Method.DISCONNECT),
    ]
    assert lived[0].progress.identity_detail == FEWEST
    assert [packet.error_cause for packet in asker.packets if packet.direction == "received"] == [401, 401, None]
    wait_for(lambda: has_ended(switch, session), "the session's end")


def test_answers_that_are_lost_make_the_repeat_503_and_that_is_done(switch, asker, session):
    switch.provider.filter("udp sport 3799 counter drop")
    sends = []

    def the_third_one_is_heard() -> bool:
        sends.append(None)
        if len(sends) == 3:
            wait_for(lambda: switch.provider.dropped() == 2, "two answers lost")
            switch.provider.filter()
        return True

    (only,) = asker.deliver(
        GENERIC, session, None, (Method.DISCONNECT,), patience=AGAIN, exchanges=[the_third_one_is_heard]
    )

    assert (only.progress.state, only.gone, only.alarm) == (State.VERIFIED, True, False)
    *sent, last = ((packet.direction, packet.code, packet.error_cause) for packet in asker.packets)
    assert set(sent) == {("sent", 40, None)}
    assert len(sent) >= 3
    assert last == ("received", 42, 503)
    wait_for(lambda: has_ended(switch, session), "the session's end")


def test_an_exchange_whose_answers_are_all_lost_is_done_when_the_next_one_finds_nothing(switch, asker, session):
    switch.provider.filter("udp sport 3799 counter drop")
    silent = asker.deliver(GENERIC, session, None, (Method.DISCONNECT,), patience=SHORT, exchanges=[lambda: True])
    assert [(one.progress.state, one.progress.unsure) for one in silent] == [(State.UNANSWERED, True)]
    wait_for(lambda: has_ended(switch, session), "the session's end")
    asker.packets.clear()

    def heal() -> bool:
        switch.provider.filter()
        return True

    lived = asker.deliver(GENERIC, session, None, (Method.DISCONNECT,), exchanges=[heal, heal])

    assert lived[-1].progress.state is State.VERIFIED
    assert lived[-1].gone


def test_requests_that_are_lost_are_sent_again_until_one_arrives(switch, asker, session):
    switch.device.filter("udp dport 3799 counter drop")

    def the_third_one_arrives() -> bool:
        if len(asker.packets) == 2:
            wait_for(lambda: switch.device.dropped() == 2, "two requests lost")
            assert is_open(switch, session)
            switch.device.filter()
        return True

    outcome = asker.ask(DISCONNECT, *named(session), patience=AGAIN, may_leave=the_third_one_arrives)

    assert isinstance(outcome, Acked)
    assert outcome.sends >= 3
    wait_for(lambda: has_ended(switch, session), "the session's end")


def test_a_session_that_hostapd_s_own_eap_server_let_in_is_not_found_by_the_name_in_its_accounting(tmp_path):
    """Whom a device lets in by itself it may name in accounting as it likes: hostapd by the MAC, and finds nobody by that."""
    with hostapd_switch(tmp_path, by_itself=True) as alone, alone.login() as login:
        found = identity_of(login, login.mac.replace(":", ""))
        asker = Asker(alone.provider, TARGET)

        # So a cut of it ends as "no such session", though it is there: `corrente drift` shows it as nobody's.
        assert asker.ask(DISCONNECT, *named(found)) == Nacked(503)
        assert asker.ask(DISCONNECT, *named(replace(found, username=USERNAME))) == Nacked(503)
        assert is_open(alone, found)
        nameless = [one for one in named(found) if one.name != "User-Name"]
        assert asker.ask(DISCONNECT, *nameless) == Acked()

        wait_for(lambda: has_ended(alone, found), "the session's end")
