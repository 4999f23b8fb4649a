"""Loads the demo ISP into an empty database, all of it or nothing, and says who its simulated subscribers are.

Next: demo_network.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.store.acting import acting
from control_plane.machine.demo_books import ACTOR, DemoContract, load_books
from control_plane.machine.demo_isp import CUSTOMERS, NASES, PLANS, PROFILES, SITES, DemoLine, demo_lines
from control_plane.machine.demo_people import DemoPapers, demo_papers
from control_plane.machine.demo_rows import copy_rows, new_ids
from radius_hooks.sealing import Sealer, account_row, nas_coa_row, nas_row

# A key of our own for pg_advisory_xact_lock: two loaders wait for each other.
_LOCK: Final = 0x636F7272
# Short, so that a change is proven soon by a device that echoes Class.
_INTERIM_S: Final = 60


class DemoOutcome(Enum):
    """What became of a request to load the demo."""

    LOADED = "loaded"
    ALREADY_THERE = "already there"
    OTHER_DATA = "the database holds data of its own"


@dataclass(frozen=True, slots=True)
class DemoSubscriber:
    """One account that a simulated device may dial: `password` is in clear, so it is never logged."""

    username: str
    password: str
    mac: str
    nas: str


def is_demo(connection: psycopg.Connection[Any]) -> bool:
    """Whether this database is the demo's."""
    return connection.execute("SELECT FROM audit_log WHERE action = 'demo.loaded' LIMIT 1").fetchone() is not None


