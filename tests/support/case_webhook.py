"""Worked cases of notices that gateways send: are they the provider's, and what is paid after all of them, in whatever order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from support.case_contract import currency_of
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, amount_or, as_instant, as_money, named, shown

from billing.gateways.acts import Booked, Record, Reverse, acts_for
from billing.gateways.charge_state import charge_state
from billing.gateways.events import EventKind, PaymentEvent, in_order
from billing.gateways.rounds import Round, rounds_of
from billing.money import Money, zero
from control_plane.gateways.provider import Context, Verified, provider_for, provider_names

_KINDS: Final = {
    **{kind.value: kind for kind in EventKind if kind is not EventKind.SETTLED},
    **dict.fromkeys(("succeeded", "confirmed", "captured", "payment", "approved", "settlement"), EventKind.PAID),
    **dict.fromkeys(("refund", "partial_refund"), EventKind.REFUNDED),
    **dict.fromkeys(("dispute", "chargeback", "charged_back"), EventKind.DISPUTED),
    **dict.fromkeys(("reversal", "late_failure"), EventKind.REVERSED),
    **dict.fromkeys(("return", "returned_debit"), EventKind.RETURNED),
    **dict.fromkeys(("won", "chargeback_cancelled"), EventKind.DISPUTE_WON),
    **dict.fromkeys(("created", "submitted", "processing"), EventKind.PENDING),
    **dict.fromkeys(("payment_failed", "rejected"), EventKind.FAILED),
    **dict.fromkeys(("cancelled", "canceled"), EventKind.EXPIRED),
}
_SCHEMES: Final = {name: name for name in provider_names()}
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def webhook(given: Values) -> dict[str, Any]:
    """A notice that is judged (`secret`), or events that are delivered."""
    fields = Fields(given)
    if fields.has("secret", "signing_secret", "webhook_secret"):
        return _judged(fields)
    currency = currency_of(fields)
    owed = fields.take("invoice", "amount", "due", "open", "charge", default=None)
    told = [_event(one, number, currency) for number, one in enumerate(fields.objects("events", "notices"), start=1)]
    order = fields.objects("deliveries", "delivered", "order", "arrivals", default=[one.key for one in told])
    fields.done()
    by_key = {one.key: one for one in reversed(told)}
    if unknown := [key for key in order if key not in by_key]:
        raise NotCoveredError(f"deliveries name {unknown[0]!r}, which is no event")
    return _delivered([by_key[key] for key in order], None if owed is None else as_money(owed, currency), currency)


def _judged(fields: Fields) -> dict[str, Any]:
    secret = str(fields.take("secret", "signing_secret", "webhook_secret"))
    provider = provider_for(fields.word(_SCHEMES, "provider", "scheme", "gateway"))
    body = fields.take("body", "payload")
    header = fields.take("signature", "header", "signature_header", default="")
    now = fields.take("now", "received_at", "at", default=None)
    live = bool(fields.take("live", "livemode", default=False))
    fields.done()
    raw = body if isinstance(body, str) else json.dumps(body)
    names = ("stripe-signature", "webhook-signature")
    verdict = provider.receive(
        secret,
        dict.fromkeys(names, str(header)),
        raw.encode(),
        context=Context(live, ZoneInfo("Europe/Rome")),
        now=_moment(now) if now is not None else _START,
    )
    good = isinstance(verdict, Verified)
    keys = [hint.key for hint in verdict.hints] if isinstance(verdict, Verified) else []
    status = 200 if isinstance(verdict, Verified) else verdict.status
    answer = named(good, "accepted", "valid", "verified") | named(not good, "refused", "rejected")
    return answer | named(status, "status", "answer") | named(amount_or(keys, len(keys)), "events", "queued")


def _moment(told: Any) -> datetime:
    return datetime.fromtimestamp(told, UTC) if isinstance(told, int) else as_instant(told)


def _event(given: Any, number: int, currency: str) -> PaymentEvent:
    if isinstance(given, list):
        if not 2 <= len(given) <= 4:
            raise NotCoveredError(f"event {number} has {len(given)} values")
        given = dict(zip(("id", "kind", "amount", "at"), given, strict=False))
    key = str(next((given[name] for name in ("id", "key", "event_id", "event") if name in given), f"event {number}"))
    rest = {name: value for name, value in given.items() if name not in ("id", "key", "event_id", "event")}
    fields = Fields(rest, f"event {key}")
    kind = fields.word(_KINDS, "kind", "type", "status", "what")
    at = fields.take("at", "created", "created_at", "happened", "time", default=None)
    amount = fields.take("amount", "value", default=None)
    found = PaymentEvent(
        key=key,
        kind=kind,
        payment_key=str(fields.take("payment", "payment_id", "of", default="payment")),
        amount=as_money(amount or "0", currency),
        happened=_START + timedelta(minutes=number) if at is None else _moment(at),
        value_on=_START.date(),
        part_key=fields.take("part", "refund", "dispute", "part_id", default=None),
    )
    fields.done()
    return found


def _delivered(told: list[PaymentEvent], owed: Money | None, currency: str) -> dict[str, Any]:
    """One by one as they come, each booked before the next: what is known already changes nothing."""
    known: dict[str, PaymentEvent] = {}
    books: dict[str, Booked] = {}
    ignored: list[str] = []
    for event in told:
        if event.key in known:
            ignored.append(event.key)
            continue
        known[event.key] = event
        mine = [one for one in known.values() if one.payment_key == event.payment_key]
        for act in acts_for(rounds_of(mine), books):
            if isinstance(act, Record):
                books[act.round.reference] = Booked(len(books) + 1)
                continue
            was = books[act.reference]
            gone = isinstance(act, Reverse)
            back = was.refunds if gone else was.refunds | {act.why.reference}
            books[act.reference] = Booked(was.payment_id, gone, back)
    payments = sorted({one.payment_key for one in known.values()})
    rounds = [one for key in payments for one in rounds_of(e for e in known.values() if e.payment_key == key)]
    return _told(rounds, known, books, ignored, owed, currency)


def _told(
    rounds: list[Round],
    known: Mapping[str, PaymentEvent],
    books: Mapping[str, Booked],
    ignored: list[str],
    owed: Money | None,
    currency: str,
) -> dict[str, Any]:
    here = zero(currency)
    for one in rounds:
        here += one.left
    state = charge_state(known.values(), presented=True, withdrawn=False).value
    processed = [one.key for one in in_order(known.values())]
    got = named(state, "state", "status", "charge_state") | named(shown(here), "paid", "received", "kept", "credited")
    got |= named(len(books), "payments", "payments_recorded", "recorded")
    got |= named(sum(one.is_reversed for one in books.values()), "reversals", "reversed")
    got |= named(sum(len(one.refunds) for one in books.values()), "refunds")
    got |= named(amount_or(ignored, len(ignored)), "ignored", "duplicates")
    got |= named(AnyOf((len(processed), processed)), "processed", "events")
    if owed is not None:
        open_ = owed - here if here < owed else zero(currency)
        over = here - owed if owed < here else zero(currency)
        got |= named(shown(open_), "open", "left") | named(shown(over), "credit", "credit_left", "overpaid")
    return got


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {"webhook": webhook}
