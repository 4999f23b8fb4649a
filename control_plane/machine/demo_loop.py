"""The whole loop before one's eyes: a late payer of the demo is walled off by dunning, pays at the counter, and is open again.

Each late payer has time for a while from the start on, one after the other, as an operator grants it. When it is over, dunning
limits the line, the access device acknowledges and shows it; some seconds later the debt is paid, over the counter or to the collector
of the town, and what restores it is timed from the commit of the payment to the device's answer. Nothing here touches the network: it
only pays, and reads what became of it.

Units: *_s seconds; moments are aware.
Next: screen.py
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.collectors import Collector
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.operations.collecting import Taken, Taking, take_payment
from billing.operations.receiving import Recorded, record_payment
from billing.payments import NewPayment, NotDone, PaymentSource
from billing.runs.walk import Connect
from billing.store.issuers import load_issuers
from control_plane.machine.demo_books import ACTOR
from control_plane.machine.demo_debts import LatePayer, begin_dunning, late_payers, method_of
from control_plane.machine.demo_field import find_collector
from control_plane.machine.demo_office import set_the_office
from control_plane.store.limits import ReliefRow, save_new_relief

Connection = psycopg.Connection[Any]
_FIRST_S: Final = 10.0
# Longer than a turn of dunning's job, so that one is over before the next one begins.
_BETWEEN_S: Final = 120.0
_LOOK_S: Final = 0.5
_DIAL_IN_S: Final = 240.0
# So long somebody reads his payment page.
_READS_S: Final = 4.0
# Without a change to be seen: the line dialled in while it was limited.
_NO_CHANGE_S: Final = 15.0
# A device that echoes Class proves a change with its next accounting update (_INTERIM_S of demo.py).
_PROOF_S: Final = 75.0
_ACKED: Final = "acked"
_KEPT: Final = 4
_METHODS: Final = {"coa": "CoA", "disconnect": "Disconnect", "routeros_api": "API"}
_DEBT: Final = """
SELECT (SELECT coalesce(sum(o.open), 0) FROM open_document AS o WHERE o.customer_id = k.customer_id AND o.open > 0), k.currency,
    (SELECT min(u.due_on) FROM document_due AS u JOIN open_document AS o ON o.document_id = u.document_id WHERE o.customer_id = k.customer_id AND o.open > 0),
    (SELECT max(delivered_at) FROM formal_notice AS f WHERE f.case_id = k.id), k.issuer_id
FROM dunning_case AS k WHERE k.customer_id = %s AND k.cleared_at IS NULL
"""
_HAS_TIME: Final = "SELECT FROM relief WHERE contract_id = %s AND upper(during) > %s"
_CUT: Final = """
SELECT greatest(r.since, (SELECT max(upper(f.during)) FROM relief AS f WHERE f.contract_id = r.contract_id)) FROM restriction AS r
WHERE r.contract_id = %(contract)s AND r.origin = 'dunning' AND r.lifted_at IS NULL AND r.held_since IS NULL AND r.since <= now()
    AND NOT EXISTS (SELECT FROM relief AS f WHERE f.contract_id = r.contract_id AND f.during @> now()) ORDER BY r.id DESC LIMIT 1
"""
_CHANGE: Final = """
SELECT e.method::text, e.answered_at, e.state::text FROM enforcement AS e
JOIN subscriber_account AS a ON a.id = e.account_id
WHERE a.contract_id = %(contract)s AND e.created_at >= %(since)s AND (e.level = 'full') = %(opens)s ORDER BY e.id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What was sent to the access device, when it acknowledged that, and what became of it."""

    method: str
    answered_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class LoopLine:
    """One late payer, as far as the story is. `owed` is what was unpaid, since when, and when the notice of it came."""

    username: str
    owed: str
    since: date
    noticed_on: date
    cut_at: datetime
    cut: Change | None = None
    paid_at: datetime | None = None
    paid_where: str = ""
    opened: Change | None = None


def loop_words(line: LoopLine) -> str:
    """The story in a line, for a log."""
    said = f"{line.username} owes {line.owed} since {line.since}, on notice since {line.noticed_on}: walled off, {cut_words(line)}"
    return said if line.paid_at is None else f"{said}; paid {line.paid_where}, {open_words(line)}"


def cut_words(line: LoopLine) -> str:
    """How it was limited: `CoA ACK after 90 ms, verified`."""
    return "at its next login" if line.cut is None else _change_words(line.cut, line.cut_at)


def open_words(line: LoopLine) -> str:
    """How long it took from the payment to the device's word: `open again: CoA ACK after 84 ms`."""
    if line.paid_at is None or line.opened is None:
        return "open again with the next login"
    return f"open again: {_change_words(line.opened, line.paid_at)}"


