"""What a request proves of the password: PAP and CHAP are compared here, the rest by FreeRADIUS's modules behind us.

Comparing here lets the decision name the reason, and reserves nothing for a password that is wrong. FreeRADIUS checks
again whatever is said here.

Source: RFC 2865 sections 5.2, 5.3 and 5.40; RFC 2548 section 2.3; RFC 1994 section 4.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from radius_hooks.decision import PasswordCheck
from radius_hooks.policy_store import SecretKind
from radius_hooks.values import Pair, quoted

# CHAP-Password: the CHAP identifier and an MD5 digest.
_CHAP_OCTETS: Final = 17
# Ident, flags, peer challenge, reserved, response (RFC 2548 sections 2.1.3 and 2.3.2): both versions have 50 octets.
_MSCHAP_OCTETS: Final = 50
_NT_HEX: Final = re.compile(rb"(?:0x)?([0-9a-fA-F]{32})")
_HEX: Final = re.compile(rb"0x(?:[0-9a-fA-F]{2})+")
_ANSWERS_MSCHAP: Final = frozenset({SecretKind.CLEAR, SecretKind.NT})
# Text in FreeRADIUS's dictionary; the other kinds are octets there.
_TEXT_KINDS: Final = frozenset({SecretKind.CLEAR, SecretKind.CRYPT, SecretKind.PASSWORD_WITH_HEADER})

# Members of the Enums by names of the module: see decision.py.
_CLEAR: Final = SecretKind.CLEAR
_NO_SECRET: Final = SecretKind.NO_SECRET
_RIGHT: Final = PasswordCheck.RIGHT
_WRONG: Final = PasswordCheck.WRONG

Attributes = Mapping[str, str]


def check_password(attributes: Attributes, kind: SecretKind, secret: bytes) -> PasswordCheck:
    """What the request proves against a secret. With several methods in one request CHAP counts, then MS-CHAP, then PAP."""
    chap = attributes.get("CHAP-Password")
    if chap is not None:
        return _check_chap(chap, attributes.get("CHAP-Challenge"), kind, secret)
    mschap = attributes.get("MS-CHAP2-Response") or attributes.get("MS-CHAP-Response")
    if mschap is not None:
        return _check_mschap(mschap, attributes.get("MS-CHAP-Challenge"), kind)
    password = _pap_password(attributes)
    if password is None:
        return PasswordCheck.ABSENT
    if kind is _NO_SECRET:
        return PasswordCheck.IMPOSSIBLE
    if kind is not _CLEAR:
        return PasswordCheck.LATER
    # An empty password is never right, whatever is stored.
    return _RIGHT if password and compare_digest(password, secret) else _WRONG


def auth_type(attributes: Attributes, kind: SecretKind) -> str:
    """Which FreeRADIUS module checks again; empty for a hashed secret, whose form pap finds out itself."""
    if "CHAP-Password" in attributes:
        return "CHAP"
    if "MS-CHAP2-Response" in attributes or "MS-CHAP-Response" in attributes:
        return "MS-CHAP"
    return "PAP" if kind is _CLEAR else ""


def secret_pair(kind: SecretKind, secret: bytes) -> Pair:
    """The control attribute from which FreeRADIUS's modules take the known good secret."""
    if kind is _CLEAR:
        return ("Cleartext-Password", ":=", quoted(secret))
    if kind in _TEXT_KINDS:
        return (kind.value, ":=", quoted(secret))
    if kind is SecretKind.NT and (digits := _NT_HEX.fullmatch(secret)) is not None:
        return (kind.value, ":=", "0x" + digits[1].decode())
    return (kind.value, ":=", secret.decode() if _HEX.fullmatch(secret) else "0x" + secret.hex())


def _pap_password(attributes: Attributes) -> bytes | None:
    raw = attributes.get("Corrente-Raw-User-Password")
    if raw is not None:
        return bytes.fromhex(raw[2:]) if len(raw) > 2 else None
    password = attributes.get("User-Password")
    return None if password is None else password.encode()


def _check_chap(chap: str, challenge: str | None, kind: SecretKind, secret: bytes) -> PasswordCheck:
    if kind is not _CLEAR:
        return PasswordCheck.IMPOSSIBLE
    answer = bytes.fromhex(chap[2:])
    if len(answer) != _CHAP_OCTETS or not secret:
        return _WRONG
    if challenge is None:
        return PasswordCheck.LATER
    expected = hashlib.md5(answer[:1] + secret + bytes.fromhex(challenge[2:]), usedforsecurity=False).digest()
    return _RIGHT if compare_digest(answer[1:], expected) else _WRONG


def _check_mschap(answer: str, challenge: str | None, kind: SecretKind) -> PasswordCheck:
    if kind not in _ANSWERS_MSCHAP:
        return PasswordCheck.IMPOSSIBLE
    if challenge is None or len(answer) != 2 + 2 * _MSCHAP_OCTETS:
        return PasswordCheck.WRONG
    return PasswordCheck.LATER
