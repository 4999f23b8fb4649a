"""A contract's papers as answers: what was agreed, and with its files behind it. Load them first: no transaction waits for the press."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Response

from billing.papers.contracts import contract_paper
from billing.papers.merging import merge_pdfs
from billing.store.agreed import load_agreed
from billing.store.contract_drafts import load_signatures, load_signed
from billing.store.customer_papers import load_attachments, load_content
from control_plane import telemetry
from web.database import Connection
from web.papers import pdf_of

Printing = Callable[[], Response]


def agreed_paper(connection: Connection, number: int, *, now: datetime) -> Printing:
    """What was agreed, as it stands today, for both to sign. Raises: BillingError where nobody bills the contract."""
    agreed = load_agreed(connection, number, now=now)
    return lambda: pdf_of(agreed.issuer_id, contract_paper(agreed), f"contract-{number}")


def whole_paper(connection: Connection, number: int, customer_id: int, *, now: datetime) -> Printing:
    """The paper, as it was signed where it was, with the contract's files that are PDFs behind it. Raises: BillingError."""
    signed = load_signatures(connection, number)
    kept = load_signed(connection, number, signed[-1].id) if signed else None
    unsigned = agreed_paper(connection, number, now=now) if kept is None else None
    files = [
        (one.name, load_content(connection, customer_id, one.id) or b"")
        for one in load_attachments(connection, customer_id)
        if one.contract_id == number and one.media_type == "application/pdf"
    ]

    def print_it() -> Response:
        if kept is None:
            assert unsigned is not None
            first = unsigned().get_data()
        else:
            first = kept[1]
        merged = merge_pdfs(first, files)
        if merged.left_out:
            telemetry.logger().warning("contract.files_left_out", contract=number, count=len(merged.left_out))
        response = Response(merged.content, content_type="application/pdf")
        response.headers["Content-Disposition"] = f'inline; filename="contract-{number}-whole.pdf"'
        return response

    return print_it
