"""The contract of every payment gateway, over each provider's stand-in: no payment is credited twice, none is lost, whatever goes wrong.

Source: latam.md sections 10.2 and 11 of the reference; billing model section 17.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import psycopg
import pytest
from support.books_days import FEBRUARY
from support.books_isp import desk
from support.gateway_suite import DUE, TODAY, World, both_worlds, eur
from support.gocardless_stand_in import GoCardlessStandIn
from support.paid import pay

from billing.allocation import Choice
from billing.operations.charging import Asked, Outdated, ask_for_invoice, ask_for_mandate, ask_for_refund
from billing.operations.giving_back import refund_given, refund_payment
from billing.operations.receiving import choose, match_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.checks.catalogue import find_in
from billing.store.documents import issue
from billing.store.gateway_charges import load_link, mark_withdrawn_unasked
from billing.store.gateway_lists import load_notices
from billing.store.gateways import load_payouts
from billing.store.issued import load_parties_of
from control_plane.gateways.desk import Desk
from control_plane.gateways.files import import_file
from control_plane.gateways.provider import GatewayError
from control_plane.gateways.reconciling import reconcile, withdraw_settled
from control_plane.gateways.working import work
from control_plane.jobs.waking import WAKES

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def worlds(cluster, module_database, tmp_path_factory):
    """Both providers over one database: 60 invoices of 36.48 each."""
    with both_worlds(cluster, module_database, tmp_path_factory.mktemp, customers=120) as made:
        yield made


@pytest.fixture(scope="module")
def younger(worlds):
    """By world: a customer's invoice of January and one of February."""
    owner, found = worlds["stripe"].owner, {}
    with owner.transaction():
        acting(owner, "maria")
        table = desk(owner, worlds["isp"])
        for name in ("stripe", "gocardless"):
            older = worlds[name].invoice()
            customer = worlds["isp"].customers.index(load_parties_of(owner, older)[1])
            drafts = [table.invoice(table.line("29.90"), customer=customer, day=FEBRUARY)]
            (made,) = issue(owner, drafts, made_by="maria")
            found[name] = (older, made.id)
    return found


@pytest.fixture(params=["stripe", "gocardless"])
def world(request, worlds):
    world = worlds[request.param]
    world.stand_in.faults.clear()
    return world


def test_what_is_paid_at_the_provider_settles_the_invoice_it_was_asked_for(world: World):
    invoice = world.invoice()
    ref = world.present(invoice)
    assert world.state(invoice) == "presented"

    _, events = world.pay(ref)
    world.deliver(*events)

    assert (world.left(invoice), world.balance(invoice), world.state(invoice)) == ("0.00", "0.00", "paid")
    assert world.payments(invoice) == [(DUE, False)]


def test_a_notice_that_is_taken_in_wakes_the_worker_and_a_forged_one_does_not(world: World):
    _, events = world.pay(world.present(world.invoice()))
    with psycopg.connect(world.owner.info.dsn, autocommit=True) as worker:
        for channel in WAKES:
            worker.execute(f"LISTEN {channel}")
        world.tell(events[-1], secret="somebody else's")
        assert list(worker.notifies(timeout=0)) == []
        world.tell(events[-1])
        assert [WAKES[note.channel] for note in worker.notifies(timeout=120, stop_after=1)] == ["gateways"]
    world.deliver(*events)


def test_an_event_that_is_told_twice_is_one_payment(world: World):
    invoice = world.invoice()
    _, events = world.pay(world.present(invoice))
    for _ in range(3):
        world.deliver(*events)
        for event in events:
            world.tell(event)
    world.work()
    assert world.payments(invoice) == [(DUE, False)]


def test_late_and_in_any_order_events_come_to_the_same(world: World):
    told = []
    for order in permutations(range(4)):
        if order[0] == 0:
            continue
        if len(world.invoices) < 12 or len(told) == 6:
            break
        invoice = world.invoice()
        payment, events = world.pay(world.present(invoice))
        events += [world.refund(payment, 1000)[0], world.take_back(payment)[0]]
        for at in order:
            world.deliver(events[at])
        told.append((world.left(invoice), world.balance(invoice), world.state(invoice), order))
    assert len(told) == 6
    assert len({one[:3] for one in told}) == 1, told
    state = "disputed" if world.name == "stripe" else "reversed"
    assert told[0][:3] == (DUE, DUE, state)


