"""From due contracts to drafts: what a batch comes to, worked out without writing anything.

A contract that can't be worked out becomes a failure with its reason, and the others of its payer go on without it.

Next: billing/runs/batch.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Final

import psycopg
from msgspec import structs

from billing.documents import (
    CustomerParty,
    DocumentKind,
    Draft,
    DraftLine,
    Parties,
    Purpose,
    Source,
    draft_document,
    due_days,
)
from billing.due_contract import ChargeKind, DueCharge, DueContract, RatedContract, Sold
from billing.errors import BillingError
from billing.grouping import Claim, Sheet, factors_of, group_charges, is_too_little
from billing.line_words import named, with_discount
from billing.operations.office import Office, load_office
from billing.rating import rate_contract
from billing.store.books import last_day, load_closed
from billing.store.ledger import load_registers
from billing.store.runs import later_register
from billing.totals import LineDraft, TaxTreatment, totals_for

# What is for days, which its line prints.
_TIMED: Final = frozenset({ChargeKind.PERIOD, ChargeKind.CREDIT, ChargeKind.PAUSE_FEE})


class RunRefusedError(BillingError):
    """A run can't begin, or can't go on as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Who is not billed, and why. Without a contract, no single one of the customer's is the culprit."""

    customer_id: int
    contract_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Desk:
    """What all documents of a run are made with, read once."""

    run_id: int | None
    run_date: date
    through: date
    office: Office


@dataclass(frozen=True, slots=True)
class Sheaf:
    """What a batch of contracts comes to: documents with the claims on their lines, and all else that is to be written.

    `owners` are its contracts with who pays for each.
    """

    owners: tuple[tuple[int, int], ...] = ()
    drafts: tuple[Draft, ...] = ()
    claims: tuple[tuple[Claim, ...], ...] = ()
    waiting: tuple[Claim, ...] = ()
    covered: tuple[Claim, ...] = ()
    rated: tuple[RatedContract, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def payers(self) -> tuple[int, ...]:
        """Each once, in order."""
        return tuple(dict.fromkeys(payer for _, payer in self.owners))

    def plus(self, other: Sheaf) -> Sheaf:
        """Both."""
        return Sheaf(
            self.owners + other.owners,
            self.drafts + other.drafts,
            self.claims + other.claims,
            self.waiting + other.waiting,
            self.covered + other.covered,
            self.rated + other.rated,
            self.failures + other.failures,
        )


def load_desk(
    connection: psycopg.Connection[Any], issuer_id: int, *, run_id: int | None, run_date: date, through: date
) -> Desk:
    """Read it. Raises: BillingError when there is no such issuer."""
    return Desk(run_id, run_date, through, load_office(connection, issuer_id))


def check_registers(connection: psycopg.Connection[Any], issuer_id: int, run_date: date) -> None:
    """Refuse a run whose day is closed, or lies before the last document of a series that it would number.

    Raises: RunRefusedError.
    """
    closed = next((one for one in load_closed(connection, issuer_id) if one.start <= run_date < one.end), None)
    if closed is not None:
        raise RunRefusedError(
            f"the books are closed from {closed.start} to {last_day(closed)}, and the run is of {run_date}: run it as of {closed.end} or later"
        )
    registers = load_registers(connection, issuer_id)
    ids = [one.id for one in registers if one.kind.is_booked and one.purpose in (None, Purpose.RECURRING)]
    later = later_register(connection, issuer_id, ids, run_date)
    if later is not None:
        code, day = later
        raise RunRefusedError(
            f"register {code} has a document of {day}, and the run is of {run_date}: numbers go with their dates,"
            f" so run it as of {day} or later"
        )


def work_out(
    desk: Desk,
    contracts: Sequence[DueContract],
    *,
    sold: Mapping[int, Sold],
    customers: Mapping[int, CustomerParty],
) -> Sheaf:
    """All that these contracts come to; what fails is in `failures` and in nothing else."""
    failures: list[Failure] = []
    rated: list[RatedContract] = []
    lines: dict[tuple[int, int], DraftLine] = {}
    for contract in contracts:
        try:
            one = rate_contract(contract, through=desk.through)
            lines |= _lines(desk, one, sold, customers)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this contract's: it is told, and the others are billed
            failures.append(Failure(contract.payer_id, contract.id, _words(error)))
        else:
            rated.append(one)
    terms = {one.id: (one.terms.currency, one.includes_tax) for one in contracts}
    grouped = group_charges(rated, taxed_as=partial(_taxed_as, lines), with_tax=partial(_with_tax, lines, terms))
    drafts: list[tuple[Draft, Sheet]] = []
    refused: dict[Failure, set[int]] = {}
    for sheet in grouped.sheets:
        try:
            drafts.append((_draft(desk, sheet, lines, customers[sheet.customer_id]), sheet))
        except Exception as error:  # noqa: BLE001 - the same, of the contracts of one document
            refused.setdefault(_failure(sheet, contracts, error), set()).update(sheet.contract_ids)
    if refused:
        # All at once: what fails for one may fail for each, and each round works the rest out again.
        known = {*set().union(*refused.values()), *(one.contract_id for one in failures)}
        failures += refused
        rest = work_out(desk, [one for one in contracts if one.id not in known], sold=sold, customers=customers)
        return replace(rest, owners=_owners(contracts), failures=(*failures, *rest.failures))
    little = [
        is_too_little(draft.totals.gross, sheet, minimum=desk.office.issuer.minimum_document) for draft, sheet in drafts
    ]
    made = [one for one, less in zip(drafts, little, strict=True) if not less]
    carried = [claim for (_, sheet), less in zip(drafts, little, strict=True) if less for claim in sheet.claims]
    return Sheaf(
        owners=_owners(contracts),
        drafts=tuple(draft for draft, _ in made),
        claims=tuple(sheet.claims for _, sheet in made),
        waiting=(*grouped.waiting, *carried),
        covered=grouped.covered,
        rated=tuple(rated),
        failures=tuple(failures),
    )


def _owners(contracts: Sequence[DueContract]) -> tuple[tuple[int, int], ...]:
    return tuple((one.id, one.payer_id) for one in contracts)


def _failure(sheet: Sheet, contracts: Sequence[DueContract], error: Exception) -> Failure:
    """Why the contracts of a document can't be billed."""
    own = set(sheet.contract_ids)
    payer = next(one.payer_id for one in contracts if one.id in own)
    return Failure(payer, own.pop() if len(own) == 1 else None, _words(error))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, BillingError) else f"{type(error).__name__}: {error}"


