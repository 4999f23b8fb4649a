"""Taxes and registers as they stand, a new rate, a new register; and a new price for contracts that there are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.asked_catalogue import work
from support.browser import usable_by_everybody
from support.program import Program, make_token

from control_plane.access.permissions import EVERYTHING, Permission

pytestmark = pytest.mark.db


def kept(text: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', text))


def send(client: Any, address: str, **typed: str) -> Any:
    """The form of a page, sent with what is typed."""
    return client.post(address, data={**kept(client.get(address).text), **typed})


def test_a_rate_is_looked_at_and_ends_the_one_before(console):
    client = console.client("billing")
    code, percent = console.query(
        "SELECT c.name, trim_scale(r.percent)::text FROM tax_code AS c JOIN tax_rate AS r ON r.tax_code_id = c.id WHERE c.nature IS NULL AND upper_inf(r.during) ORDER BY c.id LIMIT 1"
    )[0]
    assert f"{percent}\N{NO-BREAK SPACE}%" in client.get("/taxes").text
    assert send(client, "/taxes/rate", code=code, percent="23", since="2001-01-01").status_code == 422
    assert send(client, "/taxes/rate", code=code, percent="123", since="2099-01-01").status_code == 422
    typed = {"code": code, "percent": "23", "since": "2099-01-01"}
    looked = send(client, "/taxes/rate", **typed)
    assert "Documents dated 1 Jan 2099 or later bear 23" in looked.text
    done = client.post("/taxes/rate", data={**kept(looked.text), **typed, "confirmed": "yes"})
    assert done.status_code == 303
    rates = "SELECT trim_scale(percent)::text, upper(during)::text FROM tax_rate AS r JOIN tax_code AS c ON c.id = r.tax_code_id WHERE c.name = %s ORDER BY during DESC LIMIT 2"
    assert console.query(rates, (code,)) == [("23", None), (percent, "2099-01-01")]
    assert console.client("reader").get("/taxes/rate").status_code == 403
    assert console.client("reader").get("/taxes").status_code == 200


def test_a_register_is_added_and_not_twice(console):
    client = console.client("billing")
    typed = {"issuer": "1", "code": "NEW", "kind": "quote", "name": "More quotes", "purpose": "manual"}
    assert send(client, "/registers/new", **{**typed, "code": "a b"}).status_code == 422
    assert send(client, "/registers/new", **typed).status_code == 303
    assert "More quotes" in client.get("/registers").text
    again = send(client, "/registers/new", **typed)
    assert again.status_code == 422
    assert "There is one of this name already." in again.text


def test_stamp_duty_is_set_once_it_was_looked_at_and_ends_the_one_before(console):
    client = console.client("billing")
    typed = {"country": "IT", "currency": "EUR", "amount": "2.50", "above": "80", "since": "2099-01-01", "until": ""}
    for wrong in (
        {"amount": "0"},
        {"above": "-1"},
        {"until": "2098-01-01"},
        {"since": "1990-01-01"},
        {"amount": "2.505"},
    ):
        assert send(client, "/taxes/duty", **typed | wrong).status_code == 422, wrong
    looked = send(client, "/taxes/duty", **typed)
    assert "dated 1 Jan 2099 or later owe 2.5" in looked.text
    rows = "SELECT amount::float, upper(during)::text FROM stamp_duty WHERE country = 'IT' ORDER BY during DESC LIMIT 2"
    assert console.query(rows)[0][1] is None
    done = client.post("/taxes/duty", data={**kept(looked.text), **typed, "confirmed": "yes"})
    assert done.status_code == 303
    assert console.query(rows) == [(2.5, None), (2.0, "2099-01-01")]
    assert console.client("reader").get("/taxes/duty").status_code == 403
    program = Program.of(console)
    body = {"country": "IT", "amount": {"amount": "3", "currency": "EUR"}, "above": {"amount": "90", "currency": "EUR"}}
    assert program.post("/taxes/stamp-duties", body | {"since": "2099-01-01"}).status_code == 409
    assert program.post("/taxes/stamp-duties", body | {"since": "2100-01-01"}).json[-1]["amount"] == "3.000"


def test_a_tax_code_is_added_with_a_rate_or_with_why_it_bears_none(console):
    client = console.client("billing")
    rated = {"name": "MY-4", "percent": "4", "since": "2026-01-01"}
    bare = {"name": "MY-N3.1", "nature": "N3.1", "law": "art. 8 DPR 633/72", "bears_stamp": "y"}
    for wrong in (
        rated | {"since": ""},
        rated | {"percent": "101"},
        rated | {"nature": "N1", "law": "x"},
        rated | {"bears_stamp": "y"},
        rated | {"name": "four percent"},
        bare | {"law": ""},
    ):
        assert send(client, "/taxes/codes/new", **wrong).status_code == 422, wrong
    for right in (rated, bare):
        assert send(client, "/taxes/codes/new", **right).status_code == 303
        assert "already" in send(client, "/taxes/codes/new", **right).text
    rows = "SELECT c.name, c.nature, c.bears_stamp, trim_scale(r.percent)::text FROM tax_code AS c LEFT JOIN tax_rate AS r ON r.tax_code_id = c.id WHERE c.name IN ('MY-4', 'MY-N3.1') ORDER BY 1"
    assert console.query(rows) == [("MY-4", None, False, "4"), ("MY-N3.1", "N3.1", True, None)]
    assert console.client("reader").get("/taxes/codes/new").status_code == 403
    program = Program(console, make_token(console, "codes", EVERYTHING))
    made = program.post("/taxes/codes", {"name": "MY-5", "percent": "5", "since": "2026-01-01"})
    assert made.json["rates"] == [{"percent": "5", "since": "2026-01-01", "until": None}]
    assert program.post("/taxes/codes", {"name": "MY-5", "percent": "5", "since": "2026-01-01"}).status_code == 409
    assert program.post("/taxes/codes", {"name": "MY-6"}).status_code == 422


def test_a_stamp_duty_ends_once_it_was_looked_at(console):
    client = console.client("billing")
    amount, since = console.query("SELECT amount::float, lower(during)::text FROM stamp_duty WHERE country = 'IT' AND upper_inf(during)")[0]  # fmt: skip
    address = "/taxes/duty/IT/EUR/end"
    assert f'href="{address}"' in client.get("/taxes").text
    if since is not None:
        assert send(client, address, day=since).status_code == 422
    looked = send(client, address, day="2999-01-01")
    assert f"{amount:.2f}" in looked.text
    running = "SELECT count(*) FROM stamp_duty WHERE country = 'IT' AND upper_inf(during)"
    assert console.query(running) == [(1,)]
    sent = {**kept(looked.text), "day": "2999-01-01", "confirmed": "yes"}
    assert [client.post(address, data=sent).status_code for _ in range(2)] == [303, 303]
    assert console.query(running) == [(0,)]
    assert send(client, address, day="2999-02-01").status_code == 422
    assert client.get("/taxes/duty/XX/EUR/end").status_code == 404
    body = {"country": "IT", "currency": "EUR", "until": "2999-02-01"}
    program = Program(console, make_token(console, "ends duty", EVERYTHING))
    assert program.post("/taxes/stamp-duties/end", body).status_code == 409


def test_a_position_is_added_with_what_it_replaces(console):
    client = console.client("billing")
    (taxed,), (other,) = console.query("SELECT name FROM tax_code ORDER BY nature NULLS FIRST, name LIMIT 2")
    typed = {
        "name": "Of San Marino",
        "priority": "",
        "countries": "SM",
        "customer_kind": "",
        "issuer_id": "",
        "liability": "immediate",
        "from_0": taxed,
        "to_0": other,
    }
    for wrong in (
        {"countries": "ZZ"},
        {"countries": "Italy"},
        {"to_0": ""},
        {"to_0": taxed},
        {"from_1": taxed, "to_1": other},
    ):
        assert send(client, "/taxes/positions/new", **typed | wrong).status_code == 422, wrong
    assert send(client, "/taxes/positions/new", **typed).status_code == 303
    assert send(client, "/taxes/positions/new", **typed).status_code == 422
    assert f"{taxed} → {other}" in client.get("/taxes").text
    program = Program.of(console, Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
    body = {"name": "Of the Vatican", "countries": ["VA"], "replaces": [{"before": taxed, "after": other}]}
    assert program.post("/taxes/positions", body).json["replaces"] == [f"{taxed} -> {other}"]
    assert program.post("/taxes/positions", body | {"name": "X", "countries": ["ZZ"]}).status_code == 422


def test_a_price_is_changed_after_it_was_added_up(console):
    client = console.client("billing")
    (product,) = console.query(
        "SELECT p.name FROM product AS p JOIN contract_item AS i ON i.product_id = p.id WHERE p.kind = 'plan' AND i.ends_on IS NULL GROUP BY p.name ORDER BY count(*) DESC LIMIT 1"
    )[0]
    typed = {
        "product": product,
        "amount": "",
        "percent": "10",
        "currency": "EUR",
        "taxed": "gross",
        "day": "2099-01-01",
    }
    assert send(client, "/price-changes", **{**typed, "amount": "5"}).status_code == 422
    assert "Too soon" in send(client, "/price-changes", **{**typed, "day": "2026-01-01"}).text
    items = "SELECT count(*) FROM contract_item AS i JOIN product AS p ON p.id = i.product_id WHERE p.name = %s AND starts_on >= '2099-01-01'"
    looked = send(client, "/price-changes", **typed)
    assert "a month now" in looked.text
    assert console.query(items, (product,)) == [(0,)]
    done = client.post("/price-changes", data={**kept(looked.text), **typed, "confirmed": "yes"})
    assert done.status_code == 303
    assert console.query(items, (product,)) == [(0,)], "the page waits for nothing"
    assert "Waits for the worker" in client.get(done.headers["Location"]).text
    work(console)
    made = console.query(items, (product,))[0][0]
    assert made > 0
    assert f"{made} items have their new price." in client.get(done.headers["Location"]).text


def test_the_pages_are_usable_by_everybody(console, address, browser):
    paths = (
        "/taxes",
        "/taxes/rate",
        "/taxes/duty",
        "/taxes/positions/new",
        "/taxes/codes/new",
        "/registers",
        "/registers/new",
        "/price-changes",
    )
    with browser.page(console, "billing") as page:
        usable_by_everybody(page, address, paths)
