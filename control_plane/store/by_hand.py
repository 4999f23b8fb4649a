"""Changes that a person asks for, in the database: the sessions that are meant, and one enforcement for each.

The caller owns the transaction; what was chosen is this connection's own until it ends.

Next: control_loop/by_hand.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from control_plane.store.online_list import OnlineFilter, condition_of

Connection = psycopg.Connection[Any]

_CHOOSE: Final = """
CREATE TEMPORARY TABLE by_hand ON COMMIT DROP AS
SELECT s.session_key, s.nas_id, s.account_id, s.acct_session_id, s.username, s.stale, coalesce(s.applied_version, s.policy_version) AS runs
FROM session s WHERE {condition} LIMIT %(most)s
"""
_NUMBERS: Final = """
SELECT count(*), count(DISTINCT account_id) + count(*) FILTER (WHERE account_id IS NULL), count(DISTINCT nas_id), min(username) FROM by_hand
"""
# What automation wanted and has not begun makes way; what is on its way is left to its end.
_MAKE_WAY: Final = """
UPDATE enforcement e SET state = 'superseded', closed_at = now(), settled_at = now(), problem = %(problem)s FROM (
    SELECT x.id FROM enforcement x JOIN by_hand b ON b.session_key = x.session_key WHERE x.state = 'queued' AND x.sent_at IS NULL
        AND x.asked_by IS NULL AND x.taken_by IS NULL ORDER BY x.id FOR UPDATE OF x SKIP LOCKED
) AS waits WHERE e.id = waits.id
"""
_TO_END: Final = """
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, from_version, disruptive, method, wanted_at, asked_by)
SELECT b.session_key, b.nas_id, b.account_id, b.acct_session_id, b.username, 'none', %(reason)s, b.runs, true, m.method::enforcement_method, now(), %(by)s
FROM by_hand b JOIN unnest(%(nases)s::bigint[], %(methods)s::text[]) AS m (nas_id, method) ON m.nas_id = b.nas_id
ORDER BY b.session_key
ON CONFLICT (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered') DO NOTHING
RETURNING id, method::text, nas_id
"""
_SHOULD: Final = """
FROM by_hand b JOIN desired_policy d ON d.account_id = b.account_id JOIN profile_revision p ON p.profile_id = d.profile_id WHERE NOT b.stale
"""
_WAYS: Final = f"SELECT DISTINCT b.nas_id, substr(b.runs, 1, 4), d.profile_id {_SHOULD}"
_TO_TELL: Final = f"""
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, from_version, desired_version, profile_id, disruptive,
    method, wanted_at, asked_by)
SELECT x.session_key, x.nas_id, x.account_id, x.acct_session_id, x.username, x.level, %(reason)s, x.runs, x.desired, x.profile_id, m.method <> 'coa',
    m.method::enforcement_method, now(), %(by)s
FROM (SELECT b.*, d.level, d.profile_id, p.revision || d.account_revision AS desired {_SHOULD}) AS x
JOIN unnest(%(nases)s::bigint[], %(revisions)s::bytea[], %(profiles)s::bigint[], %(methods)s::text[]) AS m (nas_id, revision, profile_id, method)
    ON m.nas_id = x.nas_id AND m.revision IS NOT DISTINCT FROM substr(x.runs, 1, 4) AND m.profile_id = x.profile_id
ORDER BY x.session_key
ON CONFLICT (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered') DO NOTHING
RETURNING id, method::text, nas_id
"""  # noqa: S608 - made of the constant


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many sessions were chosen, of how many subscribers and NASes; the first username of them."""

    sessions: int
    subscribers: int
    nases: int
    first: str


@dataclass(frozen=True, slots=True)
class Opened:
    """One enforcement that was opened."""

    id: int
    method: str
    nas_id: int


def choose(connection: Connection, asked: OnlineFilter, *, most: int) -> Numbers:
    """Choose the sessions that are meant, at most so many."""
    condition, values = condition_of(connection, asked)
    connection.execute(_CHOOSE.format(condition=condition), {**values, "most": most})
    row = connection.execute(_NUMBERS).fetchone()
    assert row is not None, "an aggregate has one row"
    return Numbers(row[0], row[1], row[2], row[3] or "")


def load_chosen_nases(connection: Connection) -> list[int]:
    """The NASes of the chosen sessions."""
    return [row[0] for row in connection.execute("SELECT DISTINCT nas_id FROM by_hand")]


def load_chosen_ways(connection: Connection) -> list[tuple[int, bytes | None, int]]:
    """Of the chosen sessions that may be told anything: NAS, the revision they run under, the profile they should have."""
    return connection.execute(_WAYS).fetchall()


def make_way(connection: Connection, *, problem: str) -> int:
    """Take back what automation wanted of the chosen sessions and has not begun; returns how many."""
    return connection.execute(_MAKE_WAY, {"problem": problem}).rowcount


def open_ends(connection: Connection, methods: Mapping[int, str], *, reason: str, by: str) -> list[Opened]:
    """Open an end for each chosen session that has no change under way; `methods` by NAS."""
    given = {"nases": list(methods), "methods": list(methods.values()), "reason": reason, "by": by}
    return [Opened(*row) for row in connection.execute(_TO_END, given)]


def open_again(
    connection: Connection, methods: Mapping[tuple[int, bytes | None, int], str], *, reason: str, by: str
) -> list[Opened]:
    """Open the change to what each chosen session should have, though it runs under it; `methods` by way."""
    given = {
        "nases": [way[0] for way in methods],
        "revisions": [way[1] for way in methods],
        "profiles": [way[2] for way in methods],
        "methods": list(methods.values()),
        "reason": reason,
        "by": by,
    }
    return [Opened(*row) for row in connection.execute(_TO_TELL, given)]


def load_audience(connection: Connection) -> list[tuple[int, int]]:
    """The customers of the chosen sessions, each with the first of the contracts meant."""
    return connection.execute(
        "SELECT c.customer_id, min(c.id) FROM by_hand b JOIN subscriber_account a ON a.id = b.account_id JOIN contract c ON c.id = a.contract_id "
        "GROUP BY c.customer_id ORDER BY c.customer_id"
    ).fetchall()
