"""`corrente dunning`: what is to come, what is, what was: tonight's cuts, cases, notices, exclusions, disputes, plans, the log of cuts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from billing.dunning.evaluation import evaluate
from billing.dunning.words import say
from billing.money import read_money
from billing.operations.restoring import why_line
from billing.runs.dunning_forecast import CutToCome, cuts_to_come
from billing.store.dunning_cases import CaseEvent, load_case, load_cases, load_events
from billing.store.dunning_facts import Account, load_accounts
from billing.store.dunning_policies import load_policies
from billing.store.holding_back import load_disputes, load_exclusions, load_notices, load_plans
from control_plane.cli._books import DAY, issuer_meant, known_customer, today_of
from control_plane.cli._console import Connection, Refused, day_shown, open_database, print_json, print_table
from control_plane.settings import Settings
from control_plane.store.cut_log import CutRow, load_cuts

_ISSUER = click.option("--issuer", help="Whose; not needed where there is one issuer.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_LIMIT = click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)


def shown(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """A moment as the clock there shows it."""
    return None if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


@click.command("tonight")
@_ISSUER
@_JSON
@click.pass_obj
def tonight(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """Whom dunning will limit further in its next hours, as things stand now, and why. Nothing is written."""
    with open_database(settings) as connection:
        whose = issuer_meant(connection, issuer)
        found = list(cuts_to_come(connection, load_policies(connection)[whose.id], datetime.now(UTC)))
        names = _names(connection, (one.account.customer_id for one in found))
    zone = ZoneInfo(whose.zone)
    if as_json:
        print_json([_cut_fields(one, names) for one in found])
        return
    rows = (
        (
            shown(one.cut.at, zone),
            f"{names[one.account.customer_id]} ({one.account.customer_id})",
            one.cut.contract_id,
            f"{one.cut.before or 'full'} -> {one.cut.level}",
            why_line(one.cut.evaluation.reasons, one.account),
        )
        for one in found
    )
    print_table(("AT", "CUSTOMER", "CONTRACT", "LEVEL", "WHY"), rows, empty="Nobody will be limited.")
    if found:
        click.echo("Leave one out: `corrente dunning exclude --contract N --reason … --until DAY`, or a dispute, plan or promise.")  # fmt: skip


def _cut_fields(one: CutToCome, names: dict[int, str]) -> dict[str, Any]:
    return {
        "at": one.cut.at,
        "customer_id": one.account.customer_id,
        "customer": names[one.account.customer_id],
        "contract_id": one.cut.contract_id,
        "before": one.cut.before,
        "level": one.cut.level,
        "debt": one.cut.evaluation.debt.amount.amount,
        "currency": one.account.key[2],
        "why": why_line(one.cut.evaluation.reasons, one.account),
    }


def _names(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    wanted = sorted(set(ids))
    return dict(connection.execute("SELECT id, name FROM customer WHERE id = ANY(%s)", (wanted,)).fetchall())


@click.command("cases")
@click.option("--customer", help="Of one customer: number, reference or whole name.")
@click.option("--step", help="Those in which a step ran, such as propose_end.")
@click.option("--all", "cleared", is_flag=True, help="Also those that are over.")
@_ISSUER
@_LIMIT
@_JSON
@click.pass_obj
def cases(settings: Settings, /, *, customer: str | None, issuer: str | None, as_json: bool, **asked: Any) -> None:
    """Debts that are pursued: since when, how much, what was done last."""
    with open_database(settings) as connection:
        found = load_cases(
            connection,
            issuer_id=None if issuer is None else issuer_meant(connection, issuer).id,
            customer_id=None if customer is None else known_customer(connection, customer).id,
            **asked,
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.id,
            f"{one.customer} ({one.customer_id})",
            day_shown(one.opened_at, settings.zone)
            + (f" to {day_shown(one.cleared_at, settings.zone)}" if one.cleared_at else ""),
            str(read_money(one.overdue, one.currency)),
            None if one.last_step is None else f"{one.last_step}, {day_shown(one.last_at, settings.zone)}",
            one.level,
        )
        for one in found
    )
    print_table(("CASE", "CUSTOMER", "SINCE", "OVERDUE", "LAST STEP", "LEVEL"), rows, empty="No cases.")


@click.command("case")
@click.argument("number", type=int)
@_JSON
@click.pass_obj
def case(settings: Settings, number: int, *, as_json: bool) -> None:
    """Case NUMBER: what was done and said in it, what holds now and why, and what each step waits for."""
    with open_database(settings) as connection:
        row = load_case(connection, number)
        if row is None:
            raise Refused(f"there is no case {number}: `corrente dunning cases --all` shows them")
        events, now = load_events(connection, number), datetime.now(UTC)
        key = (row.customer_id, row.issuer_id, row.currency)
        account = next((one for one in load_accounts(connection, [row.customer_id], now) if one.key == key), None)
    state = None if account is None or row.cleared_at is not None else _state(account, now)
    if as_json:
        print_json({**asdict(row), "events": [_event_data(one) for one in events], "now": state})
        return
    _show_case(row, events, state, ZoneInfo("UTC") if account is None else account.policy.guard.zone)


def _state(account: Account, now: datetime) -> dict[str, Any]:
    """What the rules say of a case now."""
    found = evaluate(account.facts, account.policy, now)
    zone = account.policy.guard.zone
    return {
        "policy": f"{account.policy.name} version {account.policy.version}",
        "why": [say(one, "en", zone) for one in found.reasons],
        "levels": {str(contract): level for contract, level in found.levels.items()},
        "due": [one.code for one in found.steps],
        "waiting": [
            {"step": one.code, "why": say(one.reason, "en", zone), "until": one.until} for one in found.waiting
        ],
        "next_look": found.next_moment,
    }


def _event_data(one: CaseEvent) -> dict[str, Any]:
    detail = None if one.detail is None else str(one.detail)
    return {"at": one.at, "what": str(one.what), "who": one.who, "detail": detail}


def _cut_data(one: CutRow) -> dict[str, Any]:
    return {**asdict(one), "told": list(map(str, one.told)), "answers": list(map(str, one.answers))}


def _show_case(row: Any, events: list[CaseEvent], state: dict[str, Any] | None, zone: ZoneInfo) -> None:
    over = f", over since {shown(row.cleared_at, zone)}" if row.cleared_at else ""
    click.echo(f"Case {row.id} of {row.customer} ({row.customer_id}), since {shown(row.opened_at, zone)}{over}")
    if state is not None:
        click.echo(f"  {'; '.join(state['why'])}")
        click.echo(f"  by {state['policy']}; next look {shown(state['next_look'], zone) or 'with the next deed'}")
        for contract, level in state["levels"].items():
            click.echo(f"  contract {contract} is to be {level}")
        for one in state["waiting"]:
            until = f" (until {shown(one['until'], zone)})" if one["until"] else ""
            click.echo(f"  step {one['step']} waits: {one['why']}{until}")
    rows = ((shown(one.at, zone), one.what, one.who, one.detail) for one in events)
    print_table(("AT", "WHAT", "BY", "DETAIL"), rows, empty="Nothing was done yet.")


@click.command("cuts")
@click.option("--customer", help="Of one customer: number, reference or whole name.")
@click.option("--contract", "contract_id", type=int, help="Of one contract.")
@click.option("--from", "since", type=DAY, help="Placed on or after a day.")
@click.option("--until", type=DAY, help="Placed on or before a day.")
@_LIMIT
@_JSON
@click.pass_obj
def cuts(
    settings: Settings,
    /,
    *,
    customer: str | None,
    contract_id: int | None,
    since: date | None,
    until: date | None,
    limit: int,
    as_json: bool,
) -> None:
    """The log of cuts: who was limited when and why, what they were sent, what the access devices answered, who lifted it."""
    zone = settings.zone
    with open_database(settings) as connection:
        found = load_cuts(
            connection,
            customer_id=None if customer is None else known_customer(connection, customer).id,
            contract_id=contract_id,
            since=None if since is None else datetime.combine(since, time.min, zone),
            until=None if until is None else datetime.combine(until + timedelta(days=1), time.min, zone),
            limit=limit,
            zone=zone,
        )
    if as_json:
        print_json([_cut_data(one) for one in found])
        return
    if not found:
        click.echo("Nobody was limited.")
    for one in found:
        _show_cut(one, zone)


def _show_cut(one: CutRow, zone: ZoneInfo) -> None:
    lines = ", ".join(one.usernames) or "no line"
    click.echo(f"{shown(one.at, zone)}  {one.customer} ({one.customer_id}), contract {one.contract_id}: {one.level} ({lines})")  # fmt: skip
    step = f", step {', '.join(one.steps)}" if one.steps else ""
    click.echo(f"  by {one.placed_by}{step}: {one.reason}")
    if one.held:
        click.echo("  waits for a person: `corrente guard status`")
    if one.released_by:
        click.echo(f"  let go by {one.released_by}")
    for told in one.told or ("told of nothing",):
        click.echo(f"  {told}")
    for answer in one.answers or ("no device was told: nobody was online, or it waits",):
        click.echo(f"  {answer}")
    if one.lifted_at is not None:
        click.echo(f"  lifted {shown(one.lifted_at, zone)} by {one.lifted_by}")


@click.command("notices")
@click.option("--all", "delivered", is_flag=True, help="Also those that came, and mails that went out.")
@_LIMIT
@_JSON
@click.pass_obj
def notices(settings: Settings, *, delivered: bool, limit: int, as_json: bool) -> None:
    """Formal notices that are under way. The law counts from their delivery, a policy's `needs_notice_days` from when they went out.

    One that failed counts for nothing: mend the address and `corrente message again MESSAGE`, or bring it otherwise and say `delivered`.
    """
    with open_database(settings) as connection:
        found = load_notices(connection, delivered=delivered, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            *(one.id, one.case_id, f"{one.customer} ({one.customer_id})", one.channel),
            str(read_money(one.amount, one.currency)),
            day_shown(one.sent_at, settings.zone),
            one.message_id,
            one.problem or (day_shown(one.out_at, settings.zone) if one.out_at else "not yet"),
            None if one.delivered_at is None else f"{day_shown(one.delivered_at, settings.zone)} by {one.delivered_by}",
        )
        for one in found
    )
    heads = ("NOTICE", "CASE", "CUSTOMER", "BY", "AMOUNT", "WRITTEN", "MESSAGE", "WENT OUT", "DELIVERED")
    print_table(heads, rows, empty="None.")


@click.command("exclusions")
@click.option("--all", "ended", is_flag=True, help="Also those that are over.")
@_LIMIT
@_JSON
@click.pass_obj
def exclusions(settings: Settings, *, ended: bool, limit: int, as_json: bool) -> None:
    """Who is left alone, why and until when."""
    with open_database(settings) as connection:
        found = load_exclusions(connection, ended=ended, today=today_of(settings.operator.billing_zone), limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            *(one.id, one.kind, one.who, one.since, one.until or "for good", one.reason, one.placed_by),
            None
            if one.ended_at is None
            else f"{day_shown(one.ended_at, settings.zone)} by {one.ended_by}: {one.end_reason}",
        )
        for one in found
    )
    print_table(("NUMBER", "KIND", "WHO", "FROM", "UNTIL", "WHY", "BY", "ENDED"), rows, empty="Nobody is left alone.")


@click.command("disputes")
@click.option("--all", "closed", is_flag=True, help="Also those that are closed.")
@_LIMIT
@_JSON
@click.pass_obj
def disputes(settings: Settings, *, closed: bool, limit: int, as_json: bool) -> None:
    """What is contested: it is no debt meanwhile."""
    with open_database(settings) as connection:
        found = load_disputes(connection, closed=closed, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            *(one.id, one.label, f"{one.customer} ({one.customer_id})", str(read_money(one.amount, one.currency))),
            *(one.reason, day_shown(one.opened_at, settings.zone), one.outcome),
        )
        for one in found
    )
    print_table(("NUMBER", "INVOICE", "CUSTOMER", "AMOUNT", "WHY", "SINCE", "OUTCOME"), rows, empty="None.")


@click.command("plans")
@click.option("--all", "ended", is_flag=True, help="Also those that are over.")
@_LIMIT
@_JSON
@click.pass_obj
def plans(settings: Settings, *, ended: bool, limit: int, as_json: bool) -> None:
    """Debts that are paid in instalments."""
    with open_database(settings) as connection:
        found = load_plans(connection, ended=ended, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            *(one.id, f"{one.customer} ({one.customer_id})", ", ".join(one.documents), ", ".join(one.parts)),
            *(one.currency, one.reason, one.ended_on, one.end_reason),
        )
        for one in found
    )
    heads = ("NUMBER", "CUSTOMER", "INVOICES", "INSTALMENTS", "IN", "WHY", "ENDED", "BECAUSE")
    print_table(heads, rows, empty="None.")


COMMANDS: Final = (tonight, cases, case, cuts, notices, exclusions, disputes, plans)
