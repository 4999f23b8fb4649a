"""What the policy store holds: one record an account, a profile and vendor, a NAS, and of the store itself.

Records are arrays on disk, so the order of their fields is the format.

Units: epochs in whole seconds UTC, 0 where there is none.
Next: policy_store.py
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

# A store written by another format is rebuilt, never misread. Raise it with every change to a record below.
FORMAT: Final = 1


class Level(Enum):
    """How far an account may go. `none` and `blocked` are refused, the others are accepted with their profile.

    Source: docs/decisions/0003, billing model section 3.2.
    """

    FULL = 0
    THROTTLE = 1
    WALLED = 2
    BLOCKED = 3
    NONE = 4


class SecretKind(Enum):
    """What form a subscriber's secret has. Only `clear` can answer CHAP; `clear` and `nt` can answer MS-CHAPv2.

    The value of each member but `NO_SECRET` is the FreeRADIUS control attribute that carries it.
    """

    CLEAR = "Cleartext-Password"
    NT = "NT-Password"
    CRYPT = "Crypt-Password"
    MD5 = "MD5-Password"
    SMD5 = "SMD5-Password"
    SHA1 = "SHA-Password"
    SSHA1 = "SSHA-Password"
    SHA2 = "SHA2-Password"
    PASSWORD_WITH_HEADER = "Password-With-Header"  # noqa: S105 - the name of an attribute, not a password
    NO_SECRET = ""


class ReplyItem(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One attribute of a reply, ready for FreeRADIUS.

    `kind` is the dictionary's data type (`integer`, `ipaddr`, `ipv6prefix`, `string`, `octets` …): the value is
    checked against it before it leaves, because FreeRADIUS 3.2.1 sends a value that does not parse as zero.
    """

    name: str
    op: str
    value: str
    kind: str


class PolicyStep(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What holds for an account until `until` (epoch seconds; 0 means with no end).

    The steps of an account are in order of time. They let a relief end at its minute with the database away.
    """

    until: int
    level: Level
    reason: str
    profile_id: int


class OwnBlock(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Attributes of one account that no other word of the product carries (kept by an import, or set by hand).

    `check` items are compared with the request; if all match, `control` and `reply` apply. `fall_through` says whether
    the next block is looked at after one that matched: the rules of FreeRADIUS's rlm_sql.
    """

    check: tuple[ReplyItem, ...]
    control: tuple[ReplyItem, ...]
    reply: tuple[ReplyItem, ...]
    fall_through: bool


class AccountRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """All that is needed to answer for one subscriber account, but its profile's attributes."""

    account_id: int
    contract_id: int
    secret_kind: SecretKind
    sealed_secret: bytes
    steps: tuple[PolicyStep, ...]
    expires_at: int
    max_sessions: int
    macs: tuple[str, ...]
    circuit_ids: tuple[str, ...]
    nas_ids: tuple[int, ...]
    reply: tuple[ReplyItem, ...]
    own: tuple[OwnBlock, ...]
    revision: bytes


class ProfileRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One profile rendered for one vendor. The timeouts stay numbers because each login gets them with its own jitter."""

    profile_id: int
    name: str
    revision: bytes
    session_timeout_s: int
    idle_timeout_s: int
    interim_interval_s: int  # 0 sends none
    reply: tuple[ReplyItem, ...]


class NasRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One access device, or the prefix a group of them sends from."""

    nas_id: int
    name: str
    vendor: str
    sealed_secret: bytes
    require_message_authenticator: bool
    realms: tuple[str, ...]


class LiveSession(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One session of an account as accounting knows it; `stale` when it has been silent for too long."""

    session_key: bytes
    nas_id: int
    mac: str
    line: str
    stale: bool


class StoreMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What a store says of itself. `position` is where in the change feed it stands; `checked_at` when it last asked.

    `accounting_read_to` is up to when the access devices' records have been read; 0 when no node has said so.
    """

    format: int
    built_at: float
    checked_at: float
    position: str
    system: str
    nas_prefix_lengths: tuple[int, ...] = ()
    accounts: int = 0
    accounting_read_to: float = 0.0
