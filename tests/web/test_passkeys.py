"""Passkeys in a real Chromium with its virtual authenticator: added, shown, after the password, copied, removed."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from support.browser import violations
from support.forms import form_of, send
from support.staff_at_work import PASSWORD, enter, hire

from control_plane import db
from control_plane.access.own import Proof
from control_plane.access.passkeys import NotAPasskeyError, Site, add_new, ask_for_new, ask_to_enter
from control_plane.access.passkeys import enter as enter_with
from control_plane.access.signing_in import Came, Refused, SignInReason
from control_plane.store.staff import load_person
from web.acting import COOKIE

pytestmark = pytest.mark.db


@contextmanager
def at(console, address, browser, name):
    """A browser that somebody new has signed in with, its authenticator and the site's address."""
    hire(console, name)
    site = address.replace("127.0.0.1", "localhost")
    with browser.page(console, "") as page:
        debugger = page.context.new_cdp_session(page)
        debugger.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                   "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
        authenticator = debugger.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        client = console.client("")
        enter(client, name)
        session = client.get_cookie(COOKIE).value
        page.context.add_cookies([{"name": COOKIE, "value": session, "domain": "localhost", "path": "/"}])
        yield (
            page,
            lambda command, **given: debugger.send(f"WebAuthn.{command}", {"authenticatorId": authenticator, **given}),
            site,
        )


def add(page, site, name="laptop"):
    page.goto(f"{site}/me/passkeys/new")
    page.get_by_label("Name to tell it by").fill(name)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url(f"{site}/me")


def sign_out(page, site):
    page.get_by_role("button", name="You:").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(f"{site}/sign-in")


def passkeys(console, name):
    return console.query(
        "SELECT k.name, k.sign_count, k.last_used_at IS NOT NULL FROM staff_passkey AS k JOIN staff AS p ON p.id = k.staff_id WHERE p.name = %s",
        (name,),
    )


def test_a_passkey_lets_its_holder_in_without_a_name_or_a_password_until_it_is_removed(console, address, browser):
    with at(console, address, browser, "anna") as (page, _, site):
        page.goto(f"{site}/me/passkeys/new")
        assert violations(page) == []
        add(page, site)
        assert [one[0] for one in passkeys(console, "anna")] == ["laptop"]
        sign_out(page, site)
        assert violations(page) == []
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        page.goto(f"{site}/me")
        assert "anna" in page.locator(".page-header").inner_text()
        assert passkeys(console, "anna")[0][2]
        ((second, detail),) = console.query(
            "SELECT second_factor_at IS NOT NULL, (SELECT detail ->> 'second_factor' FROM audit_log WHERE actor = 'anna' AND action = 'session.begin' ORDER BY id DESC LIMIT 1)"
            " FROM staff_session WHERE staff_id = (SELECT id FROM staff WHERE name = 'anna') ORDER BY id DESC LIMIT 1"
        )
        assert (second, detail) == (True, "passkey")

        page.get_by_role("link", name="Remove the passkey laptop").click()
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Remove the passkey").click()
        page.wait_for_url(f"{site}/me")
        assert passkeys(console, "anna") == []
        sign_out(page, site)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("This passkey is not known here").wait_for()


def test_after_the_password_a_passkey_is_the_second_factor(console, address, browser):
    with at(console, address, browser, "bea") as (page, _, site):
        add(page, site)
        sign_out(page, site)
        page.get_by_label("Name").fill("bea")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("heading", name="Second factor").wait_for()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        assert page.goto(f"{site}/me").ok


def test_alone_it_has_to_be_unlocked(console, address, browser):
    with at(console, address, browser, "ciro") as (page, authenticator, site):
        add(page, site)
        sign_out(page, site)
        authenticator("setUserVerified", isUserVerified=False)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("That did not work, or you stopped it.").wait_for()
        assert page.goto(f"{site}/me").url.startswith(f"{site}/sign-in")


