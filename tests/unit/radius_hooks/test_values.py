import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_hooks.policy_records import ReplyItem
from radius_hooks.values import checked, limits, quoted, read_quoted


def passes(kind, value, name="Some-Attribute", op=":="):
    return checked(ReplyItem(name, op, value, kind)) is not None


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", ["0", "600", "4294967295"], ["4294967296", "-5", "3.5", "abc", "", "01", "+1", " 1", "٣", "Framed-User"]),
        ("integer64", ["18446744073709551615"], ["18446744073709551616"]),
        ("byte", ["255"], ["256"]),
        ("short", ["65535"], ["65536"]),
        ("signed", ["-2147483648", "2147483647"], ["2147483648", "-2147483649", "-0"]),
        ("ipaddr", ["192.0.2.1", "192.0.2.1/32"], ["999.1.1.1", "192.0.2.1/24", "192.0.2", "localhost", "::1", "01.2.3.4"]),
        ("ipv6addr", ["2001:db8::1"], ["fe80::1%eth0", "192.0.2.1", "2001:db8::/64"]),
        ("combo-ip", ["2001:db8::1", "192.0.2.1"], ["x"]),
        ("ipv4prefix", ["192.0.2.0/24"], ["192.0.2.0", "192.0.2.0/33"]),
        ("ipv6prefix", ["2001:db8::/64"], ["2001:db8::1", "2001:db8::/129"]),
        ("ifid", ["0:0:0:1"], ["0:0:1", "::1"]),
        ("ether", ["02:00:5e:00:53:01"], ["02:00:5e:00:53"]),
        ("octets", ["0x00ff"], ["0x", "0xf", "ff", "0xzz"]),
        ("string", ["10M/100M", "a\\\\b"], ["", "a\0b", "\\000", "a\\", "\\089", "\ud800"]),
        ("tlv", [], ["1"]),
        ("vsa", [], ["1"]),
    ],
)  # fmt: skip
def test_a_value_passes_only_as_what_its_kind_can_carry(kind, good, bad):
    assert [value for value in good if not passes(kind, value)] == []
    assert [value for value in bad if passes(kind, value)] == []


def test_text_must_fit_into_one_attribute():
    assert passes("string", "a" * 253, name="Reply-Message")
    assert not passes("string", "a" * 254, name="Reply-Message")
    assert passes("string", "è" * 126, name="Reply-Message")
    assert not passes("string", "è" * 127, name="Reply-Message")
    assert passes("string", "a" * 247, name="Mikrotik-Rate-Limit")
    assert not passes("string", "a" * 248, name="Mikrotik-Rate-Limit")
    # A doubled backslash is one octet on the wire.
    assert passes("string", "\\\\" * 247, name="Mikrotik-Rate-Limit")


def test_a_tag_takes_its_room():
    assert passes("integer", "16777215", name="Tunnel-Type:1")
    assert not passes("integer", "16777216", name="Tunnel-Type:1")
    assert not passes("integer", "1", name="Tunnel-Type:32")


@pytest.mark.parametrize("name", ["", "x y", "x\n", "control:Auth-Type", "&x", "x" * 200])
def test_a_name_that_freeradius_reads_as_something_else_does_not_pass(name):
    assert not passes("integer", "1", name=name)


@pytest.mark.parametrize("op", ["==", "-=", "!*", "=~", "", "||"])
def test_only_operators_that_set_pass(op):
    assert not passes("integer", "1", op=op)


@pytest.mark.parametrize(
    ("name", "limiting"),
    [
        ("Mikrotik-Rate-Limit", True),
        ("Framed-Pool", True),
        ("Mikrotik-Address-List", True),
        ("Filter-Id", True),
        ("ERX-Ingress-Policy-Name", True),
        ("Cisco-AVPair", True),
        ("Framed-IP-Address", False),
        ("Reply-Message", False),
        ("Idle-Timeout", False),
    ],
)
def test_what_keeps_a_subscriber_within_what_was_bought_is_known_by_its_name(name, limiting):
    assert limits(name) is limiting


@given(st.binary())
def test_any_octets_can_be_written_so_that_they_are_read_back(octets):
    assert read_quoted(quoted(octets)) == octets
    assert quoted(octets).isascii()


def test_octets_are_written_as_freeradius_reads_them():
    assert quoted(b"plain words!") == "plain words!"
    assert quoted(b"a\\n\xe8\x00") == "a\\\\n\\350\\000"
