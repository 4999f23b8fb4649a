"""Dunning done in the database: cases, steps, limits, and that who pays is restored in the transaction that says so (I19 to I27)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from support.books_isp import make_books
from support.debtors import at, bill, deliver, have_policy, levels, mails_go, pay_at, steps, the_pass
from support.dunning_policies import ECUADOR, ITALY

from billing import deeds as do
from billing.contract_facts import Level, Origin
from billing.documents import Due
from billing.dunning.policy_data import default_policy
from billing.gateways.events import EventKind
from billing.money import Money
from billing.operations import contested, holding_back
from billing.operations.doing import do_deed
from billing.operations.giving_back import refund_given, write_off
from billing.operations.holding_back import NewPlan, agree_plan, confirm_step
from billing.operations.promising import Taken, take_promise
from billing.operations.receiving import match_payment, reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.runs import dunning_run
from billing.store.acting import acting
from billing.store.dunning_facts import load_accounts
from billing.store.dunning_policies import load_policies, respite_end
from billing.store.holding_back import load_notices
from billing.store.message_list import send_again
from billing.store.payments import hold_customers, load_methods
from billing.store.promises import _RECEIVED
from control_plane.check_others import check_dunning
from control_plane.control_loop.guard import GuardLimits
from control_plane.findings import Verdict
from control_plane.jobs import dunning as job
from control_plane.jobs.dunning import GuardedRun
from control_plane.jobs.upkeep import clear_messages
from control_plane.settings import RetentionSettings, Settings
from control_plane.store.automation import undo_run
from control_plane.store.cut_log import load_cuts
from control_plane.store.interventions import save_release

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def isp(module_database):
    """Six customers with one contract each; an invoice of 122.00 each, due on 16 January 2026."""
    with psycopg.connect(module_database) as opened:
        made = make_books(opened, customers=6)
        have_policy(opened, made.issuer)
        bill(opened, made, day=date(2026, 1, 1))
        opened.commit()
        return made


@pytest.fixture
def connection(module_database, isp):
    """Of a test's own transaction, which is taken back."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def walled(connection, isp):
    """All are walled off: noticed on 1 February, delivered on the 3rd; the forty days end on a Sunday, 15 March."""
    for day in ("2026-01-13", "2026-01-17", "2026-01-19", "2026-02-01"):
        the_pass(connection, at(day, "00:10"))
    for customer in isp.customers:
        deliver(connection, customer, at("2026-02-03"))
    # Throttled on the Monday after the forty days, walled off on the first open day three days after them.
    for day in ("2026-03-16", "2026-03-18"):
        the_pass(connection, at(day, "09:00"))
    assert levels(connection) == dict.fromkeys(isp.contracts, "walled")
    return isp


def eur(cents):
    return Money(cents, "EUR")


def count(connection, statement, *given):
    row = connection.execute(statement, given).fetchone()
    return row[0]


def test_a_debt_goes_from_the_reminder_to_the_wall_by_the_days_of_the_policy_and_the_law(connection, isp):
    someone = isp.customers[0]
    the_pass(connection, at("2026-01-12", "00:10"))
    assert count(connection, "SELECT count(*) FROM dunning_reminder") == 0
    the_pass(connection, at("2026-01-13", "00:10"))
    assert (
        count(connection, "SELECT count(*) FROM dunning_reminder WHERE step = 'due_soon' AND due_on = '2026-01-16'")
        == 6
    )
    assert count(connection, "SELECT count(*) FROM dunning_case") == 0
    the_pass(connection, at("2026-01-17", "00:10"))
    assert count(connection, "SELECT count(*) FROM dunning_case WHERE cleared_at IS NULL") == 6
    the_pass(connection, at("2026-01-19", "00:10"))
    assert steps(connection, someone) == ["reminder"]
    the_pass(connection, at("2026-02-01", "00:10"))
    notice = connection.execute(
        "SELECT f.channel, f.amount::text, f.delivered_at, cardinality(f.documents) FROM formal_notice f JOIN dunning_case c ON c.id = f.case_id WHERE c.customer_id = %s",
        (someone,),
    ).fetchone()
    assert notice == ("certified_mail", "122.000", None, 1)

    # Not delivered, nothing follows, however long it is.
    the_pass(connection, at("2026-03-16", "09:00"))
    assert levels(connection) == {}
    deliver(connection, someone, at("2026-03-16", "12:00"))
    # Forty days from 16 March: 25 April, a Saturday and a holiday; the Monday after it is open.
    the_pass(connection, at("2026-04-24", "10:00"))
    assert levels(connection) == {}
    the_pass(connection, at("2026-04-27", "00:05"))
    assert levels(connection) == {}
    the_pass(connection, at("2026-04-27", "09:00"))
    assert levels(connection) == {isp.contracts[0]: "throttle"}
    placed = connection.execute(
        "SELECT reason, placed_by, run_id IS NOT NULL, since FROM restriction WHERE contract_id = %s",
        (isp.contracts[0],),
    ).fetchone()
    assert placed is not None
    assert placed[1:] == ("dunning run 1", True, at("2026-04-27", "09:00"))
    assert placed[0] == "122.00 EUR overdue since 2026-01-16 (101 days), documents: 1"


