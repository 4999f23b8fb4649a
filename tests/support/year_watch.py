"""Who looks at a virtual year each morning, and works out from nothing what should stand in the books and on the network.

The sums are the test's own words over documents; what a document and a charge come to is worked out by the books' checks.

Next: tests/flows/test_virtual_year.py
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from support.virtual_operator import FIRST, LAST, ZONE
from support.year_people import ALLOCATED, EARNED, SESSIONS, PeopleWatch

from billing.store.checks.catalogue import CHECKS, check_books
from billing.store.checks.contracts import find_charge_faults
from billing.store.reports import stream_statement
from control_plane.control_loop.desired import desired_of
from control_plane.policy.policy_source import stream_accounts
from control_plane.policy.rendering import Rendering, build_account_record
from nas_drivers.dictionaries.reader import Dictionary

Connection = psycopg.Connection[Any]
Given = dict[int, tuple[str, int | None]]
# All of the checks of `corrente ledger check`, over everything: on these mornings, and after the last night.
THOROUGH = {date(2027, 11, 1), date(2028, 3, 1), date(2028, 6, 1)}
# Those that can be asked of new documents, entries and charges alone.
_OF_NEW = {
    "entry": ("entries", "closed days"),
    "document": ("documents", "bookings", "due days", "settled"),
    "charge": ("charges on lines",),
}
_STATEMENTS_A_NIGHT = 3
# What each customer owes and what each account holds: by the lines, taxes and sums of all documents and by all money that came and did not go
# again, by all postings, and as the balances of customers are kept. Cash and bank are one here: a collector brings money to either.
# Each table is summed up by itself and read once: that is asked every night.
_LEDGER = """
WITH role AS (
    SELECT max(id) FILTER (WHERE role = 'customers') AS customers, max(id) FILTER (WHERE role = 'vat_output') AS vat, max(id) FILTER (WHERE role = 'vat_split') AS split,
        max(id) FILTER (WHERE role = 'cash') AS cash, max(id) FILTER (WHERE role = 'bank') AS bank, max(id) FILTER (WHERE role = 'cash_with_collector') AS carried,
        max(id) FILTER (WHERE role = 'clearing') AS clearing, max(id) FILTER (WHERE role = 'suspense') AS suspense, max(id) FILTER (WHERE role = 'bad_debts') AS bad,
        max(id) FILTER (WHERE role = 'cash_shortage' AND family IS NULL) AS short, max(id) FILTER (WHERE family = 'surplus') AS surplus,
        max(id) FILTER (WHERE role = 'commissions') AS commissions, max(id) FILTER (WHERE role = 'agents_payable') AS agents FROM ledger_account
), taxed AS (
    SELECT d.currency, t.liability, sum(CASE d.kind WHEN 'credit_note' THEN -t.tax ELSE t.tax END) AS tax
    FROM document AS d JOIN document_tax AS t ON t.document_id = d.id WHERE d.state = 'issued' GROUP BY 1, 2
), owner AS (
    SELECT p.id, coalesce(m.customer_id, p.customer_id) AS customer_id, p.currency, p.amount, CASE WHEN k.kind <> 'cash' THEN r.clearing WHEN p.source = 'collector' THEN r.carried ELSE r.cash END AS account_id
    FROM role AS r, payment AS p JOIN payment_method AS k ON k.id = p.method_id LEFT JOIN payment_match AS m ON m.payment_id = p.id
), legs (debit, credit, customer_id, currency, amount) AS (
    SELECT o.account_id, CASE WHEN o.customer_id IS NULL THEN r.suspense ELSE r.customers END, o.customer_id, o.currency, o.amount FROM role AS r, owner AS o WHERE o.id NOT IN (SELECT payment_id FROM payment_reversal)
    UNION ALL SELECT CASE k.kind WHEN 'cash' THEN r.cash ELSE r.clearing END, r.customers, o.customer_id, o.currency, -f.amount
    FROM role AS r, refund AS f JOIN payment_method AS k ON k.id = f.method_id JOIN owner AS o ON o.id = f.payment_id
    UNION ALL SELECT r.bad, r.customers, d.customer_id, d.currency, w.amount FROM role AS r, write_off AS w JOIN document AS d ON d.id = w.invoice_id WHERE w.id NOT IN (SELECT write_off_id FROM write_off_undo)
    UNION ALL SELECT r.cash, r.carried, NULL, s.currency, w.amount FROM role AS r, cash_withdrawal AS w JOIN cash_session AS s ON s.id = w.session_id
    UNION ALL SELECT r.cash, r.carried, NULL, s.currency, s.expected - s.opening FROM role AS r, cash_session AS s WHERE s.closed_at IS NOT NULL
    UNION ALL SELECT CASE WHEN s.counted < s.expected THEN r.short ELSE r.surplus END, r.cash, NULL, s.currency, s.expected - s.counted FROM role AS r, cash_session AS s WHERE s.closed_at IS NOT NULL
    UNION ALL SELECT r.commissions, r.agents, NULL, g.currency, g.amount FROM role AS r, agent_settlement AS g WHERE g.id NOT IN (SELECT settlement_id FROM agent_settlement_undo)
), told AS (
    SELECT l.account_id, NULL::bigint AS customer_id, d.currency, sum(CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END) AS ought, 0 AS stands, 0 AS kept
    FROM document AS d JOIN document_line AS l ON l.document_id = d.id WHERE d.state = 'issued' GROUP BY 1, 3
    UNION ALL SELECT (SELECT customers FROM role), customer_id, currency, sum(CASE kind WHEN 'credit_note' THEN -payable ELSE payable END), 0, 0
    FROM document WHERE state = 'issued' GROUP BY 2, 3
    UNION ALL SELECT r.vat, NULL, t.currency, -t.tax, 0, 0 FROM role AS r, taxed AS t
    UNION ALL SELECT r.split, NULL, t.currency, t.tax, 0, 0 FROM role AS r, taxed AS t WHERE t.liability = 'split'
    UNION ALL SELECT debit, NULL, currency, sum(amount), 0, 0 FROM legs GROUP BY 1, 3
    UNION ALL SELECT credit, customer_id, currency, -sum(amount), 0, 0 FROM legs GROUP BY 1, 2, 3
    UNION ALL SELECT CASE p.account_id WHEN (SELECT bank FROM role) THEN (SELECT cash FROM role) ELSE p.account_id END, p.customer_id, e.currency, 0, sum(p.amount), 0 FROM entry AS e JOIN posting AS p ON p.entry_id = e.id GROUP BY 1, 2, 3
    UNION ALL SELECT r.customers, b.customer_id, b.currency, 0, 0, b.balance FROM customer_balance AS b, role AS r
)
SELECT account_id, customer_id, currency, sum(ought), sum(stands), sum(kept) FROM told GROUP BY 1, 2, 3
HAVING sum(ought) <> sum(stands) OR (customer_id IS NOT NULL AND sum(kept) <> sum(stands))
"""
# Each register's year is 1 to n, dated in order, and its counter stands at n.
_REGISTERS = """
SELECT register_id, year, sum(documents), sum(last), sum(disorder), sum(counter) FROM (
    SELECT register_id, year, count(*) AS documents, max(number) AS last, count(*) FILTER (WHERE document_date < before) AS disorder, 0 AS counter
    FROM (SELECT register_id, year, number, document_date, lag(document_date) OVER (PARTITION BY register_id, year ORDER BY number) AS before FROM document WHERE state = 'issued') AS own
    GROUP BY 1, 2
    UNION ALL SELECT register_id, year, 0, 0, 0, last_number FROM register_year) AS told
