"""What devices say by their API of acknowledged changes, asked by the verifier's reader, over the stand-in's protocol."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from support.radius_server import SEALER
from support.routeros_api_stand_in import StandInRouterOsApi
from support.simulated_sessions import live_session, table_of

from control_plane.control_loop.session_reading import Question, Reading, SessionReader
from control_plane.store.targets import NasTarget
from nas_drivers.policy import BitRate, RatePair, SessionPolicy
from nas_drivers.simulated.traffic import Rates
from radius_hooks.sealing import nas_api_row

pytestmark = pytest.mark.radius
SLOW = SessionPolicy(rate=RatePair(BitRate(2_000_000), BitRate(1_000_000)))


def target(number: int, stand_in: StandInRouterOsApi) -> NasTarget:
    """A router whose API is a stand-in."""
    return NasTarget(
        id=number,
        name=f"tower{number}",
        vendor="mikrotik",
        address=None,
        own_address=None,
        identifier=None,
        port=3799,
        source_address=None,
        message_authenticator=True,
        event_timestamp=True,
        window=16,
        rate_per_s=100,
        sealed_secret=b"",
        sealed_coa_secret=None,
        verification="routeros_api",
        api_address=f"127.0.46.{number}",  # type: ignore[arg-type]
        api_port=stand_in.port,
        api_tls=False,
        api_certificate=None,
        api_login="auto",
        api_username="corrente",
        sealed_api_password=SEALER.seal(b"api password", row=nas_api_row(number)),
        ssh_address=None,
        ssh_port=22,
        ssh_username=None,
        sealed_ssh_password=None,
        ssh_host_key=None,
    )


async def answer(reader: SessionReader, nas: NasTarget, question: Question) -> Reading:
    """Ask as the verifier does, turn by turn."""
    until = time.monotonic() + 240
    while True:
        found = reader.ask(nas, question)
        reader.turn()
        if found is not None:
            return found
        assert time.monotonic() < until
        await asyncio.sleep(0.02)


def router() -> StandInRouterOsApi:
    """One with Anna's session, at the rate of its login."""
    sessions = table_of(live_session("81a00001", "anna"))
    return StandInRouterOsApi(sessions, sessions.remove)


def test_what_was_read_of_the_first_try_says_nothing_of_the_second():
    async def story():
        stand_in, reader = router(), SessionReader(SEALER)
        async with stand_in.listening("127.0.46.1"):
            nas = target(1, stand_in)
            first = Question(5, 1, "anna", "81a00001", SLOW)
            assert await answer(reader, nas, first) == Reading(False)
            # Asked, and not yet taken by this worker: another one has it tried again meanwhile, and now it holds.
            reader.ask(nas, first)
            stand_in.sessions.of("anna")[0].meter.change(Rates(2_000_000, 1_000_000), 0.0)
            assert await answer(reader, nas, replace(first, attempt=2)) == Reading(True)
        reader.close()

    asyncio.run(story())


def test_forty_changes_that_wait_for_a_dead_device_take_one_visit_and_delay_no_other_device():
    async def story():
        dead, alive, reader = router(), router(), SessionReader(SEALER)
        dead.fault = "silence"
        async with dead.listening("127.0.46.2"), alive.listening("127.0.46.3"):
            mute, speaks = target(2, dead), target(3, alive)
            vain = [Question(number, 1, "anna", "81a00001", SLOW) for number in range(40)]
            for question in vain:
                reader.ask(mute, question)
            reader.turn()
            found = asyncio.ensure_future(answer(reader, speaks, Question(99, 1, "anna", "81a00001", SLOW)))
            while not found.done():
                for question in vain:
                    reader.ask(mute, question)
                await asyncio.sleep(0.02)
            assert found.result() == Reading(False)
            said = [await answer(reader, mute, question) for question in vain[:1]]
            assert [one.holds for one in said] == [None]
            assert "no answer within" in said[0].problem
            # One visit, whose silence was the answer for all forty.
            assert dead.logins == 1
        reader.close()

    asyncio.run(story())
