"""Webhooks in the database: endpoints, what waits for each, every try, and the outbox handed over to them.

Who sends claims deliveries for a while, commits, sends, and notes what came of it; what nobody noted is claimed again.

Units: *_s seconds.
Source: schema.sql's section on webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.store.outbox import HandedOver
from billing.webhooks import PING, Again, Parked, Told, Took, WebhookError, body_of, event_id, wants

Connection = psycopg.Connection[Any]

ANSWER_CHARACTERS: Final = 1000
PROBLEM_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told of what. Secrets are sealed for the row; see radius_hooks/sealing.py."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    sealed_secret: bytes
    sealed_old_secret: bytes | None
    old_secret_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is the claimer's for a while; `attempt` counts from 1, `began_at` is the first one's time."""

    id: int
    endpoint_id: int
    event_id: str
    body: bytes
    attempt: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is shown."""

    id: int
    endpoint: str
    event_id: str
    event: str
    contract_id: int | None
    version: int | None
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime
    ended_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class Try:
    """How one try went."""

    attempt: int
    at: datetime
    took_s: float
    address: str | None
    status: int | None
    problem: str
    answer: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What an endpoint has waiting, parked and delivered, and since when the oldest waits."""

    endpoint_id: int
    waiting: int
    parked: int
    delivered: int
    waits_since: datetime | None


_ENDPOINT: Final = (
    "SELECT id, name, url, events, sealed_secret, sealed_old_secret, old_secret_until, failing_since, disabled_at,"
    " disabled_why, made_by, made_at FROM webhook_endpoint WHERE removed_at IS NULL"
)
# Of each endpoint some, the longest due first; of a contract none before the one in front of it is over. Who fails is tried
# with one at a time, so that a dead endpoint costs one connection. The first version is a subquery and no anti-join: it is looked
# up for as many rows as are taken, in the index's order, and not for all that wait. What was taken is reached as an array, and the
# state as text, which no index has: a join, or an index of all that wait, may be planned the other way round.
_CLAIM: Final = """
WITH due AS (
    SELECT d.id FROM webhook_endpoint AS e CROSS JOIN LATERAL (
        SELECT o.id FROM webhook_delivery AS o WHERE o.endpoint_id = e.id AND o.state = 'waiting' AND o.next_at <= statement_timestamp()
            AND (o.contract_id IS NULL OR o.version = (SELECT f.version FROM webhook_delivery AS f WHERE f.endpoint_id = o.endpoint_id
                AND f.contract_id = o.contract_id AND f.state = 'waiting' ORDER BY f.version LIMIT 1))
        ORDER BY o.next_at, o.id LIMIT greatest(0, CASE WHEN e.failing_since IS NULL THEN %(each)s ELSE 1 END
            - coalesce((%(busy)s::jsonb ->> e.id::text)::integer, 0))
    ) AS d WHERE e.disabled_at IS NULL AND e.removed_at IS NULL
)
UPDATE webhook_delivery AS d SET attempts = attempts + 1, began_at = coalesce(began_at, clock_timestamp()),
    next_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE d.id = ANY(ARRAY(SELECT id FROM due)) AND d.state::text = 'waiting'
RETURNING d.id, d.endpoint_id, d.event_id, d.body, d.attempts, d.began_at
"""
_DELIVERY: Final = """
SELECT d.id, e.name, d.event_id, d.event, d.contract_id, d.version, d.state::text, d.attempts, d.made_at, d.next_at, d.ended_at, d.problem
FROM webhook_delivery AS d JOIN webhook_endpoint AS e ON e.id = d.endpoint_id
"""


def load_endpoints(connection: Connection) -> list[Endpoint]:
    """Those that were not removed, by name."""
    return [_endpoint(row) for row in connection.execute(f"{_ENDPOINT} ORDER BY name").fetchall()]


def load_endpoint(connection: Connection, name: str) -> Endpoint | None:
    """The endpoint of that name, held for the transaction."""
    row = connection.execute(f"{_ENDPOINT} AND name = %s FOR UPDATE", (name,)).fetchone()
    return None if row is None else _endpoint(row)


