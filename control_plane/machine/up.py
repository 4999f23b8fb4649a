"""`corrente up`: all of Corrente on one machine, from an empty directory or from where it stopped.

The order: what an earlier start left behind is stopped; PostgreSQL is made and started; the schema and, if asked for,
the demo ISP are loaded; FreeRADIUS's configuration is rendered; then the processes start and are watched until somebody
says stop, and are stopped in the opposite order. Everything done here may be interrupted and done again.

Next: programs.py
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psycopg
from psycopg import sql

from control_plane import db, freeradius, migrate
from control_plane.access.people import make_first_administrator
from control_plane.machine.demo import DemoOutcome, is_demo, load_demo
from control_plane.machine.demo_isp import NASES
from control_plane.machine.demo_loop import TheLoop
from control_plane.machine.demo_year import YearBehindTheScenes
from control_plane.machine.display import Display
from control_plane.machine.leftovers import end_orphans, stop_leftovers
from control_plane.machine.live_figures import spool_octets, store_age_s
from control_plane.machine.ports import Ports, can_bind, choose_ports, forget_ports, with_ports, write_ports
from control_plane.machine.private_postgres import ROLES, make_cluster
from control_plane.machine.programs import DEVICES, POSTGRES, STOP_ORDER, environment_for, programs_for
from control_plane.machine.screen import Picture
from control_plane.machine.state_dir import StateDir, Users, ensure_system_user, prepare, users_for
from control_plane.machine.supervision import (
    NotStartableError,
    ProcessState,
    SupervisionError,
    Supervisor,
    configuration,
)
from control_plane.machine.watching import Watcher, process_lines, said_of_processes
from control_plane.settings import Settings, secret_keys
from control_plane.store.sealed import load_sealed_sample, opens
from radius_hooks.sealing import Sealer

_DATABASE_TIMEOUT_S: Final = 300  # recovery after a crash may replay a lot of log
_STORE_TIMEOUT_S: Final = 60
_PORT_TIMEOUT_S: Final = 20
_STOP_TIMEOUT_S: Final = 120
_LOOK_INTERVAL_S: Final = 1.0
# A process that gave up is started again after this long.
_RETRY_AFTER_S: Final = 15.0
_MONTHS_AHEAD: Final = 2


class UpError(Exception):
    """`corrente up` can't go on; the message says why and what to do."""


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM. Not an Exception: nothing on the way may take it for a failure and go on."""


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """Within the block the first SIGINT, SIGTERM or SIGHUP raises StopRequested; later ones change nothing."""

    def stop(number: int, frame: FrameType | None) -> None:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)
        raise StopRequested

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, stop) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def only_one(state: StateDir) -> Iterator[None]:
    """Refuse to run beside another `corrente up` of the same state directory. Raises: UpError."""
    with (state.run / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UpError(f"`corrente up` runs already for {state.root} (process {lock.read().strip()})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def run_up(settings: Settings, display: Display, *, with_demo: bool) -> None:
    """Start everything and keep it running until SIGINT or SIGTERM, then stop it.

    Raises: UpError and the errors of the parts, after all that had been started was stopped.
    """
    os.umask(0o022)
    if ensure_system_user():
        display.say("Made the system user corrente")
    users = users_for(os.geteuid())
    state = prepare(settings, users)
    with only_one(state), stop_on_signal():
        machine = _Machine(settings, state, users, display)
        try:
            machine.start(with_demo=with_demo)
            machine.watch()
        except StopRequested:
            display.leave()
        finally:
            display.leave()
            machine.stop()


def _is_taken(address: str, port: int) -> bool:
    return not can_bind(address, port, "udp")


class _Machine:
    """One start of everything."""

    def __init__(self, settings: Settings, state: StateDir, users: Users, display: Display) -> None:
        self._configured = settings
        self._state = state
        self._users = users
        self._display = display
        self._supervisor = Supervisor(state.run, state.log)
        self._settings = settings
        self._ports: Ports | None = None
        self._wanted: tuple[str, ...] = ()
        self._states: tuple[ProcessState, ...] = ()
        self._down: dict[str, str] = {}
        self._gave_up: dict[str, float] = {}
        self._year: YearBehindTheScenes | None = None
        self._loop: TheLoop | None = None

    # -- start -------------------------------------------------------------------------------------------------------

    def start(self, *, with_demo: bool) -> None:
        """Everything up to and including the last process."""
        self._clear()
        self._choose_ports()
        private = not self._settings.database.conninfo
        if private and not self._state.cluster.is_made:
            with self._display.step("Making a private PostgreSQL"):
                make_cluster(self._state.cluster, os_users=(self._users.ours,))
        self._start_supervisor()
        with self._display.step("Starting PostgreSQL" if private else "Reaching PostgreSQL"):
            if private:
                self._start_program(POSTGRES)
            self._wait_for_database()
        has_demo = self._fill_database(with_demo=with_demo)
        freeradius.render(self._settings, self._state.freeradius)
        self._start_services(with_devices=with_demo and has_demo)
        if has_demo:
            conninfo = self._settings.conninfo("corrente")

            def connect() -> psycopg.Connection[Any]:
                return db.connect(conninfo, name="demo", autocommit=True)

            self._loop = TheLoop(connect, self._display.say)
            self._year = YearBehindTheScenes(connect, self._display.say, self._loop.run)

    def _clear(self) -> None:
        """Nothing of an earlier start may hold our ports, files or database."""
        left = stop_leftovers(self._state.root)
        if left:
            self._display.say(f"An earlier start had not ended: stopped {len(left)} of its processes")
        forget_ports(self._state.run)
        for counter in self._state.metrics.glob("*.db"):
            counter.unlink()

    def _choose_ports(self) -> None:
        ports = choose_ports(self._configured, can_bind)
        radius = self._configured.radius
        if ports.authentication != radius.authentication_port:
            self._display.say(
                f"UDP port {radius.authentication_port} or {radius.accounting_port} is taken: RADIUS listens on "
                f"{ports.authentication} and {ports.accounting}"
            )
        if ports.web != self._configured.web.port:
            self._display.say(f"TCP port {self._configured.web.port} is taken: the web process listens on {ports.web}")
        self._ports, self._settings = ports, with_ports(self._configured, ports)
        write_ports(self._state.run, ports)

    def _start_supervisor(self) -> None:
        programs = programs_for(self._settings, self._state, self._users, is_root=os.geteuid() == 0)
        environment = environment_for(
            self._settings, self._state, code_dir=Path(__file__).resolve().parents[2], inherited=os.environ
        )
        config = configuration(
            programs,
            run_dir=self._state.run,
            log_dir=self._state.log,
            directory=Path(self._settings.base_dir).resolve(),
        )
        self._supervisor.start(config, environment=environment)
        self._wanted = tuple(program.name for program in programs if program.name != DEVICES)

    def _start_program(self, name: str) -> None:
        self._supervisor.start_program(name)

    def _wait_for_database(self) -> None:
        deadline = time.monotonic() + _DATABASE_TIMEOUT_S
        private = not self._settings.database.conninfo
        server = self._state.cluster.conninfo("postgres") if private else self._settings.conninfo("corrente")
        while True:
            try:
                db.connect(server, name="up").close()
            except psycopg.OperationalError as error:
                if private and self._state_of(POSTGRES) == "FATAL":
                    raise UpError(f"PostgreSQL does not start: {self._end_of_log(POSTGRES)}") from error
                if not private or time.monotonic() > deadline:
                    raise UpError(f"PostgreSQL does not answer: {str(error).strip()}") from error
                time.sleep(0.05)
            else:
                return

    def _state_of(self, name: str) -> str:
        return next((one.state for one in self._supervisor.states() if one.name == name), "")

    def _end_of_log(self, name: str) -> str:
        file = self._state.log / f"{name}.log"
        return file.read_text(errors="replace")[-800:].strip() if file.exists() else f"{file} is empty"

    def _fill_database(self, *, with_demo: bool) -> bool:
        """Schema, months and demo; says whether the database is the demo's."""
        conninfo = self._settings.conninfo("corrente")
        made = not self._settings.database.conninfo and migrate.make_database(conninfo)
        with db.connect(conninfo, name="up", autocommit=True, origin="command") as connection:
            status = migrate.load_status(connection, migrate.load_migrations())
            if status.age is migrate.DatabaseAge.EMPTY:
                with self._display.step("Loading schema.sql"):
                    migrate.create(connection)
            elif made or status.pending or status.unknown:
                for name in migrate.migrate(connection):
                    self._display.say(f"Migrated the database: {name}")
            if not self._settings.database.conninfo:
                # In the private cluster the operating system's user is the proof; see private_postgres.py.
                for role in ROLES:
                    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
            connection.execute(
                "SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, %s) AS m",
                (_MONTHS_AHEAD,),
            )
            self._check_key(connection)
            self._make_administrator(connection)
            if not with_demo or is_demo(connection):
                return is_demo(connection)
            with self._display.step("Loading the demo ISP"), connection.transaction():
                today = datetime.now(UTC).astimezone(self._settings.zone).date()
                outcome = load_demo(connection, Sealer(secret_keys(self._settings)), today=today)
            if outcome is DemoOutcome.OTHER_DATA:
                self._display.say("The database holds data of its own: the demo ISP stays out")
            return outcome is not DemoOutcome.OTHER_DATA

    def _make_administrator(self, connection: psycopg.Connection[Any]) -> None:
        """At the first start somebody who may sign in and add others; the password is said here and stands nowhere."""
        made = make_first_administrator(connection, now=datetime.now(UTC))
        if made is not None:
            assert self._ports is not None
            where = f"http://{self._ports.web_address}:{self._ports.web}/"
            self._display.say(f"Console {where}: sign in as {made.name} with {made.password}, which is not shown again")

    def _check_key(self, connection: psycopg.Connection[Any]) -> None:
        """A key that opens nothing would refuse every login and seal new secrets apart from the old ones. Raises: UpError."""
        sample = load_sealed_sample(connection)
        if sample and not any(opens(Sealer(secret_keys(self._settings)), one) for one in sample):
            raise UpError(
                f"the secrets of this database were sealed with another key than the one in "
                f"{freeradius.secrets_key_file(self._settings) or 'CORRENTE_SECRETS_KEY'}: put the key of that time "
                "there, a line each when there are several"
            )

    def _start_services(self, *, with_devices: bool) -> None:
        with self._display.step("Starting the edge, FreeRADIUS, the worker and the web process"):
            for name in self._wanted:
                if name not in {POSTGRES, *freeradius.SERVERS}:
                    self._start_program(name)
            self._wait((self._settings.policy_dir / "current").is_symlink, _STORE_TIMEOUT_S, "edge",
                       "it has published no policies")  # fmt: skip
            self._start_freeradius()
        if with_devices:
            self._tell_deaf_devices()
            self._start_program(DEVICES)
            self._wanted = (*self._wanted, DEVICES)
        self._states = self._supervisor.states()

    def _tell_deaf_devices(self) -> None:
        if deaf := [one for one in NASES if _is_taken(one.address, one.coa_port)]:
            names = "the demo's devices" if len(deaf) == len(NASES) else ", ".join(one.name for one in deaf)
            self._display.say(f"UDP port {deaf[0].coa_port} is taken: {names} hear no changes until it is free")

    def _start_freeradius(self) -> None:
        """Both servers, until each has its port."""
        radius = self._settings.radius
        ports = {freeradius.AUTHENTICATION: radius.authentication_port, freeradius.ACCOUNTING: radius.accounting_port}
        for server in ports:
            self._start_program(server)
        for server, port in ports.items():
            self._wait(partial(_is_taken, radius.listen_address, port), _PORT_TIMEOUT_S, server,
                       f"it does not listen on port {port}")  # fmt: skip

    def _wait(self, holds: Callable[[], bool], timeout_s: float, name: str, problem: str) -> None:
        """Poll until it holds; when it does not, say so and go on: the processes are tried again for ever."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self._state_of(name) == "FATAL" or time.monotonic() > deadline:
                self._display.say(f"{name}: {problem}; see {self._state.log}/{name}.log")
                return
            time.sleep(0.05)

    # -- watch -------------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Show how it goes, and bring back what ends, until StopRequested."""
        assert self._ports is not None
        ports = self._ports
        self._display.say(
            f"Ready: RADIUS {ports.radius_address}:{ports.authentication} and :{ports.accounting}, "
            f"console http://{ports.web_address}:{ports.web}, metrics below it at /metrics, logs {self._state.log}"
        )
        if self._year is not None:
            self._year.start()
        watcher = Watcher(
            self._settings.conninfo("corrente"),
            policy_dir=self._settings.policy_dir,
            metrics_dir=self._state.metrics,
            zone=self._settings.zone,
        )
        try:
            while True:
                started = time.monotonic()
                try:
                    self._look_after_processes()
                except SupervisionError:
                    self._start_again()
                self._display.show(self._picture(watcher, ports))
                time.sleep(max(_LOOK_INTERVAL_S - (time.monotonic() - started), 0.1))
        finally:
            watcher.close()

    def _look_after_processes(self) -> None:
        """Say what happened to them, and start what gave up. Raises: SupervisionError when supervisord itself is gone."""
        states = tuple(one for one in self._supervisor.states() if one.name in self._wanted)
        exits = self._supervisor.last_exits() if any(self._differs(one) for one in states) else {}
        if exits:
            # A process that was killed may leave children of its own, which would go on beside the new one.
            end_orphans(self._state.root)
        said, self._down = said_of_processes(self._states, states, exits=exits, down=self._down)
        for message in said:
            self._display.say(message)
        now = time.monotonic()
        for one in states:
            if one.state == "FATAL" and now - self._gave_up.get(one.name, 0.0) > _RETRY_AFTER_S:
                self._gave_up[one.name] = now
                with suppress(NotStartableError):  # said when it gave up
                    self._start_program(one.name)
        self._states = states

    def _differs(self, now: ProcessState) -> bool:
        return any(was.name == now.name and was.pid not in {0, now.pid} for was in self._states)

    def _start_again(self) -> None:
        """supervisord itself was killed: stop what it left, start it and all of its processes."""
        self._display.say("The supervisor died: starting everything again")
        self._supervisor.stop(timeout_s=1)
        stop_leftovers(self._state.root)
        names, self._wanted = self._wanted, ()
        self._start_supervisor()
        self._wanted = names
        for name in names:
            self._start_program(name)
        self._states = self._supervisor.states()

    def _picture(self, watcher: Watcher, ports: Ports) -> Picture:
        settings = self._settings
        return Picture(
            title=f"Corrente · {settings.operator.name}",
            where=f"RADIUS {ports.radius_address}:{ports.authentication}   console http://{ports.web_address}:{ports.web}",
            network=watcher.look(),
            records_per_s=watcher.records_per_s(),
            drift=watcher.drift,
            store_age_s=store_age_s(settings.policy_dir, now=time.time()),
            waiting_octets=spool_octets(settings.accounting_spool_dir),
            processes=process_lines(self._states, now=time.time()),
            messages=tuple(self._display.messages),
            books=watcher.books,
            doing=self._year.doing if self._year is not None else "",
            loop=self._loop.lines if self._loop is not None else (),
            next_at=self._loop.next_at if self._loop is not None else None,
        )

    # -- stop --------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop every process, PostgreSQL last. Signals are ignored from here on: stopping ends by itself."""
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        started = time.monotonic()
        with self._display.step("Stopping"):
            if self._year is not None:
                self._year.end()
            with suppress(SupervisionError):
                if self._supervisor.is_alive():
                    for together in STOP_ORDER:
                        self._supervisor.stop_programs(together, timeout_s=_STOP_TIMEOUT_S)
            in_time = self._supervisor.stop(timeout_s=_STOP_TIMEOUT_S)
            left = stop_leftovers(self._state.root)
        with suppress(OSError):
            forget_ports(self._state.run)
        if not in_time or left:
            self._display.say(f"{len(left)} processes had to be ended one by one")
        self._display.say(f"Stopped in {time.monotonic() - started:.1f} s; all data is kept in {self._state.root}")
