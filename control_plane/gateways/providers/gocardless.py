"""GoCardless: a page on which a customer signs a mandate, debits under it, returns, refunds, payouts, and its reconciliation file.

A notice carries up to 250 events and is signed as a whole, without a time: an old one sent again holds events that are known already.
A mandate may be collected by from the moment it is made; that the bank has not confirmed it yet shows when the first debit fails.

Units: amounts are whole cents, of payout lines cents with one decimal place, since fees are kept to half a cent; times are ISO 8601.
Source: GoCardless's API reference, version 2015-07-06: events, webhooks, mandates, billing requests, payments, refunds, payouts, payout
items, "Making requests" on idempotency keys; its support pages "Payout breakdown reports - Transactions".
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from billing.errors import BillingError
from billing.gateways.events import EventKind, PaymentEvent
from billing.gateways.payouts import LineKind, Payout, PayoutLine
from billing.money import Money, read_money, zero
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
    MandateTold,
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
    instant_of,
    list_of,
    object_of,
    tenths_of,
    text_of,
    text_or_none,
    whole_of,
)

_VERSION: Final = "2015-07-06"
# What its manual asks for when a signature is wrong.
_WRONG_SIGNATURE: Final = 498
_CHARGE: Final = "corrente_charge"
_KEY: Final = "corrente_key"
_PAGE: Final = "500"
_OVERLAP: Final = timedelta(minutes=10)
# A direct debit comes back for eight weeks without a reason (SEPA core rulebook 4.3.2.1).
_RETURNS_DAYS: Final = 56

_PAYMENT: Final = {
    "created": EventKind.PENDING,
    "submitted": EventKind.PENDING,
    "resubmission_requested": EventKind.PENDING,
    "confirmed": EventKind.PAID,
    "failed": EventKind.FAILED,
    "cancelled": EventKind.EXPIRED,
    "customer_approval_denied": EventKind.EXPIRED,
    "charged_back": EventKind.RETURNED,
    "chargeback_cancelled": EventKind.DISPUTE_WON,
}
_REFUND: Final = {
    "created": EventKind.REFUNDED,
    "failed": EventKind.REFUND_FAILED,
    "bounced": EventKind.REFUND_FAILED,
    "funds_returned": EventKind.REFUND_FAILED,
}
_MANDATE: Final = (
    *("created", "customer_approval_granted", "submitted", "active", "cancelled", "failed", "expired", "reinstated"),
    *("consumed", "blocked", "suspended_by_payer", "replaced"),
)
_TOPICS: Final = frozenset(
    {
        *(f"payments.{action}" for action in _PAYMENT),
        *(f"refunds.{action}" for action in _REFUND),
        *(f"mandates.{action}" for action in _MANDATE),
        "billing_requests.fulfilled",
        "payouts.paid",
    }
)
_LINK: Final = {
    "payments": "payment",
    "refunds": "refund",
    "mandates": "mandate",
    "billing_requests": "billing_request",
    "payouts": "payout",
}
# How a mandate's own states are said here.
_STATES: Final = {
    "pending_customer_approval": "created",
    "pending_submission": "active",
    "submitted": "active",
    "active": "active",
    "cancelled": "cancelled",
    "suspended_by_payer": "cancelled",
    "failed": "failed",
    "blocked": "failed",
    "expired": "expired",
    "consumed": "expired",
}
_LINES: Final = {
    "payment_paid_out": LineKind.PAYMENT,
    "payment_failed": LineKind.RETURN,
    "payment_charged_back": LineKind.RETURN,
    "payment_refunded": LineKind.REFUND,
    "refund": LineKind.REFUND,
    "refund_funds_returned": LineKind.REFUND,
    "gocardless_fee": LineKind.FEE,
    "app_fee": LineKind.FEE,
    "surcharge_fee": LineKind.FEE,
    "revenue_share": LineKind.FEE,
}
_CSV: Final = (
    "resources.type",
    "gross_amount",
    "gocardless_fees",
    "app_fees",
    "net_amount",
    "currency",
    "payouts.id",
    "payments.id",
)


class GoCardless:
    """See the module."""

    title = "GoCardless"
    live_url = "https://api.gocardless.com"
    test_url = "https://api-sandbox.gocardless.com"
    method_kind = MethodKind.DIRECT_DEBIT
    returns_days: int | None = _RETURNS_DAYS
    presents = frozenset({"mandate", "debit", "refund"})
    signs_time = False
    reads_files = True

    def headers(self, secret: str, request: Request) -> dict[str, str]:
        """An access token, the version, and our key for what makes something."""
        found = {"Authorization": f"Bearer {secret}", "GoCardless-Version": _VERSION}
        return found if request.key is None else {**found, "Idempotency-Key": request.key}

    def check(self, ask: Ask, context: Context) -> Checked:
        """Reads who is paid out to. Whether real money moves is told by the address, which the account's mode decides."""
        answer = ask(Request("GET", "/creditors", (("limit", "1"),)))
        if answer.status != 200:
            return Checked(False, _problem(answer))
        creditors = list_of(answer.body, "creditors")
        if not creditors:
            return Checked(False, "the token is good, and there is no creditor yet that could be paid out to")
        return Checked(
            True, f"the token is good, of {text_or_none(creditors[0], 'name') or 'a creditor without a name'}"
        )

    def receive(
        self, secret: str, headers: Mapping[str, str], body: bytes, *, context: Context, now: datetime
    ) -> Verified | Refused:
        """The signature over the raw body, then what its events hint at."""
        right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), headers.get("webhook-signature", "").encode()):
            return Refused("the signature is not GoCardless's, or the secret is another one", _WRONG_SIGNATURE)
        try:
            return Verified(tuple(_hints(list_of(json.loads(body), "events"))))
        except (ValueError, GatewayError) as error:
            return Refused(f"it is signed and not to be read: {type(error).__name__}: {error}")

    def fetch(self, ask: Ask, hint: Hint, context: Context) -> Told:
        """Ask for the event itself, which has the bank's code, and for what it is about."""
        resource = hint.topic.partition(".")[0]
        if hint.topic not in _TOPICS:
            return Told()
        event = object_of(_get(ask, f"/events/{hint.key}"), "events")
        if resource == "payments":
            return Told((_payment(ask, event, hint, context),))
        if resource == "refunds":
            return Told((_refund(ask, event, hint, context),))
        if resource == "payouts":
            return Told(payouts=(_payout(ask, hint),))
        if resource == "mandates":
            return Told(mandates=(_mandate(ask, hint.ref, None),))
        signed = object_of(_get(ask, f"/billing_requests/{hint.ref}"), "billing_requests")
        mandate = text_or_none(signed, "links", "mandate_request_mandate")
        if mandate is None:
            return Told()
        return Told(mandates=(_mandate(ask, mandate, text_or_none(signed, "metadata", _KEY)),))

    def present(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | Declined:
        """A page to sign on, a debit under a mandate, a refund of one."""
        if wanted.kind == "mandate":
            return _page(ask, wanted)
        name = "payments" if wanted.kind == "debit" else "refunds"
        body = _debit(ask, wanted, context) if wanted.kind == "debit" else _given_back(wanted)
        made = _make(ask, name, body, wanted.key)
        return made if isinstance(made, Declined) else Presented(text_of(made, "id"))

    def find(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | None:
        """Among the debits of the mandate or the refunds of the payment since we wanted it, by our key."""
        since = (f"{'created_at[gte]'}", (wanted.since - _OVERLAP).isoformat())
        if wanted.kind == "debit":
            rows = _pages(ask, "payments", (("mandate", wanted.mandate_ref or ""), since))
        elif wanted.kind == "refund":
            rows = _pages(ask, "refunds", (("payment", wanted.payment_key or ""), since))
        else:
            # Asked again under its key it answers with the one that was made.
            return None
        return next((Presented(text_of(row, "id")) for row in rows if at(row, "metadata", _KEY) == wanted.key), None)

    def withdraw(self, ask: Ask, kind: str, ref: str) -> Declined | None:
        """A debit can be cancelled until it is handed to the bank."""
        name = "payments" if kind == "debit" else "billing_requests"
        answer = ask(Request("POST", f"/{name}/{ref}/actions/cancel", json={}))
        return None if answer.status in (200, 201) else Declined(_problem(answer))

    def poll(self, ask: Ask, since: datetime, context: Context) -> Iterator[Hint]:
        """The list of events."""
        yield from _hints(_pages(ask, "events", (("created_at[gte]", (since - _OVERLAP).isoformat()),)))

    def read_file(self, content: bytes) -> list[FileRow]:
        """The transactions of payouts as its dashboard exports them: one row a transaction, with the payout that it is in."""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise GatewayError(f"octet {error.start} is no UTF-8: export the file again") from error
        rows = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in _CSV if name not in (rows.fieldnames or ())]
        if missing:
            raise GatewayError(
                f"it has no column {', '.join(missing)}: export Payouts, Payout reconciliation, Transactions"
            )
        return [_file_row(row, number) for number, row in enumerate(rows, 2)]


def _hints(events: Any) -> Iterator[Hint]:
    for event in events:
        resource = text_of(event, "resource_type")
        topic = f"{resource}.{text_of(event, 'action')}"
        if topic in _TOPICS:
            ref = text_of(event, "links", _LINK[resource])
            yield Hint(text_of(event, "id"), topic, ref, instant_of(event, "created_at"))


def _payment(ask: Ask, event: Object, hint: Hint, context: Context) -> PaymentEvent:
    action = hint.topic.partition(".")[2]
    ref = text_of(event, "links", "payment")
    payment = object_of(_get(ask, f"/payments/{ref}"), "payments")
    kind = _PAYMENT[action]
    part = _chargeback(ask, event, ref) if action in ("charged_back", "chargeback_cancelled") else None
    return PaymentEvent(
        key=hint.key,
        kind=kind,
        payment_key=ref,
        amount=Money(whole_of(payment, "amount"), text_of(payment, "currency")),
        happened=instant_of(event, "created_at"),
        value_on=_value_day(payment, event, kind, context),
        part_key=part,
        charge_key=text_or_none(payment, "metadata", _CHARGE),
        mandate_ref=text_or_none(payment, "links", "mandate"),
        reason_code=_code(at(event, "details", "reason_code")),
        reason=text_or_none(event, "details", "description") or "",
    )


def _chargeback(ask: Ask, event: Object, ref: str) -> str:
    """Which chargeback of a payment an event begins or ends. They have no number of their own, and there is one at a time: they are counted."""
    events = _pages(ask, "events", (("payment", ref), ("action", "charged_back")))
    begun = {
        text_of(one, "id")
        for one in events
        if text_of(one, "action") == "charged_back" and instant_of(one, "created_at") <= instant_of(event, "created_at")
    }
    return f"{ref} chargeback" if len(begun) < 2 else f"{ref} chargeback {len(begun)}"


def _value_day(payment: Object, event: Object, kind: EventKind, context: Context) -> date:
    """The day of collection for what was paid, else the day of the event."""
    charged = text_or_none(payment, "charge_date")
    told = instant_of(event, "created_at").astimezone(context.zone).date()
    if kind is not EventKind.PAID or charged is None:
        return told
    try:
        return min(date.fromisoformat(charged), told)
    except ValueError:
        return told


def _refund(ask: Ask, event: Object, hint: Hint, context: Context) -> PaymentEvent:
    refund = object_of(_get(ask, f"/refunds/{hint.ref}"), "refunds")
    happened = instant_of(event, "created_at")
    return PaymentEvent(
        key=hint.key,
        kind=_REFUND[hint.topic.partition(".")[2]],
        payment_key=text_of(refund, "links", "payment"),
        amount=Money(whole_of(refund, "amount"), text_of(refund, "currency")),
        happened=happened,
        value_on=happened.astimezone(context.zone).date(),
        part_key=hint.ref,
        reason=text_or_none(event, "details", "description") or "",
    )


def _mandate(ask: Ask, ref: str, key: str | None) -> MandateTold:
    mandate = object_of(_get(ask, f"/mandates/{ref}"), "mandates")
    said = text_of(mandate, "status")
    if said not in _STATES:
        raise GatewayUnreachableError(f"mandate {ref} is {said!r}, which nobody here knows")
    return MandateTold(ref, _STATES[said], key)


def _payout(ask: Ask, hint: Hint) -> Payout:
    payout = object_of(_get(ask, f"/payouts/{hint.ref}"), "payouts")
    currency = text_of(payout, "currency")
    arrived = Money(whole_of(payout, "amount"), currency)
    lines = _lines(list(_pages(ask, "payout_items", (("payout", hint.ref),))), arrived)
    arrives = text_or_none(payout, "arrival_date")
    day = hint.happened.date() if arrives is None else date.fromisoformat(arrives)
    return Payout(hint.key, hint.ref, arrived, day, hint.happened, lines)


def _lines(items: Sequence[Object], arrived: Money) -> tuple[PayoutLine, ...]:
    """The lines in whole cents. What arrives is the sum of all tenths, rounded once ("Payout items"); so are its lines, one after the
    other, and the last one that is no whole number of cents takes the half cent that is rounded up or down.
    """
    amounts = [tenths_of(item, "amount") for item in items]
    broken = [place for place, amount in enumerate(amounts) if amount != int(amount)]
    left, cents = Decimal(0), [int(amount) for amount in amounts]
    for place in broken:
        left += amounts[place]
        cents[place] = round(left)
        left -= cents[place]
    missing = arrived.minor - sum(cents)
    if broken and left and abs(left - missing) < 1:
        cents[broken[-1]] += missing
    return tuple(
        PayoutLine(
            _LINES.get(text_of(item, "type"), LineKind.OTHER),
            Money(amount, arrived.currency),
            zero(arrived.currency),
            text_or_none(item, "links", "payment"),
        )
        for item, amount in zip(items, cents, strict=True)
    )


def _page(ask: Ask, wanted: Wanted) -> Presented | Declined:
    asked = {"mandate_request": {"currency": wanted.currency}, "metadata": {_KEY: wanted.key}}
    request = _make(ask, "billing_requests", asked, wanted.key)
    if isinstance(request, Declined):
        return request
    ref = text_of(request, "id")
    flow: dict[str, object] = {"links": {"billing_request": ref}}
    if wanted.return_url is not None:
        flow |= {"redirect_uri": wanted.return_url, "exit_uri": wanted.return_url}
    # A flow lives a week at most; it has no key of its own, a second one for the same request does no harm.
    page = _make(ask, "billing_request_flows", flow, None)
    if isinstance(page, Declined):
        return page
    expires = text_or_none(page, "expires_at")
    return Presented(
        ref, text_of(page, "authorisation_url"), None if expires is None else instant_of(page, "expires_at")
    )


def _debit(ask: Ask, wanted: Wanted, context: Context) -> dict[str, object]:
    assert wanted.amount is not None, "a debit is of an amount"
    body: dict[str, object] = {
        "amount": wanted.amount.minor,
        "currency": wanted.amount.currency,
        "description": wanted.words[:100],
        "metadata": {_CHARGE: wanted.charge_key or "", _KEY: wanted.key},
        "links": {"mandate": wanted.mandate_ref or ""},
    }
    if wanted.collect_on is None or wanted.collect_on <= _today(wanted, context):
        return body
    # Not before it is due, and not before the bank can: a day that is too soon would be refused.
    mandate = object_of(_get(ask, f"/mandates/{wanted.mandate_ref}"), "mandates")
    soonest = text_or_none(mandate, "next_possible_charge_date") or ""
    return {**body, "charge_date": max(wanted.collect_on.isoformat(), soonest)}


def _today(wanted: Wanted, context: Context) -> date:
    """The day on which it was wanted first, by the account's clock: asked again it is asked for in the same words."""
    return wanted.since.astimezone(context.zone).date()


def _given_back(wanted: Wanted) -> dict[str, object]:
    assert wanted.amount is not None, "a refund is of an amount"
    before = wanted.refunded.minor if wanted.refunded is not None else 0
    return {
        "amount": wanted.amount.minor,
        "total_amount_confirmation": before + wanted.amount.minor,
        "metadata": {_KEY: wanted.key},
        "links": {"payment": wanted.payment_key or ""},
    }


def _make(ask: Ask, name: str, body: Mapping[str, object], key: str | None) -> Object | Declined:
    """Make one; asked again under its key, the one that was made."""
    answer = ask(Request("POST", f"/{name}", json={name: dict(body)}, key=key))
    if answer.status in (200, 201):
        return object_of(answer.body, name)
    if answer.status == 409:
        made = next(
            (
                text_or_none(one, "links", "conflicting_resource_id")
                for one in list_of(answer.body, "error", "errors")
                if at(one, "reason") == "idempotent_creation_conflict"
            ),
            None,
        )
        if made is None:
            raise GatewayUnreachableError(_problem(answer))
        return object_of(_get(ask, f"/{name}/{made}"), name)
    if answer.status in (401, 403):
        raise GatewayRefusedError(_problem(answer))
    return Declined(_problem(answer))


def _pages(ask: Ask, name: str, query: tuple[tuple[str, str], ...]) -> Iterator[Object]:
    after: tuple[tuple[str, str], ...] = ()
    for _ in range(MOST_PAGES):
        page = _get(ask, f"/{name}", *query, ("limit", _PAGE), *after)
        yield from list_of(page, name)
        cursor = text_or_none(page, "meta", "cursors", "after")
        if cursor is None:
            return
        after = (("after", cursor),)
    raise GatewayUnreachableError(f"/{name}: more than {MOST_PAGES} pages")


def _get(ask: Ask, path: str, *query: tuple[str, str]) -> Object:
    answer = ask(Request("GET", path, query))
    if answer.status == 200:
        return answer.body
    raise (GatewayRefusedError if answer.status in (401, 403, 404) else GatewayUnreachableError)(_problem(answer))


def _problem(answer: Answer) -> str:
    said = text_or_none(answer.body, "error", "message") or "no reason given"
    details = [text_or_none(one, "message") for one in at(answer.body, "error", "errors") or []] if answer.body else []  # type: ignore[attr-defined]
    return f"GoCardless answers {answer.status}: {'; '.join([said, *(d for d in details if d and d != said)])}"


def _code(found: object) -> str | None:
    return found[:40] if isinstance(found, str) and found.isascii() and found.replace("-", "").isalnum() else None


def _file_row(row: Mapping[str, str], number: int) -> FileRow:
    try:
        currency = row["currency"].strip().upper()
        amounts = {
            name: read_money(Decimal(row[name].strip() or "0"), currency)
            for name in ("gross_amount", "gocardless_fees", "app_fees", "net_amount")
        }
    except (InvalidOperation, BillingError, AttributeError) as error:
        raise GatewayError(f"row {number}: its amounts can't be read: {error}") from error
    # Fees are written with either sign; what counts is what arrives.
    fee = amounts["gross_amount"] - amounts["net_amount"]
    if abs(fee.minor) != abs((amounts["gocardless_fees"] + amounts["app_fees"]).minor):
        raise GatewayError(f"row {number}: {amounts['gross_amount']} less its fees is not {amounts['net_amount']}")
    return FileRow(
        row["payouts.id"].strip(),
        row["resources.type"].strip(),
        amounts["gross_amount"],
        fee,
        row["payments.id"].strip() or None,
    )


PROVIDER: Final[Provider] = GoCardless()
