"""Numbers and days beyond what the books hold are refused in words, before anything is worked out with them."""

from __future__ import annotations

import pytest
from support.books_isp import make_books
from support.command_line import run, write_settings

pytestmark = pytest.mark.db
LINE = "text=Cable,quantity=1,tax=IVA-22,price="


@pytest.fixture
def corrente(connection, database, tmp_path):
    make_books(connection, customers=1)
    settings = write_settings(tmp_path, database)
    return lambda *typed: run(settings, *typed)


@pytest.mark.parametrize(
    "typed",
    [
        ("invoice", "new", "1", "--line", LINE + "1e999999"),
        ("invoice", "new", "1", "--line", LINE + "1e-99999999"),
        ("invoice", "new", "1", "--line", LINE + "0e99999999"),
        ("invoice", "new", "1", "--line", "text=Cable,quantity=999999999999,tax=IVA-22,price=999999999"),
        ("quote", "new", "--customer", "1", "--by-hand", "A;1e400;1;IVA-22", "--valid-until", "2999-12-31"),
        ("catalogue", "price", "Home 30", "1e20", "--from", "2999-01-01"),
        ("price-change", "Home 30", "--by-percent", "1e20", "--from", "2999-01-01", "--everybody", "--yes"),
        ("price-change", "Home 30", "--by-percent", "999999999999", "--from", "2999-01-01", "--everybody", "--yes"),
        ("price-change", "Home 30", "--to", "1", "--from", "9999-12-31", "--everybody", "--yes"),
        ("ledger", "close", "--through", "9999-12-31", "--yes", "--despite-unfinished"),
    ],
)
def test_what_is_beyond_the_books_is_refused_in_words(corrente, connection, typed):
    done = corrente(*typed)

    assert done.exit_code in (1, 2), done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "expected a" in done.output or "greater than the database holds" in done.output
    assert connection.execute("SELECT count(*) FROM document").fetchone() == (0,)
