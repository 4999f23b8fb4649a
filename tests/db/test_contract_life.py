"""A contract from the catalogue to its end, and what days bring by themselves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.billing_world import bill
from support.books_isp import make_books
from support.small_isp import SEALED, one

from billing.contract_facts import BilledAs, Level, Origin, Status
from billing.deeds import (
    Accept,
    Activate,
    Cancel,
    ChangeAt,
    Changed,
    ChangePlan,
    KeepPlan,
    Lift,
    Lifter,
    Pause,
    Propose,
    ReachEnd,
    Reason,
    Restrict,
    ScheduleEnd,
    Withdraw,
)
from billing.due_contract import OnNegative
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.operations import daily_deeds
from billing.operations.daily_deeds import Passed, deeds_due
from billing.operations.doing import do_deed
from billing.operations.invoices import WantedInvoice, WantedLine, make_invoice
from billing.operations.making import NewContractError, make_contract
from billing.periods import Alignment, Timing
from billing.store.acting import acting
from billing.store.bound_accounts import AccountBindingError, bind_account, release_account
from billing.store.contract_items import NoPriceError
from billing.store.due_work import Scope

pytestmark = pytest.mark.db
D = date.fromisoformat


class Office:
    """One customer, the catalogue of books_isp, and an account of another contract that new ones may have."""

    def __init__(self, connection):
        self.db = connection
        self.isp = make_books(connection)
        self.home, self.static = self.isp.products["Home 30"], self.isp.products["Static address"]
        self.activation = self.isp.products["Activation"]
        connection.execute(
            f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, 'anna', {SEALED})",
            (self.isp.contracts[0],),
        )
        connection.commit()

    def new(self, today="2026-01-19", **more):
        terms = {"issuer_id": self.isp.issuer, **more.pop("terms", {})}
        given = NewContract(self.isp.customers[0], SoldProduct(self.home), NewTerms(**terms), **more)
        number = make_contract(self.db, given, today=D(today), actor="maria")
        self.db.commit()
        return number

    def fast_plan(self):
        """A plan that costs 40; its number."""
        acting(self.db, "maria")
        plan = one(
            self.db,
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'fast', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id",
        )
        sold = "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('fast', 'plan', %s, 'access', 1) RETURNING id"
        priced = "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 40, '[2020-01-01,)')"
        self.db.execute(priced, (one(self.db, sold, plan),))
        return plan

    def do(self, contract, deed, today):
        outcome = do_deed(self.db, contract, deed, today=D(today), actor="maria")
        assert isinstance(outcome, Changed), outcome
        self.db.commit()
        return outcome

    def bind(self, contract, today="2026-01-19"):
        bind_account(self.db, contract, "anna", today=D(today), actor="maria")
        self.db.commit()

    def pass_day(self, day):
        passed = deeds_due(self.db, D(day), issuer_id=self.isp.issuer, zone="Europe/Rome")
        self.db.commit()
        return passed

    def items(self, contract):
        return self.db.execute(
            "SELECT p.name, i.starts_on::text, i.ends_on::text, i.period_price::numeric(9, 2), i.anchor::text, b.due_on::text FROM contract_item i"
            " JOIN product p ON p.id = i.product_id LEFT JOIN billing_position b ON b.item_id = i.id WHERE contract_id = %s ORDER BY i.id",
            (contract,),
        ).fetchall()

    def events(self, contract):
        rows = self.db.execute("SELECT event FROM contract_event WHERE contract_id = %s ORDER BY id", (contract,))
        return [event for (event,) in rows]

    def status(self, contract):
        return one(self.db, "SELECT status::text FROM contract WHERE id = %s", contract)


@pytest.fixture
def office(connection):
    return Office(connection)


def test_a_draft_is_proposed_accepted_and_activated_and_its_items_begin_then(office):
    made = office.new(
        add_ons=(SoldProduct(office.static, Decimal(2)),),
        fees=(SoldProduct(office.activation, instalments=3),),
        terms={"alignment": Alignment.DAY_OF_MONTH, "billing_day": 13, "minimum_months": 24, "renew_months": 1},
    )
    assert office.status(made) == "draft"
    assert [row[5] for row in office.items(made)] == [None, None, None]
    office.do(made, Propose(), "2026-01-20")
    office.do(made, Accept(recorded_by="maria"), "2026-01-21")
    office.bind(made, "2026-01-22")

    office.do(made, Activate(D("2026-02-01")), "2026-02-01")

    assert office.items(made) == [
        ("Home 30", "2026-02-01", None, Decimal("29.90"), "2026-02-13", "2026-02-01"),
        ("Static address", "2026-02-01", None, Decimal("5.00"), "2026-02-13", "2026-02-01"),
        ("Activation", "2026-02-01", None, Decimal("49.00"), None, "2026-02-01"),
    ]
    # 49.00 in three: 16.34 and twice 16.33, a month apart.
    assert office.db.execute("SELECT due_on::text, amount FROM instalment ORDER BY number").fetchall() == [
        ("2026-02-01", Decimal("16.340")),
        ("2026-03-01", Decimal("16.330")),
        ("2026-04-01", Decimal("16.330")),
    ]
    assert one(office.db, "SELECT minimum_until::text FROM contract_terms WHERE contract_id = %s", made) == "2028-02-01"
    assert office.events(made) == ["created", "proposed", "accepted", "account_bound", "activated"]


def test_fees_due_on_order_count_from_acceptance(office):
    made = office.new(fees=(SoldProduct(office.activation),), terms={"order_fees": True})
    office.do(made, Propose(), "2026-01-20")
    office.do(made, Accept(recorded_by="maria"), "2026-01-21")

    due = {row[0]: row[5] for row in office.items(made)}
    assert due["Activation"] == "2026-01-21"

    office.bind(made)
    office.do(made, Activate(D("2026-03-05")), "2026-03-05")
    rows = {row[0]: row[1:] for row in office.items(made)}
    assert rows["Home 30"] == ("2026-03-05", None, Decimal("29.90"), "2026-03-05", "2026-03-05")
    assert rows["Activation"][0] == "2026-01-21"


def test_a_trial_is_over_on_its_day_and_the_first_charge_is_due_then(office):
    made = office.new(status=Status.PENDING, terms={"trial_days": 14})
    office.bind(made)
    office.do(made, Activate(D("2026-02-01")), "2026-02-01")
    assert office.status(made) == "trial"
    assert office.pass_day("2026-02-14").done == ()

    assert office.pass_day("2026-02-15").done == ((made, "trial_over"),)

    assert office.status(made) == "active"
    assert office.items(made)[0][1:] == ("2026-02-15", None, Decimal("29.90"), "2026-02-15", "2026-02-15")
    assert office.pass_day("2026-02-15").done == ()


def test_a_promotion_counts_from_activation_for_its_months(office):
    acting(office.db, "maria")
    promotion = one(
        office.db,
        "INSERT INTO promotion (name, kind, value, months, offered) VALUES ('Spring', 'percent', 50, 3, '[2026-01-01,2026-06-01)') RETURNING id",
    )
    made = office.new(status=Status.PENDING, promotions=(promotion,))
    office.bind(made)

    office.do(made, Activate(D("2026-02-10")), "2026-02-10")

    assert office.db.execute(
        "SELECT lower(during)::text, upper(during)::text, value::integer FROM discount"
    ).fetchall() == [("2026-02-10", "2026-05-10", 50)]


def test_what_is_not_for_sale_is_refused_by_name(office):
    with pytest.raises(NewContractError, match="'Activation' is one_off, wanted is add_on"):
        office.new(add_ons=(SoldProduct(office.activation),))
    office.db.rollback()
    with pytest.raises(NoPriceError, match="Home 30 has no price in USD without tax on 2026-01-19"):
        office.new(terms={"currency": "USD"})
    office.db.rollback()
    with pytest.raises(NewContractError, match="not as active"):
        office.new(status=Status.ACTIVE)


def test_leaving_makes_the_instalments_that_remain_due(office):
    made = office.new(status=Status.PENDING, fees=(SoldProduct(office.activation, instalments=4),))
    office.bind(made)
    office.do(made, Activate(D("2026-02-01")), "2026-02-01")
    office.do(made, ScheduleEnd(D("2026-03-10")), "2026-03-01")

    office.do(made, ReachEnd(), "2026-03-10")

    # 12.25 each; those of 1 April and 1 May are due now.
    assert office.db.execute("SELECT number, due_on::text, amount FROM instalment ORDER BY number").fetchall() == [
        (1, "2026-02-01", Decimal("12.250")),
        (2, "2026-03-01", Decimal("12.250")),
        (3, "2026-03-10", Decimal("24.500")),
    ]


def test_items_agreed_for_later_or_up_to_a_day_keep_their_days_when_the_contract_is_activated(office):
    made = office.new(status=Status.PENDING, add_ons=tuple(SoldProduct(office.static) for _ in range(4)))
    office.bind(made)
    acting(office.db, "maria")
    own = (("2026-01-19", "2026-03-01"), ("2026-02-10", None), ("2026-01-20", "2026-01-25"), ("2026-01-19", None))
    items = office.db.execute(
        "SELECT id FROM contract_item WHERE kind = 'add_on' AND contract_id = %s ORDER BY id", (made,)
    )
    for (item,), days in zip(items.fetchall(), own, strict=True):
        office.db.execute("UPDATE contract_item SET starts_on = %s, ends_on = %s WHERE id = %s", (*days, item))

    office.do(made, Activate(D("2026-02-01")), "2026-02-01")

    # From, to, due. The third was to last to a day before the contract begins: it never does.
    assert [(row[1], row[2], row[5]) for row in office.items(made)] == [
        ("2026-02-01", None, "2026-02-01"),
        ("2026-02-01", "2026-03-01", "2026-02-01"),
        ("2026-02-10", None, "2026-02-10"),
        ("2026-02-01", "2026-02-01", None),
        ("2026-02-01", None, "2026-02-01"),
    ]


def test_what_a_person_did_before_the_daily_deeds_is_no_problem_of_theirs(office, monkeypatch):
    first = office.isp.contracts[0]
    office.do(first, ScheduleEnd(D("2026-03-10")), "2026-03-01")
    reached = daily_deeds.load_reached

    def quicker(connection, issuer_id, **more):
        found = reached(connection, issuer_id, **more)
        if "contract_id" not in more:
            office.do(first, ReachEnd(), "2026-03-10")
        return found

    monkeypatch.setattr(daily_deeds, "load_reached", quicker)
    assert office.pass_day("2026-03-10") == Passed((), (), 0, 0)
    assert office.status(first) == "ended"


def test_the_day_ends_contracts_and_pauses_and_applies_plans_and_one_that_fails_is_told(office):
    first, second, third = office.isp.contracts
    office.do(first, ScheduleEnd(D("2026-03-10")), "2026-03-01")
    office.do(second, Pause(D("2026-03-02"), D("2026-03-10")), "2026-03-01")
    acting(office.db, "maria")
    plan = office.fast_plan()
    office.do(third, ChangePlan(plan, ChangeAt.DATE, D("2026-03-10")), "2026-03-01")
    fourth = office.new(status=Status.PENDING)
    office.bind(fourth)
    office.do(fourth, Activate(D("2026-03-01")), "2026-03-01")
    office.do(fourth, ScheduleEnd(D("2026-03-10")), "2026-03-01")
    office.db.execute(
        "CREATE FUNCTION refuse_fourth() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no end for this one'; END $$;"
        f"CREATE TRIGGER refuse_fourth BEFORE UPDATE ON contract FOR EACH ROW WHEN (NEW.id = {fourth}) EXECUTE FUNCTION refuse_fourth()"
    )
    office.db.commit()

    passed = office.pass_day("2026-03-10")

    assert passed.done == ((first, "ended"), (second, "lifted"))
    assert passed.problems == ((fourth, "no end for this one"),)
    assert passed.plans == 1
    assert one(office.db, "SELECT plan_id FROM contract WHERE id = %s", third) == plan
    assert one(office.db, "SELECT lifted_at FROM restriction").isoformat() == "2026-03-09T23:00:00+00:00"
    again = office.pass_day("2026-03-10")
    assert (again.done, len(again.problems), again.plans) == ((), 1, 0)


def test_a_change_of_plan_that_waits_is_taken_back_and_all_is_as_before(office):
    number = office.new(status=Status.PENDING)
    office.bind(number)
    office.do(number, Activate(D("2026-02-01")), "2026-02-01")
    before, plan = office.items(number), office.fast_plan()
    office.do(number, ChangePlan(plan, ChangeAt.DATE, D("2026-03-10")), "2026-03-01")
    assert [row[0] for row in office.items(number)] == ["Home 30", "fast"]

    office.do(number, KeepPlan(D("2026-03-10")), "2026-03-02")

    assert [row for row in office.items(number) if row[1] != row[2]] == before
    told = one(office.db, "SELECT detail FROM contract_event WHERE event = 'plan_kept' AND contract_id = %s", number)
    assert (told["before"], told["after"]) == ({"plan_changes": [["2026-03-10", plan]]}, {"plan_changes": []})
    assert office.pass_day("2026-03-10").plans == 0
    refused = do_deed(office.db, number, KeepPlan(D("2026-03-10")), today=D("2026-03-02"), actor="maria")
    assert refused.reason is Reason.NO_CHANGE


def test_a_renewal_is_noticed_once_before_the_term_ends_and_not_to_who_leaves(office):
    stays, leaves = office.isp.contracts[:2]
    acting(office.db, "maria")
    office.db.execute(
        "UPDATE contract_terms SET minimum_until = '2026-12-31', renew_months = 12, notice_days = 60 WHERE contract_id IN (%s, %s)",
        (stays, leaves),
    )
    office.do(leaves, ScheduleEnd(D("2026-12-31")), "2026-06-01")
    assert office.pass_day("2026-10-31").notices == 0

    assert office.pass_day("2026-11-01").notices == 1

    assert office.pass_day("2026-11-02").notices == 0
    assert office.db.execute("SELECT contract_id, kind, due_on::text FROM contract_notice").fetchall() == [
        (stays, "renewal", "2026-11-01")
    ]


def test_an_account_goes_from_one_contract_to_another_and_both_are_told(office):
    first, second = office.isp.contracts[:2]
    assert bind_account(office.db, second, "anna", today=D("2026-03-01"), actor="maria") == first
    assert bind_account(office.db, second, "anna", today=D("2026-03-01"), actor="maria") is None
    assert (office.events(first), office.events(second)) == (
        ["created", "account_released"],
        ["created", "account_bound"],
    )

    release_account(office.db, second, "anna", today=D("2026-03-02"), actor="maria")

    assert one(office.db, "SELECT expires_at <= now() FROM subscriber_account") is True
    with pytest.raises(AccountBindingError, match="released already"):
        release_account(office.db, second, "anna", today=D("2026-03-02"), actor="maria")
    assert bind_account(office.db, second, "anna", today=D("2026-03-03"), actor="maria") == second
    assert one(office.db, "SELECT expires_at FROM subscriber_account") is None
    with pytest.raises(AccountBindingError, match="no subscriber account 'bruno'"):
        bind_account(office.db, second, "bruno", today=D("2026-03-01"), actor="maria")


def test_a_cancelled_contract_owes_nothing_of_what_waited(office):
    made = office.new(status=Status.PENDING, fees=(SoldProduct(office.activation),), terms={"order_fees": True})
    acting(office.db, "job billing")
    item = one(office.db, "SELECT id FROM contract_item WHERE contract_id = %s AND kind = 'one_off'", made)
    office.db.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, 'one_off', '[2026-01-19,2026-01-20)', 1, 1, 49, 49, 'EUR', '2026-01-19', 'job billing')",
        (item,),
    )

    office.do(made, Cancel(), "2026-01-25")

    assert one(office.db, "SELECT sum(net) FROM charge WHERE item_id = %s", item) == 0
    assert one(office.db, "SELECT bool_and(covered) FROM charge WHERE item_id = %s", item) is True
    assert office.status(made) == "cancelled"


def test_who_withdraws_gets_a_credit_note_for_each_invoice_and_owes_nothing(office, database):
    made = office.new(
        status=Status.PENDING,
        fees=(SoldProduct(office.activation, instalments=3),),
        add_ons=(SoldProduct(office.static),),
        terms={"distance": True},
    )
    office.bind(made)
    office.do(made, Activate(D("2026-01-20")), "2026-01-20")
    # A month, the address and the first of three parts: 29.90 + 5.00 + 16.34, with 22 %.
    assert bill(database, D("2026-01-20"), scope=Scope(contract_id=made)).invoices == 1
    office.do(made, Restrict(Origin.TECHNICAL, Level.BLOCKED, BilledAs.CREDIT_DAYS), "2026-01-22")

    office.do(made, Withdraw(), "2026-01-30")

    documents = office.db.execute("SELECT kind::text, net, gross, reason FROM document ORDER BY id").fetchall()
    assert documents == [
        ("invoice", Decimal("51.240"), Decimal("62.510"), None),
        ("credit_note", Decimal("51.240"), Decimal("62.510"), f"contract {made} withdrawn"),
    ]
    assert one(office.db, "SELECT balance FROM customer_balance WHERE customer_id = %s", office.isp.customers[0]) == 0
    assert (
        one(
            office.db,
            "SELECT sum(h.net) FROM charge h JOIN contract_item i ON i.id = h.item_id WHERE i.contract_id = %s",
            made,
        )
        == 0
    )
    later = bill(database, D("2026-06-30"), scope=Scope(contract_id=made))
    assert (later.charges, later.invoices, later.credit_notes) == (0, 0, 0)


@pytest.mark.parametrize(
    "terms", [{}, {"timing": Timing.POSTICIPATED}, {"on_negative": OnNegative.CREDIT_NOTE, "order_fees": True}]
)
def test_who_withdraws_before_a_run_has_billed_anything_is_never_billed(office, database, terms):
    made = office.new(
        status=Status.PENDING,
        fees=(SoldProduct(office.activation, instalments=3),),
        add_ons=(SoldProduct(office.static),),
        terms={"distance": True, **terms},
    )
    office.bind(made)
    office.do(made, Activate(D("2026-01-20")), "2026-01-20")
    office.do(made, Restrict(Origin.TECHNICAL, Level.BLOCKED, BilledAs.CREDIT_DAYS), "2026-01-22")

    office.do(made, Withdraw(), "2026-01-30")
    later = bill(database, D("2026-06-30"), scope=Scope(contract_id=made))

    assert (later.invoices, later.credit_notes, later.failures) == (0, 0, [])
    nets = "SELECT h.net, h.covered FROM charge h JOIN contract_item i ON i.id = h.item_id WHERE i.contract_id = %s"
    # The ten days of the plan and of the address, recorded as left out.
    assert office.db.execute(nets, (made,)).fetchall() == [(Decimal("0.000"), True)] * 2
    assert (
        one(
            office.db,
            "SELECT count(*) FROM billing_position WHERE due_on IS NOT NULL AND item_id IN"
            " (SELECT id FROM contract_item WHERE contract_id = %s)",
            made,
        )
        == 0
    )


def test_what_a_former_payer_was_invoiced_is_given_back_to_that_one(office, database):
    former, now = office.isp.customers[1:3]
    made = office.new(status=Status.PENDING, terms={"distance": True, "payer_id": former})
    office.bind(made)
    office.do(made, Activate(D("2026-01-20")), "2026-01-20")
    bill(database, D("2026-01-20"), scope=Scope(contract_id=made))
    # By hand, of the contract, to one who never pays anything that a run bills: nothing charged leads to him.
    acting(office.db, "maria")
    office.db.execute("UPDATE contract_terms SET payer_id = %s WHERE contract_id = %s", (office.isp.customers[0], made))
    by_hand = WantedInvoice((WantedLine(office.activation),), D("2026-01-21"), contract_id=made)
    make_invoice(office.db, by_hand, actor="maria")
    office.db.execute("UPDATE contract SET customer_id = %s WHERE id = %s", (now, made))
    office.db.execute("UPDATE contract_terms SET payer_id = %s WHERE contract_id = %s", (now, made))
    office.db.commit()

    office.do(made, Withdraw(), "2026-01-30")

    documents = office.db.execute("SELECT kind::text, customer_id, gross FROM document ORDER BY id").fetchall()
    assert documents[:2] == [
        ("invoice", former, Decimal("36.480")),
        ("invoice", office.isp.customers[0], Decimal("59.780")),
    ]
    assert [("credit_note", *own) for _, *own in documents[:2]] == documents[2:]


def test_a_proposal_expires_by_itself_the_day_after_it_held(office):
    short, long = office.new(), office.new()
    office.do(short, Propose(D("2026-01-25")), "2026-01-20")
    office.do(long, Propose(), "2026-01-20")

    assert office.pass_day("2026-01-25").done == ()
    assert office.pass_day("2026-01-26").done == ((short, "expired"),)
    assert office.pass_day("2026-01-26").done == ()
    assert (office.status(short), office.status(long)) == ("cancelled", "proposal")
    assert office.pass_day("2026-02-20").done == ((long, "expired"),)


def test_whole_periods_of_a_legal_stop_are_never_charged_and_what_was_left_out_stays_so(office, database):
    made = office.isp.contracts[0]
    bill(database, D("2026-01-01"))
    office.do(made, Restrict(Origin.LEGAL, Level.BLOCKED, BilledAs.STOP), "2026-01-10")
    bill(database, D("2026-02-01"))
    office.do(made, Lift(Origin.LEGAL, Lifter.OPERATOR), "2026-02-01")
    bill(database, D("2026-03-01"))

    rows = office.db.execute(
        "SELECT lower(h.during)::text, h.net, h.stop_id IS NOT NULL FROM charge AS h WHERE item_id = %s ORDER BY 1",
        (office.isp.items[0],),
    ).fetchall()
    paid = Decimal("29.900")
    assert rows == [("2026-01-01", paid, False), ("2026-02-01", 0, True), ("2026-03-01", paid, False)]
    # The stop lasts to the end of the period that was left out.
    assert one(office.db, "SELECT during::text FROM billing_stop") == "[2026-01-10,2026-03-01)"
    assert one(office.db, "SELECT billing_stop.rule FROM billing_stop") == "stop"
