"""For every constraint of schema.sql: a statement it must refuse, and the legal neighbour it must let pass.

Each runs alone on the rows of legal_world. test_schema.py fails for a constraint that stands in the database and not
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.agent_cases import AGENT_CASES
from support.at_once_cases import AT_ONCE_CASES
from support.bank_cases import BANK_CASES
from support.books_by_hand_cases import BY_HAND_CASES
from support.books_cases import BOOKS_CASES
from support.case import Case
from support.case import case as _case
from support.cash_cases import CASH_CASES
from support.console_row_cases import CONSOLE_CASES
from support.dunning_cases import DUNNING_CASES
from support.evidence_cases import EVIDENCE_CASES
from support.gateway_cases import GATEWAY_CASES
from support.issuing_cases import ISSUING_CASES
from support.known_cases import KNOWN_CASES
from support.ledger_cases import LEDGER_CASES
from support.legal_world import DURING_JANUARY, KEY, ROWS, SEALED, insert
from support.message_cases import MESSAGE_CASES
from support.others_cases import OTHERS_CASES
from support.payment_cases import PAYMENT_CASES
from support.portal_cases import PORTAL_CASES
from support.staff_cases import STAFF_CASES

# The tables whose changes an edge must hear of.
_WATCHED: Final = (
    "nas",
    "profile",
    "plan",
    "contract",
    "restriction",
    "relief",
    "plan_window",
    "plan_change",
    "data_topup",
    "subscriber_account",
    "account_prefix",
)


def _keys() -> Iterator[Case]:
    """A second row under the first one's key."""
    guarded = ("automation_run", "guard_release", "guard_exemption", "network_stop", "nas_maintenance", "row_history")
    for table in (
        *_WATCHED,
        "site",
        "customer",
        "audit_log",
        "unreadable_record",
        "enforcement",
        "late_usage",
        *guarded,
    ):
        yield _case(f"{table}_pkey", table, {"id": "1"}, {"id": "77"})
    yield _case("schema_migration_pkey", "schema_migration", {"name": "'0001_pre_first.sql'"})
    for table in ("session", "closed_session"):
        yield _case(f"{table}_pkey", table, {"session_key": KEY.format(1)})
    yield _case("address_history_pkey", "address_history", {"session_key": KEY.format(1)})
    yield _case("usage_hour_pkey", "usage_hour", {"account_id": "1"})
    yield _case("usage_day_pkey", "usage_day", {"account_id": "1"})
    yield _case("login_attempt_pkey", "login_attempt", {"attempt_key": "decode(repeat('01', 16), 'hex')"})
    second_nas = insert("nas", id="2")
    yield Case(
        "nas_silence_pkey",
        f"{second_nas}; {insert('nas_silence', nas_id='1')}",
        f"{second_nas}; {insert('nas_silence')}",
    )
    yield Case(
        "nas_clock_pkey", f"{second_nas}; {insert('nas_clock', nas_id='1')}", f"{second_nas}; {insert('nas_clock')}"
    )
    yield _case("spool_position_pkey", "spool_position", {"file": "'detail.1'"}, {"node": "'node-2'"})
    yield _case("spool_node_pkey", "spool_node", {"node": "'node-1'"})
    yield _case("node_holder_pkey", "node_holder", {"node": "'node-1'"})
    yield Case(
        "change_feed_pkey",
        "INSERT INTO change_feed (xid, id, kind, key) OVERRIDING SYSTEM VALUE SELECT xid, id, kind, key FROM change_feed",
        insert("change_feed"),
    )
    yield Case(
        "change_horizon_pkey", "INSERT INTO change_horizon DEFAULT VALUES", "UPDATE change_horizon SET xid = '7'"
    )
    yield Case(
        "change_horizon_only_row_check",
        "INSERT INTO change_horizon VALUES (false, '0')",
        "UPDATE change_horizon SET only_row = true",
    )
    for table in ("scheduler_lease", "scheduler_fence"):
        yield Case(f"{table}_pkey", f"INSERT INTO {table} DEFAULT VALUES", "SELECT 1")
        yield Case(
            f"{table}_only_row_check",
            f"INSERT INTO {table} (only_row) VALUES (false)",
            f"UPDATE {table} SET only_row = true",
        )


def _unique() -> Iterator[Case]:
    yield _case("site_name_key", "site", {"name": "'Tower 1'"})
    yield _case("nas_name_key", "nas", {"name": "'bras-1'"})
    yield _case("nas_source_once", "nas", {"source": "'192.0.2.1/32'"}, {"source": "'192.0.2.0/24'"})
    yield _case("profile_name_key", "profile", {"name": "'Home 30'"})
    yield _case("plan_name_key", "plan", {"name": "'Start'"})
    yield _case(
        "subscriber_account_username_once", "subscriber_account", {"username": "'anna'"}, {"username": "'Anna'"}
    )
    yield _case("unreadable_record_once", "unreadable_record", {"octet": "100"}, {"octet": "100", "node": "'node-2'"})
    yield _case("account_prefix_once", "account_prefix", {"kind": "'framed_ipv4'", "prefix": "'100.64.0.1'"})
    yield _case(
        "account_prefix_assigned_once",
        "account_prefix",
        {"kind": "'framed_ipv6_prefix'"},
    )._replace(
        breaks=insert("account_prefix", kind="'framed_ipv6_prefix'", prefix="'2001:db8::/64'")
        + ";"
        + insert("account_prefix", kind="'delegated_ipv6_prefix'", prefix="'2001:db8::/64'"),
        passes=insert("account_prefix", kind="'framed_ipv6_prefix'", prefix="'2001:db8::/64'")
        + ";"
        + insert("account_prefix", kind="'delegated_ipv6_prefix'", prefix="'2001:db8:1::/56'"),
    )
    yield _case(
        "account_prefix_one_framed",
        "account_prefix",
        {"kind": "'framed_ipv4'", "prefix": "'100.64.0.2'"},
        {"kind": "'route'", "prefix": "'100.64.0.2'"},
    )


