"""The first page: figures that are counted once for all who look, live, with a way to what is behind each."""

from __future__ import annotations

import re
from itertools import islice

import pytest
from support.browser import PHONE, violations
from support.console_online import ONLINE, go_online

from control_plane import db
from control_plane.jobs.network_figures import network_figures
from control_plane.settings import load_settings
from control_plane.store.happenings import DEEDS as ACTIONS
from web.staff.network_words import DEEDS

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def online(console):
    return go_online(console)


def test_the_figures_are_those_of_the_network(console, online):
    page = console.client("network operator").get("/home").text
    assert f'<div class="figure-value">{ONLINE}</div>' in page
    # Twenty logins in as many minutes: the one of this minute is not counted yet.
    assert "15 refused" in page or "14 refused" in page
    assert "Wrong password" in page
    assert 'href="/logins?reason=wrong_password"' in page
    assert "Up</span>" in page


def test_a_figure_is_counted_anew_and_not_by_who_looks(console, online):
    before = console.query("SELECT subscribers FROM online_minute ORDER BY at DESC LIMIT 1")
    console.query("UPDATE session SET stale = true WHERE acct_session_id = 's1' RETURNING 1")
    assert console.query("SELECT subscribers FROM online_minute ORDER BY at DESC LIMIT 1") == before
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        network_figures(connection, load_settings(console.settings_file), online)
    assert console.query("SELECT subscribers, stale FROM online_minute ORDER BY at DESC LIMIT 1") == [(ONLINE - 1, 1)]
    console.query("UPDATE session SET stale = false RETURNING 1")


def test_every_deed_that_is_told_has_words():
    assert set(DEEDS) == set(ACTIONS)


def test_old_figures_are_forgotten(console, online):
    console.query("INSERT INTO online_minute VALUES ('2020-01-01T00:00Z', 1, 1, 0) RETURNING at")
    console.query("INSERT INTO login_minute VALUES ('2020-01-01T00:00Z', 'reject', 'blocked', 1) RETURNING at")
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        network_figures(connection, load_settings(console.settings_file), online)
    assert console.query("SELECT at FROM online_minute WHERE at < '2021-01-01'") == []
    assert console.query("SELECT at FROM login_minute WHERE at < '2021-01-01'") == []


def test_each_card_leads_to_a_page_that_is_there(console, online):
    client = console.client()
    page = client.get("/home").text
    leads = set(re.findall(r'class="stretched-link text-reset" href="([^"]+)"', page)) | set(
        re.findall(r'href="(/(?:nases|online|logins)[^"]*)"', page)
    )
    assert len(leads) > 8
    assert {address: client.get(address.replace("&amp;", "&")).status_code for address in leads} == dict.fromkeys(
        leads, 200
    )


def test_a_stop_stands_above_everything(console, online):
    console.query("INSERT INTO network_stop (reason, placed_by) VALUES ('fire at the exchange', 'maria') RETURNING id")
    try:
        page = console.client("reader").get("/home").text
        assert "All changes are stopped" in page
        assert "fire at the exchange" in page
    finally:
        console.query("DELETE FROM network_stop RETURNING id")
    assert "All changes are stopped" not in console.client("reader").get("/home").text


def test_a_silent_nas_is_down_and_comes_first(console, online):
    name = console.query("SELECT name FROM nas ORDER BY name DESC LIMIT 1")[0][0]
    console.query(
        "INSERT INTO nas_silence (nas_id, next_at) SELECT id, now() FROM nas WHERE name = %s RETURNING nas_id", (name,)
    )
    console.query(
        "UPDATE nas_word SET heard_at = now() - interval '2 hours' FROM nas WHERE nas.id = nas_id AND name = %s RETURNING 1",
        (name,),
    )
    try:
        page = console.client("support").get("/home").text
        table = page.partition("Access devices</h2>")[2]
        assert table.index(name) < table.index("Up</span>")
        assert "Down</span>" in table
    finally:
        console.query("DELETE FROM nas_silence RETURNING nas_id")
        console.query("UPDATE nas_word SET heard_at = now() RETURNING 1")


def test_who_does_not_see_the_network_begins_with_the_customers(console):
    assert console.client("billing").get("/").headers["Location"] == "/customers"
    assert console.client("network operator").get("/").headers["Location"] == "/home"


def test_what_is_no_span_is_refused(console):
    assert console.client().get("/home?span=century").status_code == 400
    assert console.client().get("/home/live?span=century").status_code == 400
    assert console.client("collector").get("/home/live").status_code == 403


def test_a_stream_speaks_the_language_of_who_opened_it(console, online):
    client = console.client("support")
    client.set_cookie("language", "es")
    console.query("UPDATE staff SET language = NULL RETURNING id")
    answer = client.get("/home/live", buffered=False)
    told = b""
    for chunk in islice(answer.response, 3):
        told += chunk if isinstance(chunk, bytes) else chunk.encode()
        if b"event: message" in told:
            break
    answer.close()
    assert answer.content_type == "text/event-stream"
    assert "Abonados en línea" in told.decode()


def test_the_chart_moves_by_itself_and_everybody_can_use_the_page(console, address, browser, online):
    with browser.page(console) as page:
        page.goto(f"{address}/home")
        page.wait_for_selector("#online-chart canvas")
        assert violations(page) == []
        last = "JSON.parse(document.getElementById('online-chart-data').textContent).series[0].values.at(-1)"
        console.query(
            "UPDATE online_minute SET subscribers = 7777 WHERE at = (SELECT max(at) FROM online_minute) RETURNING at"
        )
        page.wait_for_selector(".figure-value:text('7,777')")
        assert page.evaluate(last) == 7777
        # One minute more: the chart grows, and what is older than a day goes out of it.
        points = "JSON.parse(document.getElementById('online-chart-data').textContent).x.length"
        before = page.evaluate(points)
        console.query(
            "INSERT INTO online_minute SELECT max(at) + interval '1 minute', 8888, 1, 0 FROM online_minute RETURNING at"
        )
        page.wait_for_selector(".figure-value:text('8,888')")
        assert page.evaluate(points) == before + 1
    with browser.page(console, viewport=PHONE) as page:
        page.goto(f"{address}/home")
        page.wait_for_selector("#online-chart canvas")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
