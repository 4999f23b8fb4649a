"""The legs of a document's entry."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from billing.documents import (
    CustomerParty,
    DocumentKind,
    DraftLine,
    IssuerParty,
    Parties,
    Register,
    draft_document,
)
from billing.errors import BillingError
from billing.postings import Accounts, postings_for
from billing.tax import CustomerKind, TaxedCustomer
from billing.totals import Liability, LineDraft, TaxTreatment

DAY = date(2026, 3, 1)
ACCOUNTS = Accounts(
    1,
    {
        ("customers", None): 1500,
        ("revenue", None): 4000,
        ("revenue", "access"): 4100,
        ("vat_output", None): 2600,
        ("vat_split", None): 2610,
    },
    {77: 4177},
)
PARTIES = Parties(
    IssuerParty(1, "IT", "EUR", "Europe/Rome", False, None, "{}"),
    CustomerParty(TaxedCustomer(7, CustomerKind.PERSON, "IT", "10124"), "it", "{}", True),
)


def _draft(*lines, liability=Liability.IMMEDIATE):
    treatment = TaxTreatment("IVA-22", Decimal(22), liability=liability)
    return draft_document(
        [DraftLine(LineDraft("x", Decimal(1), Decimal(net), treatment), account) for net, account in lines],
        PARTIES,
        register=Register(1, "FT", DocumentKind.INVOICE, "{number}"),
        document_date=DAY,
        currency="EUR",
        includes_tax=False,
        due_on=[DAY],
    )


def _legs(draft):
    return [(leg.account_id, leg.amount.minor, leg.customer_id) for leg in postings_for(draft, ACCOUNTS)]


def test_an_invoice_debits_the_customer_and_credits_revenue_by_account_and_tax():
    assert _legs(_draft(("10", 4100), ("5", 4000), ("20", 4100))) == [
        (1500, 4270, 7),
        (4100, -3000, None),
        (4000, -500, None),
        (2600, -770, None),
    ]


def test_with_split_payment_all_tax_is_owed_and_what_the_customer_pays_to_the_state_stands_against_it():
    assert _legs(_draft(("100", 4100), liability=Liability.SPLIT)) == [
        (1500, 10000, 7),
        (4100, -10000, None),
        (2600, -2200, None),
        (2610, 2200, None),
    ]


def test_a_credit_note_is_the_reverse():
    note = replace(_draft(("100", 4100)), kind=DocumentKind.CREDIT_NOTE)

    assert _legs(note) == [(1500, -12200, 7), (4100, 10000, None), (2600, 2200, None)]


def test_what_comes_to_nothing_has_no_leg():
    assert _legs(_draft(("100", 4100), ("-100", 4100))) == []
    assert _legs(_draft(("100", 4100), ("-100", 4000))) == [(4100, -10000, None), (4000, 10000, None)]


@pytest.mark.parametrize(
    ("product", "family", "account"),
    [(77, "access", 4177), (78, "access", 4100), (78, "voice", 4000), (None, None, 4000)],
)
def test_revenue_goes_to_the_product_s_account_else_its_family_s_else_to_the_one_for_all(product, family, account):
    assert ACCOUNTS.revenue(product, family) == account


def test_an_account_that_is_missing_is_named():
    with pytest.raises(BillingError, match="no ledger account for stamp duty"):
        ACCOUNTS.of("stamp_duty")
