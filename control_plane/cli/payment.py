"""`corrente payment`: money that came in, whose it is, what it settles, that it came back or is given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import click

from billing.money import Money, read_money
from billing.operations.giving_back import refund_credit_note, refund_payment, undo_write_off, write_off
from billing.operations.receiving import Recorded, choose, match_payment, record_payment, reverse_payment
from billing.payments import Happening, Method, NewPayment, NotDone, PaymentSource
from billing.store.issued import find_document, load_parties_of
from billing.store.issuers import Issuer, load_issuers
from billing.store.payments import (
    KnownPayment,
    PaymentRow,
    find_twin,
    hold_customers,
    load_let_go,
    load_methods,
    load_open_again,
    load_payment,
    load_payments,
    load_settled,
    load_write_off_issuer,
    save_mails_receipt,
)
from control_plane.cli._books import (
    CURRENCY,
    DAY,
    DECIMAL,
    currency_meant,
    issuer_meant,
    known_customer,
    known_issuer,
    open_books,
    today_of,
)
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.cli._payment_bank import command as bank
from control_plane.cli._payment_bulk import bulk, pay, return_fee
from control_plane.cli._payment_choices import read_choices
from control_plane.cli._payment_import import files, import_
from control_plane.cli._payment_queue import command as queue
from control_plane.cli._payment_return import fee_words, tell_open_again
from control_plane.settings import Settings

command = Group("payment", help="Payments: recorded, matched, laid on invoices, taken back, refunded.")
for _part in (bank, import_, files, queue, bulk, pay, return_fee):
    command.add_command(_part)

_SOURCES: Final = ("manual", "counter")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ISSUER = click.option("--issuer", help="Whose books; not needed where there is one issuer.")
_REASON = click.option("--reason", required=True, help="Why, in a few words.")
_DATE = click.option("--date", "day", type=DAY, help="Of which day; today where the issuer is.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would come of it; write nothing.")
_YES = click.option("--yes", is_flag=True, help="Don't ask.")
_CHOICE = click.option(
    "--invoice",
    "chosen",
    multiple=True,
    metavar="NUMBER[=AMOUNT]",
    help="An invoice that the customer wants paid, and how much of it; may be given several times.",
)


@command.command("list")
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@_ISSUER
@click.option("--from", "since", type=DAY, help="Of value on or after a day.")
@click.option("--until", type=DAY, help="Of value on or before a day.")
@click.option("--unmatched", "only_unmatched", is_flag=True, help="Those that nobody is known for.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_JSON
@click.pass_obj
def list_(settings: Settings, /, *, customer: str | None, issuer: str | None, as_json: bool, **options: Any) -> None:
    """The newest payments."""
    with open_books(settings) as connection:
        found = load_payments(
            connection,
            customer_id=None if customer is None else known_customer(connection, customer).id,
            issuer_id=None if issuer is None else known_issuer(connection, issuer).id,
            **options,
        )
    if as_json:
        print_json([_fields(row) for row in found])
        return
    rows = (
        (
            row.id,
            row.value_on,
            f"{row.customer} ({row.customer_id})" if row.customer_id else f"? {row.payer or ''}".strip(),
            row.method,
            row.money,
            "came back" if row.reversed_on else row.open.amount if row.open else None,
            row.reference,
        )
        for row in found
    )
    print_table(("NUMBER", "VALUE", "FROM", "BY", "AMOUNT", "LEFT", "REFERENCE"), rows, empty="No payments.")


@command.command("methods")
@_ISSUER
@_JSON
@click.pass_obj
def methods_(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """The ways in which an issuer is paid."""
    with open_books(settings) as connection:
        found = load_methods(connection, issuer_meant(connection, issuer).id)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.code,
            one.name,
            one.kind,
            one.returns_days,
            "mailed" if one.mails_receipt else None,
            None if one.offered else "no more",
        )
        for one in found
    )
    print_table(("CODE", "NAME", "KIND", "RETURNS DAYS", "RECEIPT", "OFFERED"), rows, empty="None.")


@command.command("receipts")
@click.argument("method")
@click.option("--mailed/--not-mailed", "mails", required=True, help="Whether who pays by it is sent a receipt.")
@_ISSUER
@click.pass_obj
def receipts(settings: Settings, method: str, *, mails: bool, issuer: str | None) -> None:
    """Whether who pays by METHOD is sent a receipt by mail, from the next payment on."""
    with open_books(settings) as connection:
        found = _method(connection, issuer_meant(connection, issuer), method)
        save_mails_receipt(connection, found.id, mails=mails)
    click.echo(f"{found.name}: receipts are {'mailed to who has an address' if mails else 'not mailed'}.")


@command.command("show")
@click.argument("number", type=int)
@_JSON
@click.pass_obj
def show(settings: Settings, number: int, *, as_json: bool) -> None:
    """Payment NUMBER with what it settles."""
    with open_books(settings) as connection:
        known = load_payment(connection, number)
        if known is None:
            raise Refused(f"there is no payment {number}: `corrente payment list` shows them")
        _tell(connection, known, as_json=as_json)


@command.command("new")
@keyed
@click.argument("amount", type=DECIMAL)
@click.option(
    "--customer", help="Who paid: number, reference or whole name. Without it, it waits with those nobody knows."
)
@click.option("--method", default="transfer", show_default=True, help="By which method: `corrente payment methods`.")
@_DATE
@click.option("--reference", help="What it is called where it comes from; the same again is the same payment.")
@click.option("--source", type=click.Choice(_SOURCES), default="manual", show_default=True)
@click.option("--payer", help="Who paid, in the bank's words.")
@click.option("--note", help="Anything to be remembered.")
@click.option("--currency", type=CURRENCY, help="Of the issuer's books, if not said.")
@click.option(
    "--again", is_flag=True, help="A second one like one that is there, without a reference to tell them apart."
)
@_CHOICE
@_ISSUER
@_DRY_RUN
@_JSON
@click.pass_obj
def new(settings: Settings, /, *, amount: Decimal, dry_run: bool, as_json: bool, **typed: Any) -> None:
    """Record a payment of AMOUNT. It settles what was chosen, then what fell due first; the rest is credit."""
    with open_books(settings) as connection:
        issuer = issuer_meant(connection, typed["issuer"])
        customer = None if typed["customer"] is None else known_customer(connection, typed["customer"])
        currency = currency_meant(connection, issuer, typed["currency"])
        today = today_of(issuer.zone)
        payment = NewPayment(
            method=_method(connection, issuer, typed["method"]),
            amount=read_money(amount, currency),
            value_on=typed["day"] or today,
            source=PaymentSource(typed["source"]),
            reference=typed["reference"] or "",
            customer_id=None if customer is None else customer.id,
            payer=typed["payer"],
            note=typed["note"],
            choices=read_choices(connection, typed["chosen"], currency),
        )
        if customer is not None:
            # Two counters at once: the second one sees what the first one recorded.
            hold_customers(connection, [customer.id])
        if not payment.reference and not typed["again"] and (twin := find_twin(connection, payment)) is not None:
            raise Refused(
                f"payment {twin} is of the same customer, method, amount and day; if this is another one, say --again"
            )
        recorded = _done(record_payment(connection, payment, today=today, actor=os_user()))
        _tell(connection, recorded.payment, as_json=as_json, again=recorded.again)
        _roll_back(connection, dry_run)
        _say_dry(dry_run and not as_json)


@command.command("match")
@keyed
@click.argument("number", type=int)
@click.argument("customer", required=False)
@_REASON
@_DRY_RUN
@_JSON
@click.pass_obj
def match(settings: Settings, number: int, customer: str | None, *, reason: str, dry_run: bool, as_json: bool) -> None:
    """Say that payment NUMBER is CUSTOMER's, also where another one was said before; without one it is nobody's again."""
    with open_books(settings) as connection:
        whose = None if customer is None else known_customer(connection, customer).id
        today = _today_of_payment(connection, number)
        done = _done(match_payment(connection, number, whose, reason=reason, today=today, actor=os_user()))
        _tell(connection, done.payment, as_json=as_json, again=done.again)
        _roll_back(connection, dry_run)
        _say_dry(dry_run and not as_json)


@command.command("choose")
@keyed
@click.argument("number", type=int)
@_CHOICE
@_DRY_RUN
@_JSON
@click.pass_obj
def choose_(settings: Settings, number: int, *, chosen: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Lay payment NUMBER on other invoices than those it settles now; without --invoice, on those that fell due first."""
    with open_books(settings) as connection:
        known = load_payment(connection, number)
        currency = known.money.currency if known else "EUR"
        choices = read_choices(connection, chosen, currency)
        done = _done(choose(connection, number, choices, actor=os_user()))
        _tell(connection, done.payment, as_json=as_json)
        _roll_back(connection, dry_run)
        _say_dry(dry_run and not as_json)


