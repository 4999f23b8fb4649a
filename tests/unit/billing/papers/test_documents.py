"""A document as it was issued becomes the paper that is printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing.documents import Due
from billing.money import Money
from billing.papers.documents import document_paper
from billing.papers.paper import Percent, Price, Span
from billing.periods import Period
from billing.shown import ShownDocument, ShownGroup, ShownLine

IBAN = "IT60X0542811101000000123456"


def _eur(minor: int) -> Money:
    return Money(minor, "EUR")


def _line(number: int, net: int, **facts) -> ShownLine:
    line = ShownLine(
        number, "Home 30", None, Decimal(1), Decimal("29.90"), Decimal(0), _eur(net), "IT-22", Decimal(22), None, _eur(0),
        23, "Home 30", None,
    )  # fmt: skip
    return replace(line, **facts)


INVOICE = ShownDocument(
    id=17,
    label="1/FT/2026",
    kind="invoice",
    state="issued",
    document_date=date(2026, 3, 1),
    issued_at=None,
    made_by="maria",
    currency="EUR",
    includes_tax=False,
    net=_eur(5990),
    tax=_eur(1318),
    gross=_eur(7308),
    payable=_eur(7308),
    stamp_duty=_eur(0),
    language="it",
    issuer_id=1,
    customer_id=7,
    issuer={"name": "Example Net", "country": "IT", "iban": IBAN},
    customer={"id": 7, "name": "Anna Rossi", "country": "IT"},
    run_id=None,
    reason=None,
    corrects=None,
    lines=(
        _line(1, 2990, during=Period(date(2026, 3, 1), date(2026, 4, 1))),
        _line(2, 3000, discount=Decimal("2.45"), credited=_eur(100)),
    ),
    groups=(ShownGroup(Decimal(22), None, None, "immediate", _eur(5990), _eur(1318)),),
    dues=(Due(date(2026, 3, 31), _eur(3654)), Due(date(2026, 4, 30), _eur(3654))),
    standing=None,
)


def test_lines_say_their_days_with_the_last_and_what_they_came_to():
    first, second = document_paper(INVOICE).lines

    assert first.during == Span(date(2026, 3, 1), date(2026, 3, 31))
    assert (first.discount, second.discount) == (None, Price(Decimal("2.45"), "EUR"))
    assert (first.carried, second.carried) == (_eur(2990), _eur(5990))
    assert first.rate == Percent(Decimal(22))


def test_a_transfer_s_code_asks_for_the_part_that_falls_due_first():
    paper = document_paper(INVOICE)

    assert paper.bank is not None
    (code,) = paper.codes
    assert code.text.splitlines()[5:8] == ["Example Net", IBAN, "EUR36.54"]
    assert code.text.endswith("\n1/FT/2026")


def test_only_an_invoice_with_something_to_pay_says_where_and_a_draft_has_no_code():
    draft = document_paper(replace(INVOICE, label=None))
    nothing = document_paper(replace(INVOICE, payable=_eur(0)))
    note = document_paper(replace(INVOICE, kind="credit_note", corrects="9/FT/2025"))
    no_account = document_paper(replace(INVOICE, issuer={"name": "Example Net"}))

    assert draft.bank is not None
    assert [paper.codes for paper in (draft, nothing, note, no_account)] == [()] * 4
    assert [paper.bank for paper in (nothing, note, no_account)] == [None] * 3
    assert (note.title, note.corrects) == ("credit_note", "9/FT/2025")


def test_tax_that_the_customer_pays_to_the_state_stands_apart():
    split = replace(INVOICE, payable=_eur(5990), groups=(replace(INVOICE.groups[0], liability="split"),))
    paper = document_paper(split, language="en")

    assert paper.to_state == _eur(1318)
    assert paper.taxes[0].liability == "split"
    assert paper.frame.language == "en"
    assert document_paper(INVOICE).to_state is None
    assert document_paper(INVOICE).taxes[0].liability is None


def test_an_advance_is_called_one():
    assert document_paper(replace(INVOICE, is_advance=True)).title == "advance"
    assert document_paper(INVOICE).title == "invoice"
