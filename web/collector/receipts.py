"""A collector's receipts: on the screen and on a 58 mm roll, as PDF, by mail or as a text message of the phone's own."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.operations.payment_messages import send_receipt
from billing.operations.printing import load_receipt_paper
from billing.store.cash import Receipt, load_owed_then, load_paid_documents
from billing.store.collectors import load_collectable
from billing.store.payment_list import load_settles
from billing.store.payments import load_let_go, load_payment
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.collector.bound import issuer_of, own_receipt
from web.database import Connection
from web.forms import PageForm, do_once, read_form
from web.language import gettext, money_shown
from web.lists import chosen
from web.marks import allowed
from web.papers import pdf_of

pages = Blueprint("field_receipts", __name__)
SIZES: Final = ("58mm", "80mm", "a4")


@pages.get("/field/receipts/<int:payment_id>")
@allowed(Permission.CASH_TAKE)
def show(payment_id: int) -> str:
    """The receipt of a payment that this collector took."""
    with transaction() as connection:
        receipt = own_receipt(connection, payment_id)
        issuer = issuer_of(connection, receipt.issuer_id)
        documents = load_paid_documents(connection, payment_id)
        still = load_owed_then(connection, payment_id)
        freed = load_let_go(connection, payment_id)
        phone = _phone(connection, receipt)
    said = gettext(
        "%(issuer)s: receipt %(number)s, %(amount)s received. Thank you.",
        issuer=issuer.name,
        number=receipt.label,
        amount=money_shown(receipt.amount),
    )
    return render_template(
        "collector/receipt.html",
        receipt=receipt,
        issuer=issuer,
        documents=documents,
        still=still,
        freed=freed,
        sizes=SIZES,
        form=read_form(PageForm),
        texted=None if phone is None else f"sms:{phone}?body={quote(said)}",
    )


@pages.get("/field/receipts/<int:payment_id>.pdf")
@allowed(Permission.CASH_TAKE)
def paper(payment_id: int) -> Response:
    """The same as PDF, for a roll of 58 or 80 mm or a sheet."""
    size = chosen("size", SIZES) or SIZES[0]
    with transaction() as connection:
        label = own_receipt(connection, payment_id).label
        issuer_id, printed = load_receipt_paper(connection, payment_id, size=size)
    return pdf_of(issuer_id, printed, f"receipt-{label}")


@pages.post("/field/receipts/<int:payment_id>/send")
@allowed(Permission.CASH_TAKE)
def send(payment_id: int) -> Response:
    """Mail it to the customer; a form that is sent twice mails it once."""

    def mail(connection: Connection) -> str:
        own_receipt(connection, payment_id)
        payment = load_payment(connection, payment_id)
        assert payment is not None, "it has a receipt"
        settled = [(one.document_id, one.amount) for one in load_settles(connection, payment_id)]
        if send_receipt(connection, payment, settled, made_by=person().name):
            flash(gettext("The receipt is on its way by e-mail."), "good")
        else:
            flash(gettext("This customer has no e-mail address. Show, print or text the receipt."), "warn")
        return url_for("field_receipts.show", payment_id=payment_id)

    return do_once(mail)


def _phone(connection: Connection, receipt: Receipt) -> str | None:
    """Where a text message goes; only of whom this collector still sees."""
    if receipt.collector_id is None or receipt.customer_id is None or request.method != "GET":
        return None
    found = load_collectable(connection, receipt.collector_id, customer_id=receipt.customer_id, limit=1)
    phone = found[0].phone if found else None
    return None if phone is None else "".join(one for one in phone if one.isdigit() or one == "+")
