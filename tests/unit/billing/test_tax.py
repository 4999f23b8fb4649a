"""Italian customers of every sort, and a few abroad: which tax code, rate and liability their lines get on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BillingError
from billing.money import Money
from billing.tax import (
    CustomerKind,
    Exemption,
    FiscalPosition,
    StampDuty,
    StampRule,
    TaxCode,
    TaxedCustomer,
    TaxRate,
    position_for,
    stamp_rule_for,
    tax_tables,
    treatment_for,
)
from billing.totals import Liability, LineDraft, TaxTreatment, stamp_duty_for, totals_for

VAT, BOOKS, ABROAD, REVERSE, INTENT = range(1, 6)
PUBLIC, FOREIGN, LIVIGNO, SECOND_ISSUER, BY_NAME, BUILDERS = range(1, 7)
DAY = date(2026, 3, 1)

CODES = (
    TaxCode(VAT, "vat"),
    TaxCode(BOOKS, "books"),
    TaxCode(ABROAD, "abroad", "N2.1", "art. 7-ter DPR 633/72"),
    TaxCode(REVERSE, "reverse", "N6.7", "art. 17 c. 6 lett. a-ter DPR 633/72"),
    TaxCode(INTENT, "intent", "N3.5", "art. 8 c. 1 lett. c DPR 633/72", bears_stamp=True),
)
# Italy's rate was 20 percent until 16 September 2011, 21 until 30 September 2013 and is 22 since then.
RATES = (
    TaxRate(VAT, date(2011, 9, 17), date(2013, 10, 1), Decimal(21)),
    TaxRate(VAT, date(1997, 10, 1), date(2011, 9, 17), Decimal(20)),
    TaxRate(VAT, date(2013, 10, 1), None, Decimal(22)),
    TaxRate(BOOKS, date(2000, 1, 1), date(2026, 1, 1), Decimal(4)),
)
POSITIONS = (
    FiscalPosition(
        FOREIGN,
        "Companies of the Union",
        priority=20,
        kind=CustomerKind.COMPANY,
        countries=frozenset({"DE", "ES"}),
        replaces=((VAT, ABROAD),),
    ),
    FiscalPosition(PUBLIC, "Public bodies", Liability.SPLIT, priority=10, kind=CustomerKind.PUBLIC_BODY),
    FiscalPosition(
        LIVIGNO,
        "Livigno",
        priority=5,
        countries=frozenset({"IT"}),
        postal_prefix="2304 1",
        replaces=((VAT, ABROAD), (BOOKS, ABROAD)),
    ),
    FiscalPosition(SECOND_ISSUER, "Cash basis", Liability.DEFERRED, priority=10, issuer_id=2),
    FiscalPosition(BY_NAME, "Agreed by hand", Liability.DEFERRED, replaces=((BOOKS, VAT), (VAT, BOOKS))),
    FiscalPosition(BUILDERS, "Reverse charge", Liability.SPLIT, replaces=((VAT, REVERSE),)),
)
EXEMPTIONS = (Exemption(9, INTENT, date(2026, 1, 1), date(2026, 3, 1), "protocol 26010112345678901-000001"),)
DUTIES = (
    StampDuty("IT", date(2013, 6, 26), None, Decimal("77.470"), Decimal("2.000"), "EUR"),
    StampDuty("IT", date(2013, 6, 26), None, Decimal("80.5"), Decimal("2.000"), "CLP"),
)
TABLES = tax_tables(codes=CODES, rates=RATES, positions=POSITIONS, exemptions=EXEMPTIONS, duties=DUTIES)

ROSSI = TaxedCustomer(1, CustomerKind.PERSON, "IT", "38122")
COMUNE = TaxedCustomer(2, CustomerKind.PUBLIC_BODY, "IT", "38122")


def _treatment(code: int, customer: TaxedCustomer, day: date = DAY, issuer_id: int = 1) -> TaxTreatment:
    return treatment_for(code, customer, issuer_id=issuer_id, day=day, tables=TABLES)


def test_without_a_position_the_products_own_code_stays():
    assert _treatment(VAT, ROSSI) == TaxTreatment("vat", Decimal(22))
    assert position_for(ROSSI, issuer_id=1, tables=TABLES) is None


@pytest.mark.parametrize(
    ("day", "percent"),
    [("2011-09-16", 20), ("2011-09-17", 21), ("2013-09-30", 21), ("2013-10-01", 22), ("2026-03-01", 22)],
)
def test_the_rate_is_that_of_the_documents_day(day, percent):
    assert _treatment(VAT, ROSSI, date.fromisoformat(day)).rate == percent


def test_a_day_without_a_rate_is_refused_by_code_and_day_and_says_what_to_enter():
    with pytest.raises(BillingError, match="tax code books has no rate on 2026-01-01: enter its percent") as caught:
        _treatment(BOOKS, ROSSI, date(2026, 1, 1))
    assert str(caught.value).endswith("(it has 4 from 2000-01-01 until 2026-01-01)")
    assert _treatment(BOOKS, ROSSI, date(2025, 12, 31)).rate == 4

    with pytest.raises(BillingError, match=r"20 from 1997-10-01 until 2011-09-17; 21 from .*; 22 from 2013-10-01\)"):
        _treatment(VAT, ROSSI, date(1997, 9, 30))

    empty = tax_tables(codes=CODES, rates=())
    with pytest.raises(BillingError, match="it has none at all"):
        treatment_for(VAT, ROSSI, issuer_id=1, day=DAY, tables=empty)


@pytest.mark.parametrize(
    ("customer", "issuer_id", "position"),
    [
        (ROSSI, 1, None),
        (COMUNE, 1, PUBLIC),
        (ROSSI, 2, SECOND_ISSUER),
        (COMUNE, 2, PUBLIC),  # of equal priority: the older one
        (replace(COMUNE, postal_code="23041"), 1, LIVIGNO),  # before public bodies by priority
        (replace(ROSSI, postal_code="23042"), 1, None),
        (replace(ROSSI, country="ES", postal_code="23041"), 1, None),
        (replace(ROSSI, country="DE"), 1, None),  # no company
        (replace(ROSSI, kind=CustomerKind.COMPANY, country="DE"), 1, FOREIGN),
        (replace(ROSSI, kind=CustomerKind.COMPANY, country="CH"), 1, None),
        (replace(COMUNE, postal_code="23041", position_id=BY_NAME), 1, BY_NAME),  # its own before all
        (replace(ROSSI, position_id=FOREIGN), 1, FOREIGN),  # wherever it lives
    ],
)
def test_a_customers_own_position_comes_first_and_then_the_first_that_fits(customer, issuer_id, position):
    found = position_for(customer, issuer_id=issuer_id, tables=TABLES)

    assert (found.id if found else None) == position


@pytest.mark.parametrize(("prefix", "code"), [("sw1", "SW1A 1AA"), ("12-3", "12345"), ("123 4", "12-345")])
def test_a_postal_code_is_the_same_however_it_is_written(prefix, code):
    tables = tax_tables(
        codes=CODES,
        rates=RATES,
        positions=[FiscalPosition(1, "here", priority=1, countries=frozenset({"IT"}), postal_prefix=prefix)],
    )

    assert position_for(replace(ROSSI, postal_code=code), issuer_id=1, tables=tables) is not None
    assert position_for(replace(ROSSI, postal_code="9" + code), issuer_id=1, tables=tables) is None


def test_a_postal_prefix_without_a_country_is_refused():
    with pytest.raises(BillingError, match="fiscal position here: postal codes from 23 on, of which country"):
        FiscalPosition(1, "here", postal_prefix="23")


def test_a_position_replaces_a_code_once_and_leaves_those_it_does_not_name():
    named = replace(ROSSI, position_id=BY_NAME)

    assert _treatment(VAT, named, date(2025, 6, 1)).code == "books"  # and not vat again
    assert _treatment(BOOKS, named) == TaxTreatment("vat", Decimal(22), liability=Liability.DEFERRED)
    assert _treatment(BOOKS, replace(ROSSI, position_id=FOREIGN), date(2025, 6, 1)).code == "books"


def test_a_public_body_pays_the_tax_to_the_state():
    assert _treatment(VAT, COMUNE) == TaxTreatment("vat", Decimal(22), liability=Liability.SPLIT)


def test_what_a_customer_owes_by_reverse_charge_is_never_split():
    named = replace(COMUNE, position_id=BUILDERS)

    assert _treatment(VAT, named) == TaxTreatment("reverse", Decimal(0), "N6.7", CODES[3].legal_reference)
    assert _treatment(BOOKS, named, date(2025, 6, 1)).liability is Liability.SPLIT


@pytest.mark.parametrize(
    ("day", "code"), [("2025-12-31", "vat"), ("2026-01-01", "intent"), ("2026-02-28", "intent"), ("2026-03-01", "vat")]
)
@pytest.mark.parametrize("position", [None, BUILDERS])
def test_an_exemption_comes_before_any_position_on_its_days(day, code, position):
    exporter = TaxedCustomer(9, CustomerKind.COMPANY, "IT", "20121", position)

    treatment = _treatment(VAT, exporter, date.fromisoformat(day))

    if code == "intent":
        law = "protocol 26010112345678901-000001"  # the paper's, not the code's
        assert treatment == TaxTreatment("intent", Decimal(0), "N3.5", law, bears_stamp=True)
    else:
        assert treatment.code == ("reverse" if position else "vat")


def test_what_bears_no_tax_by_itself_is_none_of_what_an_exemption_is_for():
    """AdE: stamp duty passed on is outside VAT (art. 15), and no purchase that a declaration of intent covers."""
    exporter = TaxedCustomer(9, CustomerKind.COMPANY, "IT", "20121")

    assert _treatment(ABROAD, exporter, date(2026, 2, 1)) == TaxTreatment(
        "abroad", Decimal(0), "N2.1", "art. 7-ter DPR 633/72"
    )


def test_another_customers_exemption_is_nobody_elses():
    assert _treatment(VAT, replace(ROSSI, id=8), date(2026, 2, 1)).code == "vat"


def test_an_id_that_is_not_in_the_tables_is_named():
    with pytest.raises(BillingError, match="there is no tax code 77"):
        _treatment(77, ROSSI)
    with pytest.raises(BillingError, match="customer 1 names fiscal position 77"):
        _treatment(VAT, replace(ROSSI, position_id=77))


def test_stamp_duty_goes_by_country_and_day():
    rule = stamp_rule_for("IT", currency="EUR", day=DAY, tables=TABLES)

    assert rule == StampRule(above=Money(7747, "EUR"), duty=Money(200, "EUR"))
    assert stamp_rule_for("IT", currency="EUR", day=date(2013, 6, 25), tables=TABLES) is None
    assert stamp_rule_for("ES", currency="EUR", day=DAY, tables=TABLES) is None
    with pytest.raises(BillingError, match="more than 0 decimals"):
        stamp_rule_for("IT", currency="CLP", day=DAY, tables=TABLES)
    with pytest.raises(BillingError, match="known in EUR and not in USD: enter its sums in USD too"):
        stamp_rule_for("IT", currency="USD", day=DAY, tables=TABLES)


def test_an_exempt_customers_document_owes_stamp_duty_above_the_sum():
    exporter = TaxedCustomer(9, CustomerKind.COMPANY, "IT", "20121")
    line = LineDraft("Fibre 1000", Decimal(1), Decimal("77.48"), _treatment(VAT, exporter, date(2026, 2, 1)))
    rule = stamp_rule_for("IT", currency="EUR", day=DAY, tables=TABLES)
    assert rule is not None

    totals = totals_for([line], currency="EUR", includes_tax=False)

    assert stamp_duty_for(totals.lines, above=rule.above, duty=rule.duty) == Money(200, "EUR")


@given(
    st.sampled_from([VAT, REVERSE, ABROAD]),
    st.builds(
        TaxedCustomer,
        st.sampled_from([1, 9]),
        st.sampled_from(list(CustomerKind)),
        st.sampled_from(["IT", "DE", "CH"]),
        st.sampled_from(["23041", "38122", ""]),
        st.none() | st.integers(PUBLIC, BUILDERS),
    ),
    st.integers(1, 2),
    st.dates(date(2014, 1, 1), date(2025, 12, 31)),
)
def test_only_tax_that_there_is_can_be_split_or_deferred(code, customer, issuer_id, day):
    treatment = treatment_for(code, customer, issuer_id=issuer_id, day=day, tables=TABLES)

    assert (treatment.nature is None) == (treatment.rate > 0)
    assert treatment.nature is None or treatment.liability is Liability.IMMEDIATE
