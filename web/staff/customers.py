"""Customers: the list, a new one, one that is changed, and one page with everything that is linked to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, abort, flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.customer_search import search_patterns
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.store.customer_list import AskedCustomers, By, ListedCustomer, load_listed
from billing.store.customer_page import CustomerPage, load_customer_page
from billing.store.customer_papers import load_history
from billing.store.customers import Customer, load_customer, load_customer_by_reference
from billing.store.issued import load_documents
from billing.store.issuers import load_issuers, load_positions
from billing.store.message_list import load_messages
from billing.store.payments import hold_customers, load_payments
from billing.store.reports import stream_statement
from control_plane.access.permissions import Permission
from control_plane.customers import HeldCustomerError, add_customer, drop_customer, edit_customer
from control_plane.store.customer_lines import load_lines_of_customer
from control_plane.store.portal import load_access_of
from web.acting import clock, may, person, transaction
from web.database import Connection
from web.forms import changed_meanwhile, choices_of, do_once, fingerprint, read_form, refuse, status_of, was_sent
from web.language import LANGUAGES, gettext, lazy, zone
from web.lists import PAGE_ROWS, after, asked_day, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.navigation import Entry
from web.security import policy_with_pictures_of
from web.staff import customer_words as words
from web.staff._document_words import KINDS
from web.staff.customer_forms import CustomerForm, FileForm, NewCustomerForm, NoteForm, SureForm, number_of
from web.surroundings import here

pages = Blueprint("customers", __name__)
ENTRIES: Final = (Entry("customers", lazy("Customers"), "customers.show_list", Permission.CUSTOMER_SEE, order=10),)
# Of each kind the page shows so many; its own list has the rest.
_NEWEST: Final = 10
_HAPPENINGS: Final = 100
_FILE_PAGE: Final = 5_000
_YEAR: Final = timedelta(days=365)
_DOCUMENTS: Final = ("invoice", "credit_note", "quote", "order")
Answer = str | Response | tuple[str, int]


@pages.get("/customers")
@allowed(Permission.CUSTOMER_SEE)
def show_list() -> str | Response:
    """Who there is, by name or number, page after page; or the whole list as a file."""
    columns: dict[str, By] = {"name": "name", "number": "id"}
    column, down = sorted_by(dict(columns), "name")
    by = columns["name" if column == "name" else "number"]
    served = chosen("served", ("yes", "no"))
    asked = AskedCustomers(
        patterns=search_patterns(request.args.get("q", "")),
        kind=chosen("kind", words.KINDS),
        served=None if served is None else served == "yes",
    )
    with transaction() as connection:
        if request.args.get("file") and not may(Permission.CUSTOMER_EXPORT):
            abort(403)
        file = file_of("customers", _heads(), _file_rows(connection, asked, by=by, down=down))
        if file is not None:
            return file
        rows = load_listed(connection, asked, by=by, down=down, after=_after(by), limit=PAGE_ROWS + 1)
    page = page_of(rows, lambda row: (row.name, row.id) if by == "name" else (row.id,))
    return render_template(
        "staff/customers/list.html", page=page, words=words, moneys=moneys, sees_money=may(Permission.DOCUMENT_SEE)
    )


def _after(by: By) -> tuple[Any, ...] | None:
    key = after()
    kinds = (str, int) if by == "name" else (int,)
    if key is not None and (len(key) != len(kinds) or not all(map(isinstance, key, kinds))):
        abort(400, gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return key


def moneys(balances: dict[str, str]) -> list[Money]:
    """Balances by currency as amounts; those of nothing are left out."""
    amounts = [read_money(Decimal(amount), currency) for currency, amount in balances.items()]
    return [one for one in amounts if one]


def _heads() -> list[str]:
    shown = ["Number", "Name", "Kind", "Reference", "Address", "Tax number", "Telephone", "E-mail", "Contracts"]
    return [gettext(one) for one in shown]  # each of these words stands as a head of the list's template, too


def _file_rows(connection: Connection, asked: AskedCustomers, *, by: By, down: bool) -> Iterator[list[object]]:
    key: tuple[Any, ...] | None = None
    while True:
        rows = load_listed(connection, asked, by=by, down=down, after=key, limit=_FILE_PAGE)
        yield from (_file_row(row) for row in rows)
        if len(rows) < _FILE_PAGE:
            return
        key = (rows[-1].name, rows[-1].id) if by == "name" else (rows[-1].id,)


def _file_row(row: ListedCustomer) -> list[object]:
    return [
        *(row.id, row.name, str(words.KINDS[row.kind]), row.external_reference, row.place),
        *(row.tax_number, row.phone, row.email, row.contracts),
    ]


def known(connection: Connection, number: int) -> Customer:
    """The customer of that number, or the page that there is none."""
    found = load_customer(connection, number)
    if found is None:
        abort(404)
    return found


@pages.get("/customers/<int:number>")
@allowed(Permission.CUSTOMER_SEE)
def show(number: int) -> Response:
    """One page with everything of a customer that whoever looks may see."""
    with transaction() as connection:
        page = load_customer_page(connection, known(connection, number))
        linked = _linked(connection, number)
    places = _on_the_map(page)
    tiles = here().settings.web.map_tiles
    text = render_template(
        "staff/customers/customer.html",
        languages=LANGUAGES,
        kinds=KINDS,
        page=page,
        one=page.customer,
        words=words,
        balances=moneys(page.balances),
        places=places,
        tiles=tiles,
        note=read_form(NoteForm),
        file=read_form(FileForm),
        contracts=contract_choices(page),
        **linked,
    )
    response = make_response(text)
    if places and tiles:
        response.headers["Content-Security-Policy"] = policy_with_pictures_of(tiles)
    return response


def _linked(connection: Connection, number: int) -> dict[str, Any]:
    """What other parts of the console have of a customer, as far as the one who looks may see it; None where not."""
    today = clock(connection).astimezone(zone()).date()
    return {
        "lines": load_lines_of_customer(connection, number) if may(Permission.ACCOUNT_SEE) else None,
        "documents": load_documents(connection, kinds=_DOCUMENTS, today=today, limit=_NEWEST, customer_id=number)
        if may(Permission.DOCUMENT_SEE)
        else None,
        "payments": load_payments(connection, limit=_NEWEST, customer_id=number)
        if may(Permission.PAYMENT_SEE)
        else None,
        "portal": load_access_of(connection, number) if may(Permission.PORTAL_SEE) else None,
        "messages": load_messages(connection, customer_id=number, limit=_NEWEST)
        if may(Permission.MESSAGE_SEE)
        else None,
    }


@pages.get("/customers/<int:number>/lines")
@allowed(Permission.CUSTOMER_SEE, Permission.ACCOUNT_SEE)
def lines(number: int) -> str:
    """The part of the page that tells what is on the customer's lines now; the page asks for it again and again."""
    with transaction() as connection:
        known(connection, number)
        there = load_lines_of_customer(connection, number)
    return render_template("staff/customers/lines.html", lines=there, words=words)


