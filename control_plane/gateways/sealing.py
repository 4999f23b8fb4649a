"""The keys of gateways' secrets: what we ask with under the installation's key, what they sign with under one made from it.

Whoever takes notices in faces the network: it gets the second key alone, which opens nothing else.

Source: RFC 5869 for the derivation.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from control_plane.settings import Settings, SettingsError, secret_keys
from radius_hooks.sealing import KEY_BYTES, Sealer

VARIABLE: Final = "CORRENTE_WEBHOOK_KEY"
_WORDS: Final = b"corrente webhook secrets"


def webhook_keys_of(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    """For each key the one that webhook secrets are sealed under."""
    return tuple(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_WORDS).derive(key) for key in keys)


def webhook_sealer(settings: Settings) -> Sealer:
    """What opens webhook secrets: by CORRENTE_WEBHOOK_KEY where that is all there is, else by the installation's own keys.

    Raises: SettingsError, SealError.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        return Sealer(webhook_keys_of(secret_keys(settings)))
    try:
        return Sealer([base64.b64decode(line, validate=True) for line in given.split()])
    except binascii.Error as error:
        raise SettingsError(f"{VARIABLE}: expected lines of base64 with {KEY_BYTES} bytes each") from error


def cookie_key(settings: Settings) -> bytes | None:
    """What the web process signs its cookies with: made from the installation's key, so that all its processes have one. None without."""
    try:
        key = next(iter(secret_keys(settings)))
    except (SettingsError, StopIteration):
        return None
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"corrente web cookies").derive(key)


def webhook_variable(keys: Iterable[bytes]) -> str:
    """What a process gets that is given no more."""
    return "\n".join(base64.b64encode(key).decode() for key in webhook_keys_of(keys))
