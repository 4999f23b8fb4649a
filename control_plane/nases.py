"""What a person does to an access device's row: adds one, changes it, puts it in or out of service, sees its secrets. Each deed is
in the audit log, in the caller's transaction; a command and a page do it alike.

Next: device_commands.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import psycopg

from control_plane import audit
from control_plane.device_commands import DeviceSecrets, open_secrets
from control_plane.made_secrets import made_nas_secret
from control_plane.quantities import Network, network_text
from control_plane.store.changes import save_changes
from control_plane.store.nas import (
    Nas,
    load_nas,
    load_nases,
    load_or_save_site,
    save_nas_coa_secret,
    save_nas_secret,
    save_new_nas,
    sealed_api_password,
    sealed_ssh_password,
)
from control_plane.store.targets import NasTarget
from nas_drivers.driver import driver_for
from nas_drivers.policy import Method
from radius_hooks.sealing import Sealer

Connection = psycopg.Connection[Any]
WhichSecret = Literal["radius", "coa", "coa_none"]
# What is set of one as it stands in its column; the site, realms and secrets are set beside it.
PLAIN_COLUMNS: Final = (
    "name", "source", "vendor", "identifier", "require_message_authenticator", "verification", "swap_octets", "coa_port",
    "coa_message_authenticator", "coa_event_timestamp", "coa_window", "coa_rate_per_s", "coa_address", "coa_source", "api_address",
    "api_port", "api_tls", "api_login", "api_username", "ssh_address", "ssh_port", "ssh_username",
)  # fmt: skip


class NasRefusedError(ValueError):
    """A NAS is not added or changed like that; the message says why."""


class NasNameTakenError(NasRefusedError):
    """There is one of that `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a NAS {name} already")
        self.name = name


class NasSourceTakenError(NasRefusedError):
    """Another one sends from there. `other` is its name."""

    def __init__(self, source: Network, other: str) -> None:
        super().__init__(f"{network_text(source)} is the source of NAS {other} already")
        self.other = other


class NasSourceOverlapsError(NasRefusedError):
    """Its prefix lies around or inside another's, and nobody said that it is meant. `other` is the other's name."""

    def __init__(self, source: Network, other: Nas) -> None:
        inner, outer = (source, other.source) if source.prefixlen > other.source.prefixlen else (other.source, source)
        super().__init__(
            f"{network_text(source)} overlaps {network_text(other.source)} of NAS {other.name}: requests from "
            f"{network_text(inner)} would use its own secret, the rest of {outer} the other"
        )
        self.other = other.name


@dataclass(frozen=True, slots=True)
class NasSecrets:
    """Secrets in clear that are to be written; None leaves one as it is. `radius` must be there for a new NAS."""

    radius: str | None = field(default=None, repr=False)
    coa: str | None = field(default=None, repr=False)
    api_password: str | None = field(default=None, repr=False)
    ssh_password: str | None = field(default=None, repr=False)


def way_in(vendor: str) -> Literal["api", "ssh"] | None:
    """How a device of the vendor is spoken to beside RADIUS."""
    methods = driver_for(vendor).change_methods(None, None)
    return "api" if Method.ROUTEROS_API in methods else "ssh" if Method.CLI in methods else None


def is_never_answered(vendor: str, *, signed: bool) -> bool:
    """Whether requests of such a device would all be dropped: they must be signed, and it never signs."""
    return signed and driver_for(vendor).inspection.signs is False


def settings_of(nas: Nas) -> dict[str, Any]:
    """All that is set of one but its secrets."""
    plain = {name: getattr(nas, name) for name in PLAIN_COLUMNS}
    return {**plain, "site": nas.site, "realms": nas.realms, "api_certificate": nas.api_certificate}


def gone_with_user(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What goes with a user of the device that these columns take away: its password, and the trusted key of the command line."""
    gone: dict[str, Any] = {}
    if "api_username" in columns and columns["api_username"] is None:
        gone |= {"sealed_api_password": None}
    if "ssh_username" in columns and columns["ssh_username"] is None:
        gone |= {"sealed_ssh_password": None, "ssh_host_key": None}
    return gone


def lacking_in_access(user: str | None, password: str | None, *, had: str | None) -> Literal["user", "password"] | None:
    """What a way in lacks: a new user its password, a password its user. `had` is the user there was."""
    if user and not password and not had:
        return "password"
    return "user" if password and not user else None


def check_source(source: Network, name: str, others: Iterable[Nas], *, nested: bool) -> None:
    """Refuse a prefix that is taken, and one around or inside another's unless that is meant. Raises: NasRefusedError."""
    for other in others:
        if other.name == name or other.source.version != source.version or not other.source.overlaps(source):
            continue
        if other.source == source:
            raise NasSourceTakenError(source, other.name)
        if not nested:
            raise NasSourceOverlapsError(source, other)


def add_nas(
    connection: Connection,
    sealer: Sealer,
    columns: Mapping[str, Any],
    secrets: NasSecrets,
    *,
    nested: bool,
    actor: str,
) -> int:
    """Write a new one with these columns; returns its number. Raises: NasRefusedError."""
    name, source, vendor = columns["name"], columns["source"], columns["vendor"]
    if load_nas(connection, name) is not None:
        raise NasNameTakenError(name)
    check_source(source, name, load_nases(connection), nested=nested)
    nas_id = save_new_nas(
        connection,
        sealer,
        {"coa_port": driver_for(vendor).default_coa_port, **columns},
        secret=(secrets.radius or "").encode(),
        coa_secret=_octets(secrets.coa),
        api_password=_octets(secrets.api_password),
        ssh_password=_octets(secrets.ssh_password),
    )
    audit.append(connection, actor=actor, action="nas.add", subject=name, detail={"source": source, "vendor": vendor})
    return nas_id


def add_nas_with_access(
    connection: Connection,
    sealer: Sealer,
    columns: Mapping[str, Any],
    *,
    site: str | None,
    secret: str | None,
    access_user: str | None,
    nested: bool,
    actor: str,
) -> None:
    """Write a new one with its secret, made here where None is given; `access_user` is one of ours on the device, whose password is made here.

    Raises: NasRefusedError.
    """
    by = way_in(columns["vendor"]) if access_user else None
    more: dict[str, Any] = {} if site is None else {"site_id": load_or_save_site(connection, site)}
    secrets = NasSecrets(
        radius=secret or made_nas_secret(),
        api_password=made_nas_secret() if by == "api" else None,
        ssh_password=made_nas_secret() if by == "ssh" else None,
    )
    if by is not None:
        more[f"{by}_username"] = access_user
    add_nas(connection, sealer, {**columns, **more}, secrets, nested=nested, actor=actor)


def change_nas(
    connection: Connection,
    sealer: Sealer,
    nas: Nas,
    columns: Mapping[str, Any],
    secrets: NasSecrets,
    *,
    nested: bool,
    actor: str,
) -> list[str]:
    """Write what is given, the rest stays; returns the names of what was changed. Raises: NasRefusedError."""
    columns = {
        **columns,
        **sealed_api_password(sealer, nas.id, _octets(secrets.api_password)),
        **sealed_ssh_password(sealer, nas.id, _octets(secrets.ssh_password)),
    }
    if "source" in columns:
        check_source(columns["source"], nas.name, load_nases(connection), nested=nested)
    save_changes(connection, "nas", nas.id, columns)
    changed = [*columns]
    if secrets.radius is not None:
        save_nas_secret(connection, sealer, nas.id, secrets.radius.encode())
        changed.append("secret")
    if secrets.coa is not None:
        save_nas_coa_secret(connection, sealer, nas.id, secrets.coa.encode())
        changed.append("coa_secret")
    audit.append(connection, actor=actor, action="nas.set", subject=nas.name, detail={"changed": changed})
    return changed


def change_secret(
    connection: Connection, sealer: Sealer, nas: Nas, which: WhichSecret, secret: str | None, *, actor: str
) -> None:
    """Give one another secret, made here where None is given; `coa_none`: changes are signed with the RADIUS secret again."""
    given = secret or made_nas_secret()
    columns: dict[str, Any] = {"sealed_coa_secret": None} if which == "coa_none" else {}
    secrets = NasSecrets(radius=given if which == "radius" else None, coa=given if which == "coa" else None)
    change_nas(connection, sealer, nas, columns, secrets, nested=True, actor=actor)


def set_in_service(connection: Connection, nas: Nas, *, enabled: bool, actor: str) -> None:
    """Answer it, or answer it no more; nothing of its history goes."""
    save_changes(connection, "nas", nas.id, {"enabled": enabled})
    audit.append(connection, actor=actor, action="nas.enable" if enabled else "nas.disable", subject=nas.name)


def reveal_secrets(connection: Connection, nas: NasTarget, sealer: Sealer, *, reason: str, actor: str) -> DeviceSecrets:
    """Its secrets in clear; who saw them and why is written down. Show them after the commit alone. Raises: SealError."""
    shown = open_secrets(nas, sealer)
    audit.append(connection, actor=actor, action="nas.reveal_secret", subject=nas.name, detail={"reason": reason})
    return shown


def trust_host_key(connection: Connection, nas: Nas, line: str, *, shown: str, before: str | None, actor: str) -> None:
    """From now on its command line is known by this key. `shown` and `before` are fingerprints."""
    save_changes(connection, "nas", nas.id, {"ssh_host_key": line})
    audit.append(
        connection, actor=actor, action="nas.host_key", subject=nas.name, detail={"trusted": shown, "before": before}
    )


def _octets(secret: str | None) -> bytes | None:
    return None if secret is None else secret.encode()