def _endpoint(row: Sequence[Any]) -> Endpoint:
    number, name, url, events, secret, old, *rest = row
    return Endpoint(number, name, url, tuple(events), bytes(secret), None if old is None else bytes(old), *rest)


def queue(connection: Connection, events: Iterable[HandedOver]) -> int:
    """Write a delivery for each endpoint that wants each event, in the caller's transaction. Returns how many.

    Who is switched off has them parked, to be sent when a person says so.
    """
    endpoints = load_endpoints(connection)
    rows: list[tuple[object, ...]] = []
    for event in events:
        wanting = [one for one in endpoints if wants(one.events, event.name)]
        if wanting:
            rows += _rows(event, wanting)
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO webhook_delivery (endpoint_id, outbox_id, event_id, event, contract_id, version, body, state, problem, ended_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s::webhook_state, %s,"
                " CASE WHEN %s THEN clock_timestamp() END) ON CONFLICT ON CONSTRAINT webhook_delivery_once DO NOTHING",
                rows,
            )
    return len(rows)


def _rows(event: HandedOver, endpoints: Sequence[Endpoint]) -> Iterable[tuple[object, ...]]:
    name = event_id(event.id, event.at)
    told = Told(name, event.name, event.at, event.payload, event.payload_version, event.contract_id, event.version)
    try:
        body, problem = body_of(told), ""
    except WebhookError as error:
        # Its receiver is told that there was something, and where to ask.
        body, problem = body_of(Told(name, event.name, event.at, {"too_long": True})), str(error)
    for one in endpoints:
        off = one.disabled_at is not None
        said = f"the endpoint is switched off: {one.disabled_why}" if off else problem
        state = "parked" if off else "waiting"
        yield one.id, event.id, name, event.name, event.contract_id, event.version, body, state, said, off


def claim(connection: Connection, *, each: int, busy: dict[int, int], lease_s: float) -> list[Due]:
    """Take up to `each` deliveries of every endpoint, less those that `busy` says are under way. Commit before sending."""
    told = Jsonb({str(number): count for number, count in busy.items()})
    rows = connection.execute(_CLAIM, {"each": each, "busy": told, "lease_s": lease_s}).fetchall()
    return sorted((_due(row) for row in rows), key=lambda due: due.id)


def claim_one(connection: Connection, delivery_id: int, *, lease_s: float) -> Due:
    """Take one delivery by its number, whatever waits before it."""
    row = connection.execute(
        "UPDATE webhook_delivery SET attempts = attempts + 1, began_at = coalesce(began_at, clock_timestamp()),"
        " next_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND state = 'waiting' RETURNING id, endpoint_id, event_id, body, attempts, began_at",
        (lease_s, delivery_id),
    ).fetchone()
    assert row is not None, f"delivery {delivery_id} waits"
    return _due(row)


def _due(row: Sequence[Any]) -> Due:
    number, endpoint_id, name, body, attempt, began_at = row
    return Due(number, endpoint_id, name, bytes(body), attempt, began_at)


def note(connection: Connection, due: Due, tried: Try, outcome: Took | Again | Parked) -> None:
    """Write down a try and what becomes of the delivery; the endpoint's own state follows it."""
    connection.execute(
        "INSERT INTO webhook_attempt (delivery_id, attempt, at, took_s, address, status, problem, answer)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (due.id, due.attempt, tried.at, tried.took_s, tried.address, tried.status, tried.problem, tried.answer),
    )
    said = tried.problem or f"answered {tried.status}"
    match outcome:
        case Took():
            _end(connection, due.id, "delivered", "")
        case Parked():
            _end(connection, due.id, "parked", said)
        case Again(pause_s):
            connection.execute(
                "UPDATE webhook_delivery SET problem = %s, next_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE id = %s AND state = 'waiting'",
                (said[:PROBLEM_CHARACTERS], pause_s, due.id),
            )
    connection.execute(
        "UPDATE webhook_endpoint SET failing_since = CASE WHEN %s THEN NULL ELSE coalesce(failing_since, %s) END"
        " WHERE id = %s AND (failing_since IS NOT NULL) = %s",
        (isinstance(outcome, Took), tried.at, due.endpoint_id, isinstance(outcome, Took)),
    )


