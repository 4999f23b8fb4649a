-- Days are closed by roles that may not lock the entries otherwise.
CREATE FUNCTION hold_entries() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE entry IN SHARE MODE;
END
$$;
COMMENT ON FUNCTION hold_entries() IS 'Whoever closes days keeps writers of entries away until the transaction ends; nobody but the owner may lock the table otherwise.';
-- Days are closed from a page, too.
REVOKE EXECUTE ON FUNCTION hold_entries() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_entries() TO corrente_web;
