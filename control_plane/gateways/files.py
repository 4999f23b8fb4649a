"""A provider's reconciliation file against the books: each payout as a whole, each payment in it.

Next: reconciling.py
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from billing.money import Money, total, zero
from billing.store import gateway_lists as store
from billing.store.gateways import GatewayAccount
from control_plane.gateways.provider import FileRow, GatewayError, provider_for

Connection = psycopg.Connection[Any]
Finding = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file that was read: its number and control totals, and what differs from the books. `again`: it was read before."""

    number: int
    rows: int
    payouts: int
    total: str
    findings: tuple[Finding, ...]
    again: bool = False


def import_file(connection: Connection, account: GatewayAccount, name: str, content: bytes, *, actor: str) -> FileRead:
    """Compare a file with what is known of its payouts. Raises: GatewayError for a file that can't be read."""
    provider = provider_for(account.provider)
    if not provider.reads_files:
        raise GatewayError(
            f"{provider.title} has no file to be read: `corrente gateway reconcile {account.name}` asks it"
        )
    rows = provider.read_file(content)
    by_payout: dict[str, list[FileRow]] = defaultdict(list)
    for row in rows:
        by_payout[row.payout_ref].append(row)
    known = store.load_payout_sums(connection, account.id, list(by_payout))
    paid = store.load_paid_keys(connection, account.id, [row.payment_key for row in rows if row.payment_key])
    findings: list[Finding] = []
    for ref, mine in by_payout.items():
        findings += _compare(ref, mine, known.get(ref), paid)
    number, is_new = store.write_file(
        connection, account.id, name, hashlib.sha256(content).digest(), rows=len(rows), findings=findings, made_by=actor
    )
    sums = [total((row.amount - row.fee for row in rows if row.amount.currency == code), code) for code in _codes(rows)]
    return FileRead(
        *(number, len(rows)), len(by_payout), ", ".join(map(str, sums)) or "nothing", tuple(findings), again=not is_new
    )


def _codes(rows: Sequence[FileRow]) -> list[str]:
    return sorted({row.amount.currency for row in rows})


def _compare(
    ref: str, rows: Sequence[FileRow], known: tuple[Money, dict[str | None, Money]] | None, paid: set[str]
) -> list[Finding]:
    currency = rows[0].amount.currency
    arrives = total((row.amount - row.fee for row in rows), currency)
    found: list[Finding] = []
    if known is None:
        found.append((ref, "payout", f"{arrives} that nobody has told: `corrente gateway reconcile` asks for it"))
    elif known[0] != arrives:
        found.append((ref, "payout", f"{arrives} in the file, {known[0]} in the books"))
    by_payment: dict[str, Money] = defaultdict(lambda: zero(currency))
    for row in rows:
        if row.payment_key is not None:
            by_payment[row.payment_key] += row.amount
    for key, amount in sorted(by_payment.items()):
        if key not in paid:
            found.append((ref, key, f"{amount} of a payment that is not in the books"))
        elif known is not None and known[1].get(key, zero(currency)) != amount:
            found.append((ref, key, f"{amount} in the file, {known[1].get(key, zero(currency))} in the books"))
    return found
