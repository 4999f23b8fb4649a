"""Subscriber accounts in the console: found, read, and what happened on their lines."""

from __future__ import annotations

import html
import re

import pytest
from support.account_lines import Lines, lay_lines
from support.browser import PHONE, violations

from control_plane import db
from control_plane.store.account_list import Wanted, load_accounts, statement_of

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def lines(console) -> Lines:
    """Accounts with sessions, logins and usage."""
    return lay_lines(console)


def test_an_account_is_found_by_username_customer_contract_address_and_mac(console, lines):
    client = console.client("network operator")
    username, customer, contract = lines.online, lines.customer, lines.contract
    for asked in (username[2:9], customer.lower(), str(contract), lines.address, lines.static, lines.mac):
        page = client.get("/accounts", query_string={"q": asked}).text
        assert f">{username}</a>" in page, asked
    assert "No account is like that" in client.get("/accounts?q=nobody-has-this").text


def test_pages_of_an_account_say_what_happened(console, lines):
    client = console.client("network operator")
    for tab in ("", "/why", "/answer", "/usage", "/logins", "/sessions", "/device"):
        answer = client.get(f"/accounts/{lines.online}{tab}")
        assert answer.status_code == 200, (tab, answer.text[:3000])


def test_logins_and_past_sessions_are_paged_by_their_last_row_and_none_is_left_out(console, lines):
    client = console.client("network operator")
    for tab, cells, wanted in (
        ("logins", '<tr>\n  <td data-label="When"', 75),
        ("sessions", '<td data-label="Began"', 60),
    ):
        address, pages = f"/accounts/{lines.online}/{tab}", []
        while address:
            text = client.get(address).text
            pages.append(text.count(cells))
            further = re.search(r'href="([^"]+)" rel="next"', text)
            address = html.unescape(further[1]) if further else ""
        assert (pages[0], sum(pages)) == (50, wanted), tab
    refused = client.get(f"/accounts/{lines.online}/logins?outcome=reject").text
    assert "Wrong password" in refused
    assert "Let in with full service" not in refused
    assert client.get(f"/accounts/{lines.online}/logins?after=x").status_code == 400


def test_what_radius_would_answer_is_asked_with_nas_mac_and_password(console, lines):
    client, path = console.client("network operator"), f"/accounts/{lines.online}/answer"
    first = client.get(path).text
    assert "Access-Accept" in first
    assert "<code>Class</code>" in first
    token = re.search(r'name="csrf_token" value="([^"]*)"', first[first.index("<main") :])[1]
    asked = {
        "csrf_token": token,
        "nas": lines.nas,
        "mac": lines.mac,
        "circuit": "",
        "way": "chap",
        "password": "",
        "at": "",
    }
    assert "Access-Accept" in client.post(path, data=asked).text
    for changed, said in (
        ({"password": "guessed"}, "Wrong password"),
        ({"mac": "02:00:5e:10:00:99"}, "Another device than the account is bound to"),
    ):
        text = client.post(path, data=asked | changed).text
        assert "Access-Reject" in text
        assert said in text
    assert client.post(path, data=asked | {"mac": "nonsense"}).status_code == 422
    assert client.post(path, data=asked | {"at": "2020-01-01T10:00"}).status_code == 422


def test_a_past_moment_is_told_as_it_stood_or_said_to_be_unknown(console, lines):
    client = console.client("network operator")
    before = client.get(f"/accounts/{lines.online}/why?at=2019-01-01T10:00").text
    assert "The account was not there yet" in before
    assert "This is to come" in client.get(f"/accounts/{lines.online}/why?at=2999-01-01T10:00").text
    now = client.get(f"/accounts/{lines.online}/why").text
    assert f"Session at {lines.nas}" in now
    assert "Full service" in now
    assert client.get("/accounts/nobody@corrente.example/why").status_code == 404


def test_a_list_is_read_by_its_index_and_what_is_typed_is_looked_up_by_one(console, lines):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET enable_seqscan = off")
        for wanted in (Wanted(limit=51), Wanted(text="salini"), Wanted(text=lines.address), Wanted(text=lines.mac)):
            assert load_accounts(connection, wanted), wanted
            statement, given = statement_of(wanted)
            plans = [line for (line,) in connection.execute(f"EXPLAIN {statement}", given)]
            assert not [line for line in plans if "Seq Scan on subscriber_account" in line], (wanted, plans)


def test_the_live_part_tells_what_accounting_brings_and_every_page_is_usable_by_everybody(
    console, lines, address, browser
):
    with browser.page(console, "network operator") as page:
        page.goto(f"{address}/accounts/{lines.online}")
        page.get_by_text("The graph is by accounting").wait_for()
        console.query("UPDATE session SET received_at = now(), octets_out = octets_out + 50000000 RETURNING 1")
        page.get_by_text("0 seconds ago").or_(page.get_by_text("second ago")).or_(
            page.get_by_text("seconds ago")
        ).first.wait_for()
        page.locator(".traffic-chart").wait_for(state="attached")
    for options, tabs in (({}, ("/why", "/answer", "/usage")), ({"viewport": PHONE}, ("/logins", "/sessions"))):
        with browser.page(console, "network operator", **options) as page:
            for tab in tabs:
                page.goto(f"{address}/accounts/{lines.online}{tab}")
                assert violations(page) == [], tab
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab
