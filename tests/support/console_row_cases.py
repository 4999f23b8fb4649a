"""For each constraint of the tables that the console brought for itself, what it must refuse. Values are SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_BAD: Final = (
    ("online_minute", "at", "'2026-01-10 12:00:01+00'", "'2026-01-10 12:02+00'"),
    ("online_minute", "subscribers", "-1", "0"),
    ("online_minute", "sessions", "-1", "0"),
    ("online_minute", "stale", "-1", "0"),
    ("login_minute", "at", "'2026-01-10 12:00:01+00'", "'2026-01-10 12:02+00'"),
    ("login_minute", "outcome", "'challenge'", "'reject'"),
    ("login_minute", "reason", "''", "'wrong_password'"),
    ("login_minute", "attempts", "0", "1"),
    ("nas_word", "sessions", "-1", "0"),
    ("drift_sweep", "sessions", "-1", "0"),
    ("drift_sweep", "by_reason", "'[]'", "'{}'"),
    ("drift_sweep", "only_row", "false", "true"),
    ("staff_session_length", "only_row", "false", "true"),
    ("staff_session_length", "idle_minutes", "4", "5"),
    ("staff_session_length", "idle_minutes", "1441", "1440"),
    ("staff_session_length", "most_hours", "721", "720"),
    ("contract_draft", "made_by", "''", "'b'"),
    ("contract_draft", "answers", "'[]'", "'{}'"),
    ("contract_signature", "signer", "''", "'b'"),
    ("contract_signature", "drawing", "''", "'\\x09'"),
    ("contract_signature", "paper", "''", "'\\x09'"),
    ("contract_signature", "taken_by", "''", "'b'"),
    ("session", "rate_in_bps", "-1", "0"),
    ("session", "rate_out_bps", "-1", "0"),
    ("enforcement", "asked_by", "''", "'maria'"),
)


def _cases() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in ("online_minute", "login_minute"):
        yield case(f"{table}_pkey", table, {"at": "'2026-01-10 12:00+00'"})
    shorter = {"idle_minutes": "60", "most_hours": "1"}
    yield case(
        "staff_session_length_idle_ends_first", "staff_session_length", {**shorter, "idle_minutes": "61"}, shorter
    )
    for table in ("nas_word", "drift_sweep", "staff_session_length"):
        yield Case(f"{table}_pkey", f"{insert(table)}; {insert(table)}", insert(table))
    yield case("nas_word_nas_id_fkey", "nas_word", {"nas_id": "999"})
    for table in ("contract_draft", "contract_signature"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
        yield case(f"{table}_contract_id_fkey", table, {"contract_id": "999"}, {"contract_id": "1"})
    kept = insert("contract_signature")
    for wrong in ("UPDATE contract_signature SET signer = signer", "DELETE FROM contract_signature"):
        yield Case("contract_signature_append_only", wrong, kept)


CONSOLE_CASES: Final[tuple[Case, ...]] = tuple(_cases())
