"""Which letters the fonts of a paper have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from billing.papers.glyphs import MISSING, drawable, letters_of
from billing.papers.press import FONTS

LETTERS = letters_of(FONTS)


def test_each_font_has_the_letters_that_it_is_there_for():
    inter, dejavu, droid = (
        letters_of([file for file in FONTS if name in file.name]) for name in ("Inter", "DejaVu", "Droid")
    )

    assert {ord(letter) for letter in "aZ09€àñßŁőЖΩ\xa0"} <= inter
    assert {ord(letter) for letter in "محمدשלום😀"} <= dejavu
    assert {ord(letter) for letter in "王株式会社カ"} <= droid
    assert not {ord("न"), 0xFFFF, 0x13000} & LETTERS
    assert ord("ع") not in inter


def test_letters_are_composed_and_what_lays_text_out_is_a_blank():
    assert drawable("a\u0301 e\u0300", LETTERS) == "á è"
    assert drawable("a\tb\u2028c\x0bd\r\ne", LETTERS) == "a b c d\ne"
    assert drawable("\u202eabc\u202c", LETTERS) == "abc"
    assert drawable("\x00\ud800न", LETTERS) == MISSING * 3


@given(st.text())
def test_whatever_is_written_can_be_drawn(text):
    drawn = drawable(text, LETTERS)

    assert all(
        letter == "\n"
        or ord(letter) in LETTERS
        or letter in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069"
        for letter in drawn
    )
    drawn.encode()
