"""FreeRADIUS as a device that takes its time: its acknowledgement comes after our retransmission, or after we gave the exchange up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from prometheus_client import REGISTRY
from support.freeradius_coa_server import CoaServer, freeradius_coa_server
from support.lone_enforcer import desk, enforcing
from support.radius_server import SEALER

from nas_drivers.policy import Attribute
from nas_drivers.transport.coa import Acked, ChangeRequest, ChangeSender, ChangeTarget, Unanswered
from nas_drivers.transport.patience import Patience
from radius_hooks.sealing import nas_row

pytestmark = pytest.mark.radius
LATE = "late, repeated or unknown identifier"
SLOW = (Attribute("User-Name", ":=", "slow"), Attribute("Acct-Session-Id", ":=", "81000001"))
# All within the time for which FreeRADIUS works at one request; the answer ends it.
STUBBORN = Patience(first_s=0.1, longest_s=0.1, sends=500, total_s=50, jitter=0)
BRIEF = Patience(first_s=0.2, longest_s=0.2, sends=2, total_s=0.4, jitter=0)
UNHURRIED = Patience(first_s=60, longest_s=60, sends=2, total_s=120, jitter=0)


def brief_at_first() -> Patience:
    """Soon tired of the first request; every later one is waited for, so that it is sent once."""
    patiences = itertools.chain([BRIEF], itertools.repeat(UNHURRIED))

    class Waning(Patience):
        def waits(self, chance: Callable[[], float]) -> Iterator[float]:
            return next(patiences).waits(chance)

    return Waning()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoaServer]:
    with freeradius_coa_server(tmp_path_factory.mktemp("coa")) as server:
        yield server


@pytest.fixture
def server(started: CoaServer) -> Iterator[CoaServer]:
    started.hold()
    yield started
    started.go_on()


def discarded_late() -> float:
    """How many answers this process has thrown away as late."""
    return REGISTRY.get_sample_value("corrente_change_answers_discarded_total", {"reason": LATE}) or 0.0


async def until(state, what: str) -> None:
    """Poll for it, with a deadline for a broken program."""
    for _ in range(6000):
        if state():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within 120 s: {what}")


def test_an_acknowledgement_that_comes_after_retransmissions_is_one_and_the_change_was_made_once(server):
    target = ChangeTarget(1, "127.0.0.1", server.port, server.secret)
    packets, before = [], len(server.heard())

    async def story():
        sender = ChangeSender(patience=STUBBORN)
        exchange = asyncio.ensure_future(sender.send(target, ChangeRequest(43, SLOW), on_packet=packets.append))
        await until(lambda: len(packets) >= 4, "sent four times")
        server.go_on()
        outcome = await exchange
        await sender.close()
        return outcome

    outcome = asyncio.run(story())

    assert isinstance(outcome, Acked)
    assert outcome.sends == len(packets) - 1 >= 4
    assert [one.direction for one in packets].count("received") == 1
    assert len({(one.identifier, one.attributes) for one in packets if one.direction == "sent"}) == 1
    assert len(server.heard()) == before + 1


def test_an_acknowledgement_that_comes_after_we_gave_up_changes_nothing_of_the_outcome_and_is_counted_once(server):
    target = ChangeTarget(1, "127.0.0.1", server.port, server.secret)
    packets = []

    async def story():
        sender = ChangeSender(patience=brief_at_first())
        outcome = await sender.send(target, ChangeRequest(43, SLOW), on_packet=packets.append)
        server.go_on()
        await until(lambda: sender.discarded, "the late answer")
        # Nobody else's answer is taken for it, and what is asked next is not answered by it.
        after = await sender.send(target, ChangeRequest(43, SLOW), on_packet=packets.append)
        discarded = dict(sender.discarded)
        await sender.close()
        return outcome, after, discarded

    outcome, after, discarded = asyncio.run(story())

    assert (outcome, after) == (Unanswered(2), Acked())
    assert discarded == {LATE: 1}
    assert [one.direction for one in packets] == ["sent", "sent", "sent", "received"]


def test_in_the_loop_a_change_that_was_acknowledged_too_late_is_in_doubt_and_told_once_more(database, server):
    heard = len(server.heard())
    counted = discarded_late()
    with desk(database, "127.66.32.1") as one:
        one.execute(
            "UPDATE nas SET source = '127.0.0.1/32', coa_port = %s, sealed_secret = %s",
            server.port,
            SEALER.seal(server.secret, row=nas_row(one.world.isp.nas)),
        )
        one.cut(1)
        one.execute("UPDATE enforcement SET username = 'slow'")
        with enforcing(database, sender=partial(ChangeSender, patience=brief_at_first())):
            one.wait_for("SELECT state = 'unanswered' FROM enforcement")
            server.go_on()
            one.wait_until(lambda: discarded_late() == counted + 1)
            # Late is no answer: what the device did is not known, so it is asked again when that is due.
            assert one.rows("state::text, unsure, answered_at") == [("unanswered", True, None)]
            one.execute("DELETE FROM nas_silence")
            one.execute("UPDATE enforcement SET next_at = now()")

            one.wait_for("SELECT state = 'acked' FROM enforcement")

        assert one.execute("SELECT direction, count(*) FROM enforcement_packet GROUP BY 1 ORDER BY 1") == [
            ("received", 1),
            ("sent", 3),
        ]
        assert discarded_late() == counted + 1
        # Two requests, the second one with an authenticator of its own: a device that ended the session says 503 to it.
        assert len(server.heard()) == heard + 2