def test_a_forged_notice_is_kept_and_refused_and_moves_nothing(world: World):
    invoice = world.invoice()
    _, events = world.pay(world.present(invoice))
    before = world.owner.execute("SELECT count(*) FROM gateway_notice").fetchone()
    answer = world.tell(events[-1], secret="somebody else's")
    assert answer == (400 if world.name == "stripe" else 498)
    headers, body = world.stand_in.notice([events[-1]])
    assert world.send(headers, body.replace(b"e", b"E", 1)) == answer
    assert world.send({}, body) == answer
    world.work()

    assert (world.left(invoice), world.payments(invoice)) == (DUE, [])
    assert world.owner.execute("SELECT count(*) FROM gateway_notice").fetchone() == before
    kept = world.owner.execute(
        "SELECT verdict, body FROM webhook_log WHERE account_id = %s ORDER BY id DESC LIMIT 1", (world.account.id,)
    ).fetchone()
    assert kept == ("refused", body)


def test_an_old_notice_sent_again_is_refused_or_known(world: World):
    invoice = world.invoice()
    _, events = world.pay(world.present(invoice))
    if world.name == "stripe":
        headers, body = world.stand_in.notice([events[-1]], at=datetime.now(UTC).timestamp() - 301)
        assert world.send(headers, body) == 400
        headers, body = world.stand_in.notice([events[-1]], at=datetime.now(UTC).timestamp() + 301)
        assert world.send(headers, body) == 400
        world.work()
        assert world.payments(invoice) == []
    headers, body = world.stand_in.notice([events[-1]])
    for _ in range(2):
        assert world.send(headers, body) == 200
    world.work()
    assert world.payments(invoice) == [(DUE, False)]


def test_what_comes_back_after_it_was_paid_out_opens_the_invoice_again(world: World):
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice))
    world.deliver(*events)
    bank, fees = world.booked("1000"), world.booked("6500")
    world.deliver(*world.pay_out([payment], 75))
    assert (world.booked("1000") - bank, world.booked("6500") - fees) == (Decimal("35.73"), Decimal("0.75"))
    (newest, *_) = load_payouts(world.owner, account_id=world.account.id, limit=1)
    assert (newest.amount, newest.fee, newest.unknown, bool(newest.unexplained)) == (eur(3573), eur(75), (), False)

    world.deliver(*world.take_back(payment))
    assert (world.left(invoice), world.balance(invoice)) == (DUE, DUE)
    assert world.payments(invoice) == [(DUE, True)]

    world.deliver(*world.give_up(payment))
    assert (world.left(invoice), world.balance(invoice), world.state(invoice)) == ("0.00", "0.00", "paid")
    assert world.payments(invoice) == [(DUE, True), (DUE, False)]


def test_a_notice_that_comes_before_the_call_is_answered_finds_its_charge(world: World):
    invoice = world.invoice()
    path = "/v1/payment_links" if world.name == "stripe" else "/payments"
    number = world.ask(invoice)

    def meanwhile():
        # The provider has made it; its customer is quicker than its answer.
        row = world.owner.execute("SELECT state::text, ref FROM presentment WHERE id = %s", (number,)).fetchone()
        assert row == ("asked", None)
        newest = (
            [one["id"] for one in world.stand_in.objects.values() if one["object"] == "payment_link"]
            if world.name == "stripe"
            else [one["id"] for one in world.stand_in.kept["payments"]]
        )[-1]
        _, events = world.pay(newest)
        for event in events:
            assert world.tell(event) == 200

    world.fault("POST", path, "none", meanwhile=meanwhile)
    world.work()
    world.work()
    assert (world.left(invoice), world.state(invoice)) == ("0.00", "paid")


@pytest.mark.parametrize("kind", ["closed after", "slow", "closed before", "busy", "maintenance"])
def test_what_the_provider_may_have_done_without_saying_so_is_done_once(world: World, kind):
    invoice = world.invoice()
    made = "/v1/payment_links" if world.name == "stripe" else "/payments"
    world.fault("POST", made, kind)
    number = world.ask(invoice)
    assert "put off 1" in world.work()
    state, problem = world.owner.execute(
        "SELECT state::text, problem FROM presentment WHERE id = %s", (number,)
    ).fetchone()
    assert (state, problem != "") == ("asked", True)

    assert "presented 1" in world.later()
    key = world.owner.execute("SELECT key FROM presentment WHERE id = %s", (number,)).fetchone()[0]
    objects = world.stand_in.objects.values() if world.name == "stripe" else world.stand_in.kept["payments"]
    assert len([one for one in objects if one.get("metadata", {}).get("corrente_key") == key]) == 1
    ref = world.owner.execute("SELECT ref FROM presentment WHERE id = %s", (number,)).fetchone()[0]
    _, events = world.pay(ref)
    world.deliver(*events)
    assert world.payments(invoice) == [(DUE, False)]


