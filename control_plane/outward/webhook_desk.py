"""What a person does to webhooks: who is told of what, with which secret, and what is sent again. Each deed stands in the audit log.

The same for a command and a page: both own the transaction.

Next: webhooks.py
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from billing.store import webhooks as store
from billing.store.webhooks import Endpoint
from billing.webhooks import SECRET_OCTETS, read_events, read_secret, secret_text
from control_plane import audit
from control_plane.outward.target import read_target
from radius_hooks.sealing import Sealer, webhook_row

Connection = psycopg.Connection[Any]


class WebhookRefusedError(Exception):
    """Nothing was done; the message says why."""


@dataclass(frozen=True, slots=True)
class Added:
    """A new endpoint. `secret` is shown once."""

    name: str
    url: str
    events: tuple[str, ...]
    secret: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new secret, shown once, and until when the old one signs too."""

    secret: str
    old_until: datetime | None


def add(
    connection: Connection,
    sealer: Sealer,
    name: str,
    *,
    url: str,
    events: Iterable[str],
    secret: str | None,
    allow_private: bool,
    actor: str,
) -> Added:
    """Tell `url` of what happens from now on. Raises: WebhookRefusedError, TargetError, WebhookError."""
    read_target(url, allow_private=allow_private)
    wanted = read_events(events)
    clear = secrets.token_bytes(SECRET_OCTETS) if secret is None else read_secret(secret)
    if store.load_endpoint(connection, name) is not None:
        raise WebhookRefusedError(f"there is a webhook {name!r} already; `corrente webhook set` changes it")
    number = store.take_endpoint_id(connection)
    sealed = sealer.seal(clear, row=webhook_row(number))
    store.add_endpoint(connection, number, name=name, url=url, events=wanted, sealed=sealed, by=actor)
    _tell(connection, "add", name, actor, url=url, events=wanted)
    return Added(name, url, tuple(wanted), secret_text(clear))


def change(
    connection: Connection, known: Endpoint, *, url: str, events: Iterable[str], allow_private: bool, actor: str
) -> tuple[str, ...]:
    """Send to another address, or tell of other events: which. Raises: TargetError, WebhookError."""
    if url != known.url:
        read_target(url, allow_private=allow_private)
    wanted = read_events(events)
    store.change_endpoint(connection, known.id, url=url, events=wanted)
    before = {"url": known.url, "events": known.events}
    _tell(connection, "set", known.name, actor, url=url, events=wanted, before=before)
    return tuple(wanted)


def replay_one(connection: Connection, delivery_id: int, *, actor: str) -> None:
    """Send one delivery again, for three days anew. Raises: WebhookRefusedError."""
    if not store.replay(connection, delivery_id=delivery_id, also_delivered=True):
        raise WebhookRefusedError(
            f"delivery {delivery_id} is not there, waits already, or its webhook is switched off or removed"
        )
    _tell(connection, "replay", str(delivery_id), actor, count=1)


def replay_all(
    connection: Connection, known: Endpoint, *, since: datetime | None, also_delivered: bool, actor: str
) -> int:
    """Send again what was given up, or all; how many. Raises: WebhookRefusedError."""
    if known.disabled_at is not None:
        raise WebhookRefusedError(
            f"webhook {known.name} is switched off: {known.disabled_why}; `corrente webhook enable {known.name}` first"
        )
    count = store.replay(connection, endpoint_id=known.id, since=since, also_delivered=also_delivered)
    _tell(connection, "replay", known.name, actor, count=count)
    return count


def rotate(
    connection: Connection, sealer: Sealer, known: Endpoint, *, secret: str | None, old_valid_s: float, actor: str
) -> Rotated:
    """Sign with another secret; with the old one too for that time. Raises: WebhookError."""
    clear = secrets.token_bytes(SECRET_OCTETS) if secret is None else read_secret(secret)
    sealed = sealer.seal(clear, row=webhook_row(known.id))
    until = store.rotate_secret(connection, known.id, sealed=sealed, old_valid_s=old_valid_s)
    _tell(connection, "rotate", known.name, actor, old_valid_until=until)
    return Rotated(secret_text(clear), until)


def switch_off(connection: Connection, known: Endpoint, *, reason: str, actor: str) -> int:
    """Send nothing; what happens meanwhile is parked. How many deliveries were."""
    parked = store.switch_off(connection, known.id, why=reason)
    _tell(connection, "disable", known.name, actor, reason=reason, parked=parked)
    return parked


def switch_on(connection: Connection, known: Endpoint, *, actor: str) -> int:
    """Send again; how many deliveries are parked and can be sent by `replay_all`."""
    store.switch_on(connection, known.id)
    tally = store.load_tallies(connection).get(known.id)
    _tell(connection, "enable", known.name, actor)
    return tally.parked if tally else 0


def remove(connection: Connection, known: Endpoint, *, actor: str) -> int:
    """Tell it nothing any more; how many deliveries were given up."""
    given_up = store.remove_endpoint(connection, known.id)
    _tell(connection, "remove", known.name, actor, given_up=given_up)
    return given_up


def _tell(connection: Connection, verb: str, name: str, actor: str, **detail: Any) -> None:
    audit.append(connection, actor=actor, action=f"webhook.{verb}", subject=name, detail=detail)
