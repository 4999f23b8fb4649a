"""Accounts at tax authorities: made, and given another key. A key goes in and never comes out."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from billing.store.einvoices import load_accounts
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from control_plane.einvoice.provider import provider_names
from web.acting import person
from web.api._shapes import NO_CONTROL, books_of, there_is_none, wrong_value
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.sealing import sealer
from web.surroundings import here

pages = Noun("einvoices", "accounts")
_Secret = Annotated[
    str, msgspec.Meta(min_length=1, max_length=20_000, description="a private key in PEM, or a password")
]
_Given = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=NO_CONTROL)]


class NewEinvoiceAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Through whom an issuer's documents go; `settings` are what that provider has to know. Without a day, from today on."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    provider: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    secret: _Secret
    settings: dict[str, _Given] = {}
    issuer_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    production: bool = False
    series: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9]{1,10}$")] = "A"
    from_on: date | None = None


class AnotherSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed or logged in with from now on."""

    secret: _Secret


class AccountMade(msgspec.Struct, frozen=True):
    """An account that is on."""

    name: str
    provider: str
    environment: str
    from_on: date


class SentAgain(msgspec.Struct, frozen=True):
    """How many documents are sent again."""

    documents: int


@pages.call(
    "POST",
    "/einvoice-accounts",
    permission=Permission.EINVOICE_ACT,
    also=(Permission.SETTING_CHANGE,),
    body=NewEinvoiceAccount,
    answers=AccountMade,
    status=201,
    refusals=(409, 503),
    does=("einvoice_accounts.new",),
)
def new(connection: Connection, *, body: NewEinvoiceAccount) -> AccountMade:
    """Make an account: what its issuer issues from its day on goes to the authority."""
    if body.provider not in provider_names():
        raise wrong_value(f"there are {', '.join(provider_names())}", pointer="/provider")
    books = books_of(connection, body.issuer_id)
    made = office.NewEinvoiceAccount(
        body.name,
        body.provider,
        body.production,
        body.settings,
        body.secret.encode(),
        body.series,
        body.from_on or books.today,
    )
    try:
        office.open_account(connection, here().settings, sealer(), made, books.issuer, by=person().name)
    except office.OtherIsOnError as error:
        raise Problem(409, "Another account of this issuer is on.") from error
    except office.WrongAccountSettingError as error:
        raise wrong_value(str(error), pointer=f"/settings/{error.key}") from error
    except office.WrongAccountSecretError as error:
        raise wrong_value(str(error), pointer="/secret") from error
    return AccountMade(made.name, made.provider, "production" if made.production else "test", made.from_on)


@pages.call(
    "POST",
    "/einvoice-accounts/<name>/secret",
    permission=Permission.EINVOICE_ACT,
    also=(Permission.SETTING_CHANGE,),
    body=AnotherSecret,
    answers=SentAgain,
    refusals=(404, 503),
    does=("einvoice_accounts.secret",),
)
def renew(connection: Connection, *, name: str, body: AnotherSecret) -> SentAgain:
    """Give an account another key or password; where the authority took nothing, it goes on with it."""
    account = next((one for one in load_accounts(connection) if one.name == name), None)
    if account is None:
        raise there_is_none()
    try:
        return SentAgain(office.renew_secret(connection, sealer(), account, body.secret.encode(), by=person().name))
    except office.WrongAccountSecretError as error:
        raise wrong_value(str(error), pointer="/secret") from error
