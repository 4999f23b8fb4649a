"""A new contract on the console: step by step, nothing lost, made once, signed on the screen."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from support.browser import PHONE, violations
from support.forms import hidden_at_the_end
from support.forms import send as send_form
from support.program import Program, problem

pytestmark = pytest.mark.db
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nsigned").decode()


def send(client, address, data):
    """Open a page's form and send it."""
    return client.post(address, data={**hidden_at_the_end(client.get(address).text), **data})


def chosen(page: str, field: str) -> str:
    """The first choice of a field."""
    return re.search(f'<select[^>]*name="{field}".*?<option value="([^"]+)"', page, re.DOTALL).group(1)


def walk(client, customer, *, username, plan_fields=None, agent=""):
    """All steps up to the check; its address."""
    address = send(client, "/contracts/new", {"customer": customer}).headers["Location"]
    place = chosen(client.get(address).text, "address") if 'option value="1' in client.get(address).text else ""
    address = send(client, address, {"address": place}).headers["Location"]
    plan = chosen(client.get(address).text, "plan")
    address = send(client, address, {"plan": plan, **(plan_fields or {})}).headers["Location"]
    address = send(client, address, {"username": username, "mac": "02-00-5E-00-53-01"}).headers["Location"]
    issuer = chosen(client.get(address).text, "issuer")
    terms = {"issuer": issuer, "months": "1", "due_days": "20", "start": "2031-03-01", "agent": agent}
    return send(client, address, terms).headers["Location"]


@pytest.fixture(scope="module")
def customer(console):
    return console.query("SELECT min(id) FROM customer")[0][0]


def test_a_contract_is_made_of_what_was_typed_once_and_with_its_account(console, customer):
    client = console.client("billing")
    check = walk(client, customer, username="wizard.one")
    data = hidden_at_the_end(client.get(check).text)
    before = console.query("SELECT count(*) FROM contract")
    first, second = (client.post(check, data=data) for _ in range(2))
    assert first.status_code == 303, first.text
    assert first.headers["Location"] == second.headers["Location"]
    number = int(re.search(r"/contracts/(\d+)/sign", first.headers["Location"]).group(1))
    assert console.query("SELECT count(*) FROM contract") == [(before[0][0] + 1,)]
    row = "SELECT c.status::text, t.due_days, a.username, a.macs FROM contract c JOIN contract_terms t ON t.contract_id = c.id JOIN subscriber_account a ON a.contract_id = c.id WHERE c.id = %s"
    assert console.query(row, (number,)) == [("draft", 20, "wizard.one", ["02005e005301"])]
    assert client.get(check).headers["Location"] == f"/contracts/{number}"


def test_looking_at_the_check_makes_nothing_and_what_was_typed_is_there_again(console, customer):
    client = console.client("billing")
    before = console.query("SELECT (SELECT count(*) FROM contract), (SELECT count(*) FROM subscriber_account)")
    check = walk(client, customer, username="wizard.two")
    assert "wizard.two" in client.get(check).text
    assert console.query("SELECT (SELECT count(*) FROM contract), (SELECT count(*) FROM subscriber_account)") == before
    assert 'value="wizard.two"' in client.get(check.replace("/check", "/account")).text
    assert check.replace("/check", "/place") in client.get("/contracts/new").text


def test_what_can_not_be_is_said_beside_its_field(console, customer):
    client = console.client("billing")
    assert send(client, "/contracts/new", {"customer": "999999"}).status_code == 422
    # A page of no entry's own is found below the one whose address its begins with; a fee that has no price is none to agree on.
    assert re.search(r'href="/contracts"[^>]*aria-current="page"', client.get("/contracts/new").text)
    place = send(client, "/contracts/new", {"customer": customer}).headers["Location"]
    assert send(client, place, {"address": "999999"}).status_code == 422
    account = place.replace("/place", "/account")
    taken = console.query("SELECT min(username) FROM subscriber_account")[0][0]
    assert 'id="username-wrong"' in send(client, account, {"username": taken}).text
    assert 'id="mac-wrong"' in send(client, account, {"username": "free.name", "mac": "zz"}).text
    assert send(client, place.replace("/place", "/check"), {}).status_code == 422


def test_whose_it_is_is_found_by_name_and_among_several_chosen(console, customer):
    client = console.client("billing")
    name = console.query("SELECT name FROM customer WHERE id = %s", (customer,))[0][0]
    place = send(client, "/contracts/new", {"customer": name}).headers["Location"]
    assert name in client.get(place).text
    several = send(client, "/contracts/new", {"customer": "a"})
    assert several.status_code == 422
    assert "choose one of them" in several.text
    assert re.search(r'href="/contracts/new\?customer=\d+"', several.text)
    assert send(client, "/contracts/new", {"customer": "Nobody Atall"}).status_code == 422


