"""The audit log: who did what to what, searched."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from billing.store.audit import Entry as AuditEntry
from billing.store.audit import Wanted, load_entries, load_entry
from control_plane.access.permissions import Permission
from web.api._account_shapes import Moment
from web.api._shapes import Text, shaped, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("audit")


class Entry(msgspec.Struct, frozen=True):
    """A row: who, through what, what, to what; `detail` has what stood before beside what stood after."""

    id: int
    at: datetime
    actor: str
    origin: str | None
    action: str
    subject: str
    request_id: str | None
    detail: dict[str, Any]


class Question(Paging, frozen=True, kw_only=True):
    """Which rows: by who, what, to what, of one request, through what, from a moment on and before another (with zone)."""

    actor: Text | None = None
    action: Text | None = None
    subject: Text | None = None
    request_id: Text | None = None
    origin: Literal["screen", "interface", "command", "job"] | None = None
    since: Moment | None = None
    until: Moment | None = None


@pages.call(
    "GET",
    "/audit",
    permission=Permission.AUDIT_SEE,
    asked=Question,
    answers=Slice[Entry],
    refusals=(404,),
    does=("audit.show_all",),
)
def find(connection: Connection, *, asked: Question) -> Slice[Entry]:
    """Rows of the audit log, the newest first."""
    key = part_after(asked, datetime, int)
    wanted = Wanted(
        actor=asked.actor or None,
        action=asked.action or None,
        subject=asked.subject or None,
        request_id=asked.request_id or None,
        since=asked.since,
        until=asked.until,
        origin=asked.origin,
    )
    rows = load_entries(connection, wanted, limit=asked.limit + 1, after=None if key is None else (key[0], key[1]))
    return slice_of(rows, asked, shown=_shown, key=lambda one: (one.at, one.id))


@pages.call(
    "GET",
    "/audit/<int:number>",
    permission=Permission.AUDIT_SEE,
    answers=Entry,
    refusals=(404,),
    does=("audit.show",),
)
def show(connection: Connection, *, number: int) -> Entry:
    """One row with all its details."""
    entry = load_entry(connection, number)
    if entry is None:
        raise there_is_none()
    return _shown(entry)


def _shown(entry: AuditEntry) -> Entry:
    return shaped(Entry, entry)
