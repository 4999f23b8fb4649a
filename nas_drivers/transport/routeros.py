"""One RouterOS device by its API: who is online and how, end a session.

    device = RouterOsDevice(access)
    sessions = device.read_sessions()
    device.end_session("anna", "81a00001")

Blocking. Connections are kept by the process and shared by all who ask the same device. Every command has a time limit of its
own; after any error but a refusal the next one has another connection.

Source: RouterOS manual, page API.
Next: ../routeros_output.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.device_session import DeviceSession
from nas_drivers.routeros_output import Row, read_session_id, read_sessions
from nas_drivers.routeros_setup import RouterOsSetup, read_setup
from nas_drivers.transport.routeros_access import ApiAccess, RouterOsRefusedError
from nas_drivers.transport.routeros_pool import CONNECTIONS, RouterOsPool, Visit

_ACTIVE_COLUMNS: Final = ".id,name,caller-id,address,uptime,session-id"
_QUEUE_COLUMNS: Final = "name,max-limit"
_LIST_COLUMNS: Final = ".id,list,address,comment,dynamic,disabled"
# Never the passwords.
_LOCAL_COLUMNS: Final = "name,service,disabled"
_RULE_COLUMNS: Final = ".id,action,disabled"
_PROFILE_COLUMNS: Final = "name,rate-limit,address-list"
_GONE: Final = "no such item"


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
                visit.read("/ip/firewall/address-list", columns=_LIST_COLUMNS),
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
    return visit.read("/ip/firewall/address-list", columns=_LIST_COLUMNS, where={"address": address})


def _removed(visit: Visit, path: str, row: Row) -> bool:
    try:
        visit.change(path, "remove", {"id": row.get("id", "")})
    except RouterOsRefusedError as error:
        if _GONE in str(error):
            return False
        raise
    return True
