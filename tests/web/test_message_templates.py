"""Texts of messages in the console: tried while one types, refused with their line, kept in versions by one at a time, and taken back."""

from __future__ import annotations

import html

import pytest
from support.browser import PHONE, violations
from support.forms import hidden, send_named

from billing.messages.message import NewMessage
from billing.money import read_money
from billing.store.messages import queue
from control_plane import db

pytestmark = pytest.mark.db
OVERDUE = "/messages/templates/overdue/en"


def preview(client, path=f"{OVERDUE}/preview", **typed):
    page = client.get(f"{OVERDUE}/edit").text
    token = hidden(page, "csrf_token")
    return html.unescape(client.post(path, data={"csrf_token": token, "subject": "S", **typed}).text)


def test_who_may_only_see_reads_a_text_and_changes_none(console):
    client = console.client("reader")
    assert "payment overdue" in client.get(OVERDUE).text
    assert client.get("/messages/templates").status_code == 200
    assert client.get(f"{OVERDUE}/edit").status_code == 403
    assert console.client("billing").get("/messages/templates/no_such/en").status_code == 404


def test_what_is_typed_is_shown_for_made_up_figures_and_for_a_real_customer(console):
    with db.connect(console.conninfo, name="test") as connection:
        number, name = connection.execute("SELECT id, name FROM customer ORDER BY id LIMIT 1").fetchone()
        told = {"debt": read_money(7, "EUR"), "documents": []}
        queue(connection, [NewMessage(number, "overdue", "case 1", told)], made_by="test")
        connection.commit()
    client = console.client("billing")
    assert "Dear Anna Rossi, €122.00" in preview(client, body="Dear {{ name }}, {{ debt }}")
    shown = preview(client, body="Dear {{ customer.name }}, {{ debt }}", of=str(number))
    assert f"Dear {name}, €7.00" in shown
    assert f"As {name} would get it." in shown
    assert "figures are made up" in preview(client, body="{{ name }}", of="nobody of this name")
    assert console.query("SELECT count(*) FROM message WHERE origin LIKE 'preview %%'") == [(0,)]


def test_an_invoice_s_text_is_shown_for_a_real_document(console):
    path = "/messages/templates/invoice/en/preview"
    client = console.client("billing")
    assert "There is none of this name or number" in preview(client, path, body="{{ number }}", of="77/XX/2020")


@pytest.mark.parametrize(
    ("body", "words", "line"),
    [
        ("Dear\n{{ nobody }}", "There is no nobody here", 2),
        ("Dear\n\n{{ customer.shoe }}", "There is no shoe here", 3),
        ("Dear\n{% if debt %}", "This can't be read", 2),
        ("{{ debt + 1 }}", "A text can't do this: add", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_line_while_one_types_and_when_it_is_saved(console, body, words, line):
    client = console.client("billing")
    shown = preview(client, body=body)
    assert words in shown
    assert f"Line {line}:" in shown
    refused = send_named(client, f"{OVERDUE}/edit", subject="Pay", body=body)
    said = html.unescape(refused.text)
    assert refused.status_code == 422
    assert f"Line {line}: {words}" in said
    assert body in said
    assert console.query("SELECT count(*) FROM message_template") == [(0,)]


def test_a_version_is_kept_once_the_second_of_two_is_told_and_it_is_taken_back(console):
    first, second, path = console.client("billing"), console.client("administrator"), f"{OVERDUE}/edit"
    mine, theirs = first.get(path).text, second.get(path).text
    typed = {"subject": "Pay, {{ name }}", "body": "You owe {{ debt }}."}
    answers = [send_named(first, path, mine, **typed) for _ in range(2)]
    assert [answer.headers.get("Location") for answer in answers] == [OVERDUE, OVERDUE]
    assert console.query("SELECT version, made_by FROM message_template") == [(1, "billing")]
    late = send_named(second, path, theirs, subject="Other", body="Other {{ debt }}")
    assert late.status_code == 422
    assert "You owe {{ debt }}." in html.unescape(late.text)
    assert "Other {{ debt }}" in html.unescape(late.text)

    assert "your version 1" in first.get(OVERDUE).text
    assert send_named(first, f"{OVERDUE}/back").status_code == 303
    assert "payment overdue" in first.get(OVERDUE).text
    assert send_named(first, f"{OVERDUE}/back?to=1").status_code == 303
    assert console.query("SELECT version, subject FROM message_template ORDER BY version") == [
        (1, "Pay, {{ name }}"),
        (2, None),
        (3, "Pay, {{ name }}"),
    ]
    assert first.get(f"{OVERDUE}/back?to=2").status_code == 404
    assert console.query("SELECT action FROM audit_log WHERE action LIKE 'message_template.%%' ORDER BY id") == [
        ("message_template.edit",),
        ("message_template.undo",),
        ("message_template.undo",),
    ]


def test_a_trial_goes_to_oneself_and_says_what_stands_in_its_way(console):
    client = console.client("billing")
    typed = {"subject": "Pay", "body": "You owe {{ debt }}.", "trial": "yes"}
    assert "You have no e-mail address" in send_named(client, f"{OVERDUE}/edit", **typed).text
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE staff SET email = 'billing@isp.example' WHERE name = 'billing'")
    refused = send_named(client, f"{OVERDUE}/edit", **typed)
    assert refused.status_code == 422
    assert "The mail server did not take it" in refused.text
    assert "You owe {{ debt }}." in html.unescape(refused.text)


def test_the_preview_follows_while_one_types_and_is_usable_by_everybody(console, address, browser):
    with browser.page(console) as page:
        page.goto(f"{address}/messages/templates/receipt/it/edit")
        page.get_by_text("I dati sono inventati.").or_(page.get_by_text("Figures are made up.")).wait_for()
        page.locator("#body").fill("Grazie {{ name }}: {{ amount }}")
        page.get_by_text("Grazie Anna Rossi: 61,00").wait_for()
        page.locator("#body").fill("Grazie {{ nome }}")
        page.get_by_text("There is no nome here").wait_for()
        assert violations(page) == []
        for path in ("/messages/templates", OVERDUE):
            page.goto(address + path)
            assert violations(page) == []
    with browser.page(console, viewport=PHONE) as page:
        for path in ("/messages/templates", OVERDUE, f"{OVERDUE}/edit"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert violations(page) == []
