"""What happened on the lines of a console's ISP: desired policies, live and past sessions, logins, usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
from support.console_world import Console

from control_plane import db
from control_plane.control_loop.desired import desired_of
from control_plane.policy.policy_source import load_profiles, stream_accounts
from control_plane.policy.rendering import Rendering, build_account_record, profile_revision
from control_plane.settings import Settings
from control_plane.store.desired import save_desired, save_revisions
from nas_drivers.dictionaries.reader import load_dictionary

KEY = "00000000-0000-4000-8000-{:012d}"
_MIDS = "SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-2, 1) m"
_SESSION = """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at, received_at,
    session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, framed_ipv4, mac, line)
SELECT %(key)s, n.id, %(id)s, a.username, a.id, r.revision || d.account_revision, now() - interval '1 hour', now() - interval '1 minute',
    now() - interval '1 minute', 3540, 123456789, 9876543210, 0, 0, now() - interval '1 hour', %(address)s::inet, '02005e100001', 'olt-1 1/2/3'
FROM subscriber_account a JOIN desired_policy d ON d.account_id = a.id JOIN profile_revision r ON r.profile_id = d.profile_id
    CROSS JOIN (SELECT id FROM nas ORDER BY id LIMIT 1) n WHERE a.username = %(username)s
"""
_PAST = """
INSERT INTO closed_session (session_key, ended_at, ended_by, terminate_cause, nas_id, acct_session_id, username, account_id, started_at,
    received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, framed_ipv4, mac, line)
SELECT gen_random_uuid(), now() - n * interval '1 hour', 'stop', 'User-Request', (SELECT min(id) FROM nas), 'past' || n, a.username, a.id,
    now() - (n + 1) * interval '1 hour', now() - n * interval '1 hour', 3600, 1000 * n, 100000 * n, 0, 0, '198.18.7.7', '02005e100001', ''
FROM subscriber_account a, generate_series(2, 61) n WHERE a.username = %(username)s
"""
_LOGINS = """
INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, account_id, nas_id, source, mac, line, detail)
SELECT date_trunc('second', now()) - (n / 2) * interval '10 minutes', decode(lpad(to_hex(n), 32, '0'), 'hex'), CASE WHEN n %% 3 = 0 THEN 'accept' ELSE 'reject' END,
    CASE WHEN n %% 3 = 0 THEN 'full' WHEN n %% 3 = 1 THEN 'wrong_password' ELSE 'wrong_mac' END, a.username, a.id, (SELECT min(id) FROM nas),
    '127.0.0.1', '02005e100001', 'olt-1 1/2/3', ''
FROM subscriber_account a, generate_series(1, 75) n WHERE a.username = %(username)s
"""
_USAGE = """
INSERT INTO usage_day (account_id, day, octets_in, octets_out)
SELECT a.id, ((now() AT TIME ZONE 'Europe/Rome')::date - n), 1000000000, 5000000000 + n * 1000000000::bigint
FROM subscriber_account a, generate_series(0, 20) n WHERE a.username = %(username)s
"""
_HOLDING = """
INSERT INTO address_history (month, address, valid_from, valid_to, session_key, nas_id, account_id, username)
SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, '198.18.7.8', greatest(now() - interval '2 hours', date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'),
    now() - interval '1 minute', gen_random_uuid(), (SELECT min(id) FROM nas), a.id, a.username FROM subscriber_account a WHERE a.username = %(username)s
"""


@dataclass(frozen=True)
class Lines:
    """Two accounts in full service: one online, with all that happened on its line, and one that is not."""

    online: str
    offline: str
    customer: str
    contract: int
    address: str
    static: str
    mac: str
    nas: str


def lay_lines(console: Console) -> Lines:
    """Work out all policies, and let one account be online."""
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(_MIDS)
        connection.execute("UPDATE contract SET starts_on = '2026-01-01' WHERE starts_on > '2026-01-01'")
        names = [
            name
            for (name,) in connection.execute(
                "SELECT a.username FROM subscriber_account a JOIN contract c ON c.id = a.contract_id"
                " WHERE c.status = 'active' AND c.ends_on IS NULL AND a.expires_at IS NULL AND a.macs = '{}'"
                " AND NOT EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id)"
                " AND NOT EXISTS (SELECT FROM account_prefix x WHERE x.account_id = a.id) ORDER BY a.id LIMIT 2"
            )
        ]
        work_out(connection)
        given = {"username": names[0], "key": KEY.format(1), "id": "81000001", "address": "198.18.7.7"}
        connection.execute(
            "UPDATE subscriber_account SET macs = '{02005e100001}', max_sessions = 1 WHERE username = %(username)s",
            given,
        )
        connection.execute(
            "INSERT INTO account_prefix (account_id, kind, prefix) SELECT id, 'framed_ipv4', '198.18.9.9/32' FROM subscriber_account"
            " WHERE username = %(username)s",
            given,
        )
        for statement in (_SESSION, _PAST, _LOGINS, _USAGE, _HOLDING):
            connection.execute(statement, given)
        row = connection.execute(
            "SELECT k.name, c.id, (SELECT name FROM nas ORDER BY id LIMIT 1) FROM subscriber_account a JOIN contract c ON c.id = a.contract_id"
            " JOIN customer k ON k.id = c.customer_id WHERE a.username = %s",
            (names[0],),
        ).fetchone()
        connection.commit()
    return Lines(names[0], names[1], row[0], row[1], given["address"], "198.18.9.9", "02:00:5e:10:00:01", row[2])


def work_out(connection: psycopg.Connection) -> None:
    """Every account's desired policy as of now, as the worker writes it."""
    rendering = Rendering(
        load_dictionary(Settings().radius.freeradius_dictionary), ZoneInfo("Europe/Rome"), datetime.now(UTC)
    )
    records = [build_account_record(row, rendering) for row in stream_accounts(connection)]
    save_revisions(connection, {row.id: (profile_revision(row), row) for row in load_profiles(connection)})
    save_desired(connection, [desired_of(record, now=rendering.now.timestamp()) for record in records])
