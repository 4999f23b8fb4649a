"""Enforcements in the database: taken by a worker, written on, closed; and the NASes that are silent.

A row is taken in one transaction that says what will be sent and by whom; what came of it is written only by who still has
it. The caller owns the transaction. Every function works on a set, so that two thousand changes a second cost tens of
statements.

Units: instants are aware UTC.
Next: control_loop/enforcer.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Network
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from control_plane.control_loop.enforcement import Next, Progress, State
from nas_drivers.policy import Method

Connection = psycopg.Connection[Any]

# What a person reads of a failure; a device's own words may be long.
PROBLEM_CHARACTERS: Final = 500
# Of each NAS in one turn, however many have something open: most of those may have nothing that is due.
_SHARE_LEAST: Final = 8


@dataclass(frozen=True, slots=True)
class Change:
    """One enforcement with what is known of its session now, as it is about to be sent."""

    id: int
    session_key: UUID
    nas_id: int
    account_id: int | None
    acct_session_id: str
    username: str
    level: str
    reason: str
    from_version: bytes | None
    desired_version: bytes | None
    profile_id: int | None
    disruptive: bool
    state: str
    method: str
    identity_detail: int
    tries: int
    attempt: int
    unsure: bool
    sent_at: datetime | None
    session_live: bool
    id_used_again: bool
    dialled_again: bool
    of_device_only: bool
    wanted_version: bytes | None
    wanted_known: bool
    class_key: UUID | None
    framed_ipv4: IPv4Address | None
    framed_ipv6_prefix: IPv6Network | None
    mac: str | None
    nas_port_id: str | None
    own_names: list[str]
    asked: bool

    @property
    def progress(self) -> Progress:
        """How far it has come, as the rules take it."""
        return Progress(
            State(self.state), Method(self.method), self.identity_detail, self.tries, self.attempt, self.unsure
        )


# So many of what restricts are taken together with something that restores.
RESTRICTING_BESIDE: Final = 50
# Of each NAS its first ones, and of a silent NAS one at a time. What restores goes before what restricts. A session whose
# older change is still with a worker waits: two packets in flight at once could arrive in either order.
# A million may be due, so NASes are found by stepping from one to the next, those of a NAS by the range of the index that is
# due, and no more are locked of a NAS than its share of a turn, which is at least `least`. No more are taken than a NAS is
# sent within moments, and beside that a window of what restores: it does not wait behind cuts that are taken and can't leave yet.
_TAKE: Final = """
WITH RECURSIVE step AS (
    (SELECT nas_id FROM enforcement WHERE closed_at IS NULL ORDER BY nas_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.nas_id FROM enforcement e WHERE e.closed_at IS NULL AND e.nas_id > step.nas_id ORDER BY e.nas_id LIMIT 1)
    FROM step WHERE step.nas_id IS NOT NULL
), share AS MATERIALIZED (
    SELECT n.id AS nas_id, CASE WHEN q.nas_id IS NULL THEN greatest(0, least(l.left_over, l.part)) ELSE 1 END AS room,
        CASE WHEN q.nas_id IS NULL THEN greatest(0, least(l.left_over + n.coa_window, l.part)) ELSE 1 END AS room_restoring
    FROM step JOIN nas n ON n.id = step.nas_id AND n.enabled LEFT JOIN nas_silence q ON q.nas_id = n.id
    LEFT JOIN unnest(%(busy_nases)s::bigint[], %(busy)s::int[]) AS b (nas_id, taken) ON b.nas_id = n.id
    CROSS JOIN LATERAL (SELECT least(%(per_nas)s, 2 * n.coa_window, 2 * n.coa_rate_per_s) - coalesce(b.taken, 0) AS left_over,
        greatest(%(limit)s / (SELECT count(nas_id) FROM step), %(least)s) AS part) AS l
    LEFT JOIN LATERAL (SELECT true AS asked FROM enforcement p WHERE p.nas_id = q.nas_id AND p.taken_by IS NOT NULL
        AND p.taken_until > %(now)s LIMIT 1) AS a ON true
    WHERE q.nas_id IS NULL OR (q.next_at <= %(now)s AND a.asked IS NULL)
)
SELECT one.id, one.disruptive FROM share CROSS JOIN LATERAL (
    SELECT due.* FROM (VALUES (false), (true)) AS k (disruptive) CROSS JOIN LATERAL (
        SELECT e.id, e.disruptive, e.next_at FROM enforcement e
        WHERE e.nas_id = share.nas_id AND e.disruptive = k.disruptive AND e.closed_at IS NULL AND e.state <> 'acked' AND e.next_at <= %(now)s
            AND (e.taken_until IS NULL OR e.taken_until <= %(now)s)
            AND NOT EXISTS (SELECT FROM enforcement x WHERE x.session_key = e.session_key AND x.id <> e.id AND x.taken_until > %(now)s)
        ORDER BY e.next_at LIMIT CASE WHEN k.disruptive THEN share.room ELSE share.room_restoring END FOR UPDATE SKIP LOCKED
    ) AS due WHERE NOT (k.disruptive AND %(restoring_only)s) LIMIT share.room_restoring
) AS one ORDER BY one.disruptive, one.next_at LIMIT %(limit)s
"""
# A command line may know sessions by their addresses alone: a cut that took effect must not be typed at its successor.
# Sessions start in whole seconds.
_LOAD: Final = """
SELECT e.id, e.session_key, e.nas_id, e.account_id, e.acct_session_id, e.username, e.level::text, e.reason, e.from_version,
    e.desired_version, e.profile_id, e.disruptive, e.state::text, e.method::text, e.identity_detail, e.tries, e.attempt, e.unsure,
    e.sent_at, s.session_key IS NOT NULL OR x.own_key IS NOT NULL AS session_live,
    EXISTS (SELECT FROM session y WHERE y.nas_id = e.nas_id AND y.acct_session_id = e.acct_session_id
        AND y.session_key <> e.session_key AND y.started_at > coalesce(s.started_at, '-infinity')) AS id_used_again,
    EXISTS (SELECT FROM session y WHERE e.method = 'cli' AND y.username = s.username AND y.nas_id = s.nas_id AND y.mac = s.mac
        AND y.mac <> '' AND y.session_key <> s.session_key AND y.started_at >= date_trunc('second', e.sent_at)) AS dialled_again,
    x.own_key IS NOT NULL AS of_device_only,
    CASE WHEN d.profile_id IS NOT NULL THEN r.revision || d.account_revision END AS wanted_version,
    d.account_id IS NOT NULL AND (d.profile_id IS NULL OR r.profile_id IS NOT NULL) AS wanted_known,
    s.class_key, coalesce(s.framed_ipv4, x.framed_ipv4) AS framed_ipv4, s.framed_ipv6_prefix,
    nullif(coalesce(s.mac, x.mac), '') AS mac, nullif(s.nas_port_id, '') AS nas_port_id,
    CASE WHEN a.own_attributes <> '[]' THEN ARRAY(SELECT DISTINCT item ->> 0 FROM jsonb_array_elements(a.own_attributes) AS block,
        jsonb_array_elements(block -> 'reply') AS item) ELSE '{}' END AS own_names, e.asked_by IS NOT NULL AS asked
