"""The CoA sender against simulated devices that lose, forge, repeat and delay answers, all on the wire."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import md5

import pytest
from support.change_devices import COA, DISCONNECT, NAMED, SECRET, Device, device, listening, until
from support.jumping_loop import run_jumping

from nas_drivers.policy import Attribute
from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.transport.coa import (
    Acked,
    ChangeRequest,
    ChangeSender,
    ChangeTarget,
    Nacked,
    Outcome,
    PacketTrace,
    Unanswered,
)
from nas_drivers.transport.packets import UnsendableError
from nas_drivers.transport.patience import Patience

pytestmark = pytest.mark.radius
BOTH = frozenset({Traffic.COA, Traffic.DISCONNECT})
# Nothing is sent twice on any machine: for what is answered.
UNHURRIED = Patience(first_s=60, longest_s=60, total_s=240)
# A tenth of RFC 5080's times, so that a test ends: for what is not.
QUICK = Patience(first_s=0.1, longest_s=0.8, sends=5, total_s=1.0)
Story = Callable[[ChangeSender], Awaitable[None]]


def tell(story: Story, *, patience: Patience = UNHURRIED, **sender: object) -> None:
    """Run a story with a sender of its own; nothing of it is left open."""
    asyncio.run(told(story, patience, **sender))


async def told(story: Story, patience: Patience, **sender: object) -> None:
    made = ChangeSender(patience=patience, **sender)  # type: ignore[arg-type]
    try:
        await story(made)
    finally:
        await made.close()


async def ask(
    sender: ChangeSender,
    asked: Device | ChangeTarget,
    request: ChangeRequest = COA,
    *,
    first: bool = False,
    **changed: object,
) -> tuple[Outcome, list[PacketTrace]]:
    """One request and its packets."""
    packets: list[PacketTrace] = []
    target = asked.target(**changed) if isinstance(asked, Device) else asked
    outcome = await sender.send(target, request, on_packet=packets.append, first=first)
    return outcome, packets


def shape(packets: list[PacketTrace]) -> list[tuple[str, int]]:
    return [(packet.direction, packet.code) for packet in packets]


class RawDevice:
    """A bare socket in the place of a device: it keeps what comes and answers by hand."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[tuple[float, bytes, tuple[str, int]]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self.respond: Callable[[bytes], bytes | None] = lambda raw: None
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def target(self, **changed: object) -> ChangeTarget:
        settings: dict[str, object] = {"rate_per_s": 10_000, **changed}
        return ChangeTarget(2, self.address, self.port, SECRET, **settings)  # type: ignore[arg-type]

    def say(self, raw: bytes, to: tuple[str, int]) -> None:
        self._socket.sendto(raw, to)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                raw, source = self._socket.recvfrom(5000)
            except BlockingIOError:
                return
            self.heard.append((asyncio.get_running_loop().time(), raw, source))
            answer = self.respond(raw)
            if answer is not None:
                self._socket.sendto(answer, source)


def ack(raw: bytes, code: int | None = None) -> bytes:
    """An acknowledgement made with the secret, without our codec: RFC 2865 section 3."""
    head = bytes([code or raw[0] + 1, raw[1]]) + (20).to_bytes(2, "big")
    return head + md5(head + raw[4:20] + SECRET).digest()


def test_an_acknowledgement_and_a_refusal_come_back_with_their_packets():
    async def story(sender):
        tower = device("127.0.40.1")
        with listening(tower):
            outcome, packets = await ask(sender, tower)
            assert (outcome, shape(packets)) == (Acked(), [("sent", 43), ("received", 44)])
            assert packets[0].peer == f"127.0.40.1:{tower.listener.port}"
            assert "Acct-Session-Id = 81000001\nFilter-Id = slow" in packets[0].attributes
            assert "Message-Authenticator = ***" in packets[0].attributes

            unknown = (NAMED[0], Attribute("Acct-Session-Id", ":=", "gone"))
            outcome, packets = await ask(sender, tower, ChangeRequest(40, unknown))
            assert (outcome, packets[-1].error_cause) == (Nacked(503), 503)

            tower.faults.add(Fault(FaultKind.NAK, on=BOTH, error_cause=None, times=1))
            assert (await ask(sender, tower))[0] == Nacked(None)

            assert (await ask(sender, tower, DISCONNECT))[0] == Acked()
        assert tower.statistics.changes_answered == {
            "coa ack": 1,
            "disconnect nak 503": 1,
            "coa nak": 1,
            "disconnect ack": 1,
        }

    tell(story)


