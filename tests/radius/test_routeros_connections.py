"""The connections that a process keeps to its RouterOS devices, against the stand-in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from support.routeros_api_stand_in import StandInRouterOsApi
from support.routeros_stories import ADDRESS, certificate, on, tell, until
from support.simulated_sessions import live_session

from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import ApiLogin, RouterOsLoginError, RouterOsUnreachableError
from nas_drivers.transport.routeros_pool import RouterOsPool

pytestmark = pytest.mark.radius


@pytest.fixture
def pool():
    """The connections of a process of its own."""
    made = RouterOsPool()
    yield made
    made.close()


def listed(device: RouterOsDevice) -> int:
    return len(device.read_sessions())


def test_a_hundred_kicks_and_what_is_read_between_them_take_one_login(pool, tmp_path):
    context, digest, _ = certificate(tmp_path)

    async def story(stand_in, access):
        for number in range(100):
            stand_in.sessions.add(
                live_session(f"82{number:06x}", f"user{number}", f"100.65.0.{number}", port=1000 + number)
            )
        for number in range(100):
            name, session = f"user{number}", f"82{number:06x}"
            assert await on(access, lambda device, n=name, s=session: device.end_session(n, s), pool) is True
            if number % 10 == 0:
                # Who waits longer for an answer is no other user.
                assert await on(replace(access, timeout_s=120.0), listed, pool) == 3 + 99 - number
        assert (stand_in.logins, stand_in.most_connections) == (1, 1)
        assert len(stand_in.sessions) == 3

    tell(story, tls=context, certificate=digest)


def test_many_threads_share_two_connections_and_each_gets_its_own_answers(pool):
    async def story(stand_in, access):
        # One that waits for its turn has a time limit too; this is about whose answer it gets.
        def ask(number: int) -> bool:
            device = RouterOsDevice(access, pool)
            name, session = (("anna", "81a00001"), ("bruno", "81a00002"), ("bruno", "81a00003"))[number % 3]
            return all(device.read_session(name, session).acct_session_id == session for _ in range(10))

        assert all(await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(12))))
        assert stand_in.most_connections == 2
        assert stand_in.logins == 2

    tell(story, timeout_s=60.0)


def test_who_finds_all_connections_in_use_waits_no_longer_than_a_call_may_take(pool):
    async def story(stand_in, access):
        stand_in.fault = "silence"
        slow = replace(access, timeout_s=120.0)
        busy = [asyncio.create_task(on(slow, listed, pool)) for _ in range(2)]
        await until(lambda: len(stand_in.commands) == 2)
        with pytest.raises(RouterOsUnreachableError, match=r"all 2 connections to it have been in use for 0\.3 s"):
            await on(replace(access, timeout_s=0.3), listed, pool)
        assert stand_in.logins == 2
        # Both break, and their places are free again.
        stand_in.fault = ""
        stand_in.hang_up()
        for task in busy:
            with pytest.raises(RouterOsUnreachableError):
                await task
        assert await on(access, listed, pool) == 3

    tell(story)


def test_one_that_waits_goes_on_as_soon_as_a_connection_is_given_back():
    async def story(stand_in, access):
        narrow = RouterOsPool(per_router=1)
        release, holds = threading.Event(), threading.Event()

        def hold() -> None:
            with narrow.visit(access) as visit:
                visit.read("/ppp/active")
                holds.set()
                release.wait(120)

        holding = asyncio.create_task(asyncio.to_thread(hold))
        await asyncio.to_thread(holds.wait, 120)
        waiting = asyncio.create_task(on(access, listed, narrow))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        release.set()
        await holding
        assert await waiting == 3
        assert stand_in.logins == 1
        narrow.close()

    tell(story)


def test_a_rebooted_router_is_noticed_and_the_question_put_again_over_a_new_connection(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        stand_in.hang_up()
        await until(lambda: stand_in.connections == 0)
        assert await on(access, lambda device: device.end_session("anna", "81a00001"), pool) is True
        assert stand_in.logins == 2
        assert stand_in.commands[-2:] == ["/ppp/active/print", "/ppp/active/remove"]

    tell(story)


def test_a_connection_that_died_without_a_sign_is_replaced_within_the_time_of_the_call(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        stand_in.forget_silently()
        assert await on(access, listed, pool) == 3
        assert stand_in.logins == 2

    # Half of it is waited for the dead one.
    tell(story, timeout_s=6.0)


def test_a_new_connection_that_is_of_no_use_either_is_the_last(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        asked = len(stand_in.commands)
        stand_in.fault = "cut"
        with pytest.raises(RouterOsUnreachableError, match="in the middle of an answer"):
            await on(access, listed, pool)
        # Once over the kept connection, once over the new one.
        assert (len(stand_in.commands) - asked, stand_in.logins) == (2, 2)

    tell(story)


def test_what_breaks_on_a_new_connection_is_not_tried_again(pool):
    async def story(stand_in, access):
        stand_in.fault = "cut"
        with pytest.raises(RouterOsUnreachableError):
            await on(access, listed, pool)
        assert (stand_in.commands, stand_in.logins) == (["/ppp/active/print"], 1)

    tell(story)


def test_a_command_that_changes_something_is_never_given_twice(pool):
    class CutAfterRemoval(StandInRouterOsApi):
        def _answer(self, sentence):
            if sentence[0].endswith("/remove"):
                self.fault = "done and cut"
            return super()._answer(sentence)

    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        with pytest.raises(RouterOsUnreachableError, match="in the middle of an answer"):
            await on(access, lambda device: device.end_session("anna", "81a00001"), pool)
        assert stand_in.commands.count("/ppp/active/remove") == 1
        stand_in.fault = ""
        # It was done all the same, which the next try finds by looking again.
        assert await on(access, lambda device: device.end_session("anna", "81a00001"), pool) is False
        assert stand_in.commands.count("/ppp/active/remove") == 1

    tell(story, stand_in=CutAfterRemoval)


def test_a_change_as_the_first_command_over_a_kept_connection_is_not_given_twice_either(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        stand_in.forget_silently()

        def change() -> None:
            with pool.visit(replace(access, timeout_s=1.0)) as visit:
                visit.change("/ppp/active", "remove", {"id": "*7"})

        with pytest.raises(RouterOsUnreachableError, match="no answer within"):
            await asyncio.to_thread(change)
        assert (stand_in.logins, len(stand_in.sessions)) == (1, 3)

    tell(story)


def test_a_connection_on_which_something_came_unasked_is_not_used_again(pool):
    async def story(stand_in, access):
        stand_in.fault = "unasked"
        with pool.visit(access) as visit:
            await asyncio.to_thread(visit.read, "/ppp/active")
        stand_in.fault = ""
        asked = len(stand_in.commands)
        assert await on(access, listed, pool) == 3
        assert (stand_in.logins, len(stand_in.commands) - asked) == (2, 3)

    tell(story)


def test_a_change_is_not_given_over_a_connection_that_is_known_to_be_dead(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        stand_in.hang_up()
        await until(lambda: stand_in.connections == 0)

        def change() -> None:
            with pool.visit(access) as visit:
                visit.change("/ppp/active", "remove", {"id": "*8"})

        await asyncio.to_thread(change)
        assert (stand_in.logins, len(stand_in.sessions)) == (2, 2)

    tell(story)


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "another"},
        {"password": "another"},
        {"login": ApiLogin.CLEAR},
        {"nas_id": 8},
        # Which a plain port leaves without an answer.
        {"tls": True, "timeout_s": 0.6},
    ],
)
def test_no_two_sets_of_access_data_share_a_connection(pool, changed):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        # With the data that hold now, whatever becomes of it: nothing is asked over the connection of before.
        asked = len(stand_in.commands)
        stand_in.fault = "trap"
        with pytest.raises(Exception, match="RouterOS API of NAS"):
            await on(replace(access, **changed), listed, pool)
        let_in = {"login", "nas_id"} & set(changed)
        assert len(stand_in.commands) - asked == (1 if let_in else 0)
        assert stand_in.logins == 1 + ("tls" not in changed)
        # A new NAS leaves another's connection alone; changed data of one NAS end it.
        await until(lambda: stand_in.connections == {"nas_id": 2, "login": 1}.get(next(iter(changed)), 0))

    tell(story)


def test_a_connection_in_use_while_the_access_data_change_is_closed_when_it_is_given_back(pool):
    async def story(stand_in, access):
        with pool.visit(access) as visit:
            await asyncio.to_thread(visit.read, "/ppp/active")
            with pytest.raises(RouterOsLoginError):
                await on(replace(access, password="wrong"), listed, pool)
            await asyncio.to_thread(visit.read, "/ppp/active")
        await until(lambda: stand_in.connections == 0)
        assert await on(access, listed, pool) == 3

    tell(story)


def test_an_idle_connection_is_closed_after_its_time_and_another_is_made_when_it_is_wanted():
    async def story(stand_in, access):
        brief = RouterOsPool(idle_s=0.2)
        assert await on(access, listed, brief) == 3
        await until(lambda: stand_in.connections == 0)
        assert await on(access, listed, brief) == 3
        assert stand_in.logins == 2
        await until(lambda: stand_in.connections == 0)
        brief.close()

    tell(story)


def test_nothing_stays_open_when_the_connections_are_closed(pool):
    async def story(stand_in, access):
        assert await on(access, listed, pool) == 3
        assert stand_in.connections == 1
        with pool.visit(access) as visit:
            await asyncio.to_thread(visit.read, "/ppp/active")
            pool.close()
        await until(lambda: stand_in.connections == 0)

    tell(story)


PROCESS = """
import atexit, contextlib, os, stat, sys

def tell_open_sockets():
    count = 0
    for descriptor in range(100):
        with contextlib.suppress(OSError):
            count += stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    print(count)

# Run after what is registered later.
atexit.register(tell_open_sockets)
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import ApiAccess
access = ApiAccess(7, sys.argv[1], "corrente", "api password", port=int(sys.argv[2]), tls=False, timeout_s=60.0)
print(*(len(RouterOsDevice(access).read_sessions()) for _ in range(5)))
"""


def test_a_process_ends_with_its_connections_though_nobody_closed_them():
    async def story(stand_in, access):
        command = [sys.executable, "-W", "error", "-c", PROCESS, ADDRESS, str(stand_in.port)]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300.0,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "3 3 3 3 3\n0\n", "")
        await until(lambda: stand_in.connections == 0)
        assert stand_in.logins == 1

    tell(story)


def test_a_router_that_can_not_be_reached_takes_no_place_for_ever(pool):
    async def story(stand_in, access):
        away = replace(access, port=1)
        for _ in range(5):
            with pytest.raises(RouterOsUnreachableError, match="refused"):
                await on(away, listed, pool)
        assert await on(access, listed, pool) == 3

    # Who found no place free would be told so, a minute later, and not that the router refuses.
    tell(story)
