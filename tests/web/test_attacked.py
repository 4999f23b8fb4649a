"""What somebody sends who means harm: each was a hole once."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from web import live
from web.lists import mark_of

pytestmark = pytest.mark.db
# Pages of lists, each with another key: a text, a moment and a number, a number.
LISTS = ("/accounts", "/audit", "/payments", "/customers", "/documents", "/online", "/bank")
KEYS = ([1, "x"], ["a"], [None, None], [], [True, 1], [2**70, "x"])


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("path", LISTS)
def test_a_list_begins_behind_no_row_but_one_that_it_named_itself(console, path):
    client = console.client("administrator")
    forged = [*(mark_of(key) for key in KEYS), encoded('[{"n":"abc"}]'), encoded("[" * 1400), "é", "."]
    refused = {(mark, client.get(path, query_string={"after": mark}).status_code) for mark in forged}
    assert refused == {(mark, 400) for mark in forged}
    assert client.get(path).status_code == 200


def test_where_a_list_goes_on_is_of_that_list_and_question_alone(console):
    client = console.client("administrator")
    further = re.search(r'href="(/accounts\?after=[^"]+)"', client.get("/accounts").text)
    assert further is not None
    mark = further[1].partition("=")[2]
    assert client.get(further[1]).status_code == 200
    assert client.get(f"/accounts?sort=created&after={mark}").status_code == 400
    assert client.get(f"/customers?after={mark}").status_code == 400


@pytest.mark.parametrize("name", ["endpoint", "_scheme", "_external", "_anchor", "_method", "username"])
def test_a_question_that_is_called_as_a_part_of_an_address_leads_nowhere_else(console, name):
    page = console.client("administrator").get("/accounts", query_string={name: "javascript"})
    assert page.status_code == 200
    assert f'href="/accounts?{name}=javascript&amp;' in page.text


def test_a_part_of_the_interfaces_list_is_refused_that_is_none(console):
    client = console.client("")
    token = "corr_attacked"
    console.query(
        "INSERT INTO api_token (staff_id, name, digest, prefix, permissions, made_by, created_at)"
        " SELECT id, 'attack', %s, 'corr_attack', ARRAY['customer.see'], 'test', now() FROM staff WHERE name = 'admin' RETURNING id",
        (hashlib.sha256(token.encode()).digest(),),
    )
    for forged in (mark_of([True]), encoded('[{"n":"abc"}]'), encoded("[" * 290)):
        answer = client.get(f"/api/v1/customers?after={forged}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 404, forged


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE staff_session SET ended_at = now(), ended_why = 'revoked' WHERE digest = %s RETURNING id",
        "DELETE FROM staff_has_role WHERE staff_id = (SELECT staff_id FROM staff_session WHERE digest = %s) RETURNING 1",
    ],
    ids=["the session", "the permission"],
)
def test_a_live_page_tells_nothing_more_once_what_let_it_in_has_ended(console, how, monkeypatch):
    role = {"U": "reader", "D": "support"}[how[0]]
    monkeypatch.setattr(live, "_SILENCE_S", 0.1)
    monkeypatch.setattr(live, "_ASK_S", 0.0)
    with console.client(role).get("/home/live") as answer:
        told = answer.iter_encoded()
        assert any(part.startswith(b"event:") for part in told)
        console.query(how, (hashlib.sha256(console.tokens[role].encode()).digest(),))
        assert list(told) == []
