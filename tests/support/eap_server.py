"""A FreeRADIUS that checks EAP-MD5 and EAP-MSCHAPv2 for one device in another namespace and keeps its accounting: the server that 802.1X
switches and VPN gateways ask. What logs in here is ended by our sender, not by this server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.peer_network import Namespace, wait_for

_CONFIG = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {dir}
raddbdir = {dir}
run_dir = {dir}
pidfile = {dir}/pid
max_requests = 1024
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
client device {{
    ipaddr = {device}
    secret = "{secret}"
    require_message_authenticator = yes
}}
modules {{
    eap {{
        default_eap_type = md5
        timer_expire = 60
        md5 {{
        }}
        mschapv2 {{
        }}
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
        ipaddr = {own}
        port = 1812
    }}
    listen {{
        type = acct
        ipaddr = {own}
        port = 1813
    }}
    authorize {{
        files
        mschap
        eap
    }}
    authenticate {{
        eap
        mschap
    }}
    accounting {{
        detail
    }}
    post-auth {{
    }}
}}
"""


@dataclass(frozen=True)
class EapServer:
    """Its directory, and what devices told it."""

    directory: Path

    def records(self) -> list[dict[str, str]]:
        """The accounting so far, oldest first: attribute names and values as FreeRADIUS prints them."""
        file = self.directory / "detail"
        blocks = file.read_text().split("\n\n") if file.exists() else []
        read = [
            {name: value.strip('"') for name, value in re.findall(r"^\t([^ ]+) = (.*)$", block, re.MULTILINE)}
            for block in blocks
        ]
        return [record for record in read if record]


@contextmanager
def eap_server(
    place: Namespace, directory: Path, *, own: str, device: str, secret: str, users: dict[str, str]
) -> Iterator[EapServer]:
    """FreeRADIUS at `own` for the device at that address, knowing these users by their passwords, until the block ends."""
    directory.mkdir()
    (directory / "users").write_text(
        "".join(f'{name} Cleartext-Password := "{word}"\n' for name, word in users.items())
    )
    (directory / "radiusd.conf").write_text(_CONFIG.format(dir=directory, own=own, device=device, secret=secret))
    log = directory / "log"
    command = ("/usr/sbin/freeradius", "-f", "-d", str(directory), "-l", str(log))
    with place.daemon(*command, log=directory / "said"):
        wait_for(
            lambda: log.exists() and "Ready to process requests" in log.read_text(), "FreeRADIUS answers", said=log
        )
        yield EapServer(directory)
