"""For every constraint of dunning cases, the outbox, idempotent answers and the audit log's seals: what it must refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.evidence_world import DIGEST
from support.legal_world import insert

_BAD: Final = (
    ("dunning_case_step", "step", "'Walled'", "'walled'"),
    ("dunning_case_step", "ran_by", "''", "'maria'"),
    ("outbox", "event", "'issued'", "'document.issued'"),
    ("outbox", "payload_version", "0", "2"),
    ("outbox", "payload", "'[]'", "'{\"document\": 1}'"),
    ("outbox", "attempts", "-1", "1"),
    ("idempotency_key", "caller", "''", "'bank'"),
    ("idempotency_key", "route", "''", "'POST /refunds'"),
    ("idempotency_key", "key", "''", "repeat('k', 200)"),
    ("idempotency_key", "key", "repeat('k', 201)", "'k'"),
    ("idempotency_key", "body_hash", "'\\xab'", DIGEST.format("cd")),
    ("idempotency_key", "status", "199", "599"),
    ("audit_log", "request_id", "'two words'", "'7f3a'"),
)


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in ("dunning_case", "outbox"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    yield case("dunning_case_step_pkey", "dunning_case_step", {"step": "'notice'"})
    yield case("idempotency_key_pkey", "idempotency_key", {"key": "'k1'"}, {"key": "'k1'", "caller": "'bank'"})
    yield case("dunning_case_customer_id_fkey", "dunning_case", {"customer_id": "999"})
    yield case("dunning_case_step_case_id_fkey", "dunning_case_step", {"case_id": "999"})


def _dunning() -> Iterator[Case]:
    cleared = "UPDATE dunning_case SET cleared_at = now(); "
    again = insert("dunning_case", currency="'USD'")
    yield Case("dunning_case_one_open", again, cleared + again)
    early = "UPDATE dunning_case SET cleared_at = opened_at - interval '1 s'"
    yield Case("dunning_case_clears_after_opening", early, cleared + "SELECT 1")
    step = insert("dunning_case_step")
    yield Case("dunning_case_step_of_open_case", cleared + step, step)
    for wrong in ("UPDATE dunning_case_step SET ran_by = ran_by", "DELETE FROM dunning_case_step"):
        yield Case("dunning_case_step_append_only", wrong, step)
    for column, value in (("currency", "'EUR'"), ("opened_at", "opened_at - interval '1 day'"), ("customer_id", "2")):
        moved = f"UPDATE dunning_case SET {column} = {value}"
        yield Case("dunning_case_is_of_its_customer", moved, f"UPDATE dunning_case SET {column} = {column}")
    yield Case("dunning_case_clears_once", cleared + "UPDATE dunning_case SET cleared_at = NULL", cleared + "SELECT 1")
    yield Case("dunning_case_stays", "DELETE FROM dunning_case", cleared + "SELECT 1")
    for table in ("dunning_case", "dunning_case_step"):
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", insert(table))
    nobody = "SET LOCAL corrente.actor = ''; "
    deeds = {"insert": insert("dunning_case"), "update": cleared, "delete": "DELETE FROM dunning_case WHERE false"}
    for word, deed in deeds.items():
        yield Case(f"dunning_case_money_{word}", nobody + deed, deed)
    yield Case("dunning_case_step_money_insert", nobody + step, step)


def _outbox() -> Iterator[Case]:
    event, of_nobody = insert("outbox"), insert("outbox", contract_id="NULL")
    yield case("outbox_counts_version", "outbox", {"version": "2"})
    yield case(
        "outbox_contract_has_version", "outbox", {"contract_id": "NULL", "version": "2"}, {"contract_id": "NULL"}
    )
    uncounted = "ALTER TABLE outbox DISABLE TRIGGER outbox_counts_version; "
    yield Case("outbox_contract_has_version", uncounted + event, event)
    yield Case("outbox_version_once", uncounted + insert("outbox", version="1"), event)
    sent = "UPDATE outbox SET attempts = 1, sent_at = now() - interval '{}' WHERE version = {}; "
    yield Case("outbox_sent_was_tried", "UPDATE outbox SET sent_at = now()", sent.format("0", 1))
    for wrong in ("payload = '{\"a\": 1}'", "event = 'document.issued'", "contract_id = NULL, version = NULL"):
        yield Case("outbox_stays", f"UPDATE outbox SET {wrong}", "UPDATE outbox SET problem = 'refused', attempts = 1")
    for wrong in ("sent_at = NULL", "problem = 'late'"):
        yield Case("outbox_stays", sent.format("0", 1) + f"UPDATE outbox SET {wrong}", sent.format("0", 1))
    first, second = sent.format("0", 1), sent.format("0", 2)
    yield Case("outbox_in_order", f"{event}; {second}", f"{event}; {first}{second}")
    yield Case("outbox_in_order", f"{event}; {second}", f"{event}; UPDATE outbox SET attempts = 1, sent_at = now()")
    gone = "DELETE FROM outbox"
    for recent in ("", sent.format("2 days 23 hours", 1)):
        yield Case("outbox_kept", recent + gone, sent.format("3 days 1 hour", 1) + gone)
    yield Case("outbox_no_truncate", "TRUNCATE outbox", of_nobody)
    by_hand = "contract_version_is_counted"
    for wrong in (
        insert("contract_version", contract_id="8"),
        "UPDATE contract_version SET version = 9",
        "DELETE FROM contract_version",
    ):
        yield Case(by_hand, wrong, event)
    off = f"ALTER TABLE contract_version DISABLE TRIGGER {by_hand}; "
    yield Case("contract_version_pkey", off + insert("contract_version"), event)
    yield Case("contract_version_version_check", off + insert("contract_version", contract_id="8", version="0"), event)
    yield Case("contract_version_no_truncate", "TRUNCATE contract_version", event)


def _idempotency() -> Iterator[Case]:
    table = "idempotency_key"
    yield case(f"{table}_answer_has_status", table, {"answer": "NULL"})
    yield case(f"{table}_answer_has_status", table, {"status": "NULL"})
    running = insert(table, status="NULL", answer="NULL") + "; "
    answered = f"UPDATE {table} SET status = 201, answer = '\\x31' WHERE key = 'k2'; "
    at_once = f"SET CONSTRAINTS {table}_is_answered IMMEDIATE"
    yield Case(f"{table}_is_answered", running + at_once, running + answered + at_once)
    for wrong in ("answer = '\\x32'", "status = 500", "status = NULL, answer = NULL"):
        changed = f"UPDATE {table} SET {wrong} WHERE key = 'k2'"
        yield Case(f"{table}_answer_is_final", running + answered + changed, running + answered)
    for column, wrong in (
        ("body_hash", DIGEST.format("cd")),
        ("key", "'k3'"),
        ("made_at", "made_at - interval '1 day'"),
    ):
        changed = f"UPDATE {table} SET {column} = {wrong} WHERE key = 'k2'"
        yield Case(f"{table}_answer_is_final", running + changed, running + answered)
    old = insert(table, made_at="now() - interval '{}'") + f"; DELETE FROM {table} WHERE key = 'k2'"
    yield Case(f"{table}_kept", old.format("23 hours"), old.format("25 hours"))
    yield Case(f"{table}_no_truncate", f"TRUNCATE {table}", insert(table))


def _seals() -> Iterator[Case]:
    table, right = "audit_seal", insert("audit_seal")
    for wrong in (
        {"day": "'2020-01-03'"},
        {"day": "'2019-12-31'"},
        {"previous": DIGEST.format("00")},
        {"rows": "1", "marks": "'\\x0000000000000000'"},
    ):
        yield case(f"{table}_follows", table, wrong)
    off = f"ALTER TABLE {table} DISABLE TRIGGER {table}_follows; "
    behind = "ALTER TABLE audit_log DISABLE TRIGGER audit_log_day_is_open; "
    row = insert("audit_log", at="'2020-01-02 12:00+00'") + "; "
    yield Case(f"{table}_follows", row + right, right)
    today = "(now() AT TIME ZONE 'UTC')::date"
    yesterday = off + insert(table, day=f"{today} - 1") + f"; ALTER TABLE {table} ENABLE TRIGGER {table}_follows; "
    count = f"(SELECT count(*) FROM audit_log WHERE at >= {today})"
    todays = insert(
        table, day=today, previous=DIGEST.format("22"), rows=count, marks=f"repeat('0', 8 * {count}::integer)::bytea"
    )
    yield Case(f"{table}_follows", yesterday + todays, right)
    none = f"ALTER TABLE {table} DISABLE TRIGGER USER; DELETE FROM {table}; ALTER TABLE {table} ENABLE TRIGGER USER; "
    first = insert(table, previous=DIGEST.format("00"))
    earlier = insert("audit_log", at="'2020-01-01 23:59:59+00'") + "; "
    yield Case(f"{table}_follows", none + earlier + first, none + first)
    yield Case(f"{table}_pkey", off + insert(table, day="'2020-01-01'"), right)
    yield Case(f"{table}_marks_each_row", off + insert(table, rows="1"), right)
    for column in ("previous", "digest"):
        yield Case(f"{table}_{column}_check", off + insert(table, **{column: "'\\x00'"}), right)
    for wrong in (f"UPDATE {table} SET digest = digest", f"DELETE FROM {table}"):
        yield Case(f"{table}_append_only", wrong, right)
    yield Case(f"{table}_no_truncate", f"TRUNCATE {table}", right)
    for day in ("2020-01-01 00:00+00", "2020-01-01 23:59:59.999999+00", "2019-06-01"):
        yield Case("audit_log_day_is_open", insert("audit_log", at=f"'{day}'"), insert("audit_log"))
    yield Case("audit_log_day_is_open", insert("audit_log", at="'2020-01-01'"), behind + row)


def _reasons() -> Iterator[Case]:
    told = {"origin": "'command'", "detail": '\'{"reason": "paid at the desk"}\''}
    for action in ("account.lift", "guard.exempt", "document.write_off", "contract.make_free", "quote.override_price"):
        for silent in ("'{}'", '\'{"reason": ""}\''):
            wrong = {**told, "action": f"'{action}'", "detail": silent}
            yield case("audit_log_reason_where_required", "audit_log", wrong, {**wrong, "detail": told["detail"]})


def _orders() -> Iterator[Case]:
    of_order = {"is_advance": "true", "from_id": "1"}
    yield case("document_advance_is_of_an_order", "document", {**of_order, "from_id": "NULL"}, of_order)
    yield case(
        "document_advance_is_of_an_order",
        "document",
        {**of_order, "kind": "'quote'"},
        of_order,
    )
    final, advance = insert("document", from_id="1"), insert("document", **of_order)
    yield Case("document_one_final", f"{final}; {final}", f"{advance}; {advance}; {final}")
    register = insert("document_register", id="9", code="'OR'", kind="'order'") + "; "
    order = insert("document", kind="'order'", register_id="9", from_id="1")
    yield Case("document_one_order", f"{register}{order}; {order}", register + order)
    seventh = insert("document", id="7", kind="'order'", register_id="9")
    issued = (
        f"{register}{seventh}; ALTER TABLE document DISABLE TRIGGER document_issue;"
        " UPDATE document SET state = 'issued', year = 2026, number = 1, label = '1', issued_at = now() WHERE id = 7; "
    )
    answer = "UPDATE document SET state = 'accepted' WHERE id = 7"
    yield Case("document_money_answer", f"{issued}SET LOCAL corrente.actor = ''; {answer}", issued + answer)


EVIDENCE_CASES: Final[tuple[Case, ...]] = tuple(
    one for group in (_columns, _dunning, _outbox, _idempotency, _seals, _reasons, _orders) for one in group()
)
