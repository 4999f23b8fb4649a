"""Conformance packets: the same profiles and changes for every vendor, and tables of the octets that each must give.

A vendor's table is tests/adapters/packets/VENDOR.toml. Its octets are worked out by hand from the vendor's dictionary and
manual, which `source` names; they are never printed by the code under test. A row:

    [[login]]                       # a reply of FreeRADIUS: what carries the profile, no timeouts, no Class
    kind = "rate"                   # a key of PROFILES; the first row of a kind is for the options' defaults
    options = { some_option = true }    # other than the defaults
    octets = ["1a0f 0000...", ...]  # all attributes in order; [] when the vendor has no word for it
    complains = true                # `corrente check` names the profile; false when it is not there
    source = "dictionary.mikrotik: Mikrotik-Rate-Limit 8 string; manual RADIUS: rx/tx, rx is from the subscriber"

    [[change]]                      # what brings a session from one profile to the other
    kind = "rate"                   # a key of CHANGES
    ladder = ["coa", "disconnect"]  # all ways, best first; the octets are those of the first request
    octets = ["..."]                # identification and what changes, without Event-Timestamp and Message-Authenticator
    source = "..."

Blanks in octets mean nothing. Attributes are compared whole, in the order of the table.
"""

from __future__ import annotations

import json
import struct
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from nas_drivers.driver import Drivers, NasDriver, driver_for
from nas_drivers.policy import BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.packets import check_attributes, write_request

TABLES: Final = Path(__file__).parents[1] / "adapters" / "packets"
SECRET: Final = b"packets"
DISCONNECT_REQUEST, COA_REQUEST = 40, 43
TIMESTAMP: Final = 1_800_000_000
_MBIT: Final = 1_000_000


def _rates(down_mbit: int, up_mbit: int) -> RatePair:
    return RatePair(down=BitRate(down_mbit * _MBIT), up=BitRate(up_mbit * _MBIT))


PROFILES: Final = {
    "rate": SessionPolicy(rate=_rates(300, 30)),
    "device_policy": SessionPolicy(rate=_rates(300, 30), device_policy="home-300"),
    "burst": SessionPolicy(
        rate=_rates(300, 30), burst=_rates(600, 60), burst_threshold=_rates(200, 20), burst_time_s=8
    ),
    "walled_by_list": SessionPolicy(rate=_rates(1, 1), address_lists=("walled",)),
    "walled_by_device_policy": SessionPolicy(rate=_rates(1, 1), device_policy="walled"),
    "pools": SessionPolicy(rate=_rates(300, 30), device_policy="home-300", ipv4_pool="homes"),
    "filter": SessionPolicy(filter="slow"),
    "dual_stack": SessionPolicy(
        rate=_rates(300, 30), device_policy="home-300", ipv4_pool="homes", ipv6_pool="v6", delegated_ipv6_pool="pd"
    ),
    "no_rate": SessionPolicy(ipv4_pool="homes"),
    "above_4g3": SessionPolicy(rate=_rates(10_000, 5_000), device_policy="fiber-10g"),
}
_HOME: Final = SessionPolicy(rate=_rates(300, 30), device_policy="home-300", idle_timeout_s=600)
_SLOWER: Final = SessionPolicy(rate=_rates(100, 10), device_policy="home-100", idle_timeout_s=600)
_WALLED: Final = SessionPolicy(
    rate=_rates(1, 1), device_policy="walled", address_lists=("walled",), filter="walled", idle_timeout_s=600
)
# From what the session runs under to what it shall; None: it shall end.
CHANGES: Final[dict[str, tuple[SessionPolicy, SessionPolicy | None]]] = {
    "rate": (_HOME, _SLOWER),
    "into_walled": (_HOME, _WALLED),
    "out_of_walled": (_WALLED, _HOME),
    "pool": (_HOME, replace(_HOME, ipv4_pool="other")),
    "timeouts": (_HOME, replace(_HOME, idle_timeout_s=900, session_timeout_s=3600)),
    "end": (_HOME, None),
}
# What the session is known by; CLASS is the new one, which goes into a CoA-Request where the vendor takes it.
IDENTITY: Final = SessionIdentity(
    username="anna",
    acct_session_id="81000001",
    nas_address=IPv4Address("192.0.2.1"),
    nas_identifier="bras-1",
    framed_ipv4=IPv4Address("100.64.0.1"),
    mac="0200000000ab",
    nas_port_id="1/1/4:50.100",
    class_octets=b"CO1 old",
)
CLASS: Final = b"CO1 new"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a vendor's table."""

    vendor: str
    kind: str
    octets: bytes
    source: str
    options: dict[str, object] = field(default_factory=dict, hash=False)
    ladder: tuple[str, ...] = ()
    complains: bool = False

    @property
    def driver(self) -> NasDriver:
        """The vendor's driver with the row's options."""
        driver = driver_for(self.vendor)
        if not self.options:
            return driver
        return Drivers({self.vendor: replace(driver.options, **self.options)}).of(self.vendor)

    def __str__(self) -> str:
        """The name of its test."""
        told = "-".join(f"{name}={value}" for name, value in self.options.items())
        return "-".join(filter(None, (self.vendor, self.kind, told)))


