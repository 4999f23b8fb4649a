"""One legal row of every table, as SQL, and statements that write a second one with some columns changed.

Values are SQL expressions, so that a test can write NULL, an array or a wrong type.
"""

from __future__ import annotations

from typing import Final

from support.agent_world import AGENT_COUNTED, AGENT_FIRST, AGENT_ROWS
from support.bank_world import BANK_FIRST, BANK_ROWS
from support.books_world import (
    CATALOGUE_FIRST,
    CATALOGUE_ROWS,
    LEDGER_FIRST,
    LEDGER_LEGS,
    LEDGER_ROWS,
    PARTY_FIRST,
    PARTY_ROWS,
    TERMS_FIRST,
    TERMS_ROWS,
)
from support.cash_world import CASH_COUNTED, CASH_FIRST, CASH_ROWS
from support.console_rows import CONSOLE_FIRST, CONSOLE_ONCE, CONSOLE_ROWS
from support.dunning_world import DUNNING_FIRST, DUNNING_ROWS
from support.evidence_world import EVIDENCE_COUNTED, EVIDENCE_FIRST, EVIDENCE_ROWS
from support.gateway_world import GATEWAY_FIRST, GATEWAY_ROWS
from support.message_world import MESSAGE_FIRST, MESSAGE_ROWS
from support.others_world import OTHERS_FIRST, OTHERS_ROWS
from support.portal_world import PORTAL_FIRST, PORTAL_ONCE, PORTAL_ROWS
from support.staff_world import STAFF_FIRST, STAFF_ROWS

SEALED: Final = "decode(repeat('ab', 40), 'hex')"
KEY: Final = "'00000000-0000-4000-8000-00000000000{}'"
DURING_JANUARY: Final = "'2026-01-10 12:00+00'"

