"""The frame of the console: what every page carries, who may see which, and what is said when something is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from support.browser import PHONE, violations

from web.language import day_shown
from web.marks import mark_of

pytestmark = pytest.mark.db


def test_every_view_is_marked(console):
    unmarked = [
        rule.endpoint
        for rule in console.app.url_map.iter_rules()
        if mark_of(console.app.view_functions[rule.endpoint]) is None
    ]
    assert unmarked == []


def test_who_has_not_signed_in_is_led_to_sign_in_and_back(console):
    answer = console.client("").get("/home?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?back=/home?x%3D1")


def test_what_somebody_is_not_granted_is_refused(console):
    assert console.client("administrator").get("/home").status_code == 200
    answer = console.client("collector").get("/home")
    assert answer.status_code == 403
    assert "Not for you" in answer.text


def test_a_form_of_another_site_does_nothing(console):
    client = console.client("administrator")
    answer = client.post("/look", data={"language": "it"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    assert client.post("/look", data={"language": "it", "csrf_token": "guessed"}).status_code == 400


def test_the_language_is_switched_and_a_page_leads_nowhere_else(console):
    client = console.client("administrator")
    token = client.get("/home").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/look", data={"language": "it", "csrf_token": token, "back": "//evil.example/x"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Inizio" in client.get("/home").text


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": PHONE}], ids=["light", "dark", "phone"])
def test_the_frame_is_usable_by_everybody(console, address, browser, options):
    with browser.page(console, **options) as page:
        page.goto(f"{address}/home")
        assert page.title() == "Home · Corrente"
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_by_keyboard_one_reaches_the_content_and_the_search(console, address, browser):
    with browser.page(console) as page:
        page.goto(f"{address}/home")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"


def test_the_day_of_a_moment_is_the_operator_s(console):
    with console.app.test_request_context():
        assert day_shown(datetime(2026, 6, 1, 22, 30, tzinfo=UTC)) == day_shown(date(2026, 6, 2))
        assert day_shown(datetime(2026, 6, 1, 21, 30, tzinfo=UTC)) == day_shown(date(2026, 6, 1))
