"""Issuers and customers as documents name them: what taxes go by, and what is frozen on the document.

The frozen part is made by the database as a JSON object in text, since it is copied as it is.

Next: billing/store/tax.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from billing.documents import CustomerParty, IssuerParty
from billing.errors import BillingError
from billing.money import read_money
from billing.sentence import Sentence
from billing.tax import CustomerKind, TaxedCustomer

_ISSUER = """
SELECT id, country, currency, zone, recharges_stamp, minimum_document, bank_days,
    jsonb_strip_nulls(jsonb_build_object('name', name, 'country', country, 'vat_number', vat_number, 'tax_number', tax_number,
        'street', street, 'house_number', house_number, 'postal_code', postal_code, 'city', city, 'province', province,
        'email', email, 'phone', phone, 'tax_regime', tax_regime, 'iban', iban))::text
FROM issuer WHERE id = %s
"""
# Documents go to the billing address, or to the seat without one. The document's column makes jsonb of it: here json is quicker.
_CUSTOMERS = """
SELECT c.id, c.kind::text, c.fiscal_position_id, c.language::text, a.country, a.postal_code,
    json_strip_nulls(json_build_object('id', c.id, 'name', c.name, 'kind', c.kind, 'given_name', c.given_name,
        'family_name', c.family_name, 'street', a.street, 'house_number', a.house_number, 'postal_code', a.postal_code,
        'city', a.city, 'province', a.province, 'country', a.country, 'email', m.email, 'tax_identifiers', t.numbers))::text
FROM customer AS c
    LEFT JOIN LATERAL (SELECT * FROM address WHERE customer_id = c.id AND kind IN ('legal', 'billing')
        ORDER BY kind = 'billing' DESC LIMIT 1) AS a ON true
    LEFT JOIN LATERAL (SELECT json_object_agg(scheme, number) AS numbers FROM tax_identifier WHERE customer_id = c.id) AS t ON true
    LEFT JOIN LATERAL (SELECT email FROM contact WHERE customer_id = c.id AND contract_id IS NULL AND role IN ('main', 'administrative')
        AND email IS NOT NULL ORDER BY role = 'administrative' DESC LIMIT 1) AS m ON true
WHERE c.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class ContractParties:
    """Who invoices a contract and who pays, and how: as its terms say."""

    issuer_id: int
    payer_id: int
    currency: str
    includes_tax: bool
    due_days: int


def load_contract_parties(connection: psycopg.Connection[Any], contract_id: int) -> ContractParties:
    """Raises: BillingError for a contract that is not there or has no terms."""
    row = connection.execute(
        "SELECT t.issuer_id, coalesce(t.payer_id, k.customer_id), t.currency, t.includes_tax, t.due_days"
        " FROM contract AS k JOIN contract_terms AS t ON t.contract_id = k.id WHERE k.id = %s",
        (contract_id,),
    ).fetchone()
    if row is None:
        raise BillingError(
            Sentence(
                "there is no contract %(contract_id)s with terms: one without is not billed", contract_id=contract_id
            )
        )
    return ContractParties(*row)


def load_newest_parties(connection: psycopg.Connection[Any], payer_id: int) -> ContractParties | None:
    """Those of the newest contract that a customer pays; None for who pays none."""
    row = connection.execute(
        "SELECT t.issuer_id, coalesce(t.payer_id, k.customer_id), t.currency, t.includes_tax, t.due_days"
        " FROM contract AS k JOIN contract_terms AS t ON t.contract_id = k.id"
        " WHERE k.customer_id = %(payer)s AND coalesce(t.payer_id, k.customer_id) = %(payer)s OR t.payer_id = %(payer)s ORDER BY k.id DESC LIMIT 1",
        {"payer": payer_id},
    ).fetchone()
    return None if row is None else ContractParties(*row)


def load_issuer(connection: psycopg.Connection[Any], issuer_id: int) -> IssuerParty:
    """One issuer.

    Raises: BillingError when there is none of that id.
    """
    row = connection.execute(_ISSUER, (issuer_id,)).fetchone()
    if row is None:
        raise BillingError(Sentence("there is no issuer %(issuer_id)s", issuer_id=issuer_id))
    number, country, currency, zone, recharges, minimum, bank_days, data = row
    least = None if minimum is None else read_money(minimum, currency)
    return IssuerParty(number, country, currency, zone, recharges, least, data, bank_days)


def load_parties(connection: psycopg.Connection[Any], customer_ids: Sequence[int]) -> dict[int, CustomerParty]:
    """Customers by id; who is not there is left out. Without an address, country and postal code are empty."""
    return {
        row[0]: CustomerParty(
            taxed=TaxedCustomer(row[0], CustomerKind(row[1]), row[4] or "", row[5] or "", row[2]),
            language=row[3],
            data=row[6],
            has_address=row[4] is not None,
        )
        for row in connection.execute(_CUSTOMERS, (list(customer_ids),))
    }
