"""The worked cases that the real books answer: runs, numbers and statements in a database of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import case_books
from support.billing_cases import OF_BOOKS, run_case

pytestmark = pytest.mark.db

FOLDER = Path(__file__).parents[1] / "recorded" / "billing"
CASES = [
    case
    for name in ("cases.json", "further_cases.json")
    for case in json.loads((FOLDER / name).read_text())["cases"]
    if case["kind"] in OF_BOOKS
]


@pytest.fixture(autouse=True)
def _same_server(cluster):
    """The tests' own server and template in the place of one more."""
    case_books.use_cluster(cluster, template="corrente_template")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_worked_case_comes_out_as_its_source_says(case):
    outcome = run_case(case)

    assert outcome.word == "pass", outcome
    for name in case["expect"]:
        other = run_case({**case, "expect": {name: "999999"}})
        assert other.word == "fail", other
        break


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_no_field_of_a_case_is_overlooked(case):
    added = run_case({**case, "input": {**case["input"], "moon": "full"}})

    assert (added.word, added.got) == ("not covered", "unknown in input: moon")


def test_every_kind_of_the_books_has_a_worked_case():
    assert {case["kind"] for case in CASES} == OF_BOOKS
