"""Stories with the stand-in for a RouterOS API: sessions on it, visits to it, certificates for it."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.routeros_api_stand_in import StandInRouterOsApi
from support.simulated_sessions import live_session, table_of

from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import ApiAccess
from nas_drivers.transport.routeros_pool import RouterOsPool

ADDRESS = "127.0.44.1"
Story = Callable[[StandInRouterOsApi, ApiAccess], Awaitable[None]]
T = TypeVar("T")


def tell(story: Story, *, tls: ssl.SSLContext | None = None, stand_in: Any = StandInRouterOsApi, **access: Any) -> None:
    """Run a story with a device on which Anna has one session and Bruno two."""

    async def run() -> None:
        sessions = table_of(
            live_session("81a00001", "anna"),
            live_session("81a00002", "bruno", address="100.64.0.2", port=8),
            live_session("81a00003", "bruno", address="100.64.0.3", port=9),
        )
        router = stand_in(sessions, sessions.remove)
        async with router.listening(ADDRESS, tls):
            settings = {"tls": tls is not None, "timeout_s": 60.0, "password": "api password", **access}
            await story(router, ApiAccess(7, ADDRESS, "corrente", port=router.port, **settings))

    asyncio.run(run())


async def on(access: ApiAccess, do: Callable[[RouterOsDevice], T], pool: RouterOsPool | None = None) -> T:
    """One visit in a thread, as the control plane makes it; without a pool by a connection of its own."""

    def visit() -> T:
        connections = pool or RouterOsPool()
        try:
            return do(RouterOsDevice(access, connections))
        finally:
            if pool is None:
                connections.close()

    return await asyncio.to_thread(visit)


async def until(holds: Callable[[], bool], *, within_s: float = 120.0) -> None:
    """Wait for a state. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


def certificate(folder: Path) -> tuple[ssl.SSLContext, bytes, str]:
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
    (folder / "cert").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).digest()
    return context, digest, str(folder / "cert")
