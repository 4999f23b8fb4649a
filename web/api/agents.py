"""For an agent: the contracts that they brought, what these earned, the settlements. A token sees what is its holder's agent's, no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
from flask import Response

from billing.operations.printing import load_settlement_paper
from billing.store.agent_page import (
    BroughtContract,
    EarnedLine,
    load_brought_contracts,
    load_earned_lines,
    load_waiting_sums,
)
from billing.store.commissions import load_settlements
from control_plane.access.permissions import Permission
from web.api._shapes import Amount, PaperLanguage, amount_of, shaped, there_is_none
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.collector.bound import own_agent
from web.database import Connection
from web.papers import pdf_of

pages = Noun("agents")


class Commission(msgspec.Struct, frozen=True):
    """What was earned or lost again; `settlement` names the one that pays it."""

    id: int
    earned_on: date
    contract_id: int
    invoice: str | None
    cause: str
    base: Amount
    amount: Amount
    settlement: str | None


class Brought(msgspec.Struct, frozen=True):
    """A contract that is or was this agent's; `until` is its first day of somebody else."""

    id: int
    customer: str
    plan: str
    status: str
    since: date
    until: date | None


class Settlement(msgspec.Struct, frozen=True):
    """A settlement; `undone_on` when it was taken back."""

    id: int
    number: str
    issued_on: date
    through: date
    amount: Amount
    rows: int
    undone_on: date | None


@pages.call(
    "GET",
    "/agent/commissions",
    permission=Permission.AGENT_OWN,
    asked=Paging,
    answers=Slice[Commission],
    refusals=(404,),
)
def commissions(connection: Connection, *, asked: Paging) -> Slice[Commission]:
    """What this agent earned or lost again, the newest first."""
    key = part_after(asked, int)
    after = None if key is None else key[0]
    rows = load_earned_lines(connection, own_agent(), after=after, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=_commission, key=lambda one: (one.id,))


@pages.call("GET", "/agent/waiting", permission=Permission.AGENT_OWN, answers=list[Amount])
def waiting(connection: Connection) -> list[Amount]:
    """What was earned and no settlement pays yet, by currency."""
    return [amount_of(one) for one in load_waiting_sums(connection, own_agent())]


@pages.call(
    "GET", "/agent/contracts", permission=Permission.AGENT_OWN, asked=Paging, answers=Slice[Brought], refusals=(404,)
)
def contracts(connection: Connection, *, asked: Paging) -> Slice[Brought]:
    """The contracts that are or were this agent's, the newest first."""
    key = part_after(asked, int, date)
    rows = load_brought_contracts(
        connection, own_agent(), after=None if key is None else (key[0], key[1]), limit=asked.limit + 1
    )
    return slice_of(rows, asked, shown=_brought, key=lambda one: (one.id, one.since))


@pages.call("GET", "/agent/settlements", permission=Permission.AGENT_OWN, answers=list[Settlement])
def settlements(connection: Connection) -> list[Settlement]:
    """This agent's settlements, the newest first."""
    found = load_settlements(connection, agent_id=own_agent())
    return [shaped(Settlement, one, number=one.label) for one in found]


@pages.call(
    "GET",
    "/agent/settlements/<int:number>.pdf",
    permission=Permission.AGENT_OWN,
    asked=PaperLanguage,
    answers=File("application/pdf"),
    refusals=(404,),
)
def paper(connection: Connection, *, number: int, asked: PaperLanguage) -> Callable[[], Response]:
    """A settlement of this agent as PDF."""
    found = load_settlements(connection, agent_id=own_agent(), number=number)
    if not found:
        raise there_is_none()
    issuer_id, printed = load_settlement_paper(connection, found[0], language=asked.language)
    return lambda: pdf_of(issuer_id, printed, f"settlement-{found[0].label}")


def _commission(line: EarnedLine) -> Commission:
    return shaped(Commission, line)


def _brought(contract: BroughtContract) -> Brought:
    return shaped(Brought, contract)
