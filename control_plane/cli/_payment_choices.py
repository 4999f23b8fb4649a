"""Invoices that a payment goes to first, as they are typed: NUMBER or NUMBER=AMOUNT."""

from __future__ import annotations

from collections.abc import Sequence

from billing.allocation import Choice
from billing.money import read_money
from billing.store.issued import find_document
from control_plane.cli._books import DECIMAL
from control_plane.cli._console import Connection


def read_choices(connection: Connection, chosen: Sequence[str], currency: str) -> tuple[Choice, ...]:
    """What was typed, with the invoices of those printed numbers. Raises: NoDocumentError."""
    found = []
    for text in chosen:
        label, _, amount = text.partition("=")
        wanted = read_money(DECIMAL.convert(amount, None, None), currency) if amount else None
        found.append(Choice(find_document(connection, label), wanted, label))
    return tuple(found)
