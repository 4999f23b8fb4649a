"""`corrente contract`: what customers agreed to, from the draft to the end, and everything done to it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from billing.contract_facts import Status
from billing.store.contract_page import load_events, load_rows
from control_plane.cli._books import DAY, known_customer
from control_plane.cli._console import Refused, open_database, print_json, print_table
from control_plane.cli._contract_deed import NUMBER, look
from control_plane.cli._contract_deeds import DEEDS
from control_plane.cli._contract_new import bind, new, release
from control_plane.cli._contract_page import print_head, print_parts
from control_plane.cli._contract_pdf import pdf
from control_plane.cli._group import Group
from control_plane.quantities import instant_text
from control_plane.settings import Settings

command = Group("contract", help="Contracts: what customers agreed to, from the draft to the end.")
for part in (new, bind, release, pdf, *DEEDS):
    command.add_command(part)


@command.command("list")
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@click.option("--status", type=click.Choice([str(one) for one in Status]))
@click.option("--ending-before", type=DAY, help="Those whose end is before a day.")
@click.option("--after", type=int, default=0, help="From the one behind this number on.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(
    settings: Settings,
    *,
    customer: str | None,
    status: str | None,
    ending_before: object,
    after: int,
    limit: int,
    as_json: bool,
) -> None:
    """Contracts in order of their numbers."""
    with open_database(settings) as connection:
        customer_id = None if customer is None else known_customer(connection, customer).id
        rows = load_rows(
            connection,
            customer_id=customer_id,
            status=status,
            ends_before=ending_before,  # type: ignore[arg-type]
            after=after,
            limit=limit,
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NUMBER", "CUSTOMER", "PLAN", "STATUS", "FROM", "UNTIL", "LIMITED", "ACCOUNTS"),
        (
            (
                row.id,
                f"{row.customer} ({row.customer_id})",
                row.plan,
                f"{row.status} until {row.valid_until}" if row.valid_until else row.status,
                row.starts_on,
                row.ends_on,
                ", ".join(row.limited),
                ", ".join(row.accounts),
            )
            for row in rows
        ),
        empty="No contracts.",
    )
    if len(rows) == limit:
        click.echo(f"There may be more: --after {rows[-1].id}, or --customer.")


@command.command("show")
@NUMBER
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, number: int, *, as_json: bool) -> None:
    """All of one contract: terms, items, what waits to be billed, what the network gives."""
    with open_database(settings) as connection:
        sight = look(connection, number, settings)
    if as_json:
        print_json({"page": sight.page, "network": sight.network})
        return
    print_head(sight.page)
    for username, steps in sight.network.items():
        for since, words in steps:
            click.echo(f"account    {username} {since}: {words}")
    print_parts(sight.page)


@command.command("history")
@NUMBER
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def history(settings: Settings, number: int, *, as_json: bool) -> None:
    """What happened to a contract, who did it, and from which day it counts."""
    with open_database(settings) as connection:
        events = load_events(connection, number)
    if not events:
        raise Refused(f"there is no contract {number}; `corrente contract list` shows them")
    if as_json:
        print_json(events)
        return
    print_table(
        ("AT", "EVENT", "FROM", "STATUS", "BY", "WHAT"),
        (
            (
                instant_text(one.at, settings.zone),
                one.event.replace("_", " "),
                one.effective_on,
                one.status_after
                if one.status_before == one.status_after
                else f"{one.status_before} → {one.status_after}",
                one.actor,
                _changes(one.detail),
            )
            for one in events
        ),
        empty="",
    )


def _changes(detail: dict[str, object]) -> str:
    """What changed from what to what, in a line."""
    before, after = detail.get("before"), detail.get("after")
    said = [f"account {detail['account']}"] if "account" in detail else []
    if isinstance(before, dict) and isinstance(after, dict):
        said += [
            f"{name.replace('_', ' ')} {_word(was)} → {_word(now)}"
            for name, was, now in _differences(before, after)
            if name != "status"
        ]
    if "reason" in detail:
        said.append(str(detail["reason"]))
    return "; ".join(said)


def _differences(before: dict[str, object], after: dict[str, object]) -> Iterator[tuple[str, object, object]]:
    """What differs, with its two values; of what has parts, the parts that differ."""
    for name, now in after.items():
        was = before.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now)
        elif was != now:
            yield name, was, now


def _word(value: object) -> str:
    if value is None or value == []:
        return "none"
    return ", ".join(_word(one) for one in value) if isinstance(value, list) else str(value)
