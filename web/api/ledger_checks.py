"""The check of the books: asked for, done by the worker, and what it found."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from billing.store import asked_checks as store
from control_plane.access.permissions import Permission
from control_plane.books_check import NAMES, ask
from web.acting import person
from web.api._shapes import Words, shaped, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("ledger", "checks")
_GREATEST_ID: Final = 2**63 - 1
_BEFORE_ALL: Final = (0, 0)


class BooksCheck(msgspec.Struct, frozen=True):
    """A check of the books: `done` of `checks` are over and `findings` are wrong so far. `only` is empty for everything; one that was
    `given_up` came to no end.
    """

    id: int
    only: list[str]
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    given_up: bool
    checks: int
    done: int
    findings: int


class CheckResult(msgspec.Struct, frozen=True):
    """One of its checks: `rows_done` of `rows_of` rows are looked at."""

    name: str
    invariants: str
    rows_done: int
    rows_of: int
    findings: int
    begun_at: datetime | None
    ended_at: datetime | None


class OneBooksCheck(BooksCheck, frozen=True):
    """The same with its checks, in their order."""

    results: list[CheckResult]


class BooksFinding(msgspec.Struct, frozen=True):
    """Something that is wrong: by which check, of what, and what it is. Of each check the first ones are kept."""

    check: str
    number: int
    subject: str
    message: str


class WhichChecks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which checks, by name: all without any."""

    only: Annotated[list[Words], msgspec.Meta(max_length=100)] = []


class FindingsQuestion(Paging, frozen=True, kw_only=True):
    """Findings of which check: of all without one."""

    check: Words | None = None


@pages.call(
    "GET",
    "/ledger/checks",
    permission=Permission.LEDGER_SEE,
    asked=Paging,
    answers=Slice[BooksCheck],
    refusals=(404,),
    does=("ledger_checks.list_",),
)
def checks(connection: Connection, *, asked: Paging) -> Slice[BooksCheck]:
    """The checks of the books that were asked for, the newest first."""
    begin = part_after(asked, int)
    rows = store.load_checks(connection, before=begin[0] if begin else _GREATEST_ID, limit=asked.limit + 1)
    return slice_of(
        rows, asked, shown=lambda one: shaped(BooksCheck, one, only=list(one.chosen)), key=lambda one: (one.id,)
    )


@pages.call(
    "POST",
    "/ledger/checks",
    permission=Permission.LEDGER_POST,
    also=(Permission.LEDGER_SEE,),
    body=WhichChecks,
    answers=OneBooksCheck,
    status=201,
    does=("ledger_checks.new",),
)
def check(connection: Connection, *, body: WhichChecks) -> OneBooksCheck:
    """Ask for one, which the worker does; while one is under way that one is answered."""
    for place, name in enumerate(body.only):
        if name not in NAMES:
            raise wrong_value(f"one of: {', '.join(NAMES)}", pointer=f"/only/{place}")
    return _one(connection, ask(connection, body.only, by=person().name))


@pages.call(
    "GET",
    "/ledger/checks/<int:number>",
    permission=Permission.LEDGER_SEE,
    answers=OneBooksCheck,
    refusals=(404,),
    does=("ledger_checks.show",),
)
def one_check(connection: Connection, *, number: int) -> OneBooksCheck:
    """How far one is, and how much each of its checks found."""
    return _one(connection, number)


@pages.call(
    "GET",
    "/ledger/checks/<int:number>/findings",
    permission=Permission.LEDGER_SEE,
    asked=FindingsQuestion,
    answers=Slice[BooksFinding],
    refusals=(404,),
    does=("ledger_checks.findings",),
)
def check_findings(connection: Connection, *, number: int, asked: FindingsQuestion) -> Slice[BooksFinding]:
    """What it found, in the order of its checks."""
    begin: Any = part_after(asked, int, int)
    if store.load_check(connection, number) is None:
        raise there_is_none()
    if asked.check is not None and asked.check not in NAMES:
        raise wrong_value(f"one of: {', '.join(NAMES)}", parameter="check")
    rows = store.load_findings(connection, number, name=asked.check, after=begin or _BEFORE_ALL, limit=asked.limit + 1)
    return slice_of(
        rows,
        asked,
        shown=lambda one: shaped(BooksFinding, one, check=one.name),
        key=lambda one: (one.place, one.number),
    )


def _one(connection: Connection, number: int) -> OneBooksCheck:
    found = store.load_check(connection, number)
    if found is None:
        raise there_is_none()
    results = [shaped(CheckResult, one) for one in store.load_results(connection, number)]
    return shaped(OneBooksCheck, found, only=list(found.chosen), results=results)
