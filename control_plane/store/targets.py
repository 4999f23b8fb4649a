"""Where and how each NAS is told a change, and what profiles give, as the enforcer needs them. The caller owns the transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns, read_content

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class NasTarget:
    """One NAS as a target. `address` None: its source is a prefix of many, and no CoA address was given."""

    id: int
    name: str
    vendor: str
    address: IPv4Address | IPv6Address | None
    own_address: IPv4Address | IPv6Address | None
    identifier: str | None
    port: int
    source_address: IPv4Address | IPv6Address | None
    message_authenticator: bool
    event_timestamp: bool
    window: int
    rate_per_s: int
    sealed_secret: bytes
    sealed_coa_secret: bytes | None
    verification: str
    api_address: IPv4Address | IPv6Address | None
    api_port: int | None
    api_tls: bool
    api_certificate: bytes | None
    api_login: str
    api_username: str | None
    sealed_api_password: bytes | None
    ssh_address: IPv4Address | IPv6Address | None
    ssh_port: int
    ssh_username: str | None
    sealed_ssh_password: bytes | None
    ssh_host_key: str | None

    @property
    def has_api(self) -> bool:
        """Whether its API may be spoken to."""
        return None not in (self.api_address, self.api_username, self.sealed_api_password)

    @property
    def has_command_line(self) -> bool:
        """Whether lines may be typed there: a login, and a host key that a person trusted."""
        return None not in (self.ssh_address, self.sealed_ssh_password, self.ssh_host_key)


_TARGETS: Final = """
SELECT id, name, vendor, coalesce(coa_address, own) AS address, own AS own_address, identifier, coa_port AS port,
    coa_source AS source_address, coa_message_authenticator AS message_authenticator, coa_event_timestamp AS event_timestamp,
    coa_window AS window, coa_rate_per_s AS rate_per_s, sealed_secret, sealed_coa_secret, verification::text,
    coalesce(api_address, coa_address, own) AS api_address, api_port, api_tls, api_certificate, api_login, api_username,
    sealed_api_password,
    coalesce(ssh_address, coa_address, own) AS ssh_address, ssh_port, ssh_username, sealed_ssh_password, ssh_host_key
FROM nas CROSS JOIN LATERAL (SELECT CASE WHEN masklen(source) = CASE family(source) WHEN 4 THEN 32 ELSE 128 END
    THEN host(source)::inet END AS own) AS o
"""


def load_targets(connection: Connection) -> list[NasTarget]:
    """Every NAS; they are hundreds."""
    with connection.cursor(row_factory=class_row(NasTarget)) as cursor:
        return cursor.execute(_TARGETS).fetchall()


def load_profiles(connection: Connection) -> dict[int, ProfileColumns]:
    """What each profile gives now."""
    rows = connection.execute(f"SELECT id, {', '.join(PROFILE_COLUMNS)} FROM profile")  # noqa: S608 - our own names
    return {row[0]: ProfileColumns(**dict(zip(PROFILE_COLUMNS, row[1:], strict=True))) for row in rows}


def load_contents(connection: Connection, *, beside: Collection[bytes]) -> dict[bytes, ProfileColumns | None]:
    """What every revision but these gave that was ever in force; None for what this release can't read."""
    rows = connection.execute(
        "SELECT DISTINCT ON (revision) revision, content FROM known_revision WHERE content IS NOT NULL AND revision <> ALL (%s)",
        (list(beside),),
    )
    return {revision: read_content(content) for revision, content in rows}
