"""Broken and hostile packets: nothing kills the daemon, nothing gets in that should not, nothing loops.

One server takes them all; after each test it is the same process and answers.
"""

import random
import re
import time

import pytest
from support.edge_process import wait_until
from support.radius_packets import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    ACCOUNTING_REQUEST,
    ACCT_SESSION_ID,
    ACCT_STATUS_TYPE,
    ADSL_FORUM,
    CALLED_STATION_ID,
    CALLING_STATION_ID,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    NAS_IDENTIFIER,
    NAS_IP_ADDRESS,
    NAS_PORT_ID,
    PROXY_STATE,
    STATE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
    access_request,
    attribute,
    build,
    chap,
    pap,
    read_packet,
    vendor,
)
from support.radius_server import NAS_SECRET, account_record, nas_record, radius_server

from radius_hooks.login_line import read_login_line
from radius_hooks.policy_records import OwnBlock, ReplyItem, SecretKind

pytestmark = pytest.mark.radius

LONG_NAME = "n" * 253
NAMES = (
    "ok",
    "anna@isp.example",
    "Anna@isp.example",
    "josé@isp.example",
    LONG_NAME,
    "%{User-Name}",
    "a b",
    "q\"u'o",
    "b\\s",
)
LATIN = "Torre Não".encode("latin-1")
GOOD = pap("secret", NAS_SECRET)

# The own check item of each account, and what a device sends that fulfils it.
CHECKED = {
    "by-service": ("Service-Type", "==", "Framed-User", "integer"),
    "by-protocol": ("Framed-Protocol", "==", "PPP", "integer"),
    "by-port-type": ("NAS-Port-Type", "==", "Ethernet", "integer"),
    "by-nas": ("NAS-Identifier", "==", "bras-7", "string"),
    "by-nas-address": ("NAS-IP-Address", "==", "10.9.8.7", "ipaddr"),
    "by-mac": ("Calling-Station-Id", "=~", "^AA:BB", "string"),
    "by-service-name": ("Called-Station-Id", "==", "pppoe-1", "string"),
    "by-own-name": ("User-Name", "=~", "^by-", "string"),
}
FULFILLING = (
    attribute(6, 2), attribute(7, 1), attribute(61, 15), attribute(NAS_IDENTIFIER, "bras-7"),
    attribute(NAS_IP_ADDRESS, bytes((10, 9, 8, 7))), attribute(CALLING_STATION_ID, "AA:BB:CC:00:00:01"),
    attribute(CALLED_STATION_ID, "pppoe-1"),
)  # fmt: skip


def fill(batch):
    for number, name in enumerate(NAMES, start=1):
        batch.put_account(name, account_record(number))
    batch.put_account("discreet", account_record(52, "hunter-two-hunter"))
    batch.put_account("bound", account_record(50, circuit_ids=("ff00fe",)))
    batch.put_account("mac", account_record(51, macs=("aabbcc000001",)))
    for number, (name, item) in enumerate(CHECKED.items(), start=60):
        own = (OwnBlock((ReplyItem(*item),), (), (), False),)
        batch.put_account(name, account_record(number, own=own))
    batch.put_nas("127.0.2.1/32", nas_record(7, require=False))


@pytest.fixture(scope="module")
def started():
    with radius_server(fill) as server:
        yield server


@pytest.fixture
def server(started):
    """The server, the same processes after the test as before, alive and answering logins."""
    pids = started.pids()
    yield started
    assert started.is_alive(), started.log.read_text()[-3000:]
    assert started.pids() == pids
    with started.device() as nas:
        assert nas.login("ok", "secret", timeout_s=120).code == ACCESS_ACCEPT


def ask(server, *attributes, timeout_s=120.0, source="127.0.0.1", **options):
    with server.device(source=source) as nas:
        return nas.ask(build(ACCESS_REQUEST, attributes, secret=NAS_SECRET, **options), timeout_s=timeout_s)