# The second row of each table: legal beside the first, which WORLD writes.
ROWS: Final[dict[str, dict[str, str]]] = {
    "schema_migration": {"name": "'0002_pre_second.sql'"},
    "site": {"name": "'Tower 2'", "latitude": "45.5", "longitude": "9.1"},
    "nas": {"name": "'bras-2'", "source": "'192.0.2.2'", "vendor": "'generic'", "sealed_secret": SEALED},
    "profile": {
        "name": "'Home 100'",
        "rate_down_bps": "100000000",
        "rate_up_bps": "20000000",
        "burst_down_bps": "200000000",
        "burst_up_bps": "40000000",
        "burst_threshold_down_bps": "50000000",
        "burst_threshold_up_bps": "10000000",
        "burst_time_s": "10",
        "priority": "8",
        "minimum_down_bps": "10000000",
        "minimum_up_bps": "2000000",
    },
    "plan": {"name": "'Home'", "profile_id": "1", "throttle_profile_id": "1", "walled_profile_id": "1"},
    "plan_window": {"plan_id": "1", "begins": "'22:00'", "ends": "'06:00'", "profile_id": "1"},
    "quota_step": {"plan_id": "1", "percent": "80", "action": "'notice'"},
    "customer": {"name": "'Bruno'"},
    "contract": {"customer_id": "1", "plan_id": "1", "status": "'active'", "starts_on": "'2026-01-01'"},
    **PARTY_ROWS,
    **CATALOGUE_ROWS,
    "guard_release": {"released_by": "'maria'", "reason": "'month end'", "changes": "312"},
    "automation_run": {"name": "'dunning'", "started_by": "'worker-1'", "started_at": DURING_JANUARY},
    "restriction": {
        "contract_id": "1",
        "origin": "'dunning'",
        "level": "'walled'",
        "reason": "'invoice 12'",
        "placed_by": "'job dunning'",
        "since": "'2026-01-05 00:00+00'",
    },
    **TERMS_ROWS,
    **LEDGER_ROWS,
    **CASH_ROWS,
    **AGENT_ROWS,
    **BANK_ROWS,
    "relief": {
        "contract_id": "1",
        "during": "'[2026-02-01 00:00+00,2026-02-03 00:00+00)'",
        "reason": "'promise'",
        "granted_by": "'maria'",
    },
    "plan_change": {"contract_id": "1", "plan_id": "1", "effective_on": "'2026-02-01'", "placed_by": "'maria'"},
    "subscriber_account": {"contract_id": "1", "username": "'bruno'", "sealed_secret": SEALED},
    "data_topup": {
        "contract_id": "1",
        "account_id": "1",
        "octets": "1000",
        "since": "'2026-01-10 00:00+00'",
        "until": "'2026-02-01 00:00+00'",
        "reason": "'bought'",
        "placed_by": "'maria'",
    },
    "account_prefix": {"account_id": "1", "kind": "'framed_ipv6_address'", "prefix": "'2001:db8::2'"},
    "session": {
        "session_key": KEY.format(2),
        "nas_id": "1",
        "acct_session_id": "'81000002'",
        "username": "'anna'",
        "account_id": "1",
        "policy_version": "'\\x0011223344556677'",
        "started_at": DURING_JANUARY,
        "updated_at": DURING_JANUARY,
        "received_at": DURING_JANUARY,
        "session_time_s": "0",
        "octets_in": "0",
        "octets_out": "0",
        "counter_in": "0",
        "counter_out": "0",
        "interim_interval_s": "600",
        "framed_ipv4": "'100.64.0.2'",
        "framed_ipv6_address": "'2001:db8::3'",
        "framed_ipv6_prefix": "'2001:db8:1::/64'",
        "delegated_ipv6_prefix": "'2001:db8:100::/56'",
        "nat_address": "'198.51.100.7'",
        "nat_first_port": "1024",
        "nat_last_port": "2047",
        "addresses_since": DURING_JANUARY,
        "applied_version": "'\\x8899aabbccddeeff'",
        "applied_by": "'verified'",
        "applied_at": DURING_JANUARY,
    },
    "closed_session": {
        "session_key": KEY.format(2),
        "ended_at": DURING_JANUARY,
        "ended_by": "'stop'",
        "nas_id": "1",
        "acct_session_id": "'81000002'",
        "username": "'anna'",
        "started_at": DURING_JANUARY,
        "received_at": DURING_JANUARY,
        "session_time_s": "0",
        "octets_in": "0",
        "octets_out": "0",
        "counter_in": "0",
        "counter_out": "0",
        "nat_address": "'198.51.100.7'",
        "nat_first_port": "1024",
        "nat_last_port": "2047",
        "mac": "''",
        "line": "''",
        "applied_version": "'\\x8899aabbccddeeff'",
        "applied_by": "'device'",
        "applied_at": DURING_JANUARY,
    },
    "address_history": {
        "month": "'2026-01-01'",
        "address": "'100.64.0.2'",
        "valid_from": DURING_JANUARY,
        "valid_to": DURING_JANUARY,
        "first_port": "0",
        "last_port": "65535",
        "session_key": KEY.format(2),
        "nas_id": "1",
        "username": "'anna'",
    },
    "usage_hour": {"account_id": "2", "hour": DURING_JANUARY, "octets_in": "0", "octets_out": "0"},
    "usage_day": {"account_id": "2", "day": "'2026-01-10'", "octets_in": "0", "octets_out": "0"},
    "late_usage": {"account_id": "1"},
    "quota_usage": {"account_id": "2", "month": "'2026-01-01'", "counted_before": "'2026-01-10'", "octets": "0"},
    "quota_event": {
        "account_id": "2",
        "month": "'2026-01-01'",
        "percent": "80",
        "action": "'notice'",
        "octets": "800",
        "allowed": "1000",
    },
    "profile_revision": {"profile_id": "1", "revision": "'\\x00112233'"},
    "desired_policy": {
        "account_id": "1",
        "level": "'full'",
        "reason": "'full'",
        "profile_id": "1",
        "account_revision": "'\\x44556677'",
    },
    "login_attempt": {
        "at": DURING_JANUARY,
        "attempt_key": "decode(repeat('02', 16), 'hex')",
        "outcome": "'reject'",
        "reason": "'wrong_password'",
        "username": "'anna'",
        "policy_version": "'\\x0011223344556677'",
    },
    "spool_position": {"node": "'node-1'", "file": "'detail.2'", "octets": "0"},
    "spool_node": {"node": "'node-2'", "read_to": DURING_JANUARY},
    "nas_clock": {"nas_id": "2", "source": "'192.0.2.2'", "ahead_s": "-192"},
    "node_holder": {"node": "'node-2'", "installation": "repeat('0a', 16)", "host": "'radius-2'"},
    "scheduled_job": {"name": "'sweep_stale'", "took_s": "0.5"},
    "scheduler_lease": {},
    "scheduler_fence": {},
    "unreadable_record": {
        "node": "'node-1'",
        "file": "'detail.1'",
        "octet": "200",
        "problem": "'no NAS'",
        "record": "''",
    },
    "enforcement": {
        "session_key": KEY.format(2),
        "nas_id": "1",
        "account_id": "1",
        "acct_session_id": "'81000002'",
        "username": "'anna'",
        "level": "'walled'",
        "reason": "'dunning'",
        "desired_version": "'\\x0011223344556677'",
        "profile_id": "1",
        "disruptive": "true",
        "method": "'coa'",
        "wanted_at": DURING_JANUARY,
        "created_at": DURING_JANUARY,
    },
    "enforcement_packet": {
        "enforcement_id": "1",
        "at": DURING_JANUARY,
        "direction": "'sent'",
        "code": "43",
        "identifier": "7",
        "peer": "'192.0.2.1:3799'",
        "attributes": "'User-Name = anna'",
    },
    "nas_silence": {"nas_id": "2", "next_at": DURING_JANUARY},
    "known_revision": {"revision": "'\\x00112233'", "profile_id": "1"},
    "device_reading": {"nas_id": "2", "tried_at": DURING_JANUARY, "read_at": DURING_JANUARY},
    "device_session": {
        "nas_id": "1",
        "acct_session_id": "'81000002'",
        "username": "'anna'",
        "framed_ipv4": "'100.64.0.2'",
        "mac": "'02005e100001'",
        "since": DURING_JANUARY,
        "own_key": KEY.format(9),
    },
    "feed_position": {"reader": "'desired'", "system": "'1/2'", "snapshot": "'7:7:'"},
    "guard_state": {},
    "guard_pass": {"enforcement_id": "2", "at": DURING_JANUARY},
    "guard_exemption": {
        "contract_id": "1",
        "reason": "'hospital'",
        "placed_by": "'maria'",
        "since": "'2026-01-05 00:00+00'",
        "until": "'2026-02-05 00:00+00'",
    },
    "network_stop": {"reason": "'wrong import'", "placed_by": "'maria'", "since": "'2026-01-05 00:00+00'"},
    "nas_maintenance": {
        "nas_id": "1",
        "reason": "'new software'",
        "placed_by": "'maria'",
        "since": "'2026-01-05 00:00+00'",
    },
    "row_history": {"kind": "'contract'", "key": "1", "until": DURING_JANUARY, "content": "'{}'"},
    "change_feed": {"kind": "'account'", "key": "1"},
    "change_horizon": {},
    "audit_log": {"actor": "'maria'", "action": "'account.set'", "subject": "'anna'", "detail": "'{}'"},
    **EVIDENCE_ROWS,
    **OTHERS_ROWS,
    **DUNNING_ROWS,
    **MESSAGE_ROWS,
    **GATEWAY_ROWS,
    **STAFF_ROWS,
    **PORTAL_ROWS,
    **CONSOLE_ROWS,
}

