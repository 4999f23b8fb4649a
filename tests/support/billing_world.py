"""Running the billing of a test's ISP, and what it wrote: the same columns of all tables, without ids' gaps and clock times."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
from support.books_isp import BooksIsp, make_books

from billing.runs.batch import Tally
from billing.runs.billing_run import issue_run
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.positions import place_items
from billing.store.runs import confirm_run, load_run
from control_plane import db

EVERYTHING = Scope()
# What billing writes, told by what does not depend on when or in how many pieces it was written.
_TOLD = {
    "charge": """SELECT i.contract_id, h.item_id, h.kind, h.during, h.units, h.of, h.full_price, h.discounted, h.net, h.due_on, h.covered, h.stop_id,
        d.label, h.line_number, o.item_id, o.during FROM charge h JOIN contract_item i ON i.id = h.item_id LEFT JOIN document d ON d.id = h.document_id
        LEFT JOIN charge o ON o.id = h.corrects_id ORDER BY h.item_id, h.kind, h.during""",
    "document": """SELECT label, kind, state, customer_id, register_id, year, number, document_date, currency, includes_tax, net, tax, gross, payable,
        stamp_duty, customer_data, language FROM document ORDER BY register_id, year, number""",
    "document_line": """SELECT d.label, l.number, l.contract_id, l.item_id, l.description, l.during, l.quantity, l.unit_price, l.discount, l.net, l.rate,
        l.nature, l.account_id, c.label, l.corrects_number FROM document_line l JOIN document d ON d.id = l.document_id LEFT JOIN document c ON c.id = l.corrects_id
        ORDER BY d.register_id, d.year, d.number, l.number""",
    "document_tax": """SELECT d.label, t.rate, t.nature, t.liability, t.base, t.tax FROM document_tax t JOIN document d ON d.id = t.document_id
        ORDER BY d.register_id, d.year, d.number, t.rate, t.nature""",
    "document_due": """SELECT d.label, u.number, u.due_on, u.amount FROM document_due u JOIN document d ON d.id = u.document_id
        ORDER BY d.register_id, d.year, d.number, u.number""",
    "posting": """SELECT d.label, e.dated, e.kind, p.number, p.account_id, p.customer_id, p.amount FROM posting p JOIN entry e ON e.id = p.entry_id
        LEFT JOIN document d ON e.source = 'document' AND d.id = e.source_id ORDER BY d.register_id, d.year, d.number, p.number""",
    "billing_position": "SELECT * FROM billing_position ORDER BY item_id",
    "register_year": "SELECT * FROM register_year ORDER BY 1, 2",
    "customer_balance": "SELECT * FROM customer_balance ORDER BY 1, 2, 3",
    "billing_error": "SELECT run_id, customer_id, contract_id, reason FROM billing_error ORDER BY 1, 2, 3",
}


# By the number of the contract: days, prices, lengths, timing, discounts, groups, payers, fees in parts, pauses and stops.
_MIX = """
UPDATE contract_terms SET includes_tax = contract_id % 5 = 0, on_negative = CASE contract_id % 2 WHEN 0 THEN 'credit_note' ELSE 'next_document' END::negative_change,
    timing = CASE WHEN contract_id % 11 = 7 THEN 'posticipated' ELSE 'anticipated' END::due_timing, lead_days = CASE WHEN contract_id % 10 = 9 THEN 3 ELSE 0 END,
    opening = CASE contract_id % 12 WHEN 3 THEN 'join' WHEN 5 THEN 'full' WHEN 7 THEN 'free' ELSE 'prorate' END::opening_rule,
    basis = CASE WHEN contract_id % 6 = 5 THEN 'thirty' ELSE 'actual' END::day_basis, due_days = CASE contract_id % 3 WHEN 0 THEN 30 ELSE 15 END;
