"""Notices to devices: written with the mail that tells the same, sent once by the worker's role, encrypted for that browser alone."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from support.http_receiver import Receiver, answer, receiver
from support.push_service_stand_in import BrowserStandIn

from billing.messages.message import NewMessage, Purpose
from billing.store.messages import queue
from billing.store.push_devices import MOST_OF_A_CUSTOMER, Subscription, add_device, load_devices_of
from control_plane import db
from control_plane.leadership import FencedConnection
from control_plane.messages.channel import ChannelError
from control_plane.messages.sending import send_messages
from control_plane.settings import EmailSettings, OperatorSettings, PushSettings, Settings
from control_plane.store.portal import begin_session, end_sessions
from control_plane.store.push_key import load_public_key

pytestmark = pytest.mark.db
NOW = datetime.now(UTC)
KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
ISP = """
SET LOCAL corrente.actor = 'maria';
INSERT INTO issuer (name, country, street, postal_code, city) VALUES ('Example Net', 'IT', 'Via dei Fiori', '10121', 'Torino');
ALTER ROLE corrente_worker LOGIN;
UPDATE scheduler_fence SET token = 7;
"""
TAKEN = answer(201, body=b"")


class Isp:
    """Two customers, a browser of the first one's, and a push service that is a stand-in."""

    def __init__(self, connection, worker, service: Receiver):
        self.connection, self.worker, self.service = connection, worker, service
        self.anna, self.bruno = self.customer("Anna Rossi", "it"), self.customer("Bruno Bianchi", "es")
        connection.execute("UPDATE message SET state = 'cancelled', ended_at = now() WHERE state = 'queued'")
        connection.commit()
        self.browser = BrowserStandIn()
        self.settings = Settings(
            email=EmailSettings(sender="no-reply@isp.test"),
            operator=OperatorSettings(name="Example Net"),
            push=PushSettings(allow_private_addresses=True, timeout_s=60.0),
        )

    def customer(self, name: str, language: str) -> int:
        """A new one, who is reached by mail."""
        self.connection.execute("SELECT set_config('corrente.actor', 'maria', true)")
        (number,) = self.connection.execute(
            "INSERT INTO customer (name, language) VALUES (%s, %s) RETURNING id", (name, language)
        ).fetchone()
        self.connection.execute(
            "INSERT INTO contact (customer_id, role, name, email) VALUES (%s, 'main', %s, %s)",
            (number, name, f"x{number}@example.net"),
        )
        return number

    def session(self, customer: int) -> int:
        """A session of the customer's in the portal."""
        begin_session(self.connection, customer, digest=secrets.token_bytes(32), csrf_secret=b"c" * 32, now=NOW)
        (made,) = self.connection.execute("SELECT max(id) FROM portal_session").fetchone()
        return made

    def device(self, customer: int, *, path: str = "1", session: int | None = None) -> int:
        """The browser, subscribed by that customer at an address of its own."""
        subscription = Subscription(f"{self.service.url()}/{path}", self.browser.public_key, self.browser.auth)
        session = session or self.session(customer)
        number = add_device(self.connection, customer, subscription, session_id=session, name="Firefox, Linux")
        self.connection.commit()
        return number

    def tell(self, origin: str = "receipt 1", **given) -> list[int]:
        """Tell Anna something at once."""
        kind = {"template": "restored", "at_once": True, **given}
        made = queue(self.connection, [NewMessage(self.anna, origin=origin, **kind)], made_by="maria")
        self.connection.commit()
        return made

    def notices(self, columns: str = "state::text, attempts"):
        found = self.connection.execute(
            f"SELECT {columns} FROM message WHERE channel = 'push' AND customer_id = %s ORDER BY id", (self.anna,)
        ).fetchall()
        self.connection.commit()
        return found

    def send(self, **changes) -> str:
        """A turn of the job. The mails wait: no server is named."""
        return send_messages(self.worker, msgspec.structs.replace(self.settings, **changes), NOW)

    def let_time_pass(self):
        self.connection.execute("UPDATE message SET next_at = now() WHERE state = 'queued'")
        self.connection.execute("UPDATE message SET taken_until = now() - interval '1 s' WHERE state = 'sending'")
        self.connection.commit()


