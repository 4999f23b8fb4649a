"""Subscribers signing in to the portal: by a link in a mail or a letter, or by a password that they set once they were in.

A link goes to an address that is a contact's of the customer, and to no other. Whether an address is known is not told: the page
says the same either way. Wrong passwords are counted like staff's, by name and by line, under names of their own.

Source: OWASP ASVS 5.0 chapters V6, V7.

Next: signing_in.py
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from billing.messages.message import NewMessage
from billing.store.messages import queue
from control_plane import audit
from control_plane.access.back_off import line_of, longest_wait_s
from control_plane.access.own import BadPasswordError
from control_plane.access.passwords import hash_password, one_time_password, password_problem, verify_password
from control_plane.access.tokens import digest_of, name_key, new_token
from control_plane.store import portal as store
from control_plane.store.portal import Subscriber
from control_plane.store.sign_in_attempts import (
    failures_by_line,
    failures_by_name,
    hold_tries,
    note_try,
    take_turn,
)

Connection = psycopg.Connection[Any]
_CSRF_OCTETS: Final = 32
# Mails that strangers can have sent: to one address, and from one line.
_LINKS_TO_ONE: Final = 4
_LINKS_FROM_ONE: Final = 20
_PER_S: Final = 3600
_MINUTES: Final = store.LINK_S // 60
# What a letter lets in with: 79 bits in groups, as a one-time password.
_TYPED: Final = re.compile(r"[A-Za-z0-9]{4}(?:-[A-Za-z0-9]{4}){3}")


@dataclass(frozen=True, slots=True)
class CameIn:
    """They are in. `token` is for the cookie, and stands nowhere else."""

    token: str
    customer_id: int
    by_letter: bool = False


@dataclass(frozen=True, slots=True)
class KeptOut:
    """They are not, and for so long another try is not looked at. Units: whole seconds."""

    wait_s: int = 0


def actor_of(customer_id: int) -> str:
    """What the audit log calls a customer who acts in the portal."""
    return f"customer {customer_id}"


def subscriber_of(connection: Connection, token: str, *, now: datetime) -> Subscriber | None:
    """Who has that session; None where it is over, or was never."""
    digest = digest_of(token)
    return None if digest is None else store.subscriber_for(connection, digest, now=now)


def ask_for_link(
    connection: Connection, email: str, *, address: str | None, link: Callable[[str], str], now: datetime
) -> None:
    """Mail who has that address a link that lets them in once; nothing is mailed where nobody has it, or too often.

    `link` makes the page's address of a token.
    """
    line = line_of(address) or ""
    if not take_turn(connection, "portal_link_line", line, limit=_LINKS_FROM_ONE, per_s=_PER_S, now=now):
        return
    if not take_turn(connection, "portal_link", email.lower(), limit=_LINKS_TO_ONE, per_s=_PER_S, now=now):
        return
    for customer_id, contact_id, kept in store.find_customers_of(connection, email):
        mail_link(connection, customer_id, contact_id=contact_id, email=kept, link=link, made_by="portal", now=now)


def mail_link(
    connection: Connection,
    customer_id: int,
    *,
    contact_id: int,
    email: str,
    link: Callable[[str], str],
    made_by: str,
    now: datetime,
) -> None:
    """Mail a contact of a customer's a link that lets them in once; `link` makes the page's address of a token."""
    token = new_token()
    digest = digest_of(token)
    assert digest is not None
    number = store.add_link(connection, customer_id, email=email, digest=digest, now=now)
    message = NewMessage(
        customer_id,
        "portal_link",
        f"portal link {number}",
        {"link": link(token), "minutes": str(_MINUTES), "number": str(customer_id)},
        contact_id=contact_id,
        expires_at=now + timedelta(seconds=store.LINK_S),
        at_once=True,
    )
    queue(connection, [message], made_by=made_by)


def write_letter(connection: Connection, customer_id: int, *, now: datetime) -> tuple[str, datetime]:
    """A token for a letter that lets in once, and until when; one in an older letter is worth nothing. It is typed, so it is short."""
    token = one_time_password()
    digest = _digest_of_link(token)
    assert digest is not None
    store.end_letters(connection, customer_id, now=now)
    store.add_link(connection, customer_id, email=None, digest=digest, now=now, lasts_s=store.LETTER_S)
    return token, now + timedelta(seconds=store.LETTER_S)


def _digest_of_link(token: str) -> bytes | None:
    """What the database has of a link; of one in a letter however its letters were typed."""
    return digest_of(token.lower() if _TYPED.fullmatch(token) else token)


def is_link(connection: Connection, token: str, *, now: datetime) -> bool:
    """Whether a link would let somebody in; looking uses nothing up, for mail scanners look at every link."""
    digest = _digest_of_link(token)
    return digest is not None and store.is_link(connection, digest, now=now)


def enter_by_link(connection: Connection, token: str, *, now: datetime) -> CameIn | None:
    """Use a link up and begin a session; None for one that is used, over, or none."""
    digest = _digest_of_link(token)
    used = None if digest is None else store.use_link(connection, digest, now=now)
    if used is None:
        return None
    customer_id, email = used
    store.open_access(connection, customer_id, email=email, now=now)
    if email is None:
        return replace(_begin(connection, customer_id, "letter", now=now), by_letter=True)
    return _begin(connection, customer_id, "link", now=now)


def sign_in(
    connection: Connection, *, name: str, password: str, address: str | None, now: datetime
) -> CameIn | KeptOut:
    """Let them in who know the password of that address or customer's number. The caller commits whatever comes: a failure has to count."""
    name = _as_counted(name)
    key, line = name_key(f"portal {name}"), line_of(address)
    hold_tries(connection, key, line)
    by_name, by_line = failures_by_name(connection, key, line, now=now), failures_by_line(connection, line, now=now)
    if wait_s := longest_wait_s(by_name, by_line, now=now):
        return KeptOut(wait_s)
    found = store.find_accesses(connection, name)
    # Who is not known costs as long as a wrong password.
    tried = [(one, verify_password(one.password_hash, password)) for one in found]
    if not tried:
        verify_password(None, password)
    right = next(((one, verified) for one, verified in tried if verified.right), None)
    outcome = "wrong_password" if right is None else "in"
    note_try(connection, key, staff_id=None, line=line, outcome=outcome, now=now)  # type: ignore[arg-type]  # one of its words
    if right is None:
        by_name, by_line = failures_by_name(connection, key, line, now=now), failures_by_line(connection, line, now=now)
        return KeptOut(longest_wait_s(by_name, by_line, now=now))
    access, verified = right
    if verified.rehashed is not None:
        store.save_password(connection, access.customer_id, verified.rehashed)
    return _begin(connection, access.customer_id, "password", now=now)


