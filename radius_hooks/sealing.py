"""Sealing of secrets that must stay readable: CHAP needs the password itself, a NAS its shared secret.

A sealed value is AES-256-GCM under a key that the database never sees, bound to the row it belongs to: copied into
another row it does not open. Layout: 4 bytes naming the key, 12 bytes nonce, ciphertext with its 16-byte tag.

Source: NIST SP 800-38D; the `cryptography` package's AESGCM.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class SealError(Exception):
    """A sealed value can't be opened: another key, another row, or damage. The message never holds the value."""


class Sealer:
    """Seals with the first key and opens with any of them, so that keys can be changed one row at a time."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._ciphers: dict[bytes, AESGCM] = {}
        self._first = b""
        for key in keys:
            if len(key) != KEY_BYTES:
                raise SealError(f"a secrets key has {len(key)} bytes instead of {KEY_BYTES}")
            key_id = hashlib.blake2b(key, digest_size=_ID_BYTES, person=b"corrente-key").digest()
            self._first = self._first or key_id
            self._ciphers[key_id] = AESGCM(key)
        if not self._ciphers:
            raise SealError("no secrets key: set CORRENTE_SECRETS_KEY_FILE or run `corrente up` once to make one")

    def seal(self, clear: bytes, *, row: str) -> bytes:
        """`clear`, readable again only with the key and for the same `row` (such as `subscriber_account:17`)."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._first + nonce + self._ciphers[self._first].encrypt(nonce, clear, row.encode())

    def open(self, sealed: bytes, *, row: str) -> bytes:
        """What was sealed for `row`. Raises: SealError."""
        cipher = self._ciphers.get(sealed[:_ID_BYTES])
        if cipher is None:
            raise SealError(f"{row} was sealed with a key that is not among the settings")
        try:
            return cipher.decrypt(
                sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :], row.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise SealError(f"the sealed value of {row} is damaged or belongs to another row") from error


def account_row(account_id: int) -> str:
    """The row name of a subscriber account's secret."""
    return f"subscriber_account:{account_id}"


def nas_row(nas_id: int) -> str:
    """The row name of a NAS's RADIUS secret."""
    return f"nas:{nas_id}"


def nas_coa_row(nas_id: int) -> str:
    """The row name of a NAS's CoA secret."""
    return f"nas_coa:{nas_id}"


def nas_api_row(nas_id: int) -> str:
    """The row name of the password of a NAS's API access."""
    return f"nas_api:{nas_id}"


def nas_ssh_row(nas_id: int) -> str:
    """The row name of the password of a NAS's command line."""
    return f"nas_ssh:{nas_id}"


def webhook_row(endpoint_id: int) -> str:
    """The row name of the secrets that an endpoint's webhooks are signed with."""
    return f"webhook_endpoint:{endpoint_id}"


def gateway_row(account_id: int) -> str:
    """The row name of what a payment gateway's account is asked with."""
    return f"gateway:{account_id}"


def gateway_webhook_row(account_id: int) -> str:
    """The row name of what a payment gateway's account signs its notices with."""
    return f"gateway_webhook:{account_id}"


def einvoice_row(account_id: int) -> str:
    """The row name of what an account at a tax authority signs or logs in with."""
    return f"einvoice_account:{account_id}"


def ticket_row(account_id: int, service: str) -> str:
    """The row name of a login that lasts at a tax authority."""
    return f"auth_ticket:{account_id}:{service}"


PUSH_ROW: Final = "push_key:1"
"""The row name of the key by which push services know this installation."""


def staff_row(staff_id: int) -> str:
    """The row name of the secret that a member of staff's authenticator app has."""
    return f"staff:{staff_id}"
