"""What the RouterOS API transport asks, and what becomes of broken, late and strange answers, against the stand-in."""

from __future__ import annotations

import time

import pytest
from support.routeros_api_stand_in import StandInRouterOsApi
from support.routeros_stories import ADDRESS, certificate, on, tell
from support.simulated_sessions import live_session

from nas_drivers.device_session import DeviceSession
from nas_drivers.transport import routeros_connection
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import (
    ApiAccess,
    RouterOsLoginError,
    RouterOsRefusedError,
    RouterOsUnreachableError,
)

pytestmark = pytest.mark.radius


@pytest.fixture(params=["plain", "tls"])
def carried(request, tmp_path):
    """Over TCP as it is, and over TLS with the certificate that is trusted."""
    if request.param == "plain":
        return {}
    context, digest, _ = certificate(tmp_path)
    return {"tls": context, "certificate": digest}


def test_sessions_are_read_with_rates_and_address_lists(carried):
    async def story(stand_in, access):
        anna = stand_in.sessions.of("anna")[0]
        anna.address_lists = ("walled",)
        found = {one.acct_session_id: one for one in await on(access, lambda device: device.read_sessions())}

        assert set(found) == {"81a00001", "81a00002", "81a00003"}
        up_s = found["81a00001"].up_s
        assert found["81a00001"] == DeviceSession(
            "81a00001", "anna", "100.64.0.1", "020000000007", up_s, 1_000_000, 1_000_000, ("walled",)
        )
        assert abs(up_s - (time.time() - anna.started_at)) < 120
        assert (found["81a00002"].rate_down_bps, found["81a00002"].address_lists) == (None, ())

        one = await on(access, lambda device: device.read_session("anna", "81A00001"))
        assert one.rate_down_bps == 1_000_000
        assert await on(access, lambda device: device.read_session("anna", "81a00002")) is None

    tell(story, **carried)


def test_a_session_s_own_interface_tells_what_it_has_counted():
    async def story(stand_in, access):
        counted = {"name": "<pppoe-anna>", "rx-byte": "1500", "tx-byte": "350000"}
        stand_in.settings["/interface"] = [counted, {"name": "ether1", "rx-byte": "7", "tx-byte": "7"}]
        assert await on(access, lambda device: device.read_counters("anna")) == (1_500, 350_000)
        assert await on(access, lambda device: device.read_counters("bruno")) is None
        stand_in.settings["/interface"] = [counted | {"tx-byte": "many"}]
        assert await on(access, lambda device: device.read_counters("anna")) is None

    tell(story)


@pytest.mark.parametrize("has_empty", [True, False])
def test_a_device_without_sessions_says_so_before_and_since_release_7_18(has_empty):
    async def story(stand_in, access):
        stand_in.has_empty = has_empty
        for session in stand_in.sessions.all():
            stand_in.sessions.remove(session)
        assert await on(access, lambda device: device.read_sessions()) == ()
        assert await on(access, lambda device: device.end_session("anna", "81a00001")) is False

    tell(story)


def test_one_session_is_ended_and_no_other_of_the_same_user(carried):
    async def story(stand_in, access):
        assert await on(access, lambda device: device.end_session("bruno", "81a00003")) is True
        assert [one.session_id for one in stand_in.sessions.all()] == ["81a00001", "81a00002"]
        # The id of somebody else's session, and one that is gone.
        assert await on(access, lambda device: device.end_session("bruno", "81a00001")) is False
        assert await on(access, lambda device: device.end_session("bruno", "81a00003")) is False
        assert len(stand_in.sessions) == 2

    tell(story, **carried)


def test_names_that_would_be_commands_elsewhere_are_only_names_here():
    async def story(stand_in, access):
        name = 'x" ]; /system reboot; ?name=anna\n=.id=*7'
        assert await on(access, lambda device: device.end_session(name, "81a00001")) is False
        assert len(stand_in.sessions) == 3
        assert stand_in.commands == ["/ppp/active/print"]

    tell(story)


def test_a_refusal_has_the_words_of_the_device_and_leaves_the_connection_open(carried):
    async def story(stand_in, access):
        def visit(device: RouterOsDevice) -> None:
            stand_in.fault = "trap"
            with pytest.raises(RouterOsRefusedError, match="print: interrupted"):
                device.read_sessions()
            stand_in.fault = ""
            assert len(device.read_sessions()) == 3

        await on(access, visit)
        assert stand_in.logins == 1

    tell(story, **carried)


