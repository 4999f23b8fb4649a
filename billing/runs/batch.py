"""One batch of a run: some payers' contracts, in one transaction that makes all of their documents or nothing.

What is due is held first, worked out, and only then written: documents and entries, charges, positions, errors. A batch that
the database refuses goes customer by customer, and of such a customer contract by contract, until the culprit stands alone.
A deadlock or a lock that nobody lets go is nobody's fault: the batch is repeated.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg

from billing.documents import DocumentKind
from billing.due_contract import DueContract
from billing.errors import BillingError
from billing.grouping import Claim
from billing.operations.restoring import look_again
from billing.runs.desk import Desk, Failure, Sheaf, work_out
from billing.store.acting import acting
from billing.store.charges import (
    NewCharge,
    carry_charges,
    cover_charges,
    move_positions,
    save_charges,
    settle_stops,
)
from billing.store.documents import Written, number_documents, write_parts
from billing.store.due_contracts import load_due
from billing.store.due_work import DueNow, hold_due, load_payers, look_at_due
from billing.store.parties import load_parties
from billing.store.runs import save_errors

Connection = psycopg.Connection[Any]
# Two that wait for each other, or for somebody's open transaction: who gave way tries again.
_NOBODY_S_FAULT: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)
# What may be a contract's own fault. A full disk, a missing right or a cut line is nobody's in the batch: that ends the run.
_CULPRITS: Final = (
    *_NOBODY_S_FAULT,
    BillingError,
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.RaiseException,
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
)
# What refuses an entry of a closed day (schema.sql: refuse_closed_days()).
_CLOSED: Final = "entry_in_open_days"
# A lock of a batch is held for seconds at most; a person's open transaction may hold one for long.
LOCK_WAIT_MS: Final = 3000
# The registers' numbers are held by each that issues until it commits; a batch of another run takes a second or two.
NUMBER_WAIT_MS: Final = 60_000
_TRIES: Final = 10
_TRIES_ALONE: Final = 3
_PAUSE_S: Final = 0.05


class HeldUpError(BillingError):
    """Nobody can be billed for now, by no fault of theirs; started again later, the run goes on."""


@dataclass(slots=True)
class Tally:
    """What batches came to, added up."""

    contracts: int = 0
    payers: int = 0
    charges: int = 0
    invoices: int = 0
    credit_notes: int = 0
    waiting: int = 0
    covered: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, sheaf: Sheaf) -> None:
        """Count a batch in."""
        self.contracts += len(sheaf.owners)
        self.payers += len(sheaf.payers)
        self.charges += sum(1 for rated in sheaf.rated for charge in rated.charges if charge.is_new)
        self.invoices += sum(1 for one in sheaf.drafts if one.kind is DocumentKind.INVOICE)
        self.credit_notes += sum(1 for one in sheaf.drafts if one.kind is DocumentKind.CREDIT_NOTE)
        self.waiting += len(sheaf.waiting)
        self.covered += len(sheaf.covered)
        self.failures += sheaf.failures


def work_out_batch(
    connection: Connection,
    desk: Desk,
    contract_ids: Sequence[int],
    *,
    due_of: Callable[..., DueNow] = hold_due,
) -> Sheaf:
    """Read what is due of these contracts, and hold it unless it is only looked at; then work it out."""
    due = due_of(connection, contract_ids, through=desk.through)
    contracts, sold = load_due(connection, contract_ids, due, run_date=desk.run_date)
    customers = load_parties(connection, _customers(contracts))
    return work_out(desk, contracts, sold=sold, customers=customers)


def look_at_batch(connection: Connection, desk: Desk, contract_ids: Sequence[int]) -> Sheaf:
    """The same for a preview, which holds nothing."""
    return work_out_batch(connection, desk, contract_ids, due_of=look_at_due)


def write_batch(
    connection: Connection, desk: Desk, sheaf: Sheaf, *, made_by: str, turn: Callable[[], object] = bool
) -> None:
    """Write all of a batch; when only the numbers are missing, ask for its `turn`, and issue.

    Raises: BillingError or psycopg.Error for what can't be; the transaction is then to be rolled back.
    """
    assert desk.run_id is not None, "a preview writes nothing"
    acting(connection, made_by)
    written = write_parts(connection, sheaf.drafts, made_by=made_by)
    charges = [
        NewCharge(one.contract_id, one.charge, line=(document, place))
        for document, claims in zip(written.ids, sheaf.claims, strict=True)
        for place, one in enumerate(claims, 1)
        if one.charge.is_new
    ]
    charges += (NewCharge(one.contract_id, one.charge) for one in sheaf.waiting if one.charge.is_new)
    charges += (NewCharge(one.contract_id, one.charge, covered=True) for one in sheaf.covered if one.charge.is_new)
    save_charges(connection, charges, run_id=desk.run_id, made_by=made_by)
    cover_charges(connection, _waited(sheaf.covered))
    carry_charges(connection, _waited(sheaf.waiting), run_id=desk.run_id)
    moves = (move for one in sheaf.rated for move in one.moves)
    move_positions(connection, sorted(moves, key=lambda one: one[0].item_id))
    settle_stops(connection, (one for rated in sheaf.rated for one in rated.settled))
    failures = [(one.customer_id, one.contract_id, one.reason) for one in sheaf.failures]
    save_errors(connection, desk.run_id, sheaf.payers, failures)
    turn()
    _issue(connection, written)


def _issue(connection: Connection, written: Written) -> None:
    """Number it. What it waits for now is not this batch's alone: numbers, which all that issue take in turn."""
    limit_waits(connection, NUMBER_WAIT_MS)
    try:
        number_documents(connection, written)
        noted = [one.customer_id for one in written.drafts if one.kind is DocumentKind.CREDIT_NOTE]
        look_again(connection, noted, by="credit note of a run")
    except psycopg.errors.LockNotAvailable as error:
        raise HeldUpError(
            f"somebody's open transaction has held the registers' numbers for {NUMBER_WAIT_MS // 1000} s;"
            " what is left is billed when the run is started again"
        ) from error
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != _CLOSED:
            raise
        # Of nobody in the batch: it would be an error of each customer that is left.
        raise HeldUpError(
            "the books were closed over the run's day while it was issuing: what is issued stays, what is left is due to a"
            " run of an open day"
        ) from error


