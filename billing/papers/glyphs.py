"""Which letters the fonts of a paper have: PDF/A refuses a file with one that can't be drawn, and a name may hold any.

Source: OpenType 1.9, table cmap, formats 4 and 12.

Next: billing/papers/press.py
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from billing.papers.errors import PaperError
from billing.sentence import Sentence

# Drawn in the place of a letter that no font has.
MISSING: Final = "\ufffd"
# What is no letter, and which no font needs to draw.
_UNSEEN: Final = frozenset("\n\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069")
# They turn around what stands behind them, to its reader's surprise. What is read from the right does so by itself.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e")


def drawable(text: str, known: frozenset[int]) -> str:
    """The text as the fonts can draw it: composed, blanks for other white space, MISSING for what none of them has."""
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(_drawn(letter, known) for letter in composed)


def _drawn(letter: str, known: frozenset[int]) -> str:
    if letter in _UNSEEN:
        return letter
    if letter in _TURNING:
        return ""
    # Separators of lines and paragraphs would lay the text out, as tabulators would.
    if letter.isspace() and unicodedata.category(letter) != "Zs":
        return " "
    if ord(letter) in known and unicodedata.category(letter) != "Cc":
        return letter
    return " " if letter.isspace() else MISSING


def letters_of(files: Iterable[Path]) -> frozenset[int]:
    """The code points that one of these fonts has.

    Raises: PaperError, which names a file that is no font.
    """
    letters: set[int] = set()
    for file in files:
        try:
            letters |= _letters_of(file)
        except (OSError, struct.error) as error:
            raise PaperError(
                Sentence("%(file)s: this is no font that can be read (%(why)s)", file=file, why=error)
            ) from error
    return frozenset(letters)


@lru_cache(maxsize=256)
def _letters_of(file: Path) -> frozenset[int]:
    font = file.read_bytes()
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * count, 16)}
    start = tables.get(b"cmap")
    if start is None:
        return frozenset()
    (parts,) = struct.unpack_from(">H", font, start + 2)
    letters: set[int] = set()
    for part in range(parts):
        (offset,) = struct.unpack_from(">I", font, start + 4 + 8 * part + 4)
        letters.update(_mapped(font, start + offset))
    return frozenset(letters)


def _mapped(font: bytes, at: int) -> Iterator[int]:
    """The code points of one part of the table; formats that only old systems read have nothing more."""
    (form,) = struct.unpack_from(">H", font, at)
    if form == 12:
        (groups,) = struct.unpack_from(">I", font, at + 12)
        for group in range(groups):
            first, last, _ = struct.unpack_from(">III", font, at + 16 + 12 * group)
            yield from range(first, last + 1)
    elif form == 4:
        (double,) = struct.unpack_from(">H", font, at + 6)
        for segment in range(double // 2):
            place = at + 14 + 2 * segment
            (last,) = struct.unpack_from(">H", font, place)
            (first,) = struct.unpack_from(">H", font, place + double + 2)
            (delta,) = struct.unpack_from(">h", font, place + 2 * double + 2)
            yield from _segment(font, place + 3 * double + 2, range(first, last + 1), delta)


def _segment(font: bytes, offset_at: int, letters: range, delta: int) -> Iterator[int]:
    """Letters that lead to glyph 0 have none."""
    (offset,) = struct.unpack_from(">H", font, offset_at)
    if not offset:
        none = -delta & 0xFFFF
        return (letter for letter in letters if letter not in (none, 0xFFFF))
    glyphs = struct.unpack_from(f">{len(letters)}H", font, offset_at + offset)
    return (letter for letter, glyph in zip(letters, glyphs, strict=True) if glyph)
