"""corrente bill, as an operator types it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

from billing.store.acting import acting
from control_plane import db

pytestmark = pytest.mark.db


def today():
    return datetime.now(UTC).astimezone(ZoneInfo("Europe/Rome")).date()


def month_ago():
    # The first of a month, so that one month and the one that has begun are due.
    return (today().replace(day=1) - timedelta(days=1)).replace(day=1)


@pytest.fixture
def corrente(tmp_path, database):
    with db.connect(database, name="test") as connection:
        make_books(connection, customers=4, starts_on=month_ago())
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, *arguments, typed=typed)

    return command


def words(output):
    return [line.split() for line in output.splitlines()]


def documents(database):
    with db.connect(database, name="test") as connection:
        return connection.execute("SELECT count(*) FROM document").fetchone()[0]


def test_a_preview_tells_totals_and_writes_nothing(corrente, database):
    shown = corrente("bill", "preview")
    told = json.loads(corrente("bill", "run", "--dry-run", "--json").output)

    # Two months of 29.90 are 59.80 and 13.16 of tax; one of the four has a static address for 5.00 beside: 69.80 and 15.36.
    assert "4 contracts of 4 customers: 10 new charges" in shown.output
    assert ["invoices", "4", "249.20", "54.84", "304.04", "EUR"] in words(shown.output)
    assert told["documents"] == [
        {"kind": "invoice", "currency": "EUR", "count": 4, "net": "249.20", "tax": "54.84", "gross": "304.04"}
    ]
    # Of one contract each line stands there, without tax; of the whole book none does.
    assert told["lines"] == []
    (first, second) = json.loads(corrente("bill", "preview", "--contract", "2", "--json").output)["lines"]
    assert [(one["kind"], one["contract"], one["net"], one["currency"]) for one in (first, second)] == [
        ("invoice", 2, "29.90", "EUR")
    ] * 2
    assert (first["until"], first["from"] < second["from"]) == (second["from"], True)
    shown = corrente("bill", "preview", "--customer", "2").output
    assert ["invoice", "2", "2", *first["text"].split(), first["from"], first["until"], "29.90", "EUR"] in words(shown)
    assert documents(database) == 0
    assert "There is no run yet" in corrente("bill", "list").output


def test_beside_another_issuer_a_customer_s_books_need_no_name(corrente, database):
    with db.connect(database, name="test") as connection:
        acting(connection, "maria")
        connection.execute(
            "INSERT INTO issuer (name, country, currency, zone, street, postal_code, city)"
            " VALUES ('Other Net', 'IT', 'EUR', 'Europe/Rome', 'Via Po', '10100', 'Torino')"
        )
    nobodys = corrente("bill", "run", "--yes")
    assert (nobodys.exit_code, "say whose books with --issuer: Example Net, Other Net" in nobodys.output) == (1, True)
    assert "invoices" in corrente("bill", "run", "--contract", "1", "--yes").output
    assert "invoices" in corrente("bill", "run", "--customer", "2", "--yes").output
    assert "owes 72.96 EUR" in corrente("statement", "2").output
    assert "72.96" in corrente("ledger", "open", "--customer", "2").output
    runs = json.loads(corrente("bill", "list", "--issuer", "Example Net", "--json").output)
    assert [run["issued"][0]["gross"] for run in runs] == ["72.96", "72.96"]
    shown = corrente("invoice", "show", f"1/RC/{today().year}", "--issuer", "Example Net")
    assert "open: 72.96 EUR left" in shown.output
    assert corrente("invoice", "show", f"1/RC/{today().year}", "--issuer", "Other Net").exit_code == 1


def test_run_shows_asks_and_issues_and_done_again_finds_nothing(corrente, database):
    refused = corrente("bill", "run", typed="n\n")
    done = corrente("bill", "run", typed="y\n")
    again = corrente("bill", "run")

    assert (refused.exit_code, documents(database)) == (1, 4)
    assert "nothing was changed" in refused.output
    assert ["invoices", "4", "249.20", "54.84", "304.04", "EUR"] in words(done.output)
    assert f"Run 1 of {today()} (everything) is done." in done.output
    assert (again.exit_code, again.output.splitlines()[0]) == (0, "Nothing more is due.")
    assert documents(database) == 4
    told = json.loads(corrente("bill", "show", "1", "--json").output)
    assert (told["state"], told["confirmed_by"], told["issued"][0]["documents"]) == ("done", "maria", 4)


def test_one_customer_is_billed_alone(corrente, database):
    done = corrente("bill", "run", "--customer", "Anna Rossi 2", "--yes")

    assert "(customer 2) is done" in done.output
    assert documents(database) == 1


def test_a_prepared_run_waits_and_is_confirmed_or_cancelled(corrente, database):
    prepared = corrente("bill", "run", "--prepare-only")
    cancelled = corrente("bill", "cancel", "1")
    too_late = corrente("bill", "confirm", "1")
    corrente("bill", "run", "--prepare-only")
    confirmed = corrente("bill", "confirm", "1", "--json")

    assert "`corrente bill confirm 1` issues it" in prepared.output
    assert cancelled.exit_code == 0
    assert (too_late.exit_code, "was cancelled: prepare it again" in too_late.output) == (1, True)
    assert json.loads(confirmed.output)["state"] == "done"
    assert "is done: only a prepared one" in corrente("bill", "cancel", "1").output
    assert documents(database) == 4


def test_who_can_not_be_billed_is_named_with_the_reason_and_billed_by_the_next_run(corrente, database):
    with db.connect(database, name="test") as connection:
        acting(connection, "maria")
        address = connection.execute(
            "DELETE FROM address WHERE customer_id = 2 RETURNING street, postal_code, city"
        ).fetchone()

    done = corrente("bill", "run", "--yes")
    told = corrente("bill", "errors")
    with db.connect(database, name="test") as connection:
        acting(connection, "maria")
        connection.execute(
            "INSERT INTO address (customer_id, kind, street, postal_code, city, country) VALUES (2, 'legal', %s, %s, %s, 'IT')",
            address,
        )
    corrente("bill", "run", "--yes")

    assert "1 could not be billed" in done.output
    assert "customer 2 has no address" in told.output
    assert "Everybody was billed." in corrente("bill", "errors").output
    assert documents(database) == 4


def test_days_ahead_unknown_runs_and_unknown_customers_are_refused(corrente):
    ahead = today() + timedelta(days=1)

    assert "--json asks nothing" in corrente("bill", "run", "--json").output
    assert f"`--through {ahead}` bills ahead" in corrente("bill", "run", "--date", str(ahead)).output
    assert "there is no run 9" in corrente("bill", "show", "9").output
    assert "there is no customer 'Nobody'" in corrente("bill", "preview", "--customer", "Nobody").output
    assert corrente("bill", "errors").exit_code == 1
    assert "there is no contract 99999" in corrente("bill", "run", "--contract", "99999", "--yes").output
    assert "no contract has the billing group 'x'" in corrente("bill", "run", "--group", "x", "--yes").output
    far = ("--through", str(today() + timedelta(days=401)))
    assert "bills 401 days ahead" in corrente("bill", "run", *far, "--yes").output
    assert json.loads(corrente("bill", "list", "--json").output) == []
    assert corrente("bill", "preview", *far, "--far-ahead").exit_code == 0
    assert corrente("bill", "preview", "--through", str(today() + timedelta(days=400))).exit_code == 0


def test_a_day_before_the_last_number_is_refused_before_anything_is_written(corrente, database):
    corrente("bill", "run", "--yes")

    refused = corrente("bill", "run", "--date", str(today() - timedelta(days=1)), "--yes")

    assert refused.exit_code == 1
    assert f"register RC has a document of {today()}" in refused.output
    assert [one["state"] for one in json.loads(corrente("bill", "list", "--json").output)] == ["done"]


def test_a_run_that_the_database_ends_says_that_what_is_issued_stays_and_how_to_go_on(corrente, database):
    with db.connect(database, name="test", autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.execute("CREATE TRIGGER fail BEFORE INSERT ON charge FOR EACH STATEMENT EXECUTE FUNCTION fail()")
        ended = corrente("bill", "run", "--yes")
        connection.execute("DROP TRIGGER fail ON charge")

    again = corrente("bill", "confirm", "1")

    assert ended.exit_code == 1
    assert "Error: the database ended the run: no space left" in ended.output
    assert "What was issued is whole and stays; `corrente bill confirm 1` goes on" in ended.output
    assert "nothing was changed" not in ended.output
    assert (again.exit_code, documents(database)) == (0, 4)


def test_a_database_of_another_version_is_named_and_not_thrown_at_who_types(corrente, database):
    with db.connect(database, name="test", autocommit=True) as connection:
        connection.execute("ALTER TABLE billing_run RENAME COLUMN run_date TO day")

    refused = corrente("bill", "list")

    assert (refused.exit_code, str(refused.exception)) == (1, "1")
    assert "the database is of another version than this program" in refused.output
    assert "run `corrente db status`" in refused.output


def test_ctrl_c_leaves_whole_batches_and_says_how_to_go_on(tmp_path, database):
    with db.connect(database, name="test") as connection:
        make_books(connection, customers=1_600, starts_on=today().replace(day=1), static_address_every=2_000)
    settings = write_settings(tmp_path, database)
    holder = db.connect(database, name="test")
    # While the first customer's item is held, the first batch of 500 waits, and two more wait for their turn.
    holder.execute("SELECT FROM billing_position WHERE item_id = 1 FOR UPDATE")
    master, terminal = pty.openpty()
    environment = {**os.environ, "SUDO_USER": "maria", "TERM": "xterm", "COLUMNS": "200"}
    program = subprocess.Popen(
        [sys.executable, "-m", "control_plane", "--settings", str(settings), "bill", "run", "--yes"],
        stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    try:
        _until(lambda: _waits(database), program)
        os.kill(program.pid, signal.SIGINT)
        told = _read_until(master, b"Stopping after the customers in hand")
        holder.rollback()
        told += _read_until(master, b"goes on")
        code = program.wait(timeout=120)
    finally:
        holder.close()
        os.close(master)
        program.kill()
        program.wait()

    left = documents(database)
    again = run(settings, "bill", "confirm", "1")

    assert code == 1
    assert f"stopped: {left:,} customers are billed whole, the others not at all" in told.decode()
    assert left in (500, 1_000, 1_500)
    assert "is done" in again.output
    assert documents(database) == 1_600


def _waits(database):
    with db.connect(database, name="test", autocommit=True) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'corrente billing run%' AND wait_event_type = 'Lock'"
        ).fetchone()[0]


def _until(happens, program, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not happens():
        assert program.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _read_until(master, words, timeout_s=60):
    output, deadline = b"", time.monotonic() + timeout_s
    while words not in output:
        assert time.monotonic() < deadline, output
        if select.select([master], [], [], 0.1)[0]:
            output += os.read(master, 65536)
    return output
