"""Logins and what was answered: who was refused and why, newest first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.quantities import mac_text
from control_plane.store.login_list import LoginFilter, load_logins
from control_plane.store.nas import load_nas_vendors
from web.acting import clock, transaction
from web.language import gettext, lazy
from web.lists import PAGE_ROWS, after, chosen, file_of, page_of
from web.marks import allowed
from web.navigation import Entry
from web.staff.network_words import REASONS
from web.staff.saved_views import first_look, views_of

pages = Blueprint("logins", __name__)
ENTRIES: Final = (Entry("network", lazy("Logins"), "logins.show", Permission.NETWORK_SEE, order=20),)

PAGE: Final = "logins"
_SPANS: Final[dict[str, tuple[Any, timedelta]]] = {
    "hour": (lazy("Last hour"), timedelta(hours=1)),
    "day": (lazy("Last day"), timedelta(days=1)),
}
_OUTCOMES: Final[dict[str, Any]] = {"reject": lazy("Refused"), "accept": lazy("Accepted")}
_MOST_CHOICES: Final = 100
_LETTERS: Final = 253
_FILE_ROWS: Final = 100_000
_KEY_DIGITS: Final = 32


@pages.get("/logins")
@allowed(Permission.NETWORK_SEE)
def show() -> Response | str:
    """The logins of the last day, or those of one username as long as they are kept."""
    look = first_look(PAGE)
    if look is not None:
        return look
    span = chosen("span", _SPANS) or "day"
    username = request.args.get("username", "").strip()[:_LETTERS]
    with transaction() as connection:
        asked = LoginFilter(
            since=None if username else clock(connection) - _SPANS[span][1],
            outcome=chosen("outcome", _OUTCOMES) or "",
            reason=chosen("reason", map(str, REASONS)) or "",
            nas=request.args.get("nas", "").strip()[:_LETTERS],
            username=username,
        )
        if request.args.get("file"):
            rows = load_logins(connection, asked, after=None, limit=_FILE_ROWS)
            file = file_of("logins", _file_columns(), map(_file_row, rows))
            assert file is not None, "a file was asked for"
            return file
        found = load_logins(connection, asked, after=_after(), limit=PAGE_ROWS + 1)
        nases = list(load_nas_vendors(connection))
    return render_template(
        "staff/logins.html",
        page=page_of(found, lambda row: (row.at, row.key), rows_a_page=PAGE_ROWS),
        asked=asked,
        spans=[(name, label) for name, (label, _) in _SPANS.items() if name != "day"],
        outcomes=list(_OUTCOMES.items()),
        reasons=[(str(reason), words) for reason, words in REASONS.items()],
        nases=[(name, name) for name in nases] if len(nases) <= _MOST_CHOICES else None,
        words=REASONS,
        mac_text=mac_text,
        views=views_of(PAGE),
    )


def _after() -> tuple[datetime, str] | None:
    mark = after()
    match mark:
        case None:
            return None
        case (datetime() as at, str(key)) if len(key) == _KEY_DIGITS and set(key) <= set("0123456789abcdef"):
            return at, key
        case _:
            raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))


def _file_columns() -> tuple[str, ...]:
    return (
        gettext("When"), gettext("Answer"), gettext("Reason"), gettext("Username"), gettext("Customer"), "NAS", gettext("Source"), "MAC", gettext("Line"), gettext("Detail"),
    )  # fmt: skip


def _file_row(row: Any) -> tuple[Any, ...]:
    reason = str(REASONS.get(row.reason, row.reason))
    return (
        row.at, str(_OUTCOMES[row.outcome]), reason, row.username, row.customer, row.nas, row.source, mac_text(row.mac), row.line, row.detail,
    )  # fmt: skip
