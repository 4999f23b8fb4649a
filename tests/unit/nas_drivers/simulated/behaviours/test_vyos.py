"""VyOS is accel-ppp in another box."""

from support.simulated_sessions import accept

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import behaviour_for
from nas_drivers.simulated.traffic import Rates


def test_vyos_does_as_accel_ppp_does() -> None:
    vyos, accel_ppp = behaviour_for("vyos"), behaviour_for("accel_ppp")

    assert (vyos.habits, vyos.session_id(1, 2)) == (accel_ppp.habits, accel_ppp.session_id(1, 2))
    assert vyos.login_terms(accept(codec.text(wire.FILTER_ID, "2000/1000"))).rates == Rates(2_000_000, 1_000_000)
