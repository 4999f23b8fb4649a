"""One legal row of every table of collectors, receipts and cash. Values are SQL."""

from __future__ import annotations

from typing import Final

CASH_ROWS: Final[dict[str, dict[str, str]]] = {
    "number_series": {"issuer_id": "1", "code": "'AG'", "kind": "'agent_settlement'", "name": "'Agents'"},
    "number_series_year": {"series_id": "1", "year": "2026", "last_number": "1", "last_on": "'2026-03-10'"},
    "collector": {"issuer_id": "1", "name": "'Bruno'", "series_id": "1"},
    "collector_scope": {"collector_id": "1", "kind": "'city'", "value": "'Torino'"},
    "cash_session": {"collector_id": "1", "currency": "'USD'", "opened_by": "'carla'"},
    "cash_count": {"session_id": "1", "moment": "'closing'", "value": "20", "pieces": "2"},
    "receipt": {
        "payment_id": "5",
        "issuer_id": "1",
        "series_id": "1",
        "issued_on": "'2026-03-10'",
        "session_id": "1",
        "made_by": "'carla'",
    },
    "cash_withdrawal": {
        "session_id": "1",
        "amount": "30",
        "dated": "'2026-03-10'",
        "reason": "'to the bank'",
        "made_by": "'carla'",
    },
    "cash_taken_back": {"payment_id": "5", "session_id": "1"},
    "cash_offer": {"session_id": "1", "pieces": "'{\"20\": 2}'", "offered_by": "'carla'"},
}
CASH_FIRST: Final[dict[str, dict[str, str]]] = {
    "number_series": {"code": "'RE'", "kind": "'receipt'", "name": "'Receipts'"},
    "collector": {"name": "'Carla'"},
    "collector_scope": {"kind": "'province'", "value": "'TO'"},
    "cash_session": {"currency": "'EUR'", "opening": "100"},
    "cash_count": {"moment": "'opening'", "value": "50"},
}
# Written with payments and entries, or by triggers alone.
CASH_COUNTED: Final = {"number_series_year", "receipt", "cash_withdrawal", "cash_taken_back"}
