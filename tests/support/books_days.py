"""A small ISP with issued documents, on which the books' tests stand: figures worked out by hand.

1 January   Home 30 for 29.90 to customers 0, 1 and 2: 29.90 + 6.58 VAT = 36.48 each, due 16 January
1 February  Home 30 to customers 0 and 1, and Phone for 4.00 to customer 0: 33.90 + 7.46 = 41.36, and 36.48; due 16 February
10 February a credit note of 10.00 + 2.20 = 12.20 on customer 0's first line

    days, connection = books_days.days, books_days.connection

gives a test file the fixtures: the documents made once for all of it, and a transaction of each test's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from support.books_isp import BooksIsp, desk, make_books

from billing.documents import draft_document
from billing.store.acting import acting
from billing.store.documents import Issued, issue

JANUARY, FEBRUARY, CREDITED = date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 10)


@dataclass(frozen=True)
class BooksDays:
    """The ISP and its documents: three of January, two of February, a credit note."""

    isp: BooksIsp
    january: list[Issued]
    february: list[Issued]
    note: Issued


def make_days(connection: psycopg.Connection[Any]) -> BooksDays:
    """Make and commit it."""
    isp = make_books(connection)
    table = desk(connection, isp)
    acting(connection, "maria")
    january = issue(
        connection, [table.invoice(table.line("29.90"), customer=n, day=JANUARY) for n in range(3)], made_by="maria"
    )
    february = issue(
        connection,
        [
            table.invoice(table.line("29.90"), table.line("4.00", product="Phone"), day=FEBRUARY),
            table.invoice(table.line("29.90"), customer=1, day=FEBRUARY),
        ],
        made_by="maria",
    )
    draft = draft_document(
        [table.line("10.00", corrects=(january[0].id, 1))],
        table.parties[isp.customers[0]],
        register=table.registers["NC"],
        document_date=CREDITED,
        currency="EUR",
        includes_tax=False,
    )
    (note,) = issue(connection, [replace(draft, corrects_id=january[0].id)], made_by="maria")
    connection.commit()
    return BooksDays(isp, january, february, note)


@pytest.fixture(scope="module")
def days(module_database: str) -> BooksDays:
    """The documents, in a database of the test file's own."""
    with psycopg.connect(module_database) as opened:
        return make_days(opened)


@pytest.fixture
def connection(module_database: str, days: BooksDays) -> Iterator[psycopg.Connection[Any]]:
    """Of a test's own transaction, which is taken back: the documents stay as they were."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()
