"""Contracts: listed, shown with all that belongs to them, and made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from flask import Response

from billing.errors import BillingError
from billing.new_contract import MOST_INSTALMENTS
from billing.store.contract_drafts import load_signatures, load_signed
from billing.store.contract_page import ContractPage, load_events, load_newest, load_page
from billing.store.customers import load_addresses
from control_plane.access.permissions import Permission
from control_plane.contract_making import Answers, make_from
from control_plane.store.account import load_account
from web.acting import clock, person
from web.api._account_shapes import macs_of
from web.api._contract_shapes import ListedContract, OneContract, contract_of, listed_of
from web.api._shapes import NO_CONTROL, Number, books_of, shaped, there_is_none, wrong_value
from web.api.customers import known as known_customer
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.contract_papers import agreed_paper, whole_paper
from web.database import Connection
from web.problems import Problem
from web.sealing import sealer
from web.surroundings import here
from web.versions import tell_version

pages = Noun("contracts")

Username = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
Mac = Annotated[
    str, msgspec.Meta(min_length=12, max_length=40, description="twelve hexadecimal digits, however written")
]
_Some = Annotated[list[Number], msgspec.Meta(max_length=50)]


class ContractQuestion(Paging, frozen=True, kw_only=True):
    """Which contracts: of a customer, of a status, ending before a day."""

    customer_id: Number | None = None
    status: Literal["draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled"] | None = None
    ends_before: date | None = None


class ContractAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in. The password is made; `POST /accounts/{username}/password` tells it."""

    username: Username
    macs: Annotated[list[Mac], msgspec.Meta(max_length=50)] = []


class NewContract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contract to be made. `plan_id`, `add_on_ids` and `fee_ids` are products on offer; without `address_id` the service is at the seat,
    without `billing_day` periods begin where service did; `distance`: concluded at a distance, so that the customer may withdraw.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "customer_id": 7,
        "plan_id": 2,
        "account": {"username": "anna.rossi@isp.example", "macs": ["02:00:5e:00:53:01"]},
        "billing_day": 1,
    }

    customer_id: Number
    plan_id: Number
    issuer_id: Number | None = None
    address_id: Number | None = None
    add_on_ids: _Some = []
    fee_ids: _Some = []
    instalments: Annotated[int, msgspec.Meta(ge=1, le=MOST_INSTALMENTS, description="of the fees")] = 1
    promotion_ids: _Some = []
    account: ContractAccount | None = None
    planned_start: date | None = None
    months: Annotated[int, msgspec.Meta(ge=1, le=12, description="months of a period")] = 1
    billing_day: Annotated[int, msgspec.Meta(ge=1, le=31, description="day of the month")] | None = None
    due_days: Annotated[int, msgspec.Meta(ge=0, le=180, description="days to pay")] = 15
    distance: bool = False
    agent_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1, description="who brought it")] | None = None


class ContractEvent(msgspec.Struct, frozen=True):
    """What happened to a contract."""

    at: datetime
    actor: str
    event: str
    effective_on: date | None
    status_before: str
    status_after: str


@pages.call(
    "GET",
    "/contracts",
    permission=Permission.CONTRACT_SEE,
    asked=ContractQuestion,
    answers=Slice[ListedContract],
    refusals=(404,),
    does=("contracts.show_list",),
)
def find(connection: Connection, *, asked: ContractQuestion) -> Slice[ListedContract]:
    """Contracts, the newest first."""
    after = part_after(asked, int)
    rows = load_newest(
        connection,
        customer_id=asked.customer_id,
        status=asked.status,
        ends_before=asked.ends_before,
        before=after[0] if after else None,
        limit=asked.limit + 1,
    )
    return slice_of(rows, asked, shown=listed_of, key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/contracts/<int:number>",
    permission=Permission.CONTRACT_SEE,
    answers=OneContract,
    version="told",
    does=("contracts.show",),
)
def show(connection: Connection, *, number: int) -> OneContract:
    """One contract with its terms, items, what waits to be billed, its signatures and what can be done to it."""
    return _told(connection, number)


def _told(connection: Connection, number: int) -> OneContract:
    page = known(connection, number)
    tell_version(page)
    return contract_of(page, load_signatures(connection, number))


@pages.call("GET", "/contracts/<int:number>/events", permission=Permission.CONTRACT_SEE, answers=Slice[ContractEvent])
def events(connection: Connection, *, number: int) -> Slice[ContractEvent]:
    """What happened to a contract, in order."""
    known(connection, number)
    return Slice([shaped(ContractEvent, one) for one in load_events(connection, number)], None)


