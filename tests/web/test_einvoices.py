"""E-invoices in the console: those that need a person with the authority's words and the last day, sent again once, and their accounts."""

from __future__ import annotations

import re
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.billing_world import bill
from support.browser import usable_by_everybody
from support.console_world import sealer
from support.forms import hidden, send_named
from support.ports import free_port
from support.program import Program

from billing.store.einvoice_desk import add_account, take_account_id
from control_plane import db
from control_plane.access.permissions import Permission
from control_plane.einvoice.queueing import queue_documents
from radius_hooks.sealing import einvoice_row

pytestmark = pytest.mark.db
DAY = date(2026, 7, 1)
# As the authority sent them: shown as text, whatever they hold.
XML = b'<?xml version="1.0"?><receipt><script>alert(1)</script></receipt>'
_PUT = (
    "UPDATE einvoice SET state = %(state)s::einvoice_state, number = %(number)s, external_key = %(key)s, payload = %(xml)s,"
    " media_type = 'application/xml', digest = sha256(%(xml)s), problem = %(problem)s, next_try = now(), since = now() - make_interval(days => %(days)s)"
    " WHERE id = %(id)s"
)


@pytest.fixture(scope="module")
def queued(console):
    """Three e-invoices: one refused today, one refused two weeks ago, one accepted."""
    bill(console.conninfo, DAY)
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    given = {
        "url": f"http://127.0.0.1:{free_port()}",
        "tax_number": "99900009996",
        "authority_key": "QUFB" * 10 + "QUE=",
    }
    with db.connect(console.conninfo, name="test") as connection:
        number = take_account_id(connection)
        add_account(
            connection, number, issuer_id=1, name="main", provider="test_authority", environment="test", settings=given,
            sealed=sealer().seal(key, row=einvoice_row(number)), series="A", from_on=DAY, by="maria",
        )  # fmt: skip
        ids = [
            row[0] for row in connection.execute("SELECT id FROM document WHERE kind = 'invoice' ORDER BY id LIMIT 3")
        ]
        queue_documents(connection, ids, earlier_too=True)
        numbers = [row[0] for row in connection.execute("SELECT id FROM einvoice ORDER BY id")]
        for place, (one, state, problem, days) in enumerate(
            zip(
                numbers,
                ("rejected_fixable", "rejected_fixable", "accepted"),
                ("00305: the <tax number> is not valid", "00400: no rate", ""),
                (0, 14, 0),
                strict=True,
            ),
            start=1,
        ):
            values = {
                "id": one,
                "state": state,
                "number": place,
                "key": f"k{place}",
                "xml": XML,
                "problem": problem,
                "days": days,
            }
            connection.execute(_PUT, values)
        connection.execute(
            "INSERT INTO einvoice_event (einvoice_id, direction, operation, code, text) VALUES (%s, 'received', 'submit', '00305', 'The number is not valid')",
            (numbers[0],),
        )
        connection.execute(
            "INSERT INTO einvoice_artifact (einvoice_id, kind, content, digest) VALUES (%s, 'receipt', %s, sha256(%s))",
            (numbers[0], XML, XML),
        )
        connection.commit()
    return numbers


def listed(answer) -> list[int]:
    return [int(one) for one in re.findall(r'<td><a href="/einvoices/(\d+)">', answer.text)]


def test_the_list_says_who_needs_a_person_in_the_authority_s_words_and_until_when(console, queued):
    client = console.client("billing")
    assert listed(client.get("/einvoices")) == queued[::-1]
    waiting = client.get("/einvoices?state=waiting")
    assert listed(waiting) == [queued[1], queued[0]]
    assert "00305: the &lt;tax number&gt; is not valid" in waiting.text
    assert waiting.text.count("last day was") == 1
    assert waiting.text.count(">until ") == 1
    assert listed(client.get("/einvoices?state=accepted")) == [queued[2]]
    for wrong in ("state=lost", "account=other", "after=%21"):
        assert client.get(f"/einvoices?{wrong}").status_code == 400
    assert console.client("collector").get("/einvoices").status_code == 403


def test_one_is_shown_with_what_was_said_and_its_files_as_text_or_to_be_kept(console, queued):
    client = console.client("reader")
    page = client.get(f"/einvoices/{queued[0]}").text
    assert "The number is not valid" in page
    assert "send it again under its number" in page
    shown = client.get(f"/einvoices/{queued[0]}/files/receipt")
    assert "&lt;script&gt;" in shown.text
    kept = client.get(f"/einvoices/{queued[0]}/files/receipt?keep=yes")
    assert kept.data == XML
    assert kept.headers["Content-Type"] == "application/octet-stream"
    assert ".xml" in kept.headers["Content-Disposition"]
    for nothing in (
        "/einvoices/999999",
        f"/einvoices/{queued[0]}/files/other",
        f"/einvoices/{queued[1]}/files/receipt",
    ):
        assert client.get(nothing).status_code == 404


def test_a_refused_one_is_sent_again_once_and_only_by_who_may(console, queued):
    path = f"/einvoices/{queued[1]}/retry"
    assert console.client("support").get(path).status_code == 403
    client = console.client("billing")
    page = client.get(path).text
    assert "Its last day was" in page
    given = {name: hidden(page, name) for name in ("csrf_token", "once_key", "seen")}
    # Who was not shown that it is late is shown it first.
    assert client.post(path, data=given | {"seen": ""}).status_code == 422
    answers = [client.post(path, data=given) for _ in range(2)]
    assert [answer.headers.get("Location") for answer in answers] == [f"/einvoices/{queued[1]}"] * 2
    assert console.query("SELECT state::text, number FROM einvoice WHERE id = %s", (queued[1],)) == [("prepared", 2)]
    assert console.query("SELECT actor, detail ->> 'late' FROM audit_log WHERE action = 'einvoice.retry'") == [
        ("billing", "true")
    ]
    done = send_named(client, f"/einvoices/{queued[2]}/retry")
    assert done.status_code == 422
    assert "This can&#39;t be done with it as it stands now." in done.text


