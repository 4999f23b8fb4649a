"""What would be done in time to come: the steps of a policy, why each comes, and what the guard makes of many."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from control_plane.control_loop.guard import GuardLimits, Situation
from control_plane.explaining.forecast import Coming, Tally, coming_steps, judge, why_at
from control_plane.policy.access_policy import (
    AccessFacts,
    ContractStatus,
    Origin,
    PlanProfiles,
    Relief,
    Restriction,
    Severity,
    policy_steps,
)
from radius_hooks.policy_records import Level, PolicyStep

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
THREE = GuardLimits(share_percent=2.0, never_less_than=3)
FULL, WALLED = PolicyStep(0, Level.FULL, "full", 1), PolicyStep(0, Level.WALLED, "walled_garden", 3)


def facts(**given) -> AccessFacts:
    return AccessFacts(status=ContractStatus.ACTIVE, plan=PlanProfiles(1, 2, 3), **given)


def dunned(*, until=None) -> Restriction:
    return Restriction(Origin.DUNNING, Severity.WALLED, "invoice 12", NOW - timedelta(days=9), until)


def coming(given: AccessFacts, *, days: int, expires_at=None):
    steps = policy_steps(given, now=NOW, zone=ROME)
    found = coming_steps(steps, expires_at=expires_at, now=NOW, until=NOW + timedelta(days=days))
    return [
        (at, before.level.name, after.level.name, why_at(given, at, expires_at=expires_at, zone=ROME))
        for at, before, after in found
    ]


def test_a_relief_that_ends_and_a_contract_that_ends_are_foretold_at_their_minute():
    given = facts(
        restrictions=(dunned(),),
        reliefs=(Relief(NOW - timedelta(days=1), datetime(2026, 2, 2, 17, 40, tzinfo=UTC)),),
        ends_on=date(2026, 2, 4),
    )
    ends = (datetime(2026, 2, 2, 17, 40, tzinfo=UTC), "FULL", "WALLED", "the relief ends")
    # Midnight in Rome is 23:00 UTC in winter.
    over = (datetime(2026, 2, 3, 23, 0, tzinfo=UTC), "WALLED", "NONE", "the contract ends")

    assert coming(given, days=1) == []
    assert coming(given, days=2) == [ends]
    assert coming(given, days=3) == [ends, over]


def test_a_restriction_s_end_and_the_quota_month_give_back():
    given = facts(restrictions=(dunned(until=NOW + timedelta(hours=5)),))
    [(at, before, after, why)] = coming(given, days=1)
    assert (at - NOW, before, after) == (timedelta(hours=5), "WALLED", "FULL")
    assert why == "restriction (dunning, walled: invoice 12) ends"

    [(_, before, after, why)] = coming(facts(quota_exhausted_until=NOW + timedelta(hours=1)), days=1)
    assert (before, after, why) == ("THROTTLE", "FULL", "the quota month turns")


def test_an_account_that_expires_ends_everything_and_one_that_has_expired_has_nothing_to_come():
    given = facts(restrictions=(dunned(until=NOW + timedelta(hours=5)),))
    at = NOW + timedelta(hours=2)
    assert coming(given, days=1, expires_at=at) == [(at, "WALLED", "NONE", "the account expires")]
    assert coming(given, days=1, expires_at=NOW) == []


def cut(number: int, at: datetime, **given) -> Coming:
    return Coming(at, number, f"user{number:04}", 1, FULL, WALLED, "the relief ends", **given)


def waits(changes, *, live=100, gone=(), tripped="", situation=None, over=None):
    tally = Tally(live=live, tripped=tripped)
    tally.gone.extend(gone)
    return [one.waits for one in judge(changes, tally, THREE, situation or Situation(), over or {})]


def test_of_many_at_one_moment_all_wait_and_so_does_all_that_comes_after():
    at = NOW + timedelta(hours=1)
    many = [cut(number, at) for number in range(4)]
    words = "waits for a person: 4 of 100 subscribers online in an hour, more than 3 (the least that may always go)"

    assert waits(many[:3]) == [""] * 3
    assert waits([*many, cut(9, at + timedelta(days=2))]) == [words] * 5


def test_the_hour_slides():
    at = NOW + timedelta(hours=1)
    three = [cut(number, at) for number in range(3)]
    assert waits([*three, cut(9, at + timedelta(minutes=60))]) == [""] * 4
    assert waits([*three, cut(9, at + timedelta(minutes=59))])[3].startswith("waits for a person: 4 of 100")
    # The same subscriber again takes no second place.
    assert waits([*three, cut(1, at + timedelta(minutes=5))]) == [""] * 4


def test_who_was_cut_within_the_hour_before_counts():
    gone = [(NOW - timedelta(minutes=30), number) for number in (50, 51, 52)]
    assert waits([cut(1, NOW + timedelta(minutes=29))], gone=gone)[0].startswith("waits for a person")
    assert waits([cut(1, NOW + timedelta(minutes=30))], gone=gone) == [""]


def test_what_restores_a_person_s_cut_and_an_exempt_contract_do_not_ask_the_share():
    at = NOW + timedelta(hours=1)
    restore = Coming(at, 1, "user0001", 1, WALLED, FULL, "the relief begins")
    assert waits([restore, cut(2, at, by_person=True)], tripped="tripped") == ["", ""]
    assert waits([cut(2, at, exempt="contract exempt by maria: hospital")]) == ["contract exempt by maria: hospital"]


@pytest.mark.parametrize(("minutes", "waiting"), [(59, "in maintenance"), (60, "")])
def test_maintenance_holds_until_it_ends_by_itself_and_a_stop_without_end(minutes, waiting):
    at = NOW + timedelta(minutes=minutes)
    situation = Situation(maintenance={1: "in maintenance"})
    assert waits([cut(1, at)], situation=situation, over={1: NOW + timedelta(minutes=60)}) == [waiting]
    assert waits([cut(1, at)], situation=situation) == ["in maintenance"]
    assert waits([cut(1, at)], situation=Situation(stop="stopped by maria")) == ["stopped by maria"]