def _references() -> Iterator[Case]:
    for table, column in (
        ("nas", "site_id"),
        ("plan", "profile_id"),
        ("plan", "throttle_profile_id"),
        ("plan", "walled_profile_id"),
        ("contract", "customer_id"),
        ("contract", "plan_id"),
        ("restriction", "contract_id"),
        ("restriction", "run_id"),
        ("restriction", "release_id"),
        ("relief", "contract_id"),
        ("plan_window", "plan_id"),
        ("plan_window", "profile_id"),
        ("quota_step", "plan_id"),
        ("plan_change", "contract_id"),
        ("plan_change", "plan_id"),
        ("data_topup", "contract_id"),
        ("data_topup", "account_id"),
        ("profile_revision", "profile_id"),
        ("desired_policy", "account_id"),
        ("desired_policy", "profile_id"),
        ("subscriber_account", "contract_id"),
        ("account_prefix", "account_id"),
        ("session", "nas_id"),
        ("session", "account_id"),
        ("enforcement", "nas_id"),
        ("device_session", "nas_id"),
        ("guard_pass", "release_id"),
        ("guard_exemption", "contract_id"),
        ("nas_maintenance", "nas_id"),
    ):
        yield _case(f"{table}_{column}_fkey", table, {column: "999"}, {column: "1"})
    yield Case(
        "nas_silence_nas_id_fkey",
        insert("nas_silence", nas_id="999"),
        f"{insert('nas', id='2')}; {insert('nas_silence')}",
    )
    yield Case(
        "nas_clock_nas_id_fkey", insert("nas_clock", nas_id="999"), f"{insert('nas', id='2')}; {insert('nas_clock')}"
    )


def _nas() -> Iterator[Case]:
    yield _case("nas_name_check", "nas", {"name": "'bras 2'"}, {"name": "'bras_2.pop-1'"})
    yield _case("nas_vendor_check", "nas", {"vendor": "'../generic'"}, {"vendor": "'accel_ppp'"})
    yield _case("nas_identifier_check", "nas", {"identifier": "''"}, {"identifier": "'core'"})
    yield _case("nas_coa_port_check", "nas", {"coa_port": "0"}, {"coa_port": "1700"})
    yield _case("nas_source_not_everyone", "nas", {"source": "'0.0.0.0/0'"}, {"source": "'10.0.0.0/8'"})
    yield _case("nas_source_not_everyone", "nas", {"source": "'2000::/3'"}, {"source": "'fd00::/16'"})
    yield _case("nas_secret_sealed", "nas", {"sealed_secret": "'in the clear'"})
    yield _case("nas_coa_secret_sealed", "nas", {"sealed_coa_secret": "'in the clear'"}, {"sealed_coa_secret": SEALED})
    yield _case("nas_coa_address_is_host", "nas", {"coa_address": "'192.0.2.0/24'"}, {"coa_address": "'2001:db8::1'"})
    for realms in ("'{isp.example,NULL}'", "'{\"\"}'", "'{@isp.example}'", "'{\"two words\"}'", "'{{a},{b}}'"):
        yield _case("nas_realms_bare", "nas", {"realms": realms}, {"realms": "'{isp.example,office}'"})
    yield _case("nas_coa_source_is_host", "nas", {"coa_source": "'198.51.100.0/24'"}, {"coa_source": "'198.51.100.1'"})
    yield _case("nas_coa_source_reaches", "nas", {"coa_source": "'2001:db8::1'"}, {"coa_source": "'198.51.100.1'"})
    far = {"coa_source": "'2001:db8::1'", "coa_address": "'198.51.100.1'"}
    yield _case("nas_coa_source_reaches", "nas", far, far | {"coa_address": "'2001:db8::2'"})
    yield _case("nas_coa_window_check", "nas", {"coa_window": "0"}, {"coa_window": "1"})
    yield _case("nas_coa_window_check", "nas", {"coa_window": "257"}, {"coa_window": "256"})
    yield _case("nas_coa_rate_per_s_check", "nas", {"coa_rate_per_s": "0"}, {"coa_rate_per_s": "1"})
    yield _case("nas_coa_rate_per_s_check", "nas", {"coa_rate_per_s": "10001"}, {"coa_rate_per_s": "10000"})
    yield _case("nas_api_address_is_host", "nas", {"api_address": "'192.0.2.0/24'"}, {"api_address": "'192.0.2.7'"})
    yield _case("nas_api_port_check", "nas", {"api_port": "65536"}, {"api_port": "8728"})
    digest = "decode(repeat('ab', {}), 'hex')"
    yield _case(
        "nas_api_certificate_check",
        "nas",
        {"api_certificate": digest.format(20)},
        {"api_certificate": digest.format(32)},
    )
    yield _case("nas_api_login_check", "nas", {"api_login": "'md5'"}, {"api_login": "'challenge'"})
    user = {"api_username": "'corrente'", "sealed_api_password": SEALED}
    yield _case("nas_api_username_check", "nas", user | {"api_username": "''"}, user)
    yield _case("nas_api_username_check", "nas", user | {"api_username": "E'two\\nlines'"}, user)
    yield _case("nas_api_password_sealed", "nas", user | {"sealed_api_password": "'in the clear'"}, user)
    yield _case("nas_api_user_has_password", "nas", {"api_username": "'corrente'"}, user)
    yield _case("nas_api_user_has_password", "nas", {"sealed_api_password": SEALED}, user)
    yield _case("nas_ssh_address_is_host", "nas", {"ssh_address": "'192.0.2.0/24'"}, {"ssh_address": "'192.0.2.7'"})
    yield _case("nas_ssh_port_check", "nas", {"ssh_port": "0"}, {"ssh_port": "22"})
    login = {"ssh_username": "'corrente'", "sealed_ssh_password": SEALED}
    yield _case("nas_ssh_username_check", "nas", login | {"ssh_username": "''"}, login)
    yield _case("nas_ssh_username_check", "nas", login | {"ssh_username": "E'two\\nlines'"}, login)
    yield _case("nas_ssh_password_sealed", "nas", login | {"sealed_ssh_password": "'in the clear'"}, login)
    yield _case("nas_ssh_user_has_password", "nas", {"ssh_username": "'corrente'"}, login)
    yield _case("nas_ssh_user_has_password", "nas", {"sealed_ssh_password": SEALED}, login)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    yield _case("nas_ssh_host_key_check", "nas", {"ssh_host_key": f"'bras-1 {key}'"}, {"ssh_host_key": f"'{key}'"})
    yield _case("nas_ssh_host_key_check", "nas", {"ssh_host_key": "'ssh-ed25519 AAAA'"}, {"ssh_host_key": f"'{key}'"})
    yield _case("site_name_check", "site", {"name": "''"})
    yield _case("site_latitude_check", "site", {"latitude": "90.1"}, {"latitude": "-90"})
    yield _case("site_longitude_check", "site", {"longitude": "-180.1"}, {"longitude": "180"})
    yield _case("site_place_in_pairs", "site", {"latitude": "NULL"}, {"latitude": "NULL", "longitude": "NULL"})


