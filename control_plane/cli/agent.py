"""`corrente agent`: who brings contracts, by which rules they earn, what they earned, and its settlement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from billing.commission_rules import Rule, RuleKind
from billing.money import read_money
from billing.operations.earning import Settled, settle_agent, undo_settlement, work_out
from billing.operations.printing import load_settlement_paper
from billing.papers.wording import LANGUAGES
from billing.store.commissions import (
    AgentSettlement,
    EarnedRow,
    load_agents,
    load_contracts_of,
    load_earned,
    load_rules,
    load_settled_rows,
    load_settlements,
)
from billing.store.issuers import load_issuers
from billing.store.rows import id_of
from control_plane.agents import add_agent, add_rule, change_agent
from control_plane.agents import assign as hand_to
from control_plane.agents import end_rule as stop_rule
from control_plane.cli._agents import known_agent
from control_plane.cli._books import AMOUNT, CURRENCY, DAY, DECIMAL, issuer_meant, known_issuer, open_books
from control_plane.cli._cash_words import DRY_RUN, JSON, PDF, day_of, done
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.cli._print import print_to
from control_plane.settings import Settings

command = Group("agent", help="Who brings contracts, by which rules they earn, what they earned, and its settlement.")
rules = Group("rule", help="By which rules agents earn.")
command.add_command(rules)

_ISSUER = click.option("--issuer", help="Whose books; not needed where there is one issuer.")
_MONTHS = click.IntRange(1, 600)
_NOTHING = "Dry run: nothing was written."


@command.command("list")
@_ISSUER
@JSON
@click.pass_obj
def list_(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """All agents, with how many contracts are theirs and what is not settled yet."""
    with open_books(settings) as connection:
        issuer_id = None if issuer is None else known_issuer(connection, issuer).id
        found = []
        for one in load_agents(connection, issuer_id=issuer_id):
            waiting = [row.earned.amount for row in load_earned(connection, one.id) if row.settlement is None]
            sums = {money.currency: money - money for money in waiting}
            for money in waiting:
                sums[money.currency] += money
            found.append((one, len(load_contracts_of(connection, one.id)), [money for money in sums.values() if money]))
    if as_json:
        print_json(
            [{**asdict(one), "contracts": many, "not_settled": list(map(str, sums))} for one, many, sums in found]
        )
        return
    rows = ((one.id, one.name, many, ", ".join(map(str, sums)), None if one.active else "no more") for one, many, sums in found)  # fmt: skip
    columns = ("NUMBER", "NAME", "CONTRACTS", "NOT SETTLED", "")
    print_table(columns, rows, empty="No agents: `corrente agent new NAME` adds one.")


@command.command("new")
@click.argument("name")
@click.option("--email", help="Where settlements go.")
@_ISSUER
@JSON
@click.pass_obj
def new(settings: Settings, *, name: str, email: str | None, issuer: str | None, as_json: bool) -> None:
    """Add an agent; `assign` says which contracts are the agent's."""
    with open_books(settings) as connection:
        keeper = issuer_meant(connection, issuer)
        number = done(add_agent(connection, keeper.id, name=name, email=email, actor=os_user()))
    if as_json:
        print_json({"agent": number})
        return
    click.echo(f"Agent {number} {name}: `corrente agent assign {number} CONTRACT` says what was brought.")


@command.command("set")
@click.argument("agent")
@click.option("--name", help="Another name.")
@click.option("--email", help="Where settlements go.")
@click.option("--active/--inactive", default=None, help="Who is inactive gets no contract more.")
@click.pass_obj
def set_(settings: Settings, /, *, agent: str, **typed: Any) -> None:
    """Change AGENT (number or name)."""
    with open_books(settings) as connection:
        changes = {key: value for key, value in typed.items() if value is not None}
        if not changes:
            raise click.UsageError("say what to change")
        known = known_agent(connection, agent)
        change_agent(connection, known, changes, actor=os_user())
    click.echo(f"Agent {known.id}: changed.")


