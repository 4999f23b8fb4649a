"""Dunning policies in the database: issuers' clocks and laws, versions, and the policy of a customer.

Versions never change, so one that was read is kept in memory by what it says.

Units: days of the issuer's zone.
Next: billing/store/dunning_facts.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.country_data import known_countries, load_country
from billing.dunning.guard import Guard, next_open
from billing.dunning.policy import Policy, in_force, policy_for
from billing.dunning.policy_data import Place, read_policy

Connection = psycopg.Connection[Any]
# Versions of an installation's policies; each is some kilobytes.
_POLICIES_KEPT: Final = 512
_VERSIONS: Final = """
SELECT p.issuer_id, p.id, p.name, v.version, v.since, v.data::text FROM dunning_policy AS p JOIN dunning_policy_version AS v ON v.policy_id = p.id
ORDER BY p.issuer_id, p.name, v.version
"""
_KNOWN: Final = """
SELECT p.id, p.issuer_id, p.name, v.version, v.since, v.data::text, v.reason, v.made_by, v.made_at
FROM dunning_policy AS p JOIN dunning_policy_version AS v ON v.policy_id = p.id WHERE p.issuer_id = %s ORDER BY p.name, v.version
"""
# What says by which method somebody pays is the mandate to collect by it, the newest of those in force.
_METHODS: Final = """
SELECT DISTINCT ON (m.customer_id, a.issuer_id) m.customer_id, a.issuer_id, p.code FROM mandate AS m JOIN gateway_account AS a ON a.id = m.account_id
    JOIN payment_method AS p ON p.id = a.method_id
WHERE m.customer_id = ANY(%s) AND m.state = 'active' AND a.enabled ORDER BY m.customer_id, a.issuer_id, m.id DESC
"""
_LIMITED: Final = """
SELECT count(DISTINCT c.id), count(DISTINCT coalesce(t.payer_id, c.customer_id)) FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id
JOIN contract_terms AS t ON t.contract_id = c.id
WHERE r.origin = 'dunning' AND r.lifted_at IS NULL AND r.held_since IS NULL AND t.issuer_id = %s
"""
_OF_CONTRACT: Final = """
SELECT t.issuer_id, k.kind::text, f.name, k.id FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id JOIN customer AS k ON k.id = coalesce(t.payer_id, c.customer_id)
    JOIN plan AS p ON p.id = c.plan_id JOIN profile AS f ON f.id = p.profile_id WHERE c.id = %s
"""


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version as it is kept. `data` None: switched off from its day on."""

    policy_id: int
    issuer_id: int
    name: str
    version: int
    since: date
    data: dict[str, Any] | None
    reason: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class IssuerPolicies:
    """What an issuer's debts are pursued by. Without versions it pursues nobody."""

    issuer_id: int
    place: Place
    versions: tuple[Policy, ...]

    @property
    def by_profile(self) -> bool:
        """Whether any is of some profiles only."""
        return any(one.scope.profiles for one in self.versions)

    @property
    def by_method(self) -> bool:
        """Whether any is of some methods of paying only."""
        return any(one.scope.methods for one in self.versions)

    @property
    def lead_days(self) -> int:
        """So many days before a due day there may be something to say."""
        return max((-step.offset_days for one in self.versions for step in one.steps), default=0)

    def unreadable(self, now: datetime) -> list[str]:
        """Why versions in force, or to come, can't be read."""
        today = billing_day(now, self.place.zone)
        coming = [one for one in self.versions if one.since > today]
        return [one.unreadable for one in (*in_force(self.versions, today), *coming) if one.unreadable]

    def policy_of(self, *, customer_kind: str, method: str | None, profile: str | None, now: datetime) -> Policy:
        """The one for such a customer now; where there is none, one without steps: what is paid is lifted all the same."""
        today = billing_day(now, self.place.zone)
        found = policy_for(self.versions, customer_kind=customer_kind, method=method, profile=profile, today=today)
        return found or no_policy(self.place)


def no_policy(place: Place) -> Policy:
    """What holds where nobody has said anything: nobody is pursued."""
    return Policy("none", 0, date.min, (), Guard(place.zone))


def load_policies(connection: Connection) -> dict[int, IssuerPolicies]:
    """Every issuer with its policies."""
    versions: dict[int, list[Policy]] = {}
    rows = connection.execute(_VERSIONS).fetchall()
    places = {
        issuer: place_of(country, zone)
        for issuer, country, zone in connection.execute("SELECT id, country, zone FROM issuer")
    }
    for issuer, _, name, version, since, data in rows:
        versions.setdefault(issuer, []).append(_read(name, version, since, data, places[issuer]))
    return {issuer: IssuerPolicies(issuer, place, tuple(versions.get(issuer, ()))) for issuer, place in places.items()}


