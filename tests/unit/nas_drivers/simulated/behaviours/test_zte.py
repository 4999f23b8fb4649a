"""ZTE: rates or profiles at login, and a CoA that is acknowledged and does nothing."""

from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Nak, behaviour_for
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

ROUTER = behaviour_for("zte", {"home": Rates(down_bps=300_000_000, up_bps=30_000_000)})
NAME = codec.text(wire.USER_NAME, "anna")


def test_a_login_runs_at_its_rates_in_bits_or_at_its_profiles() -> None:
    rates = (codec.whole(wire.ZTE_RATE_CTRL_SCR_UP, 5_000_000), codec.whole(wire.ZTE_RATE_CTRL_SCR_DOWN, 50_000_000))
    profiles = (codec.text(wire.ZTE_QOS_PROFILE_UP, "home"), codec.text(wire.ZTE_QOS_PROFILE_DOWN, "home"))

    assert ROUTER.login_terms(accept(*rates)).rates == Rates(down_bps=50_000_000, up_bps=5_000_000)
    assert ROUTER.login_terms(accept(*profiles)).rates == Rates(down_bps=300_000_000, up_bps=30_000_000)
    assert ROUTER.login_terms(accept(codec.text(wire.ZTE_QOS_PROFILE_UP, "none"))).fails


def test_a_coa_is_acknowledged_and_does_nothing() -> None:
    anna = live_session("A1", "anna")
    request = change_request(Code.COA_REQUEST, NAME, codec.whole(wire.ZTE_RATE_CTRL_SCR_DOWN, 1_000))

    assert ROUTER.decide(request, table_of(anna), IDENTITY) == Change(((anna, Terms()),))
    assert ROUTER.decide(change_request(Code.COA_REQUEST), table_of(anna), IDENTITY) == Nak(402)
    nobody = change_request(Code.COA_REQUEST, codec.text(wire.USER_NAME, "nobody"))
    assert ROUTER.decide(nobody, table_of(anna), IDENTITY) == Nak(503)
