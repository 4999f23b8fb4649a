"""Collectors' and agents' pages: only what is theirs, a payment taken once whatever the network does, cash counted and handed over."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from support.browser import PHONE, violations
from support.collecting_world import collecting
from support.console_world import Console

from billing.commission_rules import Rule, RuleKind
from billing.operations.earning import work_out
from billing.store.commissions import load_agents, save_rule
from control_plane import db
from web.collector.rounds import TakeForm

pytestmark = pytest.mark.db
_FIELD = re.compile(r'name="(csrf_token|once_key|seen|sure)" value="([^"]*)"')


@pytest.fixture(scope="module", autouse=True)
def field(console: Console) -> dict[str, int]:
    """Carla collects from half of the customers that owe, and is the console's collector; Pedro from one of the others."""
    return collecting(console)


def fields(text: str) -> dict[str, str]:
    """What a form of ours sends along."""
    return {name: value for name, value in _FIELD.findall(text)}


def take(client, customer: int, **given):
    page = client.get(f"/field/customers/{customer}").text
    method = re.search(r'<option (?:selected )?value="(\d+)"', page)[1]
    amount = re.search(r'name="amount"[^>]*value="([^"]*)"', page)[1]
    sent = {**fields(page), "amount": amount, "method": method, **given}
    return sent, client.post(f"/field/customers/{customer}", data=sent)


def payments(console: Console, customer: int) -> int:
    return console.query("SELECT count(*) FROM payment WHERE customer_id = %s AND source = 'collector'", (customer,))[
        0
    ][0]


def test_the_round_shows_who_owes_and_nobody_else_s(console, field):
    text = console.client("collector").get("/field").text
    assert f"/field/customers/{field['own']}" in text
    assert f"/field/customers/{field['foreign']}" not in text


def test_a_customer_is_found_by_name_street_and_number(console, field):
    client = console.client("collector")
    name, street = console.query(
        "SELECT c.name, a.street FROM customer AS c JOIN address AS a ON a.customer_id = c.id WHERE c.id = %s LIMIT 1",
        (field["own"],),
    )[0]
    label = console.query(
        "SELECT label FROM document WHERE customer_id = %s AND label IS NOT NULL LIMIT 1", (field["own"],)
    )[0][0]
    foreign = console.query("SELECT name FROM customer WHERE id = %s", (field["foreign"],))[0][0]
    for words in (name, street.upper(), label):
        assert f"/field/customers/{field['own']}" in client.get("/field", query_string={"q": words}).text
    assert f"/field/customers/{field['foreign']}" not in client.get("/field", query_string={"q": foreign}).text


def test_all_words_have_to_be_known_of_the_customer_or_of_an_open_invoice(console, field):
    client = console.client("collector")
    ((name, city, label, phone),) = console.query(
        "SELECT c.name, a.city, d.label, coalesce(k.mobile, k.phone) FROM customer AS c JOIN address AS a ON a.customer_id = c.id JOIN open_document AS o ON o.customer_id = c.id"
        " JOIN document AS d ON d.id = o.document_id LEFT JOIN contact AS k ON k.customer_id = c.id WHERE c.id = %s LIMIT 1",
        (field["own"],),
    )
    own = f'stop" href="/field/customers/{field["own"]}"'
    for words in (f"{label[1:].lower()} {city[:3]}", f"{name[1:4]} {field['own']}", phone or name):
        assert own in client.get("/field", query_string={"q": words}).text, words
    for words in (f"{name} nobodyiscalledthis", f"{name} {label}7", "%", "_"):
        assert own not in client.get("/field", query_string={"q": words}).text, words
    assert own in client.get("/field", query_string={"q": label, "by": "way"}).text


def test_who_owes_on_another_page_is_not_told_to_owe_nothing(console, field, monkeypatch):
    monkeypatch.setattr("web.collector.rounds._STOPS", 3)
    page = console.client("collector").get("/field", query_string={"q": "2026"}).text
    assert page.count('stop" href=') == 3
    assert "Found, and owing nothing" not in page