GROUP BY 1, 2 HAVING sum(documents) <> sum(last) OR sum(last) <> sum(counter) OR sum(disorder) > 0
"""
# The plan that is billed is the one that the network gives: who is active has its item today, who ended or is free has none.
_PLANS = """
WITH own AS (
    SELECT i.contract_id, array_agg(p.plan_id) AS plans FROM contract_item AS i JOIN product AS p ON p.id = i.product_id
    WHERE i.kind = 'plan' AND i.starts_on <= %(today)s AND (i.ends_on IS NULL OR i.ends_on > %(today)s) GROUP BY 1
)
SELECT c.id, c.status, c.plan_id, own.plans FROM contract AS c LEFT JOIN own ON own.contract_id = c.id
WHERE c.status IN ('active', 'free', 'ended') AND coalesce(own.plans, '{}') <> CASE WHEN c.status = 'active' AND c.starts_on <= %(today)s THEN ARRAY[c.plan_id] ELSE '{}' END
"""
# What a statement has: each document, payment and what became of it, by its day; what was matched later on the day on which it was.
_MOVED = """
SELECT document_date, replace(kind::text, '_', ' '), label, CASE kind WHEN 'credit_note' THEN -payable ELSE payable END FROM document WHERE customer_id = %(who)s AND kind IN ('invoice', 'credit_note') AND payable <> 0
UNION ALL SELECT p.value_on, 'payment', '', -p.amount FROM payment AS p WHERE p.customer_id = %(who)s
UNION ALL SELECT (m.made_at AT TIME ZONE 'Europe/Rome')::date, 'payment match', '', -p.amount FROM payment_match AS m JOIN payment AS p ON p.id = m.payment_id WHERE m.customer_id = %(who)s
UNION ALL SELECT v.dated, 'payment reversal', '', p.amount FROM payment_reversal AS v JOIN payment AS p ON p.id = v.payment_id LEFT JOIN payment_match AS m ON m.payment_id = p.id WHERE coalesce(m.customer_id, p.customer_id) = %(who)s
UNION ALL SELECT f.dated, 'refund', '', f.amount FROM refund AS f JOIN payment AS p ON p.id = f.payment_id LEFT JOIN payment_match AS m ON m.payment_id = p.id WHERE coalesce(m.customer_id, p.customer_id) = %(who)s
UNION ALL SELECT w.dated, 'write off', '', -w.amount FROM write_off AS w JOIN document AS d ON d.id = w.invoice_id WHERE d.customer_id = %(who)s
UNION ALL SELECT u.dated, 'write off undo', '', w.amount FROM write_off_undo AS u JOIN write_off AS w ON w.id = u.write_off_id JOIN document AS d ON d.id = w.invoice_id WHERE d.customer_id = %(who)s
"""
_TOUCHED = "SELECT DISTINCT contract_id FROM contract_event WHERE id > %(event)s ORDER BY 1"
_NEWEST = """
SELECT (SELECT coalesce(max(id), 0) FROM contract_event), (SELECT coalesce(max(id), 0) FROM charge), (SELECT coalesce(max(id), 0) FROM document),
    (SELECT coalesce(max(id), 0) FROM entry)
