import msgspec
import pytest

from radius_hooks.decision import (
    Accept,
    AcceptReason,
    AccessContext,
    AccessRequest,
    AccessRules,
    PasswordCheck,
    Reject,
    RejectReason,
    Silence,
    SilenceReason,
    decide,
    step_at,
)
from radius_hooks.policy_records import AccountRecord, Level, LiveSession, NasRecord, PolicyStep, SecretKind

NOW = 1_000_000.0
NAS = NasRecord(1, "bras", "mikrotik", b"", True, ())
ACCOUNT = AccountRecord(
    7, 7, SecretKind.CLEAR, b"x", (PolicyStep(0, Level.FULL, "full", 1),), 0, 0, (), (), (), (), (), b"acct"
)
REQUEST = AccessRequest("anna", "aabbcc000001", "circuit", "port 1", PasswordCheck.RIGHT)
CONTEXT = AccessContext(NAS, ACCOUNT, (), NOW, NOW, True, AccessRules())


def session(*, mac="", line="", nas_id=1, stale=False, key=b"k" * 16):
    return LiveSession(key, nas_id, mac, line, stale)


def decided(*, request=None, context=None, account=None):
    record = msgspec.structs.replace(ACCOUNT, **(account or {}))
    asked = msgspec.structs.replace(REQUEST, **(request or {}))
    known = msgspec.structs.replace(CONTEXT, **({"account": record} | (context or {})))
    return decide(asked, known, now=NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"context": {"account": None}}, RejectReason.UNKNOWN_ACCOUNT),
        ({"context": {"nas": msgspec.structs.replace(NAS, realms=("x",))}}, RejectReason.WRONG_REALM),
        ({"account": {"nas_ids": (2,)}}, RejectReason.WRONG_NAS),
        ({"account": {"macs": ("aabbcc000002",)}}, RejectReason.WRONG_MAC),
        ({"account": {"circuit_ids": ("other",)}}, RejectReason.WRONG_CIRCUIT),
        ({"request": {"password": PasswordCheck.WRONG}}, RejectReason.WRONG_PASSWORD),
        ({"request": {"password": PasswordCheck.ABSENT}}, RejectReason.NO_CREDENTIALS),
        ({"request": {"password": PasswordCheck.IMPOSSIBLE}}, RejectReason.UNUSABLE_SECRET),
        ({"context": {"own_check_matches": False}}, RejectReason.CHECK_ITEM),
        ({"account": {"expires_at": int(NOW)}}, RejectReason.ACCOUNT_EXPIRED),
        ({"account": {"steps": (PolicyStep(0, Level.NONE, "ended", 0),)}}, RejectReason.NOT_IN_SERVICE),
        ({"account": {"steps": (PolicyStep(0, Level.BLOCKED, "abuse", 0),)}}, RejectReason.BLOCKED),
        ({"account": {"max_sessions": 1}, "context": {"sessions": (session(),)}}, RejectReason.TOO_MANY_SESSIONS),
        ({"account": {"max_sessions": 1}, "context": {"pending": (session(),)}}, RejectReason.TOO_MANY_SESSIONS),
    ],
)
def test_each_refusal_has_its_reason(change, reason):
    decision = decided(**change)
    assert isinstance(decision, Reject)
    assert decision.reason is reason


@pytest.mark.parametrize(
    ("level", "step_reason", "reason"),
    [
        (Level.FULL, "full", AcceptReason.FULL),
        (Level.THROTTLE, "dunning", AcceptReason.THROTTLED),
        (Level.THROTTLE, "quota_used_up", AcceptReason.QUOTA_USED_UP),
        (Level.WALLED, "dunning", AcceptReason.WALLED_GARDEN),
    ],
)
def test_each_level_that_is_let_in_has_its_reason(level, step_reason, reason):
    decision = decided(account={"steps": (PolicyStep(0, level, step_reason, 3),)})
    assert isinstance(decision, Accept)
    assert (decision.reason, decision.step.profile_id) == (reason, 3)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"nas": None}, SilenceReason.UNKNOWN_NAS),
        ({"checked_at": NOW - 61, "rules": AccessRules(store_max_age_s=60)}, SilenceReason.STORE_TOO_OLD),
    ],
)
def test_what_can_not_be_answered_is_silence(context, reason):
    decision = decided(context=context)
    assert isinstance(decision, Silence)
    assert decision.reason is reason


