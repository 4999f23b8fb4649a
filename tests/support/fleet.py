"""Many simulated devices of different vendors, their subscribers, and all of Corrente around them, each part a real process:
PostgreSQL, FreeRADIUS, edge, shipper, workers.

    with fleet(("accel_ppp", "mikrotik"), subscribers=5000) as world:
        world.start_worker()
        world.dial_all()
        world.do_step(step)          # of fleet_day.py, in the database
        world.held()                 # what each device has for each of its sessions

The devices live in an event loop of their own. Whoever is offline dials again every second, as modems do. Each device keeps
every datagram that came to its change port, and each that it answered.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from msgspec.structs import replace
from support.asking import Asking
from support.edge_process import running_edge, wait_until
from support.enforcement_world import PATIENT, give_to_freeradius
from support.fleet_day import Deed, Step
from support.fleet_words import BY_FILTER, BY_RATE, FASTER, OFFERS, READ_BY_API, Held, Offer, held_of
from support.own_postgres import own_postgres, start_again
from support.radius_server import KEY, NAS_SECRET, SEALER, prepared_server
from support.routeros_api_stand_in import StandInRouterOsApi
from support.shipper_process import ShipperProcess
from support.worker_process import WorkerProcess

from control_plane import db
from control_plane.machine.private_postgres import Cluster, stop_cluster
from control_plane.settings import DatabaseSettings
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.faults import Fault
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.session import Subscriber
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Status
from radius_hooks.sealing import account_row, nas_api_row, nas_row

# A day in a minute: what automation may restrict in an hour means nothing here, and has its own tests.
_WORKER = "[guard]\nshare_percent = 100.0\n"
_QUOTA = 10**12
_DIAL_S = 1.0


@dataclass(frozen=True)
class Datagram:
    """What came to a device's change port, or left it. Units: `at` epoch seconds."""

    at: float
    came: bool
    octets: bytes
    other_end: tuple[str, int]


@dataclass
class Device:
    """One device, its datagrams, and when it was switched off."""

    number: int
    vendor: str
    nas: SimulatedNas
    subscribers: dict[int, Subscriber]
    wire: list[Datagram] = field(default_factory=list)
    off: list[tuple[float, float]] = field(default_factory=list)
    api: StandInRouterOsApi | None = None

    @property
    def name(self) -> str:
        """Its name in the database."""
        return f"{self.vendor}-{self.number}"


def username(number: int) -> str:
    """Of the subscriber with that number, which is its account's and its contract's too."""
    return f"user{number:05}"


