"""How an account, its contract and its line stood at a moment that is over, from the rows kept of it.

What decides a policy is read from row_history; sessions, logins, changes and their packets are kept by themselves. Of
accounting the first record, the last one and the totals are kept, not each interim record.

Next: explaining/explain_past.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.policy.profile import PROFILE_COLUMNS
from control_plane.store.account import Account
from control_plane.store.history import LoginView
from control_plane.store.limits import ReliefRow
from control_plane.store.plan import Profile

Connection = psycopg.Connection[Any]

# The last ones before the moment: what led to it.
SESSIONS_BEFORE: Final = 2
LOGINS_BEFORE: Final = 5
CHANGES_BEFORE: Final = 6
AUDITS_BEFORE: Final = 5


@dataclass(frozen=True, slots=True)
class PastRestriction:
    """One restriction as it stood, and how it ended since. `run_id` is None for a person's."""

    id: int
    origin: str
    level: str
    reason: str
    placed_by: str
    since: datetime
    until: datetime | None
    run_id: int | None
    run_name: str | None
    held: bool
    lifted_at: datetime | None
    lifted_by: str | None


@dataclass(frozen=True, slots=True)
class PastSession:
    """One session. `ended_at` None: it is live; `received_at` is when the device last spoke of it (or had, at its end)."""

    session_key: str
    nas: str
    acct_session_id: str
    started_at: datetime
    received_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    terminate_cause: str | None
    policy_version: bytes | None
    octets_in: int
    octets_out: int
    address: str | None


@dataclass(frozen=True, slots=True)
class PastPacket:
    """One packet of a change, or one call that is no RADIUS (code 0). `attributes` hold no secret."""

    enforcement_id: int
    at: datetime
    direction: str
    code: int
    identifier: int
    peer: str
    attributes: str
    error_cause: int | None


@dataclass(frozen=True, slots=True)
class PastChange:
    """One change to a session, as far as it has come; `released_by` let it go when the guard held it."""

    id: int
    nas: str
    acct_session_id: str
    level: str
    reason: str
    from_version: bytes | None
    desired_version: bytes | None
    method: str
    state: str
    attempt: int
    problem: str
    held_since: datetime | None
    held_reason: str
    wanted_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    released_by: str | None
    release_reason: str | None


@dataclass(frozen=True, slots=True)
class PastAct:
    """What a person or a program did to the account by hand."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """All that is known of one account at one moment. `account` carries the values of then."""

    at: datetime
    account: Account
    profiles: dict[int, Profile]
    restrictions: list[PastRestriction]
    reliefs: list[ReliefRow]
    sessions: list[PastSession]
    changes: list[PastChange]
    packets: list[PastPacket]
    logins: list[LoginView]
    acts: list[PastAct]


# A row as it stood: the first of its history with a later end, else as it stands now.
_STOOD: Final = (
    "coalesce((SELECT h.content FROM row_history h WHERE h.kind = '{kind}' AND h.key = t.id AND h.until > %(at)s"
    " ORDER BY h.until, h.id LIMIT 1), to_jsonb(t) - 'sealed_secret')"
)
_ROW: Final = "SELECT " + _STOOD + " FROM {table} t WHERE t.id = %(key)s"  # noqa: S608 - tables of ours
_RESTRICTIONS: Final = f"""
SELECT t.id, w.origin, w.level, w.reason, w.placed_by, w.since, w.until, w.run_id, u.name AS run_name, w.held_since IS NOT NULL AS held,
    t.lifted_at, t.lifted_by
FROM restriction t CROSS JOIN LATERAL (SELECT {_STOOD.format(kind="restriction")} AS was) h
    CROSS JOIN LATERAL jsonb_to_record(h.was) AS w (origin text, level text, reason text, placed_by text, since timestamptz,
        until timestamptz, run_id bigint, held_since timestamptz)
    LEFT JOIN automation_run u ON u.id = w.run_id
WHERE t.contract_id = %(key)s AND w.since <= %(at)s AND (w.until IS NULL OR %(at)s < w.until)
    AND (t.lifted_at IS NULL OR %(at)s < t.lifted_at) ORDER BY w.since, t.id
"""  # noqa: S608 - made of the constants above
_RELIEFS: Final = f"""
SELECT t.id, lower(w.during) AS start, upper(w.during) AS end, w.reason, w.granted_by
FROM relief t CROSS JOIN LATERAL (SELECT {_STOOD.format(kind="relief")} AS was) h
    CROSS JOIN LATERAL jsonb_to_record(h.was) AS w (during tstzrange, reason text, granted_by text)
