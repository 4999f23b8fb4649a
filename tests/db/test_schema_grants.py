"""Who may read and write what: the roles of schema.sql, tried in SQL."""

from __future__ import annotations

import psycopg
import pytest
from support.cash_cases import RECEIVED
from support.ledger_cases import ISSUED
from support.legal_world import WORLD, insert
from support.payment_cases import PAID_AND_SETTLED

pytestmark = pytest.mark.db

OURS = {
    "corrente",
    "corrente_edge",
    "corrente_worker",
    "corrente_web",
    "corrente_lookup",
    "corrente_collector",
    "corrente_console",
}

ALLOWED = [
    ("corrente_console", insert("staff") + "; " + insert("staff_session") + "; " + insert("api_token")),
    (
        "corrente_console",
        insert("sign_in_attempt") + "; " + insert("passkey_challenge") + "; " + insert("staff_passkey"),
    ),
    ("corrente_console", "DELETE FROM staff_has_role; DELETE FROM staff_recovery_code; DELETE FROM saved_view"),
    ("corrente_worker", "SELECT id, name, full_name, email, language, enabled FROM staff"),
    (
        "corrente_worker",
        "UPDATE password_reset SET digest = NULL, attempts = 1, next_at = now(), problem = 'x', sent_at = now()",
    ),
    (
        "corrente_worker",
        "DELETE FROM staff_session WHERE ends_at < now(); DELETE FROM sign_in_attempt WHERE at < now()",
    ),
    (
        "corrente_worker",
        "DELETE FROM rate_window WHERE begins < now(); DELETE FROM passkey_challenge WHERE ends_at < now()",
    ),
    ("corrente_edge", "SELECT sealed_secret FROM nas"),
    ("corrente_edge", "UPDATE nas SET booted_at = now()"),
    ("corrente_edge", insert("session")),
    ("corrente_edge", insert("closed_session")),
    ("corrente_edge", insert("address_history")),
    ("corrente_edge", insert("login_attempt")),
    ("corrente_edge", insert("unreadable_record")),
    ("corrente_edge", insert("node_holder")),
    ("corrente_edge", insert("change_feed", kind="'session'")),
    ("corrente_edge", "UPDATE usage_day SET octets_in = octets_in + 1"),
    ("corrente_edge", "SELECT make_month('2026-01-01')"),
    ("corrente_worker", "UPDATE contract SET status = 'active'"),
    ("corrente_worker", "UPDATE subscriber_account SET quota_exhausted_until = now()"),
    ("corrente_worker", "DELETE FROM change_feed"),
    ("corrente_worker", "UPDATE change_horizon SET xid = '9'"),
    ("corrente_worker", "DELETE FROM unreadable_record"),
    ("corrente_worker", insert("scheduled_job")),
    ("corrente_worker", "UPDATE scheduler_lease SET until = now()"),
    ("corrente_worker", "UPDATE scheduler_fence SET token = token + 1"),
    ("corrente_web", "SELECT * FROM scheduler_lease"),
    ("corrente_worker", "SELECT make_month('2026-01-01')"),
    ("corrente_worker", "SELECT drop_months('login_attempt', '2000-01-01')"),
    ("corrente_worker", "SELECT clear_history('2000-01-01', 1)"),
    ("corrente_worker", insert("enforcement")),
    ("corrente_worker", "UPDATE enforcement SET attempt = 1"),
    ("corrente_worker", insert("enforcement_packet")),
    ("corrente_worker", "DELETE FROM nas_silence"),
    ("corrente_web", "SELECT * FROM enforcement, enforcement_packet, nas_silence"),
    ("corrente_worker", "UPDATE session SET applied_version = NULL, applied_by = NULL, applied_at = NULL"),
    ("corrente_worker", insert("device_session")),
    ("corrente_worker", "UPDATE device_reading SET held = 'too much'"),
    ("corrente_worker", insert("feed_position")),
    ("corrente_worker", insert("known_revision")),
    ("corrente_web", "SELECT * FROM device_session, device_reading"),
    ("corrente_worker", insert("guard_pass")),
    ("corrente_worker", "SELECT * FROM guard_state FOR UPDATE"),
    ("corrente_worker", insert("automation_run")),
    ("corrente_edge", "SELECT * FROM plan_window, plan_change"),
    ("corrente_worker", "DELETE FROM billing_stop"),
    ("corrente_edge", insert("late_usage")),
    ("corrente_edge", "UPDATE nas_clock SET ahead_s = 0"),
    ("corrente_worker", "SELECT * FROM nas_clock"),
    ("corrente_web", "SELECT * FROM nas_clock, spool_node"),
    ("corrente_worker", insert("desired_policy")),
    ("corrente_worker", insert("profile_revision")),
    ("corrente_worker", insert("quota_usage")),
    ("corrente_worker", insert("quota_event")),
    ("corrente_worker", "DELETE FROM late_usage"),
    ("corrente_worker", "UPDATE plan_change SET applied_at = now()"),
    ("corrente_web", "SELECT * FROM desired_policy, profile_revision, quota_usage, quota_event, quota_step"),
    ("corrente_web", "DELETE FROM plan_change"),
    ("corrente_web", insert("data_topup")),
    ("corrente_web", insert("restriction")),
    ("corrente_web", "SELECT * FROM guard_exemption, network_stop, nas_maintenance, row_history"),
    ("corrente_web", "UPDATE contract SET plan_id = 1"),
    ("corrente_web", "SELECT nextval('subscriber_account_id_seq')"),
    ("corrente_web", "SELECT * FROM login_attempt"),
    ("corrente_web", insert("attachment")),
    ("corrente_web", "DELETE FROM contact"),
    ("corrente_web", insert("contact")),
    ("corrente_web", "SELECT * FROM customer_words"),
    ("corrente_web", insert("price")),
    ("corrente_worker", insert("charge")),
    ("corrente_worker", "UPDATE charge SET document_id = 1, line_number = 1"),
    ("corrente_worker", "UPDATE charge SET covered = true"),
    ("corrente_worker", "UPDATE charge SET run_id = 1"),
    ("corrente_worker", "DELETE FROM billing_error"),
    ("corrente_worker", "SELECT nextval('document_id_seq'), nextval('entry_id_seq'), nextval('charge_id_seq')"),
    ("corrente_worker", ISSUED + "SELECT * FROM allocation, register_year FOR UPDATE OF register_year"),
    ("corrente_web", "DELETE FROM product_account"),
    *((role, PAID_AND_SETTLED) for role in ("corrente_worker", "corrente_web")),
    ("corrente_web", insert("payment_method", code="'slip'")),
    (
        "corrente_worker",
        "SELECT * FROM payment_match, payment_reversal, refund, write_off, write_off_undo, open_payment",
    ),
    ("corrente_web", ISSUED + "SELECT * FROM customer_balance, credited_line, posting, billing_error"),
    ("corrente_web", insert("fiscal_period")),
    ("corrente_web", ISSUED + "SELECT * FROM open_document, turnover"),
    ("corrente_web", insert("contract_event")),
    (
        "corrente_worker",
        "SELECT * FROM tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax, exemption",
    ),
    ("corrente_worker", "SELECT * FROM product, product_text, price, early_exit_cost, pause_fee, promotion"),
    ("corrente_web", "DELETE FROM discount; DELETE FROM early_exit_cost; DELETE FROM pause_fee"),
    ("corrente_web", insert("pause_fee")),
    ("corrente_worker", insert("consent")),
    ("corrente_worker", "SELECT * FROM issuer, tax_identifier, address, contact, attachment"),
    ("corrente_web", insert("audit_log")),
    ("corrente_worker", insert("dunning_case")),
    ("corrente_worker", insert("dunning_case_step")),
    ("corrente_web", "UPDATE dunning_case SET cleared_at = now()"),
    ("corrente_web", insert("outbox")),
    ("corrente_worker", insert("outbox")),
    ("corrente_worker", "UPDATE outbox SET attempts = 1, next_at = now(), problem = '', sent_at = now()"),
    ("corrente_worker", "DELETE FROM outbox WHERE false"),
    ("corrente_web", "SELECT * FROM outbox, contract_version, dunning_case, dunning_case_step"),
    ("corrente_web", insert("idempotency_key")),
    ("corrente_worker", "DELETE FROM idempotency_key WHERE false"),
    *((role, insert("message")) for role in ("corrente_worker", "corrente_web")),
    ("corrente_worker", insert("message_batch") + "; " + insert("message_event")),
    ("corrente_worker", "UPDATE message SET state = 'sending', taken_until = now(), attempts = 1"),
    ("corrente_worker", "DELETE FROM message WHERE false; DELETE FROM undeliverable_address"),
    ("corrente_web", "UPDATE message SET state = 'cancelled', ended_at = now()"),
    ("corrente_web", insert("message_template")),
    ("corrente_web", "SELECT id FROM message FOR NO KEY UPDATE; " + insert("consent")),
    ("corrente_web", "SELECT * FROM message, message_event, message_batch, undeliverable_address, message_template"),
    ("corrente_worker", insert("audit_seal")),
    ("corrente_web", "SELECT * FROM audit_seal"),
    ("corrente_web", "INSERT INTO webhook_log (account_id, headers, body) VALUES (1, '{}', '{}') RETURNING id"),
    ("corrente_web", "UPDATE webhook_log SET verdict = 'refused', reason = 'x' WHERE id = 1"),
    (
        "corrente_web",
        insert("gateway_notice") + " ON CONFLICT (account_id, key) DO NOTHING",
    ),
    ("corrente_worker", insert("payment_event") + "; " + insert("payout") + "; " + insert("presentment")),
    ("corrente_worker", "UPDATE gateway_notice SET attempts = 1, next_at = now(), problem = '', done_at = now()"),
    ("corrente_worker", insert("webhook_delivery")),
    (
        "corrente_worker",
        "UPDATE einvoice SET state = 'sending', next_try = now(), tries = 1, attempts = 1, since = now(), problem = ''",
    ),
    (
        "corrente_worker",
        insert("einvoice_event") + "; " + insert("einvoice_artifact") + "; " + insert("einvoice_message"),
    ),
    (
        "corrente_worker",
        insert("auth_ticket") + "; DELETE FROM auth_ticket; SELECT * FROM einvoice_series, einvoice_account",
    ),
    ("corrente_web", "SELECT * FROM einvoice, einvoice_event, einvoice_artifact, einvoice_account, einvoice_series"),
    ("corrente_worker", insert("webhook_attempt")),
    ("corrente_worker", "UPDATE webhook_endpoint SET failing_since = now(), disabled_at = now(), disabled_why = '410'"),
    (
        "corrente_worker",
        "UPDATE webhook_delivery SET state = 'waiting', attempts = 1, began_at = now(), next_at = now(), problem = '', ended_at = NULL",
    ),
    ("corrente_worker", "DELETE FROM webhook_delivery"),
    ("corrente_web", "SELECT * FROM webhook_endpoint, webhook_delivery, webhook_attempt"),
    ("corrente_lookup", "SELECT * FROM address_history"),
    ("corrente_lookup", insert("audit_log")),
    ("corrente_worker", insert("commission")),
    ("corrente_worker", "SELECT * FROM agent, contract_agent, commission_rule FOR UPDATE OF agent"),
    ("corrente_web", insert("commission_rule")),
    ("corrente_web", "SELECT * FROM agent_settlement, agent_settlement_line, agent_settlement_undo"),
    ("corrente_collector", "SELECT * FROM collectable_customer, collectable_document"),
    ("corrente_web", RECEIVED + "SELECT * FROM collector, cash_withdrawal, cash_taken_back, number_series_year"),
    ("corrente_web", "UPDATE cash_session SET note = 'x'; DELETE FROM collector_scope"),
    ("corrente_worker", "SELECT * FROM number_series, collector_scope, cash_session, cash_count, receipt"),
]

