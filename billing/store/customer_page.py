"""All that is kept of one customer, for a page.

Next: billing/store/customer_papers.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from billing.contacts import Contact, ContactRole, contact_for
from billing.store.customer_papers import Attachment, Consent, Note, load_attachments, load_consents, load_notes
from billing.store.customers import Address, Customer, load_addresses, load_contacts, load_tax_identifiers
from billing.store.issuers import ExemptionRow, load_exemptions
from billing.tax_identifiers import TaxIdentifier

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """What is shown of it; `reached` is whom a notice of each role reaches, with what it has from those above it."""

    customer: Customer
    tax_identifiers: list[TaxIdentifier]
    addresses: list[Address]
    contacts: list[Contact]
    reached: dict[str, Contact | None]
    contracts: list[dict[str, Any]]
    balances: dict[str, str]
    consents: list[Consent]
    exemptions: list[ExemptionRow]
    attachments: list[Attachment]
    notes: list[Note]


def load_customer_page(connection: Connection, customer: Customer) -> CustomerPage:
    """All of one customer."""
    contacts = load_contacts(connection, customer.id)
    contracts = connection.execute(
        "SELECT c.id, p.name, c.status::text, c.starts_on, c.ends_on FROM contract AS c JOIN plan AS p ON p.id = c.plan_id"
        " WHERE c.customer_id = %s ORDER BY c.id",
        (customer.id,),
    ).fetchall()
    balances = connection.execute(
        "SELECT currency, sum(balance)::text FROM customer_balance WHERE customer_id = %s GROUP BY currency ORDER BY currency",
        (customer.id,),
    ).fetchall()
    return CustomerPage(
        customer=customer,
        tax_identifiers=load_tax_identifiers(connection, customer.id),
        addresses=load_addresses(connection, customer.id),
        contacts=contacts,
        reached={role.value: contact_for(role, contacts) for role in ContactRole},
        contracts=[dict(zip(("id", "plan", "status", "starts_on", "ends_on"), row, strict=True)) for row in contracts],
        balances={currency: balance for currency, balance in balances},
        consents=load_consents(connection, customer.id),
        exemptions=load_exemptions(connection, customer.id),
        attachments=load_attachments(connection, customer.id),
        notes=load_notes(connection, customer.id),
    )
