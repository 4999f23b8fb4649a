"""corrente catalogue, as an operator types it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

from billing.store.contract_items import NoPriceError, load_price

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    return make_books(connection, customers=2)


@pytest.fixture
def corrente(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)

    def command(*arguments):
        return run(settings, "catalogue", *arguments)

    return command


def shown(corrente, name="Static address"):
    return json.loads(corrente("show", name, "--json").output)


def test_a_product_is_made_with_its_first_price_and_sold_at_once(corrente, connection, isp):
    done = corrente("new", "Television", "--kind", "add_on", "--family", "tv", "--tax", "IVA-22", "--price", "9.90")
    assert (done.exit_code, done.output) == (0, "Product Television: add on, family tv, IVA-22.\n")
    today = date.today()
    page = shown(corrente, "Television")
    assert page["prices"][0]["unit_price"] == "9.90000000"
    sold = load_price(
        connection,
        currency="EUR",
        includes_tax=False,
        months=3,
        on=today + timedelta(days=2),
        product=page["product"]["id"],
    )
    assert sold.period_price == Decimal("29.70")


def test_a_new_price_ends_the_one_before_and_contracts_keep_theirs(corrente, connection, isp):
    done = corrente("price", "Home 30", "32.90", "--from", "2027-01-01")
    assert done.output == "Product Home 30: 32.90 EUR from 2027-01-01; 29.90 ends there.\n"
    corrente("price", "Home 30", "330", "--from", "2027-01-01", "--months", "12")
    home = isp.products["Home 30"]

    def price(day, months=1):
        return load_price(
            connection, currency="EUR", includes_tax=False, months=months, on=day, product=home
        ).period_price

    assert [price(date(2026, 12, 31)), price(date(2027, 1, 1)), price(date(2027, 1, 1), 12)] == [
        Decimal("29.90"),
        Decimal("32.90"),
        Decimal(330),
    ]
    agreed = connection.execute(
        "SELECT DISTINCT period_price FROM contract_item WHERE product_id = %s", (home,)
    ).fetchall()
    assert agreed == [(Decimal("29.90"),)]
    # With tax beside the one without: each is for contracts of its kind.
    with_tax = {"currency": "EUR", "includes_tax": True, "months": 1, "product": home}
    with pytest.raises(NoPriceError):
        load_price(connection, **with_tax, on=date(2028, 1, 1))
    assert corrente("price", "Home 30", "39.90", "--from", "2028-01-01", "--with-tax").exit_code == 0
    assert load_price(connection, **with_tax, on=date(2028, 1, 1)).period_price == Decimal("39.90")
    assert price(date(2028, 1, 1)) == Decimal("32.90")
    assert "EUR with tax from 2028-01-01" in corrente("show", "Home 30").output


def test_a_mistyped_price_is_typed_again_or_taken_back_and_one_between_two_ends_at_the_next(corrente):
    def prices():
        return [(p["unit_price"].rstrip("0"), p["since"], p["until"]) for p in shown(corrente, "Home 30")["prices"]]

    begun = prices()[0][1]
    corrente("price", "Home 30", "329.0", "--from", "2027-01-01")
    again = corrente("price", "Home 30", "32.90", "--from", "2027-01-01")
    assert again.output == "Product Home 30: 32.90 EUR from 2027-01-01, in the place of 329.00.\n"
    between = corrente("price", "Home 30", "31.5", "--from", "2026-12-01")
    assert between.output == "Product Home 30: 31.50 EUR from 2026-12-01 until 2027-01-01; 29.90 ends there.\n"
    three = [("29.9", begun, "2026-12-01"), ("31.5", "2026-12-01", "2027-01-01"), ("32.9", "2027-01-01", None)]
    assert prices() == three
    over = corrente("price", "Home 30", "30", "--from", "2026-12-15", "--until", "2027-02-01")
    assert (over.exit_code, "a price of 32.9 EUR begins on 2027-01-01 already" in over.output) == (1, True)
    assert prices() == three
    gone = corrente("price", "Home 30", "--from", "2026-12-01", "--remove")
    assert gone.output == "Product Home 30: 31.50 from 2026-12-01 is taken back; 29.90 goes on.\n"
    assert prices() == [("29.9", begun, "2027-01-01"), three[2]]
    nothing = corrente("price", "Home 30", "--from", "2026-12-01", "--remove")
    assert (nothing.exit_code, "no such price begins on 2026-12-01" in nothing.output) == (1, True)
    assert corrente("price", "Home 30", "--from", "2026-12-01").exit_code == 2


def test_texts_early_exit_and_offer_are_set_and_shown(corrente):
    assert corrente("text", "Static address", "it", "Indirizzo statico").exit_code == 0
    assert corrente("text", "Static address", "it", "Indirizzo IP statico").exit_code == 0
    assert corrente("early-exit", "Home 30", "12=60", "0=120.50").output == (
        "Leaving Home 30 early: from month 0 120.50 EUR, from month 12 60.00 EUR.\n"
    )
    assert corrente("early-exit", "Home 30", "0=100").exit_code == 0
    taxed = corrente("early-exit", "Home 30", "0=122", "--with-tax").output
    assert taxed == "Leaving Home 30 early: from month 0 122.00 EUR with tax.\n"
    assert corrente("pause-fee", "Home 30", "3").output == "A pause of Home 30 costs 3.00 EUR.\n"
    assert corrente("pause-fee", "Home 30", "2.50").exit_code == 0
    assert corrente("pause-fee", "Home 30", "3.66", "--with-tax").output.endswith("3.66 EUR with tax.\n")
    assert "pause       2.50 EUR each\n            3.66 EUR with tax each\n" in corrente("show", "Home 30").output
    assert corrente("pause-fee", "Home 30").output == "A pause of Home 30 costs nothing.\n"
    edited = corrente(
        "edit", "Home 30", "--minimum-months", "24", "--notice-days", "30", "--offered-until", "2028-01-01"
    )
    assert edited.output == "Changed product Home 30: minimum months, notice days, offered.\n"
    page = shown(corrente, "Home 30")
    exits = [(step["from_month"], step["amount"], step["includes_tax"]) for step in page["early_exit"]]
    assert exits == [(0, "100.000", False), (0, "122.000", True)]
    assert [fee["amount"] for fee in page["pause_fee"]] == ["3.660"]
    assert shown(corrente)["texts"] == {"it": "Indirizzo IP statico"}
    assert "Home 30" not in corrente("list", "--offered-on", "2028-01-01").output
    assert "Home 30" in corrente("list", "--offered-on", "2027-12-31").output
    assert page["product"]["contracts"] == 2


REFUSED = [
    (("new", "Home 30", "--kind", "add_on", "--family", "x", "--tax", "IVA-22"), "a product of this name already"),
    (("new", "X", "--kind", "plan", "--family", "x", "--tax", "IVA-22"), "--plan"),
    (
        ("new", "X", "--kind", "plan", "--plan", "books", "--family", "x", "--tax", "IVA-22"),
        "Home 30 sells plan books already, and a plan is sold by one product",
    ),
    (
        ("new", "X", "--kind", "plan", "--plan", "nothing", "--family", "x", "--tax", "IVA-22"),
        "there is no plan 'nothing'",
    ),
    (("new", "X", "--kind", "add_on", "--family", "x", "--tax", "IVA-99"), "there is no tax code 'IVA-99'"),
    (("new", "X", "--kind", "add_on", "--family", "X y", "--tax", "IVA-22"), "small letters"),
    (("edit", "Home 31"), "did you mean Home 30?"),
    (("edit", "Home 30"), "nothing to change"),
    (("price", "Home 30", "-1", "--from", "2027-01-01"), "No such option"),
    (("price", "Home 30", "NaN", "--from", "2027-01-01"), "expected a number"),
    (("price", "Home 30", "1", "--from", "2027-01-01", "--until", "2027-01-01"), "ends after it begins"),
    (("price", "Home 30", "1", "--from", "1.1.2027"), "expected a day"),
    (("early-exit", "Home 30", "0"), "expected MONTH=AMOUNT"),
    (("early-exit", "Home 30", "0=1", "0=2"), "twice"),
    (("pause-fee", "Home 30", "0"), "above 0"),
    (("pause-fee", "Phone", "1"), "no plan"),
    (("price", "Home 30", "1", "--from", "2027-01-01", "--currency", "ZZZ"), "'ZZZ' is no currency"),
    (("early-exit", "Home 30", "0=0.001"), "with the places of its currency"),
]


def test_what_is_wrong_is_refused_and_changes_nothing(corrente):
    before = corrente("list", "--json").output
    for arguments, says in REFUSED:
        refused = corrente(*arguments)
        assert refused.exit_code in (1, 2), arguments
        assert says in refused.output, (arguments, refused.output)
    assert corrente("list", "--json").output == before