REFUSED = [
    *(
        (role, "SELECT name FROM staff")
        for role in ("corrente_web", "corrente_edge", "corrente_lookup", "corrente_collector")
    ),
    *(("corrente_worker", f"SELECT {column} FROM staff") for column in ("password_hash", "sealed_totp")),
    ("corrente_worker", "SELECT digest FROM staff_session"),
    ("corrente_worker", "SELECT * FROM api_token"),
    ("corrente_worker", insert("password_reset")),
    ("corrente_web", "SELECT * FROM staff_session"),
    ("corrente_web", insert("api_token")),
    ("corrente_console", "DELETE FROM staff"),
    ("corrente_console", "UPDATE sign_in_attempt SET at = now()"),
    ("corrente_collector", "SELECT * FROM open_document"),
    ("corrente_collector", "SELECT * FROM customer"),
    ("corrente_collector", "SELECT * FROM collector"),
    ("corrente_web", RECEIVED + "DELETE FROM receipt"),
    ("corrente_web", "UPDATE commission SET amount = 1"),
    ("corrente_web", "UPDATE commission_rule SET percent = 1"),
    ("corrente_worker", insert("agent")),
    ("corrente_web", "UPDATE cash_session SET opening = 5"),
    ("corrente_web", "UPDATE number_series SET pattern = '{number}'"),
    ("corrente_worker", insert("cash_count")),
    ("corrente_worker", "UPDATE einvoice_account SET from_on = '2020-01-01'"),
    ("corrente_worker", "UPDATE einvoice_series SET range_to = 99"),
    ("corrente_worker", "DELETE FROM einvoice_event"),
    ("corrente_web", "SELECT * FROM auth_ticket"),
    ("corrente_lookup", "SELECT * FROM einvoice"),
    ("corrente_worker", "UPDATE webhook_endpoint SET url = 'https://example.net/'"),
    ("corrente_worker", "UPDATE webhook_delivery SET body = '{ }'"),
    ("corrente_worker", "UPDATE webhook_attempt SET status = 200"),
    ("corrente_edge", "SELECT * FROM webhook_endpoint"),
    ("corrente_worker", "UPDATE nas_clock SET ahead_s = 0"),
    ("corrente_edge", "DELETE FROM nas_clock"),
    ("corrente_edge", "UPDATE contract SET status = 'active'"),
    ("corrente_edge", insert("contract")),
    ("corrente_edge", insert("restriction")),
    ("corrente_edge", "UPDATE restriction SET lifted_at = now()"),
    ("corrente_edge", insert("relief")),
    ("corrente_edge", "UPDATE subscriber_account SET max_sessions = 0"),
    ("corrente_edge", "UPDATE nas SET sealed_secret = sealed_secret"),
    ("corrente_edge", "SELECT * FROM customer"),
    ("corrente_edge", "SELECT * FROM tax_identifier"),
    ("corrente_web", "UPDATE issuer SET name = 'x'"),
    ("corrente_web", insert("customer_words")),
    ("corrente_web", "SELECT sealed_secret FROM gateway_account"),
    ("corrente_web", "SELECT body FROM webhook_log"),
    ("corrente_web", insert("payment_event")),
    ("corrente_worker", "UPDATE gateway_account SET base_url = 'https://example.net'"),
    ("corrente_edge", "SELECT * FROM gateway_account"),
    ("corrente_web", "DELETE FROM note"),
    ("corrente_web", "DELETE FROM price"),
    ("corrente_worker", "UPDATE posting SET amount = 1"),
    ("corrente_worker", "DELETE FROM charge"),
    ("corrente_worker", "UPDATE charge SET net = 0"),
    ("corrente_web", "DELETE FROM fiscal_period"),
    ("corrente_worker", insert("ledger_account")),
    ("corrente_edge", "SELECT * FROM open_document"),
    ("corrente_edge", "SELECT * FROM turnover"),
    ("corrente_worker", "DELETE FROM product_account"),
    ("corrente_web", "UPDATE allocation SET amount = 1"),
    ("corrente_web", "UPDATE payment SET amount = 1"),
    ("corrente_worker", insert("payment_method", code="'slip'")),
    ("corrente_edge", "SELECT * FROM payment"),
    ("corrente_lookup", "SELECT * FROM payment"),
    ("corrente_web", "DELETE FROM contract_item"),
    ("corrente_edge", "SELECT * FROM document"),
    ("corrente_lookup", "SELECT * FROM document"),
    ("corrente_web", "UPDATE tax_rate SET percent = 4"),
    ("corrente_worker", insert("promotion")),
    ("corrente_worker", insert("attachment")),
    ("corrente_worker", "DELETE FROM tax_identifier"),
    ("corrente_lookup", "SELECT * FROM address"),
    ("corrente_edge", "SELECT * FROM message"),
    ("corrente_lookup", "SELECT * FROM message"),
    ("corrente_web", "UPDATE message SET body = 'x'"),
    ("corrente_web", "DELETE FROM message"),
    ("corrente_worker", insert("message_template")),
    ("corrente_edge", "SELECT * FROM audit_log"),
    ("corrente_edge", "UPDATE login_attempt SET reason = 'full'"),
    ("corrente_edge", "DELETE FROM address_history"),
    ("corrente_edge", "SELECT * FROM scheduled_job"),
    ("corrente_edge", "SELECT drop_months('login_attempt', '2000-01-01')"),
    ("corrente_web", "SELECT clear_history('2000-01-01', 1)"),
    ("corrente_worker", "DELETE FROM row_history"),
    ("corrente_edge", "SELECT * FROM desired_policy"),
    ("corrente_edge", insert("plan_change")),
    ("corrente_edge", insert("data_topup")),
    ("corrente_worker", "UPDATE quota_event SET octets = 0"),
    ("corrente_web", "UPDATE desired_policy SET level = 'full'"),
    ("corrente_web", "UPDATE data_topup SET octets = 1"),
    ("corrente_web", insert("quota_event")),
    ("corrente_lookup", "SELECT * FROM desired_policy"),
    ("corrente_worker", "UPDATE audit_log SET actor = 'x'"),
    ("corrente_web", insert("audit_log", at="'2020-01-01'")),
    ("corrente_worker", insert("audit_log", at="'0001-01-01'")),
    ("corrente_lookup", insert("audit_log", at="'2020-01-01'")),
    ("corrente_worker", "DELETE FROM address_history"),
    ("corrente_worker", "DELETE FROM scheduler_lease"),
    ("corrente_web", "UPDATE scheduler_lease SET until = now()"),
    ("corrente_edge", "SELECT * FROM scheduler_lease"),
    ("corrente_worker", "DROP TABLE login_attempt"),
    ("corrente_worker", "INSERT INTO schema_migration VALUES ('9999_pre_x.sql')"),
    ("corrente_worker", "DELETE FROM enforcement_packet"),
    ("corrente_edge", "SELECT * FROM enforcement"),
    ("corrente_edge", "SELECT * FROM enforcement_packet"),
    ("corrente_web", "UPDATE enforcement SET attempt = 1"),
    ("corrente_web", insert("enforcement_packet")),
    ("corrente_worker", insert("guard_release")),
    ("corrente_worker", insert("guard_exemption")),
    ("corrente_worker", "UPDATE network_stop SET ended_at = now()"),
    ("corrente_worker", "UPDATE nas_maintenance SET ended_at = now()"),
    ("corrente_worker", insert("row_history")),
    ("corrente_edge", "SELECT * FROM row_history"),
    ("corrente_web", insert("guard_pass")),
    ("corrente_web", "SELECT * FROM address_history"),
    ("corrente_web", "SELECT * FROM address_history_202601"),
    ("corrente_web", "SELECT make_month('2026-01-01')"),
    ("corrente_web", "DELETE FROM contract"),
    ("corrente_web", "DELETE FROM restriction"),
    ("corrente_web", "UPDATE session SET octets_in = 0"),
    ("corrente_web", "DELETE FROM device_session"),
    ("corrente_worker", "DELETE FROM known_revision"),
    ("corrente_edge", "SELECT * FROM device_session"),
    ("corrente_lookup", "SELECT applied_version FROM session"),
    ("corrente_web", "UPDATE usage_day SET octets_in = 0"),
    ("corrente_web", "UPDATE audit_log SET actor = 'x'"),
    ("corrente_lookup", "SELECT * FROM subscriber_account"),
    ("corrente_lookup", "SELECT * FROM usage_day"),
    ("corrente_lookup", "SELECT * FROM closed_session"),
    ("corrente_lookup", "SELECT * FROM login_attempt"),
    ("corrente_lookup", "SELECT sealed_secret FROM nas"),
    ("corrente_lookup", "SELECT octets_in FROM session"),
    ("corrente_lookup", "SELECT * FROM audit_log"),
    ("corrente_web", "UPDATE dunning_case SET opened_at = now()"),
    ("corrente_web", "DELETE FROM dunning_case_step"),
    ("corrente_web", "UPDATE outbox SET sent_at = now()"),
    ("corrente_worker", "UPDATE outbox SET payload = '{}'"),
    ("corrente_edge", insert("outbox")),
    ("corrente_web", "UPDATE idempotency_key SET body_hash = body_hash"),
    ("corrente_web", "DELETE FROM idempotency_key"),
    ("corrente_worker", insert("idempotency_key")),
    ("corrente_web", insert("audit_seal")),
    ("corrente_worker", "DELETE FROM audit_seal"),
    ("corrente_edge", "SELECT * FROM audit_seal"),
]


