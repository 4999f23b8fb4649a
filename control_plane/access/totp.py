"""Codes of an authenticator app: the secret, what its QR code says, and which step a code is of. Opens nothing.

Units: a step is 30 s since 1970.
Source: RFC 6238; the key URI format of the authenticator apps.

Next: tokens.py
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from typing import Final

import pyotp

STEP_S: Final = 30
DIGITS: Final = 6
# A telephone's clock may be so many steps wrong (RFC 6238 section 5.2).
_STEPS_AROUND: Final = 1
_SECRET: Final = re.compile(r"[A-Z2-7]{32}")


def is_secret(text: str) -> bool:
    """Whether it is one as `new_secret` makes them: it comes back from a form."""
    return _SECRET.fullmatch(text) is not None


def new_secret() -> str:
    """A secret of 160 bits in base 32."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, *, name: str, issuer: str) -> str:
    """What the QR code says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def step_of(secret: str, code: str, *, now: datetime, after: int | None = None) -> int | None:
    """The step whose code this is, one around now and none up to `after`, which was taken before; None when it is none."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    generator = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - _STEPS_AROUND, present + _STEPS_AROUND + 1):
        if hmac.compare_digest(generator.generate_otp(step), typed) and (after is None or step > after):
            found = step
    return found
