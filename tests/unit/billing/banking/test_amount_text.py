"""Amounts and days as banks write them: read in one way, or refused."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.banking.amount_text import UnreadableError, day_pattern, read_amount, read_day


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("12,50", ",", "12.50"),
        ("1.234,56", ",", "1234.56"),
        ("1 234,56", ",", "1234.56"),
        ("1\u00a0234\u00a0567,8", ",", "1234567.8"),
        ("1'234.50", ".", "1234.50"),
        ("1,234,567.50", ".", "1234567.50"),
        ("1.234", ",", "1234"),
        ("1.234", ".", "1.234"),
        ("-12,00", ",", "-12.00"),
        ("12,00-", ",", "-12.00"),
        ("(12,00)", ",", "-12.00"),
        ("\u221212,00", ",", "-12.00"),
        ("+ 12,00", ",", "12.00"),
        ("\u20ac 12,00", ",", "12.00"),
        ("EUR 1.200,00", ",", "1200.00"),
        ("-1.200,00 EUR", ",", "-1200.00"),
        ("0", ",", "0"),
        ("007,10", ",", "7.10"),
    ],
)
def test_an_amount_is_read_as_it_is_written(text, decimal, amount):
    assert read_amount(text, decimal) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("1234.56", ","),  # the decimal mark is the other one
        ("1.23,45", ","),
        ("1,234,56", ","),
        ("1.234.56", "."),
        ("12.345.6", ","),
        ("1.2345", ","),
        ("1234.567,00", ","),
        ("1.234 567,00", ","),
        ("--5", ","),
        ("-5-", ","),
        ("+-5", ","),
        ("", ","),
        ("-", ","),
        (",50", ","),
        ("5,5,5", ","),
        ("1e9", "."),
        ("NaN", "."),
        ("Infinity", "."),
        ("0x10", "."),
        ("\u0663\u0664", ","),  # Arabic digits
        ("12,\u0665", ","),
        ("=1+1", ","),
        ("1" * 41, ","),
        ("12 EUR USD 3", ","),
    ],
)
def test_what_is_no_amount_is_refused_and_never_guessed_at(text, decimal):
    with pytest.raises(UnreadableError):
        read_amount(text, decimal)


@given(
    st.decimals(min_value=-(10**12), max_value=10**12, places=2),
    st.sampled_from([(",", "."), (",", " "), (",", "\u202f"), (".", ","), (".", "'"), (",", "")]),
    st.sampled_from(["-{}", "{}-", "({})", "\u2212{}", "- {}"]),
)
def test_an_amount_comes_back_from_every_way_of_writing_it(amount, marks, below):
    mark, thousands = marks
    written = f"{abs(amount):,.2f}".replace(",", "T").replace(".", mark).replace("T", thousands)

    assert read_amount(below.format(written) if amount < 0 else written, mark) == amount


@given(st.text(max_size=45), st.sampled_from([",", "."]))
def test_any_text_is_an_amount_or_refused_and_nothing_else(text, decimal):
    with contextlib.suppress(UnreadableError):
        assert read_amount(text, decimal).is_finite()


@pytest.mark.parametrize(
    ("text", "form", "day"),
    [
        ("31/01/2026", "DD/MM/YYYY", "2026-01-31"),
        ("1/2/26", "D/M/YY", "2026-02-01"),
        ("02/01/2026", "MM/DD/YYYY", "2026-02-01"),
        ("20260131", "YYYYMMDD", "2026-01-31"),
        ("2026-01-31T10:20:30", "YYYY-MM-DD", "2026-01-31"),
        ("31.01.2026 09:15", "DD.MM.YYYY", "2026-01-31"),
    ],
)
def test_a_day_is_read_as_its_form_says(text, form, day):
    assert read_day(text, form) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("31/02/2026", "DD/MM/YYYY"),
        ("01/31/2026", "DD/MM/YYYY"),
        ("31-01-2026", "DD/MM/YYYY"),
        ("31/01/26", "DD/MM/YYYY"),
        ("31/01/20266", "DD/MM/YYYY"),
        ("", "DD/MM/YYYY"),
        ("31x01x2026", "DD.MM.YYYY"),
    ],
)
def test_a_day_of_another_form_is_refused(text, form):
    with pytest.raises(UnreadableError):
        read_day(text, form)


@pytest.mark.parametrize("form", ["", "DD/MM", "YYYY", "DD/DD/YYYY", "day"])
def test_a_form_without_day_month_and_year_is_refused(form):
    with pytest.raises(UnreadableError):
        day_pattern(form)


@given(
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["DD/MM/YYYY", "YYYY-MM-DD", "DD.MM.YY", "YYYYMMDD", "MM/DD/YYYY"]),
)
def test_a_day_comes_back_from_every_form(day, form):
    written = form.replace("YYYY", f"{day:%Y}").replace("YY", f"{day:%y}").replace("MM", f"{day:%m}")

    assert read_day(written.replace("DD", f"{day:%d}"), form) == day
