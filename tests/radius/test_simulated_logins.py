"""The simulated device against a plain FreeRADIUS: logins, records and their counters, reboot, retransmission, fail-over."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.jumping_loop import run_jumping
from support.plain_freeradius import PlainServer, plain_freeradius
from support.ports import free_port
from support.radius_packets import Device

from nas_drivers.simulated.behaviour import behaviour_names
from nas_drivers.simulated.credentials import Method
from nas_drivers.simulated.device import DialResult, SimulatedNas
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, Subscriber
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Status

pytestmark = pytest.mark.radius
SUBSCRIBERS = 2000
DRAIN_S = 120
QUICK = RetryPlan(first_s=0.1, factor=1, longest_s=0.1, tries=3, jitter=0)
# Long enough that nothing is sent twice on a busy machine.
PATIENT = RetryPlan(first_s=30, factor=1, longest_s=30, tries=3, jitter=0)
# One resend after a second; the next not on any machine.
ONCE_MORE = RetryPlan(first_s=1.1, factor=100, longest_s=110, tries=3, jitter=0)


def _user(number: int) -> str:
    return (
        f'user{number} Cleartext-Password := "pw{number}"\n'
        f'\tMikrotik-Rate-Limit := "8M/80M", Filter-Id := "80000/8000", Class := 0x434f31{number:08x},\n'
        f"\tAcct-Interim-Interval := 600\n\n"
    )


SPECIAL = (
    'static Cleartext-Password := "pw"\n'
    '\tFramed-IP-Address := 192.0.2.77, Delegated-IPv6-Prefix := 2001:db8:77::/56, Mikrotik-Address-List := "walled",\n'
    '\tFramed-Pool := "ignored-for-the-static", Class := 0x01, Class += 0x02\n\n'
    'fast Cleartext-Password := "pw"\n\tMikrotik-Rate-Limit := "400000M/400000M"\n\n'
    'short Cleartext-Password := "pw"\n\tSession-Timeout := 1\n\n'
    'idle Cleartext-Password := "pw"\n\tIdle-Timeout := 1, Mikrotik-Rate-Limit := "8M/80M"\n\n'
    'everywhere Cleartext-Password := "pw"\n'
    '\tMikrotik-Rate-Limit := "8M/80M", Filter-Id := "80000/8000", WISPr-Bandwidth-Max-Up := 8000000,\n'
    '\tWISPr-Bandwidth-Max-Down := 80000000, Cisco-AVPair := "subscriber:sub-qos-policy-in=home-in",\n'
    '\tCisco-AVPair += "subscriber:sub-qos-policy-out=home-out", ERX-Service-Activate:1 := "home",\n'
    '\tHuawei-Input-Average-Rate := 8000000, Huawei-Output-Average-Rate := 80000000, Alc-SLA-Prof-Str := "home",\n'
    '\tQos-Policing-Profile-Name := "home-up", Qos-Metering-Profile-Name := "home-down",\n'
    '\tZTE-QOS-Profile-Up := "home", ZTE-QoS-Profile-Down := "home"\n\n'
    'chatty Cleartext-Password := "pw"\n\tAcct-Interim-Interval := 1, Mikrotik-Rate-Limit := "8M/80M"\n\n'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainServer]:
    directory = tmp_path_factory.mktemp("freeradius")
    with plain_freeradius(directory, "".join(_user(n) for n in range(SUBSCRIBERS)) + SPECIAL) as started:
        yield started


@pytest.fixture(autouse=True)
def no_records_of_other_tests(server: PlainServer) -> None:
    """What a device sent before it was stopped may come to the server now: it has one thread, and this comes last."""
    with Device(("127.0.0.1", server.accounting_port), server.secret, source="127.66.0.9") as last:
        assert last.account(7, "last") is not None
    (server.directory / "detail").unlink()


def _nas(
    server: PlainServer, *, address: str = "127.66.0.1", vendor: str = "mikrotik", **changed: object
) -> SimulatedNas:
    options = {"coa_port": 0, "access_retry": PATIENT, "accounting_retry": PATIENT, "name": "tower", **changed}
    return SimulatedNas(
        address,
        server.secret,
        vendor=vendor,
        servers=[RadiusServer("127.0.0.1", server.authentication_port, server.accounting_port)],
        options=DeviceOptions(**options),  # type: ignore[arg-type]  # options by name
    )


def _subscribers(count: int, **changed: object) -> list[Subscriber]:
    return [Subscriber(f"user{n}", f"pw{n}", **changed) for n in range(count)]  # type: ignore[arg-type]  # as above


async def _until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    while not condition():
        assert loop.time() < until, "the condition did not come true in time"
        await asyncio.sleep(0.01)


async def _hang_up(nas: SimulatedNas) -> None:
    """End every session, and the device when all it has said is answered."""
    await nas.hang_up()
    assert await nas.drain(timeout_s=DRAIN_S)
    await nas.stop()


def _octets(record: dict[str, list[str]], way: str) -> int:
    return int(record[f"Acct-{way}-Octets"][0]) + (int(record[f"Acct-{way}-Gigawords"][0]) << 32)


def test_two_thousand_subscribers_log_in_report_and_hang_up_and_no_record_is_lost(server: PlainServer) -> None:
    async def day() -> None:
        nas = _nas(server)
        await nas.start()
        assert await nas.dial(_subscribers(SUBSCRIBERS)) == DialResult(accepted=SUBSCRIBERS)
        nas.send_interims()
        assert await nas.drain(timeout_s=DRAIN_S)
        await _hang_up(nas)
        assert nas.statistics.bad_replies == Counter()

    asyncio.run(day())

    records = server.records()
    kinds = Counter(record["Acct-Status-Type"][0] for record in records)
    assert kinds == {"Accounting-On": 1, "Start": 2000, "Interim-Update": 2000, "Stop": 2000}
    starts = [record for record in records if record["Acct-Status-Type"] == ["Start"]]
    assert len({record["Acct-Session-Id"][0] for record in starts}) == SUBSCRIBERS
    assert len({record["Framed-IP-Address"][0] for record in starts}) == SUBSCRIBERS
    for record in records:
        assert record["Packet-Src-IP-Address"] == ["127.66.0.1"]
        if "User-Name" in record:
            assert record["Class"] == [f"0x434f31{int(record['User-Name'][0][4:]):08x}"]


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("vendor", behaviour_names())
def test_the_right_password_is_accepted_and_the_wrong_one_refused(
    server: PlainServer, vendor: str, method: Method
) -> None:
    async def evening() -> DialResult:
        nas = _nas(server, vendor=vendor)
        await nas.start()
        result = await nas.dial(
            [Subscriber("user1", "pw1", method=method), Subscriber("user2", "wrong", method=method)]
        )
        await _hang_up(nas)
        return result

    assert asyncio.run(evening()) == DialResult(accepted=1, rejected=1)


@pytest.mark.parametrize("vendor", behaviour_names())
def test_each_vendor_takes_its_rate_from_its_own_attribute(server: PlainServer, vendor: str) -> None:
    async def evening() -> Rates:
        nas = _nas(server, vendor=vendor, policies={"home": Rates(80_000_000, 8_000_000)})
        await nas.start()
        await nas.dial([Subscriber("everywhere", "pw")])
        taken = nas.sessions.of("everywhere")[0].rates
        await nas.stop()
        return taken

    # A generic device has none.
    assert asyncio.run(evening()) == (Rates() if vendor == "generic" else Rates(80_000_000, 8_000_000))


def test_a_policy_that_is_not_on_the_device_lets_nobody_in_though_the_server_does(server: PlainServer) -> None:
    async def evening() -> tuple[DialResult, Counter[str], int]:
        nas = _nas(server, vendor="nokia_sros")
        await nas.start()
        result = await nas.dial([Subscriber("everywhere", "pw")])
        await nas.stop()
        return result, nas.statistics.logins_failed, nas.statistics.records_made["start"]

    assert asyncio.run(evening()) == (DialResult(rejected=1), {"no such SLA profile": 1}, 0)


@pytest.mark.parametrize(("told", "is_open"), [(None, False), (True, True)])
def test_the_port_of_an_edgerouter_is_closed_unless_it_is_told_otherwise(
    server: PlainServer, told: bool | None, is_open: bool
) -> None:
    async def evening() -> bool:
        port = free_port()
        nas = _nas(server, vendor="edgerouter", coa_port=port, hears_changes=told)
        await nas.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            try:
                other.bind(("127.66.0.1", port))
            except OSError:
                return True
            finally:
                await nas.stop()
        return False

    assert asyncio.run(evening()) is is_open


def test_counters_follow_rate_and_load(server: PlainServer) -> None:
    async def evening() -> tuple[float, float]:
        nas = _nas(server)
        await nas.start()
        # 80 Mbit/s down at half load: 5,000,000 octets a second; 8 Mbit/s up at full load: 1,000,000.
        await nas.dial(_subscribers(1, load_down=0.5, load_up=1.0))
        loop = asyncio.get_running_loop()
        session = nas.sessions.of("user0")[0]
        await asyncio.sleep(0.5)
        at_least_s = loop.time() - session.started
        await nas.hang_up()
        at_most_s = loop.time() - session.started
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()
        return at_least_s, at_most_s

    at_least_s, at_most_s = asyncio.run(evening())

    stop = server.records()[-1]
    assert stop["Acct-Status-Type"] == ["Stop"]
    assert stop["Acct-Terminate-Cause"] == ["User-Request"]
    assert 5_000_000 * at_least_s - 1 <= _octets(stop, "Output") <= 5_000_000 * at_most_s
    assert 1_000_000 * at_least_s - 1 <= _octets(stop, "Input") <= 1_000_000 * at_most_s


def test_counters_past_32_bits_go_into_gigawords(server: PlainServer) -> None:
    async def evening() -> int:
        nas = _nas(server)
        await nas.start()
        await nas.dial([Subscriber("fast", "pw", load_down=1.0, load_up=0.0)])
        session = nas.sessions.of("fast")[0]
        # 50,000,000,000 octets a second: past 2^32 after 86 ms.
        await _until(lambda: nas.counters(session).octets_down > 1 << 33)
        await _hang_up(nas)
        return nas.counters(session).octets_down

    counted = asyncio.run(evening())

    stop = server.records()[-1]
    assert int(stop["Acct-Output-Gigawords"][0]) >= 2
    assert _octets(stop, "Output") == counted


def test_an_interim_interval_a_session_timeout_and_a_redial_are_obeyed(server: PlainServer) -> None:
    async def evening() -> list[Session]:
        nas = _nas(server, interim_jitter=0.0, redial_after_s=0.1)
        await nas.start()
        await nas.dial([Subscriber("chatty", "pw")])
        await nas.dial([Subscriber("short", "pw")])
        shorts = list(nas.sessions.of("short"))
        await _until(lambda: shorts[0].ended)
        await _until(lambda: bool(nas.sessions.of("short")))
        shorts += nas.sessions.of("short")
        await _until(lambda: nas.statistics.records_answered["interim"] >= 2)
        await nas.stop()
        return shorts

    first, second = asyncio.run(evening())

    assert first.session_id != second.session_id
    assert first.expires == pytest.approx(first.started + 1, abs=0.001)
    records = server.records()
    ended = [record for record in records if record.get("Acct-Terminate-Cause") == ["Session-Timeout"]]
    assert ended[0]["User-Name"] == ["short"]
    assert int(ended[0]["Acct-Session-Time"][0]) >= 1
    interims = [record for record in records if record["Acct-Status-Type"] == ["Interim-Update"]]
    assert {record["User-Name"][0] for record in interims} == {"chatty"}
    first_s, second_s = (int(record["Acct-Session-Time"][0]) for record in interims[:2])
    assert first_s >= 1
    assert second_s >= first_s + 1


def test_a_session_ends_when_its_traffic_has_stopped_for_its_idle_timeout(server: PlainServer) -> None:
    async def evening() -> tuple[Session, Session, float]:
        nas = _nas(server)
        await nas.start()
        # One after the other: the silent one has ended when the other begins.
        await nas.dial([Subscriber("idle", "pw", mac="02:00:00:00:00:01", load_down=0.0, load_up=0.0)])
        (silent,) = nas.sessions.of("idle")
        await _until(lambda: silent.ended)
        await nas.dial([Subscriber("idle", "pw", mac="02:00:00:00:00:02")])
        (busy,) = nas.sessions.of("idle")
        loop = asyncio.get_running_loop()
        # It has been looked at after one timeout and will be after the next: it uses its line and is still there.
        await _until(lambda: busy.ended or (busy.idle_check or 0.0) > busy.started + 1.5)
        assert not busy.ended
        stopped = loop.time()
        nas.load(busy, down=0.0, up=0.0)
        await _until(lambda: busy.ended)
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()
        return silent, busy, stopped

    silent, busy, stopped = asyncio.run(evening())

    # Looked at the last time a timeout after nothing flowed any more, by the device's own clock.
    assert silent.idle_check == pytest.approx(silent.started + 1, abs=0.001)
    assert busy.meter.quiet_since is not None
    assert busy.meter.quiet_since >= stopped
    assert busy.idle_check == pytest.approx(busy.meter.quiet_since + 1, abs=0.001)
    stops = [record for record in server.records() if record["Acct-Status-Type"] == ["Stop"]]
    assert [record["Acct-Terminate-Cause"] for record in stops] == [["Idle-Timeout"]] * 2
    # Both sat out their timeout, the busy one after a first look that found it busy.
    first_s, second_s = (int(record["Acct-Session-Time"][0]) for record in stops)
    assert first_s >= 1
    assert second_s >= 2


def test_static_address_prefix_list_and_every_class_are_kept_and_told(server: PlainServer) -> None:
    async def evening() -> None:
        nas = _nas(server)
        await nas.start()
        await nas.dial([Subscriber("static", "pw")])
        session = nas.sessions.of("static")[0]
        assert (str(session.address), session.address_lists) == ("192.0.2.77", ("walled",))
        nas.accounting.class_echoed = False
        nas.send_interims()
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()

    asyncio.run(evening())

    start, interim = server.records()[1:]
    assert start["Framed-IP-Address"] == ["192.0.2.77"]
    assert start["Delegated-IPv6-Prefix"] == ["2001:db8:77::/56"]
    assert start["Class"] == ["0x01", "0x02"]
    assert "Class" not in interim


def test_a_reboot_storm_is_answered_and_the_ids_are_new_or_the_same_as_asked(server: PlainServer) -> None:
    async def night() -> tuple[set[str], set[str], set[str]]:
        nas = _nas(server)
        ids = []
        await nas.start()
        for reuse in (False, True, None):
            assert await nas.dial(_subscribers(500)) == DialResult(accepted=500)
            ids.append({session.session_id for session in nas.sessions.all()})
            if reuse is not None:
                assert await nas.drain(timeout_s=DRAIN_S)
                await nas.reboot(down_s=0.05, reuse_ids=reuse)
                assert len(nas.sessions) == 0
        await _hang_up(nas)
        return ids[0], ids[1], ids[2]

    first, second, third = asyncio.run(night())

    assert first.isdisjoint(second)
    assert second == third
    kinds = Counter(record["Acct-Status-Type"][0] for record in server.records())
    assert kinds == {"Accounting-On": 3, "Start": 1500, "Stop": 500}


def test_an_orderly_reboot_says_goodbye(server: PlainServer) -> None:
    async def night() -> None:
        nas = _nas(server)
        await nas.start()
        await nas.dial(_subscribers(3))
        await nas.reboot(orderly=True)
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()

    asyncio.run(night())

    records = server.records()
    kinds = [record["Acct-Status-Type"][0] for record in records]
    assert Counter(kinds) == {"Accounting-On": 2, "Start": 3, "Stop": 3, "Accounting-Off": 1}
    assert kinds[-1] == "Accounting-On"
    assert {r["Acct-Terminate-Cause"][0] for r in records if r["Acct-Status-Type"] == ["Stop"]} == {"NAS-Reboot"}


def test_a_lost_record_is_sent_again_as_a_new_packet_with_its_delay(server: PlainServer) -> None:
    async def evening() -> tuple[int, float]:
        nas = _nas(server, accounting_retry=ONCE_MORE, announce_boot=False)
        nas.faults.add(Fault(FaultKind.SILENCE, on={Traffic.ACCOUNTING}, times=1))
        await nas.start()
        began = asyncio.get_running_loop().time()
        await nas.dial(_subscribers(1))
        assert await nas.drain(timeout_s=DRAIN_S)
        took_s = asyncio.get_running_loop().time() - began
        await nas.stop()
        return nas.statistics.resends, took_s

    resends, took_s = asyncio.run(evening())

    assert resends == 1
    (start,) = server.records()
    assert 1 <= int(start["Acct-Delay-Time"][0]) <= took_s


def test_a_lost_answer_makes_a_late_duplicate(server: PlainServer) -> None:
    async def evening() -> None:
        nas = _nas(server, accounting_retry=ONCE_MORE, announce_boot=False)
        nas.faults.add(Fault(FaultKind.REPLY_LOST, on={Traffic.ACCOUNTING}, times=1))
        await nas.start()
        await nas.dial(_subscribers(1))
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()

    asyncio.run(evening())

    first, second = server.records()
    assert first["Acct-Delay-Time"] == ["0"]
    assert int(second["Acct-Delay-Time"][0]) >= 1
    assert first["Acct-Session-Id"] == second["Acct-Session-Id"]


def test_a_record_can_be_lost_for_good_and_records_can_change_places(server: PlainServer) -> None:
    async def evening() -> SimulatedNas:
        nas = _nas(server, announce_boot=False)
        await nas.start()
        nas.faults.add(Fault(FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=1))
        await nas.dial(_subscribers(1))
        assert await nas.drain(timeout_s=DRAIN_S)
        nas.faults.add(Fault(FaultKind.REORDER, on={Traffic.ACCOUNTING}, times=1, delay_s=5))
        nas.send_interims()
        await _hang_up(nas)
        return nas

    nas = asyncio.run(evening())

    assert nas.statistics.records_given_up == {"start": 1}
    assert [record["Acct-Status-Type"][0] for record in server.records()] == ["Stop", "Interim-Update"]


def test_a_packet_sent_twice_is_the_same_packet() -> None:
    async def evening() -> list[bytes]:
        with _deaf() as (deaf, port):
            nas = _nas_at(port, accounting_retry=PATIENT)
            nas.faults.add(Fault(FaultKind.DUPLICATE, on={Traffic.ACCOUNTING}))
            await nas.start()
            for _ in range(5):
                nas.accounting.send_record(Status.ON, b"")
            await nas.stop()
            return _heard(deaf)

    heard = asyncio.run(evening())

    assert len(heard) == 10
    # What a server knows a packet by: source, identifier and authenticator.
    assert heard[::2] == heard[1::2]
    assert len(set(heard)) == 5


def test_a_late_login_is_a_login_all_the_same(server: PlainServer) -> None:
    async def evening() -> SimulatedNas:
        nas = _nas(server)
        nas.faults.add(Fault(FaultKind.LATE, on={Traffic.ACCESS}, delay_s=0.3))
        await nas.start()
        assert await nas.dial(_subscribers(3)) == DialResult(accepted=3)
        await nas.stop()
        return nas

    nas = asyncio.run(evening())

    assert nas.statistics.login_latency.percentile(0.01) >= 0.3
    assert nas.statistics.resends == 0


def test_on_a_lossy_network_everybody_gets_in_and_every_record_arrives_at_least_once(server: PlainServer) -> None:
    plan = RetryPlan(first_s=0.3, factor=1, longest_s=0.3, tries=3, rounds=200, jitter=0)

    async def night() -> None:
        nas = _nas(server, access_retry=plan, accounting_retry=plan, announce_boot=False)
        both = {Traffic.ACCESS, Traffic.ACCOUNTING}
        nas.faults.add(Fault(FaultKind.SILENCE, on=both, probability=0.2))
        nas.faults.add(Fault(FaultKind.REPLY_LOST, on=both, probability=0.1))
        nas.faults.add(Fault(FaultKind.REORDER, on=both, probability=0.1, delay_s=0.1))
        await nas.start()
        assert await nas.dial(_subscribers(300)) == DialResult(accepted=300)
        nas.send_interims()
        await nas.hang_up()
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()

    asyncio.run(night())

    told = {(record["Acct-Session-Id"][0], record["Acct-Status-Type"][0]) for record in server.records()}
    assert len(told) == 900
    assert len(server.records()) >= 900


def test_no_more_than_the_window_is_on_its_way_at_once() -> None:
    async def evening() -> int:
        with _deaf() as (deaf, port):
            nas = _nas_at(port, max_in_flight=50, access_retry=PATIENT, accounting_retry=PATIENT)
            await nas.start()
            for _ in range(120):
                nas.accounting.send_record(Status.ON, b"")
            assert nas.waiting == 120
            await nas.stop()
            return len(_heard(deaf))

    assert asyncio.run(evening()) == 50


@contextmanager
def _deaf() -> Iterator[tuple[socket.socket, int]]:
    """A server that answers nothing, and its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        deaf.bind(("127.0.0.1", 0))
        deaf.setblocking(False)
        yield deaf, deaf.getsockname()[1]


