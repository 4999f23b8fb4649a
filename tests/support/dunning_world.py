"""One legal row of every table of dunning's policies, exclusions, notices and promises. Values are SQL."""

from __future__ import annotations

from typing import Final

DUNNING_ROWS: Final[dict[str, dict[str, str]]] = {
    "dunning_policy": {"issuer_id": "1", "name": "'slow'"},
    "dunning_policy_version": {
        "policy_id": "1",
        "version": "2",
        "since": "'2026-01-01'",
        "data": "'{}'",
        "reason": "'by lawyer'",
        "made_by": "'maria'",
    },
    "dunning_exclusion": {
        "kind": "'whitelist'",
        "customer_id": "1",
        "since": "'2026-01-05'",
        "until": "'2026-02-05'",
        "reason": "'family'",
        "placed_by": "'maria'",
    },
    "dunning_dispute": {"document_id": "1", "amount": "10", "reason": "'speed'", "opened_by": "'maria'"},
    "instalment_plan": {
        "issuer_id": "1",
        "customer_id": "1",
        "currency": "'EUR'",
        "reason": "'by phone'",
        "made_by": "'maria'",
    },
    "instalment_plan_part": {"plan_id": "1", "due_on": "'2026-05-01'", "amount": "50"},
    "instalment_plan_document": {"plan_id": "2", "document_id": "1"},
    "formal_notice": {
        "case_id": "1",
        "step": "'formal_notice'",
        "channel": "'certified_mail'",
        "documents": "'{1}'",
        "amount": "36.48",
        "sent_at": "'2026-01-10 12:00+00'",
        "sent_by": "'job dunning'",
    },
    "dunning_letter": {
        "case_id": "1",
        "step": "'formal_notice'",
        "is_formal": "true",
        "dated": "'2026-01-10'",
        "language": "'it'",
        "issuer": "'{}'",
        "customer": "'{}'",
        "said": "'{}'",
    },
    "dunning_confirmation": {"case_id": "1", "step": "'ended'", "confirmed_by": "'maria'"},
    "dunning_reminder": {"document_id": "1", "due_on": "'2026-04-01'", "step": "'due_soon'"},
    "promise": {
        "case_id": "2",
        "amount": "36.48",
        "made_at": "'2026-01-10 12:00+00'",
        "until": "'2026-01-12 12:00+00'",
        "respite_until": "'2026-01-12 12:00+00'",
        "asked_by": "'portal'",
        "made_by": "'anna'",
        "proof_id": "1",
    },
    "promise_relief": {"relief_id": "2", "promise_id": "1"},
    "dunning_look": {"customer_id": "1", "issuer_id": "1", "currency": "'USD'", "next_at": "'2026-01-10 12:00+00'"},
    "dunning_pass": {"issuer_id": "1", "day": "'2026-01-11'", "begun_at": "'2026-01-11 00:05+00'"},
}
DUNNING_FIRST: Final[dict[str, dict[str, str]]] = {
    "dunning_policy": {"name": "'usual'"},
    "dunning_policy_version": {"version": "1"},
    "instalment_plan_part": {"due_on": "'2026-04-01'"},
    "instalment_plan_document": {"plan_id": "1"},
    "dunning_letter": {"step": "'reminder'"},
    "dunning_confirmation": {"step": "'walled'"},
    "dunning_reminder": {"due_on": "'2026-03-01'"},
    "promise": {"case_id": "1", "proof_id": "NULL"},
    "promise_relief": {"relief_id": "1"},
    "dunning_look": {"currency": "'EUR'"},
    "dunning_pass": {"day": "'2026-01-10'"},
}
