"""Looks after the entries that were made in routers' address lists for sessions as they run: none may outlive its session.

An entry whose session is over, or whose address is another session's now, is taken away and told in the log; who is online is the
router's to say. One that is still wanted is renewed before it ends by itself. When nobody comes here the entry's own time limit
is what ends it.

Units: *_s seconds.
Next: ../../nas_drivers/families/routeros_lists.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from control_plane import telemetry
from control_plane.control_loop.outgoing import api_access
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.store import list_entries as store
from control_plane.store.list_entries import Connection
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.driver import ChangesListsByApi, Drivers, UnknownVendorError
from nas_drivers.errors import NasError
from nas_drivers.families.routeros_lists import Care, ListEntry, care_for
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import RouterOsRefusedError
from radius_hooks.sealing import Sealer, SealError

# How long an entry may meet whoever is given its address, beside the time that the session's Stop takes.
TEND_EVERY_S: Final = 15.0
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class _Router:
    """One router whose lists change by its API; `timeout_s` is how long an entry stands."""

    nas: NasTarget
    device: RouterOsDevice
    timeout_s: int


def tend_list_entries(connection: Connection, settings: Settings, now: datetime) -> str:
    """Look at every entry of ours once, where something may be sent to the router; the connection is in autocommit.

    Repeating it is harmless.
    """
    lists = store.load_lists(connection)
    try:
        routers = _routers(connection, settings, now) if lists else []
    except (SettingsError, SealError) as error:
        return f"nothing tended: {error}"
    if not routers:
        return "no router's address lists change by its API"
    done: Counter[str] = Counter()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tend lists") as pool:
        asked = [(router, pool.submit(_read, router, lists)) for router in routers]
        tended = []
        for router, reading in asked:
            entries = reading.result()
            if entries is None:
                done["unread"] += 1
                continue
            wanted = store.load_wanted(connection, router.nas.id, entries)
            tended.append(pool.submit(_tend, router, entries, wanted))
        for one in tended:
            done += one.result()
    return f"{len(routers)} routers, {done['unread']} not; renewed {done['renewed']}, took away {done['taken']}"


def _routers(connection: Connection, settings: Settings, now: datetime) -> list[_Router]:
    drivers, may_be_told = Drivers(settings.drivers), store.load_open(connection, now)
    found, sealer = [], None
    for nas in load_targets(connection):
        timeout_s = _timeout_s(drivers, nas)
        if timeout_s is not None and nas.has_api and nas.id in may_be_told:
            sealer = sealer or Sealer(secret_keys(settings))
            found.append(_Router(nas, RouterOsDevice(api_access(nas, sealer)), timeout_s))
    return found


def _timeout_s(drivers: Drivers, nas: NasTarget) -> int | None:
    try:
        driver = drivers.of(nas.vendor)
    except UnknownVendorError:
        return None
    return driver.live_lists() if isinstance(driver, ChangesListsByApi) else None


def _read(router: _Router, lists: list[str]) -> tuple[ListEntry, ...] | None:
    try:
        return router.device.read_entries(lists)
    except NasError as error:
        telemetry.logger().info("list_entries.not_read", nas_id=router.nas.id, problem=str(error))
        return None


def _tend(router: _Router, entries: tuple[ListEntry, ...], wanted: Mapping[str, tuple[str, ...]]) -> Counter[str]:
    """Do for each what it needs; what can't be done now is seen again."""
    done: Counter[str] = Counter()
    for entry in entries:
        try:
            done[_cared(router, entry, wanted.get(entry.number))] += 1
        except RouterOsRefusedError as error:
            telemetry.logger().warning("list_entries.refused", nas_id=router.nas.id, problem=str(error))
        except NasError as error:
            telemetry.logger().info("list_entries.not_read", nas_id=router.nas.id, problem=str(error))
            break
    return done


def _cared(router: _Router, entry: ListEntry, wanted: tuple[str, ...] | None) -> str:
    """Raises: RouterOsError."""
    care = care_for(entry, wanted, timeout_s=router.timeout_s)
    match care:
        case Care.NONE:
            return "left"
        case Care.REMOVAL:
            return _take_away(router, entry, "the session should not be in this list any more")
        case Care.QUESTION | Care.RENEWAL:
            # Accounting may be late: also what is to be renewed is the router's to say.
            if not router.device.stands(entry):
                return _take_away(router, entry, "its session is over, or has another address")
            if care is Care.RENEWAL:
                router.device.renew(entry, router.timeout_s)
                return "renewed"
            return "left"
    assert_never(care)


def _take_away(router: _Router, entry: ListEntry, reason: str) -> str:
    if not router.device.take_away(entry):
        return "left"
    telemetry.logger().warning(
        "list_entry.taken_away",
        nas_id=router.nas.id,
        acct_session_id=entry.acct_session_id,
        address=entry.address,
        list=entry.list,
        reason=reason,
    )
    return "taken"
