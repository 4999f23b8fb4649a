"""A deed and the billing run at the same moment on the same contract: whichever is first, no day is charged twice and none is missing."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
from support.billing_world import EVERYTHING, bill, prepare
from support.books_isp import make_books

from billing.deeds import ChangeAt, Changed, ChangePlan, ScheduleEnd, WithdrawEnd
from billing.operations.doing import do_deed
from billing.periods import Cycle
from billing.runs.batch import bill_batch
from billing.runs.desk import load_desk
from billing.store.acting import acting
from billing.store.checks.catalogue import check_books
from control_plane import db

pytestmark = pytest.mark.db
MONTHS, CONTRACTS = 25, 8
MONTHLY = Cycle(date(2026, 1, 1), 1, 1)
# Of plan items: how often each day is charged, less how often it was given back. A credit without units is no time.
DAYS = """
SELECT i.contract_id, day::date, count(*) FILTER (WHERE h.kind = 'period') - count(*) FILTER (WHERE h.kind = 'credit' AND h.units > 0)
FROM contract_item i JOIN charge h ON h.item_id = i.id CROSS JOIN LATERAL generate_series(lower(h.during), upper(h.during) - 1, interval '1 day') AS day
WHERE i.kind = 'plan' AND day < %s GROUP BY 1, 2
"""


def sell_another_plan(connection, isp):
    acting(connection, "maria")
    (plan,) = connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'fast', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id"
    ).fetchone()
    connection.execute(
        "WITH p AS (INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('fast', 'plan', %s, 'access', %s) RETURNING id)"
        " INSERT INTO price (product_id, currency, unit_price, during) SELECT id, 'EUR', 44.90, '[2020-01-01,)' FROM p",
        (plan, isp.tax_codes["IVA-22"]),
    )
    connection.commit()
    return plan


def deed_of(chance, plans, today):
    on = today + timedelta(chance.randrange(28))
    return chance.choice(
        [
            ChangePlan(chance.choice(plans)),
            ChangePlan(chance.choice(plans), ChangeAt.DATE, on),
            ChangePlan(chance.choice(plans), ChangeAt.NEXT_BOUNDARY),
            # The end is behind the next month: what comes then may take it back.
            ScheduleEnd(on + timedelta(45), notice_waived=True),
            WithdrawEnd(),
        ]
    )


def test_a_deed_and_a_run_at_once_charge_each_day_once(database, connection):
    isp = make_books(connection, customers=CONTRACTS, static_address_every=99)
    plans = [isp.plan, sell_another_plan(connection, isp)]
    run_id = prepare(database, MONTHLY.anchor)
    chance = random.Random(7)
    days = [MONTHLY.boundary(n) for n in range(MONTHS)]
    rounds = [(day, contract, deed_of(chance, plans, day)) for day in days for contract in isp.contracts]
    rounds = [(day, contract, deed if n % 3 else WithdrawEnd()) for n, (day, contract, deed) in enumerate(rounds)]
    together, done, failed = threading.Barrier(2, timeout=60), [], []

    def run():
        with db.connect(database, name="run", autocommit=True) as own:
            desk = load_desk(own, isp.issuer, run_id=run_id, run_date=days[0], through=days[0])
            for day, contract, _ in rounds:
                together.wait()
                sheaf = bill_batch(own, replace(desk, run_date=day, through=day), [contract], made_by="job billing")
                failed.extend(sheaf.failures)

    def deeds():
        with db.connect(database, name="deeds") as own:
            for day, contract, deed in rounds:
                together.wait()
                outcome = do_deed(own, contract, deed, today=day, actor="maria")
                own.commit()
                done.append(isinstance(outcome, Changed))

    problems = []

    def guarded(work):
        try:
            work()
        except BaseException as error:  # told to the test's own thread
            problems.append(error)
            together.abort()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (run, deeds)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (problems, failed) == ([], [])
    assert sum(done) > len(rounds) / 3
    bill(database, MONTHLY.boundary(MONTHS), scope=EVERYTHING)

    with db.connect(database, name="test") as own:
        assert [f"{one.check} {one.subject}: {one.message}" for one in check_books(own)] == []
        charged = {(contract, day): times for contract, day, times in own.execute(DAYS, (days[-1],))}
        ends = dict(own.execute("SELECT id, ends_on FROM contract").fetchall())
    for contract in isp.contracts:
        until = min(days[-1], ends[contract] or days[-1])
        expected = [MONTHLY.anchor + timedelta(n) for n in range((until - MONTHLY.anchor).days)]
        assert {day: charged.get((contract, day), 0) for day in expected} == dict.fromkeys(expected, 1)
