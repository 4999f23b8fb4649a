"""The pages of documents: the list page after page, one with all that it has to do with, its PDF, and sending it."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest
from support.billing_world import bill
from support.browser import PHONE, violations
from support.console_world import Console

from billing.store.document_list import DocumentQuestion, statement_for
from control_plane import db

pytestmark = pytest.mark.db
BILLED = date(2026, 7, 1)


@pytest.fixture(scope="module", autouse=True)
def billed(console: Console) -> None:
    """July's run."""
    bill(console.conninfo, BILLED)


def newest(console: Console) -> tuple[int, str, int]:
    (row,) = console.query(
        "SELECT id, label, customer_id FROM document WHERE kind = 'invoice' ORDER BY document_date DESC, id DESC LIMIT 1"
    )
    return row


def labels(text: str) -> list[str]:
    return re.findall(r'<a href="/documents/\d+">([^<]+)</a>', text)


def test_the_list_leads_through_every_document_once(console):
    client, address, seen = console.client("billing"), "/documents", []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        seen += labels(answer.text)
        further = re.search(r'href="([^"]+)" rel="next"', answer.text)
        address = further[1].replace("&amp;", "&") if further else ""
    expected = [
        label
        for (label,) in console.query(
            "SELECT label FROM document WHERE kind IN ('invoice', 'credit_note') ORDER BY document_date DESC, id DESC"
        )
    ]
    assert len(expected) > 50
    assert seen == expected


def test_what_is_asked_for_is_found_and_nothing_else(console):
    client = console.client("billing")
    number, label, customer = newest(console)
    by_number = client.get("/documents", query_string={"number": label}).text
    assert labels(by_number) == [label]
    own = client.get("/documents", query_string={"customer": str(customer)}).text
    assert label in labels(own)
    assert (
        len(labels(own))
        == console.query(
            "SELECT count(*) FROM document WHERE customer_id = %s AND kind IN ('invoice', 'credit_note')", (customer,)
        )[0][0]
    )
    open_ones = client.get("/documents", query_string={"state": "open", "customer": str(customer)}).text
    assert label in labels(open_ones)
    assert labels(client.get("/documents?state=settled&number=" + label).text) == []
    assert "No customer is called like this" in client.get("/documents?customer=Nobodyatall").text
    assert client.get("/documents?kind=quote").status_code == 400
    assert client.get("/documents?from=yesterday").status_code == 400
    assert client.get("/documents?after=x").status_code == 400
    assert number


def test_the_list_is_a_file_too(console):
    with console.client("billing").get("/documents?file=csv&state=open") as answer:
        lines = answer.text.splitlines()
    assert lines[0].startswith("number,kind,date,customer")
    assert len(lines) - 1 == console.query("SELECT count(*) FROM open_document")[0][0]


def test_no_list_reads_the_whole_table(console):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        values = dict.fromkeys(
            (
                "kind",
                "issuer",
                "register",
                "customer",
                "run",
                "since",
                "until",
                "due_until",
                "overdue",
                "number",
                "count",
                "answer",
                "after_id",
            )
        )
        values |= {"settled": False, "after": BILLED, "after_id": 9, "limit": 51, "customer": None}
        for question in (
            DocumentQuestion(),
            DocumentQuestion(state="open", by_due=True, down=False),
            DocumentQuestion(customer_id=1),
            DocumentQuestion(run_id=1),
            DocumentQuestion(number="1/FT/2026"),
        ):
            plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + statement_for(question), values))
            assert "Seq Scan on document " not in plan, f"{question}\n{plan}"
            assert "Seq Scan on open_document" not in plan, f"{question}\n{plan}"


def test_a_document_shows_what_stands_on_it_and_what_it_has_to_do_with(console):
    number, label, customer = newest(console)
    text = console.client("billing").get(f"/documents/{number}").text
    assert f"Invoice {label}" in text
    assert f'href="/customers/{customer}"' in text
    assert "Nothing has been paid of it yet." in text
    (run,) = console.query("SELECT run_id FROM document WHERE id = %s", (number,))[0]
    assert f'href="/bill-runs/{run}"' in text
    assert console.client("billing").get("/documents/999999").status_code == 404
    assert console.client("collector").get(f"/documents/{number}").status_code == 403


def test_a_document_is_printed(console):
    number, _, _ = newest(console)
    with console.client("reader").get(f"/documents/{number}.pdf") as answer:
        assert (answer.mimetype, answer.data[:5]) == ("application/pdf", b"%PDF-")


def test_a_document_is_sent_once(console):
    number, _, _ = newest(console)
    client = console.client("billing")
    for _ in range(2):
        page = client.get(f"/documents/{number}").text
        sent = dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', page))
        assert client.post(f"/documents/{number}/send", data=sent).status_code == 303
    origin = f"document {number}"
    assert console.query("SELECT count(*) FROM message WHERE origin = %s", (origin,)) == [(1,)]
    assert "Queued" in client.get(f"/documents/{number}").text
    token = re.search(r'name="csrf_token" value="([^"]*)"', console.client("reader").get("/documents").text)
    assert console.client("reader").post(f"/documents/{number}/send", data={"csrf_token": token[1]}).status_code == 403


def test_the_pages_are_usable_by_everybody(console, address, browser):
    number, label, _ = newest(console)
    for options in ({}, {"viewport": PHONE}):
        with browser.page(console, "billing", **options) as page:
            page.goto(f"{address}/documents?number={label}")
            assert violations(page) == []
            page.get_by_role("link", name=label).click()
            page.wait_for_url(f"{address}/documents/{number}")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_text_of_an_invoice_s_mail_is_shown_for_a_real_invoice(console):
    _, label, customer = newest(console)
    (name,) = console.query("SELECT name FROM customer WHERE id = %s", (customer,))[0]
    client, path = console.client("billing"), "/messages/templates/invoice/en"
    typed = {"subject": "S", "body": "{{ customer.name }}: {{ number }}", "of": label}
    token = re.search(r'name="csrf_token" value="([^"]*)"', client.get(f"{path}/edit").text)[1]
    shown = html.unescape(client.post(f"{path}/preview", data={"csrf_token": token, **typed}).text)
    assert f"{name}: {label}" in shown
    assert console.query("SELECT count(*) FROM message WHERE origin LIKE 'preview %%'") == [(0,)]
