"""The worked cases from public sources, and the runner that shows them: a wrong figure fails, an unknown kind never passes."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from support.billing_cases import ADAPTERS, OF_BOOKS, main, run_case

FOLDER = Path(__file__).parents[1] / "recorded" / "billing"
CASES = [
    case for name in ("cases.json", "further_cases.json") for case in json.loads((FOLDER / name).read_text())["cases"]
]
PURE = [case for case in CASES if case["kind"] not in OF_BOOKS]


@pytest.mark.parametrize("case", PURE, ids=lambda case: case["id"])
def test_the_worked_case_comes_out_as_its_source_says(case):
    outcome = run_case(case)

    assert outcome.word == "pass", outcome


@pytest.mark.parametrize("case", PURE, ids=lambda case: case["id"])
def test_each_expected_figure_is_compared(case):
    for changed in _each_value_changed(case["expect"]):
        assert run_case({**case, "expect": changed}).word == "fail", changed


def test_a_kind_or_a_field_that_nothing_answers_is_not_covered():
    first = CASES[0]
    for case in (
        {"id": "X1", "kind": "weather", "input": {}, "expect": {}},
        {**first, "input": {**first["input"], "moon": "full"}},
        {**first, "expect": {"moon": "full"}},
        {**first, "expect": {"segments": [{"from": "2011-02-01", "moon": "full"}]}},
        {**first, "expect": {}},
        {**first, "input": {**first["input"], "mode": "sometimes"}},
        {"id": "X2", "kind": "segments"},
    ):
        assert run_case(case).word == "not covered", case
    assert "moon" in run_case({**first, "input": {**first["input"], "moon": "full"}}).got


@pytest.mark.parametrize("case", PURE, ids=lambda case: case["id"])
def test_no_field_of_a_case_is_overlooked(case):
    added = {**case, "input": {**case["input"], "moon": "full"}}

    assert run_case(added).word == "not covered"


def test_a_crash_is_a_failure_with_its_message():
    broken = {**CASES[0], "input": {**CASES[0]["input"], "months": 13}}

    outcome = run_case(broken)
    assert (outcome.word, outcome.got) == ("fail", "refused: a period of 13 months: 1 to 12 whole months")
    last_day = {"start": "9999-12-01", "bill_through": "9999-12-31", "first_boundary": "9999-12-01", "anchor_day": 1}
    crash = run_case({**CASES[0], "input": {**CASES[0]["input"], **last_day}})
    assert (crash.word, crash.got) == ("fail", "ValueError: year 10000 is out of range")
    assert run_case({**CASES[0], "input": {**CASES[0]["input"], "end": 7}}).word == "not covered"


def test_a_name_that_says_the_same_is_understood_and_two_that_differ_are_not():
    given = CASES[3]["input"]
    renamed = {
        "start_date": given["start"],
        "billing cycle anchor": given["first_boundary"],
        "interval": "monthly",
        "target_date": given["bill_through"],
        "timing": "in_advance",
        "basis": "actual",
        "month_price": given["price"],
    }

    assert run_case({**CASES[3], "input": renamed}).word == "pass"
    twice = run_case({**CASES[3], "input": {**given, "start_date": "2018-01-02"}})
    assert (twice.word, twice.got) == (
        "not covered",
        "input has start and start_date, which say the same thing differently",
    )


def test_the_runner_prints_a_line_a_case_and_a_total(tmp_path, capsys):
    wrong = copy.deepcopy(CASES[0])
    wrong["expect"]["segments"][0]["units"] = 13
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [CASES[1], wrong, {"id": "X1", "kind": "weather"}]}))

    assert main([str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "C02  pass"
    assert lines[1].startswith("C01  fail  expected ")
    assert '"units": 12' in lines[1]
    assert lines[2] == "X1  not covered  no adapter for kind 'weather'"
    assert lines[3] == "3 cases: 1 pass, 1 fail, 1 not covered"


def test_a_file_of_another_form_is_an_error(tmp_path, capsys):
    (tmp_path / "cases.json").write_text("[1]")

    assert main([str(tmp_path / "cases.json")]) == 2
    assert "not a file of the form billing-cases/1" in capsys.readouterr().err
    assert main([]) == 2


def test_what_is_no_case_costs_its_own_line_and_no_other(tmp_path, capsys):
    discount = {"kind": "discount", "input": {"base": "10", "discounts": []}}
    strange = [7, None, {**discount, "id": "a\nb\ud800", "expect": {"net": "sNaN"}}, CASES[1]]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": strange}))

    assert main([str(tmp_path / "cases.json")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[:2] for line in lines[:4]] == [
        ["?", "not covered"],
        ["?", "not covered"],
        ["a b?", "fail"],
        ["C02", "pass"],
    ]
    assert lines[4] == "4 cases: 1 pass, 1 fail, 2 not covered"
    for text in ('{"cases": {"a": 1}}', "[" * 200_000):
        (tmp_path / "cases.json").write_text(text)
        assert main([str(tmp_path / "cases.json")]) == 2


def _each_value_changed(value):
    """The expectation again and again, each time with one of its values another."""
    if isinstance(value, dict):
        for key in value:
            for changed in _each_value_changed(value[key]):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for index in range(len(value)):
            for changed in _each_value_changed(value[index]):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif isinstance(value, bool):
        yield not value
    else:
        yield "999999"


def test_the_page_tells_every_kind_and_its_examples_come_out():
    page = (FOLDER.parents[2] / "docs" / "billing-cases.md").read_text()

    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(ADAPTERS)
    block = page.split("```json\n")[1].split("```")[0]
    examples = json.loads("[" + block.replace('\n{"id"', ',\n{"id"') + "]")
    pure = [one for one in examples if one["kind"] not in OF_BOOKS]
    assert len(pure) > 5
    assert [run_case(one).word for one in pure] == ["pass"] * len(pure)


def test_every_kind_has_a_worked_case():
    assert {case["kind"] for case in CASES} == set(ADAPTERS)
