"""A FreeRADIUS SQL database to what we want to be there: every user looked at once, in order of their names.

Pure from here on: the rows are read before, what is wanted is made after.

Next: freeradius_accounts.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from control_plane.takeover.conflicts import shared_prefix_findings
from control_plane.takeover.freeradius_accounts import Network, Plans, build_account, plan_finding
from control_plane.takeover.freeradius_blocks import Block, asked_name, build_block, real_name
from control_plane.takeover.freeradius_network import build_nases, build_sessions
from control_plane.takeover.freeradius_source import Source
from control_plane.takeover.freeradius_values import Item, Role, Table, read_item
from control_plane.takeover.wanted import Finding, Verdict, Wanted, WantedAccount, WantedPlan, WantedProfile
from nas_drivers.dictionaries.reader import Dictionary

Progress = Callable[[str, int, int], None]
_STEP = 5000


@dataclass(slots=True)
class _Mapping:
    source: Source
    dictionary: Dictionary
    groups: dict[str, Block] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def block(self, name: str, owner: str, check: Table, reply: Table) -> Block:
        """The rows of one user or group, understood. What does nothing is said once."""
        rows = (*self.source.rows[check].get(owner, ()), *self.source.rows[reply].get(owner, ()))
        items = [read_item(row, self.dictionary) for row in rows]
        self.findings += [
            Finding(Verdict.NOTE, item.row.where, item.note)
            for item in items
            if isinstance(item, Item) and item.role is Role.NOTHING
        ]
        return build_block(name, items)

    def group(self, name: str) -> Block:
        """One group by its name in radusergroup; FreeRADIUS asks for its rows under the escaped name."""
        if name not in self.groups:
            self.groups[name] = self.block(name, asked_name(name), Table.GROUP_CHECK, Table.GROUP_REPLY)
        return self.groups[name]


def build_wanted(
    source: Source,
    dictionary: Dictionary,
    *,
    network: Network,
    default_vendor: str,
    known_vendors: Iterable[str],
    progress: Progress,
) -> Wanted:
    """Everything to be made, with a finding for each line that is not carried over as it stands."""
    nases, findings = build_nases(source.nases, default_vendor=default_vendor)
    vendors = tuple(sorted({nas.vendor for nas in nases} | set(known_vendors) or {default_vendor}))
    network = Network(vendors, network.default_plan, network.zone)
    mapping = _Mapping(source, dictionary, findings=findings)
    plans = Plans()
    accounts: list[WantedAccount] = []
    stored_names = sorted({*source.rows[Table.USER_CHECK], *source.rows[Table.USER_REPLY], *source.members})
    for number, stored in enumerate(stored_names):
        account = _account(stored, mapping, network, plans)
        if account is not None:
            accounts.append(account)
        if number % _STEP == 0:
            progress("mapping", number, len(stored_names))
    progress("mapping", len(stored_names), len(stored_names))
    refused, shared = shared_prefix_findings(accounts)
    accounts = [account for account in accounts if account.username not in refused]
    sessions, session_findings = build_sessions(source.sessions)
    used = {account.plan for account in accounts}
    for key, (plan, given) in plans.by_groups.items():
        if plan.name in used:
            mapping.findings.append(plan_finding(plan, given, [mapping.groups[name] for name in key]))
    return Wanted(
        nases=nases,
        plans=_plans(plans, used, network.default_plan),
        accounts=tuple(accounts),
        sessions=sessions,
        findings=(*mapping.findings, *_unused_groups(mapping), *shared, *session_findings),
    )


def _account(stored: str, mapping: _Mapping, network: Network, plans: Plans) -> WantedAccount | None:
    username = real_name(stored)
    if username is None:
        why = f"FreeRADIUS never asks for this name: it would ask for {asked_name(stored)}"
        mapping.findings.append(Finding(Verdict.REFUSED, f"user {stored}", why))
        return None
    user = mapping.block(stored, stored, Table.USER_CHECK, Table.USER_REPLY)
    groups = [mapping.group(name) for name in mapping.source.members.get(stored, ())]
    account, findings = build_account(username, user, groups, network=network, plans=plans)
    mapping.findings += [
        finding
        if finding.where.startswith("user ")
        else Finding(finding.verdict, f"user {username}", f"{finding.where}: {finding.text}")
        for finding in findings
    ]
    if account is not None and stored in mapping.source.ties:
        why = "two groups of one priority: FreeRADIUS leaves their order to the database; taken in order of their rows"
        mapping.findings.append(Finding(Verdict.NOTE, account.where, why))
    return account


def _plans(plans: Plans, used: set[str], default_plan: str) -> tuple[WantedPlan, ...]:
    found = [plan for plan, _ in plans.by_groups.values() if plan.name in used]
    if default_plan in used and default_plan not in {plan.name for plan in found}:
        found.append(WantedPlan("users without a group", default_plan, WantedProfile()))
    return tuple(found)


def _unused_groups(mapping: _Mapping) -> list[Finding]:
    tables = (Table.GROUP_CHECK, Table.GROUP_REPLY)
    stored = {name for table in tables for name in mapping.source.rows[table]}
    asked = {asked_name(name) for names in mapping.source.members.values() for name in names}
    return [
        Finding(Verdict.NOTE, f"group {name}", "no user's login ever reaches it: left out")
        for name in sorted(stored - asked)
    ]
