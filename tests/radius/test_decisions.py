"""Every reason of the decision, on the wire and in the login line it leaves; what an accept carries."""

import time

import msgspec
import pytest
from support.edge_process import wait_until
from support.radius_packets import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCT_INTERIM_INTERVAL,
    ADSL_FORUM,
    CALLING_STATION_ID,
    CLASS,
    FRAMED_IP_ADDRESS,
    FRAMED_POOL,
    IDLE_TIMEOUT,
    MESSAGE_AUTHENTICATOR,
    MIKROTIK,
    NAS_PORT_ID,
    REPLY_MESSAGE,
    SESSION_TIMEOUT,
    attribute,
    vendor,
)
from support.radius_server import (
    FULL_PROFILE,
    SEALER,
    THROTTLE_PROFILE,
    WALLED_PROFILE,
    account_record,
    live_session,
    meta,
    nas_record,
    profile_record,
    radius_server,
    step,
)

from radius_hooks.policy_records import Level, OwnBlock, ReplyItem, SecretKind
from radius_hooks.sealing import account_row

pytestmark = pytest.mark.radius

RATE_LIMIT, ADDRESS_LIST = 8, 19
LONG_PROFILE, MISSING_PROFILE, BROKEN_PROFILE = 10, 11, 12
MAC = attribute(CALLING_STATION_ID, "AA:BB:CC:00:00:01")
OTHER_MAC = attribute(CALLING_STATION_ID, "AA:BB:CC:00:00:02")
THIRD_MAC = attribute(CALLING_STATION_ID, "AA:BB:CC:00:00:03")
CIRCUIT = vendor(ADSL_FORUM, 1, b"olt-1 eth 0/1/2:100")

STATIC = (
    ReplyItem("Framed-IP-Address", ":=", "192.0.2.77", "ipaddr"),
    ReplyItem("Framed-Route", "+=", "198.51.100.0/24 0.0.0.0 1", "string"),
)
OWN_ADDRESS = [("Framed-IP-Address", ":=", "192.0.2.99", "ipaddr")]


def one_step(profile_id, level, reason):
    return (step(profile_id, level, reason),)


def own(*, check=(), reply=()):
    return (OwnBlock(tuple(ReplyItem(*i) for i in check), (), tuple(ReplyItem(*i) for i in reply), False),)


def accounts(now):
    """Each account is in the one state that its name says."""
    over = [("Mikrotik-Rate-Limit", ":=", "900M/900M", "string"), ("Reply-Message", "=", "hello", "string")]
    return {
        "plain": {},
        "throttled": {"steps": one_step(THROTTLE_PROFILE, Level.THROTTLE, "dunning")},
        "over-quota": {"steps": one_step(THROTTLE_PROFILE, Level.THROTTLE, "quota_used_up")},
        "walled": {"steps": one_step(WALLED_PROFILE, Level.WALLED, "dunning")},
        "blocked": {"steps": one_step(0, Level.BLOCKED, "abuse")},
        "ended": {"steps": one_step(0, Level.NONE, "contract ended")},
        "expired": {"expires_at": int(now) - 1},
        "expiring": {"expires_at": int(now) + 3600, "steps": (step(LONG_PROFILE),)},
        "other-nas": {"nas_ids": (99,)},
        "bound-mac": {"macs": ("aabbcc000001",)},
        "bound-circuit": {"circuit_ids": ("olt-1 eth 0/1/2:100",)},
        "checked": {"own": own(check=[("Service-Type", "==", "Framed-User", "integer")])},
        "own-full": {"own": own(reply=over)},
        "own-walled": {"own": own(reply=over), "steps": one_step(WALLED_PROFILE, Level.WALLED, "dunning")},
        "static": {"reply": (ReplyItem("Framed-IP-Address", ":=", "192.0.2.77", "ipaddr"),)},
        "bad-static": {"reply": (ReplyItem("Framed-IP-Address", ":=", "999.0.2.77", "ipaddr"),)},
        "long": {"steps": (step(LONG_PROFILE),)},
        "own-address": {"own": own(reply=OWN_ADDRESS), "reply": STATIC, "steps": (step(LONG_PROFILE),)},
        "own-address-slow": {
            "own": own(reply=OWN_ADDRESS),
            "reply": STATIC,
            "steps": one_step(LONG_PROFILE, Level.THROTTLE, "dunning"),
        },
        "own-address-walled": {
            "own": own(reply=OWN_ADDRESS),
            "reply": STATIC,
            "steps": one_step(LONG_PROFILE, Level.WALLED, "dunning"),
        },
        "static-walled": {"reply": STATIC, "steps": one_step(LONG_PROFILE, Level.WALLED, "dunning")},
        "static-listed": {"reply": STATIC, "steps": one_step(WALLED_PROFILE, Level.WALLED, "dunning")},
        "no-profile": {"steps": (step(MISSING_PROFILE),)},
        "broken": {"steps": (step(BROKEN_PROFILE),)},
        "single": {"max_sessions": 1},
        "same-line": {"max_sessions": 1},
        "same-port": {"max_sessions": 1},
        "same-circuit": {"max_sessions": 1},
        "stale": {"max_sessions": 1},
        "racer": {"max_sessions": 1},
        "two-homes": {"max_sessions": 2},
        "redialer": {"max_sessions": 1},
        "promised": {
            "steps": (
                step(FULL_PROFILE, until=int(now) + 3),
                step(WALLED_PROFILE, Level.WALLED, "dunning"),
            )
        },
    }


