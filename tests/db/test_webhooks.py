"""Webhooks, from the event that a transaction writes to what another server receives: signed, in order, again when it fails.

Signatures are checked by a few lines of the specification's own words, not by our code.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.types.json import Jsonb
from support.command_line import KEY, run, write_settings
from support.edge_process import wait_until
from support.http_receiver import OK, answer, receiver

from billing.store import outbox
from billing.store.outbox import Event
from billing.store.webhooks import _CLAIM
from control_plane import db
from control_plane.jobs.upkeep import clear_told
from control_plane.jobs.webhooks import relay_outbox, send_webhooks
from control_plane.leadership import FencedConnection
from control_plane.outward.call import Answered, Limits, Request, Unanswered, call, machine_trust
from control_plane.settings import load_settings

pytestmark = pytest.mark.db


class World:
    """The command, the worker's two jobs and a server that is told."""

    def __init__(self, worker, connection, settings_file, there):
        self.worker, self.connection, self.there = worker, connection, there
        self._file = settings_file
        self.settings = load_settings(settings_file)

    def ask(self, *words, code=0):
        result = run(self._file, "webhook", *map(str, words))
        assert result.exit_code == code, result.output
        return result.output

    def add(self, name="books", *events):
        options = [word for event in events for word in ("--event", event)]
        return json.loads(self.ask("add", name, self.there.url(), *options, "--json"))["secret"]

    def happens(self, *events):
        outbox.write(self.connection, events)
        self.connection.commit()

    def work(self, *, timeout_s=60.0):
        """What the worker does in a second, with so much patience for an answer."""
        now = datetime.now(UTC)
        relay_outbox(self.worker, self.settings, now)
        webhooks = replace(self.settings.webhooks, timeout_s=timeout_s)
        return send_webhooks(self.worker, replace(self.settings, webhooks=webhooks), now)

    def due_again(self, *, hours=0):
        """As if so much time had passed."""
        self.change(
            f"UPDATE webhook_delivery SET next_at = now(), began_at = began_at - interval '{hours} hours' WHERE state = 'waiting'"
        )

    def change(self, statement):
        self.connection.execute(statement)
        self.connection.commit()

    def rows(self, statement):
        found = self.connection.execute(statement).fetchall()
        self.connection.commit()
        return found

    def told(self):
        return [json.loads(one.body) for one in self.there.received]


@pytest.fixture(scope="module")
def shared(cluster, module_database):
    """One database for all tests here, and the worker's own connection."""
    with db.connect(module_database, name="test") as connection:
        connection.execute("ALTER ROLE corrente_worker LOGIN")
        connection.execute("UPDATE scheduler_fence SET token = 7")
        connection.commit()
        conninfo = cluster.conninfo(connection.info.dbname, user="corrente_worker")
        with FencedConnection.open(conninfo, name="worker", token=7) as worker:
            yield worker, connection, module_database


@pytest.fixture
def world(shared, tmp_path, monkeypatch):
    worker, connection, conninfo = shared
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(KEY).decode())
    connection.execute(
        "SET session_replication_role = replica; TRUNCATE webhook_endpoint, webhook_delivery, webhook_attempt, outbox,"
        " contract_version, audit_log; SET session_replication_role = DEFAULT"
    )
    connection.commit()
    # One run is to do all that is due, on a busy machine too.
    monkeypatch.setattr("control_plane.jobs.webhooks._RUN_S", 600.0)
    file = write_settings(tmp_path, conninfo)
    file.write_text(file.read_text() + "[webhooks]\nallow_private_addresses = true\ntimeout_s = 60.0\n")
    with receiver() as there:
        yield World(worker, connection, file, there)


