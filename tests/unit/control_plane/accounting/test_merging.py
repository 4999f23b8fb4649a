"""Records into the state of one session: each fault by hand, then streams of them against a naive oracle."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.accounting_world import NOON, detail

from control_plane.accounting.merging import end_session, fold, open_session
from control_plane.accounting.record import NatBlock, read_accounting_record
from control_plane.accounting.session_identity import belonging, is_sure
from control_plane.accounting.session_state import SessionEnd
from control_plane.accounting.spool import read_detail

KEY = b"k" * 16
GIGA = 2**32


def record(kind, **attributes):
    (read,) = read_detail(detail(kind, **{"key": KEY, **attributes}).encode(), start=0).records
    return read_accounting_record(read)


def start(**attributes):
    return record("Start", **attributes)


def interim(time_s, octets, **attributes):
    return record("Interim-Update", time=time_s, octets=octets, at=NOON + time_s, **attributes)


def stop(time_s, octets, **attributes):
    return record("Stop", time=time_s, octets=octets, at=NOON + time_s, **attributes)


def run(*records):
    """The last state, all that was used (in, out), and all holdings."""
    folded = [open_session(records[0], nas_id=1, account_id=7)]
    for one in records[1:]:
        folded.append(fold(folded[-1].state, one))
    used = (sum(f.used_in for f in folded), sum(f.used_out for f in folded))
    return folded[-1].state, used, [holding for f in folded for holding in f.holdings]


def periods(holdings, address=None):
    return [(h.since - NOON, h.until - NOON) for h in holdings if address in (None, h.address)]


def test_a_session_counts_what_it_used_from_start_to_stop():
    state, used, holdings = run(
        start(Framed_IP_Address="10.0.0.1"),
        interim(600, (10, 100)),
        stop(900, (20, 150), Acct_Terminate_Cause="User-Request"),
    )

    assert (state.octets_in, state.octets_out) == used == (20, 150)
    assert (state.started_at, state.ended_at, state.session_time_s) == (NOON, NOON + 900, 900)
    assert (state.ended_by, state.terminate_cause) == (SessionEnd.STOP, "User-Request")
    assert periods(holdings) == [(0, 900)]


def test_a_record_that_comes_again_changes_nothing():
    once = [start(), interim(600, (10, 100)), stop(900, (20, 150))]

    state, used, _ = run(*once)
    again, used_again, _ = run(*once, *once, *reversed(once))

    assert (again, used_again) == (state, used)


def test_an_older_interim_that_comes_late_is_not_counted():
    state, used, _ = run(start(), interim(1200, (40, 400)), interim(600, (10, 100)))

    assert used == (40, 400)
    assert (state.session_time_s, state.counter_in) == (1200, 40)


def zero_seconds(kind, octets, *, after_s=0, wide=True):
    """A record that says an Acct-Session-Time of 0 whenever it comes."""
    return record(kind, time=0, octets=octets, at=NOON + after_s, wide=wide)


@pytest.mark.parametrize("wide", [True, False])
def test_a_record_of_the_first_second_that_is_resent_without_saying_so_is_not_counted(wide):
    early, later = (
        zero_seconds("Interim-Update", (60, 500), wide=wide),
        zero_seconds("Interim-Update", (100, 500), wide=wide),
    )
    resent = zero_seconds("Interim-Update", (60, 500), after_s=3, wide=wide)
    end = zero_seconds("Stop", (120, 700), after_s=4, wide=wide)

    state, used, _ = run(start(), early, later, resent, end, resent)

    assert (state.octets_in, state.octets_out) == used == (120, 700)


def test_a_record_of_the_first_second_that_is_resent_hides_no_later_one():
    first, resent = (zero_seconds("Interim-Update", (60, 500), after_s=after_s) for after_s in (0, 30))

    state, used, _ = run(start(), first, resent, interim(1, (80, 600)))

    assert (state.octets_in, state.octets_out) == used == (80, 600)
    assert state.session_time_s == 1


def test_a_counter_of_32_bits_may_wrap_though_its_device_always_says_zero_seconds():
    first = zero_seconds("Interim-Update", (GIGA - 1000, 7), after_s=600, wide=False)
    second = zero_seconds("Interim-Update", (500, 9), after_s=1200, wide=False)

    state, _, _ = run(start(), first, second)

    assert state.octets_in == GIGA + 500


def test_an_interim_before_the_start_opens_the_session_at_its_start():
    state, used, _ = run(interim(600, (10, 100)), start(at=NOON + 601, Acct_Delay_Time="601"))

    assert (state.started_at, state.session_time_s, used) == (NOON, 600, (10, 100))


def test_a_stop_alone_is_a_whole_session():
    state, used, holdings = run(stop(900, (20, 150), Framed_IP_Address="10.0.0.1"))

    assert (state.started_at, state.ended_at, used) == (NOON, NOON + 900, (20, 150))
    assert periods(holdings) == [(0, 900)]


def test_a_stop_without_its_counters_keeps_those_of_the_interims():
    for empty in (
        stop(900, (0, 0)),
        record("Stop", at=NOON + 900),
        record("Stop", at=NOON + 900, time=0, octets=(0, 0)),
    ):
        state, used, _ = run(start(), interim(600, (10, 100)), empty)

        assert used == (10, 100)
        assert (state.ended_at, state.octets_out) == (NOON + 900, 100)


def test_an_interim_that_comes_after_a_stop_without_counters_still_counts():
    state, used, _ = run(
        start(), interim(600, (10, 100)), stop(1300, (0, 0)), interim(1200, (20, 200)), interim(600, (10, 100))
    )

    assert (used, state.ended_at) == ((20, 200), NOON + 1300)
    assert run(start(), stop(1300, (0, 0)), interim(1200, (20, 200)))[1] == (20, 200)


def test_a_counter_that_goes_back_is_a_new_segment():
    state, used, _ = run(start(), interim(600, (1000, 5000)), interim(1200, (30, 70)), interim(1800, (40, 90)))

    assert used == (state.octets_in, state.octets_out) == (1040, 5090)


def test_counters_of_64_bits_go_on_beyond_the_first_word():
    _, used, _ = run(start(), interim(600, (GIGA - 1, 7 * GIGA)), interim(1200, (GIGA + 5, 9 * GIGA + 1)))

    assert used == (GIGA + 5, 9 * GIGA + 1)


def test_a_counter_of_32_bits_that_went_back_has_wrapped_once():
    _, used, _ = run(
        start(),
        interim(600, (100, GIGA - 1000), wide=False),
        interim(1200, (200, 500), wide=False),
        stop(1300, (300, 600), wide=False),
    )

    assert used == (300, GIGA + 600)


def test_counters_of_32_bits_that_both_began_anew_far_from_their_end_are_a_new_segment():
    _, used, _ = run(start(), interim(600, (1000, 5000), wide=False), interim(1200, (30, 70), wide=False))

    assert used == (1030, 5070)


def test_gigawords_left_out_of_the_stop_do_not_turn_the_counter_back():
    _, used, _ = run(start(), interim(600, (5, 3 * GIGA + 10)), stop(700, (6, 25), wide=False))

    assert used == (6, 3 * GIGA + 25)


def test_counters_that_no_port_can_carry_are_not_believed():
    absurd = {"Acct_Input_Gigawords": str(GIGA - 1), "Acct_Output_Gigawords": str(GIGA - 1)}

    state, used, _ = run(start(), interim(600, (10, 100)), interim(1200, (1, 1), **absurd), interim(1800, (20, 200)))

    assert used == (state.octets_in, state.octets_out) == (20, 200)


@pytest.mark.parametrize("first", [start(), None])
def test_counters_are_not_believed_because_the_device_lies_about_its_time_too(first):
    """Nine years at 400 Gbit/s, said minutes after the start, or by a session never heard of."""
    nine_years_s = 9 * 365 * 86400
    lie = record("Interim-Update", time=nine_years_s, octets=(2**62, 2**62), at=NOON + 600)

    assert run(*filter(None, (first, lie)))[1] == (0, 0)


def test_ten_gigabits_a_second_for_an_interval_are_believed():
    octets = 10 * 10**9 // 8 * 600

    assert run(start(), interim(600, (octets, octets)))[1] == (octets, octets)


def test_a_device_that_never_tells_the_time_is_followed_by_the_clock():
    state, used, _ = run(
        record("Start"),
        record("Interim-Update", at=NOON + 600, octets=(10, 100)),
        record("Interim-Update", at=NOON + 600, octets=(10, 100)),
        record("Stop", at=NOON + 900, octets=(20, 150)),
    )

    assert (used, state.session_time_s, state.ended_at) == ((20, 150), 900, NOON + 900)


def test_a_stop_without_counters_that_overtook_the_interims_hides_none_of_them():
    late = [interim(300, (10, 100)), interim(600, (20, 200)), interim(300, (10, 100)), interim(600, (20, 200))]

    state, used, _ = run(start(), stop(900, (0, 0)), *late, stop(900, (0, 0)))

    assert used == (20, 200)
    assert (state.live, state.ended_at) == (False, NOON + 900)


def test_a_late_record_raises_the_totals_of_a_stopped_session_and_does_not_reopen_it():
    state, used, holdings = run(
        start(Framed_IP_Address="10.0.0.1"), stop(900, (20, 150)), stop(900, (25, 160)), interim(960, (30, 170))
    )

    assert used == (30, 170)
    assert (state.live, state.ended_by, state.ended_at) == (False, SessionEnd.STOP, NOON + 960)
    assert periods(holdings) == [(0, 900), (900, 960)]


@pytest.mark.parametrize(
    "ended_by", [SessionEnd.STALE, SessionEnd.NAS_REBOOT, SessionEnd.REPLACED, SessionEnd.NOT_ON_DEVICE]
)
def test_a_session_taken_for_over_goes_on_where_it_seemed_to_end_when_it_speaks(ended_by):
    before, _, _ = run(start(Framed_IP_Address="10.0.0.1"), interim(600, (10, 100)))
    ended = end_session(before, ended_by=ended_by, terminate_cause="Lost-Carrier")
    old = fold(ended.state, interim(300, (5, 50)))
    spoken = fold(ended.state, interim(4000, (90, 900)))
    stopped = fold(spoken.state, stop(4100, (91, 901)))

    assert (ended.state.ended_at, ended.state.ended_by) == (NOON + 600, ended_by)
    assert old.state == ended.state
    assert (spoken.state.live, spoken.used_in, spoken.used_out) == (True, 80, 800)
    assert (spoken.used_since - NOON, spoken.used_until - NOON) == (600, 4000)
    assert periods(ended.holdings + spoken.holdings + stopped.holdings) == [(0, 600), (600, 4100)]


def test_the_stop_of_a_session_taken_for_over_ends_it_as_the_device_says():
    before, _, _ = run(start(Framed_IP_Address="10.0.0.1"), interim(600, (10, 100)))
    ended = end_session(before, ended_by=SessionEnd.STALE, terminate_cause="Lost-Carrier")

    stopped = fold(ended.state, stop(900, (20, 150), Acct_Terminate_Cause="NAS-Request"))

    assert (stopped.state.ended_by, stopped.state.terminate_cause) == (SessionEnd.STOP, "NAS-Request")
    assert (stopped.used_in, stopped.used_out) == (10, 50)
    assert periods(stopped.holdings) == [(600, 900)]


def test_a_prefix_that_changes_in_a_session_has_a_row_for_each_time():
    first, second = {"Delegated_IPv6_Prefix": "2001:db8:1::/56"}, {"Delegated_IPv6_Prefix": "2001:db8:2::/56"}
    _, _, holdings = run(
        start(Framed_IP_Address="10.0.0.1"),
        interim(600, (1, 1), **first),
        interim(1200, (2, 2)),
        interim(1800, (3, 3), **second),
        stop(2000, (4, 4)),
    )

    # First shown at 600 s, it has been held since the record before.
    assert periods(holdings, "2001:db8:1::/56") == [(0, 1800)]
    assert periods(holdings, "2001:db8:2::/56") == [(1800, 2000)]
    assert periods(holdings, "10.0.0.1") == [(0, 1800), (1800, 2000)]


def test_a_block_of_ports_is_held_with_its_ports():
    _, _, holdings = run(start(Alc_Nat_Port_Range='"203.0.113.5 1024-2047 x"'), stop(60, (1, 1)))

    (held,) = holdings
    assert (held.address, held.first_port, held.last_port, held.until - held.since) == ("203.0.113.5", 1024, 2047, 60)
    assert run(start(Alc_Nat_Port_Range='"203.0.113.5 1-2 x"'))[0].nat == NatBlock("203.0.113.5", 1, 2)


def test_the_interval_is_the_one_the_device_keeps():
    assert run(start(), interim(900, (1, 1)), interim(1800, (2, 2)))[0].interim_interval_s == 900
    assert run(interim(9000, (1, 1)))[0].interim_interval_s is None


def test_a_step_back_of_the_clock_neither_loses_nor_repeats_anything():
    hour_back = {"at": NOON + 1200 - 3600}

    state, used, _ = run(
        start(), interim(600, (10, 100)), record("Interim-Update", time=1200, octets=(20, 200), **hour_back)
    )

    assert used == (20, 200)
    assert state.updated_at == NOON + 600


# -------------------------------------------------------------------------------------------------------------------
# Whose record is it, without Class
# -------------------------------------------------------------------------------------------------------------------
def without_class(kind, **attributes):
    return record(kind, **{"key": None, **attributes})


def opened(kind="Interim-Update", **attributes):
    return open_session(without_class(kind, **attributes), nas_id=1, account_id=7).state


def test_the_start_tells_sessions_with_the_same_id_apart():
    first = opened(at=NOON + 600, time=600, octets=(9, 9))
    after_reboot = without_class("Interim-Update", at=NOON + 4200, time=600, octets=(1, 1))

    assert belonging(without_class("Interim-Update", at=NOON + 1203, time=1200), [first], booted_at=None) is first
    assert belonging(after_reboot, [first], booted_at=None) is None


def test_the_same_id_of_two_users_is_two_sessions():
    anna = opened(at=NOON + 600, time=600)

    assert (
        belonging(without_class("Interim-Update", at=NOON + 600, time=600, user="bruno"), [anna], booted_at=None)
        is None
    )


def test_a_step_of_the_servers_clock_does_not_make_a_new_session():
    state = opened(at=NOON + 600, time=600, octets=(10, 100))
    hour_ahead = without_class("Interim-Update", at=NOON + 1200 + 3600, time=1200, octets=(20, 200))

    assert belonging(hour_ahead, [state], booted_at=None) is state


@pytest.mark.parametrize("passed_s", [301, 600])
@pytest.mark.parametrize("step_s", [86400, -86400])
def test_an_interim_that_comes_a_little_late_after_a_step_of_the_clock_is_no_new_session(passed_s, step_s):
    """The device has kept 300 seconds so far; then it needs a second more, or an interim is lost."""
    first = opened(at=NOON + 300, time=300, octets=(10, 100))
    state = fold(first, without_class("Interim-Update", at=NOON + 600, time=600, octets=(20, 200))).state
    time_s = 600 + passed_s
    late = without_class("Interim-Update", at=NOON + time_s + step_s, time=time_s, octets=(30, 300))

    assert state.interim_interval_s == 300
    assert belonging(late, [state], booted_at=None) is state


def test_a_later_session_with_the_same_id_is_another_one_although_it_counted_more():
    """The first lost its power without a word, and the Start of the second is still on its way from another node."""
    first = opened(at=NOON + 600, time=600, octets=(10, 100), Framed_IP_Address="10.0.0.1")
    second = without_class("Interim-Update", at=NOON + 5400, time=1200, octets=(20, 200), Framed_IP_Address="10.0.0.2")

    assert belonging(second, [first], booted_at=None) is None


def test_an_earlier_session_with_the_same_id_is_another_one_although_it_counted_more():
    second = opened(at=NOON + 5400, time=600, octets=(10, 100), Framed_IP_Address="10.0.0.2")
    first = without_class("Interim-Update", at=NOON + 4200, time=1200, octets=(20, 200), Framed_IP_Address="10.0.0.1")

    assert belonging(first, [second], booted_at=None) is None


def test_a_session_that_began_after_a_stop_is_another_one():
    ended = opened("Stop", at=NOON + 60, time=60, octets=(1, 1))

    assert belonging(without_class("Start", at=NOON + 90), [ended], booted_at=None) is None
    assert belonging(without_class("Start", at=NOON + 61, Acct_Delay_Time="61"), [ended], booted_at=None) is ended


def test_a_stop_resent_for_an_hour_without_saying_so_is_still_the_same_stop():
    ended = opened("Stop", at=NOON + 60, time=60, octets=(1, 2))

    assert belonging(without_class("Stop", at=NOON + 3660, time=60, octets=(1, 2)), [ended], booted_at=None) is ended
    assert belonging(without_class("Stop", at=NOON + 3660, time=60, octets=(1, 3)), [ended], booted_at=None) is None


def test_a_session_that_began_after_a_boot_is_another_one_however_close():
    before = opened("Start", at=NOON)

    assert belonging(without_class("Start", at=NOON + 100), [before], booted_at=NOON + 50) is None
    assert belonging(without_class("Start", at=NOON + 100), [before], booted_at=None) is before


@pytest.mark.parametrize("time_s", [0, None])
def test_a_record_of_the_first_second_is_of_its_session_though_its_delay_was_rounded_up(time_s):
    """The Stop of a session of no length was resent and says its delay in whole seconds: it seems to come before the Start."""
    state = opened("Start", at=NOON)
    time = {} if time_s is None else {"time": time_s}

    assert belonging(without_class("Stop", at=NOON - 1, **time), [state], booted_at=None) is state
    assert belonging(without_class("Stop", at=NOON - 60, **time), [state], booted_at=None) is None


def test_a_late_stop_that_says_no_time_is_rather_of_the_session_before_than_of_one_that_began_since():
    before = opened("Stop", at=NOON - 3, time=90)
    since = opened("Start", at=NOON)
    resent = without_class("Stop", at=NOON - 3)

    assert belonging(resent, [since, before], booted_at=None) is before
    assert not is_sure(resent, since)


def test_a_stop_that_says_no_time_is_of_the_session_that_is_on():
    old = opened("Stop", at=NOON - 9000, time=60)
    live = opened(at=NOON + 600, time=600)

    assert belonging(without_class("Stop", at=NOON + 7000), [old, live], booted_at=None) is live


# -------------------------------------------------------------------------------------------------------------------
# Streams with faults against an oracle that only knows what the device knew
# -------------------------------------------------------------------------------------------------------------------
@st.composite
def lives(draw):
    """What a device truly counted at each of its records: (time, in, out), never going back."""
    gaps = draw(st.lists(st.integers(60, 4000), min_size=1, max_size=8))
    steps = draw(
        st.lists(st.tuples(st.integers(0, 3 * GIGA), st.integers(0, 3 * GIGA)), min_size=len(gaps), max_size=len(gaps))
    )
    moment, total_in, total_out, moments = 0, 0, 0, [(0, 0, 0)]
    for gap, (step_in, step_out) in zip(gaps, steps, strict=True):
        moment, total_in, total_out = moment + gap, total_in + step_in, total_out + step_out
        moments.append((moment, total_in, total_out))
    return moments


def as_records(moments, *, stopped, wide=True):
    kinds = ["Start"] + ["Interim-Update"] * (len(moments) - 1)
    if stopped:
        kinds[-1] = "Stop"
    return [
        record(kind, at=NOON + time_s, time=time_s, octets=(octets_in, octets_out), wide=wide)
        for kind, (time_s, octets_in, octets_out) in zip(kinds, moments, strict=True)
    ]


@settings(max_examples=100)
@given(lives(), st.booleans(), st.data())
def test_in_any_order_and_number_the_records_that_came_are_counted_once(moments, stopped, data):
    records = as_records(moments, stopped=stopped)
    came = data.draw(st.lists(st.integers(0, len(records) - 1), min_size=1, max_size=3 * len(records)))

    state, used, _ = run(*(records[number] for number in came))

    latest = moments[max(came)]
    assert used == (state.octets_in, state.octets_out) == latest[1:]
    assert state.session_time_s == latest[0]
    assert state.started_at == NOON
    assert state.live == (not stopped or len(records) - 1 not in came)


@settings(max_examples=60)
@given(lives(), st.data())
def test_a_device_of_32_bits_is_counted_right_while_it_wraps_once_in_an_interval(moments, data):
    # Less than half a word an interval, so that a wrap can be told from a reset.
    small = [(t, a * 2 // 13 + t, b * 2 // 13 + t) for t, a, b in moments]
    records = as_records(small, stopped=False, wide=False)
    came = [number for number in range(len(records)) for _ in range(data.draw(st.integers(1, 2)))]

    _, used, _ = run(*(records[number] for number in came))

    assert used == small[-1][1:]


@settings(max_examples=60)
@given(st.lists(lives(), min_size=1, max_size=3), st.data())
def test_a_counter_begun_anew_adds_up_over_its_segments(segments, data):
    """Each segment reports less at first than the one before at last; some records are lost, some come twice."""
    records, expected, before, offset = [], [0, 0], (0, 0), 0
    for number, moments in enumerate(segments):
        counted = [(t, a + 1, b + 1) for t, a, b in moments[1:]]
        if number and not (counted[0][1] < before[0] and counted[0][2] < before[1]):
            break
        for time_s, octets_in, octets_out in counted:
            one = interim(offset + time_s, (octets_in, octets_out))
            records += [one] * data.draw(st.integers(1, 2))
        expected = [expected[0] + counted[-1][1], expected[1] + counted[-1][2]]
        before, offset = counted[-1][1:], offset + counted[-1][0] + 60

    state, used, _ = run(*records)

    assert list(used) == expected == [state.octets_in, state.octets_out]


@settings(max_examples=60)
@given(
    lives(), st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", None]), min_size=9, max_size=9), st.data()
)
def test_what_a_session_held_has_no_gap_and_no_overlap(moments, addresses, data):
    kinds = ["Start"] + ["Interim-Update"] * (len(moments) - 2) + ["Stop"]
    silent = data.draw(st.sets(st.integers(1, 8)))
    states = None
    holdings = []
    for number, (kind, (time_s, octets_in, octets_out)) in enumerate(zip(kinds, moments, strict=True)):
        address = {} if addresses[number] is None else {"Framed_IP_Address": addresses[number]}
        one = record(kind, at=NOON + time_s, time=time_s, octets=(octets_in, octets_out), **address)
        folded = open_session(one, nas_id=1, account_id=7) if states is None else fold(states, one)
        states = folded.state
        holdings += folded.holdings
        if number in silent and states.live:
            ended = end_session(states, ended_by=SessionEnd.STALE, terminate_cause="Lost-Carrier")
            states = ended.state
            holdings += ended.holdings

    assert not states.live
    for before, after in pairwise(holdings):
        assert before.until == after.since
    if holdings:
        assert holdings[-1].until == NOON + moments[-1][0]
    known = [address for address in addresses[: len(moments)] if address is not None]
    assert [h.address for h in holdings][-1:] == known[-1:]
