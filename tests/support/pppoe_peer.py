"""Debian's pppoe-server with pppd's RADIUS plugin as an access device, and pppd as modems in the houses, all in one guest kernel.

    with pppoe_device(provider, directory) as device:
        device.dial(Call("anna", "her password", "pap"))
        device.online("anna", "100.64.0.10")

`provider` is where the RADIUS server is. Each house has a network namespace and a line of its own to the device.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.peer_network import Namespace, namespace, wait_for
from support.uml_guest import Guest, uml_guest

OURS, DEVICE = "192.0.2.1", "192.0.2.2"
GATEWAY = "100.64.0.1"
COA_PORT = 3799
SECRET = "secret-of-the-device"
HOUSES = ("anna", "bruno", "clara", "dora", "elena")
# What a modem refuses so that the one left is taken: the device asks for the strongest first.
_ALL_WAYS = ("pap", "chap", "mschap", "mschap-v2")
_STAND_IN = Path(__file__).with_name("pppoe_dae_stand_in.py")

_RADIUS_CLIENT = """auth_order radius
login_tries 1
login_timeout 60
nologin /run/nologin
authserver {ours}:1812
acctserver {ours}:1813
servers {dir}/servers
dictionary {dir}/dictionary
seqfile /run/radius.seq
mapfile {dir}/map
login_radius /bin/false
login_local /bin/false
default_realm
radius_timeout 2
radius_retries 3
"""
# Numbers and types of RFC 2865, 2866, 2869, 2548 and 5176 in the form that the plugin reads.
_DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE Password 2 string
ATTRIBUTE CHAP-Password 3 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port-Id 5 integer
ATTRIBUTE Service-Type 6 integer
ATTRIBUTE Framed-Protocol 7 integer
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Filter-Id 11 string
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE Class 25 string
ATTRIBUTE Session-Timeout 27 integer
ATTRIBUTE Idle-Timeout 28 integer
ATTRIBUTE Called-Station-Id 30 string
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Delay-Time 41 integer
ATTRIBUTE Acct-Input-Octets 42 integer
ATTRIBUTE Acct-Output-Octets 43 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Acct-Authentic 45 integer
ATTRIBUTE Acct-Session-Time 46 integer
ATTRIBUTE Acct-Input-Packets 47 integer
ATTRIBUTE Acct-Output-Packets 48 integer
ATTRIBUTE Acct-Terminate-Cause 49 integer
ATTRIBUTE CHAP-Challenge 60 string
ATTRIBUTE NAS-Port-Type 61 integer
ATTRIBUTE Connect-Info 77 string
ATTRIBUTE Message-Authenticator 80 string
ATTRIBUTE Acct-Interim-Interval 85 integer
VENDOR Microsoft 311
ATTRIBUTE MS-CHAP-Challenge 11 string Microsoft
ATTRIBUTE MS-CHAP-Response 1 string Microsoft
ATTRIBUTE MS-CHAP2-Response 25 string Microsoft
ATTRIBUTE MS-CHAP2-Success 26 string Microsoft
"""
# No compression: what is counted is what was sent. No waiting for the modem's first word: it is lost.
_SERVER_OPTIONS = """
auth
name nas
require-pap
require-chap
require-mschap-v2
plugin radius.so
plugin radattr.so
radius-config-file {dir}/radiusclient.conf
noccp
novj
noipv6
nobsdcomp
nodeflate
nodefaultroute
mtu 1492
mru 1492
connect-delay 1
logfile /run/device.log
"""
# Each datagram of a house is answered with its first so many octets before it sends the next, so that none is dropped.
ANSWERED = 200
_LISTENER = f"""
import socket
with socket.socket(type=socket.SOCK_DGRAM) as far:
    far.bind(("", 9))
    while True:
        octets, source = far.recvfrom(2000)
        far.sendto(octets[:{ANSWERED}], source)
"""
_TALKER = f"""
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as near:
    near.settimeout(60)
    near.connect(("{GATEWAY}", 9))
    for _ in range(int(sys.argv[1])):
        near.send(bytes(int(sys.argv[2])))
        near.recv(2000)
"""


@dataclass(frozen=True)
class Call:
    """How a modem logs in: as the subscriber of its house, by one way of telling the password; `again` when its session ends."""

    house: str
    password: str
    way: str
    again: bool = False


