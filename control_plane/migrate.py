"""Makes a database from schema.sql, and brings an older one to it by the files in migrations/.

A migration's file name says when it may run: `NNNN_pre_….sql` is safe under the release before, `NNNN_post_….sql` needs
this release everywhere. Each runs in a transaction of its own with a lock timeout, so one that meets a long
transaction gives up instead of stopping the logins and bills that queue behind it.

Two migrators at once are safe: each takes the same table lock before it looks whether a file still has to run.

Next: cli/db.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from control_plane import db

# Long enough for the short transactions of logins and accounting, short enough that a queue behind us stays harmless.
LOCK_TIMEOUT_S: Final = 5.0
# Another migrator may be in a long file; waiting for it is better than failing a deployment of many nodes.
_OTHER_MIGRATOR_TIMEOUT_S: Final = 600
# Any constant will do that nothing else in the database uses; only the making of a database takes it.
_CREATE_LOCK: Final = 0x_C0_44_E4_7E

_NAME: Final = re.compile(r"([0-9]{4})_(pre|post)_[a-z0-9_]+\.sql")
_OWN_TRANSACTION: Final = re.compile(
    r"^\s*(begin|commit|rollback|start\s+transaction)\s*(work|transaction)?\s*;", re.I | re.M
)

Connection = psycopg.Connection[Any]


class MigrationError(Exception):
    """The database can't be made or migrated; the message names the file or the database and what to do."""


class Phase(Enum):
    """When a migration may run, as its file name says."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of migrations/."""

    name: str
    phase: Phase
    text: str


class DatabaseAge(Enum):
    """How a database stands to this program."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """Which migrations a database holds, lacks, and holds without this program knowing them."""

    age: DatabaseAge
    applied: tuple[str, ...]
    pending: tuple[Migration, ...]
    unknown: tuple[str, ...]


def schema_file() -> Path:
    """schema.sql: inside the installed package, or at the top of a checkout."""
    return _shipped("schema.sql")


def migrations_dir() -> Path:
    """The folder of migrations: inside the installed package, or at the top of a checkout."""
    return _shipped("migrations")


def _shipped(name: str) -> Path:
    package = Path(__file__).resolve().parent
    for place in (package / name, package.parent / name):
        if place.exists():
            return place
    raise MigrationError(f"{name} is missing beside {package}: install corrente again")


def load_migrations(directory: Path | None = None) -> tuple[Migration, ...]:
    """All migrations in order. Raises: MigrationError for a file whose name or content is no migration's."""
    files = sorted(file for file in (directory or migrations_dir()).iterdir() if file.suffix != ".md")
    migrations = tuple(_read_migration(file) for file in files)
    for number, migration in enumerate(migrations, start=1):
        if int(migration.name[:4]) != number:
            raise MigrationError(
                f"{migration.name}: expected number {number:04}; migrations count up without gaps or doubles"
            )
    return migrations


def _read_migration(file: Path) -> Migration:
    match = _NAME.fullmatch(file.name)
    if match is None:
        raise MigrationError(f"{file}: expected a name like 0001_pre_what_it_does.sql")
    text = file.read_text(encoding="utf-8")
    own = _OWN_TRANSACTION.search(text)
    if own is not None:
        raise MigrationError(f"{file}: {own.group().strip()} ends the transaction that the file runs in; leave it out")
    return Migration(file.name, Phase(match.group(2)), text)


