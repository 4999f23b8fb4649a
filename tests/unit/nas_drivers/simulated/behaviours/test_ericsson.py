"""SmartEdge: QoS policies of two kinds, rates in kbit/s over them, and what it refuses live."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Nak, behaviour_for
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {"home": Rates(down_bps=300_000_000, up_bps=30_000_000)}
ROUTER = behaviour_for("ericsson", READY)
NAME = codec.text(wire.USER_NAME, "anna")
POLICIES = (
    codec.text(wire.QOS_POLICING_PROFILE_NAME, "home-up"),
    codec.text(wire.QOS_METERING_PROFILE_NAME, "home-down"),
)


def test_a_login_runs_at_the_rates_over_its_policies() -> None:
    inbound = codec.text(wire.QOS_RATE_INBOUND, "5000")

    assert ROUTER.login_terms(accept(*POLICIES)).rates == READY["home"]
    assert ROUTER.login_terms(accept(*POLICIES, inbound)).rates == Rates(down_bps=300_000_000, up_bps=5_000_000)
    meter = codec.text(wire.DYNAMIC_QOS_PARAM, "meter-circuit-rate rate-absolute 7000")
    assert ROUTER.login_terms(accept(meter)).rates == Rates(down_bps=7_000_000)


@pytest.mark.parametrize("name", ["home-down", "home", "none-up"])
def test_a_policy_of_the_other_kind_or_none_at_all_fails_the_login(name: str) -> None:
    assert ROUTER.login_terms(accept(codec.text(wire.QOS_POLICING_PROFILE_NAME, name))).fails


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, *POLICIES], 401),
        ([NAME, codec.octets(wire.CLASS, b"new")], 401),
        ([NAME, codec.text(wire.QOS_RATE_INBOUND, "fast")], 407),
        ([codec.text(wire.QOS_RATE_INBOUND, "5000")], 402),
        ([codec.text(wire.USER_NAME, "nobody"), codec.text(wire.QOS_RATE_INBOUND, "5000")], 503),
    ],
)
def test_a_coa_is_refused(attributes: list[bytes], cause: int) -> None:
    sessions = table_of(live_session("A1", "anna"))

    assert ROUTER.decide(change_request(Code.COA_REQUEST, *attributes), sessions, IDENTITY) == Nak(cause)


def test_rates_and_the_forward_policy_change_live_in_the_context() -> None:
    said = (codec.text(wire.QOS_RATE_OUTBOUND, "5000"), codec.text(wire.FORWARD_POLICY, "in:walled"))
    request = change_request(Code.COA_REQUEST, NAME, codec.text(wire.CONTEXT_NAME, "isp"), *said)

    decided = ROUTER.decide(request, table_of(live_session("A1", "anna")), IDENTITY)

    assert isinstance(decided, Change)
    terms = decided.changes[0][1]
    assert (terms.rates, terms.filter) == (Rates(down_bps=5_000_000, up_bps=1_000_000), "walled")
