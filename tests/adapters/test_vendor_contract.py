"""One checklist for every vendor file on disk: what it says is always something FreeRADIUS can send and the device reads."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rate_grammar import Shaping, read_accel_ppp, read_routeros

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import UnknownVendorError, driver_for, vendor_names
from nas_drivers.policy import BitRate, RatePair, SessionPolicy

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
# The attribute that carries the rate, and how the device reads it. A vendor that has none is not in the table.
RATE_READERS: dict[str, tuple[str, Callable[[str], Shaping]]] = {
    "mikrotik": ("Mikrotik-Rate-Limit", read_routeros),
    "accel_ppp": ("Filter-Id", read_accel_ppp),
}
RATES = st.one_of(
    st.integers(1_000, 400_000_000_000),
    st.integers(1, 400_000).map(lambda megabits: megabits * 1_000_000),
    st.integers(1, 400_000_000).map(lambda kilobits: kilobits * 1_000),
).map(BitRate)
PAIRS = st.builds(RatePair, down=RATES, up=RATES)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)


def _maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


POLICIES = st.builds(
    SessionPolicy,
    rate=_maybe(PAIRS),
    burst=_maybe(PAIRS),
    burst_threshold=_maybe(PAIRS),
    burst_time_s=_maybe(st.integers(1, 3600)),
    priority=_maybe(st.integers(1, 8)),
    minimum=_maybe(PAIRS),
    address_lists=st.lists(NAMES, max_size=3).map(tuple),
    ipv4_pool=_maybe(NAMES),
    ipv6_pool=_maybe(NAMES),
    delegated_ipv6_pool=_maybe(NAMES),
    filter=_maybe(NAMES),
    session_timeout_s=_maybe(st.integers(60, 31536000)),
    idle_timeout_s=_maybe(st.integers(60, 31536000)),
    interim_interval_s=_maybe(st.integers(60, 86400)),
)
every_vendor = pytest.mark.parametrize("vendor", vendor_names())


def test_the_three_vendors_of_the_first_release_are_there() -> None:
    assert {"accel_ppp", "generic", "mikrotik"} <= set(vendor_names())
    with pytest.raises(UnknownVendorError, match="mikrotik"):
        driver_for("nobody")


@every_vendor
def test_a_driver_is_called_as_its_file(vendor: str) -> None:
    assert driver_for(vendor).vendor == vendor


@every_vendor
@given(policy=POLICIES)
def test_every_attribute_is_in_the_dictionary_and_its_value_can_be_sent(vendor: str, policy: SessionPolicy) -> None:
    for item in driver_for(vendor).login_attributes(policy):
        attribute = DICTIONARY.attribute(item.name)
        assert attribute is not None, item
        assert attribute.name == item.name
        assert attribute.on_wire, item
        assert item.op in {":=", "=", "+="}
        assert canonical_value(attribute, item.value).replace("\\\\", "\\") == item.value


@every_vendor
@given(policy=POLICIES)
def test_a_name_that_repeats_is_added_and_one_that_does_not_is_set(vendor: str, policy: SessionPolicy) -> None:
    items = driver_for(vendor).login_attributes(policy)

    for item in items:
        if [other.name for other in items].count(item.name) > 1:
            assert item.op == "+=", "`:=` would keep only the last one"


@every_vendor
@given(policy=POLICIES)
def test_the_same_policy_is_said_in_the_same_words(vendor: str, policy: SessionPolicy) -> None:
    driver = driver_for(vendor)

    assert driver.login_attributes(policy) == driver.login_attributes(policy)


@every_vendor
@given(policy=POLICIES)
def test_what_is_asked_for_is_said_or_named_as_unsupported(vendor: str, policy: SessionPolicy) -> None:
    driver = driver_for(vendor)
    said = [item.value for item in driver.login_attributes(policy)]
    complaints = " ".join(driver.unsupported(policy))

    for name in (policy.ipv4_pool, policy.ipv6_pool, policy.delegated_ipv6_pool):
        assert name is None or name in said
    assert policy.filter is None or policy.filter in said or "filter" in complaints
    assert all(name in said for name in policy.address_lists) or "address lists" in complaints
    if policy.rate is not None:
        assert (vendor in RATE_READERS) != ("for the rate" in complaints)


@every_vendor
def test_an_empty_policy_says_nothing_and_complains_of_nothing(vendor: str) -> None:
    assert driver_for(vendor).login_attributes(SessionPolicy()) == ()
    assert driver_for(vendor).unsupported(SessionPolicy()) == ()


@pytest.mark.parametrize("vendor", sorted(RATE_READERS))
@given(policy=POLICIES)
def test_the_device_reads_the_rate_in_the_right_unit_and_direction(vendor: str, policy: SessionPolicy) -> None:
    name, read = RATE_READERS[vendor]
    said = [item.value for item in driver_for(vendor).login_attributes(policy) if item.name == name]
    if policy.rate is None:
        assert said == []
        return

    shaping = read(said[0])

    assert policy.rate.down.bps <= shaping.down < policy.rate.down.bps + 1_000
    assert policy.rate.up.bps <= shaping.up < policy.rate.up.bps + 1_000


@given(policy=POLICIES)
def test_routeros_reads_burst_priority_and_minimum_as_they_were_meant(policy: SessionPolicy) -> None:
    items = {item.name: item.value for item in driver_for("mikrotik").login_attributes(policy)}
    if policy.rate is None:
        return

    shaping = read_routeros(items["Mikrotik-Rate-Limit"])

    assert (shaping.down, shaping.up) == (policy.rate.down.bps, policy.rate.up.bps)
    assert shaping.priority == (policy.priority or 8)
    if policy.burst is None:
        assert (shaping.burst_down, shaping.burst_up, shaping.burst_time_s) == (0, 0, 0)
    else:
        threshold = policy.burst_threshold or policy.rate
        assert (shaping.burst_down, shaping.burst_up) == (policy.burst.down.bps, policy.burst.up.bps)
        assert (shaping.threshold_down, shaping.threshold_up) == (threshold.down.bps, threshold.up.bps)
        assert shaping.burst_time_s == (policy.burst_time_s or 1)
    if policy.minimum is not None:
        assert (shaping.minimum_down, shaping.minimum_up) == (policy.minimum.down.bps, policy.minimum.up.bps)