def _heard(deaf: socket.socket) -> list[bytes]:
    """What has come to it that was not read yet."""
    heard = []
    while True:
        try:
            heard.append(deaf.recv(4096))
        except BlockingIOError:
            return heard


def _nas_at(*ports: int, vendor: str = "mikrotik", **changed: object) -> SimulatedNas:
    """A device whose servers take everything on one port each; it says nothing of its boot."""
    return SimulatedNas(
        "127.66.0.1",
        b"secret",
        vendor=vendor,
        servers=[RadiusServer("127.0.0.1", port, port) for port in ports],
        options=DeviceOptions(**{"coa_port": 0, "announce_boot": False, **changed}),  # type: ignore[arg-type]  # by name
    )


def test_a_skewed_clock_shows_in_the_event_timestamp(server: PlainServer) -> None:
    async def evening() -> None:
        nas = SimulatedNas(
            "127.66.0.1",
            server.secret,
            vendor="mikrotik",
            servers=[RadiusServer("127.0.0.1", server.authentication_port, server.accounting_port)],
            options=DeviceOptions(coa_port=0, announce_boot=False, accounting_retry=PATIENT),
            clock=lambda: 1_700_000_000.0,
        )
        nas.clock_skew_s = -3600.0
        await nas.start()
        await nas.dial(_subscribers(1))
        assert await nas.drain(timeout_s=DRAIN_S)
        await nas.stop()

    asyncio.run(evening())

    # 1,700,000,000 is 22:13:20 UTC.
    assert server.records()[0]["Event-Timestamp"] == ["Nov 14 2023 21:13:20 UTC"]


