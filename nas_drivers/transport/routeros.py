"""One RouterOS device by its API: who is online and how, end a session. Alone in importing routeros_api.

    with RouterOsDevice(access) as device:
        sessions = device.read_sessions()
        device.end_session("anna", "81a00001")

Blocking, one connection, one thread at a time. Every call has a time limit of its own, kept by cutting the connection: the
library's own limit counts for each read, and a router that sends an octet now and then would never reach it. After any error but
a refusal the connection is useless and closed; the next call opens a new one.

Source: RouterOS manual, page API; routeros-api 0.21.0.
Next: ../routeros_output.py
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from routeros_api import RouterOsApiPool
from routeros_api.exceptions import RouterOsApiCommunicationError, RouterOsApiError

from nas_drivers.device_session import DeviceSession
from nas_drivers.errors import NasError
from nas_drivers.routeros_output import Row, read_session_id, read_sessions
from nas_drivers.routeros_setup import RouterOsSetup, read_setup

TLS_PORT: Final = 8729
PLAIN_PORT: Final = 8728
# A list of 10,000 sessions takes a small router seconds.
DEFAULT_TIMEOUT_S: Final = 30.0
_ACTIVE_COLUMNS: Final = ".id,name,caller-id,address,uptime,session-id"
_QUEUE_COLUMNS: Final = "name,max-limit"
_LIST_COLUMNS: Final = ".id,list,address,comment,dynamic,disabled"
# Never the passwords.
_LOCAL_COLUMNS: Final = "name,service,disabled"
_RULE_COLUMNS: Final = ".id,action,disabled"
_PROFILE_COLUMNS: Final = "name,rate-limit,address-list"
_GONE: Final = "no such item"


class RouterOsError(NasError):
    """The API of a device can't be used; the message names the device and what to do."""


class RouterOsUnreachableError(RouterOsError):
    """No connection, a connection that broke, or no answer in time."""

    retryable = True


class RouterOsLoginError(RouterOsError):
    """User or password are not right, or the user may not use the API."""


class RouterOsCertificateError(RouterOsError):
    """The device shows another certificate than the one that is trusted, or none."""


class RouterOsRefusedError(RouterOsError):
    """The device refused a command (`!trap`); the message has its words."""


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """How the API of one device is reached. `certificate` is the SHA-256 of the only one to trust. Units: seconds."""

    nas_id: int
    address: str
    username: str
    password: str = field(repr=False)
    port: int | None = None
    tls: bool = True
    certificate: bytes | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S