@pytest.mark.parametrize("name", ["josé@isp.example", LONG_NAME, "%{User-Name}", "a b", "q\"u'o", "b\\s"])
def test_an_odd_name_that_belongs_to_an_account_gets_in_as_itself(server, name):
    reply = ask(server, attribute(USER_NAME, name), GOOD)

    assert reply.code == ACCESS_ACCEPT
    assert server.last_login().username == name.encode()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"ok\0admin", "bad_username"),
        (b"ok\0", "bad_username"),
        (b"\0", "bad_username"),
        (b"ok\n", "bad_username"),
        (b"o\x1b[31mk", "bad_username"),
        (b"ok\x7f", "bad_username"),
        (b"ok\xc2\x85", "bad_username"),
        (b"ok\xff", "bad_username"),
        (b"\xed\xa0\x80", "bad_username"),
        (b"\xc0\xaf", "bad_username"),
        (b"\xf4\x90\x80\x80", "bad_username"),
        (b"\xf8\x88\x80\x80\x80", "bad_username"),
        (b"\xef\xbf\xbf", "unknown_account"),
        (b"1 accept full 127.0.0.1 1 x = = = = 1 =\n", "bad_username"),
        (b"ok ", "unknown_account"),
        (b"OK", "unknown_account"),
        (b"' OR 1=1 --", "unknown_account"),
        (b"%{expr:1 + 1}", "unknown_account"),
        (b"`id`", "unknown_account"),
        (b"anna@isp.example@isp.example", "unknown_account"),
        (b"anna@@isp.example", "unknown_account"),
        (b"@isp.example", "unknown_account"),
        (b"ANNA@ISP.EXAMPLE", "unknown_account"),
        (b"n" * 252, "unknown_account"),
        (b"\xe2\x80\xae" + b"ok", "unknown_account"),
    ],
)
def test_a_name_is_never_taken_for_another_subscribers(server, name, reason):
    reply = ask(server, attribute(USER_NAME, name), GOOD)

    assert reply.code == ACCESS_REJECT
    line = server.last_login()
    assert (line.outcome, line.reason, line.username, line.session_key) == ("reject", reason, name, b"")
    assert server.login_spool.read_bytes().count(b"\n") == len(server.logins())


def test_upper_and_lower_case_are_two_accounts(server):
    for name in ("anna@isp.example", "Anna@isp.example"):
        assert ask(server, attribute(USER_NAME, name), GOOD).code == ACCESS_ACCEPT
        assert server.last_login().username == name.encode()


@pytest.mark.parametrize("attributes", [(), (bytes([USER_NAME, 2]),)])
def test_a_request_without_a_name_is_refused(server, attributes):
    reply = ask(server, *attributes, GOOD)

    assert reply.code == ACCESS_REJECT
    assert server.last_login().reason == "bad_username"
    assert server.last_login().detail == "the username is empty or missing"


@pytest.mark.parametrize("number", [NAS_IDENTIFIER, NAS_PORT_ID, CALLED_STATION_ID, CALLING_STATION_ID, 18, 77, 11])
@pytest.mark.parametrize("credential", [GOOD, chap("secret"), chap("secret", challenge=b"0123456789abcdef")])
def test_octets_that_are_no_text_in_another_attribute_do_not_keep_a_subscriber_out(server, number, credential):
    reply = ask(server, attribute(USER_NAME, "ok"), credential, attribute(number, LATIN), attribute(PROXY_STATE, b"p"))

    assert reply.code == ACCESS_ACCEPT
    assert reply.all(PROXY_STATE) == [b"p"]
    assert server.last_login().username == b"ok"


def test_octets_that_are_no_text_in_a_vendors_attribute_do_not_keep_a_subscriber_out(server):
    reply = ask(server, attribute(USER_NAME, "ok"), GOOD, vendor(9, 1, b"x=\xff"), vendor(14988, 8, b"\xfe"))

    assert reply.code == ACCESS_ACCEPT


def test_a_wrong_password_beside_octets_that_are_no_text_is_still_wrong(server):
    reply = ask(server, attribute(USER_NAME, "ok"), pap(b"\xff\xfe", NAS_SECRET), attribute(NAS_PORT_ID, LATIN))

    assert reply.code == ACCESS_REJECT
    line = server.last_login()
    assert (line.reason, line.line) == ("wrong_password", "Torre N\\xe3o")


