"""Customers in the console: found, written, changed by two at once, and one page with everything that is theirs."""

from __future__ import annotations

import io
import re

import pytest
from support.browser import looks, violations
from support.forms import hidden_at_the_end

from billing.store.customer_list import AskedCustomers, list_statement
from control_plane import db

pytestmark = pytest.mark.db
WHOLE = {
    "name": "Bianchi Srl",
    "kind": "company",
    "language": "it",
    "scheme": "it.iva",
    "number": "IT 01234560017",
    "street": "Via Po",
    "house_number": "7",
    "postal_code": "10124",
    "city": "Torino",
    "country": "IT",
    "email": "info@bianchi.example",
    "mobile": "0039 333 1234567",
}


def send(client, address, data, **how):
    """Open a page's form and send it."""
    return client.post(address, data={**hidden_at_the_end(client.get(address).text), **data}, **how)


@pytest.fixture(scope="module")
def bianchi(console):
    answer = send(console.client("billing"), "/customers/new", WHOLE)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_a_new_customer_has_all_that_was_typed_as_it_is_kept(console, bianchi):
    page = console.client("billing").get(bianchi).text
    for said in ("Bianchi Srl", "01234560017", "+393331234567", "info@bianchi.example", "Via Po 7"):
        assert said in page
    number = int(bianchi.rpartition("/")[2])
    rows = console.query(
        "SELECT actor FROM audit_log WHERE action = 'customer.new' AND subject = %s", (f"customer {number}",)
    )
    assert rows == [("billing",)]


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_written(console):
    before = console.query("SELECT count(*) FROM customer")
    wrong = {**WHOLE, "number": "01234560018", "city": "", "mobile": "333", "email": "x"}
    answer = send(console.client("billing"), "/customers/new", wrong)
    assert answer.status_code == 422
    for field in ("mobile", "email"):
        assert f'id="{field}-wrong"' in answer.text
    answer = send(console.client("billing"), "/customers/new", {**wrong, "mobile": "", "email": ""})
    for field in ("number", "city"):
        assert f'id="{field}-wrong"' in answer.text
    assert 'value="Bianchi Srl"' in answer.text
    assert console.query("SELECT count(*) FROM customer") == before


