"""Passwords on the wire, in daemon mode: right ones get in, others do not, and the login line says why."""

import base64
import hashlib
import re

import msgspec
import pytest
from support.radius_packets import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    MICROSOFT,
    access_request,
    attribute,
    chap,
    pap,
    vendor,
)
from support.radius_server import NAS_SECRET, SEALER, account_record, radius_server

from nas_drivers.simulated.credentials import mschapv2_attributes, mschapv2_success
from radius_hooks.login_line import read_login_line
from radius_hooks.policy_records import SecretKind
from radius_hooks.sealing import account_row

pytestmark = pytest.mark.radius

PASSWORDS = {"anna": "secret", "bruno": 'back\\slash"n\\n%{User-Name}', "chiara": "perché no?", "dino": "0x41424344"}
CHALLENGE, PEER = bytes(range(16)), bytes(range(16, 32))
# "secret" in the forms that other systems keep; SHA-1 and SHA-256 worked out here, the NT hash is the known one.
HASHES = {
    "crypt": (SecretKind.CRYPT, b"$6$corrente$vQcYp2M3ZP4FBWS45DO36zBcRbnHPdiv15E9qyEnwbE2tkMQYr6aZN7uOyCIfNHYERzJIssA7h04d9OBs.IQE1"),
    "nt": (SecretKind.NT, b"878D8014606CDA29677A44EFA1353FC7"),
    "md5": (SecretKind.MD5, hashlib.md5(b"secret").hexdigest().encode()),
    "ssha1": (SecretKind.SSHA1, base64.b64encode(hashlib.sha1(b"secret" + b"salt").digest() + b"salt")),
    "sha2": (SecretKind.SHA2, hashlib.sha256(b"secret").hexdigest().encode()),
    "header": (SecretKind.PASSWORD_WITH_HEADER, b"{md5}" + hashlib.md5(b"secret").hexdigest().encode()),
}  # fmt: skip


def hashed(number, kind, secret):
    sealed = SEALER.seal(secret, row=account_row(number))
    return account_record(number, secret_kind=kind, sealed_secret=sealed, max_sessions=1)


def fill(batch):
    for number, (name, password) in enumerate(PASSWORDS.items(), start=1):
        batch.put_account(name, account_record(number, password))
    for number, (name, (kind, secret)) in enumerate(HASHES.items(), start=100):
        batch.put_account(name, hashed(number, kind, secret))
    batch.put_account("latin", account_record(50, "caffè".encode("latin-1")))
    batch.put_account("nothing", account_record(51, b"", secret_kind=SecretKind.NO_SECRET, sealed_secret=b""))
    batch.put_account("nt hash", msgspec.structs.replace(hashed(53, *HASHES["nt"]), max_sessions=0))
    batch.put_account("empty", account_record(52, b""))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


def ask(server, name, *credentials):
    with server.device() as nas:
        return nas.ask(access_request(name, *credentials, secret=NAS_SECRET))


def mschapv2(name, password, identifier=1):
    return mschapv2_attributes(name.encode(), password, CHALLENGE, PEER, identifier=identifier)


@pytest.mark.parametrize("name", PASSWORDS)
def test_the_right_password_is_accepted_with_pap_chap_and_mschapv2(server, name):
    password = PASSWORDS[name]
    methods = [pap(password, NAS_SECRET), chap(password), chap(password, challenge=CHALLENGE), mschapv2(name, password)]
    for credential in methods:
        reply = ask(server, name, credential)

        assert reply.code == ACCESS_ACCEPT
        assert server.last_login().reason == "full"


def test_mschapv2_proves_the_server_to_the_subscriber_too(server):
    reply = ask(server, "anna", mschapv2("anna", "secret"))

    # RFC 2548 section 2.3.3: the identifier, then the text of RFC 2759 section 8.7.
    assert reply.one(26, MICROSOFT)[1:] == mschapv2_success(CHALLENGE, PEER, b"anna", "secret")


