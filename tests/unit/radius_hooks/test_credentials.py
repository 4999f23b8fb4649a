import hashlib

import pytest

from radius_hooks.credentials import auth_type, check_password, secret_pair
from radius_hooks.decision import PasswordCheck
from radius_hooks.policy_records import SecretKind

CHALLENGE = bytes(range(16))
# RFC 1994 section 4.1: MD5 over identifier, secret, challenge.
ANSWER = b"\x07" + hashlib.md5(b"\x07" + b"secret" + CHALLENGE).digest()


def chap(answer=ANSWER, challenge=CHALLENGE):
    found = {"CHAP-Password": "0x" + answer.hex()}
    return found if challenge is None else found | {"CHAP-Challenge": "0x" + challenge.hex()}


MSCHAP = {"MS-CHAP2-Response": "0x" + "00" * 50, "MS-CHAP-Challenge": "0x" + "00" * 16}


@pytest.mark.parametrize(
    ("attributes", "kind", "secret", "expected"),
    [
        ({"User-Password": "secret"}, SecretKind.CLEAR, b"secret", PasswordCheck.RIGHT),
        ({"User-Password": "Secret"}, SecretKind.CLEAR, b"secret", PasswordCheck.WRONG),
        ({"User-Password": ""}, SecretKind.CLEAR, b"", PasswordCheck.WRONG),
        ({"User-Password": "è"}, SecretKind.CLEAR, "è".encode(), PasswordCheck.RIGHT),
        ({"Corrente-Raw-User-Password": "0xe8"}, SecretKind.CLEAR, b"\xe8", PasswordCheck.RIGHT),
        ({"Corrente-Raw-User-Password": "0x"}, SecretKind.CLEAR, b"x", PasswordCheck.ABSENT),
        ({"User-Password": "secret"}, SecretKind.CRYPT, b"$6$x$y", PasswordCheck.LATER),
        ({"User-Password": "secret"}, SecretKind.NO_SECRET, b"", PasswordCheck.IMPOSSIBLE),
        (chap(), SecretKind.CLEAR, b"secret", PasswordCheck.RIGHT),
        (chap(), SecretKind.CLEAR, b"Secret", PasswordCheck.WRONG),
        (chap(answer=b"\x07" + hashlib.md5(b"\x07" + CHALLENGE).digest()), SecretKind.CLEAR, b"", PasswordCheck.WRONG),
        (chap(answer=ANSWER[:16]), SecretKind.CLEAR, b"secret", PasswordCheck.WRONG),
        (chap(answer=b""), SecretKind.CLEAR, b"secret", PasswordCheck.WRONG),
        (chap(challenge=None), SecretKind.CLEAR, b"secret", PasswordCheck.LATER),
        (chap(), SecretKind.NT, b"x", PasswordCheck.IMPOSSIBLE),
        (MSCHAP, SecretKind.CLEAR, b"secret", PasswordCheck.LATER),
        (MSCHAP, SecretKind.NT, b"x", PasswordCheck.LATER),
        (MSCHAP, SecretKind.SHA2, b"x", PasswordCheck.IMPOSSIBLE),
        ({"MS-CHAP2-Response": "0x" + "00" * 50}, SecretKind.CLEAR, b"x", PasswordCheck.WRONG),
        (MSCHAP | {"MS-CHAP2-Response": "0x" + "00" * 49}, SecretKind.CLEAR, b"x", PasswordCheck.WRONG),
        ({}, SecretKind.CLEAR, b"secret", PasswordCheck.ABSENT),
        ({}, SecretKind.NO_SECRET, b"", PasswordCheck.ABSENT),
        # A wrong CHAP answer is not saved by a right password beside it.
        (chap(answer=bytes(17)) | {"User-Password": "secret"}, SecretKind.CLEAR, b"secret", PasswordCheck.WRONG),
    ],
)
def test_what_a_request_proves(attributes, kind, secret, expected):
    assert check_password(attributes, kind, secret) is expected


@pytest.mark.parametrize(
    ("attributes", "kind", "expected"),
    [
        ({"User-Password": "x"}, SecretKind.CLEAR, "PAP"),
        ({"User-Password": "x"}, SecretKind.SHA2, ""),
        (chap() | {"User-Password": "x"}, SecretKind.CLEAR, "CHAP"),
        (MSCHAP, SecretKind.NT, "MS-CHAP"),
    ],
)
def test_freeradius_checks_the_method_that_was_compared(attributes, kind, expected):
    assert auth_type(attributes, kind) == expected


@pytest.mark.parametrize(
    ("kind", "secret", "value"),
    [
        (SecretKind.CLEAR, b"a\\b", "a\\\\b"),
        (SecretKind.CLEAR, b"0x41", "0x41"),
        (SecretKind.CRYPT, b"$6$salt$hash", "$6$salt$hash"),
        (SecretKind.NT, b"878D8014606CDA29677A44EFA1353FC7", "0x878D8014606CDA29677A44EFA1353FC7"),
        (SecretKind.MD5, b"ab", "0x6162"),
        (SecretKind.MD5, b"0x6162", "0x6162"),
    ],
)
def test_the_secret_reaches_freeradius_as_it_is_kept(kind, secret, value):
    assert secret_pair(kind, secret) == (kind.value, ":=", value)
