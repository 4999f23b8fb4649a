"""`corrente payment queue`: lines of banks that wait for a person, with whose they may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import click

from billing.banking.matching import Suggestion
from billing.banking.returns import ReturnedPayment
from billing.operations.bank_import import Desk
from billing.operations.bank_queue import Decided, choose_customer, choose_payment, ignore_line, undo_line
from billing.operations.bank_reading import desks_of, load_line, may_be
from billing.payments import NotDone
from billing.store.bank_files import BankAccount, KeptLine, load_queue
from billing.store.customers import load_customer
from billing.store.issuers import load_issuers
from control_plane import audit
from control_plane.cli._books import known_customer, open_books, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._payment_bank import known_account_at_bank, line_fields
from control_plane.cli._payment_choices import read_choices
from control_plane.settings import Settings
from nas_drivers.errors import printable

command = Group("queue", help="Lines of banks that wait for a person: whose they may be, chosen, ignored, taken back.")

_STATES: Final = ("waiting", "recorded", "returned", "ignored", "new")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_REASON = click.option("--reason", required=True, help="Why, in a few words.")


@command.command("list")
@click.option("--bank", help="Of one account.")
@click.option("--state", type=click.Choice(_STATES), default="waiting", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_JSON
@click.pass_obj
def list_(settings: Settings, *, bank: str | None, state: str, limit: int, as_json: bool) -> None:
    """Lines that wait, oldest first, with the likeliest of what they may be."""
    with open_books(settings) as connection:
        account_id = None if bank is None else known_account_at_bank(connection, bank).id
        found = load_queue(connection, limit=limit, account_id=account_id, state=state)
        desks = desks_of(connection, found, today_of=_today(connection), actor=os_user())
        told = [(one, may_be(connection, one, desks[one.bank_account_id])) for one in found]
        connection.rollback()
    if as_json:
        print_json([_fields(one, suggested) for one, suggested in told])
        return
    rows = (
        (one.id, one.line.booked_on, one.line.amount, one.line.party or None, one.line.text[:60] or None, _best(suggested), one.reason)
        for one, suggested in told
    )  # fmt: skip
    print_table(
        ("LINE", "BOOKED", "AMOUNT", "PARTY", "TEXT", "MAY BE", "WHY HERE"),
        rows,
        empty="Nothing waits." if state == "waiting" else "None.",
    )


@command.command("show")
@click.argument("line", type=int)
@_JSON
@click.pass_obj
def show(settings: Settings, line: int, *, as_json: bool) -> None:
    """LINE as the bank told it, what became of it, and all that it may be with the reasons."""
    with open_books(settings) as connection:
        kept, desk = _line(connection, line)
        suggested = may_be(connection, kept, desk)
        names = {
            one.customer_id: load_customer(connection, one.customer_id)
            for one in suggested
            if isinstance(one, Suggestion)
        }
        labels = {number: one.label for number, one in desk.known.documents.items()}
        connection.rollback()
    if as_json:
        print_json(_fields(kept, suggested))
        return
    told = line_fields(kept.line)
    click.echo(printable(f"Line {kept.id} of {kept.file}: {kept.line.amount} of {kept.line.booked_on}, {kept.state}"))
    if kept.reason:
        by = f" ({kept.decided_by})" if kept.decided_by else ""
        click.echo(printable(f"  {kept.reason}{by}"))
    for name in ("party", "party_iban", "text", "creditor_reference", "end_to_end", "returned"):
        if told[name]:
            click.echo(printable(f"  {name.replace('_', ' ')}: {told[name]}"))
    if kept.payment_id is not None:
        click.echo(f"  payment {kept.payment_id}")
    for one in suggested:
        reasons = ", ".join(reason.replace("_", " ") for reason in one.reasons)
        if isinstance(one, Suggestion):
            customer = names[one.customer_id]
            of = ", ".join(labels[number] for number in one.invoices if number in labels)
            what = f"customer {one.customer_id} {customer.name if customer else ''}{f' for {of}' if of else ''}"
        else:
            what = f"payment {one.payment_id}"
        click.echo(printable(f"  {one.score:3} {what}: {reasons}"))


@command.command("choose")
@keyed
@click.argument("line", type=int)
@click.argument("customer", required=False)
@click.option(
    "--payment", type=int, help="The payment that it took back; of money in, the one that was recorded before."
)
@click.option("--invoice", "chosen", multiple=True, metavar="NUMBER[=AMOUNT]", help="An invoice that it pays first.")
@click.option("--reason", default="chosen by hand", show_default=True)
@_JSON
@click.pass_obj
def choose_(
    settings: Settings,
    line: int,
    customer: str | None,
    *,
    payment: int | None,
    chosen: Sequence[str],
    reason: str,
    as_json: bool,
) -> None:
    """LINE is CUSTOMER's; without one, the likeliest of those that are suggested. What went out took back --payment."""
    with open_books(settings) as connection:
        kept, desk = _line(connection, line)
        done: Decided | NotDone
        suggested = may_be(connection, kept, desk)
        if payment is None and customer is None:
            best = suggested[0] if suggested else None
            payment = best.payment_id if isinstance(best, ReturnedPayment) else None
            if best is None or (len(suggested) > 1 and suggested[1].score == best.score):
                raise Refused(
                    f"nothing speaks for one alone: say whose line {line} is, or which --payment it took back"
                )
        if payment is not None:
            done = choose_payment(connection, line, payment, desk, reason=reason)
        else:
            mine = [one for one in suggested if isinstance(one, Suggestion)]
            whose = mine[0].customer_id if customer is None else known_customer(connection, customer).id
            choices = read_choices(connection, chosen, kept.line.amount.currency)
            done = choose_customer(connection, line, whose, choices, desk, reason=reason)
        _tell(connection, line, done, "choose", reason, as_json=as_json)


