"""Worked cases of agents' commissions and of cash sessions.

A commission case has a rule (or several) and what happened to a contract's invoices: paid, withdrawn, credited, ended. A cash session has an
opening, movements and what was counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from support.case_fields import AnyOf, EitherSign, Fields, NotCoveredError, Values, as_money, as_number, named, shown

from billing.cash import HandOver, Takings, count_cash, hand_over_legs
from billing.commission_rules import Rule, RuleKind, months_after, refuse_rule
from billing.commissions import Brought, Cause, Earned, EarningInvoice, EarningLine, MoneyIn, earned_rows, payable_rows
from billing.errors import BillingError
from billing.money import Money, total, zero
from billing.payments import NotDone
from billing.postings import Accounts

START: Final = ("start", "started_on", "activated_on", "contract_start", "starts_on", "activation", "activation_date")
END: Final = ("end", "ended_on", "ends_on", "contract_end", "terminated_on", "termination", "cancelled_on", "end_date")
RULES: Final = ("rules", "rule", "commission_rules", "commission_rule", "commission")
PERCENT: Final = ("percent", "rate", "percentage", "rate_pct", "pct", "commission_pct", "commission_percent")
FLAT: Final = ("flat", "amount", "fixed", "flat_amount", "fixed_amount")
SURVIVES: Final = ("survives_months", "survival_months", "survival", "must_survive_months", "minimum_months", "clawback_months", "claw_back_months")  # fmt: skip
AFTER: Final = ("after_periods", "payable_after", "payable_after_periods", "after_paid_periods", "paid_periods", "payable_after_paid_periods")  # fmt: skip
KINDS: Final = {
    **dict.fromkeys(("one_off", "oneoff", "once", "activation", "one_time", "single"), RuleKind.ONE_OFF),
    **dict.fromkeys(("recurring", "monthly", "each", "per_invoice", "per_period", "periodic"), RuleKind.RECURRING),
}
BASES: Final = {"percent": "percent", "percentage": "percent", "flat": "flat", "fixed": "flat", "amount": "flat"}
GIVEN: Final = ("credit_note", "credit", "credited")
BACK: Final = (
    "withdrawal",
    "withdrawn",
    "withdraw",
    "reversal",
    "reversed",
    "chargeback",
    "returned",
    "payment_reversed",
    "return",
)
ENDS: Final = ("end", "ended", "termination", "terminated", "cancelled", "contract_end", "early_end")
PAYS: Final = ("payment", "paid", "allocation", "allocated", "receipt")
_PERCENT_OF: Final = Decimal(100)


@dataclass
class _Sold:
    """An invoice while things happen to it."""

    invoice: EarningInvoice
    gross: Money
    lines: list[EarningLine] = field(default_factory=list)


class _World:
    """The contract of a case, and all that is earned so far."""

    def __init__(self, rules: list[Rule], start: date, end: date | None, currency: str) -> None:
        self.rules, self.start, self.end, self.currency = rules, start, end, currency
        self.sold: dict[str, _Sold] = {}
        self.money: dict[str, tuple[str, list[int]]] = {}
        self.rows: list[Earned] = []
        self.by_event: list[dict[str, Any]] = []
        self.numbers = 0

    def brought(self) -> Brought:
        products = frozenset(line.product_id for one in self.sold.values() for line in one.lines if line.product_id)
        return Brought(1, 1, self.start, self.end, tuple(one.invoice for one in self.sold.values()), products)

    def look(self, what: str, day: date) -> None:
        """Work it out after an event."""
        made = earned_rows(self.brought(), self.rules, self.rows, today=max(day, self.start))
        self.rows += made
        amount = total((row.amount for row in made), self.currency)
        self.by_event.append(
            {"event": what, "date": day.isoformat(), "amount": shown(amount), "total": shown(self.earned)}
        )

    @property
    def earned(self) -> Money:
        return total((row.amount for row in self.rows), self.currency)

    def sell(self, name: str, day: date, payable: Money, lines: list[EarningLine]) -> None:
        number = len(self.sold) + 1
        self.sold[name] = _Sold(EarningInvoice(number, day, payable, tuple(lines)), payable, lines)

    def pay(self, name: str, of: str, amount: Money) -> None:
        self.numbers += 1
        one = self.sold[of]
        one.invoice = replace(one.invoice, money=(*one.invoice.money, MoneyIn(self.numbers, amount)))
        self.money[name] = (of, [self.numbers])

    def withdraw(self, name: str) -> None:
        of, ids = self.money.pop(name)
        one = self.sold[of]
        for id in ids:
            self.numbers += 1
            gone = next(money for money in one.invoice.money if money.id == id)
            back = MoneyIn(self.numbers, -gone.amount, id)
            one.invoice = replace(one.invoice, money=(*one.invoice.money, back))

    def credit(self, of: str, net: Money, gross: Money) -> None:
        one = self.sold[of]
        first = one.invoice.lines[0]
        lines = (replace(first, net=first.net - net), *one.invoice.lines[1:])
        one.invoice = replace(one.invoice, lines=lines, payable=one.invoice.payable - gross)


def commission(given: Values) -> dict[str, Any]:
    """What an agent earned, event by event, and what of it is payable."""
    fields = Fields(given)
    currency = str(fields.take("currency", default="EUR"))
    start = fields.day(*START, default=None)
    end = fields.day(*END, default=None)
    rules = _rules(fields, currency)
    events = fields.objects("events", "movements", default=[])
    vat = fields.number("vat_rate", "vat", "tax_rate", default=Decimal(0))
    invoices = fields.objects("invoices", "invoice", "documents", default=[])
    payments = fields.objects("payments", "payment", "allocations", default=[])
    lives = fields.whole("lived_months", "months_lived", default=None)
    alone = {name: fields.take(name) for name in ("net", "gross", "paid", "base", "allocated") if fields.has(name)}
    today = fields.day("today", "as_of", "on", "settle_on", "through", default=date(2999, 1, 1))
    fields.take("agent", "contract", "product", default=None)
    fields.done()
    told = [*_told_invoices(invoices, currency, vat), *_told_payments(payments), *_told_events(events, currency, vat)]
    if alone:
        told += _told_alone(alone, currency)
    first = min((one["date"] for one in told), default=date(2026, 1, 1))
    start = start or first
    if lives is not None:
        end = months_after(start, lives)
    world = _World(rules, start, None, currency)
    if any(rule.kind is RuleKind.ONE_OFF and rule.flat for rule in rules):
        world.look("activation", start)
    refused: list[str] = []
    for one in sorted(told, key=lambda event: event["date"]):
        if one["date"] > today:
            continue
        if end is not None and end <= one["date"] and world.end is None:
            world.end = end
            world.look("end", end)
        _happen(world, one, refused)
    if end is not None and world.end is None and end <= today:
        world.end = end
        world.look("end", end)
    return _told_commission(world, refused)


def _rules(fields: Fields, currency: str) -> list[Rule]:
    if not fields.has(*RULES) and fields.has(*PERCENT, *FLAT, "kind", "type", "value"):
        return [_rule(fields, 1, currency)]
    rules = []
    for number, one in enumerate(fields.objects(*RULES), start=1):
        inner = Fields(one if isinstance(one, Mapping) else {"percent": one}, f"rule {number}")
        rules.append(_rule(inner, number, currency))
        inner.done()
    return rules


def _rule(fields: Fields, number: int, currency: str) -> Rule:
    kind, flat_or_percent, value = RuleKind.RECURRING, None, None
    for names in (("kind", "frequency", "when", "recurrence"), ("type", "mode", "how")):
        if not fields.has(*names):
            continue
        word = str(fields.take(*names)).strip().lower().replace("-", "_").replace(" ", "_")
        for part in ("recurring_percent", "recurring_flat", "one_off_flat", "one_off_percent"):
            if word == part:
                kind = RuleKind.ONE_OFF if part.startswith("one_off") else RuleKind.RECURRING
                flat_or_percent = part.rpartition("_")[2]
                break
        else:
            if word in KINDS:
                kind = KINDS[word]
            elif word in BASES:
                flat_or_percent = BASES[word]
            else:
                raise NotCoveredError(f"{fields.what}: {names[0]} is {word!r}")
    if fields.has("value"):
        value = fields.number("value")
    percent, flat = fields.number(*PERCENT, default=None), fields.number(*FLAT, default=None)
    if value is not None:
        percent, flat = (None, value) if flat_or_percent == "flat" else (value, None)
    if fields.take("one_off", "once", default=False):
        kind = RuleKind.ONE_OFF
    rule = Rule(
        number,
        kind,
        percent,
        None if flat is None else as_money(flat, currency),
        _product(fields.take("product", "product_id", "item", "family", default=None)),
        1 if fields.take("own", default=False) else None,
        fields.day("from", "since", "valid_from", default=date.min),
        fields.day("until", "valid_to", "valid_until", "to", default=None),
        fields.whole("months", "duration_months", "duration", "for_months", default=None),
        fields.whole(*SURVIVES, default=None),
        fields.whole(*AFTER, default=None),
    )
    fields.take("base", default=None)
    if (refused := refuse_rule(rule)) is not None:
        raise BillingError(refused.message)
    return rule


def _product(name: Any) -> int | None:
    """A number for a product's name; the same one for the same name."""
    return None if name in (None, "all", "any", "general", "*") else int.from_bytes(str(name).encode()[:7], "big") + 1


