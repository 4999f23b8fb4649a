"""Reminders and formal notices as they are printed, from what their step wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.paper_reading import codes_of, text_of

from billing.money import Money
from billing.papers.letters import ListedPart, WrittenLetter, letter_paper
from billing.papers.press import Press

ISSUER = {
    "name": "Example Net",
    "country": "IT",
    "street": "Via Roma 1",
    "city": "Torino",
    "iban": "IT60X0542811101000000123456",
}
CUSTOMER = {"id": 17, "name": "Anna Rossi", "country": "IT", "street": "Via Po 3", "city": "Torino"}
NOTICE = WrittenLetter(
    is_formal=True,
    dated=date(2026, 2, 1),
    language="it",
    issuer=ISSUER,
    customer=CUSTOMER,
    currency="EUR",
    channel="registered_letter",
    nth=2,
    parts=(
        ListedPart("91/FT/2025", date(2025, 12, 1), date(2025, 12, 16), Money(6100, "EUR"), Money(1100, "EUR")),
        ListedPart("3/FT/2026", date(2026, 1, 1), date(2026, 1, 16), Money(6100, "EUR"), Money(6100, "EUR")),
    ),
    pay_by=date(2026, 2, 16),
    notice_days=40,
    law="L. 160/2019 art. 1 c. 291",
    contracts=("815, Via Po 3, Torino",),
)


@pytest.fixture(scope="module")
def press():
    with Press() as one:
        yield one


# Eleven of the first, which was paid in part, and all of the second: 72.00; 47 and 16 days late on 1 February.
@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("it", ("costituzione in mora", "72,00 €", "trascorsi 40 giorni dal ricevimento", "Raccomandata A/R", "ai sensi di L. 160/2019", "16 febbraio 2026")),
        ("es", ("Requerimiento formal", "72,00 €", "pasados 40 días desde la recepción", "Carta certificada", "conforme a L. 160/2019", "16 de febrero de 2026")),
        ("en", ("Formal notice", "€72.00", "once 40 days have passed", "Registered letter", "under L. 160/2019", "16 February 2026")),
    ],
)  # fmt: skip
def test_a_formal_notice_lists_what_was_open_and_says_from_when_on_the_line_may_be_limited(press, language, says):
    printed = press.print(letter_paper(NOTICE, language=language))

    read = text_of(printed)
    for said in (*says, "Anna Rossi", "815, Via Po 3, Torino", "91/FT/2025", "3/FT/2026", " 47 ", " 16 "):
        assert said in read, (said, read)
    assert "11.00" in read.replace(",", ".")
    # What pays both names the customer.
    assert codes_of(printed)[0].endswith("EUR72.00\n\n\n17")


def test_a_day_that_is_known_is_announced_and_one_invoice_is_paid_under_its_number(press):
    known = replace(NOTICE, limited_on=date(2026, 3, 2), parts=NOTICE.parts[1:])
    printed = press.print(letter_paper(known))

    assert "dal giorno 2 marzo 2026" in text_of(printed)
    assert "trascorsi" not in text_of(printed)
    assert codes_of(printed)[0].endswith("EUR61.00\n\n\n3/FT/2026")


def test_a_registered_letter_is_called_as_in_the_sender_s_country(press):
    argentine = replace(NOTICE, issuer={**ISSUER, "country": "AR", "iban": None}, language="es")
    assert "Carta documento" in text_of(press.print(letter_paper(argentine)))


def test_a_reminder_is_friendlier_and_the_second_one_says_so(press):
    reminder = replace(NOTICE, is_formal=False, notice_days=None, law=None, channel="email")
    first, second = (text_of(press.print(letter_paper(replace(reminder, nth=nth)))) for nth in (1, 2))

    assert "Sollecito di pagamento" in first
    assert "Secondo sollecito di pagamento" in second
    for read in (first, second):
        assert "mora" not in read
        assert "limitato" not in read
