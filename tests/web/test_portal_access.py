"""A customer's access to the portal as the office sees it: a link by mail, kept out and let in again, signed out everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.browser import violations
from support.console_forms import fields_of
from support.forms import form_of, send
from support.paper_reading import codes_of, text_of
from support.program import Program, problem

from control_plane import db
from control_plane.access.portal import enter_by_link, subscriber_of
from control_plane.settings import load_settings
from web.app import create_app

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def mailing(console):
    """The console with an address of its own to name in mails."""
    file = console.folder / "mailing.toml"
    file.write_text(console.settings_file.read_text() + '[messages]\npublic_url = "https://isp.example/"\n')
    return replace(console, app=create_app(load_settings(file)))


@pytest.fixture(scope="module")
def customer(console) -> int:
    """One who can be reached by mail and has never come in."""
    return console.query("SELECT customer_id FROM contact WHERE email IS NOT NULL AND contract_id IS NULL ORDER BY 1 LIMIT 1")[0][0]  # fmt: skip


def newest_link(console, customer: int) -> str:
    """The token of the link that was mailed last."""
    ((link,),) = console.query(
        "SELECT data->>'link' FROM message WHERE customer_id = %s AND template = 'portal_link' ORDER BY id DESC LIMIT 1",
        (customer,),
    )
    assert link.startswith("https://isp.example/portal/enter/")
    return link.rpartition("/")[2]


def come_in(console, customer: int) -> str:
    """Use the newest link up; the token of the session."""
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        came = enter_by_link(connection, newest_link(console, customer), now=datetime.now(UTC))
        connection.commit()
    assert came is not None
    return came.token


def is_in(console, token: str) -> bool:
    with db.connect(console.conninfo, name="test", origin="command") as connection:
        return subscriber_of(connection, token, now=datetime.now(UTC)) is not None


def test_a_link_is_mailed_once_and_lets_in(console, mailing, customer):
    office, path = mailing.client("billing"), f"/customers/{customer}/portal"
    page = office.get(path).text
    assert "Never came in" in page
    filled = form_of(page)
    assert [office.post(f"{path}/link", data=filled).status_code for _ in range(2)] == [303, 303]
    assert console.query("SELECT count(*) FROM portal_link WHERE customer_id = %s", (customer,)) == [(1,)]
    assert is_in(console, come_in(console, customer))
    assert "Has access" in office.get(f"/customers/{customer}").text


def test_without_a_public_address_nothing_is_mailed(console, customer):
    refused = send(console.client("billing"), f"/customers/{customer}/portal", to=f"/customers/{customer}/portal/link")
    assert refused.status_code == 422
    assert "public_url" in refused.text
    foreign = console.query("SELECT id FROM contact WHERE customer_id <> %s LIMIT 1", (customer,))[0][0]
    answer = send(
        console.client("billing"),
        f"/customers/{customer}/portal",
        to=f"/customers/{customer}/portal/link",
        contact=foreign,
    )
    assert answer.status_code == 422


def test_who_is_kept_out_is_out_at_once_until_let_in_again(console, mailing, customer):
    office, path = mailing.client("billing"), f"/customers/{customer}/portal"
    send(office, path, to=f"{path}/link")
    token = come_in(console, customer)
    assert send(office, f"{path}/lock", reason="").status_code == 422
    assert is_in(console, token)
    assert send(office, f"{path}/lock", reason="somebody else's").status_code == 303
    assert not is_in(console, token)
    assert console.query("SELECT detail->>'reason' FROM audit_log WHERE action = 'portal.lock'") == [("somebody else's",)]  # fmt: skip
    assert send(office, f"{path}/lock", reason="again").status_code == 422
    assert office.post(f"{path}/unlock", data=fields_of(office.get(path).text)).status_code == 303
    assert "Has access" in office.get(path).text


@pytest.fixture(scope="module")
def unmailed(console) -> int:
    """One whom no mail reaches, and who has never come in."""
    number = console.query("SELECT max(id) FROM customer")[0][0]
    console.query("UPDATE contact SET email = NULL WHERE customer_id = %s RETURNING id", (number,))
    return number


def letter_page(answer) -> str:
    """The page that a letter names, without the host: read from the square that a telephone looks at."""
    assert (answer.status_code, answer.content_type) == (200, "application/pdf"), answer.text
    (code,) = codes_of(answer.data)
    kind, _, page = code.partition(":")
    assert kind == "QR-Code"
    return page.removeprefix("https://isp.example")


def test_a_letter_lets_in_who_has_no_e_mail_once_and_until_another_is_printed(console, mailing, unmailed):
    office, path = mailing.client("billing"), f"/customers/{unmailed}/portal"
    assert "Links can" not in office.get(path).text
    lost = letter_page(send(office, path, to=f"{path}/letter"))
    answer = send(office, path, to=f"{path}/letter")
    page = letter_page(answer)
    told = text_of(answer.data)
    assert f"https://isp.example{page}" in "".join(told.split())
    assert str(unmailed) in told
    home = mailing.client("")
    assert send(home, lost).status_code == 410
    # As people type it.
    typed = page[:-19] + page[-19:].upper()
    assert send(home, typed).headers["Location"] == "/portal/password"
    assert send(mailing.client(""), page).status_code == 410
    new = "eleven green bottles"
    assert send(home, "/portal/password", password=new, again=new).status_code == 303
    again = mailing.client("")
    assert send(again, "/portal/sign-in", name=str(unmailed), password=new).headers["Location"] == "/portal"
    shown = office.get(path).text
    assert "Has access" in shown
    assert f"customer {unmailed}" in shown
    assert console.query("SELECT email FROM portal_access WHERE customer_id = %s", (unmailed,)) == [(None,)]
    assert console.query("SELECT count(*) FROM audit_log WHERE action = 'portal.invite_by_letter'") == [(2,)]
    assert page.rpartition("/")[2] not in str(
        console.query("SELECT detail FROM audit_log WHERE action LIKE 'portal.%'")
    )


def test_who_never_came_in_is_kept_out_too(console, mailing):
    never = console.query("SELECT max(id) - 1 FROM customer")[0][0]
    office, path = mailing.client("billing"), f"/customers/{never}/portal"
    page = letter_page(send(office, path, to=f"{path}/letter"))
    assert send(office, f"{path}/lock", reason="asked for it").status_code == 303
    assert "Kept out" in office.get(f"/customers/{never}").text
    assert send(mailing.client(""), page).status_code == 410
    refused = office.post(f"{path}/letter", data=form_of(office.get(path).text))
    assert (refused.status_code, "kept out of the portal" in refused.text) == (422, True)
    assert office.post(f"{path}/unlock", data=fields_of(office.get(path).text)).status_code == 303
    assert "Never came in" in office.get(path).text
    assert send(mailing.client(""), page).headers["Location"] == "/portal/password"


def test_a_letter_without_a_public_address_is_not_made(console, customer):
    path = f"/customers/{customer}/portal"
    refused = send(console.client("billing"), path, to=f"{path}/letter")
    # It stands in the letter's card alone: a link was not asked for.
    assert (refused.status_code, refused.text.count("public_url")) == (422, 1)
    assert console.query("SELECT 1 FROM portal_link WHERE customer_id = %s AND email IS NULL", (customer,)) == []


def test_signed_out_everywhere(console, mailing, customer):
    office, path = mailing.client("billing"), f"/customers/{customer}/portal"
    send(office, path, to=f"{path}/link")
    token = come_in(console, customer)
    send(office, path, to=f"{path}/end-sessions")
    assert not is_in(console, token)


def test_who_may_only_look_changes_nothing(console, customer):
    reader, path = console.client("support"), f"/customers/{customer}/portal"
    page = reader.get(path)
    assert (page.status_code, "Mail a link" in page.text) == (200, False)
    assert reader.get(f"{path}/lock").status_code == 403
    assert console.client("network operator").get(path).status_code == 403
    assert console.client("billing").get("/customers/999999/portal").status_code == 404


def test_programs_do_the_same(mailing, console, customer):
    program, here = Program.of(mailing), f"/customers/{customer}/portal"
    contact = console.query("SELECT id FROM contact WHERE customer_id = %s AND email IS NOT NULL AND contract_id IS NULL", (customer,))[0][0]  # fmt: skip
    assert program.post(f"{here}/link", {"contact_id": contact}).status_code == 200
    told = program.post(f"{here}/letter")
    assert (told.status_code, told.json["page"].startswith("https://isp.example/portal/enter/")) == (201, True)
    token = come_in(console, customer)
    assert program.post(f"{here}/lock?dry_run=true", {"reason": "tried"}).json["blocked_at"] is not None
    assert is_in(console, token)
    assert program.post(f"{here}/lock", {"reason": "done"}).json["blocked_at"] is not None
    assert not is_in(console, token)
    assert problem(program.post(f"{here}/link", {"contact_id": contact}))[0] == 409
    assert program.post(f"{here}/unlock").json["blocked_at"] is None
    assert problem(program.post(f"{here}/unlock"))[0] == 409
    assert all(one["is_over"] for one in program.post(f"{here}/end-sessions").json["sessions"])
    assert problem(program.send("DELETE", f"{here}/devices/999999"))[0] == 404


def test_access_is_reached_from_the_customer_s_page(console, address, browser, customer):
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/customers/{customer}")
        page.get_by_role("link", name="Portal", exact=True).click()
        page.get_by_role("button", name="Mail a link").wait_for()
        assert violations(page) == []
        page.get_by_role("link", name="Keep out").click()
        page.get_by_role("button", name="Keep them out").wait_for()
        assert violations(page) == []
