"""The pre-built packets against the worked example of RFC 2865 section 7.1 and the rules of RFC 2866."""

import hashlib
import hmac

import pytest

from benchmarks.packets import (
    ACCOUNTING_REQUEST,
    AccountingStatus,
    AccountingWord,
    Subscriber,
    access_request,
    accounting_request,
    attributes_of,
    is_genuine,
)

# RFC 2865 section 7.1: "nemo" logs in with "arctangent", shared secret "xyzzy5461".
RFC_SECRET = b"xyzzy5461"
RFC_REQUEST = bytes.fromhex(
    "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a8011005060000 0003"
)
RFC_REPLY = bytes.fromhex("0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103")


def test_the_reply_of_the_rfc_is_genuine():
    assert is_genuine(RFC_REPLY, RFC_REQUEST, RFC_SECRET)


@pytest.mark.parametrize("octet", range(len(RFC_REPLY)))
def test_a_reply_with_any_octet_changed_is_not_genuine(octet):
    changed = bytearray(RFC_REPLY)
    changed[octet] ^= 1

    assert not is_genuine(bytes(changed), RFC_REQUEST, RFC_SECRET)


def test_a_reply_made_with_another_secret_is_not_genuine():
    assert not is_genuine(RFC_REPLY, RFC_REQUEST, b"another secret")


def test_a_hidden_password_is_the_one_of_the_rfc(monkeypatch):
    monkeypatch.setattr("os.urandom", lambda _: RFC_REQUEST[4:20])
    monkeypatch.setattr(Subscriber, "password", "arctangent")

    packet = access_request(Subscriber(1), identifier=0, secret=RFC_SECRET)

    assert dict(attributes_of(packet))[2] == RFC_REQUEST[28:44]


def test_a_login_carries_a_message_authenticator_over_itself():
    packet = access_request(Subscriber(1), identifier=7, secret=RFC_SECRET)

    (first, signature), *_ = attributes_of(packet)
    unsigned = packet[:22] + bytes(16) + packet[38:]
    assert first == 80
    assert signature == hmac.new(RFC_SECRET, unsigned, hashlib.md5).digest()


def test_the_authenticator_of_an_accounting_request_is_that_of_rfc_2866():
    word = AccountingWord(
        AccountingStatus.STOP, "81a00001", at=1767225600, session_time_s=60, octets_in=1, octets_out=2
    )

    packet = accounting_request(Subscriber(1), word, identifier=9, secret=RFC_SECRET)

    assert packet[0] == ACCOUNTING_REQUEST
    assert packet[4:20] == hashlib.md5(packet[:4] + bytes(16) + packet[20:] + RFC_SECRET).digest()
    told = dict(attributes_of(packet))
    assert (told[40], told[42], told[43], told[46]) == (b"\0\0\0\2", b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\x3c")
