"""What a line does to what is known: new, changed, the same, or refused."""

from __future__ import annotations

from dataclasses import replace

from billing.customer_csv import WantedCustomer
from billing.customer_import import Fate, KnownAddress, KnownCustomer, step_for

PLACE = {"street": "Via Po", "postal_code": "10124", "city": "Torino", "country": "IT"}
WANTED = WantedCustomer(
    2,
    "7",
    {"name": "Anna", "language": "it"},
    position="Livigno",
    numbers={"it.iva": "01234560017"},
    addresses={"legal": PLACE},
    contact={"email": "a@b"},
)
KNOWN = KnownCustomer(
    17,
    {"name": "Anna", "kind": "person", "given_name": None, "family_name": None, "language": "it"},
    "Livigno",
    {"it.iva": "01234560017", "it.codicefiscale": "X"},
    (KnownAddress(3, "legal", {**PLACE, "province": "TO"}),),
    {"name": "Anna", "email": "a@b", "phone": None, "mobile": None},
)


def test_a_line_that_says_what_is_known_changes_nothing_though_more_is_known():
    assert step_for(WANTED, KNOWN).fate is Fate.SAME


def test_somebody_new_needs_a_name_and_whole_addresses():
    assert step_for(WANTED, None).fate is Fate.NEW
    nameless = step_for(replace(WANTED, columns={}), None)
    assert (nameless.fate, nameless.reason) == (Fate.REFUSED, "name: is empty")
    placeless = step_for(replace(WANTED, addresses={"legal": {"street": "Via Po"}}), None)
    assert placeless.reason == "legal address: postal_code, city, country is empty"


def test_only_what_differs_is_changed_and_told():
    step = step_for(
        replace(
            WANTED,
            columns={"name": "Anna Rossi", "language": "it"},
            position="Abroad",
            numbers={"it.iva": "12345670017"},
            addresses={"legal": {"city": "Moncalieri", "country": "IT"}},
            contact={"email": "a@b", "phone": "+39011555123"},
        ),
        KNOWN,
    )
    assert (step.fate, step.customer_id) == (Fate.CHANGED, 17)
    assert step.columns == {"name": "Anna Rossi"}
    assert step.addresses == ((3, "legal", {"city": "Moncalieri"}),)
    assert step.contact == {"phone": "+39011555123"}
    assert step.said == "name, fiscal position, it.iva, legal address, contact phone"


def test_a_service_address_among_several_is_one_of_them_or_another_one():
    second = KnownAddress(4, "service", {**PLACE, "street": "Via Roma"})
    several = replace(
        KNOWN, addresses=(*KNOWN.addresses, second, replace(second, id=5, columns={**PLACE, "street": "Via Nizza"}))
    )

    def moved(known, **place):
        return step_for(replace(WANTED, addresses={"service": {**PLACE, **place}}), known).addresses

    assert moved(several, street="Via Nizza") == ()
    assert moved(several, street="Corso Francia") == ((None, "service", {**PLACE, "street": "Corso Francia"}),)
    one = replace(KNOWN, addresses=(second,))
    assert moved(one, street="Corso Francia") == ((4, "service", {"street": "Corso Francia"}),)


def test_a_company_never_comes_to_have_a_given_name():
    person = replace(KNOWN, columns={**KNOWN.columns, "given_name": "Anna", "family_name": "Rossi"})
    assert step_for(replace(WANTED, columns={"kind": "company"}), person).fate is Fate.REFUSED
    company = replace(KNOWN, columns={**KNOWN.columns, "kind": "company"})
    named = replace(WANTED, columns={"given_name": "Anna", "family_name": "Rossi"})
    assert step_for(named, company).fate is Fate.REFUSED
