"""Price changes and promotions by the worker: once however often confirmed, whole after a death in the middle, and how far it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from support.asked_catalogue import work
from support.browser import violations
from support.console_world import Console

from billing.store.catalogue_requests import Act, ask_for, hold_request
from control_plane import db
from control_plane.jobs import asked_catalogue

pytestmark = pytest.mark.db
_DEATH = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$;
CREATE TRIGGER die BEFORE UPDATE OF through ON catalogue_request FOR EACH ROW WHEN (NEW.contracts > 10) EXECUTE FUNCTION die()
"""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_catalogue, "BATCH", 4)


@contextmanager
def death_after_ten(console: Console) -> Iterator[None]:
    """The worker dies before a batch is committed with which more than ten contracts would be done."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(_DEATH)
        yield
        connection.execute("DROP TRIGGER die ON catalogue_request; DROP FUNCTION die()")


def product(console: Console) -> tuple[int, str]:
    (row,) = console.query(
        "SELECT p.id, p.name FROM product AS p JOIN contract_item AS i ON i.product_id = p.id WHERE p.kind = 'plan' AND i.ends_on IS NULL GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1"
    )
    return row


def asked(console: Console, day: str, **change: Any) -> int:
    number, name = product(console)
    what = {"name": name, "product": number, "to": None, "percent": "10", "currency": None, "includes_tax": False}
    with db.connect(console.conninfo, name="test") as connection:
        return ask_for(connection, Act.PRICE_CHANGE, {**what, "from": day, **change}, by="maria")


def state(console: Console, number: int) -> tuple[Any, ...]:
    (row,) = console.query(
        "SELECT contracts, of_contracts, changed, ended_at IS NOT NULL, problem FROM catalogue_request WHERE id = %s",
        (number,),
    )
    return row


def new_prices(console: Console, day: str) -> int:
    return console.query(
        "SELECT count(*) FROM contract_event WHERE event = 'price_change' AND effective_on >= %s", (day,)
    )[0][0]


def test_killed_in_the_middle_it_goes_on_and_nobody_gets_it_twice(console):
    number = asked(console, "2098-01-01")
    with death_after_ten(console), pytest.raises(psycopg.errors.RaiseException, match="killed"):
        work(console)
    done, of, changed, ended, _ = state(console, number)
    assert (done, ended, new_prices(console, "2098-01-01")) == (8, False, changed)
    assert of > 12, "there is somebody left"
    client = console.client("billing")
    assert f"8 of {of} contracts" in client.get(f"/catalogue-requests/{number}").text
    work(console)
    done, of_then, changed, ended, problem = state(console, number)
    assert (done, of_then, ended, problem) == (of, of, True, "")
    assert new_prices(console, "2098-01-01") == changed > 8
    assert console.query(
        "SELECT count(*) FROM audit_log WHERE action = 'price.change' AND actor = 'maria' AND (detail ->> 'request')::bigint = %s",
        (number,),
    ) == [(1,)]
    again = asked(console, "2098-01-01")
    work(console)
    assert (again != number, state(console, again)[2], new_prices(console, "2098-01-01")) == (True, 0, changed)


def test_asked_for_again_while_it_waits_it_is_one(console):
    first = asked(console, "2097-01-01")
    assert asked(console, "2097-01-01") == first
    assert asked(console, "2097-01-01", percent="11") != first
    with db.connect(console.conninfo, name="test") as connection:
        assert hold_request(connection, first, through=7) is None, "who is not as far is not the one that goes on"
        assert hold_request(connection, first, through=0) is not None
    work(console)
    with db.connect(console.conninfo, name="test") as connection:
        (through,) = console.query("SELECT through FROM catalogue_request WHERE id = %s", (first,))[0]
        assert hold_request(connection, first, through=through) is None, "it has ended"


def test_what_cant_be_done_any_more_is_told_where_it_was_asked(console, address, browser):
    before = new_prices(console, "2026-01-01")
    number = asked(console, "2026-01-01")
    page = f"/catalogue-requests/{number}"
    assert "Waits for the worker" in console.client("billing").get(page).text
    work(console)
    assert "too soon" in state(console, number)[4]
    assert new_prices(console, "2026-01-01") == before
    text = console.client("reader").get(page).text
    assert "Not all of it could be done" in text
    assert "too soon" in text
    assert console.client("network operator").get(page).status_code == 403
    assert console.client("billing").get("/catalogue-requests/9999").status_code == 404
    with browser.page(console, "billing") as shown:
        shown.goto(f"{address}{page}")
        assert violations(shown) == []
