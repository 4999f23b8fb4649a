"""What can be wrong with a message's text, and where.

Next: message.py
"""

from __future__ import annotations

from enum import StrEnum

from billing.errors import BillingError


class Fault(StrEnum):
    """What kind of thing is wrong."""

    SYNTAX = "syntax"
    NOT_ALLOWED = "not_allowed"
    UNKNOWN = "unknown"
    LOOPS = "loops"
    LONG = "long"
    EMPTY = "empty"
    OTHER = "other"


class TextError(BillingError):
    """A template can't be read or filled in; the message names the place and what to do.

    `part` is the subject, the text or the HTML; `line` counts from 1 within it; `name` is what is not known or not allowed.
    """

    def __init__(
        self, message: str, fault: Fault = Fault.OTHER, *, part: str = "", line: int | None = None, name: str = ""
    ) -> None:
        super().__init__(message)
        self.fault, self.part, self.line, self.name = fault, part, line, name

    def of(self, part: str, message: str) -> TextError:
        """The same, known to be in that part."""
        return TextError(message, self.fault, part=self.part or part, line=self.line, name=self.name)
