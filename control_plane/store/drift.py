"""Drift in the database: live sessions that do not run under what their accounts should have, compared in sets.

What a session runs under is `applied_version`, else the `policy_version` of its login. A change that was sent and of which
nothing is known since may have had its effect: until a later word settles that, its session is in doubt.

The caller owns the transaction. A statement of one pass counts for all accounts, or for those that `accounts` names.

Units: versions are 8 octets.
Next: control_loop/reconcile.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import psycopg

from control_plane.control_loop.error_cause import NO_CAUSE
from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns, read_content
from nas_drivers.policy import Method
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]

# A change that failed for good, or a cut that nothing confirmed, is tried anew after this long, while it is still wanted; one that
# failed and is wanted again after something else was, at once: the device may have been mended meanwhile.
REOPEN_AFTER_S: Final = 900
OPEN_STATES: Final = "('queued', 'sent', 'acked', 'nacked', 'unanswered')"


class DriftReason(Enum):
    """Why a session is in drift.

    In doubt: another policy was sent since, or this one was and then let go, and how the session took that is not known. Unverified: the change was
    acknowledged, and this device offers no second source. Unknown: the device echoes no Class.
    """

    MUST_END = "must_end"
    OTHER_POLICY = "other_policy"
    IN_DOUBT = "in_doubt"
    UNVERIFIED = "unverified"
    UNKNOWN = "unknown"


# The last change that was sent to a session and that no later word settles. A disconnect leaves nothing behind in a
# session that goes on, and neither does what was given up because the device refused it, with no packet unanswered: by its
# Error-Cause that shows, and where it gave none by the words that stand for that.
_REFUSED: Final = f"(state = 'gave_up' AND (error_cause IS NOT NULL OR problem = '{NO_CAUSE.meaning}') AND NOT unsure)"
_SENT: Final = (
    "settled_at IS NULL AND state <> 'verified' AND sent_at IS NOT NULL AND desired_version IS NOT NULL "
    f"AND NOT {_REFUSED}"
)
# Sent, and nobody waits for how the device took it: that it gives what is wanted now is no word that it did.
_LET_GO: Final = "('gave_up', 'superseded')"
# The last change that came to nothing.
_TRIED: Final = "settled_at IS NULL AND state IN ('unverifiable', 'gave_up')"
_ONE: Final = "(SELECT * FROM enforcement WHERE session_key = s.session_key AND {} ORDER BY {} DESC, id DESC LIMIT 1)"
_ALL: Final = "(SELECT DISTINCT ON (session_key) * FROM enforcement WHERE {} ORDER BY session_key, {} DESC, id DESC)"


def _drift(latest: str, *, lateral: str = "", sessions: str = "session s") -> str:
    """Each live session with what is wanted, what it runs under and what has been tried. `latest` picks the changes."""
    return f"""
FROM {sessions}
JOIN desired_policy d ON d.account_id = s.account_id
LEFT JOIN profile_revision p ON p.profile_id = d.profile_id
LEFT JOIN {lateral} {latest.format(_SENT, "sent_at")} AS u ON u.session_key = s.session_key
LEFT JOIN {lateral} {latest.format(_TRIED, "closed_at")} AS t ON t.session_key = s.session_key
LEFT JOIN enforcement o ON o.session_key = s.session_key AND o.state IN {OPEN_STATES}
CROSS JOIN LATERAL (SELECT p.revision || d.account_revision AS desired, coalesce(s.applied_version, s.policy_version) AS runs) AS v
CROSS JOIN LATERAL (SELECT u.sent_at > coalesce(s.applied_at, '-infinity')
    AND (u.desired_version <> v.desired OR u.state IN {_LET_GO}) AS doubted) AS b
CROSS JOIN LATERAL (SELECT CASE WHEN d.profile_id IS NULL THEN 'must_end' WHEN b.doubted THEN 'in_doubt'
    WHEN t.state = 'unverifiable' AND t.desired_version = v.desired AND t.sent_at > coalesce(s.applied_at, '-infinity') THEN 'unverified'
    WHEN v.runs IS NULL THEN 'unknown' WHEN v.runs <> v.desired THEN 'other_policy' END AS reason) AS k
