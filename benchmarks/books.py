"""The screens of the books at size: statement, open documents, due work, turnover of a month, and the check of everything.

`python -m benchmarks.books [--customers 100000] [--months 60] [--every 4] [--explain] [--check] [--at DIRECTORY]` makes a
PostgreSQL of its own and fills it with what so many months of billing leave behind: documents with lines, tax, due days, entries,
postings and charges, sound to `corrente ledger check`. Filled set by set inside the database, triggers off, some indexes made
afterwards. `--at` keeps it there, for the next run.

Each customer has a document every four months, so that filling takes minutes: 1.5 million of them in five years, all customers' in
the same months, so the month that is measured is a full one. `--every 1` makes all 6 million.

97 of 100 documents but the last ones count as paid: payments come with "Getting paid", here their rows of open_document are
taken away after the check.

Units: milliseconds by the clock, the first run (with what planning and reading take) and the median of the others.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.population import working_directory
from billing.store import reports, turnover
from billing.store.checks.catalogue import Progress, check_books
from billing.store.due_work import Scope, list_due
from control_plane import db
from control_plane.machine.private_postgres import Cluster, make_cluster, start_cluster, stop_cluster
from control_plane.migrate import create

ROOT: Final = Path(__file__).resolve().parent.parent
FIRST: Final = date(2021, 1, 1)
# Nothing here is written while it is measured, so durability costs nothing; without it the filling is quicker.
SETTINGS: Final = {
    "shared_buffers": "1GB",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "'16GB'",
    "checkpoint_timeout": "'30min'",
    "maintenance_work_mem": "1GB",
    "autovacuum": "off",
}
_PREPARE: Final = """
CREATE UNLOGGED TABLE fill AS
    SELECT row_number() OVER (ORDER BY (n - 1) %% 28, n) AS rank, n, k, c, i, CASE WHEN n %% 3 = 0 THEN (%(extras)s::bigint[])[n / 3] END AS extra, ((n - 1) %% 28)::integer AS day,
        jsonb_build_object('id', k, 'name', 'Anna Rossi ' || n, 'kind', 'person', 'given_name', 'Anna', 'family_name', 'Rossi ' || n, 'street', 'Via Po', 'house_number', n::text,
            'postal_code', '10124', 'city', 'Torino', 'province', 'TO', 'country', 'IT', 'email', 'anna' || n || '@example.net', 'tax_identifiers', jsonb_build_object('it.codicefiscale', 'RSSNNA80A41L219X')) AS data
    FROM unnest(%(customers)s::bigint[], %(contracts)s::bigint[], %(items)s::bigint[]) WITH ORDINALITY AS t (k, c, i, n);
CREATE INDEX ON fill (rank);
UPDATE contract_item AS t SET starts_on = %(first)s::date + f.day, anchor = %(first)s::date + f.day, wanted_day = f.day + 1, months = %(every)s FROM fill f WHERE t.id IN (f.i, f.extra);
UPDATE contract AS t SET starts_on = %(first)s::date + f.day FROM fill f WHERE t.id = f.c;
"""
_MONTH: Final = """
INSERT INTO document (id, kind, state, issuer_id, customer_id, register_id, year, number, label, document_date, currency, includes_tax, net, tax, gross, payable, issuer_data, customer_data, language, run_id, made_by, issued_at)
    OVERRIDING SYSTEM VALUE
    SELECT %(base)s + rank, 'invoice', 'issued', %(issuer)s, k, %(register)s, extract(year FROM %(month)s::date), %(numbered)s + rank, (%(numbered)s + rank) || '/RC/' || extract(year FROM %(month)s::date), %(month)s::date + day,
        'EUR', false, CASE WHEN extra IS NULL THEN 29.90 ELSE 34.90 END, CASE WHEN extra IS NULL THEN 6.58 ELSE 7.68 END, CASE WHEN extra IS NULL THEN 36.48 ELSE 42.58 END, CASE WHEN extra IS NULL THEN 36.48 ELSE 42.58 END,
        '{"name": "Example Net", "country": "IT", "vat_number": "01234560017", "tax_number": "01234560017", "street": "Via Roma 1", "postal_code": "10121", "city": "Torino", "province": "TO", "tax_regime": "RF01"}',
        data, 'it', %(run)s, 'job billing', %(month)s::date + day FROM fill ORDER BY rank;
