"""An order and its invoices, on a real database: with any advances they are the order to the cent, in tax and in the books."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from support.books_isp import make_books
from support.small_isp import one

from billing.advances import AdvanceError
from billing.money import Money
from billing.new_contract import NewTerms
from billing.operations.offer_desk import OfferError
from billing.operations.orders import cancel_order, draft_advance, draft_final, invoice_advance, invoice_final
from billing.operations.quotes import (
    Asked,
    AskedLine,
    accept_quote,
    draft_quote,
    expire_quotes,
    refuse_quote,
    send_quote,
)
from billing.store.acting import acting
from billing.store.checks.catalogue import find_in
from billing.store.quotes import load_contract_of, load_offer, load_order_of

pytestmark = pytest.mark.db

DAY = date(2026, 3, 2)
UNTIL = date(2026, 3, 31)
DUE = [date(2026, 3, 17)]


@pytest.fixture(scope="module")
def once(module_database):
    with psycopg.connect(module_database) as opened:
        yield opened, make_books(opened)


@pytest.fixture
def books(once):
    """A connection and the ISP on it; what a test does is taken back."""
    connection, isp = once
    acting(connection, "maria")
    yield connection, isp
    connection.rollback()


def _by_hand(isp, price, *, code="IVA-22", words="Cabling", quantity="1"):
    return AskedLine(
        words=words, quantity=Decimal(quantity), unit_price=Decimal(price), tax_code_id=isp.tax_codes[code]
    )


def _quote(books, *lines, customer=0, **more):
    connection, isp = books
    asked = Asked(isp.issuer, isp.customers[customer], lines, UNTIL, **{"reason": "agreed at a fair", **more})
    return send_quote(connection, draft_quote(connection, asked, today=DAY), asked=asked, actor="maria")


def _order(books, *lines, **more):
    quote = _quote(books, *lines, **more)
    return accept_quote(books[0], quote.id, today=DAY, actor="maria").order


def _advance(books, order, **what):
    draft = draft_advance(books[0], order.id, today=DAY, due_on=DUE, **what)
    return invoice_advance(books[0], draft, actor="maria")


def _final(books, order, day=DAY):
    return invoice_final(books[0], draft_final(books[0], order.id, today=day, due_on=DUE), actor="maria")


def _eur(amount):
    return Money(int(Decimal(amount) * 100), "EUR")


def _amounts(connection, number):
    return connection.execute("SELECT net, tax, gross, payable FROM document WHERE id = %s", (number,)).fetchone()


def _lines(connection, number):
    return connection.execute(
        "SELECT description, net, corrects_id, corrects_number FROM document_line WHERE document_id = %s ORDER BY number",
        (number,),
    ).fetchall()


def _balances(connection):
    """What stands on the accounts that matter, by code; a debit is above zero."""
    rows = connection.execute(
        "SELECT a.code, sum(p.amount) FROM posting p JOIN ledger_account a ON a.id = p.account_id GROUP BY 1"
        " HAVING sum(p.amount) <> 0 ORDER BY 1"
    )
    return {code: str(amount) for code, amount in rows}


def _refused(books, words, call):
    with pytest.raises((OfferError, AdvanceError), match=words), books[0].transaction():
        call()


def test_an_order_is_invoiced_with_an_advance_that_the_final_invoice_deducts(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"), _by_hand(isp, "50.00", code="IVA-10", quantity="2"))
    assert (order.label, *_amounts(connection, order.id)) == (
        "1/OR/2026",
        Decimal(1100),
        Decimal(230),
        Decimal(1330),
        Decimal(1330),
    )
    assert _balances(connection) == {}

    # 30 percent of 1,330.00 are 399.00: of 1,220.00 at 22 percent 366.00, which are 300.00 and 66.00; of 110.00 33.00.
    advance = _advance(books, order, percent=Decimal(30))
    assert _amounts(connection, advance.id) == (Decimal(330), Decimal(69), Decimal(399), Decimal(399))
    assert _lines(connection, advance.id) == [
        ("Acconto su ordine 1/OR/2026", Decimal(300), None, None),
        ("Acconto su ordine 1/OR/2026", Decimal(30), None, None),
    ]
    assert one(connection, "SELECT is_advance FROM document WHERE id = %s", advance.id)
    assert _balances(connection) == {"1500": "399.000", "2500": "-330.000", "2600": "-69.000"}

    final = _final(books, order)
    assert _amounts(connection, final.id) == (Decimal(770), Decimal(161), Decimal(931), Decimal(931))
    assert _lines(connection, final.id) == [
        ("Cabling", Decimal(1000), None, None),
        ("Cabling", Decimal(100), None, None),
        (f"A dedurre fattura di acconto {advance.label} del 2026-03-02", Decimal(-300), advance.id, 1),
        (f"A dedurre fattura di acconto {advance.label} del 2026-03-02", Decimal(-30), advance.id, 2),
    ]
    assert _balances(connection) == {"1500": "1330.000", "2600": "-230.000", "4000": "-1100.000"}
    assert load_offer(connection, order.id).state == "accepted"
    _refused(books, "order 1/OR/2026 is invoiced already", lambda: _final(books, order))
    _refused(books, "order 1/OR/2026 is invoiced already", lambda: _advance(books, order, percent=Decimal(1)))


def test_an_order_without_an_advance_is_one_invoice(books):
    connection, isp = books
    order = _order(books, AskedLine(isp.products["Activation"]))
    final = _final(books, order)
    assert _amounts(connection, final.id) == (Decimal(49), Decimal("10.78"), Decimal("59.78"), Decimal("59.78"))


def test_an_order_that_is_all_advanced_ends_in_an_invoice_of_nothing(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "33.33"))
    _advance(books, order, amount=_eur("20.00"))
    _advance(books, order, amount=_eur("20.66"))
    _refused(books, r"at most the 0.00 EUR that are left", lambda: _advance(books, order, amount=_eur("0.01")))
    final = _final(books, order)
    assert _amounts(connection, final.id) == (0, 0, 0, 0)
    assert _balances(connection) == {"1500": "40.660", "2600": "-7.330", "4000": "-33.330"}


def test_a_cancelled_order_gives_its_advances_back_by_credit_notes(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    advances = [_advance(books, order, amount=_eur(amount)) for amount in ("100.00", "200.01")]
    notes = cancel_order(connection, order.id, today=DAY, actor="maria", reason="no way to the roof")

    credited = connection.execute(
        "SELECT corrects_id, gross, reason FROM document WHERE kind = 'credit_note' ORDER BY id"
    )
    assert credited.fetchall() == [
        (advances[0].id, Decimal("100.00"), "no way to the roof"),
        (advances[1].id, Decimal("200.01"), "no way to the roof"),
    ]
    assert len(notes) == 2
    assert _balances(connection) == {}
    assert one(connection, "SELECT count(*) FROM open_document") == 0
    _refused(books, "order 1/OR/2026 is cancelled already", lambda: _final(books, order))
    told = connection.execute("SELECT detail ->> 'reason' FROM audit_log WHERE action = 'order.cancel'").fetchall()
    assert told == [("no way to the roof",)]


def test_an_advance_that_was_credited_is_not_deducted_and_may_be_made_again(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    first = _advance(books, order, percent=Decimal(50))
    _credit_line(connection, isp, first, net="500.00", tax="110.00")
    second = _advance(books, order, percent=Decimal(100))
    assert _amounts(connection, second.id)[2] == Decimal(1220)
    final = _final(books, order)
    assert [line[2] for line in _lines(connection, final.id)] == [None, second.id]


def test_an_advance_that_was_credited_in_part_stops_the_final_invoice(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    first = _advance(books, order, percent=Decimal(50))
    _credit_line(connection, isp, first, net="100.00", tax="22.00")
    _refused(books, f"a part of advance invoice {first.label} was credited", lambda: _final(books, order))


def _credit_line(connection, isp, invoice, *, net, tax):
    """A credit note of so much of an invoice's first line, in SQL."""
    gross = str(Decimal(net) + Decimal(tax))
    number = one(
        connection,
        "INSERT INTO document (kind, issuer_id, customer_id, register_id, document_date, currency, includes_tax, net, tax, gross, payable,"
        " issuer_data, customer_data, language, corrects_id, made_by) VALUES ('credit_note', %s, %s, %s, %s, 'EUR', false, %s, %s, %s, %s, '{}', '{}', 'it', %s, 'maria') RETURNING id",
        *(isp.issuer, isp.customers[0], isp.registers["NC"], DAY, net, tax, gross, gross, invoice.id),
    )
    connection.execute(
        "INSERT INTO document_line (document_id, number, description, quantity, unit_price, net, tax_code_id, rate, liability, corrects_id, corrects_number, account_id)"
        " SELECT %s, 1, 'x', 1, %s, %s, tax_code_id, rate, liability, document_id, number, account_id FROM document_line WHERE document_id = %s AND number = 1",
        (number, net, net, invoice.id),
    )
    connection.execute(
        "INSERT INTO document_tax (document_id, rate, liability, base, tax) VALUES (%s, 22, 'immediate', %s, %s)",
        (number, net, tax),
    )
    entry = one(
        connection,
        "INSERT INTO entry (issuer_id, dated, source, source_id, kind, currency, made_by) VALUES (%s, %s, 'document', %s, 'credit_note', 'EUR', 'maria') RETURNING id",
        *(isp.issuer, DAY, number),
    )
    connection.execute(
        "INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES (%(e)s, 1, %(c)s, %(who)s, -%(gross)s::numeric),"
        " (%(e)s, 2, %(d)s, NULL, %(net)s), (%(e)s, 3, %(v)s, NULL, %(tax)s)",
        {
            "e": entry,
            "c": isp.accounts["1500"],
            "d": isp.accounts["2500"],
            "v": isp.accounts["2600"],
            "who": isp.customers[0],
            "gross": gross,
            "net": net,
            "tax": tax,
        },
    )
    connection.execute(
        "UPDATE document SET state = 'issued', year = 2026, number = 1, label = '1', issued_at = now() WHERE id = %s",
        (number,),
    )


