"""Customers as lists show them: in order of names or numbers, by what is known of them, page after page.

Next: billing/store/customers.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
By = Literal["id", "name"]


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A line of the list. `contracts` are those in service; `owes` by currency, above zero what is owed."""

    id: int
    name: str
    kind: str
    external_reference: str | None
    place: str | None
    tax_number: str | None
    phone: str | None
    email: str | None
    contracts: int
    owes: dict[str, str]


@dataclass(frozen=True, slots=True)
class AskedCustomers:
    """Which ones: `patterns` as customer_search makes them, `served` with or without a contract in service."""

    patterns: tuple[str, ...] = ()
    kind: str | None = None
    served: bool | None = None


_SHOWN: Final = """
SELECT c.id, c.name, c.kind::text, c.external_reference, a.place, t.number AS tax_number, k.phone, k.email,
    (SELECT count(*) FROM contract AS n WHERE n.customer_id = c.id AND n.status IN ('trial', 'active', 'free')) AS contracts,
    coalesce((SELECT jsonb_object_agg(b.currency, b.owed) FROM (SELECT currency, sum(balance)::text AS owed FROM customer_balance
        WHERE customer_id = c.id GROUP BY currency) AS b), '{{}}') AS owes
FROM ({chosen}) AS c
LEFT JOIN LATERAL (SELECT concat_ws(' ', street, house_number) || ', ' || city AS place FROM address
    WHERE customer_id = c.id ORDER BY kind, id LIMIT 1) AS a ON true
LEFT JOIN LATERAL (SELECT number FROM tax_identifier WHERE customer_id = c.id ORDER BY scheme LIMIT 1) AS t ON true
LEFT JOIN LATERAL (SELECT coalesce(mobile, phone) AS phone, email FROM contact
    WHERE customer_id = c.id AND contract_id IS NULL ORDER BY role LIMIT 1) AS k ON true
ORDER BY {order}
"""
_SERVED: Final = (
    "EXISTS (SELECT FROM contract AS n WHERE n.customer_id = c.id AND n.status IN ('trial', 'active', 'free'))"
)


def list_statement(
    asked: AskedCustomers, *, by: By, down: bool, after: tuple[Any, ...] | None
) -> tuple[sql.Composed, list[Any]]:
    """The statement of one page with its values but for the limit, which comes last."""
    conditions: list[sql.Composable] = [sql.SQL("true")]
    values: list[Any] = []
    for pattern in asked.patterns:
        conditions.append(sql.SQL("c.id IN (SELECT customer_id FROM customer_words WHERE words LIKE plain_text(%s))"))
        values.append(pattern)
    if asked.kind is not None:
        conditions.append(sql.SQL("c.kind = %s::customer_kind"))
        values.append(asked.kind)
    if asked.served is not None:
        conditions.append(sql.SQL(_SERVED if asked.served else f"NOT {_SERVED}"))
    columns = ("name", "id") if by == "name" else ("id",)
    if after is not None:
        names = sql.SQL(", ").join(sql.Identifier("c", name) for name in columns)
        conditions.append(
            sql.SQL("({}) {} ({})").format(
                names, sql.SQL("<" if down else ">"), sql.SQL(", ").join(sql.Placeholder() for _ in columns)
            )
        )
        values += after
    order = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier("c", name), sql.SQL("DESC" if down else "ASC")) for name in columns
    )
    chosen = sql.SQL("SELECT c.* FROM customer AS c WHERE {} ORDER BY {} LIMIT %s").format(
        sql.SQL(" AND ").join(conditions), order
    )
    return sql.SQL(_SHOWN).format(chosen=chosen, order=order), values


def load_listed(
    connection: Connection,
    asked: AskedCustomers,
    *,
    by: By = "name",
    down: bool = False,
    after: tuple[Any, ...] | None = None,
    limit: int,
) -> list[ListedCustomer]:
    """Up to so many customers behind `after`, the sort key of the last one seen."""
    statement, values = list_statement(asked, by=by, down=down, after=after)
    with connection.cursor(row_factory=class_row(ListedCustomer)) as cursor:
        return cursor.execute(statement, [*values, limit]).fetchall()
