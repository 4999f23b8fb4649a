"""Access devices: which there are and how each is doing, a new one, what is set of one, its secrets, in and out of service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.made_secrets import is_storable
from control_plane.nas_standing import Standing
from control_plane.nases import (
    NasNameTakenError,
    NasRefusedError,
    NasSecrets,
    NasSourceOverlapsError,
    add_nas_with_access,
    change_nas,
    change_secret,
    gone_with_user,
    lacking_in_access,
    set_in_service,
    settings_of,
)
from control_plane.quantities import QuantityError, network_text, read_device_address, read_device_source
from control_plane.store.device_views import load_reading
from control_plane.store.interventions import load_open
from control_plane.store.nas import Nas, hold_nas, load_nas, load_or_save_site
from control_plane.store.nas_list import NasNow, load_nas_now, load_nases_now
from nas_drivers.driver import vendor_names
from web.acting import clock, person
from web.api._changes import given
from web.api._shapes import NO_CONTROL, shaped, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem
from web.sealing import sealer
from web.versions import check_version, tell_version

pages = Noun("nases")
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._][A-Za-z0-9._-]{0,63}$")]
_User = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
_Part = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
_Site = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=NO_CONTROL)]
_Realm = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[^@\s\x00-\x1f\x7f]+$")]
_Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Window = Annotated[int, msgspec.Meta(ge=1, le=256)]
_Rate = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", description="SHA-256")]
# What of a change is an address.
_ADDRESSES: Final = ("coa_address", "coa_source", "api_address", "ssh_address")


class WhichNases(Paging, frozen=True, kw_only=True):
    """Which devices: all that is given must hold. `q` is a part of the name, or the address."""

    q: _Part | None = None
    site: _Site | None = None
    vendor: _Part | None = None
    state: Standing | None = None


class ListedNas(msgspec.Struct, frozen=True):
    """A device as it stands: `down`, `deaf` (it answers no changes), `maintenance`, `up`, `empty`, `unheard` or `off`."""

    name: str
    source: str
    vendor: str
    site: str | None
    state: str
    live_sessions: int
    heard_at: datetime | None
    silent_since: datetime | None


class OneNas(msgspec.Struct, frozen=True):
    """A device: its state, all that is set of it but its secrets, and what waits for it. `list_read_at`: its own list of sessions, `list_problem`
    why it could not be read.
    """

    name: str
    source: str
    vendor: str
    site: str | None
    state: str
    enabled: bool
    live_sessions: int
    bound_accounts: int
    heard_at: datetime | None
    booted_at: datetime | None
    open_changes: int
    list_read_at: datetime | None
    list_problem: str
    identifier: str | None
    realms: list[str]
    require_message_authenticator: bool
    verification: str
    swap_octets: bool
    has_coa_secret: bool
    coa_address: str | None
    coa_port: int
    coa_source: str | None
    coa_message_authenticator: bool
    coa_event_timestamp: bool
    coa_window: int
    coa_rate_per_s: int
    api_address: str | None
    api_port: int | None
    api_tls: bool
    api_certificate: str | None
    api_login: str
    api_username: str | None
    ssh_address: str | None
    ssh_port: int
    ssh_username: str | None
    has_host_key: bool


class NewNas(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device and where it sends from: an address, or a prefix for a group with one secret. Without `secret` a strong one is made; without
    `access_user` there is no user of ours on it. `nested`: its source lies around or inside another's on purpose.
    """

    name: _Name
    source: _Part
    vendor: _Part
    site: _Site | None = None
    require_message_authenticator: bool = True
    nested: bool = False
    secret: _Secret | None = None
    access_user: _User | None = None


class NasChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change names; what it leaves out stays, and what is null goes. With a username its password goes.

    `sure`: it is known that until the device is changed alike, requests from another source are refused.
    """

    name: _Name | msgspec.UnsetType = msgspec.UNSET
    source: _Part | msgspec.UnsetType = msgspec.UNSET
    vendor: _Part | msgspec.UnsetType = msgspec.UNSET
    site: _Site | msgspec.UnsetType | None = msgspec.UNSET
    identifier: _Part | msgspec.UnsetType | None = msgspec.UNSET
    realms: Annotated[list[_Realm], msgspec.Meta(max_length=100)] | msgspec.UnsetType = msgspec.UNSET
    require_message_authenticator: bool | msgspec.UnsetType = msgspec.UNSET
    verification: Literal["accounting", "routeros_api", "cli", "none"] | msgspec.UnsetType = msgspec.UNSET
    swap_octets: bool | msgspec.UnsetType = msgspec.UNSET
    coa_address: _Part | msgspec.UnsetType | None = msgspec.UNSET
    coa_port: _Port | msgspec.UnsetType = msgspec.UNSET
    coa_source: _Part | msgspec.UnsetType | None = msgspec.UNSET
    coa_message_authenticator: bool | msgspec.UnsetType = msgspec.UNSET
    coa_event_timestamp: bool | msgspec.UnsetType = msgspec.UNSET
    coa_window: _Window | msgspec.UnsetType = msgspec.UNSET
    coa_rate_per_s: _Rate | msgspec.UnsetType = msgspec.UNSET
    api_address: _Part | msgspec.UnsetType | None = msgspec.UNSET
    api_port: _Port | msgspec.UnsetType | None = msgspec.UNSET
    api_tls: bool | msgspec.UnsetType = msgspec.UNSET
    api_certificate: _Digest | msgspec.UnsetType | None = msgspec.UNSET
    api_login: Literal["auto", "challenge", "clear"] | msgspec.UnsetType = msgspec.UNSET
    api_username: _Part | msgspec.UnsetType | None = msgspec.UNSET
    ssh_address: _Part | msgspec.UnsetType | None = msgspec.UNSET
    ssh_port: _Port | msgspec.UnsetType = msgspec.UNSET
    ssh_username: _Part | msgspec.UnsetType | None = msgspec.UNSET
    api_password: _Secret | None = None
    ssh_password: _Secret | None = None
    nested: bool = False
    sure: bool = False


class SecretToGive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which: that of RADIUS, that of changes alone, or changes signed with RADIUS's again. Without `secret` a strong one is made."""

    which: Literal["radius", "coa", "coa_none"] = "radius"
    secret: _Secret | None = None


