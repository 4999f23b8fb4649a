"""Payments of a file that somebody kept: rows, and every refusal with its line."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.bulk_payments import BulkFileError, read_bulk


def read(text, decimal="."):
    return read_bulk(text.encode(), decimal=decimal)


def test_rows_say_what_they_say_and_no_more():
    rows, refused = read(
        "customer,amount,date,method,reference,invoice\nC-17,24.28,2026-03-10,cash,slip 4,1/FT/2026 4/FT/2026\n18,5,,,,\n"
    )

    first, second = rows
    assert (first.customer, first.amount, first.day, first.method, first.reference, first.invoices) == (
        "C-17",
        Decimal("24.28"),
        date(2026, 3, 10),
        "cash",
        "slip 4",
        ("1/FT/2026", "4/FT/2026"),
    )
    assert (second.line, second.day, second.method, second.reference, second.invoices) == (3, None, None, None, ())
    assert refused == []


def test_the_same_row_of_the_same_file_has_one_key_and_two_equal_rows_have_two():
    text = "customer;amount\n17;5,00\n17;5,00\n"
    (first, second), _ = read(text, ",")

    assert first.key != second.key
    assert [one.key for one in read(text, ",")[0]] == [first.key, second.key]
    assert read(text + "18;5,00\n", ",")[0][0].key != first.key


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("17,-5,,", "no amount|above zero"),
        ("17,0,,", "above zero"),
        ("17,5.0.0,,", "is no amount|thousands"),
        ("17,,,", "amount is empty"),
        (",5,,", "customer is empty"),
        ("17,5,10/03/2026,", "no day written YYYY-MM-DD"),
        ("17,5", "fields more or less"),
        ("17,5,,,x", "fields more or less"),
        ("18,5,,ok", "stands in line 2 already"),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_with_its_line(row, said):
    rows, (refused,) = read(f"customer,amount,date,reference\n16,5,,ok\n{row}\n")

    assert (len(rows), refused.line) == (1, 3)
    assert any(one in refused.reason for one in said.split("|"))


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "customer"),
        (b"customer,amonut\n", "did you mean amount?"),
        (b"customer\n", "column amount is missing"),
        (b"customer,amount,amount\n", "stands there twice"),
        ("customer,amount\nMüller,5\n".encode("cp1252"), "line 2: this is no UTF-8"),
        (b"customer,amount\n" + b"1,5\n" * 20_001, "more than 20,000 rows"),
        (b'customer,amount\n"' + b"x" * 200_000, "field larger"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(octets, said):
    with pytest.raises(BulkFileError, match=said.replace("?", r"\?")):
        read_bulk(octets, decimal=".")


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused_and_nothing_else(octets):
    with contextlib.suppress(BulkFileError):
        read_bulk(b"customer,amount,date\n" + octets, decimal=".")
