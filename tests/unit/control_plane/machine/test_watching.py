import itertools

from control_plane.machine.screen import ProcessLine
from control_plane.machine.supervision import ProcessState, exits_in
from control_plane.machine.watching import RateMeter, process_lines, said_of_processes


def state(name: str, pid: int, word: str = "RUNNING", problem: str = "") -> ProcessState:
    return ProcessState(name, word, pid, 1000, problem)


def test_nothing_is_said_while_nothing_changes():
    assert said_of_processes([state("edge", 5)], [state("edge", 5)], exits={}, down={}) == ((), {})


def test_a_process_that_died_and_came_back_between_two_looks_is_said():
    exits = {("edge", 5): "terminated by SIGKILL"}
    said, down = said_of_processes([state("edge", 5)], [state("edge", 9, "STARTING")], exits=exits, down={})
    assert said == ("edge died (terminated by SIGKILL), started again as process 9",)
    assert down == {}


def test_how_one_died_is_not_how_the_next_one_did_that_could_not_start_beside_what_it_left():
    log = """
2026-11-22 20:04:18,801 INFO exited: postgres (terminated by SIGKILL; not expected)
2026-11-22 20:04:18,803 INFO spawned: 'postgres' with pid 31001
2026-11-22 20:04:19,010 WARN exited: postgres (exit status 1; not expected)
"""
    exits = exits_in(log)
    assert exits == {("postgres", 0): "terminated by SIGKILL", ("postgres", 31001): "exit status 1"}
    said, _ = said_of_processes([state("postgres", 5)], [state("postgres", 0, "BACKOFF")], exits=exits, down={})
    assert said == ("postgres died (terminated by SIGKILL)",)
    said, _ = said_of_processes([state("postgres", 31001)], [state("postgres", 0, "BACKOFF")], exits=exits, down={})
    assert said == ("postgres died (exit status 1)",)


def test_a_process_that_died_and_is_not_back_yet_is_said_in_two_parts():
    gone, trying, back = state("edge", 0, "BACKOFF"), state("edge", 9, "STARTING"), state("edge", 9)
    said, down = said_of_processes([state("edge", 5)], [gone], exits={}, down={})
    assert said == ("edge died",)
    said, down = said_of_processes([gone], [trying], exits={}, down=down)
    assert said == ()
    assert said_of_processes([trying], [back], exits={}, down=down) == (("edge runs again as process 9",), {})


def test_a_process_that_dies_over_and_over_is_told_of_once():
    looks = [state("web", 5), state("web", 0, "BACKOFF"), state("web", 8, "STARTING"), state("web", 0, "FATAL")]
    looks += [state("web", 9, "STARTING"), state("web", 0, "BACKOFF"), state("web", 0, "FATAL")]
    down, told = {}, []
    for was, now in itertools.pairwise(looks):
        said, down = said_of_processes([was], [now], exits={}, down=down)
        told += said
    assert told == ["web died", "web can't be started (it ends at once); see log/web.log"]


def test_a_process_that_never_started_is_told_of_too():
    said, _ = said_of_processes(
        [state("web", 0, "FATAL")], [state("web", 0, "FATAL", "no such file")], exits={}, down={}
    )
    assert said == ("web can't be started (no such file); see log/web.log",)


def test_a_first_start_is_no_event():
    starting = state("web", 8, "STARTING")
    assert said_of_processes([state("web", 0, "STOPPED")], [starting], exits={}, down={}) == ((), {})
    assert said_of_processes([starting], [state("web", 8)], exits={}, down={}) == ((), {})


def test_a_process_that_does_not_run_has_no_age():
    lines = process_lines([state("edge", 5), state("web", 0, "BACKOFF")], now=1075.9)
    assert lines == (ProcessLine("edge", "RUNNING", 5, 75), ProcessLine("web", "BACKOFF", 0, 0))


def test_a_rate_needs_two_looks():
    meter = RateMeter(window_s=10)
    assert meter.rate(100, now=0.0) is None
    assert meter.rate(130, now=2.0) == 15.0


def test_a_rate_is_over_the_window_only():
    meter = RateMeter(window_s=10)
    meter.rate(0, now=0.0)
    meter.rate(1000, now=1.0)
    for second in range(2, 30):
        rate = meter.rate(1000 + second, now=float(second))
    assert rate == 1.0


def test_a_counter_that_starts_anew_gives_no_negative_rate():
    meter = RateMeter(window_s=10)
    meter.rate(500, now=0.0)
    assert meter.rate(3, now=1.0) is None
    assert meter.rate(8, now=2.0) == 5.0
