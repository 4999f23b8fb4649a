"""`corrente issuer tax`, `position` and `exemption`: how things and customers are taxed, by date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import click

from billing.store.issuers import (
    add_exemption,
    add_rate,
    end_exemptions,
    load_exemptions,
    load_positions,
    load_tax_codes,
)
from control_plane import audit
from control_plane.catalogue import add_code, add_fiscal_position
from control_plane.cli._books import DAY, TAX_RATE, known_customer, known_issuer, open_books
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.settings import Settings

tax = Group("tax", help="Tax codes and their rates by date of the document.")
position = Group("position", help="Fiscal positions: how customers of a kind and place are taxed.")
exemption = Group("exemption", help="Customers that bear another tax for a time, by a paper they gave.")


@tax.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_codes(settings: Settings, *, as_json: bool) -> None:
    """All tax codes with their rates."""
    with open_database(settings) as connection:
        codes = load_tax_codes(connection)
    if as_json:
        print_json(codes)
        return
    print_table(
        ("CODE", "NATURE", "RATES", "LAW", "STAMP DUTY"),
        (
            (one.name, one.nature, "; ".join(one.rates), one.legal_reference, "yes" if one.bears_stamp else "")
            for one in codes
        ),
        empty="There is no tax code yet: corrente issuer new, or corrente issuer tax add",
    )


@tax.command("add")
@click.argument("code")
@click.option("--nature", help="Why it bears no tax, as the country codes it.")
@click.option("--law", help="What says so; stands on the document.")
@click.option("--bears-stamp", is_flag=True, help="Amounts under it count towards stamp duty.")
@click.option("--percent", type=TAX_RATE, help="Its rate, with --from.")
@click.option("--from", "since", type=DAY, help="First day of that rate.")
@click.pass_obj
def add(
    settings: Settings,
    code: str,
    *,
    nature: str | None,
    law: str | None,
    bears_stamp: bool,
    percent: Decimal | None,
    since: date | None,
) -> None:
    """A new tax CODE: with a rate from a day on, or with the nature and law by which it bears none."""
    if (percent is None) != (since is None) or (percent is None) == (nature is None):
        raise click.UsageError("either --percent with --from, or --nature with --law")
    with open_books(settings) as connection:
        rate = None if percent is None or since is None else (percent, since)
        add_code(connection, code, nature=nature, law=law, bears_stamp=bears_stamp, rate=rate, actor=os_user())
    click.echo(f"Tax code {code}: {f'{percent} % from {since}' if percent is not None else f'{nature}, {law}'}.")


@tax.command("rate")
@click.argument("code")
@click.argument("percent", type=TAX_RATE)
@click.option("--from", "since", type=DAY, required=True, help="First day on which documents bear it.")
@click.option("--until", type=DAY, help="First day on which they don't any more.")
@click.pass_obj
def rate(settings: Settings, code: str, percent: Decimal, *, since: date, until: date | None) -> None:
    """A new rate of CODE from a day on; the one before ends there. Documents that are issued stay."""
    with open_books(settings) as connection:
        ended = add_rate(connection, code, percent, since=since, until=until)
        detail = {"percent": percent, "since": since, "until": until}
        audit.append(connection, actor=os_user(), action="tax.rate", subject=code, detail=detail)
    before = f"; {', '.join(f'{Decimal(one).normalize():f}' for one in ended)} % ends there" if ended else ""
    click.echo(f"Tax code {code}: {percent} % from {since}{f' until {until}' if until else ''}{before}.")


@position.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_positions(settings: Settings, *, as_json: bool) -> None:
    """In the order in which they are tried, then those that are only for customers that name them."""
    with open_database(settings) as connection:
        positions = load_positions(connection)
    if as_json:
        print_json(positions)
        return
    print_table(
        ("PRIORITY", "NAME", "KIND", "COUNTRIES", "POSTAL CODE", "TAX IS OWED", "REPLACES"),
        (
            (
                *(one.priority, one.name, one.customer_kind, " ".join(one.countries), one.postal_prefix),
                *(one.liability, "; ".join(one.replaces)),
            )
            for one in positions
        ),
        empty="There is no fiscal position: everybody pays the tax of the product",
    )


@position.command("add")
@click.argument("name")
@click.option("--priority", type=click.IntRange(1, 1000), help="1 is tried first; without it only for who names it.")
@click.option("--kind", type=click.Choice(["person", "company", "public_body"]), help="Only for such customers.")
@click.option("--country", "countries", multiple=True, help="Only in this country; repeat.")
@click.option("--postal-prefix", help="Only where postal codes begin like this.")
@click.option("--issuer", help="Only for this issuer.")
@click.option("--liability", type=click.Choice(["immediate", "deferred", "split"]), default="immediate",
              show_default=True, help="When and by whom tax is owed; split: the customer pays it to the state.")  # fmt: skip
@click.option("--replace", "replaces", multiple=True, metavar="CODE=CODE", help="A tax code by another; repeat.")
@click.pass_obj
def add_position_(
    settings: Settings,
    name: str,
    *,
    priority: int | None,
    kind: str | None,
    countries: tuple[str, ...],
    postal_prefix: str | None,
    issuer: str | None,
    liability: str,
    replaces: tuple[str, ...],
) -> None:
    """A new fiscal position NAME."""
    pairs = []
    for text in replaces:
        before, equals, after = text.partition("=")
        if not (before and equals and after):
            raise click.UsageError(f"{text!r}: expected CODE=CODE, such as IT-22=IT-N2.1")
        pairs.append((before, after))
    with open_books(settings) as connection:
        columns = {
            "name": name,
            "priority": priority,
            "customer_kind": kind,
            "countries": list(countries),
            "postal_prefix": postal_prefix,
            "issuer_id": known_issuer(connection, issuer).id if issuer else None,
            "liability": liability,
        }
        add_fiscal_position(connection, columns, tuple(pairs), actor=os_user())
    tried = f"tried as number {priority}" if priority is not None else "for customers that name it"
    click.echo(f"Fiscal position {name}: {tried}.")


@exemption.command("list")
@click.option("--customer", help="Only this one's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_exemptions(settings: Settings, *, customer: str | None, as_json: bool) -> None:
    """All exemptions, the newest first."""
    with open_database(settings) as connection:
        only = known_customer(connection, customer).id if customer is not None else None
        exemptions = load_exemptions(connection, only)
    if as_json:
        print_json(exemptions)
        return
    print_table(
        ("CUSTOMER", "NAME", "TAX CODE", "FROM", "UNTIL", "PAPER", "ENTERED BY"),
        (
            (one.customer_id, one.customer, one.tax_code, one.since, one.until, one.legal_reference, one.placed_by)
            for one in exemptions
        ),
        empty="There is no exemption",
    )


@exemption.command("add")
@click.argument("customer")
@click.argument("code")
@click.option("--from", "since", type=DAY, required=True, help="First day.")
@click.option("--until", type=DAY, required=True, help="First day on which it no longer holds.")
@click.option("--paper", required=True, help="Number and date of the paper; stands on the document.")
@click.pass_obj
def add_exemption_(settings: Settings, customer: str, code: str, *, since: date, until: date, paper: str) -> None:
    """What CUSTOMER would pay tax on gets tax CODE for a time; what bears none by itself keeps its own."""
    if until <= since:
        raise Refused(f"an exemption ends after it begins: {until} is not after {since}")
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        add_exemption(connection, found.id, code, since=since, until=until, law=paper, placed_by=os_user())
        detail = {"code": code, "since": since, "until": until, "paper": paper}
        audit.append(
            connection, actor=os_user(), action="customer.exemption", subject=f"customer {found.id}", detail=detail
        )
    click.echo(f"Customer {found.id} {found.name}: {code} from {since} until {until}, {paper}.")


@exemption.command("end")
@click.argument("customer")
@click.option("--on", "day", type=DAY, required=True, help="First day on which it no longer holds.")
@click.option("--reason", required=True, help="Why; it stands in the customer's history.")
@click.pass_obj
def end_exemption(settings: Settings, customer: str, *, day: date, reason: str) -> None:
    """From a day on CUSTOMER bears tax as anybody: what holds then ends, what begins later is taken away. What is issued stays."""
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        if end_exemptions(connection, found.id, on=day) == 0:
            raise Refused(f"customer {found.id} {found.name} has no exemption on {day} or later")
        left = load_exemptions(connection, found.id)
        detail = {"ended_on": day, "reason": reason}
        audit.append(
            connection, actor=os_user(), action="customer.exemption", subject=f"customer {found.id}", detail=detail
        )
    said = "; ".join(f"{one.tax_code} from {one.since} until {one.until} stays" for one in left)
    click.echo(f"Customer {found.id} {found.name}: no exemption from {day} on{f'; {said}' if said else ''}.")
