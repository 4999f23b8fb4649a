"""A FreeRADIUS that knows nothing of ours: users in a file, accounting into a detail file. The independent other side.

Runs in the foreground as a child of the test (`-f`, not the debug mode), answers every Access-Request with a
Message-Authenticator and checks PAP, CHAP and MS-CHAPv2 with its own modules. One thread, so that records are written in
the order they came.
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
cleanup_delay = 2
max_request_time = 10
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 1
    max_servers = 1
    max_requests_per_server = 0
}}
client devices {{
    ipaddr = 127.0.0.0/8
    secret = "{secret}"
    require_message_authenticator = yes
}}
modules {{
    pap {{
    }}
    chap {{
    }}
    mschap {{
    }}
    files {{
        usersfile = {dir}/users
    }}
    detail {{
        filename = {dir}/detail
        log_packet_header = yes
        permissions = 0600
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {authentication}
        recv_buff = 4194304
    }}
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {accounting}
        recv_buff = 4194304
    }}
    authorize {{
        chap
        mschap
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
    }}
    accounting {{
        detail
    }}
    post-auth {{
        update reply {{
            &Message-Authenticator := 0x00
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                &Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"""


@dataclass(frozen=True)
class PlainServer:
    """Where it listens and what it wrote."""

    authentication_port: int
    accounting_port: int
    secret: bytes
    directory: Path

    def records(self) -> list[dict[str, list[str]]]:
        """The accounting records so far: attribute name to its values in order, as FreeRADIUS prints them."""
        try:
            text = (self.directory / "detail").read_text()
        except FileNotFoundError:
            return []
        found = []
        for block in text.split("\n\n"):
            record: dict[str, list[str]] = {}
            for name, value in re.findall(r"^\t([^ ]+) = (.*)$", block, re.MULTILINE):
                record.setdefault(name, []).append(value.strip('"'))
            if record:
                found.append(record)
        return found

    def log(self) -> str:
        """Its log."""
        return (self.directory / "log").read_text()


@contextmanager
def plain_freeradius(directory: Path, users: str, secret: str = "testing secret") -> Iterator[PlainServer]:
    """FreeRADIUS with these lines as its users file, until the block ends."""
    server = PlainServer(free_port(), free_port(), secret.encode(), directory)
    (directory / "users").write_text(users)
    (directory / "radiusd.conf").write_text(
        _CONFIG.format(
            dir=directory,
            secret=secret,
            authentication=server.authentication_port,
            accounting=server.accounting_port,
        )
    )
    child = subprocess.Popen(
        ["/usr/sbin/freeradius", "-f", "-d", str(directory), "-l", str(directory / "log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_ready(child, server)
        yield server
    finally:
        child.terminate()
        child.wait(timeout=60)


def _wait_ready(child: subprocess.Popen[bytes], server: PlainServer) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (server.directory / "log").exists() and "Ready to process requests" in server.log():
            return
        if child.poll() is not None:
            raise AssertionError(f"FreeRADIUS did not start:\n{server.log()}")
        time.sleep(0.02)
    raise AssertionError(f"FreeRADIUS is not ready:\n{server.log()}")