@pytest.mark.parametrize("odd", [b"", attribute(NAS_PORT_ID, b"caf\xe9")])
@pytest.mark.parametrize("name", CHECKED)
def test_an_own_check_item_holds_beside_octets_that_are_no_text_as_it_does_without(server, name, odd):
    user = attribute(USER_NAME, name)

    assert ask(server, user, GOOD, *FULFILLING, odd).code == ACCESS_ACCEPT
    if name != "by-own-name":
        assert ask(server, user, GOOD, odd).code == ACCESS_REJECT


def test_a_circuit_id_of_any_octets_is_compared_as_hex(server):
    bound = attribute(USER_NAME, "bound")
    assert ask(server, bound, GOOD, vendor(ADSL_FORUM, 1, b"\xff\x00\xfe")).code == ACCESS_ACCEPT
    assert server.last_login().line == "ff00fe"
    assert ask(server, bound, GOOD, vendor(ADSL_FORUM, 1, b"\xff\x00\xff")).code == ACCESS_REJECT
    assert server.last_login().reason == "wrong_circuit"


def test_of_a_repeated_attribute_the_first_counts_for_us_and_for_the_password_check(server):
    right, wrong = chap("secret", challenge=b"0123456789abcdef"), chap("wrong", challenge=b"0123456789abcdef")
    assert ask(server, attribute(USER_NAME, "ok"), right, wrong).code == ACCESS_ACCEPT
    assert ask(server, attribute(USER_NAME, "ok"), wrong, right).code == ACCESS_REJECT
    assert ask(server, attribute(USER_NAME, "nobody"), attribute(USER_NAME, "ok"), GOOD).code == ACCESS_REJECT
    macs = [attribute(CALLING_STATION_ID, f"AA-BB-CC-00-00-0{n}") for n in (2, 1)]
    assert ask(server, attribute(USER_NAME, "mac"), GOOD, *macs).code == ACCESS_REJECT
    assert server.last_login().mac == "aabbcc000002"


def test_a_packet_of_many_attributes_is_dropped_and_one_of_many_known_ones_is_answered(server):
    few = [attribute(NAS_PORT_ID, f"port {n}") for n in range(150)]
    assert ask(server, attribute(USER_NAME, "ok"), GOOD, *few).code == ACCESS_ACCEPT
    many = [attribute(77, "x") for _ in range(250)]
    assert ask(server, attribute(USER_NAME, "ok"), GOOD, *many, timeout_s=1.0) is None


@pytest.mark.parametrize(
    "extra",
    [
        vendor(99999, 3, b"\x00\xff" * 100),
        vendor(99999, 0, b""),
        attribute(VENDOR_SPECIFIC, b"\0\0\0\x09"),
        attribute(VENDOR_SPECIFIC, b"\0\0\0\x09\x01"),
        attribute(VENDOR_SPECIFIC, b"\0\0\0\x09\x01\xff"),
        attribute(241, b"\x01\x02"),
        attribute(255, b"\xff" * 253),
        attribute(STATE, b"\xff" * 253),
        attribute(NAS_IDENTIFIER, ""),
        attribute(5, b"\xff"),
        attribute(8, b"\xff" * 16),
        attribute(55, b"\xff\xff\xff\xff"),
    ],
)  # fmt: skip
def test_an_unknown_or_odd_attribute_changes_nothing(server, extra):
    assert ask(server, attribute(USER_NAME, "ok"), GOOD, extra).code == ACCESS_ACCEPT
    assert ask(server, attribute(USER_NAME, "ok"), pap("wrong", NAS_SECRET), extra).code == ACCESS_REJECT


@pytest.mark.parametrize(
    "attributes",
    [
        (attribute(CHAP_PASSWORD, b""), attribute(CHAP_CHALLENGE, b"")),
        (attribute(CHAP_PASSWORD, b"\x01"),),
        (attribute(CHAP_PASSWORD, b"\x01" * 253), attribute(CHAP_CHALLENGE, b"x" * 253)),
        (attribute(USER_PASSWORD, b"\xff" * 16),),
        (attribute(USER_PASSWORD, b"\xff" * 128),),
        (vendor(311, 25, b"\0" * 50), vendor(311, 11, b"\0")),
        (vendor(311, 1, b"\0" * 50), vendor(311, 11, b"\0" * 8)),
        (attribute(79, b"\x02\x00\x00\x05\x01"),),
    ],
)
def test_broken_credentials_grant_nothing(server, attributes):
    assert ask(server, attribute(USER_NAME, "ok"), *attributes).code == ACCESS_REJECT


