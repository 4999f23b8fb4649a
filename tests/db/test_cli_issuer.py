"""corrente issuer, as an operator types it."""

from __future__ import annotations

import json

import pytest
from support.command_line import run, write_settings

pytestmark = pytest.mark.db

NEW = ("new", "Example Net", "--country", "IT", "--street", "Via Roma", "--postal-code", "10121", "--city", "Torino")


@pytest.fixture
def corrente(tmp_path, database):
    settings = write_settings(tmp_path, database)

    def command(*arguments, noun="issuer"):
        return run(settings, noun, *arguments)

    return command


def read(corrente, *arguments):
    return json.loads(corrente(*arguments, "--json").output)


def test_an_issuer_begins_with_all_that_it_needs_and_is_changed(corrente):
    done = corrente(*NEW, "--vat-number", "IT 01234560017")
    assert done.exit_code == 0, done.output
    assert "21 accounts, registers FT, RC, NC, PR, OR, PA." in done.output
    assert (
        corrente(
            "edit",
            "Example Net",
            "--recharges-stamp",
            "--confirm-hours",
            "24",
            "--iban",
            "it60 x0542 8111 0100 0000 1234 56",
        ).exit_code
        == 0
    )
    issuer = read(corrente, "show", "Example Net")["issuer"]
    assert (issuer["vat_number"], issuer["zone"], issuer["tax_regime"]) == ("01234560017", "Europe/Rome", "RF01")
    assert (issuer["recharges_stamp"], issuer["confirm_hours"], issuer["iban"]) == (
        True,
        24,
        "IT60X0542811101000000123456",
    )
    page = corrente("show", "Example Net").output
    assert "a person, or by itself after 24 h" in page
    assert "due days           any day" in page
    assert corrente("edit", "Example Net", "--bank-days", "it-to").output == "Changed issuer Example Net: bank days.\n"
    assert "due days           bank days of IT-TO" in corrente("show", "Example Net").output
    assert corrente("edit", "Example Net", "--bank-days", "none").exit_code == 0
    assert read(corrente, "show", "Example Net")["issuer"]["bank_days"] is None
    assert [one["name"] for one in read(corrente, "list")] == ["Example Net"]


REFUSED = [
    ((*NEW[:1], "Other", *NEW[2:], "--vat-number", "01234560018"), "wrong check digit"),
    (("new", "Other", "--country", "IT", "--street", "Via Roma"), "--postal-code"),
    ((*NEW[:1], "Other", *NEW[2:], "--zone", "Europe/Turin"), "there is no such zone"),
    (NEW, "there is an issuer of this name already"),
    # One digit of the account mistyped: customers would pay into nowhere.
    (("edit", "Example Net", "--iban", "IT60X0542811101000000123457"), "wrong check digits"),
    (("edit", "Example Net", "--tax-regime", "RF03"), "there is no tax regime 'RF03' in IT"),
    (("edit", "Example Net", "--phone", "011"), "begin a telephone number with +"),
    (("edit", "Example Nett", "--iban", "x"), "did you mean Example Net?"),
    (("edit", "Example Net", "--minimum-document", "0"), "above 0"),
    (("edit", "Example Net", "--bank-days", "IT-XX"), "IT has no region 'XX'"),
    (("register", "add", "Example Net", "ft", "invoice", "--name", "x"), "capitals"),
    (("register", "add", "Example Net", "FT", "invoice", "--name", "x"), "already"),
    (("register", "add", "Example Net", "ZZ", "invoice", "--name", "x"), "kind, purpose and fiscal position already"),
    # SDI takes 20 characters, and refuses a number that it has seen (00404), whatever register it is of.
    (
        (
            "register",
            "add",
            "Example Net",
            "E",
            "invoice",
            "--name",
            "x",
            "--pattern",
            "INVOICE-{year}-{number}/{code}",
        ),
        "INVOICE-2026-9999999/E, and a number has 20 characters at most",
    ),
    (
        ("register", "add", "Example Net", "E", "invoice", "--name", "x", "--pattern", "{number}/FT/{year}"),
        "register E would print the numbers of register FT once more",
    ),
    (("position", "add", "X", "--country", "ZZ"), "'ZZ' is no country"),
    (("duty", "set", "ZZ", "2", "--above", "77.47", "--from", "2027-01-01"), "'ZZ' is no country"),
    (("tax", "add", "IT-5"), "either --percent with --from, or --nature with --law"),
    (("tax", "add", "IT-5", "--nature", "N4"), "a nature needs the law"),
    (("tax", "rate", "IT-99", "5", "--from", "2027-01-01"), "there is no tax code 'IT-99'"),
    (("tax", "rate", "IT-22", "5", "--from", "2013-10-01"), "on some of these days already"),
    (("tax", "rate", "IT-22", "101", "--from", "2027-01-01"), "0 to 100 percent"),
    (("position", "add", "X", "--replace", "IT-22"), "expected CODE=CODE"),
    (("position", "add", "X", "--country", "Italy"), "two capitals"),
    (
        ("exemption", "add", "1", "IT-N3.5", "--from", "2026-01-01", "--until", "2026-01-01", "--paper", "x"),
        "ends after",
    ),
]


