"""The control loop of a worker: desired -> reconcile -> enforcer -> verification, each in a thread of its own.

Every worker sends and verifies: rows are claimed, so any number of workers do each thing once. What everybody should have
and which sessions differ is worked out on the worker that leads. Nothing is handed over in memory that is not in the
database too: a worker that dies is followed by one that reconciles everything before it goes on with what changes.

A part that fails is said as an error and begun again; the others go on.

Units: *_s seconds.
Next: desired.py
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Self

import psycopg

from control_plane import db, telemetry
from control_plane.control_loop.desired import Changed, run_desired
from control_plane.control_loop.enforcer import Enforcer
from control_plane.control_loop.reconcile import reconcile_accounts, reconcile_all
from control_plane.control_loop.turn import IDLE_LIMIT_S
from control_plane.control_loop.verification import Verifier
from control_plane.leadership import Leadership, LeadershipLostError
from control_plane.pulse import Pulse
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.store.guard import guard_rules, may_send
from nas_drivers.driver import Drivers
from nas_drivers.transport.coa import ChangeSender
from radius_hooks.sealing import Sealer, SealError

# Everything is compared anew this often, whatever the change feed said.
SWEEP_S: Final = 60.0
# How often verification looks, and for how many times what a look took it rests: thousands may wait for their proof.
LOOK_S: Final = 0.3
_REST_TIMES: Final = 5
# The accounts that are reconciled before those who have waited since are asked for: a payer waits behind no more.
_RECONCILED_AT_ONCE: Final = 500
_LEADER_LOOK_S: Final = 0.3
_RETRY_S: Final = 1.0
# A fault of ours is not tried again in a hurry.
_AFTER_FAULT_S: Final = 5.0
_STALLED_S: Final = 120.0
_END_WAIT_S: Final = 10.0


class ControlLoop:
    """The loop's threads of one worker. `start` them, set `stop`, `join` them."""

    def __init__(
        self,
        settings: Settings,
        leadership: Leadership,
        stop: threading.Event,
        *,
        sender: Callable[[], ChangeSender] = ChangeSender,
    ) -> None:
        self._settings = settings
        self._drivers = Drivers(settings.drivers)
        self._sender = sender
        self._leadership = leadership
        self._stop = stop
        self._changed: list[Changed] = []
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._enforcer: Enforcer | None = None
        self.pulses = tuple(
            Pulse(name, max_age_s=_STALLED_S) for name in ("reconcile", "enforcer", "verification", "desired")
        )
        parts = {
            "desired": self._follow,
            "reconcile": self._reconcile,
            "enforcer": self._enforce,
            "verification": self._verify,
        }
        self._threads = [
            threading.Thread(target=self._keep, args=(name, part), name=name) for name, part in parts.items()
        ]

    def start(self) -> None:
        """Begin all of it."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the end after `stop` was set."""
        self._news.set()
        for thread in self._threads:
            thread.join(_END_WAIT_S)

    def __enter__(self) -> Self:
        """Run it beside the block."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it with the block."""
        self._stop.set()
        self.join()

    def _keep(self, name: str, part: Callable[[], None]) -> None:
        """Run a part for as long as the worker runs."""
        away = False
        while not self._stop.is_set():
            try:
                part()
            except LeadershipLostError:
                away = False
                self._stop.wait(_LEADER_LOOK_S)
            except psycopg.Error as error:
                self._trouble(name, f"the database does not answer: {error}")
                if not away:
                    telemetry.DATABASE_FAILURES.labels("worker").inc()
                    telemetry.logger().warning("loop.database_away", part=name, problem=str(error).strip())
                away = True
                self._stop.wait(_RETRY_S)
            except Exception as error:  # noqa: BLE001 - a job loop: one part's bug must not end the others
                self._trouble(name, f"{type(error).__name__}: {error}")
                telemetry.logger().error("loop.our_fault", part=name, problem=f"{type(error).__name__}: {error}")
                self._stop.wait(_AFTER_FAULT_S)

    def _trouble(self, name: str, reason: str) -> None:
        """Let /ready say why a part does not do its work."""
        for pulse in self.pulses:
            if pulse.loop == name:
                pulse.trouble(reason)

    def _follow(self) -> None:
        """Keep what everybody should have, while this worker leads."""
        self._wait_until_leading()
        if not self._stop.is_set():
            run_desired(
                self._settings,
                lambda: self._leadership.connect(name="worker desired"),
                self._stop,
                on_changed=self._take_note,
                on_turn=self.pulses[3].beat,
            )

    def _take_note(self, changed: Changed) -> None:
        with self._lock:
            self._changed.append(changed)
        self._news.set()

    def _reconcile(self) -> None:
        """Open changes for what differs: everything first, then what is said to have changed, and again at each sweep."""
        pulse = self.pulses[0]
        pulse.beat()
        if not self._leadership.is_leader():
            self._stop.wait(_LEADER_LOOK_S)
            return
        with self._leadership.connect(name="worker reconcile") as connection:
            while not self._stop.is_set():
                self._take_changed()
                reconcile_all(connection, drivers=self._drivers)
                self._wake_enforcer()
                waiting: list[list[int]] = []
                pulse.beat()
                sweep_at = datetime.now(UTC).timestamp() + SWEEP_S
                while not self._stop.is_set() and (left_s := sweep_at - datetime.now(UTC).timestamp()) > 0:
                    if not self._leadership.is_leader():
                        raise LeadershipLostError("another worker leads now")
                    if not waiting:
                        self._news.wait(min(left_s, 1.0))
                    changed = self._take_changed()
                    if any(one.everything or one.profiles for one in changed):
                        break
                    waiting += [accounts for one in changed if (accounts := sorted({*one.accounts, *one.sessions}))]
                    if waiting:
                        reconcile_accounts(connection, next_portion(waiting), drivers=self._drivers)
                        self._wake_enforcer()
                    pulse.beat()

    def _wake_enforcer(self) -> None:
        """There may be new changes. Other workers hear of them by a NOTIFY."""
        if self._enforcer is not None:
            self._enforcer.wake()

    def _take_changed(self) -> list[Changed]:
        with self._lock:
            self._news.clear()
            changed, self._changed = self._changed, []
        return changed

    def _enforce(self) -> None:
        """Send what is due."""
        rules, sealer = guard_rules(self._settings), self._sealer(self.pulses[1])
        self._enforcer = Enforcer(
            self._settings,
            sealer,
            worker=self._leadership.holder,
            may_send=lambda connection, ids, now: may_send(connection, ids, now, rules),
            sender=self._sender,
            pulse=self.pulses[1],
        )
        self._enforcer.run(self._stop)

    def _verify(self) -> None:
        """Look at what was acknowledged; between the looks hear of new changes, and wake the sender."""
        pulse = self.pulses[2]
        conninfo = self._settings.conninfo("corrente_worker")
        with db.connect(conninfo, name="worker verification", autocommit=True, idle_limit_s=IDLE_LIMIT_S) as connection:
            connection.execute("LISTEN corrente_enforcement")
            db.expect_few_rows(connection)
            verifier = Verifier(connection, self._settings, self._sealer(pulse))
            try:
                while not self._stop.is_set():
                    began = time.monotonic()
                    verifier.turn(db.clock(connection))
                    pulse.beat()
                    ended = time.monotonic()
                    look_at = ended + max(LOOK_S, _REST_TIMES * (ended - began))
                    while not self._stop.is_set() and (left_s := look_at - time.monotonic()) > 0:
                        if list(connection.notifies(timeout=min(left_s, 1.0), stop_after=1)):
                            self._wake_enforcer()
                        pulse.beat()
            finally:
                verifier.close()

    def _sealer(self, pulse: Pulse) -> Sealer:
        """What opens the secrets of NASes. Raises: SettingsError, SealError, which the part's pulse says too."""
        try:
            return Sealer(secret_keys(self._settings))
        except (SettingsError, SealError) as error:
            pulse.trouble(str(error))
            raise

    def _wait_until_leading(self) -> None:
        """Another worker does it meanwhile: this one's part is well."""
        while not self._stop.is_set() and not self._leadership.is_leader():
            self.pulses[3].beat()
            self._stop.wait(_LEADER_LOOK_S)


def next_portion(waiting: list[list[int]]) -> list[int]:
    """Take the next accounts out of what waits: those of the smallest change first, so that one payment does not wait
    behind a run over thousands. What is left of them waits on."""
    smallest = min(waiting, key=len)
    portion = smallest[:_RECONCILED_AT_ONCE]
    del smallest[:_RECONCILED_AT_ONCE]
    if not smallest:
        waiting.remove(smallest)
    return portion
