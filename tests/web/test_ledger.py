"""The books in the console: reports as pages and files, an entry by hand and its taking back, the closing of days."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.billed_console import bill_everybody, hidden, send, send_confirmed
from support.browser import usable_by_everybody, violations
from support.program import Program

from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db


def today() -> date:
    """Where the books are kept, whatever the hour of the tests."""
    return datetime.now(ZoneInfo("Europe/Rome")).date()


@pytest.fixture(scope="module")
def books(console):
    """The books after a run of billing."""
    return bill_everybody(console)


def accounts_of(console, *roles):
    return [
        console.query("SELECT code FROM ledger_account WHERE role = %s::account_role ORDER BY code LIMIT 1", (role,))[
            0
        ][0]
        for role in roles
    ]


def entry_form(console, debit="12.50", credit="12.50", **typed):
    bank, fees = accounts_of(console, "bank", "fees")
    return {
        "day": today().isoformat(),
        "text": "charges of the bank",
        "evidence": "statement 12",
        "line_account": [fees, bank, ""],
        "line_customer": ["", "", ""],
        "line_debit": [debit, "", ""],
        "line_credit": ["", credit, ""],
        **typed,
    }


def by_hand(console):
    return console.query("SELECT count(*) FROM entry WHERE source = 'manual'")[0][0]


REPORTS = ("trial-balance", "journal", "vat", "vat-register", "turnover", "ageing", "open", "deferred")


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_a_page_and_a_file(console, books, name):
    client = console.client("billing")
    page = client.get(f"/ledger/{name}?since=2026-01-01&until=2026-12-31")
    assert page.status_code == 200
    file = client.get(f"/ledger/{name}?since=2026-01-01&until=2026-12-31&file=csv", buffered=True).text
    assert len(file.splitlines()) > 1 or name == "deferred"
    assert client.get(f"/ledger/{name}?file=xlsx", buffered=True).data.startswith(b"PK")


def test_the_trial_balance_comes_to_nothing_and_the_overview_says_what_was_sold(console, books):
    client = console.client("billing")
    rows = client.get(
        "/ledger/trial-balance?since=2026-01-01&until=2026-12-31&file=csv", buffered=True
    ).text.splitlines()
    assert sum(float(row.split(",")[-1]) for row in rows[1:]) == pytest.approx(0)
    page = client.get("/ledger").text
    assert "Documents and ledger differ" not in page
    assert page.count('class="bar"') == 12


def test_what_is_asked_wrongly_is_refused(console, books):
    client = console.client("billing")
    assert client.get("/ledger/nonsense").status_code == 404
    assert client.get("/ledger/journal?since=yesterday").status_code == 400
    assert client.get("/ledger/journal?since=2026-02-01&until=2026-01-01").status_code == 400
    assert client.get("/ledger/entries/99999999").status_code == 404
    assert client.get("/ledger/accounts/none").status_code == 404
    assert console.client("network operator").get("/ledger").status_code == 403


def test_an_entry_by_hand_is_written_once_and_taken_back_once(console, books):
    client, before = console.client("administrator"), by_hand(console)
    form = {**hidden(client.get("/ledger/entries/new").text), **entry_form(console)}
    first, again = client.post("/ledger/entries/new", data=form), client.post("/ledger/entries/new", data=form)
    assert first.status_code == 303, first.text[:2000]
    assert again.headers["Location"] == first.headers["Location"]
    assert by_hand(console) == before + 1
    address = first.headers["Location"]
    page = client.get(address).text
    assert "charges of the bank" in page
    assert "€12.50" in page
    assert send(client, f"{address}/correct", day=today().isoformat(), text="").status_code == 422
    back = send(client, f"{address}/correct", day=today().isoformat(), text="twice")
    assert back.status_code == 303
    assert send(client, f"{address}/correct", day=today().isoformat(), text="twice").status_code == 422
    assert "It is taken back" in client.get(address).text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"debit": "12.00"}, "make them equal"),
        ({"debit": "abc"}, "Write a number such as"),
        ({"text": ""}, "This is needed"),
        ({"day": (today() + timedelta(days=3)).isoformat()}, "date it when it is so far"),
        ({"line_account": ["none", "none", ""]}, "There is no account none in the chart"),
        ({"line_customer": ["17", "", ""]}, "it takes no customer"),
        ({"line_debit": ["1", "2", ""]}, "a debit or a credit"),
    ],
)
def test_an_entry_that_is_wrong_is_shown_again_with_what_was_typed(console, books, wrong, words):
    client, before = console.client("administrator"), by_hand(console)
    answer = send(client, "/ledger/entries/new", **entry_form(console, **wrong))
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="statement 12"' in answer.text
    assert by_hand(console) == before


def test_a_documents_own_entry_is_not_taken_back(console, books):
    client = console.client("administrator")
    number = console.query("SELECT min(id) FROM entry WHERE source = 'document'")[0][0]
    answer = send(client, f"/ledger/entries/{number}/correct", day=today().isoformat(), text="wrong")
    assert answer.status_code == 422
    assert "credit note" in answer.text


def test_who_may_not_post_neither_writes_nor_closes(console, books):
    reader = console.client("reader")
    assert reader.get("/ledger").status_code == 200
    assert reader.get("/ledger/entries/new").status_code == 403
    form = hidden(reader.get("/ledger").text)
    assert reader.post("/ledger/periods", data={**form, "through": "2026-01-31"}).status_code == 403


def test_days_are_closed_after_their_numbers_were_shown(console, books):
    client = console.client("administrator")
    last = console.query("SELECT max(dated) FROM entry WHERE source = 'document'")[0][0]
    assert send(client, "/ledger/periods", through=today().isoformat()).status_code == 422
    shown, done = send_confirmed(client, "/ledger/periods", through=last.isoformat(), despite="y")
    assert "closed for good" in shown.text
    assert done.status_code == 303
    assert console.query("SELECT count(*) FROM fiscal_period") == [(1,)]
    answer = send(client, "/ledger/entries/new", **entry_form(console, day=last.isoformat()))
    assert answer.status_code == 422
    assert "is closed; date it on" in answer.text


def test_the_balance_is_shown_while_one_types(console, address, browser, books):
    bank, fees = accounts_of(console, "bank", "fees")
    with browser.page(console, "administrator") as page:
        page.goto(f"{address}/ledger/entries/new")
        assert violations(page) == []
        page.fill("#text", "charges of the bank")
        page.fill("#account-1", fees)
        page.fill("#debit-1", "1,234.50")
        page.wait_for_selector("#entry-balance:has-text('They differ by 1,234.50')")
        page.fill("#account-2", bank)
        page.fill("#credit-2", "1,234.50")
        page.wait_for_selector("#entry-balance:has-text('Equal')")
        page.dblclick("button:has-text('Write it')")
        page.wait_for_selector("h1:has-text('Entry')")
        assert re.search(r"/ledger/entries/\d+$", page.url)


def test_the_pages_are_usable_by_everybody(console, address, browser, books):
    entry = console.query("SELECT min(id) FROM entry")[0][0]
    paths = (
        "/ledger",
        "/ledger/journal",
        "/ledger/ageing",
        "/ledger/accounts",
        f"/ledger/entries/{entry}",
        "/ledger/periods",
        "/ledger/entries/new",
    )
    with browser.page(console, "administrator") as page:
        usable_by_everybody(page, address, paths, "dark", "phone")


def parts(program, path, limit):
    """All rows of a report, a part at a time."""
    rows, after = [], ""
    while True:
        answer = program.get(f"{path}?since=2026-01-01&until=2026-12-31&limit={limit}{after}")
        assert answer.status_code == 200, answer.json
        rows += answer.json["data"]
        assert len(answer.json["data"]) <= limit
        if answer.json["next"] is None:
            return rows
        after = f"&after={answer.json['next']}"


@pytest.fixture(scope="module")
def program(console, books):
    return Program.of(console, Permission.LEDGER_SEE)


@pytest.mark.parametrize("name", ["journal", "vat-register", "turnover"])
def test_a_program_reads_a_report_in_parts_and_gets_the_rows_of_its_file(program, name):
    file = program.get(f"/ledger/report.csv?name={name}&since=2026-01-01&until=2026-12-31")
    (columns, *lines) = csv.reader(io.StringIO(file.get_data(as_text=True)))
    told = parts(program, f"/ledger/{name}", 7 if name == "turnover" else 37)

    def text(value):
        return "" if value is None else str(value)

    found = [tuple(text(row[column]) for column in columns) for row in told]
    expected = [tuple(line) for line in lines]
    assert (found if name != "turnover" else sorted(found)) == (expected if name != "turnover" else sorted(expected))
    assert len(found) > 20 or name == "turnover"


def test_a_part_of_another_list_or_of_no_period_is_refused(console, program):
    assert program.get("/ledger/journal?after=bm9uZQ").status_code == 404
    assert program.get("/ledger/journal?since=2026-02-01&until=2026-01-01").status_code == 422
    assert Program.of(console, Permission.CUSTOMER_SEE).get("/ledger/journal").status_code == 403
