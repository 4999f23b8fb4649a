"""The real FreeRADIUS, both its processes, with the product's own configuration and a policy store of the test's making.

with radius_server(fill) as server, server.device() as nas:
    reply = nas.login("anna", "secret", attribute(CALLING_STATION_ID, "AA-BB-CC-00-00-01"))
"""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import msgspec
from support.ports import free_ports
from support.radius_packets import STATUS_SERVER, Device, build

from control_plane import freeradius
from control_plane.settings import Settings
from radius_hooks.login_line import read_login_line
from radius_hooks.policy_records import (
    FORMAT,
    AccountRecord,
    Level,
    LiveSession,
    NasRecord,
    PolicyStep,
    ProfileRecord,
    ReplyItem,
    SecretKind,
    StoreMeta,
)
from radius_hooks.policy_store import PolicyWriter
from radius_hooks.sealing import Sealer, account_row, nas_row

NAS_SECRET = b"test-secret-of-the-nas"
KEY = b"0123456789abcdef0123456789abcdef"
SEALER = Sealer([KEY])
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
PORT_TRIES = 3
FULL_PROFILE, THROTTLE_PROFILE, WALLED_PROFILE = 1, 2, 3


def nas_record(nas_id=1, *, secret=NAS_SECRET, vendor="mikrotik", require=True, realms=(), name=None):
    """A NAS with its secret sealed as the database has it."""
    return NasRecord(
        nas_id=nas_id,
        name=name or f"nas-{nas_id}",
        vendor=vendor,
        sealed_secret=SEALER.seal(secret, row=nas_row(nas_id)),
        require_message_authenticator=require,
        realms=realms,
    )


def account_record(account_id, password="secret", **changed):
    """An account in full service with a clear password; `changed` are fields of AccountRecord."""
    octets = password.encode() if isinstance(password, str) else password
    record = AccountRecord(
        account_id=account_id,
        contract_id=account_id,
        secret_kind=SecretKind.CLEAR,
        sealed_secret=SEALER.seal(octets, row=account_row(account_id)),
        steps=(step(FULL_PROFILE),),
        expires_at=0,
        max_sessions=0,
        macs=(),
        circuit_ids=(),
        nas_ids=(),
        reply=(),
        own=(),
        revision=b"acct",
    )
    return msgspec.structs.replace(record, **changed)


def step(profile_id, level=Level.FULL, reason="full", until=0):
    """One step of an account's time line."""
    return PolicyStep(until=until, level=level, reason=reason, profile_id=profile_id)


def profile_record(profile_id, *reply, name=None, session_timeout_s=0, idle_timeout_s=0, interim_interval_s=600):
    """A profile with the given (name, value, kind) as its attributes."""
    items = tuple(ReplyItem(item[0], ":=", item[1], item[2]) for item in reply)
    return ProfileRecord(
        profile_id=profile_id,
        name=name or f"profile-{profile_id}",
        revision=b"prof",
        session_timeout_s=session_timeout_s,
        idle_timeout_s=idle_timeout_s,
        interim_interval_s=interim_interval_s,
        reply=items,
    )


def live_session(key=b"k" * 16, *, nas_id=1, mac="", line="", stale=False):
    """A session as accounting published it."""
    return LiveSession(key, nas_id, mac, line, stale)


def meta(**changed):
    """A store checked just now; `changed` are fields of StoreMeta."""
    now = time.time()
    record = StoreMeta(
        format=FORMAT, built_at=now, checked_at=now, position="", system="test", nas_prefix_lengths=(24, 64)
    )
    return msgspec.structs.replace(record, **changed)


def put_usual(batch):
    """127.0.0.1 as a NAS and the three profiles of a plan, for the vendor `mikrotik`."""
    batch.put_nas("127.0.0.1/32", nas_record())
    rate = "Mikrotik-Rate-Limit"
    batch.put_profile(FULL_PROFILE, "mikrotik", profile_record(FULL_PROFILE, (rate, "10M/100M", "string")))
    batch.put_profile(THROTTLE_PROFILE, "mikrotik", profile_record(THROTTLE_PROFILE, (rate, "1M/1M", "string")))
    walled = profile_record(
        WALLED_PROFILE, (rate, "512k/512k", "string"), ("Mikrotik-Address-List", "walled", "string")
    )
    batch.put_profile(WALLED_PROFILE, "mikrotik", walled)
    batch.put_meta(meta())


def build_store(directory, fill):
    """A policy store filled by `fill(batch)` after `put_usual`; its writer, open for changes."""
    writer = PolicyWriter(directory)
    with writer.rebuild() as rebuild, rebuild.batch() as batch:
        put_usual(batch)
        fill(batch)
    return writer


def make_settings(base, *, access=None, **radius):
    """Settings with free ports and a short life for clients; `radius` and `access` are fields of those sections."""
    authentication, accounting, status, accounting_status = free_ports(4)
    raw = {
        "base_dir": str(base),
        # What the store knows of sessions is as old as the server, however long a module's tests take.
        "access": {"sessions_max_age_s": 86_400, **(access or {})},
        "radius": {
            "authentication_port": authentication,
            "accounting_port": accounting,
            "status_port": status,
            "accounting_status_port": accounting_status,
            "nas_lifetime_s": 1,
            "reject_delay_s": 0,
            **radius,
        },
    }
    return msgspec.convert(raw, Settings)


def give_to_freeradius(*directories):
    """Make directories that FreeRADIUS may write into, whoever it runs as."""
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(directory, freeradius.SERVICE_USER, freeradius.SERVICE_USER)
            # What is made inside belongs to the group as well.
            directory.chmod(0o2770)


