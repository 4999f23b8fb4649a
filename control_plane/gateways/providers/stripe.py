"""Stripe: a payment link for an invoice, refunds, disputes, payouts with their fees.

Our keys travel in `metadata`, on the link and on the payment that is made through it, and come back with everything.

Units: Stripe counts in a currency's smallest unit, but for the ones below; `created` is in seconds.
Source: Stripe's API reference: payment links, payment intents, refunds, disputes, payouts, balance transactions; "Verify webhook
signatures manually"; "Supported currencies", section on special cases; "Idempotent requests".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from billing.gateways.events import EventKind, PaymentEvent
from billing.gateways.payouts import LineKind, Payout, PayoutLine
from billing.money import Money, currency_places, zero
from billing.payments import MethodKind
from control_plane.gateways.provider import (
    MOST_PAGES,
    Answer,
    Ask,
    Checked,
    Context,
    Declined,
    FileRow,
    GatewayError,
    GatewayRefusedError,
    GatewayUnreachableError,
    Hint,
    Presented,
    Provider,
    Refused,
    Request,
    Told,
    Verified,
    Wanted,
)
from control_plane.gateways.reading import (
    Object,
    at,
    epoch_of,
    id_of,
    list_of,
    text_of,
    text_or_none,
    whole_of,
)

_VERSION: Final = "2026-10-28.endive"
# What we are told is of now, by its own signed time, within the tolerance that Stripe's own libraries have.
_TOLERANCE_S: Final = 300
_CHARGE: Final = "corrente_charge"
_KEY: Final = "corrente_key"
_PAGE: Final = "100"
# Events are listed by second of creation, and some become visible late.
_OVERLAP: Final = timedelta(minutes=10)
# Where Stripe's smallest unit is not that of ISO 4217: two places are written that mean nothing, or none are.
_SPECIAL: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
_THREE_PLACES: Final = 3

_PAYMENT: Final = {
    "payment_intent.succeeded": EventKind.PAID,
    "payment_intent.processing": EventKind.PENDING,
    "payment_intent.payment_failed": EventKind.FAILED,
    "payment_intent.canceled": EventKind.EXPIRED,
}
_DISPUTE: Final = (
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
# An inquiry that is closed never became a dispute: what it took, if anything, is back.
_DISPUTE_ENDS: Final = {
    "won": EventKind.DISPUTE_WON,
    "lost": EventKind.DISPUTE_LOST,
    "warning_closed": EventKind.DISPUTE_WON,
}
_REFUND: Final = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
_PAYOUT: Final = ("payout.paid", "payout.failed")
_TOPICS: Final = frozenset({*_PAYMENT, *_DISPUTE, *_REFUND, *_PAYOUT, "charge.refunded"})
_LINES: Final = {
    "charge": LineKind.PAYMENT,
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "payment_failure_refund": LineKind.RETURN,
    "adjustment": LineKind.RETURN,
    "stripe_fee": LineKind.FEE,
}


class Stripe:
    """See the module."""

    title = "Stripe"
    live_url = "https://api.stripe.com"
    test_url = "https://api.stripe.com"
    method_kind = MethodKind.GATEWAY
    returns_days: int | None = None
    presents = frozenset({"link", "refund"})
    signs_time = True
    reads_files = False

    def headers(self, secret: str, request: Request) -> dict[str, str]:
        """A restricted or secret key as a bearer, and our key for what changes something."""
        found = {"Authorization": f"Bearer {secret}", "Stripe-Version": _VERSION}
        return found if request.key is None else {**found, "Idempotency-Key": request.key}

    def check(self, ask: Ask, context: Context) -> Checked:
        """Reads the balance, whose mode is the key's."""
        answer = ask(Request("GET", "/v1/balance"))
        if answer.status != 200:
            return Checked(False, _problem(answer))
        if at(answer.body, "livemode") is True and not context.live:
            return Checked(False, "this key moves real money, and the account is one for tests: add it with --live")
        if at(answer.body, "livemode") is False and context.live:
            return Checked(False, "this is a key of test mode, and the account is one with real money")
        return Checked(True, "the key is good")

    def receive(
        self, secret: str, headers: Mapping[str, str], body: bytes, *, context: Context, now: datetime
    ) -> Verified | Refused:
        """The signature over time and raw body, then the mode, then what it hints at."""
        refused = _refuse_signature(secret, headers.get("stripe-signature", ""), body, now)
        if refused is not None:
            return refused
        try:
            event = json.loads(body)
            if event["livemode"] is not context.live:
                return Refused(
                    "it is of the other mode: real money told to an account for tests, or tests to real money"
                )
            return Verified(tuple(_hints([event])))
        except (ValueError, KeyError, TypeError, GatewayError) as error:
            return Refused(f"it is signed and not to be read: {type(error).__name__}: {error}")

    def fetch(self, ask: Ask, hint: Hint, context: Context) -> Told:
        """Ask for the object that the event is about, as it is now."""
        if hint.topic in _PAYMENT:
            return _payment(ask, hint, context)
        if hint.topic == "charge.refunded":
            listed = _good(ask(Request("GET", "/v1/refunds", (("charge", hint.ref), ("limit", _PAGE)))))
            return Told(tuple(e for one in list_of(listed, "data") for e in _refund(ask, one, hint, context)))
        if hint.topic in _REFUND:
            return Told(tuple(_refund(ask, _get(ask, f"/v1/refunds/{hint.ref}"), hint, context)))
        if hint.topic in _DISPUTE:
            return _dispute(ask, hint, context)
        if hint.topic in _PAYOUT:
            return _payout(ask, hint, context)
        return Told()

    def present(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | Declined:
        """A link that can be paid once, or a refund."""
        try:
            if wanted.kind == "link":
                answer = ask(Request("POST", "/v1/payment_links", form=_link_form(wanted), key=wanted.key))
            else:
                answer = ask(Request("POST", "/v1/refunds", form=_refund_form(wanted), key=wanted.key))
        except AmountNotTakenError as error:
            return Declined(str(error))
        if answer.status == 409:
            raise GatewayUnreachableError(_problem(answer))
        if answer.status in (401, 403):
            raise GatewayRefusedError(_problem(answer))
        if answer.status != 200:
            return Declined(_problem(answer))
        return _presented(answer.body)

    def find(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | None:
        """By our key in the metadata: among the refunds of the payment, or the newest links."""
        if wanted.kind == "refund":
            query: tuple[tuple[str, str], ...] = ((_of(wanted.payment_key), wanted.payment_key or ""),)
            rows = _pages(ask, "/v1/refunds", query)
        else:
            rows = _pages(ask, "/v1/payment_links", ())
        for row in rows:
            if at(row, "metadata", _KEY) == wanted.key:
                return _presented(row)
        return None

    def withdraw(self, ask: Ask, kind: str, ref: str) -> Declined | None:
        """A link is switched off."""
        answer = ask(Request("POST", f"/v1/payment_links/{ref}", form=(("active", "false"),)))
        return None if answer.status == 200 else Declined(_problem(answer))

    def poll(self, ask: Ask, since: datetime, context: Context) -> Iterator[Hint]:
        """The list of events, which Stripe keeps for 30 days."""
        first = int((since - _OVERLAP).timestamp())
        yield from _hints(_pages(ask, "/v1/events", (("created[gte]", str(first)),)))

    def read_file(self, content: bytes) -> list[FileRow]:
        """Payouts are read through the API."""
        raise GatewayError("Stripe's payouts are read through its API: `corrente gateway reconcile`")


class AmountNotTakenError(GatewayError):
    """Stripe does not count this amount."""


def _refuse_signature(secret: str, header: str, body: bytes, now: datetime) -> Refused | None:
    fields = [part.strip().split("=", 1) for part in header.split(",") if "=" in part]
    times = [value for name, value in fields if name == "t"]
    given = [value for name, value in fields if name == "v1"]
    if len(times) != 1 or not given or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
        return Refused("there is no Stripe-Signature with one t and a v1")
    right = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    # All are compared, so that the time taken tells nothing; while a secret is changed there are two.
    if not any([hmac.compare_digest(right.encode(), one.encode()) for one in given]):
        return Refused("the signature is not Stripe's, or the secret is another one")
    if abs(now.timestamp() - int(times[0])) > _TOLERANCE_S:
        return Refused(
            f"it was signed at {times[0]}, more than {_TOLERANCE_S} s from now: an old one sent again, or a wrong clock"
        )
    return None


def _hints(events: Any) -> Iterator[Hint]:
    for event in events:
        topic = text_of(event, "type")
        if topic in _TOPICS:
            yield Hint(text_of(event, "id"), topic, text_of(event, "data", "object", "id"), epoch_of(event, "created"))


def _payment(ask: Ask, hint: Hint, context: Context) -> Told:
    intent = _get(ask, f"/v1/payment_intents/{hint.ref}", ("expand[]", "latest_charge"))
    _refuse_other_mode(intent, context)
    kind = _PAYMENT[hint.topic]
    status = text_of(intent, "status")
    if kind is EventKind.PAID and status != "succeeded":
        return Told()
    if kind is not EventKind.PAID and status == "succeeded":
        # It was tried in vain before; what counts is that it is paid, which an event of its own tells.
        kind = EventKind.PENDING
    received = kind is EventKind.PAID and at(intent, "amount_received")
    money = _money(whole_of(intent, "amount_received" if received else "amount"), text_of(intent, "currency"))
    problem = at(intent, "last_payment_error")
    return Told(
        (
            PaymentEvent(
                key=hint.key,
                kind=kind,
                payment_key=text_of(intent, "id"),
                amount=money,
                happened=hint.happened,
                value_on=_day(hint.happened, context),
                charge_key=text_or_none(intent, "metadata", _CHARGE),
                payer=_payer(intent),
                reason_code=_code(at(intent, "last_payment_error", "code")) if problem else None,
                reason=text_or_none(intent, "last_payment_error", "message") or "",
            ),
        )
    )


def _payer(intent: Object) -> str | None:
    found = text_or_none(intent, "latest_charge", "billing_details", "name") or text_or_none(
        intent, "latest_charge", "billing_details", "email"
    )
    return None if found is None else found[:400]


def _refund(ask: Ask, refund: Object, hint: Hint, context: Context) -> Iterator[PaymentEvent]:
    status, ref = text_of(refund, "status"), text_of(refund, "id")
    if status not in ("succeeded", "failed", "canceled"):
        return
    made = epoch_of(refund, "created")
    given = PaymentEvent(
        key=f"{hint.key} {ref} {EventKind.REFUNDED}",
        kind=EventKind.REFUNDED,
        payment_key=_payment_key(ask, refund),
        amount=_money(whole_of(refund, "amount"), text_of(refund, "currency")),
        happened=made,
        value_on=_day(made, context),
        part_key=ref,
        reason=text_or_none(refund, "reason") or "",
    )
    yield given
    if status != "succeeded":
        # It was taken from the balance first, which may never have been told.
        moment = max(hint.happened, made)
        yield replace(
            given,
            key=f"{hint.key} {ref} {EventKind.REFUND_FAILED}",
            kind=EventKind.REFUND_FAILED,
            happened=moment,
            value_on=_day(moment, context),
            reason=text_or_none(refund, "failure_reason") or "",
        )


def _dispute(ask: Ask, hint: Hint, context: Context) -> Told:
    dispute = _get(ask, f"/v1/disputes/{hint.ref}")
    _refuse_other_mode(dispute, context)
    status = text_of(dispute, "status")
    moved = not status.startswith("warning_") or hint.topic.startswith("charge.dispute.funds_")
    if not moved and status != "warning_closed":
        # An inquiry: no money has moved.
        return Told()
    taken = PaymentEvent(
        key=f"{hint.key} {EventKind.DISPUTED}",
        kind=EventKind.DISPUTED,
        payment_key=_payment_key(ask, dispute),
        amount=_money(whole_of(dispute, "amount"), text_of(dispute, "currency")),
        happened=epoch_of(dispute, "created"),
        value_on=_day(epoch_of(dispute, "created"), context),
        part_key=hint.ref,
        reason_code=_code(at(dispute, "reason")),
        reason=f"disputed: {text_or_none(dispute, 'reason') or 'no reason given'}",
    )
    ended = _DISPUTE_ENDS.get(status)
    if ended is None and hint.topic == "charge.dispute.funds_reinstated":
        ended = EventKind.DISPUTE_WON
    if ended is None:
        return Told((taken,))
    over = PaymentEvent(
        key=f"{hint.key} {ended}",
        kind=ended,
        payment_key=taken.payment_key,
        amount=taken.amount,
        happened=max(hint.happened, taken.happened),
        value_on=_day(hint.happened, context),
        part_key=hint.ref,
    )
    # Of an inquiry that is over we were told before if it took anything; else there is nothing that could come again.
    return Told((taken, over) if moved else (over,))


def _payout(ask: Ask, hint: Hint, context: Context) -> Told:
    payout = _get(ask, f"/v1/payouts/{hint.ref}")
    _refuse_other_mode(payout, context)
    currency = text_of(payout, "currency")
    amount = _money(whole_of(payout, "amount"), currency)
    arrives = _day(epoch_of(payout, "arrival_date"), context)
    if hint.topic == "payout.failed":
        # Told beside the payout itself, which may never have been: both are there, or the books hear of neither.
        back = (PayoutLine(LineKind.OTHER, -amount, zero(amount.currency)),)
        gone = Payout(hint.key, f"{hint.ref} failed", -amount, _day(hint.happened, context), hint.happened, back)
        return Told(payouts=(_paid_out(ask, hint, amount, arrives, f"{hint.key} paid"), gone))
    return Told(payouts=(_paid_out(ask, hint, amount, arrives, hint.key),))


def _paid_out(ask: Ask, hint: Hint, amount: Money, arrives: date, key: str) -> Payout:
    rows = _pages(ask, "/v1/balance_transactions", (("payout", hint.ref), ("expand[]", "data.source")))
    lines = []
    for row in rows:
        kind = text_of(row, "type")
        if kind in ("payout", "payout_failure", "payout_cancel"):
            continue
        lines.append(
            PayoutLine(
                _LINES.get(kind, LineKind.OTHER),
                _money(whole_of(row, "amount"), text_of(row, "currency")),
                _money(whole_of(row, "fee"), text_of(row, "currency")),
                _source(row),
            )
        )
    return Payout(key, hint.ref, amount, arrives, hint.happened, tuple(lines))


def _source(row: Object) -> str | None:
    """Of which payment a line is."""
    source = at(row, "source")
    if isinstance(source, Mapping):
        return id_of(source.get("payment_intent")) or id_of(source.get("charge")) or id_of(source)
    return id_of(source)


def _payment_key(ask: Ask, part: Object) -> str:
    """Of which payment a refund or dispute is: the payment intent, or the charge where there is none."""
    found = id_of(at(part, "payment_intent"))
    if found is not None:
        return found
    charge = id_of(at(part, "charge"))
    if charge is None:
        raise GatewayUnreachableError(f"{at(part, 'id')} names neither a payment intent nor a charge")
    return id_of(at(_get(ask, f"/v1/charges/{charge}"), "payment_intent")) or charge


def _presented(made: Object) -> Presented:
    """A link with its page; a refund is looked at like one that we are told of."""
    ref = text_of(made, "id")
    if text_or_none(made, "object") != "refund":
        return Presented(ref, text_of(made, "url"))
    return Presented(ref, hint=Hint(f"asked {ref}", "refund.updated", ref, epoch_of(made, "created")))


def _link_form(wanted: Wanted) -> tuple[tuple[str, str], ...]:
    assert wanted.amount is not None, "a link is of an amount"
    charge = wanted.charge_key or ""
    form = [
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", wanted.amount.currency.lower()),
        ("line_items[0][price_data][unit_amount]", str(_units(wanted.amount))),
        ("line_items[0][price_data][product_data][name]", wanted.words[:250]),
        ("restrictions[completed_sessions][limit]", "1"),
        (f"metadata[{_CHARGE}]", charge),
        (f"metadata[{_KEY}]", wanted.key),
        (f"payment_intent_data[metadata][{_CHARGE}]", charge),
        ("payment_intent_data[description]", wanted.words[:500]),
    ]
    if wanted.return_url is not None:
        form += [("after_completion[type]", "redirect"), ("after_completion[redirect][url]", wanted.return_url)]
    return tuple(form)


def _refund_form(wanted: Wanted) -> tuple[tuple[str, str], ...]:
    assert wanted.amount is not None, "a refund is of an amount"
    assert wanted.payment_key is not None, "and of a payment"
    return (
        (_of(wanted.payment_key), wanted.payment_key),
        ("amount", str(_units(wanted.amount))),
        (f"metadata[{_KEY}]", wanted.key),
    )


def _of(payment_key: str | None) -> str:
    return "charge" if (payment_key or "").startswith(("ch_", "py_")) else "payment_intent"


def _pages(ask: Ask, path: str, query: tuple[tuple[str, str], ...]) -> Iterator[Object]:
    after: tuple[tuple[str, str], ...] = ()
    for _ in range(MOST_PAGES):
        page = _good(ask(Request("GET", path, (*query, ("limit", _PAGE), *after))))
        rows = list_of(page, "data")
        yield from rows
        if not rows or at(page, "has_more") is not True:
            return
        after = (("starting_after", text_of(rows[-1], "id")),)
    raise GatewayUnreachableError(f"{path}: more than {MOST_PAGES} pages")


def _get(ask: Ask, path: str, *query: tuple[str, str]) -> Object:
    return _good(ask(Request("GET", path, query)))


def _good(answer: Answer) -> Object:
    if answer.status == 200:
        return answer.body
    raise (GatewayRefusedError if answer.status in (401, 403, 404) else GatewayUnreachableError)(_problem(answer))


def _problem(answer: Answer) -> str:
    said = text_or_none(answer.body, "error", "message") or "no reason given"
    return f"Stripe answers {answer.status}: {said}"


def _refuse_other_mode(found: Object, context: Context) -> None:
    if at(found, "livemode") is not context.live:
        raise GatewayRefusedError(f"{at(found, 'id')} is of the other mode than this account")


def _day(moment: datetime, context: Context) -> date:
    return moment.astimezone(context.zone).date()


def _code(found: object) -> str | None:
    return found[:40] if isinstance(found, str) and found.replace("_", "").isalnum() and found.isascii() else None


def _units(money: Money) -> int:
    """An amount as Stripe counts it. Raises: AmountNotTakenError."""
    places = currency_places(money.currency)
    if places == _THREE_PLACES and money.minor % 10:
        raise AmountNotTakenError(f"{money}: Stripe takes {money.currency} with a last place of 0 only")
    wanted = _SPECIAL.get(money.currency, places)
    if wanted >= places:
        scale: int = 10 ** (wanted - places)
        return money.minor * scale
    units, rest = divmod(money.minor, int(10 ** (places - wanted)))
    if rest:
        raise AmountNotTakenError(f"{money}: Stripe takes {money.currency} with {wanted} places only")
    return units


def _money(units: int, currency: str) -> Money:
    """What Stripe counts as an amount. Raises: GatewayUnreachableError."""
    code = currency.upper()
    places, theirs = currency_places(code), _SPECIAL.get(code, currency_places(code))
    if theirs <= places:
        scale: int = 10 ** (places - theirs)
        return Money(units * scale, code)
    minor, rest = divmod(units, 10 ** (theirs - places))
    if rest:
        raise GatewayUnreachableError(f"{units} of {code} is no amount of that currency")
    return Money(minor, code)


PROVIDER: Final[Provider] = Stripe()
