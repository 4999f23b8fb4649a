"""For each constraint of the tables of banks' files, what it must refuse. Values are SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_BAD: Final = (
    ("bank_account", "name", "''", "'b'"),
    ("bank_account", "account", "'it 60'", "'IT60'"),
    ("bank_account", "automatic_from", "0", "101"),
    ("bank_account", "automatic_from", "102", "1"),
    ("bank_account", "layout", "'[]'", "'{}'"),
    ("bank_file", "name", "''", "'f'"),
    ("bank_file", "form", "'mt940'", "'csv'"),
    ("bank_file", "made_by", "''", "'maria'"),
)
_WAITING: Final = {"state": "'waiting'", "decided_by": "'maria'"}


def _rows() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in ("bank_account", "bank_file", "bank_line"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    yield case("bank_account_name_once", "bank_account", {"name": "'Savings'"})
    yield case("bank_account_account_once", "bank_account", {"account": "'123456789'"})
    yield case("bank_account_issuer_id_fkey", "bank_account", {"issuer_id": "999"})
    yield case("bank_account_method_of_its_issuer", "bank_account", {"method_id": "999"})
    yield case("bank_file_once", "bank_file", {"digest": "sha256('a')"})
    for wrong in ("UPDATE bank_file SET name = 'x'", "DELETE FROM bank_file WHERE id = 2"):
        yield Case("bank_file_append_only", f"{insert('bank_file', id='2')}; {wrong}", insert("bank_file"))
    silent = "SET LOCAL corrente.actor = ''; "
    deeds = {
        "insert": insert("bank_account"),
        "update": "UPDATE bank_account SET automatic_from = 95",
        "delete": f"{insert('bank_account', id='2')}; {silent}DELETE FROM bank_account WHERE id = 2",
    }
    for word, deed in deeds.items():
        right = deed.replace(silent, "")
        yield Case(f"bank_account_money_{word}", deed if word == "delete" else silent + deed, right)


def _lines() -> Iterator[Case]:
    table = "bank_line"
    yield case("bank_line_once", table, {"key": "'k1'"})
    yield case("bank_line_file_id_fkey", table, {"file_id": "999"})
    yield case("bank_line_bank_account_id_fkey", table, {"bank_account_id": "999"})
    yield case("bank_line_payment_id_fkey", table, {"payment_id": "999"})
    for wrong in ("0", "1.001"):
        yield case("bank_line_is_an_amount", table, {"amount": wrong}, {"amount": "-1.01"})
    yield case("bank_line_is_decided", table, {**_WAITING, "decided_by": "NULL"}, _WAITING)
    yield case("bank_line_is_decided", table, {**_WAITING, "state": "'new'"}, _WAITING)
    for state in ("recorded", "returned"):
        yield case("bank_line_has_its_payment", table, {**_WAITING, "state": f"'{state}'"}, _WAITING)
    waits = "UPDATE bank_line SET state = 'waiting', decided_by = 'maria'"
    for wrong in (
        "UPDATE bank_line SET amount = 51",
        'UPDATE bank_line SET told = \'{"party": "x"}\'',
        f"{waits}; UPDATE bank_line SET state = 'new', decided_by = NULL",
    ):
        yield Case("bank_line_tells_the_same", wrong, waits)
    yield Case("bank_line_stays", "DELETE FROM bank_line", waits)


BANK_CASES: Final = tuple(case for part in (_rows, _lines) for case in part())
