"""Dunning at size: all debts of an issuer looked at, and one policy's cuts done; beside it one query a customer.

`python -m benchmarks.dunning [--customers 100000]` makes a PostgreSQL of its own with default durability. Every customer has two
overdue invoices, an open case whose notice was delivered and whose forty days are over, and three steps that ran; one in a hundred
is to be walled off now. So everybody has to be looked at, which is the dearest there is: in a real book most have nothing due.

*look* is the pass that finds out who needs something, *do* holds those and writes it. The rival does what the cron scripts of older
systems do: for each customer one query for the sum that is overdue, its oldest day and the state of the line, and nothing else of
what dunning has to know (notices, disputes, promises, hours).

Units: seconds by the clock; processor time is that of this process and of its database backend together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import click
import psycopg
from psycopg.rows import TupleRow

from benchmarks.population import postgres, working_directory
from billing.dunning.policy_data import default_policy
from billing.runs.dunning_run import LOOKED_AT_ONCE, debtors_of, look_over, pass_over
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies, save_version
from control_plane import db
from control_plane.control_loop.guard import GuardLimits
from control_plane.jobs.dunning import GuardedRun

ROOT: Final = Path(__file__).resolve().parent.parent
# A Tuesday at ten: an hour at which things may be cut. The invoices fell due on 1 and on 20 February; the notice came on 12 March.
NOW: Final = datetime(2026, 4, 28, 8, 0, tzinfo=UTC)
_RIVAL_CUSTOMERS: Final = 5000
# Documents are not issued one by one: the rows of issued ones are written as they stand, without their triggers.
_FILL: Final = """
INSERT INTO issuer (name, country, vat_number, street, postal_code, city, tax_regime) VALUES ('Example Net', 'IT', '01234560017', 'Via Roma 1', '10121', 'Torino', 'RF01');
INSERT INTO document_register (issuer_id, code, kind, name) VALUES (1, 'FT', 'invoice', 'Invoices');
INSERT INTO ledger_account (issuer_id, code, name, role) VALUES (1, '4000', 'Revenue', 'revenue');
INSERT INTO tax_code (name) VALUES ('IVA-22');
INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('full', 100000000, 20000000);
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 1, 1);
INSERT INTO customer (name) SELECT 'Anna Rossi ' || n FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT n, 1, 'active', '2026-01-01' FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO contract_terms (contract_id, issuer_id, currency, billable_from) SELECT n, 1, 'EUR', '2026-01-01' FROM generate_series(1, %(n)s) AS n;
INSERT INTO automation_run (name, started_by, started_at, ended_at) VALUES ('dunning', 'benchmark', '2026-04-22', '2026-04-22');
INSERT INTO dunning_case (customer_id, issuer_id, currency, opened_at) SELECT n, 1, 'EUR', '2026-02-02' FROM generate_series(1, %(n)s) AS n ORDER BY n;
SET LOCAL session_replication_role = replica;
INSERT INTO document (kind, state, issuer_id, customer_id, register_id, year, number, label, document_date, currency, includes_tax, net, tax, gross, payable, issuer_data, customer_data,
    language, made_by, issued_at) SELECT 'invoice', 'issued', 1, 1 + (n - 1) / 2, 1, 2026, n, n || '/FT/2026', '2026-01-15', 'EUR', false, 50, 11, 61, 61, '{}', '{}', 'it', 'benchmark', '2026-01-15'
    FROM generate_series(1, 2 * %(n)s) AS n ORDER BY n;
INSERT INTO document_line (document_id, number, contract_id, description, quantity, unit_price, net, tax_code_id, rate, liability, account_id)
    SELECT n, l, 1 + (n - 1) / 2, 'Home 30', 1, 25, 25, 1, 22, 'immediate', 1 FROM generate_series(1, 2 * %(n)s) AS n, generate_series(1, 2) AS l;
INSERT INTO document_due (document_id, number, due_on, amount) SELECT n, 1, CASE n %% 2 WHEN 1 THEN '2026-02-01' ELSE '2026-02-20' END::date, 61 FROM generate_series(1, 2 * %(n)s) AS n;
INSERT INTO open_document (document_id, issuer_id, customer_id, currency, due_on, open)
    SELECT n, 1, 1 + (n - 1) / 2, 'EUR', CASE n %% 2 WHEN 1 THEN '2026-02-01' ELSE '2026-02-20' END::date, 61 FROM generate_series(1, 2 * %(n)s) AS n;
INSERT INTO dunning_case_step (case_id, step, ran_at, ran_by)
    SELECT n, s, '2026-02-17', 'benchmark' FROM generate_series(1, %(n)s) AS n, unnest(ARRAY['reminder', 'formal_notice', 'throttle', 'walled']) AS s WHERE s <> 'walled' OR n %% 100 > 0;