class RadiusServer:
    """The rendered FreeRADIUS in daemon mode: its two processes, by their names in `servers`."""

    servers = freeradius.SERVERS

    def __init__(self, base, fill, **radius):
        self.base = base
        self._changed = radius
        self.settings = make_settings(base, **radius)
        self.processes = {}
        settings = self.settings
        give_to_freeradius(
            settings.policy_dir,
            freeradius.log_dir(settings),
            freeradius.run_dir(settings),
            settings.accounting_spool_dir,
            settings.login_spool_dir,
        )
        key_file = Path(freeradius.secrets_key_file(settings))
        key_file.write_bytes(base64.b64encode(KEY))
        self.store = build_store(settings.policy_dir, fill)
        self.config_dir = freeradius.render(settings, base / "raddb")
        self.readable_by_freeradius()

    def readable_by_freeradius(self):
        """What a test writes as root, FreeRADIUS's user reads."""
        if os.geteuid() != 0:
            return
        for path in [self.settings.state_dir / "secrets.key", *self.settings.policy_dir.rglob("*")]:
            if not path.is_symlink():
                shutil.chown(path, freeradius.SERVICE_USER, freeradius.SERVICE_USER)

    @property
    def authentication(self):
        """Where Access-Requests go."""
        return ("127.0.0.1", self.settings.radius.authentication_port)

    @property
    def accounting(self):
        """Where Accounting-Requests go."""
        return ("127.0.0.1", self.settings.radius.accounting_port)

    @property
    def login_spool(self):
        """The file that login lines are appended to."""
        return self.settings.login_spool_dir / "logins"

    @property
    def accounting_spool(self):
        """The file that accounting records are appended to."""
        return self.settings.accounting_spool_dir / "detail"

    @property
    def log(self):
        """The own log of the server that answers logins."""
        return freeradius.log_dir(self.settings) / "authentication.log"

    def device(self, *, secret=NAS_SECRET, source="127.0.0.1", accounting=False):
        """A socket of an access device, towards the authentication or the accounting port."""
        return Device(self.accounting if accounting else self.authentication, secret, source=source)

    def start(self):
        """Start what does not run, until Status-Server answers. Other ports are taken when somebody was faster."""
        for _ in range(PORT_TRIES):
            self._launch()
            if self._wait_until_it_answers():
                return self
            exits = self.stop()
            written = [self.base / "console.log", *freeradius.log_dir(self.settings).glob("*.log")]
            said = "".join(file.read_text(errors="replace") for file in written if file.exists())
            if "Address already in use" not in said:
                break
            self.settings = make_settings(self.base, **self._changed)
            freeradius.render(self.settings, self.config_dir)
        raise AssertionError(f"FreeRADIUS does not answer (exits {exits}):\n{said[-4000:]}")

    def _launch(self):
        for name in self.servers:
            if name in self.processes:
                continue
            command = freeradius.command(self.config_dir, name)
            with (self.base / "console.log").open("ab") as console:
                self.processes[name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
                )

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if time.monotonic() > deadline or any(one.poll() is not None for one in self.processes.values()):
                return False
        return True

    def answers(self, timeout_s=0.2):
        """Whether each process answers on its status port."""
        return all(self._answers(name, timeout_s) for name in self.servers)

    def _answers(self, name, timeout_s):
        secret = freeradius.status_secret(self.config_dir)
        radius = self.settings.radius
        port = radius.accounting_status_port if name == freeradius.ACCOUNTING else radius.status_port
        with Device(("127.0.0.1", port), secret) as asker:
            try:
                return asker.ask(build(STATUS_SERVER, [], secret=secret), timeout_s=timeout_s) is not None
            except ConnectionRefusedError:
                time.sleep(0.05)
                return False

    def pids(self):
        """The process ids, by the names of the servers."""
        return {name: process.pid for name, process in self.processes.items()}

    def is_alive(self):
        """Whether the processes that were started still run and answer."""
        return all(one.poll() is None for one in self.processes.values()) and self.answers(timeout_s=30)

    def kill(self, *names):
        """End these processes, or all, without a warning; `start` brings them back."""
        for name in names or self.servers:
            process = self.processes.pop(name)
            process.kill()
            process.wait()

    def stop(self):
        """Stop them as a supervisor does: ask, and after a while kill; their exit codes.

        FreeRADIUS 3.2.1 can turn for ever at its end when requests are still queued (request_dequeue in threads.c goes
        back to `retry` with the same stopped request), so a kill is a usual end under load. All that was answered is on
        disk by then.
        """
        processes, self.processes = self.processes, {}
        for process in processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        return {_end(process) for process in processes.values()}

    def change(self, write):
        """Change the store with `write(batch)`, as the edge does."""
        with self.store.batch() as batch:
            write(batch)

    def logins(self):
        """The raw lines of the login spool so far."""
        return self.login_spool.read_bytes().splitlines(keepends=True) if self.login_spool.exists() else []

    def last_login(self):
        """The last line of the login spool: it is written before the answer leaves."""
        return read_login_line(self.logins()[-1])


def _end(process):
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def server_directory():
    """A directory of its own that FreeRADIUS's user can enter, gone when the block ends."""
    base = Path(tempfile.mkdtemp(prefix=f"corrente-radius-{secrets.token_hex(2)}-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


@contextmanager
def prepared_server(fill=lambda _: None, **radius):
    """A server ready to start; stopped if it runs when the block ends."""
    with server_directory() as base:
        server = RadiusServer(base, fill, **radius)
        try:
            yield server
        finally:
            server.stop()
            server.store.close()


@contextmanager
def radius_server(fill=lambda _: None, **radius):
    """A started server in a directory of its own; stopped and removed when the block ends."""
    with prepared_server(fill, **radius) as server:
        yield server.start()
