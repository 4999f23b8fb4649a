"""A telephone number as people write it, to the form in which it is kept: E.164, with + and its country.

Source: ITU-T E.164: at most 15 digits with the country's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s()./-]+")
_KEEPS_ZERO: Final = "+39"
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{5,14}")


@dataclass(frozen=True, slots=True)
class WrongTelephone:
    """Why a number was not taken."""

    reason: str


def read_telephone(text: str, *, dialling_code: str | None = None) -> str | WrongTelephone:
    """The number without separators, its country with + or 00 before it.

    One without its country gets `dialling_code`, such as +39; the 0 before an area then goes, but in Italy it is a part of it.
    """
    compact = _SEPARATORS.sub("", text)
    if compact.startswith("00"):
        compact = "+" + compact[2:]
    elif dialling_code is not None and compact.isdigit():
        compact = dialling_code + (compact if dialling_code == _KEEPS_ZERO else compact.removeprefix("0"))
    if _NUMBER.fullmatch(compact):
        return compact
    if compact.isdigit():
        return WrongTelephone(f"{text!r}: begin a telephone number with + and its country, such as +39")
    return WrongTelephone(f"{text!r}: a telephone number is + and 6 to 15 digits")
