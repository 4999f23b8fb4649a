"""Junos: services that don't take each other's place, deactivations first, the first session of a name."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, Decision, End, Nak, behaviour_for
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

READY = {
    "home": Rates(down_bps=300_000_000, up_bps=30_000_000),
    "slow": Rates(down_bps=2_000_000, up_bps=40_000_000),
    "speed": Rates(),
}
ROUTER = behaviour_for("juniper_mx", READY)
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "12")


def begin(service: str, tag: int = 1) -> bytes:
    return codec.octets(wire.ERX_SERVICE_ACTIVATE, bytes((tag,)) + service.encode())


def end(service: str) -> bytes:
    return codec.text(wire.ERX_SERVICE_DEACTIVATE, service)


def _asked(*attributes: bytes, running: tuple[str, ...] = ("home",), code: Code = Code.COA_REQUEST) -> Decision:
    first, second = live_session("11", "anna", "100.64.0.1", 1), live_session("12", "anna", "100.64.0.2", 2)
    first.services = second.services = running
    return ROUTER.decide(change_request(code, *attributes), table_of(first, second), IDENTITY)


def _told(*attributes: bytes, running: tuple[str, ...] = ("home",)) -> Terms:
    decided = _asked(*attributes, running=running)
    assert isinstance(decided, Change), decided
    ((_, terms),) = decided.changes
    return terms


def test_a_login_begins_services_with_or_without_a_tag() -> None:
    terms = ROUTER.login_terms(accept(begin("home"), codec.text(wire.ERX_INGRESS_POLICY_NAME, "walled")))

    assert (terms.services, terms.rates, terms.filter) == (("home",), READY["home"], "walled")
    assert ROUTER.login_terms(accept(codec.text(wire.ERX_SERVICE_ACTIVATE, "home"))).services == ("home",)


def test_of_two_services_both_limit() -> None:
    terms = ROUTER.login_terms(accept(begin("home"), begin("slow", 2)))

    assert terms.rates == Rates(down_bps=2_000_000, up_bps=30_000_000)


def test_a_new_service_beside_the_old_one_does_not_take_its_place() -> None:
    terms = _told(BY_ID, begin("home"), running=("slow",))

    assert (terms.services, terms.rates) == (("slow", "home"), Rates(down_bps=2_000_000, up_bps=30_000_000))


@pytest.mark.parametrize("order", [[end("home"), begin("slow")], [begin("slow"), end("home")]])
def test_the_old_one_is_ended_first_in_whatever_order_they_stand(order: list[bytes]) -> None:
    terms = _told(BY_ID, *order)

    assert (terms.services, terms.rates) == (("slow",), READY["slow"])


def test_a_service_with_arguments_takes_up_and_down_and_ends_by_its_bare_name() -> None:
    terms = _told(BY_ID, end("speed"), begin("speed(10,20)"), running=("speed(1,2)",))

    assert (terms.services, terms.rates) == (("speed(10,20)",), Rates(up_bps=10, down_bps=20))


def test_by_the_name_alone_only_the_first_session_is_changed_and_by_its_id_the_right_one() -> None:
    by_name, by_id = _asked(NAME, begin("slow")), _asked(NAME, BY_ID, begin("slow"))

    assert isinstance(by_name, Change)
    assert isinstance(by_id, Change)
    assert [session.session_id for session in by_name.sessions] == ["11"]
    assert [session.session_id for session in by_id.sessions] == ["12"]


def test_a_filter_changes_live_and_leaves_services_and_rates_alone() -> None:
    terms = _told(BY_ID, codec.text(wire.ERX_INGRESS_POLICY_NAME, "walled"))

    assert (terms.filter, terms.rates, terms.services) == ("walled", None, ("home",))


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([codec.octets(wire.FRAMED_IP_ADDRESS, bytes([100, 64, 0, 1])), begin("slow")], 402),
        ([codec.text(wire.ACCT_SESSION_ID, "99"), begin("slow")], 503),
        ([codec.text(wire.USER_NAME, "nobody"), BY_ID, begin("slow")], 503),
        ([BY_ID, begin("slow"), codec.text(wire.MIKROTIK_RATE_LIMIT, "1M/1M")], 401),
        ([BY_ID, begin("slow"), codec.whole(wire.SESSION_TIMEOUT, 600)], 401),
        ([BY_ID, begin("none")], None),
        ([BY_ID, begin("home(1,2)")], None),
        ([BY_ID, end("slow"), begin("speed(1,2)")], None),
        ([BY_ID, end("home"), begin("none")], None),
    ],
)
def test_a_coa_is_refused_with_a_documented_cause_or_none(attributes: list[bytes], cause: int | None) -> None:
    assert _asked(*attributes) == Nak(cause)


def test_a_service_that_is_not_there_fails_the_login() -> None:
    assert ROUTER.login_terms(accept(begin("none"))).fails == "no such service"


def test_a_disconnect_by_id_ends_that_session() -> None:
    ended = _asked(NAME, BY_ID, code=Code.DISCONNECT_REQUEST)

    assert isinstance(ended, End)
    assert [session.session_id for session in ended.sessions] == ["12"]