def fill(batch):
    now = time.time()
    ids = {}
    for number, (name, changed) in enumerate(accounts(now).items(), start=1):
        batch.put_account(name, account_record(number, **changed))
        ids[name] = number
    batch.put_account("anna@home.example", account_record(200))
    batch.put_account("anna@other.example", account_record(201))
    batch.put_sessions(ids["single"], (live_session(mac="aabbcc000001", line="port 1"),))
    batch.put_sessions(ids["same-line"], (live_session(mac="aabbcc000001", line="port 1"),))
    batch.put_sessions(ids["same-port"], (live_session(mac="aabbcc000001", line="port 1"),))
    batch.put_sessions(ids["same-circuit"], (live_session(mac="aabbcc000001", line="olt-1 eth 0/1/2:100"),))
    batch.put_sessions(ids["stale"], (live_session(mac="aabbcc000001", line="port 1", stale=True),))
    batch.put_nas("127.0.0.2/32", nas_record(2, realms=("home.example",)))
    items = (("Mikrotik-Rate-Limit", "10M/10M", "string"), ("Framed-Pool", "pool-a", "string"))
    timed = {"session_timeout_s": 86400, "idle_timeout_s": 900, "interim_interval_s": 600}
    batch.put_profile(LONG_PROFILE, "mikrotik", profile_record(LONG_PROFILE, *items, **timed))
    broken = ("Mikrotik-Recv-Limit", "5000000000", "integer")
    batch.put_profile(BROKEN_PROFILE, "mikrotik", profile_record(BROKEN_PROFILE, items[0], broken))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


def login(server, name, *extra, source="127.0.0.1", password="secret", timeout_s=120.0):
    with server.device(source=source) as nas:
        return nas.login(name, password, *extra, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("name", "extra", "reason"),
    [
        ("nobody", (), "unknown_account"),
        ("PLAIN", (), "unknown_account"),
        ("plain ", (), "unknown_account"),
        ("blocked", (), "blocked"),
        ("ended", (), "not_in_service"),
        ("expired", (), "account_expired"),
        ("other-nas", (), "wrong_nas"),
        ("bound-mac", (OTHER_MAC,), "wrong_mac"),
        ("bound-mac", (), "wrong_mac"),
        ("bound-circuit", (vendor(ADSL_FORUM, 1, b"olt-1 eth 0/1/2:101"),), "wrong_circuit"),
        ("checked", (attribute(6, 1),), "check_item"),
        ("checked", (), "check_item"),
        ("single", (OTHER_MAC,), "too_many_sessions"),
        ("single", (), "too_many_sessions"),
        ("single", (attribute(NAS_PORT_ID, "port 1"), OTHER_MAC), "too_many_sessions"),
    ],
)
def test_a_refusal_is_an_access_reject_with_its_reason_in_the_line(server, name, extra, reason):
    reply = login(server, name, *extra)

    assert reply.code == ACCESS_REJECT
    assert [number for _, number, _ in reply.attributes] == [MESSAGE_AUTHENTICATOR]
    line = server.last_login()
    assert (line.outcome, line.reason, line.username) == ("reject", reason, name.encode())
    assert line.nas_id == 1


