"""Whether the accounting record that was just spooled is whole, read back from the file: if not, it is never answered.

rlm_detail 3.2.1 does not look at the result of its last write, so a full disk cuts a record short or leaves it out and the
module says "ok". To append something and see whether that fails is not enough: a spool file that the shipper deletes in
between makes room again, and of 8,000 records answered on a disk that filled and emptied 13 were torn.

Each record is to be found behind what was there before it. With several threads (radius.threads) one look may find the
records of others too, who are then believed without one.

Next: module.py
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

FILE_NAME: Final = "detail"
# A record has some 900 octets; more than this is never looked through at once.
_LOOK_MAX_OCTETS: Final = 1 << 20
# FreeRADIUS has at most so many threads, each with one record on its way.
_MAX_WAITING: Final = 32
# The first lines and the last of a record; control_plane/accounting/spool.py reads what lies between.
_SOURCE_LINE: Final = b"\n\tPacket-Src-IP"
_HEADER: Final = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4}")
_HEADER_OCTETS: Final = 24
# FreeRADIUS leaves out the newline before it when it has cut off a long value there.
_LAST_LINE: Final = re.compile(rb"\tTimestamp = \d{10}")
_LAST_LINE_OCTETS: Final = 23


class AccountingCheck:
    """Follows the file that the detail module writes, whichever that is at the moment."""

    def __init__(self, directory: Path) -> None:
        self._path = str(directory / FILE_NAME)
        self._descriptor = -1
        self._identity = (0, 0)
        self._looked_to = 0
        self._waiting = 0
        # What is there before the first record is nobody's that we are asked about.
        self._open()
        if self._descriptor >= 0:
            self._looked_to = os.fstat(self._descriptor).st_size

    def check(self) -> None:
        """Raises: OSError when no whole record has come since the last check."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            self._follow()
        else:
            if (found.st_dev, found.st_ino) == self._identity:
                self._look(found.st_size)
            else:
                self._follow()
        if not self._waiting:
            raise OSError(errno.ENOSPC, "the record is not whole in the spool: is the disk full?", self._path)
        self._waiting -= 1

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._identity = -1, (0, 0)

    def _follow(self) -> None:
        """Look at the file that was there and at the one that is: a rename may have come since the record was written."""
        if self._descriptor >= 0:
            self._look(os.fstat(self._descriptor).st_size)
        self.close()
        self._open()
        if self._descriptor >= 0:
            self._look(os.fstat(self._descriptor).st_size)

    def _open(self) -> None:
        self._looked_to = 0
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        opened = os.fstat(self._descriptor)
        self._identity = (opened.st_dev, opened.st_ino)

    def _look(self, size: int) -> None:
        """Count the whole records behind what was looked at before; what has no empty line behind it is looked at again."""
        begin = max(self._looked_to, size - _LOOK_MAX_OCTETS)
        chunks = os.pread(self._descriptor, size - begin, begin).split(b"\n\n")
        self._looked_to = size - len(chunks.pop())
        self._waiting = min(self._waiting + sum(map(_is_whole, chunks)), _MAX_WAITING)


def _is_whole(chunk: bytes) -> bool:
    """Whether what stands before an empty line ends with a whole record; the rest of a torn one may stand before it."""
    source = chunk.rfind(_SOURCE_LINE)
    return (
        source >= _HEADER_OCTETS
        and _HEADER.fullmatch(chunk, source - _HEADER_OCTETS, source) is not None
        and _LAST_LINE.fullmatch(chunk, len(chunk) - _LAST_LINE_OCTETS) is not None
    )
