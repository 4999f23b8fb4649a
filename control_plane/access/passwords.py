"""Passwords of staff: what one has to be like, how it is kept, and one-time ones. Opens nothing.

Source: NIST SP 800-63B-4 section 3.1.1 (length, no rules of composition, no common ones, no forced change); OWASP Password
Storage Cheat Sheet, Argon2id with 19 MiB, two passes, one lane.

Next: back_off.py
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_CHARACTERS: Final = 12
# Longer ones only cost time.
MOST_CHARACTERS: Final = 200
_LEAST_DIFFERENT: Final = 5
# Without what is taken for something else when read from a screen. 16 of 31 are 79 bits.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_ONE_TIME_GROUPS: Final = 4
_GROUP: Final = 4
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
# Of nobody: who names somebody unknown waits as long as who names somebody known.
_NOBODY: Final = _HASHER.hash(secrets.token_hex(16))
# What people type, without its digits and marks: `Password2026!!` is one of them. Of the public lists of leaked passwords those
# whose stem is a word or a walk over the keyboard; other common ones are shorter than is taken.
_STEM_WORDS: Final = """
    password passwort passw0rd pass passwd parola parolachiave contrasena contrasenya clave clavesecreta secret segreto secreto
    qwerty qwertyuiop qwertyqwerty qwertz qwertzuiop qazwsx qazwsxedc asdfgh asdfghjkl zxcvbn zxcvbnm qwertyasdfgh qwertyasdfghzxcvbn
    letmein welcome welcomehome benvenuto bienvenido admin administrator amministratore administrador root superuser changeme
    changemenow cambiami cambiame default iloveyou iloveyouforever tiamo teamo tequiero princess sunshine football baseball
    superman batman dragon monkey master mastermaster trustno trustnoone starwars whatever hello helloworld ciao ciaociao hola
    internet provider network radius mikrotik ubiquiti cisco router corrente corrientes fibra juventus forzajuve forzamilan
    napoli realmadrid barcelona liverpool chelsea arsenal
    abc abcd abcdef abcdefgh abcdefghijkl abcdefghijklmnop correcthorsebatterystaple test testtest testing guest ospite invitado
"""
_STEMS: Final = frozenset(_STEM_WORDS.split())
_LEET: Final = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_NOT_LETTERS: Final = re.compile(r"[^a-z]+")
_RUNS: Final = ("0123456789" * 3, "9876543210" * 3, "abcdefghijklmnopqrstuvwxyz" * 2, "qwertyuiopasdfghjklzxcvbnm" * 2)


class PasswordProblem(StrEnum):
    """Why a password is not taken."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    COMMON = "common"
    REPEATS = "repeats"
    LIKE_THE_NAME = "like_the_name"
    AS_BEFORE = "as_before"


# In English, as a command and the log say it; pages have words of their own.
PROBLEM_WORDS: Final = {
    PasswordProblem.TOO_SHORT: f"a password has at least {LEAST_CHARACTERS} characters",
    PasswordProblem.TOO_LONG: f"a password has at most {MOST_CHARACTERS} characters",
    PasswordProblem.COMMON: "this password is among the first that anybody tries",
    PasswordProblem.REPEATS: "this password repeats a few characters",
    PasswordProblem.LIKE_THE_NAME: "a password is not the name",
    PasswordProblem.AS_BEFORE: "this is the password as it was",
}


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of a comparison. `rehashed` is there when the password is right and its hash of older settings."""

    right: bool
    rehashed: str | None = None


def password_problem(password: str, *, names: tuple[str, ...] = ()) -> PasswordProblem | None:
    """Why this can't be somebody's password; None when it can. `names` are what everybody knows of that person."""
    if len(password) < LEAST_CHARACTERS:
        return PasswordProblem.TOO_SHORT
    if len(password) > MOST_CHARACTERS:
        return PasswordProblem.TOO_LONG
    low = password.lower()
    if len(set(low)) < _LEAST_DIFFERENT:
        return PasswordProblem.REPEATS
    if any(low in run for run in _RUNS) or any(stem in _STEMS for stem in _stems(low)):
        return PasswordProblem.COMMON
    known = {part for name in names for part in (name.lower(), name.lower().split("@")[0]) if part}
    if any(not low.replace(part, "").strip("0123456789 .-_!") for part in known):
        return PasswordProblem.LIKE_THE_NAME
    return None


def _stems(low: str) -> set[str]:
    """Its letters, its letters with the usual digits read as such, and each of them once where the whole is a repetition."""
    found = {_NOT_LETTERS.sub("", low), _NOT_LETTERS.sub("", low.rstrip("0123456789!@$ .-_").translate(_LEET))}
    return found | {stem[: len(stem) // 2] for stem in found if stem and stem == stem[: len(stem) // 2] * 2}


def hash_password(password: str) -> str:
    """What is kept of it: Argon2id with a salt of its own. Takes some 20 ms, which is meant."""
    return _HASHER.hash(password)


def verify_password(hashed: str | None, password: str) -> Verified:
    """Whether it is the one; where there is none to compare with it takes as long and is not."""
    try:
        _HASHER.verify(hashed or _NOBODY, password[: MOST_CHARACTERS + 1])
    except (VerificationError, InvalidHashError):
        return Verified(right=False)
    if hashed is None:
        return Verified(right=False)
    return Verified(right=True, rehashed=hash_password(password) if _HASHER.check_needs_rehash(hashed) else None)


def one_time_password() -> str:
    """A new one to be read out and typed once, such as `k7mh-2pqr-xw4t-9bcd`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_ONE_TIME_GROUPS))
