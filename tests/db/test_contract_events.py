"""A contract's events are a path of its statuses, and no status changes without one."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import tuple_row
from support.legal_world import insert

pytestmark = pytest.mark.db

TOLD = "SELECT contract_id, actor, event, effective_on, status_before::text, status_after::text FROM contract_event ORDER BY id"


@pytest.fixture
def world(database):
    """Two drafts that nobody told of yet but the database."""
    with psycopg.connect(database, row_factory=tuple_row, autocommit=True) as opened:
        for table in ("profile", "plan", "customer"):
            opened.execute(insert(table))
        opened.execute(
            "INSERT INTO contract (customer_id, plan_id, status) SELECT 1, 1, 'draft' FROM generate_series(1, 2)"
        )
        yield opened


def _told(world):
    return world.execute(TOLD).fetchall()


def test_a_contract_is_told_from_its_first_status_on(world):
    assert [(number, event, before, after) for number, _, event, _, before, after in _told(world)] == [
        (1, "created", "draft", "draft"),
        (2, "created", "draft", "draft"),
    ]


def test_a_bulk_change_tells_of_each_contract_whose_status_it_changed_who_why_and_from_when(world):
    world.execute("UPDATE contract SET status = 'proposal' WHERE id = 1")
    with world.transaction():
        world.execute(
            "SELECT set_config('corrente.actor', 'maria', true), set_config('corrente.event', 'refused', true)"
        )
        world.execute("SELECT set_config('corrente.effective_on', '2026-03-01', true)")
        world.execute("SELECT set_config('corrente.detail', '{\"before\": {}}', true)")
        world.execute("UPDATE contract SET status = 'cancelled', starts_on = '2026-01-01'")

    assert world.execute("SELECT detail FROM contract_event ORDER BY id DESC LIMIT 3").fetchall() == [
        ({"before": {}},),
        ({"before": {}},),
        ({},),
    ]
    last = _told(world)[-2:]
    assert [(one[0], one[1], one[2], str(one[3]), *one[4:]) for one in last] == [
        (1, "maria", "refused", "2026-03-01", "proposal", "cancelled"),
        (2, "maria", "refused", "2026-03-01", "draft", "cancelled"),
    ]


def test_an_update_of_something_else_tells_nothing(world):
    before = _told(world)

    world.execute("UPDATE contract SET starts_on = '2026-01-01'")

    assert _told(world) == before


def test_who_is_not_said_is_at_least_the_database_s_user(world):
    world.execute("UPDATE contract SET status = 'proposal' WHERE id = 1")

    assert _told(world)[-1][1:3] == ("database corrente", "status_set")


def test_an_event_can_not_say_that_a_status_changed(world):
    forged = insert("contract_event", status_before="'draft'", status_after="'active'")

    with pytest.raises(psycopg.errors.CheckViolation, match="contract 1 is draft by its events"):
        world.execute(forged)


def test_a_change_that_is_refused_leaves_no_event(world):
    before = _told(world)

    with pytest.raises(psycopg.errors.CheckViolation, match="can't become active"):
        world.execute("UPDATE contract SET status = 'active'")

    assert _told(world) == before
