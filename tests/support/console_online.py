"""Subscribers of the console's ISP online: sessions as accounting leaves them, what each should run under, and who was refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from support.console_world import Console

from control_plane import db
from control_plane.control_loop.desired import run_desired
from control_plane.jobs.network_figures import network_figures
from control_plane.settings import load_settings

ONLINE = 40
_SESSIONS = """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, policy_version, started_at, updated_at, received_at,
    session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, framed_ipv4, mac, line, nas_port_id)
SELECT ('00000000-0000-4000-8000-' || lpad(a.id::text, 12, '0'))::uuid, (SELECT id FROM nas ORDER BY id OFFSET a.place %% 3 LIMIT 1), 's' || a.place, a.username,
    a.id, p.revision || d.account_revision, w.at, %(now)s, %(now)s, extract(epoch FROM %(now)s - w.at), a.place * 1000000, a.place * 10000000, a.place * 1000000,
    a.place * 10000000, w.at, '198.18.0.0'::inet + a.place, lpad(to_hex(a.place), 12, '02'), 'AP-' || a.place %% 4 || '/' || a.place, 'ge-0/0/' || a.place %% 4
FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM subscriber_account) AS a JOIN desired_policy d ON d.account_id = a.id
JOIN profile_revision p ON p.profile_id = d.profile_id, LATERAL (SELECT %(now)s - a.place * interval '7 minutes' AS at) AS w
ORDER BY a.id LIMIT %(count)s
"""
_REFUSED = """
INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, nas_id) SELECT %(now)s - n * interval '1 minute', decode(md5(n::text), 'hex'),
    CASE WHEN n %% 4 = 0 THEN 'accept' ELSE 'reject' END, CASE WHEN n %% 4 = 0 THEN 'full' ELSE 'wrong_password' END, 'somebody' || n, 1 FROM generate_series(1, 20) AS n
"""


def go_online(console: Console, *, count: int = ONLINE) -> datetime:
    """`count` subscribers are online as their contracts say, twenty logins were answered in as many minutes, and all of it was counted."""
    now, settings, worked_out = datetime.now(UTC), load_settings(console.settings_file), threading.Event()
    run_desired(
        settings,
        lambda: db.connect(settings.conninfo("corrente_worker"), name="test", autocommit=True),
        worked_out,
        on_turn=worked_out.set,
    )
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("SELECT make_month(%s)", (now.date(),))
        connection.execute(_SESSIONS, {"now": now, "count": count})
        connection.execute(_REFUSED, {"now": now})
        for minutes in range(90, -1, -1):
            at = (now - timedelta(minutes=minutes)).replace(second=0, microsecond=0)
            connection.execute(
                "INSERT INTO online_minute (at, subscribers, sessions, stale) VALUES (%s, %s, %s, 0)",
                (at, count - minutes % 7, count),
            )
        network_figures(connection, settings, now)
    return now
