"""What differs between two answers."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from nas_drivers.changes import (
    class_attribute,
    difference,
    framed_prefix,
    idle_timeout,
    mac_address,
    nas_address,
)
from nas_drivers.policy import Attribute, SessionIdentity, SessionPolicy


def said(**named: str) -> list[Attribute]:
    return [Attribute(name.replace("_", "-"), ":=", value) for name, value in named.items()]


def test_a_new_value_is_a_change_and_silence_a_withdrawal() -> None:
    found = difference(
        said(Filter_Id="fast", Framed_Pool="homes", Class="0x01"), said(Filter_Id="slow", Framed_Pool="homes")
    )

    assert (found.changed, found.withdrawn, found.all) == ({"Filter-Id"}, {"Class"}, {"Filter-Id", "Class"})


def test_a_coa_covers_new_values_and_never_a_withdrawal() -> None:
    names = frozenset({"Filter-Id", "Class"})

    assert difference(said(Filter_Id="fast"), said(Filter_Id="slow")).is_covered_by(names)
    assert not difference(said(Filter_Id="fast", Class="0x01"), said(Filter_Id="slow")).is_covered_by(names)
    assert not difference(said(), said(Framed_Pool="homes")).is_covered_by(names)


def test_all_that_is_said_counts_when_it_is_not_known_what_was_before() -> None:
    assert difference(None, said(Filter_Id="slow")).changed == {"Filter-Id"}


def test_the_order_of_a_repeated_attribute_means_nothing_and_its_number_does() -> None:
    lists = [Attribute("Mikrotik-Address-List", "+=", name) for name in ("walled", "no-mail")]

    assert difference(lists, reversed(lists)).all == frozenset()
    assert difference(lists, lists[:1]).changed == {"Mikrotik-Address-List"}


def test_what_is_not_known_is_not_said() -> None:
    nobody = SessionIdentity("anna", "1")

    assert nas_address(nobody) == framed_prefix(nobody) == mac_address(nobody, upper_case=True) == ()
    assert idle_timeout(SessionPolicy()) == class_attribute(None) == ()


def test_addresses_and_class_are_written_for_their_family() -> None:
    v4, v6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
    prefix = IPv6Network("2001:db8:1::/64")

    assert nas_address(SessionIdentity("a", "1", nas_address=v4)) == (Attribute("NAS-IP-Address", ":=", "192.0.2.1"),)
    assert nas_address(SessionIdentity("a", "1", nas_address=v6)) == (
        Attribute("NAS-IPv6-Address", ":=", "2001:db8::1"),
    )
    assert framed_prefix(SessionIdentity("a", "1", framed_ipv6_prefix=prefix)) == (
        Attribute("Framed-IPv6-Prefix", ":=", "2001:db8:1::/64"),
    )
    assert framed_prefix(SessionIdentity("a", "1", framed_ipv4=v4, framed_ipv6_prefix=prefix)) == ()
    assert class_attribute(b"CO1\x00") == (Attribute("Class", ":=", "0x434f3100"),)
    assert mac_address(SessionIdentity("a", "1", mac="0200005e0053"), upper_case=True) == (
        Attribute("Calling-Station-Id", ":=", "02:00:00:5E:00:53"),
    )
