"""Cisco's ISG and BNG: what IOS-XE and IOS-XR are told alike in Cisco-AVPair, and how their command lines refuse. Pure.

They take no rates: a name stands for a pair of policy maps, for an access list, for a pool. A name that a command line does not
take can't be on such a router: it is not sent. What is given to find a session by must all match, so a request names few.

Source: Cisco, RADIUS Attributes Configuration Guide (addr-pool, inacl); ISG Configuration Guide, IOS XE 16.9; ASR 9000 BNG
Configuration Guide 5.2.x; RFC 3162 2.6, RFC 6911 3.4.
Next: ../vendors/cisco_iosxe.py
"""

from __future__ import annotations

import re
from typing import Final

from nas_drivers.changes import framed_address, name_and_session
from nas_drivers.cli_dialect import is_cli_word
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, BitRate, SessionIdentity, SessionPolicy

AVPAIR: Final = "Cisco-AVPair"
# For what the subscriber sends, and for what it gets.
POLICY_MAPS: Final = ("sub-qos-policy-in", "sub-qos-policy-out")
# Whether `clear subscriber session` asks differs by its key and release: `all` is known to, a username is not.
CONFIRMATION: Final = r"\[confirm\]|\[y(?:es)?/n(?:o)?\]"
_FORM: Final = ": a name there is one word of ASCII letters, digits and . _ @ : / -"
_REFUSAL: Final = re.compile(
    r"^[ \t]*(%[ \t]*(?:Invalid|Incomplete|Ambiguous|Unknown|Unrecognized|Bad|Error|Authorization|This command is not authorized).*"
    r"|Command authorization failed.*)$",
    re.MULTILINE | re.IGNORECASE,
)


def check_suffixes(in_suffix: str, out_suffix: str) -> None:
    """Raises: ValueError for what no command line takes behind a policy map's name, and for two directions with one name."""
    if in_suffix == out_suffix:
        raise ValueError("in_suffix: the same as out_suffix, but one policy map would police up and shape down at once")
    for suffix in (in_suffix, out_suffix):
        if not is_cli_word("x" + suffix):
            raise ValueError(f"a suffix {suffix!r} does not fit a policy map's name")


def avpair(text: str) -> Attribute:
    """One more of them."""
    return Attribute(AVPAIR, "+=", text)


def policy_maps(name: str | None, *, prefix: str, suffixes: tuple[str, str]) -> tuple[Attribute, ...]:
    """The pair that a device policy's name stands for; `prefix` with its colon, or empty."""
    if name is None:
        return ()
    return tuple(avpair(f"{prefix}{what}={name}{suffix}") for what, suffix in zip(POLICY_MAPS, suffixes, strict=True))


def names_by_login(policy: SessionPolicy, *, prefix: str, ipv4_pool_as: str) -> tuple[Attribute, ...]:
    """The access list for what the subscriber sends, and the pools."""
    said = []
    if policy.filter is not None and is_cli_word(policy.filter):
        said.append(avpair(f"{prefix}inacl={policy.filter}"))
    if policy.ipv4_pool is not None and ipv4_pool_as == "framed_pool":
        said.append(Attribute("Framed-Pool", ":=", policy.ipv4_pool))
    elif policy.ipv4_pool is not None and is_cli_word(policy.ipv4_pool):
        said.append(avpair(f"ip:addr-pool={policy.ipv4_pool}"))
    named = (("Framed-IPv6-Pool", policy.ipv6_pool), ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool))
    return (*said, *given_attributes(named))


def unsupported(policy: SessionPolicy, *, device: str, ready: str, ipv4_pool_as: str) -> tuple[str, ...]:
    """Rates without a device policy (`ready` says what one names), address lists, names that can't be on it."""
    other = ": give restricted subscribers a device policy or a filter"
    wanted: list[tuple[str, object, str]] = [("address lists", policy.address_lists, other)]
    if policy.device_policy is None:
        wanted += [
            (what, value, f": give the profile a device policy, the name of {ready}")
            for what, value in (
                ("the rate", policy.rate),
                ("a burst", policy.burst),
                ("a priority", policy.priority),
                ("a minimum rate", policy.minimum),
            )
        ]
    pool = policy.ipv4_pool if ipv4_pool_as == "avpair" else None
    for what, name in (("filter", policy.filter), ("pool", pool)):
        wanted.append((f"the {what} {name!r}", name is not None and not is_cli_word(name), _FORM))
    return cannot_be_told(device, wanted)


def identity_attributes(identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
    """Few, for all that is given must match; the address beside them when those few were refused."""
    known = name_and_session(identity)
    return known + framed_address(identity) if detail == 1 else known


def refused(output: str) -> str | None:
    """Lines with a percent sign that speak of the command, not of what it found."""
    found = _REFUSAL.search(output)
    return None if found is None else found[1].strip()


def limits(policy: SessionPolicy) -> tuple[BitRate | None, BitRate | None]:
    """What the pair of policy maps is made for: up, then down."""
    return (None, None) if policy.rate is None else (policy.rate.up, policy.rate.down)
