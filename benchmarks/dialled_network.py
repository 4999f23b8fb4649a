"""A network whose subscribers have really dialled in: devices, FreeRADIUS, edge with shipper, worker, web, each a process of its own.

Next: paying.py
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.access import BY_LOGIN, PASSWORD, POLICIES, Access, AccessPlan, access, username
from benchmarks.network import ROOT, command
from benchmarks.population import RADIUS_SECRET
from benchmarks.product import Product, corrente_server, edge, hand_over, wait_until, write_settings
from benchmarks.webhooks import KEY, serving
from control_plane import db
from control_plane.machine.private_postgres import Cluster
from radius_hooks.sealing import Sealer, account_row, nas_row

DATABASE: Final = "dialled"
# Of those who begin restricted every so many-th may not dial in at all; the others are walled off.
BLOCKED_EVERY: Final = 25
# Waves of cuts are measured: the guard counts and lets go.
_SETTINGS: Final = (
    '[worker]\nport = 0\n[edge]\nport = 0\n[guard]\nshare_percent = 100\n[gateways]\ntest_hosts = ["{}"]\n'
)
_SUBSCRIBERS: Final = """
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id)
    SELECT 'home', h.id, s.id, w.id FROM profile h, profile s, profile w WHERE (h.name, s.name, w.name) = ('home', 'slow', 'walled');
INSERT INTO customer (name) SELECT 'Subscriber ' || n FROM generate_series(1, %(n)s) n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT n, 1, 'active', '2024-01-01' FROM generate_series(1, %(n)s) n;
INSERT INTO restriction (contract_id, origin, level, reason, placed_by)
    SELECT n, 'dunning', (CASE WHEN n %% %(every)s = 0 THEN 'blocked' ELSE 'walled' END)::restriction_level, 'invoice unpaid', 'maria'
    FROM generate_series(1, %(restricted)s) n
"""


@dataclass(frozen=True, slots=True)
class DialledNetwork:
    """A network that runs. A customer, the contract, the account and the subscriber share a number; the first ones are restricted."""

    product: Product
    access: Access
    web_port: int

    @property
    def conninfo(self) -> str:
        """Of its database."""
        return self.product.conninfo

    def way_of(self, number: int) -> str:
        """How a subscriber who began restricted gets the open policy."""
        if number % BLOCKED_EVERY == 0:
            return "was blocked, dials each second"
        if self.access.plan.vendor_of(number) in BY_LOGIN:
            return "Disconnect, then dials in again"
        return "CoA"

    def has_session(self, number: int) -> bool:
        """Whether there is a device to acknowledge something."""
        return number % BLOCKED_EVERY != 0


@contextmanager
def dialled_network(
    base: Path, cluster: Cluster, gateway_host: str, *, devices: int, subscribers: int, restricted: int
) -> Iterator[DialledNetwork]:
    """Everybody online as the accounts say, everything following, until the block ends. `gateway_host`: where a gateway may be asked."""
    with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
    home = base / "dialled"
    settings = write_settings(home, cluster.conninfo(DATABASE), _SETTINGS.format(gateway_host))
    (settings.state_dir / "secrets.key").write_text(KEY + "\n")
    product = Product(settings, home / "corrente.toml", cluster.conninfo(DATABASE))
    ports = (settings.radius.authentication_port, settings.radius.accounting_port)
    plan = AccessPlan(devices, subscribers, restricted, (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1])))
    with access(plan) as network:
        _fill(product.conninfo, network, subscribers=subscribers, restricted=restricted)
        with edge(product):
            wait_until((settings.policy_dir / "current").exists, "the edge has published no policy store")
            hand_over(settings)
            with (
                corrente_server(product),
                command(home, "worker"),
                serving("web.app:create_app", product.settings_file) as (web_port, _),
            ):
                blocked = restricted // BLOCKED_EVERY
                network.dial(offline=blocked)
                _wait_for(product.conninfo, "SELECT count(*) = %s FROM session", subscribers - blocked)
                _wait_for(product.conninfo, "SELECT count(*) >= %s FROM desired_policy", subscribers)
                _tidy(product.conninfo)
                yield DialledNetwork(product, network, web_port)


def _fill(conninfo: str, network: Access, *, subscribers: int, restricted: int) -> None:
    """What is sold, to whom, on which devices; who begins restricted is so before anybody dials."""
    sealer = Sealer([base64.b64decode(KEY)])
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        connection.execute((ROOT / "schema.sql").read_text())
        connection.execute(
            "SELECT make_month((date_trunc('month', now()) + make_interval(months => m))::date) FROM generate_series(-1, 2) m"
        )
        cursor = connection.cursor()
        # The first is who asks FreeRADIUS whether it is there.
        devices = [(1, "this-machine", "127.0.0.1", "generic", 3799)]
        devices += [
            (2 + number, f"bras-{number}", network.plan.address(number), network.plan.vendor_of(number), port)
            for number, port in enumerate(network.ports)
        ]
        cursor.executemany(
            "INSERT INTO nas (id, name, source, vendor, coa_port, sealed_secret) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s)",
            [(*one, sealer.seal(RADIUS_SECRET, row=nas_row(one[0]))) for one in devices],
        )
        cursor.executemany(
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps, device_policy, interim_interval_s) VALUES (%s, %s, %s, %s, 600)",
            [(name, rates.down_bps, rates.up_bps, name) for name, rates in POLICIES.items()],
        )
        given = {"n": subscribers, "restricted": restricted, "every": BLOCKED_EVERY}
        for statement in _SUBSCRIBERS.split(";\n"):
            connection.execute(statement, given if "%(" in statement else None)
        numbers = list(range(1, subscribers + 1))
        connection.execute(
            "INSERT INTO subscriber_account (id, contract_id, username, sealed_secret) OVERRIDING SYSTEM VALUE"
            " SELECT n, n, name, sealed FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS own (n, name, sealed)",
            (
                numbers,
                [username(n) for n in numbers],
                [sealer.seal(PASSWORD.encode(), row=account_row(n)) for n in numbers],
            ),
        )
    _tidy(conninfo)


def _tidy(conninfo: str) -> None:
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _wait_for(conninfo: str, question: str, number: int) -> None:
    """Until the database says yes."""

    def done() -> bool:
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            row = connection.execute(question, (number,)).fetchone()
        return row is not None and bool(row[0])

    wait_until(done, f"not in time: {question}")
