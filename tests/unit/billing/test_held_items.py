"""What becomes of recurring items, by values: who ends, who begins, and what was given back is not gone on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.charges import ItemKind
from billing.contract_facts import Contract, Status
from billing.held_items import (
    NEW,
    HeldItem,
    Sold,
    item_on,
    items_again,
    items_cut,
    items_recycled,
    items_until,
    plans_from,
    price_for,
)
from billing.periods import Cycle

D = date.fromisoformat
JAN, MARCH, APRIL, MAY, JUNE = (D(f"2026-0{month}-01") for month in (1, 3, 4, 5, 6))
MONTHLY = Cycle(JAN, 1, 1)
PLAN = HeldItem(1, ItemKind.PLAN, 10, 7, Decimal(1), Decimal("29.90"), MONTHLY, JAN)
ADD_ON = HeldItem(2, ItemKind.ADD_ON, 20, None, Decimal(2), Decimal(5), MONTHLY, JAN)


def contract(*changes, ends_on=None) -> Contract:
    return Contract(Status.ACTIVE, 7, plan_changes=changes, ends_on=ends_on)


def sold(plan: int, months: int) -> Sold:
    assert months == 1
    return Sold(plan * 10, Decimal(plan))


def begun(moves):
    return [
        (one.kind.value, one.plan, one.starts_on, one.ends_on, f"{one.period_price.normalize():f}", one.follows)
        for one in moves.begins
    ]


def test_a_cut_ends_what_lasts_and_lets_what_has_not_begun_never_begin():
    later = replace(ADD_ON, id=3, starts_on=MAY)
    over = replace(ADD_ON, id=4, ends_on=MARCH)
    assert items_cut((PLAN, ADD_ON, later, over), APRIL).ends == {1: APRIL, 2: APRIL, 3: MAY}


def test_an_end_set_later_goes_on_with_the_same_item_unless_its_days_were_given_back():
    ended = replace(PLAN, ends_on=APRIL)
    assert items_until((ended,), MAY, before=APRIL).ends == {1: MAY}
    assert items_until((ended,), None, before=APRIL).ends == {1: None}

    moves = items_until((replace(ended, given_back=True),), MAY, before=APRIL)

    assert moves.ends == {}
    assert begun(moves) == [("plan", 7, APRIL, MAY, "29.9", 1)]


def test_an_end_ends_plans_to_come_and_leaves_what_waits_to_begin_at_all():
    to_come = replace(PLAN, id=5, plan=8, starts_on=MAY)
    first = replace(PLAN, ends_on=MAY)
    waits = replace(ADD_ON, id=3, starts_on=JUNE)
    assert items_until((first, to_come, waits), APRIL, before=None).ends == {1: APRIL, 5: MAY}
    trial = replace(PLAN, starts_on=MAY)
    assert items_until((trial,), APRIL, before=None).ends == {}


def test_a_plan_from_a_day_cuts_the_one_before_and_is_priced_by_that_day():
    moves = plans_from((PLAN, ADD_ON), contract((APRIL, 8)), APRIL, sold=sold)
    assert moves.ends == {1: APRIL}
    assert begun(moves) == [("plan", 8, APRIL, None, "8", None)]


def test_the_same_plan_again_goes_on_with_its_item_or_follows_it_when_its_days_were_given_back():
    cut = replace(PLAN, ends_on=APRIL)
    other = replace(PLAN, id=5, plan=8, starts_on=APRIL)
    moves = plans_from((cut, other), contract(), APRIL, sold=sold)
    assert (moves.ends, moves.begins) == ({5: APRIL, 1: None}, ())

    moves = plans_from((replace(cut, given_back=True), other), contract(), APRIL, sold=sold)

    assert moves.ends == {5: APRIL, 1: APRIL}
    assert begun(moves) == [("plan", 7, APRIL, None, "29.9", 1)]


def test_a_plan_in_between_ends_where_the_one_to_come_begins():
    cut = replace(PLAN, ends_on=MAY)
    to_come = replace(PLAN, id=5, plan=8, starts_on=MAY, period_price=Decimal(44))
    moves = plans_from((cut, to_come), contract((APRIL, 9), (MAY, 8), ends_on=JUNE), APRIL, sold=sold)
    assert moves.ends == {1: APRIL, 5: JUNE}
    assert begun(moves) == [("plan", 9, APRIL, MAY, "9", None)]


def test_what_ended_on_the_last_day_begins_again_as_it_was_agreed_each_once():
    items = (
        replace(PLAN, ends_on=MARCH),
        replace(ADD_ON, ends_on=MARCH),
        replace(ADD_ON, id=3, starts_on=MARCH, ends_on=MARCH, period_price=Decimal(6)),
        replace(ADD_ON, id=4, product_id=30, ends_on=D("2026-02-01")),
    )
    assert begun(items_again(items, contract(), APRIL, last=MARCH, sold=sold)) == [
        ("plan", 7, APRIL, None, "29.9", 1),
        ("add_on", None, APRIL, None, "6", 3),
    ]


def test_other_periods_begin_for_everything_that_lasts_each_at_its_price():
    quarter = Cycle(APRIL, 1, 3)
    later = replace(ADD_ON, id=3, starts_on=MAY, ends_on=JUNE)
    moves = items_recycled(
        (PLAN, later),
        APRIL,
        quarter,
        price=lambda one, months: price_for(one.period_price, months=months, of=one.cycle.months),
    )
    assert moves.ends == {1: APRIL, 3: MAY}
    assert begun(moves) == [("plan", 7, APRIL, None, "89.7", 1), ("add_on", None, MAY, JUNE, "15", 3)]
    assert {one.cycle for one in moves.begins} == {quarter}


@pytest.mark.parametrize(
    ("price", "months", "of", "expected"),
    [("100", 1, 12, "8.33333333"), ("29.90", 12, 1, "358.80000000"), ("0.00000001", 1, 2, "0.00000001")],
)
def test_a_price_for_other_months_keeps_eight_places_half_away(price, months, of, expected):
    assert f"{price_for(Decimal(price), months=months, of=of):f}" == expected


def test_the_item_of_a_day_is_that_of_the_plan_or_the_nearest_there_is():
    first, second = replace(PLAN, ends_on=MARCH), replace(PLAN, id=5, plan=8, starts_on=APRIL)
    items = (first, second, ADD_ON, replace(PLAN, id=6, starts_on=MAY, ends_on=MAY))
    days = (D("2025-01-01"), JAN, MARCH, APRIL, JUNE)
    assert [item_on(items, day) for day in days] == [first, first, first, second, second]
    assert item_on((ADD_ON,), JAN) is None


# 29.90 to 1 May, 32.90 from then on; then a plan from 1 April, so that the new price never began.
CUT = replace(PLAN, ends_on=APRIL)
NEVER = replace(PLAN, id=3, starts_on=MAY, ends_on=MAY, period_price=Decimal("32.90"), repriced=True)
OTHER = replace(PLAN, id=5, plan=8, product_id=80, starts_on=APRIL)


def test_a_plan_taken_back_goes_on_at_the_price_that_was_set_for_a_day_to_come():
    assert plans_from((CUT, NEVER, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: MAY, 3: None}
    again = plans_from((CUT, NEVER, OTHER), contract((MAY, 8)), APRIL, sold=sold)
    assert again.ends == {5: APRIL, 1: MAY}  # another plan from that very day

    given_back = plans_from((replace(CUT, given_back=True), NEVER, OTHER), contract(ends_on=JUNE), APRIL, sold=sold)

    assert begun(given_back) == [("plan", 7, APRIL, MAY, "29.9", 1), ("plan", 7, MAY, JUNE, "32.9", 3)]


def test_a_plan_taken_back_on_the_day_of_a_new_price_goes_on_at_that_price():
    # 32.90 was told for 1 April; a plan from that day on, taken back again, doesn't bring 29.90 back.
    told = replace(NEVER, starts_on=APRIL, ends_on=APRIL)
    assert plans_from((CUT, told, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: APRIL, 3: None}
    assert plans_from((CUT, told, OTHER), contract(ends_on=MAY), APRIL, sold=sold).ends == {5: APRIL, 1: APRIL, 3: MAY}


def test_of_prices_set_for_one_day_the_last_counts_and_none_of_an_agreement_before():
    mended = replace(NEVER, id=4, period_price=Decimal("31.90"))
    assert plans_from((CUT, NEVER, mended, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: MAY, 4: None}
    old = replace(NEVER, id=0)
    assert plans_from((CUT, old, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: None}
    placed_and_taken_back = replace(NEVER, repriced=False)
    assert plans_from((CUT, placed_and_taken_back, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: None}


def test_an_end_taken_back_keeps_the_price_that_was_set_for_a_day_behind_it():
    assert items_until((CUT, NEVER), None, before=APRIL).ends == {1: MAY, 3: None}
    assert items_until((CUT, NEVER), JUNE, before=APRIL).ends == {1: MAY, 3: JUNE}
    assert items_until((replace(CUT, ends_on=MAY), NEVER), None, before=MAY).ends == {1: MAY, 3: None}
    moves = items_until((replace(CUT, given_back=True), NEVER), None, before=APRIL)
    assert begun(moves) == [("plan", 7, APRIL, MAY, "29.9", 1), ("plan", 7, MAY, None, "32.9", 3)]
    # An add-on waits behind the end, at its new price: the old one goes on up to it and never beside it.
    cut = replace(ADD_ON, ends_on=APRIL)
    waits = replace(ADD_ON, id=4, starts_on=MAY, repriced=True)
    assert items_until((cut, waits), None, before=APRIL).ends == {2: MAY}


def test_what_recurs_again_has_a_new_price_from_its_day_on_and_not_before():
    assert begun(items_again((CUT, NEVER), contract(), APRIL, last=APRIL, sold=sold)) == [
        ("plan", 7, APRIL, MAY, "29.9", 1),
        ("plan", 7, MAY, None, "32.9", 3),
    ]
    assert begun(items_again((CUT, NEVER), contract(), JUNE, last=APRIL, sold=sold)) == [
        ("plan", 7, JUNE, None, "32.9", 3)
    ]


def test_what_is_over_or_never_was_is_not_cut_again():
    over, never = replace(PLAN, ends_on=APRIL), replace(ADD_ON, starts_on=MAY, ends_on=MAY)
    assert items_cut((over, never), APRIL).ends == {}


def test_an_end_moves_what_lasted_to_the_one_before_and_nothing_else():
    ended = replace(PLAN, ends_on=APRIL)
    assert items_until((ended,), APRIL, before=None).ends == {}
    assert items_until((ended,), APRIL, before=APRIL).ends == {}
    assert items_until((PLAN,), None, before=None).ends == {}
    # A plan of that very day never was.
    assert items_until((ended, replace(OTHER, ends_on=APRIL)), MAY, before=APRIL).ends == {1: MAY}
    # What waits to begin on the end waits on, and a first plan is the first of plans.
    assert items_until((PLAN, replace(ADD_ON, starts_on=APRIL)), APRIL, before=None).ends == {1: APRIL}
    assert items_until((ADD_ON, replace(PLAN, starts_on=MAY)), APRIL, before=None).ends == {2: APRIL}


def test_prices_set_for_several_days_follow_each_other_in_the_order_of_their_days():
    may, june = replace(NEVER, id=4), replace(NEVER, starts_on=JUNE, ends_on=JUNE)
    assert items_until((CUT, june, may), None, before=APRIL).ends == {1: MAY, 4: JUNE, 3: None}
    assert items_until((CUT, june, may), JUNE, before=APRIL).ends == {1: MAY, 4: JUNE}
    assert plans_from((CUT, june, may, OTHER), contract(), APRIL, sold=sold).ends == {
        5: APRIL,
        1: MAY,
        4: JUNE,
        3: None,
    }
    begins = begun(plans_from((CUT, replace(may, given_back=True), OTHER), contract(), APRIL, sold=sold))
    assert begins == [("plan", 7, MAY, None, "32.9", 4)]


def test_an_item_given_back_up_to_a_price_of_that_very_day_leaves_no_days_between():
    moves = items_until(
        (replace(CUT, given_back=True), replace(NEVER, starts_on=APRIL, ends_on=APRIL)), None, before=APRIL
    )
    assert (moves.ends, begun(moves)) == ({}, [("plan", 7, APRIL, None, "32.9", 3)])
    alone = items_until((replace(CUT, given_back=True),), None, before=APRIL)
    assert begun(alone) == [("plan", 7, APRIL, None, "29.9", 1)]


def test_prices_of_other_items_and_of_days_from_the_end_on_are_none_of_a_plan_s():
    other = replace(NEVER, kind=ItemKind.ADD_ON, product_id=20, plan=None)
    late = replace(NEVER, starts_on=JUNE, ends_on=JUNE)
    assert plans_from((CUT, other, OTHER), contract(), APRIL, sold=sold).ends == {5: APRIL, 1: None}
    assert plans_from((CUT, late, OTHER), contract(ends_on=JUNE), APRIL, sold=sold).ends == {5: APRIL, 1: JUNE}


def test_a_plan_that_was_over_before_stays_as_it_was_and_gives_its_quantity_and_periods():
    quarter = Cycle(JAN, 1, 3)
    first = replace(PLAN, ends_on=D("2026-02-01"))
    second = replace(PLAN, id=5, starts_on=D("2026-02-01"), ends_on=MARCH, quantity=Decimal(2), cycle=quarter)
    asked = []

    def price(plan: int, months: int) -> Sold:
        asked.append((plan, months))
        return Sold(80, Decimal(100))

    moves = plans_from((second, first, replace(ADD_ON, id=9)), contract((MARCH, 8)), APRIL, sold=price)

    assert (moves.ends, asked) == ({}, [(8, 3)])
    (new,) = moves.begins
    assert new == HeldItem(NEW, ItemKind.PLAN, 80, 8, Decimal(2), Decimal(100), quarter, APRIL)


def test_a_plan_that_comes_back_later_begins_again_as_it_was_agreed():
    late_add_on = replace(ADD_ON, starts_on=MARCH)
    billed = replace(PLAN, billed_through=JUNE)

    moves = plans_from((billed, late_add_on), contract((APRIL, 8), (MAY, 7)), APRIL, sold=sold)

    assert moves.ends == {1: APRIL}
    assert begun(moves) == [("plan", 8, APRIL, MAY, "8", None), ("plan", 7, MAY, None, "29.9", 1)]
    assert {(one.id, one.billed_through, one.given_back) for one in moves.begins} == {(NEW, None, False)}


def test_a_change_on_the_contracts_end_never_comes():
    moves = plans_from((PLAN,), contract((MAY, 8), ends_on=MAY), APRIL, sold=sold)
    assert (moves.ends, moves.begins) == ({1: MAY}, ())


def test_what_recurs_again_is_as_it_was_agreed_last_in_the_periods_of_now():
    quarter = Cycle(JAN, 1, 3)
    items = (
        replace(PLAN, id=5, plan=8, starts_on=MARCH, ends_on=APRIL, cycle=quarter, period_price=Decimal(99)),
        replace(PLAN, id=3, starts_on=D("2026-02-01"), ends_on=MARCH, period_price=Decimal(31), given_back=True),
        replace(PLAN, ends_on=D("2026-02-01")),
        replace(ADD_ON, id=9),
    )

    (again,) = items_again(items, contract(), JUNE, last=None, sold=sold).begins

    # 31.00 a month, agreed after 29.90, are 93.00 a quarter.
    assert again == HeldItem(NEW, ItemKind.PLAN, 10, 7, Decimal(1), Decimal(93), quarter, JUNE, follows=3)


def test_a_price_set_for_the_very_day_counts_when_it_recurs_again():
    assert begun(items_again((CUT, NEVER), contract(), MAY, last=APRIL, sold=sold)) == [
        ("plan", 7, MAY, None, "32.9", 3)
    ]


def test_of_add_ons_those_recur_again_that_ended_on_the_day_or_never_began_from_then_on():
    def never(number, day, price):
        return replace(ADD_ON, id=number, starts_on=day, ends_on=day, period_price=Decimal(price))

    items = (
        replace(PLAN, ends_on=MARCH),
        replace(ADD_ON, ends_on=MARCH),
        replace(ADD_ON, id=3, product_id=40, ends_on=MARCH),
        never(4, D("2026-02-01"), 4),  # never was, while the service still was
        never(6, APRIL, 6),  # the last price that was set
        never(5, MAY, 5),
    )

    begins = items_again(items, contract(ends_on=JUNE), APRIL, last=MARCH, sold=sold).begins

    assert [(one.follows, one.product_id, one.period_price, one.ends_on) for one in begins[1:]] == [
        (3, 40, Decimal(5), JUNE),
        (6, 20, Decimal(6), JUNE),
    ]


def test_the_item_of_a_day_is_found_in_whatever_order_they_come():
    first, second = replace(PLAN, ends_on=MARCH), replace(PLAN, id=5, plan=8, starts_on=APRIL)
    assert [item_on((second, first), day) for day in (JAN, APRIL)] == [first, second]
