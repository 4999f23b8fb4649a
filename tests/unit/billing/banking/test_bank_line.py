"""Keys: a line is the same line in every file that tells it, and two lines are never one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from billing.banking.bank_line import BankLine, clean, cleaned, keyed
from billing.money import Money

DAY = date(2026, 3, 10)


def line(number, cents, **given):
    return BankLine(number, Money(cents, "EUR"), given.pop("day", DAY), DAY, **given)


def keys(*lines):
    return [one.key for one in keyed(lines)]


def test_equal_lines_are_told_apart_by_their_place_among_themselves():
    twice = keys(line(1, 2990, text="SALDO"), line(2, 2990, text="SALDO"), line(3, 2991, text="SALDO"))

    assert twice[1] == f"{twice[0]} #2"
    assert len(set(twice)) == 3


def test_a_file_that_has_one_of_two_equal_lines_agrees_about_the_first():
    both = keys(line(1, 2990, text="SALDO"), line(2, 2990, text="SALDO"))

    assert keys(line(7, 2990, text="SALDO")) == both[:1]


def test_how_a_file_writes_a_text_does_not_make_another_line():
    assert keys(line(1, 2990, text="Saldo fatt. 12/2026", party="Rossi Mario")) == keys(
        line(9, 2990, text="SALDO  FATT 12-2026", party="ROSSI MARIO ")
    )


def test_the_banks_reference_makes_the_key_whatever_else_is_said():
    notified = keys(line(1, 2990, entry_reference="A1", text="short"))

    assert keys(line(5, 2990, entry_reference="A1", text="a longer text", party="ROSSI")) == notified
    assert keys(line(1, -2990, entry_reference="A1")) != notified
    assert keys(line(1, 2991, entry_reference="A1")) != notified
    assert keys(line(1, 2990, entry_reference="A1", day=date(2026, 3, 11))) != notified


def test_the_parts_of_an_entry_have_keys_of_their_own_and_one_entry():
    parts = keyed([line(1, 1990, end_to_end="C1"), line(1, 3290, end_to_end="C2"), line(1, 3290, end_to_end="C2")])

    assert len({one.key for one in parts}) == 3
    assert len({one.entry_key for one in parts}) == 1
    assert parts[2].key == f"{parts[1].key} #2"


def test_an_entry_told_as_a_total_and_in_parts_is_one_entry_by_the_banks_reference():
    (whole,) = keyed([line(1, 5280, entry_reference="B7")])
    parts = keyed([line(4, 1990, entry_reference="B7", end_to_end="C1"), line(4, 3290, entry_reference="B7")])

    assert {one.entry_key for one in parts} == {whole.entry_key}


@given(
    st.lists(
        st.builds(
            line,
            st.just(1),
            st.integers(-3, 3).filter(bool),
            text=st.sampled_from(["a", "b", "A "]),
            entry_reference=st.sampled_from(["", "", "R1", "R2"]),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_of_files_of_whole_days_that_overlap_each_line_counts_once(lines, first, last):
    """A file of one day and a file of that day and others give the same keys for that day's lines."""
    numbered = [replace(one, number=place) for place, one in enumerate(lines)]
    other_day = [
        replace(one, booked_on=date(2026, 3, 9), number=100 + place) for place, one in enumerate(lines[:first])
    ]
    later_day = [
        replace(one, booked_on=date(2026, 3, 11), number=200 + place) for place, one in enumerate(lines[:last])
    ]

    alone, within = keys(*numbered), keys(*other_day, *numbered, *later_day)

    assert within[len(other_day) : len(other_day) + len(numbered)] == alone
    assert len(set(within)) == len(within)


def test_a_text_is_kept_as_one_line_that_no_terminal_obeys():
    assert clean(" a\tb\r\n\x1b[31mred\u202e\x00 c ") == "a b [31mred c"
    kept = cleaned(line(1, 1, text="x" * 2000, party="\x1b]0;x\x07y", party_iban="it60 x054-2811"))
    assert (len(kept.text), kept.party, kept.party_iban) == (1000, "]0;x y", "IT60X0542811")


def test_what_is_a_return_is_money_out_that_came_back():
    assert line(1, -1, returned="AM04").is_return
    assert line(1, -1, returned="").is_return
    assert line(1, -1, undone=True).is_return
    assert not line(1, -1).is_return
    assert not line(1, 1, returned="AM04").is_return
