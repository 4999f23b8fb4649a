"""corrente ledger and corrente statement, as an accountant types them."""

from __future__ import annotations

import csv
import json
from datetime import date

import openpyxl
import psycopg
import pytest
from support.books_days import make_days
from support.command_line import run, write_settings

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def days(module_database):
    with psycopg.connect(module_database) as opened:
        return make_days(opened)


@pytest.fixture(scope="module")
def corrente(tmp_path_factory, module_database, days):
    settings = write_settings(tmp_path_factory.mktemp("settings"), module_database)

    def command(*arguments, typed=None):
        return run(settings, *arguments, typed=typed)

    return command


def cells(output):
    return [line.split() for line in output.splitlines()]


def test_a_statement_is_a_table_json_csv_or_xlsx(corrente, days, tmp_path):
    shown = corrente("statement", "Anna Rossi 1", "--period", "2026-02").output
    assert cells(shown)[-1] == ["Anna", "Rossi", "1", "owes", "65.64", "EUR", "on", "2026-02-28."]
    assert cells(shown)[1:4] == [
        ["2026-02-01", "balance", "before", "EUR", "36.48"],
        ["2026-02-01", "invoice", "4/FT/2026", "2026-02-16", "EUR", "41.36", "77.84", "4"],
        ["2026-02-10", "credit", "note", "1/NC/2026", "EUR", "12.20", "65.64", "6"],
    ]
    whole = json.loads(corrente("statement", str(days.isp.customers[0]), "--json").output)
    assert [(row["what"], row["balance"]) for row in whole] == [
        ("invoice", "36.48"),
        ("invoice", "77.84"),
        ("credit note", "65.64"),
    ]
    book = tmp_path / "statement.xlsx"
    assert corrente("statement", "1", "--xlsx", str(book)).output == f"3 rows in {book}\n"
    page = openpyxl.load_workbook(book).worksheets[0]
    assert [cell.value for cell in page[1]][:4] == ["dated", "what", "reference", "due on"]
    assert page["H4"].value == 65.64
    file = tmp_path / "statement.csv"
    corrente("statement", "1", "--csv", str(file))
    first, *_ = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    assert first["debit"] == "36.48"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["statement.csv", "statement.xlsx"]


def test_what_is_asked_wrongly_is_refused_with_what_to_do(corrente, tmp_path):
    assert "there is no customer 'Ana'" in corrente("statement", "Ana").output
    assert "one of --json, --csv and --xlsx" in corrente("ledger", "ageing", "--json", "--csv", "x").output
    assert "expected 2026, 2026-Q1" in corrente("ledger", "vat", "--period", "march").output
    assert "ends before it begins" in corrente("ledger", "vat", "--period", "2026-03-02..2026-03-01").output
    wrong = corrente("ledger", "vat", "--register", "PR").output
    assert "there is no register of invoices or credit notes 'PR'" in wrong
    assert "there is no issuer 'Nobody'; there is Example Net" in corrente("ledger", "vat", "--issuer", "Nobody").output
    assert "there is no account '410'; did you mean 4100" in corrente("ledger", "card", "410").output
    nowhere = tmp_path / "no" / "x.csv"
    assert (
        f"can't write {nowhere}: No such file or directory" in corrente("ledger", "open", "--csv", str(nowhere)).output
    )


