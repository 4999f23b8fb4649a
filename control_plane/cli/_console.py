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
from control_plane.cli._books_words import BOOKS_WORDS
from control_plane.cli._keyed import held_connection
from control_plane.cli._table import print_fitted
from control_plane.exit_codes import TRY_AGAIN
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


# What a person did, for the constraints that a command can run into.
CONSTRAINT_WORDS: Final = {
    "nas_name_key": "there is a NAS of this name already",
    "nas_name_check": "a NAS name has up to 64 letters, digits, dots, dashes and underscores",
    "nas_source_once": "another NAS has this source already",
    "nas_source_not_everyone": "the source of a NAS is at least a /8, in IPv6 a /16: anyone else could ask as this NAS",
    "nas_coa_source_reaches": "CoA can't leave from an IPv6 address to an IPv4 one or the other way round",
    "nas_api_username_check": "an API user has up to 253 printable characters",
    "nas_ssh_username_check": "an SSH user has up to 253 printable characters",
    "nas_realms_bare": "a realm is what stands after the @, without it and without spaces",
    "profile_name_key": "there is a profile of this name already",
    "profile_name_check": "a profile name has up to 64 letters, digits, spaces, dots, dashes and underscores",
    "profile_burst_above_rate": "a burst needs a rate and is not below it, in both directions",
    "profile_threshold_needs_burst": "a burst threshold needs a burst",
    "profile_threshold_below_burst": "a burst threshold is not above the burst, in both directions",
    "profile_burst_time_needs_burst": "a burst time needs a burst",
    "profile_minimum_below_rate": "a minimum needs a rate and is not above it, in both directions",
    "profile_priority_needs_rate": "a priority needs a rate",
    "profile_address_lists_fit": "the name of an address list has up to 60 characters and no control characters",
    "profile_burst_time_s_check": "a burst time is 1 s to 1 h",
    "profile_session_timeout_s_check": "a session timeout is 60 s to 365 d",
    "profile_idle_timeout_s_check": "an idle timeout is 60 s to 365 d",
    "profile_interim_interval_s_check": "an interim interval is 60 s to 1 d (RFC 2869 section 5.16)",
    "plan_window_one_at_a_time": "these hours overlap others of the plan",
    "plan_change_applied_is_final": "the plan change of that day is applied already",
    "plan_name_key": "there is a plan of this name already",
    "subscriber_account_username_once": "there is a subscriber account of this username already",
    "subscriber_account_username_fits": "a username has up to 253 bytes and no control characters",
    "contract_dates_in_order": "a contract does not end before it starts",
    "contract_ended_has_end": "an ended contract needs its end: --ends-on",
    "restriction_until_after_since": "a restriction ends after it begins",
    "relief_one_at_a_time": "the contract has another relief in that time",
    "relief_is_bounded": "a relief ends after it begins",
    "subscriber_account_circuit_ids_fit": "a circuit id has up to 253 characters and no control characters",
    "account_prefix_one_holder": "another account holds this address, all of it or a part",
    "account_prefix_assigned_once": "this address or prefix is held already",
    "account_prefix_family": "an IPv4 address is one address, an IPv6 one too, and an IPv6 prefix is a /32 to /128",
    "account_prefix_unicast": "this address is no subscriber's: loopback, multicast, link-local or reserved",
    "staff_name_check": "a name to sign in with has up to 64 letters, digits, dots, dashes, underscores and @",
    "staff_full_name_check": "what people call somebody has 1 to 200 characters",
    "staff_email_check": "an e-mail address has an @ and no spaces",
    "staff_email_once": "somebody else has this e-mail address already",
    "staff_is_collector_or_agent": "nobody is bound to a collector and to an agent",
    "staff_role_name_check": "a role's name has up to 64 letters, digits, spaces, dots, dashes and underscores",
    "api_token_name_check": "a token's name has 1 to 100 characters",
    **BOOKS_WORDS,
}


# Of whatever table: columns that a person fills in and that are the same everywhere.
_TEXT_WORDS: Final = {
    "note": "a note has at least one character; leave it out instead",
    "payer": "who paid has 1 to 400 characters; leave it out instead",
    "reason": "say why: a reason has at least one character",
    "reason_code": "a code has 1 to 40 letters, digits, dots, dashes and underscores, such as AM04",
    "reference": "a reference has 1 to 200 characters",
}


def words_for(error: psycopg.errors.IntegrityError) -> str:
    """What the database refused, in a person's words."""
    named = error.diag.constraint_name or ""
    column = named.removeprefix(f"{error.diag.table_name}_").removesuffix("_check")
    words = CONSTRAINT_WORDS.get(named) or (_TEXT_WORDS.get(column) if named.endswith("_check") else None)
    # Not the detail: it quotes the whole row.
    hint = f". {error.diag.message_hint}" if error.diag.message_hint else ""
    return words or f"the database refuses this: {error.diag.message_primary}{hint}"


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
