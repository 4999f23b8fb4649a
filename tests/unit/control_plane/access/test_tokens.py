"""Tokens and their digests."""

from __future__ import annotations

import hashlib

import pytest

from control_plane.access.tokens import (
    digest_of,
    name_key,
    new_api_token,
    new_recovery_codes,
    new_token,
    prefix_of,
    recovery_digest,
)


def test_tokens_are_long_and_differ_and_a_digest_is_their_sha_256():
    made = {new_token() for _ in range(50)}
    assert len(made) == 50
    assert {len(one) for one in made} == {43}
    one = made.pop()
    assert digest_of(one) == hashlib.sha256(one.encode()).digest()


@pytest.mark.parametrize("token", ["", "x" * 201, "tokèn"])
def test_what_is_no_token_has_no_digest(token):
    assert digest_of(token) is None


def test_a_program_s_token_is_known_by_its_beginning_which_gives_little_away():
    token = new_api_token()
    assert token.startswith("corr_")
    assert token.startswith(prefix_of(token))
    assert (len(prefix_of(token)), len(token)) == (11, 48)


def test_a_recovery_code_is_read_however_it_is_typed():
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    digests = {recovery_digest(code) for code in codes}
    assert len(digests) == 10
    assert None not in digests
    assert recovery_digest(codes[0].upper().replace("-", " ")) == recovery_digest(codes[0])


@pytest.mark.parametrize("typed", ["", "k7mh-2pqr-xw4t", "k7mh-2pqr-xw4t-9bc1", "081804"])
def test_what_is_no_recovery_code_is_none(typed):
    assert recovery_digest(typed) is None


def test_a_name_is_counted_in_any_case_of_letters_and_is_not_kept():
    assert name_key(" Maria ") == name_key("maria")
    assert name_key("maria") != name_key("mario")
    assert len(name_key("a password in the wrong field")) == 8
