"""What a customer has one or several of: tax numbers, places, contacts. Each is added, changed and taken away on a page of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import psycopg
from flask import Blueprint, abort, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from billing.contacts import Contact
from billing.store.customer_page import CustomerPage, load_customer_page
from billing.store.customers import Address, Customer, load_addresses, load_contacts, load_tax_identifiers
from billing.store.payments import hold_customers
from control_plane.access.permissions import Permission
from control_plane.customers import (
    drop_address,
    drop_contact,
    drop_identifier,
    put_address,
    put_contact,
    put_identifier,
)
from web.acting import person, transaction
from web.database import Connection
from web.forms import changed_meanwhile, choices_of, do_once, fingerprint, read_form, refuse, status_of, was_sent
from web.language import gettext
from web.marks import allowed
from web.staff import customer_words as words
from web.staff.customer_forms import ContactForm, NumberForm, PlaceForm, SureForm, number_of
from web.staff.customers import contract_choices, known

pages = Blueprint("customer_parts", __name__)
Answer = str | Response | tuple[str, int]


class _ChangedError(Exception):
    """Somebody else was faster; the form says so."""


def _back(number: int) -> str:
    return url_for("customers.show", number=number)


@pages.route("/customers/<int:number>/tax-number", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def tax_number(number: int) -> Answer:
    """Another tax number, or another one of a kind that is there; `?remove=SCHEME` takes one away."""
    scheme = request.args.get("remove")
    with transaction() as connection:
        found = known(connection, number)
        there = {one.scheme: one.number for one in load_tax_identifiers(connection, number)}
    if scheme is not None:
        return _tax_number_away(found, scheme, there)
    asked = request.args.get("scheme", "it.codicefiscale")
    form = read_form(NumberForm, scheme=asked, number=there.get(asked, ""))
    if was_sent(form):
        identifier = number_of(form)
        if identifier is not None:
            checked = identifier

            def put(connection: Connection) -> str:
                others = put_identifier(connection, found, checked, actor=person().name)
                if others:
                    flash(
                        gettext("Customer %(others)s has this number, too.", others=", ".join(map(str, others))), "warn"
                    )
                return _back(number)

            return do_once(put)
    return render_template("staff/customers/number.html", form=form, one=found), status_of(form)


def _tax_number_away(found: Customer, scheme: str, there: dict[str, str]) -> Answer:
    if scheme not in there:
        abort(404)
    form = read_form(SureForm)
    if was_sent(form):

        def away(connection: Connection) -> str:
            drop_identifier(connection, found, scheme, actor=person().name)
            return _back(found.id)

        return do_once(away)
    return _sure(
        form,
        found,
        gettext("Take away %(what)s?", what=f"{words.scheme_words(scheme)} {there[scheme]}"),
        gettext("Invoices from now on are without it."),
    )


def _sure(form: SureForm, found: Customer, question: str, *does: str) -> tuple[str, int]:
    text = render_template(
        "confirm.html",
        form=form,
        question=question,
        does=does,
        button=gettext("Take away"),
        back=_back(found.id),
        fields={},
    )
    return text, status_of(form)


@pages.route("/customers/<int:number>/places/new", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def new_place(number: int) -> Answer:
    """A place: seat, address of documents, or where the service is."""
    with transaction() as connection:
        found = known(connection, number)
        kinds = {one.kind for one in load_addresses(connection, number)}
    form = read_form(PlaceForm)
    left = {key: said for key, said in words.PLACES.items() if key == "service" or key not in kinds}
    form.kind.choices = choices_of(left)
    if was_sent(form) and form.whole():

        def put(connection: Connection) -> str:
            put_address(connection, found, form.kind.data, form.columns(), actor=person().name)
            return _back(number)

        return do_once(put)
    return render_template("staff/customers/place.html", form=form, one=found, place=None), status_of(form)


def _place(connection: Connection, number: int, place: int) -> Address:
    for one in load_addresses(connection, number):
        if one.id == place:
            return one
    raise NotFound


class _Typed:
    """A row's fields for a form; an empty one is no text."""

    def __init__(self, row: Any) -> None:
        for name, value in asdict(row).items():
            setattr(self, name, "" if value is None and name not in ("latitude", "longitude") else value)


