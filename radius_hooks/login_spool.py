"""The file that login lines are appended to, until the shipper renames it and reads it.

FreeRADIUS's own `linelog` writes the same lines at 12 µs of processor time a login, most of it in eight system calls under
one lock; this is one system call. A login never fails because its line can't be written.

Next: module.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE_NAME: Final = "logins"
# The shipper reads with the group's right, and renames with that of the directory.
_MODE: Final = 0o640
# After a rename lines go on into the renamed file for no longer than this; the shipper reads on for its grace time.
_LOOK_INTERVAL_S: Final = 0.1


class LoginSpool:
    """An append-only file, opened again when it has been renamed. Units: `now` in seconds of any steady clock."""

    def __init__(self, directory: Path) -> None:
        self._path = str(directory / FILE_NAME)
        self._descriptor = -1
        self._identity = (0, 0)
        self._look_at = 0.0
        self._torn = False

    def write(self, line: bytes, *, now: float) -> None:
        """Append one line. Raises: OSError when the disk is full or the directory is gone."""
        if now >= self._look_at or now < self._look_at - _LOOK_INTERVAL_S:
            self._look(now)
        # What was cut by a full disk must not take the next line with it.
        octets = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, octets)
        self._torn = written < len(octets)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _look(self, now: float) -> None:
        """Follow the name: another file, or none, stands there after the shipper's rename."""
        try:
            found = os.stat(self._path)
            same = (found.st_dev, found.st_ino) == self._identity
        except FileNotFoundError:
            same = False
        if not same or self._descriptor < 0:
            self._open()
        self._look_at = now + _LOOK_INTERVAL_S

    def _open(self) -> None:
        self.close()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        opened = os.fstat(self._descriptor)
        self._identity, self._torn = (opened.st_dev, opened.st_ino), False
