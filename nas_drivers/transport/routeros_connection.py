"""One connection to the API of a RouterOS device, logged in: a command, its rows. Alone in importing routeros_api.

Blocking, for one thread at a time. Two time limits are kept whatever the device sends: one for the whole of a call, login included,
and one for each word, so that one who is silent in the middle is given up before the call's time is over. Words and answers have
a greatest length. After any error but a refusal the connection is useless.

Source: RouterOS manual, page API; routeros-api 0.21.0.
Next: routeros_pool.py
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from binascii import unhexlify
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any, Final

from routeros_api.api import RouterOsApi
from routeros_api.api_communicator import ApiCommunicator
from routeros_api.api_socket import set_keepalive
from routeros_api.base_api import decode_length, encode_length
from routeros_api.exceptions import RouterOsApiCommunicationError, RouterOsApiError

from nas_drivers.families.routeros_output import Row
from nas_drivers.transport.routeros_access import (
    ApiAccess,
    LoginWay,
    RouterOsLoginError,
    RouterOsRefusedError,
    RouterOsUnreachableError,
    name_of,
    port_of,
    ways_of,
)
from nas_drivers.transport.routeros_tls import looks_like_tls, wrap

_READ_AT_ONCE: Final = 65_536
# A length of five octets could name 4 GB; a row of what is asked for has some hundred octets.
_LONGEST_WORD: Final = 1_000_000
# Of one answer: 100,000 sessions are about 20 MB, and 800,000 words. A word of one octet takes a hundred here.
_LONGEST_ANSWER: Final = 100_000_000
_MOST_WORDS: Final = 1_000_000
# The kernel asks an idle router whether it is still there: one that has rebooted says no.
_KEEPALIVE_S: Final = 10


@dataclass(frozen=True, slots=True)
class Command:
    """What a path is told; `where`: only of rows that have these values."""

    path: str
    name: str
    arguments: Mapping[str, str]
    where: Mapping[str, str] = field(default_factory=dict)


class RouterOsConnection:
    """Opened and logged in when it is made. `way` is how."""

    def __init__(self, access: ApiAccess, *, until: float, last_way: LoginWay | None = None) -> None:
        """`until` is of time.monotonic(). Raises: RouterOsError."""
        self.access = access
        self._sentences = _Sentences(access, _opened(access, until), until)
        self._api: Any = RouterOsApi(ApiCommunicator(self._sentences))
        try:
            self.way = self._log_in(ways_of(access, last=last_way))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """It is of no use any more."""
        self._sentences.socket.close()

    def is_quiet(self) -> bool:
        """Whether it still stands and says nothing: a device that has ended it, or speaks unasked, is not understood any more."""
        return self._sentences.is_quiet()

    def call(self, command: Command, *, until: float) -> list[Row]:
        """One command and its rows. Raises: RouterOsRefusedError; any other RouterOsError, and then it is closed."""
        self._sentences.begin(until)
        said = f"{name_of(self.access)}: {command.path} {command.name}"
        try:
            resource = self._api.get_resource(command.path)
            return [dict(row) for row in resource.call(command.name, dict(command.arguments), dict(command.where))]
        except RouterOsApiCommunicationError as error:
            raise RouterOsRefusedError(f"{said}: {_words(error)}") from error
        except (RouterOsApiError, OSError, KeyError, ValueError, AssertionError, TypeError) as error:
            # The library lets through what it stumbles over in a broken answer.
            self.close()
            raise RouterOsUnreachableError(f"{said}: {error or type(error).__name__}") from error
        except BaseException:
            # Of our own errors, and of a thread that is ended in the middle: half an answer stays behind.
            self.close()
            raise

    def _log_in(self, ways: tuple[LoginWay, ...]) -> LoginWay:
        """The way that the device took. Raises: RouterOsError."""
        refused = ""
        for way in ways:
            try:
                self._log_in_by(way)
            except RouterOsApiCommunicationError as error:
                refused = _words(error)
            except (RouterOsApiError, KeyError, ValueError, AssertionError, TypeError) as error:
                raise RouterOsUnreachableError(
                    f"{name_of(self.access)}: login: {error or type(error).__name__}"
                ) from error
            except _NoChallengeError:
                refused = (
                    "it offers no challenge, and its password is to go in no other way (--api-login challenge): releases since"
                    " 6.45.1 know none. Use TLS and --api-login auto"
                )
            else:
                return way
        raise RouterOsLoginError(f"{name_of(self.access)}: login refused: {refused}")

    def _log_in_by(self, way: LoginWay) -> None:
        login = self._api.get_binary_resource("/").call
        name = self.access.username.encode()
        password = self.access.password.encode()
        given = {"name": name, "password": password} if way is LoginWay.CLEAR else {}
        challenge = login("login", given).done_message.get("ret")
        if challenge is not None:
            # A release before 6.43 answers a clear password with a challenge, too.
            digest = md5(b"\0" + password + unhexlify(challenge), usedforsecurity=False).hexdigest()
            login("login", {"name": name, "response": b"00" + digest.encode()})
        elif way is LoginWay.CHALLENGE:
            raise _NoChallengeError


class _NoChallengeError(Exception):
    """The device answered a login without a name with nothing to go on with."""


def _opened(access: ApiAccess, until: float) -> socket.socket:
    """A connection within the time. Raises: RouterOsError."""
    try:
        opened = socket.create_connection((access.address, port_of(access)), timeout=_time_for(access, until))
        set_keepalive(opened, after_idle_sec=_KEEPALIVE_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(_time_for(access, until))
    except OSError as error:
        raise RouterOsUnreachableError(f"{name_of(access)}: {error}") from error
    return wrap(opened, access) if access.tls else opened


def _time_for(access: ApiAccess, until: float) -> float:
    left_s = min(until - time.monotonic(), access.silence_s)
    if left_s <= 0:
        raise TimeoutError(f"no answer within {access.timeout_s:g} s")
    return left_s


class _Sentences:
    """What the library speaks through: whole sentences, within the time limits. Raises: RouterOsUnreachableError."""

    def __init__(self, access: ApiAccess, opened: socket.socket, until: float) -> None:
        self.socket = opened
        self._access = access
        self._heard = bytearray()
        self._has_heard = False
        self.begin(until)

    def begin(self, until: float) -> None:
        """A new call: it ends by then."""
        self._until = until
        self._answered = self._words = 0

    def is_quiet(self) -> bool:
        if self._heard or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return False
        asked = select.poll()
        asked.register(self.socket, select.POLLIN | select.POLLPRI)
        return not asked.poll(0)

    def send_sentence(self, words: list[bytes]) -> None:
        """All words at once: each in a packet of its own would wait for the acknowledgement of the one before."""
        sent = b"".join(encode_length(len(word)) + word for word in [*words, b""])
        self._limit(time.monotonic() + self._access.silence_s)
        try:
            self.socket.sendall(sent)
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            raise RouterOsUnreachableError(f"{name_of(self._access)}: {error}") from error

    def receive_sentence(self) -> list[bytes]:
        words: list[bytes] = []
        while word := self._receive_word():
            words.append(word)
        if words and words[0] == b"!fatal":
            said = b" ".join(words[1:]).decode("utf-8", "replace")
            raise RouterOsUnreachableError(f"{name_of(self._access)}: it ended the connection: {said}")
        if words and words[0] == b"!trap" and not any(word.startswith(b"=message=") for word in words):
            words.append(b"=message=refused without a word")
        return words

    def _receive_word(self) -> bytes:
        by = time.monotonic() + self._access.silence_s
        length = decode_length(lambda number: self._take(number, by))
        self._answered += length
        self._words += 1
        if length > _LONGEST_WORD or self._answered > _LONGEST_ANSWER:
            raise RouterOsUnreachableError(
                f"{name_of(self._access)}: an answer of {self._answered} octets or more: that is no list"
            )
        if self._words > _MOST_WORDS:
            raise RouterOsUnreachableError(
                f"{name_of(self._access)}: an answer of {_MOST_WORDS} words or more: that is no list"
            )
        return self._take(length, by)

    def _take(self, number: int, by: float) -> bytes:
        while len(self._heard) < number:
            self._limit(by)
            try:
                octets = self.socket.recv(_READ_AT_ONCE)
            except TimeoutError as error:
                raise self._late() from error
            except ConnectionError as error:
                raise self._over(str(error)) from error
            except OSError as error:
                raise RouterOsUnreachableError(f"{name_of(self._access)}: {error}") from error
            if not octets:
                raise self._over("closed")
            if not self._has_heard and not self._access.tls and looks_like_tls(octets):
                raise RouterOsUnreachableError(
                    f"{name_of(self._access)}: what answers there speaks TLS: use it (--api-tls), or name the port of the service"
                    f" `api`"
                )
            self._has_heard = True
            self._heard += octets
        taken = bytes(self._heard[:number])
        del self._heard[:number]
        return taken

    def _over(self, how: str) -> RouterOsUnreachableError:
        """Why the other side has ended the connection, as far as that can be told."""
        name = name_of(self._access)
        if self._has_heard:
            return RouterOsUnreachableError(f"{name}: the connection was ended in the middle of an answer: {how}")
        tls = "" if self._access.tls else ", and is it the port of api-ssl (--api-tls)?"
        return RouterOsUnreachableError(
            f"{name}: it ended the connection without a word ({how}): does its `/ip service` allow our address{tls or '?'}"
        )

    def _limit(self, by: float) -> None:
        left_s = min(by, self._until) - time.monotonic()
        if left_s <= 0:
            raise self._late()
        self.socket.settimeout(left_s)

    def _late(self) -> RouterOsUnreachableError:
        name, access = name_of(self._access), self._access
        if time.monotonic() >= self._until:
            return RouterOsUnreachableError(f"{name}: no answer within {access.timeout_s:g} s")
        return RouterOsUnreachableError(f"{name}: no answer within {access.silence_s:g} s, the limit for a word")


def _words(error: Any) -> str:
    """The device's own words in a refusal."""
    words = error.original_message
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
