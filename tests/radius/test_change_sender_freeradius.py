"""The CoA sender asks FreeRADIUS: another implementation says what it saw in our packets, and answers in its own way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network

import pytest
from support.freeradius_coa_server import CoaServer, freeradius_coa_server
from support.peer_network import wait_for

from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute, BitRate, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.coa import (
    Acked,
    ChangeRequest,
    ChangeSender,
    ChangeTarget,
    Nacked,
    Outcome,
    Unanswered,
)
from nas_drivers.transport.patience import Patience

pytestmark = pytest.mark.radius
# One send: what answers has a minute for it, and what never does a second.
LONG = Patience(first_s=60, longest_s=60, sends=1, total_s=60, jitter=0)
SHORT = Patience(first_s=1, longest_s=1, sends=1, total_s=1, jitter=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoaServer]:
    with freeradius_coa_server(tmp_path_factory.mktemp("coa")) as started:
        yield started


def ask(
    server: CoaServer, code: int, *attributes: Attribute, sender: dict[str, object] | None = None, **target: object
) -> Outcome:
    async def run() -> Outcome:
        made = ChangeSender(**{"patience": SHORT, **(sender or {})})  # type: ignore[arg-type]
        settings = {"secret": server.secret, **target}
        try:
            return await made.send(
                ChangeTarget(1, "127.0.0.1", server.port, **settings),  # type: ignore[arg-type]
                ChangeRequest(code, attributes),
                on_packet=lambda packet: None,
            )
        finally:
            await made.close()

    return asyncio.run(run())


def named(username: str) -> tuple[Attribute, Attribute]:
    return Attribute("User-Name", ":=", username), Attribute("Acct-Session-Id", ":=", "81000001")


@pytest.mark.parametrize("code", [40, 43])
def test_freeradius_answers_what_it_is_asked(server, code):
    assert ask(server, code, *named("anna"), sender={"patience": LONG}) == Acked()
    assert ask(server, code, *named("gone"), sender={"patience": LONG}) == Nacked(503, "no such session")
    assert ask(server, code, *named("refused"), sender={"patience": LONG}) == Nacked(None)
    assert ask(server, code, *named("silent")) == Unanswered(1)


def test_another_secret_is_met_with_silence(server):
    before = len(server.heard())

    assert ask(server, 43, *named("anna"), secret=b"not the secret") == Unanswered(1)
    assert len(server.heard()) == before


@pytest.mark.parametrize(
    ("settings", "clock", "answered"),
    [
        ({}, time.time, True),
        ({"message_authenticator": False}, time.time, False),
        ({"event_timestamp": False}, time.time, False),
        ({}, lambda: time.time() - 400, False),
    ],
)
def test_a_strict_peer_takes_only_signed_requests_of_now(server, settings, clock, answered):
    patience = LONG if answered else SHORT
    outcome = ask(server, 43, *named("strict"), sender={"epoch_s": clock, "patience": patience}, **settings)

    assert outcome == (Acked() if answered else Unanswered(1))


def test_a_retransmission_is_known_as_one_and_the_next_request_as_another(server):
    before = len(server.heard())
    again = {"patience": Patience(first_s=0.2, longest_s=0.2, sends=4, total_s=3, jitter=0)}

    assert ask(server, 40, *named("silent"), sender=again) == Unanswered(4)
    wait_for(lambda: len(server.heard()) > before, "the first")
    assert len(server.heard()) == before + 1

    assert ask(server, 40, *named("silent"), sender=again) == Unanswered(4)
    wait_for(lambda: len(server.heard()) > before + 1, "the second")
    assert len(server.heard()) == before + 2


IDENTITY = SessionIdentity(
    "anna@isp.example",
    "81a00001",
    nas_address=IPv4Address("192.0.2.1"),
    nas_identifier="tower-north",
    framed_ipv4=IPv4Address("100.64.0.7"),
    framed_ipv6_prefix=IPv6Network("2001:db8:7::/64"),
    mac="02005e005301",
)
NEW_CLASS = b"CO1" + bytes(range(24))
RATES = {"rate": RatePair(BitRate(8_000_000), BitRate(800_000)), "idle_timeout_s": 300}


@pytest.mark.parametrize(
    ("vendor", "policy", "expected"),
    [
        (
            "mikrotik",
            SessionPolicy(**RATES, filter="slow.in"),
            {"Mikrotik-Rate-Limit": ["800k/8M"], "Filter-Id": ["slow.in"], "Idle-Timeout": ["300"]},
        ),
        ("accel_ppp", SessionPolicy(**RATES), {"Filter-Id": ["8000/800"], "Class": ["0x" + NEW_CLASS.hex()]}),
        (
            "generic",
            SessionPolicy(filter="slow", idle_timeout_s=300),
            {"Filter-Id": ["slow"], "Idle-Timeout": ["300"], "Class": ["0x" + NEW_CLASS.hex()]},
        ),
    ],
)
def test_freeradius_reads_a_vendor_s_change_as_it_was_meant(server, vendor, policy, expected):
    driver = driver_for(vendor)
    attributes = driver.identity_attributes(IDENTITY, detail=1) + driver.change_attributes(
        policy, class_octets=NEW_CLASS
    )

    assert ask(server, 43, *attributes, sender={"patience": LONG}) == Acked()

    heard = server.heard()[-1]
    assert heard["Packet-Type"] == ["CoA-Request"]
    assert heard["User-Name"] == ["anna@isp.example"]
    assert heard["Acct-Session-Id"] == ["81a00001"]
    assert heard["Framed-IP-Address"] == ["100.64.0.7"]
    assert heard["NAS-IP-Address"] == ["192.0.2.1"]
    assert {name: heard[name] for name in expected} == expected