def test_what_was_done_is_found_even_when_the_provider_has_forgotten_our_keys(world: World):
    invoice = world.invoice()
    world.fault("POST", "/v1/payment_links" if world.name == "stripe" else "/payments", "closed after")
    number = world.ask(invoice)
    world.work()
    # Stripe keeps them for a day, GoCardless for a while longer.
    world.stand_in.by_key.clear()
    if isinstance(world.stand_in, GoCardlessStandIn):
        world.stand_in.keys.clear()
    assert "presented 1" in world.later()
    key = world.owner.execute("SELECT key FROM presentment WHERE id = %s", (number,)).fetchone()[0]
    objects = world.stand_in.objects.values() if world.name == "stripe" else world.stand_in.kept["payments"]
    assert len([one for one in objects if one.get("metadata", {}).get("corrente_key") == key]) == 1


def test_a_page_to_sign_on_that_can_t_be_looked_for_is_made_once_by_its_key(worlds):
    world = worlds["gocardless"]
    customer = load_parties_of(world.owner, world.invoice())[1]
    with world.owner.transaction():
        acting(world.owner, "maria")
        assert isinstance(ask_for_mandate(world.owner, world.account, customer, actor="maria"), Asked)
    before = len(world.stand_in.kept["billing_requests"])
    world.fault("POST", "/billing_requests", "closed after")
    world.work()
    assert "presented 1" in world.later()
    assert len(world.stand_in.kept["billing_requests"]) == before + 1


def test_the_invoice_that_was_asked_for_is_paid_before_an_older_one(world: World, younger):
    older, asked = younger[world.name]
    _, events = world.pay(world.present(asked))
    world.deliver(*events)
    assert (world.left(older), world.left(asked)) == (DUE, "0.00")


@pytest.mark.parametrize("kind", ["closed before", "busy", "maintenance", "slow", "rubbish"])
def test_what_can_t_be_asked_now_is_asked_again_and_not_lost(world: World, kind):
    invoice = world.invoice()
    _, events = world.pay(world.present(invoice))
    world.fault("GET", "/v1/payment_intents" if world.name == "stripe" else "/payments/", kind)
    assert world.tell(events[-1]) == 200
    assert "put off 1" in world.work()
    assert world.payments(invoice) == []
    assert world.work() == "nothing to do"
    assert "looked into 1" in world.later()
    assert world.payments(invoice) == [(DUE, False)]


def test_what_was_never_told_is_found_by_asking(world: World):
    invoice = world.invoice()
    payment, _ = world.pay(world.present(invoice))
    since = datetime.now(UTC) - timedelta(days=1)
    desk = Desk(world.settings)
    found = reconcile(world.worker, desk, world.account.id, since=since, now=datetime.now(UTC))
    assert found.missed >= 2
    assert found.listed >= found.missed
    while world.work() != "nothing to do":
        pass
    assert world.payments(invoice) == [(DUE, False)]

    again = reconcile(world.worker, desk, world.account.id, since=since, now=datetime.now(UTC))
    assert (again.listed, again.missed) == (found.listed, 0)
    assert payment["id"] in world.owner.execute("SELECT string_agg(reference, ',') FROM payment").fetchone()[0]


def test_more_than_was_asked_for_is_credit_and_less_leaves_the_rest_open(world: World):
    rich, poor = world.invoice(), world.invoice()
    _, events = world.pay(world.present(rich), 5000)
    world.deliver(*events)
    assert (world.left(rich), world.balance(rich)) == ("0.00", "-13.52")
    _, events = world.pay(world.present(poor), 2000)
    world.deliver(*events)
    assert (world.left(poor), world.balance(poor)) == ("16.48", "16.48")


def test_an_invoice_that_was_paid_elsewhere_meanwhile_leaves_credit(world: World):
    invoice = world.invoice()
    ref = world.present(invoice)
    _, events = world.pay(ref)
    world.deliver(*events)
    if world.name == "stripe":
        # The page was open twice.
        _, more = world.pay(ref)
        world.deliver(*more)
        assert (world.left(invoice), world.balance(invoice)) == ("0.00", f"-{DUE}")
        assert world.payments(invoice) == [(DUE, False), (DUE, False)]


def test_a_payment_that_nobody_here_asked_for_waits_with_those_that_nobody_knows(world: World):
    before = world.booked("1990")
    world.deliver(*world.strange_payment(1234))
    assert world.booked("1990") - before == Decimal("-12.34")


def test_a_refund_made_at_the_provider_is_booked_and_opens_what_it_takes(world: World):
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice))
    world.deliver(*events)
    world.deliver(*world.refund(payment, 1000))
    assert (world.left(invoice), world.balance(invoice)) == ("10.00", "10.00")
    assert world.state(invoice) == "partly_refunded"
    world.deliver(*world.refund(payment, 2648))
    assert (world.left(invoice), world.state(invoice)) == (DUE, "refunded")