def test_the_reports_of_a_period(corrente):
    balance = corrente("ledger", "trial-balance", "--period", "2026-02")
    assert ["4100", "Access", "revenue", "EUR", "-89.70", "10.00", "59.80", "-139.50"] in cells(balance.output)
    assert balance.output.endswith("At the end of 2026-02-28; all accounts together: 0.\n")
    vat = corrente("ledger", "vat", "--period", "2026-02", "--sums").output
    assert cells(vat)[1:] == [
        ["immediate", "22", "EUR", "3", "53.80", "11.84", "11.84"],
        ["Owed", "for", "the", "period:", "11.84", "EUR"],
    ]
    register = json.loads(corrente("ledger", "vat", "--period", "2026", "--json").output)
    assert [(row["register"], row["protocol"]) for row in register][-2:] == [("FT", 5), ("NC", 1)]
    assert corrente("ledger", "deferred", "--at", "2026-01-31").output == (
        "Nothing was invoiced up to 2026-01-31 of days after it.\n"
    )
    sold = corrente("ledger", "turnover", "--period", "2026-Q1", "--by", "category").output
    assert cells(sold)[1:] == [
        ["access", "EUR", "139.50"],
        ["voice", "EUR", "4.00"],
        ["Together", "143.50", "EUR,", "as", "the", "ledger", "says."],
    ]
    assert len(json.loads(corrente("ledger", "journal", "--period", "2026-01", "--json").output)) == 9
    assert corrente("ledger", "journal", "--period", "2026-01", "--by-hand").output == (
        "Nothing was posted from 2026-01-01 to 2026-01-31.\n"
    )
    assert cells(corrente("ledger", "card", "4200", "--period", "2026").output)[1][-2:] == ["4.00", "-4.00"]
    assert len(cells(corrente("ledger", "open", "--overdue").output)) == 6
    assert len(json.loads(corrente("ledger", "ageing", "--json").output)) == 3
    assert len(json.loads(corrente("ledger", "ageing", "--customer", "Anna Rossi 2", "--json").output)) == 1


def test_all_reports_of_a_period_are_written_at_once_and_the_same_bytes_again(corrente, tmp_path):
    for name in ("one", "two"):
        done = corrente("ledger", "export", str(tmp_path / name), "--period", "2026-02")
        assert done.exit_code == 0, done.output
    names = [
        "ageing",
        "deferred-revenue",
        "journal",
        "open-documents",
        "trial-balance",
        "turnover",
        "vat-register",
        "vat",
    ]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(f"{name}.xlsx" for name in names)
    for name in names:
        assert (tmp_path / "one" / f"{name}.xlsx").read_bytes() == (tmp_path / "two" / f"{name}.xlsx").read_bytes()
    corrente("ledger", "export", str(tmp_path / "csv"), "--period", "2026-02", "--format", "csv")
    assert len((tmp_path / "csv" / "vat-register.csv").read_text().splitlines()) == 4


def test_an_entry_is_tried_written_and_taken_back(corrente, days):
    legs = ("--debit", "6500", "2.50", "--debit", f"1500/{days.isp.customers[2]}", "7.50", "--credit", "1000", "10")
    tried = corrente("ledger", "entry", "--text", "Bank fees", "--date", "2026-03-31", *legs, "--dry-run")
    assert tried.output.startswith("Would write of 2026-03-31: Bank fees (EUR)\n")
    written = corrente(
        *(
            "ledger",
            "entry",
            "--text",
            "Bank fees",
            "--date",
            "2026-03-31",
            *legs,
            "--evidence",
            "statement 3",
            "--json",
        )
    )
    entry = json.loads(written.output)
    assert [(leg["account"], leg["debit"], leg["credit"]) for leg in entry["postings"]] == [
        ("6500", "2.50", None),
        ("1500", "7.50", None),
        ("1000", None, "10.00"),
    ]
    back = corrente("ledger", "entry", "--corrects", str(entry["entry"]), "--text", "twice", "--date", "2026-04-01")
    assert back.output.splitlines()[0].endswith(f"of 2026-04-01: twice, which takes entry {entry['entry']} back (EUR)")
    again = corrente("ledger", "entry", "--corrects", str(entry["entry"]), "--text", "twice", "--date", "2026-04-01")
    assert (again.exit_code, again.output) == (
        1,
        f"Error: entry {entry['entry']} is taken back by entry {entry['entry'] + 1} already\n",
    )
    apart = json.loads(corrente("ledger", "journal", "--period", "2026-03-31", "--by-hand", "--json").output)
    assert {row["evidence"] for row in apart} == {"statement 3"}
    assert {row["made_by"] for row in apart} == {"maria"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--text", "x", "--debit", "6500", "5", "--credit", "1000", "4"),
            "its debits are 1.00 EUR more than its credits",
        ),
        (("--debit", "6500", "5", "--credit", "1000", "5"), "an entry by hand says what it is: give its text"),
        (("--text", "x", "--debit", "6500", "-5", "--credit", "1000", "5"), "amounts are above zero"),
        (("--text", "x", "--debit", "1500/anna", "5", "--credit", "1000", "5"), "there is no customer 'anna'"),
        (("--text", "x", "--corrects", "999"), "there is no entry 999 in the books of Example Net"),
        (("--text", "x", "--corrects", "1"), "correct the document by a credit note"),
        (("--text", "x", "--corrects", "1", "--debit", "6500", "1"), "takes a whole entry back"),
        (("--text", "x", "--debit", "1500/999", "5", "--credit", "1000", "5"), "there is no customer '999'"),
    ],
)
def test_an_entry_is_refused(corrente, arguments, said):
    refused = corrente("ledger", "entry", *arguments)
    assert refused.exit_code != 0
    assert said in refused.output