@pytest.mark.parametrize(
    "ghost",
    [
        session(mac="aabbcc000001"),
        session(mac="aabbcc000001", nas_id=9),
        session(line="port 1"),
        session(mac="ffffffffffff", line="port 9", stale=True),
    ],
)
def test_an_old_session_of_the_same_line_is_taken_over(ghost):
    decision = decided(account={"max_sessions": 1}, context={"sessions": (ghost,)})
    assert isinstance(decision, Accept)
    assert decision.takes_over == (b"k" * 16,)


@pytest.mark.parametrize(
    "other", [session(), session(line="port 1", nas_id=2), session(mac="aabbcc000002", line="port 2")]
)
def test_a_session_elsewhere_is_no_ghost(other):
    assert isinstance(decided(account={"max_sessions": 1}, context={"sessions": (other,)}), Reject)


def test_nothing_known_of_the_line_never_makes_two_sessions_one():
    empty = {"mac": "", "line": ""}
    assert isinstance(decided(request=empty, account={"max_sessions": 1}, context={"sessions": (session(),)}), Reject)


def test_an_old_list_of_sessions_does_not_count_but_the_accepts_of_the_last_seconds_do():
    old = {"sessions_at": NOW - 301}
    assert isinstance(decided(account={"max_sessions": 1}, context=old | {"sessions": (session(),)}), Accept)
    assert isinstance(decided(account={"max_sessions": 1}, context=old | {"pending": (session(),)}), Reject)


def test_a_pending_login_of_the_same_line_is_replaced():
    assert isinstance(decided(account={"max_sessions": 1}, context={"pending": (session(mac="aabbcc000001"),)}), Accept)


def test_less_than_a_second_of_an_account_is_not_no_limit():
    decision = decide(
        REQUEST,
        msgspec.structs.replace(CONTEXT, account=msgspec.structs.replace(ACCOUNT, expires_at=1_000_001)),
        now=NOW + 0.5,
    )
    assert isinstance(decision, Accept)
    assert decision.time_left_s == 1


def test_the_step_in_force_changes_at_its_minute_and_the_last_one_stays():
    first, last = PolicyStep(100, Level.FULL, "full", 1), PolicyStep(200, Level.WALLED, "dunning", 2)
    assert step_at((first, last), 99.9) is first
    assert step_at((first, last), 100) is last
    assert step_at((first, last), 500) is last


@pytest.mark.parametrize(
    ("asking", "online", "same"),
    [
        # RouterOS names the interface in NAS-Port-Id: all subscribers behind it come with the same word.
        ({"circuit_id": "", "line": "ether2"}, session(mac="aabbcc000002", line="ether2"), False),
        ({"circuit_id": "", "line": "ether2"}, session(mac="", line="ether2"), True),
        ({"circuit_id": "", "line": "ether2", "mac": ""}, session(mac="aabbcc000002", line="ether2"), True),
        # A new router on the same circuit is the subscriber's own.
        ({"circuit_id": "olt1/3/7", "line": "olt1/3/7"}, session(mac="aabbcc000002", line="olt1/3/7"), True),
        ({"circuit_id": "olt1/3/7", "line": "olt1/3/7"}, session(mac="aabbcc000002", line="olt1/3/8"), False),
    ],
)
def test_a_shared_port_makes_no_two_homes_one_line_but_a_circuit_does(asking, online, same):
    decision = decided(request=asking, account={"max_sessions": 1}, context={"sessions": (online,)})
    assert isinstance(decision, Accept) is same
