"""What is shown instead of a password: session tokens, tokens of the API, recovery codes, links of a reset. Pure but for chance.

Of all of them the database has the SHA-256 alone. That is enough: they are random, and too long to be guessed.

Next: signing_in.py
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

API_BEGIN: Final = "corr_"
_TOKEN_OCTETS: Final = 32
# Of an API token so much is shown to tell it by: 5 and 6 of 43 characters.
_PREFIX_CHARACTERS: Final = 11
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
RECOVERY_CODES: Final = 10
_RECOVERY_GROUPS: Final = 4
_GROUP: Final = 4
# Nobody's token is longer; what is longer is not hashed.
_MOST_CHARACTERS: Final = 200
_NAME_KEY_OCTETS: Final = 8


def new_token() -> str:
    """256 bits, fit for a cookie or an address."""
    return secrets.token_urlsafe(_TOKEN_OCTETS)


def new_api_token() -> str:
    """The same, with a beginning by which those who look for leaked secrets know it."""
    return API_BEGIN + new_token()


def prefix_of(api_token: str) -> str:
    """The part of an API token that is shown."""
    return api_token[:_PREFIX_CHARACTERS]


def digest_of(token: str) -> bytes | None:
    """What the database has of it; None of what is no token of ours."""
    if not 0 < len(token) <= _MOST_CHARACTERS or not token.isascii():
        return None
    return hashlib.sha256(token.encode()).digest()


def new_recovery_codes() -> tuple[str, ...]:
    """Codes of 79 bits each, such as `k7mh-2pqr-xw4t-9bcd`."""
    return tuple(
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_RECOVERY_GROUPS))
        for _ in range(RECOVERY_CODES)
    )


def recovery_digest(typed: str) -> bytes | None:
    """The digest of a recovery code however its groups were typed; None of what is none."""
    plain = "".join(letter for letter in typed.lower() if letter not in "- \t")
    if len(plain) != _RECOVERY_GROUPS * _GROUP or any(letter not in _ALPHABET for letter in plain):
        return None
    return hashlib.sha256(plain.encode()).digest()


def name_key(name: str) -> bytes:
    """What tries to sign in are counted by: the beginning of a SHA-256, for people type their password where the name goes."""
    return hashlib.sha256(name.strip().lower().encode("utf-8", "replace")).digest()[:_NAME_KEY_OCTETS]