def _told_invoices(invoices: list[Any], currency: str, vat: Decimal) -> list[dict[str, Any]]:
    told = []
    for number, one in enumerate(invoices, start=1):
        fields = Fields(one, f"invoice {number}")
        name = one.get("id") or one.get("name") or one.get("number") or f"invoice {number}"
        fields.take("id", "name", "number", default=None)
        day = fields.day("date", "issued", "dated", "issued_on", "on", default=date(2026, 1, 1))
        told.append({"date": day, "what": "invoice", "name": str(name), **_amounts(fields, currency, vat)})
        paid = fields.take("paid", "paid_amount", "allocated", default=None)
        paid_on = fields.day("paid_on", default=day)
        if paid is not None:
            amount = None if paid is True else paid
            told.append({"date": paid_on, "what": "payment", "name": f"payment of {name}", "of": str(name), "amount": amount})  # fmt: skip
        fields.done()
    return told


def _amounts(fields: Fields, currency: str, vat: Decimal) -> dict[str, Any]:
    lines = []
    for number, one in enumerate(fields.objects("lines", default=[]), start=1):
        inner = Fields(one, f"line {number}")
        net = as_money(inner.take("net", "amount", "base"), currency)
        lines.append(EarningLine(net, _product(inner.take("product", "product_id", "item", default=None))))
        inner.take("vat_rate", default=None)
        inner.done()
    product = _product(fields.take("product", default=None))
    rate = fields.number("vat_rate", "vat", "tax_rate", default=vat)
    net = fields.take("net", "base", "amount", default=None)
    gross = fields.take("gross", "total", "payable", default=None)
    if not lines:
        if net is None and gross is None:
            raise NotCoveredError(f"{fields.what} has no net, gross or lines")
        exact = as_number(net) if net is not None else as_number(gross) * _PERCENT_OF / (_PERCENT_OF + rate)
        lines = [EarningLine(as_money(exact, currency), product)]
    whole = total((line.net for line in lines), currency)
    payable = as_money(gross, currency) if gross is not None else as_money(whole.amount * (_PERCENT_OF + rate) / _PERCENT_OF, currency)  # fmt: skip
    return {"payable": payable, "lines": lines}


