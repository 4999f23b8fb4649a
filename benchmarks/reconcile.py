"""The reconciler at size: a pass with nothing to do, and one that opens an enforcement for each of many sessions.

`python -m benchmarks.reconcile [--sessions 1000000] [--changes 10000] [--explain]` makes a PostgreSQL of its own with
default durability and fills it. Interims are not running beside it.

Units: seconds; of each measurement the quickest run, by the clock and as processor time of the database's backend, which
moves less when something else runs on the machine. The reconciler itself only waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.population import postgres, working_directory
from control_plane import db
from control_plane.control_loop.reconcile import reconcile_accounts, reconcile_all
from control_plane.store import drift

ROOT: Final = Path(__file__).resolve().parent.parent
_SEALED: Final = "decode(repeat('ab', 44), 'hex')"
_VERSION: Final = "'\\x1111111100000001'::bytea"
# 200 NASes of 5,000 sessions each, as of a million; every session as it stands between two interims.
_FILL: Final = f"""
INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('full', 100000000, 20000000), ('slow', 2000000, 1000000), ('pay', 64000, 64000);
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 2, 3);
INSERT INTO customer (name) VALUES ('all of them');
INSERT INTO nas (name, source, vendor, sealed_secret) SELECT 'bras' || n, ('10.0.' || n || '.1/32')::cidr, 'mikrotik', {_SEALED} FROM generate_series(1, 200) n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT 1, 1, 'active', '2024-01-01' FROM generate_series(1, %(n)s);
INSERT INTO subscriber_account (contract_id, username, sealed_secret)
    SELECT n, 'subscriber' || lpad(n::text, 7, '0'), {_SEALED} FROM generate_series(1, %(n)s) n;
INSERT INTO profile_revision VALUES (1, '\\x11111111'), (2, '\\x22222222'), (3, '\\x33333333');
INSERT INTO desired_policy (account_id, level, reason, profile_id, account_revision)
    SELECT n, 'full', 'full', 1, '\\x00000001' FROM generate_series(1, %(n)s) n;
INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, updated_at,
    received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, interim_interval_s, framed_ipv4, addresses_since, mac, line)
    SELECT md5(n::text)::uuid, 1 + n %% 200, '81' || lpad(to_hex(n), 6, '0'), 'subscriber' || lpad(n::text, 7, '0'), n, md5('c' || n)::uuid,
        {_VERSION}, now() - interval '1 day', now(), now(), 86400, 1000000000 + n, 20000000000 + n, 1000000000 + n, 20000000000 + n, 600,
        '100.64.0.0'::inet + n, now() - interval '1 day', lpad(to_hex(n), 12, '0'), 'ether1' FROM generate_series(1, %(n)s) n
"""
_CHANGE: Final = (
    "UPDATE desired_policy SET level = 'walled', reason = 'walled_garden', profile_id = 3, account_revision = %s, changed_at = now() "
    "WHERE account_id %% %s = 0"
)
_BACK: Final = "UPDATE desired_policy SET level = 'full', reason = 'full', profile_id = 1, account_revision = '\\x00000001' WHERE level <> 'full'"


@contextmanager
def network(base: Path, sessions: int) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a PostgreSQL with so many live sessions, all in order."""
    with postgres(base) as cluster:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            admin.execute("CREATE DATABASE corrente")
        with db.connect(cluster.conninfo("corrente"), name="benchmark", autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            for statement in _FILL.split(";\n"):
                connection.execute(statement, {"n": sessions} if "%(n)s" in statement else None)
            connection.execute("VACUUM ANALYZE")
            yield connection


@dataclass(frozen=True, slots=True)
class Meter:
    """Times work on one connection."""

    connection: psycopg.Connection[Any]

    def show(self, what: str, runs: int, work: Callable[[], object], *, before: Callable[[], object] = bool) -> None:
        """Do it so many times and print the quickest; `before` each is not counted."""
        taken, busy = [], []
        for _ in range(runs):
            before()
            began, used = time.perf_counter(), self._backend_s()
            work()
            taken.append(time.perf_counter() - began)
            busy.append(self._backend_s() - used)
        click.echo(
            f"{what:70} {min(taken):6.2f} s, {min(busy):6.2f} s CPU   ({', '.join(f'{one:.2f}' for one in taken)})"
        )

    def _backend_s(self) -> float:
        fields = Path(f"/proc/{self.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option("--sessions", default=1_000_000, show_default=True)
@click.option("--changes", default=10_000, show_default=True)
@click.option("--runs", default=3, show_default=True)
@click.option("--explain", is_flag=True, help="The plan of the pass that finds nothing.")
def main(sessions: int, changes: int, runs: int, explain: bool) -> None:
    """Measure and print."""
    with working_directory() as base, network(base, sessions) as connection:
        meter, each = Meter(connection), max(1, sessions // changes)
        meter.show(f"{sessions:,} sessions, nothing to do", runs, lambda: reconcile_all(connection))
        if explain:
            with connection.transaction():
                drift.tune(connection)
                for (line,) in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {drift.MEASURE}").fetchall():
                    click.echo(f"  {line}")

        def changed() -> None:
            connection.execute("TRUNCATE enforcement")
            connection.execute(_BACK)
            connection.execute(_CHANGE, (b"\0\0\0\2", each))
            connection.execute("VACUUM ANALYZE desired_policy")

        meter.show(
            f"the same, {sessions // each:,} to change: found and written",
            runs,
            lambda: reconcile_all(connection),
            before=changed,
        )
        meter.show("the same, those open: nothing more to do", runs, lambda: reconcile_all(connection))
        connection.execute("ANALYZE enforcement")
        meter.show("the same, statistics fresh", runs, lambda: reconcile_all(connection))

        def newer() -> None:
            connection.execute(
                "UPDATE desired_policy SET account_revision = (SELECT decode(lpad(to_hex(1 + max(id)), 8, '0'), 'hex') FROM enforcement) WHERE level = 'walled'"
            )

        meter.show("a newer policy for all of those", runs, lambda: reconcile_all(connection), before=newer)
        accounts = [each * n for n in range(1, sessions // each + 1)]
        meter.show(
            f"their {len(accounts):,} accounts by name",
            runs,
            lambda: reconcile_accounts(connection, accounts),
            before=changed,
        )
        meter.show("one account by name, nothing to do", 20, lambda: reconcile_accounts(connection, [7]))


if __name__ == "__main__":
    main()
