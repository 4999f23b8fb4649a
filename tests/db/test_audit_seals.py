"""The audit log's days are sealed with all their rows, and what is done to them afterwards shows, whoever does it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from support.command_line import run, write_settings

from billing.audit_chain import Added, Changed, Missing
from billing.store.audit import Busy, load_head, next_day, seal_day, verify
from control_plane import db
from control_plane.jobs.upkeep import seal_audit

pytestmark = pytest.mark.db

FIRST = date(2026, 1, 10)
LAST = date(2026, 1, 13)
ADD = "INSERT INTO audit_log (at, actor, action, subject, detail, origin, request_id) VALUES (%s, %s, 'price.update', %s, %s, %s, %s)"
NOTHING_GUARDED = "ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_seal DISABLE TRIGGER USER"


def _write(connection):
    """Rows 1 to 12: five on the 10th, four on the 11th, none on the 12th, three on the 13th."""
    for count, day in ((5, 10), (4, 11), (3, 13)):
        for number in range(count):
            at = datetime(2026, 1, day, 8 + number, tzinfo=UTC)
            detail = json.dumps({"after": {"unit_price": 29.9 + number}})
            connection.execute(ADD, (at, "maria", f"price {number}", detail, "command", "7f3a"))


@pytest.fixture
def log(database):
    """A connection to a log that is not sealed; nothing of it is committed."""
    with psycopg.connect(database) as opened:
        _write(opened)
        yield opened


def _seal_all(connection, before=date(2026, 1, 14)):
    while (day := next_day(connection, before=before)) is not None:
        assert not isinstance(seal_day(connection, day), Busy)


@pytest.fixture(scope="module")
def sealed_once(module_database):
    with psycopg.connect(module_database) as opened:
        _write(opened)
        _seal_all(opened)
        opened.commit()
        yield opened


@pytest.fixture
def sealed(sealed_once):
    """A connection to a log of four sealed days; what a test does to it is taken back."""
    yield sealed_once
    sealed_once.rollback()


def _told(connection, **given):
    report = verify(connection, **given)
    return [(str(one.day), one.words, one.rows) for one in report.findings]


def test_each_day_is_sealed_with_its_rows_also_one_without_any_and_the_day_that_is_not_over_is_not(log):
    _seal_all(log, before=LAST)

    rows = log.execute("SELECT day, rows FROM audit_seal ORDER BY day").fetchall()
    assert rows == [(FIRST, 5), (date(2026, 1, 11), 4), (date(2026, 1, 12), 0)]
    report = verify(log)
    assert (report.days, report.rows, report.unsealed, report.findings) == (3, 9, 3, [])
    assert report.head == load_head(log)


def test_a_log_that_nobody_touched_is_as_it_was_sealed(sealed):
    report = verify(sealed, heads=(load_head(sealed),))
    assert (report.days, report.rows, report.unsealed, report.findings) == (4, 12, 0, [])


CHANGES = {
    "actor": "'bruno'",
    "action": "'price.insert'",
    "subject": "'price 9'",
    "detail": '\'{"after": {"unit_price": 2.9}}\'',
    "origin": "NULL",
    "request_id": "'7f3b'",
    "at": "at + interval '1 microsecond'",
}


@pytest.mark.parametrize("column", CHANGES)
def test_any_change_of_a_row_names_its_day_and_the_row(sealed, column):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute(f"UPDATE audit_log SET {column} = {CHANGES[column]} WHERE id = 7")

    assert _told(sealed) == [("2026-01-11", "its 4 rows do not give its digest", (Changed(7),))]


def test_every_column_of_a_row_is_covered(sealed):
    columns = sealed.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'audit_log'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    assert {name for (name,) in columns} == {*CHANGES, "id"}


@pytest.mark.parametrize(("number", "after"), [(6, None), (8, 7), (9, 8)])
def test_a_row_that_was_taken_out_is_missed(sealed, number, after):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("DELETE FROM audit_log WHERE id = %s", (number,))
    assert _told(sealed) == [("2026-01-11", "4 rows were sealed and 3 are there", (Missing(after),))]


def test_a_row_that_was_put_in_is_named(sealed):
    sealed.execute(NOTHING_GUARDED)
    row = (datetime(2026, 1, 12, 9, tzinfo=UTC), "nobody", "price 1", "{}", None, None)
    (number,) = sealed.execute(f"{ADD} RETURNING id", row).fetchone()
    assert _told(sealed) == [("2026-01-12", "0 rows were sealed and 1 are there", (Added(number),))]


def test_rows_that_changed_places_are_named(sealed):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute(
        "UPDATE audit_log SET at = CASE id WHEN 2 THEN timestamptz '2026-01-10 10:00+00' ELSE '2026-01-10 09:00+00' END WHERE id IN (2, 3)"
    )
    assert _told(sealed) == [("2026-01-10", "its 5 rows do not give its digest", (Changed(3), Changed(2)))]


def test_a_row_that_moved_to_another_day_is_missed_in_one_and_named_in_the_other(sealed):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("UPDATE audit_log SET at = '2026-01-11 20:00+00' WHERE id = 5")
    assert [(day, rows) for day, _, rows in _told(sealed)] == [
        ("2026-01-10", (Missing(4),)),
        ("2026-01-11", (Added(5),)),
    ]


def test_a_row_from_before_the_first_day_is_told_of(sealed):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute(ADD, (datetime(2025, 12, 31, tzinfo=UTC), "nobody", "price 1", "{}", None, None))
    assert _told(sealed) == [("2026-01-10", "1 rows are from before the first sealed day", ())]


def test_of_a_day_that_was_emptied_twenty_rows_are_named_and_that_there_are_more(log):
    for minute in range(30):
        log.execute(ADD, (datetime(2026, 1, 13, 12, minute, tzinfo=UTC), "maria", "price 1", "{}", None, None))
    _seal_all(log)
    log.execute(NOTHING_GUARDED)
    log.execute("DELETE FROM audit_log WHERE at >= '2026-01-13'")
    (finding,) = verify(log).findings
    assert (finding.rows, finding.more) == ((Missing(None),) * 20, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("digest = decode(repeat('ab', 32), 'hex')", ["2026-01-11", "2026-01-12"]),
        ("previous = decode(repeat('ab', 32), 'hex')", ["2026-01-11", "2026-01-11"]),
        ("marks = decode(repeat('ab', 32), 'hex')", ["2026-01-11"]),
        ("rows = 3, marks = substr(marks, 1, 24)", ["2026-01-11"]),
    ],
)
def test_a_seal_that_was_changed_shows(sealed, change, told):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute(f"UPDATE audit_seal SET {change} WHERE day = '2026-01-11'")
    assert [day for day, _, _ in _told(sealed)] == told


def test_marks_that_were_changed_say_so_and_name_no_row(sealed):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("UPDATE audit_seal SET marks = decode(repeat('ab', 32), 'hex') WHERE day = '2026-01-11'")
    assert _told(sealed) == [
        ("2026-01-11", "its rows are as they were sealed, and the marks of its seal were changed", ())
    ]


def test_a_seal_that_was_taken_out_shows_in_the_middle_by_itself_and_at_the_end_by_a_head_that_was_kept(sealed):
    head = load_head(sealed)
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("DELETE FROM audit_seal WHERE day = '2026-01-11'")
    assert _told(sealed) == [
        ("2026-01-11", "has no seal: it was taken out", ()),
        ("2026-01-12", "its seal does not follow on the day before", ()),
    ]
    sealed.rollback()
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("DELETE FROM audit_seal WHERE day = '2026-01-13'")
    assert _told(sealed) == []
    assert _told(sealed, heads=(head,)) == [("2026-01-13", "has no seal, and one was kept: seals were taken out", ())]


def test_who_seals_all_days_anew_is_found_out_by_a_head_that_was_kept(sealed):
    head = load_head(sealed)
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("UPDATE audit_log SET actor = 'bruno' WHERE id = 7")
    sealed.execute("DELETE FROM audit_seal WHERE day >= '2026-01-11'")
    _seal_all(sealed)

    assert _told(sealed) == []
    ((day, words, _),) = _told(sealed, heads=(head,))
    assert day == "2026-01-13"
    assert words.endswith(f"and {head.digest.hex()} was kept: days up to it were sealed anew")


def test_from_a_day_on_the_days_before_are_taken_as_they_are(sealed):
    sealed.execute(NOTHING_GUARDED)
    sealed.execute("UPDATE audit_log SET actor = 'bruno' WHERE id = 1")
    assert _told(sealed, since=date(2026, 1, 11)) == []
    assert verify(sealed, since=date(2026, 1, 11)).days == 3
    assert len(_told(sealed)) == 1


# --- sealing beside who writes ---------------------------------------------------------------------------------


@pytest.fixture
def writer(database):
    with psycopg.connect(database) as opened:
        opened.execute("SET lock_timeout = '300ms'")
        opened.commit()
        yield opened


LATE = (datetime(2026, 1, 13, 23, 59, 59, tzinfo=UTC), "maria", "price 1", "{}", None, None)


def test_a_day_waits_for_a_transaction_that_has_written_into_it_and_then_has_its_rows(log, writer):
    _seal_all(log, before=LAST)
    log.commit()
    writer.execute(ADD, LATE)

    assert isinstance(seal_day(log, LAST), Busy)
    log.rollback()
    writer.commit()
    assert seal_day(log, LAST).rows == 4


def test_who_writes_into_another_day_meanwhile_waits_for_nobody_and_delays_nobody(log, writer):
    _seal_all(log, before=LAST)
    log.commit()
    today = (datetime.now(UTC), "maria", "price 1", "{}", None, None)
    writer.execute(ADD, today)
    assert seal_day(log, LAST).rows == 3
    writer.execute(ADD, today)
    writer.commit()


def test_a_row_for_a_day_that_is_being_sealed_waits_and_is_refused_then(log, writer):
    _seal_all(log, before=LAST)
    log.commit()
    seal_day(log, LAST)
    with pytest.raises(psycopg.errors.LockNotAvailable), writer.transaction():
        writer.execute(ADD, LATE)
    log.commit()
    with pytest.raises(psycopg.errors.CheckViolation, match="the 2026-01-13 is sealed"):
        writer.execute(ADD, LATE)


def test_a_row_has_the_time_of_its_writing_so_a_transaction_from_before_midnight_is_not_refused(sealed):
    sealed.execute("SELECT pg_sleep(0.01)")
    sealed.execute("INSERT INTO audit_log (actor, action, subject) VALUES ('maria', 'price.update', 'price 1')")
    (later,) = sealed.execute(
        "SELECT at >= now() + interval '10 ms' FROM audit_log ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert later


def test_the_job_seals_what_is_over_as_the_worker_and_says_what_waits(log, writer, cluster):
    log.execute("ALTER ROLE corrente_worker LOGIN")
    log.commit()
    conninfo = cluster.conninfo(log.info.dbname, user="corrente_worker")
    with db.connect(conninfo, name="worker", autocommit=True) as worker:
        writer.execute(ADD, LATE)
        now = datetime(2026, 1, 14, 0, 10, tzinfo=UTC)
        waits = "2026-01-13 waits for a transaction that has written into it"
        assert seal_audit(worker, None, now) == f"sealed 3 days with 9 rows; {waits}"
        writer.commit()
        assert seal_audit(worker, None, now - timedelta(minutes=11)) == "sealed 0 days with 0 rows"
        assert seal_audit(worker, None, now) == "sealed 1 days with 4 rows"
        assert seal_audit(worker, None, now) == "sealed 0 days with 0 rows"


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)
    return lambda *arguments: run(settings, "audit", *arguments)


def test_the_command_seals_verifies_and_names_what_was_changed(corrente, log):
    assert corrente("head").exit_code == 1
    log.commit()
    assert corrente("seal").output.startswith("Sealed ")
    head = corrente("head").output.strip()
    good = corrente("verify", "--head", head)
    assert good.exit_code == 0
    assert good.output.startswith("OK: ")
    assert "with 12 rows are as they were sealed" in good.output

    log.execute(NOTHING_GUARDED)
    log.execute("UPDATE audit_log SET actor = 'bruno' WHERE id = 7")
    log.commit()
    bad = corrente("verify", "--head", head)
    assert bad.exit_code == 1
    assert bad.output.splitlines()[:3] == [
        "2026-01-11: its 4 rows do not give its digest",
        "  row 7 was changed",
        "The audit log is not what it was.",
    ]
    told = json.loads(corrente("verify", "--json").output)
    assert (told["ok"], told["findings"][0]["rows"]) == (False, [{"kind": "changed", "row_id": 7}])
    assert corrente("verify", "--head", "2026-01-11").exit_code == 2


def test_a_command_s_rows_say_so_and_share_their_request(corrente, tmp_path, database):
    settings = write_settings(tmp_path, database)
    made = run(settings, "profile", "add", "Home 30", "--rate", "30M/3M")
    assert made.exit_code == 0, made.output

    (row,) = json.loads(corrente("list", "--json").output)
    assert (row["actor"], row["origin"], row["action"]) == ("maria", "command", "profile.add")
    assert len(row["request_id"]) == 16
    assert json.loads(corrente("list", "--json", "--request", row["request_id"], "--action", "profile").output) == [row]
    assert json.loads(corrente("list", "--json", "--actor", "bruno").output) == []
    shown = corrente("show", str(row["id"])).output
    assert shown.startswith("profile.add of Home 30\n  by maria through command at ")
    assert corrente("show", "999").exit_code == 1
