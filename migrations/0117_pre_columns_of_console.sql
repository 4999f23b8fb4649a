-- The console may change those columns of staff, tokens and accounts that its pages write, and no others.
REVOKE UPDATE ON staff, api_token, gateway_account, einvoice_account, webhook_endpoint FROM corrente_console;
GRANT UPDATE (full_name, email, language, theme, password_hash, password_changed_at, must_change_password, sealed_totp, totp_since, totp_last_step, enabled,
    collector_id, agent_id) ON staff TO corrente_console;
GRANT UPDATE (last_used_at, revoked_at) ON api_token TO corrente_console;
GRANT UPDATE (sealed_secret, sealed_webhook_secret, return_url, enabled, debits_since, debit_days, pages_since) ON gateway_account TO corrente_console;
GRANT UPDATE (sealed_secret, enabled) ON einvoice_account TO corrente_console;
GRANT UPDATE (url, events, sealed_secret, sealed_old_secret, old_secret_until, removed_at) ON webhook_endpoint TO corrente_console;
