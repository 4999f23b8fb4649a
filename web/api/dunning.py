"""Debts that are pursued: by step, tonight's cuts with their reasons, one case whole, the log of cuts.

Next: dunning_deeds.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from billing.calendar import first_moment
from billing.dunning.evaluation import evaluate
from billing.dunning.reasons import Reason
from billing.dunning.words import say
from billing.money import read_money
from billing.operations.holding_back import confirm_step
from billing.operations.printing import load_letter_paper
from billing.runs.dunning_forecast import CutToCome, cuts_to_come
from billing.store.customers import load_names
from billing.store.dunning_cases import CaseRow, load_case, load_cases, load_events
from billing.store.dunning_facts import load_accounts
from billing.store.dunning_letters import load_letters_of
from billing.store.dunning_policies import load_policies
from control_plane.access.permissions import Permission
from control_plane.store.cut_log import CutRow, load_cuts
from web.acting import clock, person
from web.api._shapes import NO_CONTROL, Amount, Number, amount_of, books_of, done, shaped, there_is_none, written
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.papers import pdf_of
from web.surroundings import here

pages = Noun("dunning")
_MOST_TONIGHT: Final = 1_000
Step = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=NO_CONTROL)]


class Because(msgspec.Struct, frozen=True):
    """A reason: its code, and the same in words."""

    code: str
    words: str


class Case(msgspec.Struct, frozen=True):
    """A debt that is pursued. `level` is the heaviest limit on the customer's lines."""

    id: int
    customer_id: int
    customer: str
    issuer_id: int
    opened_at: datetime
    cleared_at: datetime | None
    overdue: Amount
    last_step: str | None
    last_at: datetime | None
    level: str | None


class LimitedLine(msgspec.Struct, frozen=True):
    """A contract that dunning limits, and how far."""

    contract_id: int
    level: str


class WaitingStep(msgspec.Struct, frozen=True):
    """A step that would come but for the reason. Without `until` a deed is needed; `confirm`: a person's word."""

    step: str
    because: Because
    until: datetime | None
    confirm: bool


class Event(msgspec.Struct, frozen=True):
    """Something that happened in a case."""

    at: datetime
    what: str
    who: str
    detail: str | None


class OneCase(msgspec.Struct, frozen=True):
    """A case: what holds now and why, what each step waits for, all that was done; `letters` are the steps that wrote one."""

    case: Case
    policy: str | None
    debt: Amount | None
    because: list[Because]
    limited: list[LimitedLine]
    waiting: list[WaitingStep]
    next_moment: datetime | None
    events: list[Event]
    letters: list[str]


class CutTonight(msgspec.Struct, frozen=True):
    """A contract that will be limited further, at which moment and why."""

    at: datetime
    customer_id: int
    customer: str
    contract_id: int
    before: str | None
    level: str
    debt: Amount
    because: list[Because]


class Tonight(msgspec.Struct, frozen=True):
    """The cuts of dunning's next hours; `more`: there are others than these."""

    cuts: list[CutTonight]
    more: bool


class Cut(msgspec.Struct, frozen=True):
    """A limit: when, why, what was sent to whom, what the access devices answered, who lifted it."""

    id: int
    at: datetime
    customer_id: int
    customer: str
    contract_id: int
    usernames: list[str]
    level: str
    reason: str
    placed_by: str
    held: bool
    released_by: str | None
    lifted_at: datetime | None
    lifted_by: str | None
    steps: list[str]
    told: list[str]
    answers: list[str]


class CaseQuestion(Paging, frozen=True, kw_only=True):
    """Which cases: of an issuer, of a customer, in which a step ran; with `cleared` also those that are over."""

    issuer_id: Number | None = None
    customer_id: Number | None = None
    step: Step | None = None
    cleared: bool = False


class CutQuestion(Paging, frozen=True, kw_only=True):
    """Which limits: of a customer, from and until a day."""

    customer_id: Number | None = None
    since: date | None = None
    until: date | None = None


class Whose(msgspec.Struct, frozen=True):
    """Whose debts: the only issuer's without a number."""

    issuer_id: Number | None = None


