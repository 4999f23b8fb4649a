"""What quotes and orders share: their lists, and one of them as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request
from werkzeug.exceptions import NotFound

from billing.documents import DocumentKind
from billing.shown import ShownDocument
from billing.store.document_links import DocumentLinks, load_links
from billing.store.document_list import DocumentQuestion, load_page, sort_key
from billing.store.issuers import load_issuers
from web.acting import clock, transaction
from web.database import Connection
from web.lists import PAGE_ROWS, after, chosen, page_of
from web.staff import _document_words as words
from web.staff._customer_meant import customer_meant
from web.staff.documents import document_of, page_mark, today_of


def offer_list(kind: DocumentKind, states: Mapping[str, Any]) -> str:
    """The newest quotes or orders; `states` are the words for their answers."""
    with transaction() as connection:
        meant = customer_meant(connection, request.args["customer"]) if request.args.get("customer") else None
        question = DocumentQuestion(
            kind=str(kind),
            customer_id=None if meant is None else meant.id,
            answer=chosen("state", states),
            number=(request.args.get("number") or "").strip() or None,
        )
        nobody = meant is not None and meant.id is None
        day = today_of(connection, load_issuers(connection))
        rows = (
            [] if nobody else load_page(connection, question, today=day, limit=PAGE_ROWS + 1, after=page_mark(after()))
        )
    return render_template(
        "staff/offers/list.html",
        kind=str(kind),
        page=page_of(rows, lambda row: sort_key(row, by_due=False)),
        meant=meant,
        states=states,
        words=words,
    )


def offer_of(connection: Connection, number: int, kind: DocumentKind) -> tuple[ShownDocument, DocumentLinks]:
    """A quote or an order with what it has to do with. Raises: NotFound."""
    found = document_of(connection, number)
    if found.kind != kind:
        raise NotFound
    return found, load_links(connection, number)


def issuer_day(connection: Connection, issuer_id: int) -> date:
    """What day it is where an issuer is."""
    (zone,) = (one.zone for one in load_issuers(connection) if one.id == issuer_id)
    return clock(connection).astimezone(ZoneInfo(zone)).date()
