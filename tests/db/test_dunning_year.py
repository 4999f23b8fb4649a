"""A year of people who pay late, in part, promise, dispute and take back: nobody who paid is cut, nobody who owes is forgotten.

Two lands of 366 days with both changes of the clock, Easter and other feasts: one whose law asks for nothing (announced on day 8, throttled
from day 16, walled off from day 22, blocked from day 40), and Italy's forty days from a notice's delivery. At each moment at which something
may change, each line is as limited as a reckoning by hand says: what is owed is worked out from invoices, payments and disputes by SQL of its
own, days and hours by an almanac that is written out (tests/support/dunning_oracle.py). And what happens when a payment, two passes or
the end of a connection come at the same moment.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from support.books_isp import make_books
from support.debtors import bill, have_policy, levels, pay_at, the_pass
from support.dunning_oracle import ByHand, Ledger
from support.dunning_policies import ECUADOR, ITALY

from billing.dunning.policy_data import Place, default_policy
from billing.operations.holding_back import (
    NewExclusion,
    close_dispute,
    end_exclusion,
    exclude,
    notice_delivered,
    open_dispute,
)
from billing.operations.promising import Proof, Taken, review_promise, take_promise
from billing.operations.pursuing import pursue
from billing.operations.receiving import reverse_payment
from billing.payments import Happening, NotDone
from billing.runs import dunning_run
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies
from control_plane.control_loop.guard import GuardLimits
from control_plane.jobs.dunning import GuardedRun

pytestmark = pytest.mark.db

QUITO = ZoneInfo("America/Guayaquil")
FIRST, DAYS, PEOPLE = date(2026, 1, 1), 366, 8
AFTER_CHANGES = {date(2026, 3, 30), date(2026, 3, 31), date(2026, 10, 26), date(2026, 10, 27)}
RANKS = {None: 0, "throttle": 1, "walled": 2, "blocked": 3}
# What each invoice has open by its payments and what of that is in dispute, and what each customer paid that lies on no invoice.
OPEN = """
SELECT d.customer_id, d.id, u.due_on, d.payable - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id), 0),
    (SELECT sum(s.amount) FROM dunning_dispute AS s WHERE s.document_id = d.id AND s.closed_at IS NULL)
