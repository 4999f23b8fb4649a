"""One login from the pairs of the request to those of the answer: everything but the calls to FreeRADIUS itself.

All that an answer needs is read in one view of the policy store, so that it never mixes two states of it. FreeRADIUS runs
one call at a time, so each microsecond here is one for everybody; the values on the way are msgspec's, which are made
five times faster than frozen dataclasses.

Units: `now` in epoch seconds UTC.
Next: packet.py
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Final

import msgspec

from radius_hooks.credentials import auth_type, check_password, secret_pair
from radius_hooks.decision import (
    Accept,
    AccessContext,
    AccessRequest,
    Decision,
    PasswordCheck,
    Reject,
    RejectReason,
    Silence,
    SilenceReason,
    decide,
)
from radius_hooks.hook_settings import HookSettings
from radius_hooks.login_line import LoginLine, build_login_line
from radius_hooks.own_attributes import OwnOutcome, evaluate
from radius_hooks.packet import (
    CheckedItems,
    Incoming,
    check_items,
    class_value,
    instead_of_pools,
    merge_own,
    read_request,
    timeouts,
    within_expiry,
    without_idle_pools,
)
from radius_hooks.pending import PendingSessions
from radius_hooks.policy_records import AccountRecord, Level, LiveSession, NasRecord, ProfileRecord, ReplyItem
from radius_hooks.policy_store import PolicyReader, Snapshot, decode_profile
from radius_hooks.random_octets import RandomOctets
from radius_hooks.sealing import Sealer, account_row, nas_row
from radius_hooks.values import Pair, quoted

# First, as the cure for CVE-2024-3596 asks: nothing that an attacker may choose comes before it.
_SIGNED: Final[Pair] = ("Message-Authenticator", ":=", "0x00")
SILENT: Final[tuple[Pair, ...]] = (
    ("Response-Packet-Type", ":=", "Do-Not-Respond"),
    ("Post-Auth-Type", ":=", "Corrente-Silence"),
)
_LATER: Final = PasswordCheck.LATER
# Says that the line of this refusal is written.
_TOLD: Final[Pair] = ("Corrente-Refusal", ":=", "told")
# How many logins may wait for the answer of FreeRADIUS's password modules at once; its threads are fewer.
_MAX_LATER: Final = 1024
_KEY_RANDOM_OCTETS: Final = 10
_NO_OWN: Final = OwnOutcome(True, "", (), (), ())


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What FreeRADIUS is to be told, and the line for the login spool, empty while nothing is certain.

    `warnings` are for FreeRADIUS's log; they never hold a secret.
    """

    decision: Decision
    reply: tuple[Pair, ...] = ()
    control: tuple[Pair, ...] = ()
    request: tuple[Pair, ...] = ()
    line: bytes = b""
    warnings: tuple[str, ...] = ()


class _Login(msgspec.Struct, frozen=True, gc=False):
    """One login being answered: what it asks, what is known, and what only the reply needs."""

    incoming: Incoming
    request: AccessRequest
    context: AccessContext
    now: float
    secret: bytes = b""
    own: OwnOutcome = _NO_OWN


class _Later(msgspec.Struct, frozen=True, gc=False):
    """A login that waits for the answer of a password module."""

    login: _Login
    accept: Accept
    session: LiveSession
    version: bytes


class _Profile(msgspec.Struct, frozen=True, gc=False):
    """A profile as it was read and checked. `around` are the attributes that lead around its pools."""

    record: ProfileRecord
    items: CheckedItems
    names: frozenset[str]
    around: frozenset[str]


