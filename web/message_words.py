"""Words about messages: how one stands, why it goes, by what way, what happened to it, and what of a problem is ours to say.

Next: staff/messages.py
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from billing.messages.errors import Fault, TextError
from billing.messages.message import Purpose, State
from billing.store.message_queue import Happening
from web.language import lazy

STATES: Final = MappingProxyType(
    {
        State.QUEUED: (lazy("waiting"), "busy"),
        State.SENDING: (lazy("is being sent"), "busy"),
        State.SENT: (lazy("sent"), "good"),
        State.BOUNCED: (lazy("came back"), "bad"),
        State.FAILED: (lazy("failed"), "bad"),
        State.WITHHELD: (lazy("withheld"), "warn"),
        State.CANCELLED: (lazy("taken back"), "calm"),
    }
)
PURPOSES: Final = MappingProxyType(
    {
        Purpose.LEGAL: lazy("required by law or contract"),
        Purpose.SERVICE: lazy("service"),
        Purpose.MARKETING: lazy("marketing"),
    }
)
CHANNELS: Final = MappingProxyType(
    {
        "email": lazy("E-mail"),
        "letter": lazy("Letter"),
        "registered_letter": lazy("Registered letter"),
        "certified_mail": lazy("Certified mail"),
        "sms": lazy("SMS"),
        "push": lazy("Notice on a device"),
    }
)
HAPPENED: Final = MappingProxyType(
    {
        Happening.SENT: (lazy("Sent"), "good"),
        Happening.DEFERRED: (lazy("Not taken for now"), "warn"),
        Happening.IN_DOUBT: (lazy("In doubt: it may have arrived"), "warn"),
        Happening.HELD: (lazy("Held"), "busy"),
        Happening.FAILED: (lazy("Failed"), "bad"),
        Happening.WITHHELD: (lazy("Withheld"), "warn"),
        Happening.CANCELLED: (lazy("Taken back"), "calm"),
        Happening.DELAYED: (lazy("The other side says it is late"), "warn"),
        Happening.BOUNCED: (lazy("Came back"), "bad"),
        Happening.DELIVERED: (lazy("Delivered, by the other side's word"), "good"),
        Happening.AGAIN: (lazy("Queued again"), "busy"),
    }
)
# What the package's kinds are about; one of the operator's own is called as they named it.
KINDS: Final = MappingProxyType(
    {
        "text": lazy("Written by hand"),
        "invoice": lazy("An invoice was issued"),
        "credit_note": lazy("A credit note was issued"),
        "receipt": lazy("A payment was recorded"),
        "due_soon": lazy("A document falls due soon"),
        "overdue": lazy("A document is overdue"),
        "formal_notice": lazy("Formal notice before a line is limited"),
        "cut_announced": lazy("The line will be limited on a day"),
        "throttled": lazy("The line is slower for a debt"),
        "walled": lazy("The line shows the payment page alone"),
        "blocked": lazy("The line is switched off for a debt"),
        "restored": lazy("The line is open again"),
        "promise_made": lazy("A promise to pay was noted"),
        "promise_due": lazy("A promise to pay ends tomorrow"),
        "promise_broken": lazy("A promise to pay was broken"),
        "payment_returned": lazy("A payment came back"),
        "outage": lazy("An outage"),
        "outage_over": lazy("An outage is over"),
        "maintenance": lazy("Works are announced"),
        "plan_answered": lazy("A request for another plan was answered"),
        "portal_link": lazy("Link into the portal"),
    }
)
_PROBLEMS: Final = MappingProxyType(
    {
        "the customer has no e-mail address": lazy("the customer has no e-mail address"),
        "no e-mail address": lazy("no e-mail address"),
        "declined": lazy("the customer has declined it"),
        "there is no consent to marketing": lazy("there is no consent to marketing"),
        "it is too late for it": lazy("it is too late for it"),
        "it would be too late when it may go": lazy("it would be too late when it may go"),
        "taken back": lazy("taken back"),
        "the device is not told any more": lazy("the device is not told any more"),
        "by hand": lazy("by hand"),
        "the worker ended before the answer was noted": lazy("the worker ended before the answer was noted"),
    }
)
_BEGINNINGS: Final = (
    ("the address does not exist", lazy("the address does not exist%(more)s")),
    ("quiet hours until ", lazy("quiet hours until %(more)s")),
    ("given up: ", lazy("given up: %(more)s")),
)


_FAULTS: Final = MappingProxyType(
    {
        Fault.SYNTAX: lazy("This can't be read: %(name)s"),
        Fault.NOT_ALLOWED: lazy("A text can't do this: %(name)s. There are names, if, for and filters."),
        Fault.UNKNOWN: lazy("There is no %(name)s here: the names are listed beside."),
        Fault.LOOPS: lazy("Loops stand in each other two deep at most."),
        Fault.LONG: lazy("It comes to too many letters."),
        Fault.EMPTY: lazy("The subject is empty."),
        Fault.OTHER: lazy("It can't be filled in."),
    }
)


def kind_words(kind: str) -> str:
    """What a message of that kind is about."""
    return str(KINDS.get(kind, kind))


def channel_words(channel: str) -> str:
    """By which way it goes."""
    return str(CHANNELS.get(channel.rpartition(".")[2], channel))


def problem_words(problem: str) -> str:
    """What is wrong: ours in the reader's language, a server's words as it said them."""
    if problem in _PROBLEMS:
        return str(_PROBLEMS[problem])
    for begins, words in _BEGINNINGS:
        if problem.startswith(begins):
            return str(words % {"more": problem.removeprefix(begins)})
    return problem


def step_of(happened: str, detail: str) -> tuple[Any, str, str]:
    """A line of a message's story: what happened, its words, its tone."""
    words, tone = HAPPENED[Happening(happened)]
    return words, problem_words(detail), tone


def fault_words(error: TextError) -> str:
    """Why a text can't be filled in."""
    return str(_FAULTS[error.fault] % {"name": error.name})