def test_a_refusal_without_a_word_is_one_all_the_same():
    async def story(stand_in, access):
        stand_in.fault = "wordless"
        with pytest.raises(RouterOsRefusedError, match="print: refused without a word"):
            await on(access, lambda device: device.read_sessions())

    tell(story)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut", "the connection was ended in the middle of an answer"),
        ("fatal", "it ended the connection: session terminated on request"),
        ("garbage", "Malformed length"),
        ("long", "an answer of 4294967295 octets"),
    ],
)
def test_a_broken_conversation_is_said_and_the_next_call_begins_a_new_one(carried, fault, said):
    async def story(stand_in, access):
        def visit(device: RouterOsDevice) -> None:
            stand_in.fault = fault
            with pytest.raises(RouterOsUnreachableError, match=said):
                device.read_sessions()
            stand_in.fault = ""
            assert len(device.read_sessions()) == 3

        await on(access, visit)
        assert stand_in.logins == 2

    tell(story, **carried)


@pytest.mark.parametrize("fault", ["accepts", "silence", "half", "drip"])
def test_a_device_that_is_silent_or_takes_too_long_for_a_word_is_given_up_in_time(carried, fault):
    async def story(stand_in, access):
        stand_in.fault = fault
        began = time.monotonic()
        with pytest.raises(RouterOsUnreachableError, match=r"no answer within (0\.5 s, the limit for a word|1 s)$"):
            await on(access, lambda device: device.read_sessions())
        assert time.monotonic() - began >= 0.5

    tell(story, timeout_s=1.0, **carried)


def test_a_silent_device_is_given_up_when_half_of_the_time_is_over():
    async def story(stand_in, access):
        stand_in.fault = "silence"
        with pytest.raises(RouterOsUnreachableError, match=r"no answer within 3 s, the limit for a word$"):
            await on(access, lambda device: device.read_sessions())

    # Long, so that a login on a busy machine has the other half.
    tell(story, timeout_s=6.0)


def test_a_device_that_never_comes_to_an_end_does_not_fill_the_memory_until_the_time_is_over(monkeypatch):
    monkeypatch.setattr(routeros_connection, "_MOST_WORDS", 5_000)

    async def story(stand_in, access):
        stand_in.fault = "rows"
        with pytest.raises(RouterOsUnreachableError, match=r"an answer of 5000 words or more: that is no list$"):
            await on(access, lambda device: device.read_sessions())
        stand_in.fault = ""
        assert len(await on(access, lambda device: device.read_sessions())) == 3

    tell(story, timeout_s=120.0)


def test_a_device_that_never_comes_to_an_end_is_given_up_when_the_time_is_over(carried):
    async def story(stand_in, access):
        stand_in.fault = "rows"
        with pytest.raises(RouterOsUnreachableError, match=r"no answer within (1 s, the limit for a word|2 s)$"):
            await on(access, lambda device: device.read_sessions())

    tell(story, timeout_s=2.0, **carried)


def test_a_wrong_password_is_no_broken_connection():
    async def story(stand_in, access):
        with pytest.raises(RouterOsLoginError, match="invalid user name or password"):
            await on(access, lambda device: device.read_sessions())
        assert stand_in.commands == []

    tell(story, password="wrong")


def test_nothing_listening_is_said_with_the_address():
    access = ApiAccess(7, ADDRESS, "corrente", "secret", port=1, tls=False)
    with pytest.raises(RouterOsUnreachableError, match=r"127\.0\.44\.1 port 1"):
        RouterOsDevice(access).read_sessions()
    assert "secret" not in repr(access)


def test_ten_thousand_sessions_are_read():
    async def story(stand_in, access):
        for number in range(10_000):
            second, third = divmod(number, 250)
            stand_in.sessions.add(
                live_session(f"82{number:06x}", f"user{number}", f"100.65.{second}.{third + 1}", port=1000 + number)
            )
        found = await on(access, lambda device: device.read_sessions())
        assert len(found) == 10_003
        assert sum(one.rate_down_bps == 1_000_000 for one in found) == 10_001

    tell(story, timeout_s=180.0)


def test_a_row_without_a_number_ends_nobody_and_breaks_nothing():
    class Nameless(StandInRouterOsApi):
        def _active(self, session):
            return {name: value for name, value in super()._active(session).items() if name != ".id"}

    async def story(stand_in, access):
        assert await on(access, lambda device: device.end_session("anna", "81a00001")) is False
        assert len(stand_in.sessions.of("anna")) == 1

    tell(story, stand_in=Nameless)
