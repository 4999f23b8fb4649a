"""Changes on their way to live sessions with their packets; and logins with what was answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.drift_deeds import NotSentAgainError, send_again
from control_plane.quantities import mac_text
from control_plane.store.enforcement_list import load_enforcement, load_enforcements, load_packets
from control_plane.store.login_list import LoginFilter, LoginRow, load_logins
from web.acting import clock, person
from web.api._shapes import NO_CONTROL, shaped, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem
from web.surroundings import here

pages = Noun("enforcements")
_DAY = timedelta(days=1)
_KEY_DIGITS = 32
_Part = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
_State = Literal["queued", "sent", "acked", "nacked", "unanswered", "verified", "unverifiable", "gave_up", "superseded"]


class Which(Paging, frozen=True, kw_only=True):
    """Which changes: those still open, held by the guard, or alarmed about."""

    username: _Part | None = None
    nas: _Part | None = None
    state: _State | None = None
    which: Literal["open", "held", "alarms"] | None = None


class ListedEnforcement(msgspec.Struct, frozen=True):
    """A change in a list. `level` is what the session should get and `reason` why; `disruptive`: it takes something away."""

    id: int
    username: str
    nas: str
    acct_session_id: str
    level: str
    reason: str
    profile: str | None
    disruptive: bool
    state: str
    method: str
    attempt: int
    error_cause: int | None
    problem: str
    held_since: datetime | None
    held_reason: str
    wanted_at: datetime
    created_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    next_at: datetime | None
    alarmed_at: datetime | None


class Packet(msgspec.Struct, frozen=True):
    """A packet of a change, with its attributes."""

    at: datetime
    direction: str
    code: int
    identifier: int
    peer: str
    attributes: str
    error_cause: int | None


class OneEnforcement(msgspec.Struct, frozen=True):
    """A change with every packet of it."""

    enforcement: ListedEnforcement
    packets: list[Packet]


class WhichLogins(Paging, frozen=True, kw_only=True):
    """Which logins: of the last day, or of one username as long as they are kept."""

    outcome: Literal["accept", "reject"] | None = None
    reason: _Part | None = None
    nas: _Part | None = None
    username: _Part | None = None


class Login(msgspec.Struct, frozen=True):
    """A login and what was answered."""

    at: datetime
    outcome: str
    reason: str
    username: str
    account_id: int | None
    customer_id: int | None
    customer: str | None
    nas: str | None
    source: str | None
    mac: str
    line: str
    detail: str


@pages.call(
    "GET",
    "/enforcements",
    permission=Permission.NETWORK_SEE,
    asked=Which,
    answers=Slice[ListedEnforcement],
    refusals=(404,),
    does=("enforcements.show_all",),
)
def find(connection: Connection, *, asked: Which) -> Slice[ListedEnforcement]:
    """Changes, the newest first."""
    before = part_after(asked, int)
    rows = load_enforcements(
        connection,
        username=asked.username,
        nas=asked.nas,
        state=asked.state,
        alarms=asked.which == "alarms",
        open_only=asked.which == "open",
        held_only=asked.which == "held",
        before=before[0] if before else None,
        limit=asked.limit + 1,
    )
    return slice_of(rows, asked, shown=lambda row: shaped(ListedEnforcement, row), key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/enforcements/<int:number>",
    permission=Permission.NETWORK_SEE,
    answers=OneEnforcement,
    refusals=(404,),
    does=("enforcements.show",),
)
def show(connection: Connection, *, number: int) -> OneEnforcement:
    """One change: why, where it stands, every packet with its attributes."""
    found = load_enforcement(connection, number)
    if found is None:
        raise there_is_none()
    packets = [shaped(Packet, one) for one in load_packets(connection, number)]
    return OneEnforcement(shaped(ListedEnforcement, found), packets)


@pages.call(
    "POST",
    "/enforcements/<int:number>/retry",
    permission=Permission.NETWORK_ACT,
    answers=ListedEnforcement,
    refusals=(404, 409),
    does=("enforcements.retry",),
)
def retry(connection: Connection, *, number: int) -> ListedEnforcement:
    """Send it now: one that waits becomes due, one that was given up is opened anew and answered under its new number."""
    found = load_enforcement(connection, number)
    if found is None:
        raise there_is_none()
    try:
        again = send_again(connection, here().settings, found, actor=person().name, now=clock(connection))
    except NotSentAgainError as error:
        words = (
            "It is on its way, or waits for its proof: there is nothing to send now."
            if error.under_way
            else "Its session is over, or has another change open."
        )
        raise Problem(409, words) from error
    return shaped(ListedEnforcement, load_enforcement(connection, again))


@pages.call(
    "GET",
    "/logins",
    permission=Permission.NETWORK_SEE,
    asked=WhichLogins,
    answers=Slice[Login],
    refusals=(404,),
    does=("logins.show",),
)
def logins(connection: Connection, *, asked: WhichLogins) -> Slice[Login]:
    """Logins and what was answered, the newest first."""
    after = part_after(asked, datetime, str)
    if after is not None and (len(after[1]) != _KEY_DIGITS or not set(after[1]) <= set("0123456789abcdef")):
        raise Problem(404, "There is no such part of the list: take `after` from the `next` of the part before.")
    wanted = LoginFilter(
        since=None if asked.username else clock(connection) - _DAY,
        outcome=asked.outcome or "",
        reason=asked.reason or "",
        nas=asked.nas or "",
        username=asked.username or "",
    )
    rows = load_logins(connection, wanted, after=(after[0], after[1]) if after else None, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_login, key=lambda row: (row.at, row.key))


def _login(row: LoginRow) -> Login:
    return shaped(Login, row, mac=mac_text(row.mac) if row.mac else "")
