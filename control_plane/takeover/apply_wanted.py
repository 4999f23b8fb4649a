"""Makes what an import wants, all of it or nothing: one snapshot to compare with, one transaction to write.

The dry run goes the same way up to the writing, so what it says is what would happen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.accounting.session_state import key_by_start
from control_plane.takeover import store
from control_plane.takeover.compare import Held, compare, own_json, profile_columns
from control_plane.takeover.conflicts import prefix_order
from control_plane.takeover.store import Connection
from control_plane.takeover.wanted import Finding, Verdict, Wanted, WantedAccount, WantedProfile, WantedSession
from radius_hooks.sealing import Sealer, SealError, account_row, nas_row

Progress = Callable[[str, int, int], None]
# What a plan made by an import means when it is restricted; an operator changes both to what the network has.
THROTTLE_PROFILE: Final = "imported throttle"
WALLED_PROFILE: Final = "imported walled garden"
_THROTTLED: Final = WantedProfile(rate_down_bps=1_000_000, rate_up_bps=1_000_000, interim_interval_s=600)
_WALLED: Final = WantedProfile(
    rate_down_bps=256_000, rate_up_bps=256_000, address_lists=("walled-garden",), interim_interval_s=600
)
_PROFILE_NAME_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._ -")
_STEP: Final = 5000


class ImportRefusedError(Exception):
    """Nothing was made; the message says why."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Who imports what from where, and how far it may go."""

    actor: str
    subject: str
    apply: bool
    skip_refused: bool


def run_import(
    connection: Connection, wanted: Wanted, *, sealer: Sealer, intent: Intent, progress: Progress
) -> tuple[Finding, ...]:
    """The findings of the whole import; with `intent.apply` everything to be made is made and committed.

    Raises: ImportRefusedError when something is refused and not to be skipped, or the database refuses.
    """
    try:
        store.begin(connection)
        held = _load_held(connection, wanted, sealer)
        left = compare(wanted, held)
        left, session_findings = _resolve_sessions(connection, left, wanted)
        findings = (*left.findings, *session_findings, *_made(left))
        refused = sum(finding.verdict is Verdict.REFUSED for finding in findings)
        if intent.apply and (not refused or intent.skip_refused):
            _write(connection, left, sealer, progress)
            _note(connection, intent, findings)
            connection.commit()
        else:
            connection.rollback()
    except psycopg.Error as error:
        connection.rollback()
        raise ImportRefusedError(f"nothing was made: the database refused: {str(error).strip()}") from error
    except SealError as error:
        connection.rollback()
        raise ImportRefusedError(f"nothing was made: {error}") from error
    return findings


def _load_held(connection: Connection, wanted: Wanted, sealer: Sealer) -> Held:
    rows = {"nas": nas_row, "account": account_row}

    def open_secret(sealed: bytes, kind: str, number: int) -> bytes:
        return sealer.open(sealed, row=rows[kind](number))

    return Held(
        nases=tuple(store.load_nases(connection)),
        plans=store.load_plans(connection),
        accounts=store.load_accounts(connection, [account.username for account in wanted.accounts]),
        customers=store.load_customers(connection, list({account.customer for account in wanted.accounts})),
        prefixes=tuple(store.load_prefixes(connection)),
        open_secret=open_secret,
    )


def _made(left: Wanted) -> Iterator[Finding]:
    """One line for each thing that is to be made."""
    for nas in left.nases:
        yield Finding(Verdict.MAKE, nas.where, f"NAS {nas.name}, source {nas.source}, vendor {nas.vendor}")
    for plan in left.plans:
        yield Finding(Verdict.MAKE, plan.where, f"plan {plan.name!r}")
    for account in left.accounts:
        yield Finding(Verdict.MAKE, account.where, describe(account))
    for session in left.sessions:
        yield Finding(Verdict.MAKE, session.where, f"live session since {session.started_at:%Y-%m-%d %H:%M}")


def describe(account: WantedAccount) -> str:
    """An account in one line, without its secret."""
    parts = [f"account on plan {account.plan!r}", f"{account.secret_kind} secret"]
    parts += [f"{account.max_sessions} at once"] if account.max_sessions else []
    parts += [f"until {account.expires_at:%Y-%m-%d %H:%M}Z"] if account.expires_at else []
    parts += [f"MAC {mac}" for mac in account.macs]
    parts += [prefix.prefix for prefix in account.prefixes]
    parts += [f"{len(account.own)} blocks of own attributes"] if account.own else []
    parts += ["blocked"] if account.blocked_because else []
    return ", ".join(parts)


