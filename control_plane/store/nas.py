"""Access devices in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.store.changes import next_id, save_changes
from radius_hooks.sealing import Sealer, nas_api_row, nas_coa_row, nas_row, nas_ssh_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Nas:
    """One access device or group of them, without its secrets. `live_sessions` are those not stale."""

    id: int
    name: str
    source: IPv4Network | IPv6Network
    identifier: str | None
    vendor: str
    require_message_authenticator: bool
    realms: list[str]
    coa_address: IPv4Address | IPv6Address | None
    coa_port: int
    has_coa_secret: bool
    verification: str
    swap_octets: bool
    site: str | None
    enabled: bool
    booted_at: datetime | None
    live_sessions: int
    bound_accounts: int
    coa_source: IPv4Address | IPv6Address | None
    coa_message_authenticator: bool
    coa_event_timestamp: bool
    coa_window: int
    coa_rate_per_s: int
    api_address: IPv4Address | IPv6Address | None
    api_port: int | None
    api_tls: bool
    api_certificate: str | None
    api_login: str
    api_username: str | None
    ssh_address: IPv4Address | IPv6Address | None
    ssh_port: int
    ssh_username: str | None
    ssh_host_key: str | None

    @property
    def command_line_address(self) -> IPv4Address | IPv6Address | None:
        """Where its command line is; None: it stands for many devices."""
        own = self.source.network_address if self.source.prefixlen == self.source.max_prefixlen else None
        return self.ssh_address or self.coa_address or own


# Told from indexes alone: whether a session is silent stands in its row, and 5,000 rows that nobody has read for long are a second.
_LIVE: Final = "((SELECT count(*) FROM session v WHERE v.nas_id = n.id) - (SELECT count(*) FROM session v WHERE v.nas_id = n.id AND v.stale))"
_NASES: Final = f"""
SELECT n.id, n.name, n.source, n.identifier, n.vendor, n.require_message_authenticator, n.realms, n.coa_address, n.coa_port,
    n.sealed_coa_secret IS NOT NULL AS has_coa_secret, n.verification::text, n.swap_octets, s.name AS site, n.enabled,
    n.booted_at, {_LIVE} AS live_sessions,
    (SELECT count(*) FROM subscriber_account a WHERE a.nas_ids @> ARRAY[n.id] AND a.nas_ids <> '{{}}') AS bound_accounts,
    n.coa_source, n.coa_message_authenticator, n.coa_event_timestamp, n.coa_window, n.coa_rate_per_s,
    n.api_address, n.api_port, n.api_tls, encode(n.api_certificate, 'hex') AS api_certificate, n.api_login, n.api_username,
    n.ssh_address, n.ssh_port, n.ssh_username, n.ssh_host_key
FROM nas n LEFT JOIN site s ON s.id = n.site_id
"""  # noqa: S608 - made of the constant
_LOOKED_AT: Final = _NASES.replace(
    _LIVE,
    "coalesce((SELECT w.sessions FROM nas_word w WHERE w.nas_id = n.id), 0)",
)


def load_nases(connection: Connection) -> list[Nas]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Nas)) as cursor:
        return cursor.execute(_NASES + "ORDER BY n.name").fetchall()


def load_nas_vendors(connection: Connection) -> dict[str, str]:
    """Each one's vendor by its name, in order of names: for lists to choose from, which need no count of sessions."""
    return dict(connection.execute("SELECT name, vendor FROM nas ORDER BY name").fetchall())


def load_nas_enabled(connection: Connection) -> dict[str, bool]:
    """Whether each is enabled, by its name, in order of names."""
    return dict(connection.execute("SELECT name, enabled FROM nas ORDER BY name").fetchall())


def load_nas(connection: Connection, name: str) -> Nas | None:
    """The one of that name."""
    with connection.cursor(row_factory=class_row(Nas)) as cursor:
        return cursor.execute(_NASES + "WHERE n.name = %s", (name,)).fetchone()


def look_at_nas(connection: Connection, name: str) -> Nas | None:
    """The same with its sessions as a job counts them each minute: not to be asked with before something hurts."""
    with connection.cursor(row_factory=class_row(Nas)) as cursor:
        return cursor.execute(_LOOKED_AT + "WHERE n.name = %s", (name,)).fetchone()


def hold_nas(connection: Connection, name: str) -> None:
    """Nobody else changes that one until the caller commits: whoever reads it next reads what is changed."""
    connection.execute("SELECT FROM nas WHERE name = %s FOR UPDATE", (name,))


def save_new_nas(
    connection: Connection,
    sealer: Sealer,
    values: Mapping[str, object],
    *,
    secret: bytes,
    coa_secret: bytes | None,
    api_password: bytes | None = None,
    ssh_password: bytes | None = None,
) -> int:
    """Write one with these columns, its secrets sealed; returns its number."""
    nas_id = next_id(connection, "nas")
    connection.execute(
        "INSERT INTO nas (id, name, source, vendor, sealed_secret) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s)",
        (nas_id, values["name"], values["source"], values["vendor"], sealer.seal(secret, row=nas_row(nas_id))),
    )
    rest = {name: value for name, value in values.items() if name not in ("name", "source", "vendor")}
    if coa_secret is not None:
        rest["sealed_coa_secret"] = sealer.seal(coa_secret, row=nas_coa_row(nas_id))
    rest.update(sealed_api_password(sealer, nas_id, api_password))
    rest.update(sealed_ssh_password(sealer, nas_id, ssh_password))
    save_changes(connection, "nas", nas_id, rest)
    return nas_id


def save_nas_secret(connection: Connection, sealer: Sealer, nas_id: int, secret: bytes) -> None:
    """Replace the RADIUS secret."""
    save_changes(connection, "nas", nas_id, {"sealed_secret": sealer.seal(secret, row=nas_row(nas_id))})


def save_nas_coa_secret(connection: Connection, sealer: Sealer, nas_id: int, secret: bytes) -> None:
    """Replace the CoA secret."""
    save_changes(connection, "nas", nas_id, {"sealed_coa_secret": sealer.seal(secret, row=nas_coa_row(nas_id))})


def sealed_api_password(sealer: Sealer, nas_id: int, password: bytes | None) -> dict[str, object]:
    """The column with the password of the API access: written beside its username, for neither stands alone."""
    return {} if password is None else {"sealed_api_password": sealer.seal(password, row=nas_api_row(nas_id))}


def sealed_ssh_password(sealer: Sealer, nas_id: int, password: bytes | None) -> dict[str, object]:
    """The column with the password of the command line: written beside its username, for neither stands alone."""
    return {} if password is None else {"sealed_ssh_password": sealer.seal(password, row=nas_ssh_row(nas_id))}


def load_or_save_site(connection: Connection, name: str) -> int:
    """The number of the site of that name, made when there is none."""
    connection.execute("INSERT INTO site (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", (name,))
    row = connection.execute("SELECT id FROM site WHERE name = %s", (name,)).fetchone()
    assert row is not None
    return int(row[0])
