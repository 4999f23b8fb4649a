"""Payments: what they settle, that they come back, that each counts once (billing model section 12, I15 to I18)."""

from __future__ import annotations

import random
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace
from support import books_days
from support.books_isp import desk
from support.paid import pay, told

from billing.allocation import Choice, SourceKind, withdraw
from billing.documents import DocumentKind, due_days
from billing.money import Money
from billing.operations.giving_back import refund_credit_note, refund_payment, undo_write_off, write_off
from billing.operations.invoices import credit_document
from billing.operations.receiving import apply_credit_left, choose, match_payment, record_payment, reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.allocations import load_allocations_of_payment, write_allocations
from billing.store.checks.catalogue import find_in
from billing.store.documents import issue
from billing.store.fees import save_return_fee
from billing.store.overdrawn import OF_CUSTOMER, load_overdrawn
from billing.store.payments import hold_customers, list_statement, load_methods, load_payments
from billing.store.positions import hold_contracts
from billing.store.reports import load_moved, stream_ageing, stream_open, stream_statement
from control_plane.jobs.credit_left import credit_left

pytestmark = pytest.mark.db
days, connection = books_days.days, books_days.connection

TODAY = date(2026, 3, 12)
BACK = Happening(date(2026, 3, 12), "insufficient funds", PaymentSource.FILE, "return 1")


def eur(amount):
    return Money(round(Decimal(amount) * 100), "EUR")


def open_of(connection, customer):
    """What a customer has open, by document, oldest first; credit below zero."""
    rows = connection.execute(
        "SELECT document_id, open FROM open_document WHERE customer_id = %s ORDER BY due_on, document_id", (customer,)
    )
    return {document: str(amount) for document, amount in rows}


def balance(connection, customer):
    row = connection.execute("SELECT balance FROM customer_balance WHERE customer_id = %s", (customer,)).fetchone()
    return row and str(row[0])


def posted(connection, source):
    """The legs of the entries of that source: account code and amount."""
    return sorted(
        (code, str(amount))
        for code, amount in connection.execute(
            "SELECT a.code, p.amount FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id WHERE e.source = %s",
            (source,),
        )
    )


# Customer 0 has 24.28 of January open and 41.36 of February; 1 has 36.48 and 36.48; 2 has 36.48.
def test_a_payment_settles_what_fell_due_first_and_leaves_the_rest_open(connection, days):
    someone = days.isp.customers[0]
    recorded = pay(connection, days.isp.issuer, "30.00", someone)

    assert [(one.invoice_id, str(one.amount.amount)) for one in recorded.allocated] == [
        (days.january[0].id, "24.28"),
        (days.february[0].id, "5.72"),
    ]
    assert open_of(connection, someone) == {days.february[0].id: "35.640"}
    assert balance(connection, someone) == "35.640"
    assert posted(connection, "payment") == [("1500", "-30.000"), ("1800", "30.000")]


def test_too_much_is_credit_that_the_next_invoice_takes(connection, days):
    someone = days.isp.customers[2]
    recorded = pay(connection, days.isp.issuer, "50.00", someone)
    assert recorded.payment.open == eur("13.52")
    assert (open_of(connection, someone), balance(connection, someone)) == ({}, "-13.520")

    acting(connection, "maria")
    table = desk(connection, days.isp)
    (invoice,) = issue(connection, [table.invoice(table.line("29.90"), customer=2, day=TODAY)], made_by="maria")

    # 36.48 less 13.52.
    assert open_of(connection, someone) == {invoice.id: "22.960"}
    assert connection.execute("SELECT count(*) FROM open_payment").fetchone() == (0,)


def test_what_the_customer_chose_comes_first(connection, days):
    someone = days.isp.customers[1]
    recorded = pay(connection, days.isp.issuer, "40.00", someone, choices=(Choice(days.february[1].id),))
    assert open_of(connection, someone) == {days.january[1].id: "32.960"}

    changed = choose(connection, recorded.payment.id, [Choice(days.january[1].id)], actor="maria")
    assert not isinstance(changed, NotDone)
    assert open_of(connection, someone) == {days.february[1].id: "32.960"}


