"""A generic device: only what the RFCs have a word for, and a complaint about the rest."""

from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionPolicy
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


def test_the_filter_changes_live_and_a_pool_does_not() -> None:
    home, slow = SessionPolicy(filter="home", ipv4_pool="homes"), SessionPolicy(filter="slow", ipv4_pool="homes")

    assert DRIVER.change_methods(home, slow) == (Method.COA, Method.DISCONNECT)
    assert DRIVER.change_methods(home, SessionPolicy(ipv4_pool="homes")) == (Method.DISCONNECT,)
    assert DRIVER.change_attributes(slow) == (Attribute("Filter-Id", ":=", "slow"),)
