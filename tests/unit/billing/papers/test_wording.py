"""What stands on papers in each language."""

from __future__ import annotations

import re

import pytest

from billing.commissions import Cause
from billing.dunning.floor import Channel
from billing.papers.errors import PaperError
from billing.papers.wording import LANGUAGES, PACKAGE, filled, load_wording

TEMPLATES = "".join(file.read_text() for file in PACKAGE.glob("templates/*.typ"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_all_that_english_does(language):
    english, other = load_wording("en"), load_wording(language)

    for name, table in english.items():
        if name == "numbers":
            continue
        assert list(other[name]) == list(table)
        for key, text in table.items():
            assert set(re.findall(r"{\w+}", other[name][key])) == set(re.findall(r"{\w+}", text)), key


def test_every_word_that_a_template_asks_for_is_there_and_every_word_is_asked_for():
    words = set(load_wording("en")["words"])
    asked = set(re.findall(r"\bw\.([a-z_]+)", TEMPLATES)) - {"at"}

    by_name = {"deferred", "split", "pay_by_app", "pay_online", "receipt_number", "you_owe", "you_have", "settled"}
    by_name |= {"open_portal"}
    # Ways of paying that have their names still, and what moves cash beside payments.
    by_name |= {"by_cash", "by_card", "by_transfer", "by_slip", "by_direct_debit", "withdrawn", "taken_back"}
    # How a letter goes, one of them by the name that it has in Argentina; why an agent earned.
    by_name |= {*Channel, "ar.registered_letter"} - {Channel.SMS, Channel.MESSAGING}
    by_name |= {f"earned_{cause}" for cause in Cause}
    assert asked - words == {"phone"}
    assert words - asked - by_name == set()


def test_a_sentence_that_asks_for_what_is_not_said_is_refused_with_what_there_is():
    assert filled("To {name}", {"name": "{x}"}) == "To {x}"
    for wrong in ("{surname}", "{", "{0}"):
        with pytest.raises(PaperError, match=r"\{name\}"):
            filled(wrong, {"name": "Anna"})


def test_a_language_that_nobody_wrote_is_refused():
    with pytest.raises(PaperError, match="en, es, it"):
        load_wording("de")
