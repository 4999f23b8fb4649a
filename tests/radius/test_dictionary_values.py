"""The canonical text of a value arrives on the wire as that value, when FreeRADIUS gets it from a Python hook.

The expected octets were worked out from the RFCs. This is why dictionaries/canonical.py exists: the same server sends what
it can't parse as zero, cuts off what is too long and undoes escapes.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ports import free_port
from support.radius_packets import Device, Packet

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary

pytestmark = pytest.mark.radius
DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
SECRET = b"testing secret"
_CONFIG = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {dir}
raddbdir = {dir}
run_dir = {dir}
pidfile = {dir}/pid
security {{
    reject_delay = 0
}}
client tests {{
    ipaddr = 127.0.0.0/8
    secret = "testing secret"
}}
modules {{
    python3 {{
        python_path = {dir}
        module = values_hook
        mod_authorize = values_hook
        func_authorize = authorize
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        python3
    }}
    post-auth {{
        update reply {{
            &Message-Authenticator := 0x00
        }}
    }}
}}
"""
_HOOK = """
import json
import pathlib

CASES = json.loads(pathlib.Path(__file__).with_name("cases.json").read_text())


def authorize(pairs):
    name, value = CASES[int(dict(pairs)["User-Name"])]
    return 2, ((name, "+=", value),), (("Auth-Type", ":=", "Accept"),)
"""
# (name, meaning, vendor, number, octets on the wire)
CASES = [
    ("Service-Type", "Framed-User", 0, 6, "00000002"),
    ("Session-Timeout", "4294967295", 0, 27, "ffffffff"),
    ("Session-Timeout", "010", 0, 27, "0000000a"),
    ("Framed-IP-Address", "192.0.2.1", 0, 8, "c0000201"),
    ("Framed-IP-Address", "3221225985", 0, 8, "c0000201"),
    ("Framed-IPv6-Address", "2001:DB8::1", 0, 168, "20010db8000000000000000000000001"),
    ("Framed-IPv6-Prefix", "2001:db8::1/64", 0, 97, "004020010db8000000000000000000000000"),
    ("Delegated-IPv6-Prefix", "2001:db8:0:100::/56", 0, 123, "003820010db8000001000000000000000000"),
    ("PMIP6-Home-IPv4-HoA", "10.1.2.3/8", 0, 155, "00080a000000"),
    ("Framed-Interface-Id", "0:0:ab:1", 0, 96, "0000000000ab0001"),
    ("Event-Timestamp", "1700000000", 0, 55, "6553f100"),
    ("Class", "0xABCD", 0, 25, "abcd"),
    ("Class", "ab", 0, 25, "6162"),
    ("Reply-Message", "plain", 0, 18, b"plain".hex()),
    ("Reply-Message", r"back\slash and a\nb", 0, 18, rb"back\slash and a\nb".hex()),
    ("Reply-Message", "ends with \\", 0, 18, rb"ends with \ ".strip().hex()),
    ("Reply-Message", "two\nlines\tand a tab", 0, 18, b"two\nlines\tand a tab".hex()),
    ("Reply-Message", "'single' \"double\" `back`", 0, 18, b"'single' \"double\" `back`".hex()),
    ("Reply-Message", "%{User-Name} 100%", 0, 18, b"%{User-Name} 100%".hex()),
    ("Reply-Message", "0x41", 0, 18, b"0x41".hex()),
    ("Reply-Message", " spaces around ", 0, 18, b" spaces around ".hex()),
    ("Reply-Message", "Grüße", 0, 18, "Grüße".encode().hex()),
    ("Reply-Message", "y" * 253, 0, 18, "79" * 253),
    ("Mikrotik-Rate-Limit", "2M/10M 4M/20M 1500k/7500k 16/16 5 512k/1M", 14988, 8, None),
    ("Mikrotik-Rate-Limit", "y" * 247, 14988, 8, "79" * 247),
    ("Attr-26.14988.19", "walled", 14988, 19, b"walled".hex()),
    ("Tunnel-Type:1", "L2TP", 0, 64, "01000003"),
    ("Tunnel-Private-Group-Id:3", "77", 0, 81, "033737"),
    ("Tunnel-Private-Group-Id:1", "y" * 252, 0, 81, "01" + "79" * 252),
    ("Huawei-Input-Average-Rate", "8388608", 2011, 2, "00800000"),
    ("Alc-Subscriber-QoS-Override", "e:q:1:pir=10000", 6527, 126, b"e:q:1:pir=10000".hex()),
]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    directory = tmp_path_factory.mktemp("values")
    values = [(name, canonical_value(_attribute(name), meaning)) for name, meaning, *_ in CASES]
    (directory / "cases.json").write_text(json.dumps(values))
    (directory / "values_hook.py").write_text(_HOOK)
    port = free_port()
    (directory / "radiusd.conf").write_text(_CONFIG.format(dir=directory, port=port))
    child = subprocess.Popen(["/usr/sbin/freeradius", "-f", "-d", str(directory), "-l", str(directory / "log")])
    try:
        _wait_ready(child, directory / "log")
        with Device(("127.0.0.1", port), SECRET) as ready:
            yield ready
    finally:
        child.terminate()
        child.wait(timeout=60)


def _wait_ready(child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 240
    while not (log.exists() and "Ready to process requests" in log.read_text()):
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


def _attribute(name: str):
    found = DICTIONARY.attribute(name)
    assert found is not None, name
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}={CASES[n][1][:24]!r}")
def test_a_canonical_value_is_on_the_wire_what_it_means(device: Device, number: int) -> None:
    _, meaning, vendor, attribute, expected = CASES[number]

    reply: Packet = device.login(str(number), "any password")

    assert reply.code == 2
    octets = reply.one(attribute, vendor)
    assert octets is not None
    assert octets.hex() == (meaning.encode().hex() if expected is None else expected)