def test_a_day_is_looked_at_once_and_twice_at_once_does_nothing_more(connection, walled):
    before = count(connection, "SELECT count(*) FROM restriction"), count(connection, "SELECT count(*) FROM dunning_case_step")  # fmt: skip
    assert the_pass(connection, at("2026-03-18", "09:01")) == "nobody is to be looked at"
    connection.execute("UPDATE dunning_pass SET done_at = NULL")
    said = the_pass(connection, at("2026-03-18", "09:02"))
    assert "0 steps, 0 reminders, 0 restrictions placed, 0 lifted" in said
    assert before == (
        count(connection, "SELECT count(*) FROM restriction"),
        count(connection, "SELECT count(*) FROM dunning_case_step"),
    )


def test_the_payment_s_own_transaction_opens_the_line_at_any_hour(connection, walled):
    someone, contract = walled.customers[0], walled.contracts[0]
    night = at("2026-03-21", "23:40")
    recorded = pay_at(connection, walled, someone, "122.00", night)

    assert contract not in levels(connection)
    assert len(levels(connection)) == 5
    lifted = connection.execute(
        "SELECT DISTINCT lifted_by, lifted_at FROM restriction WHERE contract_id = %s AND level = 'walled'", (contract,)
    ).fetchall()
    assert lifted == [(f"payment {recorded.payment.id}", night)]
    assert count(connection, "SELECT cleared_at FROM dunning_case WHERE customer_id = %s", someone) == night
    # Others are told in that transaction too (I20), and the customer is.
    events = connection.execute(
        "SELECT event, payload ->> 'by' FROM outbox WHERE (payload ->> 'customer')::bigint = %s AND event <> 'dunning.step' AND event LIKE 'dunning.%%' ORDER BY id",
        (someone,),
    ).fetchall()
    assert events == [("dunning.cleared", None), ("dunning.lifted", f"payment {recorded.payment.id}")]
    assert (
        count(connection, "SELECT count(*) FROM message WHERE customer_id = %s AND template = 'restored'", someone) == 1
    )


def test_what_is_not_enough_opens_nothing(connection, walled):
    pay_at(connection, walled, walled.customers[0], "121.99", at("2026-03-21", "23:40"))
    assert levels(connection)[walled.contracts[0]] == "walled"


def test_only_dunning_is_lifted(connection, walled):
    contract = walled.contracts[0]
    connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) SELECT %s, o::restriction_origin, 'blocked', 'x', 'maria' FROM unnest(ARRAY['abuse', 'legal', 'admin']) AS o",
        (contract,),
    )
    pay_at(connection, walled, walled.customers[0], "122.00", at("2026-03-20"))
    left = connection.execute(
        "SELECT origin::text FROM restriction WHERE contract_id = %s AND lifted_at IS NULL ORDER BY 1", (contract,)
    ).fetchall()
    assert left == [("abuse",), ("admin",), ("legal",)]


