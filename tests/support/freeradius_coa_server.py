"""A FreeRADIUS that hears CoA- and Disconnect-Requests: an independent device, with its own view of every packet.

It acknowledges, but for these User-Names: `gone` (refused with Session-Context-Not-Found), `refused` (refused without a
cause), `silent` (no answer), `slow` (acknowledged when the test says `go_on`, not before), `strict` (no answer unless the packet carries a Message-Authenticator and an Event-Timestamp of
the last 300 s). What it heard stands in its detail file, as it prints it.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port

_CONFIG = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {dir}
raddbdir = {dir}
run_dir = {dir}
pidfile = {dir}/pid
max_requests = 65536
max_request_time = 60
cleanup_delay = 30
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 2
    max_servers = 2
    max_requests_per_server = 0
}}
client corrente {{
    ipaddr = 127.0.0.1
    secret = "{secret}"
}}
modules {{
    detail {{
        filename = {dir}/detail
        log_packet_header = yes
        permissions = 0600
    }}
    always reject {{
        rcode = reject
    }}
    always ok {{
        rcode = ok
    }}
    expr {{
    }}
    exec wait_for_go {{
        wait = yes
        program = "{dir}/wait"
        timeout = 60
    }}
}}
instantiate {{
    expr
}}
server default {{
    listen {{
        type = coa
        ipaddr = 127.0.0.1
        port = {port}
    }}
    recv-coa {{
        detail
        if (&User-Name == "silent") {{
            update control {{
                &Response-Packet-Type := Do-Not-Respond
            }}
        }}
        if (&User-Name == "slow") {{
            wait_for_go
        }}
        if (&User-Name == "strict") {{
            if (!&Message-Authenticator || !&Event-Timestamp || ("%{{expr:%l - %{{integer:Event-Timestamp}}}}" > 300)) {{
                update control {{
                    &Response-Packet-Type := Do-Not-Respond
                }}
            }}
        }}
        if (&User-Name == "gone") {{
            update reply {{
                &Error-Cause := Session-Context-Not-Found
                &Reply-Message := "no such session"
            }}
            reject
        }}
        if (&User-Name == "refused") {{
            reject
        }}
        ok
    }}
    send-coa {{
        ok
    }}
}}
"""


@dataclass(frozen=True)
class CoaServer:
    """Where it listens and what it heard."""

    port: int
    secret: bytes
    directory: Path

    def hold(self) -> None:
        """From now on who is slow waits."""
        (self.directory / "go").unlink(missing_ok=True)

    def go_on(self) -> None:
        """Who is slow is answered."""
        (self.directory / "go").touch()

    def heard(self) -> list[dict[str, list[str]]]:
        """The requests so far: attribute name to its values in order, as FreeRADIUS prints them."""
        file = self.directory / "detail"
        found = []
        for block in file.read_text().split("\n\n") if file.exists() else ():
            record: dict[str, list[str]] = {}
            for name, value in re.findall(r"^\t([^ ]+) = (.*)$", block, re.MULTILINE):
                record.setdefault(name, []).append(value.strip('"'))
            if record:
                found.append(record)
        return found


@contextmanager
def freeradius_coa_server(directory: Path, secret: str = "testing secret") -> Iterator[CoaServer]:
    """FreeRADIUS as a device, until the block ends."""
    server = CoaServer(free_port(), secret.encode(), directory)
    (directory / "radiusd.conf").write_text(_CONFIG.format(dir=directory, secret=secret, port=server.port))
    (directory / "wait").write_text(f"#!/bin/sh\nuntil [ -e {directory}/go ]; do sleep 0.02; done\n")
    (directory / "wait").chmod(0o755)
    child = subprocess.Popen(
        ["/usr/sbin/freeradius", "-f", "-d", str(directory), "-l", str(directory / "log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while "Ready to process requests" not in _log(directory):
            assert child.poll() is None, f"FreeRADIUS did not start:\n{_log(directory)}"
            assert time.monotonic() < until, f"FreeRADIUS is not ready:\n{_log(directory)}"
            time.sleep(0.02)
        yield server
    finally:
        child.terminate()
        child.wait(timeout=60)


def _log(directory: Path) -> str:
    file = directory / "log"
    return file.read_text() if file.exists() else ""
