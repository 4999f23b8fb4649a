"""A few rows of an ISP: one plan with its three profiles, a NAS, and as many accounts as a test wants."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

SEALED = "decode(repeat('ab', 40), 'hex')"


@dataclass(frozen=True)
class SmallIsp:
    """The ids; accounts are named user0001 … and contract n belongs to account n."""

    full: int
    throttle: int
    walled: int
    plan: int
    nas: int
    accounts: list[int]
    contracts: list[int]


def one(connection: psycopg.Connection, statement: str, *arguments):
    row = connection.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


def make_isp(connection: psycopg.Connection, *, accounts: int = 3) -> SmallIsp:
    """Insert it and commit."""
    profiles = [
        one(
            connection,
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES (%s, %s, %s) RETURNING id",
            name,
            down,
            up,
        )
        for name, down, up in (
            ("full", 100_000_000, 20_000_000),
            ("slow", 2_000_000, 1_000_000),
            ("pay", 64_000, 64_000),
        )
    ]
    plan = one(
        connection,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', %s, %s, %s) RETURNING id",
        *profiles,
    )
    customer = one(connection, "INSERT INTO customer (name) VALUES ('Anna') RETURNING id")
    nas = one(
        connection,
        f"INSERT INTO nas (name, source, vendor, sealed_secret) VALUES ('bras', '192.0.2.1/32', 'mikrotik', {SEALED}) RETURNING id",
    )
    contracts = [
        row[0]
        for row in connection.execute(
            "INSERT INTO contract (customer_id, plan_id, status) SELECT %s, %s, 'active' FROM generate_series(1, %s) RETURNING id",
            (customer, plan, accounts),
        )
    ]
    ids = [
        row[0]
        for row in connection.execute(
            f"""INSERT INTO subscriber_account (contract_id, username, sealed_secret)
            SELECT c, 'user' || lpad(n::text, 4, '0'), {SEALED} FROM unnest(%s::bigint[]) WITH ORDINALITY AS t (c, n)
            ORDER BY n RETURNING id""",
            (contracts,),
        )
    ]
    connection.commit()
    return SmallIsp(*profiles, plan, nas, ids, contracts)
