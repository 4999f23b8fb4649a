"""What quotes and orders share: their lists, and one of them as it stands."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from billing.documents import DocumentKind
from billing.shown import ShownDocument
from billing.store.document_list import DocumentQuestion, load_page, sort_key
from web.api._changes import today
from web.api._shapes import NO_CONTROL, Number, there_is_none
from web.api.documents import ListedPaper, issued, paper_listed
from web.calls import Paging, Slice, part_after, slice_of
from web.database import Connection


class OfferQuestion(Paging, frozen=True, kw_only=True):
    """Which ones: of a customer, by number, by what was answered."""

    customer_id: Number | None = None
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=NO_CONTROL)] | None = None
    state: Literal["issued", "accepted", "refused", "expired"] | None = None


def find_offers(connection: Connection, kind: DocumentKind, asked: OfferQuestion) -> Slice[ListedPaper]:
    """Those of a kind, the newest first."""
    question = DocumentQuestion(kind=str(kind), customer_id=asked.customer_id, answer=asked.state, number=asked.number)
    key = part_after(asked, date, int)
    after = None if key is None else (key[0], key[1])
    rows = load_page(connection, question, today=today(connection), limit=asked.limit + 1, after=after)
    return slice_of(rows, asked, shown=paper_listed, key=lambda row: sort_key(row, by_due=False))


def offer_of(connection: Connection, number: int, kind: DocumentKind) -> ShownDocument:
    """The quote or order of that number. Raises: Problem."""
    found = issued(connection, number)
    if found.kind != kind:
        raise there_is_none()
    return found
