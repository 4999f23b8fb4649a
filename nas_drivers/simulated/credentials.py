"""What a subscriber's modem proves its password with: PAP, CHAP and MS-CHAPv2, as attributes of an Access-Request.

Source: RFC 2865 sections 5.2 and 5.3, RFC 1994 section 4.1, RFC 2759 section 8, RFC 2548 section 2.3, RFC 1320 (MD4).
Next: session.py
"""

from __future__ import annotations

import struct
from enum import Enum
from hashlib import md5, sha1
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from nas_drivers.simulated import codec, wire

_MASK: Final = 0xFFFFFFFF
_MAGIC_SERVER: Final = b"Magic server to client signing constant"
_MAGIC_PAD: Final = b"Pad to make it do more than one iteration"


class Method(Enum):
    """How a subscriber authenticates."""

    PAP = "pap"
    CHAP = "chap"
    MSCHAPV2 = "mschapv2"


def pap_attribute(password: bytes, authenticator: bytes, secret: bytes) -> bytes:
    """User-Password, hidden. Source: RFC 2865 section 5.2."""
    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    hidden, last = b"", authenticator
    for at in range(0, len(padded), 16):
        last = _xor(padded[at : at + 16], md5(secret + last, usedforsecurity=False).digest())
        hidden += last
    return codec.octets(wire.USER_PASSWORD, hidden)


def chap_attributes(password: bytes, challenge: bytes) -> bytes:
    """CHAP-Password and CHAP-Challenge; the CHAP identifier is the challenge's first octet, as good as any."""
    identifier = challenge[:1]
    answer = md5(identifier + password + challenge, usedforsecurity=False).digest()
    return codec.octets(wire.CHAP_PASSWORD, identifier + answer) + codec.octets(wire.CHAP_CHALLENGE, challenge)


def mschapv2_attributes(
    username: bytes, password: str, challenge: bytes, peer_challenge: bytes, *, identifier: int = 1
) -> bytes:
    """MS-CHAP-Challenge and MS-CHAP2-Response. Units: both challenges 16 octets; the identifier of the CHAP packet 0 to 255."""
    answer = nt_response(challenge, peer_challenge, username, password)
    body = bytes([identifier, 0]) + peer_challenge + bytes(8) + answer
    return codec.octets(wire.MS_CHAP_CHALLENGE, challenge) + codec.octets(wire.MS_CHAP2_RESPONSE, body)


def nt_response(challenge: bytes, peer_challenge: bytes, username: bytes, password: str) -> bytes:
    """GenerateNTResponse of RFC 2759 section 8.1."""
    hashed = _challenge_hash(peer_challenge, challenge, username)
    key = nt_hash(password).ljust(21, b"\0")
    return b"".join(_des(key[at : at + 7], hashed) for at in (0, 7, 14))


def mschapv2_success(challenge: bytes, peer_challenge: bytes, username: bytes, password: str) -> bytes:
    """What a server that knows the password answers in MS-CHAP2-Success, behind its first octet.

    Source: RFC 2759 section 8.7.
    """
    answer = nt_response(challenge, peer_challenge, username, password)
    digest = sha1(md4(nt_hash(password)) + answer + _MAGIC_SERVER, usedforsecurity=False).digest()
    hashed = _challenge_hash(peer_challenge, challenge, username)
    return b"S=" + sha1(digest + hashed + _MAGIC_PAD, usedforsecurity=False).hexdigest().upper().encode()


def nt_hash(password: str) -> bytes:
    """MD4 of the password in UTF-16. Source: RFC 2759 section 8.3."""
    return md4(password.encode("utf-16-le"))


def _challenge_hash(peer_challenge: bytes, challenge: bytes, username: bytes) -> bytes:
    return sha1(peer_challenge + challenge + username, usedforsecurity=False).digest()[:8]


def _des(key: bytes, block: bytes) -> bytes:
    """DES of one block under seven octets of key: three times the same key is what TripleDES calls single DES."""
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    # Not our choice of cipher: MS-CHAP is defined with it.
    encryptor = Cipher(TripleDES(spread * 3), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


def md4(data: bytes) -> bytes:
    """MD4, which OpenSSL 3 no longer gives out. Source: RFC 1320 section 3."""
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", len(data) * 8)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for at in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[at : at + 64])
        state = tuple((old + new) & _MASK for old, new in zip(state, _md4_block(state, words), strict=True))  # type: ignore[assignment]  # four in, four out
    return struct.pack("<4I", *state)


_ROUNDS: Final = (
    (0, tuple(range(16)), (3, 7, 11, 19)),
    (0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def _md4_block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for number, (constant, order, shifts) in enumerate(_ROUNDS):
        for step, index in enumerate(order):
            if number == 0:
                mixed = (b & c) | (~b & d)
            elif number == 1:
                mixed = (b & c) | (b & d) | (c & d)
            else:
                mixed = b ^ c ^ d
            total = (a + mixed + words[index] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    return a, b, c, d


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(16, "big")
