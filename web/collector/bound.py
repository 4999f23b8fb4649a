"""Whose pages these are: the collector or the agent that the one who has signed in is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from werkzeug.exceptions import Forbidden

from billing.collectors import Collector
from billing.store.collectors import load_collector
from billing.store.issuers import Issuer, load_issuers
from web.acting import clock, person
from web.database import Connection
from web.language import gettext


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
