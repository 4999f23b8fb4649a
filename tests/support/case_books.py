"""Worked cases that the real books answer: a PostgreSQL of their own, a small ISP in it, documents issued and billed as always.

A database is made for each case from one template; the server starts with the first of them and ends with the process.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Final

import psycopg
from msgspec.structs import replace
from support.billing_world import bill
from support.books_isp import BooksIsp, desk, make_books
from support.case_calls import CALLS, calls
from support.case_contract import MODES, START, THROUGH, TODAY, boundary_of, months_of
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, amount_or, as_day, named
from support.own_postgres import copy_database, own_postgres

from billing.documents import draft_document
from billing.errors import BillingError
from billing.periods import Timing
from billing.store.acting import acting
from billing.store.documents import Issued, issue
from billing.store.positions import place_items
from control_plane import db
from control_plane.machine.private_postgres import Cluster

_opened = ExitStack()
_servers: list[tuple[Cluster, str]] = []
_numbers = count(1)


def use_cluster(cluster: Cluster, *, template: str) -> None:
    """Answer from a server that runs already; its template database has the schema and nothing else."""
    _servers[:] = [(cluster, template)]


def _server() -> tuple[Cluster, str]:
    if not _servers:
        _servers.append((_opened.enter_context(own_postgres()), "corrente"))
        atexit.register(_opened.close)
    return _servers[0]


@contextmanager
def fresh_books() -> Iterator[str]:
    """The conninfo of an empty database of Corrente's."""
    (cluster, template), name = _server(), f"case_{next(_numbers)}"
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, name, template)
        try:
            yield cluster.conninfo(name)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def idempotency(given: Values) -> dict[str, Any]:
    """So many runs of one day, one after the other or all at once: what was issued. Or calls that are repeated under a key."""
    fields = Fields(given)
    if fields.has(*CALLS):
        with fresh_books() as conninfo:
            return calls(given, conninfo)
    triggers = fields.whole("triggers", "runs", "times", "attempts")
    at_once = bool(fields.take("concurrent", "at_once", "parallel", default=False))
    contract = Fields(fields.take("contract"), "the contract")
    start, months = contract.day(*START), months_of(contract, default=1)
    boundary, wanted = boundary_of(contract, start, months)
    price = contract.number("price", "period_price", "amount")
    timing = contract.word(MODES, "mode", "timing", default=Timing.ANTICIPATED)
    contract.done()
    day = fields.day(*TODAY, *THROUGH)
    fields.done()
    with fresh_books() as conninfo:
        with db.connect(conninfo, name="test") as connection:
            isp = make_books(
                connection, customers=1, starts_on=start, price=price, static_address_every=9, timing=f"'{timing}'"
            )
            acting(connection, "maria")
            connection.execute(
                "UPDATE contract_item SET months = %s, anchor = %s, wanted_day = %s", (months, boundary, wanted)
            )
            connection.execute("DELETE FROM billing_position")
            place_items(connection, isp.contracts)
        if at_once:
            with ThreadPoolExecutor(triggers) as pool:
                list(pool.map(lambda _: _bill_or_be_refused(conninfo, day), range(triggers)))
        else:
            for _ in range(triggers):
                bill(conninfo, day)
        return _issued(conninfo)


def _bill_or_be_refused(conninfo: str, day: date) -> None:
    # A trigger that finds the run of the day at work is refused and leaves it to that; what came of all is counted.
    with suppress(BillingError):
        bill(conninfo, day)


def _issued(conninfo: str) -> dict[str, Any]:
    with db.connect(conninfo, name="test") as connection:
        documents = connection.execute(
            "SELECT label, net, gross FROM document WHERE state = 'issued' ORDER BY number"
        ).fetchall()
        charges = connection.execute("SELECT count(*) FROM charge WHERE kind = 'period'").fetchone()
    got = named(len(documents), "invoices", "documents", "invoice_count", "count")
    got |= named(str(sum((one[1] for one in documents), Decimal(0))), "net", "net_total", "total")
    return got | named(charges[0] if charges else 0, "charges", "periods", "lines")


