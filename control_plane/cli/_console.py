"""What commands share: a connection, expected failures as one clear line, near matches of a name, tables, JSON."""

from __future__ import annotations

import difflib
import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
import orjson
import psycopg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from control_plane import db
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]
_NEAR_MATCHES: Final = 3
# Wider than any table of ours, so that measuring never folds a line.
_MEASURING_WIDTH: Final = 1000


class Refused(click.ClickException):
    """The command did nothing, and why: one line, exit code 1."""


@contextmanager
def open_database(settings: Settings, *, autocommit: bool = False, role: str = "corrente") -> Iterator[Connection]:
    """A connection for one command; what PostgreSQL refuses ends the command with its words."""
    conninfo = settings.conninfo(role)
    try:
        connection = db.connect(conninfo, name="command", autocommit=autocommit)
    except psycopg.OperationalError as error:
        where = {
            k: v for k, v in psycopg.conninfo.conninfo_to_dict(conninfo).items() if k in ("host", "port", "dbname")
        }
        place = " ".join(f"{key}={value}" for key, value in where.items())
        raise Refused(
            f"can't reach the database ({place}): {str(error).strip()}\n"
            "Start it with `corrente up`, or set [database] conninfo in corrente.toml"
        ) from error
    with connection:
        try:
            yield connection
        except psycopg.errors.UndefinedTable as error:
            raise Refused(
                f"the database does not hold Corrente's tables ({error.diag.message_primary}): run `corrente db status`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise Refused(f"the database refuses role {connection.info.user}: {error.diag.message_primary}") from error
        except psycopg.OperationalError as error:
            raise Refused(f"the connection to the database broke, nothing was changed: {str(error).strip()}") from error


def os_user() -> str:
    """Who types: the operating system's user, behind sudo the one who called it."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name


def unknown(noun: str, name: str, known: Iterable[str]) -> Refused:
    """The refusal of a name that is not there, with the ones most like it."""
    near = difflib.get_close_matches(name, list(known), n=_NEAR_MATCHES, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return Refused(f"there is no {noun} {name!r}{hint}")


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode())


def print_table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]], *, empty: str) -> None:
    """A table as wide as its content, the same on a terminal and in a pipe; `empty` when there are no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    if not table.rows:
        click.echo(empty)
        return
    width = Console(width=_MEASURING_WIDTH).measure(table).maximum
    Console(highlight=False, width=width).print(table)