def test_who_pays_the_oldest_is_set_back_to_the_days_of_the_next(connection, isp, walled):
    """A second invoice, due on 16 February: paying the first one leaves a younger debt, that no notice listed."""
    bill(connection, isp, day=date(2026, 2, 1), places=[0])
    someone, contract = isp.customers[0], isp.contracts[0]
    pay_at(connection, isp, someone, "122.00", at("2026-03-20", "20:00"))
    assert contract not in levels(connection)
    # It is another debt, and another case, with its own reminders, noted by the next turn of the job.
    the_pass(connection, at("2026-03-20", "20:01"))
    cases = connection.execute(
        "SELECT cleared_at IS NULL, (SELECT array_agg(step ORDER BY step) FROM dunning_case_step WHERE case_id = c.id) FROM dunning_case c WHERE customer_id = %s ORDER BY id",
        (someone,),
    ).fetchall()
    assert cases == [
        (False, ["formal_notice", "reminder", "throttle", "walled"]),
        (True, ["formal_notice"]),
    ]


def test_a_payment_that_comes_back_is_pursued_again_in_the_hours_and_not_in_its_own_transaction(connection, walled):
    someone, contract = walled.customers[0], walled.contracts[0]
    paid = pay_at(connection, walled, someone, "122.00", at("2026-03-20", "11:00"))
    gone = reverse_payment(
        connection,
        paid.payment.id,
        Happening(date(2026, 3, 23), "no funds"),
        today=date(2026, 3, 23),
        actor="maria",
        now=at("2026-03-23", "11:00"),
    )
    assert not isinstance(gone, NotDone)
    assert contract not in levels(connection)
    # A new case: told again before anything is limited, and never without the law's forty days.
    the_pass(connection, at("2026-03-23", "11:01"))
    assert contract not in levels(connection)
    assert (
        count(connection, "SELECT count(*) FROM dunning_case WHERE customer_id = %s AND cleared_at IS NULL", someone)
        == 1
    )


def test_what_is_written_off_is_owed_no_more(connection, walled):
    document = count(connection, "SELECT document_id FROM open_document WHERE customer_id = %s", walled.customers[1])
    done = write_off(
        connection,
        document,
        reason="dead",
        dated=date(2026, 3, 20),
        today=date(2026, 3, 20),
        actor="maria",
        now=at("2026-03-20"),
    )
    assert isinstance(done, int)
    assert walled.contracts[1] not in levels(connection)


def test_what_goes_back_of_what_was_too_much_ends_no_plan_that_is_kept(connection, isp):
    someone = isp.customers[0]
    (invoice,) = connection.execute(
        "SELECT document_id FROM open_document WHERE customer_id = %s", (someone,)
    ).fetchone()
    parts = (Due(date(2026, 2, 10), eur(6100)), Due(date(2090, 12, 10), eur(6100)))
    plan = agree_plan(connection, NewPlan((invoice,), parts, "asked"), now=at("2026-01-20"), actor="maria")
    assert isinstance(plan, int)
    paid = pay_at(connection, isp, someone, "70.00", at("2026-02-09")).payment
    bill(connection, isp, day=date(2026, 2, 1))
    for day in ("2026-02-17", "2026-02-19"):
        the_pass(connection, at(day, "00:10"))
    (method,) = [one for one in load_methods(connection, isp.issuer) if one.code == "transfer"]
    why = Happening(date(2026, 3, 1), "too much", PaymentSource.WEBHOOK, "re_1")

    # Of 70.00 the first instalment took 61.00, and all of it is the invoice's: 9.00 of it are open again.
    given = refund_given(connection, paid.id, eur(900), method, why, today=date(2026, 3, 1), actor="maria")

    assert isinstance(given, int)
    assert connection.execute("SELECT ended_on, end_reason FROM instalment_plan").fetchall() == [(None, None)]
    assert count(connection, "SELECT open::text FROM open_document WHERE document_id = %s", invoice) == "61.000"
    # What is not kept by it ends it, as it did.
    why = Happening(date(2026, 3, 1), "all of it", PaymentSource.WEBHOOK, "re_2")
    refund_given(connection, paid.id, eur(6100), method, why, today=date(2026, 3, 1), actor="maria")
    assert count(connection, "SELECT count(*) FROM instalment_plan WHERE ended_on IS NOT NULL") == 1


