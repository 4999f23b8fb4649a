"""The controls of those who receive documents: refused a hair beyond a tolerance, let pass at it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.printed_documents import drafts

from billing.document_check import (
    PrintedDiscount,
    PrintedGroup,
    PrintedLine,
    Wrong,
    line_errors,
    summary_errors,
)
from billing.totals import Liability, totals_for

D = Decimal


def line_codes(total: str, **facts) -> list[str]:
    given_facts = {"rate": D(22), **facts}
    return [one.code for one in line_errors(PrintedLine(D(total), **given_facts))]


@pytest.mark.parametrize(
    ("total", "facts", "codes"),
    [
        ("20.01", {"unit_price": D(10), "quantity": D(2)}, []),
        ("20.0100001", {"unit_price": D(10), "quantity": D(2)}, ["00423"]),
        ("19.99", {"unit_price": D(10), "quantity": D(2)}, []),
        ("19.98", {"unit_price": D(10), "quantity": D(2)}, ["00423"]),
        ("-10.00", {"unit_price": D(-10)}, []),
        ("10.00", {"unit_price": D(-10)}, ["00423"]),
        ("999.00", {}, []),  # no price is printed, so nothing contradicts
        # Ten percent off 100, then 5 off what is left, three times; the other way round it is 256.50.
        ("255.00", {"unit_price": D(100), "quantity": D(3), "discounts": (PrintedDiscount(D(10)), PrintedDiscount(None, D(5)))}, []),
        ("256.50", {"unit_price": D(100), "quantity": D(3), "discounts": (PrintedDiscount(None, D(5)), PrintedDiscount(D(10)))}, []),
        ("110.00", {"unit_price": D(100), "discounts": (PrintedDiscount(D(-10)),)}, []),
        ("10.00", {"unit_price": D(10), "rate": D(0)}, ["00400"]),
        ("10.00", {"unit_price": D(10), "rate": D(0), "nature": "N4"}, []),
        ("10.00", {"unit_price": D(10), "nature": "N4"}, ["00401"]),
        ("10.00", {"unit_price": D(10), "quantity": D(2), "rate": D(4)}, ["00423"]),
    ],
)  # fmt: skip
def test_a_line_is_its_price_less_discounts_times_its_quantity(total, facts, codes):
    assert line_codes(total, **facts) == codes


def group(base: str, tax: str, rate="22", **facts) -> PrintedGroup:
    return PrintedGroup(D(rate), D(base), D(tax), **facts)


HUNDRED = PrintedLine(D(100), D(22))
EXEMPT = PrintedLine(D(10), nature="N4")


@pytest.mark.parametrize(
    ("lines", "groups", "codes"),
    [
        ([HUNDRED], [group("100", "22.00")], []),
        ([HUNDRED], [group("101", "22.22")], []),
        ([HUNDRED], [group("101.01", "22.22")], ["00422"]),
        ([HUNDRED], [group("99", "21.78")], []),
        ([HUNDRED], [group("98.99", "21.78")], ["00422"]),
        ([HUNDRED], [group("101.50", "22.33", rounding=D("0.60"))], []),
        ([HUNDRED], [group("100", "22.01")], []),
        ([HUNDRED], [group("100", "22.02")], ["00421"]),
        ([HUNDRED], [group("100", "21.99")], []),
        ([HUNDRED], [group("100", "21.98")], ["00421"]),
        ([HUNDRED, EXEMPT], [group("100", "22.00")], ["00419", "00444"]),
        ([HUNDRED], [group("100", "22.00"), group("0", "0", "4")], ["00443"]),
        ([HUNDRED, EXEMPT], [group("100", "22.00"), group("10", "0", "0", nature="N4")], []),
        ([HUNDRED, EXEMPT], [group("100", "22.00"), group("10", "0", "0", nature="N2.2")], ["00422", "00444", "00444"]),
        ([EXEMPT], [group("10", "0", "0")], ["00429", "00422", "00444"]),
        ([PrintedLine(D(10), D(0), "N6.1")], [group("10", "0", "0", nature="N6.1", is_split=True)], ["00420"]),
        ([EXEMPT, EXEMPT], [group("12", "0", "0", nature="N4"), group("8", "0", "0", nature="N4")], []),  # of two laws
        ([EXEMPT, EXEMPT], [group("12", "0", "0", nature="N4"), group("6", "0", "0", nature="N4")], ["00422"]),
        ([HUNDRED], [group("100", "22.00", nature="N4")], ["00430", "00422", "00444"]),
    ],
)  # fmt: skip
def test_a_summary_is_its_lines_and_its_tax_the_rate_of_its_base(lines, groups, codes):
    assert [one.code for one in summary_errors(lines, groups)] == codes


def test_what_is_wrong_is_said_with_both_figures():
    wrong = [*line_errors(PrintedLine(D("10.00"), D(22), unit_price=D("86.12")))]
    assert wrong == [Wrong("00423", "the line is 10.00; 1 at its price less discounts is 86.12")]
    wrong = [*summary_errors([HUNDRED], [group("100", "23.00")])]
    assert wrong == [Wrong("00421", "the tax at 22 percent is 23.00; 22 percent of 100 is 22.00")]


@given(st.lists(drafts(), min_size=1, max_size=25), st.booleans())
def test_what_is_made_here_passes_all_controls(lines, includes_tax):
    totals = totals_for(lines, currency="EUR", includes_tax=includes_tax)

    printed = [
        PrintedLine(
            one.net.amount,
            one.treatment.rate,
            # A zero rate without nature is the operator's own data; it is not what this test is about.
            one.treatment.nature or ("N2.2" if not one.treatment.rate else None),
            one.unit_price,
            one.quantity,
            (PrintedDiscount(amount=one.discount),),
        )
        for one in totals.lines
    ]
    groups = [
        PrintedGroup(
            one.treatment.rate,
            one.base.amount,
            one.tax.amount,
            one.treatment.nature or ("N2.2" if not one.treatment.rate else None),
            is_split=one.treatment.liability is Liability.SPLIT,
        )
        for one in totals.groups
    ]
    assert [wrong for line in printed for wrong in line_errors(line)] == []
    # Groups that differ in liability or law alone are one for the control, which sums up by rate and nature.
    assert [*summary_errors(printed, groups)] == []
