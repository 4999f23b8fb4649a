"""`corrente payment bank`, `import`, `queue` and `files`, as they are typed: an Italian bank's CSV, a statement, their dry runs."""

from __future__ import annotations

import json

import psycopg
import pytest
from support.books_days import make_days
from support.command_line import run, write_settings
from support.handed_schemas import SEPA, needs_sepa

pytestmark = pytest.mark.db

CSV = """Data;Valuta;Causale;Ordinante;Importo
10/03/2026;10/03/2026;BONIFICO 1/FT/2026;ROSSI;24,28
11/03/2026;;SALDO;BIANCHI;36,48
12/03/2026;;COMMISSIONI;;-1,50
"""


@pytest.fixture
def typed(database, tmp_path):
    with psycopg.connect(database) as connection:
        days = make_days(connection)
    settings = write_settings(tmp_path, database)
    if SEPA is not None:
        settings.write_text(settings.read_text() + f'[billing]\nbank_schemas = "{SEPA}"\n')

    def ask(*words, code=0, group="payment"):
        result = run(settings, group, *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    return days, ask


def test_a_layout_is_tried_and_saved_and_a_file_is_looked_at_taken_and_worked(typed, tmp_path):
    days, ask = typed
    bank = tmp_path / "march.csv"
    bank.write_text(CSV + "12/03/2026;;x;;1234.56\n", encoding="cp1252")
    assert "there is no account" in ask("import", bank, code=1)
    ask("bank", "new", "Main", "IT60 X054 2811 1010 0000 0123 456")
    assert "has no layout" in ask("import", bank, code=1)

    tried = ask("bank", "layout", "Main", bank)
    assert "2    2026-03-10  2026-03-10  24.28 EUR  ROSSI    BONIFICO 1/FT/2026" in tried
    assert "row 5: '1234.56': '.' does not stand between thousands; is the decimal mark another one?" in tried
    assert tried.endswith("This was a try; --save keeps it.\n")
    assert json.loads(ask("bank", "list", "--json"))[0]["layout"] is None
    assert "there is no column 'Betrag'" in ask("bank", "layout", "Main", bank, "--amount", "Betrag", code=1)
    ask("bank", "layout", "Main", bank, "--return-word", "INSOLUTO", "--save")
    assert json.loads(ask("bank", "list", "--json"))[0]["layout"]["return_words"] == ["INSOLUTO"]

    assert "nothing was taken" in ask("import", bank, code=1)
    bank.write_text(CSV)
    dry = ask("import", bank, "--dry-run")
    assert "24.28 EUR ROSSI: matched customer 1 (94): document number, amount of named" in dry
    assert dry.endswith(
        "1 matched, 1 for a person, 0 came back, 1 ignored; 0 were told before\nDry run: nothing was written.\n"
    )
    assert ask("files") == "None.\n"

    taken = json.loads(ask("import", bank, "--json"))
    assert taken["totals"] == {"new": 3, "told_before": 0, "recorded": 1, "waiting": 1, "returned": 0, "ignored": 1}
    assert "0 new lines" in ask("import", bank)
    assert json.loads(ask("files", "--json"))[0]["waiting"] == 1

    (waits,) = json.loads(ask("queue", "list", "--json"))
    number = waits["line"]
    assert "nothing speaks for one alone" in ask("queue", "choose", number, code=1)
    chosen = ask("queue", "choose", number, days.isp.customers[2], "--reason", "by phone")
    assert chosen == f"Line {number} is recorded, payment 2 of customer {days.isp.customers[2]}.\n"
    assert ask("queue", "list") == "Nothing waits.\n"
    assert "is waiting" in ask("queue", "undo", number, "--reason", "not hers")
    assert "is ignored" in ask("queue", "ignore", number, "--reason", "our own")
    assert "our own (maria)" in ask("queue", "show", number)
    assert "OK" in ask("check", group="ledger")


@needs_sepa
def test_a_statement_is_checked_by_its_schema_and_its_collections_and_return_are_taken(typed, tmp_path):
    days, ask = typed
    sample = (SEPA / "samples/camt.053.001.02_sdd.xml").read_text()
    bank = tmp_path / "statement.xml"
    bank.write_text(sample)
    assert "the file is of account IT60X0542811101000000123456, known are none" in ask("import", bank, code=1)
    ask("bank", "new", "Main", "IT60X0542811101000000123456")
    bank.write_text(sample.replace("<ValDt>", "<Moon/><ValDt>"))
    assert "not what camt.053.001.02 allows" in ask("import", bank, code=1)

    # 24.28 is what customer 0 has of January open; the other collection came back on the 18th.
    bank.write_text(
        sample.replace("32.9<", "24.28<")
        .replace("52.80", "44.18")
        .replace("1032.90", "1024.28")
        .replace("Fattura<", "1/FT/2026<", 1)
    )
    said = ask("import", bank)
    assert f"24.28 EUR MARIO ROSSI: matched customer {days.isp.customers[0]}" in said
    assert "19.90 EUR MARIO ROSSI: for a person: nothing speaks for any customer" in said
    assert "-19.90 EUR MARIO ROSSI: for a person: no payment that this clearly took back" in said

    first, second = json.loads(ask("queue", "list", "--json"))
    ask("queue", "choose", first["line"], days.isp.customers[1], "--reason", "his mandate")
    back = json.loads(ask("queue", "show", second["line"], "--json"))
    assert back["may_be"][0]["reasons"][0] == "end_to_end"
    assert "is returned, payment" in ask("queue", "choose", second["line"])
    assert "which stays" in ask("queue", "undo", second["line"], "--reason", "x", code=1)
    (gone,) = [one for one in json.loads(ask("list", "--json")) if one["reversed_on"]]
    assert (gone["amount"], gone["reversed_on"]) == ("19.90", "2026-02-18")


def test_what_is_wrong_is_named(typed, tmp_path):
    _, ask = typed
    assert "wrong check digits" in ask("bank", "new", "Main", "IT61X0542811101000000123456", code=1)
    assert "did you mean transfer?" in ask("bank", "new", "Main", "123456", "--method", "transfr", code=1)
    ask("bank", "new", "Main", "1234567")
    assert "did you mean Main?" in ask("bank", "set", "Mian", "--automatic-from", "95", code=1)
    assert "a person looks at each line" in ask("bank", "set", "Main", "--automatic-from", "101")
    assert "can't be read" in ask("import", tmp_path / "none", code=1)
    evil = tmp_path / "evil.xml"
    evil.write_text('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>')
    assert "document type (DOCTYPE)" in ask("import", evil, code=1)
    assert "there is no line 77" in ask("queue", "show", "77", code=1)
    assert "0 new lines" in ask("import")
