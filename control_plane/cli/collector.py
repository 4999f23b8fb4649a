"""`corrente collector`: who takes payments in the field, from whom, and what is taken."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from billing.collectors import Scope, read_scope
from billing.money import read_money
from billing.operations.collecting import Taken, Taking, take_payment
from billing.operations.printing import load_receipt_paper
from billing.payments import NewPayment, NotDone, PaymentSource
from billing.store.collectors import (
    count_collectable,
    load_collectable,
    load_collectors,
    load_scopes,
    load_series,
)
from billing.store.payments import find_twin, hold_customers, load_let_go, load_settled
from control_plane.cli._books import (
    AMOUNT,
    CURRENCY,
    DAY,
    DECIMAL,
    currency_meant,
    issuer_meant,
    known_customer,
    known_issuer,
    open_books,
)
from control_plane.cli._cash_words import (
    DRY_RUN,
    JSON,
    PDF,
    SIZE,
    day_of,
    done,
    issuer_of,
    known_collector,
    known_method,
)
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._payment_choices import read_choices
from control_plane.cli._print import print_to
from control_plane.collectors import add_collector, add_receipt_series, change_collector, series_meant, take_away
from control_plane.collectors import assign as assign_scopes
from control_plane.settings import Settings

command = Group("collector", help="Who takes payments in the field, from whom, and what is taken.")

_ISSUER = click.option("--issuer", help="Whose books; not needed where there is one issuer.")
_SCOPES = click.argument("scopes", nargs=-1, required=True, metavar="SCOPE...")


@command.command("list")
@_ISSUER
@JSON
@click.pass_obj
def list_(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """All collectors with what they may collect."""
    with open_books(settings) as connection:
        issuer_id = None if issuer is None else known_issuer(connection, issuer).id
        found = [(one, load_scopes(connection, one.id)) for one in load_collectors(connection, issuer_id=issuer_id)]
    if as_json:
        print_json([{**asdict(one), "scopes": list(map(str, scopes))} for one, scopes in found])
        return
    rows = (
        (
            one.id,
            one.name,
            one.series,
            one.most_cash,
            "; ".join(map(str, scopes)) or "nobody",
            None if one.active else "collects no more",
        )
        for one, scopes in found
    )
    columns = ("NUMBER", "NAME", "RECEIPTS", "MOST CASH", "COLLECTS FROM", "")
    print_table(columns, rows, empty="No collectors: `corrente collector new NAME` adds one.")


@command.command("new")
@click.argument("name")
@click.option("--login", help="As whom the collector signs in.")
@click.option("--series", help="Which series numbers the receipts; RE if not said.")
@click.option("--most-cash", type=AMOUNT, help="Who carries so much hands it over before taking more.")
@_ISSUER
@JSON
@click.pass_obj
def new(settings: Settings, /, *, name: str, issuer: str | None, as_json: bool, **typed: Any) -> None:
    """Add a collector, who may collect from nobody until `assign` says from whom."""
    with open_books(settings) as connection:
        keeper = issuer_meant(connection, issuer)
        row = {
            "issuer_id": keeper.id,
            "name": name,
            "login": typed["login"],
            "most_cash": typed["most_cash"],
            "series_id": _series(connection, keeper.id, typed["series"]),
        }
        number = add_collector(connection, row, actor=os_user())
    if as_json:
        print_json({"collector": number})
        return
    click.echo(
        f"Collector {number} {name}: `corrente collector assign {number} city:Torino` says from whom to collect."
    )


@command.command("set")
@click.argument("collector")
@click.option("--name", help="Another name.")
@click.option("--login", help="As whom the collector signs in; an empty one takes it away.")
@click.option("--series", help="Which series numbers the receipts from now on.")
@click.option("--most-cash", type=AMOUNT, help="Who carries so much hands it over before taking more; 0 is no limit.")
@click.option("--active/--inactive", default=None, help="Who is inactive takes nothing and sees nothing.")
@click.pass_obj
def set_(settings: Settings, /, *, collector: str, **typed: Any) -> None:
    """Change COLLECTOR (number or name)."""
    with open_books(settings) as connection:
        known = known_collector(connection, collector)
        changes = {key: value for key, value in typed.items() if value is not None and key != "series"}
        changes |= {key: None for key in ("login", "most_cash") if changes.get(key) in ("", Decimal(0))}
        if typed["series"] is not None:
            changes["series_id"] = _series(connection, known.issuer_id, typed["series"])
        if not changes:
            raise click.UsageError("say what to change")
        change_collector(connection, known.id, changes, actor=os_user())
    click.echo(f"Collector {known.id}: changed.")


@command.command("series")
@click.argument("code")
@click.argument("name")
@_ISSUER
@click.pass_obj
def series_(settings: Settings, *, code: str, name: str, issuer: str | None) -> None:
    """Add a series of numbers for receipts, such as one for a collector: CODE stands in each number."""
    with open_books(settings) as connection:
        done(add_receipt_series(connection, issuer_meant(connection, issuer).id, code, name, actor=os_user()))
    click.echo(f"Series {code}: the first receipt of a year is 1/{code}/YEAR.")


@command.command("assign")
@click.argument("collector")
@_SCOPES
@click.option("--until", "through", type=DAY, help="Up to and with this day.")
@click.pass_obj
def assign(settings: Settings, collector: str, scopes: Sequence[str], *, through: date | None) -> None:
    """Let COLLECTOR collect from everyone, customer:17, group:north, city:Torino, province:TO or postal_code:101 (what begins so)."""
    with open_books(settings) as connection:
        known = known_collector(connection, collector)
        today = day_of(connection, known.issuer_id)
        refused = assign_scopes(connection, known, _scopes(connection, scopes, through), today=today, actor=os_user())
        if refused is not None:
            raise Refused(refused.message)
        _tell_scopes(connection, known.id, known.name)


@command.command("unassign")
@click.argument("collector")
@_SCOPES
@click.pass_obj
def unassign(settings: Settings, collector: str, scopes: Sequence[str]) -> None:
    """Let COLLECTOR collect from these no more."""
    with open_books(settings) as connection:
        known = known_collector(connection, collector)
        if take_away(connection, known, _scopes(connection, scopes, None), actor=os_user()) is not None:
            raise Refused(
                f"{known.name} does not collect from all of them: `corrente collector list` shows what is assigned"
            )
        _tell_scopes(connection, known.id, known.name)


@command.command("documents")
@click.argument("collector")
@click.option("--due", type=DAY, help="What is due on or before a day.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@JSON
@click.pass_obj
def documents(settings: Settings, collector: str, *, due: date | None, limit: int, as_json: bool) -> None:
    """What COLLECTOR sees: open invoices of whom is assigned, what is due first in front."""
    with open_books(settings) as connection:
        found = load_collectable(connection, known_collector(connection, collector).id, due_by=due, limit=limit)
    if as_json:
        print_json([asdict(one) | {"open": one.open, "payable": one.payable, "currency": one.open.currency} for one in found])  # fmt: skip
        return
    rows = (
        (one.label, one.due_on, one.open, f"{one.customer} ({one.customer_id})", one.address, one.phone)
        for one in found
    )
    print_table(("NUMBER", "DUE", "OPEN", "CUSTOMER", "ADDRESS", "PHONE"), rows, empty="Nothing to collect.")


@command.command("take")
@click.argument("collector")
@click.argument("customer")
@click.argument("amount", type=DECIMAL)
@click.option("--method", default="cash", show_default=True, help="By which method: `corrente payment methods`.")
@click.option("--key", help="The payment's own name, from who takes it: the same again is the same payment.")
@click.option("--invoice", "chosen", multiple=True, metavar="NUMBER[=AMOUNT]", help="An invoice that the customer wants paid first.")  # fmt: skip
@click.option("--date", "day", type=DAY, help="When the money was taken; today where the issuer is.")
@click.option("--currency", type=CURRENCY, help="Of the issuer's books, if not said.")
@click.option("--note", help="Anything to be remembered.")
@click.option("--again", is_flag=True, help="A second one like one that is there, without a key to tell them apart.")
@PDF
@SIZE
@DRY_RUN
@JSON
@click.pass_obj
def take(settings: Settings, /, *, dry_run: bool, as_json: bool, pdf: Path | None, size: str, **typed: Any) -> None:
    """COLLECTOR took AMOUNT of CUSTOMER: it counts at once, has a numbered receipt, and is in the collector's hands."""
    with open_books(settings) as connection:
        collector = known_collector(connection, typed["collector"])
        today = day_of(connection, collector.issuer_id)
        taking = _taking(connection, collector.id, collector.issuer_id, today, typed)
        taken = done(take_payment(connection, taking, today=today, actor=os_user()))
        _tell_taken(connection, taken, as_json=as_json)
        if dry_run:
            connection.rollback()
            if not as_json:
                click.echo("Dry run: nothing was written, and no number was taken.")
        elif pdf is not None:
            connection.commit()
            print_to(settings, *load_receipt_paper(connection, taken.payment.id, size=size), pdf)


