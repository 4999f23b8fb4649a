"""Payments of a file that somebody kept: a slip's list, a till's sheet, a list of another system; every refusal with its line.

Columns are found by their names in the first line: customer and amount, and where they are there date, method, reference, invoice
(several with a blank between them), payer and note. Comma or semicolon, UTF-8.

Units: amounts as they are written, days YYYY-MM-DD.

Next: billing/operations/receiving.py
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from billing.banking.amount_text import UnreadableError, read_amount, read_day
from billing.banking.bank_line import clean
from billing.errors import BillingError
from billing.sentence import Sentence

COLUMNS: Final = ("customer", "amount", "date", "method", "reference", "invoice", "payer", "note")
_NEEDED: Final = ("customer", "amount")
# More than anybody types; a bank's file is imported by `corrente payment import`.
MAX_ROWS: Final = 20_000
MAX_OCTETS: Final = 8 << 20
_LONGEST: Final = {"reference": 200, "payer": 300, "note": 1000}


class BulkFileError(BillingError):
    """The file can't be read as a whole; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One payment as it is told. `key`: the same row of the same file is the same payment, however often the file is given."""

    line: int
    customer: str
    amount: Decimal
    key: str
    day: date | None = None
    method: str | None = None
    reference: str | None = None
    invoices: tuple[str, ...] = ()
    payer: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedBulkRow:
    """A row that can't be taken, and why."""

    line: int
    reason: str


def read_bulk(octets: bytes, *, decimal: str) -> tuple[list[BulkRow], list[RefusedBulkRow]]:
    """The payments of a file, and the rows that are refused. Raises: BulkFileError."""
    if len(octets) > MAX_OCTETS:
        raise BulkFileError(Sentence("more than %(max_octets)s octets: give it in parts", max_octets=f"{MAX_OCTETS:,}"))
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise BulkFileError(Sentence("line %(line)s: this is no UTF-8: save the file as UTF-8", line=line)) from error
    name = hashlib.sha256(octets).hexdigest()[:16]
    rows: list[BulkRow] = []
    refused: list[RefusedBulkRow] = []
    references: dict[str, int] = {}
    for line, row in _rows(text):
        try:
            read = _row(line, row, decimal, key=f"list {name} row {line}")
            first = references.setdefault(read.reference, line) if read.reference else line
            if first != line:
                raise UnreadableError(f"reference {read.reference!r} stands in line {first} already")
        except UnreadableError as error:
            refused.append(RefusedBulkRow(line, str(error)))
            continue
        rows.append(read)
    return rows, refused


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if header.count(";") > header.count(",") else ",")
    try:
        names = [one.strip().lower() for one in next(reader, [])]
        _check_names(names)
        for number, values in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise BulkFileError(
                    Sentence("more than %(max_rows)s rows: give them in parts", max_rows=f"{MAX_ROWS:,}")
                )
            if any(one.strip() for one in values):
                yield reader.line_num, dict(zip(names, values, strict=False)) | {"": str(len(values) - len(names))}
    except csv.Error as error:
        raise BulkFileError(Sentence("line %(line_num)s: %(error)s", line_num=reader.line_num, error=error)) from error


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = (
                Sentence("did you mean %(near)s?", near=near[0])
                if near
                else Sentence("there are %(names)s", names=", ".join(COLUMNS))
            )
            raise BulkFileError(Sentence("line 1: unknown column %(name)s; %(hint)s", name=repr(name), hint=hint))
        if names.count(name) > 1:
            raise BulkFileError(Sentence("line 1: column %(name)s stands there twice", name=repr(name)))
    missing = [one for one in _NEEDED if one not in names]
    if missing:
        raise BulkFileError(
            Sentence(
                "line 1: column %(missing)s is missing; needed are %(known)s",
                missing=missing[0],
                known=", ".join(_NEEDED),
            )
        )


def _row(line: int, row: Mapping[str, str], decimal: str, *, key: str) -> BulkRow:
    if row[""] != "0":
        raise UnreadableError(f"{row['']} fields more or less than the header has")
    said = {name: clean(value, _LONGEST.get(name, 200)) for name, value in row.items() if name and value.strip()}
    if "customer" not in said or "amount" not in said:
        raise UnreadableError(f"{'customer' if 'customer' not in said else 'amount'} is empty")
    amount = read_amount(said["amount"], decimal)
    if amount <= 0:
        raise UnreadableError(f"{said['amount']}: a payment is above zero")
    return BulkRow(
        line,
        said["customer"],
        amount,
        key,
        read_day(said["date"], "YYYY-MM-DD") if "date" in said else None,
        said.get("method"),
        said.get("reference"),
        tuple(said.get("invoice", "").split()),
        said.get("payer"),
        said.get("note"),
    )