"""


# Of all sessions the few changes are gathered once; of a few sessions each one's are looked up.
OF_ALL: Final = _drift(_ALL)
_OF_SOME: Final = _drift(_ONE, lateral="LATERAL")
_OF_FOUND: Final = _drift(
    _ONE, lateral="LATERAL", sessions="drift_found x JOIN session s ON s.session_key = x.session_key"
)
_OF_DIFFERING: Final = _drift(_ALL, sessions="drift_differing x JOIN session s ON s.session_key = x.session_key")
# A policy whose profile has no revision yet is not worked out. A session of which nothing is known is as good as any other
# while its account may have all it pays for.
IN_DRIFT: Final = "WHERE NOT s.stale AND k.reason IS NOT NULL AND (d.profile_id IS NULL OR p.profile_id IS NOT NULL) "
_TO_CHANGE: Final = (
    "(k.reason <> 'unknown' OR d.level <> 'full') AND (o.id IS NULL OR (o.desired_version IS DISTINCT FROM v.desired "
    # Whom a person disconnects gets at the next login what is wanted then.
    "AND (o.asked_by IS NULL OR o.desired_version IS NOT NULL))) "
    "AND (t.session_key IS NULL OR t.desired_version IS DISTINCT FROM v.desired OR coalesce(t.sent_at, t.closed_at) < coalesce(s.applied_at, '-infinity') "
    "OR (t.state = 'gave_up' AND t.closed_at < d.changed_at) "
    "OR (b.doubted AND u.sent_at > t.closed_at) OR ((t.state = 'gave_up' OR v.desired IS NULL) "
    f"AND t.closed_at < now() - make_interval(secs => {REOPEN_AFTER_S})))"
)
_OF_ACCOUNTS: Final = "AND s.account_id = ANY (%(accounts)s) "
# The sessions of one pass, so that the costly comparison is made once; the planner would take nearly every session to be in
# drift, and read all accounts for it.
_FOUND: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS drift_found (
    number bigint GENERATED ALWAYS AS IDENTITY, session_key uuid, nas_id bigint, reason text, state text, to_change boolean
)
"""
# All that can be in drift: who runs under something else, is to end, or was sent something that nothing has settled. Of a
# million sessions this compares two columns, and a table made of a query is filled by several processes at once, which
# INSERT … SELECT never is.
_DIFFERING: Final = """
CREATE TEMPORARY TABLE drift_differing ON COMMIT DROP AS
SELECT s.session_key FROM session s JOIN desired_policy d ON d.account_id = s.account_id LEFT JOIN profile_revision p ON p.profile_id = d.profile_id
WHERE NOT s.stale AND (d.profile_id IS NULL OR coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision)
"""
# The planner takes nearly every session to differ, and the way of a million rows to one process for too costly.
_SHARED_OUT: Final = "SET LOCAL parallel_tuple_cost = 0"
# Some thousand sessions are looked up, not searched for in all of them: what was just read is in memory.
_LOOKED_UP: Final = "SET LOCAL random_page_cost = 1.1"
_DOUBTFUL: Final = """
INSERT INTO drift_differing SELECT DISTINCT session_key FROM enforcement WHERE settled_at IS NULL AND state <> 'verified'
    AND NOT EXISTS (SELECT FROM drift_differing x WHERE x.session_key = enforcement.session_key)
"""
_FIND: Final = (
    "INSERT INTO drift_found (session_key, nas_id, reason, state, to_change) "
    f"SELECT s.session_key, s.nas_id, k.reason, coalesce(o.state::text, ''), {_TO_CHANGE} {_OF_DIFFERING} {IN_DRIFT}"
)
_FOUND_FIGURES: Final = "SELECT nas_id, reason, state, to_change, count(*) FROM drift_found GROUP BY 1, 2, 3, 4"
_FOUND_PORTION: Final = "AND x.to_change AND x.number > %(after)s AND x.number <= %(upto)s "
MEASURE: Final = f"SELECT s.nas_id, k.reason, coalesce(o.state::text, ''), {_TO_CHANGE}, count(*) {OF_ALL} {IN_DRIFT} GROUP BY 1, 2, 3, 4"

# The default memory sends a hash of a million policies to disk.
# The statements name their tables in the order in which they are to be joined: what selects comes first.
_TUNE: Final = "SET LOCAL work_mem = '128MB'; SET LOCAL join_collapse_limit = 1"
_TEMPORARY: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS drift_work (
    session_key uuid, nas_id bigint, account_id bigint, acct_session_id text, username text, level policy_level, reason text,
    from_version bytea, sent_version bytea, desired_version bytea, profile_id bigint, old_revision bytea, vendor text, has_api boolean, wanted_at timestamptz,
    before_id bigint, before_level policy_level, before_of_plan boolean, before_down_bps bigint, before_up_bps bigint,
    way text
) ON COMMIT DELETE ROWS
"""
# Sessions that go one way are treated alike; the way is a text so that a join by it is a hash join.
_WAY: Final = """
concat_ws(' ', n.vendor, n.sealed_api_password IS NOT NULL, coalesce(encode(old.revision, 'hex'), '-'), coalesce(encode(substr(w.sent, 1, 4), 'hex'), '-'), coalesce(d.profile_id, 0), d.level, coalesce(old.profile_id, 0), old.level, old.of_plan,
    coalesce(old.rate_down_bps, 0), coalesce(old.rate_up_bps, 0))
