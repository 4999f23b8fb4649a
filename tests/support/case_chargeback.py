"""Worked cases of payments that come back: what is open again since when, what it costs, until when it may come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from support.case_contract import currency_of
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, as_day, as_money, named, shown
from support.case_payments import allocation

from billing.banking.return_codes import charges_fee, return_code
from billing.money import zero
from billing.payments import Method, MethodKind, NewPayment, PaymentSource

# Direct debits may come back for eight weeks, disputed ones for thirteen months.
WEEKS: Final = 7
KINDS: Final = {
    **dict.fromkeys(("direct_debit", "sdd", "debit", "core"), MethodKind.DIRECT_DEBIT),
    **dict.fromkeys(("card", "credit_card"), MethodKind.CARD),
    **dict.fromkeys(("transfer", "bank_transfer"), MethodKind.TRANSFER),
    "gateway": MethodKind.GATEWAY,
}
BACK: Final = (
    "chargeback",
    "returned",
    "return",
    "reversal",
    "payment_reversed",
    "bounced",
    "refund_claim",
    "r_transaction",
)
# What a return says of itself, beside its day and amount.
OF_RETURN: Final = ("fee", "code", "reason_code", "reason")
PAID: Final = ("payment", "collection", "debit", "receipt")


def chargeback(given: Values) -> dict[str, Any]:
    """An account with a payment that came back: by the rules of allocation, with the fee as a charge of its own.

    Events may be given as in the kind `allocation`, or one invoice, payment and return as fields.
    """
    fields = Fields(given)
    currency = currency_of(fields)
    fee = as_money(fields.take("fee", "return_fee", "penalty", default="0"), currency)
    code = str(fields.take("code", "reason_code", "reason", default="") or "")
    kind = fields.word(KINDS, "method", "paid_by", default=MethodKind.DIRECT_DEBIT)
    days = fields.whole("return_days", "returns_days", "return_window_days", default=None)
    weeks = fields.whole("return_weeks", default=None)
    checks = [as_day(one) for one in fields.objects("check", "checks", "check_on", default=[])]
    until = fields.day("as_of", "on", "today", default=None)
    told = _events(fields)
    events = [{name: value for name, value in one.items() if name not in OF_RETURN} for one in told]
    code = code or next(
        (str(one[name]) for one in told for name in ("code", "reason_code", "reason") if one.get(name)), ""
    )
    fee = next((as_money(one["fee"], currency) for one in told if one.get("fee")), fee)
    fields.done()
    passed = {"events": events, "currency": currency, **({"as_of": until.isoformat()} if until else {})}
    account = allocation(passed)
    paid = next((one for one in events if one["kind"] in PAID), None)
    back = [one for one in events if one["kind"] in BACK]
    charged = fee if charges_fee(code) and back else zero(currency)
    each = [shown(charged)] * len(back)
    fees = charged
    for _ in back[1:]:
        fees += charged
    got = dict(account)
    got |= named(AnyOf((shown(fees), each)), "fee", "fees", "fee_charged", "return_fee")
    balance = as_money(account["balance"], currency) + fees
    got |= named(shown(balance), "balance", "account_balance", "owed", "total_due")
    got |= named(return_code(code).kind.value, "kind", "class", "reason_class")
    window = (weeks * WEEKS) if weeks is not None else days
    if paid is not None and window is not None:
        got |= _window(paid, back, kind, window, currency, checks)
    return got


def _window(
    paid: Values, back: list[dict[str, Any]], kind: MethodKind, days: int, currency: str, checks: list[date]
) -> dict[str, Any]:
    """Until when it may come back, and whether it may on the days that are asked."""
    method = Method(1, 1, kind.value, kind.value, kind, days)
    payment = NewPayment(method, as_money(paid["amount"], currency), as_day(paid["date"]), PaymentSource.FILE)
    last = payment.returns_until
    assert last is not None, "the method has days"
    got = named(last.isoformat(), "returns_until", "may_come_back_until", "window_ends", "last_return_day")
    got |= named((last + timedelta(days=1)).isoformat(), "final_from", "final_on")
    asked = checks or [as_day(one["date"]) for one in back]
    within = [day <= last for day in asked]
    return got | named(AnyOf((within, *within[:1])), "within_window", "may_come_back", "returnable", "flagged")


def _events(fields: Fields) -> list[dict[str, Any]]:
    if fields.has("events", "movements", "items"):
        return [
            _event(one, number) for number, one in enumerate(fields.objects("events", "movements", "items"), start=1)
        ]
    events: list[dict[str, Any]] = []
    for number, one in enumerate(fields.objects("invoices", "invoice", default=[]), start=1):
        own = Fields(one, f"invoice {number}")
        issued = own.day("date", "issued", "issued_on", default=None)
        due = own.day("due", "due_on", "due_date", default=issued)
        if due is None:
            raise NotCoveredError(f"invoice {number} has neither a day nor a due day")
        event = {"name": str(own.take("name", "id", "number", default=f"invoice {number}")), "kind": "invoice"}
        amount = own.take("amount", "gross", "total")
        own.done()
        events.append({**event, "date": (issued or due).isoformat(), "amount": amount, "due": due.isoformat()})
    own = Fields(fields.take("payment", "collection", "debit"), "payment")
    name = str(own.take("name", "id", "reference", default="P"))
    day = own.day("date", "on", "value_on", "collected_on").isoformat()
    amount, wanted = own.take("amount"), own.take("for", "invoice", default=None)
    own.done()
    events.append(
        {"name": name, "kind": "payment", "date": day, "amount": amount, **({"for": wanted} if wanted else {})}
    )
    back = fields.take("chargeback", "returned", "return", "chargeback_date", "returned_on", "return_date")
    dated = back if isinstance(back, str) else Fields(back, "chargeback").day("date", "on").isoformat()
    return [*events, {"name": name, "kind": "chargeback", "date": dated}]


def _event(given: Any, number: int) -> dict[str, Any]:
    if isinstance(given, list):
        if not 3 <= len(given) <= 5:
            raise NotCoveredError(f"event {number} has {len(given)} values")
        given = dict(zip(("date", "kind", "name", "amount", "due"), given, strict=False))
    event = {
        ("date" if name in ("on", "day", "dated") else name): value
        for name, value in given.items()
        if value is not None
    }
    return {**event, "kind": str(event.get("kind", "")).lower().replace(" ", "_")}


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {"chargeback": chargeback}