def test_the_database_refuses_to_deduct_an_advance_twice(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    _advance(books, order, percent=Decimal(50))
    again = draft_final(connection, order.id, today=DAY, due_on=DUE)
    invoice_final(connection, again, actor="maria")
    connection.execute("ALTER TABLE document DISABLE TRIGGER USER")
    connection.execute("UPDATE document SET state = 'issued' WHERE id = %s", (order.id,))
    connection.execute("ALTER TABLE document ENABLE TRIGGER USER")
    connection.execute("DROP INDEX document_one_final")
    with pytest.raises(psycopg.errors.CheckViolation) as refused, connection.transaction():
        invoice_final(connection, again, actor="maria")
    assert refused.value.diag.constraint_name == "credited_line_within"


def test_a_public_body_pays_the_base_of_advance_and_rest(books):
    connection, isp = books
    connection.execute(PUBLIC, (isp.customers[1],))
    order = _order(books, _by_hand(isp, "1000.00"), customer=1)
    assert _amounts(connection, order.id) == (Decimal(1000), Decimal(220), Decimal(1220), Decimal(1000))
    advance = _advance(books, order, amount=_eur("122.00"))
    assert _amounts(connection, advance.id) == (Decimal(100), Decimal(22), Decimal(122), Decimal(100))
    final = _final(books, order)
    assert _amounts(connection, final.id) == (Decimal(900), Decimal(198), Decimal(1098), Decimal(900))


def test_stamp_duty_comes_on_each_invoice_that_owes_it(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "200.00", code="IVA-N4"))
    # 80.00 are above 77.47; the 120.00 that are left, too.
    advance, final = _advance(books, order, amount=_eur("80.00")), _final(books, order)
    duties = "SELECT stamp_duty FROM document WHERE id = ANY (%s) ORDER BY id"
    assert connection.execute(duties, ([advance.id, final.id],)).fetchall() == [(Decimal(2),), (Decimal(2),)]