def _end(connection: Connection, delivery_id: int, state: str, problem: str) -> None:
    connection.execute(
        "UPDATE webhook_delivery SET state = %s::webhook_state, ended_at = clock_timestamp(), problem = %s"
        " WHERE id = %s AND state = 'waiting'",
        (state, problem[:PROBLEM_CHARACTERS], delivery_id),
    )


def switch_off(connection: Connection, endpoint_id: int, *, why: str) -> int:
    """Switch an endpoint off, and park what waits for it; returns how many deliveries that are."""
    connection.execute(
        "UPDATE webhook_endpoint SET disabled_at = clock_timestamp(), disabled_why = %s WHERE id = %s AND disabled_at IS NULL",
        (why[:PROBLEM_CHARACTERS], endpoint_id),
    )
    return connection.execute(
        "UPDATE webhook_delivery SET state = 'parked', ended_at = clock_timestamp(),"
        " problem = CASE problem WHEN '' THEN %s ELSE problem END WHERE endpoint_id = %s AND state = 'waiting'",
        (f"the endpoint was switched off: {why}"[:PROBLEM_CHARACTERS], endpoint_id),
    ).rowcount


def load_tallies(connection: Connection) -> dict[int, Tally]:
    """What each endpoint has, by its number."""
    rows = connection.execute(
        "SELECT endpoint_id, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'parked'),"
        " count(*) FILTER (WHERE state = 'delivered'), min(made_at) FILTER (WHERE state = 'waiting')"
        " FROM webhook_delivery GROUP BY endpoint_id"
    ).fetchall()
    return {row[0]: Tally(*row) for row in rows}


