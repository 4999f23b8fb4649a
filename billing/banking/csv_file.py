"""A bank's CSV file by its layout: its lines, and each row that can't be read with the reason.

Rows without a day or without an amount (totals, balances, headlines, blank ones) are no lines, and are counted. A row that has both and
can't be read is refused, so that no money is left out in silence.

Next: billing/banking/camt.py
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from billing.banking.amount_text import UnreadableError, read_amount, read_day
from billing.banking.bank_line import MAX_LINES, BankFileError, BankLine, Form, Statement, cleaned, keyed
from billing.banking.layout import Layout, checked, layout_digest, text_of
from billing.banking.return_codes import code_in
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.sentence import Sentence

_LONGEST_FIELD: Final = 10_000
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that can't be read, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvStatement:
    """What a file says: its lines, rows that are refused, how many rows are no lines."""

    statement: Statement
    refused: tuple[RefusedRow, ...] = field(default=())


def read_csv(octets: bytes, layout: Layout, *, currency: str) -> CsvStatement:
    """The lines of a file; `currency` is the account's, where no column says one. Raises: BankFileError."""
    lines: list[BankLine] = []
    refused: list[RefusedRow] = []
    skipped = 0
    for number, row in _rows(text_of(octets, layout.encoding), checked(layout)):
        try:
            line = _line(number, row, layout, currency)
        except (UnreadableError, BillingError) as error:
            refused.append(RefusedRow(number, str(error)))
            continue
        if line is None:
            skipped += 1
            continue
        if len(lines) == MAX_LINES:
            raise BankFileError(
                Sentence(
                    "row %(number)s: more than %(max_lines)s lines: give the bank's file in parts",
                    number=number,
                    max_lines=f"{MAX_LINES:,}",
                )
            )
        lines.append(cleaned(line))
    return CsvStatement(Statement("", Form.CSV, keyed(lines), (), skipped, layout_digest(layout)), tuple(refused))


def _rows(text: str, layout: Layout) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row behind the header by the names of its columns, and by #1, #2 …"""
    limit = csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=layout.separator)
    names: list[str] = []
    try:
        for number, values in enumerate(reader, start=1):
            if number <= layout.header_rows:
                names = [one.strip() for one in values]
                if number == layout.header_rows:
                    _check_names(names, layout)
                continue
            counted = {f"#{place}": value for place, value in enumerate(values, start=1)}
            yield number, {**counted, **dict(zip(names, values, strict=False))}
    except csv.Error as error:
        raise BankFileError(
            Sentence(
                "row %(line_num)s: %(error)s; is the separator %(separator)s?",
                line_num=reader.line_num,
                error=error,
                separator=repr(layout.separator),
            )
        ) from error
    finally:
        csv.field_size_limit(limit)
    if layout.header_rows and not names:
        raise BankFileError(Sentence("the file ends before its header"))


def _check_names(names: list[str], layout: Layout) -> None:
    for column in layout.columns():
        if column not in names and not column.startswith("#"):
            there = ", ".join(repr(one) for one in names if one)
            raise BankFileError(
                Sentence(
                    "row %(header_rows)s: there is no column %(column)s; there are %(there)s",
                    header_rows=layout.header_rows,
                    column=repr(column),
                    there=there or Sentence("none"),
                )
            )
        if names.count(column) > 1:
            raise BankFileError(
                Sentence(
                    "column %(column)s stands there twice: name it by its place, #%(at)s",
                    column=repr(column),
                    at=names.index(column) + 1,
                )
            )


def _line(number: int, row: Mapping[str, str], layout: Layout, usual: str) -> BankLine | None:
    day = row.get(layout.booked_on, "").strip()
    written = [row.get(one, "").strip() for one in (layout.amount, layout.credit, layout.debit) if one]
    if not any(one.isdigit() for one in day) or not any(written):
        return None
    booked_on = read_day(day, layout.day_form)
    value = row.get(layout.value_on, "").strip() if layout.value_on else ""
    currency = (row.get(layout.currency, "").strip().upper() if layout.currency else "") or usual
    if not _CURRENCY.fullmatch(currency):
        raise UnreadableError(f"{currency!r} is no currency")
    amount = _amount(row, layout, currency)
    if not amount:
        return None
    text = " ".join(row.get(one, "") for one in layout.text)
    return BankLine(
        number=number,
        amount=amount,
        booked_on=booked_on,
        value_on=read_day(value, layout.day_form) if value else booked_on,
        text=text,
        party=_value(row, layout.party),
        party_iban=_value(row, layout.party_iban),
        reference=_value(row, layout.reference),
        end_to_end=_value(row, layout.end_to_end),
        returned=_returned(amount, text, _value(row, layout.code), layout),
    )


def _value(row: Mapping[str, str], column: str) -> str:
    return row.get(column, "").strip() if column else ""


def _amount(row: Mapping[str, str], layout: Layout, currency: str) -> Money:
    """Above zero in, below zero out."""
    if layout.amount:
        amount = read_amount(row.get(layout.amount, ""), layout.decimal)
        if layout.sign:
            word = _value(row, layout.sign).upper()
            if not word:
                raise UnreadableError(f"column {layout.sign!r} does not say which way {amount} goes")
            if amount < 0:
                raise UnreadableError(f"{amount} is below zero, and column {layout.sign!r} says {word!r}")
            amount = -amount if word in {one.upper() for one in layout.out_words} else amount
    else:
        filled = {name: row.get(column, "").strip() for name, column in (("in", layout.credit), ("out", layout.debit))}
        sums = {name: read_amount(text, layout.decimal) for name, text in filled.items() if text}
        sums = {name: amount for name, amount in sums.items() if amount}
        if len(sums) > 1:
            raise UnreadableError(f"{filled['in']} came in and {filled['out']} went out in one row")
        if sums.get("in", 1) < 0:
            raise UnreadableError(f"{filled['in']} in the column of what came in is below zero")
        # Some banks write what went out with a minus although it has a column of its own.
        amount = sums["in"] if "in" in sums else -abs(sums.get("out", read_amount("0", layout.decimal)))
    return read_money(-amount if layout.signs == "reversed" else amount, currency)


def _returned(amount: Money, text: str, code: str, layout: Layout) -> str | None:
    """The code of a return, "" where a word tells one without a code."""
    if amount.minor >= 0:
        return None
    if code:
        return code_in(code)
    upper = text.upper()
    if any(word.upper() in upper for word in layout.return_words):
        return code_in(text) or ""
    return None
