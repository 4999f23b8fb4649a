"""A notice that a provider signed and that nobody can keep or read is refused, by who takes it in as by the worker."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.gateways.intake import judge
from control_plane.gateways.provider import Context, Refused, Verified, provider_for

NOW = datetime(2026, 3, 12, 10, tzinfo=UTC)
SECRET = "whsec"


def judged(name, body):
    """What is made of these octets, signed as that provider signs."""
    stamp = str(int(NOW.timestamp()))
    headers = {"webhook-signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    stripes = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers["stripe-signature"] = f"t={stamp},v1={stripes}"
    return judge(provider_for(name), SECRET, headers, body, context=Context(False, ZoneInfo("UTC")), now=NOW)


def told(name, number, **more):
    """A notice of one event of that number."""
    if name == "stripe":
        told = {"id": number, "type": "payment_intent.succeeded", "livemode": False, "created": 1}
        return json.dumps({**told, "data": {"object": {"id": "pi_1"}}, **more}).encode()
    event = {"id": number, "resource_type": "payments", "action": "confirmed", "links": {"payment": "PM1"}}
    return json.dumps({"events": [{**event, "created_at": "2026-03-12T09:00:00Z"}]}).encode()


@pytest.mark.parametrize("name", ["stripe", "gocardless"])
def test_what_the_database_can_t_keep_is_refused_and_what_is_like_it_is_not(name):
    assert isinstance(judged(name, told(name, "evt_1")), Verified)
    for number in ("evt\0", "evt\ud800", "e" * 256):
        verdict = judged(name, told(name, number))
        assert isinstance(verdict, Refused), number
        assert "can't be kept" in verdict.reason
    deep = judged(name, b"[" * 200_000)
    assert isinstance(deep, Refused)
    assert "nested too deep" in deep.reason


def test_a_time_of_a_billion_digits_is_no_time_and_is_found_out_at_once():
    verdict = judged("stripe", told("stripe", "evt_1", created="9e999999999"))
    assert isinstance(verdict, Refused)
    assert "created is '9e999999999', expected a whole number" in verdict.reason
