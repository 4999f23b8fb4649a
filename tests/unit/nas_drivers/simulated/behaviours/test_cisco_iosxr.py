"""IOS-XR: account updates, services in layers, and several actions as one unit."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Decision, Nak, behaviour_for
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {
    "home": Rates(down_bps=300_000_000, up_bps=30_000_000),
    "slow": Rates(down_bps=2_000_000, up_bps=1_000_000),
    "turbo": Rates(down_bps=500_000_000),
}
ROUTER = behaviour_for("cisco_iosxr", READY)
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "00000001")


def pair(text: str) -> bytes:
    return codec.text(wire.CISCO_AVPAIR, text)


UPDATE = pair("subscriber:command=account-update")
SLOW_MAPS = (pair("subscriber:sub-qos-policy-in=slow-in"), pair("sub-qos-policy-out=slow-out"))


def _asked(*attributes: bytes, running: tuple[str, ...] = ()) -> Decision:
    anna = live_session("00000001", "anna")
    anna.policy_up, anna.policy_down, anna.services = "home-in", "home-out", running
    return ROUTER.decide(change_request(Code.COA_REQUEST, *attributes), table_of(anna), IDENTITY)


def _told(*attributes: bytes, running: tuple[str, ...] = ()) -> Terms:
    decided = _asked(NAME, BY_ID, *attributes, running=running)
    assert isinstance(decided, Change), decided
    return decided.changes[0][1]


def test_services_of_a_login_lie_over_its_policy_maps() -> None:
    words = (pair("ip:sub-qos-policy-in=home-in"), pair("ip:sub-qos-policy-out=home-out"), pair("subscriber:sa=turbo"))

    terms = ROUTER.login_terms(accept(*words))

    assert (terms.rates, terms.services) == (Rates(down_bps=500_000_000, up_bps=30_000_000), ("turbo",))


def test_an_account_update_changes_policy_maps_below_the_services() -> None:
    assert _told(UPDATE, *SLOW_MAPS).rates == READY["slow"]
    assert _told(UPDATE, *SLOW_MAPS, running=("turbo",)).rates == Rates(down_bps=500_000_000, up_bps=1_000_000)


def test_a_service_that_ends_shows_what_lies_below() -> None:
    terms = _told(pair("subscriber:sd=slow"), running=("slow",))

    assert (terms.services, terms.rates) == ((), READY["home"])


def test_two_services_are_exchanged_in_one_request() -> None:
    terms = _told(pair("subscriber:sd=slow"), pair("subscriber:sa=home"), running=("slow",))

    assert (terms.services, terms.rates) == (("home",), READY["home"])


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, BY_ID, pair("subscriber:sd=slow"), pair("subscriber:sa=none")], 407),
        ([NAME, BY_ID, pair("subscriber:sa=turbo"), pair("subscriber:sd=home")], 404),
        ([NAME, BY_ID, *SLOW_MAPS], 402),
        ([NAME, BY_ID], 402),
        ([NAME, BY_ID, UPDATE, pair("ip:sub-qos-policy-in=none-in")], 407),
        ([NAME, BY_ID, pair("subscriber:inacl=walled")], 401),
        ([codec.text(wire.USER_NAME, "bruno"), BY_ID, pair("subscriber:sa=home")], 407),
        ([codec.text(wire.USER_NAME, "bruno"), pair("subscriber:sa=home")], 503),
    ],
)
def test_a_request_is_refused_as_one_unit(attributes: list[bytes], cause: int) -> None:
    assert _asked(*attributes, running=("slow",)) == Nak(cause)


@pytest.mark.parametrize("word", ["subscriber:sa=none", "ip:sub-qos-policy-in=none-in"])
def test_what_is_not_on_the_router_fails_the_login(word: str) -> None:
    assert ROUTER.login_terms(accept(pair(word))).fails