INSERT INTO document_line (document_id, number, contract_id, item_id, description, during, quantity, unit_price, net, tax_code_id, rate, liability, product_id, account_id)
    SELECT %(base)s + rank, 1, c, i, 'Casa 30', daterange(%(month)s::date + day, %(next)s::date + day), 1, 29.90, 29.90, %(code)s, 22, 'immediate'::tax_liability, %(home)s, %(revenue)s FROM fill
    UNION ALL SELECT %(base)s + rank, 2, c, extra, 'Static address', daterange(%(month)s::date + day, %(next)s::date + day), 1, 5.00, 5.00, %(code)s, 22, 'immediate'::tax_liability, %(static)s, %(revenue)s FROM fill WHERE extra IS NOT NULL ORDER BY 1, 2;
INSERT INTO document_tax (document_id, rate, liability, base, tax) SELECT id, 22, 'immediate', net, tax FROM document WHERE id > %(base)s AND id <= %(base)s + %(count)s;
INSERT INTO document_due SELECT id, 1, document_date + 15, payable FROM document WHERE id > %(base)s AND id <= %(base)s + %(count)s;
INSERT INTO entry (id, issuer_id, dated, source, source_id, kind, currency, made_by) OVERRIDING SYSTEM VALUE
    SELECT id, issuer_id, document_date, 'document', id, 'invoice', 'EUR', made_by FROM document WHERE id > %(base)s AND id <= %(base)s + %(count)s;
INSERT INTO posting (entry_id, number, account_id, customer_id, amount)
    SELECT d.id, leg.number, leg.account, leg.customer, leg.amount FROM document d
        CROSS JOIN LATERAL (VALUES (1, %(owing)s::bigint, d.customer_id, d.gross), (2, %(revenue)s, NULL, -d.net), (3, %(vat)s, NULL, -d.tax)) AS leg (number, account, customer, amount)
    WHERE d.id > %(base)s AND d.id <= %(base)s + %(count)s ORDER BY 1, 2;
INSERT INTO charge (id, item_id, kind, during, units, of, full_price, net, currency, due_on, document_id, line_number, made_by) OVERRIDING SYSTEM VALUE
    SELECT 2 * (l.document_id) - 2 + l.number, l.item_id, 'period', l.during, upper(l.during) - lower(l.during), upper(l.during) - lower(l.during), l.net, l.net, 'EUR', lower(l.during), l.document_id, l.number, 'job billing'
    FROM document_line l WHERE l.document_id > %(base)s AND l.document_id <= %(base)s + %(count)s ORDER BY 1;
"""
_RUN: Final = """
INSERT INTO billing_run (id, issuer_id, run_date, state, started_by, started_at, confirmed_by, confirmed_at, ended_at, mailed_at) OVERRIDING SYSTEM VALUE
    SELECT %(run)s, %(issuer)s, %(month)s::date + 27, 'done', 'job billing', at, 'maria', at, at + interval '2 minutes', at + interval '1 hour' FROM (SELECT (%(month)s::date + 27)::timestamptz AS at) AS ran
"""
_FINISH: Final = """
INSERT INTO register_year SELECT register_id, year, max(number), max(document_date) FROM document GROUP BY 1, 2;
INSERT INTO customer_balance SELECT customer_id, issuer_id, currency, sum(payable) FROM document GROUP BY 1, 2, 3;
INSERT INTO open_document SELECT d.id, d.issuer_id, d.customer_id, d.currency, d.document_date + 15, d.payable FROM document d;
INSERT INTO turnover (issuer_id, dated, product_id, account_id, currency, net)
    SELECT d.issuer_id, d.document_date, l.product_id, l.account_id, d.currency, sum(l.net) FROM document d JOIN document_line l ON l.document_id = d.id GROUP BY d.id / 1000, 1, 2, 3, 4, 5;
UPDATE billing_position b SET billed_through = %(next)s::date + f.day, due_on = %(next)s::date + f.day FROM fill f WHERE b.item_id IN (f.i, f.extra);
INSERT INTO audit_log (actor, action, subject, detail)
    SELECT 'job billing', name || '.insert', name, jsonb_build_object('rows', rows) FROM (SELECT 'document' AS name, count(*) AS rows FROM document
        UNION ALL SELECT 'entry', count(*) FROM entry UNION ALL SELECT 'charge', count(*) FROM charge) AS counted;
