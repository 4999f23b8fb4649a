"""Payment gateways: accounts with providers, added, changed and tried; and what is due to be debited. Keys go in and never come out."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from billing.store.gateways import GatewayAccount, load_gateway_accounts
from billing.store.issuers import load_issuers
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from control_plane.gateways.provider import GatewayError, provider_names
from control_plane.settings import SettingsError
from radius_hooks.sealing import SealError
from web.acting import clock, person
from web.api._shapes import Amount, Number, amount_of, there_is_none
from web.calls import Noun
from web.database import Connection
from web.problems import Problem, Wrong
from web.surroundings import here

pages = Noun("gateways")
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
_Address = Annotated[str, msgspec.Meta(min_length=8, max_length=500, pattern=r"^https?://[!-~]+$")]
_Days = Annotated[int, msgspec.Meta(ge=0, le=30)]


class Gateway(msgspec.Struct, frozen=True):
    """An account with a provider. `notices` follows your address: there the provider sends its notices."""

    name: str
    provider: str
    issuer_id: int
    live: bool
    enabled: bool
    method: str
    return_url: str | None
    pages_since: date | None
    debits_since: date | None
    debit_days: int
    notices: str
    problem: str


class Gateways(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[Gateway]


class GatewayToAdd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another account. Its key is not tried by this: ask `check` then."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    provider: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    issuer_id: Number
    secret: _Key
    webhook_secret: _Key
    live: bool = False
    return_url: _Address | None = None


class GatewayChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account is to be; keys that are not given stay."""

    enabled: bool
    debit_days: _Days
    return_url: _Address | None = None
    pages_since: date | None = None
    debits_since: date | None = None
    secret: _Key | None = None
    webhook_secret: _Key | None = None


class GatewaySaid(msgspec.Struct, frozen=True):
    """Whether the provider takes the key, in its words."""

    works: bool
    text: str


class DueQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """How many days ahead."""

    days: Annotated[int, msgspec.Meta(ge=0, le=60)] = 1


class DueDebit(msgspec.Struct, frozen=True):
    """A debit that is to be asked for by itself, or with `why` one that is left out; `due_on` is null then."""

    document: str
    customer_id: int
    account: str
    amount: Amount
    due_on: date | None
    why: str | None


class DueDebits(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[DueDebit]


@pages.call(
    "GET",
    "/gateways",
    permission=Permission.GATEWAY_SEE,
    answers=Gateways,
    does=("gateways.show_list",),
)
def find(connection: Connection) -> Gateways:
    """The accounts with providers."""
    return Gateways([_shown(one) for one in load_gateway_accounts(connection)])


@pages.call(
    "POST",
    "/gateways",
    permission=Permission.GATEWAY_CHANGE,
    body=GatewayToAdd,
    answers=Gateway,
    status=201,
    refusals=(409, 503),
    does=("gateways.new",),
)
def add(connection: Connection, *, body: GatewayToAdd) -> Gateway:
    """Add an account, its keys sealed."""
    issuer = next((one for one in load_issuers(connection) if one.id == body.issuer_id), None)
    if issuer is None:
        raise Problem(422, "A value is refused.", Wrong("there is no such issuer", pointer="/issuer_id"))
    if body.provider not in provider_names():
        known = ", ".join(provider_names())
        raise Problem(422, "A value is refused.", Wrong(f"there are {known}", pointer="/provider"))
    new = office.NewAccount(body.name, body.provider, body.live, body.name.replace("-", "_"), body.return_url)
    try:
        return _shown(
            office.add(
                connection,
                here().settings,
                new,
                issuer,
                secret=body.secret,
                signing=body.webhook_secret,
                by=person().name,
            )
        )
    except office.NameTakenError as error:
        raise Problem(409, "There is an account of this name.") from error
    except (SettingsError, SealError) as error:
        raise Problem(503, "This process was given no key: see corrente check.") from error


@pages.call(
    "PUT",
    "/gateways/<name>",
    permission=Permission.GATEWAY_CHANGE,
    body=GatewayChange,
    answers=Gateway,
    refusals=(404, 409, 503),
    does=("gateways.edit",),
)
def change(connection: Connection, *, name: str, body: GatewayChange) -> Gateway:
    """Say what an account is: whether it is used, what it collects by itself, and other keys."""
    columns: dict[str, object] = {
        "enabled": body.enabled,
        "debit_days": body.debit_days,
        "return_url": body.return_url,
        "pages_since": body.pages_since,
        "debits_since": body.debits_since,
    }
    try:
        office.change(
            connection,
            here().settings,
            _known(connection, name),
            columns,
            secret=body.secret,
            signing=body.webhook_secret,
            by=person().name,
        )
    except office.PagesElsewhereError as error:
        raise Problem(409, "Another account makes the pages of this issuer.") from error
    except office.NotOfferedError as error:
        pointer = "/pages_since" if error.kind == "link" else "/debits_since"
        raise Problem(422, "A value is refused.", Wrong("the provider does not do that", pointer=pointer)) from error
    except (SettingsError, SealError) as error:
        raise Problem(503, "This process was given no key: see corrente check.") from error
    return _shown(_known(connection, name))


@pages.call(
    "GET",
    "/gateways/<name>/check",
    permission=Permission.GATEWAY_CHANGE,
    answers=GatewaySaid,
    refusals=(404,),
    does=("gateways.check",),
)
def check(connection: Connection, *, name: str) -> GatewaySaid:
    """Try the account's key, without changing anything at the provider."""
    try:
        return GatewaySaid(True, office.check(connection, here().settings, _known(connection, name)))
    except (office.KeyRefusedError, GatewayError) as error:
        return GatewaySaid(False, str(error))


@pages.call(
    "GET",
    "/gateways/due",
    permission=Permission.GATEWAY_SEE,
    asked=DueQuestion,
    answers=DueDebits,
    does=("gateways.due",),
)
def due(connection: Connection, *, asked: DueQuestion) -> DueDebits:
    """What is debited by itself so many days ahead, and what is left out and why."""
    found = office.load_due(connection, days=asked.days, now=clock(connection))
    rows = [
        DueDebit(
            one.candidate.label,
            one.candidate.customer_id,
            one.candidate.account,
            amount_of(one.amount),
            one.due_on,
            None,
        )
        for one in found.asked
    ]
    rows += [
        DueDebit(
            one.candidate.label,
            one.candidate.customer_id,
            one.candidate.account,
            amount_of(one.candidate.open),
            None,
            str(one.why),
        )
        for one in found.left_out
    ]
    return DueDebits(rows)


def _known(connection: Connection, name: str) -> GatewayAccount:
    found = next((one for one in load_gateway_accounts(connection) if one.name == name), None)
    if found is None:
        raise there_is_none()
    return found


def _shown(one: GatewayAccount) -> Gateway:
    return Gateway(
        name=one.name,
        provider=one.provider,
        issuer_id=one.issuer_id,
        live=one.live,
        enabled=one.enabled,
        method=one.method.code,
        return_url=one.return_url,
        pages_since=one.pages_since,
        debits_since=one.debits_since,
        debit_days=one.debit_days,
        notices=f"/webhooks/{one.token}",
        problem=one.problem,
    )
