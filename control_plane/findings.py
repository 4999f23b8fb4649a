"""One line of `corrente check`: how something was found, in words, and what to do about it.

Next: checks.py
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from billing.sentence import Sentence


class Verdict(Enum):
    """How a check ended: FAIL means that Corrente does not work as it should."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer; `advice` is empty when there is nothing to do. What a page shows, too, is a Sentence."""

    verdict: Verdict
    subject: str
    text: Sentence | str
    advice: Sentence | str = ""


def ok(subject: str, text: Sentence | str) -> Finding:
    """As it should be."""
    return Finding(Verdict.OK, subject, text)


def warn(subject: str, text: Sentence | str, advice: Sentence | str) -> Finding:
    """Worth a person's look."""
    return Finding(Verdict.WARN, subject, text, advice)


def fail(subject: str, text: Sentence | str, advice: Sentence | str) -> Finding:
    """Does not work."""
    return Finding(Verdict.FAIL, subject, text, advice)
