"""What the deeds of `corrente contract` share: done or only shown, with what would be billed and what the network would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from billing.deeds import Deed
from billing.operations.doing import NoContractError
from billing.store.contract_page import ChargeRow, ContractPage, ItemRow
from control_plane.cli._amounts import amount_words, period_words, taxed_words
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.contract_deeds import Done, NextBill, carry_out, changed_items, day_of, look_at, next_bill
from control_plane.explaining.explain_now import step_words
from control_plane.settings import Settings
from control_plane.store.plan import load_profiles

NUMBER: Final = click.argument("number", type=int)


@dataclass(frozen=True, slots=True)
class Sight:
    """A contract before or after a deed: its page, and what the network gives each account from when on, in words."""

    page: ContractPage
    network: dict[str, list[tuple[str, str]]]


def deed_options(*, asks: bool = False) -> Callable[[Any], Any]:
    """The contract's number and what every deed takes."""

    def add(command: Any) -> Any:
        options = [
            NUMBER,
            click.option("--reason", default="", help="Why; it stands in the contract's history."),
            click.option(
                "--dry-run", is_flag=True, help="Show what it would bill and do on the network, change nothing."
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON document."),
        ]
        if asks:
            options.append(click.option("--yes", is_flag=True, help="Do not ask before service is taken away."))
        for option in reversed(options):
            command = option(command)
        return keyed(click.pass_obj(command))

    return add


def contract_day(connection: Connection, number: int, settings: Settings) -> tuple[date, str]:
    """What day it is for a contract, and in which zone."""
    try:
        return day_of(connection, number, usual_zone=settings.operator.billing_zone)
    except NoContractError as error:
        raise Refused(str(error)) from error


def run_deed(
    settings: Settings,
    number: int,
    deed: Deed | Callable[[Connection, date], Sequence[Deed]],
    *,
    reason: str,
    dry_run: bool,
    as_json: bool,
    question: str | None = None,
    yes: bool = True,
) -> None:
    """Do it, or each of several in one transaction, and say what that means; `question` is asked before it stands."""
    with open_books(settings) as connection:
        today, zone = contract_day(connection, number, settings)
        before = look(connection, number, settings)
        deeds = [deed] if not callable(deed) else deed(connection, today)

        def attempt() -> list[str]:
            return _do_all(connection, number, deeds, today=today, zone=zone, reason=reason)

        events = attempt()
        after = look(connection, number, settings)
        coming = next_bill(connection, number, before.page, after.page, today)
        show_change(number, events, before, after, coming, dry_run=dry_run, as_json=as_json)
        if dry_run:
            connection.rollback()
        elif question is not None and not yes:
            # Nothing is held while a person thinks.
            connection.rollback()
            confirm(question, yes=yes)
            attempt()


def _do_all(
    connection: Connection, number: int, deeds: Sequence[Deed], *, today: date, zone: str, reason: str
) -> list[str]:
    """Each deed in this transaction, in words; or the refusal of the first that is refused."""
    done = carry_out(connection, number, deeds, today=today, zone=zone, reason=reason, actor=os_user())
    return [words for one in done for words in _told(one, reason)]


def _told(done: Done, reason: str) -> list[str]:
    words = f"{done.event.replace('_', ' ')} from {done.effective_on}"
    said = [f"{words}: {reason}" if reason else words]
    cost = done.leaving_costs
    if cost:
        said.append(
            f"leaving on {done.leaving_on} costs {cost.amount} {cost.currency} for an early exit, charged when it ends"
        )
    return said


def look(connection: Connection, number: int, settings: Settings) -> Sight:
    """A contract as this transaction sees it."""
    try:
        seen = look_at(connection, number, zone=settings.zone)
    except NoContractError as error:
        raise Refused(str(error)) from error
    profiles = {profile.id: profile for profile in load_profiles(connection)}
    network = {}
    for username, steps in seen.network.items():
        since, said = "now", []
        for step in steps:
            said.append((since, step_words(step, profiles)))
            since = _minute(step.until, settings.zone)
        network[username] = said
    return Sight(seen.page, network)


def _minute(epoch_s: int, zone: ZoneInfo) -> str:
    # The last step has no end: beyond what a calendar holds.
    try:
        return f"from {datetime.fromtimestamp(epoch_s, zone):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "for ever"


def show_change(
    number: int,
    events: Sequence[str],
    before: Sight,
    after: Sight,
    coming: NextBill | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """What a deed made of a contract: status, items, charges, its next bill, network."""
    old, new = before.page, after.page
    known = {charge.id for charge in old.waiting}
    charges = [charge for charge in new.waiting if charge.id not in known]
    items = changed_items(old, new)
    gone = [item for item in old.items if item.id not in {one.id for one in new.items}]
    if as_json:
        print_json(
            {
                "contract": number,
                "dry_run": dry_run,
                "events": list(events),
                "status": {"before": old.contract.status, "after": new.contract.status},
                "charges": charges,
                "next_bill": None
                if coming is None
                else {"on": coming.on, "lines": coming.lines, "gross": coming.gross},
                "items": items,
                "items_void": gone,
                "network": {"before": before.network, "after": after.network},
            }
        )
        return
    for event in events:
        click.echo(f"Contract {number}: {event}.")
    for what, words in (
        *_bill_words(old, new, gone, items, charges),
        *_next_words(coming),
        *_network_words(before, after),
    ):
        click.echo(f"  {what:8} {words}")
    if dry_run:
        click.echo("Dry run: nothing was changed.")


def _bill_words(
    old: ContractPage,
    new: ContractPage,
    gone: Sequence[ItemRow],
    items: Sequence[ItemRow],
    charges: Sequence[ChargeRow],
) -> Iterator[tuple[str, str]]:
    if old.contract.status != new.contract.status:
        yield "status", f"{old.contract.status} → {new.contract.status}"
    were = {item.id: item for item in old.items}
    for item in gone:
        yield "items", f"{item.product} of {item.starts_on} never begins"
    for item in items:
        yield "items", _item_words(item, were.get(item.id), new)
    for charge in charges:
        yield "bills", charge_words(charge)


def _next_words(coming: NextBill | None) -> Iterator[tuple[str, str]]:
    """The next bill: its lines without tax, and what they come to with it."""
    if coming is None:
        return
    for one in coming.lines:
        days = f" {one['from']} until {one['until']}" if one["from"] else ""
        yield "next", f"{one['net']:>8} {one['currency']}  {one['text']}{days}"
    together = " and ".join(map(str, coming.gross))
    yield "next", f"bill of {coming.on}: {together} with tax, if nothing else comes"


def _network_words(before: Sight, after: Sight) -> Iterator[tuple[str, str]]:
    if before.network == after.network:
        yield "network", "no change"
    for username, steps in after.network.items():
        if before.network.get(username) != steps:
            yield from (("network", f"{username} {since}: {words}") for since, words in steps)


def _item_words(item: ItemRow, was: ItemRow | None, page: ContractPage) -> str:
    price = price_words(item, page)
    due = f", due {item.due_on}" if item.due_on else ""
    if was is None:
        until = f" until {item.ends_on}" if item.ends_on else ""
        return f"{item.product} at {price} from {item.starts_on}{until}{due}"
    if was.ends_on != item.ends_on:
        return f"{item.product} {f'ends on {item.ends_on}' if item.ends_on else 'goes on'}{due}"
    return f"{item.product} at {price} from {item.starts_on}{due}"


def price_words(item: ItemRow, page: ContractPage) -> str:
    """What an item costs: `29.90 EUR a month with tax`."""
    terms = page.terms
    taxed = taxed_words(bool(terms.get("includes_tax")))
    return f"{amount_words(item.price, terms.get('currency', ''))} {terms.get('currency', '')}{period_words(item.months)}{taxed}"


def charge_words(charge: ChargeRow) -> str:
    """What waits to be billed: its amount, for what, which days, when it is due."""
    kind = "given back" if charge.kind == "credit" else charge.kind.replace("_", " ")
    return f"{amount_words(charge.net, charge.currency)} {charge.currency} {kind}, {charge.product} {charge.start} until {charge.end}, due {charge.due_on}"
