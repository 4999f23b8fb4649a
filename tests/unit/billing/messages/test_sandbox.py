"""A text that an operator writes fills in names and does nothing else."""

from __future__ import annotations

import pytest

from billing.messages.errors import TextError
from billing.messages.sandbox import MOST_LETTERS, read_text

GIVEN = {"name": "Anna & Co", "paid": False, "rows": [{"n": "1"}, {"n": "2"}], "word": "x"}


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("Dear {{ name }},", "Dear Anna & Co,"),
        (
            "{% for one in rows %}{{ loop.index }}:{{ one.n }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "1:1, 2:2",
        ),
        ("{% if paid and word == 'y' %}a{% elif word == 'x' %}b{% else %}c{% endif %}", "b"),
        ("{{ word|upper }} {{ rows|length }} {{ 'yes' if paid else 'no' }}", "X 2 no"),
        ("{% raw %}{{ name }}{% endraw %}", "{{ name }}"),
    ],
)
def test_names_conditions_and_lists_are_filled_in(source, filled):
    assert read_text(source).filled(GIVEN) == filled


def test_what_it_is_filled_with_is_no_html_of_its_own_and_no_template():
    assert read_text("<b>{{ name }}</b>", as_html=True).filled(GIVEN) == "<b>Anna &amp; Co</b>"
    assert read_text("{{ name }}").filled({"name": "{{ word }}"}) == "{{ word }}"


@pytest.mark.parametrize(
    "source",
    [
        *("{{ word * 999999999 }}", "{{ word ~ word }}", "{{ 9 ** 9 }}", "{{ -1 }}", "{{ [1] }}", "{{ {'a': 1} }}"),
        *("{{ word.upper() }}", "{{ range(9) }}", "{{ lipsum() }}", "{{ cycler('a') }}", "{{ ''.__class__ }}"),
        *("{{ word.__class__ }}", "{{ rows[0]._x }}", "{{ word|attr('x') }}", "{{ rows|map('upper') }}"),
        *(
            "{{ rows|join(word) }}",
            "{% set a = 1 %}",
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends word %}",
        ),
        *("{% block b %}{% endblock %}", "{% macro m() %}{% endmacro %}", "{% call m() %}{% endcall %}"),
        *(
            "{% filter upper %}x{% endfilter %}",
            "{% with a=1 %}{% endwith %}",
            "{% for a in rows recursive %}{% endfor %}",
        ),
        *(
            "{% autoescape false %}{{ name }}{% endautoescape %}",
            "{{ self }}",
            "{{ word is callable }}",
            "{{",
            "{% if %}",
        ),
        "{% for a in rows %}{% for b in rows %}{% for c in rows %}{% endfor %}{% endfor %}{% endfor %}",
    ],
)
def test_what_works_something_out_calls_or_reaches_elsewhere_is_refused_when_it_is_read(source):
    with pytest.raises(TextError):
        read_text(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ nobody }}",
        "{{ rows.append }}",
        "{{ word.format }}",
        "{{ rows[0] }}",
        "{{ word['__class__'] }}",
        "{{ word.n }}",
    ],
)
def test_what_is_not_given_is_an_error_and_no_empty_place(source):
    with pytest.raises(TextError):
        read_text(source).filled(GIVEN)


def test_the_line_that_is_wrong_is_named():
    with pytest.raises(TextError, match="line 3"):
        read_text("a\nb\n{{ word() }}")


def test_a_text_that_grows_beyond_measure_is_ended():
    long = [{"n": "x" * 1000}] * (MOST_LETTERS // 1000 + 1)
    with pytest.raises(TextError, match="300,000"):
        read_text("{% for a in rows %}{{ a.n }}{% endfor %}").filled({"rows": long})


@pytest.mark.parametrize(
    "source",
    [
        "{{ word|join('" + "b" * 5000 + "') }}{{ ('" + "a" * 100 + "')|join('" + "b" * 5000 + "') }}",
        "{{ 'aaaaaaaaaa'" + ("|join('" + "b" * 1000 + "')") * 4 + " }}",
        "{% for one in name %}{{ one }}{% endfor %}",
        "{% for one in 'aaaa' %}{% for two in 'aaaa' %}{% endfor %}{% endfor %}",
        "{% for one in many %}{% for two in many %}{% endfor %}{% endfor %}",
    ],
    ids=["joined", "joined again and again", "letters", "letters of letters", "a list beyond measure"],
)
def test_a_short_text_takes_neither_all_memory_nor_all_time(source):
    text = read_text(source)
    with pytest.raises(TextError):
        text.filled({**GIVEN, "many": range(10**6)})


def test_what_is_joined_within_measure_is_joined():
    assert read_text("{{ words|join(', ') }}").filled({"words": ["a", "b"]}) == "a, b"
    assert read_text("{{ words|join('<br>') }}", as_html=True).filled({"words": ["a", "<b>"]}) == "a&lt;br&gt;&lt;b&gt;"
