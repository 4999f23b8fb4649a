"""What a password has to be like, and that only the right one is right."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from control_plane.access.passwords import (
    PROBLEM_WORDS,
    PasswordProblem,
    hash_password,
    one_time_password,
    password_problem,
    verify_password,
)

GOOD = "a lorry full of pears"


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("pears-pears", PasswordProblem.TOO_SHORT),
        ("x" * 201, PasswordProblem.TOO_LONG),
        ("abababababab", PasswordProblem.REPEATS),
        ("Password2026!!", PasswordProblem.COMMON),
        ("P4ssw0rd2026", PasswordProblem.COMMON),
        ("passwordpassword", PasswordProblem.COMMON),
        ("123456789012", PasswordProblem.COMMON),
        ("qwertyuiopas", PasswordProblem.COMMON),
        ("maria.rossi2026", PasswordProblem.LIKE_THE_NAME),
        (GOOD, None),
        ("è l'una di notte", None),
    ],
)
def test_length_counts_and_what_everybody_tries_first_is_refused(password, problem):
    assert password_problem(password, names=("Maria.Rossi", "Maria Rossi", "maria.rossi@isp.example")) == problem


def test_each_problem_has_words():
    assert set(PROBLEM_WORDS) == set(PasswordProblem)


def test_only_the_right_password_is_right_and_its_hash_is_of_the_settings_that_are_asked_for():
    kept = hash_password(GOOD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept != hash_password(GOOD)
    assert verify_password(kept, GOOD).right
    assert verify_password(kept, GOOD).rehashed is None
    for wrong in ("", GOOD.upper(), GOOD + " ", "\x00"):
        assert not verify_password(kept, wrong).right
        assert not verify_password(None, wrong).right
    assert not verify_password("$argon2id$broken", GOOD).right


def test_a_hash_of_older_settings_is_made_anew_when_the_password_is_right():
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    rehashed = verify_password(older, GOOD).rehashed
    assert rehashed is not None
    assert verify_password(rehashed, GOOD).right
    assert verify_password(older, "another one of them").rehashed is None


def test_one_time_passwords_are_passwords_and_differ():
    made = {one_time_password() for _ in range(50)}
    assert len(made) == 50
    assert {password_problem(one) for one in made} == {None}
