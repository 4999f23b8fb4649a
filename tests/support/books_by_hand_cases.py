"""For every constraint of entries by hand, of charts of accounts and of open documents: what it refuses, and its neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.ledger_cases import ISSUED
from support.legal_world import insert


def _entries() -> Iterator[Case]:
    for column in ("note", "evidence"):
        yield case(f"entry_{column}_check", "entry", {column: "''"}, {column: "'statement 3'"})
    by_hand = {"source": "'manual'", "note": "'Fees of March'"}
    yield case("entry_by_hand_says_what", "entry", {**by_hand, "note": "NULL"}, by_hand)
    taken_back = {"source": "'correction'", "note": "'twice'", "corrects_id": "1", "source_id": "1"}
    yield case("entry_by_hand_says_what", "entry", {**taken_back, "note": "NULL"}, taken_back)
    yield case("entry_correction_names_what", "entry", {**taken_back, "corrects_id": "NULL"}, taken_back)
    yield case("entry_correction_names_what", "entry", {**taken_back, "source_id": "2"}, taken_back)


def _chart() -> Iterator[Case]:
    table = "ledger_account"
    yield case(f"{table}_role_once", table, {"role": "'revenue'", "family": "'access'"}, {"role": "'revenue'"})
    apart = {"role": "'revenue'", "family": "'access'", "stands_for": "false"}
    yield case(f"{table}_role_once", table, {**apart, "stands_for": "true"}, apart)
    other = {"role": "'other'", "stands_for": "false"}
    yield case(f"{table}_other_stands_for_nothing", table, {**other, "stands_for": "true"}, other)
    for change in ("role = 'bank'", "issuer_id = 2"):
        second = insert("issuer", id="2") + "; " + insert(table, id="9") + "; "
        yield Case(
            f"{table}_role_stays",
            f"{second}UPDATE {table} SET {change} WHERE id = 3",
            f"{second}UPDATE {table} SET {change} WHERE id = 9; UPDATE {table} SET name = 'Fibre', role = role WHERE id = 3",
        )


def _open() -> Iterator[Case]:
    table = "open_document"
    yield Case(f"{table}_is_counted", insert(table), ISSUED + "SELECT 1")
    for wrong in (f"UPDATE {table} SET open = 1", f"DELETE FROM {table}"):
        yield Case(f"{table}_is_counted", ISSUED + wrong, ISSUED + "SELECT 1")
    off = f"ALTER TABLE {table} DISABLE TRIGGER {table}_is_counted; "
    yield Case(f"{table}_pkey", f"{off}{insert(table)}; {insert(table)}", off + insert(table))
    yield Case(f"{table}_open_check", off + insert(table, open="0"), off + insert(table, open="-0.01"))


def _turnover() -> Iterator[Case]:
    table = "turnover"
    yield Case(f"{table}_is_counted", insert(table), ISSUED + "SELECT 1")
    for wrong in (f"UPDATE {table} SET net = 1", f"DELETE FROM {table}"):
        yield Case(f"{table}_is_counted", ISSUED + wrong, ISSUED + "SELECT 1")
    off = f"ALTER TABLE {table} DISABLE TRIGGER {table}_is_counted; "
    yield Case(
        f"{table}_pkey", f"{off}{insert(table, id='77')}; {insert(table, id='77')}", off + insert(table, id="77")
    )


BY_HAND_CASES: Final[tuple[Case, ...]] = tuple(one for group in (_entries, _chart, _open, _turnover) for one in group())
