"""Invariants between rows hold when two transactions break them together, each of them legal alone."""

from __future__ import annotations

import psycopg
import pytest
from support.ledger_cases import ISSUED
from support.legal_world import WORLD, insert

pytestmark = pytest.mark.db
ACTOR = "SET corrente.actor = 'bruno'"


@pytest.fixture
def two(database):
    """Two connections to a database with one legal row in every table."""
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute(WORLD)
        first.commit()
        second.execute("SET lock_timeout = '300ms'")
        second.commit()
        yield first, second


def _refused_while_open_and_after(first, second, *, opened, contender, error):
    """The contender waits for the open transaction, and is refused once that has committed."""
    first.execute(opened)
    with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
        second.execute(contender)
    first.commit()
    with pytest.raises(error), second.transaction():
        second.execute(contender)


def test_a_nas_is_not_deleted_under_an_account_that_is_just_being_bound_to_it(two):
    first, second = two
    first.execute(insert("nas", id="5"))
    first.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened="UPDATE subscriber_account SET nas_ids = '{5}'",
        contender="DELETE FROM nas WHERE id = 5",
        error=psycopg.errors.ForeignKeyViolation,
    )


def test_an_address_is_not_given_to_two_accounts_at_once(two):
    first, second = two
    first.execute(insert("subscriber_account", id="2"))
    first.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened=insert("account_prefix", account_id="1", kind="'route'", prefix="'203.0.113.0/28'"),
        contender=insert("account_prefix", account_id="2", kind="'framed_ipv4'", prefix="'203.0.113.9'"),
        error=psycopg.errors.ExclusionViolation,
    )


def test_a_contract_is_not_given_two_reliefs_at_once(two):
    first, second = two
    relief = insert("relief", during="'[2026-03-01 00:00+00,2026-03-05 00:00+00)'")
    _refused_while_open_and_after(
        first, second, opened=relief, contender=relief, error=psycopg.errors.ExclusionViolation
    )


def test_a_restriction_is_lifted_once(two):
    first, second = two
    lift = "UPDATE restriction SET lifted_at = now(), lifted_by = '{}' WHERE id = 1 AND lifted_at IS NULL"
    first.execute(lift.format("maria"))
    with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
        second.execute(lift.format("job dunning"))
    first.commit()
    assert second.execute(lift.format("job dunning")).rowcount == 0


def test_a_customer_is_not_deleted_under_a_document_that_is_just_being_written_for_it(two):
    first, second = two
    first.execute(insert("customer", id="5"))
    first.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened=insert("document", id="5", customer_id="5"),
        contender="DELETE FROM customer WHERE id = 5",
        error=psycopg.errors.ForeignKeyViolation,
    )


def test_nothing_is_written_for_a_customer_that_is_just_being_deleted(two):
    first, second = two
    first.execute(insert("customer", id="5"))
    first.commit()
    second.execute(ACTOR)
    second.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened="DELETE FROM customer WHERE id = 5",
        contender=insert("document", id="5", customer_id="5"),
        error=psycopg.errors.ForeignKeyViolation,
    )


def test_a_draft_that_is_just_being_issued_gets_no_line_more(two):
    first, second = two
    second.execute(ACTOR)
    second.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened=ISSUED,
        contender=insert("document_line"),
        error=psycopg.errors.RestrictViolation,
    )


def test_a_draft_of_which_a_line_is_just_being_taken_waits_to_be_issued(two):
    first, second = two
    second.execute(ACTOR)
    second.commit()
    _refused_while_open_and_after(
        first,
        second,
        opened="DELETE FROM document_line",
        contender=ISSUED,
        error=psycopg.errors.CheckViolation,
    )


def test_a_draft_goes_with_the_line_that_another_has_just_written(two):
    first, second = two
    second.execute(ACTOR)
    second.commit()
    first.execute(insert("document", id="5"))
    first.commit()
    first.execute(insert("document_line", document_id="5"))
    with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
        second.execute("DELETE FROM document WHERE id = 5")
    first.commit()
    second.execute("DELETE FROM document WHERE id = 5")
    assert second.execute("SELECT count(*) FROM document_line WHERE document_id = 5").fetchone() == (0,)
