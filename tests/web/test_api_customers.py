"""The interface, customers: what the console's pages write, and who comes second is told."""

from __future__ import annotations

import pytest
from support.console_world import Console
from support.program import Program, problem

from control_plane.access.permissions import Permission

pytestmark = pytest.mark.db
ROSSI = {
    "name": "Rossi Anna",
    "given_name": "Anna",
    "family_name": "Rossi",
    "language": "it",
    "external_reference": "crm-77",
    "tax_numbers": [{"scheme": "it.codicefiscale", "number": "RSSNNA80A41H501L"}],
    "seat": {"street": "Via Po", "house_number": "3", "postal_code": "10123", "city": "Torino", "country": "IT"},
    "contact": {"email": "anna@example.it", "phone": "+39 011 1234567"},
}


@pytest.fixture(scope="module")
def program(console: Console) -> Program:
    return Program.of(console)


@pytest.fixture(scope="module")
def rossi(program: Program) -> dict:
    made = program.post("/customers", ROSSI)
    assert made.status_code == 201, made.json
    return made.json


def test_a_customer_is_written_whole_and_read_as_it_was_written(program, rossi):
    assert program.get(f"/customers/{rossi['id']}").json == rossi
    assert (rossi["name"], rossi["kind"], rossi["external_reference"]) == ("Rossi Anna", "person", "crm-77")
    assert rossi["tax_numbers"] == ROSSI["tax_numbers"]
    assert rossi["addresses"][0] | ROSSI["seat"] | {"kind": "legal"} == rossi["addresses"][0]
    assert (rossi["contacts"][0]["role"], rossi["contacts"][0]["phone"]) == ("main", "+390111234567")
    assert [one["id"] for one in program.get("/customers?q=crm-77").json["data"]] == [rossi["id"]]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": ""}, "/name"),
        ({"given_name": None}, "/given_name"),
        ({"kind": "company"}, "/kind"),
        ({"external_reference": "crm-77"}, "/external_reference"),
        ({"fiscal_position": "the moon"}, "/fiscal_position"),
        ({"tax_numbers": [{"scheme": "it.iva", "number": "12345"}]}, "/tax_numbers/0/number"),
        ({"seat": ROSSI["seat"] | {"country": "XX"}}, "/seat/country"),
        ({"contact": {"phone": "011 1234567"}}, "/contact/phone"),
        ({"surname": "Rossi"}, ""),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_nothing_is_written(program, console, rossi, change, place):
    before = console.query("SELECT count(*) FROM customer")
    status, said = problem(program.post("/customers", ROSSI | {"external_reference": None} | change))
    assert (status, said["errors"][0].get("pointer") or "") == (422, place)
    assert console.query("SELECT count(*) FROM customer") == before


def test_of_two_who_change_the_same_the_second_is_told(program, rossi):
    address = f"/customers/{rossi['id']}"
    read = program.get(address).headers["ETag"]

    asked = {"language": "en", "external_reference": None}
    first, replayed = (
        program.send("PATCH", address, asked, If_Match=read, Idempotency_Key="english") for _ in range(2)
    )
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert (replayed.json, replayed.headers["ETag"]) == (first.json, first.headers["ETag"])
    second = program.send("PATCH", address, {"name": "Rossi A."}, If_Match=read)

    assert (first.status_code, first.json["language"], first.json["external_reference"]) == (200, "en", None)
    assert problem(second)[0] == 412
    assert problem(program.send("PATCH", address, {"name": "Rossi A."}))[0] == 428
    assert program.get(address).json["name"] == "Rossi Anna"
    again = program.send("PATCH", address, {"name": "Rossi A."}, If_Match=first.headers["ETag"])
    assert again.json["name"] == "Rossi A."


def test_only_a_customer_that_nothing_depends_on_is_deleted(program):
    alone = program.post("/customers", {"name": "Twice"}).json["id"]
    assert program.send("DELETE", f"/customers/{alone}", If_Match="*").status_code == 204
    assert problem(program.get(f"/customers/{alone}"))[0] == 404
    status, said = problem(program.send("DELETE", "/customers/1", If_Match="*"))
    assert (status, "contract" in said["detail"]) == (409, True)


