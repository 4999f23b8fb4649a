"""Live sessions, changes that wait and runs of automation for the console's ISP: what pages of the network show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from support.console_world import Console

from control_plane import db
from control_plane.control_loop.guard import GuardLimits
from control_plane.store.automation import Wanted, end_run, place_for_run, start_run

KEY: Final = "00000000-0000-4000-8000-{:012d}"
_SESSIONS: Final = """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at,
    session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since)
SELECT ('00000000-0000-4000-8000-' || lpad(a.id::text, 12, '0'))::uuid, (SELECT min(id) FROM nas), 's' || a.id, a.username, a.id,
    now() - interval '1 hour', now() - interval '1 minute', now() - interval '1 minute', 3540, 10, 100, 10, 100, now() - interval '1 hour'
FROM subscriber_account a JOIN contract c ON c.id = a.contract_id
WHERE c.status = 'active' AND NOT EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id)
    AND NOT EXISTS (SELECT FROM relief r WHERE r.contract_id = c.id) ORDER BY a.id LIMIT %s RETURNING account_id, username::text
"""
_CHANGE: Final = """
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, method, wanted_at)
SELECT session_key, nas_id, account_id, acct_session_id, username, 'walled', 'dunning: not paid', true, 'coa', now()
FROM session WHERE account_id = ANY (%s) ON CONFLICT DO NOTHING RETURNING id
"""


def dial(console: Console, count: int) -> list[tuple[int, str]]:
    """So many subscribers are online; accounts and usernames in order."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        return [tuple(row) for row in connection.execute(_SESSIONS, (count,)).fetchall()]


def want(console: Console, accounts: list[int]) -> list[int]:
    """Automation wants to wall these off; the numbers of the changes."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        return [number for (number,) in connection.execute(_CHANGE, (accounts,)).fetchall()]


def restrict(console: Console, accounts: list[int], *, most: int) -> int:
    """A run of dunning restricts the contracts of these accounts, where no more than so many may be cut; its number."""
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test") as connection:
        contracts = [
            number
            for (number,) in connection.execute(
                "SELECT contract_id FROM subscriber_account WHERE id = ANY (%s) ORDER BY id", (accounts,)
            )
        ]
        run = start_run(connection, "dunning", by="worker", now=now)
        wanted = [Wanted(number, "dunning", "walled", "not paid") for number in contracts]
        place_for_run(connection, run, wanted, now=now, limits=GuardLimits(0.1, most))
        end_run(connection, run, now=now)
        connection.commit()
        return run


def tell(console: Console, statement: str, *values: object) -> None:
    """Write something by hand, as the database's owner."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(statement, values)
