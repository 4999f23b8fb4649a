"""strongSwan, a real VPN gateway with a real IKEv2 session that FreeRADIUS let in: our CoA limits it, our Disconnect ends it.

Debian's strongSwan 5.9.8 finds sessions by User-Name alone, knows Session-Timeout and nothing else in a CoA, gives no
Error-Cause, and answers a repeat with the answer that it kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.peer_network import wait_for
from support.real_change import AGAIN, SHORT, Asker
from support.strongswan_peer import GATEWAY, PORT, SECRET, USERNAME, Gateway, strongswan_gateway

from nas_drivers.policy import Attribute
from nas_drivers.transport.coa import Acked, ChangeTarget, Nacked, Unanswered

pytestmark = [pytest.mark.radius, pytest.mark.lab]
DISCONNECT, COA = 40, 43
ANNA = Attribute("User-Name", ":=", USERNAME)
BERT = Attribute("User-Name", ":=", "bert@isp.example")


def timeout(seconds: int) -> Attribute:
    return Attribute("Session-Timeout", ":=", str(seconds))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with strongswan_gateway(tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture
def gateway(started: Gateway) -> Gateway:
    """With its one subscriber logged in."""
    wait_for(lambda: not started.charon.sessions() and not started.client.sessions(), "nobody is logged in")
    started.log_in()
    return started


@pytest.fixture
def asker(gateway: Gateway) -> Iterator[Asker]:
    yield Asker(gateway.provider, ChangeTarget(1, GATEWAY, PORT, SECRET.encode()))
    gateway.provider.filter()


def wait_for_the_end(gateway: Gateway) -> None:
    wait_for(
        lambda: not gateway.charon.sessions() and not gateway.client.sessions(),
        "the end of the session on both sides",
        said=gateway.charon.directory / "log",
    )


def test_a_new_session_timeout_is_acknowledged_for_a_live_ike_sa_and_a_short_one_ends_it(gateway, asker):
    assert asker.ask(COA, ANNA, timeout(7200)) == Acked()
    assert gateway.charon.sessions() == [USERNAME]
    assert "applying 7200s lifetime to 1 IKE_SA" in gateway.charon.log()

    # Shorter than the time it keeps for logging in anew (24 minutes here): it ends the session at once.
    assert asker.ask(COA, ANNA, timeout(600)) == Acked()
    wait_for_the_end(gateway)


def test_what_strongswan_does_not_know_it_refuses_without_a_cause_and_the_session_stays(gateway, asker):
    assert asker.ask(COA, BERT, timeout(600)) == Nacked(None)
    assert asker.ask(COA, ANNA, Attribute("Filter-Id", ":=", "slow")) == Nacked(None)
    assert asker.ask(DISCONNECT, BERT) == Nacked(None)
    other = replace(asker, target=replace(asker.target, secret=b"not the secret"))
    assert other.ask(DISCONNECT, ANNA, patience=SHORT) == Unanswered(1)
    assert gateway.charon.sessions() == [USERNAME]

    assert asker.ask(DISCONNECT, ANNA) == Acked()
    wait_for_the_end(gateway)


def test_a_repeat_of_a_disconnect_whose_answers_were_lost_gets_the_answer_that_strongswan_kept(gateway, asker):
    gateway.provider.filter("udp sport 3799 counter drop")

    def the_third_one_is_heard() -> bool:
        if len(asker.packets) == 2:
            wait_for(lambda: gateway.provider.dropped() == 2, "two answers lost")
            wait_for_the_end(gateway)
            gateway.provider.filter()
        return True

    outcome = asker.ask(DISCONNECT, ANNA, patience=AGAIN, may_leave=the_third_one_is_heard)

    # The session is gone by now: a request that were taken for a new one would be refused.
    assert isinstance(outcome, Acked)
    assert outcome.sends >= 3
    assert gateway.charon.log().count("received retransmit of RADIUS Disconnect-Request") >= 2


def test_a_session_that_logged_in_by_eap_mschapv2_is_limited_and_ended_in_the_same_way(tmp_path):
    with strongswan_gateway(tmp_path, method="eap-mschapv2") as gateway:
        gateway.log_in()
        assert "EAP method EAP_MSCHAPV2 succeeded" in gateway.client.log()
        asker = Asker(gateway.provider, ChangeTarget(1, GATEWAY, PORT, SECRET.encode()))

        assert asker.ask(COA, ANNA, timeout(7200)) == Acked()
        assert asker.ask(DISCONNECT, ANNA) == Acked()
        wait_for_the_end(gateway)
