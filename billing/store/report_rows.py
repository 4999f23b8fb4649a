"""Rows of a report, one by one from the database as frozen values, amounts with their currency's places.

Next: billing/export.py
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar, get_type_hints

import psycopg
from psycopg.rows import tuple_row

from billing.money import currency_places

Row = TypeVar("Row")
# As many as are on their way from the database at a time.
ROWS_AT_A_TIME: Final = 2_000
_numbers = itertools.count(1)


def stream(
    connection: psycopg.Connection[Any], row_type: type[Row], statement: str, facts: Mapping[str, object]
) -> Iterator[Row]:
    """The statement's rows, their first columns as the row's fields; read within the caller's transaction."""
    # All rows are read, so what gives the first ones soonest is not what is wanted.
    connection.execute("SET LOCAL cursor_tuple_fraction = 1")
    with connection.cursor(f"report_{next(_numbers)}", row_factory=tuple_row) as cursor:
        cursor.itersize = ROWS_AT_A_TIME
        yield from _rows(row_type, cursor.execute(statement, facts))


def read_few(
    connection: psycopg.Connection[Any], row_type: type[Row], statement: str, facts: Mapping[str, object]
) -> Iterator[Row]:
    """The same for sums of many rows that are few themselves: what is read at once may be worked out by several at a time."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        yield from _rows(row_type, cursor.execute(statement, facts).fetchall())


def _rows(row_type: type[Row], read: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
    amounts, percents, currency, width = _shape(row_type)  # type: ignore[arg-type]  # a class has a hash
    for one in read:
        values = list(one[:width])
        if amounts:
            unit = _unit(values[currency])
            for index in amounts:
                if values[index] is not None:
                    values[index] = values[index].quantize(unit)
        for index in percents:
            values[index] = plain(values[index])
        yield row_type(*values)


def plain(number: Decimal) -> Decimal:
    """The same number without zeros at its end: 22, not 22.0000."""
    return Decimal(f"{number.normalize():f}")


@lru_cache
def _shape(row_type: type) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """Which fields are amounts, which are percents, which one is their currency, and how many there are."""
    hints = get_type_hints(row_type)
    names = [field.name for field in dataclasses.fields(row_type)]
    numbers = [index for index, name in enumerate(names) if hints[name] in (Decimal, Decimal | None)]
    percents = tuple(index for index in numbers if names[index] == "rate")
    amounts = tuple(index for index in numbers if names[index] != "rate")
    return amounts, percents, names.index("currency") if amounts else -1, len(names)


@lru_cache
def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-currency_places(currency))
