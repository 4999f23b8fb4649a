import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_hooks.login_line import LoginLine, LoginLineError, build_login_line, read_login_line

PLAIN = LoginLine(
    microseconds=1795290228909975,
    outcome="accept",
    reason="full",
    source="192.0.2.1",
    packet_id=17,
    username=b"anna@isp.example",
    mac="aabbcc001122",
    line="olt-1 eth 0/1",
    session_key=bytes(range(16)),
    policy_version=b"profacct",
    nas_id=3,
    detail="",
)


def test_a_line_looks_like_this():
    assert build_login_line(PLAIN) == (
        b"1795290228909975 accept full 192.0.2.1 17 anna@isp.example aabbcc001122 olt-1=20eth=200/1"
        b" 000102030405060708090a0b0c0d0e0f 70726f6661636374 3 =\n"
    )


@given(st.binary(max_size=253), st.text(max_size=60), st.text(max_size=60))
def test_whatever_a_device_sends_is_one_line_and_read_back(username, line, detail):
    sent = msgspec.structs.replace(PLAIN, username=username, line=line, detail=detail)

    written = build_login_line(sent)

    assert written.count(b"\n") == 1
    assert written.isascii()
    assert read_login_line(written).username == username
    if all(ord(char) < 0xD800 or ord(char) > 0xDFFF for char in line + detail) and len(line.encode()) < 300:
        assert read_login_line(written) == sent


def test_a_refusal_without_session_has_empty_fields():
    refused = msgspec.structs.replace(
        PLAIN,
        outcome="reject",
        reason="unknown_account",
        username=b"",
        mac="",
        line="",
        session_key=b"",
        policy_version=b"",
    )
    assert read_login_line(build_login_line(refused)) == refused


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"1 accept", b"x accept full s 1 u m l  v 1 d", b"x accept full s 1 u m l 00 00 1 d",
        b"1 perhaps full s 1 u m l 00 00 1 d", b"1 accept full s 1 u=2 m l 00 00 1 d", b"1 accept full s 1 u m l 0 00 1 d",
        b"1 accept full s 1 u\xff m l 00 00 1 d", build_login_line(PLAIN)[:-40], build_login_line(PLAIN).rstrip() + b" x",
    ],
)  # fmt: skip
def test_a_torn_or_foreign_line_is_named_as_such(raw):
    with pytest.raises(LoginLineError, match="login line"):
        read_login_line(raw)
