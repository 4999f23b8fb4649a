"""E-invoices: how far each is, what the authority said, their files; sent again, and the accounts that send them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

import msgspec
from werkzeug.wrappers import Response

from billing.einvoice.outcome import State
from billing.store import einvoice_desk as store
from billing.store.einvoice_desk import Listed
from billing.store.einvoices import Einvoice, EinvoiceAccount, hold, load_account, load_accounts
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from control_plane.einvoice.by_hand import NotAllowedError, remedies_of
from web.acting import person
from web.api._shapes import there_is_none
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem
from web.sealing import sealer
from web.surroundings import here

pages = Noun("einvoices")
_GREATEST_ID = 2**63 - 1


class EinvoiceQuestion(Paging, frozen=True, kw_only=True):
    """Which e-invoices: of an account, in a state, or those that need a person."""

    account: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    state: State | None = None
    needs_a_person: bool = False


class ListedEinvoice(msgspec.Struct, frozen=True):
    """An e-invoice in a list."""

    id: int
    document: str
    issued_on: date
    account: str
    number: str | None
    state: State
    receiver: str
    code: str | None
    problem: str
    contradiction: str
    since: datetime


class SaidOfIt(msgspec.Struct, frozen=True):
    """One thing that was said."""

    at: datetime
    direction: str
    operation: str
    code: str
    text: str


class KeptFile(msgspec.Struct, frozen=True):
    """A file that is kept of it."""

    kind: str
    sha256: str
    octets: int


class OneEinvoice(msgspec.Struct, frozen=True):
    """An e-invoice, what was said about it, and what may be done until when."""

    einvoice: ListedEinvoice
    document_id: int
    authority_key: str | None
    said: list[SaidOfIt]
    files: list[KeptFile]
    remedies: list[str]
    resend_until: date | None


class EinvoiceAccountStanding(msgspec.Struct, frozen=True):
    """An account at a tax authority."""

    name: str
    provider: str
    environment: str
    enabled: bool
    blocked: str | None
    documents: dict[str, int]
    overdue: int


class EinvoiceAccounts(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[EinvoiceAccountStanding]


class CheckedAccount(msgspec.Struct, frozen=True):
    """What a check found: ok, degraded or blocked."""

    verdict: str
    text: str


class AlsoLate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether also behind the last day."""

    late: bool = False


@pages.call(
    "GET",
    "/einvoices",
    permission=Permission.EINVOICE_SEE,
    asked=EinvoiceQuestion,
    answers=Slice[ListedEinvoice],
    refusals=(404,),
    does=("einvoices.show_list",),
)
def find(connection: Connection, *, asked: EinvoiceQuestion) -> Slice[ListedEinvoice]:
    """E-invoices, the newest first."""
    key = part_after(asked, int)
    rows = store.load_list(
        connection,
        account_id=None if asked.account is None else _account(connection, asked.account).id,
        state=asked.state,
        only_waiting=asked.needs_a_person,
        before=None if key is None else key[0],
        limit=asked.limit + 1,
    )
    return slice_of(rows, asked, shown=_listed, key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/einvoices/<int:number>",
    permission=Permission.EINVOICE_SEE,
    answers=OneEinvoice,
    refusals=(404,),
    does=("einvoices.show",),
)
def show(connection: Connection, *, number: int) -> OneEinvoice:
    """One with what was said about it."""
    return _shown(connection, number)


@pages.call(
    "GET",
    "/einvoices/<int:number>/files/<kind>",
    permission=Permission.EINVOICE_SEE,
    answers=File("application/octet-stream"),
    refusals=(404,),
    does=("einvoices.show_file",),
)
def file(connection: Connection, *, number: int, kind: str) -> Callable[[], Response]:
    """A file of it, such as `sent` or `receipt`."""
    _known(connection, number)
    # A name with a NUL is no file's, and nothing that PostgreSQL takes.
    content = None if "\x00" in kind else store.load_file(connection, number, kind)
    if content is None:
        raise there_is_none()
    return lambda: Response(content, content_type="application/octet-stream")


@pages.call(
    "POST",
    "/einvoices/<int:number>/retry",
    permission=Permission.EINVOICE_ACT,
    body=AlsoLate,
    answers=OneEinvoice,
    refusals=(404, 409, 503),
    does=("einvoices.retry",),
)
def retry(connection: Connection, *, number: int, body: AlsoLate) -> OneEinvoice:
    """Send it again under its number where the law lets, or ask at once where it is in doubt."""
    listed, one, _ = _known(connection, number)
    try:
        office.send_again(
            connection, here().settings, sealer(), one, label=listed.label, late=body.late, by=person().name
        )
    except NotAllowedError as error:
        raise Problem(409, str(error)) from error
    return _shown(connection, number)