def test_a_recharged_stamp_duty_is_no_part_of_the_order_also_in_its_own_group(books):
    connection, isp = books
    connection.execute("UPDATE issuer SET recharges_stamp = true")
    order = _order(books, _by_hand(isp, "200.00", code="IVA-N4"), _by_hand(isp, "10.00", code="IVA-N1"))
    advance, final = _advance(books, order, amount=_eur("105.00")), _final(books, order)
    assert _amounts(connection, advance.id)[3] == Decimal(107)
    # 105.00 are left, of which 100.00 are exempt and bear the duty again.
    assert _amounts(connection, final.id)[3] == Decimal(107)
    assert list(find_in(connection)) == []
    _refused(books, "invoiced already", lambda: cancel_order(connection, order.id, today=DAY, actor="x", reason="y"))


def test_a_rate_that_the_law_has_changed_since_stops_what_was_agreed(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    code = isp.tax_codes["IVA-22"]
    connection.execute(
        "UPDATE tax_rate SET during = daterange(lower(during), '2026-03-10') WHERE tax_code_id = %s", (code,)
    )
    connection.execute("INSERT INTO tax_rate (tax_code_id, during, percent) VALUES (%s, '[2026-03-10,)', 23)", (code,))
    _refused(
        books,
        r"order 1/OR/2026 was agreed at 22.0000 percent of IVA-22, which is 23.0000 on 2026-03-10",
        lambda: _final(books, order, day=date(2026, 3, 10)),
    )


PUBLIC = "UPDATE customer SET kind = 'public_body', given_name = NULL, family_name = NULL WHERE id = %s"


def test_the_check_of_the_books_finds_an_order_that_its_invoices_are_not(books):
    connection, isp = books
    order = _order(books, _by_hand(isp, "1000.00"))
    advance = _advance(books, order, percent=Decimal(30))
    final = _final(books, order)
    cancelled = _order(books, _by_hand(isp, "100.00"))
    _advance(books, cancelled, percent=Decimal(50))
    cancel_order(connection, cancelled.id, today=DAY, actor="maria", reason="no way to the roof")
    assert list(find_in(connection)) == []

    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute("UPDATE document_tax SET tax = tax - 0.01 WHERE document_id = %s", (advance.id,))
    assert [one.message for one in find_in(connection) if one.check == "orders"] == [
        "at 22% its invoices are 0.000 of base and -0.010 of tax off"
    ]
    connection.execute("UPDATE document SET from_id = NULL WHERE id = %s", (final.id,))
    connection.execute("DELETE FROM document WHERE kind = 'credit_note'")
    assert [(one.subject, one.message) for one in find_in(connection) if one.check == "orders"] == [
        (f"document {order.id}", "at 22% its invoices are -700.000 of base and -154.010 of tax off"),
        (f"document {cancelled.id}", "at 22% its invoices are 50.000 of base and 11.000 of tax off"),
    ]


SUMS = """
SELECT rate, nature, liability::text, sum(t.base), sum(t.tax) FROM document_tax t JOIN document d ON d.id = t.document_id
WHERE {} GROUP BY 1, 2, 3 HAVING sum(t.base) <> 0 OR sum(t.tax) <> 0 ORDER BY 1, 2, 3
"""


@pytest.mark.parametrize("seed", range(12))
def test_any_order_with_any_advances_is_invoiced_to_the_cent_in_every_treatment(books, seed):
    connection, isp = books
    chance = random.Random(seed)
    if seed % 4 == 3:
        connection.execute(PUBLIC, (isp.customers[0],))
    lines = [
        _by_hand(
            isp,
            str(Decimal(chance.randrange(1, 200_000)) / 100),
            code=chance.choice(["IVA-22", "IVA-10", "IVA-N1"]),
            quantity=str(chance.randrange(1, 9)),
        )
        for _ in range(chance.randrange(1, 7))
    ]
    order = _order(books, *lines, includes_tax=seed % 2 == 1)
    left = load_offer(connection, order.id).gross.minor
    for _ in range(chance.randrange(5)):
        amount = chance.randrange(1, left + 1) if left else 0
        if amount:
            _advance(books, order, amount=Money(amount, "EUR"))
            left -= amount
    _final(books, order)

    invoiced = connection.execute(SUMS.format("d.from_id = %s AND d.kind = 'invoice'"), (order.id,)).fetchall()
    assert invoiced == connection.execute(SUMS.format("d.id = %s"), (order.id,)).fetchall()
    sums = "SELECT sum(net), sum(tax), sum(gross), sum(payable) FROM document WHERE from_id = %s AND kind = 'invoice'"
    together = connection.execute(sums, (order.id,)).fetchone()
    assert together == _amounts(connection, order.id)
    assert one(connection, "SELECT balance FROM customer_balance WHERE balance <> 0") == together[3]
    assert "2500" not in _balances(connection)
    assert list(find_in(connection)) == []


# --- quotes ----------------------------------------------------------------------------------------------------


def test_a_quote_that_sells_a_plan_becomes_a_contract_at_its_prices_and_an_order_of_the_rest(books):
    connection, isp = books
    quote = _quote(
        books,
        AskedLine(isp.products["Home 30"], unit_price=Decimal("27.90"), discounts=(Decimal(10),)),
        AskedLine(isp.products["Static address"], Decimal(2)),
        AskedLine(isp.products["Activation"]),
    )
    assert quote.label == "1/PR/2026"
    # 25.11 and 10.00 and 49.00.
    assert _amounts(connection, quote.id)[0] == Decimal("84.11")
    assert _balances(connection) == {}

    accepted = accept_quote(connection, quote.id, today=DAY, actor="maria")

    assert _amounts(connection, accepted.order.id)[0] == Decimal(49)
    assert load_order_of(connection, quote.id) == (accepted.order.id, "1/OR/2026")
    items = connection.execute(
        "SELECT kind::text, quantity, period_price FROM contract_item WHERE contract_id = %s ORDER BY id",
        (accepted.contract_id,),
    ).fetchall()
    assert items == [("plan", 1, Decimal("25.11")), ("add_on", 2, Decimal(5))]
    assert one(connection, "SELECT status::text FROM contract WHERE id = %s", accepted.contract_id) == "pending"
    assert load_contract_of(connection, load_offer(connection, quote.id)) == accepted.contract_id
    _refused(
        books,
        "quote 1/PR/2026 is accepted already",
        lambda: accept_quote(connection, quote.id, today=DAY, actor="maria"),
    )


def test_prices_with_tax_come_back_from_the_quote_into_contract_and_order(books):
    connection, isp = books
    quote = _quote(
        books,
        AskedLine(isp.products["Home 30"], unit_price=Decimal("29.90")),
        _by_hand(isp, "99.99"),
        includes_tax=True,
    )
    assert _amounts(connection, quote.id)[2] == Decimal("129.89")
    accepted = accept_quote(connection, quote.id, today=DAY, actor="maria")
    assert one(connection, "SELECT period_price FROM contract_item WHERE contract_id = %s", accepted.contract_id) == (
        Decimal("29.90")
    )
    assert _amounts(connection, accepted.order.id)[2] == Decimal("99.99")
    assert one(connection, "SELECT includes_tax FROM contract_terms WHERE contract_id = %s", accepted.contract_id)


@pytest.mark.parametrize("includes_tax", [False, True])
def test_a_quote_by_the_month_becomes_a_contract_by_the_year_at_twelve_times_its_prices(books, includes_tax):
    connection, isp = books
    quote = _quote(
        books,
        AskedLine(isp.products["Home 30"], unit_price=Decimal("29.90")),
        AskedLine(isp.products["Static address"], quantity=Decimal(2), unit_price=Decimal("5.00")),
        includes_tax=includes_tax,
    )

    accepted = accept_quote(connection, quote.id, today=DAY, actor="maria", terms=NewTerms(isp.issuer, months=12))

    prices = "SELECT months, quantity, period_price FROM contract_item WHERE contract_id = %s ORDER BY id"
    assert connection.execute(prices, (accepted.contract_id,)).fetchall() == [
        (12, 1, Decimal("358.80")),
        (12, 2, Decimal("60.00")),
    ]


def test_a_quote_is_answered_once_and_only_while_it_holds(books):
    connection, isp = books
    quotes = [_quote(books, _by_hand(isp, "10.00")) for _ in range(3)]
    refuse_quote(connection, quotes[0].id, actor="maria", reason="too dear")
    _refused(books, "is refused already", lambda: accept_quote(connection, quotes[0].id, today=DAY, actor="maria"))
    late = date(2026, 4, 1)
    _refused(books, "held until 2026-03-31", lambda: accept_quote(connection, quotes[1].id, today=late, actor="maria"))
    assert accept_quote(connection, quotes[2].id, today=UNTIL, actor="maria").order is not None

    assert expire_quotes(connection, isp.issuer, today=UNTIL, actor="job expire_quotes") == []
    assert expire_quotes(connection, isp.issuer, today=late, actor="job expire_quotes") == [quotes[1].label]
    _refused(books, "is expired already", lambda: refuse_quote(connection, quotes[1].id, actor="maria"))
    answered = "SELECT detail -> 'after' ->> 'state' FROM audit_log WHERE action = 'document.update' ORDER BY id"
    assert connection.execute(answered).fetchall() == [("refused",), ("accepted",), ("expired",)]
    told = connection.execute("SELECT actor, action, subject FROM audit_log WHERE action LIKE 'quote.%' ORDER BY id")
    assert told.fetchall() == [
        ("maria", "quote.refuse", "quote 1/PR/2026"),
        ("maria", "quote.accept", "quote 3/PR/2026"),
        ("job expire_quotes", "quote.expire", "quote 2/PR/2026"),
    ]


def test_what_can_t_be_sold_together_is_refused_before_it_is_sent(books):
    _, isp = books
    plan = AskedLine(isp.products["Home 30"])
    _refused(books, "a quote sells one plan", lambda: _quote(books, plan, plan))
    _refused(books, "an add-on goes with a plan", lambda: _quote(books, AskedLine(isp.products["Phone"])))
    _refused(books, "there is no product 999", lambda: _quote(books, AskedLine(999)))
    _refused(books, "words, a price and a tax code", lambda: _quote(books, AskedLine(words="Cabling")))
    _refused(books, "a price below zero", lambda: _quote(books, _by_hand(isp, "-1")))


def test_another_price_than_the_catalogue_s_wants_a_reason_which_is_told_with_it_and_no_other(books):
    connection, isp = books
    cheaper = AskedLine(isp.products["Home 30"], unit_price=Decimal("27.90"))
    lines = (cheaper, AskedLine(isp.products["Activation"]), _by_hand(isp, "1000.00"))
    _refused(books, "another price of Home 30 than the catalogue's", lambda: _quote(books, *lines, reason=None))
    _quote(books, *lines, reason="at a fair")
    _quote(books, *lines[1:], reason=None)
    told = connection.execute("SELECT actor, subject, detail FROM audit_log WHERE action = 'quote.override_price'")
    assert told.fetchall() == [
        ("maria", "quote 1/PR/2026", {"prices": {"Home 30": "27.90"}, "reason": "at a fair"}),
    ]


def test_two_at_once_invoice_an_order_once(database):
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        books = (first, make_books(first))
        acting(first, "maria")
        order = _order(books, _by_hand(books[1], "1000.00"))
        first.commit()
        second.execute("SET lock_timeout = '300ms'")
        second.commit()
        for connection in (first, second):
            acting(connection, "maria")
        _final(books, order)
        with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
            draft_advance(second, order.id, today=DAY, due_on=DUE, percent=Decimal(10))
        first.commit()
        with pytest.raises(OfferError, match="is invoiced already"):
            draft_final(second, order.id, today=DAY, due_on=DUE)
