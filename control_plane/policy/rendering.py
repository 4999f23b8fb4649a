"""Rows of the database to records of the policy store: attributes checked, levels worked out, revisions hashed.

Pure: the same rows at the same moment give the same record, for the edge, for `corrente explain` and for the reconciler.
What can't be rendered raises RenderError that names it; what to publish in its stead is said here too.

Units: revisions are 4 octets; a policy version is the profile's revision and then the account's.
Source: docs/decisions/0001 and 0003.
Next: publishing/publisher.py
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from control_plane.policy.access_policy import (
    NO_PROFILE,
    AccessFacts,
    ContractStatus,
    PlanChange,
    PlanProfiles,
    Relief,
    Restriction,
    policy_steps,
)
from control_plane.policy.plan_hours import PlanWindow
from control_plane.policy.policy_source import AccountRow, NasRow, ProfileRow, SessionRow
from control_plane.policy.profile import PROFILE_COLUMNS, UNHASHED_WHILE_EMPTY, ProfileColumns, session_policy
from nas_drivers.dictionaries.attribute import AttributeType
from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import Dictionary
from nas_drivers.driver import NasDriver
from radius_hooks.decision import NO_TIME_LIMIT
from radius_hooks.own_attributes import CHECK_OPERATORS, REPLY_OPERATORS
from radius_hooks.policy_store import (
    AccountRecord,
    Level,
    LiveSession,
    NasRecord,
    OwnBlock,
    PolicyStep,
    ProfileRecord,
    ReplyItem,
    SecretKind,
)

REVISION_BYTES: Final = 4
# RFC 2865 section 5.22: a gateway of zero is the user's own address; RFC 3162 section 2.5 says so for IPv6.
_IPV4_GATEWAY: Final = "0.0.0.0"  # noqa: S104 - a gateway, nothing listens there
_IPV6_GATEWAY: Final = "::"
_ROUTE_METRIC: Final = 1
_CONTROL_OPERATORS: Final = frozenset({"=", ":=", "+="})
_REMOVE_ALL: Final = "!*"


class RenderError(Exception):
    """A row can't be turned into a record; the message says what of it and why."""


