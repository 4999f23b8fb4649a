"""The check of the books in the console: asked for once, done by the worker, begun again after a death, and what it found with links."""

from __future__ import annotations

import pytest
from support.asked_checks import work
from support.billed_console import bill_everybody, send
from support.browser import PHONE, violations
from support.program import Program, make_token

from billing.store import asked_checks as store
from billing.store.checks.catalogue import CHECKS
from control_plane import db
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.books_check import NAMES
from control_plane.jobs import asked_checks
from web.check_words import _PLACES, ENSURES, place_of

pytestmark = pytest.mark.db
_DEATH = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$;
CREATE TRIGGER die BEFORE UPDATE ON books_check_result FOR EACH ROW WHEN (NEW.name = 'documents') EXECUTE FUNCTION die()
"""


@pytest.fixture(scope="module")
def books(console):
    """The books after a run of billing."""
    return bill_everybody(console)


def ask(console, **only):
    client = console.client("billing")
    answer = send(client, "/ledger/checks/new", **only)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rsplit("/", 1)[1])


def break_due_days(console):
    """One document's due day says a cent more than it; its number."""
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        row = connection.execute(
            "UPDATE document_due SET amount = amount + 0.01 WHERE document_id = (SELECT min(document_id) FROM document_due) RETURNING document_id"
        ).fetchone()
    return row[0]


def mend_due_days(console, document):
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE document_due SET amount = amount - 0.01 WHERE document_id = %s", (document,))


def test_each_check_has_words_and_each_word_a_check():
    assert list(ENSURES) == list(NAMES)


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        ("line 2 of document 17", "/documents/17"),
        ("contract 4 item 9", "/contracts/4"),
        ("account a b@x", None),
        ("account ada@x.example", "/accounts/ada@x.example"),
        ("collector 3 with issuer 1", "/field/collectors/3"),
        ("charge 12", None),
        ("document 17; DROP", None),
    ],
)
def test_what_is_wrong_leads_to_its_page(subject, place):
    assert place_of(subject) == place


def test_each_place_that_is_led_to_is_a_page(console):
    pages = console.app.url_map.bind("localhost")
    for _, place in _PLACES:
        pages.match(place.format(7), method="GET")


def test_asked_for_twice_it_is_one_and_right_books_are_called_right(console, books):
    number = ask(console)
    assert ask(console, only=["numbers"]) == number, "one is under way"
    assert "Waits for the worker" in console.client("reader").get(f"/ledger/checks/{number}").text
    assert work(console) == f"did check {number}: 0 findings"
    page = console.client("reader").get(f"/ledger/checks/{number}").text
    assert "All is right" in page
    assert f"{len(NAMES)} checks worked everything out again" in page
    assert "All is right" in console.client("billing").get("/ledger").text
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'books.check'") == [(1,)]
    assert work(console) == "no check was asked for"


def test_who_may_not_post_may_look_and_not_ask(console, books):
    reader = console.client("reader")
    assert "Check everything" not in reader.get("/ledger/checks").text
    assert reader.get("/ledger/checks/new").status_code == 403
    assert console.client("network operator").get("/ledger/checks").status_code == 403
    assert console.client("billing").get("/ledger/checks/99999").status_code == 404
    assert console.client("billing").get("/ledger/checks/99999/findings").status_code == 404


def test_what_does_not_exist_can_not_be_chosen(console, books):
    assert send(console.client("billing"), "/ledger/checks/new", only=["nonsense"]).status_code == 422


def test_killed_in_the_middle_it_begins_again_and_what_is_wrong_is_kept(console, books):
    document = break_due_days(console)
    number = ask(console)
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute(_DEATH)
        with pytest.raises(Exception, match="killed"):
            work(console)
        half = store.load_check(connection, number)
        assert (half.ended_at, half.attempt, half.done > 3) == (None, 1, True)
        connection.execute("DROP TRIGGER die ON books_check_result; DROP FUNCTION die()")
        assert work(console) == f"did check {number}: 1 findings"
        with pytest.raises(store.SupersededError):
            store.end_check(connection, number, attempt=1)
    mend_due_days(console, document)
    page = console.client("billing").get(f"/ledger/checks/{number}").text
    assert f'href="/documents/{document}"' in page
    assert "its due days are" in page
    found = console.client("billing").get(f"/ledger/checks/{number}/findings?check=due days")
    assert f"document {document}" in found.text
    assert (
        console.client("billing").get(f"/ledger/checks/{number}/findings?check=numbers").text.count("its due days") == 0
    )
    file = console.client("billing").get(f"/ledger/checks/{number}/findings?file=csv", buffered=True).text
    assert file.splitlines()[1].startswith(f"due days,document {document},")


def test_one_that_never_comes_to_its_end_is_given_up(console, books, monkeypatch):
    monkeypatch.setattr(asked_checks, "MOST_ATTEMPTS", 0)
    number = ask(console, only=["numbers"])
    assert work(console) == f"gave check {number} up"
    assert "It came to no end" in console.client("billing").get(f"/ledger/checks/{number}").text


def test_of_each_check_no_more_than_some_are_kept_and_all_are_counted(console, books, monkeypatch):
    monkeypatch.setattr(asked_checks, "KEPT", 2)
    (one,) = (check for check in CHECKS if check.name == "numbers")
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        number = ask(console, only=["numbers"])
        attempt = store.begin_check(connection, number, [one])
        keeper = asked_checks._Keeper(connection, number, attempt, [one])
        keeper.tell(asked_checks.Progress(one, 0, 1))
        for subject in "abc":
            keeper.found(asked_checks.Finding("numbers", "I8", subject, "wrong"))
        keeper.tell(asked_checks.Progress(one, 1, 1))
        store.end_check(connection, number, attempt=attempt)
        assert store.load_check(connection, number).findings == 3
        assert [f.subject for f in store.load_findings(connection, number, name=None, after=(0, 0), limit=9)] == [
            "a",
            "b",
        ]


def test_a_program_asks_and_reads_the_same(console, books):
    program = Program(console, make_token(console, "checks", EVERYTHING))
    assert program.post("/ledger/checks", {"only": ["nonsense"]}).status_code == 422
    made = program.post("/ledger/checks", {"only": ["numbers", "due days"]})
    assert made.status_code == 201, made.json
    number = made.json["id"]
    document = break_due_days(console)
    work(console)
    mend_due_days(console, document)
    one = program.get(f"/ledger/checks/{number}").json
    assert {row["name"]: row["findings"] for row in one["results"]} == {"due days": 1, "numbers": 0}
    found = program.get(f"/ledger/checks/{number}/findings?limit=1").json
    assert [row["subject"] for row in found["data"]] == [f"document {document}"]
    assert program.get("/ledger/checks?limit=1").json["data"][0]["id"] == number
    reader = Program(console, make_token(console, "looks", {Permission.LEDGER_SEE}))
    assert reader.post("/ledger/checks", {}).status_code == 403


def test_it_is_asked_for_by_a_click_and_shows_its_end_by_itself(console, books, address, browser):
    document = break_due_days(console)
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/ledger/checks")
        page.get_by_role("button", name="Check everything").click()
        page.get_by_text("Waits for the worker").wait_for()
        assert violations(page) == []
        work(console)
        page.get_by_role("link", name=f"document {document}").wait_for()
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert violations(page) == []
    mend_due_days(console, document)
