"""strongSwan's charon as a VPN gateway that takes RFC 5176's requests (its plugin eap-radius), and a second one as its client.

The client logs in by IKEv2 with EAP-MD5 or EAP-MSCHAPv2, which the gateway has checked by FreeRADIUS. The IKE_SA has no child, so no
kernel has to know IPsec. States are read by swanctl.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.eap_server import EapServer, eap_server
from support.peer_network import Namespace, namespace, wait_for

OURS = "192.0.2.1"
GATEWAY = "192.0.2.2"
PORT = 3799
SECRET = "secret of the gateway"
USERNAME = "anna@isp.example"
_PASSWORD = "anna's word"
_OUTER, _CLIENT = "198.51.100.1", "198.51.100.2"

_PLUGINS = (
    "random nonce openssl pem pkcs1 x509 revocation constraints pubkey pkcs8 hmac kdf md5 sha1 sha2 aes gmp "
    "curve25519 kernel-netlink socket-default vici eap-identity eap-md5 eap-mschapv2"
)
_DAEMON = """
charon-systemd {{
    load = {plugins}
    port = 500
    port_nat_t = 4500
    install_routes = no
    install_virtual_ip = no
    filelog {{
        one {{
            path = {dir}/log
            default = 1
            flush_line = yes
        }}
    }}
    plugins {{
        vici {{
            socket = unix://{dir}/vici
        }}
        {more}
    }}
}}
"""
_RADIUS = f"""
        eap-radius {{
            accounting = no
            dae {{
                enable = yes
                listen = {GATEWAY}
                port = {PORT}
                secret = "{SECRET}"
            }}
            servers {{
                one {{
                    address = {OURS}
                    secret = "{SECRET}"
                }}
            }}
        }}
"""
_SHARED = f"""
secrets {{
    ike-gateway {{
        id = gateway.isp.example
        secret = "what both gateways know"
    }}
    eap-anna {{
        id = {USERNAME}
        secret = "{_PASSWORD}"
    }}
}}
"""
_GATEWAY_CONNECTION = f"""
connections {{
    subscribers {{
        version = 2
        local_addrs = {_OUTER}
        proposals = aes128-sha256-modp2048
        childless = force
        local {{
            auth = psk
            id = gateway.isp.example
        }}
        remote {{
            auth = eap-radius
            id = %any
            eap_id = %any
        }}
    }}
}}
"""
_CLIENT_CONNECTION = f"""
connections {{{{
    home {{{{
        version = 2
        local_addrs = {_CLIENT}
        remote_addrs = {_OUTER}
        proposals = aes128-sha256-modp2048
        childless = force
        local {{{{
            auth = {{method}}
            id = {USERNAME}
            eap_id = {USERNAME}
        }}}}
        remote {{{{
            auth = psk
            id = gateway.isp.example
        }}}}
    }}}}
}}}}
"""


@dataclass(frozen=True)
class Charon:
    """One charon: where it runs, and its files."""

    place: Namespace
    directory: Path

    def control(self, *words: str) -> str:
        """Say something by swanctl, and return its answer."""
        return self.place.run("swanctl", *words, "--uri", f"unix://{self.directory / 'vici'}")

    def log(self) -> str:
        """All that it has said."""
        file = self.directory / "log"
        return file.read_text() if file.exists() else ""

    def sessions(self) -> list[str]:
        """The users whose IKE_SA is established here."""
        return re.findall(r"ESTABLISHED.*?remote +'([^']*)'", self.control("--list-sas"), re.DOTALL)


@dataclass(frozen=True)
class Gateway:
    """The gateway, its client, the RADIUS server and where our sender stands."""

    provider: Namespace
    charon: Charon
    client: Charon
    server: EapServer

    def log_in(self) -> None:
        """Let the client log in, and return when the gateway has its session."""
        assert not self.charon.sessions()
        self.client.control("--initiate", "--ike", "home", "--timeout", "20")
        wait_for(lambda: self.charon.sessions() == [USERNAME], "an IKE_SA", said=self.charon.directory / "log")


@contextmanager
def strongswan_gateway(directory: Path, *, method: str = "eap-md5") -> Iterator[Gateway]:
    """All of it, until the block ends; nobody is logged in yet. The client's `method` is eap-md5 or eap-mschapv2."""
    with ExitStack() as stack:
        # Control sockets have paths of at most 107 octets.
        short = Path(tempfile.mkdtemp(prefix="gateway-"))
        stack.callback(shutil.rmtree, short)
        provider, device, subscriber = (stack.enter_context(namespace()) for _ in range(3))
        provider.join(device, f"{OURS}/24", f"{GATEWAY}/24", names=("toward", "uplink"))
        subscriber.join(device, f"{_CLIENT}/24", f"{_OUTER}/24", names=("line", "port1"))
        server = stack.enter_context(
            eap_server(
                provider, directory / "radius", own=OURS, device=GATEWAY, secret=SECRET, users={USERNAME: _PASSWORD}
            )
        )
        gateway, client = (
            stack.enter_context(_charon(place, short / name, radius=radius, connection=connection))
            for place, name, radius, connection in (
                (device, "gateway", _RADIUS, _GATEWAY_CONNECTION),
                (subscriber, "client", "", _CLIENT_CONNECTION.format(method=method)),
            )
        )
        yield Gateway(provider, gateway, client, server)


@contextmanager
def _charon(place: Namespace, directory: Path, *, radius: str, connection: str) -> Iterator[Charon]:
    directory.mkdir()
    settings = directory / "strongswan.conf"
    plugins = _PLUGINS + (" eap-radius" if radius else "")
    settings.write_text(_DAEMON.format(dir=directory, plugins=plugins, more=radius))
    (directory / "swanctl.conf").write_text(connection + _SHARED)
    made = Charon(place, directory)
    with place.daemon("charon-systemd", log=directory / "said", environment={"STRONGSWAN_CONF": str(settings)}):
        wait_for((directory / "vici").exists, "charon is up", said=directory / "said")
        made.control("--load-all", "--file", str(directory / "swanctl.conf"))
        yield made
