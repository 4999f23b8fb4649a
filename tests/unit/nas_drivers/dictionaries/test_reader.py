"""The reader of dictionary files, on small files written here and on FreeRADIUS's own."""

from pathlib import Path

import pytest

from nas_drivers.dictionaries.attribute import Vendor
from nas_drivers.dictionaries.reader import DictionaryError, load_dictionary

FREERADIUS = "/usr/share/freeradius/dictionary"


def _write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_number_type_vendor_flags_and_values_of_an_attribute_are_read(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "dictionary.acme",
        "VENDOR Acme 4711 format=2,1 # a comment\n"
        "BEGIN-VENDOR Acme\n"
        "VALUE Acme-Colour Red 0x0a\n"
        "ATTRIBUTE Acme-Colour 3 uint32\n"
        "ATTRIBUTE Acme-Key 4 octets[16] encrypt=2,has_tag\n"
        "END-VENDOR Acme\n",
    )
    main = _write(tmp_path, "dictionary", "$INCLUDE dictionary.acme\n$INCLUDE- missing\nATTRIBUTE Plain 5 String\n")

    dictionary = load_dictionary(main)

    colour = dictionary.attribute("acme-colour")
    assert colour is not None
    assert (colour.number, colour.kind, colour.values) == (3, "integer", {"red": 10})
    assert colour.vendor == Vendor("Acme", 4711, 2, 1)
    key = dictionary.attribute("Acme-Key:7")
    assert key is not None
    assert (key.tagged, key.tag, key.encrypted, key.kind, key.fixed_octets) == (True, 7, 2, "octets", 16)
    plain = dictionary.attribute("Plain")
    assert plain is not None
    assert (plain.vendor, plain.kind, plain.number) == (None, "string", 5)


def test_an_unknown_name_or_a_tag_where_none_belongs_is_no_attribute() -> None:
    dictionary = load_dictionary(FREERADIUS)

    assert dictionary.attribute("No-Such-Thing") is None
    assert dictionary.attribute("Framed-Pool:1") is None
    assert dictionary.attribute("Tunnel-Type:32") is None
    assert dictionary.attribute("Tunnel-Type:x") is None
    assert dictionary.attribute("Attr-26.14988.250") is None


@pytest.mark.parametrize("name", ["Attr-26.14988.8", "Vendor-14988-Attr-8", "mikrotik-rate-limit"])
def test_a_numbered_name_is_the_attribute_with_that_number(name: str) -> None:
    attribute = load_dictionary(FREERADIUS).attribute(name)

    assert attribute is not None
    assert attribute.name == "Mikrotik-Rate-Limit"
    assert attribute.kind == "string"
    assert attribute.max_octets == 247


def test_the_whole_of_freeradius_is_read() -> None:
    dictionary = load_dictionary(FREERADIUS)

    names = {
        "Framed-IP-Address": ("ipaddr", (8,), True),
        "Framed-IPv6-Prefix": ("ipv6prefix", (97,), True),
        "Acct-Interim-Interval": ("integer", (85,), True),
        "Framed-Interface-Id": ("ifid", (96,), True),
        "Event-Timestamp": ("date", (55,), True),
        "ADSL-Agent-Circuit-Id": ("octets", (1,), True),
        "Cleartext-Password": ("string", (1100,), False),
        "Frag-Status": ("integer", (241, 1), True),
        "WiMAX-Release": ("string", (1, 1), True),
    }
    for name, expected in names.items():
        attribute = dictionary.attribute(name)
        assert attribute is not None, name
        assert (attribute.kind, attribute.path, attribute.on_wire) == expected
    assert len(dictionary) > 7000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ATTRIBUTE Half 5\n", ":1: not a dictionary line"),
        ("\nVENDOR X 1 format=9,9\n", ":2: not a dictionary line"),
        ("BEGIN-VENDOR Nobody\n", ":1: not a dictionary line"),
        ("NONSENSE a b c\n", "unknown keyword"),
        ("$INCLUDE gone\n", "gone: can't be read"),
        ("$INCLUDE dictionary\n", "include itself"),
        ("ATTRIBUTE A 5 integer\nVALUE A one\n", ":2: not a dictionary line"),
        ("VALUE Nothing one 1\n", "a VALUE one for nothing"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_line(tmp_path: Path, text: str, problem: str) -> None:
    main = _write(tmp_path, "dictionary", text)

    with pytest.raises(DictionaryError) as caught:
        load_dictionary(main)

    assert problem in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_of_several_names_for_one_number_the_last_is_printed() -> None:
    compression = load_dictionary(FREERADIUS).attribute("Framed-Compression")

    assert compression is not None
    # As radclient prints it; the compatibility dictionary names it VJ-TCP-IP and Van-Jacobsen-TCP-IP before.
    assert compression.printed[1] == "Van-Jacobson-TCP-IP"
    assert compression.values["vj-tcp-ip"] == 1