def test_money_is_given_back_the_way_it_came_once_and_no_more_than_is_free(world: World):
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice), 5000)
    world.deliver(*events)
    row = world.owner.execute("SELECT id FROM payment WHERE reference LIKE %s", (f"% {payment['id']}",)).fetchone()

    def ask(cents):
        with world.owner.transaction():
            acting(world.owner, "maria")
            return ask_for_refund(world.owner, world.account, row[0], eur(cents), reason="too much", actor="maria")

    assert isinstance(ask(1353), NotDone)
    asked = ask(1352)
    assert isinstance(asked, Asked)
    # What is being given back can't be given back again, nor by hand.
    assert isinstance(ask(1), NotDone)
    by_hand = refund_payment(world.owner, row[0], eur(1), world.account.method, Happening(TODAY, "x"), today=TODAY, actor="maria")  # fmt: skip
    assert isinstance(by_hand, NotDone)
    assert "13.52 EUR of it are being given back by its gateway, 0.00 EUR beside that" in by_hand.message
    world.fault("POST", "/v1/refunds" if world.name == "stripe" else "/refunds", "closed after")
    world.work()
    world.later()
    told = [one for one in world.stand_in.events if "refund" in str(one.get("type", one.get("resource_type")))]
    world.deliver(told[-1])
    world.later()

    assert (world.left(invoice), world.balance(invoice)) == ("0.00", "0.00")
    refunds = world.owner.execute("SELECT amount FROM refund WHERE payment_id = %s", (row[0],)).fetchall()
    assert [str(amount) for (amount,) in refunds] == ["13.520"]


def test_a_refund_that_was_booked_by_hand_is_told_to_a_person_once(world: World):
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice))
    world.deliver(*events)
    number = world.owner.execute("SELECT id FROM payment WHERE reference LIKE %s", (f"% {payment['id']}",)).fetchone()[
        0
    ]
    with world.owner.transaction():
        why = Happening(TODAY, "sent back by hand", PaymentSource.MANUAL)
        done = refund_given(world.owner, number, eur(3648), world.account.method, why, today=TODAY, actor="maria")
        assert not isinstance(done, NotDone)
    (told, *_) = world.refund(payment, 3648)
    world.deliver(told)
    kept = world.owner.execute(
        "SELECT n.done_at IS NOT NULL, n.problem, EXISTS (SELECT FROM payment_event AS e WHERE e.notice_id = n.id) FROM gateway_notice AS n WHERE n.key = %s",
        (told["id"],),
    ).fetchone()
    assert (kept[0], "are not booked: 36.48 EUR of payment" in kept[1], kept[2]) == (True, True, True)
    assert kept[1] in {one.problem for one in load_notices(world.owner, only_problems=True, limit=10)}
    assert (world.left(invoice), world.balance(invoice), world.state(invoice)) == (DUE, DUE, "refunded")


def test_what_was_given_back_otherwise_is_not_counted_as_given_back_by_the_provider(worlds):
    world = worlds["gocardless"]
    world.stand_in.faults.clear()
    payment, events = world.pay(world.present(world.invoice()), 5000)
    world.deliver(*events)
    number = world.owner.execute("SELECT id FROM payment WHERE reference LIKE %s", (f"% {payment['id']}",)).fetchone()[
        0
    ]
    with world.owner.transaction():
        why = Happening(TODAY, "at the counter", PaymentSource.MANUAL)
        refunded = refund_payment(world.owner, number, eur(500), world.account.method, why, today=TODAY, actor="maria")
        assert not isinstance(refunded, NotDone)
    # The second before the first is told of.
    for cents in (300, 200):
        with world.owner.transaction():
            acting(world.owner, "maria")
            asked = ask_for_refund(world.owner, world.account, number, eur(cents), reason="too much", actor="maria")
            assert isinstance(asked, Asked)
        assert world.work() == "presented 1"
    # And two that wait for the worker at once: each says what went back of the payment in all.
    for cents in (150, 100):
        with world.owner.transaction():
            acting(world.owner, "maria")
            asked = ask_for_refund(world.owner, world.account, number, eur(cents), reason="too much", actor="maria")
            assert isinstance(asked, Asked)
    assert world.work() == "presented 2"
    made = [one["amount"] for one in world.stand_in.kept["refunds"] if one["links"]["payment"] == payment["id"]]
    assert made == [300, 200, 150, 100]