def test_a_choice_of_what_is_not_open_writes_nothing(connection, days):
    payment = told(connection, days.isp.issuer, "40.00", days.isp.customers[1], choices=(Choice(days.january[0].id),))
    refused = record_payment(connection, payment, today=TODAY, actor="maria")
    assert isinstance(refused, NotDone)
    assert f"invoice {days.january[0].id} is not open for this customer" in refused.message
    assert connection.execute("SELECT count(*) FROM payment").fetchone() == (0,)

    recorded = pay(connection, days.isp.issuer, "40.00", days.isp.customers[1])
    before = open_of(connection, days.isp.customers[1])
    assert isinstance(choose(connection, recorded.payment.id, [Choice(1, eur("0.00"))], actor="maria"), NotDone)
    assert open_of(connection, days.isp.customers[1]) == before


def test_the_same_event_is_one_payment_and_another_under_its_reference_is_refused(connection, days):
    given = {"reference": "evt_1", "source": PaymentSource.WEBHOOK, "method": "card"}
    first = pay(connection, days.isp.issuer, "10.00", days.isp.customers[2], **given)
    second = pay(connection, days.isp.issuer, "10.00", days.isp.customers[2], **given)
    assert (second.again, second.payment.id) == (True, first.payment.id)
    assert balance(connection, days.isp.customers[2]) == "26.480"

    other = told(connection, days.isp.issuer, "11.00", days.isp.customers[2], **given)
    refused = record_payment(connection, other, today=TODAY, actor="maria")
    assert isinstance(refused, NotDone)
    assert f"webhook reference evt_1 is payment {first.payment.id} of 10.00 EUR" in refused.message


def test_a_reference_that_another_customer_or_day_has_is_refused_and_its_own_source_may_tell_it_again(connection, days):
    one, other, third = days.isp.customers
    first = pay(connection, days.isp.issuer, "12.00", one, reference="Z")

    for what, customer, given in (("customer", other, {}), ("day", one, {"value_on": date(2026, 3, 9)})):
        another = told(connection, days.isp.issuer, "12.00", customer, reference="Z", **given)
        refused = record_payment(connection, another, today=TODAY, actor="maria")
        assert isinstance(refused, NotDone), what
        assert "is another one, give it a reference of its own" in refused.message

    # A person found whose it is: who told it first may say so again, and nobody else.
    match_payment(connection, first.payment.id, third, reason="hers", today=TODAY, actor="maria")
    assert pay(connection, days.isp.issuer, "12.00", one, reference="Z").again
    assert pay(connection, days.isp.issuer, "12.00", third, reference="Z").again
    again = told(connection, days.isp.issuer, "12.00", other, reference="Z")
    assert isinstance(record_payment(connection, again, today=TODAY, actor="maria"), NotDone)


def test_a_customer_s_payments_are_listed_by_index_whoever_they_were_said_to_be_of(connection, days):
    one, other, third = days.isp.customers
    first, second, lost = (pay(connection, days.isp.issuer, "5.00", who).payment.id for who in (one, None, one))
    for number, becomes in ((second, one), (lost, other)):
        match_payment(connection, number, becomes, reason="by phone", today=TODAY, actor="maria")

    listed = {
        who: {row.id for row in load_payments(connection, limit=9, customer_id=who)} for who in (one, other, third)
    }
    assert listed == {one: {first, second}, other: {lost}, third: set()}
    assert {row.id for row in load_payments(connection, limit=9)} == {first, second, lost}
    asked = {"customer": one, "issuer": None, "since": None, "until": None, "unmatched": False, "limit": 50}
    connection.execute("SET LOCAL enable_seqscan = off")
    plan = "\n".join(row for (row,) in connection.execute("EXPLAIN " + list_statement(of_customer=True), asked))
    assert "Index Cond: (customer_id = " in plan, plan


def test_a_returned_debit_leaves_the_account_as_if_it_had_never_come(connection, days):
    someone = days.isp.customers[0]
    before = open_of(connection, someone), balance(connection, someone)
    recorded = pay(connection, days.isp.issuer, "65.64", someone, method="direct_debit")
    assert recorded.payment.returns_until == date(2026, 5, 5)
    assert (open_of(connection, someone), balance(connection, someone)) == ({}, "0.000")

    gone = reverse_payment(connection, recorded.payment.id, BACK, code="AM04", today=TODAY, actor="maria")
    assert not isinstance(gone, NotDone)
    assert (open_of(connection, someone), balance(connection, someone)) == before
    # With the due days they had.
    assert connection.execute(
        "SELECT due_on FROM open_document WHERE customer_id = %s ORDER BY 1", (someone,)
    ).fetchall() == [(date(2026, 1, 16),), (date(2026, 2, 16),)]
    again = reverse_payment(connection, recorded.payment.id, BACK, today=TODAY, actor="maria")
    assert not isinstance(again, NotDone)
    assert (again.again, balance(connection, someone)) == (True, before[1])