def test_every_retransmission_is_the_same_octets_from_the_same_port_at_the_times_of_rfc_5080():
    async def story(sender):
        silent = RawDevice("127.0.40.2")
        outcome, packets = await ask(sender, silent.target())
        silent.close()

        assert outcome == Unanswered(5)
        assert len({(raw, source) for _, raw, source in silent.heard}) == 1
        at = [moment for moment, _, _ in silent.heard]
        gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
        assert gaps == pytest.approx([2, 4, 8, 16], abs=0.001)
        assert len(packets) == 5

    # Jitter 0, and as long as the last wait may be, to know the times.
    run_jumping(told(story, Patience(total_s=46, jitter=0)))


def test_a_lost_answer_is_made_up_for_by_the_next_send():
    async def story(sender):
        tower = device("127.0.40.1")
        tower.faults.add(Fault(FaultKind.REPLY_LOST, on=BOTH, times=1))
        with listening(tower):
            outcome, packets = await ask(sender, tower)
        assert isinstance(outcome, Acked)
        assert outcome.sends == len(packets) - 1 >= 2
        # This one repeats its answer and does the thing once.
        assert len(tower.done) == 1

        router = device("127.0.40.1", "mikrotik")
        router.faults.add(Fault(FaultKind.REPLY_LOST, on=BOTH, times=1))
        with listening(router):
            router.sessions.remove(router.sessions.of("anna")[0])
            outcome, packets = await ask(sender, router, DISCONNECT)
        # A device that looks again finds nothing: the sender says that an answer may have been lost.
        assert isinstance(outcome, Nacked)
        assert outcome.error_cause == 503
        assert outcome.sends == len(packets) - 1 >= 2

    tell(story, patience=Patience(first_s=0.2, longest_s=60, sends=8, total_s=120))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.WRONG_AUTHENTICATOR, "wrong authenticator"),
        (FaultKind.WRONG_CODE, "wrong code"),
        (FaultKind.WRONG_SOURCE, "strange address"),
    ],
)
def test_a_forged_answer_is_thrown_away_and_the_true_one_behind_it_counts(kind, reason):
    async def story(sender):
        # One that looks at a repeated request anew, so that each answer is forged.
        tower = device("127.0.40.1", "mikrotik")
        with listening(tower):
            tower.faults.add(Fault(kind, on=BOTH, times=1, then_genuine=True))
            outcome, packets = await ask(sender, tower)
            assert outcome == Acked()
            assert shape(packets) == [("sent", 43), ("received", 44)]
            assert sender.discarded == {reason: 1}

    async def sequel(sender):
        tower = device("127.0.40.1", "mikrotik")
        tower.faults.add(Fault(kind, on=BOTH))
        with listening(tower):
            outcome, packets = await ask(sender, tower)
        assert isinstance(outcome, Unanswered)
        assert {direction for direction, _ in shape(packets)} == {"sent"}

    tell(story)
    tell(sequel, patience=QUICK)


