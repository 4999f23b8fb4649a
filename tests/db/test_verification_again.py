"""A device that does not answer when an acknowledged change is to be proven is asked again; real rows, the API's protocol over TCP."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from support.accounting_world import settings_for
from support.drift_world import KEY, make_drift_world
from support.radius_server import SEALER
from support.routeros_api_stand_in import StandInRouterOsApi
from support.simulated_sessions import live_session, table_of

from control_plane import db
from control_plane.control_loop.verification import Verifier, read_again_s
from control_plane.policy.rendering import profile_revision
from control_plane.store.drift import load_profiles
from nas_drivers.simulated.traffic import Rates
from radius_hooks.sealing import nas_api_row

pytestmark = pytest.mark.db
ACKNOWLEDGED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHANGE = """
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, from_version, desired_version, profile_id, disruptive,
    state, method, attempt, tries, wanted_at, sent_at, answered_at, next_at)
SELECT session_key, nas_id, account_id, acct_session_id, username, 'throttle', 'quota', 'FFFF1111', %s, %s, true,
    'acked', 'coa', 1, 1, %s, %s, %s, %s FROM session WHERE session_key = %s
"""
STATE = "SELECT state::text, problem, next_at FROM enforcement"


class Watched:
    """A MikroTik that acknowledged that one session is slower now, its API, and the verifier, by the test's own clock."""

    def __init__(self, connection, database, directory):
        self.world = make_drift_world(connection)
        self.session = live_session("81a00001", "user0001")
        sessions = table_of(self.session)
        self.api = StandInRouterOsApi(sessions, sessions.remove)
        self._database, self._directory = database, directory

    @asynccontextmanager
    async def watching(self):
        """Its API is there."""
        isp, change = self.world.isp, self.world.change
        async with self.api.listening("127.0.46.9"):
            change(
                "UPDATE nas SET verification = 'routeros_api', api_address = '127.0.46.9', api_port = %s, api_tls = false, api_username = 'corrente', sealed_api_password = %s",
                self.api.port,
                SEALER.seal(b"api password", row=nas_api_row(isp.nas)),
            )
            change("UPDATE session SET acct_session_id = '81a00001' WHERE session_key = %s", KEY.format(1))
            columns = load_profiles(self.world.connection, [isp.throttle])[isp.throttle]
            version, at = profile_revision(columns) + b"1111", ACKNOWLEDGED
            change(CHANGE, version, isp.throttle, at, at, at, at, KEY.format(1))
            with db.connect(self._database, name="verifier", autocommit=True) as own:
                self._verifier = Verifier(own, settings_for(self._directory / "worker", self._database), SEALER)
                yield
                self._verifier.close()

    async def look(self, seconds, *, until=lambda state, due: True):
        """Look so long after the acknowledgement until this is so; state, problem and when it is due (seconds)."""
        end = time.monotonic() + 240
        while True:
            await asyncio.to_thread(self._verifier.turn, ACKNOWLEDGED + timedelta(seconds=seconds))
            ((state, problem, next_at),) = self.world.connection.execute(STATE).fetchall()
            self.world.connection.commit()
            due = None if next_at is None else (next_at - ACKNOWLEDGED).total_seconds()
            if until(state, due):
                return state, problem, due
            assert time.monotonic() < end, (state, problem, due)
            await asyncio.sleep(0.02)


@pytest.fixture
def device(connection, database, tmp_path):
    return Watched(connection, database, tmp_path)


@pytest.mark.parametrize(("took_on", "proven"), [(True, "verified"), (False, "nacked")])
def test_a_device_that_did_not_answer_once_is_asked_again_and_its_change_proven_or_tried_again(device, took_on, proven):
    async def story():
        device.api.fault = "cut"
        async with device.watching():
            state, problem, due = await device.look(0.5, until=lambda state, due: due != 0)
            assert (state, due) == ("acked", 1.5)
            assert problem.startswith("acknowledged; the device could not be read: ")
            device.api.fault = ""
            if took_on:
                device.session.meter.change(Rates(2_000_000, 1_000_000), 0.0)
            # A record of the session, which tells nothing of this device, brings no look before its time.
            device.world.change("UPDATE session SET received_at = %s", ACKNOWLEDGED + timedelta(seconds=1))
            asked = device.api.logins
            assert (await device.look(1.4))[0] == "acked"
            assert device.api.logins == asked
            assert (await device.look(1.5, until=lambda state, due: due != 1.5))[0] == proven

    asyncio.run(story())


def test_what_a_device_that_is_silent_for_ten_minutes_acknowledged_is_taken_on_trust(device):
    async def story():
        device.api.fault = "cut"
        async with device.watching():
            assert (await device.look(599, until=lambda state, due: due != 0))[::2] == ("acked", 659)
            state, problem, _ = await device.look(659, until=lambda state, due: due != 659)
            assert state == "unverifiable"
            assert problem.startswith("acknowledged; the device could not be read: ")

    asyncio.run(story())


def test_a_device_that_refuses_the_question_is_not_asked_again(device):
    async def story():
        device.api.fault = "trap"
        async with device.watching():
            assert (await device.look(0.5, until=lambda state, due: due != 0))[0] == "unverifiable"

    asyncio.run(story())


def test_the_pauses_double_up_to_a_minute_and_end_after_ten_minutes():
    assert [read_again_s(seconds) for seconds in (0.1, 3, 45, 200, 599, 600)] == [1, 3, 45, 60, 60, None]
