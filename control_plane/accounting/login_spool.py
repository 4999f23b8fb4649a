"""The spool of login attempts as the shipper sees it: a line an attempt, written once into `login_attempt`.

The key of an attempt is a hash of its line, which begins with its microsecond: the same line read twice is one attempt.

Next: radius_hooks/login_line.py
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from control_plane.accounting.blame import our_fault
from control_plane.accounting.overlap import Overlap
from control_plane.accounting.spool import RECORD_MAX_OCTETS, Parked, Refused, read_file
from control_plane.settings import Settings
from control_plane.store import session_writes
from control_plane.store.session_reads import Connection
from control_plane.telemetry import LOGIN_RECORDS
from radius_hooks.login_line import LoginLineError, read_login_line

_INSERT: Final = (
    "INSERT INTO login_attempt (at, attempt_key, outcome, reason, username, account_id, nas_id, source, mac, line, "
    "session_key, policy_version, detail) SELECT to_timestamp(us / 1000000) + mod(us, 1000000) * interval '1 microsecond', "
    "key, outcome, reason, username, (SELECT id FROM subscriber_account a WHERE a.username = w.username AND w.plain), "
    "nullif(nas, 0), nullif(source, '')::inet, mac, line, CASE WHEN session <> '' THEN session::uuid END, "
    "CASE WHEN octet_length(version) = 8 THEN version END, detail "
    "FROM unnest(%s::bigint[], %s::bytea[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::text[], "
    "%s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[]) AS w (us, key, outcome, reason, username, plain, nas, "
    "source, mac, line, session, version, detail) ON CONFLICT DO NOTHING"
)


class LoginEntry(msgspec.Struct, frozen=True, gc=False):
    """One line as the database takes it."""

    octet: int
    end: int
    microseconds: int
    attempt_key: bytes
    outcome: str
    reason: str
    username: str
    username_plain: bool
    nas_id: int
    source: str
    mac: str
    line: str
    session_key: str
    policy_version: bytes
    detail: str


class LoginSpool:
    """Lines of the hook's login spool into `login_attempt`."""

    name = "logins"

    def __init__(self, settings: Settings) -> None:
        self.live = settings.login_spool_dir / "logins"
        self._settings = settings
        self._months: set[date] = set()

    def read(self, data: bytes, *, start: int) -> tuple[list[LoginEntry | Refused], int]:
        """The lines in `data` and the octet after the last whole one."""
        lines = data.split(b"\n")
        unfinished = lines.pop()
        entries: list[LoginEntry | Refused] = []
        position = start
        for line in lines:
            end = position + len(line) + 1
            if line:
                entries.append(_read(line, position, end))
            position = end
        if len(unfinished) > RECORD_MAX_OCTETS:
            entries.append(Refused(position, position + len(unfinished), "no login line is this long"))
            position += len(unfinished)
        return entries, position

    def read_part(self, path: Path, *, start: int, octets: int) -> tuple[list[LoginEntry | Refused], int]:
        """The entries in a part of a file and the octet after the last of them."""
        return self.read(read_file(path, start=start, octets=octets), start=start)

    def merge(self, overlap: Overlap, entries: Sequence[LoginEntry | Refused], *, now: datetime) -> list[Refused]:
        """Write attempts within the caller's transaction; returns the lines that can't be read."""
        connection = overlap.connection
        oldest = now - timedelta(days=self._settings.retention.login_attempt_days)
        kept = [
            entry
            for entry in entries
            if isinstance(entry, LoginEntry) and entry.microseconds >= oldest.timestamp() * 1_000_000
        ]
        self._make_months(connection, kept)
        if kept:
            columns = zip(*(msgspec.structs.astuple(entry)[2:] for entry in kept), strict=True)
            connection.execute(_INSERT, [list(column) for column in columns])
        return [entry for entry in entries if isinstance(entry, Refused)]

    def count(self, entries: Sequence[LoginEntry | Refused]) -> None:
        """Count what was committed."""
        ended = Counter((entry.outcome, entry.reason) for entry in entries if isinstance(entry, LoginEntry))
        for (outcome, reason), number in ended.items():
            LOGIN_RECORDS.labels(outcome, reason).inc(number)

    def forget(self) -> None:
        """A partition that was taken for there was not."""
        self._months.clear()

    def _make_months(self, connection: Connection, entries: Sequence[LoginEntry]) -> None:
        days = {entry.microseconds // 86_400_000_000 for entry in entries}
        months = {(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().replace(day=1) for day in days}
        new = months - self._months
        if new:
            session_writes.make_months(connection, sorted(new))
            self._months |= new


def _read(raw: bytes, octet: int, end: int) -> LoginEntry | Refused:
    try:
        return _entry(raw, octet, end)
    except LoginLineError as error:
        return Refused(octet, end, str(error))
    except Exception as error:  # noqa: BLE001 - parked by name; one line must not end the shipper for ever
        return Refused(octet, end, our_fault(error), Parked.OUR_FAULT)


def _entry(raw: bytes, octet: int, end: int) -> LoginEntry:
    line = read_login_line(raw)
    try:
        username = line.username.decode()
        plain = username.isprintable() and bool(username)
    except UnicodeDecodeError:
        username, plain = "", False
    if not plain:
        username = line.username.decode(errors="backslashreplace").encode("unicode_escape").decode()
    return LoginEntry(
        octet=octet,
        end=end,
        microseconds=line.microseconds,
        attempt_key=hashlib.blake2b(raw, digest_size=16).digest(),
        outcome=line.outcome,
        reason=line.reason,
        username=username,
        username_plain=plain,
        nas_id=line.nas_id,
        source=line.source,
        mac=line.mac,
        line=line.line.replace("\0", "\\000"),
        session_key=line.session_key.hex(),
        policy_version=line.policy_version,
        detail=line.detail.replace("\0", "\\000"),
    )
