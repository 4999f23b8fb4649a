"""Invoices and credit notes by hand: typed while the product adds up, looked at with their entry, issued once."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from support.billing_world import bill
from support.browser import PHONE, violations
from support.console_world import Console

pytestmark = pytest.mark.db
DAY = date(2026, 7, 1)
TYPED = {
    "customer": "1",
    "issuer": "1",
    "day": "2026-07-02",
    "due_days": "15",
    "prices": "net",
    "lines-0-product": "0",
    "lines-0-description": "Work on the roof",
    "lines-0-quantity": "2",
    "lines-0-price": "50",
    "lines-0-tax": "IT22",
}


@pytest.fixture(scope="module", autouse=True)
def billed(console: Console) -> None:
    """July's run."""
    bill(console.conninfo, DAY)


@pytest.fixture(scope="module")
def typed(console: Console) -> dict[str, str]:
    """An invoice of 100 without tax."""
    (tax,) = console.query(
        "SELECT name FROM tax_code AS t JOIN tax_rate AS r ON r.tax_code_id = t.id WHERE r.percent = 22 AND nature IS NULL ORDER BY t.id LIMIT 1"
    )[0]
    return {**TYPED, "lines-0-tax": tax}


def kept(text: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', text))


def count(console: Console, kind: str) -> int:
    return int(console.query("SELECT count(*) FROM document WHERE kind = %s::document_kind", (kind,))[0][0])


def test_an_invoice_is_looked_at_with_its_entry_and_issued_once(console, typed):
    client, before = console.client("billing"), count(console, "invoice")
    first = kept(client.get("/documents/new?customer=1").text)
    looked = client.post("/documents/new", data={**first, **typed})
    assert looked.status_code == 200
    assert "Issue this invoice?" in looked.text
    assert "€122.00" in looked.text
    assert "In the books" in looked.text
    assert count(console, "invoice") == before

    again = {**kept(looked.text), **typed, "confirmed": "yes"}
    answers = [client.post("/documents/new", data=again) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert count(console, "invoice") == before + 1
    (made,) = console.query("SELECT gross, payable, made_by, customer_id FROM document ORDER BY id DESC LIMIT 1")
    assert [str(one) for one in made] == ["122.000", "122.000", "billing", "1"]


def test_what_is_missing_of_a_line_is_said_beside_it_and_kept(console, typed):
    client = console.client("billing")
    first = kept(client.get("/documents/new?customer=1").text)
    wrong = {**first, **typed, "lines-0-price": "", "lines-0-since": "2026-07-01"}
    answer = client.post("/documents/new", data=wrong)
    assert answer.status_code == 422
    assert "A line without a product needs a price." in answer.text
    assert "Give the first and the last day, or neither." in answer.text
    assert "Work on the roof" in answer.text
    letters = client.post("/documents/new", data={**first, **typed, "lines-0-price": "much"})
    assert letters.status_code == 422
    assert console.client("reader").get("/documents/new").status_code == 403


def test_the_first_question_is_for_whom(console):
    client = console.client("billing")
    assert "For whom?" in client.get("/documents/new").text
    assert "No customer is called like this" in client.get("/documents/new?customer=Nobodyatall").text
    assert client.get("/documents/new?contract=999999").status_code == 404
    text = client.get("/documents/new?contract=1").text
    assert 'name="contract" value="1"' in text


def test_lines_come_and_go_with_what_is_typed(console, typed):
    client = console.client("billing")
    first = kept(client.get("/documents/new?customer=1").text)
    more = client.post("/documents/new/lines", data={**first, **typed, "change": "add"}).text
    assert more.count("<fieldset") == 2
    assert "Work on the roof" in more
    less = client.post(
        "/documents/new/lines", data={**first, **typed, "lines-1-description": "Cable", "change": "0"}
    ).text
    assert less.count("<fieldset") == 1
    assert "Cable" in less


def invoice(console: Console) -> tuple[int, str]:
    (row,) = console.query(
        "SELECT d.id, d.label FROM document AS d JOIN open_document AS o ON o.document_id = d.id WHERE d.kind = 'invoice' AND d.run_id IS NOT NULL AND o.open = d.payable ORDER BY d.id LIMIT 1"
    )
    return row


def credit(client: Any, number: int, **typed: str) -> Any:
    """The form of a credit note, looked at."""
    page = kept(client.get(f"/documents/{number}/credit").text)
    given = {"what": "lines", "day": "2026-07-03", "printed_reason": "Agreed", **typed}
    return given, client.post(f"/documents/{number}/credit", data={**page, **given})


def test_a_line_is_given_back_and_no_more_than_is_left(console):
    client, (number, label) = console.client("billing"), invoice(console)
    _, nothing = credit(client, number)
    assert nothing.status_code == 422
    assert "Say which lines are given back." in nothing.text
    _, much = credit(client, number, amount_1="99999")
    assert much.status_code == 422
    assert "At most" in much.text
    assert 'value="99999"' in much.text

    given, looked = credit(client, number, amount_1="1")
    assert looked.status_code == 200, looked.text
    assert f"of invoice {label} are given back" in looked.text
    assert count(console, "credit_note") == 0
    done = client.post(f"/documents/{number}/credit", data={**kept(looked.text), **given, "confirmed": "yes"})
    assert done.status_code == 303
    assert count(console, "credit_note") == 1
    assert "given back" in client.get(f"/documents/{number}").text
    assert f'href="/documents/{number}"' in client.get(done.headers["Location"]).text


def test_who_chooses_lines_does_not_give_back_all_of_it_by_mistake(console):
    client, (number, _) = console.client("billing"), invoice(console)
    _, both = credit(client, number, what="whole", amount_1="1")
    assert both.status_code == 422
    assert "Lines or amounts are chosen below" in both.text


def test_an_invoice_begins_with_the_prices_and_days_that_the_customer_has(console, typed):
    customer, includes_tax, days = console.query(
        "SELECT k.customer_id, t.includes_tax, t.due_days FROM contract_terms AS t JOIN contract AS k ON k.id = t.contract_id WHERE t.includes_tax AND t.payer_id IS NULL ORDER BY k.id DESC LIMIT 1"
    )[0]
    page = console.client("billing").get(f"/documents/new?customer={customer}").text
    assert includes_tax
    assert re.search(r'<option selected value="gross"', page)
    assert re.search(rf'name="due_days"[^>]*value="{days}"', page)


def test_what_is_left_of_an_invoice_is_given_back_whole_and_then_nothing_is(console):
    client, (number, _) = console.client("billing"), invoice(console)
    given, looked = credit(client, number, what="whole")
    client.post(f"/documents/{number}/credit", data={**kept(looked.text), **given, "confirmed": "yes"})
    assert "Nothing is left of it" in client.get(f"/documents/{number}/credit").text
    assert console.query("SELECT count(*) FROM open_document WHERE document_id = %s", (number,)) == [(0,)]
    (note,) = console.query("SELECT id FROM document WHERE corrects_id = %s", (number,))[0]
    assert client.get(f"/documents/{note}/credit").status_code == 404


def test_an_invoice_is_typed_in_a_browser_with_its_totals_beside(console, address, browser, typed):
    number, _ = invoice(console)
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/documents/new?customer=1")
        assert violations(page) == []
        page.select_option("#prices", "net")
        page.fill("#lines-0-description", "Work on the roof")
        page.fill("#lines-0-price", "50")
        page.select_option("#lines-0-tax", typed["lines-0-tax"])
        page.get_by_text("€61.00").first.wait_for()
        page.get_by_role("button", name="Another line").click()
        page.locator("#lines-1-description").fill("Cable")
        page.fill("#lines-1-price", "10")
        page.select_option("#lines-1-tax", typed["lines-0-tax"])
        page.get_by_text("€73.20").first.wait_for()
        page.get_by_role("button", name="See it whole").click()
        page.get_by_text("Issue this invoice?").first.wait_for()
        assert violations(page) == []
        page.get_by_role("button", name="Change it").click()
        assert page.input_value("#lines-1-description") == "Cable"
        page.get_by_role("button", name="See it whole").click()
        page.get_by_role("button", name="Issue it").click()
        page.get_by_text("Nothing has been paid of it yet.").wait_for()
    with browser.page(console, "billing", viewport=PHONE) as page:
        for path in ("/documents/new?customer=1", f"/documents/{number}/credit"):
            page.goto(f"{address}{path}")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.fill("[name=amount_1]", "1")
        assert page.is_checked("[name=what][value=lines]")