"""
_COLLECT: Final = f"""
INSERT INTO drift_work
SELECT s.session_key, s.nas_id, s.account_id, s.acct_session_id, s.username, d.level, d.reason,
    v.runs, w.sent, v.desired, d.profile_id,
    old.revision, n.vendor, n.sealed_api_password IS NOT NULL,
    -- Who has the account's part already waits for an edited profile: its account's row knows nothing of it.
    CASE WHEN substr(v.runs, 5) = d.account_revision THEN now() ELSE greatest(d.changed_at, s.started_at) END,
    old.profile_id, old.level, old.of_plan, old.rate_down_bps, old.rate_up_bps, {_WAY}
{{drift}}
JOIN nas n ON n.id = s.nas_id
JOIN subscriber_account a ON a.id = s.account_id JOIN contract c ON c.id = a.contract_id JOIN plan l ON l.id = c.plan_id
-- What was sent in between, and not by ending the session, is what it runs under as far as anybody can tell. Where that gives the profile that
-- is wanted now, edited since or not, and was not acknowledged, or was at last to be brought about by ending a session that goes on, what was sent
-- before it may be what the device has still.
CROSS JOIN LATERAL (SELECT CASE WHEN b.doubted THEN coalesce(
    CASE WHEN u.method = 'disconnect' OR (u.state NOT IN ('acked', 'unverifiable') AND (u.profile_id = d.profile_id OR substr(u.desired_version, 1, 4) = substr(v.desired, 1, 4))) THEN (
        SELECT desired_version FROM enforcement WHERE session_key = s.session_key AND {_SENT} AND (method <> 'disconnect' OR unsure)
            AND sent_at > coalesce(s.applied_at, '-infinity') AND profile_id <> d.profile_id AND substr(desired_version, 1, 4) <> substr(v.desired, 1, 4)
        ORDER BY method = 'disconnect', sent_at DESC, id DESC LIMIT 1) END,
    CASE WHEN u.method <> 'disconnect' THEN nullif(u.desired_version, v.desired) END) END AS sent) AS w
LEFT JOIN LATERAL (
    SELECT CASE WHEN r.content IS NOT NULL THEN r.revision END AS revision, r.profile_id, r.rate_down_bps, r.rate_up_bps, q.of_plan, (CASE WHEN q.of_plan THEN 'full'
        WHEN r.profile_id = l.throttle_profile_id THEN 'throttle' WHEN r.profile_id = l.walled_profile_id THEN 'walled'
        ELSE 'full' END)::policy_level AS level
    FROM known_revision r CROSS JOIN LATERAL (SELECT r.profile_id = l.profile_id OR EXISTS (
        SELECT FROM plan_window w WHERE w.plan_id = l.id AND w.profile_id = r.profile_id) AS of_plan) AS q
    WHERE r.revision = substr(v.runs, 1, 4)
    -- Profiles of the same content share a revision: the one that the session's plan names is meant.
    ORDER BY q.of_plan DESC, r.profile_id = d.profile_id DESC, r.profile_id IN (l.throttle_profile_id, l.walled_profile_id) DESC,
        r.profile_id LIMIT 1
) AS old ON true
{IN_DRIFT} AND {_TO_CHANGE}
"""
_WAYS: Final = """
SELECT DISTINCT way, vendor, has_api, old_revision, substr(sent_version, 1, 4), profile_id, level::text, before_id, before_level::text, before_of_plan, before_down_bps,
    before_up_bps FROM drift_work
"""
_WANTED: Final = f"""
SELECT o.id, CASE WHEN d.profile_id IS NULL THEN format('the session must end now: %%s', d.reason)
    WHEN o.desired_version IS DISTINCT FROM v.desired THEN format('another policy is wanted now: %%s, %%s', d.level, d.reason)
    ELSE 'the session runs under it already' END AS problem
