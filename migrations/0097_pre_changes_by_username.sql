-- Changes of one subscriber, the newest first, among those of all.
CREATE INDEX enforcement_by_username ON enforcement (username, id);