@pages.call(
    "GET",
    "/einvoice-accounts",
    permission=Permission.EINVOICE_SEE,
    answers=EinvoiceAccounts,
    does=("einvoices.show_list",),
)
def accounts(connection: Connection) -> EinvoiceAccounts:
    """The accounts and how many documents of each are in which state."""
    return _accounts(connection)


@pages.call(
    "GET",
    "/einvoice-accounts/<name>/check",
    permission=Permission.EINVOICE_ACT,
    answers=CheckedAccount,
    refusals=(404, 503),
    does=("einvoices.check",),
)
def check(connection: Connection, *, name: str) -> CheckedAccount:
    """Ask now whether the authority answers and takes the account's login."""
    health = office.check(connection, here().settings, sealer(), _account(connection, name))
    return CheckedAccount(health.verdict, health.text)


@pages.call(
    "POST",
    "/einvoice-accounts/<name>/enable",
    permission=Permission.EINVOICE_ACT,
    answers=EinvoiceAccounts,
    refusals=(404, 409),
    does=("einvoices.act",),
)
def enable(connection: Connection, *, name: str) -> EinvoiceAccounts:
    """Queue and send through an account."""
    try:
        office.switch(connection, _account(connection, name), enabled=True, by=person().name)
    except office.OtherIsOnError as error:
        raise Problem(409, "Another account of this issuer is on.") from error
    return _accounts(connection)


@pages.call(
    "POST",
    "/einvoice-accounts/<name>/disable",
    permission=Permission.EINVOICE_ACT,
    answers=EinvoiceAccounts,
    refusals=(404,),
    does=("einvoices.act",),
)
def disable(connection: Connection, *, name: str) -> EinvoiceAccounts:
    """Queue, send and ask nothing through an account."""
    office.switch(connection, _account(connection, name), enabled=False, by=person().name)
    return _accounts(connection)


@pages.call(
    "POST",
    "/einvoice-accounts/<name>/unblock",
    permission=Permission.EINVOICE_ACT,
    answers=EinvoiceAccounts,
    refusals=(404,),
    does=("einvoices.act",),
)
def unblock(connection: Connection, *, name: str) -> EinvoiceAccounts:
    """Go on with an account of which the authority took nothing, once that is mended."""
    office.unblock(connection, _account(connection, name), by=person().name)
    return _accounts(connection)


def _accounts(connection: Connection) -> EinvoiceAccounts:
    return EinvoiceAccounts(
        [
            EinvoiceAccountStanding(
                name=one.account.name,
                provider=one.account.provider,
                environment=one.account.environment,
                enabled=one.account.enabled,
                blocked=one.account.blocked_reason or None,
                documents=one.states,
                overdue=one.overdue,
            )
            for one in office.load_standings(connection)
        ]
    )


def _listed(row: Listed) -> ListedEinvoice:
    return ListedEinvoice(
        id=row.id,
        document=row.label,
        issued_on=row.document_date,
        account=row.account,
        number=None if row.number is None else f"{row.series} {row.number}",
        state=State(row.state),
        receiver=row.handover,
        code=row.authority_code,
        problem=row.problem,
        contradiction=row.contradiction,
        since=row.since,
    )


def _shown(connection: Connection, number: int) -> OneEinvoice:
    listed, one, account = _known(connection, number)
    _, said, files = store.load_one(connection, number)
    found = remedies_of(one, account)
    return OneEinvoice(
        einvoice=_listed(listed),
        document_id=one.document_id,
        authority_key=one.standing.authority_key,
        said=[SaidOfIt(each.at, each.direction, each.operation, each.code, each.text) for each in said],
        files=[KeptFile(kind, digest.hex(), size) for kind, digest, size in files],
        remedies=[each.value for each in found.remedies],
        resend_until=found.until,
    )


def _known(connection: Connection, number: int) -> tuple[Listed, Einvoice, EinvoiceAccount]:
    listed = store.find_listed(connection, number) if number <= _GREATEST_ID else None
    if listed is None:
        raise there_is_none()
    one = hold(connection, number)
    return listed, one, load_account(connection, one.account_id)


def _account(connection: Connection, name: str) -> EinvoiceAccount:
    found = next((one for one in load_accounts(connection) if one.name == name), None)
    if found is None:
        raise there_is_none()
    return found