def test_a_plan_whose_instalment_is_contested_at_the_bank_goes_on_until_that_is_decided(connection, isp):
    someone = isp.customers[0]
    (invoice,) = connection.execute(
        "SELECT document_id FROM open_document WHERE customer_id = %s", (someone,)
    ).fetchone()
    parts = (Due(date(2026, 2, 10), eur(6100)), Due(date(2090, 12, 10), eur(6100)))
    agree_plan(connection, NewPlan((invoice,), parts, "asked"), now=at("2026-01-20"), actor="maria")
    paid = pay_at(connection, isp, someone, "61.00", at("2026-02-09")).payment
    # Something else is overdue too, so that dunning looks.
    bill(connection, isp, day=date(2026, 2, 1))
    the_pass(connection, at("2026-02-17", "00:10"))
    before = {invoice: eur(6100)}
    why = Happening(date(2026, 3, 1), "disputed", PaymentSource.WEBHOOK, "dp_1")
    given = {"reference": "dp_1", "reason": "disputed", "actor": "maria"}

    reverse_payment(
        connection, paid.id, why, today=date(2026, 3, 1), actor="maria", now=at("2026-03-01"),
        contest=lambda: contested.withhold(connection, before, **given),
    )  # fmt: skip
    the_pass(connection, at("2026-03-02", "00:10"))

    ended = "SELECT count(*) FROM instalment_plan WHERE ended_on IS NOT NULL"
    assert count(connection, "SELECT amount::text FROM dunning_dispute WHERE closed_at IS NULL") == "61.000"
    assert count(connection, ended) == 0
    # Lost, it is an instalment that was not paid.
    contested.decided(connection, EventKind.DISPUTE_LOST, "dp_1", actor="maria")
    assert count(connection, ended) == 1


def test_what_a_promise_received_is_read_by_its_customer_and_not_from_all_payments(connection, isp):
    someone, other = isp.customers[0], isp.customers[1]
    mine = pay_at(connection, isp, someone, "10.00", at("2026-02-09")).payment
    moved = pay_at(connection, isp, other, "20.00", at("2026-02-09")).payment
    gone = pay_at(connection, isp, someone, "40.00", at("2026-02-09")).payment
    by = {"reason": "said wrong", "today": date(2026, 2, 9), "actor": "maria"}
    match_payment(connection, moved.id, someone, **by)
    match_payment(connection, gone.id, other, **by)
    asked = {
        "customer": someone,
        "issuer": isp.issuer,
        "currency": "EUR",
        "since": mine.made_at,
        "until": at("2090-01-01"),
    }
    assert connection.execute(_RECEIVED, asked).fetchone() == (Decimal(30),)
    # What is in dispute counts until that is decided.
    reverse_payment(connection, mine.id, Happening(date(2026, 2, 9), "x", PaymentSource.WEBHOOK, "dp_1"), today=date(2026, 2, 9), actor="maria")  # fmt: skip
    assert connection.execute(_RECEIVED, asked).fetchone() == (Decimal(20),)
    document = count(connection, "SELECT document_id FROM open_document WHERE customer_id = %s", someone)
    holding_back.write_dispute(connection, document, eur(1000), reason="x", now=at("2026-02-09"), actor="maria", reference="dp_1")  # fmt: skip
    assert connection.execute(_RECEIVED, asked).fetchone() == (Decimal(30),)
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = "\n".join(line for (line,) in connection.execute("EXPLAIN " + _RECEIVED, asked))
    assert ("payment_customer" in plan, "payment_match_customer" in plan, "Seq Scan" in plan) == (True, True, False), (
        plan
    )


