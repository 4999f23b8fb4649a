"""Logins: who was refused and why, newest first, and nothing that was not asked for."""

from __future__ import annotations

import re

import pytest
from support.browser import PHONE, violations
from support.console_online import go_online

from web.staff import logins

pytestmark = pytest.mark.db


@pytest.fixture(scope="module", autouse=True)
def online(console):
    return go_online(console)


def names(page):
    return re.findall(r"somebody\d+", page.partition("<tbody>")[2])


def test_the_newest_stands_first_with_its_reason(console):
    page = console.client("support").get("/logins").text
    assert names(page)[:3] == ["somebody1", "somebody2", "somebody3"]
    assert page.count("Wrong password</span>") == 15
    assert page.count("Full service</span>") == 5


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=reject", 15),
        ("reason=full", 5),
        ("username=somebody7", 1),
        ("username=some", 0),
        ("nas=nobody", 0),
        ("span=hour", 20),
    ],
)
def test_only_what_was_asked_for_is_listed(console, query, count):
    assert len(names(console.client().get(f"/logins?{query}").text)) == count


def test_what_is_no_choice_and_who_may_not_are_refused(console):
    assert console.client().get("/logins?reason=bad_luck").status_code == 400
    assert console.client().get("/logins?after=WzEsMl0").status_code == 400
    assert console.client("billing").get("/logins").status_code == 403


def test_pages_follow_each_other_without_a_gap(console, monkeypatch):
    monkeypatch.setattr(logins, "PAGE_ROWS", 7)
    address, found = "/logins?span=hour", []
    while address:
        page = console.client().get(address).text
        found += names(page)
        further = re.search(r'href="([^"]+)" rel="next"', page)
        address = further and further[1].replace("&amp;", "&")
    assert found == [f"somebody{number}" for number in range(1, 21)]


def test_a_file_has_them_all(console):
    with console.client().get("/logins?file=csv&outcome=reject") as answer:
        assert len(answer.text.splitlines()) == 1 + 15


def test_everybody_can_use_it(console, address, browser):
    for options in ({}, {"viewport": PHONE}):
        with browser.page(console, **options) as page:
            page.goto(f"{address}/logins")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