_RATES: Final = ("rate", "burst", "burst_threshold", "minimum")
_NO_RATES: Final = {f"{rate}_{way}_bps": "NULL" for rate in _RATES for way in ("down", "up")} | {
    "burst_time_s": "NULL",
    "priority": "NULL",
}


def _profile() -> Iterator[Case]:
    yield _case("profile_name_check", "profile", {"name": "'a/b'"}, {"name": "'Home 1.5 G'"})
    for way, other in (("down", "up"), ("up", "down")):
        for rate in ("rate_999", "rate_400000000001"):
            wrong = {f"rate_{way}_bps": rate.removeprefix("rate_"), f"rate_{other}_bps": "1000"}
            right = {f"rate_{way}_bps": "400000000000", f"rate_{other}_bps": "1000"}
            yield _case(f"profile_rate_{way}_bps_check", "profile", _NO_RATES | wrong, _NO_RATES | right)
        burst = f"burst_{way}_bps"
        yield _case(f"profile_{burst}_check", "profile", {burst: "400000000001"}, {burst: "400000000000"})
        for rate in ("burst_threshold", "minimum"):
            column = f"{rate}_{way}_bps"
            yield _case(f"profile_{column}_check", "profile", {column: "999"}, {column: "1000"})
    for column, wrong, right in (
        ("burst_time_s", "0", "3600"),
        ("priority", "9", "1"),
        ("quota_octets", "0", "1"),
        ("session_timeout_s", "59", "60"),
        ("idle_timeout_s", "31536001", "60"),
        ("interim_interval_s", "59", "60"),
    ):
        yield _case(f"profile_{column}_check", "profile", {column: wrong}, {column: right})
    for column in ("ipv4_pool", "ipv6_pool", "delegated_ipv6_pool", "filter"):
        yield _case(f"profile_{column}_check", "profile", {column: "''"}, {column: "'pool 1'"})
        yield _case(f"profile_{column}_check", "profile", {column: r"E'a\nb'"}, {column: "repeat('a', 253)"})
        yield _case(f"profile_{column}_check", "profile", {column: "repeat('a', 254)"}, {column: "NULL"})
    policy = "profile_device_policy_check"
    yield _case(policy, "profile", {"device_policy": "'two words'"}, {"device_policy": "'300M.v2_a-b'"})
    yield _case(policy, "profile", {"device_policy": "'-in'"}, {"device_policy": "repeat('a', 60)"})
    yield _case(policy, "profile", {"device_policy": "repeat('a', 61)"}, {"device_policy": "NULL"})
    yield _case("profile_rates_in_pairs", "profile", {**_NO_RATES, "rate_up_bps": "1000"}, _NO_RATES)
    no_burst = {name: "NULL" for name in _NO_RATES if name.startswith("burst")}
    yield _case("profile_bursts_in_pairs", "profile", {**no_burst, "burst_down_bps": "300000000"}, no_burst)
    no_threshold = {"burst_threshold_down_bps": "NULL", "burst_threshold_up_bps": "NULL"}
    yield _case("profile_thresholds_in_pairs", "profile", {"burst_threshold_up_bps": "NULL"}, no_threshold)
    no_minimum = {"minimum_down_bps": "NULL", "minimum_up_bps": "NULL"}
    yield _case("profile_minimums_in_pairs", "profile", {"minimum_up_bps": "NULL"}, no_minimum)
    yield _case("profile_burst_above_rate", "profile", {"burst_up_bps": "19999999"}, {"burst_up_bps": "20000000"})
    burst = {"burst_down_bps": "2000", "burst_up_bps": "2000"}
    yield _case("profile_burst_above_rate", "profile", {**_NO_RATES, **burst}, _NO_RATES)
    yield _case(
        "profile_threshold_needs_burst",
        "profile",
        {"burst_down_bps": "NULL", "burst_up_bps": "NULL", "burst_time_s": "NULL"},
        no_burst,
    )
    yield _case(
        "profile_threshold_below_burst",
        "profile",
        {"burst_threshold_up_bps": "40000001"},
        {"burst_threshold_up_bps": "40000000"},
    )
    yield _case("profile_burst_time_needs_burst", "profile", {**no_burst, "burst_time_s": "5"}, no_burst)
    yield _case(
        "profile_minimum_below_rate", "profile", {"minimum_down_bps": "100000001"}, {"minimum_down_bps": "100000000"}
    )
    yield _case("profile_priority_needs_rate", "profile", {**_NO_RATES, "priority": "1"}, _NO_RATES)
    for lists in ("ARRAY[NULL]::text[]", "'{\"\"}'", r"ARRAY[E'a\tb']", "ARRAY[repeat('a', 61)]"):
        yield _case(
            "profile_address_lists_fit", "profile", {"address_lists": lists}, {"address_lists": "'{vip,voice}'"}
        )
    yield _case("plan_name_check", "plan", {"name": "''"})


