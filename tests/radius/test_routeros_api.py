"""The RouterOS API transport against the stand-in, and the stand-in against a client that shares nothing with ours."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import librouteros
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from librouteros.exceptions import TrapError
from support.routeros_api_stand_in import StandInRouterOsApi
from support.simulated_sessions import live_session, table_of

from nas_drivers.device_session import DeviceSession
from nas_drivers.transport.routeros import (
    ApiAccess,
    RouterOsCertificateError,
    RouterOsDevice,
    RouterOsLoginError,
    RouterOsRefusedError,
    RouterOsUnreachableError,
)

pytestmark = pytest.mark.radius
ADDRESS = "127.0.44.1"
Story = Callable[[StandInRouterOsApi, ApiAccess], Awaitable[None]]


def tell(story: Story, *, tls: ssl.SSLContext | None = None, **access: Any) -> None:
    """Run a story with a device on which Anna has one session and Bruno two."""

    async def run() -> None:
        sessions = table_of(
            live_session("81a00001", "anna"),
            live_session("81a00002", "bruno", address="100.64.0.2", port=8),
            live_session("81a00003", "bruno", address="100.64.0.3", port=9),
        )
        stand_in = StandInRouterOsApi(sessions, sessions.remove)
        async with stand_in.listening(ADDRESS, tls):
            settings = {"tls": tls is not None, "timeout_s": 10.0, "password": "api password", **access}
            await story(stand_in, ApiAccess(7, ADDRESS, "corrente", port=stand_in.port, **settings))

    asyncio.run(run())


async def on(access: ApiAccess, do: Callable[[RouterOsDevice], Any]) -> Any:
    """One visit in a thread, as the control plane makes it."""

    def visit() -> Any:
        with RouterOsDevice(access) as device:
            return do(device)

    return await asyncio.to_thread(visit)


def test_sessions_are_read_with_rates_and_address_lists():
    async def story(stand_in, access):
        anna = stand_in.sessions.of("anna")[0]
        anna.address_lists = ("walled",)
        found = {one.acct_session_id: one for one in await on(access, lambda device: device.read_sessions())}

        assert set(found) == {"81a00001", "81a00002", "81a00003"}
        up_s = found["81a00001"].up_s
        assert found["81a00001"] == DeviceSession(
            "81a00001", "anna", "100.64.0.1", "020000000007", up_s, 1_000_000, 1_000_000, ("walled",)
        )
        assert abs(up_s - (time.time() - anna.started_at)) < 5
        assert (found["81a00002"].rate_down_bps, found["81a00002"].address_lists) == (None, ())

        one = await on(access, lambda device: device.read_session("anna", "81A00001"))
        assert one.rate_down_bps == 1_000_000
        assert await on(access, lambda device: device.read_session("anna", "81a00002")) is None

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


def test_one_session_is_ended_and_no_other_of_the_same_user():
    async def story(stand_in, access):
        assert await on(access, lambda device: device.end_session("bruno", "81a00003")) is True
        assert [one.session_id for one in stand_in.sessions.all()] == ["81a00001", "81a00002"]
        # The id of somebody else's session, and one that is gone.
        assert await on(access, lambda device: device.end_session("bruno", "81a00001")) is False
        assert await on(access, lambda device: device.end_session("bruno", "81a00003")) is False
        assert len(stand_in.sessions) == 2

    tell(story)


def test_names_that_would_be_commands_elsewhere_are_only_names_here():
    async def story(stand_in, access):
        name = 'x" ]; /system reboot; ?name=anna\n=.id=*7'
        assert await on(access, lambda device: device.end_session(name, "81a00001")) is False
        assert len(stand_in.sessions) == 3
        assert stand_in.commands == ["/ppp/active/print"]

    tell(story)


def test_a_refusal_has_the_words_of_the_device_and_leaves_the_connection_open():
    async def story(stand_in, access):
        def visit(device: RouterOsDevice) -> None:
            stand_in.fault = "trap"
            with pytest.raises(RouterOsRefusedError, match="print: interrupted"):
                device.read_sessions()
            stand_in.fault = ""
            assert len(device.read_sessions()) == 3

        await on(access, visit)
        assert stand_in.logins == 1

    tell(story)


@pytest.mark.parametrize("fault", ["cut", "fatal", "garbage"])
def test_a_broken_conversation_is_said_and_the_next_call_begins_a_new_one(fault):
    async def story(stand_in, access):
        def visit(device: RouterOsDevice) -> None:
            stand_in.fault = fault
            with pytest.raises(RouterOsUnreachableError):
                device.read_sessions()
            stand_in.fault = ""
            assert len(device.read_sessions()) == 3

        await on(access, visit)
        assert stand_in.logins == 2

    tell(story)


@pytest.mark.parametrize("fault", ["silence", "drip"])
def test_a_device_that_is_silent_or_speaks_too_slowly_is_given_up_in_time(fault):
    async def story(stand_in, access):
        stand_in.fault = fault
        with pytest.raises(RouterOsUnreachableError, match=r"no answer within 0\.5 s|timed out"):
            await on(access, lambda device: device.read_sessions())

    tell(story, timeout_s=0.5)


def test_a_wrong_password_is_no_broken_connection():
    async def story(stand_in, access):
        with pytest.raises(RouterOsLoginError, match="invalid user name or password"):
            await on(access, lambda device: device.read_sessions())
        assert stand_in.commands == []

    tell(story, password="wrong")


def test_nothing_listening_is_said_with_the_address():
    access = ApiAccess(7, ADDRESS, "corrente", "secret", port=1, tls=False)
    with RouterOsDevice(access) as device, pytest.raises(RouterOsUnreachableError, match=r"127\.0\.44\.1 port 1"):
        device.read_sessions()
    assert "secret" not in repr(access)


def certificate(tmp_path: Any) -> tuple[ssl.SSLContext, bytes, str]:
    """A server's context, its certificate's fingerprint and the file of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tower")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).digest()
    return context, digest, str(tmp_path / "cert")


