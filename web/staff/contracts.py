"""Contracts: the list, and one contract with its terms, items, accounts, events, notices and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from billing.contract_facts import Status
from billing.contracts import possible_deeds
from billing.errors import BillingError
from billing.store.commissions import Agent, load_agents, load_assignments
from billing.store.contract_drafts import load_signatures
from billing.store.contract_page import ContractPage, ContractRow, load_events, load_newest, load_page
from billing.store.customer_papers import load_attachments, load_notes
from billing.store.customers import load_addresses
from control_plane.access.permissions import Permission
from control_plane.store.customer_lines import load_lines_of_contract
from web.acting import may, transaction
from web.contract_papers import Printing, agreed_paper, whole_paper
from web.database import Connection
from web.language import gettext, lazy
from web.lists import PAGE_ROWS, after, asked_day, chosen, file_of, page_of
from web.marks import allowed
from web.navigation import Entry
from web.staff import contract_words as words
from web.staff.customer_words import LEVELS, STATUS_TONES, STATUSES
from web.staff.plans import today as operators_today

pages = Blueprint("contracts", __name__)
ENTRIES: Final = (Entry("customers", lazy("Contracts"), "contracts.show_list", Permission.CONTRACT_SEE, order=20),)
_FILE_PAGE: Final = 5_000


@pages.get("/contracts")
@allowed(Permission.CONTRACT_SEE)
def show_list() -> str | Response:
    """Contracts, the newest first."""
    asked: dict[str, Any] = {"status": chosen("status", STATUSES), "ends_before": asked_day("ending")}
    customer = request.args.get("customer", "")
    if customer and not (customer.isascii() and customer.isdigit() and len(customer) < 19):  # a bigint's
        abort(400)
    asked["customer_id"] = int(customer) if customer else None
    key = after()
    if key is not None and (len(key) != 1 or not isinstance(key[0], int)):
        abort(400)
    with transaction() as connection:
        if request.args.get("file") and not may(Permission.CUSTOMER_EXPORT):
            abort(403)
        file = file_of("contracts", _heads(), _file_rows(connection, asked))
        if file is not None:
            return file
        rows = load_newest(connection, **asked, before=key[0] if key else None, limit=PAGE_ROWS + 1)
    return render_template(
        "staff/contracts/list.html",
        page=page_of(rows, lambda row: (row.id,)),
        statuses=STATUSES,
        tones=STATUS_TONES,
    )


def _heads() -> list[str]:
    shown = ("Number", "Customer", "Plan", "Status", "From", "Until", "Accounts")
    return [gettext(one) for one in shown]  # each of these words stands as a head of the list's template, too


def _file_rows(connection: Connection, asked: dict[str, Any]) -> Iterator[list[object]]:
    key: int | None = None
    while True:
        rows: list[ContractRow] = load_newest(connection, **asked, before=key, limit=_FILE_PAGE)
        for one in rows:
            accounts = ", ".join(one.accounts)
            yield [one.id, one.customer, one.plan, str(STATUSES[one.status]), one.starts_on, one.ends_on, accounts]
        if len(rows) < _FILE_PAGE:
            return
        key = rows[-1].id


def known_page(connection: Connection, number: int) -> ContractPage:
    """All of the contract of that number, or the page that there is none."""
    page = load_page(connection, number)
    if page is None:
        abort(404)
    return page


@pages.get("/contracts/<int:number>")
@allowed(Permission.CONTRACT_SEE)
def show(number: int) -> str:
    """One contract."""
    with transaction() as connection:
        page = known_page(connection, number)
        customer = page.contract.customer_id
        parts: dict[str, Any] = {
            "events": load_events(connection, number),
            "lines": load_lines_of_contract(connection, number) if may(Permission.ACCOUNT_SEE) else [],
            "files": [one for one in load_attachments(connection, customer) if one.contract_id == number],
            "notes": [one for one in load_notes(connection, customer) if one.contract_id == number],
            "signatures": load_signatures(connection, number),
            "place": _place(connection, page),
            "agent": _agent(connection, number),
        }
    deeds = possible_deeds(Status(page.contract.status)) if may(Permission.CONTRACT_CHANGE) else ()
    return render_template(
        "staff/contracts/contract.html",
        page=page,
        one=page.contract,
        words=words,
        statuses=STATUSES,
        tones=STATUS_TONES,
        levels=LEVELS,
        deeds=[(name, *words.DEEDS[name]) for name in deeds if name != "keep-plan" or page.plan_changes],
        **parts,
    )


def _agent(connection: Connection, number: int) -> Agent | None:
    """Whose contract it is today or will be."""
    found = load_assignments(connection, [number], on=operators_today(connection))[number].agent_id
    return next(iter(load_agents(connection, agent_id=found)), None) if found is not None else None


def _place(connection: Connection, page: ContractPage) -> Any:
    wanted = page.terms.get("service_address_id")
    return next((one for one in load_addresses(connection, page.contract.customer_id) if one.id == wanted), None)


@pages.get("/contracts/<int:number>.pdf")
@allowed(Permission.CONTRACT_SEE)
def pdf(number: int) -> Response:
    """What was agreed, as it stands today, for both to sign."""
    with transaction() as connection:
        known_page(connection, number)
        printing = _printing(lambda: agreed_paper(connection, number, now=datetime.now(UTC)))
    return printing()


@pages.get("/contracts/<int:number>/whole.pdf")
@allowed(Permission.CONTRACT_SEE, Permission.CUSTOMER_SEE)
def whole(number: int) -> Response:
    """The paper, as it was signed where it was, with the contract's files that are PDFs behind it."""
    with transaction() as connection:
        customer = known_page(connection, number).contract.customer_id
        printing = _printing(lambda: whole_paper(connection, number, customer, now=datetime.now(UTC)))
    return printing()


def _printing(load: Callable[[], Printing]) -> Printing:
    try:
        return load()
    except BillingError:
        abort(404, gettext("Nobody bills this contract, so there is no paper of it."))
