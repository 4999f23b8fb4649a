"""What accounts collect by themselves: each due day is debited once, the others get a page; what is left out says why.

Source: latam.md section 10 of the reference; billing model section 12.
"""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from support.books_days import JANUARY
from support.books_isp import desk
from support.debtors import at, have_policy
from support.gateway_suite import DUE, both_worlds
from support.paid import pay

from billing.gateways.due import LeftOut, decide
from billing.operations.charging import ask_for_debits, ask_for_pages
from billing.operations.invoice_messages import send_invoices
from billing.operations.pursuing import pursue
from billing.store.acting import acting
from billing.store.documents import issue
from billing.store.gateway_charges import load_links_of, load_pages, mark_withdrawn, mark_withdrawn_unasked
from billing.store.gateway_due import load_awaited, load_to_debit
from billing.store.issued import load_parties_of
from control_plane.gateways.desk import Desk
from control_plane.gateways.reconciling import withdraw_settled
from control_plane.jobs.gateways import collect_due, page_new_invoices

pytestmark = pytest.mark.db
# Invoices of 1 January are due on the 16th; a day of collecting begins at 5 in Rome.
DAY = JANUARY + timedelta(days=15)
BEFORE = datetime(DAY.year, DAY.month, DAY.day, 3, 59, tzinfo=UTC)
DUE_DAY = BEFORE + timedelta(minutes=2)
SINCE = date(2026, 1, 1)


@pytest.fixture(scope="module")
def worlds(cluster, module_database, tmp_path_factory):
    with both_worlds(cluster, module_database, tmp_path_factory.mktemp, customers=46) as made:
        yield made


@pytest.fixture
def debits(worlds):
    """GoCardless debits by itself what is of 2026; Stripe makes no pages."""
    world = worlds["gocardless"]
    _set(world, debits_since=SINCE)
    yield world
    _set(world, debits_since=None, debit_days=0)
    _set(worlds["stripe"], pages_since=None)


@pytest.fixture
def pages(worlds, debits):
    """And Stripe makes pages: of all invoices, so that the tests of pages stand last."""
    _set(worlds["stripe"], pages_since=SINCE)
    return worlds["stripe"]


def _set(world, **columns):
    for name, value in columns.items():
        world.owner.execute(
            psycopg.sql.SQL("UPDATE gateway_account SET {} = %s WHERE id = %s").format(psycopg.sql.Identifier(name)),
            (value, world.account.id),
        )


def _collect(world, now=DUE_DAY):
    asked = {"now": now, "actor": "job collect_due"}
    return ask_for_debits(world.worker, **asked), ask_for_pages(world.worker, **asked)


def _charged(world, invoice):
    return world.owner.execute(
        "SELECT c.amount::float8, c.due_on, p.kind::text, c.state::text FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id WHERE c.document_id = %s ORDER BY c.id",
        (invoice,),
    ).fetchall()


def _payment(world, invoice):
    """The newest debit of an invoice at the provider."""
    keys = world.owner.execute("SELECT key FROM gateway_charge WHERE document_id = %s", (invoice,)).fetchall()
    made = [one for one in world.stand_in.kept["payments"] if (one["metadata"].get("corrente_charge"),) in keys]
    return made[-1]


def _signed(world):
    invoice = world.invoice()
    world.sign(invoice)
    return invoice


def _decided(world, invoice, now=DUE_DAY):
    found = load_to_debit(world.owner, [invoice], now=now)
    return decide(found[0]) if found else None


def test_an_invoice_is_debited_on_its_due_day_once_and_paid(debits):
    invoice, nobody_s = _signed(debits), debits.invoice()
    assert _collect(debits, BEFORE) == (0, 0)
    assert [_collect(debits) for _ in range(2)] == [(1, 0), (0, 0)]
    assert (_charged(debits, invoice), _charged(debits, nobody_s)) == ([(36.48, DAY, "debit", "open")], [])
    debits.work()
    debits.deliver(*debits.stand_in.confirm(_payment(debits, invoice)))
    assert (debits.left(invoice), debits.state(invoice)) == ("0.00", "paid")
    # It came back: a person's, dunning's, and a page's; not another debit.
    debits.deliver(*debits.stand_in.charge_back(_payment(debits, invoice)))
    assert debits.left(invoice) == DUE
    assert _collect(debits, DUE_DAY + timedelta(days=40)) == (0, 0)