@pytest.fixture(scope="module")
def office(cluster, module_database):
    """This module's database: as its owner, and as its worker."""
    with (
        db.connect(module_database, name="test") as owner,
        FencedConnection.open(_worker_of(cluster, owner), name="worker", token=7) as worker,
    ):
        yield owner, worker


def _worker_of(cluster, owner) -> str:
    owner.execute(ISP)
    owner.commit()
    return cluster.conninfo(owner.info.dbname, user="corrente_worker")


@pytest.fixture
def isp(office, monkeypatch):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", KEY)
    owner, worker = office
    with receiver() as service:
        service.otherwise = TAKEN
        # The worker makes the key as soon as it runs, and before anybody can ask for notices.
        made = Isp(owner, worker, service)
        assert made.send() == "nothing to send"
        yield made
        owner.rollback()


def claims_of(request) -> dict:
    token = request.headers["authorization"].removeprefix("vapid t=").split(",")[0].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def test_a_notice_comes_beside_the_mail_in_the_customers_language_and_that_browser_alone_reads_it(isp):
    isp.device(isp.anna)
    isp.device(isp.bruno, path="2")
    (mail,) = isp.tell()
    assert "1 sent" in isp.send()
    (request,) = isp.service.received
    assert request.line == "POST /in/1 HTTP/1.1"
    told = isp.browser.read(request)
    assert told == {
        "title": "Example Net: la Sua linea è di nuovo attiva",
        "body": "",
        "page": "/portal",
        "language": "it",
        "tag": request.headers["topic"],
    }
    assert claims_of(request)["aud"] == isp.service.url().removesuffix("/in")
    assert claims_of(request)["sub"] == "mailto:no-reply@isp.test"
    assert (
        base64.urlsafe_b64encode(load_public_key(isp.connection)).decode().rstrip("=")
        in request.headers["authorization"]
    )
    # It is no news in three days, and the push service forgets it then.
    assert 0 < int(request.headers["ttl"]) <= 3 * 86_400
    (device,) = load_devices_of(isp.connection, isp.anna)
    assert isp.notices("state::text, attempts, address, origin") == [
        ("sent", 1, f"device {device.id} at 127.0.0.1", f"message {mail} device {device.id}")
    ]
    with pytest.raises(AssertionError):
        BrowserStandIn().read(request)


def test_nothing_is_sent_twice(isp):
    isp.device(isp.anna)
    isp.tell()
    assert isp.tell() == []
    isp.send()
    isp.send()
    isp.let_time_pass()
    isp.send()
    assert len(isp.service.received) == 1


def test_links_and_offers_go_by_mail_alone(isp):
    isp.device(isp.anna)
    isp.tell("link", template="portal_link", data={"link": "https://x", "minutes": "30", "number": "1"})
    isp.tell("offer", template="text", data={"subject": "s", "text": "t"}, purpose=Purpose.MARKETING)
    assert isp.notices() == []


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_its_push_service_does_not_know_is_forgotten(isp, status):
    isp.device(isp.anna)
    isp.device(isp.anna, path="other")
    isp.tell()
    isp.service.script = [answer(status), TAKEN]
    isp.send()
    assert [one.endpoint for one in load_devices_of(isp.connection, isp.anna)] == [f"{isp.service.url()}/other"]
    assert isp.notices() == [("failed", 1), ("sent", 1)]
    isp.tell("receipt 2")
    isp.send()
    assert len(isp.service.received) == 3


def test_who_asks_to_wait_is_left_alone_by_all_and_has_everything_later(isp):
    isp.device(isp.anna)
    isp.device(isp.anna, path="2")
    isp.tell()
    isp.service.script = [answer(429, "Retry-After: 3600")]
    assert "2 deferred" in isp.send()
    assert len(isp.service.received) == 1
    waits = isp.notices("state::text, (next_at - now() > interval '59 min')")
    assert waits == [("queued", True), ("queued", True)]
    isp.let_time_pass()
    isp.send()
    assert isp.notices("state::text") == [("sent",), ("sent",)]
    assert len(isp.service.received) == 3


def test_what_no_answer_came_to_is_sent_once_more_under_the_same_topic(isp):
    isp.device(isp.anna)
    isp.tell()
    isp.service.script = [lambda line: line.close()]
    assert "1 in_doubt" in isp.send()
    isp.let_time_pass()
    isp.send()
    first, second = isp.service.received
    assert first.headers["topic"] == second.headers["topic"]
    assert isp.notices("state::text") == [("sent",)]


