"""Any order and any advances: together exactly the order, in base and tax of each treatment."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.advances import AdvanceError, advance_for, percent_of, rest_for
from billing.money import Money
from billing.totals import Liability, LineDraft, TaxGroup, TaxTreatment, totals_for

STANDARD = TaxTreatment("IT-22", Decimal(22))
REDUCED = TaxTreatment("IT-10", Decimal(10))
EXEMPT = TaxTreatment("IT-N4", Decimal(0), "N4", "art. 10 DPR 633/72")
SPLIT = TaxTreatment("IT-22", Decimal(22), liability=Liability.SPLIT)


def _eur(minor):
    return Money(minor, "EUR")


def _group(treatment, base, tax):
    return TaxGroup(treatment, _eur(base), _eur(tax))


def test_thirty_percent_of_an_order_and_the_rest():
    # 1,000.00 at 22 and 100.00 exempt: 1,320.00 with tax, of which 30 percent are 396.00: 366.00 and 30.00.
    order = (_group(STANDARD, 100_000, 22_000), _group(EXEMPT, 10_000, 0))
    amount = percent_of(order, Decimal(30))
    assert amount == _eur(39_600)

    advance = advance_for(order, [], amount)

    assert advance == (_group(STANDARD, 30_000, 6_600), _group(EXEMPT, 3_000, 0))
    assert rest_for(order, [advance]) == (_group(STANDARD, 70_000, 15_400), _group(EXEMPT, 7_000, 0))


def test_an_amount_that_has_no_base_to_the_cent_is_still_exactly_that_amount():
    # Of 0.02 with 22 percent the base is 0.016: 0.02 of base and no tax. 0.05: 0.04 and 0.01.
    order = (_group(STANDARD, 100, 22),)
    first = advance_for(order, [], _eur(2))
    assert first == (_group(STANDARD, 2, 0),)
    # 0.07 in all are 0.06 and 0.01.
    assert advance_for(order, [first], _eur(5)) == (_group(STANDARD, 4, 1),)


def test_all_of_an_order_in_advance_leaves_nothing_of_each_group():
    order = (_group(STANDARD, 3_333, 733), _group(REDUCED, 5, 1))
    advance = advance_for(order, [], percent_of(order, Decimal(100)))
    assert advance == order
    assert rest_for(order, [advance]) == (_group(STANDARD, 0, 0), _group(REDUCED, 0, 0))
    with pytest.raises(AdvanceError, match=r"at most the 0.00 EUR that are left"):
        advance_for(order, [advance], _eur(1))


@pytest.mark.parametrize("amount", [0, -1, 12_201])
def test_an_advance_of_nothing_or_more_than_the_order_is_refused(amount):
    with pytest.raises(AdvanceError, match=r"at most the 122.00 EUR that are left of the order"):
        advance_for((_group(STANDARD, 10_000, 2_200),), [], _eur(amount))


@pytest.mark.parametrize("percent", ["0", "-5", "100.01"])
def test_a_percent_is_above_nothing_and_at_most_all(percent):
    with pytest.raises(AdvanceError, match="above 0, at most 100"):
        percent_of((_group(STANDARD, 10_000, 2_200),), Decimal(percent))


def test_what_was_advanced_in_another_treatment_can_t_be_deducted():
    with pytest.raises(AdvanceError, match="credit them first"):
        rest_for((_group(STANDARD, 10_000, 2_200),), [(_group(REDUCED, 100, 10),)])
    with pytest.raises(AdvanceError, match="credit them first"):
        rest_for((_group(STANDARD, 10_000, 2_200),), [(_group(STANDARD, 10_100, 2_222),)])


def test_a_group_below_zero_or_at_half_the_price_in_tax_has_no_advance():
    for group in (_group(STANDARD, -100, -22), _group(TaxTreatment("X", Decimal(50)), 100, 50)):
        with pytest.raises(AdvanceError, match="invoice the order in one"):
            advance_for((_group(STANDARD, 10_000, 2_200), group), [], _eur(100))


def test_half_a_percent_is_a_percent():
    assert percent_of((_group(STANDARD, 10_000, 2_200),), Decimal("0.5")) == _eur(61)


def test_an_advance_leaves_out_what_it_takes_nothing_of_and_the_highest_rate_has_one():
    # Of 149.00 and 0.01 one cent is the first's, the larger share; an order may have lines of nothing.
    high = TaxTreatment("X", Decimal(49))
    order = (_group(high, 10_000, 4_900), _group(EXEMPT, 1, 0), _group(STANDARD, 0, 0))

    assert advance_for(order, [], _eur(1)) == (_group(high, 1, 0),)


@pytest.mark.parametrize("base", [-1, -100])
def test_a_group_a_cent_below_zero_has_no_advance(base):
    with pytest.raises(AdvanceError, match="invoice the order in one"):
        advance_for((_group(STANDARD, 10_000, 2_200), _group(EXEMPT, base, 0)), [], _eur(100))


def test_more_than_one_of_an_orders_groups_was_advanced_though_others_were_not():
    order = (_group(STANDARD, 10_000, 2_200), _group(REDUCED, 100, 10))

    with pytest.raises(AdvanceError, match="credit them first"):
        rest_for(order, [(_group(REDUCED, 101, 10),)])


@pytest.mark.parametrize(("tax", "fits"), [(1_098, False), (1_099, True), (1_101, True), (1_102, False)])
def test_a_rest_whose_tax_is_two_cents_from_its_rate_is_refused(tax, fits):
    # Half of 100.00 has 11.00 of tax, and so should the other half.
    order, advanced = (_group(STANDARD, 10_000, 2_200),), [(_group(STANDARD, 5_000, tax),)]

    if fits:
        assert rest_for(order, advanced) == (_group(STANDARD, 5_000, 2_200 - tax),)
    else:
        with pytest.raises(AdvanceError, match=r"50\.00 EUR at 22 percent would state"):
            rest_for(order, advanced)


TREATMENTS = [
    STANDARD,
    REDUCED,
    EXEMPT,
    SPLIT,
    TaxTreatment("IT-4", Decimal(4)),
    TaxTreatment("HU", Decimal(27)),
    TaxTreatment("X", Decimal("48.9999")),
]
LINES = st.lists(
    st.tuples(st.sampled_from(TREATMENTS), st.integers(1, 12), st.decimals("0.01", "2000", places=2)),
    min_size=1,
    max_size=8,
)


@given(LINES, st.booleans(), st.lists(st.integers(1, 10_000), max_size=6), st.sampled_from(["EUR", "CLP", "TND"]))
def test_advances_and_the_rest_are_the_order_in_every_treatment(lines, includes_tax, shares, currency):
    drafts = [LineDraft("Work", Decimal(count), price, treatment) for treatment, count, price in lines]
    order = totals_for(drafts, currency=currency, includes_tax=includes_tax)
    made = []
    for share in shares:
        left = order.gross.minor - sum((group.base + group.tax).minor for groups in made for group in groups)
        amount = max(1, left * share // 10_000) if left else 0
        if amount:
            advance = advance_for(order.groups, made, Money(amount, currency))
            assert sum((group.base + group.tax).minor for group in advance) == amount
            made.append(advance)

    rest = rest_for(order.groups, made)

    for group, last in zip(order.groups, rest, strict=True):
        own = [one for groups in made for one in groups if one.treatment == group.treatment]
        assert sum(one.base.minor for one in own) + last.base.minor == group.base.minor
        assert sum(one.tax.minor for one in own) + last.tax.minor == group.tax.minor
        for one in (*own, last):
            assert one.base.minor >= 0
            assert one.tax.minor >= 0
            # FatturaPA 00421: the rounded product, or one smallest unit from it.
            assert abs(one.tax.minor - one.base.minor * Fraction(one.treatment.rate) / 100) <= Fraction(3, 2)
