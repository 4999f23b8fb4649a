"""Requests and answers as octets, read by the simulated device's codec, which shares no code with pyrad."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.policy import Attribute
from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.codec import Signature
from nas_drivers.transport.packets import Answer, UnsendableError, check_attributes, read_answer, write_request

SECRET = b"the secret of CoA"
NAMED = (Attribute("User-Name", ":=", "anna"), Attribute("Acct-Session-Id", ":=", "81000001"))


def written(*attributes: Attribute, code: int = 43, timestamp: int | None = None, sign: bool = False):
    checked = check_attributes(attributes or NAMED)
    return write_request(code, 7, checked, secret=SECRET, timestamp=timestamp, sign=sign)


def test_every_kind_of_value_is_the_octets_of_its_rfc():
    request = written(
        Attribute("User-Name", ":=", "an\\na ä"),
        Attribute("NAS-Port", ":=", "15728640"),
        Attribute("Framed-IP-Address", ":=", "100.64.0.1"),
        Attribute("Class", ":=", "0x3078ff00"),
        Attribute("Framed-IPv6-Prefix", ":=", "2001:db8:1::/64"),
        Attribute("NAS-IPv6-Address", ":=", "2001:db8::1"),
        Attribute("Mikrotik-Rate-Limit", ":=", "30M/300M"),
        Attribute("Mikrotik-Address-List", "+=", "walled"),
        Attribute("Mikrotik-Address-List", "+=", "no-mail"),
        timestamp=1_700_000_000,
    )

    packet = codec.decode(request.raw)

    assert (packet.code, packet.identifier) == (43, 7)
    assert packet.attributes == (
        (wire.USER_NAME, "an\\na ä".encode()),
        (wire.NAS_PORT, struct.pack("!I", 15728640)),
        (wire.FRAMED_IP_ADDRESS, IPv4Address("100.64.0.1").packed),
        # Octets that begin with `0x` stay octets.
        (wire.CLASS, b"0x\xff\x00"),
        (wire.FRAMED_IPV6_PREFIX, bytes([0, 64]) + bytes.fromhex("20010db8000100000000000000000000")),
        (95, bytes.fromhex("20010db8000000000000000000000001")),
        (wire.MIKROTIK_RATE_LIMIT, b"30M/300M"),
        (wire.MIKROTIK_ADDRESS_LIST, b"walled"),
        (wire.MIKROTIK_ADDRESS_LIST, b"no-mail"),
        (wire.EVENT_TIMESTAMP, struct.pack("!I", 1_700_000_000)),
    )


@pytest.mark.parametrize("code", [40, 43])
@pytest.mark.parametrize("sign", [True, False])
def test_a_request_is_genuine_and_signed_when_it_should_be(code, sign):
    packet = codec.decode(written(code=code, sign=sign).raw)

    assert codec.request_is_genuine(packet, SECRET)
    assert not codec.request_is_genuine(packet, b"another")
    expected = Signature.VALID if sign else Signature.ABSENT
    assert codec.signature_of(packet, codec.ZERO_AUTHENTICATOR, SECRET) is expected


@pytest.mark.parametrize(
    ("code", "answer", "acknowledged"), [(40, 41, True), (40, 42, False), (43, 44, True), (43, 45, False)]
)
@pytest.mark.parametrize("sign", [True, False])
def test_an_answer_is_read_with_its_cause_and_its_words(code, answer, acknowledged, sign):
    request = written(code=code)
    body = codec.whole(wire.ERROR_CAUSE, 503) + codec.text(wire.REPLY_MESSAGE, "no such\nsession")
    raw = codec.response(answer, codec.decode(request.raw), body, SECRET, sign=sign)

    read = read_answer(raw, request)

    lines = "Error-Cause = 503\nReply-Message = no such\\x0asession"
    if sign:
        lines = "Message-Authenticator = ***\n" + lines
    assert read == Answer(answer, acknowledged, 503, "no such\\x0asession", lines)


@pytest.mark.parametrize(
    ("code", "secret", "words"),
    [
        (44, b"another", "wrong authenticator"),
        (41, SECRET, "wrong code"),
        (42, SECRET, "wrong code"),
        (2, SECRET, "wrong code"),
        (43, SECRET, "wrong code"),
    ],
)
def test_an_answer_of_another_exchange_or_another_secret_is_none(code, secret, words):
    request = written()

    assert read_answer(codec.response(code, codec.decode(request.raw), b"", secret, sign=False), request) == words


@pytest.mark.parametrize(
    ("octets", "cause"), [(b"\x00\x00\xff\xff", 65_535), (b"\x00\x01\x00\x00", None), (b"\xff" * 4, None)]
)
def test_a_cause_that_no_registry_could_hold_is_no_cause_but_shown(octets, cause):
    request = written()
    attributes = codec.octets(wire.ERROR_CAUSE, octets)
    answer = read_answer(codec.response(45, codec.decode(request.raw), attributes, SECRET, sign=False), request)
    assert isinstance(answer, Answer)
    assert answer.error_cause == cause
    assert answer.attributes == f"Error-Cause = {int.from_bytes(octets, 'big')}"


def test_a_cause_of_the_wrong_length_is_no_cause():
    request = written()
    body = codec.octets(wire.ERROR_CAUSE, b"\x01\xf7")
    read = read_answer(codec.response(45, codec.decode(request.raw), body, SECRET, sign=False), request)

    assert isinstance(read, Answer)
    assert read.error_cause is None


@given(st.binary(max_size=300))
def test_noise_is_no_answer_and_no_error(noise):
    assert isinstance(read_answer(noise, written()), str)


@given(st.data())
def test_no_octet_of_a_genuine_answer_can_be_changed(data):
    request = written(sign=True)
    raw = codec.response(45, codec.decode(request.raw), codec.whole(101, 503), SECRET, sign=True)
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]

    assert isinstance(read_answer(changed, request), str)


@given(st.binary(max_size=60))
def test_any_attributes_in_a_genuine_answer_are_shown_on_lines_of_their_own(noise):
    request = written()
    raw = codec.response(44, codec.decode(request.raw), noise, SECRET, sign=False)

    read = read_answer(raw, request)

    assert isinstance(read, str) or all(" = " in line for line in read.attributes.split("\n") if line)


def test_secrets_are_never_shown():
    request = written()
    password = codec.octets(2, b"hidden password!") + codec.octets(26, struct.pack("!I", 311) + b"\x10\x05abc")
    read = read_answer(codec.response(44, codec.decode(request.raw), password, SECRET, sign=True), request)

    assert isinstance(read, Answer)
    assert read.attributes.splitlines()[0] == "Message-Authenticator = ***"
    assert read.attributes.splitlines()[1:] == ["Attr-2 = ***", "Attr-26.311.16 = ***"]


@pytest.mark.parametrize(
    ("attribute", "complaint"),
    [
        (Attribute("No-Such-Thing", ":=", "1"), "No-Such-Thing is not in dictionary.changes"),
        (Attribute("Framed-IP-Address", ":=", "999.1.1.1"), "999.1.1.1"),
        (Attribute("Session-Timeout", ":=", "-1"), "expected 0 to"),
        (Attribute("Mikrotik-Rate-Limit", ":=", "x" * 248), "247 octets at most"),
        (Attribute("User-Name", ":=", ""), "empty"),
    ],
)
def test_a_value_that_would_become_another_is_refused(attribute, complaint):
    with pytest.raises(UnsendableError, match=complaint):
        check_attributes((attribute,))


def test_our_small_dictionary_says_what_freeradius_s_says():
    ours = load_dictionary("nas_drivers/dictionaries/dictionary.changes")
    theirs = load_dictionary("/usr/share/freeradius/dictionary")

    assert len(ours) > 50
    for name in ours._by_name:
        assert ours.attribute(name).kind == theirs.attribute(name).kind, name
        assert ours.attribute(name).path == theirs.attribute(name).path, name
        assert ours.attribute(name).vendor == theirs.attribute(name).vendor, name
