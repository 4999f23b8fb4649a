"""All checks of the books, and how they are run: from nothing, over one state of the database, a stretch of rows at a time.

Next: billing/store/checks/ledger.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql
from psycopg.rows import tuple_row

from billing.store.checks.cash import CASH_CHECKS
from billing.store.checks.check import Check, Connection, Finding
from billing.store.checks.commissions import COMMISSION_CHECKS
from billing.store.checks.contracts import CONTRACT_CHECKS
from billing.store.checks.documents import DOCUMENT_CHECKS
from billing.store.checks.dunning import DUNNING_CHECKS
from billing.store.checks.evidence import EVIDENCE_CHECKS
from billing.store.checks.gateways import GATEWAY_CHECKS
from billing.store.checks.ledger import LEDGER_CHECKS
from billing.store.checks.payments import PAYMENT_CHECKS
from billing.store.checks.told import TOLD_CHECKS

CHECKS: Final[tuple[Check, ...]] = (
    *LEDGER_CHECKS,
    *DOCUMENT_CHECKS,
    *PAYMENT_CHECKS,
    *CASH_CHECKS,
    *COMMISSION_CHECKS,
    *GATEWAY_CHECKS,
    *CONTRACT_CHECKS,
    *DUNNING_CHECKS,
    *TOLD_CHECKS,
    *EVIDENCE_CHECKS,
)


_ANY: Final = 2**62


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check is: ids looked at, of all."""

    check: Check
    done: int
    of: int


def check_books(
    connection: Connection, checks: Sequence[Check] = CHECKS, *, tell: Callable[[Progress], None] = lambda _: None
) -> Iterator[Finding]:
    """What is wrong in the books. Everything is read from one state of the database, whatever is written meanwhile.

    The connection must not be in a transaction yet.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # A stretch is reached by its key: compiling a statement, or walking a table whole for each stretch, takes longer.
        connection.execute(
            "SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
        )
        yield from find_in(connection, checks, tell=tell)


def find_in(
    connection: Connection, checks: Sequence[Check] = CHECKS, *, tell: Callable[[Progress], None] = lambda _: None
) -> Iterator[Finding]:
    """The same within the caller's transaction."""
    for check in checks:
        yield from _run(connection, check, tell)


def _run(connection: Connection, check: Check, tell: Callable[[Progress], None]) -> Iterator[Finding]:
    least, greatest = _span(connection, check.walks) if check.walks else (1, 1)
    of = greatest - least + 1
    tell(Progress(check, 0, of))
    for start in range(least, greatest + 1, check.step):
        end = min(start + check.step - 1, greatest)
        # What hangs on rows that are no longer there lies before the first or behind the last of those that are.
        first, last = -_ANY if start == least else start, _ANY if end == greatest else end
        for subject, message in check.find(connection, first, last):
            yield Finding(check.name, check.invariants, subject, message)
        tell(Progress(check, end - least + 1, of))


def _span(connection: Connection, table: str) -> tuple[int, int]:
    """The least and the greatest id of a table; of an empty one a single id, so that it is looked at all the same."""
    key = "contract_id" if table == "contract_terms" else "id"
    statement = sql.SQL("SELECT coalesce(min({key}), 1), coalesce(max({key}), 1) FROM {table}").format(
        key=sql.Identifier(key), table=sql.Identifier(table)
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement).fetchone()
    assert row is not None, table
    return row[0], row[1]
