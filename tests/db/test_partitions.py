"""Month partitions: made ahead without stopping anyone, dropped by age."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.legal_world import WORLD, insert

pytestmark = pytest.mark.db

TABLES = ["address_history", "closed_session", "enforcement_packet", "login_attempt", "usage_day", "usage_hour"]


def _partitions(connection, month):
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relispartition AND relname ~ %s AND relkind = 'r'", (f"_{month}$",)
    )
    return sorted(name for (name,) in rows.fetchall())


def test_a_month_is_made_for_every_partitioned_table_and_again_without_harm(connection):
    connection.execute("SELECT make_month('2031-05-17')")
    connection.execute("SELECT make_month('2031-05-01')")

    assert _partitions(connection, "203105") == [f"{table}_203105" for table in TABLES]


def test_instants_are_cut_at_utc_months_and_days_at_civil_ones(connection):
    connection.execute("SET timezone = 'Pacific/Auckland'")
    connection.execute("SELECT make_month('2031-05-01')")

    connection.execute(insert("usage_hour", hour="'2031-05-31 23:00+00'"))
    connection.execute(insert("usage_day", day="'2031-05-31'"))
    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
        connection.execute(insert("usage_hour", hour="'2031-06-01 00:00+00'"))


def test_a_partition_holds_the_keys_and_checks_of_its_table(connection):
    connection.execute("SELECT make_month('2031-05-01')")
    row = insert("usage_hour", hour="'2031-05-10 00:00+00'")
    connection.execute(row)
    for statement, error in (
        (row, psycopg.errors.UniqueViolation),
        (insert("usage_hour", hour="'2031-05-10 00:00+00'", octets_in="-1"), psycopg.errors.CheckViolation),
    ):
        with pytest.raises(error), connection.transaction():
            connection.execute(statement)


def test_two_that_make_the_same_month_at_once_both_succeed(database):
    def make(_):
        with psycopg.connect(database) as own:
            own.execute(
                "SELECT make_month(('2032-01-01'::date + make_interval(months => m))::date) FROM generate_series(0, 11) m"
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))

    with psycopg.connect(database) as own:
        assert len(_partitions(own, "2032[0-9]{2}")) == 12 * len(TABLES)


def test_a_month_is_made_while_others_read_and_write_the_tables(database):
    with psycopg.connect(database) as busy, psycopg.connect(database) as maker:
        busy.execute(WORLD)
        busy.execute("SELECT count(*) FROM login_attempt")

        maker.execute("SET lock_timeout = '2s'")
        maker.execute("SELECT make_month('2031-05-01')")

        busy.execute("SET lock_timeout = '2s'")
        busy.execute(insert("usage_day"))


def test_only_whole_months_before_the_date_are_dropped(connection):
    dropped = connection.execute("SELECT drop_months('login_attempt', '2026-02-28')").fetchall()

    assert dropped == [("login_attempt_202512",), ("login_attempt_202601",)]
    assert "login_attempt_202602" in _partitions(connection, "202602")
    assert _partitions(connection, "202601") == [f"{table}_202601" for table in TABLES if table != "login_attempt"]


def test_a_table_without_months_is_never_dropped_from(connection):
    with pytest.raises(psycopg.errors.UndefinedTable, match="session is not a table with a partition a month"):
        connection.execute("SELECT drop_months('session', '2030-01-01')")