def _resolve_sessions(connection: Connection, left: Wanted, wanted: Wanted) -> tuple[Wanted, list[Finding]]:
    """Sessions whose NAS and account are there or to be made, and that are not known yet."""
    findings: list[Finding] = []
    known_nases = {nas.source: nas.id for nas in store.load_nases(connection)}
    sources = Sources([*known_nases, *(nas.source for nas in left.nases)])
    there = store.load_account_ids(connection, [session.username for session in wanted.sessions])
    to_come = {account.username for account in left.accounts}
    open_ids = store.load_session_ids(connection)
    nas_of = {session: known_nases.get(sources.holding(session.nas_address) or "") for session in wanted.sessions}
    keys = {session: _session_key(nas_id, session) for session, nas_id in nas_of.items() if nas_id is not None}
    ended = store.load_ended(connection, list(keys.values()))
    kept: list[WantedSession] = []
    for session in wanted.sessions:
        source = sources.holding(session.nas_address)
        if source is None:
            findings.append(Finding(Verdict.REFUSED, session.where, f"no NAS has the address {session.nas_address}"))
        elif session.username not in there and session.username not in to_come:
            findings.append(Finding(Verdict.REFUSED, session.where, "its account is neither there nor to be made"))
        elif (nas_of[session], session.acct_session_id, session.username) in open_ids:
            findings.append(Finding(Verdict.UNCHANGED, session.where, "is there already"))
        elif keys.get(session) in ended:
            findings.append(Finding(Verdict.UNCHANGED, session.where, "has ended here since"))
        else:
            kept.append(session)
    return replace(left, sessions=tuple(kept)), findings


class Sources:
    """The source prefixes of all devices: which one holds an address, the longest of several."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._networks = sorted(map(ip_network, sources), key=lambda network: -network.prefixlen)
        self._found: dict[str, str | None] = {}

    def holding(self, address: str) -> str | None:
        """The source prefix that holds an address. Raises: ValueError for what is no address."""
        if address not in self._found:
            host = ip_address(address)
            self._found[address] = next((str(one) for one in self._networks if host in one), None)
        return self._found[address]


def _write(connection: Connection, left: Wanted, sealer: Sealer, progress: Progress) -> None:
    _write_nases(connection, left, sealer)
    _write_plans(connection, left)
    _write_accounts(connection, left.accounts, sealer, progress)
    _write_sessions(connection, left.sessions)


def _write_nases(connection: Connection, left: Wanted, sealer: Sealer) -> None:
    ids = store.draw_ids(connection, "nas", len(left.nases))
    columns = ("id", "name", "source", "vendor", "sealed_secret", "require_message_authenticator")
    # FreeRADIUS never asks clients from its database for a Message-Authenticator; `corrente nas` turns it on.
    store.copy_rows(
        connection,
        "nas",
        columns,
        (
            (number, nas.name, nas.source, nas.vendor, sealer.seal(nas.secret, row=nas_row(number)), False)
            for number, nas in zip(ids, left.nases, strict=True)
        ),
    )


def _write_plans(connection: Connection, left: Wanted) -> None:
    if not left.plans:
        return
    profiles = store.load_profiles(connection)
    for name, content in ((THROTTLE_PROFILE, _THROTTLED), (WALLED_PROFILE, _WALLED)):
        if name not in profiles:
            profiles[name] = store.insert_profile(connection, name, profile_columns(content))
    for plan in left.plans:
        name = _profile_name(plan.name, profiles)
        profiles[name] = store.insert_profile(connection, name, profile_columns(plan.profile))
        store.insert_plan(
            connection,
            plan.name,
            full=profiles[name],
            throttle=profiles[THROTTLE_PROFILE],
            walled=profiles[WALLED_PROFILE],
        )


def _profile_name(plan_name: str, taken: dict[str, int]) -> str:
    """A name for a plan's profile: that of the plan as far as its characters go, with a number when it is taken."""
    plain = "".join(c if c in _PROFILE_NAME_CHARACTERS else "-" for c in plan_name)[:56]
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain} {number}"
    return name


def _write_accounts(
    connection: Connection, accounts: Sequence[WantedAccount], sealer: Sealer, progress: Progress
) -> None:
    if not accounts:
        return
    plans = store.load_plan_ids(connection)
    customers = _write_customers(connection, accounts)
    contracts = store.draw_ids(connection, "contract", len(accounts))
    ids = store.draw_ids(connection, "subscriber_account", len(accounts))
    store.copy_rows(
        connection,
        "contract",
        ("id", "customer_id", "plan_id", "status"),
        (
            (contract, customer, plans[account.plan], account.status)
            for contract, customer, account in zip(contracts, customers, accounts, strict=True)
        ),
    )
    columns = (
        "id", "contract_id", "username", "secret_kind", "sealed_secret", "expires_at", "max_sessions", "macs", "own_attributes",
    )  # fmt: skip
    rows = (
        _account_values(number, contract, account, sealer)
        for number, contract, account in zip(ids, contracts, accounts, strict=True)
    )
    store.copy_rows(connection, "subscriber_account", columns, _counted(rows, len(accounts), progress))
    _write_prefixes(connection, accounts, ids)
    store.copy_rows(
        connection,
        "restriction",
        ("contract_id", "origin", "level", "reason", "placed_by"),
        (
            (contract, "admin", "blocked", account.blocked_because, "import")
            for contract, account in zip(contracts, accounts, strict=True)
            if account.blocked_because
        ),
    )
    progress("writing", len(accounts), len(accounts))