BROKEN: Final = ("broken", "bad", "fails", "failing", "faulty", "error", "invalid", "corrupt")


def isolation(given: Values) -> dict[str, Any]:
    """Many contracts, some that can't be billed: the others are, and who is not is told with a reason."""
    fields = Fields(given)
    told = fields.take("contracts", "subscriptions")
    day = fields.day(*TODAY, *THROUGH, default=date(2026, 1, 1))
    if isinstance(told, int):
        which = fields.take(*BROKEN, default=1)
        bad = set(which) if isinstance(which, list) else set(range(1, int(which) + 1))
        told = [{"id": f"C{number}", "broken": number in bad} for number in range(1, told + 1)]
    bad_names = {str(one) for one in fields.objects("bad_contracts", *BROKEN, default=[])}
    fields.done()
    contracts = [_one_of_many(one, number) for number, one in enumerate(told, start=1)]
    names = [name for name, _, _ in contracts]
    broken = [bad or name in bad_names for name, _, bad in contracts]
    with fresh_books() as conninfo:
        with db.connect(conninfo, name="test") as connection:
            isp = make_books(connection, customers=len(names), starts_on=day, static_address_every=len(names) + 1)
            acting(connection, "maria")
            _break(connection, isp, [price for _, price, _ in contracts], broken)
        tally = bill(conninfo, day)
        with db.connect(conninfo, name="test") as connection:
            billed = connection.execute("SELECT DISTINCT contract_id FROM document_line ORDER BY 1").fetchall()
            state = connection.execute("SELECT state::text FROM billing_run").fetchone()
        got = _issued(conninfo)
    of = dict(zip(isp.contracts, names, strict=True))
    failed = [(of[one.contract_id], one.reason) for one in tally.failures if one.contract_id is not None]
    good, bad_ones = [of[number] for (number,) in billed], sorted(name for name, _ in failed)
    got |= named(amount_or(good, len(good)), "billed", "billed_contracts", "invoiced", "succeeded", "ok")
    got |= named(
        amount_or(bad_ones, len(bad_ones)),
        "failed",
        "errors_of",
        "not_billed",
        "failures",
        "culprits",
        "errors",
        "reported",
    )
    got |= named(len(failed), "error_count", "failed_count")
    got |= named(len(billed), "billed_count") | named(state[0] if state else None, "run", "state", "run_state")
    return got | named([bool(reason) for _, reason in failed], "has_reason", "reasons_told")


def _one_of_many(given: Any, number: int) -> tuple[str, Decimal, bool]:
    """A contract's name, its price, and whether it can't be billed; one with a price of null can't."""
    if not isinstance(given, Mapping):
        word = str(given).lower()
        return str(given) if word not in ("ok", "good", *BROKEN) else f"C{number}", Decimal(10), word in BROKEN
    unpriced = "price" in given and given["price"] is None
    fields = Fields(given, f"contract {number}")
    name = str(fields.take("id", "name", "contract", default=f"C{number}"))
    price = fields.number("price", "amount", "net", "period_price", default=Decimal(10))
    flagged = fields.take(*BROKEN, default=False) or fields.take("state", "status", default="ok") in BROKEN
    fields.done()
    return name, price, unpriced or bool(flagged)


def _break(connection: psycopg.Connection[Any], isp: BooksIsp, prices: list[Decimal], broken: list[bool]) -> None:
    """Give each contract its price, and the customers of those that are to fail a tax code without a rate."""
    for item, price in zip(isp.items, prices, strict=True):
        connection.execute("UPDATE contract_item SET period_price = %s WHERE id = %s", (price, item))
    connection.execute("INSERT INTO tax_code (name) VALUES ('NO-RATE')")
    connection.execute("INSERT INTO fiscal_position (name) VALUES ('Unfinished')")
    connection.execute(
        "INSERT INTO fiscal_position_tax SELECT p.id, f.id, t.id FROM fiscal_position p, tax_code f, tax_code t"
        " WHERE p.name = 'Unfinished' AND f.name = 'IVA-22' AND t.name = 'NO-RATE'"
    )
    customers = [customer for customer, bad in zip(isp.customers, broken, strict=True) if bad]
    connection.execute(
        "UPDATE customer SET fiscal_position_id = (SELECT id FROM fiscal_position WHERE name = 'Unfinished')"
        " WHERE id = ANY(%s)",
        (customers,),
    )


