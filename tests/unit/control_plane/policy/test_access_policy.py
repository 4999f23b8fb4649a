"""The level of an account over time, against a naive minute-by-minute reading of the rule."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.policy.access_policy import (
    AccessFacts,
    ContractStatus,
    Origin,
    PlanChange,
    PlanProfiles,
    Relief,
    Restriction,
    Severity,
    policy_steps,
)
from control_plane.policy.plan_hours import PlanWindow
from radius_hooks.decision import step_at
from radius_hooks.policy_store import Level, PolicyStep

ROME = ZoneInfo("Europe/Rome")
PLAN = PlanProfiles(full=1, throttle=2, walled=3)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def facts(status=ContractStatus.ACTIVE, **more):
    return AccessFacts(status=status, plan=PLAN, **more)


def steps(given_facts, *, now=NOON, zone=ROME):
    return policy_steps(given_facts, now=now, zone=zone)


def epoch(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp())


def restriction(origin, severity, *, since=NOON - timedelta(days=1), until=None, reason="because"):
    return Restriction(origin, severity, reason, since, until)


@pytest.mark.parametrize("status", [ContractStatus.ACTIVE, ContractStatus.TRIAL, ContractStatus.FREE])
def test_a_contract_in_service_without_limits_gets_its_plan_for_ever(status):
    assert steps(facts(status)) == (PolicyStep(0, Level.FULL, "full", 1),)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ContractStatus.DRAFT, "contract is a draft"),
        (ContractStatus.PROPOSAL, "contract is a proposal"),
        (ContractStatus.PENDING, "contract waits for activation"),
        (ContractStatus.ENDED, "contract ended"),
        (ContractStatus.CANCELLED, "contract cancelled"),
    ],
)
def test_a_contract_out_of_service_gets_nothing_whatever_else_holds(status, reason):
    assert steps(facts(status, reliefs=(Relief(NOON, NOON + timedelta(days=2)),))) == (
        PolicyStep(0, Level.NONE, reason, 0),
    )


def test_the_end_date_counts_from_midnight_of_the_billing_zone():
    # 29 March 2026 is the day the clock goes forward in Rome: midnight of the 30th is 22:00 UTC, not 23:00.
    assert steps(facts(ends_on=date(2026, 3, 30))) == (
        PolicyStep(epoch(2026, 3, 29, 22), Level.FULL, "full", 1),
        PolicyStep(0, Level.NONE, "contract ended", 0),
    )


def test_service_does_not_begin_before_the_start_date():
    assert steps(facts(starts_on=date(2026, 3, 12))) == (
        PolicyStep(epoch(2026, 3, 11, 23), Level.NONE, "contract starts on 2026-03-12", 0),
        PolicyStep(0, Level.FULL, "full", 1),
    )


def test_the_heaviest_restriction_decides_and_a_block_says_who_and_why():
    given_facts = facts(
        restrictions=(
            restriction(Origin.DUNNING, Severity.THROTTLE),
            restriction(Origin.ABUSE, Severity.BLOCKED, reason="open mail\nrelay"),
            restriction(Origin.ADMIN, Severity.WALLED),
        )
    )
    assert steps(given_facts) == (PolicyStep(0, Level.BLOCKED, "blocked: abuse: open mail relay", 0),)


def test_a_relief_hides_dunning_until_its_minute_and_nothing_else():
    given_facts = facts(
        restrictions=(
            restriction(Origin.DUNNING, Severity.BLOCKED, reason="invoice 7"),
            restriction(Origin.ADMIN, Severity.THROTTLE),
        ),
        reliefs=(Relief(NOON - timedelta(hours=1), datetime(2026, 3, 11, 18, 40, tzinfo=UTC)),),
    )
    assert steps(given_facts) == (
        PolicyStep(epoch(2026, 3, 11, 18, 40), Level.THROTTLE, "throttled", 2),
        PolicyStep(0, Level.BLOCKED, "blocked: dunning: invoice 7", 0),
    )


def test_a_restriction_to_come_and_one_that_ends_are_steps():
    given_facts = facts(
        restrictions=(
            restriction(
                Origin.CUSTOMER_PAUSE, Severity.WALLED, since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=2)
            ),
        )
    )
    assert steps(given_facts) == (
        PolicyStep(epoch(2026, 3, 10, 13), Level.FULL, "full", 1),
        PolicyStep(epoch(2026, 3, 10, 14), Level.WALLED, "walled_garden", 3),
        PolicyStep(0, Level.FULL, "full", 1),
    )


def test_a_used_up_quota_throttles_until_it_is_reset_but_yields_to_a_restriction():
    reset = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    assert steps(facts(quota_exhausted_until=reset)) == (
        PolicyStep(epoch(2026, 3, 31, 22), Level.THROTTLE, "quota_used_up", 2),
        PolicyStep(0, Level.FULL, "full", 1),
    )
    walled = facts(quota_exhausted_until=reset, restrictions=(restriction(Origin.DUNNING, Severity.WALLED),))
    assert steps(walled) == (PolicyStep(0, Level.WALLED, "walled_garden", 3),)


def test_a_change_within_a_second_counts_from_the_next_whole_one():
    until = NOON + timedelta(seconds=5, microseconds=1)
    given_facts = facts(restrictions=(restriction(Origin.ADMIN, Severity.THROTTLE, until=until),))
    assert steps(given_facts)[0].until == int(NOON.timestamp()) + 6


def test_bounds_that_change_nothing_make_no_step():
    given_facts = facts(
        restrictions=(
            restriction(Origin.DUNNING, Severity.WALLED),
            restriction(Origin.ADMIN, Severity.WALLED, until=NOON + timedelta(days=1)),
        ),
        reliefs=(Relief(NOON + timedelta(hours=2), NOON + timedelta(hours=3)),),
    )
    assert steps(given_facts) == (PolicyStep(0, Level.WALLED, "walled_garden", 3),)


def test_a_long_reason_is_cut():
    blocked = facts(restrictions=(restriction(Origin.LEGAL, Severity.BLOCKED, reason="x" * 5000),))
    assert len(steps(blocked)[0].reason) == 200


# --- hours and dated changes of the plan ------------------------------------------------------------------------

NIGHT = PlanWindow(time(22), time(6), 9)
NIGHT_PLAN = PlanProfiles(full=1, throttle=2, walled=3, windows=(NIGHT,))
BIGGER = PlanProfiles(full=11, throttle=12, walled=13)


def night_facts(**more):
    return AccessFacts(status=ContractStatus.ACTIVE, plan=NIGHT_PLAN, **more)


def test_the_night_profile_comes_and_goes_with_the_clock_of_the_zone_for_two_days():
    # Noon UTC of 10 March is 13:00 in Rome; the nights that begin on the 10th, 11th and 12th are known.
    day, night = (Level.FULL, "full", 1), (Level.FULL, "hours 22:00-06:00", 9)
    assert steps(night_facts()) == (
        PolicyStep(epoch(2026, 3, 10, 21), *day),
        PolicyStep(epoch(2026, 3, 11, 5), *night),
        PolicyStep(epoch(2026, 3, 11, 21), *day),
        PolicyStep(epoch(2026, 3, 12, 5), *night),
        PolicyStep(epoch(2026, 3, 12, 21), *day),
        PolicyStep(epoch(2026, 3, 13, 5), *night),
        PolicyStep(0, *day),
    )


def test_in_the_small_hours_the_night_that_began_yesterday_is_in_force():
    small_hours = datetime(2026, 3, 10, 3, 30, tzinfo=UTC)
    first = steps(night_facts(), now=small_hours)[0]
    assert first == PolicyStep(epoch(2026, 3, 10, 5), Level.FULL, "hours 22:00-06:00", 9)


def test_a_throttle_is_not_lifted_by_the_night_and_a_block_makes_no_steps_of_it():
    throttled = night_facts(restrictions=(restriction(Origin.DUNNING, Severity.THROTTLE),))
    assert steps(throttled) == (PolicyStep(0, Level.THROTTLE, "throttled", 2),)
    blocked = night_facts(restrictions=(restriction(Origin.LEGAL, Severity.BLOCKED),))
    assert steps(blocked) == (PolicyStep(0, Level.BLOCKED, "blocked: legal: because", 0),)


def test_a_relief_that_ends_in_the_night_ends_the_night_profile_with_it():
    given_facts = night_facts(
        restrictions=(restriction(Origin.DUNNING, Severity.WALLED),),
        reliefs=(Relief(NOON - timedelta(hours=1), datetime(2026, 3, 10, 23, tzinfo=UTC)),),
    )
    assert steps(given_facts) == (
        PolicyStep(epoch(2026, 3, 10, 21), Level.FULL, "full", 1),
        PolicyStep(epoch(2026, 3, 10, 23), Level.FULL, "hours 22:00-06:00", 9),
        PolicyStep(0, Level.WALLED, "walled_garden", 3),
    )


def test_a_dated_plan_change_counts_from_midnight_of_the_zone_and_brings_all_of_its_profiles():
    # 30 March 2026 begins in Rome at 22:00 UTC, a day after its clock went forward.
    change = PlanChange(date(2026, 3, 30), BIGGER)
    assert steps(facts(plan_changes=(change,))) == (
        PolicyStep(epoch(2026, 3, 29, 22), Level.FULL, "full", 1),
        PolicyStep(0, Level.FULL, "plan from 2026-03-30", 11),
    )
    walled = facts(plan_changes=(change,), restrictions=(restriction(Origin.ADMIN, Severity.WALLED),))
    assert steps(walled) == (
        PolicyStep(epoch(2026, 3, 29, 22), Level.WALLED, "walled_garden", 3),
        PolicyStep(0, Level.WALLED, "walled_garden", 13),
    )


def test_of_several_dated_changes_the_last_that_has_begun_is_in_force_whether_the_contract_says_so_yet_or_not():
    changes = (PlanChange(date(2026, 3, 1), BIGGER), PlanChange(date(2026, 3, 11), PLAN))
    assert steps(facts(plan_changes=changes)) == (
        PolicyStep(epoch(2026, 3, 10, 23), Level.FULL, "plan from 2026-03-01", 11),
        PolicyStep(0, Level.FULL, "plan from 2026-03-11", 1),
    )


def test_the_hours_of_a_plan_end_where_another_plan_begins():
    change = PlanChange(date(2026, 3, 11), BIGGER)
    assert steps(night_facts(plan_changes=(change,))) == (
        PolicyStep(epoch(2026, 3, 10, 21), Level.FULL, "full", 1),
        PolicyStep(epoch(2026, 3, 10, 23), Level.FULL, "hours 22:00-06:00", 9),
        PolicyStep(0, Level.FULL, "plan from 2026-03-11", 11),
    )


# --- the oracle -----------------------------------------------------------------------------------------------

# Havana falls back at 01:00 to 00:00, so a day begins twice; Cairo and Asuncion spring forward at midnight.
ZONES = [
    ZoneInfo(name) for name in ("Europe/Rome", "America/Havana", "Africa/Cairo", "America/Asuncion", "Asia/Kolkata")
]
# Around the last Sundays of March and October and the first of November, when those clocks change.
STARTS = [datetime(2023, *day, tzinfo=UTC) for day in ((3, 10), (3, 24), (4, 26), (10, 24), (11, 3))]
MINUTES = 4 * 24 * 60

offsets = st.integers(-600, MINUTES + 600)
spans = st.tuples(offsets, st.integers(1, 3000))


def drawn_restriction(base):
    def build(span, has_end, origin, severity):
        since = base + timedelta(minutes=span[0])
        return Restriction(
            origin, severity, origin.value, since, since + timedelta(minutes=span[1]) if has_end else None
        )

    return st.builds(build, spans, st.booleans(), st.sampled_from(Origin), st.sampled_from(Severity))


@st.composite
def drawn_plan(draw, base):
    """A plan whose profiles are numbered from `base`, with up to two windows that do not overlap."""
    cuts = sorted(draw(st.lists(st.integers(0, 1439), min_size=4, max_size=4, unique=True)))
    count, rotated = draw(st.integers(0, 2)), draw(st.booleans())
    cuts = cuts[1:] + cuts[:1] if rotated else cuts
    times = [time(cut // 60, cut % 60) for cut in cuts]
    windows = [PlanWindow(times[0], times[1], base + 7), PlanWindow(times[2], times[3], base + 8)]
    return PlanProfiles(base + 1, base + 2, base + 3, tuple(windows[:count]))


@st.composite
def drawn_cases(draw):
    base, zone = draw(st.sampled_from(STARTS)), draw(st.sampled_from(ZONES))
    days = st.none() | st.integers(-2, 6).map(lambda n: (base + timedelta(days=n)).date())
    reliefs = draw(st.lists(spans, max_size=2))
    quota = draw(st.none() | offsets)
    changes = sorted(draw(st.lists(st.integers(-3, 6), max_size=2, unique=True)))
    return base, zone, AccessFacts(
        status=draw(st.sampled_from([*ContractStatus, *[ContractStatus.ACTIVE] * 20])),
        plan=draw(drawn_plan(0)),
        plan_changes=tuple(
            PlanChange((base + timedelta(days=n)).date(), draw(drawn_plan(100 * k))) for k, n in enumerate(changes, 1)
        ),
        starts_on=draw(days),
        ends_on=draw(days),
        restrictions=tuple(draw(st.lists(drawn_restriction(base), max_size=4))),
        reliefs=tuple(Relief(base + timedelta(minutes=a), base + timedelta(minutes=a + n)) for a, n in reliefs),
        quota_exhausted_until=None if quota is None else base + timedelta(minutes=quota),
    )  # fmt: skip


def naive_level(case, when, zone, base):
    """The rule of the billing model read out loud for one minute, as one word."""
    today = when.astimezone(zone).date()
    if case.status.value not in {"trial", "active", "free"}:
        return "none"
    if case.ends_on and today >= case.ends_on:
        return "none"
    if case.starts_on and today < case.starts_on:
        return "none"
    relief = [r for r in case.reliefs if r.start <= when and when < r.end]
    found = "full"
    for word in ("throttle", "walled", "blocked"):
        for one in case.restrictions:
            begun = one.since <= when
            over = one.until is not None and when >= one.until
            ignored = relief and one.origin.value == "dunning"
            if one.severity.value == word and begun and not over and not ignored:
                found = word
    if found == "full" and case.quota_exhausted_until and when < case.quota_exhausted_until:
        found = "quota"
    if found == "blocked":
        return found
    plan = case.plan
    for change in case.plan_changes:
        if today >= change.effective_on:
            plan = change.plan
    if found == "full":
        return naive_profile(plan, when, zone, base)
    return f"{found} {plan.walled if found == 'walled' else plan.throttle}"


def naive_profile(plan, when, zone, base):
    """Which profile the plan means in full: walk back over the minutes to the last clock time that begins or ends a window.

    Windows are known that begin from the day before `base` until two days after it.
    """
    first_day = base.astimezone(zone).date() - timedelta(days=1)
    for window in plan.windows:
        for number in range(4):
            day = first_day + timedelta(days=number)
            last = day if window.begins < window.ends else day + timedelta(days=1)
            begun = shown_by_then(when, zone, day, window.begins)
            if begun and not shown_by_then(when, zone, last, window.ends):
                return f"full {window.profile_id}"
    return f"full {plan.full}"


def shown_by_then(when, zone, day, at):
    """Whether the clock has shown that time of that day, or a later one, at some minute until `when`."""
    return latest_shown(when, zone) >= datetime.combine(day, at)


@cache
def latest_shown(when, zone):
    # A clock is never set back by more than an hour, so older minutes show nothing later than these.
    return max(shown_at(when - timedelta(minutes=back), zone) for back in range(62))


@cache
def shown_at(minute, zone):
    return minute.astimezone(zone).replace(tzinfo=None)


WORDS = {
    (Level.THROTTLE, "throttled"): "throttle",
    (Level.THROTTLE, "quota_used_up"): "quota",
    (Level.WALLED, "walled_garden"): "walled",
}


def word_of(step):
    if step.level is Level.NONE:
        return "none"
    if step.level is Level.BLOCKED:
        assert step.reason.startswith("blocked: ")
        return "blocked"
    if step.level is Level.FULL:
        assert step.reason == "full" or step.reason.startswith(("hours ", "plan from "))
        return f"full {step.profile_id}"
    return f"{WORDS[(step.level, step.reason)]} {step.profile_id}"


@settings(max_examples=60, deadline=None)
@given(drawn_cases())
def test_the_step_in_force_is_the_level_that_the_rule_gives_at_every_minute(drawn):
    base, zone, case = drawn
    found = policy_steps(case, now=base, zone=zone)
    for minute in range(MINUTES):
        when = base + timedelta(minutes=minute)
        assert word_of(step_at(found, when.timestamp())) == naive_level(case, when, zone, base), when


@settings(max_examples=300, deadline=None)
@given(drawn_cases())
def test_steps_are_in_order_end_open_and_none_repeats_the_one_before(drawn):
    base, zone, case = drawn
    found = policy_steps(case, now=base, zone=zone)
    assert found[-1].until == 0
    ends = [step.until for step in found[:-1]]
    assert ends == sorted(set(ends))
    assert all(end > base.timestamp() for end in ends)
    assert all(word_of(a) != word_of(b) or a.reason != b.reason for a, b in pairwise(found))


@settings(max_examples=200, deadline=None)
@given(drawn_cases(), st.integers(0, MINUTES))
def test_published_later_the_steps_say_the_same_of_what_is_then_to_come(drawn, minutes):
    base, zone, case = drawn
    later = base + timedelta(minutes=minutes)
    early, late = policy_steps(case, now=base, zone=zone), policy_steps(case, now=later, zone=zone)
    windows = case.plan.windows or any(change.plan.windows for change in case.plan_changes)
    # The hours of a plan are known for 48 hours from when the steps were made.
    known = timedelta(hours=48) if windows else timedelta(days=9)
    for hour in range(0, 24 * 5):
        when = later + timedelta(hours=hour)
        if when < base + known:
            assert word_of(step_at(early, when.timestamp())) == word_of(step_at(late, when.timestamp()))


def test_accounts_that_began_on_different_past_days_and_have_nothing_of_their_own_share_one_answer():
    first = policy_steps(facts(starts_on=date(2020, 1, 1)), now=NOON, zone=ROME)
    second = policy_steps(facts(starts_on=date(2021, 5, 9)), now=NOON, zone=ROME)

    assert first is second
    assert [step.level for step in first] == [Level.FULL]


def test_one_that_is_still_to_begin_does_not_share_the_answer_of_those_who_have():
    begun = policy_steps(facts(starts_on=date(2020, 1, 1)), now=NOON, zone=ROME)
    to_come = policy_steps(facts(starts_on=date(2099, 1, 1)), now=NOON, zone=ROME)

    assert [step.level for step in to_come] == [Level.NONE, Level.FULL]
    assert begun is not to_come
