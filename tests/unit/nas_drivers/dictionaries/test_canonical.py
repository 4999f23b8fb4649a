"""Values against their attribute: what is refused, and the one text that is written for what is taken.

tests/radius/test_dictionary_values.py shows that FreeRADIUS reads these texts as these values.
"""

import pytest

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")


def _canonical(name: str, text: str) -> str:
    attribute = DICTIONARY.attribute(name)
    assert attribute is not None, name
    return canonical_value(attribute, text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Service-Type", "Framed-User", "2"),
        ("Service-Type", "framed-user", "2"),
        ("Session-Timeout", "4294967295", "4294967295"),
        ("Session-Timeout", "0x10", "16"),
        ("Session-Timeout", "010", "10"),
        ("Framed-IP-Address", "192.0.2.1", "192.0.2.1"),
        ("Framed-IP-Address", "192.0.2.1/32", "192.0.2.1"),
        ("Framed-IP-Address", "3221225985", "192.0.2.1"),
        ("Framed-IPv6-Address", "2001:DB8:0::1", "2001:db8::1"),
        ("Framed-IPv6-Prefix", "2001:db8::1/64", "2001:db8::/64"),
        ("Framed-IPv6-Prefix", "2001:db8::1", "2001:db8::1/128"),
        ("PMIP6-Home-IPv4-HoA", "10.1.2.3/8", "10.0.0.0/8"),
        ("Framed-Interface-Id", "0:0:00AB:1", "0:0:ab:1"),
        ("Event-Timestamp", "1700000000", "1700000000"),
        ("Class", "0xABCD", "0xabcd"),
        ("Class", "ab", "0x6162"),
        ("Tunnel-Type:1", "L2TP", "3"),
        ("Reply-Message", r"a\nb", r"a\\nb"),
        ("Reply-Message", "Grüße", "Grüße"),
        ("Mikrotik-Rate-Limit", "5M/10M", "5M/10M"),
        ("Mikrotik-Rate-Limit", "y" * 247, "y" * 247),
        ("Reply-Message", "y" * 253, "y" * 253),
    ],
)
def test_a_value_is_written_in_the_one_form_that_means_it(name: str, text: str, expected: str) -> None:
    assert _canonical(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Session-Timeout", "abc"),
        ("Session-Timeout", "-5"),
        ("Session-Timeout", "4294967296"),
        ("Session-Timeout", "3.5"),
        ("Session-Timeout", ""),
        ("Session-Timeout", "\u0663"),
        ("Mikrotik-Recv-Limit", "5000000000"),
        ("Framed-Protocol", "NoSuch"),
        ("Tunnel-Preference:1", "16777216"),
        ("Framed-IP-Address", "999.1.1.1"),
        ("Framed-IP-Address", "localhost"),
        ("Framed-IP-Address", "1.2.3"),
        ("Framed-IP-Address", "2001:db8::1"),
        ("Framed-IP-Address", "4294967296"),
        ("Framed-IP-Address", "192.0.2.0/24"),
        ("Framed-IPv6-Prefix", "2001:db8::/129"),
        ("Framed-IPv6-Address", "fe80::1%eth0"),
        ("Framed-Interface-Id", "::1"),
        ("Class", "0xabc"),
        ("Class", "0x"),
        ("Reply-Message", "y" * 254),
        ("Reply-Message", "ü" * 127),
        ("Reply-Message", "a\0b"),
        ("Mikrotik-Rate-Limit", "y" * 248),
        ("Tunnel-Private-Group-Id:1", "y" * 253),
        ("WiMAX-Capability", "0x01"),
    ],
)
def test_what_freeradius_would_send_as_something_else_is_refused_by_name_and_value(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name.partition(":")[0]) as caught:
        _canonical(name, text)

    assert text[:20] in str(caught.value) or repr(text) in str(caught.value) or "type tlv" in str(caught.value)
