"""One checklist for every vendor file on disk, with each setting of its options: what it says is always something that
FreeRADIUS and our sender can send, nothing of a profile is lost without a word, and nothing hostile reaches a command line.

Adding a vendor adds its file, docs/drivers/VENDOR.md, tests/adapters/packets/VENDOR.toml, with options its section in
corrente.toml.example and, where the manual says how the device reads its rates, tests/support/device_words/VENDOR.py: no list
is edited.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.every import for_every
from support.shaping import Shaping, Words
from support.vendor_cases import drivers_as_set, sample_setup

from nas_drivers.changes import lists_change
from nas_drivers.cli_dialect import CliDetail, CliOutputError, CliWordError
from nas_drivers.device_session import DeviceSession
from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import (
    ChangesListsByApi,
    JudgesSessions,
    NasDriver,
    UnknownVendorError,
    driver_for,
    vendor_names,
)
from nas_drivers.inspection import NotReadError
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.packets import check_attributes, write_request

ROOT: Final = Path(__file__).resolve().parents[2]
DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
COA_REQUEST: Final = 43
CLASS: Final = b"CO1" + bytes(24)
CISCO_ENDS: Final = "subscriber:sd="
RATES = st.one_of(
    st.integers(1_000, 400_000_000_000),
    st.integers(1, 400_000).map(lambda megabits: megabits * 1_000_000),
    st.integers(1, 400_000_000).map(lambda kilobits: kilobits * 1_000),
).map(BitRate)
PAIRS = st.builds(RatePair, down=RATES, up=RATES)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
DEVICE_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", fullmatch=True)


def _maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


def _policies(names: st.SearchStrategy[str]) -> st.SearchStrategy[SessionPolicy]:
    return st.builds(
        SessionPolicy,
        rate=_maybe(PAIRS),
        burst=_maybe(PAIRS),
        burst_threshold=_maybe(PAIRS),
        burst_time_s=_maybe(st.integers(1, 3600)),
        priority=_maybe(st.integers(1, 8)),
        minimum=_maybe(PAIRS),
        address_lists=st.lists(names, max_size=3).map(tuple),
        ipv4_pool=_maybe(names),
        ipv6_pool=_maybe(names),
        delegated_ipv6_pool=_maybe(names),
        filter=_maybe(names),
        session_timeout_s=_maybe(st.integers(60, 31536000)),
        idle_timeout_s=_maybe(st.integers(60, 31536000)),
        interim_interval_s=_maybe(st.integers(60, 86400)),
        device_policy=_maybe(DEVICE_NAMES),
    )


POLICIES: Final = _policies(NAMES)
# Few names, so that two policies are often alike; none has a `=`, which parts key and value of a text.
PLAIN_POLICIES: Final = _policies(st.sampled_from(["homes", "walled", "v6", "slow"]))
IDENTITIES = st.builds(
    SessionIdentity,
    username=st.just("anna"),
    acct_session_id=st.just("81000001"),
    nas_address=st.none() | st.just(IPv4Address("192.0.2.1")),
    nas_identifier=st.none() | st.just("bras-1"),
    framed_ipv4=st.none() | st.just(IPv4Address("100.64.0.1")),
    framed_ipv6_prefix=st.none() | st.just(IPv6Network("2001:db8:1::/64")),
    mac=st.none() | st.just("0200000000ab"),
    nas_port_id=st.none() | st.just("eth 1/1:7"),
    class_octets=st.none() | st.just(CLASS),
)
MBIT: Final = 1_000_000
HOME: Final = SessionPolicy(rate=RatePair(BitRate(300 * MBIT), BitRate(30 * MBIT)))
# The fields whose meaning a policy that stands ready on the device has in itself.
RATE_FIELDS: Final = ("rate", "burst", "burst_threshold", "burst_time_s", "priority", "minimum")
# Each on the profile that schema.sql lets it stand on.
ALONE: Final = {
    "rate": HOME,
    "burst": replace(HOME, burst=RatePair(BitRate(600 * MBIT), BitRate(60 * MBIT))),
    "burst_threshold": replace(
        HOME,
        burst=RatePair(BitRate(600 * MBIT), BitRate(60 * MBIT)),
        burst_threshold=RatePair(BitRate(200 * MBIT), BitRate(20 * MBIT)),
    ),
    "burst_time_s": replace(HOME, burst=RatePair(BitRate(600 * MBIT), BitRate(60 * MBIT)), burst_time_s=8),
    "priority": replace(HOME, priority=3),
    "minimum": replace(HOME, minimum=RatePair(BitRate(10 * MBIT), BitRate(1 * MBIT))),
    "address_lists": SessionPolicy(address_lists=("walled",)),
    "ipv4_pool": SessionPolicy(ipv4_pool="homes"),
    "ipv6_pool": SessionPolicy(ipv6_pool="v6"),
    "delegated_ipv6_pool": SessionPolicy(delegated_ipv6_pool="pd"),
    "filter": SessionPolicy(filter="slow"),
    "device_policy": SessionPolicy(device_policy="home-300"),
}
# The same RFC attributes everywhere: the hook adds them at each login.
EVERYWHERE: Final = {"session_timeout_s", "idle_timeout_s", "interim_interval_s"}
HOSTILE: Final = (
    "x; reload", "x\nreload", "x\rreload", "x?", "x|y", 'x"y', "x'y", "x{y", "x}y", "x y", "x`y", "x$y", "x&y", "x\\y",
    "x\x1by", "-x", "../x", "#x", "!x", "", "x" * 65, "\u0445",
)  # fmt: skip
CASES: Final = dict(drivers_as_set())
every_driver = pytest.mark.parametrize("driver", CASES.values(), ids=CASES)
every_vendor = pytest.mark.parametrize("vendor", vendor_names())


def words(driver: NasDriver, policy: SessionPolicy) -> Words:
    return tuple((one.name, one.value) for one in driver.login_attributes(policy))


def without(policy: SessionPolicy, name: str) -> SessionPolicy:
    return replace(policy, **{name: () if name == "address_lists" else None})


def is_said(driver: NasDriver, policy: SessionPolicy, name: str) -> bool:
    """Whether the login says something else when the policy has this field."""
    return words(driver, policy) != words(driver, without(policy, name))


def is_complained_of(driver: NasDriver, policy: SessionPolicy, name: str) -> bool:
    return bool(set(driver.unsupported(policy)) - set(driver.unsupported(without(policy, name))))


def check_sendable(attributes: Iterable[Attribute]) -> None:
    for item in attributes:
        attribute = DICTIONARY.attribute(item.name)
        assert attribute is not None, f"FreeRADIUS has no {item.name}"
        assert attribute.name == item.name.partition(":")[0]
        assert attribute.on_wire, item
        assert item.op in {":=", "=", "+="}
        assert canonical_value(attribute, item.value).replace("\\\\", "\\") == item.value


def by_key(attributes: Iterable[Attribute]) -> dict[tuple[str, str], set[str]]:
    """The values by what they set: the attribute, and in `key=value` texts the key too; services add up, so each is its own."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for one in attributes:
        key, equals, _ = one.value.partition("=")
        if "Service-Activate" in one.name or key == "subscriber:sa":
            key, equals = service_begun(one.value), "="
        found[one.name, key if equals else ""].add(one.value)
    return found


