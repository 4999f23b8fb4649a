"""While there is no migration, schema.sql is the first release's."""

from pathlib import Path

from control_plane.migrate import load_migrations, schema_file

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "schema_0.1.0.sql"


def test_a_change_of_the_schema_is_a_migration_or_belongs_to_the_release_that_is_not_out_yet():
    same = RECORDED.read_text() == schema_file().read_text()
    assert same or load_migrations(), (
        "schema.sql changed. Before release 0.1.0: cp schema.sql tests/recorded/schema_0.1.0.sql. After it: write "
        "migrations/NNNN_pre_….sql and leave that file alone."
    )