def test_sent_twice_it_is_written_once(console):
    client = console.client("billing")
    data = {**hidden_at_the_end(client.get("/customers/new").text), **WHOLE, "name": "Sent Twice", "number": ""}
    first, second = (client.post("/customers/new", data=data) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert console.query("SELECT count(*) FROM customer WHERE name = 'Sent Twice'") == [(1,)]


def test_the_second_of_two_editors_is_told_and_may_send_again(console, bianchi):
    one, other = console.client("billing"), console.client("administrator")
    mine, theirs = (
        hidden_at_the_end(one.get(f"{bianchi}/edit").text),
        hidden_at_the_end(other.get(f"{bianchi}/edit").text),
    )
    typed = {"name": "Bianchi S.r.l.", "kind": "company", "language": "it"}
    assert one.post(f"{bianchi}/edit", data={**mine, **typed}).status_code == 303
    told = other.post(f"{bianchi}/edit", data={**theirs, **typed, "name": "Bianchi SpA"})
    assert told.status_code == 422
    assert "Somebody else has changed this" in told.text
    assert "Bianchi S.r.l." in told.text
    assert 'value="Bianchi SpA"' in told.text
    again = other.post(f"{bianchi}/edit", data={**hidden_at_the_end(told.text), **typed, "name": "Bianchi SpA"})
    assert again.status_code == 303
    assert "Bianchi SpA" in other.get(bianchi).text


def test_who_may_only_see_is_shown_no_form_and_refused_one(console, bianchi):
    reader = console.client("reader")
    page = reader.get(bianchi).text
    assert "/edit" not in page
    assert "New contact" not in page
    for part in ("/edit", "/delete", "/places/new", "/contacts/new", "/notes", "/files", "/consents", "/tax-number"):
        assert reader.get(f"{bianchi}{part}").status_code == 403, part
    assert reader.get("/customers?file=csv").status_code == 403
    assert console.client("collector").get("/customers").status_code == 403


def test_the_list_goes_on_behind_its_last_row_in_either_order(console):
    client = console.client("reader")
    for sort in ("name", "-name", "number", "-number"):
        address, seen = f"/customers?sort={sort}", []
        while address:
            page = client.get(address).text
            seen += re.findall(r'<td><a href="/customers/(\d+)"', page)
            further = re.search(r'href="([^"]+)" rel="next"', page)
            address = further.group(1).replace("&amp;", "&") if further else ""
        assert len(seen) == len(set(seen)) == console.query("SELECT count(*) FROM customer")[0][0]
    assert client.get("/customers?sort=name&after=WzFd").status_code == 400
    assert client.get("/customers?sort=secret").status_code == 400


def test_the_list_is_asked_by_words_kind_and_service_and_becomes_a_file(console, bianchi):
    client = console.client("billing")
    page = client.get("/customers?q=bianchi+torino&kind=company&served=no").text
    assert bianchi in page
    assert bianchi not in client.get("/customers?q=bianchi&kind=person").text
    with client.get("/customers?file=csv&q=bianchi+via+po&kind=company&sort=number") as answer:
        rows = answer.text.strip().splitlines()
    assert rows[0].startswith("Number,Name")
    assert "01234560017" in rows[1]


def test_a_page_of_the_list_is_found_by_an_index_not_by_looking_at_all(console):
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("INSERT INTO customer (name) SELECT 'Customer ' || n FROM generate_series(1, 3000) AS n")
        connection.execute("ANALYZE customer, customer_words")
        for by, after in (("name", ("Customer 2", 7)), ("id", (7,))):
            statement, values = list_statement(AskedCustomers(), by=by, down=False, after=after)
            plan = "\n".join(
                row[0] for row in connection.execute(b"EXPLAIN " + statement.as_bytes(connection), [*values, 51])
            )
            assert "Seq Scan on customer " not in plan, plan
        connection.rollback()


def test_a_place_with_coordinates_is_on_the_map_and_one_by_halves_is_refused(console, bianchi):
    client = console.client("billing")
    place = {"kind": "service", "street": "Corso Francia", "postal_code": "10138", "city": "Torino", "country": "IT"}
    answer = send(client, f"{bianchi}/places/new", {**place, "latitude": "45.07"})
    assert answer.status_code == 422
    assert 'id="longitude-wrong"' in answer.text
    answer = send(client, f"{bianchi}/places/new", {**place, "latitude": "45.07", "longitude": "7.65"})
    assert answer.status_code == 303
    page = client.get(bianchi)
    assert 'href="geo:45.070000,7.650000' in page.text
    assert 'id="map-places"' in page.text
    assert "img-src 'self' data:;" in page.headers["Content-Security-Policy"]


def test_a_contact_of_a_contract_takes_from_its_parent_what_it_leaves_empty(console):
    client = console.client("billing")
    contract, customer = console.query("SELECT id, customer_id FROM contract ORDER BY id LIMIT 1")[0]
    address = f"/customers/{customer}/contacts/new"
    page = client.get(address).text
    assert f'<option value="{contract}">' in page
    answer = send(client, address, {"role": "technical", "contract": str(contract), "name": "Ada Tecnica"})
    assert answer.status_code == 303
    assert "Ada Tecnica" in client.get(answer.headers["Location"]).text
    again = send(client, address, {"role": "technical", "contract": str(contract), "name": "Eva"})
    assert again.status_code == 422
    assert send(client, address, {"role": "main", "contract": "999999", "name": "Eva"}).status_code == 422


def test_a_note_is_in_its_writers_name_and_a_file_comes_back_as_it_was(console, bianchi):
    client = console.client("billing")
    assert send(client, f"{bianchi}/notes", {"text": "Rings twice", "contract": ""}).status_code == 303
    assert send(client, f"{bianchi}/notes", {"text": "  ", "contract": ""}).status_code == 422
    file = {"file": (io.BytesIO(b"<script>"), "../evil.html"), "contract": ""}
    answer = send(client, f"{bianchi}/files", file, content_type="multipart/form-data")
    assert answer.status_code == 303
    page = client.get(bianchi).text
    assert "Rings twice" in page
    assert "evil.html" in page
    link = re.search(r'href="(/customers/\d+/files/\d+)" download', page).group(1)
    given = client.get(link)
    assert given.data == b"<script>"
    assert given.headers["Content-Disposition"].startswith("attachment")
    assert given.mimetype == "application/octet-stream"
    assert send(client, f"{link}/remove", {}).status_code == 303
    assert client.get(link).status_code == 404


def test_a_file_is_as_large_as_the_database_takes_and_no_larger(console, bianchi):
    client = console.client("billing")
    for octets, status in ((3_000_000, 303), (20_000_001, 422), (20_200_000, 413)):
        parts = {**hidden_at_the_end(client.get(f"{bianchi}/files").text), "contract": ""}
        fields = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts.items()
        )
        head = '--b\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
        body = f"{fields}{head}".encode() + b"x" * octets + b"\r\n--b--\r\n"
        with client.post(f"{bianchi}/files", data=body, content_type="multipart/form-data; boundary=b") as answer:
            assert answer.status_code == status, octets


