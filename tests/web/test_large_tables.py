"""Pages in front of which somebody sits all day read no table from end to end that grows with lines, sessions or bookings.

Each statement of a page is explained with sequential scans made dear: a table that is read whole in spite of that has no index
for what was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.console_world import Console

from control_plane import db

LARGE = (
    "subscriber_account",
    "session",
    "posting",
    "charge",
    "document",
    "document_line",
    "payment",
    "login_attempt",
    "enforcement",
)
PAGES = (
    "/home", "/online", "/online?state=stale", "/online?sort=username", "/online?username=a", "/online?ip=198.18.0.0/24", "/accounts", "/accounts?status=ended", "/accounts?level=walled",
    "/accounts/{username}", "/accounts/{username}/usage", "/accounts/{username}/answer", "/customers", "/customers/{customer}", "/contracts", "/contracts?status=ended", "/contracts/{contract}",
    "/documents", "/documents?state=open", "/payments", "/dunning", "/products", "/nases", "/nases/{nas}", "/ledger/accounts",
    "/nases/{nas}/edit", "/guard", "/enforcements",
)  # fmt: skip


@pytest.fixture(scope="module")
def told(console: Console) -> dict[str, Any]:
    """Somebody whose pages are asked for."""
    ((username, contract, customer),) = console.query(
        "SELECT a.username, c.id, c.customer_id FROM subscriber_account AS a JOIN contract AS c ON c.id = a.contract_id ORDER BY a.id LIMIT 1"
    )
    ((nas,),) = console.query("SELECT min(name) FROM nas")
    return {"username": username, "contract": contract, "customer": customer, "nas": nas}


def read_whole(node: dict[str, Any]) -> Iterator[str]:
    """The large tables that a plan reads from end to end."""
    table = node.get("Relation Name", "").rsplit("_20", 1)[0]
    if table in LARGE and node["Node Type"] == "Seq Scan":
        yield table
    for child in node.get("Plans", ()):
        yield from read_whole(child)


def explained(console: Console, said: list[tuple[Any, Any]]) -> Iterator[tuple[str, set[str]]]:
    """Each statement that reads, with the large tables that it reads whole."""
    with db.connect(console.conninfo, name="test") as connection:
        connection.execute("SET enable_seqscan = off")
        for query, values in said:
            text = query if isinstance(query, str) else query.as_string(connection)
            if text.lstrip().upper().startswith(("SELECT", "WITH")):
                ((plan,),) = connection.execute("EXPLAIN (FORMAT JSON) " + text, values).fetchall()
                yield " ".join(text.split()), set(read_whole(plan[0]["Plan"]))


@pytest.mark.parametrize("page", PAGES)
def test_the_page_reads_no_large_table_whole(
    console: Console, told: dict[str, Any], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[Any, Any]] = []
    plain = psycopg.Cursor.execute

    def heard(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        said.append((query, params))
        return plain(self, query, params, **more)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", heard)
        answer = console.client().get(page.format(**told))
    assert answer.status_code in (200, 422)
    assert len(said) > 2, "the page's statements were not heard"
    assert [(text, tables) for text, tables in explained(console, said) if tables] == []


def test_a_table_that_is_read_whole_is_noticed(console: Console, told: dict[str, Any]) -> None:
    whole = ["SELECT * FROM session WHERE octets_in = 7", "SELECT id FROM charge WHERE net = 7"]
    assert all(tables for _, tables in explained(console, [(one, None) for one in whole]))