@pytest.mark.parametrize(
    ("name", "reason", "rate", "lists"),
    [
        ("plain", "full", [b"10M/100M"], []),
        ("throttled", "throttled", [b"1M/1M"], []),
        ("over-quota", "quota_used_up", [b"1M/1M"], []),
        ("walled", "walled_garden", [b"512k/512k"], [b"walled"]),
        ("own-full", "full", [b"900M/900M"], []),
        ("own-walled", "walled_garden", [b"512k/512k"], [b"walled"]),
    ],
)
def test_an_accept_carries_the_profile_of_its_level(server, name, reason, rate, lists):
    reply = login(server, name)

    assert reply.code == ACCESS_ACCEPT
    assert reply.all(RATE_LIMIT, MIKROTIK) == rate
    assert reply.all(ADDRESS_LIST, MIKROTIK) == lists
    assert server.last_login().reason == reason


def test_own_attributes_that_restrict_nothing_are_sent_in_the_walled_garden_too(server):
    assert login(server, "own-walled").one(REPLY_MESSAGE) == b"hello"


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("bound-mac", attribute(CALLING_STATION_ID, "aa-bb-cc-00-00-01")),
        ("bound-mac", attribute(CALLING_STATION_ID, "aabb.cc00.0001")),
        ("bound-mac", attribute(CALLING_STATION_ID, "AABBCC000001")),
        ("bound-circuit", CIRCUIT),
        ("checked", attribute(6, 2)),
        ("same-line", MAC),
        ("same-port", attribute(NAS_PORT_ID, "port 1")),
        ("same-circuit", CIRCUIT + OTHER_MAC),
        ("stale", OTHER_MAC),
    ],
)
def test_the_right_line_gets_in_whatever_its_device_spells(server, name, extra):
    assert login(server, name, extra).code == ACCESS_ACCEPT


def test_the_line_says_who_from_where_and_with_which_policy(server):
    reply = login(server, "plain", MAC, CIRCUIT, attribute(NAS_PORT_ID, "ether1"))

    line = server.last_login()
    assert (line.mac, line.line, line.source, line.nas_id) == ("aabbcc000001", "olt-1 eth 0/1/2:100", "127.0.0.1", 1)
    assert line.packet_id == reply.identifier
    assert abs(line.microseconds / 1e6 - time.time()) < 120
    assert reply.one(CLASS) == b"CO1" + line.session_key + line.policy_version
    assert line.policy_version == b"profacct"


def test_a_realm_is_served_only_where_it_belongs(server):
    assert login(server, "anna@home.example", source="127.0.0.2").code == ACCESS_ACCEPT
    assert login(server, "anna@other.example", source="127.0.0.2").code == ACCESS_REJECT
    assert server.last_login().reason == "wrong_realm"
    assert login(server, "plain", source="127.0.0.2").code == ACCESS_REJECT
    assert login(server, "anna@other.example").code == ACCESS_ACCEPT


def test_timeouts_have_their_jitter_within_its_bounds(server):
    replies = [login(server, "long") for _ in range(20)]

    sessions = {reply.number(SESSION_TIMEOUT) for reply in replies}
    interims = {reply.number(ACCT_INTERIM_INTERVAL) for reply in replies}
    assert {reply.number(IDLE_TIMEOUT) for reply in replies} == {900}
    assert {reply.one(FRAMED_POOL) for reply in replies} == {b"pool-a"}
    # Ten per cent: the session shorter only, the interval both ways.
    assert all(77760 <= seconds <= 86400 for seconds in sessions)
    assert all(540 <= seconds <= 660 for seconds in interims)
    assert len(sessions) > 10
    assert len(interims) > 5


def test_a_session_never_outlives_its_account(server):
    assert 3000 < login(server, "expiring").number(SESSION_TIMEOUT) <= 3600


def test_a_static_address_is_sent_and_a_broken_one_is_left_out(server):
    assert login(server, "static").one(FRAMED_IP_ADDRESS) == bytes([192, 0, 2, 77])
    assert login(server, "bad-static").one(FRAMED_IP_ADDRESS) is None
    assert "Framed-IP-Address := '999.0.2.77' is no valid ipaddr" in server.log.read_text()


@pytest.mark.parametrize(
    ("name", "address", "pool", "routes"),
    [
        ("own-address", bytes((192, 0, 2, 99)), b"pool-a", 1),
        ("own-address-slow", bytes((192, 0, 2, 99)), b"pool-a", 1),
        ("own-address-walled", None, b"pool-a", 0),
        ("static-walled", None, b"pool-a", 0),
        ("static-listed", bytes((192, 0, 2, 77)), None, 1),
    ],
)
def test_no_address_leads_around_the_pool_of_the_walled_garden(server, name, address, pool, routes):
    reply = login(server, name)

    assert reply.one(FRAMED_IP_ADDRESS) == address
    assert reply.one(FRAMED_POOL) == pool
    assert len(reply.all(22)) == routes


