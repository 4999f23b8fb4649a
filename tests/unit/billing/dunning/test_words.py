"""Every reason is a line in three languages, with the same values in each."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.dunning import words
from billing.dunning.reasons import Why, because
from billing.dunning.words import LANGUAGES, retold, say
from billing.money import Money

ROME = ZoneInfo("Europe/Rome")
_VALUES = {
    "amount": Money(123450, "EUR"),
    "threshold": Money(500, "EUR"),
    "most": Money(9900, "EUR"),
    "since": date(2026, 3, 1),
    "day": date(2026, 3, 2),
    "not_before": date(2026, 3, 20),
    "until": datetime(2026, 5, 6, 8, 0, tzinfo=UTC),
    "days": 16,
    "documents": 2,
    "count": 3,
    "least": 4,
    "step": "walled",
    "reason": "Hospital",
    "problem": "returned to sender",
}


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


@pytest.mark.parametrize("why", Why)
def test_a_reason_that_was_kept_in_english_is_told_in_another_language_again(why):
    places = {name for _, name, _, _ in string.Formatter().parse(words._WORDS[why][2]) if name}
    told = because(why, **{name: value for name, value in _VALUES.items() if name in places})

    kept = "; ".join((say(told, "en", ROME), "as Maria said"))

    assert retold(kept, "it", ROME) == "; ".join((say(told, "it", ROME), "as Maria said"))
    assert retold(kept, "en", ROME) == kept


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("promised to pay until 2026-02-30", "promessa di pagamento fino al 2026-02-30"),
        ("relief until 2026-02-03 25:00", "dilazione fino al 2026-02-03 25:00"),
        ("1.2345 EUR covered by credit", "1.2345 EUR coperti da credito"),
        (", EUR covered by credit", ", EUR coperti da credito"),
    ],
)
def test_a_person_s_words_that_look_like_ours_and_say_no_day_or_amount_are_told_as_they_are(kept, told):
    assert retold(kept, "it", ROME) == told
