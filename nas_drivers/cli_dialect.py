"""What a device's own command line is told and what it answers: the last way to a session, where RADIUS had no effect. Pure.

A vendor file that knows its device's commands holds a CliDialect; transport/ssh.py types them. What reaches a command line
goes through `cli_word` first and is never quoted or escaped into one.

Next: device_setup.py
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from nas_drivers.device_session import DeviceSession
from nas_drivers.errors import NasError
from nas_drivers.policy import SessionIdentity

# Nothing that any command line gives a meaning to: no blank, quote, `?`, `|`, `;`, `{`, `$`, `!`, `#` or line end.
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:/-]{0,63}")
WORD_RULE: Final = (
    "does not fit a command line, which takes 64 letters, digits and . _ @ : / - at most, a letter or digit first"
)


class CliWordError(NasError):
    """A name or an id must not reach a command line; the message names it."""


class CliOutputError(NasError):
    """A device's list can't be read: neither the words of a list nor those of an empty one. Never taken as "no session"."""


@dataclass(frozen=True, slots=True)
class CliStep:
    """One line to type, and what may come before the prompt is back.

    `question` is a pattern of what the device may ask after it, `answer` what it is told then; None: it asks nothing.
    `prompt` is a pattern of the prompt that follows where it is another than before (Huawei's system view).
    """

    command: str
    question: str | None = None
    answer: str = ""
    prompt: str | None = None


class CliDialect(Protocol):
    """The commands of one vendor for one subscriber's session.

    Where the manuals leave a command UNCONFIRMED it is an option of the vendor, or is not known here: None, or no steps.
    """

    @property
    def device_type(self) -> str:
        """netmiko's name of such a device."""

    def show_session(self, identity: SessionIdentity) -> str | None:
        """The command that lists the sessions of a username; None: not known. Raises: CliWordError."""

    def show_all(self) -> str | None:
        """The command that lists every session; None: not known."""

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """What either of the two answered. Raises: CliOutputError for what is neither a list nor "there is none"."""

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """The steps that end one session; none: not known, or not without `found`, what show_session told of it.

        Where the device can only end all sessions of a username, that is what the steps do: the docs page says so.
        Raises: CliWordError.
        """

    def refused(self, output: str) -> str | None:
        """The device's own words when it did not take a command, such as a syntax error; None when it did."""


@runtime_checkable
class CliDetail(Protocol):
    """What a dialect can besides, where show_session does not tell what a session runs under: one more look tells.

    Found by isinstance; a dialect that can names it as its base, so that mypy finds a misspelt method.
    """

    @abstractmethod
    def show_detail(self, found: DeviceSession) -> str:
        """The command that shows one session, as show_session told of it, with its policy. Raises: CliWordError."""

    @abstractmethod
    def read_detail(self, output: str, found: DeviceSession) -> DeviceSession:
        """The same session with its rates or the names of its policies. Raises: CliOutputError for what shows no session."""


def cli_word(text: str, *, what: str) -> str:
    """The name or id, fit for a command line as it stands. Raises: CliWordError that says `what` it is."""
    if not is_cli_word(text):
        raise CliWordError(f"{what} {text!r} {WORD_RULE}")
    return text


def is_cli_word(text: str) -> bool:
    """Whether it may stand on a command line as it is."""
    return _WORD.fullmatch(text) is not None