def signatures_of(received, secret):
    """Standard Webhooks: base64 of HMAC-SHA256 over `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def test_what_a_transaction_writes_is_told_once_signed_and_in_time(world):
    secret = world.add("books", "document.issued")
    world.happens(Event("document.issued", {"document": 7}), Event("payment.recorded", {"payment": 1}))

    assert world.work() == "1 took"
    assert world.work() == "nothing due"

    (received,) = world.there.received
    assert received.line == "POST /in HTTP/1.1"
    assert received.headers["webhook-signature"] == signatures_of(received, secret)
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.headers["webhook-attempt"] == "1"
    (told,) = world.told()
    assert (told["type"], told["data"], told["id"]) == (
        "document.issued",
        {"document": 7},
        received.headers["webhook-id"],
    )
    assert world.rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]


def test_an_event_that_was_taken_back_is_told_to_nobody(world):
    world.add()
    outbox.write(world.connection, [Event("document.issued", {})])
    world.connection.rollback()

    assert world.work() == "nothing due"


def test_a_contract_s_events_go_in_order_also_while_the_first_fails_and_others_pass_it(world):
    world.add()
    world.there.script += [answer(500)]
    world.happens(Event("contract.changed", {"n": 1}, 1))
    world.work()
    world.happens(Event("contract.changed", {"n": 2}, 1), Event("contract.changed", {"n": 3}, 2))
    world.work()
    assert [one["data"]["n"] for one in world.told()] == [1, 3]

    world.due_again()
    assert world.work() == "2 took"

    assert [(one["data"]["n"], one.get("version")) for one in world.told()] == [(1, 1), (3, 1), (1, 1), (2, 2)]
    first, again = (world.there.received[index] for index in (0, 2))
    assert (again.headers["webhook-id"], again.headers["webhook-attempt"]) == (first.headers["webhook-id"], "2")
    assert again.body == first.body


def drip(line):
    """An octet at a time, for ever: only who is called can end it."""
    with contextlib.suppress(OSError):
        while True:
            line.sendall(b"x")
            time.sleep(0.2)


@pytest.mark.parametrize(
    "step",
    [
        answer(404),
        answer(302, "Location: http://127.0.0.1/"),
        b"",
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 2\x0000 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut",
        lambda line: [line.sendall(b"HTTP/1.1 200 OK\r\n"), line.recv(1)],
        drip,
    ],
    ids=["refused", "elsewhere", "silence", "no HTTP", "NUL", "cut", "stops", "an octet at a time"],
)
def test_whatever_goes_wrong_is_kept_and_tried_again(world, step):
    world.add()
    world.there.script += [step]
    world.happens(Event("document.issued", {}))

    assert world.work(timeout_s=1.0) == "1 again"
    ((number, problem),) = world.rows("SELECT id, problem FROM webhook_delivery WHERE state = 'waiting'")
    assert problem
    assert len(json.loads(world.ask("show", number, "--json"))["tries"]) == 1
    assert "fails since" in world.ask("list")

    world.due_again()
    assert world.work() == "1 took"
    assert "fails since" not in world.ask("list")


def test_after_three_days_it_is_parked_and_sent_again_by_hand(world):
    world.add()
    world.there.script += [answer(500), answer(500)]
    world.happens(Event("document.issued", {"document": 7}))
    world.work()
    world.due_again(hours=73)
    assert world.work() == "1 parked"
    assert "parked: answered 500" in world.ask("deliveries", "books")

    assert world.ask("replay", "books") == "1 is sent again.\n"
    assert world.work() == "1 took"
    assert [one.headers["webhook-attempt"] for one in world.there.received] == ["1", "2", "3"]
    assert len({one.headers["webhook-id"] for one in world.there.received}) == 1
    assert world.ask("replay", "books") == "0 are sent again.\n"
    assert world.ask("replay", "books", "--delivered", "--since", "-2h") == "1 is sent again.\n"


def test_who_takes_nothing_for_days_is_switched_off_with_an_alarm_and_its_events_wait(world):
    world.add()
    world.there.otherwise = answer(500)
    world.happens(Event("document.issued", {"n": 1}))
    world.work()
    world.change("UPDATE webhook_endpoint SET failing_since = now() - interval '5 days'")
    world.due_again()
    world.work()
    assert "it took nothing for 5 days: it answered 500" in world.ask("list")
    assert world.rows("SELECT actor, action FROM audit_log WHERE action = 'webhook.disable'") == [
        ("job send_webhooks", "webhook.disable")
    ]

    world.there.otherwise = OK
    world.happens(Event("document.issued", {"n": 2}))
    assert world.work() == "nothing due"
    assert "switched off" in world.ask("replay", "books", code=1)
    assert "`corrente webhook replay books` sends 2 that are parked" in world.ask("enable", "books")
    world.ask("replay", "books")
    assert world.work() == "2 took"
    assert sorted(one["data"]["n"] for one in world.told()) == [1, 1, 1, 2]


def test_who_says_gone_is_told_no_more(world):
    world.add()
    world.there.script += [answer(410)]
    world.happens(Event("document.issued", {}))
    assert world.work() == "1 parked"
    assert "it wants no events any more" in world.ask("list")


def test_while_a_secret_is_changed_both_sign_and_then_the_new_one_alone(world):
    old = world.add()
    new = json.loads(world.ask("rotate", "books", "--json"))["secret"]
    assert new != old
    for _ in range(2):
        world.happens(Event("document.issued", {}))
        world.work()
        world.change("UPDATE webhook_endpoint SET old_secret_until = now()")

    both, alone = world.there.received
    assert both.headers["webhook-signature"].split() == [signatures_of(both, new), signatures_of(both, old)]
    assert alone.headers["webhook-signature"] == signatures_of(alone, new)
    sealed = world.rows("SELECT sealed_secret FROM webhook_endpoint")[0][0]
    assert base64.b64decode(new.removeprefix("whsec_")) not in bytes(sealed)


def test_a_ping_is_answered_at_once_or_the_test_fails(world):
    secret = world.add("books", "payment.*")
    assert "answered 200" in world.ask("test", "books")
    world.there.script += [answer(401, body=b"who are you")]
    said = world.ask("test", "books", code=1)
    assert ("answered 401 'who are you'" in said, "did not take it" in said) == (True, True)

    first, _ = world.there.received
    assert first.headers["webhook-signature"] == signatures_of(first, secret)
    assert [one["type"] for one in world.told()] == ["webhook.ping", "webhook.ping"]
    assert world.work() == "nothing due"


def test_a_slow_endpoint_holds_up_nobody_else(world):
    world.add("slow")
    with receiver() as other:
        # It takes nothing before the other one has had everything.
        def slow(line):
            wait_until(lambda: len(other.received) == 8, seconds=50)
            line.sendall(OK)

        world.there.otherwise = slow
        world.ask("add", "quick", other.url())
        world.happens(*(Event("document.issued", {"n": n}) for n in range(8)))
        assert world.work() == "16 took"
        assert len(other.received) == len(world.there.received) == 8


def test_what_the_database_takes_of_nobody_keeps_nobody_else_s_tries_from_being_noted(world):
    world.add("odd")
    world.there.otherwise = answer(200, body=b"odd")
    world.change(
        "CREATE FUNCTION refuse_odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.answer = 'odd' THEN"
        " RAISE 'no such octets' USING ERRCODE = '22021'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER refuse_odd BEFORE INSERT ON webhook_attempt FOR EACH ROW EXECUTE FUNCTION refuse_odd()"
    )
    try:
        with receiver() as other:
            world.ask("add", "plain", other.url())
            world.happens(Event("document.issued", {}))
            assert world.work() == "2 took"
            assert world.work() == "nothing due"
    finally:
        world.change("DROP TRIGGER refuse_odd ON webhook_attempt; DROP FUNCTION refuse_odd")
    assert world.rows("SELECT status, answer FROM webhook_attempt ORDER BY answer") == [(200, ""), (200, "ok")]


def test_a_secret_that_can_t_be_opened_switches_its_endpoint_off_alone_until_there_is_another(world):
    world.add("damaged")
    with receiver() as other:
        world.ask("add", "whole", other.url())
        world.change(
            "UPDATE webhook_endpoint SET sealed_secret = set_byte(sealed_secret, 30, get_byte(sealed_secret, 30) # 1)"
            " WHERE name = 'damaged'"
        )
        world.happens(Event("document.issued", {"n": 1}), Event("document.issued", {"n": 2}))
        assert world.work() == "2 took"
        assert len(other.received) == 2
    assert "is damaged" in world.ask("list")
    assert world.rows("SELECT subject FROM audit_log WHERE action = 'webhook.disable'") == [("damaged",)]

    secret = json.loads(world.ask("rotate", "damaged", "--json"))["secret"]
    world.ask("enable", "damaged")
    world.ask("replay", "damaged")
    assert world.work() == "2 took"
    assert [one.headers["webhook-signature"] for one in world.there.received] == [
        signatures_of(one, secret) for one in world.there.received
    ]


def test_who_fails_is_tried_with_one_at_a_time_until_it_takes_something(world):
    world.add()
    world.there.script += [answer(500)]
    world.happens(Event("document.issued", {"n": 0}))
    world.work()
    at_once, most, lock = [], [0], threading.Lock()

    def count(line):
        with lock:
            at_once.append(line)
            most[0] = max(most[0], len(at_once))
        time.sleep(0.1)
        with lock:
            at_once.remove(line)
        line.sendall(answer(500))

    world.there.otherwise = count
    world.happens(*(Event("document.issued", {"n": n}) for n in range(1, 6)))
    assert world.work() == "5 again"
    assert most == [1]


@pytest.mark.parametrize("known", ["nothing", "no delivery", "no endpoint", "pages without rows", "all"])
def test_what_is_claimed_costs_the_same_however_many_wait(world, known):
    """Whatever the statistics say: they are old when a billing run has just told of thousands of documents."""
    if known == "no endpoint":
        world.change("ANALYZE webhook_endpoint")
    world.add()
    if known == "no delivery":
        world.change("ANALYZE webhook_delivery, webhook_endpoint")
    world.connection.execute(
        "INSERT INTO webhook_delivery (endpoint_id, outbox_id, event_id, event, contract_id, version, body)"
        " SELECT e.id, n, 'e' || n, 'document.issued', n, 1, '{}' FROM generate_series(1, 2000) AS n, webhook_endpoint AS e"
    )
    if known == "pages without rows":  # read while the billing run was not over
        with psycopg.connect(world.connection.info.dsn, autocommit=True) as beside:
            beside.execute("ANALYZE webhook_delivery")
    world.connection.commit()
    if known == "all":
        world.change("ANALYZE webhook_delivery, webhook_endpoint")
    given = {"each": 4, "busy": Jsonb({}), "lease_s": 1}
    with world.connection.transaction(force_rollback=True):
        db.expect_few_rows(world.connection, only_here=True)
        plan = "\n".join(row[0] for row in world.connection.execute(f"EXPLAIN ANALYZE {_CLAIM}", given))
    assert "rows=4 loops=1" in plan
    assert "rows=2000" not in plan
    assert "rows=1000" not in plan


def test_an_address_of_our_own_network_is_not_called_unless_the_settings_say_so(world):
    closed = load_settings(world._file)
    text = world._file.read_text()
    world.add()
    world._file.write_text(text.replace("allow_private_addresses = true", ""))
    assert "expected https://" in world.ask("add", "x", "http://example.com/in", code=1)
    world.settings = load_settings(world._file)
    world.change("UPDATE webhook_endpoint SET url = replace(url, 'http:', 'https:')")
    world.happens(Event("document.issued", {}))

    assert world.work() == "1 again"
    ((problem,),) = world.rows("SELECT problem FROM webhook_delivery")
    assert "no public address, so it is not called" in problem
    assert world.there.received == []
    assert closed.webhooks.allow_private_addresses


def test_an_answer_is_read_so_far_and_no_further_and_what_was_sent_is_known():
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    def pour(line):
        line.sendall(endless)
        while True:
            line.sendall(b"x" * 65536)

    with receiver() as there:
        there.script += [pour]
        came = call(Request(there.url(), body=b"{}"), Limits(60, 60, 1000), allow_private=True)
        assert isinstance(came, Answered)
        assert (came.status, len(came.body), came.whole) == (200, 1000, False)

        there.script += [lambda line: there.hold.wait(120)]
        came = call(Request(there.url(), body=b"{}"), Limits(1, 1, 1000), allow_private=True)
        assert isinstance(came, Unanswered)
        assert came.sent
        there.hold.set()
        port = there.port
    came = call(Request(f"http://127.0.0.1:{port}/", body=b"{}"), Limits(60, 60, 1000), allow_private=True)
    assert isinstance(came, Unanswered)
    assert not came.sent


def test_a_name_that_nobody_looks_up_in_time_ends_the_call_at_its_deadline(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait(240) and [])
    began = time.monotonic()
    came = call(Request("http://slow.example/", body=b"{}"), Limits(1, 0.3, 1000), allow_private=True)
    never.set()
    assert isinstance(came, Unanswered)
    assert (came.problem, came.sent) == ("no whole answer within 0.3 s", False)
    # Nobody had looked it up by then.
    assert time.monotonic() - began < 120


def test_whom_this_machine_trusts_is_not_read_for_each_call():
    assert machine_trust() is machine_trust()


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(world):
    world.add()
    world.there.script += [answer(500)]
    world.happens(Event("document.issued", {"n": 1}))
    world.work()
    world.happens(Event("document.issued", {"n": 2}))
    world.work()
    world.change(
        "UPDATE webhook_delivery SET made_at = made_at - interval '91 days', ended_at = ended_at - interval '91 days'"
    )

    assert "and 1 webhooks" in clear_told(world.worker, world.settings, datetime.now(UTC))
    assert world.rows("SELECT state::text FROM webhook_delivery") == [("waiting",)]


def test_a_removed_webhook_is_told_nothing_and_its_name_is_free(world):
    world.add()
    world.there.script += [answer(500)]
    world.happens(Event("document.issued", {}))
    world.work()
    assert "1 deliveries were given up" in world.ask("remove", "books", "--yes")
    world.happens(Event("document.issued", {}))
    assert world.work() == "nothing due"
    assert "there is no webhook 'books'" in world.ask("test", "books", code=1)
    world.add()
    assert "there is a webhook 'books' already" in world.ask("add", "books", world.there.url(), code=1)
