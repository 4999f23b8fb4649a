"""GoCardless: lines of payouts that are no whole cents, and chargebacks that come twice."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.gateways.rounds import rounds_of
from billing.money import Money
from control_plane.gateways.provider import Answer, Context, GatewayUnreachableError, Hint, provider_for

GOCARDLESS = provider_for("gocardless")
NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
CONTEXT = Context(False, ZoneInfo("Europe/Rome"))


def eur(cents):
    return Money(cents, "EUR")


def payout(arrived, *items):
    def ask(request):
        name = request.path.split("/")[1]
        body = {
            "events": {"id": "EV1", "created_at": NOW.isoformat(), "links": {"payout": "PO1"}},
            "payouts": {"id": "PO1", "amount": arrived, "currency": "EUR", "arrival_date": "2026-03-12"},
            "payout_items": [{"type": kind, "amount": amount, "links": {"payment": "PM1"}} for kind, amount in items],
        }[name]
        return Answer(200, {name: body})

    return GOCARDLESS.fetch(ask, Hint("EV1", "payouts.paid", "PO1", NOW), CONTEXT).payouts[0]


# By hand. "To calculate the final amount of the payout, we sum all of the items and then round" (API reference, payout items).
@pytest.mark.parametrize(
    ("fees", "arrived", "fee"),
    [
        (["-31.7"], 3616, 32),
        (["-31.5"], 3616, 32),
        # The half cent is the provider's to round.
        (["-31.5"], 3617, 31),
        (["-0.5", "-0.5", "-0.5", "-0.5"], 3646, 2),
        (["-0.4", "-0.4", "-0.4"], 3647, 1),
        (["-31.0"], 3617, 31),
    ],
)
def test_fees_of_less_than_a_cent_are_summed_exactly_and_rounded_once(fees, arrived, fee):
    told = payout(arrived, ("payment_paid_out", "3648.0"), *(("gocardless_fee", one) for one in fees))
    assert (told.lines[0].amount, told.fee, told.unexplained) == (eur(3648), eur(fee), eur(0))


def test_what_no_rounding_explains_stays_unexplained():
    told = payout(3600, ("payment_paid_out", "3648.0"), ("gocardless_fee", "-31.7"))
    assert (told.fee, told.unexplained) == (eur(32), eur(-16))


@pytest.mark.parametrize("amount", ["-31.75", "NaN", "Infinity", "x", "1e400", None])
def test_an_amount_of_a_line_that_makes_no_sense_is_refused(amount):
    with pytest.raises(GatewayUnreachableError, match="amount is"):
        payout(3616, ("payment_paid_out", "3648.0"), ("gocardless_fee", amount))


def test_a_chargeback_that_is_cancelled_and_comes_again_takes_the_money_again():
    said = ["confirmed", "charged_back", "chargeback_cancelled", "charged_back", "chargeback_cancelled"]
    events = [
        {
            "id": f"EV{hour}",
            "created_at": NOW.replace(hour=hour).isoformat(),
            "action": action,
            "links": {"payment": "PM1"},
        }
        for hour, action in enumerate(said, 8)
    ]
    payment = {"id": "PM1", "amount": 3648, "currency": "EUR", "links": {"mandate": "MD1"}}

    def ask(request):
        if request.path == "/events":
            assert dict(request.query)["payment"] == "PM1"
            return Answer(200, {"events": events})
        if request.path == "/payments/PM1":
            return Answer(200, {"payments": payment})
        return Answer(200, {"events": next(one for one in events if request.path == f"/events/{one['id']}")})

    left = []
    for number in range(1, len(said) + 1):
        told = [
            GOCARDLESS.fetch(ask, Hint(one["id"], f"payments.{one['action']}", "PM1", NOW), CONTEXT).events[0]
            for one in events[:number]
        ]
        left.append(sum(one.left.amount for one in rounds_of(told)))
    assert left == [Decimal("36.48"), 0, Decimal("36.48"), 0, Decimal("36.48")]
