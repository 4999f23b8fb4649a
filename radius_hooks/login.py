"""One login from the pairs of the request to those of the answer: everything but the calls to FreeRADIUS itself.

All that an answer needs is read in one view of the policy store, so that it never mixes two states of it.

Units: `now` in epoch seconds UTC.
Next: packet.py
"""

from __future__ import annotations

import base64
import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from radius_hooks.credentials import auth_type, check_password, secret_pair
from radius_hooks.decision import (
    Accept,
    AccessContext,
    AccessRequest,
    AccessRules,
    Decision,
    PasswordCheck,
    Reject,
    RejectReason,
    Silence,
    SilenceReason,
    decide,
)
from radius_hooks.login_line import LoginLine, build_login_line
from radius_hooks.own_attributes import OwnOutcome, evaluate
from radius_hooks.packet import (
    CheckedItems,
    Incoming,
    check_items,
    class_value,
    merge_own,
    read_request,
    timeouts,
    within_expiry,
)
from radius_hooks.pending import PendingSessions
from radius_hooks.policy_records import AccountRecord, LiveSession, NasRecord, ProfileRecord, ReplyItem
from radius_hooks.policy_store import PolicyReader, Snapshot, decode_profile
from radius_hooks.sealing import Sealer, account_row, nas_row
from radius_hooks.values import Pair, quoted

# First, as the cure for CVE-2024-3596 asks: nothing that an attacker may choose comes before it.
_SIGNED: Final[Pair] = ("Message-Authenticator", ":=", "0x00")
# How many logins may wait for the answer of FreeRADIUS's password modules at once; it has four threads.
_MAX_LATER: Final = 1024
_NO_OWN: Final = OwnOutcome(True, "", (), (), ())
_KEY_RANDOM_BITS: Final = 80


@dataclass(frozen=True, slots=True)
class HookSettings:
    """What the module section of FreeRADIUS's configuration tells the hook. Units: seconds, per cent."""

    policy_dir: Path
    secrets_keys: tuple[bytes, ...]
    rules: AccessRules
    timeout_jitter_percent: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What FreeRADIUS is to be told. `warnings` are for its log; they never hold a secret."""

    decision: Accept | Reject | Silence
    reply: tuple[Pair, ...]
    control: tuple[Pair, ...]
    request: tuple[Pair, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Login:
    """One login being answered."""

    incoming: Incoming
    nas: NasRecord | None
    account: AccountRecord | None
    sessions: tuple[LiveSession, ...]
    pending: tuple[LiveSession, ...]
    password: PasswordCheck
    secret: bytes
    own: OwnOutcome
    now: float


@dataclass(frozen=True, slots=True)
class _Profile:
    """A profile as it was read and checked."""

    record: ProfileRecord
    items: CheckedItems
    names: frozenset[str]


def read_settings(config: Mapping[str, str], environment: Mapping[str, str]) -> HookSettings:
    """The settings in the module's `config` section. Raises: KeyError, ValueError, OSError that name what is wrong."""
    file = config["secrets_key_file"]
    text = Path(file).read_text() if file else environment["CORRENTE_SECRETS_KEY"]
    return HookSettings(
        policy_dir=Path(config["policy_dir"]),
        secrets_keys=tuple(base64.b64decode(line, validate=True) for line in text.split()),
        rules=AccessRules(
            store_max_age_s=int(config["store_max_age_s"]), sessions_max_age_s=int(config["sessions_max_age_s"])
        ),
        timeout_jitter_percent=int(config["timeout_jitter_percent"]),
    )