def _contract() -> Iterator[Case]:
    yield _case("customer_name_check", "customer", {"name": "''"})
    yield _case("contract_dates_in_order", "contract", {"ends_on": "'2025-12-31'"}, {"ends_on": "'2026-01-01'"})
    yield _case(
        "contract_ended_has_end", "contract", {"status": "'ended'"}, {"status": "'ended'", "ends_on": "'2026-02-01'"}
    )
    for column in ("reason", "placed_by"):
        yield _case(f"restriction_{column}_check", "restriction", {column: "''"})
    yield _case(
        "restriction_lifted_by_check",
        "restriction",
        {"lifted_at": "'2026-01-06'", "lifted_by": "''"},
        {"lifted_at": "'2026-01-06'", "lifted_by": "'maria'"},
    )
    since = "'2026-01-05 00:00+00'"
    yield _case("restriction_until_after_since", "restriction", {"until": since}, {"until": "'2026-01-05 00:01+00'"})
    yield _case("restriction_lift_is_signed", "restriction", {"lifted_at": since})
    yield _case(
        "restriction_lifted_after_since",
        "restriction",
        {"lifted_at": "'2026-01-04 00:00+00'", "lifted_by": "'maria'"},
        {"lifted_at": since, "lifted_by": "'maria'"},
    )
    for column in ("reason", "granted_by"):
        yield _case(f"relief_{column}_check", "relief", {column: "''"})
    for during in (
        "'empty'",
        "'[2026-02-01,)'",
        "'(,2026-02-01)'",
        "'[2026-02-01,2026-02-03]'",
        "'(2026-02-01,2026-02-03)'",
    ):
        yield _case("relief_is_bounded", "relief", {"during": during})
    yield _case(
        "relief_one_at_a_time",
        "relief",
        {"during": "'[2026-01-02 23:59+00,2026-01-09 00:00+00)'"},
        {"during": "'[2026-01-03 00:00+00,2026-01-09 00:00+00)'"},
    )


def _account() -> Iterator[Case]:
    table = "subscriber_account"
    yield _case(f"{table}_max_sessions_check", table, {"max_sessions": "-1"}, {"max_sessions": "0"})
    yield _case(f"{table}_username_fits", table, {"username": "''"}, {"username": "repeat('a', 253)"})
    yield _case(f"{table}_username_fits", table, {"username": "repeat('é', 127)"}, {"username": "repeat('é', 126)"})
    yield _case(f"{table}_username_fits", table, {"username": r"E'a\nb'"}, {"username": "'a b@isp.example'"})
    yield _case(
        f"{table}_secret_present",
        table,
        {"secret_kind": "'no_secret'"},
        {"secret_kind": "'no_secret'", "sealed_secret": "''"},
    )
    # The hook takes these for no username either: they are control characters of Latin-1.
    yield _case(f"{table}_username_fits", table, {"username": r"E'a\u0085b'"}, {"username": "'José'"})
    yield _case(f"{table}_secret_present", table, {"sealed_secret": "''"})
    yield _case(f"{table}_secret_sealed", table, {"sealed_secret": "'in the clear'"}, {"secret_kind": "'nt'"})
    for macs in (
        "'{AABBCCDDEEFF}'",
        "'{aabbccddeeff,NULL}'",
        "'{\"\"}'",
        "'{\"aabbccddeeff,aabbccddee00\"}'",
        "'{{aabbccddeeff},{aabbccddee00}}'",
    ):
        yield _case(f"{table}_macs_normal", table, {"macs": macs}, {"macs": "'{aabbccddeeff,aabbccddee00}'"})
    for circuits in ("'{NULL}'", "'{\"\"}'", r"ARRAY[E'a\nb']", "'{{a},{b}}'"):
        yield _case(
            f"{table}_circuit_ids_fit", table, {"circuit_ids": circuits}, {"circuit_ids": "'{\"olt 1/2/3:10\"}'"}
        )
    for own in (
        "'{}'",
        "'[1]'",
        "'[{\"reply\": {}}]'",
        "'[{\"answer\": []}]'",
        '\'[{"fall_through": "yes"}]\'',
        '\'[{"reply": [["Class", ":="]]}]\'',
        '\'[{"reply": [["Class", ":=", 7]]}]\'',
        '\'[{"reply": [["", ":=", "7"]]}]\'',
        '\'[{"reply": [["Class", "is", "7"]]}]\'',
        '\'[{"control": [["Cleartext-Password", ":=", "oops"]]}]\'',
        '\'[{"control": [["Auth-Type", ":=", "Accept"]]}]\'',
    ):
        yield _case(
            f"{table}_own_attributes_check",
            table,
            {"own_attributes": own},
            {
                "own_attributes": '\'[{"check": [["NAS-Port-Type", "==", "Ethernet"]], "reply": [["Reply-Message", "=", "hello"]], "fall_through": true}]\''
            },
        )


def _prefix() -> Iterator[Case]:
    table = "account_prefix"
    for kind, wrong, right in (
        ("framed_ipv6_address", "2001:db8::/64", "2001:db8::1"),
        ("framed_ipv6_prefix", "100.64.0.8", "2001:db8::/64"),
        ("framed_ipv6_prefix", "2001::/31", "2001:db8::/128"),
        ("delegated_ipv6_prefix", "2001::/31", "2001:db8::/32"),
        ("route", "2.0.0.0/7", "11.0.0.0/8"),
    ):
        yield _case(
            f"{table}_family",
            table,
            {"kind": f"'{kind}'", "prefix": f"'{wrong}'"},
            {"kind": f"'{kind}'", "prefix": f"'{right}'"},
        )
    yield Case(
        f"{table}_family",
        "UPDATE account_prefix SET prefix = '100.64.0.0/31'",
        "UPDATE account_prefix SET prefix = '100.64.0.200'",
    )
    for bogus in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/8", "255.255.255.254", "::1", "fe80::/64", "ff02::/16"):
        yield _case(
            f"{table}_unicast",
            table,
            {"kind": "'route'", "prefix": f"'{bogus}'"},
            {"kind": "'route'", "prefix": "'203.0.113.0/29'"},
        )
    yield _case(f"{table}_metric_of_route", table, {"metric": "1"}, {"metric": "1", "kind": "'route'"})
    yield _case(
        f"{table}_metric_check", table, {"metric": "-1", "kind": "'route'"}, {"metric": "65535", "kind": "'route'"}
    )
    second = insert("subscriber_account", id="2")
    mine, other = {"account_id": "1", "kind": "'route'"}, {"account_id": "2", "kind": "'route'"}
    yield Case(
        f"{table}_one_holder",
        f"{second}; {insert(table, **other, prefix=repr('100.64.0.0/24'))}",
        f"{second}; {insert(table, **mine, prefix=repr('100.64.0.0/24'))}; {insert(table, **other, prefix=repr('100.64.1.0/24'))}",
    )


