"""Making a database and migrating one, on a real PostgreSQL."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.catalog import normalised_catalog
from support.command_line import run, write_settings

from control_plane import db
from control_plane.migrate import (
    DatabaseAge,
    Migration,
    MigrationError,
    Phase,
    create,
    load_status,
    make_database,
    migrate,
    schema_file,
)

pytestmark = pytest.mark.db


COLUMN = Migration("0001_pre_note.sql", Phase.PRE, "ALTER TABLE site ADD COLUMN note text; SELECT 1;")
TABLE = Migration("0002_post_color.sql", Phase.POST, "CREATE TABLE color (name text PRIMARY KEY);")
BROKEN = Migration("0003_pre_broken.sql", Phase.PRE, "CREATE TABLE shape (name text); SELECT 1 / 0;")


@pytest.fixture
def made(unmade):
    """An open connection to a database made without migrations."""
    make_database(unmade)
    with db.connect(unmade, name="test", autocommit=True) as connection:
        create(connection, ())
        yield connection


def _columns(connection, table):
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0", (table,)
    )
    return [name for (name,) in rows.fetchall()]


def test_a_made_database_holds_what_schema_sql_says_and_counts_as_having_every_migration(unmade, database):
    assert make_database(unmade)
    with db.connect(unmade, name="test", autocommit=True) as connection:
        create(connection, (COLUMN, TABLE))
        status = load_status(connection, (COLUMN, TABLE))

    assert (status.age, status.applied) == (DatabaseAge.CURRENT, (COLUMN.name, TABLE.name))
    assert normalised_catalog(unmade) == normalised_catalog(database)


def test_a_made_database_has_the_months_around_now(made):
    made.execute(
        "INSERT INTO usage_day VALUES (1, current_date - 28, 1, 1), (1, current_date, 1, 1), (1, current_date + 50, 1, 1)"
    )


def test_making_a_database_twice_is_refused_and_changes_nothing(made):
    with pytest.raises(MigrationError, match="is made already"):
        create(made, ())
    assert not make_database(made.info.dsn)


def test_a_database_with_other_tables_is_refused(unmade):
    make_database(unmade)
    with db.connect(unmade, name="test", autocommit=True) as connection:
        connection.execute("CREATE TABLE radcheck (id int)")
        with pytest.raises(MigrationError, match="holds other tables, such as radcheck"):
            create(connection, ())
        assert _columns(connection, "nas") == []


def test_two_that_make_the_same_database_leave_one_whole_one(unmade):
    def make(_):
        make_database(unmade)
        with db.connect(unmade, name="test", autocommit=True) as connection:
            try:
                create(connection, ())
            except MigrationError as error:
                return str(error)
            return "made"

    with ThreadPoolExecutor(3) as pool:
        said = sorted(pool.map(make, range(3)))

    assert said[2] == "made"
    assert "is made already" in said[0]
    assert "is made already" in said[1]


def test_pending_files_run_in_order_and_once(made):
    assert migrate(made, (COLUMN, TABLE)) == (COLUMN.name, TABLE.name)
    assert migrate(made, (COLUMN, TABLE)) == ()
    assert _columns(made, "site")[-1] == "note"
    assert _columns(made, "color") == ["name"]


def test_a_failing_file_leaves_those_before_it_and_nothing_of_itself(made):
    with pytest.raises(
        MigrationError, match=r"0003_pre_broken.sql: nothing of this file was applied: division by zero"
    ):
        migrate(made, (COLUMN, TABLE, BROKEN))

    assert _columns(made, "color") == ["name"]
    assert _columns(made, "shape") == []
    assert [m.name for m in load_status(made, (COLUMN, TABLE, BROKEN)).pending] == [BROKEN.name]


def test_a_file_that_meets_a_long_transaction_gives_up_and_runs_later(made):
    with psycopg.connect(made.info.dsn) as other:
        other.execute("SELECT FROM site")
        with pytest.raises(MigrationError, match=r"0001_pre_note.sql: waited 0.2 s for a lock"):
            migrate(made, (COLUMN,), lock_timeout_s=0.2)
        assert "note" not in _columns(made, "site")

    assert migrate(made, (COLUMN,)) == (COLUMN.name,)


def test_a_database_newer_than_the_program_is_left_alone(made):
    migrate(made, (COLUMN,))
    with pytest.raises(MigrationError, match=r"is newer than this program, which does not know 0001_pre_note.sql"):
        migrate(made, ())


def test_an_empty_database_is_not_migrated_but_made(unmade):
    make_database(unmade)
    with db.connect(unmade, name="test", autocommit=True) as connection:
        with pytest.raises(MigrationError, match="is empty: run `corrente db create`"):
            migrate(connection, (COLUMN,))
        create(connection, (COLUMN,))
        assert migrate(connection, (COLUMN,)) == ()


def test_two_migrators_at_once_run_each_file_once(made):
    slow = (
        Migration("0001_pre_note.sql", Phase.PRE, "SELECT pg_sleep(0.2); ALTER TABLE site ADD COLUMN note text;"),
        Migration("0002_post_color.sql", Phase.POST, "SELECT pg_sleep(0.2); CREATE TABLE color (name text);"),
    )

    def work(_):
        with db.connect(made.info.dsn, name="test", autocommit=True) as own:
            return migrate(own, slow, lock_timeout_s=0.1)

    with ThreadPoolExecutor(3) as pool:
        ran = [name for names in pool.map(work, range(3)) for name in names]

    assert sorted(ran) == [COLUMN.name, TABLE.name]


def test_the_command_makes_shows_and_migrates(tmp_path, unmade, monkeypatch):
    settings = write_settings(tmp_path, unmade)
    folder = tmp_path / "migrations"
    folder.mkdir()
    monkeypatch.setattr("control_plane.migrate._shipped", lambda name: {"migrations": folder}.get(name) or _schema())

    assert "can't reach the database" in run(settings, "db", "status").output
    made = run(settings, "db", "create")
    assert (made.exit_code, "made, with all tables" in made.output) == (0, True)
    assert run(settings, "db", "status").output == "up to date: 0 migrations since the first release\n"

    (folder / COLUMN.name).write_text(COLUMN.text)
    (folder / TABLE.name).write_text(TABLE.text)
    behind = run(settings, "db", "status")
    assert (behind.exit_code, f"for {COLUMN.name}, {TABLE.name}" in behind.output) == (1, True)
    planned = run(settings, "db", "migrate", "--dry-run")
    assert planned.output == f"would apply {COLUMN.name}\nwould apply {TABLE.name}\n"
    first = run(settings, "db", "migrate", "--only-pre")
    assert first.output == f"applied {COLUMN.name}\nWaiting for --only-pre to be left out: {TABLE.name}\n"
    assert run(settings, "db", "migrate").output == f"applied {TABLE.name}\nUp to date.\n"
    assert run(settings, "db", "migrate", "--dry-run").output == "Nothing to apply.\n"

    shutil.rmtree(folder)
    folder.mkdir()
    newer = run(settings, "db", "migrate")
    assert (newer.exit_code, "is newer than this program" in newer.output) == (1, True)
    assert run(settings, "db", "create").exit_code == 1


def _schema():
    return schema_file_at_start


schema_file_at_start = schema_file()
