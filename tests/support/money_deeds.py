"""What writes money in the console and the portal, each as the last form of it that a browser sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import psycopg.sql
from flask.testing import FlaskClient
from support.billed_console import hidden, send
from support.collecting_world import collecting
from support.console_world import Console
from support.forms import form_of

from control_plane import db
from control_plane.access.tokens import digest_of
from control_plane.machine.demo_debts import begin_dunning
from web.acting import COOKIE, PORTAL_COOKIE

PORTAL_TOKEN = "a-token-that-is-long-enough-to-be-one"


@dataclass(frozen=True, slots=True)
class Deed:
    """`form()` opens the form anew; `table` is written by it, and `count` says how often it is done."""

    path: str
    cookie: tuple[str, str]
    form: Callable[[], dict[str, Any]]
    table: str
    count: str


def money_deeds(console: Console) -> dict[str, Deed]:
    """Each by its name, ready to be sent, in an ISP with bills, collectors and debts that are pursued."""
    people = collecting(console)
    office = console.client("billing")
    ((day,),) = console.query("SELECT (now() AT TIME ZONE 'Europe/Rome')::date::text")
    invoices = console.query(
        "SELECT d.customer_id, d.id FROM document AS d JOIN open_document AS o ON o.document_id = d.id"
        " WHERE d.kind = 'invoice' AND o.open = d.payable ORDER BY d.id DESC LIMIT 2"
    )
    (_, invoice), (payer, _) = invoices
    promising = _pursued(console)
    subscriber = console.app.test_client()
    subscriber.set_cookie(PORTAL_COOKIE, PORTAL_TOKEN)
    too_much = send(
        office, "/payments/new", customer_id=payer, amount="5000", method="cash", day=day, note="too much"
    ).headers["Location"]
    payment = int(too_much.partition("done=")[2].partition("&")[0])
    refund = f"/payments/{payment}/refund"
    # All that is left of it, so that it can be given back once only.
    left = form_of(office.get(refund).text)["amount"]
    opened = send(office, f"/field/collectors/{people['Carla']}/open", amount="20").headers["Location"]
    session = int(opened.rpartition("/")[2])
    staff = COOKIE, console.tokens["billing"]
    paid = {"customer_id": payer, "amount": "12", "method": "cash", "day": day, "note": "slip 31"}
    given = {"what": "whole", "day": day, "printed_reason": "Agreed"}
    back = {"amount": left, "method": "transfer", "reason": "paid too much", "day": day}
    new, credit = "/payments/new", f"/documents/{invoice}/credit"
    hand_over, run = f"/field/sessions/{session}/hand-over", {"issuer": "1", "day": day}
    return {
        "payment": Deed(
            new, staff, _plain(office, new, paid), "payment", "SELECT count(*) FROM payment WHERE note = 'slip 31'"
        ),
        "credit note": Deed(
            credit,
            staff,
            _confirmed(office, credit, given),
            "document",
            f"SELECT count(*) FROM document WHERE corrects_id = {invoice}",
        ),
        "refund": Deed(
            refund,
            staff,
            _confirmed(office, refund, back),
            "refund",
            f"SELECT count(*) FROM refund WHERE payment_id = {payment}",
        ),
        "hand-over": Deed(
            hand_over,
            staff,
            _sure(office, hand_over, {"count-20": "1"}),
            "cash_session",
            f"SELECT count(*) FROM cash_count WHERE session_id = {session}",
        ),
        "promise": Deed(
            "/portal/promise",
            (PORTAL_COOKIE, PORTAL_TOKEN),
            _plain(subscriber, "/portal/promise", {}),
            "promise",
            f"SELECT count(*) FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id WHERE c.customer_id = {promising}",
        ),
        "bill run": Deed(
            "/bill-runs/new",
            staff,
            _plain(office, "/bill-runs/new", run),
            "billing_request",
            "SELECT count(*) FROM billing_request",
        ),
    }


def times(console: Console, deed: Deed) -> int:
    """How often it is done."""
    return int(console.query(deed.count)[0][0])


def held(console: Console, *deeds: Deed) -> psycopg.Connection[Any]:
    """A connection that holds their tables until it ends: they are read, and what writes them waits."""
    other = db.connect(console.conninfo, name="test", origin="command")
    names = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(one.table) for one in deeds)
    other.execute(psycopg.sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(names))
    return other


def those_that_wait(console: Console) -> int:
    """How many wait for what others hold."""
    asks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return int(console.query(asks)[0][0])


def _plain(client: FlaskClient, path: str, typed: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    return lambda: {**typed, **hidden(client.get(path).text)}


def _confirmed(client: FlaskClient, path: str, typed: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    return lambda: {**typed, **hidden(send(client, path, **typed).text), "confirmed": "yes"}


def _sure(client: FlaskClient, path: str, typed: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    def form() -> dict[str, Any]:
        page = send(client, path, **typed).text
        return {**typed, **hidden(page), "sure": page.partition('name="sure" value="')[2].partition('"')[0]}

    return form


def _pursued(console: Console) -> int:
    """A customer whose debts are pursued, and who is in the portal."""
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        connection.execute("SELECT set_config('corrente.actor', 'test', false)")
        begin_dunning(connection, 1, now)
        row = connection.execute(
            "SELECT o.customer_id FROM open_document AS o JOIN contract AS n ON n.customer_id = o.customer_id"
            " WHERE o.open > 20 AND n.status = 'active' AND n.ends_on IS NULL GROUP BY 1 ORDER BY 1 LIMIT 1"
        ).fetchone()
        assert row is not None
        connection.execute("INSERT INTO portal_access (customer_id, email) VALUES (%s, 'x@example.net')", row)
        connection.execute(
            "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at)"
            " VALUES (%s, %s, decode(repeat('05', 32), 'hex'), %s, %s, %s)",
            (row[0], digest_of(PORTAL_TOKEN), now, now, now + timedelta(days=1)),
        )
        connection.commit()
    return int(row[0])
