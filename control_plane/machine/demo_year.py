"""A year of the demo ISP's bills, made behind the scenes by the billing run itself: twelve months, one after the other.

Each month is a run on its first day, then what customers paid in it (demo_debts.py), some of them a transaction, and what the
office did: call-outs invoiced on the 10th, credit notes on the 20th. The run and the payments go on where they were stopped, and
what the office did is one transaction with a row in the audit log that says so: killed anywhere, the next start makes what is
left, and the documents are the same. None is long: whoever tries the demo meanwhile waits for it.

Next: up.py
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.credits import NothingLeftError
from billing.errors import BillingError
from billing.operations.invoices import WantedInvoice, WantedLine, credit_document, make_invoice
from billing.runs.billing_run import confirm, issue_run
from billing.runs.preview import prepare_run
from billing.runs.walk import Connect
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.runs import RunState, find_run
from control_plane.db import expect_few_rows
from control_plane.machine.demo_books import ACTOR, MONTHS, months_before
from control_plane.machine.demo_debts import pay_month
from control_plane.telemetry import logger

Connection = psycopg.Connection[Any]
_SEED: Final = 77
# Documents of a batch: a stop waits for those in hand.
_BATCH: Final = 300
_WORKERS: Final = 2
_CALL_OUT_DAY: Final = 10
_CREDIT_DAY: Final = 20
_CALL_OUTS: Final = 6
_CREDITS: Final = 4
_AWAY_S: Final = 2.0
_END_S: Final = 30.0
_COUNT_ANEW: Final = "ANALYZE charge, document, document_line, document_tax, document_due, entry, posting, billing_position, contract_item, open_document"
_MADE: Final = "SELECT detail ->> 'month' FROM audit_log WHERE action = 'demo.month_billed'"


@dataclass(frozen=True, slots=True)
class _Year:
    """What is to be played. `left` are the first days of the months that are not complete."""

    issuer: int
    today: date
    left: tuple[date, ...]


def bill_the_year(
    connect: Connect, *, stop: threading.Event, tell: Callable[[int, int], None] = lambda _done, _of: None
) -> bool:
    """Make what is left of the demo's year; whether it is complete now. `tell` hears of months done, of all.

    `connect` opens connections that commit each statement.
    Raises: BillingError where somebody billed a later day meanwhile; psycopg.Error without a database.
    """
    with _looking_up(connect)() as connection:
        year = _load_year(connection)
        for place, month in enumerate(year.left):
            tell(MONTHS - len(year.left) + place, MONTHS)
            # A planner that takes these tables for empty reads them whole for each row that it looks for.
            connection.execute(_COUNT_ANEW)
            if not _bill_month(_looking_up(connect), connection, year, month, stop):
                return False
        return True


def _looking_up(connect: Connect) -> Connect:
    """The same, for short work on tables that grow while it lasts."""

    def connected() -> AbstractContextManager[Connection]:
        connection = connect()
        assert isinstance(connection, psycopg.Connection)
        expect_few_rows(connection)
        return connection

    return connected


def _load_year(connection: Connection) -> _Year:
    """A demo that was loaded before it had books has none to be made."""
    row = connection.execute(
        "SELECT (SELECT min(id) FROM issuer), (detail ->> 'today')::date FROM audit_log WHERE action = 'demo.loaded' LIMIT 1"
    ).fetchone()
    if row is None or row[0] is None or row[1] is None:
        return _Year(0, date.min, ())
    made = {date.fromisoformat(month) for (month,) in connection.execute(_MADE)}
    months = (months_before(row[1], ago) for ago in range(MONTHS - 1, -1, -1))
    return _Year(row[0], row[1], tuple(month for month in months if month not in made))


def _bill_month(connect: Connect, connection: Connection, year: _Year, month: date, stop: threading.Event) -> bool:
    """The run of a month, what was paid in it, then the office's own documents. False when it was stopped."""
    run = find_run(connection, year.issuer, month, Scope())
    if run is None or run.state is RunState.PREPARED:
        if stop.is_set():
            return False
        run = prepare_run(connection, year.issuer, run_date=month, scope=Scope(), by=ACTOR, stop=stop)
    with connection.transaction():
        run = confirm(connection, run, by=ACTOR)
    issue_run(connect, run, made_by=ACTOR, stop=stop, batch=_BATCH, workers=_WORKERS)
    place = MONTHS - 1 - (year.today.year - month.year) * 12 - year.today.month + month.month
    paid = pay_month(connection, year.issuer, month=month, place=place, last=MONTHS - 1, today=year.today, stop=stop)
    if not paid or stop.is_set():
        return False
    with connection.transaction():
        acting(connection, ACTOR)
        chance = random.Random(f"{_SEED} {month}")  # noqa: S311 - a made-up office, always the same
        if month.replace(day=_CALL_OUT_DAY) <= year.today:
            _invoice_call_outs(connection, month.replace(day=_CALL_OUT_DAY), month, chance)
        if month.replace(day=_CREDIT_DAY) <= year.today:
            _give_back(connection, month.replace(day=_CREDIT_DAY), month, chance)
        connection.execute(
            "INSERT INTO audit_log (actor, action, subject, detail) VALUES ('corrente up', 'demo.month_billed', 'the demo ISP', %s)",
            (Jsonb({"month": month.isoformat()}),),
        )
    return True