class Logins:
    """Answers logins from one policy store. FreeRADIUS calls it from one thread at a time."""

    def __init__(self, settings: HookSettings) -> None:
        self._settings = settings
        self._reader = PolicyReader(settings.policy_dir)
        self._sealer = Sealer(settings.secrets_keys)
        self._pending = PendingSessions()
        self._later: OrderedDict[str, tuple[_Login, LiveSession, Accept]] = OrderedDict()
        self._random = random.SystemRandom()

    def answer(self, pairs: tuple[tuple[str, str], ...], *, now: float) -> Answer:
        """Decide on an Access-Request, and put the reply together.

        Raises: StoreError, SealError and lmdb's own; the caller turns them into silence.
        """
        incoming = read_request(pairs)
        with self._reader.reading() as store:
            nas = store.nas(incoming.source)
            if incoming.username is None:
                return self._refuse_name(incoming, nas, now=now)
            account = store.account(incoming.username)
            login = self._login(store, incoming, nas, account, now=now)
            decision = self._decide(login, checked_at=store.checked_at())
            if not isinstance(decision, Accept):
                return _refusal(login, decision)
            assert nas is not None, "decide() never accepts for an unknown NAS"
            octets = store.profile_octets(decision.step.profile_id, nas.vendor)
        if octets is None:
            what = f"profile {decision.step.profile_id} is not in the policy store for vendor {nas.vendor}"
            return _refusal(login, Silence(SilenceReason.PROFILE_MISSING, what))
        return self._accept(login, decision, nas, _profile(octets))

    def confirm(self, key: str, *, now: float) -> Answer | None:
        """The last word on a login whose password FreeRADIUS's modules found right: only now it takes its place.

        None when the login may stand. Two of them may have been decided before either had its place.
        """
        login, session, accept = self._later.pop(key)
        pending = self._pending.of(accept.account.account_id, login.sessions, now=now)
        again = self._decide(replace(login, pending=pending, now=now), checked_at=now)
        if isinstance(again, Reject):
            return _refusal(login, again)
        self._pending.reserve(accept.account.account_id, session, now=now)
        return None

    def client(self, source: str) -> tuple[Pair, ...] | None:
        """The access device that sends from `source`, as FreeRADIUS wants a client described; None for an unknown one."""
        with self._reader.reading() as store:
            nas = store.nas(source)
        if nas is None:
            return None
        secret = self._sealer.open(nas.sealed_secret, row=nas_row(nas.nas_id))
        family = "IPv6" if ":" in source else "IP"
        return (
            (f"FreeRADIUS-Client-{family}-Address", ":=", source),
            ("FreeRADIUS-Client-Secret", ":=", quoted(secret)),
            ("FreeRADIUS-Client-Shortname", ":=", nas.name),
            ("FreeRADIUS-Client-Require-MA", ":=", "yes" if nas.require_message_authenticator else "no"),
        )

    def close(self) -> None:
        """Let go of the store."""
        self._reader.close()

    def _login(
        self, store: Snapshot, incoming: Incoming, nas: NasRecord | None, account: AccountRecord | None, *, now: float
    ) -> _Login:
        if account is None:
            return _Login(incoming, nas, None, (), (), PasswordCheck.ABSENT, b"", _NO_OWN, now)
        secret = account.sealed_secret
        if secret:
            secret = self._sealer.open(secret, row=account_row(account.account_id))
        sessions = store.sessions(account.account_id)
        return _Login(
            incoming=incoming,
            nas=nas,
            account=account,
            sessions=sessions,
            pending=self._pending.of(account.account_id, sessions, now=now),
            password=check_password(incoming.attributes, account.secret_kind, secret),
            secret=secret,
            own=evaluate(account.own, _with_source(incoming)) if account.own else _NO_OWN,
            now=now,
        )

    def _decide(self, login: _Login, *, checked_at: float) -> Decision:
        incoming = login.incoming
        request = AccessRequest(
            incoming.username or "", incoming.mac, incoming.circuit_id, incoming.line, login.password
        )
        context = AccessContext(
            login.nas,
            login.account,
            login.sessions,
            checked_at,
            login.own.matches,
            self._settings.rules,
            login.pending,
        )
        return decide(request, context, now=login.now)

    def _refuse_name(self, incoming: Incoming, nas: NasRecord | None, *, now: float) -> Answer:
        login = _Login(incoming, nas, None, (), (), PasswordCheck.ABSENT, b"", _NO_OWN, now)
        if nas is None:
            return _refusal(login, self._decide(login, checked_at=now))
        what = "control characters or no text" if incoming.raw_username else "empty or missing"
        return _refusal(login, Reject(RejectReason.BAD_USERNAME, f"the username is {what}"))

    def _accept(self, login: _Login, accept: Accept, nas: NasRecord, profile: _Profile) -> Answer:
        key = int(login.now * 1000).to_bytes(6, "big") + self._random.getrandbits(_KEY_RANDOM_BITS).to_bytes(10, "big")
        items, sent = self._attributes(login, accept, profile, key)
        warnings = tuple(
            f"account {accept.account.account_id}, profile {profile.record.name}: {item.name} {item.op} {item.value!r} "
            f"is no valid {item.kind} and is not sent"
            for item in items.refused
        )
        if items.broken_limit:
            what = f"{items.broken_limit} of profile {profile.record.name} or of the account has a value that can't be sent"
            return replace(_refusal(login, Silence(SilenceReason.VALUE_UNUSABLE, what)), warnings=warnings)
        version = profile.record.revision + accept.account.revision
        reply = (_SIGNED, ("Class", ":=", class_value(key, version)), *within_expiry(sent, accept.time_left_s))
        control = [
            secret_pair(accept.account.secret_kind, login.secret),
            ("Corrente-Attempt", ":=", _line(login, "accept", accept.reason.value, key=key, version=version)),
        ]
        method = auth_type(login.incoming.attributes, accept.account.secret_kind)
        if method:
            control.append(("Auth-Type", ":=", method))
        session = LiveSession(key, nas.nas_id, login.incoming.mac, login.incoming.line, False)
        request = _restored(login.incoming)
        if login.password is PasswordCheck.LATER:
            self._wait_for(key.hex(), (login, session, accept))
            request = (*request, ("Corrente-Later", ":=", key.hex()))
        else:
            self._pending.reserve(accept.account.account_id, session, now=login.now)
        return Answer(accept, reply, tuple(control), request, warnings)

    def _attributes(
        self, login: _Login, accept: Accept, profile: _Profile, key: bytes
    ) -> tuple[CheckedItems, list[Pair]]:
        """The checked items of profile, account and its own attributes, and the pairs to send with the timeouts."""
        seconds = timeouts(profile.record, key, jitter_percent=self._settings.timeout_jitter_percent)
        account = accept.account
        if not login.own.merges:
            times = [(name, ":=", str(value)) for name, value in seconds]
            if not account.reply:
                return profile.items, [*profile.items.pairs, *times]
            static = _static(account.reply)
            both = CheckedItems(
                (), profile.items.refused + static.refused, profile.items.broken_limit or static.broken_limit
            )
            return both, [*profile.items.pairs, *static.pairs, *times]
        base = [*profile.record.reply, *account.reply]
        base += [ReplyItem(name, ":=", str(value), "integer") for name, value in seconds]
        merged = merge_own(base, login.own, level=accept.step.level, protected=profile.names)
        items = check_items(merged, limiting=profile.names)
        # Their operators have had their effect on each other: each is added as it is.
        return items, [(name, "+=", value) for name, _, value in items.pairs]

    def _wait_for(self, key: str, waiting: tuple[_Login, LiveSession, Accept]) -> None:
        self._later[key] = waiting
        # A login that the modules refuse is never confirmed.
        if len(self._later) > _MAX_LATER:
            self._later.popitem(last=False)


