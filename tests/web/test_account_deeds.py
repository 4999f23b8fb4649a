"""What is done to accounts in the console: shown before it hurts, done once, and written down."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from support.account_lines import Lines, lay_lines
from support.browser import PHONE, violations

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def lines(console) -> Lines:
    """Accounts with sessions, logins and usage."""
    return lay_lines(console)


def form_of(client, path):
    """The hidden fields of a page's own form, as a browser would send them."""
    text = client.get(path).text
    main = text[text.index("<main") :]
    return {
        name: re.search(rf'name="{name}" value="([^"]*)"', main)[1]
        for name in ("csrf_token", "once_key", "seen")
        if f'name="{name}"' in main
    }


def audit(console, action):
    return console.query("SELECT actor, subject, detail FROM audit_log WHERE action = %s ORDER BY id", (action,))


def test_who_is_not_granted_a_deed_is_refused_it(console, lines):
    reader, support, billing = (console.client(role) for role in ("reader", "support", "billing"))
    for deed in ("kick", "restrict", "lift", "password", "top-up", "plan", "edit"):
        assert reader.get(f"/accounts/{lines.online}/{deed}").status_code == 403, deed
    assert support.get(f"/accounts/{lines.online}/password").status_code == 403
    assert support.get(f"/accounts/{lines.online}/plan").status_code == 403
    assert billing.get(f"/accounts/{lines.online}/kick").status_code == 403
    assert reader.get("/who-had").status_code == 403
    assert reader.get(f"/accounts/{lines.online}").status_code == 200
    assert console.client("collector").get("/accounts").status_code == 403


def test_a_password_is_shown_once_a_reason_stands_in_the_audit_log(console, lines):
    client, path = console.client("network operator"), f"/accounts/{lines.online}/password"
    form = form_of(client, path)
    refused = client.post(path, data={**form, "reason": " "})
    assert (refused.status_code, audit(console, "account.reveal_secret")) == (422, [])
    shown = client.post(path, data={**form, "reason": "the customer asks"})
    ((actor, subject, detail),) = audit(console, "account.reveal_secret")
    assert (actor, subject, detail) == ("network.operator", lines.online, {"reason": "the customer asks"})
    password = re.search(r'data-copy="([^"]+)"', shown.text)[1]
    assert len(password) == 10
    assert 'http-equiv="refresh" content="60;' in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    for page in ("", "/edit", "/why", "/answer"):
        assert password not in client.get(f"/accounts/{lines.online}{page}").text


def test_a_restriction_is_shown_before_it_is_placed_and_lifted_with_a_reason(console, lines):
    client, path = console.client("network operator"), f"/accounts/{lines.offline}/restrict"
    form = form_of(client, path) | {"level": "walled", "origin": "abuse", "until": "", "reason": "spam"}
    shown = client.post(path, data=form)
    assert "Then: Walled garden" in shown.text
    assert console.query("SELECT count(*) FROM restriction WHERE reason = 'spam'") == [(0,)]
    for _ in range(2):
        assert client.post(path, data=form | {"confirmed": "yes"}).status_code == 303
    assert console.query("SELECT origin::text, level::text, placed_by FROM restriction WHERE reason = 'spam'") == [
        ("abuse", "walled", "network.operator")
    ]
    past = datetime.now(UTC) - timedelta(days=2)
    wrong = client.post(path, data=form | {"until": f"{past:%Y-%m-%dT%H:%M}", "once_key": "another"})
    assert (wrong.status_code, "Choose a time to come." in wrong.text) == (422, True)
    lift = f"/accounts/{lines.offline}/lift"
    ((number,),) = console.query("SELECT id FROM restriction WHERE reason = 'spam'")
    form = form_of(client, lift) | {"numbers": [str(number)]}
    assert client.post(lift, data=form | {"reason": ""}).status_code == 422
    assert client.post(lift, data=form | {"numbers": [], "reason": "told"}).status_code == 422
    assert "Then: Full service" in client.post(lift, data=form | {"reason": "told"}).text
    assert client.post(lift, data=form | {"reason": "told", "confirmed": "yes"}).status_code == 303
    assert console.query("SELECT lifted_by FROM restriction WHERE id = %s", (number,)) == [("network.operator",)]
    assert audit(console, "account.lift")[-1][2]["reason"] == "told"


def test_a_plan_change_shows_what_the_network_gives_and_from_when_before_it_is_done(console, lines):
    client, path = console.client("billing"), f"/accounts/{lines.offline}/plan"
    ((plan,),) = console.query(
        "SELECT p.name FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN plan p ON p.id = c.plan_id"
        " WHERE a.username = %s",
        (lines.offline,),
    )
    other = next(name for (name,) in console.query("SELECT name FROM plan ORDER BY id") if name != plan)
    form = form_of(client, path)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert client.post(path, data=form | {"plan": other, "on": str(yesterday)}).status_code == 422
    day = datetime.now(UTC).date() + timedelta(days=40)
    shown = client.post(path, data=form | {"plan": other, "on": str(day)})
    assert shown.status_code == 200, shown.text
    assert "profile" in shown.text
    waits = "SELECT n.name, x.effective_on FROM plan_change x JOIN plan n ON n.id = x.plan_id JOIN subscriber_account a ON a.contract_id = x.contract_id WHERE a.username = %s"
    assert console.query(waits, (lines.offline,)) == []
    assert client.post(path, data=form | {"plan": other, "on": str(day), "confirmed": "yes"}).status_code == 303
    assert console.query(waits, (lines.offline,)) == [(other, day)]


