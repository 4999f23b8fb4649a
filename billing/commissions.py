"""What an agent earns of the contracts that it brought: by rules, of money that came in, taken back when the money or the contract goes.

A row is written for each payment's part of an invoice, and one more whenever what was earned is no longer what the rule gives:
a credit note, an end before the contract has survived. What a rule gives of an invoice is rounded once, of all money so far; a row is the
difference to the rows before it, so parts of a payment add up to the cent, whatever came back in between. Rows are never changed.

The base is the net of the lines, less what credit notes gave back of them, in the share that was paid. Money is payments, and credit
notes of other invoices, which hand on what was paid there; an invoice's own credit note is none.

Source: billing model section 16; invariant I29.

Next: billing/operations/earning.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from billing.commission_rules import Rule, RuleKind, months_after, precedence
from billing.money import Money, settle, share, total, zero


class Cause(StrEnum):
    """Why a row was written."""

    ACTIVATION = "activation"
    PAID = "paid"
    WITHDRAWN = "withdrawn"
    ADJUSTED = "adjusted"
    EARLY_END = "early_end"


@dataclass(frozen=True, slots=True)
class EarningLine:
    """A line of the contract on an invoice, less what credit notes gave back of it."""

    net: Money
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class MoneyIn:
    """Money that an invoice got; below zero it takes another one back."""

    id: int
    amount: Money
    withdraws_id: int | None = None


@dataclass(frozen=True, slots=True)
class EarningInvoice:
    """An invoice with the contract's lines; `payable` less its own credit notes; `money` in order."""

    id: int
    dated: date
    payable: Money
    lines: tuple[EarningLine, ...]
    money: tuple[MoneyIn, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Whether all of it that is left to pay came in."""
        return sum(one.amount.minor for one in self.money) >= self.payable.minor > 0


@dataclass(frozen=True, slots=True)
class Brought:
    """A contract that an agent brought, in the times (first and last day) that it is the agent's; `products` are what it has."""

    contract_id: int
    agent_id: int
    started_on: date | None
    ended_on: date | None
    invoices: tuple[EarningInvoice, ...]
    products: frozenset[int] = frozenset()
    times: tuple[tuple[date, date | None], ...] = ((date.min, None),)

    def is_the_agents(self, day: date) -> bool:
        """Whether what is dated so is this agent's."""
        return any(since <= day and (until is None or day <= until) for since, until in self.times)


@dataclass(frozen=True, slots=True)
class Earned:
    """A row: what of which money was earned by which rule. Without money it brings what was earned to what the rule gives."""

    rule_id: int
    agent_id: int
    contract_id: int
    invoice_id: int | None
    money_id: int | None
    cause: Cause
    base: Money
    amount: Money
    settled: bool = False
    id: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """What a rule gives of one invoice when all of it is paid: `base` its lines; nothing of a contract that did not survive (`gone`), or where the
    rule has no part in it (any more).
    """

    rule: Rule
    invoice: EarningInvoice
    base: Money
    gone: bool
    has_part: bool = True

    def of(self, paid: int) -> tuple[Money, Money]:
        """Base and commission of so much money."""
        payable, currency = self.invoice.payable.minor, self.base.currency
        part = max(0, min(paid, payable))
        if not part:
            return zero(currency), zero(currency)
        nothing = self.gone or not self.has_part
        return share(self.base, part, payable), zero(currency) if nothing else self._amount(part, payable)

    def _amount(self, part: int, payable: int) -> Money:
        currency = self.base.currency
        if self.rule.flat is not None:
            return share(self.rule.flat, part, payable) if self.rule.flat.currency == currency else zero(currency)
        assert self.rule.percent is not None, "a rule has one or the other"
        return settle(
            Fraction(self.base.amount) * Fraction(self.rule.percent) * Fraction(part, payable * 100), currency
        )


def earned_rows(brought: Brought, rules: Sequence[Rule], written: Iterable[Earned], *, today: date) -> list[Earned]:
    """The rows that are to be written now, beside those that are; asked again with them it finds none."""
    before: dict[tuple[int, int | None], list[Earned]] = defaultdict(list)
    for row in written:
        before[row.rule_id, row.invoice_id].append(row)
    mine = [rule for rule in rules if rule.agent_id in (None, brought.agent_id)]
    rows = []
    for rule in mine:
        if rule.kind is RuleKind.ONE_OFF and rule.flat is not None:
            rows += _for_activation(brought, rule, mine, before[rule.id, None], today=today)
    parts = [part for invoice in brought.invoices for part in _parts(brought, invoice, mine, before)]
    for part in parts:
        rows += _for_invoice(brought, part, before[part.rule.id, part.invoice.id])
    return rows


def payable_rows(brought: Brought, rules: Mapping[int, Rule], written: Iterable[Earned]) -> list[Earned]:
    """Of the rows that are not settled those that may be: a rule that waits for paid invoices gives none before, and goes on once it gave some."""
    rows = list(written)
    paid = sum(one.is_paid for one in brought.invoices)
    begun = {row.rule_id for row in rows if row.settled}
    return [
        row
        for row in rows
        if not row.settled and (row.rule_id in begun or paid >= (rules[row.rule_id].after_periods or 0))
    ]


def total_earned(rows: Iterable[Earned], currency: str) -> Money:
    """Their sum, of one currency."""
    return total((row.amount for row in rows), currency)


def _for_activation(
    brought: Brought, rule: Rule, rules: Sequence[Rule], rows: Sequence[Earned], *, today: date
) -> list[Earned]:
    """The flat amount for a contract that was brought, or what takes it back."""
    assert rule.flat is not None
    start = brought.started_on
    due = (
        start is not None
        and start <= today
        and rule.holds(start)
        and brought.is_the_agents(start)
        and _is_best(rule, rules, start, brought.products)
    )
    gone = _is_gone(brought, rule)
    wanted = rule.flat if due and not gone else zero(rule.flat.currency)
    missing = wanted - total_earned(rows, wanted.currency)
    if not missing:
        return []
    cause = Cause.ACTIVATION if missing.minor > 0 else Cause.EARLY_END if gone else Cause.ADJUSTED
    return [Earned(rule.id, brought.agent_id, brought.contract_id, None, None, cause, zero(wanted.currency), missing)]


def _for_invoice(brought: Brought, part: _Part, rows: Sequence[Earned]) -> list[Earned]:
    """A row for each money of an invoice that has none, and one for what is earned otherwise since."""
    invoice, currency = part.invoice, part.base.currency
    by_money = {row.money_id: row for row in rows if row.money_id is not None}
    has = [total((row.base for row in rows), currency), total_earned(rows, currency)]
    paid = sum(one.amount.minor for one in invoice.money if one.id in by_money)
    made: list[Earned] = []

    def write(money_id: int | None, cause: Cause, base: Money, amount: Money) -> Earned:
        row = Earned(part.rule.id, brought.agent_id, brought.contract_id, invoice.id, money_id, cause, base, amount)
        made.append(row)
        has[0], has[1] = has[0] + base, has[1] + amount
        return row

    for one in invoice.money:
        if one.id in by_money:
            continue
        paid += one.amount.minor
        if one.withdraws_id is not None:
            taken = by_money[one.withdraws_id]
            by_money[one.id] = write(one.id, Cause.WITHDRAWN, -taken.base, -taken.amount)
            continue
        base, amount = part.of(paid)
        # Of a contract that did not survive nothing more is earned, and nothing is taken back by way of a payment.
        by_money[one.id] = write(one.id, Cause.PAID, base - has[0], zero(currency) if part.gone else amount - has[1])
    base, amount = part.of(paid)
    if (base, amount) != (has[0], has[1]):
        write(None, Cause.EARLY_END if part.gone else Cause.ADJUSTED, base - has[0], amount - has[1])
    return made


def _parts(
    brought: Brought,
    invoice: EarningInvoice,
    rules: Sequence[Rule],
    before: Mapping[tuple[int, int | None], Sequence[Earned]],
) -> list[_Part]:
    """What each rule gives of an invoice; one that gives nothing of it any more stands with nothing, to be taken back."""
    first = min(brought.invoices, key=lambda one: (one.dated, one.id))
    currency = invoice.payable.currency
    nets: dict[int, Money] = {}
    asked = [rule for rule in rules if _asks(brought, invoice, rule, is_first=invoice is first)]
    for line in invoice.lines:
        # One rule of each sort takes a line: an agent's own before everybody's, a product's before all products'.
        sorts: dict[tuple[RuleKind, bool], Rule] = {}
        for rule in sorted(asked, key=precedence):
            if rule.product_id in (None, line.product_id):
                sorts.setdefault((rule.kind, rule.flat is None), rule)
        for rule in sorts.values():
            nets[rule.id] = nets.get(rule.id, zero(currency)) + line.net
    return [
        _Part(rule, invoice, nets.get(rule.id, zero(currency)), _is_gone(brought, rule), rule.id in nets)
        for rule in rules
        if rule.id in nets or before.get((rule.id, invoice.id))
    ]


def _asks(brought: Brought, invoice: EarningInvoice, rule: Rule, *, is_first: bool) -> bool:
    start = brought.started_on
    if start is None or not rule.holds(invoice.dated) or not brought.is_the_agents(invoice.dated):
        return False
    if rule.kind is RuleKind.ONE_OFF:
        return is_first and rule.flat is None
    return rule.months is None or invoice.dated < months_after(start, rule.months)


def _is_best(rule: Rule, rules: Sequence[Rule], start: date, products: frozenset[int]) -> bool:
    """Of the flat one-off rules those of a product that the contract has come each, and one for all contracts."""
    if rule.product_id is not None and rule.product_id not in products:
        return False
    same = [
        one
        for one in rules
        if one.kind is rule.kind and one.flat is not None and one.product_id == rule.product_id and one.holds(start)
    ]
    return min(same, key=precedence) is rule


def _is_gone(brought: Brought, rule: Rule) -> bool:
    """Whether the contract ended before it had survived."""
    start, end = brought.started_on, brought.ended_on
    if start is None or end is None or rule.survives_months is None:
        return False
    return end < months_after(start, rule.survives_months)
