"""Subscriber accounts with their contract, customer and plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from control_plane.store.changes import next_id, save_changes
from radius_hooks.sealing import Sealer, account_row

Connection = psycopg.Connection[Any]

# How many usernames with the same beginning are looked at for near matches.
_NEAR_CANDIDATES: Final = 5000


@dataclass(frozen=True, slots=True)
class Prefix:
    """A static address, prefix or route."""

    kind: str
    prefix: IPv4Network | IPv6Network
    metric: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """One subscriber account and what it stands on, without its secret. `nas_names` are those it is bound to."""

    id: int
    username: str
    contract_id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    profile_id: int
    throttle_profile_id: int
    walled_profile_id: int
    quota_octets: int | None
    secret_kind: str
    expires_at: datetime | None
    max_sessions: int
    macs: list[str]
    circuit_ids: list[str]
    nas_names: list[str]
    own_attributes: list[dict[str, Any]]
    quota_exhausted_until: datetime | None
    created_at: datetime
    # As JSON brings them: [begins, ends, profile], and what the other two classes of explain_now.py say.
    plan_windows: list[Any] = field(default_factory=list)
    plan_changes: list[Any] = field(default_factory=list)
    topups: list[Any] = field(default_factory=list)


_ACCOUNT: Final = """
SELECT a.id, a.username, a.contract_id, c.customer_id, k.name AS customer, p.name AS plan, c.status::text, c.starts_on, c.ends_on,
    p.profile_id, p.throttle_profile_id, p.walled_profile_id, f.quota_octets, a.secret_kind::text, a.expires_at, a.max_sessions,
    a.macs, a.circuit_ids, ARRAY(SELECT n.name FROM nas n WHERE n.id = ANY (a.nas_ids) ORDER BY 1) AS nas_names,
    a.own_attributes, a.quota_exhausted_until, a.created_at,
    coalesce((SELECT json_agg(json_build_array(w.begins, w.ends, w.profile_id) ORDER BY w.begins) FROM plan_window w WHERE w.plan_id = p.id), '[]') AS plan_windows,
    coalesce((SELECT json_agg(json_build_array(x.effective_on, n.name, x.placed_by, json_build_array(n.profile_id, n.throttle_profile_id, n.walled_profile_id,
        coalesce((SELECT json_agg(json_build_array(w.begins, w.ends, w.profile_id) ORDER BY w.begins) FROM plan_window w WHERE w.plan_id = n.id), '[]')))
        ORDER BY x.effective_on) FROM plan_change x JOIN plan n ON n.id = x.plan_id WHERE x.contract_id = c.id AND x.applied_at IS NULL), '[]') AS plan_changes,
    coalesce((SELECT json_agg(json_build_array(t.octets, t.since, t.until, t.reason, t.placed_by) ORDER BY t.since) FROM data_topup t
        WHERE t.until > now() AND (t.account_id = a.id OR t.account_id IS NULL AND t.contract_id = c.id)), '[]') AS topups
FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN customer k ON k.id = c.customer_id
    JOIN plan p ON p.id = c.plan_id JOIN profile f ON f.id = p.profile_id
WHERE a.username = %s
"""


def load_account(connection: Connection, username: str) -> Account | None:
    """The account of that username, byte for byte."""
    with connection.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(_ACCOUNT, (username,)).fetchone()


def load_similar_usernames(connection: Connection, username: str) -> list[str]:
    """Usernames that begin alike, or differ in case only: candidates for "did you mean"."""
    beginning = username[:2].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = connection.execute(
        "SELECT username FROM subscriber_account WHERE username LIKE %s OR lower(username) = lower(%s) LIMIT %s",
        (f"{beginning}%", username, _NEAR_CANDIDATES),
    ).fetchall()
    return [name for (name,) in rows]


def load_usernames(connection: Connection, contract_id: int) -> list[str]:
    """The usernames of a contract's accounts."""
    rows = connection.execute(
        "SELECT username FROM subscriber_account WHERE contract_id = %s ORDER BY 1", (contract_id,)
    )
    return [str(username) for (username,) in rows]


def count_live(connection: Connection, contract_id: int) -> int:
    """How many sessions of a contract's accounts are live and speak."""
    row = connection.execute(
        "SELECT count(*) FROM subscriber_account a JOIN session s ON s.account_id = a.id"
        " WHERE a.contract_id = %s AND NOT s.stale",
        (contract_id,),
    ).fetchone()
    return 0 if row is None else int(row[0])


