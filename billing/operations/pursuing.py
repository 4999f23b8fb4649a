"""A pass of dunning over customers: all that the rules say of them now, written in one transaction.

Each customer is held as by who pays: whoever comes second sees what the first has done. What makes a line lighter is done at any
hour; what limits it further goes by the hours of the policy and the guard's share, and what the guard holds back is not told.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model section 14; invariants I19 to I27.

Next: billing/store/dunning.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg

from billing.contract_facts import Level
from billing.dunning.changes import changes_for
from billing.dunning.evaluation import CaseChange, Evaluation
from billing.dunning.floor import Channel
from billing.dunning.policy import LEVELS, Action, Step
from billing.dunning.simulation import next_look
from billing.dunning.steps import StepToRun
from billing.messages.message import NewMessage
from billing.operations.dunning_letters import keep_letters, letter_of, owed_parts
from billing.operations.restoring import (
    JOB,
    Changing,
    changing_of,
    cleared_events,
    evaluated,
    lift_events,
    lifts_beside,
    tell_restored,
    why_line,
)
from billing.operations.step_deeds import charge_fee, end_contract, message_of
from billing.store import dunning as store
from billing.store import outbox
from billing.store.acting import acting
from billing.store.dunning_facts import Account, Key, load_accounts
from billing.store.dunning_letters import NewLetter
from billing.store.dunning_policies import IssuerPolicies
from billing.store.gateway_charges import load_pages
from billing.store.messages import queue
from billing.store.outbox import Event
from billing.store.payments import hold_free_customers

Connection = psycopg.Connection[Any]
# The pass of the next day looks at everybody: what comes later needs no note of its own.
LOOKS_AHEAD: Final = timedelta(hours=36)
# What waits for a person of the guard is asked about so often.
HELD_AGAIN: Final = timedelta(minutes=15)
_OVER: Final = (CaseChange.CLEARED, CaseChange.RENEWED)


@dataclass(frozen=True, slots=True)
class Cut:
    """A contract that is to be limited further, how far and why."""

    contract_id: int
    level: Level
    reason: str


# Places restrictions of a run, and says which contracts they do not count on yet: held back, or exempt.
Placer = Callable[[Connection, Sequence[Cut]], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a pass did, counted. `held` of what was placed wait for a person."""

    customers: int = 0
    opened: int = 0
    cleared: int = 0
    steps: int = 0
    reminders: int = 0
    placed: int = 0
    held: int = 0
    lifted: int = 0

    def __add__(self, other: Done) -> Done:
        return Done(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the rules say of an account, and what that makes of its restrictions."""

    account: Account
    evaluation: Evaluation
    changing: Changing


@dataclass(slots=True)
class _Writing:
    """The rows of one transaction; `pages` are where the invoices that steps speak of can be paid."""

    pages: Mapping[int, str]

    steps: list[store.StepRow] = field(default_factory=list)
    notices: list[store.NoticeRow] = field(default_factory=list)
    reminders: list[tuple[int, date, str]] = field(default_factory=list)
    lighter: list[store.Lighter] = field(default_factory=list)
    lift: list[int] = field(default_factory=list)
    looks: list[tuple[Key, datetime]] = field(default_factory=list)
    messages: list[NewMessage] = field(default_factory=list)
    letters: list[tuple[NewLetter, NewMessage]] = field(default_factory=list)
    deeds: list[tuple[Account, Step, StepToRun]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def pursue(
    connection: Connection,
    customer_ids: Iterable[int],
    now: datetime,
    *,
    place: Placer,
    policies: Mapping[int, IssuerPolicies] | None = None,
    by: str = JOB,
) -> Done:
    """Do what the rules say about these customers now, in the caller's transaction, which holds them from here on.

    Whom somebody else holds is left out, so that who pays never waits for whom another one waits for.
    """
    held = hold_free_customers(connection, customer_ids)
    acting(connection, by)
    store.forget_looks(connection, held)
    looked: list[_Looked] = []
    for account in load_accounts(connection, held, now, policies=policies):
        found = evaluated(connection, account, now)
        if found is not None:
            looked.append(_Looked(*found, changing_of(*found, found[1].levels)))
    cuts = [
        Cut(contract, level, why_line(one.evaluation.reasons, one.account))
        for one in looked
        for contract, level in one.changing.heavier
    ]
    waiting = place(connection, cuts) if cuts else frozenset()
    done = _write(connection, looked, waiting, now=now, by=by)
    return replace(done, customers=len(held), placed=len(cuts), held=sum(one.contract_id in waiting for one in cuts))


def is_quiet(account: Account, evaluation: Evaluation) -> bool:
    """Whether nothing is to be written about an account now."""
    if _opens(account, evaluation) or evaluation.case is CaseChange.CLEARED or evaluation.steps:
        return False
    if account.promised or account.facts.plans:
        return False
    changes = changes_for(account.facts.restrictions, evaluation.levels, pursued=evaluation.pursued)
    return not (changes.place or changes.lift)


def _write(
    connection: Connection, looked: Sequence[_Looked], waiting: frozenset[int], *, now: datetime, by: str
) -> Done:
    """Everything but the restrictions that were placed."""
    cleared = [one.account.case_id for one in looked if one.account.case_id and one.evaluation.case in _OVER]
    opening = [one.account.key for one in looked if _opens(one.account, one.evaluation)]
    # A case that is renewed is cleared before the next one is opened: there is one at a time.
    store.clear_cases(connection, cleared, now)
    opened = store.open_cases(connection, opening, now)
    owed = {
        part.document_id for one in looked for ran in one.evaluation.steps for part in owed_parts(ran, one.evaluation)
    }
    writing = _Writing(load_pages(connection, sorted(owed)) if owed else {})
    for one in looked:
        case = opened.get(one.account.key, one.account.case_id)
        _note(one, case, waiting=waiting, now=now, to=writing)
        tell_restored(connection, one.account, one.changing)
    store.save_steps(connection, writing.steps, now=now, by=by)
    store.save_notices(connection, writing.notices, now=now, by=by)
    store.save_reminders(connection, writing.reminders, now)
    store.place_lighter(connection, writing.lighter, now)
    lifted = store.lift(connection, writing.lift, now=now, by="dunning")
    store.save_looks(connection, writing.looks)
    queue(connection, [*writing.messages, *keep_letters(connection, writing.letters)], made_by=by)
    outbox.write(connection, writing.events)
    for account, step, ran in writing.deeds:
        if step.action is Action.FEE:
            charge_fee(connection, account, step, ran, now=now)
        else:
            end_contract(connection, account, ran, now=now, by=by)
    return Done(
        opened=len(opening),
        cleared=len(cleared),
        steps=len(writing.steps),
        reminders=len(writing.reminders),
        lifted=lifted,
    )


def _opens(account: Account, evaluation: Evaluation) -> bool:
    """Whether a case begins; where nobody is pursued there is none."""
    return bool(account.policy.steps) and evaluation.case in (CaseChange.OPENED, CaseChange.RENEWED)


def _note(looked: _Looked, case_id: int | None, *, waiting: frozenset[int], now: datetime, to: _Writing) -> None:
    """Put the rows of one account to the others."""
    account, evaluation, changing = looked.account, looked.evaluation, looked.changing
    lift = lifts_beside(account, changing.lift, evaluation.levels, waiting=waiting)
    to.lighter += changing.lighter
    to.lift += lift
    to.events += lift_events(account, replace(changing, lift=lift), "dunning")
    if evaluation.case in _OVER and account.case_id is not None:
        to.events += cleared_events(account, [account.case_id])
    held = waiting | {
        one.contract_id
        for one in account.facts.restrictions
        if one.id in account.rows and account.rows[one.id].held_since
    }
    left_out = False
    for ran in evaluation.steps:
        step = next(one for one in account.policy.steps if one.code == ran.code)
        if step.action in LEVELS and ran.contracts <= held:
            # Not told and not noted until a person lets it go.
            left_out = True
            continue
        if ran.due_on is not None:
            to.reminders += ((document, ran.due_on, ran.code) for document in ran.documents)
        else:
            assert case_id is not None, f"step {ran.code} of {account.key} without a case"
            reason = why_line((*evaluation.reasons, *ran.reasons), account)
            to.steps.append(store.StepRow(case_id, ran.code, sorted(ran.contracts), reason))
            event = {"case": case_id, "customer": account.customer_id, "step": ran.code, "action": step.action}
            to.events.append(Event("dunning.step", {**event, "contracts": sorted(ran.contracts)}))
        if ran.is_formal and case_id is not None:
            amount, channel = evaluation.debt.amount.amount, step.channel or Channel.LETTER
            to.notices.append(store.NoticeRow(case_id, ran.code, channel, sorted(ran.documents), amount))
        if step.action in (Action.FEE, Action.END):
            to.deeds.append((account, step, ran))
        letter = letter_of(account, step, ran, evaluation, case_id=case_id, now=now)
        told = list(message_of(account, step, ran, evaluation, case_id=case_id, pages=to.pages, now=now))
        to.letters += ((letter, one) for one in told if letter is not None)
        to.messages += told if letter is None else ()
    moment = next_look(account.facts, evaluation, account.policy, at=now)
    if left_out:
        moment = min(moment or now + HELD_AGAIN, now + HELD_AGAIN)
    if moment is not None and moment < now + LOOKS_AHEAD:
        to.looks.append((account.key, moment))
