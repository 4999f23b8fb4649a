"""A new issuer: its country's taxes as dated data, a chart of accounts and registers, once an installation."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pytest

from billing.country_data import known_countries, load_country
from billing.store.acting import acting
from billing.store.books import load_chart
from billing.store.issuers import (
    add_position,
    add_rate,
    begin_issuer,
    load_issuer_registers,
    load_positions,
    load_tax_codes,
)
from billing.store.ledger import load_accounts, load_registers
from billing.store.rows import NotThereError
from billing.store.tax import load_tax_tables
from billing.tax import CustomerKind, TaxedCustomer, position_for, stamp_rule_for, treatment_for

pytestmark = pytest.mark.db


def begin(connection, name="Example Net", country="IT"):
    acting(connection, "maria")
    data = load_country(country)
    columns = {
        "name": name,
        "country": country,
        "street": "Via Roma 1",
        "postal_code": "10121",
        "city": "Torino",
        "zone": data.zone,
        "currency": data.currency,
    }
    return begin_issuer(connection, columns, data)


def code_ids(connection):
    return {code.name: code.id for code in load_tax_codes(connection)}


def test_an_italian_issuer_has_every_nature_and_rate_and_can_bill_at_once(connection):
    begun = begin(connection)

    codes = {code.name: code for code in load_tax_codes(connection)}
    assert codes["IT-22"].rates == ["22 from 2013-10-01"]
    # FatturaPA's table of natures without the bare N2, N3 and N6, which control 00445 refuses.
    natures = {"N1", "N2.1", "N2.2", "N4", "N5", "N7"}
    natures |= {f"N3.{n}" for n in range(1, 7)} | {f"N6.{n}" for n in range(1, 10)}
    assert {code.nature for code in codes.values()} - {None} == natures
    bearing = {code.nature for code in codes.values() if code.bears_stamp}
    assert bearing == {"N1", "N2.1", "N2.2", "N3.5", "N3.6", "N4"}
    # The accounts and registers that documents ask for are there.
    assert load_accounts(connection, begun.issuer_id)
    assert {register.code for register in load_registers(connection, begun.issuer_id)} == {
        "FT",
        "RC",
        "NC",
        "PR",
        "OR",
        "PA",
    }
    assert len(load_chart(connection, begun.issuer_id)) == begun.accounts


def test_the_law_of_italy_holds_for_its_customers(connection):
    begun = begin(connection)
    ids, tables = code_ids(connection), load_tax_tables(connection)
    day = date(2026, 5, 1)

    def treated(kind, country="IT", position=None):
        customer = TaxedCustomer(1, CustomerKind(kind), country, "10121", position)
        return treatment_for(ids["IT-22"], customer, issuer_id=begun.issuer_id, day=day, tables=tables)

    assert (treated("person").rate, treated("person").liability) == (Decimal(22), "immediate")
    assert (treated("public_body").rate, treated("public_body").liability) == (Decimal(22), "split")
    assert treated("company", "DE").nature == "N2.1"
    assert treated("person", "DE").nature is None
    named = {position.name: position.id for position in load_positions(connection)}
    assert treated("company", position=named["IT reverse charge, work on buildings"]).nature == "N6.7"
    stamp = stamp_rule_for("IT", currency="EUR", day=day, tables=tables)
    assert (str(stamp.above), str(stamp.duty)) == ("77.47 EUR", "2.00 EUR")


def test_documents_to_public_bodies_have_their_own_register(connection):
    begun = begin(connection)
    own = {register.code: register for register in load_issuer_registers(connection, begun.issuer_id)}
    assert own["PA"].fiscal_position == "IT public bodies, split payment"
    assert (own["RC"].purpose, own["FT"].purpose) == ("recurring", None)


def test_a_second_issuer_of_a_country_finds_its_taxes_as_they_were_left(connection):
    begin(connection)
    add_rate(connection, "IT-22", Decimal(23), since=date(2027, 1, 1))
    again = begin(connection, "Example Net 2")
    assert again.tax_codes_made == []
    assert len(again.tax_codes_there) == 24
    assert {code.name: code.rates for code in load_tax_codes(connection)}["IT-22"] == [
        "22 from 2013-10-01 until 2027-01-01",
        "23 from 2027-01-01",
    ]


def test_a_new_rate_ends_the_one_before_on_its_day_and_no_two_hold_at_once(connection):
    begun = begin(connection)
    assert add_rate(connection, "IT-10", Decimal(11), since=date(2027, 1, 1)) == ["10.0000"]
    ids, tables = code_ids(connection), load_tax_tables(connection)
    customer = TaxedCustomer(1, CustomerKind.PERSON, "IT", "10121")
    rates = [
        treatment_for(ids["IT-10"], customer, issuer_id=begun.issuer_id, day=day, tables=tables).rate
        for day in (date(2026, 12, 31), date(2027, 1, 1))
    ]
    assert rates == [Decimal(10), Decimal(11)]
    with pytest.raises(psycopg.errors.ExclusionViolation):
        add_rate(connection, "IT-10", Decimal(12), since=date(2026, 1, 1))


def test_a_position_that_names_a_tax_code_there_is_not_is_refused(connection):
    begin(connection)
    with pytest.raises(NotThereError, match="there is no tax code 'IT-99'"):
        add_position(connection, {"name": "Livigno"}, replaces=(("IT-22", "IT-99"),))


@pytest.mark.parametrize("country", known_countries())
def test_every_country_s_file_makes_an_issuer(connection, country):
    begun = begin(connection, country=country)
    assert sorted(begun.tax_codes_made) == sorted(code.name for code in load_country(country).tax_codes)
    tables = load_tax_tables(connection)
    company = TaxedCustomer(1, CustomerKind.COMPANY, country, "1")
    for code_id in code_ids(connection).values():
        treatment_for(code_id, company, issuer_id=begun.issuer_id, day=date(2026, 1, 1), tables=tables)
    assert position_for(company, issuer_id=begun.issuer_id, tables=tables) is None
