"""How the time of a report is typed, and that a file is there whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from billing.export import Sheet
from control_plane.cli._console import Refused
from control_plane.cli._report_output import Span, print_rows_as_json, read_span, write_file
from control_plane.quantities import QuantityError


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-Q1", "2026-01-01", "2026-03-31"),
        ("2026-q4", "2026-10-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-03-05", "2026-03-05", "2026-03-05"),
        ("2026-03-05..2027-01-01", "2026-03-05", "2027-01-01"),
    ],
)
def test_a_period_is_read(text, since, until):
    assert read_span(text) == Span(date.fromisoformat(since), date.fromisoformat(until))


@pytest.mark.parametrize(
    "text", ["", "march", "2026-13", "2026-Q5", "26", "2026-02-30", "2026-03-02..2026-03-01", "2026-01-01..", "202x"]
)
def test_another_text_is_no_period(text):
    with pytest.raises(QuantityError):
        read_span(text)


def test_a_file_that_fails_half_way_leaves_the_one_before(tmp_path):
    path = tmp_path / "journal.csv"
    path.write_text("before")

    def rows():
        yield ["1"]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_file(path, [Sheet("journal", ("a",), rows())])
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["journal.csv"]


def test_a_place_that_can_t_be_written_is_refused(tmp_path):
    with pytest.raises(Refused, match="can't write"):
        write_file(tmp_path / "no" / "x.csv", [Sheet("x", ("a",), [])])


def test_rows_become_one_json_document(capsys):
    @dataclass(frozen=True)
    class Row:
        day: date

    print_rows_as_json([Row(date(2026, 1, 1)), Row(date(2026, 1, 2))])
    assert capsys.readouterr().out == '[\n{"day":"2026-01-01"},\n{"day":"2026-01-02"}\n]\n'
    print_rows_as_json([])
    assert capsys.readouterr().out == "[]\n"
