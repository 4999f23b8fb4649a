"""A CSV file of customers: what each line says, and why one is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.customer_csv import COLUMNS, CustomerCsvError, Defaults, read_customers

SAMPLE = Path(__file__).resolve().parents[3] / "docs/samples/customers.csv"


def read(text, **defaults):
    return read_customers(text.encode(), Defaults(**defaults))


def test_the_sample_shows_every_column_in_use_and_is_read_whole():
    octets = SAMPLE.read_bytes()
    anna, bruno = read_customers(octets, Defaults())[0]
    assert read_customers(octets, Defaults())[1] == []
    assert (anna.reference, anna.columns["kind"], anna.numbers) == (
        "C-4711",
        "person",
        {"it.codicefiscale": "RSSMRA80A01H501U"},
    )
    assert anna.columns["name"] == "Anna Rossi"
    assert anna.addresses["legal"]["latitude"] == Decimal("45.066667")
    assert anna.contact == {"email": "anna@example.net", "mobile": "+393395551234"}
    assert set(bruno.addresses) == {"legal", "billing", "service"}
    assert bruno.contact["name"] == "Bruno Verdi"


def test_semicolons_a_byte_order_mark_and_capitals_in_the_header_are_read():
    (one,), refused = read("\ufeffReference; Name ;EMAIL\r\n7;Anna;a@b\r\n\r\n")
    assert (one.line, one.reference, one.columns, one.contact, refused) == (
        2,
        "7",
        {"name": "Anna"},
        {"email": "a@b"},
        [],
    )


def test_a_telephone_and_an_address_without_a_country_have_the_one_that_is_given():
    text = "reference,name,phone,mobile,street,postal_code,city\n7,Anna,011 555123,+34600111222,Via Po,10124,Torino\n"
    (one,), _ = read(text, country="IT", dialling_code="+39")
    assert one.contact == {"phone": "+39011555123", "mobile": "+34600111222"}
    assert one.addresses["legal"]["country"] == "IT"
    (one,), _ = read(text.replace("011 555123", "02 2550000"), dialling_code="+593")
    assert one.contact["phone"] == "+59322550000"


@pytest.mark.parametrize(
    ("columns", "line", "says"),
    [
        ("name", ",Anna", "reference: '': 1 to 64"),
        ("name", "A 7,Anna", "without blanks"),
        ("kind", "7,shop", "one of person, company, public_body"),
        ("language", "7,de", "one of en, it, es"),
        ("given_name", "7,Anna", "come together"),
        ("kind,given_name,family_name", "7,company,Anna,Rossi", "only a person"),
        ("it.iva", "7,01234560018", "wrong check digit"),
        ("phone", "7,011 555123", "its country"),
        ("email", "7,anna at home", "is no address"),
        ("latitude", "7,45", "come together"),
        ("latitude,longitude", "7,91,7", "-90 to 90"),
        ("latitude,longitude", "7,north,7", "degrees such as"),
        ("country", "7,Italy", "two capitals"),
        ("country", "7,ZZ", "'ZZ' is no country"),
        ("name", "7,\u200b\u202e", "name: there is nothing in it that is seen"),
        ("position", "7,Nowhere", "no fiscal position 'Nowhere'"),
        ("name", "7,Anna\x07", "control character"),
        ("name", "7," + "x" * 2001, "2000 are the most"),
        ("name", "7", "1 fields, the header has 2"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_and_the_others_are_read(columns, line, says):
    rest = "," * columns.count(",")
    wanted, (refused,) = read(f"reference,{columns}\n{line}\n8,{rest}\n")
    assert [one.reference for one in wanted] == ["8"]
    assert refused.line == 2
    assert says in refused.reason


def test_a_reference_that_stands_twice_is_refused_where_it_stands_again():
    wanted, (refused,) = read("reference,name\n7,Anna\n8,Bruno\n7,Carla\n")
    assert [one.reference for one in wanted] == ["7", "8"]
    assert (refused.line, "stands in line 2 already" in refused.reason) == (4, True)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "no header"),
        (b"name\nAnna\n", "reference is missing"),
        (b"reference,nmae\n", "did you mean name?"),
        (b"reference,it.vat\n", "unknown column"),
        (b"reference,name,name\n", "twice"),
        (b"reference,name\n7,Ni\xf2\n", "line 2: this is no UTF-8"),
        (b'reference,name\n7,"Anna\n', "line"),
    ],
)
def test_a_file_that_can_t_be_read_as_a_whole_says_why(octets, says):
    with pytest.raises(CustomerCsvError, match=says.replace("?", r"\?")):
        read_customers(octets, Defaults())


@given(st.binary(max_size=300))
def test_any_file_is_read_or_refused_and_never_breaks(octets):
    for header in (b"", b"reference,name,phone,it.iva,latitude,longitude\n"):
        try:
            wanted, refused = read_customers(header + octets, Defaults())
        except CustomerCsvError:
            continue
        assert len({one.reference for one in wanted}) == len(wanted)
        assert all(one.reason for one in refused)


@given(st.lists(st.fixed_dictionaries({name: st.text(max_size=12) for name in COLUMNS}), max_size=4))
def test_what_a_line_does_not_say_is_nowhere(rows):
    quoted = [",".join('"' + row[name].replace('"', '""') + '"' for name in COLUMNS) for row in rows]
    try:
        wanted, _ = read("\n".join([",".join(COLUMNS), *quoted]))
    except CustomerCsvError:
        return
    for one in wanted:
        values = [
            *one.columns.values(),
            *one.contact.values(),
            *(v for a in one.addresses.values() for v in a.values()),
        ]
        assert all(str(value).strip() for value in values)
