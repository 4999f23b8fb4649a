"""What devices of each vendor would be told for a profile: at a login, by a change of a live session, and what they can't be. Pure.

Next: ../../nas_drivers/driver.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nas_drivers.driver import Drivers
from nas_drivers.policy import Attribute, Method, SessionPolicy


@dataclass(frozen=True, slots=True)
class VendorPreview:
    """One vendor's devices. `methods` is how a live session is taken from the policy before to this one, best first."""

    vendor: str
    login: tuple[Attribute, ...]
    change: tuple[Attribute, ...]
    methods: tuple[Method, ...]
    unsupported: tuple[str, ...]


def preview(
    policy: SessionPolicy, vendors: Iterable[str], drivers: Drivers, *, before: SessionPolicy | None
) -> list[VendorPreview]:
    """For each of these vendors. `before` None: the profile is new."""
    found = []
    for vendor in vendors:
        driver = drivers.of(vendor)
        found.append(
            VendorPreview(
                vendor,
                (*driver.login_attributes(policy), *_timeouts(policy)),
                driver.change_attributes(policy, old=before),
                driver.change_methods(before, policy),
                driver.unsupported(policy),
            )
        )
    return found


def _timeouts(policy: SessionPolicy) -> tuple[Attribute, ...]:
    """What is the same everywhere, before each login's jitter. Source: RFC 2865 sections 5.27, 5.28; RFC 2869 section 5.16."""
    given = (
        ("Session-Timeout", policy.session_timeout_s),
        ("Idle-Timeout", policy.idle_timeout_s),
        ("Acct-Interim-Interval", policy.interim_interval_s),
    )
    return tuple(Attribute(name, ":=", str(seconds)) for name, seconds in given if seconds is not None)
