"""Words for what the rules of money say: methods, sources, and why something was not done, in the reader's language.

A refusal of billing is an English sentence with the numbers in it. The usual ones are known here by their form and said in the reader's
language; one that is not is shown as it is, which is better than nothing said.

Next: forms.py
"""

from __future__ import annotations

import re
from typing import Any, Final

from billing.payments import MethodKind, NotDone, PaymentSource
from web.language import gettext, lazy

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
_REFUSALS: Final[tuple[tuple[re.Pattern[str], Any], ...]] = tuple(
    (re.compile(form), words)
    for form, words in (
        (r"a payment of (?P<a>.+): give an amount above zero", lazy("%(a)s: give an amount above zero.")),
        (r"(?P<a>.+) is not offered any more", lazy("%(a)s is not offered any more: choose another method.")),
        (
            r"a value date of (?P<a>\S+), and today is (?P<b>\S+):",
            lazy("A value date of %(a)s, and today is %(b)s: look at the year."),
        ),
        (r"there is no customer (?P<a>\d+)", lazy("There is no customer %(a)s.")),
        (r"there is no payment (?P<a>\d+)", lazy("There is no payment %(a)s.")),
        (
            r"payment (?P<a>\d+) came back or was given back",
            lazy("Payment %(a)s came back or was given back: whose it was stays as it is."),
        ),
        (r"payment (?P<a>\d+) came back on (?P<b>\S+)", lazy("Payment %(a)s came back on %(b)s.")),
        (
            r"payment (?P<a>\d+) has just been matched",
            lazy("Payment %(a)s has just been matched by somebody else: look again."),
        ),
        (
            r"(?P<a>.+) of (?P<c>invoice .+), which has (?P<b>.+) open",
            lazy("%(a)s of %(c)s, which has %(b)s open: choose less."),
        ),
        (
            r"(?P<a>.+) of (?P<c>invoice .+) are chosen, and (?P<b>.+) are left",
            lazy("%(a)s of %(c)s are chosen, and %(b)s are left: choose less."),
        ),
        (r"(?P<a>invoice .+) is not open for this customer", lazy("%(a)s is not open for this customer.")),
        (
            r"(?P<a>.+) of payment (?P<c>\d+): (?P<b>.+) can be given back",
            lazy("%(a)s of payment %(c)s: %(b)s can be given back."),
        ),
        (
            r"(?P<w>.+) on (?P<a>\d{4}-\d\d-\d\d): give a day from (?P<b>\S+) to today",
            lazy("%(a)s: give a day from %(b)s to today."),
        ),
        (
            r"the issuer has no series of numbers for receipts",
            lazy("The issuer has no series of numbers for receipts yet."),
        ),
        (
            r"nobody knows yet whose payment (?P<a>\d+) is",
            lazy("Nobody knows yet whose payment %(a)s is: match it first."),
        ),
    )
)


def words_of(refused: NotDone | str) -> str:
    """Why nothing was done."""
    message = refused.message if isinstance(refused, NotDone) else str(refused)
    for form, words in _REFUSALS:
        if found := form.match(message):
            return gettext(words.text, **found.groupdict()) if found.groupdict() else str(words)
    return message[:1].upper() + message[1:]
