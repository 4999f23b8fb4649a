"""The codec against the packets printed in RFC 2865 section 7.1, and against pyrad."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import CoAPacket

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.codec import MalformedPacketError, Signature

SECRET = b"xyzzy5461"
REQUEST = bytes.fromhex(
    "01000038 0f403f94 73978057 bd83d5cb 98f4227a 01066e65 6d6f0212 0dbe708d 93d413ce 3196e43f 782a0aee 0406c0a8 01100506"
    "00000003"
)
ACCEPT = bytes.fromhex("02000026 86fe220e 7624ba2a 1005f6bf 9b55e0b2 06060000 00010f06 00000000 0e06c0a8 0103")


def test_the_request_of_the_rfc_is_read_as_the_rfc_explains_it() -> None:
    packet = codec.decode(REQUEST)

    assert (packet.code, packet.identifier) == (1, 0)
    assert packet.first(wire.USER_NAME) == b"nemo"
    assert packet.first(wire.NAS_IP_ADDRESS) == bytes([192, 168, 1, 16])
    assert packet.first(wire.NAS_PORT) == b"\0\0\0\3"
    assert packet.first(wire.CLASS) is None


def test_the_accept_of_the_rfc_answers_that_request_and_no_other() -> None:
    authenticator = codec.decode(REQUEST).authenticator

    assert codec.response_is_genuine(ACCEPT, authenticator, SECRET)
    assert not codec.response_is_genuine(ACCEPT, bytes(16), SECRET)
    assert not codec.response_is_genuine(ACCEPT, authenticator, b"another secret")
    assert not codec.response_is_genuine(ACCEPT[:-1] + b"\4", authenticator, SECRET)


def test_our_accept_is_octet_for_octet_the_one_of_the_rfc() -> None:
    attributes = codec.whole(6, 1) + codec.whole(15, 0) + codec.octets(14, bytes([192, 168, 1, 3]))

    assert codec.response(2, codec.decode(REQUEST), attributes, SECRET, sign=False) == ACCEPT


def test_vendor_attributes_are_found_under_vendor_and_type_also_when_two_share_one_wrapper() -> None:
    one = codec.text(wire.MIKROTIK_RATE_LIMIT, "5M/5M")
    two_in_one = bytes.fromhex("1a10 00003a8c 0804" + b"5M".hex() + "1306" + b"wall".hex())
    packet = codec.decode(_packet(one + two_in_one))

    assert one == bytes.fromhex("1a0d 00003a8c 0807") + b"5M/5M"
    assert packet.all(wire.MIKROTIK_RATE_LIMIT) == (b"5M/5M", b"5M")
    assert packet.first(wire.MIKROTIK_ADDRESS_LIST) == b"wall"


def test_a_vendor_attribute_without_inner_form_is_kept_whole() -> None:
    odd = bytes.fromhex("1a08 00000009 0199")

    assert codec.decode(_packet(odd)).attributes == ((wire.VENDOR_SPECIFIC, bytes.fromhex("000000090199")),)


def test_an_access_request_begins_with_a_valid_message_authenticator() -> None:
    raw = codec.access_request(7, bytes(range(16)), codec.text(wire.USER_NAME, "anna"), b"secret")

    blank = raw[:22] + bytes(16) + raw[38:]
    assert raw[20:22] == bytes([80, 18])
    assert raw[22:38] == hmac.new(b"secret", blank, "md5").digest()
    assert codec.signature_of(codec.decode(raw), bytes(range(16)), b"secret") is Signature.VALID
    assert codec.signature_of(codec.decode(raw), bytes(range(16)), b"other") is Signature.INVALID


def test_an_accounting_request_carries_the_md5_of_itself() -> None:
    raw = codec.signed_request(4, 9, codec.whole(wire.ACCT_STATUS_TYPE, 1), b"secret")

    assert raw[4:20] == hashlib.md5(raw[:4] + bytes(16) + raw[20:] + b"secret").digest()
    assert codec.request_is_genuine(codec.decode(raw), b"secret")
    assert not codec.request_is_genuine(codec.decode(raw[:-1] + b"\2"), b"secret")


@pytest.mark.parametrize("signed", [True, False])
def test_a_coa_request_made_by_pyrad_is_genuine_and_pyrad_takes_our_answer(signed: bool) -> None:
    theirs = CoAPacket(secret=b"secret", code=43, id=5)
    theirs[wire.USER_NAME] = [b"anna"]
    if signed:
        theirs.add_message_authenticator()
    request = codec.decode(theirs.RequestPacket())

    ours = codec.response(44, request, codec.whole(wire.ERROR_CAUSE, 503), b"secret", sign=signed)

    assert codec.request_is_genuine(request, b"secret")
    expected = Signature.VALID if signed else Signature.ABSENT
    assert codec.signature_of(request, codec.ZERO_AUTHENTICATOR, b"secret") is expected
    assert codec.signature_of(codec.decode(ours), request.authenticator, b"secret") is expected
    assert theirs.VerifyReply(CoAPacket(packet=ours, secret=b"secret"), ours)


def test_our_signed_coa_request_is_taken_by_pyrad() -> None:
    raw = codec.signed_request(43, 5, codec.text(wire.USER_NAME, "anna"), b"secret", sign=True)

    theirs = CoAPacket(packet=raw, secret=b"secret")

    assert theirs.VerifyCoARequest()
    assert theirs.verify_message_authenticator()
    assert codec.signature_of(codec.decode(raw), codec.ZERO_AUTHENTICATOR, b"secret") is Signature.VALID


def test_two_message_authenticators_are_worth_nothing() -> None:
    raw = codec.access_request(1, bytes(16), codec.octets(wire.MESSAGE_AUTHENTICATOR, bytes(16)), b"secret")

    assert codec.signature_of(codec.decode(raw), bytes(16), b"secret") is Signature.INVALID


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01\x00\x00\x14" + bytes(15),
        b"\x01\x00\x00\x13" + bytes(16),
        b"\x01\x00\x00\x15" + bytes(16),
        bytes(4097),
        b"\x01\x00\x00\x16" + bytes(16) + b"\x01\x02",
        b"\x01\x00\x00\x16" + bytes(16) + b"\x01\x00",
        b"\x01\x00\x00\x17" + bytes(16) + b"\x01\x04a",
        b"\x01\x00\x00\x15" + bytes(16) + b"\x01",
    ],
)
def test_what_is_no_packet_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        codec.decode(raw)


def test_octets_behind_the_length_are_padding() -> None:
    assert codec.decode(REQUEST + b"padding").raw == REQUEST


@given(st.binary(max_size=300))
def test_no_bytes_do_worse_than_be_refused(raw: bytes) -> None:
    try:
        codec.decode(raw)
    except MalformedPacketError:
        return


@given(
    st.lists(st.tuples(st.integers(1, 255).filter(lambda n: n != 26), st.binary(min_size=1, max_size=253)), max_size=9)
)
def test_what_is_written_is_read_back(attributes: list[tuple[int, bytes]]) -> None:
    body = b"".join(codec.octets(number, value) for number, value in attributes)

    assert codec.decode(_packet(body)).attributes == tuple(attributes)


@pytest.mark.parametrize("value", [b"", b"x" * 254])
def test_a_value_that_does_not_fit_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="attribute 18"):
        codec.octets(wire.REPLY_MESSAGE, value)


def _packet(attributes: bytes) -> bytes:
    return bytes([4, 1]) + (20 + len(attributes)).to_bytes(2, "big") + bytes(16) + attributes