@lru_cache(maxsize=4096)
def _profile(octets: bytes) -> _Profile:
    """What was stored, read and checked once: the key is the content, so it can't be stale."""
    record = decode_profile(octets)
    names = frozenset(item.name.partition(":")[0] for item in record.reply)
    return _Profile(record, check_items(record.reply, limiting=names), names)


@lru_cache(maxsize=65536)
def _static(items: tuple[ReplyItem, ...]) -> CheckedItems:
    return check_items(items)


def _with_source(incoming: Incoming) -> tuple[tuple[str, str], ...]:
    """The pairs that own check items are compared with: a NAS-IP-Address that was not sent is the packet's source."""
    if "NAS-IP-Address" in incoming.attributes or ":" in incoming.source:
        return incoming.pairs
    return (*incoming.pairs, ("NAS-IP-Address", incoming.source))


def _restored(incoming: Incoming) -> tuple[Pair, ...]:
    """The name and password that were taken out as octets, back in place for FreeRADIUS's password modules."""
    attributes = incoming.attributes
    if "Corrente-Raw-User-Name" not in attributes:
        return ()
    password = bytes.fromhex(attributes.get("Corrente-Raw-User-Password", "0x")[2:])
    name: Pair = ("User-Name", ":=", quoted(incoming.raw_username))
    return (name, ("User-Password", ":=", quoted(password))) if password else (name,)


def _refusal(login: _Login, decision: Decision) -> Answer:
    assert not isinstance(decision, Accept), "an accept is answered with its profile"
    if isinstance(decision, Silence):
        control: tuple[Pair, ...] = (
            ("Response-Packet-Type", ":=", "Do-Not-Respond"),
            ("Post-Auth-Type", ":=", "Corrente-Silence"),
        )
        return Answer(decision, (), control, ())
    detail = f"{decision.detail}: {login.own.detail}" if login.own.detail else decision.detail
    line = _line(login, "reject", decision.reason.value, detail=detail)
    return Answer(decision, (), (("Corrente-Refusal", ":=", line),), ())


def _line(login: _Login, outcome: str, reason: str, *, key: bytes = b"", version: bytes = b"", detail: str = "") -> str:
    incoming = login.incoming
    return build_login_line(
        LoginLine(
            microseconds=int(login.now * 1e6),
            outcome=outcome,
            reason=reason,
            source=incoming.source,
            packet_id=incoming.packet_id,
            username=incoming.raw_username,
            mac=incoming.mac,
            line=incoming.line,
            session_key=key,
            policy_version=version,
            nas_id=login.nas.nas_id if login.nas else 0,
            detail=detail,
        )
    )
