"""The decision on one Access-Request, as a pure function.

It opens nothing and never asks for the time: the FreeRADIUS hook, `corrente explain` and the console call it with the
same arguments and so give the same answer in the same words.

Next: packet.py, which turns the answer into a reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, assert_never

import msgspec

from radius_hooks.policy_store import AccountRecord, Level, LiveSession, NasRecord, PolicyStep

NO_TIME_LIMIT: Final = 0


class RejectReason(StrEnum):
    """Why a login was refused: log field, metric label, console text and manual share these words."""

    UNKNOWN_ACCOUNT = "unknown_account"
    BAD_USERNAME = "bad_username"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - the name of a reason
    NO_CREDENTIALS = "no_credentials"
    UNUSABLE_SECRET = "unusable_secret"  # noqa: S105 - the name of a reason
    WRONG_NAS = "wrong_nas"
    WRONG_REALM = "wrong_realm"
    WRONG_MAC = "wrong_mac"
    WRONG_CIRCUIT = "wrong_circuit"
    CHECK_ITEM = "check_item"
    ACCOUNT_EXPIRED = "account_expired"
    NOT_IN_SERVICE = "not_in_service"
    BLOCKED = "blocked"
    TOO_MANY_SESSIONS = "too_many_sessions"


class AcceptReason(StrEnum):
    """Under what head a login was accepted: the restricted ones say why the subscriber gets less than the plan."""

    FULL = "full"
    THROTTLED = "throttled"
    WALLED_GARDEN = "walled_garden"
    QUOTA_USED_UP = "quota_used_up"


class SilenceReason(StrEnum):
    """Why no answer was given, so that the NAS asks its other server."""

    STORE_TOO_OLD = "store_too_old"
    PROFILE_MISSING = "profile_missing"
    # A rate, pool or list that FreeRADIUS would send as zero: no answer is better than an unlimited line.
    VALUE_UNUSABLE = "value_unusable"
    UNKNOWN_NAS = "unknown_nas"


class PasswordCheck(Enum):
    """What is known of the password when the decision is taken."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"
    # MS-CHAPv2 and hashed secrets: FreeRADIUS's own modules check after us, and nothing is accepted without them.
    LATER = "later"
    # The form of the stored secret can't answer this kind of challenge (CHAP against a hash).
    IMPOSSIBLE = "impossible"