def test_more_than_the_guard_s_share_waits_for_a_person_and_nobody_is_told(connection, isp):
    for day in ("2026-01-17", "2026-02-01"):
        the_pass(connection, at(day, "00:10"))
    for customer in isp.customers:
        deliver(connection, customer, at("2026-02-03"))
    said = the_pass(connection, at("2026-03-16", "09:00"), never_less_than=5)
    assert "6 restrictions placed" in said
    assert "waits for a person: 6 of 0 subscribers online in an hour, more than 5" in said
    assert levels(connection) == {}
    assert "throttle" not in steps(connection, isp.customers[0])
    # Let go, the next look notes the step, and the log of cuts says what was told.
    acting(connection, "maria")
    run = count(connection, "SELECT DISTINCT run_id FROM restriction WHERE run_id IS NOT NULL")
    save_release(connection, [], runs=[run], reason="they owe", by="maria", now=at("2026-03-16", "09:10"))
    the_pass(connection, at("2026-03-16", "09:15"))
    assert "throttle" in steps(connection, isp.customers[0])
    log = load_cuts(connection, zone=ITALY.zone, customer_id=isp.customers[0], limit=9)
    assert [(one.level, one.steps, [str(told) for told in one.told], one.released_by) for one in log] == [("throttle", ["throttle"], ["email throttled: queued"], "maria")]  # fmt: skip
    # Who pays what is held is lifted too.
    pay_at(connection, isp, isp.customers[0], "122.00", at("2026-03-16", "09:30"))
    assert isp.contracts[0] not in levels(connection)


def test_a_relief_by_a_person_ends_where_something_may_be_cut(connection, walled):
    """Until Friday, 20 March: its end is midnight before a Saturday, and the first open hour is Monday, 23 March, 09:00."""
    midnight = at("2026-03-21", "00:00")
    assert respite_end(connection, walled.contracts[0], midnight) == at("2026-03-23", "09:00")


def test_a_fee_is_owed_by_the_next_invoice_and_an_end_waits_for_a_person(connection, walled):
    """Version 2 charges 49.00 from day 5 and ends 60 days after the law's; the fee is of today's price."""
    fee = {"code": "fee", "offset_days": 5, "action": "fee", "fee_product": "Activation"}
    ended = {"code": "ended", "counted_from": "not_before", "offset_days": 60, "action": "end", "confirm": True}
    usual = [one for one in default_policy(ITALY)["step"] if one["code"] != "propose_end"]
    have_policy(connection, walled.issuer, step=[*usual, fee, ended])
    the_pass(connection, at("2026-03-19", "00:10"))
    items = connection.execute(
        "SELECT contract_id, period_price::text, starts_on FROM contract_item WHERE kind = 'one_off' ORDER BY contract_id"
    ).fetchall()
    assert [(one[0], one[1][:5], one[2]) for one in items] == [
        (contract, "49.00", date(2026, 3, 19)) for contract in walled.contracts
    ]

    # 60 days after Sunday, 15 March: Thursday, 14 May. Only who was confirmed ends, on the day after.
    case = count(
        connection, "SELECT id FROM dunning_case WHERE customer_id = %s AND cleared_at IS NULL", walled.customers[0]
    )
    assert confirm_step(connection, case, "ended", now=at("2026-05-13"), actor="maria") is None
    the_pass(connection, at("2026-05-13", "10:00"))
    assert count(connection, "SELECT count(*) FROM contract WHERE ends_on IS NOT NULL") == 0
    the_pass(connection, at("2026-05-14", "10:00"))
    ends = connection.execute("SELECT id, ends_on FROM contract WHERE ends_on IS NOT NULL").fetchall()
    assert ends == [(walled.contracts[0], date(2026, 5, 15))]
    assert "ended" in steps(connection, walled.customers[0])


def test_what_a_person_undid_is_let_be_for_three_days(connection, walled):
    run = count(connection, "SELECT max(run_id) FROM restriction")
    undo_run(connection, run, by="maria", reason="wrong policy", now=at("2026-03-18", "11:00"))
    for moment in (("2026-03-18", "11:30"), ("2026-03-19", "09:30")):
        the_pass(connection, at(*moment))
        assert levels(connection) == {}
    the_pass(connection, at("2026-03-24", "09:30"))
    assert levels(connection) == dict.fromkeys(walled.contracts, "walled")


