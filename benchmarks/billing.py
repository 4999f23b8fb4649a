"""The billing run at size: a month of many contracts, nothing due, its memory; beside it one document a transaction.

`python -m benchmarks.billing [--contracts 100000] [--rounds 1]` makes a PostgreSQL of its own with default durability. Contracts have
31 billing days, 4,000 prices, a discount of percent or of an amount each third, half of them an add-on; one period of each item is due.
The rival bills the same contracts through the same code one by one, a transaction each, by one writer and by eight.
`--issued` measures the run alone: nothing else of the table.

Units: seconds; processor time is that of this process and of its database backends, which moves less than the clock when something
else runs on the machine. Memory is the run's process at its highest, in MB.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.population import POSTGRES_SETTINGS, postgres, working_directory
from billing.runs.batch import Tally, bill_batch
from billing.runs.billing_run import issue_run
from billing.runs.desk import load_desk
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.due_work import Scope, list_due
from billing.store.runs import RunState, confirm_run, load_run
from control_plane import db

ROOT: Final = Path(__file__).resolve().parent.parent
DAY: Final = date(2026, 1, 31)
_SPAWN: Final = multiprocessing.get_context("spawn")
# As installed but for memory and checkpoints.
_SETTINGS: Final = {name: value for name, value in POSTGRES_SETTINGS.items() if name != "autovacuum_naptime"}
_FILL: Final = """
INSERT INTO issuer (name, country, vat_number, street, postal_code, city, tax_regime) VALUES ('Example Net', 'IT', '01234560017', 'Via Roma 1', '10121', 'Torino', 'RF01');
INSERT INTO ledger_account (issuer_id, code, name, role, family) VALUES (1, '1500', 'Customers', 'customers', NULL), (1, '2600', 'VAT', 'vat_output', NULL),
    (1, '4000', 'Revenue', 'revenue', NULL), (1, '4100', 'Access', 'revenue', 'access');
INSERT INTO document_register (issuer_id, code, kind, name) VALUES (1, 'FT', 'invoice', 'Invoices'), (1, 'NC', 'credit_note', 'Credit notes');
INSERT INTO tax_code (name) VALUES ('IVA-22');
INSERT INTO tax_rate (tax_code_id, during, percent) VALUES (1, '[2013-10-01,)', 22);
INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('full', 100000000, 20000000);
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 1, 1);
INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('Home 30', 'plan', 1, 'access', 1);
INSERT INTO product (name, kind, family, tax_code_id) VALUES ('Static address', 'add_on', 'extras', 1);
INSERT INTO product_text VALUES (1, 'it', 'Casa 30');
INSERT INTO customer (name, given_name, family_name, language) SELECT 'Anna Rossi ' || n, 'Anna', 'Rossi ' || n, 'it' FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO address (customer_id, kind, street, house_number, postal_code, city, province, country)
    SELECT n, 'legal', 'Via Po', n::text, '10124', 'Torino', 'TO', 'IT' FROM generate_series(1, %(n)s) AS n;
INSERT INTO tax_identifier (customer_id, scheme, number) SELECT n, 'it.codicefiscale', 'RSSNNA80A41L' || lpad((n %% 1000)::text, 3, '0') || 'X' FROM generate_series(1, %(n)s) AS n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT n, 1, 'active', '2026-01-01' FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO contract_terms (contract_id, issuer_id, currency, includes_tax, billable_from) SELECT n, 1, 'EUR', n %% 4 = 0, '2026-01-01' FROM generate_series(1, %(n)s) AS n;
INSERT INTO contract_item (contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on)
    SELECT n, 1, 'plan', 9.90 + n * 37 %% 4000 / 100.0, 1, date '2026-01-01' + (n %% 31)::integer, 1 + n %% 31, date '2026-01-01' + (n %% 31)::integer FROM generate_series(1, %(n)s) AS n;
INSERT INTO contract_item (contract_id, product_id, kind, period_price, months, anchor, wanted_day, starts_on)
    SELECT n, 2, 'add_on', 1 + n %% 7, 1, date '2026-01-01' + (n %% 31)::integer, 1 + n %% 31, date '2026-01-01' + (n %% 31)::integer FROM generate_series(2, %(n)s, 2) AS n;
