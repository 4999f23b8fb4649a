"""Subscriber accounts: the list with its search, and one account with its contract, policy, sessions and logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.explaining.account_page import AccountPage, given_policy, load_page
from control_plane.explaining.explain_now import quota_in_force
from control_plane.quantities import mac_text
from control_plane.store.account import Account, load_account
from control_plane.store.account_list import Wanted, load_accounts, load_of_contract
from control_plane.store.history import SessionView
from control_plane.store.nas import load_nas_vendors
from control_plane.store.past import load_past
from control_plane.store.plan import load_plan_ids
from radius_hooks.decision import NO_TIME_LIMIT, step_at
from radius_hooks.policy_records import Level
from web.acting import clock, transaction
from web.database import Connection
from web.language import gettext, lazy, moment_shown, zone
from web.later import later_when_large
from web.lists import after, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.navigation import Entry
from web.staff.account_words import (
    LEVEL_TONES,
    LEVELS,
    PREFIX_KINDS,
    SECRETS,
    Line,
    because,
    given_words,
    guarded_lines,
    level_of,
    reason_words,
    step_words,
)
from web.staff.customer_words import STATUS_TONES, STATUSES

pages = Blueprint("accounts", __name__)
ENTRIES: Final = (Entry("network", lazy("Accounts"), "accounts.listed", Permission.ACCOUNT_SEE, order=20),)
# So many logins stand on the first page of an account; the rest is behind its tab.
_LOGINS: Final = 6
_FILE_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A live session as the page shows it."""

    session: SessionView
    given: str
    tone: str


@pages.get("/accounts")
@allowed(Permission.ACCOUNT_SEE)
@later_when_large("session", lazy("Accounts"), when=lambda: request.args.get("online") == "no")
def listed() -> str | Response:
    """The accounts that were asked for."""
    sort, down = sorted_by({"username": "username", "created": "created"}, "username")
    online = chosen("online", ("yes", "no"))
    as_file = chosen("file", ("csv", "xlsx")) is not None
    mark = after()
    with transaction() as connection:
        plans = list(load_plan_ids(connection))
        nases = list(load_nas_vendors(connection))
        wanted = Wanted(
            text=request.args.get("q", "").strip()[:200],
            status=chosen("status", STATUSES),
            plan=chosen("plan", plans),
            level=chosen("level", [level.name.lower() for level in Level]),
            online=None if online is None else online == "yes",
            nas=chosen("nas", nases),
            sort=sort,
            down=down,
            after=mark[0] if mark else None,
            limit=_FILE_ROWS if as_file else 51,
        )
        rows = load_accounts(connection, wanted)
    columns = [gettext("Username"), gettext("Customer"), gettext("Contract"), gettext("Plan"), gettext("Status")]
    columns += [gettext("Network"), gettext("NAS"), gettext("Online since"), gettext("Address")]
    file = file_of("accounts", columns, (_cells(row) for row in rows))
    if file is not None:
        return file
    page = page_of(rows, lambda row: (row.username if sort == "username" else row.id,))
    return render_template(
        "staff/accounts/list.html",
        page=page,
        plans=[(name, name) for name in plans],
        nases=[(name, name) for name in nases],
        statuses=[(value, words) for value, words in STATUSES.items()],
        levels=[(level.name.lower(), words) for level, words in LEVELS.items()],
        words=_words(),
    )


@pages.get("/accounts/<path:username>")
@allowed(Permission.ACCOUNT_SEE)
def show(username: str) -> str:
    """One account now."""
    with transaction() as connection:
        account = known(connection, username)
        now = clock(connection)
        page = load_page(connection, account, at=now, zone=zone())
        past = load_past(connection, account, now)
        beside = [one for one in load_of_contract(connection, account.contract_id) if one.id != account.id]
    step = step_at(page.steps, now.timestamp())
    why = [*because(account, past.restrictions, past.reliefs, at=now), *guarded_lines(page.guarded)]
    quota = quota_in_force(account, at=now)
    return render_template(
        "staff/accounts/show.html",
        account=account,
        tab="show",
        page=page,
        step=step_words(step, page.profiles),
        level=step.level,
        because=why,
        coming=_coming(page),
        sessions=[ShownSession(one, *given_words(given_policy(one, page))) for one in page.sessions],
        logins=[(login, *reason_words(login.reason)) for login in page.logins[:_LOGINS]],
        beside=beside,
        quota=quota,
        used=page.usage.month_in + page.usage.month_out,
        now=now,
        words=_words(),
        macs=", ".join(map(mac_text, account.macs)),
        secret=SECRETS.get(account.secret_kind) or gettext("kept as %(kind)s", kind=account.secret_kind),
        prefix_kinds=PREFIX_KINDS,
    )


def known(connection: Connection, username: str) -> Account:
    """The account of that username. Raises: NotFound."""
    account = load_account(connection, username)
    if account is None:
        abort(404, gettext("There is no account %(name)s.", name=username[:100]))
    return account


def _coming(page: AccountPage) -> list[Line]:
    """What the next steps bring, each with the moment it begins."""
    lines: list[Line] = []
    for before, coming in zip(page.steps, page.steps[1:], strict=False):
        if before.until == NO_TIME_LIMIT:
            break
        title, more = step_words(coming, page.profiles)
        moment = datetime.fromtimestamp(before.until, page.at.tzinfo)
        lines.append((moment_shown(moment), title, more, LEVEL_TONES[coming.level]))
    return lines


def _cells(row: Any) -> tuple[Any, ...]:
    level = level_of(row.level)
    return (
        row.username,
        row.customer,
        row.contract_id,
        row.plan,
        str(STATUSES[row.status]),
        "" if level is None else str(LEVELS[level]),
        row.nas or "",
        row.since,
        row.address or "",
    )


def _words() -> dict[str, Any]:
    """What the templates look up."""
    return {
        "levels": {level.name.lower(): words for level, words in LEVELS.items()},
        "level_tones": {level.name.lower(): tone for level, tone in LEVEL_TONES.items()},
        "statuses": STATUSES,
        "status_tones": STATUS_TONES,
    }
