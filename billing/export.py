"""Reports as files: CSV and XLSX, row by row, so that memory stays flat however many rows there are.

Numbers are numbers, days are days, and text stays text: what a spreadsheet would take for a formula is disarmed, since a
customer's name or a line's description is anybody's to choose. The same rows give the same bytes, whenever they are written.

CSV: RFC 4180, UTF-8, a point in numbers, ISO 8601 days. XLSX: ISO/IEC 29500, a sheet goes on in another when it is full.
Source: for formula injection, OWASP "CSV Injection"; 1,048,576 rows and 32,767 characters are the spreadsheet's own limits.
"""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.writer.excel import ExcelWriter

Value = str | bool | int | Decimal | date | datetime | None

SHEET_ROWS: Final = 1_048_576
CELL_CHARACTERS: Final = 32_767
_TITLE_CHARACTERS: Final = 31
# Spreadsheets evaluate a cell that begins so, some after they cut blanks off; the last four are the full-width forms.
_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NO_TITLE: Final = re.compile(r"[\[\]:*?/\\]")
# The oldest time that an archive can hold: files written at different times are the same.
_STILL: Final = (1980, 1, 1, 0, 0, 0)
_STILL_DAY: Final = datetime(1980, 1, 1)  # noqa: DTZ001  # a document property of the format, which has no zone
_WIDTHS: Final = {"text": 28, "date": 12, "number": 16}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: its name, the names of its columns and its rows, which are read once."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Value]]


def sheet_of(name: str, row_type: type, rows: Iterable[object]) -> Sheet:
    """A sheet of dataclasses: a column each field, by its name with blanks."""
    names = tuple(field.name for field in dataclasses.fields(row_type))
    return Sheet(
        name,
        tuple(one.replace("_", " ") for one in names),
        (tuple(getattr(row, one) for one in names) for row in rows),
    )


def write_csv(sheet: Sheet, file: IO[str]) -> int:
    """Write a sheet to a text file that was opened as UTF-8 with `newline=""`; how many rows it has."""
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_csv_cell(column) for column in sheet.columns])
    count = 0
    for row in sheet.rows:
        writer.writerow([_csv_cell(value) for value in row])
        count += 1
    return count


def write_xlsx(sheets: Sequence[Sheet], path: Path) -> int:
    """Write a workbook; how many rows its sheets have together."""
    book = Workbook(write_only=True)
    book.properties.creator = "Corrente"
    book.properties.created = book.properties.modified = _STILL_DAY
    count = 0
    titles: set[str] = set()
    for sheet in sheets:
        count += _write_sheet(book, sheet, titles)
    with _StillArchive(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        ExcelWriter(book, archive).save()
    return count


def disarmed(text: str) -> str:
    """Text that no spreadsheet evaluates: an apostrophe before what begins as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _csv_cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str):
        return disarmed(_NO_TEXT.sub("\ufffd", value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _write_sheet(book: Any, sheet: Sheet, titles: set[str]) -> int:
    """As many sheets of the workbook as the rows take; at least one, with its header."""
    rows = iter(sheet.rows)
    count = 0
    while True:
        page = book.create_sheet(_title(sheet.name, titles))
        page.freeze_panes = "A2"
        first = next(rows, None)
        _set_widths(page, sheet.columns, first)
        page.append([_header(page, column) for column in sheet.columns])
        if first is None:
            return count
        written = 0
        for row in _with_first(first, islice(rows, SHEET_ROWS - 2)):
            page.append([_cell(page, value) for value in row])
            written += 1
        count += written
        if written < SHEET_ROWS - 1:
            return count


def _with_first(first: Sequence[Value], rows: Iterator[Sequence[Value]]) -> Iterator[Sequence[Value]]:
    yield first
    yield from rows


def _title(name: str, taken: set[str]) -> str:
    """A name that a sheet may have, and no other of the workbook has."""
    plain = _NO_TITLE.sub(" ", name).strip(" '") or "sheet"
    title, number = plain[:_TITLE_CHARACTERS], 1
    while title.casefold() in taken:
        number += 1
        title = f"{plain[: _TITLE_CHARACTERS - len(str(number)) - 1]} {number}"
    taken.add(title.casefold())
    return title


def _set_widths(page: Any, columns: tuple[str, ...], row: Sequence[Value] | None) -> None:
    """Wide enough for what the first row shows of each column; widths stand before the rows in the file."""
    for index, (column, value) in enumerate(zip(columns, row or columns, strict=False)):
        kind = "date" if isinstance(value, date) else "number" if isinstance(value, int | Decimal) else "text"
        page.column_dimensions[_letter(index)].width = max(_WIDTHS[kind], len(column) + 2)


def _letter(index: int) -> str:
    """The column's name: A, B, … Z, AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _header(page: Any, column: str) -> Any:
    cell = _cell(page, column)
    cell.font = Font(bold=True)
    return cell


def _cell(page: Any, value: Value) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, datetime):
        # The format knows no zone: the text says which instant it was.
        value = value.isoformat()
    if isinstance(value, str):
        # Set after the value: of itself the library takes what begins with = for a formula.
        cell = WriteOnlyCell(page, value=_NO_TEXT.sub("\ufffd", value)[:CELL_CHARACTERS])
        cell.data_type = "s"
        return cell
    cell = WriteOnlyCell(page, value=value)
    cell.number_format = _format(value)
    return cell


def _format(value: int | Decimal | date) -> str:
    if isinstance(value, date):
        return "yyyy-mm-dd"
    if isinstance(value, int):
        return "0"
    places = max(0, -cast("int", value.as_tuple().exponent))
    return "0" if not places else f"#,##0.{'0' * places}"


class _StillArchive(zipfile.ZipFile):
    """An archive in which time stands still, so that the same content gives the same bytes."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(self._still(zinfo_or_arcname), data, *args, **options)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **options: Any) -> None:
        with Path(filename).open("rb") as source, self.open(self._still(arcname), "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target)

    def _still(self, name: str) -> zipfile.ZipInfo:
        member = zipfile.ZipInfo(name, _STILL)
        member.compress_type = self.compression
        return member
