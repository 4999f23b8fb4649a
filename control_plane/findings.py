"""One line of `corrente check`: how something was found, in words, and what to do about it.

Next: checks.py
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a check ended: FAIL means that Corrente does not work as it should."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer; `advice` is empty when there is nothing to do."""

    verdict: Verdict
    subject: str
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """As it should be."""
    return Finding(Verdict.OK, subject, text)


def warn(subject: str, text: str, advice: str) -> Finding:
    """Worth a person's look."""
    return Finding(Verdict.WARN, subject, text, advice)


def fail(subject: str, text: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(Verdict.FAIL, subject, text, advice)