@pages.get("/customers/<int:number>/history")
@allowed(Permission.CUSTOMER_SEE, Permission.AUDIT_SEE)
def history(number: int) -> str:
    """What happened to a customer and its contracts, and who did it."""
    with transaction() as connection:
        one = known(connection, number)
        happenings = load_history(connection, number, limit=_HAPPENINGS)
    return render_template("staff/customers/history.html", one=one, happenings=happenings)


@pages.get("/customers/<int:number>/statement")
@allowed(Permission.CUSTOMER_SEE, Permission.DOCUMENT_SEE)
def statement(number: int) -> str:
    """The customer's account: documents and entries with the balance after each, of the last year unless other days are asked for."""
    with transaction() as connection:
        one = known(connection, number)
        today = clock(connection).astimezone(zone()).date()
        since, until = asked_day("since") or today - _YEAR, asked_day("until") or today
        parts = [
            (issuer, list(stream_statement(connection, issuer.id, number, since=since, until=until)))
            for issuer in load_issuers(connection)
        ]
    return render_template(
        "staff/customers/statement.html",
        one=one,
        parts=[(issuer, rows) for issuer, rows in parts if rows],
        whats=words.BOOKED,
        money_of=lambda amount, currency: None if amount is None else read_money(amount, currency),
    )


def contract_choices(page: CustomerPage) -> dict[str, str]:
    """A customer's contracts for a choice; the empty one is the customer itself."""
    return {"": gettext("The customer"), **{str(one["id"]): f"{one['id']} {one['plan']}" for one in page.contracts}}


def _on_the_map(page: CustomerPage) -> str:
    """The places that have coordinates, for the map's script; `""` without any."""
    places = [
        {
            "latitude": float(one.latitude),
            "longitude": float(one.longitude),
            "label": f"{words.PLACES[one.kind]}: {one.street} {one.house_number or ''}, {one.city}",
        }
        for one in page.addresses
        if one.latitude is not None and one.longitude is not None
    ]
    return json.dumps(places) if places else ""


