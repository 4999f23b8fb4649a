"""The audit log searched: who did what to what, when and through what, with what stood before and after."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from billing.store.audit import Entry as AuditEntry
from billing.store.audit import Wanted, load_entries, load_entry
from control_plane.access.permissions import Permission
from web.acting import transaction
from web.language import gettext, lazy, zone
from web.lists import FILE_ROWS, PAGE_ROWS, after, chosen, file_of, page_of
from web.marks import allowed
from web.navigation import Entry

pages = Blueprint("audit", __name__, url_prefix="/audit")
ENTRIES: Final = (Entry("system", lazy("Audit log"), "audit.show_all", Permission.AUDIT_SEE, order=20),)
ORIGINS: Final = {
    "screen": lazy("a page"),
    "interface": lazy("the interface"),
    "command": lazy("the command line"),
    "job": lazy("a job"),
}
_MOST_LETTERS: Final = 200
# A file is read whole into memory, and the log has no end.
_FILE_ROWS: Final = min(FILE_ROWS, 100_000)


@pages.get("")
@allowed(Permission.AUDIT_SEE)
def show_all() -> str | Response:
    """The newest rows that are asked for, the newest first."""
    wanted = _wanted()
    as_file = chosen("file", ("csv", "xlsx")) is not None
    with transaction() as connection:
        rows = load_entries(connection, wanted, limit=_FILE_ROWS if as_file else PAGE_ROWS + 1, after=_after())
    columns = [gettext("Number"), gettext("When"), gettext("Who"), gettext("Through"), gettext("What"), gettext("To what"),
               gettext("Request"), gettext("Details")]  # fmt: skip
    file = file_of("audit", columns, ((*_cells(one),) for one in rows)) if as_file else None
    if file is not None:
        return file
    page = page_of(rows, lambda one: (one.at, one.id))
    return render_template("staff/audit/all.html", page=page, origins=ORIGINS)


@pages.get("/<int:number>")
@allowed(Permission.AUDIT_SEE)
def show(number: int) -> str:
    """One row with all its details, what stood before beside what stood after."""
    if number >= 2**63:
        raise NotFound
    with transaction() as connection:
        entry = load_entry(connection, number)
        if entry is None:
            raise NotFound
        request_rows = []
        if entry.request_id:
            near = timedelta(days=1)
            around = Wanted(request_id=entry.request_id, since=entry.at - near, until=entry.at + near)
            request_rows = load_entries(connection, around, limit=PAGE_ROWS)
    before, afterwards = (_fields(entry.detail.get(side)) for side in ("before", "after"))
    names = [name for name in {**before, **afterwards}]
    return render_template(
        "staff/audit/one.html",
        one=entry,
        changes=[(name, before.get(name, ""), afterwards.get(name, "")) for name in names],
        others=[(name, _text(value)) for name, value in entry.detail.items() if name not in ("before", "after")],
        together=[row for row in request_rows if row.id != entry.id],
        origins=ORIGINS,
    )


def _wanted() -> Wanted:
    return Wanted(
        actor=_asked("actor"),
        action=_asked("action"),
        subject=_asked("subject"),
        request_id=_asked("request"),
        since=_begin_of("since"),
        until=_begin_of("until", days_on=1),
        origin=chosen("origin", ORIGINS),
    )


def _asked(name: str) -> str | None:
    text = request.args.get(name, "").strip()
    return text[:_MOST_LETTERS].replace("\0", "") or None


def _begin_of(name: str, *, days_on: int = 0) -> datetime | None:
    """The first moment of the day that is asked for, or of one after it, where the operator is."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days_on)
    except (ValueError, OverflowError) as error:
        raise BadRequest(gettext("Write a day such as %(example)s.", example="2026-01-31")) from error
    return datetime.combine(day, time(), zone())


def _after() -> tuple[datetime, int] | None:
    key = after()
    if key is None:
        return None
    match key:
        case (datetime() as at, int() as number):
            return at, number
        case _:
            raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))


def _cells(one: AuditEntry) -> tuple[Any, ...]:
    return (
        one.id,
        one.at,
        one.actor,
        one.origin or "",
        one.action,
        one.subject,
        one.request_id or "",
        json.dumps(one.detail, ensure_ascii=False, sort_keys=True),
    )


def _fields(side: Any) -> dict[str, str]:
    return {str(name): _text(value) for name, value in side.items()} if isinstance(side, dict) else {}


def _text(value: Any) -> str:
    """As a person reads it: a text as it is, a list with commas, the rest as JSON."""
    match value:
        case None:
            return "—"
        case str():
            return value
        case list() if all(isinstance(part, str | int) for part in value):
            return ", ".join(map(str, value)) or "—"
        case _:
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
