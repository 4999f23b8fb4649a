"""A customer's account becomes the paper that is printed; a part for each currency.

Source: billing model section 12.

Next: billing/papers/template_data.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from billing.money import Money, read_money
from billing.papers.paper import (
    Bank,
    Frame,
    PaperKind,
    Span,
    StatementLine,
    StatementPaper,
    StatementPart,
)
from billing.papers.parties import recipient_of, sender_of
from billing.papers.receipts import method_said

if TYPE_CHECKING:
    from billing.reports import MovedMoney, StatementRow

# Where a person types the reference; elsewhere it is a key of ours, of a collector's telephone or of a provider.
_TYPED: Final = ("manual", "counter")
# What a payment of a list is called whose row has no reference (billing/bulk_payments.py).
_ROW_OF_A_LIST: Final = re.compile(r"list [0-9a-f]{16} row \d+")


def statement_paper(
    rows: Iterable[StatementRow],
    *,
    moved: Mapping[int, MovedMoney],
    issuer: Mapping[str, Any],
    customer: Mapping[str, Any],
    language: str,
    during: Span,
    dated: date,
) -> StatementPaper:
    """Rows come by currency, in their order; the balance after the last is what stands there.

    `moved` is what is behind those that moved money: a customer reads how, and a reference that somebody gave; what staff noted and
    the keys by which nothing is recorded twice stay in the books.
    """
    parts = []
    for currency, own in groupby(rows, key=lambda row: row.currency):
        lines = tuple(_line(row, moved) for row in own)
        parts.append(StatementPart(currency, lines, lines[-1].balance))
    country = str(issuer.get("country", ""))
    frame = Frame(language, country, dated, sender_of(issuer), recipient_of(customer, country, language))
    owes = any(part.balance.minor > 0 for part in parts)
    bank = None
    if owes and issuer.get("iban"):
        bank = Bank(str(issuer["iban"]), str(issuer["name"]), frame.recipient.number or "")
    return StatementPaper(PaperKind.STATEMENT, frame, during, tuple(parts), bank)


def _line(row: StatementRow, moved: Mapping[int, MovedMoney]) -> StatementLine:
    behind = None if row.entry is None else moved.get(row.entry)

    def money(amount: Decimal | None) -> Money | None:
        return None if amount is None else read_money(amount, row.currency)

    return StatementLine(
        row.dated,
        row.what.replace(" ", "_"),
        row.reference if behind is None else _reference_of(behind),
        row.due_on,
        money(row.debit),
        money(row.credit),
        read_money(row.balance, row.currency),
        None if behind is None or behind.method is None else method_said(*behind.method),
    )


def _reference_of(behind: MovedMoney) -> str:
    """What a customer knows it by: the invoice that was let go, what the payer told the bank, what a person typed; else nothing."""
    if behind.invoice or behind.structured:
        return behind.invoice or behind.structured or ""
    typed = behind.reference or ""
    is_ours = behind.source not in _TYPED or typed == behind.inner or _ROW_OF_A_LIST.fullmatch(typed)
    return "" if is_ours else typed