def _told_payments(payments: list[Any]) -> list[dict[str, Any]]:
    told = []
    for number, one in enumerate(payments, start=1):
        if not isinstance(one, Mapping):
            told.append({"date": date(2026, 1, 2), "what": "payment", "name": f"payment {number}", "of": None, "amount": one})  # fmt: skip
            continue
        fields = Fields(one, f"payment {number}")
        name = str(one.get("id") or one.get("name") or f"payment {number}")
        fields.take("id", "name", default=None)
        day = fields.day("date", "on", "paid_on", default=date(2026, 1, 2))
        of = fields.take("invoice", "of", "for", "document", default=None)
        amount = fields.take("amount", "gross", "paid", default=None)
        back = fields.day("withdrawn_on", "reversed_on", "withdrawn", "reversed", default=None)
        fields.done()
        told.append({"date": day, "what": "payment", "name": name, "of": of, "amount": amount})
        if back is not None:
            told.append({"date": back, "what": "withdrawal", "name": name, "of": name})
    return told


def _told_events(events: list[Any], currency: str, vat: Decimal) -> list[dict[str, Any]]:
    told = []
    for number, given in enumerate(events, start=1):
        one = (
            dict(zip(("date", "kind", "name", "amount", "of"), given, strict=False))
            if isinstance(given, list)
            else given
        )
        fields = Fields(one, f"event {number}")
        day = fields.day("date", "on", "day")
        kind = str(fields.take("kind", "event", "type", "what")).lower().replace(" ", "_").replace("-", "_")
        name = str(one.get("name") or one.get("id") or f"{kind} {number}")
        fields.take("name", "id", default=None)
        of = fields.take("of", "invoice", "for", "payment", "document", default=None)
        event = {"date": day, "what": kind, "name": name, "of": of}
        if kind == "invoice" or kind in GIVEN:
            event |= _amounts(fields, currency, vat)
        elif kind in PAYS:
            event["amount"] = fields.take("amount", "gross", default=None)
        elif kind not in (*BACK, *ENDS, "activation"):
            raise NotCoveredError(f"unknown kind of event: {kind}")
        else:
            fields.take("amount", default=None)
        fields.done()
        told.append(event)
    return told


