"""The script of faults."""

import random

import pytest

from nas_drivers.simulated.faults import Fault, FaultKind, FaultScript, Traffic


def _script() -> FaultScript:
    return FaultScript(random.Random(7))


def test_a_fault_strikes_as_often_as_it_says_and_only_its_traffic() -> None:
    script = _script()
    script.add(Fault(FaultKind.SILENCE, on={Traffic.COA}, times=2))

    taken = [script.take(traffic) for traffic in (Traffic.ACCESS, Traffic.COA, Traffic.COA, Traffic.COA)]

    assert [fault.kind if fault else None for fault in taken] == [None, FaultKind.SILENCE, FaultKind.SILENCE, None]
    assert script.struck == {FaultKind.SILENCE: 2}


def test_the_first_fault_that_is_due_wins_and_the_others_wait() -> None:
    script = _script()
    script.add(Fault(FaultKind.NAK, on={Traffic.COA}, times=1), Fault(FaultKind.LATE, on={Traffic.COA}))

    kinds = [fault.kind for fault in (script.take(Traffic.COA) for _ in range(3)) if fault]

    assert kinds == [FaultKind.NAK, FaultKind.LATE, FaultKind.LATE]


def test_a_probability_strikes_about_that_share() -> None:
    script = _script()
    script.add(Fault(FaultKind.SILENCE, on={Traffic.ACCESS}, probability=0.25))

    struck = sum(script.take(Traffic.ACCESS) is not None for _ in range(4000))

    # Four standard deviations of a binomial with p 0.25: 4 * sqrt(4000 * 0.25 * 0.75) = 110.
    assert abs(struck - 1000) < 110


def test_faults_can_be_taken_back() -> None:
    script = _script()
    script.add(Fault(FaultKind.SILENCE, on={Traffic.COA}), Fault(FaultKind.LATE, on={Traffic.COA}))

    script.clear([FaultKind.SILENCE])
    assert [fault.kind for fault in [script.take(Traffic.COA)] if fault] == [FaultKind.LATE]
    script.clear()
    assert script.take(Traffic.COA) is None


def test_a_lost_record_is_no_lost_packet() -> None:
    script = _script()
    script.add(Fault(FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=1))

    assert script.take(Traffic.ACCOUNTING) is None
    assert script.loses_record()
    assert not script.loses_record()


@pytest.mark.parametrize(
    ("kind", "on"),
    [
        (FaultKind.NAK, {Traffic.ACCESS}),
        (FaultKind.ACK_ONLY, {Traffic.COA, Traffic.ACCOUNTING}),
        (FaultKind.WRONG_SOURCE, {Traffic.ACCOUNTING}),
        (FaultKind.RECORD_LOST, {Traffic.COA}),
        (FaultKind.SILENCE, set()),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(kind: FaultKind, on: set[Traffic]) -> None:
    with pytest.raises(ValueError, match=kind.value):
        Fault(kind, on=on)


def test_a_probability_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="probability"):
        Fault(FaultKind.SILENCE, on={Traffic.COA}, probability=1.5)
