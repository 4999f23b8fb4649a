-- Who did what is searched by who, too: the rare among millions.
CREATE INDEX audit_log_by_actor ON audit_log (actor, at, id);
