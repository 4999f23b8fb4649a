"""Contracts in the console: listed, shown, and what is done to one after its numbers were shown."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter
from support.browser import PHONE, violations
from support.forms import form_of, hidden_at_the_end
from support.program import Program, problem

from billing.contracts import _TABLE
from billing.deeds import Reason
from billing.store.acting import acting
from billing.store.promotions import save_promotion
from control_plane import db
from web.staff import contract_words

pytestmark = pytest.mark.db


def preview(client, address, data):
    """Ask for a deed and come to its confirmation."""
    return client.post(address, data={**hidden_at_the_end(client.get(address).text), **data})


def confirmed(client, address, shown, data):
    """Confirm what was shown."""
    return client.post(address, data={**hidden_at_the_end(shown.text), **data, "confirmed": "yes"})


@pytest.fixture(scope="module")
def active(console):
    """Contracts in service, billed and with an account."""
    rows = console.query(
        "SELECT c.id FROM contract c JOIN contract_terms t ON t.contract_id = c.id WHERE c.status = 'active' AND c.ends_on IS NULL"
        " AND NOT EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id) ORDER BY c.id"
    )
    return [number for (number,) in rows]


def test_every_deed_and_every_refusal_has_words():
    assert set(contract_words.DEEDS) == {name for name, _, _ in _TABLE.values()} | {"end"} - {"schedule-end"}
    assert set(contract_words.REFUSALS) == set(Reason)


def test_a_preview_changes_nothing_and_what_was_confirmed_is_done_once(console, active):
    client, number = console.client("billing"), active[0]
    address, typed = f"/contracts/{number}/do/restrict", {
        "level": "walled", "origin": "admin", "billing": "bill", "reason": "Test of the line"
    }  # fmt: skip
    shown = preview(client, address, typed)
    assert shown.status_code == 200
    assert "Walled garden" in shown.text
    assert console.query("SELECT count(*) FROM restriction WHERE contract_id = %s", (number,)) == [(0,)]
    first = confirmed(client, address, shown, typed)
    assert (first.status_code, first.headers["Location"]) == (303, f"/contracts/{number}")
    assert confirmed(client, address, shown, typed).status_code == 303
    rows = console.query("SELECT level::text, placed_by FROM restriction WHERE contract_id = %s", (number,))
    assert rows == [("walled", "billing")]
    audited = console.query(
        "SELECT actor FROM audit_log WHERE action = 'contract.restricted' AND subject = %s", (f"contract {number}",)
    )
    assert audited == [("billing",)]


def test_what_changed_since_the_preview_is_shown_again_before_it_is_done(console, active):
    client, number = console.client("billing"), active[1]
    address, typed = f"/contracts/{number}/do/end", {"on": "2031-01-01"}
    shown = preview(client, address, typed)
    assert shown.status_code == 200
    other = preview(client, address, {"on": "2030-06-01"})
    assert confirmed(client, address, other, {"on": "2030-06-01"}).status_code == 303
    again = confirmed(client, address, shown, typed)
    assert again.status_code == 422
    assert "Somebody else has changed this" in again.text
    assert console.query("SELECT ends_on::text FROM contract WHERE id = %s", (number,)) == [("2030-06-01",)]


def test_a_refusal_is_said_in_words_and_writes_nothing(console, active):
    client, number = console.client("billing"), active[2]
    answer = preview(client, f"/contracts/{number}/do/keep", {})
    assert answer.status_code == 422
    assert "No end is set." in answer.text
    assert client.get(f"/contracts/{number}/do/accept").status_code == 409
    assert client.get(f"/contracts/{number}/do/nothing").status_code == 404
    missing = preview(client, f"/contracts/{number}/do/pause", {"billing": "bill"})
    assert missing.status_code == 422
    assert 'id="until-wrong"' in missing.text
    forged = preview(client, f"/contracts/{number}/do/move", {"address": "999999"})
    assert forged.status_code == 422


def test_another_plan_shows_what_it_bills_and_what_the_network_gives(console, active):
    client, number = console.client("billing"), active[3]
    page = client.get(f"/contracts/{number}/do/change-plan").text
    mine = console.query("SELECT plan_id FROM contract WHERE id = %s", (number,))[0][0]
    others = [one for one in re.findall(r'<option value="(\d+)"', page) if int(one) != mine]
    for plan in others:
        shown = preview(client, f"/contracts/{number}/do/change-plan", {"plan": plan, "when": "now"})
        if shown.status_code == 200:
            break
    assert "What it bills" in shown.text
    assert "€" in shown.text
    assert "Nothing changes" not in shown.text
    assert console.query("SELECT count(*) FROM plan_change WHERE contract_id = %s", (number,)) == [(0,)]


def test_a_change_of_plan_that_waits_is_taken_back_from_the_contract_s_page(console, active):
    client, number = console.client("billing"), active[3]
    mine = console.query("SELECT plan_id FROM contract WHERE id = %s", (number,))[0][0]
    assert "do/keep-plan" not in client.get(f"/contracts/{number}").text
    page = client.get(f"/contracts/{number}/do/change-plan").text
    for plan in (one for one in re.findall(r'<option value="(\d+)"', page) if int(one) != mine):
        typed = {"plan": plan, "when": "date", "on": "2030-07-01"}
        shown = preview(client, f"/contracts/{number}/do/change-plan", typed)
        if shown.status_code == 200:
            break
    assert confirmed(client, f"/contracts/{number}/do/change-plan", shown, typed).status_code == 303
    (link,) = re.findall(r'href="(/contracts/\d+/do/keep-plan\?[^"]+)"', client.get(f"/contracts/{number}").text)
    assert preview(client, link, {"waiting": "2030-07-02"}).status_code == 422
    shown = preview(client, link, {"waiting": "2030-07-01"})
    assert "Take back a change of plan" in shown.text
    assert console.query("SELECT count(*) FROM plan_change WHERE contract_id = %s", (number,)) == [(1,)]
    assert confirmed(client, link, shown, {"waiting": "2030-07-01"}).status_code == 303
    assert console.query("SELECT count(*) FROM plan_change WHERE contract_id = %s", (number,)) == [(0,)]
    (detail,) = console.query("SELECT detail FROM contract_event WHERE event = 'plan_kept' AND contract_id = %s", (number,))[0]  # fmt: skip
    assert (len(detail["before"]["plan_changes"]), detail["after"]["plan_changes"]) == (1, [])


def test_a_promotion_is_given_to_one_contract_once_its_next_bill_was_shown_and_taken_back(console, active):
    client, number = console.client("billing"), active[5]
    address = f"/contracts/{number}/promotions/give"
    with db.connect(console.conninfo, name="test") as connection:
        acting(connection, "maria")
        promotion = save_promotion(connection, {"name": "Sorry", "kind": "percent", "value": 50, "months": 3}, offered=(date(2020, 1, 1), None))  # fmt: skip
        connection.commit()
    typed = {"promotion": str(promotion), "since": form_of(client.get(address).text)["since"]}
    shown = preview(client, address, typed)
    (before, after) = re.search(r"Next bill, of [^:]+: €([\d.,]+) → €([\d.,]+) with tax", shown.text).groups()
    assert float(after.replace(",", "")) < float(before.replace(",", ""))
    mine = "SELECT reason, placed_by FROM discount WHERE contract_id = %s"
    assert console.query(mine, (number,)) == []
    assert [confirmed(client, address, shown, typed).status_code for _ in range(2)] == [303, 303]
    assert console.query(mine, (number,)) == [("promotion Sorry", "billing")]
    assert str(promotion) not in form_of(client.get(address).text).get("promotion", "")
    (link,) = re.findall(rf'href="(/contracts/{number}/promotions/{promotion}/take)"', client.get(f"/contracts/{number}").text)  # fmt: skip
    # Somebody changes the contract between the page and the button.
    asked = client.get(link)
    assert f"€{after} → €{before}" in asked.text
    with db.connect(console.conninfo, name="test") as connection:
        acting(connection, "maria")
        connection.execute("UPDATE discount SET reason = 'other' WHERE contract_id = %s", (number,))
        connection.commit()
    told = confirmed(client, link, asked, {})
    assert told.status_code == 422
    assert "Somebody else has changed this" in told.text
    assert [confirmed(client, link, told, {}).status_code for _ in range(2)] == [303, 303]
    assert console.query(mine, (number,)) == []
    assert client.get(link).status_code == 404
    program = Program.of(console)
    tried = program.post(f"/contracts/{number}/promotions?dry_run=true", {"promotion_id": promotion}).json
    assert (tried["gross"][0]["amount"], tried["discounts"][0]["promotion_id"]) == (after, promotion)
    given = program.post(f"/contracts/{number}/promotions", {"promotion_id": promotion})
    assert given.status_code == 200
    assert problem(program.post(f"/contracts/{number}/promotions", {"promotion_id": promotion}))[0] == 409
    assert program.send("DELETE", f"/contracts/{number}/promotions/{promotion}").json["gross"][0]["amount"] == before
    assert problem(program.send("DELETE", f"/contracts/{number}/promotions/{promotion}"))[0] == 409
    assert problem(program.post(f"/contracts/{number}/promotions", {"promotion_id": 999999}))[0] == 409
    assert console.client("reader").get(address).status_code == 403


def test_who_may_only_see_does_nothing_and_who_may_not_sees_nothing(console, active):
    number = active[4]
    page = console.client("reader").get(f"/contracts/{number}")
    assert page.status_code == 200
    assert "/do/" not in page.text
    assert console.client("reader").get(f"/contracts/{number}/do/end").status_code == 403
    assert console.client("collector").get(f"/contracts/{number}").status_code == 403
    assert console.client("support").get("/contracts?file=csv").status_code == 403
    assert console.client("reader").get("/contracts/999999").status_code == 404


def test_the_list_goes_on_below_its_last_number_and_is_asked_by_status(console):
    client, address, seen = console.client("reader"), "/contracts?status=active", []
    while address:
        page = client.get(address).text
        seen += re.findall(r'<td><a href="/contracts/(\d+)"', page)
        further = re.search(r'href="([^"]+)" rel="next"', page)
        address = further.group(1).replace("&amp;", "&") if further else ""
    wanted = console.query("SELECT c.id::text FROM contract AS c WHERE status = 'active' ORDER BY c.id DESC")
    assert [(one,) for one in seen] == wanted
    assert client.get("/contracts?status=best").status_code == 400
    with console.client("billing").get("/contracts?file=csv&status=active") as answer:
        assert len(answer.text.strip().splitlines()) == len(wanted) + 1


def test_a_contracts_paper_is_printed(console, active):
    answer = console.client("reader").get(f"/contracts/{active[0]}.pdf")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")


def test_a_contracts_files_come_behind_its_paper(console, active):
    number, client = active[0], console.client("reader")
    alone = client.get(f"/contracts/{number}/whole.pdf").data
    file = BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(width=100, height=100)
    writer.write(file)
    with db.connect(console.conninfo, name="test") as connection:
        acting(connection, "test")
        for name, content in (("terms.pdf", file.getvalue()), ("broken.pdf", b"none")):
            connection.execute(
                "INSERT INTO attachment (customer_id, contract_id, name, media_type, content, author)"
                " SELECT customer_id, id, %s, 'application/pdf', %s, 'test' FROM contract WHERE id = %s",
                (name, content, number),
            )
    whole = client.get(f"/contracts/{number}/whole.pdf").data
    assert len(PdfReader(BytesIO(whole)).pages) == len(PdfReader(BytesIO(alone)).pages) + 1
    assert "/whole.pdf" in client.get(f"/contracts/{number}").text
    link = re.search(
        r'href="(/customers/\d+/files\?contract=\d+)"', console.client("billing").get(f"/contracts/{number}").text
    )
    assert f'<option selected value="{number}">' in console.client("billing").get(link.group(1)).text


def test_a_contract_is_limited_by_clicks_and_its_page_is_usable_by_everybody(console, address, browser, active):
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/contracts/{active[5]}")
        assert violations(page) == []
        page.click("button:has-text('Do')")
        page.click("a:has-text('Limit the service')")
        page.select_option("#level", "blocked")
        page.fill("#reason", "Seen in a test")
        page.click("text=Show what it does")
        page.wait_for_selector("text=What the network does")
        assert violations(page) == []
        page.click("button:has-text('Limit the service')")
        page.wait_for_selector("text=Seen in a test")
    with browser.page(console, "reader", viewport=PHONE) as page:
        for where in ("/contracts", f"/contracts/{active[5]}"):
            page.goto(f"{address}{where}")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), where
