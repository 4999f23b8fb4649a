"""What every vendor file is checked with: each setting of its options, and the setup that its docs page shows.

`PYTHONPATH=. python tests/support/vendor_cases.py VENDOR` in the repository prints the commands for the page.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from dataclasses import fields, replace
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import Drivers, NasDriver, driver_for, vendor_names
from nas_drivers.policy import BitRate, RatePair, SessionPolicy

_MBIT = 1_000_000
# Addresses of RFC 5737: what the pages of all vendors show.
SAMPLE_SETUP = DeviceSetup(
    nas_name="bras-1",
    nas_address=IPv4Address("192.0.2.1"),
    radius_addresses=(IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")),
    change_addresses=(IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")),
    secret="SECRET",
    coa_secret="SECRET",
    coa_port=3799,
    policies=(
        SessionPolicy(
            rate=RatePair(BitRate(300 * _MBIT), BitRate(30 * _MBIT)), ipv4_pool="homes", device_policy="home-300"
        ),
        SessionPolicy(
            rate=RatePair(BitRate(1 * _MBIT), BitRate(1 * _MBIT)),
            address_lists=("walled",),
            filter="walled",
            device_policy="walled",
        ),
    ),
    portal_address=IPv4Address("203.0.113.5"),
    access_username="corrente",
    access_password="DEVICE-PASSWORD",
)

_HOME = SessionPolicy(rate=RatePair(BitRate(300 * _MBIT), BitRate(30 * _MBIT)))
_WALLED = RatePair(BitRate(_MBIT), BitRate(_MBIT))
# The kinds of profile that an ISP has; pairs of them are the changes that there are.
PROFILE_KINDS = {
    "nothing": SessionPolicy(),
    "rate": _HOME,
    "slow rate": SessionPolicy(rate=_WALLED),
    "rate, other session timeout": replace(_HOME, session_timeout_s=7200),
    "rate, idle timeout": replace(_HOME, idle_timeout_s=900),
    "rate, other interim interval": replace(_HOME, interim_interval_s=600),
    "burst": replace(
        _HOME,
        burst=RatePair(BitRate(600 * _MBIT), BitRate(60 * _MBIT)),
        burst_threshold=RatePair(BitRate(200 * _MBIT), BitRate(20 * _MBIT)),
        burst_time_s=8,
        priority=3,
    ),
    "walled by list": SessionPolicy(rate=_WALLED, address_lists=("walled",)),
    "walled by filter": SessionPolicy(rate=_WALLED, filter="walled"),
    "walled by device policy": SessionPolicy(rate=_WALLED, device_policy="walled"),
    "device policy": replace(_HOME, device_policy="home-300"),
    "device policy alone": SessionPolicy(device_policy="home-300"),
    "device policy, other session timeout": replace(_HOME, device_policy="home-300", session_timeout_s=7200),
    "pool": replace(_HOME, ipv4_pool="homes"),
    "dual stack": replace(_HOME, ipv4_pool="homes", ipv6_pool="homes6", delegated_ipv6_pool="homes-pd"),
    "filter alone": SessionPolicy(filter="open"),
    "above 4.3 Gbit/s": SessionPolicy(rate=RatePair(BitRate(10_000 * _MBIT), BitRate(10_000 * _MBIT))),
}


def sample_setup(driver: NasDriver) -> DeviceSetup:
    """The sample with the vendor's own CoA port."""
    return replace(SAMPLE_SETUP, coa_port=driver.default_coa_port)


def drivers_as_set() -> Iterator[tuple[str, NasDriver]]:
    """Every vendor with its defaults, and once more for each other value that one of its options can take."""
    for vendor in vendor_names():
        driver = driver_for(vendor)
        yield vendor, driver
        for name, value in _other_values(driver.options):
            options = replace(typing.cast("Any", driver.options), **{name: value})
            yield f"{vendor}-{name}-{value}", Drivers({vendor: options}).of(vendor)


def _other_values(options: Any) -> Iterator[tuple[str, object]]:
    """Of switches and of choices (Literal, Enum) all values; of names and numbers the default alone."""
    kinds = typing.get_type_hints(type(options))
    for one in fields(options):
        kind, now = kinds[one.name], getattr(options, one.name)
        choices: tuple[object, ...] = ()
        if kind is bool:
            choices = (True, False)
        elif typing.get_origin(kind) is typing.Literal:
            choices = typing.get_args(kind)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            choices = tuple(kind)
        yield from ((one.name, value) for value in choices if value != now)


if __name__ == "__main__":
    sys.stdout.write(driver_for(sys.argv[1]).setup_commands(sample_setup(driver_for(sys.argv[1]))))