@command.command("reverse")
@keyed
@click.argument("number", type=int)
@_REASON
@click.option("--code", help="As who sent it back codes it, such as AM04.")
@click.option("--reference", default="", help="What the return is called where it comes from.")
@click.option(
    "--fee",
    "with_fee",
    is_flag=True,
    help="The next invoice bears what the method charges: `corrente payment return-fee`.",
)
@_DATE
@_YES
@_DRY_RUN
@_JSON
@click.pass_obj
def reverse(
    settings: Settings, /, *, number: int, day: date | None, yes: bool, dry_run: bool, as_json: bool, **typed: Any
) -> None:
    """Payment NUMBER came back, or never was: what it settled is open again with its own due days."""
    with open_books(settings) as connection:
        today = _today_of_payment(connection, number)
        confirm(f"Take back payment {number}?", yes=yes or dry_run)
        settled = load_settled(connection, number)
        why = Happening(day or today, typed["reason"], reference=typed["reference"])
        done = _done(
            reverse_payment(
                connection, number, why, code=typed["code"], with_fee=typed["with_fee"], today=today, actor=os_user()
            )
        )
        opened = load_open_again(connection, settled, done.payment.issuer_id)
        rows = [{"invoice": one.label, "open": one.open.amount, "due_on": one.due_on} for one in opened]
        also = {"open_again": rows, "fee": done.fee and done.fee.amount}
        _tell(connection, done.payment, as_json=as_json, again=done.again, also=also)
        if not as_json:
            tell_open_again(opened)
        if typed["with_fee"] and not (as_json or done.again):
            click.echo(f"  {fee_words(connection, done)}")
        _roll_back(connection, dry_run)
        _say_dry(dry_run and not as_json)