def test_a_dead_first_server_costs_its_tries_once_and_then_the_second_is_asked_at_once() -> None:
    plan = RetryPlan(first_s=0.3, factor=1, longest_s=0.3, tries=3, jitter=0)

    async def evening() -> tuple[float, list[int], SimulatedNas]:
        loop = asyncio.get_running_loop()
        # The second server lives in the device's own loop: it is never slower than the device's patience.
        transport, _ = await loop.create_datagram_endpoint(lambda: Impostor(_welcome), local_addr=("127.0.0.1", 0))
        with _deaf() as (deaf, port):
            second = transport.get_extra_info("sockname")[1]
            nas = _nas_at(port, second, access_retry=plan, accounting_retry=plan)
            await nas.start()
            first, *others = _subscribers(20)
            began = loop.time()
            assert await nas.dial([first]) == DialResult(accepted=1)
            took_s = loop.time() - began
            assert await nas.drain(timeout_s=DRAIN_S)
            heard = [len(_heard(deaf))]
            assert await nas.dial(others) == DialResult(accepted=19)
            assert await nas.drain(timeout_s=DRAIN_S)
            heard.append(len(_heard(deaf)))
            await nas.stop()
            transport.close()
            return took_s, heard, nas

    took_s, heard, nas = asyncio.run(evening())

    # Three sends of 0.3 s, once for logins and once for accounting.
    assert took_s >= 0.9
    assert heard == [6, 0]
    assert nas.statistics.failovers == 2
    assert nas.statistics.records_answered == {"start": 20}


