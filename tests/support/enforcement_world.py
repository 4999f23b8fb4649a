"""Live sessions on a simulated device and the control plane that enforces on them: FreeRADIUS, edge, shipper, database, real all.

    with enforcement_world(database, vendor="accel_ppp") as world:
        world.dial("anna")
        world.place_restriction("anna", "throttle")
        world.wait_until_settled()

What happens on the device is told to its own event loop (`world.do`), the rest to the database.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace
from support.edge_process import running_edge
from support.radius_server import NAS_SECRET, SEALER, prepared_server

from control_plane import db
from control_plane.accounting.shipper import run_shipper
from control_plane.settings import DatabaseSettings
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, Subscriber
from radius_hooks.policy_store import PolicyReader
from radius_hooks.sealing import account_row, nas_row

ADDRESS = "127.66.9.1"
PATIENT = RetryPlan(first_s=2, factor=1, longest_s=2, tries=60, jitter=0)
_PROFILES = (("Full", 100_000_000, 20_000_000), ("Slow", 2_000_000, 1_000_000), ("Walled", 512_000, 256_000))


def add_isp(connection: Any, *, vendor: str, usernames: tuple[str, ...], address: str = ADDRESS) -> None:
    """One device, one plan with its three profiles, a contract each."""
    connection.execute(
        "INSERT INTO nas (id, name, source, vendor, sealed_secret) OVERRIDING SYSTEM VALUE VALUES (1, 'tower', %s, %s, %s)",
        (address, vendor, SEALER.seal(NAS_SECRET, row=nas_row(1))),
    )
    for name, down, up in _PROFILES:
        connection.execute(
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps, interim_interval_s) VALUES (%s, %s, %s, 60)",
            (name, down, up),
        )
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', f.id, s.id, w.id "
        "FROM profile f, profile s, profile w WHERE f.name = 'Full' AND s.name = 'Slow' AND w.name = 'Walled'"
    )
    for number, username in enumerate(usernames, start=1):
        connection.execute("INSERT INTO customer (name) VALUES (%s)", (username,))
        connection.execute("INSERT INTO contract (customer_id, plan_id, status) VALUES (%s, 1, 'active')", (number,))
        connection.execute(
            "INSERT INTO subscriber_account (id, contract_id, username, sealed_secret, max_sessions) OVERRIDING SYSTEM VALUE "
            "VALUES (%s, %s, %s, %s, 0)",
            (number, number, username, SEALER.seal(b"pw", row=account_row(number))),
        )
    connection.commit()


class World:
    """The pieces, each in a thread of its own."""

    def __init__(self, conninfo: str, server: Any, *, vendor: str, options: dict[str, Any]) -> None:
        self.conninfo = conninfo
        self.settings = server.settings
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="device")
        self.nas = SimulatedNas(
            ADDRESS,
            NAS_SECRET,
            vendor=vendor,
            servers=[RadiusServer("127.0.0.1", server.authentication[1], server.accounting[1])],
            options=DeviceOptions(
                name="tower",
                coa_port=0,
                access_retry=PATIENT,
                accounting_retry=PATIENT,
                interim_after_change=True,
                **options,
            ),
        )

    def start(self) -> None:
        """The device is up, and the database knows its port."""
        self._thread.start()
        self.do(self.nas.start())
        self.execute("UPDATE nas SET coa_port = %s", self.nas.coa_port)

    def stop(self) -> None:
        """The device is switched off."""
        self.do(self.nas.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def do(self, action: Any, *, timeout_s: float = 60) -> Any:
        """Run a coroutine in the device's event loop."""
        return asyncio.run_coroutine_threadsafe(action, self.loop).result(timeout_s)

    def tell(self, action: Callable[[], Any]) -> Any:
        """Call something in the device's event loop."""

        async def call() -> Any:
            return action()

        return self.do(call())

    def execute(self, sql: str, *given: Any) -> list[Any]:
        """A statement of its own; its rows, if it has any."""
        with db.connect(self.conninfo, name="test", autocommit=True) as connection:
            cursor = connection.execute(sql, given)
            return cursor.fetchall() if cursor.description else []

    def dial(self, *usernames: str) -> None:
        """These log in, and their sessions are in the database."""
        before = len(self.nas.sessions)
        result = self.do(self.nas.dial([Subscriber(name, "pw") for name in usernames]))
        assert result.accepted == len(usernames), result
        assert self.do(self.nas.drain(60))
        wanted = before + len(usernames)
        self.wait_for("SELECT count(*) >= %s FROM session", wanted)

    def wait_until_published(self) -> None:
        """What the database says now is what the next login is answered."""
        began = time.time()
        reader = PolicyReader(self.settings.policy_dir)
        try:
            until = time.monotonic() + 90
            # The edge notes when it began to look, so that it has seen what was there before.
            while _checked_at(reader) <= began:
                assert time.monotonic() < until, "the edge publishes nothing"
                time.sleep(0.03)
        finally:
            reader.close()

    def session(self, username: str) -> Session:
        """The live session of a subscriber on the device."""
        found: Session = self.nas.sessions.of(username)[0]
        return found

    def wait_for(self, sql: str, *given: Any, seconds: float = 90) -> None:
        """Until a query's one value is true. The deadline is for a broken program, not a measurement."""
        until = time.monotonic() + seconds
        while not self.execute(sql, *given)[0][0]:
            assert time.monotonic() < until, f"not within {seconds} s: {sql}\n{self.report()}"
            time.sleep(0.03)

    def report(self) -> str:
        """The enforcements as they are, for a failure's message."""
        rows = self.execute(
            "SELECT id, username, state, method, attempt, tries, error_cause, problem, held_reason, level, next_at - now() FROM enforcement ORDER BY id"
        )
        return "\n".join(map(str, rows)) or "no enforcement"

    def place(self, username: str, level: str) -> None:
        """A restriction by hand."""
        self.execute(
            "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) SELECT contract_id, 'dunning', %s, "
            "'invoice 12', 'maria' FROM subscriber_account WHERE username = %s",
            level,
            username,
        )

    def lift(self, username: str) -> None:
        """The payment arrived."""
        self.execute(
            "UPDATE restriction SET lifted_at = now(), lifted_by = 'payment' WHERE lifted_at IS NULL AND contract_id = "
            "(SELECT contract_id FROM subscriber_account WHERE username = %s)",
            username,
        )


