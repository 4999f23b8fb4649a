"""Signing in: a name and a password, then a second factor where there is one, then a session.

Each try holds its name and its line until it is over, so that tries that come together count one after the other. Who is not
known, or is disabled, costs as long as a wrong password and is answered the same. What is written is one transaction: a try
that was cut off in the middle left nothing, neither a session nor a used code.

Source: OWASP ASVS 5.0 chapters V6, V7; NIST SP 800-63B-4.

Next: people.py
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

import psycopg

from control_plane import audit
from control_plane.access.back_off import FREE_BY_NAME, line_of, longest_wait_s
from control_plane.access.passwords import verify_password
from control_plane.access.tokens import digest_of, name_key, new_token, recovery_digest
from control_plane.access.totp import step_of
from control_plane.store.sign_in_attempts import failures_by_line, failures_by_name, hold_tries, note_try
from control_plane.store.staff import (
    Secrets,
    load_secrets,
    load_secrets_of,
    update_staff,
    use_recovery_code,
    use_totp_step,
)
from control_plane.store.staff_sessions import STEP_S, begin_session, close_session, hold_half, load_half, load_length
from radius_hooks.sealing import Sealer, staff_row

Connection = psycopg.Connection[Any]
Factor = Literal["totp", "recovery_code", "passkey"]
_CSRF_OCTETS: Final = 32


class SignInReason(StrEnum):
    """Why somebody does not get in. WRONG does not say whether it was the name or the password."""

    WRONG = "wrong"
    WRONG_CODE = "wrong_code"
    WRONG_PASSKEY = "wrong_passkey"
    WAIT = "wait"
    STEP_OVER = "step_over"


@dataclass(frozen=True, slots=True)
class Came:
    """From where somebody comes: the address, and what the browser calls itself."""

    address: str | None
    browser: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """They are in. `token` is for the cookie, and stands nowhere else."""

    token: str
    session_id: int
    staff_id: int
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class NeedsSecondFactor:
    """The password was right. `step` stands for that for five minutes; `factors` are what can follow."""

    step: str
    staff_id: int
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """They are not in, and for so long another try is not looked at. Units: whole seconds."""

    reason: SignInReason
    wait_s: int = 0


SignInResult = SignedIn | NeedsSecondFactor | Refused


def sign_in(
    connection: Connection,
    sealer: Sealer,
    *,
    name: str,
    password: str,
    code: str | None = None,
    came: Came,
    now: datetime,
) -> SignInResult:
    """Let them in who know the name's password, and its second factor where it has one.

    A transaction of its own, or part of the caller's, who commits then whatever comes: a failure has to count.
    """
    with connection.transaction():
        held = _hold(connection, name_key(name), came, now=now)
        if isinstance(held, Refused):
            return held
        known = load_secrets(connection, name)
        verified = verify_password(known.password_hash if known and known.enabled else None, password)
        if known is None or not verified.right:
            return held.fail("wrong_password", SignInReason.WRONG, known)
        if verified.rehashed is not None:
            update_staff(connection, known.id, {"password_hash": verified.rehashed})
        if not known.has_second_factor:
            return held.admit(known, None)
        if code is None:
            return held.ask_for_factor(known)
        factor = take_code(connection, sealer, known, code, now=now)
        if factor is None:
            return held.fail("wrong_code", SignInReason.WRONG_CODE, known)
        return held.admit(known, factor)


def complete_sign_in(
    connection: Connection,
    sealer: Sealer,
    *,
    step: str,
    code: str,
    came: Came,
    now: datetime,
) -> SignedIn | Refused:
    """The second factor after the password: a code of the app, or a recovery code.

    A transaction of its own, or part of the caller's, who commits then whatever comes: a failure has to count.
    """
    with connection.transaction():
        known = _known_by_step(connection, step, now=now)
        if known is None:
            return Refused(SignInReason.STEP_OVER)
        held = _hold(connection, name_key(known.name), came, now=now)
        if isinstance(held, Refused):
            return held
        # Only now is the step held, for tries of one name hold the name first. What changed meanwhile is read again.
        half = hold_half(connection, step, now=now)
        known = None if half is None else load_secrets_of(connection, half.staff_id)
        if half is None or known is None or not known.enabled:
            return Refused(SignInReason.STEP_OVER)
        factor = take_code(connection, sealer, known, code, now=now)
        if factor is None:
            return held.fail("wrong_code", SignInReason.WRONG_CODE, known)
        close_session(connection, half.session_id, why="used", now=now)
        return held.admit(known, factor)


def _known_by_step(connection: Connection, step: str, *, now: datetime) -> Secrets | None:
    half = load_half(connection, step, now=now)
    return None if half is None else load_secrets_of(connection, half.staff_id)


def take_code(connection: Connection, sealer: Sealer, known: Secrets, code: str, *, now: datetime) -> Factor | None:
    """Use up a code of that person's app or a recovery code; None where it is none, or was used before."""
    if known.sealed_totp is not None:
        secret = sealer.open(known.sealed_totp, row=staff_row(known.id)).decode()
        step = step_of(secret, code, now=now, after=known.totp_last_step)
        if step is not None:
            return "totp" if use_totp_step(connection, known.id, step) else None
    digest = recovery_digest(code)
    return "recovery_code" if digest is not None and use_recovery_code(connection, known.id, digest, now=now) else None


