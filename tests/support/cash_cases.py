"""For every constraint of collectors, receipts and cash: a statement it must refuse, and its legal neighbour.

Payment 5 is 50.00 in cash that Carla, collector 1, took of customer 1; her session 1 began with 100.00.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

# Accounts: 1 customers; 7 cash with collectors, 8 main cash, 9 shortages. Method 2 is cash.
_MONEY: Final = (
    "INSERT INTO ledger_account (id, issuer_id, code, name, role) OVERRIDING SYSTEM VALUE VALUES (7, 1, '1110', 'With collectors', 'cash_with_collector'),"
    " (8, 1, '1100', 'Cash', 'cash'), (9, 1, '6910', 'Shortages', 'cash_shortage'); "
    + insert("payment_method", id="2", code="'cash'", name="'Cash'", kind="'cash'")
    + "; "
)
_NUMBERS: Final = {"payment": 40, "payment_reversal": 50, "cash_withdrawal": 60, "cash_session": 70}


def _entry(source: str, event: int, *legs: tuple[int, str], customer: int | None = None, **changes: str) -> str:
    """The entry of an event with its legs: account, amount; on account 1 it names the customer."""
    number = _NUMBERS[source] + event
    row = {"id": str(number), "source": f"'{source}'", "source_id": str(event), "kind": f"'{source}'", **changes}
    values = ", ".join(
        f"({number}, {place}, {account}, {'1' if account == 1 else 'NULL'}, {amount})"
        for place, (account, amount) in enumerate(legs, 1)
    )
    return f"{insert('entry', **row)}; INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES {values}; "


def _payment(number: int = 5, **changes: str) -> str:
    row = {"id": str(number), "method_id": "2", "source": "'collector'", "reference": f"'tap {number}'", **changes}
    currency = {"currency": changes["currency"]} if "currency" in changes else {}
    return _entry("payment", number, (7, "50"), (1, "-50"), **currency) + insert("payment", **row) + "; "


_PAID: Final = _MONEY + _payment()
_RECEIVED: Final = _PAID + insert("receipt") + "; "
# The same on the accounts and methods that there are, as a role does it that may not add accounts.
RECEIVED: Final = (
    _entry("payment", 5, (3, "50"), (1, "-50"))
    + insert("payment", id="5", source="'collector'")
    + "; "
    + insert("receipt")
    + "; "
)
_BACK: Final = (
    _RECEIVED
    + _entry("payment_reversal", 5, (7, "-50"), (1, "50"))
    + insert("payment_reversal", source="'manual'")
    + "; "
)
_GONE: Final = _MONEY + _entry("cash_withdrawal", 3, (8, "30"), (7, "-30"))
# 50.00 came in beside 100.00; 140.00 are counted, 10.00 are missing.
_COUNTED: Final = insert("cash_count", value="20", pieces="7") + "; "
_CLOSE: Final = "UPDATE cash_session SET closed_at = now(), closed_on = '2026-03-10', closed_by = 'carla', taken_by = 'maria', expected = 150, counted = 140 WHERE id = 1"
_HANDED: Final = _entry("cash_session", 1, (8, "40"), (9, "10"), (7, "-50"))
_CLOSED: Final = _RECEIVED + _COUNTED + _HANDED + _CLOSE + "; "
_RIGHT: Final = {
    "receipt": (_PAID, {}),
    "cash_withdrawal": (_GONE, {"id": "3"}),
    "cash_taken_back": (_BACK, {}),
    "cash_count": ("", {}),
}
_OTHER: Final = insert("issuer", id="2") + "; "


def _row(table: str, **changes: str) -> str:
    before, row = _RIGHT[table]
    return before + insert(table, **{**row, **changes})


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in (
        ("number_series", "code", "'ag'", "'AG'"),
        ("number_series", "name", "''", "'Agents'"),
        ("number_series", "pattern", "'{code}'", "'R{number}'"),
        ("collector", "name", "''", "'Bruno'"),
        ("collector", "login", "'two words'", "'bruno@example.net'"),
        ("collector", "most_cash", "0", "500"),
        ("collector_scope", "value", "''", "'Asti'"),
        ("cash_session", "opened_by", "''", "'bruno'"),
        ("cash_session", "note", "''", "'windy'"),
        ("cash_count", "value", "0", "0.5"),
        ("cash_count", "pieces", "0", "1"),
    ):
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in ("number_series", "collector", "collector_scope", "cash_session"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    for table, column, constraint in (
        ("number_series", "issuer_id", "number_series_issuer_id_fkey"),
        ("collector", "issuer_id", "collector_issuer_id_fkey"),
        ("collector", "series_id", "collector_series_of_issuer"),
        ("collector_scope", "collector_id", "collector_scope_collector_id_fkey"),
        ("cash_session", "collector_id", "cash_session_collector_id_fkey"),
        ("cash_count", "session_id", "cash_count_session_id_fkey"),
    ):
        yield case(constraint, table, {column: "999"})
    customer = {"kind": "'customer'", "value": "NULL"}
    yield case("collector_scope_customer_id_fkey", "collector_scope", {**customer, "customer_id": "999"}, {**customer, "customer_id": "1"})  # fmt: skip
    yield case("collector_scope_names_what", "collector_scope", customer, {**customer, "customer_id": "1"})
    yield case("collector_scope_names_what", "collector_scope", {"kind": "'everyone'"}, {"kind": "'everyone'", "value": "NULL"})  # fmt: skip
    yield case("collector_scope_once", "collector_scope", {"kind": "'province'", "value": "'TO'"}, {"value": "'TO'"})
    yield case("number_series_code_once", "number_series", {"code": "'RE'"})
    yield Case("number_series_of_issuer", f"ALTER TABLE number_series DROP CONSTRAINT number_series_pkey CASCADE; {insert('number_series', id='1')}", insert("number_series"))  # fmt: skip
    yield case("collector_name_once", "collector", {"name": "'Carla'"})
    once = insert("collector", login="'b'") + "; "
    yield Case("collector_login_once", once + insert("collector", name="'C'", login="'b'"), once + insert("collector", name="'C'", login="'c'"))  # fmt: skip
    yield case("cash_session_one_open", "cash_session", {"currency": "'EUR'"})
    yield case("cash_session_opening_is_an_amount", "cash_session", {"opening": "0.005"}, {"opening": "0.05"})
    yield case("cash_count_pkey", "cash_count", {"moment": "'opening'", "value": "50"})


def _receipts() -> Iterator[Case]:
    right = _row("receipt")
    yield Case("receipt_pkey", _RECEIVED + insert("receipt"), right)
    yield Case("receipt_made_by_check", _row("receipt", made_by="''"), right)
    for column, constraint in (("payment_id", "receipt_payment_id_fkey"), ("session_id", "receipt_session_id_fkey")):
        yield Case(constraint, _row("receipt", **{column: "999"}), right)
    unknown = _OTHER + insert("number_series", id="3", code="'RE'", kind="'receipt'", issuer_id="2") + "; "
    yield Case("receipt_series_of_issuer", unknown + _row("receipt", series_id="3"), right)
    agents = insert("number_series", id="3") + "; "
    yield Case("receipt_takes_number", agents + _row("receipt", series_id="3"), right)
    silent = "SET LOCAL session_replication_role = replica; "
    numbered = {"year": "2026", "number": "1", "label": "'1'"}
    bare = _PAID + silent
    yield Case("receipt_is_numbered", bare + insert("receipt"), bare + insert("receipt", **numbered))
    two = _PAID + _payment(6) + insert("receipt") + "; " + silent
    yield Case("receipt_number_once", two + insert("receipt", payment_id="6", **numbered), two + insert("receipt", payment_id="6", **{**numbered, "number": "2"}))  # fmt: skip
    yield Case("number_series_year_pkey", _RECEIVED + insert("number_series_year"), right)
    yield Case("number_series_year_series_id_fkey", silent + "SET LOCAL session_replication_role = origin; ALTER TABLE number_series_year DISABLE TRIGGER number_series_year_is_counted; " + insert("number_series_year", series_id="999"), right)  # fmt: skip
    yield Case("number_series_year_is_counted", _RECEIVED + "UPDATE number_series_year SET last_number = 7", right)
    # Without a session, of a payment that nobody collected, of another currency.
    yield Case("receipt_fits", _row("receipt", session_id="NULL"), right)
    counter = _MONEY + _payment(source="'counter'")
    yield Case("receipt_fits", counter + insert("receipt"), counter + insert("receipt", session_id="NULL"))
    dollars = insert("cash_session", id="2") + "; "
    yield Case("receipt_fits", dollars + _row("receipt", session_id="2"), dollars + right)
    later = _payment(6) + insert("receipt", payment_id="6")
    reopened = insert("cash_session", id="2", currency="'EUR'") + "; " + _payment(6) + insert("receipt", payment_id="6", session_id="2")  # fmt: skip
    yield Case("receipt_fits", _CLOSED + later, _CLOSED + reopened)
    now = "SET CONSTRAINTS ALL IMMEDIATE; "
    yield Case("payment_by_collector_has_receipt", _PAID + now, _RECEIVED + now)


def _withdrawals() -> Iterator[Case]:
    right = _row("cash_withdrawal")
    for column, wrong in (("amount", "0"), ("reason", "''"), ("made_by", "''")):
        yield Case(f"cash_withdrawal_{column}_check", _row("cash_withdrawal", **{column: wrong}), right)
    yield Case("cash_withdrawal_pkey", right + "; " + insert("cash_withdrawal", id="3"), right)
    yield Case("cash_withdrawal_session_id_fkey", _row("cash_withdrawal", session_id="999"), right)
    yield Case("cash_withdrawal_fits", _row("cash_withdrawal", amount="31"), right)
    yield Case("cash_withdrawal_fits", _row("cash_withdrawal", id="4"), right)
    yield Case("cash_withdrawal_fits", _CLOSED + _entry("cash_withdrawal", 3, (8, "30"), (7, "-30")) + insert("cash_withdrawal", id="3"), right)  # fmt: skip


def _offers() -> Iterator[Case]:
    right = insert("cash_offer")
    yield Case("cash_offer_pkey", right + "; " + right, right)
    yield Case("cash_offer_session_id_fkey", insert("cash_offer", session_id="999"), right)
    for column, wrong in (("pieces", "'[]'"), ("note", "''"), ("offered_by", "''")):
        yield Case(f"cash_offer_{column}_check", insert("cash_offer", **{column: wrong}), right)


def _taken_back() -> Iterator[Case]:
    right = _row("cash_taken_back")
    yield Case("cash_taken_back_pkey", right + "; " + insert("cash_taken_back"), right)
    yield Case("cash_taken_back_payment_id_fkey", _RECEIVED + insert("cash_taken_back"), right)
    yield Case("cash_taken_back_session_id_fkey", _row("cash_taken_back", session_id="999"), right)
    bruno = (
        insert("collector", id="2") + "; " + insert("cash_session", id="2", collector_id="2", currency="'EUR'") + "; "
    )
    yield Case("cash_taken_back_fits", bruno + _row("cash_taken_back", session_id="2"), bruno + right)


def _closing() -> Iterator[Case]:
    right = _CLOSED + "SELECT 1"
    half = "UPDATE cash_session SET closed_at = now()"
    yield Case("cash_session_closed_whole", half, right)
    for column, who in (("closed_by", "'carla'"), ("taken_by", "'maria'")):
        yield Case(f"cash_session_{column}_check", _RECEIVED + _COUNTED + _HANDED + _CLOSE.replace(who, "''"), right)
    yield Case("cash_session_counted_check", _RECEIVED + _CLOSE.replace("140", "-1"), right)
    for wrong in (_CLOSE.replace("150", "149"), _CLOSE.replace("140", "141")):
        yield Case("cash_session_hands_over", _RECEIVED + _COUNTED + _HANDED + wrong, right)
    yield Case("cash_session_hands_over", _RECEIVED + _COUNTED + _CLOSE, right)
    legs = _entry("cash_session", 1, (8, "50"), (7, "-50"))
    yield Case("cash_session_hands_over", _RECEIVED + _COUNTED + legs + _CLOSE, right)
    yield Case("cash_session_closes_once", _CLOSED + "UPDATE cash_session SET note = 'x'", right)
    for changed in ("opening = 1", "currency = 'USD'", "opened_by = 'x'"):
        yield Case("cash_session_is_of_its_collector", f"UPDATE cash_session SET {changed}", "UPDATE cash_session SET note = 'x'")  # fmt: skip
    yield Case("cash_session_stays", "DELETE FROM cash_session", right)
    closed = {"closed_at": "now()", "closed_on": "'2026-03-10'", "closed_by": "'x'", "expected": "0", "counted": "0"}
    yield case("cash_session_begins_open", "cash_session", closed, {})
    yield Case("cash_count_fits", _CLOSED + insert("cash_count", value="5"), right)
    yield case("cash_count_fits", "cash_count", {"value": "0.005"}, {"value": "0.01"})


def _kept() -> Iterator[Case]:
    for table in _RIGHT:
        right = _row(table)
        changed = {"cash_taken_back": "session_id = 1", "cash_count": "pieces = 1"}.get(table, "made_by = 'x'")
        for wrong in (f"UPDATE {table} SET {changed}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", f"{right}; {wrong}", right)
        before, row = _RIGHT[table]
        yield Case(f"{table}_money_insert", f"{before}SET LOCAL corrente.actor = ''; {insert(table, **row)}", right)
    for table in (*_RIGHT, "cash_session"):
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", "SELECT 1")
    silent = "SET LOCAL corrente.actor = ''; "
    for table, changed in (
        ("number_series", "name = 'x'"),
        ("collector", "name = 'x'"),
        ("collector_scope", "value = 'x'"),
        ("cash_session", "note = 'x'"),
    ):
        deeds = {"insert": insert(table), "update": f"UPDATE {table} SET {changed} WHERE id = 1", "delete": f"DELETE FROM {table} WHERE false"}  # fmt: skip
        for word, deed in deeds.items():
            yield Case(f"{table}_money_{word}", silent + deed, deed)


CASH_CASES: Final = tuple(
    case for part in (_columns, _receipts, _withdrawals, _offers, _taken_back, _closing, _kept) for case in part()
)