def service_begun(value: str) -> str:
    """The name of a service in the value that begins it: Juniper's has arguments behind it, Cisco's a key before it."""
    return value.removeprefix("subscriber:sa=").partition("(")[0]


def service_ended(one: Attribute) -> str | None:
    """The name of the service that a device is told to end."""
    if "Deactivate" in one.name:
        return one.value
    return one.value.removeprefix(CISCO_ENDS) if one.value.startswith(CISCO_ENDS) else None


def is_command(one: Attribute) -> bool:
    """What Cisco is told to do with all the rest."""
    return one.value.startswith("subscriber:command=")


# The file itself.


@every_vendor
def test_a_driver_is_a_frozen_record_called_as_its_file(vendor: str) -> None:
    driver = driver_for(vendor)

    assert driver.vendor == vendor
    assert is_dataclass(driver)
    assert hash(driver) == hash(driver_for(vendor))
    assert 1 <= driver.default_coa_port <= 65535


@every_driver
def test_what_a_driver_can_besides_it_says_by_naming_its_base_so_that_no_method_of_it_can_be_misspelt(
    driver: NasDriver,
) -> None:
    for able, base in ((driver, JudgesSessions), (driver, ChangesListsByApi), (driver.cli, CliDetail)):
        assert isinstance(able, base) == (base in type(able).__mro__), base


def test_a_driver_with_a_misspelt_method_is_none() -> None:
    class Misspelt(JudgesSessions):
        def run_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
            return found.policies is not None and new != old

    with pytest.raises(TypeError, match="runs_under"):
        Misspelt()  # type: ignore[abstract]  # what mypy says of it