def test_what_the_server_keeps_inside_can_not_be_set_from_outside(server):
    """Numbers above 255 can't travel, and the names of our attributes have only those."""
    names = (server.config_dir / "dictionary").read_text()
    assert all(int(number) > 255 for number in re.findall(r"^ATTRIBUTE\s+\S+\s+(\d+)", names, re.MULTILINE))


@pytest.mark.parametrize("code", [0, 2, 3, 4, 5, 11, 13, 40, 43, 255])
def test_other_codes_on_the_authentication_port_are_not_answered(server, code):
    request = bytearray(access_request("ok", GOOD, secret=NAS_SECRET))
    request[0] = code
    with server.device() as nas:
        nas.send(bytes(request))
        nas.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            nas.socket.recv(4096)


def test_truncated_and_padded_packets_are_dropped_or_read_as_their_length_says(server):
    request = access_request("ok", GOOD, secret=NAS_SECRET)
    with server.device() as nas:
        for length in range(len(request)):
            nas.send(request[:length])
        # RFC 2865 section 3: octets beyond the length are padding.
        assert nas.ask(request + b"padding").code == ACCESS_ACCEPT


def test_zero_length_attributes_are_dropped(server):
    for number in range(256):
        broken = build(ACCESS_REQUEST, [attribute(USER_NAME, "ok"), GOOD, bytes([number, 0])], secret=NAS_SECRET)
        with server.device() as nas:
            nas.send(broken)


def test_the_same_request_three_times_is_one_decision_and_one_line(server):
    request = access_request("ok", GOOD, secret=NAS_SECRET)
    lines = len(server.logins())
    with server.device() as nas:
        replies = [nas.ask(request) for _ in range(3)]

    assert len({reply.octets for reply in replies}) == 1
    assert len(server.logins()) == lines + 1


def test_the_same_request_again_after_six_seconds_is_a_new_login(server):
    request = access_request("ok", GOOD, secret=NAS_SECRET)
    with server.device() as nas:
        first, lines = nas.ask(request), len(server.logins())
        time.sleep(5)  # cleanup_delay, the time that the answer is remembered; a little more on a busy machine
        second = wait_until(lambda: (again := nas.ask(request)).octets != first.octets and again)

    assert (first.code, second.code) == (ACCESS_ACCEPT, ACCESS_ACCEPT)
    assert first.one(25) != second.one(25)
    assert len(server.logins()) == lines + 1


def test_the_same_identifier_with_a_new_authenticator_is_a_new_request(server):
    with server.device() as nas:
        accepted = nas.ask(access_request("ok", GOOD, secret=NAS_SECRET, identifier=9))
        refused = nas.ask(access_request("ok", pap("wrong", NAS_SECRET), secret=NAS_SECRET, identifier=9))

    assert (accepted.code, refused.code) == (ACCESS_ACCEPT, ACCESS_REJECT)


def test_proxy_state_comes_back_as_it_was_in_order(server):
    states = [bytes([n]) * n for n in (1, 17, 253)]
    proxied = [attribute(PROXY_STATE, state) for state in states]
    for credential in (GOOD, pap("wrong", NAS_SECRET)):
        assert ask(server, attribute(USER_NAME, "ok"), credential, *proxied).all(PROXY_STATE) == states