def _invoice_call_outs(connection: Connection, day: date, month: date, chance: random.Random) -> None:
    row = connection.execute("SELECT id FROM product WHERE name = 'Call-out'").fetchone()
    assert row is not None, "it is in the demo's catalogue"
    for _, contract_id, _ in _chosen(connection, month, chance, _CALL_OUTS):
        line = WantedLine(row[0], quantity=Decimal(chance.choice((1, 1, 2))))
        make_invoice(connection, WantedInvoice((line,), day, contract_id=contract_id), actor=ACTOR)


def _give_back(connection: Connection, day: date, month: date, chance: random.Random) -> None:
    """Whole invoices that were wrong, and some money for a line that was down."""
    for number, (document_id, _, line) in enumerate(_chosen(connection, month, chance, _CREDITS)):
        amounts = None if number == 0 else {line: Decimal("2.50")}
        reason = "billed by mistake" if number == 0 else f"the line was down on {day - timedelta(days=8)}"
        try:
            credit_document(connection, document_id, amounts, document_date=day, reason=reason, actor=ACTOR)
        except NothingLeftError:
            continue  # it had been given back whole


def _chosen(connection: Connection, month: date, chance: random.Random, count: int) -> Iterator[tuple[int, int, int]]:
    """Some of a run's invoices by the plan: document, contract and line."""
    rows = connection.execute(
        "SELECT d.id, l.contract_id, l.number FROM document AS d JOIN document_line AS l ON l.document_id = d.id"
        " JOIN contract_item AS i ON i.id = l.item_id JOIN contract AS c ON c.id = l.contract_id"
        " WHERE d.kind = 'invoice' AND d.document_date = %s AND d.run_id IS NOT NULL AND i.kind = 'plan' AND l.net > 5"
        " AND c.status = 'active' ORDER BY l.contract_id, l.number",
        (month,),
    ).fetchall()
    yield from chance.sample(rows, min(count, len(rows)))


class YearBehindTheScenes:
    """The year made by a thread of its own, beside the screen, and what comes `then`; begun anew where the database was away."""

    def __init__(self, connect: Connect, say: Callable[[str], None], then: Callable[[threading.Event], None]) -> None:
        self._connect = connect
        self._say = say
        self._then = then
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="demo year", daemon=True)
        self.doing = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Stop after the batches in hand and wait for that."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                if self._bill():
                    self.doing = ""
                    self._then(self._stop)
            except psycopg.OperationalError as error:
                logger().warning("demo_year.database_away", problem=str(error).partition("\n")[0])
                self._stop.wait(_AWAY_S)
            except (BillingError, psycopg.Error) as error:
                if self._stop.is_set():
                    break
                self._say(f"The demo's books end here: {str(error).partition(chr(10))[0]}")
                break
            else:
                break
        self.doing = ""

    def _bill(self) -> bool:
        """Whether the year is complete."""
        told = False

        def tell(done: int, of: int) -> None:
            nonlocal told
            self.doing = f"billing the past year: {done} of {of} months"
            if not told:
                self._say("Billing the demo's past year behind the scenes")
            told = True

        complete = bill_the_year(self._connect, stop=self._stop, tell=tell)
        if complete and told:
            self._say("The past year is billed: try `corrente bill list`, `corrente statement 17`")
        return complete
