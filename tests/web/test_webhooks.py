"""Webhooks in the console: added with a secret that is shown once, changed by one at a time, and what was sent looked at and sent again."""

from __future__ import annotations

import pytest
from support.browser import usable_by_everybody
from support.forms import hidden, send_named, told_once

from control_plane import db

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def shop(console):
    """A webhook `shop` with a delivery that was given up."""
    client = console.client("administrator")
    answer = send_named(
        client, "/webhooks/new", name="shop", url="https://shop.example/in", events=["payment.recorded"]
    )
    (secret,) = told_once(client, answer)
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO webhook_delivery (endpoint_id, event_id, event, body, state, attempts, problem, ended_at, began_at)"
            " SELECT id, 'evt_1', 'payment.recorded', '{\"type\": \"payment.recorded\"}', 'parked', 3, 'answered 500', now(), now() FROM webhook_endpoint WHERE name = 'shop'"
        )
    return secret


def test_the_secret_is_shown_once_and_kept_sealed(console, shop):
    (sealed,) = console.query("SELECT sealed_secret FROM webhook_endpoint WHERE name = 'shop'")
    assert shop.encode() not in bytes(sealed[0])
    assert shop not in console.client("administrator").get("/webhooks").text
    assert console.query("SELECT actor, origin::text FROM audit_log WHERE action = 'webhook.add'") == [
        ("admin", "screen")
    ]


def test_who_may_only_see_changes_nothing(console, shop):
    assert console.client("support").get("/webhooks").status_code == 403
    assert console.query("SELECT count(*) FROM webhook_endpoint") == [(1,)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "shop", "url": "https://other.example/", "events": ["*"]}, "There is one of this name already."),
        (
            {"name": "a b", "url": "https://other.example/", "events": ["*"]},
            "Up to 64 letters, digits, dots and dashes.",
        ),
        ({"name": "inside", "url": "http://127.0.0.1/x", "events": ["*"]}, "127.0.0.1"),
        ({"name": "none", "url": "https://other.example/"}, "This is needed."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(console, shop, fields, words):
    answer = send_named(console.client("administrator"), "/webhooks/new", **fields)
    assert answer.status_code == 422
    assert words in answer.text.replace("&#39;", "'")
    assert f'value="{fields["url"]}"' in answer.text
    assert console.query("SELECT count(*) FROM webhook_endpoint") == [(1,)]


def test_of_two_who_edit_the_second_is_told_what_the_first_one_changed(console, shop):
    first, second = console.client("administrator"), console.client("administrator")
    page = second.get("/webhooks/shop/edit").text
    assert (
        send_named(
            first, "/webhooks/shop/edit", name="shop", url="https://shop.example/first", events=["*"]
        ).status_code
        == 303
    )

    given = {name: hidden(page, name) for name in ("csrf_token", "once_key", "seen")}
    late = second.post(
        "/webhooks/shop/edit", data=given | {"name": "shop", "url": "https://shop.example/second", "events": ["*"]}
    )

    assert late.status_code == 422
    assert "Somebody else has changed this" in late.text
    assert "https://shop.example/first" in late.text
    assert console.query("SELECT url FROM webhook_endpoint WHERE name = 'shop'") == [("https://shop.example/first",)]


def test_what_was_given_up_is_sent_again_once_by_a_double_click(console, shop):
    client = console.client("administrator")
    page = client.get("/webhooks/shop/replay").text
    assert "1 delivery was given up." in page
    given = {name: hidden(page, name) for name in ("csrf_token", "once_key")}
    answers = [client.post("/webhooks/shop/replay", data=given) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'webhook.replay'") == [(1,)]
    assert console.query("SELECT state::text FROM webhook_delivery") == [("waiting",)]


def test_the_pages_are_usable_by_everybody(console, shop, address, browser):
    (number,) = console.query("SELECT id FROM webhook_delivery")[0]
    paths = (
        "/webhooks",
        f"/webhooks/deliveries/{number}",
        "/webhooks/deliveries",
        "/webhooks/new",
        "/webhooks/shop/off",
    )
    with browser.page(console) as page:
        usable_by_everybody(page, address, paths)
