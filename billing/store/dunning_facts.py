"""What dunning goes by, in bulk: for each customer, issuer and currency the facts as the database has them now.

A dozen queries for any number of customers; nothing is held. Who is going to write holds the customers first.

Units: days of the issuer's zone; instants are aware.
Next: billing/dunning/facts.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.calendar import billing_day
from billing.contract_facts import Level, Origin
from billing.documents import Due
from billing.dunning.debt import InstalmentPlan, OpenDocument
from billing.dunning.facts import Exclusion, ExclusionKind, Facts, FormalNotice, InForce, Respite
from billing.dunning.floor import Channel
from billing.dunning.policy import Policy
from billing.money import Money, read_money, zero
from billing.settlement import left_of
from billing.store import notice_messages
from billing.store.dunning_policies import IssuerPolicies, load_methods_of, load_policies

Connection = psycopg.Connection[Any]
# Of one customer, issuer and currency.
Key = tuple[int, int, str]
# Policies by issuer, kind of customer, method of paying and profile.
_Chosen = dict[tuple[int, str, str | None, str | None], Policy]
# What a run limited that a person undid is let be for so long: time to mend the policy.
UNDONE_RESTS: Final = timedelta(days=3)

_DOCUMENTS: Final = """
SELECT o.customer_id, o.issuer_id, o.currency::text, o.document_id, d.label, o.open, o.due_on, CASE WHEN o.in_parts THEN d.payable - o.open END,
    (SELECT array_agg(DISTINCT l.contract_id) FROM document_line AS l WHERE l.document_id = o.document_id AND l.contract_id IS NOT NULL)
FROM open_document AS o JOIN document AS d ON d.id = o.document_id WHERE o.customer_id = ANY(%(ids)s) AND o.open > 0
"""
_DUES: Final = "SELECT document_id, due_on, amount FROM document_due WHERE document_id = ANY(%(documents)s)"
_CREDIT: Final = """
SELECT customer_id, issuer_id, currency::text, sum(open) FROM (
    SELECT customer_id, issuer_id, currency, open FROM open_payment WHERE customer_id = ANY(%(ids)s)
    UNION ALL SELECT customer_id, issuer_id, currency, -open FROM open_document WHERE customer_id = ANY(%(ids)s) AND open < 0) AS c GROUP BY 1, 2, 3
"""
# A contract without terms is billed by nobody and limited by no run; what a person limited there for a debt is opened with the first
# issuer's, in its own currency. Of several issuers that opens rather too early.
_CONTRACTS: Final = """
SELECT c.customer_id, coalesce(t.issuer_id, f.id), coalesce(t.currency, f.currency)::text, c.id, t.contract_id IS NOT NULL AND c.status IN ('trial', 'active', 'free'), c.plan_id
FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id CROSS JOIN (SELECT id, currency FROM issuer ORDER BY id LIMIT 1) AS f
WHERE c.customer_id = ANY(%(ids)s) AND t.payer_id IS NULL
UNION ALL SELECT t.payer_id, t.issuer_id, t.currency::text, c.id, c.status IN ('trial', 'active', 'free'), c.plan_id
FROM contract_terms AS t JOIN contract AS c ON c.id = t.contract_id WHERE t.payer_id = ANY(%(ids)s)
"""
_RESTRICTIONS: Final = """
SELECT id, contract_id, origin::text, level::text, run_id, held_since, release_id FROM restriction
WHERE contract_id = ANY(%(contracts)s) AND lifted_at IS NULL AND (until IS NULL OR until > %(now)s) ORDER BY id
"""
_RELIEFS: Final = """
SELECT contract_id, lower(during), upper(during) FROM relief WHERE contract_id = ANY(%(contracts)s) AND upper(during) > %(now)s
"""
_CASES: Final = """
SELECT c.customer_id, c.issuer_id, c.currency::text, c.id,
    ARRAY(SELECT s.step FROM dunning_case_step AS s WHERE s.case_id = c.id), ARRAY(SELECT f.step FROM dunning_confirmation AS f WHERE f.case_id = c.id)
