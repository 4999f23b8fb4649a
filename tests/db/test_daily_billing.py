"""The worker's daily billing, as the role it has in production."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.books_isp import make_books

from billing.operations.invoice_messages import send_invoices
from billing.store.acting import acting
from billing.store.invoice_messages import load_run_to_send
from control_plane import db
from control_plane.jobs.daily_billing import daily_billing
from control_plane.jobs.mail_invoices import mail_invoices
from control_plane.leadership import FencedConnection
from control_plane.settings import BillingSettings, EmailSettings, Settings

pytestmark = pytest.mark.db

# Six in the morning of 1 January in Rome.
MORNING = datetime(2026, 1, 1, 5, tzinfo=UTC)
ON = Settings(billing=BillingSettings(daily=True))


@pytest.fixture
def worker(cluster, connection):
    make_books(connection, customers=3)
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    connection.execute("UPDATE scheduler_fence SET token = 7")
    connection.commit()
    with FencedConnection.open(
        cluster.conninfo(connection.info.dbname, user="corrente_worker"), name="worker", token=7
    ) as opened:
        yield opened


def change(connection, statement):
    acting(connection, "maria")
    connection.execute(statement)
    connection.commit()


def states(connection):
    found = connection.execute(
        "SELECT run_date::text, state::text, confirmed_by FROM billing_run ORDER BY id"
    ).fetchall()
    connection.commit()
    return found


def test_it_does_nothing_unless_it_is_switched_on(worker, connection):
    assert daily_billing(worker, Settings(), MORNING) == "switched off: [billing] daily"
    assert states(connection) == []


def test_it_prepares_once_a_day_from_its_hour_on_and_issues_nothing_by_itself(worker, connection):
    before = daily_billing(worker, ON, MORNING - timedelta(hours=2))
    prepared = daily_billing(worker, ON, MORNING)
    again = daily_billing(worker, ON, MORNING + timedelta(hours=5))

    assert before == again == "nothing to prepare or to issue"
    assert prepared == "Example Net: prepared run 1 of 2026-01-01, 3 documents"
    assert states(connection) == [("2026-01-01", "prepared", None)]


def test_it_issues_what_a_person_confirmed(worker, connection):
    daily_billing(worker, ON, MORNING)
    change(connection, "UPDATE billing_run SET state = 'issuing', confirmed_by = 'maria', confirmed_at = now()")

    said = daily_billing(worker, ON, MORNING)

    assert said == "Example Net: run 1 issued 3 invoices and 0 credit notes of 3 customers; 0 failed"
    assert states(connection) == [("2026-01-01", "done", "maria")]


def test_it_issues_by_itself_when_the_issuer_s_hours_are_over(worker, connection):
    change(connection, "UPDATE issuer SET confirm_hours = 0")

    said = daily_billing(worker, ON, MORNING)

    assert "prepared run 1" in said
    assert "run 1 issued 3 invoices" in said
    assert states(connection) == [("2026-01-01", "done", "job daily_billing")]


def test_a_prepared_run_whose_day_later_numbers_have_passed_is_given_up(worker, connection):
    change(connection, "UPDATE issuer SET confirm_hours = 1")
    daily_billing(worker, ON, MORNING)
    change(connection, "UPDATE issuer SET confirm_hours = 0")
    daily_billing(worker, ON, MORNING + timedelta(days=1))
    change(connection, "UPDATE billing_run SET issue_after = now() WHERE state = 'prepared'")

    said = daily_billing(worker, ON, MORNING + timedelta(days=1))

    assert "run 1 is over: register RC has a document of 2026-01-02" in said
    assert [state for _, state, _ in states(connection)] == ["cancelled", "done"]


def test_a_worker_that_no_longer_leads_bills_nobody(worker, connection, database):
    change(connection, "UPDATE issuer SET confirm_hours = 0")
    with db.connect(database, name="test") as other:
        other.execute("UPDATE scheduler_fence SET token = 8")

    with pytest.raises(Exception, match="another worker leads now"):
        daily_billing(worker, ON, MORNING)

    assert states(connection) == []


MAIL = Settings(billing=BillingSettings(daily=True), email=EmailSettings(host="mail.example.net"))


def mailed(connection):
    """Which documents have a message, and whether the run is done with."""
    rows = connection.execute("SELECT origin FROM message ORDER BY id").fetchall()
    (done,) = connection.execute("SELECT mailed_at IS NOT NULL FROM billing_run").fetchone()
    connection.commit()
    return [origin for (origin,) in rows], done


@pytest.fixture
def billed(worker, connection):
    """Three invoices of a run of this day, to customers of whom the third has no address."""
    change(connection, "UPDATE issuer SET confirm_hours = 0")
    change(
        connection,
        "DELETE FROM contact; INSERT INTO contact (customer_id, role, email) SELECT id, 'main', 'c@customers.test' FROM customer ORDER BY id LIMIT 2",
    )
    daily_billing(worker, ON, MORNING)
    change(connection, f"UPDATE billing_run SET ended_at = '{MORNING:%Y-%m-%d %H:%M}+00'")
    return worker


def test_the_documents_of_a_run_are_mailed_by_themselves_once(billed, connection):
    assert mail_invoices(billed, MAIL, MORNING) == "Example Net, run 1: 2 documents queued"
    assert mailed(connection) == (["document 1", "document 2"], True)
    assert mail_invoices(billed, MAIL, MORNING) == "nothing to mail"
    # What was begun and not noted goes on where it was.
    change(connection, "UPDATE billing_run SET mailed_at = NULL; DELETE FROM contact WHERE customer_id = 2")
    assert mail_invoices(billed, MAIL, MORNING) == "Example Net, run 1: 0 documents queued"
    assert mailed(connection)[0] == ["document 1", "document 2"]


@pytest.mark.parametrize(
    ("why", "settings"),
    [
        ("UPDATE issuer SET mails_invoices = false", MAIL),
        ("UPDATE billing_run SET ended_at = ended_at + interval '8 days'", MAIL),
        ("SELECT 1", ON),
    ],
    ids=["the issuer does not want it", "it makes up the past", "there is no mail server"],
)
def test_a_run_is_left_to_a_person(billed, connection, why, settings):
    change(connection, why)
    assert mail_invoices(billed, settings, MORNING) == "nothing to mail"
    assert mailed(connection) == ([], True)
    # Nor later, when there is one.
    change(connection, "UPDATE issuer SET mails_invoices = true")
    assert mail_invoices(billed, MAIL, MORNING) == "nothing to mail"


def test_a_run_that_can_t_be_mailed_keeps_no_later_one_from_it(billed, connection):
    daily_billing(billed, ON, MORNING + timedelta(days=31))
    change(connection, f"UPDATE billing_run SET ended_at = '{MORNING:%Y-%m-%d %H:%M}+00'")
    change(connection, "ALTER TABLE message ADD CONSTRAINT broken CHECK (origin <> 'document 1')")
    with pytest.raises(psycopg.errors.CheckViolation, match="broken"):
        mail_invoices(billed, MAIL, MORNING)
    mails = "SELECT count(*) FROM message AS m JOIN document AS d ON m.origin = 'document ' || d.id GROUP BY d.run_id"
    assert connection.execute(mails).fetchall() == [(2,)]


def test_a_mail_waits_until_the_authority_has_taken_the_document(billed, connection):
    change(
        connection,
        "INSERT INTO einvoice_account (issuer_id, name, provider, environment, sealed_secret, series, from_on, made_by)"
        " VALUES (1, 'main', 'test_authority', 'test', decode(repeat('00', 33), 'hex'), 'A', '2026-01-01', 'maria')",
    )
    prepared = "'key 1', '\\x01', 'text/xml', sha256('\\x01')"
    change(
        connection,
        "INSERT INTO einvoice (document_id, account_id, kind, series, state, external_key, payload, media_type, digest)"
        f" VALUES (1, 1, 'invoice', 'A', 'accepted', {prepared})",
    )
    waits = "Example Net, run 1: {} documents queued, 1 wait for the tax authority"
    assert mail_invoices(billed, MAIL, MORNING) == waits.format(1)
    assert mail_invoices(billed, MAIL, MORNING) == waits.format(0)
    assert mailed(connection) == (["document 1"], False)
    # Nor is what waits read again each minute.
    assert load_run_to_send(connection, 1, after=0, limit=10) == []
    # By hand it waits too.
    assert send_invoices(connection, run_id=1, made_by="maria").waiting == 2
    connection.rollback()
    later = MORNING + timedelta(days=22)
    assert mail_invoices(billed, MAIL, later).endswith("0 documents queued, 1 were not taken by the tax authority")
    assert mailed(connection) == (["document 1"], True)
