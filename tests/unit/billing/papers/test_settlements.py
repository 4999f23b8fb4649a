"""An agent's settlement as it is printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.paper_reading import text_of

from billing.money import Money
from billing.papers.paper import SettledCommission
from billing.papers.press import Press
from billing.papers.settlements import settlement_paper

ISSUER = {"name": "Example Net", "country": "IT", "street": "Via Roma 1", "city": "Torino"}
PAPER = settlement_paper(
    label="3/AG/2026",
    issued_on=date(2026, 4, 1),
    through=date(2026, 3, 31),
    agent="Dora Bianchi",
    email="dora@example.net",
    issuer=ISSUER,
    language="it",
    amount=Money(100, "EUR"),
    commissions=(
        SettledCommission(date(2026, 3, 2), "815", "9/FT/2026", "earned_paid", Money(2990, "EUR"), Money(299, "EUR")),
        SettledCommission(date(2026, 3, 9), "816", None, "earned_early_end", Money(0, "EUR"), Money(-199, "EUR")),
    ),
)


@pytest.fixture(scope="module")
def press():
    with Press() as one:
        yield one


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("it", ("Liquidazione provvigioni", "Incasso", "Cessazione anticipata", "2,99", "-1,99", "A Lei spettante", "1,00 €")),
        ("es", ("Liquidación de comisiones", "Cobro", "Baja anticipada", "2,99", "-1,99", "A pagarle", "1,00 €")),
        ("en", ("Commission statement", "Paid", "Ended early", "2.99", "-1.99", "To be paid to you", "€1.00")),
    ],
)  # fmt: skip
def test_a_settlement_lists_what_was_earned_and_taken_back(press, language, says):
    read = text_of(press.print(replace(PAPER, frame=replace(PAPER.frame, language=language))))
    for said in (*says, "3/AG/2026", "Dora Bianchi", "9/FT/2026", "815", "816"):
        assert said in read, (said, read)


def test_what_the_agent_owes_and_what_was_taken_back_is_said(press):
    read = text_of(press.print(replace(PAPER, amount=Money(-199, "EUR"), undone_on=date(2026, 4, 2))))
    assert "A Suo debito" in read
    assert "-1,99 €" in read
    assert "Annullata il" in read
    assert "2 aprile 2026" in read