FROM {{source}} ON s.session_key = o.session_key JOIN desired_policy d ON d.account_id = s.account_id
LEFT JOIN profile_revision p ON p.profile_id = d.profile_id
CROSS JOIN LATERAL (SELECT p.revision || d.account_revision AS desired) AS v
WHERE o.state IN {OPEN_STATES} AND (d.profile_id IS NULL OR p.profile_id IS NOT NULL)
    -- Who was asked to end a session ends it whatever is wanted; who was asked to tell it all again does not mind that it runs under it.
    AND (o.asked_by IS NULL OR (o.desired_version IS NOT NULL AND o.desired_version IS DISTINCT FROM v.desired))
    AND (o.desired_version IS DISTINCT FROM v.desired OR (o.sent_at IS NULL AND coalesce(s.applied_version, s.policy_version) = v.desired
        AND NOT EXISTS (SELECT FROM enforcement x WHERE x.session_key = o.session_key AND x.settled_at IS NULL AND x.state <> 'verified'
            AND x.sent_at > coalesce(s.applied_at, '-infinity') AND (x.desired_version <> v.desired OR x.state IN {_LET_GO}))))
"""
# In the order of their numbers, so that two reconcilers wait for each other and never in a circle. What was never sent, or
# was refused with no packet unanswered, has left no trace on the device.
_SUPERSEDE: Final = (
    "WITH over AS ({over} ORDER BY o.id FOR UPDATE OF o) UPDATE enforcement e SET state = 'superseded', closed_at = now(), "
    "problem = over.problem, settled_at = CASE WHEN e.sent_at IS NULL OR (e.state = 'nacked' AND NOT e.unsure) THEN now() END "
    "FROM over WHERE e.id = over.id"
)
# One that was sent waits for what its end says: verification tells a cut that worked from a change that came too late.
_ENDED: Final = """
SELECT o.id, 'the session ended before anything was sent' AS problem FROM enforcement o
WHERE o.state = 'queued' AND o.sent_at IS NULL AND NOT EXISTS (SELECT FROM session s WHERE s.session_key = o.session_key)
    AND NOT EXISTS (SELECT FROM device_session x WHERE x.own_key = o.session_key)
"""
_OPEN: Final = f"""
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, from_version, desired_version,
    profile_id, disruptive, method, wanted_at)
SELECT w.session_key, w.nas_id, w.account_id, w.acct_session_id, w.username, w.level, w.reason,
    CASE WHEN m.from_sent THEN w.sent_version ELSE w.from_version END, w.desired_version,
    w.profile_id, m.disruptive, m.method::enforcement_method, w.wanted_at
FROM drift_work w JOIN unnest(%s::text[], %s::text[], %s::bool[], %s::bool[]) AS m (way, method, disruptive, from_sent) ON m.way = w.way
ORDER BY w.session_key
ON CONFLICT (session_key) WHERE state IN {OPEN_STATES} DO NOTHING
"""
_SETTLE: Final = """
UPDATE enforcement e SET settled_at = now() WHERE e.settled_at IS NULL AND e.closed_at IS NOT NULL AND e.state <> 'verified'
    AND ((e.state = 'superseded' AND e.sent_at IS NULL) OR NOT EXISTS (SELECT FROM session s
        WHERE s.session_key = e.session_key AND (e.sent_at IS NULL OR s.applied_at IS NULL OR s.applied_at < e.sent_at)))
"""


@dataclass(frozen=True, slots=True)
class DriftFigure:
    """How many sessions of one NAS are in drift for one reason. `state` is that of their open enforcement, '' without one;
    `to_change` says that one is still to be opened."""

    nas_id: int
    reason: DriftReason
    state: str
    to_change: bool
    sessions: int


@dataclass(frozen=True, slots=True)
class Before:
    """What a revision gave: the profile that is meant, what it is to the session's plan now, and its rates."""

    profile_id: int
    level: Level
    of_plan: bool
    rate_down_bps: int | None
    rate_up_bps: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One way from a policy to another on one vendor's devices; `way` names it. Without `profile_id` the session must end.

    `old_revision` names what it is held to run under where all of that is known; `before` is what that is to the plan, None
    when nothing is known. `has_api`: there is an access to its API. `sent_revision` is what it was sent since, and nobody knows whether it took that.
    """

    way: str
    vendor: str
    has_api: bool
    old_revision: bytes | None
    sent_revision: bytes | None
    profile_id: int | None
    level: Level
    before: Before | None


@dataclass(frozen=True, slots=True)
class Way:
    """How a change is made: by which method first, whether it takes something away, and whether it starts from what was sent
    in between or from what the session is held to run under."""

    change: Change
    method: Method
    disruptive: bool
    from_sent: bool


def tune(connection: Connection) -> None:
    """Make the transaction ready for a pass over all sessions."""
    connection.execute(_TUNE)


def load_figures(connection: Connection) -> list[DriftFigure]:
    """How much drift there is, and how much of it nobody works on."""
    return _figures(connection, MEASURE)


def find_drift(connection: Connection) -> list[DriftFigure]:
    """The same, with the sessions kept for `collect_found`, this connection's own."""
    connection.execute(_FOUND)
    connection.execute("TRUNCATE drift_found RESTART IDENTITY")
    connection.execute(_SHARED_OUT)
    differing = connection.execute(_DIFFERING).rowcount + connection.execute(_DOUBTFUL).rowcount
    if not differing:
        return []
    connection.execute("ANALYZE drift_differing")
    connection.execute(_LOOKED_UP)
    connection.execute(_FIND)
    connection.execute("ANALYZE drift_found")
    return _figures(connection, _FOUND_FIGURES)


