"""A login tried without a packet: the hook's own code answers from records that are rendered now.

The records go into a policy store of their own in a temporary directory, and the same `Logins` that FreeRADIUS calls
answers from it. So what is told is what would be sent, to the last attribute. Asking the store of this node the same
question shows whether the edge has published all of it.

Next: radius_hooks/login.py
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import md5
from pathlib import Path
from typing import Any, Final, assert_never

import lmdb
import psycopg

from control_plane.policy.policy_source import (
    AccountRow,
    NasRow,
    load_accounts,
    load_nases,
    load_profiles,
    load_sessions,
)
from control_plane.policy.rendering import (
    RenderError,
    Rendering,
    build_account_record,
    build_live_sessions,
    build_nas_record,
    build_profile_record,
    build_withheld_record,
)
from control_plane.settings import Settings, secret_keys
from nas_drivers.dictionaries.reader import Dictionary, load_dictionary
from nas_drivers.driver import Drivers
from nas_drivers.errors import NasError
from radius_hooks.decision import Accept, AccessRules, Decision, Reject
from radius_hooks.hook_settings import HookSettings
from radius_hooks.login import Logins
from radius_hooks.policy_records import AccountRecord, LiveSession, ProfileRecord, SecretKind
from radius_hooks.policy_store import FORMAT, PolicyBatch, PolicyReader, PolicyWriter, StoreError, StoreMeta
from radius_hooks.sealing import Sealer, account_row

Connection = psycopg.Connection[Any]

_CLASS: Final = "Class"
_SIGNATURE: Final = "Message-Authenticator"
# Class: prefix, session key, policy version; written as 0x and two digits an octet.
_VERSION_DIGITS: Final = 16
# Longer than any store lives: its age does not count.
_NO_AGE_S: Final = 10**9
# Of a tried login: RFC 2865 section 5.3, and RFC 2548 section 2.3.2 for the length of an MS-CHAPv2 answer.
_CHAP_ID: Final = b"\x01"
_CHALLENGE: Final = bytes(range(16))
_MSCHAP_OCTETS: Final = 50


class Way(StrEnum):
    """How the login proves its password."""

    PAP = "pap"
    CHAP = "chap"
    MSCHAP = "mschap"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the tried login asks. `mac` has twelve digits or none; `password` is in clear and never shown."""

    username: str
    source: str
    mac: str
    circuit_id: str
    password: str = field(repr=False)
    attributes: tuple[tuple[str, str], ...] = ()
    way: Way = Way.PAP

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The request as FreeRADIUS hands it over."""
        pairs = [("Corrente-Source", f"{self.source} 0"), ("User-Name", self.username), *self._proof()]
        if self.mac:
            pairs.append(("Calling-Station-Id", self.mac))
        if self.circuit_id:
            pairs.append(("ADSL-Agent-Circuit-Id", "0x" + self.circuit_id.encode().hex()))
        return (*pairs, *self.attributes)

    def _proof(self) -> list[tuple[str, str]]:
        """What proves the password. FreeRADIUS itself checks MS-CHAP behind us, so any answer of its length will do."""
        match self.way:
            case Way.PAP:
                return [("User-Password", self.password)]
            case Way.CHAP:
                digest = md5(_CHAP_ID + self.password.encode() + _CHALLENGE, usedforsecurity=False).hexdigest()
                return [("CHAP-Challenge", f"0x{_CHALLENGE.hex()}"), ("CHAP-Password", f"0x{_CHAP_ID.hex()}{digest}")]
            case Way.MSCHAP:
                return [
                    ("MS-CHAP-Challenge", f"0x{_CHALLENGE.hex()}"),
                    ("MS-CHAP2-Response", f"0x{'00' * _MSCHAP_OCTETS}"),
                ]
            case way:
                assert_never(way)


@dataclass(frozen=True, slots=True)
class Told:
    """The answer: the decision, the attributes that would be sent, and the policy version that Class would carry."""

    decision: Decision
    reply: tuple[tuple[str, str, str], ...]
    policy_version: str

    def words(self) -> str:
        """The decision in the words of the login log."""
        decision = self.decision
        if isinstance(decision, Accept):
            return f"accept {decision.reason.value}"
        outcome = "reject" if isinstance(decision, Reject) else "no answer"
        reason, detail = decision.reason.value, decision.detail
        # What blocks names itself.
        return f"{outcome} {detail}" if detail.startswith(f"{reason}: ") else f"{outcome} {reason}: {detail}"

    def agrees_with(self, other: Told) -> bool:
        """Whether both answer alike: the same words, attributes and version."""
        return (self.words(), self.reply, self.policy_version) == (other.words(), other.reply, other.policy_version)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The records of one account and one NAS, and in words what of them could not be rendered.

    `nas` is None for one that is disabled: no store holds it.
    """

    account_row: AccountRow
    account: AccountRecord
    sessions: tuple[LiveSession, ...]
    nas: NasRow | None
    profiles: tuple[ProfileRecord, ...]
    problems: tuple[str, ...]

    def put(self, batch: PolicyBatch) -> None:
        """Write them into a store."""
        batch.put_account(self.account_row.username, self.account)
        batch.put_sessions(self.account_row.account_id, self.sessions)
        if self.nas is not None:
            batch.put_nas(self.nas.source, build_nas_record(self.nas))
            for record in self.profiles:
                batch.put_profile(record.profile_id, self.nas.vendor, record)