def test_who_paid_on_the_due_day_keeps_nobody_else_from_being_looked_at(connection, isp, monkeypatch):
    """Five are looked at in a turn. Five pay on the due day, 16 January; the sixth is cut all the same."""
    monkeypatch.setattr(job, "LOOKS_A_TURN", 5)
    the_pass(connection, at("2026-01-16", "00:10"))
    for customer in isp.customers[:5]:
        pay_at(connection, isp, customer, "122.00", at("2026-01-16", "12:00"))
    for day in ("2026-01-17", "2026-01-19", "2026-02-01"):
        the_pass(connection, at(day, "00:10"))
    deliver(connection, isp.customers[5], at("2026-02-03"))
    for clock in ("00:10", "00:11", "09:00", "09:01"):
        the_pass(connection, at("2026-03-16", clock))
    assert levels(connection) == {isp.contracts[5]: "throttle"}
    assert the_pass(connection, at("2026-03-16", "09:02")) == "nobody is to be looked at"


def test_what_comes_back_while_customers_are_surveyed_is_looked_at(connection, isp, monkeypatch):
    someone = isp.customers[0]
    the_pass(connection, at("2026-01-16", "00:10"))
    pay_at(connection, isp, someone, "122.00", at("2026-01-16", "12:00"))
    meanwhile = at("2026-01-17", "00:10")
    surveyed = dunning_run.look_over

    def returned(connection, customers, now, **given):
        part = surveyed(connection, customers, now, **given)
        connection.execute("INSERT INTO dunning_look VALUES (%s, %s, 'EUR', %s) ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET next_at = excluded.next_at WHERE dunning_look.next_at > excluded.next_at", (someone, isp.issuer, now))  # fmt: skip
        return part

    monkeypatch.setattr(dunning_run, "look_over", returned)
    dunning_run.pass_over(connection, [someone], meanwhile, policies=load_policies(connection), place=GuardedRun(meanwhile, GuardLimits(100, 100)))  # fmt: skip
    assert count(connection, "SELECT next_at FROM dunning_look WHERE customer_id = %s", someone) == meanwhile


def test_who_pays_for_a_contract_that_has_ended_is_not_told_that_it_is_open(connection, walled):
    connection.execute(
        "UPDATE contract SET status = 'ended', ends_on = '2026-03-19' WHERE id = %s", (walled.contracts[0],)
    )
    for place in (0, 1):
        pay_at(connection, walled, walled.customers[place], "122.00", at("2026-03-20"))
        assert walled.contracts[place] not in levels(connection)
    told = connection.execute("SELECT customer_id FROM message WHERE template = 'restored'").fetchall()
    assert told == [(walled.customers[1],)]


def test_deliveries_hold_their_customers_all_at_once(connection, isp):
    """Two who name the same customers in another order would wait for each other."""
    for day in ("2026-01-17", "2026-02-01"):
        the_pass(connection, at(day, "00:10"))
    notices = [number for (number,) in connection.execute("SELECT f.id FROM formal_notice f JOIN dunning_case c ON c.id = f.case_id ORDER BY c.customer_id DESC")]  # fmt: skip
    held = []

    def holding(connection, customers):
        held.append(sorted(customers))
        return hold_customers(connection, customers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holding_back, "hold_customers", holding)
        assert holding_back.notice_delivered(connection, notices, delivered_at=at("2026-02-03"), now=at("2026-02-04"), actor="maria") is None  # fmt: skip
    assert held == [sorted(isp.customers)]


def test_a_version_that_can_t_be_read_any_more_opens_who_pays_and_pursues_nobody(connection, walled):
    have_policy(connection, walled.issuer, guard={"region": "nowhere"})
    for place in (0, 1):
        assert pay_at(connection, walled, walled.customers[place], "122.00", at("2026-03-20"))
        assert walled.contracts[place] not in levels(connection)
    loaded = load_policies(connection)[walled.issuer]
    policy = loaded.policy_of(customer_kind="person", method=None, profile=None, now=at("2026-03-20"))
    assert (policy.steps, "guard.region" in policy.unreadable) == ((), True)
    said = check_dunning(connection)
    assert (said.verdict, "'formal notice' version 2" in said.text, "guard.region" in said.text) == (Verdict.FAIL, True, True)  # fmt: skip
    # A later version that can be read takes its place.
    have_policy(connection, walled.issuer)
    assert check_dunning(connection).verdict is Verdict.OK