def test_a_debit_asked_ahead_is_collected_on_the_due_day_or_when_the_bank_can(debits):
    invoice = debits.invoice()
    debits.sign(invoice, next_possible_charge_date="2026-01-15")
    soon = debits.invoice()
    debits.sign(soon, next_possible_charge_date="2099-01-02")
    _set(debits, debit_days=3)
    assert _collect(debits, BEFORE - timedelta(days=3)) == (0, 0)
    assert _collect(debits, DUE_DAY - timedelta(days=3)) == (2, 0)
    # The worker's clock is of today, when the day has long come: as soon as can be.
    debits.work()
    asked = [call.fields["payments"] for call in debits.stand_in.calls if call.path == "/payments" and call.fields]
    assert all("charge_date" not in one for one in asked[-2:])
    # As it would have been in January: wanted before the day that it is due.
    debits.stand_in.keys.clear()
    debits.owner.execute(
        "UPDATE presentment AS p SET state = 'asked', ref = NULL, attempts = 0, made_at = '2026-01-13 06:00+00', key = 'again-' || p.id || '-0123456789' FROM gateway_charge AS c WHERE c.id = p.charge_id AND c.document_id = ANY (%s)",
        ([invoice, soon],),
    )
    debits.later()
    asked = [call.fields["payments"] for call in debits.stand_in.calls if call.path == "/payments" and call.fields]
    assert sorted(one["charge_date"] for one in asked[-2:]) == [DAY.isoformat(), "2099-01-02"]


def test_what_is_disputed_paid_in_instalments_or_under_way_is_left_out_and_says_so(debits):
    disputed, in_plan, under_way, paid = (_signed(debits) for _ in range(4))
    issuer, customer = load_parties_of(debits.owner, in_plan)
    with debits.owner.transaction():
        acting(debits.owner, "maria")
        debits.owner.execute(
            "INSERT INTO dunning_dispute (document_id, amount, reason, opened_by) VALUES (%s, 5, 'too much', 'maria')",
            (disputed,),
        )
        (plan,) = debits.owner.execute(
            "INSERT INTO instalment_plan (issuer_id, customer_id, currency, reason, made_by) VALUES (%s, %s, 'EUR', 'agreed', 'maria') RETURNING id",
            (issuer, customer),
        ).fetchone()
        debits.owner.execute("INSERT INTO instalment_plan_part VALUES (%s, '2026-09-01', 36.48)", (plan,))
        debits.owner.execute("INSERT INTO instalment_plan_document VALUES (%s, %s)", (plan, in_plan))
        pay(debits.owner, issuer, DUE, load_parties_of(debits.owner, paid)[1])
    debits.ask(under_way)
    said = [str(one.why) for one in map(lambda n: _decided(debits, n), (disputed, in_plan, under_way)) if isinstance(one, LeftOut)]  # fmt: skip
    assert said == ["disputed", "paid by a plan of instalments", "a page or a debit of it is under way"]
    assert _decided(debits, paid) is None
    assert _collect(debits) == (0, 0)
    with debits.owner.transaction():
        acting(debits.owner, "maria")
        debits.owner.execute(
            "UPDATE dunning_dispute SET closed_at = now(), closed_by = 'maria', outcome = 'it was right' WHERE document_id = %s",
            (disputed,),
        )
    assert _collect(debits) == (1, 0)


def test_credit_is_laid_first_and_the_rest_is_debited(debits):
    invoice = _signed(debits)
    with debits.owner.transaction():
        issuer, customer = load_parties_of(debits.owner, invoice)
        pay(debits.owner, issuer, "10.00", customer)
        # As two writers at the same moment leave it.
        acting(debits.owner, "maria")
        debits.owner.execute(
            "INSERT INTO allocation (payment_id, invoice_id, amount, withdraws_id) SELECT payment_id, invoice_id, -amount, id FROM allocation WHERE invoice_id = %s",
            (invoice,),
        )
    assert str(_decided(debits, invoice).why) == "the customer's credit is laid on it first"
    assert _collect(debits) == (1, 0)
    assert _charged(debits, invoice) == [(26.48, DAY, "debit", "open")]