FROM enforcement e LEFT JOIN session s ON s.session_key = e.session_key
LEFT JOIN device_session x ON x.own_key = e.session_key
LEFT JOIN subscriber_account a ON a.id = e.account_id
LEFT JOIN desired_policy d ON d.account_id = e.account_id LEFT JOIN profile_revision r ON r.profile_id = d.profile_id
WHERE e.id = ANY (%s) ORDER BY e.disruptive, e.next_at, e.id
"""
_BEGIN: Final = """
UPDATE enforcement e SET state = 'sent', method = w.method::enforcement_method, identity_detail = w.detail, tries = w.tries,
    attempt = w.attempt, unsure = w.unsure, sent_at = %(now)s, taken_by = %(worker)s, taken_until = %(until)s, next_at = %(until)s,
    held_since = NULL, held_reason = ''
FROM unnest(%(ids)s::bigint[], %(methods)s::text[], %(details)s::int[], %(tries)s::int[], %(attempts)s::int[], %(unsure)s::bool[])
    AS w (id, method, detail, tries, attempt, unsure)
WHERE e.id = w.id
"""
_UNWANTED: Final = """
SELECT e.id FROM enforcement e WHERE e.id = ANY (%(ids)s) AND (e.closed_at IS NOT NULL OR e.taken_by IS DISTINCT FROM %(worker)s
    OR EXISTS (SELECT FROM network_stop WHERE ended_at IS NULL)
    OR EXISTS (SELECT FROM nas_maintenance m WHERE m.nas_id = e.nas_id AND m.ended_at IS NULL AND m.since <= now()
        AND (m.until IS NULL OR now() < m.until)))