class ToConfirm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which step."""

    step: Step


@pages.call(
    "GET",
    "/dunning/cases",
    permission=Permission.DUNNING_SEE,
    asked=CaseQuestion,
    answers=Slice[Case],
    refusals=(404,),
    does=("dunning.show", "dunning.of_customer"),
)
def find(connection: Connection, *, asked: CaseQuestion) -> Slice[Case]:
    """Debtors, the longest pursued first."""
    key = part_after(asked, int)
    rows = load_cases(
        connection,
        issuer_id=asked.issuer_id,
        customer_id=asked.customer_id,
        cleared=asked.cleared,
        step=asked.step,
        limit=asked.limit + 1,
        after=0 if key is None else key[0],
    )
    return slice_of(rows, asked, shown=_case_shown, key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/dunning/tonight",
    permission=Permission.DUNNING_SEE,
    asked=Whose,
    answers=Tonight,
    refusals=(404,),
    does=("dunning.tonight",),
)
def tonight(connection: Connection, *, asked: Whose) -> Tonight:
    """Whom dunning will limit further in its next hours, and why."""
    books = books_of(connection, asked.issuer_id, asked=True)
    found = list(
        islice(cuts_to_come(connection, load_policies(connection)[books.issuer.id], books.now), _MOST_TONIGHT + 1)
    )
    cuts = cuts_shown(connection, found[:_MOST_TONIGHT], books.zone)
    return Tonight(cuts, len(found) > _MOST_TONIGHT)


@pages.call(
    "GET",
    "/dunning/cases/<int:number>",
    permission=Permission.DUNNING_SEE,
    answers=OneCase,
    refusals=(404,),
    does=("dunning.case",),
)
def show(connection: Connection, *, number: int) -> OneCase:
    """One case: what holds now and why, what each step waits for, all that was done and said."""
    row = _known(connection, number)
    now = clock(connection)
    key = (row.customer_id, row.issuer_id, row.currency)
    account = next((one for one in load_accounts(connection, [row.customer_id], now) if one.key == key), None)
    found = None if account is None or row.cleared_at is not None else evaluate(account.facts, account.policy, now)
    policy = None if account is None else account.policy
    zone = here().settings.zone if policy is None else policy.guard.zone
    confirmed = {one.code for one in policy.steps if one.confirm} if policy is not None else set()
    return OneCase(
        case=_case_shown(row),
        policy=None if policy is None or found is None else policy.name,
        debt=None if found is None else amount_of(found.debt.amount),
        because=[] if found is None else because(found.reasons, zone),
        limited=[] if found is None else [LimitedLine(line, level.value) for line, level in found.levels.items()],
        waiting=[]
        if found is None
        else [
            WaitingStep(one.code, _because(one.reason, zone), one.until, one.code in confirmed) for one in found.waiting
        ],
        next_moment=None if found is None else found.next_moment,
        events=[shaped(Event, one) for one in load_events(connection, number)],
        letters=list(load_letters_of(connection, number)),
    )


@pages.call(
    "POST",
    "/dunning/cases/<int:number>/confirm",
    permission=Permission.DUNNING_ACT,
    also=(Permission.DUNNING_SEE,),
    body=ToConfirm,
    answers=OneCase,
    refusals=(404, 409),
    does=("dunning.confirm",),
)
def confirm(connection: Connection, *, number: int, body: ToConfirm) -> OneCase:
    """Let a step go that waits for a person: it goes with the next pass that its hours allow."""
    _known(connection, number)
    done(confirm_step(connection, number, body.step, now=clock(connection), actor=person().name))
    answer: OneCase = show(connection, number=number)
    return answer


@pages.call(
    "GET",
    "/dunning/cases/<int:number>/letters/<step>.pdf",
    permission=Permission.DUNNING_SEE,
    answers=File("application/pdf"),
    refusals=(404,),
    does=("dunning.letter",),
)
def letter(connection: Connection, *, number: int, step: str) -> Callable[[], Response]:
    """What a step wrote, as PDF: what was open that day, whatever was paid since."""
    letters = load_letters_of(connection, number)
    if step not in letters:
        raise there_is_none()
    issuer_id, paper = load_letter_paper(connection, letters[step])
    return lambda: pdf_of(issuer_id, paper, f"letter-{number}-{step}")


@pages.call(
    "GET",
    "/dunning/cuts",
    permission=Permission.DUNNING_SEE,
    asked=CutQuestion,
    answers=Slice[Cut],
    refusals=(404,),
    does=("dunning.cuts",),
)
def cuts(connection: Connection, *, asked: CutQuestion) -> Slice[Cut]:
    """Who was limited when and why, what they were told, what devices answered, who lifted it; the newest first."""
    zone = here().settings.zone
    key = part_after(asked, datetime, int)
    rows = load_cuts(
        connection,
        customer_id=asked.customer_id,
        since=None if asked.since is None else first_moment(asked.since, zone),
        until=None if asked.until is None else first_moment(min(asked.until, _LAST) + timedelta(days=1), zone),
        before=None if key is None else (key[0], key[1]),
        limit=asked.limit + 1,
        zone=zone,
    )
    return slice_of(rows, asked, shown=_cut_shown, key=lambda row: (row.at, row.id))


_LAST: Final = date(9999, 12, 30)


def cuts_shown(connection: Connection, found: Iterable[CutToCome], zone: ZoneInfo) -> list[CutTonight]:
    """Cuts to come as they are answered."""
    cuts = list(found)
    names = load_names(connection, sorted({one.account.customer_id for one in cuts}))
    return [
        CutTonight(
            at=one.cut.at,
            customer_id=one.account.customer_id,
            customer=names.get(one.account.customer_id, ""),
            contract_id=one.cut.contract_id,
            before=written(one.cut.before),
            level=written(one.cut.level),
            debt=amount_of(one.cut.evaluation.debt.amount),
            because=because(one.cut.evaluation.reasons, zone),
        )
        for one in cuts
    ]


def because(reasons: Iterable[Reason], zone: ZoneInfo) -> list[Because]:
    """Each once."""
    return list(dict.fromkeys(_because(one, zone) for one in reasons))


def _because(reason: Reason, zone: ZoneInfo) -> Because:
    return Because(str(written(reason.why)), say(reason, "en", zone))


def _case_shown(row: CaseRow) -> Case:
    return shaped(Case, row, overdue=read_money(row.overdue, row.currency))


def _cut_shown(row: CutRow) -> Cut:
    return shaped(Cut, row)


def _known(connection: Connection, number: int) -> CaseRow:
    row = load_case(connection, number)
    if row is None:
        raise there_is_none()
    return row