def load_deliveries(
    connection: Connection,
    *,
    endpoint_id: int | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """The newest deliveries, of one endpoint and in one state if those are given, and older than number `before`."""
    rows = connection.execute(
        f"{_DELIVERY} WHERE (%(endpoint)s::bigint IS NULL OR d.endpoint_id = %(endpoint)s)"
        " AND (%(state)s::text IS NULL OR d.state = %(state)s::webhook_state)"
        " AND (%(before)s::bigint IS NULL OR d.id < %(before)s) ORDER BY d.id DESC LIMIT %(limit)s",
        {"endpoint": endpoint_id, "state": state, "before": before, "limit": limit},
    ).fetchall()
    return [Delivery(*row) for row in rows]


def load_delivery(connection: Connection, delivery_id: int) -> tuple[Delivery, bytes, list[Try]] | None:
    """One delivery, what is sent, and its tries."""
    row = connection.execute(f"{_DELIVERY} WHERE d.id = %s", (delivery_id,)).fetchone()
    if row is None:
        return None
    body = connection.execute("SELECT body FROM webhook_delivery WHERE id = %s", (delivery_id,)).fetchone()
    assert body is not None, f"delivery {delivery_id} is there"
    tries = connection.execute(
        "SELECT attempt, at, took_s, host(address), status, problem, answer FROM webhook_attempt WHERE delivery_id = %s ORDER BY attempt",
        (delivery_id,),
    ).fetchall()
    return Delivery(*row), bytes(body[0]), [Try(*one) for one in tries]


def take_endpoint_id(connection: Connection) -> int:
    """The number of an endpoint to be: its secret is sealed for it before the row is written."""
    row = connection.execute("SELECT nextval('webhook_endpoint_id_seq')").fetchone()
    assert row is not None, "a sequence has a next number"
    return int(row[0])


def add_endpoint(
    connection: Connection, endpoint_id: int, *, name: str, url: str, events: Sequence[str], sealed: bytes, by: str
) -> None:
    """Write an endpoint; it is told of what happens from now on."""
    connection.execute(
        "INSERT INTO webhook_endpoint (id, name, url, events, sealed_secret, made_by) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (endpoint_id, name, url, list(events), sealed, by),
    )


def change_endpoint(connection: Connection, endpoint_id: int, *, url: str, events: Sequence[str]) -> None:
    """Send to another address, or other events; what waits goes to the new address."""
    connection.execute(
        "UPDATE webhook_endpoint SET url = %s, events = %s WHERE id = %s", (url, list(events), endpoint_id)
    )


def rotate_secret(connection: Connection, endpoint_id: int, *, sealed: bytes, old_valid_s: float) -> datetime | None:
    """Sign with another secret, and with the one before for so long; returns until when, None for not at all."""
    row = connection.execute(
        "UPDATE webhook_endpoint SET sealed_secret = %(sealed)s,"
        " sealed_old_secret = CASE WHEN %(valid)s > 0 THEN sealed_secret END,"
        " old_secret_until = CASE WHEN %(valid)s > 0 THEN clock_timestamp() + make_interval(secs => %(valid)s) END"
        " WHERE id = %(id)s RETURNING old_secret_until",
        {"sealed": sealed, "valid": old_valid_s, "id": endpoint_id},
    ).fetchone()
    return None if row is None else row[0]


def switch_on(connection: Connection, endpoint_id: int) -> None:
    """Tell an endpoint again from now on; what was parked stays so until it is replayed."""
    connection.execute(
        "UPDATE webhook_endpoint SET disabled_at = NULL, disabled_why = '', failing_since = NULL WHERE id = %s",
        (endpoint_id,),
    )


def remove_endpoint(connection: Connection, endpoint_id: int) -> int:
    """Tell it nothing any more; returns how many deliveries were given up. What was sent stays to be looked at."""
    given_up = switch_off(connection, endpoint_id, why="removed")
    connection.execute("UPDATE webhook_endpoint SET removed_at = clock_timestamp() WHERE id = %s", (endpoint_id,))
    return given_up


def replay(
    connection: Connection,
    *,
    delivery_id: int | None = None,
    endpoint_id: int | None = None,
    since: datetime | None = None,
    also_delivered: bool = False,
) -> int:
    """Send again, under the same event id and for three days anew: one delivery, or those of an endpoint that are parked.

    Of endpoints that are switched off or removed nothing is sent again. Returns how many.
    """
    return connection.execute(
        "UPDATE webhook_delivery AS d SET state = 'waiting', ended_at = NULL, began_at = NULL, next_at = clock_timestamp(), problem = ''"
        " FROM webhook_endpoint AS e WHERE e.id = d.endpoint_id AND e.disabled_at IS NULL AND e.removed_at IS NULL"
        " AND (%(delivery)s::bigint IS NULL OR d.id = %(delivery)s) AND (%(endpoint)s::bigint IS NULL OR d.endpoint_id = %(endpoint)s)"
        " AND (%(since)s::timestamptz IS NULL OR d.made_at >= %(since)s)"
        " AND (d.state = 'parked' OR (%(delivered)s AND d.state = 'delivered'))",
        {"delivery": delivery_id, "endpoint": endpoint_id, "since": since, "delivered": also_delivered},
    ).rowcount


def add_ping(connection: Connection, endpoint: Endpoint, *, by: str) -> int:
    """A delivery that says nothing but that somebody tests; returns its number."""
    # Named before it is written: the console's database user may write a delivery, and change none.
    named = connection.execute("SELECT 'ping_' || replace(gen_random_uuid()::text, '-', ''), now()").fetchone()
    assert named is not None, "it is asked of no table"
    name, at = named
    body = body_of(Told(name, PING, at, {"endpoint": endpoint.name, "asked_by": by}))
    row = connection.execute(
        "INSERT INTO webhook_delivery (endpoint_id, event_id, event, body) VALUES (%s, %s, %s, %s) RETURNING id",
        (endpoint.id, name, PING, body),
    ).fetchone()
    assert row is not None, "it was just written"
    return int(row[0])
