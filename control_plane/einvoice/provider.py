"""What the file of a tax authority provides, and how it is found.

A provider never raises for what an authority says or does not say: a refusal is an Outcome, silence is `unknown` and "ask
first". `prepare` opens nothing: the same document, number and secret give octets that mean the same. Nothing here knows the
database; what has to last (a login) is kept through `Tickets`.

Source: the e-invoice provider interface, "Operations".
Next: work.py
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from billing.einvoice.outcome import Artifact, Manner, Message, Outcome
from billing.errors import BillingError
from billing.shown import ShownDocument
from control_plane.einvoice import providers


class UnknownProviderError(BillingError):
    """No file of that name; the message names those that there are."""


class Tickets(Protocol):
    """Logins that last, kept between runs and workers."""

    def get(self, service: str, *, now: datetime) -> str | None:
        """The login to a service that is still valid."""

    def keep(self, service: str, token: str, *, expires: datetime) -> None:
        """Keep one for everybody."""

    def drop(self, service: str) -> None:
        """The authority takes it no more."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom we speak for, with what secret, and whether private addresses may be called (tests and own networks)."""

    id: int
    name: str
    environment: str
    settings: Mapping[str, str]
    secret: bytes
    tickets: Tickets
    timeout_s: float = 30.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is sent, to the octet. `external_key` names it at the authority; `digest` is its SHA-256."""

    payload: bytes
    media_type: str
    external_key: str
    kind: str
    series: str
    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """Why a document can't be sent as it is, one message a fault."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found: ok, degraded or blocked, in words."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A pushed message read: outcomes by the external key that each speaks of, or why it is not believed."""

    outcomes: tuple[tuple[str, Outcome], ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What an authority is like. `settings` are the keys of an account's settings and `signs_with` what its secret is, each in words."""

    country: str | None
    name: str
    manner: Manner
    settings: Mapping[str, str]
    signs_with: str
    environments: tuple[str, ...] = ("test", "production")
    is_async: bool = False
    checks_series: bool = False
    kinds: tuple[str, ...] = field(default=("invoice", "credit_note"))


class Provider(Protocol):
    """One authority."""

    def describe(self) -> Description:
        """What it is like; the same always."""

    def check_secret(self, secret: bytes) -> str:
        """What is wrong with a secret that was typed; empty when nothing is."""

    def check(self, account: Account) -> Health:
        """Whether it answers and takes our login."""

    def last_number(self, account: Account, kind: str, series: str) -> int | None:
        """The last number that it has of a series; None where it does not say."""

    def prepare(self, account: Account, document: ShownDocument, number: int, series: str) -> Prepared | NotPrepared:
        """Check, build and sign. Opens nothing."""

    def submit(self, account: Account, prepared: Prepared) -> Outcome:
        """Send it, once."""

    def lookup(self, account: Account, prepared: Prepared) -> Outcome:
        """What it has under that key."""

    def cancel(self, account: Account, prepared: Prepared, reason: str) -> Outcome:
        """Ask to have it void."""

    def collect(self, account: Account) -> Sequence[bytes]:
        """Messages that wait there for us, raw; empty where it pushes them or has none."""

    def ingest(self, account: Account, message: bytes) -> Told:
        """Read a message, after checking who wrote it."""

    def artifacts(self, account: Account, prepared: Prepared) -> Sequence[Artifact]:
        """What it gives to keep, once it has accepted."""


_FOLDER: Final = providers.__name__


def provider_names() -> tuple[str, ...]:
    """The files that there are."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(providers.__path__)))


def provider_for(name: str) -> Provider:
    """The provider of that name. Raises: UnknownProviderError."""
    if name not in provider_names():
        raise UnknownProviderError(f"there is no e-invoice provider {name!r}: there are {', '.join(provider_names())}")
    module: Any = importlib.import_module(f"{_FOLDER}.{name}")
    found: Provider = module.PROVIDER
    return found
