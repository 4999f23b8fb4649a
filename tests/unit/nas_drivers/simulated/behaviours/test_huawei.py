"""Huawei: the peak rate that stays, the name that must be the session's, QoS profiles in lower case."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Decision, Drop, End, Nak, behaviour_for
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {"home": Rates(down_bps=300_000_000, up_bps=30_000_000), "slow": Rates(down_bps=2_000_000, up_bps=1_000_000)}
ROUTER = behaviour_for("huawei", READY)
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "A1")


def rate(attribute: int, mbit: int) -> bytes:
    return codec.whole(attribute, mbit * 1_000_000)


def _asked(*attributes: bytes, profile: str | None = None, code: Code = Code.COA_REQUEST) -> Decision:
    anna = live_session("A1", "anna")
    anna.meter.change(Rates(8_000_000, 8_000_000), 0.0)
    anna.policy_up = anna.policy_down = profile
    return ROUTER.decide(change_request(code, *attributes), table_of(anna), IDENTITY)


def _told(*attributes: bytes, profile: str | None = None) -> Terms:
    decided = _asked(NAME, BY_ID, *attributes, profile=profile)
    assert isinstance(decided, Change), decided
    return decided.changes[0][1]


@pytest.mark.parametrize(
    ("cir", "pir", "passes"),
    # ETC0001084741: lowered without its PIR, the PIR stayed at 8; raised, it went along.
    [(4, None, 8), (10, None, 10), (4, 4, 4), (10, 12, 12), (None, 4, None)],
)
def test_a_lower_average_alone_leaves_the_peak_where_it_was(
    cir: int | None, pir: int | None, passes: int | None
) -> None:
    said = [rate(wire.HUAWEI_OUTPUT_AVERAGE_RATE, cir)] if cir else []
    said += [rate(wire.HUAWEI_OUTPUT_PEAK_RATE, pir)] if pir else []

    assert _told(*said).rates == (Rates(down_bps=passes * 1_000_000, up_bps=8_000_000) if passes else None)


def test_a_login_is_limited_by_its_peaks_in_bits_a_second() -> None:
    words = (rate(wire.HUAWEI_INPUT_AVERAGE_RATE, 30), rate(wire.HUAWEI_INPUT_PEAK_RATE, 30))
    words += (rate(wire.HUAWEI_OUTPUT_AVERAGE_RATE, 300), rate(wire.HUAWEI_OUTPUT_PEAK_RATE, 400))

    assert ROUTER.login_terms(accept(*words)).rates == Rates(down_bps=400_000_000, up_bps=30_000_000)


def test_a_qos_profile_is_looked_for_in_lower_case_and_must_be_there() -> None:
    named = ROUTER.login_terms(accept(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "HOME")))
    down = codec.text(wire.HUAWEI_DOWN_QOS_PROFILE_NAME, "slow")
    two = ROUTER.login_terms(accept(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "home"), down))

    assert (named.rates, named.policy_up, named.policy_down) == (READY["home"], "home", "home")
    assert two.rates == Rates(down_bps=2_000_000, up_bps=30_000_000)
    assert ROUTER.login_terms(accept(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "none"))).fails


def test_another_qos_profile_takes_its_place_and_an_unknown_one_changes_nothing() -> None:
    assert _told(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "slow"), profile="home").rates == READY["slow"]
    assert _told(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "none"), profile="home") == Terms()
    assert _told(codec.text(wire.HUAWEI_QOS_PROFILE_NAME, "slow")).rates is None


def test_a_change_for_another_name_is_discarded_without_an_answer() -> None:
    changed = rate(wire.HUAWEI_INPUT_AVERAGE_RATE, 1)

    assert isinstance(_asked(codec.text(wire.USER_NAME, "Anna"), BY_ID, changed), Drop)
    assert isinstance(_asked(BY_ID, changed), Change)


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, codec.text(wire.ACCT_SESSION_ID, "B1")], 503),
        ([codec.text(wire.USER_NAME, "nobody")], 503),
        ([BY_ID, codec.octets(wire.FRAMED_IP_ADDRESS, bytes([9, 9, 9, 9]))], 503),
        ([], 402),
        ([NAME, BY_ID, codec.text(wire.NAS_IDENTIFIER, "another")], 403),
    ],
)
def test_who_is_not_there_is_not_found(attributes: list[bytes], cause: int) -> None:
    assert _asked(*attributes) == Nak(cause)


def test_a_disconnect_ends_it() -> None:
    assert isinstance(_asked(NAME, BY_ID, code=Code.DISCONNECT_REQUEST), End)
