-- The console acts as a database role of its own.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'corrente_console') THEN
        CREATE ROLE corrente_console NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made by another database in this moment
END
$$;
-- The console does what staff do by hand, so it may what its pages' permissions stand for: all that the worker, the public pages and
-- the look-up may, and what only people set up. What is append-only or issued the triggers above hold against it, too.
DO $$
BEGIN
    GRANT corrente_web, corrente_worker, corrente_lookup TO corrente_console;
EXCEPTION WHEN insufficient_privilege THEN
    -- Where the owner may not make roles, an administrator has made this one, and has to have granted it the others.
    IF NOT (pg_has_role('corrente_console', 'corrente_web', 'USAGE') AND pg_has_role('corrente_console', 'corrente_worker', 'USAGE')
            AND pg_has_role('corrente_console', 'corrente_lookup', 'USAGE')) THEN
        RAISE EXCEPTION 'role corrente_console may not do its work' USING ERRCODE = 'insufficient_privilege',
            HINT = 'As an administrator of the database: GRANT corrente_web, corrente_worker, corrente_lookup TO corrente_console';
    END IF;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON site, nas, profile, plan, plan_window, quota_step, tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax,
    customer_words, guard_exemption, network_stop, nas_maintenance TO corrente_console;
GRANT SELECT, INSERT, UPDATE ON issuer, guard_release, gateway_account, webhook_endpoint, einvoice_account TO corrente_console;
GRANT SELECT ON node_holder TO corrente_console;
