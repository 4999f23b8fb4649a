"""What a template gets of a paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.money import Money
from billing.papers.paper import PaperKind
from billing.papers.samples import sample
from billing.papers.spelling import Spelling
from billing.papers.template_data import data_for, number_name
from billing.papers.wording import load_wording

TABLES = load_wording("it")
SPELLING = Spelling("it", "IT")


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("it.vat", "P. IVA"),
        ("it.codicefiscale", "C.F."),
        ("es.vat", "NIF"),
        ("cl.vat", "RUT"),
        ("ar.cuit", "CUIT"),
        ("fr.vat", "P. IVA"),
    ],
)
def test_a_tax_number_is_called_what_its_country_calls_it(scheme, name):
    assert number_name(TABLES["numbers"], scheme) == name


def test_an_account_is_written_in_fours_and_codes_are_drawings():
    data = data_for(sample(PaperKind.INVOICE, "it"), TABLES, SPELLING)["paper"]

    assert data["bank"]["iban"] == "IT60 X054 2811 1010 0000 0123 456"
    assert [code["says"] for code in data["codes"]] == ["Inquadri con l'app della Sua banca", "Paghi online"]
    assert all(code["svg"].startswith("<svg ") for code in data["codes"])


def test_a_second_reminder_is_called_so_and_a_notice_never_is():
    second = replace(sample(PaperKind.REMINDER, "it"), step=2)
    notice = replace(sample(PaperKind.FORMAL_NOTICE, "it"), step=2)

    assert data_for(second, TABLES, SPELLING)["title"] == "Secondo sollecito di pagamento"
    assert data_for(notice, TABLES, SPELLING)["title"] == "Diffida ad adempiere e costituzione in mora"


def test_a_letter_says_its_fees_and_days():
    letter = sample(PaperKind.FORMAL_NOTICE, "it")
    data = data_for(letter, TABLES, SPELLING)

    # Four times 36.48, and 3.00.
    assert data["paper"]["together"]["full"] == "148,92\xa0€"
    assert "148,92\xa0€ entro il giorno 10 maggio 2026" in data["sentences"]["formal_notice"]
    assert "dal giorno 11 maggio 2026" in data["sentences"]["formal_limit"]
    assert "formal_law" not in data_for(replace(letter, law=None), TABLES, SPELLING)["sentences"]


@pytest.mark.parametrize(
    ("minor", "stands", "standing"),
    [(2990, "you_owe", "29,90\xa0€"), (-2990, "you_have", "29,90\xa0€"), (0, "settled", "0,00\xa0€")],
)
def test_a_balance_is_said_in_a_word(minor, stands, standing):
    paper = sample(PaperKind.STATEMENT, "it")
    paper = replace(paper, parts=(replace(paper.parts[0], balance=Money(minor, "EUR")),))
    (part,) = data_for(paper, TABLES, SPELLING)["paper"]["parts"]

    assert (part["stands"], part["standing"]["full"]) == (stands, standing)


def test_an_operator_s_notes_stand_on_all_papers_and_on_their_kind():
    tables = TABLES | {"notes": {"all": "Sempre", "invoice": "Fattura", "quote": "Preventivo"}}

    assert data_for(sample(PaperKind.INVOICE, "it"), tables, SPELLING)["notes"] == ["Sempre", "Fattura"]
    assert data_for(sample(PaperKind.STATEMENT, "it"), tables, SPELLING)["notes"] == ["Sempre"]
