"""Who is to blame when a batch of spooled records fails: a record, our own code, or nobody but an outage.

An outage is waited out and nothing is parked. Everything else is found record by record and parked with its kind, so that
neither a bad record nor a bug of ours ever holds up the others, and a bug is never taken for a bad record.

Next: shipper.py
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from control_plane.accounting.spool import Parked, Refused, SpoolError

OUR_FAULT_ADVICE: Final = "kept aside, nothing is lost: report it with this line, and run `corrente unreadable retry` under a release that mends it"


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a record from having its effect."""

    kind: Parked
    problem: str

    def of(self, octet: int, end: int) -> Refused:
        """The record at that place of a file, with this fault."""
        return Refused(octet, end, self.problem, self.kind)


def fault_of(error: Exception) -> Fault | None:
    """The fault that an exception from merging shows; None for an outage, which no record is to blame for."""
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return Fault(Parked.REFUSED, f"{type(error).__name__}: {str(error).strip()}")
    # Without an SQLSTATE it never reached the server: a value of a type that can't be sent.
    unsendable = isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None
    if isinstance(error, psycopg.Error | SpoolError | OSError | MemoryError) and not unsendable:
        return None
    return Fault(Parked.OUR_FAULT, our_fault(error))


def our_fault(error: Exception) -> str:
    """An exception of our own code in words: what it was, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {str(error).strip()}{where}"
