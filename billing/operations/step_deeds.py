"""What a step of dunning does beside limiting: what the customer is told, a fee, the end of a contract.

Source: billing model section 14.

Next: billing/operations/dunning_letters.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg

from billing import deeds as do
from billing.calendar import billing_day
from billing.contacts import ContactRole
from billing.deeds import Refused
from billing.dunning.evaluation import Evaluation
from billing.dunning.policy import Step
from billing.dunning.steps import StepToRun
from billing.errors import BillingError
from billing.messages.message import NewMessage, Purpose
from billing.messages.plain_values import day_told, money_told
from billing.money import total
from billing.operations.doing import do_deed
from billing.operations.dunning_letters import limited_from, owed_parts
from billing.store.acting import acting
from billing.store.contract_items import find_product
from billing.store.dunning_facts import Account
from billing.store.fees import add_fee

Connection = psycopg.Connection[Any]


class StepDeedError(BillingError):
    """A step of dunning can't be done as its policy wants it."""


def message_of(
    account: Account,
    step: Step,
    ran: StepToRun,
    evaluation: Evaluation,
    *,
    case_id: int | None,
    pages: Mapping[int, str],
    now: datetime,
) -> Iterator[NewMessage]:
    """What the customer is told of a step that runs; a step without a channel is not told.

    `pages`: where an invoice can be paid. One is told where it is all that is owed: who paid a part of several would think it paid.
    """
    if step.channel is None:
        return
    origin = f"dunning {case_id} {ran.code}"
    if ran.due_on is not None:
        origin = f"due {min(ran.documents)} {ran.due_on} {ran.code}"
    parts = owed_parts(ran, evaluation)
    labels = {one.id: one.label for one in account.facts.documents}
    data: dict[str, object] = {
        "debt": money_told(total((part.amount for part in parts), evaluation.debt.amount.currency)),
        "documents": [
            {"number": labels[part.document_id], "due_on": day_told(part.due_on), "open": money_told(part.amount)}
            for part in parts
        ],
        "pay_page": pages.get(parts[0].document_id) if len({part.document_id for part in parts}) == 1 else None,
    }
    if ran.is_formal:
        limited_on = limited_from(account, step, ran, evaluation, now=now)
        data["limited_on"] = None if limited_on is None else day_told(limited_on)
    yield NewMessage(
        account.customer_id,
        step.template or ran.code,
        origin,
        data=data,
        purpose=Purpose.LEGAL if ran.is_formal or step.is_disruptive else Purpose.SERVICE,
        channel=step.channel,
        issuer_id=account.key[1],
        role=ContactRole.COLLECTIONS,
    )


def charge_fee(connection: Connection, account: Account, step: Step, ran: StepToRun, *, now: datetime) -> None:
    """Owe the fee of a step on one of the contracts that it is of; the next invoice of that contract has it.

    Raises: StepDeedError without a contract or without such a product; NoPriceError.
    """
    today = billing_day(now, account.policy.guard.zone)
    if not ran.contracts:
        raise StepDeedError(
            f"the fee of step {step.code} is of no contract in service: end the case, or bill it by hand"
        )
    product = find_product(connection, step.fee_product or "")
    if product is None:
        raise StepDeedError(f"step {step.code} charges {step.fee_product!r}: there is no such product")
    add_fee(connection, min(ran.contracts), product, on=today)


def end_contract(connection: Connection, account: Account, ran: StepToRun, *, now: datetime, by: str) -> None:
    """End the contracts of a step from tomorrow on. Raises: StepDeedError where one can't be ended."""
    today = billing_day(now, account.policy.guard.zone)
    for contract in sorted(ran.contracts):
        deed = do.ScheduleEnd(today + timedelta(days=1), notice_waived=True)
        outcome = do_deed(connection, contract, deed, today=today, actor=by, reason=f"unpaid: step {ran.code}")
        if isinstance(outcome, Refused):
            raise StepDeedError(f"contract {contract} can't be ended by step {ran.code}: {outcome.sentence}")
    # What happens to a contract is told by its own name; what follows is the pass again.
    acting(connection, by)
