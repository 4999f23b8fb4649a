"""An issuer's ledger accounts and registers.

Next: billing/store/documents.py
"""

from __future__ import annotations

from typing import Any

import psycopg

from billing.documents import DocumentKind, Purpose, Register
from billing.postings import Accounts


def load_accounts(connection: psycopg.Connection[Any], issuer_id: int) -> Accounts:
    """Its chart of accounts by role and family, and its products' own revenue accounts."""
    roles = connection.execute(
        "SELECT role::text, family, id FROM ledger_account WHERE issuer_id = %s AND stands_for", (issuer_id,)
    )
    products = connection.execute(
        "SELECT product_id, account_id FROM product_account WHERE issuer_id = %s", (issuer_id,)
    )
    codes = connection.execute(
        "SELECT code, id FROM ledger_account WHERE issuer_id = %s AND role IN ('revenue', 'fee_income')", (issuer_id,)
    )
    return Accounts(
        issuer_id=issuer_id,
        by_role={(role, family): number for role, family, number in roles},
        by_product=dict(products.fetchall()),
        by_code=dict(codes.fetchall()),
    )


def load_registers(connection: psycopg.Connection[Any], issuer_id: int) -> tuple[Register, ...]:
    """Its series of numbers, in order of their ids."""
    rows = connection.execute(
        "SELECT id, code, kind::text, pattern, purpose::text, fiscal_position_id FROM document_register"
        " WHERE issuer_id = %s ORDER BY id",
        (issuer_id,),
    )
    return tuple(
        Register(number, code, DocumentKind(kind), pattern, None if purpose is None else Purpose(purpose), position)
        for number, code, kind, pattern, purpose, position in rows
    )
