"""A loop's pulse, in one process and in its child."""

import multiprocessing

from control_plane.pulse import Pulse


def test_a_loop_that_has_not_begun_is_not_well():
    assert list(Pulse("lease", max_age_s=60).problems()) == ["lease: it has not begun yet (last done 0 s ago)"]


def test_a_loop_that_beats_is_well_until_it_is_late():
    pulse = Pulse("lease", max_age_s=60)
    pulse.beat()
    assert list(pulse.problems()) == []
    late = Pulse("lease", max_age_s=-1)
    late.beat()
    assert list(late.problems()) == ["lease: last done 0 s ago; the log says more"]


def test_trouble_is_told_until_the_next_beat_and_a_long_reason_is_cut():
    pulse = Pulse("lease", max_age_s=60)
    pulse.trouble("x" * 1000)
    (problem,) = pulse.problems()
    assert problem == f"lease: {'x' * 399} (last done 0 s ago)"
    pulse.beat()
    assert list(pulse.problems()) == []


def test_a_child_process_tells_of_its_loop():
    pulse, other = Pulse("a", max_age_s=60), Pulse("b", max_age_s=60)
    spawn = multiprocessing.get_context("spawn")
    children = (spawn.Process(target=pulse.beat), spawn.Process(target=other.trouble, args=("the disk\nis full",)))
    for child in children:
        child.start()
        child.join(120)
        assert child.exitcode == 0
    assert list(pulse.problems()) == []
    assert next(other.problems()).startswith("b: the disk is full (")
