"""Agents for the office: who they are, whose contracts are whose, what was earned, its settlement and the rules; numbers beforehand by a dry run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from flask import Response

from billing.commission_rules import Rule, RuleKind, refuse_rule
from billing.operations.earning import settle_agent, undo_settlement
from billing.operations.printing import load_settlement_paper
from billing.payments import NotDone
from billing.store.agent_office import AgentOverview, count_contracts, load_overview
from billing.store.agent_page import load_brought_contracts, load_earned_lines, load_waiting_sums
from billing.store.commissions import (
    Agent,
    AgentSettlement,
    hold_agent_alone,
    load_agents,
    load_rule,
    load_rules,
    load_settlements,
)
from billing.store.contract_page import load_products
from control_plane.access.permissions import Permission
from control_plane.agents import add_agent, add_rule, assign, change_agent, end_rule, take_away
from web.acting import person
from web.api._changes import today as operators_today
from web.api._shapes import (
    Amount,
    Digits,
    Number,
    PaperLanguage,
    Reason,
    Words,
    amount_of,
    books_of,
    done,
    money_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.api.agents import Brought, Commission, Settlement
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.papers import pdf_of
from web.versions import check_version, tell_version

pages = Noun("agents", "office")
_MANAGE = Permission.AGENT_MANAGE
Months = Annotated[int, msgspec.Meta(ge=1, le=600)]
Contracts = Annotated[list[Number], msgspec.Meta(min_length=1, max_length=500)]
Address = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^@\s]+@[^@\s]+$")]


class OneAgent(msgspec.Struct, frozen=True):
    """An agent. `contracts` are theirs now or later; `waiting` was earned and is not settled."""

    id: int
    issuer_id: int
    name: str
    email: str | None
    active: bool
    contracts: int
    waiting: list[Amount]


class ListedAgent(msgspec.Struct, frozen=True):
    """An agent in the list, with the last settlement that stands."""

    id: int
    issuer_id: int
    name: str
    email: str | None
    active: bool
    contracts: int
    settled_by: str | None
    settled_through: date | None


class AgentToBe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an agent is to be: all of it is said."""

    name: Words
    email: Address | None = None
    active: bool = True


