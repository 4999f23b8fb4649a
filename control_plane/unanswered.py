"""Requests that FreeRADIUS drops without an answer: from whom, and why. A device of which nobody hears otherwise.

What is known comes from the ends of both servers' logs, and from the count of packets that the login server could not
read. It logs none of those: one without Message-Authenticator from a NAS that must send it is among them.

Next: checks.py
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import psycopg

from control_plane import freeradius
from control_plane.findings import Finding, ok, warn
from control_plane.machine.ports import settings_in_force
from control_plane.machine.state_dir import StateDir
from control_plane.settings import Settings
from control_plane.store.nas import load_nases
from control_plane.takeover.access_packet import (
    Code,
    PacketError,
    WireAttribute,
    build_access_request,
    read_access_reply,
)

_LINE: Final = re.compile(
    r"(?P<at>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) : \w+: (?:"
    r"Ignoring request .* from unknown client (?P<unknown>[0-9a-fA-F.:]+) port |"
    r"Dropping packet .*\(Shared secret is incorrect\.\) \(from client (?P<client>.+?)\)$)"
)
_LOOK_BACK: Final = timedelta(hours=1)
_TAIL_BYTES: Final = 256 << 10
_NAMED: Final = 5
_STATUS_TIMEOUT_S: Final = 1.0
# Source: share/dictionary.freeradius of FreeRADIUS 3.2.1.
_VENDOR: Final = 11344
_STATISTICS_TYPE, _OF_LOGINS, _MALFORMED = 127, 1, 134


class Why(Enum):
    """Why a request gets no answer."""

    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the name of a reason


@dataclass(frozen=True, slots=True)
class Dropped:
    """Who is not answered: an address that is no NAS, or a NAS by its name. `last` in the machine's own time."""

    why: Why
    who: str
    last: datetime


def read_dropped(lines: Iterable[str], *, since: datetime) -> list[Dropped]:
    """Who was dropped since then, by the log of a server; each once, with the last time."""
    found: dict[tuple[Why, str], datetime] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        at = datetime.strptime(match["at"], "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - the log has no zone
        if at >= since:
            why = Why.UNKNOWN if match["unknown"] else Why.WRONG_SECRET
            found[why, match["unknown"] or match["client"]] = at
    return [Dropped(why, who, at) for (why, who), at in found.items()]


def check_unanswered(connection: psycopg.Connection[Any], settings: Settings, *, now: datetime) -> Iterator[Finding]:
    """Devices that ask and get no answer. `now` in the machine's own time, without a zone, as the logs are."""
    dropped = load_dropped(settings, since=now - _LOOK_BACK)
    sources = [nas.source for nas in load_nases(connection) if nas.enabled]
    # One that was added since is answered.
    strangers = [
        one
        for one in dropped
        if one.why is Why.UNKNOWN and not any(ip_address(one.who) in source for source in sources)
    ]
    well = True
    for finding in (*_strangers(strangers), *_wrong_secrets(dropped), *_malformed(settings)):
        well = False
        yield finding
    if well:
        yield ok("unanswered requests", "none in the last hour")


def load_dropped(settings: Settings, *, since: datetime) -> list[Dropped]:
    """Who was dropped since then, by both servers' logs; each once, with the last time. `since` as the logs are."""
    return read_dropped(_log_lines(settings), since=since)


def load_malformed(settings: Settings) -> int | None:
    """How many packets the login server could not read or take since it started; None when it can't be asked here."""
    config_dir, port = StateDir(settings.state_dir).freeradius, settings_in_force(settings).radius.status_port
    return malformed_logins(config_dir, port=port)


def _strangers(strangers: list[Dropped]) -> Iterator[Finding]:
    if strangers:
        latest = sorted(strangers, key=lambda one: one.last, reverse=True)
        more = f" and {len(latest) - _NAMED} more" if len(latest) > _NAMED else ""
        named = ", ".join(f"{one.who} (last at {one.last:%H:%M:%S})" for one in latest[:_NAMED])
        text = f"from addresses that are no NAS in service: {named}{more}"
        yield warn(
            "unanswered requests", text, f"corrente nas add NAME {latest[0].who} --vendor VENDOR, if it is yours"
        )


def _wrong_secrets(dropped: list[Dropped]) -> Iterator[Finding]:
    for one in dropped:
        if one.why is Why.WRONG_SECRET:
            yield warn(
                "unanswered requests",
                f"{one.who} uses another secret than ours, last at {one.last:%H:%M:%S}",
                f"`corrente nas set {one.who} --secret-file FILE` takes the device's, `--new-secret` makes one for both",
            )


def _malformed(settings: Settings) -> Iterator[Finding]:
    count = load_malformed(settings)
    if count:
        yield warn(
            "unanswered requests",
            f"{count:,} packets to the login port since it started: without Message-Authenticator, or damaged",
            "a NAS that sends none (RouterOS before 7.15) needs `corrente nas set NAME --no-require-message-authenticator`",
        )


def malformed_logins(config_dir: Path, *, port: int) -> int | None:
    """How many packets the login server could not read or take since it started; None when it can't be asked here.

    `config_dir` is its rendered configuration, `port` its status port.
    """
    try:
        secret = freeradius.status_secret(config_dir)
    except OSError:
        return None
    identifier, authenticator = secrets.randbelow(256), secrets.token_bytes(16)
    wanted = WireAttribute(_VENDOR, _STATISTICS_TYPE, _OF_LOGINS.to_bytes(4, "big"))
    packet = build_access_request(
        (wanted,), identifier=identifier, authenticator=authenticator, secret=secret, code=Code.STATUS_SERVER
    )
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.settimeout(_STATUS_TIMEOUT_S)
        try:
            asker.connect(("127.0.0.1", port))
            asker.send(packet)
            said = read_access_reply(
                asker.recv(4096), identifier=identifier, authenticator=authenticator, secret=secret
            )
        except (OSError, PacketError):
            return None
    counts = [one.value for one in said.attributes if (one.vendor, one.number) == (_VENDOR, _MALFORMED)]
    return int.from_bytes(counts[0], "big") if counts else None


def _log_lines(settings: Settings) -> Iterator[str]:
    """The ends of both servers' logs: those of `corrente up`, and those of a layout of its own."""
    for server in freeradius.SERVERS:
        for folder in (settings.state_dir / "log", freeradius.log_dir(settings)):
            yield from _tail(folder / f"{server}.log")


def _tail(file: Path) -> list[str]:
    try:
        with file.open("rb") as log:
            log.seek(max(file.stat().st_size - _TAIL_BYTES, 0))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