def test_a_vendor_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(UnknownVendorError, match="mikrotik"):
        driver_for("nobody")


# What a login is told.


@given(policy=POLICIES)
@for_every(CASES)
def test_every_attribute_of_a_login_is_one_that_freeradius_can_send(driver: NasDriver, policy: SessionPolicy) -> None:
    items = driver.login_attributes(policy)

    check_sendable(items)
    assert items == driver.login_attributes(policy)
    for item in items:
        if [other.name for other in items].count(item.name) > 1:
            assert item.op == "+=", "`:=` would keep only the last one"


@every_driver
def test_an_empty_policy_says_nothing_and_complains_of_nothing(driver: NasDriver) -> None:
    assert driver.login_attributes(SessionPolicy()) == ()
    assert driver.unsupported(SessionPolicy()) == ()


def test_the_checklist_has_every_field_of_a_policy() -> None:
    assert {one.name for one in fields(SessionPolicy)} == ALONE.keys() | EVERYWHERE


@every_driver
@pytest.mark.parametrize("name", ALONE)
def test_each_field_alone_is_said_or_complained_of(driver: NasDriver, name: str) -> None:
    policy = ALONE[name]

    # What is said of a burst holds for its threshold and its time.
    complaint = is_complained_of(driver, policy, "burst" if name.startswith("burst") else name)
    assert is_said(driver, policy, name) or complaint


@every_driver
def test_of_a_rate_and_a_ready_made_policy_one_is_said_without_a_complaint_or_both_are_complained_of(
    driver: NasDriver,
) -> None:
    both = replace(HOME, device_policy="home-300")

    said = is_said(driver, both, "rate") or is_said(driver, both, "device_policy")

    assert said or (is_complained_of(driver, both, "rate") and is_complained_of(driver, both, "device_policy"))
    if said:
        assert driver.unsupported(both) == ()


@given(policy=POLICIES)
@for_every(CASES)
def test_nothing_of_a_profile_is_lost_without_a_word(driver: NasDriver, policy: SessionPolicy) -> None:
    for name in ALONE:
        if not getattr(policy, name):
            continue
        if name in RATE_FIELDS and (policy.rate is None or policy.device_policy is not None):
            continue
        if name == "device_policy" and policy.rate is not None:
            continue
        if name.startswith("burst_") and policy.burst is None:
            continue
        # A threshold that equals the default, and a priority that is the lowest, are said by saying nothing.
        told = is_said(driver, policy, name) or name in ("burst_threshold", "burst_time_s", "priority")
        assert told or driver.unsupported(policy), name


@every_driver
@pytest.mark.parametrize("name", ["address_lists", "filter", "device_policy", "ipv4_pool", "rate"])
def test_a_walled_garden_that_is_not_complained_of_is_another_policy_than_the_full_one(
    driver: NasDriver, name: str
) -> None:
    full = replace(HOME, device_policy="home-300", ipv4_pool="homes", filter="open")
    walled = {
        "address_lists": replace(full, address_lists=("walled",)),
        "filter": replace(full, filter="walled"),
        "device_policy": replace(full, device_policy="walled"),
        "ipv4_pool": replace(full, ipv4_pool="walled"),
        "rate": replace(full, rate=RatePair(BitRate(MBIT), BitRate(MBIT))),
    }[name]

    if words(driver, walled) == words(driver, full):
        other = {"rate": "device_policy", "device_policy": "rate"}.get(name)
        assert driver.unsupported(walled) or (other and is_said(driver, walled, other))
    else:
        assert driver.change_methods(full, walled) != (Method.COA,)


# Rates: units and directions.


@every_driver
def test_down_and_up_are_told_apart(driver: NasDriver) -> None:
    exchanged = replace(HOME, rate=RatePair(BitRate(30 * MBIT), BitRate(300 * MBIT)))

    assert words(driver, exchanged) != words(driver, HOME) or not is_said(driver, HOME, "rate")


