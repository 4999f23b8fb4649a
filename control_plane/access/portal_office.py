"""What the office does to a customer's access to the portal: a link by mail or in a letter, kept out and let in again, sessions and devices ended.

Each with its row in the audit log, in the caller's transaction. Pages and programs call the same.

Next: portal.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from billing.contacts import Contact
from billing.payments import NotDone
from billing.store.customers import load_contacts
from billing.store.push_devices import remove_device
from control_plane import audit
from control_plane.access.portal import actor_of, mail_link, write_letter
from control_plane.store import portal as store

Connection = psycopg.Connection[Any]


def reachable(connection: Connection, customer_id: int) -> list[Contact]:
    """The contacts of a customer, not of one contract, to whose address a link may go."""
    return [one for one in load_contacts(connection, customer_id) if one.email and one.contract_id is None]


def send_link(
    connection: Connection, customer_id: int, contact_id: int, *, link: Callable[[str], str], actor: str, now: datetime
) -> NotDone | None:
    """Mail a contact of a customer's a link that lets them in once; `link` makes the page's address of a token."""
    contact = next((one for one in reachable(connection, customer_id) if one.id == contact_id), None)
    if contact is None or contact.email is None:
        return NotDone("this customer has no such contact with an e-mail address")
    access = store.load_access_of(connection, customer_id)
    if access is not None and access.blocked_at is not None:
        return NotDone("this customer is kept out of the portal: let them in first")
    mail_link(connection, customer_id, contact_id=contact_id, email=contact.email, link=link, made_by=actor, now=now)
    _tell(connection, customer_id, "portal.send_link", actor, {"contact": contact_id})
    return None


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a letter tells a customer: the page that lets them in once, and until when. It stands nowhere else."""

    page: str
    until: datetime


def invite_by_letter(
    connection: Connection, customer_id: int, *, link: Callable[[str], str], actor: str, now: datetime
) -> Invitation | NotDone:
    """Invite a customer by a letter, who may have no e-mail address; what an older letter says lets nobody in any more."""
    access = store.load_access_of(connection, customer_id)
    if access is not None and access.blocked_at is not None:
        return NotDone("this customer is kept out of the portal: let them in first")
    token, until = write_letter(connection, customer_id, now=now)
    _tell(connection, customer_id, "portal.invite_by_letter", actor, {"until": until})
    return Invitation(link(token), until)


def keep_out(connection: Connection, customer_id: int, *, reason: str, actor: str, now: datetime) -> NotDone | None:
    """Let a customer in no more, whether they ever came in or not; all sessions end, and notices go to no device."""
    if not store.save_block(connection, customer_id, now):
        return NotDone("this customer is kept out of the portal already")
    ended = store.end_sessions(connection, customer_id, now=now)
    _tell(connection, customer_id, "portal.lock", actor, {"reason": reason, "sessions_ended": ended})
    return None


def let_in(connection: Connection, customer_id: int, *, actor: str) -> NotDone | None:
    """Let a customer in again, with what they signed in with before."""
    if not store.save_block(connection, customer_id, None):
        return NotDone("this customer's access is not locked")
    _tell(connection, customer_id, "portal.unlock", actor, {})
    return None


def end_sessions(connection: Connection, customer_id: int, *, actor: str, now: datetime) -> int:
    """Sign a customer out everywhere; how many sessions ended. What was asked for in them on devices ends, too."""
    ended = store.end_sessions(connection, customer_id, now=now)
    _tell(connection, customer_id, "portal.end_sessions", actor, {"sessions_ended": ended})
    return ended


def drop_device(connection: Connection, customer_id: int, device_id: int, *, actor: str) -> bool:
    """Show no notices there any more; False where the customer has no such device."""
    removed = remove_device(connection, device_id, customer_id=customer_id)
    if removed:
        _tell(connection, customer_id, "portal.remove_device", actor, {"device": device_id})
    return removed


def _tell(connection: Connection, customer_id: int, action: str, actor: str, detail: dict[str, object]) -> None:
    audit.append(connection, actor=actor, action=action, subject=actor_of(customer_id), detail=detail)