@command.command("refund")
@keyed
@click.argument("what")
@click.argument("amount", type=DECIMAL)
@_REASON
@click.option("--method", default="transfer", show_default=True, help="By which method it is given back.")
@click.option("--reference", default="", help="What the refund is called where it is made.")
@click.option("--currency", type=CURRENCY, help="Of a credit note that is not in the issuer's currency.")
@_DATE
@_DRY_RUN
@click.pass_obj
def refund(settings: Settings, /, *, what: str, amount: Decimal, day: date | None, dry_run: bool, **typed: Any) -> None:
    """Give back AMOUNT of payment WHAT, or of the credit note of that printed number: no more than settles nothing."""
    with open_books(settings) as connection:
        payment = _known(connection, int(what)) if what.isascii() and what.isdigit() else None
        note_id = None if payment is not None else find_document(connection, what)
        issuer_id = payment.issuer_id if note_id is None and payment else load_parties_of(connection, note_id or 0)[0]
        issuer = next(one for one in load_issuers(connection) if one.id == issuer_id)
        today, actor = today_of(issuer.zone), os_user()
        why = Happening(day or today, typed["reason"], reference=typed["reference"])
        method = _method(connection, issuer, typed["method"])
        money = read_money(amount, payment.money.currency if payment else typed["currency"] or issuer.currency)
        if payment is not None:
            done = refund_payment(connection, payment.id, money, method, why, today=today, actor=actor)
        else:
            assert note_id is not None, "one or the other was named"
            done = refund_credit_note(connection, note_id, money, method, why, today=today, actor=actor)
        if isinstance(done, NotDone):
            raise Refused(done.message)
        _roll_back(connection, dry_run)
    click.echo(f"Refund {done}: {money} given back by {method.name}.")
    _say_dry(dry_run)


@command.command("write-off")
@keyed
@click.argument("invoice")
@_REASON
@_DATE
@_YES
@_DRY_RUN
@click.pass_obj
def write_off_(settings: Settings, invoice: str, *, reason: str, day: date | None, yes: bool, dry_run: bool) -> None:
    """Let go what the invoice of that printed number has open. `undo-write-off` asks for it again."""
    with open_books(settings) as connection:
        document_id = find_document(connection, invoice)
        today = _today_of_issuer(connection, load_parties_of(connection, document_id)[0])
        confirm(f"Let go what {invoice} has open?", yes=yes or dry_run)
        done = write_off(connection, document_id, reason=reason, dated=day or today, today=today, actor=os_user())
        if isinstance(done, NotDone):
            raise Refused(done.message)
        _roll_back(connection, dry_run)
    again = "" if dry_run else f"; `corrente payment undo-write-off {done}` asks again"
    click.echo(f"Write-off {done}: nothing of {invoice} is asked for any more{again}.")
    _say_dry(dry_run)