def test_each_order_leads_through_the_whole_round_once(console, field, monkeypatch):
    monkeypatch.setattr("web.collector.rounds._STOPS", 3)
    client, seen = console.client("collector"), {}
    for order in ("due", "way", "name"):
        address, seen[order] = f"/field?by={order}", []
        while address:
            text = client.get(address).text
            seen[order] += re.findall(r'stop" href="/field/customers/(\d+)"', text)
            further = re.search(r'href="([^"]+)" rel="next"', text)
            address = further[1].replace("&amp;", "&") if further else ""
        assert len(seen[order]) == len(set(seen[order])) == 10
    assert sorted(seen["due"]) == sorted(seen["way"]) == sorted(seen["name"])
    assert client.get("/field?by=payable").status_code == 400


@pytest.mark.parametrize("path", ["/field/customers/{foreign}", "/field/customers/999999", "/field/receipts/{payment}", "/field/receipts/{payment}.pdf", "/field/cash/{session}", "/field/cash/{session}/count", "/field/cash/{session}.pdf"])  # fmt: skip
def test_what_is_another_s_is_not_there(console, field, path):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("UPDATE staff SET collector_id = %s WHERE name = 'collector'", (field["Pedro"],))
    try:
        if not console.query(
            "SELECT FROM payment WHERE customer_id = %s AND source = 'collector'", (field["foreign"],)
        ):
            assert take(console.client("collector"), field["foreign"])[1].status_code == 303
        payment, session = console.query(
            "SELECT r.payment_id, r.session_id FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id WHERE p.customer_id = %s",
            (field["foreign"],),
        )[0]
        address = path.format(foreign=field["foreign"], payment=payment, session=session)
        assert console.client("collector").get(address).status_code == (404 if "999999" in path else 200)
    finally:
        with db.connect(console.conninfo, name="test") as connection:
            connection.execute("UPDATE staff SET collector_id = %s WHERE name = 'collector'", (field["Carla"],))
    assert console.client("collector").get(address).status_code == 404


def test_a_payment_is_taken_once_though_the_phone_sends_it_three_times(console, field):
    client = console.client("collector")
    sent, first = take(client, field["own"])
    again = [client.post(f"/field/customers/{field['own']}", data=sent) for _ in range(2)]
    assert [one.status_code for one in (first, *again)] == [303, 303, 303]
    assert {one.headers["Location"] for one in again} == {first.headers["Location"]}
    assert payments(console, field["own"]) == 1
    receipt = client.get(first.headers["Location"])
    assert receipt.status_code == 200
    assert "1/CA/" in receipt.text
    assert console.query("SELECT sum(open) FROM open_document WHERE customer_id = %s", (field["own"],))[0][0] in (
        0,
        None,
    )


def test_who_comes_back_after_the_connection_was_lost_is_told_what_was_taken(console, field):
    client = console.client("collector")
    _, done = take(client, field["spare"], amount="5")
    assert done.status_code == 303
    # The answer never came: the page is opened anew, with a key of its own.
    _, second = take(client, field["spare"], amount="5")
    assert second.status_code == 422
    assert "If this is another payment" in second.text
    assert payments(console, field["spare"]) == 1
    _, meant = take(client, field["spare"], amount="5", another="y")
    assert meant.status_code == 303
    assert payments(console, field["spare"]) == 2


def test_what_can_t_be_taken_is_said_beside_its_field_and_nothing_is_written(console, field):
    client, before = console.client("collector"), payments(console, field["spare"])
    for amount, words in (
        ("0", "above zero"),
        ("lots", "Write a number"),
        ("1.234", "fewer decimals"),
        ("9000", "You may carry"),
    ):
        _, answer = take(client, field["spare"], amount=amount)
        assert (answer.status_code, words in answer.text) == (422, True), amount
    assert payments(console, field["spare"]) == before


def test_who_is_bound_to_nobody_or_may_not_sees_nothing(console, field):
    assert console.client("reader").get("/field").status_code == 403
    assert console.client("collector").get("/field/sessions").status_code == 403
    assert console.client("collector").get("/field/agent").status_code == 403
    assert console.client("administrator").get(f"/field/customers/{field['own']}").status_code == 403
    assert console.client("administrator").get("/field").headers["Location"] == "/field/sessions"


