"""Suggestions: what speaks for a customer, how much, and when nobody needs to look."""

from __future__ import annotations

import time
from datetime import date

import pytest

from billing.banking.bank_line import BankLine
from billing.banking.evidence import creditor_reference
from billing.banking.matching import Known, OpenDocument, Reason, clear_choice, suggest
from billing.money import Money

DAY = date(2026, 3, 10)
NAMES = {1: "Mario Rossi", 2: "Anna Verdi", 3: "Rossi Mario", 4: "Bianchi Snc", 5: "Luca Neri"}
ANNAS_IBAN = "IT28W8000000292100645211151"


def eur(cents):
    return Money(cents, "EUR")


def document(number, customer_id, cents, label=None, month=1):
    return OpenDocument(number, label or f"{number}/FT/2026", customer_id, eur(cents), date(2026, month, 16))


# 1 has three of 29.90, 30.00 and 41.36 open, 2 and 5 one of 29.90, 4 one of 99.99 that nobody else has.
BOOK = (
    document(11, 1, 2990),
    document(12, 1, 3000, month=2),
    document(13, 1, 4136, month=3),
    document(21, 2, 2990),
    document(41, 4, 9999),
    document(51, 5, 2990, label="21/RC/2026"),
)


def known(**given):
    return Known(
        **{
            "names": NAMES,
            "references": {5: "C-4711"},
            "ibans": {ANNAS_IBAN: frozenset({2})},
            "documents": BOOK,
            **given,
        }
    )


def line(cents, text="", party="", **given):
    return BankLine(1, eur(cents), DAY, DAY, text=text, party=party, **given)


def best(found):
    return found[0].customer_id, found[0].score, set(found[0].reasons), found[0].invoices


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # 97: the check digits rule out a mistyped one; with its amount 1 - .03 * .4.
        (line(2990, creditor_reference=creditor_reference("11/FT/2026")), (1, 98, {Reason.REFERENCE, Reason.NAMED_AMOUNT}, (11,))),
        (line(100, f"grazie {creditor_reference('41/FT/2026')}"), (4, 97, {Reason.REFERENCE}, (41,))),
        # The text of the code that our papers carry is the printed number.
        (line(2990, "21/FT/2026"), (2, 94, {Reason.NUMBER, Reason.NAMED_AMOUNT}, (21,))),
        (line(5, "saldo fatt. 12 FT 2026 "), (1, 85, {Reason.NUMBER}, (12,))),
        (line(5990, "11/FT/2026 + 12/FT/2026"), (1, 94, {Reason.NUMBER, Reason.NAMED_AMOUNT}, (11, 12))),
        (line(3000, "fattura n. 12 del 2026"), (1, 84, {Reason.LOOSE_NUMBER, Reason.NAMED_AMOUNT}, (12,))),
        (line(2990, "cliente C-4711"), (5, 90, {Reason.CUSTOMER, Reason.AMOUNT}, (51,))),
        (line(2990, party_iban=ANNAS_IBAN), (2, 87, {Reason.IBAN, Reason.AMOUNT}, (21,))),
        (line(2990, party="VERDI ANNA"), (2, 77, {Reason.NAME, Reason.AMOUNT}, (21,))),
        (line(2990, party="VERDI ANNA", party_iban=ANNAS_IBAN), (2, 94, {Reason.IBAN, Reason.NAME, Reason.AMOUNT}, (21,))),
        # Two customers of one name: neither is clear, but one of them owes just that.
        (line(3000, party="ROSSI MARIO"), (1, 65, {Reason.SHARED_NAME, Reason.AMOUNT}, (12,))),
        (line(10126, party="ROSSI MARIO"), (1, 65, {Reason.SHARED_NAME, Reason.ALL}, ())),
        (line(7126, party="ROSSI MARIO"), (1, 51, {Reason.SHARED_NAME, Reason.SOME}, (11, 13))),
        (line(9999, "canone"), (4, 50, {Reason.AMOUNT}, (41,))),
    ],
)  # fmt: skip
def test_what_speaks_for_a_customer_and_how_much(told, expected):
    assert best(suggest(told, known())) == expected


def test_an_amount_that_many_owe_speaks_for_nobody():
    assert suggest(line(2990, "canone marzo"), known()) == ()


