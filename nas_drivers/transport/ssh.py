"""One device by its command line over SSH: lines typed, answers read. Alone in importing netmiko and paramiko.

    with SshDevice(access) as device:
        listed = device.ask("show subscriber session username anna")
        device.type_steps((CliStep("clear subscriber session uid 7", question="confirm"),))

Nothing is typed before the device has shown the one host key that a person confirmed. Blocking. Of a device one connection at
a time: the next waits for its turn. Every call has a time limit of its own, and several may have one together: kept by cutting
the connection, whatever the device sends meanwhile. After any error the connection is closed; the next call opens another. What it logs has no password in it, for it
logs nothing: who calls keeps the commands and the answers.

Source: RFC 4253 section 7 (host keys); netmiko 4.8.0; paramiko 5.1.0.
Next: screen.py
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, Final

import paramiko
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoBaseException
from netmiko.ssh_dispatcher import CLASS_MAPPER

from nas_drivers.cli_dialect import CliStep
from nas_drivers.errors import NasError
from nas_drivers.transport.screen import answer_of, asks, is_pager, last_line, prompt_pattern, without_prompt
from nas_drivers.transport.ssh_access import DEFAULT_TIMEOUT_S, SSH_PORT, SshAccess

# A list of 10,000 sessions has about 2 million characters; what has more is no list.
_SHOWN_MAX: Final = 32_000_000
_POLL_S: Final = 0.02
# A line that looks like the prompt is one when nothing follows it.
_SETTLED_S: Final = 0.06
_HIDDEN: Final = "********"
_KEY: Final = re.compile(r"[a-z0-9@.-]{1,64} [A-Za-z0-9+/]{16,8192}={0,2}")

# Both libraries tell the root logger of every exception, and of each line that they send.
for _name in ("paramiko", "netmiko"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False

_turns: defaultdict[tuple[str, int], threading.Lock] = defaultdict(threading.Lock)


class SshError(NasError):
    """The command line of a device can't be used; the message names the device and what to do."""


class SshUnreachableError(SshError):
    """No connection, a connection that broke, or no prompt in time."""

    retryable = True


class SshPromptError(SshUnreachableError):
    """Somebody answers and lets us in, and shows no prompt that a device of the vendor would."""


class SshLoginError(SshError):
    """User or password are not right."""


class SshHostKeyError(SshError):
    """The device shows another host key than the one that was confirmed; nothing was sent to it."""


class _OverError(Exception):
    """The call's time is over, or the device shows more than anything has to show."""


def fingerprint_of(host_key: str) -> str:
    """The fingerprint as OpenSSH and most devices show it, SHA256:… Raises: ValueError for what is no key."""
    if _KEY.fullmatch(host_key) is None:
        raise ValueError(f"{host_key[:80]!r} is no host key")
    try:
        octets = base64.b64decode(host_key.split(" ")[1], validate=True)
    except binascii.Error as error:
        raise ValueError(f"{host_key[:80]!r} is no host key") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(octets).digest()).decode().rstrip("=")