def test_what_nobody_knows_waits_and_is_matched_by_an_entry(connection, days):
    someone = days.isp.customers[2]
    recorded = pay(connection, days.isp.issuer, "36.48", None, payer="ROSSI MARIO")
    assert posted(connection, "payment") == [("1800", "36.480"), ("1990", "-36.480")]
    assert balance(connection, someone) == "36.480"

    matched = match_payment(connection, recorded.payment.id, someone, reason="by phone", today=TODAY, actor="maria")
    assert not isinstance(matched, NotDone)
    assert (open_of(connection, someone), balance(connection, someone)) == ({}, "0.000")

    # It was somebody else's after all.
    other = days.isp.customers[0]
    match_payment(connection, recorded.payment.id, other, reason="another Rossi", today=TODAY, actor="maria")
    assert (open_of(connection, someone), balance(connection, someone)) == ({days.january[2].id: "36.480"}, "36.480")
    assert open_of(connection, other) == {days.february[0].id: "29.160"}

    match_payment(connection, recorded.payment.id, None, reason="nobody's", today=TODAY, actor="maria")
    assert balance(connection, other) == "65.640"
    assert connection.execute("SELECT customer_id, open FROM open_payment").fetchall() == [(None, Decimal("36.48"))]


def test_only_what_settles_nothing_is_given_back(connection, days):
    someone = days.isp.customers[2]
    recorded = pay(connection, days.isp.issuer, "40.00", someone)
    (method,) = [one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer"]
    why = Happening(TODAY, "paid too much")
    refused = refund_payment(connection, recorded.payment.id, eur("3.53"), method, why, today=TODAY, actor="maria")
    assert isinstance(refused, NotDone)
    assert "3.52 EUR of it settle nothing" in refused.message

    assert isinstance(
        refund_payment(connection, recorded.payment.id, eur("3.52"), method, why, today=TODAY, actor="maria"), int
    )
    assert balance(connection, someone) == "0.000"
    assert connection.execute("SELECT count(*) FROM open_payment").fetchone() == (0,)


def test_a_credit_note_whose_invoice_was_paid_is_given_back_or_settles_another(connection, days):
    someone = days.isp.customers[1]
    pay(connection, days.isp.issuer, "72.96", someone)
    table = desk(connection, days.isp)
    acting(connection, "maria")
    draft = table.invoice(table.line("10.00", corrects=(days.january[1].id, 1)), customer=1, day=TODAY)
    draft = replace(
        draft,
        kind=DocumentKind.CREDIT_NOTE,
        register_id=table.registers["NC"].id,
        dues=(),
        corrects_id=days.january[1].id,
    )
    (note,) = issue(connection, [draft], made_by="maria")
    assert open_of(connection, someone) == {note.id: "-12.200"}

    (method,) = [one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer"]
    given = refund_credit_note(
        connection, note.id, eur("2.20"), method, Happening(TODAY, "asked"), today=TODAY, actor="maria"
    )
    assert isinstance(given, int)
    (invoice,) = issue(connection, [table.invoice(table.line("29.90"), customer=1, day=TODAY)], made_by="maria")
    # 36.48 less the 10.00 that were left.
    assert open_of(connection, someone) == {invoice.id: "26.480"}
    assert balance(connection, someone) == "26.480"


def test_a_write_off_settles_its_invoice_and_is_taken_back(connection, days):
    someone = days.isp.customers[2]
    number = write_off(connection, days.january[2].id, reason="moved abroad", dated=TODAY, today=TODAY, actor="maria")
    assert isinstance(number, int)
    assert (open_of(connection, someone), balance(connection, someone)) == ({}, "0.000")
    assert posted(connection, "write_off") == [("1500", "-36.480"), ("6900", "36.480")]

    undo_write_off(connection, number, reason="found", dated=TODAY, today=TODAY, actor="maria")
    assert open_of(connection, someone) == {days.january[2].id: "36.480"}
    assert isinstance(
        undo_write_off(connection, number, reason="found", dated=TODAY, today=TODAY, actor="maria"), NotDone
    )


def test_an_invoice_in_parts_is_due_on_the_first_that_is_not_settled(connection, days):
    acting(connection, "maria")
    table = desk(connection, days.isp)
    pay(connection, days.isp.issuer, "36.48", days.isp.customers[2])
    draft = table.invoice(
        table.line("100.00"), customer=2, day=date(2026, 3, 1), due_on=due_days(date(2026, 3, 1), (10, 20, 30))
    )
    (invoice,) = issue(connection, [draft], made_by="maria")

    def stands():
        return connection.execute(
            "SELECT open, due_on, in_parts FROM open_document WHERE document_id = %s", (invoice.id,)
        ).fetchone()

    # 122.00 in parts of 40.68, 40.66 and 40.66.
    assert stands() == (Decimal(122), date(2026, 3, 11), True)
    pay(connection, days.isp.issuer, "40.67", days.isp.customers[2])
    assert stands() == (Decimal("81.33"), date(2026, 3, 11), True)
    pay(connection, days.isp.issuer, "0.01", days.isp.customers[2])
    assert stands() == (Decimal("81.32"), date(2026, 3, 21), True)
    last = pay(connection, days.isp.issuer, "40.66", days.isp.customers[2])
    assert stands() == (Decimal("40.66"), date(2026, 3, 31), False)
    reverse_payment(connection, last.payment.id, BACK, today=TODAY, actor="maria")
    assert stands() == (Decimal("81.32"), date(2026, 3, 21), True)


def test_a_closed_day_takes_no_payment_and_it_is_booked_on_the_next_open_one(connection, days):
    acting(connection, "maria")
    connection.execute(
        "INSERT INTO fiscal_period (issuer_id, during, closed_by) VALUES (%s, '[2026-01-01,2026-03-11)', 'maria')",
        (days.isp.issuer,),
    )
    payment = told(connection, days.isp.issuer, "5.00", days.isp.customers[2])
    record_payment(connection, payment, today=TODAY, actor="maria")
    assert connection.execute("SELECT dated FROM entry WHERE source = 'payment'").fetchall() == [(date(2026, 3, 11),)]


def test_the_nightly_job_lays_credit_that_writers_at_once_have_left_beside_an_open_invoice(connection, days):
    someone = days.isp.customers[2]
    recorded = pay(connection, days.isp.issuer, "30.00", someone)
    key = (SourceKind.PAYMENT, recorded.payment.id)
    write_allocations(connection, withdraw(load_allocations_of_payment(connection, recorded.payment.id), key))
    assert open_of(connection, someone) == {days.january[2].id: "36.480"}

    connection.execute("SET LOCAL ROLE corrente_worker")
    said = [credit_left(connection, None, datetime(2026, 3, 12, 4, 40, tzinfo=UTC)) for _ in range(2)]

    assert said == ["laid credit on invoices 1 times", "no credit beside an open invoice"]
    assert open_of(connection, someone) == {days.january[2].id: "6.480"}


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_payments_ends_at_the_same_balance_and_the_books_agree(module_database, days, seed):
    """I16, I18: the same deeds in another order; what came back leaves nothing but what the others paid."""
    amounts = ("10.00", "36.48", "0.01", "80.00", "24.28")
    ends = set()
    for turn in range(2):
        chance = random.Random(seed * 10 + turn)
        with psycopg.connect(module_database) as connection:
            told_in = [told(connection, days.isp.issuer, one, days.isp.customers[0]) for one in amounts]
            chance.shuffle(told_in)
            back = chance.randrange(2)
            for payment in told_in:
                recorded = record_payment(connection, payment, today=TODAY, actor="maria")
                assert not isinstance(recorded, NotDone)
                if payment.amount == eur("80.00"):
                    reverse_payment(connection, recorded.payment.id, BACK, today=TODAY, actor="maria")
            if back:
                apply_credit_left(connection, actor="job")
            open_ = open_of(connection, days.isp.customers[0])
            credit = connection.execute("SELECT coalesce(sum(open), 0) FROM open_payment").fetchone()[0]
            ends.add((balance(connection, days.isp.customers[0]), tuple(open_.items()), str(credit)))
            assert list(find_in(connection)) == []
            connection.rollback()
    # 65.64 less 70.77.
    assert ends == {("-5.130", (), "5.130")}


def test_what_is_left_of_what_nobody_was_known_for_is_matched_though_a_part_was_given_back(connection, days):
    one, two, _ = days.isp.customers
    (method,) = [each for each in load_methods(connection, days.isp.issuer) if each.code == "transfer"]
    strange = pay(connection, days.isp.issuer, "50.00", None).payment.id
    by = {"today": TODAY, "actor": "maria"}
    refund_payment(connection, strange, eur("20.00"), method, Happening(TODAY, "asked for"), **by)

    # 24.28 of January, 5.72 of 41.36 of February.
    match_payment(connection, strange, one, reason="by phone", **by)
    assert (balance(connection, one), open_of(connection, one)) == ("35.640", {days.february[0].id: "35.640"})
    match_payment(connection, strange, two, reason="by mail", **by)
    assert (balance(connection, one), balance(connection, two)) == ("65.640", "42.960")
    assert list(find_in(connection)) == []

    # What was given back to somebody who was known stays whose it was.
    theirs = pay(connection, days.isp.issuer, "100.00", two).payment.id
    refund_payment(connection, theirs, eur("1.00"), method, Happening(TODAY, "too much"), **by)
    refused = match_payment(connection, theirs, one, reason="x", **by)
    assert isinstance(refused, NotDone)
    assert "whose it was stays" in refused.message
    # Nor is anything left of what went back whole.
    gone = pay(connection, days.isp.issuer, "7.00", None).payment.id
    refund_payment(connection, gone, eur("7.00"), method, Happening(TODAY, "asked for"), **by)
    assert isinstance(match_payment(connection, gone, one, reason="x", **by), NotDone)
    reverse_payment(connection, strange, BACK, **by)
    assert list(find_in(connection)) == []


def test_a_statement_tells_each_and_ends_at_the_balance(connection, days):
    someone = days.isp.customers[2]
    recorded = pay(connection, days.isp.issuer, "40.00", someone, reference="row 7")
    reverse_payment(connection, recorded.payment.id, BACK, today=TODAY, actor="maria")
    write_off(connection, days.january[2].id, reason="moved abroad", dated=TODAY, today=TODAY, actor="maria")

    rows = stream_statement(connection, days.isp.issuer, someone, since=date(2026, 1, 1), until=TODAY)
    assert [(row.what, row.reference, str(row.balance)) for row in rows][1:] == [
        ("invoice", "3/FT/2026", "36.48"),
        ("payment", "Bank transfer, row 7", "-3.52"),
        ("payment reversal", "insufficient funds", "36.48"),
        ("write off", "moved abroad", "0.00"),
    ]


def test_what_is_behind_a_statement_s_entries_is_read_of_each_kind(connection, days):
    issuer, someone = days.isp.issuer, days.isp.customers[2]
    recorded = pay(connection, issuer, "40.00", someone, reference="row 7")
    method = next(one for one in load_methods(connection, issuer) if one.code == "transfer")
    given = refund_payment(
        connection, recorded.payment.id, recorded.payment.open, method, BACK, today=TODAY, actor="maria"
    )
    other = match_payment(
        connection,
        pay(connection, issuer, "1.00", None, reference="row 8").payment.id,
        someone,
        reason="by phone",
        today=TODAY,
        actor="maria",
    )
    reverse_payment(connection, other.payment.id, BACK, today=TODAY, actor="maria")
    gone = write_off(connection, days.january[0].id, reason="moved abroad", dated=TODAY, today=TODAY, actor="maria")
    assert undo_write_off(connection, gone, reason="back", dated=TODAY, today=TODAY, actor="maria") is None

    def behind(customer):
        found = load_moved(connection, issuer, customer, since=date(2026, 1, 1), until=TODAY)
        return [(one.method, one.inner, one.invoice) for _, one in sorted(found.items())]

    transfer = ("transfer", "Bank transfer")
    first, second = (f"payment {one.payment.id}" for one in (recorded, other))
    assert behind(someone) == [
        (transfer, first, None),
        (transfer, f"refund {given}", None),
        (transfer, second, None),
        (transfer, second, None),
    ]
    assert behind(days.isp.customers[0]) == [(None, None, "1/FT/2026")] * 2


def test_credit_of_a_payment_stands_below_zero_in_what_is_open_and_in_the_ages(connection, days):
    someone = days.isp.customers[2]
    pay(connection, days.isp.issuer, "40.00", someone, reference="row 7")
    mine = {"today": TODAY, "customer_id": someone}
    assert [
        (row.document, row.kind, str(row.open), row.days_over)
        for row in stream_open(connection, days.isp.issuer, **mine)
    ] == [("row 7", "payment", "-3.52", 0)]
    assert list(stream_open(connection, days.isp.issuer, overdue=True, **mine)) == []
    (age,) = stream_ageing(connection, days.isp.issuer, **mine)
    assert (str(age.credit), str(age.together)) == ("-3.52", "-3.52")
    # What is open, credit taken off, is what the books say that all customers owe.
    everything = stream_open(connection, days.isp.issuer, today=TODAY)
    assert (
        sum(row.open for row in everything)
        == connection.execute("SELECT sum(balance) FROM customer_balance").fetchone()[0]
    )


# Payment 1 of 40.00 settles 36.48 of customer 2's invoice and 3.52 were given back; 2 is nobody's; 3 came back; 1 write-off.
BREAKS = {
    "I17: a payment is not what its entry says": (
        "UPDATE payment SET amount = 6 WHERE reference = 'b'",
        [
            ("payments booked", "payment {b}", "its entry says -5.000 of its owner and it is -6.000"),
            (
                "payments left",
                "payment {b}",
                "5.000 of customer nobody are kept as left, which is 6.000 of customer nobody",
            ),
        ],
    ),
    "I17: an entry of no payment": (
        "DELETE FROM payment WHERE reference = 'b'; DELETE FROM open_payment",
        [
            ("payments booked", "payment {b}", "it has an entry and is not there"),
            ("actors", "payment of all", "it has 2 rows and the audit log counted 3"),
        ],
    ),
    "I18: a reversal that nobody booked": (
        "UPDATE entry SET source_id = 99 WHERE source = 'payment_reversal'",
        [
            ("payments booked", "payment reversal 99", "it has an entry and is not there"),
            ("payments in the books", "payment reversal {c}", "it has no entry"),
        ],
    ),
    "I15: more of a payment settles invoices than it is": (
        "UPDATE refund SET amount = 13.52; UPDATE posting SET amount = sign(amount) * 13.52 WHERE entry_id = (SELECT id FROM entry WHERE source = 'refund');"
        " UPDATE customer_balance SET balance = balance + 10 WHERE customer_id = {customer}",
        [
            (
                "payments left",
                "payment {a}",
                "36.480 of it settle invoices and 13.520 were given back, and it is 40.000",
            ),
        ],
    ),
    "I18: what came back is kept as left": (
        "INSERT INTO open_payment SELECT id, issuer_id, customer_id, currency, 10 FROM payment WHERE reference = 'c'",
        [
            (
                "payments left",
                "payment {c}",
                "10.000 of customer {other} are kept as left, which is 0.000 of customer {other}",
            )
        ],
    ),
    "I32: a payment settles another customer's invoice": (
        "UPDATE payment SET customer_id = {other} WHERE reference = 'a'",
        [
            ("payments left", "payment {a}", "it settles invoice 3/FT/2026 of another customer, issuer or currency"),
            (
                "payments of one owner",
                "payment {a}",
                "its entries leave -36.480 with customer {customer}, and it is of customer {other}",
            ),
        ],
    ),
    "I18: a payment came back to another than whose it was": (
        "UPDATE posting SET customer_id = NULL, account_id = (SELECT id FROM ledger_account WHERE role = 'suspense') WHERE customer_id = {other}"
        " AND entry_id = (SELECT id FROM entry WHERE source = 'payment_reversal'); UPDATE customer_balance SET balance = balance - 10 WHERE customer_id = {other}",
        [
            (
                "payments of one owner",
                "payment {c}",
                "its entries leave 10.000 with customer nobody, and it is of customer {other}",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_behind_the_triggers_back_is_found(connection, days, name):
    statement, expected = BREAKS[name]
    someone, other = days.isp.customers[2], days.isp.customers[0]
    (method,) = [one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer"]
    a = pay(connection, days.isp.issuer, "40.00", someone, reference="a").payment.id
    refund_payment(connection, a, eur("3.52"), method, Happening(TODAY, "too much"), today=TODAY, actor="maria")
    b = pay(connection, days.isp.issuer, "5.00", None, reference="b").payment.id
    c = pay(connection, days.isp.issuer, "10.00", other, reference="c").payment.id
    reverse_payment(connection, c, BACK, today=TODAY, actor="maria")
    write_off(connection, days.january[1].id, reason="moved", dated=TODAY, today=TODAY, actor="maria")
    assert list(find_in(connection)) == []

    names = {"a": a, "b": b, "c": c, "customer": someone, "other": other}
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(statement.format(**names))

    findings = [(one.check, one.subject, one.message) for one in find_in(connection)]
    assert findings == [
        (check, subject.format(**names), message.format(**names)) for check, subject, message in expected
    ]


def test_what_a_person_does_to_money_is_neither_of_before_it_nor_still_to_come(connection, days):
    someone, other, third = days.isp.customers
    paid = pay(connection, days.isp.issuer, "40.00", third).payment.id
    ahead = pay(connection, days.isp.issuer, "1.00", other, value_on=date(2026, 3, 14)).payment.id
    (method,) = [one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer"]
    number = write_off(connection, days.january[0].id, reason="x", dated=TODAY, today=TODAY, actor="maria")
    assert isinstance(number, int)
    by = {"today": TODAY, "actor": "maria"}

    def refused(day):
        why = Happening(day, "x")
        return [
            write_off(connection, days.february[0].id, reason="x", dated=day, **by),
            undo_write_off(connection, number, reason="x", dated=day, **by),
            refund_payment(connection, paid, eur("3.52"), method, why, **by),
            refund_credit_note(connection, days.note.id, eur("0.01"), method, why, **by),
            reverse_payment(connection, paid, why, **by),
        ]

    # The documents are of January and February, the payment of 10 March, what is undone of the 12th, which is today.
    for day in (date(1990, 1, 1), date(2026, 3, 13)):
        said = [one.message for one in refused(day) if isinstance(one, NotDone)]
        assert ["give a day from" in one for one in said] == [True] * 5, said
    assert balance(connection, someone) == "41.360"
    # Valued on the 14th by mistake: it can be taken back today.
    gone = reverse_payment(connection, ahead, Happening(TODAY, "typed twice"), **by)
    assert not isinstance(gone, NotDone)


def test_what_was_given_back_of_money_that_came_back_is_read_by_its_customer_and_not_from_all_payments(
    connection, days
):
    one, two, _ = days.isp.customers
    mine, moved = (pay(connection, days.isp.issuer, "200.00", who).payment.id for who in (one, two))
    (method,) = [known for known in load_methods(connection, days.isp.issuer) if known.code == "transfer"]
    by = {"today": TODAY, "actor": "maria"}
    assert not isinstance(match_payment(connection, moved, one, reason="said wrong", **by), NotDone)
    for number, part in ((mine, "5.00"), (moved, "7.00")):
        assert isinstance(refund_payment(connection, number, eur(part), method, Happening(TODAY, "x"), **by), int)
        assert not isinstance(reverse_payment(connection, number, Happening(TODAY, "no funds"), **by), NotDone)
    owed = [load_overdrawn(connection, who, days.isp.issuer, "EUR") for who in (one, two)]
    assert owed == [eur("12.00"), eur("0.00")]
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    asked = {"customer": one, "issuer": days.isp.issuer, "currency": "EUR"}
    plan = "\n".join(line for (line,) in connection.execute("EXPLAIN " + OF_CUSTOMER, asked))
    assert ("payment_customer" in plan, "payment_match_customer" in plan, "Seq Scan" in plan) == (True, True, False), (
        plan
    )


def test_a_reference_takes_back_or_gives_back_one_payment(connection, days):
    one, two, _ = days.isp.customers
    first, second = (pay(connection, days.isp.issuer, "50.00", who).payment.id for who in (one, two))
    third = pay(connection, days.isp.issuer, "200.00", two).payment.id
    (method,) = [one for one in load_methods(connection, days.isp.issuer) if one.code == "transfer"]
    why = Happening(TODAY, "x", reference="R1")
    by = {"today": TODAY, "actor": "maria"}
    assert not isinstance(reverse_payment(connection, first, why, **by), NotDone)
    before = open_of(connection, two)

    again = reverse_payment(connection, second, why, **by)

    assert isinstance(again, NotDone)
    assert "give this one a reference of its own" in again.message
    assert open_of(connection, two) == before
    assert isinstance(refund_payment(connection, third, eur("1"), method, why, **by), int)
    twice = refund_payment(connection, third, eur("1"), method, why, **by)
    assert isinstance(twice, NotDone)
    assert "give this one a reference of its own" in twice.message
    assert list(find_in(connection)) == []


def _meanwhile(database, first, deed, then=None):
    """What a deed comes to that another one begins while what `first` did is not committed, which it is once the other one waits
    (and `then` was asked).
    """
    told = []

    def other():
        try:
            with psycopg.connect(database) as second:
                told.append(deed(second))
        except psycopg.Error as error:
            told.append(error)

    waiting = threading.Thread(target=other)
    waiting.start()
    with psycopg.connect(database, autocommit=True) as watching:
        while waiting.is_alive() and not watching.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
            waiting.join(0.01)
    if then is not None:
        first.execute(then)
    first.commit()
    waiting.join(120)
    return told[0]


def test_of_two_at_once_the_second_is_told_what_the_first_did(database):
    with psycopg.connect(database) as first:
        days = books_days.make_days(first)
        number = write_off(first, days.january[2].id, reason="x", dated=TODAY, today=TODAY, actor="maria")
        strange = [pay(first, days.isp.issuer, "50.00", None).payment.id for _ in range(2)]
        assert isinstance(number, int)
        first.commit()

        by = {"today": TODAY, "actor": "maria"}
        undo_write_off(first, number, reason="a", dated=TODAY, **by)
        again = _meanwhile(database, first, lambda c: undo_write_off(c, number, reason="b", dated=TODAY, **by))
        assert "was taken back on 2026-03-12" in again.message

        # What nobody is known for has one owner, and what came back is nobody's.
        one, two, _ = days.isp.customers
        match_payment(first, strange[0], one, reason="by phone", **by)
        theirs = _meanwhile(database, first, lambda c: match_payment(c, strange[0], two, reason="by mail", **by))
        assert "matched by somebody else" in theirs.message
        reverse_payment(first, strange[1], BACK, **by)
        theirs = _meanwhile(database, first, lambda c: match_payment(c, strange[1], two, reason="by mail", **by))
        assert "came back or was given back" in theirs.message
        assert (balance(first, one), balance(first, two)) == ("15.640", "72.960")
        suspense = (
            "SELECT sum(p.amount) FROM posting p JOIN ledger_account a ON a.id = p.account_id WHERE a.role = 'suspense'"
        )
        assert first.execute(suspense).fetchone() == (0,)

        # Who gives a credit note waits for the customer before the invoice is held, which a payment is about to settle.
        def credit(other):
            acting(other, "maria")
            return credit_document(
                other, days.january[1].id, {1: Decimal(1)}, document_date=TODAY, reason="x", actor="luca"
            )

        hold_customers(first, [two])
        invoice = f"SELECT FROM document WHERE id = {days.january[1].id} FOR NO KEY UPDATE NOWAIT"
        assert _meanwhile(database, first, credit, then=invoice)[1].label == "2/NC/2026"

        # A run holds a contract's places and then who has credit; a fee for what comes back waits for it in the same order.
        (method,) = [each for each in load_methods(first, days.isp.issuer) if each.code == "transfer"]
        acting(first, "maria")
        save_return_fee(first, method.id, Decimal("3.00"), days.isp.products["Activation"])
        back = pay(first, days.isp.issuer, "1.00", one).payment.id
        first.commit()
        hold_contracts(first, days.isp.contracts)
        customer = f"SELECT FROM customer WHERE id = {one} FOR NO KEY UPDATE NOWAIT"
        gone = _meanwhile(
            database,
            first,
            lambda c: reverse_payment(c, back, Happening(TODAY, "x", reference="R9"), with_fee=True, **by),
            then=customer,
        )
        assert str(gone.payment.reversed_on) == "2026-03-12"
