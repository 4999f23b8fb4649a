"""For every constraint of agents and commissions: a statement it must refuse, and its legal neighbour.

Settlement 3 pays agent 1 commission 1, which is 20.00.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert
from support.payment_cases import PAID_AND_SETTLED

# Account 11 is commissions, 12 what agents get; series 3 numbers settlements.
_MONEY: Final = (
    "INSERT INTO ledger_account (id, issuer_id, code, name, role) OVERRIDING SYSTEM VALUE VALUES (11, 1, '6600', 'Commissions', 'commissions'),"
    " (12, 1, '2400', 'Agents', 'agents_payable'); " + insert("number_series", id="3") + "; "
)


def _entry(source: str, number: int, amount: str) -> str:
    row = {"id": str(number), "source": f"'{source}'", "source_id": "3", "kind": f"'{source}'"}
    legs = f"({number}, 1, 11, NULL, {amount}), ({number}, 2, 12, NULL, -({amount}))"
    return f"{insert('entry', **row)}; INSERT INTO posting (entry_id, number, account_id, customer_id, amount) VALUES {legs}; "


_BOOKED: Final = _MONEY + _entry("agent_settlement", 80, "20")
_SETTLED: Final = _BOOKED + insert("agent_settlement", id="3") + "; "
_WHOLE: Final = _SETTLED + insert("agent_settlement_line") + "; "
_NOW: Final = "SET CONSTRAINTS ALL IMMEDIATE; "
_UNDONE: Final = _WHOLE + _entry("agent_settlement_undo", 81, "-20") + insert("agent_settlement_undo") + "; "
_RIGHT: Final = {
    "agent_settlement": (_BOOKED, {"id": "3"}),
    "agent_settlement_line": (_SETTLED, {}),
    "agent_settlement_undo": (_WHOLE, {}),
    "commission": ("", {}),
}
# Allocation 1 is 50.00 of invoice 1; what was earned of it is commission 5.
_SETTLED_INVOICE, _, _ = PAID_AND_SETTLED.rpartition("INSERT INTO allocation")
_ALLOCATED: Final = (
    _SETTLED_INVOICE + insert("allocation", id="41", credit_note_id="NULL", payment_id="5", amount="50") + "; "
)
_OF_MONEY: Final = {"id": "5", "invoice_id": "1", "allocation_id": "41", "cause": "'paid'", "base": "40", "amount": "4"}
_EARNED: Final = _ALLOCATED + insert("commission", **_OF_MONEY) + "; "


def _row(table: str, **changes: str) -> str:
    before, row = _RIGHT[table]
    return before + insert(table, **{**row, **changes})


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in (
        ("agent", "name", "''", "'Fara'"),
        ("agent", "email", "'dora'", "'dora@example.net'"),
        ("commission_rule", "percent", "0", "100"),
        ("commission_rule", "percent", "100.1", "0.0001"),
        ("commission_rule", "months", "0", "600"),
        ("commission_rule", "survives_months", "601", "12"),
        ("commission_rule", "after_periods", "0", "1"),
    ):
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    flat = {"percent": "NULL", "currency": "'EUR'"}
    yield case("commission_rule_flat_check", "commission_rule", {**flat, "flat": "0"}, {**flat, "flat": "0.01"})
    yield case("commission_rule_places", "commission_rule", {**flat, "flat": "0.005"}, {**flat, "flat": "0.05"})
    yield case("commission_rule_gives_one", "commission_rule", {"percent": "NULL"}, {})
    yield case("commission_rule_gives_one", "commission_rule", {"currency": "'EUR'"}, {})
    yield case("commission_rule_some_days", "commission_rule", {"until": "'2025-12-31'"}, {"until": "'2026-01-01'"})
    yield case("commission_rule_once_has_no_months", "commission_rule", {"kind": "'one_off'", "months": "3"}, {"months": "3"})  # fmt: skip
    for table in ("agent", "contract_agent", "commission_rule", "commission"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    for table, column, constraint in (
        ("agent", "issuer_id", "agent_issuer_id_fkey"),
        ("agent", "series_id", "agent_series_of_issuer"),
        ("contract_agent", "contract_id", "contract_agent_contract_id_fkey"),
        ("contract_agent", "agent_id", "contract_agent_agent_id_fkey"),
        ("commission_rule", "issuer_id", "commission_rule_issuer_id_fkey"),
        ("commission_rule", "agent_id", "commission_rule_agent_of_issuer"),
        ("commission_rule", "product_id", "commission_rule_product_id_fkey"),
        ("commission", "rule_id", "commission_rule_id_fkey"),
        ("commission", "agent_id", "commission_agent_id_fkey"),
        ("commission", "contract_id", "commission_contract_id_fkey"),
        ("commission", "invoice_id", "commission_invoice_id_fkey"),
    ):
        yield case(constraint, table, {column: "999"})
    yield case("agent_name_once", "agent", {"name": "'Elio'"})
    yield Case("agent_of_issuer", f"ALTER TABLE agent DROP CONSTRAINT agent_pkey CASCADE; {insert('agent', id='1')}", insert("agent"))  # fmt: skip
    yield case("contract_agent_is_some_time", "contract_agent", {"during": "'empty'"})
    yield case("contract_agent_one_at_a_time", "contract_agent", {"during": "'[2026-11-30,)'"}, {"during": "'[2026-12-01,)'"})  # fmt: skip
    yield Case("commission_rule_stays", "UPDATE commission_rule SET percent = 11", "UPDATE commission_rule SET until = '2026-12-31'")  # fmt: skip
    yield Case("commission_rule_kept", "DELETE FROM commission_rule", "SELECT 1")


def _commissions() -> Iterator[Case]:
    table = "commission"
    right = _ALLOCATED + insert(table, **_OF_MONEY)
    yield Case("commission_once", _EARNED + insert(table, **{**_OF_MONEY, "id": "6"}), right)
    yield Case("commission_allocation_id_fkey", _ALLOCATED + insert(table, **{**_OF_MONEY, "allocation_id": "999"}), right)  # fmt: skip
    for wrong in ({"amount": "4.005"}, {"base": "4.005"}):
        yield Case("commission_places", _ALLOCATED + insert(table, **{**_OF_MONEY, **wrong}), right)
    for wrong in ({"cause": "'adjusted'"}, {"invoice_id": "NULL"}):
        yield Case("commission_of_money", _ALLOCATED + insert(table, **{**_OF_MONEY, **wrong}), right)
    yield case("commission_of_money", table, {"cause": "'paid'"}, {"cause": "'adjusted'"})
    yield case("commission_says_something", table, {"amount": "0"}, {"amount": "0", "base": "1"})
    back = insert("allocation", id="42", credit_note_id="NULL", payment_id="5", amount="-50", withdraws_id="41") + "; "
    taken = {**_OF_MONEY, "id": "6", "allocation_id": "42", "cause": "'withdrawn'"}
    silent = "SET LOCAL session_replication_role = replica; DELETE FROM commission WHERE allocation_id = 42; SET LOCAL session_replication_role = origin; "
    whole = _EARNED + back + silent
    yield Case("commission_of_its_money", whole + insert(table, **{**taken, "amount": "-3.99"}), whole + insert(table, **{**taken, "amount": "-4"}))  # fmt: skip
    yield Case("commission_of_its_money", _ALLOCATED + insert(table, **{**_OF_MONEY, "cause": "'withdrawn'"}), right)


def _settlements() -> Iterator[Case]:
    table = "agent_settlement"
    whole = _WHOLE + _NOW
    for column, wrong in (("amount", "0"), ("made_by", "''")):
        yield Case(f"{table}_{column}_check", _row(table, **{column: wrong}), whole)
    yield Case(f"{table}_pkey", _SETTLED + insert(table, id="3"), whole)
    abroad = insert("issuer", id="2") + "; "
    yield Case(f"{table}_agent_of_issuer", _row(table, agent_id="999"), whole)
    yield Case(f"{table}_series_of_issuer", abroad + insert("agent", id="9", issuer_id="2", series_id="4").replace("INSERT", insert("number_series", id="4", issuer_id="2") + "; INSERT", 1) + "; " + _row(table, series_id="4"), whole)  # fmt: skip
    yield Case(f"{table}_takes_number", _row(table, series_id="1"), whole)
    silent = _BOOKED + "SET LOCAL session_replication_role = replica; "
    numbered = {"year": "2026", "number": "1", "label": "'1'"}
    yield Case(f"{table}_is_numbered", silent + insert(table, id="3"), silent + insert(table, id="3", **numbered))
    one = silent + insert(table, id="3", **numbered) + "; "
    yield Case(f"{table}_number_once", one + insert(table, id="4", **numbered), one + insert(table, id="4", **{**numbered, "number": "2"}))  # fmt: skip
    yield Case(f"{table}_adds_up", _SETTLED + _NOW, whole)
    yield Case(f"{table}_adds_up", _MONEY + insert(table, id="3") + "; " + insert("agent_settlement_line") + "; " + _NOW, whole)  # fmt: skip
    line = "agent_settlement_line"
    yield Case(f"{line}_pkey", _WHOLE + insert(line), whole)
    yield Case(f"{line}_settlement_id_fkey", insert(line), whole)
    yield Case(f"{line}_commission_id_fkey", _row(line, commission_id="999"), whole)
    twice = insert(table, id="4") + "; " + insert(line, settlement_id="4")
    yield Case(f"{line}_fits", _WHOLE + twice, _UNDONE + twice)
    yield Case(f"{line}_fits", _MONEY + insert(table, id="3", through="'2026-03-09'") + "; " + insert(line), _WHOLE + "SELECT 1")  # fmt: skip
    yield Case(f"{line}_fits", _MONEY + insert(table, id="3", currency="'USD'") + "; " + insert(line), _WHOLE + "SELECT 1")  # fmt: skip
    undo = "agent_settlement_undo"
    for column in ("reason", "made_by"):
        yield Case(f"{undo}_{column}_check", _row(undo, **{column: "''"}), _UNDONE + _NOW)
    yield Case(f"{undo}_pkey", _UNDONE + insert(undo), _UNDONE + _NOW)
    yield Case(f"{undo}_settlement_id_fkey", insert(undo), _UNDONE + _NOW)
    yield Case(f"{undo}_booked", _WHOLE + insert(undo) + "; " + _NOW, _UNDONE + _NOW)


def _kept() -> Iterator[Case]:
    for table, (before, row) in _RIGHT.items():
        right = _row(table)
        changed = {"agent_settlement_line": "settlement_id = 3", "commission": "amount = 1"}.get(table, "made_by = 'x'")
        for wrong in (f"UPDATE {table} SET {changed}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", f"{right}; {wrong}", right)
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", "SELECT 1")
        yield Case(f"{table}_money_insert", f"{before}SET LOCAL corrente.actor = ''; {insert(table, **row)}", right)
    silent = "SET LOCAL corrente.actor = ''; "
    for table, changed in (
        ("agent", "name = 'x'"),
        ("contract_agent", "during = '[2026-01-01,2026-02-01)'"),
        ("commission_rule", "until = '2027-01-01'"),
    ):
        deeds = {"insert": insert(table), "update": f"UPDATE {table} SET {changed} WHERE id = 1", "delete": f"DELETE FROM {table} WHERE false"}  # fmt: skip
        for word, deed in deeds.items():
            yield Case(f"{table}_money_{word}", silent + deed, deed)


AGENT_CASES: Final = tuple(case for part in (_columns, _commissions, _settlements, _kept) for case in part())