@dataclass(frozen=True, slots=True)
class HeldTry:
    """A try whose name and line are held until the transaction ends."""

    connection: Connection
    key: bytes
    line: str | None
    came: Came
    now: datetime

    def fail(
        self, outcome: Literal["wrong_password", "wrong_code"], reason: SignInReason, known: Secrets | None
    ) -> Refused:
        """Write the failure down, and say how long the next try waits."""
        note_try(
            self.connection,
            self.key,
            staff_id=known.id if known else None,
            line=self.line,
            outcome=outcome,
            now=self.now,
        )
        by_name = failures_by_name(self.connection, self.key, self.line, now=self.now)
        by_line = failures_by_line(self.connection, self.line, now=self.now)
        if known is not None and by_name.count == FREE_BY_NAME:
            self._tell("hold_back", known, {"failures": by_name.count})
        return Refused(reason, longest_wait_s(by_name, by_line, now=self.now))

    def ask_for_factor(self, known: Secrets) -> NeedsSecondFactor:
        """The password was right: a step that stands for it, and opens nothing."""
        step = new_token()
        self._begin(known, step, complete=False, factor=None, lasts_s=STEP_S)
        factors: list[Factor] = []
        if known.sealed_totp is not None:
            factors.append("totp")
        if known.passkeys:
            factors.append("passkey")
        if known.recovery_codes:
            factors.append("recovery_code")
        return NeedsSecondFactor(step, known.id, tuple(factors))

    def admit(self, known: Secrets, factor: Factor | None) -> SignedIn:
        """A new session under a new token: one that somebody knew before is worth nothing."""
        token, lasts_s = new_token(), load_length(self.connection).most_hours * 3600
        number = self._begin(known, token, complete=True, factor=factor, lasts_s=lasts_s)
        note_try(self.connection, self.key, staff_id=known.id, line=self.line, outcome="in", now=self.now)
        self._tell("begin", known, {"session": number, "second_factor": factor})
        return SignedIn(token, number, known.id, known.must_change_password)

    def _begin(self, known: Secrets, token: str, *, complete: bool, factor: Factor | None, lasts_s: int) -> int:
        digest = digest_of(token)
        assert digest is not None
        return begin_session(
            self.connection,
            known.id,
            digest=digest,
            csrf_secret=secrets.token_bytes(_CSRF_OCTETS),
            address=self.came.address,
            browser=self.came.browser,
            complete=complete,
            second_factor_at=self.now if factor else None,
            now=self.now,
            lasts_s=lasts_s,
        )

    def _tell(self, verb: str, known: Secrets, detail: dict[str, object]) -> None:
        told = detail | {"address": self.came.address, "browser": self.came.browser[:200]}
        audit.append(self.connection, actor=known.name, action=f"session.{verb}", subject=known.name, detail=told)


def _hold(connection: Connection, key: bytes, came: Came, *, now: datetime) -> HeldTry | Refused:
    """The try under its locks, or that it is not looked at yet."""
    line = line_of(came.address)
    hold_tries(connection, key, line)
    wait_s = longest_wait_s(
        failures_by_name(connection, key, line, now=now), failures_by_line(connection, line, now=now), now=now
    )
    return Refused(SignInReason.WAIT, wait_s) if wait_s else HeldTry(connection, key, line, came, now)


def hold_passkey(connection: Connection, known: Secrets, came: Came, *, now: datetime) -> HeldTry:
    """A try with a passkey, which can't be guessed: no wrong password of somebody else keeps its holder out."""
    line = line_of(came.address)
    key = name_key(known.name)
    hold_tries(connection, key, line)
    return HeldTry(connection, key, line, came, now)