def _told_alone(alone: Mapping[str, Any], currency: str) -> list[dict[str, Any]]:
    """One invoice and one payment, told by their amounts alone."""
    net = as_money(alone.get("net", alone.get("base", alone.get("gross"))), currency)
    payable = as_money(alone.get("gross", net.amount), currency)
    day = date(2026, 1, 1)
    sold = {"date": day, "what": "invoice", "name": "invoice", "payable": payable, "lines": [EarningLine(net)]}
    paid = alone.get("paid", alone.get("allocated"))
    return [sold, {"date": day, "what": "payment", "name": "payment", "of": None, "amount": paid}]


def _happen(world: _World, one: Mapping[str, Any], refused: list[str]) -> None:
    what, name, of = one["what"], one["name"], one.get("of")
    last = next(reversed(world.sold), None)
    if what == "invoice":
        world.sell(name, one["date"], one["payable"], one["lines"])
    elif what in PAYS:
        invoice = str(of) if of is not None else last
        if invoice not in world.sold:
            raise NotCoveredError(f"{name} pays {invoice!r}, which is no invoice of the case")
        amount = one.get("amount")
        money = world.sold[invoice].gross if amount is None else as_money(amount, world.currency)
        world.pay(name, invoice, money)
    elif what in BACK:
        wanted = next((key for key in (of, name) if key in world.money), None) or next(reversed(world.money), None)
        if wanted is None:
            refused.append(name)
            return
        world.withdraw(wanted)
    elif what in GIVEN:
        world.credit(str(of) if of in world.sold else str(last), total((line.net for line in one["lines"]), world.currency), one["payable"])  # fmt: skip
    elif what in ENDS:
        world.end = one["date"]
    world.look(name, one["date"])