def test_an_answer_that_can_t_be_kept_is_that_one_s_problem_and_stops_nobody(worlds, monkeypatch):
    world = worlds["stripe"]
    world.stand_in.faults.clear()
    odd, other = (world.ask(world.invoice()) for _ in range(2))
    (key,) = world.owner.execute("SELECT key FROM presentment WHERE id = %s", (odd,)).fetchone()
    answer = world.stand_in.answer

    def bent(call):
        status, body = answer(call)
        is_odd = body.get("metadata", {}).get("corrente_key") == key
        return status, {**body, "url": "javascript:alert(1)"} if is_odd else body

    monkeypatch.setattr(world.stand_in, "answer", bent)
    assert world.work() == "presented 1, put off 1"
    rows = world.owner.execute(
        "SELECT state::text, problem <> '', next_at > now() + interval '40 seconds' FROM presentment WHERE id = ANY (%s) ORDER BY id",
        ([odd, other],),
    ).fetchall()
    assert [row[:2] for row in rows] == [("asked", True), ("presented", False)]
    assert rows[0][2]


def test_what_was_told_is_recorded_before_anything_is_asked_and_a_turn_asks_for_so_long_only(worlds, monkeypatch):
    monkeypatch.setattr("control_plane.gateways.working.PRESENTED_AT_ONCE", 1)
    world = worlds["gocardless"]
    world.stand_in.faults.clear()
    paid, *others = world.invoice(), world.invoice(), world.invoice()
    _, events = world.pay(world.present(paid))
    for invoice in others:
        world.ask(invoice)
    assert world.tell(*events) == 200
    left = []
    world.fault("POST", "/payments", "none", meanwhile=lambda: left.append(world.left(paid)))
    said = work(world.worker, world.settings, datetime.now(UTC), actor="job gateways", presenting_s=0.0)
    assert (said, left) == ("looked into 2, presented 1", ["0.00"])
    # What was not reached was not asked for, so that nobody has to find out whether it was done.
    rows = world.owner.execute(
        "SELECT p.attempts, p.next_at <= now() FROM presentment AS p JOIN gateway_charge AS c ON c.id = p.charge_id WHERE c.document_id = ANY (%s) AND p.state = 'asked'",
        (others,),
    ).fetchall()
    assert rows == [(0, True)]
    assert world.work() == "presented 1"


def test_an_event_the_books_can_t_take_is_taken_back_whole_and_does_not_stop_the_others(world: World):
    invoice, other = world.invoice(), world.invoice()
    _, events = world.pay(world.present(invoice))
    _, more = world.pay(world.present(other))
    world.owner.execute("REVOKE INSERT ON payment FROM corrente_worker")
    try:
        world.deliver(*events, *more)
        assert world.owner.execute(
            "SELECT count(*) FROM payment_event WHERE key = ANY (%s)", ([events[-1]["id"], more[-1]["id"]],)
        ).fetchone() == (0,)
    finally:
        world.owner.execute("GRANT INSERT ON payment TO corrente_worker")
    world.later()
    assert (world.payments(invoice), world.payments(other)) == ([(DUE, False)], [(DUE, False)])


def test_what_was_stored_and_never_judged_is_judged_by_the_worker(world: World):
    invoice = world.invoice()
    _, events = world.pay(world.present(invoice))
    headers, body = world.stand_in.notice([events[-1]])
    lower = {name.lower(): value for name, value in headers.items()}
    for given in (lower, {}):
        world.owner.execute(
            "INSERT INTO webhook_log (account_id, at, headers, body) VALUES (%s, now() - interval '61 s', %s, %s)",
            (world.account.id, psycopg.types.json.Jsonb(given), body),
        )
    assert "judged 2 notices" in world.work()
    world.work()
    assert world.payments(invoice) == [(DUE, False)]


def test_the_same_invoice_asked_again_is_the_same_page_until_it_owes_another_amount(world: World):
    invoice = world.invoice()
    first = world.ask(invoice)
    with world.owner.transaction():
        again = ask_for_invoice(world.owner, world.account, invoice, kind=world.kind, actor="maria")
        assert again == Asked(first, again=True)
    world.work()
    if world.name == "stripe":
        payment, events = world.pay(world.present(world.invoice()), 100)
        world.deliver(*events)
        row = world.owner.execute(
            "SELECT id, customer_id FROM payment WHERE reference LIKE %s", (f"% {payment['id']}",)
        ).fetchone()
        other = world.owner.execute(
            "SELECT document_id FROM gateway_charge WHERE customer_id = %s", (row[1],)
        ).fetchone()[0]
        with world.owner.transaction():
            acting(world.owner, "maria")
            assert not isinstance(choose(world.owner, row[0], [Choice(other)], actor="maria"), NotDone)
            asked = ask_for_invoice(world.owner, world.account, other, kind="link", actor="maria")
            assert isinstance(asked, Asked)
    else:
        with world.owner.transaction():
            assert isinstance(
                ask_for_invoice(world.owner, world.account, invoice, kind="debit", actor="maria"), NotDone
            )