def _figures(connection: Connection, statement: str) -> list[DriftFigure]:
    rows = connection.execute(statement)
    return [DriftFigure(nas, DriftReason(reason), state, wanted, count) for nas, reason, state, wanted, count in rows]


def supersede_open(connection: Connection, accounts: Sequence[int] | None = None) -> int:
    """Close the open enforcements that are no longer wanted, each with what is wanted now."""
    if accounts is None:
        over = _WANTED.format(source="enforcement o JOIN session s")
    else:
        over = _WANTED.format(source="session s JOIN enforcement o") + _OF_ACCOUNTS
    return connection.execute(_SUPERSEDE.format(over=over), {"accounts": accounts}).rowcount


def close_ended(connection: Connection) -> int:
    """Close the enforcements of sessions that ended before anything was sent to them."""
    return connection.execute(_SUPERSEDE.format(over=_ENDED)).rowcount


def settle(connection: Connection) -> int:
    """Forget the doubt about sessions that are over, or of which a later word came."""
    return connection.execute(_SETTLE).rowcount


def collect_of_accounts(connection: Connection, accounts: Sequence[int]) -> int:
    """Gather the sessions of these accounts that need an enforcement for `open_enforcements`; returns how many."""
    return _collect(connection, _OF_SOME, _OF_ACCOUNTS, {"accounts": accounts})


def collect_found(connection: Connection, *, after: int, upto: int) -> int:
    """Gather those of the sessions found, numbered from one, that still need an enforcement; returns how many."""
    connection.execute(_LOOKED_UP)
    return _collect(connection, _OF_FOUND, _FOUND_PORTION, {"after": after, "upto": upto})


def _collect(connection: Connection, drift: str, scope: str, given: dict[str, object]) -> int:
    connection.execute(_TEMPORARY)
    connection.execute("DELETE FROM drift_work")
    return connection.execute(f"{_COLLECT.format(drift=drift)} {scope}", given).rowcount


def load_collected_changes(connection: Connection) -> list[Change]:
    """The different changes among the gathered sessions: few, however many sessions there are."""
    return [
        Change(way, vendor, has_api, old_revision, sent_revision, profile_id, Level[level.upper()], _before(*before))
        for way, vendor, has_api, old_revision, sent_revision, profile_id, level, *before in connection.execute(_WAYS)
    ]


def _before(
    profile_id: int | None, level: str, of_plan: bool, down_bps: int | None, up_bps: int | None
) -> Before | None:
    return None if profile_id is None else Before(profile_id, Level[level.upper()], of_plan, down_bps, up_bps)


def open_enforcements(connection: Connection, ways: Iterable[Way]) -> int:
    """Open one enforcement for each gathered session that has none, as its way is; returns how many."""
    rows = list(ways)
    columns = (
        [way.change.way for way in rows],
        [way.method.value for way in rows],
        [way.disruptive for way in rows],
        [way.from_sent for way in rows],
    )
    return connection.execute(_OPEN, columns).rowcount


def load_profiles(connection: Connection, profile_ids: Sequence[int]) -> dict[int, ProfileColumns]:
    """These profiles as they are now."""
    rows = connection.execute(
        f"SELECT id, {', '.join(PROFILE_COLUMNS)} FROM profile WHERE id = ANY (%s)", (list(profile_ids),)
    )
    return {row[0]: ProfileColumns(**dict(zip(PROFILE_COLUMNS, row[1:], strict=True))) for row in rows}


def load_contents(connection: Connection, revisions: Sequence[bytes]) -> dict[bytes, ProfileColumns]:
    """What these revisions give, or gave before their profiles were edited, as far as this release can read it."""
    rows = connection.execute(
        "SELECT DISTINCT ON (revision) revision, content FROM known_revision WHERE revision = ANY (%s) AND content IS NOT NULL",
        (list(revisions),),
    )
    found = {revision: read_content(content) for revision, content in rows}
    return {revision: columns for revision, columns in found.items() if columns is not None}
