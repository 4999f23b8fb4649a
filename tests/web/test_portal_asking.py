"""What subscribers ask for: time to pay within the policy, a proof that waits for staff, another plan that staff answer."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from support.billing_world import bill
from support.browser import PHONE, violations
from support.console_world import Console

from billing.operations.promising import remind_of_promises
from control_plane import db
from control_plane.access.tokens import digest_of
from control_plane.machine.demo_debts import begin_dunning
from web.acting import PORTAL_COOKIE

pytestmark = pytest.mark.db
_FIELD = re.compile(r'name="(csrf_token|once_key)" value="([^"]*)"')
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def fields(text: str) -> dict[str, str]:
    """What a form of ours sends along."""
    return dict(_FIELD.findall(text))


@pytest.fixture(scope="module", autouse=True)
def owing(console: Console) -> list[int]:
    """Customers whose invoice of July is overdue for long, in an ISP that pursues debts."""
    bill(console.conninfo, date(2026, 7, 1))
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        begin_dunning(connection, 1, datetime.now(UTC))
        found = connection.execute(
            "SELECT o.customer_id FROM open_document AS o JOIN contract AS n ON n.customer_id = o.customer_id"
            " WHERE o.open > 20 AND n.status = 'active' AND n.ends_on IS NULL GROUP BY 1 ORDER BY 1 LIMIT 4"
        ).fetchall()
        connection.commit()
    return [number for (number,) in found]


def enter(console: Console, customer: int):
    """A browser with a session of that customer's, in English."""
    now, token = datetime.now(UTC), f"asking-a-token-that-is-long-enough-{customer}"
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute(
            "INSERT INTO portal_access (customer_id, email) VALUES (%s, 'x@example.net') ON CONFLICT DO NOTHING",
            (customer,),
        )
        connection.execute(
            "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at)"
            " VALUES (%s, %s, decode(repeat('05', 32), 'hex'), %s, %s, %s + interval '1 day') ON CONFLICT DO NOTHING",
            (customer, digest_of(token), now, now, now),
        )
    client = console.app.test_client()
    client.set_cookie(PORTAL_COOKIE, token)
    client.set_cookie("language", "en")
    return client


def promises(console: Console, customer: int):
    return console.query(
        "SELECT p.proof_id, p.made_by, p.asked_by::text FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id WHERE c.customer_id = %s",
        (customer,),
    )


def test_a_promise_is_taken_once_and_no_second_one_beside_it(console, owing):
    client = enter(console, owing[0])
    page = client.get("/portal/promise").text
    assert "You promise to pay" in page
    assert promises(console, owing[0]) == []
    for _ in range(2):
        assert client.post("/portal/promise", data=fields(page)).status_code == 303
    assert promises(console, owing[0]) == [(None, f"customer {owing[0]}", "portal")]
    again = client.get("/portal/promise").text
    assert "You have promised already" in again
    assert client.post("/portal/promise", data={**fields(again), "once_key": "another"}).status_code == 422


def test_who_promised_is_reminded_once_on_the_last_day_and_not_who_sent_a_proof(console, owing):
    client = enter(console, owing[0])
    if not promises(console, owing[0]):
        client.post("/portal/promise", data=fields(client.get("/portal/promise").text))
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        (until,) = connection.execute("SELECT max(until) FROM promise WHERE proof_id IS NULL").fetchone()
        told = [
            remind_of_promises(connection, now=until - before)
            for before in (timedelta(hours=25), timedelta(hours=23), timedelta(hours=1), timedelta(0))
        ]
        assert told == [0, 1, 0, 0]
        kept = connection.execute(
            "SELECT customer_id, expires_at FROM message WHERE template = 'promise_due'"
        ).fetchall()
        assert kept == [(owing[0], until)]
        connection.rollback()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"<svg onload=alert(1)>", "neither a PDF"), (b"%PDF-" + b"x" * 2000, "At most 5 MB")],
    ids=["svg", "large"],
)
def test_a_proof_that_is_none_is_refused_beside_its_field(console, owing, content, words, monkeypatch):
    monkeypatch.setattr("web.portal.asking.MOST_OCTETS", 1000)
    client = enter(console, owing[1])
    sent = fields(client.get("/portal/promise").text) | {"proof": (io.BytesIO(content), "proof.pdf")}
    answer = client.post("/portal/promise", data=sent, content_type="multipart/form-data")
    assert (answer.status_code, words in answer.text) == (422, True)
    assert promises(console, owing[1]) == []


