"""Words for what is sold: kinds of products, prices and the days on which they hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from billing.store.catalogue import Price
from web.language import day_shown, gettext, lazy, ngettext, price_shown

KINDS: Final[Mapping[str, Any]] = {
    "plan": lazy("Plan"),
    "add_on": lazy("Add-on"),
    "one_off": lazy("One-off"),
    "usage": lazy("Usage"),
}
LANGUAGES: Final = ("it", "en", "es")


def in_force(price: Price, day: date) -> bool:
    """Whether contracts made on a day have it."""
    return (price.since is None or price.since <= day) and (price.until is None or day < price.until)


def price_words(price: Price) -> str:
    """An amount, for how long, with tax or without."""
    every = "" if price.months == 1 else " " + ngettext("for %(num)s month", "for %(num)s months", price.months)
    taxed = gettext("with tax") if price.includes_tax else gettext("without tax")
    return f"{price_shown(price.unit_price, price.currency)}{every}, {taxed}"


def days_words(since: date | None, until: date | None) -> str:
    """From when, and the first day on which it no longer holds."""
    parts = []
    if since is not None:
        parts.append(gettext("from %(day)s", day=day_shown(since)))
    if until is not None:
        parts.append(gettext("before %(day)s", day=day_shown(until)))
    return " ".join(parts) or gettext("always")
