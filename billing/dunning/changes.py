"""From the levels that dunning wants to restrictions placed and lifted. It touches none of another origin.

Source: billing model sections 3.2 and 14; invariants I19 and I23.

Next: promise.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from billing.contract_facts import Level, Origin
from billing.dunning.facts import InForce
from billing.dunning.policy import SEVERITY


@dataclass(frozen=True, slots=True)
class Changes:
    """Restrictions to be lifted by their ids, and levels to be placed on contracts; first those are placed."""

    place: tuple[tuple[int, Level], ...]
    lift: tuple[int, ...]


def changes_for(restrictions: Iterable[InForce], levels: Mapping[int, Level], *, pursued: bool) -> Changes:
    """What makes the restrictions of dunning those of an evaluation.

    What a person placed for a debt stays as long as the debt is pursued, and goes with it. What is not of origin dunning
    stays whatever is paid.
    """
    mine = [one for one in restrictions if one.origin is Origin.DUNNING]
    by_run: dict[int, list[InForce]] = {}
    for one in mine:
        if not one.by_person:
            by_run.setdefault(one.contract_id, []).append(one)
    lift = [one.id for one in mine if one.by_person and not pursued]
    place: list[tuple[int, Level]] = []
    for contract in sorted({*by_run, *levels}):
        there, wanted = by_run.get(contract, []), levels.get(contract)
        fitting = next((one.id for one in there if one.level is wanted), None)
        if wanted is not None and fitting is None:
            place.append((contract, wanted))
        lift += (one.id for one in there if one.id != fitting)
    return Changes(tuple(place), tuple(sorted(lift)))


def levels_by_run(restrictions: Iterable[InForce]) -> dict[int, Level]:
    """How far runs of dunning limit each contract."""
    levels: dict[int, Level] = {}
    for one in restrictions:
        if one.origin is Origin.DUNNING and not one.by_person:
            levels[one.contract_id] = max(levels.get(one.contract_id, one.level), one.level, key=lambda each: SEVERITY[each])  # fmt: skip
    return levels
