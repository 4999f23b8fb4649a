"""`corrente promise`: promises to pay, with a proof of payment or without, and what is thought of the proof."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from billing.dunning.promise import RefusedPromise
from billing.dunning.words import say
from billing.operations.promising import Proof, review_promise, take_promise
from billing.payments import NotDone
from billing.store.issuers import load_issuers
from billing.store.promises import KnownPromise, load_promise_list
from control_plane.cli._books import CURRENCY, issuer_meant, known_customer, open_books
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.cli._dunning_deeds import read_file
from control_plane.cli._dunning_lists import shown
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.settings import Settings

command = Group("promise", help="Promises to pay: the line is open for the promised hours.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@command.command("ask")
@keyed
@click.argument("customer")
@click.option("--proof", type=click.Path(dir_okay=False, path_type=Path), help="A proof of payment, to be looked at.")  # fmt: skip
@click.option("--currency", type=CURRENCY, help="Of the issuer's books, if not said.")
@click.option("--issuer", help="To whom; not needed where there is one issuer.")
@click.option("--dry-run", is_flag=True, help="Say whether it would be taken; write nothing.")
@click.pass_obj
def ask(
    settings: Settings, customer: str, *, proof: Path | None, currency: str | None, issuer: str | None, dry_run: bool
) -> None:
    """CUSTOMER promises to pay what is overdue: the lines are open for the hours of the policy, within its limits."""
    with open_books(settings) as connection:
        whose = issuer_meant(connection, issuer)
        key = (known_customer(connection, customer).id, whose.id, currency or whose.currency)
        taken = take_promise(
            connection,
            key,
            now=datetime.now(UTC),
            asked_by="operator",
            actor=os_user(),
            proof=None if proof is None else Proof(*read_file(proof)),
        )
        zone = ZoneInfo(whose.zone)
        if isinstance(taken, NotDone):
            raise Refused(taken.message)
        if isinstance(taken, RefusedPromise):
            again = f"; the same is taken from {shown(taken.until, zone)} on" if taken.until else ""
            raise Refused(f"no promise is taken: {say(taken.reason, 'en', zone)}{again}")
        if dry_run:
            connection.rollback()
            click.echo("Dry run: nothing was written.")
    promise = taken.known.promise
    until = shown(promise.respite_until, zone)
    lines = "1 line is" if taken.reliefs == 1 else f"{taken.reliefs} lines are"
    opened = (
        f"{lines} open until {until}"
        if taken.reliefs
        else f"no line is limited for it, and none will be before {until}"
    )
    click.echo(f"Promise {taken.known.id}: {promise.amount} until {shown(promise.until, zone)}; {opened}")
    if promise.has_proof:
        click.echo(f"`corrente promise review {taken.known.id} valid` (or invalid) says what is thought of the proof.")


@command.command("list")
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@click.option("--to-review", is_flag=True, help="Those with a proof that nobody has looked at.")
@click.option("--open", "only_open", is_flag=True, help="Those that are neither kept nor broken.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@_JSON
@click.pass_obj
def list_(settings: Settings, /, *, customer: str | None, as_json: bool, **asked: Any) -> None:
    """The newest promises, and what became of them."""
    with open_database(settings) as connection:
        whose = None if customer is None else known_customer(connection, customer).id
        found = load_promise_list(connection, customer_id=whose, **asked)
        zones = {one.id: ZoneInfo(one.zone) for one in load_issuers(connection)}
    if as_json:
        print_json([_fields(one) for one in found])
        return
    rows = (
        (
            *(one.id, one.key[0], one.promise.amount, shown(one.promise.made_at, zones[one.key[1]])),
            *(shown(one.promise.until, zones[one.key[1]]), one.promise.state, _proof(one), one.made_by),
        )
        for one in found
    )
    print_table(("NUMBER", "CUSTOMER", "AMOUNT", "MADE", "UNTIL", "STATE", "PROOF", "BY"), rows, empty="No promises.")


@command.command("review")
@keyed
@click.argument("number", type=int)
@click.argument("verdict", type=click.Choice(("valid", "invalid")))
@click.pass_obj
def review(settings: Settings, number: int, verdict: str) -> None:
    """Say what the proof of promise NUMBER is worth.

    Valid: it was kept, and the money has time to come before anything is limited again. Invalid: it is broken, and the lines are
    limited again at the next moment that the policy's hours allow.
    """
    with open_books(settings) as connection:
        done = review_promise(connection, number, valid=verdict == "valid", now=datetime.now(UTC), actor=os_user())
        if isinstance(done, NotDone):
            raise Refused(done.message)
        zone = next(ZoneInfo(one.zone) for one in load_issuers(connection) if one.id == done.key[1])
    click.echo(f"Promise {number} is {done.promise.state}; its lines are open until {shown(done.promise.respite_until, zone)}.")  # fmt: skip


def _proof(one: KnownPromise) -> str | None:
    if one.proof_id is None:
        return None
    said = {None: "to be looked at", True: "valid", False: "not valid"}[one.promise.reviewed]
    return f"file {one.proof_id}: {said}"


def _fields(one: KnownPromise) -> dict[str, Any]:
    promise = one.promise
    return {
        "id": one.id,
        "customer_id": one.key[0],
        "issuer_id": one.key[1],
        "currency": one.key[2],
        "case_id": promise.case_id,
        "amount": promise.amount.amount,
        "made_at": promise.made_at,
        "until": promise.until,
        "respite_until": promise.respite_until,
        "state": promise.state,
        "ended_at": promise.ended_at,
        "proof_id": one.proof_id,
        "reviewed": promise.reviewed,
        "asked_by": one.asked_by,
        "made_by": one.made_by,
    }
