"""The first release's schema with every migration on top is schema.sql, to the last comment and grant.

Before the first release there is nothing to migrate from: then a change of schema.sql is copied to
tests/recorded/schema_0.1.0.sql. From then on that file never changes and a migration carries the change.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from support.catalog import normalised_catalog
from support.own_postgres import copy_database

from control_plane import db
from control_plane.migrate import Migration, Phase, load_migrations, make_database, migrate

pytestmark = pytest.mark.db

RECORDED = Path(__file__).resolve().parent.parent / "recorded"


@pytest.fixture(scope="module")
def expected(module_database):
    """What schema.sql makes."""
    return normalised_catalog(module_database)


@pytest.fixture(scope="module")
def migrated(cluster):
    """The name of a database that the first release made, with every migration on top."""
    name = "migrated"
    _make_oldest(cluster.conninfo(name))
    with db.connect(cluster.conninfo(name), name="test", autocommit=True) as connection:
        assert migrate(connection) == tuple(migration.name for migration in load_migrations())
    yield name
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_oldest_release_with_every_migration_equals_schema_sql(cluster, migrated, expected):
    assert normalised_catalog(cluster.conninfo(migrated)) == expected


@pytest.mark.parametrize(
    "drift",
    [
        "ALTER TABLE site ADD COLUMN note text",
        "ALTER TABLE site DROP CONSTRAINT site_place_in_pairs",
        "ALTER TABLE site ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE nas ALTER COLUMN coa_port SET DEFAULT 1700",
        "DROP INDEX session_account",
        "DROP TRIGGER nas_change_insert ON nas",
        "REVOKE SELECT ON nas FROM corrente_edge",
        "GRANT SELECT ON address_history TO corrente_web",
        "GRANT SELECT (sealed_secret) ON nas TO corrente_lookup",
        "COMMENT ON TABLE nas IS 'other words'",
        "ALTER TYPE contract_status ADD VALUE 'paused'",
        "ALTER FUNCTION make_month(date) RESET search_path",
        "UPDATE change_horizon SET xid = '1'",
        "ALTER TABLE session SET (fillfactor = 90)",
        "ALTER TABLE contract ALTER COLUMN ends_on TYPE timestamptz",
    ],
)
def test_the_comparison_sees_a_migration_that_leads_elsewhere(cluster, migrated, unmade, expected, drift):
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, conninfo_to_dict(unmade)["dbname"], migrated)
    with db.connect(unmade, name="test", autocommit=True) as connection:
        migrate(connection, (*load_migrations(), Migration("9999_pre_drift.sql", Phase.PRE, drift)))

    assert normalised_catalog(unmade) != expected


def _make_oldest(conninfo):
    """A database as the first release made it."""
    make_database(conninfo)
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        connection.execute((RECORDED / "schema_0.1.0.sql").read_bytes())