def test_what_is_sold_is_chosen_with_its_price_and_checked_with_all_that_was_answered(console, customer):
    client = console.client("billing")
    place = send(client, "/contracts/new", {"customer": customer}).headers["Location"]
    step = client.get(place.replace("/place", "/plan")).text
    assert "Fibra 300 · €29.90 a month" in step
    number = re.search(
        r'type="checkbox" name="add_ons" value="(\d+)"[^>]*><span[^>]*>Router rental · €3.00 a month', step
    )
    assert number is not None
    assert "Activation · €49.00<" in step
    check = walk(client, customer, username="wizard.three", plan_fields={"add_ons": number.group(1)})
    page = client.get(check).text
    for words in ("Router rental", "wizard.three", "02:00:5e:00:53:01", "Corrente Demo", "1 Mar 2031", "20"):
        assert words in page, words
    assert "checked" in client.get(check.replace("/check", "/plan")).text


def test_a_fee_is_paid_in_instalments_and_the_agent_who_brought_the_contract_has_it(console, customer):
    client = console.client("billing")
    assert send_form(client, "/field/agents/new", name="Dora").status_code == 303
    (agent,) = console.query("SELECT id FROM agent")[0]
    place = send(client, "/contracts/new", {"customer": customer}).headers["Location"]
    step = client.get(place.replace("/place", "/plan")).text
    fee = re.search(r'name="fees" value="(\d+)"[^>]*><span[^>]*>Activation', step).group(1)
    too_many = send(client, place.replace("/place", "/plan"), {"plan": chosen(step, "plan"), "instalments": "61"})
    assert 'id="instalments-wrong"' in too_many.text
    more = {"fees": fee, "instalments": "3"}
    check = walk(client, customer, username="wizard.brought", plan_fields=more, agent=str(agent))
    page = client.get(check).text
    for words in ("<li>1: €16.34</li><li>2: €16.33</li><li>3: €16.33</li>", "Dora"):
        assert words in page, words
    made = client.post(check, data=hidden_at_the_end(page)).headers["Location"].removesuffix("/sign")
    number = int(made.rpartition("/")[2])
    parts = "SELECT n.number, n.amount::numeric(9, 2)::text FROM instalment n JOIN contract_item i ON i.id = n.item_id WHERE i.contract_id = %s ORDER BY 1"
    assert console.query(parts, (number,)) == [(1, "16.34"), (2, "16.33"), (3, "16.33")]
    assert console.query("SELECT agent_id FROM contract_agent WHERE contract_id = %s", (number,)) == [(agent,)]
    shown = client.get(made).text
    assert "3 / 3" in shown
    assert f'href="/field/agents/{agent}"' in shown
    asked = {"customer_id": customer, "plan_id": int(chosen(step, "plan")), "fee_ids": [int(fee)], "instalments": 3}
    program = Program.of(console)
    assert len(program.post("/contracts?dry_run=true", {**asked, "agent_id": agent}).json["instalments"]) == 3
    assert problem(program.post("/contracts", {**asked, "agent_id": 999999}))[0] == 409


def test_a_draft_is_its_makers_and_needs_the_permission(console, customer):
    place = send(console.client("billing"), "/contracts/new", {"customer": customer}).headers["Location"]
    assert console.client("administrator").get(place).status_code == 404
    assert console.client("support").get("/contracts/new").status_code == 403


def test_a_signature_is_kept_with_the_paper_that_was_signed_and_never_changes(console, customer):
    client = console.client("billing")
    check = walk(client, customer, username="wizard.signed")
    sign = client.post(check, data=hidden_at_the_end(client.get(check).text)).headers["Location"]
    contract = sign.removesuffix("/sign")
    assert send(client, sign, {"signer": "Anna", "drawing": ""}).status_code == 422
    assert send(client, sign, {"signer": "Anna", "drawing": "data:image/png;base64,aGVsbG8="}).status_code == 422
    answer = client.post(
        sign,
        data={**hidden_at_the_end(client.get(sign).text), "signer": "Anna", "drawing": PNG},
        headers={"User-Agent": "Tablet 7"},
    )
    assert answer.status_code == 303, answer.text
    number = int(contract.rpartition("/")[2])
    rows = console.query(
        "SELECT s.id, s.signer, host(s.address), s.browser, s.taken_by, encode(s.sha256, 'hex'), c.status::text FROM contract_signature s JOIN contract c ON c.id = s.contract_id WHERE c.id = %s",
        (number,),
    )
    digest = rows[0][5]
    assert [row[1:5] + row[6:] for row in rows] == [("Anna", "127.0.0.1", "Tablet 7", "billing", "pending")]
    page = client.get(contract).text
    assert digest in page
    paper = client.get(f"{contract}/signatures/{rows[0][0]}.pdf").data
    assert paper.startswith(b"%PDF-")
    assert hashlib.sha256(paper).hexdigest() == digest
    assert client.get(sign).status_code == 409
    with pytest.raises(Exception, match="refused by contract_signature_append_only"):
        console.query("UPDATE contract_signature SET signer = 'Other' RETURNING id")


def test_a_contract_is_made_and_signed_on_a_phone(console, address, browser, customer):
    with browser.page(console, "billing", viewport=PHONE) as page:
        page.goto(f"{address}/contracts/new?customer={customer}")
        for _ in range(5):
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
            page.click("button:has-text('Go on')")
        page.click("button:has-text('Make the contract')")
        page.wait_for_selector("canvas")
        assert violations(page) == []
        page.fill("#signer", "Anna")
        box = page.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 180, box["y"] + 90, steps=8)
        page.mouse.up()
        page.click("main button:has-text('Sign')")
        page.wait_for_selector("text=The paper that was signed")