INSERT INTO discount (contract_id, kind, value, during, reason, placed_by)
    SELECT n, CASE n %% 2 WHEN 0 THEN 'percent' ELSE 'fixed' END::discount_kind, 3 + n %% 5, '[2026-01-01,2027-01-01)', 'loyal', 'maria' FROM generate_series(3, %(n)s, 3) AS n;
INSERT INTO billing_position (item_id, billed_through, due_on) SELECT id, starts_on, starts_on FROM contract_item ORDER BY id
"""


@contextmanager
def books(base: Path, contracts: int) -> Iterator[str]:
    """The conninfo of a database with so many contracts, a month of each due."""
    with postgres(base, _SETTINGS) as cluster:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            admin.execute("CREATE DATABASE corrente")
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="benchmark") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            connection.execute("SELECT make_month('2026-01-01'), make_month(date_trunc('month', now())::date)")
            acting(connection, "benchmark")
            for statement in _FILL.split(";\n"):
                connection.execute(statement, {"n": contracts} if "%(n)s" in statement else None)
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        yield conninfo


@dataclass(frozen=True)
class Figures:
    """What one piece of work took."""

    contracts: int
    documents: int
    clock_s: float
    python_s: float
    database_s: float
    highest_mb: float

    def __str__(self) -> str:
        each = f", {self.contracts / self.clock_s:,.0f} contracts/s" if self.contracts else ""
        return (
            f"{self.clock_s:7.2f} s{each}, processor {self.python_s:.2f} s of Python and {self.database_s:.2f} s of PostgreSQL,"
            f" {self.highest_mb:.0f} MB, {self.documents:,} documents"
        )


class _Backends:
    """Processor time of the connections that were opened here, read while they are there."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._open: list[psycopg.Connection[Any]] = []
        self.seconds: dict[int, float] = {}

    def connect(self) -> psycopg.Connection[Any]:
        opened = db.connect(self._conninfo, name="billing run", autocommit=True)
        self._open.append(opened)
        return opened

    def read(self, *_: object) -> None:
        for opened in self._open:
            if not opened.closed:
                pid = opened.info.backend_pid
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self.seconds[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measured(conninfo: str, work: Any) -> Figures:
    backends = _Backends(conninfo)
    began, used = time.perf_counter(), time.process_time()
    tally: Tally = work(backends)
    clock_s, python_s = time.perf_counter() - began, time.process_time() - used
    return Figures(
        tally.contracts, tally.invoices, clock_s, python_s, sum(backends.seconds.values()),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )  # fmt: skip


def _prepare(conninfo: str, answers: Any) -> None:
    """The preview of everything, then confirmed."""

    def work(backends: _Backends) -> Tally:
        tally = Tally()
        with backends.connect() as connection:
            run = prepare_run(connection, 1, run_date=DAY, scope=Scope(), by="benchmark", progress=backends.read)
            if run.state is RunState.PREPARED:
                tally.contracts = run.expected["contracts"]
                with connection.transaction():
                    acting(connection, "benchmark")
                    confirm_run(connection, run.id, by="benchmark")
        return tally

    answers.put(_measured(conninfo, work))


def _issue(conninfo: str, answers: Any) -> None:
    def work(backends: _Backends) -> Tally:
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            run = load_run(connection, 1)
        assert run is not None
        return issue_run(backends.connect, run, made_by="benchmark", progress=backends.read)

    answers.put(_measured(conninfo, work))


def _one_by_one(conninfo: str, answers: Any, writer: int, writers: int, each: int) -> None:
    """So many contracts, those whose number leaves `writer` when divided by `writers`, a transaction each."""

    def work(backends: _Backends) -> Tally:
        tally = Tally()
        with backends.connect() as connection:
            desk = load_desk(connection, 1, run_id=1, run_date=DAY, through=DAY)
            with connection.transaction():
                due = list_due(connection, 1, Scope(), through=DAY)
            mine = [one for one in due.contracts if one % writers == writer][:each]
            for contract_id in mine:
                tally.add(bill_batch(connection, desk, (contract_id,), made_by="benchmark"))
            backends.read()
        return tally

    answers.put(_measured(conninfo, work))


def _in_process(function: Any, conninfo: str, *arguments: tuple[Any, ...]) -> list[Figures]:
    """Each call in a process of its own, all at once."""
    answers = _SPAWN.Queue()
    processes = [_SPAWN.Process(target=function, args=(conninfo, answers, *each)) for each in arguments or ((),)]
    for process in processes:
        process.start()
    figures = [answers.get(timeout=3_600) for _ in processes]
    for process in processes:
        process.join()
    return figures


def issued_alone(base: Path, contracts: int) -> Figures:
    """Prepared and confirmed without its preview, then issued."""
    with books(base, contracts) as conninfo:
        with db.connect(conninfo, name="benchmark") as connection:
            acting(connection, "benchmark")
            connection.execute(
                "INSERT INTO billing_run (issuer_id, run_date, started_by, state, confirmed_by, confirmed_at)"
                " VALUES (1, %s, 'benchmark', 'issuing', 'benchmark', now())",
                (DAY,),
            )
        (issued,) = _in_process(_issue, conninfo)
    assert issued.documents == contracts, f"{issued.documents} documents of {contracts} contracts"
    return issued


def month(base: Path, contracts: int) -> tuple[Figures, Figures, Figures, Figures]:
    """Prepared, issued, nothing left: and the same of a run of the day with nothing due."""
    with books(base, contracts) as conninfo:
        (prepared,) = _in_process(_prepare, conninfo)
        (issued,) = _in_process(_issue, conninfo)
        assert issued.documents == contracts, f"{issued.documents} documents of {contracts} contracts"
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            with connection.transaction():
                acting(connection, "benchmark")
                connection.execute("UPDATE billing_run SET state = 'issuing', ended_at = NULL")
        (nothing,) = _in_process(_issue, conninfo)
        (looked,) = _in_process(_prepare, conninfo)
    return prepared, issued, nothing, looked


def singly(base: Path, contracts: int, writers: int) -> Figures:
    """The rival: a transaction a contract, by so many writers."""
    with books(base, contracts) as conninfo:
        with db.connect(conninfo, name="benchmark") as connection:
            acting(connection, "benchmark")
            connection.execute(
                "INSERT INTO billing_run (issuer_id, run_date, started_by) VALUES (1, %s, 'benchmark')", (DAY,)
            )
        each = contracts // writers
        parts = _in_process(_one_by_one, conninfo, *((writer, writers, each) for writer in range(writers)))
    return Figures(
        sum(one.contracts for one in parts), sum(one.documents for one in parts), max(one.clock_s for one in parts),
        sum(one.python_s for one in parts), sum(one.database_s for one in parts), max(one.highest_mb for one in parts),
    )  # fmt: skip


@click.command()
@click.option("--contracts", default=100_000, show_default=True)
@click.option("--singly", "alone", default=4_000, show_default=True, help="Contracts for the rival, which is slow.")
@click.option("--rounds", default=1, show_default=True)
@click.option("--issued", "only_issued", is_flag=True, help="The run alone.")
def main(contracts: int, alone: int, rounds: int, only_issued: bool) -> None:
    """Measure and print."""
    with working_directory() as base:
        if only_issued:
            for place in range(rounds):
                click.echo(f"{contracts:,} contracts: issued       {issued_alone(base / str(place), contracts)}")
            return
        for place in range(rounds):
            small = month(base / f"small{place}", contracts // 10)[1]
            prepared, issued, nothing, looked = month(base / f"large{place}", contracts)
            click.echo(f"{contracts:,} contracts: preview      {prepared}")
            click.echo(f"{contracts:,} contracts: issued       {issued}")
            click.echo(f"{contracts:,} contracts: nothing due  {nothing}")
            click.echo(f"{contracts:,} contracts: previewed, nothing due  {looked}")
            click.echo(f"{contracts // 10:,} contracts: issued       {small}")
            for writers in (1, 8):
                rival = singly(base / f"alone{place}{writers}", alone, writers)
                ratio = (issued.contracts / issued.clock_s) / (rival.contracts / rival.clock_s)
                click.echo(
                    f"{alone:,} contracts: one a transaction, {writers} writers  {rival}; the run is {ratio:.1f} times as quick"
                )


if __name__ == "__main__":
    main()
