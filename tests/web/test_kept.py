"""What anybody may ask is worked out by one at a time, and once a second at the most."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from web.kept import KEPT_S, Kept


class Question:
    """Its answers are 1, 2, 3 …; each waits until it may be given."""

    def __init__(self) -> None:
        self.asked = 0
        self.at_it, self.may_answer = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        self.at_it.set()
        self.may_answer.wait(120)
        return number


def test_an_answer_serves_all_who_ask_within_a_second_and_is_worked_out_anew_after_it():
    question, now = Question(), [100.0]
    question.may_answer.set()
    kept = Kept(question, clock=lambda: now[0])
    assert [kept.answer() for _ in range(3)] == [1, 1, 1]
    now[0] += KEPT_S
    assert [kept.answer() for _ in range(3)] == [2, 2, 2]


def test_who_asks_while_another_is_asking_is_told_what_was_answered_before():
    question, now = Question(), [100.0]
    question.may_answer.set()
    kept = Kept(question, clock=lambda: now[0])
    kept.answer()
    now[0] += KEPT_S
    question.may_answer.clear()
    question.at_it.clear()
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(kept.answer)
        question.at_it.wait(120)
        assert kept.answer() == 1
        question.may_answer.set()
        assert slow.result() == 2


def test_those_who_come_before_there_is_any_answer_share_the_first():
    question = Question()
    kept = Kept(question, clock=lambda: 100.0)
    with ThreadPoolExecutor(8) as people:
        said = [people.submit(kept.answer) for _ in range(8)]
        question.may_answer.set()
        assert {one.result() for one in said} == {1}


def test_a_fault_is_told_to_who_asked_and_the_next_one_asks_again():
    def ask() -> str:
        if not asked:
            asked.append(1)
            raise OSError("away")
        return "there"

    asked: list[int] = []
    kept = Kept(ask)
    with pytest.raises(OSError, match="away"):
        kept.answer()
    assert (asked, kept.answer()) == ([1], "there")
