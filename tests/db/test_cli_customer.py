"""corrente customer, as an operator types it."""

from __future__ import annotations

import json

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

pytestmark = pytest.mark.db

ANNA = (
    *("new", "Anna Rossi", "--given-name", "Anna", "--family-name", "Rossi", "--language", "it"),
    *("--tax-id", "it.codicefiscale=rss mra 80a01 h501u", "--reference", "C-4711"),
    *("--street", "Via Po", "--house-number", "17/B", "--postal-code", "10124", "--city", "Torino", "--country", "IT"),
    *("--email", "anna@example.net", "--mobile", "+39 339 555 1234"),
)


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)

    def command(*arguments, typed=None):
        return run(settings, "customer", *arguments, typed=typed)

    return command


def shown(corrente, customer="1"):
    return json.loads(corrente("show", customer, "--json").output)


def test_a_customer_is_written_with_all_that_is_known_and_shown_by_number_reference_or_name(corrente):
    done = corrente(*ANNA)
    assert (done.exit_code, done.output) == (0, "Customer 1 Anna Rossi.\n")
    for name in ("1", "C-4711", "ref:C-4711", "Anna Rossi"):
        page = shown(corrente, name)
        assert page["customer"]["id"] == 1
    assert page["tax_identifiers"] == [{"scheme": "it.codicefiscale", "number": "RSSMRA80A01H501U"}]
    assert (page["addresses"][0]["kind"], page["addresses"][0]["house_number"]) == ("legal", "17/B")
    assert page["contacts"][0]["mobile"] == "+393395551234"
    said = corrente("show", "1").output.splitlines()
    assert "address     legal 1: Via Po 17/B, 10124 Torino IT" in said
    assert "contact     main: anna@example.net, +393395551234" in said


def test_documents_are_in_the_language_of_a_customer_s_country_unless_it_is_said(corrente):
    seat = ("--street", "Via Po", "--postal-code", "10124", "--city", "Torino", "--country")
    done = corrente("new", "Esportatori S.p.A.", "--kind", "company", *seat, "IT")
    assert done.output == "Customer 1 Esportatori S.p.A.\n"
    corrente("new", "Fibra del Sur", *seat, "AR")
    corrente("new", "Kabel GmbH", *seat, "DE")
    corrente("new", "Tourist", "--language", "en", *seat, "IT")
    corrente("new", "Nobody knows where")
    assert [shown(corrente, str(number))["customer"]["language"] for number in range(1, 6)] == [
        "it",
        "es",
        "en",
        "en",
        "en",
    ]


SEAT = ("--street", "Via Po", "--postal-code", "10124", "--city", "Torino", "--country")
REFUSED = [
    # A zero-width blank and a mark of direction; a country of nobody's, on whose documents no tax would be right.
    (("new", "\u200b\u202e"), "name: there is nothing in it that is seen"),
    (("edit", "1", "--name", "\u3164"), "name: there is nothing in it that is seen"),
    (("new", "X", *SEAT, "ZZ"), "'ZZ' is no country"),
    (("address", "1", "legal", "--city", "\u200b"), "city: there is nothing in it that is seen"),
    (("new", "X", "--tax-id", "it.iva=01234560018"), "wrong check digit"),
    (("new", "X", "--tax-id", "it.vat=1"), "no such kind of number"),
    (("new", "X", "--tax-id", "01234560017"), "expected SCHEME=NUMBER"),
    (("new", "X", "--street", "Via Po"), "an address needs --postal-code, --city, --country"),
    (("new", "X", "--phone", "3395551234"), "its country"),
    (("new", "X", "--given-name", "Anna"), "come together"),
    (("new", "X", "--position", "Nowhere"), "there is no fiscal position 'Nowhere'"),
    (("new", "X", "--reference", "C-4711"), "another customer has this reference already"),
    (("show", "anna"), "did you mean 1 Anna Rossi?"),
    (("show", "99"), "there is no customer '99'"),
    (("show", "99999999999999999999"), "there is no customer"),
    (("edit", "1"), "nothing to change"),
    (("contact", "1", "technical", "--contract", "7", "--name", "B"), "not this customer's"),
    (("contact", "1", "technical", "--remove"), "has no contact technical"),
    (("address", "1", "service", "--street", "Via Po"), "a new address needs --postal-code"),
    (("address", "1", "billing", "--remove"), "has no such billing address"),
    (("address", "1", "legal", "--latitude", "45"), "come together"),
    (("fetch", "1", "3"), "it has none"),
    (("tax-id", "1", "it.iva", "--remove"), "has no it.iva"),
    (("consent", "1", "Marketing", "email", "--given", "--wording", "x"), "small letters"),
]


def test_what_is_wrong_is_refused_with_what_to_do_and_changes_nothing(corrente):
    corrente(*ANNA)
    before = corrente("show", "1", "--json").output
    for arguments, says in REFUSED:
        refused = corrente(*arguments)
        assert refused.exit_code in (1, 2), arguments
        assert says in refused.output, arguments
    assert corrente("show", "1", "--json").output == before
    assert len(json.loads(corrente("list", "--json").output)) == 1