@command.command("assign")
@click.argument("agent")
@click.argument("contracts", nargs=-1, required=True, type=int, metavar="CONTRACT...")
@click.option("--from", "since", type=DAY, help="From which day on; the contract's first, if not said.")
@click.pass_obj
def assign(settings: Settings, agent: str, contracts: tuple[int, ...], *, since: date | None) -> None:
    """Say that these CONTRACTs are AGENT's from a day on; `nobody` takes them away. What was invoiced before stays whose it was."""
    with open_books(settings) as connection:
        known = None if agent == "nobody" else known_agent(connection, agent)
        keeper = (
            (load_issuers(connection) or [issuer_meant(connection, None)])[0].id if known is None else known.issuer_id
        )
        today = day_of(connection, keeper)
        refused = hand_to(connection, known, contracts, since=since, today=today, actor=os_user())
        if refused is not None:
            raise Refused(refused.message)
    whose = "nobody's" if known is None else f"{known.name}'s"
    click.echo(f"Contract {', '.join(map(str, contracts))}: {whose} from {since or 'the first day'} on.")


@command.command("earned")
@click.argument("agent")
@click.option("--all", "also_settled", is_flag=True, help="What is settled as well.")
@JSON
@click.pass_obj
def earned(settings: Settings, agent: str, *, also_settled: bool, as_json: bool) -> None:
    """What AGENT earned up to now and is not settled: works it out and writes it down."""
    with open_books(settings) as connection:
        known = known_agent(connection, agent)
        work_out(connection, known, today=day_of(connection, known.issuer_id), actor=os_user())
        found = [row for row in load_earned(connection, known.id) if also_settled or row.settlement is None]
    _tell_rows(found, as_json=as_json, empty=f"{known.name} has earned nothing that is not settled.")