DROP TABLE fill;
"""
_PAID: Final = "DELETE FROM open_document WHERE due_on < %s AND document_id %% 100 >= 3"
_TABLES: Final = (
    "document",
    "document_line",
    "document_tax",
    "document_due",
    "entry",
    "posting",
    "charge",
    "open_document",
)


@contextmanager
def filled(base: Path, customers: int, months: int, every: int) -> Iterator[str]:
    """The conninfo of a database with so much in it."""
    cluster = Cluster(data=base / "postgres", socket_dir=base / "postgres-run")
    make_cluster(cluster, settings=SETTINGS)
    start_cluster(cluster, log=base / "postgres.log")
    try:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            there = admin.execute("SELECT FROM pg_database WHERE datname = 'books'").fetchone()
            if there is None:
                admin.execute("CREATE DATABASE books")
        if there is None:
            began = time.monotonic()
            fill_books(cluster.conninfo("books"), customers, months, every)
            click.echo(f"filled in {time.monotonic() - began:.0f} s")
        yield cluster.conninfo("books")
    finally:
        stop_cluster(cluster, mode="fast")


def fill_books(
    conninfo: str, customers: int, months: int, every: int, *, first: date = FIRST, with_runs: bool = False
) -> None:
    """Fill an empty database: so many months of documents from `first` on, each round of them a billing run where that is wanted."""
    sys.path.append(str(ROOT / "tests"))
    books_isp = importlib.import_module("support.books_isp")
    with db.connect(conninfo, name="benchmark") as connection:
        create(connection)
        isp = books_isp.make_books(connection, customers=customers, starts_on=first)
        indexes = _drop_indexes(connection)
        connection.execute("SET session_replication_role = replica; SET jit = off; SET work_mem = '256MB'")
        _execute(
            connection,
            _PREPARE,
            {
                "extras": isp.addresses,
                "customers": isp.customers,
                "contracts": isp.contracts,
                "items": isp.items,
                "first": first,
                "every": every,
            },
        )
        facts = {
            "issuer": isp.issuer,
            "register": isp.registers["RC"],
            "code": isp.tax_codes["IVA-22"],
            "home": isp.products["Home 30"],
            "static": isp.products["Static address"],
            "owing": isp.accounts["1500"],
            "revenue": isp.accounts["4100"],
            "vat": isp.accounts["2600"],
            "count": customers,
        }
        with click.progressbar(range(0, months, every), label="months", file=sys.stderr) as bar:
            for round_, month in enumerate(bar):
                at = {"month": _month(month, first), "next": _month(month + every, first)}
                if with_runs:
                    connection.execute(_RUN, {**facts, **at, "run": round_ + 1})
                of_year = ((first.month - 1 + month) % 12 // every) * customers
                numbers = {"base": round_ * customers, "numbered": of_year, "run": round_ + 1 if with_runs else None}
                _execute(connection, _MONTH, {**facts, **at, **numbers})
                connection.commit()
        connection.execute("SET session_replication_role = replica")
        _execute(connection, _FINISH, {"next": _month(months, first)})
        connection.commit()
        for definition in indexes:
            connection.execute(definition)
        connection.commit()
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _execute(connection: psycopg.Connection[Any], text: str, facts: dict[str, Any]) -> None:
    """Several statements with parameters, which go one by one."""
    for statement in text.split(";\n"):
        if statement.strip():
            connection.execute(statement, facts)


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Take the indexes of the large tables away that are no constraint's; what makes them again."""
    rows = connection.execute(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
        " WHERE t.relname = ANY (%s) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)",
        (list(_TABLES),),
    ).fetchall()
    for name, _ in rows:
        connection.execute(f"DROP INDEX {name}")
    return [definition for _, definition in rows]


