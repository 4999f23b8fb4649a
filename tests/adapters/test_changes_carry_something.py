"""Every vendor file with each setting of its options, and every pair of profile kinds: what goes out as a CoA-Request, or beside
it as a change of address lists by API, changes something."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest
from support.vendor_cases import PROFILE_KINDS, drivers_as_set

from nas_drivers.changes import lists_change, way_to
from nas_drivers.driver import NasDriver, driver_for
from nas_drivers.policy import Method, SessionPolicy

CASES: Final = dict(drivers_as_set())
every_driver = pytest.mark.parametrize("driver", CASES.values(), ids=CASES)
HOME: Final = PROFILE_KINDS["rate"]
LONGER: Final = PROFILE_KINDS["rate, other session timeout"]
IDLE: Final = PROFILE_KINDS["rate, idle timeout"]


def said(driver: NasDriver, new: SessionPolicy, old: SessionPolicy | None) -> set[tuple[str, str]]:
    return {(one.name, one.value) for one in driver.change_attributes(new, old=old)}


@every_driver
def test_every_coa_between_two_kinds_of_profile_carries_a_change(driver: NasDriver) -> None:
    for old, new in product([None, *PROFILE_KINDS.values()], PROFILE_KINDS.values()):
        if Method.COA in way_to(driver, old, new):
            before = set() if old is None else said(driver, old, None)
            by_api = old is not None and lists_change(driver, old, new)
            assert said(driver, new, old) - before or by_api, (old, new)


@every_driver
def test_what_needs_no_packet_is_what_a_login_would_not_say_otherwise_either(driver: NasDriver) -> None:
    for old, new in product(PROFILE_KINDS.values(), repeat=2):
        if way_to(driver, old, new) == ():
            assert set(driver.login_attributes(old)) == set(driver.login_attributes(new)), (old, new)
            assert said(driver, new, old) <= said(driver, old, None)


@every_driver
def test_who_runs_under_something_unknown_is_told_something_or_logs_in_anew(driver: NasDriver) -> None:
    for new in PROFILE_KINDS.values():
        way = way_to(driver, None, new)
        assert way
        assert way[0] is Method.DISCONNECT or said(driver, new, None)


@every_driver
def test_the_way_never_goes_further_than_the_vendors_own_ladder(driver: NasDriver) -> None:
    for old, new in product(PROFILE_KINDS.values(), repeat=2):
        ladder = driver.change_methods(old, new)
        way = way_to(driver, old, new)
        assert way in (ladder, ladder[1:])
    assert way_to(driver, HOME, None) == driver.change_methods(HOME, None)


@every_driver
def test_a_session_timeout_alone_takes_no_packet_anywhere(driver: NasDriver) -> None:
    assert way_to(driver, HOME, LONGER) == ()


@pytest.mark.parametrize("vendor", ["mikrotik", "generic"])
def test_an_idle_timeout_is_told_where_the_device_takes_one_live(vendor: str) -> None:
    assert way_to(driver_for(vendor), HOME, IDLE) == (Method.COA,)
    # None can be taken back by a CoA: the next login does.
    assert way_to(driver_for(vendor), IDLE, HOME) == ()


@pytest.mark.parametrize(
    "vendor", ["cisco_iosxe", "cisco_iosxr", "juniper_mx", "huawei", "nokia_sros", "zte", "edgerouter"]
)
def test_an_idle_timeout_takes_no_packet_where_the_device_is_not_told_one(vendor: str) -> None:
    assert way_to(driver_for(vendor), HOME, IDLE) == ()


def test_a_cisco_that_can_not_be_told_the_rate_is_told_nothing() -> None:
    assert way_to(driver_for("cisco_iosxe"), HOME, PROFILE_KINDS["slow rate"]) == ()


def test_a_cisco_whose_old_policy_map_is_unknown_and_new_profile_has_none_logs_in_anew() -> None:
    assert way_to(driver_for("cisco_iosxe"), None, HOME) == (Method.DISCONNECT, Method.CLI)