def load_rendered(
    connection: Connection, settings: Settings, username: str, nas_name: str, *, at: datetime
) -> Rendered:
    """Render what a login of `username` at that NAS needs, from the database as it is now.

    Raises: LookupError without such an account; DictionaryError.
    """
    rows = load_accounts(connection, usernames=[username])
    if not rows:
        raise LookupError(username)
    dictionary = load_dictionary(settings.radius.freeradius_dictionary)
    problems: list[str] = []
    try:
        account = build_account_record(rows[0], Rendering(dictionary, settings.zone, at))
    except RenderError as error:
        problems.append(str(error))
        account = build_withheld_record(rows[0])
    nas = next((one for one in load_nases(connection) if one.name == nas_name), None)
    profiles = []
    if nas is not None:
        profiles = _profiles(connection, nas, dictionary, Drivers(settings.drivers), problems)
    sessions = build_live_sessions(load_sessions(connection, [rows[0].account_id]))
    return Rendered(rows[0], account, sessions, nas, tuple(profiles), tuple(problems))


def _profiles(
    connection: Connection, nas: NasRow, dictionary: Dictionary, drivers: Drivers, problems: list[str]
) -> list[ProfileRecord]:
    """Every profile in the words of the NAS's vendor; what can't be rendered is added to the problems."""
    records = []
    for row in load_profiles(connection):
        try:
            records.append(build_profile_record(row, drivers.of(nas.vendor), dictionary))
        except (RenderError, NasError) as error:
            problems.append(str(error))
    return records


def clear_password(rendered: Rendered, settings: Settings) -> str:
    """The right password where it is kept in clear; else any, for only FreeRADIUS's modules can compare a hash.

    Raises: SealError, SettingsError.
    """
    row = rendered.account_row
    if rendered.account.secret_kind is not SecretKind.CLEAR:
        return "compared by FreeRADIUS"
    sealer = Sealer(secret_keys(settings))
    return sealer.open(row.sealed_secret, row=account_row(row.account_id)).decode()


def answer_from_records(rendered: Rendered, asked: Asked, settings: Settings, *, at: datetime) -> Told:
    """What FreeRADIUS would be told with these records in its store. Raises: SealError, SettingsError."""
    now = at.timestamp()
    with tempfile.TemporaryDirectory(prefix="corrente-trial-") as directory:
        policy_dir = Path(directory) / "policy"
        writer = PolicyWriter(policy_dir)
        lengths = () if rendered.nas is None else (int(rendered.nas.source.rpartition("/")[2]),)
        with writer.rebuild() as rebuild, rebuild.batch() as batch:
            rendered.put(batch)
            batch.put_meta(StoreMeta(FORMAT, now, now, "", "", nas_prefix_lengths=lengths, accounts=1))
        writer.close()
        return _answer(policy_dir, asked, settings, now=now, is_current=True)


def answer_from_store(asked: Asked, settings: Settings, *, at: datetime, is_current: bool) -> tuple[Told, float]:
    """What the policy store of this node answers, and when it last compared itself with the database.

    Unless the question is of now (`is_current`), the store's age does not count.
    Raises: StoreError when there is none or it can't be read.
    """
    reader = PolicyReader(settings.policy_dir)
    try:
        with reader.reading() as store:
            checked_at = store.checked_at()
    except lmdb.Error as error:
        raise StoreError(f"policy store {settings.policy_dir} can't be read: {error}") from error
    finally:
        reader.close()
    return _answer(settings.policy_dir, asked, settings, now=at.timestamp(), is_current=is_current), checked_at


def _answer(policy_dir: Path, asked: Asked, settings: Settings, *, now: float, is_current: bool) -> Told:
    rules = AccessRules(
        store_max_age_s=settings.access.store_max_age_s if is_current else 0,
        sessions_max_age_s=settings.access.sessions_max_age_s if is_current else _NO_AGE_S,
    )
    # Without jitter, so that the same question has the same answer.
    logins = Logins(HookSettings(policy_dir, secret_keys(settings), rules, timeout_jitter_percent=0))
    try:
        answer = logins.answer(asked.pairs(), now=now)
    finally:
        logins.close()
    version = next((value[-_VERSION_DIGITS:] for name, _, value in answer.reply if name == _CLASS), "")
    reply = tuple(pair for pair in answer.reply if pair[0] not in (_CLASS, _SIGNATURE))
    return Told(answer.decision, reply, version)
