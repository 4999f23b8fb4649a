"""The life of a contract: every status with every deed as billing.md's table has it, each guard with its neighbour."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from billing.charges import Item, ItemKind, Terms
from billing.contract_facts import BilledAs, Contract, Level, Origin, Restriction, Status
from billing.contracts import decide_deed, plan_on
from billing.deeds import (
    Accept,
    Activate,
    Billing,
    Cancel,
    ChangeAt,
    ChangeCycle,
    Changed,
    ChangePlan,
    Deed,
    EndTrial,
    Expire,
    KeepPlan,
    Lift,
    Lifter,
    MakeBillable,
    MakeFree,
    MoveAddress,
    Network,
    Pause,
    Propose,
    ReachEnd,
    Reason,
    Refuse,
    Refused,
    Reopen,
    Restrict,
    ScheduleEnd,
    Withdraw,
    WithdrawEnd,
)
from billing.money import Money
from billing.periods import Cycle, Period
from billing.terms import Binding, ExitTable

D = date.fromisoformat
TODAY, SOON, PAST, START = D("2026-05-10"), D("2026-06-10"), D("2026-05-04"), D("2026-01-01")
IN_SERVICE = ("trial", "active", "free")
DUNNED = Restriction(Origin.DUNNING, Level.WALLED, PAST)
SCHEMA = (Path(__file__).resolve().parents[3] / "schema.sql").read_text()
PATHS = json.loads(re.search(r"paths\s+CONSTANT jsonb := '(\{[^']*\})'", SCHEMA)[1])


def contract(status="active", **facts) -> Contract:
    status = Status(status)
    served = status in (*map(Status, IN_SERVICE), Status.ENDED)
    some = {
        "account_bound": True,
        "starts_on": START if served else None,
        "ends_on": PAST if status is Status.ENDED else None,
        "billable_from": {"trial": SOON, "active": START, "ended": START}.get(status),
        "free_from": PAST if status is Status.FREE else None,
        "cycle": Cycle(START, 1, 1),
        "signed_on": PAST if status is not Status.DRAFT else None,
        "distance": True,
    }
    return Contract(status, 1, **{**some, **facts})


def done(before: Contract, deed, today=TODAY) -> Changed:
    outcome = decide_deed(before, deed, today)
    assert isinstance(outcome, Changed), outcome
    return outcome


def why(before: Contract, deed, today=TODAY) -> Reason:
    outcome = decide_deed(before, deed, today)
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


# Section 3.3 row by row, with sections 4 and 8 for the deeds it only mentions: deed, from -> to, event, network.
LIMITED = {"restrictions": (DUNNED,)}
TABLE = [
    (Propose(), {"draft": "proposal"}, {}, "proposed", "nothing"),
    (Accept(signed_on=PAST), {"proposal": "pending"}, {}, "accepted", "account_prepared"),
    (Refuse(), {"proposal": "cancelled"}, {}, "refused", "nothing"),
    (Expire(), {"proposal": "cancelled"}, {}, "expired", "nothing"),
    (Activate(TODAY), {"pending": "active"}, {}, "activated", "on"),
    (Activate(TODAY), {"pending": "trial"}, {"trial_days": 30}, "activated", "on"),
    (EndTrial(), {"trial": "active"}, {"billable_from": TODAY}, "trial_over", "nothing"),
    (MakeFree(TODAY, "staff line", SOON), {"trial": "free", "active": "free"}, {}, "made_free", "nothing"),
    (MakeBillable(TODAY), {"free": "active"}, {}, "made_billable", "profile_check"),
    (Restrict(Origin.ABUSE, Level.BLOCKED), dict.fromkeys(IN_SERVICE), {}, "restricted", "level"),
    (Lift(Origin.DUNNING, Lifter.PAYMENT), dict.fromkeys(IN_SERVICE), LIMITED, "lifted", "level"),
    (ChangePlan(2), {"active": "active", "free": "free"}, {}, "plan_changed", "profile"),
    (KeepPlan(SOON), {"active": "active", "free": "free"}, {"plan_changes": ((SOON, 2),)}, "plan_kept", "profile"),
    (ChangeCycle(TODAY, months=3), {"active": "active"}, {}, "period_changed", "nothing"),
    (MoveAddress(7, TODAY), dict.fromkeys(IN_SERVICE), {}, "address_moved", "profile_check"),
    (Pause(TODAY, SOON), dict.fromkeys(IN_SERVICE), {}, "paused", "level"),
    (ScheduleEnd(SOON), dict.fromkeys(IN_SERVICE), {}, "end_scheduled", "nothing"),
    (WithdrawEnd(), dict.fromkeys(IN_SERVICE), {"ends_on": SOON}, "end_withdrawn", "nothing"),
    (ReachEnd(), dict.fromkeys(IN_SERVICE, "ended"), {"ends_on": TODAY}, "ended", "off"),
    (Reopen(TODAY), {"ended": "active"}, {}, "reopened", "on"),
    (Cancel(), {"pending": "cancelled"}, {}, "cancelled", "account_removed"),
    (Withdraw(), {"pending": "cancelled"}, {}, "withdrawn", "account_removed"),
    (Withdraw(), dict.fromkeys(IN_SERVICE, "ended"), {}, "withdrawn", "off"),
]
ACCEPTED = [
    (deed, start, to or start, facts, event, network)
    for deed, ways, facts, event, network in TABLE
    for start, to in ways.items()
]
OTHERS = sorted(
    {(type(deed).__name__, status.value) for deed, *_ in TABLE for status in Status}
    - {(type(deed).__name__, start) for deed, ways, *_ in TABLE for start in ways}
)
A_DEED = {type(deed).__name__: deed for deed, *_ in TABLE}


def test_the_table_has_every_deed():
    assert {type(deed) for deed, *_ in TABLE} == set(get_args(Deed))


@pytest.mark.parametrize(("deed", "start", "to", "facts", "event", "network"), ACCEPTED, ids=str)
def test_a_deed_of_the_table_leads_where_it_says(deed, start, to, facts, event, network):
    got = done(contract(start, **facts), deed)
    assert (got.contract.status, got.event, got.network) == (to, event, network)
    assert re.fullmatch("[a-z_]{1,40}", got.event)


@pytest.mark.parametrize(("deed", "status"), OTHERS)
def test_every_other_pair_is_refused_and_the_sentence_names_the_status_and_what_is_possible(deed, status):
    outcome = decide_deed(contract(status), A_DEED[deed], TODAY)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STATUS
    assert f"the contract is {status};" in outcome.sentence
    onward = {
        "draft": "from here: propose",
        "proposal": "from here: accept, refuse, expire",
        "pending": "from here: activate, cancel, withdraw",
        "ended": "from here: reopen",
        "cancelled": "make a new contract",
    }
    assert outcome.sentence.endswith(onward.get(status, "withdraw"))


LATE = replace(DUNNED, origin=Origin.CUSTOMER_PAUSE, since=SOON, until=D("2026-07-01"))
OPEN = D("2026-05-01")
GUARDS = [
    ("draft", {"complete": False}, Propose(), "incomplete"),
    ("proposal", {}, Accept(), "not_signed"),
    ("proposal", {}, Accept(signed_on=SOON), "date_ahead"),
    ("pending", {"account_bound": False}, Activate(TODAY), "no_account"),
    ("pending", {}, Activate(D("2026-05-11")), "date_ahead"),
    ("pending", {"books_open_from": OPEN}, Activate(D("2026-04-30")), "books_closed"),
    ("pending", {"ends_on": PAST}, Activate(PAST), "after_end"),
    ("trial", {"billable_from": D("2026-05-11")}, EndTrial(), "too_early"),
    ("active", {}, MakeFree(TODAY, "gift", SOON, authorised=False), "role"),
    ("active", {}, MakeFree(TODAY, " ", SOON), "not_explained"),
    ("active", {}, MakeFree(TODAY, "gift", TODAY), "not_explained"),
    ("active", {}, MakeFree(SOON, "gift", SOON), "date_ahead"),
    ("active", {}, MakeFree(D("2025-12-31"), "gift", SOON), "before_start"),
    ("free", {"priced": False}, MakeBillable(TODAY), "no_price"),
    ("free", {}, MakeBillable(D("2026-05-03")), "before_start"),
    ("free", {"ends_on": SOON}, MakeBillable(SOON), "after_end"),
    ("active", {}, Restrict(Origin.LEGAL, Level.BLOCKED, authorised=False), "role"),
    ("active", LIMITED, Restrict(Origin.DUNNING, Level.WALLED), "same"),
    ("active", LIMITED, Lift(Origin.ABUSE, Lifter.OPERATOR), "not_restricted"),
    ("active", {}, ChangePlan(2, offered=False), "not_offered"),
    ("active", {"plan_locked_until": D("2026-05-11")}, ChangePlan(2), "locked"),
    ("active", {}, ChangePlan(1), "same"),
    ("active", {"ends_on": SOON}, ChangePlan(2, ChangeAt.DATE, SOON), "after_end"),
    ("active", {"cycle": None}, ChangePlan(2, ChangeAt.NEXT_BOUNDARY), "incomplete"),
    ("active", {"books_open_from": OPEN}, ChangePlan(2, ChangeAt.DATE, D("2026-04-30")), "books_closed"),
    ("active", {}, KeepPlan(SOON), "no_change"),
    ("active", {"plan_changes": ((SOON, 2),)}, KeepPlan(D("2026-06-11")), "no_change"),
    ("active", {"plan_changes": ((TODAY, 2),)}, KeepPlan(TODAY), "no_change"),
    ("active", {"service_address": 7}, MoveAddress(7, TODAY), "same"),
    ("active", {}, MoveAddress(7, SOON), "date_ahead"),
    ("active", {}, Pause(PAST, SOON), "too_early"),
    ("active", {}, Pause(SOON, SOON), "too_early"),
    ("active", {"ends_on": D("2026-06-09")}, Pause(TODAY, SOON), "after_end"),
    ("active", {"restrictions": (LATE,)}, Pause(TODAY, D("2026-06-11")), "overlap"),
    ("active", {}, ScheduleEnd(SOON, authorised=False), "role"),
    ("active", {}, ScheduleEnd(D("2025-12-31"), notice_waived=True), "before_start"),
    ("active", {"ends_on": SOON}, ScheduleEnd(SOON), "same"),
    ("active", {"binding": Binding(notice_days=32)}, ScheduleEnd(SOON), "notice"),
    ("active", {"ends_on": SOON}, WithdrawEnd(authorised=False), "role"),
    ("active", {}, WithdrawEnd(), "no_end"),
    ("active", {"ends_on": TODAY}, WithdrawEnd(), "end_reached"),
    ("active", {}, ReachEnd(), "no_end"),
    ("active", {"ends_on": D("2026-05-11")}, ReachEnd(), "too_early"),
    ("active", {"ends_on": TODAY}, ChangePlan(2), "end_reached"),
    ("trial", {"ends_on": TODAY}, WithdrawEnd(), "end_reached"),
    ("free", {"ends_on": TODAY}, ChangePlan(2), "end_reached"),
    ("trial", {"billable_from": None}, EndTrial(), "too_early"),
    ("active", {"signed_on": None}, Withdraw(), "too_late"),
    ("ended", {"ends_on": D("2026-04-09")}, Reopen(TODAY), "too_late"),
    ("ended", {"line_is_resold": True}, Reopen(TODAY), "resold"),
    ("ended", {}, Reopen(D("2026-05-03")), "overlap"),
    ("ended", {}, Reopen(SOON), "date_ahead"),
    ("active", {"distance": False}, Withdraw(), "not_distance"),
    ("active", {"signed_on": D("2026-04-25")}, Withdraw(), "too_late"),
]
NEIGHBOURS = [
    ("proposal", {}, Accept(recorded_by="maria")),
    ("pending", {"books_open_from": OPEN}, Activate(OPEN)),
    ("active", {}, MakeFree(START, "gift", D("2026-05-11"))),
    ("free", {}, MakeBillable(PAST)),
    ("free", {"ends_on": SOON}, MakeBillable(D("2026-06-09"))),
    ("active", LIMITED, Restrict(Origin.DUNNING, Level.BLOCKED)),
    ("active", {"plan_locked_until": TODAY}, ChangePlan(2)),
    ("active", {"cycle": None}, ChangePlan(2)),
    ("active", {"ends_on": SOON}, ChangePlan(2, ChangeAt.DATE, D("2026-06-09"))),
    ("active", {"books_open_from": OPEN}, ChangePlan(2, ChangeAt.DATE, OPEN)),
    ("active", {"ends_on": SOON}, Pause(TODAY, SOON)),
    ("active", {"restrictions": (LATE,)}, Pause(TODAY, SOON)),
    ("active", {}, ScheduleEnd(START, notice_waived=True)),
    ("active", {"binding": Binding(notice_days=31)}, ScheduleEnd(SOON)),
    ("active", {"binding": Binding(notice_days=32)}, ScheduleEnd(SOON, notice_waived=True)),
    ("ended", {"ends_on": D("2026-04-10")}, Reopen(TODAY)),
    ("ended", {}, Reopen(PAST)),
    ("active", {"signed_on": D("2026-04-26")}, Withdraw()),
]


@pytest.mark.parametrize(("status", "facts", "deed", "reason"), GUARDS)
def test_a_guard_refuses_with_its_reason(status, facts, deed, reason):
    assert why(contract(status, **facts), deed) == reason


@pytest.mark.parametrize(("status", "facts", "deed"), NEIGHBOURS)
def test_what_lies_just_inside_a_guard_is_done(status, facts, deed):
    done(contract(status, **facts), deed)


@pytest.mark.parametrize(
    ("origin", "lifters"),
    [
        ("dunning", {"payment", "operator"}),
        ("customer_pause", {"end_date", "customer"}),
        ("admin", {"operator"}),
        ("abuse", {"operator"}),
        ("legal", {"operator"}),
        ("technical", {"provisioning"}),
    ],
)
def test_a_restriction_is_lifted_by_whom_its_origin_names_and_by_nobody_else(origin, lifters):
    limited = contract(restrictions=(Restriction(Origin(origin), Level.BLOCKED, PAST), LATE))
    for by in Lifter:
        if by in lifters:
            assert done(limited, Lift(Origin(origin), by)).event == "lifted"
        else:
            assert why(limited, Lift(Origin(origin), by)) is Reason.NOT_BY_THEM


def test_order_fees_are_due_on_acceptance_or_on_activation_and_once():
    for on_order in (True, False):
        accepted = done(contract("proposal", order_fees=on_order), Accept(signed_on=PAST))
        activated = done(accepted.contract, Activate(TODAY))
        assert (accepted.billing.one_off_fees, activated.billing.one_off_fees) == (on_order, not on_order)


def test_activation_fixes_the_days_of_trial_term_and_end():
    before = contract("pending", trial_days=30, minimum_months=24)
    once = done(before, Activate(TODAY))
    assert (once.contract.starts_on, once.contract.billable_from, once.contract.ends_on) == (
        TODAY,
        D("2026-06-09"),
        D("2028-05-10"),
    )
    assert once.billing.items_start == D("2026-06-09")
    renewed = done(replace(before, binding=Binding(renew_months=12)), Activate(TODAY))
    assert renewed.contract.ends_on is None
    assert renewed.contract.binding.minimum_until == D("2028-05-10")


def test_activation_waits_for_the_first_billable_day_and_keeps_the_end_that_was_agreed():
    later = done(contract("pending", trial_days=7, billable_from=SOON, ends_on=D("2027-01-01")), Activate(TODAY))
    assert (later.contract.status, later.contract.billable_from) == (Status.TRIAL, SOON)
    # With a trial up to 17 May, it is billed from 10 June all the same, up to the end that was set and not its term's.
    assert later.billing == Billing(items_start=SOON, items_end=D("2027-01-01"), one_off_fees=True)
    short = done(contract("pending", minimum_months=24, ends_on=D("2027-01-01")), Activate(TODAY)).contract
    assert (short.ends_on, short.binding.minimum_until) == (D("2027-01-01"), D("2028-05-10"))


def test_each_deed_writes_down_its_days_and_words():
    assert done(contract("proposal", signed_on=None), Accept(signed_on=PAST)).contract.signed_on == PAST
    assert done(contract("proposal", signed_on=None), Accept(recorded_by="maria")).contract.signed_on == TODAY
    assert done(contract("trial", billable_from=PAST), EndTrial()).billing == Billing(items_start=PAST)
    assert done(contract(), MoveAddress(7, TODAY)).contract.service_address == 7
    assert done(contract("pending"), Cancel()).billing == Billing(reverse_issued=True)
    assert done(contract("pending"), Withdraw()).billing == Billing(reverse_issued=True)
    for turned_down in (Refuse(), Expire()):
        assert done(contract("proposal"), turned_down).contract == contract("cancelled", starts_on=None)


def test_a_contract_is_free_with_its_reason_until_it_is_billable_again_up_to_its_end():
    free = done(contract(ends_on=D("2027-01-01")), MakeFree(TODAY, " staff line ", SOON)).contract
    assert (free.free_from, free.free_reason, free.free_review_on) == (TODAY, "staff line", SOON)
    again = done(free, MakeBillable(D("2026-05-20")))
    assert again.billing == Billing(items_start=D("2026-05-20"), items_end=D("2027-01-01"))
    assert again.contract == contract(ends_on=D("2027-01-01"), billable_from=D("2026-05-20"))


def test_making_free_credits_only_what_was_paid_beyond_the_day():
    deed = MakeFree(TODAY, "gift", SOON)
    ahead = done(contract(paid_through=D("2026-06-01")), deed)
    assert ahead.billing == Billing(items_end=TODAY, credit_from=TODAY)
    assert done(contract(paid_through=TODAY), deed).billing == Billing(items_end=TODAY)


def test_a_plan_changes_now_on_a_date_or_at_the_next_boundary():
    before = contract(paid_through=D("2026-06-01"))
    now = done(before, ChangePlan(2))
    assert (now.effective_on, now.billing) == (
        TODAY,
        Billing(items_start=TODAY, items_end=TODAY, credit_from=TODAY, plan=2),
    )
    assert done(before, ChangePlan(2, ChangeAt.DATE, SOON)).effective_on == SOON
    boundary = done(before, ChangePlan(2, ChangeAt.NEXT_BOUNDARY))
    assert (boundary.effective_on, boundary.billing.credit_from) == (D("2026-06-01"), None)
    assert [plan_on(boundary.contract, D(day)) for day in ("2026-05-31", "2026-06-01")] == [1, 2]


def test_of_several_changes_of_one_day_only_the_last_counts():
    first = done(contract(), ChangePlan(2)).contract
    last = done(first, ChangePlan(3))
    assert last.contract.plan_changes == ((TODAY, 3),)
    assert last.billing.replaces_same_day
    assert (last.billing.items_start, last.billing.plan) == (TODAY, 3)


def test_a_change_and_back_on_one_day_leaves_no_change_and_no_charge():
    later = ((SOON, 3),)
    back = done(done(contract(plan_changes=later), ChangePlan(2)).contract, ChangePlan(1))
    assert back.contract.plan_changes == later
    assert back.billing == Billing(plan=1, replaces_same_day=True)


def test_a_change_of_plan_that_waits_is_taken_back_and_others_stay():
    waiting = contract(plan_changes=((D("2026-05-20"), 2), (SOON, 3)))
    kept = done(waiting, KeepPlan(SOON))
    assert (kept.contract.plan_changes, kept.effective_on) == (((D("2026-05-20"), 2),), SOON)
    assert kept.billing == Billing(plan=2, replaces_same_day=True)
    assert done(waiting, KeepPlan(D("2026-05-20"))).billing.plan == 1
    assert done(contract("free", plan_changes=((SOON, 2),)), KeepPlan(SOON)).billing == Billing()


def test_plan_changes_stand_in_the_order_of_their_days_and_are_billed_from_the_first_billable_one():
    later = done(contract(), ChangePlan(2, ChangeAt.DATE, SOON)).contract
    assert done(later, ChangePlan(3, ChangeAt.DATE, D("2026-05-20"))).contract.plan_changes == (
        (D("2026-05-20"), 3),
        (SOON, 2),
    )
    assert done(contract(billable_from=SOON), ChangePlan(2)).billing.items_start == SOON
    assert done(contract(billable_from=None), ChangePlan(2)).billing.items_start == TODAY


def test_a_free_contract_changes_its_plan_on_the_network_alone():
    got = done(contract("free"), ChangePlan(2))
    assert (got.billing, got.network) == (Billing(), Network.PROFILE)


def test_a_pause_is_not_paid_for_its_days_and_one_lifted_early_for_fewer():
    paused = done(contract(), Pause(D("2026-05-20"), SOON))
    assert paused.billing.days_not_paid == (Period(D("2026-05-20"), SOON),)
    lift = Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER)
    early = done(paused.contract, lift, D("2026-05-25"))
    assert early.billing.days_not_paid == (Period(D("2026-05-20"), D("2026-05-25")),)
    assert done(paused.contract, lift, D("2026-07-01")).billing.days_not_paid == (Period(D("2026-05-20"), SOON),)
    assert done(paused.contract, lift).billing.days_not_paid == ()


def test_a_pause_that_is_over_leaves_one_that_is_set_for_later():
    over = Restriction(Origin.CUSTOMER_PAUSE, Level.BLOCKED, PAST, TODAY, BilledAs.CREDIT_DAYS)
    later = replace(over, since=SOON, until=SOON + timedelta(7))
    paused = contract(restrictions=(over, later))

    got = done(paused, Lift(Origin.CUSTOMER_PAUSE, Lifter.END_DATE))

    assert got.contract.restrictions == (later,)
    assert got.billing == Billing(days_not_paid=(Period(PAST, TODAY),))
    assert done(paused, Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER)).contract.restrictions == ()
    assert why(replace(paused, restrictions=(later,)), Lift(Origin.CUSTOMER_PAUSE, Lifter.END_DATE)) is Reason.TOO_EARLY


def test_what_is_placed_stands_beside_what_was_and_lifting_takes_its_origin_alone():
    abuse = Restriction(Origin.ABUSE, Level.WALLED, TODAY, billing=BilledAs.CREDIT_DAYS)
    placed = done(contract(restrictions=(DUNNED,)), Restrict(Origin.ABUSE, Level.WALLED, BilledAs.CREDIT_DAYS))
    assert (placed.contract.restrictions, placed.effective_on) == ((DUNNED, abuse), TODAY)

    # Dunning is billed, so the six days since the fourth are no credit; the abuse of this very day took none yet.
    paid = done(placed.contract, Lift(Origin.DUNNING, Lifter.PAYMENT))
    assert (paid.contract.restrictions, paid.billing) == ((abuse,), Billing())
    at_once = done(placed.contract, Lift(Origin.ABUSE, Lifter.OPERATOR))
    assert (at_once.contract.restrictions, at_once.billing) == ((DUNNED,), Billing())
    later = done(placed.contract, Lift(Origin.ABUSE, Lifter.OPERATOR), D("2026-05-12"))
    assert later.billing == Billing(days_not_paid=(Period(TODAY, D("2026-05-12")),))


def test_pauses_follow_each_other_without_a_day_between_and_none_follows_one_without_an_end():
    set_for_later = done(contract(restrictions=(LATE,)), Pause(D("2026-07-01"), D("2026-07-08"))).contract
    assert set_for_later.restrictions[1] == Restriction(
        Origin.CUSTOMER_PAUSE, Level.BLOCKED, D("2026-07-01"), D("2026-07-08"), BilledAs.CREDIT_DAYS
    )
    assert why(contract(restrictions=(LATE,)), Pause(D("2026-06-30"), D("2026-07-08"))) is Reason.OVERLAP
    endless = contract(restrictions=(replace(LATE, until=None),))
    assert why(endless, Pause(D("2027-01-01"), D("2027-01-08"))) is Reason.OVERLAP
    assert done(endless, Pause(TODAY, SOON)).event == "paused"
    # A block by others is no pause.
    done(contract(restrictions=(replace(LATE, origin=Origin.LEGAL),)), Pause(SOON, D("2026-06-12")))


@pytest.mark.parametrize(
    ("deed", "cycle"),
    [
        # The contract's periods are months from 1 January on.
        (ChangeCycle(TODAY, months=3), Cycle(START, 1, 3)),
        (ChangeCycle(TODAY, months=3, restart=True), Cycle(TODAY, 10, 3)),
        (ChangeCycle(TODAY, day=15), Cycle(D("2026-05-15"), 15, 1)),
        (ChangeCycle(TODAY, months=2, day=5), Cycle(D("2026-06-05"), 5, 2)),
    ],
)
def test_a_period_changes_its_length_its_day_or_both_and_keeps_its_anchor_unless_it_restarts(deed, cycle):
    got = done(contract(paid_through=SOON), deed)

    assert got.contract.cycle == cycle
    assert got.billing == Billing(items_start=TODAY, items_end=TODAY, credit_from=TODAY, cycle=cycle)
    assert why(contract(cycle=cycle), replace(deed, restart=False, day=None, months=None)) is Reason.SAME


def test_a_change_of_period_is_refused_without_periods_and_for_a_length_or_day_that_is_none():
    assert why(contract(cycle=None), ChangeCycle(TODAY, months=3)) is Reason.INCOMPLETE
    assert why(contract(), ChangeCycle(TODAY, months=13)) is Reason.NOT_OFFERED
    assert why(contract(), ChangeCycle(TODAY, day=32)) is Reason.NOT_OFFERED
    assert why(contract(), ChangeCycle(START - timedelta(1), months=3)) is Reason.BEFORE_START


def test_an_end_shortens_the_items_and_drops_the_plan_changes_behind_it():
    planned = contract(plan_changes=((SOON, 2),))
    got = done(planned, ScheduleEnd(SOON))
    assert got.contract.plan_changes == ()
    assert got.billing == Billing(items_end=SOON)
    assert done(planned, ScheduleEnd(D("2026-06-11"))).contract.plan_changes == ((SOON, 2),)


@pytest.mark.parametrize(
    ("binding", "ends_on"),
    [
        (Binding(), None),
        (Binding(D("2026-12-01")), D("2026-12-01")),  # it ends by itself with its term
        (Binding(SOON), None),
        (Binding(D("2026-12-01"), renew_months=12), None),
    ],
)
def test_an_end_that_is_taken_back_gives_way_to_that_of_the_term(binding, ends_on):
    got = done(contract(ends_on=SOON, binding=binding, exit_is_free=True), WithdrawEnd())
    assert got.billing == Billing(items_go_on=SOON, items_end=ends_on)
    assert got.contract == contract(ends_on=ends_on, binding=binding)


def bound(**facts) -> Contract:
    plan = Item(1, ItemKind.PLAN, "access", Decimal(1), Decimal(30), Cycle(START, 1, 1), START, None, START)
    table = ExitTable(((0, Money(9900, "EUR")),), plan, Terms("EUR"))
    return contract(exit_table=table, binding=Binding(D("2028-01-01")), **facts)


def test_the_end_brings_the_paid_rest_back_and_what_leaving_early_costs():
    end = done(bound(ends_on=TODAY, paid_through=D("2026-06-01")), ReachEnd())
    assert end.billing == Billing(
        items_end=TODAY, credit_from=TODAY, instalments_due=True, exit_cost=Money(9900, "EUR")
    )  # fmt: skip


def test_no_relief_outlives_the_service_and_the_end_of_the_term_costs_nothing():
    promised = {**LIMITED, "relief_until": SOON}
    assert done(contract(ends_on=TODAY, **promised), ReachEnd()).contract.relief_until is None
    assert done(contract(**promised), Withdraw()).contract.relief_until is None
    at_term = bound(ends_on=D("2028-01-01"))
    assert done(at_term, ReachEnd(), D("2028-01-01")).billing.exit_cost is None


def test_leaving_costs_nothing_when_the_issuer_ends_it_or_changed_its_terms():
    for before, deed in (
        (bound(), ScheduleEnd(TODAY, free_of_cost=True)),
        (bound(terms_changed_on=(PAST,)), ScheduleEnd(TODAY)),
    ):
        assert done(done(before, deed).contract, ReachEnd()).billing.exit_cost is None
    assert done(done(bound(), ScheduleEnd(TODAY)).contract, ReachEnd()).billing.exit_cost == Money(9900, "EUR")


def test_who_is_in_service_for_free_would_have_paid_nothing_and_leaves_for_nothing():
    free = replace(bound(ends_on=TODAY), status=Status.FREE, free_from=PAST)
    assert done(free, ReachEnd()).billing.exit_cost is None


FEE = Money(300, "EUR")


def test_a_pause_costs_what_the_offer_says_once_and_nothing_when_it_is_waived_or_its_days_are_paid():
    offered = contract(pause_fee=FEE)
    paused = done(offered, Pause(SOON, SOON + timedelta(60)))
    assert paused.billing == Billing(days_not_paid=(Period(SOON, SOON + timedelta(60)),), pause_fee=FEE)
    for before, deed in (
        (offered, Pause(SOON, SOON + timedelta(60), fee_waived=True)),
        (offered, Pause(SOON, SOON + timedelta(60), BilledAs.BILL)),
        (contract("free", pause_fee=FEE), Pause(SOON, SOON + timedelta(60))),
        (contract("trial", pause_fee=FEE), Pause(SOON, SOON + timedelta(60))),
    ):
        assert done(before, deed).billing.pause_fee is None


def test_the_fee_of_a_pause_is_given_back_when_it_took_no_day_and_only_then():
    paused = done(contract(pause_fee=FEE), Pause(SOON, SOON + timedelta(60))).contract
    lift = Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER)
    assert done(paused, lift).billing.pauses_back == (SOON,)
    assert done(paused, lift, SOON).billing.pauses_back == (SOON,)
    assert done(paused, lift, SOON + timedelta(1)).billing.pauses_back == ()
    # Nor does one that the contract's end came before, nor one of days for which nothing is paid.
    assert done(paused, MakeFree(TODAY, "staff", SOON + timedelta(60))).billing.pauses_back == (SOON,)
    ending = replace(paused, ends_on=TODAY)
    assert done(ending, ReachEnd()).billing.pauses_back == (SOON,)
    assert done(replace(paused, ends_on=SOON + timedelta(1)), ReachEnd(), SOON + timedelta(1)).billing.pauses_back == ()


def test_a_reopened_contract_charges_from_its_day_and_keeps_its_start():
    got = done(contract("ended"), Reopen(TODAY))
    assert (got.contract.starts_on, got.contract.ends_on) == (START, None)
    assert got.billing == Billing(items_start=TODAY)
    # What its first life had agreed about being free and leaving for nothing is over.
    was = contract("ended", exit_is_free=True, free_from=START, free_reason="gift", free_review_on=SOON)
    assert done(was, Reopen(PAST)).contract == contract(billable_from=PAST)


def test_withdrawal_reverses_what_was_issued_and_ends_service_the_same_day():
    got = done(contract(), Withdraw())
    assert (got.contract.ends_on, got.billing) == (TODAY, Billing(items_end=TODAY, reverse_issued=True))


@cache
def deeds_on(status: Status, today: date) -> st.SearchStrategy[Deed]:
    """Deeds that a status admits, on days around one."""
    days = st.integers(-15, 15).map(lambda days: today + timedelta(days)) | st.just(today)
    plans = st.integers(1, 3)
    each = {
        Accept: st.just(Accept(recorded_by="maria")),
        Activate: st.builds(Activate, days),
        MakeFree: st.builds(MakeFree, days, st.just("gift"), st.just(today + timedelta(30))),
        MakeBillable: st.builds(MakeBillable, days),
        Restrict: st.builds(Restrict, st.sampled_from(Origin), st.sampled_from(Level)),
        Lift: st.sampled_from(Origin).flatmap(lambda one: st.builds(Lift, st.just(one), st.sampled_from(Lifter))),
        ChangePlan: st.builds(ChangePlan, plans)
        | st.builds(lambda plan, on: ChangePlan(plan, ChangeAt.DATE, on), plans, days),
        KeepPlan: st.builds(KeepPlan, days),
        MoveAddress: st.builds(MoveAddress, plans, days),
        Pause: st.builds(lambda start, days: Pause(start, start + timedelta(days)), days, st.integers(-1, 60)),
        ScheduleEnd: st.builds(ScheduleEnd, days, st.booleans()),
        Reopen: st.builds(Reopen, days),
        ChangeCycle: st.builds(ChangeCycle, days, months=st.sampled_from([None, 2, 3]), restart=st.booleans()),
    }
    admitted = {type(deed): deed for deed, ways, *_ in TABLE if status in ways}
    return st.one_of([each.get(kind, st.just(deed)) for kind, deed in admitted.items()])


STARTING = st.builds(
    contract,
    st.sampled_from([one for one in Status if one is not Status.CANCELLED]),
    trial_days=st.sampled_from([0, 30]),
    minimum_months=st.sampled_from([0, 2]),
)
ONWARD: dict[tuple[type, str], set[str]] = {}
for _deed, _ways, *_ in TABLE:
    for _start, _to in _ways.items():
        ONWARD.setdefault((type(_deed), _start), set()).add(_to or _start)


@settings(max_examples=200, deadline=None)
@given(STARTING, st.data())
def test_any_deeds_that_a_status_admits_lead_where_the_table_says_and_count_within_its_time(now, data):
    today, changed = START + timedelta(60), 0
    for _ in range(10):
        today += timedelta(data.draw(st.integers(0, 12)))
        if now.status is Status.CANCELLED:
            break
        deed = data.draw(deeds_on(now.status, today))
        outcome = decide_deed(now, deed, today)
        if isinstance(outcome, Refused):
            assert outcome.reason is not Reason.STATUS
            assert outcome.sentence
            continue
        after, changed = outcome.contract, changed + 1
        assert after.status in ONWARD[type(deed), now.status]
        assert after.status == now.status or after.status in PATHS[now.status]
        assert after.status is not Status.ENDED or after.ends_on is not None
        assert None in (after.starts_on, after.ends_on) or after.starts_on <= after.ends_on
        assert [day for day, _ in after.plan_changes] == sorted({day for day, _ in after.plan_changes})
        on = getattr(deed, "on", None)
        if on is not None:
            assert on >= max([one for one in (now.starts_on, now.free_from) if one], default=on)
            assert (
                now.status is Status.ENDED or isinstance(deed, ScheduleEnd) or now.ends_on is None or on < now.ends_on
            )
        now = after
    event(f"{min(changed, 5)} deeds were done")


def test_a_proposal_holds_for_thirty_days_or_as_long_as_it_says_and_is_accepted_within():
    assert done(contract("draft"), Propose()).contract.valid_until == D("2026-06-09")
    assert done(contract("draft"), Propose(TODAY)).contract.valid_until == TODAY
    assert why(contract("draft"), Propose(TODAY - timedelta(days=1))) is Reason.TOO_EARLY
    held = contract("proposal", valid_until=PAST)
    assert done(held, Accept(signed_on=PAST)).contract.signed_on == PAST  # recorded later
    assert why(held, Accept(recorded_by="maria")) is Reason.TOO_LATE


def test_billing_is_chosen_when_it_is_limited_and_only_some_leave_whole_periods_out():
    for origin in (Origin.ADMIN, Origin.LEGAL):
        placed = done(contract("active"), Restrict(origin, Level.BLOCKED, BilledAs.STOP)).contract.restrictions
        assert [one.billing for one in placed] == [BilledAs.STOP]
    for origin in set(Origin) - {Origin.ADMIN, Origin.LEGAL}:
        assert why(contract("active"), Restrict(origin, Level.BLOCKED, BilledAs.STOP)) is Reason.NOT_BY_THEM
        assert done(contract("active"), Restrict(origin, Level.BLOCKED, BilledAs.CREDIT_DAYS)).contract.restrictions


def test_a_pause_is_paid_where_that_was_agreed():
    paid = done(contract("active"), Pause(TODAY, SOON, BilledAs.BILL))
    assert (paid.billing, paid.contract.restrictions[0].billing) == (Billing(), BilledAs.BILL)
    assert done(contract("active"), Pause(TODAY, SOON)).billing.days_not_paid == (Period(TODAY, SOON),)
    assert why(contract("active"), Pause(TODAY, SOON, BilledAs.STOP)) is Reason.NOT_BY_THEM
