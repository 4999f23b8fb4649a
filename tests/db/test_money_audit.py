"""Money's own audit: the database writes who wrote, and what stood there before."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import tuple_row
from support.legal_world import WORLD

pytestmark = pytest.mark.db

TELLS = "SELECT actor, action, subject, detail FROM audit_log WHERE id > %s ORDER BY id"


@pytest.fixture
def world(database):
    with psycopg.connect(database, row_factory=tuple_row) as opened:
        opened.execute(WORLD)
        opened.commit()
        yield opened


def _told_of(world, *statements):
    """The rows of the audit log that these statements of maria's leave behind."""
    (last,) = world.execute("SELECT max(id) FROM audit_log").fetchone()
    with world.transaction():
        world.execute("SELECT set_config('corrente.actor', 'maria', true)")
        for statement in statements:
            world.execute(statement)
    return world.execute(TELLS, (last,)).fetchall()


def test_an_update_tells_each_row_s_changed_columns_before_and_after(world):
    told = _told_of(world, "UPDATE address SET city = 'Pinerolo', postal_code = postal_code")

    assert told == [
        ("maria", "address.update", "address 1", {"before": {"city": "Torino"}, "after": {"city": "Pinerolo"}})
    ]


def test_an_update_that_changes_nothing_leaves_nothing(world):
    assert _told_of(world, "UPDATE address SET city = city") == []


def test_a_bulk_insert_is_one_row_with_its_count_and_the_first_names(world):
    many = (
        "INSERT INTO address (customer_id, kind, street, postal_code, city, country)"
        " SELECT 1, 'service', 'Via Po', '10100', 'Torino', 'IT' FROM generate_series(1, 30)"
    )

    ((actor, action, subject, detail),) = _told_of(world, many)

    assert (actor, action, subject) == ("maria", "address.insert", "address")
    assert detail["rows"] == 30
    assert detail["names"] == [str(number) for number in range(2, 22)]


def test_what_is_deleted_is_kept_but_for_a_file_s_content(world):
    ((_, action, subject, detail),) = _told_of(world, "DELETE FROM attachment WHERE id = 1")

    assert (action, subject) == ("attachment.delete", "attachment 1")
    assert detail["before"]["name"] == "contract.pdf"
    assert detail["before"]["sha256"] == "\\x" + "bbf3f11cb5b43e700273a78d12de55e4a7eab741ed2abf13787a4d2dc832b8ec"
    assert "content" not in detail["before"]


def test_a_key_of_several_columns_names_the_row(world):
    ((_, _, subject, detail),) = _told_of(world, "UPDATE tax_identifier SET number = '01234560017'")

    assert subject == "tax_identifier 1 it.codicefiscale"
    assert detail["before"] == {"number": "RSSMRA80A01H501U"}


def test_nobody_writes_money(world):
    world.execute("SET corrente.actor = ''")
    world.commit()
    with pytest.raises(psycopg.errors.CheckViolation, match="address: UPDATE by nobody"):
        world.execute("UPDATE address SET city = 'Asti'")