FROM document AS d JOIN document_due AS u ON u.document_id = d.id
"""
FREE = """
SELECT p.customer_id, sum(p.amount - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = p.id), 0)) FROM payment AS p
WHERE NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) GROUP BY 1
"""
# Who is let be, and until when: by a promise, which what was paid ends unless a person found a proof valid; the line alone; by a person.
PROMISED = """
SELECT c.customer_id, max(p.respite_until) FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id
WHERE p.respite_until > %(now)s AND (p.state <> 'kept' OR p.reviewed) GROUP BY 1
"""
RELIEVED = "SELECT c.customer_id, max(upper(r.during)) FROM relief AS r JOIN contract AS c ON c.id = r.contract_id WHERE r.during @> %(now)s::timestamptz GROUP BY 1"
EXCLUDED = (
    "SELECT customer_id, max(since) FROM dunning_exclusion WHERE ended_at IS NULL AND since <= %(today)s GROUP BY 1"
)
LEVELS = """
SELECT c.customer_id, max(r.level)::text, count(*) FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id
WHERE r.origin = 'dunning' AND r.lifted_at IS NULL GROUP BY 1
"""
UNDELIVERED = """
SELECT f.id FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id
WHERE f.delivered_at IS NULL AND f.sent_at < %s ORDER BY 1
"""


@dataclass(frozen=True)
class Land:
    """A law, a clock, and the feasts of 2026 as its almanac has them, without those that fall on a weekend."""

    place: Place
    law: int | None
    feasts: frozenset[date]


_BOTH = ("01-01", "01-06", "04-06", "05-01", "12-08", "12-25")
SPAIN = Land(
    Place("ES", ZoneInfo("Europe/Madrid"), ()), None, frozenset(date.fromisoformat(f"2026-{day}") for day in (*_BOTH, "04-03", "10-12")) | {date(2027, 1, 1)}
)  # fmt: skip
LAWFUL = Land(ITALY, 40, frozenset(date.fromisoformat(f"2026-{day}") for day in (*_BOTH, "06-02")) | {date(2027, 1, 1)})


def _world(connection, people, place=ECUADOR):
    isp = make_books(connection, customers=people)
    acting(connection, "maria")
    connection.execute("UPDATE issuer SET country = %s, zone = %s", (place.country, place.zone.key))
    have_policy(connection, isp.issuer, **{"name": "plain", **default_policy(place)})
    return isp


class Life:
    """A year of people, what they do, and what a reckoning by hand says of each of their lines after each moment."""

    def __init__(self, connection, isp, land, seed):
        self.connection, self.isp, self.land, self.random = connection, isp, land, random.Random(seed)
        self.zone = land.place.zone
        self.now = datetime.combine(FIRST, datetime.min.time(), self.zone)
        self.by_hand = {customer: ByHand(0, land.law, open_at=self.open_at) for customer in isp.customers}
        self.ledgers, self.levels = {}, {}
        self.paid, self.disputes, self.excluded, self.proofs = [], [], [], []
        self.done, self.worse, self.acted = Counter(), Counter(), False

    # What the oracle goes by ----------------------------------------------------------------------------------------

    def closed(self, day):
        return day.weekday() in (5, 6) or day in self.land.feasts

    def open_at(self, number, hour):
        day = date.fromordinal(number)
        return 9 <= hour < 17 and not self.closed(day) and not self.closed(day + timedelta(days=1))

    def next_open(self, moment):
        """That moment or the first one after it at which somebody may be cut."""
        clock = moment.astimezone(self.zone)
        while not self.open_at(clock.toordinal(), clock.hour):
            nine = clock.replace(hour=9, minute=0, second=0, microsecond=0)
            clock = nine if clock.hour < 9 else nine + timedelta(days=1)
        return clock

    def asked(self, statement):
        return self.connection.execute(statement, {"now": self.now, "today": self.today}).fetchall()

    @property
    def today(self):
        return self.now.astimezone(self.zone).date()

    def read(self):
        """The ledger of each customer, from invoices, payments and disputes alone; whole euros stand for cents."""
        self.ledgers = {customer: Ledger() for customer in self.isp.customers}
        for customer, document, due, left, disputed in self.connection.execute(OPEN):
            assert left == int(left) >= 0
            if left:
                self.ledgers[customer].open[document] = [[due.toordinal(), int(left)]]
                self.ledgers[customer].disputed[document] = int(disputed or 0)
        for customer, free in self.connection.execute(FREE):
            self.ledgers[customer].credit = int(free)

    def watch(self, *, eased=()):
        """Each line is limited as it is by hand. `eased`: who did something, which makes nothing worse; else after a pass."""
        promised, relieved = dict(self.asked(PROMISED)), dict(self.asked(RELIEVED))
        excluded, clock, number = dict(self.asked(EXCLUDED)), self.now.astimezone(self.zone), self.today.toordinal()
        stand = {customer: (RANKS[level], count) for customer, level, count in self.asked(LEVELS)}
        for customer in eased or self.isp.customers:
            hand, ledger = self.by_hand[customer], self.ledgers[customer]
            before, apart = hand.level, customer in excluded
            if eased:
                ought = hand.ease(ledger, day=number, excluded=apart)
            else:
                ought = hand.look(
                    ledger, day=number, hour=clock.hour, excluded=apart, promised=customer in promised, relieved=customer in relieved
                )  # fmt: skip
            level, count = stand.get(customer, (0, 0))
            assert (level, count) == (ought, bool(ought)), (
                f"{clock}: customer {customer} is at {level} by {count}, ought to be at {ought}: {hand}"
            )
            self.worse[ought] += ought > before
            # Whatever else: who owes nothing that is overdue is not limited.
            assert level == 0 or ledger.owed(number), f"{clock}: customer {customer} owes nothing"
        return [
            end for end in (*promised.values(), *relieved.values()) if end.astimezone(self.zone).date() == self.today
        ]

    # What people do -------------------------------------------------------------------------------------------------

    def act(self):
        """Somebody does something."""
        customer = self.random.choice(self.isp.customers)
        owed = len(self.ledgers[customer].owed(self.today.toordinal()))
        deed = self.random.choice([self.pay, self.pay, self.part, self.early, self.back, self.dispute, self.resolve, self.promise, self.promise, self.review, self.leave_out])  # fmt: skip
        acting(self.connection, "maria")
        whose = deed(customer, owed)
        if whose is not None:
            self.done[deed.__name__] += 1
            self.read()
            self.watch(eased=(whose,))

    def pays(self, customer, amount):
        self.paid.append((customer, pay_at(self.connection, self.isp, customer, f"{amount}.00", self.now).payment))
        return customer

    def pay(self, customer, owed):
        return self.pays(customer, owed) if owed else None

    def part(self, customer, owed):
        return self.pays(customer, owed // 2) if owed > 1 else None

    def early(self, customer, owed):
        return self.pays(customer, owed + 50) if self.random.random() < 0.2 else None

    def back(self, _customer, _owed):
        if not self.paid or self.random.random() > 0.5:
            return None
        customer, gone = self.paid.pop(self.random.randrange(len(self.paid)))
        why = Happening(max(self.today, gone.value_on), "no funds")
        done = reverse_payment(self.connection, gone.id, why, today=self.today, actor="maria", now=self.now)
        assert not isinstance(done, NotDone), done
        return customer

    def dispute(self, customer, _owed):
        row = self.connection.execute(
            "SELECT document_id FROM open_document WHERE customer_id = %s AND open > 0 ORDER BY due_on LIMIT 1",
            (customer,),
        ).fetchone()
        if row is None or self.random.random() > 0.3:
            return None
        found = open_dispute(self.connection, row[0], None, reason="speed", now=self.now, actor="maria")
        if not isinstance(found, int):
            return None
        self.disputes.append((customer, found))
        return customer

    def resolve(self, _customer, _owed):
        if not self.disputes:
            return None
        customer, number = self.disputes.pop(0)
        assert close_dispute(self.connection, number, outcome="ours", now=self.now, actor="maria") is None
        return customer

    def promise(self, customer, owed):
        """Of the promised hours by the clock on the wall, and of whole hours where the clocks are changed meanwhile."""
        if not owed:
            return None
        proof = Proof("slip.txt", "text/plain", b"paid") if self.random.random() < 0.5 else None
        key = (customer, self.isp.issuer, "EUR")
        taken = take_promise(self.connection, key, now=self.now, asked_by="portal", actor="anna", proof=proof)
        if not isinstance(taken, Taken):
            return None
        made, until, rests = self.connection.execute(
            "SELECT made_at, until, respite_until FROM promise WHERE id = %s", (taken.known.id,)
        ).fetchone()
        assert (made, until) == (self.now, self.now.astimezone(UTC) + timedelta(hours=48))
        assert rests == self.next_open(until), (rests, until)
        self.by_hand[customer].has_case = True
        if proof is not None:
            self.proofs.append((customer, taken.known.id))
        return customer

    def review(self, _customer, _owed):
        if not self.proofs:
            return None
        customer, number = self.proofs.pop(0)
        done = review_promise(self.connection, number, valid=self.random.random() < 0.4, now=self.now, actor="maria")
        return None if isinstance(done, NotDone) else customer

    def leave_out(self, customer, _owed):
        if self.excluded and self.random.random() < 0.7:
            customer, number = self.excluded.pop()
            assert end_exclusion(self.connection, number, reason="enough", now=self.now, actor="maria") is None
        elif self.random.random() < 0.2:
            wanted = NewExclusion("whitelist", "talks", self.today, customer_id=customer)
            self.excluded.append((customer, exclude(self.connection, wanted, now=self.now, actor="maria")))
        else:
            return None
        return customer

    # The year -------------------------------------------------------------------------------------------------------

    def at(self, day, clock):
        self.now = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=self.zone)

    def looked(self, until):
        """A pass now, and at each moment until then at which a promise ends."""
        the_pass(self.connection, self.now)
        ends = self.watch()
        for moment in sorted({one.astimezone(UTC) for one in ends if self.now < one < until}):
            self.now = moment.astimezone(self.zone)
            the_pass(self.connection, self.now)
            self.watch()

    def live(self):
        """Day by day: a pass at its beginning, one as the hours begin, one before they end, and people in between."""
        for count in range(DAYS):
            day = FIRST + timedelta(days=count)
            if day.day == 1:
                bill(self.connection, self.isp, day=day)
                self.read()
            # Where the clock was changed, the minutes before and after the hours too.
            clocks = (
                ("00:05", "08:55", "09:00", "16:55", "17:00") if day in AFTER_CHANGES else ("00:05", "09:00", "16:55")
            )
            for clock, following in zip(clocks, (*clocks[1:], "23:59"), strict=True):
                self.at(day, following)
                end = self.now
                self.at(day, clock)
                if clock == "09:00":
                    self.deliver()
                if clock != "16:55" or not self.closed(day) or self.acted:
                    self.looked(end)
                self.acted = self.random.random() < 0.35
                if self.acted:
                    self.now += timedelta(minutes=self.random.randrange(1, 360))
                    self.act()
            self.connection.commit()

    def deliver(self):
        """Formal notices come on the fifth day."""
        sent_by = datetime.combine(self.today - timedelta(days=4), datetime.min.time(), self.zone)
        come = [number for (number,) in self.connection.execute(UNDELIVERED, (sent_by,))]
        if come and self.land.law is not None:
            told = notice_delivered(self.connection, come, delivered_at=self.now, now=self.now, actor="post")
            assert told is None, told


@pytest.mark.parametrize("land", [SPAIN, LAWFUL], ids=["no law", "forty days"])
def test_a_year_catches_no_payer_offline_and_no_debtor_online(database, land):
    with psycopg.connect(database) as connection:
        life = Life(connection, _world(connection, PEOPLE, land.place), land, 1)
        connection.execute(
            "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'abuse', 'throttle', 'spam', 'maria')",
            (life.isp.contracts[0],),
        )
        life.live()
        # It was a year: each thing was done, and people were limited, each further than the other.
        few = {deed: count for deed, count in life.done.items() if count < 4}
        assert (few, len(life.done), min(life.worse[rank] for rank in (1, 2, 3)) > 2) == ({}, 9, True), (
            life.done,
            life.worse,
        )
        assert connection.execute("SELECT count(*) FROM restriction WHERE origin = 'abuse' AND lifted_at IS NULL").fetchone() == (1,)  # fmt: skip
        _check_steps(connection)


def _check_steps(connection):
    """What limits is of a run, of a case that was open, and there were promises kept and broken."""
    placed = connection.execute("SELECT count(*), count(run_id) FROM restriction WHERE origin = 'dunning'").fetchone()
    assert placed[0] == placed[1] > 10
    assert connection.execute(
        "SELECT count(*) FROM dunning_case_step AS s JOIN dunning_case AS c ON c.id = s.case_id WHERE s.ran_at NOT BETWEEN c.opened_at AND coalesce(c.cleared_at, s.ran_at)"
    ).fetchone() == (0,)
    states = dict(connection.execute("SELECT state::text, count(*) FROM promise GROUP BY 1").fetchall())
    assert min(states.get("kept", 0), states.get("broken", 0)) > 2, states
    # Whatever was lifted was told to others, unless something heavier came in its place.
    assert connection.execute(
        """SELECT count(*) FROM restriction AS r WHERE r.origin = 'dunning' AND r.lifted_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM restriction AS n WHERE n.contract_id = r.contract_id AND n.origin = 'dunning' AND n.since = r.lifted_at AND n.level > r.level)
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.event = 'dunning.lifted' AND o.contract_id = r.contract_id AND o.payload ->> 'level' = r.level::text)"""
    ).fetchone() == (0,)


@pytest.fixture
def due(database):
    """Four customers whom a pass is going to throttle: told on 24 January, and it is Tuesday, 3 February 2026, 10:00 in Quito."""
    with psycopg.connect(database) as connection:
        isp = _world(connection, 4)
        bill(connection, isp, day=date(2026, 1, 1))
        for moment in ("2026-01-17T00:05", "2026-01-24T00:05"):
            the_pass(connection, datetime.fromisoformat(moment).replace(tzinfo=QUITO))
        connection.commit()
    return isp, database, datetime(2026, 2, 3, 10, 0, tzinfo=QUITO)


def _run(now):
    return GuardedRun(now, GuardLimits(100, 100))


def _waits(connection, statement):
    """Whether somebody waits for a lock in that statement."""
    return connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s", (f"%{statement}%",)
    ).fetchone()[0]


def _until(condition):
    """Ask until it holds, for half a minute at most."""
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "nobody waited"
        time.sleep(0.02)


def test_a_payment_beside_a_pass_is_open_whoever_comes_first(due):
    isp, database, now = due
    with (
        psycopg.connect(database) as passing,
        psycopg.connect(database) as paying,
        psycopg.connect(database, autocommit=True) as watching,
        ThreadPoolExecutor(1) as pool,
    ):
        run = _run(now)
        run.begin(passing)
        passing.commit()
        # The pass has cut and not committed: who pays waits for it, and is open when both are done.
        pursue(passing, isp.customers[:1], now, place=run)
        waiting = pool.submit(pay_at, paying, isp, isp.customers[0], "122.00", now)
        _until(lambda: _waits(watching, "FROM customer WHERE id"))
        assert not waiting.done()
        passing.commit()
        waiting.result(timeout=120)
        paying.commit()
        assert levels(watching) == {}
        assert watching.execute("SELECT count(*) FROM restriction").fetchone() == (1,)

        # The payment is there and not committed: the pass waits for nobody, leaves that customer out and holds up no other.
        pay_at(paying, isp, isp.customers[1], "122.00", now)
        done = pursue(passing, isp.customers[1:3], now, place=run)
        paying.commit()
        assert (done.customers, done.placed) == (1, 1)
        passing.rollback()
        assert levels(watching) == {}


def test_whom_somebody_holds_is_looked_at_again_some_minutes_later(due):
    isp, database, now = due
    with psycopg.connect(database) as holding, psycopg.connect(database, autocommit=True) as passing:
        holding.execute("SELECT FROM customer WHERE id = %s FOR NO KEY UPDATE", (isp.customers[0],))
        the_pass(passing, now)
        assert set(levels(passing)) == set(isp.contracts[1:])
        holding.rollback()
        the_pass(passing, now + timedelta(minutes=5))
        assert set(levels(passing)) == set(isp.contracts)


def test_two_passes_at_once_do_everything_once(due):
    isp, database, now = due

    def one_pass():
        with psycopg.connect(database, autocommit=True) as connection:
            return the_pass(connection, now)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(one_pass) for _ in range(2)]:
            done.result(timeout=60)
    with psycopg.connect(database) as connection:
        assert levels(connection) == dict.fromkeys(isp.contracts, "throttle")
        assert connection.execute("SELECT count(*) FROM restriction").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM dunning_case_step WHERE step = 'throttle'").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM message WHERE template = 'throttled'").fetchone() == (4,)


def test_a_pass_that_is_cut_off_is_made_up_for_and_does_nothing_twice(due, monkeypatch):
    isp, database, now = due
    monkeypatch.setattr(dunning_run, "HELD_AT_ONCE", 1)

    class Dying(GuardedRun):
        def __call__(self, connection, cuts, *, still=0):
            if still == 2:
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return super().__call__(connection, cuts, still=still)

    with psycopg.connect(database, autocommit=True) as connection, pytest.raises(psycopg.OperationalError):
        dunning_run.pass_over(
            connection, isp.customers, now, policies=load_policies(connection), place=Dying(now, GuardLimits(100, 100))
        )
    with psycopg.connect(database, autocommit=True) as connection:
        assert len(levels(connection)) == 2
        the_pass(connection, now)
        assert levels(connection) == dict.fromkeys(isp.contracts, "throttle")
        assert connection.execute("SELECT count(*) FROM restriction").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM message WHERE template = 'throttled'").fetchone() == (4,)