"""
_KEPT: Final = """
UPDATE enforcement e SET taken_until = %(until)s FROM (
    SELECT id FROM enforcement WHERE id = ANY (%(ids)s) AND taken_by = %(worker)s FOR UPDATE SKIP LOCKED
) mine WHERE e.id = mine.id RETURNING e.id
"""
# In the order of their numbers, so that nobody who closes some of them meanwhile waits for us in a circle.
_HOLD: Final = "SELECT id, attempt, taken_by FROM enforcement WHERE id = ANY (%s) ORDER BY id FOR UPDATE"
# One that was superseded meanwhile stays so and is let go. That the numbers stand here twice keeps the planner from going
# through the whole table.
_END: Final = """
UPDATE enforcement e SET
    state = CASE WHEN e.closed_at IS NULL THEN w.state::enforcement_state ELSE e.state END,
    method = w.method::enforcement_method, identity_detail = w.detail, tries = w.tries, attempt = w.attempt, unsure = w.unsure,
    error_cause = w.error_cause, problem = CASE WHEN e.closed_at IS NULL THEN w.problem ELSE e.problem END, next_at = w.next_at,
    answered_at = coalesce(w.answered_at, e.answered_at),
    closed_at = CASE WHEN e.closed_at IS NULL THEN w.closed_at ELSE e.closed_at END,
    alarmed_at = CASE WHEN w.alarm THEN coalesce(e.alarmed_at, %(now)s) ELSE e.alarmed_at END, taken_by = NULL, taken_until = NULL
FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(methods)s::text[], %(details)s::int[], %(tries)s::int[], %(attempts)s::int[],
    %(unsure)s::bool[], %(causes)s::int[], %(problems)s::text[], %(next)s::timestamptz[], %(answered)s::timestamptz[],
    %(closed)s::timestamptz[], %(alarms)s::bool[])
    AS w (id, state, method, detail, tries, attempt, unsure, error_cause, problem, next_at, answered_at, closed_at, alarm)
WHERE e.id = w.id AND e.id = ANY (%(ids)s)
RETURNING e.id, e.state::text
"""
_SUPERSEDE: Final = """
UPDATE enforcement e SET state = 'superseded', closed_at = %(now)s, problem = w.problem, taken_by = NULL, taken_until = NULL,
    settled_at = CASE WHEN e.sent_at IS NULL OR (e.state = 'nacked' AND NOT e.unsure) THEN %(now)s END
FROM unnest(%(ids)s::bigint[], %(problems)s::text[]) AS w (id, problem) WHERE e.id = w.id AND e.closed_at IS NULL
"""
_PACKET: Final = """
INSERT INTO enforcement_packet (enforcement_id, at, direction, code, identifier, peer, attributes, error_cause)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::smallint[], %s::smallint[], %s::text[], %s::text[], %s::int[])
    AS w (enforcement_id, at, direction, code, identifier, peer, attributes, error_cause)
"""
_UNLESS_THERE: Final = """
WHERE NOT EXISTS (SELECT FROM enforcement_packet p WHERE (p.enforcement_id, p.at, p.direction, p.code, p.identifier, p.peer)
    = (w.enforcement_id, w.at, w.direction, w.code, w.identifier, w.peer))
"""
_APPLY: Final = """
UPDATE session s SET applied_version = e.desired_version, applied_by = 'verified', applied_at = %(now)s
FROM enforcement e WHERE e.id = ANY (%(ids)s) AND s.session_key = e.session_key AND e.desired_version IS NOT NULL
    AND e.state = 'verified' AND (s.applied_at IS NULL OR s.applied_at < e.sent_at)
"""
_FOLLOW: Final = """
UPDATE session s SET applied_version = e.desired_version, applied_by = 'same', applied_at = %(now)s
FROM enforcement e WHERE e.id = ANY (%(ids)s) AND s.session_key = e.session_key AND e.desired_version IS NOT NULL
"""
# Doubled each time up to a quarter of an hour.
_SILENT: Final = """
INSERT INTO nas_silence AS q (nas_id, since, tries, next_at, asked_at)
SELECT w.nas_id, %(now)s, 1, %(now)s + make_interval(secs => w.pause), %(now)s FROM unnest(%(nases)s::bigint[], %(pauses)s::float8[]) AS w (nas_id, pause)
ORDER BY w.nas_id
ON CONFLICT (nas_id) DO UPDATE SET tries = least(q.tries + 1, 1000), asked_at = EXCLUDED.asked_at,
    next_at = EXCLUDED.asked_at + least((EXCLUDED.next_at - EXCLUDED.asked_at) * power(2, least(q.tries, 9)), interval '15 minutes')