class NewAgent(AgentToBe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same of a new one; `issuer_id` where there are several."""

    issuer_id: Number | None = None


class ContractsGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which contracts become an agent's; without `since` from each contract's first day."""

    contracts: Contracts
    since: date | None = None


class ContractsTaken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which contracts an agent loses from a day on, today without one, and who gets them."""

    contracts: Contracts
    since: date | None = None
    to: Number | None = None


class ToSettle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was earned up to and with `through`, today without it; `below_zero`: also where the agent owes it."""

    through: date | None = None
    below_zero: bool = False


class SettledNow(msgspec.Struct, frozen=True):
    """One settlement a currency; so many commissions wait."""

    settlements: list[Settlement]
    waiting: int


class WhyUndone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a settlement is taken back."""

    reason: Reason


class NewRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`percent` of the net or a `flat` amount; `one_off` once a contract, `recurring` of each paid invoice. Without `agent_id` everybody's."""

    kind: Literal["one_off", "recurring"]
    percent: Digits | None = None
    flat: Amount | None = None
    product_id: Number | None = None
    agent_id: Number | None = None
    since: date | None = None
    until: date | None = None
    months: Months | None = None
    survives_months: Months | None = None
    after_periods: Months | None = None
    issuer_id: Number | None = None


class OneRule(msgspec.Struct, frozen=True):
    """A rule. It is never changed, only ended."""

    id: int
    kind: str
    percent: str | None
    flat: Amount | None
    product_id: int | None
    agent_id: int | None
    since: date
    until: date | None
    months: int | None
    survives_months: int | None
    after_periods: int | None


class LastDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to and with which day a rule counts."""

    until: date


class WhoseRules(msgspec.Struct, frozen=True, kw_only=True):
    """Whose rules; needed where there are several issuers."""

    issuer_id: Number | None = None


@pages.call("GET", "/agents", permission=_MANAGE, answers=list[ListedAgent], does=("agents.show_all",))
def find(connection: Connection) -> list[ListedAgent]:
    """All agents, by name."""
    return [_listed(one) for one in load_overview(connection, on=operators_today(connection))]


@pages.call("POST", "/agents", permission=_MANAGE, body=NewAgent, answers=OneAgent, status=201, does=("agents.new",))
def new(connection: Connection, *, body: NewAgent) -> OneAgent:
    """Add an agent, whose no contract is yet."""
    issuer = books_of(connection, body.issuer_id).issuer
    made = add_agent(connection, issuer.id, name=body.name, email=body.email, active=body.active, actor=person().name)
    return _shown(connection, _known(connection, done(made)))


@pages.call("GET", "/agents/<int:number>", permission=_MANAGE, answers=OneAgent, does=("agents.show",), version="told")
def show(connection: Connection, *, number: int) -> OneAgent:
    """One agent."""
    found = _known(connection, number)
    tell_version(found)
    return _shown(connection, found)


@pages.call("PUT", "/agents/<int:number>", permission=_MANAGE, body=AgentToBe, answers=OneAgent, does=("agents.change",), version="needed")  # fmt: skip
def change(connection: Connection, *, number: int, body: AgentToBe) -> OneAgent:
    """Change who an agent is; who is not active gets no contract more."""
    found = hold_agent_alone(connection, number)
    if found is None:
        raise there_is_none()
    check_version(found)
    change_agent(connection, found, msgspec.structs.asdict(body), actor=person().name)
    changed = _known(connection, number)
    tell_version(changed)
    return _shown(connection, changed)


@pages.call("GET", "/agents/<int:number>/contracts", permission=_MANAGE, asked=Paging, answers=Slice[Brought], does=("agents.show",))  # fmt: skip
def brought(connection: Connection, *, number: int, asked: Paging) -> Slice[Brought]:
    """The contracts that are or were an agent's, the newest first."""
    key = part_after(asked, int, date)
    after = None if key is None else (key[0], key[1])
    rows = load_brought_contracts(connection, _known(connection, number).id, after=after, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=lambda one: shaped(Brought, one), key=lambda one: (one.id, one.since))


@pages.call("GET", "/agents/<int:number>/commissions", permission=_MANAGE, asked=Paging, answers=Slice[Commission], does=("agents.earned",))  # fmt: skip
def earned(connection: Connection, *, number: int, asked: Paging) -> Slice[Commission]:
    """What an agent earned or lost again, the newest first."""
    key = part_after(asked, int)
    after = None if key is None else key[0]
    rows = load_earned_lines(connection, _known(connection, number).id, after=after, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=lambda one: shaped(Commission, one), key=lambda one: (one.id,))


@pages.call("POST", "/agents/<int:number>/contracts", permission=_MANAGE, body=ContractsGiven, answers=OneAgent, does=("agents.give",))  # fmt: skip
def give(connection: Connection, *, number: int, body: ContractsGiven) -> OneAgent:
    """Say that contracts are an agent's; what was invoiced before stays whose it was."""
    found = _known(connection, number)
    today = books_of(connection, found.issuer_id).today
    numbers = list(dict.fromkeys(body.contracts))
    _do(assign(connection, found, numbers, since=body.since, today=today, actor=person().name))
    return _shown(connection, found)


@pages.call("POST", "/agents/<int:number>/contracts/taken", permission=_MANAGE, body=ContractsTaken, answers=OneAgent, does=("agents.take",))  # fmt: skip
def take(connection: Connection, *, number: int, body: ContractsTaken) -> OneAgent:
    """Take contracts from an agent, for nobody or another one."""
    found = _known(connection, number)
    to = None if body.to is None else next(iter(load_agents(connection, agent_id=body.to)), None)
    if body.to is not None and to is None:
        raise wrong_value("there is no such agent", pointer="/to")
    today = books_of(connection, found.issuer_id).today
    numbers, since = list(dict.fromkeys(body.contracts)), body.since or today
    _do(take_away(connection, found, numbers, since=since, today=today, actor=person().name, to=to))
    return _shown(connection, found)


@pages.call("GET", "/agents/<int:number>/settlements", permission=_MANAGE, answers=list[Settlement], does=("agents.show",))  # fmt: skip
def settlements_of(connection: Connection, *, number: int) -> list[Settlement]:
    """An agent's settlements, the newest first."""
    return [_settlement(one) for one in load_settlements(connection, agent_id=_known(connection, number).id)]


@pages.call("POST", "/agents/<int:number>/settlements", permission=_MANAGE, body=ToSettle, answers=SettledNow, status=201, does=("agent_settlements.settle",))  # fmt: skip
def settle(connection: Connection, *, number: int, body: ToSettle) -> SettledNow:
    """Settle what an agent earned, one settlement a currency; what is not payable yet or below zero waits."""
    found = _known(connection, number)
    today = books_of(connection, found.issuer_id).today
    made = done(
        settle_agent(
            connection,
            number,
            through=body.through or today,
            today=today,
            actor=person().name,
            also_below=body.below_zero,
        )
    )
    return SettledNow([_settlement(one) for one in made.settlements], len(made.waiting))


@pages.call("GET", "/agents/settlements/<int:number>", permission=_MANAGE, answers=Settlement, does=("agent_settlements.show",))  # fmt: skip
def settlement(connection: Connection, *, number: int) -> Settlement:
    """One settlement."""
    return _settlement(_known_settlement(connection, number))


@pages.call("GET", "/agents/settlements/<int:number>/commissions", permission=_MANAGE, asked=Paging, answers=Slice[Commission], does=("agent_settlements.show",))  # fmt: skip
def settled(connection: Connection, *, number: int, asked: Paging) -> Slice[Commission]:
    """The commissions that a settlement pays."""
    one = _known_settlement(connection, number)
    key = part_after(asked, int)
    after = None if key is None else key[0]
    rows = load_earned_lines(connection, one.agent_id, after=after, limit=asked.limit + 1, settlement_id=one.id)
    return slice_of(rows, asked, shown=lambda row: shaped(Commission, row), key=lambda row: (row.id,))


@pages.call("GET", "/agents/settlements/<int:number>.pdf", permission=_MANAGE, asked=PaperLanguage, answers=File("application/pdf"), refusals=(404,), does=("agent_settlements.paper",))  # fmt: skip
def settlement_paper(connection: Connection, *, number: int, asked: PaperLanguage) -> Callable[[], Response]:
    """A settlement as PDF."""
    one = _known_settlement(connection, number)
    issuer_id, printed = load_settlement_paper(connection, one, language=asked.language)
    return lambda: pdf_of(issuer_id, printed, f"settlement-{one.label}")


@pages.call("POST", "/agents/settlements/<int:number>/undo", permission=_MANAGE, body=WhyUndone, answers=Settlement, does=("agent_settlements.undo",))  # fmt: skip
def undo(connection: Connection, *, number: int, body: WhyUndone) -> Settlement:
    """Take a settlement back: its number stays, its commissions are settled anew."""
    one = _known_settlement(connection, number)
    today = books_of(connection, one.issuer_id).today
    _do(undo_settlement(connection, number, reason=body.reason, today=today, actor=person().name))
    return _settlement(_known_settlement(connection, number))


@pages.call("GET", "/agents/rules", permission=_MANAGE, asked=WhoseRules, answers=list[OneRule], does=("agent_rules.show_all",))  # fmt: skip
def rules(connection: Connection, *, asked: WhoseRules) -> list[OneRule]:
    """The rules of an issuer, in the order in which they were agreed."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    return [_rule(one) for one in load_rules(connection, issuer.id)]


@pages.call("POST", "/agents/rules", permission=_MANAGE, body=NewRule, answers=OneRule, status=201, does=("agent_rules.new",))  # fmt: skip
def new_rule(connection: Connection, *, body: NewRule) -> OneRule:
    """Add a rule, from today on unless it is said: an agent's own comes before everybody's, a product's before all products'."""
    books = books_of(connection, body.issuer_id)
    agents = {one.id for one in load_agents(connection, issuer_id=books.issuer.id)}
    if body.agent_id is not None and body.agent_id not in agents:
        raise wrong_value("there is no such agent", pointer="/agent_id")
    products = {number for number, _, _ in load_products(connection).values()}
    if body.product_id is not None and body.product_id not in products:
        raise wrong_value("there is no such product", pointer="/product_id")
    rule = _rule_of(body, books.today)
    if (refused := refuse_rule(rule)) is not None:
        raise wrong_value(refused.message)
    number = done(add_rule(connection, books.issuer.id, rule, actor=person().name))
    return _rule(_known_rule(connection, number))


@pages.call("POST", "/agents/rules/<int:number>/end", permission=_MANAGE, body=LastDay, answers=OneRule, does=("agent_rules.end",))  # fmt: skip
def stop_rule(connection: Connection, *, number: int, body: LastDay) -> OneRule:
    """Let a rule count up to and with a day; what it gave of later invoices is taken back."""
    _known_rule(connection, number)
    _do(end_rule(connection, number, body.until, actor=person().name))
    return _rule(_known_rule(connection, number))


def _do(refused: NotDone | None) -> None:
    if refused is not None:
        done(refused)


def _known(connection: Connection, number: int) -> Agent:
    found = next(iter(load_agents(connection, agent_id=number)), None)
    if found is None:
        raise there_is_none()
    return found


def _known_settlement(connection: Connection, number: int) -> AgentSettlement:
    found = next(iter(load_settlements(connection, number=number)), None)
    if found is None:
        raise there_is_none()
    return found


def _known_rule(connection: Connection, number: int) -> Rule:
    found = load_rule(connection, number)
    if found is None:
        raise there_is_none()
    return found[1]


def _shown(connection: Connection, one: Agent) -> OneAgent:
    today = books_of(connection, one.issuer_id).today
    waiting = [amount_of(each) for each in load_waiting_sums(connection, one.id)]
    return shaped(OneAgent, one, contracts=count_contracts(connection, one.id, on=today), waiting=waiting)


def _listed(one: AgentOverview) -> ListedAgent:
    more: dict[str, Any] = {name: value for name, value in asdict(one).items() if name != "agent"}
    return shaped(ListedAgent, one.agent, **more)


def _settlement(one: AgentSettlement) -> Settlement:
    return shaped(Settlement, one, number=one.label)


def _rule(one: Rule) -> OneRule:
    return shaped(OneRule, one)


def _rule_of(body: NewRule, today: date) -> Rule:
    places = {name: getattr(body, name) for name in ("until", "months", "survives_months", "after_periods")}
    return Rule(
        0,
        RuleKind(body.kind),
        None if body.percent is None else Decimal(body.percent),
        None if body.flat is None else money_of(body.flat, "/flat"),
        body.product_id,
        body.agent_id,
        body.since or today,
        **places,
    )