class Fleet:
    """See the module."""

    def __init__(self, cluster: Cluster, directory: Path, server: Any, vendors: tuple[str, ...], count: int, seed: int):
        self.cluster, self.conninfo = cluster, cluster.conninfo("corrente")
        self._asking = Asking(self.conninfo)
        self.directory, self.server, self.count = directory, server, count
        self.workers: list[WorkerProcess] = []
        self.dialling = False
        self._over = False
        self._modems: list[asyncio.Task[None]] = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="devices")
        self._thread.start()
        self.devices = [self._device(n, vendor, len(vendors), seed) for n, vendor in enumerate(vendors, start=1)]

    def _device(self, number: int, vendor: str, devices: int, seed: int) -> Device:
        mine = range(number, self.count + 1, devices)
        subscribers = {
            n: Subscriber(username(n), "pw", mac=f"02005e{n:06x}", load_down=0.001, load_up=0.001) for n in mine
        }
        wire: list[Datagram] = []
        nas = SimulatedNas(
            f"127.66.40.{number}",
            NAS_SECRET,
            vendor=vendor,
            servers=[RadiusServer("127.0.0.1", self.server.authentication[1], self.server.accounting[1])],
            options=DeviceOptions(
                name=f"{vendor}-{number}",
                coa_port=0,
                access_retry=PATIENT,
                accounting_retry=PATIENT,
                interim_after_change=True,
                policies={offer.word: Rates(offer.down_bps, offer.up_bps) for offer in OFFERS.values()},
                on_change_datagram=lambda came, raw, end: wire.append(Datagram(time.time(), came, raw, end)),
                seed=seed * 100 + number,
            ),
        )
        return Device(number, vendor, nas, subscribers, wire)

    # The devices -------------------------------------------------------------------------------------------------------

    def do(self, action: Coroutine[Any, Any, Any], *, timeout_s: float = 300) -> Any:
        """Run a coroutine in the devices' event loop."""
        return asyncio.run_coroutine_threadsafe(action, self.loop).result(timeout_s)

    def tell(self, action: Callable[[], Any]) -> Any:
        """Call something in the devices' event loop."""

        async def call() -> Any:
            return action()

        return self.do(call())

    def start(self) -> None:
        """The devices are up and in the database, and their modems dial from now on."""
        self.do(self._start())
        for one in self.devices:
            self.execute("UPDATE nas SET coa_port = %s WHERE id = %s", one.nas.coa_port, one.number)
            if one.api is not None:
                self.execute(
                    "UPDATE nas SET api_port = %s, api_tls = false, api_username = 'corrente', sealed_api_password = %s, "
                    "verification = 'routeros_api' WHERE id = %s",
                    one.api.port,
                    SEALER.seal(b"api password", row=nas_api_row(one.number)),
                    one.number,
                )

    async def _start(self) -> None:
        for one in self.devices:
            await one.nas.start()
            if one.vendor in READ_BY_API:
                serving = asyncio.Event()
                self._modems.append(asyncio.create_task(self._serve_api(one, serving)))
                await serving.wait()
            self._modems.append(asyncio.create_task(self._keep_dialling(one)))

    async def _serve_api(self, one: Device, serving: asyncio.Event) -> None:
        ends: set[asyncio.Task[None]] = set()

        def end(session: Any) -> None:
            task = asyncio.create_task(one.nas.hang_up([session]))
            ends.add(task)
            task.add_done_callback(ends.discard)

        one.api = StandInRouterOsApi(one.nas.sessions, end)
        async with one.api.listening(one.nas.address):
            serving.set()
            while not self._over:
                await asyncio.sleep(0.05)

    async def _keep_dialling(self, one: Device) -> None:
        """Everybody who is offline dials, for ever. One that is switched off is dialled in vain."""
        while not self._over:
            offline = [who for who in one.subscribers.values() if not one.nas.sessions.of(who.username)]
            if self.dialling and offline:
                await one.nas.dial(offline)
            await asyncio.sleep(_DIAL_S)

    def dial_all(self) -> None:
        """Everybody is online, and the database has heard of each."""
        self.dialling = True
        wait_until(
            lambda: self.tell(lambda: sum(len(one.nas.sessions) for one in self.devices)) == self.count,
            what="everybody online",
        )
        self.wait_for("SELECT count(*) = %s FROM session", self.count)

    def reboot(self, one: Device, *, down_s: float) -> None:
        """It loses every session; its modems dial when it is back."""
        self.do(self._reboot(one, down_s))

    async def _reboot(self, one: Device, down_s: float) -> None:
        began = time.time()
        # What lies in its socket by then is read before. The loop's next turn only finds that out, and reads behind this.
        for _ in range(10):
            await asyncio.sleep(0)
        await one.nas.reboot(down_s=down_s)
        one.off.append((began, time.time()))

    def add_faults(self, one: Device, *faults: Fault) -> None:
        """From now on these too."""
        self.tell(lambda: one.nas.faults.add(*faults))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more on any device."""
        self.tell(lambda: [one.nas.faults.clear() for one in self.devices])

    def send_interims(self, one: Device, usernames: set[str] | None = None) -> None:
        """The records that a device sends each some minutes, brought forward: of these subscribers, or of all."""

        def send() -> None:
            for session in one.nas.sessions.all():
                if usernames is None or session.username in usernames:
                    one.nas.accounting.send_session_record(session, Status.INTERIM)

        self.tell(send)

    def held(self) -> dict[int, list[Held]]:
        """By subscriber what each of its live sessions has on its device."""

        def look() -> dict[int, list[Held]]:
            return {
                number: [held_of(session) for session in one.nas.sessions.of(who.username)]
                for one in self.devices
                for number, who in one.subscribers.items()
            }

        found: dict[int, list[Held]] = self.tell(look)
        return found

    def vendor_of(self, number: int) -> str:
        """Of the device that a subscriber is on."""
        return self.devices[(number - 1) % len(self.devices)].vendor

    # The database ------------------------------------------------------------------------------------------------------

    def execute(self, sql: str, *given: object) -> list[Any]:
        """A statement of its own; its rows, if it has any."""
        return self._asking.execute(sql, *given)

    def wait_for(self, sql: str, *given: object, seconds: float = 300) -> None:
        """Until a query's one value is true. The deadline is for a broken program, not a measurement."""
        wait_until(lambda: self.execute(sql, *given)[0][0], seconds=seconds, what=sql)

    def do_step(self, step: Step) -> None:
        """The operator, a customer or a job does it, in one transaction."""
        with db.connect(self.conninfo, name="test") as connection:
            for statement in _STATEMENTS[step.deed]:
                connection.execute(
                    statement, {"them": list(step.subscribers), "quota": _QUOTA, "rate": FASTER.down_bps}
                )
            connection.commit()

    def restart_postgres(self) -> None:
        """As by a power cut of its machine, and back."""
        stop_cluster(self.cluster, mode="immediate")
        start_again(self.cluster)

    # The workers -------------------------------------------------------------------------------------------------------

    def start_worker(self) -> WorkerProcess:
        """One more."""
        place = self.directory / f"worker-{len(self.workers)}"
        self.workers.append(WorkerProcess(place, self.conninfo, key=KEY, more=_WORKER))
        return self.workers[-1]

    def stop(self) -> None:
        """Everything that was started here is over."""
        self._over = True
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        try:
            self.do(self._stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
            self._asking.close()

    async def _stop(self) -> None:
        for one in self.devices:
            await one.nas.stop()
        await asyncio.gather(*self._modems)


# What each deed is in the database, for the contracts and accounts with the numbers %(them)s.
_OTHER_PLAN = (
    "UPDATE contract c SET plan_id = other.id FROM plan p JOIN plan other ON other.name = replace(p.name, '{}', '{}') "
    "WHERE c.plan_id = p.id AND c.id = ANY (%(them)s)"
)
_RESTRICT = (
    "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) "
    "SELECT n, '{}', '{}', '{}', 'maria' FROM unnest(%(them)s::bigint[]) n"
)
_LIFT = (
    "UPDATE restriction SET lifted_at = now(), lifted_by = '{}' "
    "WHERE lifted_at IS NULL AND origin = '{}' AND contract_id = ANY (%(them)s)"
)
_STATEMENTS = {
    Deed.UPGRADE: (_OTHER_PLAN.format("Home", "Business"),),
    Deed.DOWNGRADE: (_OTHER_PLAN.format("Business", "Home"),),
    # As the shipper and the job that counts quotas write it, which does so once a minute.
    Deed.USED_UP: (
        "INSERT INTO usage_day (account_id, day, octets_in, octets_out) SELECT n, current_date, 0, 2 * %(quota)s "
        "FROM unnest(%(them)s::bigint[]) n ON CONFLICT (account_id, day) DO UPDATE SET octets_out = EXCLUDED.octets_out",
        "UPDATE subscriber_account SET quota_exhausted_until = date_trunc('month', now()) + interval '1 month' "
        "WHERE id = ANY (%(them)s)",
    ),
    Deed.TOP_UP: (
        "INSERT INTO data_topup (contract_id, octets, until, reason, placed_by) "
        "SELECT n, 10 * %(quota)s, now() + interval '1 day', 'bought', 'portal' FROM unnest(%(them)s::bigint[]) n",
    ),
    Deed.WALL: (_RESTRICT.format("dunning", "walled", "invoice 12"),),
    Deed.PROMISE: (
        "INSERT INTO relief (contract_id, during, reason, granted_by) "
        "SELECT n, tstzrange(now(), now() + interval '1 day'), 'promise', 'maria' FROM unnest(%(them)s::bigint[]) n",
    ),
    Deed.PAY: (_LIFT.format("payment", "dunning"),),
    Deed.BLOCK: (_RESTRICT.format("admin", "blocked", "the line burns"),),
    Deed.UNBLOCK: (_LIFT.format("maria", "admin"),),
    Deed.END: ("UPDATE contract SET status = 'ended', ends_on = current_date WHERE id = ANY (%(them)s)",),
    Deed.RETURN: ("UPDATE contract SET status = 'active', ends_on = NULL WHERE id = ANY (%(them)s)",),
    Deed.FASTER: (
        "UPDATE profile SET rate_down_bps = %(rate)s WHERE name LIKE 'Business%%' AND rate_down_bps IS NOT NULL",
    ),
}


def add_isp(connection: psycopg.Connection[Any], devices: list[Device], count: int) -> None:
    """What is offered, on devices that take rates and names, and on those that take rates or a filter's name alone, and to whom it is sold."""
    connection.execute("SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) AS m")
    for one in devices:
        connection.execute(
            "INSERT INTO nas (id, name, source, vendor, sealed_secret) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s)",
            (one.number, one.name, one.nas.address, one.vendor, SEALER.seal(NAS_SECRET, row=nas_row(one.number))),
        )
    for name, offer in OFFERS.items():
        _add_profile(connection, name, offer)
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT f.name, f.id, s.id, w.id "
        "FROM profile f JOIN profile s ON s.name = replace(replace(f.name, 'Home', 'Slow'), 'Business', 'Slow') "
        "JOIN profile w ON w.name = replace(s.name, 'Slow', 'Walled') WHERE f.name LIKE 'Home%' OR f.name LIKE 'Business%'"
    )
    connection.execute("INSERT INTO quota_step (plan_id, percent, action) SELECT id, 100, 'throttle' FROM plan")
    filtered, rated = (
        [n for one in devices if one.vendor in kind for n in one.subscribers] for kind in (BY_FILTER, BY_RATE)
    )
    connection.execute("INSERT INTO customer (name) SELECT 'customer ' || n FROM generate_series(1, %s) n", (count,))
    connection.execute(
        "INSERT INTO contract (customer_id, plan_id, status) SELECT n, p.id, 'active' FROM generate_series(1, %s) n "
        "JOIN plan p ON p.name = (CASE WHEN n %% 3 = 0 THEN 'Business' ELSE 'Home' END) || "
        "(CASE WHEN n = ANY (%s) THEN ' by filter' WHEN n = ANY (%s) THEN ' by rate' ELSE '' END) ORDER BY n",
        (count, filtered, rated),
    )
    numbers = range(1, count + 1)
    connection.execute(
        "INSERT INTO subscriber_account (id, contract_id, username, sealed_secret) OVERRIDING SYSTEM VALUE "
        "SELECT n, n, name, sealed FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS own (n, name, sealed)",
        (
            list(numbers),
            [username(n) for n in numbers],
            [SEALER.seal(b"pw", row=account_row(n)) for n in numbers],
        ),
    )
    connection.commit()