@pytest.mark.parametrize(
    ("name", "words"),
    [("no-profile", "profile_missing"), ("broken", "value_unusable: Mikrotik-Recv-Limit")],
)
def test_a_line_without_its_limits_is_not_answered_at_all(server, name, words):
    lines = len(server.logins())

    assert login(server, name, timeout_s=1.0) is None
    wait_until(lambda: f"no answer, {words}" in server.log.read_text())
    assert len(server.logins()) == lines


def test_two_logins_in_the_same_second_do_not_share_one_place(server):
    with server.device() as one, server.device() as two:
        first, second = one.login("racer", "secret", MAC), two.login("racer", "secret", OTHER_MAC)

    assert (first.code, second.code) == (ACCESS_ACCEPT, ACCESS_REJECT)
    line = server.last_login()
    assert (line.reason, line.detail) == ("too_many_sessions", "1 online, 1 allowed")


def test_homes_that_share_a_port_take_a_place_each_in_the_same_second(server):
    port = attribute(NAS_PORT_ID, "ether1")
    with server.device() as nas:
        codes = [nas.login("two-homes", "secret", mac, port).code for mac in (MAC, OTHER_MAC, THIRD_MAC)]

    assert codes == [ACCESS_ACCEPT, ACCESS_ACCEPT, ACCESS_REJECT]


def test_a_wrong_password_takes_no_place_and_the_same_line_may_redial(server):
    wrong = login(server, "redialer", OTHER_MAC, password="wrong")
    again = [login(server, "redialer", MAC).code for _ in range(3)]

    assert wrong.code == ACCESS_REJECT
    assert again == [ACCESS_ACCEPT] * 3
    assert login(server, "redialer", THIRD_MAC).code == ACCESS_REJECT


def test_a_promise_that_ends_walls_the_line_at_its_minute_without_anybody_saying_so(server):
    deadline = time.monotonic() + 240
    seen = []
    while time.monotonic() < deadline and (not seen or seen[-1] != b"512k/512k"):
        seen.append(login(server, "promised").one(RATE_LIMIT, MIKROTIK))
        time.sleep(0.1)

    assert seen[-1] == b"512k/512k"
    assert set(seen) <= {b"10M/100M", b"512k/512k"}


def test_a_store_that_nobody_checked_for_longer_than_allowed_is_silent():
    def old(batch):
        batch.put_account("plain", account_record(1))
        batch.put_meta(meta(checked_at=time.time() - 100))

    with radius_server(old, access={"store_max_age_s": 60}) as server, server.device() as nas:
        assert nas.login("plain", "secret", timeout_s=1.0) is None
        wait_until(lambda: "no answer, store_too_old" in server.log.read_text())

        server.change(lambda batch: batch.put_meta(meta()))
        assert nas.login("plain", "secret").code == ACCESS_ACCEPT


@pytest.mark.parametrize("late", ["checked_at", "accounting_read_to"])
def test_old_knowledge_of_sessions_never_locks_a_subscriber_out_but_the_last_seconds_still_count(late):
    nt_hash = bytes.fromhex("878D8014606CDA29677A44EFA1353FC7")
    hashed = {"secret_kind": SecretKind.NT, "sealed_secret": SEALER.seal(nt_hash, row=account_row(2))}

    def old(batch):
        batch.put_account("single", account_record(1, max_sessions=1))
        batch.put_account("hashed", account_record(2, max_sessions=1, **hashed))
        for number in (1, 2):
            batch.put_sessions(number, (live_session(mac="aabbcc000009"),))
        batch.put_meta(meta(**{late: time.time() - 1000}))

    with radius_server(old, access={"sessions_max_age_s": 300}) as server, server.device() as nas:
        for name in ("single", "hashed"):
            assert nas.login(name, "secret", MAC).code == ACCESS_ACCEPT
            assert nas.login(name, "secret", OTHER_MAC).code == ACCESS_REJECT


def test_a_change_in_the_store_is_answered_at_the_next_login(server):
    name = "plain"
    account = account_record(1)
    try:
        server.change(
            lambda batch: batch.put_account(
                name, msgspec.structs.replace(account, steps=(step(WALLED_PROFILE, Level.WALLED, "x"),))
            )
        )
        assert login(server, name).all(ADDRESS_LIST, MIKROTIK) == [b"walled"]
    finally:
        server.change(lambda batch: batch.put_account(name, account))
    assert login(server, name).all(ADDRESS_LIST, MIKROTIK) == []