ISSUES: Final = {
    **dict.fromkeys(("issue", "issued", "invoice", "commit", "document", "post", "ok"), "issue"),
    **dict.fromkeys(
        ("rollback", "rolled_back", "abort", "aborted", "fail", "failed", "error", "crash", "cancelled"), "rollback"
    ),
    **dict.fromkeys(("credit_note", "credit", "refund"), "credit_note"),
    **dict.fromkeys(("draft", "prepare", "preview"), "draft"),
}


@dataclass(frozen=True, slots=True)
class _Happens:
    """What happens on a day: a document issued, rolled back or left a draft, by name and series."""

    day: date
    what: str
    name: str
    series: str = ""


def numbering(given: Values) -> dict[str, Any]:
    """Numbers that registers give to documents as they are issued, rolled back or dated back: by the real database."""
    fields = Fields(given)
    if fields.has("writers"):
        return _many_writers(fields)
    told = fields.objects("events", "documents", "attempts", "issues")
    last = fields.whole("last_number", "last", "start_after", "counter", default=None)
    begun = fields.day("last_date", default=None)
    fields.take("register", "series", default=None)
    fields.done()
    events = [_event(one, number) for number, one in enumerate(told, start=1)]
    series = list(dict.fromkeys(one.series for one in events if one.what != "credit_note")) or [""]
    if len(series) > len(SERIES):
        raise NotCoveredError(f"{len(series)} series of invoices; there are {len(SERIES)} to try with")
    made: list[Issued | None] = []
    refused: list[bool] = []
    with fresh_books() as conninfo, db.connect(conninfo, name="test") as connection:
        isp = any_day(connection)
        if last is not None:
            connection.execute(
                "INSERT INTO register_year (register_id, year, last_number, last_date) VALUES (%s, %s, %s, %s)",
                (isp.registers["FT"], events[0].day.year, last, begun or events[0].day),
            )
        connection.commit()
        for event in events:
            invoices = [one for one, other in zip(made, events, strict=False) if one and other.what == "issue"]
            one, no = _one_event(
                connection, isp, event, SERIES[series.index(event.series) if event.series in series else 0], invoices
            )
            made.append(one)
            refused.append(no)
    return _told_numbers(events, made, refused, last)


def _told_numbers(
    events: list[_Happens], made: list[Issued | None], refused: list[bool], last: int | None
) -> dict[str, Any]:
    numbers = [one.number if one else None for one in made]
    taken = [one for one in numbers if one is not None]
    by_name = {event.name: number for event, number in zip(events, numbers, strict=True)}
    turned_down = [event.name for event, no in zip(events, refused, strict=True) if no]
    got = named(
        AnyOf((taken, numbers, by_name, {name: one for name, one in by_name.items() if one})),
        "numbers",
        "issued",
        "issued_numbers",
        "number",
    )
    got |= named(AnyOf((numbers, by_name)), "by_event", "per_event", "results")
    got |= named([one.label for one in made if one], "labels") | named(
        AnyOf((refused, turned_down, len(turned_down), any(refused))), "refused", "rejected"
    )
    got |= named(taken[-1] if taken else last, "last", "last_number") | named(
        len(taken), "count", "documents", "issued_count"
    )
    gaps = sorted(set(range((last or 0) + 1, max(taken, default=0) + 1)) - set(taken))
    got |= named(AnyOf((gaps, len(gaps), bool(gaps))), "gaps", "holes")
    return got | named((taken[-1] if taken else last or 0) + 1, "next", "next_number")


