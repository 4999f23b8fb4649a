"""Charges and positions of a batch, written in sets.

Next: billing/store/runs.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

import psycopg
from msgspec import Struct

from billing.due_contract import DueCharge, Position
from billing.errors import BillingError
from billing.sentence import Sentence
from billing.store.documents import NULL, array_text, copy_money, copy_period, copy_rows, copy_text, take_ids

Connection = psycopg.Connection[Any]

_COPY: Final = (
    "COPY charge (id, item_id, kind, during, units, of, full_price, discounted, net, currency, due_on, corrects_id, run_id,"
    " document_id, line_number, covered, stop_id, made_by) FROM STDIN"
)
_COVER: Final = "UPDATE charge SET covered = true WHERE id = ANY (%s) AND document_id IS NULL AND NOT covered"
_CARRY: Final = "UPDATE charge SET run_id = %s WHERE id = ANY (%s) AND run_id IS NULL"
_MOVE: Final = """
UPDATE billing_position AS p SET billed_through = new.billed_through, due_on = new.due_on
FROM unnest(%s::bigint[], %s::date[], %s::date[], %s::date[], %s::date[]) AS new (item_id, was_through, was_due, billed_through, due_on)
WHERE p.item_id = new.item_id AND p.billed_through = new.was_through AND p.due_on = new.was_due
"""
_SETTLE: Final = """
UPDATE billing_stop AS s SET settled_through = new.through FROM unnest(%s::bigint[], %s::date[]) AS new (id, through)
WHERE s.id = new.id AND coalesce(s.settled_through, '-infinity') < new.through
"""


class MovedMeanwhileError(BillingError):
    """What a batch was worked out from has changed since: it is to be worked out again."""

    retryable = True


class NewCharge(Struct, frozen=True):
    """A charge to be written, of which contract, and the document and line it stands on, or `covered` by none."""

    contract_id: int
    charge: DueCharge
    line: tuple[int, int] | None = None
    covered: bool = False


def save_charges(connection: Connection, charges: Sequence[NewCharge], *, run_id: int, made_by: str) -> None:
    """Write them in their order, which their ids follow."""
    ids = take_ids(connection, "charge_id_seq", len(charges))
    number = {(one.contract_id, one.charge.id): id_ for id_, one in zip(ids, charges, strict=True)}
    writer = copy_text(made_by)
    copy_rows(connection, _COPY, (_row(one, number, run_id, writer) for one in charges))


def cover_charges(connection: Connection, ids: Sequence[int]) -> None:
    """Charges that waited came to nothing. Raises: MovedMeanwhileError when one is on a document by now."""
    if ids and connection.execute(_COVER, (list(ids),)).rowcount != len(ids):
        raise MovedMeanwhileError(
            Sentence("of %(ids)s charges that came to nothing some are billed meanwhile", ids=len(ids))
        )


def carry_charges(connection: Connection, ids: Sequence[int], *, run_id: int) -> None:
    """Charges that a run leaves waiting, marked by the first one that does."""
    if ids:
        connection.execute(_CARRY, (run_id, list(ids)))


def move_positions(connection: Connection, moves: Sequence[tuple[Position, Position]]) -> None:
    """Items go from where they stood to where they stand now.

    Raises: MovedMeanwhileError when one of them stands somewhere else.
    """
    if not moves:
        return
    columns = [
        array_text(after.item_id for _, after in moves),
        array_text(before.billed_through for before, _ in moves),
        array_text(before.due_on for before, _ in moves),
        array_text(after.billed_through for _, after in moves),
        array_text(after.due_on for _, after in moves),
    ]
    moved = connection.execute(_MOVE, columns).rowcount
    if moved != len(moves):
        raise MovedMeanwhileError(
            Sentence("of %(moves)s items %(moved)s stand elsewhere by now", moves=len(moves), moved=len(moves) - moved)
        )


def settle_stops(connection: Connection, settled: Iterable[tuple[int, date]]) -> None:
    """Days that are not paid are dealt with up to these days."""
    pairs = sorted(settled)
    if pairs:
        connection.execute(_SETTLE, ([id_ for id_, _ in pairs], [through for _, through in pairs]))


def _row(new: NewCharge, number: dict[tuple[int, int], int], run_id: int, writer: str) -> str:
    one = new.charge
    corrects = one.corrects_id
    if corrects is not None and corrects < 0:
        corrects = number[new.contract_id, corrects]
    document, line = new.line or (NULL, NULL)
    return (
        f"{number[new.contract_id, one.id]}\t{one.item_id}\t{one.kind}\t{copy_period(one.during)}\t{one.units}\t{one.of}\t"
        f"{copy_money(one.full)}\t{copy_money(one.discounted)}\t{copy_money(one.net)}\t{one.full.currency}\t{one.due_on}\t"
        f"{NULL if corrects is None else corrects}\t{run_id}\t{document}\t{line}\t{new.covered}\t"
        f"{NULL if one.stop_id is None else one.stop_id}\t{writer}\n"
    )