class _Prefix(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    prefix: str
    metric: int | None


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    check: tuple[tuple[str, str, str], ...] = ()
    control: tuple[tuple[str, str, str], ...] = ()
    reply: tuple[tuple[str, str, str], ...] = ()
    fall_through: bool = False


_SECRET_KINDS: Final = {
    "clear": SecretKind.CLEAR,
    "nt": SecretKind.NT,
    "crypt": SecretKind.CRYPT,
    "md5": SecretKind.MD5,
    "smd5": SecretKind.SMD5,
    "sha1": SecretKind.SHA1,
    "ssha1": SecretKind.SSHA1,
    "sha2": SecretKind.SHA2,
    "password_with_header": SecretKind.PASSWORD_WITH_HEADER,
    "no_secret": SecretKind.NO_SECRET,
}
_STATUSES: Final = {status.value: status for status in ContractStatus}
_read_restrictions = msgspec.json.Decoder(tuple[Restriction, ...]).decode
_read_reliefs = msgspec.json.Decoder(tuple[Relief, ...]).decode
_read_plan_changes = msgspec.json.Decoder(tuple[PlanChange, ...]).decode
# The plans are few and their hours the same for all their accounts.
_read_windows = lru_cache(maxsize=1024)(msgspec.json.Decoder(tuple[PlanWindow, ...]).decode)
_read_prefixes = msgspec.json.Decoder(tuple[_Prefix, ...]).decode
_read_blocks = msgspec.json.Decoder(tuple[_Block, ...]).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Rendering:
    """What every rendering needs besides its row: the server's dictionary, the billing zone and the moment."""

    dictionary: Dictionary
    zone: ZoneInfo
    now: datetime


def policy_version(profile_revision: bytes, account_revision: bytes) -> bytes:
    """The version of the policy in force for an account: 8 octets, as Class carries them."""
    return profile_revision + account_revision


def build_account_record(row: AccountRow, rendering: Rendering) -> AccountRecord:
    """The record of one account. Raises: RenderError."""
    try:
        reply = _static_items(row.prefixes, rendering.dictionary) if row.prefixes else ()
        own = _own_blocks(row.own_attributes, rendering.dictionary) if row.own_attributes else ()
        steps = policy_steps(account_facts(row), now=rendering.now, zone=rendering.zone)
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        raise RenderError(f"account {row.username!r}: {error}") from error
    return _record(row, steps=steps, reply=reply, own=own)


def build_withheld_record(row: AccountRow) -> AccountRecord:
    """What stands for an account that can't be rendered: nobody is let in on half of what was agreed, nobody is refused.

    Its one step names no profile, so the hook gives no answer and says why.
    """
    step = PolicyStep(until=0, level=Level.FULL, reason="can't be rendered", profile_id=NO_PROFILE)
    return _record(row, steps=(step,), reply=(), own=())


def build_profile_record(row: ProfileRow, driver: NasDriver, dictionary: Dictionary) -> ProfileRecord:
    """One profile in one vendor's attributes. Raises: RenderError."""
    try:
        attributes = driver.login_attributes(session_policy(row))
        reply = tuple(_reply_item(one.name, one.op, one.value, dictionary) for one in attributes)
    except Exception as error:
        raise RenderError(f"profile {row.name!r} for {driver.vendor}: {error}") from error
    return ProfileRecord(
        profile_id=row.id,
        name=row.name,
        revision=profile_revision(row),
        session_timeout_s=row.session_timeout_s or 0,
        idle_timeout_s=row.idle_timeout_s or 0,
        interim_interval_s=row.interim_interval_s or 0,
        reply=reply,
    )


def build_nas_record(row: NasRow) -> NasRecord:
    """The record of one NAS."""
    return NasRecord(
        nas_id=row.id,
        name=row.name,
        vendor=row.vendor,
        sealed_secret=row.sealed_secret,
        require_message_authenticator=row.require_message_authenticator,
        realms=tuple(row.realms),
    )


def build_live_sessions(rows: Iterable[SessionRow]) -> tuple[LiveSession, ...]:
    """The live sessions of one account."""
    return tuple(LiveSession(row.session_key, row.nas_id, row.mac, row.line, row.stale) for row in rows)


def profile_revision(row: ProfileColumns) -> bytes:
    """What the profile gives, hashed: neither its name nor its number nor a vendor's way of saying it changes it."""
    content = {name: getattr(row, name) for name in PROFILE_COLUMNS}
    return _digest(
        {name: value for name, value in content.items() if value is not None or name not in UNHASHED_WHILE_EMPTY}
    )


def _record(
    row: AccountRow,
    *,
    steps: tuple[PolicyStep, ...],
    reply: tuple[ReplyItem, ...],
    own: tuple[OwnBlock, ...],
) -> AccountRecord:
    expires_at = int(row.expires_at.timestamp()) if row.expires_at else NO_TIME_LIMIT
    return AccountRecord(
        account_id=row.account_id,
        contract_id=row.contract_id,
        secret_kind=_SECRET_KINDS[row.secret_kind],
        sealed_secret=row.sealed_secret,
        steps=steps,
        expires_at=expires_at,
        max_sessions=row.max_sessions,
        macs=tuple(row.macs) if row.macs else (),
        circuit_ids=tuple(row.circuit_ids) if row.circuit_ids else (),
        nas_ids=tuple(row.nas_ids) if row.nas_ids else (),
        reply=reply,
        own=own,
        revision=_account_revision(reply, own, expires_at),
    )


def account_facts(row: AccountRow) -> AccessFacts:
    """What bears on the account's level. Raises: ValueError, KeyError, msgspec.MsgspecError."""
    return AccessFacts(
        status=_STATUSES[row.status],
        plan=PlanProfiles(
            row.profile_id,
            row.throttle_profile_id,
            row.walled_profile_id,
            _read_windows(row.plan_windows) if row.plan_windows else (),
        ),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        restrictions=_read_restrictions(row.restrictions) if row.restrictions else (),
        reliefs=_read_reliefs(row.reliefs) if row.reliefs else (),
        quota_exhausted_until=row.quota_exhausted_until,
        plan_changes=_read_plan_changes(row.plan_changes) if row.plan_changes else (),
    )


def _static_items(text: str, dictionary: Dictionary) -> tuple[ReplyItem, ...]:
    return tuple(_static_item(one, dictionary) for one in _read_prefixes(text))


def _static_item(one: _Prefix, dictionary: Dictionary) -> ReplyItem:
    match one.kind:
        case "framed_ipv4":
            return _reply_item("Framed-IP-Address", ":=", one.prefix.removesuffix("/32"), dictionary)
        case "framed_ipv6_address":
            return _reply_item("Framed-IPv6-Address", ":=", one.prefix.removesuffix("/128"), dictionary)
        case "framed_ipv6_prefix":
            return _reply_item("Framed-IPv6-Prefix", ":=", one.prefix, dictionary)
        case "delegated_ipv6_prefix":
            return _reply_item("Delegated-IPv6-Prefix", ":=", one.prefix, dictionary)
        case "route":
            metric = _ROUTE_METRIC if one.metric is None else one.metric
            name, gateway = (
                ("Framed-IPv6-Route", _IPV6_GATEWAY) if ":" in one.prefix else ("Framed-Route", _IPV4_GATEWAY)
            )
            return _reply_item(name, "+=", f"{one.prefix} {gateway} {metric}", dictionary)
        case _:
            raise ValueError(f"a static prefix of kind {one.kind!r} has no attribute")


def _own_blocks(text: str, dictionary: Dictionary) -> tuple[OwnBlock, ...]:
    return tuple(
        OwnBlock(
            check=tuple(_check_item(*item, dictionary) for item in block.check),
            control=tuple(_control_item(*item, dictionary) for item in block.control),
            reply=tuple(_reply_item(*item, dictionary) for item in block.reply),
            fall_through=block.fall_through,
        )
        for block in _read_blocks(text)
    )


def _reply_item(name: str, op: str, value: str, dictionary: Dictionary) -> ReplyItem:
    """An attribute that FreeRADIUS will send as it is meant. Raises: ValueError."""
    attribute = _attribute(name, op, dictionary, REPLY_OPERATORS)
    text = value if op == _REMOVE_ALL else canonical_value(attribute, value)
    return ReplyItem(_full_name(attribute), op, text, attribute.kind)


def _control_item(name: str, op: str, value: str, dictionary: Dictionary) -> ReplyItem:
    """An attribute for FreeRADIUS's modules, enumerated ones by name: `Auth-Type := Reject` must be readable as such."""
    attribute = _attribute(name, op, dictionary, _CONTROL_OPERATORS)
    text = canonical_value(attribute, value)
    if attribute.printed:
        text = attribute.printed.get(int(text), text)
    return ReplyItem(_full_name(attribute), op, text, attribute.kind)


def _check_item(name: str, op: str, value: str, dictionary: Dictionary) -> ReplyItem:
    """An attribute that the request is compared with; its value stays as written, for a pattern need not be a value."""
    attribute = _attribute(name, op, dictionary, CHECK_OPERATORS)
    return ReplyItem(_full_name(attribute), op, value, attribute.kind)


def _attribute(name: str, op: str, dictionary: Dictionary, operators: frozenset[str]) -> AttributeType:
    attribute = dictionary.attribute(name)
    if attribute is None:
        raise ValueError(f"{name}: FreeRADIUS's dictionary has no such attribute")
    if op not in operators:
        raise ValueError(f"{name}: operator {op!r} has no meaning here; there are {' '.join(sorted(operators))}")
    return attribute


def _full_name(attribute: AttributeType) -> str:
    return attribute.name if attribute.tag is None else f"{attribute.name}:{attribute.tag}"


def _digest(content: object) -> bytes:
    return hashlib.blake2b(_encode(content), digest_size=REVISION_BYTES).digest()


def _account_revision(reply: tuple[ReplyItem, ...], own: tuple[OwnBlock, ...], expires_at: int) -> bytes:
    """What a session is given by its account alone, hashed.

    Not the level: the profile in force carries its own revision, and a step that passes must not leave a session that
    already has what it should have looking changed.
    """
    if not reply and not own and not expires_at:
        return _PLAIN_REVISION
    return _digest((reply, own, expires_at))


_PLAIN_REVISION: Final = _digest(((), (), NO_TIME_LIMIT))
