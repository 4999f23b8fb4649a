"""No value that is let out is one that FreeRADIUS turns into something else, least of all into zero.

Values of every kind, usual, at the limits and nonsense, go through our check; those that pass are sent by FreeRADIUS in
daemon mode and must arrive as what they say. What they say is worked out here, without the code under test.
"""

import ipaddress
import random
import struct

import pytest
from support.radius_packets import ACCESS_ACCEPT
from support.radius_server import account_record, profile_record, radius_server, step

from radius_hooks.policy_records import ReplyItem
from radius_hooks.values import checked

pytestmark = pytest.mark.radius

EMPTY_PROFILE = 20
NONSENSE = [
    "", " ", "0x", "0x0", "-1", "-5", "+1", "1 ", " 1", "01", "1.5", "3.5", "1e3", "abc", "NoSuch", "0", "1", "255", "256",
    "65535", "65536", "4294967295", "4294967296", "5000000000", "18446744073709551615", "18446744073709551616", "9" * 30,
    "0.0.0.0", "1.2.3", "1.2.3.4", "999.1.1.1", "1.2.3.4/32", "1.2.3.4/24", "10.0.0.0/8", "10.1.2.3/8", "1.2.3.4/33",
    "01.2.3.4", "::", "::1", "2001:db8::1", "2001:db8::/32", "2001:db8::1/64", "2001:db8::/129", "fe80::1%eth0", "::ffff:1.2.3.4",
    "1:2:3:4", "0:0:0:1", "1:2:3", "fffff:0:0:0", "02:00:5e:00:53:01", "0200.5e00.5301", "٣", "½", "true", "yes", "localhost",
    "a" * 247, "a" * 248, "a" * 253, "a" * 254, "a" * 300, "è" * 126, "è" * 127, "a\\", "a\\\\", "a\\n", "a\\\\n", "\\000",
    "\\101", "\\089", "\\999", "a\0b", 'q"q', "%{User-Name}", "%", "`id`", "\ud800", "0x00", "0xff", "0xF", "0xzz", "0x" + "ab" * 247,
    "0x" + "ab" * 248, "2026-01-01", "Jan  1 2026 00:00:00 UTC",
]  # fmt: skip


def unescaped(text):
    """What FreeRADIUS reads in a value from Python, by the rules of section 1.3 as they were tried."""
    out, position = bytearray(), 0
    octets = text.encode()
    while position < len(octets):
        rest = octets[position : position + 4]
        if rest[:1] == b"\\" and rest[1:2] in (b"n", b"r", b"t", b"\\", b'"'):
            out += {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(rest[1:2], rest[1:2])
            position += 2
        elif rest[:1] == b"\\" and rest[1:].isdigit() and len(rest) == 4:
            out.append(int(rest[1:], 8) & 255)
            position += 4
        else:
            out += rest[:1]
            position += 1
    return bytes(out)


def prefix_octets(text):
    network = ipaddress.ip_network(text, strict=False)
    return bytes([0, network.prefixlen]) + network.network_address.packed


# Kind: the attribute that shows it, its number on the wire (vendor, number), and what a value means there.
KINDS = {
    "string": ("Reply-Message", (0, 18), unescaped),
    "string of a vendor": ("Mikrotik-Rate-Limit", (14988, 8), unescaped),
    "octets": ("State", (0, 24), lambda text: bytes.fromhex(text[2:])),
    "byte": ("3GPP-RAT-Type", (10415, 21), lambda text: struct.pack("!B", int(text))),
    "integer": ("Port-Limit", (0, 62), lambda text: struct.pack("!I", int(text))),
    "integer64": ("MIP6-Feature-Vector", (0, 124), lambda text: struct.pack("!Q", int(text))),
    "date": ("Event-Timestamp", (0, 55), lambda text: struct.pack("!I", int(text))),
    "ipaddr": ("Framed-IP-Address", (0, 8), lambda text: ipaddress.IPv4Address(text).packed),
    "ipv6addr": ("Framed-IPv6-Address", (0, 168), lambda text: ipaddress.IPv6Address(text).packed),
    "ipv4prefix": ("PMIP6-Home-IPv4-HoA", (0, 155), prefix_octets),
    "ipv6prefix": ("Framed-IPv6-Prefix", (0, 97), prefix_octets),
    "ifid": ("Framed-Interface-Id", (0, 96), lambda text: struct.pack("!4H", *(int(part, 16) for part in text.split(":")))),
}  # fmt: skip


def fill(batch):
    batch.put_profile(EMPTY_PROFILE, "mikrotik", profile_record(EMPTY_PROFILE, interim_interval_s=0))
    batch.put_account("tester", account_record(1, steps=(step(EMPTY_PROFILE),)))


@pytest.fixture(scope="module")
def server():
    with radius_server(fill) as started:
        yield started


def candidates(chance):
    """Nonsense, and as many likely values of every kind."""
    yield from NONSENSE
    for _ in range(60):
        number = chance.getrandbits(chance.choice((4, 8, 16, 31, 32, 33, 64)))
        yield str(number)
        yield "0x" + chance.randbytes(chance.randint(0, 60)).hex()
        yield str(ipaddress.IPv4Address(chance.getrandbits(32)))
        yield str(ipaddress.IPv6Address(chance.getrandbits(128)))
        yield f"{ipaddress.IPv4Address(chance.getrandbits(32))}/{chance.randint(0, 34)}"
        yield f"{ipaddress.IPv6Address(chance.getrandbits(128))}/{chance.randint(0, 130)}"
        yield ":".join(f"{chance.getrandbits(16):x}" for _ in range(chance.randint(3, 5)))
        yield "".join(chance.choices('ab \\"n01%{}:/.è\n', k=chance.randint(0, 20)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_passes_arrives_as_what_it_says(server, kind):
    name, wire, meaning = KINDS[kind]
    texts = sorted(set(candidates(random.Random(f"20261121 {kind}"))))
    items = [ReplyItem(name, "+=", text, kind.split()[0]) for text in texts]
    passing = [(item, pair[2]) for item in items if (pair := checked(item)) is not None]
    assert len(passing) >= 10
    for start in range(0, len(passing), 10):
        part = passing[start : start + 10]
        record = account_record(1, steps=(step(EMPTY_PROFILE),), reply=tuple(item for item, _ in part))
        server.change(lambda batch, record=record: batch.put_account("tester", record))

        with server.device() as nas:
            reply = nas.login("tester", "secret")

        assert reply.code == ACCESS_ACCEPT
        received = [value for vendor, number, value in reply.attributes if (vendor, number) == wire]
        expected = [meaning(text) for _, text in part]
        assert [value.ljust(len(right), b"\0") for value, right in zip(received, expected, strict=True)] == expected
