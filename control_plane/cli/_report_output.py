"""What commands that show a report share: the time it is of, and whether it is a table, JSON, CSV or XLSX."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import orjson

from billing.export import Sheet, sheet_of, write_csv, write_xlsx
from billing.store.books import BookKeeper
from control_plane.cli._console import Refused, print_table
from control_plane.cli._options import Quantity
from control_plane.quantities import QuantityError

Report = Iterable[object]
# A terminal shows no more; the files and JSON have all.
TABLE_ROWS: Final = 1_000
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_QUARTER: Final = re.compile(r"(\d{4})-[qQ]([1-4])")


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Days from `since` to `until`, both with it."""

    since: date
    until: date


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a report goes: JSON, a file, or with neither the terminal."""

    as_json: bool = False
    csv: Path | None = None
    xlsx: Path | None = None


def read_span(text: str) -> Span:
    """`2026`, `2026-Q1`, `2026-03`, `2026-03-05`, or two days with two points between.

    Raises: QuantityError for anything else.
    """
    try:
        if ".." in text:
            since, until = (date.fromisoformat(part) for part in text.split("..", 1))
        elif found := _QUARTER.fullmatch(text):
            since, until = _months(int(found[1]), int(found[2]) * 3 - 2, 3)
        elif found := _MONTH.fullmatch(text):
            since, until = _months(int(found[1]), int(found[2]), 1)
        elif len(text) == len("2026"):
            since, until = _months(int(text), 1, 12)
        else:
            since = until = date.fromisoformat(text)
    except ValueError as error:
        raise QuantityError(
            f"{text!r}: expected 2026, 2026-Q1, 2026-03, 2026-03-05 or 2026-03-05..2026-04-30"
        ) from error
    if until < since:
        raise QuantityError(f"{text!r} ends before it begins")
    return Span(since, until)


SPAN: Final = Quantity("period", read_span)


def report_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--issuer` and where the report goes."""
    for option in reversed(
        (
            click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers."),
            click.option("--json", "as_json", is_flag=True, help="One JSON document."),
            click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write it to this file as CSV."),
            click.option("--xlsx", "xlsx_file", type=click.Path(path_type=Path), help="Write it to this file as XLSX."),
        )
    ):
        function = option(function)
    return function


def output_of(options: dict[str, Any]) -> Output:
    """Takes what `report_options` gave, but for the issuer, out of a command's options."""
    output = Output(options.pop("as_json"), options.pop("csv_file"), options.pop("xlsx_file"))
    if sum((output.as_json, output.csv is not None, output.xlsx is not None)) > 1:
        raise click.UsageError("one of --json, --csv and --xlsx at a time")
    return output


def today_for(keeper: BookKeeper) -> date:
    """What day it is where the issuer's days begin."""
    return datetime.now(UTC).astimezone(ZoneInfo(keeper.zone)).date()


def this_year(keeper: BookKeeper) -> Span:
    """From the first of January to today."""
    today = today_for(keeper)
    return Span(date(today.year, 1, 1), today)


def this_month(keeper: BookKeeper) -> Span:
    """From the first of the month to today."""
    today = today_for(keeper)
    return Span(today.replace(day=1), today)


def show_report(output: Output, name: str, row_type: type, rows: Report, *, empty: str, below: str = "") -> None:
    """Print or write the rows; `below` stands under a table."""
    if output.csv is not None or output.xlsx is not None:
        path = output.csv or output.xlsx
        assert path is not None, "one of both was given"
        count = write_file(path, [sheet_of(name, row_type, rows)])
        click.echo(f"{count} rows in {path}")
        return
    if output.as_json:
        print_rows_as_json(rows)
        return
    rest = iter(rows)
    shown = list(islice(rest, TABLE_ROWS))
    columns = tuple(field.name for field in dataclasses.fields(row_type))
    used = [one for one in columns if any(getattr(row, one) is not None for row in shown)]
    print_table(
        tuple(one.replace("_", " ") for one in used),
        (tuple(getattr(row, one) for one in used) for row in shown),
        empty=empty,
    )
    if next(rest, None) is not None:
        click.echo(f"… and more: these are the first {TABLE_ROWS} rows; --csv or --xlsx FILE has all of them")
    elif shown and below:
        click.echo(below)


def print_rows_as_json(rows: Report) -> None:
    """One JSON document, a row at a time: a list of objects. Amounts are texts, as JSON has no exact decimals."""
    between = "[\n"
    for row in rows:
        click.echo(between + orjson.dumps(row, default=str).decode(), nl=False)
        between = ",\n"
    click.echo("[]" if between == "[\n" else "\n]")


def write_file(path: Path, sheets: Sequence[Sheet]) -> int:
    """A CSV or XLSX file, by its name; it is there whole or not at all. How many rows it has."""
    with _finished(path) as unfinished:
        if path.suffix.lower() == ".xlsx":
            return write_xlsx(sheets, unfinished)
        (sheet,) = sheets
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            return write_csv(sheet, file)


@contextmanager
def _finished(path: Path) -> Iterator[Path]:
    """A file beside the wanted one that takes its place when the block is done."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise Refused(f"can't write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    after = year * 12 + month - 1 + count
    return date(year, month, 1), date(after // 12, after % 12 + 1, 1) - timedelta(days=1)