@dataclass(frozen=True)
class PppoeDevice:
    """The device and the houses, by the guest they are in."""

    guest: Guest
    directory: Path

    def dial(self, *calls: Call) -> None:
        """The modems of some houses dial, all at once."""
        self.guest.run(" ".join(_modem(call) for call in calls))

    def hang_up(self, house: str) -> None:
        """The modem is switched off in good order, if it has not ended by itself."""
        self.guest.ask(f"kill $(cat /run/{house}.modem)")
        self.gone(house)

    def gone(self, house: str) -> None:
        """Return when the modem of a house has ended."""
        self.guest.wait_for(f"! kill -0 $(cat /run/{house}.modem)")

    def online(self, house: str, address: str) -> None:
        """Return when the house has this address by PPP."""
        wait_for(lambda: self.address(house) == address, f"{house} at {address}", said=None, within_s=180)

    def address(self, house: str) -> str:
        """The address that a house has by PPP, empty while it has none."""
        said, _ = self.guest.ask(f"ip -n {house} -4 -o address show dev ppp-{house}")
        words = said.split()
        return words[words.index("inet") + 1] if "inet" in words else ""

    def talk(self, house: str, datagrams: int, octets: int) -> None:
        """Send datagrams with so many octets of payload from the house, each answered with `ANSWERED` of them."""
        talker = f"{shlex.quote(sys.executable)} {self.directory}/talker.py {datagrams} {octets}"
        self.guest.run(f"ip netns exec {house} {talker}", within_s=180)

    def given(self, house: str) -> dict[str, str]:
        """The attributes of a house's login, as the plugin got them."""
        interfaces: list[str] = []

        def is_one() -> bool:
            said, _ = self.guest.ask(f"ip -o -4 address show to {GATEWAY} | grep 'peer {self.address(house)}/'")
            interfaces[:] = [line.split()[1] for line in said.splitlines()]
            return len(interfaces) == 1

        # That of an earlier login may still be there.
        wait_for(is_one, f"one line of {house} on the device")
        text = self.guest.run(f"cat /run/radattr.{interfaces[0]}")
        return dict(line.split(" ", 1) for line in text.splitlines())

    def counted(self, house: str) -> tuple[int, int]:
        """Octets up and down that the kernel counted at the other end, in the house's own PPP interface."""
        files = " ".join(f"/sys/class/net/ppp-{house}/statistics/{way}_bytes" for way in ("tx", "rx"))
        up, down = self.guest.run(f"ip netns exec {house} cat {files}").split()
        return int(up), int(down)


@contextmanager
def pppoe_device(provider: Namespace, directory: Path) -> Iterator[PppoeDevice]:
    """The device, ready for calls; and its DAE stand-in."""
    for name, text in (
        ("radiusclient.conf", _RADIUS_CLIENT.format(dir=directory, ours=OURS)),
        ("servers", f"{OURS} {SECRET}\n"),
        ("dictionary", _DICTIONARY),
        ("map", ""),
        ("options", _SERVER_OPTIONS.format(dir=directory)),
        ("listener.py", _LISTENER),
        ("talker.py", _TALKER),
    ):
        (directory / name).write_text(text)
    with namespace() as device:
        provider.join(device, f"{OURS}/24", "", names=("toward", "uplink"))
        with uml_guest(device, directory, uplink="uplink", mac="02:00:5e:00:53:02") as guest:
            _set_up(guest, directory)
            yield PppoeDevice(guest, directory)


def _modem(call: Call) -> str:
    """Starts a modem in the background."""
    house = call.house
    refused = " ".join(f"refuse-{other}" for other in _ALL_WAYS if other != call.way)
    persistent = "persist maxfail 0 holdoff 1" if call.again else "maxfail 1"
    words = f"pppd plugin rp-pppoe.so wan user {house} password {shlex.quote(call.password)} {refused} {persistent}"
    # What is said before the device's pppd has begun is lost; the next word is a second later, not three.
    words += " lcp-restart 1 noauth noccp novj noipv6 noipdefault nodefaultroute mtu 1492 mru 1492"
    words += f" ifname ppp-{house} logfile /run/{house}.log nodetach"
    return f": >/run/{house}.log; ip netns exec {house} {words} >/dev/null 2>&1 & echo $! >/run/{house}.modem;"


def _set_up(guest: Guest, directory: Path) -> None:
    guest.run(f"ip address add {DEVICE}/24 dev vec0 && ip link set vec0 up && touch /etc/ppp/options")
    # The plugin looks its own address up by the host's name.
    guest.run(f"echo {DEVICE} >/proc/sys/kernel/hostname")
    lines = []
    for number, house in enumerate(HOUSES, start=1):
        line = f"line{number}"
        guest.run(f"ip netns add {house} && ip -n {house} link set lo up")
        guest.run(f"ip link add {line} type veth peer name wan netns {house} && ip link set {line} up")
        guest.run(f"ip -n {house} link set wan address 02:00:5e:00:54:{number:02x} up")
        lines.append(f"-I {line}")
    guest.run(f"pppoe-server {' '.join(lines)} -L {GATEWAY} -R 100.64.9.1 -O {directory}/options -C corrente-test")
    guest.run(f"{shlex.quote(sys.executable)} {directory}/listener.py >/run/listener.log 2>&1 &")
    stand_in = f"{shlex.quote(sys.executable)} {_STAND_IN} {COA_PORT} {SECRET} vec0"
    guest.run(f"{stand_in} >/run/dae.log 2>&1 &")
    guest.wait_for("cat /run/dae.log", said="listens")