def _write_prefixes(connection: Connection, accounts: Sequence[WantedAccount], ids: Sequence[int]) -> None:
    """In order of the addresses: in order of the accounts the index of the exclusion constraint takes five times as long."""
    rows = [
        (number, prefix.kind, prefix.prefix, prefix.metric)
        for number, account in zip(ids, accounts, strict=True)
        for prefix in account.prefixes
    ]
    rows.sort(key=lambda row: prefix_order(row[2]))
    store.copy_rows(connection, "account_prefix", ("account_id", "kind", "prefix", "metric"), rows)


def _account_values(number: int, contract: int, account: WantedAccount, sealer: Sealer) -> tuple[Any, ...]:
    sealed = sealer.seal(account.secret, row=account_row(number)) if account.secret else b""
    own = json.dumps(own_json(account.own))
    return (
        number,
        contract,
        account.username,
        account.secret_kind,
        sealed,
        account.expires_at,
        account.max_sessions,
        list(account.macs),
        own,
    )


def _counted(rows: Iterator[tuple[Any, ...]], total: int, progress: Progress) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(rows):
        if number % _STEP == 0:
            progress("writing", number, total)
        yield row


def _write_customers(connection: Connection, accounts: Sequence[WantedAccount]) -> list[int]:
    """The customer of each account: a shared one by its name, or one of its own."""
    shared = sorted({account.customer for account in accounts if account.customer})
    there = store.load_customers(connection, shared)
    missing = [name for name in shared if name not in there]
    own = [account.username for account in accounts if not account.customer]
    ids = iter(store.draw_ids(connection, "customer", len(missing) + len(own)))
    by_name = {name: numbers[0] for name, numbers in there.items()}
    by_name |= {name: next(ids) for name in missing}
    rows = [(by_name[name], name) for name in missing]
    found: list[int] = []
    for account in accounts:
        if account.customer:
            found.append(by_name[account.customer])
        else:
            rows.append((next(ids), account.username))
            found.append(rows[-1][0])
    store.copy_rows(connection, "customer", ("id", "name"), rows)
    return found


def _write_sessions(connection: Connection, sessions: Sequence[WantedSession]) -> None:
    if not sessions:
        return
    nases = {nas.source: nas.id for nas in store.load_nases(connection)}
    accounts = store.load_account_ids(connection, [session.username for session in sessions])
    sources = Sources(nases)
    now = datetime.now(UTC)
    rows = []
    for session in sessions:
        source = sources.holding(session.nas_address)
        assert source is not None, "sessions without a NAS were refused before"
        rows.append(_session_values(session, nases[source], accounts[session.username], now))
    store.copy_rows(connection, "session", _SESSION_COLUMNS, rows)
    store.note_sessions(connection, [accounts[session.username] for session in sessions])


_SESSION_COLUMNS: Final = (
    "session_key", "nas_id", "acct_session_id", "username", "account_id", "started_at", "updated_at", "received_at",
    "session_time_s", "octets_in", "octets_out", "counter_in", "counter_out", "interim_interval_s", "framed_ipv4",
    "framed_ipv6_address", "framed_ipv6_prefix", "delegated_ipv6_prefix", "addresses_since", "mac", "line",
)  # fmt: skip


def _session_values(session: WantedSession, nas_id: int, account_id: int, now: datetime) -> tuple[Any, ...]:
    return (
        _session_key(nas_id, session).hex(),
        nas_id,
        session.acct_session_id,
        session.username,
        account_id,
        session.started_at,
        session.updated_at,
        min(session.updated_at, now),
        session.session_time_s,
        session.octets_in,
        session.octets_out,
        session.octets_in,
        session.octets_out,
        session.interim_interval_s,
        session.framed_ipv4,
        session.framed_ipv6_address,
        session.framed_ipv6_prefix,
        session.delegated_ipv6_prefix,
        session.started_at,
        session.mac,
        session.line,
    )


def _session_key(nas_id: int, session: WantedSession) -> bytes:
    return key_by_start(nas_id, session.acct_session_id, session.username, int(session.started_at.timestamp()))


def _note(connection: Connection, intent: Intent, findings: Sequence[Finding]) -> None:
    counts = {verdict.value: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    audit.append(connection, actor=intent.actor, action="import.applied", subject=intent.subject, detail=counts)