@command.command("ignore")
@keyed
@click.argument("line", type=int)
@_REASON
@_JSON
@click.pass_obj
def ignore(settings: Settings, line: int, *, reason: str, as_json: bool) -> None:
    """LINE is no customer's: a transfer of your own, a payout, interest. `undo` lets it wait again."""
    with open_books(settings) as connection:
        _, desk = _line(connection, line)
        _tell(connection, line, ignore_line(connection, line, desk, reason=reason), "ignore", reason, as_json=as_json)


@command.command("undo")
@keyed
@click.argument("line", type=int)
@_REASON
@_JSON
@click.pass_obj
def undo(settings: Settings, line: int, *, reason: str, as_json: bool) -> None:
    """Take back what was chosen for LINE, by a person or by the import, or that it was ignored: it waits again."""
    with open_books(settings) as connection:
        _, desk = _line(connection, line)
        _tell(connection, line, undo_line(connection, line, desk, reason=reason), "undo", reason, as_json=as_json)


def _line(connection: Connection, line_id: int) -> tuple[KeptLine, Desk]:
    found = load_line(connection, line_id, today_of=_today(connection), actor=os_user())
    if found is None:
        raise Refused(f"there is no line {line_id}: `corrente payment queue list` shows those that wait")
    return found


def _today(connection: Connection) -> Callable[[BankAccount], date]:
    zones = {one.id: one.zone for one in load_issuers(connection)}
    return lambda account: today_of(zones[account.issuer_id])


def _best(suggested: Sequence[Suggestion | ReturnedPayment]) -> str | None:
    if not suggested:
        return None
    best = suggested[0]
    what = f"customer {best.customer_id}" if isinstance(best, Suggestion) else f"return of payment {best.payment_id}"
    return f"{what} ({best.score})" + (f" or {len(suggested) - 1} more" if len(suggested) > 1 else "")


def _tell(
    connection: Connection, line_id: int, done: Decided | NotDone, deed: str, reason: str, *, as_json: bool
) -> None:
    if isinstance(done, NotDone):
        raise Refused(done.message)
    payment = None if done.payment is None else done.payment.payment
    detail = {"reason": reason, "state": done.state, "payment": None if payment is None else payment.id}
    audit.append(connection, actor=os_user(), action=f"bank_line.{deed}", subject=f"bank_line {line_id}", detail=detail)
    if as_json:
        print_json({"line": line_id, **detail, "customer": None if payment is None else payment.customer_id})
        return
    behind = "" if payment is None else f", payment {payment.id}"
    whose = f" of customer {payment.customer_id}" if payment is not None and payment.customer_id is not None else ""
    click.echo(f"Line {line_id} is {done.state}{behind}{whose}.")


def _fields(kept: KeptLine, suggested: Sequence[Suggestion | ReturnedPayment]) -> dict[str, object]:
    found = [{name: getattr(one, name) for name in type(one).__slots__} for one in suggested]
    return {
        "line": kept.id,
        "state": kept.state,
        **line_fields(kept.line),
        "file": kept.file,
        "payment": kept.payment_id,
        "why": kept.reason,
        "may_be": found,
    }
