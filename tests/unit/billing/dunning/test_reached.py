"""From which day on a step may be taken, by dates worked out by hand; the law by italy.md 6.3 (L. 160/2019, AGCOM 173/07/CONS)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.dunning_policies import ECUADOR, ITALY, policy_of

from billing.documents import Due
from billing.dunning.debt import OpenDocument, debt_of
from billing.dunning.facts import Facts, FormalNotice
from billing.dunning.floor import Channel
from billing.dunning.policy import Step
from billing.dunning.reached import ground_of, noticed, step_day
from billing.dunning.reasons import Why
from billing.money import Money, zero

TODAY = date(2026, 6, 1)
POLICY = policy_of(ITALY, min_debt={"EUR": "5.00"})
STEPS = {step.code: step for step in POLICY.steps}


def document(number, due, cents=3000, withheld=0):
    parts = (Due(date.fromisoformat(due), Money(cents, "EUR")),)
    return OpenDocument(number, f"FT/{number}", frozenset({1}), parts, Money(withheld, "EUR"))


def notice(written, *documents, delivered=None, channel=Channel.CERTIFIED_MAIL, sent="", problem=""):
    """Sent on the day on which it was written, unless it says otherwise; None: not."""
    came = None if delivered is None else date.fromisoformat(delivered)
    out = None if sent is None else date.fromisoformat(sent or written)
    return FormalNotice(date.fromisoformat(written), channel, frozenset(documents), came, out, problem)


def told(step: Step, documents, *, policy=POLICY, today=TODAY, **facts):
    debt = debt_of(documents, credit=zero("EUR"), today=today)
    ground = ground_of(debt, Facts((), zero("EUR"), frozenset({1}), **facts), policy, today=today)
    assert ground is not None
    found = step_day(step, ground)
    return (found.day.isoformat() if found.day else None), found.reason.why


MARCH, APRIL = document(1, "2026-03-01"), document(2, "2026-04-01")


def test_forty_days_pass_from_the_delivery_and_the_later_steps_count_from_there():
    heard = (notice("2026-03-17", 1, delivered="2026-03-24"),)

    assert told(STEPS["throttle"], [MARCH], notices=heard) == ("2026-05-03", Why.NOTICE_RUNS)
    assert told(STEPS["walled"], [MARCH], notices=heard) == ("2026-05-06", Why.DAY_TO_COME)
    assert told(STEPS["blocked"], [MARCH], notices=heard) == ("2026-05-17", Why.DAY_TO_COME)
    assert told(STEPS["propose_end"], [MARCH], notices=heard) == ("2026-07-02", Why.DAY_TO_COME)


@pytest.mark.parametrize(
    ("notices", "why"),
    [
        ((), Why.NO_NOTICE),
        ((notice("2026-03-17", 1, delivered="2026-03-24", channel=Channel.EMAIL),), Why.NO_NOTICE),
        ((notice("2026-03-17", 1),), Why.NOT_DELIVERED),
        ((notice("2026-03-17", 2, delivered="2026-03-24"),), Why.NOT_IN_NOTICE),
        ((notice("2026-03-01", 1, delivered="2026-03-24"),), Why.NOT_IN_NOTICE),  # it was not overdue when listed
    ],
)
def test_without_a_notice_that_lists_the_debt_and_came_by_a_lawful_channel_nothing_is_limited(notices, why):
    assert told(STEPS["throttle"], [MARCH], notices=notices) == (None, why)


def test_what_the_notice_lists_must_still_be_owed():
    heard = (notice("2026-03-17", 1, delivered="2026-03-24"),)

    assert told(STEPS["throttle"], [APRIL], notices=heard) == (None, Why.NOT_IN_NOTICE)
    # 4.00 of it are left, which alone would not be pursued.
    assert told(STEPS["throttle"], [document(1, "2026-03-01", 400), APRIL], notices=heard) == (None, Why.NOT_IN_NOTICE)
    # Disputed sums don't count.
    disputed = document(1, "2026-03-01", 3000, withheld=2600)
    assert told(STEPS["throttle"], [disputed, APRIL], notices=heard) == (None, Why.NOT_IN_NOTICE)
    second = (*heard, notice("2026-04-20", 2, delivered="2026-04-22"))
    assert told(STEPS["throttle"], [APRIL], notices=second) == ("2026-06-01", Why.NOTICE_RUNS)
    # Of two that list it, the one whose days are over first.
    assert (
        told(STEPS["throttle"], [MARCH], notices=(*heard, notice("2026-03-18", 1, delivered="2026-03-20")))[0]
        == "2026-04-29"
    )


def test_nothing_is_late_before_the_fifteenth_day_whatever_was_agreed():
    company = policy_of(
        ITALY, scope={"customer_kinds": ["company"]}, shorter_notice={"days": 5, "reason": "contract, art. 9"}
    )
    by_hand = (notice("2026-03-03", 1, delivered="2026-03-04"),)

    assert told(STEPS["throttle"], [MARCH], policy=company, notices=by_hand) == ("2026-03-16", Why.NOTICE_RUNS)
    later = (notice("2026-03-03", 1, delivered="2026-03-14"),)
    assert told(STEPS["throttle"], [MARCH], policy=company, notices=later) == ("2026-03-19", Why.NOTICE_RUNS)


def test_a_word_of_the_operator_and_the_law_the_later_one_wins():
    heard = (notice("2026-03-17", 1, delivered="2026-03-24"),)

    assert told(STEPS["throttle"], [MARCH], notices=heard, not_before=date(2026, 5, 1))[0] == "2026-05-03"
    after = told(STEPS["throttle"], [MARCH], notices=heard, not_before=date(2026, 5, 20))
    assert after == ("2026-05-20", Why.NOT_BEFORE)
    assert told(STEPS["walled"], [MARCH], notices=heard, not_before=date(2026, 5, 20))[0] == "2026-05-23"
    # Nobody is kept from writing a letter.
    assert told(STEPS["reminder"], [MARCH], not_before=date(2026, 5, 20))[0] == "2026-03-04"


def test_a_step_may_ask_for_an_amount_documents_and_days_after_the_notice():
    plain = policy_of(ECUADOR)
    throttle = next(step for step in plain.steps if step.code == "throttle")
    sent = (notice("2026-03-20", 1, channel=Channel.EMAIL),)

    assert told(throttle, [MARCH], policy=plain) == (None, Why.NO_NOTICE)
    assert told(throttle, [MARCH], policy=plain, notices=sent) == ("2026-03-28", Why.NOTICE_RUNS)
    early = (notice("2026-03-09", 1, channel=Channel.EMAIL),)
    assert told(throttle, [MARCH], policy=plain, notices=early) == ("2026-03-17", Why.DAY_TO_COME)
    large = replace(throttle, min_debt=(Money(3000, "EUR"),))
    assert told(large, [MARCH], policy=plain, notices=sent) == (None, Why.SMALL_DEBT)
    assert told(large, [MARCH, document(2, "2026-04-01", 1)], policy=plain, notices=sent)[0] == "2026-03-28"
    several = replace(throttle, min_documents=2)
    assert told(several, [MARCH], policy=plain, notices=sent) == (None, Why.FEW_DOCUMENTS)
    assert told(several, [MARCH, APRIL], policy=plain, notices=sent)[0] == "2026-03-28"


def test_where_no_law_asks_not_before_counts_from_the_notice_or_the_operators_word():
    plain = policy_of(ECUADOR)
    walled = STEPS["walled"]
    sent = (notice("2026-03-20", 1, channel=Channel.EMAIL),)

    assert told(walled, [MARCH], policy=plain) == (None, Why.NO_NOTICE)
    assert told(walled, [MARCH], policy=plain, notices=sent)[0] == "2026-03-23"
    assert told(walled, [MARCH], policy=plain, not_before=date(2026, 3, 10))[0] == "2026-03-13"
    both = told(walled, [MARCH], policy=plain, notices=sent, not_before=date(2026, 3, 10))
    assert both[0] == "2026-03-23"
    needing = replace(walled, needs_notice_days=30)
    assert told(needing, [MARCH], policy=plain, notices=sent)[0] == "2026-04-19"


def test_of_several_notices_the_first_that_went_out_counts():
    walled = replace(STEPS["walled"], needs_notice_days=30)
    sent = (notice("2026-03-25", 1, channel=Channel.EMAIL), notice("2026-03-20", 1, channel=Channel.EMAIL))

    assert told(walled, [MARCH], policy=policy_of(ECUADOR), notices=sent)[0] == "2026-04-19"
    ground = ground_of(
        debt_of([MARCH], credit=zero("EUR"), today=TODAY),
        Facts((), zero("EUR"), frozenset({1}), notices=(notice("2026-03-25", 1), notice("2026-03-20", 1))),
        POLICY,
        today=TODAY,
    )
    assert ground is not None
    assert ground.law is not None
    assert dict(ground.law.reason.values) == {"day": date(2026, 3, 20)}


def test_what_notices_listed_is_counted_once():
    debt = debt_of([MARCH, APRIL], credit=zero("EUR"), today=TODAY)

    assert noticed(debt, [notice("2026-03-17", 1), notice("2026-03-18", 1)]) == Money(3000, "EUR")
    assert noticed(debt, [notice("2026-03-17", 1), notice("2026-04-18", 1, 2)]) == Money(6000, "EUR")
    assert noticed(debt, []) == zero("EUR")


def test_days_count_from_when_a_notice_went_out_and_a_text_that_nobody_got_is_none():
    throttle = next(step for step in policy_of(ECUADOR).steps if step.code == "throttle")

    def by(*notices):
        found = told(throttle, [MARCH], policy=policy_of(ECUADOR), notices=notices)
        return found[0], found[1].value

    waits = notice("2026-03-09", 1, channel=Channel.EMAIL, sent=None)
    assert by(waits) == (None, "notice_waits")
    assert by(replace(waits, problem="failed: 550 no such user")) == (None, "notice_failed")
    # Out on 14 March: eight days later is the 22nd, though its sixteenth day was the 17th.
    assert by(replace(waits, sent_on=date(2026, 3, 14))) == ("2026-03-22", "notice_runs")
    # Brought by a person, whatever became of the mail.
    assert by(replace(waits, problem="bounced", delivered_on=date(2026, 3, 20))) == ("2026-03-28", "notice_runs")
    # A second one went out: the first is as if it had never been.
    assert by(replace(waits, problem="withheld"), notice("2026-03-15", 1, channel=Channel.EMAIL)) == ("2026-03-23", "notice_runs")  # fmt: skip


def test_by_law_a_letter_that_was_not_posted_is_told_apart_from_one_on_its_way():
    posted, desk = notice("2026-03-17", 1), notice("2026-03-17", 1, sent=None)
    assert told(STEPS["throttle"], [MARCH], notices=(posted,)) == (None, Why.NOT_DELIVERED)
    assert told(STEPS["throttle"], [MARCH], notices=(desk,)) == (None, Why.NOTICE_WAITS)
    # That it came says that it was posted.
    heard = replace(desk, delivered_on=date(2026, 3, 24))
    assert told(STEPS["throttle"], [MARCH], notices=(heard,)) == ("2026-05-03", Why.NOTICE_RUNS)