def test_addresses_and_contacts_are_added_changed_and_taken_away(program, rossi):
    place = f"/customers/{rossi['id']}/addresses"
    made = program.post(place, ROSSI["seat"] | {"kind": "service", "latitude": "45.07", "longitude": "7.68"})
    changed = program.send("PATCH", f"{place}/{made.json['id']}", {"city": "Moncalieri"}, If_Match=made.headers["ETag"])
    late = program.send("PATCH", f"{place}/{made.json['id']}", {"city": "Roma"}, If_Match=made.headers["ETag"])
    assert (made.status_code, changed.json["city"], changed.json["latitude"]) == (201, "Moncalieri", "45.070000")
    assert problem(late)[0] == 412
    assert problem(program.post(place, ROSSI["seat"] | {"kind": "legal"}))[0] == 409
    assert problem(program.post(place, ROSSI["seat"] | {"latitude": "91", "longitude": "0"}))[1]["errors"][0][
        "pointer"
    ] == ("/latitude")
    assert program.send("DELETE", f"{place}/{made.json['id']}", If_Match="*").status_code == 204
    assert problem(program.get(f"{place}/{made.json['id']}"))[0] == 404

    reach = f"/customers/{rossi['id']}/contacts"
    technical = program.post(reach, {"role": "technical", "phone": "+39 333 1234567", "parent": "main"}).json
    assert (technical["phone"], technical["parent"], technical["email"]) == ("+393331234567", "main", None)
    assert problem(program.post(reach, {"role": "technical", "email": "a@b.it"}))[0] == 409
    assert problem(program.post(reach, {"role": "collections"}))[0] == 422
    cleared = program.send("PATCH", f"{reach}/{technical['id']}", {"parent": None, "name": "Bruno"}, If_Match="*").json
    assert (cleared["parent"], cleared["name"], cleared["phone"]) == (None, "Bruno", "+393331234567")
    assert program.send("DELETE", f"{reach}/{technical['id']}", If_Match="*").status_code == 204


def test_a_tax_number_is_checked_and_who_else_has_it_is_told(program, rossi):
    other = program.post("/customers", {"name": "Rossi again"}).json["id"]
    address = f"/customers/{other}/tax-numbers/it.codicefiscale"
    number = ROSSI["tax_numbers"][0]["number"]
    assert program.send("PUT", address, {"number": number}).json["others"] == [rossi["id"]]
    assert problem(program.send("PUT", address, {"number": number[:-1]}))[0] == 422
    assert program.send("DELETE", address).status_code == 204
    assert problem(program.send("DELETE", address))[0] == 404


def test_notes_files_and_consents_are_kept_and_what_happened_is_told(program, rossi):
    whose = f"/customers/{rossi['id']}"
    note = program.post(f"{whose}/notes", {"text": "Rings at noon.\nThe dog bites."}).json
    kept = program.post(f"{whose}/files", {"name": "meter.txt", "content": "a1dIOiAxMg=="}).json
    consent = program.post(f"{whose}/consents", {"channel": "email", "given": True, "wording": "Offers?"}).json
    assert program.get(f"{whose}/notes").json["data"] == [note]
    assert (kept["media_type"], kept["octets"]) == ("text/plain", 7)
    assert program.get(f"{whose}/files/{kept['id']}/content").data == b"kWH: 12"
    assert (consent["in_force"], program.get(f"{whose}/consents").json["data"]) == (True, [consent])
    assert problem(program.post(f"{whose}/notes", {"text": "x", "contract_id": 1}))[0] == 422
    assert problem(program.post(f"{whose}/files", {"name": "../x", "content": "AA=="}))[0] == 422
    assert program.send("DELETE", f"{whose}/files/{kept['id']}").status_code == 204
    assert problem(program.get(f"{whose}/files/{kept['id']}/content"))[0] == 404
    told = [one["what"] for one in program.get(f"{whose}/history").json["data"]]
    assert {"note", "customer.new", "customer.detach"} <= set(told)


def test_a_statement_needs_both_scopes_and_lines_are_told(console, program):
    assert program.get("/customers/1/statement?since=2026-01-01").json["lines"] is not None
    assert program.get("/customers/1/lines").json["data"][0]["username"]
    assert problem(Program.of(console, Permission.CUSTOMER_SEE).get("/customers/1/statement"))[0] == 403