FROM dunning_case AS c WHERE c.customer_id = ANY(%(ids)s) AND c.cleared_at IS NULL
"""
_NOTICES: Final = f"""
SELECT f.case_id, f.sent_at, f.channel, f.documents, f.delivered_at, {notice_messages.OUT_AT}, {notice_messages.PROBLEM}
FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id {notice_messages.JOIN} WHERE f.case_id = ANY(%(cases)s) ORDER BY f.id
"""  # noqa: S608 - our own columns
_PROMISES: Final = """
SELECT c.customer_id, c.issuer_id, c.currency::text, p.made_at, p.respite_until, p.state = 'open' FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id
WHERE c.customer_id = ANY(%(ids)s) AND (p.state = 'open' OR (p.respite_until > %(now)s AND (p.state = 'broken' OR p.reviewed)))
"""
_EXCLUSIONS: Final = """
SELECT kind::text, customer_id, contract_id, since, until, reason FROM dunning_exclusion
WHERE ended_at IS NULL AND (customer_id = ANY(%(ids)s) OR contract_id = ANY(%(contracts)s)) ORDER BY id
"""
# Whom a person took out of all automation, or of a run that was undone: that person has some days to mend what was wrong.
_EXEMPT: Final = """
SELECT contract_id, since, until, reason FROM guard_exemption WHERE contract_id = ANY(%(contracts)s) AND ended_at IS NULL AND until > %(now)s
UNION ALL SELECT r.contract_id, max(u.undone_at), max(u.undone_at) + %(undone_rests)s, 'run ' || u.id || ' was undone: ' || u.undo_reason
FROM automation_run AS u JOIN restriction AS r ON r.run_id = u.id
WHERE u.undone_at > %(now)s - %(undone_rests)s AND r.origin = 'dunning' AND r.contract_id = ANY(%(contracts)s) GROUP BY r.contract_id, u.id
"""
_DISPUTES: Final = """
SELECT document_id, sum(amount) FROM dunning_dispute WHERE document_id = ANY(%(documents)s) AND closed_at IS NULL GROUP BY document_id
"""
_PLANS: Final = """
SELECT p.customer_id, p.issuer_id, p.currency::text, p.id, p.grace_days,
    ARRAY(SELECT d.document_id FROM instalment_plan_document AS d WHERE d.plan_id = p.id),
    ARRAY(SELECT i.due_on FROM instalment_plan_part AS i WHERE i.plan_id = p.id ORDER BY i.due_on),
    ARRAY(SELECT i.amount FROM instalment_plan_part AS i WHERE i.plan_id = p.id ORDER BY i.due_on)
FROM instalment_plan AS p WHERE p.customer_id = ANY(%(ids)s) AND p.ended_on IS NULL ORDER BY p.id
"""
_REMINDED: Final = "SELECT document_id, due_on, step FROM dunning_reminder WHERE document_id = ANY(%(documents)s)"
_PEOPLE: Final = "SELECT id, kind::text FROM customer WHERE id = ANY(%(ids)s)"
_PROFILES: Final = (
    "SELECT p.id, f.name FROM plan AS p JOIN profile AS f ON f.id = p.profile_id WHERE p.id = ANY(%(plans)s)"
)


@dataclass(frozen=True, slots=True)
class Placed:
    """Of which run a restriction is, and whether it counts."""

    run_id: int | None
    held_since: datetime | None
    release_id: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """One customer with one issuer in one currency: the facts, the policy that holds, and the rows that they stand in.

    `grace_days` are those of the plans of instalments by their ids; `promised`: a promise is open.
    """

    key: Key
    policy: Policy
    facts: Facts
    case_id: int | None = None
    rows: Mapping[int, Placed] = field(default_factory=dict)
    grace_days: Mapping[int, int] = field(default_factory=dict)
    promised: bool = False

    @property
    def customer_id(self) -> int:
        """Who owes."""
        return self.key[0]


@dataclass(slots=True)
class _Found:
    """What is found of one account until its facts are put together."""

    documents: list[tuple[Any, ...]] = field(default_factory=list)
    credit: Decimal = Decimal(0)
    serving: set[int] = field(default_factory=set)
    contracts: list[int] = field(default_factory=list)
    plan_ids: list[int] = field(default_factory=list)
    case: tuple[int, list[str], list[str]] | None = None
    respites: list[Respite] = field(default_factory=list)
    promised: bool = False
    instalments: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What is looked up by document, contract, case or customer."""

    dues: Mapping[int, Sequence[tuple[date, Decimal]]]
    withheld: Mapping[int, Decimal]
    reminded: Mapping[int, Sequence[tuple[date, str]]]
    restrictions: Mapping[int, Sequence[tuple[Any, ...]]]
    reliefs: Mapping[int, Sequence[Respite]]
    notices: Mapping[int, Sequence[tuple[Any, ...]]]
    exclusions: Mapping[tuple[str, int], Sequence[tuple[Any, ...]]]
    exempt: Mapping[int, Sequence[tuple[Any, ...]]]
    kinds: Mapping[int, str]
    methods: Mapping[tuple[int, int], str]
    profiles: Mapping[int, str]