def test_answers_that_fit_in_all_but_one_thing_are_thrown_away():
    async def story(sender):
        raw_device, other = RawDevice("127.0.40.2"), RawDevice("127.0.40.2")
        waiting = asyncio.ensure_future(ask(sender, raw_device.target()))
        await until(lambda: raw_device.heard)
        _, raw, source = raw_device.heard[0]
        good = ack(raw)
        signed = bytes([44, raw[1]]) + (38).to_bytes(2, "big")
        bad_signature = bytes([80, 18]) + bytes(16)
        bad_signed = signed + md5(signed + raw[4:20] + bad_signature + SECRET).digest() + bad_signature

        other.say(good, source)  # the right address, another port
        raw_device.say(bytes([good[0], good[1] ^ 1]) + good[2:], source)  # another identifier
        raw_device.say(good[:4] + bytes(16), source)  # no authenticator
        raw_device.say(ack(raw, 41), source)  # the code of a Disconnect-ACK
        raw_device.say(ack(raw, 45)[:19], source)  # cut off
        raw_device.say(bad_signed, source)  # a Message-Authenticator that is not right
        raw_device.say(b"", source)
        await until(lambda: sender.discarded.total() == 7)

        assert not waiting.done()
        raw_device.say(good, source)
        assert (await waiting)[0] == Acked()
        raw_device.say(good, source)
        await until(lambda: sender.discarded["late, repeated or unknown identifier"] == 3)
        raw_device.close()
        other.close()

    tell(story)


def test_an_answer_after_the_end_changes_nothing():
    async def story(sender):
        tower = device("127.0.40.1")
        tower.faults.add(Fault(FaultKind.LATE, on=BOTH, delay_s=0.6, times=1))
        with listening(tower):
            outcome, packets = await ask(sender, tower)
            assert outcome == Unanswered(1)
            await until(lambda: sender.discarded["late, repeated or unknown identifier"] == 1)
            assert len(packets) == 1
            # The next is answered, if this machine is not too busy for three tenths of a second, time after time.
            outcomes = [(await ask(sender, tower))[0]]
            while outcomes[-1] != Acked() and len(outcomes) < 100:
                outcomes.append((await ask(sender, tower))[0])
            assert outcomes[-1] == Acked()

    tell(story, patience=Patience(first_s=0.3, sends=1, total_s=0.3))


def test_a_signed_answer_is_taken_and_an_unsigned_one_too():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")

        def signed(raw: bytes) -> bytes:
            head = bytes([44, raw[1]]) + (38).to_bytes(2, "big")
            blank = bytes([80, 18]) + bytes(16)
            body = blank[:2] + hmac.digest(SECRET, head + raw[4:20] + blank, "md5")
            return head + md5(head + raw[4:20] + body + SECRET).digest() + body

        for respond in (signed, ack):
            raw_device.respond = respond
            assert (await ask(sender, raw_device.target()))[0] == Acked()
        raw_device.close()

    tell(story)


def test_signature_and_time_stamp_are_there_unless_the_nas_is_set_otherwise():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        raw_device.respond = ack
        for settings in ({}, {"message_authenticator": False}, {"event_timestamp": False}):
            await ask(sender, raw_device.target(**settings))
        both, unsigned, undated = (codec.decode(raw) for _, raw, _ in raw_device.heard)
        raw_device.close()

        assert both.attributes[0][0] == wire.MESSAGE_AUTHENTICATOR
        assert codec.signature_of(both, bytes(16), SECRET) is codec.Signature.VALID
        assert int.from_bytes(both.first(wire.EVENT_TIMESTAMP) or b"", "big") == 1_700_000_000
        assert unsigned.first(wire.MESSAGE_AUTHENTICATOR) is None
        assert unsigned.first(wire.EVENT_TIMESTAMP) is not None
        assert undated.first(wire.EVENT_TIMESTAMP) is None
        assert all(codec.request_is_genuine(packet, SECRET) for packet in (both, unsigned, undated))

    tell(story, epoch_s=lambda: 1_700_000_000.9)