def test_a_page_of_an_old_amount_is_outdated(worlds):
    world = worlds["stripe"]
    invoice = world.invoice()
    ref = world.present(invoice)
    world.owner.execute("SELECT 1")
    _, events = world.stand_in.paid(1000, "eur", {})
    world.deliver(*events)
    number = world.owner.execute("SELECT max(id) FROM payment").fetchone()[0]
    with world.owner.transaction():
        whose = load_parties_of(world.owner, invoice)[1]
        match_payment(world.owner, number, whose, reason="by phone", today=TODAY, actor="maria")
        found = ask_for_invoice(world.owner, world.account, invoice, kind="link", actor="maria")
    assert isinstance(found, Outdated)
    assert (found.link.ref, world.left(invoice)) == (ref, "26.48")


def test_a_mandate_is_signed_on_a_page_and_collected_by(worlds):
    world = worlds["gocardless"]
    invoice = world.invoice()
    customer = world.owner.execute("SELECT customer_id FROM document WHERE id = %s", (invoice,)).fetchone()[0]
    with world.owner.transaction():
        acting(world.owner, "maria")
        refused = ask_for_invoice(world.owner, world.account, invoice, kind="debit", actor="maria")
        assert isinstance(refused, NotDone)
        asked = ask_for_mandate(world.owner, world.account, customer, actor="maria")
        assert isinstance(asked, Asked)
    world.work()
    ref, page = world.owner.execute(
        "SELECT ref, value FROM presentment WHERE id = %s", (asked.presentment_id,)
    ).fetchone()
    assert page.startswith("https://pay-sandbox.gocardless.com/flow/")

    mandate, events = world.stand_in.sign(world.stand_in.get("billing_requests", ref))
    # The mandate is told before the page that it was signed on, and one notice tells both.
    assert world.tell(*events) == 200
    world.work()
    kept = world.owner.execute("SELECT ref, state::text FROM mandate WHERE customer_id = %s", (customer,)).fetchone()
    assert kept == (mandate["id"], "active")

    with world.owner.transaction():
        acting(world.owner, "maria")
        assert isinstance(ask_for_invoice(world.owner, world.account, invoice, kind="debit", actor="maria"), Asked)
    world.work()
    payment = world.stand_in.kept["payments"][-1]
    world.deliver(*world.stand_in.fail(payment))
    assert world.state(invoice) == "failed"

    mandate["status"] = "cancelled"
    world.deliver(world.stand_in.tell("mandates", "cancelled", mandate))
    kept = world.owner.execute("SELECT state::text FROM mandate WHERE customer_id = %s", (customer,)).fetchone()
    assert kept == ("cancelled",)


def test_a_debit_that_fails_after_it_was_confirmed_comes_back_with_the_bank_s_code(worlds):
    world = worlds["gocardless"]
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice))
    world.deliver(*events)
    world.deliver(*world.stand_in.fail(payment, "AC04"))
    code, reason = world.owner.execute(
        "SELECT r.reason_code, r.reason FROM payment_reversal AS r JOIN payment AS p ON p.id = r.payment_id WHERE p.reference LIKE %s",
        (f"% {payment['id']}",),
    ).fetchone()
    assert (code, world.left(invoice), world.state(invoice)) == ("AC04", DUE, "reversed")
    assert reason == "payments failed"


def test_the_address_of_an_account_is_closed_to_what_is_too_large_and_to_accounts_that_are_off(worlds):
    world = worlds["stripe"]
    assert world.web.post("/webhooks/" + "x" * 43, data=b"{}").status_code == 404
    assert world.web.post(f"/webhooks/{world.account.token}", data=b"x" * 1_000_001).status_code == 413
    world.owner.execute("UPDATE gateway_account SET enabled = false WHERE id = %s", (world.account.id,))
    assert world.tell(world.stand_in.tell("payout.paid", {"id": "po_x"})) == 404
    world.owner.execute("UPDATE gateway_account SET enabled = true WHERE id = %s", (world.account.id,))


def test_who_pays_at_the_provider_is_let_out_of_the_walled_garden_in_the_same_transaction(world: World):
    invoice = world.invoice()
    contract = world.owner.execute(
        "SELECT min(id) FROM contract WHERE customer_id = %s", (load_parties_of(world.owner, invoice)[1],)
    ).fetchone()[0]
    run = world.owner.execute(
        "INSERT INTO automation_run (name, started_by, started_at) VALUES ('dunning', 'worker-1', now()) RETURNING id"
    ).fetchone()[0]
    world.owner.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, run_id) VALUES (%s, 'dunning', 'walled', 'unpaid', 'job dunning', %s)",
        (contract, run),
    )
    _, events = world.pay(world.present(invoice))
    world.deliver(*events)
    lifted = world.owner.execute(
        "SELECT r.lifted_at, p.made_at FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id JOIN payment AS p ON p.customer_id = c.customer_id WHERE r.contract_id = %s",
        (contract,),
    ).fetchone()
    assert lifted is not None
    # now() is the transaction's.
    assert lifted[0] == lifted[1]


