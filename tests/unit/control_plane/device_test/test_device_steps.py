"""The steps of `corrente nas test` that read the device itself."""

from dataclasses import replace

import pytest

from control_plane.device_test.device_steps import check_access, check_bypass, check_clock, check_sessions
from control_plane.device_test.seen import ApiView, NasUnderTest, Probe
from control_plane.findings import Verdict
from nas_drivers.routeros_setup import SetupFault
from nas_drivers.transport.coa import Nacked, Unanswered

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
NAS = NasUnderTest("tower", "192.0.2.1", "mikrotik", True, "accounting", "192.0.2.1", 3799, (1812, 1813))
SEEN = ApiView(True, pinned=True, faults=(), off_s=0.0, there=3)
SILENT = Probe(Unanswered(3), undated=Unanswered(3))


@pytest.mark.parametrize(
    ("nas", "api", "verdict"),
    [
        (NAS, SEEN, OK),
        (NAS, replace(SEEN, tls=False), WARN),
        (NAS, replace(SEEN, problem="login refused"), FAIL),
        (NAS, ApiView(), OK),
        (NAS, ApiView(True, by="command line"), OK),
        (NAS, ApiView(True, by="command line", problem="shows another host key"), FAIL),
        (replace(NAS, verification="routeros_api"), ApiView(), FAIL),
        (replace(NAS, verification="cli"), ApiView(), FAIL),
    ],
)
def test_the_access_is_judged_by_how_it_lets_us_in(nas, api, verdict):
    assert check_access(nas, api).verdict is verdict


@pytest.mark.parametrize(
    ("off_s", "verdict", "words"),
    [
        (30.0, OK, "30 s ahead of ours"),
        (31.0, WARN, "31 s ahead of ours"),
        (-300.0, WARN, "300 s behind ours"),
        (-301.0, FAIL, "301 s behind ours"),
    ],
)
def test_a_clock_that_is_read_is_compared_with_ours(off_s, verdict, words):
    found = check_clock(NAS, replace(SEEN, off_s=off_s), SILENT)
    assert (found.verdict, found.text) == (verdict, words)


@pytest.mark.parametrize(
    ("probe", "verdict"),
    [
        (Probe(Nacked(503)), OK),
        (Probe(Nacked(503), dated=False), WARN),
        (SILENT, WARN),
        (Probe(Unanswered(3), undated=Nacked(503)), FAIL),
        (Probe(withheld="held"), WARN),
    ],
)
def test_a_clock_that_can_not_be_read_shows_in_what_the_device_answers(probe, verdict):
    assert check_clock(NAS, ApiView(), probe).verdict is verdict


def test_what_bypasses_radius_is_a_line_each_and_nothing_read_is_not_well():
    faults = (SetupFault(True, "a", "do a"), SetupFault(False, "b", "do b"))
    found = check_bypass(NAS, replace(SEEN, faults=faults))
    assert [(one.verdict, one.text, one.advice) for one in found] == [(FAIL, "a", "do a"), (WARN, "b", "do b")]
    assert [one.verdict for one in check_bypass(NAS, SEEN)] == [OK]
    assert [one.verdict for one in check_bypass(NAS, ApiView())] == [WARN]


def test_the_two_lists_of_sessions_must_be_one():
    assert check_sessions(NAS, SEEN).verdict is OK
    assert check_sessions(NAS, ApiView()).verdict is WARN
    differs = check_sessions(NAS, replace(SEEN, only_ours=("anna",), only_there=("bruno", "carla")))
    assert (differs.verdict, differs.text) == (FAIL, "2 only on the device: bruno, carla; 1 only in accounting: anna")
