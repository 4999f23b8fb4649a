"""Banks' files in the console: shown before they are taken in, taken in once, and the queue worked by keyboard."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from io import BytesIO

import pytest
from support.billed_console import bank_account, bank_file, bill_everybody, debtors, hidden, send
from support.browser import usable_by_everybody, violations
from support.program import Program, problem

from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db
ACCOUNT_PAGES = ("/bank/accounts", "/bank/accounts/new", "/bank/accounts/1/edit", "/bank/accounts/1/layout")
SPANISH = "Cuenta 7\n\nFecha;Abono;Cargo;Concepto\n03/02/2026;1.234,50;;RECIBO 7\n04/02/2026;;4,80;COMISION\n;;;SALDO\n05/02/2026;x;;y\n"
DAY = datetime.now(UTC).strftime("%d/%m/%Y")


@pytest.fixture(scope="module")
def owing(console):
    """Twelve customers who owe one invoice each, and an account at a bank that writes CSV."""
    issuer = bill_everybody(console)
    bank_account(console, issuer)
    return debtors(console, count=20)


def clear(customer):
    return (f"{customer['open']:.2f}", f"Bonifico fattura {customer['label']}", customer["name"])


def doubtful(customer):
    return (f"{customer['open'] - 5:.2f}", "acconto internet", customer["name"])


def look(client, octets, name="main.csv"):
    form = hidden(client.get("/bank").text)
    return client.post("/bank/try", data={**form, "file": (BytesIO(octets), name)}, content_type="multipart/form-data")


def shown_fields(page):
    return dict(
        re.findall(r'<input type="hidden" name="(csrf_token|once_key|content|name|account)" value="([^"]*)"', page)
    )


def import_(client, octets, name="main.csv"):
    shown = look(client, octets, name)
    assert shown.status_code == 200, shown.text[:2000]
    return client.post("/bank/import", data=shown_fields(shown.text))


def work_all(client, address):
    form = hidden(client.get(address).text)
    answer = client.post(f"{address}/work", data=form)
    assert answer.status_code == 303
    return client.get(address).text


def waiting(console):
    return [number for (number,) in console.query("SELECT id FROM bank_line WHERE state = 'waiting' ORDER BY id")]


def test_a_file_is_shown_and_nothing_is_written(console, owing):
    client = console.client("billing")
    shown = look(client, bank_file(clear(owing[0]), doubtful(owing[1]), ("-4.80", "Commissioni", "")))
    assert shown.status_code == 200
    assert owing[0]["name"] in shown.text
    assert "document number" in shown.text
    assert "Money out that took nothing back." in shown.text
    assert console.query(
        "SELECT (SELECT count(*) FROM bank_file), (SELECT count(*) FROM bank_line), (SELECT count(*) FROM payment)"
    ) == [(0, 0, 0)]


def test_a_file_is_taken_in_once_however_often_it_is_sent(console, owing):
    client, octets = console.client("billing"), bank_file(clear(owing[2]), doubtful(owing[3]))
    shown = look(client, octets)
    fields = shown_fields(shown.text)
    first, again = client.post("/bank/import", data=fields), client.post("/bank/import", data=fields)
    assert first.status_code == 303
    assert again.headers["Location"] == first.headers["Location"]
    page = work_all(client, first.headers["Location"])
    assert "Matched" in page
    assert console.query("SELECT count(*) FROM payment WHERE customer_id = %s", (owing[2]["customer"],)) == [(1,)]
    # The same file another day, under another name.
    shown = look(client, octets, "again.csv")
    assert "All of it was told before" in shown.text
    third = client.post("/bank/import", data=shown_fields(shown.text))
    assert third.headers["Location"] == first.headers["Location"]
    assert console.query("SELECT count(*) FROM payment WHERE customer_id = %s", (owing[2]["customer"],)) == [(1,)]


def test_what_is_no_file_of_a_bank_is_refused_with_what_to_do(console, owing, monkeypatch):
    client = console.client("billing")
    assert "Choose a file first" in look(client, b"").text
    wrong = look(client, b"a,b,c\n1,2,3\n")
    assert wrong.status_code == 422
    foreign = look(client, b'<?xml If_Match="1.0"?><Document xmlns="urn:x"/>')
    assert foreign.status_code == 422
    large = {"CONTENT_LENGTH": str(17 * 1024 * 1024)}
    form = hidden(client.get("/bank").text)
    assert client.post("/bank/try", data=form, environ_overrides=large).status_code == 413
    monkeypatch.setattr("web.staff.bank.MOST_OCTETS", 1000)
    assert "too large for a page" in look(client, b"x" * 1100).text
    form = hidden(client.get("/bank").text)
    assert client.post("/bank/import", data={**form, "once_key": "k1", "content": "!!"}).status_code == 400


def test_what_waits_is_chosen_once_and_can_be_taken_back(console, owing):
    client, customer = console.client("billing"), owing[4]
    work_all(client, import_(client, bank_file(doubtful(customer))).headers["Location"])
    number = waiting(console)[-1]
    address = f"/bank/lines/{number}"
    assert customer["name"] in client.get(address).text
    form = {**hidden(client.get(address).text), "customer_id": customer["customer"]}
    assert client.post(f"{address}/choose", data=form).status_code == 303
    assert client.post(f"{address}/choose", data=form).status_code == 303
    assert console.query(
        "SELECT count(*), max(owner_of_payment(id)) FROM payment WHERE id = (SELECT payment_id FROM bank_line WHERE id = %s)",
        (number,),
    ) == [(1, customer["customer"])]
    assert f'href="/customers/{customer["customer"]}">{customer["name"]}' in client.get(address).text
    form = hidden(client.get(address).text)
    assert client.post(f"{address}/undo", data={**form, "once_key": "u1", "reason": ""}).status_code == 422
    assert client.post(f"{address}/undo", data={**form, "once_key": "u2", "reason": "mistaken"}).status_code == 303
    assert number in waiting(console)
    form = hidden(client.get(address).text)
    assert (
        client.post(f"{address}/ignore", data={**form, "once_key": "i1", "reason": "our own transfer"}).status_code
        == 303
    )
    assert number not in waiting(console)
    assert "our own transfer" in client.get(address).text


def test_two_who_decide_one_line_at_once_decide_it_once(console, owing):
    client, customer = console.client("billing"), owing[5]
    work_all(client, import_(client, bank_file(doubtful(customer))).headers["Location"])
    number = waiting(console)[-1]
    mine, theirs = (hidden(client.get(f"/bank/lines/{number}").text) for _ in range(2))
    assert (
        client.post(f"/bank/lines/{number}/ignore", data={**mine, "once_key": "m", "reason": "ours"}).status_code == 303
    )
    late = client.post(
        f"/bank/lines/{number}/choose", data={**theirs, "once_key": "t", "customer_id": customer["customer"]}
    )
    assert late.status_code == 422
    assert console.query("SELECT state::text FROM bank_line WHERE id = %s", (number,)) == [("ignored",)]


def test_who_may_not_record_sees_and_changes_nothing(console, owing):
    reader = console.client("reader")
    page = reader.get("/bank")
    assert page.status_code == 200
    assert "/bank/try" not in page.text
    form = hidden(page.text)
    assert reader.post("/bank/import", data=form).status_code == 403
    assert reader.post("/bank/lines/1/choose", data=form).status_code == 403
    assert console.client("network operator").get("/bank").status_code == 403


def test_the_queue_is_worked_by_keyboard(console, address, browser, owing):
    client = console.client("billing")
    work_all(client, import_(client, bank_file(doubtful(owing[6]), doubtful(owing[7]))).headers["Location"])
    before = waiting(console)
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/bank")
        assert violations(page) == []
        first = page.locator("[data-queue-line]:has([data-take])").first
        number = int(first.get_attribute("id").removeprefix("line-"))
        first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f'#line-{number} a[href^="/payments/"]')
        page.wait_for_selector("[data-queue-line]:focus")
    assert waiting(console) == [one for one in before if one != number]


def test_a_file_is_sent_shown_and_taken_in(console, address, browser, owing, tmp_path):
    file = tmp_path / "june.csv"
    file.write_bytes(bank_file(clear(owing[8]), clear(owing[9])))
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/bank")
        page.set_input_files("#file", file)
        page.click("text=Look at it")
        page.wait_for_selector("text=Nothing is written yet.")
        assert violations(page) == []
        page.dblclick("button:has-text('Take it in')")
        page.wait_for_selector("td:has-text('Matched') >> nth=1")
        assert violations(page) == []
    assert console.query(
        "SELECT count(*) FROM payment WHERE customer_id IN (%s, %s)", (owing[8]["customer"], owing[9]["customer"])
    ) == [(2,)]


def test_the_pages_are_usable_by_everybody(console, address, browser, owing):
    line = console.query("SELECT min(id) FROM bank_line")[0][0]
    paths = ("/bank", f"/bank/lines/{line}", "/bank/files/1", *ACCOUNT_PAGES)
    with browser.page(console, "administrator") as page:
        usable_by_everybody(page, address, paths, "dark", "phone")


def test_an_account_is_added_once_and_its_layout_guessed_from_what_is_pasted_before_it_is_kept(console, owing):
    client, new = console.client("administrator"), "/bank/accounts/new"
    typed = {
        "name": "Savings",
        "number": "es91 2100 0418 4502 0005 1332",
        "currency": "EUR",
        "method": "transfer",
        "automatic_from": "101",
    }
    wrong = send(client, new, **{**typed, "number": "ES91 2100 0418 4502 0005 1333", "automatic_from": "90"})
    assert (wrong.status_code, "This is no IBAN" in wrong.text, 'value="Savings"' in wrong.text) == (422, True, True)
    assert "There is no such currency." in send(client, new, **{**typed, "currency": "XQQ"}).text
    assert "There is one of this name already." in send(client, new, **{**typed, "name": "Main"}).text
    taken = send(client, new, **{**typed, "number": "IT60X0542811101000000123456"})
    assert "Files of this account are taken in already." in taken.text
    form = {**hidden(client.get(new).text), **typed}
    assert [client.post(new, data=form).status_code for _ in range(2)] == [303, 303]
    found = console.query("SELECT id, account, automatic_from, layout FROM bank_account WHERE name = 'Savings'")
    assert [row[1:] for row in found] == [("ES9121000418450200051332", 101, None)]
    assert "never" in client.get("/bank/accounts").text

    path = f"/bank/accounts/{found[0][0]}/layout"
    written = {
        "day_form": "DD/MM/YYYY",
        "encoding": "utf-8",
        "header_rows": "1",
        "separator": ",",
        "decimal": ".",
        "signs": "as_written",
        "out_words": "D",
    }
    assert "Name the column of the booking day." in send(client, path, **written, deed="keep").text
    shown = send(client, path, **written, sample=SPANISH, deed="try")
    assert shown.status_code == 200
    assert "\N{EURO SIGN}1,234.50" in shown.text or "1,234.50" in shown.text
    assert ("1 row can" in shown.text, "1 row is no line" in shown.text) == (True, True)
    read = dict(re.findall(r'name="(booked_on|credit|debit|header_rows)"[^>]* value="([^"]*)"', shown.text))
    assert read == {"booked_on": "Fecha", "credit": "Abono", "debit": "Cargo", "header_rows": "3"}
    assert console.query("SELECT layout FROM bank_account WHERE name = 'Savings'") == [(None,)]
    named = {**written, **read, "separator": ";", "decimal": ",", "text": "Concepto", "sample": SPANISH, "deed": "keep"}
    assert "there is no column" in send(client, path, **{**named, "booked_on": "Giorno"}).text
    lost = send(client, path, **{**named, "encoding": "cp850", "sample": f"{SPANISH}\N{EURO SIGN}"})
    assert "characters that this encoding lacks" in lost.text
    assert "Without a header" in send(client, path, **{**named, "header_rows": "0", "sample": ""}).text
    assert send(client, path, **named).status_code == 303
    kept = console.query("SELECT layout ->> 'credit', layout -> 'text' FROM bank_account WHERE name = 'Savings'")
    assert kept == [("Abono", ["Concepto"])]


def test_who_changes_an_account_second_is_told_and_who_may_not_changes_none(console, owing):
    client, path = console.client("administrator"), "/bank/accounts/1/edit"
    billing = console.client("billing")
    assert billing.get("/bank/accounts").status_code == 200
    assert f'href="{path}"' not in billing.get("/bank/accounts").text
    assert [billing.get(one).status_code for one in ACCOUNT_PAGES[1:]] == [403] * 3
    assert [client.get(f"/bank/accounts/{2**70}/{one}").status_code for one in ("edit", "layout")] == [404, 404]
    mine, theirs = hidden(client.get(path).text), hidden(client.get(path).text)
    used = {"name": "Main", "method": "transfer", "automatic_from": "95"}
    assert client.post(path, data={**mine, **used}).status_code == 303
    late = client.post(path, data={**theirs, **used, "automatic_from": "80"})
    assert (late.status_code, "Somebody else has changed this" in late.text) == (422, True)
    assert send(client, path, **{**used, "automatic_from": "102"}).status_code == 422
    assert console.query("SELECT automatic_from FROM bank_account WHERE id = 1") == [(95,)]
    assert console.query("SELECT detail FROM audit_log WHERE action = 'bank_account.change'") == [
        ({"automatic_from": [90, 95]},)
    ]
    assert send(client, path, **{**used, "automatic_from": "90"}).status_code == 303


def test_a_program_adds_an_account_and_keeps_a_layout_that_reads_its_sample(console, owing):
    program = Program.of(console, Permission.PAYMENT_SEE, Permission.SETTING_CHANGE)
    new = {"issuer_id": console.query("SELECT min(id) FROM issuer")[0][0], "name": "Third", "account": "4711 0815"}
    assert problem(program.post("/bank/accounts", {**new, "account": "IT00X"}))[0] == 422
    assert problem(program.post("/bank/accounts", {**new, "method": "barter"}))[0] == 422
    made = program.post("/bank/accounts", new)
    assert (made.status_code, made.json["account"], made.json["currency"]) == (201, "47110815", "EUR")
    assert problem(program.post("/bank/accounts", {**new, "account": "5" * 8}))[0] == 409
    path = f"/bank/accounts/{made.json['id']}"
    tag = program.get(path).headers["ETag"]
    sample = b64encode(SPANISH.encode()).decode()
    layout = {"booked_on": "Fecha", "credit": "Abono", "debit": "Cargo", "text": ["Concepto"], "header_rows": 3}
    assert problem(program.send("PUT", f"{path}/layout", {"layout": {**layout, "debit": ""}}, If_Match=tag))[0] == 422
    kept = program.send("PUT", f"{path}/layout", {"layout": layout, "sample": sample}, If_Match=tag)
    assert kept.status_code == 200, kept.text
    assert [one["amount"]["amount"] for one in kept.json["lines"]] == ["1234.50", "-4.80"]
    assert (kept.json["skipped"], len(kept.json["refused"])) == (1, 1)
    used = {"name": "Third", "automatic_from": 101}
    assert program.send("PUT", path, used, If_Match=tag).status_code == 412
    assert (
        program.send("PUT", path, used, If_Match=program.get(path).headers["ETag"]).json["layout"]["credit"] == "Abono"
    )


def test_without_any_account_the_page_leads_to_the_first_one(console, owing, monkeypatch):
    for module in ("bank", "bank_accounts"):
        monkeypatch.setattr(f"web.staff.{module}.load_accounts_at_banks", lambda connection: [])
    for path in ("/bank", "/bank/accounts"):
        assert 'href="/bank/accounts/new"' in console.client("administrator").get(path).text
        assert "Who may change settings adds one." in console.client("billing").get(path).text
    monkeypatch.setattr("web.staff.bank_accounts.load_issuers", lambda connection: [])
    assert 'href="/issuers/new"' in console.client("administrator").get("/bank/accounts/new").text
