"""Amounts as commands say them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from control_plane.cli._amounts import amount_words


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("29.900", "EUR", "29.90"),
        ("29.905", "EUR", "29.905"),
        ("19990.000", "CLP", "19990"),
        ("333.33", "CLP", "333.33"),
        ("2", "TND", "2.000"),
        ("-9.610", "EUR", "-9.61"),
        ("0", "CLP", "0"),
    ],
)
def test_an_amount_has_the_places_of_its_currency_and_what_there_is_beyond(amount, currency, said):
    assert amount_words(Decimal(amount), currency) == said
