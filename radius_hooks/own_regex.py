r"""Regular expressions of check items: those that Python answers exactly as FreeRADIUS does, and in a bounded time.

Debian's FreeRADIUS 3.2.1 is linked with PCRE 8 and matches bytes, unanchored. Python's `re` reads most patterns alike,
but not all (`\Z`, `\v`, POSIX classes, `{,3}`), and a pattern like `(a+)+$` would stop the hook for hours. What is not
known to be the same, or could take long, has a problem, and a pattern with a problem matches nothing.

Source: `freeradius` built with libpcre3 (ldd), pcrepattern(3), Python `re`; tried side by side in tests/radius.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Final

MAX_PATTERN_CHARACTERS: Final = 200
# A value has at most 253 octets: three open repeats are at most some million steps, four are billions.
MAX_OPEN_REPEATS: Final = 3
# `{n}` beyond this counts as open.
MAX_CLOSED_REPEAT: Final = 16
MAX_REPEAT_OF_CHOICES: Final = 8
_SAME_ESCAPES: Final = frozenset("dDwWsStnrf")
_SAME_ASSERTIONS: Final = frozenset("bBA")
_GROUPS: Final = ("?:", "?=", "?!")
_AMBIGUOUS_IN_CLASS: Final = ("[", "&&", "||", "~~", "--")
_COUNT: Final = re.compile(r"\{([0-9]{1,5})(,([0-9]{0,5}))?\}")


def regex_problem(pattern: str) -> str:
    """Why this pattern is not taken over; empty when Python and PCRE answer it alike."""
    problem = _Scan(pattern).problem()
    if problem:
        return problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern.encode())
    except (re.error, Warning, OverflowError) as error:
        return str(error)
    return ""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[bytes] | None:
    """The pattern ready for searching, or None when it has a problem."""
    return None if regex_problem(pattern) else re.compile(pattern.encode())


class _Group:
    """What an open bracket holds so far: choices inside it, and repeats without an end."""

    __slots__ = ("choices", "looks", "open_repeats", "repeatable")

    def __init__(self, *, looks: bool = False, repeatable: bool = True) -> None:
        self.choices = False
        self.open_repeats = 0
        self.looks = looks
        self.repeatable = repeatable


_SINGLE: Final = _Group()


class _Scan:
    """One pass over a pattern, left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._open: list[_Group] = [_Group()]
        # What a repeat would repeat: None at the start, after `(`, `|` and assertions.
        self._atom: _Group | None = None
        self._open_repeats = 0

    def problem(self) -> str:
        if not 0 < len(self._text) <= MAX_PATTERN_CHARACTERS:
            return f"a pattern must have 1 to {MAX_PATTERN_CHARACTERS} characters"
        if self._text.startswith("(?i)"):
            self._at = 4
        while self._at < len(self._text):
            problem = self._step()
            if problem:
                return problem
        return "" if len(self._open) == 1 else "a bracket is not closed"

    def _step(self) -> str:
        character = self._text[self._at]
        match character:
            case "\\":
                return self._escape()
            case "[":
                return self._class()
            case "(":
                return self._enter()
            case ")":
                return self._leave()
            case "*" | "+" | "?" | "{":
                return self._repeat()
        self._at += 1
        self._open[-1].choices |= character == "|"
        self._atom = None if character in "|^$" else _SINGLE
        return ""

    def _escape(self) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        if following == "x" and re.fullmatch("[0-9A-Fa-f]{2}", self._text[self._at + 2 : self._at + 4]):
            self._at, self._atom = self._at + 4, _SINGLE
            return ""
        if not (following in _SAME_ESCAPES | _SAME_ASSERTIONS or (following.isascii() and not following.isalnum())):
            return f"\\{following} is not read alike by PCRE and Python"
        if not following:
            return "a backslash at the end"
        self._at += 2
        self._atom = None if following in _SAME_ASSERTIONS else _SINGLE
        return ""

    def _class(self) -> str:
        start = self._at + 1
        start += self._text[start : start + 1] == "^"
        end = start + (self._text[start : start + 1] == "]")  # in the first place it stands for itself
        while end < len(self._text) and self._text[end] != "]":
            if self._text[end] == "\\":
                escaped = self._text[end + 1 : end + 2]
                if not (escaped in _SAME_ESCAPES or (escaped.isascii() and not escaped.isalnum())):
                    return f"\\{escaped} in a class is not read alike by PCRE and Python"
                end += 1
            end += 1
        inside = self._text[start:end]
        if end >= len(self._text):
            return "a class is not closed"
        if any(sign in inside for sign in _AMBIGUOUS_IN_CLASS):
            return f"the class [{inside}] is not read alike by PCRE and Python"
        self._at, self._atom = end + 1, _SINGLE
        return ""

    def _enter(self) -> str:
        self._at += 1
        looks = False
        if self._text[self._at : self._at + 1] in ("?", "*"):
            kind = self._text[self._at : self._at + 2]
            if kind not in _GROUPS:
                return f"({kind} is not read alike by PCRE and Python"
            looks = kind != "?:"
            self._at += 2
        self._open.append(_Group(looks=looks, repeatable=not looks))
        self._atom = None
        return ""

    def _leave(self) -> str:
        if len(self._open) == 1:
            return "a bracket closes that was not opened"
        group = self._open.pop()
        outer = self._open[-1]
        outer.choices |= group.choices
        outer.open_repeats += group.open_repeats
        self._at += 1
        self._atom = group if group.repeatable else None
        return ""

    def _repeat(self) -> str:
        atom = self._atom
        most = self._read_count()
        if most is None:
            return "a { that is not a plain count is not read alike by PCRE and Python"
        if atom is None:
            return "there is nothing to repeat"
        if self._text[self._at : self._at + 1] == "?":
            self._at += 1
        if self._text[self._at : self._at + 1] in ("+", "*", "{"):
            return "a repeat of a repeat is not read alike by PCRE and Python"
        problem = self._cost(atom, most)
        self._open[-1].choices = True
        self._atom = None
        return problem

    def _cost(self, atom: _Group, most: int) -> str:
        """A problem when the repeat can take more steps than a login may wait for."""
        if most > MAX_CLOSED_REPEAT:
            self._open_repeats += 1
            self._open[-1].open_repeats += 1
            if atom.choices:
                return "a repeat of choices can take for ever"
            if self._open_repeats > MAX_OPEN_REPEATS:
                return f"more than {MAX_OPEN_REPEATS} open repeats can take for ever"
        elif most > 1 and (atom.open_repeats or (atom.choices and most > MAX_REPEAT_OF_CHOICES)):
            return "a repeat of repeats can take for ever"
        return ""

    def _read_count(self) -> int | None:
        """How often at most, and step behind it; None for a brace that is not a plain count."""
        endless = 1 << 16
        if self._text[self._at] != "{":
            sign = self._text[self._at]
            self._at += 1
            return 1 if sign == "?" else endless
        count = _COUNT.match(self._text, self._at)
        if count is None:
            return None
        self._at = count.end()
        if count.group(2) is None:
            return int(count.group(1))
        return int(count.group(3)) if count.group(3) else endless
