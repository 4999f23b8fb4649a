"""Deeds and credit notes by hand on contracts that a run has in hand, or that it is still to give something back: once, not twice."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal

import pytest
from support.billing_world import bill, go_on, prepare
from support.books_isp import make_books
from support.small_isp import SEALED, one

from billing.contract_facts import Origin
from billing.credits import NothingLeftError
from billing.deeds import Accept, Activate, ChangeAt, ChangePlan, Lift, Lifter, Pause, Propose, ReachEnd, ScheduleEnd
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.operations.daily_deeds import deeds_due
from billing.operations.doing import do_deed
from billing.operations.invoices import credit_document
from billing.operations.making import make_contract
from billing.periods import Timing
from billing.runs.batch import HeldUpError, bill_batch
from billing.runs.desk import RunRefusedError, load_desk
from billing.store.acting import acting
from billing.store.books import close_through
from billing.store.checks.catalogue import find_in
from control_plane import db

pytestmark = pytest.mark.db
D = date.fromisoformat
BEGUN = D("2026-01-10")
WAIT_S = 30


class Office:
    """A contract at 29.90 since 10 January, and a dearer plan that it may change to."""

    def __init__(self, connection, timing=Timing.ANTICIPATED):
        self.db = connection
        self.isp = make_books(connection, customers=1, starts_on=D("2030-01-01"))
        acting(connection, "maria")
        self.fast = one(
            connection,
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'fast', profile_id, profile_id, profile_id FROM plan LIMIT 1 RETURNING id",
        )
        product = one(
            connection,
            "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('fast', 'plan', %s, 'access', %s) RETURNING id",
            *(self.fast, self.isp.tax_codes["IVA-22"]),
        )
        connection.execute(
            "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 40, '[2020-01-01,)')",
            (product,),
        )
        new = NewContract(
            self.isp.customers[0], SoldProduct(self.isp.products["Home 30"]), NewTerms(self.isp.issuer, timing=timing)
        )
        self.contract = make_contract(connection, new, today=BEGUN, actor="maria")
        connection.execute(
            f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, 'anna', {SEALED})",
            (self.contract,),
        )
        for deed in (Propose(), Accept(recorded_by="maria"), Activate(BEGUN)):
            self.do(deed, BEGUN)

    def do(self, deed, today):
        outcome = do_deed(self.db, self.contract, deed, today=today, actor="maria")
        self.db.commit()
        assert not hasattr(outcome, "sentence"), outcome

    def credit(self, amounts, day):
        """Give back of the newest invoice."""
        acting(self.db, "maria")
        invoice = one(self.db, "SELECT max(id) FROM document WHERE kind = 'invoice'")
        credit_document(self.db, invoice, amounts, document_date=day, reason="a word", actor="maria")
        self.db.commit()

    def credits(self):
        found = self.db.execute(
            "SELECT lower(during)::text, upper(during)::text, net FROM charge WHERE kind = 'credit' ORDER BY id"
        )
        return found.fetchall()

    def given_back(self):
        """What documents gave back, net: credit notes and lines below zero."""
        return one(
            self.db,
            "SELECT coalesce(sum(CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END), 0) FROM document_line AS l JOIN document AS d ON d.id = l.document_id"
            " WHERE d.kind = 'credit_note' OR l.net < 0",
        )

    def wrong(self):
        return [f"{one.subject}: {one.message}" for one in find_in(self.db)]


@pytest.fixture
def office(connection):
    return Office(connection)


def test_a_deed_waits_for_a_run_that_gives_days_of_a_pause_back(office, database):
    bill(database, BEGUN)
    office.do(Pause(D("2026-01-15"), D("2026-01-20")), D("2026-01-15"))
    today = D("2026-01-20")
    run = prepare(database, today)
    worked_out, go_on = threading.Event(), threading.Event()

    def turn():
        worked_out.set()
        assert go_on.wait(WAIT_S)

    def run_it():
        with db.connect(database, name="test run", autocommit=True) as connection:
            desk = load_desk(connection, office.isp.issuer, run_id=run, run_date=today, through=today)
            assert bill_batch(connection, desk, [office.contract], made_by="job billing", turn=turn).failures == ()

    def change():
        with db.connect(database, name="test deed") as connection:
            deed = ChangePlan(office.fast, ChangeAt.DATE, D("2026-01-17"))
            do_deed(connection, office.contract, deed, today=today, actor="maria")

    running, changing = threading.Thread(target=run_it), threading.Thread(target=change)
    running.start()
    assert worked_out.wait(WAIT_S)
    changing.start()
    _until(
        office.db,
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name ~ 'test deed' AND wait_event_type = 'Lock')",
    )
    go_on.set()
    running.join()
    changing.join()
    # 29.90 for 31 days: 5 of the pause (4.82), and the 21 behind it with the change (26 together are 25.08).
    assert office.credits() == [
        ("2026-01-15", "2026-01-20", Decimal("-4.820")),
        ("2026-01-20", "2026-02-10", Decimal("-20.260")),
    ]
    assert office.wrong() == []


def _until(connection, question):
    """Until it is true; a deed that waits for nothing is done before."""
    connection.rollback()
    for _ in range(300):
        if connection.execute(question).fetchone()[0]:
            break
        connection.execute("SELECT pg_sleep(0.01)")
    connection.rollback()


@pytest.mark.parametrize("amounts", [None, {1: None}], ids=["all", "the line"])
def test_a_credit_note_leaves_what_waits_to_be_given_back_to_the_next_run(office, database, amounts):
    bill(database, BEGUN)
    office.do(ChangePlan(office.fast), D("2026-01-20"))
    office.credit(amounts, D("2026-01-20"))
    assert office.given_back() == Decimal("9.650")  # 29.90 less the 20.25 of 21 days that wait
    assert bill(database, D("2026-01-20")).failures == []
    assert office.given_back() == Decimal("29.900")
    assert office.wrong() == []


@pytest.mark.parametrize("note_by_hand", [False, True], ids=["the end alone", "a note by hand before it"])
def test_a_change_to_a_plan_of_the_same_price_leaves_what_an_end_gives_back(office, database, note_by_hand):
    acting(office.db, "maria")
    office.db.execute("UPDATE price SET unit_price = 29.90 WHERE unit_price = 40")
    office.db.commit()
    bill(database, BEGUN)
    office.do(ChangePlan(office.fast), D("2026-01-20"))
    bill(database, D("2026-01-20"))
    if note_by_hand:
        office.credit(None, D("2026-01-20"))
    office.do(ScheduleEnd(D("2026-01-25"), notice_waived=True), D("2026-01-22"))
    office.do(ReachEnd(), D("2026-01-25"))
    bill(database, D("2026-01-25"))
    # 29.90 for 31 days: ten of the old plan are 9.65, which the note gives back; of 20.25 for the rest five are 4.82.
    left = Decimal("4.820") if note_by_hand else Decimal("14.470")
    assert one(office.db, "SELECT sum(CASE kind WHEN 'invoice' THEN net ELSE -net END) FROM document") == left
    assert one(office.db, "SELECT count(*) FROM charge WHERE document_id IS NULL") == 0
    assert office.wrong() == []


def test_more_than_is_left_beside_what_waits_is_refused_in_words(office, database):
    bill(database, BEGUN)
    office.do(ChangePlan(office.fast), D("2026-01-20"))
    with pytest.raises(
        NothingLeftError, match=r"10\.00 EUR of 9\.65 EUR that are left of it beside the 20\.25 EUR that the next run"
    ):
        office.credit({1: Decimal(10)}, D("2026-01-20"))


@pytest.mark.parametrize("amounts", [None, {1: None}], ids=["all", "the line"])
def test_a_line_that_its_own_invoice_gives_back_in_part_is_credited_for_the_rest(connection, database, amounts):
    office = Office(connection, Timing.POSTICIPATED)
    office.do(Pause(D("2026-01-15"), D("2026-01-20")), D("2026-01-15"))
    bill(database, D("2026-02-10"))
    assert office.given_back() == Decimal("4.820")
    office.credit(amounts, D("2026-02-10"))
    assert office.given_back() == Decimal("29.900")
    with pytest.raises(NothingLeftError):
        office.credit(None, D("2026-02-10"))
    connection.rollback()
    assert one(connection, "SELECT sum(CASE kind WHEN 'invoice' THEN gross ELSE -gross END) FROM document") == 0
    assert office.wrong() == []


def test_a_plan_change_whose_day_comes_while_a_deed_applies_it_is_not_applied_again(office, database):
    change = ChangePlan(office.fast, ChangeAt.DATE, D("2026-01-20"))
    office.do(change, D("2026-01-15"))
    told = []

    def day_passes():
        with db.connect(database, name="test day", autocommit=True) as connection:
            told.append(deeds_due(connection, D("2026-01-20"), issuer_id=office.isp.issuer, zone="Europe/Rome").plans)

    # Back to the plan that it had: what waited is history, and nothing changes on the network.
    back = ChangePlan(office.isp.plan, ChangeAt.NOW)
    with db.connect(database, name="test deed") as connection:
        do_deed(connection, office.contract, back, today=D("2026-01-20"), actor="maria")
        passing = threading.Thread(target=day_passes)
        passing.start()
        _until(
            office.db,
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name ~ 'test day' AND wait_event_type = 'Lock')",
        )
    passing.join()
    assert told == [0]
    assert one(office.db, "SELECT plan_id FROM contract WHERE id = %s", office.contract) == office.isp.plan
    assert office.wrong() == []


def test_a_pause_stands_on_the_bill_with_its_fee_which_the_next_one_gives_back_when_it_took_no_day(office, database):
    acting(office.db, "maria")
    office.db.execute(
        "INSERT INTO pause_fee (product_id, currency, amount) VALUES (%s, 'EUR', 3)", (office.isp.products["Home 30"],)
    )
    office.do(Pause(D("2026-02-10"), D("2026-02-20")), BEGUN)
    # Billed as of the pause's first day, and lifted on that day.
    bill(database, D("2026-02-10"))
    lines = "SELECT d.label, l.description, lower(l.during)::text, l.net FROM document_line AS l JOIN document AS d ON d.id = l.document_id WHERE l.net NOT IN (29.90) ORDER BY 1, l.number"
    fee = ("1/RC/2026", "Casa 30: sospensione", "2026-02-10", Decimal("3.000"))
    assert office.db.execute(lines).fetchall() == [fee]

    office.do(Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER), D("2026-02-10"))
    bill(database, D("2026-03-10"))

    assert office.db.execute(lines).fetchall()[1:] == [("2/RC/2026", "Casa 30", "2026-02-10", Decimal("-3.000"))]
    assert office.wrong() == []


def test_a_run_whose_day_was_closed_is_refused_whole_and_not_customer_by_customer(office, database):
    bill(database, BEGUN)
    run = prepare(database, D("2026-01-31"))
    acting(office.db, "maria")
    closed = close_through(
        office.db, office.isp.issuer, D("2026-01-31"), today=D("2026-02-15"), closed_by="maria", despite_unfinished=True
    )
    office.db.commit()
    assert closed.end == D("2026-02-01")
    with pytest.raises(
        RunRefusedError, match=f"closed from {closed.start} to 2026-01-31, and the run is of 2026-01-31"
    ):
        go_on(database, run)
    assert one(office.db, "SELECT count(*) FROM billing_error") == 0


def test_a_day_closed_while_a_batch_is_in_hand_ends_the_run_in_one_sentence(office, database):
    bill(database, BEGUN)
    run = prepare(database, D("2026-02-15"))
    with db.connect(database, name="test run", autocommit=True) as connection:
        desk = load_desk(connection, office.isp.issuer, run_id=run, run_date=D("2026-02-15"), through=D("2026-02-15"))

        def turn():
            acting(office.db, "maria")
            close_through(
                office.db,
                office.isp.issuer,
                D("2026-02-15"),
                today=D("2026-03-01"),
                closed_by="maria",
                despite_unfinished=True,
            )
            office.db.commit()

        with pytest.raises(HeldUpError, match="the books were closed over the run's day"):
            bill_batch(connection, desk, [office.contract], made_by="job billing", turn=turn)
    assert office.db.execute(
        "SELECT (SELECT count(*) FROM billing_error), (SELECT count(*) FROM document)"
    ).fetchone() == (0, 1)


def test_each_row_that_deeds_delete_is_looked_for_by_an_index(office):
    """A stop's charges: without an index each deleted stop reads the whole of charge."""
    office.db.execute("SET LOCAL enable_seqscan = off")
    plan = office.db.execute("EXPLAIN SELECT 1 FROM ONLY charge AS x WHERE stop_id = 5 FOR KEY SHARE OF x").fetchall()
    assert "charge_stop" in str(plan)
