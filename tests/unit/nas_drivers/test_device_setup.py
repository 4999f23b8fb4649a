"""What is pasted on a device holds no word that its command line would read otherwise."""

from dataclasses import replace

import pytest
from support.vendor_cases import SAMPLE_SETUP

from nas_drivers.cli_dialect import CliWordError
from nas_drivers.device_setup import fit_policies
from nas_drivers.policy import SessionPolicy


def test_the_names_that_profiles_use_come_once_and_in_their_order():
    policies = (
        SessionPolicy(device_policy="home", ipv4_pool="b", address_lists=("walled", "no-mail")),
        SessionPolicy(device_policy="home", ipv4_pool="a", address_lists=("walled",), filter="slow"),
        SessionPolicy(ipv4_pool="b"),
    )
    setup = replace(SAMPLE_SETUP, policies=policies)

    assert setup.device_policies == {"home": policies[0]}
    assert setup.ipv4_pools == ("b", "a")
    assert setup.address_lists == ("walled", "no-mail")
    assert setup.filters == ("slow",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nas_name": "bras 1"},
        {"access_username": "x; reload"},
        {"policies": (SessionPolicy(ipv4_pool="pool 1"),)},
        {"policies": (SessionPolicy(address_lists=("a\nb",)),)},
        {"policies": (SessionPolicy(filter="x|y"),)},
    ],
)
def test_a_name_that_a_command_line_would_read_otherwise_is_refused(wrong):
    with pytest.raises(CliWordError, match="does not fit a command line"):
        replace(SAMPLE_SETUP, **wrong)


@pytest.mark.parametrize("column", ["secret", "coa_secret", "access_password"])
def test_a_secret_that_does_not_fit_is_refused_without_being_shown(column):
    with pytest.raises(CliWordError) as refused:
        replace(SAMPLE_SETUP, **{column: "se cret?"})
    assert "se cret?" not in str(refused.value)
    assert "bras-1" in str(refused.value)


def test_names_that_no_command_line_takes_are_left_out_and_told_and_the_others_stay():
    policies = (
        SessionPolicy(ipv4_pool="pool 1", ipv6_pool="six", address_lists=("walled", "no mail"), device_policy="home"),
        SessionPolicy(filter="x|y", delegated_ipv6_pool="pool 1"),
    )

    fitting, left_out = fit_policies(policies)

    assert fitting == (
        SessionPolicy(ipv6_pool="six", address_lists=("walled",), device_policy="home"),
        SessionPolicy(),
    )
    assert left_out == ("no mail", "pool 1", "x|y")
    replace(SAMPLE_SETUP, policies=fitting)


@pytest.mark.parametrize(("interval_s", "shortest", "minutes"), [(600, 1, 10), (659, 1, 10), (60, 5, 5), (30, 1, 1)])
def test_an_interim_interval_in_minutes_is_never_shorter_than_the_device_takes(
    interval_s: int, shortest: int, minutes: int
) -> None:
    assert replace(SAMPLE_SETUP, interim_interval_s=interval_s).interim_minutes(shortest=shortest) == minutes