def load_status(connection: Connection, migrations: tuple[Migration, ...]) -> DatabaseStatus:
    """How the database stands to these migrations."""
    row = connection.execute("SELECT to_regclass('public.schema_migration') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return DatabaseStatus(DatabaseAge.EMPTY, (), migrations, ())
    rows = connection.execute("SELECT name FROM schema_migration ORDER BY name").fetchall()
    return status_of((name for (name,) in rows), migrations)


def status_of(applied: Iterable[str], migrations: tuple[Migration, ...]) -> DatabaseStatus:
    """How a database that holds `applied` stands to `migrations`. One it holds and we lack makes it newer than us."""
    held = tuple(sorted(applied))
    unknown = tuple(name for name in held if name not in {migration.name for migration in migrations})
    pending = tuple(migration for migration in migrations if migration.name not in held)
    age = DatabaseAge.NEWER if unknown else DatabaseAge.OLDER if pending else DatabaseAge.CURRENT
    return DatabaseStatus(age, held, pending, unknown)


def due(status: DatabaseStatus, *, only_pre: bool) -> tuple[Migration, ...]:
    """The pending migrations to run now. With `only_pre` those before the first `post`: a later `pre` may stand on it."""
    if not only_pre:
        return status.pending
    posts = [number for number, migration in enumerate(status.pending) if migration.phase is Phase.POST]
    return status.pending[: posts[0]] if posts else status.pending


def make_database(conninfo: str) -> bool:
    """Make the database that `conninfo` names if the server has none of that name; says whether it was made.

    Raises: psycopg.Error when the server can't be reached or refuses.
    """
    wanted = psycopg.conninfo.conninfo_to_dict(conninfo).get("dbname") or "corrente"
    with db.connect(psycopg.conninfo.make_conninfo(conninfo, dbname="postgres"), name="db", autocommit=True) as server:
        if server.execute("SELECT FROM pg_database WHERE datname = %s", (wanted,)).fetchone() is not None:
            return False
        try:
            server.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(str(wanted)))
            )
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return False
    return True


def create(connection: Connection, migrations: tuple[Migration, ...] | None = None) -> None:
    """Make all tables in an empty database, in one transaction. Raises: MigrationError when it is not empty."""
    known = load_migrations() if migrations is None else migrations
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATE_LOCK,))
        if load_status(connection, known).age is not DatabaseAge.EMPTY:
            raise MigrationError(
                f"database {connection.info.dbname} is made already; `corrente db status` says how it stands"
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise MigrationError(f"database {connection.info.dbname} is in {encoding}: make it with ENCODING 'UTF8'")
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        ).fetchall()
        if tables:
            raise MigrationError(
                f"database {connection.info.dbname} holds other tables, such as {tables[0][0]}: give Corrente one of its own"
            )
        connection.execute(schema_file().read_bytes())
        for migration in known:
            connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (migration.name,))
        # The worker makes months ahead; until it has started, an edge needs the ones around now.
        connection.execute(
            "SELECT make_month((current_date + make_interval(months => m))::date) FROM generate_series(-1, 2) m"
        )


def migrate(
    connection: Connection,
    migrations: tuple[Migration, ...] | None = None,
    *,
    only_pre: bool = False,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> tuple[str, ...]:
    """Run what is pending, each file in its own transaction; returns the names of those that ran here.

    The connection must be in autocommit mode, so that a transaction here is one in the database.
    Raises: MigrationError when the database is empty or newer, or a file fails; files before it stay applied.
    """
    assert connection.autocommit, "each migration is a transaction of its own"
    known = load_migrations() if migrations is None else migrations
    status = load_status(connection, known)
    if status.age is DatabaseAge.EMPTY:
        raise MigrationError(f"database {connection.info.dbname} is empty: run `corrente db create`")
    _refuse_newer(status, connection)
    return tuple(
        migration.name
        for migration in due(status, only_pre=only_pre)
        if _apply(connection, migration, known, lock_timeout_s=lock_timeout_s)
    )


def _refuse_newer(status: DatabaseStatus, connection: Connection) -> None:
    if status.age is DatabaseAge.NEWER:
        raise MigrationError(
            f"database {connection.info.dbname} is newer than this program, which does not know "
            f"{', '.join(status.unknown)}: install the release that made it"
        )


def _apply(
    connection: Connection, migration: Migration, known: tuple[Migration, ...], *, lock_timeout_s: float
) -> bool:
    """Run one file unless another migrator just did; says whether it ran here."""
    try:
        with connection.transaction():
            _set_local(connection, "lock_timeout", f"{_OTHER_MIGRATOR_TIMEOUT_S}s")
            connection.execute("LOCK TABLE schema_migration IN SHARE ROW EXCLUSIVE MODE")
            status = load_status(connection, known)
            _refuse_newer(status, connection)
            if migration not in status.pending:
                return False
            _set_local(connection, "lock_timeout", f"{int(lock_timeout_s * 1000)}ms")
            connection.execute(migration.text.encode())
            connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (migration.name,))
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationError(
            f"{migration.name}: waited {lock_timeout_s:g} s for a lock that another transaction holds; nothing of this "
            "file was applied. End that transaction (pg_stat_activity shows it) or run again at a quieter time"
        ) from error
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name}: nothing of this file was applied: {error}") from error
    return True


def _set_local(connection: Connection, name: str, value: str) -> None:
    connection.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)))
