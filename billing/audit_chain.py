"""The audit log's hash chain: which octets a row is, a day's digest over its rows and the day before, and which rows differ.

A day's digest covers every row of the UTC day in order of time and id, their number, the day, and the digest of the day
before; so whoever knows one digest can tell whether anything up to that day was changed, taken out, put in or reordered.
Beside it a day keeps a mark of 8 octets for each row, by which the row that differs is found.

A row's octets are its columns as text with a zero octet between them, which no text of PostgreSQL can hold, in UTF-8: id,
microseconds since 1970 (UTC), actor, action, subject, origin, request id, detail as PostgreSQL writes a jsonb value. A
column that is NULL is empty; none that may be NULL is ever empty otherwise.

Units: digests are SHA-256, 32 octets; days are UTC.
Source: billing model section 20; FIPS 180-4.

Next: billing/store/audit.py
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from billing.errors import BillingError

# Of another form of row or day the text differs, so that a digest of one never stands for the other.
_FORM: Final = b"corrente audit 1"
GENESIS: Final = bytes(32)
MARK_OCTETS: Final = 8
# How far ahead it is looked for where two lists of marks run together again.
_LOOK_AHEAD: Final = 256
_HEAD: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}):([0-9a-f]{64})")

# id, microseconds, actor, action, subject, origin, request id, detail.
Row = tuple[int, int, str, str, str, str | None, str | None, str]


class HeadError(BillingError):
    """What was written down is no head of an audit log."""


@dataclass(frozen=True, slots=True)
class Head:
    """The digest of a sealed day: written down elsewhere, it holds everything up to that day."""

    day: date
    digest: bytes

    def __str__(self) -> str:
        return f"{self.day}:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Seal:
    """A day as it was sealed."""

    day: date
    rows: int
    previous: bytes
    digest: bytes
    marks: bytes

    @property
    def head(self) -> Head:
        """What is to be written down of it."""
        return Head(self.day, self.digest)


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that is not what it was when its day was sealed."""

    row_id: int

    def __str__(self) -> str:
        return f"row {self.row_id} was changed"


@dataclass(frozen=True, slots=True)
class Added:
    """A row that was not there when its day was sealed."""

    row_id: int

    def __str__(self) -> str:
        return f"row {self.row_id} was put in"


@dataclass(frozen=True, slots=True)
class Missing:
    """A row was taken out after this one, or at the beginning of the day."""

    after_id: int | None

    def __str__(self) -> str:
        return "a row was taken out " + (
            "at the beginning of the day" if self.after_id is None else f"after row {self.after_id}"
        )


Difference = Changed | Added | Missing


class DayHash:
    """Takes a day's rows in order and gives its seal. `put` costs about 2 µs a row and 8 octets of memory."""

    __slots__ = ("_day", "_digest", "_marks", "_previous")

    def __init__(self, day: date, previous: bytes) -> None:
        self._day, self._previous, self._marks = day, previous, bytearray()
        self._digest = hashlib.sha256(b"\0".join((_FORM, day.isoformat().encode(), previous)))

    def put(self, row: Row) -> None:
        """The next row of the day."""
        digest = row_digest(row)
        self._digest.update(digest)
        self._marks += digest[:MARK_OCTETS]

    def seal(self) -> Seal:
        """The day with all rows that were put in."""
        rows = len(self._marks) // MARK_OCTETS
        closed = self._digest.copy()
        closed.update(rows.to_bytes(8, "big"))
        return Seal(self._day, rows, self._previous, closed.digest(), bytes(self._marks))


def row_digest(row: Row) -> bytes:
    """SHA-256 of a row's octets."""
    number, at_us, actor, action, subject, origin, request_id, detail = row
    text = "\0".join((str(number), str(at_us), actor, action, subject, origin or "", request_id or "", detail))
    return hashlib.sha256(text.encode()).digest()


def read_head(text: str) -> Head:
    """A head as `str` writes it. Raises: HeadError."""
    found = _HEAD.fullmatch(text.strip().lower())
    if found is None:
        raise HeadError(f"{text!r} is no head of an audit log: give what `corrente audit head` printed, DAY:DIGEST")
    try:
        return Head(date.fromisoformat(found[1]), bytes.fromhex(found[2]))
    except ValueError as error:
        raise HeadError(f"{text!r} is no head of an audit log: {found[1]} is no day") from error


def differences(sealed: bytes, found: Iterable[tuple[int, bytes]]) -> Iterator[Difference]:
    """How the rows of a day differ from the marks it was sealed with, in order; `found` are ids and digests of its rows.

    Where as many rows are there as were sealed, they were changed; else some were put in or taken out. Memory stays at some
    hundred rows.
    """
    rest = iter(found)
    ahead: list[tuple[int, bytes]] = []
    place, last_id = 0, None
    total = len(sealed) // MARK_OCTETS

    def mark(index: int) -> bytes:
        return sealed[index * MARK_OCTETS : (index + 1) * MARK_OCTETS]

    while True:
        while len(ahead) < _LOOK_AHEAD and (row := next(rest, None)) is not None:
            ahead.append((row[0], row[1][:MARK_OCTETS]))
        same = 0
        while same < len(ahead) and place < total and ahead[same][1] == mark(place):
            last_id, same, place = ahead[same][0], same + 1, place + 1
        if same:
            del ahead[:same]
            continue
        if not ahead and place >= total:
            return
        gone, new = _next_meeting([mark(index) for index in range(place, min(place + _LOOK_AHEAD, total))], ahead)
        for index in range(max(gone, new)):
            if index >= new:
                yield Missing(last_id)
                continue
            last_id = ahead[index][0]
            yield Changed(last_id) if index < gone else Added(last_id)
        place += gone
        del ahead[:new]


def _next_meeting(sealed: list[bytes], found: list[tuple[int, bytes]]) -> tuple[int, int]:
    """How many sealed and how many found rows lie before the two run together again, as few as possible of both."""
    first_at = {one: index for index, one in reversed(list(enumerate(sealed)))}
    meetings = [
        (first_at[own] + index, first_at[own], index) for index, (_, own) in enumerate(found) if own in first_at
    ]
    if not meetings:
        return len(sealed), len(found)
    _, gone, new = min(meetings)
    return gone, new
