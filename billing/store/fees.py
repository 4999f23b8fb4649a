"""Fees that customers are charged outside their contracts' own items: each a one-off item, which the next invoice bears.

The product says in which words, on which account and with which tax code; a penalty is usually outside VAT.

Next: billing/store/positions.py
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.store.contract_items import load_price
from billing.store.positions import hold_contracts, place_items

Connection = psycopg.Connection[Any]

# A contract in service that is billed to that customer: first one whose invoice was concerned, then the oldest.
_CONTRACT: Final = """
SELECT c.id FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id
WHERE coalesce(t.payer_id, c.customer_id) = %(customer)s AND t.issuer_id = %(issuer)s AND t.currency = %(currency)s AND c.status IN ('active', 'trial', 'free')
ORDER BY c.id IN (SELECT l.contract_id FROM document_line AS l WHERE l.document_id = ANY (%(invoices)s)) DESC, c.id LIMIT 1
"""
_ITEM: Final = """
INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on) SELECT %s, id, 'one_off', %s, %s FROM product WHERE id = %s AND kind = 'one_off' RETURNING id
"""
_METHOD: Final = """
SELECT m.return_fee, m.return_fee_product_id, i.currency FROM payment_method AS m JOIN issuer AS i ON i.id = m.issuer_id WHERE m.id = %s AND m.return_fee IS NOT NULL
"""


def load_return_fee(connection: Connection, method_id: int) -> tuple[Money, int] | None:
    """What a method charges when a payment by it comes back, and the product of it; None when nothing."""
    row = connection.execute(_METHOD, (method_id,)).fetchone()
    return None if row is None else (read_money(row[0], row[2]), int(row[1]))


def save_return_fee(connection: Connection, method_id: int, fee: Decimal | None, product_id: int | None) -> None:
    """What a method charges from now on; None: nothing."""
    connection.execute(
        "UPDATE payment_method SET return_fee = %s, return_fee_product_id = %s WHERE id = %s",
        (fee, product_id, method_id),
    )


def charge_fee(
    connection: Connection,
    amount: Money,
    product_id: int,
    *,
    customer_id: int,
    issuer_id: int,
    on: date,
    invoices: list[int],
) -> int | None:
    """Charge a fee to a customer, whose next invoice bears it; its item, None where no contract in service could bear it.

    The customer's account is held.
    """
    contract = _contract_of(connection, customer_id, issuer_id, amount.currency, invoices)
    return None if contract is None else _owe(connection, contract, product_id, amount.amount, on=on)


def hold_charged(
    connection: Connection, currency: str, *, customer_id: int, issuer_id: int, invoices: list[int]
) -> None:
    """Keep runs away from the contract that would bear a fee, before its customer is held: runs hold them in this order."""
    contract = _contract_of(connection, customer_id, issuer_id, currency, invoices)
    hold_contracts(connection, [] if contract is None else [contract])


def _contract_of(
    connection: Connection, customer_id: int, issuer_id: int, currency: str, invoices: list[int]
) -> int | None:
    asked = {"customer": customer_id, "issuer": issuer_id, "currency": currency, "invoices": invoices}
    contract = connection.execute(_CONTRACT, asked).fetchone()
    return None if contract is None else int(contract[0])


def add_fee(connection: Connection, contract_id: int, product_id: int, *, on: date) -> int:
    """A one-off fee that a contract owes from a day on, at the day's price; the item. Raises: NoPriceError."""
    row = connection.execute(
        "SELECT currency::text, includes_tax FROM contract_terms WHERE contract_id = %s", (contract_id,)
    ).fetchone()
    assert row is not None, f"contract {contract_id} is billed"
    sold = load_price(connection, currency=row[0], includes_tax=row[1], months=1, on=on, product=product_id)
    return _owe(connection, contract_id, product_id, sold.period_price, on=on)


def _owe(connection: Connection, contract_id: int, product_id: int, price: Decimal, *, on: date) -> int:
    """Written, and put where the next run finds it."""
    item = connection.execute(_ITEM, (contract_id, price, on, product_id)).fetchone()
    assert item is not None, f"product {product_id} is a one-off fee: that was looked at when it was chosen"
    place_items(connection, [contract_id])
    return int(item[0])
