"""Octets of an accounting spool into records, in a process of its own where there are many.

Reading costs as much processor time as merging, and Python gives the threads of a process one processor between them.
The process knows no database and no state: it is asked for a part of a file and sends its records. Without it, or when
it is gone, the asker reads for itself. It ends when the asker's end of the pipe is closed, however that went.

Next: record.py
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import msgspec

from control_plane.accounting.blame import our_fault
from control_plane.accounting.record import AccountingRecord, Unusable, read_accounting_record
from control_plane.accounting.spool import DetailRecord, Parked, Refused, read_detail, read_file

Entries = list[AccountingRecord | Refused]
# Fewer are read sooner than sent.
_WORTH_SENDING_OCTETS: Final = 1 << 20
_PIECE_OCTETS: Final = 1 << 20
_END_S: Final = 5.0


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """What was read of a file: the records, what is none, and the octet after the last."""

    end: int
    records: list[AccountingRecord]
    refused: list[Refused]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Part)


def read_records(data: bytes, *, start: int) -> tuple[Entries, int]:
    """The records in `data`, which was read from octet `start` of a file on, and the octet after the last of them."""
    block = read_detail(data, start=start)
    return [_read(record) for record in block.records], block.end


def _read(record: DetailRecord | Refused) -> AccountingRecord | Refused:
    if isinstance(record, Refused):
        return record
    try:
        read = read_accounting_record(record)
    except ValueError as error:
        return Refused(record.octet, record.end, f"a value can't be read: {error}")
    except Exception as error:  # noqa: BLE001 - parked by name; one record must not end the shipper for ever
        return Refused(record.octet, record.end, our_fault(error), Parked.OUR_FAULT)
    return Refused(record.octet, record.end, read.problem) if isinstance(read, Unusable) else read


def _read_part(path: Path, *, start: int, octets: int) -> tuple[Entries, int]:
    """A part of a file, piece by piece: printed attributes need ten times the memory of what is read out of them."""
    entries: Entries = []
    end = start
    while end < start + octets:
        some, after = read_records(read_file(path, start=end, octets=_PIECE_OCTETS), start=end)
        if after == end:
            break
        entries += some
        end = after
    return entries, end


class RecordReader:
    """Reads parts of files, large ones by a process that is started with the first of them. For one thread."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._ready = False

    def read(self, path: Path, *, start: int, octets: int) -> tuple[Entries, int]:
        """The records in about so many octets of a file from `start` on, and the octet after the last of them."""
        if octets >= _WORTH_SENDING_OCTETS and path.stat().st_size - start >= _WORTH_SENDING_OCTETS:
            try:
                sent = self._ask(path, start, octets)
            except (EOFError, OSError):
                self.close()
            else:
                if sent is not None:
                    return sent
        return _read_part(path, start=start, octets=octets)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join(_END_S)
            if self._process.exitcode is None:
                self._process.kill()
                self._process.join()
        self._process, self._pipe, self._ready = None, None, False

    def _ask(self, path: Path, start: int, octets: int) -> tuple[Entries, int] | None:
        """What the process reads; None while it is not up yet. Raises: EOFError, OSError when it is gone."""
        if self._pipe is None:
            self._start()
        assert self._pipe is not None, "made by _start()"
        if not self._ready:
            if not self._pipe.poll():
                return None
            self._pipe.recv_bytes()
            self._ready = True
        self._pipe.send((str(path), start, octets))
        part = _DECODER.decode(self._pipe.recv_bytes())
        if part.refused:
            return sorted([*part.records, *part.refused], key=lambda entry: entry.octet), part.end
        return [*part.records], part.end

    def _start(self) -> None:
        # Not forked: this process has threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="spool-reader", daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection) -> None:
    """The process: reads what it is asked for until nobody can ask any more."""
    # Ctrl-C goes to all processes of a terminal; this one ends with the one that asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A file that can't be read is told by the asker, who then tries for itself.
    with contextlib.suppress(EOFError, OSError):
        pipe.send_bytes(b"ready")
        while True:
            path, start, octets = pipe.recv()
            entries, end = _read_part(Path(path), start=start, octets=octets)
            part = _Part(
                end,
                [entry for entry in entries if isinstance(entry, AccountingRecord)],
                [entry for entry in entries if isinstance(entry, Refused)],
            )
            pipe.send_bytes(_ENCODER.encode(part))
