"""What a constraint must refuse and must let pass, as SQL on the rows of legal_world."""

from __future__ import annotations

from typing import NamedTuple

from support.legal_world import insert


class Case(NamedTuple):
    """What must be refused by that constraint, and what must pass."""

    constraint: str
    breaks: str
    passes: str


def case(constraint: str, table: str, wrong: dict[str, str], right: dict[str, str] | None = None) -> Case:
    """A second row of the table with these columns wrong, and one with these right."""
    return Case(constraint, insert(table, **wrong), insert(table, **(right or {})))
