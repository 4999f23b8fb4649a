"""The letter of a step of dunning: what of the debt it speaks of, and the days that it names.

A letter is kept as it stood when its step ran, and printed from that: `billing/operations/printing.py`.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model section 14.

Next: billing/store/dunning_letters.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg

from billing.calendar import billing_day
from billing.dunning.debt import OwedPart
from billing.dunning.evaluation import CaseChange, Evaluation, evaluate
from billing.dunning.facts import FormalNotice
from billing.dunning.floor import Channel
from billing.dunning.policy import Action, Policy, Step
from billing.dunning.steps import StepToRun
from billing.messages.message import Enclosure, NewMessage
from billing.store.dunning_facts import Account
from billing.store.dunning_letters import NewLetter, save_letters

Connection = psycopg.Connection[Any]
LETTER: Final = "letter"
# What has room for a letter: a text to a telephone has not.
_ON_PAPER: Final = frozenset({Channel.EMAIL, Channel.LETTER, Channel.REGISTERED_LETTER, Channel.CERTIFIED_MAIL})
# By when to pay where no limit is announced: a week, and what is formal the fifteen days of art. 1454 c.c.
_PAY_WITHIN: Final = timedelta(days=7)
_PAY_FORMAL_WITHIN: Final = timedelta(days=15)


def letter_of(
    account: Account, step: Step, ran: StepToRun, evaluation: Evaluation, *, case_id: int | None, now: datetime
) -> NewLetter | None:
    """What a notice writes; None where a step is no notice, is of no case, or goes by what carries no letter."""
    if case_id is None or ran.due_on is not None or step.action is not Action.NOTIFY or step.channel not in _ON_PAPER:
        return None
    today = billing_day(now, account.policy.guard.zone)
    limited_on = limited_from(account, step, ran, evaluation, now=now) if ran.is_formal else None
    floor = account.policy.floor(today) if ran.is_formal else None
    return NewLetter(
        case_id,
        account.customer_id,
        account.key[1],
        ran.code,
        is_formal=ran.is_formal,
        dated=today,
        channel=step.channel.value,
        nth=1 + _written_before(account, evaluation),
        parts=tuple((one.document_id, one.due_on, one.amount.amount) for one in owed_parts(ran, evaluation)),
        pay_by=_pay_by(today, limited_on, is_formal=ran.is_formal),
        limited_on=limited_on,
        notice_days=account.policy.notice_days(today) or None if ran.is_formal else None,
        law=None if floor is None else floor.source,
        contracts=tuple(sorted(ran.contracts)),
    )


def owed_parts(ran: StepToRun, evaluation: Evaluation) -> list[OwedPart]:
    """What of the debt a step speaks of."""
    debt = evaluation.debt
    if ran.due_on is not None:
        return [one for one in debt.upcoming if one.document_id in ran.documents and one.due_on == ran.due_on]
    return [one for one in debt.overdue if not ran.documents or one.document_id in ran.documents]


def limited_from(account: Account, step: Step, ran: StepToRun, evaluation: Evaluation, *, now: datetime) -> date | None:
    """The first day on which a line may be limited once this notice is out; None where its delivery has to be known first."""
    policy = account.policy
    today = billing_day(now, policy.guard.zone)
    notice = FormalNotice(today, step.channel or Channel.LETTER, ran.documents, sent_on=today)
    before = account.facts.notices if evaluation.case in (CaseChange.GOES_ON, CaseChange.NONE) else ()
    facts = replace(account.facts, has_case=True, notices=(*before, notice))
    limiting = {one.code for one in policy.steps if one.is_disruptive}
    waiting = evaluate(facts, policy, now).waiting
    moments = [one.until for one in waiting if one.code in limiting and one.until is not None]
    return billing_day(min(moments), policy.guard.zone) if moments else None


def keep_letters(connection: Connection, written: Sequence[tuple[NewLetter, NewMessage]]) -> list[NewMessage]:
    """Keep these letters; the messages that they go with, with them."""
    ids = save_letters(connection, [letter for letter, _ in written])
    return [
        replace(message, enclosures=(*message.enclosures, Enclosure(LETTER, number)))
        for number, (_, message) in zip(ids, written, strict=True)
    ]


def _written_before(account: Account, evaluation: Evaluation) -> int:
    """How many notices of this case went out."""
    if evaluation.case in (CaseChange.OPENED, CaseChange.RENEWED):
        return 0
    return sum(one.code in account.facts.steps_run for one in _notices(account.policy))


def _notices(policy: Policy) -> list[Step]:
    return [one for one in policy.steps if one.action is Action.NOTIFY and not one.is_before_due and one.channel]


def _pay_by(today: date, limited_on: date | None, *, is_formal: bool) -> date:
    """The day before the line may be limited, where that is known."""
    if limited_on is not None and limited_on > today:
        return limited_on - timedelta(days=1)
    return today + (_PAY_FORMAL_WITHIN if is_formal else _PAY_WITHIN)
