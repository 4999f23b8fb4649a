"""What somebody sends who means harm: each was a hole once."""

from __future__ import annotations

import base64
import hashlib
import re
import resource
import threading
from contextlib import ExitStack

import pytest
from support.edge_process import wait_until
from support.forms import form_of

from control_plane import db
from control_plane.store.staff import hold_grants
from web import live, webhooks
from web.lists import mark_of

pytestmark = pytest.mark.db
# Pages of lists, each with another key: a text, a moment and a number, a number.
LISTS = ("/accounts", "/audit", "/payments", "/customers", "/documents", "/online", "/bank")
KEYS = ([1, "x"], ["a"], [None, None], [], [True, 1], [2**70, "x"])


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("path", LISTS)
def test_a_list_begins_behind_no_row_but_one_that_it_named_itself(console, path):
    client = console.client("administrator")
    forged = [*(mark_of(key) for key in KEYS), encoded('[{"n":"abc"}]'), encoded("[" * 1400), "é", "."]
    refused = {(mark, client.get(path, query_string={"after": mark}).status_code) for mark in forged}
    assert refused == {(mark, 400) for mark in forged}
    assert client.get(path).status_code == 200


def test_where_a_list_goes_on_is_of_that_list_and_question_alone(console):
    client = console.client("administrator")
    further = re.search(r'href="(/accounts\?after=[^"]+)"', client.get("/accounts").text)
    assert further is not None
    mark = further[1].partition("=")[2]
    assert client.get(further[1]).status_code == 200
    assert client.get(f"/accounts?sort=created&after={mark}").status_code == 400
    assert client.get(f"/customers?after={mark}").status_code == 400


@pytest.mark.parametrize("name", ["endpoint", "_scheme", "_external", "_anchor", "_method", "username"])
def test_a_question_that_is_called_as_a_part_of_an_address_leads_nowhere_else(console, name):
    page = console.client("administrator").get("/accounts", query_string={name: "javascript"})
    assert page.status_code == 200
    assert f'href="/accounts?{name}=javascript&amp;' in page.text


@pytest.fixture(scope="module")
def program(console):
    """What a program sends with a token of the administrator's."""
    token = "corr_attacked"
    console.query(
        "INSERT INTO api_token (staff_id, name, digest, prefix, permissions, made_by, created_at)"
        " SELECT id, 'attack', %s, 'corr_attack', ARRAY['customer.see', 'payment.record'], 'test', now() FROM staff WHERE name = 'admin' RETURNING id",
        (hashlib.sha256(token.encode()).digest(),),
    )
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def test_a_part_of_the_interfaces_list_is_refused_that_is_none(console, program):
    for forged in (mark_of([True]), encoded('[{"n":"abc"}]'), encoded("[" * 290)):
        assert console.client("").get(f"/api/v1/customers?after={forged}", headers=program).status_code == 404, forged


@pytest.mark.parametrize("body", ["[" * 100_000, '{"note": ' + "[" * 100_000, '{"nothing": ' + "[" * 100_000])
def test_a_body_that_is_nested_without_end_is_refused(console, program, body):
    assert console.client("").post("/api/v1/payments", data=body, headers=program).status_code in (400, 422)


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE staff_session SET ended_at = now(), ended_why = 'revoked' WHERE digest = %s RETURNING id",
        "DELETE FROM staff_has_role WHERE staff_id = (SELECT staff_id FROM staff_session WHERE digest = %s) RETURNING 1",
    ],
    ids=["the session", "the permission"],
)
def test_a_live_page_tells_nothing_more_once_what_let_it_in_has_ended(console, how, monkeypatch):
    role = {"U": "reader", "D": "support"}[how[0]]
    monkeypatch.setattr(live, "_SILENCE_S", 0.1)
    monkeypatch.setattr(live, "_ASK_S", 0.0)
    with console.client(role).get("/home/live") as answer:
        told = answer.iter_encoded()
        assert any(part.startswith(b"event:") for part in told)
        console.query(how, (hashlib.sha256(console.tokens[role].encode()).digest(),))
        assert list(told) == []


def test_one_person_does_not_take_the_live_pages_of_all(console):
    most = console.app.extensions["corrente"].settings.web.streams_per_person
    with ExitStack() as opened:
        look = lambda role: opened.enter_context(console.client(role).get("/home/live")).status_code  # noqa: E731 - three words
        assert [look("network operator") for _ in range(most + 2)] == [200] * most + [503] * 2
        assert look("administrator") == 200
    with console.client("network operator").get("/home/live") as again:
        assert again.status_code == 200


def posted(client, path, **fields):
    """A form as a browser sends it, with the secret of its page."""
    secret = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert secret is not None
    return client.post(path, data={"csrf_token": secret[1], **fields})


