"""The worked cases from public sources, and the runner that shows them: a wrong figure fails, an unknown kind never passes."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from support.billing_cases import main, run_case

FILE = Path(__file__).parents[1] / "recorded" / "billing" / "cases.json"
CASES = json.loads(FILE.read_text())["cases"]
# They come with payments and dunning, and with the run.
TO_COME = {"allocation", "dunning", "promise", "idempotency"}


@pytest.mark.parametrize("case", [one for one in CASES if one["kind"] not in TO_COME], ids=lambda case: case["id"])
def test_the_worked_case_comes_out_as_its_source_says(case):
    outcome = run_case(case)

    assert outcome.word == "pass", outcome


@pytest.mark.parametrize("case", [one for one in CASES if one["kind"] not in TO_COME], ids=lambda case: case["id"])
def test_each_expected_figure_is_compared(case):
    for changed in _each_value_changed(case["expect"]):
        assert run_case({**case, "expect": changed}).word == "fail", changed


def test_a_kind_or_a_field_that_nothing_answers_is_not_covered():
    assert run_case({"id": "X1", "kind": "weather", "input": {}, "expect": {}}).word == "not covered"
    assert run_case({**CASES[0], "input": {**CASES[0]["input"], "moon": "full"}}).word == "not covered"
    assert run_case({**CASES[0], "expect": {"moon": "full"}}).word == "not covered"
    assert all(run_case(case).word == "not covered" for case in CASES if case["kind"] in TO_COME)


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