def test_an_account_is_switched_asked_and_let_go_on(console, queued):
    client = console.client("billing")
    token = hidden(client.get("/einvoices/accounts/main/off").text, "csrf_token")
    asked = client.post("/einvoices/accounts/main/check", data={"csrf_token": token})
    assert "It does not work" in asked.text or "with a remark" in asked.text
    state = "SELECT enabled, blocked_reason FROM einvoice_account"
    assert send_named(client, "/einvoices/accounts/main/off").status_code == 303
    assert console.query(state) == [(False, "")]
    assert send_named(client, "/einvoices/accounts/main/on").status_code == 303
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE einvoice_account SET blocked_at = now(), blocked_reason = 'certificate expired'")
    assert "certificate expired" in client.get("/einvoices").text
    assert send_named(client, "/einvoices/accounts/main/unblock").status_code == 303
    assert console.query(state) == [(True, "")]
    assert client.get("/einvoices/accounts/none/off").status_code == 404


def test_an_account_is_made_with_a_key_that_never_comes_back_and_given_another(console, queued):
    client, address = console.client("administrator"), "/einvoices/accounts/new"
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    given = {
        "setting_url": "https://93.184.216.34",
        "setting_tax_number": "99900009996",
        "setting_authority_key": "QUFB",
    }
    typed = {"name": "second", "issuer": "1", "series": "B", "from_on": "2026-07-01", "secret": key, **given}

    def post(where, page=None, **more):
        page = page or client.get(where).text
        frame = {name: hidden(page, name) for name in ("csrf_token", "once_key")}
        return client.post(where, data=frame | more)

    for wrong, words in (
        ({"name": "main"}, "another account of this issuer is on"),
        ({"secret": "no key"}, "The provider does not take it"),
        ({"setting_url": "http://127.0.0.1:1"}, "private"),
        ({"setting_tax_number": ""}, "This is needed."),
    ):
        if wrong != {"name": "main"}:
            console.query("UPDATE einvoice_account SET enabled = false RETURNING 1")
        answer = post(address, **typed | wrong)
        assert (answer.status_code, words.lower() in answer.text.lower()) == (422, True), wrong
        assert "PRIVATE KEY" not in answer.text
    page = client.get(address).text
    assert [post(address, page, **typed).status_code for _ in range(2)] == [303, 303]
    made = "SELECT environment::text, series, sealed_secret FROM einvoice_account WHERE name = 'second'"
    ((environment, series, sealed),) = console.query(made)
    assert (environment, series) == ("test", "B")
    assert post(address, **typed | {"name": "second"}).status_code == 422
    assert post("/einvoices/accounts/second/secret", secret="no key").status_code == 422
    assert console.query(made)[0][2] == sealed
    assert post("/einvoices/accounts/second/secret", secret=key).status_code == 303
    assert console.query(made)[0][2] != sealed
    assert console.client("billing").get(address).status_code == 403
    program = Program.of(console)
    body = {"name": "third", "provider": "test_authority", "secret": key, "issuer_id": 1}
    assert program.post("/einvoice-accounts", body).status_code == 409
    console.query("UPDATE einvoice_account SET enabled = false RETURNING 1")
    told = program.post("/einvoice-accounts", body)
    assert (told.status_code, told.json["errors"][0]["pointer"]) == (422, "/settings/url")
    console.query("UPDATE einvoice_account SET enabled = name = 'main' RETURNING 1")


def test_e_invoices_are_usable_by_everybody(console, address, browser, queued):
    paths = (
        "/einvoices",
        "/einvoices/accounts/new",
        "/einvoices/accounts/main/secret",
        "/einvoices/accounts/main/numbers",
        f"/einvoices/{queued[0]}",
        f"/einvoices/{queued[0]}/files/receipt",
    )
    with browser.page(console) as page:
        usable_by_everybody(page, address, paths)


def test_an_authority_s_range_of_numbers_is_given_by_one_and_never_before_what_is_used(console, queued):
    client, path = console.client("administrator"), "/einvoices/accounts/main/numbers"
    assert console.client("billing").get(path).status_code == 403
    late = client.get(path).text
    given = {"kind": "credit_note", "first": "500", "last": "599", "valid_to": "2027-12-31"}
    assert send_named(client, path, **{**given, "last": "499"}).status_code == 422
    assert send_named(client, path, **given).status_code == 303
    assert "500 \N{EN DASH} 599" in client.get(path).text
    told = send_named(client, path, late, **{**given, "first": "600", "last": "699"})
    assert told.status_code == 422
    assert "Somebody else has changed this" in told.text
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        connection.execute("UPDATE einvoice_series SET last_number = 520 WHERE kind = 'credit_note'")
    used = send_named(client, path, **{**given, "first": "1", "last": "520"})
    assert (used.status_code, "Numbers up to 520 are used already." in used.text) == (422, True)
    program = Program.of(console, Permission.EINVOICE_ACT, Permission.SETTING_CHANGE)
    calls = "/einvoice-accounts/main/numbers"
    assert program.post(calls, {"kind": "credit_note", "first": 1, "last": 520}).status_code == 409
    (one,) = (
        row
        for row in program.post(calls, {"kind": "credit_note", "first": 521, "last": 900}).json
        if row["kind"] == "credit_note"
    )
    assert (one["last_number"], one["first"], one["last"], one["valid_to"]) == (520, 521, 900, None)
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'einvoice.range'") == [(2,)]
