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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from msgspec.structs import replace
from support.asking import Asking, rest_after
from support.edge_process import running_edge
from support.radius_server import NAS_SECRET, SEALER, prepared_server

from control_plane import db
from control_plane.accounting.shipper import run_shipper
from control_plane.control_loop.loop import ControlLoop
from control_plane.leadership import Leadership
from control_plane.settings import DatabaseSettings, Settings
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, Subscriber
from nas_drivers.simulated.traffic import Rates
from nas_drivers.transport.coa import ChangeSender
from nas_drivers.transport.patience import Patience
from radius_hooks.policy_store import PolicyReader
from radius_hooks.sealing import account_row, nas_row

ADDRESS = "127.66.9.1"
# Requests of the worker are never repeated on a machine that is only slow; where one is lost, a test says what follows.
UNHURRIED = Patience(first_s=60, longest_s=60, sends=4, total_s=240)
# A stated time is a quiet machine's. One that has other things to do has so many times as long.
_BUSY = 5
PATIENT = RetryPlan(first_s=2, factor=1, longest_s=2, tries=60, jitter=0)
FULL, SLOW, WALLED = Rates(100_000_000, 20_000_000), Rates(2_000_000, 1_000_000), Rates(512_000, 256_000)
_PROFILES = (("Full", FULL), ("Slow", SLOW), ("Walled", WALLED))
# Written out here, not asked of the program: a session that should not live is in drift too.
DRIFT = """
SELECT count(*) FROM session s JOIN desired_policy d USING (account_id) LEFT JOIN profile_revision p USING (profile_id)
WHERE coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision
"""


def add_isp(connection: Any, *, vendor: str, usernames: tuple[str, ...], address: str = ADDRESS) -> None:
    """One device, one plan with its three profiles, a contract each."""
    connection.execute(
        "INSERT INTO nas (id, name, source, vendor, sealed_secret) OVERRIDING SYSTEM VALUE VALUES (1, 'tower', %s, %s, %s)",
        (address, vendor, SEALER.seal(NAS_SECRET, row=nas_row(1))),
    )
    for name, rates in _PROFILES:
        connection.execute(
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps, interim_interval_s) VALUES (%s, %s, %s, 60)",
            (name, rates.down_bps, rates.up_bps),
        )
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', f.id, s.id, w.id "
        "FROM profile f, profile s, profile w WHERE f.name = 'Full' AND s.name = 'Slow' AND w.name = 'Walled'"
    )
    numbers, names = list(range(1, len(usernames) + 1)), list(usernames)
    connection.execute("INSERT INTO customer (name) SELECT name FROM unnest(%s::text[]) AS name", (names,))
    connection.execute(
        "INSERT INTO contract (customer_id, plan_id, status) SELECT n, 1, 'active' FROM unnest(%s::bigint[]) AS n ORDER BY n",
        (numbers,),
    )
    connection.execute(
        "INSERT INTO subscriber_account (id, contract_id, username, sealed_secret, max_sessions) OVERRIDING SYSTEM VALUE "
        "SELECT n, n, name, sealed, 0 FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS own (n, name, sealed)",
        (numbers, names, [SEALER.seal(b"pw", row=account_row(n)) for n in numbers]),
    )
    connection.commit()


