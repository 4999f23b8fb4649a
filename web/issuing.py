"""Whose books a page is about: the issuer that its address names, the first one without a name.

Next: money_words.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from flask import request
from werkzeug.exceptions import BadRequest, Conflict

from billing.calendar import billing_day
from billing.store.issuers import Issuer, load_issuers
from web.acting import clock
from web.database import Connection
from web.language import gettext
from web.lists import here_with

ISSUER: Final = "issuer"


@dataclass(frozen=True, slots=True)
class Books:
    """An issuer's, at a moment; `today` is the day where the issuer is, `others` all issuers by the address of this page for them."""

    issuer: Issuer
    now: datetime
    today: date
    others: tuple[tuple[str, str, bool], ...]


def books_of(connection: Connection, issuer_id: int | None = None) -> Books:
    """The books that are meant: of that issuer, else of `?issuer=`. Raises: BadRequest, and Conflict where there is no issuer yet."""
    issuers = load_issuers(connection)
    if not issuers:
        raise Conflict(gettext("There is no issuer yet: somebody who invoices comes first."))
    asked = str(issuer_id) if issuer_id is not None else request.args.get(ISSUER) or str(issuers[0].id)
    found = next((one for one in issuers if str(one.id) == asked), None)
    if found is None:
        raise BadRequest(gettext("There is no issuer %(name)s.", name=asked[:40]))
    now = clock(connection)
    others = tuple((one.name, here_with(issuer=str(one.id), after=None), one.id == found.id) for one in issuers)
    return Books(found, now, billing_day(now, ZoneInfo(found.zone)), others if len(issuers) > 1 else ())
