"""The text of a QR code that a bank's app makes a SEPA credit transfer from.

Source: European Payments Council, EPC069-12 version 3.1: service tag BCD, version 002, SCT, at most 331 octets, level M.

Next: billing/papers/documents.py
"""

from __future__ import annotations

from typing import Final

from stdnum import iban

from billing.money import Money

# Where SEPA credit transfers go (EPC409-09, list of SEPA scheme countries, with the territories that have an own code).
_SEPA: Final = frozenset(
    [
        "AD",
        "AL",
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GG",
        "GI",
        "GR",
        "HR",
        "HU",
        "IE",
        "IM",
        "IS",
        "IT",
        "JE",
        "LI",
        "LT",
        "LU",
        "LV",
        "MC",
        "MD",
        "ME",
        "MK",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "RS",
        "SE",
        "SI",
        "SK",
        "SM",
        "VA",
    ]
)
_NAME_LENGTH: Final = 70
_TEXT_LENGTH: Final = 140
_OCTETS: Final = 331
_LEAST: Final = 1
_MOST: Final = 99_999_999_999


def transfer_code(account: str, holder: str, amount: Money, reference: str) -> str | None:
    """What the code says; None where no app could pay by it: another currency, an account beyond SEPA, nothing to pay."""
    compact = iban.compact(account)
    if amount.currency != "EUR" or compact[:2] not in _SEPA or not iban.is_valid(compact):
        return None
    if not _LEAST <= amount.minor <= _MOST:
        return None
    name, text = _one_line(holder)[:_NAME_LENGTH].strip(), _one_line(reference)[:_TEXT_LENGTH].strip()
    while True:
        lines = ("BCD", "002", "1", "SCT", "", name, compact, f"EUR{amount.amount}", "", "", text)
        code = "\n".join(lines).rstrip("\n")
        if len(code.encode()) <= _OCTETS:
            return code
        text = text[:-1]


def _one_line(text: str) -> str:
    """Without what would end the line that it stands in."""
    return " ".join(text.split())