def _sessions() -> Iterator[Case]:
    for table in ("session", "closed_session"):
        for column in ("session_time_s", "octets_in", "octets_out", "counter_in", "counter_out"):
            yield _case(f"{table}_{column}_check", table, {column: "-1"})
        for column in ("counter_in", "counter_out"):
            yield _case(
                f"{table}_{column}_check", table, {column: "18446744073709551616"}, {column: "18446744073709551615"}
            )
        yield _case(f"{table}_policy_version_check", table, {"policy_version": "'\\x00'"}, {"policy_version": "NULL"})
        yield _case(f"{table}_applied_version_check", table, {"applied_version": "'\\x00'"})
        unknown = {"applied_version": "NULL", "applied_by": "NULL", "applied_at": "NULL"}
        for column in unknown:
            yield _case(f"{table}_applied_together", table, {column: "NULL"}, unknown)
        yield _case(f"{table}_framed_ipv4_check", table, {"framed_ipv4": "'2001:db8::1'"}, {"framed_ipv4": "NULL"})
        yield _case(f"{table}_nat_address_check", table, {"nat_address": "'2001:db8::1'"})
        for column in ("framed_ipv6_address", "framed_ipv6_prefix", "delegated_ipv6_prefix"):
            yield _case(f"{table}_{column}_check", table, {column: "'192.0.2.0'"}, {column: "NULL"})
        no_block = {"nat_address": "NULL", "nat_first_port": "NULL", "nat_last_port": "NULL"}
        for wrong in (
            {"nat_address": "NULL"},
            {"nat_last_port": "NULL"},
            {"nat_first_port": "2048"},
            {"nat_last_port": "65536"},
        ):
            yield _case(f"{table}_nat_block", table, wrong, no_block)
    for table in ("session", "closed_session", "login_attempt"):
        for mac in ("'02:00:5e:10:00:01'", "'02005E100001'", "'02005e10000'"):
            yield _case(f"{table}_mac_check", table, {"mac": mac}, {"mac": "'02005e100001'"})
    yield _case("session_interim_interval_s_check", "session", {"interim_interval_s": "0"})


def _device_views() -> Iterator[Case]:
    second = insert("nas", id="2") + ";"
    reading = Case("", "", second + insert("device_reading"))
    yield reading._replace(
        constraint="device_reading_pkey", breaks=insert("device_reading", nas_id="1"), passes=reading.passes
    )
    yield reading._replace(constraint="device_reading_nas_id_fkey", breaks=insert("device_reading", nas_id="999"))
    for constraint, column, wrong, right in (
        ("device_reading_sessions_check", "sessions", "-1", "0"),
        ("device_reading_done_or_why", "read_at", "NULL", "now()"),
    ):
        yield Case(
            constraint,
            second + insert("device_reading", **{column: wrong}),
            second + insert("device_reading", **{column: right}),
        )
    yield _case("known_revision_pkey", "known_revision", {"revision": "'\\x44556677'"})
    yield _case("known_revision_revision_check", "known_revision", {"revision": "'\\x00'"})
    yield _case("known_revision_content_check", "known_revision", {"content": "'[]'"}, {"content": "'{}'"})
    table = "device_session"
    yield _case(f"{table}_pkey", table, {"acct_session_id": "'81000001'"})
    yield _case(f"{table}_acct_session_id_check", table, {"acct_session_id": "''"})
    yield _case(f"{table}_framed_ipv4_check", table, {"framed_ipv4": "'2001:db8::1'"}, {"framed_ipv4": "NULL"})
    yield _case(f"{table}_mac_check", table, {"mac": "'02:00:5e:10:00:01'"}, {"mac": "''"})
    yield _case("feed_position_pkey", "feed_position", {"reader": "'first'"})
    yield _case("feed_position_reader_check", "feed_position", {"reader": "'Desired'"})


