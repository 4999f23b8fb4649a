"""What staff do about e-invoices, by a command or a page, each in the audit log: sent again, accounts switched and let go on, asked whether they answer.

The caller owns the transaction.

Next: by_hand.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.einvoice.outcome import State
from billing.einvoice.remedies import remedies_for
from billing.errors import BillingError
from billing.sentence import Sentence
from billing.store import einvoice_desk as desk
from billing.store import einvoices as store
from billing.store.einvoice_desk import Listed
from billing.store.einvoices import Einvoice, EinvoiceAccount
from billing.store.issuers import Issuer
from control_plane import audit
from control_plane.einvoice import by_hand
from control_plane.einvoice.provider import Description, Health, Provider, provider_for
from control_plane.einvoice.queueing import queue_documents
from control_plane.jobs.einvoices import speaker_of
from control_plane.outward.target import TargetError, read_target
from control_plane.settings import Settings
from radius_hooks.sealing import Sealer, einvoice_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """An account, how many of its documents are in which state, and how many wait for an answer longer than is usual there."""

    account: EinvoiceAccount
    title: str
    states: dict[str, int]
    overdue: int


def load_standings(connection: Connection, *, only_open: bool = False) -> list[AccountStanding]:
    """The accounts by name, as they stand; `only_open` counts no documents that are done with."""
    counts = desk.count_states(connection, only_open=only_open)
    found = []
    for one in store.load_accounts(connection):
        description = provider_for(one.provider).describe()
        late = desk.count_overdue(connection, one.id, pending_for_s=description.manner.pending_for_s)
        found.append(AccountStanding(one, description.name, counts.get(one.id, {}), late))
    return found


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The numbers `first` to `last` that an authority gave for documents of a kind, to be used until a day at the latest."""

    kind: str
    first: int
    last: int
    valid_to: date | None


class UsedRangeError(BillingError):
    """The range lies before a number that is used: `last_number`."""

    def __init__(self, last_number: int) -> None:
        super().__init__(Sentence("numbers up to %(number)s are used already", number=last_number))
        self.last_number = last_number


def allow_range(connection: Connection, account: EinvoiceAccount, given: NumberRange, *, by: str) -> None:
    """Number an account's documents within what the authority allowed from now on. Raises: UsedRangeError."""
    assert given.first <= given.last, "who asks has looked"
    series = desk.hold_series(connection, account.id)
    used = next((one.last_number for one in series if (one.kind, one.series) == (given.kind, account.series)), 0)
    if given.last <= used:
        raise UsedRangeError(used)
    desk.allow_range(
        *(connection, account.id, given.kind, account.series),
        first=given.first,
        last=given.last,
        valid_to=given.valid_to,
    )
    detail: dict[str, object] = {"kind": given.kind, "series": account.series, "until": given.valid_to}
    detail |= {"first": given.first, "last": given.last}
    audit.append(connection, actor=by, action="einvoice.range", subject=account.name, detail=detail)


def resend_until(one: Listed, account: EinvoiceAccount, *, now: datetime) -> tuple[date | None, bool]:
    """The last day on which a refused e-invoice may be sent again under its number, and whether it is over; None: there is none."""
    zone = ZoneInfo(account.zone)
    manner = provider_for(account.provider).describe().manner
    rejected_on, today = billing_day(one.since, zone), billing_day(now, zone)
    found = remedies_for(State(one.state), manner, rejected_on=rejected_on, today=today)
    return found.until, found.is_late


def send_again(
    connection: Connection, settings: Settings, sealer: Sealer, one: Einvoice, *, label: str, late: bool, by: str
) -> str:
    """Send again or ask at once, as its state has it; says what comes of it. Raises: NotAllowedError."""
    account = store.load_account(connection, one.account_id)
    speaker = speaker_of(connection, settings, account, sealer)
    said = by_hand.retry(connection, account, provider_for(account.provider), speaker, one.id, late=late)
    audit.append(connection, actor=by, action="einvoice.retry", subject=label, detail={"late": late})
    return said


def send_documents(connection: Connection, ids: list[int], *, subject: str, by: str) -> int:
    """Queue documents that were issued before their issuer's account counts, or while it was off; returns how many."""
    count = queue_documents(connection, ids, earlier_too=True)
    audit.append(connection, actor=by, action="einvoice.send", subject=subject, detail={"queued": count})
    return count


class OtherIsOnError(BillingError):
    """Another account of the same issuer is on."""


