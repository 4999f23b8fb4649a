"""Corrente itself under test: its database filled, its store published by its own edge, its own FreeRADIUS configuration.

Nothing here is made for speed: the same code and files run as in `corrente up`.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.freeradius import Running, free_port_pair, running
from benchmarks.packets import Subscriber
from benchmarks.population import PLANS, RADIUS_SECRET, SERVICE_USER, plan_of
from control_plane import db, freeradius
from control_plane.machine.private_postgres import Cluster
from control_plane.settings import Settings, load_settings
from radius_hooks.sealing import Sealer, account_row, nas_row

DATABASE: Final = "corrente"
ROOT: Final = Path(__file__).resolve().parent.parent
_EDGE_TIMEOUT_S: Final = 180.0
_MEGABIT: Final = 1_000_000
# Rows of one customer, contract and account share their number; a row's id is that number plus one.
_FIRST_ID: Final = 1
_NAS_ID: Final = 1


@dataclass(frozen=True, slots=True)
class Product:
    """An installation: settings on disk, a filled database, a published policy store."""

    settings: Settings
    settings_file: Path
    conninfo: str


def fill_database(conninfo: str, subscribers: Iterable[Subscriber], sealer: Sealer) -> None:
    """schema.sql with the same subscribers as the rivals have: a customer, a contract in service and an account each."""
    with db.connect(conninfo, name="bench") as connection:
        connection.execute((ROOT / "schema.sql").read_text())
        connection.execute(
            "SELECT make_month((date_trunc('month', now()) + make_interval(months => m))::date) FROM generate_series(-1, 2) m"
        )
        connection.execute(
            "INSERT INTO nas (id, name, source, vendor, sealed_secret) OVERRIDING SYSTEM VALUE "
            "VALUES (%s, 'bras-1', '127.0.0.1/32', 'mikrotik', %s)",
            (_NAS_ID, sealer.seal(RADIUS_SECRET, row=nas_row(_NAS_ID))),
        )
        for number, plan in enumerate(PLANS, start=_FIRST_ID):
            connection.execute(
                "INSERT INTO profile (id, name, rate_down_bps, rate_up_bps, ipv4_pool, session_timeout_s, interim_interval_s) "
                "OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, 'subscribers', 86400, 600)",
                (number, plan.name, plan.down_mbps * _MEGABIT, plan.up_mbps * _MEGABIT),
            )
            connection.execute(
                "INSERT INTO plan (id, name, profile_id, throttle_profile_id, walled_profile_id) "
                "OVERRIDING SYSTEM VALUE VALUES (%(id)s, %(name)s, %(id)s, %(id)s, %(id)s)",
                {"id": number, "name": plan.name},
            )
        plans = {plan.name: number for number, plan in enumerate(PLANS, start=_FIRST_ID)}
        numbers = list(subscribers)
        cursor = connection.cursor()
        with cursor.copy("COPY customer (id, name) FROM STDIN") as copy:
            for one in numbers:
                copy.write_row((one.number + _FIRST_ID, one.username))
        with cursor.copy("COPY contract (id, customer_id, plan_id, status, starts_on) FROM STDIN") as copy:
            for one in numbers:
                key = one.number + _FIRST_ID
                copy.write_row((key, key, plans[plan_of(one).name], "active", "2026-01-01"))
        with cursor.copy("COPY subscriber_account (id, contract_id, username, sealed_secret) FROM STDIN") as copy:
            for one in numbers:
                key = one.number + _FIRST_ID
                copy.write_row((key, key, one.username, sealer.seal(one.password.encode(), row=account_row(key))))
    with db.connect(conninfo, name="bench", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@contextmanager
def installation(base: Path, cluster: Cluster, subscribers: Iterable[Subscriber]) -> Iterator[Product]:
    """A Corrente with these subscribers, its policy store published by `corrente edge`; the edge has ended again."""
    with db.connect(cluster.conninfo("postgres"), name="bench", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
    home = base / "corrente"
    settings = write_settings(home, cluster.conninfo(DATABASE))
    key = os.urandom(32)
    (settings.state_dir / "secrets.key").write_text(base64.b64encode(key).decode() + "\n")
    product = Product(settings, home / "corrente.toml", cluster.conninfo(DATABASE))
    fill_database(product.conninfo, subscribers, Sealer([key]))
    with edge(product):
        wait_until((settings.policy_dir / "current").exists, "the edge has published no policy store")
    hand_over(settings)
    yield product


def write_settings(home: Path, conninfo: str, more: str = "") -> Settings:
    """A settings file with ports that are free, `more` at its end, and the directories that it names."""
    authentication, accounting = free_port_pair()
    status, accounting_status = free_port_pair()
    home.mkdir()
    file = home / "corrente.toml"
    file.write_text(
        f'[database]\nconninfo = "{conninfo}"\n\n[paths]\nstate_dir = "var"\n\n'
        f"[radius]\nauthentication_port = {authentication}\naccounting_port = {accounting}\nstatus_port = {status}\n"
        f"accounting_status_port = {accounting_status}\n"
        "reject_delay_s = 0\n" + more
    )
    settings = load_settings(file)
    for directory in (
        settings.policy_dir,
        settings.accounting_spool_dir,
        settings.login_spool_dir,
        freeradius.log_dir(settings),
        freeradius.run_dir(settings),
    ):
        directory.mkdir(parents=True, exist_ok=True)
    return settings


def hand_over(settings: Settings) -> None:
    """Let FreeRADIUS's user at the store, the spools and the key, as `corrente up` does when root starts it."""
    if os.geteuid() != 0:
        return
    for root, directories, files in os.walk(settings.state_dir):
        for name in (*directories, *files):
            shutil.chown(Path(root) / name, group=SERVICE_USER)
            path = Path(root) / name
            path.chmod(path.stat().st_mode | (0o070 if path.is_dir() else 0o060))


def clear_spools(product: Product) -> None:
    """Throw away what earlier measurements spooled; FreeRADIUS must not be running."""
    for directory in (product.settings.accounting_spool_dir, product.settings.login_spool_dir):
        for path in directory.iterdir():
            path.unlink()


@contextmanager
def edge(product: Product) -> Iterator[int]:
    """`corrente edge` as long as the block runs; its process id."""
    log = product.settings_file.parent / "edge.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--settings", str(product.settings_file), "edge"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def wait_until(done: Callable[[], bool], otherwise: str, *, timeout_s: float = _EDGE_TIMEOUT_S) -> None:
    """Until it is so. Raises: TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


@contextmanager
def corrente_server(product: Product) -> Iterator[Running]:
    """The product's own two FreeRADIUS processes, rendered from freeradius-config as it stands."""
    settings = product.settings
    directory = freeradius.render(settings, product.settings_file.parent / "freeradius")
    ports = (settings.radius.authentication_port, settings.radius.accounting_port)
    log = freeradius.log_dir(settings) / "stdout.log"
    commands = [freeradius.command(directory, server) for server in freeradius.SERVERS]
    with running("corrente", commands, ports=ports, log=log) as server:
        yield server
