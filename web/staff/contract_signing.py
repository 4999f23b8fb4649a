"""A contract signed on the screen: the paper is looked at, the signature drawn, and both are kept as evidence."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, Response, abort, flash, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length

from billing.contract_facts import Status
from billing.deeds import Reason
from billing.errors import BillingError
from billing.operations.printing import PrintShop
from billing.papers.contracts import contract_paper
from billing.store.agreed import load_agreed
from billing.store.contract_drafts import load_signed
from billing.store.deeds import hold_contract
from control_plane.access.permissions import Permission
from control_plane.contract_deeds import DeedRefusedError, day_of
from control_plane.contract_making import Signing, sign
from web.acting import person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy
from web.marks import allowed
from web.staff import contract_words as words
from web.staff.contracts import known_page
from web.surroundings import here

pages = Blueprint("contract_signing", __name__)
_BEFORE: Final = "data:image/png;base64,"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MOST_OCTETS: Final = 500_000
_SIGNABLE: Final = ("draft", "proposal")
_BROWSER: Final = 400


class SignForm(PageForm):
    """Who signs, and how."""

    signer = StringField(lazy("Name of who signs"), [DataRequired(REQUIRED), Length(max=200)])
    drawing = HiddenField()


def _paper(connection: Connection, number: int) -> bytes:
    """What is signed, as it is printed today. Raises: BillingError."""
    agreed = load_agreed(connection, number, now=datetime.now(UTC))
    with PrintShop(here().settings.papers_dir) as shop:
        return shop.press(agreed.issuer_id).print(contract_paper(agreed))


@pages.route("/contracts/<int:number>/sign", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def ask(number: int) -> str | AnyResponse | tuple[str, int]:
    """Let the customer sign; the contract is then accepted."""
    form = read_form(SignForm)
    with transaction() as connection:
        page = known_page(connection, number)
        if page.contract.status not in _SIGNABLE and request.method == "GET":
            abort(409, str(words.REFUSALS[Reason.STATUS]))
        try:
            paper = _paper(connection, number)
        except BillingError:
            abort(404, gettext("Nobody bills this contract, so there is no paper of it."))
    if request.method == "GET":
        form.seen.data, form.signer.data = fingerprint(paper), page.contract.customer
    drawing = _drawn(form.drawing.data or "")
    if was_sent(form) and drawing is None:
        refuse(form, "", gettext("Nothing is drawn yet: sign in the field."))
    elif was_sent(form) and drawing is not None:
        address, browser = request.remote_addr, request.headers.get("User-Agent", "")[:_BROWSER]
        signing = Signing(form.signer.data, address, browser, drawing, paper)
        try:
            return do_once(lambda connection: _sign(connection, number, form, signing))
        except _ChangedError:
            pass
        except DeedRefusedError as error:
            refuse(form, "", str(words.REFUSALS[error.refused.reason]))
    return render_template("staff/wizard/sign.html", form=form, one=page.contract), status_of(form)


def _drawn(text: str) -> bytes | None:
    """The picture that the canvas sent; None for none, or for what is no PNG."""
    try:
        drawing = base64.b64decode(text.removeprefix(_BEFORE), validate=True)
    except (binascii.Error, ValueError):
        return None
    return drawing if text.startswith(_BEFORE) and drawing.startswith(_PNG) and len(drawing) <= _MOST_OCTETS else None


class _ChangedError(Exception):
    """What would be signed is not what was read; the form says so."""


def _sign(connection: Connection, number: int, form: SignForm, signing: Signing) -> str:
    hold_contract(connection, number)
    paper = _paper(connection, number)
    if changed_meanwhile(form, paper):
        raise _ChangedError
    signing = replace(signing, paper=paper)
    status = Status(known_page(connection, number).contract.status)
    today, zone = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
    sign(connection, number, status, signing, today=today, zone=zone, actor=person().name)
    flash(gettext("Signed by %(name)s.", name=signing.signer))
    return url_for("contracts.show", number=number)


@pages.get("/contracts/<int:number>/signatures/<int:signature>.pdf")
@allowed(Permission.CONTRACT_SEE)
def paper(number: int, signature: int) -> Response:
    """The very paper that was signed."""
    return Response(_kept(number, signature)[1], content_type="application/pdf")


@pages.get("/contracts/<int:number>/signatures/<int:signature>.png")
@allowed(Permission.CONTRACT_SEE)
def drawing(number: int, signature: int) -> Response:
    """What was drawn."""
    return Response(_kept(number, signature)[0], content_type="image/png")


def _kept(number: int, signature: int) -> tuple[bytes, bytes]:
    with transaction() as connection:
        found = load_signed(connection, number, signature)
    if found is None:
        abort(404)
    return found