def _checked_at(reader: PolicyReader) -> float:
    with reader.reading() as snapshot:
        return snapshot.checked_at()


@contextmanager
def enforcement_world(
    conninfo: str, *, vendor: str = "accel_ppp", usernames: tuple[str, ...] = ("anna", "bruno"), **options: Any
) -> Iterator[World]:
    """All of it but the enforcing itself, until the block ends."""
    stop = threading.Event()
    with db.connect(conninfo, name="test") as connection:
        add_isp(connection, vendor=vendor, usernames=usernames)
    with prepared_server() as server:
        server.store.close()
        server.settings = replace(
            server.settings,
            database=DatabaseSettings(conninfo=conninfo),
            edge=replace(server.settings.edge, spool_grace_s=0.5, spool_interval_s=0.02),
        )
        shipper = threading.Thread(target=run_shipper, args=(server.settings, stop), name="shipper")
        with running_edge(server.base / "edge", conninfo, server.settings.state_dir) as edge:
            edge.wait_until_following()
            _give_to_freeradius(server)
            server.start()
            shipper.start()
            world = World(conninfo, server, vendor=vendor, options=options)
            try:
                world.start()
                yield world
            finally:
                world.stop()
                stop.set()
                shipper.join(30)


def _give_to_freeradius(server: Any) -> None:
    """FreeRADIUS's user reads the store. The edge may take an old generation away meanwhile."""
    until = time.monotonic() + 60
    while True:
        try:
            server.readable_by_freeradius()
        except FileNotFoundError:
            assert time.monotonic() < until, "the store does not come to rest"
        else:
            return
