"""What the deeds of `corrente contract` share: done or only shown, with what would be billed and what the network would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from billing.contracts import cost_of_leaving
from billing.deeds import Changed, Deed
from billing.deeds import Refused as DeedRefused
from billing.documents import DocumentKind
from billing.errors import BillingError
from billing.money import Money
from billing.operations.doing import do_deed
from billing.runs.batch import look_at_batch
from billing.runs.desk import load_desk
from billing.runs.preview import lines_of
from billing.store.books import load_book_keeper
from billing.store.contract_page import ChargeRow, ContractPage, ItemRow, load_page, load_zone
from control_plane import audit
from control_plane.cli._amounts import amount_words, period_words, taxed_words
from control_plane.cli._books import open_books, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_json
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.explaining.explain_now import step_words, steps_of
from control_plane.settings import Settings
from control_plane.store.account import load_account
from control_plane.store.limits import load_reliefs, load_restrictions
from control_plane.store.plan import load_profiles

# Deeds of which the audit log wants the reason, by the names it knows them.
_AUDITED: Final = {"made_free": "make_free", "lifted": "lift"}
NUMBER: Final = click.argument("number", type=int)


@dataclass(frozen=True, slots=True)
class Sight:
    """A contract before or after a deed: its page, and what the network gives each account from when on."""

    page: ContractPage
    network: dict[str, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class NextBill:
    """What the run that next bills a contract will print of it, from which day on; `gross` of each document."""

    on: date
    lines: list[dict[str, Any]]
    gross: list[Money]


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
    found = load_zone(connection, number)
    if found is None:
        raise Refused(f"there is no contract {number}; `corrente contract list` shows them")
    zone = found[0] or settings.operator.billing_zone
    return today_of(zone), zone


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
    events: list[str] = []
    for one in deeds:
        outcome = do_deed(connection, number, one, today=today, actor=os_user(), reason=reason, zone=zone)
        if isinstance(outcome, DeedRefused):
            raise Refused(f"contract {number}: {outcome.sentence}")
        events.append(_told(outcome, reason))
        events += _cost_ahead(outcome, today)
        detail = {"effective_on": outcome.effective_on, "reason": reason}
        action = f"contract.{_AUDITED.get(outcome.event, outcome.event)}"
        audit.append(connection, actor=os_user(), action=action, subject=f"contract {number}", detail=detail)
    return events


def _told(outcome: Changed, reason: str) -> str:
    words = f"{outcome.event.replace('_', ' ')} from {outcome.effective_on}"
    return f"{words}: {reason}" if reason else words


def _cost_ahead(outcome: Changed, today: date) -> list[str]:
    """What an end that was set will cost when it comes: who asks for it should hear it now."""
    end = outcome.contract.ends_on
    if outcome.event != "end_scheduled" or end is None or end <= today:
        return []
    cost = cost_of_leaving(outcome.contract, end)
    return (
        [f"leaving on {end} costs {cost.amount} {cost.currency} for an early exit, charged when it ends"]
        if cost
        else []
    )


def look(connection: Connection, number: int, settings: Settings) -> Sight:
    """A contract as this transaction sees it."""
    page = load_page(connection, number)
    if page is None:
        raise Refused(f"there is no contract {number}; `corrente contract list` shows them")
    return Sight(page, dict(_network(connection, number, settings)))


def _network(connection: Connection, number: int, settings: Settings) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What each account gets from now on: since when, and in words."""
    now = datetime.now(UTC)
    restrictions = load_restrictions(connection, number, now=now)
    reliefs = load_reliefs(connection, number, now=now)
    profiles = {profile.id: profile for profile in load_profiles(connection)}
    usernames = connection.execute(
        "SELECT username FROM subscriber_account WHERE contract_id = %s ORDER BY 1", (number,)
    ).fetchall()
    for (username,) in usernames:
        account = load_account(connection, username)
        assert account is not None, f"account {username} was there a moment ago"
        since, steps = "now", []
        for step in steps_of(account, restrictions, reliefs, at=now, zone=settings.zone):
            steps.append((since, step_words(step, profiles)))
            since = _minute(step.until, settings.zone)
        yield username, steps


def _minute(epoch_s: int, zone: ZoneInfo) -> str:
    # The last step has no end: beyond what a calendar holds.
    try:
        return f"from {datetime.fromtimestamp(epoch_s, zone):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "for ever"


def next_bill(
    connection: Connection, number: int, old: ContractPage, new: ContractPage, today: date
) -> NextBill | None:
    """What the next run will bill of a contract whose items a deed has changed, worked out as the run does; None where nothing is due of
    them or it can't be billed.
    """
    days = [one.due_on for one in _changed(old, new) if one.due_on is not None]
    if not days or new.contract.issuer is None:
        return None
    through = max(today, *days)
    try:
        keeper = load_book_keeper(connection, None, contract_id=number)
        desk = load_desk(connection, keeper.id, run_id=None, run_date=through, through=through)
        sheaf = look_at_batch(connection, desk, [number])
    except BillingError:
        return None
    lines = [line for draft in sheaf.drafts for line in lines_of(draft)]
    signs = [-1 if draft.kind is DocumentKind.CREDIT_NOTE else 1 for draft in sheaf.drafts]
    gross = [Money(sign * one.totals.gross.minor, one.currency) for sign, one in zip(signs, sheaf.drafts, strict=True)]
    return NextBill(through, lines, gross) if lines else None


def _changed(old: ContractPage, new: ContractPage) -> list[ItemRow]:
    were = {item.id: item for item in old.items}
    return [item for item in new.items if were.get(item.id) != item]


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
    items = _changed(old, new)
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
