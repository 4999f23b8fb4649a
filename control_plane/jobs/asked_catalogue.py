"""Price changes and promotions that somebody confirmed in the console: given to the contracts, batch by batch.

A hundred thousand contracts take a minute or more, for which no page waits. Each batch is committed with how far it is: killed
anywhere, the next leader goes on behind it. Contracts that are not in a batch are held by nobody meanwhile.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, assert_never

import psycopg
from psycopg.rows import TupleRow

from billing.errors import BillingError
from billing.price_changes import check_day
from billing.store.acting import acting
from billing.store.catalogue_requests import (
    Act,
    CatalogueRequest,
    begin_request,
    end_request,
    hold_request,
    load_waiting,
    note_progress,
)
from billing.store.price_changes import change_prices
from billing.store.promotions import (
    Promotion,
    apply_promotion,
    load_promotions,
    load_undoing,
    plan_application,
    undo_promotion,
)
from billing.store.run_requests import load_product_names
from billing.store.selection import Selection, in_batches, load_selected
from control_plane import audit
from control_plane.catalogue import price_change_of
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
# Somebody waits before a page; who asks wakes the job, too (waking.py).
ASKED_EVERY_S: Final = 15.0
# So many contracts are one transaction: some seconds at most, for which runs and deeds of these wait.
BATCH: Final = 1000
_ACTIONS: Final = {
    Act.PRICE_CHANGE: "price.change",
    Act.PROMOTION: "promotion.apply",
    Act.PROMOTION_UNDO: "promotion.undo",
}


def asked_catalogue(connection: Connection, settings: Settings, now: datetime) -> str:
    """Do what is asked for, in its order. What can't be done is told where it was asked."""
    today = now.astimezone(settings.zone).date()
    asked = load_waiting(connection)
    for one in asked:
        try:
            _do(connection, one, today)
        except BillingError as error:
            with connection.transaction():
                end_request(connection, one.id, problem=str(error))
    return f"did {len(asked)} of what was asked for"


def _do(connection: Connection, asked: CatalogueRequest, today: date) -> None:
    """Give it to all who have not been reached, a batch a transaction."""
    meant = [number for number in _meant(connection, asked, today) if number > asked.through]
    with connection.transaction():
        begin_request(connection, asked.id, of=len(meant))
    through = asked.through
    for batch in in_batches(meant, BATCH):
        with connection.transaction():
            held = hold_request(connection, asked.id, through=through)
            if held is None:
                return  # a leader that has not noticed yet that it is none: one of the two goes on
            acting(connection, asked.asked_by)
            changed = _give(connection, asked, batch)
            through = batch[-1]
            note_progress(connection, asked.id, through=through, contracts=len(batch), changed=changed)
    with connection.transaction():
        held = hold_request(connection, asked.id, through=through)
        if held is not None:
            detail = {**asked.what, "request": asked.id, "changed": held.changed}
            subject = str(asked.what["name"])
            audit.append(connection, actor=asked.asked_by, action=_ACTIONS[asked.act], subject=subject, detail=detail)
            end_request(connection, asked.id)


def _meant(connection: Connection, asked: CatalogueRequest, today: date) -> Sequence[int]:
    """The contracts that it is for now, by number. Raises: BillingError where it can't be done any more."""
    what = asked.what
    match asked.act:
        case Act.PRICE_CHANGE:
            _, reach = price_change_of(what)
            check_day(reach.day, today)
            (name,) = load_product_names(connection, [reach.product_id]).values()
            return load_selected(connection, Selection(product=name), day=reach.day)
        case Act.PROMOTION:
            since = date.fromisoformat(what["since"])
            selection = Selection(**{one: what[one] for one in ("issuer", "product", "city", "postal_prefix")})
            chosen = load_selected(connection, selection, day=since)
            return plan_application(connection, _promotion(connection, what), chosen, since=since)[1]
        case Act.PROMOTION_UNDO:
            return load_undoing(connection, what["promotion"], None)[1]
        case other:
            assert_never(other)


def _give(connection: Connection, asked: CatalogueRequest, batch: Sequence[int]) -> int:
    """Give it to these; how many came out otherwise."""
    what = asked.what
    match asked.act:
        case Act.PRICE_CHANGE:
            change, reach = price_change_of(what)
            return change_prices(connection, batch, change, reach, actor=asked.asked_by)
        case Act.PROMOTION:
            since = date.fromisoformat(what["since"])
            return apply_promotion(connection, _promotion(connection, what), batch, since=since, actor=asked.asked_by)
        case Act.PROMOTION_UNDO:
            return undo_promotion(connection, what["promotion"], batch).undone
        case other:
            assert_never(other)


def _promotion(connection: Connection, what: Any) -> Promotion:
    (found,) = (one for one in load_promotions(connection) if one.id == what["promotion"])
    return found
