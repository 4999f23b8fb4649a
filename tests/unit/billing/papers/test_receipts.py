"""Receipts and hand-overs as they are printed, read back from the PDF at each width and in each language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.paper_reading import codes_of, pages_of, text_of, words_of

from billing.money import Money, settle
from billing.papers.paper import CashMovement, CollectedPayment, Denomination, PaidDocument
from billing.papers.press import Press
from billing.papers.receipts import ReceivedPayment, cash_session_paper, method_said, receipt_paper

NOON = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
ISSUER = {"name": "Example Net", "country": "IT", "street": "Via Roma 1", "city": "Torino", "vat_number": "01234560017"}
CUSTOMER = {"id": 17, "name": "Anna Rossi", "country": "IT", "street": "Via Po 3", "city": "Torino"}


def eur(amount):
    return settle(Decimal(amount), "EUR")


RECEIVED = ReceivedPayment(
    "47/RE/2026",
    date(2026, 3, 10),
    NOON,
    ("cash", "Cash"),
    eur("70"),
    (
        PaidDocument("1/FT/2026", date(2026, 1, 1), eur("24.28")),
        PaidDocument("4/FT/2026", date(2026, 2, 1), eur("41.36")),
    ),
    still_open=eur("36.48"),
    collector="Carla Neri",
)
# What is printed of the amounts, the way of paying and what is left, in each language.
SAYS = {
    "it": ("Ricevuta", "70,00 €", "41,36", "Contanti", "Ancora da pagare 36,48 €", "A Suo credito 4,36 €"),
    "es": ("Recibo", "70,00 €", "41,36", "Efectivo", "36,48 €", "4,36 €"),
    "en": ("Receipt", "€70.00", "41.36", "Cash", "€36.48", "€4.36"),
}


@pytest.fixture(scope="module")
def press():
    with Press() as one:
        yield one


def paper_of(received=RECEIVED, *, customer=CUSTOMER, language="it", size="80mm"):
    return receipt_paper(received, issuer=ISSUER, customer=customer, language=language, size=size)


@pytest.mark.parametrize("language", SAYS)
@pytest.mark.parametrize(("size", "width"), [("a4", 595.3), ("80mm", 226.8), ("58mm", 164.4)])
def test_a_receipt_says_what_was_paid_at_each_width_and_in_each_language(press, size, width, language):
    printed = press.print(paper_of(size=size, language=language))

    text = text_of(printed)
    for said in (*SAYS[language], "47/RE/2026", "Anna Rossi", "Carla Neri", "1/FT/2026", "4/FT/2026", "Example Net"):
        assert said in text, (said, text)
    assert len(pages_of(printed)) == 1
    assert max(word.right for word in words_of(printed)) <= width
    assert "CODE-128:47/RE/2026" in codes_of(printed)


def test_a_receipt_that_was_taken_back_says_so_and_one_of_nobody_names_nobody(press):
    taken_back = ReceivedPayment(
        "1", date(2026, 3, 10), NOON, ("cash", "Till"), eur(5), (), reversed_on=date(2026, 3, 12)
    )
    text = text_of(press.print(paper_of(taken_back, customer=None)))
    assert "Annullata il 10 mar 2026, 12:05 Till 12 mar 2026" in text
    assert ("Till" in text, "Anna" in text) == (True, False)
    assert "Annullata" not in text_of(press.print(paper_of()))


def test_a_way_of_paying_that_was_renamed_keeps_its_name():
    assert (method_said("cash", "Cash"), method_said("cash", "Contado"), method_said("till", "Cash")) == (
        "by_cash",
        "Contado",
        "Cash",
    )


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("it", ("Verbale di chiusura cassa", "Atteso 76,48 €", "Differenza -1,03 €", "Prelievo", "Contanti")),
        ("es", ("Arqueo de caja", "76,48 €", "-1,03 €", "Retiro", "Efectivo")),
        ("en", ("Cash hand-over", "€76.48", "-€1.03", "Taken out", "Cash")),
    ],
)
def test_a_hand_over_says_what_was_counted_and_what_is_missing(press, language, says):
    def counted(value: str, pieces: int) -> Denomination:
        return Denomination(eur(value), pieces, Money(eur(value).minor * pieces, "EUR"))

    paper = cash_session_paper(
        number=44,
        collector="Carla Neri",
        taken_by="Maria Bruni",
        issuer=ISSUER,
        language=language,
        dated=date(2026, 3, 10),
        times=(NOON, NOON),
        sums=(eur(50), eur("76.48"), eur("75.45")),
        payments=[CollectedPayment("47/RE/2026", "Anna Rossi", NOON, "by_cash", eur("66.48"))],
        movements=[CashMovement("withdrawn", "to the bank", eur(-40))],
        denominations=[counted("50", 1), counted("20", 1), counted("5", 1), counted("0.05", 9)],
    )
    text = text_of(press.print(paper))
    for said in (*says, "47/RE/2026", "Carla Neri", "Maria Bruni", "to the bank"):
        assert said in text, (said, text)