def test_the_chart_is_shown_added_to_and_edited(corrente):
    assert corrente("ledger", "accounts", "add", "7000", "Rent", "--role", "other").output == (
        "Account 7000 Rent: only what names it.\n"
    )
    assert "4100 Access stands for revenue of access already; --only-named adds one beside it" in (
        corrente("ledger", "accounts", "add", "4101", "Fibre", "--role", "revenue", "--family", "access").output
    )
    corrente("ledger", "accounts", "add", "4101", "Fibre", "--role", "revenue", "--only-named")
    assert corrente("ledger", "accounts", "default", "4101", "--product", "Phone").output == (
        "Revenue of product Phone goes to account 4101 from now on.\n"
    )
    assert corrente("ledger", "accounts", "edit", "7000", "--name", "Office rent").output == (
        "Account 7000 Office rent: other.\n"
    )
    assert "has postings" in corrente("ledger", "accounts", "edit", "4100", "--role", "other").output
    rows = {row["account"]: row for row in json.loads(corrente("ledger", "accounts", "list", "--json").output)}
    assert rows["4101"]["takes"] == "product Phone"
    assert (rows["4100"]["takes"], rows["4100"]["posted"]) == ("revenue of access", "yes")
    assert corrente("ledger", "accounts", "default", "--product", "Phone").output == (
        "Revenue of product Phone goes to its family from now on.\n"
    )
    assert "with one of --family" in corrente("ledger", "accounts", "default", "4101").output


def test_the_check_says_ok_or_what_is_wrong_where(corrente, module_database):
    sound = corrente("ledger", "check")
    assert (sound.exit_code, sound.output.splitlines()[-1]) == (0, "OK")
    with psycopg.connect(module_database) as opened:
        opened.execute("SET session_replication_role = replica; UPDATE customer_balance SET balance = balance + 1")
        opened.commit()
        try:
            wrong = corrente("ledger", "check", "--limit", "1")
            as_json = json.loads(corrente("ledger", "check", "--only", "balances", "--json").output)
        finally:
            opened.execute("UPDATE customer_balance SET balance = balance - 1")
            opened.commit()
    assert wrong.exit_code == 1
    assert wrong.output.splitlines()[-3:] == [
        "I2 customer 1 with issuer 1: its balance is kept as 66.640 EUR and its postings sum to 65.640",
        "… and 2 more of balances; --limit shows them",
        "3 things are wrong in the books.",
    ]
    assert (as_json["ok"], len(as_json["checks"]), len(as_json["findings"])) == (False, 1, 3)


def test_days_are_closed_after_what_is_unfinished_was_shown(corrente, module_database):
    shown = corrente("ledger", "close", "--through", "2026-01-31", "--dry-run")
    assert "items due and not billed" in shown.output
    assert shown.output.endswith("Would close 2026-01-01 to 2026-01-31.\n")
    assert "up to 2026-01-31 something is unfinished" in corrente("ledger", "close", "--through", "2026-01-31").output
    assert "nothing was changed" in (
        corrente("ledger", "close", "--through", "2026-01-31", "--despite-unfinished", typed="n\n").output
    )
    closed = corrente("ledger", "close", "--through", "2026-01-31", "--despite-unfinished", "--yes")
    assert closed.output.splitlines()[-1] == ("Closed 2026-01-01 to 2026-01-31; entries are dated 2026-02-01 or later.")
    late = corrente(
        *("ledger", "entry", "--text", "x", "--date", "2026-01-15", "--debit", "6500", "1", "--credit", "1000", "1")
    )
    assert late.output == "Error: 2026-01-15 is closed; date it on 2026-02-01 or later\n"
    ahead = corrente("ledger", "close", "--through", f"{date.today().year + 1}-01-31", "--despite-unfinished", "--yes")
    assert "is not over" in ahead.output
