"""Rows of `nas` and open rows of `radacct` to access devices and live sessions of ours: pure.

Next: wanted.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import Any, Final

from control_plane.takeover.freeradius_blocks import real_name
from control_plane.takeover.freeradius_source import NasRow
from control_plane.takeover.wanted import Finding, Verdict, WantedNas, WantedSession
from nas_drivers.driver import vendor_names

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAC: Final = re.compile(r"([0-9A-Fa-f]{2}[:.-]?){5}[0-9A-Fa-f]{2}")
_SHORTEST_SOURCE: Final = {4: 8, 6: 16}
_NOBODYS: Final = frozenset({"0.0.0.0", "255.255.255.254", "255.255.255.255", "::"})  # noqa: S104 - values, no socket


def build_nases(rows: Sequence[NasRow], *, default_vendor: str) -> tuple[tuple[WantedNas, ...], list[Finding]]:
    """The access devices, and what can't be one."""
    found: list[WantedNas] = []
    findings: list[Finding] = []
    names: set[str] = set()
    sources: set[str] = set()
    for row in rows:
        where = f"nas {row.id} {row.nasname}"
        problem, source = _nas_source(row)
        if source in sources:
            problem = "this source stands in an earlier row already"
        if not row.secret:
            problem = problem or "no shared secret"
        if problem:
            findings.append(Finding(Verdict.REFUSED, where, problem))
            continue
        sources.add(source)
        name = _unused(_nas_name(row), names)
        names.add(name)
        vendor = row.type.lower().replace("-", "_")
        vendor = vendor if vendor in vendor_names() else default_vendor
        if row.server:
            findings.append(Finding(Verdict.NOTE, where, f"its virtual server {row.server} has no counterpart here"))
        found.append(WantedNas(where, name, source, vendor, row.secret.encode()))
    return tuple(found), findings


def _nas_source(row: NasRow) -> tuple[str, str]:
    try:
        source = ip_network(row.nasname.strip(), strict=False)
    except ValueError:
        return "a host name: write its address, for the source address is a device's identity", ""
    if source.prefixlen < _SHORTEST_SOURCE[source.version]:
        return "a source that is nearly everyone: write the prefixes that your devices have", ""
    return "", str(source)


def _nas_name(row: NasRow) -> str:
    name = _NOT_IN_NAMES.sub("-", row.shortname.strip() or row.nasname.strip())[:60].strip("-")
    return name if _NAME.fullmatch(name) else f"nas-{row.id}"


def _unused(name: str, names: set[str]) -> str:
    number, unused = 1, name
    while unused in names:
        number += 1
        unused = f"{name}-{number}"
    return unused


def build_sessions(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[WantedSession, ...], list[Finding]]:
    """The live sessions, and the open rows that name none. Of two rows for one session the later start counts."""
    found: dict[tuple[str, str, str], WantedSession] = {}
    findings: list[Finding] = []
    for row in rows:
        where = f"radacct {row['radacctid']} {row['username']} {row['acctsessionid']}"
        session = _session(where, row)
        if isinstance(session, Finding):
            findings.append(session)
            continue
        key = (session.nas_address, session.acct_session_id, session.username)
        older = found.pop(key, None)
        if older is not None:
            findings.append(Finding(Verdict.NOTE, older.where, f"left out: {where} opened the same session again"))
        found[key] = session
    return tuple(found.values()), findings


def _session(where: str, row: Mapping[str, Any]) -> WantedSession | Finding:
    username = real_name(row["username"] or "")
    started_at = row["acctstarttime"]
    if not username or not row["acctsessionid"]:
        return Finding(Verdict.REFUSED, where, "the row names no user or no session")
    if started_at is None:
        return Finding(Verdict.REFUSED, where, "the row says no start")
    updated_at = max(started_at, row["acctupdatetime"] or started_at)
    return WantedSession(
        where=where,
        username=username,
        nas_address=str(_host(row["nasipaddress"])),
        acct_session_id=_said(row["acctsessionid"]),
        started_at=started_at,
        updated_at=updated_at,
        session_time_s=max(0, row["acctsessiontime"] or int((updated_at - started_at).total_seconds())),
        octets_in=max(0, row["acctinputoctets"] or 0),
        octets_out=max(0, row["acctoutputoctets"] or 0),
        interim_interval_s=row["acctinterval"] if (row["acctinterval"] or 0) > 0 else None,
        framed_ipv4=_address(row["framedipaddress"], 4),
        framed_ipv6_address=_address(row["framedipv6address"], 6),
        framed_ipv6_prefix=_prefix(row["framedipv6prefix"]),
        delegated_ipv6_prefix=_prefix(row["delegatedipv6prefix"]),
        mac=_mac(row["callingstationid"] or ""),
        line=_said(row["nasportid"] or "")[:253],
    )


def _said(stored: str) -> str:
    """What the device said: FreeRADIUS writes `=25` for a percent sign, and the next record has it as it is."""
    return real_name(stored) or stored


def _host(value: object) -> IPv4Address | IPv6Address:
    """The address of an `inet`, which arrives as an address or, with a length, as an interface or network."""
    return value if type(value) in (IPv4Address, IPv6Address) else ip_interface(str(value)).ip  # type: ignore[return-value]


def _address(value: object, version: int) -> str | None:
    if value is None:
        return None
    host = _host(value)
    text = str(host)
    return text if host.version == version and text not in _NOBODYS else None


def _prefix(value: object) -> str | None:
    network = None if value is None else ip_interface(str(value)).network
    return str(network) if network is not None and network.version == 6 and network.prefixlen else None


def _mac(text: str) -> str:
    found = _MAC.match(text.strip())
    return re.sub("[^0-9a-f]", "", found[0].lower()) if found else ""
