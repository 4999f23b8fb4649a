"""A generic device: only what the RFCs have a word for, and a complaint about the rest."""

from nas_drivers.policy import Attribute, BitRate, RatePair, SessionPolicy
from nas_drivers.vendors.generic import DRIVER


def test_pools_and_the_filter_are_said_in_rfc_attributes() -> None:
    policy = SessionPolicy(filter="walled", ipv4_pool="v4", ipv6_pool="v6", delegated_ipv6_pool="pd")

    assert DRIVER.login_attributes(policy) == (
        Attribute("Filter-Id", ":=", "walled"),
        Attribute("Framed-Pool", ":=", "v4"),
        Attribute("Framed-IPv6-Pool", ":=", "v6"),
        Attribute("Delegated-IPv6-Prefix-Pool", ":=", "pd"),
    )
    assert DRIVER.unsupported(policy) == ()


def test_a_rate_is_not_said_and_that_is_told() -> None:
    policy = SessionPolicy(rate=RatePair(BitRate(1_000_000), BitRate(1_000_000)), address_lists=("walled",))

    assert DRIVER.login_attributes(policy) == ()
    assert len(DRIVER.unsupported(policy)) == 2
    assert "the rate" in DRIVER.unsupported(policy)[0]