@pytest.fixture(scope="module")
def world(module_database):
    with psycopg.connect(module_database, autocommit=True) as opened:
        opened.execute(WORLD)
        yield opened


def _try_as(world, role, statement):
    with world.transaction(force_rollback=True):
        world.execute(f"SET LOCAL ROLE {role}")
        world.execute(statement)


@pytest.mark.parametrize(("role", "statement"), ALLOWED, ids=[f"{r}: {s[:60]}" for r, s in ALLOWED])
def test_a_role_can_do_its_work(world, role, statement):
    _try_as(world, role, statement)


@pytest.mark.parametrize(("role", "statement"), REFUSED, ids=[f"{r}: {s[:60]}" for r, s in REFUSED])
def test_a_role_can_do_no_more(world, role, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _try_as(world, role, statement)


# What the console's pages change of them: a name, a provider, whose a token is and what it may stay as they were made. What the worker
# writes, whose rights the console has, is among it.
CHANGED_BY_CONSOLE = {
    "staff": {
        *("full_name", "email", "language", "theme", "password_hash", "password_changed_at", "must_change_password"),
        *("sealed_totp", "totp_since", "totp_last_step", "enabled", "collector_id", "agent_id"),
    },
    "api_token": {"last_used_at", "revoked_at"},
    "gateway_account": {
        *(
            "sealed_secret",
            "sealed_webhook_secret",
            "return_url",
            "enabled",
            "debits_since",
            "debit_days",
            "pages_since",
        ),
        *("asked_to", "problem"),
    },
    "einvoice_account": {"sealed_secret", "enabled", "blocked_at", "blocked_reason", "failures", "next_try"},
    "webhook_endpoint": {
        *("url", "events", "sealed_secret", "sealed_old_secret", "old_secret_until", "removed_at"),
        *("failing_since", "disabled_at", "disabled_why"),
    },
}


@pytest.mark.parametrize("table", sorted(CHANGED_BY_CONSOLE))
def test_the_console_changes_the_columns_that_its_pages_write_and_no_others(world, table):
    columns = world.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''",
        (table,),
    ).fetchall()
    for (column,) in columns:
        statement = f"UPDATE {table} SET {column} = {column}"
        if column in CHANGED_BY_CONSOLE[table]:
            _try_as(world, "corrente_console", statement)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _try_as(world, "corrente_console", statement)
    assert CHANGED_BY_CONSOLE[table] < {column for (column,) in columns}


def test_freeradius_has_no_role_and_no_other_role_was_made(world):
    roles = world.execute("SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'").fetchall()
    assert {name for (name,) in roles} == OURS


def test_whoever_can_connect_without_a_role_of_ours_reads_and_runs_nothing(world):
    granted = world.execute(
        """
        SELECT relname FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'public'::regnamespace AND grantee = 0
        UNION ALL SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
            WHERE pronamespace = 'public'::regnamespace AND grantee = 0 AND prosecdef
        """
    ).fetchall()
    assert granted == []


def test_functions_that_act_with_the_owner_s_rights_look_only_where_the_owner_s_tables_are(world):
    paths = world.execute(
        "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    ).fetchall()
    assert {name for name, _ in paths} == {
        *("note_change", "keep_history", "make_month", "drop_months", "clear_history"),
        *("gather_customer_words", "note_customer_words", "take_number", "withdraw_commissions"),
        *("document_all_known", "document_line_all_known", "posting_all_known", "charge_all_known"),
        "hold_entries",
    }
    assert all("search_path=public, pg_temp" in config for _, config in paths)
