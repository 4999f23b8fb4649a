"""Quotes and orders as a person types them: offered, accepted, invoiced with an advance, cancelled."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings
from support.small_isp import one

from control_plane import db
from control_plane.jobs.upkeep import expire_quotes

pytestmark = pytest.mark.db

YEAR = datetime.now(ZoneInfo("Europe/Rome")).date().year
HOLDS = str(datetime.now(ZoneInfo("Europe/Rome")).date() + timedelta(days=30))


@pytest.fixture
def isp(connection):
    return make_books(connection)


@pytest.fixture
def corrente(tmp_path, database, isp):
    settings = write_settings(tmp_path, database)
    return lambda *arguments: run(settings, *arguments)


def _said(result):
    assert result.exit_code == 0, result.output
    return result.output


def _new(corrente, *lines):
    return corrente("quote", "new", "--customer", "1", "--valid-until", HOLDS, *lines)


WORK = ("--by-hand", "Cabling;2;500.00;IVA-22")


def test_a_quote_becomes_an_order_an_advance_and_a_final_invoice(corrente, connection):
    assert _said(_new(corrente, *WORK, "--dry-run")).endswith(
        "net 1000.00 EUR, tax 220.00 EUR, in all 1220.00 EUR, payable 1220.00 EUR\n"
    )
    assert one(connection, "SELECT count(*) FROM document") == 0
    connection.rollback()
    said = f"Quote 1/PR/{YEAR} for Anna Rossi 1, 1220.00 EUR with tax, holds until {HOLDS}.\n"
    assert _said(_new(corrente, *WORK)) == said

    accepted = json.loads(_said(corrente("quote", "accept", f"1/PR/{YEAR}", "--json")))
    assert (accepted["order"]["number"], accepted["contract"]) == (f"1/OR/{YEAR}", None)
    order = f"1/OR/{YEAR}"
    assert _said(corrente("order", "advance", order, "--percent", "30")) == (
        f"Advance invoice 1/FT/{YEAR} on order {order}: 366.00 EUR.\n"
    )
    dry = json.loads(_said(corrente("order", "invoice", order, "--dry-run", "--json")))
    assert [line["net"] for line in dry["lines"]] == ["1000.00", "-300.00"]
    assert _said(corrente("order", "invoice", order)) == (
        f"Invoice 2/FT/{YEAR} of order {order}: 854.00 EUR, payable 854.00 EUR.\n"
    )

    shown = json.loads(_said(corrente("order", "show", order, "--json")))
    assert (shown["state"], [one["advance"] for one in shown["invoices"]]) == ("invoiced", [True, False])
    assert "1/FT/" in _said(corrente("order", "show", order))
    assert f"order {order}" in _said(corrente("quote", "show", f"1/PR/{YEAR}"))
    assert [row["state"] for row in json.loads(_said(corrente("order", "list", "--json")))] == ["invoiced"]
    assert _said(corrente("quote", "list", "--state", "open")) == "There is no such quote.\n"
    again = corrente("order", "invoice", order)
    assert (again.exit_code, again.output) == (1, f"Error: order {order} is invoiced already: it stays so\n")


def test_another_price_than_the_catalogue_s_is_told_with_its_reason(corrente, connection):
    bare = _new(corrente, "--sell", "Home 30=1@19.90")
    assert bare.exit_code == 2
    assert "another price of Home 30 than the catalogue's: say why with --reason" in bare.output

    _said(_new(corrente, "--sell", "Home 30=1@19.90", "--sell", "Activation", "--reason", "a fair"))
    told = connection.execute("SELECT actor, subject, detail FROM audit_log WHERE action = 'quote.override_price'")
    assert told.fetchall() == [("maria", f"quote 1/PR/{YEAR}", {"prices": {"Home 30": "19.90"}, "reason": "a fair"})]
    accepted = json.loads(_said(corrente("quote", "accept", f"1/PR/{YEAR}", "--json")))
    price = "SELECT period_price FROM contract_item WHERE contract_id = %s"
    assert str(one(connection, price, accepted["contract"])) == "19.90000000"


def test_an_order_is_cancelled_with_its_credit_notes(corrente, connection):
    _said(_new(corrente, *WORK))
    _said(corrente("quote", "accept", f"1/PR/{YEAR}"))
    order = f"1/OR/{YEAR}"
    _said(corrente("order", "advance", order, "--amount", "100.00"))
    assert corrente("order", "cancel", order, "--reason", "no way").exit_code == 1
    cancelled = _said(corrente("order", "cancel", order, "--reason", "no way to the roof", "--yes"))
    assert cancelled == f"Order {order} is cancelled; credit notes 1/NC/{YEAR}.\n"
    # Nobody is asked about what is not possible.
    assert (
        corrente("order", "cancel", order, "--reason", "x").output
        == f"Error: order {order} is cancelled already: it stays so\n"
    )
    assert one(connection, "SELECT count(*) FROM customer_balance WHERE balance <> 0") == 0


def test_what_is_wrong_is_said_and_nothing_is_written(corrente, connection):
    for arguments, words in (
        (("--sell", "Home 31"), "there is no product 'Home 31'; did you mean Home 30?"),
        (("--by-hand", "Work;1;10"), "expected 'WORDS;QUANTITY;PRICE;TAX CODE'"),
        (("--by-hand", "Work;1;10;IVA-23"), "there is no tax code 'IVA-23'; did you mean IVA-22"),
        (("--sell", "Phone"), "an add-on goes with a plan"),
        (("--sell", "Activation=0"), "a quantity is above 0"),
        ((), "a quote of nothing"),
    ):
        refused = _new(corrente, *arguments)
        assert refused.exit_code in (1, 2)
        assert words in refused.output
    assert corrente("order", "show", "9/OR/2020").output == (
        "Error: there is no order '9/OR/2020': `corrente order list` shows them\n"
    )
    assert corrente("order", "advance", "1", "--percent", "5", "--amount", "5").exit_code == 2
    assert one(connection, "SELECT count(*) FROM document") == 0


def test_the_worker_closes_what_is_past_its_day_by_the_issuer_s_clock(corrente, connection, cluster, isp):
    _said(_new(corrente, *WORK))
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    connection.commit()
    with db.connect(
        cluster.conninfo(connection.info.dbname, user="corrente_worker"), name="worker", autocommit=True
    ) as worker:
        # In Rome the day is over at 22:00 or 23:00 UTC.
        end = datetime.combine(date.fromisoformat(HOLDS), datetime.min.time(), tzinfo=UTC)
        assert expire_quotes(worker, None, end + timedelta(hours=21, minutes=59)) == "expired 0 quotes"
        assert expire_quotes(worker, None, end + timedelta(hours=23, minutes=1)) == "expired 1 quotes"
    assert _said(corrente("quote", "expire")) == "No quote is past its day.\n"
    late = corrente("quote", "accept", f"1/PR/{YEAR}")
    assert late.output == f"Error: quote 1/PR/{YEAR} is expired already: it stays so\n"
