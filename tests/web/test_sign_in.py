"""Signing in through the pages, with a second factor, a one-time password, and many who guess."""

from __future__ import annotations

import re

import pyotp
import pytest
from support.browser import PHONE, violations
from support.forms import form_of, send
from support.staff_at_work import PASSWORD, SECRET, enter, hire

from web.acting import COOKIE

pytestmark = pytest.mark.db


def test_who_signs_in_is_led_to_where_they_wanted_to_go_and_nowhere_else(console):
    hire(console, "anna")
    client = console.client("")
    answer = enter(client, "Anna", back="/me%3Fx%3D1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/me?x=1")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.get("/me").status_code == 200
    assert enter(console.client(""), "anna", back="//evil.example/").headers["Location"] == "/"


def test_a_wrong_name_and_a_wrong_password_read_the_same(console):
    hire(console, "bruno")
    texts = {
        re.sub(r'value="[^"]*"|[\w-]{22,}', "", enter(console.client(""), *tried).text)
        for tried in (("bruno", "?"), ("nobody", "?"))
    }
    assert len(texts) == 1
    assert "The name or the password is wrong." in texts.pop()


def test_who_guesses_waits_and_is_told_how_long(console):
    hire(console, "carla")
    client = console.client("")
    answers = [enter(client, "carla", "guess", address="192.0.2.9") for _ in range(6)]
    assert [one.status_code for one in answers] == [422] * 5 + [429]
    assert "The next one is looked at in 30 seconds." in answers[4].text
    assert enter(client, "carla", address="192.0.2.10").status_code == 429
    assert COOKIE not in str(client.get("/sign-in").headers)


def test_the_second_factor_is_a_step_of_its_own_that_opens_nothing(console):
    hire(console, "dora", app=True)
    client = console.client("")
    asked = enter(client, "dora", back="/me")
    assert asked.status_code == 200
    assert client.get_cookie(COOKIE) is None
    form = form_of(asked.text)
    assert client.post("/sign-in/second", data={**form, "code": "000000"}).status_code == 422
    code = pyotp.TOTP(SECRET).now()
    answer = client.post("/sign-in/second?back=/me", data={**form, "code": code})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/me")
    # The step is used, and so is the code.
    other = console.client("")
    form |= {"csrf_token": form_of(other.get("/sign-in").text)["csrf_token"], "code": code}
    assert other.post("/sign-in/second", data=form).headers["Location"].startswith("/sign-in")


def test_a_one_time_password_leads_to_a_password_of_one_s_own_and_nowhere_else(console):
    once = hire(console, "elena", once=True)
    client = console.client("")
    enter(client, "elena", once)
    for path in ("/", "/me", "/home"):
        assert client.get(path).headers["Location"] == "/sign-in/new-password"
    assert send(client, "/sign-in/new-password", new=PASSWORD, again="another").status_code == 422
    assert (
        "is among the first" in send(client, "/sign-in/new-password", new="Password2026!", again="Password2026!").text
    )
    assert "the one you have" in send(client, "/sign-in/new-password", new=once, again=once).text
    assert send(client, "/sign-in/new-password", new=PASSWORD, again=PASSWORD).headers["Location"] == "/"
    assert client.get("/me").status_code == 200
    assert client.get("/sign-in/new-password").headers["Location"] == "/me/password"


def lead_to_a_factor(console, name, *, second_factor):
    """A role of that person's alone that demands a second factor, or does not."""
    boss = console.client()
    fields = {"granted": ["staff.see"], "needs_second_factor": "y" if second_factor else None}
    if boss.get(f"/roles/of/only {name}").status_code == 404:
        assert send(boss, "/roles/new", name=f"only {name}", **fields).status_code == 303
        hire(console, name, role=f"only {name}")
    else:
        assert send(boss, f"/roles/of/only {name}", **fields).status_code == 303


