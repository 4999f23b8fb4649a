"""`corrente issuer duty`: stamp duty by country, currency and date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import click

from billing.store.stamp_duties import load_stamp_duties
from control_plane.catalogue import NewStampDuty, end_duty, set_stamp_duty
from control_plane.cli._amounts import amount_words
from control_plane.cli._books import CURRENCY, DAY, DECIMAL, open_books
from control_plane.cli._catalogue_names import known_currency
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.settings import Settings

duty = Group("duty", help="Stamp duty: what documents with untaxed amounts above a sum owe, by country and date.")


@duty.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """All that is known, by country, currency and date."""
    with open_database(settings) as connection:
        duties = load_stamp_duties(connection)
    if as_json:
        print_json(duties)
        return
    print_table(
        ("COUNTRY", "ABOVE", "OWED", "CURRENCY", "FROM", "UNTIL", "RECHARGED AS"),
        ((one.country, one.above, one.amount, one.currency, one.since, one.until, one.product) for one in duties),
        empty="No stamp duty is known: documents owe none",
    )


@duty.command("set")
@click.argument("country")
@click.argument("amount", type=DECIMAL)
@click.option("--above", type=DECIMAL, required=True, help="Owed when the amounts that bear it come to more.")
@click.option("--from", "since", type=DAY, required=True, help="First day on which documents owe it.")
@click.option("--until", type=DAY, help="First day on which they don't any more.")
@click.option("--currency", type=CURRENCY, help="Of both sums; the issuers' by default.")
@click.option("--product", help="Its line where an issuer recharges it; as before by default.")
@click.pass_obj
def set_(
    settings: Settings,
    country: str,
    amount: Decimal,
    *,
    above: Decimal,
    since: date,
    until: date | None,
    currency: str | None,
    product: str | None,
) -> None:
    """COUNTRY's issuers owe AMOUNT from a day on; what they owed before ends there. Documents that are issued stay.

    Which amounts bear it say the tax codes (`corrente issuer tax add --bears-stamp`).
    """
    if until is not None and until <= since:
        raise Refused(f"a duty ends after it begins: {until} is not after {since}")
    with open_books(settings) as connection:
        money = known_currency(connection, currency)
        duty_told = NewStampDuty(country, money, above, amount, since, until, product)
        ended = set_stamp_duty(connection, duty_told, actor=os_user())
    before = f"; {amount_words(ended, money)} ends there" if ended is not None else ""
    click.echo(
        f"Stamp duty of {country}: {amount_words(amount, money)} {money} above {amount_words(above, money)} from {since}{before}."
    )


@duty.command("end")
@click.argument("country")
@click.option("--on", "day", type=DAY, required=True, help="First day on which nothing is owed.")
@click.option("--currency", type=CURRENCY, help="The issuers' by default.")
@click.pass_obj
def end(settings: Settings, country: str, *, day: date, currency: str | None) -> None:
    """COUNTRY's issuers owe nothing from a day on. Documents that are issued stay."""
    with open_books(settings) as connection:
        money = known_currency(connection, currency)
        ended = end_duty(connection, country, money, on=day, actor=os_user())
        if ended is None:
            raise Refused(f"{country} has no stamp duty in {money} that holds on {day} without an end")
    click.echo(f"Stamp duty of {country}: {amount_words(ended, money)} {money} ends on {day}.")
