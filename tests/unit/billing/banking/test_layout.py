"""How a bank writes its CSV: kept, guessed, refused where it can't be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.banking.bank_line import BankFileError
from billing.banking.layout import (
    DAY_FORMS,
    ENCODINGS,
    SEPARATORS,
    Layout,
    checked,
    guess_layout,
    layout_data,
    read_layout,
)

ITALIAN = """Estratto conto;;;;
Conto;IT60X0542811101000000123456;;;

Data contabile;Data valuta;Descrizione operazione;Addebiti;Accrediti
10/03/2026;11/03/2026;BONIFICO DA ROSSI MARIO FT 12/2026;;1.036,48
11/03/2026;11/03/2026;COMMISSIONI;-1,50;
"""
ENGLISH = "Date,Description,Amount,Currency\n2026-03-10,ROSSI MARIO,36.48,EUR\n2026-03-11,FEE,-1.50,EUR\n"


def test_an_italian_file_with_two_columns_and_rows_before_its_header_is_guessed():
    guess = guess_layout(ITALIAN.encode("cp1252"), {})

    assert (guess.booked_on, guess.value_on, guess.text) == (
        "Data contabile",
        "Data valuta",
        ("Descrizione operazione",),
    )
    assert (guess.credit, guess.debit, guess.amount) == ("Accrediti", "Addebiti", "")
    assert (guess.separator, guess.decimal, guess.day_form, guess.header_rows) == (";", ",", "DD/MM/YYYY", 4)


def test_an_english_file_with_one_signed_column_is_guessed():
    guess = guess_layout(ENGLISH.encode(), {})

    assert (guess.booked_on, guess.amount, guess.currency) == ("Date", "Amount", "Currency")
    assert (guess.separator, guess.decimal, guess.day_form, guess.encoding) == (",", ".", "YYYY-MM-DD", "utf-8")


def test_what_was_said_is_not_guessed():
    guess = guess_layout(ENGLISH.encode(), {"decimal": ",", "day_form": "DD/MM/YYYY", "text": ("Currency",)})

    assert (guess.decimal, guess.day_form, guess.text) == (",", "DD/MM/YYYY", ("Currency",))


def test_encodings_are_told_apart_where_they_can_be():
    assert guess_layout(ENGLISH.encode("utf-16"), {}).encoding == "utf-16"
    assert guess_layout(ENGLISH.replace("FEE", "Gebühr").encode("cp1252"), {}).encoding == "cp1252"
    assert guess_layout(ENGLISH.replace("FEE", "Gebühr").encode("utf-8-sig"), {}).encoding == "utf-8"


@pytest.mark.parametrize("text", ["", "\n\n", "nothing\nat all\n", "Date;Words\n10/03/2026;x\n"])
def test_a_file_without_a_day_and_an_amount_gives_no_layout(text):
    with pytest.raises(BankFileError, match=r"booked_on|amount"):
        guess_layout(text.encode(), {})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"booked_on": ""}, "booked_on"),
        ({"amount": ""}, "either a column amount, or credit and debit"),
        ({"credit": "In", "debit": "Out"}, "either a column amount"),
        ({"amount": "", "credit": "In"}, "come together"),
        ({"amount": "", "credit": "In", "debit": "Out", "sign": "S"}, "it needs the column amount"),
        ({"separator": "x"}, "separator 'x'"),
        ({"encoding": "rot13"}, "encoding 'rot13'"),
        ({"decimal": "'"}, "decimal"),
        ({"signs": "maybe"}, "signs 'maybe'"),
        ({"header_rows": 51}, "header_rows 51"),
        ({"day_form": "DD/MM"}, "day_form"),
        ({"header_rows": 0}, "without a header columns are counted"),
        ({"moon": "full"}, "no 'moon'"),
        ({"header_rows": "1"}, "is no int"),
        ({"header_rows": True}, "is no int"),
        ({"text": "x"}, "is no list"),
        ({"text": [1]}, "is no list of texts"),
    ],
)
def test_a_layout_that_reads_no_file_is_refused_by_the_name_of_what_is_wrong(wrong, said):
    with pytest.raises(BankFileError, match=said.replace("(", r"\(")):
        read_layout({"booked_on": "Date", "amount": "Amount", **wrong})


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=10).map(
    lambda one: "c" + one
)
LAYOUTS = st.builds(
    Layout,
    booked_on=NAMES,
    text=st.lists(NAMES, max_size=3).map(tuple),
    amount=NAMES,
    value_on=NAMES,
    return_words=st.lists(NAMES, max_size=2).map(tuple),
    separator=st.sampled_from(SEPARATORS),
    decimal=st.sampled_from([",", "."]),
    day_form=st.sampled_from(DAY_FORMS),
    encoding=st.sampled_from(ENCODINGS),
    header_rows=st.integers(1, 50),
)


@given(LAYOUTS)
def test_a_layout_comes_back_as_it_was_saved(layout):
    assert checked(layout) == layout
    assert read_layout(json.loads(json.dumps(layout_data(layout)))) == layout