WHERE t.contract_id = %(key)s AND w.during @> %(at)s
"""  # noqa: S608
# Of a plan's hours and of top-ups no former state is kept: those of today are meant where they were there.
_PLAN: Final = """
SELECT coalesce((SELECT json_agg(json_build_array(w.begins, w.ends, w.profile_id) ORDER BY w.begins) FROM plan_window w
        WHERE w.plan_id = %(plan)s), '[]'),
    coalesce((SELECT json_agg(json_build_array(x.effective_on, n.name, x.placed_by, json_build_array(n.profile_id,
            n.throttle_profile_id, n.walled_profile_id, coalesce((SELECT json_agg(json_build_array(w.begins, w.ends, w.profile_id)
            ORDER BY w.begins) FROM plan_window w WHERE w.plan_id = n.id), '[]'))) ORDER BY x.effective_on)
        FROM plan_change x JOIN plan n ON n.id = x.plan_id
        WHERE x.contract_id = %(contract)s AND x.placed_at <= %(at)s AND (x.applied_at IS NULL OR x.applied_at > %(at)s)), '[]'),
    coalesce((SELECT json_agg(json_build_array(t.octets, t.since, t.until, t.reason, t.placed_by) ORDER BY t.since) FROM data_topup t
        WHERE t.since <= %(at)s AND %(at)s < t.until
            AND (t.account_id = %(account)s OR t.account_id IS NULL AND t.contract_id = %(contract)s)), '[]')
"""
# The live ones, those closed after the moment, and the last ones closed before it: a cut is why one is offline.
_SESSIONS: Final = """
WITH found AS (
    SELECT session_key, nas_id, acct_session_id, started_at, received_at, NULL::timestamptz AS ended_at, NULL AS ended_by,
        NULL AS terminate_cause, policy_version, octets_in, octets_out, framed_ipv4
    FROM session WHERE account_id = %(account)s AND started_at <= %(at)s
    UNION ALL (SELECT session_key, nas_id, acct_session_id, started_at, received_at, ended_at, ended_by::text, terminate_cause,
        policy_version, octets_in, octets_out, framed_ipv4
    FROM closed_session WHERE account_id = %(account)s AND ended_at > %(at)s AND started_at <= %(at)s)
    UNION ALL (SELECT session_key, nas_id, acct_session_id, started_at, received_at, ended_at, ended_by::text, terminate_cause,
        policy_version, octets_in, octets_out, framed_ipv4
    FROM closed_session WHERE account_id = %(account)s AND ended_at <= %(at)s ORDER BY ended_at DESC LIMIT %(before)s)
)
SELECT f.session_key::text, coalesce(n.name, 'NAS ' || f.nas_id) AS nas, f.acct_session_id, f.started_at, f.received_at, f.ended_at,
    f.ended_by, f.terminate_cause, f.policy_version, f.octets_in, f.octets_out, host(f.framed_ipv4) AS address
FROM found f LEFT JOIN nas n ON n.id = f.nas_id ORDER BY f.started_at
"""
_CHANGES: Final = """
SELECT e.id, n.name AS nas, e.acct_session_id, e.level::text AS level, e.reason, e.from_version, e.desired_version, e.method::text AS method,
    e.state::text AS state, e.attempt, e.problem, e.held_since, e.held_reason, e.wanted_at, e.sent_at, e.answered_at, e.closed_at,
    r.released_by, r.reason AS release_reason
FROM enforcement e JOIN nas n ON n.id = e.nas_id LEFT JOIN guard_pass g ON g.enforcement_id = e.id
    LEFT JOIN guard_release r ON r.id = g.release_id
