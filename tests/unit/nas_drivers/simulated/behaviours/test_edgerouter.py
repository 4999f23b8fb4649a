"""EdgeOS: no port for changes by itself; with its script, disconnects by username and nothing else."""

from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Drop, End, behaviour_for
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

ROUTER = behaviour_for("edgerouter")
FIRST, SECOND, BRUNO = live_session("A1", "anna"), live_session("A2", "anna"), live_session("B1", "bruno")
SESSIONS = table_of(FIRST, SECOND, BRUNO)
NAME = codec.text(wire.USER_NAME, "anna")


def test_its_port_is_closed_unless_it_is_told_otherwise() -> None:
    assert not ROUTER.habits.hears_changes
    assert [vendor for vendor in ("generic", "huawei", "vyos") if not behaviour_for(vendor).habits.hears_changes] == []


def test_rates_are_bits_a_second_each_way_and_pools_are_not_heard() -> None:
    rates = (
        codec.whole(wire.WISPR_BANDWIDTH_MAX_UP, 30_000_000),
        codec.whole(wire.WISPR_BANDWIDTH_MAX_DOWN, 300_000_000),
    )

    terms = ROUTER.login_terms(accept(*rates, codec.text(wire.FRAMED_POOL, "homes")))

    assert (terms.rates, terms.pool) == (Rates(down_bps=300_000_000, up_bps=30_000_000), None)


def test_its_script_ends_every_session_of_a_name_whatever_else_is_said() -> None:
    by_id = codec.text(wire.ACCT_SESSION_ID, "A2")

    decided = ROUTER.decide(change_request(Code.DISCONNECT_REQUEST, NAME, by_id), SESSIONS, IDENTITY)

    assert decided == End((FIRST, SECOND))


def test_it_acknowledges_the_end_of_whom_it_does_not_know() -> None:
    nobody = change_request(Code.DISCONNECT_REQUEST, codec.text(wire.USER_NAME, "nobody"))

    assert ROUTER.decide(nobody, SESSIONS, IDENTITY) == End(())


def test_a_coa_is_never_answered() -> None:
    request = change_request(Code.COA_REQUEST, NAME, codec.whole(wire.WISPR_BANDWIDTH_MAX_UP, 1_000))

    assert isinstance(ROUTER.decide(request, SESSIONS, IDENTITY), Drop)