def load_accounts(
    connection: Connection,
    customer_ids: Iterable[int],
    now: datetime,
    *,
    policies: Mapping[int, IssuerPolicies] | None = None,
) -> list[Account]:
    """The accounts of these customers of which anything is to be said, in order: something open, a case, a restriction or a promise."""
    ids = sorted(set(customer_ids))
    if not ids:
        return []
    policies = load_policies(connection) if policies is None else policies
    found = _find(connection, {"ids": ids, "now": now})
    documents = [row[0] for one in found.values() for row in one.documents]
    contracts = [number for one in found.values() for number in one.contracts]
    shared = _share(
        connection,
        found,
        {"ids": ids, "now": now, "documents": documents, "contracts": contracts, "undone_rests": UNDONE_RESTS},
        policies,
    )
    accounts = []
    chosen: _Chosen = {}
    for key in sorted(found):
        one = found[key]
        limited = any(number in shared.restrictions for number in one.contracts)
        if key[1] in policies and (one.documents or one.case is not None or limited or one.respites):
            accounts.append(
                _account(key, one, shared, _policy_of(policies[key[1]], key, one, shared, now=now, chosen=chosen))
            )
    return accounts


def _find(connection: Connection, asked: Mapping[str, Any]) -> dict[Key, _Found]:
    found: dict[Key, _Found] = defaultdict(_Found)
    for customer, issuer, currency, *row in connection.execute(_DOCUMENTS, asked):
        found[customer, issuer, currency].documents.append(tuple(row))
    for customer, issuer, currency, credit in connection.execute(_CREDIT, asked):
        found[customer, issuer, currency].credit = credit
    for customer, issuer, currency, contract, serving, plan in connection.execute(_CONTRACTS, asked):
        one = found[customer, issuer, currency]
        one.contracts.append(contract)
        if serving:
            one.serving.add(contract)
            one.plan_ids.append(plan)
    for customer, issuer, currency, *case in connection.execute(_CASES, asked):
        found[customer, issuer, currency].case = (case[0], case[1], case[2])
    for customer, issuer, currency, start, end, is_open in connection.execute(_PROMISES, asked):
        one = found[customer, issuer, currency]
        one.promised = one.promised or is_open
        if end > asked["now"]:
            # One that was made since a pass began holds for that pass, too.
            one.respites.append(Respite(min(start, asked["now"]), end))
    for customer, issuer, currency, *plan in connection.execute(_PLANS, asked):
        found[customer, issuer, currency].instalments.append(tuple(plan))
    return found


def _share(
    connection: Connection, found: Mapping[Key, _Found], asked: dict[str, Any], policies: Mapping[int, IssuerPolicies]
) -> _Shared:
    asked["cases"] = [one.case[0] for one in found.values() if one.case is not None]
    in_parts = [row[0] for one in found.values() for row in one.documents if row[4] is not None]
    reliefs: dict[int, list[Respite]] = defaultdict(list)
    for contract, start, end in connection.execute(_RELIEFS, asked):
        reliefs[contract].append(Respite(start, end, contract))
    exclusions: dict[tuple[str, int], list[tuple[Any, ...]]] = defaultdict(list)
    for kind, customer, contract, since, until, reason in connection.execute(_EXCLUSIONS, asked):
        of = ("customer", customer) if contract is None else ("contract", contract)
        exclusions[of].append((kind, since, until, reason))
    profiles: dict[int, str] = {}
    if any(one.by_profile for one in policies.values()):
        plans = sorted({number for one in found.values() for number in one.plan_ids})
        profiles = dict(connection.execute(_PROFILES, {"plans": plans}).fetchall())
    return _Shared(
        dues=_grouped(connection, _DUES, {"documents": in_parts}) if in_parts else {},
        withheld=dict(connection.execute(_DISPUTES, asked).fetchall()),
        reminded=_grouped(connection, _REMINDED, asked),
        restrictions=_grouped(connection, _RESTRICTIONS, asked, at=1),
        reliefs=reliefs,
        notices=_grouped(connection, _NOTICES, asked) if asked["cases"] else {},
        exclusions=exclusions,
        exempt=_grouped(connection, _EXEMPT, asked),
        kinds=dict(connection.execute(_PEOPLE, asked).fetchall()),
        methods=load_methods_of(connection, asked["ids"]) if any(one.by_method for one in policies.values()) else {},
        profiles=profiles,
    )


