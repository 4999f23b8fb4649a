"""The interface, customers: what the console's pages write, and who comes second is told."""

from __future__ import annotations

import pytest
from support.console_world import Console
from support.program import Program, problem

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

    first = program.send("PATCH", address, {"language": "en", "external_reference": None}, If_Match=read)
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
