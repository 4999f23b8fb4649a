"""The documents of books_days as agents earn of them: each line of its customer's contract."""

from __future__ import annotations

from typing import Any

import psycopg
from support.books_days import BooksDays, make_days


def make_earning_days(connection: psycopg.Connection[Any]) -> BooksDays:
    """Make and commit them."""
    days = make_days(connection)
    connection.execute(
        "SET session_replication_role = replica; UPDATE document_line l SET contract_id = k.id FROM document d JOIN contract k USING (customer_id) WHERE d.id = l.document_id;"
        "SET session_replication_role = origin"
    )
    connection.commit()
    return days
