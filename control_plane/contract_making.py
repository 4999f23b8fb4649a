"""From answers to a contract with its account, in the caller's transaction; and its signing.

Raises: BillingError where an answer no longer holds, such as a product that is not offered any more.
Next: billing/operations/making.py
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing import deeds as do
from billing.contract_facts import Status
from billing.errors import BillingError
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.operations.making import make_contract
from billing.periods import Alignment
from billing.sentence import Sentence
from billing.store.acting import acting
from billing.store.commissions import load_agents
from billing.store.contract_drafts import save_signature
from billing.store.contract_items import sold_with_tax_alone
from control_plane import audit
from control_plane.agents import assign
from control_plane.contract_deeds import carry_out
from control_plane.made_secrets import made_password
from control_plane.store.account import load_account, save_new_account
from radius_hooks.sealing import Sealer

Connection = psycopg.Connection[Any]
_MOST_TRIES: Final = 100


class NoAgentError(BillingError):
    """The agent who is to have brought a contract gets none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the steps asked for, checked."""

    customer_id: int
    issuer_id: int
    plan: int
    add_ons: tuple[int, ...] = ()
    fees: tuple[int, ...] = ()
    instalments: int = 1
    promotions: tuple[int, ...] = ()
    service_address_id: int | None = None
    username: str = ""
    macs: tuple[str, ...] = ()
    start: date | None = None
    months: int = 1
    billing_day: int | None = None
    due_days: int = 15
    distance: bool = False
    agent_id: int | None = None


@dataclass(frozen=True, slots=True)
class MadeContract:
    """What came of them; the password is nowhere else to be read but sealed."""

    contract_id: int
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signed, and from where."""

    signer: str
    address: str | None
    browser: str
    drawing: bytes
    paper: bytes


def suggest_username(connection: Connection, name: str, realm: str) -> str:
    """A username that nobody has, from a customer's name: `anna.venanti@isp.example`, then with a number."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = ".".join(re.findall(r"[a-z0-9]+", plain))[:60] or "line"
    for number in range(1, _MOST_TRIES):
        wanted = f"{stem}{'' if number == 1 else number}{realm}"
        if load_account(connection, wanted) is None:
            return wanted
    return ""


def make_from(
    connection: Connection, sealer: Sealer | None, answers: Answers, *, today: date, actor: str
) -> MadeContract:
    """The contract as a draft, with its account when a username was given."""
    alignment = Alignment.ANNIVERSARY if answers.billing_day is None else Alignment.DAY_OF_MONTH
    terms = NewTerms(
        issuer_id=answers.issuer_id,
        months=answers.months,
        alignment=alignment,
        billing_day=answers.billing_day,
        includes_tax=sold_with_tax_alone(connection, answers.plan, months=answers.months, on=today),
        due_days=answers.due_days,
        service_address_id=answers.service_address_id,
        distance=answers.distance,
    )
    new = NewContract(
        customer_id=answers.customer_id,
        plan=SoldProduct(answers.plan),
        terms=terms,
        status=Status.DRAFT,
        add_ons=tuple(SoldProduct(one) for one in answers.add_ons),
        fees=tuple(SoldProduct(one, instalments=answers.instalments) for one in answers.fees),
        promotions=answers.promotions,
        planned_start=answers.start,
    )
    number = make_contract(connection, new, today=today, actor=actor)
    detail: Mapping[str, object] = {"product": answers.plan, "status": str(Status.DRAFT)}
    audit.append(connection, actor=actor, action="contract.new", subject=f"contract {number}", detail=detail)
    if answers.agent_id is not None:
        _bring(connection, number, answers, answers.agent_id, today=today, actor=actor)
    if not answers.username or sealer is None:
        return MadeContract(number, "", "")
    password = made_password()
    save_new_account(
        connection,
        sealer,
        contract_id=number,
        username=answers.username,
        secret=password,
        columns={"secret_kind": "clear", "macs": list(answers.macs)},
    )
    audit.append(connection, actor=actor, action="account.add", subject=answers.username, detail={"contract": number})
    return MadeContract(number, answers.username, password)


def _bring(connection: Connection, number: int, answers: Answers, agent_id: int, *, today: date, actor: str) -> None:
    """The contract is the agent's who brought it, from today on or from its planned day, if that was. Raises: NoAgentError."""
    agent = next(iter(load_agents(connection, agent_id=agent_id)), None)
    if agent is None:
        raise NoAgentError(Sentence("there is no agent %(agent_id)s", agent_id=agent_id))
    if agent.issuer_id != answers.issuer_id:
        raise NoAgentError(Sentence("%(name)s is another issuer's agent", name=agent.name))
    # What is invoiced before it begins, an order's fee, is the agent's as well.
    since = min(answers.start or today, today)
    refused = assign(connection, agent, [number], since=since, today=today, actor=actor)
    if refused is not None:
        raise NoAgentError(refused)


def sign(
    connection: Connection, number: int, status: Status, signing: Signing, *, today: date, zone: str, actor: str
) -> None:
    """Keep the evidence and accept the contract by it. Raises: DeedRefusedError."""
    acting(connection, actor)
    save_signature(
        connection,
        number,
        signer=signing.signer,
        address=signing.address,
        browser=signing.browser,
        drawing=signing.drawing,
        paper=signing.paper,
        taken_by=actor,
    )
    steps: tuple[do.Deed, ...] = (do.Accept(signed_on=today),)
    if status is Status.DRAFT:
        steps = (do.Propose(), *steps)
    carry_out(
        connection, number, steps, today=today, zone=zone, reason=f"signed on a screen by {signing.signer}", actor=actor
    )
