"""Sessions: who is online, and what is done to those meant: ended, told their policy again, written to.

Each deed says how many sessions it may concern at most (`at_most`): a filter that finds more does nothing. `dry_run=true` answers the numbers first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from billing.messages.errors import TextError
from billing.messages.message import Purpose
from control_plane.access.permissions import Permission
from control_plane.control_loop import by_hand
from control_plane.control_loop.by_hand import Done, TooManyError
from control_plane.messages.to_online import write_to_chosen
from control_plane.quantities import mac_text
from control_plane.store.by_hand import Numbers
from control_plane.store.online_list import (
    FilterError,
    OnlineFilter,
    OnlineRow,
    Sort,
    load_online_page,
    read_mac,
    read_network,
)
from web.acting import clock, may, person
from web.api._shapes import NO_CONTROL, Number, Reason, Words, shaped
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem, Wrong
from web.surroundings import here

pages = Noun("sessions")

# The value of each sort in a part's key.
_KINDS: dict[Sort, type] = {Sort.START: datetime, Sort.USERNAME: str, Sort.NOW: int}
_KEY_CHARACTERS = 36
# An answer of fifty thousand numbers is of no use to anybody.
_MOST_NAMED = 1000
_Part = Annotated[str, msgspec.Meta(max_length=253, pattern=NO_CONTROL)]


class Which(Paging, frozen=True, kw_only=True):
    """Which sessions: all that is given must hold. `username` and `line` are beginnings, `ip` an address or a prefix; `stale` those silent for too long.

    By what they carry now (`now`) the sessions of one NAS are sorted alone; a `-` is the largest first.
    """

    username: _Part = ""
    nas: _Part = ""
    line: _Part = ""
    ip: _Part = ""
    mac: _Part = ""
    customer_id: Number | None = None
    stale: bool = False
    sort: Literal["since", "-since", "username", "-username", "now", "-now"] = "-since"


class OnlineSession(msgspec.Struct, frozen=True):
    """A live session. `policy` is what it runs under, null where that is not known. Units: bit/s; octets; seconds; `in` is from the subscriber."""

    session_key: UUID
    username: str
    account_id: int | None
    contract_id: int | None
    customer_id: int | None
    customer: str | None
    nas: str
    site: str | None
    line: str
    port: str
    ipv4: str | None
    ipv6: str | None
    mac: str
    started_at: datetime
    received_at: datetime
    session_time_s: int
    octets_in: int
    octets_out: int
    rate_in_bps: int | None
    rate_out_bps: int | None
    stale: bool
    policy: str | None
    policy_down_bps: int | None
    policy_up_bps: int | None
    level: str | None
    in_drift: bool
    enforcement_id: int | None


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sessions for which all that is given holds; as in the list."""

    username: _Part = ""
    nas: _Part = ""
    line: _Part = ""
    ip: _Part = ""
    mac: _Part = ""
    customer_id: Number | None = None
    stale: bool = False


class Meant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions: those of these keys, or all that a filter finds; and no more than `at_most`."""

    at_most: Annotated[int, msgspec.Meta(ge=1, le=by_hand.MOST)]
    keys: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=1000)] | None = None
    where: Filter | None = None


class Deed(Meant, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to which, and why."""

    reason: Reason