def _history() -> Iterator[Case]:
    table = "address_history"
    yield _case(f"{table}_in_order", table, {"valid_to": "'2026-01-10 11:59+00'"})
    yield _case(
        f"{table}_ports",
        table,
        {"first_port": "2048", "last_port": "2047"},
        {"first_port": "2047", "last_port": "2047"},
    )
    yield _case(f"{table}_ports", table, {"last_port": "65536"})
    yield _case(f"{table}_inside_month", table, {"month": "'2026-01-02'"})
    yield _case(
        f"{table}_inside_month",
        table,
        {"valid_from": "'2025-12-31 23:59:59+00'"},
        {"valid_from": "'2026-01-01 00:00+00'"},
    )
    yield _case(
        f"{table}_inside_month", table, {"valid_to": "'2026-02-01 00:00:01+00'"}, {"valid_to": "'2026-02-01 00:00+00'"}
    )
    for counted in ("usage_hour", "usage_day"):
        for column in ("octets_in", "octets_out"):
            yield _case(f"{counted}_{column}_check", counted, {column: "-1"})
    yield _case(
        "usage_hour_begins_one", "usage_hour", {"hour": "'2026-01-10 12:07+00'"}, {"hour": "'2026-01-10 12:30+00'"}
    )
    table = "login_attempt"
    yield _case(f"{table}_attempt_key_check", table, {"attempt_key": "'\\x00'"})
    yield _case(f"{table}_outcome_check", table, {"outcome": "'maybe'"}, {"outcome": "'accept'"})
    yield _case(f"{table}_reason_check", table, {"reason": "'Wrong password'"})
    yield _case(f"{table}_policy_version_check", table, {"policy_version": "'\\x00'"}, {"policy_version": "NULL"})
    yield _case("scheduled_job_pkey", "scheduled_job", {"name": "'make_months'"})
    yield _case("scheduled_job_name_check", "scheduled_job", {"name": "'Make months'"}, {"name": "'prune'"})
    yield _case("scheduled_job_took_s_check", "scheduled_job", {"took_s": "-1"}, {"took_s": "0"})
    yield _case("scheduled_job_deadline_s_check", "scheduled_job", {"deadline_s": "0"}, {"deadline_s": "60"})
    failed = {"failed_at": DURING_JANUARY, "problem": "'no room'"}
    for column, value in failed.items():
        yield _case("scheduled_job_failure_says_why", "scheduled_job", {column: value}, failed)
    yield _case("node_holder_node_check", "node_holder", {"node": "'node 3'"}, {"node": "'node.3'"})
    yield _case("node_holder_installation_check", "node_holder", {"installation": "'0a'"})
    yield _case("node_holder_host_check", "node_holder", {"host": "''"})
    yield _case("spool_position_octets_check", "spool_position", {"octets": "-1"})
    yield _case("unreadable_record_octet_check", "unreadable_record", {"octet": "-1"})
    yield _case("unreadable_record_problem_check", "unreadable_record", {"problem": "''"})
    for kind in ("refused", "our_fault"):
        yield _case("unreadable_record_kind", "unreadable_record", {"kind": "'bad'"}, {"kind": f"'{kind}'"})


def _desired() -> Iterator[Case]:
    for table in ("profile_revision", "desired_policy"):
        yield _case(f"{table}_pkey", table, {})._replace(breaks=f"{insert(table)}; {insert(table)}")
    yield _case("profile_revision_revision_check", "profile_revision", {"revision": "'\\x00'"})
    table = "desired_policy"
    yield _case(f"{table}_account_revision_check", table, {"account_revision": "'\\x00'"})
    yield _case(f"{table}_reason_check", table, {"reason": "''"})
    refused = {"level": "'blocked'", "profile_id": "NULL"}
    yield _case(f"{table}_profile_unless_refused", table, {"profile_id": "NULL"}, refused)
    yield _case(f"{table}_profile_unless_refused", table, {"level": "'none'"}, {**refused, "level": "'none'"})


def _plans() -> Iterator[Case]:
    table = "plan_window"
    yield _case(f"{table}_has_length", table, {"ends": "'22:00'"}, {"ends": "'22:01'"})
    for wrong in ({"begins": "'22:00:01'"}, {"ends": "'06:00:30'"}, {"ends": "'24:00'"}):
        yield _case(f"{table}_whole_minutes", table, wrong)
    over_noon = {"begins": "'13:59'", "ends": "'15:00'"}
    yield _case(f"{table}_one_at_a_time", table, over_noon, {**over_noon, "begins": "'14:00'"})
    over_midnight = {"begins": "'22:00'", "ends": "'12:01'"}
    yield _case(f"{table}_one_at_a_time", table, over_midnight, {**over_midnight, "ends": "'12:00'"})
    yield _case("quota_step_pkey", "quota_step", {"percent": "100"})
    for percent in ("0", "1001"):
        yield _case("quota_step_percent_check", "quota_step", {"percent": percent}, {"percent": "1000"})
    yield _case("quota_step_one_throttle", "quota_step", {"action": "'throttle'"})
    table = "plan_change"
    yield _case(f"{table}_one_a_day", table, {"effective_on": "'2026-01-20'"}, {"effective_on": "'2026-01-21'"})
    yield _case(f"{table}_placed_by_check", table, {"placed_by": "''"})
    applied = f"UPDATE plan_change SET applied_at = {DURING_JANUARY}"
    for wrong in ("UPDATE plan_change SET applied_at = NULL", "DELETE FROM plan_change"):
        yield Case(f"{table}_applied_is_final", f"{applied}; {wrong}", wrong)
    table = "data_topup"
    yield _case(f"{table}_octets_check", table, {"octets": "0"}, {"octets": "1"})
    for column in ("reason", "placed_by"):
        yield _case(f"{table}_{column}_check", table, {column: "''"})
    yield _case(f"{table}_until_after_since", table, {"until": "'2026-01-10 00:00+00'"})


def _quotas() -> Iterator[Case]:
    for table in ("quota_usage", "quota_event"):
        yield _case(f"{table}_pkey", table, {"account_id": "1"})
        yield _case(f"{table}_octets_check", table, {"octets": "-1"}, {"octets": "0"})
        yield _case(f"{table}_month_check", table, {"month": "'2026-01-02'"})
    for before in ("2025-12-31", "2026-02-02"):
        yield _case(
            "quota_usage_within_month",
            "quota_usage",
            {"counted_before": f"'{before}'"},
            {"counted_before": "'2026-02-01'"},
        )
    for percent in ("0", "1001"):
        yield _case("quota_event_percent_check", "quota_event", {"percent": percent}, {"percent": "1000"})
    yield _case("quota_event_allowed_check", "quota_event", {"allowed": "0"}, {"allowed": "1"})
    for wrong in ("UPDATE quota_event SET octets = 0", "DELETE FROM quota_event"):
        yield Case("quota_event_append_only", wrong, insert("quota_event"))
    yield Case("quota_event_no_truncate", "TRUNCATE quota_event", insert("quota_event"))


def _audit() -> Iterator[Case]:
    yield _case("audit_log_actor_check", "audit_log", {"actor": "''"})
    yield _case("audit_log_action_check", "audit_log", {"action": "'Deleted'"}, {"action": "'nas.add'"})
    yield _case("audit_log_subject_check", "audit_log", {"subject": "''"})
    yield _case("audit_log_detail_check", "audit_log", {"detail": "'[]'"})
    reveal = {"action": "'account.reveal_secret'"}
    yield _case(
        "audit_log_reveal_has_reason", "audit_log", reveal, {**reveal, "detail": '\'{"reason": "router swap"}\''}
    )


