"""A FreeRADIUS thread in the middle of a record: a process that holds a spool file locked until it is told what to write."""

import subprocess
import sys

_WRITER = """
import fcntl, sys
with open(sys.argv[1], "ab") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    file.write(sys.stdin.buffer.read())
"""


class SpoolWriter:
    """Holds the file from the start on."""

    def __init__(self, path):
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout.readline() == b"locked\n"

    def write(self, text):
        """Write, and let go of the file."""
        self._process.communicate(text.encode(), timeout=120)
        assert self._process.returncode == 0

    def kill(self):
        """End it if it is still there."""
        self._process.kill()
        self._process.wait()
