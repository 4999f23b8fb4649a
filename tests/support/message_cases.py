"""For each constraint of the tables of messages, what it must refuse. Values are SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

_BAD: Final = (
    ("message_batch", "title", "''", "repeat('t', 200)"),
    ("message_batch", "title", "repeat('t', 201)", "'Works'"),
    ("message_batch", "scope", "'[]'", "'{}'"),
    ("message_batch", "made_by", "''", "'maria'"),
    ("message", "origin", "''", "repeat('o', 200)"),
    ("message", "origin", "repeat('o', 201)", "'o'"),
    ("message", "channel", "'E-mail'", "'sms'"),
    ("message", "template", "'Due soon'", "'due_soon'"),
    ("message", "data", "'[]'", '\'{"debt": "12,20"}\''),
    ("message", "made_by", "''", "'maria'"),
    ("message", "attempts", "-1", "1"),
    ("message", "address", "''", "'anna@example.net'"),
    ("message", "reference", "''", "'<1@example.net>'"),
    ("message_event", "made_by", "''", "'maria'"),
    ("undeliverable_address", "channel", "'E-mail'", "'sms'"),
    ("undeliverable_address", "address", "''", "'anna@example.net'"),
    ("undeliverable_address", "address", "'Anna@example.net'", "'anna@example.net'"),
    ("undeliverable_address", "reason", "''", "'5.1.1'"),
    ("message_template", "kind", "'Due soon'", "'due_soon'"),
    ("message_template", "version", "0", "2"),
    ("message_template", "subject", "''", "repeat('s', 1000)"),
    ("message_template", "body", "''", "repeat('b', 20000)"),
    ("message_template", "body", "repeat('b', 20001)", "'b'"),
    ("message_template", "html", "''", "'<p>'"),
    ("message_template", "made_by", "''", "'maria'"),
)
_REFERENCES: Final = (
    ("message", "customer_id", {"contract_id": "NULL", "contact_id": "NULL"}),
    ("message", "issuer_id", {}),
    ("message", "batch_id", {}),
    ("message_event", "message_id", {}),
    ("undeliverable_address", "message_id", {}),
    ("message_template", "issuer_id", {}),
)
_WRITTEN: Final = (
    "address = 'anna@example.net', reference = '<1@example.net>', written_at = now(), subject = 'Hello', body = 'Hello'"
)
_SENT: Final = f"UPDATE message SET {_WRITTEN}, handed_at = now(), state = 'sent', ended_at = now() - interval '{{}}'; "


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        yield case(f"{table}_{column}_check", table, {column: wrong}, {column: right})
    for table in ("message_batch", "message", "message_event", "message_template"):
        yield case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    yield case("undeliverable_address_pkey", "undeliverable_address", {"address": "'old@example.net'"})
    for table, column, others in _REFERENCES:
        yield case(f"{table}_{column}_fkey", table, {**others, column: "999"}, others)


def _messages() -> Iterator[Case]:
    yield case("message_batch_cancelled_by_someone", "message_batch", {"cancelled_by": "'maria'"})
    pushed = {"device_id": "1", "channel": "'push'"}
    yield case("message_to_a_device_is_pushed", "message", {"device_id": "1"}, pushed)
    yield case("message_device_id_fkey", "message", {**pushed, "device_id": "999"}, pushed)
    once = {"origin": "'dunning 1 walled'"}
    taken_back = {"cancelled_at": "now()", "cancelled_by": "'maria'"}
    yield case("message_batch_cancelled_by_check", "message_batch", {**taken_back, "cancelled_by": "''"}, taken_back)
    yield case("message_once", "message", once, {**once, "channel": "'sms'"})
    second = insert("customer", id="2")
    for key in ("contract", "contact"):
        other = {"customer_id": "2", "contract_id": "NULL", "contact_id": "NULL"}
        yield Case(
            f"message_{key}_of_customer",
            f"{second}; {insert('message', **{**other, f'{key}_id': '1'})}",
            f"{second}; {insert('message', **other)}",
        )
    for wrong in ("'{document}'", "'{document:0}'", "'{document:1,NULL}'", "'{\"document:1,x\"}'"):
        yield case(
            "message_encloses_rows", "message", {"enclosures": wrong}, {"enclosures": "'{document:1,receipt:7}'"}
        )
    eleven, ten = (f"array_fill('document:1'::text, '{{{count}}}')" for count in (11, 10))
    yield case("message_encloses_rows", "message", {"enclosures": eleven}, {"enclosures": ten})
    taken = {"state": "'sending'", "taken_until": "now()"}
    yield case("message_taken_while_sending", "message", {"taken_until": "now()"}, taken)
    yield case("message_taken_while_sending", "message", {**taken, "taken_until": "NULL"}, taken)
    ended = {"state": "'cancelled'", "ended_at": "now()"}
    yield case("message_ends_with_its_state", "message", {"ended_at": "now()"}, ended)
    yield case("message_ends_with_its_state", "message", {**ended, "ended_at": "NULL"}, ended)
    sent = _SENT.format("0")
    for state in ("sent", "bounced"):
        yield Case("message_sent_was_handed", f"UPDATE message SET state = '{state}', ended_at = now()", sent)
    yield Case("message_handed_is_written", "UPDATE message SET handed_at = now()", sent)
    for wrong in ('data = \'{"a": "b"}\'', "customer_id = 2, contract_id = NULL, contact_id = NULL", "channel = 'sms'"):
        yield Case("message_stays_as_asked", f"UPDATE message SET {wrong}", sent)
    yield Case("message_stays_as_handed", sent + "UPDATE message SET body = 'Bye'", f"UPDATE message SET {_WRITTEN}")
    gone = "DELETE FROM message"
    for recent in ("", _SENT.format("27 days 23 hours")):
        yield Case("message_kept", recent + gone, _SENT.format("28 days 1 hour") + gone)
    yield Case("message_no_truncate", "TRUNCATE message CASCADE", insert("message"))
    for table, change in (("message_event", "detail = ''"), ("message_template", "made_by = 'x'")):
        name = "message_event_never_changes" if table == "message_event" else "message_template_append_only"
        yield Case(name, f"UPDATE {table} SET {change}", insert(table))
    yield Case("message_template_append_only", "DELETE FROM message_template", insert("message_template"))
    again = {"version": "1", "language": "'it'"}
    yield case("message_template_version_once", "message_template", again, {**again, "issuer_id": "1"})
    half = {"subject": "NULL"}
    yield case("message_template_whole_or_none", "message_template", half, {**half, "body": "NULL", "html": "NULL"})
    yield case("message_template_whole_or_none", "message_template", {**half, "body": "NULL", "html": "'<p>'"})


MESSAGE_CASES: Final[tuple[Case, ...]] = tuple(one for group in (_columns, _messages) for one in group())
