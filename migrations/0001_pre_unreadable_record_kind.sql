-- A bug of ours is not a bad record: say which it was, and when it was last tried again.
ALTER TABLE unreadable_record
    ADD COLUMN kind text NOT NULL DEFAULT 'unreadable' CONSTRAINT unreadable_record_kind CHECK (kind IN ('unreadable', 'refused', 'our_fault')),
    ADD COLUMN tried_at timestamptz;
COMMENT ON TABLE unreadable_record IS 'Spooled records without effect, kept until their retention or until `corrente unreadable retry` merges them; nothing is dropped in silence.';
COMMENT ON COLUMN unreadable_record.kind IS 'unreadable: the record''s fault; refused: the database refused it; our_fault: a bug of ours, the record may be as good as any.';
COMMENT ON COLUMN unreadable_record.tried_at IS 'When it was last tried again in vain; problem is what stood against it then.';
