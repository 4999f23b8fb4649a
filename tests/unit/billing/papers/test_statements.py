"""A customer's account becomes the paper that is printed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.paper_reading import text_of

from billing.money import Money
from billing.papers.paper import Span
from billing.papers.press import Press
from billing.papers.statements import statement_paper
from billing.reports import MovedMoney, StatementRow

DAY = date(2026, 3, 1)


def _paper(*rows: StatementRow, language: str = "it", **behind):
    return statement_paper(
        rows,
        moved={1: MovedMoney(1, **behind)} if behind else {},
        issuer={"name": "Example Net", "country": "IT", "iban": "IT60X0542811101000000123456"},
        customer={"id": 7, "name": "Anna Rossi"},
        language=language,
        during=Span(DAY, DAY),
        dated=DAY,
    )


def _row(what: str, currency: str, debit: str | None, credit: str | None, balance: str) -> StatementRow:
    amounts = (None if one is None else Decimal(one) for one in (debit, credit))
    return StatementRow(DAY, what, "1/FT/2026", None, currency, *amounts, Decimal(balance), 1)


def test_each_currency_has_a_part_that_ends_with_its_balance():
    paper = _paper(
        _row("invoice", "EUR", "36.480", None, "36.480"),
        _row("credit note", "EUR", None, "40.000", "-3.520"),
        _row("invoice", "USD", "5.000", None, "5.000"),
    )

    euros, dollars = paper.parts
    assert [line.what for line in euros.lines] == ["invoice", "credit_note"]
    assert (euros.lines[0].debit, euros.lines[0].credit) == (Money(3648, "EUR"), None)
    assert (euros.balance, euros.standing) == (Money(-352, "EUR"), Money(352, "EUR"))
    assert dollars.balance == Money(500, "USD")


def test_the_bank_stands_where_something_is_owed():
    owed = _paper(_row("invoice", "EUR", "5", None, "5"))

    assert owed.bank is not None
    assert owed.bank.reference == "7"
    assert _paper(_row("credit note", "EUR", None, "5", "-5")).bank is None
    assert _paper().parts == ()


COLLECTED = {"source": "collector", "reference": "collector 3: 7f3a", "inner": "payment 9"}
TYPED = {"source": "manual", "reference": "TRN 55", "inner": "payment 9"}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (COLLECTED, ""),
        ({"source": "webhook", "reference": "gateway 1 pi_3Q", "inner": "payment 9"}, ""),
        ({"source": "file", "reference": "2026-11-21 ade93b1b350328cc", "inner": "payment 9"}, ""),
        ({"source": "file", "reference": "2026-11-21 ade9", "inner": "payment 9", "structured": "RF18 5390 07"}, "RF18 5390 07"),
        ({"source": "counter", "reference": "payment 9", "inner": "payment 9"}, ""),
        ({"source": "manual", "reference": "list 0123456789abcdef row 12", "inner": "payment 9"}, ""),
        (TYPED, "TRN 55"),
        ({"source": None, "reference": None, "inner": None, "invoice": "3/FT/2026"}, "3/FT/2026"),
    ],
)  # fmt: skip
def test_a_customer_reads_a_reference_that_somebody_gave_and_no_key_of_ours(told, said):
    told = {"method": ("transfer", "Bank transfer"), "structured": None, "invoice": None} | told
    paper = _paper(_row("payment", "EUR", None, "5", "-5"), **told)

    (line,) = paper.parts[0].lines
    assert line.reference == said


@pytest.mark.parametrize(
    ("language", "name", "said"),
    [("es", "Cash", "Pago (Efectivo)"), ("it", "Cash", "Pagamento (Contanti)"), ("it", "Banco", "Pagamento (Banco)")],
)
def test_the_way_of_paying_is_said_in_the_paper_s_language_unless_an_operator_named_it(language, name, said):
    told = {"method": ("cash", name), "structured": None, "invoice": None}
    with Press(None, None) as press:
        pdf = press.print(_paper(_row("payment", "EUR", None, "5", "-5"), language=language, **told, **COLLECTED))

    text = " ".join(text_of(pdf).split())
    assert said in text
    assert "7f3a" not in text
