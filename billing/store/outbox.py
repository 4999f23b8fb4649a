"""The outbox: what others are told, written in the transaction that decides, and handed over once to who delivers it.

Who takes events writes down in the same transaction what is to be done, so none is lost or taken twice; of a contract the next one
goes not before the one in front of it, whoever takes at the same time. The database gives a contract's events their version and
refuses to mark them out of order.

Source: billing model section 15; schema.sql's section on interfaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg

Connection = psycopg.Connection[Any]

CHANNEL: Final = "corrente_outbox"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that others are told: `noun.past_tense`, and what of it they need. Amounts are decimals, days are dates.

    `payload_version` is the form of the payload. With a contract the event gets that contract's next version.
    """

    name: str
    payload: Mapping[str, object] = field(default_factory=dict)
    contract_id: int | None = None
    payload_version: int = 1


@dataclass(frozen=True, slots=True)
class HandedOver:
    """An event that was handed over."""

    id: int
    at: datetime
    name: str
    payload_version: int
    payload: dict[str, Any]
    contract_id: int | None
    version: int | None


# All that is committed, but of a contract nothing before what is in front of it: an id tells no order (see count_version()).
_HAND_OVER: Final = """
WITH next AS (
    SELECT id, contract_id, version FROM outbox WHERE sent_at IS NULL AND next_at <= clock_timestamp() ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), whole AS (
    SELECT id FROM next AS n WHERE NOT EXISTS (SELECT FROM outbox AS e WHERE e.contract_id = n.contract_id AND e.version < n.version AND e.sent_at IS NULL
        AND e.id NOT IN (SELECT id FROM next))
)
UPDATE outbox AS o SET attempts = attempts + 1, sent_at = clock_timestamp(), problem = '' WHERE o.id = ANY(ARRAY(SELECT id FROM whole))
RETURNING o.id, o.at, o.event, o.payload_version, o.payload, o.contract_id, o.version
"""


def write(connection: Connection, events: Iterable[Event]) -> None:
    """Write events into the caller's transaction, those of a contract in the order given, and wake who delivers.

    Contracts are taken in order of their ids, so that two writers of several never wait for each other.
    """
    ordered = sorted(events, key=lambda event: event.contract_id or 0)
    if not ordered:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY outbox (event, payload_version, payload, contract_id) FROM STDIN") as copy,
    ):
        for event in ordered:
            copy.write_row((event.name, event.payload_version, _payload_text(event), event.contract_id))
    connection.execute(f"NOTIFY {CHANNEL}")


def hand_over(connection: Connection, *, limit: int) -> list[HandedOver]:
    """Take up to `limit` events for good: who writes down in the same transaction what is to be done has them once.

    In order of a contract's versions, else of their ids.
    """
    rows = connection.execute(_HAND_OVER, {"limit": limit}).fetchall()
    events = sorted((HandedOver(*row) for row in rows), key=lambda event: event.id)
    versions = iter(sorted((one for one in events if one.contract_id is not None), key=lambda one: one.version or 0))
    # A contract's events keep the places that events of contracts have, in the order that was promised.
    return [next(versions) if one.contract_id is not None else one for one in events]


def _payload_text(event: Event) -> str:
    return orjson.dumps(dict(event.payload), default=str).decode()