def test_fuzzed_packets_do_no_harm(server):
    chance = random.Random(20261121)
    seeds = [
        access_request("ok", GOOD, secret=NAS_SECRET, extra=[vendor(9, 1, b"a=b"), attribute(NAS_PORT_ID, "x")]),
        access_request("ok", chap("secret"), secret=NAS_SECRET, signed=False),
        build(ACCOUNTING_REQUEST, [attribute(ACCT_STATUS_TYPE, 1), attribute(ACCT_SESSION_ID, "s")], secret=NAS_SECRET),
    ]
    accepted = 0
    # A device that need not sign, so that changed packets get past the first door.
    with server.device(source="127.0.2.1") as nas, server.device(source="127.0.2.1", accounting=True) as accounting:
        for number in range(3000):
            octets = bytearray(chance.choice(seeds))
            octets[1] = number % 256
            for _ in range(chance.randint(1, 8)):
                octets[chance.randrange(20, len(octets))] = chance.randrange(256)
            if chance.random() < 0.2:
                del octets[chance.randrange(20, len(octets)) :]
            octets[2:4] = (len(octets) if chance.random() < 0.9 else chance.randrange(65536)).to_bytes(2, "big")
            (accounting if number % 5 == 0 else nas).send(bytes(octets))
            if number % 50 == 0:
                accepted += drain(nas)
        accepted += drain(nas, quiet_s=1.0)
    # The seeds hold right passwords, so what spoils neither name nor password is let in; nobody else is.
    lines = [read_login_line(line) for line in server.logins()]
    assert {line.username for line in lines if line.outcome == "accept"} <= {
        name.encode() for name in (*NAMES, *CHECKED, "bound", "mac")
    }
    assert accepted > 0


def drain(device, quiet_s=0.01):
    """Read what has come; how many of them were accepts."""
    accepted = 0
    device.socket.settimeout(quiet_s)
    while True:
        try:
            accepted += read_packet(device.socket.recv(4096)).code == ACCESS_ACCEPT
        except TimeoutError:
            return accepted


@pytest.mark.parametrize(
    ("extra", "written"),
    [
        (attribute(USER_NAME, b"ok\xff\0x"), r'User-Name = "ok\377\000x"'),
        (attribute(NAS_PORT_ID, LATIN), r'NAS-Port-Id = "Torre N\343o"'),
        (attribute(USER_NAME, b'a\nb\tc"d\\e'), r'User-Name = "a\nb\tc\"d\\e"'),
        (attribute(USER_NAME, b"%{User-Name}"), 'User-Name = "%{User-Name}"'),
        (vendor(ADSL_FORUM, 1, b"\0\xff"), "ADSL-Agent-Circuit-Id = 0x00ff"),
        (vendor(99999, 3, b"\xff"), "Attr-26.99999.3 = 0xff"),
    ],
)
def test_accounting_of_any_octets_is_answered_and_recorded_as_it_came(server, extra, written):
    session = f"s-{time.monotonic_ns()}"
    with server.device(accounting=True) as nas:
        assert nas.account(1, session, extra) is not None

    record = next(one for one in server.accounting_spool.read_text().split("\n\n") if session in one)
    assert f"\t{written}\n" in record
    assert record.rstrip().rpartition("\n")[2].startswith("\tTimestamp = ")


def test_no_password_or_shared_secret_is_in_any_log(server):
    right = "hunter-two-hunter"
    for credential in (
        pap(right, NAS_SECRET),
        chap(right),
        pap("a-wrong-one", NAS_SECRET),
        pap(b"latin\xff", NAS_SECRET),
    ):
        ask(server, attribute(USER_NAME, "discreet"), credential)
        ask(server, attribute(USER_NAME, "discreet"), credential, attribute(NAS_PORT_ID, LATIN))
    assert server.last_login().username == b"discreet"

    written = [path for path in server.base.rglob("*") if path.is_file() and "policy" not in path.parts]
    logs = {path: path.read_bytes() for path in written if path.name not in ("status.secret", "secrets.key")}
    assert server.login_spool in logs
    for path, octets in logs.items():
        for word in (NAS_SECRET, right.encode(), b"a-wrong-one", b"latin"):
            assert word not in octets, path


def test_names_can_not_forge_log_lines_or_colours(server):
    before = len(server.log.read_bytes())
    for name in (b"x\nFri : Info: forged", b"\x1b[31mred"):
        ask(server, attribute(USER_NAME, name), GOOD)

    said = server.log.read_bytes()[before:]
    assert b"\x1b" not in said
    assert b"forged" not in said


def test_an_account_without_a_secret_can_not_be_entered_by_any_method(server):
    server.change(
        lambda batch: batch.put_account("bare", account_record(60, secret_kind=SecretKind.NO_SECRET, sealed_secret=b""))
    )
    for credential in (pap("", NAS_SECRET), chap(""), pap("x", NAS_SECRET)):
        assert ask(server, attribute(USER_NAME, "bare"), credential).code == ACCESS_REJECT
