import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_hooks.own_regex import MAX_PATTERN_CHARACTERS, compiled, regex_problem


@pytest.mark.parametrize(
    "pattern",
    [
        "nas",
        "^bras-[0-9]+$",
        "(?i)^AA:BB",
        r"^10\.1\.",
        "^(rome|milan)-",
        "^([0-9a-f]{2}[:-]?){6}$",
        "[^]a-z-]",
        r"\d{1,3}\s*\w",
        "(?:a|b)?c",
        "(?=x)x",
        "a*?b",
        r"\x41",
        r"[\d.]+",
    ],
)
def test_patterns_that_both_read_alike_are_taken(pattern):
    assert regex_problem(pattern) == ""
    assert compiled(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[[:alpha:]]+",
        r"end\Z",
        r"end\z",
        r"\v",
        r"\h",
        r"\Qa\E",
        r"(a)\1",
        "a{,3}",
        "a{x}",
        "a*+",
        "(?>a)",
        "(?P<n>a)",
        "(?<=a)b",
        "(?x)a b",
        "(*UTF8)a",
        "[a--b]",
        "[a&&b]",
        "a**",
        "*a",
        "(a",
        "a)",
        "[a",
        "a\\",
        "x" * (MAX_PATTERN_CHARACTERS + 1),
    ],
)
def test_patterns_that_python_and_pcre_may_read_differently_are_refused(pattern):
    assert regex_problem(pattern) != ""
    assert compiled(pattern) is None


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*){9}$", ".*.*.*.*x", "((a?){8}b?)+", "(a|b|ab){12}"])
def test_patterns_that_can_take_for_ever_are_refused(pattern):
    assert "for ever" in regex_problem(pattern)


@given(st.text(alphabet="ab01.-*+?{}()[]|^$\\,dwsx:=!i", max_size=24))
def test_a_pattern_without_a_problem_always_compiles_and_answers_soon(pattern):
    if regex_problem(pattern) == "":
        usable = compiled(pattern)
        assert isinstance(usable, re.Pattern)
        started = time.process_time()
        usable.search(b"a" * 253)
        usable.search(b"ab" * 126 + b"!")
        assert time.process_time() - started < 10