class Logins:
    """Answers logins from one policy store. FreeRADIUS calls it from one thread at a time."""

    def __init__(self, settings: HookSettings) -> None:
        self._rules = settings.rules
        self._jitter_percent = settings.timeout_jitter_percent
        self._reader = PolicyReader(settings.policy_dir)
        self._sealer = Sealer(settings.secrets_keys)
        self._pending = PendingSessions()
        self._later: OrderedDict[str, _Later] = OrderedDict()
        self._random = RandomOctets()

    def answer(self, pairs: tuple[tuple[str, str], ...], *, now: float) -> Answer:
        """Decide on an Access-Request, and put the reply together.

        Raises: StoreError, SealError and lmdb's own; the caller turns them into silence.
        """
        incoming = read_request(pairs)
        with self._reader.reading() as store:
            login = self._login(incoming, store, now)
            decision = _decide(login)
            if type(decision) is not Accept:
                return _refusal(login, decision)
            nas = login.context.nas
            assert nas is not None, "decide() never accepts for an unknown NAS"
            octets = store.profile_octets(decision.step.profile_id, nas.vendor)
        if octets is None:
            what = f"profile {decision.step.profile_id} is not in the policy store for vendor {nas.vendor}"
            return _refusal(login, Silence(SilenceReason.PROFILE_MISSING, what))
        return self._accept(login, decision, nas, _profile(octets))

    def confirm(self, key: str, *, now: float) -> Answer:
        """The last word on a login whose password FreeRADIUS's modules found right: only now it takes its place.

        Two of them may have been decided before either had its place.
        """
        later = self._later.pop(key)
        login = later.login
        pending = self._pending.of(later.accept.account.account_id, login.context.sessions, now=now)
        context = msgspec.structs.replace(login.context, pending=pending)
        again = _decide(msgspec.structs.replace(login, context=context, now=now))
        if isinstance(again, Reject):
            return msgspec.structs.replace(_refusal(later.login, again), control=(_TOLD,))
        return Answer(later.accept, line=self._take_place(later.login, later.accept, later.session, later.version))

    def refused(self, pairs: tuple[tuple[str, str], ...], *, now: float) -> Answer:
        """Write down that a module found the password wrong of a login that could have been accepted."""
        incoming = read_request(pairs)
        with self._reader.reading() as store:
            login = self._unknown(incoming, store.nas(incoming.source), store.known_at(), now)
        return _refusal(login, Reject(RejectReason.WRONG_PASSWORD, "the password does not match"))

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

    def _login(self, incoming: Incoming, store: Snapshot, now: float) -> _Login:
        """All that is known of who asks. Raises: SealError."""
        username = incoming.username
        nas, known_at = store.nas(incoming.source), store.known_at()
        account = None if username is None else store.account(username)
        if username is None or account is None:
            return self._unknown(incoming, nas, known_at, now)
        account_id = account.account_id
        sessions = store.sessions(account_id)
        secret = account.sealed_secret
        if secret:
            secret = self._sealer.open(secret, row=account_row(account_id))
        password = check_password(incoming.attributes, account.secret_kind, secret)
        own = evaluate(account.own, _with_source(incoming)) if account.own else _NO_OWN
        pending = self._pending.of(account_id, sessions, now=now)
        request = AccessRequest(username, incoming.mac, incoming.circuit_id, incoming.line, password)
        context = AccessContext(nas, account, sessions, *known_at, own.matches, self._rules, pending)
        return _Login(incoming, request, context, now, secret, own)

    def _unknown(self, incoming: Incoming, nas: NasRecord | None, known_at: tuple[float, float], now: float) -> _Login:
        """A login of which no account is known."""
        username = incoming.username or ""
        request = AccessRequest(username, incoming.mac, incoming.circuit_id, incoming.line, PasswordCheck.ABSENT)
        return _Login(incoming, request, AccessContext(nas, None, (), *known_at, True, self._rules), now)

    def _accept(self, login: _Login, accept: Accept, nas: NasRecord, profile: _Profile) -> Answer:
        incoming, account = login.incoming, accept.account
        key = int(login.now * 1000).to_bytes(6, "big") + self._random.take(_KEY_RANDOM_OCTETS)
        items, sent = self._attributes(login, accept, profile, key)
        warnings = _warnings(items, account, profile) if items.refused else ()
        if items.broken_limit:
            what = f"{items.broken_limit} of account {account.account_id} or its profile has a value that can't be sent"
            answer = _refusal(login, Silence(SilenceReason.VALUE_UNUSABLE, what))
            return msgspec.structs.replace(answer, warnings=warnings + answer.warnings)
        version = profile.record.revision + account.revision
        if accept.time_left_s:
            sent = within_expiry(sent, accept.time_left_s)
        reply = (_SIGNED, ("Class", ":=", class_value(key, version)), *sent)
        secret = secret_pair(account.secret_kind, login.secret)
        method = auth_type(incoming.attributes, account.secret_kind)
        control = (secret, ("Auth-Type", ":=", method)) if method else (secret,)
        session = LiveSession(key, nas.nas_id, incoming.mac, incoming.line, False)
        request = _restored(incoming) if "Corrente-Raw-User-Name" in incoming.attributes else ()
        line = b""
        if login.request.password is _LATER:
            self._wait_for(key.hex(), _Later(login, accept, session, version))
            request = (*request, ("Corrente-Later", ":=", key.hex()))
        else:
            line = self._take_place(login, accept, session, version)
        return Answer(accept, reply, control, request, line, warnings)

    def _take_place(self, login: _Login, accept: Accept, session: LiveSession, version: bytes) -> bytes:
        """Count the session from now on; the line of the login."""
        if accept.account.max_sessions:
            self._pending.reserve(accept.account.account_id, session, now=login.now)
        return _line(login, "accept", accept.reason, key=session.session_key, version=version)

    def _attributes(
        self, login: _Login, accept: Accept, profile: _Profile, key: bytes
    ) -> tuple[CheckedItems, list[Pair]]:
        """The checked items of profile, account and its own attributes, and the pairs to send with the timeouts."""
        times = timeouts(profile.record, key, jitter_percent=self._jitter_percent)
        static, protected = accept.account.reply, profile.names
        if profile.around and accept.step.level is Level.WALLED:
            static = tuple(item for item in static if item.name not in profile.around)
            protected |= profile.around
        if not login.own.merges:
            if not static:
                return profile.items, [*profile.items.pairs, *times]
            items = _static(profile.items, static)
            return items, [*items.pairs, *times]
        base = [*profile.record.reply, *static]
        base += [ReplyItem(name, op, value, "integer") for name, op, value in times]
        merged = merge_own(base, login.own, level=accept.step.level, protected=protected)
        items = check_items(merged, limiting=profile.names)
        # Their operators have had their effect on each other: each is added as it is.
        return items, [(name, "+=", value) for name, _, value in items.pairs]

    def _wait_for(self, key: str, later: _Later) -> None:
        self._later[key] = later
        # A login that the modules refuse is never confirmed.
        if len(self._later) > _MAX_LATER:
            self._later.popitem(last=False)


