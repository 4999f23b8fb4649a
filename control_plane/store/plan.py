"""Profiles and plans in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(ProfileColumns):
    """What the network gives. Units: as its columns, octets a calendar month. `plans` names those that use it."""

    id: int
    name: str
    quota_octets: int | None
    plans: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sold, and its three profiles by name. `contracts` counts those in service.

    `hours` are those with another profile, such as `22:00-06:00 Home 500`; `quota_steps` such as `80=notice`, empty
    when the usual ones hold.
    """

    id: int
    name: str
    profile: str
    throttle_profile: str
    walled_profile: str
    contracts: int
    quota_octets: int | None
    hours: list[str]
    quota_steps: list[str]


_PROFILES: Final = f"""
SELECT p.id, p.name, {", ".join(f"p.{column}" for column in PROFILE_COLUMNS)}, p.quota_octets,
    ARRAY(SELECT n.name FROM plan n WHERE p.id IN (n.profile_id, n.throttle_profile_id, n.walled_profile_id) ORDER BY 1) AS plans
FROM profile p ORDER BY p.name
"""  # noqa: S608 - our names
_PLANS: Final = """
SELECT n.id, n.name, f.name AS profile, t.name AS throttle_profile, w.name AS walled_profile,
    (SELECT count(*) FROM contract c WHERE c.plan_id = n.id AND c.status IN ('trial', 'active', 'free')) AS contracts,
    f.quota_octets,
    ARRAY(SELECT to_char(h.begins, 'HH24:MI') || '-' || to_char(h.ends, 'HH24:MI') || ' ' || p.name
        FROM plan_window h JOIN profile p ON p.id = h.profile_id WHERE h.plan_id = n.id ORDER BY h.begins) AS hours,
    ARRAY(SELECT q.percent || '=' || q.action FROM quota_step q WHERE q.plan_id = n.id ORDER BY q.percent) AS quota_steps
FROM plan n JOIN profile f ON f.id = n.profile_id JOIN profile t ON t.id = n.throttle_profile_id
    JOIN profile w ON w.id = n.walled_profile_id
"""


def load_profiles(connection: Connection) -> list[Profile]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Profile)) as cursor:
        return cursor.execute(_PROFILES).fetchall()


def load_plans(connection: Connection) -> list[Plan]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Plan)) as cursor:
        return cursor.execute(f"{_PLANS} ORDER BY n.name").fetchall()


def load_plan(connection: Connection, plan_id: int) -> Plan | None:
    """The one of that number."""
    with connection.cursor(row_factory=class_row(Plan)) as cursor:
        return cursor.execute(f"{_PLANS} WHERE n.id = %s", (plan_id,)).fetchone()


def load_plan_ids(connection: Connection) -> dict[str, int]:
    """Each one's number by its name, in order of names: for lists to choose from, which need no count of contracts."""
    return dict(connection.execute("SELECT name, id FROM plan ORDER BY name").fetchall())


def load_live(connection: Connection, *, plan_id: int | None = None, profile_id: int | None = None) -> int:
    """How many live sessions have that plan, or should run under that profile now."""
    tables, conditions = "session s JOIN desired_policy d ON d.account_id = s.account_id", "NOT s.stale"
    if profile_id is not None:
        conditions += " AND d.profile_id = %(profile)s"
    if plan_id is not None:
        tables += " JOIN subscriber_account a ON a.id = s.account_id JOIN contract c ON c.id = a.contract_id"
        conditions += " AND c.plan_id = %(plan)s"
    row = connection.execute(
        f"SELECT count(*) FROM {tables} WHERE {conditions}",  # noqa: S608 - of constants; values are bound
        {"plan": plan_id, "profile": profile_id},
    ).fetchone()
    return 0 if row is None else int(row[0])


def hold_profile(connection: Connection, profile_id: int) -> None:
    """Nobody else changes that one until the caller commits: whoever reads it next reads what is changed."""
    connection.execute("SELECT FROM profile WHERE id = %s FOR UPDATE", (profile_id,))


def hold_plan(connection: Connection, plan_id: int) -> None:
    """Nobody else changes that one until the caller commits. Contracts are written with it meanwhile."""
    connection.execute("SELECT FROM plan WHERE id = %s FOR NO KEY UPDATE", (plan_id,))


def save_new_profile(connection: Connection, values: Mapping[str, object]) -> None:
    """Write one with these columns."""
    _insert(connection, "profile", values)


def save_new_plan(
    connection: Connection, name: str, *, profile_id: int, throttle_profile_id: int, walled_profile_id: int
) -> None:
    """Write one."""
    _insert(
        connection,
        "plan",
        {
            "name": name,
            "profile_id": profile_id,
            "throttle_profile_id": throttle_profile_id,
            "walled_profile_id": walled_profile_id,
        },
    )


def _insert(connection: Connection, table: str, values: Mapping[str, object]) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        dict(values),
    )
