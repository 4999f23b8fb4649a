"""What somebody changes of themselves: password, language, second factors, sessions. Each asks for what proves that it is they.

Next: api_tokens.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.access.passwords import PasswordProblem, hash_password, password_problem, verify_password
from control_plane.access.people import AccessError
from control_plane.access.tokens import new_recovery_codes, recovery_digest
from control_plane.access.totp import is_secret, step_of
from control_plane.store import staff as store
from control_plane.store.sign_in_attempts import forget_turns, take_turn
from control_plane.store.staff import Person, Secrets
from control_plane.store.staff_sessions import close_session, close_sessions, load_session
from control_plane.store.staff_tokens import drop_resets
from radius_hooks.sealing import Sealer, staff_row

Connection = psycopg.Connection[Any]
# Who has somebody's unlocked computer may guess the password there; not for long.
_GUESSES: Final = 10
_GUESSES_PER_S: Final = 3600
# Of a person's own settings.
_OWN: Final = frozenset({"language", "theme"})


class NotProvenError(AccessError):
    """The password or the code is not the right one."""


class WrongCodeError(NotProvenError):
    """The app shows another code."""


class NoSecondFactorError(AccessError):
    """What stands in for a second factor needs one."""


class TooOftenError(AccessError):
    """That was tried too often; later it may be tried again."""


class BadPasswordError(AccessError):
    """The new password can't be one; `problem` says why."""

    def __init__(self, problem: PasswordProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody says they are, by the number of the person and the session that they act in."""

    staff_id: int
    session_id: int
    password: str


def change_own_password(connection: Connection, proof: Proof, *, new: str, now: datetime) -> None:
    """Have another password from now on; all other sessions end. Raises: NotProvenError, TooOftenError, BadPasswordError.

    The caller commits even when it was not proven: the guess counts.
    """
    known = prove(connection, proof, now=now)
    person = store.load_person_of(connection, proof.staff_id)
    assert person is not None
    if verify_password(known.password_hash, new).right:
        raise BadPasswordError(PasswordProblem.AS_BEFORE)
    save_password(connection, person, new, now=now, but=proof.session_id)


def choose_first_password(connection: Connection, staff_id: int, session_id: int, *, new: str, now: datetime) -> None:
    """Have a password of one's own after the one-time one, with which somebody is in. Raises: NotProvenError, BadPasswordError."""
    known, person = store.load_secrets_of(connection, staff_id), store.load_person_of(connection, staff_id)
    if known is None or person is None or not known.must_change_password:
        raise NotProvenError("only who came in with a one-time password chooses another without giving it")
    if verify_password(known.password_hash, new).right:
        raise BadPasswordError(PasswordProblem.AS_BEFORE)
    save_password(connection, person, new, now=now, but=session_id)


def save_password(connection: Connection, person: Person, new: str, *, now: datetime, but: int | None = None) -> None:
    """Write a password that its holder chose; all sessions but one end, and links to set one. Raises: BadPasswordError."""
    problem = password_problem(new, names=(person.name, person.full_name, person.email or ""))
    if problem is not None:
        raise BadPasswordError(problem)
    with connection.transaction():
        changes = {"password_hash": hash_password(new), "password_changed_at": now, "must_change_password": False}
        store.update_staff(connection, person.id, changes)
        ended = close_sessions(connection, person.id, why="password", now=now, but=but)
        drop_resets(connection, person.id)
        _tell(connection, person.name, "staff.change_password", {"sessions_ended": ended})


def prove(connection: Connection, proof: Proof, *, now: datetime) -> Secrets:
    """What is kept of somebody whose password this is. Raises: NotProvenError, TooOftenError.

    Not inside a transaction that is rolled back then: the guess has to count.
    """
    known = store.load_secrets_of(connection, proof.staff_id)
    if known is None:
        raise NotProvenError("there is no such person")
    if not take_turn(connection, "own_password", str(proof.staff_id), limit=_GUESSES, per_s=_GUESSES_PER_S, now=now):
        raise TooOftenError(f"{known.name} gave a password more than {_GUESSES} times in an hour")
    if not verify_password(known.password_hash, proof.password).right:
        raise NotProvenError("the password is another one")
    forget_turns(connection, "own_password", str(proof.staff_id))
    return known


def change_own(connection: Connection, staff_id: int, changes: dict[str, object]) -> None:
    """Set one's own language and theme; None for the browser's language."""
    assert changes.keys() <= _OWN, changes
    with connection.transaction():
        before = store.load_person_of(connection, staff_id)
        assert before is not None
        store.update_staff(connection, staff_id, changes)
        told = {key: value for key, value in changes.items() if getattr(before, key) != value}
        if told:
            detail = {"before": {key: getattr(before, key) for key in told}, "after": told}
            _tell(connection, before.name, "staff.change", detail)


def begin_totp(connection: Connection, sealer: Sealer, proof: Proof, *, secret: str, code: str, now: datetime) -> None:
    """Ask for codes of that app from now on, once it has shown one that is right; all other sessions end.

    Raises: NotProvenError, TooOftenError.
    """
    known = prove(connection, proof, now=now)
    step = step_of(secret, code, now=now) if is_secret(secret) else None
    if step is None:
        raise WrongCodeError("this is not the code that the app shows now")
    with connection.transaction():
        sealed = sealer.seal(secret.encode(), row=staff_row(known.id))
        store.update_staff(connection, known.id, {"sealed_totp": sealed, "totp_since": now, "totp_last_step": step})
        close_sessions(connection, known.id, why="second_factor", now=now, but=proof.session_id)
        _tell(
            connection,
            known.name,
            "staff.begin_totp",
            {"before": {"totp": known.sealed_totp is not None}, "after": {"totp": True}},
        )


def end_totp(connection: Connection, proof: Proof, *, now: datetime) -> None:
    """Ask for no codes any more. Raises: NotProvenError, TooOftenError."""
    known = prove(connection, proof, now=now)
    with connection.transaction():
        store.update_staff(connection, known.id, {"sealed_totp": None, "totp_since": None, "totp_last_step": None})
        _tell(
            connection,
            known.name,
            "staff.end_totp",
            {"before": {"totp": known.sealed_totp is not None}, "after": {"totp": False}},
        )


def make_recovery_codes(connection: Connection, proof: Proof, *, now: datetime) -> tuple[str, ...]:
    """New codes instead of the older ones; they stand nowhere else. Raises: NotProvenError, TooOftenError,
    NoSecondFactorError.
    """
    known = prove(connection, proof, now=now)
    if not known.has_second_factor:
        raise NoSecondFactorError("recovery codes stand in for a second factor, and there is none")
    codes = new_recovery_codes()
    digests = [digest for code in codes if (digest := recovery_digest(code)) is not None]
    with connection.transaction():
        store.save_recovery_codes(connection, known.id, digests)
        detail = {"before": {"unused": known.recovery_codes}, "after": {"unused": len(codes)}}
        _tell(connection, known.name, "staff.make_recovery_codes", detail)
    return codes


def sign_out(connection: Connection, session_id: int, *, now: datetime) -> None:
    """End the session that somebody acts in."""
    known = load_session(connection, session_id)
    with connection.transaction():
        if known is not None and close_session(connection, session_id, why="signed_out", now=now):
            _tell(connection, known.name, "session.end", {"session": session_id})


def end_own_session(connection: Connection, staff_id: int, session_id: int, *, now: datetime) -> bool:
    """End one of one's own sessions; false where it was over or is somebody else's."""
    known = load_session(connection, session_id)
    with connection.transaction():
        ended = close_session(connection, session_id, why="revoked", now=now, staff_id=staff_id)
        if ended and known is not None:
            _tell(connection, known.name, "session.end", {"session": session_id, "address": known.address})
    return ended


def end_own_sessions(connection: Connection, staff_id: int, *, but: int, now: datetime) -> int:
    """End all of one's own sessions but that one; returns how many."""
    person = store.load_person_of(connection, staff_id)
    assert person is not None
    with connection.transaction():
        ended = close_sessions(connection, staff_id, why="revoked", now=now, but=but)
        _tell(connection, person.name, "session.end_all", {"sessions_ended": ended, "but": but})
    return ended


def _tell(connection: Connection, name: str, action: str, detail: Mapping[str, object]) -> None:
    audit.append(connection, actor=name, action=action, subject=name, detail=detail)