@pytest.mark.parametrize(("ends", "left"), [("lose", DUE), ("win", "0.00")])
def test_what_a_payer_contests_at_the_bank_is_no_debt_until_that_is_decided(worlds, ends, left):
    world = worlds["stripe"]
    invoice = world.invoice()
    payment, events = world.pay(world.present(invoice))
    world.deliver(*events)
    dispute, contests = world.stand_in.dispute(payment)
    world.deliver(*contests)
    withheld = "SELECT amount::numeric(9, 2)::text, outcome, opened_by, closed_by FROM dunning_dispute WHERE document_id = %s ORDER BY id"
    assert world.left(invoice) == DUE
    assert world.owner.execute(withheld, (invoice,)).fetchall() == [(DUE, None, "job gateways", None)]
    assert world.owner.execute("SELECT reason FROM dunning_dispute WHERE document_id = %s", (invoice,)).fetchone()[0].startswith(f"{world.account.name}: disputed: ")  # fmt: skip

    over = getattr(world.stand_in, ends)(dispute)
    world.deliver(*over, *contests)
    assert world.left(invoice) == left
    ((amount, outcome, _, closed_by),) = world.owner.execute(withheld, (invoice,)).fetchall()
    assert (amount, outcome.partition(":")[0], closed_by) == (DUE, {"lose": "lost", "win": "won"}[ends], "job gateways")


def test_a_page_is_switched_off_once_its_invoice_is_paid_elsewhere(worlds):
    world = worlds["stripe"]
    invoice = world.invoice()
    ref = world.present(invoice)
    with world.owner.transaction():
        pay(world.owner, world.account.issuer_id, DUE, load_parties_of(world.owner, invoice)[1])
    assert withdraw_settled(world.worker, Desk(world.settings)) >= 1
    assert world.stand_in.objects[ref]["active"] is False
    assert world.state(invoice) == "withdrawn"
    assert withdraw_settled(world.worker, Desk(world.settings)) == 0


def test_what_the_provider_does_not_switch_off_keeps_nothing_else_from_it(worlds, monkeypatch):
    monkeypatch.setattr("control_plane.gateways.reconciling._AT_ONCE", 1)
    world = worlds["stripe"]
    world.stand_in.faults.clear()
    refused, other = world.invoice(), world.invoice()
    links = [world.present(one) for one in (refused, other)]
    for one in (refused, other):
        _paid_by_hand(world, one, DUE)
    world.fault("POST", f"/v1/payment_links/{links[0]}", "closed before")
    assert withdraw_settled(world.worker, Desk(world.settings)) == 1
    assert [world.state(one) for one in (refused, other)] == ["presented", "withdrawn"]
    assert withdraw_settled(world.worker, Desk(world.settings)) == 1


def _paid_by_hand(world: World, invoice: int, amount: str) -> None:
    with world.owner.transaction():
        pay(world.owner, world.account.issuer_id, amount, load_parties_of(world.owner, invoice)[1])


def _asked_at(world: World, invoice: int) -> list[tuple[int, str]]:
    """The debits of an invoice at the provider: cents, and how they stand."""
    assert isinstance(world.stand_in, GoCardlessStandIn)
    keys = world.owner.execute("SELECT key FROM gateway_charge WHERE document_id = %s", (invoice,)).fetchall()
    return [
        (one["amount"], one["status"])
        for one in world.stand_in.kept["payments"]
        if (one["metadata"].get("corrente_charge"),) in keys
    ]


def test_what_is_paid_before_the_worker_asks_for_it_is_not_asked_for(worlds):
    world = worlds["gocardless"]
    world.stand_in.faults.clear()
    whole, part = world.invoice(), world.invoice()
    for invoice, amount in ((whole, DUE), (part, "10.00")):
        world.ask(invoice)
        _paid_by_hand(world, invoice, amount)
    world.work()
    for invoice in (whole, part):
        assert (_asked_at(world, invoice), world.state(invoice)) == ([], "withdrawn")
    world.present(part)
    assert _asked_at(world, part) == [(2648, "pending_submission")]


