"""Tax numbers of companies and authorities as they print them themselves, official samples, and what is one letter off."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.tax_identifiers import TaxIdentifier, WrongIdentifier, read_identifier

# tax_identifier.number of schema.sql.
FORM = r"[A-Z0-9&Ñ/.-]{1,30}"
SCHEMES = [
    "ar.cuit",
    "br.cnpj",
    "br.cpf",
    "cl.rut",
    "co.nit",
    "do.cedula",
    "do.rnc",
    "ec.ci",
    "ec.ruc",
    "es.cif",
    "es.nif",
    "eu.vat",
    "it.codicefiscale",
    "it.iva",
    "mx.rfc",
    "pe.ruc",
    "uy.rut",
    "ve.rif",
]

# Where each number stands in public: bodies and companies print theirs on their web pages and documents.
VALID = [
    ("it.iva", "01234560017", "01234560017"),  # made up, by the decree's Luhn check
    ("it.iva", "IT 00488410010", "00488410010"),  # TIM
    ("it.iva", "IT15844561009", "15844561009"),  # Enel
    ("it.codicefiscale", "RSSMRA80A01H501U", "RSSMRA80A01H501U"),  # Mario Rossi, the specimen everybody prints
    ("it.codicefiscale", "rss mra 80a01 h50mm", "RSSMRA80A01H50MM"),  # the same person after omocodia: 1 became M
    ("it.codicefiscale", "80054330586", "80054330586"),  # national research council, a body
    ("it.codicefiscale", "97103880585", "97103880585"),  # Poste Italiane
    ("eu.vat", "ATU62895905", "ATU62895905"),  # A1 Telekom Austria
    ("eu.vat", "BE 0202.239.951", "BE0202239951"),  # Proximus
    ("eu.vat", "BG831642181", "BG831642181"),  # Vivacom
    ("eu.vat", "CZ60193336", "CZ60193336"),  # O2 Czech Republic
    ("eu.vat", "DE 123475223", "DE123475223"),  # Deutsche Telekom
    ("eu.vat", "DK14773908", "DK14773908"),  # TDC
    ("eu.vat", "EL094019245", "EL094019245"),  # OTE
    ("eu.vat", "GR 094019245", "EL094019245"),  # the same as people write it
    ("eu.vat", "ES-A28015865", "ESA28015865"),  # Telefonica
    ("eu.vat", "FI01165106", "FI01165106"),  # Elisa
    ("eu.vat", "FR 89 380 129 866", "FR89380129866"),  # Orange
    ("eu.vat", "HR81793146560", "HR81793146560"),  # Hrvatski Telekom
    ("eu.vat", "HU10773381", "HU10773381"),  # Magyar Telekom
    ("eu.vat", "IE 6388047V", "IE6388047V"),  # Google Ireland
    ("eu.vat", "IT00488410010", "IT00488410010"),  # TIM
    ("eu.vat", "LT212154314", "LT212154314"),  # Telia Lietuva
    ("eu.vat", "LU20260743", "LU20260743"),  # Amazon
    ("eu.vat", "LV40003052786", "LV40003052786"),  # Tet
    ("eu.vat", "PL 526-025-09-95", "PL5260250995"),  # Orange Polska
    ("eu.vat", "PT504615947", "PT504615947"),  # MEO
    ("eu.vat", "RO9010105", "RO9010105"),  # Orange Romania
    ("eu.vat", "SE556103424901", "SE556103424901"),  # Telia
    ("eu.vat", "SI98511734", "SI98511734"),  # Telekom Slovenije
    ("eu.vat", "SK2020273893", "SK2020273893"),  # Slovak Telekom
    ("ar.cuit", "33-69345023-9", "33693450239"),  # AFIP, the tax authority
    ("ar.cuit", "30-54668997-9", "30546689979"),  # YPF
    ("ec.ruc", "1760013210001", "1760013210001"),  # SRI, the tax authority: public
    ("ec.ruc", "1790010937001", "1790010937001"),  # Banco Pichincha: a company
    ("ec.ruc", "1793213150001", "1793213150001"),  # CARNADA S.A.S., active in SRI's register, fits no check digit
    ("ec.ruc", "1710034065001", "1710034065001"),  # a person: cedula and establishment
    ("ec.ci", "171003406-5", "1710034065"),  # the worked example of most explanations of the check
    ("co.nit", "800.197.268-4", "8001972684"),  # DIAN, the tax authority
    ("co.nit", "899.999.068-1", "8999990681"),  # Ecopetrol
    ("mx.rfc", "SAT970701NN3", "SAT970701NN3"),  # SAT, the tax authority
    ("mx.rfc", "ekU-900317-3C9", "EKU9003173C9"),  # SAT's test certificates
    ("mx.rfc", "H&E-951128-469", "H&E951128469"),  # SAT's test certificates: what a name may hold
    ("mx.rfc", "ZUN\u0303920208KL4", "ZUÑ920208KL4"),  # the same, typed as N and a tilde
    ("mx.rfc", "CACX7605101P8", "CACX7605101P8"),  # SAT's test certificates: a person
    ("mx.rfc", "XAXX010101000", "XAXX010101000"),  # SAT: the general public
    ("pe.ruc", "20131312955", "20131312955"),  # SUNAT, the tax authority
    ("pe.ruc", "20100017491", "20100017491"),  # Telefonica del Peru
    ("do.rnc", "4-01-50625-4", "401506254"),  # DGII, the tax authority
    ("do.rnc", "101-00157-7", "101001577"),  # Claro
    ("do.cedula", "001-1391820-5", "00113918205"),  # the example of python-stdnum's documentation
    ("cl.rut", "60.803.000-K", "60803000K"),  # SII, the tax authority
    ("cl.rut", "CL 90.635.000-9", "906350009"),  # Telefonica Chile
    ("br.cnpj", "33.000.167/0001-01", "33000167000101"),  # Petrobras
    ("br.cnpj", "12.abc.345/01de-35", "12ABC34501DE35"),  # Receita Federal's example of the form of July 2026
    ("br.cpf", "111.444.777-35", "11144477735"),  # the worked example of most explanations of the check
    ("uy.rut", "211003420017", "211003420017"),  # ANTEL
    ("uy.rut", "UY 21-100342-001-7", "211003420017"),
    ("ve.rif", "G-20000303-0", "G200003030"),  # SENIAT, the tax authority
    ("ve.rif", "j-00124134-5", "J001241345"),  # CANTV
    ("es.nif", "99999999R", "99999999R"),  # the specimen of the electronic identity card
    ("es.nif", "X-0000000-T", "X0000000T"),  # the lowest there is: 0 over 23 leaves 0, whose letter is T
    ("es.nif", "ES A-15075062", "A15075062"),  # Inditex
    ("es.cif", "A39000013", "A39000013"),  # Banco Santander
    ("es.cif", "Q2826000H", "Q2826000H"),  # AEAT, the tax authority
]

WRONG = [
    ("it.iva", "01234560018", "wrong check digit: the rest"),
    ("it.iva", "01234567890", "province: digits 8 to 10"),  # of official samples, and yet none: 789 is no province
    ("it.iva", "0123456001", "length: 10 characters; it has 11"),
    ("it.iva", "O1234560017", "character 'O' at place 1: only digits"),
    ("it.codicefiscale", "RSSMRA80A01H501V", "wrong check character: the rest"),
    ("it.codicefiscale", "RSSMRA80A01H50MU", "wrong check character: the rest"),
    ("it.codicefiscale", "RSSMRA80A01H501", "length: 15 characters; it has 11 or 16"),
    ("it.codicefiscale", "RSSMRA80F01H501U", "not where they belong"),  # F is no month
    ("it.codicefiscale", "80054330587", "wrong check character: the rest"),
    ("it.codicefiscale", "", "there is no number"),
    ("eu.vat", "DE123475224", "wrong check digit: the rest"),
    ("eu.vat", "DE12347522", "length: 10 characters"),
    ("eu.vat", "FR 89 380 129 867", "wrong check digit: the rest"),
    ("eu.vat", "ESA28015866", "wrong check digit: the rest"),
    ("eu.vat", "GB123456789", "country: two letters of a member state"),
    ("eu.vat", "XI110305878", "country: two letters of a member state"),
    ("eu.vat", "EU372022452", "country: two letters of a member state"),
    ("eu.vat", "00488410010", "country: two letters of a member state"),
    ("ar.cuit", "33-69345023-8", "wrong check digit: the rest"),
    ("ar.cuit", "99-69345023-9", "kind: it begins with 20"),
    ("ar.cuit", "33-6934502-9", "length: 10 characters; it has 11"),
    ("ec.ruc", "1710034066001", "wrong check digit: the rest"),
    ("ec.ruc", "1793213150000", "establishment at its end is not 000"),
    ("ec.ruc", "9993213150001", "province: the first two digits"),
    ("ec.ruc", "1783213150001", "province: the first two digits"),  # third digit 8
    ("ec.ci", "1710034064", "wrong check digit: the rest"),
    ("ec.ci", "2510034065", "province: the first two digits"),
    ("co.nit", "800.197.268-5", "wrong last digit, the check digit: the rest gives another"),
    ("co.nit", "800-19", "length: 5 characters; it has 8 to 16"),
    ("mx.rfc", "SAT971301NN3", "a date that exists"),
    ("mx.rfc", "SAT970701", "length: 9 characters; it has 12 or 13"),
    ("mx.rfc", "CACX760510", "length: 10 characters; it has 12 or 13"),  # without the last three no invoice is made
    ("mx.rfc", "SAT97O701NN3", "not where they belong"),
    ("pe.ruc", "20131312956", "wrong check digit: the rest"),
    ("pe.ruc", "30131312955", "kind: it begins with 10"),
    ("do.rnc", "401506255", "wrong check digit: the rest"),
    ("do.cedula", "00113918204", "wrong check digit: the rest"),
    ("cl.rut", "60.803.000-9", "wrong check digit: the rest"),
    ("cl.rut", "60.8K3.000-9", "K can only be the check digit"),
    ("br.cnpj", "33.000.167/0001-02", "wrong check digits: the rest"),
    ("br.cnpj", "12.ABC.345/01DE-53", "wrong check digits: the rest"),
    ("br.cpf", "111.444.777-53", "wrong check digits: the rest"),
    ("br.cpf", "111.111.111-11", "one digit repeated is nobody's"),
    ("uy.rut", "211003420018", "wrong check digit: the rest"),
    ("uy.rut", "231003420017", "begins with 01 to 22"),
    ("ve.rif", "G-20000303-1", "wrong check digit: the rest"),
    ("ve.rif", "1-20000303-0", "kind: V, E, J, P or G"),
    ("es.nif", "99999999S", "wrong check character: the rest"),
    ("es.nif", "A15075063", "wrong check character: the rest"),
    ("es.nif", "9999999R", "length: 8 characters; it has 9"),
    ("es.cif", "A39000014", "wrong check character: the rest"),
    ("es.cif", "99999999R", "a letter of A to J"),
]


@pytest.mark.parametrize(("scheme", "text", "number"), VALID)
def test_a_number_of_somebody_is_taken_in_its_compact_form(scheme, text, number):
    assert read_identifier(scheme, text) == TaxIdentifier(scheme, number)


@pytest.mark.parametrize(("scheme", "text", "said"), WRONG)
def test_a_wrong_number_is_told_which_part_is_wrong(scheme, text, said):
    answer = read_identifier(scheme, text)

    assert isinstance(answer, WrongIdentifier)
    assert said in answer.reason
    assert answer.reason.startswith(scheme)


def test_every_kind_of_number_is_taken_and_refused_once():
    assert {scheme for scheme, _, _ in VALID} == {scheme for scheme, _, _ in WRONG} == set(SCHEMES)


def test_an_unknown_kind_names_those_that_there_are():
    answer = read_identifier("it.piva", "01234560017")

    assert isinstance(answer, WrongIdentifier)
    assert answer.reason == "it.piva: no such kind of number; there are " + ", ".join(SCHEMES)


@pytest.mark.parametrize("prefix", ["25", "26"])
def test_an_argentine_persons_prefix_that_is_given_out_when_the_others_are_used_up_has_its_check_digit_too(prefix):
    # 5 4 3 2 7 6 5 4 3 2 times 2 5 1 2 3 4 5 6 7 8 are 168, which leaves 3 over 11: 8. With 6 for 5 172 leave 7: 4.
    digit = {"25": "8", "26": "4"}[prefix]

    assert read_identifier("ar.cuit", f"{prefix}-12345678-{digit}") == TaxIdentifier(
        "ar.cuit", f"{prefix}12345678{digit}"
    )
    assert isinstance(read_identifier("ar.cuit", f"{prefix}-12345678-{(int(digit) + 1) % 10}"), WrongIdentifier)


@given(st.sampled_from(SCHEMES), st.data())
def test_whatever_is_typed_is_a_number_that_the_database_takes_or_a_reason(scheme, data):
    near = st.text("0123456789ABCDEFGHJKLMNOPQRSTUVXYZÑ&ß/.- ", max_size=18)
    country = st.sampled_from(["", "IT", "ES", "FR", "IE", "EL", "CY", "NL", "LV", "XI", "EU"])
    text = data.draw(st.text(max_size=20) | st.builds(str.__add__, country, near))

    answer = read_identifier(scheme, text)

    if isinstance(answer, TaxIdentifier):
        assert re.fullmatch(FORM, answer.number)
        assert read_identifier(scheme, answer.number) == answer
    else:
        assert answer.reason.startswith(f"{scheme}")


@given(
    st.sampled_from([one for one in VALID if one[0] in ("it.iva", "br.cpf", "ec.ci", "pe.ruc", "do.cedula")]), st.data()
)
def test_no_single_mistyped_digit_goes_through(number, data):
    # Luhn's sum over ten notices any one digit. Sums over eleven where two rests share a digit notice it at the check digit.
    scheme, _, right = number
    place = data.draw(st.integers(0, len(right) - 1)) if scheme in ("it.iva", "ec.ci", "do.cedula") else len(right) - 1
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != right[place]]))

    assert isinstance(read_identifier(scheme, right[:place] + digit + right[place + 1 :]), WrongIdentifier)


@pytest.mark.parametrize("province", ["00", "01", "24", "25", "29", "30", "31", "49", "50", "51"])
def test_a_companys_number_of_ecuador_is_of_one_of_its_provinces(province):
    # Companies' numbers come without a check digit; the establishment at the end is not 000.
    found = read_identifier("ec.ruc", f"{province}93213150001")

    assert isinstance(found, TaxIdentifier) is (province in ("01", "24", "30", "50"))


def test_a_text_of_sixty_characters_is_read_and_one_longer_is_not():
    dots = "1790010937001" + "." * 47
    assert "more than any has" not in str(read_identifier("ec.ruc", dots))
    assert "61 characters; 60 are more than any has" in str(read_identifier("ec.ruc", dots + "."))


def test_what_may_stand_in_a_number_is_said():
    assert "only digits K" in str(read_identifier("cl.rut", "12.345.67?-5"))
    assert "only digits and letters" in str(read_identifier("br.cnpj", "12?"))
    assert "it has 8 or 9" in str(read_identifier("cl.rut", "1"))
