"""Gateways in the console: added with keys that are sealed and never shown, changed by one at a time, tried, and what is due."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime

import pytest
from support.browser import usable_by_everybody
from support.forms import hidden, send_named
from support.program import Program

from billing.gateways.payouts import LineKind, Payout, PayoutLine
from billing.money import Money
from billing.store.gateways import write_payout
from control_plane import db
from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db
FILE = (
    b"resources.type,gross_amount,gocardless_fees,app_fees,net_amount,currency,payouts.id,payments.id\r\n"
    b"payment,9.00,0.75,0.00,8.25,EUR,PO999,PM999\r\n"
)
KEY, SIGNING = "sk_test_of_this_test", "whsec_of_this_test"


def typed(**more):
    return {"name": "cards", "provider": "stripe", "issuer": "1", "secret": KEY, "signing": SIGNING} | more


@pytest.fixture(scope="module")
def cards(console):
    """The account `cards`, in test mode; its address is nobody's, so nothing is asked of a provider."""
    client = console.client("administrator")
    page = client.get("/gateways/new").text
    answers = [send_named(client, "/gateways/new", page, **typed(unchecked="y")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE gateway_account SET base_url = 'http://127.0.0.1:9'")
    return client


def test_an_account_is_added_once_with_keys_that_are_sealed_and_never_shown(console, cards):
    (sealed, signing, live), *others = console.query(
        "SELECT sealed_secret, sealed_webhook_secret, live FROM gateway_account"
    )
    assert others == []
    assert KEY.encode() not in bytes(sealed)
    assert SIGNING.encode() not in bytes(signing)
    assert live is False
    for page in ("/gateways", "/gateways/cards/edit"):
        text = cards.get(page).text
        assert KEY not in text
        assert SIGNING not in text
    assert console.query("SELECT actor FROM audit_log WHERE action = 'gateway.add'") == [("admin",)]
    assert KEY not in str(console.query("SELECT detail FROM audit_log"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "cards", "unchecked": "y"}, "There is one of this name already."),
        ({"name": "Big Cards"}, "Up to 40 small letters"),
        ({"name": "other", "secret": ""}, "This is needed."),
        ({"name": "other", "return_url": "javascript:x", "unchecked": "y"}, "An address begins with"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_no_key_comes_back(console, cards, more, words):
    answer = send_named(cards, "/gateways/new", **typed(**more))
    assert answer.status_code == 422
    assert words in answer.text
    assert KEY not in answer.text
    assert console.query("SELECT count(*) FROM gateway_account") == [(1,)]


def test_who_may_only_see_changes_and_tries_nothing(console, cards):
    client = console.client("billing")
    page = client.get("/gateways")
    assert "cards" in page.text
    assert "/gateways/cards/edit" not in page.text
    token = hidden(page.text, "csrf_token")
    for path in ("/gateways/new", "/gateways/cards/edit"):
        assert client.get(path).status_code == 403
    assert client.post("/gateways/cards/check", data={"csrf_token": token}).status_code == 403
    assert console.client("collector").get("/gateways").status_code == 403


def test_of_two_who_edit_the_second_is_told_and_a_key_left_empty_stays(console, cards):
    sealed = "SELECT sealed_secret FROM gateway_account"
    before, path = console.query(sealed), "/gateways/cards/edit"
    second = console.client("administrator")
    late = second.get(path).text
    changed = {"enabled": "y", "pages_since": "2026-07-01", "debit_days": "3"}
    assert send_named(cards, path, **changed).status_code == 303
    assert console.query("SELECT pages_since::text, debit_days, enabled FROM gateway_account") == [
        ("2026-07-01", 3, True)
    ]
    assert console.query(sealed) == before
    refused = send_named(second, path, late, debit_days="9")
    assert refused.status_code == 422
    assert "Somebody else has changed this" in refused.text
    wrong = send_named(cards, path, enabled="y", debit_days="0", debits_since="2026-07-01")
    assert wrong.status_code == 422
    assert "This provider does not do that." in wrong.text
    assert (
        send_named(cards, path, enabled="y", debit_days="3", pages_since="2026-07-01", secret="sk_new").status_code
        == 303
    )
    assert console.query(sealed) != before


def test_trying_it_says_what_stands_in_the_way(console, cards):
    token = hidden(cards.get("/gateways").text, "csrf_token")
    answer = cards.post("/gateways/cards/check", data={"csrf_token": token})
    assert "It does not work" in answer.text
    assert "test_hosts" in answer.text
    assert cards.post("/gateways/none/check", data={"csrf_token": token}).status_code == 404


def test_what_is_due_is_shown_by_day_and_writes_nothing(console, cards):
    assert "No gateway debits by itself" in cards.get("/gateways/due").text
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE gateway_account SET debits_since = '2026-01-01'")
    assert "Nothing is to be debited" in cards.get("/gateways/due?days=7").text
    assert cards.get("/gateways/due?days=8").status_code == 400


def test_events_are_listed_and_those_that_wait_are_looked_into_again_by_who_may(console, cards):
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO gateway_notice (account_id, key, topic, ref, happened, problem, next_at, done_at, outcome)"
            " SELECT a.id, 'evt_' || n, 'charge.' || n, 'ch_' || n, now(), CASE n WHEN 2 THEN 'nobody is known' ELSE '' END, 'infinity',"
            " CASE WHEN n <> 2 THEN now() END, CASE WHEN n <> 2 THEN 'payment recorded' ELSE '' END FROM gateway_account AS a, generate_series(1, 60) AS n"
        )
    page = cards.get("/gateways/events").text
    assert "charge.60" in page
    assert "charge.10<" not in page
    further = re.search(r'href="([^"]*after=[^"]*)"', page)
    assert further
    assert "charge.10<" in cards.get(further.group(1).replace("&amp;", "&")).text
    problems = cards.get("/gateways/events?which=problems").text
    assert ("nobody is known" in problems, "charge.3<" in problems) == (True, False)
    when = "SELECT next_at = 'infinity' FROM gateway_notice WHERE key = 'evt_2'"
    token = hidden(problems, "csrf_token")
    refused = console.client("billing").post("/gateways/events/retry", data={"csrf_token": token, "once_key": "k"})
    assert refused.status_code in (400, 403)
    assert console.query(when) == [(True,)]
    (event,) = console.query("SELECT id FROM gateway_notice WHERE key = 'evt_2'")[0]
    sent = {"csrf_token": token, "once_key": hidden(problems, "once_key"), "event": str(event)}
    assert [cards.post("/gateways/events/retry", data=sent).status_code for _ in range(2)] == [303, 303]
    assert console.query(when) == [(False,)]
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'gateway.retry'") == [(1,)]
    program = Program.of(console)
    assert [one["ref"] for one in program.get("/gateways/events?problems=true").json["data"]] == ["ch_2"]
    assert program.post("/gateways/events/retry", {"event_id": event}).json == {"events": 1, "asked_again": 0}


def test_payouts_say_what_in_them_is_not_known_here(console, cards):
    with db.connect(console.conninfo, name="test", autocommit=True) as connection, connection.transaction():
        line = PayoutLine(LineKind.PAYMENT, Money(10000, "EUR"), Money(300, "EUR"), "pi_unknown")
        payout = Payout("k1", "po_1", Money(9500, "EUR"), date(2026, 7, 1), datetime(2026, 7, 1, tzinfo=UTC), (line,))
        write_payout(connection, 1, payout)
    page = cards.get("/gateways/payouts").text
    assert "pi_unknown" in page
    assert "po_1" in page
    (told,) = Program.of(console, Permission.GATEWAY_SEE).get("/gateways/payouts").json["data"]
    assert (told["unknown"], told["unexplained"]["amount"]) == (["pi_unknown"], "-2.00")


def test_gateways_are_usable_by_everybody(console, address, browser, cards):
    paths = (
        "/gateways",
        "/gateways/new",
        "/gateways/cards/edit",
        "/gateways/due",
        "/gateways/events",
        "/gateways/payouts",
        "/gateways/files",
        "/gateways/cards/reconcile",
    )
    with browser.page(console) as page:
        usable_by_everybody(page, address, paths)


def test_a_provider_is_asked_for_all_that_happened_by_the_worker_and_only_by_who_may(console, cards):
    path = "/gateways/cards/reconcile"
    assert console.client("billing").get(path).status_code == 403
    assert send_named(cards, path, since="2199-01-01").status_code == 422
    assert send_named(cards, path, since="2026-01-05").status_code == 303
    asked = "SELECT asked_to AT TIME ZONE 'Europe/Rome' FROM gateway_account"
    assert console.query(asked) == [(datetime(2026, 1, 5),)]
    assert send_named(cards, path, since="2026-02-01").status_code == 303
    assert console.query(asked) == [(datetime(2026, 1, 5),)], "what was not asked for yet still is"
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'gateway.reconcile'") == [(2,)]
    program = Program.of(console, Permission.GATEWAY_SEE, Permission.GATEWAY_CHANGE)
    told = program.post("/gateways/cards/reconciliation", {"since": "2025-12-01T00:00:00Z"})
    assert (told.status_code, told.json["since"]) == (200, "2025-12-01T00:00:00Z")
    assert program.post("/gateways/nobody/reconciliation", {}).status_code == 404


def test_a_file_is_compared_with_the_books_once_and_what_differs_stays(console, cards):
    assert "No gateway of yours has files" in cards.get("/gateways/files").text
    made = send_named(cards, "/gateways/new", **typed(name="debits", provider="gocardless", unchecked="y"))
    assert made.status_code == 303, made.text
    page = cards.get("/gateways/files").text

    def send(content, key):
        data = {"csrf_token": hidden(page, "csrf_token"), "once_key": key, "account": "debits"}
        data["file"] = (io.BytesIO(content), "payouts.csv")
        return cards.post("/gateways/files", data=data)

    assert send(b"no such file", "f1").status_code == 422
    done = send(FILE, "f2")
    assert done.status_code == 303, done.text
    assert "that nobody has told" in cards.get(done.headers["Location"]).text
    assert send(FILE, "f3").headers["Location"] == done.headers["Location"]
    assert console.query("SELECT count(*) FROM gateway_file") == [(1,)]
    assert "payouts.csv" in console.client("billing").get("/gateways/files").text
    program = Program.of(console, Permission.GATEWAY_SEE)
    (one,) = program.get("/gateways/files").json["data"]
    assert program.get(f"/gateways/files/{one['id']}").json == one
    assert program.post("/gateways/debits/files", {"name": "x", "content": "eA=="}).status_code == 403
    assert cards.get("/gateways/files/99999").status_code == 404