def test_a_customers_number_with_zeros_before_it_gives_no_further_tries(console):
    client = console.client("")
    said = [
        posted(client, "/portal/sign-in", name="0" * number + "7", password="wrong wrong wrong").text
        for number in range(7)
    ]
    assert ["Too many tries" in one for one in said] == [False] * 4 + [True] * 3


@pytest.mark.parametrize("path", ["/customers?file=csv", "/payments?file=xlsx", "/accounts", "/nothing"])
def test_nothing_of_a_page_or_a_file_stays_in_a_cache(console, path):
    with console.client("administrator").get(path) as answer:
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "meanwhile", "typed", "kept"),
    [
        (
            "/staff/people/reader/change",
            "UPDATE staff SET full_name = 'Of the first' WHERE name = 'reader'",
            {"full_name": "Of the second", "theme": "auto", "enabled": "y", "roles": "reader"},
            "SELECT full_name = 'Of the first' FROM staff WHERE name = 'reader'",
        ),
        (
            "/roles/of/agent",
            "UPDATE staff_role SET permissions = ARRAY['agent.own', 'network.see'] WHERE name = 'agent'",
            {"granted": ["agent.own", "customer.see"]},
            "SELECT NOT 'customer.see' = ANY (permissions) FROM staff_role WHERE name = 'agent'",
        ),
        (
            "/plans/1/edit",
            "UPDATE plan SET name = 'Of the first' WHERE id = 1",
            {
                "name": "Of the second",
                "profile": "1",
                "throttle": "1",
                "walled": "1",
                "confirmed": "yes",
                "once_key": "a",
            },
            "SELECT name = 'Of the first' FROM plan WHERE id = 1",
        ),
        (
            "/accounts/{account}/edit",
            "UPDATE subscriber_account SET max_sessions = 7 WHERE id = 1",
            {"max_sessions": "5", "secret": "keep", "confirmed": "yes", "once_key": "b"},
            "SELECT max_sessions = 7 FROM subscriber_account WHERE id = 1",
        ),
    ],
    ids=["a person", "a role", "a plan", "an account"],
)
def test_who_saves_while_another_is_saving_is_told_and_overwrites_nothing(console, path, meanwhile, typed, kept):
    client, said = console.client("administrator"), []
    ((account,),) = console.query("SELECT username FROM subscriber_account WHERE id = 1")
    path, typed = path.format(account=account), {**typed, "username": account}
    page = client.get(path).text
    hidden = {name: re.search(f'name="{name}"[^>]*value="([^"]*)"', page)[1] for name in ("csrf_token", "seen")}
    second = threading.Thread(target=lambda: said.append(client.post(path, data={**typed, **hidden}).status_code))
    with db.connect(console.conninfo, name="first", origin="command") as first:
        first.execute("SELECT set_config('corrente.actor', 'first', true)")
        hold_grants(first)
        first.execute(meanwhile)
        second.start()
        wait_until(
            lambda: console.query(
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
        first.commit()
    second.join()
    assert said == [422]
    assert console.query(kept) == [(True,)]


@pytest.mark.parametrize(
    "path", ["/dunning/cuts?since=0001-01-01", "/dunning/cuts?until=9999-12-31", "/audit?until=9999-12-31"]
)
def test_a_day_at_the_end_of_time_is_no_fault_of_ours(console, path):
    assert console.client("administrator").get(path).status_code in (400, 422)


def test_a_typed_day_without_a_day_after_it_is_refused_beside_its_field(console):
    answer = posted(console.client("administrator"), "/ledger/periods", through="9999-12-31", reason="x")
    assert answer.status_code == 422
    assert "Write a day such as" in answer.text


@pytest.mark.parametrize(
    ("path", "field"),
    [("/taxes/rate", "percent"), ("/taxes/duty", "since"), ("/nases/new", "source"), ("/payments/new", "amount")],
)
def test_what_is_needed_is_not_there_where_blanks_alone_are(console, path, field):
    client = console.client("administrator")
    form = form_of(client.get(path).text)
    answer = client.post(path, data=form | {name: "7" for name in form if not form[name]} | {field: " \u2028"})
    assert answer.status_code == 422
    assert "This is needed." in answer.text


@pytest.mark.parametrize(
    ("path", "fields", "headers", "status"),
    [
        ("/sign-in/second", {"code": "123456"}, {}, 303),
        ("/sign-in", {"name": "admin", "password": "x"}, {"Origin": "http://["}, 400),
    ],
    ids=["a code that follows nothing", "an origin that is no address"],
)
def test_a_stranger_makes_no_fault_of_ours(console, path, fields, headers, status):
    client = console.client("")
    secret = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert secret is not None
    assert client.post(path, data={"csrf_token": secret[1], **fields}, headers=headers).status_code == status


def test_a_passkeys_answer_that_is_nested_without_end_is_none(console):
    client = console.client("")
    asked = posted(client, "/sign-in", name="", password="").text
    secret = re.search(r'name="csrf_token" value="([^"]+)"', asked)
    assert secret is not None
    handle = client.post("/sign-in/passkey/options", data={"csrf_token": secret[1]}).json["handle"]
    answer = client.post("/sign-in/passkey", data={"csrf_token": secret[1], "handle": handle, "answer": "[" * 10_000})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?back=/")


def test_a_program_that_changes_what_another_is_changing_is_told_and_overwrites_nothing(console):
    token, said = "corr_plan", []
    console.query(
        "INSERT INTO api_token (staff_id, name, digest, prefix, permissions, made_by, created_at)"
        " SELECT id, 'plan', %s, 'corr_plan', ARRAY['catalogue.see', 'catalogue.change'], 'test', now() FROM staff WHERE name = 'admin' RETURNING id",
        (hashlib.sha256(token.encode()).digest(),),
    )
    client, headers = console.client(""), {"Authorization": f"Bearer {token}"}
    tag = client.get("/api/v1/plans/2", headers=headers).headers["ETag"]

    def change() -> None:
        body = {"name": "Of the second"}
        said.append(client.patch("/api/v1/plans/2", json=body, headers={**headers, "If-Match": tag}).status_code)

    second = threading.Thread(target=change)
    with db.connect(console.conninfo, name="first", origin="command") as first:
        first.execute("SELECT set_config('corrente.actor', 'first', true)")
        first.execute("UPDATE plan SET name = 'Before the second' WHERE id = 2")
        second.start()
        wait_until(
            lambda: console.query(
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
        first.commit()
    second.join()
    assert said == [412]
    assert console.query("SELECT name FROM plan WHERE id = 2") == [("Before the second",)]


def test_whoever_sends_notices_in_a_crowd_takes_few_of_the_database_s_connections(console, monkeypatch):
    said, most = [], webhooks._MOST
    crowd = [
        threading.Thread(target=lambda: said.append(console.client("").post("/webhooks/nothing").status_code))
        for _ in range(most)
    ]
    with db.connect(console.conninfo, name="test", origin="command") as holds:
        holds.execute("LOCK TABLE gateway_account")
        for one in crowd:
            one.start()
        wait_until(lambda: console.query("SELECT FROM pg_locks WHERE NOT granted") == [()] * most)
        monkeypatch.setattr(webhooks, "_WAIT_S", 0)
        assert console.client("").post("/webhooks/nothing").status_code == 503
    for one in crowd:
        one.join()
    assert said == [404] * most
    assert console.client("").post("/webhooks/nothing").status_code == 404
    console.app.extensions["webhook_connections"].close()


@pytest.mark.parametrize("path", ["/quotes?customer={}", "/payments/new?done={}", "/customers/{}"])
def test_a_number_of_more_figures_than_anything_has_is_no_fault_of_ours(console, path):
    assert console.client("administrator").get(path.format("9" * 5000)).status_code in (404, 422)


def test_a_figure_that_is_no_number_takes_no_line_away(console):
    client = console.client("administrator")
    form = form_of(client.get("/documents/new?customer=1").text)
    assert client.post("/documents/new/lines", data={**form, "change": "\u00b2"}).status_code == 200


def test_a_site_without_a_name_has_no_passkeys(console):
    client = console.client("")
    form = form_of(client.get("/sign-in").text)
    assert client.post("/sign-in/passkey/options", data=form, headers={"Host": "a b"}).status_code == 404


def uploaded(client, octets):
    """The answer to a file of that size for customer 1, sent as a browser does; the test's own side keeps it in memory."""
    form = form_of(client.get("/customers/1/files").text)
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{form[name]}\r\n' for name in form]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="scan.pdf"\r\n\r\n'
    body = ("".join(parts) + head).encode() + b"%PDF-" + bytes(octets) + b"\r\n--x--\r\n"
    return client.post("/customers/1/files", data=body, content_type="multipart/form-data; boundary=x")


# What had come of the file is closed when Python gets to it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", ["the database", "the web process"])
def test_a_file_for_which_there_is_no_room_is_told_and_nothing_of_it_is_kept(console, where):
    client = console.client("administrator")
    kept = "SELECT count(*) FROM attachment UNION ALL SELECT count(*) FROM idempotency_key"
    before = console.query(kept)
    with ExitStack() as full:
        if where == "the database":
            owner = full.enter_context(db.connect(console.conninfo, name="test", autocommit=True))
            owner.execute(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$;"
                "CREATE TRIGGER no_room BEFORE INSERT ON attachment FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
            full.callback(owner.execute, "DROP TRIGGER no_room ON attachment")
        else:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
            full.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        answer = uploaded(client, 1_000_000)
    assert answer.status_code == 503
    assert "The disk is full" in answer.text
    assert console.query(kept) == before
    assert uploaded(client, 1_000_000).status_code == 303
