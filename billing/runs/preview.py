"""What a run will come to, before it takes a number: counts, totals, the biggest changes, and contracts that nobody bills.

It works everything out as the run itself does, batch by batch, and writes nothing but what it found into the run's row.

Units: amounts are decimals in the currency's places, as text; days are ISO dates.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import psycopg

from billing.documents import DocumentKind, Draft
from billing.errors import BillingError
from billing.money import Money, total, zero
from billing.runs.batch import Tally, look_at_batch
from billing.runs.desk import Sheaf, check_registers, load_desk
from billing.runs.walk import Progress, collecting_seldom
from billing.store.acting import acting
from billing.store.due_work import Scope, list_due
from billing.store.run_compared import load_gone
from billing.store.runs import Run, RunState, find_run, load_last_amounts, load_unbilled, save_prepared

Connection = psycopg.Connection[Any]
BATCH: Final = 500
# As many as a person looks through before confirming.
CHANGES_SHOWN: Final = 200
FAILURES_SHOWN: Final = 100
# Of a part of the book; a whole one has a hundred thousand.
LINES_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A contract that comes to another amount than in the last run that billed it."""

    size: int
    contract_id: int
    customer_id: int
    before: str
    now: str
    currency: str


@dataclass(slots=True)
class _Findings:
    """What batches come to, added up; of the changes only the biggest are kept, and lines where a part of the book is asked for."""

    has_lines: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    sums: dict[tuple[str, str], list[Money]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    new: list[Change] = field(default_factory=list)
    news: int = 0
    products: dict[tuple[int | None, str], tuple[int, Money]] = field(default_factory=dict)
    charges: dict[tuple[str, str], tuple[int, Money]] = field(default_factory=dict)
    failed: int = 0

    def add(self, sheaf: Sheaf, before: dict[int, Money]) -> None:
        """Count a batch in, beside what its contracts came to the last time."""
        self.tally.add(sheaf)
        self.failed += len(sheaf.failures)
        del self.tally.failures[FAILURES_SHOWN:]
        for draft in sheaf.drafts:
            key = (str(draft.kind), draft.currency)
            self.counts[key] += 1
            sums = self.sums.setdefault(key, [zero(draft.currency)] * 3)
            totals = draft.totals
            self.sums[key] = [a + b for a, b in zip(sums, (totals.net, totals.tax, totals.gross), strict=True)]
            self._add_products(draft)
            if self.has_lines and len(self.lines) < LINES_SHOWN:
                self.lines += lines_of(draft)
        for rated in sheaf.rated:
            for charge in rated.charges:
                _count_in(self.charges, (str(charge.kind), charge.net.currency), charge.net)
            self._compare(
                rated.contract.id, rated.contract.payer_id, rated.contract.terms.currency, rated.charges, before
            )

    def _compare(self, contract_id: int, payer: int, currency: str, charges: Any, before: dict[int, Money]) -> None:
        was = before.get(contract_id)
        now = total((one.net for one in charges), currency)
        if was is None:
            self.news += 1
            was, kept = zero(currency), self.new
        else:
            kept = self.changes
        if was.currency != currency or now == was:
            return
        change = Change(abs(now.minor - was.minor), contract_id, payer, str(was.amount), str(now.amount), currency)
        (heapq.heappush if len(kept) < CHANGES_SHOWN else heapq.heappushpop)(kept, change)

    def _add_products(self, draft: Draft) -> None:
        """What each product comes to, without tax; what a credit note gives back is below zero."""
        for line, told in zip(draft.lines, draft.totals.lines, strict=True):
            net = -told.net if draft.kind is DocumentKind.CREDIT_NOTE else told.net
            _count_in(self.products, (line.source.product_id, draft.currency), net)


def _count_in(sums: dict[Any, tuple[int, Money]], key: Any, amount: Money) -> None:
    count, sum_ = sums.get(key, (0, zero(amount.currency)))
    sums[key] = (count + 1, sum_ + amount)


def lines_of(draft: Draft) -> list[dict[str, Any]]:
    """The lines of a document as they will stand on it; amounts without tax. `until` is the first day after."""
    sign = "-" if draft.kind is DocumentKind.CREDIT_NOTE else ""
    return [
        {
            "kind": str(draft.kind),
            "customer": draft.customer_id,
            "contract": line.source.contract_id,
            "text": line.priced.description,
            "from": None if line.source.during is None else line.source.during.start.isoformat(),
            "until": None if line.source.during is None else line.source.during.end.isoformat(),
            "net": f"{sign}{told.net.amount}",
            "currency": draft.currency,
        }
        for line, told in zip(draft.lines, draft.totals.lines, strict=True)
    ]


def prepare_run(
    connection: Connection,
    issuer_id: int,
    *,
    run_date: date,
    scope: Scope,
    by: str,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    batch: int = BATCH,
) -> Run:
    """The run with its preview, waiting to be confirmed. One that was prepared, cancelled or done before is prepared anew; one
    that is done and has nothing more to bill stays done.

    `connection` commits each statement (autocommit).
    Raises: BillingError for an issuer that there is not, a run that is issuing now, or when `stop` was set.
    """
    expected = look_ahead(
        connection, issuer_id, run_date=run_date, scope=scope, progress=progress, stop=stop, batch=batch
    )
    known = find_run(connection, issuer_id, run_date, scope)
    if known is not None and known.state is RunState.DONE and not expected["contracts"]:
        return known
    with connection.transaction():
        acting(connection, by)
        run = save_prepared(connection, issuer_id, run_date, scope, expected=expected, by=by)
    if run is None:
        raise BillingError(f"the run of {run_date} is issuing: let it go on, or start it again if it was stopped")
    return run


def look_ahead(
    connection: Connection,
    issuer_id: int,
    *,
    run_date: date,
    scope: Scope,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    batch: int = BATCH,
) -> dict[str, Any]:
    """What a run would come to now, as a JSON object; nothing is written and nobody waits.

    Raises: RunRefusedError when documents of that day can't be numbered any more.
    """
    through = scope.through or run_date
    found = _Findings(has_lines=any((scope.customer_id, scope.contract_id, scope.billing_group)))
    with connection.transaction():
        desk = load_desk(connection, issuer_id, run_id=None, run_date=run_date, through=through)
        check_registers(connection, issuer_id, run_date)
        due = list_due(connection, issuer_id, scope, through=through)
    with collecting_seldom():
        for contracts in due.batches(batch):
            if stop is not None and stop.is_set():
                raise BillingError("stopped before the preview was done: nothing was written")
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found.add(
                    look_at_batch(connection, desk, contracts), load_last_amounts(connection, contracts, run_date)
                )
            if progress is not None:
                progress(Progress(found.tally.payers, due.payers, found.tally))
    with connection.transaction():
        unbilled = load_unbilled(connection, issuer_id)
        # Of a part of the book nobody could tell what is gone from what was not asked for.
        whole = not found.has_lines
        gone = (
            load_gone(connection, issuer_id, run_date=run_date, through=through, limit=CHANGES_SHOWN) if whole else None
        )
    return {**_told(found, unbilled), "gone": gone or {"count": 0, "contracts": []}}


def _told(found: _Findings, unbilled: dict[str, Any]) -> dict[str, Any]:
    tally = found.tally
    return {
        "customers": tally.payers,
        "contracts": tally.contracts,
        "charges": tally.charges,
        "waiting": tally.waiting,
        "covered": tally.covered,
        "documents": [
            {
                "kind": kind,
                "currency": currency,
                "count": found.counts[kind, currency],
                **{name: str(sum_.amount) for name, sum_ in zip(("net", "tax", "gross"), sums, strict=True)},
            }
            for (kind, currency), sums in sorted(found.sums.items(), reverse=True)
        ],
        "lines": found.lines[:LINES_SHOWN],
        "failed": found.failed,
        "failures": [
            {"customer": one.customer_id, "contract": one.contract_id, "reason": one.reason} for one in tally.failures
        ],
        "changes": _changes(found.changes),
        "new": {"count": found.news, "contracts": _changes(found.new)},
        "products": [
            {"product": product, "currency": currency, "count": count, "net": str(sum_.amount)}
            for (product, currency), (count, sum_) in sorted(
                found.products.items(), key=lambda one: (-abs(one[1][1].minor), one[0][0] or 0)
            )
        ],
        "charge_kinds": [
            {"kind": kind, "currency": currency, "count": count, "net": str(sum_.amount)}
            for (kind, currency), (count, sum_) in sorted(found.charges.items())
        ],
        "unbilled": unbilled,
    }


def _changes(found: list[Change]) -> list[dict[str, Any]]:
    """The biggest first."""
    return [
        {
            "contract": one.contract_id,
            "customer": one.customer_id,
            "before": one.before,
            "now": one.now,
            "currency": one.currency,
        }
        for one in sorted(found, reverse=True)
    ]
