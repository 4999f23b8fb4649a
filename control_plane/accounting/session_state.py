"""The words for a RADIUS session: its state, how it ended, and the addresses it held.

Units: octets and seconds; instants in whole epoch seconds UTC; periods are half-open.
Next: merging.py
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

import msgspec

from control_plane.accounting.record import NatBlock

KEY_OCTETS: Final = 16
_ALL_PORTS: Final = (0, 65535)


class SessionEnd(Enum):
    """Who said that a session is over. Only `STOP` is the device's own word; after any other a word reopens it."""

    STOP = "stop"
    STALE = "stale"
    NAS_REBOOT = "nas_reboot"
    REPLACED = "replaced"
    CLOSED_BY_STAFF = "closed_by_staff"
    NOT_ON_DEVICE = "not_on_device"


class SessionState(msgspec.Struct, frozen=True, gc=False):
    """All that is known of one session, live (`ended_at` is None) or closed.

    `octets_*` are sums over all segments of a counter, `counter_*` the device's counters as last believed. The state
    of a closed session has its end as `updated_at` and `addresses_since`: a word after it continues from there.
    """

    session_key: bytes
    nas_id: int
    acct_session_id: str
    username: str
    account_id: int | None
    class_key: bytes | None
    policy_version: bytes | None
    started_at: int
    updated_at: int
    received_at: int
    session_time_s: int
    octets_in: int
    octets_out: int
    counter_in: int
    counter_out: int
    interim_interval_s: int | None
    framed_ipv4: str | None
    framed_ipv6_address: str | None
    framed_ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    nat: NatBlock | None
    addresses_since: int
    mac: str
    line: str
    nas_port_id: str
    stale: bool = False
    ended_at: int | None = None
    ended_by: SessionEnd | None = None
    terminate_cause: str | None = None

    @property
    def live(self) -> bool:
        """Whether it still goes on as far as anybody knows."""
        return self.ended_at is None


class Holding(msgspec.Struct, frozen=True, gc=False):
    """An address, prefix or port block that a session had during [since, until)."""

    address: str
    first_port: int
    last_port: int
    since: int
    until: int
    session_key: bytes
    nas_id: int
    account_id: int | None
    username: str


def holdings_until(state: SessionState, until: int) -> tuple[Holding, ...]:
    """What the session held from `addresses_since` to `until`."""
    held = [
        (address, *_ALL_PORTS)
        for address in (
            state.framed_ipv4,
            state.framed_ipv6_address,
            state.framed_ipv6_prefix,
            state.delegated_ipv6_prefix,
        )
        if address is not None
    ]
    if state.nat is not None:
        held.append((state.nat.address, state.nat.first_port, state.nat.last_port))
    return tuple(
        Holding(
            address,
            first_port,
            last_port,
            state.addresses_since,
            until,
            state.session_key,
            state.nas_id,
            state.account_id,
            state.username,
        )
        for address, first_port, last_port in held
    )


def key_by_class(nas_id: int, class_key: bytes, acct_session_id: str) -> bytes:
    """The key of a session that echoes our Class."""
    name = b"%d\0%b%b" % (nas_id, class_key, acct_session_id.encode())
    return hashlib.blake2b(name, digest_size=KEY_OCTETS, person=b"corrente-class").digest()


def key_by_start(nas_id: int, acct_session_id: str, username: str, started_at: int) -> bytes:
    """The key of a session without Class: its id alone is used again after a reboot, so its start is part of it."""
    name = b"\0".join((b"%d" % nas_id, acct_session_id.encode(), username.encode(), b"%d" % started_at))
    return hashlib.blake2b(name, digest_size=KEY_OCTETS, person=b"corrente-start").digest()
