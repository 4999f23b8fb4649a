"""Words for what the rules of money say: methods, sources, and why something was not done, in the reader's language.

A refusal of billing is a form with what fills its places (billing/sentence.py): the form is translated, amounts and days are written as the reader does.

Next: forms.py
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from billing.errors import BillingError
from billing.money import Money
from billing.payments import MethodKind, PaymentSource
from billing.sentence import Sentence
from control_plane.refusals import without_command
from web.language import day_shown, gettext, lazy, moment_shown, money_shown
from web.ledger_words import ROLES

SOURCES: Final[dict[str, Any]] = {
    PaymentSource.WEBHOOK: lazy("Payment provider"),
    PaymentSource.FILE: lazy("Bank's file"),
    PaymentSource.COUNTER: lazy("Counter"),
    PaymentSource.COLLECTOR: lazy("Collector"),
    PaymentSource.MANUAL: lazy("By hand"),
}
KINDS: Final[dict[str, Any]] = {
    MethodKind.CASH: lazy("Cash"),
    MethodKind.CARD: lazy("Card"),
    MethodKind.TRANSFER: lazy("Bank transfer"),
    MethodKind.SLIP: lazy("Postal slip"),
    MethodKind.DIRECT_DEBIT: lazy("Direct debit"),
    MethodKind.GATEWAY: lazy("Online"),
    MethodKind.OTHER: lazy("Other"),
}


# What facts of a sentence are called, by the name of their place.
_PRODUCT_KINDS: Final[dict[str, Any]] = {
    "plan": lazy("plan"),
    "add_on": lazy("add-on"),
    "one_off": lazy("one-off"),
    "usage": lazy("usage"),
}
_FACTS: Final[dict[str, dict[str, Any]]] = {
    "is_kind": _PRODUCT_KINDS,
    "kind": _PRODUCT_KINDS
    | {
        "invoice": lazy("invoice"),
        "credit note": lazy("credit note"),
        "legal": lazy("seat"),
        "billing": lazy("billing"),
        "service": lazy("service"),
    },
    "purpose": {"recurring": lazy("of a billing run"), "manual": lazy("by hand")},
    "role": {str(role): words for role, words in ROLES.items()},
    "charge_state": {
        "open": lazy("open"),
        "presented": lazy("presented"),
        "pending": lazy("under way"),
    },
}


def words_of(refused: Sentence) -> str:
    """Why nothing was done, in the reader's language; a test sees to it that each form is translated."""
    said = part_of(refused)
    return said[:1].upper() + said[1:]


def error_words(error: BillingError) -> str:
    """The same of an error: one that nobody has put into a form is told in English, without a command."""
    told = error.args[0] if error.args else ""
    if isinstance(told, Sentence):
        return words_of(told)
    said = without_command(str(error))
    return said[:1].upper() + said[1:]


def part_of(told: Sentence) -> str:
    """The same within a sentence."""
    form = without_command(told.form)
    return (
        gettext(form, **{name: _shown(value, name) for name, value in told.about.items()})
        if told.about
        else gettext(form)
    )


def _shown(value: object, name: str = "") -> object:
    match value:
        case str() if value in _FACTS.get(name, ()):
            return _FACTS[name][str(value)]
        case Sentence():
            return part_of(value)
        case BillingError():
            return _shown(value.args[0] if value.args else "")
        case Money():
            return money_shown(value)
        case PaymentSource():
            return SOURCES[value]
        case datetime():
            return moment_shown(value)
        case date():
            return day_shown(value)
        case _:
            return value
