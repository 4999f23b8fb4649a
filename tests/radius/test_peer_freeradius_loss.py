"""FreeRADIUS hears our changes over a wire that loses a third of all packets each way: each change is made exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.freeradius_coa_server import CoaServer, freeradius_coa_server
from support.peer_network import Namespace, namespace, wait_for
from support.real_change import Asker

from nas_drivers.policy import Attribute
from nas_drivers.transport.coa import Acked, ChangeRequest, ChangeSender, ChangeTarget, Nacked, Outcome, Unanswered
from nas_drivers.transport.patience import Patience

pytestmark = [pytest.mark.radius, pytest.mark.lab]
# All sends of one request lie within the half minute for which FreeRADIUS knows a repeat. That forty of one are lost
# has a chance of 5 in 10 to the power of 11.
STUBBORN = Patience(first_s=0.1, longest_s=0.1, sends=240, total_s=24, jitter=0)
CHANGES = 60


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture(scope="module")
def server(place: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoaServer]:
    with ExitStack() as stack:
        # What a thread starts is in the namespace of that thread.
        yield place.call(lambda: stack.enter_context(freeradius_coa_server(tmp_path_factory.mktemp("coa"))))


def named(username: str, number: int) -> tuple[Attribute, Attribute]:
    return Attribute("User-Name", ":=", username), Attribute("Acct-Session-Id", ":=", f"{number:08x}")


def test_every_change_is_made_once_and_answered_though_packets_are_lost_both_ways(place, server):
    lost = "numgen random mod 100 < 33 counter drop"
    place.filter(f"udp dport {server.port} {lost}", f"udp sport {server.port} {lost}")
    target = ChangeTarget(1, "127.0.0.1", server.port, server.secret)

    async def ask_all() -> list[Outcome]:
        sender = ChangeSender(patience=STUBBORN)
        try:
            return await asyncio.gather(
                *(
                    sender.send(
                        target,
                        ChangeRequest(43, named("gone" if number % 3 == 0 else "anna", number)),
                        on_packet=lambda packet: None,
                    )
                    for number in range(CHANGES)
                )
            )
        finally:
            await sender.close()

    outcomes = place.call(lambda: asyncio.run(ask_all()))

    assert not [one for one in outcomes if isinstance(one, Unanswered)]
    for number, one in enumerate(outcomes):
        assert isinstance(one, Nacked if number % 3 == 0 else Acked), number
    assert place.dropped() > 0
    assert max(one.sends for one in outcomes) > 1
    heard = Counter(request["Acct-Session-Id"][0] for request in server.heard())
    assert heard == {f"{number:08x}": 1 for number in range(CHANGES)}


def test_where_answers_never_come_the_change_is_made_and_ours_says_that_it_does_not_know(place, server):
    place.filter(f"udp sport {server.port} counter drop")
    asker = Asker(place, ChangeTarget(1, "127.0.0.1", server.port, server.secret))
    short = Patience(first_s=0.2, longest_s=0.2, sends=3, total_s=0.6, jitter=0)

    assert asker.ask(43, *named("anna", 9999), patience=short) == Unanswered(3)

    wait_for(lambda: [one["Acct-Session-Id"] for one in server.heard()].count(["0000270f"]) == 1, "heard once")
    place.filter()
    assert asker.ask(43, *named("anna", 9999)) == Acked()