def test_what_is_wrong_is_refused_in_a_person_s_words(corrente):
    corrente(*NEW)
    before = [corrente(*what).output for what in (("show", "Example Net", "--json"), ("tax", "list", "--json"))]
    for arguments, says in REFUSED:
        refused = corrente(*arguments)
        assert refused.exit_code in (1, 2), arguments
        assert says in refused.output, arguments
    after = [corrente(*what).output for what in (("show", "Example Net", "--json"), ("tax", "list", "--json"))]
    assert after == before


def test_registers_taxes_and_positions_are_added_and_listed(corrente):
    corrente(*NEW)
    named = ("--name", "Invoices abroad", "--pattern", "{year}/E/{number}", "--position", "IT outside the territory")
    assert corrente("register", "add", "Example Net", "E", "invoice", *named).exit_code == 0
    assert "Invoices abroad" in corrente("register", "list", "Example Net").output
    added = corrente("tax", "rate", "IT-22", "23", "--from", "2028-01-01")
    assert added.output == "Tax code IT-22: 23 % from 2028-01-01; 22 % ends there.\n"
    assert corrente("tax", "add", "IT-5", "--percent", "5", "--from", "2026-01-01").exit_code == 0
    rates = {one["name"]: one["rates"] for one in read(corrente, "tax", "list")}
    assert rates["IT-5"] == ["5 from 2026-01-01"]
    place = ("--country", "IT", "--postal-prefix", "23041", "--priority", "5", "--replace", "IT-22=IT-N2.1")
    assert corrente("position", "add", "Livigno", *place).exit_code == 0
    assert read(corrente, "position", "list")[0]["replaces"] == ["IT-22 -> IT-N2.1"]


def test_stamp_duty_is_listed_set_from_a_day_and_ended(corrente):
    corrente(*NEW)

    def listed():
        return [
            (one["above"], one["amount"], one["since"], one["until"], one["product"])
            for one in read(corrente, "duty", "list")
        ]

    (before,) = listed()
    said = corrente("duty", "set", "IT", "3", "--above", "100", "--from", "2028-01-01").output
    assert said == "Stamp duty of IT: 3.00 EUR above 100.00 from 2028-01-01; 2.00 ends there.\n"
    assert listed() == [(*before[:3], "2028-01-01", before[4]), ("100.000", "3.000", "2028-01-01", None, before[4])]
    assert (
        "some of these days already"
        in corrente("duty", "set", "IT", "3", "--above", "1", "--from", "2020-01-01").output
    )
    assert "ends on 2029-01-01" in corrente("duty", "end", "IT", "--on", "2029-01-01").output
    assert listed()[1][3] == "2029-01-01"
    assert "no stamp duty in EUR" in corrente("duty", "end", "IT", "--on", "2029-01-01").output
    assert "RECHARGED AS" in corrente("duty", "list").output


def test_an_exemption_stands_with_its_paper(corrente):
    corrente(*NEW)
    corrente("new", "Export SpA", "--kind", "company", noun="customer")
    done = corrente(
        "exemption", "add", "1", "IT-N3.5", "--from", "2026-01-01", "--until", "2027-01-01", "--paper", "12/2026"
    )
    assert done.exit_code == 0, done.output
    (one,) = read(corrente, "exemption", "list", "--customer", "1")
    assert (one["tax_code"], one["legal_reference"], one["placed_by"]) == ("IT-N3.5", "12/2026", "maria")
    again = corrente(
        "exemption", "add", "1", "IT-N2.1", "--from", "2026-06-01", "--until", "2027-01-01", "--paper", "x"
    )
    assert "has an exemption on some of these days already" in again.output
    assert "exemption" in corrente("history", "1", noun="customer").output
    # A declaration that was revoked, then one typed by mistake: the days that had it stay, the rest is taxed.
    ended = corrente("exemption", "end", "1", "--on", "2026-07-01", "--reason", "revoked")
    assert (
        ended.output
        == "Customer 1 Export SpA: no exemption from 2026-07-01 on; IT-N3.5 from 2026-01-01 until 2026-07-01 stays.\n"
    )
    assert corrente("exemption", "end", "1", "--on", "2026-01-01", "--reason", "a mistake").exit_code == 0
    assert read(corrente, "exemption", "list") == []
    nothing = corrente("exemption", "end", "1", "--on", "2026-01-01", "--reason", "a mistake")
    assert (nothing.exit_code, "has no exemption on 2026-01-01 or later" in nothing.output) == (1, True)


def test_a_country_whose_rates_are_not_known_says_so(corrente):
    done = corrente("new", "Fibra", "--country", "CO", "--street", "Calle 1", "--postal-code", "1", "--city", "Bogota")
    assert (done.exit_code, "No rates are known of CO" in done.output) == (0, True)
