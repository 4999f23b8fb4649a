"""A contract as calls answer it: its terms, items, what waits to be billed, and what the network gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from billing.contract_facts import Status
from billing.contracts import possible_deeds
from billing.money import read_money
from billing.store.contract_page import ChargeRow, ContractPage, ContractRow, ItemRow
from control_plane.contract_deeds import NextBill, Preview
from radius_hooks.decision import NO_TIME_LIMIT
from radius_hooks.policy_records import PolicyStep
from web.api._shapes import Amount, amount_of, shaped


class ListedContract(msgspec.Struct, frozen=True):
    """A contract in a list. `limited` are restrictions in force such as `walled by dunning`; a proposal holds until `valid_until`."""

    id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    issuer: str | None
    accounts: list[str]
    limited: list[str]
    valid_until: date | None


class ContractTerms(msgspec.Struct, frozen=True):
    """How a contract is billed, as it was agreed. `payer_id` is null where the customer pays, `free_from` where it is not free of charge."""

    issuer_id: int
    payer_id: int | None
    service_address_id: int | None
    currency: str
    billing_group: str | None
    due_days: int
    timing: str
    alignment: str
    billing_day: int | None
    includes_tax: bool
    trial_days: int | None
    billable_from: date | None
    minimum_until: date | None
    renew_months: int | None
    notice_days: int | None
    free_from: date | None
    free_reason: str | None
    free_review_on: date | None
    distance: bool
    plan_locked_until: date | None


class ContractItem(msgspec.Struct, frozen=True):
    """What is sold: `price` of a period of `months`, null where it is due once. `billed_through` is the first day not billed yet."""

    id: int
    product: str
    kind: str
    quantity: str
    price: str
    months: int | None
    starts_on: date
    ends_on: date | None
    billed_through: date | None
    due_on: date | None


class WaitingCharge(msgspec.Struct, frozen=True):
    """An amount that waits for a document; `end` is the first day after."""

    id: int
    product: str
    kind: str
    start: date
    end: date
    net: Amount
    due_on: date


class ContractDiscount(msgspec.Struct, frozen=True):
    """What is taken off, of one item or of all; `end` is the first day after."""

    id: int
    kind: str
    value: str
    item_id: int | None
    family: str | None
    start: date | None
    end: date | None
    reason: str | None
    promotion_id: int | None


class ContractInstalment(msgspec.Struct, frozen=True):
    """A part of an item that is paid in parts."""

    item_id: int
    number: int
    due_on: date
    amount: str


class ComingPlan(msgspec.Struct, frozen=True):
    """A change of plan that waits for its day."""

    plan: str
    effective_on: date
    placed_by: str


class ContractNotice(msgspec.Struct, frozen=True):
    """What the customer is told of the contract, and when it was."""

    kind: str
    due_on: date
    sent_at: datetime | None


class ContractSignature(msgspec.Struct, frozen=True):
    """Evidence that somebody signed on a screen; `sha256` of the paper in hex."""

    id: int
    signer: str
    signed_at: datetime
    address: str | None
    browser: str
    sha256: str
    taken_by: str


class OneContract(msgspec.Struct, frozen=True):
    """A contract. `deeds` is what its status allows; `terms` is null where nobody bills it."""

    id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    issuer: str | None
    accounts: list[str]
    limited: list[str]
    valid_until: date | None
    terms: ContractTerms | None
    items: list[ContractItem]
    waiting: list[WaitingCharge]
    discounts: list[ContractDiscount]
    instalments: list[ContractInstalment]
    plan_changes: list[ComingPlan]
    notices: list[ContractNotice]
    signatures: list[ContractSignature]
    deeds: list[str]


class NetworkStep(msgspec.Struct, frozen=True):
    """What an account gets until `until`, null with no end: how far (`full`, `throttle`, `walled`, `blocked`, `none`), why, by which profile."""

    level: str
    reason: str
    profile: str | None
    until: datetime | None


class AccountNetwork(msgspec.Struct, frozen=True):
    """What the network gives an account from now on, in order of time."""

    username: str
    steps: list[NetworkStep]


class DeedDone(msgspec.Struct, frozen=True):
    """What a deed came to, and from which day on. `leaving_costs` is owed on `leaving_on` when an end that was set comes."""

    event: str
    effective_on: date
    leaving_costs: Amount | None
    leaving_on: date | None


class BillLine(msgspec.Struct, frozen=True):
    """A line of a document to come; amounts without tax."""

    text: str
    since: date | None
    until: date | None
    net: Amount


class ComingBill(msgspec.Struct, frozen=True):
    """What the run that next bills the contract will print of it: `gross` of each document."""

    on: date
    lines: list[BillLine]
    gross: list[Amount]


class DeedOutcome(msgspec.Struct, frozen=True):
    """What deeds came to: items that are new or other, those that never begin, what waits to be billed and did not, what the next run bills
    of it, and what the network gave before and gives after.
    """

    contract: OneContract
    done: list[DeedDone]
    changed_items: list[ContractItem]
    gone_items: list[ContractItem]
    new_charges: list[WaitingCharge]
    next_bill: ComingBill | None
    network_before: list[AccountNetwork]
    network_after: list[AccountNetwork]


def listed_of(row: ContractRow) -> ListedContract:
    """As a list has it."""
    return shaped(ListedContract, row)


def contract_of(page: ContractPage, signatures: Sequence[Any]) -> OneContract:
    """As it is answered."""
    return shaped(
        OneContract,
        page.contract,
        terms=ContractTerms(**{one: page.terms[one] for one in ContractTerms.__struct_fields__})
        if page.terms
        else None,
        items=[item_of(one) for one in page.items],
        waiting=[charge_of(one) for one in page.waiting],
        discounts=[discount_of(one) for one in page.discounts],
        instalments=[ContractInstalment(**one | {"amount": f"{one['amount']:f}"}) for one in page.instalments],
        plan_changes=[ComingPlan(**one) for one in page.plan_changes],
        notices=[ContractNotice(**one) for one in page.notices],
        signatures=[shaped(ContractSignature, one) for one in signatures],
        deeds=list(possible_deeds(Status(page.contract.status))),
    )


def discount_of(row: dict[str, Any]) -> ContractDiscount:
    """As it is answered."""
    return ContractDiscount(**row | {"value": f"{row['value']:f}"})


def item_of(row: ItemRow) -> ContractItem:
    """As it is answered."""
    return shaped(ContractItem, row)


def charge_of(row: ChargeRow) -> WaitingCharge:
    """As it is answered."""
    return shaped(WaitingCharge, row, net=amount_of(read_money(row.net, row.currency)))


def network_of(network: Mapping[str, Sequence[PolicyStep]], profiles: Mapping[int, str]) -> list[AccountNetwork]:
    """What the network gives, by account."""
    return [
        AccountNetwork(username, [step_of(one, profiles) for one in steps])
        for username, steps in sorted(network.items())
    ]


def step_of(step: PolicyStep, profiles: Mapping[int, str]) -> NetworkStep:
    """As it is answered; `profiles` are names by number."""
    until = None if step.until == NO_TIME_LIMIT else datetime.fromtimestamp(step.until, UTC)
    return NetworkStep(step.level.name.lower(), step.reason, profiles.get(step.profile_id), until)


def outcome_of(shown: Preview, signatures: Sequence[Any], profiles: Mapping[int, str]) -> DeedOutcome:
    """As it is answered."""
    return DeedOutcome(
        contract=contract_of(shown.after.page, signatures),
        done=[shaped(DeedDone, one) for one in shown.done],
        changed_items=[item_of(one) for one in shown.items],
        gone_items=[item_of(one) for one in shown.gone],
        new_charges=[charge_of(one) for one in shown.charges],
        next_bill=None if shown.coming is None else _coming(shown.coming),
        network_before=network_of(shown.before.network, profiles),
        network_after=network_of(shown.after.network, profiles),
    )


def _coming(bill: NextBill) -> ComingBill:
    lines = [
        BillLine(
            one["text"],
            None if one["from"] is None else date.fromisoformat(one["from"]),
            None if one["until"] is None else date.fromisoformat(one["until"]),
            Amount(one["net"], one["currency"]),
        )
        for one in bill.lines
    ]
    return ComingBill(bill.on, lines, [amount_of(one) for one in bill.gross])
