"""Customers found by what is known of them, through the one index over customer_words.

Next: billing/store/customers.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
# What is in everybody's address, such as a street's kind, is not looked through to its end for a name.
_LOOKED_AT: Final = 2000


@dataclass(frozen=True, slots=True)
class FoundCustomer:
    """A line of a list of customers. `contracts` are those in service."""

    id: int
    name: str
    kind: str
    external_reference: str | None
    place: str | None
    tax_number: str | None
    phone: str | None
    email: str | None
    contracts: int


_FOUND: Final = """
SELECT c.id, c.name, c.kind::text, c.external_reference, a.place, t.number AS tax_number, k.phone, k.email,
    (SELECT count(*) FROM contract AS n WHERE n.customer_id = c.id AND n.status IN ('trial', 'active', 'free')) AS contracts
FROM ({}) AS w JOIN customer AS c ON c.id = w.customer_id
LEFT JOIN LATERAL (SELECT concat_ws(' ', street, house_number) || ', ' || city AS place FROM address
    WHERE customer_id = c.id ORDER BY kind, id LIMIT 1) AS a ON true
LEFT JOIN LATERAL (SELECT number FROM tax_identifier WHERE customer_id = c.id ORDER BY scheme LIMIT 1) AS t ON true
LEFT JOIN LATERAL (SELECT coalesce(mobile, phone) AS phone, email FROM contact
    WHERE customer_id = c.id AND contract_id IS NULL ORDER BY role LIMIT 1) AS k ON true
ORDER BY c.id
"""


def search_statement(patterns: tuple[str, ...]) -> sql.Composed:
    """The ids of customers whose words match all patterns, in their order; parameters: the patterns, `after`, a limit."""
    matching = [sql.SQL("words LIKE plain_text(%s)") for _ in patterns]
    return sql.SQL("SELECT customer_id FROM customer_words WHERE {} ORDER BY customer_id LIMIT %s").format(
        sql.SQL(" AND ").join([*matching, sql.SQL("customer_id > %s")])
    )


def _named_statement(patterns: tuple[str, ...]) -> sql.Composed:
    """The same of those whose name alone matches; parameters: the patterns twice, a limit."""
    words = sql.SQL(" AND ").join(sql.SQL("words LIKE plain_text(%s)") for _ in patterns)
    names = sql.SQL(" AND ").join(sql.SQL("plain_text(' ' || n.name) LIKE plain_text(%s)") for _ in patterns)
    return sql.SQL(
        "SELECT n.id AS customer_id FROM (SELECT customer_id FROM customer_words WHERE {} LIMIT {}) AS w"
        " JOIN customer AS n ON n.id = w.customer_id WHERE {} ORDER BY 1 LIMIT %s"
    ).format(words, sql.Literal(_LOOKED_AT), names)


def load_likely(connection: Connection, patterns: tuple[str, ...], *, limit: int) -> list[FoundCustomer]:
    """Up to so many customers, those first whose name is what was typed: who types a name does not mean a street."""
    statement = sql.SQL(_FOUND).format(_named_statement(patterns))
    with connection.cursor(row_factory=class_row(FoundCustomer)) as cursor:
        named = cursor.execute(statement, (*patterns, *patterns, limit)).fetchall()
    if len(named) == limit:
        return named
    there = {one.id for one in named}
    others = load_found(connection, patterns, limit=limit)
    return [*named, *(one for one in others if one.id not in there)][:limit]


def load_found(connection: Connection, patterns: tuple[str, ...], *, limit: int, after: int = 0) -> list[FoundCustomer]:
    """Up to so many customers by number, from the one behind `after` on; all of them when there are no patterns."""
    statement = sql.SQL(_FOUND).format(search_statement(patterns))
    with connection.cursor(row_factory=class_row(FoundCustomer)) as cursor:
        return cursor.execute(statement, (*patterns, after, limit)).fetchall()
