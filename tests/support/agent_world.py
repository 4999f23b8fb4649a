"""One legal row of every table of agents and commissions. Values are SQL."""

from __future__ import annotations

from typing import Final

AGENT_ROWS: Final[dict[str, dict[str, str]]] = {
    "agent": {"issuer_id": "1", "name": "'Dora'", "series_id": "1"},
    "contract_agent": {"contract_id": "1", "agent_id": "1", "during": "'[2027-01-01,)'"},
    "commission_rule": {"issuer_id": "1", "kind": "'recurring'", "percent": "10", "since": "'2026-01-01'"},
    "commission": {
        "rule_id": "1",
        "agent_id": "1",
        "contract_id": "1",
        "cause": "'activation'",
        "currency": "'EUR'",
        "base": "0",
        "amount": "20",
        "earned_on": "'2026-03-10'",
    },
    "agent_settlement": {
        "agent_id": "1",
        "issuer_id": "1",
        "series_id": "3",
        "issued_on": "'2026-04-01'",
        "through": "'2026-03-31'",
        "currency": "'EUR'",
        "amount": "20",
        "made_by": "'maria'",
    },
    "agent_settlement_line": {"settlement_id": "3", "commission_id": "1"},
    "agent_settlement_undo": {
        "settlement_id": "3",
        "dated": "'2026-04-02'",
        "reason": "'too early'",
        "made_by": "'maria'",
    },
}
AGENT_FIRST: Final[dict[str, dict[str, str]]] = {
    "agent": {"name": "'Elio'"},
    "contract_agent": {"during": "'[2026-01-01,2026-12-01)'"},
}
# Written with entries.
AGENT_COUNTED: Final = {"agent_settlement", "agent_settlement_line", "agent_settlement_undo"}
