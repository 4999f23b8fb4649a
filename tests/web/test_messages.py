"""Messages in the console: listed by what is asked, shown with their story, stopped and sent again once, and written to a customer."""

from __future__ import annotations

import csv
import io
import re

import pytest
from support.browser import PHONE, violations
from support.forms import hidden, send_named

from billing.messages.message import NewMessage
from billing.store.message_batches import save_batch
from billing.store.messages import queue
from control_plane import db

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def post(console):
    """Three messages to two customers: one waits, one failed, one was sent; and a letter that nothing here sends by."""
    with db.connect(console.conninfo, name="test") as connection:
        anna, carlo = (row[0] for row in connection.execute("SELECT id FROM customer ORDER BY id LIMIT 2"))
        said = {"subject": "Works on <Monday>", "text": "We work.\n\n- at night"}
        messages = [
            NewMessage(anna, "text", "test 1", said),
            NewMessage(anna, "text", "test 2", said),
            NewMessage(carlo, "text", "test 3", said),
            NewMessage(carlo, "text", "test 4", said, channel="registered_letter"),
        ]
        waits, failed, sent, letter = queue(connection, messages, made_by="maria")
        connection.execute(
            "UPDATE message SET state = 'failed', ended_at = now(), attempts = 3, problem = 'the customer has no e-mail address' WHERE id = %s",
            (failed,),
        )
        connection.execute(
            "UPDATE message SET state = 'sent', handed_at = now(), ended_at = now(), attempts = 1, address = 'carlo@example.com', reference = '<1@isp>',"
            " written_at = now(), subject = 'Works on <Monday>', body = 'We work.', html = '<p style=\"color:red\">We work.</p>' WHERE id = %s",
            (sent,),
        )
        connection.execute(
            "INSERT INTO message_event (message_id, happened, detail, made_by) VALUES (%s, 'sent', '250 taken', 'job')",
            (sent,),
        )
        connection.commit()
    return {"anna": anna, "carlo": carlo, "waits": waits, "failed": failed, "sent": sent, "letter": letter}


def numbers(answer) -> list[int]:
    return [int(one) for one in re.findall(r'<td><a href="/messages/(\d+)">', answer.text)]


def test_the_list_is_asked_by_state_customer_way_address_and_day_and_paged(console, post):
    client = console.client("billing")
    all_of_it = numbers(client.get("/messages"))
    assert all_of_it == sorted(all_of_it, reverse=True)
    assert set(all_of_it) >= {post[one] for one in ("waits", "failed", "sent", "letter")}
    assert numbers(client.get("/messages?sort=number"))[: len(all_of_it)] == sorted(all_of_it)
    assert numbers(client.get("/messages?state=failed")) == [post["failed"]]
    assert numbers(client.get("/messages?channel=registered_letter")) == [post["letter"]]
    assert numbers(client.get(f"/messages?customer={post['anna']}&kind=text")) == [post["failed"], post["waits"]]
    assert numbers(client.get("/messages?q=CARLO@example.com")) == [post["sent"]]
    assert numbers(client.get("/messages?until=2020-01-01")) == []
    assert numbers(client.get("/messages?since=2020-01-01")) == all_of_it
    with client.get("/messages?state=failed&file=csv") as file:
        rows = list(csv.DictReader(io.StringIO(file.text.lstrip("\ufeff"))))
    assert [(row["Number"], row["State"], row["Tries"]) for row in rows] == [(str(post["failed"]), "failed", "3")]
    for wrong in ("state=lost", "customer=x", "since=monday", "after=%21"):
        assert client.get(f"/messages?{wrong}").status_code == 400


def test_a_message_is_shown_with_its_text_its_story_and_as_the_mail_it_is(console, post):
    client = console.client("support")
    page = client.get(f"/messages/{post['sent']}").text
    assert "Works on &lt;Monday&gt;" in page
    assert "250 taken" in page
    mail = client.get(f"/messages/{post['sent']}/mail")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert "default-src 'none'" in mail.headers["Content-Security-Policy"]
    assert 'style="color:red"' in mail.text
    waits = client.get(f"/messages/{post['waits']}").text
    assert "Now it would read:" in waits
    assert "We work." in waits
    assert client.get("/messages/999999").status_code == 404
    assert console.client("collector").get("/messages").status_code == 403


def test_who_may_not_send_neither_stops_nor_writes(console, post):
    client = console.client("reader")
    assert client.get(f"/messages/{post['waits']}").status_code == 200
    for path in (f"/messages/{post['waits']}/stop", f"/messages/new?customer={post['anna']}"):
        assert client.get(path).status_code == 403


