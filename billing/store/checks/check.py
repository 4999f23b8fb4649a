"""A check: what it makes sure of, over which rows it walks, and what it finds wrong in a stretch of them.

A check walks a table by its ids, some thousands at a time, so that memory stays flat and progress is seen.

Next: billing/store/checks/catalogue.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: which check found it, of what, and what it is."""

    check: str
    invariants: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """`find` yields subject and message for a stretch of ids, first and last with it; `walks` is the table of the ids."""

    name: str
    invariants: str
    ensures: str
    walks: str
    step: int
    find: Callable[[Connection, int, int], Iterable[tuple[str, str]]]


def by_statement(name: str, invariants: str, ensures: str, *, walks: str, step: int, statement: str) -> Check:
    """A check by one statement, whose rows are subject and message, of ids from %(first)s to %(last)s."""

    def find(connection: Connection, first: int, last: int) -> Iterator[tuple[str, str]]:
        with connection.cursor(row_factory=tuple_row) as cursor:
            yield from cursor.execute(statement, {"first": first, "last": last})

    return Check(name, invariants, ensures, walks, step, find)
