"""The process that reads a large spool file: what it sends is what is in the file, and its death costs nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.accounting_world import NOON, detail

from control_plane.accounting.reader import RecordReader, read_records
from control_plane.accounting.spool import Refused

# It needs processes, which the unit tests do without.
pytestmark = pytest.mark.db

RECORDS = 6000
OCTETS = 1 << 22
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def spooled(tmp_path):
    """A file large enough for the process, with a record in its middle that names no session, and one that is torn."""
    path = tmp_path / "detail.1"
    records = [
        detail("Interim-Update", session=f"s{n}", at=NOON + n, time=n, octets=(n << 33, n), User_Name=f'"öl{n}"')
        for n in range(RECORDS)
    ]
    records[3000] = detail("Interim-Update", session="")
    records[3001] = records[3001].partition("\tTimestamp")[0] + "\n"
    path.write_text("".join(records))
    assert path.stat().st_size > 1 << 20
    return path


@pytest.fixture
def reader():
    """A reader, closed afterwards."""
    made = RecordReader()
    yield made
    made.close()


def read_by_process(reader, path, *, deadline_s=120.0):
    """Read until the process is up and has done it."""
    until = time.monotonic() + deadline_s
    while True:
        found = reader.read(path, start=0, octets=OCTETS)
        if reader._ready:
            return found
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_process_sends_what_is_in_the_file_in_its_order(reader, spooled):
    entries, end = read_by_process(reader, spooled)

    assert end == spooled.stat().st_size
    assert (entries, end) == read_records(spooled.read_bytes(), start=0)
    assert len(entries) == RECORDS
    assert [n for n, entry in enumerate(entries) if isinstance(entry, Refused)] == [3000, 3001]
    assert (entries[5].username, entries[5].counter_in, entries[5].counter_out) == ("öl5", 5 << 33, 5)


def test_a_process_that_is_killed_is_done_without_and_then_replaced(reader, spooled):
    right = read_by_process(reader, spooled)
    killed = reader._process.pid
    os.kill(killed, signal.SIGKILL)

    assert reader.read(spooled, start=0, octets=OCTETS) == right
    assert read_by_process(reader, spooled) == right
    assert reader._process.pid != killed


def test_the_process_ends_with_the_one_that_asks_even_when_that_is_killed(spooled):
    program = (
        "import sys, time; from pathlib import Path; from control_plane.accounting.reader import RecordReader\n"
        "if __name__ == '__main__':\n"
        f"    reader = RecordReader(); reader.read(Path(sys.argv[1]), start=0, octets={OCTETS})\n"
        "    print(reader._process.pid, flush=True); time.sleep(60)\n"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", program, spooled],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    try:
        pid = int(asker.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
    finally:
        asker.kill()
        asker.wait()
        asker.stdout.close()

    until = time.monotonic() + 240
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until, "it reads on for nobody"
        time.sleep(0.05)
