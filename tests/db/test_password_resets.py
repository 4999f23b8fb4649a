"""A forgotten password: asked for by a page, mailed by the worker through a real Postfix, used once."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg.sql
import pytest
from support.console_world import sealer
from support.forms import send
from support.mail_world import PASSWORD as RELAY_PASSWORD
from support.mail_world import USER, mail_world

from control_plane import db
from control_plane.access.own import BadPasswordError, save_password
from control_plane.access.people import add_person, change_person, make_first_administrator
from control_plane.access.person import Actor
from control_plane.access.resetting import AskedTooOftenError, LinkOverError, ask_for_link, set_by_link
from control_plane.access.signing_in import Came, SignedIn, sign_in
from control_plane.jobs.password_resets import mail_resets
from control_plane.jobs.upkeep import clear_access
from control_plane.jobs.waking import WAKES
from control_plane.settings import (
    DatabaseSettings,
    EmailSettings,
    MessagesSettings,
    OperatorSettings,
    Settings,
    WebSettings,
)
from control_plane.store.staff import load_person
from web.app import create_app

pytestmark = [pytest.mark.db, pytest.mark.lab]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD, NEW = "a lorry full of pears", "eleven green bottles"
HERE = Came("192.0.2.7", "Firefox")


@pytest.fixture(scope="module")
def mail():
    with mail_world() as world:
        yield world


class Office:
    """An office with anna, whose language is Italian; a console's connection and a worker's."""

    def __init__(self, mail, console, worker, settings):
        self.mail, self.console, self.worker, self.settings = mail, console, worker, settings

    def ask(self, text, *, came=HERE, at=NOW):
        ask_for_link(self.console, text, came=came, now=at)
        self.console.commit()

    def send(self, *, at=NOW):
        return mail_resets(self.worker, self.settings, at)

    def link(self, count=1):
        got = self.mail.wait_for("anna@customers.test", count)[-1]
        (token,) = set(
            re.findall(r"https://office\.isp\.test/sign-in/reset/([\w-]{43})", got.get_body(("plain",)).get_content())
        )
        return token

    def enters(self, password, *, at=NOW):
        result = sign_in(self.console, sealer(), name="anna", password=password, came=HERE, now=at)
        self.console.commit()
        return isinstance(result, SignedIn)

    def rows(self):
        found = self.console.execute("SELECT r::text FROM password_reset AS r ORDER BY id").fetchall()
        self.console.commit()
        return found


@pytest.fixture
def office(mail, cluster, database, monkeypatch):
    mail.empty()
    monkeypatch.setenv("CORRENTE_EMAIL_PASSWORD", RELAY_PASSWORD)
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    email = EmailSettings("127.0.0.1", mail.strict, "starttls", str(mail.authority), USER, "no-reply@isp.test", "")
    settings = Settings(
        email=email,
        messages=MessagesSettings(public_url="https://office.isp.test/"),
        operator=OperatorSettings(name="Example Net"),
    )
    with db.connect(database, name="test", autocommit=True) as owner:
        for role in ("corrente_worker", "corrente_console"):
            owner.execute(psycopg.sql.SQL("ALTER ROLE {} LOGIN").format(psycopg.sql.Identifier(role)))
        make_first_administrator(owner, now=NOW)
        add_person(owner, "anna", full_name="Anna Rossi", roles=["reader"], by=Actor("test"), now=NOW,
                   details={"email": "anna@customers.test", "language": "it"})  # fmt: skip
        save_password(owner, load_person(owner, "anna"), OLD, now=NOW)
    with (
        db.connect(cluster.conninfo(name, user="corrente_console"), name="web") as console,
        db.connect(cluster.conninfo(name, user="corrente_worker"), name="worker", autocommit=True) as worker,
    ):
        yield Office(mail, console, worker, settings)


def test_a_link_comes_by_mail_and_sets_a_password_once(office):
    office.ask("Anna@Customers.test")
    assert office.send() == "1 of 1 links mailed"
    (got,) = office.mail.wait_for("anna@customers.test", 1)
    assert (got["Subject"], got["To"]) == ("Una nuova password per Example Net", "Anna Rossi <anna@customers.test>")
    token = office.link()
    assert token not in str(got["Message-ID"])
    assert token not in str(office.rows())
    for _ in range(6):
        office.enters("wrong")
    with pytest.raises(BadPasswordError):
        set_by_link(office.console, token, new="short", now=NOW)
    set_by_link(office.console, token, new=NEW, now=NOW)
    office.console.commit()
    assert office.enters(NEW)
    with pytest.raises(LinkOverError):
        set_by_link(office.console, token, new="a third one of them", now=NOW)
    assert office.send() == "nobody asks for a link"
    told = office.console.execute("SELECT action FROM audit_log WHERE subject = 'anna' ORDER BY id").fetchall()
    assert ("staff.ask_reset",) in told
    assert ("staff.use_reset",) in told


def test_a_link_is_over_after_an_hour_with_another_password_and_for_who_is_disabled(office):
    office.ask("anna")
    office.send()
    token = office.link()
    with pytest.raises(LinkOverError):
        set_by_link(office.console, token, new=NEW, now=NOW + timedelta(hours=1))
    office.console.rollback()
    change_person(office.console, "anna", changes={"enabled": False}, by=Actor("test"), now=NOW)
    with pytest.raises(LinkOverError):
        set_by_link(office.console, token, new=NEW, now=NOW)
    office.console.rollback()
    save_password(office.console, load_person(office.console, "anna"), NEW, now=NOW)
    with pytest.raises(LinkOverError):
        set_by_link(office.console, token, new=OLD, now=NOW)
    office.console.rollback()


def test_of_many_who_come_with_one_link_at_once_one_sets_the_password(office, database):
    office.ask("anna")
    office.send()
    token, ready, outcomes = office.link(), threading.Barrier(4), []

    def come(number):
        with db.connect(database, name="test") as connection:
            ready.wait()
            try:
                set_by_link(connection, token, new=f"{NEW} {number}", now=NOW)
                connection.commit()
                outcomes.append("set")
            except LinkOverError:
                outcomes.append("over")

    threads = [threading.Thread(target=come, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["over", "over", "over", "set"]


def test_nobody_s_name_and_one_asked_for_too_often_are_answered_the_same_and_write_no_mail(office):
    for text in ("nobody", "admin", "", "x" * 5000):  # admin has no address
        office.ask(text)
    assert office.rows() == []
    for _ in range(4):
        office.ask("anna")
    assert len(office.rows()) == 3
    assert office.send() == "3 of 3 links mailed"
    # 4 of nobody, 4 of hers and 12 more are 20.
    for number in range(12):
        office.ask(f"name-{number}")
    with pytest.raises(AskedTooOftenError):
        office.ask("anna")
    office.console.commit()
    office.ask("anna", came=Came("192.0.2.99"), at=NOW + timedelta(hours=1))
    assert len(office.rows()) == 4


def test_a_link_waits_for_the_mail_server_and_a_worker_that_died_leaves_one_that_nobody_has(office):
    office.ask("anna")
    away = Settings(email=msgspec.structs.replace(office.settings.email, port=1), messages=office.settings.messages)
    assert mail_resets(office.worker, away, NOW).startswith("0 links mailed; 1 links wait: the mail server 127.0.0.1:1")
    assert "email" in mail_resets(office.worker, Settings(), NOW + timedelta(minutes=2))
    # Killed after the link was made and before it was mailed: the next one makes another.
    office.worker.execute("UPDATE password_reset SET digest = decode(repeat('ab', 32), 'hex'), next_at = %s", (NOW,))
    assert office.send(at=NOW + timedelta(minutes=5)) == "1 of 1 links mailed"
    set_by_link(office.console, office.link(), new=NEW, now=NOW + timedelta(minutes=64))
    # Nobody mails what was asked for hours ago.
    office.ask("anna", at=NOW)
    assert office.send(at=NOW + timedelta(hours=2)) == "nobody asks for a link"


def test_who_asks_wakes_the_worker(office, database):
    with db.connect(database, name="listener", autocommit=True) as listener:
        for channel in WAKES:
            listener.execute(f"LISTEN {channel}")
        office.ask("anna")
        assert [WAKES[note.channel] for note in listener.notifies(timeout=120, stop_after=1)] == [
            "mail_password_resets"
        ]


def test_by_the_pages(office, database, tmp_path, monkeypatch):
    parts = {key: value for key, value in psycopg.conninfo.conninfo_to_dict(database).items() if key != "user"}
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    settings = Settings(
        database=DatabaseSettings(psycopg.conninfo.make_conninfo("", **parts)), email=office.settings.email,
        messages=office.settings.messages, operator=office.settings.operator, web=WebSettings(),
    )  # fmt: skip
    client = create_app(settings).test_client()
    assert "/sign-in/forgotten" in client.get("/sign-in").text
    known, unknown = (send(client, "/sign-in/forgotten", name=name) for name in ("anna", "nobody"))
    assert (known.status_code, known.text) == (200, unknown.text)
    office.send(at=datetime.now(UTC))
    token = office.link()
    assert send(client, f"/sign-in/reset/{token}", new=NEW, again="another").status_code == 422
    assert send(client, f"/sign-in/reset/{token}", new=NEW, again=NEW).headers["Location"] == "/sign-in"
    assert client.get(f"/sign-in/reset/{token}").status_code == 404
    assert send(client, "/sign-in", name="anna", password=NEW).status_code == 303


def test_what_has_been_over_for_long_is_cleared_by_the_worker_and_the_audit_log_stays(office):
    office.ask("anna")
    assert office.enters(OLD)
    late = NOW + timedelta(days=98)
    assert clear_access(office.worker, Settings(), NOW) == "cleared 0 rows"
    assert clear_access(office.worker, Settings(), late) == "cleared 5 rows"
    assert office.rows() == []
    assert office.console.execute("SELECT count(*) FROM audit_log WHERE actor = 'anna'").fetchone()[0] > 1
