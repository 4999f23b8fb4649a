"""Worked cases of payments: what a payment pays, what stays open, what is credit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from support.case_contract import currency_of
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, as_day, as_money, named, shown
from support.paid_account import Key, PaidAccount

from billing.allocation import Choice, OpenInvoice, RefusedChoice, Source, SourceKind
from billing.documents import Due
from billing.settlement import SettlementState, standing_of

# All the same here: what was chosen comes first, then what fell due first.
OLDEST: Final = {
    name: None
    for name in (
        "oldest_due_first",
        "oldest_first",
        "oldest",
        "fifo",
        "default",
        "explicit",
        "chosen",
        "customer_choice",
        "due_date",
    )
}
INVOICES: Final = ("invoice", "bill", "document", "debit_note", "charge")
KINDS: Final = {
    **dict.fromkeys(("payment", "receipt", "advance", "deposit", "prepayment"), SourceKind.PAYMENT),
    **dict.fromkeys(("credit_note", "credit", "credit_memo"), SourceKind.CREDIT_NOTE),
    **dict.fromkeys(("write_off", "writeoff"), SourceKind.WRITE_OFF),
}
REVERSALS: Final = (
    "reversal",
    "chargeback",
    "returned",
    "return",
    "payment_reversed",
    "reverse",
    "bounced",
    "void",
    "storno",
)
CHOSEN: Final = ("for", "chosen", "allocate_to", "apply_to", "applies_to", "choice", "choices", "invoice", "invoices", "target", "targets", "to", "of")  # fmt: skip


class _Names:
    """Numbers for the names of a case, in the order in which they come."""

    def __init__(self) -> None:
        self.invoices: dict[str, int] = {}
        self.sources: dict[str, Key] = {}

    def of_invoice(self, number: int) -> str:
        """As the case calls it."""
        return next(name for name, one in self.invoices.items() if one == number)

    def of_source(self, key: Key) -> str:
        """As the case calls it."""
        return next(name for name, one in self.sources.items() if one == key)


def allocation(given: Values) -> dict[str, Any]:
    """Events in their order, and what is allocated after them."""
    fields = Fields(given)
    currency = currency_of(fields)
    fields.word(OLDEST, "policy", "order", "rule", "method", default=None)
    until = fields.day("as_of", "on", "today", "at", default=None)
    events = [_event(one, number) for number, one in enumerate(fields.objects("events", "movements", "items"), start=1)]
    fields.done()
    account, names, refused = PaidAccount(currency=currency), _Names(), list[str]()
    for one in events:
        if until is None or one["dated"] <= until:
            refused += _happened(account, names, one, currency)
    return _told(account, names, refused, until or max(one["dated"] for one in events))


def _event(given: Any, number: int) -> dict[str, Any]:
    if isinstance(given, list):
        if not 3 <= len(given) <= 5:
            raise NotCoveredError(f"event {number} has {len(given)} values")
        given = dict(zip(("date", "kind", "name", "amount", "due"), given, strict=False))
        given = {name: value for name, value in given.items() if value is not None}
        what = str(given["kind"]).lower()
        if "due" in given and what not in INVOICES:
            given["for"] = given.pop("due")
    names = {name: given[name] for name in ("name", "id", "number", "reference") if name in given}
    fields = Fields({key: value for key, value in given.items() if key not in names}, f"event {number}")
    dated = fields.day("date", "on", "day", "dated", "issued", "issued_on")
    event = {
        "name": str(next(iter(names.values()), f"event {number}")),
        "dated": dated,
        "kind": str(fields.take("kind", "event", "type", "what")).lower().replace(" ", "_"),
        "amount": fields.take("amount", "gross", "total", default=None),
        "due": fields.take("due", "due_on", "due_date", "dues", "parts", "instalments", default=None),
        "disputed": fields.take("disputed", "in_dispute", default=None),
        "for": fields.take(*CHOSEN, "payment", default=None),
    }
    fields.done()
    return event


def _happened(account: PaidAccount, names: _Names, event: Values, currency: str) -> list[str]:
    """One event done to the account; the name of what was refused."""
    kind, name = event["kind"], event["name"]
    if kind in INVOICES:
        number = names.invoices.setdefault(name, len(names.invoices) + 1)
        disputed = as_money(event["disputed"] or "0", currency)
        account.invoice(OpenInvoice(number, (0, number, name), _parts(event, currency), disputed))
    elif kind in KINDS:
        key = names.sources.setdefault(name, (KINDS[kind], len(names.sources) + 1))
        source = Source(*key, event["dated"], as_money(event["amount"], currency))
        if isinstance(account.pay(source, _choices(event["for"], names, currency)), RefusedChoice):
            return [name]
    elif kind in REVERSALS:
        key = names.sources.get(name) or names.sources[str(event["for"])]
        account.reverse(key)
    elif kind == "refund":
        key = names.sources.get(name) or names.sources[str(event["for"])]
        free = next(one.left for one in account.free() if (one.kind, one.id) == key)
        if free < (amount := as_money(event["amount"], currency)):
            return [name]
        account.give_back(key, amount)
    else:
        raise NotCoveredError(f"unknown kind of event: {kind}")
    return []


def _parts(event: Values, currency: str) -> tuple[Due, ...]:
    due = event["due"]
    if isinstance(due, list):
        return tuple(Due(as_day(day), as_money(amount, currency)) for day, amount in due)
    return (Due(event["dated"] if due is None else as_day(due), as_money(event["amount"], currency)),)


def _choices(told: Any, names: _Names, currency: str) -> list[Choice]:
    if told is None:
        return []
    if isinstance(told, Mapping):
        return [Choice(names.invoices.get(name, 0), as_money(amount, currency)) for name, amount in told.items()]
    several = told if isinstance(told, list) else [told]
    return [
        Choice(names.invoices.get(one[0], 0), as_money(one[1], currency))
        if isinstance(one, list)
        else Choice(names.invoices.get(one, 0))
        for one in several
    ]


def _told(account: PaidAccount, names: _Names, refused: list[str], today: date) -> dict[str, Any]:
    rows = [
        {
            "from": names.of_source(one.source),
            "to": names.of_invoice(one.invoice_id),
            "amount": shown(one.amount),
        }
        for one in account.rows
    ]
    gone = {row.withdraws_id for row in account.rows}
    in_force = [
        told for row, told in zip(account.rows, rows, strict=True) if row.withdraws_id is None and row.id not in gone
    ]
    shapes = AnyOf([[*one.values()] for one in each] for each in (in_force, rows))
    left = {name: account.invoices[number] for name, number in names.invoices.items()}
    let_go = {row.invoice_id for row in account.rows if row.source[0] is SourceKind.WRITE_OFF and row.id not in gone}
    standing = {
        name: standing_of(one.open, account.settled(one.id), one.parts, today=today, written_off=one.id in let_go)
        for name, one in left.items()
    }
    got = named(AnyOf((*shapes, in_force, rows)), "allocations", "allocated", "rows")
    got |= named(
        {name: shown(one.open) for name, one in standing.items()}, "open", "open_amounts", "balances", "unpaid"
    )
    got |= named(
        {name: shown(account.settled(one.id)) for name, one in left.items()}, "paid_amounts", "settled", "paid"
    )
    overdue = {
        SettlementState.OVERDUE: AnyOf(("overdue", "open", "part_paid")),
        SettlementState.WRITTEN_OFF: AnyOf(("written_off", "paid")),
    }
    got |= named({name: overdue.get(one.state, one.state.value) for name, one in standing.items()}, "states", "status")
    due = {name: None if one.due_on is None else one.due_on.isoformat() for name, one in standing.items()}
    got |= named(due, "due", "due_dates", "due_on")
    got |= named(shown(account.credit), "credit_left", "credit", "unallocated", "overpaid", "left")
    got |= named(shown(account.open), "open_total", "total_open", "debt")
    got |= named(shown(account.balance()), "balance", "account_balance")
    return got | named(refused, "refused") | named(not refused, "accepted")


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "allocation": allocation,
}
