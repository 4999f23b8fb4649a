"""Words from outside as the database takes them: PostgreSQL keeps no NUL, and UTF-8 has no halves of surrogate pairs."""

from __future__ import annotations

import unicodedata
from typing import Final

# Letters and a symbol by their kind, and a blank to the eye: fillers of Hangul, the empty pattern of braille.
_UNSEEN: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def plain_text(text: str) -> str:
    """The text without what no column keeps; half a surrogate pair (JSON may have one) becomes a question mark."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def is_seen(text: str) -> bool:
    """Whether there is anything to see: blanks, joiners and marks of direction alone name nobody."""
    return any(unicodedata.category(one)[0] in "LNPS" and one not in _UNSEEN for one in text)