def _told_commission(world: _World, refused: list[str]) -> dict[str, Any]:
    rules = {rule.id: rule for rule in world.rules}
    payable = total((row.amount for row in payable_rows(world.brought(), rules, world.rows)), world.currency)
    rows = [
        {
            "rule": row.rule_id,
            "cause": row.cause.value,
            **named(shown(row.base), "base", "net"),
            **named(shown(row.amount), "amount", "commission"),
        }
        for row in world.rows
        if row.amount
    ]
    amounts = [shown(row.amount) for row in world.rows if row.amount]
    plus = total((row.amount for row in world.rows if row.amount.minor > 0), world.currency)
    minus = total((row.amount for row in world.rows if row.amount.minor < 0), world.currency)
    taken = total((row.amount for row in world.rows if row.cause is Cause.EARLY_END), world.currency)
    withdrawn = total((row.amount for row in world.rows if row.cause is Cause.WITHDRAWN), world.currency)
    by_rule: dict[str, Money] = defaultdict(lambda: zero(world.currency))
    for row in world.rows:
        by_rule[str(row.rule_id)] += row.amount
    got = named(shown(world.earned), "commission", "total", "commission_total", "earned", "balance", "net_total", "sum", "amount")  # fmt: skip
    got |= named(AnyOf((amounts, rows, len(rows))), "rows", "commissions", "commission_rows", "amounts")
    got |= named(shown(payable), "payable", "settled", "settlement", "to_settle", "payable_now")
    got |= named(shown(world.earned - payable), "held", "waiting", "not_payable")
    got |= named(shown(plus), "gained", "positive") | named(EitherSign(shown(minus)), "taken_back", "negative")
    got |= named(EitherSign(shown(taken)), "claw_back", "clawback", "clawed_back")
    got |= named(EitherSign(shown(withdrawn)), "withdrawn", "reversed")
    base = total((row.base for row in world.rows if row.invoice_id is not None), world.currency)
    got |= named(shown(base), "base", "base_total")
    got |= named({key: shown(amount) for key, amount in by_rule.items()}, "by_rule")
    got |= named([one["total"] for one in world.by_event], "running", "after_each")
    got |= named(AnyOf(([one["amount"] for one in world.by_event], world.by_event)), "by_event", "events")
    return got | named(refused, "refused")


OPENING: Final = ("opening", "opening_float", "float", "opening_amount", "start", "initial")
CASH_IN: Final = ("payment", "cash_in", "receipt", "in", "sale", "collected", "deposit", "income", "collection")
CASH_OUT: Final = ("withdrawal", "cash_out", "out", "withdraw", "bank", "expense", "paid_out", "drop")
CASH_BACK: Final = ("taken_back", "reversal", "reversed", "refund", "returned", "void")
_ROLES: Final = ("cash", "cash_with_collector", "cash_shortage")


def cash_session(given: Values) -> dict[str, Any]:
    """What should be there, what was counted, the difference, and its entry."""
    fields = Fields(given)
    currency = str(fields.take("currency", default="EUR"))
    opening = as_money(fields.take(*OPENING, default="0"), currency)
    sums = {"in": zero(currency), "out": zero(currency), "back": zero(currency), "other": zero(currency)}
    for number, one in enumerate(fields.objects("movements", "events", "entries", default=[]), start=1):
        _move(sums, one, number, currency)
    for key, names in (
        ("in", ("payments", "cash_in", "receipts", "collected", "received", "sales")),
        ("out", ("withdrawals", "cash_out", "withdrawn", "paid_out")),
        ("back", ("taken_back", "reversals", "refunds")),
    ):
        for one in fields.objects(*names, default=[]):
            sums[key if not _by_card(one) else "other"] += _amount(one, currency)
    takings = Takings(opening, sums["in"], sums["out"], sums["back"])
    pieces = fields.take("denominations", "count", "counted_by_denomination", "counts", "pieces", default=None)
    told = fields.take("counted", "counted_amount", "closing", "counted_total", default=None)
    if isinstance(told, Mapping | list) and pieces is None:
        told, pieces = None, told
    fields.take("collector", "opened", "closed", "date", "opened_at", "closed_at", default=None)
    fields.done()
    got = named(
        shown(takings.expected), "expected", "expected_amount", "should_be_there", "expected_total", "expected_cash"
    )
    got |= named(shown(takings.received), "cash_in", "received", "collected", "total_in")
    got |= named(shown(takings.withdrawn), "withdrawn", "cash_out", "total_out")
    got |= named(shown(takings.with_collector), "cash_with_collector", "with_collector", "not_handed_over", "open")
    got |= named(shown(sums["other"]), "not_cash", "other_methods")
    if pieces is None and told is None:
        return got
    counted = _counted(pieces, currency) if pieces is not None else as_money(told, currency)
    if isinstance(counted, NotDone):
        return got | named(True, "refused", "rejected", "error")
    return got | _told_hand_over(HandOver(takings, counted), currency)


