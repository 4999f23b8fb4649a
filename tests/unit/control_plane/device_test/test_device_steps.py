"""The steps of `corrente nas test` that read the device itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.device_test.device_steps import check_access, check_bypass, check_clock, check_sessions
from control_plane.device_test.seen import DeviceView, NasUnderTest, Probe, Sides
from control_plane.findings import Verdict
from control_plane.store.clocks import NasClock
from nas_drivers.inspection import SetupFault
from nas_drivers.transport.coa import Nacked, Unanswered

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
NAS = NasUnderTest(
    "tower", "192.0.2.1", "mikrotik", True, "accounting", "192.0.2.1", 3799, (1812, 1813), ntp="ntp server NTP-SERVER"
)
SEEN = DeviceView("API", pinned=True, faults=(), off_s=0.0, sides=Sides(there=3))
BY_CLI = DeviceView("command line", faults=(), off_s=0.0, sides=Sides(there=3))
SILENT = Probe(Unanswered(3), undated=Unanswered(3))
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nas", "view", "verdict", "words"),
    [
        (NAS, SEEN, OK, "with the pinned certificate"),
        (NAS, replace(SEEN, tls=False), WARN, "lets us in without TLS"),
        (NAS, replace(SEEN, problem="login refused"), FAIL, "login refused"),
        (NAS, DeviceView(), OK, "spoken to by RADIUS alone"),
        (NAS, BY_CLI, OK, "its command line lets us in, with the host key that is trusted"),
        (NAS, DeviceView("command line", not_in="no command of generic is known"), OK, "nobody logged in: no command"),
        (NAS, replace(BY_CLI, problem="shows another host key"), FAIL, "shows another host key"),
        (replace(NAS, verification="routeros_api"), DeviceView(), FAIL, "no access is configured"),
        (replace(NAS, verification="cli"), DeviceView(), FAIL, "no access is configured"),
    ],
)
def test_the_access_is_judged_by_how_it_lets_us_in(nas, view, verdict, words):
    found = check_access(nas, view)
    assert found.verdict is verdict
    assert words in str(found.text)


def clock(view=SEEN, probe=SILENT, stamped=None, *, records=True):
    return check_clock(NAS, view, probe, stamped, records=records, now=NOW)


@pytest.mark.parametrize(
    ("off_s", "verdict", "words"),
    [
        (30.0, OK, "its clock is 30 s ahead of ours (by its API)"),
        (31.0, WARN, "its clock is 31 s ahead of ours (by its API); from 300 s on"),
        (-300.0, WARN, "its clock is 5 min behind ours (by its API)"),
        (-301.0, FAIL, "its clock is 5 min 1 s behind ours (by its API): where it checks Event-Timestamp"),
    ],
)
def test_a_clock_that_is_read_is_compared_with_ours(off_s, verdict, words):
    found = clock(replace(SEEN, off_s=off_s))
    assert found.verdict is verdict
    assert str(found.text).startswith(words)


def test_a_clock_that_is_wrong_is_set_by_the_command_of_its_vendor():
    assert str(clock(replace(SEEN, off_s=-192.0)).advice) == (
        "set it: ntp server NTP-SERVER; until then: corrente nas set tower --no-coa-event-timestamp"
    )


def test_a_clock_that_nobody_reads_shows_in_its_accounting():
    stamped = NasClock("192.0.2.1", -192, NOW - timedelta(minutes=2))
    found = clock(DeviceView(), SILENT, stamped)
    assert found.verdict is WARN
    assert str(found.text).startswith(
        "its clock is 3 min 12 s behind ours (by the Event-Timestamp of its accounting, 2 min ago); from 300 s on"
    )
    assert clock(DeviceView(), SILENT, replace(stamped, ahead_s=2)).verdict is OK
    assert clock(DeviceView(), SILENT, replace(stamped, ahead_s=3600)).verdict is FAIL


def test_of_a_group_the_device_whose_clock_it_is_is_named():
    group = replace(NAS, source="10.1.0.0/16")
    stamped = NasClock("10.1.0.7", -3600, NOW)
    found = check_clock(group, DeviceView(), SILENT, stamped, records=True, now=NOW)
    assert "by the Event-Timestamp of its accounting of 10.1.0.7, 0 s ago" in str(found.text)


def test_its_own_word_goes_before_what_its_accounting_showed_and_that_gets_old():
    stamped = NasClock("192.0.2.1", -3600, NOW - timedelta(minutes=2))
    assert clock(SEEN, SILENT, stamped).verdict is OK
    old = clock(DeviceView(), SILENT, replace(stamped, at=NOW - timedelta(minutes=61)))
    assert (old.verdict, "not known" in str(old.text)) == (WARN, True)


@pytest.mark.parametrize(
    ("probe", "records", "verdict", "words"),
    [
        (Probe(Nacked(503)), True, OK, "takes what our clock dates"),
        (Probe(Nacked(503), dated=False), True, WARN, "its accounting has no Event-Timestamp"),
        (SILENT, True, WARN, "its accounting has no Event-Timestamp"),
        (SILENT, False, WARN, "no accounting has come yet"),
        (Probe(Unanswered(3), undated=Nacked(503)), True, FAIL, "answers only what carries no time"),
        (Probe(withheld="held"), True, WARN, "not known"),
    ],
)
def test_a_clock_that_nothing_shows_is_judged_by_what_the_device_answers(probe, records, verdict, words):
    found = clock(DeviceView(), probe, records=records)
    assert found.verdict is verdict
    assert words in str(found.text)


def test_a_device_that_answers_only_what_is_not_dated_fails_whatever_its_clock_seems():
    found = clock(replace(SEEN, off_s=20.0), Probe(Unanswered(3), undated=Nacked(503)))
    assert found.verdict is FAIL


def test_what_bypasses_radius_is_a_line_each_and_nothing_read_is_not_well():
    faults = (SetupFault(True, "a", "do a"), SetupFault(False, "b", "do b"))
    found = check_bypass(NAS, replace(SEEN, faults=faults))
    assert [(one.verdict, str(one.text), str(one.advice)) for one in found] == [
        (FAIL, "a", "do a"),
        (WARN, "b", "do b"),
    ]
    assert [one.verdict for one in check_bypass(NAS, SEEN)] == [OK]
    (clean,) = check_bypass(NAS, replace(BY_CLI, clean="PPP logins are asked of RADIUS alone"))
    assert (clean.verdict, str(clean.text)) == (OK, "PPP logins are asked of RADIUS alone")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (DeviceView(), "not checked: there is no access"),
        (replace(BY_CLI, problem="no route"), "not checked: nobody got in"),
        (
            replace(BY_CLI, faults=None, no_faults="not checked on this vendor: no command"),
            "not checked on this vendor",
        ),
        (replace(BY_CLI, faults=None, no_faults="the device refused `x`"), "not checked: the device refused `x`"),
    ],
)
def test_a_configuration_that_was_not_read_is_said_to_be_not_checked_and_fails_nothing(view, words):
    (found,) = check_bypass(NAS, view)
    assert found.verdict is WARN
    assert str(found.text).startswith(words)
    assert "docs/drivers/mikrotik.md" in str(found.advice)


def test_the_two_lists_of_sessions_must_be_one():
    assert check_sessions(NAS, SEEN).verdict is OK
    by_name = check_sessions(NAS, replace(BY_CLI, sides=Sides(there=1, by_id=False)))
    assert str(by_name.text) == (
        "the device lists 1, and they are ours, by their usernames: its list has no Acct-Session-Id"
    )
    differs = check_sessions(NAS, replace(SEEN, sides=Sides(("anna",), ("bruno", "carla"), 3)))
    assert (differs.verdict, str(differs.text)) == (
        FAIL,
        "2 only on the device: bruno, carla; 1 only in accounting: anna",
    )
    many = tuple(f"user{number:04}" for number in range(25))
    assert str(check_sessions(NAS, replace(SEEN, sides=Sides(many, (), 0))).text).endswith("user0019 and 5 more")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (DeviceView(), "not compared: there is no access"),
        (replace(BY_CLI, problem="no route"), "not compared: nobody got in"),
        (replace(BY_CLI, sides=None, no_list="no command is known"), "not compared: no command is known"),
    ],
)
def test_a_list_that_was_not_read_is_not_compared(view, words):
    found = check_sessions(NAS, view)
    assert found.verdict is WARN
    assert str(found.text).startswith(words)
