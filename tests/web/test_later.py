"""Pages that look at everybody: whole at once in a small house, a frame that fetches them in a large one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.browser import Browser, violations
from support.console_world import Console

from control_plane import db

LATER = {"/drift": "session", "/guard/forecast": "session", "/ledger": "posting", "/dunning/tonight": "open_document"}
_STYLES = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
WAITS = "This looks at everybody, which takes some seconds."


def known_as(console: Console, table: str, rows: int) -> None:
    """So many rows are in it, as far as PostgreSQL's statistics go."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE pg_class SET reltuples = %s WHERE relname = %s", (rows, table))


@pytest.fixture
def large(console: Console) -> Iterator[None]:
    """A house with a million of everything."""
    for table in set(LATER.values()):
        known_as(console, table, 1_000_000)
    yield
    for table in set(LATER.values()):
        known_as(console, table, 10)


@pytest.mark.parametrize("path", LATER)
def test_in_a_small_house_the_page_is_whole(console: Console, path: str) -> None:
    answer = console.client().get(path)
    assert answer.status_code == 200
    assert WAITS not in answer.text


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", LATER)
def test_in_a_large_one_the_frame_is_there_at_once_and_what_it_fetches_is_the_page(console: Console, path: str) -> None:
    client = console.client()
    frame = client.get(path)
    assert frame.status_code == 200
    assert WAITS in frame.text
    assert f'hx-get="{path}"' in frame.text
    assert WAITS not in client.get(path, headers={"HX-Request": "true"}).text
    assert f'href="{path}?at_once=yes"' in frame.text, "without scripts"
    whole = client.get(f"{path}?at_once=yes").text
    assert WAITS not in whole
    # What is fetched comes without a head: its styles have to be there with the frame.
    assert set(_STYLES.findall(whole)) <= set(_STYLES.findall(frame.text))


@pytest.mark.usefixtures("large")
def test_who_may_not_see_the_page_gets_no_frame_of_it(console: Console) -> None:
    assert console.client("collector").get("/drift").status_code == 403


@pytest.mark.usefixtures("large")
def test_a_browser_puts_the_page_where_its_frame_was(console: Console, address: str, browser: Browser) -> None:
    with browser.page(console) as page:
        page.goto(f"{address}/drift?user=nobody")
        page.get_by_label("Username").wait_for()
        assert page.get_by_text(WAITS).count() == 0
        assert page.title().startswith("Drift")
        assert page.get_by_label("Username").input_value() == "nobody", "what was asked for is asked for still"
        assert violations(page) == []
