"""Messages go out by a real Postfix and come back through a real Dovecot, as the worker's role sends and reads them."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest
from support.books_days import make_days
from support.mail_world import BOUNCES, PASSWORD, USER, mail_world

from billing.messages.message import Enclosure, NewMessage, Purpose
from billing.messages.texts import Source
from billing.operations.invoice_messages import send_invoices
from billing.store.message_templates import save_version
from billing.store.messages import queue
from billing.store.undeliverable import clear_undeliverable, load_undeliverable
from control_plane.check_others import check_messages
from control_plane.findings import Verdict
from control_plane.leadership import FencedConnection
from control_plane.messages.channel import ChannelError
from control_plane.messages.mailbox import read_returns
from control_plane.messages.sending import send_messages
from control_plane.settings import DatabaseSettings, EmailSettings, MailboxSettings, OperatorSettings, Settings
from web.app import create_app

pytestmark = [pytest.mark.db, pytest.mark.lab]
ROOT = Path(__file__).resolve().parents[2]
# A Monday so far away that what is queued now is due; the jobs are told what time it is.
NOW = datetime(2035, 3, 5, 12, tzinfo=UTC)
NIGHT = datetime(2035, 3, 5, 22, tzinfo=UTC)
SUNDAY = datetime(2035, 3, 4, 12, tzinfo=UTC)
SENDER = "no-reply@isp.test"
ISP = """
SET LOCAL corrente.actor = 'maria';
INSERT INTO issuer (name, country, street, postal_code, city) VALUES ('Other Net', 'IT', 'Via dei Fiori', '10121', 'Torino');
INSERT INTO customer (name, language) VALUES ('Anna Rossi', 'it');
"""
RECEIPT = {"amount": "61,00 €", "paid_on": "2 marzo 2026"}


@pytest.fixture(scope="module")
def mail():
    with mail_world() as world:
        yield world


class Isp:
    """The ISP with books: who sends, what is queued, and what became of it."""

    def __init__(self, mail, connection, worker):
        self.mail, self.connection, self.worker = mail, connection, worker
        (self.customer,) = connection.execute("SELECT min(id) FROM customer").fetchone()
        connection.commit()
        email = EmailSettings("127.0.0.1", mail.strict, "starttls", str(mail.authority), USER, SENDER, BOUNCES)
        mailbox = MailboxSettings("127.0.0.1", mail.imaps, "tls", str(mail.authority), BOUNCES)
        self.settings = Settings(email=email, mailbox=mailbox, operator=OperatorSettings(name="Example Net"))

    def reach(self, customer, address, language="it"):
        self.connection.execute("DELETE FROM contact WHERE customer_id = %s", (customer,))
        self.connection.execute(
            "INSERT INTO contact (customer_id, role, name, email, language) VALUES (%s, 'main', 'Anna Rossi', %s, %s)",
            (customer, address, language),
        )
        self.connection.commit()

    def queue(self, *messages):
        numbers = queue(self.connection, messages, made_by="maria")
        self.connection.commit()
        return numbers

    def tell(self, address, origin="receipt 1", **given):
        """A receipt to the first customer, who has that address."""
        self.reach(self.customer, address)
        kind = {"template": "receipt", "data": RECEIPT, "at_once": True, **given}
        (number,) = self.queue(NewMessage(self.customer, origin=origin, **kind))
        return number

    def send(self, *, at=NOW, **email):
        changed = msgspec.structs.replace(self.settings.email, **email)
        return send_messages(self.worker, msgspec.structs.replace(self.settings, email=changed), at)

    def read(self):
        return read_returns(self.worker, self.settings, NOW)

    def row(self, number, columns="state::text, attempts"):
        found = self.connection.execute(f"SELECT {columns} FROM message WHERE id = %s", (number,)).fetchone()
        self.connection.commit()
        return found

    def happened(self, number):
        found = self.connection.execute(
            "SELECT happened::text, detail FROM message_event WHERE message_id = %s ORDER BY id", (number,)
        ).fetchall()
        self.connection.commit()
        return found

    def let_time_pass(self):
        """What waits is due, and what was taken is over."""
        self.connection.execute("UPDATE message SET next_at = now() WHERE state = 'queued'")
        self.connection.execute("UPDATE message SET taken_until = now() - interval '1 s' WHERE state = 'sending'")
        self.connection.commit()


@pytest.fixture
def isp(mail, cluster, connection, monkeypatch):
    mail.empty()
    monkeypatch.setenv("CORRENTE_EMAIL_PASSWORD", PASSWORD)
    monkeypatch.setenv("CORRENTE_MAILBOX_PASSWORD", PASSWORD)
    connection.execute(ISP)
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    connection.execute("UPDATE scheduler_fence SET token = 7")
    connection.commit()
    conninfo = cluster.conninfo(connection.info.dbname, user="corrente_worker")
    with FencedConnection.open(conninfo, name="worker", token=7) as worker:
        yield Isp(mail, connection, worker)


def test_a_message_arrives_with_its_text_in_both_forms_its_pdf_and_an_address_to_come_back_to(isp):
    make_days(isp.connection)
    document, label, isp.customer = isp.connection.execute(
        "SELECT id, label, customer_id FROM document WHERE state = 'issued' AND kind = 'invoice' ORDER BY id LIMIT 1"
    ).fetchone()
    number = isp.tell("anna@customers.test", enclosures=(Enclosure("document", document),))

    assert isp.send() == "1 sent"

    (got,) = isp.mail.wait_for("anna@customers.test", 1)
    token, reference, written_at = isp.row(number, "replace(token::text, '-', ''), reference, written_at")
    assert (got["From"], got["To"]) == ("Example Net <no-reply@isp.test>", "Anna Rossi <anna@customers.test>")
    assert got["Subject"] == "Example Net: pagamento ricevuto"
    assert got["Message-ID"] == reference == f"<{number}.{token}@isp.test>"
    assert got["Return-Path"] == f"<bounces+{number}-{token[:16]}@isp.test>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["List-Unsubscribe"] is None
    assert parsedate_to_datetime(got["Date"]) == written_at.replace(microsecond=0)
    assert "ESMTPSA" in got["Received"]  # by TLS, and logged in
    plain, page = got.get_body(("plain",)).get_content(), got.get_body(("html",)).get_content()
    assert "abbiamo ricevuto il Suo pagamento di 61,00 € del 2 marzo 2026. Grazie." in plain
    assert "<p>abbiamo ricevuto il Suo pagamento di 61,00 € del 2 marzo 2026. Grazie.</p>" in page
    (pdf,) = got.iter_attachments()
    assert pdf.get_filename() == f"{label.replace('/', '-')}.pdf"
    assert pdf.get_content()[:5] == b"%PDF-"
    assert isp.row(number, "state::text, attempts, body, html, address") == (
        *("sent", 1, plain.replace("\r\n", "\n"), page.replace("\r\n", "\n"), "anna@customers.test"),
    )
    assert isp.happened(number)[0][1].startswith("2.0.0 Ok: queued as")
    assert isp.send() == "nothing to send"


def test_the_invoices_of_a_day_go_to_their_customers_once(isp):
    days = make_days(isp.connection)
    documents = [one.id for one in (*days.january, days.note)]
    for customer, name in zip(days.isp.customers, ("anna", "bruno", "carla"), strict=False):
        isp.reach(customer, f"{name}@customers.test", "it")
    assert len(send_invoices(isp.connection, document_ids=documents, made_by="maria").messages) == 4
    assert send_invoices(isp.connection, document_ids=documents, made_by="maria").messages == []
    isp.connection.commit()

    assert isp.send() == "4 sent"

    invoice, note = sorted(isp.mail.wait_for("anna@customers.test", 2), key=lambda one: "credito" in one["Subject"])
    assert invoice["Subject"] == "Example Net: fattura 1/FT/2026"
    assert "la fattura 1/FT/2026 del 1 gennaio 2026 di 36,48" in invoice.get_body(("plain",)).get_content()
    assert "con scadenza 16 gennaio 2026." in invoice.get_body(("plain",)).get_content()
    assert note["Subject"].startswith("Example Net: nota di credito 1/NC/2026")
    assert "di 12,20" in note.get_body(("plain",)).get_content()
    assert [next(one.iter_attachments()).get_filename() for one in (invoice, note)] == [
        "1-FT-2026.pdf",
        "1-NC-2026.pdf",
    ]
    assert len(isp.mail.wait_for("bruno@customers.test", 1)) == 1


def test_one_click_ends_marketing_a_look_and_a_wrong_token_do_not(isp, database):
    number = isp.tell("anna@customers.test")
    assert isp.send() == "1 sent"
    (token,) = isp.row(number, "left(replace(token::text, '-', ''), 16)")
    client = create_app(Settings(database=DatabaseSettings(conninfo=database))).test_client()

    def consents():
        found = isp.connection.execute("SELECT customer_id, given, wording FROM consent ORDER BY id").fetchall()
        isp.connection.commit()
        return found

    assert client.get(f"/unsubscribe/{number}-{token}").status_code == 200
    assert client.post(f"/unsubscribe/{number}-0123456789abcdef").status_code == 404
    assert client.post(f"/unsubscribe/{2**64}-{token}").status_code == 404
    assert consents() == []
    for _ in range(2):
        assert client.post(f"/unsubscribe/{number}-{token}", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert consents() == [(isp.customer, False, "List-Unsubscribe by one click")]


def test_nobody_gets_another_customers_invoice(isp):
    make_days(isp.connection)
    (document,) = isp.connection.execute("SELECT id FROM document WHERE state = 'issued' LIMIT 1").fetchone()
    number = isp.tell("anna@customers.test", enclosures=(Enclosure("document", document),))

    assert isp.send() == "1 deferred"

    assert isp.row(number, "problem") == (f"document {document} is not of customer {isp.customer}",)


def test_what_is_refused_for_now_goes_later_as_it_was_written_and_to_the_address_that_counts_then(isp):
    number = isp.tell("later@customers.test")

    assert isp.send() == "1 deferred"

    assert isp.row(number) == ("queued", 1)
    assert isp.happened(number) == [
        ("deferred", "450 4.7.1 <later@customers.test>: Recipient address rejected: greylisted, come back later")
    ]
    (wait,) = isp.row(number, "extract(epoch FROM next_at - now())::integer")
    assert 100 < wait <= 300
    before = isp.row(number, "reference, written_at, body")
    assert isp.send() == "nothing to send"
    isp.reach(isp.customer, "anna@customers.test")
    isp.let_time_pass()
    assert isp.send() == "1 sent"
    assert isp.row(number) == ("sent", 2)
    assert isp.row(number, "reference, written_at, body") == before
    assert len(isp.mail.wait_for("anna@customers.test", 1)) == 1
    assert load_undeliverable(isp.connection) == []


def test_what_is_refused_for_days_is_given_up(isp):
    number = isp.tell("later@customers.test")
    isp.connection.execute("UPDATE message SET attempts = 21")
    isp.connection.commit()

    assert isp.send() == "1 deferred"
    isp.let_time_pass()
    assert isp.send() == "1 failed"

    assert isp.row(number, "state::text, problem")[1].startswith("given up: 450 4.7.1")


def test_an_address_that_does_not_exist_is_written_to_no_more_until_a_person_says_so(isp):
    first = isp.tell("Nobody@customers.test")
    assert isp.send() == "1 failed"
    assert isp.row(first, "state::text, problem")[1].startswith("550 5.1.1 <Nobody@customers.test>")
    (marked,) = load_undeliverable(isp.connection)
    assert (marked.address, marked.message_id, marked.customers) == ("nobody@customers.test", first, [isp.customer])

    second = isp.tell("nobody@customers.test", "receipt 2")
    assert isp.send() == "1 withheld"
    assert isp.row(second, "state::text, problem")[1].startswith("the address does not exist: 550 5.1.1")

    assert clear_undeliverable(isp.connection, "email", "nobody@customers.test")
    isp.tell("nobody@customers.test", "receipt 3")
    assert isp.send() == "1 failed"


def test_a_judgement_on_the_message_says_nothing_of_the_address(isp):
    number = isp.tell("policy@customers.test")

    assert isp.send() == "1 failed"

    assert "5.7.1" in isp.row(number, "problem")[0]
    assert load_undeliverable(isp.connection) == []


def test_a_bounce_that_postfix_writes_is_read_by_imap_and_marks_the_message_and_the_address(isp):
    number = isp.tell("gone@far.test")
    assert isp.send() == "1 sent"
    (report,) = isp.mail.wait_for(BOUNCES, 1)
    assert report.get_content_type() == "multipart/report"

    assert isp.read() == "1 bounced"

    assert isp.row(number, "state::text, problem")[0] == "bounced"
    events = isp.happened(number)
    assert [word for word, _ in events] == ["sent", "bounced"]
    assert events[1][1].startswith("5.1.1 smtp; 550 5.1.1")
    (marked,) = load_undeliverable(isp.connection)
    assert marked.address == "gone@far.test"
    assert isp.read() == "nothing came back"
    assert isp.happened(number) == events


def test_a_bounce_with_a_token_that_is_not_the_messages_marks_nothing(isp):
    number = isp.tell("anna@customers.test")
    isp.send()
    isp.mail.wait_for("anna@customers.test", 1)
    forged = f"bounces+{number}-0123456789abcdef@isp.test"
    post(
        isp.mail,
        forged,
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; anna@customers.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n",
    )
    isp.mail.wait_for(BOUNCES, 1)

    assert isp.read() == "1 for a person"

    assert isp.row(number) == ("sent", 1)
    assert load_undeliverable(isp.connection) == []


def test_a_strangers_mail_that_can_t_be_kept_stops_nobody_elses(isp):
    number = isp.tell("gone@far.test")
    isp.send()
    head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    fields = "Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    quoted = "Message-ID: =?utf-8?q?=3Cx=00y=40isp=2Etest=3E?=\r\n\r\n--b--\r\n"
    post(isp.mail, "bounces+9999999999999999999-0123456789abcdef@isp.test", head + fields + quoted)
    isp.mail.wait_for(BOUNCES, 2)

    assert isp.read() == "1 bounced, 1 for a person"

    assert isp.row(number, "state::text") == ("bounced",)


def test_marketing_needs_a_consent_and_a_mail_to_its_way_out_ends_it(isp):
    offer = {"template": "text", "data": {"subject": "Fibra", "text": "A casa Sua"}, "purpose": Purpose.MARKETING}
    first = isp.tell("anna@customers.test", "offer 1", **offer)
    assert isp.send() == "1 withheld"
    assert isp.row(first, "problem") == ("there is no consent to marketing",)

    isp.connection.execute(
        "INSERT INTO consent (customer_id, purpose, channel, given, wording, taken_by) VALUES (%s, 'marketing', 'email', true, 'Sì', 'portal')",
        (isp.customer,),
    )
    second = isp.tell("anna@customers.test", "offer 2", **offer)
    assert isp.send(at=SUNDAY) == "1 held"
    assert isp.row(second, "next_at") == (datetime(2035, 3, 5, 7, tzinfo=UTC),)
    isp.let_time_pass()
    assert isp.send() == "1 sent"
    (got,) = isp.mail.wait_for("anna@customers.test", 1)
    way_out = got["List-Unsubscribe"].strip("<>").removeprefix("mailto:")
    assert way_out.startswith(f"bounces+u{second}-")
    post(isp.mail, way_out, "\r\nunsubscribe\r\n")
    isp.mail.wait_for(BOUNCES, 1)
    assert isp.read() == "1 unsubscribed"
    third = isp.tell("anna@customers.test", "offer 3", **offer)
    assert isp.send() == "1 withheld"
    assert isp.row(third, "problem") == ("declined",)


def test_quiet_hours_hold_what_can_wait_and_nothing_else(isp):
    isp.reach(isp.customer, "anna@customers.test")
    wait, legal, asked = isp.queue(
        NewMessage(isp.customer, "receipt", "a", RECEIPT),
        NewMessage(isp.customer, "receipt", "b", RECEIPT, purpose=Purpose.LEGAL),
        NewMessage(isp.customer, "receipt", "c", RECEIPT, at_once=True),
    )

    assert isp.send(at=NIGHT) == "1 held, 2 sent"

    # Eight in the morning in Rome.
    assert isp.row(wait, "state::text, attempts, next_at") == ("queued", 0, datetime(2035, 3, 6, 7, tzinfo=UTC))
    isp.let_time_pass()
    assert isp.send() == "1 sent"
    assert (isp.row(legal), isp.row(asked)) == (("sent", 1), ("sent", 1))


def test_the_limit_lets_one_customers_message_go_before_what_goes_to_many(isp):
    isp.reach(isp.customer, "anna@customers.test")
    (batch,) = isp.connection.execute(
        "INSERT INTO message_batch (title, scope, made_by) VALUES ('Works', '{}', 'maria') RETURNING id"
    ).fetchone()
    many, one = isp.queue(
        NewMessage(isp.customer, "restored", "works 1", batch_id=batch, at_once=True),
        NewMessage(isp.customer, "receipt", "receipt 1", RECEIPT, at_once=True),
    )

    assert isp.send(per_hour=1) == "1 sent, 1 the limit of [email] per_hour or per_day is reached"

    assert (isp.row(one), isp.row(many)) == (("sent", 1), ("queued", 0))
    assert isp.send(per_day=1) == "1 the limit of [email] per_hour or per_day is reached"
    assert isp.send() == "1 sent"


def test_a_text_that_is_broken_stops_no_other_and_its_message_goes_when_it_is_mended(isp):
    isp.reach(isp.customer, "anna@customers.test")
    save_version(isp.connection, "restored", "it", Source("Aperta", "{{ nobody }}"), issuer_id=None, made_by="maria")
    broken, _ = isp.queue(
        NewMessage(isp.customer, "restored", "a", at_once=True),
        NewMessage(isp.customer, "receipt", "b", RECEIPT, at_once=True),
    )

    assert isp.send() == "1 deferred, 1 sent"

    assert "'nobody' is undefined" in isp.row(broken, "problem")[0]
    save_version(isp.connection, "restored", "it", Source("Aperta", "{{ name }}!"), issuer_id=None, made_by="maria")
    isp.let_time_pass()
    assert isp.send() == "1 sent"
    assert isp.row(broken, "subject, body, template_version") == ("Aperta", "Anna Rossi!\n", 2)


def test_a_server_that_is_not_to_be_trusted_or_lets_nobody_in_is_named_and_nothing_is_tried(isp, monkeypatch):
    number = isp.tell("anna@customers.test")

    with pytest.raises(ChannelError, match=r"certificate verify failed.*check .email. security and ca_file"):
        isp.send(ca_file="")
    with pytest.raises(ChannelError, match=r"can't be used"):
        isp.send(port=1)
    monkeypatch.setenv("CORRENTE_EMAIL_PASSWORD", "wrong")
    with pytest.raises(ChannelError, match=r"does not let 'relay@isp\.test' in: 5\.7\.8"):
        isp.send()

    assert isp.row(number) == ("queued", 0)
    monkeypatch.setenv("CORRENTE_EMAIL_PASSWORD", PASSWORD)
    assert isp.send(port=isp.mail.tls, security="tls") == "1 sent"


@pytest.mark.parametrize(("purpose", "copies"), [(Purpose.SERVICE, 2), (Purpose.MARKETING, 1)])
def test_a_worker_that_is_killed_between_the_dot_and_the_commit_leaves_a_doubt(isp, database, purpose, copies):
    number = isp.tell("anna@customers.test", purpose=Purpose.SERVICE)
    # What it is for does not bear on how it goes, only on what is done with the doubt.
    isp.connection.execute("ALTER TABLE message DISABLE TRIGGER message_stays_as_asked")
    isp.connection.commit()
    with answers_held_back(isp.mail.smtp) as (port, text_was_taken):
        settings = msgspec.structs.replace(
            isp.settings, email=EmailSettings("127.0.0.1", port, "none", sender=SENDER, bounce_address=BOUNCES)
        )
        process = subprocess.Popen([sys.executable, "-c", TURN, database, msgspec.json.encode(settings)], cwd=ROOT)
        try:
            assert text_was_taken.wait(120), "the text was not sent"
        finally:
            process.kill()
            process.wait(120)
    (first,) = isp.mail.wait_for("anna@customers.test", 1)
    assert isp.row(number, "state::text, attempts, handed_at IS NOT NULL") == ("sending", 1, True)
    isp.connection.execute("UPDATE message SET purpose = %s", (purpose,))
    isp.connection.commit()
    assert isp.send() == "nothing to send"  # the lease is not over

    isp.let_time_pass()
    assert isp.send() == "1 in_doubt"
    isp.let_time_pass()
    isp.send()

    mails = isp.mail.wait_for("anna@customers.test", copies)
    assert [one["Message-ID"] for one in mails] == [first["Message-ID"]] * copies
    assert {one["Date"] for one in mails} == {first["Date"]}
    state = "sent" if copies == 2 else "failed"
    assert isp.row(number)[0] == state
    assert [word for word, _ in isp.happened(number)] == ["in_doubt", "sent"][:copies]


def test_messages_that_wait_for_a_server_that_nobody_named_are_told_of(isp):
    assert isp.send(host="") == "nothing to send"
    number = isp.tell("anna@customers.test")

    assert isp.send(host="") == "messages wait: [email] host is empty in corrente.toml"

    assert isp.row(number) == ("queued", 0)
    unsent = check_messages(isp.connection, mail_host="")
    assert (unsent.verdict, "e-mails wait, 1 of them, and no mail server is set" in unsent.text) == (Verdict.WARN, True)
    assert "`corrente message cancel`" in unsent.advice
    assert check_messages(isp.connection, mail_host="127.0.0.1").verdict is Verdict.OK


def test_a_second_doubt_is_left_to_a_person(isp):
    number = isp.tell("anna@customers.test")
    isp.connection.execute(
        "INSERT INTO message_event (message_id, happened, made_by) VALUES (%s, 'in_doubt', 'job send_messages')",
        (number,),
    )
    isp.connection.execute(
        "UPDATE message SET state = 'sending', attempts = 2, taken_until = now() - interval '1 s', handed_at = now(),"
        " address = 'anna@customers.test', reference = '<1@isp.test>', body = 'Ciao' WHERE id = %s",
        (number,),
    )
    isp.connection.commit()

    assert isp.send() == "1 in_doubt"

    assert isp.row(number) == ("failed", 2)
    assert isp.mail.mails("anna@customers.test") == []


def test_what_a_killed_worker_had_taken_and_not_sent_goes_once_without_a_doubt(isp):
    number = isp.tell("anna@customers.test")
    isp.connection.execute(
        "UPDATE message SET state = 'sending', attempts = 1, taken_until = now() - interval '1 s' WHERE id = %s",
        (number,),
    )
    isp.connection.commit()

    assert isp.send() == "1 sent"

    assert isp.row(number) == ("sent", 1)
    assert [word for word, _ in isp.happened(number)] == ["sent"]


TURN = """
import sys
from datetime import UTC, datetime
import msgspec, psycopg
from control_plane.messages.sending import send_messages
from control_plane.settings import Settings
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    send_messages(connection, msgspec.json.decode(sys.argv[2], type=Settings), datetime.now(UTC))
"""


def post(mail, to, rest):
    """A mail from outside, headers and text behind its Subject."""
    with smtplib.SMTP("127.0.0.1", mail.smtp) as smtp:
        smtp.sendmail("anna@customers.test", [to], f"From: anna@customers.test\r\nTo: {to}\r\nSubject: x\r\n{rest}")


@contextmanager
def answers_held_back(port):
    """A way to Postfix on which the answer to the text never arrives: its port, and what is set when the answer is here."""
    taken = threading.Event()
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def carry():
            try:
                here, _ = server.accept()
            except TimeoutError:
                return
            with here, socket.create_connection(("127.0.0.1", port)) as there:

                def back():
                    while (octets := there.recv(65536)) and b"queued as" not in octets:
                        here.sendall(octets)
                    taken.set()
                    stop.wait(120)

                answers = threading.Thread(target=back)
                answers.start()
                try:
                    while octets := here.recv(65536):
                        there.sendall(octets)
                except ConnectionError:
                    pass
                there.shutdown(socket.SHUT_RDWR)
                answers.join()

        carrying = threading.Thread(target=carry)
        carrying.start()
        try:
            yield server.getsockname()[1], taken
        finally:
            stop.set()
            carrying.join()