@pytest.mark.parametrize("left_out", ["message_authenticator", "event_timestamp"])
def test_a_strict_device_answers_what_we_send_and_nothing_less(left_out):
    async def story(sender):
        tower = device("127.0.40.1", strict=True)
        with listening(tower):
            assert (await ask(sender, tower))[0] == Acked()

    async def sequel(sender):
        tower = device("127.0.40.1", strict=True)
        with listening(tower):
            assert isinstance((await ask(sender, tower, **{left_out: False}))[0], Unanswered)
            await until(lambda: tower.statistics.changes_dropped.total() == 1)

    tell(story)
    tell(sequel, patience=Patience(first_s=0.1, sends=1, total_s=0.1))


def test_a_closed_port_is_known_at_once():
    async def story(sender):
        nobody = RawDevice("127.0.40.2")
        nobody.close()

        outcome, packets = await ask(sender, nobody.target())

        assert outcome == Unanswered(1, refused=True, problem=f"nothing listens on 127.0.40.2 port {nobody.port}")
        assert len(packets) == 1

    # Were it waited for, this would take an hour.
    tell(story, patience=Patience(first_s=3600, longest_s=3600, total_s=3600))


def test_a_closed_port_beside_a_busy_one_costs_the_busy_one_nothing():
    async def story(sender):
        nobody, tower = RawDevice("127.0.40.2"), device("127.0.40.1")
        nobody.close()
        with listening(tower):
            outcomes = await asyncio.gather(
                *(ask(sender, tower if number % 2 else nobody.target()) for number in range(400))
            )
        counts = Counter(type(outcome).__name__ for outcome, _ in outcomes)
        assert counts == {"Acked": 200, "Unanswered": 200}
        assert all(len(packets) == 2 for outcome, packets in outcomes if isinstance(outcome, Acked))

    tell(story)


def test_a_network_that_is_not_there_is_said():
    async def story(sender):
        # A multicast group without a route can't be sent to from a loopback address.
        outcome, packets = await ask(sender, ChangeTarget(1, "198.51.100.1", 3799, SECRET, "127.0.0.1"))
        assert isinstance(outcome, Unanswered)
        assert outcome.sends == 0
        assert "can't be sent" in outcome.problem
        assert packets == []

        outcome, _ = await ask(sender, ChangeTarget(1, "127.0.40.1", 3799, SECRET, "198.51.100.9"))
        assert isinstance(outcome, Unanswered)
        assert outcome.problem.startswith("no port of 198.51.100.9 can be opened")

    tell(story)


def test_it_leaves_from_the_address_that_the_device_knows():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        raw_device.respond = ack
        await ask(sender, raw_device.target(source_address="127.0.41.7"))
        await ask(sender, raw_device.target())
        raw_device.close()

        assert [source[0] for _, _, source in raw_device.heard] == ["127.0.41.7", "127.0.0.1"]

    tell(story)


def test_an_ipv6_device_is_asked_over_ipv6():
    async def story(sender):
        opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind(("::1", 0))
        loop = asyncio.get_running_loop()

        def answer() -> None:
            raw, source = opened.recvfrom(5000)
            opened.sendto(ack(raw), source)

        loop.add_reader(opened, answer)
        target = ChangeTarget(1, "0:0::1", opened.getsockname()[1], SECRET)
        outcome, packets = await ask(sender, target)
        assert (outcome, packets[0].peer) == (Acked(), f"[::1]:{target.port}")

        loop.remove_reader(opened)
        opened.close()
        outcome, _ = await ask(sender, target)
        assert isinstance(outcome, Unanswered)
        assert outcome.refused

    tell(story)


def test_no_identifier_is_used_again_from_a_port_and_there_are_ports_enough():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        raw_device.respond = ack
        outcomes = await asyncio.gather(*(ask(sender, raw_device.target(window=64)) for _ in range(700)))
        raw_device.close()

        assert all(isinstance(outcome, Acked) for outcome, _ in outcomes)
        used = Counter((source, raw[1]) for _, raw, source in raw_device.heard)
        assert max(used.values()) == 1
        assert len({source for _, _, source in raw_device.heard}) == 3

    tell(story)