def bill_batch(
    connection: Connection, desk: Desk, contract_ids: Sequence[int], *, made_by: str, turn: Callable[[], object] = bool
) -> Sheaf:
    """Bill a batch and commit it; who can't be billed stands in `failures` and in the run's errors.

    Before its numbers are taken `turn` is asked, which may wait.
    Raises: psycopg.Error when the database is gone or full, HeldUpError when nobody can be billed for now; what was not
        committed is due again.
    """
    try:
        return _patiently(connection, lambda: _in_one(connection, desk, contract_ids, made_by=made_by, turn=turn))
    except HeldUpError:
        raise
    except _CULPRITS:
        turn()
    return _one_by_one(connection, desk, contract_ids, made_by=made_by)


def _in_one(
    connection: Connection, desk: Desk, contract_ids: Sequence[int], *, made_by: str, turn: Callable[[], object] = bool
) -> Sheaf:
    with connection.transaction():
        limit_waits(connection, LOCK_WAIT_MS)
        sheaf = work_out_batch(connection, desk, contract_ids)
        write_batch(connection, desk, sheaf, made_by=made_by, turn=turn)
    return sheaf


def limit_waits(connection: Connection, limit_ms: int) -> None:
    """In this transaction, from now on, no lock is waited for longer than this."""
    connection.execute(f"SET LOCAL lock_timeout = {limit_ms:d}")


def _patiently(connection: Connection, work: Callable[[], Sheaf], *, tries: int = _TRIES) -> Sheaf:
    """Repeat what failed by nobody's fault. Raises: what it raised the last time."""
    for again in range(1, tries + 1):
        try:
            return work()
        except _NOBODY_S_FAULT:
            if again == tries:
                raise
        except BillingError as error:
            if not getattr(error, "retryable", False) or again == tries:
                raise
        # Not in step with who else gave way; the connection's own number is as good as chance.
        time.sleep(_PAUSE_S * again * (1 + connection.info.backend_pid % 7))
    raise AssertionError("the last try returns or raises")