def load_methods_of(connection: Connection, customer_ids: Sequence[int]) -> dict[tuple[int, int], str]:
    """By which method customers pay an issuer, where their mandate says it: its code by customer and issuer."""
    rows = connection.execute(_METHODS, (list(customer_ids),))
    return {(customer, issuer): method for customer, issuer, method in rows}


def respite_end(connection: Connection, contract_id: int, end: datetime) -> datetime:
    """When a relief of a contract ends that is wanted until then: where nothing may be cut at that moment, at the next one.

    A relief that the network lets run out by itself never cuts at night.
    """
    row = connection.execute(_OF_CONTRACT, (contract_id,)).fetchone()
    policies = None if row is None else load_policies(connection)[row[0]]
    if row is None or policies is None or not policies.versions:
        return end
    method = load_methods_of(connection, [row[3]]).get((row[3], row[0])) if policies.by_method else None
    policy = policies.policy_of(customer_kind=row[1], method=method, profile=row[2], now=end)
    return next_open(policy.guard, end) if policy.steps else end


@lru_cache(maxsize=_POLICIES_KEPT)
def place_of(country: str, zone: str) -> Place:
    """The clock, the calendar and the law of a country."""
    floors = load_country(country).dunning_floors if country in known_countries() else ()
    return Place(country, ZoneInfo(zone), floors)


@lru_cache(maxsize=_POLICIES_KEPT)
def _read(name: str, version: int, since: date, data: str | None, place: Place) -> Policy:
    if data is None:
        # Off: without steps nothing is done, and what there is is lifted.
        return Policy(name, version, since, (), Guard(place.zone))
    found = read_policy({**json.loads(data), "name": name}, place, version=version, since=since, checked=False)
    if isinstance(found, tuple):
        # Who pays is opened all the same, and nobody is pursued by it until somebody mends it.
        why = f"dunning policy {name!r} version {version}: {'; '.join(map(str, found))}"
        return Policy(name, version, since, (), Guard(place.zone), unreadable=why)
    return found


def load_versions(connection: Connection, issuer_id: int) -> list[KnownVersion]:
    """All versions of an issuer's policies, by name and number."""
    return [
        KnownVersion(policy, issuer, name, version, since, None if data is None else json.loads(data), *rest)
        for policy, issuer, name, version, since, data, *rest in connection.execute(_KNOWN, (issuer_id,))
    ]


def count_limited(connection: Connection, issuer_id: int) -> tuple[int, int]:
    """Contracts of an issuer that are limited for a debt now, and of how many customers."""
    row = connection.execute(_LIMITED, (issuer_id,)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def load_limited(connection: Connection) -> set[int]:
    """The contracts that dunning limits now."""
    rows = connection.execute("SELECT contract_id FROM restriction WHERE origin = 'dunning' AND lifted_at IS NULL")
    return {number for (number,) in rows}


def hold_policies(connection: Connection, issuer_id: int) -> None:
    """One at a time writes policies of an issuer, the first of a name too, until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(jsonb_build_array('dunning policies', %s::bigint)::text, 0))",
        (issuer_id,),
    )


def save_version(
    connection: Connection,
    issuer_id: int,
    data: Mapping[str, Any] | None,
    *,
    name: str,
    since: date,
    reason: str,
    by: str,
) -> int:
    """Write the next version of a policy; its number. The caller has read it and said who acts."""
    hold_policies(connection, issuer_id)
    row = connection.execute("SELECT id FROM dunning_policy WHERE issuer_id = %s AND name = %s FOR UPDATE", (issuer_id, name)).fetchone()  # fmt: skip
    if row is None:
        row = connection.execute(
            "INSERT INTO dunning_policy (issuer_id, name) VALUES (%s, %s) RETURNING id", (issuer_id, name)
        ).fetchone()
    assert row is not None
    made = connection.execute(
        "INSERT INTO dunning_policy_version (policy_id, version, since, data, reason, made_by)"
        " SELECT %(id)s, coalesce(max(version), 0) + 1, %(since)s, %(data)s::jsonb, %(reason)s, %(by)s FROM dunning_policy_version WHERE policy_id = %(id)s RETURNING version",
        {
            "id": row[0],
            "since": since,
            "data": None if data is None else json.dumps(dict(data), default=str),
            "reason": reason,
            "by": by,
        },
    ).fetchone()
    assert made is not None
    return int(made[0])
