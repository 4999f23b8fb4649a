"""Documents whose parts are exact sums of each other, checked by the rules of those who receive them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BillingError
from billing.money import Money
from billing.totals import Liability, LineDraft, TaxTreatment, Totals, stamp_duty_for, totals_for

CENT = Decimal("0.01")
VAT = {rate: TaxTreatment(f"vat{rate}", Decimal(rate)) for rate in ("0", "4", "10", "22", "12.5")}
EXEMPT = TaxTreatment("exempt", Decimal(0), "N4", "art. 10 DPR 633/72", bears_stamp=True)
EXCLUDED = TaxTreatment("excluded", Decimal(0), "N1", "art. 15 DPR 633/72", bears_stamp=True)
SPLIT = TaxTreatment("split22", Decimal(22), liability=Liability.SPLIT)

PRICES = st.decimals("-5000", "5000", places=8) | st.decimals("-99999", "99999", places=2)
QUANTITIES = st.decimals("0.01", "1000", places=2) | st.integers(1, 99).map(Decimal)


@st.composite
def drafts(draw, prices=PRICES) -> LineDraft:
    return LineDraft(
        "Home 100",
        draw(QUANTITIES),
        draw(prices),
        draw(st.sampled_from([*VAT.values(), EXEMPT, EXCLUDED, SPLIT])),
        discounts=tuple(draw(st.lists(st.decimals("0", "100", places=2), max_size=3))),
    )


def _half_up(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def authority_errors(totals: Totals) -> list[str]:
    """What the exchange system's controls say of the printed figures, with none of the tolerances they have."""
    errors = []
    with localcontext(Context(prec=60)):
        for line in totals.lines:
            if _half_up((line.unit_price - line.discount) * line.quantity) != line.net.amount:
                errors.append(f"00423: {line.unit_price} - {line.discount} times {line.quantity} is not {line.net}")
        for group in totals.groups:
            one = group.treatment
            alike = [
                line.net.amount
                for line in totals.lines
                if (line.treatment.rate, line.treatment.nature, line.treatment.liability)
                == (one.rate, one.nature, one.liability)
            ]
            if sum(alike) != group.base.amount:
                errors.append(f"00422: {alike} are not {group.base}")
            if abs(_half_up(group.base.amount * one.rate / 100) - group.tax.amount) > CENT:
                errors.append(f"00421: {one.rate} percent of {group.base} is not {group.tax}")
        if sum(line.net.amount for line in totals.lines) != totals.net.amount:
            errors.append("BR-CO-10: the lines are not the net")
        if sum(group.tax.amount for group in totals.groups) != totals.tax.amount:
            errors.append("BR-CO-14: the groups' tax is not the tax")
        if totals.net.amount + totals.tax.amount != totals.gross.amount:
            errors.append("BR-CO-15: net and tax are not the gross")
    return errors


@given(st.lists(drafts(), min_size=1, max_size=25), st.booleans())
def test_no_document_is_refused_for_its_figures(lines, includes_tax):
    totals = totals_for(lines, currency="EUR", includes_tax=includes_tax)

    assert authority_errors(totals) == []


@given(st.lists(drafts(), min_size=1, max_size=25))
def test_without_tax_in_the_prices_tax_is_exactly_the_rounded_rate_of_each_group(lines):
    totals = totals_for(lines, currency="EUR", includes_tax=False)

    with localcontext(Context(prec=60)):
        for group in totals.groups:
            assert group.tax.amount == _half_up(group.base.amount * group.treatment.rate / 100)


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
        (
            LineDraft("line", Decimal(1), Decimal(1), EXEMPT, discount_each=Decimal(2)),
            "discounts of 2.00000000 on a price of 1",
        ),
        (LineDraft("call", Decimal(9_999_999), Decimal("0.01220001"), VAT["22"]), "can't be written with 8 decimals"),
    ],
)
def test_what_can_not_be_settled_is_refused_by_name(draft, said):
    with pytest.raises(BillingError, match=said):
        totals_for([draft], currency="EUR", includes_tax=True)


def test_a_document_needs_a_line_and_a_nature_needs_its_law():
    with pytest.raises(BillingError, match="without lines"):
        totals_for([], currency="EUR", includes_tax=False)
    with pytest.raises(BillingError, match="with nature N4 its rate is 0 and its law is named"):
        TaxTreatment("exempt", Decimal(22), "N4", "art. 10")
