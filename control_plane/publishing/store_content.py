"""What belongs into a policy store, read from the database and rendered: all of it, or the part that changed.

What can't be rendered does not stop the rest: the account is withheld, the profile is left out, and both are said by
name. The hook then gives no answer for them and says why.

Next: policy/rendering.py
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from control_plane.policy.policy_source import (
    AccountRow,
    NasRow,
    ProfileRow,
    load_accounts,
    load_nases,
    load_profiles,
    load_sessions,
    stream_accounts,
    stream_sessions,
)
from control_plane.policy.rendering import (
    RenderError,
    Rendering,
    build_account_record,
    build_live_sessions,
    build_nas_record,
    build_profile_record,
    build_withheld_record,
)
from control_plane.publishing.change_feed import Changes
from control_plane.publishing.faults import Faults
from nas_drivers.dictionaries.reader import Dictionary
from nas_drivers.driver import Drivers, NasDriver, UnknownVendorError
from radius_hooks.policy_store import (
    AccountRecord,
    LiveSession,
    NasRecord,
    PolicyBatch,
    ProfileRecord,
    Rebuild,
)

# Accounts in one transaction of a store being built: enough to make commits cheap, few enough to stay small in memory.
REBUILD_BATCH: Final = 20_000


class StoppedError(Exception):
    """The process is asked to end in the middle of a long piece of work."""


@dataclass(frozen=True, slots=True)
class Devices:
    """Every NAS by its source, and every profile in the words of every vendor in use."""

    nases: tuple[tuple[str, NasRecord], ...]
    profiles: tuple[tuple[str, ProfileRecord], ...]

    @property
    def prefix_lengths(self) -> tuple[int, ...]:
        """The lengths of the sources, longest first: the order in which a look-up tries them."""
        return tuple(sorted({int(source.rpartition("/")[2]) for source, _ in self.nases}, reverse=True))


@dataclass(frozen=True, slots=True)
class Part:
    """Records to write, and with None those to remove."""

    accounts: tuple[tuple[str, AccountRecord | None], ...]
    sessions: tuple[tuple[int, tuple[LiveSession, ...]], ...]
    devices: Devices | None

    def put(self, batch: PolicyBatch) -> None:
        """Write it into the store."""
        if self.devices is not None:
            put_devices(batch, self.devices)
        for username, record in self.accounts:
            batch.put_account(username, record)
        for account_id, sessions in self.sessions:
            batch.put_sessions(account_id, sessions)


def put_devices(batch: PolicyBatch, devices: Devices) -> None:
    """Write all NASes and profiles in the place of those that were there."""
    batch.clear_devices()
    for source, nas in devices.nases:
        batch.put_nas(source, nas)
    for vendor, profile in devices.profiles:
        batch.put_profile(profile.profile_id, vendor, profile)


class ContentSource:
    """Reads and renders; the connection is given at each call because it may be a new one."""

    def __init__(self, dictionary: Dictionary, zone: ZoneInfo, faults: Faults, drivers: Drivers) -> None:
        self._drivers = drivers
        self._dictionary = dictionary
        self._zone = zone
        self._faults = faults

    def load_part(self, connection: psycopg.Connection[TupleRow], changes: Changes) -> Part:
        """The records of what changed, as they are now, which may be newer than the change."""
        rows = load_accounts(connection, ids=changes.accounts, usernames=changes.usernames)
        accounts: dict[str, AccountRecord | None] = dict.fromkeys(changes.usernames)
        rendering = self._rendering()
        for row in rows:
            accounts[row.username] = self._account(row, rendering)
        sessions: dict[int, tuple[LiveSession, ...]] = dict.fromkeys(changes.sessions, ())
        sessions |= dict.fromkeys(set(changes.accounts).difference(row.account_id for row in rows), ())
        if changes.sessions:
            found = load_sessions(connection, changes.sessions)
            sessions |= {key: build_live_sessions(some) for key, some in groupby(found, lambda one: one.account_id)}
        devices = self.load_devices(connection) if changes.devices else None
        return Part(tuple(accounts.items()), tuple(sessions.items()), devices)

    def load_devices(self, connection: psycopg.Connection[TupleRow]) -> Devices:
        """All NASes and all profiles: they are few, and one that changes may concern any other."""
        nases = load_nases(connection)
        drivers = self._drivers_in_use(nases)
        profiles = [
            (driver.vendor, record)
            for row in load_profiles(connection)
            for driver in drivers
            if (record := self._profile(row, driver)) is not None
        ]
        return Devices(tuple((row.source, build_nas_record(row)) for row in nases), tuple(profiles))

    def fill(self, connection: psycopg.Connection[TupleRow], rebuild: Rebuild, stop: threading.Event) -> Devices:
        """Everything, into a store that is empty. Raises: StoppedError."""
        devices = self.load_devices(connection)
        with rebuild.batch() as batch:
            put_devices(batch, devices)
        accounts = stream_accounts(connection)
        while rows := _next(accounts, stop):
            rendering = self._rendering()
            with rebuild.batch() as batch:
                for row in rows:
                    batch.put_next_account(row.username, self._account(row, rendering))
        sessions = groupby(stream_sessions(connection), lambda one: one.account_id)
        rendered = ((key, build_live_sessions(some)) for key, some in sessions)
        while pairs := _next(rendered, stop):
            with rebuild.batch() as batch:
                for account_id, live in pairs:
                    batch.put_next_sessions(account_id, live)
        return devices

    def _rendering(self) -> Rendering:
        return Rendering(self._dictionary, self._zone, datetime.now(UTC))

    def _account(self, row: AccountRow, rendering: Rendering) -> AccountRecord:
        try:
            record = build_account_record(row, rendering)
        except RenderError as error:
            self._faults.note("account", row.username, str(error))
            return build_withheld_record(row)
        self._faults.mended("account", row.username)
        return record

    def _profile(self, row: ProfileRow, driver: NasDriver) -> ProfileRecord | None:
        name = f"{row.name} for {driver.vendor}"
        try:
            record = build_profile_record(row, driver, self._dictionary)
        except RenderError as error:
            self._faults.note("profile", name, str(error))
            return None
        self._faults.mended("profile", name)
        return record

    def _drivers_in_use(self, nases: Iterable[NasRow]) -> list[NasDriver]:
        drivers = {}
        for row in nases:
            if row.vendor in drivers:
                continue
            try:
                drivers[row.vendor] = self._drivers.of(row.vendor)
            except UnknownVendorError as error:
                self._faults.note("nas", row.name, str(error))
            else:
                self._faults.mended("nas", row.name)
        return list(drivers.values())


_Item = TypeVar("_Item")


def _next(items: Iterator[_Item], stop: threading.Event) -> list[_Item]:
    if stop.is_set():
        raise StoppedError
    return list(islice(items, REBUILD_BATCH))
