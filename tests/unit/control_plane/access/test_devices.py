"""What a browser says of itself: taken as every public push service has it, and nothing that leads inside."""

from __future__ import annotations

import base64

import pytest

from control_plane.access.devices import NoSubscriptionError, name_of, read_subscription
from control_plane.messages.web_push import new_key

KEY = base64.urlsafe_b64encode(new_key().public_octets).decode()
AUTH = base64.urlsafe_b64encode(b"s" * 16).decode()
GOOD = "https://fcm.googleapis.com/fcm/send/abc:def"


@pytest.mark.parametrize("padding", ["", "="])
def test_a_browsers_subscription_is_read(padding):
    found = read_subscription(GOOD, KEY.rstrip("=") + padding, AUTH.rstrip("="), allow_private=False)
    assert (found.endpoint, len(found.public_key), found.auth_secret) == (GOOD, 65, b"s" * 16)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/send",
        "https://127.0.0.1/send",
        "https://[::1]/send",
        "https://[::ffff:10.0.0.1]/send",
        "https://10.1.2.3/send",
        "https://169.254.169.254/latest",
        "https://localhost/send",
        "https://database/send",
        "https://printer.local/send",
        "https://metadata.google.internal/",
        "https://maria:word@push.example/send",
        "ftp://push.example/send",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_that_leads_inside_is_none(endpoint):
    with pytest.raises(NoSubscriptionError):
        read_subscription(endpoint, KEY, AUTH, allow_private=False)


@pytest.mark.parametrize(
    ("key", "auth"),
    [
        (base64.urlsafe_b64encode(b"\x04" + b"\1" * 64).decode(), AUTH),
        (KEY[:-8], AUTH),
        ("nothing!", AUTH),
        ("A" * 201, AUTH),
        ("é", AUTH),
        (KEY, AUTH[:-6]),
        (KEY, ""),
    ],
    # The key is another one in each process: its own words would name the same test differently.
    ids=["no point", "short", "no base64", "long", "no ASCII", "short secret", "no secret"],
)
def test_keys_that_no_browser_has_are_refused(key, auth):
    with pytest.raises(NoSubscriptionError):
        read_subscription(GOOD, key, auth, allow_private=False)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Version/17.5 Safari/604.1",
            "Safari, iPhone",
        ),
        ("", "?"),
    ],
)
def test_a_browser_is_called_as_people_do(said, name):
    assert name_of(said) == name
