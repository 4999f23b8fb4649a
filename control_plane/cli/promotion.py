"""`corrente promotion`: discounts given to many contracts at once, and taken back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import click

from billing.store.promotions import (
    Promotion,
    apply_promotion,
    load_promotions,
    load_undoing,
    plan_application,
    save_promotion,
    undo_promotion,
)
from billing.store.selection import load_selected
from control_plane import audit
from control_plane.cli._books import DAY, DECIMAL, open_books, today_of
from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.cli._selection import read_selection, selection_options
from control_plane.settings import Settings

command = Group("promotion", help="Promotions: discounts given to many contracts at once, each with its own copy.")


def _known(connection: Connection, name: str) -> Promotion:
    promotions = {one.name: one for one in load_promotions(connection)}
    if name not in promotions:
        raise unknown("promotion", name, promotions, also="`corrente promotion list` shows them")
    return promotions[name]


@command.command("new")
@keyed
@click.argument("name")
@click.option("--percent", type=DECIMAL, help="Off what is left after discounts of lower priority number.")
@click.option("--amount", type=DECIMAL, help="Off each whole period, in the contract's currency.")
@click.option("--family", help="Only off products of this family, its one-off fees too.")
@click.option(
    "--months", type=click.IntRange(1, 120), help="How long each contract has it; without, as long as it lasts."
)
@click.option("--priority", type=click.IntRange(1, 1000), default=100, show_default=True, help="1 is taken off first.")
@click.option("--from", "since", type=DAY, required=True, help="First day on which it is given.")
@click.option("--until", type=DAY, help="First day on which it isn't any more.")
@click.pass_obj
def new(
    settings: Settings,
    /,
    name: str,
    *,
    percent: Decimal | None,
    amount: Decimal | None,
    since: date,
    until: date | None,
    **columns: Any,
) -> None:
    """A new promotion NAME; nobody has it yet.

    Without a family it is taken off what a contract pays for time: percents off each recurring item, an amount off the plan. A
    one-off fee has no time that a discount could last for: it is less only by one of its family.
    """
    if (percent is None) == (amount is None):
        raise click.UsageError("either --percent or --amount")
    if until is not None and until <= since:
        raise Refused(f"a promotion ends after it begins: {until} is not after {since}")
    value = {"kind": "percent", "value": percent} if percent is not None else {"kind": "fixed", "value": amount}
    with open_books(settings) as connection:
        save_promotion(connection, {"name": name, **value, **columns}, offered=(since, until))
    click.echo(f"Promotion {name}: corrente promotion apply {name!r} --dry-run … says who would get it.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """All of them, and how many contracts have each."""
    with open_database(settings) as connection:
        promotions = load_promotions(connection)
    if as_json:
        print_json(promotions)
        return
    print_table(
        ("NAME", "TAKES OFF", "FAMILY", "MONTHS", "PRIORITY", "GIVEN FROM", "UNTIL", "CONTRACTS"),
        (
            (
                *(one.name, _value(one), one.family, one.months, one.priority),
                *(one.offered_from, one.offered_until, one.contracts),
            )
            for one in promotions
        ),
        empty="There is no promotion: corrente promotion new NAME --percent 50 --months 3 --from DAY",
    )


def _value(promotion: Promotion) -> str:
    value = f"{promotion.value.normalize():f}"
    return f"{value} %" if promotion.kind == "percent" else f"{value} a period"


@command.command("apply")
@keyed
@click.argument("name")
@selection_options
@click.option(
    "--from", "since", type=DAY, help="Not before this day; today. A contract billed further has it from there."
)
@click.option("--dry-run", is_flag=True, help="Say who would get it, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def apply(
    settings: Settings, /, name: str, *, since: date | None, dry_run: bool, yes: bool, as_json: bool, **options: Any
) -> None:
    """Give promotion NAME to contracts: each gets a copy, once; again changes nothing."""
    today = today_of(settings.zone.key)
    with open_books(settings) as connection:
        promotion = _known(connection, name)
        if not _is_given(promotion, today):
            raise Refused(
                f"promotion {name} is given from {promotion.offered_from} until {promotion.offered_until or 'ever'}"
            )
        start = since or today
        contracts = load_selected(connection, read_selection(connection, options), day=start)
        planned, gets = plan_application(connection, promotion, contracts, since=start)
        _say(
            f"{planned.gets:,} of {len(contracts):,} contracts get {name}, {_value(promotion)} from {start} on", as_json
        )
        _say(f"  {planned.had:,} have it already, {planned.without_family:,} have nothing of its family", as_json)
        made = 0
        if not dry_run and gets:
            confirm("Go on?", yes=yes)
            made = apply_promotion(connection, promotion, gets, since=start, actor=os_user())
            detail = {"contracts": made, "from": start, **{key: value for key, value in options.items() if value}}
            audit.append(connection, actor=os_user(), action="promotion.apply", subject=name, detail=detail)
    if as_json:
        print_json({"promotion": name, "planned": planned, "applied": made, "contracts": gets})
        return
    click.echo("Dry run: nothing was changed." if dry_run else f"{made:,} contracts have {name} now.")


def _say(line: str, as_json: bool) -> None:
    click.echo(line, err=as_json)


def _is_given(promotion: Promotion, day: date) -> bool:
    begun = promotion.offered_from is None or promotion.offered_from <= day
    return begun and (promotion.offered_until is None or day < promotion.offered_until)


@command.command("undo")
@click.argument("name")
@click.option("--contract", "contracts", type=int, multiple=True, help="Only of this contract; repeat.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken back, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def undo(settings: Settings, name: str, *, contracts: tuple[int, ...], dry_run: bool, yes: bool) -> None:
    """Take promotion NAME back from contracts that no charge has counted it for; the others keep it."""
    with open_books(settings) as connection:
        promotion = _known(connection, name)
        found, free = load_undoing(connection, promotion.id, contracts or None)
        click.echo(f"{found.undone:,} contracts lose {name}; {found.charged:,} have been charged with it and keep it")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        if free:
            confirm("Go on?", yes=yes)
            found = undo_promotion(connection, promotion.id, free)
            detail = {"contracts": found.undone}
            audit.append(connection, actor=os_user(), action="promotion.undo", subject=name, detail=detail)
    click.echo(f"{name} taken back from {found.undone:,} contracts.")