def _change_words(change: Change, since: datetime) -> str:
    took_ms = max((change.answered_at - since).total_seconds(), 0.0) * 1000
    return f"{change.method} ACK after {took_ms:.0f} ms{'' if change.state == _ACKED else f', {change.state}'}"


class TheLoop:
    """Lets the late payers have their turns, in the thread that calls it. `lines` are the last ones, the newest first; `next_at` is when
    the time of who comes next is over."""

    def __init__(self, connect: Connect, say: Callable[[str], None]) -> None:
        self._connect = connect
        self._say = say
        self.lines: tuple[LoopLine, ...] = ()
        self.next_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Until all have paid or it is stopped. Raises: psycopg.Error; BillingError where a payment is refused."""
        with self._connect() as connection:
            self._wait_for_logins(connection, stop)
            waiting = [] if stop.is_set() else list(self._give_time(connection))
            if waiting:
                self._say(f"{len(waiting)} late payers will be walled off and pay, one after the other")
            for place, payer in enumerate(waiting):
                if not self._watch(connection, payer, stop, to_collector=place % 2 == 1):
                    return

    def _wait_for_logins(self, connection: Connection, stop: threading.Event) -> None:
        """Until they have dialled in after the start, so that there is a line to be limited; not for ever."""
        names = [one.username for one in late_payers(connection, datetime.now(UTC).date())]
        ends = time.monotonic() + _DIAL_IN_S
        while time.monotonic() < ends and not stop.is_set():
            row = connection.execute("SELECT count(DISTINCT username) FROM session WHERE username = ANY (%s) AND NOT stale", (names,)).fetchone()  # fmt: skip
            if row is None or row[0] >= len(names):
                return
            stop.wait(_LOOK_S)

    def _give_time(self, connection: Connection) -> Iterator[LatePayer]:
        """Everybody who owes still has a while, by an operator's word."""
        now = datetime.now(UTC)
        issuer = load_issuers(connection)[0]
        with connection.transaction():
            begin_dunning(connection, issuer.id, now)
            if set_the_office(connection, issuer.id, now, billing_day(now, ZoneInfo(issuer.zone))):
                self._say("On the desks: `payment queue list`, `cash list`, `agent list`, `promise list`")
            owing = [one for one in late_payers(connection, now.date()) if _debt(connection, one) is not None]
            for place, payer in enumerate(owing):
                until = now + timedelta(seconds=_FIRST_S + place * _BETWEEN_S)
                # What an earlier start gave him still runs.
                if not connection.execute(_HAS_TIME, (payer.contract_id, now)).rowcount:
                    save_new_relief(
                        connection, payer.contract_id, ReliefRow(0, now, until, "comes to the counter today", ACTOR)
                    )
        yield from owing

    def _watch(self, connection: Connection, payer: LatePayer, stop: threading.Event, *, to_collector: bool) -> bool:
        """One turn; False when it was stopped."""
        self.next_at = _ends_at(connection, payer)
        while (cut_at := _cut_at(connection, payer)) is None:
            if _debt(connection, payer) is None:
                return True  # somebody else took the money
            if stop.wait(_LOOK_S):
                return False
        self.next_at = None
        debt = _debt(connection, payer)
        if debt is None:
            return True
        owed, currency, since, noticed, issuer = debt
        line = LoopLine(payer.username, f"{owed} {currency}", since, noticed.date(), cut_at)
        self._show(line, new=True)
        for cut in self._follow(stop, lambda: _change(connection, payer, cut_at, opens=False)):
            line = replace(line, cut=cut)
            self._show(line)
        if stop.wait(_READS_S):
            return False
        money = read_money(owed, currency)
        collector = find_collector(connection, payer.customer_id, money) if to_collector else None
        paid_at, where = _pay(connection, payer, issuer, money, collector)
        line = replace(line, paid_at=paid_at, paid_where=where)
        self._show(line)
        for opened in self._follow(stop, lambda: _change(connection, payer, paid_at, opens=True)):
            line = replace(line, opened=opened)
            self._show(line)
        self._say(loop_words(line))
        return not stop.is_set()

    @staticmethod
    def _follow(stop: threading.Event, look: Callable[[], Change | None]) -> Iterator[Change]:
        """The change when it is acknowledged, and again when a second source told what became of it; nothing where none comes."""
        ends, seen = time.monotonic() + _NO_CHANGE_S, None
        while time.monotonic() < ends and not stop.is_set():
            found = look()
            if found is not None and found != seen:
                seen = found
                yield found
                if found.state != _ACKED:
                    return
                ends = time.monotonic() + _PROOF_S
            stop.wait(_LOOK_S)

    def _show(self, line: LoopLine, *, new: bool = False) -> None:
        self.lines = (line, *self.lines[0 if new else 1 :])[:_KEPT]