@pages.call(
    "POST",
    "/contracts",
    permission=Permission.CONTRACT_CHANGE,
    body=NewContract,
    answers=OneContract,
    status=201,
    version="told",
    does=("contract_wizard.begin", "contract_wizard.step"),
)
def new(connection: Connection, *, body: NewContract) -> OneContract:
    """Make a contract as a draft, with its account: `propose`, `accept` and `activate` it then."""
    try:
        known_customer(connection, body.customer_id)
    except Problem as error:
        raise wrong_value("there is no such customer", pointer="/customer_id") from error
    books = books_of(connection, body.issuer_id)
    if body.address_id is not None and body.address_id not in {
        one.id for one in load_addresses(connection, body.customer_id)
    }:
        raise wrong_value("this is none of the customer's addresses", pointer="/address_id")
    answers = Answers(
        customer_id=body.customer_id,
        issuer_id=books.issuer.id,
        plan=body.plan_id,
        add_ons=tuple(body.add_on_ids),
        fees=tuple(body.fee_ids),
        instalments=body.instalments,
        agent_id=body.agent_id,
        promotions=tuple(body.promotion_ids),
        service_address_id=body.address_id,
        start=body.planned_start,
        months=body.months,
        billing_day=body.billing_day,
        due_days=body.due_days,
        distance=body.distance,
        **_account(connection, body.account),
    )
    made = make_from(connection, here().sealer, answers, today=books.today, actor=person().name)
    return _told(connection, made.contract_id)


def _account(connection: Connection, asked: ContractAccount | None) -> dict[str, Any]:
    if asked is None:
        return {}
    sealer()
    if load_account(connection, asked.username) is not None:
        raise wrong_value("somebody has this username already", pointer="/account/username")
    return {"username": asked.username, "macs": tuple(macs_of(asked.macs, "/account/macs"))}


@pages.call(
    "GET",
    "/contracts/<int:number>/paper.pdf",
    permission=Permission.CONTRACT_SEE,
    answers=File("application/pdf"),
    does=("contracts.pdf",),
)
def paper(connection: Connection, *, number: int) -> Callable[[], Response]:
    """What was agreed, as it stands today, for both to sign."""
    known(connection, number)
    try:
        return agreed_paper(connection, number, now=clock(connection))
    except BillingError as error:
        raise Problem(404, "Nobody bills this contract, so there is no paper of it.") from error


@pages.call(
    "GET",
    "/contracts/<int:number>/whole.pdf",
    permission=Permission.CONTRACT_SEE,
    also=(Permission.CUSTOMER_SEE,),
    answers=File("application/pdf"),
    does=("contracts.whole",),
)
def whole(connection: Connection, *, number: int) -> Callable[[], Response]:
    """The paper, as it was signed where it was, with the contract's files that are PDFs behind it."""
    customer = known(connection, number).contract.customer_id
    try:
        return whole_paper(connection, number, customer, now=clock(connection))
    except BillingError as error:
        raise Problem(404, "Nobody bills this contract, so there is no paper of it.") from error


@pages.call(
    "GET",
    "/contracts/<int:number>/signatures/<int:signature>/paper.pdf",
    permission=Permission.CONTRACT_SEE,
    answers=File("application/pdf"),
    does=("contract_signing.paper",),
)
def signed_paper(connection: Connection, *, number: int, signature: int) -> Callable[[], Response]:
    """The very paper that was signed."""
    content = _kept(connection, number, signature)[1]
    return lambda: Response(content, content_type="application/pdf")


@pages.call(
    "GET",
    "/contracts/<int:number>/signatures/<int:signature>/drawing.png",
    permission=Permission.CONTRACT_SEE,
    answers=File("image/png"),
    does=("contract_signing.drawing",),
)
def drawing(connection: Connection, *, number: int, signature: int) -> Callable[[], Response]:
    """What was drawn by who signed."""
    content = _kept(connection, number, signature)[0]
    return lambda: Response(content, content_type="image/png")


def _kept(connection: Connection, number: int, signature: int) -> tuple[bytes, bytes]:
    found = load_signed(connection, number, signature)
    if found is None:
        raise there_is_none()
    return found


def known(connection: Connection, number: int) -> ContractPage:
    """All of the contract of that number. Raises: Problem."""
    found = load_page(connection, number)
    if found is None:
        raise there_is_none()
    return found
