"""SR OS: keys by priority, SLA profiles with overrides on top, and what is ignored without a word."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Decision, Nak, behaviour_for
from nas_drivers.simulated.behaviours.nokia_sros import MAX_HOSTS
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {"home": Rates(down_bps=300_000_000, up_bps=30_000_000), "slow": Rates(down_bps=2_000_000, up_bps=1_000_000)}
ROUTER = behaviour_for("nokia_sros", {**READY, "a-name-of-seventeen": Rates()})
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "A1")
ADDRESS = codec.octets(wire.FRAMED_IP_ADDRESS, bytes([100, 64, 0, 1]))
PORT = codec.text(wire.NAS_PORT_ID, "port1")
SLOW = codec.text(wire.ALC_SLA_PROF_STR, "slow")


def override(text: str) -> bytes:
    return codec.text(wire.ALC_SUBSCRIBER_QOS_OVERRIDE, text)


def _asked(*attributes: bytes, rates: Rates = READY["home"], more: int = 0) -> Decision:
    anna = live_session("A1", "anna", "100.64.0.1", 1)
    anna.meter.change(rates, 0.0)
    anna.policy_up = anna.policy_down = "home"
    others = [live_session(f"C{one}", "anna", "100.64.1.1", 9) for one in range(more)]
    sessions = table_of(anna, live_session("B1", "bruno", "100.64.0.2", 2), *others)
    return ROUTER.decide(change_request(Code.COA_REQUEST, *attributes), sessions, IDENTITY)


def _told(*attributes: bytes, rates: Rates = READY["home"]) -> Terms:
    decided = _asked(BY_ID, *attributes, rates=rates)
    assert isinstance(decided, Change), decided
    return decided.changes[0][1]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([PORT, ADDRESS], ["A1"]),
        ([PORT, ADDRESS, BY_ID], ["A1"]),
        ([BY_ID], ["A1"]),
        # User-Name is no key: it is not even compared.
        ([BY_ID, codec.text(wire.USER_NAME, "bruno")], ["A1"]),
        ([codec.text(wire.ALC_SUBSC_ID_STR, "anna")], ["A1"]),
        ([codec.whole(wire.ALC_SERV_ID, 10), ADDRESS], ["A1"]),
    ],
)
def test_the_highest_key_finds(keys: list[bytes], found: list[str]) -> None:
    decided = _asked(*keys, SLOW)

    assert isinstance(decided, Change)
    assert [session.session_id for session in decided.sessions] == found


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, SLOW], 402),
        ([ADDRESS, SLOW], 402),
        ([PORT, ADDRESS, codec.text(wire.ACCT_SESSION_ID, "B1"), SLOW], 503),
        ([codec.text(wire.ACCT_SESSION_ID, "Z9"), SLOW], 503),
        ([BY_ID, codec.octets(wire.NAS_IP_ADDRESS, bytes([10, 0, 0, 1])), SLOW], 403),
        ([BY_ID, codec.text(wire.ALC_SLA_PROF_STR, "none")], 407),
        ([BY_ID, codec.text(wire.ALC_SLA_PROF_STR, "a-name-of-seventeen")], 407),
        ([BY_ID, override("e:q:1:pir=fast")], 404),
        ([BY_ID, override("down=1000")], 404),
    ],
)
def test_a_coa_is_refused_with_the_causes_that_it_has(attributes: list[bytes], cause: int) -> None:
    assert _asked(*attributes) == Nak(cause)


def test_more_hosts_than_it_takes_at_once_are_prohibited() -> None:
    subscriber = codec.text(wire.ALC_SUBSC_ID_STR, "anna")

    assert isinstance(_asked(subscriber, SLOW, more=MAX_HOSTS - 1), Change)
    assert _asked(subscriber, SLOW, more=MAX_HOSTS) == Nak(501)


def test_what_it_does_not_support_is_ignored_without_a_word() -> None:
    assert _told(codec.text(wire.MIKROTIK_RATE_LIMIT, "1M/1M"), codec.octets(wire.CLASS, b"new")) == Terms()


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("e:q:1:pir=5000", Rates(5_000_000, 30_000_000)),
        ("E:P:1:pir=5000,cir=1000", Rates(5_000_000, 30_000_000)),
        ("i:q:1:pir=5000", Rates(300_000_000, 5_000_000)),
        ("e:r:rate=5000", Rates(5_000_000, 30_000_000)),
        ("i:a:root:rate=5000", Rates(300_000_000, 5_000_000)),
        ("e:s:all:rate=5000", Rates(5_000_000, 30_000_000)),
        ("e:q:1:pir=max", Rates(None, 30_000_000)),
        ("e:q:1:pir=-2", Rates(300_000_000, 30_000_000)),
    ],
)
def test_an_override_is_kilobits_over_the_profile(text: str, rates: Rates) -> None:
    assert _told(override(text)).rates == rates


@pytest.mark.parametrize("text", ["e:q:7:pir=5000", "e:r:pir=5000", "e:q:1:cir=5000"])
def test_an_override_of_what_the_profile_has_not_is_kept_and_does_nothing(text: str) -> None:
    assert _told(override(text), SLOW).rates == READY["slow"]
    assert _told(override(text)) == Terms()


def test_an_override_stays_when_only_the_profile_changes() -> None:
    terms = _told(SLOW, rates=Rates(5_000_000, 30_000_000))

    assert (terms.rates, terms.policy_down) == (Rates(5_000_000, 1_000_000), "slow")
    assert _told(SLOW).rates == READY["slow"]


def test_a_login_needs_a_profile_that_is_there_and_not_both_pool_and_address() -> None:
    home, pool = codec.text(wire.ALC_SLA_PROF_STR, "home"), codec.text(wire.FRAMED_POOL, "homes")

    assert ROUTER.login_terms(accept(home, pool)).rates == READY["home"]
    assert ROUTER.login_terms(accept(home, pool, ADDRESS)).fails == "a pool and an address"
    assert ROUTER.login_terms(accept(codec.text(wire.ALC_SLA_PROF_STR, "none"))).fails == "no such SLA profile"