def test_a_contact_without_a_field_has_it_from_its_parent_and_a_role_without_one_reaches_main(corrente):
    corrente(*ANNA)
    corrente("contact", "1", "collections", "--name", "Bruno Verdi", "--email", "bruno@example.net", "--parent", "main")
    reached = shown(corrente)["reached"]
    assert (reached["collections"]["email"], reached["collections"]["mobile"]) == ("bruno@example.net", "+393395551234")
    assert reached["technical"]["email"] == "anna@example.net"
    assert "above itself" in corrente("contact", "1", "main", "--parent", "collections").output
    assert corrente("contact", "1", "main", "--remove").exit_code == 0
    assert shown(corrente)["reached"]["collections"]["mobile"] is None


def test_a_seat_is_changed_in_place_and_lines_end_at_several_addresses(corrente):
    corrente(*ANNA)
    assert corrente("address", "1", "legal", "--house-number", "18").output.endswith("legal address 1 changed.\n")
    place = ("--street", "Via Roma", "--postal-code", "10121", "--city", "Torino", "--country", "IT")
    for latitude in ("45.066667", "45.07"):
        assert corrente("address", "1", "service", *place, "--latitude", latitude, "--longitude", "7.7").exit_code == 0
    assert [one["latitude"] for one in shown(corrente)["addresses"][1:]] == ["45.066667", "45.070000"]
    assert "--id 2 or 3" in corrente("address", "1", "service", "--remove").output
    assert corrente("address", "1", "service", "--id", "2", "--remove").exit_code == 0
    assert corrente("address", "1", "service", "--id", "3", "--city", "Moncalieri").exit_code == 0
    assert [(one["kind"], one["city"]) for one in shown(corrente)["addresses"]] == [
        ("legal", "Torino"),
        ("service", "Moncalieri"),
    ]


def test_files_come_back_as_they_were_and_nothing_is_overwritten(corrente, tmp_path):
    corrente(*ANNA)
    file = tmp_path / "contract.pdf"
    file.write_bytes(bytes(range(256)) * 40)
    assert "contract.pdf, 10,240 octets" in corrente("attach", "1", str(file)).output
    back = tmp_path / "back.pdf"
    assert corrente("fetch", "1", "1", "--to", str(back)).exit_code == 0
    assert back.read_bytes() == file.read_bytes()
    again = corrente("fetch", "1", "1", "--to", str(back))
    assert (again.exit_code, "can't be written" in again.output) == (1, True)
    assert shown(corrente)["attachments"][0]["media_type"] == "application/pdf"
    assert corrente("detach", "1", "1", typed="n\n").exit_code == 1
    assert corrente("detach", "1", "1", "--yes").exit_code == 0
    assert shown(corrente)["attachments"] == []


def test_the_newest_consent_of_a_purpose_and_channel_counts(corrente):
    corrente(*ANNA)
    for said in ("--given", "--withdrawn"):
        assert corrente("consent", "1", "marketing", "email", said, "--wording", "Offers by mail.").exit_code == 0
    corrente(
        "consent", "1", "marketing", "sms", "--given", "--wording", "Offers by SMS.", "--evidence", "call of 3 May"
    )
    in_force = [(one["channel"], one["given"]) for one in shown(corrente)["consents"] if one["in_force"]]
    assert in_force == [("email", False), ("sms", True)]


def test_history_tells_who_did_what(corrente):
    corrente(*ANNA)
    corrente("edit", "1", "--name", "Anna Bianchi", "--kind", "person")
    corrente("note", "1", "Rings at noon.")
    corrente("tax-id", "1", "it.iva", "01234560017")
    happened = json.loads(corrente("history", "1", "--json").output)
    assert {one["who"] for one in happened} == {"maria", "system"}
    assert [one["what"] for one in happened][:3] == ["customer.tax_id", "note", "customer.edit"]
    assert "Rings at noon." in corrente("history", "1").output


def test_a_second_customer_of_the_same_tax_number_is_pointed_out(corrente):
    corrente(*ANNA)
    again = corrente("new", "Anna R.", "--tax-id", "it.codicefiscale=RSSMRA80A01H501U")
    assert again.exit_code == 0
    assert "customer 1 has RSSMRA80A01H501U too" in again.output


def test_a_customer_is_deleted_only_while_nothing_depends_on_it(corrente, connection):
    isp = make_books(connection, customers=1)
    owing = str(isp.customers[0])
    refused = corrente("delete", owing, "--yes")
    assert (refused.exit_code, "stays: it has 1 contract;" in refused.output) == (1, True)
    new = corrente("new", "By mistake", "--street", "x", "--postal-code", "1", "--city", "y", "--country", "IT").output
    number = new.split()[1]
    assert corrente("delete", number, typed="n\n").exit_code == 1
    assert corrente("delete", number, "--yes").exit_code == 0
    assert corrente("show", number).exit_code == 1


def test_a_list_goes_on_where_it_stopped(corrente):
    for name in ("Anna", "Bruno", "Carla"):
        corrente("new", name)
    first = corrente("list", "--limit", "2")
    assert ("Anna" in first.output, "Carla" in first.output, "--after 2" in first.output) == (True, False, True)
    assert [one["name"] for one in json.loads(corrente("list", "--after", "2", "--json").output)] == ["Carla"]
    assert "No customer is known" in corrente("list", "verdi").output
