"""For each constraint of dunning's policies, exclusions, notices and promises, what it must refuse. Values are SQL.

The world has one open case of customer 1; where a second row of a table needs another case, relief or plan, it is made first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case
from support.legal_world import insert

_EXCLUDED: Final = {"kind": "'essential'", "customer_id": "NULL", "contract_id": "1"}
_ENDED: Final = "ended_at = now(), ended_by = 'maria', end_reason = 'paid'"
_DELIVERED: Final = "delivered_at = now(), delivered_by = 'maria'"
_KEPT: Final = "UPDATE promise SET state = 'kept', ended_at = now(); "
_REVIEWED: Final = {"reviewed": "true", "reviewed_by": "'maria'", "reviewed_at": "now()"}
# What the second row of a table stands on.
_BEFORE: Final = {
    "instalment_plan_document": insert("instalment_plan", id="2") + "; ",
    "promise": insert("dunning_case", id="2", currency="'CHF'") + "; ",
    "promise_relief": insert("relief", id="2") + "; ",
}
_BAD: Final = (
    ("dunning_policy", "name", "''", "repeat('n', 80)"),
    ("dunning_policy", "name", "repeat('n', 81)", "'n'"),
    ("dunning_policy_version", "version", "0", "2"),
    ("dunning_policy_version", "data", "'[]'", "NULL"),
    ("dunning_policy_version", "reason", "''", "'r'"),
    ("dunning_policy_version", "made_by", "''", "'m'"),
    ("dunning_exclusion", "reason", "''", "'r'"),
    ("dunning_exclusion", "placed_by", "''", "'m'"),
    ("dunning_dispute", "amount", "0", "0.01"),
    ("dunning_dispute", "reason", "''", "'r'"),
    ("dunning_dispute", "opened_by", "''", "'m'"),
    ("dunning_dispute", "reference", "''", "'r'"),
    ("instalment_plan", "grace_days", "-1", "0"),
    ("instalment_plan", "grace_days", "61", "60"),
    ("instalment_plan", "reason", "''", "'r'"),
    ("instalment_plan", "made_by", "''", "'m'"),
    ("instalment_plan_part", "amount", "0", "0.01"),
    ("formal_notice", "step", "'Formal'", "'formal'"),
    ("formal_notice", "channel", "'E-mail'", "'letter'"),
    ("formal_notice", "documents", "'{}'", "'{7}'"),
    ("formal_notice", "amount", "0", "0.01"),
    ("formal_notice", "sent_by", "''", "'m'"),
    ("dunning_letter", "step", "'Notice'", "'notice'"),
    ("dunning_letter", "issuer", "'[]'", "'{}'"),
    ("dunning_letter", "customer", "'[]'", "'{}'"),
    ("dunning_letter", "said", "'[]'", "'{}'"),
    ("dunning_confirmation", "step", "'Ended'", "'ended'"),
    ("dunning_confirmation", "confirmed_by", "''", "'m'"),
    ("dunning_reminder", "step", "'Due soon'", "'due_soon'"),
    ("promise", "amount", "0", "0.01"),
    ("promise", "made_by", "''", "'m'"),
)
# Texts that are only there with others.
_BAD_ENDS: Final = (
    ("dunning_exclusion", "ended_by", {"ended_at": "now()", "end_reason": "'r'"}),
    ("dunning_exclusion", "end_reason", {"ended_at": "now()", "ended_by": "'m'"}),
    ("dunning_dispute", "closed_by", {"closed_at": "now()", "outcome": "'ours'"}),
    ("dunning_dispute", "outcome", {"closed_at": "now()", "closed_by": "'m'"}),
    ("instalment_plan", "ended_by", {"ended_on": "'2026-04-01'", "end_reason": "'paid'"}),
    ("instalment_plan", "end_reason", {"ended_on": "'2026-04-01'", "ended_by": "'m'"}),
    ("formal_notice", "delivered_by", {"delivered_at": "now()"}),
    ("promise", "reviewed_by", {"reviewed": "true", "reviewed_at": "now()"}),
)
_REFERENCES: Final = (
    ("dunning_policy", "issuer_id", {}),
    ("dunning_policy_version", "policy_id", {}),
    ("dunning_exclusion", "customer_id", {}),
    ("dunning_exclusion", "contract_id", {"customer_id": "NULL"}),
    ("dunning_dispute", "document_id", {}),
    ("instalment_plan", "issuer_id", {}),
    ("instalment_plan", "customer_id", {}),
    ("instalment_plan_part", "plan_id", {}),
    ("instalment_plan_document", "plan_id", {}),
    ("instalment_plan_document", "document_id", {}),
    ("formal_notice", "case_id", {}),
    ("formal_notice", "proof_id", {}),
    ("dunning_letter", "case_id", {}),
    ("dunning_confirmation", "case_id", {}),
    ("dunning_reminder", "document_id", {}),
    ("promise", "case_id", {}),
    ("promise", "proof_id", {}),
    ("promise_relief", "relief_id", {}),
    ("promise_relief", "promise_id", {}),
    ("dunning_look", "customer_id", {}),
    ("dunning_look", "issuer_id", {}),
    ("dunning_pass", "issuer_id", {}),
    ("dunning_pass", "run_id", {}),
)
# The columns of a key, and those of another row that is there.
_KEYS: Final = (
    ("dunning_policy", {"id": "1"}),
    ("dunning_policy_version", {"version": "1"}),
    ("dunning_exclusion", {"id": "1"}),
    ("dunning_dispute", {"id": "1"}),
    ("instalment_plan", {"id": "1"}),
    ("instalment_plan_part", {"due_on": "'2026-04-01'"}),
    ("instalment_plan_document", {"plan_id": "1"}),
    ("formal_notice", {"id": "1"}),
    ("dunning_letter", {"id": "1"}),
    ("dunning_confirmation", {"step": "'walled'"}),
    ("dunning_reminder", {"due_on": "'2026-03-01'"}),
    ("promise", {"id": "1"}),
    ("promise_relief", {"relief_id": "1"}),
    ("dunning_look", {"currency": "'EUR'"}),
    ("dunning_pass", {"day": "'2026-01-10'"}),
)
_APPENDED: Final = {
    "dunning_policy_version": "reason = 'x'",
    "dunning_confirmation": "confirmed_by = 'x'",
    "dunning_reminder": "step = 'x'",
    "dunning_letter": "dated = '2026-01-11'",
    "instalment_plan_part": "amount = 1",
    "instalment_plan_document": "plan_id = plan_id",
}
_STAYING: Final = (
    "dunning_policy",
    "dunning_exclusion",
    "dunning_dispute",
    "instalment_plan",
    "formal_notice",
    "promise",
)


def _row(table: str, **changes: str) -> str:
    return _BEFORE.get(table, "") + insert(table, **changes)


def _bad(constraint: str, table: str, wrong: dict[str, str], right: dict[str, str] | None = None) -> Case:
    return Case(constraint, _row(table, **wrong), _row(table, **(right or {})))


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield _bad(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table, column, others in _BAD_ENDS:
        yield _bad(f"{table}_{column}_check", table, {**others, column: "''"}, {**others, column: "'m'"})
    for table, column, others in _REFERENCES:
        right = {"contract_id": "1", **others} if column == "contract_id" else others
        yield _bad(f"{table}_{column}_fkey", table, {**others, column: "999"}, right)
    for table, key in _KEYS:
        yield _bad(f"{table}_pkey", table, key)
    yield _bad("dunning_letter_once", "dunning_letter", {"step": "'reminder'"})
    yield _bad("dunning_policy_name_once", "dunning_policy", {"name": "'usual'"})
    yield _bad("dunning_case_issuer_id_fkey", "dunning_case", {"currency": "'CHF'", "issuer_id": "999"}, {"currency": "'CHF'"})  # fmt: skip
    yield _bad("dunning_case_step_reason_check", "dunning_case_step", {"reason": "''"}, {"reason": "'late'"})


def _rules() -> Iterator[Case]:
    table = "dunning_exclusion"
    yield _bad(f"{table}_of_one", table, {"contract_id": "1"})
    yield _bad(f"{table}_of_one", table, {"customer_id": "NULL"})
    yield _bad(f"{table}_until_after_since", table, {"until": "'2026-01-05'"}, {"until": "'2026-01-06'"})
    yield _bad(f"{table}_of_its_kind", table, {"kind": "'essential'"}, _EXCLUDED)
    yield _bad(f"{table}_of_its_kind", table, {**_EXCLUDED, "kind": "'not_before'"}, {"kind": "'not_before'"})
    yield _bad(f"{table}_of_its_kind", table, {"kind": "'not_before'", "until": "NULL"}, {"until": "NULL"})
    yield _bad(f"{table}_end_is_signed", table, {"ended_at": "now()"})
    yield _bad("dunning_dispute_close_is_signed", "dunning_dispute", {"closed_at": "now()"})
    yield _bad("instalment_plan_end_is_signed", "instalment_plan", {"ended_on": "'2026-04-01'"})
    table = "formal_notice"
    came = {"delivered_by": "'maria'"}
    early = {**came, "delivered_at": "'2026-01-10 11:59+00'"}
    yield _bad(f"{table}_delivered_after_sent", table, early, {**came, "delivered_at": "'2026-01-10 12:00+00'"})
    yield _bad(f"{table}_delivery_is_signed", table, {"delivered_at": "now()"})
    table = "promise"
    yield _bad(f"{table}_until_after_made", table, {"until": "'2026-01-10 12:00+00'"})
    yield _bad(f"{table}_respite_after_made", table, {"respite_until": "'2026-01-10 11:59+00'"})
    yield _bad(f"{table}_ends_with_its_state", table, {"state": "'kept'"}, {"state": "'kept'", "ended_at": "now()"})
    yield _bad(f"{table}_review_is_signed", table, {"reviewed": "true"}, _REVIEWED)
    yield _bad(f"{table}_review_is_of_a_proof", table, {**_REVIEWED, "proof_id": "NULL"}, _REVIEWED)
    again = insert("promise", case_id="1")
    yield Case(f"{table}_one_open", again, _KEPT + again)
    yield _bad("dunning_pass_done_after_begun", "dunning_pass", {"done_at": "'2026-01-11 00:04+00'"}, {"done_at": "'2026-01-11 00:06+00'"})  # fmt: skip


def _history() -> Iterator[Case]:
    for table, change in _APPENDED.items():
        for wrong in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", wrong, _row(table))
    for table in _STAYING:
        yield Case(f"{table}_stays", f"DELETE FROM {table}", _row(table))
    for table in (*_STAYING, *_APPENDED):
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", _row(table))
    silent = "SET LOCAL corrente.actor = ''; "
    for table in (*_STAYING, "dunning_policy_version", "dunning_confirmation"):
        before = _BEFORE.get(table, "")
        yield Case(f"{table}_money_insert", before + silent + insert(table), _row(table))
    changes = {
        "dunning_policy": "name = 'x'",
        "dunning_exclusion": _ENDED,
        "dunning_dispute": "closed_at = now(), closed_by = 'maria', outcome = 'ours'",
        "instalment_plan": "ended_on = '2026-04-01', ended_by = 'maria', end_reason = 'paid'",
        "formal_notice": _DELIVERED,
        "promise": "state = 'kept', ended_at = now()",
    }
    for table, change in changes.items():
        deed = f"UPDATE {table} SET {change}"
        yield Case(f"{table}_money_update", silent + deed, deed)
    for table, name in (
        ("dunning_exclusion", "ends_once"),
        ("dunning_dispute", "closes_once"),
        ("instalment_plan", "ends_once"),
    ):
        deed = f"UPDATE {table} SET {changes[table]}"
        yield Case(f"{table}_{name}", f"{deed}; {deed}", deed)
    for change in ("documents = '{1,2}'", "amount = 1", "sent_at = now()", "channel = 'letter'"):
        yield Case("formal_notice_stays_as_sent", f"UPDATE formal_notice SET {change}", f"UPDATE formal_notice SET {_DELIVERED}")  # fmt: skip
    for change in ("until = until + interval '1 s'", "amount = 1", "made_by = 'x'"):
        yield Case("promise_stays_as_made", f"UPDATE promise SET {change}", _KEPT + "SELECT 1")


DUNNING_CASES: Final = tuple(case for part in (_columns, _rules, _history) for case in part())
