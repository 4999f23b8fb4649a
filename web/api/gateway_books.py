"""A provider against the books: asked for all that happened, and its files compared with what is known."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec

from billing.store.gateway_lists import ReadFile, load_file, load_files
from billing.store.gateways import GatewayAccount, load_gateway_accounts
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from control_plane.gateways.files import import_file
from control_plane.gateways.provider import GatewayError
from control_plane.refusals import without_command
from web.acting import clock, person
from web.api._shapes import Words, shaped, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("gateways", "books")
_MOST_OCTETS: Final = 8 * 1024 * 1024
# In base64, with what is around it.
_SENT: Final = _MOST_OCTETS * 4 // 3 + 64 * 1024
_GREATEST_ID: Final = 2**63 - 1


class AskFrom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on: from where it was asked last without a moment."""

    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class AskedFor(msgspec.Struct, frozen=True):
    """Since when the worker asks the provider now."""

    since: datetime


class FileFinding(msgspec.Struct, frozen=True):
    """What differs: of a payout, as a whole (`of` is `payout`) or of a payment in it."""

    payout: str
    of: str
    finding: str


class GatewayFile(msgspec.Struct, frozen=True):
    """A provider's file that was compared with the books, and what was found then."""

    id: int
    account: str
    name: str
    rows: int
    findings: list[FileFinding]
    made_by: str
    made_at: datetime


class SentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file in base64."""

    name: Words
    content: Annotated[bytes, msgspec.Meta(min_length=1, max_length=_MOST_OCTETS)]


@pages.call(
    "POST",
    "/gateways/<name>/reconciliation",
    permission=Permission.GATEWAY_SEE,
    also=(Permission.GATEWAY_CHANGE,),
    body=AskFrom,
    answers=AskedFor,
    refusals=(404, 409),
    does=("gateway_books.reconcile",),
)
def reconcile(connection: Connection, *, name: str, body: AskFrom) -> AskedFor:
    """Have the worker ask the provider for all that happened; what was never told is recorded."""
    account = _account(connection, name)
    if body.since is not None and body.since > clock(connection):
        raise wrong_value("that is still to come", pointer="/since")
    office.ask_everything(connection, account, body.since, by=person().name)
    return AskedFor(_account(connection, name).asked_to)


@pages.call(
    "POST",
    "/gateways/<name>/files",
    permission=Permission.GATEWAY_SEE,
    also=(Permission.GATEWAY_CHANGE,),
    body=SentFile,
    answers=GatewayFile,
    status=201,
    refusals=(404,),
    octets=_SENT,
    does=("gateway_books.compare",),
)
def compare(connection: Connection, *, name: str, body: SentFile) -> GatewayFile:
    """Compare a reconciliation file with what is known of its payouts; one that was compared before is answered as it was."""
    account = _account(connection, name)
    try:
        read = import_file(connection, account, body.name, body.content, actor=person().name)
    except GatewayError as error:
        raise wrong_value(without_command(str(error)), pointer="/content") from error
    found = load_file(connection, read.number)
    assert found is not None, "it was written"
    return _shown(found)


@pages.call(
    "GET",
    "/gateways/files",
    permission=Permission.GATEWAY_SEE,
    asked=Paging,
    answers=Slice[GatewayFile],
    refusals=(404,),
    does=("gateway_books.files",),
)
def files(connection: Connection, *, asked: Paging) -> Slice[GatewayFile]:
    """Files that were compared, the newest first."""
    begin = part_after(asked, int)
    rows = load_files(connection, before=begin[0] if begin else _GREATEST_ID, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_shown, key=lambda one: (one.id,))


@pages.call(
    "GET",
    "/gateways/files/<int:number>",
    permission=Permission.GATEWAY_SEE,
    answers=GatewayFile,
    refusals=(404,),
    does=("gateway_books.file",),
)
def file(connection: Connection, *, number: int) -> GatewayFile:
    """One of them."""
    found = load_file(connection, number)
    if found is None:
        raise there_is_none()
    return _shown(found)


def _account(connection: Connection, name: str) -> GatewayAccount:
    found = next((one for one in load_gateway_accounts(connection) if one.name == name), None)
    if found is None:
        raise there_is_none()
    return found


def _shown(found: ReadFile) -> GatewayFile:
    findings = [FileFinding(payout, of, without_command(said)) for payout, of, said in found.findings]
    return shaped(GatewayFile, found, findings=findings)
