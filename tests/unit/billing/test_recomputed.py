"""What is worked out again from nothing: sound books show no fault, however their charges came about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from billing.charges import Discount, DiscountKind, Item, ItemKind, Opening, Terms, rate
from billing.due_contract import Fee, Part
from billing.money import Money, settle
from billing.periods import Alignment, Basis, Cycle, Period, Timing, first_boundary
from billing.recomputed import (
    Charged,
    DocumentFacts,
    LineFacts,
    charge_faults,
    document_faults,
    fee_faults,
    instalment_faults,
)
from billing.totals import Liability, LineDraft, TaxTreatment, taxed_alike, totals_for

TERMS = Terms("EUR")
START = date(2026, 1, 20)
ITEM = Item(1, ItemKind.PLAN, "access", Decimal(1), Decimal("29.90"), Cycle(date(2026, 2, 1), 1, 1), START, None, START)


def as_stored(charges):
    return [
        Charged(number, one.part, one.units, one.of, one.full, one.discounted, one.net)
        for number, one in enumerate(charges, 1)
    ]


def billed(item, through, terms=TERMS, discounts=()):
    return list(rate([item], terms, through=through, discounts=discounts).charges)


def faults(item, charged, terms=TERMS, discounts=()):
    return list(charge_faults(item, charged, terms, discounts))


@given(
    start=some.dates(date(2024, 1, 1), date(2026, 12, 31)),
    months=some.integers(1, 12),
    price=some.integers(1, 20_000),
    lengths=some.lists(some.integers(1, 200), min_size=1, max_size=5),
    basis=some.sampled_from(Basis),
    timing=some.sampled_from(Timing),
    opening=some.sampled_from(Opening),
    fixed_day=some.none() | some.integers(1, 31),
    percent=some.none() | some.tuples(some.integers(0, 400), some.integers(1, 400), some.integers(1, 100)),
    end=some.none() | some.integers(1, 700),
)
def test_charges_of_any_number_of_runs_are_sound(
    start, months, price, lengths, basis, timing, opening, fixed_day, percent, end
):
    anchor, day = first_boundary(start, Alignment.DAY_OF_MONTH, months=months, day=31)
    terms = Terms("EUR", timing, basis, opening, fixed_day, lead_days=5)
    discounts = []
    if percent:
        after, lasts, value = percent
        begins = start + timedelta(days=after)
        discounts = [Discount(1, DiscountKind.PERCENT, Decimal(value), begins, begins + timedelta(days=lasts))]
    ends_on = None if end is None else start + timedelta(days=end)
    item = Item(
        *(
            1,
            ItemKind.PLAN,
            "access",
            Decimal(1),
            Decimal(price) / 100,
            Cycle(anchor, day, months),
            start,
            ends_on,
            start,
        )
    )
    charges, at, through = [], start, start
    for length in lengths:
        through += timedelta(days=length)
        run = rate([replace(item, billed_through=at)], terms, through=through, discounts=discounts)
        charges += run.charges
        at = run.billed_through.get(1, at)

    assert faults(item, as_stored(charges), terms, discounts) == []
    if charges and charges[-1].net:
        wrong = as_stored(charges)
        wrong[-1] = replace(
            wrong[-1], discounted=wrong[-1].discounted + Money(1, "EUR"), net=wrong[-1].net - Money(1, "EUR")
        )
        assert len(faults(item, wrong, terms, discounts)) == 1


def test_a_charge_that_was_made_before_the_end_was_set_is_sound():
    charges = as_stored(billed(ITEM, date(2026, 3, 1)))
    assert charges[-1].part == Period(date(2026, 3, 1), date(2026, 4, 1))
    assert faults(replace(ITEM, ends_on=date(2026, 3, 10)), charges) == []


def test_a_time_that_was_cut_at_an_end_that_was_taken_back_is_sound():
    ending = replace(ITEM, ends_on=date(2026, 3, 10))
    charges = billed(ending, date(2026, 3, 1))
    charges += billed(replace(ITEM, billed_through=date(2026, 3, 10)), date(2026, 4, 1))

    assert [(one.part.start.day, one.part.end.day) for one in charges[-3:]] == [(1, 10), (10, 1), (1, 1)]
    assert faults(ITEM, as_stored(charges)) == []


def test_a_time_left_out_names_its_stop_and_costs_nothing():
    first, second, *_ = as_stored(billed(ITEM, date(2026, 3, 1)))
    nothing = Money(0, "EUR")
    stop = Period(date(2026, 2, 1), date.max)
    out = replace(second, full=nothing, discounted=nothing, net=nothing, stop=stop)
    assert faults(ITEM, [first, out]) == []
    assert faults(ITEM, [first, replace(second, stop=stop)]) == [
        "charge 2 of 29.90 EUR for [2026-02-01, 2026-03-01) names a stop of [2026-02-01, …)"
    ]
    late = Period(date(2026, 2, 2), date(2026, 3, 1))
    assert len(faults(ITEM, [first, replace(out, stop=late)])) == 1


def test_days_that_are_charged_twice_or_not_at_all_are_told():
    first, second, third = as_stored(billed(ITEM, date(2026, 3, 1)))

    def twice(start):
        return replace(second, part=Period(start, second.part.end))

    assert faults(ITEM, []) == []
    assert faults(ITEM, [second, third]) == ["charge 2 is its first and begins on 2026-02-01, the item on 2026-01-20"]
    assert faults(ITEM, [first, third]) == ["2026-02-01 to 2026-03-01 is not charged, between charges 1 and 3"]
    assert faults(ITEM, [first, twice(date(2026, 1, 31)), third]) == ["2026-01-31 is charged twice, by charges 1 and 2"]


def test_an_amount_that_no_agreement_comes_to_is_told():
    first, second, _ = as_stored(billed(ITEM, date(2026, 3, 1)))
    cent = Money(1, "EUR")

    def said(**changes):
        return faults(ITEM, [first, replace(second, **changes)])

    assert said(full=second.full + cent, net=second.net + cent) == [
        "charge 2 is 29.91 EUR of 29.91 EUR, and a whole period is 29.90 EUR"
    ]
    assert said(discounted=second.full + cent, net=-cent) == [
        "charge 2 is -0.01 EUR of 29.90 EUR, and a whole period is 29.90 EUR"
    ]
    assert said(net=second.net + cent) == ["charge 2 is 29.91 EUR of 29.90 EUR, and a whole period is 29.90 EUR"]
    assert said(full=second.full - cent, net=second.net - cent) == [
        "charge 2 for [2026-02-01, 2026-03-01) is 29.89 less 0.00 for 28/28,"
        " its agreement comes to 29.90 less 0.00 for 28/28"
    ]
    assert said(units=27) != []
    assert said(part=Period(date(2026, 2, 1), date(2026, 4, 1))) == [
        "charge 2 for [2026-02-01, 2026-04-01) reaches over a boundary"
    ]
    # A part that nothing cut there: 9 of 28 days are 9.61 (9.6107), as an end on that day would have it.
    part = {"part": Period(date(2026, 2, 1), date(2026, 2, 10)), "units": 9}
    assert said(**part, full=settle(Decimal("9.61"), "EUR"), net=settle(Decimal("9.61"), "EUR")) == []
    assert said(**part, full=settle(Decimal("9.62"), "EUR"), net=settle(Decimal("9.62"), "EUR")) != []


def test_a_price_is_that_of_all_units():
    two = replace(ITEM, quantity=Decimal(2))
    charges = as_stored(billed(two, date(2026, 2, 1)))
    # 12 of the 31 days of 59.80.
    assert [one.net.minor for one in charges] == [2315, 5980]
    assert faults(two, charges) == []
    assert faults(ITEM, charges) != []


def test_a_stop_holds_all_of_the_time_that_it_leaves_out():
    first, second, *_ = as_stored(billed(ITEM, date(2026, 3, 1)))
    nothing = Money(0, "EUR")
    out = replace(second, full=nothing, discounted=nothing, net=nothing)
    for end, sound in ((date(2026, 3, 1), True), (date(2026, 2, 28), False)):
        stopped = replace(out, stop=Period(date(2026, 2, 1), end))
        assert (faults(ITEM, [first, stopped]) == []) is sound


IVA = TaxTreatment("IVA-22", Decimal(22))
LAW = TaxTreatment("N4", Decimal(0), "N4", "art. 10", Liability.IMMEDIATE)


def document(*drafts, includes_tax=False):
    totals = totals_for(drafts, currency="EUR", includes_tax=includes_tax)
    lines = tuple(
        LineFacts(
            one.quantity,
            one.unit_price,
            one.discount,
            one.treatment.rate,
            one.treatment.nature,
            str(one.treatment.liability),
            one.treatment.legal_reference,
        )
        for one in totals.lines
    )
    groups = tuple(
        (
            *taxed_alike(one.treatment)[:2],
            str(one.treatment.liability),
            *(one.treatment.legal_reference, one.base.amount, one.tax.amount),
        )
        for one in totals.groups
    )
    nets = tuple(one.net.amount for one in totals.lines)
    sums = (totals.net.amount, totals.tax.amount, totals.gross.amount, totals.payable.amount)
    return DocumentFacts("EUR", includes_tax, lines, nets, groups, *sums)


def line(price, treatment=IVA, quantity="1", **more):
    return LineDraft("x", Decimal(quantity), Decimal(price), treatment, **more)


@given(
    prices=some.lists(
        some.tuples(some.integers(-5_000, 50_000), some.integers(1, 9), some.booleans()), min_size=1, max_size=6
    ),
    includes_tax=some.booleans(),
)
def test_any_document_that_the_totals_made_is_sound(prices, includes_tax):
    drafts = [line(Decimal(price) / 100, LAW if exempt else IVA, str(count)) for price, count, exempt in prices]
    assert list(document_faults(document(*drafts, includes_tax=includes_tax))) == []


def test_a_document_s_faults_are_told_from_below():
    sound = document(line("29.90"), line("4.00", LAW))

    def said(**changes):
        return list(document_faults(replace(sound, **changes)))

    assert said(nets=(Decimal("29.91"), Decimal(4))) == ["line 1 is 29.91 and comes to 29.90"]
    assert said(groups=sound.groups[:1]) == ["tax group 0% N4 (art. 10) immediate is missing: 4.00 and 0.00 of tax"]
    assert said(groups=(*sound.groups, (Decimal(10), None, "split", None, Decimal(0), Decimal(0)))) == [
        "tax group 10% split has no lines"
    ]
    assert said(payable=Decimal(1)) == ["its payable is 1 and its tax groups come to 40.48"]
    assert said(lines=(), nets=()) == ["it has no lines"]


def test_out_of_prices_with_tax_a_group_s_tax_is_within_one_unit():
    sound = document(line("10.00"), includes_tax=True)
    *key, base, tax = sound.groups[0]

    def said(off):
        groups = ((*key, base, tax + Decimal(off)),)
        return [one for one in document_faults(replace(sound, groups=groups)) if one.startswith("tax group")]

    assert said("0.02") != []
    assert said("-0.02") != []
    assert said("0.01") == said("-0.01") == []
    assert list(document_faults(sound)) == []
    # Out of prices without tax it is the rounded product and nothing else, and a base is the sum of its lines.
    plain = document(line("10.00"))
    *key, base, tax = plain.groups[0]
    for base_off, tax_off in (("0", "0.01"), ("0", "-0.01"), ("0.01", "0")):
        groups = ((*key, base + Decimal(base_off), tax + Decimal(tax_off)),)
        (said_of_it,) = document_faults(replace(plain, groups=groups))
        assert said_of_it.startswith("tax group 22% immediate is")


def test_tax_to_the_state_is_not_payable_and_a_discount_is_of_the_line():
    split = TaxTreatment("IVA-22", Decimal(22), liability=Liability.SPLIT)
    # 20.00 less 5.00 a unit, twice: 30.00 and 6.60 to the state, of which 30.00 are payable.
    sound = document(line("20.00", split, "2", discount_each=Decimal(5)))

    assert sound.payable == Decimal(30)
    assert list(document_faults(sound)) == []
    assert list(document_faults(replace(sound, payable=Decimal("36.60")))) == [
        "its payable is 36.60 and its tax groups come to 30.00"
    ]


def test_a_fee_is_charged_for_its_parts_on_their_days():
    parts = (
        Part(date(2026, 1, 1), settle(25, "EUR"), charged=True),
        Part(date(2026, 2, 1), settle(24, "EUR"), charged=False),
    )
    fee = Fee(5, "installation", date(2026, 1, 1), True, parts)
    day = Period(date(2026, 1, 1), date(2026, 1, 2))
    nothing = Money(0, "EUR")
    right = Charged(1, day, 1, 1, settle(25, "EUR"), nothing, settle(25, "EUR"))

    assert list(fee_faults(fee, [right], TERMS, [])) == []
    assert len(list(fee_faults(fee, [replace(right, full=settle(24, "EUR"))], TERMS, []))) == 1
    # 10.00 off 25.00 and 24.00: 5.10 (5.102) and 4.90.
    ten = Discount(1, DiscountKind.FIXED, Decimal(10), date(2026, 1, 1), item_id=5)
    less = replace(right, discounted=settle(Decimal("5.10"), "EUR"), net=settle(Decimal("19.90"), "EUR"))
    assert list(fee_faults(fee, [less], TERMS, [ten])) == []
    assert list(fee_faults(fee, [less], TERMS, [])) == [
        "charge 1 of 2026-01-01 is 25.00 less 5.10, its agreement comes to 25.00 less 0.00"
    ]
    elsewhere = replace(right, part=Period(date(2026, 1, 2), date(2026, 1, 3)))
    assert list(fee_faults(fee, [elsewhere], TERMS, [])) == [
        "charge 1 is for 2026-01-02, on which no part of the fee is due"
    ]


@pytest.mark.parametrize(("parts", "sound"), [(["25", "24"], True), ([], True), (["25"], False)])
def test_instalments_are_the_price_or_none(parts, sound):
    said = list(instalment_faults(Decimal(49), Decimal(1), "EUR", [Decimal(part) for part in parts]))
    assert (said == []) is sound


def test_instalments_are_of_all_units():
    assert list(instalment_faults(Decimal("24.50"), Decimal(2), "EUR", [Decimal(25), Decimal(24)])) == []