@pages.route("/customers/<int:number>/places/<int:place>", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def edit_place(number: int, place: int) -> Answer:
    """Change a place; documents keep the address that they were issued with."""
    with transaction() as connection:
        found = known(connection, number)
        there = _place(connection, number, place)
    form = read_form(PlaceForm, shown=_Typed(there))
    form.kind.choices = choices_of({there.kind: words.PLACES[there.kind]})
    if request.method == "GET":
        form.seen.data = fingerprint(asdict(there))
    if was_sent(form) and form.whole():

        def put(connection: Connection) -> str:
            hold_customers(connection, [number])
            if changed_meanwhile(form, asdict(_place(connection, number, place))):
                raise _ChangedError
            put_address(connection, found, there.kind, form.columns(), address_id=place, actor=person().name)
            return _back(number)

        try:
            return do_once(put)
        except _ChangedError:
            pass
    return render_template("staff/customers/place.html", form=form, one=found, place=there), status_of(form)


@pages.route("/customers/<int:number>/places/<int:place>/remove", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def remove_place(number: int, place: int) -> Answer:
    """Take a place away that no contract is served at."""
    with transaction() as connection:
        found = known(connection, number)
        there = _place(connection, number, place)
    form = read_form(SureForm)
    if was_sent(form):

        def away(connection: Connection) -> str:
            drop_address(connection, found, there.kind, place, actor=person().name)
            return _back(number)

        try:
            return do_once(away)
        except psycopg.errors.ForeignKeyViolation:
            refuse(form, "", gettext("It stays: a contract is served there. Move the contract first."))
    what = f"{there.street} {there.house_number or ''}, {there.city}"
    return _sure(
        form,
        found,
        gettext("Take away %(what)s?", what=what),
        gettext("What is issued keeps the address it was issued with."),
    )


@pages.route("/customers/<int:number>/contacts/new", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def new_contact(number: int) -> Answer:
    """Whom to write to about something, for all contracts or for one."""
    return _contact(number, None)


@pages.route("/customers/<int:number>/contacts/<int:contact>", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def edit_contact(number: int, contact: int) -> Answer:
    """Change a contact."""
    return _contact(number, contact)


def _contact(number: int, contact: int | None) -> Answer:
    with transaction() as connection:
        page = load_customer_page(connection, known(connection, number))
    there = None if contact is None else _contact_of(page.contacts, contact)
    form = _contact_form(page, there)
    if was_sent(form) and _contact_fits(form, page, there):
        try:
            return do_once(lambda connection: _put_contact(connection, page, there, form))
        except _ChangedError:
            pass
    return (
        render_template("staff/customers/contact.html", form=form, one=page.customer, contact=there, words=words),
        status_of(form),
    )


def _contact_form(page: CustomerPage, there: Contact | None) -> ContactForm:
    form: ContactForm = read_form(ContactForm, shown=None if there is None else _Typed(there))
    if there is None:
        form.contract.choices = choices_of(contract_choices(page))
        return form
    form.role.choices = choices_of({there.role.value: words.ROLES[there.role.value]})
    own = str(there.contract_id or "")
    form.contract.choices = choices_of({own: contract_choices(page)[own]})
    if request.method == "GET":
        form.role.data, form.contract.data = there.role.value, own
        form.parent.data = next((one.role.value for one in page.contacts if one.id == there.parent_id), "")
        form.seen.data = fingerprint(asdict(there))
    return form


def _contact_of(contacts: list[Contact], number: int) -> Contact:
    for one in contacts:
        if one.id == number:
            return one
    raise NotFound


def _contact_fits(form: ContactForm, page: CustomerPage, there: Contact | None) -> bool:
    """A role has one contact in each place, and its parent is one of the customer's."""
    if form.contract.data not in {one.value for one in form.contract.choices}:
        refuse(form, "contract", gettext("This is none of the customer's contracts."))
        return False
    contract = int(form.contract.data) if form.contract.data else None
    if there is None and any((one.contract_id, one.role) == (contract, form.role.data) for one in page.contacts):
        refuse(form, "role", gettext("There is one for it already: change that one."))
        return False
    if form.parent.data and _parent(form, page) is None:
        refuse(form, "parent", gettext("The customer has no contact for that."))
        return False
    if not any(form.columns().values()) and not form.parent.data:
        refuse(form, "email", gettext("Say how somebody is reached."))
        return False
    return True


def _parent(form: ContactForm, page: CustomerPage) -> int | None:
    for one in page.contacts:
        if one.contract_id is None and one.role == form.parent.data:
            return one.id
    return None


def _put_contact(connection: Connection, page: CustomerPage, there: Contact | None, form: ContactForm) -> str:
    number = page.customer.id
    if there is not None:
        hold_customers(connection, [number])
        if changed_meanwhile(form, asdict(_contact_of(load_contacts(connection, number), there.id))):
            raise _ChangedError
    columns = {**form.columns(), "parent_id": _parent(form, page) if form.parent.data else None}
    contract = int(form.contract.data) if form.contract.data else None
    put_contact(connection, page.customer, form.role.data, contract, columns, actor=person().name)
    return _back(number)


@pages.route("/customers/<int:number>/contacts/<int:contact>/remove", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def remove_contact(number: int, contact: int) -> Answer:
    """Take a contact away."""
    with transaction() as connection:
        found = known(connection, number)
        there = _contact_of(load_contacts(connection, number), contact)
    form = read_form(SureForm)
    if was_sent(form):

        def away(connection: Connection) -> str:
            drop_contact(connection, found, there.role.value, there.contract_id, actor=person().name)
            return _back(number)

        return do_once(away)
    what = f"{words.ROLES[there.role.value]}: {there.name or there.email or there.phone or there.mobile or '—'}"
    return _sure(
        form,
        found,
        gettext("Take away %(what)s?", what=what),
        gettext("What it told contacts below it, they no longer say."),
    )
