"""Every reason is a line in three languages, with the same values in each."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.dunning import words
from billing.dunning.reasons import Why, because
from billing.dunning.words import LANGUAGES, say
from billing.money import Money

ROME = ZoneInfo("Europe/Rome")


@pytest.mark.parametrize("why", Why)
def test_a_reason_says_the_same_in_each_language(why):
    fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in words._WORDS[why]]

    assert len(fields) == len(LANGUAGES) == len(set(words._WORDS[why]))
    assert fields[0] == fields[1] == fields[2]


def test_amounts_days_and_moments_are_written_as_the_reader_writes_them():
    owes = because(Why.OWES, amount=Money(123450, "EUR"), since=date(2026, 3, 1), days=16, documents=2)

    assert say(owes, "it", ROME) == "1.234,50 EUR scaduti dal 01/03/2026 (16 giorni), documenti: 2"
    assert say(owes, "es", ROME) == "1.234,50 EUR vencidos desde el 01/03/2026 (16 días), documentos: 2"
    assert say(owes, "en", ROME) == "1,234.50 EUR overdue since 2026-03-01 (16 days), documents: 2"
    promised = because(Why.PROMISED, until=datetime(2026, 5, 6, 8, 0, tzinfo=UTC))
    assert say(promised, "it", ROME) == "promessa di pagamento fino al 06/05/2026 10:00"
    for_good = because(Why.WHITELISTED, until=date.max, reason="Hospital")
    assert say(for_good, "en", ROME) == "excluded until further notice: Hospital"