def test_who_pays_what_was_promised_and_owes_something_else_is_not_limited_at_that_moment(connection, walled):
    """100 promised with 22 in dispute; the dispute is closed, and 100 are paid on Saturday night: open until the respite ends."""
    someone, contract = walled.customers[0], walled.contracts[0]
    document = count(connection, "SELECT document_id FROM open_document WHERE customer_id = %s", someone)
    dispute = holding_back.open_dispute(connection, document, Money(2200, "EUR"), reason="x", now=at("2026-03-20"), actor="maria")  # fmt: skip
    taken = take_promise(connection, (someone, walled.issuer, "EUR"), now=at("2026-03-20", "12:00"), asked_by="operator", actor="maria")  # fmt: skip
    assert isinstance(taken, Taken), taken
    assert holding_back.close_dispute(connection, dispute, outcome="x", now=at("2026-03-21"), actor="maria") is None
    # Of that night, and not of today.
    connection.execute("ALTER TABLE payment ALTER made_at SET DEFAULT '2026-03-21 22:40+00'")
    pay_at(connection, walled, someone, "100.00", at("2026-03-21", "23:40"))
    assert count(connection, "SELECT state::text FROM promise") == "kept"
    ends = count(connection, "SELECT max(upper(during)) FROM relief WHERE contract_id = %s", contract)
    assert ends == count(connection, "SELECT respite_until FROM promise")
    assert ends > at("2026-03-22")


def test_nothing_follows_a_notice_whose_mail_did_not_arrive(connection, isp):
    """By e-mail where no law asks for more: announced on 24 January, throttled after eight days, on Monday 2 February in Quito."""
    acting(connection, "maria")
    connection.execute("UPDATE issuer SET country = 'EC', zone = 'America/Guayaquil'")
    have_policy(connection, isp.issuer, **{**default_policy(ECUADOR), "name": "formal notice"})
    for day in ("2026-01-17", "2026-01-24"):
        the_pass(connection, at(day), mail=False)
    waits, failed, bounced, *others = isp.customers
    mails_go(connection, at("2026-01-24"), of=[failed], state="failed", problem="no such user")
    mails_go(connection, at("2026-01-24"), of=[bounced], state="bounced", problem="mailbox full")
    mails_go(connection, at("2026-01-24"), of=others)
    the_pass(connection, at("2026-02-02", "16:00"), mail=False)
    assert set(levels(connection)) == set(isp.contracts[3:])
    said = check_dunning(connection)
    assert (said.verdict, said.text.partition(",")[0]) == (Verdict.WARN, "2 formal notices did not arrive")
    listed = {one.customer_id: (one.out_at, one.problem) for one in load_notices(connection, delivered=False, limit=9)}
    assert listed == {waits: (None, ""), failed: (None, "failed: no such user"), bounced: (None, "bounced: mailbox full")}  # fmt: skip

    # Mended and sent on 3 February: from then on it has its days, which end on the 11th.
    number = count(connection, "SELECT id FROM message WHERE customer_id = %s AND state = 'failed'", failed)
    send_again(connection, [number], batch_id=None, reason="new address", by="maria")
    mails_go(connection, at("2026-02-03"), of=[failed])
    for day, limited in (("2026-02-10", isp.contracts[3:]), ("2026-02-11", [isp.contracts[1], *isp.contracts[3:]])):
        the_pass(connection, at(day, "16:00"), mail=False)
        assert set(levels(connection)) == set(limited), day

    # What is known only later opens the line.
    connection.execute("UPDATE message SET state = 'bounced' WHERE id = %s", (number,))
    the_pass(connection, at("2026-02-12", "10:00"), mail=False)
    assert set(levels(connection)) == set(isp.contracts[3:])

    # Nor does one that failed count for delivered on the day on which old messages are cleared away.
    clear_messages(connection, Settings(retention=RetentionSettings(message_days=28)), at("2026-05-04", "04:50"))
    the_pass(connection, at("2026-05-04", "16:00"), mail=False)
    assert set(levels(connection)) == set(isp.contracts[3:])