def _debt(connection: Connection, payer: LatePayer) -> tuple[Decimal, str, date, datetime, int] | None:
    """What is open, since when it is due, when the notice came, and whose it is; None when nothing is pursued."""
    row = connection.execute(_DEBT, (payer.customer_id,)).fetchone()
    if row is None or not row[0] or row[3] is None:
        return None
    owed, currency, since, noticed, issuer = row
    return read_money(owed, currency).amount, currency, since, noticed, issuer


def _ends_at(connection: Connection, payer: LatePayer) -> datetime | None:
    row = connection.execute(
        "SELECT max(upper(during)) FROM relief WHERE contract_id = %s", (payer.contract_id,)
    ).fetchone()
    return None if row is None else row[0]


def _cut_at(connection: Connection, payer: LatePayer) -> datetime | None:
    row = connection.execute(_CUT, {"contract": payer.contract_id}).fetchone()
    return None if row is None else row[0]


def _change(connection: Connection, payer: LatePayer, since: datetime, *, opens: bool) -> Change | None:
    """The change of the line since then, when the device has acknowledged it."""
    asked = {"contract": payer.contract_id, "since": since, "opens": opens}
    row = connection.execute(_CHANGE, asked).fetchone()
    if row is None or row[1] is None:
        return None
    method, answered_at, state = row
    return Change(_METHODS.get(method, method), answered_at, state)


def _pay(
    connection: Connection, payer: LatePayer, issuer: int, owed: Money, collector: Collector | None
) -> tuple[datetime, str]:
    """Cash, over the counter or to a collector; when that was committed, or a moment before, and where, in words."""
    zone = next(one.zone for one in load_issuers(connection) if one.id == issuer)
    method, today = method_of(connection, issuer, "cash"), billing_day(datetime.now(UTC), ZoneInfo(zone))
    done: Recorded | Taken | NotDone
    with connection.transaction():
        if collector is None:
            payment = NewPayment(method, owed, today, PaymentSource.COUNTER, customer_id=payer.customer_id)
            done = record_payment(connection, payment, today=today, actor=ACTOR)
        else:
            taking = Taking(collector.id, payer.customer_id, owed, method, str(uuid.uuid4()), today)
            done = take_payment(connection, taking, today=today, actor=collector.name)
        if isinstance(done, NotDone):
            raise BillingError(f"{payer.username} could not pay: {done.message}")
        where = (
            f"to {done.receipt.collector}, receipt {done.receipt.label}"
            if isinstance(done, Taken)
            else "at the counter"
        )
        return datetime.now(UTC), where