def _one_by_one(connection: Connection, desk: Desk, contract_ids: Sequence[int], *, made_by: str) -> Sheaf:
    """Bill each payer of a failed batch in a transaction of its own."""
    whole = Sheaf()
    of_payer: dict[int, list[int]] = {}
    with connection.transaction():
        for contract_id, payer in load_payers(connection, contract_ids):
            of_payer.setdefault(payer, []).append(contract_id)
    for payer, own in of_payer.items():
        whole = whole.plus(_payer(connection, desk, payer, own, made_by=made_by))
    return whole


def _payer(connection: Connection, desk: Desk, payer: int, own: list[int], *, made_by: str) -> Sheaf:
    """Bill one payer, without those of its contracts that fail alone."""
    try:
        return _patiently(connection, lambda: _in_one(connection, desk, own, made_by=made_by), tries=_TRIES_ALONE)
    except HeldUpError:
        raise
    except _CULPRITS as error:
        reason = _reason(error)
    culprits = tuple(
        Failure(payer, contract_id, words)
        for contract_id in own
        if (words := _tried(connection, desk, contract_id, made_by=made_by)) is not None
    )
    failed = {one.contract_id for one in culprits}
    rest = [one for one in own if one not in failed] if culprits else []
    failures = culprits or (Failure(payer, None, reason),)
    try:
        return _patiently(connection, lambda: _rest(connection, desk, rest, failures, made_by=made_by))
    except HeldUpError:
        raise
    except _CULPRITS as error:
        failures = (*failures, Failure(payer, None, _reason(error)))
    return _patiently(connection, lambda: _rest(connection, desk, (), failures, made_by=made_by))


def _rest(
    connection: Connection, desk: Desk, rest: Sequence[int], failures: tuple[Failure, ...], *, made_by: str
) -> Sheaf:
    """Bill the contracts of a payer that can be, and write down why the others can't."""
    with connection.transaction():
        limit_waits(connection, LOCK_WAIT_MS)
        sheaf = work_out_batch(connection, desk, rest)
        told = tuple((one.contract_id or 0, one.customer_id) for one in failures)
        sheaf = replace(sheaf, owners=(*sheaf.owners, *told), failures=(*failures, *sheaf.failures))
        write_batch(connection, desk, sheaf, made_by=made_by)
    return sheaf


def _tried(connection: Connection, desk: Desk, contract_id: int, *, made_by: str) -> str | None:
    """Why a contract can't be billed alone, found out and taken back; None when it can."""

    def attempt() -> Sheaf:
        with connection.transaction(force_rollback=True):
            limit_waits(connection, LOCK_WAIT_MS)
            sheaf = work_out_batch(connection, desk, (contract_id,))
            write_batch(connection, desk, sheaf, made_by=made_by)
            # What is checked when a transaction ends is checked now.
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return sheaf

    try:
        sheaf = _patiently(connection, attempt, tries=_TRIES_ALONE)
    except HeldUpError:
        raise
    except _CULPRITS as error:
        return _reason(error)
    return sheaf.failures[0].reason if sheaf.failures else None


def _reason(error: Exception) -> str:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        where = f" ({error.diag.constraint_name})" if error.diag.constraint_name else ""
        return f"the database refuses it: {error.diag.message_primary}{where}"
    return str(error).strip() or type(error).__name__


def _customers(contracts: Sequence[DueContract]) -> list[int]:
    """Who may get a document of these contracts."""
    found = {one.payer_id for one in contracts}
    for one in contracts:
        found |= {each.corrects.customer_id for each in one.waiting if each.corrects is not None}
        found |= {line.customer_id for _, line in one.charged if line is not None}
    return sorted(found)


def _waited(claims: Sequence[Claim]) -> list[int]:
    return sorted(one.charge.id for one in claims if not one.charge.is_new)
