"""The live sessions of one account, as deeds on sessions ask for them.

Next: ../control_loop/by_hand.py
"""

from __future__ import annotations

from typing import Any

import psycopg

from control_plane.store.account import Account
from control_plane.store.history import load_sessions
from control_plane.store.online_list import OnlineFilter

Connection = psycopg.Connection[Any]


def sessions_of(connection: Connection, account: Account) -> OnlineFilter:
    """Its live sessions, each by its key: a username is the beginning of others."""
    return OnlineFilter(keys=tuple(one.session_key for one in load_sessions(connection, account.id)))