def test_a_copy_that_counts_less_and_an_answer_that_is_sent_again_let_nobody_in(console, address, browser):
    with at(console, address, browser, "dora") as (page, _, site):
        add(page, site)
        sign_out(page, site)
        sent = []
        page.on(
            "request",
            lambda request: sent.append(request.post_data) if request.url.endswith("/sign-in/passkey?back=/") else None,
        )
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        ((_, count, _),) = passkeys(console, "dora")
        assert count > 0
        # The same answer once more, from a browser of somebody who saw it.
        client = console.app.test_client()
        again = dict(parse_qsl(sent[0]))
        again["csrf_token"] = form_of(client.get("/sign-in", base_url=site).text)["csrf_token"]
        answer = client.post("/sign-in/passkey", data=again, base_url=site)
        assert answer.headers["Location"].startswith("/sign-in?")
        # A copy was used meanwhile: ours has counted less than what is known.
        console.query("UPDATE staff_passkey SET sign_count = sign_count + 100 RETURNING id")
        page.goto(f"{site}/me")
        sign_out(page, site)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("This passkey is not known here, or was not unlocked.").wait_for()


def test_what_was_not_asked_for_is_not_kept(console):
    hire(console, "elsa")
    hire(console, "fabio")
    site, now = Site("isp.example", "https://isp.example", "Rete"), datetime.now(UTC)
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        elsa, fabio = (load_person(connection, name) for name in ("elsa", "fabio"))
        asked = ask_for_new(connection, elsa, site=site, now=now)
        given = {"answer": "{}", "name": "x", "site": site, "now": now}
        for person, handle in ((fabio, asked.handle), (elsa, asked.handle), (elsa, "none")):
            with pytest.raises(NotAPasskeyError):
                add_new(connection, Proof(person.id, 0, PASSWORD), person, handle=handle, **given)
        late = ask_for_new(connection, elsa, site=site, now=now - timedelta(minutes=6))
        with pytest.raises(NotAPasskeyError):
            add_new(connection, Proof(elsa.id, 0, PASSWORD), elsa, handle=late.handle, **given)
        for answer in (
            "",
            "{}",
            "null",
            '{"id": 1}',
            json.dumps({"id": "x", "rawId": "x", "type": "public-key", "response": {}}),
        ):
            handle = ask_to_enter(connection, site=site, now=now).handle
            refused = enter_with(connection, handle=handle, answer=answer, site=site, came=Came(None), now=now)
            assert refused == Refused(SignInReason.WRONG_PASSKEY)
            assert enter_with(connection, handle=handle, answer=answer, site=site, came=Came(None), now=now) == Refused(
                SignInReason.STEP_OVER
            )


def test_under_an_ip_address_there_are_none_and_questions_have_a_limit(console):
    client = console.client("")
    assert "Sign in with a passkey" not in client.get("/sign-in", base_url="http://192.0.2.1:8000").text
    assert "Sign in with a passkey" in client.get("/sign-in").text
    token = form_of(client.get("/sign-in").text)["csrf_token"]
    place = {"environ_base": {"REMOTE_ADDR": "192.0.2.77"}}
    answers = [
        client.post("/sign-in/passkey/options", data={"csrf_token": token}, **place).status_code for _ in range(61)
    ]
    assert answers == [200] * 60 + [429]
    assert client.post("/sign-in/passkey/options", data={"csrf_token": token}).status_code == 200


def test_a_name_that_somebody_guesses_at_keeps_nobody_with_a_passkey_out(console, address, browser):
    with at(console, address, browser, "gina") as (page, _, site):
        add(page, site)
        sign_out(page, site)
        for _ in range(6):
            enter(console.client(""), "gina", "wrong", address="192.0.2.80")
        elsewhere = send(console.client(""), "/sign-in", address="192.0.2.81", name="gina", password=PASSWORD)
        assert elsewhere.status_code == 429
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
