"""What an account used and did: usage by day and by month, logins, past sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.store.account_history import (
    UsageRow,
    load_logins_behind,
    load_sessions_behind,
    load_usage_days,
    load_usage_months,
)
from web.acting import clock, transaction
from web.language import day_shown, gettext, month_shown, zone
from web.lists import PAGE_ROWS, after, chosen, file_of, page_of
from web.marks import allowed
from web.staff.account_words import ENDINGS, reason_words
from web.staff.accounts import known

pages = Blueprint("account_past", __name__)
_MONTHS: Final = 13
_FILE_ROWS: Final = 100_000


@pages.get("/accounts/<path:username>/usage")
@allowed(Permission.ACCOUNT_SEE)
def usage(username: str) -> str | Response:
    """Octets by day of a month, and by month of a year."""
    with transaction() as connection:
        account = known(connection, username)
        today = clock(connection).astimezone(zone()).date()
        month = _month(today)
        last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        days = load_usage_days(connection, account.id, first=month, last=last)
        first = _months_before(today.replace(day=1), _MONTHS - 1)
        months = load_usage_months(connection, account.id, first=first, last=today)
    columns = [gettext("Day"), gettext("Down, octets"), gettext("Up, octets")]
    file = file_of(f"usage-{month:%Y-%m}", columns, ((row.day, row.octets_out, row.octets_in) for row in days))
    if file is not None:
        return file
    last_shown = min(last, today)
    all_days = [month + timedelta(days=number) for number in range((last_shown - month).days + 1)]
    all_months = [_months_before(today.replace(day=1), number) for number in range(_MONTHS - 1, -1, -1)]
    before = _months_before(month, 1)
    return render_template(
        "staff/accounts/usage.html",
        account=account,
        tab="usage",
        month=month,
        before=f"{before:%Y-%m}",
        later=f"{last + timedelta(days=1):%Y-%m}" if last < today else None,
        days=_filled(days, all_days),
        day_bars=_bars(
            _filled(days, all_days), [str(one.day) for one in all_days], [day_shown(one) for one in all_days]
        ),
        months=_filled(months, all_months),
        month_bars=_bars(
            _filled(months, all_months),
            [f"{one:%m/%y}" for one in all_months],
            [month_shown(one) for one in all_months],
        ),
    )


@pages.get("/accounts/<path:username>/logins")
@allowed(Permission.ACCOUNT_SEE)
def logins(username: str) -> str | Response:
    """Every login that was asked for, with the answer, why, and what to do."""
    outcome = chosen("outcome", ("accept", "reject"))
    with transaction() as connection:
        account = known(connection, username)
        rows = load_logins_behind(connection, username, behind=_behind(), outcome=outcome, limit=_limit())
    columns = [gettext("When"), gettext("Answer"), gettext("Why"), gettext("NAS"), gettext("MAC"), gettext("Line")]
    file = file_of(
        "logins", columns, ((r.at, r.outcome, reason_words(r.reason)[0], r.nas or "", r.mac, r.line) for r in rows)
    )
    if file is not None:
        return file
    page = page_of(rows, lambda row: (row.at, row.key))
    shown = [(row, *reason_words(row.reason)) for row in page.rows]
    return render_template("staff/accounts/logins.html", account=account, tab="logins", page=page, logins=shown)


@pages.get("/accounts/<path:username>/sessions")
@allowed(Permission.ACCOUNT_SEE)
def sessions(username: str) -> str | Response:
    """Sessions that are over."""
    with transaction() as connection:
        account = known(connection, username)
        rows = load_sessions_behind(connection, account.id, behind=_behind(), limit=_limit())
    columns = [gettext("Began"), gettext("Ended"), gettext("NAS"), gettext("Address"), gettext("MAC")]
    columns += [gettext("Down, octets"), gettext("Up, octets"), gettext("Ended by")]
    file = file_of(
        "sessions",
        columns,
        (
            (
                r.started_at,
                r.ended_at,
                r.nas,
                r.address or "",
                r.mac,
                r.octets_out,
                r.octets_in,
                str(ENDINGS[r.ended_by]),
            )
            for r in rows
        ),
    )
    if file is not None:
        return file
    page = page_of(rows, lambda row: (row.ended_at, str(row.session_key)))
    return render_template(
        "staff/accounts/past_sessions.html", account=account, tab="sessions", page=page, endings=ENDINGS
    )


def _behind() -> tuple[datetime, str] | None:
    """The last row that was shown. Raises: BadRequest."""
    match after():
        case None:
            return None
        case (datetime() as at, str(key)) if key.replace("-", "").isalnum():
            return at, key
        case _:
            raise BadRequest


def _limit() -> int:
    return _FILE_ROWS if request.args.get("file") else PAGE_ROWS + 1


def _month(today: date) -> date:
    """The first day of the month that is asked for, else of this one. Raises: BadRequest."""
    asked = request.args.get("month", "")
    if not asked:
        return today.replace(day=1)
    try:
        return min(date.fromisoformat(f"{asked}-01"), today.replace(day=1))
    except ValueError as error:
        raise BadRequest(gettext("Write a month such as %(example)s.", example="2026-01")) from error


def _months_before(month: date, number: int) -> date:
    years, place = divmod(month.year * 12 + month.month - 1 - number, 12)
    return date(years, place + 1, 1)


def _filled(rows: Sequence[UsageRow], days: Sequence[date]) -> list[UsageRow]:
    """A row for each of these days, also where nothing was used."""
    there = {row.day: row for row in rows}
    return [there.get(day, UsageRow(day, 0, 0)) for day in days]


def _bars(rows: Sequence[UsageRow], labels: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """Each row as a bar: its share of the highest one in percent, down and up."""
    most = max((row.octets_in + row.octets_out for row in rows), default=0) or 1
    return [
        {
            "label": label,
            "title": title,
            "down": round(100 * row.octets_out / most, 2),
            "up": round(100 * row.octets_in / most, 2),
            "row": row,
        }
        for row, label, title in zip(rows, labels, titles, strict=True)
    ]