@command.command("settle")
@click.argument("agent")
@click.option("--through", type=DAY, help="What was earned up to and with a day; today where the issuer is.")
@click.option("--below-zero", is_flag=True, help="Also where more was taken back than earned: the agent owes it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@DRY_RUN
@JSON
@click.pass_obj
def settle(
    settings: Settings, agent: str, *, through: date | None, below_zero: bool, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Settle what AGENT earned: numbered, with its entry. What comes to nothing or less waits for the next settlement."""
    with open_books(settings) as connection:
        known = known_agent(connection, agent)
        today = day_of(connection, known.issuer_id)

        def attempt() -> Settled:
            until = through or today
            return done(
                settle_agent(connection, known.id, through=until, today=today, actor=os_user(), also_below=below_zero)
            )

        settled = attempt()
        if not as_json:
            _tell_settled(connection, known.name, settled, dry_run=dry_run)
        if dry_run:
            connection.rollback()
        elif settled.settlements:
            settled = _asked(connection, known.name, settled, attempt, yes=yes)
    if as_json:
        print_json({"settlements": list(map(_settlement_json, settled.settlements)), "waiting": len(settled.waiting)})
    elif dry_run:
        click.echo(_NOTHING)


def _tell_settled(connection: Connection, name: str, settled: Settled, *, dry_run: bool) -> None:
    for one in settled.settlements:
        click.echo(f"Settlement {one.label} of {name}: {one.amount} for {one.rows} commissions up to {one.through}.")
        if dry_run:
            _tell_rows(load_settled_rows(connection, one), as_json=False, empty="")
    if settled.waiting:
        click.echo(f"{len(settled.waiting)} commissions wait for paid invoices, a later day, or more than nothing.")
    if not settled.settlements:
        click.echo("Nothing to settle.")


def _asked(
    connection: Connection, name: str, settled: Settled, attempt: Callable[[], Settled], *, yes: bool
) -> Settled:
    """The settlements that stand once somebody has said yes to their sums."""
    if yes:
        return settled
    # The agent's customers are held by it, who could pay nothing while a person thinks.
    connection.rollback()
    confirm(f"Settle {', '.join(str(one.amount) for one in settled.settlements)} with {name}?", yes=False)
    again = attempt()
    if [(one.label, one.amount) for one in again.settlements] != [
        (one.label, one.amount) for one in settled.settlements
    ]:
        raise Refused("what was earned has just changed, and nothing was settled: settle again")
    return again


@command.command("settlements")
@click.option("--agent", help="Those of one agent: number or name.")
@JSON
@click.pass_obj
def settlements(settings: Settings, *, agent: str | None, as_json: bool) -> None:
    """All settlements, the newest first."""
    with open_books(settings) as connection:
        found = load_settlements(connection, agent_id=None if agent is None else known_agent(connection, agent).id)
    if as_json:
        print_json(list(map(_settlement_json, found)))
        return
    rows = ((one.label, one.agent, one.issued_on, one.through, one.amount, one.rows, None if one.undone_on is None else f"taken back on {one.undone_on}: {one.undone_for}") for one in found)  # fmt: skip
    print_table(("NUMBER", "AGENT", "DATE", "UP TO", "AMOUNT", "ROWS", ""), rows, empty="No settlements.")


@command.command("settlement")
@click.argument("number")
@PDF
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the paper.")
@JSON
@click.pass_obj
def settlement(settings: Settings, number: str, *, pdf: Path | None, language: str, as_json: bool) -> None:
    """Settlement NUMBER with its commissions; with --pdf as the paper that goes to the agent."""
    with open_books(settings) as connection:
        one = _known_settlement(connection, number)
        found = load_settled_rows(connection, one)
        if pdf is not None:
            print_to(settings, *load_settlement_paper(connection, one, language=language), pdf)
    if as_json:
        print_json({**_settlement_json(one), "commissions": [_row_json(row) for row in found]})
        return
    click.echo(f"Settlement {one.label} of {one.agent}: {one.amount} up to {one.through}.")
    _tell_rows(found, as_json=False, empty="")


@command.command("undo-settlement")
@click.argument("number")
@click.option("--reason", required=True, help="Why, in a few words.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def undo_settlement_(settings: Settings, number: str, *, reason: str, yes: bool) -> None:
    """Take settlement NUMBER back: the number stays, its commissions are settled anew."""
    with open_books(settings) as connection:
        one = _known_settlement(connection, number)
        confirm(f"Take back {one.label} of {one.amount}?", yes=yes)
        today = day_of(connection, one.issuer_id)
        if (refused := undo_settlement(connection, one.id, reason=reason, today=today, actor=os_user())) is not None:
            raise Refused(refused.message)
    click.echo(f"Settlement {number} is taken back.")


@rules.command("add")
@click.option("--agent", help="For one agent; for all who have none of their own, if not said.")
@click.option("--once", is_flag=True, help="Once a contract: flat when it goes into service, or percent of its first invoice.")  # fmt: skip
@click.option("--percent", type=DECIMAL, help="Of the net of what is paid.")
@click.option("--amount", type=AMOUNT, help="Flat: once, or for each invoice.")
@click.option("--currency", type=CURRENCY, help="Of the amount; of the issuer's books, if not said.")
@click.option("--product", help="Of this product's lines alone.")
@click.option("--from", "since", type=DAY, help="For what is dated on or after a day; today if not said.")
@click.option("--until", type=DAY, help="Up to and with a day.")
@click.option("--months", type=_MONTHS, help="Of invoices so many months from the contract's start.")
@click.option("--survives", type=_MONTHS, help="A contract that ends in fewer months earns nothing, and what it earned is taken back.")  # fmt: skip
@click.option("--after", "after_periods", type=_MONTHS, help="Not payable before so many invoices are paid.")
@_ISSUER
@JSON
@click.pass_obj
def add(settings: Settings, /, *, once: bool, issuer: str | None, as_json: bool, **typed: Any) -> None:
    """Add a rule: an agent's own comes before everybody's, a product's before all products'; flat comes beside percent."""
    with open_books(settings) as connection:
        keeper = issuer_meant(connection, issuer)
        amount: Decimal | None = typed["amount"]
        rule = Rule(
            0,
            RuleKind.ONE_OFF if once else RuleKind.RECURRING,
            typed["percent"],
            None if amount is None else read_money(amount, typed["currency"] or keeper.currency),
            None if typed["product"] is None else id_of(connection, "product", typed["product"]),
            None if typed["agent"] is None else known_agent(connection, typed["agent"]).id,
            typed["since"] or day_of(connection, keeper.id),
            typed["until"],
            typed["months"],
            typed["survives"],
            typed["after_periods"],
        )
        number = done(add_rule(connection, keeper.id, rule, actor=os_user()))
    if as_json:
        print_json({"rule": number})
        return
    click.echo(f"Rule {number}: {_said(rule)}.")


@rules.command("list")
@_ISSUER
@JSON
@click.pass_obj
def list_rules(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """All rules of an issuer."""
    with open_books(settings) as connection:
        keeper = issuer_meant(connection, issuer)
        found = load_rules(connection, keeper.id)
        names = {one.id: one.name for one in load_agents(connection, issuer_id=keeper.id)}
    if as_json:
        print_json([asdict(one) | {"flat": one.flat} for one in found])
        return
    rows = ((one.id, names.get(one.agent_id or 0, "everybody"), _said(one), one.since, one.until) for one in found)
    print_table(
        ("RULE", "AGENT", "EARNS", "FROM", "UNTIL"), rows, empty="No rules: `corrente agent rule add` adds one."
    )


@rules.command("end")
@click.argument("rule", type=int)
@click.argument("day", type=DAY)
@click.pass_obj
def end_rule(settings: Settings, rule: int, day: date) -> None:
    """RULE counts up to and with DAY; what it gave of later invoices is taken back when it is worked out next."""
    with open_books(settings) as connection:
        refused = stop_rule(connection, rule, day, actor=os_user())
        if refused is not None:
            raise Refused(refused.message)
    click.echo(f"Rule {rule}: up to and with {day}.")


def _known_settlement(connection: Connection, label: str) -> AgentSettlement:
    found = load_settlements(connection, label=label)
    if len(found) != 1:
        said = "there is no settlement" if not found else f"{len(found)} issuers have a settlement"
        raise Refused(f"{said} {label!r}: `corrente agent settlements` shows them")
    return found[0]


def _said(rule: Rule) -> str:
    gives = f"{rule.percent.normalize():f} %" if rule.percent is not None else str(rule.flat)
    how = "once" if rule.kind is RuleKind.ONE_OFF else "of each invoice"
    more = [
        None if rule.product_id is None else f"of product {rule.product_id}",
        None if rule.months is None else f"for {rule.months} months",
        None if rule.survives_months is None else f"if the contract lives {rule.survives_months} months",
        None if rule.after_periods is None else f"payable after {rule.after_periods} paid invoices",
    ]
    return ", ".join([f"{gives} {how}", *(one for one in more if one is not None)])


def _tell_rows(found: list[EarnedRow], *, as_json: bool, empty: str) -> None:
    if as_json:
        print_json([_row_json(row) for row in found])
        return
    rows = (
        (
            row.earned_on,
            row.earned.contract_id,
            row.invoice,
            row.earned.cause.value.replace("_", " "),
            row.earned.rule_id,
            row.earned.base.amount,
            row.earned.amount,
            row.settlement,
        )
        for row in found
    )
    print_table(("DATE", "CONTRACT", "INVOICE", "WHY", "RULE", "NET", "EARNED", "SETTLED BY"), rows, empty=empty)


def _row_json(row: EarnedRow) -> dict[str, object]:
    one = row.earned
    return {
        "date": row.earned_on,
        "contract": one.contract_id,
        "invoice": row.invoice,
        "cause": one.cause.value,
        "rule": one.rule_id,
        "base": one.base,
        "amount": one.amount,
        "currency": one.amount.currency,
        "settlement": row.settlement,
    }


def _settlement_json(one: AgentSettlement) -> dict[str, object]:
    return {**asdict(one), "amount": one.amount, "currency": one.amount.currency}
