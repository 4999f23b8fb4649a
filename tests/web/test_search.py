"""The search box: by whatever is known, best first, only what one may see, by indexes."""

from __future__ import annotations

import pytest
from support.browser import PHONE, violations

from control_plane import db
from control_plane.store import search as store

pytestmark = pytest.mark.db
PREFIX = "2001:db8:77:1200::/56"


@pytest.fixture(scope="module")
def someone(console):
    """An account with a live session, a static address and a bound device; its customer."""
    account, username, contract, customer, name = console.query(
        "SELECT a.id, a.username, c.id, k.id, k.name FROM subscriber_account a JOIN contract c ON c.id = a.contract_id"
        " JOIN customer k ON k.id = c.customer_id ORDER BY a.id LIMIT 1"
    )[0]
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE subscriber_account SET macs = '{02aabbccdd01}' WHERE id = %s", (account,))
        connection.execute("DELETE FROM account_prefix WHERE account_id = %s", (account,))
        connection.execute(
            "INSERT INTO account_prefix (account_id, kind, prefix) VALUES (%s, 'framed_ipv4', '203.0.113.77')",
            (account,),
        )
        connection.execute(
            "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, started_at, updated_at, received_at,"
            " session_time_s, octets_in, octets_out, counter_in, counter_out, framed_ipv4, delegated_ipv6_prefix, addresses_since, mac)"
            " SELECT gen_random_uuid(), min(id), 'x1', %s, %s, now(), now(), now(), 0, 0, 0, 0, 0, '198.51.100.9', %s, now(), '02aabbccdd02' FROM nas",
            (username, account, PREFIX),
        )
        connection.execute("ANALYZE")
    return {"username": username, "contract": contract, "customer": customer, "name": name}


@pytest.mark.parametrize(
    "text", ["198.51.100.9", "203.0.113.77", "2001:db8:77:12aa::1", "02:AA:BB:CC:DD:01", "02aa.bbcc.dd02"]
)
def test_an_address_or_a_device_leads_to_the_account_that_has_it(console, someone, text):
    answer = console.client("support").get("/search", query_string={"q": text})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/accounts/{someone['username']}"


def test_a_name_a_tax_number_and_a_telephone_lead_to_the_customer(console, someone):
    customer = someone["customer"]
    number = console.query("SELECT number FROM tax_identifier WHERE customer_id = %s", (customer,))[0][0]
    phone = console.query("SELECT coalesce(mobile, phone) FROM contact WHERE customer_id = %s", (customer,))[0][0]
    for text in (
        number,
        number.lower(),
        phone,
        phone.replace("+", "00"),
        f" {phone[:3]} {phone[3:]} ",
        someone["name"],
    ):
        answer = console.client("reader").get("/search", query_string={"q": text})
        assert answer.headers.get("Location") == f"/customers/{customer}", text


def test_a_whole_username_leads_to_it_and_a_part_lists_what_holds_it(console, someone):
    client = console.client("reader")
    whole = client.get("/search", query_string={"q": someone["username"]})
    assert whole.headers["Location"] == f"/accounts/{someone['username']}"
    part = client.get("/search?q=@corrente").text
    assert part.count('href="/accounts/') == 8


def test_a_number_that_a_customer_and_a_contract_have_shows_both(console, someone):
    page = console.client("reader").get("/search", query_string={"q": str(someone["contract"])})
    assert page.status_code == 200
    assert f'href="/customers/{someone["contract"]}"' in page.text
    assert f'href="/contracts/{someone["contract"]}"' in page.text


def test_who_may_not_see_a_kind_does_not_find_it(console, someone):
    collector = console.client("collector")
    for text in ("198.51.100.9", someone["name"], str(someone["contract"]), someone["username"]):
        answer = collector.get("/search", query_string={"q": text})
        assert answer.status_code == 200
        assert "Nothing is known by that" in answer.text
    assert console.client("").get("/search?q=x").status_code == 303


@pytest.mark.parametrize(
    "text", ["", " ", "a", "%", "_%_", "\\", "'; DROP", "\x00ab", "9" * 300, "🙂🙂", "::", "00:00"]
)
def test_whatever_is_typed_is_answered(console, text):
    assert console.client("administrator").get("/search", query_string={"q": text}).status_code in (200, 303)


def test_nothing_is_looked_for_row_by_row(console):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        for statement, given in (
            (store._BEGINS, ("ann%", 8)),
            (store._HOLDS, ("%ann%", 8)),
            (store._MAC, {"mac": "02aabbccdd02", "limit": 8}),
            (store._ADDRESS, {"address": "198.51.100.9", "prefixes": [PREFIX], "limit": 8}),
        ):
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}", given))
            for table in ("subscriber_account", "session", "account_prefix"):
                assert f"Seq Scan on {table}" not in plan, plan


def test_hits_come_while_one_types_and_enter_leads_to_the_one_that_was_meant(console, address, browser, someone):
    with browser.page(console, "support") as page:
        page.goto(f"{address}/customers")
        page.keyboard.press("/")
        page.keyboard.type("198.51.100.9")
        page.wait_for_selector("#found a.hit")
        assert violations(page) == []
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/accounts/{someone['username']}")
    with browser.page(console, "support", viewport=PHONE) as page:
        page.goto(f"{address}/search?q=via")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
