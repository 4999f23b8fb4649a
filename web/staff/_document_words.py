"""Words for documents: kinds, how they stand, what they have to do with each other. Used by all pages that show one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from billing.credits import NothingLeftError
from billing.errors import BillingError
from billing.money import CurrenciesDifferError
from billing.periods import Period
from billing.shown import ShownDocument
from billing.store.documents import ChargeTakenError
from billing.store.issued import ListedDocument
from web.language import lazy
from web.money_words import error_words

KINDS: Final[Mapping[str, Any]] = {
    "invoice": lazy("Invoice"),
    "credit_note": lazy("Credit note"),
    "quote": lazy("Quote"),
    "order": lazy("Order"),
}
# How an invoice stands, or the state of what is none; with the tone in which it is shown.
STATES: Final[Mapping[str, tuple[Any, str]]] = {
    "open": (lazy("Open"), "calm"),
    "part_paid": (lazy("Paid in part"), "busy"),
    "paid": (lazy("Paid"), "good"),
    "overdue": (lazy("Overdue"), "bad"),
    "written_off": (lazy("Written off"), "warn"),
    "issued": (lazy("Issued"), "calm"),
    "draft": (lazy("Draft"), "calm"),
    "accepted": (lazy("Accepted"), "good"),
    "refused": (lazy("Refused"), "bad"),
    "expired": (lazy("Expired"), "warn"),
}
LINKS: Final[Mapping[str, Any]] = {
    "corrects": lazy("Corrects"),
    "corrected_by": lazy("Corrected by"),
    "settles": lazy("Settles"),
    "from": lazy("Made from"),
    "made_into": lazy("Became"),
    "less_on": lazy("Less on"),
}
SETTLED_BY: Final[Mapping[str, Any]] = {
    "payment": lazy("Payment"),
    "credit_note": lazy("Credit note"),
    "write_off": lazy("Written off"),
}
LIABILITIES: Final[Mapping[str, Any]] = {
    "immediate": "",
    "deferred": lazy("Owed when paid"),
    "split": lazy("Paid to the state by the customer"),
}
MESSAGES: Final[Mapping[str, tuple[Any, str]]] = {
    "queued": (lazy("Queued"), "busy"),
    "sending": (lazy("Being sent"), "busy"),
    "sent": (lazy("Sent"), "good"),
    "bounced": (lazy("Came back"), "bad"),
    "failed": (lazy("Failed"), "bad"),
    "withheld": (lazy("Withheld"), "warn"),
    "cancelled": (lazy("Cancelled"), "calm"),
}
EINVOICES: Final[Mapping[str, tuple[Any, str]]] = {
    "draft": (lazy("Not prepared yet"), "calm"),
    "prepared": (lazy("Prepared"), "busy"),
    "sending": (lazy("Being sent"), "busy"),
    "pending": (lazy("Waits for the authority"), "busy"),
    "unknown": (lazy("In doubt: it is being asked about"), "warn"),
    "accepted": (lazy("Accepted"), "good"),
    "accepted_noted": (lazy("Accepted, with a remark"), "good"),
    "rejected_fixable": (lazy("Rejected: can be mended"), "bad"),
    "rejected_final": (lazy("Rejected for good"), "bad"),
    "blocked": (lazy("Blocked with its account"), "bad"),
    "cancel_requested": (lazy("Cancelling is asked for"), "busy"),
    "cancelled": (lazy("Cancelled"), "calm"),
    "cancel_refused": (lazy("Cancelling was refused"), "warn"),
}
_REFUSALS: Final[Mapping[type[BillingError], Any]] = {
    NothingLeftError: lazy("So much is not left of this line: less, or nothing, can be given back."),
    ChargeTakenError: lazy("Something of it was billed or given back at this moment. Look again."),
    CurrenciesDifferError: lazy("The lines are in different currencies."),
}


def standing_words(document: ListedDocument | ShownDocument) -> tuple[Any, str]:
    """How a document stands, in a word, and the tone of it."""
    return STATES[str(document.standing.state) if document.standing is not None else document.state]


def refusal_words(error: BillingError) -> str:
    """Why the product makes no document of what was asked for."""
    known = _REFUSALS.get(type(error))
    return str(known) if known else error_words(error)


def last_day(during: Period) -> date:
    """The last day of a time, as it is printed."""
    return during.end - timedelta(days=1)
