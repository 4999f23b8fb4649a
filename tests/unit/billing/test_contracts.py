"""The life of a contract: every status with every deed as billing.md's table has it, each guard with its neighbour."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.contract_facts import Contract, Level, Origin, Restriction, Status
from billing.contracts import decide_deed, plan_on
from billing.deeds import (
    Accept,
    Activate,
    Billing,
    Cancel,
    ChangeAt,
    Changed,
    ChangePlan,
    Deed,
    EndRelief,
    EndTrial,
    Expire,
    Lift,
    Lifter,
    MakeBillable,
    MakeFree,
    MoveAddress,
    Network,
    Pause,
    Promise,
    Propose,
    ReachEnd,
    Reason,
    Refuse,
    Refused,
    Reopen,
    Restrict,
    ScheduleEnd,
    Withdraw,
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
    (Promise(SOON), dict.fromkeys(IN_SERVICE), LIMITED, "promised", "level"),
    (EndRelief(True), dict.fromkeys(IN_SERVICE), {**LIMITED, "relief_until": TODAY}, "relief_over", "level"),
    (ChangePlan(2), {"active": "active", "free": "free"}, {}, "plan_changed", "profile"),
    (MoveAddress(7, TODAY), dict.fromkeys(IN_SERVICE), {}, "address_moved", "profile_check"),
    (Pause(TODAY, SOON), dict.fromkeys(IN_SERVICE), {}, "paused", "level"),
    (ScheduleEnd(SOON), dict.fromkeys(IN_SERVICE), {}, "end_scheduled", "nothing"),
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
    ("active", {}, Promise(SOON), "not_restricted"),
    ("active", {"restrictions": (replace(DUNNED, origin=Origin.ABUSE),)}, Promise(SOON), "not_restricted"),
    ("active", LIMITED, Promise(SOON, within_limits=False), "limit"),
    ("active", LIMITED, Promise(PAST), "limit"),
    ("active", {**LIMITED, "relief_until": SOON}, Promise(SOON), "relief"),
    ("active", {}, EndRelief(True), "no_relief"),
    ("active", {"relief_until": D("2026-05-11")}, EndRelief(True), "too_early"),
    ("active", {"relief_until": TODAY}, EndRelief(False), "no_debt"),
    ("active", {}, ChangePlan(2, offered=False), "not_offered"),
    ("active", {"plan_locked_until": D("2026-05-11")}, ChangePlan(2), "locked"),
    ("active", {}, ChangePlan(1), "same"),
    ("active", {"ends_on": SOON}, ChangePlan(2, ChangeAt.DATE, SOON), "after_end"),
    ("active", {"cycle": None}, ChangePlan(2, ChangeAt.NEXT_BOUNDARY), "incomplete"),
    ("active", {"books_open_from": OPEN}, ChangePlan(2, ChangeAt.DATE, D("2026-04-30")), "books_closed"),
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
    ("active", {}, ReachEnd(), "no_end"),
    ("active", {"ends_on": D("2026-05-11")}, ReachEnd(), "too_early"),
    ("active", {"ends_on": TODAY}, ChangePlan(2), "end_reached"),
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
    ("active", LIMITED, Promise(TODAY)),
    ("active", {"plan_locked_until": TODAY}, ChangePlan(2)),
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


def test_an_end_shortens_the_items_and_drops_the_plan_changes_behind_it():
    planned = contract(plan_changes=((SOON, 2),))
    got = done(planned, ScheduleEnd(SOON))
    assert got.contract.plan_changes == ()
    assert got.billing == Billing(items_end=SOON)
    assert done(planned, ScheduleEnd(D("2026-06-11"))).contract.plan_changes == ((SOON, 2),)


def bound(**facts) -> Contract:
    table = ExitTable(((0, Money(9900, "EUR")),), Money(3000, "EUR"))
    return contract(exit_table=table, binding=Binding(D("2028-01-01")), **facts)


def test_the_end_brings_the_paid_rest_back_and_what_leaving_early_costs():
    end = done(bound(ends_on=TODAY, paid_through=D("2026-06-01")), ReachEnd())
    assert end.billing == Billing(
        items_end=TODAY, credit_from=TODAY, instalments_due=True, exit_cost=Money(9900, "EUR")
    )  # fmt: skip


def test_leaving_costs_nothing_when_the_issuer_ends_it_or_changed_its_terms():
    for before, deed in (
        (bound(), ScheduleEnd(TODAY, free_of_cost=True)),
        (bound(terms_changed_on=(PAST,)), ScheduleEnd(TODAY)),
    ):
        assert done(done(before, deed).contract, ReachEnd()).billing.exit_cost is None
    assert done(done(bound(), ScheduleEnd(TODAY)).contract, ReachEnd()).billing.exit_cost == Money(9900, "EUR")


def test_a_reopened_contract_charges_from_its_day_and_keeps_its_start():
    got = done(contract("ended"), Reopen(TODAY))
    assert (got.contract.starts_on, got.contract.ends_on) == (START, None)
    assert got.billing == Billing(items_start=TODAY)


def test_withdrawal_reverses_what_was_issued_and_ends_service_the_same_day():
    got = done(contract(), Withdraw())
    assert (got.contract.ends_on, got.billing) == (TODAY, Billing(items_end=TODAY, reverse_issued=True))


@cache
def deeds_on(today: date) -> st.SearchStrategy[Deed]:
    days = st.integers(-40, 40).map(lambda days: today + timedelta(days)) | st.just(today)
    plans = st.integers(1, 3)
    plain = (Propose(), Accept(recorded_by="maria"), Refuse(), Expire(), EndTrial(), ReachEnd(), Cancel(), Withdraw())
    return st.one_of(
        st.sampled_from(plain),
        st.builds(Activate, days),
        st.builds(MakeFree, days, st.just("gift"), st.just(today + timedelta(30))),
        st.builds(MakeBillable, days),
        st.builds(Restrict, st.sampled_from(Origin), st.sampled_from(Level)),
        st.builds(Lift, st.sampled_from(Origin), st.sampled_from(Lifter)),
        st.builds(Promise, days),
        st.builds(EndRelief, st.booleans()),
        st.builds(ChangePlan, plans),
        st.builds(lambda plan, on: ChangePlan(plan, ChangeAt.DATE, on), plans, days),
        st.builds(MoveAddress, plans, days),
        st.builds(lambda start, days: Pause(start, start + timedelta(days)), days, st.integers(-1, 60)),
        st.builds(ScheduleEnd, days, st.booleans()),
        st.builds(Reopen, days),
    )


STARTING = st.builds(
    contract, st.sampled_from(Status), trial_days=st.sampled_from([0, 30]), minimum_months=st.sampled_from([0, 2])
)


@settings(max_examples=150, deadline=None)
@given(STARTING, st.data())
def test_any_deeds_follow_the_databases_paths_and_no_end_comes_before_its_start(now, data):
    today = START
    for _ in range(12):
        today += timedelta(10)
        outcome = decide_deed(now, data.draw(deeds_on(today)), today)
        if isinstance(outcome, Refused):
            assert outcome.sentence
            continue
        after = outcome.contract
        assert after.status == now.status or after.status in PATHS[now.status]
        assert after.status is not Status.ENDED or after.ends_on is not None
        assert None in (after.starts_on, after.ends_on) or after.starts_on <= after.ends_on
        assert [day for day, _ in after.plan_changes] == sorted({day for day, _ in after.plan_changes})
        now = after