def test_one_port_serves_many_devices():
    async def story(sender):
        towers = [device(f"127.0.42.{number}") for number in range(1, 101)]
        with listening(*towers):
            outcomes = await asyncio.gather(*(ask(sender, tower) for tower in towers for _ in range(3)))
        assert {outcome for outcome, _ in outcomes} == {Acked()}
        assert sum(len(ports) for ports in sender._ports.values()) == 1

    tell(story)


def test_a_window_is_never_exceeded():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        asked = [asyncio.ensure_future(ask(sender, raw_device.target(window=4))) for _ in range(20)]
        for answered in range(20):
            on_way = min(answered + 4, 20)
            await until(lambda on_way=on_way: len(raw_device.heard) == on_way)
            # Time for a fifth to come where one would.
            await asyncio.sleep(0.02)
            assert len(raw_device.heard) == on_way
            _, raw, source = raw_device.heard[answered]
            raw_device.say(ack(raw), source)
            await until(lambda done=answered + 1: sum(one.done() for one in asked) == done)
        raw_device.close()

    tell(story)


def test_what_goes_first_leaves_before_all_that_waits_in_the_order_it_came_in():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        one_by_one = raw_device.target(window=1)
        asked = [asyncio.ensure_future(ask(sender, one_by_one)) for _ in range(3)]
        await until(lambda: len(raw_device.heard) == 1)
        asked += [asyncio.ensure_future(ask(sender, one_by_one, DISCONNECT, first=True)) for _ in range(2)]
        await asyncio.sleep(0)
        raw_device.respond = ack
        raw_device.say(ack(raw_device.heard[0][1]), raw_device.heard[0][2])
        outcomes = await asyncio.gather(*asked)
        raw_device.close()

        assert [raw[0] for _, raw, _ in raw_device.heard] == [43, 40, 40, 43, 43]
        assert {outcome for outcome, _ in outcomes} == {Acked()}

    tell(story)


def test_a_rate_is_never_exceeded_and_used_to_the_full():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        raw_device.respond = ack
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(ask(sender, raw_device.target(rate_per_s=50, window=256)) for _ in range(60)))
        raw_device.close()

        # The n-th begins at (n - 1) / 50 s, with at most 10 ms of grace.
        early = [number / 50 - (moment - began) for number, (moment, _, _) in enumerate(raw_device.heard)]
        assert len(early) == 60
        assert all(-0.001 < one < 0.011 for one in early)

    run_jumping(told(story, UNHURRIED))


@pytest.mark.slow
def test_ten_thousand_requests_with_one_dead_device_among_fifty():
    async def story(sender):
        towers = [device(f"127.0.43.{number}") for number in range(1, 50)]
        dead = RawDevice("127.0.43.50")
        counts: Counter[str] = Counter()

        async def one(target: Device | ChangeTarget) -> None:
            outcome, _ = await ask(sender, target)
            counts[type(outcome).__name__] += 1

        with listening(*towers):
            vain = [asyncio.ensure_future(one(dead.target())) for _ in range(200)]
            await asyncio.gather(*(one(towers[number % 49]) for number in range(9_800)))

        # All of the living are done while the dead one is waited for, which here goes on for ever.
        assert counts == {"Acked": 9_800}
        assert len({raw for _, raw, _ in dead.heard}) == 16
        await sender.close()
        await asyncio.gather(*vain)
        assert counts == {"Acked": 9_800, "Unanswered": 200}
        dead.close()

    tell(story, patience=Patience(sends=1_000_000, total_s=1_000_000))


def test_what_waits_for_a_device_that_answers_nobody_comes_back_unsent():
    async def story(sender):
        dead = RawDevice("127.0.40.2")
        outcomes = await asyncio.gather(*(ask(sender, dead.target(window=1)) for _ in range(3)))
        assert [outcome for outcome, _ in outcomes] == [
            Unanswered(2),
            *[Unanswered(0, problem="the NAS answers no request")] * 2,
        ]
        assert [packets for _, packets in outcomes[1:]] == [[], []]
        dead.close()

    tell(story, patience=Patience(first_s=0.1, longest_s=0.1, sends=2, total_s=0.2, jitter=0))


