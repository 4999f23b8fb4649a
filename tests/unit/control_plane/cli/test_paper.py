"""`corrente paper`, as it is typed; it needs no database."""

from __future__ import annotations

import json

import pytest
from support.command_line import run
from support.paper_reading import codes_of, text_of


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "corrente.toml"
    file.write_text('[papers]\nfolder = "own"\n')
    return file


def _ok(result):
    assert result.exit_code == 0, result.output
    return result.output


def test_an_operator_changes_a_template_and_sees_what_comes_of_it(settings, tmp_path):
    _ok(run(settings, "paper", "copy", "quote.typ"))
    again = run(settings, "paper", "copy", "quote.typ")
    own = tmp_path / "own" / "quote.typ"
    own.write_text(own.read_text() + "\nSopralluogo gratuito.")
    preview, slip = tmp_path / "preview.pdf", tmp_path / "slip.pdf"
    _ok(run(settings, "paper", "preview", "quote", "--language", "it", "--out", str(preview)))
    _ok(run(settings, "paper", "preview", "receipt", "--size", "58mm", "--out", str(slip)))
    told = json.loads(_ok(run(settings, "paper", "data", "quote", "--language", "it")))

    assert again.exit_code == 1
    assert "is there already" in again.output
    assert "Sopralluogo gratuito." in text_of(preview.read_bytes())
    assert codes_of(slip.read_bytes()) == ["CODE-128:R-2026-004711"]
    assert (told["title"], told["paper"]["payable"]["full"]) == ("Preventivo", "301,39\xa0€")


def test_the_check_prints_all_and_names_what_it_can_t_print(settings, tmp_path):
    good = run(settings, "paper", "check")
    (tmp_path / "own" / "issuer-3").mkdir(parents=True)
    (tmp_path / "own" / "issuer-3" / "order.typ").write_text("#panic()")
    bad = run(settings, "paper", "check")

    # Eleven kinds and three sizes of receipt, in three languages.
    assert _ok(good) == "42 papers were printed, none refused.\n"
    assert bad.exit_code == 1
    named = [line for line in bad.output.splitlines() if "template order.typ" in line]
    assert [line.removeprefix("Error: ").partition(":")[0] for line in named] == [
        "order in en",
        "order in es",
        "order in it",
    ]


def test_only_a_receipt_has_a_size(settings, tmp_path):
    assert run(settings, "paper", "preview", "quote", "--size", "58mm", "--out", str(tmp_path / "x.pdf")).exit_code == 2