def _decide(login: _Login) -> Decision:
    incoming, context = login.incoming, login.context
    if incoming.username is None and context.nas is not None:
        what = "holds control characters or is no text" if incoming.username_octets else "is empty or missing"
        return Reject(RejectReason.BAD_USERNAME, f"the username {what}")
    return decide(login.request, context, now=login.now)


def _refusal(login: _Login, decision: Decision) -> Answer:
    assert not isinstance(decision, Accept), "an accept is answered with its profile"
    if isinstance(decision, Silence):
        warning = f"no answer, {decision.reason}: {decision.detail}"
        return Answer(decision, control=SILENT, warnings=(warning,))
    detail = f"{decision.detail}: {login.own.detail}" if login.own.detail else decision.detail
    return Answer(decision, line=_line(login, "reject", decision.reason, detail=detail))


def _line(
    login: _Login, outcome: str, reason: str, *, key: bytes = b"", version: bytes = b"", detail: str = ""
) -> bytes:
    incoming, nas = login.incoming, login.context.nas
    return build_login_line(
        LoginLine(
            int(login.now * 1e6),
            outcome,
            reason,
            incoming.source,
            incoming.packet_id,
            incoming.username_octets,
            incoming.mac,
            incoming.line,
            key,
            version,
            nas.nas_id if nas else 0,
            detail,
        )
    )


@lru_cache(maxsize=4096)
def _profile(octets: bytes) -> _Profile:
    """What was stored, read and checked once: the key is the content, so it can't be stale."""
    record = decode_profile(octets)
    names = frozenset(item.name.partition(":")[0] for item in record.reply)
    return _Profile(record, check_items(record.reply, limiting=names), names, instead_of_pools(record.reply))


def _static(profile: CheckedItems, reply: tuple[ReplyItem, ...]) -> CheckedItems:
    """The profile's items and those of the account's static addresses, which stand for its pools."""
    static = check_items(reply)
    kept = without_idle_pools(profile.pairs, {pair[0] for pair in static.pairs})
    return CheckedItems(
        kept + static.pairs, profile.refused + static.refused, profile.broken_limit or static.broken_limit
    )


def _warnings(items: CheckedItems, account: AccountRecord, profile: _Profile) -> tuple[str, ...]:
    where = f"account {account.account_id}, profile {profile.record.name}"
    return tuple(
        f"{where}: {item.name} {item.op} {item.value!r} is no valid {item.kind}, not sent" for item in items.refused
    )


def _with_source(incoming: Incoming) -> tuple[tuple[str, str], ...]:
    """The pairs that own check items are compared with: a NAS-IP-Address that was not sent is the packet's source."""
    if "NAS-IP-Address" in incoming.attributes or ":" in incoming.source:
        return incoming.pairs
    return (*incoming.pairs, ("NAS-IP-Address", incoming.source))


def _restored(incoming: Incoming) -> tuple[Pair, ...]:
    """The name and password that were taken out as octets, back in place for FreeRADIUS's password modules."""
    name: Pair = ("User-Name", ":=", quoted(incoming.username_octets))
    password = bytes.fromhex(incoming.attributes.get("Corrente-Raw-User-Password", "0x")[2:])
    return (name, ("User-Password", ":=", quoted(password))) if password else (name,)