def test_a_trouble_of_the_service_is_tried_again_and_a_refusal_is_not(isp):
    isp.device(isp.anna)
    isp.tell()
    isp.service.script = [answer(502), answer(413, body=b"too large")]
    isp.send()
    assert isp.notices() == [("queued", 1)]
    isp.let_time_pass()
    isp.send()
    ((state, problem),) = isp.notices("state::text, problem")
    assert state == "failed"
    assert "answered 413: too large" in problem


def test_without_the_setting_no_address_inside_is_called(isp):
    isp.device(isp.anna)
    isp.tell()
    assert "1 deferred" in isp.send(push=PushSettings())
    assert isp.service.received == []


def test_a_device_that_is_switched_off_meanwhile_gets_nothing(isp):
    session = isp.session(isp.anna)
    isp.device(isp.anna, session=session)
    kept = isp.device(isp.anna, path="2")
    isp.tell()
    end_sessions(isp.connection, isp.anna, now=NOW, only=session)
    isp.connection.commit()
    assert [one.id for one in load_devices_of(isp.connection, isp.anna)] == [kept]
    isp.send()
    assert [one.line for one in isp.service.received] == ["POST /in/2 HTTP/1.1"]
    assert isp.notices("state::text, problem") == [("withheld", "the device is not told any more"), ("sent", "")]


def test_a_new_password_ends_notices_everywhere_but_where_it_was_set(isp):
    here = isp.session(isp.anna)
    isp.device(isp.anna, path="lost")
    kept = isp.device(isp.anna, path="here", session=here)
    # Of a session that ran out, and is deleted.
    gone = isp.device(isp.anna, path="old")
    isp.connection.execute("UPDATE push_device SET session_id = NULL WHERE id = %s", (gone,))
    other = isp.device(isp.bruno, path="bruno")
    end_sessions(isp.connection, isp.anna, now=NOW, but=here)
    assert [one.id for one in load_devices_of(isp.connection, isp.anna)] == [kept]
    assert [one.id for one in load_devices_of(isp.connection, isp.bruno)] == [other]


def test_a_browser_is_of_who_asked_in_it_last_and_a_customer_has_so_many(isp):
    isp.device(isp.anna)
    isp.device(isp.bruno)
    assert load_devices_of(isp.connection, isp.anna) == []
    for number in range(MOST_OF_A_CUSTOMER + 2):
        isp.device(isp.anna, path=f"many{number}")
    left = load_devices_of(isp.connection, isp.anna)
    assert len(left) == MOST_OF_A_CUSTOMER
    assert left[0].endpoint.endswith(f"/many{MOST_OF_A_CUSTOMER + 1}")


def test_mail_that_can_not_be_sent_holds_no_notice_back(isp):
    isp.device(isp.anna)
    isp.tell()
    with pytest.raises(ChannelError, match="mail server"):
        isp.send(email=EmailSettings(host="127.0.0.1", port=1, sender="no-reply@isp.test", security="none"))
    assert isp.notices("state::text") == [("sent",)]


def test_a_key_of_another_installation_says_what_is_wrong(isp, monkeypatch):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(b"B" * 32).decode())
    with pytest.raises(ChannelError, match="no notices are sent to devices: push_key:1 was sealed with a key"):
        isp.send()


def test_news_tell_what_they_say(isp):
    isp.device(isp.anna)
    isp.tell("news", template="text", data={"subject": "Nuovo numero", "text": "Da lunedì allo 011 555 0100."})
    isp.send()
    told = isp.browser.read(isp.service.received[0])
    assert (told["title"], told["body"]) == ("Nuovo numero", "Da lunedì allo 011 555 0100.")


def test_old_news_are_withheld_and_quiet_hours_are_kept(isp):
    isp.device(isp.anna)
    isp.tell(not_before=NOW - timedelta(days=9), at_once=False)
    isp.connection.execute("UPDATE message SET next_at = now()")
    isp.connection.commit()
    isp.send()
    assert isp.service.received == []
    assert isp.notices("state::text") == [("withheld",)]