@pages.route("/customers/new", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def new() -> Answer:
    """A new customer with its tax number, seat and contact."""
    form = read_form(NewCustomerForm)
    with transaction() as connection:
        offer_positions(form, connection)
        fine = was_sent(form) and _is_whole(connection, form)
    if fine:
        return do_once(lambda connection: _add(connection, form))
    return render_template("staff/customers/new.html", form=form), status_of(form)


def offer_positions(form: CustomerForm, connection: Connection) -> None:
    """The fiscal positions that a customer may be given of its own."""
    there = {str(one.id): one.name for one in load_positions(connection)}
    form.fiscal_position.choices = choices_of({"": gettext("By kind and place"), **there})


def _is_whole(connection: Connection, form: NewCustomerForm) -> bool:
    """What the fields alone can't know."""
    fine = form.whole() if form.place() else True
    if form.number.data and number_of(form) is None:
        fine = False
    return _reference_is_free(connection, form, None) and fine


def _reference_is_free(connection: Connection, form: CustomerForm, own: int | None) -> bool:
    reference = form.external_reference.data
    other = load_customer_by_reference(connection, reference) if reference else None
    if other is None or other.id == own:
        return True
    refuse(form, "external_reference", gettext("Customer %(number)s has it already.", number=other.id))
    return False


def _columns(form: CustomerForm) -> dict[str, object]:
    chosen_one = form.fiscal_position.data
    known_one = any(chosen_one == one.value for one in form.fiscal_position.choices)
    return {**form.columns(), "fiscal_position_id": int(chosen_one) if chosen_one and known_one else None}


def _add(connection: Connection, form: NewCustomerForm) -> str:
    identifier = number_of(form)
    made = add_customer(
        connection,
        _columns(form),
        identifiers=[] if identifier is None else [identifier],
        place=form.place(),
        reach=form.reach(),
        actor=person().name,
    )
    flash(gettext("Customer %(number)s is written.", number=made.id))
    return url_for("customers.show", number=made.id)


@pages.route("/customers/<int:number>/edit", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def edit(number: int) -> Answer:
    """Change who it is; documents keep what they were issued with."""
    with transaction() as connection:
        found = known(connection, number)
        form = read_form(CustomerForm, shown=_Shown(found))
        offer_positions(form, connection)
        if request.method == "GET":
            form.seen.data = fingerprint(asdict(found))
            own = [one.value for one in form.fiscal_position.choices if one.label == found.fiscal_position]
            form.fiscal_position.data = own[0] if own else ""
        fine = was_sent(form) and _reference_is_free(connection, form, number)
    if fine:
        try:
            return do_once(lambda connection: _edit(connection, form, number))
        except _ChangedError as changed:
            found = changed.found
    return render_template(
        "staff/customers/edit.html", form=form, one=found, words=words, languages=LANGUAGES
    ), status_of(form)


class _Shown:
    """A customer's fields for a form; an empty one is no text."""

    def __init__(self, customer: Customer) -> None:
        for name in ("name", "kind", "given_name", "family_name", "language", "external_reference"):
            setattr(self, name, getattr(customer, name) or "")


def _edit(connection: Connection, form: CustomerForm, number: int) -> str:
    hold_customers(connection, [number])
    found = known(connection, number)
    if changed_meanwhile(form, asdict(found)):
        raise _ChangedError(found)
    edit_customer(connection, found, _columns(form), actor=person().name)
    flash(gettext("Changed."))
    return url_for("customers.show", number=number)


class _ChangedError(Exception):
    """Somebody else was faster; `found` is what stands there now."""

    def __init__(self, found: Customer) -> None:
        super().__init__(found.id)
        self.found = found


@pages.route("/customers/<int:number>/delete", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def delete(number: int) -> Answer:
    """Delete one that was written by mistake, which nothing depends on yet."""
    form = read_form(SureForm)
    with transaction() as connection:
        found = known(connection, number)
    if was_sent(form) and request.form.get("confirmed"):
        try:
            return do_once(lambda connection: _delete(connection, found))
        except HeldCustomerError:
            refuse(form, "", gettext("It stays: contracts, documents, notes or files depend on it."))
        except BillingError:
            refuse(form, "", gettext("It is gone already."))
    text = render_template(
        "confirm.html",
        form=form,
        question=gettext("Delete customer %(number)s?", number=number),
        does=[
            gettext("%(name)s goes, with its tax numbers, addresses and contacts.", name=found.name),
            gettext("A customer with contracts, documents, notes or files stays."),
        ],
        button=gettext("Delete"),
        back=url_for("customers.show", number=number),
        fields={},
    )
    return text, status_of(form)


def _delete(connection: Connection, found: Customer) -> str:
    drop_customer(connection, found, actor=person().name)
    flash(gettext("Customer %(number)s is deleted.", number=found.id))
    return url_for("customers.show_list")
