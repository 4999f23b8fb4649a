"""Prompts, pagers and what is wiped away again, as devices show them."""

from __future__ import annotations

import time

import pytest

from nas_drivers.transport.screen import answer_of, asks, is_pager, last_line, plain, prompt_pattern, without_prompt


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("router", "router#"),
        ("router", "router>"),
        ("router", "router(config-if)# "),
        ("HUAWEI", "<HUAWEI>"),
        ("HUAWEI", "[HUAWEI-aaa]"),
        ("HUAWEI", "[~HUAWEI]"),
        ("RP/0/RSP0/CPU0:edge", "RP/0/RSP0/CPU0:edge#"),
        ("anna@mx", "anna@mx> "),
        ("vyos@vyos", "vyos@vyos:~$ "),
        ("A:sr", "A:sr>config#"),
    ],
)
def test_a_prompt_is_known_in_each_view(base, line):
    assert prompt_pattern(base).fullmatch(line) is not None


@pytest.mark.parametrize(
    "line", ["router# show version", "hostname router", "other#", "Clear router? [confirm]", "router", ""]
)
def test_what_only_looks_like_a_prompt_is_none(line):
    assert prompt_pattern("router").fullmatch(line) is None


@pytest.mark.parametrize(
    "line",
    [" --More-- ", "  ---- More ----", "---(more 42%)---", "Press any key to continue (Q to quit)", ":", "(END)"],
)
def test_the_line_of_a_pager_is_known(line):
    assert is_pager(line)


@pytest.mark.parametrize("line", ["router#", "more is less", "1:2", "Morella --"])
def test_a_line_of_output_is_no_pager(line):
    assert not is_pager(line)


def test_what_a_pager_wipes_away_does_not_stand_there():
    assert plain("one\r\n\b\b\b   \b\b\btwo\r\n") == "one\ntwo\n"
    assert plain("one\n          \rtwo") == "one\ntwo"
    assert plain("\x1b[7m--More--\x1b[0m") == "--More--"


def test_an_answer_stands_between_the_echo_and_the_prompt():
    shown = "show clock\n12:00:00\nrouter#"

    assert answer_of(shown, "show clock") == "12:00:00\nrouter#"
    assert without_prompt("12:00:00\nrouter#") == "12:00:00"
    assert answer_of("router#", "show clock") is None
    assert last_line(shown) == "router#"


def test_a_question_is_looked_for_at_the_end():
    assert asks("Clear it? [confirm]", r"\[confirm\]")
    assert not asks("[confirm]" + "x" * 3000, r"\[confirm\]")


def test_a_device_that_names_itself_to_be_hard_to_find_costs_no_time():
    began = time.process_time()
    assert prompt_pattern("(").fullmatch("(" * 1000 + ":(" * 500) is None
    assert time.process_time() - began < 10
    assert prompt_pattern("b" * 63).fullmatch("corrente@" + "b" * 63 + "(config-if)# ") is not None