class AccessRequest(msgspec.Struct, frozen=True, gc=False):
    """What one Access-Request asks, normalised. `mac` is twelve lower-case hex digits or empty."""

    username: str
    mac: str
    circuit_id: str
    line: str
    password: PasswordCheck


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The operator's settings that bear on a decision.

    Units: `store_max_age_s` seconds, 0 for no limit; `sessions_max_age_s` is how old the list of live sessions may be
    before it no longer counts against a subscriber.
    """

    store_max_age_s: int = 0
    sessions_max_age_s: int = 300


class AccessContext(msgspec.Struct, frozen=True, gc=False):
    """What is known when the request is decided.

    `pending` are accepts of the last seconds that accounting does not know yet: they count however old the store is.
    Units: `checked_at` and `sessions_at`, as of when the policies and the live sessions are known, in epoch seconds.
    """

    nas: NasRecord | None
    account: AccountRecord | None
    sessions: tuple[LiveSession, ...]
    checked_at: float
    sessions_at: float
    own_check_matches: bool
    rules: AccessRules
    pending: tuple[LiveSession, ...] = ()


class Accept(msgspec.Struct, frozen=True, gc=False):
    """Let in, with the profile of `step`. `takes_over` names the ghost sessions this login stands in for."""

    reason: AcceptReason
    step: PolicyStep
    account: AccountRecord
    time_left_s: int
    takes_over: tuple[bytes, ...]


class Reject(msgspec.Struct, frozen=True, gc=False):
    """Refused, and told so."""

    reason: RejectReason
    detail: str


class Silence(msgspec.Struct, frozen=True, gc=False):
    """Not answered."""

    reason: SilenceReason
    detail: str


Decision = Accept | Reject | Silence

# Names of this module, because each login passes here: Python 3.11 runs a function to look up a member of an Enum, and
# two for its value.
_RIGHT: Final = PasswordCheck.RIGHT
_LATER: Final = PasswordCheck.LATER
_FULL_LEVEL: Final = Level.FULL
_FULL_REASON: Final = AcceptReason.FULL


def decide(request: AccessRequest, context: AccessContext, *, now: float) -> Decision:
    """Answer one Access-Request.

    A walled or throttled contract is accepted with its restricted profile, not refused: the payment page must stay
    reachable. The checks run in a written order, from what identifies the line to what limits it, and the first that
    fails names the refusal.

    Units: `now` in epoch seconds UTC.
    Source: RFC 2865 sections 4.1 to 4.3; docs/decisions/0001 and 0003.
    """
    nas, account, rules = context.nas, context.account, context.rules
    if nas is None:
        return Silence(SilenceReason.UNKNOWN_NAS, "no NAS is registered at this source address")
    age_s = now - context.checked_at
    if 0 < rules.store_max_age_s < age_s:
        return Silence(
            SilenceReason.STORE_TOO_OLD, f"policies are {age_s:.0f} s old, {rules.store_max_age_s} s allowed"
        )
    if account is None:
        return Reject(RejectReason.UNKNOWN_ACCOUNT, "no subscriber account has this username")
    refusal = _binding_refusal(request, nas, account) or _credential_refusal(request.password, account)
    if refusal is not None:
        return refusal
    if not context.own_check_matches:
        return Reject(RejectReason.CHECK_ITEM, "one of the account's own check attributes does not match the request")
    if NO_TIME_LIMIT < account.expires_at <= now:
        return Reject(RejectReason.ACCOUNT_EXPIRED, "the account's expiry has passed")
    step = step_at(account.steps, now)
    reason = _FULL_REASON if step.level is _FULL_LEVEL else _restricted_reason(step)
    if isinstance(reason, Reject):
        return reason
    ghosts: tuple[bytes, ...] = ()
    if context.sessions or context.pending:
        ghosts, others = _sessions_of(request, context, now)
        if 0 < account.max_sessions <= others:
            return Reject(RejectReason.TOO_MANY_SESSIONS, f"{others} online, {account.max_sessions} allowed")
    return Accept(reason, step, account, _time_left_s(account, now), ghosts)


def _time_left_s(account: AccountRecord, now: float) -> int:
    # Less than a second left is still a limit, and zero would be none.
    return max(1, int(account.expires_at - now)) if account.expires_at else NO_TIME_LIMIT


def step_at(steps: tuple[PolicyStep, ...], now: float) -> PolicyStep:
    """The step in force at `now`; the last one stays in force when its end has passed and no edge has said more."""
    for step in steps:
        if step.until == NO_TIME_LIMIT or now < step.until:
            return step
    return steps[-1]


def _mac_words(mac: str) -> str:
    """`02:00:5e:10:00:01` of twelve digits."""
    return ":".join(mac[at : at + 2] for at in range(0, len(mac), 2))


def _binding_refusal(request: AccessRequest, nas: NasRecord, account: AccountRecord) -> Reject | None:
    if nas.realms:
        _, _, realm = request.username.rpartition("@")
        if "@" not in request.username or realm not in nas.realms:
            return Reject(RejectReason.WRONG_REALM, f"NAS {nas.name} serves the realms {', '.join(nas.realms)}")
    if account.nas_ids and nas.nas_id not in account.nas_ids:
        return Reject(RejectReason.WRONG_NAS, f"the account is bound to other NASes than {nas.name}")
    if account.macs and request.mac not in account.macs:
        return Reject(RejectReason.WRONG_MAC, f"the account is bound to MAC {', '.join(map(_mac_words, account.macs))}")
    if account.circuit_ids and request.circuit_id not in account.circuit_ids:
        return Reject(RejectReason.WRONG_CIRCUIT, f"the account is bound to circuit {', '.join(account.circuit_ids)}")
    return None


def _credential_refusal(password: PasswordCheck, account: AccountRecord) -> Reject | None:
    if password is _RIGHT or password is _LATER:
        return None
    match password:
        case PasswordCheck.WRONG:
            return Reject(RejectReason.WRONG_PASSWORD, "the password does not match")
        case PasswordCheck.ABSENT:
            return Reject(RejectReason.NO_CREDENTIALS, "the request carries no password, CHAP or MS-CHAPv2 answer")
        case PasswordCheck.IMPOSSIBLE:
            kind = account.secret_kind.value or "none"
            return Reject(RejectReason.UNUSABLE_SECRET, f"a secret kept as {kind} can't answer this kind of login")
        case _:
            assert_never(password)


def _restricted_reason(step: PolicyStep) -> AcceptReason | Reject:
    match step.level:
        case Level.FULL:
            return AcceptReason.FULL
        case Level.THROTTLE:
            return (
                AcceptReason.QUOTA_USED_UP
                if step.reason == AcceptReason.QUOTA_USED_UP.value
                else AcceptReason.THROTTLED
            )
        case Level.WALLED:
            return AcceptReason.WALLED_GARDEN
        case Level.BLOCKED:
            return Reject(RejectReason.BLOCKED, step.reason)
        case Level.NONE:
            return Reject(RejectReason.NOT_IN_SERVICE, step.reason)
        case _:
            assert_never(step.level)


def _sessions_of(request: AccessRequest, context: AccessContext, now: float) -> tuple[tuple[bytes, ...], int]:
    """The account's ghosts and how many other sessions it has, so that nobody is locked out of the line that is theirs.

    An old session is a ghost, and the new login takes over, when it is on the same line or has been silent for too
    long. What accounting last said no longer counts at all once the list is older than `sessions_max_age_s`.
    """
    ghosts = tuple(s.session_key for s in context.sessions if s.stale or _same_line(request, context.nas, s))
    current = now - context.sessions_at <= context.rules.sessions_max_age_s
    others = len(context.sessions) - len(ghosts) if current else 0
    others += sum(not _same_line(request, context.nas, s) for s in context.pending)
    return ghosts, others


def _same_line(request: AccessRequest, nas: NasRecord | None, session: LiveSession) -> bool:
    """One access line carries one subscriber: the same MAC, or the same circuit of the same NAS.

    A port without a circuit id is often an interface that many subscribers share (RouterOS sends its name), so it says
    nothing about two MACs that differ: one password in two homes would pass for one line.
    """
    if request.mac and request.mac == session.mac:
        return True
    if nas is None or nas.nas_id != session.nas_id or not request.line or request.line != session.line:
        return False
    return bool(request.circuit_id) or not (request.mac and session.mac)
