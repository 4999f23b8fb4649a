"""What gateways told and what came of it, looked into again; and what they paid out."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from billing.store.gateway_lists import load_notices
from billing.store.gateways import load_gateway_accounts, load_payouts
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from web.acting import person
from web.api._shapes import Amount, Number, Words, shaped, there_is_none, written
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("gateways", "events")


class GatewayEvent(msgspec.Struct, frozen=True):
    """That something happened at a provider, in its words; what came of it, or why nothing yet. Without `next_at` it waits for a person."""

    id: int
    account: str
    topic: str
    ref: str
    told_at: datetime
    attempts: int
    next_at: datetime | None
    done_at: datetime | None
    outcome: str
    problem: str


class EventQuestion(Paging, frozen=True, kw_only=True):
    """Which events: of an account, or those alone with a problem."""

    account: Words | None = None
    problems: bool = False


class LookAgain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Into one event, or into all that wait: then what a provider did not answer is asked again, too."""

    event_id: Number | None = None


class LookedAgain(msgspec.Struct, frozen=True):
    """How many events the worker looks into now, and how many pages, debits and refunds it asks for again."""

    events: int
    asked_again: int


class GatewayPayout(msgspec.Struct, frozen=True):
    """What a provider sent to the bank. `unexplained` is in none of its lines; `unknown` are its payments that the books do not have."""

    id: int
    account: str
    ref: str
    amount: Amount
    fee: Amount
    arrives_on: date
    lines: int
    unexplained: Amount
    unknown: list[str]


class PayoutQuestion(Paging, frozen=True, kw_only=True):
    """Which payouts: of an account."""

    account: Words | None = None


@pages.call(
    "GET",
    "/gateways/events",
    permission=Permission.GATEWAY_SEE,
    asked=EventQuestion,
    answers=Slice[GatewayEvent],
    refusals=(404,),
    does=("gateway_events.show_events",),
)
def events(connection: Connection, *, asked: EventQuestion) -> Slice[GatewayEvent]:
    """Events, the newest first."""
    begin = part_after(asked, int)
    rows = load_notices(
        connection,
        account_id=_account_id(connection, asked.account),
        only_problems=asked.problems,
        before=begin[0] if begin else None,
        limit=asked.limit + 1,
    )
    return slice_of(rows, asked, shown=lambda row: shaped(GatewayEvent, row), key=lambda row: (row.id,))


@pages.call(
    "POST",
    "/gateways/events/retry",
    permission=Permission.GATEWAY_SEE,
    also=(Permission.GATEWAY_CHANGE,),
    body=LookAgain,
    answers=LookedAgain,
    does=("gateway_events.retry",),
)
def retry(connection: Connection, *, body: LookAgain) -> LookedAgain:
    """Have the worker look now into what waits."""
    return LookedAgain(*office.look_again(connection, None, notice_id=body.event_id, by=person().name))


@pages.call(
    "GET",
    "/gateways/payouts",
    permission=Permission.GATEWAY_SEE,
    asked=PayoutQuestion,
    answers=Slice[GatewayPayout],
    refusals=(404,),
    does=("gateway_events.show_payouts",),
)
def payouts(connection: Connection, *, asked: PayoutQuestion) -> Slice[GatewayPayout]:
    """Payouts, the newest first."""
    begin = part_after(asked, date, int)
    rows = load_payouts(
        connection,
        account_id=_account_id(connection, asked.account),
        before=(begin[0], begin[1]) if begin else None,
        limit=asked.limit + 1,
    )
    return slice_of(
        rows,
        asked,
        shown=lambda row: shaped(GatewayPayout, row, unknown=written(row.unknown)),
        key=lambda row: (row.arrives_on, row.id),
    )


def _account_id(connection: Connection, name: str | None) -> int | None:
    if name is None:
        return None
    found = next((one.id for one in load_gateway_accounts(connection) if one.name == name), None)
    if found is None:
        raise there_is_none()
    return found
