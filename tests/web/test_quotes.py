"""Quotes and orders: written, answered, turned into contracts and orders, and orders into invoices."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.browser import usable_by_everybody
from support.console_world import Console

pytestmark = pytest.mark.db


def kept(text: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', text))


def send(client: Any, address: str, **typed: str) -> Any:
    """The form of a page, sent with what is typed."""
    return client.post(address, data={**kept(client.get(address).text), **typed})


@pytest.fixture(scope="module")
def typed(console: Console) -> dict[str, str]:
    """A quote of a plan at the catalogue's price, and work by hand."""
    (product,) = console.query(
        "SELECT p.id FROM product AS p JOIN price AS r ON r.product_id = p.id WHERE p.kind = 'plan' AND r.months = 1 AND r.includes_tax AND upper_inf(r.during) AND upper_inf(p.offered) ORDER BY p.id LIMIT 1"
    )[0]
    (tax,) = console.query(
        "SELECT name FROM tax_code AS t JOIN tax_rate AS r ON r.tax_code_id = t.id WHERE r.percent = 22 AND nature IS NULL ORDER BY t.id LIMIT 1"
    )[0]
    return {
        "customer": "3",
        "issuer": "1",
        "valid_until": "2099-01-01",
        "prices": "gross",
        "lines-0-product": str(product),
        "lines-0-description": "",
        "lines-0-tax": "",
        "lines-1-product": "0",
        "lines-1-description": "Work on the roof",
        "lines-1-quantity": "1",
        "lines-1-price": "122",
        "lines-1-tax": tax,
    }


def quote(console: Console, typed: dict[str, str]) -> int:
    """One that is sent."""
    client = console.client("billing")
    looked = send(client, "/quotes/new?customer=3", **typed)
    assert "Send this quote?" in looked.text
    done = client.post("/quotes/new", data={**kept(looked.text), **typed, "confirmed": "yes"})
    assert done.status_code == 303, done.text
    return int(done.headers["Location"].rpartition("/")[2])


def test_a_quote_is_accepted_and_becomes_a_contract_and_an_order(console, typed):
    client, number = console.client("billing"), quote(console, typed)
    shown = client.get(f"/quotes/{number}").text
    assert "Work on the roof" in shown
    assert client.get(f"/documents/{number}").headers["Location"] == f"/quotes/{number}"
    accepted = send(client, f"/quotes/{number}/accept", months="1", due_days="15")
    assert accepted.status_code == 303
    assert re.fullmatch(r"/contracts/\d+", accepted.headers["Location"])
    (order,) = console.query("SELECT id FROM document WHERE kind = 'order' AND from_id = %s", (number,))[0]
    text = client.get(f"/quotes/{number}").text
    assert f'href="/orders/{order}"' in text
    assert f'href="{accepted.headers["Location"]}"' in text
    late = send(client, f"/quotes/{number}/refuse")
    assert late.status_code == 422
    assert "is accepted already: it stays so" in late.text

    page = f"/orders/{order}"
    looked = send(client, f"{page}/invoice", percent="50", due_days="0")
    assert "€61.00" in looked.text
    given = {"percent": "50", "due_days": "0", "confirmed": "yes"}
    assert client.post(f"{page}/invoice", data={**kept(looked.text), **given}).status_code == 303
    assert "Advance" in client.get(page).text
    looked = send(client, f"{page}/invoice", percent="", due_days="15")
    given = {"percent": "", "due_days": "15", "confirmed": "yes"}
    assert client.post(f"{page}/invoice", data={**kept(looked.text), **given}).status_code == 303
    assert console.query("SELECT state::text FROM document WHERE id = %s", (order,)) == [("accepted",)]
    assert [
        int(amount)
        for (amount,) in console.query(
            "SELECT payable FROM document WHERE from_id = %s AND kind = 'invoice' ORDER BY id", (order,)
        )
    ] == [61, 61]


def test_what_is_wrong_with_a_quote_is_said_and_nothing_is_numbered(console, typed):
    client = console.client("billing")
    before = console.query("SELECT count(*) FROM document")
    past = send(client, "/quotes/new?customer=3", **{**typed, "valid_until": "2020-01-01"})
    assert (past.status_code, "That day is past." in past.text) == (422, True)
    why = send(client, "/quotes/new?customer=3", **{**typed, "lines-0-price": "5"})
    assert (why.status_code, "say why" in why.text) == (422, True)
    assert console.query("SELECT count(*) FROM document") == before
    assert console.client("reader").get("/quotes/new").status_code == 403


def test_a_quote_is_refused_and_an_order_cancelled(console, typed):
    client, number = console.client("billing"), quote(console, typed)
    assert send(client, f"/quotes/{number}/refuse", reason="Too dear").status_code == 303
    assert console.query("SELECT state::text FROM document WHERE id = %s", (number,)) == [("refused",)]
    assert str(number) in re.findall(r"/quotes/(\d+)", client.get("/quotes?state=refused").text)
    assert str(number) not in re.findall(r"/quotes/(\d+)", client.get("/quotes?state=issued").text)

    by_hand = {name: value for name, value in typed.items() if not name.startswith("lines-0")}
    alone = {name.replace("lines-1", "lines-0"): value for name, value in by_hand.items()}
    other = quote(console, alone)
    done = send(client, f"/quotes/{other}/accept", months="1", due_days="15")
    order = done.headers["Location"]
    assert order.startswith("/orders/")
    assert send(client, f"{order}/cancel", printed_reason="").status_code == 422
    assert send(client, f"{order}/cancel", printed_reason="Not built").status_code == 303
    assert "Cancelled" in client.get(order).text
    assert client.get(f"/orders/{other}").status_code == 404


def test_the_pages_are_usable_by_everybody(console, address, browser, typed):
    number = quote(console, typed)
    paths = (
        "/quotes",
        f"/quotes/{number}",
        f"/quotes/{number}/accept",
        "/quotes/new?customer=3",
        "/orders",
    )
    with browser.page(console, "billing") as page:
        usable_by_everybody(page, address, paths)
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/quotes/new?customer=3")
        page.get_by_role("button", name="Another line").click()
        page.locator("#lines-1-description").fill("Cable")
        page.fill("#lines-0-description", "Work")
        page.fill("#lines-0-price", "100")
        page.select_option("#lines-0-tax", typed["lines-1-tax"])
        page.fill("#lines-1-price", "10")
        page.select_option("#lines-1-tax", typed["lines-1-tax"])
        page.get_by_text("€134.20").first.wait_for()
