"""Why nothing was done, in the reader's language: amounts and days as they write them, and no command."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.errors import BillingError
from billing.money import read_money
from billing.payments import NotDone, PaymentSource
from billing.sentence import Sentence
from control_plane.settings import Settings
from web.app import create_app
from web.money_words import error_words, words_of
from web.problems import Wrong, problem_response

REFUSALS = {
    "en": "Payment 7 came back on 3 Feb 2026",
    "it": "Il pagamento 7 è tornato insoluto il 3 feb 2026",
    "es": "El pago 7 se devolvió el 3 feb 2026",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(Settings(base_dir=str(tmp_path_factory.mktemp("words"))))


def said(app, language: str, refused: Sentence) -> str:
    with app.test_request_context(headers={"Cookie": f"language={language}"}):
        return words_of(refused)


@pytest.mark.parametrize("language", REFUSALS)
def test_a_refusal_is_told_in_the_language_of_who_reads(app, language):
    refused = NotDone("payment %(payment_id)s came back on %(reversed_on)s", payment_id=7, reversed_on=date(2026, 2, 3))
    assert said(app, language, refused) == REFUSALS[language]
    assert refused.message == "payment 7 came back on 2026-02-03"


def test_amounts_and_parts_are_told_so_too(app):
    sixty = read_money(Decimal("61.00"), "EUR")
    refused = NotDone(
        "%(amount)s of %(invoice)s, which has %(open)s open: choose less",
        amount=sixty,
        invoice=Sentence("invoice %(label)s", label="12/FT/2026"),
        open=sixty,
    )
    told = said(app, "it", refused)
    assert "di fattura 12/FT/2026, che ha 61,00" in told
    assert refused.message == "61.00 EUR of invoice 12/FT/2026, which has 61.00 EUR open: choose less"


def test_a_source_has_its_own_words(app):
    refused = NotDone(
        "%(source)s reference %(reference)s is a refund already: give this one a reference of its own",
        source=PaymentSource.MANUAL,
        reference="x",
    )
    assert "riferimento x" in said(app, "it", refused)
    assert "manual" not in said(app, "it", refused)


def test_a_page_names_no_command(app):
    refused = NotDone("there is no session %(session_id)s: `corrente cash list` shows them", session_id=4)
    assert said(app, "en", refused) == "There is no session 4"
    assert said(app, "it", refused) == "Non c'è una sessione 4"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Order 1/OR/2026 is cancelled already: it stays so"),
        ("it", "Ordine 1/OR/2026 risulta già annullato: non si cambia più"),
        ("es", "Pedido 1/OR/2026 ya está anulado: no se cambia más"),
    ],
)
def test_what_the_books_refuse_is_told_in_the_language_of_who_reads(app, language, told):
    refused = BillingError(
        Sentence(
            "%(kind)s %(offer)s is %(word)s already: it stays so",
            kind=Sentence("order"),
            offer="1/OR/2026",
            word=Sentence("cancelled"),
        )
    )
    with app.test_request_context(headers={"Cookie": f"language={language}"}):
        assert error_words(refused) == told
    assert str(refused) == "order 1/OR/2026 is cancelled already: it stays so"


def test_no_page_and_no_program_is_told_a_command(app):
    refused = BillingError("there is no gateway; `corrente gateway list` shows them")
    with app.test_request_context():
        assert error_words(refused) == "There is no gateway"
        answer = problem_response(409, str(refused), (Wrong(str(refused)),))
    assert "corrente gateway" not in answer.get_data(as_text=True)


def test_a_place_may_be_called_as_the_words_themselves_are(app):
    refused = Sentence("there is no document %(text)s", text="12/FT/2026")
    assert said(app, "it", refused) == "Il documento 12/FT/2026 non esiste"


def test_facts_have_words_and_what_is_none_of_them_stays(app):
    refused = Sentence(
        "product %(name)s is %(is_kind)s, wanted is %(kind)s", name="'Fibra'", is_kind="add_on", kind="x"
    )
    assert said(app, "it", refused) == "Il prodotto 'Fibra' è di tipo opzione, serve il tipo x"
    assert refused.message == "product 'Fibra' is add_on, wanted is x"
