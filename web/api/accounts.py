"""Subscriber accounts: found, and shown with what they have on the network."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.store.account import load_prefixes
from control_plane.store.account_list import ListedAccount, Wanted, load_accounts
from control_plane.store.session_list import load_sessions
from web.api._account_shapes import KINDS, known, seen_of
from web.api._shapes import NO_CONTROL
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.versions import tell_version

pages = Noun("accounts")

# More live sessions than these no account has.
_MOST_SESSIONS = 100


class Question(Paging, frozen=True, kw_only=True):
    """Which accounts: `q` is found in username, customer, address or MAC."""

    q: Annotated[str, msgspec.Meta(max_length=200, pattern=NO_CONTROL)] | None = None
    status: Literal["draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled"] | None = None
    level: Literal["full", "throttle", "walled", "blocked", "none"] | None = None
    online: bool | None = None


class ListedLine(msgspec.Struct, frozen=True):
    """An account in a list. `level` is what it should have now, with the reason; `nas` where it is online."""

    id: int
    username: str
    contract_id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    level: str | None
    reason: str | None
    nas: str | None
    since: datetime | None
    address: str | None


class LiveSession(msgspec.Struct, frozen=True):
    """A live session. Units: octets; seconds."""

    nas: str
    address: str
    mac: str
    line: str
    started_at: datetime
    heard_at: datetime
    octets_in: int
    octets_out: int
    session_time_s: int


class OneAccount(msgspec.Struct, frozen=True):
    """An account with its addresses and its live sessions. Of its secret nothing is told."""

    id: int
    username: str
    contract_id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    expires_at: datetime | None
    max_sessions: int
    macs: list[str]
    circuit_ids: list[str]
    nases: list[str]
    ipv4: str | None
    ipv6: str | None
    ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    routes: list[str]
    sessions: list[LiveSession]


@pages.call(
    "GET",
    "/accounts",
    permission=Permission.ACCOUNT_SEE,
    asked=Question,
    answers=Slice[ListedLine],
    refusals=(404,),
    does=("accounts.listed",),
)
def find(connection: Connection, *, asked: Question) -> Slice[ListedLine]:
    """Accounts by username."""
    after = part_after(asked, str)
    wanted = Wanted(
        text=asked.q or "",
        status=asked.status,
        level=asked.level,
        online=asked.online,
        after=after[0] if after else None,
        limit=asked.limit + 1,
    )
    return slice_of(load_accounts(connection, wanted), asked, shown=_listed, key=lambda row: (row.username,))


@pages.call(
    "GET",
    "/accounts/<username>",
    permission=Permission.ACCOUNT_SEE,
    answers=OneAccount,
    version="told",
    does=("accounts.show",),
)
def show(connection: Connection, *, username: str) -> OneAccount:
    """One account."""
    return show_account(connection, username)


def show_account(connection: Connection, username: str) -> OneAccount:
    """The account as it is answered, with its version. Raises: Problem."""
    found = known(connection, username)
    prefixes = load_prefixes(connection, found.id)
    tell_version(seen_of(found, prefixes))
    held = {name: [str(one.prefix) for one in prefixes if one.kind == kind] for name, kind in KINDS.items()}
    live = load_sessions(connection, username=username, nas_id=None, stale=False, limit=_MOST_SESSIONS)
    return OneAccount(
        id=found.id,
        username=found.username,
        contract_id=found.contract_id,
        customer_id=found.customer_id,
        customer=found.customer,
        plan=found.plan,
        status=found.status,
        starts_on=found.starts_on,
        ends_on=found.ends_on,
        expires_at=found.expires_at,
        max_sessions=found.max_sessions,
        macs=found.macs,
        circuit_ids=found.circuit_ids,
        nases=found.nas_names,
        routes=held.pop("routes"),
        **{name: next(iter(texts), None) for name, texts in held.items()},
        sessions=[
            LiveSession(
                nas=one.nas,
                address=str(one.address),
                mac=one.mac,
                line=one.line,
                started_at=one.started_at,
                heard_at=one.received_at,
                octets_in=one.octets_in,
                octets_out=one.octets_out,
                session_time_s=one.session_time_s,
            )
            for one in live
        ],
    )


def _listed(row: ListedAccount) -> ListedLine:
    return ListedLine(
        id=row.id,
        username=row.username,
        contract_id=row.contract_id,
        customer_id=row.customer_id,
        customer=row.customer,
        plan=row.plan,
        status=row.status,
        level=row.level,
        reason=row.reason,
        nas=row.nas,
        since=row.since,
        address=row.address,
    )
