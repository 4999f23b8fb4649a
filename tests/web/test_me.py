"""One's own page: language, password, second factors, sessions and tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pyotp
import pytest
from support.browser import PHONE, violations
from support.forms import form_of, send, told_once
from support.staff_at_work import PASSWORD, enter, hire

from control_plane import db
from control_plane.access.permissions import Permission
from control_plane.store.staff_sessions import token_for
from web.acting import COOKIE

pytestmark = pytest.mark.db


def at_work(console, name, **more):
    """A client that somebody new has signed in with."""
    hire(console, name, **more)
    client = console.client("")
    assert enter(client, name).status_code == 303
    return client


def staff(console, name, columns):
    (row,) = console.query(f"SELECT {columns} FROM staff WHERE name = %s", (name,))
    return row


def test_language_and_look_are_kept_and_hold_in_every_browser(console):
    client = at_work(console, "anna")
    send(client, "/me", to="/me/look", language="it", theme="dark")
    assert staff(console, "anna", "language::text, theme") == ("it", "dark")
    other = console.client("")
    enter(other, "anna")
    page = other.get("/me").text
    assert 'lang="it"' in page
    assert 'data-theme="dark"' in page
    # The switch above each page changes what was chosen, too.
    send(other, "/me", to="/look", language="es")
    assert staff(console, "anna", "language::text") == ("es",)
    assert send(client, "/me", to="/me/look", language="xx", theme="dark").status_code == 422


def test_another_password_needs_the_one_there_is_and_ends_the_other_sessions(console):
    client, other = at_work(console, "bea"), console.client("")
    enter(other, "bea")
    new = "eleven green bottles"
    wrong = send(client, "/me/password", password="?", new=new, again=new)
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    assert (
        "Not your own name."
        in send(client, "/me/password", password=PASSWORD, new="bea-bea-2026", again="bea-bea-2026").text
    )
    console.query(
        "INSERT INTO api_token (staff_id, name, digest, prefix, permissions, made_by, created_at)"
        " SELECT id, 'script', sha256('bea'), 'corr_bea', ARRAY['customer.see'], 'test', now() FROM staff WHERE name = 'bea' RETURNING id"
    )
    assert send(client, "/me/password", password=PASSWORD, new=new, again=new).status_code == 303
    assert "1 token for programs still works: revoke it below" in client.get("/me").text
    assert other.get("/me").status_code == 303
    assert enter(console.client(""), "bea").status_code == 422
    assert enter(console.client(""), "bea", new).status_code == 303


def test_guesses_of_the_password_count_though_nothing_else_is_written(console):
    client = at_work(console, "ciro")
    for _ in range(10):
        send(client, "/me/password", password="?", new="eleven green bottles", again="eleven green bottles")
    text = send(
        client, "/me/password", password=PASSWORD, new="eleven green bottles", again="eleven green bottles"
    ).text
    assert "Too many tries have failed. Try again in an hour." in text


def test_an_app_is_added_when_it_shows_a_code_and_recovery_codes_are_shown_once(console):
    client = at_work(console, "dino")
    assert send(client, "/me/recovery-codes", password=PASSWORD).status_code == 422
    page = client.get("/me/app").text
    form = form_of(page)
    app = pyotp.TOTP(form["secret"])
    assert "<svg" in page
    assert staff(console, "dino", "sealed_totp") == (None,)
    wrong = client.post("/me/app", data={**form, "code": "000000", "password": PASSWORD})
    assert "not the code that the app shows" in wrong.text
    assert form_of(wrong.text)["secret"] == form["secret"]
    for secret in ("", "x", "é" * 32, "A" * 5000):
        odd = client.post("/me/app", data={**form, "secret": secret, "code": "000000", "password": PASSWORD})
        assert (odd.status_code, len(form_of(odd.text)["secret"])) == (422, 32)
    assert client.post("/me/app", data={**form, "code": app.now(), "password": "?"}).status_code == 422
    assert client.post("/me/app", data={**form, "code": app.now(), "password": PASSWORD}).status_code == 303
    assert form["secret"].encode() not in staff(console, "dino", "sealed_totp")[0]

    codes = told_once(client, send(client, "/me/recovery-codes", password=PASSWORD))
    assert len(set(codes)) == 10
    assert codes[0] not in client.get("/me").text
    other = console.client("")
    second = form_of(enter(other, "dino").text)
    assert other.post("/sign-in/second", data={**second, "code": codes[0]}).status_code == 303

    assert send(client, "/me/app/end", password="?").status_code == 422
    assert send(client, "/me/app/end", password=PASSWORD).status_code == 303
    assert enter(console.client(""), "dino").status_code == 303


def test_sessions_are_ended_one_by_one_or_all_others_and_nobody_else_s(console):
    client, second, third, stranger = at_work(console, "elsa"), *(console.client("") for _ in range(3))
    hire(console, "flavio")
    for other in (second, third):
        enter(other, "elsa")
    enter(stranger, "flavio")
    (foreign,) = console.query(
        "SELECT s.id FROM staff_session AS s JOIN staff AS p ON p.id = s.staff_id WHERE p.name = 'flavio'"
    )
    mine = sorted(int(number) for number in re.findall(r"/me/sessions/(\d+)/end", client.get("/me").text))
    assert len(mine) == 2
    send(client, "/me", to=f"/me/sessions/{foreign[0]}/end")
    assert stranger.get("/me").status_code == 200
    send(client, "/me", to=f"/me/sessions/{mine[0]}/end")
    assert [one.get("/me").status_code for one in (client, second, third)] == [200, 303, 200]
    send(client, "/me", to="/me/sessions/end-others")
    assert [one.get("/me").status_code for one in (client, third)] == [200, 303]


def test_a_token_is_shown_once_and_may_what_was_ticked(console):
    client = at_work(console, "gino")
    assert send(client, "/me/tokens/new", name="shop", days="90").status_code == 422
    # Who sends what was not offered gets nothing.
    assert send(client, "/me/tokens/new", name="shop", days="90", granted=["staff.change"]).status_code == 422
    made = send(client, "/me/tokens/new", name="shop", days="90", granted=["customer.see"])
    (token,) = told_once(client, made)
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test") as connection:
        assert token_for(connection, token, now=now).staff.permissions == {Permission.CUSTOMER_SEE}
    overview = client.get("/me").text
    assert token not in overview
    (number,) = re.findall(r"/me/tokens/(\d+)/revoke", overview)
    stranger = at_work(console, "hugo")
    assert send(stranger, "/me", to=f"/me/tokens/{number}/revoke").status_code == 404
    assert send(client, "/me", to=f"/me/tokens/{number}/revoke").status_code == 303
    with db.connect(console.conninfo, name="test") as connection:
        assert token_for(connection, token, now=now) is None


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}], ids=["wide", "phone"])
def test_the_page_is_usable_by_everybody(console, address, browser, options):
    client = at_work(console, f"ida{len(options)}", app=False)
    with browser.page(console, "", **options) as page:
        session = client.get_cookie(COOKIE).value
        page.context.add_cookies([{"name": COOKIE, "value": session, "domain": "127.0.0.1", "path": "/"}])
        for path in ("/me", "/me/password", "/me/app", "/me/tokens/new"):
            page.goto(address + path)
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        page.goto(f"{address}/me/app")
        secret = page.locator(".copyable code").inner_text()
        page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Add the app").click()
        page.get_by_role("link", name="Make recovery codes").click()
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Make recovery codes").click()
        box = page.locator(".told-once")
        box.locator("li").nth(9).wait_for()
        assert box.locator("li").count() == 10
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        box.get_by_role("button", name="Copy").click()
        page.wait_for_function("() => navigator.clipboard.readText().then((text) => text.split('\\n').length === 10)")
        box.get_by_role("button", name="I have it").click()
        box.wait_for(state="detached")