def test_a_contract_that_nobody_bills_is_opened_by_who_pays_too(connection, walled):
    """A person walled off a line without terms for what its customer owes."""
    someone, another = walled.customers[:2]
    acting(connection, "maria")
    unbilled = [
        count(connection, "INSERT INTO contract (customer_id, plan_id, status, starts_on) VALUES (%s, %s, 'active', '2026-01-01') RETURNING id", customer, walled.plan)
        for customer in (someone, another)
    ]  # fmt: skip
    for contract in unbilled:
        connection.execute("INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'dunning', 'walled', 'owes', 'maria')", (contract,))  # fmt: skip
    the_pass(connection, at("2026-03-19", "10:00"))
    assert set(unbilled) <= set(levels(connection))
    pay_at(connection, walled, someone, "122.00", at("2026-03-20", "23:00"))
    assert {unbilled[0], walled.contracts[0]}.isdisjoint(levels(connection))
    assert unbilled[1] in levels(connection)


def test_a_policy_may_be_for_who_pays_by_a_mandate(connection, isp):
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO gateway_account (issuer_id, method_id, name, provider, live, base_url, sealed_secret, sealed_webhook_secret, token) SELECT issuer_id, id, 'sepa', 'gocardless', false, 'https://x', %(s)s, %(s)s, repeat('a', 32) FROM payment_method WHERE code = 'direct_debit'",
        {"s": b"x" * 40},
    )
    account = count(connection, "SELECT id FROM gateway_account")
    for place, state in ((0, "active"), (1, "cancelled")):
        connection.execute("INSERT INTO mandate (account_id, customer_id, ref, state, made_by) VALUES (%s, %s, %s, %s, 'maria')", (account, isp.customers[place], place, state))  # fmt: skip
    have_policy(connection, isp.issuer, name="debit", scope={"methods": ["direct_debit"]})

    def names():
        return [one.policy.name for one in load_accounts(connection, isp.customers[:3], at("2026-01-17"))]

    connection.execute("SET LOCAL ROLE corrente_web")  # who pays is looked at by what takes webhooks in, too
    assert names() == ["debit", "formal notice", "formal notice"]
    connection.execute("RESET ROLE")
    connection.execute("UPDATE gateway_account SET enabled = false")
    assert names() == ["formal notice"] * 3


def test_who_promises_while_a_pass_goes_on_is_not_limited_by_it(connection, isp):
    for day in ("2026-01-17", "2026-01-19", "2026-02-01"):
        the_pass(connection, at(day, "00:10"))
    for customer in isp.customers:
        deliver(connection, customer, at("2026-02-03"))
    # The pass that began at nine comes to this customer some seconds later.
    begun, key = at("2026-03-16", "09:00"), (isp.customers[0], isp.issuer, "EUR")
    taken = take_promise(connection, key, now=begun + timedelta(seconds=5), asked_by="operator", actor="maria")
    assert isinstance(taken, Taken), taken
    the_pass(connection, begun)
    assert levels(connection) == dict.fromkeys(isp.contracts[1:], "throttle")


def test_what_a_person_limits_for_a_debt_is_looked_at_at_once_as_it_may_have_been_paid_meanwhile(connection, isp):
    pay_at(connection, isp, isp.customers[0], "122.00", at("2026-01-18"))
    deed = do.Restrict(Origin.DUNNING, Level.WALLED)
    done = do_deed(connection, isp.contracts[0], deed, today=date(2026, 1, 18), actor="maria", reason="owes")
    assert isinstance(done, do.Changed)
    looks = connection.execute("SELECT customer_id FROM dunning_look WHERE next_at <= now()").fetchall()
    assert looks == [(isp.customers[0],)]
