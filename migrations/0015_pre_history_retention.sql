-- History has a retention: a worker may delete what is old, by a function.
DROP TRIGGER row_history_append_only ON row_history;
CREATE INDEX row_history_by_end ON row_history (until);
CREATE TRIGGER row_history_append_only BEFORE UPDATE ON row_history FOR EACH ROW EXECUTE FUNCTION refuse_change('History is append-only.');
CREATE TRIGGER row_history_kept BEFORE DELETE ON row_history FOR EACH ROW WHEN (OLD.until > now() - interval '28 days')
    EXECUTE FUNCTION refuse_change('History of the last four weeks is never deleted.');
COMMENT ON TABLE row_history IS 'How a row stood until it was changed; the present is in its table, so what never changed costs nothing. Written by triggers, append-only but for its retention, without secrets.';
CREATE FUNCTION clear_history(before timestamptz, at_once integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH cleared AS (
        DELETE FROM row_history WHERE id = ANY (ARRAY(SELECT id FROM row_history WHERE until < before ORDER BY until LIMIT at_once)) RETURNING id
    )
    SELECT count(*) FROM cleared
$$;
COMMENT ON FUNCTION clear_history(timestamptz, integer) IS 'Deletes history that ended before that instant, up to so many rows; returns how many. It holds names and places of subscribers, so it has a retention.';
REVOKE EXECUTE ON FUNCTION clear_history(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clear_history(timestamptz, integer) TO corrente_worker;
