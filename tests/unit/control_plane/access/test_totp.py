"""Codes of RFC 6238, and that none is taken twice."""

from __future__ import annotations

from base64 import b32encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from control_plane.access.totp import is_secret, new_secret, provisioning_uri, step_of

SECRET = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "code", "step"),
    # RFC 6238 appendix B, SHA-1; of eight digits the last six.
    [(59, "287082", 1), (1111111109, "081804", 37037036), (1234567890, "005924", 41152263), (2000000000, "279037", 66666666)],
)  # fmt: skip
def test_the_codes_of_the_rfc_are_of_its_steps(at, code, step):
    assert step_of(SECRET, code, now=datetime.fromtimestamp(at, UTC)) == step


def test_a_code_is_taken_one_step_early_or_late_and_no_more():
    now = datetime.fromtimestamp(1111111109, UTC)
    taken = [step_of(SECRET, "081804", now=now + timedelta(seconds=30 * late)) for late in (-2, -1, 0, 1, 2)]
    assert taken == [None, 37037036, 37037036, 37037036, None]


def test_a_step_that_was_taken_and_those_before_it_are_taken_no_more():
    now = datetime.fromtimestamp(1111111109, UTC)
    assert step_of(SECRET, "081804", now=now, after=37037035) == 37037036
    assert step_of(SECRET, "081804", now=now, after=37037036) is None


@pytest.mark.parametrize("typed", ["", "08180", "0818041", "٠٨١٨٠٤", "abcdef", "081805"])
def test_what_is_no_code_is_none(typed):
    assert step_of(SECRET, typed, now=datetime.fromtimestamp(1111111109, UTC)) is None


def test_groups_are_read_as_they_are_shown():
    assert step_of(SECRET, " 081 804 ", now=datetime.fromtimestamp(1111111109, UTC)) == 37037036


def test_the_app_is_told_the_secret_the_name_and_whose_it_is():
    secret = new_secret()
    read = urlsplit(provisioning_uri(secret, name="maria", issuer="Rete Alta"))
    assert (read.scheme, read.netloc, read.path) == ("otpauth", "totp", "/Rete%20Alta:maria")
    assert parse_qs(read.query)["secret"] == [secret]
    assert len(secret) == 32
    assert secret != new_secret()


def test_a_secret_that_comes_back_from_a_form_is_known_as_one():
    assert is_secret(new_secret())
    for wrong in ("", "A" * 31, "A" * 33, "a" * 32, "A" * 31 + "1", "A" * 32 + "\n"):
        assert not is_secret(wrong)
