-- What note_money keeps of changed rows is worked out once a row: a quarter of the time.
CREATE OR REPLACE FUNCTION note_money() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: the columns of the key, with commas; columns whose changes another table tells, with commas.
DECLARE
    writer text   := coalesce(current_setting('corrente.actor', true), '');
    keys   text[] := string_to_array(TG_ARGV[0], ',');
    silent text[] := string_to_array(coalesce(TG_ARGV[1], ''), ',');
BEGIN
    IF writer = '' THEN
        RAISE EXCEPTION '%: % by nobody; this transaction does not say who writes', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'First, in the same transaction: SELECT set_config(''corrente.actor'', ''maria'', true).';
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.insert', TG_TABLE_NAME, jsonb_build_object('rows', (SELECT count(*) FROM new_rows), 'names', jsonb_agg(name))
            FROM (SELECT row_name(to_jsonb(n) - 'content', keys) AS name FROM new_rows AS n LIMIT 20) AS written HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.delete', TG_TABLE_NAME || ' ' || row_name(gone, keys), jsonb_build_object('before', gone)
            FROM (SELECT to_jsonb(o) - 'content' AS gone FROM old_rows AS o) AS deleted;
    ELSE
        -- OFFSET 0: a row becomes JSON once, not once for each place that names it below.
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.update', TG_TABLE_NAME || ' ' || name, jsonb_build_object('before', jsonb_object_agg(field, was -> field), 'after', jsonb_object_agg(field, becomes -> field))
            FROM (SELECT row_name(to_jsonb(o), keys) AS name, to_jsonb(o) AS was FROM old_rows AS o OFFSET 0) AS old_ones
                JOIN (SELECT row_name(to_jsonb(n), keys) AS name, to_jsonb(n) AS becomes FROM new_rows AS n OFFSET 0) AS new_ones USING (name)
                CROSS JOIN LATERAL jsonb_object_keys(was - silent) AS field
            WHERE was -> field IS DISTINCT FROM becomes -> field GROUP BY name;
    END IF;
    RETURN NULL;
END
$$;
