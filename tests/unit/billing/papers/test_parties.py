"""How both sides of a paper are addressed."""

from __future__ import annotations

import pytest

from billing.papers.parties import recipient_of, sender_of

ISSUER = {
    "id": 1,
    "name": "Example Net",
    "country": "IT",
    "vat_number": "01234560017",
    "tax_number": "01234560017",
    "street": "Via Roma",
    "house_number": "1",
    "postal_code": "10121",
    "city": "Torino",
    "province": "TO",
    "email": "office@example.net",
}


def test_an_issuer_s_number_that_is_both_stands_once():
    sender = sender_of(ISSUER)

    assert sender.address == ("Via Roma 1", "10121 Torino (TO)")
    assert sender.numbers == (("it.vat", "01234560017"),)
    assert sender_of(ISSUER | {"tax_number": "97000000015"}).numbers[1] == ("it.tax", "97000000015")
    assert sender_of({"name": "A"}).numbers == ()


@pytest.mark.parametrize(
    ("country", "language", "lines"),
    [
        ("IT", "it", ("Po 1", "10124 Torino (TO)")),
        ("ES", "it", ("Po 1", "10124 Torino (TO)", "SPAGNA")),
        ("CO", "es", ("Po 1", "Torino, TO 10124", "COLOMBIA")),
        ("US", "en", ("Po 1", "Torino TO 10124", "UNITED STATES")),
        ("AR", "en", ("Po 1", "10124 Torino, TO", "ARGENTINA")),
    ],
)
def test_the_last_line_goes_as_the_country_has_it_and_names_it_abroad(country, language, lines):
    data = {"id": 7, "name": "Anna", "street": "Po", "house_number": "1", "postal_code": "10124", "city": "Torino"}

    found = recipient_of(data | {"province": "TO", "country": country}, "IT", language)

    assert found.address == lines
    assert found.number == "7"


def test_what_an_address_does_not_have_leaves_no_marks():
    data = {"name": "Anna", "street": "Po", "city": "Bogotá", "country": "CO", "postal_code": ""}

    assert recipient_of(data, "CO", "es").address == ("Po", "Bogotá")
    assert recipient_of({"name": "Anna"}, "IT", "it").address == ()


def test_a_brace_in_a_city_is_a_brace():
    assert recipient_of({"name": "A", "city": "{name}", "country": "IT"}, "IT", "it").address == ("{name}",)