def _told_hand_over(hand: HandOver, currency: str) -> dict[str, Any]:
    accounts = Accounts(1, {(role, None): number for number, role in enumerate(_ROLES, start=1)}, {})
    posted = {_ROLES[leg.account_id - 1]: leg.amount for leg in hand_over_legs(hand, accounts)}
    legs = {role: shown(amount) for role, amount in posted.items()}
    off = hand.difference
    missing = -off if off.minor < 0 else zero(currency)
    over = off if off.minor > 0 else zero(currency)
    got = named(shown(hand.counted), "counted", "counted_amount", "counted_total", "total")
    got |= named(shown(off), "difference", "over_short", "variance")
    got |= named(shown(missing), "shortage", "missing", "short") | named(
        shown(over), "surplus", "over", "overage", "excess"
    )
    state = "balanced" if not off else "short" if off.minor < 0 else "over"
    got |= named(AnyOf((state, {"short": "shortage", "over": "surplus"}.get(state, "ok"))), "state", "result", "status")
    sides = [
        {
            "account": role,
            "debit": shown(amount) if amount.minor > 0 else None,
            "credit": shown(-amount) if amount.minor < 0 else None,
        }
        for role, amount in posted.items()
    ]
    got |= named(AnyOf((legs, sides)), "entry", "postings", "legs", "entry_legs")
    got |= named(shown(posted.get("cash", zero(currency))), "main_cash", "handed_over", "to_main_cash")
    return got | named(
        "0.00" if currency == "EUR" else shown(zero(currency)), "left_with_collector", "with_collector_after"
    )


def _move(sums: dict[str, Money], given: Any, number: int, currency: str) -> None:
    one = dict(zip(("kind", "amount"), given[-2:], strict=True)) if isinstance(given, list) else given
    fields = Fields(one, f"movement {number}")
    kind = (
        str(fields.take("kind", "type", "what", "event", default="payment")).lower().replace("-", "_").replace(" ", "_")
    )
    amount = as_money(fields.take("amount", "value"), currency)
    card = _by_card(one)
    fields.take("method", "date", "at", "receipt", "customer", "reason", "to", "time", default=None)
    fields.done()
    key = "in" if kind in CASH_IN else "out" if kind in CASH_OUT else "back" if kind in CASH_BACK else None
    if key is None:
        raise NotCoveredError(f"movement {number} is {kind!r}")
    sums["other" if card else key] += amount if amount.minor >= 0 else -amount


def _by_card(one: Any) -> bool:
    return isinstance(one, Mapping) and str(one.get("method", "cash")).lower() not in ("cash", "efectivo", "contanti")


def _amount(one: Any, currency: str) -> Money:
    return as_money(one["amount"] if isinstance(one, Mapping) else one, currency)


def _counted(pieces: Any, currency: str) -> Money | NotDone:
    """What was counted, as `{"50": 3}` or a list of values with their pieces."""
    counted: dict[Decimal, int] = defaultdict(int)
    if isinstance(pieces, Mapping):
        for value, many in pieces.items():
            counted[as_number(value)] += int(many)
    else:
        for one in pieces:
            if isinstance(one, Mapping):
                fields = Fields(one, "denomination")
                counted[fields.number("value", "denomination", "note", "coin", "of")] += fields.whole("pieces", "count", "quantity", "qty", "number")  # fmt: skip
            else:
                counted[as_number(one[0])] += int(one[1])
    return count_cash(counted, currency)


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "commission": commission,
    "cash_session": cash_session,
}
