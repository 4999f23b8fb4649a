"""Deeds on a contract as people do them: in one transaction, audited, with what each would bill and do on the network.

A command and a page do the same: look, do, look again, and keep it or roll it back.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing import deeds as do
from billing.contract_facts import Origin
from billing.contracts import cost_of_leaving
from billing.deeds import Changed, Deed, Refused
from billing.documents import DocumentKind
from billing.errors import BillingError
from billing.money import Money
from billing.operations.doing import NoContractError, do_deed
from billing.runs.batch import look_at_batch
from billing.runs.desk import load_desk
from billing.runs.preview import lines_of
from billing.sentence import Sentence
from billing.store.books import load_book_keeper
from billing.store.contract_page import ChargeRow, ContractPage, ItemRow, load_page, load_usernames, load_zone
from control_plane import audit
from control_plane.explaining.explain_now import steps_of
from control_plane.store.account import load_account
from control_plane.store.limits import load_reliefs, load_restrictions
from radius_hooks.policy_records import PolicyStep

Connection = psycopg.Connection[Any]

# Deeds of which the audit log wants the reason, by the names it knows them.
_AUDITED: Final = {"made_free": "make_free", "lifted": "lift"}
_BY: Final = {Origin.CUSTOMER_PAUSE: do.Lifter.CUSTOMER, Origin.TECHNICAL: do.Lifter.PROVISIONING}


class DeedRefusedError(BillingError):
    """A deed was refused, and nothing was written."""

    def __init__(self, number: int, refused: Refused) -> None:
        super().__init__(f"contract {number}: {refused.sentence}")
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Sight:
    """A contract before or after a deed: its page, and the steps of what the network gives each account from now on."""

    page: ContractPage
    network: dict[str, tuple[PolicyStep, ...]]


@dataclass(frozen=True, slots=True)
class NextBill:
    """What the run that next bills a contract will print of it, from which day on; `gross` of each document."""

    on: date
    lines: list[dict[str, Any]]
    gross: list[Money]


@dataclass(frozen=True, slots=True)
class Done:
    """What a deed came to; `leaving_costs` when an end that was set is reached."""

    event: str
    effective_on: date
    leaving_costs: Money | None = None
    leaving_on: date | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A contract before and after deeds, with what differs."""

    done: tuple[Done, ...]
    before: Sight
    after: Sight
    coming: NextBill | None

    @property
    def items(self) -> list[ItemRow]:
        """Items that are new or other than before."""
        return changed_items(self.before.page, self.after.page)

    @property
    def gone(self) -> list[ItemRow]:
        """Items that never begin."""
        left = {one.id for one in self.after.page.items}
        return [one for one in self.before.page.items if one.id not in left]

    @property
    def charges(self) -> list[ChargeRow]:
        """What waits to be billed and did not before."""
        known = {charge.id for charge in self.before.page.waiting}
        return [charge for charge in self.after.page.waiting if charge.id not in known]


def day_of(connection: Connection, number: int, *, usual_zone: str) -> tuple[date, str]:
    """What day it is for a contract, and in which zone. Raises: NoContractError."""
    found = load_zone(connection, number)
    if found is None:
        raise NoContractError(
            Sentence("there is no contract %(number)s; `corrente contract list` shows them", number=number)
        )
    zone = found[0] or usual_zone
    return datetime.now(UTC).astimezone(ZoneInfo(zone)).date(), zone


def look_at(connection: Connection, number: int, *, zone: ZoneInfo) -> Sight:
    """A contract as this transaction sees it. Raises: NoContractError."""
    page = load_page(connection, number)
    if page is None:
        raise NoContractError(
            Sentence("there is no contract %(number)s; `corrente contract list` shows them", number=number)
        )
    return Sight(page, dict(_network(connection, number, zone)))


def _network(connection: Connection, number: int, zone: ZoneInfo) -> Iterator[tuple[str, tuple[PolicyStep, ...]]]:
    now = datetime.now(UTC)
    restrictions = load_restrictions(connection, number, now=now)
    reliefs = load_reliefs(connection, number, now=now)
    for username in load_usernames(connection, number):
        account = load_account(connection, username)
        assert account is not None, f"account {username} was there a moment ago"
        yield username, steps_of(account, restrictions, reliefs, at=now, zone=zone)


