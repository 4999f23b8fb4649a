"""How amounts, days and numbers are written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.money import Money
from billing.papers.paper import Percent, Price
from billing.papers.spelling import Spelling, known_currencies, spelled


@pytest.mark.parametrize(
    ("language", "country", "money", "column", "full"),
    [
        ("it", "IT", Money(123456789, "EUR"), "1.234.567,89", "1.234.567,89 €"),
        ("es", "ES", Money(123456, "EUR"), "1.234,56", "1.234,56 €"),
        ("en", "IT", Money(123456, "EUR"), "1,234.56", "€1,234.56"),
        ("en", "US", Money(-123456, "USD"), "-1,234.56", "-$1,234.56"),
        ("es", "CL", Money(1234567, "CLP"), "1.234.567", "$1.234.567"),
        ("es", "MX", Money(123456, "MXN"), "1,234.56", "$1,234.56"),
        ("en", "TN", Money(1234567, "TND"), "1,234.567", "TND 1,234.567"),
        ("it", "AR", Money(5, "TND"), "0,005", "0,005 TND"),
    ],
)
def test_an_amount_has_its_currency_s_places_as_its_reader_writes_them(language, country, money, column, full):
    written = Spelling(language, country).amount(money)

    assert written["amount"] == column
    assert written["full"].replace("\xa0", " ") == full


@pytest.mark.parametrize(
    ("language", "country", "short", "long"),
    [
        ("it", "IT", "5 mar 2026", "5 marzo 2026"),
        ("es", "ES", "5 mar 2026", "5 de marzo de 2026"),
        ("es", "CL", "05-03-2026", "5 de marzo de 2026"),
        ("en", "IT", "5 Mar 2026", "5 March 2026"),
        ("en", "US", "Mar 5, 2026", "March 5, 2026"),
    ],
)
def test_a_day_is_never_taken_for_a_month(language, country, short, long):
    assert Spelling(language, country).day(date(2026, 3, 5)) == {"short": short, "long": long}


def test_numbers_keep_the_digits_that_say_something():
    spelling = Spelling("it", "IT")

    assert spelling.number(Decimal("12.50000000")) == "12,5"
    assert spelling.number(Decimal("0.00000001")) == "0,00000001"
    assert spelling.number(Decimal("1E+3")) == "1.000"
    assert spelling.price(Price(Decimal("24.50819700"), "EUR")) == "24,508197"
    assert spelling.price(Price(Decimal("20.00000000"), "EUR")) == "20,00"
    assert spelling.price(Price(Decimal("20.00000000"), "CLP")) == "20"
    assert spelling.percent(Percent(Decimal("22.0000"))) == "22%"
    assert spelling.percent(Percent(Decimal("12.5"))) == "12,5%"


def test_a_moment_says_its_minute():
    assert Spelling("it", "IT").moment(datetime(2026, 3, 5, 9, 7, tzinfo=UTC)) == "5 mar 2026, 09:07"


def test_what_is_no_figure_and_no_text_is_a_mistake():
    with pytest.raises(AssertionError):
        spelled(object(), Spelling("it", "IT"))


def test_currencies_are_those_of_iso_4217_that_are_in_force():
    # Of the countries that there is data for, the franc of two unions, and Chile's unit of account.
    assert {
        "EUR",
        "ARS",
        "BRL",
        "CLP",
        "COP",
        "DOP",
        "MXN",
        "PEN",
        "USD",
        "UYU",
        "VES",
        "XAF",
        "XOF",
        "CLF",
    } <= known_currencies()
    assert not {"ZZZ", "ITL", "XTS", "XAU", "CNH"} & known_currencies()
