"""What a push service is sent: a text that only one browser can read, and who sends it.

`http_ece` encrypts and `py_vapid` signs; both are used here alone. Nothing is opened here: push_channel.py calls.

Source: RFC 8291 with RFC 8188 (aes128gcm); RFC 8292 (VAPID).
Next: push_channel.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, VapidException

PUBLIC_OCTETS: Final = 65
AUTH_OCTETS: Final = 16
_PRIVATE_OCTETS: Final = 32
_CURVE: Final = ec.SECP256R1()
# RFC 8292 section 2: a day at most.
_SIGNED_FOR: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class PushKey:
    """The pair of keys by which push services know who sends."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public_octets(self) -> bytes:
        """What browsers are given, uncompressed."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def private_octets(self) -> bytes:
        """What has to be sealed."""
        return self.private.private_numbers().private_value.to_bytes(_PRIVATE_OCTETS, "big")


def new_key() -> PushKey:
    """A new one."""
    return PushKey(ec.generate_private_key(_CURVE))


def key_of(private_octets: bytes) -> PushKey:
    """The one that was kept."""
    return PushKey(ec.derive_private_key(int.from_bytes(private_octets, "big"), _CURVE))


def is_public_key(octets: bytes) -> bool:
    """Whether these are a browser's key: an uncompressed point of P-256 that is on the curve."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, octets)
    except ValueError:
        return False
    return len(octets) == PUBLIC_OCTETS


def encrypt(
    text: bytes, *, public_key: bytes, auth_secret: bytes, once: PushKey | None = None, salt: bytes | None = None
) -> bytes:
    """The body of a request, for the browser that has these keys. `once` and `salt` are made anew for each, but in tests.

    Raises: ValueError for keys that no browser has.
    """
    sender = (once or new_key()).private
    return bytes(http_ece.encrypt(text, salt=salt, private_key=sender, dh=public_key, auth_secret=auth_secret))


def signed_for(endpoint: str, key: PushKey, *, contact: str, now: datetime) -> str:
    """The Authorization of requests to an endpoint's host. `contact` is a mailto: or https: address.

    Raises: ValueError for an endpoint of another form.
    """
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + _SIGNED_FOR).timestamp()),
        "sub": contact,
    }
    try:
        # Not strict: what it holds to be a mail address is narrower than what one is.
        return str(Vapid02(key.private, {"no-strict": True}).sign(claims)["Authorization"])
    except VapidException as error:
        raise ValueError(str(error)) from error
