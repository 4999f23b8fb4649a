-- How far clocks are off: each RADIUS node's, and each access device's by the Event-Timestamp of its accounting. Under the release
-- before nobody writes or reads these.
ALTER TABLE spool_node ADD COLUMN clock_ahead_s double precision;
COMMENT ON COLUMN spool_node.clock_ahead_s IS 'How far the node''s clock was ahead of this database''s at updated_at; below 0 behind. NULL: an older release''s edge.';

CREATE TABLE nas_clock (
    nas_id  bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    source  inet NOT NULL,
    ahead_s bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nas_clock_source_is_host CHECK (masklen(source) = CASE family(source) WHEN 4 THEN 32 ELSE 128 END)
);
COMMENT ON TABLE nas_clock IS 'How far each access device''s clock is ahead of this database''s (below 0 behind), by the Event-Timestamp of its accounting; of a group the device that is furthest off. Written at most each minute, and only when it moved or is getting old.';
COMMENT ON COLUMN nas_clock.source IS 'The device it was measured of.';
COMMENT ON COLUMN nas_clock.at IS 'When it was last found so, within ten minutes.';
GRANT SELECT, INSERT, UPDATE ON nas_clock TO corrente_edge;
GRANT SELECT ON nas_clock TO corrente_worker, corrente_web;
GRANT SELECT ON spool_node TO corrente_web;
