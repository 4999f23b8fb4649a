-- The lines of a bank's file are listed and counted by it.
CREATE INDEX bank_line_file ON bank_line (file_id, id);