# What differs in the first row; its identity columns are 1.
_FIRST: Final[dict[str, dict[str, str]]] = {
    **PARTY_FIRST,
    **CATALOGUE_FIRST,
    **TERMS_FIRST,
    **LEDGER_FIRST,
    **CASH_FIRST,
    **AGENT_FIRST,
    **BANK_FIRST,
    **EVIDENCE_FIRST,
    **OTHERS_FIRST,
    **DUNNING_FIRST,
    **MESSAGE_FIRST,
    **GATEWAY_FIRST,
    **STAFF_FIRST,
    **PORTAL_FIRST,
    **CONSOLE_FIRST,
    "schema_migration": {"name": "'0001_pre_first.sql'"},
    "site": {"name": "'Tower 1'"},
    "nas": {"name": "'bras-1'", "source": "'192.0.2.1'"},
    "profile": {"name": "'Home 30'"},
    "plan": {"name": "'Start'"},
    "plan_window": {"begins": "'12:00'", "ends": "'14:00'"},
    "quota_step": {"percent": "100", "action": "'throttle'"},
    "relief": {"during": "'[2026-01-01 00:00+00,2026-01-03 00:00+00)'"},
    "plan_change": {"effective_on": "'2026-01-20'"},
    "subscriber_account": {"username": "'anna'"},
    "account_prefix": {"kind": "'framed_ipv4'", "prefix": "'100.64.0.1'"},
    "session": {"session_key": KEY.format(1)},
    "closed_session": {"session_key": KEY.format(1)},
    "address_history": {"session_key": KEY.format(1)},
    "usage_hour": {"account_id": "1"},
    "usage_day": {"account_id": "1"},
    "quota_usage": {"account_id": "1"},
    "quota_event": {"account_id": "1"},
    "login_attempt": {"attempt_key": "decode(repeat('01', 16), 'hex')"},
    "spool_position": {"file": "'detail.1'"},
    "spool_node": {"node": "'node-1'"},
    "node_holder": {"node": "'node-1'"},
    "scheduled_job": {"name": "'make_months'"},
    "enforcement": {"session_key": KEY.format(1)},
    "nas_silence": {"nas_id": "1"},
    "nas_clock": {"nas_id": "1"},
    "guard_pass": {"enforcement_id": "1"},
    "guard_exemption": {"ended_at": "'2026-01-06 00:00+00'", "ended_by": "'maria'"},
    "network_stop": {"ended_at": "'2026-01-06 00:00+00'", "ended_by": "'maria'"},
    "nas_maintenance": {"ended_at": "'2026-01-06 00:00+00'", "ended_by": "'maria'"},
    "unreadable_record": {"octet": "100"},
    "known_revision": {"revision": "'\\x44556677'"},
    "device_reading": {"nas_id": "1"},
    "device_session": {"acct_session_id": "'81000001'"},
    "feed_position": {"reader": "'first'"},
}


