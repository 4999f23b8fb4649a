"""CoA and Disconnect at the simulated device, asked by radclient and pyrad: each vendor's rules and each fault on the wire."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from pyrad.client import Client, Timeout
from pyrad.packet import CoAPacket
from support.plain_freeradius import PlainServer, plain_freeradius

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, Subscriber
from nas_drivers.simulated.traffic import Rates

pytestmark = pytest.mark.radius
ADDRESS = "127.66.2.2"
COA_SECRET = "coa secret"
USERS = "".join(
    f'{name} Cleartext-Password := "pw"\n'
    '\tMikrotik-Rate-Limit := "8M/80M", Filter-Id := "80000/8000", Class := 0xc1a55c1a55\n\n'
    for name in ("anna", "bruno")
)
BOTH = frozenset({Traffic.COA, Traffic.DISCONNECT})
# Long enough that nothing is sent twice on a busy machine.
PATIENT = RetryPlan(first_s=30, factor=1, longest_s=30, tries=3, jitter=0)
VENDORS = ["mikrotik", "accel_ppp", "generic"]
every_vendor = pytest.mark.parametrize("vendor", VENDORS)
# What each vendor is told to change, and what then holds.
CHANGE = {
    "mikrotik": 'Mikrotik-Rate-Limit = "800k/8M"',
    "accel_ppp": 'Filter-Id = "8000/800"',
    "generic": 'Filter-Id = "slow"',
}
Story = Callable[[SimulatedNas, Session], Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainServer]:
    with plain_freeradius(tmp_path_factory.mktemp("freeradius"), USERS) as started:
        yield started


def play(server: PlainServer, vendor: str, story: Story, **changed: object) -> SimulatedNas:
    """Let Anna and Bruno log in at such a device and tell `story` with Anna's session."""

    async def run() -> SimulatedNas:
        options = {
            "coa_port": 0,
            "coa_secret": COA_SECRET.encode(),
            "name": "tower",
            "access_retry": PATIENT,
            "accounting_retry": PATIENT,
            **changed,
        }
        nas = SimulatedNas(
            ADDRESS,
            server.secret,
            vendor=vendor,
            servers=[RadiusServer("127.0.0.1", server.authentication_port, server.accounting_port)],
            subscribers=[Subscriber(name, "pw", load_down=1.0, load_up=1.0) for name in ("anna", "bruno")],
            options=DeviceOptions(**options),  # type: ignore[arg-type]  # options by name
        )
        await nas.start()
        try:
            assert (await nas.dial()).accepted == 2
            assert await nas.drain(timeout_s=120)
            await story(nas, nas.sessions.of("anna")[0])
            assert await nas.drain(timeout_s=120)
        finally:
            await nas.stop()
        return nas

    return asyncio.run(run())


