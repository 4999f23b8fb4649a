"""What runs and deeds leave behind in mixed contracts is what the check works out from nothing."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from support.billing_world import bill, make_mixed_books

from billing.deeds import Changed, Pause, ReachEnd, ScheduleEnd
from billing.operations.doing import do_deed
from billing.store.checks.catalogue import check_books
from control_plane import db

pytestmark = pytest.mark.db
D = date.fromisoformat


def found(conninfo):
    with db.connect(conninfo, name="test") as connection:
        return [f"{one.check} {one.subject}: {one.message}" for one in check_books(connection)]


def do(conninfo, contract, deed, today):
    with psycopg.connect(conninfo) as connection:
        outcome = do_deed(connection, contract, deed, today=D(today), actor="maria")
        assert isinstance(outcome, Changed), outcome


def test_months_of_runs_of_mixed_contracts_are_sound(database):
    with db.connect(database, name="test") as connection:
        make_mixed_books(connection, customers=40)
    assert found(database) == []

    bill(database, D("2026-01-25"))
    bill(database, D("2026-02-12"), workers=1, batch=3)
    assert found(database) == []
    do(database, 8, Pause(D("2026-03-01"), D("2026-03-09")), "2026-02-20")
    bill(database, D("2026-03-12"))
    for contract in (1, 4, 6, 20):
        do(database, contract, ScheduleEnd(D("2026-03-20"), notice_waived=True), "2026-03-15")
        do(database, contract, ReachEnd(), "2026-03-20")
    bill(database, D("2026-05-02"))

    assert found(database) == []
    with db.connect(database, name="test") as connection:
        (charges, credits, notes) = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE kind = 'credit'), (SELECT count(*) FROM document WHERE kind = 'credit_note') FROM charge"
        ).fetchone()
    # Something of each was there to be checked.
    assert charges > 200
    assert credits > 3
    assert notes > 0
