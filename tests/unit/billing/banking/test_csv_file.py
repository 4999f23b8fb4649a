"""Banks' CSV files: lines by a layout, rows that are refused with their reason, files that mean harm."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.banking import csv_file
from billing.banking.bank_line import BankFileError
from billing.banking.csv_file import read_csv
from billing.banking.layout import Layout
from billing.money import Money

ONE = Layout("Data", ("Causale",), amount="Importo", value_on="Valuta", party="Chi", header_rows=1)
TWO = Layout("Data", ("Causale",), credit="Avere", debit="Dare")


def read(text, layout=ONE, *, encoding="utf-8"):
    return read_csv(text.encode(encoding), layout, currency="EUR")


def amounts(found):
    return [str(one.amount.amount) for one in found.statement.lines]


def test_lines_are_read_with_their_days_words_and_sign():
    found = read(
        "Data;Valuta;Causale;Chi;Importo\n10/03/2026;11/03/2026;FT 12;ROSSI MARIO;1.036,48\n11/03/2026;;FEE;;-1,50\n"
    )

    first, second = found.statement.lines
    assert (first.booked_on, first.value_on, first.text, first.party) == (
        date(2026, 3, 10),
        date(2026, 3, 11),
        "FT 12",
        "ROSSI MARIO",
    )
    assert (first.amount, second.amount) == (Money(103648, "EUR"), Money(-150, "EUR"))
    assert second.value_on == date(2026, 3, 11)
    assert (found.refused, found.statement.skipped) == ((), 0)


@pytest.mark.parametrize(
    ("row", "amount"),
    [("10/03/2026;x;;5,00", "5.00"), ("10/03/2026;x;5,00;", "-5.00"), ("10/03/2026;x;-5,00;0,00", "-5.00")],
)
def test_of_two_columns_the_filled_one_says_which_way_it_went(row, amount):
    assert amounts(read(f"Data;Causale;Dare;Avere\n{row}\n", TWO)) == [amount]


@pytest.mark.parametrize(
    ("word", "amount"), [("D", "-5.00"), ("dare", "-5.00"), ("C", "5.00"), ("AVERE", "5.00"), ("-", "-5.00")]
)
def test_a_column_of_signs_says_which_way_it_went(word, amount):
    layout = replace(ONE, sign="Segno", value_on="", party="")

    assert amounts(read(f"Data;Causale;Segno;Importo\n10/03/2026;x;{word};5,00\n", layout)) == [amount]


def test_a_bank_that_writes_what_came_in_below_zero_is_turned_round():
    layout = replace(ONE, signs="reversed", value_on="", party="")

    assert amounts(read("Data;Causale;Importo\n10/03/2026;x;-5,00\n", layout)) == ["5.00"]


@pytest.mark.parametrize(
    ("header", "row", "layout", "said"),
    [
        ("Data;Causale;Dare;Avere", "10/03/2026;x;5,00;6,00", TWO, "6,00 came in and 5,00 went out"),
        ("Data;Causale;Dare;Avere", "10/03/2026;x;;-6,00", TWO, "what came in is below zero"),
        ("Data;Causale;Importo", "10/03/2026;x;1234.56", ONE, "does not stand between thousands"),
        ("Data;Causale;Importo", "10/03/2026;x;5,001", ONE, "more than 2 decimals"),
        ("Data;Causale;Importo", "03/13/2026;x;5,00", ONE, "there is no such day"),
        ("Data;Causale;Importo;Segno", "10/03/2026;x;5,00;", replace(ONE, sign="Segno"), "does not say which way"),
        ("Data;Causale;Importo;Segno", "10/03/2026;x;-5,00;D", replace(ONE, sign="Segno"), "is below zero, and column"),
        (
            "Data;Causale;Importo;Divisa",
            "10/03/2026;x;5,00;EURO",
            replace(ONE, currency="Divisa"),
            "'EURO' is no currency",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_place_and_the_others_stay(header, row, layout, said):
    layout = replace(layout, value_on="", party="")
    values = {"Data": "10/03/2026", "Causale": "ok", "Importo": "5,00", "Avere": "5,00", "Segno": "C", "Divisa": "EUR"}
    good = ";".join(values.get(name, "") for name in header.split(";"))
    found = read(f"{header}\n{row}\n{good}\n", layout)

    assert [one.number for one in found.refused] == [2]
    assert said in found.refused[0].reason
    assert amounts(found) == ["5.00"]


def test_rows_of_totals_and_headlines_are_no_lines_and_are_counted():
    found = read(
        "Data;Causale;Importo\n;Saldo iniziale;1.000,00\nTotale;;5,00\n10/03/2026;in attesa;\n\n10/03/2026;x;5,00\n",
        replace(ONE, value_on="", party=""),
    )

    assert (amounts(found), found.statement.skipped, found.refused) == (["5.00"], 4, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [("INSOLUTO SDD AM04 ROSSI", "AM04"), ("insoluto sdd", ""), ("BONIFICO AM04", None), ("INSOLUTO XAM04", "")],
)
def test_a_word_of_the_layout_says_that_money_came_back_and_a_code_why(text, code):
    layout = replace(ONE, return_words=("Insoluto",), value_on="", party="")

    (line,) = read(f"Data;Causale;Importo\n10/03/2026;{text};-5,00\n", layout).statement.lines
    assert line.returned == code


def test_a_column_of_codes_says_why_money_came_back_but_not_of_money_in():
    layout = replace(ONE, code="Codice", value_on="", party="")
    found = read(
        "Data;Causale;Importo;Codice\n10/03/2026;x;-5,00;MD06\n10/03/2026;x;5,00;MD06\n10/03/2026;x;-5,00;\n", layout
    )

    assert [one.returned for one in found.statement.lines] == ["MD06", None, None]


@pytest.mark.parametrize(
    ("octets", "encoding", "said"),
    [
        ("Data;Causale;Importo\n10/03/2026;Gebühr;5,00\n".encode("cp1252"), "utf-8", "line 2: this is no utf-8"),
        ("Data;Causale;Importo\n".encode("utf-16"), "cp1252", "is it utf-16"),
        (b"Data;Causale;Importo\n", "utf-16", "utf-16|no column"),
        (b"Data;Causale;Importo\n10/03/2026;\0;5,00\n", "utf-8", "octets of zero"),
        (b"", "utf-8", "ends before its header"),
        (b"Data;Causale\n", "utf-8", "there is no column 'Importo'"),
        (b"Data;Causale;Importo;Importo\n", "utf-8", "stands there twice: name it by its place, #3"),
        (b'Data;Causale;Importo\n10/03/2026;"' + b"x" * 20_000 + b'";5,00\n', "utf-8", "field larger than field limit"),
        (b'Data;Causale;Importo\n10/03/2026;"' + b"10/03/2026;x;5,00\n" * 2000, "utf-8", "field larger than"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_as_a_whole_says_why(octets, encoding, said):
    with pytest.raises(BankFileError, match=said):
        read_csv(octets, replace(ONE, value_on="", party="", encoding=encoding), currency="EUR")


def test_columns_without_a_header_are_counted():
    layout = Layout("#1", ("#3", "#2"), amount="#4", header_rows=0)

    (line,) = read("10/03/2026;b;a;5,00\n", layout).statement.lines
    assert line.text == "a b"


def test_a_file_with_more_lines_than_any_bank_writes_is_refused(monkeypatch):
    monkeypatch.setattr(csv_file, "MAX_LINES", 1000)
    with pytest.raises(BankFileError, match="row 1002: more than 1,000 lines"):
        read("Data;Causale;Importo\n" + "10/03/2026;x;5,00\n" * 1001, replace(ONE, value_on="", party=""))


LINES = st.lists(
    st.tuples(
        st.dates(date(2000, 1, 1), date(2099, 12, 31)),
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=20),
        st.decimals(min_value=-(10**9), max_value=10**9, places=2).filter(bool),
    ),
    max_size=8,
)


@given(LINES, st.sampled_from([";", ",", "\t", "|"]), st.sampled_from(["utf-8", "utf-16"]))
def test_what_is_written_by_a_layout_is_read_again(lines, separator, encoding):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator)
    writer.writerow(["Data", "Causale", "Importo"])
    for day, text, amount in lines:
        writer.writerow([f"{day:%d/%m/%Y}", text, f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))])
    layout = Layout("Data", ("Causale",), amount="Importo", separator=separator, encoding=encoding)

    found = read(written.getvalue(), layout, encoding=encoding)

    assert found.refused == ()
    assert [(one.booked_on, one.text, one.amount.amount) for one in found.statement.lines] == [
        (day, text, Decimal(amount)) for day, text, amount in lines
    ]


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused_and_nothing_else(octets):
    with contextlib.suppress(BankFileError):
        read_csv(b"Data;Causale;Importo\n" + octets, Layout("Data", ("Causale",), amount="Importo"), currency="EUR")
