"""Numbers and days as they are typed for the books."""

from __future__ import annotations

from decimal import Decimal

import pytest

from control_plane.cli._books import AMOUNT, DECIMAL, TAX_RATE


@pytest.mark.parametrize(
    ("kind", "fits", "too_fine", "places"),
    [(DECIMAL, "0.00000001", "1e-9", 8), (AMOUNT, "1.005", "22.00005", 3), (TAX_RATE, "7.1234", "22.00005", 4)],
)
def test_a_number_that_the_database_would_round_in_silence_is_refused(kind, fits, too_fine, places):
    assert kind.convert(f"{fits}00", None, None) == Decimal(fits)
    with pytest.raises(
        Exception, match=f"'{too_fine}': expected a number such as 29.90, with {places} decimals at most"
    ):
        kind.convert(too_fine, None, None)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e-99999999", "1e12", "", "29,90"])
def test_what_is_no_number_of_the_books_is_refused(text):
    with pytest.raises(Exception, match="expected a number"):
        DECIMAL.convert(text, None, None)