@command.command("undo-write-off")
@keyed
@click.argument("number", type=int)
@_REASON
@_DATE
@_DRY_RUN
@click.pass_obj
def undo_write_off_(settings: Settings, number: int, *, reason: str, day: date | None, dry_run: bool) -> None:
    """Ask again for what write-off NUMBER let go."""
    with open_books(settings) as connection:
        issuer_id = load_write_off_issuer(connection, number)
        if issuer_id is None:
            raise Refused(f"there is no write-off {number}: `corrente statement CUSTOMER` shows them")
        today = _today_of_issuer(connection, issuer_id)
        refused = undo_write_off(connection, number, reason=reason, dated=day or today, today=today, actor=os_user())
        if refused is not None:
            raise Refused(refused.message)
        _roll_back(connection, dry_run)
    click.echo(f"Write-off {number} is taken back.")
    _say_dry(dry_run)


def _roll_back(connection: Connection, dry_run: bool) -> None:
    if dry_run:
        connection.rollback()


def _say_dry(dry_run: bool) -> None:
    if dry_run:
        click.echo("Dry run: nothing was written.")


def _done(outcome: Recorded | NotDone) -> Recorded:
    if isinstance(outcome, NotDone):
        raise Refused(outcome.message)
    return outcome


def _method(connection: Connection, issuer: Issuer, code: str) -> Method:
    methods = {one.code: one for one in load_methods(connection, issuer.id)}
    if code not in methods:
        raise unknown("method", code, methods, also="`corrente payment methods` shows them")
    return methods[code]


def _known(connection: Connection, number: int) -> KnownPayment:
    known = load_payment(connection, number)
    if known is None:
        raise Refused(f"there is no payment {number}: `corrente payment list` shows them")
    return known


def _today_of_issuer(connection: Connection, issuer_id: int) -> date:
    return next(today_of(one.zone) for one in load_issuers(connection) if one.id == issuer_id)


def _today_of_payment(connection: Connection, number: int) -> date:
    return _today_of_issuer(connection, _known(connection, number).issuer_id)


def _tell(
    connection: Connection,
    known: KnownPayment,
    *,
    as_json: bool,
    again: bool = False,
    also: Mapping[str, object] = MappingProxyType({}),
) -> None:
    settled = load_settled(connection, known.id)
    if as_json:
        rows = [{"invoice": label, "amount": amount.amount} for label, amount in settled]
        print_json({**_fields(known), "settles": rows, "recorded_before": again, **also})
        return
    whose = f"customer {known.customer_id}" if known.customer_id is not None else "nobody yet"
    was = " (recorded before; nothing was written)" if again else ""
    click.echo(f"Payment {known.id}: {known.money} by {known.method} of {known.value_on}, from {whose}{was}")
    for label, amount in settled:
        click.echo(f"  settles {amount.amount} of {label}")
    for contract in load_let_go(connection, known.id):
        click.echo(f"  lets contract {contract} go: it was limited for a debt")
    if known.reversed_on is not None:
        click.echo(f"  came back on {known.reversed_on}: {known.reversal}")
    if known.refunded:
        owed = "; as all of it came back, they are owed on no invoice: `corrente ledger open` has them"
        click.echo(f"  {known.refunded} of it were given back{owed if known.reversed_on else ''}")
    if known.open:
        said = "is credit" if known.customer_id is not None else f"waits: `corrente payment match {known.id} CUSTOMER`"
        click.echo(f"  {known.open} {said}")
    if known.returns_until is not None and known.reversed_on is None:
        click.echo(f"  may come back until {known.returns_until}")


def _fields(row: KnownPayment | PaymentRow) -> dict[str, object]:
    """Its fields by name; amounts as decimals, in the one currency that stands beside them."""
    fields = {name: getattr(row, name) for name in type(row).__slots__}
    money = fields.pop("money")
    plain = {name: value.amount if isinstance(value, Money) else value for name, value in fields.items()}
    return {**plain, "amount": money.amount, "currency": money.currency}
