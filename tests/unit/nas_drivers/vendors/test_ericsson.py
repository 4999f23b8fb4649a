"""SmartEdge words, by hand from its dictionary and from what operators send: kbit/s, policing up and metering down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.ericsson import DRIVER, EricssonDriver, Options

HOME = SessionPolicy(rate=RatePair(down=BitRate(300_000_001), up=BitRate(30_000_000)), device_policy="home-300")
SLOW = replace(HOME, rate=RatePair(down=BitRate(1_000_000), up=BitRate(1_000_000)))


def said(driver: EricssonDriver, policy: SessionPolicy) -> list[tuple[str, str]]:
    return [(one.name, one.value) for one in driver.login_attributes(policy)]


def test_the_policies_go_out_by_name_with_rates_in_kbit_on_top() -> None:
    assert said(EricssonDriver(), HOME) == [
        ("Qos-Policing-Profile-Name", "home-300-up"),
        ("Qos-Metering-Profile-Name", "home-300-down"),
        ("QOS-Rate-Inbound", "30000"),
        ("QOS-Rate-Outbound", "300001"),
    ]


def test_which_of_policing_and_metering_is_the_upload_is_an_option() -> None:
    swapped = EricssonDriver(Options(policing_is_up=False, rate_attribute="Dynamic-QoS-Param"))

    assert said(swapped, HOME) == [
        ("Qos-Policing-Profile-Name", "home-300-down"),
        ("Qos-Metering-Profile-Name", "home-300-up"),
        ("Dynamic-QoS-Param", "police-circuit-rate rate-absolute 300001"),
        ("Dynamic-QoS-Param", "meter-circuit-rate rate-absolute 30000"),
    ]
    # Inbound and outbound say their direction themselves.
    assert said(EricssonDriver(Options(policing_is_up=False)), HOME)[2:] == [
        ("QOS-Rate-Inbound", "30000"),
        ("QOS-Rate-Outbound", "300001"),
    ]


def test_a_rate_without_an_attribute_is_told() -> None:
    names_only = EricssonDriver(Options(rate_attribute="none"))

    assert names_only.unsupported(HOME) == ()
    assert len(names_only.unsupported(replace(HOME, device_policy=None))) == 1


def test_rates_and_forward_policy_change_live_and_names_only_by_option() -> None:
    walled = replace(HOME, filter="walled")
    other = replace(HOME, device_policy="home-100")

    assert DRIVER.change_methods(HOME, SLOW) == (Method.COA, Method.DISCONNECT)
    assert DRIVER.change_attributes(SLOW, old=HOME, class_octets=b"CO1") == (
        Attribute("QOS-Rate-Inbound", ":=", "1000"),
        Attribute("QOS-Rate-Outbound", ":=", "1000"),
    )
    assert DRIVER.change_methods(HOME, walled) == (Method.COA, Method.DISCONNECT)
    assert Attribute("Forward-Policy", ":=", "in:walled") in DRIVER.change_attributes(walled, old=HOME)
    # No CoA takes a forward policy back: out of the walled garden by a new login.
    assert DRIVER.change_methods(walled, HOME) == (Method.DISCONNECT,)
    assert DRIVER.change_methods(HOME, other) == (Method.DISCONNECT,)
    assert EricssonDriver(Options(profiles_by_coa=True)).change_methods(HOME, other) == (Method.COA, Method.DISCONNECT)
    assert DRIVER.change_methods(HOME, None) == (Method.DISCONNECT,)


def test_changes_name_the_context_that_the_option_has() -> None:
    anna = SessionIdentity("anna", "0200FFFF7800001E-4C6A2B11")
    plain = [one.name for one in DRIVER.identity_attributes(anna, detail=0)]
    in_context = EricssonDriver(Options(context="isp")).identity_attributes(anna, detail=2)

    assert plain == ["User-Name", "Acct-Session-Id"]
    assert in_context[-1] == Attribute("Context-Name", ":=", "isp")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"up_suffix": "-x", "down_suffix": "-x"}, "up_suffix"), ({"context": "a b"}, "context")],
)
def test_names_that_can_not_be_are_refused(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Options(**wrong)  # type: ignore[arg-type]


def test_it_has_no_command_line() -> None:
    assert DRIVER.cli is None