class InService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether its logins are answered."""

    enabled: bool


@pages.call(
    "GET",
    "/nases",
    permission=Permission.NETWORK_SEE,
    asked=WhichNases,
    answers=Slice[ListedNas],
    refusals=(404,),
    does=("nases.show_all",),
)
def show_all(connection: Connection, *, asked: WhichNases) -> Slice[ListedNas]:
    """Access devices and how each is doing, by name."""
    now, after = clock(connection), part_after(asked, str)
    rows = load_nases_now(
        connection,
        now=now,
        q=asked.q,
        site=asked.site,
        vendor=asked.vendor,
        state=asked.state,
        after=after[0] if after else None,
        limit=asked.limit + 1,
    )

    def shown(row: NasNow) -> ListedNas:
        return shaped(ListedNas, row, source=network_text(row.source), state=row.standing(now))

    return slice_of(rows, asked, shown=shown, key=lambda row: (row.name,))


@pages.call(
    "GET",
    "/nases/<name>",
    permission=Permission.NETWORK_SEE,
    answers=OneNas,
    version="told",
    does=("nases.show",),
)
def show(connection: Connection, *, name: str) -> OneNas:
    """One device: its state, what is set of it, and what waits for it."""
    return _told(connection, name)


@pages.call(
    "POST",
    "/nases",
    permission=Permission.NETWORK_CHANGE,
    body=NewNas,
    answers=OneNas,
    status=201,
    version="told",
    does=("nases.new",),
)
def new(connection: Connection, *, body: NewNas) -> OneNas:
    """Add a device; its setup says what to paste on it."""
    source = _source(body.source)
    _check_vendor(body.vendor)
    _check_secret(body.secret, "secret")
    if body.access_user and source.num_addresses > 1:
        raise wrong_value("a group of devices has no user of its own: add each by its address", pointer="/access_user")
    with _refusals():
        add_nas_with_access(
            connection,
            sealer(),
            {
                "name": body.name,
                "source": source,
                "vendor": body.vendor,
                "require_message_authenticator": body.require_message_authenticator,
            },
            site=body.site,
            secret=body.secret,
            access_user=body.access_user,
            nested=body.nested,
            actor=person().name,
        )
    return _told(connection, body.name)


@pages.call(
    "PATCH",
    "/nases/<name>",
    permission=Permission.NETWORK_CHANGE,
    body=NasChange,
    answers=OneNas,
    version="needed",
    does=("nases.edit",),
)
def change(connection: Connection, *, name: str, body: NasChange) -> OneNas:
    """Change what is set of a device."""
    hold_nas(connection, name)
    nas = known(connection, name)
    check_version(settings_of(nas))
    values = _read(given(body), nas)
    there = settings_of(nas)
    secrets = NasSecrets(api_password=values.pop("api_password"), ssh_password=values.pop("ssh_password"))
    nested, sure = values.pop("nested"), values.pop("sure")
    columns = {name: value for name, value in values.items() if value != there[name]}
    if "source" in columns and not sure:
        raise wrong_value(f"its source changes, and it has {nas.live_sessions} live sessions: be sure", pointer="/sure")
    if "site" in columns:
        site = columns.pop("site")
        columns["site_id"] = None if site is None else load_or_save_site(connection, site)
    if columns.get("api_certificate") is not None:
        columns["api_certificate"] = bytes.fromhex(columns["api_certificate"])
    columns |= gone_with_user(columns)
    if columns or secrets != NasSecrets():
        with _refusals():
            change_nas(connection, sealer(), nas, columns, secrets, nested=nested, actor=person().name)
    return _told(connection, values.get("name", name))


@pages.call(
    "POST",
    "/nases/<name>/secret",
    permission=Permission.NETWORK_CHANGE,
    body=SecretToGive,
    answers=None,
    refusals=(404,),
    does=("nases.secret",),
)
def give_secret(connection: Connection, *, name: str, body: SecretToGive) -> None:
    """Give a device another secret: its setup tells it to who says why."""
    _check_secret(body.secret, "secret")
    change_secret(connection, sealer(), known(connection, name), body.which, body.secret, actor=person().name)


@pages.call(
    "POST",
    "/nases/<name>/service",
    permission=Permission.NETWORK_CHANGE,
    body=InService,
    answers=OneNas,
    refusals=(404,),
    does=("nases.service",),
)
def service(connection: Connection, *, name: str, body: InService) -> OneNas:
    """Take a device out of service, or put it in again. Whoever is online stays so, and nothing of its history goes."""
    set_in_service(connection, known(connection, name), enabled=body.enabled, actor=person().name)
    return _told(connection, name)


def known(connection: Connection, name: str) -> Nas:
    """The device that a path names. Raises: Problem."""
    nas = load_nas(connection, name)
    if nas is None:
        raise there_is_none()
    return nas


def _read(values: dict[str, Any], nas: Nas) -> dict[str, Any]:
    """The values of a change as their columns have them. Raises: Problem."""
    if "source" in values:
        values["source"] = _source(values["source"])
    if "vendor" in values:
        _check_vendor(values["vendor"])
    for name in _ADDRESSES:
        if values.get(name) is not None:
            try:
                values[name] = read_device_address(values[name]).network_address
            except QuantityError as error:
                raise wrong_value(str(error), pointer=f"/{name}") from error
    for by, had in (("api", nas.api_username), ("ssh", nas.ssh_username)):
        password = values[f"{by}_password"]
        _check_secret(password, f"{by}_password")
        lacks = lacking_in_access(values.get(f"{by}_username", had), password, had=had)
        if lacks is not None:
            field = "password" if lacks == "password" else "username"
            raise wrong_value("a user and a password need each other", pointer=f"/{by}_{field}")
    return values


def _source(text: str) -> Any:
    try:
        return read_device_source(text)
    except QuantityError as error:
        raise wrong_value(str(error), pointer="/source") from error


def _check_vendor(vendor: str) -> None:
    if vendor not in vendor_names():
        raise wrong_value(f"one of {', '.join(sorted(vendor_names()))}", pointer="/vendor")


def _check_secret(secret: str | None, field: str) -> None:
    if secret is not None and not is_storable(secret):
        raise wrong_value("at most 253 printable octets", pointer=f"/{field}")


@contextmanager
def _refusals() -> Iterator[None]:
    """What a device can't be is answered: at the field where it is one, else as a state."""
    try:
        yield
    except NasNameTakenError as error:
        raise Problem(409, str(error)) from error
    except NasSourceOverlapsError as error:
        raise wrong_value(str(error), pointer="/nested") from error
    except NasRefusedError as error:
        raise Problem(409, str(error)) from error


def _told(connection: Connection, name: str) -> OneNas:
    nas = known(connection, name)
    now = clock(connection)
    state, reading = load_nas_now(connection, nas.id, now=now), load_reading(connection, nas.id)
    waiting = load_open(connection, nas.id)
    tell_version(settings_of(nas))
    return shaped(
        OneNas,
        nas,
        source=network_text(nas.source),
        state=state.standing(now),
        heard_at=state.heard_at,
        open_changes=waiting.milder + waiting.disruptive,
        list_read_at=reading.read_at if reading else None,
        list_problem=reading.problem if reading else "",
        has_host_key=nas.ssh_host_key is not None,
    )
