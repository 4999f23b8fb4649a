"""Reports as files that a spreadsheet reads as they are meant."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest

from billing import export
from billing.export import Sheet, sheet_of, write_csv, write_xlsx

ROWS = [
    ("Casa 30", date(2026, 3, 1), Decimal("-12.30"), 7, True),
    ('Rossi, "Anna"\nand Bruno', date(2024, 2, 29), Decimal("1200000000000.05"), None, False),
]
COLUMNS = ("name", "day", "amount", "count", "open")


def csv_of(*rows, columns=COLUMNS):
    file = io.StringIO(newline="")
    write_csv(Sheet("x", columns, rows), file)
    return file.getvalue()


def xlsx_of(tmp_path, *rows, columns=COLUMNS, name="x"):
    path = tmp_path / "book.xlsx"
    write_xlsx([Sheet(name, columns, rows)], path)
    return openpyxl.load_workbook(path)


def test_a_csv_has_points_in_numbers_iso_days_and_quotes_where_they_are_needed():
    assert csv_of(*ROWS) == (
        "name,day,amount,count,open\r\n"
        "Casa 30,2026-03-01,-12.30,7,yes\r\n"
        '"Rossi, ""Anna""\nand Bruno",2024-02-29,1200000000000.05,,no\r\n'
    )


def test_an_xlsx_has_numbers_as_numbers_and_days_as_days(tmp_path):
    page = xlsx_of(tmp_path, *ROWS)["x"]

    first, second = list(page.iter_rows(min_row=2))
    assert [cell.value for cell in first] == ["Casa 30", datetime(2026, 3, 1), -12.3, 7, "yes"]
    assert [cell.data_type for cell in first] == ["s", "d", "n", "n", "s"]
    assert (first[1].number_format, first[2].number_format) == ("yyyy-mm-dd", "#,##0.00")
    assert second[2].value == 1200000000000.05
    assert second[3].value is None
    assert page.freeze_panes == "A2"


@pytest.mark.parametrize("text", ["=1+1", "+39 011", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"])
def test_what_begins_as_a_formula_is_text(tmp_path, text):
    (_, (cell,)) = csv.reader(io.StringIO(csv_of([text], columns=("a",)), newline=""))
    assert cell == f"'{text}"

    ((in_book,),) = xlsx_of(tmp_path, [text], columns=("a",))["x"].iter_rows(min_row=2)
    assert in_book.data_type == "s"
    assert in_book.value.replace("_x000D_", "\r").strip() == text.strip()


def test_a_header_is_guarded_too(tmp_path):
    assert csv_of(columns=("=a",)) == "'=a\r\n"
    ((cell,),) = xlsx_of(tmp_path, columns=("=a",))["x"].iter_rows()
    assert (cell.value, cell.data_type) == ("=a", "s")


def test_a_negative_amount_stays_a_number():
    assert csv_of([Decimal("-1.00")], columns=("a",)).splitlines()[1] == "-1.00"


def test_text_of_a_plain_customer_is_left_as_it_is():
    assert csv_of(["Rossi - Bianchi"], columns=("a",)).splitlines()[1] == "Rossi - Bianchi"


def test_a_large_or_small_decimal_is_written_out():
    assert csv_of([Decimal("1E+5"), Decimal("1E-8")], columns=("a", "b")).splitlines()[1] == "100000,0.00000001"


def test_characters_that_no_file_may_hold_are_replaced(tmp_path):
    assert csv_of(["a\x00b\x1b"], columns=("a",)).splitlines()[1] == "a\ufffdb\ufffd"
    ((cell,),) = xlsx_of(tmp_path, ["a\x00b\x1b"], columns=("a",))["x"].iter_rows(min_row=2)
    assert cell.value == "a\ufffdb\ufffd"


def test_an_instant_says_its_zone(tmp_path):
    at = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    assert csv_of([at], columns=("a",)).splitlines()[1] == "2026-03-01T10:30:00+00:00"
    ((cell,),) = xlsx_of(tmp_path, [at], columns=("a",))["x"].iter_rows(min_row=2)
    assert cell.value == "2026-03-01T10:30:00+00:00"


def test_the_same_rows_give_the_same_bytes_and_no_time_is_written(tmp_path):
    for name in ("one.xlsx", "two.xlsx"):
        write_xlsx([Sheet("a", COLUMNS, ROWS), Sheet("b", COLUMNS, ROWS)], tmp_path / name)

    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "two.xlsx") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(re.findall(rb"\d{4}-\d\d-\d\dT[0-9:]+", archive.read("docProps/core.xml"))) == {
            b"1980-01-01T00:00:00"
        }


def test_a_full_sheet_goes_on_in_another_one(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "SHEET_ROWS", 4)
    book = xlsx_of(tmp_path, *[[number] for number in range(7)], columns=("a",))

    pages = [[cell.value for (cell,) in page.iter_rows()] for page in book.worksheets]
    assert pages == [["a", 0, 1, 2], ["a", 3, 4, 5], ["a", 6]]
    assert book.sheetnames == ["x", "x 2", "x 3"]


def test_a_sheet_s_name_holds_what_it_may(tmp_path):
    book = xlsx_of(tmp_path, columns=("a",), name="[VAT]/register: a name of more than thirty-one characters")
    assert book.sheetnames == ["VAT  register  a name of more t"]


def test_an_empty_report_has_its_header(tmp_path):
    assert [[cell.value for cell in row] for row in xlsx_of(tmp_path, columns=("a", "b"))["x"].iter_rows()] == [
        ["a", "b"]
    ]
    assert csv_of(columns=("a", "b")) == "a,b\r\n"


def test_dataclasses_become_columns_by_their_fields():
    @dataclass(frozen=True)
    class Row:
        due_on: date
        amount: Decimal

    sheet = sheet_of("open", Row, [Row(date(2026, 1, 1), Decimal("1.00"))])

    assert sheet.columns == ("due on", "amount")
    assert list(sheet.rows) == [(date(2026, 1, 1), Decimal("1.00"))]


def test_many_rows_take_no_more_memory_than_few(tmp_path):
    def peak(count):
        tracemalloc.start()
        write_xlsx([Sheet("x", ("a", "b"), ((f"row {n}", Decimal(n)) for n in range(count)))], tmp_path / "m.xlsx")
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(8_000) < peak(800) + 300_000
