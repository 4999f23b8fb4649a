"""The queue of messages for who sends them: claimed, written, handed over, and what became of it.

A claim is a lease that is committed before anything leaves. `mark_handing` is committed just before the text leaves and
withdrawn by whatever the other side answers: a lease that ran out with it set is in doubt, one without it surely did not go.

Units: *_s seconds.
Source: schema.sql's section on messages; docs/messages.md.
Next: billing/messages/may_go.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.messages.message import Purpose, State

Connection = psycopg.Connection[Any]

PROBLEM_CHARACTERS: Final = 1000


class Happening(StrEnum):
    """What is noted of a message."""

    SENT = "sent"
    DEFERRED = "deferred"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    FAILED = "failed"
    WITHHELD = "withheld"
    CANCELLED = "cancelled"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    DELIVERED = "delivered"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that is the claimer's until its lease is over; `attempts` counts this one."""

    id: int
    customer_id: int
    contract_id: int | None
    issuer_id: int | None
    purpose: Purpose
    template: str
    data: dict[str, Any]
    enclosures: list[str]
    role: str
    contact_id: int | None
    language: str | None
    at_once: bool
    expires_at: datetime | None
    token: str
    attempts: int
    address: str | None
    reference: str | None
    written_at: datetime | None
    subject: str | None
    body: str | None
    html: str | None
    doubts: int
    device_id: int | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "purpose", Purpose(self.purpose))


_TAKEN: Final = """
m.id, m.customer_id, m.contract_id, coalesce(m.issuer_id, (SELECT t.issuer_id FROM contract_terms AS t WHERE t.contract_id = m.contract_id),
        (SELECT t.issuer_id FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id WHERE c.customer_id = m.customer_id ORDER BY c.id DESC LIMIT 1),
        (SELECT min(i.id) FROM issuer AS i)) AS issuer_id,
    m.purpose::text, m.template, m.data, m.enclosures, m.role::text, m.contact_id, m.language::text, m.at_once, m.expires_at, m.token::text, m.attempts,
    m.address, m.reference, m.written_at, m.subject, m.body, m.html,
    (SELECT count(*) FROM message_event AS e WHERE e.message_id = m.id AND e.happened = 'in_doubt')::integer AS doubts, m.device_id
"""
_CLAIM: Final = f"""
WITH next AS (
    SELECT id FROM message WHERE state = 'queued' AND channel = %(channel)s AND next_at <= clock_timestamp()
    ORDER BY turn, next_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE message AS m SET state = 'sending', attempts = attempts + 1, taken_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE m.id = ANY(ARRAY(SELECT id FROM next)) RETURNING {_TAKEN}
"""  # noqa: S608 - our own list of columns
_QUEUED: Final = f"SELECT {_TAKEN} FROM message AS m WHERE m.id = ANY (%s) ORDER BY m.id"  # noqa: S608 - the same
_FREE: Final = """
UPDATE message SET state = 'queued', taken_until = NULL, attempts = attempts - 1
WHERE state = 'sending' AND channel = %s AND taken_until < clock_timestamp() AND handed_at IS NULL
"""
_IN_DOUBT: Final = """
SELECT m.id, m.purpose::text, (SELECT count(*) FROM message_event AS e WHERE e.message_id = m.id AND e.happened = 'in_doubt')::integer
FROM message AS m WHERE m.state = 'sending' AND m.channel = %s AND m.taken_until < clock_timestamp() AND m.handed_at IS NOT NULL
ORDER BY m.id FOR UPDATE OF m SKIP LOCKED
"""
_HANDING: Final = """
UPDATE message SET handed_at = clock_timestamp(), taken_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND state = 'sending' AND taken_until > clock_timestamp() AND attempts = %s
"""
_END: Final = """
WITH ended AS (
    UPDATE message SET state = %(state)s::message_state, ended_at = clock_timestamp(), taken_until = NULL, problem = %(problem)s,
        handed_at = CASE WHEN %(state)s IN ('sent', 'bounced') THEN handed_at END
    WHERE id = %(id)s AND state = 'sending' RETURNING id
)
INSERT INTO message_event (message_id, happened, detail, made_by) SELECT id, %(happened)s::message_happening, %(detail)s, %(made_by)s FROM ended
"""
_LATER: Final = """
WITH again AS (
    UPDATE message SET state = 'queued', taken_until = NULL, handed_at = NULL, problem = %(problem)s, attempts = attempts - %(uncounted)s,
        next_at = coalesce(%(at)s, clock_timestamp() + make_interval(secs => %(in_s)s))
    WHERE id = %(id)s AND state = 'sending' RETURNING id
)
INSERT INTO message_event (message_id, happened, detail, made_by)
SELECT id, %(happened)s::message_happening, %(problem)s, %(made_by)s FROM again
"""
_ROOM: Final = """
SELECT %(per_hour)s - count(*) FILTER (WHERE handed_at > clock_timestamp() - interval '1 hour'), %(per_day)s - count(*)
FROM message WHERE channel = %(channel)s AND handed_at > clock_timestamp() - interval '1 day'
"""


