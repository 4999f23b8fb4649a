"""What a webhook says, how it is signed, and when it is tried again."""

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.webhooks import (
    EVENTS,
    PING,
    Again,
    Parked,
    Told,
    Took,
    WebhookError,
    after_try,
    body_of,
    event_id,
    headers_for,
    is_given_up,
    read_events,
    read_secret,
    secret_text,
    wants,
)

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_signature_is_that_of_the_specification_s_own_example():
    # Standard Webhooks, reference implementations' test vector.
    secret = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = headers_for("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [secret], at=at, attempt=2)

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (headers["webhook-timestamp"], headers["webhook-attempt"]) == ("1614265330", "2")


def test_with_two_secrets_both_sign_so_that_either_is_enough():
    old, new = b"o" * 32, b"n" * 32

    def signed(*secrets):
        return headers_for("evt_1", b"{}", secrets, at=NOON, attempt=1)["webhook-signature"].split(" ")

    assert signed(new, old) == [*signed(new), *signed(old)]


def test_a_secret_is_handed_on_as_text_and_read_again():
    assert read_secret(secret_text(b"k" * 32)) == b"k" * 32
    for wrong, said in (
        ("whsec_!!", "base64"),
        (secret_text(b"k" * 23), "24 to 64"),
        (secret_text(b"k" * 65), "not 65"),
    ):
        with pytest.raises(WebhookError, match=said):
            read_secret(wrong)


def test_a_body_tells_the_event_and_of_a_contract_its_version():
    at = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    told = Told(event_id(7, at), "contract.changed", at, {"status": "ended"}, contract_id=4, version=9)

    assert json.loads(body_of(told)) == {
        "type": "contract.changed",
        "id": "evt_7_19ca9450afa",
        "timestamp": "2026-03-01T12:00:00.250000Z",
        "payload_version": 1,
        "contract": 4,
        "version": 9,
        "data": {"status": "ended"},
    }
    with pytest.raises(WebhookError, match="262144 at most"):
        body_of(Told("evt_1", "document.issued", at, {"text": "x" * 262144}))


def test_an_event_s_name_differs_in_a_database_that_counts_anew():
    assert event_id(7, NOON) != event_id(7, NOON + timedelta(milliseconds=1))


def test_who_chose_a_noun_or_all_is_told_and_a_ping_goes_to_who_is_tested_alone():
    assert wants(["payment.*"], "payment.reversed")
    assert not wants(["payment.*"], "document.issued")
    assert not wants(["payment.recorded"], "payment.reversed")
    assert wants(["*"], "document.issued")
    assert not wants(["*"], PING)


def test_an_event_that_there_is_not_is_refused_with_those_that_there_are():
    assert read_events(["document.*", "payment.recorded", "document.*"]) == ("document.*", "payment.recorded")
    for wrong in ("document.isued", "doc.*", "", "*.issued"):
        with pytest.raises(WebhookError, match=r"document\.issued"):
            read_events([wrong])
    with pytest.raises(WebhookError, match="at least one"):
        read_events([])


def test_every_event_that_the_code_writes_can_be_chosen():
    written = {
        call.args[0].value
        for package in ("billing", "control_plane")
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Event"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert "document.issued" in written
    assert written <= set(EVENTS)


@pytest.mark.parametrize(
    ("passed", "status", "expected"),
    [
        (0, 500, Again(5)),
        (3, None, Again(5)),
        (60, 404, Again(60)),
        (3600, 302, Again(3600)),
        (100_000, 500, Again(28800)),
        (259_100, 500, Again(100)),
        (259_200, 500, Parked()),
        (0, 410, Parked(gone=True)),
        (0, 204, Took()),
        (0, 300, Again(5)),
        (0, 199, Again(5)),
        (300_000, 200, Took()),
    ],
)
def test_the_pause_doubles_up_to_eight_hours_and_after_three_days_it_is_parked(passed, status, expected):
    began = NOON - timedelta(seconds=passed)
    assert after_try(status, began_at=began, now=NOON) == expected


def test_who_asks_for_a_pause_gets_it_when_it_is_busy_and_a_spread_shortens_ours():
    def again(status, **more):
        return after_try(status, began_at=NOON - timedelta(seconds=60), now=NOON, **more)

    assert again(503, retry_after_s=900) == Again(900)
    assert again(429, retry_after_s=10) == Again(60)
    assert again(500, retry_after_s=900) == Again(60)
    assert again(500, spread=1.0) == Again(48)
    assert again(503, retry_after_s=1e9) == Again(259_140)


def test_an_endpoint_is_given_up_after_its_days_and_not_before():
    since = NOON - timedelta(days=5)
    assert is_given_up(since, now=NOON, after_days=5)
    assert not is_given_up(since + timedelta(seconds=1), now=NOON, after_days=5)
    assert not is_given_up(None, now=NOON, after_days=5)
