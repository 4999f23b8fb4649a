"""How both sides of a paper are addressed, from their data as it was frozen on a document.

Source: Universal Postal Union S42 for the order of an address's last line by country; what is not known goes as in Italy.

Next: billing/papers/documents.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from billing.papers.paper import PrintedParty
from billing.papers.spelling import locale_for

# The line of the city; a part that an address does not have leaves its marks out.
_ITALIAN: Final = ("{postal_code}", "{city}", "({province})")
_LAST_LINES: Final[dict[str, tuple[str, ...]]] = {
    "IT": _ITALIAN,
    "ES": ("{postal_code}", "{city}", "({province})"),
    **dict.fromkeys(("US", "CA", "AU"), ("{city}", "{province}", "{postal_code}")),
    **dict.fromkeys(("GB", "IE"), ("{city}", "{province}", "{postal_code}")),
    **dict.fromkeys(("CO", "CL", "PE", "EC", "DO", "VE", "BR"), ("{city},", "{province}", "{postal_code}")),
    **dict.fromkeys(("AR", "UY", "MX"), ("{postal_code}", "{city},", "{province}")),
}


def sender_of(data: Mapping[str, Any]) -> PrintedParty:
    """The issuer. A tax number that is its VAT number too stands once."""
    country = str(data.get("country", "")).lower()
    vat, tax = data.get("vat_number"), data.get("tax_number")
    numbers = [(f"{country}.vat", vat)] if vat else []
    if tax and tax != vat:
        numbers.append((f"{country}.tax", tax))
    return PrintedParty(str(data["name"]), address_lines(data), tuple(numbers), data.get("email"), data.get("phone"))


def recipient_of(data: Mapping[str, Any], from_country: str, language: str) -> PrintedParty:
    """The customer; its country stands below the address when the letter crosses a border."""
    country = str(data.get("country") or "")
    abroad = None
    if country and country != from_country:
        abroad = str(locale_for(language, from_country).territories.get(country, country)).upper()
    numbers = tuple((str(scheme), str(number)) for scheme, number in (data.get("tax_identifiers") or {}).items())
    number = None if data.get("id") is None else str(data["id"])
    return PrintedParty(str(data["name"]), address_lines(data, abroad), numbers, data.get("email"), None, number)


def address_lines(data: Mapping[str, Any], country: str | None = None) -> tuple[str, ...]:
    """Street and city, and below them a country that is written out."""
    street = " ".join(str(data[key]) for key in ("street", "house_number") if data.get(key))
    parts = _LAST_LINES.get(str(data.get("country") or ""), _ITALIAN)
    filled = [part for part in parts if data.get(part.strip("{}(),"))]
    city = " ".join(part.format_map(data) for part in filled).rstrip(",")
    return tuple(line for line in (street, city, country) if line)
