"""The packets of every vendor are, octet by octet, those of its table; tshark reads each without a fault.

tests/support/conformance.py says what a table is. How a login leaves the real FreeRADIUS: tests/radius/test_packets_freeradius.py.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import pytest
from support.conformance import (
    CHANGES,
    COA_REQUEST,
    DISCONNECT_REQUEST,
    PROFILES,
    SECRET,
    TIMESTAMP,
    Exchange,
    Row,
    change_packet,
    dissect,
    rows,
    split,
    tables,
)
from support.radius_packets import attribute, vendor
from support.tshark_words import faults, shown_attributes, unknown_vendor_attributes

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import vendor_names
from nas_drivers.policy import Attribute

DICTIONARY: Final = load_dictionary("/usr/share/freeradius/dictionary")
MESSAGE_AUTHENTICATOR, EVENT_TIMESTAMP = "50", "37"
every_vendor = pytest.mark.parametrize("name", tables())


def on_wire(one: Attribute) -> bytes:
    """An attribute as FreeRADIUS encodes it by its dictionary; nothing of our sender is used."""
    known = DICTIONARY.attribute(one.name)
    assert known is not None
    text = canonical_value(known, one.value).replace("\\\\", "\\")
    match known.kind:
        case "string":
            value = text.encode()
            tag = b"" if known.tag is None else bytes([known.tag])
        case "integer":
            value = struct.pack("!I", int(text))
            tag, value = (b"", value) if known.tag is None else (bytes([known.tag]), value[1:])
        case "ipaddr":
            tag, value = b"", IPv4Address(text).packed
        case other:
            raise AssertionError(f"{one.name}: no encoding of {other} here")
    if known.vendor is None:
        return bytes(attribute(known.number, tag + value))
    assert (known.vendor.type_octets, known.vendor.length_octets) == (1, 1)
    return bytes(vendor(known.vendor.number, known.number, tag + value))


def test_every_vendor_has_a_table() -> None:
    assert sorted(tables()) == sorted(vendor_names())


@every_vendor
def test_a_table_has_each_profile_and_each_change(name: str) -> None:
    for part, kinds in (("login", PROFILES), ("change", CHANGES)):
        assert {row.kind for row in tables()[name][part] if not row.options} == set(kinds), part


@pytest.mark.parametrize("row", rows("login") + rows("change"), ids=str)
def test_every_row_names_its_source(row: Row) -> None:
    assert len(row.source) > 20


@pytest.mark.parametrize("row", rows("login"), ids=str)
def test_a_login_carries_the_octets_of_the_table(row: Row) -> None:
    policy = PROFILES[row.kind]

    said = b"".join(on_wire(one) for one in row.driver.login_attributes(policy))

    assert split(said) == split(row.octets)
    assert bool(row.driver.unsupported(policy)) == row.complains


@pytest.mark.parametrize("row", rows("change"), ids=str)
def test_a_change_carries_the_octets_of_the_table(row: Row) -> None:
    old, new = CHANGES[row.kind]

    raw = change_packet(row)

    assert tuple(method.value for method in row.driver.change_methods(old, new)) == row.ladder
    assert raw[0] == (COA_REQUEST if row.ladder[0] == "coa" else DISCONNECT_REQUEST)
    said = split(raw[20:])
    ours = [one for one in said if one[:2] not in (MESSAGE_AUTHENTICATOR, EVENT_TIMESTAMP)]
    assert ours == split(row.octets)
    assert f"3706{TIMESTAMP:08x}" in said
    assert sum(one.startswith(MESSAGE_AUTHENTICATOR) for one in said) == 1


@pytest.mark.parametrize("row", rows("change"), ids=str)
def test_a_change_is_signed_as_rfc_5176_wants_it(row: Row) -> None:
    raw = change_packet(row)

    unsigned = raw[:4] + bytes(16) + raw[20:]
    assert raw[4:20] == hashlib.md5(unsigned + SECRET).digest()
    at = unsigned.index(bytes.fromhex(MESSAGE_AUTHENTICATOR + "12"), 20) + 2
    blank = unsigned[:at] + bytes(16) + unsigned[at + 16 :]
    assert raw[at : at + 16] == hmac.digest(SECRET, blank, "md5")


def test_tshark_reads_every_change_without_a_fault(tmp_path: Path) -> None:
    wanted = rows("change")
    packets = [change_packet(row) for row in wanted]

    found = dissect([Exchange(raw, 3799) for raw in packets], tmp_path, secret=SECRET)

    for row, raw, layers in zip(wanted, packets, found, strict=True):
        assert faults(layers) == [], row
        assert shown_attributes(layers) == split(raw[20:]), row
        for number in unknown_vendor_attributes(layers):
            assert DICTIONARY.attribute("Attr-26.{}.{}".format(*number)), (
                f"{row}: neither tshark nor FreeRADIUS has {number}"
            )


def test_tshark_finds_what_is_wrong_with_a_packet(tmp_path: Path) -> None:
    raw = change_packet(rows("change")[0])
    too_long = raw[:21] + b"\xf0" + raw[22:]
    nobodys = raw[:2] + struct.pack("!H", len(raw) + 9) + raw[4:] + bytes.fromhex("1a09000038a4f80361")

    found = dissect([Exchange(too_long, 3799), Exchange(nobodys, 3799)], tmp_path, secret=SECRET)

    assert faults(found[0])
    assert unknown_vendor_attributes(found[1]) == {(14500, 248)}
    assert DICTIONARY.attribute("Attr-26.14500.248") is None