def test_the_newest_consent_counts(console, bianchi):
    client = console.client("billing")
    consent = {"purpose": "marketing", "channel": "email", "wording": "I want offers."}
    assert send(client, f"{bianchi}/consents", {**consent, "given": "yes"}).status_code == 303
    assert "Allowed" in client.get(bianchi).text
    assert send(client, f"{bianchi}/consents", {**consent, "given": "no"}).status_code == 303
    assert "Forbidden" in client.get(bianchi).text


def test_one_that_has_something_stays_and_one_by_mistake_goes(console):
    client = console.client("billing")
    held = console.query("SELECT min(customer_id) FROM contract")[0][0]
    answer = send(client, f"/customers/{held}/delete", {"confirmed": "yes"})
    assert answer.status_code == 422
    assert "It stays" in answer.text
    made = send(client, "/customers/new", {**WHOLE, "name": "By Mistake", "number": ""}).headers["Location"]
    assert send(client, f"{made}/delete", {"confirmed": "yes"}).status_code == 303
    assert client.get(made).status_code == 404


def test_a_customers_page_shows_its_contracts_and_accounts_to_who_may_see_them(console):
    contract, customer = console.query("SELECT id, customer_id FROM contract ORDER BY id LIMIT 1")[0]
    username = console.query("SELECT username FROM subscriber_account WHERE contract_id = %s", (contract,))[0][0]
    page = console.client("reader").get(f"/customers/{customer}").text
    assert f"/contracts/{contract}" in page
    assert username in page
    assert "Offline" in console.client("reader").get(f"/customers/{customer}/lines").text
    operator = console.client("network operator").get(f"/customers/{customer}").text
    assert 'id="payments"' not in operator
    assert 'id="payments"' in page


def test_a_customer_is_written_and_looked_at_in_a_browser(console, address, browser, bianchi):
    with browser.page(console, "billing") as page:
        page.goto(f"{address}/customers/new")
        assert violations(page) == []
        page.fill("#name", "Ada Neri")
        page.fill("#street", "Via Roma")
        page.fill("#postal_code", "00100")
        page.fill("#city", "Roma")
        page.fill("#email", "ada@neri.example")
        page.click("text=Write customer")
        page.wait_for_selector("text=ada@neri.example")
        page.fill("#note-text", "Second floor")
        page.click("text=Write note")
        page.wait_for_selector(".note-text:has-text('Second floor')")
        for where in ("/customers", bianchi):
            page.goto(f"{address}{where}")
            for look in looks(page):
                assert violations(page) == [], (where, look)
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (where, look)


def test_a_statement_is_asked_by_days_and_refuses_what_is_no_day(console, bianchi):
    client = console.client("reader")
    assert "Nothing was booked" in client.get(f"{bianchi}/statement?since=2026-01-01").text
    assert client.get(f"{bianchi}/statement?since=yesterday").status_code == 400
    assert console.client("network operator").get(f"{bianchi}/statement").status_code == 403
