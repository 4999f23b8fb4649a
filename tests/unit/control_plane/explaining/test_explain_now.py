"""The chain of reasons, in words."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from control_plane.explaining.explain_now import reasons, step_words, steps_of
from control_plane.store.account import Account
from control_plane.store.limits import ReliefRow, RestrictionRow
from control_plane.store.plan import Profile
from radius_hooks.policy_records import Level, PolicyStep

ROME = ZoneInfo("Europe/Rome")
AT = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def profile(number: int, name: str, down_bps: int | None, up_bps: int | None) -> Profile:
    return Profile(
        **{field: None for field in Profile.__slots__}
        | {"id": number, "name": name, "rate_down_bps": down_bps, "rate_up_bps": up_bps}
    )


PROFILES = {
    1: profile(1, "Home 300", 300_000_000, 30_000_000),
    2: profile(2, "Slow", 2_000_000, 1_000_000),
    3: profile(3, "Payment pages", None, None),
}
ANNA = Account(
    id=17,
    username="anna@isp.example",
    contract_id=7,
    customer_id=5,
    customer="Anna Rossi",
    plan="Home",
    status="active",
    starts_on=date(2026, 1, 1),
    ends_on=None,
    profile_id=1,
    throttle_profile_id=2,
    walled_profile_id=3,
    quota_octets=500_000_000_000,
    secret_kind="clear",
    expires_at=None,
    max_sessions=1,
    macs=[],
    circuit_ids=[],
    nas_names=[],
    own_attributes=[],
    quota_exhausted_until=None,
    created_at=at("2026-01-01T00:00Z"),
)
WALLED = RestrictionRow(4, "dunning", "walled", "invoice 12 unpaid", "job dunning", at("2026-01-29T23:00Z"), None)
PROMISE = ReliefRow(2, at("2026-01-30T09:00Z"), at("2026-02-02T17:40Z"), "pays on Monday", "maria")


def why(account=ANNA, restrictions=(), reliefs=()):
    return reasons(account, restrictions, reliefs, at=AT, zone=ROME)


def first_step(account=ANNA, restrictions=(), reliefs=()):
    return step_words(steps_of(account, restrictions, reliefs, at=AT, zone=ROME)[0], PROFILES)


def test_full_service_is_said_with_profile_and_rates():
    assert first_step() == "full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)"
    assert why() == ["contract 7 of Anna Rossi is active from 2026-01-01, plan Home"]


def test_a_walled_contract_names_who_limits_it_and_why():
    assert first_step(restrictions=[WALLED]) == "walled garden, profile Payment pages (no rate limit)"
    assert why(restrictions=[WALLED])[1:] == [
        "restriction 4: walled (dunning) since 2026-01-30 00:00:00 CET, placed by job dunning: invoice 12 unpaid"
    ]


def test_a_relief_is_named_and_so_is_what_it_makes_not_count():
    assert first_step(restrictions=[WALLED], reliefs=[PROMISE]).startswith("full service")
    assert why(restrictions=[WALLED], reliefs=[PROMISE])[1:] == [
        "restriction 4: walled (dunning) since 2026-01-30 00:00:00 CET, placed by job dunning: invoice 12 unpaid, "
        "does not count during the relief",
        "relief until 2026-02-02 18:40:00 CET, granted by maria: pays on Monday",
    ]


def test_a_relief_does_not_touch_a_restriction_of_another_origin():
    abuse = replace(WALLED, origin="abuse")
    assert first_step(restrictions=[abuse], reliefs=[PROMISE]).startswith("walled garden")
    assert "does not count" not in " ".join(why(restrictions=[abuse], reliefs=[PROMISE]))


def test_what_is_not_in_force_yet_or_any_more_is_no_reason():
    later = replace(WALLED, since=at("2026-01-30T12:01Z"))
    over = replace(WALLED, until=at("2026-01-30T11:59Z"))
    assert len(why(restrictions=[later, over], reliefs=[replace(PROMISE, start=at("2026-01-31T00:00Z"))])) == 1


def test_a_quota_used_up_and_an_expiry_are_reasons():
    limited = replace(ANNA, quota_exhausted_until=at("2026-01-31T23:00Z"), expires_at=at("2026-01-30T11:00Z"))
    assert first_step(limited) == "throttled: quota used up, profile Slow (down 2 Mbit/s, up 1 Mbit/s)"
    assert why(limited)[1:] == [
        "quota of 500 GB used up until 2026-02-01 00:00:00 CET",
        "the account expired at 2026-01-30 12:00:00 CET",
    ]


def test_refusals_say_why_once():
    blocked = replace(WALLED, origin="legal", level="blocked", reason="court order")
    assert first_step(restrictions=[blocked]) == "blocked: legal: court order"
    assert first_step(replace(ANNA, status="pending")) == "no service: contract waits for activation"


def test_a_profile_that_is_gone_is_said():
    assert (
        step_words(PolicyStep(0, Level.THROTTLE, "throttled", 9), PROFILES)
        == "throttled, profile 9, which does not exist"
    )


def test_the_hours_of_a_plan_and_a_change_to_come_are_said_and_are_steps():
    night = replace(ANNA, plan_windows=[["13:00:00", "14:00:00", 2]])
    # Noon UTC is 13:00 in Rome.
    assert first_step(night) == "full service, hours 13:00-14:00, profile Slow (down 2 Mbit/s, up 1 Mbit/s)"
    assert why(night)[1:] == ["plan Home gives another profile at the hours 13:00-14:00 of each day"]
    changing = replace(ANNA, plan_changes=[["2026-01-30", "Big", "maria", [2, 2, 3, []]]])
    assert first_step(changing) == "full service, plan from 2026-01-30, profile Slow (down 2 Mbit/s, up 1 Mbit/s)"
    assert why(changing)[1:] == ["plan Big from 2026-01-30, placed by maria"]


def test_a_top_up_in_force_is_a_reason_and_one_to_come_is_not():
    bought = [50_000_000_000, "2026-01-29T00:00:00+00:00", "2026-01-31T23:00:00+00:00", "bought", "maria"]
    later = [1, "2026-01-31T00:00:00+00:00", "2026-01-31T23:00:00+00:00", "bought", "maria"]
    assert why(replace(ANNA, topups=[bought, later]))[1:] == [
        "top-up of 50.0 GB until 2026-02-01 00:00:00 CET, placed by maria: bought"
    ]