def _grouped(
    connection: Connection, statement: str, asked: Mapping[str, Any], *, at: int = 0
) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of a statement by one of their columns, which is left out."""
    grouped: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in connection.execute(statement, asked):
        grouped[row[at]].append((*row[:at], *row[at + 1 :]))
    # Not one that makes a place for whatever is asked for.
    return dict(grouped)


def _policy_of(
    policies: IssuerPolicies, key: Key, one: _Found, shared: _Shared, *, now: datetime, chosen: _Chosen
) -> Policy:
    """The policy of an account. Customers of one kind, method and profile have the same, so it is looked for once."""
    profile = shared.profiles.get(min(one.plan_ids)) if one.plan_ids else None
    kind = (key[1], shared.kinds[key[0]], shared.methods.get(key[:2]), profile)
    if kind not in chosen:
        chosen[kind] = policies.policy_of(customer_kind=kind[1], method=kind[2], profile=profile, now=now)
    return chosen[kind]


def _account(key: Key, one: _Found, shared: _Shared, policy: Policy) -> Account:
    customer, _, currency = key
    zone = policy.guard.zone
    rows = [(contract, row) for contract in one.contracts for row in shared.restrictions.get(contract, ())]
    reminded = (
        (row[0], due, step) for row in one.documents for due, step in shared.reminded.get(row[0], ())
    )  # fmt: skip
    case_id, steps, confirmed = one.case or (None, [], [])
    facts = Facts(
        documents=tuple(_document(row, currency, shared) for row in one.documents),
        credit=read_money(one.credit, currency),
        contracts=frozenset(one.serving),
        plans=tuple(_plan(row, currency) for row in one.instalments),
        exclusions=tuple(_exclusions(customer, one, shared)),
        not_before=_not_before(customer, shared),
        has_case=case_id is not None,
        notices=tuple(_notice(row, zone) for row in shared.notices.get(case_id or 0, ())),
        steps_run=frozenset(steps),
        confirmed=frozenset(confirmed),
        reminded=frozenset(reminded),
        restrictions=tuple(
            InForce(row[0], contract, Origin(row[1]), Level(row[2]), by_person=row[3] is None) for contract, row in rows
        ),
        respites=(*one.respites, *(each for contract in one.contracts for each in shared.reliefs.get(contract, ()))),
    )
    return Account(
        key,
        policy,
        facts,
        case_id,
        {row[0]: Placed(row[3], row[4], row[5]) for _, row in rows},
        {row[0]: row[1] for row in one.instalments},
        one.promised,
    )


def _document(row: tuple[Any, ...], currency: str, shared: _Shared) -> OpenDocument:
    document, label, open_, due_on, settled, contracts = row
    open_money = read_money(open_, currency)
    parts: tuple[Due, ...] = (Due(due_on, open_money),)
    if settled is not None:
        dues = [Due(day, read_money(amount, currency)) for day, amount in shared.dues.get(document, ())]
        parts = left_of(dues, read_money(settled, currency))
    withheld = shared.withheld.get(document)
    return OpenDocument(document, label, frozenset(contracts or ()), parts, _least(withheld, open_money))


def _least(withheld: Decimal | None, open_: Money) -> Money:
    """What is in dispute, and no more than is open."""
    if withheld is None:
        return zero(open_.currency)
    return min(read_money(withheld, open_.currency), open_, key=lambda one: one.minor)


def _plan(row: tuple[Any, ...], currency: str) -> InstalmentPlan:
    number, _, documents, days, amounts = row
    parts = tuple(Due(day, read_money(amount, currency)) for day, amount in zip(days, amounts, strict=True))
    return InstalmentPlan(number, frozenset(documents), parts)


def _exclusions(customer: int, one: _Found, shared: _Shared) -> Iterable[Exclusion]:
    if shared.kinds[customer] == ExclusionKind.PUBLIC_BODY:
        yield Exclusion(ExclusionKind.PUBLIC_BODY, "a public body", date.min)
    for kind, since, until, reason in shared.exclusions.get(("customer", customer), ()):
        if kind == ExclusionKind.WHITELIST:
            yield Exclusion(ExclusionKind.WHITELIST, reason, since, until)
    for contract in one.contracts:
        for kind, since, until, reason in shared.exclusions.get(("contract", contract), ()):
            yield Exclusion(ExclusionKind(kind), reason, since, until, contract)
        for since_at, until_at, reason in shared.exempt.get(contract, ()):
            # Of whole days, its last one too: the guard itself goes by the minute.
            last = until_at.date() + timedelta(days=1)
            yield Exclusion(ExclusionKind.EXEMPT, reason, since_at.date(), last, contract)


def _not_before(customer: int, shared: _Shared) -> date | None:
    """The latest day before which an operator wants nothing done."""
    mine = shared.exclusions.get(("customer", customer), ())
    return max((until for kind, _, until, _ in mine if kind == "not_before"), default=None)


def _notice(row: tuple[Any, ...], zone: Any) -> FormalNotice:
    written, channel, documents, delivered, sent, problem = row
    delivered_on, sent_on = (None if moment is None else billing_day(moment, zone) for moment in (delivered, sent))
    listed = frozenset(documents)
    return FormalNotice(billing_day(written, zone), Channel(channel), listed, delivered_on, sent_on, problem)
