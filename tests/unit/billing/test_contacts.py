"""Which person of a customer a notice reaches."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.contacts import Contact, ContactRole, contact_for

MAIN = Contact(1, ContactRole.MAIN, name="Anna", email="anna@example.net", phone="+390101", language="it")
COLLECTIONS = Contact(2, ContactRole.COLLECTIONS, parent_id=1, email="accounts@example.net")
BRANCH_MAIN = Contact(3, ContactRole.MAIN, contract_id=7, parent_id=1, name="Bruno")
BRANCH_COLLECTIONS = Contact(4, ContactRole.COLLECTIONS, contract_id=7, parent_id=2, mobile="+39333")
EVERYONE = (BRANCH_COLLECTIONS, BRANCH_MAIN, COLLECTIONS, MAIN)


@pytest.mark.parametrize(
    ("role", "contract_id", "reached"),
    [
        (ContactRole.COLLECTIONS, 7, 4),  # the contract's own
        (ContactRole.COLLECTIONS, 8, 2),  # the customer's
        (ContactRole.COLLECTIONS, None, 2),
        (ContactRole.TECHNICAL, 7, 3),  # nobody for it: the contract's main one
        (ContactRole.TECHNICAL, 8, 1),  # and the customer's
        (ContactRole.MAIN, 7, 3),
        (ContactRole.MAIN, None, 1),
    ],
)
def test_a_notice_goes_to_the_nearest_of_its_role_and_then_to_main(role, contract_id, reached):
    found = contact_for(role, EVERYONE, contract_id=contract_id)

    assert found is not None
    assert found.id == reached


def test_the_customers_contact_of_a_role_comes_before_the_contracts_main_one():
    found = contact_for(ContactRole.COLLECTIONS, (BRANCH_MAIN, COLLECTIONS, MAIN), contract_id=7)

    assert found is not None
    assert found.id == 2


def test_another_contracts_contact_is_never_written_to():
    assert contact_for(ContactRole.MAIN, (BRANCH_MAIN,), contract_id=8) is None
    assert contact_for(ContactRole.COLLECTIONS, (BRANCH_COLLECTIONS,)) is None
    assert contact_for(ContactRole.MAIN, ()) is None


def test_what_a_contact_leaves_empty_the_nearest_above_it_tells():
    found = contact_for(ContactRole.COLLECTIONS, EVERYONE, contract_id=7)

    assert found == Contact(
        4,
        ContactRole.COLLECTIONS,
        contract_id=7,
        parent_id=2,
        name="Anna",
        email="accounts@example.net",
        phone="+390101",
        mobile="+39333",
        language="it",
    )


def test_contacts_above_each_other_end_where_they_began():
    one = Contact(1, ContactRole.MAIN, parent_id=2, name="Anna")
    two = Contact(2, ContactRole.TECHNICAL, parent_id=1, email="b@example.net")

    assert contact_for(ContactRole.MAIN, (one, two)) == replace(one, email="b@example.net")
    assert contact_for(ContactRole.MAIN, (replace(one, parent_id=1),)) == replace(one, parent_id=1)
    assert contact_for(ContactRole.MAIN, (replace(one, parent_id=9),)) == replace(one, parent_id=9)


@given(st.data())
def test_any_chain_ends_and_never_overrules_what_a_contact_says_itself(data):
    count = data.draw(st.integers(1, 6))
    parents = st.none() | st.integers(1, count)
    said = st.none() | st.sampled_from(["a@example.net", "b@example.net"])
    everyone = [
        Contact(number, ContactRole.MAIN, contract_id=number, parent_id=data.draw(parents), email=data.draw(said))
        for number in range(1, count + 1)
    ]

    for one in everyone:
        found = contact_for(ContactRole.MAIN, everyone, contract_id=one.contract_id)
        assert found is not None
        assert all(
            getattr(found, f.name) == getattr(one, f.name) for f in fields(one) if getattr(one, f.name) is not None
        )
        assert found.email in {other.email for other in everyone}
