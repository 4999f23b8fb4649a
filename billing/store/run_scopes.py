"""Whether there is anything that a run is asked to bill: a run of a mistyped number would be done, and nobody billed.

Next: billing/runs/preview.py
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from billing.errors import BillingError
from billing.store.due_work import Scope

Connection = psycopg.Connection[Any]
_CONTRACT: Final = """
SELECT t.issuer_id, i.name FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id LEFT JOIN issuer AS i ON i.id = t.issuer_id
WHERE c.id = %s
"""
_GROUP: Final = "SELECT FROM contract_terms WHERE issuer_id = %s AND billing_group = %s LIMIT 1"


class NoSuchPartError(BillingError):
    """A run is asked for a part of an issuer's work that there is not."""


def check_scope(connection: Connection, issuer_id: int, scope: Scope) -> None:
    """Refuse a contract or a billing group that the issuer has none of. Raises: NoSuchPartError."""
    if scope.contract_id is not None:
        row = connection.execute(_CONTRACT, (scope.contract_id,)).fetchone()
        if row is None:
            raise NoSuchPartError(f"there is no contract {scope.contract_id}; `corrente contract list` shows them")
        if row[0] is None:
            raise NoSuchPartError(f"contract {scope.contract_id} has no billing terms: no run bills it")
        if row[0] != issuer_id:
            raise NoSuchPartError(f"contract {scope.contract_id} is billed by {row[1]}: name that with --issuer")
    if scope.billing_group is not None and not connection.execute(_GROUP, (issuer_id, scope.billing_group)).rowcount:
        raise NoSuchPartError(f"no contract has the billing group {scope.billing_group!r}")
