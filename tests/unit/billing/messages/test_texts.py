"""Messages in three languages, by the package's texts or an operator's own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.errors import BillingError
from billing.messages.errors import TextError
from billing.messages.texts import (
    LANGUAGES,
    Source,
    example,
    load_kinds,
    load_source,
    names_of,
    read_source,
    sample_reader,
    write,
)
from billing.messages.values import kept
from billing.money import Money

ISSUER = {"name": "Example Net", "email": "", "phone": "", "iban": "IT60X0542811101000000123456"}
KINDS = sorted(load_kinds())


def reader(language="it", country="IT"):
    return sample_reader(language, ISSUER, country=country, zone=ZoneInfo("Europe/Rome"), accent="#1f4e79")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_in_every_language_with_all_it_may_tell_and_with_the_least(kind, language):
    told, known = example(kind), load_kinds()[kind]
    least = {name: value for name, value in told.items() if name not in known.may}

    for data in (told, least):
        written = write(load_source(kind, language), kind, data, reader(language))
        for text in (written.subject, written.body, written.html):
            assert "{" not in text.replace("{color", "")
            assert "None" not in text
            assert "$money" not in text
        assert written.subject
        assert "\n\n\n" not in written.body
    assert names_of(load_source(kind, language)) <= {*told, "name", "customer", "issuer"}


def test_every_text_of_the_package_is_of_a_kind_that_is_known():
    assert set(KINDS) >= {"due_soon", "overdue", "formal_notice", "cut_announced", "throttled", "walled", "blocked"}


def test_a_debt_is_told_in_the_readers_language_and_country():
    data = kept(
        {
            "debt": Money(123456, "EUR"),
            "documents": [{"number": "7", "due_on": date(2026, 4, 15), "open": Money(123456, "EUR")}],
        }
    )
    italian = write(load_source("overdue", "it"), "overdue", data, reader()).body
    english = write(load_source("overdue", "en"), "overdue", data, reader("en")).body

    assert "per un totale di 1.234,56\N{NO-BREAK SPACE}€:\n\n- 7, scadenza 15 aprile 2026: 1.234,56" in italian
    assert "€1,234.56 in all:\n\n- 7, due on 15 April 2026: €1,234.56" in english
    assert "IBAN IT60X0542811101000000123456, indicando il codice cliente 4711." in italian


def test_moments_are_told_in_the_issuers_zone_and_numbers_with_their_digits():
    data = kept({"since": datetime(2026, 5, 5, 23, tzinfo=UTC), "number": Decimal("1234.5"), "yes": True})
    source = Source("s", "{{ since }} {{ number }} {% if yes %}si{% endif %}")
    assert write(source, "own", data, reader()).body == "6 mag 2026, 01:00 1.234,5 si\n"


def test_what_no_message_can_tell_is_refused_when_it_is_written():
    with pytest.raises(BillingError, match="can't stand in a message"):
        kept({"a": 1.5})


def test_the_html_follows_from_the_text_with_paragraphs_lists_and_links():
    source = Source("s", "Ciao <b>,\n\nguardi https://isp.example/a?b=1&c=2.\n- uno\n- due\n\nfine")
    page = write(source, "own", {}, reader()).html
    assert "<p>Ciao &lt;b&gt;,</p>" in page
    assert '<p>guardi <a href="https://isp.example/a?b=1&amp;c=2">https://isp.example/a?b=1&amp;c=2</a>.</p>' in page
    assert "<ul><li>uno</li><li>due</li></ul>\n<p>fine</p>" in page
    assert '<html lang="it">' in page


def test_an_operators_own_html_stands_for_itself_with_what_it_is_filled_with_escaped():
    source = Source("s", "plain", "<h1>{{ text }}</h1>")
    assert "<h1>a &lt; b</h1>" in write(source, "own", {"text": "a < b"}, reader()).html


def test_a_subject_is_one_line_whatever_is_filled_in():
    written = write(Source("Hello {{ text }}", "b"), "own", {"text": "a\r\nBcc: x@y"}, reader())
    assert written.subject == "Hello a Bcc: x@y"


@pytest.mark.parametrize(("subject", "body", "said"), [("{{ x }}", "b", "subject"), ("s", "{{ x }}", "text")])
def test_what_can_not_be_filled_in_names_the_part(subject, body, said):
    with pytest.raises(TextError, match=f"^{said}: 'x' is undefined"):
        write(Source(subject, body), "own", {}, reader())
    with pytest.raises(TextError, match="the subject is empty"):
        write(Source("{{ name if false else '' }}", "b"), "own", {"false": False}, reader())


@pytest.mark.parametrize("text", ["", "Hello\n\nb", "Subject: \n\nb", "Subject: a\n\n"])
def test_a_file_begins_with_its_subject(text):
    with pytest.raises(TextError, match="the first line is"):
        read_source(text)
    assert read_source("Subject: a\n\nb\n") == Source("a", "b")


def test_a_kind_that_nobody_wrote_is_named_with_those_there_are():
    with pytest.raises(TextError, match=r"there is no message 'hello'.*overdue"):
        load_source("hello", "it")
