"""A subscriber's browsers that show notices: what a browser says of itself is judged, then kept.

A browser names an address that the worker is to call. It is a stranger's word: only what every public push service has is
taken, and at each call it is looked at again what the name stands for (outward/target.py).

Source: W3C Push API; RFC 8291 sections 2 and 3.1.
Next: ../../billing/store/push_devices.py
"""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_address
from typing import Any, Final

import psycopg

from billing.store import push_devices as store
from billing.store.push_devices import Subscription
from control_plane import audit
from control_plane.access.portal import actor_of
from control_plane.messages.web_push import AUTH_OCTETS, is_public_key
from control_plane.outward.target import TargetError, may_reach, read_target
from control_plane.store.portal import Subscriber

Connection = psycopg.Connection[Any]
# A key has 88 characters with its padding.
_MOST_CHARACTERS: Final = 200
# How browsers and systems say what they are, those that carry another's name first.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


class NoSubscriptionError(Exception):
    """What came is nothing that a browser's push service gives."""


def read_subscription(endpoint: str, public_key: str, auth_secret: str, *, allow_private: bool) -> Subscription:
    """What a browser sent, its keys in base64url. Raises: NoSubscriptionError."""
    try:
        target = read_target(endpoint, allow_private=allow_private)
    except TargetError as error:
        raise NoSubscriptionError(str(error)) from error
    if not allow_private and not _may_be_public(target.host):
        raise NoSubscriptionError(f"{target.host} is no host of a push service")
    key, secret = _octets(public_key), _octets(auth_secret)
    if not is_public_key(key) or len(secret) != AUTH_OCTETS:
        raise NoSubscriptionError("these are no keys of a browser")
    return Subscription(endpoint, key, secret)


def name_of(user_agent: str) -> str:
    """What people call a browser that says this of itself."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(one for one in (browser, system) if one) or "?"


def add(connection: Connection, who: Subscriber, subscription: Subscription, *, name: str) -> None:
    """Show their notices on this device from now on."""
    number = store.add_device(connection, who.customer_id, subscription, session_id=who.session_id, name=name)
    _tell(connection, who, "portal.add_device", number)


def remove(connection: Connection, who: Subscriber, device_id: int) -> bool:
    """Show nothing there any more; False where they have no such device."""
    removed = store.remove_device(connection, device_id, customer_id=who.customer_id)
    if removed:
        _tell(connection, who, "portal.remove_device", device_id)
    return removed


def _may_be_public(host: str) -> bool:
    """A name with a domain, or an address that is anybody's."""
    try:
        return may_reach(str(ip_address(host)))
    except ValueError:
        name = host.rstrip(".").lower()
        return "." in name and not name.endswith((".localhost", ".local", ".internal"))


def _octets(text: str) -> bytes:
    """Raises: NoSubscriptionError."""
    if len(text) > _MOST_CHARACTERS or not text.isascii():
        raise NoSubscriptionError("a key is longer than any")
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoSubscriptionError("a key is not base64url") from error


def _tell(connection: Connection, who: Subscriber, action: str, number: int) -> None:
    audit.append(
        connection,
        actor=actor_of(who.customer_id),
        action=action,
        subject=actor_of(who.customer_id),
        detail={"device": number},
    )
