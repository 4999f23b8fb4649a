"""Spool files: what FreeRADIUS wrote down before it answered, read back record by record.

Accounting is written by FreeRADIUS's `detail` module, a record like this (tabs before the attributes, an empty line
at the end; strings in quotes with backslash escapes, numbers, names of enumerated values, octets as 0x…):

    Sat Nov 21 19:29:14 2026
            Packet-Src-IP-Address = 10.0.0.7
            Acct-Status-Type = Interim-Update
            Acct-Session-Id = "81%00\\"x"
            Timestamp = 1795289354

A record is whole when it has one header line, its source, `Timestamp` with its ten digits as the last attribute and the
empty line. FreeRADIUS writes `Timestamp` last, so what was cut by a kill or a full disk is never taken for whole; it was
not answered either, and the access device sends it again. A cut record may have the next record's header glued to its
last line. Earlier checkouts put a mark behind each record, an empty line that may lie over the first letter of the
next header, so only the attributes count.

Units: positions in octets from the start of the file; times in epoch seconds.
Source: FreeRADIUS 3.2.1 rlm_detail, and files it wrote.
Next: record.py
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

# One RADIUS packet is at most 4,096 octets; printed with escapes and names it stays well below this.
RECORD_MAX_OCTETS: Final = 65_536
# A text kept for a person to look at, and to be merged again, is cut here: a whole record never is.
KEPT_TEXT_MAX: Final = RECORD_MAX_OCTETS
# The header is ctime()'s form, in the C locale whatever the machine speaks.
_HEADER: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9]\d \d\d:\d\d:\d\d \d{4}\n"
)
# Epoch seconds have ten digits until the year 2286; a cut number has fewer.
_STAMP_DIGITS: Final = 10
# FreeRADIUS cuts a printed attribute off there, quote and newline with it, and the next one follows on the same line. In a
# value a tab is printed as \\t.
_PRINTED_MAX: Final = 1_000
_GLUED: Final = re.compile(r"(?<!\n)\t")
_SOURCE_LINE: Final = "\n\tPacket-Src-IP"
_ESCAPE: Final = re.compile(rb'\\(?:([0-7]{3})|([nrt"\\]))')
# Names of attributes in their order, of records that were read line by line and have each name once.
_SHAPES: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
_SHAPES_MAX: Final = 4_096
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"\\": b"\\"}


class SpoolError(Exception):
    """A spool directory can't be used; the message names it and what to do."""


class DetailRecord(msgspec.Struct, frozen=True, gc=False):
    """One whole record. `attributes` are printed values by name; of a repeated one, `attributes` has the first and
    `repeats` are all pairs in order."""

    octet: int
    end: int
    attributes: dict[str, str]
    repeats: tuple[tuple[str, str], ...] = ()