def load_prefixes(connection: Connection, account_id: int) -> list[Prefix]:
    """The account's static addresses, prefixes and routes."""
    with connection.cursor(row_factory=class_row(Prefix)) as cursor:
        return cursor.execute(
            "SELECT kind::text, prefix, metric FROM account_prefix WHERE account_id = %s ORDER BY kind, prefix",
            (account_id,),
        ).fetchall()


def load_sealed_secret(connection: Connection, account_id: int) -> bytes:
    """The secret as it is kept; the row is locked, so that it is the one in force when the caller commits."""
    row = connection.execute(
        "SELECT sealed_secret FROM subscriber_account WHERE id = %s FOR SHARE", (account_id,)
    ).fetchone()
    assert row is not None
    return bytes(row[0])


def load_holder(connection: Connection, prefix: IPv4Network | IPv6Network, *, besides: int) -> str | None:
    """The username of another account that holds an address of `prefix`."""
    row = connection.execute(
        "SELECT a.username FROM account_prefix x JOIN subscriber_account a ON a.id = x.account_id"
        " WHERE x.prefix && %s AND x.account_id <> %s LIMIT 1",
        (prefix, besides),
    ).fetchone()
    return None if row is None else str(row[0])


def save_new_contract(connection: Connection, *, customer: str, plan_id: int, columns: Mapping[str, object]) -> int:
    """Write a customer and their contract; returns the contract's number."""
    row = connection.execute("INSERT INTO customer (name) VALUES (%s) RETURNING id", (customer,)).fetchone()
    assert row is not None
    values = {"customer_id": row[0], "plan_id": plan_id, **columns}
    # In one statement: it begins with its status, which only some others may follow.
    made = connection.execute(
        sql.SQL("INSERT INTO contract ({}) VALUES ({}) RETURNING id").format(
            sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
        ),
        values,
    ).fetchone()
    assert made is not None
    return int(made[0])


def save_new_account(
    connection: Connection,
    sealer: Sealer,
    *,
    contract_id: int,
    username: str,
    secret: str,
    columns: Mapping[str, object],
) -> int:
    """Write one with its secret sealed; returns its number."""
    account_id = next_id(connection, "subscriber_account")
    connection.execute(
        "INSERT INTO subscriber_account (id, contract_id, username, sealed_secret) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, %s, %s, %s)",
        (account_id, contract_id, username, sealer.seal(secret.encode(), row=account_row(account_id))),
    )
    save_changes(connection, "subscriber_account", account_id, columns)
    return account_id


def save_secret(connection: Connection, sealer: Sealer, account_id: int, *, secret: str, kind: str) -> None:
    """Replace the secret."""
    sealed = sealer.seal(secret.encode(), row=account_row(account_id))
    save_changes(connection, "subscriber_account", account_id, {"sealed_secret": sealed, "secret_kind": kind})


def save_prefixes(connection: Connection, account_id: int, kind: str, prefixes: list[Prefix]) -> None:
    """Replace the account's prefixes of one kind."""
    connection.execute("DELETE FROM account_prefix WHERE account_id = %s AND kind = %s", (account_id, kind))
    for prefix in prefixes:
        connection.execute(
            "INSERT INTO account_prefix (account_id, kind, prefix, metric) VALUES (%s, %s, %s, %s)",
            (account_id, kind, prefix.prefix, prefix.metric),
        )


def load_nas_ids(connection: Connection, names: list[str]) -> dict[str, int]:
    """The numbers of the NASes of these names; those that are not there are left out."""
    rows = connection.execute("SELECT name, id FROM nas WHERE name = ANY (%s)", (names,)).fetchall()
    return {str(name): int(nas_id) for name, nas_id in rows}


def hold_account(connection: Connection, username: str) -> None:
    """Hold an account until the transaction ends; nothing where there is none."""
    connection.execute("SELECT FROM subscriber_account WHERE username = %s FOR UPDATE", (username,))


def contract_exists(connection: Connection, contract_id: int) -> bool:
    """Whether there is a contract of that number."""
    return connection.execute("SELECT FROM contract WHERE id = %s", (contract_id,)).fetchone() is not None