@pytest.mark.parametrize("text", ["21/FT/2026", "fattura 21 FT del 2026", "21 marzo 2026", "2126 del 2026"])
def test_an_invoice_of_another_register_or_a_day_is_not_the_one_that_is_named(text):
    """21/FT/2026 was paid before; 21/RC/2026 is another one of the same number, year and amount."""
    book = known(documents=(document(51, 5, 2990, label="21/RC/2026"), document(52, 1, 2990, label="52/RC/2026")))

    assert suggest(line(2990, text), book) == ()


def test_a_number_of_one_short_word_is_no_evidence_but_a_long_one_is():
    book = (document(1, 1, 2990, label="17"), document(2, 2, 3000, label="2026000123"))
    found = suggest(line(500, "via Roma 17, saldo 2026000123"), known(documents=book))

    assert [one.customer_id for one in found] == [2]


def test_two_that_come_near_each_other_are_for_a_person():
    both = suggest(line(5990, "11/FT/2026 21/FT/2026"), known())

    assert [one.score for one in both] == [85, 85]
    assert clear_choice(both, automatic_from=80) is None


@pytest.mark.parametrize(("limit", "taken"), [(94, True), (95, False), (101, False)])
def test_the_operator_says_from_which_score_on_nobody_looks(limit, taken):
    found = suggest(line(2990, "21/FT/2026"), known())

    assert (clear_choice(found, automatic_from=limit) is not None) == taken
    assert clear_choice((), automatic_from=1) is None


def test_a_year_in_a_text_is_not_the_customer_of_that_number():
    book = known(references={2: "2026"})

    assert suggest(line(2990, "CANONE INTERNET MARZO 2026", party="ALTRA PERSONA"), book) == ()


@pytest.mark.parametrize(("party", "taken"), [("ALTRA PERSONA", False), ("NERI LUCA", True)])
def test_a_customer_s_reference_and_an_amount_need_a_name_a_number_or_an_account_beside_them(party, taken):
    found = suggest(line(2990, "cliente C-4711", party=party), known())

    assert found[0].customer_id == 5
    assert (clear_choice(found, automatic_from=90) is not None) == taken


def test_what_a_payment_settled_speaks_for_nobody_any_more():
    book = known()
    book.settle(2, [])
    book.settle(1, [document(12, 1, 500)])

    assert suggest(line(7, "21/FT/2026"), book) == ()
    assert best(suggest(line(500, "12/FT/2026"), book)) == (1, 94, {Reason.NUMBER, Reason.NAMED_AMOUNT}, (12,))


def test_another_currency_is_another_amount():
    found = suggest(BankLine(1, Money(2990, "CHF"), DAY, DAY, text="21/FT/2026"), known())

    assert best(found) == (2, 85, {Reason.NUMBER}, (21,))


def test_a_name_of_one_word_is_its_own_only_where_nothing_else_stands_there():
    book = known(names={4: "Bianchi Snc"}, documents=())

    assert suggest(line(1, party="BIANCHI LUCA"), book) == ()
    assert [one.customer_id for one in suggest(line(1, party="BIANCHI SNC"), book)] == [4]


def test_an_account_that_paid_for_several_points_at_each():
    found = suggest(line(1, party_iban="X1"), known(ibans={"X1": frozenset({1, 2})}))

    assert {(one.customer_id, one.reasons) for one in found} == {(1, (Reason.SHARED_IBAN,)), (2, (Reason.SHARED_IBAN,))}


def test_a_book_of_a_hundred_thousand_is_looked_through_in_microseconds_a_line():
    names = {n: f"Nome{n % 300} Cognome{n % 4000} Via{n}" for n in range(100_000)}
    book = Known(
        names=names,
        references={},
        ibans={},
        documents=[document(n, n, 2990) for n in range(100_000)],
    )
    begun = time.process_time()
    for n in range(300):
        text = "BONIFICO A VOSTRO FAVORE DISPOSTO DA NOME COGNOME PER SALDO FATTURA 4711/FT/2026 DEL 10 03 2026"
        assert suggest(line(2990, text, party=names[n]), book)[0].customer_id in (n, 4711)

    assert (time.process_time() - begun) / 300 < 0.002