def test_over_tls_one_certificate_is_trusted_and_no_password_goes_to_another(tmp_path, monkeypatch):
    context, digest, file = certificate(tmp_path)

    async def trusted(stand_in, access):
        assert len(await on(access, lambda device: device.read_sessions())) == 3

    tell(trusted, tls=context, certificate=digest)

    async def refused(stand_in, access):
        with pytest.raises(RouterOsCertificateError, match=r"fingerprint|certificate verify failed"):
            await on(access, lambda device: device.read_sessions())
        assert stand_in.logins == 0

    tell(refused, tls=context, certificate=bytes(32))
    # Signed by nobody that the system knows.
    tell(refused, tls=context)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    tell(trusted, tls=context)


def test_tls_to_a_plain_port_and_plain_text_to_a_tls_one_are_said_in_time(tmp_path):
    context, digest, _ = certificate(tmp_path)

    async def story(stand_in, access):
        with pytest.raises((RouterOsCertificateError, RouterOsUnreachableError)):
            await on(replace(access, tls=not access.tls), lambda device: device.read_sessions())
        assert stand_in.logins == 0

    tell(story, certificate=digest, timeout_s=2.0)
    tell(story, tls=context, timeout_s=2.0)


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

    tell(story, timeout_s=60.0)


def test_two_threads_have_a_connection_each():
    async def story(stand_in, access):
        found = await asyncio.gather(*(on(access, lambda device: device.read_sessions()) for _ in range(8)))
        assert [len(one) for one in found] == [3] * 8
        assert stand_in.logins == 8

    tell(story)


def test_librouteros_understands_the_stand_in():
    async def story(stand_in, access):
        stand_in.sessions.of("anna")[0].address_lists = ("walled",)

        def visit() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            api = librouteros.connect(ADDRESS, access.username, access.password, port=access.port)
            try:
                listed = list(api.path("ip", "firewall", "address-list"))
                active = api.path("ppp", "active")
                sessions = list(active)
                active.remove(next(row[".id"] for row in sessions if row["name"] == "anna"))
                with pytest.raises(TrapError, match="no such command"):
                    list(api("/system/reboot"))
                return listed, sessions
            finally:
                api.close()

        listed, sessions = await asyncio.to_thread(visit)
        assert [(row["list"], row["address"]) for row in listed] == [("walled", "100.64.0.1")]
        assert {row["name"] for row in sessions} == {"anna", "bruno"}
        assert [one.username for one in stand_in.sessions.all()] == ["bruno", "bruno"]

    tell(story)


def test_a_row_without_a_number_ends_nobody_and_breaks_nothing():
    class Nameless(StandInRouterOsApi):
        def _active(self, session):
            return {name: value for name, value in super()._active(session).items() if name != ".id"}

    async def story():
        sessions = table_of(live_session("81a00001", "anna"))
        stand_in = Nameless(sessions, sessions.remove)
        async with stand_in.listening(ADDRESS):
            access = ApiAccess(7, ADDRESS, "corrente", "api password", stand_in.port, tls=False, timeout_s=10.0)
            assert await on(access, lambda device: device.end_session("anna", "81a00001")) is False
            assert len(sessions.of("anna")) == 1

    asyncio.run(story())
