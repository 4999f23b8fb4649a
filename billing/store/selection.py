"""Contracts that something is done to in bulk: by issuer, product, family, customer and place.

Only contracts with billing terms that are in service, or wait for it.

Next: billing/store/promotions.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a contract must be to be meant; what is not said does not narrow. Customers and contracts are numbers.

    `product` by name and `family`: of an item that has not ended. `city` and `postal_prefix`: where it is served, else its seat.
    """

    issuer: str | None = None
    product: str | None = None
    family: str | None = None
    city: str | None = None
    postal_prefix: str | None = None
    customers: tuple[int, ...] = ()
    contracts: tuple[int, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return self == Selection()


SELECTED: Final = """
SELECT c.id FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id
WHERE c.status IN ('pending', 'trial', 'active', 'free') AND (c.ends_on IS NULL OR c.ends_on > %(day)s)
    AND (%(issuer)s::text IS NULL OR t.issuer_id = (SELECT id FROM issuer WHERE name = %(issuer)s))
    AND (cardinality(%(customers)s::bigint[]) = 0 OR c.customer_id = ANY (%(customers)s))
    AND (cardinality(%(contracts)s::bigint[]) = 0 OR c.id = ANY (%(contracts)s))
    AND (num_nulls(%(product)s::text, %(family)s::text) = 2 OR EXISTS (SELECT FROM contract_item AS i JOIN product AS p ON p.id = i.product_id
        WHERE i.contract_id = c.id AND (i.ends_on IS NULL OR i.ends_on > %(day)s)
            AND (%(product)s::text IS NULL OR p.name = %(product)s) AND (%(family)s::text IS NULL OR p.family = %(family)s)))
    AND (num_nulls(%(city)s::text, %(postal_prefix)s::text) = 2 OR EXISTS (
        SELECT FROM (SELECT a.city, a.postal_code FROM address AS a WHERE a.customer_id = c.customer_id
                AND (a.id = t.service_address_id OR (t.service_address_id IS NULL AND a.kind = 'legal')) LIMIT 1) AS place
        WHERE (%(city)s::text IS NULL OR plain_text(place.city) = plain_text(%(city)s))
            AND (%(postal_prefix)s::text IS NULL OR starts_with(place.postal_code, %(postal_prefix)s))))
ORDER BY c.id
"""


def load_selected(connection: Connection, selection: Selection, *, day: date) -> list[int]:
    """The contracts that are meant on a day, by number."""
    return [number for (number,) in connection.execute(SELECTED, asked_of(selection, day))]


def asked_of(selection: Selection, day: date) -> dict[str, object]:
    """The parameters of `SELECTED`."""
    return {
        "day": day,
        "issuer": selection.issuer,
        "product": selection.product,
        "family": selection.family,
        "city": selection.city,
        "postal_prefix": selection.postal_prefix,
        "customers": list(selection.customers),
        "contracts": list(selection.contracts),
    }


def in_batches(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    """The same numbers, so many at a time."""
    return [ids[at : at + size] for at in range(0, len(ids), size)]