@lru_cache(maxsize=1)
def tables() -> dict[str, dict[str, list[Row]]]:
    """The rows by vendor, then `login` or `change`."""
    found: dict[str, dict[str, list[Row]]] = {}
    for file in sorted(TABLES.glob("*.toml")):
        content = tomllib.loads(file.read_text())
        assert content.keys() <= {"login", "change"}, f"{file.name}: unknown tables"
        found[file.stem] = {
            part: [_row(file.stem, row) for row in content.get(part, [])] for part in ("login", "change")
        }
    return found


def rows(part: str) -> list[Row]:
    """Every vendor's rows of `login` or `change`."""
    return [row for table in tables().values() for row in table[part]]


def _row(vendor: str, row: dict[str, Any]) -> Row:
    known = {"octets": bytes.fromhex("".join(row.pop("octets"))), "ladder": tuple(row.pop("ladder", ()))}
    return Row(vendor, **row, **known)


def split(octets: bytes) -> list[str]:
    """The attributes one by one, as hex. Raises: AssertionError when lengths don't fit."""
    found, at = [], 0
    while at < len(octets):
        assert at + 2 <= len(octets)
        length = octets[at + 1]
        assert length >= 3, "RADIUS has no empty attribute"
        assert at + length <= len(octets), "an attribute is longer than what there is"
        found.append(octets[at : at + length].hex())
        at += length
    return found


def change_packet(row: Row, *, identifier: int = 7) -> bytes:
    """The first request of a row's change, as our sender writes it."""
    old, new = CHANGES[row.kind]
    said = row.driver.identity_attributes(IDENTITY, detail=0)
    code = COA_REQUEST if row.driver.change_methods(old, new)[0] is Method.COA else DISCONNECT_REQUEST
    if code == COA_REQUEST:
        assert new is not None
        said += row.driver.change_attributes(new, old=old, class_octets=CLASS)
    return write_request(code, identifier, check_attributes(said), secret=SECRET, timestamp=TIMESTAMP, sign=True).raw


# tshark


@dataclass(frozen=True, slots=True)
class Exchange:
    """A packet as it was on the wire; `server_port` is the side that it goes to, or comes from when `answers`."""

    raw: bytes
    server_port: int
    answers: bool = False
    client_port: int = 50_000


def dissect(exchanges: Sequence[Exchange], folder: Path, *, secret: bytes) -> list[dict[str, Any]]:
    """What tshark makes of each packet: its `radius` layer with everything that it found wrong anywhere.

    Raises: AssertionError when it does not run.
    """
    capture = folder / "packets.pcap"
    capture.write_bytes(_pcap(exchanges))
    ports = sorted({one.server_port for one in exchanges})
    command = ["tshark", "-n", "-r", str(capture), "-T", "json", "--no-duplicate-keys"]
    command += ["-o", f"radius.shared_secret:{secret.decode()}", "-o", "radius.validate_authenticator:TRUE"]
    for port in ports:
        command += ["-d", f"udp.port=={port},radius"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found = [packet["_source"]["layers"] for packet in json.loads(ran.stdout)]
    assert len(found) == len(exchanges)
    return found


def _pcap(exchanges: Iterable[Exchange]) -> bytes:
    """A capture of raw IPv4 (link type 101), one packet a second."""
    written = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for second, one in enumerate(exchanges):
        ports = (one.server_port, one.client_port) if one.answers else (one.client_port, one.server_port)
        addresses = [IPv4Address("192.0.2.1").packed, IPv4Address("192.0.2.10").packed]
        udp = struct.pack("!HHHH", *ports, 8 + len(one.raw), 0) + one.raw
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + b"".join(
            reversed(addresses) if one.answers else addresses
        )
        written += struct.pack("!IIII", second, 0, len(ip + udp), len(ip + udp)) + ip + udp
    return written