def _month(number: int, first: date = FIRST) -> date:
    number += first.month - 1
    return date(first.year + number // 12, number % 12 + 1, 1)


def _show(connection: psycopg.Connection[Any], what: str, runs: int, work: Callable[[], int]) -> None:
    taken = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        found = work()
        taken.append((time.perf_counter() - began) * 1000)
        connection.rollback()
    click.echo(f"{what:64} {found:>8,} rows  first {taken[0]:8.1f} ms  median {statistics.median(taken[1:]):8.1f} ms")


def _explain(connection: psycopg.Connection[Any], what: str, statement: str, facts: dict[str, Any]) -> None:
    click.echo(f"\n{what}")
    for (line,) in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", facts).fetchall():
        click.echo(f"  {line}")
    connection.rollback()


def _check(conninfo: str) -> None:
    began: dict[str, float] = {}
    took: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        name = progress.check.name
        began.setdefault(name, time.monotonic())
        took[name] = time.monotonic() - began[name]

    with db.connect(conninfo, name="benchmark") as connection:
        start = time.monotonic()
        findings = sum(1 for _ in check_books(connection, tell=tell))
        click.echo(f"check of everything: {findings} findings in {time.monotonic() - start:.0f} s, {_memory_mb()} MB")
    for name, seconds in took.items():
        click.echo(f"  {name:24} {seconds:7.1f} s")


def _memory_mb() -> int:
    """The most memory that this process ever had."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


@click.command()
@click.option("--customers", default=100_000, show_default=True)
@click.option("--months", default=60, show_default=True)
@click.option(
    "--every", default=4, show_default=True, help="Months between two documents of a customer; a divisor of 12."
)
@click.option("--runs", default=5, show_default=True)
@click.option("--explain", is_flag=True, help="The plans of what is measured.")
@click.option("--check", is_flag=True, help="Also `corrente ledger check` over all of it.")
@click.option(
    "--at", type=click.Path(path_type=Path), help="Keep the database in this directory, or use the one there."
)
def main(customers: int, months: int, every: int, runs: int, explain: bool, check: bool, at: Path | None) -> None:
    """Measure and print."""
    with working_directory() as base, filled(at or base, customers, months, every) as conninfo:
        with db.connect(conninfo, name="benchmark") as connection:
            _sizes(connection)
        if check:
            _check(conninfo)
        today = _month(months)
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(_PAID, (_month(months - every),))
            connection.execute("VACUUM FULL ANALYZE open_document")
        with db.connect(conninfo, name="benchmark") as connection:
            _screens(connection, today, months - every, runs)
            if explain:
                _plans(connection, today, months - every)


def _sizes(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM document), (SELECT count(*) FROM document_line), (SELECT count(*) FROM posting), (SELECT count(*) FROM charge), pg_size_pretty(pg_database_size(current_database()))"
    ).fetchone()
    assert row is not None
    click.echo("{:,} documents, {:,} lines, {:,} postings, {:,} charges, {}".format(*row))


def _screens(connection: psycopg.Connection[Any], today: date, last_billed: int, runs: int) -> None:
    last = {"since": _month(last_billed), "until": _month(last_billed + 1) - timedelta(days=1)}
    year = {"since": _month(last_billed - 8), "until": today - timedelta(days=1)}
    whole = {"since": FIRST, "until": today}
    ((low, high),) = connection.execute("SELECT min(id), max(id) FROM customer").fetchall()
    middle = (low + high) // 2

    def rows(stream: Any) -> int:
        return sum(1 for _ in stream)

    _show(
        connection,
        "statement of a customer, all years",
        runs,
        lambda: rows(reports.stream_statement(connection, 1, middle, **whole)),
    )
    _show(
        connection,
        "statement of a customer, last year",
        runs,
        lambda: rows(reports.stream_statement(connection, 1, middle, **year)),
    )
    _show(
        connection,
        "open documents of a customer",
        runs,
        lambda: rows(reports.stream_open(connection, 1, today=today, customer_id=middle)),
    )
    _show(
        connection,
        "open documents, a screen of the oldest 100",
        runs,
        lambda: rows(reports.stream_open(connection, 1, today=today, limit=100)),
    )
    _show(
        connection,
        "overdue documents, all",
        runs,
        lambda: rows(reports.stream_open(connection, 1, today=today, overdue=True)),
    )
    _show(connection, "ageing, every customer", runs, lambda: rows(reports.stream_ageing(connection, 1, today=today)))
    _show(connection, "due work, a day", runs, lambda: len(list_due(connection, 1, Scope(), through=today).contracts))
    _show(
        connection,
        "due work, nothing due",
        runs,
        lambda: len(list_due(connection, 1, Scope(), through=today - timedelta(days=1)).contracts),
    )
    _show(connection, "turnover of a month", runs, lambda: rows(turnover.stream_turnover(connection, 1, **last)))
    _show(
        connection,
        "the ledger's turnover of a month",
        runs,
        lambda: rows(turnover.stream_ledger_turnover(connection, 1, **last)),
    )
    _show(connection, "VAT sums of a month", runs, lambda: rows(turnover.stream_vat_sums(connection, 1, **last)))
    _show(
        connection,
        "trial balance, all years",
        1,
        lambda: rows(reports.stream_trial_balance(connection, 1, until=today)),
    )


def _plans(connection: psycopg.Connection[Any], today: date, last_billed: int) -> None:
    middle = connection.execute("SELECT (min(id) + max(id)) / 2 FROM customer").fetchone()
    assert middle is not None
    last = {
        "issuer": 1,
        "since": _month(last_billed),
        "until": _month(last_billed + 1) - timedelta(days=1),
        "register": None,
    }
    _explain(connection, "statement", reports._STATEMENT, {**last, "since": FIRST, "customer": middle[0]})
    _explain(
        connection,
        "open documents",
        reports._OPEN,
        {"issuer": 1, "today": today, "customer": None, "overdue": False, "limit": 100},
    )
    _explain(
        connection,
        "ageing",
        reports._AGEING,
        {"issuer": 1, "today": today, "customer": None, "ages": list(reports.AGES)},
    )
    _explain(connection, "turnover of a month", turnover._TURNOVER, last)
    _explain(connection, "VAT sums of a month", turnover._VAT_SUMS, last)


if __name__ == "__main__":
    main()