def test_what_waits_for_a_device_that_answers_others_is_sent():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        lost = asyncio.ensure_future(ask(sender, raw_device.target(window=2)))
        await until(lambda: raw_device.heard)
        ignored = raw_device.heard[0][1]
        raw_device.respond = lambda raw: None if raw == ignored else ack(raw)
        outcomes = await asyncio.gather(*(ask(sender, raw_device.target(window=2, rate_per_s=20)) for _ in range(8)))
        assert {type(outcome) for outcome, _ in outcomes} == {Acked}
        assert isinstance((await lost)[0], Unanswered)
        raw_device.close()

    run_jumping(told(story, Patience(first_s=0.1, longest_s=0.1, sends=2, total_s=0.2, jitter=0)))


def test_a_request_that_is_given_up_leaves_its_place_to_the_next():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        first = asyncio.ensure_future(ask(sender, raw_device.target(window=1)))
        second = asyncio.ensure_future(ask(sender, raw_device.target(window=1)))
        third = asyncio.ensure_future(ask(sender, raw_device.target(window=1)))
        await until(lambda: len(raw_device.heard) == 1)
        second.cancel()
        first.cancel()
        await until(lambda: len(raw_device.heard) == 2)
        raw_device.say(ack(raw_device.heard[1][1]), raw_device.heard[1][2])
        assert (await third)[0] == Acked()
        raw_device.close()
        assert first.cancelled()
        assert second.cancelled()

    tell(story)


def test_what_can_t_be_written_is_said_and_never_leaves():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        for attribute, complaint in (
            (Attribute("No-Such-Thing", ":=", "1"), "No-Such-Thing is not in"),
            (Attribute("Framed-IP-Address", ":=", "999.1.1.1"), "999.1.1.1"),
            (Attribute("Filter-Id", ":=", "x" * 254), "253 octets at most"),
        ):
            with pytest.raises(UnsendableError, match=complaint):
                await ask(sender, raw_device.target(), ChangeRequest(43, (*NAMED, attribute)))
        many = tuple(Attribute("Filter-Id", "+=", "x" * 250) for _ in range(20))
        with pytest.raises(UnsendableError, match="4096"):
            await ask(sender, raw_device.target(), ChangeRequest(43, many))
        raw_device.respond = ack
        assert (await ask(sender, raw_device.target()))[0] == Acked()
        assert len(raw_device.heard) == 1
        raw_device.close()

    tell(story)


def test_closing_ends_all_that_waits():
    async def story(sender):
        raw_device = RawDevice("127.0.40.2")
        asked = [asyncio.ensure_future(ask(sender, raw_device.target(window=1))) for _ in range(3)]
        await until(lambda: raw_device.heard)
        await sender.close()
        outcomes = [outcome for outcome, _ in await asyncio.gather(*asked)]
        raw_device.close()
        assert [outcome.sends for outcome in outcomes] == [1, 0, 0]

    tell(story)


def test_what_may_not_leave_any_more_is_given_up_and_not_repeated():
    async def story(sender):
        silent = RawDevice("127.0.80.90")
        packets = []
        # Not any more once the device has heard it.
        asked = sender.send(silent.target(), COA, on_packet=packets.append, may_leave=lambda: not silent.heard)
        assert await asked == Unanswered(1, withheld=True, problem="it is not to leave any more")
        assert shape(packets) == [("sent", 43)]
        assert len(silent.heard) == 1
        # The next one does not leave at all.
        assert (await sender.send(silent.target(), COA, on_packet=packets.append, may_leave=lambda: False)).sends == 0
        silent.close()

    tell(story, patience=QUICK)
