"""What dunning decides, look by look against an oracle that counts cents and days by hand; then each rule on its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from support.dunning_oracle import FEASTS, ByHand, Ledger, may_cut
from support.dunning_policies import ECUADOR, ITALY, policy_of

from billing.allocation import OpenInvoice, Source, SourceKind, allocate
from billing.contract_facts import Level, Origin
from billing.documents import Due
from billing.dunning.changes import changes_for
from billing.dunning.debt import InstalmentPlan, OpenDocument
from billing.dunning.evaluation import CaseChange, evaluate
from billing.dunning.facts import Exclusion, ExclusionKind, Facts, FormalNotice, InForce, Respite
from billing.dunning.floor import Channel
from billing.dunning.policy import Action
from billing.dunning.policy_data import default_policy
from billing.dunning.reasons import Why
from billing.dunning.simulation import applied
from billing.money import Money, zero
from billing.settlement import left_of

MONDAY = date(2026, 3, 2)
RANK = {None: 0, Level.THROTTLE: 1, Level.WALLED: 2, Level.BLOCKED: 3}
HOURS = (9, 18)
# The oracle's calendar, in the place of a country's.
GUARD = {"holidays": False, "easter_monday": False, "days": [MONDAY + timedelta(days=day) for day in sorted(FEASTS)]}
OTHERS = (
    InForce(900, 1, Origin.ABUSE, Level.WALLED, by_person=True),
    InForce(901, 1, Origin.ADMIN, Level.BLOCKED, by_person=True),
)


def on(day):
    return MONDAY + timedelta(days=day)


def at(day, hour, zone):
    return datetime.combine(on(day), time(hour), zone)


def as_facts(ledger, before, *, exclusions=(), respites=()):
    """The facts of a ledger, with what the case and the restrictions have become."""
    documents = tuple(
        OpenDocument(
            number,
            f"FT/{number}",
            frozenset({1}),
            tuple(Due(on(due), Money(cents, "EUR")) for due, cents in parts),
            Money(ledger.disputed.get(number, 0), "EUR"),
        )
        for number, parts in ledger.open.items()
    )
    credit = Money(ledger.credit, "EUR")
    return replace(before, documents=documents, credit=credit, exclusions=exclusions, respites=respites)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2 * 90),
        st.sampled_from(["pay", "pay", "pay_all", "dispute", "settle", "exclude", "promise", "invoice"]),
        st.integers(1, 40),
    ),
    max_size=7,
)
INVOICES = st.lists(st.tuples(st.integers(0, 25), st.integers(1, 30)), min_size=1, max_size=4)


@settings(max_examples=30)
@given(st.booleans(), st.integers(0, 5), INVOICES, EVENTS)
def test_look_by_look_the_line_is_limited_as_days_and_cents_counted_by_hand_say(lawful, threshold, invoices, events):
    place = ITALY if lawful else ECUADOR
    zone = place.zone
    policy = policy_of(place, guard=GUARD, min_debt={"EUR": f"{threshold / 100:.2f}"})
    ledger = Ledger({number: [[due, cents]] for number, (due, cents) in enumerate(invoices, start=1)})
    oracle = ByHand(threshold, 40 if lawful else None)
    facts = Facts((), zero("EUR"), frozenset({1}), restrictions=OTHERS)
    exclusions, respites, excluded_until, promised_until = [], [], -1, (-1, 0)
    ran: list[tuple[int, str]] = []
    happening = sorted(events)
    for look in range(2 * 92):
        day, hour = divmod(look, 2)
        hour = HOURS[hour]
        while happening and happening[0][0] <= look:
            _, what, value = happening.pop(0)
            if what == "pay":
                ledger.pay(value)
            elif what == "pay_all":
                ledger.pay(sum(count for parts in ledger.open.values() for _, count in parts))
            elif what == "dispute" and ledger.open:
                ledger.disputed[sorted(ledger.open)[value % len(ledger.open)]] = value
            elif what == "settle":
                ledger.disputed.clear()
            elif what == "exclude":
                excluded_until = max(excluded_until, day + value)
                exclusions.append(Exclusion(ExclusionKind.WHITELIST, "flood", on(day), on(day + value)))
            elif what == "promise":
                promised_until = max(promised_until, (day + 2, hour))
                respites.append(Respite(at(day, hour, zone), at(day + 2, hour, zone)))
            elif what == "invoice":
                ledger.open[100 + look] = [[day + 10, value]]
                ledger.pay(0)

        now = at(day, hour, zone)
        facts = as_facts(ledger, facts, exclusions=tuple(exclusions), respites=tuple(respites))
        before = {one.contract_id: one.level for one in facts.restrictions if one.origin is Origin.DUNNING}
        done = evaluate(facts, policy, now)
        changes = changes_for(facts.restrictions, done.levels, pursued=done.pursued)
        assert not {900, 901} & set(changes.lift)  # I23
        facts = applied(facts, done, policy, at=now, delivery_days=oracle.takes)
        expected = oracle.look(
            ledger, day=day, hour=hour, excluded=day < excluded_until, promised=(day, hour) < promised_until
        )

        level = done.levels.get(1)
        assert RANK[level] == expected, (day, hour)
        dunning = [one.level for one in facts.restrictions if one.origin is Origin.DUNNING]
        assert dunning == ([] if level is None else [level])
        if len(ledger.owed(day)) <= threshold:  # I19
            assert dunning == []
            assert all(step.due_on is not None for step in done.steps)
        if RANK[level] > RANK[before.get(1)]:  # I24
            assert may_cut(day, hour)
            assert day >= excluded_until
            assert (day, hour) >= promised_until
        ran += [(oracle.case, step.code) for step in done.steps if step.due_on is None]
        if done.steps or changes.place or changes.lift:  # the same once more is nothing more
            again = evaluate(facts, policy, now)
            assert (again.steps, again.levels) == ((), done.levels)
    assert len(set(ran)) == len(ran)  # I25


@settings(max_examples=25)
@given(st.booleans(), INVOICES, st.integers(0, 100), st.integers(0, 23), st.data())
def test_nothing_changes_before_the_moment_that_was_told(lawful, invoices, day, hour, data):
    place = ITALY if lawful else ECUADOR
    policy = policy_of(place, guard=GUARD)
    ledger = Ledger({number: [[due, cents]] for number, (due, cents) in enumerate(invoices, start=1)})
    respites = (Respite(at(day, hour, place.zone), at(day + 2, hour, place.zone)),) if day % 2 else ()
    notices = (FormalNotice(on(46), Channel.CERTIFIED_MAIL, frozenset({1, 2}), on(50)),) if day > 50 else ()
    facts = as_facts(
        ledger, Facts((), zero("EUR"), frozenset({1}), has_case=day > 50, notices=notices), respites=respites
    )
    now = at(day, hour, place.zone)
    for _ in range(3):
        facts = applied(facts, evaluate(facts, policy, now), policy, at=now)
    stands = evaluate(facts, policy, now)

    end = stands.next_moment or now + timedelta(days=400)
    assert end > now
    minutes = int((end - now) / timedelta(minutes=1)) - 1
    for moment in (end - timedelta(seconds=1), now + timedelta(minutes=data.draw(st.integers(0, max(0, minutes))))):
        later = evaluate(facts, policy, moment)
        assert (later.levels, later.steps, later.case, later.next_moment) == (stands.levels, (), stands.case, stands.next_moment)  # fmt: skip


@settings(max_examples=40)
@given(st.permutations([1, 2, 3]), st.integers(0, 90), st.integers(0, 23))
def test_what_is_decided_depends_on_the_facts_and_not_on_their_order(order, day, hour):
    policy = policy_of(ECUADOR, guard=GUARD)
    ledger = Ledger({1: [[0, 10]], 2: [[4, 7]], 3: [[30, 5], [60, 5]]})
    shuffled = Ledger({number: ledger.open[number] for number in order})
    facts = [as_facts(one, Facts((), Money(3, "EUR"), frozenset({1}))) for one in (ledger, shuffled)]

    first, second = (evaluate(one, policy, at(day, hour, ECUADOR.zone)) for one in facts)

    assert first == second


# Each rule on its own, with dates worked out by hand. Monday 2 March 2026 is day 0; the plain policy.
PLAIN = policy_of(ECUADOR, guard=GUARD)
DUE = {1: [[0, 3000]]}


def looked(day, hour=10, *, policy=PLAIN, open_=DUE, **facts):
    given_ = as_facts(Ledger({key: [[*part] for part in parts] for key, parts in open_.items()}), Facts((), zero("EUR"), frozenset({1})))  # fmt: skip
    return evaluate(replace(given_, **facts), policy, at(day, hour, policy.guard.zone))


def noticed(day=8, *documents):
    sent = FormalNotice(on(day), Channel.EMAIL, frozenset(documents or {1}), None, on(day))
    return {"has_case": True, "notices": (sent,), "steps_run": frozenset({"reminder", "notice"})}


def why_waits(evaluation, code):
    return [(one.reason.why, one.until) for one in evaluation.waiting if one.code == code]


def codes(evaluation):
    return [one.code for one in evaluation.steps]


def test_a_case_begins_with_the_first_overdue_day_and_ends_with_the_debt():
    assert looked(0).case is CaseChange.NONE
    assert looked(1).case is CaseChange.OPENED
    assert looked(1, has_case=True).case is CaseChange.GOES_ON
    assert looked(1, open_={}, has_case=True).case is CaseChange.CLEARED
    paid = looked(30, open_={}, **noticed(), restrictions=(InForce(1, 1, Origin.DUNNING, Level.WALLED),))
    assert (paid.case, paid.levels, paid.steps, paid.pursued) == (CaseChange.CLEARED, {}, (), False)
    assert [one.why for one in paid.reasons] == [Why.NOTHING_OWED]


def test_when_what_the_notice_listed_is_paid_the_rest_is_a_new_debt_with_a_notice_of_its_own():
    """Document 2, due on day 20, was never in a notice: on day 29 it is 9 days overdue, so its own notice goes out."""
    stands = looked(29, open_={2: [[20, 3000]]}, **noticed(8, 1))

    assert (stands.case, stands.levels, codes(stands)) == (CaseChange.RENEWED, {}, ["notice"])
    both = looked(29, open_={1: [[0, 3000]], 2: [[20, 3000]]}, **noticed(8, 1))
    assert (both.case, both.levels) == (CaseChange.GOES_ON, {1: Level.WALLED})


def test_an_exclusion_holds_what_its_kind_says():
    def excluded(kind, day, contract=None, until=None, **more):
        one = Exclusion(kind, "Hospital", on(0), until, contract)
        return looked(day, exclusions=(one,), **more)

    listed = excluded(ExclusionKind.WHITELIST, 24)
    assert (listed.levels, codes(listed)) == ({}, [])
    assert excluded(ExclusionKind.WHITELIST, 24, contract=1).steps == ()
    other = excluded(ExclusionKind.WHITELIST, 24, contract=2)
    assert codes(other) == ["notice"]
    public = excluded(ExclusionKind.PUBLIC_BODY, 24, **noticed())
    assert (public.levels, why_waits(public, "walled")) == ({}, [(Why.PUBLIC_BODY, None)])
    assert codes(excluded(ExclusionKind.PUBLIC_BODY, 24)) == ["notice"]
    essential = excluded(ExclusionKind.ESSENTIAL, 24, contract=1, **noticed())
    assert (essential.levels, why_waits(essential, "walled")) == ({}, [(Why.ESSENTIAL, None)])
    assert excluded(ExclusionKind.ESSENTIAL, 24, contract=2, **noticed()).levels == {1: Level.WALLED}
    (reason,) = {one.reason for one in listed.waiting if one.code == "notice"}
    assert dict(reason.values) == {"until": date.max, "reason": "Hospital"}
    # Its end is the first day without.
    assert codes(excluded(ExclusionKind.WHITELIST, 24, until=on(24))) == ["notice"]
    assert codes(excluded(ExclusionKind.WHITELIST, 24, until=on(25))) == []
    over = excluded(ExclusionKind.WHITELIST, 24, until=on(24), **noticed())
    assert over.levels == {1: Level.WALLED}
    running = excluded(ExclusionKind.WHITELIST, 24, until=on(25), **noticed())
    assert why_waits(running, "walled") == [(Why.WHITELISTED, at(25, 0, PLAIN.guard.zone))]
    # Who is limited and then excluded is limited no more.
    walled = (InForce(1, 1, Origin.DUNNING, Level.WALLED),)
    assert excluded(ExclusionKind.WHITELIST, 24, **noticed(), restrictions=walled).levels == {}


def test_fees_wait_for_whitelists_public_bodies_and_the_operators_word_and_run_once():
    fee = {"code": "fee", "offset_days": 10, "action": "fee", "fee_product": "LATE"}
    policy = policy_of(ECUADOR, guard=GUARD, step=[fee])

    assert codes(looked(9, policy=policy)) == []
    assert codes(looked(10, policy=policy)) == ["fee"]
    assert codes(looked(10, policy=policy, steps_run=frozenset({"fee"}), has_case=True)) == []
    for kind in (ExclusionKind.WHITELIST, ExclusionKind.PUBLIC_BODY):
        assert codes(looked(10, policy=policy, exclusions=(Exclusion(kind, "x", on(0)),))) == []
    assert codes(looked(10, policy=policy, exclusions=(Exclusion(ExclusionKind.ESSENTIAL, "x", on(0), None, 1),))) == [
        "fee"
    ]
    assert why_waits(looked(10, policy=policy, not_before=on(12)), "fee") == [(Why.NOT_BEFORE, at(12, 0, ECUADOR.zone))]


def test_a_step_that_waits_for_a_person_waits_and_its_level_with_it():
    steps = [{**one, "confirm": one["code"] == "walled"} for one in default_policy(ECUADOR)["step"]]
    policy = policy_of(ECUADOR, guard=GUARD, step=steps)

    waits = looked(24, policy=policy, **noticed())
    assert (waits.levels, codes(waits)) == ({1: Level.THROTTLE}, ["throttle"])
    assert why_waits(waits, "walled") == [(Why.UNCONFIRMED, None)]
    confirmed = looked(24, policy=policy, **noticed(), confirmed=frozenset({"walled"}))
    assert (confirmed.levels, codes(confirmed)) == ({1: Level.WALLED}, ["walled"])


def test_outside_the_hours_it_waits_for_the_next_and_what_restores_does_not():
    night = looked(22, 20, **noticed())
    assert (night.levels, codes(night)) == ({}, [])
    assert why_waits(night, "walled") == [(Why.OUTSIDE_HOURS, at(23, 9, ECUADOR.zone))]
    assert night.next_moment == at(23, 9, ECUADOR.zone)
    walled = (InForce(1, 1, Origin.DUNNING, Level.WALLED),)
    # By night from walled to throttled, because the document that is left is younger.
    younger = looked(25, 2, open_={2: [[8, 3000]]}, **noticed(17, 2), restrictions=walled)
    assert younger.levels == {1: Level.THROTTLE}


def test_which_contracts_are_limited_is_for_the_policy_to_say():
    def levels(contracts, **debts):
        papers = tuple(
            OpenDocument(number, str(number), frozenset({number}), (Due(on(due), Money(1000, "EUR")),), zero("EUR"))
            for number, due in enumerate(debts.values(), start=1)
        )
        heard = noticed(8, 1, 2)["notices"]
        facts = Facts(papers, zero("EUR"), frozenset({1, 2, 3}), has_case=True, notices=heard)
        return evaluate(facts, policy_of(ECUADOR, guard=GUARD, contracts=contracts), at(24, 10, ECUADOR.zone)).levels

    assert levels("concerned", first=0, second=6) == {1: Level.WALLED, 2: Level.WALLED}
    assert levels("all", first=0, second=6) == dict.fromkeys((1, 2, 3), Level.WALLED)
    assert levels("each", first=0, second=6) == {1: Level.WALLED, 2: Level.THROTTLE}
    assert levels("each", first=0, second=23) == {1: Level.WALLED}
    assert levels("concerned", first=0, second=23) == {1: Level.WALLED, 2: Level.WALLED}


def test_a_relief_is_of_its_contract_and_a_promise_of_all():
    def levels(contract):
        respite = Respite(at(23, 9, ECUADOR.zone), at(25, 9, ECUADOR.zone), contract)
        return looked(24, **noticed(), respites=(respite,))

    assert levels(2).levels == {1: Level.WALLED}
    assert why_waits(levels(1), "walled") == [(Why.RELIEVED, at(25, 9, ECUADOR.zone))]
    assert why_waits(levels(None), "walled") == [(Why.PROMISED, at(25, 9, ECUADOR.zone))]
    assert levels(None).next_moment == at(25, 9, ECUADOR.zone)
    both = [
        Respite(at(23, 9, ECUADOR.zone), at(end, 9, ECUADOR.zone), contract) for end, contract in ((25, 1), (29, None))
    ]
    for order in (both, both[::-1]):
        held = looked(24, **noticed(), respites=tuple(order))
        assert why_waits(held, "walled") == [(Why.PROMISED, at(29, 9, ECUADOR.zone))]
        assert held.next_moment == at(25, 9, ECUADOR.zone)


def test_a_plan_of_instalments_is_no_debt_as_long_as_it_is_kept():
    plan = InstalmentPlan(1, frozenset({1}), (Due(on(40), Money(1500, "EUR")), Due(on(70), Money(1500, "EUR"))))

    assert looked(40, **noticed(), plans=(plan,)).case is CaseChange.CLEARED
    assert looked(20, plans=(plan,)).next_moment == at(37, 0, ECUADOR.zone)
    assert looked(38, plans=(plan,), reminded=frozenset({(1, on(40), "due_soon")})).next_moment == at(
        41, 0, ECUADOR.zone
    )
    missed = looked(41, has_case=False, plans=(plan,))
    assert (missed.case, missed.debt.amount) == (CaseChange.OPENED, Money(1500, "EUR"))
    assert looked(71, plans=(plan,)).debt.amount == Money(3000, "EUR")


def test_a_document_is_reminded_of_once_before_its_day_and_not_when_it_is_covered():
    assert codes(looked(-4)) == []
    assert codes(looked(-3)) == codes(looked(0)) == ["due_soon"]
    assert codes(looked(-3, reminded=frozenset({(1, on(0), "due_soon")}))) == []
    assert codes(looked(-3, credit=Money(3000, "EUR"))) == []
    assert codes(looked(-3, exclusions=(Exclusion(ExclusionKind.WHITELIST, "x", on(-9)),))) == []
    assert codes(looked(-3, exclusions=(Exclusion(ExclusionKind.PUBLIC_BODY, "x", on(-9)),))) == ["due_soon"]
    least = policy_of(ECUADOR, min_debt={"EUR": "30.00"})
    assert codes(looked(-3, policy=least)) == []
    in_parts = looked(27, open_={1: [[0, 1000], [30, 2000]]}, **noticed())
    assert [(one.code, one.due_on) for one in in_parts.steps if one.due_on] == [("due_soon", on(30))]
    assert looked(-9).next_moment == at(-3, 0, ECUADOR.zone)


def test_an_end_waits_for_the_hours_as_a_limit_does_and_names_its_contracts():
    ends = [*default_policy(ECUADOR)["step"], {"code": "end", "offset_days": 60, "action": "end"}]
    policy = policy_of(ECUADOR, guard=GUARD, step=ends)

    night = looked(63, 20, policy=policy, **noticed())
    assert Action.END not in {one.action for one in night.steps}
    (end,) = [one for one in looked(63, policy=policy, **noticed()).steps if one.action is Action.END]
    assert (end.code, end.contracts) == ("end", {1})
    relief = (Respite(at(62, 9, ECUADOR.zone), at(65, 9, ECUADOR.zone), 1),)
    assert "end" not in codes(looked(63, policy=policy, **noticed(), respites=relief))


def test_what_is_owed_is_told_with_what_does_not_count():
    told = looked(20, open_={1: [[0, 3000]], 2: [[4, 500]]}, credit=Money(700, "EUR"))

    assert [one.why for one in told.reasons] == [Why.OWES, Why.COVERED]
    assert dict(told.reasons[0].values) == {"amount": Money(2800, "EUR"), "since": on(0), "days": 20, "documents": 2}
    (paper,) = as_facts(Ledger({1: [[0, 3000]]}, {1: 1000}), Facts((), zero("EUR"), frozenset({1}))).documents
    disputed = looked(20, documents=(paper,))
    assert [one.why for one in disputed.reasons] == [Why.OWES, Why.IN_DISPUTE]
    assert dict(disputed.reasons[1].values) == {"amount": Money(1000, "EUR")}
    small = looked(20, policy=policy_of(ECUADOR, min_debt={"EUR": "30"}))
    assert [one.why for one in small.reasons] == [Why.NOT_PURSUED]
    italian = policy_of(ITALY, guard=GUARD)
    heard = (FormalNotice(on(16), Channel.CERTIFIED_MAIL, frozenset({1}), on(23)),)
    (cut,) = looked(63, policy=italian, has_case=True, notices=heard).steps[-1:]
    assert [one.why for one in cut.reasons] == [Why.DAY_REACHED, Why.NOTICE_HEARD]
    assert dict(cut.reasons[1].values) == {"day": on(23), "not_before": on(63)}


def test_who_pays_all_that_is_not_in_dispute_is_not_limited():
    """50.00 are disputed, 70.00 are not: 70.00 paid without a word about what for leave nothing that is asked for."""
    invoices = [
        OpenInvoice(
            number, (2026, number, str(number)), (Due(on(number), Money(cents, "EUR")),), Money(disputed, "EUR")
        )
        for number, cents, disputed in ((1, 5000, 5000), (2, 7000, 0))
    ]
    walled = (InForce(1, 1, Origin.DUNNING, Level.WALLED),)

    def after(cents):
        paid = allocate(Source(SourceKind.PAYMENT, 1, on(30), Money(cents, "EUR")), invoices)
        settled = {one.invoice_id: one.amount for one in paid}
        papers = tuple(
            OpenDocument(
                one.id, str(one.id), frozenset({1}), left_of(one.parts, settled.get(one.id, zero("EUR"))), one.disputed
            )
            for one in invoices
        )
        return looked(30, **noticed(10, 1, 2), restrictions=walled, documents=papers)

    assert after(7000).levels == {}
    assert after(7000).case is CaseChange.CLEARED
    assert after(6999).levels == {1: Level.WALLED}
