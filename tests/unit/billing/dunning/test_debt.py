"""What is owed, against a purse of single cents that each know the day on which they are due."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents import Due
from billing.dunning.debt import (
    InstalmentPlan,
    OpenDocument,
    debt_of,
    debt_of_contract,
    debt_on_documents,
    redated,
)
from billing.errors import BillingError
from billing.money import Money, zero

FIRST = date(2026, 3, 1)
NOTHING = zero("EUR")


def eur(cents):
    return Money(cents, "EUR")


def on(day):
    return FIRST + timedelta(days=day)


def document(number, *parts, withheld=0, contracts=(1,)):
    dues = tuple(Due(on(day), eur(cents)) for day, cents in parts)
    return OpenDocument(number, f"FT/{number}", frozenset(contracts), dues, eur(withheld))


def told(parts):
    return [(part.document_id, (part.due_on - FIRST).days, part.amount.minor) for part in parts]


def test_what_falls_due_today_is_owed_from_tomorrow_on():
    papers = [document(1, (10, 3000))]

    assert debt_of(papers, credit=NOTHING, today=on(10)).amount == NOTHING
    owed = debt_of(papers, credit=NOTHING, today=on(11))
    assert (owed.amount, owed.since(NOTHING), owed.documents) == (eur(3000), on(10), {1})


def test_what_is_in_dispute_does_not_count_and_credit_comes_off_the_oldest():
    papers = [
        document(1, (0, 3000), withheld=1000),
        document(2, (5, 4000), (40, 4000)),
        document(3, (8, 500), withheld=900),
    ]

    owed = debt_of(papers, credit=eur(2500), today=on(20))

    assert told(owed.overdue) == [(2, 5, 3500)]
    assert told(owed.upcoming) == [(2, 40, 4000)]
    assert (owed.amount, owed.withheld, owed.covered) == (eur(3500), eur(1500), eur(2500))


def test_credit_that_is_left_covers_what_falls_due_next():
    owed = debt_of([document(1, (0, 1000)), document(2, (30, 1000))], credit=eur(1400), today=on(20))

    assert (owed.amount, told(owed.upcoming)) == (NOTHING, [(2, 30, 600)])


def test_some_cents_of_long_ago_do_not_make_a_new_invoice_an_old_debt():
    papers = [document(1, (0, 300)), document(2, (60, 3000))]

    assert debt_of(papers, credit=NOTHING, today=on(61)).since(eur(500)) == on(60)
    assert debt_of(papers, credit=NOTHING, today=on(61)).since(eur(299)) == on(0)
    assert debt_of(papers, credit=NOTHING, today=on(60)).since(eur(500)) is None
    assert debt_of(papers, credit=NOTHING, today=on(61)).since(eur(3300)) is None


def test_a_contract_owes_what_names_it_and_a_notice_lists_what_was_overdue_then():
    papers = [document(1, (0, 1000), contracts=(1, 2)), document(2, (5, 500), contracts=(2,))]
    owed = debt_of(papers, credit=NOTHING, today=on(20))

    assert owed.contracts == {1, 2}
    assert [debt_of_contract(owed, one).amount.minor for one in (1, 2, 3)] == [1000, 1500, 0]
    assert debt_on_documents(owed, frozenset({1, 2}), due_before=on(5)).amount == eur(1000)
    assert debt_on_documents(owed, frozenset({2}), due_before=on(6)).amount == eur(500)


def test_a_plan_replaces_the_days_of_its_documents_and_what_is_paid_counts_on_its_first_instalments():
    papers = [document(2, (10, 6000)), document(1, (0, 6000)), document(3, (12, 700))]
    plan = InstalmentPlan(1, frozenset({1, 2}), tuple(Due(on(day), eur(4000)) for day in (50, 80, 110)))

    whole = debt_of(papers, credit=NOTHING, today=on(30), plans=[plan])
    assert (whole.amount, told(whole.overdue)) == (eur(700), [(3, 12, 700)])
    assert told(whole.upcoming) == [(1, 50, 4000), (1, 80, 2000), (2, 80, 2000), (2, 110, 4000)]
    # 40.00 were paid, and so the first instalment; the second is missed.
    paid = [document(2, (10, 6000)), document(1, (0, 2000))]
    late = debt_of(paid, credit=NOTHING, today=on(81), plans=[plan])
    assert told(late.overdue) == [(1, 80, 2000), (2, 80, 2000)]
    assert debt_of(paid, credit=NOTHING, today=on(80), plans=[plan]).amount == NOTHING


def test_a_plan_begins_with_the_document_that_fell_due_first_whatever_else_of_it_is_due_later():
    plan = InstalmentPlan(1, frozenset({1, 2}), (Due(on(50), eur(1000)), Due(on(80), eur(1000))))

    owed = debt_of(
        [document(2, (10, 1000)), document(1, (0, 500), (95, 500))], credit=NOTHING, today=on(30), plans=[plan]
    )

    assert told(owed.upcoming) == [(1, 50, 1000), (2, 80, 1000)]


def test_what_is_open_beyond_a_plan_keeps_its_days():
    plan = InstalmentPlan(1, frozenset({1}), (Due(on(50), eur(1000)),))

    (one,) = redated([document(1, (0, 600), (20, 900))], plan)

    assert [((part.due_on - FIRST).days, part.amount.minor) for part in one.parts] == [(50, 1000), (20, 500)]
    assert redated([document(2, (0, 600))], plan) == (document(2, (0, 600)),)


def test_currencies_are_never_added():
    with pytest.raises(BillingError, match="currencies differ"):
        debt_of([document(1, (0, 100))], credit=zero("USD"), today=on(9))


PARTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=3)
PAPERS = st.lists(st.tuples(PARTS, st.integers(0, 12)), max_size=4)


@given(PAPERS, st.integers(0, 40), st.integers(0, 32))
def test_what_is_owed_is_what_is_left_of_a_purse_of_cents(papers, credit, day):
    given_ = [document(number, *parts, withheld=withheld) for number, (parts, withheld) in enumerate(papers)]

    cents = []
    for number, (parts, withheld) in enumerate(papers):
        cents += sorted((due, number) for due, count in parts for _ in range(count))[withheld:]
    asked = sorted(cents)
    left = asked[credit:]
    overdue = [one for one in left if one[0] < day]

    owed = debt_of(reversed(given_), credit=eur(credit), today=on(day))

    assert owed.amount.minor == len(overdue)
    assert [(part.due_on, part.document_id) for part in owed.overdue for _ in range(part.amount.minor)] == [
        (on(due), number) for due, number in overdue
    ]
    assert [(part.due_on, part.document_id) for part in owed.upcoming for _ in range(part.amount.minor)] == [
        (on(due), number) for due, number in left if due >= day
    ]
    assert owed.covered.minor == sum(one[0] < day for one in asked) - len(overdue)
    assert owed.withheld.minor == sum(count for parts, _ in papers for due, count in parts if due < day) - sum(
        one[0] < day for one in asked
    )
    for threshold in (0, 1, 5, 20):
        expected = on(overdue[threshold][0]) if len(overdue) > threshold else None
        assert owed.since(eur(threshold)) == expected


@given(PAPERS, st.lists(st.tuples(st.integers(40, 90), st.integers(1, 9)), min_size=1, max_size=4), st.integers(0, 95))
def test_a_plan_moves_days_and_makes_or_loses_no_cent(papers, instalments, day):
    given_ = [document(number, *parts) for number, (parts, _) in enumerate(papers)]
    mine = frozenset(range(0, len(papers), 2))
    plan = InstalmentPlan(1, mine, tuple(Due(on(due), eur(cents)) for due, cents in instalments))

    moved = redated(given_, plan)

    assert [sum(part.amount.minor for part in one.parts) for one in moved] == [
        sum(part.amount.minor for part in one.parts) for one in given_
    ]
    assert [one for one in moved if one.id not in mine] == [one for one in given_ if one.id not in mine]
    open_ = sum(part.amount.minor for one in given_ if one.id in mine for part in one.parts)
    agreed = sorted(due for due, count in instalments for _ in range(count))
    planned = agreed[len(agreed) - min(open_, len(agreed)) :]
    days = sorted(
        (part.due_on - FIRST).days
        for one in moved
        if one.id in mine
        for part in one.parts
        for _ in range(part.amount.minor)
    )
    assert [one for one in days if one >= 40] == planned
