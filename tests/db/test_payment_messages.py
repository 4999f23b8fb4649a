"""Receipts and returned payments are told in the transaction that records them, once, and to who waits for them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psycopg
import pytest
from support import books_days
from support.paid import told

from billing.collectors import Scope, ScopeKind
from billing.messages.message import read_enclosure
from billing.money import Money
from billing.operations.collecting import Taken, Taking, take_payment
from billing.operations.enclosures import make_enclosure
from billing.operations.printing import PrintShop
from billing.operations.receiving import match_payment, record_payment, reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.starting_books import METHODS
from billing.store.acting import acting
from billing.store.collectors import add_scopes, load_series
from billing.store.fees import save_return_fee
from billing.store.payments import load_methods, save_mails_receipt

pytestmark = pytest.mark.db
days, plain = books_days.days, books_days.connection

PAID = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 11, tzinfo=UTC)


@pytest.fixture
def connection(plain, days):
    """Customers 0 and 1 have an address, 2 has none; the clock stands at the day of the payments."""
    acting(plain, "maria")
    plain.execute("DELETE FROM contact")
    plain.execute(
        "INSERT INTO contact (customer_id, role, email, language) SELECT n, 'main', 'c' || n || '@customers.test', 'it' FROM unnest(%s::bigint[]) AS n",
        (days.isp.customers[:2],),
    )
    return plain


def paid(connection, days, amount, customer, *, now=NOON, **given):
    payment = told(connection, days.isp.issuer, amount, customer, **given)
    recorded = record_payment(connection, payment, today=payment.value_on, actor="maria", now=now)
    assert not isinstance(recorded, NotDone), recorded
    return recorded.payment


def messages(connection):
    return connection.execute(
        "SELECT template, customer_id, data, enclosures, at_once, role::text FROM message ORDER BY id"
    ).fetchall()


def amount(text):
    return {"$money": [text, "EUR"]}


# Customer 1 has 36.48 and 36.48 open.
def test_who_pays_is_told_what_it_settled_and_what_is_left_as_credit(connection, days):
    someone = days.isp.customers[1]
    paid(connection, days, "80.00", someone)

    ((template, customer, data, enclosures, at_once, role),) = messages(connection)
    assert (template, customer, enclosures, at_once, role) == ("receipt", someone, [], False, "administrative")
    assert data == {
        "amount": amount("80.00"),
        "paid_on": {"$day": "2026-03-10"},
        "method": "Bonifico",
        "documents": [
            {"number": days.january[1].label, "paid": amount("36.48")},
            {"number": days.february[1].label, "paid": amount("36.48")},
        ],
        "credit": amount("7.04"),
    }


def test_a_retry_tells_once_and_what_is_taken_back_tells_nothing(connection, days):
    someone = days.isp.customers[1]
    paid(connection, days, "10.00", someone, reference="r 1")
    paid(connection, days, "10.00", someone, reference="r 1")
    assert len(messages(connection)) == 1
    connection.rollback()
    assert messages(connection) == []


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, 2),
        ({"now": datetime(2026, 4, 11, tzinfo=UTC)}, 1),
        ({"value_on": date(2025, 3, 10)}, 1),
    ],
    ids=["who has no address", "entered a month late", "of last year"],
)
def test_no_receipt_goes(connection, days, given, place):
    paid(connection, days, "10.00", days.isp.customers[place], **given)
    assert messages(connection) == []


def test_a_method_says_whether_receipts_are_mailed(connection, days):
    assert [one.code for one in METHODS if not one.mails_receipt] == ["direct_debit"]
    methods = {one.code: one for one in load_methods(connection, days.isp.issuer)}
    save_mails_receipt(connection, methods["transfer"].id, mails=False)
    paid(connection, days, "10.00", days.isp.customers[1])
    assert messages(connection) == []
    save_mails_receipt(connection, methods["transfer"].id, mails=True)
    paid(connection, days, "10.00", days.isp.customers[1])
    assert len(messages(connection)) == 1


def test_whose_a_payment_turns_out_to_be_is_thanked_then(connection, days):
    payment = paid(connection, days, "36.48", None)
    assert messages(connection) == []
    for _ in range(2):
        match_payment(connection, payment.id, days.isp.customers[1], reason="IBAN", today=PAID, actor="maria", now=NOON)
    ((template, customer, data, *_),) = messages(connection)
    assert (template, customer) == ("receipt", days.isp.customers[1])
    assert [one["number"] for one in data["documents"]] == [days.january[1].label]


def test_what_a_collector_takes_goes_with_its_numbered_receipt(connection, days):
    issuer = days.isp.issuer
    (collector,) = connection.execute(
        "INSERT INTO collector (issuer_id, name, series_id) VALUES (%s, 'Carla', %s) RETURNING id",
        (issuer, load_series(connection, issuer, "receipt")[0][0]),
    ).fetchone()
    add_scopes(connection, collector, [Scope(ScopeKind.EVERYONE)])
    method = next(one for one in load_methods(connection, issuer) if one.code == "cash")
    today = datetime.now(UTC).date()
    someone = days.isp.customers[0]
    taking = Taking(collector, someone, Money(2000, "EUR"), method, "tap 1", today)

    taken = take_payment(connection, taking, today=today, actor="carla")
    assert isinstance(taken, Taken)
    assert take_payment(connection, taking, today=today, actor="carla").again

    ((_, _, data, enclosures, at_once, _),) = messages(connection)
    assert (data["method"], enclosures, at_once) == ("Contanti", [f"receipt:{taken.payment.id}"], True)
    with PrintShop(None) as shop:
        file = make_enclosure(connection, shop, read_enclosure(enclosures[0]), customer_id=someone)
    assert (file.name, file.content[:5]) == (f"{taken.receipt.label.replace('/', '-')}.pdf", b"%PDF-")


BACK = {
    "a bank's file": (Happening(PAID, "no funds", PaymentSource.FILE, "x"), {"code": "AM04"}, ("AM04", None)),
    "a gateway": (Happening(PAID, "disputed", PaymentSource.WEBHOOK, "x"), {}, (None, None)),
    "a person with its code and fee": (
        Happening(PAID, "no funds"),
        {"code": "AM04", "with_fee": True},
        ("AM04", amount("3.50")),
    ),
    "a mistake": (Happening(PAID, "typed twice"), {}, None),
}


@pytest.mark.parametrize("whose", BACK)
def test_a_payment_that_comes_back_is_told_with_its_fee_and_a_mistake_is_not(connection, days, whose):
    why, given, said = BACK[whose]
    transfer = next(one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer")
    save_return_fee(connection, transfer.id, Money(350, "EUR").amount, days.isp.products["Activation"])
    save_mails_receipt(connection, transfer.id, mails=False)
    payment = paid(connection, days, "36.48", days.isp.customers[1])
    for _ in range(2):
        reverse_payment(connection, payment.id, why, today=PAID, actor="maria", now=NOON, **given)

    found = [(data["reason"], data["fee"]) for template, _, data, *_ in messages(connection)]
    assert found == ([] if said is None else [said])


def test_what_is_told_is_there_when_the_payment_is(connection, days, module_database):
    paid(connection, days, "10.00", days.isp.customers[1])
    with psycopg.connect(module_database) as other:
        assert messages(other) == []
