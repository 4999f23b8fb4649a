"""Migrations: which there are, in which order, and which are due."""

import pytest

from control_plane.migrate import (
    DatabaseAge,
    Migration,
    MigrationError,
    Phase,
    due,
    load_migrations,
    migrations_dir,
    schema_file,
    status_of,
)

FIRST = Migration("0001_pre_add.sql", Phase.PRE, "SELECT 1")
SECOND = Migration("0002_post_drop.sql", Phase.POST, "SELECT 2")
THIRD = Migration("0003_pre_more.sql", Phase.PRE, "SELECT 3")
ALL = (FIRST, SECOND, THIRD)


def test_files_are_read_in_order_with_their_phase(tmp_path):
    (tmp_path / "0002_post_drop.sql").write_text("SELECT 2")
    (tmp_path / "0001_pre_add.sql").write_text("SELECT 1")
    (tmp_path / "README.md").write_text("how")

    assert load_migrations(tmp_path) == (FIRST, SECOND)


@pytest.mark.parametrize("name", ["1_pre_a.sql", "0001_add.sql", "0001_pre_A.sql", "0001_pre_a.sql.orig", "notes.txt"])
def test_a_file_of_another_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="expected a name like 0001_pre_what_it_does"):
        load_migrations(tmp_path)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("0001_pre_a.sql", "0001_pre_b.sql"), "0001_pre_b.sql: expected number 0002"),
        (("0002_pre_a.sql",), "number 0001"),
    ],
)
def test_a_double_number_or_a_gap_is_refused(tmp_path, names, complaint):
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=complaint):
        load_migrations(tmp_path)


@pytest.mark.parametrize("statement", ["COMMIT;", "begin;", "  Rollback ;", "START TRANSACTION;", "BEGIN WORK;"])
def test_a_file_that_ends_its_own_transaction_is_refused(tmp_path, statement):
    (tmp_path / "0001_pre_a.sql").write_text(f"SELECT 1;\n{statement}\n")
    with pytest.raises(MigrationError, match="ends the transaction"):
        load_migrations(tmp_path)


def test_the_begin_of_a_function_s_body_is_no_transaction(tmp_path):
    (tmp_path / "0001_pre_a.sql").write_text(
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n RETURN 1;\nEND\n$$;"
    )
    assert len(load_migrations(tmp_path)) == 1


def test_a_database_with_some_is_older_and_lacks_the_rest():
    status = status_of(["0001_pre_add.sql"], ALL)
    assert (status.age, status.pending) == (DatabaseAge.OLDER, (SECOND, THIRD))


def test_a_database_with_all_is_current():
    assert status_of([migration.name for migration in ALL], ALL).age is DatabaseAge.CURRENT


def test_a_database_with_one_we_do_not_know_is_newer_even_when_it_lacks_another():
    status = status_of(["0001_pre_add.sql", "0004_pre_future.sql"], ALL)
    assert (status.age, status.unknown) == (DatabaseAge.NEWER, ("0004_pre_future.sql",))


def test_before_the_restart_only_what_stands_before_the_first_post_is_due():
    status = status_of([], ALL)
    assert due(status, only_pre=True) == (FIRST,)
    assert due(status, only_pre=False) == ALL


def test_all_pending_pre_files_are_due_when_no_post_is_among_them():
    status = status_of(["0001_pre_add.sql", "0002_post_drop.sql"], ALL)
    assert due(status, only_pre=True) == (THIRD,)


def test_the_shipped_files_are_found_in_a_checkout():
    assert "CREATE TABLE nas" in schema_file().read_text()
    assert migrations_dir().is_dir()
    load_migrations()