def _readers() -> dict[str, Callable[[Words], Shaping | None]]:
    found = {}
    for file in sorted((ROOT / "tests/support/device_words").glob("[a-z]*.py")):
        spec = importlib.util.spec_from_file_location(f"device_words_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[file.stem] = module.read_shaping
    return found


READERS: Final = _readers()


@given(policy=POLICIES)
@for_every({case: driver for case, driver in CASES.items() if driver.vendor in READERS})
def test_the_device_reads_the_rate_in_the_right_unit_and_direction(driver: NasDriver, policy: SessionPolicy) -> None:
    shaping = READERS[driver.vendor](words(driver, policy))

    if policy.rate is None or not is_said(driver, policy, "rate"):
        assert policy.rate is None or is_complained_of(driver, policy, "rate") or policy.device_policy is not None
        return
    assert shaping is not None
    # Nobody gets less than was sold, nor a whole kibibit more; beyond the device's ceiling it says so.
    for sold, got in ((policy.rate.down.bps, shaping.down), (policy.rate.up.bps, shaping.up)):
        assert sold <= got < sold + 1_024 or (got < sold and is_complained_of(driver, policy, "rate"))


def test_every_reader_of_words_belongs_to_a_vendor() -> None:
    assert set(READERS) <= set(vendor_names())


@given(policy=POLICIES)
def test_routeros_reads_burst_priority_and_minimum_as_they_were_meant(policy: SessionPolicy) -> None:
    shaping = READERS["mikrotik"](words(driver_for("mikrotik"), policy))
    if policy.rate is None:
        assert shaping is None
        return

    assert shaping is not None
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


# Changes of a live session.


@given(old=st.none() | POLICIES, new=st.none() | POLICIES)
@for_every(CASES)
def test_a_ladder_has_a_first_step_no_step_twice_and_a_session_that_must_end_is_ended(
    driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy | None
) -> None:
    ladder = driver.change_methods(old, new)

    assert ladder
    assert len(set(ladder)) == len(ladder)
    if new is None:
        assert ladder[0] is Method.DISCONNECT
        assert Method.COA not in ladder
    if Method.CLI in ladder:
        assert driver.cli is not None
        assert ladder[-1] is Method.CLI


@given(policy=POLICIES, timeouts=st.tuples(st.integers(60, 9999), st.integers(60, 9999)))
@for_every(CASES)
def test_nobody_is_cut_where_nothing_differs_but_timeouts(
    driver: NasDriver, policy: SessionPolicy, timeouts: tuple[int, int]
) -> None:
    new = replace(policy, session_timeout_s=timeouts[0], interim_interval_s=timeouts[1])

    assert driver.change_methods(policy, new) == (Method.COA,)


@given(old=st.none() | POLICIES, new=POLICIES)
@for_every(CASES)
def test_a_coa_says_what_the_login_would_say_and_our_sender_can_write_it(
    driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy
) -> None:
    said = driver.change_attributes(new, old=old, class_octets=CLASS)

    check_sendable(said)
    allowed = {(one.name, one.value) for one in driver.login_attributes(new)}
    may_end = {service_begun(one.value) for one in driver.login_attributes(old)} if old else set()
    for one in said:
        if one.name == "Idle-Timeout":
            assert one.value == str(new.idle_timeout_s)
        elif one.name == "Class":
            assert one.value == "0x" + CLASS.hex()
        elif not is_command(one):
            # Or the name of what ends, for a device that must be told.
            assert (one.name, one.value) in allowed or service_ended(one) in may_end, one
    assert "Class" not in {one.name for one in driver.change_attributes(new, old=old)}
    written = write_request(COA_REQUEST, 1, check_attributes(said), secret=b"secret", timestamp=0, sign=True)
    assert len(written.raw) <= 4096


@settings(max_examples=300)
@given(
    old=PLAIN_POLICIES, new=PLAIN_POLICIES, differing=st.sets(st.sampled_from(sorted(ALONE)), min_size=1, max_size=2)
)
@for_every(CASES)
def test_where_coa_comes_first_the_session_then_has_what_a_new_login_would_give(
    driver: NasDriver, old: SessionPolicy, new: SessionPolicy, differing: set[str]
) -> None:
    new = replace(old, **{name: getattr(new, name) for name in differing})
    if driver.change_methods(old, new)[0] is not Method.COA:
        return

    before, wanted = by_key(driver.login_attributes(old)), by_key(driver.login_attributes(new))
    said = driver.change_attributes(new, old=old)

    ended = {service_ended(one) for one in said}
    told = by_key(one for one in said if service_ended(one) is None and not is_command(one))
    after = {
        key: kept
        for key, values in {**before, **told}.items()
        if key[0] != "Idle-Timeout"
        and (kept := {value for value in values if service_begun(value) not in ended or key in told})
    }
    if lists_change(driver, old, new):
        # Those come by its API.
        by_api = {one.name for one in driver.login_attributes(SessionPolicy(address_lists=("list",)))}
        after, wanted = (
            {key: values for key, values in one.items() if key[0] not in by_api} for one in (after, wanted)
        )
    assert after == wanted


# Which session is meant.


@given(identity=IDENTITIES)
@for_every(CASES)
def test_name_and_session_id_are_always_there_and_more_detail_is_more(
    driver: NasDriver, identity: SessionIdentity
) -> None:
    usual, fuller, fewest = (driver.identity_attributes(identity, detail=detail) for detail in (0, 1, 2))

    assert {*fewest} <= {*usual} <= {*fuller}
    assert {("User-Name", "anna"), ("Acct-Session-Id", "81000001")} <= {(one.name, one.value) for one in fewest}
    check_sendable(fuller)
    assert write_request(COA_REQUEST, 1, check_attributes(fuller), secret=b"secret", timestamp=0, sign=True).raw


# Its command line.

WITH_CLI: Final = {case: driver for case, driver in CASES.items() if driver.cli is not None}
every_cli = pytest.mark.parametrize("driver", WITH_CLI.values(), ids=WITH_CLI)
ANNA: Final = SessionIdentity(
    "anna", "81000001", framed_ipv4=IPv4Address("100.64.0.1"), mac="0200000000ab", nas_port_id="ge-0/0/1.100"
)
FOUND: Final = DeviceSession("81000001", "anna", "100.64.0.1", "0200000000ab", local_name="pp0.3221225472")


def commands(driver: NasDriver, identity: SessionIdentity, found: DeviceSession | None) -> list[str]:
    """Every line that would be typed for this session."""
    assert driver.cli is not None
    shown = [driver.cli.show_session(identity), driver.cli.show_all()]
    steps = driver.cli.clear_session(identity, found)
    return [line for line in shown if line is not None] + [text for one in steps for text in (one.command, one.answer)]


@every_cli
def test_a_session_is_shown_and_cleared_by_single_lines(driver: NasDriver) -> None:
    assert driver.cli is not None
    assert re.fullmatch(r"[a-z0-9_]+", driver.cli.device_type)
    for line in commands(driver, ANNA, FOUND):
        assert line.isprintable()
    for step in driver.cli.clear_session(ANNA, FOUND):
        assert step.command
        for pattern in (step.question, step.prompt):
            assert pattern is None or re.compile(pattern)


@every_cli
def test_a_command_line_that_clears_sessions_is_the_last_step_of_a_ladder(driver: NasDriver) -> None:
    assert driver.cli is not None
    clears = bool(driver.cli.clear_session(ANNA, FOUND))

    assert (driver.change_methods(HOME, None)[-1] is Method.CLI) == clears


@every_cli
@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_hostile_name_never_reaches_a_command_line(driver: NasDriver, hostile: str) -> None:
    for name in ("username", "acct_session_id", "nas_port_id"):
        _refused_or_absent(driver, replace(ANNA, **{name: hostile}), FOUND, hostile)
    for name in ("acct_session_id", "username", "framed_ipv4", "mac", "local_name"):
        _refused_or_absent(driver, ANNA, replace(FOUND, **{name: hostile}), hostile)


def _refused_or_absent(driver: NasDriver, identity: SessionIdentity, found: DeviceSession, hostile: str) -> None:
    try:
        typed = commands(driver, identity, found)
    except CliWordError as error:
        said = str(error)
    else:
        # What is typed does not depend on it at all.
        said = repr(hostile) if typed == commands(driver, ANNA, FOUND) else f"typed {typed}"
    assert repr(hostile) in said


@every_cli
def test_what_is_no_list_is_never_taken_for_an_empty_one(driver: NasDriver) -> None:
    assert driver.cli is not None
    for garbage in ("% Something went wrong", "panic: core dumped", "\x00\x01", "Connection closed by foreign host."):
        with pytest.raises(CliOutputError):
            driver.cli.read_sessions(garbage)


# What is pasted on the device, and its page.


@every_driver
def test_the_setup_names_addresses_ports_and_secrets(driver: NasDriver) -> None:
    setup = replace(
        sample_setup(driver), authentication_port=21812, accounting_port=21813, coa_port=23799, secret="RADSECRET"
    )

    said = driver.setup_commands(replace(setup, coa_secret="RADSECRET"))

    for word in ("192.0.2.10", "192.0.2.11", "21812", "21813", "23799", "RADSECRET"):
        assert re.search(rf"(?<![0-9A-Z]){re.escape(word)}(?![0-9A-Z])", said), word
    assert said.endswith("\n")
    assert all(line == line.rstrip() and line.isprintable() for line in said.splitlines())


@every_driver
def test_changes_with_a_secret_or_from_an_address_of_their_own_are_set_up_or_spoken_of(driver: NasDriver) -> None:
    setup = sample_setup(driver)
    sender = IPv4Address("192.0.2.77")

    said = driver.setup_commands(replace(setup, coa_secret="OTHERSECRET", change_addresses=(sender,)))
    same = driver.setup_commands(replace(setup, coa_secret="OTHERSECRET"))

    assert str(sender) in said
    assert "OTHERSECRET" in said
    assert "OTHERSECRET" in same or "CoA secret" in same


@every_driver
def test_the_setup_prepares_the_policies_that_the_profiles_name(driver: NasDriver) -> None:
    setup = sample_setup(driver)
    if is_said(driver, SessionPolicy(device_policy="home-300"), "device_policy"):
        said = driver.setup_commands(setup)
        assert "home-300" in said
        assert "walled" in said


@every_vendor
def test_the_page_shows_the_commands_as_they_are_made(vendor: str) -> None:
    driver = driver_for(vendor)
    page = (ROOT / f"docs/drivers/{vendor}.md").read_text()

    assert f"(vendor `{vendor}`)" in page.splitlines()[0]
    assert f"```\n{driver.setup_commands(sample_setup(driver))}```\n" in page


@every_vendor
def test_the_page_and_the_example_of_settings_show_every_option_with_its_default(vendor: str) -> None:
    options = driver_for(vendor).options
    page = (ROOT / f"docs/drivers/{vendor}.md").read_text()
    example = (ROOT / "corrente.toml.example").read_text()
    sections = tomllib.loads(re.sub(r"(?m)^#(?=[a-z])", "", example)).get("drivers", {})

    defaults = {one.name: getattr(options, one.name) for one in fields(options)}

    assert sections.get(vendor, {}) == defaults
    for name in defaults:
        assert f"`{name}`" in page
    if defaults:
        assert f"[drivers.{vendor}]" in page


@every_vendor
def test_what_a_vendors_device_is_asked_only_prints_and_stands_on_its_page(vendor: str) -> None:
    page = (ROOT / f"docs/drivers/{vendor}.md").read_text()
    _, heading, section = page.partition("## What `corrente nas test` asks it\n")
    section = section.partition("\n## ")[0]
    driver = driver_for(vendor)
    inspection = driver.inspection
    questions = [one for one in (inspection.clock, inspection.bypass) if one is not None]

    assert heading
    assert inspection.ntp.partition(" (")[0].removeprefix("by ") in section
    for question in questions:
        assert driver.cli is not None, "a command line that nobody knows is asked nothing"
        assert question.command.split()[0] in {"show", "display", "date", "sed"}
        assert question.command.isprintable()
        assert f"`{question.command}`" in section.replace("\\|", "|")
    show_all = driver.cli.show_all() if driver.cli is not None else None
    if show_all is not None:
        assert show_all.split(" sid,")[0] in section
    if inspection.bypass is None and vendor != "mikrotik":
        assert "not checked" in section.lower()


def test_every_file_of_questions_is_asked_by_the_driver_of_its_name() -> None:
    for file in (ROOT / "nas_drivers/inspections").glob("[a-z]*.py"):
        asked = importlib.import_module(f"nas_drivers.inspections.{file.stem}").INSPECTION
        assert driver_for(file.stem).inspection is asked


@given(shown=st.text() | st.from_regex(r"(?:(?:set|aaa|domain|name=|authen queue=|\[) ?[a-z =:-]{0,40}\n){0,6}"))
@for_every({vendor: vendor for vendor in vendor_names()})
def test_whatever_a_device_prints_is_findings_or_an_error_of_ours_and_never_clean_when_it_is_nothing(
    vendor: str, shown: str
) -> None:
    inspection = driver_for(vendor).inspection
    if inspection.clock is not None:
        inspection.clock.read(shown)
    if inspection.bypass is not None:
        with contextlib.suppress(NotReadError):
            inspection.bypass.read(shown)
        for nothing in ("", "\n\n", "% Invalid input detected at '^' marker.", "permission denied"):
            with pytest.raises(NotReadError):
                inspection.bypass.read(nothing)


@every_vendor
def test_a_page_says_what_is_sent_what_changes_live_and_what_was_tried(vendor: str) -> None:
    page = (ROOT / f"docs/drivers/{vendor}.md").read_text()

    for heading in ("## What Corrente sends", "## What changes live and what needs a new login"):
        assert heading in page
    assert "## What was tried against what" in page
