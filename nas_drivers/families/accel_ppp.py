"""accel-ppp: what it is told, what changes live, what it lists; alone on a host and inside VyOS. Pure.

The rate goes in Filter-Id as `down/up` in kbit, pools by name. accel-ppp puts the download first, the opposite of RouterOS.
Suffixes are not used: `G` is ten times too large in its current source. A rate that is no whole number of kbit is rounded up,
so that nobody gets less than was sold. Live it changes the rate and Class, and acknowledges everything else unchanged.

Source: accel-ppp, accel-pppd/shaper/shaper.c, extra/ippool.c, extra/ipv6pool.c, radius/dm_coa.c, cli/cli.c, cli/show_sessions.c.
Next: ../vendors/accel_ppp.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from nas_drivers.changes import (
    class_attribute,
    framed_address,
    mac_address,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession, ipv4_of, mac_of, up_of
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, SessionIdentity, SessionPolicy

_BITS_PER_KBIT: Final = 1_000
BY_COA: Final = frozenset({"Filter-Id"})
# cli/cli.c, cli/show_sessions.c, cli/std_cmd.c, and accel-cmd when nobody listens.
_REFUSALS: Final = re.compile(
    r"(?:command failed|syntax error|invalid argument|command unknown|unknown column .*|match: .* at \d+|"
    r"(?:accel-cmd: )?[Cc]onnection to .* failed.*)"
)
_RATE: Final = re.compile(r"(\d{1,12})/(\d{1,12})")
_UPTIME: Final = re.compile(r"(?:(\d{1,12})\.)?(\d\d):(\d\d):(\d\d)")


def login_attributes(policy: SessionPolicy) -> tuple[Attribute, ...]:
    """The shaper's rate and the names of the pools."""
    rate = f"{policy.rate.down.kbit}/{policy.rate.up.kbit}" if policy.rate else None
    named = (
        ("Filter-Id", rate),
        ("Framed-Pool", policy.ipv4_pool),
        # Not Framed-IPv6-Pool: its ipv6_pool module reads attribute 172 for addresses and 171 for prefixes.
        ("Stateful-IPv6-Address-Pool", policy.ipv6_pool),
        ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
    )
    return given_attributes(named)


def unsupported(policy: SessionPolicy, *, device: str, burst: str) -> tuple[str, ...]:
    """Address lists and filters it has none by RADIUS; `burst` says how `device` is given one."""
    wanted = (
        ("a burst", policy.burst, burst),
        ("a priority", policy.priority, ""),
        ("a minimum rate", policy.minimum, ""),
        ("address lists", policy.address_lists, ": give restricted subscribers a pool of their own"),
        ("a filter", policy.filter, ", because Filter-Id carries the rate"),
        (
            "the name of a device policy",
            policy.rate is None and policy.device_policy,
            ": give the profile its rate too",
        ),
    )
    return cannot_be_told(device, wanted)


def change_attributes(new: SessionPolicy, *, class_octets: bytes | None) -> tuple[Attribute, ...]:
    """The rate, with Class, which its next accounting record then carries: the only proof, for it acknowledges anything."""
    rate = tuple(one for one in login_attributes(new) if one.name in BY_COA)
    return rate + class_attribute(class_octets)


def identity_attributes(identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
    """Name and id do: it takes the first session that fits all that is given, and refuses a foreign NAS-Identifier."""
    known = name_and_session(identity)
    if detail != 1:
        return known
    known += framed_address(identity) + mac_address(identity, upper_case=False)
    return known + nas_address(identity) + nas_identifier(identity)


def refused(output: str) -> str | None:
    """Its own words for a command that it did not take; it says nothing when it did, found a session or not."""
    for line in output.splitlines():
        if _REFUSALS.fullmatch(line.strip()):
            return line.strip()
    return None


def read_sessions(output: str) -> tuple[DeviceSession, ...]:
    """The table of `show sessions`: a line of column names, one of dashes, then one a session.

    Which columns there are is read from the table: `username` must be one. Sessions without a name, such as those being set
    up, are left out; one that is ending is still there. Raises: CliOutputError.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    ruler = next((at for at, line in enumerate(lines) if re.fullmatch(r"-+(?:\+-+)*", line.strip())), None)
    if ruler is None or ruler == 0:
        raise CliOutputError(f"no table of sessions: {output.strip()[:200]!r}")
    columns = [name.strip() for name in lines[ruler - 1].split("|")]
    if "username" not in columns:
        raise CliOutputError(f"a table of sessions without a column username: {columns}")
    rows = []
    for line in lines[ruler + 1 :]:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != len(columns):
            raise CliOutputError(f"a row of another width than its table: {line.strip()[:200]!r}")
        rows.append(dict(zip(columns, cells, strict=True)))
    return tuple(_session(row) for row in rows if row["username"])


def _session(row: Mapping[str, str]) -> DeviceSession:
    rates = _rates(row)
    return DeviceSession(
        acct_session_id=row.get("sid", ""),
        username=row["username"],
        framed_ipv4=ipv4_of(row.get("ip")),
        mac=mac_of(row.get("calling-sid", "")),
        up_s=_up_s(row),
        rate_down_bps=None if rates is None else rates[0],
        rate_up_bps=None if rates is None else rates[1],
        local_name=row.get("ifname", ""),
    )


def _rates(row: Mapping[str, str]) -> tuple[int, int] | None:
    """(down, up) in bit/s. An empty cell of an active session is no limit; its shaper writes `down/up` in kbit."""
    text = row.get("rate-limit")
    if text == "" and row.get("state") == "active":
        return 0, 0
    match = _RATE.fullmatch(text or "")
    return None if match is None else (int(match[1]) * _BITS_PER_KBIT, int(match[2]) * _BITS_PER_KBIT)


def _up_s(row: Mapping[str, str]) -> int | None:
    """`uptime-raw` in seconds, or `uptime`: `[days.]hh:mm:ss`."""
    raw = row.get("uptime-raw", "")
    match = _UPTIME.fullmatch(row.get("uptime", ""))
    if raw.isascii() and raw.isdecimal():
        return up_of(int(raw[:12]))
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return up_of(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