class RouterOsDevice:
    """A connection that is opened when it is needed."""

    def __init__(self, access: ApiAccess) -> None:
        self._access = access
        self._pool: Any = None

    def __enter__(self) -> RouterOsDevice:
        """Opens nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        if self._pool is not None:
            self._pool.disconnect()
            self._pool = None

    def read_sessions(self) -> tuple[DeviceSession, ...]:
        """All PPP sessions with their rates and address lists. Raises: RouterOsError."""
        return read_sessions(
            self._call("/ppp/active", "print", {"proplist": _ACTIVE_COLUMNS}),
            self._call("/queue/simple", "print", {"proplist": _QUEUE_COLUMNS}),
            self._call("/ip/firewall/address-list", "print", {"proplist": _LIST_COLUMNS}),
        )

    def read_session(self, username: str, acct_session_id: str) -> DeviceSession | None:
        """One session as it runs now, None when it is not there. Raises: RouterOsError."""
        active = self._call("/ppp/active", "print", {"proplist": _ACTIVE_COLUMNS}, {"name": username})
        queues = self._call("/queue/simple", "print", {"proplist": _QUEUE_COLUMNS}, {"name": f"<pppoe-{username}>"})
        addresses = {row.get("address", "") for row in active} - {""}
        lists = [row for address in sorted(addresses) for row in self._entries(address)]
        found = [one for one in read_sessions(active, queues, lists) if one.acct_session_id == acct_session_id.lower()]
        return found[0] if found else None

    def end_session(self, username: str, acct_session_id: str) -> bool:
        """End this session and no other of the same user; False when it was not there. Raises: RouterOsError."""
        rows = self._call("/ppp/active", "print", {"proplist": _ACTIVE_COLUMNS}, {"name": username})
        # Numbers of rows come round again, so name and session are looked at again in what they name.
        wanted = [
            row
            for row in rows
            if row.get("name") == username and read_session_id(row.get("session-id", "")) == acct_session_id.lower()
        ]
        return any([self._removed("/ppp/active", row) for row in wanted])

    def read_setup(self) -> RouterOsSetup:
        """What of its configuration stands beside RADIUS, and its clock. Changes nothing. Raises: RouterOsError."""
        return read_setup(
            clock=self._call("/system/clock", "print", {}),
            secrets=self._call("/ppp/secret", "print", {"proplist": _LOCAL_COLUMNS}),
            rules=self._call(
                "/ip/firewall/filter", "print", {"proplist": _RULE_COLUMNS}, {"action": "fasttrack-connection"}
            ),
            profiles=self._call("/ppp/profile", "print", {"proplist": _PROFILE_COLUMNS}),
            incoming=self._call("/radius/incoming", "print", {}),
            aaa=self._call("/ppp/aaa", "print", {}),
        )

    def _entries(self, address: str) -> list[Row]:
        return self._call("/ip/firewall/address-list", "print", {"proplist": _LIST_COLUMNS}, {"address": address})

    def _removed(self, path: str, row: Row) -> bool:
        try:
            self._call(path, "remove", {"id": row.get("id", "")})
        except RouterOsRefusedError as error:
            if _GONE in str(error):
                return False
            raise
        return True

    def _call(
        self, path: str, command: str, arguments: dict[str, str], queries: dict[str, str] | None = None
    ) -> list[Row]:
        """One command and its rows, within the time limit, login included."""
        try:
            with self._limited() as pool:
                return [dict(row) for row in pool.get_api().get_resource(path).call(command, arguments, queries or {})]
        except RouterOsApiCommunicationError as error:
            if self._pool is None or not self._pool.connected:
                self.close()
                raise RouterOsLoginError(f"{self._name()}: login refused: {_words(error)}") from error
            raise RouterOsRefusedError(f"{self._name()}: {path} {command}: {_words(error)}") from error
        except ssl.SSLError as error:
            self.close()
            raise RouterOsCertificateError(
                f"{self._name()}: TLS: {error}; install a certificate on the device and name its fingerprint"
            ) from error
        except RouterOsError:
            self.close()
            raise
        except (RouterOsApiError, OSError, KeyError, ValueError, AssertionError, TypeError) as error:
            # The library lets through what it stumbles over in a broken answer.
            self.close()
            raise RouterOsUnreachableError(
                f"{self._name()}: {path} {command}: {error or type(error).__name__}"
            ) from error

    @contextmanager
    def _limited(self) -> Iterator[Any]:
        """The connection, cut when the time is over. Raises: RouterOsUnreachableError then."""
        pool = self._pool = self._pool or self._new_pool()
        over = threading.Event()
        timer = threading.Timer(self._access.timeout_s, _cut, (pool, over))
        timer.daemon = True
        timer.start()
        try:
            yield pool
        except Exception as error:
            if over.is_set():
                raise RouterOsUnreachableError(
                    f"{self._name()}: no answer within {self._access.timeout_s:g} s"
                ) from error
            raise
        finally:
            timer.cancel()

    def _new_pool(self) -> Any:
        access = self._access
        pool = RouterOsApiPool(
            access.address,
            username=access.username,
            password=access.password,
            port=port_of(access),
            # The other way, MD5, is that of releases before 6.43.
            plaintext_login=True,
            ssl_context=_context(access) if access.tls else None,
        )
        pool.set_timeout(access.timeout_s)
        return pool

    def _name(self) -> str:
        return f"RouterOS API of NAS {self._access.nas_id} at {self._access.address} port {port_of(self._access)}"


def port_of(access: ApiAccess) -> int:
    """The port that is meant."""
    return access.port or (TLS_PORT if access.tls else PLAIN_PORT)


class _PinnedContext(ssl.SSLContext):
    """Trusts one certificate, whoever signed it, and says so before a password is sent."""

    fingerprint: bytes = b""

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """The connection, when the other side has that certificate. Raises: RouterOsCertificateError."""
        wrapped = super().wrap_socket(*args, **kwargs)
        shown = hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").digest()
        if not hmac.compare_digest(shown, self.fingerprint):
            wrapped.close()
            raise RouterOsCertificateError(f"the device shows a certificate with the fingerprint {shown.hex()}")
        return wrapped


def _context(access: ApiAccess) -> ssl.SSLContext:
    if access.certificate is None:
        return ssl.create_default_context()
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # No authority is asked: the fingerprint is.
    context.verify_mode = ssl.CERT_NONE
    context.fingerprint = access.certificate
    return context


def _words(error: Any) -> str:
    """The device's own words in a refusal."""
    words = error.original_message
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


def _cut(pool: Any, over: threading.Event) -> None:
    """The time is over: whoever waits in a read gets an error. The library's wrapper has the socket in `.socket.socket`."""
    over.set()
    opened = getattr(pool.socket, "socket", None)
    if opened is not None:
        try:
            opened.shutdown(socket.SHUT_RDWR)
        except OSError:
            # Closed already, which is as good.
            return