def switch(connection: Connection, account: EinvoiceAccount, *, enabled: bool, by: str) -> None:
    """Queue, send and ask through an account, or not. Raises: OtherIsOnError."""
    if enabled:
        _demand_only_one_is_on(connection, account.issuer_id, but=account.id)
    desk.switch(connection, account.id, enabled=enabled)
    action = f"einvoice.{'enable' if enabled else 'disable'}"
    audit.append(connection, actor=by, action=action, subject=account.name)


def unblock(connection: Connection, account: EinvoiceAccount, *, new_secret: bool = False, by: str) -> int:
    """Go on with an account of which the authority took nothing, once that is mended; returns how many are sent again."""
    count = desk.unblock(connection, account.id)
    detail = {"was": account.blocked_reason, "sent_again": count, "new_secret": new_secret}
    audit.append(connection, actor=by, action="einvoice.unblock", subject=account.name, detail=detail)
    return count


@dataclass(frozen=True, slots=True)
class NewEinvoiceAccount:
    """An account that is to be: through whom, what that provider has to know, and its private key or password."""

    name: str
    provider: str
    production: bool
    given: Mapping[str, str]
    secret: bytes = field(repr=False)
    series: str
    from_on: date


class AccountNameTakenError(BillingError):
    """There is an account of this name."""


class WrongAccountSettingError(BillingError):
    """What a provider has to know is missing, or can't be used; `why` is None for what is missing."""

    def __init__(self, key: str, message: str, why: Sentence | None = None) -> None:
        super().__init__(message)
        self.key, self.why = key, why


class WrongAccountSecretError(BillingError):
    """A key or password that the provider can't be spoken to with."""


def open_account(
    connection: Connection, settings: Settings, sealer: Sealer, new: NewEinvoiceAccount, issuer: Issuer, *, by: str
) -> None:
    """Make an account: what its issuer issues from its day on goes to the authority.

    Raises: AccountNameTakenError, OtherIsOnError, WrongAccountSettingError, WrongAccountSecretError.
    """
    _demand_only_one_is_on(connection, issuer.id)
    if any(one.name == new.name for one in store.load_accounts(connection)):
        raise AccountNameTakenError(f"there is an account {new.name!r} already")
    found = provider_for(new.provider)
    given = _given(new.given, found.describe(), settings)
    _demand_secret(found, new.secret)
    number = desk.take_account_id(connection)
    desk.add_account(
        connection,
        number,
        issuer_id=issuer.id,
        name=new.name,
        provider=new.provider,
        environment="production" if new.production else "test",
        settings=given,
        sealed=sealer.seal(new.secret, row=einvoice_row(number)),
        series=new.series,
        from_on=new.from_on,
        by=by,
    )
    detail = {"provider": new.provider, "issuer": issuer.name, "production": new.production, "series": new.series}
    audit.append(connection, actor=by, action="einvoice.account", subject=new.name, detail=detail)


def renew_secret(connection: Connection, sealer: Sealer, account: EinvoiceAccount, secret: bytes, *, by: str) -> int:
    """Sign or log in with this from now on, and go on where the authority took nothing; how many are sent again. Raises: WrongAccountSecretError."""
    _demand_secret(provider_for(account.provider), secret)
    desk.change_secret(connection, account.id, sealed=sealer.seal(secret, row=einvoice_row(account.id)))
    return unblock(connection, account, new_secret=True, by=by)


def _demand_only_one_is_on(connection: Connection, issuer_id: int, *, but: int | None = None) -> None:
    others = store.load_accounts(connection, only_enabled=True)
    if other := next((one for one in others if one.issuer_id == issuer_id and one.id != but), None):
        raise OtherIsOnError(f"account {other.name} of the same issuer is on: `corrente einvoice disable {other.name}`")


def _given(given: Mapping[str, str], description: Description, settings: Settings) -> dict[str, str]:
    for key, what in description.settings.items():
        if not given.get(key):
            raise WrongAccountSettingError(key, f"{description.name} needs {key}: {what}")
    try:
        if "url" in given:
            read_target(given["url"], allow_private=settings.einvoice.allow_private_addresses)
    except TargetError as error:
        hint = "[einvoice] allow_private_addresses lets a test authority be nearby"
        raise WrongAccountSettingError("url", f"{error}; {hint}", error.why) from error
    return {key: given[key] for key in description.settings}


def _demand_secret(provider: Provider, secret: bytes) -> None:
    if fault := provider.check_secret(secret):
        raise WrongAccountSecretError(f"{fault}; expected {provider.describe().signs_with}")


def check(connection: Connection, settings: Settings, sealer: Sealer, account: EinvoiceAccount) -> Health:
    """Whether the authority answers and takes the account's login. Commits first: no transaction is open while somebody else's server is waited for."""
    speaker = speaker_of(connection, settings, account, sealer)
    connection.commit()
    return provider_for(account.provider).check(speaker)
