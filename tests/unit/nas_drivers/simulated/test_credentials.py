"""Passwords on the wire, against the examples of RFC 1320, RFC 2759 section 9.2 and RFC 2865 section 7.1."""

import hashlib

import pytest

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.credentials import (
    chap_attributes,
    md4,
    mschapv2_attributes,
    mschapv2_success,
    nt_hash,
    nt_response,
    pap_attribute,
)

AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")


def test_the_password_of_the_rfc_is_hidden_as_in_the_rfc() -> None:
    authenticator = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")

    attribute = pap_attribute(b"arctangent", authenticator, b"xyzzy5461")

    assert attribute == bytes.fromhex("0212 0dbe708d93d413ce3196e43f782a0aee")


@pytest.mark.parametrize("password", [b"", b"1234567890123456", b"a password of more than sixteen octets"])
def test_a_hidden_password_is_a_chain_of_blocks_that_the_secret_undoes(password: bytes) -> None:
    authenticator, secret = bytes(range(16)), b"secret"
    hidden = pap_attribute(password, authenticator, secret)[2:]

    clear, last = b"", authenticator
    for at in range(0, len(hidden), 16):
        mask = hashlib.md5(secret + last).digest()
        last = hidden[at : at + 16]
        clear += bytes(a ^ b for a, b in zip(last, mask, strict=True))

    assert len(hidden) % 16 == 0
    assert clear.rstrip(b"\0") == password


def test_chap_is_the_md5_of_identifier_password_and_challenge() -> None:
    challenge = bytes(range(16, 32))
    packet = codec.decode(bytes([1, 1, 0, 57]) + bytes(16) + chap_attributes(b"secret", challenge))

    answer = packet.first(wire.CHAP_PASSWORD)

    assert packet.first(wire.CHAP_CHALLENGE) == challenge
    assert answer == b"\x10" + hashlib.md5(b"\x10" + b"secret" + challenge).digest()


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_gives_the_digests_of_rfc_1320(text: bytes, digest: str) -> None:
    assert md4(text).hex() == digest


def test_mschapv2_gives_the_values_of_rfc_2759() -> None:
    given = (AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, b"User", "clientPass")

    assert nt_hash("clientPass").hex() == "44ebba8d5312b8d611474411f56989ae"
    assert nt_response(*given) == NT_RESPONSE
    assert mschapv2_success(*given) == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_the_mschapv2_attributes_have_the_form_of_rfc_2548() -> None:
    body = mschapv2_attributes(b"User", "clientPass", AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE)
    packet = codec.decode(bytes([1, 1]) + (20 + len(body)).to_bytes(2, "big") + bytes(16) + body)

    response = packet.first(wire.MS_CHAP2_RESPONSE)

    assert packet.first(wire.MS_CHAP_CHALLENGE) == AUTHENTICATOR_CHALLENGE
    assert response is not None
    assert len(response) == 50
    assert response[2:18] == PEER_CHALLENGE
    assert response[18:26] == bytes(8)
    assert response[26:] == NT_RESPONSE
