"""A check of the books that somebody asked for in the console: done here, with how far it is and what it finds.

The books are read through the job's own connection, in one transaction that writes nothing; what is found is written through
another one, so that it is seen at once. Interrupted anywhere, the next leader begins it again, from nothing.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.store.asked_checks import (
    SupersededError,
    begin_check,
    end_check,
    load_check,
    load_waiting,
    note_check,
)
from billing.store.checks.catalogue import Progress, check_books
from billing.store.checks.check import Check, Finding
from control_plane import db
from control_plane.books_check import checks_of
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
# Somebody waits before a page; who asks wakes the job, too (waking.py).
ASKED_EVERY_S: Final = 15.0
# Of each check; a broken import would write millions that say the same.
KEPT: Final = 500
# One that never comes to its end, because a statement of it takes longer than the job's deadline, is let go.
MOST_ATTEMPTS: Final = 5
# How often it is written how far a check is: who watches is shown that every second.
_NOTE_EVERY_S: Final = 0.5


def asked_checks(connection: Connection, settings: Settings, now: datetime) -> str:
    """Do the check that is asked for, if there is one."""
    del now
    number = load_waiting(connection)
    asked = None if number is None else load_check(connection, number)
    if asked is None:
        return "no check was asked for"
    checks = checks_of(settings.zone, asked.chosen)
    with db.connect(settings.conninfo("corrente_worker"), name="books check", autocommit=True) as notes:
        attempt = begin_check(notes, asked.id, checks)
        if attempt is None:
            return "another worker has done it"
        try:
            if attempt > MOST_ATTEMPTS:
                end_check(notes, asked.id, attempt=attempt, given_up=True)
                return f"gave check {asked.id} up"
            keeper = _Keeper(notes, asked.id, attempt, checks)
            for finding in check_books(connection, checks, tell=keeper.tell):
                keeper.found(finding)
            end_check(notes, asked.id, attempt=attempt)
        except SupersededError:
            return "another worker does it"
    return f"did check {asked.id}: {keeper.all_found} findings"


class _Keeper:
    """Writes how far the checks are, and what they find."""

    def __init__(self, notes: Connection, number: int, attempt: int, checks: Sequence[Check]) -> None:
        self._notes = notes
        self._number = number
        self._attempt = attempt
        self._places = {one.name: place for place, one in enumerate(checks, 1)}
        self._found = 0
        self._unwritten: list[tuple[int, str, str]] = []
        self._noted = 0.0
        self.all_found = 0

    def found(self, finding: Finding) -> None:
        """One more of the check that is at it."""
        self._found += 1
        self.all_found += 1
        if self._found <= KEPT:
            self._unwritten.append((self._found, finding.subject, finding.message))

    def tell(self, progress: Progress) -> None:
        """Write it at a check's beginning and end, and now and then between."""
        if progress.done == 0:
            self._found = 0
        between = 0 < progress.done < progress.of
        if between and monotonic() - self._noted < _NOTE_EVERY_S:
            return
        note_check(
            self._notes,
            self._number,
            attempt=self._attempt,
            place=self._places[progress.check.name],
            done=progress.done,
            of=progress.of,
            findings=self._found,
            kept=self._unwritten,
        )
        self._noted, self._unwritten = monotonic(), []