class Message(Meant, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What their customers are told. `legal` goes at any hour to everybody, `marketing` only with a consent."""

    subject: Words
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]
    purpose: Literal["service", "legal", "marketing"] = "service"


class Came(msgspec.Struct, frozen=True):
    """What comes of a deed. `left_out` have a change under way or nothing to be told; `ends` are ended; `waiting` are held by the stop or a maintenance.

    `beyond` says that more end than automation may cut in an hour (`allowed`). `enforcements` are the changes, the first thousand.
    """

    sessions: int
    subscribers: int
    nases: int
    opened: int
    left_out: int
    ends: int
    waiting: int
    allowed: int
    beyond: bool
    enforcements: list[int]


class Queued(msgspec.Struct, frozen=True):
    """A batch of messages: how many go at once, wait for the hours in which people are written to (the first until `until`), or do not go and why."""

    batch_id: int
    sessions: int
    messages: int
    goes: int
    waits: int
    until: datetime | None
    withheld: dict[str, int]


@pages.call(
    "GET",
    "/sessions",
    permission=Permission.NETWORK_SEE,
    asked=Which,
    answers=Slice[OnlineSession],
    refusals=(404,),
    does=("online.show",),
)
def find(connection: Connection, *, asked: Which) -> Slice[OnlineSession]:
    """Live sessions, newest first unless asked otherwise."""
    sort, down = Sort(asked.sort.removeprefix("-")), asked.sort.startswith("-")
    if sort is Sort.NOW and not asked.nas:
        raise Problem(
            422, "A value is refused.", Wrong("sessions of one NAS alone are sorted by that", parameter="sort")
        )
    after = part_after(asked, _KINDS[sort], str)
    if after is not None and len(after[1]) != _KEY_CHARACTERS:
        raise Problem(404, "There is no such part of the list: take `after` from the `next` of the part before.")
    wanted = _filter(asked, lambda field: Wrong("it can't be read", parameter=field))
    rows = load_online_page(connection, wanted, sort=sort, down=down, after=after, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_shown, key=lambda row: (_sorted_by(row, sort), str(row.session_key)))


def _sorted_by(row: OnlineRow, sort: Sort) -> object:
    return {Sort.START: row.started_at, Sort.USERNAME: row.username, Sort.NOW: row.carries_now}[sort]


def _shown(row: OnlineRow) -> OnlineSession:
    return shaped(OnlineSession, row, mac=mac_text(row.mac))


@pages.call(
    "POST",
    "/sessions/disconnect",
    permission=Permission.NETWORK_ACT,
    body=Deed,
    answers=Came,
    refusals=(409,),
    does=("online_deeds.disconnect",),
)
def disconnect(connection: Connection, *, body: Deed) -> Came:
    """Have these sessions end; their devices log in again by themselves.

    Ending more than automation may cut in an hour needs `network.release` too.
    """
    return _do(connection, body, by_hand.disconnect)


@pages.call(
    "POST",
    "/sessions/reapply",
    permission=Permission.NETWORK_ACT,
    body=Deed,
    answers=Came,
    refusals=(409,),
    does=("online_deeds.reapply",),
)
def reapply(connection: Connection, *, body: Deed) -> Came:
    """Have these sessions told again what they should run under.

    Where a device can't be told, the session is ended and its next login says it. Ending more than automation may cut in an hour needs
    `network.release` too.
    """
    return _do(connection, body, by_hand.apply_again)


@pages.call(
    "POST",
    "/sessions/message",
    permission=Permission.NETWORK_SEE,
    also=(Permission.MESSAGE_SEND,),
    body=Message,
    answers=Queued,
    refusals=(409,),
    does=("online_message.write",),
)
def message(connection: Connection, *, body: Message) -> Queued:
    """Write to the customers behind these sessions, one message each."""
    asked = _meant(body)
    try:
        meant = by_hand.choose(connection, asked)
    except TooManyError as error:
        raise _too_many(body) from error
    _refuse_more(meant, body)
    scope = {"sessions": "chosen"} if asked.keys is not None else {"online": msgspec.to_builtins(body.where)}
    try:
        queued = write_to_chosen(
            connection,
            here().settings,
            subject=body.subject,
            text=body.text,
            purpose=Purpose(body.purpose),
            scope=scope,
            by=person().name,
            now=clock(connection),
        )
    except TextError as error:
        raise Problem(422, "A value is refused.", Wrong(str(error), pointer="/text")) from error
    return shaped(
        Queued,
        queued.outlook,
        batch_id=queued.batch_id,
        sessions=meant.sessions,
        messages=queued.messages,
        withheld=dict(queued.outlook.withheld),
    )


def _do(connection: Connection, body: Deed, deed: Callable[..., Done]) -> Came:
    asked = _meant(body)
    try:
        done = deed(connection, here().settings, asked, reason=body.reason, by=person().name, now=clock(connection))
    except TooManyError as error:
        raise _too_many(body) from error
    _refuse_more(done.meant, body)
    if done.beyond and not may(Permission.NETWORK_RELEASE):
        words = f"{done.ends} sessions would end, more than automation may cut in an hour ({done.allowed}): that needs network.release."
        raise Problem(403, words)
    numbers = {name: getattr(done.meant, name) for name in ("sessions", "subscribers", "nases")}
    return shaped(Came, done, **numbers, enforcements=list(done.enforcements[:_MOST_NAMED]))


def _refuse_more(meant: Numbers, body: Meant) -> None:
    if meant.sessions > body.at_most:
        raise _too_many(body, meant.sessions)


def _too_many(body: Meant, found: int | None = None) -> Problem:
    count = f"more than {by_hand.MOST}" if found is None else str(found)
    return Problem(409, f"{count} sessions are meant and at most {body.at_most} may be: nothing was done.")


def _meant(body: Meant) -> OnlineFilter:
    if (body.keys is None) == (body.where is None):
        raise Problem(422, "A value is refused.", Wrong("give `keys` or `where`", pointer="/keys"))
    if body.where is None:
        return OnlineFilter(keys=tuple(body.keys or ()))
    return _filter(body.where, lambda field: Wrong("it can't be read", pointer=f"/where/{field}"))


def _filter(asked: Which | Filter, wrong: Callable[[str], Wrong]) -> OnlineFilter:
    given: dict[str, Any] = {name: getattr(asked, name) for name in ("username", "nas", "line", "customer_id", "stale")}
    try:
        network = read_network(asked.ip) if asked.ip else None
        return OnlineFilter(**given, network=network, mac=read_mac(asked.mac) if asked.mac else "")
    except FilterError as error:
        raise Problem(422, "A value is refused.", wrong(error.field)) from error