def test_who_pays_a_part_before_the_debit_is_asked_for_is_debited_the_rest(debits):
    invoice = _signed(debits)
    _collect(debits)
    with debits.owner.transaction():
        issuer, customer = load_parties_of(debits.owner, invoice)
        pay(debits.owner, issuer, "10.00", customer)
    debits.work()
    assert _charged(debits, invoice) == [(36.48, DAY, "debit", "withdrawn")]
    assert _collect(debits) == (1, 0)
    assert _charged(debits, invoice)[1] == (26.48, DAY, "debit", "open")
    debits.work()


def test_what_a_person_cancelled_is_not_debited_by_itself_again(debits):
    asked, sent = _signed(debits), _signed(debits)
    _collect(debits)
    (one,) = load_links_of(debits.owner, debits.account.id, asked)
    assert one.is_debit_under_way
    assert mark_withdrawn_unasked(debits.owner, one.charge_id, by="maria")
    debits.work()
    (one,) = load_links_of(debits.owner, debits.account.id, sent)
    mark_withdrawn(debits.owner, one.charge_id, by="maria")
    assert _collect(debits) == (0, 0)
    # By hand it can be.
    assert debits.ask(asked)


def test_each_part_of_an_invoice_is_debited_on_its_own_day(debits, worlds):
    invoice = _in_two_parts(debits, worlds)
    debits.sign(invoice)
    first, second = date(2026, 1, 25), date(2026, 2, 25)
    for now in (datetime(2026, 1, 25, 12, tzinfo=UTC), datetime(2026, 2, 24, 12, tzinfo=UTC)):
        _collect(debits, now)
    assert _charged(debits, invoice) == [(61.0, first, "debit", "open")]
    debits.work()
    debits.deliver(*debits.stand_in.confirm(_payment(debits, invoice)))
    _collect(debits, datetime(2026, 2, 25, 12, tzinfo=UTC))
    assert _charged(debits, invoice)[1:] == [(61.0, second, "debit", "open")]
    debits.work()


def _in_two_parts(world, worlds):
    """An invoice of 122.00, half of it due on 25 January and half on 25 February."""
    customer = worlds["isp"].customers.index(load_parties_of(world.owner, world.invoice())[1])
    with world.owner.transaction():
        acting(world.owner, "maria")
        table = desk(world.owner, worlds["isp"])
        days = (date(2026, 1, 25), date(2026, 2, 25))
        draft = table.invoice(table.line("100.00"), customer=customer, day=JANUARY, due_on=days)
        (made,) = issue(world.owner, [draft], made_by="maria")
    return made.id


def test_two_workers_at_once_ask_for_each_once(debits):
    invoices = [_signed(debits) for _ in range(4)]
    counted: list[int] = []

    def one():
        with psycopg.connect(debits.settings.conninfo("corrente_worker"), autocommit=True) as connection:
            counted.append(ask_for_debits(connection, now=DUE_DAY, actor="job collect_due"))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counted) == 4
    assert [len(_charged(debits, invoice)) for invoice in invoices] == [1, 1, 1, 1]


def test_one_that_can_t_be_asked_for_keeps_nobody_from_being_debited(debits):
    before, odd, behind = (_signed(debits) for _ in range(3))
    debits.owner.execute(f"ALTER TABLE gateway_charge ADD CONSTRAINT odd CHECK (document_id <> {odd}) NOT VALID")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            collect_due(debits.worker, debits.settings, DUE_DAY)
    finally:
        debits.owner.execute("ALTER TABLE gateway_charge DROP CONSTRAINT odd")
    assert [len(_charged(debits, invoice)) for invoice in (before, odd, behind)] == [1, 0, 1]
    assert _collect(debits) == (1, 0)


def test_nothing_is_collected_by_an_account_that_does_not_say_so(worlds):
    world = worlds["gocardless"]
    invoice = _signed(world)
    assert collect_due(world.worker, world.settings, DUE_DAY) == "no account collects by itself"
    _set(world, debits_since=JANUARY + timedelta(days=1))
    assert collect_due(world.worker, world.settings, DUE_DAY) == "asked for 0 debits and 0 pages"
    _set(world, debits_since=JANUARY, enabled=False)
    assert collect_due(world.worker, world.settings, DUE_DAY) == "asked for 0 debits and 0 pages"
    _set(world, enabled=True)
    assert collect_due(world.worker, world.settings, DUE_DAY) == "asked for 1 debits and 0 pages"
    _set(world, debits_since=None)
    assert isinstance(_charged(world, invoice), list)