def test_a_proof_waits_for_staff_under_a_name_of_ours(console, owing):
    client = enter(console, owing[1])
    page = fields(client.get("/portal/promise").text)
    for _ in range(2):
        sent = page | {"proof": (io.BytesIO(PNG), "../../etc/passwd.html")}
        assert client.post("/portal/promise", data=sent, content_type="multipart/form-data").status_code == 303
    ((proof, by, _),) = promises(console, owing[1])
    assert by == f"customer {owing[1]}"
    kept = console.query("SELECT name, media_type, content FROM attachment WHERE id = %s", (proof,))
    assert kept == [("proof.png", "image/png", PNG)]


def test_another_plan_is_asked_for_once_and_staff_answer(console, owing):
    client, office = enter(console, owing[2]), console.client("billing")
    contract, plan = console.query(
        "SELECT id, plan_id FROM contract WHERE customer_id = %s AND status = 'active' ORDER BY id LIMIT 1", (owing[2],)
    )[0]
    foreign = console.query("SELECT min(id) FROM contract WHERE customer_id = %s", (owing[3],))[0][0]
    address = f"/portal/contracts/{contract}/plan"
    page = client.get(address).text
    wanted = re.search(r'<option value="(\d+)"', page)[1]
    assert int(wanted) != plan
    assert client.get(f"/portal/contracts/{foreign}/plan").status_code == 404
    assert client.post(address, data={**fields(page), "plan": str(plan)}).status_code == 422
    assert client.post(address, data={**fields(page), "plan": wanted, "note": "more, please"}).status_code == 303
    second = client.post(address, data={**fields(page), "plan": wanted, "once_key": "another"})
    assert (second.status_code, "open already" in second.text) == (422, True)

    listed = office.get("/plan-requests").text
    assert "more, please" in listed
    number = re.search(r"/plan-requests/(\d+)/decline", listed)[1]
    assert console.client("reader").get(f"/plan-requests/{number}/decline").status_code == 403
    sent = fields(office.get(f"/plan-requests/{number}/decline").text) | {"answer": "not at your address yet"}
    assert office.post(f"/plan-requests/{number}/decline", data=sent).status_code == 303
    assert office.post(f"/plan-requests/{number}/accept", data={**sent, "once_key": "another"}).status_code == 409
    assert "not at your address yet" in client.get(address).text
    assert console.query("SELECT plan_id FROM contract WHERE id = %s", (contract,)) == [(plan,)]


def test_these_pages_are_usable_by_everybody(console, address, browser, owing):
    enter(console, owing[3])
    token = f"asking-a-token-that-is-long-enough-{owing[3]}"
    cookie = {"name": PORTAL_COOKIE, "value": token, "domain": "127.0.0.1", "path": "/"}
    (contract,) = console.query(
        "SELECT min(id) FROM contract WHERE customer_id = %s AND status = 'active'", (owing[3],)
    )[0]
    with browser.page(console, "", viewport=PHONE) as page:
        page.context.add_cookies([cookie, {**cookie, "name": "language", "value": "en"}])
        for path in ("/portal/promise", f"/portal/contracts/{contract}/plan"):
            page.goto(f"{address}{path}")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("button", name="Ask for it").click()
        page.get_by_text("We answer soon").wait_for()
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/plan-requests")
        assert violations(page) == []
        page.get_by_role("link", name="Accept").first.click()
        assert violations(page) == []
