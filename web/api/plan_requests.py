"""Requests of subscribers for another plan: read, and answered once the contract is changed, or with why it is not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.plan_answers import answer_and_tell
from control_plane.store.plan_requests import load_open_requests, load_request
from web.acting import clock, person
from web.api._changes import LINES
from web.api._shapes import shaped, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem

pages = Noun("plan_requests")


class AskedPlan(msgspec.Struct, frozen=True):
    """Somebody asks for another plan. `has` is the contract's plan now, `wants` the one that is asked for."""

    id: int
    contract_id: int
    customer_id: int
    customer: str
    has: str
    wants: str
    note: str | None
    asked_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    accepted: bool | None
    answer: str | None


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the contract was changed; `answer` is read by the subscriber."""

    accepted: bool
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=LINES)] | None = None


@pages.call(
    "GET",
    "/plan-requests",
    permission=Permission.PORTAL_SEE,
    asked=Paging,
    answers=Slice[AskedPlan],
    refusals=(404,),
    does=("plan_requests.show_all",),
)
def find(connection: Connection, *, asked: Paging) -> Slice[AskedPlan]:
    """What waits for an answer, the oldest first."""
    after = part_after(asked, int)
    rows = load_open_requests(connection, after=after[0] if after else None, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=lambda row: shaped(AskedPlan, row), key=lambda row: (row.id,))


@pages.call("GET", "/plan-requests/<int:number>", permission=Permission.PORTAL_SEE, answers=AskedPlan)
def show(connection: Connection, *, number: int) -> AskedPlan:
    """One request."""
    return _shown(connection, number)


@pages.call(
    "POST",
    "/plan-requests/<int:number>/answer",
    permission=Permission.PORTAL_CHANGE,
    body=PlanAnswer,
    answers=AskedPlan,
    does=("plan_requests.answer",),
)
def answer(connection: Connection, *, number: int, body: PlanAnswer) -> AskedPlan:
    """Say that the contract was changed, or why it is not; the contract itself is changed by its own deed."""
    _shown(connection, number)
    now = clock(connection)
    if (
        answer_and_tell(connection, number, accepted=body.accepted, answer=body.answer, by=person().name, now=now)
        is None
    ):
        raise Problem(409, "Somebody else has answered this request.")
    return _shown(connection, number)


def _shown(connection: Connection, number: int) -> AskedPlan:
    found = load_request(connection, number)
    if found is None:
        raise there_is_none()
    return shaped(AskedPlan, found)
