"""What a person types to find a customer, to the parts that all must be found.

Next: billing/store/customer_search.py
"""

from __future__ import annotations

import re
from typing import Final

# A part of three characters or more is found anywhere; the index knows parts of three. A shorter one begins a word.
_FOUND_ANYWHERE: Final = 3
# Nobody tells customers apart by more.
MOST_PARTS: Final = 12
_TELEPHONE: Final = re.compile(r"\(?(\+|00)?[0-9][0-9()./-]*")
# What LIKE takes for itself, to be found as it was typed.
LIKE: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def search_patterns(text: str) -> tuple[str, ...]:
    """LIKE patterns that the words of a customer must all match, whatever was typed; none for nothing.

    A telephone number may be written with its country as + or 00 and with any separators. The database takes accents and
    capitals off, as it does with what it compares them to.
    """
    patterns = []
    for part in text.split()[:MOST_PARTS]:
        plain = _digits(part) if _TELEPHONE.fullmatch(part) else part
        escaped = plain.translate(LIKE)
        patterns.append(f"%{escaped}%" if len(plain) >= _FOUND_ANYWHERE else f"% {escaped}%")
    return tuple(dict.fromkeys(patterns))


def _digits(part: str) -> str:
    # 12/A is a house number; what has separators only is a telephone number or a date.
    digits = re.sub(r"[()./+-]", "", part)
    return (
        digits.removeprefix("00") if part.lstrip("(").startswith("00") and len(digits) > _FOUND_ANYWHERE + 2 else digits
    )
