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
    return gettext(form, **{name: _shown(value) for name, value in told.about.items()}) if told.about else gettext(form)


def _shown(value: object) -> object:
    match value:
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
