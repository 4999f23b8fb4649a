"""The pages of billing runs: asked for, worked out by the worker's job, looked at, confirmed with numbers, issued, and tried again."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from support.browser import PHONE, violations
from support.console_world import Console

from billing.store.acting import acting
from control_plane import db
from control_plane.jobs.asked_billing import asked_billing
from control_plane.settings import Settings

pytestmark = pytest.mark.db
DAY = date(2026, 7, 1)


def work(console: Console) -> str:
    """The worker's job, once."""
    with db.connect(console.conninfo, name="test worker", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        return asked_billing(connection, Settings(), datetime.now(UTC))


def send(client: Any, address: str, target: str = "", **typed: str) -> Any:
    """The form of a page, sent with what is typed."""
    page = client.get(address).text
    kept = dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', page))
    return client.post(target or address, data={**kept, **typed})


def prepared(console: Console, day: date = DAY, **part: str) -> int:
    """A run worked out, as a page asks for it."""
    client = console.client("billing")
    answer = send(client, "/bill-runs/new", issuer="1", day=day.isoformat(), **part)
    assert answer.status_code == 303, answer.text
    work(console)
    led = client.get(answer.headers["Location"])
    assert led.status_code == 303, led.text
    return int(led.headers["Location"].rpartition("/")[2])


def test_a_run_is_asked_for_worked_out_confirmed_and_issued_by_the_worker(console):
    client = console.client("billing")
    answer = send(client, "/bill-runs/new", issuer="1", day=DAY.isoformat())
    asked = answer.headers["Location"]
    assert "Waits for the worker" in client.get(asked).text
    assert work(console) == "did 1 of what was asked for"
    run = client.get(asked).headers["Location"]
    page = client.get(run).text
    assert "Nothing is issued yet" in page
    assert console.query("SELECT count(*) FROM document WHERE kind = 'invoice'") == [(0,)]
    expected = console.query("SELECT expected FROM billing_run")[0][0]
    question = client.get(f"{run}/issue").text
    (invoices,) = (one["count"] for one in expected["documents"] if one["kind"] == "invoice")
    assert f"Invoices: {invoices}" in question

    assert send(client, f"{run}/issue", confirmed="yes").headers["Location"] == run
    assert "Waits for the worker" in client.get(run).text
    work(console)
    assert console.query("SELECT count(*), min(made_by) FROM document WHERE kind = 'invoice'") == [
        (invoices, "billing")
    ]
    assert console.query("SELECT state, confirmed_by FROM billing_run") == [("done", "billing")]
    assert "Its documents" in client.get(run).text


def test_what_a_preview_adds_up_is_what_the_documents_come_to(console):
    run = prepared(console, date(2026, 8, 1))
    (expected,) = console.query("SELECT expected FROM billing_run WHERE id = %s", (run,))[0]
    assert sum(one["count"] for one in expected["products"]) > 0
    nets = {one["currency"]: one["net"] for one in expected["documents"] if one["kind"] == "invoice"}
    assert sum(float(one["net"]) for one in expected["products"]) == pytest.approx(float(nets["EUR"]))
    assert expected["new"]["count"] == 0
    text = console.client("billing").get(f"/bill-runs/{run}").text
    assert "By plan and product" in text
    assert "Against the last time" in text


def test_who_is_gone_since_the_last_run_is_named(console):
    run = prepared(console, date(2026, 8, 1))
    assert console.query("SELECT expected -> 'gone' ->> 'count' FROM billing_run WHERE id = %s", (run,)) == [("0",)]
    (contract,) = console.query(
        "SELECT contract_id FROM contract_item JOIN billing_position ON item_id = id WHERE kind = 'plan' AND billed_through = '2026-08-01' ORDER BY 1 LIMIT 1"
    )[0]
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(
            "UPDATE billing_position SET due_on = NULL WHERE item_id IN (SELECT id FROM contract_item WHERE contract_id = %s)",
            (contract,),
        )
    prepared(console, date(2026, 8, 1))
    gone = console.query("SELECT expected -> 'gone' FROM billing_run WHERE id = %s", (run,))[0][0]
    assert [one["contract"] for one in gone["contracts"]] == [contract]


def test_what_cant_be_asked_for_is_said_beside_its_field(console):
    client = console.client("billing")
    ahead = send(client, "/bill-runs/new", issuer="1", day="2099-01-01")
    assert ahead.status_code == 422
    assert "No document is dated ahead" in ahead.text
    nobody = send(client, "/bill-runs/new", issuer="1", day=DAY.isoformat(), contract="99999")
    assert nobody.status_code == 422
    assert 'value="99999"' in nobody.text
    assert "This issuer bills no such contract." in nobody.text
    assert console.client("reader").get("/bill-runs/new").status_code == 403
    assert console.client("reader").get("/bill-runs").status_code == 200
    assert client.get("/bill-runs/9999").status_code == 404


def test_a_prepared_run_is_given_up_and_can_not_be_issued_then(console):
    run = prepared(console, date(2026, 8, 2))
    client = console.client("billing")
    page = f"/bill-runs/{run}"
    before = client.get(f"{page}/issue").text
    assert send(client, page, f"{page}/cancel").status_code == 303
    kept = dict(re.findall(r'name="(csrf_token|once_key)" value="([^"]*)"', before))
    refused = client.post(f"{page}/issue", data=kept)
    assert refused.status_code == 422
    assert "given up" in refused.text
    assert console.query("SELECT state FROM billing_run WHERE id = %s", (run,)) == [("cancelled",)]


def test_who_could_not_be_billed_is_told_first_and_tried_again(console):
    (payer, contract) = console.query(
        "SELECT coalesce(payer_id, customer_id), contract_id FROM contract_terms JOIN contract ON contract.id = contract_id WHERE status = 'active' ORDER BY contract_id DESC LIMIT 1"
    )[0]
    with db.connect(console.conninfo, name="test") as connection:
        acting(connection, "maria")
        connection.execute("UPDATE contract_terms SET service_address_id = NULL WHERE contract_id = %s", (contract,))
        connection.execute("DELETE FROM address WHERE customer_id = %s", (payer,))
    run = prepared(console, date(2026, 8, 3), through="2026-09-30", contract=str(contract))
    client = console.client("billing")
    page = f"/bill-runs/{run}"
    assert "Not billed, as things stand" in client.get(page).text
    send(client, f"{page}/issue", confirmed="yes")
    work(console)
    told = client.get(page).text
    assert "Could not be billed" in told
    assert f'href="/customers/{payer}"' in told
    assert "has no address" in told
    with client.get(f"{page}?file=csv") as file:
        assert str(payer) in file.text
    again = send(client, page, f"{page}/again", contract=str(contract))
    assert again.status_code == 303
    assert console.query("SELECT filter ->> 'contract' FROM billing_request ORDER BY id DESC LIMIT 1") == [
        (str(contract),)
    ]


def test_two_do_not_ask_for_the_same_twice(console):
    for role in ("billing", "administrator"):
        send(console.client(role), "/bill-runs/new", issuer="1", day="2026-08-05")
    assert console.query("SELECT count(*) FROM billing_request WHERE run_date = '2026-08-05'") == [(1,)]
    work(console)


def test_a_run_is_watched_while_the_worker_is_at_it(console, address, browser):
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/bill-runs/new")
        assert violations(page) == []
        page.fill("#day", "2026-09-01")
        page.get_by_role("button", name="Work it out").click()
        page.get_by_text("Waits for the worker").wait_for()
        assert violations(page) == []
        work(console)
        page.get_by_text("Nothing is issued yet").wait_for()
        assert violations(page) == []
        page.get_by_role("link", name="Issue …").click()
        page.get_by_role("button", name="Issue them").click()
        page.get_by_text("Waits for the worker").wait_for()
        work(console)
        page.get_by_text("Its documents").wait_for()
        page.get_by_text("What it was expected to come to").wait_for()
        number = page.url.rpartition("/")[2]
    with browser.page(console, "billing", viewport=PHONE) as page:
        for path in ("/bill-runs", f"/bill-runs/{number}"):
            page.goto(f"{address}{path}")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
