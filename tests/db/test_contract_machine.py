"""Any deeds on any days, days that pass and runs between them: a contract's items, charges, events and network stay right.

A model beside the database knows only which days are billable, and by which plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import psycopg
import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.billing_world import EVERYTHING
from support.books_isp import make_books
from support.small_isp import SEALED, one

from billing.contract_facts import BilledAs, Level, Origin
from billing.deeds import (
    Accept,
    Activate,
    ChangeAt,
    ChangeCycle,
    Changed,
    ChangePlan,
    EndTrial,
    KeepPlan,
    Lift,
    Lifter,
    MakeBillable,
    MakeFree,
    Pause,
    Propose,
    ReachEnd,
    Reopen,
    Restrict,
    ScheduleEnd,
    Withdraw,
    WithdrawEnd,
)
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.operations.daily_deeds import deeds_due
from billing.operations.doing import do_deed
from billing.operations.making import make_contract
from billing.periods import Timing
from billing.runs.batch import bill_batch
from billing.runs.desk import load_desk
from billing.store.acting import acting
from billing.store.checks.catalogue import find_in
from billing.store.due_work import list_due
from billing.store.runs import confirm_run, end_run, save_prepared

pytestmark = pytest.mark.db

FIRST = date(2026, 1, 10)
AHEAD = timedelta(days=45)
IN_SERVICE = ("trial", "active", "free")


@dataclass
class Model:
    """Billable times, each with its beginning and its end, and the plan from each day on."""

    plan: int
    times: list[list[date | None]] = field(default_factory=list)
    changes: dict[date, int] = field(default_factory=dict)
    end: date | None = None
    deeds: int = 0

    def cut(self, day: date) -> None:
        self.times = [[start, min(day, end or day)] for start, end in self.times if start < day]

    def plan_on(self, day: date) -> int:
        return ([self.plan] + [plan for on, plan in sorted(self.changes.items()) if on <= day])[-1]

    def wanted(self, day: date) -> int | None:
        """The plan that is billed on a day."""
        if self.end is not None and day >= self.end:
            return None
        inside = any(start <= day and (end is None or day < end) for start, end in self.times)
        return self.plan_on(day) if inside else None


def make_machine(conninfo: str, isp, plans: list[int]):
    days = st.integers(-12, 25).map(timedelta)

    class Contracts(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.db = psycopg.connect(conninfo, autocommit=True)
            self.all = self.db.transaction(force_rollback=True)
            self.all.__enter__()
            self.today, self.models = FIRST, {}

        def teardown(self):
            try:
                # Worked out again from nothing, by other code than what wrote it.
                if self.models:
                    assert [f"{one.subject}: {one.message}" for one in find_in(self.db)] == []
            finally:
                self._forget()

        def _forget(self):
            self.all.__exit__(None, None, None)
            self.db.close()

        @initialize()
        def begin(self):
            for trial, timing in ((None, Timing.ANTICIPATED), (10, Timing.POSTICIPATED)):
                fees = (SoldProduct(isp.products["Activation"], instalments=3),)
                new = NewContract(
                    isp.customers[0],
                    SoldProduct(isp.products["Home 30"]),
                    NewTerms(isp.issuer, trial_days=trial, timing=timing, distance=True),
                    add_ons=(SoldProduct(isp.products["Static address"]),),
                    fees=fees,
                )
                number = make_contract(self.db, new, today=self.today, actor="maria")
                self.db.execute(
                    f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, 'm' || %s, {SEALED})",
                    (number, number),
                )
                self.models[number] = Model(isp.plan)
                for deed in (Propose(), Accept(recorded_by="maria"), Activate(self.today)):
                    self._do(number, deed)

        def _status(self, number):
            return one(self.db, "SELECT status::text FROM contract WHERE id = %s", number)

        def _do(self, number, deed):
            status = self._status(number)
            # Alone in a transaction it would be written; a deed that fails by itself fails the test.
            with self.db.transaction():
                outcome = do_deed(self.db, number, deed, today=self.today, actor="maria")
                self.db.execute("SET CONSTRAINTS ALL IMMEDIATE")
                self.db.execute("SET CONSTRAINTS ALL DEFERRED")
            if isinstance(outcome, Changed):
                self.models[number].deeds += 1
                event(f"{type(deed).__name__} was done")
                self._learn(number, deed, outcome, status)

        def _learn(self, number, deed, outcome, before):
            model, after = self.models[number], outcome.contract
            on = outcome.effective_on
            if isinstance(deed, Activate):
                model.times = [[after.billable_from, None]]
            elif isinstance(deed, MakeFree):
                model.cut(on)
            elif isinstance(deed, MakeBillable):
                # While it was free only the network had a plan: billing has the one of today.
                now = model.plan_on(self.today)
                model.changes = {day: plan for day, plan in model.changes.items() if not on <= day <= self.today}
                model.changes[on] = now
                model.times.append([on, None])
            elif isinstance(deed, Reopen):
                model.end = None
                model.times.append([on, None])
            elif isinstance(deed, ChangePlan):
                model.changes[on] = deed.plan
            elif isinstance(deed, KeepPlan):
                del model.changes[on]
            elif isinstance(deed, ReachEnd | Withdraw):
                model.cut(on if isinstance(deed, ReachEnd) else self.today)
            if isinstance(deed, ScheduleEnd):
                model.changes = {day: plan for day, plan in model.changes.items() if day < deed.on}
            if before in IN_SERVICE:
                model.end = after.ends_on

        # One rule for all: of several, hypothesis leaves some out of most examples.
        @rule(n=st.integers(0, 1), passing=st.integers(0, 12), bills=st.booleans(), data=st.data())
        def deed(self, n, passing, bills, data):
            self.days_pass(passing)
            if bills:
                self.run()
            number = sorted(self.models)[n]
            status = self._status(number)
            on = self.today + data.draw(days)
            plan = data.draw(st.sampled_from(plans))
            common = [
                ScheduleEnd(on),
                *[WithdrawEnd()] * 3,
                Pause(max(on, self.today), max(on, self.today) + timedelta(9)),
                Restrict(Origin.TECHNICAL, Level.BLOCKED, BilledAs.CREDIT_DAYS),
                Lift(Origin.TECHNICAL, Lifter.PROVISIONING),
                Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER),
                ReachEnd(),
                *([Withdraw()] if data.draw(st.integers(0, 3)) == 0 else []),
            ]
            free = MakeFree(min(on, self.today), "gift", self.today + timedelta(30))
            change = ChangePlan(plan, ChangeAt.DATE, on)
            keep = KeepPlan(max((day for day in self.models[number].changes if day > self.today), default=on))
            deeds = {
                "trial": [*common, EndTrial(), free],
                "active": [*common, free, change, change, change, keep, ChangePlan(plan), ChangeCycle(on, months=2)],
                "free": [*common, MakeBillable(min(on, self.today)), MakeBillable(self.today), change, keep],
                "ended": [Reopen(min(on, self.today)), Reopen(self.today)],
            }
            self._do(number, data.draw(st.sampled_from(deeds[status])))

        def days_pass(self, days):
            for _ in range(days):
                self.today += timedelta(1)
                passed = deeds_due(self.db, self.today, issuer_id=isp.issuer, zone="Europe/Rome")
                assert passed.problems == ()
                for number, told in passed.done:
                    if number not in self.models:
                        continue
                    self.models[number].deeds += 1
                    if told == "ended":
                        self.models[number].cut(self.models[number].end)

        def run(self):
            acting(self.db, "maria")
            made = save_prepared(self.db, isp.issuer, self.today, EVERYTHING, expected={}, by="maria")
            confirm_run(self.db, made.id, by="maria")
            desk = load_desk(self.db, isp.issuer, run_id=made.id, run_date=self.today, through=self.today)
            due = list_due(self.db, isp.issuer, EVERYTHING, through=self.today)
            for contracts in due.batches(10):
                sheaf = bill_batch(self.db, desk, contracts, made_by="job billing")
                assert sheaf.failures == ()
            end_run(self.db, made.id)
            late = self.db.execute(
                "SELECT i.contract_id, p.* FROM billing_position p JOIN contract_item i ON i.id = p.item_id JOIN contract c ON c.id = i.contract_id"
                " WHERE p.due_on <= %s AND c.status IN ('trial', 'active', 'free', 'ended') AND i.contract_id = ANY (%s)",
                (self.today, sorted(self.models)),
            ).fetchall()
            assert late == []
            event("a run was done")

        @invariant()
        def every_billable_day_has_one_plan_item_and_no_other_has(self):
            for number, model in self.models.items():
                if self._status(number) in ("draft", "proposal", "pending", "cancelled"):
                    continue
                items = self.db.execute(
                    "SELECT i.starts_on, i.ends_on, p.plan_id FROM contract_item i JOIN product p ON p.id = i.product_id WHERE contract_id = %s AND i.kind = 'plan'",
                    (number,),
                ).fetchall()
                day = FIRST - timedelta(20)
                while day < self.today + AHEAD:
                    found = [plan for start, end, plan in items if start <= day and (end is None or day < end)]
                    # What has not begun waits until the end comes.
                    wanted = model.wanted(day)
                    behind = model.end is not None and day >= model.end and self._status(number) in IN_SERVICE
                    assert found == [wanted] * (wanted is not None) or (behind and len(found) <= 1), (number, day)
                    day += timedelta(1)

        @invariant()
        def the_network_has_the_plan_of_today_and_the_end(self):
            for number, model in self.models.items():
                row = self.db.execute(
                    "SELECT status::text, plan_id, ends_on FROM contract WHERE id = %s", (number,)
                ).fetchone()
                if row[0] in IN_SERVICE:
                    assert row[1:] == (model.plan_on(self.today), model.end), number

        @invariant()
        def what_is_charged_behind_an_items_end_was_given_back(self):
            wrong = self.db.execute(
                "SELECT h.id, h.net, given.net FROM charge h JOIN contract_item i ON i.id = h.item_id JOIN contract c ON c.id = i.contract_id"
                " CROSS JOIN LATERAL (SELECT coalesce(sum(g.net), 0) AS net FROM charge g WHERE g.corrects_id = h.id) AS given"
                " WHERE h.kind = 'period' AND i.contract_id = ANY (%s) AND (h.net + given.net < 0 OR (lower(h.during) >= i.ends_on"
                " AND (i.ends_on < c.ends_on OR c.ends_on IS NULL OR c.status = 'ended') AND h.net + given.net <> 0))",
                (sorted(self.models),),
            ).fetchall()
            assert wrong == []

        @invariant()
        def every_deed_was_told(self):
            for number, model in self.models.items():
                events = self.db.execute(
                    "SELECT status_before::text, status_after::text FROM contract_event WHERE contract_id = %s ORDER BY id",
                    (number,),
                ).fetchall()
                assert len(events) == 1 + model.deeds, number
                assert all(events[at][1] == events[at + 1][0] for at in range(len(events) - 1))
                assert events[-1][1] == self._status(number)

    return Contracts


def test_any_life_of_a_contract_keeps_its_days_its_money_and_its_events_right(module_database):
    with psycopg.connect(module_database) as connection:
        isp = make_books(connection, customers=1, starts_on=date(2030, 1, 1))
        acting(connection, "maria")
        plans = [isp.plan]
        for name, price in (("fast", 40), ("faster", 50)):
            plan = one(
                connection,
                "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT %s, profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id",
                name,
            )
            product = one(
                connection,
                "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES (%s, 'plan', %s, 'access', %s) RETURNING id",
                *(name, plan, next(iter(isp.tax_codes.values()))),
            )
            connection.execute(
                "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', %s, '[2020-01-01,)')",
                (product, price),
            )
            plans.append(plan)
    machine = make_machine(module_database, isp, plans)
    case = machine.TestCase
    case.settings = settings(max_examples=6, stateful_step_count=20)
    case("runTest").runTest()
