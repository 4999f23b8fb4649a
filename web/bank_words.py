"""Words for what speaks for a bank's line, and for what became of it.

Next: money_words.py
"""

from __future__ import annotations

import re
from typing import Any, Final

from billing.banking.matching import Reason
from billing.banking.returns import Trace
from web.language import gettext, lazy

_REASONS: Final[dict[str, Any]] = {
    Reason.REFERENCE: lazy("creditor reference"),
    Reason.NUMBER: lazy("document number"),
    Reason.LOOSE_NUMBER: lazy("number and year"),
    Reason.CUSTOMER: lazy("customer reference"),
    Reason.IBAN: lazy("known IBAN"),
    Reason.SHARED_IBAN: lazy("IBAN of several"),
    Reason.NAME: lazy("name"),
    Reason.SHARED_NAME: lazy("name of several"),
    Reason.AMOUNT: lazy("amount of a document"),
    Reason.NAMED_AMOUNT: lazy("amount of what is named"),
    Reason.ALL: lazy("amount of all that is open"),
    Reason.SOME: lazy("amount of some of it"),
    Reason.ONLY: lazy("the only one with this amount"),
    Trace.END_TO_END: lazy("end-to-end reference"),
    Trace.MANDATE: lazy("mandate"),
    Trace.IBAN: lazy("same IBAN"),
    Trace.NAME: lazy("same name"),
}
_WHY: Final[tuple[tuple[re.Pattern[str], Any], ...]] = tuple(
    (re.compile(form), words)
    for form, words in (
        (r"nothing speaks for any customer", lazy("Nothing speaks for any customer.")),
        (r"not clear enough", lazy("Not clear enough.")),
        (r"not clear among several", lazy("Not clear among several.")),
        (r"money out that took nothing back", lazy("Money out that took nothing back.")),
        (r"money that we had paid came back", lazy("Money that we had paid came back.")),
        (r"recorded before under its reference", lazy("Recorded before under its reference.")),
        (r"payment (?P<a>\d+) was recorded by hand", lazy("Payment %(a)s was recorded by hand for the same customer and amount in these days: perhaps this very one.")),
        (r"payment (?P<a>\d+) of (?P<b>\S+) has its reference", lazy("Payment %(a)s of %(b)s has its reference and amount: perhaps this very one, or another one.")),
        (r"a (?P<a>\S+) file told the same amount", lazy("A %(a)s file told the same amount of that day: perhaps this very line.")),
        (r"no payment that this clearly took back", lazy("No payment that this clearly took back.")),
        (r"rejected before it was paid", lazy("Rejected before it was paid: there is no payment to take back.")),
        (r"the bank took its own entry back", lazy("The bank took its own entry back.")),
    )
)  # fmt: skip


def reason_words(reason: str) -> str:
    """What speaks for somebody."""
    return str(_REASONS[reason]) if reason in _REASONS else reason.replace("_", " ")


def why_words(why: str | None) -> str:
    """Why a line waits or was decided: as the import said it, or in a person's own words."""
    if not why:
        return ""
    for form, words in _WHY:
        if found := form.match(why):
            return gettext(words.text, **found.groupdict()) if found.groupdict() else str(words)
    parts = [one.replace(" ", "_") for one in why.split(", ")]
    if all(one in _REASONS for one in parts):
        return ", ".join(str(_REASONS[one]) for one in parts)
    return why