def claim(connection: Connection, channel: str, *, limit: int, lease_s: float) -> list[Taken]:
    """Take up to `limit` messages whose time has come, those of the lowest turn first. Commit before sending them."""
    with connection.cursor(row_factory=class_row(Taken)) as cursor:
        taken = cursor.execute(_CLAIM, {"channel": channel, "limit": limit, "lease_s": lease_s}).fetchall()
    return sorted(taken, key=lambda one: one.id)


def load_queued(connection: Connection, ids: Sequence[int]) -> list[Taken]:
    """Messages as their sender would take them: to look at what would come of them."""
    with connection.cursor(row_factory=class_row(Taken)) as cursor:
        return cursor.execute(_QUEUED, (list(ids),)).fetchall()


def is_any_due(connection: Connection, channel: str) -> bool:
    """Whether there is anything to do: asked before a connection to the other side is made."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM message WHERE state = 'queued' AND channel = %s AND next_at <= clock_timestamp())",
        (channel,),
    ).fetchone()
    assert row is not None, "EXISTS says yes or no"
    return bool(row[0])


def count_queued(connection: Connection, channel: str) -> int:
    """How many wait, due or not."""
    row = connection.execute(
        "SELECT count(*) FROM message WHERE state = 'queued' AND channel = %s", (channel,)
    ).fetchone()
    assert row is not None, "a count has a row"
    return int(row[0])


def room_left(connection: Connection, channel: str, *, per_hour: int, per_day: int) -> int:
    """How many more may go now. What was handed over counts, also what came back later."""
    row = connection.execute(_ROOM, {"channel": channel, "per_hour": per_hour, "per_day": per_day}).fetchone()
    assert row is not None, "a count has a row"
    in_hour, in_day = int(row[0]), int(row[1])
    return max(0, min(in_hour, in_day))


def free_overdue(connection: Connection, channel: str) -> list[tuple[int, Purpose, int]]:
    """What a worker took and never came back for: put back, but for those in doubt, which are returned with their purpose and how
    often they were in doubt before. They are held until the caller's transaction ends.
    """
    connection.execute(_FREE, (channel,))
    return [(one, Purpose(purpose), doubts) for one, purpose, doubts in connection.execute(_IN_DOUBT, (channel,))]


def save_text(
    connection: Connection,
    message_id: int,
    *,
    address: str,
    reference: str,
    version: int | None,
    written: tuple[datetime, str, str, str],
) -> None:
    """Keep what goes out: when it was written, subject, plain text and HTML, and to which address."""
    connection.execute(
        "UPDATE message SET address = %s, reference = %s, template_version = coalesce(%s, template_version), written_at = %s, subject = %s, body = %s, html = %s"
        " WHERE id = %s AND handed_at IS NULL",
        (address, reference, version, *written, message_id),
    )


def mark_handing(connection: Connection, taken: Taken, *, lease_s: float) -> bool:
    """Note, and commit, that the text leaves now; False when the lease is over or the message was taken again: do not send."""
    return connection.execute(_HANDING, (lease_s, taken.id, taken.attempts)).rowcount == 1


def was_handed(connection: Connection, message_id: int) -> bool:
    """Whether its text may have left."""
    row = connection.execute("SELECT handed_at IS NOT NULL FROM message WHERE id = %s", (message_id,)).fetchone()
    return row is None or bool(row[0])


def end(
    connection: Connection, message_id: int, state: State, happened: Happening, *, detail: str, made_by: str
) -> None:
    """How it ended, with the words of the other side or of the rule that held it."""
    problem = "" if state is State.SENT else detail[:PROBLEM_CHARACTERS]
    named = {"id": message_id, "state": state, "happened": happened, "detail": detail, "problem": problem}
    connection.execute(_END, {**named, "made_by": made_by})


def later(
    connection: Connection,
    message_id: int,
    happened: Happening,
    *,
    problem: str,
    made_by: str,
    at: datetime | None = None,
    in_s: float = 0.0,
    is_attempt: bool = True,
) -> None:
    """Put it back: until a moment, or for some seconds. What is held by us is no attempt."""
    named = {"id": message_id, "happened": happened, "problem": problem[:PROBLEM_CHARACTERS], "at": at, "in_s": in_s}
    connection.execute(_LATER, {**named, "uncounted": 0 if is_attempt else 1, "made_by": made_by})


def put_back(connection: Connection, message_ids: Sequence[int]) -> None:
    """What was taken and not tried: as before."""
    connection.execute(
        "UPDATE message SET state = 'queued', taken_until = NULL, attempts = attempts - 1"
        " WHERE id = ANY (%s) AND state = 'sending' AND handed_at IS NULL",
        (list(message_ids),),
    )