def test_a_debit_nobody_knows_of_is_neither_withdrawn_in_the_dark_nor_collected_beside_another(worlds):
    world = worlds["gocardless"]
    world.stand_in.faults.clear()
    invoice = world.invoice()
    number = world.ask(invoice)
    world.fault("POST", "/payments", "closed after")
    world.work()
    _paid_by_hand(world, invoice, "10.00")
    with world.owner.transaction():
        found = ask_for_invoice(world.owner, world.account, invoice, kind="debit", actor="maria")
        assert isinstance(found, NotDone)
        assert "has not said" in found.message
        assert not mark_withdrawn_unasked(world.owner, load_link(world.owner, number).charge_id)
    # Found under its key, and cancelled since less is owed by now; what is left is another debit.
    assert "declined 1" in world.later()
    assert (_asked_at(world, invoice), world.state(invoice)) == ([(3648, "cancelled")], "withdrawn")
    world.present(invoice)
    assert _asked_at(world, invoice) == [(3648, "cancelled"), (2648, "pending_submission")]


def test_a_debit_is_cancelled_once_its_invoice_is_paid_elsewhere(worlds):
    world = worlds["gocardless"]
    world.stand_in.faults.clear()
    invoice = world.invoice()
    ref = world.present(invoice)
    made = next(one for one in world.stand_in.events if one["links"].get("payment") == ref)
    world.deliver(made)
    assert world.state(invoice) == "pending"
    _paid_by_hand(world, invoice, DUE)
    assert withdraw_settled(world.worker, Desk(world.settings)) == 1
    assert (_asked_at(world, invoice), world.state(invoice)) == ([(3648, "cancelled")], "withdrawn")


def test_the_provider_s_file_is_compared_with_the_books_and_read_once(worlds):
    world = worlds["gocardless"]
    known, changed = world.invoice(), world.invoice()
    payments = []
    for invoice in (known, changed):
        payment, events = world.pay(world.present(invoice))
        world.deliver(*events)
        payments.append(payment)
    world.deliver(*world.pay_out(payments, 75))
    payout = world.stand_in.kept["payouts"][-1]["id"]
    head = "customers.id,resources.type,gross_amount,gocardless_fees,app_fees,net_amount,currency,payouts.id,payouts.arrival_date,payments.id,refunds.id"
    row = "CU1,payment,{gross},0.75,0.00,{net},EUR,{payout},2026-03-12,{payment},"
    good = [row.format(gross="36.48", net="35.73", payout=payout, payment=one["id"]) for one in payments]

    def read(*lines):
        content = ("\ufeff" + "\r\n".join([head, *lines])).encode()
        with world.owner.transaction():
            return import_file(world.owner, world.account, "payouts.csv", content, actor="maria")

    right = read(*good)
    assert (right.rows, right.payouts, right.total, right.findings, right.again) == (2, 1, "71.46 EUR", (), False)
    assert read(*good).again
    strange = row.format(gross="9.00", net="8.25", payout="PO999", payment="PM999")
    wrong = read(good[0], row.format(gross="36.49", net="35.74", payout=payout, payment=payments[1]["id"]), strange)
    assert wrong.findings == (
        (payout, "payout", "71.47 EUR in the file, 71.46 EUR in the books"),
        (payout, payments[1]["id"], "36.49 EUR in the file, 36.48 EUR in the books"),
        ("PO999", "payout", "8.25 EUR that nobody has told: `corrente gateway reconcile` asks for it"),
        ("PO999", "PM999", "9.00 EUR of a payment that is not in the books"),
    )
    for bad, said in (
        ("a,b\r\n1,2", "it has no column"),
        (head + "\r\n" + good[0].replace("35.73", "35.00"), "row 2"),
        (head + "\r\n" + good[0].replace("36.48", "1e5"), "row 2"),
    ):
        with pytest.raises(GatewayError, match=said):
            import_file(world.owner, world.account, "x.csv", bad.encode(), actor="maria")


def test_a_payout_whose_entry_says_something_else_is_found(worlds):
    connection = worlds["stripe"].owner
    with connection.transaction(force_rollback=True):
        connection.execute(
            "SET LOCAL session_replication_role = replica; UPDATE payout SET fee = fee + 1 WHERE id = (SELECT min(id) FROM payout)"
        )
        assert [(one.check, one.subject) for one in find_in(connection)] == [
            ("payouts of gateways", f"payout {connection.execute('SELECT min(id) FROM payout').fetchone()[0]}")
        ]


def test_the_books_agree_with_themselves_after_all_of_it(worlds):
    # Last in this file: whatever the tests above did.
    connection = worlds["stripe"].owner
    with connection.transaction():
        assert [(one.check, one.subject, one.message) for one in find_in(connection)] == []
    left = connection.execute("SELECT topic, problem FROM gateway_notice WHERE done_at IS NULL AND problem <> ''")
    assert left.fetchall() == []