def test_with_the_wrong_secret_nobody_is_let_in(server: PlainServer) -> None:
    async def evening() -> DialResult:
        nas = SimulatedNas(
            "127.66.0.1",
            b"not the secret",
            vendor="mikrotik",
            servers=[RadiusServer("127.0.0.1", server.authentication_port, server.accounting_port)],
            options=DeviceOptions(coa_port=0, access_retry=QUICK, accounting_retry=QUICK),
        )
        await nas.start()
        result = await nas.dial(_subscribers(2))
        await nas.stop()
        return result

    # FreeRADIUS drops a request with a wrong Message-Authenticator.
    assert asyncio.run(evening()) == DialResult(unanswered=2)


class Impostor(asyncio.DatagramProtocol):
    """Answers every Access-Request as `answer` makes it; counts them."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self.asked = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # datagrams
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        self._transport.sendto(self._answer(data), addr)


def _accept(request: bytes, *, secret: bytes = b"secret", code: int = 2, signed: bool = True) -> bytes:
    """An answer to the request, made with hashlib and hmac alone."""
    attributes = bytes([80, 18]) + bytes(16) if signed else b""
    head = struct.pack("!BBH", code, request[1], 20 + len(attributes))
    if signed:
        attributes = bytes([80, 18]) + hmac.digest(secret, head + request[4:20] + attributes, "md5")
    return head + hashlib.md5(head + request[4:20] + attributes + secret).digest() + attributes


def _welcome(request: bytes) -> bytes:
    """Accept every login and every record."""
    return _accept(request) if request[0] == 1 else _accept(request, code=5, signed=False)


def _broken_signature(request: bytes) -> bytes:
    head = struct.pack("!BBH", 2, request[1], 38)
    attributes = bytes([80, 18]) + bytes(16)
    return head + hashlib.md5(head + request[4:20] + attributes + b"secret").digest() + attributes


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request: _accept(request, secret=b"guessed"), "wrong response authenticator"),
        (lambda request: _accept(request, signed=False), "no message authenticator"),
        (_broken_signature, "wrong message authenticator"),
        (lambda request: _accept(request, code=5), "unexpected code"),
        (lambda request: _accept(bytes([request[0], request[1] ^ 1]) + request[2:]), "unexpected identifier"),
        (lambda request: b"\x02" + request[1:2] + bytes(3), "malformed"),
    ],
)
def test_an_answer_that_is_not_the_servers_lets_nobody_in(answer: Callable[[bytes], bytes], reason: str) -> None:
    nas, result = asyncio.run(_dial_at_impostor(answer, Method.PAP))

    assert result == DialResult(unanswered=1)
    assert set(nas.statistics.bad_replies) == {reason}


@pytest.mark.parametrize(("method", "accepted"), [(Method.PAP, 1), (Method.CHAP, 1), (Method.MSCHAPV2, 0)])
def test_under_mschapv2_a_server_that_does_not_know_the_password_is_not_believed(method: Method, accepted: int) -> None:
    _, result = asyncio.run(_dial_at_impostor(_accept, method))

    assert result == DialResult(accepted=accepted, rejected=1 - accepted)


async def _dial_at_impostor(answer: Callable[[bytes], bytes], method: Method) -> tuple[SimulatedNas, DialResult]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Impostor(answer), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    nas = _nas_at(port, access_retry=QUICK, accounting_retry=QUICK)
    await nas.start()
    result = await nas.dial([Subscriber("anna", "pw", method=method)])
    await nas.stop()
    transport.close()
    return nas, result


def test_interims_are_sent_at_their_interval_to_the_second() -> None:
    async def afternoon() -> list[int]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Impostor(_welcome), local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        patient = {"access_retry": PATIENT, "accounting_retry": PATIENT}
        nas = _nas_at(port, interim_interval_s=600, interim_jitter=0.0, **patient)
        await nas.start()
        assert await nas.dial(_subscribers(1)) == DialResult(accepted=1)
        (session,) = nas.sessions.all()
        made = []
        for at in (599, 601, 1799, 1801):
            await asyncio.sleep(session.started + at - loop.time())
            made.append(nas.statistics.records_made["interim"])
        await nas.stop()
        transport.close()
        return made

    assert run_jumping(afternoon()) == [0, 1, 2, 3]


def test_stopping_while_nobody_answers_settles_the_dial_at_once() -> None:
    async def evening() -> DialResult:
        with _deaf() as (_, port):
            nas = _nas_at(port, max_in_flight=2, access_retry=PATIENT)
            await nas.start()
            dialling = asyncio.create_task(nas.dial([Subscriber(f"user{n}", "pw") for n in range(5)]))
            await _until(lambda: nas.waiting == 2)
            await nas.stop()
            return await asyncio.wait_for(dialling, timeout=60)

    assert asyncio.run(evening()) == DialResult(unanswered=5)


def test_dialling_at_a_rate_takes_its_time(server: PlainServer) -> None:
    async def evening() -> float:
        nas = _nas(server)
        await nas.start()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await nas.dial(_subscribers(40), rate_per_s=100)
        took_s = loop.time() - began
        await nas.stop()
        return took_s

    # The fortieth begins 39 hundredths after the first.
    assert asyncio.run(evening()) >= 0.38


def test_stopping_in_the_middle_settles_a_dial_and_leaves_nothing_open(server: PlainServer) -> None:
    async def evening() -> DialResult:
        nas = _nas(server)
        await nas.start()
        dialling = asyncio.create_task(nas.dial(_subscribers(SUBSCRIBERS), rate_per_s=1000))
        await _until(lambda: len(nas.sessions) > 20)
        await nas.stop()
        result = await dialling
        assert not nas.sessions.all()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    open_before = len(list(Path("/proc/self/fd").iterdir()))
    result = asyncio.run(evening())

    assert result.accepted + result.unanswered == SUBSCRIBERS
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_twenty_devices_live_in_one_loop_each_with_its_own_address(server: PlainServer) -> None:
    async def evening() -> list[DialResult]:
        devices = [_nas(server, address=f"127.66.1.{n}", name=f"tower-{n}") for n in range(1, 21)]
        for nas in devices:
            await nas.start()
        results = await asyncio.gather(*(nas.dial(_subscribers(20)) for nas in devices))
        for nas in devices:
            await _hang_up(nas)
        return list(results)

    assert asyncio.run(evening()) == [DialResult(accepted=20)] * 20
    sources = Counter(record["Packet-Src-IP-Address"][0] for record in server.records())
    assert sources == {f"127.66.1.{n}": 41 for n in range(1, 21)}
