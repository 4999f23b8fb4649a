"""Amounts: rounded once, half away from zero, and never a cent lost when they are shared out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.core import get_global
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BillingError
from billing.money import (
    CurrenciesDifferError,
    Money,
    currency_places,
    instalments,
    percent_of,
    read_money,
    settle,
    share,
    split,
    total,
    zero,
)

MINOR = st.integers(-(10**13), 10**13)
# CLDR leaves out decimals that no shop uses; ISO 4217 gives these two, and three to IQD.
CLDR_DIFFERS = {"AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"}


@pytest.mark.parametrize(
    ("exact", "settled"),
    [
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("0.0049999999", "0.00"),
        ("2.675", "2.68"),  # binary floating point makes 2.67 of it
        ("2.665", "2.67"),  # half to even would make 2.66
        ("-2.665", "-2.67"),
        ("1234567890123.455", "1234567890123.46"),
        ("99999999999999999999.005", "99999999999999999999.01"),  # more digits than the default decimal context keeps
    ],
)
def test_a_half_goes_away_from_zero(exact, settled):
    assert str(settle(Decimal(exact), "EUR").amount) == settled


@pytest.mark.parametrize(
    ("currency", "settled"), [("CLP", "11"), ("EUR", "10.50"), ("TND", "10.500"), ("COP", "10.50"), ("PYG", "11")]
)
def test_an_amount_has_the_places_of_its_currency(currency, settled):
    assert str(settle(Decimal("10.5"), currency).amount) == settled


def test_the_places_are_those_of_the_unicode_locale_data_where_it_follows_iso_4217():
    # Of each territory the currencies that are in use today and tender.
    in_use = {
        one[0] for kept in get_global("territory_currencies").values() for one in kept if one[2] is None and one[3]
    }

    assert {"EUR", "ARS", "CLP", "COP", "DOP", "MXN", "PEN", "TND", "UYU", "VES"} < in_use
    different = {code for code in in_use if currency_places(code) != get_currency_precision(code)}
    assert different <= CLDR_DIFFERS


def test_different_currencies_are_never_added_or_compared():
    with pytest.raises(CurrenciesDifferError, match=r"1\.00 EUR and 1\.00 USD"):
        Money(100, "EUR") + Money(100, "USD")
    with pytest.raises(CurrenciesDifferError):
        _ = Money(100, "EUR") < Money(100, "USD")
    with pytest.raises(CurrenciesDifferError):
        total([Money(1, "EUR"), Money(1, "CLP")], "EUR")


def test_amounts_are_added_taken_off_and_compared():
    small, large, none = Money(250, "EUR"), Money(1000, "EUR"), zero("EUR")

    assert (small + large, large - small, -small) == (Money(1250, "EUR"), Money(750, "EUR"), Money(-250, "EUR"))
    assert small < large
    assert not small < Money(250, "EUR")
    assert small <= Money(250, "EUR")
    assert not large <= small
    assert (bool(small), bool(none), none.minor) == (True, False, 0)
    assert (percent_of(large, Decimal("12.5")), percent_of(-large, Decimal("0.05"))) == (
        Money(125, "EUR"),
        Money(-1, "EUR"),
    )


def test_an_amount_with_more_places_than_its_currency_is_refused():
    assert read_money(Decimal("10.500"), "EUR") == Money(1050, "EUR")
    with pytest.raises(BillingError, match=r"10\.505 EUR has more than 2 decimals"):
        read_money(Decimal("10.505"), "EUR")
    with pytest.raises(BillingError, match=r"10\.5 CLP has more than 0 decimals"):
        read_money(Decimal("10.5"), "CLP")


def test_a_share_is_multiplied_before_it_is_divided():
    # A third rounded first, 0.33, would give 33,000.00.
    assert share(Money(10_000_000, "EUR"), 1, 3) == Money(3_333_333, "EUR")


@given(MINOR, st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any))
def test_what_is_spread_adds_up_and_is_a_cent_from_its_share_at_most(minor, weights):
    parts = split(Money(minor, "EUR"), weights)

    assert sum(part.minor for part in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor * sum(weights) - minor * weight) < sum(weights)
        assert weight or not part


def test_of_equal_remainders_the_first_gets_the_cent():
    assert [part.minor for part in split(Money(100, "EUR"), [1, 1, 1])] == [34, 33, 33]
    assert [part.minor for part in split(Money(-100, "EUR"), [1, 1, 1])] == [-34, -33, -33]
    # Exact shares 14.29, 28.57, 57.14: the cent that is missing goes where most was cut off.
    assert [part.minor for part in split(Money(100, "EUR"), [Decimal(1), Decimal(2), Decimal(4)])] == [14, 29, 57]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_nothing_is_spread_over_nothing(weights):
    with pytest.raises(BillingError, match="can't be spread"):
        split(Money(100, "EUR"), weights)


@given(MINOR, st.integers(1, 60))
def test_instalments_add_up_to_the_price_with_the_rest_on_the_first(minor, count):
    parts = instalments(Money(minor, "EUR"), count)

    assert len(parts) == count
    assert sum(part.minor for part in parts) == minor
    assert len({part.minor for part in parts[1:]}) <= 1
    assert all(abs(parts[0].minor) - abs(part.minor) in range(count) for part in parts[1:])


def test_a_hundred_in_three_instalments():
    assert [str(part.amount) for part in instalments(Money(10_000, "EUR"), 3)] == ["33.34", "33.33", "33.33"]
    with pytest.raises(BillingError, match="at least one"):
        instalments(Money(10_000, "EUR"), 0)