def test_an_invoice_without_a_mandate_gets_one_page_which_its_mail_waits_for(debits, pages):
    invoice = pages.invoice()
    assert load_awaited(pages.owner, [invoice]) == {invoice}
    _collect(pages)
    _collect(pages)
    assert _charged(pages, invoice) == [(36.48, None, "link", "open")]
    assert load_awaited(pages.owner, [invoice]) == {invoice}
    while pages.work() != "nothing to do":
        pass
    assert load_awaited(pages.owner, [invoice]) == set()
    assert page_new_invoices(pages.worker, pages.settings, datetime(2026, 1, 1, tzinfo=UTC)) == "asked for 0 pages"
    (page,) = load_pages(pages.owner, [invoice]).values()
    with pages.owner.transaction():
        acting(pages.owner, "maria")
        (message,) = send_invoices(pages.owner, document_ids=[invoice], made_by="maria").messages
    (told,) = pages.owner.execute("SELECT data ->> 'pay_page' FROM message WHERE id = %s", (message,)).fetchone()
    assert (told, page.startswith("https://buy.stripe.com/")) == (page, True)
    # A reminder of that one invoice says it too.
    ((customer, issuer),) = pages.owner.execute("SELECT customer_id, issuer_id FROM document WHERE id = %s", (invoice,))
    with pages.owner.transaction(force_rollback=True):
        have_policy(pages.owner, issuer)
        pursue(pages.owner, [customer], at("2026-01-20"), place=lambda *_: frozenset())
        (reminded,) = pages.owner.execute(
            "SELECT data -> 'pay_page' FROM message WHERE customer_id = %s AND template = 'overdue'", (customer,)
        ).fetchone()
    assert reminded == page
    # Nobody's mail waits for ever.
    waited = pages.invoice()
    with pages.owner.transaction():
        pages.owner.execute("SET LOCAL session_replication_role = replica")
        pages.owner.execute("UPDATE document SET issued_at = now() - interval '61 minutes' WHERE id = %s", (waited,))
    assert load_awaited(pages.owner, [waited]) == set()


def test_a_page_of_more_than_is_open_is_taken_away_and_made_anew(debits, pages):
    invoice, unlinked = pages.invoice(), pages.invoice()
    _collect(pages)
    while pages.work() != "nothing to do":
        pass
    with pages.owner.transaction():
        issuer, customer = load_parties_of(pages.owner, invoice)
        pay(pages.owner, issuer, "10.00", customer)
    assert withdraw_settled(pages.worker, Desk(pages.settings)) == 1
    (one,) = load_links_of(pages.owner, pages.account.id, unlinked)
    mark_withdrawn(pages.owner, one.charge_id, by="maria")
    _collect(pages)
    assert [(one[0], one[3]) for one in _charged(pages, invoice)] == [(36.48, "withdrawn"), (26.48, "open")]
    # A person took it away.
    assert len(_charged(pages, unlinked)) == 1


def test_a_debit_that_failed_is_not_tried_again_by_itself_and_gets_a_page(debits, pages):
    _set(pages, pages_since=None)
    invoice = _signed(debits)
    debits.owner.execute(
        "DELETE FROM presentment WHERE charge_id IN (SELECT id FROM gateway_charge WHERE document_id = %s)", (invoice,)
    )
    debits.owner.execute("DELETE FROM gateway_charge WHERE document_id = %s", (invoice,))
    _collect(debits)
    assert [one[2] for one in _charged(debits, invoice)] == ["debit"]
    while debits.work() != "nothing to do":
        pass
    debits.deliver(*debits.stand_in.fail(_payment(debits, invoice)))
    _set(pages, pages_since=SINCE)
    _collect(debits)
    assert [one[2:] for one in _charged(debits, invoice)] == [("debit", "failed"), ("link", "open")]
    _collect(debits, DUE_DAY + timedelta(days=1))
    assert len(_charged(debits, invoice)) == 2
