"""How the command line of a device is reached. Apart from ssh.py, whose libraries take a quarter of a second to load: a worker
loads them when it first speaks to a command line.

Next: ssh.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SSH_PORT: Final = 22
# A login takes seconds on many a device, a list of 10,000 sessions too.
DEFAULT_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How the command line of one device is reached. `host_key` is the only one to trust, as it stands in known_hosts;
    `device_type` is netmiko's name; `nas_name` what messages call it, else its number. Units: seconds."""

    nas_id: int
    address: str
    username: str
    password: str = field(repr=False)
    host_key: str
    device_type: str
    port: int = SSH_PORT
    timeout_s: float = DEFAULT_TIMEOUT_S
    nas_name: str = ""
