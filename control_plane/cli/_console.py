"""What commands share: a connection, expected failures as one clear line, near matches of a name, tables, JSON."""

from __future__ import annotations

import dataclasses
import difflib
import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import orjson
import psycopg

from billing.money import Money
from control_plane import db
from control_plane.cli._keyed import held_connection
from control_plane.cli._table import print_fitted
from control_plane.exit_codes import TRY_AGAIN
from control_plane.refusals import words_for
from control_plane.settings import NOT_YOURS, Settings, SettingsError, secret_keys
from control_plane.store.account import Account, load_account, load_similar_usernames
from nas_drivers.errors import printable
from radius_hooks.sealing import Sealer, SealError

Connection = psycopg.Connection[Any]
_NEAR_MATCHES: Final = 3
_COLUMN_UNIT: Final = re.compile(r"(_(down|up)_bps|_octets|_s|_id)$")


class Refused(click.ClickException):
    """The command did nothing, and why: one line, exit code 1."""


class Busy(Refused):
    """The same, and typed again it will do."""

    exit_code = TRY_AGAIN


@contextmanager
def open_database(settings: Settings, *, autocommit: bool = False, role: str = "corrente") -> Iterator[Connection]:
    """A connection for one command; what PostgreSQL refuses ends the command with its words.

    A command that was given a key has one connection, which is committed together with its answer: see _keyed.py.
    """
    held = held_connection(lambda: _opened(settings, autocommit=False, role=role), caller=os_user())
    if held is not None:
        yield held
        return
    with _opened(settings, autocommit=autocommit, role=role) as connection:
        yield connection


@contextmanager
def _opened(settings: Settings, *, autocommit: bool, role: str) -> Iterator[Connection]:
    conninfo = settings.conninfo(role)
    try:
        connection = db.connect(conninfo, name="command", autocommit=autocommit, origin="command")
    except psycopg.OperationalError as error:
        where = {
            k: v for k, v in psycopg.conninfo.conninfo_to_dict(conninfo).items() if k in ("host", "port", "dbname")
        }
        place = " ".join(f"{key}={value}" for key, value in where.items())
        raise Refused(
            f"can't reach the database ({place}): {str(error).strip()}\n"
            + (
                f"The database is not for every user of this machine: {NOT_YOURS}"
                if "Peer authentication" in str(error)
                else "Start it with `corrente up`, or set [database] conninfo in corrente.toml"
            )
        ) from error
    with closing(connection), connection:
        try:
            yield connection
        except psycopg.errors.UndefinedTable as error:
            raise Refused(
                f"the database does not hold Corrente's tables ({error.diag.message_primary}): run `corrente db status`"
            ) from error
        except (
            psycopg.errors.UndefinedColumn,
            psycopg.errors.UndefinedFunction,
            psycopg.errors.UndefinedObject,
        ) as error:
            raise Refused(
                f"the database is of another version than this program ({error.diag.message_primary}): run `corrente db status`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise Refused(f"the database refuses role {connection.info.user}: {error.diag.message_primary}") from error
        except psycopg.errors.IntegrityError as error:
            raise Refused(words_for(error)) from error
        except psycopg.DataError as error:
            raise Refused(f"{_words_for_data(error)}; nothing was changed") from error
        except UnicodeEncodeError as error:
            # What was typed in another encoding than the terminal's comes in as lone surrogates.
            raise Refused(f"{error.object!r} is no text in UTF-8; nothing was changed") from error
        except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable) as error:
            raise Busy(
                "somebody else was changing the same at this moment, so this was not done: type it again"
            ) from error
        except psycopg.OperationalError as error:
            raise Refused(f"the connection to the database broke, nothing was changed: {str(error).strip()}") from error


def _words_for_data(error: psycopg.DataError) -> str:
    if isinstance(error, psycopg.errors.NumericValueOutOfRange):
        return "a number is greater than the database holds"
    return f"the database refuses this: {error.diag.message_primary or error}"


def os_user() -> str:
    """Who types: the operating system's user, behind sudo the one who called it."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name


def unknown(noun: str, name: str, known: Iterable[str], *, also: str = "") -> Refused:
    """The refusal of a name that is not there, with the ones most like it, else with what `also` says."""
    near = difflib.get_close_matches(name, list(known), n=_NEAR_MATCHES, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; {also}" if also else ""
    return Refused(f"there is no {noun} {name!r}{hint}")


def known_account(connection: Connection, username: str) -> Account:
    """The account of that username, or the refusal that names similar ones."""
    account = load_account(connection, username)
    if account is None:
        raise unknown("subscriber account", username, load_similar_usernames(connection, username))
    return account


def sealer_of(settings: Settings) -> Sealer:
    """What seals and opens secrets with the settings' keys."""
    try:
        return Sealer(secret_keys(settings))
    except (SettingsError, SealError) as error:
        raise Refused(str(error)) from error


def print_json(value: object) -> None:
    """One JSON document on standard output. Amounts are text with all their digits, as exact numbers are."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    click.echo(orjson.dumps(value, option=options, default=_jsonable).decode())


def _jsonable(value: object) -> object:
    if isinstance(value, Money):
        return str(value.amount)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)


def print_table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]], *, empty: str) -> None:
    """A table as wide as its content in a pipe, and on a terminal not wider than that; `empty` when there are no rows. A cell is one
    line, with nothing in it that a terminal obeys."""
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    print_fitted(columns, cells, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def day_shown(moment: datetime | None, zone: ZoneInfo) -> str:
    """The day of a moment there: in UTC an evening of America is tomorrow, and an hour after midnight in Europe yesterday."""
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d}"


def changed_words(columns: Iterable[str]) -> str:
    """Columns that were changed as a person names them: `rate_down_bps` and `rate_up_bps` are the rate."""
    said = (_COLUMN_UNIT.sub("", column.removeprefix("sealed_")).replace("_", " ") for column in columns)
    return ", ".join(dict.fromkeys(said))


def leveled(level: str, reason: str) -> str:
    """A level with its reason, which names a block by itself."""
    return reason if reason.startswith(f"{level}: ") else f"{level}: {reason}"
