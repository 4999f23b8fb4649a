"""A database that lives in another time: its now() is what a test last said.

Defaults of columns and functions that are called by our statements mean the same; views and partitioned tables go by the real clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

# Found before PostgreSQL's own by whoever connects from now on.
_INSTALL = """
CREATE SCHEMA clock;
CREATE TABLE clock.hand (at timestamptz NOT NULL);
INSERT INTO clock.hand SELECT pg_catalog.now();
CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hand';
DO $$
DECLARE
    found record;
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = clock, pg_catalog, public', current_database());
    FOR found IN SELECT d.adrelid::regclass AS owner, a.attname FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        JOIN pg_class AS c ON c.oid = d.adrelid WHERE c.relkind = 'r' AND NOT c.relispartition AND pg_get_expr(d.adbin, d.adrelid) = 'now()' LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT clock.now()', found.owner, found.attname);
    END LOOP;
    FOR found IN SELECT p.oid::regprocedure AS owner FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosrc LIKE '%now()%' AND 'search_path=public, pg_temp' = ANY (p.proconfig) LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = clock, pg_catalog, public, pg_temp', found.owner);
    END LOOP;
END
$$
"""


def install_clock(connection: psycopg.Connection[Any]) -> None:
    """Give a database a clock of its own, for all connections after this one; committed."""
    connection.execute(_INSTALL)
    connection.commit()


def set_clock(connection: psycopg.Connection[Any], at: datetime) -> None:
    """It is that moment; committed where the connection is in no transaction yet."""
    connection.execute("UPDATE clock.hand SET at = %s", (at,))
    if not connection.autocommit:
        connection.commit()
