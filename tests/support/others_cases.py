"""For every constraint of webhooks and e-invoices: what it must refuse, and its legal neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_SHORT: Final = "decode(repeat('ab', 32), 'hex')"
_OTHER: Final = "decode(repeat('07', 32), 'hex')"
_LONG: Final = "decode(repeat('ab', 33), 'hex')"
# Table, column, what is wrong, what is right.
_BAD: Final = (
    ("webhook_endpoint", "name", "'two words'", "'a.b-c_1'"),
    ("webhook_endpoint", "url", "'ftp://example.com/'", "'http://10.0.0.1/'"),
    ("webhook_endpoint", "url", "'https://example.com/ x'", "'https://x'"),
    ("webhook_endpoint", "url", "'https://' || repeat('x', 1993)", "'https://' || repeat('x', 1992)"),
    ("webhook_endpoint", "events", "'{}'", "'{payment.*}'"),
    ("webhook_endpoint", "sealed_secret", _SHORT, _LONG),
    ("webhook_endpoint", "made_by", "''", "'job'"),
    ("webhook_delivery", "event_id", "''", "'e'"),
    ("webhook_delivery", "event", "'issued'", "'document.issued'"),
    ("webhook_delivery", "body", "'x'", "repeat('x', 262144)::bytea"),
    ("webhook_delivery", "body", "repeat('x', 262145)::bytea", "'{}'"),
    ("webhook_delivery", "attempts", "-1", "1"),
    ("webhook_attempt", "attempt", "0", "3"),
    ("webhook_attempt", "took_s", "-0.1", "0"),
    ("webhook_attempt", "status", "99", "100"),
    ("webhook_attempt", "answer", "repeat('x', 1001)", "repeat('x', 1000)"),
    ("einvoice_account", "name", "'two words'", "'a.b-c_1'"),
    ("einvoice_account", "provider", "'Test'", "'it_sdi'"),
    ("einvoice_account", "settings", "'[]'", "'{}'"),
    ("einvoice_account", "sealed_secret", _SHORT, _LONG),
    ("einvoice_account", "series", "'A/1'", "'A1'"),
    ("einvoice_account", "failures", "-1", "1"),
    ("einvoice_account", "made_by", "''", "'job'"),
    ("einvoice_series", "series", "''", "'C'"),
    ("einvoice_series", "last_number", "-1", "1"),
    ("einvoice_event", "operation", "''", "'lookup'"),
    ("einvoice_event", "raw", "repeat('x', 65537)::bytea", "repeat('x', 65536)::bytea"),
    ("einvoice_artifact", "kind", "''", "'cdr'"),
    ("einvoice_artifact", "digest", "'\\x00'", _OTHER),
    ("einvoice_message", "digest", "'\\x00'", _OTHER),
    ("einvoice_message", "content", "repeat('x', 4194305)::bytea", "repeat('x', 4194304)::bytea"),
    ("auth_ticket", "service", "''", "'x'"),
    ("auth_ticket", "sealed_token", _SHORT, _LONG),
)
# Of an e-invoice, behind a document of its own.
_BAD_EINVOICE: Final = (
    ("kind", "'quote'", "'credit_note'"),
    ("series", "''", "'B'"),
    ("number", "0", "NULL"),
    ("external_key", "''", "'x'"),
    ("attempts", "-1", "1"),
    ("tries", "-1", "1"),
)
_SECOND: Final = insert("document", id="2") + "; "
_EINVOICE: Final = _SECOND + insert("einvoice")


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for column, wrong, right in _BAD_EINVOICE:
        rows = [_SECOND + insert("einvoice", **{column: value}) for value in (wrong, right)]
        yield Case(f"einvoice_{column}_check", *rows)
    for table in ("webhook_endpoint", "webhook_delivery", "einvoice_account", "einvoice_event", "einvoice_message"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    yield case("webhook_delivery_endpoint_id_fkey", "webhook_delivery", {"endpoint_id": "9"})
    yield case("webhook_attempt_delivery_id_fkey", "webhook_attempt", {"delivery_id": "9"})


def _webhooks() -> Iterator[Case]:
    endpoint, delivery = "webhook_endpoint", "webhook_delivery"
    rotating = {"sealed_old_secret": _LONG, "old_secret_until": "now()"}
    yield case(f"{endpoint}_sealed_old_secret_check", endpoint, rotating | {"sealed_old_secret": _SHORT}, rotating)
    for one, value in rotating.items():
        yield case(f"{endpoint}_old_secret_ends", endpoint, {one: value}, rotating)
    off = {"disabled_at": "now()", "disabled_why": "'410'"}
    for one, value in off.items():
        yield case(f"{endpoint}_disabled_has_reason", endpoint, {one: value}, off)
    again = insert(endpoint, name="'first'")
    yield Case(f"{endpoint}_name_once", again, f"UPDATE {endpoint} SET removed_at = now(); {again}")
    yield case(f"{delivery}_once", delivery, {"outbox_id": "1"}, {"outbox_id": "NULL"})
    yield case(
        f"{delivery}_contract_has_version", delivery, {"version": "NULL"}, {"version": "NULL", "contract_id": "NULL"}
    )
    over = {"state": "'parked'", "ended_at": "now()"}
    for one, value in over.items():
        yield case(f"{delivery}_ends", delivery, {one: value}, over)
    yield case("webhook_attempt_pkey", "webhook_attempt", {"attempt": "1"})
    yield case(
        "webhook_attempt_says_how_it_went",
        "webhook_attempt",
        {"status": "NULL"},
        {"status": "NULL", "problem": "'away'"},
    )


def _accounts() -> Iterator[Case]:
    table = "einvoice_account"
    yield case(f"{table}_name_once", table, {"name": "'first'"})
    yield case(f"{table}_one_enabled", table, {"enabled": "true"})
    blocked = {"blocked_at": "now()", "blocked_reason": "'certificate'"}
    for one, value in blocked.items():
        yield case(f"{table}_blocked_has_reason", table, {one: value}, blocked)
    for wrong in ({"range_to": "NULL"}, {"range_from": "10"}, {"range_from": "0"}):
        none = {"range_from": "NULL", "range_to": "NULL"}
        yield case("einvoice_series_range", "einvoice_series", wrong, none)
    yield case("einvoice_series_pkey", "einvoice_series", {"series": "'A'"})
    yield case(f"{table}_issuer_id_fkey", table, {"issuer_id": "9"})
    for child in ("einvoice_series", "einvoice_message", "auth_ticket"):
        yield case(f"{child}_account_id_fkey", child, {"account_id": "9"})
    for child in ("einvoice_event", "einvoice_artifact"):
        yield case(f"{child}_einvoice_id_fkey", child, {"einvoice_id": "9"})
    yield case("einvoice_artifact_pkey", "einvoice_artifact", {"digest": "decode(repeat('01', 32), 'hex')"})
    yield case("einvoice_message_once", "einvoice_message", {"digest": "decode(repeat('01', 32), 'hex')"})
    done = {"done_at": "now()", "verdict": "'read'"}
    for one, value in done.items():
        yield case("einvoice_message_done_has_verdict", "einvoice_message", {one: value}, done)
    yield case("auth_ticket_pkey", "auth_ticket", {"service": "'first'"})
    for wrong in ("UPDATE einvoice_event SET text = 'x'", "DELETE FROM einvoice_event"):
        yield Case("einvoice_event_append_only", wrong, insert("einvoice_event"))
    yield Case("einvoice_event_no_truncate", "TRUNCATE einvoice_event", insert("einvoice_event"))


def _einvoices() -> Iterator[Case]:
    yield Case("einvoice_document_once", _SECOND + insert("einvoice", document_id="1"), _EINVOICE)
    yield Case(
        "einvoice_number_once",
        _SECOND + insert("einvoice", number="1"),
        _SECOND + insert("einvoice", number="1", kind="'credit_note'"),
    )
    yield Case("einvoice_external_key_once", _SECOND + insert("einvoice", external_key="'invoice-A-1'"), _EINVOICE)
    yield Case("einvoice_pkey", _SECOND + insert("einvoice", id="1"), _SECOND + insert("einvoice", id="77"))
    yield Case("einvoice_document_id_fkey", insert("einvoice", document_id="9"), _EINVOICE)
    yield Case("einvoice_account_id_fkey", _SECOND + insert("einvoice", account_id="9"), _EINVOICE)
    unsent = {
        "state": "'draft'",
        "number": "NULL",
        **dict.fromkeys(("external_key", "payload", "media_type", "digest"), "NULL"),
    }
    for wrong in ({"state": "'draft'"}, {"media_type": "NULL"}):
        yield Case(
            "einvoice_prepared_is_whole", _SECOND + insert("einvoice", **wrong), _SECOND + insert("einvoice", **unsent)
        )
    yield Case("einvoice_digest_is_the_payload_s", _SECOND + insert("einvoice", digest=_OTHER), _EINVOICE)
    for state in ("sending", "unknown", "pending", "prepared", "cancel_requested"):
        wrong = insert("einvoice", state=f"'{state}'", next_try="NULL")
        yield Case(
            "einvoice_moving_is_looked_at",
            _SECOND + wrong,
            _SECOND + insert("einvoice", state="'accepted'", next_try="NULL"),
        )
    moved = "UPDATE einvoice SET state = '{}'; "
    for column, value in (("number", "7"), ("external_key", "'x'"), ("payload", "'<c/>', digest = sha256('<c/>')")):
        changed = f"UPDATE einvoice SET {column} = {value}"
        yield Case("einvoice_sent_stays", moved.format("sending") + changed, moved.format("rejected_fixable") + changed)
    for state in ("accepted", "cancel_requested", "cancelled"):
        back = moved.format(state) + moved.format("rejected_final")
        yield Case("einvoice_taken_stays", back, moved.format("accepted") + moved.format(state))
    yield Case(
        "einvoice_is_of_its_document",
        _SECOND + "UPDATE einvoice SET document_id = 2",
        "UPDATE einvoice SET document_id = 1",
    )
    yield Case("einvoice_stays", "DELETE FROM einvoice", _EINVOICE)
    yield Case("einvoice_no_truncate", "TRUNCATE einvoice CASCADE", _EINVOICE)


OTHERS_CASES: Final[tuple[Case, ...]] = (*_columns(), *_webhooks(), *_accounts(), *_einvoices())
