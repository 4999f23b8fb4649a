"""What a contract owes up to a day: time of its recurring items, fees that fall due, days given back, and what waits.

Units: days of the billing zone; amounts in the prices of the contract, with or without tax.
Source: billing model sections 5, 6 and 11.

Next: billing/grouping.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count

from billing.charges import Charge, Item, discount_total, next_due, rate
from billing.contract_facts import Status
from billing.credited_days import Charged, Credit, DaysNotPaid, credits_due
from billing.due_contract import ChargeKind, Corrected, DueCharge, DueContract, Fee, Position, RatedContract, Stop
from billing.money import split, total, zero
from billing.periods import Period

ONE_DAY = timedelta(days=1)


BILLED: frozenset[Status] = frozenset({Status.TRIAL, Status.ACTIVE, Status.FREE, Status.ENDED})


def rate_contract(contract: DueContract, *, through: date) -> RatedContract:
    """All that a contract owes up to and with a day; asked again after its positions moved, nothing.

    Whole periods inside a stop are charges of nothing that name it, so that no time is without its charge.
    Raises: BillingError for what can't be worked out.
    """
    ids = count(-1, -1)
    charges: list[DueCharge] = list(contract.waiting)
    after: list[Position] = []
    settled: dict[int, date] = {}
    if contract.status in BILLED:
        periods, stand = _periods(contract, through, ids)
        moved = [replace(one, billed_through=stand[one.id]) for one in contract.items if one.id in stand]
        after += (Position(one.id, one.billed_through, next_due(one, contract.terms)) for one in moved)
        charges += periods
        credits, settled = _days_given_back(contract, periods, moved, through, ids)
        charges += credits
    if contract.status in BILLED or (contract.status is Status.PENDING and contract.order_fees):
        for fee in contract.fees:
            charges += _parts_due(fee, contract, through, ids)
            after.append(fee_position(fee, through=through))
    before = {one.item_id: one for one in contract.positions}
    moves = tuple((before[one.item_id], one) for one in after if one != before[one.item_id])
    charges.sort(key=lambda one: (one.item_id, one.during.start, one.kind, -one.id))
    return RatedContract(contract, tuple(charges), moves, tuple(settled.items()))


def fee_position(fee: Fee, *, through: date | None = None) -> Position:
    """Where a fee stands once all of it is charged that is due up to and with a day; None: as it stands now."""
    left = [one.due_on for one in fee.parts if not one.charged and (through is None or one.due_on > through)]
    done = [one.due_on for one in fee.parts if one.charged or (through is not None and one.due_on <= through)]
    return Position(fee.item_id, max(done) + ONE_DAY if done else fee.starts_on, min(left, default=None))


def _periods(contract: DueContract, through: date, ids: Iterator[int]) -> tuple[list[DueCharge], dict[int, date]]:
    """Time of recurring items, and up to which day each is billed by it."""
    whole = [one for one in contract.stops if one.whole]
    rated = rate(
        contract.items,
        contract.terms,
        through=through,
        discounts=contract.discounts,
        stops=[(one.start, one.end) for one in whole],
    )
    charges = [
        DueCharge(
            id=next(ids),
            item_id=one.item_id,
            kind=ChargeKind.PERIOD,
            during=one.part,
            units=one.units,
            of=one.of,
            full=one.full,
            discounted=one.discounted,
            due_on=one.due_on,
        )
        for one in rated.charges
    ]
    charges += (_left_out(contract, item_id, part, whole, next(ids)) for item_id, part in rated.stopped)
    return charges, rated.billed_through


def _left_out(contract: DueContract, item_id: int, part: Period, stops: Sequence[Stop], number: int) -> DueCharge:
    """The record of a period that is never charged."""
    item = next(one for one in contract.items if one.id == item_id)
    stop = next(one for one in stops if one.start <= part.start and (one.end is None or part.end <= one.end))
    units, of = item.cycle.units(part, contract.terms.basis)
    nothing = zero(contract.terms.currency)
    return DueCharge(
        id=number,
        item_id=item_id,
        kind=ChargeKind.PERIOD,
        during=part,
        units=units,
        of=of,
        full=nothing,
        discounted=nothing,
        due_on=part.start,
        stop_id=stop.id,
    )


def _days_given_back(
    contract: DueContract, periods: Sequence[DueCharge], moved: Sequence[Item], through: date, ids: Iterator[int]
) -> tuple[list[DueCharge], dict[int, date]]:
    """Credits for days that are not paid, and up to where each of the stops is dealt with."""
    times = [DaysNotPaid(one.id, one.start, one.end, one.settled_through) for one in contract.stops if not one.whole]
    if not times:
        return [], {}
    nothing = zero(contract.terms.currency)
    made = [Charged(one.id, _charge(one), nothing) for one in periods]
    now = {one.id: one for one in (*contract.resting, *contract.items, *moved)}
    settled = credits_due(
        [*(one for one, _ in contract.charged), *made], times, list(now.values()), contract.terms, through=through
    )
    lines = {one.id: line for one, line in contract.charged}
    return [_credit(one, lines.get(one.charge_id), next(ids)) for one in settled.credits], settled.settled_through


def _charge(due: DueCharge) -> Charge:
    return Charge(due.item_id, due.during, due.units, due.of, due.full, due.discounted, due.due_on)


def _credit(credit: Credit, line: Corrected | None, number: int) -> DueCharge:
    return DueCharge(
        id=number,
        item_id=credit.item_id,
        kind=ChargeKind.CREDIT,
        during=credit.part,
        units=credit.units,
        of=credit.of,
        full=-credit.amount,
        discounted=zero(credit.amount.currency),
        # Whichever run finds it: its days end with the restriction or with their period.
        due_on=credit.part.end,
        corrects_id=credit.charge_id,
        corrects=line,
    )


def _parts_due(fee: Fee, contract: DueContract, through: date, ids: Iterator[int]) -> list[DueCharge]:
    """The parts of a fee that fall due. Discounts that name it or its family are taken off its whole price, once."""
    price = total((one.amount for one in fee.parts), contract.terms.currency)
    taken = discount_total(
        price,
        [
            (one.kind, one.value)
            for one in sorted(contract.discounts, key=lambda one: (one.priority, one.id))
            if (one.item_id == fee.item_id or one.family == fee.family)
            and one.starts_on <= fee.starts_on
            and (one.ends_on is None or fee.starts_on < one.ends_on)
        ],
    )
    nothing = zero(contract.terms.currency)
    off = split(taken, [one.amount.minor for one in fee.parts]) if taken else (nothing,) * len(fee.parts)
    return [
        DueCharge(
            id=next(ids),
            item_id=fee.item_id,
            kind=ChargeKind.INSTALMENT if fee.in_instalments else ChargeKind.ONE_OFF,
            during=Period(one.due_on, one.due_on + ONE_DAY),
            units=1,
            of=1,
            full=one.amount,
            discounted=less,
            due_on=one.due_on,
            which=(number, len(fee.parts)) if fee.in_instalments else None,
        )
        for number, (one, less) in enumerate(zip(fee.parts, off, strict=True), 1)
        if not one.charged and one.due_on <= through
    ]
