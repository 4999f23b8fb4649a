"""Notices by web push: one request to the push service of a browser, which keeps it until the device fetches it.

The address of a device comes from who subscribed, so it is called as anything that strangers typed is: public hosts alone, over TLS,
within limits, and no redirect is followed.

Units: *_s seconds.
Source: RFC 8030 (sections 5, 7.3), RFC 8291, RFC 8292.
Next: web_push.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from billing.messages.message import PUSH
from billing.plain_text import plain_text
from control_plane.messages.channel import ChannelError, Deferred, Letter, NotSent, Outcome, Refused, Sent
from control_plane.messages.notice import payload_of
from control_plane.messages.web_push import PushKey, encrypt, key_of, new_key, signed_for
from control_plane.outward.call import Answered, Limits, Request, Unanswered, call, retry_after_s
from control_plane.settings import PushSettings, Settings, SettingsError, secret_keys
from control_plane.store.push_key import add_key, load_sealed_key
from radius_hooks.sealing import PUSH_ROW, Sealer, SealError

_ANSWER_OCTETS: Final = 2048
_WORDS: Final = 300
# The services set limits of their own, and say so.
_NO_LIMIT: Final = 1_000_000
# What is asked for twice within so long is not asked for again; RFC 8030 section 5.2 has whole seconds.
_LONGEST_TTL_S: Final = 28 * 86_400
_GONE: Final = (404, 410)
_TO_WAIT: Final = (429, 503)
_WAIT_S: Final = 60.0
_TROUBLE: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class PushChannel:
    """The channel: whose notices they are, and whom a push service may write to about them."""

    settings: PushSettings
    key: PushKey
    contact: str

    name: str = PUSH
    per_hour: int = _NO_LIMIT
    per_day: int = _NO_LIMIT

    @contextmanager
    def open(self) -> Iterator[PushLine]:
        """Each notice is a connection of its own: nothing is opened yet."""
        yield PushLine(self)

    def reference_for(self, message_id: int, token: str) -> str:
        """Its topic: a service that still has the first copy puts a second one in its place (RFC 8030 section 5.4)."""
        del message_id
        return token.replace("-", "")


def push_channel(settings: Settings, connection: psycopg.Connection[Any]) -> PushChannel | None:
    """The channel, with the installation's key, which is made the first time. None without a key to seal it, or a mail address.

    Raises: ChannelError for a key that was sealed by another installation.
    """
    if not settings.email.sender:
        return None
    try:
        sealer = Sealer(secret_keys(settings))
    except (SettingsError, SealError):
        return None
    try:
        key = _key(connection, sealer)
    except SealError as error:
        raise ChannelError(f"no notices are sent to devices: {error}") from error
    return PushChannel(settings.push, key, f"mailto:{settings.email.sender}")


class PushLine:
    """What is known while some notices are sent: what was signed, and which services want a pause."""

    def __init__(self, channel: PushChannel) -> None:
        self._channel = channel
        self._signed: dict[str, str] = {}
        self._held: dict[str, float] = {}

    def send(self, letter: Letter, *, before_text: Callable[[], bool]) -> Outcome:
        """Hand a notice to the push service of its device."""
        device = letter.device
        assert device is not None, "a notice is for a device"
        host = urlsplit(device.endpoint).netloc
        if (left_s := self._held.get(host, 0.0) - time.monotonic()) > 0:
            return Deferred(f"{host} asked to wait", wait_s=left_s)
        now = datetime.now(UTC)
        try:
            body = encrypt(payload_of(letter), public_key=device.public_key, auth_secret=device.auth_secret)
            headers = self._headers(letter, device.endpoint, now)
        except ValueError as error:
            return Refused(str(error), no_such_address=True)
        if not before_text():
            return NotSent()
        given = self._channel.settings
        limits = Limits(min(5.0, given.timeout_s), given.timeout_s, _ANSWER_OCTETS)
        came = call(
            Request(device.endpoint, headers=headers, body=body), limits, allow_private=given.allow_private_addresses
        )
        if isinstance(came, Unanswered):
            return Deferred(f"{host}: {came.problem}", in_doubt=came.sent)
        outcome = _judged(came, host)
        if came.status in _TO_WAIT and isinstance(outcome, Deferred):
            self._held[host] = time.monotonic() + outcome.wait_s
        return outcome

    def _headers(self, letter: Letter, endpoint: str, now: datetime) -> dict[str, str]:
        origin = "://".join(urlsplit(endpoint)[:2])
        if origin not in self._signed:
            channel = self._channel
            self._signed[origin] = signed_for(endpoint, channel.key, contact=channel.contact, now=now)
        left_s = _LONGEST_TTL_S if letter.expires_at is None else (letter.expires_at - now).total_seconds()
        return {
            "Authorization": self._signed[origin],
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, min(int(left_s), _LONGEST_TTL_S))),
            "Topic": letter.reference,
            "User-Agent": "Corrente",
        }


def _judged(came: Answered, host: str) -> Outcome:
    said = f"{host} answered {came.status}: {_words(came.body)}".rstrip(": ")
    if 200 <= came.status < 300:
        return Sent(said)
    if came.status in _GONE:
        return Refused(said, no_such_address=True)
    if came.status in _TO_WAIT:
        return Deferred(said, wait_s=retry_after_s(came.headers) or _WAIT_S)
    if came.status in _TROUBLE or came.status >= 500:
        return Deferred(said)
    return Refused(said)


def _words(body: bytes) -> str:
    return " ".join(plain_text(body.decode("utf-8", "replace")).split())[:_WORDS]


def _key(connection: psycopg.Connection[Any], sealer: Sealer) -> PushKey:
    """Raises: SealError."""
    sealed = load_sealed_key(connection)
    if sealed is None:
        made = new_key()
        add_key(connection, public_key=made.public_octets, sealed=sealer.seal(made.private_octets, row=PUSH_ROW))
        sealed = load_sealed_key(connection)
        assert sealed is not None, "it was written, by us or by another"
    return key_of(sealer.open(sealed, row=PUSH_ROW))
