"""Who had an address at a time; every look-up stands in the audit log with its reason, also one that no answer came to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.accounts.holders import look_up
from control_plane.quantities import QuantityError, read_host
from web.acting import clock, person, transaction
from web.api._account_shapes import Moment
from web.api._shapes import Reason, shaped, wrong_value
from web.calls import Noun
from web.surroundings import here

pages = Noun("holders")
_MOST_PORT = 65_535


class HolderQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which address, when and why; `port` where subscribers shared it."""

    address: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    at: Moment
    port: Annotated[int, msgspec.Meta(ge=0, le=_MOST_PORT)] | None = None
    reason: Reason


class AddressHolder(msgspec.Struct, frozen=True):
    """Who had it, or a prefix around it. `valid_to` is null for a live session, last heard of at `heard_at`."""

    username: str
    account_id: int | None
    nas: str | None
    held: str
    first_port: int
    last_port: int
    valid_from: datetime
    valid_to: datetime | None
    heard_at: datetime
    session_key: str


class WhoHad(msgspec.Struct, frozen=True):
    """With nobody, `unknown` says why that is not known (`not_kept`, `before_us`, `month_gone`), null where nobody had it; `since` from when on it is."""

    holders: list[AddressHolder]
    unknown: str | None
    since: datetime | None


@pages.call(
    "POST",
    "/who-had",
    permission=Permission.HOLDER_SEE,
    body=HolderQuestion,
    answers=WhoHad,
    transacted=False,
    does=("who_had.ask",),
)
def ask(*, body: HolderQuestion) -> WhoHad:
    """Who had an address at a time that is over, after it is written down who asked and why."""
    try:
        address, at = read_host(body.address).network_address, body.at.astimezone(UTC)
    except QuantityError as error:
        raise wrong_value("no address", pointer="/address") from error
    except OverflowError as error:
        raise wrong_value("no such moment", pointer="/at") from error
    with transaction() as connection:
        now = clock(connection)
        if at > now:
            raise wrong_value("this is still to come", pointer="/at")
        found = look_up(
            connection,
            address,
            at=at,
            port=body.port,
            reason=body.reason,
            actor=person().name,
            now=now,
            kept_days=here().settings.retention.address_history_days,
        )
    # Only after the commit: what was not written down is not told.
    if found.shared:
        words = f"{len(found.holders)} subscribers shared it then: give the source port"
        raise wrong_value(words, pointer="/port")
    holders = [shaped(AddressHolder, one, session_key=str(one.session_key)) for one in found.holders]
    return WhoHad(holders, found.unknown.name.lower() if found.unknown else None, found.since)