"""


# As in a database that was just restored from a dump, which has no statistics: some checks took hours then.
_FORGET = """
SET allow_system_table_mods = on; SET statement_timeout = '60s'; DELETE FROM pg_statistic;
UPDATE pg_class SET reltuples = 0, relpages = 0 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class VirtualClock(datetime):
    """What `datetime` is to the keeper of desired policies while a year is played."""

    at = datetime.now(UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """The virtual moment."""
        return cls.at.astimezone(tz)


# When the network is looked at: as a day begins, before its jobs, and after them.
_MIDNIGHT, _MORNING = time(0, 0, 1), time(6)


class Watcher:
    """Looks at everything each morning; `connect` opens a connection in autocommit. While it looks at the network it is
    `morning`, and the keeper of desired policies may go on."""

    def __init__(
        self, connect: Callable[[], Connection], issuer: int, dictionary: Dictionary, morning: threading.Event
    ) -> None:
        self._connect, self._issuer, self._dictionary, self._morning = connect, issuer, dictionary, morning
        self._db = connect()
        self._seen = {"event": 0, "charge": 0, "document": 0, "entry": 0}
        self.people = PeopleWatch(self._db)
        self.nights = 0

    def look(self, day: date) -> None:
        """Raises: AssertionError with what is not as it ought to be."""
        self.nights += 1
        with self._db.transaction():
            for statement in (_LEDGER, _REGISTERS, _PLANS, ALLOCATED, SESSIONS, EARNED):
                off = self._db.execute(statement, {"today": day}).fetchall()
                assert off == [], f"{day}: {off[:5]} by {statement}"
            # As the checks run by themselves: a few rows are reached by their keys, however old the statistics are.
            self._db.execute("SET LOCAL enable_seqscan = off")
            found = self._anew()
            assert found == [], f"{day}: {found[:5]}"
            self._statements(day)
        if day in THOROUGH:
            with self._connect() as connection:
                findings = list(check_books(connection, CHECKS))
            assert findings == [], f"{day}: {findings[:5]}"
        self._network(day, _MORNING)

    def look_at_midnight(self, day: date) -> None:
        """What a day changes on the network it changes as it begins, whenever its jobs come; and who is limited for money as the
        day before has ended. Raises: as `look`."""
        self.people.look(day - timedelta(days=1))
        self._network(day, _MIDNIGHT)

    def close(self) -> None:
        """All checks of the books once more, and every customer's statement; then the connection is closed."""
        with self._connect() as connection:
            connection.execute(_FORGET)
            findings = list(check_books(connection, CHECKS))
        assert findings == [], findings[:5]
        with self._db.transaction():
            for (customer,) in self._db.execute("SELECT DISTINCT customer_id FROM document ORDER BY 1").fetchall():
                self._statement(customer, LAST)
        self._db.close()

    def _anew(self) -> list[Any]:
        """Contracts that something was done to since the morning before, from their first day, and what is new in the books."""
        contracts = [number for (number,) in self._db.execute(_TOUCHED, self._seen)]
        found: list[Any] = list(find_charge_faults(self._db, contracts))
        newest = dict(zip(self._seen, self._db.execute(_NEWEST).fetchone() or (), strict=True))
        for check in CHECKS:
            if check.name in _OF_NEW.get(check.walks, ()) and newest[check.walks] > self._seen[check.walks]:
                found += check.find(self._db, self._seen[check.walks] + 1, newest[check.walks])
        self._seen = newest
        return found

    def _statements(self, day: date) -> None:
        """Of some customers that got something today."""
        customers = self._db.execute(
            "SELECT customer_id FROM document WHERE id > %s AND document_date = %s GROUP BY 1 ORDER BY max(id) DESC LIMIT %s",
            (0, day, _STATEMENTS_A_NIGHT),
        )
        for (customer,) in customers.fetchall():
            self._statement(customer, day)

    def _statement(self, customer: int, day: date) -> None:
        """A statement has each document and each movement of money once, in the order of days, and after each what all so far come to."""
        rows = stream_statement(self._db, self._issuer, customer, since=FIRST, until=day)
        told, balance, before = [], Decimal(0), FIRST
        for row in list(rows)[1:]:
            amount = (row.debit or 0) - (row.credit or 0)
            balance += amount
            assert (row.balance, row.dated >= before) == (balance, True), f"customer {customer} on {day}: {row}"
            before = row.dated
            told.append((row.dated, row.what, row.reference if row.what in ("invoice", "credit note") else "", amount))
        ought = [row for row in self._db.execute(_MOVED, {"who": customer}) if row[0] <= day]
        assert sorted(told, key=repr) == sorted(ought, key=repr), f"customer {customer} on {day}"

    def _network(self, day: date, hour: time) -> None:
        """What the keeper wrote and what the contract's words say are one; on the first of a month what the product works out
        from nothing, too."""
        at = datetime.combine(day, hour, ZoneInfo(ZONE))
        VirtualClock.at = at.astimezone(UTC)
        ought = desired_by_hand(self._db, at)
        if day.day == 1:
            assert ought == desired_anew(self._db, self._dictionary, at), at
        wanted = sorted((account, level, profile) for account, (level, profile) in ought.items())
        self._morning.set()
        try:
            for _ in range(2000):
                kept = self._db.execute(
                    "SELECT account_id, level::text, profile_id FROM desired_policy ORDER BY 1"
                ).fetchall()
                if kept == wanted:
                    return
                # Whatever it waits for, it looks again.
                self._db.execute("NOTIFY corrente_change")
                threading.Event().wait(0.01)
        finally:
            self._morning.clear()
        raise AssertionError(f"{at}: the keeper has not come to {sorted(set(wanted) ^ set(kept))[:6]}")


def desired_anew(connection: Connection, dictionary: Dictionary, at: datetime) -> Given:
    """Each account's level and profile at a moment, worked out from the rows by the product, from nothing."""
    rendering = Rendering(dictionary, ZoneInfo(ZONE), at)
    given: Given = {}
    with connection.transaction():
        for row in stream_accounts(connection):
            wanted = desired_of(build_account_record(row, rendering), now=at.timestamp())
            given[wanted.account_id] = (wanted.level.name.lower(), wanted.profile_id)
    return given


_ACCOUNTS = """
SELECT a.id, a.contract_id, c.status::text, c.plan_id, coalesce(c.ends_on <= %(today)s, false) OR coalesce(c.starts_on > %(today)s, false)
FROM subscriber_account AS a JOIN contract AS c ON c.id = a.contract_id
"""
_LIMITS = """
SELECT contract_id, level::text, origin = 'dunning' FROM restriction AS r
WHERE held_since IS NULL AND since <= %(at)s AND (until IS NULL OR until > %(at)s) AND (lifted_at IS NULL OR lifted_at > %(at)s) ORDER BY r.level
"""
_RELIEVED = "SELECT contract_id FROM relief WHERE during @> %(at)s::timestamptz"
_PLANS_TODAY = "SELECT contract_id, plan_id FROM plan_change WHERE effective_on <= %(today)s AND applied_at IS NULL ORDER BY effective_on"


def desired_by_hand(connection: Connection, at: datetime) -> Given:
    """The same in the words of the contract alone: status, end, the hardest restriction in force, plan of the day."""
    now = {"today": at.date(), "at": at}
    profiles = {
        plan: own
        for plan, *own in connection.execute("SELECT id, profile_id, throttle_profile_id, walled_profile_id FROM plan")
    }
    relieved = {contract for (contract,) in connection.execute(_RELIEVED, now)}
    changed = dict(connection.execute(_PLANS_TODAY, now).fetchall())
    limits = {
        contract: level
        for contract, level, dunning in connection.execute(_LIMITS, now)
        if not (dunning and contract in relieved)
    }
    given: Given = {}
    for account, contract, status, plan, outside in connection.execute(_ACCOUNTS, now):
        full, throttle, walled = profiles[changed.get(contract, plan)]
        if status not in ("trial", "active", "free") or outside:
            given[account] = ("none", None)
        else:
            levels = {None: ("full", full), "throttle": ("throttle", throttle), "walled": ("walled", walled)}
            given[account] = levels.get(limits.get(contract), ("blocked", None))
    return given


# Money by days ------------------------------------------------------------------------------------------------------

# What was paid behind an end is given back when its day has come or when it is set, by what ends it: of an end that lies
# behind the year neither the end nor what was given back for it is counted. Days of a limit that lasts are given back later.
_ITEMS = """
SELECT i.id, i.contract_id, i.starts_on, CASE WHEN i.ends_on <= %(last)s THEN least(i.ends_on, b.billed_through) ELSE b.billed_through END,
    i.anchor, i.wanted_day, i.months, i.period_price * i.quantity,
    coalesce((SELECT sum(net) FROM charge AS c WHERE c.item_id = i.id AND (c.kind = 'period' OR (c.kind = 'credit' AND (i.ends_on > %(last)s AND lower(c.during) >= i.ends_on) IS NOT TRUE))), 0),
    (SELECT count(*) FROM charge WHERE item_id = i.id)
FROM contract_item AS i JOIN billing_position AS b ON b.item_id = i.id JOIN contract_terms AS t ON t.contract_id = i.contract_id
WHERE i.kind = 'plan' AND t.basis = 'actual' AND t.opening IN ('prorate', 'join')
    AND NOT EXISTS (SELECT FROM discount WHERE contract_id = t.contract_id)
    AND NOT EXISTS (SELECT FROM billing_stop WHERE contract_id = t.contract_id AND NOT coalesce(upper(during) <= %(last)s, false))
    AND NOT EXISTS (SELECT FROM charge AS c JOIN document AS d ON d.id = c.document_id WHERE c.item_id = i.id AND d.reason = 'a fault of ours')
ORDER BY i.id
"""


def _bounds(day: date, anchor: date, wanted: int, months: int) -> tuple[date, date]:
    """The period that holds a day: boundaries every so many months from the anchor's month, on a day or the month's last."""

    def boundary(k: int) -> date:
        month = anchor.month - 1 + anchor.year * 12 + k * months
        first = date(month // 12, month % 12 + 1, 1)
        following = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
        return first + timedelta(days=min(wanted, (following - first).days) - 1)

    k = 0
    while boundary(k) > day:
        k -= 1
    while boundary(k + 1) <= day:
        k += 1
    return boundary(k), boundary(k + 1)


def money_by_days(connection: Connection) -> int:
    """Each plan's charges less credits are its price by the day for the days it was served and pays, within their cents.

    Of a stop by days each day is free; of one of whole periods those days whose period, as far as it is served, lies in it.
    Returns how many plans that was, of those without discounts and manual credit notes.
    """
    stops: defaultdict[int, list[Any]] = defaultdict(list)
    for contract, whole, during in connection.execute("SELECT contract_id, rule = 'stop', during FROM billing_stop"):
        stops[contract].append((whole, during))
    items = connection.execute(_ITEMS, {"last": LAST}).fetchall()
    for item, contract, start, end, anchor, wanted, months, price, charged, parts in items:
        expected, day = Fraction(0), start
        until = start
        while end is not None and day < end:
            if day >= until:
                begin, until = _bounds(day, anchor, wanted, months)
                first, last = max(begin, start), min(until, end) - timedelta(days=1)
            if not any(
                day in during and (not whole or (first in during and last in during))
                for whole, during in stops[contract]
            ):
                expected += Fraction(price) / (until - begin).days
            day += timedelta(days=1)
        assert abs(Decimal(float(expected)) - charged) < Decimal("0.01") * (parts + 1), (
            f"item {item}: {charged} for {float(expected):.2f}"
        )
    return len(items)
