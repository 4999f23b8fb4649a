"""Stripe: amounts as it counts them, and notices that are signed and make no sense."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.money import Money, read_money
from control_plane.gateways.provider import (
    Answer,
    Context,
    Declined,
    GatewayRefusedError,
    GatewayUnreachableError,
    Hint,
    Presented,
    Refused,
    Wanted,
    provider_for,
)

STRIPE = provider_for("stripe")
NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
CONTEXT = Context(False, ZoneInfo("Europe/Rome"))


def wanted(amount):
    return Wanted("link", "key-of-a-presentment", "12/FT/2026", NOW, amount=amount, charge_key="key-of-a-charge")


# Stripe, "Supported currencies": zero-decimal ones as they are, ISK and UGX with two places that are 0, MGA without, three places with a last 0.
@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("36.48", "EUR", "3648"),
        ("29990", "CLP", "29990"),
        ("500", "ISK", "50000"),
        ("500", "UGX", "50000"),
        ("12.00", "MGA", "12"),
        ("1.230", "KWD", "1230"),
    ],
)
def test_an_amount_is_asked_as_stripe_counts_it_and_read_back_the_same(amount, currency, units):
    money = read_money(Decimal(amount), currency)
    sent = []

    def ask(request):
        sent.append(request)
        if request.method == "POST":
            return Answer(200, {"id": "plink_1", "object": "payment_link", "url": "https://buy.stripe.com/x"})
        return Answer(200, {"id": "pi_1", "livemode": False, "status": "succeeded", "amount": int(units), "amount_received": int(units), "currency": currency.lower()})  # fmt: skip

    assert STRIPE.present(ask, wanted(money), CONTEXT) == Presented("plink_1", "https://buy.stripe.com/x")
    form = dict(sent[0].form)
    assert form["line_items[0][price_data][unit_amount]"] == units
    assert form["payment_intent_data[metadata][corrente_charge]"] == "key-of-a-charge"
    assert sent[0].key == "key-of-a-presentment"
    (event,) = STRIPE.fetch(ask, Hint("evt_1", "payment_intent.succeeded", "pi_1", NOW), CONTEXT).events
    assert event.amount == money


@pytest.mark.parametrize(("amount", "currency"), [("12.50", "MGA"), ("1.234", "KWD")])
def test_an_amount_that_stripe_does_not_count_is_declined_before_it_is_asked(amount, currency):
    def ask(request):
        raise AssertionError(request)

    declined = STRIPE.present(ask, wanted(read_money(Decimal(amount), currency)), CONTEXT)
    assert isinstance(declined, Declined)
    assert currency in declined.reason


def judged(body):
    signed = hmac.new(b"whsec", f"{int(NOW.timestamp())}.".encode() + body, hashlib.sha256).hexdigest()
    header = {"stripe-signature": f"t={int(NOW.timestamp())},v1={signed}"}
    return STRIPE.receive("whsec", header, body, context=CONTEXT, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff",
        b'{"livemode": false}',
        b'{"livemode": false, "type": "payout.paid", "id": "e", "created": 1e99, "data": {"object": {"id": "po"}}}',
        b'{"livemode": false, "type": "payout.paid", "id": "e", "created": 1, "data": null}',
        b'{"livemode": false, "type": "payout.paid", "id": 7, "created": 1, "data": {"object": {"id": "po"}}}',
        b'{"livemode": "false", "type": "payout.paid", "id": "e", "created": 1, "data": {"object": {"id": "po"}}}',
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused_and_not_a_crash(body):
    assert isinstance(judged(body), Refused)


def test_real_money_told_to_a_test_account_is_refused():
    event = {"id": "e", "type": "payout.paid", "created": 1, "livemode": True, "data": {"object": {"id": "po"}}}
    refused = judged(json.dumps(event).encode())
    assert isinstance(refused, Refused)
    assert "other mode" in refused.reason


def test_what_stripe_answers_is_read_as_it_stands_and_never_guessed():
    hint = Hint("evt_1", "payment_intent.succeeded", "pi_1", NOW)
    for body, error in (
        ({"id": "pi_1", "livemode": True, "status": "succeeded"}, GatewayRefusedError),
        (
            {"id": "pi_1", "livemode": False, "status": "succeeded", "amount": 1.5, "currency": "eur"},
            GatewayUnreachableError,
        ),
        (
            {"id": "pi_1", "livemode": False, "status": "succeeded", "amount": "x", "currency": "eur"},
            GatewayUnreachableError,
        ),
    ):
        with pytest.raises(error):
            STRIPE.fetch(lambda _, body=body: Answer(200, body), hint, CONTEXT)
    with pytest.raises(GatewayRefusedError):
        STRIPE.fetch(lambda _: Answer(401, {"error": {"message": "no"}}), hint, CONTEXT)
    # Told as paid, and it is not any more or not yet: nothing is believed.
    waiting = {"id": "pi_1", "livemode": False, "status": "requires_payment_method", "amount": 1, "currency": "eur"}
    assert STRIPE.fetch(lambda _: Answer(200, waiting), hint, CONTEXT).events == ()


def test_a_dispute_that_is_only_a_question_moves_nothing():
    dispute = {"id": "dp_1", "livemode": False, "status": "warning_needs_response", "amount": 100, "currency": "eur", "payment_intent": "pi_1", "created": 1}  # fmt: skip
    hint = Hint("evt_1", "charge.dispute.created", "dp_1", NOW)
    assert STRIPE.fetch(lambda _: Answer(200, dispute), hint, CONTEXT).events == ()
    for status, kinds in (("under_review", ["disputed"]), ("lost", ["disputed", "dispute_lost"])):
        told = STRIPE.fetch(lambda _, status=status: Answer(200, {**dispute, "status": status}), hint, CONTEXT).events
        assert [one.kind for one in told] == kinds
        assert {(one.amount, one.part_key) for one in told} == {(Money(100, "EUR"), "dp_1")}


def test_an_inquiry_that_took_the_money_ends_when_it_is_closed_or_the_money_is_back():
    dispute = {"id": "dp_1", "livemode": False, "amount": 100, "currency": "eur", "payment_intent": "pi_1", "created": 1}  # fmt: skip

    def told(topic, status):
        hint = Hint("evt_1", f"charge.dispute.{topic}", "dp_1", NOW)
        return [str(one.kind) for one in STRIPE.fetch(lambda _: Answer(200, {**dispute, "status": status}), hint, CONTEXT).events]  # fmt: skip

    assert told("funds_withdrawn", "warning_needs_response") == ["disputed"]
    assert told("funds_reinstated", "warning_under_review") == ["disputed", "dispute_won"]
    assert told("funds_withdrawn", "warning_closed") == ["disputed", "dispute_won"]
    # One that took nothing gives nothing again, see rounds_of(): it says no more than that it is over.
    assert told("closed", "warning_closed") == ["dispute_won"]
