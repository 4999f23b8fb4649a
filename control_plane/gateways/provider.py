"""What a payment provider can do, in no provider's words.

A provider is one file in providers/, found by its name. It is pure but for `ask`, which it is given: it says what to send and reads
what came back. What it asks may have been done although nothing came back; that is GatewayUnreachableError, and the caller asks again
under the same key.

Source: latam.md section 10.1 of the reference.

Next: calling.py
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from billing.gateways.events import PaymentEvent
from billing.gateways.payouts import Payout
from billing.money import Money
from billing.payments import MethodKind
from control_plane.gateways import providers


class GatewayError(Exception):
    """A provider can't be used as asked. `retryable`: the same may work later."""

    retryable = False


class GatewayUnreachableError(GatewayError):
    """No usable answer: whether it was done is not known."""

    retryable = True


class GatewayRefusedError(GatewayError):
    """The provider says no: to the credentials, or to what was asked."""


class UnknownProviderError(GatewayError):
    """There is no such provider."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call: `form` or `json` is its body; `key` makes a repeat of it harmless."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] | None = None
    json: object = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, as JSON."""

    status: int
    body: Mapping[str, object]


Ask = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Hint:
    """That something happened: the event's number, what about, which object, when. What it is, is asked."""

    key: str
    topic: str
    ref: str
    happened: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """A notice that the provider signed, with what it hints at that is of any use to us."""

    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A notice that is not the provider's, not of now, or not to be read; `status` is what it is answered."""

    reason: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class MandateTold:
    """How a mandate stands at the provider. `key` is ours, of the page that it was signed on."""

    ref: str
    state: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a hint turned out to be; nothing, when it says nothing that concerns money or mandates."""

    events: tuple[PaymentEvent, ...] = ()
    payouts: tuple[Payout, ...] = ()
    mandates: tuple[MandateTold, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a provider is to do: `kind` is that of schema.sql's presentment_kind.

    `refunded` is what of the payment was given back before; `since` when we wanted it first, for who must look for it; a debit is
    collected on `collect_on`, or as soon as can be.
    """

    kind: str
    key: str
    words: str
    since: datetime
    amount: Money | None = None
    charge_key: str | None = None
    payment_key: str | None = None
    mandate_ref: str | None = None
    return_url: str | None = None
    refunded: Money | None = None
    currency: str = "EUR"
    collect_on: date | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """It is done: the provider's number, and the page that the customer opens. `hint`: what happened by that at once."""

    ref: str
    value: str | None = None
    expires: datetime | None = None
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider will not do it, and says why; asking again helps nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a dry check of the credentials found."""

    works: bool
    words: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a reconciliation file: which payout, what of, how much before fees, the fees."""

    payout_ref: str
    kind: str
    amount: Money
    fee: Money
    payment_key: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a provider needs to know of the account it speaks for."""

    live: bool
    zone: ZoneInfo
    settings: Mapping[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """A payment provider. `signs_time`: its notices carry a time that is signed with them."""

    title: str
    live_url: str
    test_url: str
    method_kind: MethodKind
    returns_days: int | None
    presents: frozenset[str]
    signs_time: bool
    reads_files: bool

    def headers(self, secret: str, request: Request) -> dict[str, str]:
        """The headers that a request is sent with."""
        ...

    def check(self, ask: Ask, context: Context) -> Checked:
        """Whether the credentials are good for what is done here; asks for what changes nothing."""
        ...

    def receive(
        self, secret: str, headers: Mapping[str, str], body: bytes, *, context: Context, now: datetime
    ) -> Verified | Refused:
        """Judge a notice. No side effects; nothing that it says of money is believed. Header names are in lower case."""
        ...

    def fetch(self, ask: Ask, hint: Hint, context: Context) -> Told:
        """Ask what a hint is about."""
        ...

    def present(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | Declined:
        """Have it done; asked again under the same key it is done once."""
        ...

    def find(self, ask: Ask, wanted: Wanted, context: Context) -> Presented | None:
        """Look for what may have been done; None when it was not, or can't be found."""
        ...

    def withdraw(self, ask: Ask, kind: str, ref: str) -> Declined | None:
        """Take a page or a debit back, as long as it can be."""
        ...

    def poll(self, ask: Ask, since: datetime, context: Context) -> Iterator[Hint]:
        """All hints since then, in any order: what notices may have failed to tell."""
        ...

    def read_file(self, content: bytes) -> list[FileRow]:
        """The rows of a reconciliation file. Raises: GatewayError, which names the row."""
        ...


# A provider that sends a page for ever is not followed for ever.
MOST_PAGES: Final = 1000


def provider_names() -> list[str]:
    """All providers there are."""
    return sorted(module.name for module in pkgutil.iter_modules(providers.__path__))


def provider_for(name: str) -> Provider:
    """The provider of that name. Raises: UnknownProviderError."""
    if name not in provider_names():
        raise UnknownProviderError(f"there is no provider {name!r}; there are {', '.join(provider_names())}")
    found: Provider = importlib.import_module(f"control_plane.gateways.providers.{name}").PROVIDER
    return found
