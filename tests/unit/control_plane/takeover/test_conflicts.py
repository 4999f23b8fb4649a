from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.takeover.conflicts import is_assignable, overlapping


def test_the_later_of_two_holders_is_named_with_the_earlier_one():
    found = overlapping([("192.0.2.0/24", 5, "late"), ("192.0.2.7/32", 1, "early"), ("198.51.100.0/24", 2, "apart")])
    assert found == {"late": ("192.0.2.0/24", "early", "192.0.2.7/32")}


def test_one_holder_may_nest_its_own_prefixes():
    assert overlapping([("2001:db8::/32", 1, "a"), ("2001:db8:1::/48", 1, "a"), ("192.0.2.1/32", 1, "a")]) == {}


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.integers(26, 32), st.integers(0, 5)),
        max_size=12,
    )
)
def test_every_pair_that_overlaps_has_its_later_holder_named(drawn):
    holdings = [
        (str(ip_network((0xC0000200 + first * 4, length), strict=False)), order, f"holder {holder}")
        for order, (first, length, holder) in enumerate(drawn)
    ]
    expected = {
        max(one, other, key=lambda each: each[1])[2]
        for one in holdings
        for other in holdings
        if one[2] != other[2] and ip_network(one[0]).overlaps(ip_network(other[0]))
    }
    assert set(overlapping(holdings)) == expected


@pytest.mark.parametrize(
    ("prefix", "kind", "taken"),
    [
        ("100.64.0.1/32", "framed_ipv4", True),
        ("127.0.0.1/32", "framed_ipv4", False),
        ("255.255.255.254/32", "framed_ipv4", False),
        ("192.0.2.0/31", "framed_ipv4", False),
        ("2001:db8::1/128", "framed_ipv4", False),
        ("2001:db8::/56", "delegated_ipv6_prefix", True),
        ("fe80::/64", "framed_ipv6_prefix", False),
        ("2000::/16", "framed_ipv6_prefix", False),
        ("10.0.0.0/8", "route", True),
        ("10.0.0.0/7", "route", False),
    ],
)
def test_only_what_the_table_takes_is_assignable(prefix, kind, taken):
    assert is_assignable(ip_network(prefix, strict=False), kind) is taken
