"""A forgotten password: a link is asked for, mailed, and used once.

Who asks is told the same whether the name exists or not, and in the same time: no mail server is waited for. The link is made when
it is mailed, so that no page, log or database has had it; it sets a password and is no second factor.

Source: OWASP "Forgot Password Cheat Sheet".

Next: reset_letter.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.access.back_off import line_of
from control_plane.access.own import save_password
from control_plane.access.people import AccessError
from control_plane.access.signing_in import Came
from control_plane.access.tokens import digest_of, name_key
from control_plane.store.password_resets import add_reset, hold_reset, is_open, load_whom, note_used
from control_plane.store.sign_in_attempts import note_try, take_turn
from control_plane.store.staff import Person, load_person_of

Connection = psycopg.Connection[Any]
VALID_FOR: Final = timedelta(hours=1)
# An hour's; an office has one address.
MOST_OF_A_NAME: Final = 3
MOST_OF_A_LINE: Final = 20
_PER_S: Final = 3600


class LinkOverError(AccessError):
    """The link was used, is too old, or never was."""


class AskedTooOftenError(AccessError):
    """Too many links were asked for from one line."""


def ask_for_link(connection: Connection, text: str, *, came: Came, now: datetime) -> None:
    """Have a link mailed to whom that name or e-mail address is, if anybody. Raises: AskedTooOftenError, of any name alike.

    The caller commits whatever comes: what is asked counts.
    """
    line = line_of(came.address)
    if line is not None and not take_turn(connection, "reset_line", line, limit=MOST_OF_A_LINE, per_s=_PER_S, now=now):
        raise AskedTooOftenError(f"more than {MOST_OF_A_LINE} links in an hour")
    asked_name = text.strip().lower()
    free = take_turn(connection, "reset_name", asked_name, limit=MOST_OF_A_NAME, per_s=_PER_S, now=now)
    whom = load_whom(connection, asked_name)
    if whom is None or not free:
        return
    with connection.transaction():
        add_reset(connection, whom.id, line=line, now=now, ends_at=now + VALID_FOR)
        _tell(connection, whom.name, "staff.ask_reset", {"address": came.address})


def is_link_open(connection: Connection, token: str, *, now: datetime) -> bool:
    """Whether a password can be set with that link."""
    digest = digest_of(token)
    return digest is not None and is_open(connection, digest, now=now)


def set_by_link(connection: Connection, token: str, *, new: str, now: datetime) -> Person:
    """Have that password from now on; all sessions end, the name may try again, and the link is used.

    Raises: LinkOverError, BadPasswordError, which leaves the link as it is.
    """
    digest = digest_of(token)
    with connection.transaction():
        held = None if digest is None else hold_reset(connection, digest, now=now)
        person = None if held is None else load_person_of(connection, held.staff_id)
        if held is None or person is None or not person.enabled:
            raise LinkOverError("this link was used, is too old, or never was")
        note_used(connection, held.id, now=now)
        save_password(connection, person, new, now=now)
        note_try(connection, name_key(person.name), staff_id=person.id, line=None, outcome="unlocked", now=now)
        _tell(connection, person.name, "staff.use_reset", {})
    return person


def _tell(connection: Connection, name: str, action: str, detail: dict[str, object]) -> None:
    audit.append(connection, actor=name, action=action, subject=name, detail=detail)
