"""What goes with a message, made when it is sent: a document, a receipt or a letter as PDF, a stored file. A new kind is a function here.

Next: billing/operations/printing.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from billing.errors import BillingError
from billing.messages.message import Enclosure
from billing.operations.dunning_letters import LETTER
from billing.operations.printing import PrintShop, load_document_paper, load_receipt_paper
from billing.papers.letters import letter_paper
from billing.store.dunning_letters import load_letter

Connection = psycopg.Connection[Any]

PDF: Final = "application/pdf"
ATTACHMENT: Final = "attachment"


class NoEnclosureError(BillingError):
    """What was to go with a message is not there."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as a mail carries it."""

    name: str
    media_type: str
    content: bytes


def make_enclosure(connection: Connection, shop: PrintShop, enclosure: Enclosure, *, customer_id: int) -> File:
    """The file, which must be of that customer. Raises: NoEnclosureError; PaperError."""
    make = _KINDS.get(enclosure.kind)
    if make is None:
        raise NoEnclosureError(f"nothing here prints a {enclosure.kind!r}: {', '.join(_KINDS)} can be printed")
    return make(connection, shop, enclosure.row_id, customer_id)


def file_name(text: str) -> str:
    """A label as a file's name on any machine."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "file"


def _document(connection: Connection, shop: PrintShop, row_id: int, customer_id: int) -> File:
    """In the language that it was issued in: it is a copy."""
    owner = connection.execute("SELECT customer_id FROM document WHERE id = %s", (row_id,)).fetchone()
    if owner != (customer_id,):
        raise NoEnclosureError(f"document {row_id} is not of customer {customer_id}")
    issuer_id, paper = load_document_paper(connection, row_id)
    label = paper.frame.number or str(row_id)
    return File(f"{file_name(label)}.pdf", PDF, shop.press(issuer_id).print(paper))


def _attachment(connection: Connection, shop: PrintShop, row_id: int, customer_id: int) -> File:
    del shop
    row = connection.execute(
        "SELECT name, media_type, content FROM attachment WHERE id = %s AND customer_id = %s", (row_id, customer_id)
    ).fetchone()
    if row is None:
        raise NoEnclosureError(f"there is no attachment {row_id} of customer {customer_id}")
    return File(row[0], row[1], bytes(row[2]))


def _receipt(connection: Connection, shop: PrintShop, row_id: int, customer_id: int) -> File:
    """Of a payment, as a sheet. Raises: BillingError for a payment without one."""
    owner = connection.execute("SELECT customer_id FROM payment WHERE id = %s", (row_id,)).fetchone()
    if owner != (customer_id,):
        raise NoEnclosureError(f"payment {row_id} is not of customer {customer_id}")
    issuer_id, paper = load_receipt_paper(connection, row_id, size="a4")
    label = paper.frame.number or str(row_id)
    return File(f"{file_name(label)}.pdf", PDF, shop.press(issuer_id).print(paper))


def _letter(connection: Connection, shop: PrintShop, row_id: int, customer_id: int) -> File:
    """A reminder or formal notice, as its step of dunning wrote it."""
    owner, issuer_id, written = load_letter(connection, row_id)
    if owner != customer_id:
        raise NoEnclosureError(f"letter {row_id} is not of customer {customer_id}")
    paper, press = letter_paper(written), shop.press(issuer_id)
    title = press.data_of(paper)["title"]
    return File(f"{file_name(f'{title} {paper.frame.dated}')}.pdf", PDF, press.print(paper))


_KINDS: Final[Mapping[str, Callable[[Connection, PrintShop, int, int], File]]] = {
    "document": _document,
    ATTACHMENT: _attachment,
    "receipt": _receipt,
    LETTER: _letter,
}