def carry_out(
    connection: Connection, number: int, deeds: Sequence[Deed], *, today: date, zone: str, reason: str, actor: str
) -> tuple[Done, ...]:
    """Each deed in this transaction. Raises: DeedRefusedError with the first that is refused."""
    done = []
    for one in deeds:
        outcome = do_deed(connection, number, one, today=today, actor=actor, reason=reason, zone=zone)
        if isinstance(outcome, Refused):
            raise DeedRefusedError(number, outcome)
        done.append(_done(outcome, today))
        detail = {"effective_on": outcome.effective_on, "reason": reason}
        action = f"contract.{_AUDITED.get(outcome.event, outcome.event)}"
        audit.append(connection, actor=actor, action=action, subject=f"contract {number}", detail=detail)
    return tuple(done)


def _done(outcome: Changed, today: date) -> Done:
    """With what an end that was set will cost when it comes: who asks for it should hear it now."""
    end = outcome.contract.ends_on
    if outcome.event != "end_scheduled" or end is None or end <= today:
        return Done(outcome.event, outcome.effective_on)
    return Done(outcome.event, outcome.effective_on, cost_of_leaving(outcome.contract, end), end)


def preview(
    connection: Connection,
    number: int,
    deeds: Sequence[Deed],
    *,
    today: date,
    zone: str,
    network_zone: ZoneInfo,
    reason: str,
    actor: str,
) -> Preview:
    """Do them and say what came of it, in a transaction that the caller keeps or rolls back. Raises: DeedRefusedError."""
    before = look_at(connection, number, zone=network_zone)
    done = carry_out(connection, number, deeds, today=today, zone=zone, reason=reason, actor=actor)
    after = look_at(connection, number, zone=network_zone)
    return Preview(done, before, after, next_bill(connection, number, before.page, after.page, today))


def next_bill(
    connection: Connection, number: int, old: ContractPage, new: ContractPage, today: date
) -> NextBill | None:
    """What the next run will bill of a contract whose items a deed has changed, worked out as the run does; None where nothing is due of
    them or it can't be billed.
    """
    days = [one.due_on for one in changed_items(old, new) if one.due_on is not None]
    if not days or new.contract.issuer is None:
        return None
    return bill_through(connection, number, max(today, *days))


def bill_through(connection: Connection, number: int, through: date) -> NextBill | None:
    """What a run of that day would bill of a contract; None where nothing is due or it can't be billed."""
    try:
        keeper = load_book_keeper(connection, None, contract_id=number)
        desk = load_desk(connection, keeper.id, run_id=None, run_date=through, through=through)
        sheaf = look_at_batch(connection, desk, [number])
    except BillingError:
        return None
    lines = [line for draft in sheaf.drafts for line in lines_of(draft)]
    signs = [-1 if draft.kind is DocumentKind.CREDIT_NOTE else 1 for draft in sheaf.drafts]
    gross = [Money(sign * one.totals.gross.minor, one.currency) for sign, one in zip(signs, sheaf.drafts, strict=True)]
    return NextBill(through, lines, gross) if lines else None


def changed_items(old: ContractPage, new: ContractPage) -> list[ItemRow]:
    """Items that are new or other than they were."""
    were = {item.id: item for item in old.items}
    return [item for item in new.items if were.get(item.id) != item]


def end_deeds(day: date, today: date, *, waive_notice: bool, at_no_cost: bool) -> tuple[Deed, ...]:
    """Set the first day without service; one that has come ends the contract now."""
    scheduled = do.ScheduleEnd(day, notice_waived=waive_notice, free_of_cost=at_no_cost)
    return (scheduled, do.ReachEnd()) if day <= today else (scheduled,)


def lift_deed(origin: Origin) -> do.Lift:
    """Lift what is of an origin, in the name of whom it belongs to."""
    return do.Lift(origin, _BY.get(origin, do.Lifter.OPERATOR))
