"""`corrente payment bulk`, `pay` and `return-fee`: many payments by one command, and what a payment that comes back costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from billing.allocation import Choice
from billing.bulk_payments import MAX_OCTETS, BulkRow, read_bulk
from billing.errors import BillingError
from billing.money import Money, read_money, total
from billing.operations.receiving import Recorded, record_payment
from billing.payments import Method, NewPayment, NotDone, PaymentSource
from billing.store.allocations import load_open_invoices
from billing.store.fees import load_return_fee, save_return_fee
from billing.store.issued import find_document, load_parties_of
from billing.store.issuers import Issuer, load_issuers
from billing.store.payments import find_payment, find_twin, hold_customers, load_methods, load_payment, load_settled
from control_plane.cli._books import AMOUNT, DAY, DECIMAL, issuer_meant, known_customer, open_books, today_of
from control_plane.cli._catalogue_names import known_product
from control_plane.cli._console import Connection, Refused, os_user, print_json, unknown
from control_plane.cli._keyed import keyed
from control_plane.cli._payment_choices import read_choices
from control_plane.settings import Settings
from nas_drivers.errors import printable

_SHOWN: Final = 40
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ISSUER = click.option("--issuer", help="Whose books; not needed where there is one issuer.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would come of it; write nothing.")
_TOTAL = click.option("--total", "said", type=DECIMAL, help="What they come to together; asked, if not given.")
_METHOD = click.option("--method", default="transfer", show_default=True, help="By which method.")
_DATE = click.option("--date", "day", type=DAY, help="Of value on which day; today where the issuer is.")
# A payment with what it is called here, a line or invoices.
Told = list[tuple[str, NewPayment]]


@click.command("bulk")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_METHOD
@_DATE
@click.option(
    "--decimal", type=click.Choice((".", ",")), default=".", show_default=True, help="Before the decimals of amounts."
)
@click.option(
    "--again",
    is_flag=True,
    help="Take rows like a payment that is there: of the same customer, method, amount and day.",
)
@_TOTAL
@_ISSUER
@_DRY_RUN
@_JSON
@click.pass_obj
def bulk(
    settings: Settings,
    /,
    *,
    file: Path,
    decimal: str,
    again: bool,
    said: Decimal | None,
    dry_run: bool,
    as_json: bool,
    **typed: Any,
) -> None:
    """Record the payments of a CSV FILE, all or none. What they come to together is asked back first.

    Columns: customer, amount; date, method, reference, invoice, payer, note. The same file again records nothing.
    """
    rows = _rows(file, decimal)
    with open_books(settings) as connection:
        issuer = issuer_meant(connection, typed["issuer"])
        payments = _told(connection, issuer, rows, typed)
        if not again:
            _refuse_twins(connection, payments)
        _ask_back(payments, said, dry_run=dry_run)
        if not again:
            # While the sum was typed, or at this moment, another counter may have recorded the same.
            _hold(connection, payments)
            _refuse_twins(connection, payments)
        _record(connection, payments, today_of(issuer.zone), as_json=as_json, dry_run=dry_run)


@click.command("pay")
@keyed
@click.argument("invoices", nargs=-1, required=True)
@_METHOD
@_DATE
@click.option("--note", help="Anything to be remembered.")
@_TOTAL
@_DRY_RUN
@_JSON
@click.pass_obj
def pay(
    settings: Settings, /, *, invoices: Sequence[str], said: Decimal | None, dry_run: bool, as_json: bool, **typed: Any
) -> None:
    """Record that INVOICES, by their printed numbers, were paid whole: one payment a customer. Their sum is asked back first."""
    with open_books(settings) as connection:
        whole = {label: find_document(connection, label) for label in invoices}
        of = {label: load_parties_of(connection, document_id) for label, document_id in whole.items()}
        if len({issuer_id for issuer_id, _ in of.values()}) > 1:
            raise Refused("these invoices are of several issuers: pay those of each by a command of its own")
        issuer = next(one for one in load_issuers(connection) if one.id == next(iter(of.values()))[0])
        of_customer: dict[int, dict[str, int]] = {}
        for label, (_, customer_id) in of.items():
            of_customer.setdefault(customer_id, {})[label] = whole[label]

        def all_of_them() -> Told:
            return [_all_of(connection, issuer, one, mine, typed) for one, mine in of_customer.items()]

        payments = all_of_them()
        _ask_back(payments, said, dry_run=dry_run)
        # Nobody is held while somebody types.
        hold_customers(connection, of_customer)
        if all_of_them() != payments:
            raise Refused("nothing was recorded: what these invoices have open has just changed; look at it again")
        _record(connection, payments, today_of(issuer.zone), as_json=as_json, dry_run=dry_run)


@click.command("return-fee")
@click.argument("method")
@click.argument("amount", type=AMOUNT, required=False)
@click.option("--product", help="Whose words, account and tax code the line has: a one-off fee, usually outside VAT.")
@click.option("--none", is_flag=True, help="Charge nothing from now on.")
@_ISSUER
@click.pass_obj
def return_fee(
    settings: Settings, method: str, amount: Decimal | None, *, product: str | None, none: bool, issuer: str | None
) -> None:
    """What a customer is charged on the next invoice when a payment by METHOD comes back; without an AMOUNT, what it is."""
    with open_books(settings) as connection:
        whose = issuer_meant(connection, issuer)
        found = _method(connection, whose, method)
        if none or amount is not None:
            product_id = None
            if not none:
                if product is None or amount is None or amount <= 0:
                    raise Refused(
                        "a fee is above zero and needs --product, whose line it is: `corrente catalogue list` shows them"
                    )
                sold = known_product(connection, product, today_of(whose.zone))
                if sold.kind != "one_off":
                    raise Refused(f"product {product} is {sold.kind}: a fee is a one_off")
                product_id = sold.id
            save_return_fee(
                connection,
                found.id,
                None if none else read_money(amount or Decimal(0), whose.currency).amount,
                product_id,
            )
        fee = load_return_fee(connection, found.id)
    click.echo(
        f"{found.name}: {f'{fee[0]} for a payment that comes back' if fee else 'nothing is charged for a payment that comes back'}."
    )


def _rows(file: Path, decimal: str) -> list[BulkRow]:
    try:
        if file.stat().st_size > MAX_OCTETS:
            raise Refused(f"{file}: larger than {MAX_OCTETS:,} octets: give it in parts")
        rows, refused = read_bulk(file.read_bytes(), decimal=decimal)
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}") from error
    except BillingError as error:
        raise Refused(f"{file}: {error}") from error
    if refused:
        said = "\n".join(printable(f"  line {one.line}: {one.reason}") for one in refused[:_SHOWN])
        raise Refused(f"nothing was recorded; {len(refused):,} rows can't be taken:\n{said}")
    if not rows:
        raise Refused(f"{file}: no payments in it")
    return rows


def _told(connection: Connection, issuer: Issuer, rows: Sequence[BulkRow], typed: dict[str, Any]) -> Told:
    payments: Told = []
    today = today_of(issuer.zone)
    for row in rows:
        try:
            payment = NewPayment(
                method=_method(connection, issuer, row.method or typed["method"]),
                amount=read_money(row.amount, issuer.currency),
                value_on=row.day or typed["day"] or _day_before(connection, row) or today,
                source=PaymentSource.MANUAL,
                reference=row.reference or row.key,
                customer_id=known_customer(connection, row.customer).id,
                payer=row.payer,
                note=row.note,
                choices=read_choices(connection, row.invoices, issuer.currency),
            )
        except (Refused, BillingError) as error:
            raise Refused(f"nothing was recorded; line {row.line}: {error}") from error
        payments.append((f"line {row.line}", payment))
    return payments


def _day_before(connection: Connection, row: BulkRow) -> date | None:
    """Of which day this very row was recorded before: a file without days is the same file tomorrow."""
    known = None if row.reference else find_payment(connection, PaymentSource.MANUAL, row.key)
    return None if known is None else known.value_on


def _refuse_twins(connection: Connection, payments: Told) -> None:
    """Rows like a payment that is there, unless that is one of this file, given again."""
    mine = {one.reference for _, one in payments}
    for name, payment in payments:
        twin = find_twin(connection, payment)
        known = None if twin is None else load_payment(connection, twin)
        if known is not None and known.reference not in mine:
            raise Refused(
                f"nothing was recorded; {name}: payment {known.id} is of the same customer, method, amount and day;"
                " if these are others, say --again"
            )


def _all_of(
    connection: Connection, issuer: Issuer, customer_id: int, invoices: dict[str, int], typed: dict[str, Any]
) -> tuple[str, NewPayment]:
    """A payment of all that these invoices of a customer have open."""
    open_ = {one.id: one.open for each in load_open_invoices(connection, [customer_id]).values() for one in each}
    for label, document_id in invoices.items():
        if document_id not in open_:
            raise Refused(f"nothing was recorded; {label} has nothing open")
    amounts = [open_[document_id] for document_id in invoices.values()]
    if len({one.currency for one in amounts}) > 1:
        raise Refused(f"{', '.join(invoices)} are in several currencies: pay those of each by a command of its own")
    payment = NewPayment(
        method=_method(connection, issuer, typed["method"]),
        amount=total(amounts, amounts[0].currency),
        value_on=typed["day"] or today_of(issuer.zone),
        source=PaymentSource.MANUAL,
        customer_id=customer_id,
        note=typed["note"],
        choices=tuple(Choice(document_id) for document_id in invoices.values()),
    )
    return ", ".join(invoices), payment


def _ask_back(payments: Told, said: Decimal | None, *, dry_run: bool) -> None:
    """What they come to is typed by who has the money in hand. Raises: Refused when it is another sum."""
    if dry_run:
        return
    sums: dict[str, Money] = {}
    for _, one in payments:
        sums[one.amount.currency] = sums.get(one.amount.currency, Money(0, one.amount.currency)) + one.amount
    if len(sums) > 1:
        raise Refused(f"payments in {' and '.join(sorted(sums))}: record those of each by a command of its own")
    (whole,) = sums.values()
    if said is None:
        try:
            said = click.prompt(f"{len(payments):,} payments. What do they come to together", type=DECIMAL, err=True)
        except click.Abort:
            raise Refused("nothing was recorded: answer with the sum, or give --total") from None
    if said != whole.amount:
        raise Refused(f"nothing was recorded: they come to {whole}, and {said} was said; look at them with --dry-run")


def _hold(connection: Connection, payments: Told) -> None:
    hold_customers(connection, [one.customer_id for _, one in payments if one.customer_id is not None])


def _record(connection: Connection, payments: Told, today: date, *, as_json: bool, dry_run: bool) -> None:
    """All or none; who else records waits for these customers' turn."""
    _hold(connection, payments)
    done: dict[str, Recorded] = {}
    # Balances are counted in the order of customers, as a run counts them: neither waits for the other.
    for name, payment in sorted(payments, key=lambda one: one[1].customer_id or 0):
        recorded = record_payment(connection, payment, today=today, actor=os_user())
        if isinstance(recorded, NotDone):
            raise Refused(f"nothing was recorded; {name}: {recorded.message}")
        done[name] = recorded
    _tell(connection, [(name, done[name]) for name, _ in payments], as_json=as_json, dry_run=dry_run)
    if dry_run:
        connection.rollback()