def test_a_role_that_demands_a_second_factor_leads_to_making_one_and_nowhere_else(console):
    lead_to_a_factor(console, "ilaria", second_factor=False)
    client, boss = console.client(""), console.client()
    enter(client, "ilaria")
    assert client.get("/staff").status_code == 200
    # From the next click on, whoever was in before.
    lead_to_a_factor(console, "ilaria", second_factor=True)
    for path in ("/", "/me", "/staff", "/me/tokens/new", "/me/recovery-codes", "/me/password"):
        assert client.get(path).headers["Location"] == "/sign-in/second-factor", path
    part = client.get("/staff", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/sign-in/second-factor")
    token = form_of(client.get("/me/app").text)["csrf_token"]
    assert client.post("/me/password", data={"csrf_token": token}).headers["Location"] == "/sign-in/second-factor"
    assert "Your role only ilaria demands a second factor" in client.get("/sign-in/second-factor").text
    for path in ("/staff", "/staff/people/ilaria", "/roles/of/only ilaria"):
        assert re.search("demanded, and none yet|Has no second factor yet|no second factor yet", boss.get(path).text), (
            path
        )

    page = form_of(client.get("/me/app").text)
    app = pyotp.TOTP(page["secret"])
    assert client.post("/me/app", data={**page, "code": app.now(), "password": PASSWORD}).headers["Location"] == "/me"
    assert client.get("/staff").status_code == 200
    assert client.get("/sign-in/second-factor").headers["Location"] == "/"
    assert "a new one at your next click" in client.get("/me/app/end").text
    assert "no second factor yet" not in boss.get("/roles/of/only ilaria").text


def test_who_has_a_one_time_password_chooses_their_own_before_the_second_factor(console):
    lead_to_a_factor(console, "irma", second_factor=True)
    once = hire(console, "ivo", once=True, role="only irma")
    client = console.client("")
    enter(client, "ivo", once)
    assert client.get("/me/app").headers["Location"] == "/sign-in/new-password"
    send(client, "/sign-in/new-password", new=PASSWORD, again=PASSWORD)
    assert client.get("/me").headers["Location"] == "/sign-in/second-factor"


def test_the_last_administrator_demands_no_second_factor_that_they_have_not(console):
    refused = send(console.client(), "/roles/of/administrator", needs_second_factor="y")
    assert refused.status_code == 422
    assert "Add yours first" in refused.text
    assert console.query("SELECT needs_second_factor FROM staff_role WHERE name = 'administrator'") == [(False,)]


def test_who_signs_out_is_out_with_the_cookie_that_was_kept_too(console):
    hire(console, "fabio")
    client = console.client("")
    enter(client, "fabio")
    kept = client.get_cookie(COOKIE).value
    token = form_of(client.get("/me").text)["csrf_token"]
    assert client.post("/sign-out").status_code == 400
    assert client.post("/sign-out", data={"csrf_token": token}).headers["Location"] == "/sign-in"
    client.set_cookie(COOKIE, kept)
    assert client.get("/me").headers["Location"].startswith("/sign-in")


def test_who_is_let_in_is_not_the_session_that_somebody_put_there(console):
    hire(console, "gina")
    client = console.client("")
    client.set_cookie(COOKIE, "x" * 43)
    enter(client, "gina")
    assert client.get_cookie(COOKIE).value != "x" * 43


def test_who_signs_in_again_in_the_same_browser_leaves_no_session_behind(console):
    for name in ("gino", "giulio"):
        hire(console, name)
    client = console.client("")
    enter(client, "gino")
    first = client.get_cookie(COOKIE).value
    enter(client, "giulio")
    assert client.get("/me").status_code == 200
    again = console.client("")
    again.set_cookie(COOKIE, first)
    assert again.get("/me").headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": PHONE}], ids=["light", "dark", "phone"])
def test_signing_in_with_a_browser(console, address, browser, options):
    name = f"h{len(options)}{'d' if 'color_scheme' in options else ''}"
    hire(console, name, app=True)
    with browser.page(console, "", **options) as page:
        page.goto(f"{address}/me")
        assert violations(page) == []
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/sign-in?back=/me")
        assert violations(page) == []
        page.get_by_label("Code").fill(pyotp.TOTP(SECRET).now())
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url(f"{address}/me")
        assert page.title() == "Your account · Corrente"
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_making_the_demanded_factor_with_a_browser(console, address, browser):
    lead_to_a_factor(console, "lara", second_factor=True)
    with browser.page(console, "", viewport=PHONE) as page:
        page.goto(f"{address}/staff")
        page.get_by_label("Name").fill("lara")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/sign-in/second-factor")
        assert violations(page) == []
        page.get_by_role("link", name="Add an app").click()
        secret = page.locator(".copyable code").inner_text()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Add the app").click()
        page.wait_for_url(f"{address}/me")