def _taking(connection: Connection, collector_id: int, issuer_id: int, today: date, typed: dict[str, Any]) -> Taking:
    currency = currency_meant(connection, issuer_of(connection, issuer_id), typed["currency"])
    amount, method = read_money(typed["amount"], currency), known_method(connection, issuer_id, typed["method"])
    customer_id, value_on = known_customer(connection, typed["customer"]).id, typed["day"] or today
    if typed["key"] is None and not typed["again"]:
        # Two of them at once: the second one sees what the first one recorded.
        hold_customers(connection, [customer_id])
        like = NewPayment(method, amount, value_on, PaymentSource.COLLECTOR, customer_id=customer_id)
        if (twin := find_twin(connection, like)) is not None:
            raise Refused(
                f"payment {twin} is of the same customer, method, amount and day; if this is another one, say --again"
            )
    choices = read_choices(connection, typed["chosen"], currency)
    key = typed["key"] or str(uuid.uuid4())
    return Taking(collector_id, customer_id, amount, method, key, value_on, choices, typed["note"])


def _tell_taken(connection: Connection, taken: Taken, *, as_json: bool) -> None:
    receipt, payment = taken.receipt, taken.payment
    settled = load_settled(connection, payment.id)
    if as_json:
        rows = [{"invoice": label, "amount": amount} for label, amount in settled]
        facts = {
            "receipt": receipt.label,
            "payment": payment.id,
            "session": receipt.session_id,
            "amount": payment.money,
        }
        print_json({**facts, "currency": payment.money.currency, "settles": rows, "recorded_before": taken.again})
        return
    was = " (taken before; nothing was written)" if taken.again else ""
    click.echo(f"Receipt {receipt.label}: {payment.money} by {payment.method} from {receipt.customer}, payment {payment.id}, session {receipt.session_id}{was}")  # fmt: skip
    for label, amount in settled:
        click.echo(f"  settles {amount.amount} of {label}")
    for contract in load_let_go(connection, payment.id):
        click.echo(f"  lets contract {contract} go: it was limited for a debt")
    if payment.open:
        click.echo(f"  {payment.open} is credit")


def _series(connection: Connection, issuer_id: int, code: str | None) -> int:
    found = series_meant(connection, issuer_id, code)
    if isinstance(found, NotDone):
        by_code = [name for _, name in load_series(connection, issuer_id, "receipt")]
        if code is None or not by_code:
            raise Refused(f"{found.message}: `corrente collector series RE Receipts` adds one")
        raise unknown("series of receipts", code, by_code, also=f"there are {', '.join(by_code)}")
    return found


def _scopes(connection: Connection, texts: Sequence[str], through: date | None) -> list[Scope]:
    scopes = [done(read_scope(text, through=through)) for text in texts]
    for one in scopes:
        if one.kind == "customer" and one.value is not None:
            known_customer(connection, one.value)
    return scopes


def _tell_scopes(connection: Connection, collector_id: int, name: str) -> None:
    found = "; ".join(map(str, load_scopes(connection, collector_id)))
    many = count_collectable(connection, collector_id)
    click.echo(f"{name} collects from {found or 'nobody'}: {many:,} customer{'' if many == 1 else 's'} now.")
