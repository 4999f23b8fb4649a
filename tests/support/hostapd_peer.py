"""hostapd as an 802.1X switch (its driver `wired`) with a wpa_supplicant behind it, each in a namespace of its own.

Their states are read by their own control interfaces, and the sessions' accounting at the RADIUS server.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.eap_server import EapServer, eap_server
from support.peer_network import Namespace, namespace, wait_for

OURS = "192.0.2.1"
SWITCH = "192.0.2.2"
PORT = 3799
SECRET = "secret of the switch"
USERNAME = "anna@isp.example"
_PASSWORD = "anna's word"

_HOSTAPD = f"""
interface=port1
driver=wired
logger_stdout=-1
logger_stdout_level=1
ctrl_interface={{dir}}/hostapd
ieee8021x=1
eap_reauth_period=0
own_ip_addr={SWITCH}
nas_identifier=switch-north
{{checks}}
acct_server_addr={OURS}
acct_server_port=1813
acct_server_shared_secret={SECRET}
radius_das_port={PORT}
radius_das_client={OURS} {SECRET}
radius_das_time_window=300
radius_das_require_event_timestamp=1
radius_das_require_message_authenticator=1
"""

_BY_RADIUS = f"""auth_server_addr={OURS}
auth_server_port=1812
auth_server_shared_secret={SECRET}
"""
# A user of the switch itself, of whom no RADIUS server ever heard.
_BY_ITSELF = """eap_server=1
eap_user_file={dir}/users
"""

_SUPPLICANT = f"""
ctrl_interface={{dir}}/supplicant
ap_scan=0
network={{{{
    key_mgmt=IEEE8021X
    eap=MD5
    identity="{USERNAME}"
    password="{_PASSWORD}"
    eapol_flags=0
}}}}
"""


@dataclass(frozen=True)
class Login:
    """One subscriber's login at the switch: its MAC, and the accounting record that began the session."""

    mac: str
    begun: dict[str, str]


@dataclass(frozen=True)
class Switch:
    """The switch, the line of its one subscriber, and where our sender stands."""

    provider: Namespace
    device: Namespace
    subscriber: Namespace
    server: EapServer
    directory: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def station(self, mac: str) -> dict[str, str]:
        """What the switch says of a subscriber, empty when it knows of none with this MAC."""
        said = self.device.run("hostapd_cli", "-p", str(self.directory / "hostapd"), "-i", "port1", "sta", mac)
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def is_open(self, mac: str) -> bool:
        """Whether the switch lets this subscriber through."""
        return "[AUTHORIZED]" in self.station(mac).get("flags", "")

    @contextmanager
    def login(self) -> Iterator[Login]:
        """A wpa_supplicant that has logged in, on a MAC of its own, until the block ends.

        Of its own, because the switch remembers a MAC for five seconds after its session was ended.
        """
        number = next(self._numbers)
        mac = f"02:00:5e:00:53:{number:02x}"
        self.subscriber.run("ip", "link", "set", "line", "address", mac)
        log = self.directory / f"supplicant{number}.log"
        words = ("wpa_supplicant", "-t", "-D", "wired", "-i", "line", "-c", str(self.directory / "supplicant.conf"))
        with self.subscriber.daemon(*words, log=log):
            wait_for(lambda: self.is_open(mac), "802.1X session", said=log)
            wait_for(lambda: self._begun(mac), "accounting start", said=self.directory / "hostapd.log")
            yield Login(mac, self._begun(mac)[0])

    def ended(self, acct_session_id: str) -> list[dict[str, str]]:
        """The accounting records that say this session has ended."""
        return [
            record
            for record in self.server.records()
            if record["Acct-Status-Type"] == "Stop" and record["Acct-Session-Id"] == acct_session_id
        ]

    def _begun(self, mac: str) -> list[dict[str, str]]:
        station = mac.replace(":", "-").upper()
        return [
            record
            for record in self.server.records()
            if record["Acct-Status-Type"] == "Start" and record["Calling-Station-Id"] == station
        ]


@contextmanager
def hostapd_switch(directory: Path, *, by_itself: bool = False) -> Iterator[Switch]:
    """The switch and the RADIUS server behind it, until the block ends; nobody is logged in yet.

    `by_itself`: hostapd's own EAP server lets users in, and RADIUS hears of them by accounting alone.
    """
    with ExitStack() as stack:
        # Control sockets have paths of at most 107 octets.
        short = Path(tempfile.mkdtemp(prefix="switch-"))
        stack.callback(shutil.rmtree, short)
        provider, device, subscriber = (stack.enter_context(namespace()) for _ in range(3))
        provider.join(device, f"{OURS}/24", f"{SWITCH}/24", names=("toward", "uplink"))
        subscriber.join(device, "", "", names=("line", "port1"))
        server = stack.enter_context(
            eap_server(
                provider, directory / "radius", own=OURS, device=SWITCH, secret=SECRET, users={USERNAME: _PASSWORD}
            )
        )
        checks = (_BY_ITSELF if by_itself else _BY_RADIUS).format(dir=short)
        (short / "users").write_text(f'"{USERNAME}" MD5 "{_PASSWORD}"\n')
        for name, text in (("hostapd.conf", _HOSTAPD), ("supplicant.conf", _SUPPLICANT)):
            (short / name).write_text(text.format(dir=short, checks=checks))
        log = short / "hostapd.log"
        stack.enter_context(device.daemon("hostapd", "-d", str(short / "hostapd.conf"), log=log))
        wait_for(lambda: "AP-ENABLED" in log.read_text(), "hostapd is up", said=log)
        yield Switch(provider, device, subscriber, server, short)