def test_what_waits_is_stopped_once_and_sent_again(console, post):
    client, number = console.client("support"), post["waits"]
    late = client.get(f"/messages/{number}/stop").text
    assert send_named(client, f"/messages/{number}/stop").status_code == 422
    assert send_named(client, f"/messages/{number}/stop", reason="wrong day").status_code == 303
    given = {name: hidden(late, name) for name in ("csrf_token", "once_key")}
    again = client.post(f"/messages/{number}/stop", data=given | {"reason": "me too"})
    assert again.status_code == 422
    assert "any more" in again.text
    state = "SELECT state::text, problem FROM message WHERE id = %s"
    assert console.query(state, (number,)) == [("cancelled", "wrong day")]
    assert send_named(client, f"/messages/{number}/again").status_code == 303
    assert console.query(state, (number,)) == [("queued", "")]
    assert console.query(
        "SELECT actor, action FROM audit_log WHERE subject = %s ORDER BY id", (f"message {number}",)
    ) == [
        ("support", "message.cancel"),
        ("support", "message.again"),
    ]


def test_what_was_sent_is_sent_once_more_as_a_copy_and_a_letter_is_noted_as_posted(console, post):
    client = console.client("support")
    page = client.get(f"/messages/{post['sent']}/copy").text
    given = {name: hidden(page, name) for name in ("csrf_token", "once_key")}
    first, second = (client.post(f"/messages/{post['sent']}/copy", data=given) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"] != f"/messages/{post['sent']}"
    assert console.query("SELECT count(*) FROM message WHERE origin LIKE 'copy %%'") == [(1,)]
    assert send_named(client, f"/messages/{post['letter']}/done", note="RR 123").status_code == 303
    assert send_named(client, f"/messages/{post['failed']}/done", note="RR 124").status_code == 422
    assert console.query("SELECT state::text FROM message WHERE id = %s", (post["letter"],)) == [("sent",)]


def test_a_batch_is_stopped_with_its_numbers(console, post):
    with db.connect(console.conninfo, name="test") as connection:
        batch = save_batch(connection, "Works", {"plan": "home"}, made_by="maria")
        both = [NewMessage(post[one], "outage", f"batch {batch}", {}, batch_id=batch) for one in ("anna", "carlo")]
        queue(connection, both, made_by="maria")
        connection.commit()
    client = console.client("support")
    assert "Works" in client.get("/messages/batches").text
    assert "2 messages wait and do not go." in client.get(f"/messages/batches/{batch}/stop").text
    assert send_named(client, f"/messages/batches/{batch}/stop", reason="not needed").status_code == 303
    page = client.get(f"/messages?batch={batch}")
    assert len(numbers(page)) == 2
    assert "2 messages do not go." in page.text
    assert console.query("SELECT cancelled_by FROM message_batch WHERE id = %s", (batch,)) == [("support",)]


def test_a_message_is_written_looked_at_and_queued_once(console, post):
    client, path = console.client("support"), f"/messages/new?customer={post['anna']}"
    count = "SELECT count(*) FROM message WHERE origin LIKE 'by hand %%'"
    typed = {"subject": "Your line", "text": "All is well.", "purpose": "legal"}
    wrong = send_named(client, path, **typed | {"text": "", "document": "9/XX"})
    assert wrong.status_code == 422
    assert "This is needed." in wrong.text
    assert 'value="Your line"' in wrong.text
    assert "There is no document of this number." in send_named(client, path, **typed, document="9/XX").text
    asked = send_named(client, path, **typed)
    assert "Send this message?" in asked.text
    assert "All is well." in asked.text
    assert console.query(count) == [(0,)]
    given = {
        name: hidden(asked.text, name) for name in ("csrf_token", "once_key", "confirmed", "subject", "text", "purpose")
    }
    first, second = client.post(path, data=given), client.post(path, data=given)
    assert first.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert console.query(count) == [(1,)]
    assert "All is well." in client.get(first.headers["Location"]).text
    assert client.get("/messages/new?customer=999999").status_code == 404


def test_messages_are_usable_by_everybody(console, address, browser, post):
    with browser.page(console) as page:
        for path in ("/messages", f"/messages/{post['sent']}", f"/messages/new?customer={post['anna']}"):
            page.goto(address + path)
            assert violations(page) == []
    with browser.page(console, viewport=PHONE) as page:
        for path in ("/messages", f"/messages/{post['sent']}", "/messages/batches"):
            page.goto(address + path)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