INSERT INTO formal_notice (case_id, step, channel, documents, amount, sent_at, sent_by, delivered_at, delivered_by)
    SELECT n, 'formal_notice', 'certified_mail', ARRAY[2 * n - 1, 2 * n], 122, '2026-03-10', 'benchmark', '2026-03-12', 'post' FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, run_id)
    SELECT n, 'dunning', CASE n %% 100 WHEN 0 THEN 'throttle' ELSE 'walled' END::restriction_level, 'unpaid', 'dunning run 1', '2026-04-22', 1 FROM generate_series(1, %(n)s) AS n ORDER BY n;
SET LOCAL session_replication_role = origin
"""
_RIVAL: Final = """
SELECT sum(o.open), min(o.due_on), (SELECT max(r.level) FROM contract AS c JOIN restriction AS r ON r.contract_id = c.id WHERE c.customer_id = %(customer)s AND r.lifted_at IS NULL)
FROM open_document AS o WHERE o.customer_id = %(customer)s AND o.open > 0 AND o.due_on < %(today)s
"""


@dataclass(frozen=True, slots=True)
class Took:
    """How long something took, by the clock and of processors."""

    wall_s: float
    processor_s: float


@contextmanager
def book(base: Path, customers: int) -> Iterator[str]:
    """The conninfo of a database with so many customers who owe."""
    with postgres(base) as cluster:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            admin.execute("CREATE DATABASE corrente")
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="benchmark") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            connection.execute("SELECT make_month('2026-04-01'), make_month(date_trunc('month', now())::date)")
            acting(connection, "benchmark")
            for statement in _FILL.split(";\n"):
                connection.execute(statement, {"n": customers} if "%(n)s" in statement else None)
            policies = load_policies(connection)
            data = default_policy(policies[1].place)
            save_version(connection, 1, data, name="usual", since=date(2026, 1, 1), reason="benchmark", by="benchmark")
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield conninfo


@contextmanager
def timed(connection: psycopg.Connection[Any]) -> Iterator[list[Took]]:
    """What the block took is the list's one element."""
    took: list[Took] = []
    backend = connection.info.backend_pid
    began, own, other = time.monotonic(), time.process_time(), _processor_of(backend)
    yield took
    spent = time.process_time() - own + _processor_of(backend) - other
    took.append(Took(time.monotonic() - began, spent))


def _processor_of(pid: int) -> float:
    """User and system time of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(connection: psycopg.Connection[TupleRow], customers: int) -> dict[str, Took]:
    """Look at all, do what is to be done, look again, and the rival."""
    policies = load_policies(connection)
    found: dict[str, Took] = {}
    with timed(connection) as took:
        ids = debtors_of(connection, 1, NOW, policies=policies[1])
        acting_ids = _look(connection, ids, policies)
    found[f"look at {len(ids):,}, of whom {len(acting_ids):,} need something"] = took[0]
    with timed(connection) as took:
        run = GuardedRun(NOW, GuardLimits(100, 10 * customers))
        passed = pass_over(connection, acting_ids, NOW, policies=policies, place=run)
        run.end(connection)
    assert passed.done.placed == len(acting_ids) == customers // 100, passed
    found[f"do it for {len(acting_ids):,}: hold, limit, note, tell"] = took[0]
    few = ids[:_RIVAL_CUSTOMERS]
    with timed(connection) as took:
        for number in few:
            connection.execute(_RIVAL, {"customer": number, "today": NOW.date()}).fetchone()
    scale = len(ids) / len(few)
    found[f"one query a customer ({len(few):,} measured)"] = Took(took[0].wall_s * scale, took[0].processor_s * scale)
    return found


def _look(connection: psycopg.Connection[TupleRow], ids: list[int], policies: Any) -> list[int]:
    acting_ids: list[int] = []
    for start in range(0, len(ids), LOOKED_AT_ONCE):
        acting_ids += look_over(connection, ids[start : start + LOOKED_AT_ONCE], NOW, policies=policies).acting
    return acting_ids


@click.command()
@click.option("--customers", type=click.IntRange(100), default=100_000, show_default=True)
def main(customers: int) -> None:
    """Measure and print a table."""
    with (
        working_directory() as base,
        book(base, customers) as conninfo,
        db.connect(conninfo, name="benchmark", autocommit=True) as connection,
    ):
        found = measure(connection, customers)
    click.echo("| | clock | processor |\n| --- | ---: | ---: |")
    for name, took in found.items():
        click.echo(f"| {name} | {took.wall_s:.1f} s | {took.processor_s:.1f} s |")


if __name__ == "__main__":
    main()
