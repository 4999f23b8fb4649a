"""What the commands of collectors and cash share: who and what is meant, and how receipts and sessions are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from billing.cash import Takings
from billing.collectors import Collector
from billing.payments import Method, NotDone
from billing.store.cash import Receipt, Session, find_receipt
from billing.store.collectors import load_collectors
from billing.store.issuers import Issuer, load_issuers
from billing.store.payments import load_methods
from control_plane.cli._books import read_decimal, today_of
from control_plane.cli._console import Connection, Refused, unknown
from control_plane.quantities import QuantityError

_Done = TypeVar("_Done")
SIZES: Final = ("80mm", "58mm", "a4")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would come of it; write nothing.")
COUNT = click.option(
    "--count",
    "counted",
    multiple=True,
    metavar="VALUE=PIECES",
    help="Notes or coins of a value, such as 50=3; once for each value.",
)
PDF = click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), help="Print it to this file.")
SIZE = click.option("--size", type=click.Choice(SIZES), default="80mm", show_default=True, help="Of the paper.")


def known_collector(connection: Connection, text: str) -> Collector:
    """The collector of that number or name, or the refusal that names similar ones."""
    collectors = load_collectors(connection)
    by_name = [one for one in collectors if one.name == text]
    if len(by_name) > 1:
        raise Refused(f"there are {len(by_name)} collectors named {text!r}: give the number")
    by_number = [one for one in collectors if text.isdigit() and one.id == int(text)]
    if not (by_name or by_number):
        raise unknown("collector", text, [one.name for one in collectors], also="`corrente collector list` shows them")
    return (by_name or by_number)[0]


def issuer_of(connection: Connection, issuer_id: int) -> Issuer:
    """The issuer of that id, which is there."""
    return next(one for one in load_issuers(connection) if one.id == issuer_id)


def day_of(connection: Connection, issuer_id: int) -> date:
    """What day it is where an issuer is."""
    return today_of(issuer_of(connection, issuer_id).zone)


def known_method(connection: Connection, issuer_id: int, code: str) -> Method:
    """The issuer's way of being paid of that code."""
    methods = {one.code: one for one in load_methods(connection, issuer_id)}
    if code not in methods:
        raise unknown("method", code, methods, also="`corrente payment methods` shows them")
    return methods[code]


def known_receipt(connection: Connection, label: str) -> Receipt:
    """The receipt of that printed number."""
    found = find_receipt(connection, label)
    if len(found) != 1:
        said = "there is no receipt" if not found else f"{len(found)} issuers have a receipt"
        hint = "give the number of the payment" if found else "`corrente cash show SESSION` lists them"
        raise Refused(f"{said} {label!r}; {hint}")
    return found[0]


def read_pieces(counted: Sequence[str]) -> dict[Decimal, int]:
    """What was counted, as it is typed: 50=3."""
    pieces: dict[Decimal, int] = {}
    for text in counted:
        value, equals, many = text.partition("=")
        if not equals or not many.strip().isdigit():
            raise click.UsageError(f"--count {text}: expected a value and how many, such as 50=3")
        try:
            read = read_decimal(value, places=3)
        except QuantityError as error:
            raise click.UsageError(f"--count {text}: {error}") from error
        if read in pieces:
            raise click.UsageError(f"--count {text}: {value} was counted before; give each value once")
        pieces[read] = int(many)
    return pieces


def done(outcome: _Done | NotDone) -> _Done:
    """What was done, or the refusal in its words."""
    if isinstance(outcome, NotDone):
        raise Refused(outcome.message)
    return outcome


def tell_session(session: Session) -> None:
    """A session in a few lines."""
    takings = session.takings
    state = "open" if session.closed_on is None else f"handed over on {session.closed_on} to {session.taken_by}"
    click.echo(f"Session {session.id} of {session.collector}: {state}")
    rows = (
        ("began with", takings.opening),
        ("came in, in cash", takings.received),
        ("taken out before", takings.withdrawn),
        ("taken back", takings.taken_back),
        ("should be there", takings.expected),
        ("counted", session.counted),
        ("difference", session.difference),
    )
    for said, amount in rows:
        if amount is not None and (amount or said in {"should be there", "counted", "difference"}):
            click.echo(f"  {said:<17}{amount}")
    if session.note:
        click.echo(f"  {session.note}")


def session_json(session: Session) -> dict[str, Any]:
    """A session's fields; amounts as decimals in its currency."""
    plain = {one.name: getattr(session, one.name) for one in fields(session) if one.name != "takings"}
    sums = {one.name: getattr(session.takings, one.name) for one in fields(Takings)}
    return {**plain, **sums, "should_be_there": session.takings.expected, "difference": session.difference}


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
