"""Issuers and the installation's settings in the console and by programs: begun whole, changed by one at a time, and no secret shown."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from support.browser import usable_by_everybody
from support.program import Program

from control_plane.settings import DatabaseSettings, Settings
from control_plane.settings_shown import shown_settings
from web.staff.settings import SECTIONS

pytestmark = pytest.mark.db
PLACE = {"street": "Calle Mayor", "house_number": "3", "postal_code": "28001", "city": "Madrid", "province": "M"}


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|once_key|seen)" value="([^"]*)"', page))


def send(client: Any, address: str, page: str | None = None, **typed: str) -> Any:
    """The form of a page, sent with what is typed."""
    return client.post(address, data={**hidden(page or client.get(address).text), **typed})


def typed_again(console: Any, **more: str) -> dict[str, str]:
    """What the form of issuer 1 has, and something else."""
    row = console.query("SELECT name, street, postal_code, city, zone FROM issuer WHERE id = 1")[0]
    return dict(zip(("name", "street", "postal_code", "city", "zone"), row, strict=True)) | more


@pytest.fixture(scope="module")
def program(console):
    return Program.of(console)


def test_an_issuer_is_begun_once_with_what_its_country_gives(console):
    client = console.client("administrator")
    page = client.get("/issuers/new").text
    typed = {"name": "Red Sur", "country": "ES", "currency": "", "iban": "ES91 2100 0418 4502 0005 1332", **PLACE}
    answers = [send(client, "/issuers/new", page, **typed) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    found = console.query("SELECT id, currency, zone, iban, mails_invoices FROM issuer WHERE name = 'Red Sur'")
    assert [row[1:] for row in found] == [("EUR", "Europe/Madrid", "ES9121000418450200051332", False)]
    for table in ("ledger_account", "document_register", "payment_method", "number_series"):
        assert console.query(f"SELECT count(*) > 0 FROM {table} WHERE issuer_id = %s", (found[0][0],)) == [(True,)]
    assert console.query("SELECT actor FROM audit_log WHERE action = 'issuer.new' AND subject = 'Red Sur'") == [
        ("admin",)
    ]
    shown = client.get(f"/issuers/{found[0][0]}").text
    assert "ES91 2100 0418 4502 0005 1332" in shown
    assert re.search(r"<code>1/FT/20\d\d</code>", shown)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"vat_number": "IT123"}, "No company has such a number"),
        ({"iban": "IT60X0542811101000000123457"}, "This is no IBAN"),
        ({"zone": "Europe/Nowhere"}, "There is no such zone"),
        ({"phone": "12"}, "This is no telephone number"),
        ({"bank_days": "XX"}, "There is no such calendar"),
        ({"tax_regime": "RF99"}, "This country has no such tax regime"),
        ({"minimum_document": "0"}, "is above 0"),
        ({"confirm_hours": "721"}, "Number must be between"),
        ({"city": ""}, "This is needed."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_written(console, more, words):
    before = console.query("SELECT * FROM issuer WHERE id = 1")
    answer = send(console.client("administrator"), "/issuers/1/edit", **typed_again(console, **more))
    assert answer.status_code == 422
    assert words in answer.text
    assert all(value in answer.text for value in more.values())
    assert console.query("SELECT * FROM issuer WHERE id = 1") == before


def test_who_comes_second_is_told_and_nothing_is_overwritten(console):
    client = console.client("administrator")
    first, second = client.get("/issuers/1/edit").text, client.get("/issuers/1/edit").text
    assert send(client, "/issuers/1/edit", first, **typed_again(console, email="one@example.net")).status_code == 303
    answer = send(client, "/issuers/1/edit", second, **typed_again(console, email="two@example.net"))
    assert answer.status_code == 422
    assert "one@example.net" in answer.text
    assert console.query("SELECT email FROM issuer WHERE id = 1") == [("one@example.net",)]
    assert send(client, "/issuers/1/edit", **typed_again(console, email="")).status_code == 303
    assert console.query("SELECT email FROM issuer WHERE id = 1") == [(None,)]


def test_only_who_may_sees_and_changes(console):
    for role in ("billing", "reader", "network operator"):
        client = console.client(role)
        assert [client.get(one).status_code for one in ("/issuers", "/issuers/1", "/issuers/new", "/settings")] == [
            403
        ] * 4
    assert console.client("administrator").get("/issuers/99999999999999999999").status_code == 404


def test_its_papers_are_shown_with_its_own_logo_and_a_sample(console):
    client = console.client("administrator")
    assert client.get("/issuers/1/logo").status_code == 404
    own = console.folder / "papers" / "issuer-1"
    own.mkdir(parents=True)
    (own / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    (own.parent / "logo.png").write_bytes(b"everybody's")
    assert client.get("/issuers/1/logo").data.startswith(b"<svg")
    assert "logo.svg" in client.get("/issuers/1").text
    (own.parent / "logo.png").unlink()
    assert client.get("/issuers/1/sample.pdf?kind=quote").data.startswith(b"%PDF")
    (own / "look.toml").write_text('accent = "red"')
    assert client.get("/issuers/1/sample.pdf").status_code == 409
    assert "Nothing can be printed" in client.get("/issuers/1").text
    (own / "look.toml").unlink()


def test_programs_begin_and_change_issuers(console, program):
    body = {"name": "Red Norte", "country": "ES", **PLACE}
    made = program.send("POST", "/issuers", body)
    assert made.status_code == 201, made.text
    address = f"/issuers/{made.json['id']}"
    version = program.get(address).headers["ETag"]
    change = {"name": "Red Norte", **PLACE, "zone": "Atlantic/Canary"}
    assert program.send("PUT", address, change).status_code == 428
    assert program.send("PUT", address, change, If_Match=version).json["zone"] == "Atlantic/Canary"
    assert program.send("PUT", address, change, If_Match=version).status_code == 412
    wrong = program.send("PUT", address, {**change, "vat_number": "1"}, If_Match="*")
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "/vat_number")
    assert program.send("POST", "/issuers", body).status_code == 409


def test_settings_are_shown_without_secrets(console, program):
    page = console.client("administrator").get("/settings").text
    assert "corrente.toml" in page
    assert "CORRENTE_SECRETS_KEY" in page
    told = program.get("/settings").json
    assert {"name": "CORRENTE_SECRETS_KEY", "is_set": True, "needed": True} in told["secrets"]
    assert {one["name"].partition(".")[0] for one in told["sections"]} <= set(SECTIONS)
    for text in (page, str(told)):
        assert "QUFBQUFB" not in text


def test_how_long_staff_stay_signed_in_is_set_and_holds_at_once(console, program):
    boss, other = console.client("administrator"), console.client("reader")
    typed = {"idle_minutes": "30", "most_hours": "12"}
    for wrong in (
        {"idle_minutes": "4"},
        {"most_hours": "721"},
        {"idle_minutes": "61", "most_hours": "1"},
        {"idle_minutes": ""},
    ):
        assert send(boss, "/settings/sessions", **{**typed, **wrong}).status_code == 422
    first = boss.get("/settings/sessions").text
    # Nobody is out by it yet, so nothing is asked.
    assert send(boss, "/settings/sessions", first, **typed).headers["Location"] == "/settings"
    assert "30 minutes" in boss.get("/settings").text
    assert send(boss, "/settings/sessions", first, **typed).status_code == 422
    assert console.client("billing").get("/settings/sessions").status_code == 403

    console.query("UPDATE staff_session SET created_at = created_at - interval '3 hours' WHERE staff_id ="
                  " (SELECT id FROM staff WHERE name = 'reader') RETURNING id")  # fmt: skip
    assert other.get("/me").status_code == 200
    short = {"idle_minutes": "30", "most_hours": "2"}
    asked = send(boss, "/settings/sessions", **short)
    assert "1 session ends now: of reader." in asked.text
    assert other.get("/me").status_code == 200
    assert boss.post("/settings/sessions", data={**hidden(asked.text), **short, "confirmed": "yes"}).status_code == 303
    assert other.get("/me").status_code == 303

    told = program.get("/settings/sessions")
    assert told.json == {"idle_minutes": 30, "most_hours": 2}
    assert program.send("PUT", "/settings/sessions", {"idle_minutes": 480, "most_hours": 168}).status_code == 428
    tried = program.send(
        "PUT", "/settings/sessions?dry_run=true", {"idle_minutes": 480, "most_hours": 168}, If_Match="*"
    )
    assert (tried.json["sessions_ended"], program.get("/settings/sessions").json["most_hours"]) == (0, 2)
    wrong = program.send("PUT", "/settings/sessions", {"idle_minutes": 300, "most_hours": 2}, If_Match="*")
    assert wrong.json["errors"][0]["pointer"] == "/idle_minutes"
    version = told.headers["ETag"]
    assert (
        program.send(
            "PUT", "/settings/sessions", {"idle_minutes": 480, "most_hours": 168}, If_Match=version
        ).status_code
        == 200
    )
    assert (
        program.send("PUT", "/settings/sessions", {"idle_minutes": 60, "most_hours": 2}, If_Match=version).status_code
        == 412
    )
    assert other.get("/me").status_code == 303


def test_a_password_in_the_database_s_address_is_not_shown(console):
    settings = msgspec.structs.replace(
        Settings(), database=DatabaseSettings(conninfo="host=db.example password=hunter2")
    )
    (entry,) = next(one.settings for one in shown_settings(settings) if one.name == "database")
    assert "hunter2" not in str(entry)
    assert "db.example" in str(entry.value)
    assert entry.usual is False


def test_the_pages_are_usable_by_everybody(console, address, browser):
    paths = ("/issuers", "/issuers/1", "/issuers/1/edit", "/issuers/new", "/settings", "/settings/sessions")
    with browser.page(console, "administrator") as page:
        usable_by_everybody(page, address, paths)
