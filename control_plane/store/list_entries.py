"""What the database knows of the sessions that entries in a router's address lists were made for. The caller owns the transaction.

Next: control_loop/list_entries.py
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import psycopg

from nas_drivers.families.routeros_lists import ListEntry

Connection = psycopg.Connection[Any]

# Session ids come with capital letters or without. A session beside another one at one address is a question for the router.
_WANTED: Final = """
SELECT e.number, f.address_lists
FROM unnest(%(numbers)s::text[], %(ids)s::text[], %(addresses)s::inet[]) AS e (number, session_id, address)
JOIN session s ON s.nas_id = %(nas)s AND s.acct_session_id IN (e.session_id, upper(e.session_id)) AND s.framed_ipv4 = e.address
JOIN desired_policy d ON d.account_id = s.account_id
LEFT JOIN profile f ON f.id = d.profile_id
WHERE NOT s.stale AND NOT EXISTS (SELECT FROM session o WHERE o.framed_ipv4 = e.address AND o.nas_id = %(nas)s
    AND o.session_key <> s.session_key)
"""
_OPEN: Final = """
SELECT id FROM nas WHERE enabled AND NOT EXISTS (SELECT FROM network_stop WHERE ended_at IS NULL)
    AND NOT EXISTS (SELECT FROM nas_maintenance m WHERE m.nas_id = nas.id AND m.ended_at IS NULL AND m.since <= %(now)s
        AND (m.until IS NULL OR %(now)s < m.until))
"""


def load_lists(connection: Connection) -> list[str]:
    """The address lists that any profile names."""
    rows = connection.execute("SELECT DISTINCT unnest(address_lists) AS name FROM profile ORDER BY name")
    return [name for (name,) in rows]


def load_open(connection: Connection, now: datetime) -> set[int]:
    """The NASes that may be sent something: switched on, not in maintenance, and not everything is stopped."""
    return {number for (number,) in connection.execute(_OPEN, {"now": now})}


def load_wanted(connection: Connection, nas_id: int, entries: Iterable[ListEntry]) -> dict[str, tuple[str, ...]]:
    """By number of the entry, the lists that its session should be in; left out where the session may be over."""
    rows = [entry for entry in entries if entry.address]
    given = {
        "nas": nas_id,
        "numbers": [one.number for one in rows],
        "ids": [one.acct_session_id for one in rows],
        "addresses": [one.address for one in rows],
    }
    return {number: tuple(lists or ()) for number, lists in connection.execute(_WANTED, given)}