def _enforcement() -> Iterator[Case]:
    def case(constraint: str, wrong: dict[str, str], right: dict[str, str] | None = None) -> Case:
        return _case(f"enforcement_{constraint}", "enforcement", wrong, right)

    at = DURING_JANUARY
    over = {"state": "'gave_up'", "problem": "'no answer'", "closed_at": at, "next_at": "NULL"}
    for state in ("queued", "sent", "acked", "nacked", "unanswered"):
        going = {"state": f"'{state}'", "problem": "'no answer'", "sent_at": at, "answered_at": at}
        yield case("one_open", {**going, "session_key": KEY.format(1)}, {**over, "session_key": KEY.format(1)})
        yield case("closed_when_over", {**going, "closed_at": at}, going)
        yield case("open_has_next", {**going, "next_at": "NULL"}, going)
        if state != "queued":
            yield case("sent_has_time", {**going, "sent_at": "NULL"}, going)
        if state in ("acked", "nacked"):
            yield case("answer_has_time", {**going, "answered_at": "NULL"}, going)
        if state in ("nacked", "unanswered"):
            yield case("failure_says_why", {**going, "problem": "''"}, going)
    for state in ("verified", "unverifiable", "gave_up", "superseded"):
        ended = {**over, "state": f"'{state}'", "sent_at": at}
        yield case("closed_when_over", {**ended, "closed_at": "NULL", "next_at": "now()"}, ended)
        if state == "verified":
            yield case("sent_has_time", {**ended, "sent_at": "NULL"}, ended)
        else:
            yield case("failure_says_why", {**ended, "problem": "''"}, ended)
    yield case("reason_check", {"reason": "''"})
    yield case("from_version_check", {"from_version": "'\\x00'"}, {"from_version": "'\\x0011223344556677'"})
    yield case("desired_version_check", {"desired_version": "'\\x00'"})
    yield case("version_with_profile", {"profile_id": "NULL"}, {"profile_id": "NULL", "desired_version": "NULL"})
    yield case("held_says_why", {"held_since": at}, {"held_since": at, "held_reason": "'maintenance'"})
    yield case("taken_until", {"taken_by": "'worker-1'"}, {"taken_by": "'worker-1'", "taken_until": at})
    for counted in ("attempt", "tries"):
        yield case(f"{counted}_check", {counted: "-1"}, {counted: "1000"})
    yield case("identity_detail_check", {"identity_detail": "3"}, {"identity_detail": "2"})
    yield case("error_cause_check", {"error_cause": "-1"}, {"error_cause": "503"})
    yield _case("nas_silence_tries_check", "nas_silence", {})._replace(
        breaks=f"{insert('nas', id='2')}; {insert('nas_silence', tries='0')}",
        passes=f"{insert('nas', id='2')}; {insert('nas_silence', tries='2')}",
    )
    for source in ("'10.0.0.0/8'", "'2001:db8::/64'"):
        second = insert("nas", id="2")
        yield Case(
            "nas_clock_source_is_host",
            f"{second}; {insert('nas_clock', source=source)}",
            f"{second}; {insert('nas_clock', source=source.partition('/')[0] + chr(39))}",
        )


def _packets() -> Iterator[Case]:
    def case(constraint: str, wrong: dict[str, str], right: dict[str, str] | None = None) -> Case:
        return _case(f"enforcement_packet_{constraint}", "enforcement_packet", wrong, right)

    yield case("direction_check", {"direction": "'lost'"}, {"direction": "'received'"})
    yield case("code_check", {"code": "256"}, {"code": "0"})
    yield case("identifier_check", {"identifier": "-1"}, {"identifier": "255"})
    yield case("peer_check", {"peer": "''"})
    yield case("error_cause_check", {"error_cause": "70000"}, {"error_cause": "503"})
    for secret in (
        "User-Password = pw",
        "Tunnel-Password := pw",
        "MS-CHAP2-Response = 0x00",
        "Message-Authenticator = 0x00",
    ):
        name = secret.partition(" ")[0]
        yield case(
            "no_secret",
            {"attributes": f"E'User-Name = anna\\n{secret}'"},
            {"attributes": f"E'User-Name = anna\\n{name} = ***'"},
        )
    yield case("no_secret", {"attributes": "'Shared-Secret=pw'"}, {"attributes": "'User-Name = my-password=1@isp'"})
    yield Case(
        "enforcement_packet_append_only", "UPDATE enforcement_packet SET code = 40", insert("enforcement_packet")
    )
    yield Case("enforcement_packet_append_only", "DELETE FROM enforcement_packet", insert("enforcement_packet"))
    yield Case("enforcement_packet_no_truncate", "TRUNCATE enforcement_packet", insert("enforcement_packet"))