def test_who_collects_and_is_bound_to_nobody_sees_no_receipt_of_the_office(console, field):
    ((customer, day),) = console.query("SELECT min(id), (now() AT TIME ZONE 'Europe/Rome')::date::text FROM customer")
    office, typed = console.client("billing"), {"amount": "12", "method": "cash", "day": day, "note": "at the desk"}
    token = fields(office.get("/payments/new").text)
    assert office.post("/payments/new", data={**token, **typed, "customer_id": customer}).status_code == 303
    ((payment,),) = console.query("SELECT id FROM payment WHERE note = 'at the desk'")
    assert office.post(f"/payments/{payment}/receipt", data=token).status_code == 303
    address, bind = (
        f"/field/receipts/{payment}",
        "UPDATE staff SET collector_id = %s WHERE name = 'collector' RETURNING 1",
    )
    assert console.client("administrator").get(address).status_code == 200
    console.query(bind, (None,))
    assert console.client("collector").get(address).status_code == 404
    console.query(bind, (field["Carla"],))
    assert console.client("collector").get(address).status_code == 404


def test_a_receipt_is_printed_and_mailed_once(console, field):
    client = console.client("collector")
    payment = console.query("SELECT id FROM payment WHERE customer_id = %s AND source = 'collector'", (field["own"],))[
        0
    ][0]
    paper = client.get(f"/field/receipts/{payment}.pdf?size=58mm")
    assert (paper.content_type, paper.data[:5]) == ("application/pdf", b"%PDF-")
    assert client.get(f"/field/receipts/{payment}.pdf?size=a3").status_code == 400
    token = fields(client.get(f"/field/receipts/{payment}").text)

    def sent():
        return console.query(
            "SELECT enclosures FROM message WHERE template = 'receipt' AND origin LIKE %s",
            (f"receipt of payment {payment}%",),
        )

    before = len(sent())
    for _ in range(2):
        assert client.post(f"/field/receipts/{payment}/send", data=token).status_code == 303
    assert len(sent()) == before + 1
    assert {tuple(enclosed) for (enclosed,) in sent()} == {(f"receipt:{payment}",)}


def test_cash_is_counted_by_the_collector_and_taken_by_the_office(console, field):
    client, office = console.client("collector"), console.client("billing")
    session = console.query(
        "SELECT id FROM cash_session WHERE collector_id = %s AND closed_at IS NULL", (field["Carla"],)
    )[0][0]
    page = client.get(f"/field/cash/{session}/count").text
    answer = client.post(f"/field/cash/{session}/count", data={**fields(page), "count-5": "x"})
    assert answer.status_code == 422
    answer = client.post(f"/field/cash/{session}/count", data={**fields(page), "count-5": "2", "note": "wind"})
    assert answer.status_code == 303
    assert console.query("SELECT closed_at FROM cash_session WHERE id = %s", (session,)) == [(None,)]
    assert "€10.00" in office.get(f"/field/sessions/{session}").text

    page = office.get(f"/field/sessions/{session}/hand-over").text
    assert re.search(r'name="count-5" value="2"', page)
    looked = office.post(f"/field/sessions/{session}/hand-over", data={**fields(page), "count-5": "2"})
    assert "are missing" in looked.text
    # Counted anew, so the difference is another one than was looked at.
    moved = office.post(f"/field/sessions/{session}/hand-over", data={**fields(looked.text), "count-5": "3"})
    assert moved.status_code == 200
    assert console.query("SELECT closed_at FROM cash_session WHERE id = %s", (session,)) == [(None,)]
    sent = {**fields(looked.text), "count-5": "2"}
    done = [office.post(f"/field/sessions/{session}/hand-over", data=sent) for _ in range(2)]
    assert [one.status_code for one in done] == [303, 303]
    counted, by = console.query("SELECT counted, taken_by FROM cash_session WHERE id = %s", (session,))[0]
    assert (counted, by) == (Decimal("10.000"), "Billing")
    assert client.get(f"/field/cash/{session}/count").status_code == 404


