"""A contract's status changes along the paths of its life cycle, and the database holds it to them."""

from __future__ import annotations

import itertools

import psycopg
import pytest
from support.command_line import run, write_settings
from support.legal_world import WORLD

from control_plane import db

pytestmark = pytest.mark.db

STATUSES = ("draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled")
ALLOWED = {
    ("draft", "proposal"),
    ("draft", "cancelled"),
    ("proposal", "pending"),
    ("proposal", "cancelled"),
    ("pending", "trial"),
    ("pending", "active"),
    ("pending", "free"),
    ("pending", "cancelled"),
    ("trial", "active"),
    ("trial", "free"),
    ("trial", "ended"),
    ("active", "free"),
    ("active", "ended"),
    ("free", "active"),
    ("free", "ended"),
    # Reopened: charges begin anew from the date, so never as trial, and free only by the way of active.
    ("ended", "active"),
}
REFUSED = set(itertools.permutations(STATUSES, 2)) - ALLOWED


@pytest.fixture(scope="module")
def world(module_database):
    """A connection to a database with a contract, taken back after each test."""
    with db.connect(module_database, name="test", autocommit=True) as opened:
        opened.execute(WORLD)
        yield opened


def go(world, path):
    """Begin a contract with the first status of the path and walk it."""
    with world.transaction(force_rollback=True):
        first, *others = path
        made = world.execute(
            "INSERT INTO contract (customer_id, plan_id, status, starts_on, ends_on) "
            "VALUES (1, 1, %s, '2026-01-01', '2027-01-01') RETURNING id",
            (first,),
        ).fetchone()
        for status in others:
            world.execute("UPDATE contract SET status = %s WHERE id = %s", (status, made[0]))
        return world.execute("SELECT status::text FROM contract WHERE id = %s", made).fetchone()[0]


@pytest.mark.parametrize("pair", sorted(ALLOWED), ids=" to ".join)
def test_a_step_of_the_life_cycle_is_taken(world, pair):
    assert go(world, pair) == pair[1]


@pytest.mark.parametrize("pair", sorted(REFUSED), ids=" to ".join)
def test_any_other_step_is_refused_with_what_stands_open(world, pair):
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        go(world, pair)
    said = refused.value.diag
    assert said.constraint_name == "contract_status_path"
    assert said.message_primary.endswith(f" is {pair[0]} and can't become {pair[1]}")
    onward = {to for begin, to in ALLOWED if begin == pair[0]}
    named = set(said.message_hint.removeprefix("From here: ").rstrip(".").split(", "))
    assert named == (onward or {"Make a new contract"})


@pytest.mark.parametrize("status", STATUSES)
def test_a_contract_may_begin_with_any_status_and_be_written_again_with_the_same(world, status):
    assert go(world, (status, status)) == status


def test_of_many_contracts_in_one_statement_one_that_can_not_go_stops_all(world):
    with world.transaction(force_rollback=True):
        world.execute(
            "INSERT INTO contract (customer_id, plan_id, status) VALUES (1, 1, 'active'), (1, 1, 'cancelled')"
        )
        with pytest.raises(psycopg.errors.CheckViolation), world.transaction():
            world.execute("UPDATE contract SET status = 'free'")
        assert world.execute("SELECT count(*) FROM contract WHERE status = 'free'").fetchone() == (0,)


def test_the_command_line_makes_a_contract_of_any_status_and_says_which_way_it_can_go(database, tmp_path):
    settings = write_settings(tmp_path, database)
    run(settings, "profile", "add", "Full", "--rate", "300M/30M")
    run(settings, "plan", "add", "Home", "--profile", "Full", "--throttle", "Full", "--walled", "Full")
    for number, status in enumerate(STATUSES):
        made = run(
            settings, "account", "add", f"anna{number}", "--customer", "Anna", "--plan", "Home", "--status", status,
            "--starts-on", "2026-01-01", "--ends-on", "2027-01-01",
        )  # fmt: skip
        assert made.exit_code == 0, made.output

    refused = run(settings, "account", "set", "anna0", "--status", "active", "--yes")
    assert refused.exit_code == 1
    assert "is draft and can't become active" in refused.output
    assert "From here: proposal, cancelled." in refused.output
