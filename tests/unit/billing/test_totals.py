"""Documents whose parts are exact sums of each other, checked by the rules of those who receive them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.printed_documents import EXCLUDED, EXEMPT, SPLIT, TRAINING, VAT, authority_errors, drafts, half_up

from billing.errors import BillingError
from billing.money import Money
from billing.totals import Liability, Line, LineDraft, TaxTreatment, stamp_duty_for, totals_for, with_net


@given(st.lists(drafts(), min_size=1, max_size=25), st.booleans())
def test_no_document_is_refused_for_its_figures(lines, includes_tax):
    totals = totals_for(lines, currency="EUR", includes_tax=includes_tax)

    assert authority_errors(totals) == []


@given(st.lists(drafts(), min_size=1, max_size=25))
def test_without_tax_in_the_prices_tax_is_exactly_the_rounded_rate_of_each_group(lines):
    totals = totals_for(lines, currency="EUR", includes_tax=False)

    with localcontext(Context(prec=60)):
        for group in totals.groups:
            assert group.tax.amount == half_up(group.base.amount * group.treatment.rate / 100)


@given(st.lists(drafts(), min_size=1, max_size=25))
def test_with_tax_in_the_prices_the_customer_pays_what_was_advertised(lines):
    totals = totals_for(lines, currency="EUR", includes_tax=True)

    assert totals.gross.minor == sum(amount.minor for amount in totals.amounts)


@given(st.lists(drafts(st.decimals("0", "5000", places=4)), min_size=1, max_size=25), st.booleans(), st.data())
def test_a_discount_on_the_document_comes_off_its_lines_to_the_cent(lines, includes_tax, data):
    before = totals_for(lines, currency="EUR", includes_tax=includes_tax)
    whole = sum(amount.minor for amount in before.amounts)
    discount = Money(data.draw(st.integers(0, whole)), "EUR")

    after = totals_for(lines, currency="EUR", includes_tax=includes_tax, discount=discount)

    assert sum(amount.minor for amount in after.amounts) == whole - discount.minor
    assert authority_errors(after) == []


def test_a_cent_that_many_lines_lose_is_lost_once():
    # 0.99 with 22 percent in it is 0.8114754 without: a hundred lines rounded alone would make 81.00, not 81.15.
    line = LineDraft("call", Decimal(1), Decimal("0.99"), VAT["22"])

    totals = totals_for([line] * 100, currency="EUR", includes_tax=True)

    assert (totals.net.minor, totals.tax.minor, totals.gross.minor) == (8115, 1785, 9900)
    assert {one.net.minor for one in totals.lines} == {81, 82}


def test_split_tax_is_not_paid_to_the_issuer():
    totals = totals_for(
        [LineDraft("line", Decimal(1), Decimal(100), SPLIT), LineDraft("book", Decimal(1), Decimal(50), VAT["4"])],
        currency="EUR",
        includes_tax=False,
    )

    assert (str(totals.gross), str(totals.payable)) == ("174.00 EUR", "152.00 EUR")


def test_what_is_untaxed_for_different_reasons_is_summed_apart():
    lines = [LineDraft("a", Decimal(1), Decimal(10), one) for one in (EXEMPT, EXCLUDED, EXEMPT, VAT["0"])]

    totals = totals_for(lines, currency="EUR", includes_tax=False)

    assert [(one.treatment.nature, one.base.minor) for one in totals.groups] == [
        ("N4", 2000),
        ("N1", 1000),
        (None, 1000),
    ]


@pytest.mark.parametrize(("untaxed", "owed"), [("77.47", 0), ("77.48", 200)])
def test_stamp_duty_is_owed_above_its_sum(untaxed, owed):
    totals = totals_for(
        [LineDraft("a", Decimal(1), Decimal(untaxed), EXEMPT), LineDraft("b", Decimal(1), Decimal(500), VAT["22"])],
        currency="EUR",
        includes_tax=False,
    )

    assert stamp_duty_for(totals.lines, above=Money(7747, "EUR"), duty=Money(200, "EUR")) == Money(owed, "EUR")


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        (LineDraft("line", Decimal(1), Decimal("1.123456789"), EXEMPT), "price 1.123456789 has more than 8 decimals"),
        (LineDraft("line", Decimal(0), Decimal(1), EXEMPT), "quantity 0; above zero"),
        (LineDraft("line", Decimal(1), Decimal(1), EXEMPT, discounts=(Decimal(101),)), "a discount of 101 percent"),
        (LineDraft("line", Decimal(1), Decimal(1), EXEMPT, discounts=(Decimal(-1),)), "a discount of -1 percent"),
        (
            LineDraft("line", Decimal(1), Decimal(1), EXEMPT, discount_each=Decimal(2)),
            "discounts of 2 on a price of 1",
        ),
        (LineDraft("line", Decimal(1), Decimal(-1), EXEMPT, discount_each=Decimal(-2)), "of -2 on a price of -1"),
        (LineDraft("line", Decimal(1), Decimal(-2), EXEMPT, discount_each=Decimal(1)), "of 1 on a price of -2"),
        (LineDraft("line", Decimal(1), Decimal(2), EXEMPT, discount_each=Decimal(-1)), "of -1 on a price of 2"),
        (LineDraft("call", Decimal(9_999_999), Decimal("0.01220001"), VAT["22"]), "can't be written with 8 decimals"),
    ],
)
def test_what_can_not_be_settled_is_refused_by_name(draft, said):
    with pytest.raises(BillingError, match=said):
        totals_for([draft], currency="EUR", includes_tax=True)


def test_two_laws_of_one_nature_are_two_groups_and_each_says_its_own():
    lines = [
        LineDraft("line", Decimal(1), Decimal(price), one) for price, one in ((10, EXEMPT), (5, TRAINING), (1, EXEMPT))
    ]
    got = totals_for(lines, currency="EUR", includes_tax=False)
    assert [(one.treatment.legal_reference, one.base) for one in got.groups] == [
        ("art. 10 DPR 633/72", Money(1100, "EUR")),
        ("art. 10 n. 20 DPR 633/72", Money(500, "EUR")),
    ]
    # What bears tax has one group a rate, whatever its codes say of the law.
    named = replace(VAT["22"], legal_reference="art. 16")
    both = totals_for(
        [LineDraft("x", Decimal(1), Decimal(1), one) for one in (VAT["22"], named)], currency="EUR", includes_tax=False
    )
    assert [one.base for one in both.groups] == [Money(200, "EUR")]


def test_a_document_needs_a_line_and_a_nature_needs_its_law():
    with pytest.raises(BillingError, match="without lines"):
        totals_for([], currency="EUR", includes_tax=False)
    for rate, law in ((22, "art. 10"), (0, None), (0, "")):
        with pytest.raises(BillingError, match="with nature N4 its rate is 0 and its law is named"):
            TaxTreatment("exempt", Decimal(rate), "N4", law)
    with pytest.raises(BillingError, match=r"with nature N6.1 .* its liability is not split"):
        TaxTreatment("reverse", Decimal(0), "N6.1", "art. 17", Liability.SPLIT)


@pytest.mark.parametrize(("discount", "prices"), [(-1, ["10"]), (1001, ["10"]), (100, ["10", "-0.01"])])
def test_a_discount_on_the_document_is_none_below_zero_and_none_beyond_lines_that_charge(discount, prices):
    lines = [LineDraft("a", Decimal(1), Decimal(price), VAT["22"]) for price in prices]

    with pytest.raises(BillingError, match="none below zero, none beyond the lines"):
        totals_for(lines, currency="EUR", includes_tax=False, discount=Money(discount, "EUR"))


def test_without_tax_a_line_is_printed_with_its_own_factors_and_with_tax_with_one_price():
    draft = LineDraft("a", Decimal(3), Decimal("10.000000000"), VAT["22"], discounts=(Decimal(10), Decimal(50)))

    (plain,) = totals_for([draft], currency="EUR", includes_tax=False).lines
    (gross,) = totals_for([draft], currency="EUR", includes_tax=True).lines

    # 10 less a tenth is 9, less half of that 4.50: 5.50 off. 13.50 with tax are 11.07 (11.0656), 3.69 each.
    assert plain == Line("a", Decimal(3), Decimal(10), Decimal("5.5"), Money(1350, "EUR"), VAT["22"])
    assert gross == Line("a", Decimal(3), Decimal("3.69"), Decimal(0), Money(1107, "EUR"), VAT["22"])
    moved = with_net(plain, Money(1351, "EUR"))
    assert moved == Line("a", Decimal(3), Decimal("4.50333333"), Decimal(0), Money(1351, "EUR"), VAT["22"])


@pytest.mark.parametrize(
    ("price", "net", "tax"), [("0.025", 3, 1), ("-0.025", -3, -1), ("2.045", 205, 45), ("0.5", 50, 11)]
)
def test_a_half_cent_goes_away_from_zero_on_a_line_and_in_a_tax(price, net, tax):
    # Half-even, Python's own rounding, would make 0.02, -0.02 and 2.04 of the first three. Taxes: 0.0066, 0.451, 0.11.
    totals = totals_for([LineDraft("a", Decimal(1), Decimal(price), VAT["22"])], currency="EUR", includes_tax=False)

    assert (totals.net.minor, totals.tax.minor) == (net, tax)


def test_the_tax_of_half_a_cent_is_a_cent():
    # 0.025, 0.165, 0.385 and -0.165; half-even would make 0.02, 0.16, 0.38 and -0.16 of them.
    for base, rate, tax in (("0.25", "10", 3), ("0.75", "22", 17), ("1.75", "22", 39), ("-0.75", "22", -17)):
        line = LineDraft("a", Decimal(1), Decimal(base), TaxTreatment("x", Decimal(rate)))
        assert totals_for([line], currency="EUR", includes_tax=False).tax.minor == tax
