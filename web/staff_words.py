"""Words about staff: why something was not done, and permissions by section and deed.

Next: staff/me.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from control_plane.access.api_tokens import EmptyTokenError
from control_plane.access.own import NoSecondFactorError, NotProvenError, TooOftenError, WrongCodeError
from control_plane.access.passkeys import NotAPasskeyError, TooManyError
from control_plane.access.people import (
    AccessError,
    LastAdministratorError,
    MoreThanOwnError,
    NobodyError,
    NoFactorYetError,
    RoleInUseError,
    TakenError,
)
from control_plane.access.permissions import Permission, section_of
from control_plane.access.person import Actor
from control_plane.access.session_length import IdleIsLongerError
from web.acting import person
from web.forms import PageForm, refuse
from web.language import gettext, lazy
from web.refusal_words import database_words

# What does things by itself, by what the audit log calls it.
_DOERS: Final = {
    "dunning": lazy("Dunning"),
    "job dunning": lazy("Dunning"),
    "dunning run": lazy("Dunning"),
    "promise": lazy("Dunning"),
    "job daily_billing": lazy("Billing"),
    "job daily_deeds": lazy("Contracts"),
    "job commissions": lazy("Commissions"),
    "job credit_left": lazy("Payments"),
    "job expire_quotes": lazy("Quotes"),
    "job gateways": lazy("Payment gateways"),
    "job mail_invoices": lazy("Messages"),
    "job read_returned_mail": lazy("Messages"),
    "job send_messages": lazy("Messages"),
    "job send_webhooks": lazy("Webhooks"),
}
# The first that fits says it: what is derived stands before what it is derived from.
_WORDS: Final[dict[type[AccessError], Any]] = {
    WrongCodeError: lazy("This is not the code that the app shows now."),
    NotProvenError: lazy("This is not your password."),
    TooOftenError: lazy("Too many tries have failed. Try again in an hour."),
    NoSecondFactorError: lazy("Recovery codes stand in for an app or a passkey: add one first."),
    TakenError: lazy("There is one of this name already."),
    NobodyError: lazy("This is gone, or never was."),
    RoleInUseError: lazy("Somebody has this role: give them another one first."),
    MoreThanOwnError: lazy("You can't give, take or change what you have not been granted yourself."),
    LastAdministratorError: lazy("Nobody would be left who may administer staff."),
    NoFactorYetError: lazy(
        "Nobody who administers staff would be left with the second factor that a role demands. Add yours first, under Your account."
    ),
    NotAPasskeyError: lazy("The browser's answer is not what was asked for, or came too late. Try again."),
    TooManyError: lazy("Remove one first: there are as many as there may be."),
    IdleIsLongerError: lazy("Without a click a session can't last longer than in any case."),
    EmptyTokenError: lazy("Say what the token may, and for how long from now on."),
}
SECTION_WORDS: Final[dict[str, Any]] = {
    "network": lazy("Network"),
    "holder": lazy("Who had an address"),
    "account": lazy("Subscriber accounts"),
    "customer": lazy("Customers"),
    "contract": lazy("Contracts"),
    "document": lazy("Documents"),
    "bill": lazy("Billing runs"),
    "payment": lazy("Payments"),
    "dunning": lazy("Dunning"),
    "ledger": lazy("Ledger"),
    "catalogue": lazy("Catalogue"),
    "message": lazy("Messages"),
    "cash": lazy("Collectors and cash"),
    "agent": lazy("Agents"),
    "einvoice": lazy("E-invoices"),
    "gateway": lazy("Payment gateways"),
    "webhook": lazy("Webhooks"),
    "portal": lazy("Portal"),
    "staff": lazy("Staff and roles"),
    "audit": lazy("Audit log"),
    "setting": lazy("Settings"),
}
DEED_WORDS: Final[dict[str, Any]] = {
    "see": lazy("see"),
    "act": lazy("act on it"),
    "change": lazy("change"),
    "release": lazy("release what is held"),
    "reveal": lazy("reveal passwords"),
    "export": lazy("export"),
    "issue": lazy("issue"),
    "run": lazy("run"),
    "record": lazy("record"),
    "give_back": lazy("give back"),
    "post": lazy("post"),
    "send": lazy("send"),
    "take": lazy("take payments as a collector"),
    "manage": lazy("manage"),
    "own": lazy("see one's own as an agent"),
}


def access_words(refused: AccessError) -> str:
    """Why it was not done."""
    return next(
        (str(words) for kind, words in _WORDS.items() if isinstance(refused, kind)), gettext("This was not done.")
    )


@contextmanager
def refusing(form: PageForm) -> Iterator[None]:
    """What access or the database refuses in the block stands in the form then, beside its field where it is one."""
    try:
        yield
    except TakenError as refused:
        refuse(form, "name", access_words(refused))
    except AccessError as refused:
        refuse(form, "", access_words(refused))
    except psycopg.errors.IntegrityError as error:
        refuse(form, _field_of(error), database_words(error))


def _field_of(error: psycopg.errors.IntegrityError) -> str:
    """The column that a constraint of staff or of roles is about."""
    named = (error.diag.constraint_name or "").removeprefix("staff_role_").removeprefix("staff_")
    column = named.removesuffix("_check").removesuffix("_once")
    return {"is_collector_or_agent": "agent_id"}.get(column, column)


def actor() -> Actor:
    """Who changes staff and roles in this request, and what they have to hand on."""
    return Actor(person().name, person().permissions)


def deed_of(permission: Permission) -> str:
    """What it lets somebody do, in a word or two."""
    return str(DEED_WORDS[permission.value.partition(".")[2]])


def permissions_by_section(permissions: Iterable[Permission]) -> list[tuple[str, list[Permission]]]:
    """Sections in the order of the console, each with those of its permissions that are among these."""
    granted = frozenset(permissions)
    found = []
    for section in dict.fromkeys(section_of(one) for one in Permission):
        some = [one for one in Permission if section_of(one) == section and one in granted]
        if some:
            found.append((str(SECTION_WORDS[section]), some))
    return found


def doer_words(name: str | None) -> str:
    """Who did something: a person by their name, what is done by itself by what it is."""
    if name in _DOERS:
        return gettext("%(what)s, by itself", what=_DOERS[name])
    return name or ""
