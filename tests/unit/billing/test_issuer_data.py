"""What is told of an issuer, compact, or named by its column where it can't be; and the number that comes next."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.country_data import load_country
from billing.issuer_data import next_number, read_issuer_data

IT = load_country("IT")
TODAY = date(2026, 6, 15)


def test_texts_become_compact_and_what_is_none_is_to_be_empty():
    given = {
        "vat_number": "it 01234560017",
        "iban": "it60 x054 2811 1010 0000 0123 456",
        "bank_days": "it-to",
        "email": None,
    }
    read = read_issuer_data(given | {"minimum_document": "2.50", "name": "X"}, IT, currency="EUR")
    assert read == {
        "vat_number": "01234560017",
        "iban": "IT60X0542811101000000123456",
        "bank_days": "IT-TO",
        "email": None,
        "minimum_document": Decimal("2.50"),
        "name": "X",
    }


def test_all_that_is_wrong_is_named_by_its_column():
    given = {
        "vat_number": "1",
        "iban": "x",
        "phone": "011",
        "email": "x",
        "zone": "x",
        "bank_days": "x",
        "tax_regime": "x",
    }
    read = read_issuer_data(given, IT, currency="EUR")
    assert isinstance(read, list)
    assert [one.column for one in read] == list(given)
    assert all(str(one) for one in read)


@pytest.mark.parametrize("amount", ["0", "-1", "1.005"])
def test_the_smallest_document_is_an_amount_of_its_currency(amount):
    read = read_issuer_data({"minimum_document": amount}, IT, currency="EUR")
    assert isinstance(read, list)
    assert read[0].column == "minimum_document"


@pytest.mark.parametrize(
    ("year", "last", "printed"), [(2026, 41, "42/FT/2026"), (2025, 41, "1/FT/2026"), (None, None, "1/FT/2026")]
)
def test_the_next_number_goes_on_within_a_year_and_each_year_begins_with_one(year, last, printed):
    assert next_number("{number}/{code}/{year}", "FT", year=year, last=last, today=TODAY) == printed