async def radclient(
    nas: SimulatedNas, kind: str, *lines: str, secret: str = COA_SECRET, tries: int = 1, wait_s: float = 30
) -> str:
    """What FreeRADIUS's own client says happened: it checks the reply's authenticator, address and code itself.

    It counts in whole seconds of the wall clock, so that less than 2 s may be over at once: only for where no answer comes.
    """
    child = await asyncio.create_subprocess_exec(
        "radclient",
        "-x",
        *("-t", str(wait_s), "-r", str(tries)),
        f"{ADDRESS}:{nas.coa_port}",
        kind,
        secret,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate(("\n".join(lines) + "\n").encode())
    return output.decode()


def named(session: Session) -> tuple[str, str]:
    """How Corrente will name a session."""
    return f'User-Name = "{session.username}"', f'Acct-Session-Id = "{session.session_id}"'


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, at most two minutes."""
    latest = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < latest, "the condition did not come true"
        await asyncio.sleep(0.01)


async def dropped(nas: SimulatedNas, count: int) -> None:
    """Wait until the device has thrown away so many requests."""
    await until(lambda: nas.statistics.changes_dropped.total() >= count)


def pyrad_packet(code: int, session: Session, **changed: bytes) -> CoAPacket:
    """The same request made by pyrad; attributes by number, `a27=b"..."`."""
    packet = CoAPacket(secret=COA_SECRET.encode(), code=code)
    packet[wire.USER_NAME] = [session.username.encode()]
    packet[wire.ACCT_SESSION_ID] = [session.session_id.encode()]
    for name, value in changed.items():
        packet[int(name[1:])] = [value]
    return packet


async def pyrad_send(nas: SimulatedNas, packet: CoAPacket, *, timeout_s: float = 30.0) -> CoAPacket:
    """pyrad's client in a thread. Raises: pyrad's Timeout."""

    def send() -> CoAPacket:
        client = Client(ADDRESS, coaport=nas.coa_port, secret=COA_SECRET.encode(), retries=1, timeout=timeout_s)
        try:
            return client.SendPacket(packet)
        finally:
            if client._socket is not None:
                client._socket.close()

    return await asyncio.to_thread(send)


def listen(raw: bytes, port: int, *, expected: int, sends: int = 1) -> list[tuple[bytes, str]]:
    """What comes back to one socket, and from where: until so many have come and nothing more for a while, at most two minutes."""
    found: list[tuple[bytes, str]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _ in range(sends):
            asking.sendto(raw, (ADDRESS, port))
        latest = time.monotonic() + 120
        while time.monotonic() < latest:
            asking.settimeout(0.25)
            try:
                answer, source = asking.recvfrom(4096)
            except TimeoutError:
                if len(found) >= expected:
                    break
                continue
            found.append((answer, source[0]))
    return found


@every_vendor
def test_a_change_is_acknowledged_and_the_session_runs_under_it(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        assert "Received CoA-ACK" in await radclient(nas, "coa", *named(session), CHANGE[vendor])
        if vendor == "generic":
            assert session.filter == "slow"
        else:
            assert session.rates == Rates(8_000_000, 800_000)
        assert nas.sessions.of("bruno")[0].changes == 0

    nas = play(server, vendor, story)

    assert nas.statistics.changes_answered == {"coa ack": 1}


@pytest.mark.parametrize("vendor", ["mikrotik", "accel_ppp"])
def test_later_counters_show_the_new_rate(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        loop = asyncio.get_running_loop()
        await radclient(nas, "coa", *named(session), CHANGE[vendor])
        times = [loop.time()]
        before = nas.counters(session)
        times.append(loop.time())
        await asyncio.sleep(0.3)
        times.append(loop.time())
        after = nas.counters(session)
        times.append(loop.time())
        shortest_s, longest_s = times[2] - times[1], times[3] - times[0]
        # 8 Mbit/s down and 800 kbit/s up at full load.
        assert 1_000_000 * shortest_s - 1 <= after.octets_down - before.octets_down <= 1_000_000 * longest_s + 1
        assert 100_000 * shortest_s - 1 <= after.octets_up - before.octets_up <= 100_000 * longest_s + 1

    play(server, vendor, story)


@every_vendor
def test_a_disconnect_ends_the_session_with_a_stop_and_the_modem_dials_again(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        assert "Received Disconnect-ACK" in await radclient(nas, "disconnect", *named(session))
        assert await nas.drain(timeout_s=120)
        assert session.ended
        await until(lambda: nas.sessions.of("anna"))
        assert nas.sessions.of("anna")[0].session_id != session.session_id
        # Asked for the old session once more it says so.
        assert "Error-Cause = Session-Context-Not-Found" in await radclient(nas, "disconnect", *named(session))

    nas = play(server, vendor, story, redial_after_s=0.05)

    assert nas.statistics.sessions_ended == {"admin_reset": 1}
    stops = [record for record in server.records() if record["Acct-Status-Type"] == ["Stop"]]
    assert stops[-1]["Acct-Terminate-Cause"] == ["Admin-Reset"]
    assert stops[-1]["User-Name"] == ["anna"]


@every_vendor
def test_a_request_with_the_wrong_secret_gets_no_answer(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        assert "Received" not in await radclient(nas, "disconnect", *named(session), secret="guessed", wait_s=0.5)
        await dropped(nas, 1)
        assert not session.ended

    nas = play(server, vendor, story)

    assert nas.statistics.changes_dropped == {"wrong authenticator": 1}


@pytest.mark.parametrize(
    ("vendor", "line", "expected"),
    [
        ("generic", 'Mikrotik-Rate-Limit = "1M/1M"', "Error-Cause = Unsupported-Attribute"),
        ("generic", "Framed-Pool = walled", "Error-Cause = Unsupported-Attribute"),
        ("generic", "NAS-IP-Address = 10.9.9.9", "Error-Cause = NAS-Identification-Mismatch"),
        ("mikrotik", "Framed-Pool = walled", "Error-Cause = Unsupported-Attribute"),
        ("mikrotik", 'Mikrotik-Rate-Limit = "1G/1G"', "Error-Cause = Invalid-Attribute-Value"),
        ("mikrotik", "NAS-IP-Address = 10.9.9.9", "Error-Cause = NAS-Identification-Mismatch"),
        ("mikrotik", "Mikrotik-Address-List = walled", "Received CoA-ACK"),
        ("accel_ppp", "Framed-Pool = walled", "Received CoA-ACK"),
        ("accel_ppp", "NAS-Identifier = another", "Error-Cause = NAS-Identification-Mismatch"),
    ],
)
def test_each_vendor_refuses_or_ignores_what_it_cannot_change(
    server: PlainServer, vendor: str, line: str, expected: str
) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        assert expected in await radclient(nas, "coa", *named(session), line)
        assert session.rates == (Rates() if vendor == "generic" else Rates(80_000_000, 8_000_000))
        assert session.address_lists == ()

    play(server, vendor, story)


@every_vendor
def test_a_silent_device_looks_like_a_timeout_and_obeys_the_resend(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.SILENCE, on=BOTH, times=1))
        assert "No reply" in await radclient(nas, "disconnect", *named(session), wait_s=0.5)
        await dropped(nas, 1)
        assert not session.ended
        assert "Received Disconnect-ACK" in await radclient(nas, "disconnect", *named(session), tries=2)

    play(server, vendor, story)


@every_vendor
@pytest.mark.parametrize(("cause", "shown"), [(506, "Error-Cause = Resources-Unavailable"), (None, "Received CoA-NAK")])
def test_a_nak_with_or_without_a_cause_changes_nothing(
    server: PlainServer, vendor: str, cause: int | None, shown: str
) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.NAK, on=BOTH, error_cause=cause, times=1))
        output = await radclient(nas, "coa", *named(session), CHANGE[vendor])
        assert shown in output
        assert ("Error-Cause" in output) == (cause is not None)
        assert session.changes == 0

    play(server, vendor, story)


@every_vendor
def test_an_empty_acknowledgement_leaves_everything_as_it_was(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.ACK_ONLY, on=BOTH, times=2))
        assert "Received CoA-ACK" in await radclient(nas, "coa", *named(session), CHANGE[vendor])
        assert "Received Disconnect-ACK" in await radclient(nas, "disconnect", *named(session))
        assert (session.changes, session.ended) == (0, False)

    play(server, vendor, story)


@pytest.mark.parametrize(("vendor", "second"), [("mikrotik", 503), ("accel_ppp", 503), ("generic", None)])
def test_after_a_lost_reply_the_resend_tells_devices_apart(
    server: PlainServer, vendor: str, second: int | None
) -> None:
    """A device that keeps its answers repeats the ACK; the others have no such session any more."""

    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.REPLY_LOST, on=BOTH, times=1))
        raw = pyrad_packet(40, session).RequestPacket()
        answers = await asyncio.to_thread(listen, raw, nas.coa_port, expected=1, sends=2)
        assert session.ended
        (answer,) = [codec.decode(datagram) for datagram, _ in answers]
        expected = (41, None) if second is None else (42, second.to_bytes(4, "big"))
        assert (answer.code, answer.first(wire.ERROR_CAUSE)) == expected

    play(server, vendor, story)


@every_vendor
def test_pyrad_takes_the_answer_of_every_vendor_and_hears_a_late_one_too_late(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.LATE, on=BOTH, times=1, delay_s=60))
        with pytest.raises(Timeout):
            await pyrad_send(nas, pyrad_packet(43, session, a27=b"\0\0\2\x58"), timeout_s=0.3)
        await until(lambda: session.changes == 1)
        answer = await pyrad_send(nas, pyrad_packet(43, session, a27=b"\0\0\2\x58"))
        assert answer.code == 44
        assert session.changes == 2
        assert session.expires is not None

    play(server, vendor, story)


@every_vendor
def test_a_duplicated_reply_comes_twice(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.DUPLICATE, on=BOTH, times=1))
        raw = pyrad_packet(43, session, a27=b"\0\0\2\x58").RequestPacket()
        answers = await asyncio.to_thread(listen, raw, nas.coa_port, expected=2)
        assert len(answers) == 2
        assert answers[0][0] == answers[1][0]
        assert session.changes == 1

    play(server, vendor, story)


@every_vendor
def test_a_reordered_reply_comes_after_the_next(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.REORDER, on=BOTH, times=1, delay_s=60))
        packets = [pyrad_packet(43, session, a27=seconds.to_bytes(4, "big")) for seconds in (600, 900)]
        raws = [packet.RequestPacket() for packet in packets]

        def ask() -> list[int]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(120)
                for raw in raws:
                    asking.sendto(raw, (ADDRESS, nas.coa_port))
                return [asking.recv(4096)[1] for _ in raws]

        assert await asyncio.to_thread(ask) == [packets[1].id, packets[0].id]

    play(server, vendor, story)


@every_vendor
@pytest.mark.parametrize("kind", [FaultKind.WRONG_AUTHENTICATOR, FaultKind.WRONG_SOURCE])
def test_a_forged_reply_is_refused_by_radclient_and_the_genuine_one_behind_it_taken(
    server: PlainServer, vendor: str, kind: FaultKind
) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(kind, on=BOTH, times=1))
        forged = await radclient(nas, "coa", *named(session), CHANGE[vendor], wait_s=0.5)
        assert "No reply" in forged
        raw = pyrad_packet(43, session, a27=b"\0\0\2\x58").RequestPacket()
        nas.faults.add(Fault(kind, on=BOTH, times=1, then_genuine=True))
        answers = await asyncio.to_thread(listen, raw, nas.coa_port, expected=2)
        verdicts = [
            (source == ADDRESS, codec.response_is_genuine(answer, raw[4:20], COA_SECRET.encode()))
            for answer, source in answers
        ]
        first = (True, False) if kind is FaultKind.WRONG_AUTHENTICATOR else (False, True)
        assert verdicts == [first, (True, True)]

    play(server, vendor, story)


@every_vendor
def test_a_reply_with_the_code_of_another_exchange_is_well_signed(server: PlainServer, vendor: str) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.WRONG_CODE, on=BOTH, times=1))
        # pyrad does not look at the code: whoever uses it must.
        answer = await pyrad_send(nas, pyrad_packet(43, session, a27=b"\0\0\2\x58"))
        assert answer.code == 2

    play(server, vendor, story)


def test_accel_ppp_throws_away_a_second_request_while_the_first_is_worked_on(server: PlainServer) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        first, second = (pyrad_packet(43, session, a27=n.to_bytes(4, "big")).RequestPacket() for n in (600, 900))

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(120)
            # Both are there before the device, which lives in this loop, looks at either.
            for raw in (first, second):
                asking.sendto(raw, (ADDRESS, nas.coa_port))
            answer = await asyncio.to_thread(asking.recv, 4096)
            assert answer[1] == first[1]
            await dropped(nas, 1)
            assert session.changes == 1

    nas = play(server, "accel_ppp", story, change_delay_s=0.2)

    assert nas.statistics.changes_dropped == {"another change is being worked on": 1}


def test_a_repeated_request_is_done_once_by_a_device_that_follows_the_rfc(server: PlainServer) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        raw = pyrad_packet(43, session, a27=b"\0\0\2\x58").RequestPacket()
        answers = await asyncio.to_thread(listen, raw, nas.coa_port, expected=3, sends=3)
        assert len({answer for answer, _ in answers}) == 1
        assert len(answers) == 3
        assert session.changes == 1

    play(server, "generic", story)


def test_each_datagram_on_the_change_port_is_told_of_whatever_becomes_of_it(server: PlainServer) -> None:
    told: list[tuple[bool, bytes]] = []

    async def story(nas: SimulatedNas, session: Session) -> None:
        nas.faults.add(Fault(FaultKind.SILENCE, on=BOTH, times=1))
        packet = pyrad_packet(wire.Code.COA_REQUEST, session, a11=b"slow")
        raw = packet.RequestPacket()
        answers = await asyncio.to_thread(listen, raw, nas.coa_port, expected=1, sends=2)
        await asyncio.to_thread(listen, b"no packet", nas.coa_port, expected=0)
        await until(lambda: len(told) >= 4)
        assert told == [(True, raw), (True, raw), (False, answers[0][0]), (True, b"no packet")]

    play(server, "generic", story, on_change_datagram=lambda came, octets, _: told.append((came, octets)))


def test_a_change_outside_the_window_of_a_skewed_clock_is_dropped(server: PlainServer) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        stamped = f"Event-Timestamp = {int(time.time())}"
        assert "Received CoA-ACK" in await radclient(nas, "coa", *named(session), stamped)
        nas.clock_skew_s = 600
        assert "No reply" in await radclient(nas, "coa", *named(session), stamped, wait_s=0.5)
        assert "No reply" in await radclient(nas, "coa", *named(session), wait_s=0.5)
        await dropped(nas, 2)

    nas = play(server, "generic", story, event_timestamp_window_s=300)

    assert nas.statistics.changes_dropped == {
        "event timestamp outside the window": 1,
        "no event timestamp": 1,
    }


def test_several_sessions_of_one_name_are_all_changed_by_the_rfc_and_one_by_accel_ppp(server: PlainServer) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        await nas.dial([session.subscriber])
        assert "Received Disconnect-ACK" in await radclient(nas, "disconnect", 'User-Name = "anna"')
        left = 1 if nas.vendor == "accel_ppp" else 0
        assert len(nas.sessions.of("anna")) == left

    for vendor in VENDORS:
        play(server, vendor, story)


def test_a_class_in_a_coa_is_echoed_afterwards_where_the_device_takes_it(server: PlainServer) -> None:
    taken = {}

    async def story(nas: SimulatedNas, session: Session) -> None:
        assert "ACK" in await radclient(nas, "coa", *named(session), "Class = 0xbeef")
        nas.send_interims()
        assert await nas.drain(timeout_s=120)
        last = [r for r in server.records() if r.get("Acct-Session-Id") == [session.session_id]][-1]
        taken[nas.vendor] = last["Class"]

    for vendor in VENDORS:
        play(server, vendor, story)

    assert taken == {"mikrotik": ["0xc1a55c1a55"], "accel_ppp": ["0xbeef"], "generic": ["0xbeef"]}


def test_a_thousand_disconnects_at_once_are_all_answered(server: PlainServer) -> None:
    async def story(nas: SimulatedNas, session: Session) -> None:
        await nas.dial([session.subscriber] * 1000)
        live = nas.sessions.of("anna")
        lines = "\n\n".join(f'Acct-Session-Id = "{one.session_id}"' for one in live)
        child = await asyncio.create_subprocess_exec(
            *("radclient", "-s", "-q", "-p", "100", "-t", "30", f"{ADDRESS}:{nas.coa_port}", "disconnect", COA_SECRET),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate(lines.encode())
        assert f"Accepted      : {len(live)}" in output.decode()
        assert nas.sessions.of("anna") == ()

    play(server, "mikrotik", story)
