"""Whose pages and calls these are: the collector or the agent that who acts is bound to, and what of that one's there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from werkzeug.exceptions import Forbidden, NotFound

from billing.collectors import COLLECTED_BY, Collector
from billing.payments import Method, MethodKind
from billing.store.cash import Receipt, Session, load_receipt, load_session
from billing.store.collector_rounds import load_collectable_name
from billing.store.collectors import Collectable, load_collectable, load_collector
from billing.store.issuers import Issuer, load_issuers
from billing.store.payments import load_methods
from control_plane.access.permissions import Permission
from web.acting import clock, may, person
from web.database import Connection
from web.language import gettext

_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class Bound:
    """A collector, in whose books they collect, and what day it is there."""

    collector: Collector
    issuer: Issuer
    now: datetime

    @property
    def today(self) -> date:
        """Where the issuer is."""
        return self.now.astimezone(ZoneInfo(self.issuer.zone)).date()


def own_collector(connection: Connection) -> Bound:
    """The collector that who has signed in is. Raises: Forbidden for who is none."""
    number = person().collector_id
    collector = None if number is None else load_collector(connection, number)
    if collector is None:
        raise Forbidden(gettext("You are not bound to a collector. An administrator does that under Staff."))
    return Bound(collector, issuer_of(connection, collector.issuer_id), clock(connection))


def issuer_of(connection: Connection, issuer_id: int) -> Issuer:
    """The issuer of that number, which is there."""
    return next(one for one in load_issuers(connection) if one.id == issuer_id)


def own_agent() -> int:
    """The agent that who acts is. Raises: Forbidden for who is none."""
    number = person().agent_id
    if number is None:
        raise Forbidden(gettext("You are not bound to an agent. An administrator does that under Staff."))
    return number


def own_customer(connection: Connection, customer_id: int) -> tuple[Bound, str, list[Collectable]]:
    """A customer of this collector's, with what they owe. Raises: NotFound for who is another's, whether there is such a customer or not."""
    bound = own_collector(connection)
    name = load_collectable_name(connection, bound.collector.id, customer_id)
    if name is None:
        raise NotFound
    owed = load_collectable(connection, bound.collector.id, customer_id=customer_id, limit=_DOCUMENTS)
    return bound, name, owed


def own_methods(connection: Connection, bound: Bound) -> list[Method]:
    """What may be paid to a collector; cash first."""
    found = [one for one in load_methods(connection, bound.issuer.id) if one.offered and one.kind in COLLECTED_BY]
    return sorted(found, key=lambda one: (one.kind is not MethodKind.CASH, one.kind.value, one.code))


def own_session(connection: Connection, session_id: int) -> Session:
    """Raises: NotFound for another's session, whether there is one of that number or not."""
    bound = own_collector(connection)
    found = load_session(connection, session_id) if session_id < 2**63 else None
    if found is None or found.collector_id != bound.collector.id:
        raise NotFound
    return found


def own_open_session(connection: Connection, session_id: int) -> Session:
    """The same of one that was not handed over. Raises: NotFound."""
    found = own_session(connection, session_id)
    if found.closed_at is not None:
        raise NotFound(gettext("This session has been handed over."))
    return found


def own_receipt(connection: Connection, payment_id: int) -> Receipt:
    """The receipt of a payment that this collector took; the office sees all. Raises: NotFound, whether there is such a payment or not."""
    receipt = load_receipt(connection, payment_id) if payment_id < 2**63 else None
    if receipt is None:
        raise NotFound
    mine = person().collector_id
    # The office's own receipts have no collector: they are not those of who is bound to none.
    if not may(Permission.CASH_MANAGE) if mine is None else receipt.collector_id != mine:
        raise NotFound
    return receipt
