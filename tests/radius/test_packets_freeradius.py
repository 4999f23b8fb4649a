"""The login octets of every vendor's table, as the real FreeRADIUS sends them, and what tshark makes of the replies; and
every vendor's changes, which FreeRADIUS as the device takes for genuine.

tests/support/conformance.py says what a table is. FreeRADIUS and tshark are real; the policy store is filled by the test.
"""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from support.conformance import (
    COA_REQUEST,
    PROFILES,
    SECRET,
    Exchange,
    Row,
    change_packet,
    dissect,
    rows,
    split,
)
from support.freeradius_coa_server import freeradius_coa_server
from support.radius_packets import ACCESS_ACCEPT, access_request, pap
from support.radius_server import NAS_SECRET, account_record, profile_record, radius_server, step
from support.tshark_words import authenticator_is_right, faults, shown_attributes, unknown_vendor_attributes

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from radius_hooks.policy_records import ReplyItem

pytestmark = pytest.mark.radius
DICTIONARY: Final = load_dictionary("/usr/share/freeradius/dictionary")
ROWS: Final = rows("login")
FIRST_PROFILE: Final = 100
# What every accept has beside the profile: Class, Acct-Interim-Interval, Message-Authenticator.
ALWAYS: Final = ("19", "55", "50")


def items(row: Row) -> tuple[ReplyItem, ...]:
    """The profile of a row as the publisher writes it."""
    found = []
    for one in row.driver.login_attributes(PROFILES[row.kind]):
        known = DICTIONARY.attribute(one.name)
        assert known is not None
        found.append(ReplyItem(one.name, one.op, canonical_value(known, one.value), known.kind))
    return tuple(found)


def fill(batch: Any) -> None:
    for number, row in enumerate(ROWS, start=FIRST_PROFILE):
        # The NAS of the test is a mikrotik by name; what a profile says is the row's.
        batch.put_profile(number, "mikrotik", msgspec.structs.replace(profile_record(number), reply=items(row)))
        batch.put_account(f"user{number}", account_record(number, steps=(step(number),)))


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[Row, bytes, bytes, int]]:
    """Each row with its request, the reply, and the server's port."""
    found = []
    with radius_server(fill) as server, server.device() as nas:
        port = server.authentication[1]
        for number, row in enumerate(ROWS, start=FIRST_PROFILE):
            request = access_request(
                f"user{number}", pap("secret", NAS_SECRET), secret=NAS_SECRET, identifier=number % 256
            )
            reply = nas.ask(request)
            assert reply is not None
            assert reply.code == ACCESS_ACCEPT
            found.append((row, request, reply.octets, port))
    return found


def _both(request: bytes, answer: bytes, port: int, number: int) -> tuple[Exchange, Exchange]:
    """On ports of their own: an identifier comes round again after 256."""
    return (
        Exchange(request, port, client_port=50_000 + number),
        Exchange(answer, port, answers=True, client_port=50_000 + number),
    )


def test_freeradius_sends_the_octets_of_every_table(exchanges: list[tuple[Row, bytes, bytes, int]]) -> None:
    for row, _, reply, _ in exchanges:
        carried = [one for one in split(reply[20:]) if one[:2] not in ALWAYS]
        assert sorted(carried) == sorted(split(row.octets)), row


def test_tshark_reads_every_reply_without_a_fault_and_finds_its_authenticator_right(
    exchanges: list[tuple[Row, bytes, bytes, int]], tmp_path: Path
) -> None:
    captured = [
        one for number, (_, request, reply, port) in enumerate(exchanges) for one in _both(request, reply, port, number)
    ]

    found = dissect(captured, tmp_path, secret=NAS_SECRET)

    for (row, _, reply, _), layers in zip(exchanges, found[1::2], strict=True):
        assert faults(layers) == [], row
        assert shown_attributes(layers) == split(reply[20:]), row
        for number in unknown_vendor_attributes(layers):
            assert DICTIONARY.attribute("Attr-26.{}.{}".format(*number)), (
                f"{row}: neither tshark nor FreeRADIUS has {number}"
            )
        assert authenticator_is_right(layers), row


def test_tshark_finds_a_reply_that_was_made_with_another_secret(
    exchanges: list[tuple[Row, bytes, bytes, int]], tmp_path: Path
) -> None:
    _, request, reply, port = exchanges[0]
    forged = reply[:4] + hashlib.md5(reply[:4] + request[4:20] + reply[20:] + b"another").digest() + reply[20:]

    found = dissect([Exchange(request, port), Exchange(forged, port, answers=True)], tmp_path, secret=NAS_SECRET)

    assert not authenticator_is_right(found[1])


def test_freeradius_as_the_device_takes_every_change_for_genuine_and_tshark_its_answer(tmp_path: Path) -> None:
    wanted = rows("change")
    captured: list[Exchange] = []
    with (
        freeradius_coa_server(tmp_path, SECRET.decode()) as device,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
    ):
        ours.settimeout(30)
        forged = bytearray(change_packet(wanted[0], identifier=255))
        forged[4] ^= 1
        ours.sendto(forged, ("127.0.0.1", device.port))
        for number, row in enumerate(wanted):
            request = change_packet(row, identifier=number % 256)
            ours.sendto(request, ("127.0.0.1", device.port))
            answer = ours.recv(4096)
            # It has thrown away the forged one, and acknowledges this.
            assert answer[1] == request[1]
            assert answer[0] == (44 if request[0] == COA_REQUEST else 41), row
            captured += _both(request, answer, device.port, number)

    found = dissect(captured, tmp_path, secret=SECRET)

    for row, request, answer in zip(wanted, found[::2], found[1::2], strict=True):
        assert faults(request) == [], row
        assert faults(answer) == [], row
        assert authenticator_is_right(answer), row
