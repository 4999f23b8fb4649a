"""Deeds of a contract in the real database: what each writes, bills and tells, worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pytest
from support.books_isp import make_books
from support.small_isp import SEALED, one

from billing.contract_facts import BilledAs, Level, Origin, Status
from billing.deeds import (
    Activate,
    ChangeAt,
    ChangeCycle,
    Changed,
    ChangePlan,
    Lift,
    Lifter,
    MakeBillable,
    MakeFree,
    Pause,
    ReachEnd,
    Reason,
    Refused,
    Reopen,
    Restrict,
    ScheduleEnd,
)
from billing.operations.doing import NoContractError, do_deed
from billing.store.acting import acting

pytestmark = pytest.mark.db

D = date.fromisoformat
MARCH, APRIL = D("2026-03-01"), D("2026-04-01")


class World:
    """Customers with monthly contracts of 29.90 from 1 January; plan `fast` costs 44.90. The third has a static address too."""

    def __init__(self, connection):
        self.db = connection
        self.isp = make_books(connection)
        self.contract = self.isp.contracts[0]
        acting(connection, "maria")
        self.fast = self.sell("fast", "44.90")
        connection.execute(
            f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) SELECT c, 'user' || c, {SEALED} FROM unnest(%s::bigint[]) c",
            (self.isp.contracts,),
        )
        connection.commit()

    def sell(self, name, price, *, months=1):
        acting(self.db, "maria")
        plan = one(
            self.db,
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT %s, profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id",
            name,
        )
        product = one(
            self.db,
            "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES (%s, 'plan', %s, 'access', %s) RETURNING id",
            *(name, plan, self.isp.tax_codes["IVA-22"]),
        )
        self.db.execute(
            "INSERT INTO price (product_id, currency, months, unit_price, during) VALUES (%s, 'EUR', %s, %s, '[2020-01-01,)')",
            (product, months, price),
        )
        return plan

    def do(self, deed, today, *, contract=None, reason=""):
        outcome = do_deed(self.db, contract or self.contract, deed, today=D(today), actor="maria", reason=reason)
        self.db.commit()
        assert isinstance(outcome, Changed), outcome
        return outcome

    def why(self, deed, today, *, contract=None):
        outcome = do_deed(self.db, contract or self.contract, deed, today=D(today), actor="maria")
        self.db.rollback()
        assert isinstance(outcome, Refused), outcome
        return outcome.reason

    def bill(self, start, end, *, item=None, net="29.90", days=None):
        """Charge a time of an item as a run would, without a document."""
        acting(self.db, "job billing")
        days = days or (D(end) - D(start)).days
        item = item or self.isp.items[0]
        self.db.execute(
            "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
            " VALUES (%s, 'period', daterange(%s, %s), %s, %s, %s, %s, 'EUR', %s, 'job billing')",
            (item, start, end, days, days, net, net, start),
        )
        self.db.execute(
            "UPDATE billing_position SET billed_through = %s, due_on = %s WHERE item_id = %s", (end, end, item)
        )
        self.db.commit()

    def items(self, contract=None, kind="plan"):
        """From, to, price, billed through, due, of each item that ever was."""
        rows = self.db.execute(
            "SELECT i.starts_on::text, i.ends_on::text, i.period_price, b.billed_through::text, b.due_on::text FROM contract_item i"
            " LEFT JOIN billing_position b ON b.item_id = i.id WHERE contract_id = %s AND kind = %s"
            " AND (i.ends_on IS NULL OR i.ends_on > i.starts_on) ORDER BY i.starts_on, i.id",
            (contract or self.contract, kind),
        ).fetchall()
        return [(*row[:2], str(row[2].normalize()), *row[3:]) for row in rows]

    def credits(self, contract=None):
        """Days given back, and how much."""
        return self.db.execute(
            "SELECT lower(h.during)::text, upper(h.during)::text, h.net, h.due_on::text FROM charge h JOIN contract_item i ON i.id = h.item_id"
            " WHERE i.contract_id = %s AND h.kind = 'credit' ORDER BY h.id",
            (contract or self.contract,),
        ).fetchall()

    def row(self, table="contract", *, key="id"):
        found = self.db.execute(f"SELECT to_jsonb(t) FROM {table} t WHERE {key} = %s", (self.contract,)).fetchone()
        return found and found[0]

    def events(self):
        return self.db.execute(
            "SELECT event, effective_on::text, status_before::text, status_after::text, actor FROM contract_event WHERE contract_id = %s ORDER BY id",
            (self.contract,),
        ).fetchall()


@pytest.fixture
def world(connection):
    return World(connection)


def test_a_plan_changed_now_is_credited_charged_and_told_in_one_transaction(world):
    world.bill("2026-03-01", "2026-04-01")

    world.do(ChangePlan(world.fast), "2026-03-11")

    # 21 of 31 days of 29.90: 20.2548
    assert world.credits() == [("2026-03-11", "2026-04-01", Decimal("-20.250"), "2026-03-11")]
    assert world.items() == [
        ("2026-01-01", "2026-03-11", "29.9", "2026-04-01", None),
        ("2026-03-11", None, "44.9", "2026-03-11", "2026-03-11"),
    ]
    assert world.row()["plan_id"] == world.fast
    assert world.events()[-1] == ("plan_changed", "2026-03-11", "active", "active", "maria")
    assert one(world.db, "SELECT detail -> 'deed' ->> 'plan' FROM contract_event ORDER BY id DESC LIMIT 1") == str(
        world.fast
    )


def test_of_several_changes_of_a_day_the_last_counts_and_one_and_back_leaves_the_item_as_it_was(world):
    third = world.sell("third", "19.90")
    world.do(ChangePlan(world.fast), "2026-03-11")
    world.do(ChangePlan(third), "2026-03-11")
    assert world.items() == [
        ("2026-01-01", "2026-03-11", "29.9", "2026-01-01", "2026-01-01"),
        ("2026-03-11", None, "19.9", "2026-03-11", "2026-03-11"),
    ]

    world.do(ChangePlan(world.isp.plan), "2026-03-11")

    assert world.items() == [("2026-01-01", None, "29.9", "2026-01-01", "2026-01-01")]
    assert world.row()["plan_id"] == world.isp.plan
    assert world.credits() == []


def test_back_again_after_the_rest_was_credited_is_charged_anew(world):
    world.bill("2026-03-01", "2026-04-01")
    world.do(ChangePlan(world.fast, ChangeAt.DATE, D("2026-03-20")), "2026-03-11")
    assert world.row()["plan_id"] == world.isp.plan
    assert world.credits() == [("2026-03-20", "2026-04-01", Decimal("-11.570"), "2026-03-20")]

    world.do(ChangePlan(world.isp.plan, ChangeAt.DATE, D("2026-03-20")), "2026-03-12")

    assert world.items() == [
        ("2026-01-01", "2026-03-20", "29.9", "2026-04-01", None),
        ("2026-03-20", None, "29.9", "2026-03-20", "2026-03-20"),
    ]
    assert one(world.db, "SELECT count(*) FROM plan_change") == 0


def test_a_change_on_a_date_waits_for_the_network_and_cuts_the_items_at_it(world):
    world.do(ChangePlan(world.fast, ChangeAt.DATE, APRIL), "2026-03-11")

    assert world.row()["plan_id"] == world.isp.plan
    assert world.db.execute("SELECT plan_id, effective_on, applied_at FROM plan_change").fetchall() == [
        (world.fast, APRIL, None)
    ]
    assert world.items() == [
        ("2026-01-01", "2026-04-01", "29.9", "2026-01-01", "2026-01-01"),
        ("2026-04-01", None, "44.9", "2026-04-01", "2026-04-01"),
    ]


def test_a_change_dated_back_credits_from_its_day_with_todays_due_day(world):
    world.bill("2026-03-01", "2026-04-01")

    world.do(ChangePlan(world.fast, ChangeAt.DATE, D("2026-03-05")), "2026-03-20")

    assert world.credits() == [("2026-03-05", "2026-04-01", Decimal("-26.040"), "2026-03-20")]
    assert world.items()[-1] == ("2026-03-05", None, "44.9", "2026-03-05", "2026-03-05")
    assert world.row()["plan_id"] == world.fast


def test_a_change_dated_back_before_the_open_books_is_refused(world):
    acting(world.db, "maria")
    world.db.execute(
        "INSERT INTO fiscal_period (issuer_id, during, closed_by) VALUES (%s, '[2026-01-01,2026-03-01)', 'maria')",
        (world.isp.issuer,),
    )
    world.db.commit()
    early = ChangePlan(world.fast, ChangeAt.DATE, D("2026-02-28"))

    assert world.why(early, "2026-03-20") is Reason.BOOKS_CLOSED
    world.do(ChangePlan(world.fast, ChangeAt.DATE, MARCH), "2026-03-20")


def test_a_plan_that_no_product_sells_or_that_has_no_price_is_refused(world):
    unsold = one(
        world.db,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'x', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id",
    )
    world.db.commit()
    assert world.why(ChangePlan(unsold), "2026-03-11") is Reason.NOT_OFFERED
    acting(world.db, "maria")
    world.db.execute("DELETE FROM price WHERE product_id = (SELECT id FROM product WHERE plan_id = %s)", (world.fast,))
    world.db.commit()
    assert world.why(ChangePlan(world.fast), "2026-03-11") is Reason.NO_PRICE


def test_a_quarter_instead_of_a_month_credits_the_rest_and_begins_on_the_day(world):
    third = world.isp.contracts[2]
    for item in (world.isp.items[2], world.isp.addresses[0]):
        net = "29.90" if item == world.isp.items[2] else "5.00"
        world.bill("2026-03-01", "2026-04-01", item=item, net=net)

    world.do(ChangeCycle(D("2026-03-16"), months=3, restart=True), "2026-03-16", contract=third)

    # 16 of 31 days: 15.4323 and 2.5806
    assert [row[2] for row in world.credits(third)] == [Decimal("-15.430"), Decimal("-2.580")]
    assert world.items(third)[-1] == ("2026-03-16", None, "89.7", "2026-03-16", "2026-03-16")
    assert world.items(third, "add_on")[-1] == ("2026-03-16", None, "15", "2026-03-16", "2026-03-16")
    rows = world.db.execute(
        "SELECT anchor::text, wanted_day, months FROM contract_item WHERE contract_id = %s AND ends_on IS NULL",
        (third,),
    ).fetchall()
    assert rows == [("2026-03-16", 16, 3)] * 2


def test_another_billing_day_makes_a_part_up_to_it(world):
    world.bill("2026-03-01", "2026-04-01")

    world.do(ChangeCycle(APRIL, day=15), "2026-03-11")

    assert world.credits() == []
    assert world.items() == [
        ("2026-01-01", "2026-04-01", "29.9", "2026-04-01", None),
        ("2026-04-01", None, "29.9", "2026-04-01", "2026-04-01"),
    ]
    assert one(
        world.db, "SELECT anchor::text FROM contract_item WHERE ends_on IS NULL AND contract_id = %s", world.contract
    ) == ("2026-04-15")


def test_an_end_is_set_moved_and_reached_and_what_is_paid_beyond_it_comes_back(world):
    world.bill("2026-03-01", "2026-04-01")
    world.do(ScheduleEnd(D("2026-03-21")), "2026-03-05")
    assert (world.row()["ends_on"], world.credits()) == ("2026-03-21", [])
    world.do(ScheduleEnd(D("2026-03-26")), "2026-03-06")
    assert world.items() == [("2026-01-01", "2026-03-26", "29.9", "2026-04-01", None)]
    assert world.why(ReachEnd(), "2026-03-25") is Reason.TOO_EARLY

    world.do(ReachEnd(), "2026-03-26")

    # 6 of 31 days: 5.7870
    assert world.credits() == [("2026-03-26", "2026-04-01", Decimal("-5.790"), "2026-03-26")]
    assert world.row()["status"] == "ended"
    assert world.events()[-1] == ("ended", "2026-03-26", "active", "ended", "maria")


def test_leaving_early_costs_what_the_table_says_and_reopening_takes_it_back(world):
    acting(world.db, "maria")
    world.db.execute(
        "INSERT INTO early_exit_cost (product_id, from_month, currency, amount) VALUES (%s, 0, 'EUR', 60), (%s, 2, 'EUR', 40)",
        (world.isp.products["Home 30"],) * 2,
    )
    world.db.execute("UPDATE contract_terms SET minimum_until = '2028-01-01'")
    world.db.commit()
    world.do(ScheduleEnd(D("2026-03-10")), "2026-03-10")
    world.do(ReachEnd(), "2026-03-10")
    exits = "SELECT kind::text, net, due_on::text FROM charge WHERE kind IN ('early_exit', 'credit') ORDER BY id"
    assert world.db.execute(exits).fetchall() == [("early_exit", Decimal("40.000"), "2026-03-10")]

    world.do(Reopen(D("2026-03-20")), "2026-03-20")

    assert world.db.execute(exits).fetchall()[1:] == [("credit", Decimal("-40.000"), "2026-03-20")]
    assert world.items() == [
        ("2026-01-01", "2026-03-10", "29.9", "2026-01-01", "2026-01-01"),
        ("2026-03-20", None, "29.9", "2026-03-20", "2026-03-20"),
    ]
    assert (world.row()["status"], world.row()["ends_on"]) == ("active", None)


def test_leaving_early_never_costs_more_than_the_discounted_rest_and_each_kind_of_prices_has_its_table(world):
    acting(world.db, "maria")
    home = world.isp.products["Home 30"]
    world.db.execute(
        "INSERT INTO early_exit_cost (product_id, from_month, currency, amount, includes_tax) VALUES (%s, 0, 'EUR', 100, false), (%s, 0, 'EUR', 12.20, true)",
        (home, home),
    )
    world.db.execute("UPDATE contract_terms SET minimum_until = '2026-05-01'")
    world.db.execute("UPDATE contract_terms SET includes_tax = true WHERE contract_id = %s", (world.isp.contracts[1],))
    world.db.execute(
        "INSERT INTO discount (contract_id, kind, value, during, reason, placed_by) SELECT id, 'percent', 50, '[2026-01-01,)', 'loyal', 'maria' FROM contract"
    )
    world.db.commit()
    for number in world.isp.contracts[:2]:
        world.do(ScheduleEnd(APRIL), "2026-04-01", contract=number)
        world.do(ReachEnd(), "2026-04-01", contract=number)

    exits = "SELECT i.contract_id, h.net FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id WHERE h.kind = 'early_exit' ORDER BY h.id"
    # April, the last month, would have cost half of 29.90.
    assert world.db.execute(exits).fetchall() == [
        (world.isp.contracts[0], Decimal("14.950")),
        (world.isp.contracts[1], Decimal("12.200")),
    ]


def test_a_free_time_ends_the_items_and_billing_begins_again_with_the_same_prices(world):
    third = world.isp.contracts[2]
    world.do(MakeFree(D("2026-03-11"), "staff", D("2026-09-01")), "2026-03-11", contract=third)
    assert world.items(third) == [("2026-01-01", "2026-03-11", "29.9", "2026-01-01", "2026-01-01")]
    terms = world.db.execute(
        "SELECT free_from::text, free_reason, free_review_on::text FROM contract_terms WHERE contract_id = %s", (third,)
    ).fetchone()
    assert terms == ("2026-03-11", "staff", "2026-09-01")

    world.do(MakeBillable(D("2026-05-11")), "2026-05-11", contract=third)

    assert world.items(third)[1:] == [("2026-05-11", None, "29.9", "2026-05-11", "2026-05-11")]
    assert world.items(third, "add_on") == [
        ("2026-01-01", "2026-03-11", "5", "2026-01-01", "2026-01-01"),
        ("2026-05-11", None, "5", "2026-05-11", "2026-05-11"),
    ]


def test_a_pause_blocks_its_days_and_is_not_paid_and_ends_early_when_lifted(world):
    world.do(Pause(D("2026-08-01"), D("2026-09-01")), "2026-07-20", reason="holidays")
    stop = "SELECT lower(during)::text, upper(during)::text, rule FROM billing_stop"
    assert world.db.execute(stop).fetchall() == [("2026-08-01", "2026-09-01", "credit_days")]
    limit = "SELECT origin::text, level::text, reason, since::text, until::text, lifted_at IS NULL FROM restriction"
    assert world.db.execute(limit).fetchall() == [
        ("customer_pause", "blocked", "holidays", "2026-07-31 22:00:00+00", "2026-08-31 22:00:00+00", True)
    ]

    world.do(Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER), "2026-08-11")

    assert world.db.execute(stop).fetchall() == [("2026-08-01", "2026-08-11", "credit_days")]
    assert one(world.db, "SELECT lifted_by FROM restriction") == "maria"


PAUSES = "SELECT h.kind::text, lower(h.during)::text, upper(h.during)::text, h.net, h.due_on::text, h.covered FROM charge h WHERE kind <> 'period' ORDER BY h.id"


def test_a_pause_costs_its_fee_once_and_taken_back_before_it_took_a_day_it_comes_to_nothing(world):
    acting(world.db, "maria")
    home = world.isp.products["Home 30"]
    world.db.execute(
        "INSERT INTO pause_fee (product_id, currency, amount, includes_tax) VALUES (%s, 'EUR', 3, false), (%s, 'EUR', 3.66, true)",
        (home, home),
    )
    world.db.commit()
    pause = Pause(D("2026-08-01"), D("2026-09-01"))
    world.do(pause, "2026-07-20")
    owed = ("pause_fee", "2026-08-01", "2026-09-01", Decimal("3.000"), "2026-08-01")
    assert world.db.execute(PAUSES).fetchall() == [(*owed, False)]

    world.do(Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER), "2026-07-25")

    back = ("credit", "2026-08-01", "2026-09-01", Decimal("-3.000"), "2026-07-25", True)
    assert world.db.execute(PAUSES).fetchall() == [(*owed, True), back]
    # Set again, it is owed again; lifted in the midst of it, it stays so, and the first is not given back twice.
    world.do(pause, "2026-07-25")
    world.do(Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER), "2026-08-11")
    assert world.db.execute(PAUSES).fetchall() == [(*owed, True), back, (*owed, False)]
    assert world.row()["status"] == "active"


def test_days_of_two_restrictions_are_not_paid_once(world):
    world.do(Pause(D("2026-08-10"), D("2026-08-20")), "2026-08-01")
    world.do(Restrict(Origin.TECHNICAL, Level.BLOCKED, BilledAs.CREDIT_DAYS), "2026-08-05")
    stop = "SELECT lower(during)::text, upper(during)::text FROM billing_stop ORDER BY 1"
    assert world.db.execute(stop).fetchall() == [
        ("2026-08-05", "2026-08-10"),
        ("2026-08-10", "2026-08-20"),
        ("2026-08-20", None),
    ]

    world.do(Lift(Origin.TECHNICAL, Lifter.PROVISIONING), "2026-08-15")

    assert world.db.execute(stop).fetchall() == [("2026-08-05", "2026-08-10"), ("2026-08-10", "2026-08-20")]


def test_a_deed_on_a_contract_that_is_not_there_says_so(world):
    with pytest.raises(NoContractError, match="no contract 4711"):
        do_deed(world.db, 4711, ReachEnd(), today=MARCH, actor="maria")


def test_a_refused_deed_writes_nothing(world):
    assert world.why(Activate(MARCH), "2026-03-01") is Reason.STATUS
    assert [one[0] for one in world.events()] == ["created"]
    assert world.row()["status"] == Status.ACTIVE


def test_a_contract_without_terms_is_ended_and_has_no_bill(world):
    alone = one(
        world.db,
        "INSERT INTO contract (customer_id, plan_id, status, starts_on) VALUES (%s, %s, 'active', '2026-01-01') RETURNING id",
        *(world.isp.customers[0], world.isp.plan),
    )
    world.contract = alone
    world.do(ScheduleEnd(D("2026-03-10")), "2026-03-10")
    world.do(ReachEnd(), "2026-03-10")

    assert world.row()["status"] == "ended"
    assert one(world.db, "SELECT count(*) FROM charge") == 0


def test_nothing_of_a_deed_stands_when_its_connection_breaks_before_the_commit(world, database):
    before = world.events()
    with psycopg.connect(database) as second:
        do_deed(second, world.contract, ChangePlan(world.fast), today=MARCH, actor="maria")
        second.close()

    assert (world.events(), world.row()["plan_id"]) == (before, world.isp.plan)
