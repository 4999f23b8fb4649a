"""A network with everybody online, and the processes that keep it: the database filled, `corrente edge` and `corrente worker`.

Next: chain.py
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.answering import BenchmarkError
from benchmarks.devices import SECRET, Devices
from control_plane import db
from control_plane.machine.private_postgres import Cluster
from radius_hooks.sealing import Sealer, nas_row

ROOT: Final = Path(__file__).resolve().parent.parent
DATABASE: Final = "chain"
_VENDORS: Final = ("mikrotik", "accel_ppp")
_WAIT_S: Final = 180.0
_SEALED: Final = "decode(repeat('ab', 44), 'hex')"
_PROFILES: Final = """
INSERT INTO profile (name, rate_down_bps, rate_up_bps, interim_interval_s) VALUES ('full', 100000000, 20000000, 600),
    ('slow', 2000000, 1000000, 600), ('pay', 64000, 64000, 600)
"""
_SUBSCRIBERS: Final = f"""
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 2, 3);
INSERT INTO customer (name) SELECT 'Subscriber ' || n FROM generate_series(1, %(n)s) n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT n, 1, 'active', '2024-01-01' FROM generate_series(1, %(n)s) n;
INSERT INTO subscriber_account (contract_id, username, sealed_secret)
    SELECT n, 'subscriber' || lpad(n::text, 7, '0'), {_SEALED} FROM generate_series(1, %(n)s) n;
INSERT INTO restriction (contract_id, origin, level, reason, placed_by)
    SELECT n, 'dunning', 'walled', 'invoice unpaid', 'maria' FROM generate_series(1, %(restricted)s) n
"""
# Everybody online since yesterday, under what is wanted.
_GO_ONLINE: Final = """
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, updated_at,
    received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, interim_interval_s, framed_ipv4, addresses_since, mac, line)
SELECT md5(a.id::text)::uuid, 1 + a.id %% %(nases)s, '81' || lpad(to_hex(a.id), 6, '0'), a.username, a.id, md5('c' || a.id)::uuid,
    r.revision || d.account_revision, now() - interval '1 day', now(), now(), 86400, 1000000000 + a.id, 20000000000 + a.id, 1000000000 + a.id,
    20000000000 + a.id, 600, '100.64.0.0'::inet + a.id, now() - interval '1 day', lpad(to_hex(a.id), 12, '0'), 'ether1'
FROM subscriber_account a JOIN desired_policy d ON d.account_id = a.id JOIN profile_revision r ON r.profile_id = d.profile_id ORDER BY a.id
"""
# What the settings say beside their defaults: waves of cuts are measured, so that the guard counts and lets go.
_SETTINGS: Final = (
    '[database]\nconninfo = "{}"\n[paths]\nstate_dir = "var"\n[worker]\nport = 0\n[guard]\nshare_percent = 100\n'
)


@dataclass(frozen=True, slots=True)
class LiveNetwork:
    """A network that runs. A contract, its account and its session share a number; the first `restricted` are walled."""

    conninfo: str
    worker: int

    def worker_cpu_s(self) -> float:
        """The worker's own processor time so far."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def live_network(
    base: Path, cluster: Cluster, devices: Devices, *, subscribers: int, restricted: int
) -> Iterator[LiveNetwork]:
    """Everybody online on these devices, the edge following and the worker leading, until the block ends."""
    home = base / "chain"
    (home / "var").mkdir(parents=True)
    key = os.urandom(32)
    (home / "var" / "secrets.key").write_text(base64.b64encode(key).decode() + "\n")
    conninfo = cluster.conninfo(DATABASE)
    (home / "corrente.toml").write_text(_SETTINGS.format(conninfo))
    with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
    _fill(conninfo, Sealer([key]), devices, subscribers=subscribers, restricted=restricted)
    with command(home, "worker") as worker, command(home, "edge"):
        _wait(conninfo, "SELECT count(*) > 0 FROM feed_position WHERE reader = 'desired'")
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute(_GO_ONLINE, {"nases": len(devices.targets)})
            connection.execute("VACUUM ANALYZE")
        yield LiveNetwork(conninfo, worker)


def _fill(conninfo: str, sealer: Sealer, devices: Devices, *, subscribers: int, restricted: int) -> None:
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        connection.execute((ROOT / "schema.sql").read_text())
        connection.execute(
            "SELECT make_month((date_trunc('month', now()) + make_interval(months => m))::date) FROM generate_series(-1, 2) m"
        )
        connection.execute(_PROFILES)
        connection.cursor().executemany(
            "INSERT INTO nas (id, name, source, vendor, sealed_secret, coa_port) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (
                    number,
                    f"bras-{number}",
                    target.address,
                    _VENDORS[number % len(_VENDORS)],
                    sealer.seal(SECRET, row=nas_row(number)),
                    target.port,
                )
                for number, target in enumerate(devices.targets, start=1)
            ],
        )
        for statement in _SUBSCRIBERS.split(";\n"):
            given = {"n": subscribers, "restricted": restricted} if "%(" in statement else None
            connection.execute(statement, given)
        connection.execute("VACUUM ANALYZE")


@contextmanager
def command(home: Path, name: str) -> Iterator[int]:
    """A process of Corrente as long as the block runs; its process id."""
    with (home / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(home / "corrente.toml"), name],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _wait(conninfo: str, question: str) -> None:
    """Until the database says yes."""
    deadline = time.monotonic() + _WAIT_S
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        while True:
            row = connection.execute(question).fetchone()
            if row is not None and row[0]:
                return
            if time.monotonic() > deadline:
                raise BenchmarkError(f"not within {_WAIT_S:g} s: {question}")
            time.sleep(0.1)
