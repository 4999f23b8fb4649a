"""One checklist for every device that can be simulated: it reads our logins as was asked, and refuses what it should."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Final

import pytest
from support.conformance import CHANGES, PROFILES
from support.shaping import Shaping
from support.simulated_device import READY, OneSession, on_wire
from support.simulated_sessions import accept

from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute, Method, SessionPolicy
from nas_drivers.simulated.behaviour import Change, Drop, End, Nak, behaviour_for, behaviour_names
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

every_vendor = pytest.mark.parametrize("vendor", behaviour_names())
every_profile = pytest.mark.parametrize("kind", PROFILES)
every_change = pytest.mark.parametrize("change", CHANGES)
# What a device does with another vendor's attribute. Source: the docstring of its file in behaviours/.
IGNORES_WHAT_IT_DOES_NOT_KNOW: Final = frozenset({"accel_ppp", "huawei", "mikrotik", "nokia_sros", "vyos", "zte"})
OPENS_NO_PORT: Final = frozenset({"edgerouter"})
RATES_BY_NAME_ALONE: Final = frozenset({"cisco_iosxe", "cisco_iosxr", "juniper_mx"})


def complains(vendor: str, policy: SessionPolicy, *, without: str, value: object = None) -> bool:
    """Whether `corrente check` says a sentence that it does not say of the same profile without that field."""
    driver = driver_for(vendor)
    less = replace(policy, **{without: value})
    return not {*driver.unsupported(policy)} <= {*driver.unsupported(less)}


@every_vendor
@every_profile
def test_a_login_gives_the_rates_that_were_asked_or_check_names_the_profile(vendor: str, kind: str) -> None:
    policy = PROFILES[kind]

    rates = OneSession(vendor, policy).session.rates

    if policy.rate is not None and not complains(vendor, policy, without="rate"):
        assert rates == Rates(policy.rate.down.bps, policy.rate.up.bps)
    if policy.rate is None:
        assert rates == Rates()


@every_vendor
@every_profile
def test_an_independent_reader_of_the_manual_finds_the_same_rates_in_a_login(vendor: str, kind: str) -> None:
    file = f"support.device_words.{vendor}"
    words = tuple((one.name, one.value) for one in driver_for(vendor).login_attributes(PROFILES[kind]))
    has_reader = importlib.util.find_spec(file) is not None
    shaping: Shaping | None = importlib.import_module(file).read_shaping(words) if has_reader else None

    rates = OneSession(vendor, PROFILES[kind]).session.rates

    assert has_reader or vendor in RATES_BY_NAME_ALONE | {"generic", "ericsson", "zte"}
    if shaping is not None:
        assert rates == Rates(shaping.down, shaping.up)


@every_vendor
@every_profile
def test_a_login_gives_the_filter_the_lists_and_the_pools_that_were_asked(vendor: str, kind: str) -> None:
    policy = PROFILES[kind]

    login = OneSession(vendor, policy).terms

    assert login.address_lists == policy.address_lists or complains(vendor, policy, without="address_lists", value=())
    for given, field in (
        (login.filter, "filter"),
        (login.pool, "ipv4_pool"),
        (login.ipv6_pool, "ipv6_pool"),
        (login.delegated_pool, "delegated_ipv6_pool"),
    ):
        wanted = getattr(policy, field)
        assert given == wanted or complains(vendor, policy, without=field), field


@every_vendor
def test_a_device_policy_that_is_not_on_the_device_gives_no_rates(vendor: str) -> None:
    policy = SessionPolicy(device_policy="nobody-made-it")
    words = driver_for(vendor).login_attributes(policy)

    terms = behaviour_for(vendor, READY).login_terms(accept(on_wire(words)))

    assert terms.fails is not None or terms.rates in (None, Rates())


@every_vendor
@every_change
def test_a_change_is_done_live_or_the_session_ends_as_the_ladder_says(vendor: str, change: str) -> None:
    old, new = CHANGES[change]
    driver = driver_for(vendor)
    device = OneSession(vendor, old)
    first = driver.change_methods(old, new)[0]
    if first is not Method.COA:
        assert _says(device, Code.DISCONNECT_REQUEST) in ("End", "Drop")
        return
    assert new is not None
    said = driver.change_attributes(new, old=old)
    if not said:
        # There is no word for it, so nothing is to be said.
        assert device.state() == OneSession(vendor, new).state()
        return

    decided = device.asked(Code.COA_REQUEST, device.identified() + said)

    assert isinstance(decided, Change), decided
    device.carry_out(decided)
    assert device.state() == OneSession(vendor, new).state()


@every_vendor
@pytest.mark.parametrize("code", [Code.COA_REQUEST, Code.DISCONNECT_REQUEST])
def test_an_unknown_session_is_not_found(vendor: str, code: Code) -> None:
    device = OneSession(vendor, PROFILES["device_policy"])
    changed = driver_for(vendor).change_attributes(PROFILES["walled_by_device_policy"], old=device.policy)
    named = (Attribute("User-Name", ":=", "nobody"), Attribute("Acct-Session-Id", ":=", "8100ffff"))

    decided = device.asked(code, named + (changed if code is Code.COA_REQUEST else ()))

    if vendor in OPENS_NO_PORT:
        assert isinstance(decided, Drop) if code is Code.COA_REQUEST else decided == End(())
    else:
        assert decided == Nak(503)


@every_vendor
def test_an_attribute_of_another_vendor_is_refused_or_changes_nothing(vendor: str) -> None:
    device = OneSession(vendor, PROFILES["device_policy"])
    strange = Attribute("Ascend-Data-Rate", ":=", "1000000")
    changed = driver_for(vendor).change_attributes(PROFILES["walled_by_device_policy"], old=device.policy)

    decided = device.asked(Code.COA_REQUEST, (*device.identified(), *changed, strange))

    if vendor in IGNORES_WHAT_IT_DOES_NOT_KNOW:
        assert isinstance(decided, Change)
        assert decided == device.asked(Code.COA_REQUEST, device.identified() + changed)
    else:
        assert decided == Nak(401) or (vendor in OPENS_NO_PORT and isinstance(decided, Drop))


@every_vendor
def test_a_request_that_names_nobody_changes_nobody(vendor: str) -> None:
    device = OneSession(vendor, PROFILES["device_policy"])
    changed = driver_for(vendor).change_attributes(PROFILES["walled_by_device_policy"], old=device.policy)

    decided = device.asked(Code.COA_REQUEST, changed)

    assert isinstance(decided, Nak | Drop)


@every_vendor
def test_ids_and_ports_of_a_device_are_its_own_and_never_alike(vendor: str) -> None:
    behaviour = behaviour_for(vendor)
    ids = [behaviour.session_id(boot, number) for boot in range(3) for number in range(1, 200)]

    assert len({*ids}) == len(ids)
    assert all(0 < len(one) <= 64 for one in ids)
    assert all(0 < len(behaviour.nas_port_id(number)) <= 64 for number in range(1, 200))


def _says(device: OneSession, code: Code) -> str:
    return type(device.asked(code, device.identified())).__name__
