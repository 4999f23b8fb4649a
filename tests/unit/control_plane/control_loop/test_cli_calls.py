"""Which of a device's sessions is meant, and what is kept of its answers."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import pytest

from control_plane.control_loop.cli_calls import NotUnderstoodError, answer_lines, session_meant
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import SessionIdentity

ANNA = SessionIdentity("anna", "00000A2B", framed_ipv4=IPv4Address("192.0.2.7"))
HOMELESS = SessionIdentity("anna", "00000A2B")


def listed(local_name, address=None, *, session_id="", username="anna"):
    return DeviceSession(session_id, username, framed_ipv4=address, local_name=local_name)


@pytest.mark.parametrize(
    ("identity", "sessions", "wanted"),
    [
        (ANNA, [listed("1", session_id="00000a2c"), listed("2", session_id="00000a2b")], "2"),
        (ANNA, [listed("1", session_id="00000a2c")], None),
        (ANNA, [listed("1", "192.0.2.8"), listed("2", "192.0.2.7")], "2"),
        (ANNA, [listed("1", "192.0.2.8")], None),
        (ANNA, [listed("1")], "1"),
        (HOMELESS, [listed("1", "192.0.2.8")], "1"),
        (ANNA, [], None),
    ],
    ids=[
        "by its id",
        "another id is another session",
        "by its address",
        "another address is another session",
        "the only one of its name",
        "the only one of its name, and our address is not known",
        "none",
    ],
)
def test_only_the_session_that_is_meant_is_found(identity, sessions, wanted):
    found = session_meant(sessions, identity)

    assert (None if found is None else found.local_name) == wanted


@pytest.mark.parametrize(
    ("sessions", "words"),
    [
        ([listed("1", "192.0.2.8"), listed("2", "192.0.2.9")], "2 sessions of anna and does not say which is 00000A2B"),
        ([listed("1", username="bruno")], "lists others, such as 'bruno'"),
    ],
)
def test_no_session_is_guessed_at(sessions, words):
    with pytest.raises(NotUnderstoodError, match=re.escape(words)):
        session_meant(sessions, HOMELESS)


def test_an_answer_is_kept_as_a_page_of_lines_without_passwords():
    lines = answer_lines("enable secret 5 $1$abc\nppp chap password: 0 hush\nIdentity: anna\a").split("\n")

    assert lines == [
        "answer = enable secret ********",
        "answer = ppp chap password: ********",
        "answer = Identity: anna\\x07",
    ]
    assert answer_lines("x\n" * 100).endswith("answer = x\nand 40 lines more")


def test_in_a_list_of_everybody_others_only_mean_that_it_is_gone() -> None:
    others = (DeviceSession("", "bert", "100.64.0.9", local_name="ppp3"),)

    assert session_meant(others, HOMELESS, of_everybody=True) is None
