"""Invoices and credit notes by hand, on a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from support.books_isp import STARTS, make_books

from billing.credits import NothingLeftError
from billing.errors import BillingError
from billing.operations.invoices import (
    WantedInvoice,
    WantedLine,
    WrongInvoiceError,
    credit_document,
    make_invoice,
    plan_invoice,
)
from billing.settlement import SettlementState
from billing.store.acting import acting
from billing.store.issued import NoDocumentError, find_document, load_document, load_documents

pytestmark = pytest.mark.db

DAY = date(2026, 3, 1)


@pytest.fixture
def isp(connection):
    made = make_books(connection)
    acting(connection, "maria")
    return made


def _wanted(isp, *lines, customer=0, **more):
    return WantedInvoice(
        lines=lines, document_date=DAY, customer_id=isp.customers[customer], issuer_id=isp.issuer, **more
    )


def _make(connection, isp, *lines, **more):
    _, issued = make_invoice(connection, _wanted(isp, *lines, **more), actor="maria")
    return issued


def _shown(connection, issued, today=DAY):
    return load_document(connection, issued.id, today=today)


def _balance(connection, customer):
    return connection.execute("SELECT sum(amount) FROM posting WHERE customer_id = %s", (customer,)).fetchone()[0]


def test_who_has_no_address_gets_no_document_since_nothing_says_where_it_is_taxed(connection, isp):
    first = _make(connection, isp, WantedLine(isp.products["Activation"]))
    connection.execute("DELETE FROM address WHERE customer_id = %s", (isp.customers[0],))

    for asked in (
        lambda: _make(connection, isp, WantedLine(isp.products["Activation"])),
        lambda: credit_document(connection, first.id, None, document_date=DAY, reason="wrong", actor="maria"),
    ):
        with pytest.raises(BillingError, match="customer 1 has no address"):
            asked()


def test_an_invoice_of_a_product_has_its_words_its_price_and_its_tax(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Activation"]), due_in_days=(15,))

    shown = _shown(connection, issued)
    (line,) = shown.lines
    assert (line.description, line.unit_price, line.rate) == ("Activation", Decimal(49), Decimal(22))
    assert (str(shown.gross), shown.dues[0].due_on) == ("59.78 EUR", date(2026, 3, 16))
    assert (shown.customer["name"], shown.issuer["vat_number"]) == ("Anna Rossi 1", "01234560017")


def test_a_line_without_a_product_has_its_own_words_price_tax_and_account(connection, isp):
    code = next(name for name in isp.tax_codes if name.endswith("-22"))
    line = WantedLine(
        None, "Cable, by the metre", Decimal("12.5"), Decimal("0.40"), Decimal(10), tax_code=code, account="4200"
    )

    shown = _shown(connection, _make(connection, isp, line))

    # 12.5 times 0.36.
    assert [str(amount) for amount in (shown.net, shown.tax)] == ["4.50 EUR", "0.99 EUR"]
    assert connection.execute("SELECT account_id FROM document_line").fetchone()[0] == isp.accounts["4200"]


def test_with_a_contract_its_payer_prices_and_due_days_count(connection, isp):
    connection.execute(
        "UPDATE contract_terms SET payer_id = %s, includes_tax = true, due_days = 30 WHERE contract_id = %s",
        (isp.customers[2], isp.contracts[0]),
    )
    line = WantedLine(isp.products["Activation"], unit_price=Decimal("61.00"))

    _, issued = make_invoice(connection, WantedInvoice((line,), DAY, contract_id=isp.contracts[0]), actor="maria")

    shown = _shown(connection, issued)
    assert shown.customer_id == isp.customers[2]
    assert [str(amount) for amount in (shown.net, shown.tax, shown.gross)] == ["50.00 EUR", "11.00 EUR", "61.00 EUR"]
    assert shown.dues[0].due_on == date(2026, 3, 31)
    assert shown.lines[0].contract_id == isp.contracts[0]


def test_a_cash_customer_whose_address_is_the_counter_s_pays_on_the_day(connection, isp):
    (cash,) = connection.execute("INSERT INTO customer (name) VALUES ('At the counter') RETURNING id").fetchone()
    connection.execute(
        "INSERT INTO address (customer_id, kind, street, postal_code, city, province, country)"
        " VALUES (%s, 'legal', 'Via Roma 1', '10121', 'Torino', 'TO', 'IT')",
        (cash,),
    )
    line = WantedLine(isp.products["Activation"])

    _, issued = make_invoice(
        connection, WantedInvoice((line,), DAY, customer_id=cash, issuer_id=isp.issuer), actor="maria"
    )

    assert [(due.due_on, str(due.amount)) for due in _shown(connection, issued).dues] == [(DAY, "59.78 EUR")]


def test_several_due_days_share_what_is_payable_and_a_discount_is_spread(connection, isp):
    lines = (WantedLine(isp.products["Activation"]), WantedLine(isp.products["Phone"]))

    shown = _shown(connection, _make(connection, isp, *lines, due_in_days=(30, 60, 90), discount=Decimal("5.30")))

    # 53.00 less 5.30 is 47.70 and 10.49 of tax (10.494): 58.19 in three.
    assert [str(due.amount) for due in shown.dues] == ["19.41 EUR", "19.39 EUR", "19.39 EUR"]
    assert [str(line.net) for line in shown.lines] == ["44.10 EUR", "3.60 EUR"]


def test_what_comes_to_nothing_takes_no_number(connection, isp):
    for lines, discount in (
        ((WantedLine(isp.products["Phone"], unit_price=Decimal(0)),), None),
        ((WantedLine(isp.products["Phone"]), WantedLine(isp.products["Phone"], unit_price=Decimal(-4))), None),
        ((WantedLine(isp.products["Phone"]),), Decimal(4)),
    ):
        with pytest.raises(WrongInvoiceError, match="it comes to nothing"):
            _make(connection, isp, *lines, discount=discount)


def test_the_tax_of_a_country_that_neither_side_is_in_is_not_charged(connection, isp):
    connection.execute("UPDATE tax_code SET name = 'IT-22' WHERE name = 'IVA-22'")
    line = WantedLine(isp.products["Phone"])
    assert str(_shown(connection, _make(connection, isp, line)).tax) == "0.88 EUR"
    connection.execute("UPDATE address SET country = 'CL' WHERE customer_id = %s", (isp.customers[0],))
    assert str(_shown(connection, _make(connection, isp, line)).tax) == "0.88 EUR"
    connection.execute("UPDATE issuer SET country = 'CL'")

    with pytest.raises(BillingError, match="tax code IT-22 is of IT, and this is an issuer of CL and a customer in CL"):
        _make(connection, isp, line)


def test_stamp_duty_is_a_line_where_the_issuer_recharges_it(connection, isp):
    untaxed = WantedLine(isp.products["Exempt"], unit_price=Decimal(100))
    borne = _shown(connection, _make(connection, isp, untaxed))
    connection.execute("UPDATE issuer SET recharges_stamp = true")
    recharged = _shown(connection, _make(connection, isp, untaxed))

    assert (str(borne.stamp_duty), str(borne.gross)) == ("2.00 EUR", "100.00 EUR")
    assert (str(recharged.stamp_duty), str(recharged.gross)) == ("2.00 EUR", "102.00 EUR")
    assert connection.execute(
        "SELECT -sum(amount) FROM posting WHERE account_id = %s", (isp.accounts["2650"],)
    ).fetchone() == (Decimal(2),)


def test_a_stamp_duty_unknown_in_the_currency_stops_nothing_that_does_not_bear_it(connection, isp):
    connection.execute("UPDATE stamp_duty SET currency = 'USD'")
    issued = _make(connection, isp, WantedLine(isp.products["Activation"]))
    credit_document(connection, issued.id, None, document_date=DAY, reason="late", actor="maria")
    with pytest.raises(BillingError, match="known in USD and not in EUR"):
        plan_invoice(connection, _wanted(isp, WantedLine(isp.products["Exempt"], unit_price=Decimal(100))))


def test_an_invoice_in_another_currency_owes_the_duty_too_once_its_sums_are_known_in_it(connection, isp):
    wanted = _wanted(isp, WantedLine(isp.products["Exempt"], unit_price=Decimal(100)), currency="USD")
    with pytest.raises(BillingError, match=r"known in EUR and not in USD.*`corrente issuer duty set IT"):
        plan_invoice(connection, wanted)
    connection.execute(
        "INSERT INTO stamp_duty (country, currency, during, above, amount) VALUES ('IT', 'USD', '[2026-01-01,)', 84.00, 2.17)"
    )
    assert str(plan_invoice(connection, wanted).stamp_duty) == "2.17 USD"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (WantedLine(999), "there is no product 999"),
        (WantedLine(None, "x", unit_price=Decimal(1)), "x: a line without a product needs a tax code"),
        (WantedLine(None, unit_price=Decimal(1)), "a line without a product needs its words"),
        (WantedLine(None, "x", unit_price=Decimal(1), tax_code="VAT"), "there is no tax code 'VAT'"),
    ],
)
def test_what_makes_no_invoice_is_refused_in_words(connection, isp, line, problem):
    with pytest.raises(WrongInvoiceError, match=problem):
        plan_invoice(connection, _wanted(isp, line))


def test_planning_writes_nothing(connection, isp):
    draft = plan_invoice(connection, _wanted(isp, WantedLine(isp.products["Phone"])))

    assert str(draft.totals.gross) == "4.88 EUR"
    assert connection.execute("SELECT count(*) FROM document").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM register_year").fetchone() == (0,)


def test_an_issued_document_keeps_its_parties_as_they_were(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Phone"]))
    connection.commit()
    acting(connection, "maria")
    connection.execute("UPDATE customer SET name = 'Bruno', given_name = NULL, family_name = NULL")
    connection.execute("UPDATE address SET city = 'Roma'")
    connection.execute("UPDATE issuer SET name = 'Other Net'")

    shown = _shown(connection, issued)

    assert (shown.customer["name"], shown.customer["city"], shown.issuer["name"]) == (
        "Anna Rossi 1",
        "Torino",
        "Example Net",
    )


def test_a_whole_credit_note_settles_its_invoice_and_leaves_nothing(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Activation"]), WantedLine(isp.products["Phone"]))

    draft, note = credit_document(
        connection, issued.id, None, document_date=DAY, reason="never installed", actor="maria"
    )

    assert (note.label, str(draft.totals.payable)) == ("1/NC/2026", "64.66 EUR")
    shown = _shown(connection, issued)
    assert shown.standing.state is SettlementState.PAID
    assert ("1/NC/2026", "settled by") in [(label, how) for label, how, _ in shown.related]
    assert _balance(connection, isp.customers[0]) == 0
    with pytest.raises(NothingLeftError):
        credit_document(connection, issued.id, None, document_date=DAY, reason="again", actor="maria")


def test_a_line_is_given_back_in_parts_until_it_is_used_up(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Activation"]), WantedLine(isp.products["Phone"]))
    for amount in ("20.00", "20.00", None):
        given = {1: None if amount is None else Decimal(amount)}
        credit_document(connection, issued.id, given, document_date=DAY, reason="late", actor="maria")

    with pytest.raises(NothingLeftError, match="line 1"):
        credit_document(connection, issued.id, {1: Decimal("0.01")}, document_date=DAY, reason="late", actor="maria")

    shown = _shown(connection, issued)
    assert [str(line.credited) for line in shown.lines] == ["49.00 EUR", "0.00 EUR"]
    # Of 64.66, the phone's 4.00 and 0.88.
    assert (str(shown.standing.open), shown.standing.state) == ("4.88 EUR", SettlementState.PART_PAID)
    assert _shown(connection, issued, today=date(2026, 3, 2)).standing.state is SettlementState.OVERDUE


def _billed(connection, isp, net="29.90"):
    """An invoice that billed a charge of January."""
    (charge,) = connection.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " VALUES (%s, 'period', '[2026-01-01,2026-02-01)', 31, 31, %s, %s, 'EUR', '2026-01-01', 'maria') RETURNING id",
        (isp.items[0], net, net),
    ).fetchone()
    issued = _make(connection, isp, WantedLine(isp.products["Home 30"], unit_price=Decimal(net)))
    connection.execute("UPDATE charge SET document_id = %s, line_number = 1 WHERE id = %s", (issued.id, charge))
    return charge, issued


def _credits(connection, charge):
    return connection.execute(
        "SELECT net, units, document_id IS NOT NULL FROM charge WHERE corrects_id = %s ORDER BY id", (charge,)
    ).fetchall()


def test_a_credit_note_of_a_line_that_billed_a_charge_gives_the_charge_back(connection, isp):
    charge, issued = _billed(connection, isp)

    credit_document(connection, issued.id, {1: Decimal("10.00")}, document_date=DAY, reason="late", actor="maria")
    credit_document(connection, issued.id, {1: None}, document_date=DAY, reason="late", actor="maria")

    assert _credits(connection, charge) == [(Decimal("-10.00"), 0, True), (Decimal("-19.90"), 0, True)]


def test_a_line_given_back_whole_gives_its_days_back(connection, isp):
    charge, issued = _billed(connection, isp)

    credit_document(connection, issued.id, None, document_date=DAY, reason="wrong customer", actor="maria")

    assert _credits(connection, charge) == [(Decimal("-29.90"), 31, True)]


def test_two_people_credit_the_same_line_and_the_second_is_told_what_is_left(connection, isp, database):
    _, issued = _billed(connection, isp)
    connection.commit()
    day, reason = DAY, "late"
    acting(connection, "maria")
    credit_document(connection, issued.id, {1: Decimal("20.00")}, document_date=day, reason=reason, actor="maria")

    def second():
        with psycopg.connect(database) as other:
            acting(other, "bruno")
            credit_document(other, issued.id, {1: Decimal("20.00")}, document_date=day, reason=reason, actor="bruno")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second)
        connection.commit()
        with pytest.raises(NothingLeftError, match=r"20\.00 EUR of 9\.90 EUR that are left"):
            waiting.result(timeout=120)


def test_a_credit_note_is_no_invoice_to_correct_nor_a_number_that_there_is_not(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Phone"]))
    _, note = credit_document(connection, issued.id, None, document_date=DAY, reason="x", actor="maria")

    with pytest.raises(NoDocumentError, match="only those are corrected"):
        credit_document(connection, note.id, None, document_date=DAY, reason="x", actor="maria")
    with pytest.raises(NoDocumentError, match="there is no document '9/FT/2026'"):
        find_document(connection, "9/FT/2026")
    assert find_document(connection, "1/FT/2026") == find_document(connection, f"id:{issued.id}") == issued.id


def test_a_date_before_the_register_s_last_is_refused(connection, isp):
    _make(connection, isp, WantedLine(isp.products["Phone"]))
    early = WantedInvoice(
        (WantedLine(isp.products["Phone"]),), date(2026, 2, 28), customer_id=isp.customers[0], issuer_id=isp.issuer
    )

    with pytest.raises(psycopg.errors.CheckViolation, match="a document of 2026-02-28 after one of 2026-03-01"):
        make_invoice(connection, early, actor="maria")


def test_lists_are_by_customer_kind_and_what_is_open_or_overdue(connection, isp):
    first = _make(connection, isp, WantedLine(isp.products["Phone"]))
    _make(connection, isp, WantedLine(isp.products["Phone"]), customer=1, due_in_days=(30,))
    _make(connection, isp, WantedLine(isp.products["Phone"]))
    credit_document(connection, first.id, None, document_date=DAY, reason="x", actor="maria")

    def listed(**more):
        rows = load_documents(connection, **{"kinds": ("invoice",), "today": date(2026, 3, 10), "limit": 10, **more})
        return [row.label for row in rows]

    assert listed() == ["3/FT/2026", "2/FT/2026", "1/FT/2026"]
    assert listed(customer_id=isp.customers[1]) == ["2/FT/2026"]
    assert listed(only_open=True) == ["3/FT/2026", "2/FT/2026"]
    assert listed(only_overdue=True) == ["3/FT/2026"]
    assert listed(kinds=("credit_note",)) == ["1/NC/2026"]
    assert listed(limit=1) == ["3/FT/2026"]
    assert listed(until=STARTS) == []


def test_issuing_tells_the_outbox(connection, isp):
    issued = _make(connection, isp, WantedLine(isp.products["Phone"]))
    credit_document(connection, issued.id, None, document_date=DAY, reason="x", actor="maria")

    told = connection.execute(
        "SELECT event, payload ->> 'label', payload ->> 'payable' FROM outbox ORDER BY id"
    ).fetchall()
    assert told == [("document.issued", "1/FT/2026", "4.88"), ("document.credited", "1/NC/2026", "4.88")]


def test_without_an_issuer_or_a_customer_there_is_no_invoice(connection, isp):
    with pytest.raises(WrongInvoiceError, match="name the issuer and the customer"):
        plan_invoice(connection, WantedInvoice((WantedLine(1),), DAY))
    with pytest.raises(BillingError, match="there is no contract 999 with terms"):
        plan_invoice(connection, WantedInvoice((WantedLine(1),), DAY, contract_id=999))
