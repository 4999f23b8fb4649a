"""One RouterOS device by its API: who is online and how, end a session, move one to other address lists.

    device = RouterOsDevice(access)
    sessions = device.read_sessions()
    device.end_session("anna", "81a00001")

Blocking. Connections are kept by the process and shared by all who ask the same device. Every command has a time limit of its
own; after any error but a refusal the next one has another connection.

Source: RouterOS manual, page API.
Next: ../families/routeros_output.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from nas_drivers.device_session import DeviceSession
from nas_drivers.families.routeros_lists import (
    ListChange,
    ListEntry,
    entry_comment,
    list_plan,
    read_entries,
    what_is_wrong,
)
from nas_drivers.families.routeros_output import Row, read_session_id, read_sessions
from nas_drivers.families.routeros_setup import RouterOsSetup, read_setup
from nas_drivers.transport.routeros_access import ApiAccess, RouterOsError, RouterOsRefusedError, name_of
from nas_drivers.transport.routeros_pool import CONNECTIONS, RouterOsPool, Visit

_ACTIVE_COLUMNS: Final = ".id,name,caller-id,address,uptime,session-id"
_QUEUE_COLUMNS: Final = "name,max-limit"
_LISTS: Final = "/ip/firewall/address-list"
_LIST_COLUMNS: Final = ".id,list,address,comment,dynamic,disabled,timeout"
# Never the passwords.
_LOCAL_COLUMNS: Final = "name,service,disabled"
_RULE_COLUMNS: Final = ".id,action,disabled"
_PROFILE_COLUMNS: Final = "name,rate-limit,address-list"
_GONE: Final = "no such item"
_THERE: Final = "already have such entry"

# Told of each command that changes something, before it is given; what it raises keeps the command from being given.
Tell = Callable[[str, Mapping[str, str]], None]


class RouterOsListsError(RouterOsError):
    """A session is not in the address lists that it should be in; the message says what is in the way."""


class RouterOsDevice:
    """What is asked of a device; each question is a visit."""

    def __init__(self, access: ApiAccess, connections: RouterOsPool = CONNECTIONS) -> None:
        self._access = access
        self._connections = connections

    def read_sessions(self) -> tuple[DeviceSession, ...]:
        """All PPP sessions with their rates and address lists. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            return read_sessions(
                visit.read("/ppp/active", columns=_ACTIVE_COLUMNS),
                visit.read("/queue/simple", columns=_QUEUE_COLUMNS),
                visit.read(_LISTS, columns=_LIST_COLUMNS),
            )

    def read_session(self, username: str, acct_session_id: str) -> DeviceSession | None:
        """One session as it runs now, None when it is not there. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            active = visit.read("/ppp/active", columns=_ACTIVE_COLUMNS, where={"name": username})
            queues = visit.read("/queue/simple", columns=_QUEUE_COLUMNS, where={"name": f"<pppoe-{username}>"})
            addresses = {row.get("address", "") for row in active} - {""}
            lists = [row for address in sorted(addresses) for row in _entries(visit, address)]
        found = [one for one in read_sessions(active, queues, lists) if one.acct_session_id == acct_session_id.lower()]
        return found[0] if found else None

    def read_counters(self, username: str) -> tuple[int, int] | None:
        """Octets from and to the subscriber that the session's interface has counted; None when it is not there.

        The interface is the session's own and counts from nought. Raises: RouterOsError.
        Source: RouterOS manual, Interface; a PPPoE server's interface for a user is named after it.
        """
        with self._connections.visit(self._access) as visit:
            rows = visit.read("/interface", columns="name,rx-byte,tx-byte", where={"name": f"<pppoe-{username}>"})
        if len(rows) != 1:
            return None
        received, sent = rows[0].get("rx-byte", ""), rows[0].get("tx-byte", "")
        return (int(received), int(sent)) if received.isdecimal() and sent.isdecimal() else None

    def end_session(self, username: str, acct_session_id: str) -> bool:
        """End this session and no other of the same user; False when it was not there. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            rows = visit.read("/ppp/active", columns=_ACTIVE_COLUMNS, where={"name": username})
            # Numbers of rows come round again, so name and session are looked at again in what they name.
            wanted = [
                row
                for row in rows
                if row.get("name") == username and read_session_id(row.get("session-id", "")) == acct_session_id.lower()
            ]
            return any([_removed(visit, "/ppp/active", row) for row in wanted])

    def change_lists(self, change: ListChange, tell: Tell) -> None:
        """Bring a live session's address into the lists that it should be in, and out of the others.

        The session is looked up before, and after, because its address may be somebody else's in between: then what was made for
        it is taken away. Repeating it changes nothing. Raises: RouterOsListsError, RouterOsError.
        """
        with self._connections.visit(self._access) as visit:
            address = self._address_of(visit, change)
            plan = list_plan(change, _entries(visit, address))
            for row in plan.remove:
                _take_away(visit, row, tell)
            for name in plan.add:
                _add(visit, change, name, address, tell)
            rows = _entries(visit, address) if plan.remove or plan.add else []
            try:
                if plan.remove or plan.add:
                    self._address_of(visit, change)
            except RouterOsListsError:
                for row in rows:
                    if row.get("comment") == entry_comment(change.acct_session_id):
                        _take_away(visit, row, tell)
                raise
        if (plan.remove or plan.add) and (wrong := what_is_wrong(change, rows)):
            raise RouterOsListsError(f"{name_of(self._access)}: session {change.acct_session_id} at {address}: {wrong}")

    def read_entries(self, lists: Iterable[str]) -> tuple[ListEntry, ...]:
        """Our entries in these lists. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            rows = [row for name in lists for row in visit.read(_LISTS, columns=_LIST_COLUMNS, where={"list": name})]
        return read_entries(rows)

    def stands(self, entry: ListEntry) -> bool:
        """Whether the session that an entry was made for is online with that address; ask after the entry was read.
        Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            rows = visit.read("/ppp/active", columns=_ACTIVE_COLUMNS, where={"address": entry.address})
        return any(read_session_id(row.get("session-id", "")) == entry.acct_session_id for row in rows)

    def renew(self, entry: ListEntry, timeout_s: int) -> None:
        """Let an entry stand for so long again. Raises: RouterOsError; refused when it is not there any more."""
        with self._connections.visit(self._access) as visit:
            visit.change(_LISTS, "set", {"id": entry.number, "timeout": f"{timeout_s}s"})

    def take_away(self, entry: ListEntry) -> bool:
        """Remove an entry of ours; False when it was not there any more. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            # Numbers of rows come round again.
            rows = visit.read(_LISTS, columns=_LIST_COLUMNS, where={"list": entry.list, "address": entry.address})
            mine = [row for row in rows if row.get("comment") == entry_comment(entry.acct_session_id)]
            return any([_removed(visit, _LISTS, row) for row in mine])

    def _address_of(self, visit: Visit, change: ListChange) -> str:
        """The address of the session, as it runs now. Raises: RouterOsListsError when it is not there, or not with its address."""
        rows = visit.read("/ppp/active", columns=_ACTIVE_COLUMNS, where={"name": change.username})
        wanted = read_session_id(change.acct_session_id)
        found = [row.get("address", "") for row in rows if read_session_id(row.get("session-id", "")) == wanted]
        if len(found) != 1 or not found[0]:
            raise RouterOsListsError(f"{name_of(self._access)}: it lists no session {wanted} of this user")
        if change.address is not None and found[0] != change.address:
            raise RouterOsListsError(
                f"{name_of(self._access)}: session {wanted} has {found[0]} there, and {change.address} by accounting"
            )
        return found[0]

    def read_setup(self) -> RouterOsSetup:
        """What of its configuration stands beside RADIUS, and its clock. Changes nothing. Raises: RouterOsError."""
        with self._connections.visit(self._access) as visit:
            return read_setup(
                clock=visit.read("/system/clock"),
                secrets=visit.read("/ppp/secret", columns=_LOCAL_COLUMNS),
                rules=visit.read(
                    "/ip/firewall/filter", columns=_RULE_COLUMNS, where={"action": "fasttrack-connection"}
                ),
                profiles=visit.read("/ppp/profile", columns=_PROFILE_COLUMNS),
                incoming=visit.read("/radius/incoming"),
                aaa=visit.read("/ppp/aaa"),
            )


def _entries(visit: Visit, address: str) -> list[Row]:
    return visit.read(_LISTS, columns=_LIST_COLUMNS, where={"address": address})


def _add(visit: Visit, change: ListChange, name: str, address: str, tell: Tell) -> None:
    """One entry; one that is there already is looked at again, as all are."""
    entry = {
        "list": name,
        "address": address,
        "comment": entry_comment(change.acct_session_id),
        "timeout": f"{change.timeout_s}s",
    }
    tell(f"{_LISTS}/add", entry)
    try:
        visit.change(_LISTS, "add", entry)
    except RouterOsRefusedError as error:
        if _THERE not in str(error):
            raise


def _take_away(visit: Visit, row: Row, tell: Tell) -> None:
    tell(f"{_LISTS}/remove", {name: row[name] for name in ("list", "address", "comment") if row.get(name)})
    _removed(visit, _LISTS, row)


def _removed(visit: Visit, path: str, row: Row) -> bool:
    try:
        visit.change(path, "remove", {"id": row.get("id", "")})
    except RouterOsRefusedError as error:
        if _GONE in str(error):
            return False
        raise
    return True