def load_demo(
    connection: psycopg.Connection[Any], sealer: Sealer, *, today: date, customers: int = CUSTOMERS
) -> DemoOutcome:
    """Fill an empty database with the demo ISP, or the first of its customers; changes nothing when it is there, or when anything else is.

    The caller commits.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if is_demo(connection):
        return DemoOutcome.ALREADY_THERE
    used = connection.execute(
        "SELECT EXISTS (SELECT FROM customer) OR EXISTS (SELECT FROM nas) OR EXISTS (SELECT FROM profile)"
    ).fetchone()
    assert used is not None
    if used[0]:
        return DemoOutcome.OTHER_DATA
    _load_network(connection, sealer)
    plans = _load_plans(connection)
    acting(connection, ACTOR)
    lines = demo_lines(today, customers)
    load_books(connection, _load_lines(connection, sealer, lines, demo_papers(lines, today), plans), plans, today=today)
    connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES ('corrente up', 'demo.loaded', 'the demo ISP', %s)",
        (Jsonb({"today": today.isoformat()}),),
    )
    return DemoOutcome.LOADED


def _load_network(connection: psycopg.Connection[Any], sealer: Sealer) -> None:
    sites = new_ids(connection, "site", len(SITES))
    copy_rows(
        connection,
        "site (id, name, latitude, longitude)",
        [(key, site.name, site.latitude, site.longitude) for key, site in zip(sites, SITES, strict=True)],
    )
    by_name = dict(zip((site.name for site in SITES), sites, strict=True))
    copy_rows(
        connection,
        "nas (id, name, source, vendor, sealed_secret, coa_port, sealed_coa_secret, site_id)",
        [
            (
                key,
                nas.name,
                f"{nas.address}/32",
                nas.vendor,
                sealer.seal(nas.secret.encode(), row=nas_row(key)),
                nas.coa_port,
                sealer.seal(nas.secret.encode(), row=nas_coa_row(key)),
                by_name[nas.site],
            )
            for key, nas in zip(new_ids(connection, "nas", len(NASES)), NASES, strict=True)
        ],
    )


def _load_plans(connection: psycopg.Connection[Any]) -> dict[str, int]:
    profiles = dict(zip((p.name for p in PROFILES), new_ids(connection, "profile", len(PROFILES)), strict=True))
    copy_rows(
        connection,
        "profile (id, name, rate_down_bps, rate_up_bps, burst_down_bps, burst_up_bps, quota_octets, address_lists, "
        "interim_interval_s)",
        [
            (
                profiles[p.name],
                p.name,
                p.down_bps,
                p.up_bps,
                p.burst_down_bps,
                p.burst_up_bps,
                p.quota_octets,
                list(p.address_lists),
                _INTERIM_S,
            )
            for p in PROFILES
        ],
    )
    plans = dict(zip((plan.name for plan in PLANS), new_ids(connection, "plan", len(PLANS)), strict=True))
    copy_rows(
        connection,
        "plan (id, name, profile_id, throttle_profile_id, walled_profile_id)",
        [
            (plans[plan.name], plan.name, profiles[plan.profile], profiles[plan.throttle], profiles[plan.walled])
            for plan in PLANS
        ],
    )
    return plans


def _load_lines(
    connection: psycopg.Connection[Any],
    sealer: Sealer,
    lines: tuple[DemoLine, ...],
    papers: tuple[DemoPapers, ...],
    plans: dict[str, int],
) -> list[DemoContract]:
    customers = new_ids(connection, "customer", len(lines))
    contracts = new_ids(connection, "contract", len(lines))
    demo = [DemoContract(*each) for each in zip(lines, papers, customers, contracts, strict=True)]
    copy_rows(
        connection,
        "customer (id, name, kind, given_name, family_name, language)",
        [(one.customer, one.line.customer, one.papers.kind, one.papers.given_name, one.papers.family_name, one.papers.language) for one in demo],
    )  # fmt: skip
    copy_rows(
        connection,
        "contract (id, customer_id, plan_id, status, starts_on, ends_on)",
        [_contract_row(one, plans) for one in demo],
    )
    _load_accounts(connection, sealer, contracts, lines)
    return demo


def _contract_row(one: DemoContract, plans: dict[str, int]) -> tuple[object, ...]:
    """As it was before the deeds of the year, which demo_books.py does."""
    line = one.line
    plan = plans[one.papers.earlier_plan or line.plan]
    if line.status == "ended":
        return one.contract, one.customer, plan, "active", line.starts_on, None
    return one.contract, one.customer, plan, line.status, line.starts_on, line.ends_on


def _load_accounts(
    connection: psycopg.Connection[Any], sealer: Sealer, contracts: list[int], lines: tuple[DemoLine, ...]
) -> None:
    accounts = new_ids(connection, "subscriber_account", len(lines))
    _load_measures(connection, contracts, lines)
    copy_rows(
        connection,
        "subscriber_account (id, contract_id, username, sealed_secret, expires_at, max_sessions, macs)",
        [
            (
                key,
                contract,
                line.username,
                sealer.seal(line.password.encode(), row=account_row(key)),
                line.expires_at,
                line.max_sessions,
                [line.mac] if line.is_mac_bound else [],
            )
            for key, contract, line in zip(accounts, contracts, lines, strict=True)
        ],
    )
    copy_rows(
        connection,
        "account_prefix (account_id, kind, prefix)",
        [
            (key, prefix.kind, prefix.prefix)
            for key, line in zip(accounts, lines, strict=True)
            for prefix in line.prefixes
        ],
    )


def _load_measures(connection: psycopg.Connection[Any], contracts: list[int], lines: tuple[DemoLine, ...]) -> None:
    copy_rows(
        connection,
        "restriction (contract_id, origin, level, reason, placed_by, since, until)",
        [
            (key, one.origin, one.level, one.reason, one.placed_by, one.since, one.until)
            for key, line in zip(contracts, lines, strict=True)
            for one in line.restrictions
        ],
    )
    copy_rows(
        connection,
        "relief (contract_id, during, reason, granted_by)",
        [
            (
                key,
                f"[{line.relief.start.isoformat()},{line.relief.end.isoformat()})",
                line.relief.reason,
                "anna of support",
            )
            for key, line in zip(contracts, lines, strict=True)
            if line.relief is not None
        ],
    )


def demo_subscribers(today: date) -> tuple[DemoSubscriber, ...]:
    """Everyone whose modem dials, also those who will be refused: their modems don't know."""
    return tuple(
        DemoSubscriber(line.username, line.password, line.mac, line.nas)
        for line in demo_lines(today)
        if line.status not in {"draft", "proposal", "cancelled"}
    )
