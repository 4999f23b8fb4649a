"""IOS-XE: policy maps for each direction, services, and identification that must match as a whole."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Decision, End, Nak, behaviour_for
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {"home": Rates(down_bps=300_000_000, up_bps=30_000_000), "slow": Rates(down_bps=2_000_000, up_bps=1_000_000)}
ROUTER = behaviour_for("cisco_iosxe", READY)
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "00000001")


def pair(text: str) -> bytes:
    return codec.text(wire.CISCO_AVPAIR, text)


SLOW = (pair("ip:sub-qos-policy-in=slow-in"), pair("ip:sub-qos-policy-out=slow-out"))


def _asked(*attributes: bytes, code: Code = Code.COA_REQUEST, services: tuple[str, ...] = ()) -> Decision:
    anna = live_session("00000001", "anna", "100.64.0.1", 1)
    anna.services = services
    sessions = table_of(anna, live_session("00000002", "bruno", "100.64.0.2", 2))
    return ROUTER.decide(change_request(code, *attributes), sessions, IDENTITY)


def test_the_policy_maps_of_a_login_limit_each_its_direction() -> None:
    terms = ROUTER.login_terms(
        accept(pair("ip:sub-qos-policy-in=home-in"), pair("subscriber:sub-qos-policy-out=slow-out"))
    )

    assert terms.rates == Rates(down_bps=2_000_000, up_bps=30_000_000)
    assert (terms.policy_up, terms.policy_down) == ("home-in", "slow-out")


@pytest.mark.parametrize("name", ["slow", "slow-out", "none-in", "Slow-in", "-in"])
def test_a_login_with_a_policy_map_that_is_not_there_fails(name: str) -> None:
    assert ROUTER.login_terms(accept(pair(f"ip:sub-qos-policy-in={name}"))).fails == "no such policy map"


def test_the_access_list_and_the_pool_come_in_pairs_too() -> None:
    terms = ROUTER.login_terms(accept(pair("ip:inacl=walled"), pair("ip:addr-pool=homes")))

    assert (terms.filter, terms.pool, terms.rates) == ("walled", "homes", None)


def test_other_policy_maps_take_the_place_of_the_old() -> None:
    decided = _asked(NAME, BY_ID, *SLOW)

    assert isinstance(decided, Change)
    ((session, terms),) = decided.changes
    assert (session.username, terms.rates) == ("anna", Rates(down_bps=2_000_000, up_bps=1_000_000))


def test_one_policy_map_leaves_the_other_direction_as_it_was() -> None:
    decided = _asked(NAME, BY_ID, SLOW[1])

    assert isinstance(decided, Change)
    # live_session runs at 1 Mbit/s each way.
    assert decided.changes[0][1].rates == Rates(down_bps=2_000_000, up_bps=1_000_000)
    assert decided.changes[0][1].policy_up is None


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([SLOW[0]], 402),
        ([NAME, BY_ID], 402),
        ([codec.text(wire.USER_NAME, "nobody"), *SLOW], 503),
        ([NAME, codec.text(wire.ACCT_SESSION_ID, "00000002"), *SLOW], 407),
        ([BY_ID, codec.octets(wire.FRAMED_IP_ADDRESS, bytes([100, 64, 0, 9])), *SLOW], 407),
        ([NAME, BY_ID, codec.text(wire.CALLING_STATION_ID, "02:00:00:00:00:09"), *SLOW], 407),
        ([NAME, BY_ID, pair("ip:sub-qos-policy-in=none-in")], 407),
        ([NAME, BY_ID, SLOW[0], pair("ip:sub-qos-policy-out=slow-in")], 407),
        ([NAME, BY_ID, *SLOW, pair("ip:inacl=walled")], 401),
        ([NAME, BY_ID, *SLOW, codec.octets(wire.CLASS, b"new")], 401),
        ([NAME, BY_ID, pair("subscriber:command=activate-service")], 404),
        ([NAME, BY_ID, pair("subscriber:command=activate-service"), pair("subscriber:service-name=none")], 407),
        ([NAME, BY_ID, pair("subscriber:command=deactivate-service"), pair("subscriber:service-name=slow")], 404),
        ([NAME, BY_ID, pair("subscriber:service-name=slow")], 404),
    ],
)
def test_a_coa_is_refused_as_a_whole(attributes: list[bytes], cause: int) -> None:
    assert _asked(*attributes) == Nak(cause)


def test_a_service_is_begun_and_what_it_set_is_gone_when_it_ends() -> None:
    named = pair("subscriber:service-name=slow")

    begun = _asked(BY_ID, pair("subscriber:command=activate-service"), named)
    ended = _asked(BY_ID, pair("subscriber:command=deactivate-service"), named, services=("slow",))

    assert isinstance(begun, Change)
    assert isinstance(ended, Change)
    assert (begun.changes[0][1].services, begun.changes[0][1].rates) == (("slow",), READY["slow"])
    assert (ended.changes[0][1].services, ended.changes[0][1].rates) == ((), Rates())


def test_a_disconnect_carries_identification_alone() -> None:
    ended = _asked(NAME, BY_ID, code=Code.DISCONNECT_REQUEST)

    assert isinstance(ended, End)
    assert _asked(NAME, BY_ID, *SLOW, code=Code.DISCONNECT_REQUEST) == Nak(401)