UPDATE contract_terms SET payer_id = contract_id - 1, billing_group = 'home', due_days = 15, includes_tax = false WHERE contract_id % 7 = 3;
UPDATE contract_terms SET billing_group = 'home', due_days = 15, includes_tax = false WHERE contract_id % 7 = 2;
UPDATE customer SET kind = 'public_body', given_name = NULL, family_name = NULL WHERE id % 13 = 8;
UPDATE contract_item SET wanted_day = 1 + contract_id % 31, anchor = date '2026-01-01' + (contract_id % 31)::integer,
    starts_on = date '2026-01-01' + (contract_id % 31 - contract_id % 4)::integer, months = CASE WHEN contract_id % 10 = 0 THEN 3 ELSE 1 END,
    period_price = CASE kind WHEN 'plan' THEN 9.90 + contract_id * 37 % 4000 / 100.0 ELSE 1 + contract_id % 7 / 2.0 END, quantity = CASE WHEN kind = 'add_on' AND contract_id % 4 = 0 THEN 3 ELSE 1 END;
INSERT INTO discount (contract_id, kind, value, during, priority, reason, placed_by)
    SELECT contract_id, 'percent', 10, '[2026-01-15,2026-03-10)', 10, 'spring', 'maria' FROM contract_terms WHERE contract_id % 4 = 1 ORDER BY 1;
INSERT INTO discount (contract_id, kind, value, during, reason, placed_by)
    SELECT contract_id, 'fixed', 3, '[2026-01-01,2026-05-01)', 'loyal', 'maria' FROM contract_terms WHERE contract_id % 6 = 1 ORDER BY 1;
INSERT INTO contract_item (contract_id, product_id, kind, period_price, starts_on)
    SELECT contract_id, (SELECT id FROM product WHERE name = 'Activation'), 'one_off', 49, '2026-01-20' FROM contract_terms WHERE contract_id % 4 = 0 ORDER BY 1;
INSERT INTO instalment (item_id, number, due_on, amount)
    SELECT id, n, date '2026-01-20' + 31 * (n - 1), CASE n WHEN 1 THEN 17 ELSE 16 END FROM contract_item, generate_series(1, 3) AS n WHERE kind = 'one_off' AND contract_id % 8 = 4 ORDER BY 1, 2;
INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by)
    SELECT contract_id, '[2026-02-01,2026-04-15)', 'stop', 'works', 'maria' FROM contract_terms WHERE contract_id % 9 = 5 ORDER BY 1;
INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by)
    SELECT contract_id, '[2026-02-10,2026-02-20)', 'credit_days', 'holiday', 'maria' FROM contract_terms WHERE contract_id % 9 = 6 ORDER BY 1;
"""


def make_mixed_books(connection: psycopg.Connection[Any], *, customers: int) -> BooksIsp:
    """Contracts that differ in all that a run minds, the same ones each time. Committed."""
    isp = make_books(connection, customers=customers, static_address_every=2)
    acting(connection, "maria")
    for statement in _MIX.split(";\n"):
        connection.execute(statement)  # type: ignore[arg-type]
    connection.execute("DELETE FROM billing_position")
    place_items(connection, isp.contracts)
    connection.commit()
    return isp


def what_is_written(conninfo: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that billing wrote, comparable between databases that were filled alike."""
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        return {table: connection.execute(query).fetchall() for table, query in _TOLD.items()}


def prepare(conninfo: str, day: date, *, issuer: int = 1, scope: Scope = EVERYTHING) -> int:
    """Prepare and confirm the run of a day; its id."""
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        run = prepare_run(connection, issuer, run_date=day, scope=scope, by="maria")
        with connection.transaction():
            acting(connection, "maria")
            confirm_run(connection, run.id, by="maria")
    return run.id


def go_on(conninfo: str, run_id: int, **more: Any) -> Tally:
    """Issue a confirmed run, or what is left of it."""

    def connect() -> psycopg.Connection[Any]:
        return db.connect(conninfo, name="test billing", autocommit=True)

    with connect() as connection:
        run = load_run(connection, run_id)
    assert run is not None
    return issue_run(connect, run, made_by="job billing", **more)


def bill(conninfo: str, day: date, *, issuer: int = 1, scope: Scope = EVERYTHING, **more: Any) -> Tally:
    """Prepare, confirm and issue."""
    return go_on(conninfo, prepare(conninfo, day, issuer=issuer, scope=scope), **more)
