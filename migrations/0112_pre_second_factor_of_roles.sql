-- A role may demand a second factor: who has none makes one at the next click, before anything else.
ALTER TABLE staff_role ADD COLUMN needs_second_factor boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN staff_role.needs_second_factor IS 'Who has it and no second factor may do nothing in the console but make one. Tokens go on.';
