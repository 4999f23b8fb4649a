-- Who writes an audit row does not say when: a row of the past or of the year 1 would stand among what nobody has sealed yet.
REVOKE INSERT ON audit_log FROM corrente_web, corrente_worker, corrente_lookup;
GRANT INSERT (actor, action, subject, detail, origin, request_id) ON audit_log TO corrente_web, corrente_worker, corrente_lookup;
