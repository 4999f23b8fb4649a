"""Open, paid in part, paid, overdue."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from billing.documents import Due
from billing.money import Money
from billing.settlement import SettlementState, fallen_due, standing_of

DUES = [Due(date(2026, 3, 15), Money(6000, "EUR")), Due(date(2026, 4, 15), Money(6200, "EUR"))]


@pytest.mark.parametrize(
    ("settled", "day", "state", "open_", "overdue", "due_on"),
    [
        (0, "2026-03-01", "open", 12200, 0, "2026-03-15"),
        (0, "2026-03-15", "open", 12200, 0, "2026-03-15"),
        (0, "2026-03-16", "overdue", 12200, 6000, "2026-03-15"),
        (0, "2026-04-16", "overdue", 12200, 12200, "2026-03-15"),
        (1, "2026-03-15", "part_paid", 12199, 0, "2026-03-15"),
        (5999, "2026-03-16", "overdue", 6201, 1, "2026-03-15"),
        (6000, "2026-03-16", "part_paid", 6200, 0, "2026-04-15"),
        (6000, "2026-04-16", "overdue", 6200, 6200, "2026-04-15"),
        (12200, "2026-05-01", "paid", 0, 0, None),
    ],
)
def test_what_is_settled_counts_on_the_parts_in_their_order(settled, day, state, open_, overdue, due_on):
    standing = standing_of(
        Money(12200, "EUR"), Money(settled, "EUR"), list(reversed(DUES)), today=date.fromisoformat(day)
    )

    assert standing.state == SettlementState(state)
    assert (standing.open.minor, standing.overdue.minor) == (open_, overdue)
    assert standing.due_on == (None if due_on is None else date.fromisoformat(due_on))


def test_an_invoice_of_nothing_is_paid():
    nothing = Money(0, "EUR")

    assert standing_of(nothing, nothing, [], today=date(2026, 3, 1)).state is SettlementState.PAID


@pytest.mark.parametrize(
    ("settled", "day", "state"), [(12200, "2026-05-01", "written_off"), (12199, "2026-05-01", "overdue")]
)
def test_what_was_let_go_is_not_called_paid_and_what_is_left_beside_it_is_still_asked_for(settled, day, state):
    standing = standing_of(
        Money(12200, "EUR"), Money(settled, "EUR"), DUES, today=date.fromisoformat(day), written_off=True
    )

    assert standing.state == SettlementState(state)


@pytest.mark.parametrize("tax", [2200, -2200, 1, 658])
def test_deferred_tax_falls_due_in_parts_that_come_to_it_to_the_cent(tax):
    steps = [fallen_due(Money(tax, "EUR"), Money(settled, "EUR"), Money(300, "EUR")) for settled in range(0, 301, 7)]
    steps.append(fallen_due(Money(tax, "EUR"), Money(300, "EUR"), Money(300, "EUR")))

    parts = [after.minor - before.minor for before, after in pairwise(steps)]

    assert steps[0].minor == 0
    assert sum(parts) == tax
    assert all(part * tax >= 0 for part in parts)


@pytest.mark.parametrize(("settled", "due"), [(-5, 0), (150, 1100), (301, 2200)])
def test_as_much_tax_is_due_as_is_paid_and_never_more_than_there_is(settled, due):
    assert fallen_due(Money(2200, "EUR"), Money(settled, "EUR"), Money(300, "EUR")).minor == due


def test_all_tax_of_what_nothing_is_to_be_paid_of_is_due():
    assert fallen_due(Money(2200, "EUR"), Money(0, "EUR"), Money(0, "EUR")).minor == 2200
