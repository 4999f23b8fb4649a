"""What a bank's words say of an invoice or a customer: references with their check digits, printed numbers, names.

Words are compared as runs of letters and digits, in capitals and without accents, so "FT n. 12/2026" has the numbers 12 and 2026.

Source: ISO 11649, the structured creditor reference: RF, two check digits by ISO 7064 MOD 97-10, up to 21 letters and digits.

Next: billing/banking/matching.py
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from stdnum.iso7064 import mod_97_10

_TOKEN: Final = re.compile(r"[A-Z0-9]+")
_RF: Final = re.compile(r"RF[0-9]{2}[A-Z0-9]{1,21}")
_MARKS: Final = re.compile(r"[^A-Z0-9]+")
# Letters that have no accent to lose. Without them Müller and Groß are other people than Muller and Gross.
_FOLDED: Final = str.maketrans({"ß": "SS", "Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d"})  # fmt: skip
# Beside a name, and no part of it.
_NO_NAMES: Final = frozenset((
    "SRL", "SRLS", "SPA", "SNC", "SAS", "SS", "SC", "SCARL", "SOC", "SOCIETA", "DITTA", "SL", "SLU", "SA", "SAU", "LTD", "LLC", "INC", "GMBH",
    "SIG", "SIGRA", "SR", "SRA", "DOTT", "DOTTSSA", "DON", "DONA", "MR", "MRS",
    "DI", "DE", "DEL", "DELLA", "DELLO", "DEI", "DA", "LA", "LO", "LE", "IL", "EL", "LOS", "LAS", "Y", "E", "ED", "AND", "UND", "ET", "O",
))  # fmt: skip
_LEAST_REFERENCE: Final = 4
# Of figures alone: years, amounts, streets and months stand in every text.
_LEAST_FIGURES: Final = 7
_DAY: Final = re.compile(r"(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")  # fmt: skip


def tokens(text: str) -> tuple[str, ...]:
    """The runs of letters and digits of a text."""
    plain = unicodedata.normalize("NFKD", text.translate(_FOLDED)).upper()
    return tuple(_TOKEN.findall("".join(one for one in plain if not unicodedata.combining(one))))


def name_tokens(name: str) -> frozenset[str]:
    """What tells a person or a company from others, without forms of companies and little words."""
    return frozenset(one for one in tokens(name) if len(one) > 1 and one not in _NO_NAMES)


def creditor_reference(label: str) -> str:
    """The structured reference under which an invoice of that printed number may be paid."""
    body = _MARKS.sub("", label.upper())[:21]
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}" if body else ""


def reference_bodies(*texts: str) -> Iterator[str]:
    """What the structured references in texts are of, when their check digits are right; blanks between their groups don't count."""
    for text in texts:
        upper = text.upper()
        joined = upper.replace(" ", "")
        # A payer types it in one run, or as it is printed, in groups of four.
        for found in (*_RF.findall(upper), *_RF.findall(joined)):
            for length in range(len(found), 4, -1):
                if is_creditor_reference(found[:length]):
                    yield found[4:length]
                    break


def is_creditor_reference(text: str) -> bool:
    """Whether its check digits are right."""
    compact = text.replace(" ", "").upper()
    return bool(_RF.fullmatch(compact)) and mod_97_10.is_valid(compact[4:] + compact[:4])


def runs_of(words: Sequence[str], lengths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Every run of so many words that stand together."""
    for place in range(len(words)):
        for length in lengths:
            if place + length <= len(words):
                yield tuple(words[place : place + length])


def is_telling(reference: str) -> bool:
    """Whether a customer's own reference is no number that stands there by chance: long enough, and longer of figures alone, and no day."""
    body = "".join(tokens(reference))
    if body.isdigit():
        return len(body) >= _LEAST_FIGURES and not _DAY.fullmatch(body)
    return len(body) >= _LEAST_REFERENCE
