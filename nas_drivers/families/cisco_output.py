"""The policy maps and services of one session, as the command lines of Cisco's IOS XE and IOS XR show them. Pure.

Each is said as `in=NAME` (from the subscriber) or `out=NAME`, a service as `service=NAME`.

Source: a CSR1000V's `show subscriber session username` (below "QoS Policy Map:"); ASR 9000's `show subscriber running-config
interface name` of releases 7.4.2, 7.5.1 and 24.4.1 (dynamic-template, service-policy).
Next: ../vendors/cisco_iosxe.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from nas_drivers.policy import Attribute

# Class-id    Dir   Policy Name Source
# 1           Out   100Mb       Peruser
_TABLE: Final = re.compile(
    r"^QoS Policy Map:[ \t]*\nClass-id[^\n]*\n((?:\d+[ \t]+(?:In|Out)[ \t][^\n]*(?:\n|$))*)", re.MULTILINE
)
_ROW: Final = re.compile(r"^\d+[ \t]+(In|Out)[ \t]+(\S+)[ \t]+\S+[ \t]*$", re.MULTILINE)
_RUNNING: Final = re.compile(r"^Building configuration", re.MULTILINE)
_TYPE: Final = re.compile(r"^ type (user-profile|service-profile|service) (\S+)[ \t]*$", re.MULTILINE)
_APPLIED: Final = re.compile(r"^  service-policy (in|out)put (\S+)[^\n]*$", re.MULTILINE)
# What Cisco-AVPair says of them, whatever stands before.
_TOLD: Final = re.compile(r"(?:.*:)?sub-qos-policy-(in|out)=(.+)|subscriber:(sa)=(.+)")


def read_policy_maps(session: str) -> tuple[str, ...] | None:
    """What stands below one session's details on IOS XE; None where it has no such table."""
    table = _TABLE.search(session)
    if table is None:
        return None
    return tuple(f"{way.lower()}={name}" for way, name in _ROW.findall(table[1]))


def read_running_config(output: str) -> tuple[str, ...] | None:
    """The policy maps and services of one subscriber's interface on IOS XR; None for what is no configuration."""
    if _RUNNING.search(output) is None:
        return None
    services = [f"service={name}" for kind, name in _TYPE.findall(output) if kind != "user-profile"]
    return (*(f"{way}={name}" for way, name in _APPLIED.findall(output)), *services)


def told_names(attributes: Iterable[Attribute]) -> frozenset[str]:
    """The names that a login or a change gives, in the same words."""
    found = (_TOLD.fullmatch(one.value) for one in attributes)
    return frozenset(f"service={one[4]}" if one[3] else f"{one[1]}={one[2]}" for one in found if one)