def test_the_office_gives_change_and_takes_cash_out(console, field):
    office, collector = console.client("billing"), field["Carla"]
    page = office.get(f"/field/collectors/{collector}/open").text
    assert office.post(f"/field/collectors/{collector}/open", data={**fields(page), "amount": "-1"}).status_code == 422
    opened = office.post(f"/field/collectors/{collector}/open", data={**fields(page), "amount": "20"})
    assert opened.status_code == 303
    session = opened.headers["Location"]
    page = office.get(f"{session}/withdraw").text
    more = {**fields(page), "amount": "5", "to": "bank", "reason": "noon"}
    assert office.post(f"{session}/withdraw", data=more).status_code == 422
    assert office.get("/field/sessions").status_code == office.get("/field/collectors").status_code == 200
    assert office.get(f"{session}.pdf").data[:5] == b"%PDF-"


def test_an_agent_sees_own_contracts_and_commissions_alone(console, field):
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        save_rule(
            connection,
            field["issuer"],
            Rule(0, RuleKind.RECURRING, Decimal(10), None, None, None, date(2026, 1, 1), None, None, None, None),
        )
        (agent,) = load_agents(connection, agent_id=field["agent"])
        work_out(connection, agent, today=date(2026, 11, 1), actor="test")
        connection.execute(
            "UPDATE staff SET agent_id = %s, collector_id = NULL WHERE name = 'collector'", (field["agent"],)
        )
        connection.execute(
            "INSERT INTO staff_has_role (staff_id, role_id) SELECT s.id, r.id FROM staff AS s, staff_role AS r WHERE s.name = 'collector' AND r.name = 'agent'"
        )
        connection.commit()
    try:
        client = console.client("collector")
        mine = console.query("SELECT count(*) FROM contract_agent WHERE agent_id = %s", (field["agent"],))[0][0]
        assert client.get("/field/agent/contracts").text.count("Yours since") == mine + 1
        assert "Invoice paid" in client.get("/field/agent").text
        assert client.get("/field/agent/settlements/1.pdf").status_code == 404
        assert client.get("/field").status_code == 403
    finally:
        with db.connect(console.conninfo, name="test") as connection:
            connection.execute(
                "UPDATE staff SET agent_id = NULL, collector_id = %s WHERE name = 'collector'", (field["Carla"],)
            )


def test_the_menu_has_pages_about_oneself_for_who_is_bound_to_a_collector_alone(console, field):
    office, collector = (console.client(role).get("/me").text for role in ("administrator", "collector"))
    assert all(f'href="{path}"' in collector for path in ("/field", "/field/cash"))
    assert not any(f'href="{path}"' in office for path in ("/field", "/field/cash", "/field/agent"))
    assert 'href="/field/sessions"' in office


@pytest.mark.parametrize(
    ("language", "currency", "shown"),
    [("en", "EUR", "1622.80"), ("it", "EUR", "1622,80"), ("es", "JPY", "1623"), ("it", "BHD", "1622,800")],
)
def test_an_amount_stands_in_its_field_with_its_currency_s_places(console, language, currency, shown):
    amount = {"JPY": Decimal(1623)}.get(currency, Decimal("1622.8"))
    with console.app.test_request_context(headers={"Cookie": f"language={language}"}):
        form = TakeForm(amount=amount, meta={"csrf": False})
        form.amount.currency = currency
        assert form.amount._value() == shown


def test_on_a_phone_a_payment_is_three_taps(console, address, browser, field):
    with browser.page(console, "collector", viewport=PHONE) as page:
        page.goto(f"{address}/field?by=name")
        assert violations(page) == []
        page.locator("a.stop").first.click()
        assert violations(page) == []
        page.get_by_role("link", name="What is due").click()
        page.get_by_role("button", name="Take it").click()
        page.wait_for_url("**/field/receipts/*")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.goto(f"{address}/field/cash")
        page.get_by_role("link", name="Count and hand over").click()
        page.fill("#count-20", "3")
        page.fill("[id='count-0.50']", "1")
        assert page.inner_text("[data-pieces-sum]") == "€60.50"
        assert violations(page) == []
    with browser.page(console, "billing") as page:
        for path in ("/field/sessions", "/field/collectors"):
            page.goto(f"{address}{path}")
            assert violations(page) == []
        page.get_by_role("link", name="€").last.click()
        assert violations(page) == []