@pytest.mark.parametrize(
    ("name", "credentials", "reason"),
    [
        ("anna", [pap("Secret", NAS_SECRET)], "wrong_password"),
        ("anna", [pap("secret ", NAS_SECRET)], "wrong_password"),
        ("anna", [pap("", NAS_SECRET)], "wrong_password"),
        ("anna", [pap(b"sec\0ret", NAS_SECRET)], "wrong_password"),
        ("anna", [chap("Secret")], "wrong_password"),
        ("anna", [chap("", challenge=CHALLENGE)], "wrong_password"),
        ("anna", [attribute(CHAP_PASSWORD, bytes(16)), attribute(CHAP_CHALLENGE, CHALLENGE)], "wrong_password"),
        ("anna", [mschapv2("anna", "Secret")], "wrong_password"),
        ("anna", [mschapv2("anna", "")], "wrong_password"),
        ("anna", [], "no_credentials"),
        ("anna", [vendor(MICROSOFT, 25, bytes(49)), vendor(MICROSOFT, 11, CHALLENGE)], "wrong_password"),
        ("anna", [vendor(MICROSOFT, 25, bytes(50))], "wrong_password"),
        ("sha2", [chap("secret")], "unusable_secret"),
        ("sha2", [mschapv2("sha2", "secret")], "unusable_secret"),
        ("nt", [chap("secret")], "unusable_secret"),
        ("nothing", [pap("secret", NAS_SECRET)], "unusable_secret"),
        ("nothing", [pap("", NAS_SECRET)], "unusable_secret"),
        ("empty", [pap("", NAS_SECRET)], "wrong_password"),
        ("empty", [chap("", challenge=CHALLENGE)], "wrong_password"),
    ],
)
def test_a_wrong_or_missing_password_is_refused_and_the_line_says_so(server, name, credentials, reason):
    reply = ask(server, name, *credentials)

    assert reply.code == ACCESS_REJECT
    line = server.last_login()
    assert (line.outcome, line.reason, line.username, line.source) == ("reject", reason, name.encode(), "127.0.0.1")


def test_a_wrong_mschapv2_password_leaves_its_line_whatever_octet_the_answer_begins_with(server):
    before = len(server.logins())

    for identifier in range(256):
        reply = ask(server, "anna", mschapv2("anna", "Secret", identifier))

        # RFC 2548 section 2.1.5: the identifier, then the text of RFC 2759 section 6.
        error = reply.one(2, MICROSOFT)
        assert (reply.code, error[0]) == (ACCESS_REJECT, identifier)
        assert re.fullmatch(rb"E=691 R=1 C=[0-9a-f]{32} V=3 M=[A-Za-z ]+", error[1:])

    told = [read_login_line(line).reason for line in server.logins()[before:]]
    assert told == ["wrong_password"] * 256


@pytest.mark.parametrize("name", HASHES)
def test_a_hashed_secret_is_checked_by_freeradius_and_counts_only_when_it_was_right(server, name):
    refused = ask(server, name, pap("Secret", NAS_SECRET))
    wrong = server.last_login()
    accepted = ask(server, name, pap("secret", NAS_SECRET))
    right = server.last_login()

    assert (refused.code, wrong.outcome, wrong.reason) == (ACCESS_REJECT, "reject", "wrong_password")
    assert refused.all(25) == []
    # One session is allowed: had the refused login taken the place, this one would find none.
    assert (accepted.code, right.outcome, right.reason) == (ACCESS_ACCEPT, "accept", "full")
    assert right.session_key == accepted.one(25)[3:19]


def test_an_nt_hash_answers_mschapv2(server):
    assert ask(server, "nt hash", mschapv2("nt hash", "Secret")).code == ACCESS_REJECT
    assert ask(server, "nt hash", mschapv2("nt hash", "secret")).code == ACCESS_ACCEPT


def test_a_password_that_is_no_utf_8_is_compared_octet_by_octet(server):
    assert ask(server, "latin", pap("caffè".encode("latin-1"), NAS_SECRET)).code == ACCESS_ACCEPT
    assert ask(server, "latin", pap("caffè".encode(), NAS_SECRET)).code == ACCESS_REJECT
    assert server.last_login().reason == "wrong_password"
