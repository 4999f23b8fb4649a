"""One legal row of every table of dunning cases, the outbox, idempotent answers and the audit log's seals. Values are SQL."""

from __future__ import annotations

from typing import Final

DIGEST: Final = "decode(repeat('{}', 32), 'hex')"

EVIDENCE_ROWS: Final[dict[str, dict[str, str]]] = {
    "dunning_case": {"customer_id": "1", "currency": "'EUR'", "issuer_id": "1"},
    "dunning_case_step": {"case_id": "1", "step": "'reminder'", "ran_by": "'job dunning'"},
    "contract_version": {"contract_id": "1", "version": "1"},
    "outbox": {"event": "'contract.changed'", "payload": "'{}'", "contract_id": "1"},
    "idempotency_key": {
        "caller": "'portal'",
        "route": "'POST /payments'",
        "key": "'k2'",
        "body_hash": DIGEST.format("ab"),
        "status": "200",
        "answer": "'\\x7b7d'",
    },
    "audit_seal": {
        "day": "'2020-01-02'",
        "rows": "0",
        "previous": DIGEST.format("11"),
        "digest": DIGEST.format("22"),
        "marks": "''",
    },
}
EVIDENCE_FIRST: Final[dict[str, dict[str, str]]] = {
    "dunning_case": {"currency": "'USD'"},
    "dunning_case_step": {"step": "'notice'"},
    "idempotency_key": {"key": "'k1'"},
    "audit_seal": {"day": "'2020-01-01'", "previous": DIGEST.format("00"), "digest": DIGEST.format("11")},
}
# Other tables' triggers write these, and nobody else.
EVIDENCE_COUNTED: Final = {"contract_version"}