def _as_counted(name: str) -> str:
    """A name as its tries are counted: a customer's number with zeros before it is the same number, and no further tries."""
    name = name.strip()
    return name.lstrip("0") or name if name.isascii() and name.isdigit() else name


def set_password(connection: Connection, who: Subscriber, new: str, *, now: datetime) -> None:
    """Have this password from now on; all other sessions end. Raises: BadPasswordError."""
    problem = password_problem(new, names=(who.name, str(who.customer_id)))
    if problem is not None:
        raise BadPasswordError(problem)
    store.save_password(connection, who.customer_id, hash_password(new))
    ended = store.end_sessions(connection, who.customer_id, now=now, but=who.session_id)
    _tell(connection, who.customer_id, "portal.set_password", {"sessions_ended": ended})


def sign_out(connection: Connection, who: Subscriber, *, now: datetime) -> None:
    """End the session that somebody acts in."""
    store.end_sessions(connection, who.customer_id, now=now, only=who.session_id)


def _begin(connection: Connection, customer_id: int, by: str, *, now: datetime) -> CameIn:
    token = new_token()
    digest = digest_of(token)
    assert digest is not None
    store.begin_session(connection, customer_id, digest=digest, csrf_secret=secrets.token_bytes(_CSRF_OCTETS), now=now)
    _tell(connection, customer_id, "portal.enter", {"by": by})
    return CameIn(token, customer_id)


def _tell(connection: Connection, customer_id: int, action: str, detail: dict[str, object]) -> None:
    audit.append(connection, actor=actor_of(customer_id), action=action, subject=actor_of(customer_id), detail=detail)