def _guard() -> Iterator[Case]:
    for table in ("guard_exemption", "network_stop", "nas_maintenance"):
        for column in ("reason", "placed_by"):
            yield _case(f"{table}_{column}_check", table, {column: "''"})
        since = ROWS[table]["since"]
        ended = {"ended_at": since, "ended_by": "'maria'"}
        yield _case(f"{table}_ended_by_check", table, {**ended, "ended_by": "''"}, ended)
        yield _case(f"{table}_ended_after_since", table, {**ended, "ended_at": "'2026-01-04 23:59+00'"}, ended)
        for column, value in ended.items():
            yield _case(f"{table}_end_is_signed", table, {column: value}, ended)
        yield Case(f"{table}_one", f"{insert(table)}; {insert(table)}", f"{insert(table, **ended)}; {insert(table)}")
    for table in ("guard_exemption", "nas_maintenance"):
        since = ROWS[table]["since"]
        yield _case(f"{table}_until_after_since", table, {"until": since}, {"until": "'2026-01-05 00:01+00'"})
    yield _case("guard_pass_pkey", "guard_pass", {"enforcement_id": "1"})
    for column in ("released_by", "reason"):
        yield _case(f"guard_release_{column}_check", "guard_release", {column: "''"})
    yield _case("guard_release_changes_check", "guard_release", {"changes": "-1"}, {"changes": "0"})
    trip = {"tripped_at": DURING_JANUARY, "tripped_reason": "'312 of 5,000'"}
    for name, wrong, right in (
        ("pkey", "INSERT INTO guard_state DEFAULT VALUES", ""),
        ("only_row_check", "INSERT INTO guard_state (only_row) VALUES (false)", ""),
        ("live_subscribers_check", "UPDATE guard_state SET live_subscribers = -1", "live_subscribers = 7"),
        ("tripped_reason_check", f"UPDATE guard_state SET tripped_at = {DURING_JANUARY}, tripped_reason = ''", ""),
        ("trip_says_why", f"UPDATE guard_state SET tripped_at = {DURING_JANUARY}", ""),
        ("trip_says_why", "UPDATE guard_state SET tripped_reason = 'x'", ""),
    ):
        both = ", ".join(f"{column} = {value}" for column, value in trip.items())
        yield Case(f"guard_state_{name}", wrong, f"UPDATE guard_state SET {right or both}")
    yield _case("row_history_content_check", "row_history", {"content": "'[]'"})
    table = "automation_run"
    yield _case(f"{table}_name_check", table, {"name": "'Dunning run'"}, {"name": "'dunning_run'"})
    yield _case(f"{table}_started_by_check", table, {"started_by": "''"})
    before, after = "'2026-01-10 11:59+00'", "'2026-01-10 12:01+00'"
    yield _case(f"{table}_ends_after_start", table, {"ended_at": before}, {"ended_at": after})
    undone = {"undone_at": after, "undone_by": "'maria'", "undo_reason": "'wrong dates'"}
    yield _case(f"{table}_undone_after_start", table, {**undone, "undone_at": before}, undone)
    for column in ("undone_by", "undo_reason"):
        yield _case(f"{table}_{column}_check", table, {**undone, column: "''"}, undone)
    for column in undone:
        yield _case(f"{table}_undo_is_signed", table, {**undone, column: "NULL"}, undone)
    held = {"held_since": DURING_JANUARY}
    yield _case("restriction_held_is_of_a_run", "restriction", held, {**held, "run_id": "1"})


def _binding_triggers() -> Iterator[Case]:
    yield _case(
        "subscriber_account_nas_ids_flat", "subscriber_account", {"nas_ids": "'{{1},{1}}'"}, {"nas_ids": "'{1,1}'"}
    )
    yield _case(
        "subscriber_account_nas_known_insert", "subscriber_account", {"nas_ids": "'{1,999}'"}, {"nas_ids": "'{1}'"}
    )
    yield Case(
        "subscriber_account_nas_known_update",
        "UPDATE subscriber_account SET nas_ids = '{999}'",
        "UPDATE subscriber_account SET nas_ids = '{1}'",
    )
    unused = insert("nas", id="5")
    yield Case(
        "nas_unbound",
        f"{unused}; UPDATE subscriber_account SET nas_ids = '{{5}}'; DELETE FROM nas WHERE id = 5",
        f"{unused}; UPDATE subscriber_account SET nas_ids = '{{1}}'; DELETE FROM nas WHERE id = 5",
    )


def _history_triggers() -> Iterator[Case]:
    # Every pair has its test in test_contract_status.py.
    yield Case(
        "contract_status_path",
        "UPDATE contract SET status = 'pending'",
        "UPDATE contract SET status = 'ended', ends_on = '2026-02-01'",
    )
    lift = f"UPDATE restriction SET lifted_at = {DURING_JANUARY}, lifted_by = 'maria'"
    yield Case("restriction_lift_is_final", f"{lift}; UPDATE restriction SET lifted_at = NULL, lifted_by = NULL", lift)
    taken = "UPDATE scheduler_lease SET holder = 'a', token = 1"
    for wrong, right in (("holder = 'b'", "holder = 'b', token = 2"), ("token = 0", "until = now()")):
        yield Case(
            "scheduler_lease_token_grows",
            f"{taken}; UPDATE scheduler_lease SET {wrong}",
            f"{taken}; UPDATE scheduler_lease SET {right}",
        )
    for table, column in (("audit_log", "actor"), ("guard_release", "reason"), ("row_history", "key")):
        yield Case(f"{table}_append_only", f"UPDATE {table} SET {column} = {column}", insert(table))
        if table != "row_history":
            yield Case(f"{table}_append_only", f"DELETE FROM {table}", insert(table))
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", insert(table))
    recent = insert("row_history", until="now() - interval '27 days'")
    old = "DELETE FROM row_history WHERE until < now() - interval '28 days'"
    yield Case("row_history_kept", f"{recent}; DELETE FROM row_history", f"{recent}; {old}")
    for table in _WATCHED:
        yield Case(f"{table}_no_truncate", f"TRUNCATE {table} CASCADE", insert(table))


CASES: Final[tuple[Case, ...]] = (
    tuple(
        case
        for group in (
            _keys,
            _unique,
            _references,
            _nas,
            _profile,
            _contract,
            _account,
            _prefix,
            _sessions,
            _device_views,
            _history,
            _desired,
            _plans,
            _quotas,
            _audit,
            _enforcement,
            _packets,
            _guard,
            _binding_triggers,
            _history_triggers,
        )
        for case in group()
    )
    + BOOKS_CASES
    + LEDGER_CASES
    + ISSUING_CASES
    + AT_ONCE_CASES
    + KNOWN_CASES
    + EVIDENCE_CASES
    + BY_HAND_CASES
    + DUNNING_CASES
    + PAYMENT_CASES
    + OTHERS_CASES
    + MESSAGE_CASES
    + CASH_CASES
    + AGENT_CASES
    + GATEWAY_CASES
    + BANK_CASES
    + STAFF_CASES
    + PORTAL_CASES
    + CONSOLE_CASES
)