def read_offered_key(address: str, port: int = SSH_PORT, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
    """The host key that a device shows to anybody, as it stands in known_hosts; nobody logs in. Raises: SshError."""
    name = f"SSH at {address} port {port}"
    opened = _connected(address, port, timeout_s, name)
    over = threading.Event()
    timer = _timer(timeout_s, opened, over)
    transport: Any = None
    try:
        transport = paramiko.Transport(opened)
        transport.start_client(timeout=timeout_s)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        words = f"no answer within {timeout_s:g} s" if over.is_set() else str(error) or type(error).__name__
        raise SshUnreachableError(f"{name}: {words}") from error
    finally:
        timer.cancel()
        if transport is not None:
            transport.close()
        opened.close()
    return _text_of(key)


class SshDevice:
    """A connection that is opened when it is needed."""

    def __init__(self, access: SshAccess, *, whole_s: float | None = None) -> None:
        """`whole_s`: seconds from now that all calls together may take, where several steps are one call to who waits."""
        self._access, self._whole_s = access, whole_s
        self._ends = float("inf") if whole_s is None else time.monotonic() + whole_s
        self._connection: Any = None
        self._socket: socket.socket | None = None
        self._turn: threading.Lock | None = None

    def __enter__(self) -> SshDevice:
        """Opens nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        connection, opened, turn = self._connection, self._socket, self._turn
        self._connection = self._socket = self._turn = None
        if connection is not None and connection.remote_conn_pre is not None:
            connection.remote_conn_pre.close()
        if opened is not None:
            opened.close()
        if turn is not None:
            turn.release()

    def ask(self, command: str) -> str:
        """What the device answers to one command, without echo and prompt. Raises: SshError."""
        return self.type_steps((CliStep(command),))[0]

    def type_steps(self, steps: Sequence[CliStep]) -> tuple[str, ...]:
        """Type one line after the other, each when the prompt is back; the answers. Raises: SshError.

        A device may have obeyed a line that it gave no prompt after.
        """
        with self._limited() as connection:
            return tuple(self._hidden(self._typed(connection, step)) for step in steps)

    def _typed(self, connection: Any, step: CliStep) -> str:
        """One line and its answer: pages are turned, and the question that was foreseen is answered, once."""
        is_prompt = partial(_is_prompt, usual=prompt_pattern(connection.base_prompt), other=step.prompt)
        connection.read_channel()  # what stands there still is no answer to this
        connection.write_channel(step.command + connection.RETURN)
        shown, answered, quiet_since = "", step.question is None, 0.0
        while True:
            new = connection.read_channel()
            shown += new
            if new or not quiet_since:
                quiet_since = time.monotonic()
            connection.waits_with = line = last_line(shown)
            behind = answer_of(shown, step.command) if _may_be_over(line) else None
            if is_pager(line) and behind is not None:
                connection.write_channel(" ")
                shown = shown[: shown.rfind("\n") + 1]
            elif behind is not None and not answered and step.question is not None and asks(behind, step.question):
                connection.write_channel(step.answer + connection.RETURN)
                answered = True
            elif behind is not None and is_prompt(line) and time.monotonic() - quiet_since >= _SETTLED_S:
                return without_prompt(behind)
            time.sleep(_POLL_S)

    @contextmanager
    def _limited(self) -> Iterator[Any]:
        """The connection, opened and used within the time limit. Raises: SshError."""
        access = self._access
        until = min(time.monotonic() + access.timeout_s, self._ends)
        over = threading.Event()
        timer: threading.Timer | None = None
        try:
            if self._turn is None:
                self._take_turn(until)
            if self._socket is None:
                self._socket = _connected(access.address, access.port, until - time.monotonic(), self._name())
            timer = _timer(max(0.0, until - time.monotonic()), self._socket, over)
            if self._connection is None:
                self._connection = self._new_connection(until)
                self._connection._open()
            connection = self._connection
            connection.until, connection.shown = until, 0
            if not connection.base_prompt.strip():
                raise SshPromptError(f"{self._name()}: it shows no prompt")
            yield connection
        except SshError:
            self.close()
            raise
        except Exception as error:
            # The libraries let through what they stumble over in a broken answer.
            found = self._error(error, is_over=over.is_set() or time.monotonic() >= until)
            self.close()
            raise found from error
        finally:
            if timer is not None:
                timer.cancel()

    def _take_turn(self, until: float) -> None:
        access = self._access
        turn = _turns[access.address, access.port]
        if not turn.acquire(timeout=max(0.0, until - time.monotonic())):
            raise SshUnreachableError(f"{self._name()}: its one connection was not free {self._limit()}")
        self._turn = turn

    def _error(self, error: Exception, *, is_over: bool) -> SshError:
        """What befell a call, in words for a person."""
        shown = error.__context__ if isinstance(error.__context__, paramiko.BadHostKeyException) else error
        if isinstance(shown, paramiko.BadHostKeyException):
            offered, trusted = (fingerprint_of(_text_of(key)) for key in (shown.key, shown.expected_key))
            return SshHostKeyError(
                f"{self._name()}: the device shows host key {offered}, and {trusted} is the one that was confirmed; if its key "
                f"was changed on purpose: corrente nas host-key {self._access.nas_name or 'NAME'}"
            )
        waits = self._hidden(getattr(self._connection, "waits_with", ""))
        if isinstance(error, NetmikoAuthenticationException) and not is_over:
            return SshLoginError(f"{self._name()}: login refused for user {self._access.username}")
        if is_over:
            left = f"; it waits with {waits!r}" if waits else ""
            return SshPromptError(f"{self._name()}: no prompt {self._limit()}{left}")
        words = str(error).strip() or type(error).__name__
        if isinstance(error, NetmikoBaseException):
            words = " ".join(words.split())[:300]
        return SshUnreachableError(f"{self._name()}: {self._hidden(words)}")

    def _new_connection(self, until: float) -> Any:
        access = self._access
        if access.device_type not in CLASS_MAPPER:
            raise SshError(f"{self._name()}: there is no device type {access.device_type!r}")
        limit_s = access.timeout_s
        connection = _pinned(CLASS_MAPPER[access.device_type])(
            host=access.address,
            port=access.port,
            username=access.username,
            password=access.password,
            device_type=access.device_type,
            sock=self._socket,
            auto_connect=False,
            ssh_strict=True,
            conn_timeout=limit_s,
            auth_timeout=limit_s,
            banner_timeout=limit_s,
            blocking_timeout=limit_s,
            read_timeout_override=limit_s,
        )
        connection.until, connection.trusted = until, access.host_key
        return connection

    def _limit(self) -> str:
        """The limit that a call ran into, in words."""
        if time.monotonic() >= self._ends:
            return f"within the {self._whole_s:g} s that all steps have together"
        return f"within {self._access.timeout_s:g} s"

    def _hidden(self, text: str) -> str:
        """Whatever a device echoes, the password is not kept."""
        return text.replace(self._access.password, _HIDDEN) if self._access.password else text

    def _name(self) -> str:
        return f"SSH of NAS {self._access.nas_name or self._access.nas_id} at {self._access.address} port {self._access.port}"


@lru_cache(maxsize=64)
def _pinned(kind: Any) -> Any:
    """netmiko's class for a device type, which trusts one key, and whose reads end when the call's time is over."""

    class Pinned(kind):  # type: ignore[misc]  # any of netmiko's classes
        until = 0.0
        trusted = ""
        shown = 0
        waits_with = ""

        def _build_ssh_client(self) -> Any:
            client = super()._build_ssh_client()
            key_type, octets = self.trusted.split(" ")
            key = paramiko.PKey.from_type_string(key_type, base64.b64decode(octets))
            name = self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"
            client.get_host_keys().add(name, key_type, key)
            return client

        def read_channel(self) -> str:
            if time.monotonic() >= self.until:
                raise _OverError
            new: str = super().read_channel()
            self.shown += len(new)
            if self.shown > _SHOWN_MAX:
                raise _OverError(f"it shows more than {_SHOWN_MAX} characters")
            if not new and self.remote_conn.closed and not self.remote_conn.recv_ready():
                raise EOFError("the device closed the connection")
            return new

    return Pinned


def _may_be_over(line: str) -> bool:
    """Whether the device may wait for us: the cursor stands behind something."""
    return bool(line.strip())


def _is_prompt(line: str, *, usual: re.Pattern[str], other: str | None) -> bool:
    return usual.fullmatch(line) is not None or (other is not None and re.search(other, line) is not None)


def _connected(address: str, port: int, timeout_s: float, name: str) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=max(0.001, timeout_s))
    except OSError as error:
        raise SshUnreachableError(f"{name}: {error}") from error


def _timer(timeout_s: float, opened: socket.socket, over: threading.Event) -> threading.Timer:
    timer = threading.Timer(timeout_s, _cut, (opened, over))
    timer.daemon = True
    timer.start()
    return timer


def _cut(opened: socket.socket, over: threading.Event) -> None:
    """The time is over: whoever waits in a read gets an error."""
    over.set()
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed already, which is as good.
        return


def _text_of(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"