class World:
    """The pieces, each in a thread of its own."""

    def __init__(
        self, conninfo: str, server: Any, *, vendor: str, clock_off_s: float | None, options: dict[str, Any]
    ) -> None:
        self.conninfo = conninfo
        self._asking = Asking(conninfo)
        self.settings = server.settings
        self.loop = asyncio.new_event_loop()
        self._dials: set[asyncio.Task[Any]] = set()
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
        if clock_off_s is not None:
            # Its stamps are all that tells of when: it says no delay.
            self.nas.clock_skew_s = clock_off_s
            self.nas.accounting.stamped, self.nas.accounting.delay_told = True, False

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
        self._asking.close()

    def do(self, action: Any, *, timeout_s: float = 180) -> Any:
        """Run a coroutine in the device's event loop."""
        return asyncio.run_coroutine_threadsafe(action, self.loop).result(timeout_s)

    def tell(self, action: Callable[[], Any]) -> Any:
        """Call something in the device's event loop."""

        async def call() -> Any:
            return action()

        return self.do(call())

    def execute(self, sql: str, *given: Any) -> list[Any]:
        """A statement of its own; its rows, if it has any."""
        return self._asking.execute(sql, *given)

    def dial(self, *usernames: str) -> None:
        """These log in, and their sessions are in the database."""
        before = len(self.nas.sessions)
        result = self.do(self.nas.dial([Subscriber(name, "pw") for name in usernames]))
        assert result.accepted == len(usernames), result
        assert self.do(self.nas.drain(120))
        wanted = before + len(usernames)
        self.wait_for("SELECT count(*) >= %s FROM session", wanted)

    def wait_until_published(self) -> None:
        """What the database says now is what the next login is answered."""
        began = time.time()
        reader = PolicyReader(self.settings.policy_dir)
        try:
            until = time.monotonic() + 180
            # The edge notes when it began to look, so that it has seen what was there before.
            while _checked_at(reader) <= began:
                assert time.monotonic() < until, "the edge publishes nothing"
                time.sleep(0.03)
        finally:
            reader.close()

    def redial(self, *usernames: str, refused: int = 0) -> None:
        """These log in again, whatever the database still has of them; so many may not."""
        result = self.do(self.nas.dial([Subscriber(name, "pw") for name in usernames]), timeout_s=300)
        assert (result.rejected, result.unanswered) == (refused, 0), result

    def session(self, username: str) -> Session:
        """The live session of a subscriber on the device."""
        found: Session = self.nas.sessions.of(username)[0]
        return found

    def wait_for(self, sql: str, *given: Any, seconds: float = 180) -> None:
        """Until a query's one value is true. The deadline is for a broken program, not a measurement."""
        until = time.monotonic() + seconds
        looked = time.monotonic()
        while not self.execute(sql, *given)[0][0]:
            assert time.monotonic() < until, f"not within {seconds} s: {sql}\n{self.report()}"
            looked = rest_after(looked, at_least_s=0.03)

    def settles(
        self,
        wanted: Mapping[str, Rates | None],
        *,
        within_s: float,
        ghosts: bool = False,
        reporting: bool = False,
        dialling: bool = False,
    ) -> None:
        """What must hold after every scenario, within the time stated for it: no session in drift and no change open, who may
        be online is, on the device, at these rates, and who may not (None) isn't. A busy machine has longer (`_BUSY`).

        `ghosts`: the database may still have sessions that the device lost without a word. `reporting`: meanwhile the device
        sends its interims each second, not each minute. `dialling`: whoever is offline dials each second, as modems do.
        """
        began = looked = time.monotonic()
        seconds = 0
        while wrong := self._wrong(wanted, ghosts=ghosts):
            passed_s = time.monotonic() - began
            assert passed_s < within_s * _BUSY, (
                f"{within_s} s are stated, not in {passed_s:.0f} s: {wrong}\n{self.report()}"
            )
            if passed_s >= seconds:
                seconds += 1
                if reporting:
                    self.tell(self.nas.send_interims)
                if dialling:
                    self.tell(lambda: self._dial_again(wanted))
            looked = rest_after(looked, at_least_s=0.05)

    def _dial_again(self, usernames: Iterable[str]) -> None:
        offline = [Subscriber(name, "pw") for name in usernames if not self.nas.sessions.of(name)]
        task = asyncio.get_running_loop().create_task(self.nas.dial(offline))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    def _wrong(self, wanted: Mapping[str, Rates | None], *, ghosts: bool) -> str:
        """What is not yet as it must be; empty when all is."""
        ((drift, working),) = self.execute(
            f"SELECT ({DRIFT}), (SELECT count(*) FROM enforcement WHERE closed_at IS NULL)"
        )
        if drift or working:
            return f"{drift} sessions in drift, {working} changes open"
        device = self.tell(lambda: [(one.username, one.rates) for one in self.nas.sessions.all()])
        online = {name: rates for name, rates in wanted.items() if rates is not None}
        if set(device) != set(online.items()):
            differs = set(device) ^ set(online.items())
            return (
                f"{len(differs)} online or offline on the device who should not be, as {sorted(differs, key=str)[:4]}"
            )
        ours = Counter(name for (name,) in self.execute("SELECT username FROM session"))
        theirs = Counter(name for name, _ in device)
        if theirs - ours or (ours - theirs and not ghosts):
            return f"the database has {ours.total()} sessions, the device {theirs.total()}"
        return ""

    def let_time_pass(self) -> None:
        """What changes wait for, a lease of a dead worker or a deadline, is over now: their rows are moved, nothing sleeps."""
        self.execute(
            "UPDATE enforcement SET next_at = least(next_at, now()), taken_until = CASE WHEN taken_by IS NOT NULL THEN now() END "
            "WHERE closed_at IS NULL"
        )

    def report(self) -> str:
        """The enforcements as they are, for a failure's message."""
        rows = self.execute(
            "SELECT id, username, state, method, attempt, tries, error_cause, problem, held_reason, level, next_at - now() "
            "FROM enforcement ORDER BY closed_at IS NOT NULL, id LIMIT 40"
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
def working(world: World, settings: Settings | None = None, *, patience: Patience = UNHURRIED) -> Iterator[None]:
    """A whole worker but for its scheduled jobs, until the block ends; `patience` with devices that do not answer."""
    stop = threading.Event()
    leadership = Leadership(settings or world.settings)
    lease = threading.Thread(target=leadership.run, args=(stop,), name="lease")
    lease.start()
    try:
        sender = partial(ChangeSender, patience=patience)
        with ControlLoop(settings or world.settings, leadership, stop, sender=sender):
            yield
    finally:
        stop.set()
        lease.join(90)
        leadership.give_back()


@contextmanager
def enforcement_world(
    conninfo: str,
    *,
    vendor: str = "accel_ppp",
    usernames: tuple[str, ...] = ("anna", "bruno"),
    clock_off_s: float | None = None,
    **options: Any,
) -> Iterator[World]:
    """All of it but the enforcing itself, until the block ends. `clock_off_s`: the device's clock is that much off, and its
    records have nothing but its stamps."""
    stop = threading.Event()
    with db.connect(conninfo, name="test") as connection:
        add_isp(connection, vendor=vendor, usernames=usernames)
    with prepared_server() as server:
        server.store.close()
        with running_edge(server.base / "edge", conninfo, server.settings.state_dir) as edge:
            edge.wait_until_following()
            give_to_freeradius(server)
            server.start()
            # Not before: a server that finds its port taken starts with settings made anew.
            server.settings = replace(
                server.settings,
                database=DatabaseSettings(conninfo=conninfo),
                edge=replace(server.settings.edge, spool_grace_s=0.5, spool_interval_s=0.02),
            )
            shipper = threading.Thread(target=run_shipper, args=(server.settings, stop), name="shipper")
            shipper.start()
            world = World(conninfo, server, vendor=vendor, clock_off_s=clock_off_s, options=options)
            try:
                world.start()
                yield world
            finally:
                world.stop()
                stop.set()
                shipper.join(90)


def give_to_freeradius(server: Any) -> None:
    """FreeRADIUS's user reads the store. The edge may take an old generation away meanwhile."""
    until = time.monotonic() + 180
    while True:
        try:
            server.readable_by_freeradius()
        except FileNotFoundError:
            assert time.monotonic() < until, "the store does not come to rest"
        else:
            return