"""
_ANSWERS: Final = "DELETE FROM nas_silence WHERE nas_id = ANY (%s) RETURNING nas_id"
# What somebody holds in this moment is being taken or closed; to wait for it, with rows of our own held, could be for ever.
_DUE_NOW: Final = """
UPDATE enforcement e SET next_at = %(now)s FROM (
    SELECT id FROM enforcement WHERE nas_id = ANY (%(nases)s) AND state IN ('unanswered', 'queued', 'nacked') AND next_at > %(now)s
        AND held_since IS NULL AND (taken_until IS NULL OR taken_until <= %(now)s) FOR UPDATE SKIP LOCKED
) due WHERE e.id = due.id
"""
# Not sooner than some seconds after the last try: a device may go on to account and never answer here.
_HEARD: Final = """
UPDATE nas_silence q SET next_at = %(now)s WHERE q.next_at > %(now)s AND q.asked_at < %(now)s - interval '5 seconds'
    AND EXISTS (SELECT FROM session s WHERE s.nas_id = q.nas_id AND s.received_at > q.asked_at)
    AND EXISTS (SELECT FROM enforcement e WHERE e.nas_id = q.nas_id AND e.closed_at IS NULL)
RETURNING q.nas_id
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one exchange or one look: the change as it was taken, and what follows."""

    enforcement_id: int
    next: Next
    next_at: datetime
    error_cause: int | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PacketRow:
    """One packet, or one call that is no RADIUS (code 0). `attributes` hold no secret."""

    enforcement_id: int
    at: datetime
    direction: str
    code: int
    identifier: int
    peer: str
    attributes: str
    error_cause: int | None = None


def take_due(
    connection: Connection,
    *,
    now: datetime,
    limit: int,
    per_nas: int,
    busy: dict[int, int],
    restoring_only: bool = False,
) -> list[Change]:
    """Changes that are due and nobody has, locked until the transaction ends; `busy` counts those taken of each NAS.

    Where something restores, few that restrict come with it: nothing leaves before the turn is committed, and a payer's change
    would wait for hundreds of cuts to be written. Some come, so that they never starve.
    """
    given = {
        "now": now,
        "limit": limit,
        "per_nas": per_nas,
        "least": _SHARE_LEAST,
        "busy_nases": list(busy),
        "busy": list(busy.values()),
        "restoring_only": restoring_only,
    }
    found = connection.execute(_TAKE, given).fetchall()
    restoring = [number for number, disruptive in found if not disruptive]
    restricting = [number for number, disruptive in found if disruptive]
    ids = restoring + (restricting[:RESTRICTING_BESIDE] if restoring else restricting)
    if not ids:
        return []
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_LOAD, (ids,)).fetchall()


def save_begun(
    connection: Connection, begun: Iterable[tuple[int, Progress]], *, worker: str, now: datetime, until: datetime
) -> None:
    """Write the intent: these are sent now, in this way, by this worker."""
    rows = list(begun)
    given = {"now": now, "worker": worker, "until": until, **_progress_columns(rows)}
    connection.execute(_BEGIN, given)


def save_ended(
    connection: Connection, ended: Sequence[Ended], *, worker: str | None, now: datetime
) -> dict[int, State]:
    """Write what came of exchanges (`worker` has them) or of looks (None); the state of each that could be written.

    Only who still has it writes, and only of the attempt it was taken for.
    """
    held = {row[0]: row[1:] for row in connection.execute(_HOLD, ([one.enforcement_id for one in ended],))}
    ended = [one for one in ended if held.get(one.enforcement_id) == (one.next.progress.attempt, worker)]
    if not ended:
        return {}
    given = {
        "now": now,
        **_progress_columns([(one.enforcement_id, one.next.progress) for one in ended]),
        "states": [one.next.progress.state.value for one in ended],
        "causes": [one.error_cause for one in ended],
        "problems": [_plain(one.next.problem) for one in ended],
        "next": [None if one.next.progress.state.closed else one.next_at for one in ended],
        "answered": [one.answered_at for one in ended],
        "closed": [now if one.next.progress.state.closed else None for one in ended],
        "alarms": [one.next.alarm for one in ended],
    }
    return {number: State(state) for number, state in connection.execute(_END, given)}


def save_applied(connection: Connection, ids: Sequence[int], *, now: datetime) -> None:
    """The sessions of these verified changes run under what was wanted. The caller holds their NASes."""
    connection.execute(_APPLY, {"ids": list(ids), "now": now})


def save_followed(connection: Connection, why: dict[int, str], *, now: datetime) -> None:
    """Close these without a packet, and their sessions run under what was wanted: nothing differs that their devices are told.

    One that somebody closed meanwhile is left to that. The caller holds their NASes.
    """
    given = {"ids": list(why), "problems": list(why.values()), "now": now}
    closed = [row[0] for row in connection.execute(f"{_SUPERSEDE} RETURNING e.id", given)]
    connection.execute(_FOLLOW, {"ids": closed, "now": now})


def save_superseded(connection: Connection, why: dict[int, str], *, now: datetime) -> None:
    """Close these: something else is wanted now, or nothing."""
    if why:
        connection.execute(_SUPERSEDE, {"ids": list(why), "problems": list(why.values()), "now": now})


def save_later(connection: Connection, ids: Sequence[int], *, again: datetime) -> None:
    """Let these wait: the guard has written why."""
    if ids:
        connection.execute("UPDATE enforcement SET next_at = %s WHERE id = ANY (%s)", (again, list(ids)))


def save_packets(connection: Connection, packets: Sequence[PacketRow], *, again: bool = False) -> None:
    """Keep these packets for ever, or as long as their month. `again`: some may be there already, and none is kept twice."""
    if packets:
        columns = zip(
            *(
                (p.enforcement_id, p.at, p.direction, p.code, p.identifier, p.peer, _plain(p.attributes), p.error_cause)
                for p in packets
            ),
            strict=True,
        )
        connection.execute(_PACKET + (_UNLESS_THERE if again else ""), [list(column) for column in columns])


def save_kept(connection: Connection, ids: Sequence[int], *, worker: str, until: datetime) -> list[int]:
    """These are in this worker's hands still; those that are. One that somebody closes in this moment is left to that."""
    return [row[0] for row in connection.execute(_KEPT, {"ids": list(ids), "worker": worker, "until": until})]