class Parked(Enum):
    """Whose fault it is that a record had no effect; `corrente unreadable` shows it."""

    UNREADABLE = "unreadable"  # the record says too little, or nothing we know
    REFUSED = "refused"  # the database refused what it says
    OUR_FAULT = "our_fault"  # our own code failed over it: a bug, and the record may be as good as any


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A place in a file that could have no effect, and why: no whole record, or one that names no session or NAS."""

    octet: int
    end: int
    problem: str
    kind: Parked = Parked.UNREADABLE


@dataclass(frozen=True, slots=True)
class Block:
    """What one reading of a file gave: records in order, and the octet where the next reading goes on."""

    records: tuple[DetailRecord | Refused, ...]
    end: int


def read_detail(data: bytes, *, start: int) -> Block:
    """The records in `data`, which was read from octet `start` of a detail file on.

    The last record is left for the next reading when its empty line is not there yet.
    """
    chunks = data.split(b"\n\n")
    unfinished = chunks.pop()
    records: list[DetailRecord | Refused] = []
    position = start
    for chunk in chunks:
        end = position + len(chunk) + 2
        text = chunk.decode("utf-8", "backslashreplace").lstrip("\n")
        if text:
            record = _whole_record(text, position, end)
            if record is None:
                records += _pieces(chunk, position, end)
            else:
                records.append(record)
        position = end
    if len(unfinished) > RECORD_MAX_OCTETS:
        records.append(Refused(position, position + len(unfinished), "no record is this long"))
        position += len(unfinished)
    elif not unfinished.strip(b"\n"):
        position += len(unfinished)
    return Block(tuple(records), position)


def _whole_record(text: str, position: int, end: int) -> DetailRecord | None:
    """The record in a chunk that is exactly one whole record; None for anything else."""
    if len(text) > _PRINTED_MAX:
        text = _GLUED.sub("\n\t", text)
    header, _, body = text.partition("\n\t")
    joined = body.replace("\n\t", " = ")
    if header[:1] in ("", "\t") or "\n" in joined or "\n" in header or text.count(_SOURCE_LINE) != 1:
        return None
    flat = joined.split(" = ")
    # Nearly all devices send the same attributes each time: their names, once checked, are shared by all records.
    names = _SHAPES.get(tuple(flat[::2]))
    # Joining has put three octets in the place of two between each two lines.
    if names is not None and len(flat) == 2 * (len(joined) - len(body) + 1):
        attributes = dict(zip(names, flat[1::2], strict=True))
        return DetailRecord(position, end, attributes) if _is_stamp(flat[-1]) else None
    return _read_by_line(body, position, end)


def _read_by_line(body: str, position: int, end: int) -> DetailRecord | None:
    pairs = [line.split(" = ", 1) for line in body.split("\n\t")]
    try:
        attributes: dict[str, str] = dict(pairs)
    except ValueError:
        return None
    name, stamp = pairs[-1]
    if name != "Timestamp" or not _is_stamp(stamp):
        return None
    if len(attributes) < len(pairs):
        return DetailRecord(position, end, dict(reversed(pairs)), tuple((name, value) for name, value in pairs))
    if len(_SHAPES) < _SHAPES_MAX:
        shape = tuple(sys.intern(name) for name in attributes)
        _SHAPES[shape] = shape
    return DetailRecord(position, end, attributes)


def _is_stamp(printed: str) -> bool:
    return len(printed) == _STAMP_DIGITS and printed.isdecimal()


def _pieces(chunk: bytes, position: int, end: int) -> list[DetailRecord | Refused]:
    """A chunk that is not one whole record: torn pieces, of which the last may be followed by a whole record.

    Only the last piece has the empty line behind it.
    """
    # latin-1 keeps positions in characters and octets the same.
    text = chunk.decode("latin-1")
    starts = [match.start() for match in _HEADER.finditer(text)]
    cuts = [cut for cut in starts if cut > 0]
    pieces: list[DetailRecord | Refused] = []
    for begin, until in zip([0, *cuts], [*cuts, len(text)], strict=True):
        last = until == len(text)
        octet, after = position + begin, end if last else position + until
        piece = chunk[begin:until]
        if not piece.strip(b"\n"):
            continue
        printed = piece.decode("utf-8", "backslashreplace").lstrip("\n")
        whole = _whole_record(printed, octet, after) if last else None
        pieces.append(whole or Refused(octet, after, "torn record: its end is missing"))
    return pieces


def kept(data: bytes) -> str:
    """Octets as text that a database takes and a person can read."""
    return data[:KEPT_TEXT_MAX].decode("utf-8", "backslashreplace").replace("\0", "\\000")


def read_string(printed: str) -> tuple[str, bool]:
    """The text of a printed string value, and whether it is plain.

    A value with control octets or octets that are no UTF-8 stays in its escaped form and is not plain, so that it can
    be shown and stored but is never taken for somebody's name.
    """
    text = _unquoted(printed)
    if "\\" not in text:
        return text, True
    try:
        plain = read_octets(printed).decode()
    except UnicodeDecodeError:
        return text, False
    if plain.isprintable():
        return plain, True
    return text, False


def read_octets(printed: str) -> bytes:
    """The octets of a printed string value."""
    return _ESCAPE.sub(_unescaped, _unquoted(printed).encode())


def _unquoted(printed: str) -> str:
    return printed[1:-1] if len(printed) >= 2 and printed[0] == '"' == printed[-1] else printed


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, letter = match.groups()
    return bytes([int(octal, 8) & 0xFF]) if octal else _ESCAPED[letter]


# ---------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------
def take_live_file(live: Path, *, node: str, now_ns: int) -> Path | None:
    """Rename the file FreeRADIUS writes to, if it holds anything, to a name that is never used again.

    A thread may still hold the renamed file open: it is read on until it has been quiet for the grace time.
    """
    taken = live.with_name(f"{live.name}.{node}.{now_ns:020d}")
    try:
        if live.stat().st_size == 0:
            return None
        os.rename(live, taken)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpoolError(
            f"{live}: can't be renamed ({error.strerror}); the edge must own or share {live.parent}"
        ) from error
    return taken


def taken_files(live: Path) -> list[Path]:
    """The renamed files in the order of their renaming, leftovers of earlier runs among them."""
    try:
        names = sorted(name for name in os.listdir(live.parent) if name.startswith(f"{live.name}."))
    except FileNotFoundError as error:
        raise SpoolError(f"{live.parent}: there is no such spool directory; `corrente up` makes it") from error
    return [live.parent / name for name in sorted(names, key=lambda name: (name.rpartition(".")[2], name))]


def nobody_writes(path: Path) -> bool:
    """Whether no writer holds the file. FreeRADIUS locks it for each record, and a stopped thread may hold it for long."""
    with path.open("rb") as file:
        return _lock(file)


def delete_if_let_go(path: Path, *, size: int) -> bool:
    """Delete a file unless somebody is writing to it or has since it had that size; says whether it is gone.

    FreeRADIUS locks a file first and then looks whether it still has a name, so what is deleted under our lock is never
    written to. The lock is gone when this process closes the file anywhere, so nothing is read meanwhile.
    """
    try:
        with path.open("rb") as file:
            if not _lock(file) or os.fstat(file.fileno()).st_size != size:
                return False
            path.unlink()
    except FileNotFoundError:
        pass
    return True


def _lock(file: BinaryIO) -> bool:
    """Take a lock that lets others read and keeps writers out; they hold it for a record, so it is not waited for."""
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def read_file(path: Path, *, start: int, octets: int) -> bytes:
    """Up to `octets` octets of a file from `start` on; none when it is gone."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(octets)
    except FileNotFoundError:
        return b""
