"""Why dunning does something or waits: a code with values, which a screen prints in its reader's language.

Next: words.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.money import Money

Value = Money | date | datetime | int | str


class Why(StrEnum):
    """All that dunning has to say, in the order of the table in words.py."""

    NOTHING_OWED = "nothing_owed"
    NOT_PURSUED = "not_pursued"
    OWES = "owes"
    IN_DISPUTE = "in_dispute"
    COVERED = "covered"
    FALLS_DUE = "falls_due"
    NOTICE_HEARD = "notice_heard"
    DAY_REACHED = "day_reached"
    DAY_TO_COME = "day_to_come"
    SMALL_DEBT = "small_debt"
    FEW_DOCUMENTS = "few_documents"
    NO_NOTICE = "no_notice"
    NOT_IN_NOTICE = "not_in_notice"
    NOTICE_WAITS = "notice_waits"
    NOTICE_FAILED = "notice_failed"
    NOT_DELIVERED = "not_delivered"
    NOTICE_RUNS = "notice_runs"
    NOT_BEFORE = "not_before"
    WHITELISTED = "whitelisted"
    PUBLIC_BODY = "public_body"
    ESSENTIAL = "essential"
    EXEMPT = "exempt"
    PROMISED = "promised"
    RELIEVED = "relieved"
    UNCONFIRMED = "unconfirmed"
    OUTSIDE_HOURS = "outside_hours"
    PASSED_OVER = "passed_over"
    PROMISE_BROKEN = "promise_broken"
    PROMISES_OF_CASE = "promises_of_case"
    PROMISES_OF_MONTH = "promises_of_month"
    TOO_MUCH = "too_much"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and what it speaks of, by name."""

    why: Why
    values: tuple[tuple[str, Value], ...] = ()


def because(why: Why, **values: Value) -> Reason:
    """A reason with its values."""
    return Reason(why, tuple(values.items()))
