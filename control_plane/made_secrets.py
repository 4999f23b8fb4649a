"""Secrets that are made here, and what one that a person brings has to be like.

Next: nases.py
"""

from __future__ import annotations

import secrets
from typing import Final

# Without letters and digits that are taken for each other when read out or copied from a label.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_NAS_SECRET_CHARACTERS: Final = 32
_PASSWORD_CHARACTERS: Final = 12
# RFC 2865 section 3: a shared secret of at least 16 octets.
GOOD_NAS_SECRET_CHARACTERS: Final = 16
MOST_SECRET_OCTETS: Final = 253


def made_nas_secret() -> str:
    """A new shared secret: 158 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_NAS_SECRET_CHARACTERS))


def made_password() -> str:
    """A new subscriber password: 59 bits, short enough to be typed into a router."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_CHARACTERS))


def is_storable(secret: str) -> bool:
    """Whether a secret fits: printable, and no longer than RADIUS and the database take."""
    return bool(secret) and len(secret.encode()) <= MOST_SECRET_OCTETS and secret.isprintable()