def any_day(connection: psycopg.Connection[Any]) -> BooksIsp:
    """An ISP of one customer whose taxes are known for every day that a case may name."""
    isp = make_books(connection, customers=1)
    acting(connection, "maria")
    connection.execute("UPDATE tax_rate SET during = '[1970-01-01,)'")
    return isp


def _event(event: Any, number: int) -> _Happens:
    """One event, as a list of day, what and name, an object, or a day alone."""
    if isinstance(event, str):
        event = [event]
    if isinstance(event, list):
        day, word, name, *rest = [*event, *["issue", f"D{number}"][len(event) - 1 :]]
        if rest or str(word).lower() not in ISSUES:
            raise NotCoveredError(f"event {number} is {event!r}; known are {', '.join(ISSUES)}")
        return _Happens(as_day(day), ISSUES[str(word).lower()], str(name))
    fields = Fields(event, f"event {number}")
    day = fields.day("date", "on", "document_date", "day")
    what = str(fields.word(ISSUES, "event", "kind", "action", "outcome", "result", "type", default="issue"))
    if fields.take("fails", "rollback", "rolled_back", "aborts", default=False):
        what = "rollback"
    name = str(fields.take("id", "name", "document", default=f"D{number}"))
    series = str(fields.take("register", "series", "sectional", default=""))
    fields.done()
    return _Happens(day, what, name, series)


SERIES: Final = ("FT", "RC")


def _one_event(
    connection: psycopg.Connection[Any], isp: BooksIsp, event: _Happens, register: str, invoices: list[Issued]
) -> tuple[Issued | None, bool]:
    """Do it: the document if it was issued, and whether the books refused it."""
    if event.what == "draft":
        return None, False
    table = desk(connection, isp)
    if event.what == "credit_note":
        if not invoices:
            raise NotCoveredError(f"credit note {event.name} comes before any invoice")
        draft = draft_document(
            [table.line("1.00", day=event.day, corrects=(invoices[-1].id, 1))],
            table.parties[isp.customers[0]],
            register=table.registers["NC"],
            document_date=event.day,
            currency="EUR",
            includes_tax=False,
        )
        draft = replace(draft, corrects_id=invoices[-1].id)
    else:
        draft = table.invoice(table.line("10.00", day=event.day), register=register, day=event.day)
    connection.commit()
    try:
        with connection.transaction(force_rollback=event.what == "rollback"):
            acting(connection, "maria")
            (made,) = issue(connection, [draft], made_by="maria")
    except (BillingError, psycopg.Error):
        return None, True
    return (None if event.what == "rollback" else made), False


def _many_writers(fields: Fields) -> dict[str, Any]:
    """Several at once, every so many-th of whose transactions gives up."""
    writers, each = fields.whole("writers"), fields.whole("documents", "documents_each", "each", "per_writer")
    gives_up = fields.whole("rollback_every", "fail_every", "every", default=0)
    day = fields.day("date", "on", default=date(2026, 3, 1))
    fields.done()
    with fresh_books() as conninfo:
        with db.connect(conninfo, name="test") as connection:
            isp = any_day(connection)

        def write(_: int) -> None:
            with db.connect(conninfo, name="test", autocommit=True) as own:
                table = desk(own, isp)
                for number in range(1, each + 1):
                    with own.transaction(force_rollback=bool(gives_up) and number % gives_up == 0):
                        acting(own, "maria")
                        issue(own, [table.invoice(table.line("10.00"), day=day)], made_by="maria")

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        with db.connect(conninfo, name="test") as connection:
            numbers = [
                row[0]
                for row in connection.execute("SELECT number FROM document WHERE state = 'issued' ORDER BY number")
            ]
    gaps = sorted(set(range(1, (numbers[-1] if numbers else 0) + 1)) - set(numbers))
    got = named(len(numbers), "issued", "count", "documents") | named(
        numbers[-1] if numbers else 0, "last", "last_number", "highest"
    )
    return got | named(len(gaps), "gaps", "holes") | named(len(numbers) - len(set(numbers)), "doubles", "duplicates")


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "idempotency": idempotency,
    "isolation": isolation,
    "numbering": numbering,
}