def insert(table: str, **changes: str) -> str:
    """The statement that writes the table's second row with these columns changed; values are SQL."""
    row = {**ROWS[table], **changes}
    if not row:
        return f"INSERT INTO {table} DEFAULT VALUES"
    overriding = "OVERRIDING SYSTEM VALUE " if "id" in row else ""
    return f"INSERT INTO {table} ({', '.join(row)}) {overriding}VALUES ({', '.join(row.values())})"


# schema.sql itself writes the row of these.
_MADE: Final = {"change_horizon", "scheduler_lease", "scheduler_fence", "guard_state"}
# Other tables' triggers write these, and nobody else; payments and what they settle need entries and documents that are issued.
_COUNTED: Final = (
    {
        "posting",
        "customer_balance",
        "credited_line",
        "customer_words",
        "payment",
        "payment_match",
        "payment_reversal",
        "refund",
        "write_off",
        "write_off_undo",
        "allocation",
        "open_payment",
        "open_document",
        "turnover",
    }
    | EVIDENCE_COUNTED
    | CASH_COUNTED
    | AGENT_COUNTED
)
# Of these there is one row an account, a profile, a NAS, a member of staff and a role, or a session, and one of each.
_ONE_ONLY: Final = {"profile_revision", "desired_policy", "staff_has_role", "cash_offer", *PORTAL_ONCE, *CONSOLE_ONCE}
# Who writes money says so; here for the whole connection.
WORLD: Final = "SET corrente.actor = 'maria'; " + "; ".join(
    LEDGER_LEGS if table == "posting" else insert(table, **_FIRST.get(table, {}))
    for table in ROWS
    if table not in _MADE | _ONE_ONLY | _COUNTED - {"posting"}
)
