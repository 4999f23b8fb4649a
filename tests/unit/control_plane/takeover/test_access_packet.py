"""Known packets: RFC 2865 section 7.1 gives the octets of a request and its reply."""

import pytest

from control_plane.takeover.access_packet import (
    Code,
    PacketError,
    WireAttribute,
    build_access_request,
    chap_password,
    hide_password,
    read_access_reply,
)

# The example of RFC 2865 section 7.1: user nemo, password arctangent, secret xyzzy5461.
SECRET = b"xyzzy5461"
AUTHENTICATOR = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")
HIDDEN = bytes.fromhex("0dbe708d93d413ce3196e43f782a0aee")
ACCEPT = bytes.fromhex("0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103")


def test_a_password_is_hidden_as_the_rfc_says():
    assert hide_password(b"arctangent", authenticator=AUTHENTICATOR, secret=SECRET) == HIDDEN


def test_the_reply_of_the_rfc_is_read():
    reply = read_access_reply(ACCEPT, identifier=0, authenticator=AUTHENTICATOR, secret=SECRET)
    assert reply.code is Code.ACCESS_ACCEPT
    assert reply.attributes == (
        WireAttribute(0, 6, bytes((0, 0, 0, 1))),
        WireAttribute(0, 15, bytes(4)),
        WireAttribute(0, 14, bytes((192, 168, 1, 3))),
    )


@pytest.mark.parametrize(
    ("packet", "secret", "identifier"),
    [
        (ACCEPT, b"other", 0),
        (ACCEPT, SECRET, 1),
        (ACCEPT[:-1], SECRET, 0),
        (ACCEPT[:30] + b"\x01" + ACCEPT[31:], SECRET, 0),
        (b"", SECRET, 0),
    ],
)
def test_a_reply_that_is_not_ours_is_refused(packet, secret, identifier):
    with pytest.raises(PacketError):
        read_access_reply(packet, identifier=identifier, authenticator=AUTHENTICATOR, secret=secret)


def test_a_chap_answer_is_the_digest_of_identifier_password_and_challenge():
    # md5 of 0x07, "secret" and sixteen zero octets, by md5sum.
    assert chap_password(b"secret", identifier=7, challenge=bytes(16)).hex() == "07" + CHAP_DIGEST


CHAP_DIGEST = "02e0f9c77d1d598fdd4f7aa592362c74"


def test_what_does_not_fit_is_refused():
    with pytest.raises(PacketError, match="247 fit"):
        build_access_request((WireAttribute(9, 1, b"x" * 248),), identifier=1, authenticator=bytes(16), secret=b"s")
    many = (WireAttribute(0, 18, b"x" * 253),) * 17
    with pytest.raises(PacketError, match="4096"):
        build_access_request(many, identifier=1, authenticator=bytes(16), secret=b"s")
