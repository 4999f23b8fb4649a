"""The policies of the billing model day by day: dates worked out by hand on a printed calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from support.dunning_policies import ECUADOR, ITALY, policy_of

from billing.contract_facts import Level, Origin
from billing.documents import Due
from billing.dunning.debt import OpenDocument
from billing.dunning.facts import Exclusion, ExclusionKind, Facts, InForce, Respite
from billing.dunning.simulation import applied, cuts_until, happenings
from billing.money import Money, zero

ROME, QUITO = ZoneInfo("Europe/Rome"), ZoneInfo("America/Guayaquil")


def document(number, due, cents=3000, currency="EUR", contracts=(1,)):
    parts = (Due(date.fromisoformat(due), Money(cents, currency)),)
    return OpenDocument(number, f"FT/{number}/2026", frozenset(contracts), parts, zero(currency))


def facts_of(*documents, **more):
    currency = documents[0].withheld.currency
    return Facts(documents, zero(currency), **{"contracts": frozenset({1}), **more})


def diary(facts, policy, start, until, zone, **more):
    """Each moment by the clock of the zone, what ran, and how far contract 1 is limited from then on."""
    lines = []
    for one in happenings(
        facts,
        policy,
        start=datetime.fromisoformat(start).replace(tzinfo=zone),
        until=datetime.fromisoformat(until).replace(tzinfo=zone),
        **more,
    ):
        level = one.evaluation.levels.get(1)
        ran = "+".join(step.code for step in one.evaluation.steps)
        lines.append(f"{one.at.astimezone(zone):%Y-%m-%d %H:%M} {ran or '-'} {level.value if level else 'full'}")
    return lines


def test_italy_forty_days_from_the_notice_s_delivery_and_not_on_a_feast_or_a_friday():
    """Due on 1 March; the notice goes out on 17 March (+16), is delivered on 24 March, and 40 days after is 3 May, a Sunday.

    Throttled on Monday 4 May at nine; walled on 6 May (not before + 3); blocked on 17 May (+14), a Sunday, so on the 18th;
    proposed to be ended on 2 July (+60), which touches no line and waits for no hours.
    """
    facts = facts_of(document(1, "2026-03-01"))

    assert diary(facts, policy_of(ITALY), "2026-02-20T08:00", "2026-12-31T00:00", ROME) == [
        "2026-02-26 00:00 due_soon full",
        "2026-03-02 00:00 - full",
        "2026-03-04 00:00 reminder full",
        "2026-03-17 00:00 formal_notice full",
        "2026-05-04 09:00 throttle throttle",
        "2026-05-06 09:00 walled walled",
        "2026-05-18 09:00 blocked blocked",
        "2026-07-02 00:00 propose_end blocked",
    ]


def test_elsewhere_by_the_days_from_the_due_day():
    """Due on 3 August: notice on the 11th, throttled on 19 August (+16, a Wednesday), walled on the 25th (+22, a Tuesday),
    blocked on 12 September (+40), a Saturday, so on Monday 14 September."""
    facts = facts_of(document(1, "2026-08-03", currency="USD"))

    assert diary(facts, policy_of(ECUADOR), "2026-07-20T08:00", "2026-12-31T00:00", QUITO) == [
        "2026-07-31 00:00 due_soon full",
        "2026-08-04 00:00 - full",
        "2026-08-06 00:00 reminder full",
        "2026-08-11 00:00 notice full",
        "2026-08-19 09:00 throttle throttle",
        "2026-08-25 09:00 walled walled",
        "2026-09-14 09:00 blocked blocked",
    ]


def test_a_notice_that_is_delivered_later_moves_all_that_follows():
    facts = facts_of(document(1, "2026-03-01"))

    after = diary(facts, policy_of(ITALY), "2026-03-02T08:00", "2026-07-01T00:00", ROME, delivery_days=30)

    # Delivered on 16 April; not before 26 May, a Tuesday; +3 is a Friday, so Wednesday 3 June after the feast of the 2nd and its eve.
    assert after[-3:] == [
        "2026-05-26 09:00 throttle throttle",
        "2026-06-03 09:00 walled walled",
        "2026-06-09 09:00 blocked blocked",
    ]


def test_what_is_found_late_is_not_told_three_times_and_the_notice_keeps_its_days():
    """First looked at on 1 October, 59 days after the due day: one notice. 8 days later is Friday 9 October, a feast, so
    the first limit is on Monday the 12th; 14 days after the notice is Thursday the 15th."""
    facts = facts_of(document(1, "2026-08-03", currency="USD"))

    told = diary(facts, policy_of(ECUADOR), "2026-10-01T08:00", "2026-12-31T00:00", QUITO)

    assert told[0] == "2026-10-01 08:00 notice full"
    assert told[1] == "2026-10-12 09:00 throttle throttle"
    assert told[2] == "2026-10-15 09:00 walled walled"


def test_a_whitelist_until_a_day_holds_everything_until_then():
    facts = facts_of(
        document(1, "2026-08-03", currency="USD"),
        exclusions=(Exclusion(ExclusionKind.WHITELIST, "flood", date(2026, 8, 1), date(2026, 9, 1)),),
    )

    assert diary(facts, policy_of(ECUADOR), "2026-08-04T08:00", "2026-09-20T00:00", QUITO) == [
        "2026-08-04 08:00 - full",
        "2026-09-01 00:00 notice full",
        "2026-09-09 09:00 throttle throttle",
        "2026-09-15 09:00 walled walled",
    ]


def test_a_promise_holds_until_its_moment_and_then_the_level_is_what_its_day_says():
    until = datetime(2026, 8, 26, 10, 0, tzinfo=QUITO)
    facts = facts_of(
        document(1, "2026-08-03", currency="USD"),
        respites=(Respite(datetime(2026, 8, 24, 10, 0, tzinfo=QUITO), until),),
    )

    told = diary(facts, policy_of(ECUADOR), "2026-08-04T08:00", "2026-09-01T00:00", QUITO)

    assert told[-2:] == ["2026-08-19 09:00 throttle throttle", "2026-08-26 10:00 walled walled"]


def test_tonight_s_cuts_name_contract_level_and_why():
    facts = facts_of(
        document(1, "2026-08-03", currency="USD"), document(2, "2026-08-10", currency="USD", contracts=(2,))
    )
    facts = replace(facts, contracts=frozenset({1, 2, 3}))
    policy = policy_of(ECUADOR)
    at = datetime(2026, 8, 11, 8, 0, tzinfo=QUITO)
    (noticed,) = happenings(facts, policy, start=at, until=at.replace(hour=9))
    facts = applied(facts, noticed.evaluation, policy, at=at)

    tonight = datetime(2026, 8, 18, 20, 0, tzinfo=QUITO)
    cuts = cuts_until(facts, policy, now=tonight, until=datetime(2026, 8, 19, 17, 0, tzinfo=QUITO))

    assert [(one.contract_id, one.level, one.before) for one in cuts] == [
        (1, Level.THROTTLE, None),
        (2, Level.THROTTLE, None),
    ]
    assert {one.at for one in cuts} == {datetime(2026, 8, 19, 9, 0, tzinfo=QUITO)}
    owes = cuts[0].evaluation.reasons[0]
    assert dict(owes.values)["amount"] == Money(6000, "USD")
    assert cuts_until(facts, policy, now=tonight, until=datetime(2026, 8, 19, 9, 0, tzinfo=QUITO)) == ()
    # A day later they are throttled, and nothing more comes before the 25th.
    later = datetime(2026, 8, 20, 20, 0, tzinfo=QUITO)
    throttled = replace(facts, restrictions=tuple(InForce(one, one, Origin.DUNNING, Level.THROTTLE) for one in (1, 2)))
    assert cuts_until(throttled, policy, now=later, until=datetime(2026, 8, 25, 9, 0, tzinfo=QUITO)) == ()
    walled = cuts_until(throttled, policy, now=later, until=datetime(2026, 8, 25, 9, 1, tzinfo=QUITO))
    assert [(one.contract_id, one.level, one.before) for one in walled] == [
        (1, Level.WALLED, Level.THROTTLE),
        (2, Level.WALLED, Level.THROTTLE),
    ]
    # What another origin limits is not what dunning limited before.
    told_of = replace(throttled, steps_run=throttled.steps_run | {"throttle"})
    abuse = InForce(9, 1, Origin.ABUSE, Level.BLOCKED)
    for restrictions, before in (
        ((*told_of.restrictions, abuse), Level.THROTTLE),
        ((told_of.restrictions[1], abuse), None),
    ):
        standing = replace(told_of, restrictions=restrictions)
        monday = datetime(2026, 8, 25, 8, 0, tzinfo=QUITO)
        (first, _) = cuts_until(standing, policy, now=monday, until=datetime(2026, 8, 25, 9, 1, tzinfo=QUITO))
        assert (first.contract_id, first.before) == (1, before)