def test_a_top_up_needs_a_quota_and_counts_once(console, lines):
    client, path = console.client("network operator"), f"/accounts/{lines.offline}/top-up"
    form = form_of(client, path) | {"octets": "50G", "until": "", "reason": "bought"}
    console.query("UPDATE profile SET quota_octets = NULL RETURNING id")
    assert client.post(path, data=form).status_code == 422
    console.query("UPDATE profile SET quota_octets = 500000000000 RETURNING id")
    assert client.post(path, data=form | {"octets": "fifty"}).status_code == 422
    for _ in range(2):
        assert client.post(path, data=form).status_code == 303
    assert console.query("SELECT octets, placed_by FROM data_topup") == [(50_000_000_000, "network.operator")]


def test_an_account_is_added_for_a_contract_and_duplicated(console, lines):
    client = console.client("network operator")
    form = form_of(client, "/accounts/new") | {"contract": str(lines.contract), "max_sessions": "2", "secret": "make"}
    given = form | {"username": "second@corrente.example", "macs": "02:00:5E:10:00:09", "ipv4": "198.18.9.20"}
    assert client.post("/accounts/new", data=given | {"username": lines.online}).status_code == 422
    held = client.post("/accounts/new", data=given | {"ipv4": lines.static})
    assert (held.status_code, f"held by account {lines.online}" in held.text) == (422, True)
    assert client.post("/accounts/new", data=given | {"contract": "999999"}).status_code == 422
    done = client.post("/accounts/new", data=given)
    assert (done.status_code, done.headers["Location"]) == (303, "/accounts/second@corrente.example")
    row = "SELECT contract_id, max_sessions, macs, secret_kind::text FROM subscriber_account WHERE username = %s"
    assert console.query(row, ("second@corrente.example",)) == [(lines.contract, 2, ["02005e100009"], "clear")]
    copy = client.get("/accounts/new?copy=second@corrente.example").text
    assert f'value="{lines.contract}"' in copy
    assert "198.18.9.20" not in copy


def test_an_edit_says_what_keeps_the_router_out_and_is_refused_to_who_saw_something_else(console, lines):
    client, path = console.client("network operator"), f"/accounts/{lines.online}/edit"
    form = form_of(client, path) | {"username": lines.online, "max_sessions": "1", "secret": "keep", "macs": lines.mac}
    form |= {"ipv4": lines.static}
    late = dict(form)
    shown = client.post(path, data=form | {"macs": "02:00:5e:10:00:07"})
    assert "02:00:5e:10:00:01, which is online" in shown.text
    assert client.post(path, data=form | {"macs": "none of them"}).status_code == 422
    assert client.post(path, data=form | {"max_sessions": "3"}).status_code == 303
    row = "SELECT max_sessions, macs FROM subscriber_account WHERE username = %s"
    assert console.query(row, (lines.online,)) == [(3, ["02005e100001"])]
    second = client.post(path, data=late | {"max_sessions": "5", "once_key": "another"})
    assert (second.status_code, "Somebody else has changed this" in second.text) == (422, True)
    assert console.query(row, (lines.online,))[0][0] == 3


def test_who_had_an_address_is_told_and_written_down(console, lines):
    client = console.client("network operator")
    form = form_of(client, "/who-had")
    moment = console.query(
        "SELECT to_char(now() AT TIME ZONE 'Europe/Rome' - interval '2 minutes', 'YYYY-MM-DD\"T\"HH24:MI')"
    )[0][0]
    asked = form | {"address": "198.18.7.7", "at": moment, "port": "", "reason": ""}
    assert client.post("/who-had", data=asked).status_code == 422
    assert audit(console, "history.lookup") == []
    found = client.post("/who-had", data=asked | {"reason": "court 12/2026"})
    assert lines.online in found.text
    ((actor, subject, detail),) = audit(console, "history.lookup")
    assert (actor, subject, detail["reason"], detail["found"]) == (
        "network.operator",
        "198.18.7.7",
        "court 12/2026",
        [lines.online],
    )
    nobody = client.post("/who-had", data=asked | {"address": "203.0.113.9", "reason": "court 13/2026"})
    assert "Nobody had it" in nobody.text or "Nothing is known" in nobody.text


def test_a_session_is_ended_by_hand_in_a_browser(console, lines, address, browser):
    with browser.page(console, "network operator") as page:
        page.goto(f"{address}/accounts/{lines.online}")
        assert violations(page) == []
        page.get_by_role("link", name="Disconnect").click()
        page.get_by_label("Reason").fill("hangs")
        assert violations(page) == []
        page.get_by_role("button", name="Disconnect").click()
        page.get_by_text("1 session is being ended.").wait_for()
    assert console.query("SELECT asked_by, reason FROM enforcement") == [
        ("network.operator", "disconnected by network.operator: hangs")
    ]
    with browser.page(console, "network operator", viewport=PHONE) as page:
        for path in (f"/accounts/{lines.online}", f"/accounts/{lines.online}/edit", "/who-had", "/accounts"):
            page.goto(f"{address}{path}")
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
