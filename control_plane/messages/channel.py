"""What a channel is to who sends messages: something that is opened, takes letters one by one, and says what it answered.

A new channel is a file beside this one with a class of this form, and a line in channels.py.

Units: instants are aware.
Next: email_channel.py
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.messages.message import Purpose
from billing.operations.enclosures import File
from billing.store.push_devices import Device


class ChannelError(Exception):
    """The channel can't be used at all at the moment: nothing was sent, everything waits. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it goes out: to whom, in whose name, its text, what goes with it, and what the channel knows it by."""

    message_id: int
    token: str
    purpose: Purpose
    reference: str
    written_at: datetime
    sender_name: str
    reply_to: str | None
    address: str
    address_name: str
    language: str
    subject: str
    body: str
    html: str
    files: tuple[File, ...] = ()
    # Of a notice: the browser, the page that it opens, and until when it is news.
    device: Device | None = None
    page: str = ""
    news: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The next server answers for it now."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. `in_doubt`: the text left and no answer came, so it may have arrived. `wait_s`: the pause that was asked for."""

    reply: str
    in_doubt: bool = False
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Never. `no_such_address`: the address does not exist, for any message."""

    reply: str
    no_such_address: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """Whoever asked to send took it back before the text left."""


Outcome = Sent | Deferred | Refused | NotSent


class Line(Protocol):
    """An open channel. One thread uses it."""

    def send(self, letter: Letter, *, before_text: Callable[[], bool]) -> Outcome:
        """Hand a letter over. `before_text` is called when the other side has taken the address and before the text leaves;
        where it says no, nothing leaves.

        Raises: ChannelError when the channel is gone and nothing of this letter left.
        """
        ...


class Channel(Protocol):
    """A way to reach customers."""

    @property
    def name(self) -> str:
        """As messages name it."""
        ...

    @property
    def per_hour(self) -> int:
        """How many it takes in an hour."""
        ...

    @property
    def per_day(self) -> int:
        """And in a day."""
        ...

    def open(self) -> AbstractContextManager[Line]:
        """Raises: ChannelError."""
        ...

    def reference_for(self, message_id: int, token: str) -> str:
        """What a message is known by here, the same at every attempt."""
        ...