def _tell(connection: Connection, done: Sequence[tuple[str, Recorded]], *, as_json: bool, dry_run: bool) -> None:
    news = [one.payment.money for _, one in done if not one.again]
    if as_json:
        rows = [
            {
                "what": name,
                "payment": one.payment.id,
                "customer": one.payment.customer_id,
                "amount": one.payment.money.amount,
                "left": one.payment.open.amount,
                "recorded_before": one.again,
            }
            for name, one in done
        ]
        print_json({"dry_run": dry_run, "recorded": len(news), "payments": rows})
        return
    for name, one in done[:_SHOWN]:
        settled = ", ".join(f"{amount.amount} of {label}" for label, amount in load_settled(connection, one.payment.id))
        left = f"; {one.payment.open} is credit" if one.payment.open else ""
        was = " (recorded before)" if one.again else ""
        click.echo(
            printable(
                f"{name}: payment {one.payment.id} of {one.payment.money}, customer {one.payment.customer_id}{was}: settles {settled or 'nothing'}{left}"
            )
        )
    if len(done) > _SHOWN:
        click.echo(f"… and {len(done) - _SHOWN:,} more")
    together = f", {total(news, news[0].currency)} together" if news else ""
    click.echo(f"{len(news):,} payments{together}; {len(done) - len(news):,} were recorded before")
    if dry_run:
        click.echo("Dry run: nothing was written.")


def _method(connection: Connection, issuer: Issuer, code: str) -> Method:
    methods = {one.code: one for one in load_methods(connection, issuer.id)}
    if code not in methods:
        raise unknown("method", code, methods, also="`corrente payment methods` shows them")
    return methods[code]