def _add_profile(connection: psycopg.Connection[Any], name: str, offer: Offer) -> None:
    lists = [offer.address_list] if offer.address_list else []
    rated = (offer.down_bps, offer.up_bps)
    for its_name, rates, policy, a_filter, its_lists in (
        (name, rated, offer.word, None, lists),
        (f"{name} by rate", rated, None, None, []),
        (f"{name} by filter", (None, None), None, offer.word, []),
    ):
        connection.execute(
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps, device_policy, filter, address_lists, quota_octets, "
            "interim_interval_s) VALUES (%s, %s, %s, %s, %s, %s, %s, 600)",
            (its_name, *rates, policy, a_filter, its_lists, _QUOTA),
        )


@contextmanager
def fleet(vendors: tuple[str, ...], *, subscribers: int, directory: Path, seed: int) -> Iterator[Fleet]:
    """All of it but the workers, until the block ends."""
    with own_postgres() as cluster, prepared_server() as server:
        server.store.close()
        world = None
        conninfo = cluster.conninfo("corrente")
        with running_edge(server.base / "edge", conninfo, server.settings.state_dir) as edge:
            edge.wait_until_following()
            give_to_freeradius(server)
            server.start()
            edge_settings = replace(server.settings.edge, spool_grace_s=0.5, spool_interval_s=0.05)
            shipper = ShipperProcess(
                replace(server.settings, database=DatabaseSettings(conninfo=conninfo), edge=edge_settings)
            )
            shipper.start()
            world = Fleet(cluster, directory, server, vendors, subscribers, seed)
            try:
                with db.connect(conninfo, name="test") as connection:
                    add_isp(connection, world.devices, subscribers)
                world.start()
                edge.wait_until_following()
                yield world
            finally:
                world.stop()
                shipper.kill()
