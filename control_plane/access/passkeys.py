"""Passkeys: added to a member of staff, and shown to come in, alone or after the password.

What is to be signed is asked once: the row that holds it is taken away by the answer, whatever that is. Alone a passkey lets in
only if its holder was recognised by it (a finger, a PIN): it is both factors then. A count that does not grow is a copy's.

Source: W3C Web Authentication Level 3, sections 7.1, 7.2.

Next: resetting.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
import webauthn
from webauthn.helpers import options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from control_plane import audit
from control_plane.access.own import Proof, prove
from control_plane.access.people import AccessError, NobodyError, TakenError
from control_plane.access.signing_in import Came, Refused, SignedIn, SignInReason, hold_passkey
from control_plane.access.tokens import digest_of, new_token
from control_plane.store.staff import Person, load_secrets_of
from control_plane.store.staff_sessions import close_session, close_sessions, hold_half, load_half
from control_plane.store.staff_tokens import (
    Passkey,
    add_challenge,
    add_passkey,
    load_passkey,
    load_passkeys,
    note_passkey_used,
    remove_passkey,
    take_challenge,
)

Connection = psycopg.Connection[Any]
# Looking for a key and unlocking it takes a person a while.
_LASTS: Final = timedelta(minutes=5)
MOST_OF_ONE: Final = 20
# What reading a browser's answer raises that is none.
_NO_ANSWER: Final = (WebAuthnException, ValueError, KeyError, TypeError, RecursionError)
_TRANSPORTS: Final = {one.value for one in AuthenticatorTransport}


class NotAPasskeyError(AccessError):
    """What the browser answered is not what was asked for."""


class TooManyError(AccessError):
    """That person has as many as there may be."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are valid: the host without its port, its address as browsers say it, and its name."""

    host: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser is given. `handle` comes back with the answer; `options` is JSON."""

    handle: str
    options: str


def ask_for_new(connection: Connection, person: Person, *, site: Site, now: datetime) -> Asked:
    """Ask the browser for a passkey that this person has not got yet. Raises: TooManyError."""
    there = load_passkeys(connection, person.id)
    if len(there) >= MOST_OF_ONE:
        raise TooManyError(f"{person.name} has {len(there)} passkeys")
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        # Another program of the same site may number its people, too.
        user_id=f"corrente-staff-{person.id}".encode(),
        user_name=person.name,
        user_display_name=person.full_name,
        exclude_credentials=[_described(one) for one in there],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return Asked(_keep(connection, options.challenge, person.id, now=now), options_to_json(options))


def add_new(
    connection: Connection,
    proof: Proof,
    person: Person,
    *,
    handle: str,
    answer: str,
    name: str,
    site: Site,
    now: datetime,
) -> None:
    """Keep the passkey that the browser has made; with the first second factor all other sessions end, which came in without one.

    Raises: NotProvenError, TooOftenError, NotAPasskeyError, TakenError.
    """
    known = prove(connection, proof, now=now)
    asked = take_challenge(connection, digest_of(handle) or b"", now=now)
    if asked is None or asked[1] != person.id:
        raise NotAPasskeyError("this was not asked for, or too long ago")
    try:
        made = webauthn.verify_registration_response(
            credential=answer, expected_challenge=asked[0], expected_rp_id=site.host, expected_origin=site.origin
        )
        told = webauthn.helpers.parse_registration_credential_json(answer).response.transports or []
    except _NO_ANSWER as error:
        raise NotAPasskeyError(f"the browser's answer is not what was asked for: {error}") from error
    if any(one.name == name for one in load_passkeys(connection, person.id)) or load_passkey(
        connection, made.credential_id
    ):
        raise TakenError(f"{person.name} has a passkey {name!r} already, or this one under another name")
    with connection.transaction():
        add_passkey(
            connection,
            person.id,
            name=name,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            transports=[one.value for one in told if one.value in _TRANSPORTS],
            now=now,
        )
        if not known.has_second_factor:
            close_sessions(connection, person.id, why="second_factor", now=now, but=proof.session_id)
        after = {"name": name, "user_verified": made.user_verified, "backed_up": made.credential_backed_up}
        _tell(connection, person.name, "staff.add_passkey", {"after": after})


def remove_own(connection: Connection, proof: Proof, person: Person, *, passkey_id: int, now: datetime) -> None:
    """Take one away. Raises: NotProvenError, TooOftenError, NobodyError."""
    prove(connection, proof, now=now)
    with connection.transaction():
        name = remove_passkey(connection, person.id, passkey_id)
        if name is None:
            raise NobodyError(f"{person.name} has no such passkey")
        _tell(connection, person.name, "staff.remove_passkey", {"before": {"name": name}})


def ask_to_enter(connection: Connection, *, site: Site, now: datetime, step: str | None = None) -> Asked:
    """Ask the browser for a passkey of this site; after the password (`step`) for one of that person's."""
    half = None if step is None else load_half(connection, step, now=now)
    known = [] if half is None else load_passkeys(connection, half.staff_id)
    alone = half is None
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        allow_credentials=[_described(one) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED,
    )
    staff_id = None if half is None else half.staff_id
    return Asked(_keep(connection, options.challenge, staff_id, now=now), options_to_json(options))


def enter(
    connection: Connection,
    *,
    handle: str,
    answer: str,
    site: Site,
    came: Came,
    now: datetime,
    step: str | None = None,
) -> SignedIn | Refused:
    """Let in who has shown a passkey; after the password with the step that stands for it.

    A transaction of its own, or part of the caller's, who commits then whatever comes: what was asked is used.
    """
    with connection.transaction():
        asked = take_challenge(connection, digest_of(handle) or b"", now=now)
        if asked is None:
            return Refused(SignInReason.STEP_OVER)
        passkey = _named(connection, answer)
        known = None if passkey is None else load_secrets_of(connection, passkey.staff_id)
        if passkey is None or known is None or not known.enabled or asked[1] not in (None, known.id):
            return Refused(SignInReason.WRONG_PASSKEY)
        held = hold_passkey(connection, known, came, now=now)
        half = None
        if asked[1] is not None:
            half = None if step is None else hold_half(connection, step, now=now)
            if half is None or half.staff_id != known.id:
                return Refused(SignInReason.STEP_OVER)
        try:
            shown = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=asked[0],
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=half is None,
            )
        except _NO_ANSWER:
            return Refused(SignInReason.WRONG_PASSKEY)
        note_passkey_used(connection, passkey.id, sign_count=shown.new_sign_count, now=now)
        if half is not None:
            close_session(connection, half.session_id, why="used", now=now)
        return held.admit(known, "passkey")


def _named(connection: Connection, answer: str) -> Passkey | None:
    """The passkey that the answer says it is."""
    try:
        credential = webauthn.helpers.parse_authentication_credential_json(answer)
    except _NO_ANSWER:
        return None
    return load_passkey(connection, credential.raw_id)


def _keep(connection: Connection, challenge: bytes, staff_id: int | None, *, now: datetime) -> str:
    handle = new_token()
    digest = digest_of(handle)
    assert digest is not None
    add_challenge(connection, digest, challenge, staff_id=staff_id, ends_at=now + _LASTS)
    return handle


def _described(one: Passkey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in one.transports if name in _TRANSPORTS]
    return PublicKeyCredentialDescriptor(id=one.credential_id, transports=transports or None)


def _tell(connection: Connection, name: str, action: str, detail: dict[str, object]) -> None:
    audit.append(connection, actor=name, action=action, subject=name, detail=detail)
