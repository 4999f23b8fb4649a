"""Amounts and prices in words, alike in all commands: a point, the currency's places at least, with or without tax."""

from __future__ import annotations

from decimal import Decimal

from billing.money import currency_places


def amount_words(amount: Decimal, currency: str) -> str:
    """The currency's places at least, and what there is beyond: 29.90 EUR, 19990 CLP."""
    plain = f"{amount.normalize():f}"
    whole, _, rest = plain.partition(".")
    rest = rest.ljust(currency_places(currency), "0")
    return f"{whole}.{rest}" if rest else whole


def taxed_words(includes_tax: bool) -> str:
    """To be put behind a price of the catalogue, where without tax is the rule."""
    return " with tax" if includes_tax else ""


def period_words(months: int | None) -> str:
    """To be put behind a price: a month, 3 months; nothing for what is paid once."""
    return "" if months is None else " a month" if months == 1 else f" for {months} months"
