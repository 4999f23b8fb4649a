"""`corrente invoice`, as it is typed."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

from control_plane import db

pytestmark = pytest.mark.db


@pytest.fixture
def books(connection, database, tmp_path):
    return make_books(connection), write_settings(tmp_path, database)


def _ok(result):
    assert result.exit_code == 0, result.output
    return result.output


def _refused(result):
    assert result.exit_code == 1, result.output
    return result.output


def test_an_invoice_is_made_shown_and_reads_like_one(books):
    isp, settings = books
    made = _ok(
        run(
            settings,
            *("invoice", "new", str(isp.customers[0]), "--date", "2026-03-01", "--due", "30", "--due", "60"),
            *(
                "--line",
                "product=Activation",
                "--line",
                "product=Home 30,text=Home 30, March,price=29.90,from=2026-03-01,until=2026-03-31",
            ),
        )
    )

    assert made.endswith("Issued invoice 1/FT/2026: 96.26 EUR.\n")
    shown = _ok(run(settings, "invoice", "show", "1/FT/2026"))
    for words in (
        "Invoice 1/FT/2026",
        "of 2026-03-01",
        "VAT 01234560017",
        "Anna Rossi 1",
        "Via Po 1",
        "  1  Activation                                   1       49.00       49.00    22 %",
        "  2  Home 30, March                               1       29.90       29.90    22 %",
        "     2026-03-01 to 2026-03-31",
        "Tax 22 % on 78.90       17.36 EUR",
        "To be paid       96.26 EUR",
        "due 2026-03-31  48.13",
        "due 2026-04-30  48.13",
        "made by maria",
    ):
        assert words in shown, shown


def test_a_dry_run_shows_the_totals_and_takes_no_number(books, database):
    isp, settings = books
    said = _ok(run(settings, "invoice", "new", str(isp.customers[0]), "--line", "product=Phone", "--dry-run"))

    assert "Invoice (draft, without a number)" in said
    assert "To be paid        4.88 EUR" in said
    with db.connect(database, name="test") as own:
        assert own.execute("SELECT count(*) FROM document").fetchone() == (0,)


def test_json_has_all_of_it_with_amounts_as_text(books):
    isp, settings = books
    made = json.loads(
        _ok(
            run(
                settings,
                *("invoice", "new", "--contract", str(isp.contracts[1]), "--date", "2026-03-01", "--json"),
                *("--line", "product=Phone,quantity=2,discount=10,from=2026-03-01,until=2026-03-31"),
            )
        )
    )

    assert made["label"] == "1/FT/2026"
    assert (made["net"], made["tax"], made["gross"], made["payable"]) == ("7.20", "1.58", "8.78", "8.78")
    (line,) = made["lines"]
    assert (line["quantity"], line["unit_price"], line["discount"], line["rate"]) == ("2", "4", "0.4", "22")
    assert line["during"] == {"from": "2026-03-01", "until": "2026-03-31"}
    assert made["standing"]["open"] == "8.78"
    assert made["customer"]["name"] == "Anna Rossi 2"
    listed = json.loads(_ok(run(settings, "invoice", "list", "--json")))
    assert [one["label"] for one in listed] == ["1/FT/2026"]


def test_an_invoice_is_given_back_by_line_and_whole(books):
    isp, settings = books
    new = ("invoice", "new", str(isp.customers[0]), "--date", "2026-03-01", "--line", "product=Activation")
    _ok(run(settings, *new, "--line", "product=Phone"))
    credit = ("invoice", "credit", "1/FT/2026", "--date", "2026-03-02", "--reason", "came late")

    planned = _ok(run(settings, *credit, "--line", "1=9.00", "--dry-run"))
    part = _ok(run(settings, *credit, "--line", "1=9.00"))
    rest = _ok(run(settings, *credit, "--all"))
    again = _refused(run(settings, *credit, "--all"))

    assert "Credit note (draft, without a number)" in planned
    assert part.endswith("Issued credit note 1/NC/2026: 10.98 EUR.\n")
    # 53.00 and 11.66 are 64.66.
    assert rest.endswith("Issued credit note 2/NC/2026: 53.68 EUR.\n")
    assert "invoice 1/FT/2026 is given back already, all of it" in again
    shown = _ok(run(settings, "invoice", "show", "1/FT/2026"))
    for words in ("paid", "49.00 given back since", "settled by 1/NC/2026  10.98 EUR", "corrected by 2/NC/2026"):
        assert words in shown, shown
    note = _ok(run(settings, "invoice", "show", "1/NC/2026"))
    for words in (
        "corrects 1/FT/2026",
        "gives back a line of 1/FT/2026",
        "To be given back       10.98 EUR",
        "because: came late",
    ):
        assert words in note, note


def test_lists_say_what_is_open_and_overdue(books):
    isp, settings = books
    for customer, due in ((0, "0"), (1, "365")):
        number = str(isp.customers[customer])
        _ok(run(settings, "invoice", "new", number, "--date", "2026-03-01", "--due", due, "--line", "product=Phone"))

    everything = _ok(run(settings, "invoice", "list"))
    overdue = _ok(run(settings, "invoice", "list", "--overdue"))
    mine = _ok(run(settings, "invoice", "list", "--customer", str(isp.customers[1]), "--open"))

    assert "2/FT/2026" in everything
    assert "1/FT/2026" in everything
    assert "1/FT/2026" in overdue
    assert "overdue" in overdue
    assert "2/FT/2026" not in overdue
    assert "1/FT/2026" not in mine
    assert _ok(run(settings, "invoice", "list", "--kind", "quote")) == "No documents.\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("new", "1", "--line", "product=Fone"), "there is no product 'Fone'; did you mean Phone?"),
        (("new", "999999", "--line", "product=Phone"), "there is no customer '999999'"),
        (("new", "--contract", "999", "--line", "product=Phone"), "there is no contract 999 with terms"),
        (("new", "1", "--line", "text=Cable,price=1"), "Cable: a line without a product needs a tax code"),
        (("new", "1", "--line", "product=Phone,price=-1"), "below zero it is a credit note"),
        (("new", "1", "--line", "product=Phone", "--currency", "USD"), "has no price in USD"),
        (("new", "1", "--line", "product=Phone", "--discount", "5"), "a discount of 5.00 EUR on lines of 4.00 EUR"),
        (("credit", "7/FT/2026", "--all", "--reason", "x"), "there is no document '7/FT/2026'"),
        (("show", "id:77"), "there is no document id:77"),
    ],
)
def test_what_can_t_be_done_is_refused_in_words_and_nothing_is_written(books, database, arguments, problem):
    isp, settings = books
    typed = [str(isp.customers[0]) if word == "1" else word for word in arguments]

    assert problem in _refused(run(settings, "invoice", *typed))

    with db.connect(database, name="test") as own:
        assert own.execute("SELECT count(*) FROM document").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("new", "1", "--line", "produkt=Phone"), "expected KEY=VALUE with one of product, text"),
        (("new", "1", "--line", "product=Phone,price=a"), "expected a number such as 29.90"),
        (("new", "1", "--line", "product=Phone,from=2026-01-01"), "its first and its last day"),
        (("new", "1", "--line", "quantity=2"), "a line has product= or text="),
        # As a part of the text it would be issued for good, with a quantity of 1.
        (("new", "1", "--line", "text=Cable,quantita=2,price=1,tax=IVA-22"), "did you mean quantity=?"),
        (("new", "1", "--line", "text=Cable, metri = 2,price=1,tax=IVA-22"), "metri= in"),
        (("new", "--line", "product=Phone"), "name a customer, or a contract"),
        (("credit", "1/FT/2026", "--reason", "x"), "give --all, or what to give back with --line"),
        (("credit", "1/FT/2026", "--line", "a", "--reason", "x"), "expected a line's number"),
        (("credit", "1/FT/2026", "--line", "1", "--line", "1=2", "--reason", "x"), "a line is named once"),
    ],
)
def test_what_is_typed_wrong_is_a_usage_error(books, arguments, problem):
    result = run(books[1], "invoice", *arguments)

    assert result.exit_code == 2
    assert problem in result.output


def test_a_number_can_t_go_back_in_time(books):
    isp, settings = books
    new = ("invoice", "new", str(isp.customers[0]), "--line", "product=Phone", "--date")
    _ok(run(settings, *new, "2026-03-01"))

    assert "Dates of a register never go back" in _refused(run(settings, *new, "2026-02-28"))


def test_prices_with_tax_are_what_the_customer_pays(books):
    isp, settings = books
    made = json.loads(
        _ok(
            run(
                settings,
                *("invoice", "new", str(isp.customers[0]), "--with-tax", "--json"),
                *("--line", "product=Phone,price=10.00", "--discount", "1.00"),
            )
        )
    )

    # 9.00 with 22 percent: 7.38 (7.377) and 1.62.
    assert (Decimal(made["net"]), Decimal(made["tax"]), Decimal(made["gross"])) == (
        Decimal("7.38"),
        Decimal("1.62"),
        Decimal("9.00"),
    )


def test_with_a_key_the_same_is_done_once(books, database):
    isp, settings = books
    new = (
        "invoice",
        "new",
        str(isp.customers[0]),
        "--date",
        "2026-03-01",
        "--line",
        "product=Phone",
        "--key",
        "ticket 4711",
    )
    credit = (
        "invoice",
        "credit",
        "1/FT/2026",
        "--line",
        "1=1.00",
        "--reason",
        "x",
        "--date",
        "2026-03-02",
        "--key",
        "a",
    )

    first, again = _ok(run(settings, *new)), _ok(run(settings, *new))
    other = _refused(run(settings, *new, "--due", "30"))
    for key in ("", "k" * 201):
        assert "a key has 1 to 200 characters" in _refused(run(settings, *new[:-1], key))
    given, given_again = _ok(run(settings, *credit)), _ok(run(settings, *credit))

    assert first.endswith("\nIssued invoice 1/FT/2026: 4.88 EUR.\n")
    assert again == f"Done before with key 'ticket 4711'; this was the answer:\n{first}"
    assert "key 'ticket 4711' was used for something else: nothing was done" in other
    assert given.endswith("\nIssued credit note 1/NC/2026: 1.22 EUR.\n")
    assert given_again.endswith(given)
    with db.connect(database, name="test") as own:
        assert own.execute("SELECT count(*) FROM document").fetchone() == (2,)
