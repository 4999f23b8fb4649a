"""Allocation against an account kept cent by cent: each cent goes to the part that fell due first, and none is made or lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.paid_account import PaidAccount

from billing.allocation import (
    AllocationRow,
    Choice,
    OpenInvoice,
    RefusedChoice,
    Source,
    SourceKind,
    Wrong,
    allocate,
    allocate_in_order,
    withdraw,
)
from billing.documents import Due
from billing.errors import BillingError
from billing.money import Money, zero
from billing.settlement import left_of

FIRST = date(2026, 3, 1)
NOTHING = zero("EUR")


def eur(cents):
    return Money(cents, "EUR")


def invoice(number, *parts, disputed=0):
    """An invoice with what is open of it by days after the first of March."""
    dues = tuple(Due(FIRST + timedelta(days=day), eur(cents)) for day, cents in parts)
    return OpenInvoice(number, (2026, number, f"FT/{number}/2026"), dues, eur(disputed))


def payment(number, cents, day=0):
    return Source(SourceKind.PAYMENT, number, FIRST + timedelta(days=day), eur(cents))


def told(allocations):
    return [(one.source[1], one.invoice_id, one.amount.minor, one.chosen) for one in allocations]


# Worked out by hand.
def test_the_older_due_date_is_paid_first_then_the_lower_number():
    invoices = [invoice(12, (20, 5000)), invoice(11, (20, 3000)), invoice(13, (10, 1000))]

    assert told(allocate(payment(1, 7000), invoices)) == [
        (1, 13, 1000, False),
        (1, 11, 3000, False),
        (1, 12, 3000, False),
    ]


def test_numbers_are_compared_as_numbers_and_a_year_before_them():
    ninth, tenth = invoice(9, (20, 1000)), invoice(10, (20, 1000))
    last_year = replace(invoice(300, (20, 1000)), number=(2025, 300, "FT/300/2025"))

    assert [one.invoice_id for one in allocate(payment(1, 2500), [tenth, ninth, last_year])] == [300, 9, 10]


def test_a_part_that_falls_due_later_waits_for_another_invoice_that_is_due_before():
    in_parts, whole = invoice(1, (0, 6000), (60, 6000)), invoice(2, (30, 10000))

    assert told(allocate(payment(1, 17000), [in_parts, whole])) == [(1, 1, 7000, False), (1, 2, 10000, False)]
    assert told(allocate(payment(1, 16000), [in_parts, whole])) == [(1, 1, 6000, False), (1, 2, 10000, False)]


def test_what_the_customer_chose_comes_first_and_the_rest_goes_the_usual_way():
    invoices = [invoice(1, (0, 5000)), invoice(2, (10, 5000)), invoice(3, (20, 5000))]

    assert told(allocate(payment(1, 8000), invoices, [Choice(3)])) == [(1, 3, 5000, True), (1, 1, 3000, False)]
    assert told(allocate(payment(1, 8000), invoices, [Choice(2, eur(1000)), Choice(3)])) == [
        (1, 2, 1000, True),
        (1, 3, 5000, True),
        (1, 1, 2000, False),
    ]
    assert told(allocate(payment(1, 3000), invoices, [Choice(3)])) == [(1, 3, 3000, True)]


def test_what_is_in_dispute_is_paid_by_choice_alone():
    disputed, other = invoice(1, (0, 5000), disputed=5000), invoice(2, (10, 7000))

    assert told(allocate(payment(1, 12000), [disputed, other])) == [(1, 2, 7000, False)]
    assert told(allocate(payment(1, 12000), [disputed, other], [Choice(1)])) == [
        (1, 1, 5000, True),
        (1, 2, 7000, False),
    ]
    partly = invoice(1, (0, 5000), disputed=2000)
    assert told(allocate(payment(1, 9000), [partly])) == [(1, 1, 3000, False)]
    # What is chosen pays what is asked for before what is in dispute.
    assert told(allocate(payment(1, 9000), [partly], [Choice(1, eur(1000))])) == [
        (1, 1, 1000, True),
        (1, 1, 2000, False),
    ]
    assert told(allocate(payment(1, 9000), [partly], [Choice(1, eur(4000))])) == [(1, 1, 4000, True)]


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ([Choice(9)], Wrong.UNKNOWN),
        ([Choice(1), Choice(1)], Wrong.TWICE),
        ([Choice(1, Money(100, "USD"))], Wrong.CURRENCY),
        ([Choice(1, eur(0))], Wrong.NOTHING),
        ([Choice(1, eur(-100))], Wrong.NOTHING),
        ([Choice(1, eur(5001))], Wrong.BEYOND_OPEN),
        ([Choice(1, eur(5000)), Choice(2, eur(1001))], Wrong.BEYOND_SOURCE),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_its_reason(choices, reason):
    refused = allocate(payment(1, 6000), [invoice(1, (0, 5000)), invoice(2, (10, 5000))], choices)

    assert isinstance(refused, RefusedChoice)
    assert refused.reason is reason
    assert "invoice" in refused.message


def test_a_payment_of_another_currency_pays_nothing_here():
    dollars = Source(SourceKind.PAYMENT, 1, FIRST, Money(5000, "USD"))

    refused = allocate(dollars, [invoice(1, (0, 5000))], [Choice(1)])
    assert isinstance(refused, RefusedChoice)
    assert refused.reason is Wrong.CURRENCY
    with pytest.raises(BillingError, match="currencies differ"):
        allocate(dollars, [invoice(1, (0, 5000))])


def test_a_reversed_payment_takes_back_each_row_once_and_whole():
    paid, other = (SourceKind.PAYMENT, 1), (SourceKind.PAYMENT, 2)
    rows = [
        AllocationRow(1, paid, 10, eur(500)),
        AllocationRow(2, other, 10, eur(300)),
        AllocationRow(3, paid, 11, eur(200)),
        AllocationRow(4, paid, 10, eur(-500), withdraws_id=1),
    ]

    taken = withdraw(rows, paid)

    assert [(one.withdraws_id, one.invoice_id, one.amount.minor) for one in taken] == [(3, 11, -200)]
    rows.append(AllocationRow(5, paid, 11, eur(-200), withdraws_id=3))
    assert withdraw(rows, paid) == ()


def check(account):
    """I15, and that nothing lies idle while something is open."""
    for key in {row.source for row in account.rows}:
        assert 0 <= account.given(key).minor <= (account.sources[key].left.minor if key in account.sources else 0)
    for one in account.invoices.values():
        assert 0 <= account.settled(one.id).minor <= one.open.minor
    assert account.open.minor == max(0, account.balance().minor)
    assert account.credit.minor == max(0, -account.balance().minor)


PARTS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), min_size=1, max_size=3)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("invoice"), PARTS),
        st.tuples(st.sampled_from(["payment", "credit_note"]), st.integers(1, 60)),
        st.tuples(st.just("reversal"), st.integers(0, 10)),
        st.tuples(st.just("chosen"), st.integers(1, 60)),
    ),
    max_size=14,
)


@given(EVENTS)
def test_whatever_happens_no_cent_is_given_twice_and_none_lies_idle(events):
    account = PaidAccount()
    for number, (what, value) in enumerate(events, start=1):
        if what == "invoice":
            account.invoice(invoice(number, *value))
        elif what == "reversal":
            payments = [key for key in account.sources if key[0] is SourceKind.PAYMENT]
            if payments:
                account.reverse(payments[value % len(payments)])
        elif what == "chosen":
            open_ = account.open_invoices()
            account.pay(payment(number, value, day=number), [Choice(open_[-1].id)] if open_ else [])
        else:
            account.pay(Source(SourceKind(what), number, FIRST + timedelta(days=number), eur(value)))
        check(account)
        written = len(account.rows)
        account.apply_credit()
        assert len(account.rows) == written


@given(st.lists(PARTS, min_size=1, max_size=4), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_each_cent_goes_to_what_fell_due_first(invoices, payments):
    sources = [payment(number, cents, day=number) for number, cents in enumerate(payments)]
    given = [invoice(number, *parts) for number, parts in enumerate(invoices)]

    # A cent a line, in the order in which they are asked for and in which they came.
    asked = sorted((day, number) for number, parts in enumerate(invoices) for day, cents in parts for _ in range(cents))
    came = [number for number, cents in enumerate(payments) for _ in range(cents)]
    expected: dict[tuple[int, int], int] = {}
    for source, (_, number) in zip(came, asked, strict=False):
        expected[source, number] = expected.get((source, number), 0) + 1

    got = allocate_in_order(reversed(sources), reversed(given))

    assert {(one.source[1], one.invoice_id): one.amount.minor for one in got} == expected
    assert len(got) == len(expected)


@settings(max_examples=30)
@given(st.lists(PARTS, min_size=1, max_size=3), st.lists(st.integers(1, 40), min_size=2, max_size=4))
def test_payments_in_any_order_leave_the_same_open(invoices, payments):
    outcomes = set()
    for order in permutations(range(len(payments))):
        account = PaidAccount()
        for number, parts in enumerate(invoices):
            account.invoice(invoice(number, *parts))
        for place in order:
            account.pay(payment(place, payments[place]))
        check(account)
        outcomes.add(tuple(account.settled(number).minor for number in account.invoices))

    assert len(outcomes) == 1


@given(EVENTS, st.integers(1, 200), st.integers(0, 14))
def test_a_reversed_payment_leaves_the_account_as_if_it_had_never_come(events, cents, place):
    def played(with_it):
        account = PaidAccount()
        for number, (what, value) in enumerate(events, start=1):
            if number == place and with_it:
                account.pay(payment(999, cents, day=number))
            if what == "invoice":
                account.invoice(invoice(number, *value))
            elif what in ("payment", "credit_note"):
                account.pay(Source(SourceKind(what), number, FIRST + timedelta(days=number), eur(value)))
        if (SourceKind.PAYMENT, 999) in account.sources:
            account.reverse((SourceKind.PAYMENT, 999))
        check(account)
        return account

    with_it, without = played(True), played(False)

    assert (with_it.balance(), with_it.open) == (without.balance(), without.open)
    for one in with_it.open_invoices():
        assert {part.due_on for part in one.parts} <= {due.due_on for due in with_it.invoices[one.id].parts}


@given(PARTS, st.integers(0, 100))
def test_what_is_left_of_parts_is_what_the_last_cents_are(parts, paid):
    dues = invoice(1, *parts).parts
    cents = sorted(day for day, count in parts for _ in range(count))[paid:]

    left = [due.due_on for due in left_of(dues, eur(paid)) for _ in range(due.amount.minor)]

    assert left == [FIRST + timedelta(days=day) for day in cents]


def test_nothing_open_or_nothing_to_give_is_no_allocation():
    assert allocate_in_order([], [invoice(1, (0, 100))]) == ()
    assert allocate_in_order([payment(1, 100)], []) == ()
    assert allocate(payment(1, 0), [invoice(1, (0, 100))], [Choice(1)]) == ()
