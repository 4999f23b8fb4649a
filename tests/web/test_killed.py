"""The web process is killed while money is written, and the browser sends again: it is done once, whenever that was."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode, urlsplit

import pytest
from support.billed_console import hidden
from support.console_world import running
from support.edge_process import wait_until
from support.ports import free_port

from control_plane import db
from web.acting import COOKIE

pytestmark = pytest.mark.db
DEADLINE_S = 120
REFERENCE = "slip 31"


def begin(console, address, path, form=None):
    """A request that is sent, whose answer nobody has read yet."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    headers = {"Cookie": f"{COOKIE}={console.tokens['billing']}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("GET" if form is None else "POST", path, None if form is None else urlencode(form), headers)
    return connection


def answered(console, address, path, form=None):
    connection = begin(console, address, path, form)
    answer = connection.getresponse()
    said = answer.status, answer.headers.get("Location"), answer.read().decode()
    connection.close()
    return said


def paid(console):
    return console.query("SELECT id FROM payment WHERE note = %s", (REFERENCE,))


def test_a_payment_is_recorded_once_whether_the_process_was_killed_before_its_commit_or_between_that_and_the_answer(
    console,
):
    ((customer, day),) = console.query("SELECT min(id), (now() AT TIME ZONE 'Europe/Rome')::date::text FROM customer")
    port = free_port()
    with running(console, port=port) as (address, kill):
        _, _, page = answered(console, address, "/payments/new")
        form = {
            **hidden(page),
            "customer_id": customer,
            "amount": "12",
            "method": "cash",
            "day": day,
            "note": REFERENCE,
        }
        # Somebody else holds the table, so that the payment is not written yet when its process dies.
        with db.connect(console.conninfo, name="test", origin="command") as other:
            other.execute("LOCK TABLE payment IN EXCLUSIVE MODE")
            cut = begin(console, address, "/payments/new", form)
            wait_until(lambda: console.query("SELECT FROM pg_locks WHERE NOT granted"), what="the one that waits")
            kill()
        cut.close()
    # What the database still did for it has come to nothing.
    asks = "SELECT FROM pg_stat_activity WHERE usename = 'corrente_console' AND datname = current_database()"
    wait_until(lambda: not console.query(asks), what="the end of its connections")
    with running(console, port=port) as (address, kill):
        assert paid(console) == []
        cut = begin(console, address, "/payments/new", form)
        wait_until(lambda: paid(console), what="the payment")
        kill()
        cut.close()
    with running(console, port=port) as (address, _):
        status, leads, _ = answered(console, address, "/payments/new", form)
        ((number,),) = paid(console)
        assert (status, f"done={number}" in str(leads)) == (303, True)
        assert console.query(
            "SELECT count(*) FROM payment WHERE customer_id = %s AND note = %s", (customer, REFERENCE)
        ) == [(1,)]