def load_unwanted(connection: Connection, ids: Sequence[int], *, worker: str) -> list[int]:
    """Which of the changes in a worker's hands are not to be sent (again): no longer wanted, no longer its own, or nothing
    at all is sent now, to their NAS or to any."""
    return [row[0] for row in connection.execute(_UNWANTED, {"ids": list(ids), "worker": worker})]


def save_released(connection: Connection, ids: Sequence[int], *, worker: str) -> None:
    """Give back what is no longer sent by this worker; what is not closed is due at once."""
    connection.execute(
        "UPDATE enforcement SET taken_by = NULL, taken_until = NULL, next_at = CASE WHEN closed_at IS NULL THEN clock_timestamp() END "
        "WHERE id = ANY (%s) AND taken_by = %s",
        (list(ids), worker),
    )


def save_free(connection: Connection, ids: Sequence[int]) -> None:
    """Nobody has these any more. The caller holds their rows."""
    connection.execute("UPDATE enforcement SET taken_by = NULL, taken_until = NULL WHERE id = ANY (%s)", (list(ids),))


def save_let_go(connection: Connection, *, worker: str) -> int:
    """Let go of what stands under this worker's name: it ends, and another may take it at once; returns how many."""
    return connection.execute(
        "UPDATE enforcement SET taken_until = now(), next_at = now() WHERE taken_by = %s", (worker,)
    ).rowcount


def save_silence(connection: Connection, pauses_s: dict[int, float], *, now: datetime) -> None:
    """These NASes did not answer: ask them again no sooner than after so many seconds times two for each time before."""
    connection.execute(_SILENT, {"now": now, "nases": list(pauses_s), "pauses": list(pauses_s.values())})


def save_answering(connection: Connection, nas_ids: Sequence[int], *, now: datetime) -> list[int]:
    """These NASes answered; those that had been silent, whose waiting changes are due now."""
    back = [row[0] for row in connection.execute(_ANSWERS, (list(nas_ids),))]
    if back:
        connection.execute(_DUE_NOW, {"nases": back, "now": now})
    return back


def save_heard(connection: Connection, *, now: datetime) -> list[int]:
    """Silent NASes whose accounting has come since they were asked: one change of each is due now."""
    back = [row[0] for row in connection.execute(_HEARD, {"now": now})]
    if back:
        connection.execute(_DUE_NOW, {"nases": back, "now": now})
    return back


def _progress_columns(rows: Sequence[tuple[int, Progress]]) -> dict[str, object]:
    return {
        "ids": [number for number, _ in rows],
        "methods": [progress.method.value for _, progress in rows],
        "details": [progress.identity_detail for _, progress in rows],
        "tries": [progress.tries for _, progress in rows],
        "attempts": [progress.attempt for _, progress in rows],
        "unsure": [progress.unsure for _, progress in rows],
    }


def _plain(text: str) -> str:
    return text.replace("\0", "\\000")[: 8 * PROBLEM_CHARACTERS]
