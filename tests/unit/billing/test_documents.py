"""A draft's totals, stamp duty and due days, and the register it fits in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.documents import (
    CustomerParty,
    DocumentKind,
    DraftLine,
    Due,
    IssuerParty,
    Parties,
    Purpose,
    Register,
    Stamp,
    draft_document,
    due_days,
    dues_for,
    register_for,
)
from billing.errors import BillingError
from billing.money import Money
from billing.tax import CustomerKind, StampRule, TaxedCustomer
from billing.totals import Liability, LineDraft, TaxTreatment

DAY = date(2026, 3, 1)
TAXED = TaxTreatment("IVA-22", Decimal(22))
EXEMPT = TaxTreatment("IVA-N4", Decimal(0), "N4", "art. 10 DPR 633/72", bears_stamp=True)
OUTSIDE = TaxTreatment("IVA-N1", Decimal(0), "N1", "art. 15 DPR 633/72")
INVOICES = Register(1, "FT", DocumentKind.INVOICE, "{number}/{code}/{year}")
PARTIES = Parties(
    IssuerParty(1, "IT", "EUR", "Europe/Rome", False, None, '{"name": "Example Net"}'),
    CustomerParty(TaxedCustomer(7, CustomerKind.PERSON, "IT", "10124"), "it", '{"name": "Anna"}', True),
)


def _eur(cents):
    return Money(cents, "EUR")


def _line(price, treatment=TAXED):
    return DraftLine(LineDraft("Casa 30", Decimal(1), Decimal(price), treatment), 4100)


def _draft(*lines, **more):
    given = {"register": INVOICES, "document_date": DAY, "currency": "EUR", "includes_tax": False}
    return draft_document(lines, PARTIES, **{**given, "due_on": [DAY], **more})


def test_what_falls_due_on_no_bank_day_is_due_on_the_next_where_the_issuer_wants_that():
    issuer = replace(PARTIES.issuer, bank_days="IT")
    days = [date(2026, 4, 4), date(2026, 4, 30), date(2026, 5, 1)]
    given = {"register": INVOICES, "document_date": DAY, "currency": "EUR", "includes_tax": False, "due_on": days}

    draft = draft_document([_line("29.90")], replace(PARTIES, issuer=issuer), **given)

    # Easter is on 5 April and the Monday after it a holiday; 1 May, a Friday, is one too.
    assert [one.due_on for one in draft.dues] == [date(2026, 4, 7), date(2026, 4, 30), date(2026, 5, 4)]
    assert [one.due_on for one in _draft(_line("29.90"), due_on=days).dues] == days


def test_an_invoice_freezes_its_parties_and_falls_due_in_equal_parts():
    draft = _draft(_line("29.90"), due_on=[date(2026, 4, 15), date(2026, 3, 15), date(2026, 5, 15)])

    assert (draft.customer_id, draft.customer_data, draft.language) == (7, '{"name": "Anna"}', "it")
    # 29.90 and 6.58 of tax are 36.48: 12.16 three times.
    assert draft.dues == tuple(Due(date(2026, month, 15), _eur(1216)) for month in (3, 4, 5))


def test_the_rest_of_a_division_is_due_first():
    assert [due.amount.minor for due in dues_for(_eur(1000), due_days(DAY, (60, 30, 90)))] == [334, 333, 333]


def test_a_quote_has_no_due_day():
    register = Register(2, "PR", DocumentKind.QUOTE, "{number}")

    assert _draft(_line("10"), register=register, due_on=()).dues == ()


def test_an_invoice_of_nothing_has_no_due_day():
    assert _draft(_line("10"), _line("-10")).dues == ()


@pytest.mark.parametrize("days", [(), [DAY] * 3])
def test_an_amount_without_a_day_or_with_more_days_than_cents_is_refused(days):
    with pytest.raises(BillingError):
        dues_for(_eur(2), days)


def test_a_document_below_zero_is_refused():
    with pytest.raises(BillingError, match="it is a credit note"):
        _draft(_line("10"), _line("-10.01"))


# IT: 2.00 above 77.47 of untaxed amounts.
RULE = StampRule(_eur(7747), _eur(200))
RECHARGE = DraftLine(LineDraft("Imposta di bollo", Decimal(1), Decimal("2.00"), OUTSIDE), 2650)


@pytest.mark.parametrize(
    ("price", "recharge", "duty", "gross"),
    [("77.47", RECHARGE, 0, 7747), ("77.48", RECHARGE, 200, 7948), ("77.48", None, 200, 7748)],
)
def test_stamp_duty_is_owed_above_the_sum_and_recharged_where_the_issuer_does_so(price, recharge, duty, gross):
    draft = _draft(_line(price, EXEMPT), stamp=Stamp(RULE, recharge))

    assert (draft.stamp_duty.minor, draft.totals.gross.minor) == (duty, gross)
    assert len(draft.lines) == len(draft.totals.lines) == (2 if recharge and duty else 1)


def test_a_discount_of_the_whole_document_leaves_the_stamp_alone():
    draft = _draft(_line("100", EXEMPT), stamp=Stamp(RULE, RECHARGE), discount=_eur(1000))

    assert [line.net.minor for line in draft.totals.lines] == [9000, 200]


@pytest.mark.parametrize(
    ("purpose", "position", "chosen"),
    [("recurring", None, 2), ("manual", None, 1), ("recurring", 9, 3), ("manual", 9, 3), ("manual", 8, 1)],
)
def test_the_most_specific_register_that_fits_is_taken(purpose, position, chosen):
    any_other = (DocumentKind.INVOICE, "{number}")
    registers = (
        Register(1, "FT", *any_other),
        Register(2, "RC", *any_other, Purpose.RECURRING),
        Register(3, "EX", *any_other, None, 9),
        Register(4, "NC", DocumentKind.CREDIT_NOTE, "{number}", Purpose(purpose), position),
    )

    found = register_for(registers, DocumentKind.INVOICE, purpose=Purpose(purpose), position_id=position)

    assert found.id == chosen


def test_no_register_says_which_is_missing():
    with pytest.raises(BillingError, match="no register numbers a manual credit note"):
        register_for([INVOICES], DocumentKind.CREDIT_NOTE, purpose=Purpose.MANUAL, position_id=None)


def test_a_number_is_printed_by_its_register_s_pattern():
    assert Register(1, "FT", DocumentKind.INVOICE, "{code}-{year}/{number}").label(7, 2026) == "FT-2026/7"


def test_nothing_is_made_out_to_a_customer_without_an_address():
    nowhere = replace(PARTIES, customer=replace(PARTIES.customer, has_address=False))

    with pytest.raises(BillingError, match="customer 7 has no address"):
        draft_document(
            [_line("29.90")], nowhere, register=INVOICES, document_date=DAY, currency="EUR", includes_tax=False
        )


def test_a_document_whose_tax_to_the_state_is_below_zero_is_refused():
    # 100.00 exempt less 10.00 with 2.20 that the customer would get from the state: 87.80, of which 90.00 are payable.
    split = TaxTreatment("IVA-22", Decimal(22), liability=Liability.SPLIT)

    with pytest.raises(BillingError, match=r"a document of 87\.80 EUR"):
        _draft(_line("100", OUTSIDE), _line("-10", split))


def test_a_document_says_what_made_it():
    draft = _draft(_line("29.90"), run_id=1, from_id=2, reason="agreed", valid_until=date(2026, 4, 1))

    assert (draft.run_id, draft.from_id, draft.reason, draft.valid_until) == (1, 2, "agreed", date(2026, 4, 1))


def test_what_is_to_be_paid_is_paid_on_some_day_in_parts_of_a_cent_or_more():
    assert due_days(DAY, (0, 30)) == (DAY, date(2026, 3, 31))
    assert dues_for(_eur(2), due_days(DAY, (0, 30))) == (Due(DAY, _eur(1)), Due(date(2026, 3, 31), _eur(1)))
    with pytest.raises(BillingError, match="are to be paid on no day"):
        dues_for(_eur(2), [])
    with pytest.raises(BillingError, match="in 3 parts"):
        dues_for(_eur(2), due_days(DAY, (0, 30, 60)))


def test_of_registers_that_fit_alike_the_older_one_numbers():
    alike = [replace(INVOICES, id=number) for number in (5, 4, 6)]

    assert register_for(alike, DocumentKind.INVOICE, purpose=Purpose.MANUAL, position_id=None).id == 4
