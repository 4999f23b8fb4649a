"""A small ISP with sessions and changes that want to go to them, for tests of the guard."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
from support.small_isp import SmallIsp, one

from control_plane.control_loop.guard import GuardLimits
from control_plane.store.guard import GuardRules

# To come: what the database takes as over by its own clock is not read at all.
NOW = datetime(2036, 2, 10, 9, 0, tzinfo=UTC)
RULES = GuardRules(GuardLimits(share_percent=2.0, never_less_than=3), ZoneInfo("Europe/Rome"))


def go_online(connection: psycopg.Connection, accounts: list[int], *, nas: int = 1) -> None:
    """One live session for each of these accounts."""
    connection.execute(
        """
        INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at,
            session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since)
        SELECT gen_random_uuid(), %s, 's' || a.id, a.username, a.id, %s, %s, %s, 0, 0, 0, 0, 0, %s
        FROM subscriber_account a WHERE a.id = ANY (%s)
        """,
        (nas, NOW, NOW, NOW, NOW, accounts),
    )


def want(
    connection: psycopg.Connection, accounts: list[int], *, level: str = "walled", disruptive: bool = True
) -> list[int]:
    """An open change for each of these accounts' lines, on NAS 1; returns their numbers in the accounts' order."""
    return [
        one(
            connection,
            "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive,"
            " method, wanted_at) VALUES (gen_random_uuid(), 1, %s, 's', 'user', %s, 'walled_garden', %s, 'disconnect', %s)"
            " RETURNING id",
            account,
            level,
            disruptive,
            NOW,
        )
        for account in accounts
    ]


def new_run(connection: psycopg.Connection, *, name: str = "dunning") -> int:
    """A run of automation."""
    return one(
        connection,
        "INSERT INTO automation_run (name, started_by, started_at) VALUES (%s, 'worker-1', %s) RETURNING id",
        name,
        NOW,
    )


def restrict(
    connection: psycopg.Connection,
    contracts: list[int],
    *,
    run: int | None,
    origin: str = "dunning",
    level: str = "walled",
    now: datetime = NOW,
) -> None:
    """Restrictions in force since before `now`, by a run or (None) by a person."""
    connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, run_id)"
        " SELECT c, %s, %s, 'unpaid', 'test', %s - interval '1 minute', %s FROM unnest(%s::bigint[]) AS c",
        (origin, level, now, run, contracts),
    )


def restricted_by_a_run(connection: psycopg.Connection, isp: SmallIsp, numbers: range) -> list[int]:
    """The changes that follow when a run of dunning restricts these of the ISP's contracts, all online."""
    restrict(connection, [isp.contracts[number] for number in numbers], run=new_run(connection))
    return want(connection, [isp.accounts[number] for number in numbers])
