"""Encryption and signature of web push, against the RFCs' own words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from control_plane.messages.web_push import encrypt, is_public_key, key_of, new_key, signed_for

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_text_is_encrypted_as_rfc_8291_appendix_a_does():
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        public_key=octets("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        auth_secret=octets("BTBZMqHH6r4Tts7J_aSIgg"),
        once=key_of(octets("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")),
        salt=octets("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert body == octets(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_the_same_text_is_never_encrypted_alike():
    keys = {"public_key": new_key().public_octets, "auth_secret": b"a" * 16}
    assert encrypt(b"x", **keys) != encrypt(b"x", **keys)


def test_a_request_is_signed_as_rfc_8292_asks_for_its_own_host_and_for_less_than_a_day():
    key = new_key()
    said = signed_for("https://push.example:8443/send/abc?d=1", key, contact="mailto:net@isp.example", now=NOW)
    assert said.startswith("vapid ")
    given = dict(one.strip().split("=", 1) for one in said.removeprefix("vapid ").split(","))
    assert octets(given["k"]) == key.public_octets
    head, claims, signature = given["t"].split(".")
    assert json.loads(octets(head)) == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(octets(claims)) == {
        "aud": "https://push.example:8443",
        "exp": int(NOW.timestamp()) + 12 * 3600,
        "sub": "mailto:net@isp.example",
    }
    r, s = (int.from_bytes(half, "big") for half in (octets(signature)[:32], octets(signature)[32:]))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(given["k"]))
    public.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(encode_dss_signature(r, s), f"{head}.x{claims}".encode(), ec.ECDSA(hashes.SHA256()))


def test_a_key_that_was_kept_is_the_same_again():
    key = new_key()
    assert key_of(key.private_octets).public_octets == key.public_octets


@pytest.mark.parametrize(
    "wrong",
    [b"", b"\x04" + b"\1" * 64, b"\x04" * 64, new_key().public_octets[:-1]],
    ids=["nothing", "no point", "fours", "short"],
)
def test_what_is_no_point_of_the_curve_is_no_browsers_key(wrong):
    assert is_public_key(new_key().public_octets)
    assert not is_public_key(wrong)
