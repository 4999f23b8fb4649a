"""A step that runs now, and one that waits: what is told of each.

Next: words.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.dunning.policy import Action, Step
from billing.dunning.reasons import Reason


@dataclass(frozen=True, slots=True)
class StepToRun:
    """A step that runs now: on which contracts, of which documents. `due_on`: it reminds of a document's day."""

    code: str
    action: Action
    reasons: tuple[Reason, ...]
    contracts: frozenset[int]
    documents: frozenset[int]
    due_on: date | None = None
    is_formal: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that would come but for this. `until`: when it is looked at again by itself; None: a deed is needed."""

    code: str
    reason: Reason
    until: datetime | None


def told(
    step: Step,
    reasons: tuple[Reason, ...],
    *,
    contracts: frozenset[int] = frozenset(),
    documents: frozenset[int] = frozenset(),
    due_on: date | None = None,
) -> StepToRun:
    """The step as it is to run."""
    return StepToRun(step.code, step.action, reasons, contracts, documents, due_on, step.is_formal)