def _lines(
    desk: Desk, rated: RatedContract, sold: Mapping[int, Sold], customers: Mapping[int, CustomerParty]
) -> dict[tuple[int, int], DraftLine]:
    """The line of each charge of a contract that may stand on a document."""
    made: dict[tuple[int, int], DraftLine] = {}
    for charge in rated.charges:
        if not charge.full:
            continue
        customer = customers[charge.corrects.customer_id if charge.corrects is not None else rated.contract.payer_id]
        customer.check_address()
        item = sold[charge.item_id]
        article = desk.office.articles[item.product_id]
        # What is given back is taxed as it was, whatever has come in between.
        treatment = (
            charge.corrects.treatment
            if charge.corrects is not None
            else desk.office.treatment(article.tax_code_id, customer, desk.run_date)
        )
        factors = factors_of(charge, item.quantity)
        text = named(article.words(customer.language), charge.kind, customer.language, charge.which)
        if charge.discounted and rated.contract.includes_tax:
            text = with_discount(text, charge.full, charge.discounted, customer.language)
        made[rated.contract.id, charge.id] = DraftLine(
            LineDraft(
                text,
                factors.quantity,
                factors.unit_price,
                treatment,
                discount_each=factors.discount_each,
            ),
            desk.office.accounts.revenue(article.id, article.family),
            Source(
                product_id=article.id,
                contract_id=rated.contract.id,
                item_id=charge.item_id,
                charge_id=None if charge.is_new else charge.id,
                during=charge.during if charge.kind in _TIMED else None,
                corrects=(charge.corrects.document_id, charge.corrects.number) if charge.corrects else None,
            ),
        )
    return made


def _taxed_as(lines: Mapping[tuple[int, int], DraftLine], contract_id: int, charge: DueCharge) -> TaxTreatment | None:
    """How a charge is taxed; None for one that stands on no document."""
    line = lines.get((contract_id, charge.id))
    return line.priced.treatment if line is not None else None


def _with_tax(
    lines: Mapping[tuple[int, int], DraftLine], terms: Mapping[int, tuple[str, bool]], claims: Sequence[Claim]
) -> bool:
    """Whether charges can stand on an invoice: with their taxes they are not below zero, nor is the tax that a customer keeps."""
    currency, includes_tax = terms[claims[0].contract_id]
    drafts = [lines[one.contract_id, one.charge.id].priced for one in claims]
    totals = totals_for(drafts, currency=currency, includes_tax=includes_tax)
    return totals.payable.minor >= 0 and totals.gross >= totals.payable


def _draft(desk: Desk, sheet: Sheet, lines: Mapping[tuple[int, int], DraftLine], customer: CustomerParty) -> Draft:
    own = [lines[one.contract_id, one.charge.id] for one in sheet.claims]
    if sheet.kind is DocumentKind.CREDIT_NOTE:
        own = [_given(one) for one in own]
    draft = draft_document(
        own,
        Parties(desk.office.issuer, customer),
        register=desk.office.register(sheet.kind, customer, Purpose.RECURRING),
        document_date=desk.run_date,
        currency=sheet.currency,
        includes_tax=sheet.includes_tax,
        due_on=due_days(desk.run_date, (sheet.due_days,)),
        stamp=desk.office.stamp(
            sheet.kind, customer, (one.priced.treatment for one in own), currency=sheet.currency, day=desk.run_date
        ),
        run_id=desk.run_id,
    )
    return structs.replace(draft, corrects_id=sheet.corrects_id) if sheet.corrects_id is not None else draft


def _given(line: DraftLine) -> DraftLine:
    """A line that gives back as a credit note says it: above zero."""
    priced = line.priced
    return structs.replace(
        line, priced=structs.replace(priced, unit_price=-priced.unit_price, discount_each=-priced.discount_each)
    )
