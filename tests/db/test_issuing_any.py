"""Whatever drafts are issued together: numbers, entries, tax and turnover agree in the database."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg.rows import dict_row
from support.books_isp import desk, make_books

from billing.documents import due_days
from billing.errors import BillingError
from billing.money import Money
from billing.store.acting import acting
from billing.store.documents import issue
from control_plane import db

pytestmark = pytest.mark.db

# Kinds of customer: people, a public body with split payment, one abroad without tax.
CUSTOMERS = 3
PRODUCTS = ("Home 30", "Static address", "Phone", "Exempt", "Activation")
CENTS = st.integers(1, 200_000).map(lambda cents: Decimal(cents).scaleb(-2))
EIGHT_PLACES = st.integers(1, 10**11).map(lambda units: Decimal(units).scaleb(-8))
LINES = st.lists(
    st.tuples(
        st.sampled_from(PRODUCTS),
        st.one_of(CENTS, EIGHT_PLACES),
        st.sampled_from(["1", "3", "0.5", "0.33333333"]),
        # A fifth of the lines is given back, never more than the first one of the document.
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=5,
)
DRAFTS = st.lists(
    st.tuples(
        LINES,
        st.integers(0, CUSTOMERS - 1),
        st.sampled_from(["FT", "RC"]),
        st.integers(0, 2),
        st.booleans(),
        st.integers(0, 99),
        st.sampled_from([(15,), (30, 60), (0, 30, 60)]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def books(module_database):
    with db.connect(module_database, name="test") as connection:
        isp = make_books(connection, customers=CUSTOMERS)
        acting(connection, "maria")
        _, second, third = isp.customers
        connection.execute(
            "UPDATE customer SET kind = 'public_body', given_name = NULL, family_name = NULL WHERE id = %s", (second,)
        )
        # Abroad what is taxed at home is exempt by another law than what is exempt everywhere.
        connection.execute(
            "WITH code AS (INSERT INTO tax_code (name, nature, legal_reference) VALUES ('IVA-N4-B', 'N4', 'art. 20') RETURNING id),"
            " rate AS (INSERT INTO tax_rate (tax_code_id, during, percent) SELECT id, '[2013-10-01,)', 0 FROM code)"
            " UPDATE fiscal_position_tax SET to_tax_code_id = code.id FROM code"
        )
        connection.execute(
            "UPDATE customer SET fiscal_position_id = %s WHERE id = %s", (isp.positions["Abroad"], third)
        )
        connection.commit()
        yield connection, desk(connection, isp)


def _draft(at, given, day):
    lines, customer, register, _, includes_tax, percent, days = given
    made = []
    for product, price, quantity, sign in lines:
        below = made and sign == 4
        shown = min(price, made[0].priced.unit_price / 10).quantize(Decimal("0.01")) if below else price
        each = "1" if below else quantity
        made.append(at.line(f"{-shown if below else shown:f}", product=product, quantity=each, customer=customer))
    more = {"includes_tax": includes_tax, "due_on": due_days(day, days)}
    draft = at.invoice(*made, customer=customer, register=register, day=day, **more)
    together = sum(amount.minor for amount in draft.totals.amounts)
    if min(amount.minor for amount in draft.totals.amounts) < 0 or together * percent < 10_000:
        return draft
    discount = Money(together * percent // 200, "EUR")
    return at.invoice(*made, customer=customer, register=register, day=day, discount=discount, **more)


@given(drafts=DRAFTS)
@settings(max_examples=60)
def test_any_drafts_issued_together_agree_with_the_books(books, drafts):
    connection, at = books
    day = date(2026, 3, 1)
    made = []
    # Dates of a register never go back; those of two registers have nothing to do with each other.
    for one in drafts:
        day += timedelta(days=one[3])
        with suppress(BillingError):  # more due days than cents, a price that 8 places can't express
            made.append(_draft(at, one, day))
    with connection.transaction(force_rollback=True):
        acting(connection, "maria")
        issued = issue(connection, made, made_by="maria")
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        _agrees(connection, made, issued)


def _agrees(connection, made, issued):
    ids = [one.id for one in issued]
    for register in {one.register_id for one in issued}:
        numbers = [one.number for one in issued if one.register_id == register]
        assert numbers == list(range(1, len(numbers) + 1))
    rows = connection.cursor(row_factory=dict_row)
    documents = rows.execute("SELECT * FROM document WHERE id = ANY(%s) ORDER BY id", (ids,)).fetchall()
    assert [row["gross"] for row in documents] == [draft.totals.gross.amount for draft in made]
    sums = """
    SELECT d.id, d.payable, d.tax,
        (SELECT sum(amount) FROM document_due WHERE document_id = d.id) AS dues,
        (SELECT sum(p.amount) FROM entry e JOIN posting p ON p.entry_id = e.id WHERE e.source_id = d.id) AS balance,
        (SELECT sum(p.amount) FROM entry e JOIN posting p ON p.entry_id = e.id WHERE e.source_id = d.id AND p.customer_id = d.customer_id) AS owed,
        (SELECT sum(p.amount) FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
            WHERE e.source_id = d.id AND a.role = 'vat_output') AS vat,
        (SELECT sum(tax) FROM document_tax WHERE document_id = d.id) AS groups,
        (SELECT jsonb_object_agg(account_id, net) FROM (SELECT account_id, sum(net) AS net FROM document_line
            WHERE document_id = d.id GROUP BY 1 HAVING sum(net) <> 0) l) AS turnover,
        (SELECT jsonb_object_agg(account_id, amount) FROM (SELECT p.account_id, -sum(p.amount) AS amount FROM entry e
            JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
            WHERE e.source_id = d.id AND a.role = 'revenue' GROUP BY 1) l) AS revenue
    FROM document d WHERE d.id = ANY(%s)
    """
    for row in rows.execute(sums, (ids,)).fetchall():
        assert (row["dues"] or 0) == (row["owed"] or 0) == row["payable"]
        assert (row["balance"] or 0) == 0
        assert row["groups"] == row["tax"] == -(row["vat"] or 0)
        assert row["turnover"] == row["revenue"]
    by_law = """
    SELECT document_id, rate, nature, legal_reference, liability, sum(net) FROM document_line WHERE document_id = ANY(%(ids)s) GROUP BY 1, 2, 3, 4, 5
    EXCEPT SELECT document_id, rate, nature, legal_reference, liability, base FROM document_tax WHERE document_id = ANY(%(ids)s)
    """
    assert rows.execute(by_law, {"ids": ids}).fetchall() == []


PRICES = st.lists(st.integers(1, 9999), min_size=2, max_size=4)


@given(prices=PRICES)
@settings(max_examples=25)
def test_lines_with_tax_are_given_back_alone_by_notes_and_by_lines_of_later_invoices(books, prices):
    connection, at = books
    day = date(2026, 3, 1)
    with connection.transaction(force_rollback=True):
        acting(connection, "maria")
        lines = [at.line(f"{Decimal(cents).scaleb(-2):f}") for cents in prices]
        (first,) = issue(connection, [at.invoice(*lines, day=day, includes_tax=True)], made_by="maria")
        notes = []
        for number, cents in enumerate(prices[:-1], 1):
            line = at.line(f"{Decimal(cents).scaleb(-2):f}", corrects=(first.id, number))
            draft = at.invoice(line, register="NC", day=day, includes_tax=True)
            notes.append(replace(draft, corrects_id=first.id))
        back = at.line(f"{-Decimal(prices[-1]).scaleb(-2):f}", corrects=(first.id, len(prices)))
        later = at.invoice(at.line("100.00"), back, day=day, includes_tax=True)

        issue(connection, [*notes, later], made_by="maria")

        # All of each line's net is given back; a cent that can't be told by its rate stays.
        left = connection.execute(
            "SELECT l.net - c.credited FROM document_line l JOIN credited_line c USING (document_id, number)"
            " WHERE l.document_id = %s",
            (first.id,),
        ).fetchall()
        assert len(left) == len(prices)
        assert all(0 <= net <= Decimal("0.01") for (net,) in left)