WHERE e.session_key = ANY (%(keys)s::uuid[]) AND e.created_at <= %(at)s ORDER BY e.id DESC LIMIT %(limit)s
"""
_PACKETS: Final = """
SELECT enforcement_id, at, direction, code, identifier, peer, attributes, error_cause FROM enforcement_packet
WHERE enforcement_id = ANY (%(ids)s) ORDER BY enforcement_id, at, direction DESC
"""
_LOGINS: Final = """
SELECT l.at, l.outcome, l.reason, n.name AS nas, l.source, l.mac, l.line, l.detail
FROM login_attempt l LEFT JOIN nas n ON n.id = l.nas_id WHERE l.username = %(username)s AND l.at <= %(at)s ORDER BY l.at DESC LIMIT %(limit)s
"""
_ACTS: Final = """
SELECT at, actor, action, detail FROM audit_log WHERE subject = %(username)s AND at <= %(at)s ORDER BY at DESC, id DESC LIMIT %(limit)s
"""


def load_past(connection: Connection, account: Account, at: datetime) -> Past:
    """How `account` (as it is now) and all that bears on it stood at `at`."""
    then = _account_then(connection, account, at)
    given = {"key": then.contract_id, "at": at, "account": account.id, "username": account.username}
    with connection.cursor(row_factory=class_row(PastRestriction)) as cursor:
        restrictions = cursor.execute(_RESTRICTIONS, given).fetchall()
    with connection.cursor(row_factory=class_row(ReliefRow)) as cursor:
        reliefs = cursor.execute(_RELIEFS, given).fetchall()
    with connection.cursor(row_factory=class_row(PastSession)) as cursor:
        sessions = cursor.execute(_SESSIONS, {**given, "before": SESSIONS_BEFORE}).fetchall()
    with connection.cursor(row_factory=class_row(PastChange)) as cursor:
        keys = [one.session_key for one in sessions]
        changes = cursor.execute(_CHANGES, {**given, "keys": keys, "limit": CHANGES_BEFORE}).fetchall()
    with connection.cursor(row_factory=class_row(PastPacket)) as cursor:
        packets = cursor.execute(_PACKETS, {"ids": [one.id for one in changes]}).fetchall()
    with connection.cursor(row_factory=class_row(LoginView)) as cursor:
        logins = cursor.execute(_LOGINS, {**given, "limit": LOGINS_BEFORE}).fetchall()
    with connection.cursor(row_factory=class_row(PastAct)) as cursor:
        acts = cursor.execute(_ACTS, {**given, "limit": AUDITS_BEFORE}).fetchall()
    return Past(
        at=at,
        account=then,
        profiles=_profiles_then(connection, at),
        restrictions=restrictions,
        reliefs=reliefs,
        sessions=sessions,
        changes=list(reversed(changes)),
        packets=packets,
        logins=list(reversed(logins)),
        acts=list(reversed(acts)),
    )


def load_profile_names(connection: Connection) -> list[Profile]:
    """Every content that every profile has had, for the name behind a policy version; the present ones last."""
    kept = connection.execute("SELECT content FROM row_history WHERE kind = 'profile' ORDER BY until, id").fetchall()
    now = connection.execute("SELECT to_jsonb(p) FROM profile p ORDER BY id").fetchall()
    return [_profile(content) for (content,) in (*kept, *now)]


def _account_then(connection: Connection, account: Account, at: datetime) -> Account:
    own = _row(connection, "account", "subscriber_account", account.id, at)
    contract = _row(connection, "contract", "contract", own["contract_id"], at)
    plan = _row(connection, "plan", "plan", contract["plan_id"], at)
    profile = _row(connection, "profile", "profile", plan["profile_id"], at)
    given = {"plan": plan["id"], "contract": contract["id"], "account": account.id, "at": at}
    more = connection.execute(_PLAN, given).fetchone()
    assert more is not None
    windows, changes, topups = more
    customer = connection.execute("SELECT name FROM customer WHERE id = %s", (contract["customer_id"],)).fetchone()
    return replace(
        account,
        contract_id=contract["id"],
        customer_id=contract["customer_id"],
        customer=account.customer if customer is None else str(customer[0]),
        plan=plan["name"],
        status=contract["status"],
        starts_on=_date(contract["starts_on"]),
        ends_on=_date(contract["ends_on"]),
        profile_id=plan["profile_id"],
        throttle_profile_id=plan["throttle_profile_id"],
        walled_profile_id=plan["walled_profile_id"],
        quota_octets=profile["quota_octets"],
        expires_at=_instant(own["expires_at"]),
        max_sessions=own["max_sessions"],
        quota_exhausted_until=_instant(own["quota_exhausted_until"]),
        plan_windows=windows,
        plan_changes=changes,
        topups=topups,
    )


def _profiles_then(connection: Connection, at: datetime) -> dict[int, Profile]:
    rows = connection.execute(f"SELECT {_STOOD.format(kind='profile')} FROM profile t", {"at": at}).fetchall()  # noqa: S608 - our constant
    return {profile.id: profile for profile in (_profile(content) for (content,) in rows)}


def _profile(content: dict[str, Any]) -> Profile:
    columns: dict[str, Any] = {name: content.get(name) for name in (*PROFILE_COLUMNS, "id", "name", "quota_octets")}
    return Profile(**columns, plans=[])


def _row(connection: Connection, kind: str, table: str, key: int, at: datetime) -> dict[str, Any]:
    row = connection.execute(_ROW.format(kind=kind, table=table), {"key": key, "at": at}).fetchone()
    if row is None:
        # Deleted since: its last state was kept then.
        row = connection.execute(
            "SELECT content FROM row_history WHERE kind = %s::history_kind AND key = %s AND until > %s ORDER BY until, id LIMIT 1",
            (kind, key, at),
        ).fetchone()
    assert row is not None, f"{table} {key} is referred to and was never there"
    content: dict[str, Any] = row[0]
    return content


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
